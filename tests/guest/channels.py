#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guests take their second queue pair out of use and back (`ethtool -L`) under traffic."""

from lab import check, note, run_tests, wait_for
from traffic import finish, start_pair

ROUNDS = 10
PORT = 7000
FILE_MIB = 4


def summary(output):
    """Pings sent and answered."""
    line = [line for line in output.splitlines() if "packets transmitted" in line][0]
    return tuple(int(word.split()[0]) for word in line.split(",")[:2])


def set_channels(switch, guest, count):
    now = guest.exec(f"nettool channels eth0 {count} && nettool offloads eth0")
    check(f"channels {count} of 2" in now, f"guest {guest.name} does not use {count} channels")
    # What vring_state_changed() told it.
    wait_for(lambda: switch.stats()[guest.name]["pairs"] == count, 10,
             f"the switch to serve {count} queue pairs", 0.02)


def under_traffic(lab):
    """The second queue pair goes and comes ten times under traffic, on split and packed rings."""
    switch, footprint, a, b = start_pair(lab, "queues=2", {"queues": 2},
                                         {"queues": 2, "device": {"packed": "on"}})
    ups = switch.process.log().count(": up,")
    a.exec(f"dd if=/dev/urandom of=/tmp/file bs=1M count={FILE_MIB} 2>/dev/null")
    wanted = a.exec("sha256sum < /tmp/file").split()[0]
    # From each virtual CPU, so that both of the guest's queues have something to send.
    for cpu in (0, 1):
        a.exec(f"taskset {1 + cpu} nettool serve {PORT + cpu} /tmp/file")
        a.start_command(f"exec taskset {1 + cpu} ping -q -A {b.address}", f"ping{cpu}")
        b.start_command(f"while [ ! -e /tmp/end ]; do nettool fetch {a.address} {PORT + cpu} "
                        f"/tmp/got{cpu} && sha256sum < /tmp/got{cpu}; done", f"fetch{cpu}")
    for _ in range(ROUNDS):
        for count in (1, 2):
            set_channels(switch, a, count)
            set_channels(switch, b, count)
            answers = a.ping(b.address, 3)
            check(answers == 3, f"{answers} of 3 pings were answered with {count} channels")
    b.exec("touch /tmp/end")
    for cpu in (0, 1):
        status, output = b.finish_command(f"fetch{cpu}", 60)
        sums = [line.split()[0] for line in output.splitlines() if line.endswith("-")]
        check(status == 0 and len(sums) > 0 and set(sums) == {wanted},
              f"files changed on their way, or did not arrive: {output}")
        note(f"{len(sums)} files of {FILE_MIB} MiB arrived")
    a.exec("killall -INT ping")
    for cpu in (0, 1):
        _, output = a.finish_command(f"ping{cpu}")
        sent, received = summary(output)
        note(f"{received} of {sent} pings were answered meanwhile")
        # Each time a queue goes, what a guest still put in there, or the switch, goes with it.
        check(sent > 100 and received >= sent - 2 * ROUNDS - 1, f"pings were lost: {output}")
    a.exec("killall nettool")
    check(switch.process.log().count(": up,") == ups, "the port went down and up")
    finish(switch, footprint, a, b)


if __name__ == "__main__":
    run_tests(under_traffic)
