#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Virtio-crypto, AES-128-CBC: runs bench_crypto on two vhost libraries in turn, prints the ratios.

A is the distribution's library, B is ours; they alternate as in compare.py, and ratio and spread
mean the same. Cycles are TSC cycles per request: of the library, which is the call that fetches
requests and the one that finalizes them; and of the whole loop with the cryptodev on the same core,
which gives requests per second.

Some rows are of ours alone: packed rings, descriptors in the ring itself, and more than 2176 bytes,
which the stock library does not encipher. With a MAC as well it takes 4080 bytes, but not 4096.
"""

import argparse
import os
import sys

from compare import Bench, Setup, add_arguments, calibrated, callgrind, open_libraries, progress
from report import Row, provenance

MODES = {"copy": "copy", "zero": "zero copy"}
# What a line of bench_crypto is about: a call, both calls, all that the core does.
PARTS = ("-fetch", "-finalize", "", "-loop")


class CryptoSetup(Setup):
    """A connection, and the cells of both modes over it, each in parts."""

    def __init__(self, name, args="", sizes="64", alone=False):
        super().__init__(name, args, sizes)
        self.dirs = [mode + part for mode in MODES for part in PARTS]
        self.alone = alone
        self.floor = False


SETUPS = [
    CryptoSetup("split", sizes="64,256,1024,2048"),
    CryptoSetup("large", sizes="4096", alone=True),
    CryptoSetup("chain", "--service chain", sizes="64,4080"),
    CryptoSetup("direct", "--layout direct", sizes="64,2048", alone=True),
    CryptoSetup("packed", "--packed", sizes="64,256,1024,2048,4096", alone=True),
    CryptoSetup("packed-direct", "--packed --layout direct", sizes="64,2048", alone=True),
]
# As the table says it.
NAMES = {
    "large": "split", "chain": "split, and a MAC,", "direct": "split direct",
    "packed-direct": "packed direct",
}


def cell_name(cell):
    name, mode, size = cell
    return f"{NAMES.get(name, name)} {MODES[mode]} {size}"


def whole_cells(cells):
    """Those of both calls, in the order of the table."""
    cells = [cell for cell in cells if cell[1] in MODES]
    names = [NAMES.get(setup.name, setup.name) for setup in SETUPS]
    place = {setup.name: names.index(NAMES.get(setup.name, setup.name)) for setup in SETUPS}
    return sorted(cells, key=lambda cell: (place[cell[0]], cell[1], cell[2]))


class Request:
    """A row of the table: the cells of all parts of one kind of request."""

    def __init__(self, cell, samples):
        name, mode, size = self.cell = cell
        cells = {part: (name, mode + part, size) for part in PARTS}
        self.parts = {part: Row(at, samples[at], []) for part, at in cells.items()}

    def cycles(self, letter):
        both, fetch, finalize = (self.parts[part].cycles[letter]
                                 for part in ("", "-fetch", "-finalize"))
        return "-" if both is None else f"{both:.0f} ({fetch:.0f} + {finalize:.0f})"

    def millions(self, letter, mhz):
        cycles = self.parts["-loop"].cycles[letter]
        return "-" if cycles is None else f"{mhz / cycles:.2f}"

    def ratio(self, part):
        row = self.parts[part]
        if row.spread is None:
            return ["-", "-"]
        return [f"{row.ratios['A']:.2f}", f"{row.spread[0]:.2f} to {row.spread[1]:.2f}"]

    def words(self, mhz):
        words = [cell_name(self.cell), self.cycles("A"), self.cycles("B")]
        words += self.ratio("") + [self.millions("A", mhz), self.millions("B", mhz)]
        return words + self.ratio("-loop")


def table(samples, mhz):
    head = ["request", "stock, cycles (fetch + finalize)", "ours", "stock / ours", "spread",
            "stock, M requests/s", "ours", "ours / stock", "spread"]
    lines = [head, ["---"] + ["--:"] * (len(head) - 1)]
    lines += [Request(cell, samples).words(mhz) for cell in whole_cells(samples)]
    return "\n".join("| " + " | ".join(words) + " |" for words in lines)


def count_instructions(args, libraries, setups):
    """Instructions per request of both calls, from callgrind."""
    lines = ["| request | stock, instructions | ours |", "|---|--:|--:|"]
    for setup in setups:
        for cell in whole_cells(setup.cells()):
            counts = []
            for library in libraries:
                skip = setup.alone and library.letter != "B"
                progress(f"callgrind: {cell_name(cell)}, {library.letter}")
                counts.append("-" if skip else f"{callgrind(args, setup, cell, library):.0f}")
            lines.append("| " + " | ".join([cell_name(cell)] + counts) + " |")
    return "\n".join(lines)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "bench_crypto", pairs=5, rounds=201)
    parser.add_argument("--cryptodev", default="crypto_aesni_mb",
                        help="a virtual cryptodev, such as crypto_openssl [crypto_aesni_mb]")
    return parser.parse_args()


def main():
    args = parse_args()
    libraries = open_libraries(args)
    for setup in SETUPS:
        setup.args += ["--cryptodev", args.cryptodev]
    bench = Bench(args, libraries)
    samples = bench.measure(calibrated(bench, SETUPS))
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    print(f"AES-128-CBC, {args.cryptodev}. {provenance(root)}.\n")
    print(table(samples, bench.tsc_mhz))
    if args.callgrind:
        print("\n" + count_instructions(args, libraries, SETUPS))
    for (name, letter), error in bench.failures.items():
        print(f"{name}: {letter} failed: {error}")
    return 1 if bench.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
