#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stock Open vSwitch with DPDK on our library, with two Linux guests on its ports.

The database, sockets, logs and process files are all in a temporary directory; nothing
of an Open vSwitch that the machine may run is touched. No hugepages are needed.
"""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "guest"))

from lab import Skip, check, check_library, library_env, need_programs, note, run_tests, \
    wait_for  # noqa: E402
from vm import VM, build_guest, fetch_file  # noqa: E402

VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
BRIDGE = "br-vng"


class OpenVSwitch:
    """ovsdb-server and ovs-vswitchd-dpdk, started for one test."""

    def __init__(self, lab):
        for path in (VSWITCHD, SCHEMA):
            if not os.path.exists(path):
                raise Skip(f"{path} is not installed")
        need_programs("ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-appctl")
        self.lab = lab
        self.count = 0
        self.env = library_env()
        for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR",
                     "RUNTIME_DIRECTORY"):
            self.env[name] = str(lab.dir)
        self.database = f"unix:{lab.path('db.sock')}"
        self.tool("ovsdb-tool", "create", lab.path("conf.db"), SCHEMA)
        self.server = lab.spawn("ovsdb-server", [
            "/usr/sbin/ovsdb-server", lab.path("conf.db"), f"--remote=p{self.database}",
            f"--unixctl={lab.path('ovsdb.ctl')}", "--no-chdir", "-vfile:off"], env=self.env)
        wait_for(lab.path("db.sock").exists, 15, "the database's socket")
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", *[f"other_config:{item}" for item in (
            # --legacy-mem, which --no-huge implies, keeps OVS from adding --in-memory to it.
            "dpdk-init=true", f"dpdk-extra=\"--no-huge --legacy-mem --no-pci --no-shconf -m 512 "
            f"--file-prefix={lab.dir.name} --no-telemetry\"", "dpdk-lcore-mask=0x1",
            "pmd-cpu-mask=0x1", "pmd-maxsleep=200",
            "per-port-memory=true")])
        self.start()

    def start(self):
        self.count += 1
        self.daemon = self.lab.spawn(f"ovs-vswitchd{self.count}", [
            VSWITCHD, self.database, f"--unixctl={self.lab.path('vswitchd.ctl')}", "--no-chdir",
            "-vconsole:info", "-vfile:off", "-vsyslog:off"], env=self.env)
        self.daemon.wait_log("DPDK Enabled - initialized", 60)
        check_library(self.daemon)

    def tool(self, *command, timeout_s=30):
        """Runs one of its command line tools; returns what it prints."""
        process = self.lab.spawn(f"tool{len(self.lab.processes)}", command, env=self.env)
        status = process.wait(timeout_s)
        output = process.log().split("\n", 1)[1].strip()
        process.log_path.unlink()
        self.lab.processes.remove(process)
        words = " ".join(str(word) for word in command)
        check(status == 0, f"{words} ended with {status}: {output}")
        return output

    def vsctl(self, *command):
        return self.tool("ovs-vsctl", "--timeout=20", f"--db={self.database}", *command)

    def appctl(self, *command):
        return self.tool("ovs-appctl", "-t", self.lab.path("vswitchd.ctl"), *command)

    def add_bridge(self):
        self.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev")

    def add_port(self, name, kind, path=None):
        command = ["add-port", BRIDGE, name, "--", "set", "Interface", name, f"type={kind}"]
        if path:
            command.append(f"options:vhost-server-path={path}")
        self.vsctl(*command)
        error = self.vsctl("get", "Interface", name, "error").strip('[]"')
        check(not error, f"port {name}: {error}")

    def datapath_hits(self):
        """How many packets the userspace datapath has forwarded by its flow table."""
        text = self.appctl("dpctl/show", "netdev@ovs-netdev")
        found = re.search(r"lookups: hit:(\d+)", text)
        check(found, f"no counters in: {text}")
        return int(found.group(1))

    def stop(self):
        self.appctl("exit", "--cleanup")
        status = self.daemon.wait(30)
        check(status == 0, f"ovs-vswitchd ended with status {status}")


def two_guests(lab, kind):
    """Ports of that kind, a guest on each: ping both ways, a file each way."""
    ovs = OpenVSwitch(lab)
    client = kind == "dpdkvhostuserclient"
    build_guest(note)
    ovs.add_bridge()
    guests = []
    # A server port's socket is named after the port, in OVS_RUNDIR.
    for number, name in enumerate(("vhost-a", "vhost-b"), 1):
        path = lab.path(f"{name}.sock") if client else lab.path(name)
        ovs.add_port(name, kind, path if client else None)
        guests.append(VM(lab, name[-1], path, ip=f"10.0.0.{number}/24", listen=client).start())
    a, b = guests
    note(f"guests are up after {a.wait_ready(90):.1f} s and {b.wait_ready(90):.1f} s")
    for sender, receiver in ((a, b), (b, a)):
        answers = sender.ping(receiver.address, 10)
        check(answers == 10, f"{answers} of 10 pings were answered")
        answers = sender.ping(receiver.address, 5, 8000)
        check(answers == 5, f"{answers} of 5 large pings were answered")
        transfer(sender, receiver)
    # OVS 3.1 has no counters for dpdkvhostuser ports, so those of the datapath.
    hits = ovs.datapath_hits()
    check(hits > 200, f"Open vSwitch has forwarded {hits} packets only")
    note(f"Open vSwitch has forwarded {hits} packets")
    return ovs, a, b


def transfer(sender, receiver):
    seconds, sent, got = fetch_file(sender, receiver, 8)
    check(sent == got, f"the file changed on its way from {sender.name}: {sent}, then {got}")
    note(f"8 MiB from {sender.name} to {receiver.name} in {seconds:.2f} s, checksum {got[:16]}...")


def client_ports(lab):
    """Open vSwitch, dpdkvhostuserclient: two guests, ping, files; again after its restart."""
    ovs, a, b = two_guests(lab, "dpdkvhostuserclient")
    ovs.daemon.stop(30)
    ovs.start()
    wait_for(lambda: a.ping(b.address, 1, timeout_s=6) == 1, 40, "a ping after the restart")
    transfer(a, b)
    transfer(b, a)
    b.kill()
    wait_for(lambda: len(ovs.daemon.guest_mappings()) == 1, 15,
             "the memory of guest b to be unmapped")
    a.stop()
    wait_for(lambda: not ovs.daemon.guest_mappings(), 15, "the memory of guest a to be unmapped")
    check(ovs.daemon.running(), "Open vSwitch has ended")
    ovs.stop()


def server_ports(lab):
    """Open vSwitch, dpdkvhostuser: two guests, ping, files, a reboot, a port removed."""
    ovs, a, b = two_guests(lab, "dpdkvhostuser")
    a.reboot()
    wait_for(lambda: b.ping(a.address, 1, timeout_s=6) == 1, 20, "a ping after the reboot")
    transfer(a, b)
    ovs.vsctl("del-port", BRIDGE, "vhost-b")
    wait_for(lambda: len(ovs.daemon.guest_mappings()) == 1, 15,
             "the memory of guest b to be unmapped")
    check(not lab.path("vhost-b").exists(), "the socket of the removed port is still there")
    a.stop()
    b.kill()
    wait_for(lambda: not ovs.daemon.guest_mappings(), 15, "the memory of guest a to be unmapped")
    ovs.stop()


if __name__ == "__main__":
    run_tests(client_ports, server_ports)
