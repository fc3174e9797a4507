#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two processes: testpmd with net_vhost on ours and on the stock library.

A stock dpdk-testpmd with net_vhost on one core, another with virtio-user on the other, packets
going round between them. The libraries alternate; a row is the median of packets per second of
each and the median of the ratios of the pairs (above 1, ours is faster), with the smallest and
the largest. Needs two cores with nothing else to do.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "guest"))

from lab import BUILD, Lab, wait_for  # noqa: E402
from pmd import Testpmd  # noqa: E402

STOCK = Path("/usr/lib/x86_64-linux-gnu/librte_vhost.so.23")
OURS = BUILD / "lib" / "librte_vhost.so.23"


def on_core(core):
    """One main lcore that may go anywhere and one that stays on its core."""
    cpus = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
    return f"0@({cpus}),1@{core}"


class Side(Testpmd):
    """A testpmd whose forwarding lcore has a core to itself."""

    def __init__(self, lab, name, core, vdev, arguments, library=None):
        super().__init__(lab, name, [vdev], arguments, library=library, mbufs=16384,
                         lcores=on_core(core))

    def received(self):
        answer = self.ask("show port stats 0", r"RX-packets: (\d+).*?Throughput")
        return int(answer.group(1))


def packets_per_second(library, size_bytes, packed, seconds):
    with Lab() as lab:
        path = lab.path("vhost.sock")
        arguments = [f"--txpkts={size_bytes}", "--burst=32"]
        host = Side(lab, "host", 0, f"net_vhost0,iface={path}", arguments, library)
        host.wait_prompt()
        guest = Side(lab, "guest", 1,
                     f"net_virtio_user0,path={path},queue_size=256,mrg_rxbuf=1,"
                     f"packed_vq={int(packed)}", arguments)
        guest.wait_prompt()
        host.wait_link(0)
        guest.command("set fwd io")
        host.command("set fwd io")
        host.command("start")
        guest.command("start tx_first 16")
        wait_for(lambda: host.received() > 1000, 20, "traffic")
        time.sleep(0.5)
        before, start = host.received(), time.monotonic()
        time.sleep(seconds)
        after, end = host.received(), time.monotonic()
        guest.quit()
        host.quit()
        return (after - before) / (end - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="runs of each library [5]")
    parser.add_argument("--seconds", type=float, default=2, help="of each run [2]")
    parser.add_argument("--sizes", default="64,1500", help="packet bytes [64,1500]")
    args = parser.parse_args()
    print("| testpmd, both ways | stock, Mpps | ours, Mpps | ratio | spread |")
    print("|---|--:|--:|--:|---|")
    for packed in (False, True):
        for size_bytes in (int(size) for size in args.sizes.split(",")):
            rates = {STOCK: [], OURS: []}
            for pair in range(args.pairs):
                for library in (STOCK, OURS) if pair % 2 == 0 else (OURS, STOCK):
                    print(f"{'packed' if packed else 'split'} {size_bytes} B, pair {pair + 1} of "
                          f"{args.pairs}, {library}", file=sys.stderr, flush=True)
                    rates[library].append(
                        packets_per_second(library, size_bytes, packed, args.seconds))
            ratios = [ours / stock for stock, ours in zip(rates[STOCK], rates[OURS])]
            print(f"| {'packed' if packed else 'split'} {size_bytes} B "
                  f"| {statistics.median(rates[STOCK]) / 1e6:.2f} "
                  f"| {statistics.median(rates[OURS]) / 1e6:.2f} "
                  f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |",
                  flush=True)


if __name__ == "__main__":
    main()
