#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Copies by another core: cycles per packet of the core that polls, with and without.

Processes without an engine and with one alternate. A row is the median of the processes of each
and of the ratios of the pairs (above 1, the engine saves cycles of this core), with the smallest
and the largest. Below the engine's threshold the core copies by itself; the ratio is what the
channel costs.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CELL = re.compile(r"dir=(\S+) size=(\d+) cycles=(\S+)")
ENGINES = ("none", "helper")
SETUPS = [("split", []), ("split mrg0", ["--mrg", "0"]),
          ("packed", ["--packed"]), ("packed mrg0", ["--packed", "--mrg", "0"])]


def sample(args, engine, options):
    """Cycles by (direction, size), of one process."""
    command = [os.path.join(args.build, "bench", "bench_engines"), "--engine", engine,
               "--size", args.sizes, "--data-room", "9216", "--rounds", str(args.rounds),
               "--quiet-ticks", args.quiet_ticks] + options
    env = {**os.environ, "LD_LIBRARY_PATH": os.path.join(args.build, "lib")}
    found = subprocess.run(command, env=env, timeout=300, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, check=False)
    if found.returncode != 0:
        sys.exit(f"engines.py: {found.stderr.strip()}")
    return {(where, int(size)): float(cycles)
            for where, size, cycles in CELL.findall(found.stdout)}


def rows(args, options):
    samples = {engine: [] for engine in ENGINES}
    for pair in range(args.pairs):
        for engine in ENGINES if pair % 2 == 0 else ENGINES[::-1]:
            samples[engine].append(sample(args, engine, options))
    for cell in sorted(samples["none"][0]):
        alone, engine = ([found[cell] for found in samples[name]] for name in ENGINES)
        yield cell, alone, engine, [a / b for a, b in zip(alone, engine)]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"),
                        help="the build directory [build]")
    parser.add_argument("--pairs", type=int, default=5, help="processes of each [5]")
    parser.add_argument("--rounds", type=int, default=101, help="rounds of a cell [101]")
    parser.add_argument("--sizes", default="64,512,1024,1500,2048,4096,9000",
                        help="packet bytes [64 to 9000]")
    parser.add_argument("--quiet-ticks", default="100000",
                        help="what the interference probe takes [so much that no round is dropped]")
    args = parser.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        print("copies by another core: not measured, there is no other core")
        return
    print("| cell | this core copies | another core copies | ratio | spread |")
    print("|---|--:|--:|--:|---|")
    for name, options in SETUPS:
        for (where, size), alone, engine, ratios in rows(args, options):
            print(f"| {name} {where} {size} | {statistics.median(alone):.1f} "
                  f"| {statistics.median(engine):.1f} | {statistics.median(ratios):.2f} "
                  f"| {min(ratios):.2f} to {max(ratios):.2f} |", flush=True)


if __name__ == "__main__":
    main()
