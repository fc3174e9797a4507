#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guests whose device is a relay to a switch: served, moved to another switch under ping, migrated."""

import os
import subprocess

from lab import BUILD, check, library_env, note, run_tests, wait_for
from lifecycle import check_transfer, wait_flow, wait_ping
from migration import Peer, fill_memory, move, read_rest, receive_unread
from switch import Footprint, Switch
from vm import VM, build_guest

VDPA = BUILD / "examples" / "vdpa"
PINGS = 2000
VIRTIO_F_RING_PACKED = 34


class Relays:
    """One process with a relay for each guest: of port a of a switch for guest a, and so on."""

    def __init__(self, lab, guests, switch):
        self.lab = lab
        self.guests = guests
        argv = [VDPA, "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-l", "0", "-m", "64",
                f"--file-prefix=relay{os.getpid()}"]
        for guest in guests:
            argv.append(f"--vdev=vdpa_relay_{guest},socket={self.backend(guest, switch)}")
        argv.append("--")
        for guest in guests:
            argv += [lab.path(f"{guest}.sock"), f"vdpa_relay_{guest}"]
        self.process = lab.spawn("vdpa", argv, env=library_env(), stdin=subprocess.PIPE)
        self.process.wait_log(f"device vdpa_relay_{guests[-1]}", 30)

    def backend(self, guest, switch):
        return self.lab.path(f"{guest}{switch}.sock")

    def move(self, guest, switch, expected="moved"):
        start = len(self.process.log())
        self.process.send(f"move vdpa_relay_{guest} {self.backend(guest, switch)}\n")
        self.process.wait_log(f"\n{expected}\n", 20, start)

    def stop(self):
        self.process.end_input()
        check(self.process.wait(20) == 0, "the relays' process ended badly")


def start_switch(lab, number, options=""):
    return Switch(lab, {f"a{number}": options, f"b{number}": options}, name=f"switch{number}")


def start(lab, **vm):
    build_guest(note)
    switch = start_switch(lab, 1)
    footprint = Footprint(switch)
    relays = Relays(lab, "ab", 1)
    a = VM(lab, "a", lab.path("a.sock"), ip="10.0.0.1/24", **vm).start()
    b = VM(lab, "b", lab.path("b.sock"), ip="10.0.0.2/24", **vm).start()
    note(f"guests are up after {a.wait_ready():.1f} s and {b.wait_ready():.1f} s")
    wait_ping(a, b)
    return switch, footprint, relays, a, b


def end(relays, a, b):
    a.stop()
    b.stop()
    relays.stop()


def packets_in(switch, port):
    return switch.stats()[port]["in_packets"]


def ping_under_moves(a, b, relays, switches):
    """Returns how many of PINGS were lost."""
    a.start_command(f"exec ping -i 0.005 -c {PINGS} -q {b.address}", "ping")
    for number in (2, 1, 2):
        before = packets_in(switches[number], f"a{number}")
        for guest in "ab":
            relays.move(guest, number)
        # Traffic is at the new one before the next move.
        wait_for(lambda: packets_in(switches[number], f"a{number}") > before + 100, 30,
                 f"pings through switch {number}", 0.05)
    status, output = a.finish_command("ping", 60)
    check(status == 0, f"ping ended with {status}: {output}")
    return PINGS - next(int(line.split(",")[1].split()[0]) for line in output.splitlines()
                        if "packets received" in line)


def fetch_under_moves(a, b, relays):
    a.exec("dd if=/dev/urandom of=/tmp/served bs=1M count=24 2>/dev/null", 60)
    sent = a.exec("sha256sum < /tmp/served", 60).split()[0]
    a.exec("nettool serve 7000 /tmp/served")
    b.start_command(f"nettool fetch {a.address} 7000 /tmp/file", "fetch")
    for number in (1, 2, 1, 2):
        for guest in "ab":
            relays.move(guest, number)
    status, output = b.finish_command("fetch", 120)
    check(status == 0, f"the transfer ended with {status}: {output}")
    got = b.exec("sha256sum < /tmp/file", 60).split()[0]
    check(sent == got, f"the file changed on its way: {sent}, then {got}")


def moved(lab):
    """Two guests move between switches under ping and under a transfer; nothing is left over"""
    one, footprint, relays, a, b = start(lab)
    one.wait_up("a1")
    check_transfer(a, b, 8)
    switches = {1: one, 2: start_switch(lab, 2)}
    lost = ping_under_moves(a, b, relays, switches)
    note(f"6 moves under {PINGS} pings, 5 ms apart: {lost} pings lost")
    # While one guest is at one switch and its peer at the other nobody hears anybody.
    check(lost < PINGS / 4, f"{lost} of {PINGS} pings were lost")
    fetch_under_moves(a, b, relays)
    end(relays, a, b)
    footprint.check_same()
    for switch in switches.values():
        switch.stop()


def check_packed(vm, device):
    check((VIRTIO_F_RING_PACKED in vm.features()) == ("packed" in device), "not the rings asked for")


def die(lab, device):
    switch, _, relays, a, b = start(lab, device=device)
    check_packed(a, device)
    relays.move("a", 3, expected="not moved")
    wait_ping(a, b)
    for number in (2, 3):
        a.start_command(f"nettool blast {b.address} 60", "blast")
        wait_flow(switch, "a1")
        switch.process.kill()
        switch = switch.restart(lab, name=f"switch1-{number}")
        wait_flow(switch, "a1")
        a.run("killall nettool")
        a.finish_command("blast")
        wait_ping(a, b, 60)
        check_transfer(a, b)
    a.reboot()
    wait_ping(a, b)
    b.kill()
    b = VM(lab, "b", b.path, ip=b.ip, mac=b.mac, device=device).start()
    b.wait_ready()
    wait_ping(a, b)
    end(relays, a, b)


def backends_and_guests_die(lab):
    """Under load a backend is killed and started again; guests reboot and crash"""
    die(lab, {})


def backends_and_packed_guests_die(lab):
    """The same with packed rings: what the backend wrote down goes to the next one"""
    die(lab, {"packed": "on"})


def migrate(lab, device):
    """From one relay to another, and between two backends in the midst of it."""
    build_guest(note)
    switch = Switch(lab, {"here1": "", "here2": "", "there1": "", "peer": ""}, name="switch1")
    footprint = Footprint(switch)
    relays = Relays(lab, ["here", "there"], 1)
    peer = Peer(lab)
    vm = VM(lab, "m0", lab.path("here.sock"), ip="10.0.0.1/24", device=device, movable=True).start()
    note(f"guests are up after {vm.wait_ready():.1f} s and {peer.vm.wait_ready():.1f} s")
    check_packed(vm, device)
    wait_ping(peer.vm, vm)
    peer.serve()
    checksum = fill_memory(vm)

    def precopy(vm, there, peer):
        vm.migrate_start(there)
        relays.move("here", 2)
        # What only the backend writes, after all of memory was copied once.
        waiting = receive_unread(vm, peer)
        check(vm.migration().get("status") == "active", "the copy ended too early")
        result = vm.migrate_finish(there)
        read_rest(there, peer)
        return result, waiting

    vm, outage_s = move(vm, peer, "m1", "there", precopy)
    note(f"no answer for {outage_s:.2f} s")
    got = vm.exec("sha256sum < /tmp/still", 60).split()[0]
    check(got == checksum, f"memory changed on its way: {checksum}, then {got}")
    wait_ping(peer.vm, vm)
    for guest in (vm, peer.vm):
        guest.stop()
    relays.stop()
    footprint.check_same()
    switch.stop()


def migrated(lab):
    """A guest with split rings migrates from relay to relay under load; its memory is intact"""
    migrate(lab, {})


def migrated_packed(lab):
    """A guest with packed rings migrates from relay to relay under load; its memory is intact"""
    migrate(lab, {"packed": "on"})


if __name__ == "__main__":
    run_tests(moved, backends_and_guests_die, backends_and_packed_guests_die, migrated,
              migrated_packed)
