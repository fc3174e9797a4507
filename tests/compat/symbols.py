#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare what our shared and static library export with the stock library and its users.

usage: symbols.py SHARED_LIBRARY STATIC_LIBRARY STOCK_LIBRARY

Every name of ours must be one of the stock library's, in the same version node, or be in a node
of our own, where it has our prefix or is on a list; and every name a program or plugin of the distribution imports must be there.
A file that is not installed skips its test.
"""
import glob
import os
import re
import subprocess
import sys

STOCK_NODES = {"DPDK_23", "EXPERIMENTAL", "INTERNAL"}
OUR_NODE = "VHOST_NG"
OUR_PREFIX = "vhost_ng_"
# Public by these names, which are no DPDK's.
OUR_FUNCTIONS = {"rte_vhost_async_dmadev_ops", "rte_vhost_async_helper_ops",
                 "rte_vhost_async_helper_start", "rte_vhost_async_helper_stop"}
LIBRARY_DIRECTORY = "/usr/lib/x86_64-linux-gnu"
USERS = {
    "ovs-vswitchd": ["/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk",
                     "/usr/sbin/ovs-vswitchd-dpdk"],
    "net_vhost": [f"{LIBRARY_DIRECTORY}/dpdk/pmds-23*/librte_net_vhost.so.23",
                  f"{LIBRARY_DIRECTORY}/librte_net_vhost.so.23"],
    "vdpa_ifc": [f"{LIBRARY_DIRECTORY}/dpdk/pmds-23*/librte_vdpa_ifc.so.23",
                 f"{LIBRARY_DIRECTORY}/librte_vdpa_ifc.so.23"],
    "vdpa_mlx5": [f"{LIBRARY_DIRECTORY}/dpdk/pmds-23*/librte_vdpa_mlx5.so.23",
                  f"{LIBRARY_DIRECTORY}/librte_vdpa_mlx5.so.23"],
    "vdpa_sfc": [f"{LIBRARY_DIRECTORY}/dpdk/pmds-23*/librte_vdpa_sfc.so.23",
                 f"{LIBRARY_DIRECTORY}/librte_vdpa_sfc.so.23"],
}


class Tap:
    """Prints results as they come, the plan at the end."""

    def __init__(self):
        self.count = 0
        self.failed = False

    def result(self, wrong, name):
        """wrong: a list of lines saying what is wrong; empty is good."""
        self.count += 1
        print(f"{'not ok' if wrong else 'ok'} {self.count} - {name}")
        for line in wrong:
            print(f"  {line}", file=sys.stderr)
        self.failed |= bool(wrong)

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")

    def finish(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def run(*arguments):
    return subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout


def dynamic_symbols(path):
    """[(name, node, type, defined)] of the dynamic symbol table."""
    symbols = []
    for line in run("readelf", "--wide", "--dyn-syms", path).splitlines():
        fields = line.split()
        if len(fields) < 8 or not fields[0].rstrip(":").isdigit() or fields[4] == "LOCAL":
            continue
        name, _, node = fields[7].partition("@")
        symbols.append((name, node.lstrip("@"), fields[3], fields[6] != "UND"))
    return symbols


def exports(path):
    """{name: (node, type)} without the absolute symbols that stand for the nodes."""
    return {name: (node, kind) for name, node, kind, defined in dynamic_symbols(path)
            if defined and name not in STOCK_NODES and name != OUR_NODE}


def imports(path, names):
    """[(name, node)] of those of the names that a file imports."""
    return sorted((name, node.split()[0]) for name, node, _, defined in dynamic_symbols(path)
                  if not defined and name in names)


def dynamic_entries(path, tag):
    return re.findall(rf"\({tag}\).*\[(.*)\]", run("readelf", "--wide", "--dynamic", path))


def static_functions(path):
    """Names a static library defines for others."""
    names = set()
    for line in run("nm", "--defined-only", "--extern-only", path).splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in "TWi":
            names.add(fields[2])
    return names


def public(name):
    return name.startswith(("rte_", OUR_PREFIX))


def check_exports(tap, ours, stock):
    nodes = {node for node, _ in ours.values()}
    tap.result([f"{node} is neither DPDK's nor ours" for node in sorted(nodes)
                if node not in STOCK_NODES and node != OUR_NODE],
               "the version nodes are the stock library's, or our own")
    tap.result([f"{name} is not in the stock library" for name, (node, _) in sorted(ours.items())
                if node in STOCK_NODES and name not in stock],
               "every exported name is one of the stock library's")
    tap.result([f"{name}: ours {node}, stock {stock[name][0]}"
                for name, (node, _) in sorted(ours.items())
                if name in stock and stock[name][0] != node],
               "every exported name is in the same version node")
    own = {name for name, (node, _) in ours.items() if node == OUR_NODE}
    tap.result([f"{name} does not begin with {OUR_PREFIX}, and is not on the list"
                for name in sorted(own - OUR_FUNCTIONS) if not name.startswith(OUR_PREFIX)] +
               [f"{name} is a name of the stock library" for name in sorted(own & set(stock))] +
               [f"{name} is not in {OUR_NODE}" for name in sorted(OUR_FUNCTIONS - own)],
               "names in our own node have our prefix, or are those on the list")
    tap.result([f"{name} is {kind}" for name, (_, kind) in sorted(ours.items())
                if kind not in ("FUNC", "IFUNC")] or ([] if ours else ["nothing is exported"]),
               f"all {len(ours)} exported names are functions")


def check_files(tap, shared, static, stock_path, ours):
    soname, stock_soname = (dynamic_entries(path, "SONAME") for path in (shared, stock_path))
    tap.result([] if soname == stock_soname and soname else
               [f"ours {soname}, stock {stock_soname}"],
               f"the soname is {' '.join(stock_soname)}")
    needed = dynamic_entries(shared, "NEEDED")
    tap.result([entry for entry in needed if entry.startswith("librte_vhost.")],
               "the library does not need a librte_vhost")
    archive = {name for name in static_functions(static) if public(name)}
    tap.result([f"{name} is missing in the static library" for name in sorted(ours)
                if name not in archive] +
               [f"{name} is in the static library only" for name in sorted(archive)
                if name not in ours],
               "the static library has the same public functions")


def check_users(tap, ours, stock):
    for user, patterns in USERS.items():
        name = f"{user} finds every function it imports"
        path = next((os.path.realpath(path) for pattern in patterns
                     for path in sorted(glob.glob(pattern))), None)
        if path is None:
            tap.skip(name, f"{user} not installed")
            continue
        wanted = imports(path, stock)
        tap.result([f"{path} needs {symbol}@{node}" for symbol, node in wanted
                    if ours.get(symbol, ("nowhere",))[0] != node] or
                   ([] if wanted else [f"{path} imports nothing of the stock library"]),
                   f"{name} ({len(wanted)})")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    shared, static, stock_path = sys.argv[1:]
    tap = Tap()
    if not os.path.exists(stock_path):
        tap.skip("symbols against the stock library", "stock librte_vhost not installed")
        return tap.finish()
    ours, stock = exports(shared), exports(stock_path)
    check_exports(tap, ours, stock)
    check_files(tap, shared, static, stock_path, ours)
    check_users(tap, ours, stock)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
