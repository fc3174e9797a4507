# SPDX-License-Identifier: BSD-3-Clause
"""vhost-ng-switch as a process of a Lab: started, its plain lines read back."""

import os
import re
import signal

from lab import BUILD, Failure, check, note, wait_for

SWITCH = BUILD / "app" / "vswitch" / "vhost-ng-switch"


class Switch:
    """A running switch. ports: name -> options, such as {"a": "client,queues=2"}."""

    def __init__(self, lab, ports, arguments=(), name="switch"):
        check(SWITCH.exists(), f"{SWITCH} is not built")
        argv = [SWITCH, "--interval=0"]
        for port, options in ports.items():
            argv += ["-p", f"{lab.path(port + '.sock')}" + (f",{options}" if options else "")]
        env = dict(os.environ, RUNTIME_DIRECTORY=str(lab.dir))
        self.ports = ports
        self.process = lab.spawn(name, argv + list(arguments), env=env)
        self.process.wait_log("ready: ", 30)

    def wait_up(self, port, count=1, timeout_s=60):
        """Waits until the port has come up for the count-th time."""
        pattern = re.compile(rf"^port {port}: up,", re.M)
        wait_for(lambda: len(pattern.findall(self.process.log())) >= count, timeout_s,
                 f"port {port} of the switch to be up")

    def stats(self):
        """Counters by port name, and those of the switch itself under 'switch'."""
        check(self.process.running(), f"the switch ended with {self.process.popen.returncode}")
        start = len(self.process.log())
        self.process.popen.send_signal(signal.SIGUSR1)
        self.process.wait_log("stats: switch ", 10, start)
        result = {}
        for line in self.process.log()[start:].splitlines():
            if not line.startswith("stats: "):
                continue
            pairs = dict(word.split("=", 1) for word in line.split() if "=" in word)
            result[pairs.pop("port", "switch")] = {
                key: int(value) if value.isdigit() else value for key, value in pairs.items()}
        return result

    def restart(self, lab, arguments=(), name="switch2"):
        """Another switch with the same ports; this one must have ended."""
        check(not self.process.running(), "the switch still runs")
        return Switch(lab, self.ports, arguments, name)

    def stop(self):
        status = self.process.stop()
        check(status == 0, f"the switch ended with status {status}")


class Footprint:
    """What a switch holds on to; taken before guests come and compared after they left."""

    def __init__(self, switch):
        self.switch = switch
        self.kinds = switch.process.fd_kinds()
        self.mbufs_free = switch.stats()["switch"]["mbufs_free"]

    def check_same(self, what="after the guests left", timeout_s=60, report=note):
        """No descriptor, mapping of guest memory or packet buffer may be left over."""
        process = self.switch.process

        def same():
            return process.fd_kinds() == self.kinds and not process.guest_mappings()
        try:
            wait_for(same, timeout_s, "descriptors and mappings to go away", 0.2)
        except Failure:
            now = process.fd_kinds()
            left = {kind: count - self.kinds.get(kind, 0) for kind, count in now.items()
                    if count != self.kinds.get(kind, 0)}
            raise Failure(f"{what} the switch still has descriptors {left} and mappings "
                          f"{process.guest_mappings()}") from None
        free = self.switch.stats()["switch"]["mbufs_free"]
        check(free == self.mbufs_free,
              f"{what} {free} of {self.mbufs_free} packet buffers are free")
        report(f"{what} no descriptor, guest mapping or packet buffer is left over")
