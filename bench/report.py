# SPDX-License-Identifier: BSD-3-Clause
"""What compare.py measured, as a Markdown table and as an SVG picture. Standard library only."""

import datetime
import html
import math
import platform
import statistics
import subprocess

NAMES = {"A": "stock", "C": "native", "B": "ours"}
COLOURS = {"A": "#8c8c8c", "C": "#4477aa", "B": "#cc6633", "floor": "#228833"}
SANS = 'font-family="sans-serif" font-size="11"'


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def cell_name(cell):
    name, direction, size = cell
    packed = name.startswith("packed-")
    rest = name.removeprefix("packed-")
    words = ["packed" if packed else "split", direction, str(size)]
    return " ".join(words + ([] if rest == "plain" else [rest]))


def sections(rows):
    """The cells by where the guest runs, those that there are, under a title."""
    cross = [row for row in rows if row.cell[0].removeprefix("packed-") == "cross"]
    titles = ("guest between the bursts, on the same core", "guest on another core, spinning")
    parts = ([row for row in rows if row not in cross], cross)
    return [(title, part) for title, part in zip(titles, parts) if part]


class Row:
    """A cell: medians by letter, and the ratio of each other library to ours, pair by pair."""

    def __init__(self, cell, samples, floors):
        self.cell = cell
        self.cycles = {letter: median([s.get(letter) for s in samples]) for letter in NAMES}
        self.floor = median(floors)
        self.pairs = {
            letter: [s[letter] / s["B"] for s in samples if s.get(letter) and s.get("B")]
            for letter in "AC"
        }
        others = [letter for letter in "AC" if self.pairs[letter]]
        better = [
            min(s[letter] for letter in others) / s["B"]
            for s in samples
            if others and s.get("B") and all(s.get(letter) for letter in others)
        ]
        self.ratios = {letter: median(self.pairs[letter]) for letter in "AC"}
        self.better = median(better)
        self.spread = (min(better), max(better)) if better else None


def shown(value, digits=1):
    return "-" if value is None else f"{value:.{digits}f}"


def machine():
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    model = line.split(":", 1)[1].strip()
                    break
    except OSError:
        pass
    return model


def commit(root):
    try:
        return subprocess.run(
            ["git", "-C", root, "describe", "--always", "--dirty"],
            check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def provenance(root):
    return f"{machine()}, {datetime.date.today()}, commit {commit(root)}"


def markdown(rows, root):
    """The table; a column for the native build only where there is one."""
    native = any(row.cycles["C"] is not None for row in rows)
    head = ["cell", "stock"] + (["native"] if native else []) + ["ours", "floor", "stock / ours"]
    head += ["native / ours", "better / ours"] if native else []
    head += ["spread"]
    lines = [
        provenance(root) + ". TSC cycles per packet (per call when empty), medians of processes.",
    ]
    for title, part in sections(rows):
        lines += ["", title[0].upper() + title[1:] + ":", ""]
        lines += ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
        lines += table_lines(part, native)
    return "\n".join(lines) + "\n"


def table_lines(rows, native):
    lines = []
    for row in rows:
        words = [cell_name(row.cell), shown(row.cycles["A"])]
        words += [shown(row.cycles["C"])] if native else []
        words += [shown(row.cycles["B"]), shown(row.floor), shown(row.ratios["A"], 2)]
        words += [shown(row.ratios["C"], 2), shown(row.better, 2)] if native else []
        words += [f"{row.spread[0]:.2f} to {row.spread[1]:.2f}" if row.spread else "-"]
        lines.append("| " + " | ".join(words) + " |")
    return lines


def text(x, y, words, anchor="start", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {SANS} {extra}>'
            f"{html.escape(words)}</text>")


def line(x1, y1, x2, y2, colour, extra=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" {extra}/>')


def bars(rows, left, top, width):
    """A bar a cell: how many times faster than the better of the others. Returns svg, height."""
    rows = [row for row in rows if row.better is not None]
    longest = max([row.better for row in rows] + [2.0])
    step, label = 16, 170
    scale = (width - label - 40) / longest
    zero = left + label
    out = [text(left, top, "times faster than the better of stock and native", extra=
                'font-weight="bold"')]
    bottom = top + 14 + step * len(rows)
    tick = 1 if longest <= 8 else math.ceil(longest / 8)
    for mark in range(0, int(longest) + 1, tick):
        x = zero + mark * scale
        out.append(line(x, top + 10, x, bottom, "#dddddd"))
        out.append(text(x, bottom + 12, str(mark), "middle"))
    for number, row in enumerate(rows):
        y = top + 14 + number * step
        colour = COLOURS["B"] if row.better >= 1 else "#aa3377"
        out.append(text(zero - 6, y + 10, cell_name(row.cell), "end"))
        out.append(f'<rect x="{zero:.1f}" y="{y:.1f}" width="{row.better * scale:.1f}" '
                   f'height="{step - 4}" fill="{colour}"/>')
        out.append(line(zero + row.spread[0] * scale, y + 6, zero + row.spread[1] * scale, y + 6,
                        "#333333"))
        out.append(text(zero + max(row.better, row.spread[1]) * scale + 4, y + 10,
                        f"{row.better:.2f}"))
    x = zero + scale
    out.append(line(x, top + 10, x, bottom, "#333333", 'stroke-dasharray="4 3"'))
    return out, bottom + 24 - top


def curve(rows, title, left, top, width, height):
    """Cycles over packet size, both logarithmic: the libraries, and the floor dashed."""
    series = {letter: [(row.cell[2], row.cycles[letter]) for row in rows] for letter in NAMES}
    series["floor"] = [(row.cell[2], row.floor) for row in rows]
    series = {k: [(x, y) for x, y in v if y] for k, v in series.items()}
    points = [point for values in series.values() for point in values]
    out = [text(left, top, title, extra='font-weight="bold"')]
    if len({x for x, _ in points}) < 2:
        return []
    x0, x1 = min(x for x, _ in points), max(x for x, _ in points)
    y0 = 2 ** math.floor(math.log2(min(y for _, y in points)))
    y1 = 2 ** math.ceil(math.log2(max(y for _, y in points)))
    y1 = y1 if y1 > y0 else 2 * y0
    pad, base = 36, top + height - 24

    def place(x, y):
        return (left + pad + (width - pad - 60) * math.log(x / x0) / math.log(x1 / x0),
                base - (base - top - 12) * math.log(y / y0) / math.log(y1 / y0))

    mark = y0
    while mark <= y1:
        y = place(x0, mark)[1]
        out.append(line(left + pad, y, left + width - 60, y, "#dddddd"))
        out.append(text(left + pad - 4, y + 4, f"{mark:g}", "end"))
        mark *= 2
    shown_at = -100
    for size in sorted({x for x, _ in points}):
        x = place(size, y0)[0]
        if x - shown_at > 28:
            out.append(text(x, base + 14, str(size), "middle"))
            shown_at = x
    for name, values in series.items():
        if not values:
            continue
        dash = 'stroke-dasharray="5 3"' if name == "floor" else ""
        where = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*p) for p in sorted(values)))
        out.append(f'<polyline points="{where}" fill="none" stroke="{COLOURS[name]}" '
                   f'stroke-width="2" {dash}/>')
    return out


def legend(left, top):
    out = []
    for number, (key, name) in enumerate({**NAMES, "floor": "floor"}.items()):
        x = left + number * 90
        dash = 'stroke-dasharray="5 3"' if key == "floor" else ""
        out.append(line(x, top - 4, x + 24, top - 4, COLOURS[key], f'stroke-width="2" {dash}'))
        out.append(text(x + 30, top, name))
    return out


def svg(rows, root):
    width, panel = 900, 230
    out = [text(20, 24, provenance(root))]
    by_name = {}
    for row in rows:
        by_name.setdefault((row.cell[0], row.cell[1]), []).append(row)
    top, column = 76, 0
    for name, word in (("plain", "split"), ("packed-plain", "packed")):
        for direction in ("enq", "deq"):
            drawn = curve(by_name.get((name, direction), []),
                          f"cycles per packet over bytes, {word} {direction}",
                          20 + column * width / 2, top, width / 2, panel)
            if drawn:
                out += drawn
                top, column = (top, 1) if column == 0 else (top + panel + 12, 0)
    if top > 76 or column:
        out += legend(20, 50)
        top += (panel + 12) * column
    drawn, height = bars(rows, 20, top + 8, width - 40)
    out += drawn
    total = top + height + 20
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total:.0f}" '
            f'viewBox="0 0 {width} {total:.0f}">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(out) + "\n</svg>\n")
