#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a test program in a guest that is a host itself, and says what it says.

usage: tests/guest/run.py PROGRAM [ARGUMENT...]

For programs that need what this machine may not have: root, the kernel's vhost_net, tap
interfaces. Their results (TAP) are this program's.
"""

import os
import sys

from inside import Inside, dpdk_plugins
from lab import LIBRARY, Lab, Skip, interrupt_on_sigterm, library_env, note, wait_for
from vm import VM, build_guest

LIMIT_S = 240


class Follower:
    """Says here what comes into a file of the guest."""

    def __init__(self, guest, path, output):
        self.guest = guest
        self.path = path
        self.output = output
        self.said_bytes = 0

    def follow(self):
        news = self.guest.exec(f"tail -c +{self.said_bytes + 1} {self.path}")
        self.said_bytes += len(news.encode())
        self.output.write(news)
        self.output.flush()


def run(lab, program, arguments):
    build_guest(note, programs=[program, LIBRARY, *dpdk_plugins("bus_vdev", "mempool_ring")])
    guest = VM(lab, "host", None, memory_mib=512, cpus=2).start()
    note(f"the guest is up after {guest.wait_ready():.1f} s")
    inside = Inside(lab, guest)
    errors = inside.path("errors")
    process = inside.spawn("program", ["sh", "-c", f'exec "$0" "$@" 2> {errors}', program,
                                       *arguments], env=library_env())
    followers = [Follower(guest, process.log_path, sys.stdout), Follower(guest, errors, sys.stderr)]

    def ended():
        over = not process.running()
        for follower in followers:
            follower.follow()
        return over
    wait_for(ended, LIMIT_S, f"{program} to end in the guest", 0.5)
    return process.status()


def main():
    interrupt_on_sigterm()
    with Lab() as lab:
        return run(lab, os.path.abspath(sys.argv[1]), sys.argv[2:])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        sys.exit(main())
    except Skip as skip:
        print(f"1..0 # SKIP {skip}")
