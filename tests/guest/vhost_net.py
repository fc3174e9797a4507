#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The vDPA device that is the kernel's vhost-net, in a guest whose kernel has it.

All of it runs in the guest: the kernel sends frames to tap0, vhost-net puts them into the rings of
testpmd with virtio-user, which sends them back the same way. examples/vdpa has negotiated that,
and moves nothing. What the driver does with each message: tests/flow/vdpa_vhost_net.c, which runs
in such a guest as well (run.py).
"""

import re

from inside import Inside, testpmd_programs
from lab import BUILD, LIBRARY, check, check_library, need_programs, note, run_tests, wait_for
from pmd import Testpmd, eal_arguments, eal_environment
from vm import VM, build_guest

VDPA = BUILD / "examples" / "vdpa"
DRIVER = BUILD / "drivers" / "librte_vdpa_vhost_net.so"
FRAMES = 5000
TICK_MS = 10  # of the CPU times of processes
UDP_CHECKSUM = 1 << 2  # DPDK's RTE_ETH_RX_OFFLOAD_UDP_CKSUM
KERNEL_THREAD = "vhost-[0-9]+"  # by the number of the thread that has the device open


class Host:
    """The guest that is a host."""

    def __init__(self, lab):
        need_programs("dpdk-testpmd")
        build_guest(note, programs=[LIBRARY, VDPA, DRIVER, *testpmd_programs()])
        self.vm = VM(lab, "host", None, memory_mib=512, cpus=2).start()
        note(f"the guest is up after {self.vm.wait_ready():.1f} s")
        self.inside = Inside(lab, self.vm)
        self.socket = self.inside.path("v.sock")
        self.vdpa = None

    def start_vdpa(self, queues=1):
        device = "vdpa_vhost_net0"
        self.vdpa = self.inside.spawn("vdpa", [
            VDPA, *eal_arguments(self.inside, "vdpa", lcores="0@(0,1)", memory_mib=64),
            "-d", DRIVER, f"--vdev={device},iface=tap0,queues={queues}",
            "--", self.socket, device], env=eal_environment(self.inside))
        return device

    def serve(self, queues=1):
        device = self.start_vdpa(queues)
        self.vdpa.wait_log(f"device {device}", 60)
        check_library(self.vdpa)
        self.vm.exec("ip link set tap0 up")

    def start_testpmd(self, queues=1, arguments=(), commands=("set fwd io",)):
        """The frontend; forwards when this returns."""
        pmd = Testpmd(self.inside, "testpmd",
                      [f"net_virtio_user0,path={self.socket},queues={queues},queue_size=256"],
                      [f"--rxq={queues}", f"--txq={queues}", "--nb-cores=1", *arguments],
                      lcores="0@(0,1),1@(0,1)", memory_mib=64, mbufs=2048)
        pmd.wait_prompt(60)
        self.forward(pmd, *commands, "start")
        return pmd

    def forward(self, pmd, *lines):
        """Ends with one that lets testpmd forward; it does so when this returns."""
        pmd.command("\n".join(lines))
        self.wait_served()

    def wait_served(self):
        """Frames that come too early may be lost: nobody waits for a virtual machine to start."""
        wait_for(lambda: self.vm.run("nettool echo tap0 1 1")[0] == 0, 60,
                 "a first frame to come back")

    def echo(self, frames=FRAMES, offload=False):
        """Sends frames to tap0; each has to come back once, as it was. Returns nettool's counts."""
        status, output = self.vm.run(f"nettool echo tap0 {frames} 20 {'offload' * offload}", 120)
        check(status == 0, f"of the frames sent to tap0: {output.split()}")
        counts = dict(line.split() for line in output.splitlines())
        return {name: int(count) for name, count in counts.items()}

    def threads(self):
        """CPU times in ms: of vdpa's own threads, and a list of those the kernel has for it."""
        # Kernels differ in whether the latter are threads of the process.
        output = self.vm.exec(f"""
kernel=$(grep -lxE '{KERNEL_THREAD}' /proc/[0-9]*/comm 2> /dev/null)
for file in /proc/{self.vdpa.pid}/task/*/comm $kernel; do
	echo $(cat $file) $(sed 's/.*) //' ${{file%comm}}stat | cut -d ' ' -f 12,13)
done""")
        own_ms, kernel_ms = 0, []
        for name, user, system in (line.rsplit(" ", 2) for line in output.splitlines()):
            time_ms = TICK_MS * (int(user) + int(system))
            if re.fullmatch(KERNEL_THREAD, name):
                kernel_ms.append(time_ms)
            else:
                own_ms += time_ms
        return own_ms, kernel_ms

    def kernel_threads(self):
        return int(self.vm.exec("cat /proc/[0-9]*/task/*/comm 2> /dev/null | "
                                f"grep -cxE '{KERNEL_THREAD}' || true"))

    def memory(self):
        """How many mappings of shared memory vdpa has: its own, and the frontend's."""
        return len(self.vdpa.guest_mappings("memfd:"))

    def wait_gone(self):
        """Nothing is left of vdpa."""
        wait_for(lambda: self.kernel_threads() == 0, 20, "the kernel's threads to end")
        status, output = self.vm.run("ls -d /sys/class/net/tap0")
        check(status != 0, f"there is still {output}")

    def end_vdpa(self):
        self.vdpa.end_input()
        status = self.vdpa.wait(30)
        check(status == 0, f"vdpa ended with status {status}")
        self.wait_gone()


def packets(lab):
    """Frames come back as they were, pings are answered, and vdpa has nothing to do with it"""
    host = Host(lab)
    host.serve()
    pmd = host.start_testpmd()
    own_before_ms, kernel_before_ms = host.threads()
    host.echo()
    own_ms, kernel_ms = host.threads()
    own_ms -= own_before_ms
    kernel_ms = sum(kernel_ms) - sum(kernel_before_ms)
    note(f"{FRAMES} frames there and back: {kernel_ms} ms of CPU time in the kernel's thread, "
         f"{own_ms} ms in vdpa")
    check(own_ms <= max(2 * TICK_MS, kernel_ms / 20),
          f"vdpa used {own_ms} ms of CPU time, the kernel's thread {kernel_ms} ms")
    check(kernel_ms > 0, "the kernel's thread did nothing")
    counts = host.echo(offload=True)
    check(counts["partial"] == 0, f"checksums are missing that nobody offered to do: {counts}")
    pmd.command("stop\nset fwd icmpecho\nstart")
    host.vm.exec("ip addr add 10.0.0.1/24 dev tap0")
    answers = host.vm.ping("10.0.0.2", 20)
    check(answers == 20, f"{answers} of 20 pings were answered")
    check(pmd.quit() == 0, "testpmd ended badly")
    host.end_vdpa()


def checksums(lab):
    """Checksums are left to the other side, both ways"""
    host = Host(lab)
    host.serve()
    pmd = host.start_testpmd(arguments=[f"--rx-offloads={UDP_CHECKSUM:#x}"],
                             commands=["set fwd csum", "csum mac-swap off 0", "port stop 0",
                                       "csum set udp hw 0", "port start 0"])
    for offload in (False, True):
        counts = host.echo(FRAMES // 2, offload)
        check(counts["partial"] == counts["back"], f"testpmd made checksums itself: {counts}")
    pmd.ask("set verbose 1", "Change verbose level")
    for offload in (False, True):
        start = len(pmd.process.log())
        host.echo(20, offload)
        missing = pmd.process.log()[start:].count("  ol_flags: RTE_MBUF_F_RX_L4_CKSUM_NONE")
        check(missing == 20 * offload, f"of 20 frames {missing} came to testpmd without a checksum")
    check(pmd.quit() == 0, "testpmd ended badly")
    host.end_vdpa()


def two_queues(lab):
    """Two queue pairs, and packets on each"""
    host = Host(lab)
    host.serve(2)
    pmd = host.start_testpmd(2)
    host.echo()
    pmd.ask("show port xstats 0", "tx_q1_good_packets: \\d+\n")
    xstats = dict(re.findall(r"([rt]x_q\d_good_packets): (\d+)", pmd.process.log()))
    note(f"packets by queue: {xstats}")
    check(len(xstats) == 4 and all(int(count) > FRAMES / 10 for count in xstats.values()),
          f"a queue has few packets: {xstats}")
    threads = host.kernel_threads()
    check(threads == 2, f"the kernel has {threads} threads for two pairs")
    check(pmd.quit() == 0, "testpmd ended badly")
    host.end_vdpa()


def frontends_come_and_go(lab):
    """Frontends stop and start their port, are killed, come back; nothing is left over"""
    host = Host(lab)
    host.serve()
    fds, memory = host.vdpa.fd_kinds(), host.memory()
    for _ in range(2):
        pmd = host.start_testpmd()
        host.echo(500)
        check(host.memory() > memory, "vdpa has not mapped the frontend's memory")
        host.forward(pmd, "stop", "port stop 0", "port start 0", "start")
        host.echo(500)
        downs = host.vdpa.log().count(": down")
        pmd.kill()
        wait_for(lambda: host.vdpa.log().count(": down") > downs, 20, "the device to go down")
        wait_for(lambda: host.memory() == memory, 20, "the frontend's memory to be unmapped")
        wait_for(lambda: host.vdpa.fd_kinds() == fds, 20,
                 f"descriptors to be closed: open were {fds}")
        check(host.kernel_threads() == 0, "the kernel serves a guest that is gone")
    pmd = host.start_testpmd()
    host.echo(500)
    # The kernel serves as long as somebody has its device open.
    host.vdpa.kill()
    host.wait_gone()
    pmd.kill()
    host.serve()
    host.start_testpmd()
    host.echo(500)
    host.end_vdpa()


def no_module(lab):
    """Without the kernel's module the message says what to do, and doing it helps"""
    host = Host(lab)
    host.vm.exec("rmmod vhost_net")
    host.start_vdpa()
    status = host.vdpa.wait(60)
    log = host.vdpa.log()
    check(status not in (0, None) and status < 128, f"vdpa ended with status {status}")
    check("cannot open /dev/vhost-net" in log and "modprobe vhost_net" in log,
          f"no message says what to do: {log[-800:]}")
    host.wait_gone()
    host.vm.exec("insmod /modules.host/vhost_net.ko")
    host.serve()
    host.start_testpmd()
    host.echo(500)
    host.end_vdpa()


if __name__ == "__main__":
    run_tests(packets, checksums, two_queues, frontends_come_and_go, no_module)
