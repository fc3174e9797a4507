#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Memory is plugged into a guest and taken out while it sends: no packet is lost."""

from lab import check, note, run_tests, wait_for
from lifecycle import check_transfer, start_pair, wait_ping

DIMM_MIB = 128  # what Linux takes into use at once on x86


def memory_kib(guest):
    return int(guest.exec("grep MemTotal /proc/meminfo").split()[1])


def online(guest):
    """Has the guest use what was plugged in; False if its kernel cannot."""
    guest.run("for block in /sys/devices/system/memory/memory*/state; do "
              "grep -q offline $block && echo online > $block; done")
    return memory_kib(guest)


def memory_blocks(guest):
    return int(guest.exec("ls -d /sys/devices/system/memory/memory* | wc -l"))


def wait_blocks(guest, count):
    """A guest that has not seen memory come would never see that it is to go.

    QEMU's ACPI code looks for a module's request to go only where no arrival is
    pending, and is not run again.
    """
    wait_for(lambda: memory_blocks(guest) == count, 20,
             f"guest {guest.name} to see {count} blocks of memory")


def mappings(switch):
    return len(switch.process.guest_mappings())


def wait_mappings(switch, count, what):
    wait_for(lambda: mappings(switch) == count, 20,
             f"{count} mappings of guest memory {what}, there are {mappings(switch)}")


def plugged_under_traffic(lab, queues):
    """`queues` queue pairs: the frontend may say all of it once for each."""
    switch, footprint, a, b = start_pair(lab, f"queues={queues}", queues=queues, dimms=4)
    wait_ping(a, b)
    before = mappings(switch)
    ups = switch.process.log().count(": up,")
    kib, blocks = memory_kib(a), memory_blocks(a)
    a.start_command(f"exec ping -q -A {b.address}", "ping")
    for number in range(3):
        a.plug_memory(f"dimm{number}", DIMM_MIB)
        wait_mappings(switch, before + 1 + number, "after one was plugged in")
        wait_blocks(a, blocks + 1 + number)
        if number == 0:
            now_kib = online(a)
            note(f"guest {a.name} has {kib} KiB, with the first module {now_kib} KiB")
    for number in (2, 1):
        a.unplug_memory(f"dimm{number}")
        wait_mappings(switch, before + number, "after one was taken out")
        wait_blocks(a, blocks + number)
    # Out of the new memory, too: this is more than there was before.
    check_transfer(b, a, 16)
    a.exec("killall -INT ping")
    status, output = a.finish_command("ping")
    summary = [line for line in output.splitlines() if "packets" in line][0]
    sent, received = (int(word.split()[0]) for word in summary.split(",")[:2])
    note(f"{summary} while memory came and went")
    # The answer to the last one may not have been there yet.
    check(status == 0 and sent > 100 and received >= sent - 1, f"pings were lost: {output}")
    check(switch.process.log().count(": up,") == ups, "the port went down and up")
    # The guest's next kernel has it all from the start, the frontend says nothing new.
    a.reboot()
    wait_ping(b, a)
    check_transfer(a, b, 4)
    check(mappings(switch) == before + 1, f"{mappings(switch)} mappings after a reboot")
    a.stop()
    b.stop()
    footprint.check_same()
    switch.stop()


def one_pair(lab):
    """Memory is plugged into a guest and taken out while it pings."""
    plugged_under_traffic(lab, 1)


def two_pairs(lab):
    """The same with two queue pairs."""
    plugged_under_traffic(lab, 2)


if __name__ == "__main__":
    run_tests(one_pair, two_pairs)
