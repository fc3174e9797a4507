#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Install the build into a temporary directory and use it as a stranger would: a program built
with the flags of `pkg-config vhost-ng libdpdk` gets our headers and runs on our library.

usage: install.py BUILD_DIRECTORY
"""
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HEADERS = {"rte_vhost.h", "rte_vhost_async.h", "rte_vhost_crypto.h", "rte_vdpa.h",
           "vdpa_driver.h", "vdpa_relay.h"}
PROGRAM = """\
#include <stdio.h>
#include <string.h>
#include <rte_vhost.h>

int main(void)
{
\tchar line[4096];
\tFILE *maps = fopen("/proc/self/maps", "r");

\tif (maps == NULL || rte_vhost_get_vring_num(-1) != 0)
\t\treturn 1;
\twhile (fgets(line, sizeof(line), maps) != NULL)
\t\tif (strstr(line, "librte_vhost") != NULL)
\t\t\tfputs(strchr(line, '/'), stdout);
\treturn 0;
}
"""


class Failure(Exception):
    """A test failed; says why."""


class Installed:
    """The installed tree and a compiler that uses it."""

    def __init__(self, build, temporary):
        self.temporary = temporary
        self.build = build
        self.destdir = os.path.join(temporary, "root")
        self.program = os.path.join(temporary, "program.c")
        with open(self.program, "w", encoding="utf-8") as source:
            source.write(PROGRAM)

    def run(self, *arguments, **environment):
        done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env={**os.environ, **environment}, check=False)
        if done.returncode:
            raise Failure(f"{shlex.join(arguments)}\n{done.stdout}")
        return done.stdout

    def find(self, name):
        found = [os.path.join(directory, name) for directory, _, files in os.walk(self.destdir)
                 if name in files]
        if len(found) != 1:
            raise Failure(f"{name}: installed as {found}")
        return found[0]

    def library_directory(self):
        return os.path.dirname(self.find("librte_vhost.so.23"))

    def pkg_config(self, *arguments):
        """pkg-config with our file first. Its prefix is where the tree is meant to be, so it
        is first told where it is."""
        path = self.find("vhost-ng.pc")
        with open(path, encoding="utf-8") as lines:
            text = lines.read()
        prefix = re.search(r"^prefix=(.*)$", text, re.MULTILINE)
        if prefix is None:
            raise Failure(f"vhost-ng.pc has no prefix:\n{text}")
        local = os.path.join(self.temporary, "pkgconfig")
        os.makedirs(local, exist_ok=True)
        with open(os.path.join(local, "vhost-ng.pc"), "w", encoding="utf-8") as lines:
            lines.write(text.replace(prefix.group(0), f"prefix={self.destdir}{prefix.group(1)}"))
        command = shlex.split(os.environ.get("PKG_CONFIG", "pkg-config"))
        return shlex.split(self.run(*command, *arguments, PKG_CONFIG_PATH=local))


def check_install(tree):
    meson = shutil.which("meson")
    if meson is None:
        raise Failure("meson is not in PATH")
    tree.run(meson, "install", "-C", tree.build, "--no-rebuild", "--quiet",
             "--destdir", tree.destdir)


def check_files(tree):
    directory = os.path.dirname(tree.find("rte_vhost.h"))
    if os.path.basename(directory) != "vhost-ng" or set(os.listdir(directory)) != HEADERS:
        raise Failure(f"{directory}: {os.listdir(directory)}")
    tree.find("librte_vhost.a")
    tree.find("librte_vhost.so.23")
    link = os.path.join(tree.library_directory(), "librte_vhost.so")
    if not os.path.islink(link) or not os.path.exists(link):
        raise Failure(f"{link} leads to no library")


def check_headers(tree):
    flags = tree.pkg_config("--cflags", "vhost-ng", "libdpdk")
    used = shlex.split(tree.run("cc", "-M", *flags, tree.program).replace("\\\n", " "))
    found = [path for path in used if os.path.basename(path) == "rte_vhost.h"]
    if found != [tree.find("rte_vhost.h")]:
        raise Failure(f"rte_vhost.h is taken from {found}")


def check_link(tree):
    flags = tree.pkg_config("--cflags", "--libs", "vhost-ng", "libdpdk")
    binary = os.path.join(tree.temporary, "program")
    tree.run("cc", "-o", binary, "-Wall", "-Wextra", "-Werror", tree.program, *flags)
    entries = re.findall(r"\(NEEDED\).*\[(librte_vhost.*)\]",
                         tree.run("readelf", "--wide", "--dynamic", binary))
    if entries != ["librte_vhost.so.23"]:
        raise Failure(f"the program needs {entries}")
    mapped = set(tree.run(binary, LD_LIBRARY_PATH=tree.library_directory()).split())
    expected = {os.path.realpath(tree.find("librte_vhost.so.23"))}
    if {os.path.realpath(path) for path in mapped} != expected:
        raise Failure(f"the program runs on {mapped}")


def check_link_resolves_to_ours(tree):
    """The linker itself, not only the loader, must have used our file."""
    flags = tree.pkg_config("--cflags", "--libs", "vhost-ng", "libdpdk")
    binary = os.path.join(tree.temporary, "traced")
    trace = tree.run("cc", "-o", binary, tree.program, *flags, "-Wl,--trace")
    used = {os.path.realpath(line.strip().split("(")[0]) for line in trace.splitlines()
            if "librte_vhost" in line}
    expected = {os.path.realpath(os.path.join(tree.library_directory(), "librte_vhost.so"))}
    if used != expected:
        raise Failure(f"the linker used {used}, not {expected}")


def check_static(tree):
    flags = tree.pkg_config("--cflags", "vhost-ng", "libdpdk")
    libraries = [flag for flag in tree.pkg_config("--libs", "libdpdk") if flag != "-lrte_vhost"]
    binary = os.path.join(tree.temporary, "static")
    tree.run("cc", "-o", binary, tree.program, *flags, tree.find("librte_vhost.a"), *libraries,
             "-lnuma", "-lpthread")
    if "librte_vhost" in tree.run("readelf", "--wide", "--dynamic", binary):
        raise Failure("the program still needs a shared librte_vhost")
    if tree.run(binary):
        raise Failure("the program maps a shared librte_vhost")


CHECKS = [
    ("meson install", check_install),
    ("headers, both libraries and the .so link are installed", check_files),
    ("pkg-config's flags find our rte_vhost.h, not DPDK's", check_headers),
    ("a program built with pkg-config's flags runs on our shared library", check_link),
    ("the linker takes our shared library, not DPDK's", check_link_resolves_to_ours),
    ("a program can carry the static library", check_static),
]


def main():
    if len(sys.argv) != 2 or not glob.glob(os.path.join(sys.argv[1], "build.ninja")):
        sys.exit(__doc__)
    print(f"1..{len(CHECKS)}")
    failed = False
    with tempfile.TemporaryDirectory(prefix="vhost-ng-install-") as temporary:
        tree = Installed(os.path.abspath(sys.argv[1]), temporary)
        for number, (name, check) in enumerate(CHECKS, 1):
            try:
                check(tree)
                print(f"ok {number} - {name}")
            except Failure as failure:
                failed = True
                print(f"not ok {number} - {name}")
                print(failure, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
