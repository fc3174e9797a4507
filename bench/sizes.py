#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The sizes in bytes of what runs for each burst, by instruction set and ring format.

A row is one build of the bursts (net/bursts.c) and of the copies (copy/exec.c) for one format, as
`nm` finds them in the static libraries of the build directory: what a first-level instruction cache
has to hold while one queue pair is served. Beside the sum stand the two public functions in front
of the bursts, which all share, and what is called only for packets out of the ordinary and lies
elsewhere (whichever format it is for). Parts that the compiler moved away because they hardly ever
run (.cold) do not count.
"""

import argparse
import glob
import os
import subprocess
import sys

LIMIT_BYTES = 8192
FORMATS = ("split", "packed")
ENTRIES = ("rte_vhost_enqueue_burst", "rte_vhost_dequeue_burst")
UNUSUAL = ("enqueue_any", "dequeue_any")


def functions(archive):
    """Sizes by name. A name that is there twice is not one of those looked for."""
    out = subprocess.run(["nm", "-S", "--defined-only", archive], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    sizes = {}
    for line in out.splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tT":
            sizes[words[3]] = int(words[1], 16)
    return sizes


def rows(directory):
    """(isa, format, enqueue, dequeue, plan, entries, unusual) for each build."""
    shared = {}
    for name in ("core", "eal"):
        shared.update(functions(os.path.join(directory, f"libvhost_{name}.a")))
    for archive in sorted(glob.glob(os.path.join(directory, "libvhost_bursts_*.a"))):
        isa = os.path.basename(archive)[len("libvhost_bursts_"):-len(".a")]
        # The baseline's copies are in the core.
        sizes = {**shared, **functions(archive)}
        for ring in FORMATS:
            yield (isa, ring, sizes[f"enqueue_{ring}"], sizes[f"dequeue_{ring}"],
                   sizes[f"copy_segs_{isa}"], sum(sizes[name] for name in ENTRIES),
                   sum(sizes.get(name, 0) for name in UNUSUAL))


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default=os.path.join(root, "build"),
                        help="the build directory [build]")
    args = parser.parse_args()
    try:
        found = list(rows(os.path.join(args.build, "lib")))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"sizes.py: {error}")
    except KeyError as error:
        sys.exit(f"sizes.py: there is no function {error} in {args.build}/lib")
    if not found:
        sys.exit(f"sizes.py: {args.build} holds no static libraries of the bursts")
    print("| code, bytes | enqueue burst | dequeue burst | plan execution | sum "
          f"| of {LIMIT_BYTES} | public functions | other packets |")
    print("|---|" + "--:|" * 7)
    for isa, ring, enqueue, dequeue, plan, entries, unusual in found:
        total = enqueue + dequeue + plan
        print(f"| {isa} {ring} | {enqueue} | {dequeue} | {plan} | {total} "
              f"| {100 * total / LIMIT_BYTES:.0f} %{' (more)' if total > LIMIT_BYTES else ''} "
              f"| {entries} | {unusual} |")


if __name__ == "__main__":
    main()
