#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare what two builds of one program print: with DPDK's headers or library, and with ours.

usage: abi_compare.py STOCK_PROGRAM OUR_PROGRAM [ARGUMENT...]

The programs print lines "group key value"; lines of one group are one test. Other
lines, which are EAL's, begin with "EAL:" or "TELEMETRY:".
"""
import subprocess
import sys


def facts(program, arguments):
    """Run a build; return {group: {key: value}} in printed order."""
    output = subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE,
                            text=True, timeout=60).stdout
    groups = {}
    for line in output.splitlines():
        if line.startswith(("EAL:", "TELEMETRY:")):
            continue
        group, rest = line.split(" ", 1)
        key, value = rest.rsplit(" ", 1)
        groups.setdefault(group, {})[key] = value
    return groups


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    stock, ours = (facts(program, sys.argv[3:]) for program in sys.argv[1:3])
    names = list(dict.fromkeys([*stock, *ours]))
    if len(names) < 20:
        sys.exit(f"the programs printed only {len(names)} groups")
    print(f"1..{len(names)}")
    failed = 0
    for number, name in enumerate(names, 1):
        left, right = stock.get(name, {}), ours.get(name, {})
        wrong = [key for key in {**left, **right} if left.get(key) != right.get(key)]
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}: {len(left)} facts equal DPDK's")
        for key in wrong:
            print(f"  {name} {key}: DPDK {left.get(key)}, ours {right.get(key)}",
                  file=sys.stderr)
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
