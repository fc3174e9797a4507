#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The Markdown files: links lead somewhere, and whole C programs in them compile.

usage: documents.py SOURCE_ROOT

A link is followed if it has no scheme: the file must exist, and so must the heading behind
a '#', spelled as GitHub spells it. Also every `path/to/file.ext` of the repository that
stands in backquotes in one of the tables "to change X, open Y" must exist.
"""
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")


def prose(text):
    """Without code, in which brackets and hashes mean something else."""
    return CODE.sub("", FENCE.sub("", text))


def anchors(path):
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in HEADING.findall(text)}


def broken_links(path, text):
    for link in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            yield f"{link}: there is no such file"
        elif anchor and anchor not in anchors(target):
            yield f"{link}: no such heading"


def broken_pointers(path, text):
    """Names in tables "| To change | Open in `folder/` |"."""
    for folder, rows in re.findall(r"^\|.*\| Open in `([\w/]+)` *\|\n\|[-| ]+\|\n((?:\|.*\n)+)",
                                   text + "\n", re.MULTILINE):
        root = next(parent for parent in path.parents if (parent / folder).is_dir())
        for row in rows.splitlines():
            for name in re.findall(r"`([\w./*]+\.\w+|[\w./]+/)`", row.split("|", 2)[2]):
                if not list((root / folder).glob(name)) and \
                        not list((root / folder).glob(f"*/{name}")):
                    yield f"`{name}` is not in {folder}"


def broken_programs(text, root):
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    for language, source in FENCE.findall(text):
        if language != "c" or "int main(" not in source:
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
            file.write(source)
            file.flush()
            done = subprocess.run(["cc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                                   f"-I{root}/include", *shlex.split(flags), file.name],
                                  stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            yield f"a program does not compile:\n{done.stderr}"


def documents(root):
    """What is committed, or without git everything outside of build directories."""
    done = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others",
                           "--exclude-standard", "*.md"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    names = done.stdout.split() if done.returncode == 0 else []
    if not names:
        names = [str(path.relative_to(root)) for path in root.rglob("*.md")
                 if not path.relative_to(root).parts[0].startswith("build")]
    return sorted(root / name for name in names)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = Path(sys.argv[1]).resolve()
    files = documents(root)
    linked, results = set(), []
    for path in files:
        text = path.read_text(encoding="utf-8")
        wrong = [*broken_links(path, text), *broken_pointers(path, text),
                 *broken_programs(text, root)]
        results.append((path.relative_to(root), wrong))
        linked |= {(path.parent / link.partition("#")[0]).resolve()
                   for link in LINK.findall(prose(text)) if ":" not in link}
    results.append(("a link leads to every document",
                    [f"to {path.relative_to(root)} none" for path in files
                     if path not in linked and path.name != "README.md"]))
    print(f"1..{len(results)}")
    for number, (name, wrong) in enumerate(results, 1):
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
        for line in wrong:
            print(f"{name}: {line}", file=sys.stderr)
    return 1 if len(files) < 2 or any(wrong for _, wrong in results) else 0


if __name__ == "__main__":
    sys.exit(main())
