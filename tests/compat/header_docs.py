#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every function of the public headers has a comment that names each parameter, what is
returned, thread safety and source; and says "Not in this release" exactly if the library does
not have it.

usage: header_docs.py INCLUDE_DIRECTORY SHARED_LIBRARY
"""
import glob
import os
import re
import subprocess
import sys

COMMENT = re.compile(r"/\*\*(?:[^*]|\*(?!/))*\*/")
FUNCTION = re.compile(r"^(?:__rte_experimental\n|__rte_internal\n)?"
                      r"(?P<type>(?:static inline __attribute__\(\(always_inline\)\) )?"
                      r"[\w ]+[ \n]\*?)(?P<name>(?:rte_vhost|rte_vdpa|vhost_ng)_\w+)"
                      r"\((?P<parameters>[^)]*)\)(?:\s*__asm__\(\"(?P<symbol>\w+)\"\))?\s*[;{]")
MARKER = "@note Not in this release."


def exported(library):
    lines = subprocess.run(["nm", "--dynamic", "--defined-only", library], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {line.split()[-1].partition("@")[0] for line in lines}


def functions(text):
    """(comment, match) of each function; every declaration must follow a comment."""
    for comment in COMMENT.finditer(text):
        match = FUNCTION.match(text[comment.end() + 1:])
        if match:
            yield comment.group(0), match


def parameter_names(parameters):
    if parameters.strip() == "void":
        return []
    return [re.search(r"(\w+)(?:\[\d*\])?$", parameter.strip()).group(1)
            for parameter in parameters.split(",")]


def faults(comment, match, present):
    named = re.findall(r"@param(?:\[\S+\])? (\w+)", comment)
    if named != parameter_names(match["parameters"]):
        yield f"describes {named}, has {parameter_names(match['parameters'])}"
    if "@return" not in comment and not (match["type"].strip() == "void" and
                                         "Returns nothing" in comment):
        yield "does not say what it returns"
    if "Threads: " not in comment:
        yield "does not say which threads may call it"
    if "Source: " not in comment:
        yield "has no source"
    if "inline" not in match["type"]:
        is_there = (match["symbol"] or match["name"]) in present
        if is_there == (MARKER in comment):
            yield f"is {'in' if is_there else 'not in'} the library, its comment says otherwise"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    present = exported(sys.argv[2])
    results, seen = [], set()
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.h"))):
        with open(path, encoding="utf-8") as header:
            text = header.read()
        bare = COMMENT.sub("", text)
        declared = re.findall(r"^[\w][^#\n;]*?\b((?:rte_vhost|rte_vdpa|vhost_ng)_\w+)\((?!\*)", bare,
                              re.MULTILINE)
        described = []
        for comment, match in functions(text):
            described.append(match["name"])
            results.append((f"{os.path.basename(path)}: {match['name']}",
                            list(faults(comment, match, present))))
        results.append((f"{os.path.basename(path)}: each function has a comment",
                        [f"{name} has none" for name in declared if name not in described]))
        seen.update(described)
    results.append(("every exported function is declared",
                    [name for name in sorted(present)
                     if name.startswith("rte_") and name not in seen]))
    # The stock library's 81 exported functions, the inline one, and 9 of our own.
    results.append(("91 functions are described", [] if len(seen) == 91 else [f"{len(seen)}"]))
    print(f"1..{len(results)}")
    for number, (name, wrong) in enumerate(results, 1):
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
        for line in wrong:
            print(f"  {name} {line}", file=sys.stderr)
    return 1 if any(wrong for _, wrong in results) else 0


if __name__ == "__main__":
    sys.exit(main())
