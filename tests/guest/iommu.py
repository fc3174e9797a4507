#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guests behind a vIOMMU that take back every address after one use (strict mode)."""

from lab import check, note, run_tests
from switch import Footprint, Switch
from traffic import check_transfer, count_features
from vm import VM, build_guest

F_ACCESS_PLATFORM = 33


def faults(guest):
    """What the guest's IOMMU driver was told: accesses to what it does not allow."""
    return [line for line in guest.exec("dmesg").splitlines() if "DMAR" in line and "fault" in line]


def check_ping(sender, receiver, sizes=(56, 1400, 8000), count=10):
    """Nearly all: a packet that comes before its buffer is translated is dropped."""
    for size_bytes in sizes:
        answers = sender.ping(receiver.address, count, size_bytes)
        check(answers >= count - 2, f"{answers} of {count} pings of {size_bytes} bytes were answered")


def strict_mode(lab):
    """Two guests exchange pings and files; not one access where their IOMMU allows none."""
    build_guest(note)
    switch = Switch(lab, {"a": "iommu", "b": "iommu"})
    footprint = Footprint(switch)
    a = VM(lab, "a", lab.path("a.sock"), ip="10.0.0.1/24", iommu=True).start()
    b = VM(lab, "b", lab.path("b.sock"), ip="10.0.0.2/24", iommu=True).start()
    note(f"guests are up after {a.wait_ready():.1f} s and {b.wait_ready():.1f} s")
    for guest in (a, b):
        count_features(guest, present=(F_ACCESS_PLATFORM,))
        check("strict mode" in guest.exec("dmesg | grep 'DMA domain TLB'"),
              f"the IOMMU of guest {guest.name} is not in strict mode")
    check_ping(a, b)
    check_ping(b, a)
    check_transfer(a, b, 8)
    check_transfer(b, a, 4)
    for guest in (a, b):
        check(not faults(guest), f"guest {guest.name}: {faults(guest)[:3]}")
    drops = {name: port["drop_ring_full"] for name, port in switch.stats().items() if name != "switch"}
    note(f"packets dropped because a buffer was not translated yet: {drops}")
    a.reboot()
    check_ping(b, a, sizes=(56,))
    for guest in (a, b):
        guest.stop()
    footprint.check_same()
    switch.stop()


if __name__ == "__main__":
    run_tests(strict_mode)
