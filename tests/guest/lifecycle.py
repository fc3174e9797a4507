#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guests and the switch come and go: reboots, crashes, restarts; nothing is left over.

VHOST_NG_SOAK=1 repeats each many times.
"""

import os
import signal
import time

from lab import check, note, run_tests, wait_for
from switch import Footprint, Switch
from vm import VM, build_guest, fetch_file

SOAK = bool(os.environ.get("VHOST_NG_SOAK"))


def start_pair(lab, options="", listen=False, **vm):
    build_guest(note)
    switch = Switch(lab, {"a": options, "b": options})
    footprint = Footprint(switch)
    a = VM(lab, "a", lab.path("a.sock"), ip="10.0.0.1/24", listen=listen, **vm).start()
    b = VM(lab, "b", lab.path("b.sock"), ip="10.0.0.2/24", listen=listen, **vm).start()
    note(f"guests are up after {a.wait_ready():.1f} s and {b.wait_ready():.1f} s")
    return switch, footprint, a, b


def wait_ping(sender, receiver, timeout_s=30):
    """Waits until pings are answered; returns how long that took."""
    start = time.monotonic()
    wait_for(lambda: sender.ping(receiver.address, 1, timeout_s=6) == 1, timeout_s,
             f"an answer from {receiver.name} to {sender.name}")
    answers = sender.ping(receiver.address, 5)
    check(answers == 5, f"{answers} of 5 pings were answered")
    return time.monotonic() - start


def check_transfer(sender, receiver, mebibytes=4):
    _, sent, got = fetch_file(sender, receiver, mebibytes)
    check(sent == got, f"the file changed on its way: {sent}, then {got}")


def wait_flow(switch, port, timeout_s=60):
    """Waits until the switch takes packets from a port, now."""
    before = switch.stats()[port]["in_packets"]
    wait_for(lambda: switch.stats()[port]["in_packets"] > before + 100, timeout_s,
             f"traffic from port {port}", 0.1)


def reboot_loop(lab):
    """A guest reboots again and again, with traffic towards it."""
    rounds = 50 if SOAK else 2
    switch, footprint, a, b = start_pair(lab)
    wait_ping(a, b)
    mappings = len(switch.process.guest_mappings())
    fds = len(switch.process.fds())
    for number in range(rounds):
        b.start_command(f"nettool blast {a.address} 5", "blast")
        wait_flow(switch, "b")
        boot_s = a.reboot()
        b.finish_command("blast")
        note(f"reboot {number + 1} took {boot_s:.1f} s")
        wait_ping(b, a)
        check_transfer(a, b, 1)
        now = len(switch.process.guest_mappings())
        check(now <= mappings, f"{now} guest mappings after a reboot, {mappings} before")
        now = len(switch.process.fds())
        check(now <= fds, f"{now} descriptors after a reboot, {fds} before")
    a.stop()
    b.stop()
    footprint.check_same()
    switch.stop()


def reset_by_the_host(lab):
    """The host resets a guest's machine while it sends at full speed."""
    rounds = 20 if SOAK else 2
    switch, footprint, a, b = start_pair(lab)
    for number in range(rounds):
        a.start_command(f"nettool blast {b.address} 60", "blast")
        wait_flow(switch, "a")
        a.qmp("system_reset")
        a.wait_ready()
        note(f"reset {number + 1}: the guest is back")
        wait_ping(a, b)
    check_transfer(a, b)
    check_transfer(b, a)
    a.stop()
    b.stop()
    footprint.check_same()
    switch.stop()


def driver_reloaded(lab):
    """A guest's driver lets go of the card and takes it again, with traffic towards it."""
    rounds = 100 if SOAK else 4
    switch, footprint, a, b = start_pair(lab)
    wait_ping(a, b)
    fds = len(switch.process.fds())
    device = a.exec("basename $(readlink /sys/class/net/eth0/device)").strip()
    driver = "/sys/bus/virtio/drivers/virtio_net"
    b.start_command(f"nettool blast {a.address} 120", "blast")
    for _ in range(rounds):
        wait_flow(switch, "b")
        a.exec(f"echo {device} > {driver}/unbind && echo {device} > {driver}/bind && "
               f"ip addr add {a.ip} dev eth0 && ip link set eth0 up")
    b.run("killall nettool")
    b.finish_command("blast")
    wait_ping(a, b)
    check_transfer(a, b)
    check_transfer(b, a)
    now = len(switch.process.fds())
    check(now <= fds, f"{now} descriptors after {rounds} reloads, {fds} before")
    a.stop()
    b.stop()
    footprint.check_same()
    switch.stop()


def killed_under_traffic(lab):
    """QEMU is killed while traffic flows both ways; the others go on, a new one takes its place."""
    rounds = 20 if SOAK else 2
    build_guest(note)
    switch = Switch(lab, {"a": "", "b": "", "c": ""})
    footprint = Footprint(switch)
    b = VM(lab, "b", lab.path("b.sock"), ip="10.0.0.2/24").start()
    c = VM(lab, "c", lab.path("c.sock"), ip="10.0.0.3/24").start()
    b.wait_ready()
    c.wait_ready()
    for number in range(rounds):
        a = VM(lab, "a", lab.path("a.sock"), ip="10.0.0.1/24", mac="52:54:00:00:01:01").start()
        a.wait_ready()
        wait_ping(a, b)
        a.start_command(f"nettool blast {b.address} 60", "blast")
        b.start_command(f"nettool blast {a.address} 60", "blast")
        for port in ("a", "b"):
            wait_flow(switch, port)
        # Ends when all are answered; that none is lost does not depend on how long it takes.
        c.start_command(f"ping -q -A -c 200 -w 100 {b.address}", "ping")
        a.kill()
        _, output = c.finish_command("ping", timeout_s=120)
        check("200 packets received" in output, f"the other guests noticed: {output.strip()}")
        check(switch.process.running(), "the switch ended")
        wait_for(lambda: switch.stats()["a"]["state"] == "listening", 60, "port a to be free", 0.2)
        b.run("killall nettool")
        b.finish_command("blast")
        note(f"kill {number + 1}: the others did not notice")
    check_transfer(b, c)
    b.kill()
    c.kill()
    footprint.check_same()
    switch.stop()


def restart_switch(lab, options, listen, end):
    rounds = 10 if SOAK else 2
    switch, _, a, b = start_pair(lab, options, listen)
    wait_ping(a, b)
    check_transfer(a, b)
    for number in range(rounds):
        a.start_command(f"nettool blast {b.address} 60", "blast")
        wait_flow(switch, "a")
        end(switch)
        check(a.ping(b.address, 1, timeout_s=6) == 0, "a ping was answered without a switch")
        switch = switch.restart(lab, name=f"switch{number + 2}")
        start = time.monotonic()
        for port in ("a", "b"):
            switch.wait_up(port)
        wait_flow(switch, "a")
        flowing_s = time.monotonic() - start
        note(f"restart {number + 1}: traffic flows {flowing_s:.1f} s after the start")
        a.run("killall nettool")
        a.finish_command("blast")
        wait_ping(a, b)
        wait_ping(b, a)
        check_transfer(a, b)
        check_transfer(b, a)
    a.stop()
    b.stop()
    wait_for(lambda: not switch.process.guest_mappings(), 60, "the guests' memory to be unmapped")
    switch.stop()


def kill_switch(switch):
    switch.process.popen.send_signal(signal.SIGKILL)
    switch.process.wait(10)


def restart_connecting(lab):
    """The switch, connecting to QEMU, is restarted under running guests; traffic resumes."""
    restart_switch(lab, "client", True, lambda switch: switch.stop())


def crash_connecting(lab):
    """The switch, connecting to QEMU, is killed under traffic and started again."""
    restart_switch(lab, "client", True, kill_switch)


def crash_listening(lab):
    """The switch, listening for QEMU, is killed under traffic and started again."""
    restart_switch(lab, "", False, kill_switch)


if __name__ == "__main__":
    run_tests(reboot_loop, reset_by_the_host, driver_reloaded, killed_under_traffic,
              restart_connecting, crash_connecting, crash_listening)
