# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-testpmd as a process of a Lab: started and driven over its prompt.

Used by tests/compat/tools/testpmd.py, tests/guest and scripts/demo. Needs neither
hugepages nor PCI devices. The Lab may be the Inside of a guest (inside.py).
"""

import os
import re
import subprocess

from lab import library_env, wait_for


def floating_lcores(count):
    """EAL's --lcores for that many lcores which the kernel may place on any CPU."""
    cpus = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
    return ",".join(f"{lcore}@({cpus})" for lcore in range(count))


def eal_arguments(lab, name, lcores=2, memory_mib=256):
    """lcores: how many, wherever the kernel places them, or EAL's own words for it."""
    return ["--lcores", lcores if isinstance(lcores, str) else floating_lcores(lcores), "--no-huge", "--no-pci", "--no-shconf",
            "--no-telemetry", "-m", str(memory_mib), "--file-prefix", f"{lab.dir.name}-{name}"]


def eal_environment(lab, library=None):
    """Runs a DPDK program on our library, with its runtime files in the Lab's directory."""
    env = library_env(library)
    env["RUNTIME_DIRECTORY"] = str(lab.dir)
    return env


class Testpmd:
    """One dpdk-testpmd with the given virtual devices, waiting at its prompt."""

    __test__ = False

    def __init__(self, lab, name, vdevs, arguments=(), *, library=None, mbufs=8192, lcores=2,
                 memory_mib=256):
        # By lines: testpmd would keep its answers in a buffer when writing to a log.
        argv = ["stdbuf", "-oL", "dpdk-testpmd"] + eal_arguments(lab, name, lcores, memory_mib)
        for vdev in vdevs:
            argv += ["--vdev", vdev]
        argv += ["--", "--interactive", "--no-mlockall", "--no-flush-rx",
                  f"--total-num-mbufs={mbufs}"]
        argv += list(arguments)
        self.process = lab.spawn(name, argv, env=eal_environment(lab, library),
                                 stdin=subprocess.PIPE)
        self.name = name

    def wait_prompt(self, timeout_s=30):
        self.process.wait_log("testpmd> ", timeout_s)
        return self

    def command(self, line):
        self.process.send(line + "\n")

    def ask(self, line, answer, timeout_s=10):
        """Sends a command and returns the part of the log it produced once answer matches."""
        start = len(self.process.log())
        self.command(line)
        pattern = re.compile(answer, re.S)

        def answered():
            return pattern.search(self.process.log()[start:])
        return wait_for(answered, timeout_s, f"the answer of {self.name} to '{line}'", 0.02)

    def start(self, retry=True):
        """Starts forwarding; with retry, a full ring makes the sender wait instead of dropping."""
        if retry:
            self.command("set fwd io retry")
            self.command("set burst tx delay 100 retry 100000")
        self.command("start")

    def link_up(self, port):
        return self.ask(f"show port info {port}", r"Link status: (\w+)").group(1) == "up"

    def wait_link(self, port, timeout_s=20, up=True):
        wait_for(lambda: self.link_up(port) == up, timeout_s,
                 f"port {port} of {self.name} to be {'up' if up else 'down'}", 0.2)

    def quit(self, timeout_s=20):
        """Ends testpmd the orderly way; returns its exit status."""
        if self.process.running():
            self.command("stop")
            self.command("quit")
            self.process.end_input()
        return self.process.wait(timeout_s)

    def kill(self):
        self.process.kill()
