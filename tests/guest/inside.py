# SPDX-License-Identifier: BSD-3-Clause
"""Programs that run inside a guest, started and looked at as those of a Lab are.

An Inside is to a VM what a Lab is to this machine: spawn() takes the same arguments and
returns a Process. The programs are those of build_guest(programs=...). Their logs are shown
with the others when a test fails.
"""

import itertools
import os
import shlex
import signal
from pathlib import Path

from lab import Process, wait_for

DPDK_PLUGINS = Path("/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0")


def dpdk_plugins(*names):
    """Paths of Debian's plugins; EAL loads what is in that directory."""
    return [DPDK_PLUGINS / f"librte_{name}.so.23" for name in names]


def testpmd_programs():
    """What a guest needs for pmd.Testpmd with virtio-user."""
    return ["/usr/bin/dpdk-testpmd", "/usr/bin/stdbuf", "/usr/libexec/coreutils/libstdbuf.so",
            *dpdk_plugins("bus_vdev", "mempool_ring", "net_virtio")]


class GuestProcess(Process):
    """A program in a guest; its standard input is a pipe that is open until end_input()."""

    def __init__(self, vm, name, argv, prefix, env):
        self.vm = vm
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.prefix = prefix
        self.log_path = f"{prefix}.log"
        self._status = None
        words = shlex.join(f"{key}={value}" for key, value in env.items())
        # The writer waits for the reader, and the other way round. exec: one number from the start.
        vm.exec(f"""
mkfifo {prefix}.in
(exec sleep 1000000 > {prefix}.in) < /dev/null > /dev/null 2>&1 &
echo $! > {prefix}.holder
(
    sh -c 'echo $$ > {prefix}.pid; exec "$@"' sh env {words} {shlex.join(self.argv)}
    echo $? > {prefix}.status
) < {prefix}.in > {prefix}.log 2>&1 &
until [ -s {prefix}.pid ]; do sleep 0.05; done""")
        self._pid = int(vm.exec(f"cat {prefix}.pid"))

    @property
    def pid(self):
        return self._pid

    def status(self):
        if self._status is None:
            text = self.vm.exec(f"cat {self.prefix}.status 2>/dev/null || true").strip()
            self._status = int(text) if text else None
        return self._status

    def log(self):
        return self.vm.exec(f"cat {self.log_path}")

    def wait_log(self, text, timeout_s, start=0):
        # Looked for in there: an emulated machine takes long for each command.
        self.vm.run(f"""
until tail -c +{start + 1} {self.log_path} | grep -qF {shlex.quote(text)} ||
		[ -s {self.prefix}.status ]; do
	sleep 0.1
done""", timeout_s)
        super().wait_log(text, timeout_s, start)

    def send(self, text):
        self.vm.exec(f"printf %s {shlex.quote(text)} > {self.prefix}.in")

    def end_input(self):
        self.vm.exec(f"kill $(cat {self.prefix}.holder)")

    def wait(self, timeout_s):
        wait_for(lambda: not self.running(), timeout_s, f"{self.name} to end", 0.2)
        return self.status()

    def kill(self):
        if self.running():
            self.vm.run(f"kill -9 {self.pid}")
            self.wait(10)

    def stop(self, timeout_s=15, sig=signal.SIGTERM):
        if self.running():
            self.vm.run(f"kill -{int(sig)} {self.pid}")
        return self.wait(timeout_s)

    def maps(self):
        return self.vm.exec(f"cat /proc/{self.pid}/maps")

    def fds(self):
        """What each open descriptor refers to, by number."""
        lines = self.vm.exec(f"cd /proc/{self.pid}/fd; "
                             "for fd in *; do echo $fd $(readlink $fd); done").splitlines()
        pairs = (line.split(" ", 1) for line in lines)
        return {int(pair[0]): pair[1] for pair in pairs if len(pair) == 2}


class Inside:
    """The programs of one guest."""

    def __init__(self, lab, vm):
        self.lab = lab
        self.vm = vm
        self.dir = Path(f"/tmp/{lab.dir.name}")
        self._numbers = itertools.count(1)
        vm.exec(f"mkdir -p {self.dir}")

    def path(self, name):
        return self.dir / name

    def spawn(self, name, argv, env=None, **_):
        """Of env, what is not as here; standard input is a pipe in any case."""
        changed = {key: value for key, value in (env or {}).items() if os.environ.get(key) != value}
        process = GuestProcess(self.vm, name, argv, self.path(f"{next(self._numbers)}-{name}"),
                               changed)

        def save_log():
            self.lab.path(f"{self.vm.name}-{name}.log").write_text(process.log())
        self.lab.at_dump(save_log)
        return process
