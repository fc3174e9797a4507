#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs bench_burst on two or three vhost libraries in turn and prints the ratios per cell.

A is the library that ours is held against (the distribution's), B is ours; C, if there is one, is
A's release built for this machine (-O3 -march=native), named by --c or by the variable
STOCK_NATIVE. Each round of processes runs A, C, B, the next one B, C, A, and so on, so that a
machine that slowly gets faster or slower favours none. The ratio of a cell is the median of the
ratios of its rounds: above 1, ours is faster. The numbers in brackets are the smallest and largest
of those against the better of A and C.

Cycles are TSC cycles per packet, around the burst call only; see rounds.c. The floor is a
hand-written loop that does what no device can leave out, timed in our processes; see floor.c.

In the cells of the second table the guest runs on another core at the same time (cross.c), so that
the lines of rings and packets travel between cores, as with a real guest. They need a second core.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile
import time

from report import Row, cell_name, markdown, sections, svg

SONAME = "librte_vhost.so.23"
MIN_CLEAN_ROUNDS = 9
RETRIES = 3
# More than this between the pairs of a cell: the machine was not quiet.
NOISY = 1.10


class Setup:
    """One process: options that a connection needs, and the cells timed over it."""

    alone = False  # not for the stock library

    def __init__(self, name, args="", sizes="64", dirs="both"):
        self.name = name
        self.args = args.split()
        self.sizes = [int(size) for size in sizes.split(",")]
        self.dirs = ["enq", "deq"] if dirs == "both" else [dirs]
        self.dirs_word = dirs
        self.cross = "--cross" in self.args
        self.floor = not self.cross

    def cells(self):
        for size in self.sizes:
            for direction in self.dirs:
                yield (self.name, direction, size)

    def command(self):
        return (
            ["--label", self.name, "--dir", self.dirs_word]
            + ["--size", ",".join(str(size) for size in self.sizes)]
            + self.args
        )


def packed(setups):
    return [
        Setup("packed-" + s.name, " ".join(["--packed"] + s.args),
              ",".join(str(size) for size in s.sizes), s.dirs_word)
        for s in setups
    ]


CROSS = [Setup("cross", "--cross", sizes="64,1500")]
CROSS += packed(CROSS)

DEFAULT = [Setup("plain", sizes="64,1500")]
DEFAULT += packed(DEFAULT)

FULL = [
    Setup("plain", sizes="64,128,256,512,1024,1500,1518"),
    Setup("9000", sizes="9000"),
    Setup("9000-mrg0", "--mrg 0", sizes="9000"),
    Setup("mrg0", "--mrg 0"),
    Setup("two", "--layout two", sizes="64,1518", dirs="deq"),
    Setup("indirect", "--layout indirect", sizes="64,1518", dirs="deq"),
    Setup("offload-idle", "--offload negotiated"),
    Setup("csum", "--offload csum"),
    Setup("tso", "--offload tso", sizes="1518"),
    Setup("event-idx", "--event-idx"),
    Setup("in-order", "--in-order"),
    Setup("regions-8", "--regions 8"),
    Setup("stats", "--stats"),
    Setup("ring-1024", "--ring 1024"),
    Setup("burst-4", "--burst 4"),
    Setup("burst-1", "--burst 1"),
    Setup("4MiB", "--buffers-mib 4"),
    Setup("64MiB", "--buffers-mib 64", sizes="64,1518"),
    Setup("empty", "--empty"),
]
FULL += packed(FULL)


class Library:
    def __init__(self, letter, directory):
        self.letter = letter
        self.directory = directory
        self.file = os.path.realpath(os.path.join(directory, SONAME))
        if not os.path.exists(self.file):
            sys.exit(f"compare.py: there is no {SONAME} in {directory}")

    def environment(self):
        return dict(os.environ, LD_LIBRARY_PATH=self.directory)


def stock_directory():
    try:
        out = subprocess.run(
            ["pkg-config", "--variable=libdir", "libdpdk"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        out = ""
    candidates = [out] if out else []
    candidates += sorted(glob.glob("/usr/lib/*-linux-gnu")) + ["/usr/lib64", "/usr/local/lib"]
    for directory in candidates:
        if os.path.exists(os.path.join(directory, SONAME)):
            return directory
    return None


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
    else:
        sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def run(command, library, timeout):
    try:
        done = subprocess.run(
            command, env=library.environment(), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=timeout, check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise RuntimeError(f"took longer than {timeout} s") from late
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeError(lines[-1] if lines else f"exit status {done.returncode}")
    return done.stdout


def parse(text, library):
    """Cells of one process, by (label, direction, size)."""
    cells = {}
    for line in text.splitlines():
        words = dict(word.split("=", 1) for word in line.split())
        if words["library"] != library.file:
            sys.exit(f"compare.py: meant to run {library.file}, ran {words['library']}")
        cells[(words["label"], words["dir"], int(words["size"]))] = words
    return cells


class Bench:
    def __init__(self, args, libraries):
        self.args = args
        self.libraries = libraries
        self.failures = {}
        self.floors = {}
        self.tsc_mhz = None
        self.quiet_ticks = {}

    def calibrate(self, cross):
        """The interference probe on a quiet core, with the guest's core at rest or busy."""
        command = [self.args.bench, "--calibrate"] + (["--cross"] if cross else [])
        out = run(command, self.libraries[-1], 60)
        self.quiet_ticks[cross] = out.strip().split("=")[1]

    def sample(self, setup, library):
        """One process; again when the machine was too busy for enough clean rounds."""
        command = [self.args.bench, "--quiet-ticks", self.quiet_ticks[setup.cross]]
        command += ["--rounds", str(self.args.rounds)] + setup.command()
        command += ["--floor"] if library.letter == "B" and setup.floor else []
        for _ in range(RETRIES):
            cells = parse(run(command, library, 120), library)
            if all(int(words["rounds"]) >= MIN_CLEAN_ROUNDS for words in cells.values()):
                break
        for cell, words in cells.items():
            self.tsc_mhz = int(words["tsc_mhz"])
            if words["floor"] != "nan":
                self.floors.setdefault(cell, []).append(float(words["floor"]))
        return {
            cell: float(words["cycles"])
            for cell, words in cells.items()
            if int(words["rounds"]) >= MIN_CLEAN_ROUNDS
        }

    def measure(self, setups):
        samples = {}
        started = time.monotonic()
        steps = len(setups) * self.args.pairs
        for pair in range(self.args.pairs):
            for number, setup in enumerate(setups):
                step = pair * len(setups) + number
                progress(
                    f"[{step + 1}/{steps}] {setup.name}, pair {pair + 1} of {self.args.pairs}, "
                    f"{time.monotonic() - started:.0f} s"
                )
                self.measure_pair(setup, pair, samples)
        if sys.stderr.isatty():
            progress("")
        return samples

    def measure_pair(self, setup, pair, samples):
        got = {}
        for library in self.libraries if pair % 2 == 0 else self.libraries[::-1]:
            if (setup.name, library.letter) in self.failures:
                continue
            if setup.alone and library.letter != "B":
                continue
            try:
                got[library.letter] = self.sample(setup, library)
            except RuntimeError as error:
                self.failures[(setup.name, library.letter)] = str(error)
        for cell in setup.cells():
            samples.setdefault(cell, []).append(
                {letter: cells.get(cell) for letter, cells in got.items()})


def shown(value, width, digits=1):
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"


def print_table(rows, instructions, letters):
    head = f"{'cell':<28}" + "".join(f"{letter:>9}" for letter in letters) + f"{'floor':>8}"
    others = [letter for letter in letters if letter != "B"]
    head += "".join(f"{letter + '/B':>7}" for letter in others)
    head += f"{'best/B':>8}   " + f"{'spread':<15}"
    if instructions:
        head += "".join(f"{letter + ' insn':>9}" for letter in letters)
    print(head)
    noisy = False
    for row in rows:
        text = f"{cell_name(row.cell):<28}"
        text += "".join(shown(row.cycles[letter], 9) for letter in letters) + shown(row.floor, 8)
        text += "".join(shown(row.ratios[letter], 7, 2) for letter in others)
        text += shown(row.better, 8, 2)
        if row.spread:
            low, high = row.spread
            mark = "~" if high > low * NOISY else ""
            noisy = noisy or mark != ""
            text += f"   {f'{low:.2f}..{high:.2f} {mark}':<15}"
        else:
            text += " " * 18
        if instructions:
            text += "".join(shown(instructions.get((row.cell, x)), 9) for x in letters)
        print(text.rstrip())
    if noisy:
        print("~ the rounds differ by more than 10 %: the machine is busy, repeat for certainty")


def count_instructions(args, libraries, setups):
    """Instructions per packet, from callgrind, with the burst calls alone collected."""
    counts = {}
    for setup in setups:
        if setup.cross:  # valgrind runs one thread at a time
            continue
        for cell in setup.cells():
            for library in libraries:
                progress(f"callgrind: {cell_name(cell)}, {library.letter}")
                try:
                    counts[(cell, library.letter)] = callgrind(args, setup, cell, library)
                except RuntimeError as error:
                    progress(f"callgrind: {cell_name(cell)}, {library.letter}: {error}\n")
    if sys.stderr.isatty():
        progress("")
    return counts


def callgrind(args, setup, cell, library):
    _, direction, size = cell
    with tempfile.TemporaryDirectory(prefix="vhost-bench-") as scratch:
        out_file = os.path.join(scratch, "callgrind.out")
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no"]
        command += [f"--callgrind-out-file={out_file}", args.bench, "--quiet-ticks", "1"]
        command += ["--rounds", "8"] + setup.command()
        command += ["--dir", direction, "--size", str(size)]
        words = parse(run(command, library, 300), library)[cell]
        with open(out_file, encoding="ascii", errors="replace") as file:
            found = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.MULTILINE)
        if found is None or int(found.group(1)) == 0:
            raise RuntimeError("nothing was collected (built without valgrind's header?)")
        return int(found.group(1)) / int(words["timed_packets"])


def select(args):
    setups = (FULL if args.full or args.only else DEFAULT) + CROSS
    if args.cross:
        setups = CROSS
    elif args.sizes and not args.only:
        setups = [Setup("plain")]
    if args.only:
        names = args.only.split(",")
        unknown = set(names) - {setup.name for setup in setups}
        if unknown:
            known = ", ".join(setup.name for setup in FULL + CROSS)
            sys.exit(f"compare.py: --only knows {known}; not {', '.join(sorted(unknown))}")
        setups = [setup for setup in setups if setup.name in names]
    if args.sizes:
        setups = [Setup(setup.name, " ".join(setup.args), args.sizes, setup.dirs_word)
                  for setup in setups]
    if args.extra:
        setups = [Setup(setup.name, " ".join(setup.args + args.extra.split()),
                        ",".join(str(size) for size in setup.sizes), setup.dirs_word)
                  for setup in setups]
    return setups


def calibrated(bench, setups):
    """The setups that this machine can do."""
    progress("calibrating")
    for cross in sorted({setup.cross for setup in setups}):
        try:
            bench.calibrate(cross)
        except RuntimeError as error:
            if not cross:
                sys.exit(f"compare.py: {error}")
            print(f"without the guest on another core: {error}")
            setups = [setup for setup in setups if not setup.cross]
    return setups


def add_arguments(parser, program, pairs, rounds):
    """What every comparison needs."""
    build = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build")
    parser.add_argument("--a", metavar="DIR", help="where A lies [the distribution's library]")
    parser.add_argument("--b", metavar="DIR", default=os.path.join(build, "lib"),
                        help="where B lies [build/lib]")
    parser.add_argument("--bench", default=os.path.join(build, "bench", program),
                        help=f"the program [build/bench/{program}]")
    parser.add_argument("--pairs", type=int, default=pairs,
                        help=f"processes of each library [{pairs}]")
    parser.add_argument("--rounds", type=int, default=rounds,
                        help=f"clean rounds a cell [{rounds}]")
    parser.add_argument("--callgrind", action="store_true",
                        help="also count instructions (needs valgrind, slow)")


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "bench_burst", pairs=7, rounds=301)
    parser.add_argument("--c", metavar="DIR", default=os.environ.get("STOCK_NATIVE"),
                        help="where C lies, A's release built for this machine [$STOCK_NATIVE]")
    parser.add_argument("--markdown", metavar="FILE", help="also write the table there")
    parser.add_argument("--svg", metavar="FILE", help="and a picture there")
    parser.add_argument("--full", action="store_true", help="all cells, about half an hour")
    parser.add_argument("--cross", action="store_true",
                        help="only the cells with the guest on another core")
    parser.add_argument("--only", metavar="NAMES", help="of all cells, the setups named")
    parser.add_argument("--sizes", metavar="LIST", help="other packet sizes, comma separated")
    parser.add_argument("--extra", metavar="OPTIONS", help="more options for bench_burst")
    return parser.parse_args()


def open_libraries(args, native=None):
    """A, C if there is a native one, and B."""
    directory = args.a or stock_directory()
    if directory is None:
        sys.exit(f"there is no {SONAME} of the distribution to compare with; use --a DIR")
    if not os.access(args.bench, os.X_OK):
        sys.exit(f"{args.bench} is not built (meson configure build -Dbench=true)")
    libraries = [Library("A", directory)]
    libraries += [Library("C", native)] if native else []
    return libraries + [Library("B", args.b)]


def main():
    args = parse_args()
    libraries = open_libraries(args, args.c)
    setups = select(args)
    for library in libraries:
        print(f"{library.letter}: {library.file}")
    bench = Bench(args, libraries)
    setups = calibrated(bench, setups)
    samples = bench.measure(setups)
    instructions = count_instructions(args, libraries, setups) if args.callgrind else {}
    rows = [Row(cell, found, bench.floors.get(cell, [])) for cell, found in samples.items()]
    print("TSC cycles per packet (per call when empty), median of processes; above 1, B is faster")
    for title, part in sections(rows):
        print(f"\n{title}")
        print_table(part, instructions, [library.letter for library in libraries])
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name, make in ((args.markdown, markdown), (args.svg, svg)):
        if name:
            with open(name, "w", encoding="utf-8") as file:
                file.write(make(rows, root))
    for (name, letter), error in bench.failures.items():
        print(f"{name}: {letter} failed: {error}")
    return 1 if any(letter == "B" for _, letter in bench.failures) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
