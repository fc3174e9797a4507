#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compile the public headers alone, together, beside DPDK's, in C and C++, gcc and clang; and
compare their declarations with those of the installed DPDK.

usage: headers.py INCLUDE_DIRECTORY TEST_SOURCE_DIRECTORY
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HEADERS = ["rte_vhost.h", "rte_vhost_async.h", "rte_vhost_crypto.h", "rte_vdpa.h",
           "vdpa_driver.h"]
DPDK_HEADERS = ["rte_eal.h", "rte_mbuf.h", "rte_mempool.h", "rte_ethdev.h", "rte_cryptodev.h",
                "rte_crypto.h", "rte_dmadev.h", "rte_malloc.h"]
# (name, language, arguments, compilers in order of preference). The strict one is without
# DPDK's headers, which need GNU extensions.
MODES = [
    ("gcc C11 strict", "c", ["-std=c11", "-pedantic", "-DRTE_VHOST_LEAN_INCLUDES"], ["gcc"]),
    ("gcc C11", "c", ["-std=gnu11"], ["gcc"]),
    ("g++ C++17", "c++", ["-std=c++17"], ["g++"]),
    ("clang C11 strict", "c", ["-std=c11", "-pedantic", "-DRTE_VHOST_LEAN_INCLUDES"],
     ["clang", "clang-14"]),
    ("clang C11", "c", ["-std=gnu11"], ["clang", "clang-14"]),
    ("clang++ C++17", "c++", ["-std=c++17"], ["clang++", "clang++-14"]),
]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wundef"]
OURS = re.compile(r"^(?:// )?(?:type|func|const|var) "
                  r"_?((?:RTE_MAX_|RTE_)?(?:rte_)?(?:vhost|vdpa|virtio_crypto|VHOST|VDPA)\w*)",
                  re.IGNORECASE)


class Tap:
    """Collects results, prints them with a plan at the end."""

    def __init__(self):
        self.lines = []
        self.failed = False

    def result(self, good, name, detail=""):
        self.lines.append(f"{'ok' if good else 'not ok'} {len(self.lines) + 1} - {name}")
        if not good:
            self.failed = True
            print(f"# {name}\n{detail}", file=sys.stderr)

    def skip(self, name, reason):
        self.lines.append(f"ok {len(self.lines) + 1} - {name} # SKIP {reason}")

    def finish(self):
        print("\n".join(self.lines))
        print(f"1..{len(self.lines)}")
        return 1 if self.failed else 0


def dpdk_arguments():
    """The compile flags of the installed DPDK, its headers as system headers."""
    flags = subprocess.run([os.environ.get("PKG_CONFIG", "pkg-config"), "--cflags", "libdpdk"],
                           check=True, stdout=subprocess.PIPE, text=True).stdout
    arguments = []
    for flag in shlex.split(flags):
        arguments += ["-isystem", flag[2:]] if flag.startswith("-I") else [flag]
    return arguments


def includes(names, defines=()):
    return "".join(f"#define {name}\n" for name in defines) + \
        "".join(f"#include <{name}>\n" for name in names)


def sources(directory):
    """(name, source text, extra arguments, must it compile)."""
    cases = [(f"{header} alone", includes([header]), [], True) for header in HEADERS]
    everything = HEADERS + HEADERS[::-1]
    for defines in ([], ["RTE_VHOST_ASYNC_DMADEV"]):
        name = " with dmadev prototypes" if defines else ""
        cases += [
            (f"all headers, twice{name}", includes(everything, defines), [], True),
            (f"all headers after DPDK's{name}", includes(DPDK_HEADERS + HEADERS, defines), [],
             True),
            (f"all headers before DPDK's{name}", includes(HEADERS[::-1] + DPDK_HEADERS, defines),
             [], True),
            (f"prototypes and layouts{name}",
             includes([os.path.join(directory, "abi_asserts.c")], defines).replace("<", '"')
             .replace(">", '"'), [], True),
        ]
    cases.append(("both kinds of async prototypes are refused",
                  "#include <rte_vhost_async.h>\n#define RTE_VHOST_ASYNC_DMADEV\n"
                  "#include <rte_vhost_async.h>\n", [], False))
    for define in ("WRONG_SIZE", "WRONG_OFFSET", "WRONG_PROTOTYPE"):
        cases.append((f"abi_asserts.c notices {define}",
                      f'#include "{os.path.join(directory, "abi_asserts.c")}"\n',
                      [f"-D{define}"], False))
    return cases


def compile_cases(tap, include, directory):
    common = WARNINGS + ["-I", include] + dpdk_arguments() + ["-fsyntax-only"]
    for mode, language, arguments, compilers in MODES:
        compiler = next(filter(None, map(shutil.which, compilers)), None)
        if compiler is None:
            tap.skip(f"{mode}", "compiler not installed")
            continue
        for name, text, extra, good in sources(directory):
            if "strict" in mode and "DPDK's" in name:
                continue
            run = subprocess.run([compiler, "-x", language, *arguments, *common, *extra, "-"],
                                 input=text, stderr=subprocess.PIPE, text=True, check=False)
            tap.result((run.returncode == 0) == good, f"{mode}: {name}", run.stderr)


def declarations(temporary, include, source):
    """What gcc says the headers declare: {name: declaration}."""
    path = os.path.join(temporary, "declarations")
    where = ["-I", include] if include else []
    subprocess.run(["gcc", "-x", "c", *where, *dpdk_arguments(), "-S", "-o", os.devnull,
                    f"-fdump-go-spec={path}", "-"], input=source, text=True, check=True)
    found = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            match = OURS.match(line)
            if match:
                found[match.group(1)] = line.strip()
    return found


def compare_declarations(tap, include):
    name = "everything DPDK's headers declare is declared the same"
    stock_dir = next((argument for argument in dpdk_arguments()
                      if os.path.exists(os.path.join(argument, "rte_vhost.h"))), None)
    if stock_dir is None:
        tap.skip(name, "stock rte_vhost.h not installed")
        return
    with tempfile.TemporaryDirectory() as temporary:
        source = includes(HEADERS[:-1], ["ALLOW_EXPERIMENTAL_API", "RTE_VHOST_ASYNC_DMADEV"])
        stock = declarations(temporary, None, source)
        ours = declarations(temporary, include, source)
    # gcc writes what Go could not call as a comment; the comparison minds no such difference.
    functions = sum(line.startswith(("func", "// func")) for line in stock.values())
    wrong = [f"DPDK: {line}\nours: {ours.get(key)}" for key, line in stock.items()
             if ours.get(key) != line]
    # The library has 81; three of them are in vdpa_driver.h, which is not installed.
    tap.result(functions == 78, f"the installed headers declare 78 functions, found {functions}")
    tap.result(not wrong, f"{name} ({len(stock)} names)", "\n".join(wrong))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    include, directory = map(os.path.abspath, sys.argv[1:])
    tap = Tap()
    compile_cases(tap, include, directory)
    compare_declarations(tap, include)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
