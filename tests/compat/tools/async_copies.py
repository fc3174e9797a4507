#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two guests (testpmd with virtio-user) and a program that has an engine copy between them.

- DPDK's example application vhost, compiled as it is against our library, with an asynchronous
  channel on all four queues (--dmas) and dma_skeleton to copy.
- Our example async_forward, which uses the guide's functions, with each kind of engine.

What one guest sends, the other gets, byte by byte.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "guest"))

from compile import cc  # noqa: E402
from frames import compare, pcap_bytes, random_frames, read_pcap, write_pcap  # noqa: E402
from lab import BUILD, LIBRARY, Skip, check, check_library, library_env, need_programs, note, \
    run_tests, wait_for  # noqa: E402
from pmd import Testpmd  # noqa: E402

SOURCES = Path("/usr/share/dpdk/examples/vhost")
FRAMES = 200  # fewer than a guest has buffers
SENDER, RECEIVER = bytes.fromhex("52540000000a"), bytes.fromhex("52540000000b")


def start_example(lab, mergeable):
    if not SOURCES.is_dir():
        raise Skip("DPDK's example vhost (dpdk-doc) is not installed")
    libraries = [f"-lrte_{name}" for name in
                 ("eal", "mbuf", "mempool", "ethdev", "net", "dmadev", "log", "kvargs")
                 if Path(f"/usr/lib/x86_64-linux-gnu/librte_{name}.so").exists()]
    program = cc(lab, "vhost", sorted(SOURCES.glob("*.c")), LIBRARY, *libraries, "-lbsd",
                 "-lpthread")
    port = cc(lab, "vmdq_port.so", [Path(__file__).with_name("vmdq_port.c")], "-shared", "-fPIC")
    channels = ",".join(f"{queue}d{guest}@dma_skeleton" for guest in (0, 1)
                        for queue in ("tx", "rx"))
    argv = ["stdbuf", "-oL", program, "--lcores=0@(0-1),1@(0-1)", "-m", "1024", "--no-huge",
            "--no-pci", "--no-shconf", "--no-telemetry", "--file-prefix", f"example{lab.dir.name}",
            "--vdev=net_null0,no-rx=1", "--vdev=dma_skeleton", "--", "-p", "1",
            "--dmas", f"[{channels}]", "--total-num-mbufs", "16384", "--stats", "0",
            "--mergeable", str(int(mergeable))]
    for guest in ("a", "b"):
        argv += ["--socket-file", str(lab.path(f"{guest}.sock"))]
    env = library_env()
    # stdbuf brings a library of its own that way.
    argv[2:2] = ["env", f"LD_PRELOAD={port}"]
    example = lab.spawn("example", argv, env=env, cwd=lab.dir)
    for guest in ("a", "b"):
        wait_for(lab.path(f"{guest}.sock").exists, 30, "the example to listen")
    return example


def start_guest(lab, name, frames, packed):
    write_pcap(lab.path(f"{name}-in.pcap"), frames)
    guest = Testpmd(lab, name, [
        f"net_virtio_user0,path={lab.path(f'{name}.sock')},mrg_rxbuf=1,queue_size=256,"
        f"packed_vq={int(packed)}",
        f"net_pcap1,rx_pcap={lab.path(f'{name}-in.pcap')},"
        f"tx_pcap={lab.path(f'{name}-out.pcap')}"], lcores=2)
    return guest.wait_prompt()


def addressed(frames, to, sender):
    return [to + sender + frame[12:] for frame in frames]


def forward(lab, *, mergeable, packed, sizes):
    need_programs("dpdk-testpmd", "cc")
    example = start_example(lab, mergeable)
    check_library(example)
    frames = addressed(random_frames(FRAMES, sizes, "a"), RECEIVER, SENDER)
    # Its first packet tells where it is, and goes nowhere.
    receiver = start_guest(lab, "b", addressed(random_frames(1, (60, 60), "b"), SENDER, RECEIVER),
                           packed)
    sender = start_guest(lab, "a", frames, packed)
    receiver.start()
    example.wait_log("52:54:00:00:00:0B", 20)
    sender.start()
    arrived = lab.path("b-out.pcap")
    try:
        wait_for(lambda: arrived.stat().st_size >= pcap_bytes(frames), 30, "all packets to arrive",
                 0.1)
    finally:
        statuses = receiver.quit(), sender.quit()
    check(statuses == (0, 0), f"the guests ended with {statuses}")
    compare(read_pcap(arrived), frames, "into guest b")
    example.wait_log("(0) device has been removed", 20)
    example.wait_log("(1) device has been removed", 20)
    check(example.running(), "the example did not survive its guests")
    note(f"{len(frames)} packets, {sum(map(len, frames))} bytes through dma_skeleton, both ways")


def split_ring(lab):
    """DPDK's vhost: split rings, mergeable buffers, all copies by dma_skeleton."""
    forward(lab, mergeable=True, packed=False, sizes=(60, 1514))


def packed_ring(lab):
    """DPDK's vhost: packed rings, mergeable buffers, all copies by dma_skeleton."""
    forward(lab, mergeable=True, packed=True, sizes=(60, 1514))


def plain_buffers(lab):
    """DPDK's vhost: split rings, no mergeable buffers, all copies by dma_skeleton."""
    forward(lab, mergeable=False, packed=False, sizes=(300, 1514))


def forward_both_ways(lab, engine, *, packed=False, sizes=(60, 1514), arguments=()):
    need_programs("dpdk-testpmd")
    sockets = [lab.path(f"{name}.sock") for name in "ab"]
    argv = ["stdbuf", "-oL", BUILD / "examples/async_forward", "--lcores=0@(0-1),1@(0-1)", "-m",
            "512", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "--file-prefix",
            f"forward{lab.dir.name}", *arguments, "--", *sockets, engine]
    program = lab.spawn("forward", [str(word) for word in argv], env=library_env())
    program.wait_log("forwarding", 30)
    check_library(program)
    frames = {"a": addressed(random_frames(FRAMES, sizes, "a"), RECEIVER, SENDER),
              "b": addressed(random_frames(FRAMES, sizes, "b"), SENDER, RECEIVER)}
    guests = [start_guest(lab, name, frames[name], packed) for name in "ab"]
    for guest in guests:
        guest.start()
    wanted = {lab.path("a-out.pcap"): frames["b"], lab.path("b-out.pcap"): frames["a"]}
    try:
        wait_for(lambda: all(path.stat().st_size >= pcap_bytes(sent)
                             for path, sent in wanted.items()), 30, "all packets to arrive", 0.1)
    finally:
        statuses = [guest.quit() for guest in guests]
    check(statuses == [0, 0], f"the guests ended with {statuses}")
    for path, sent in wanted.items():
        compare(read_pcap(path), sent, path.name)
    program.popen.terminate()
    check(program.wait(20) == 0, "async_forward did not end well")
    program.wait_log("0 packets left behind", 1)
    note(f"{2 * FRAMES} packets, {sum(map(len, frames['a'] + frames['b']))} bytes")


def own_engine(lab):
    """async_forward: an engine of its own, split rings."""
    forward_both_ways(lab, "own")


def own_engine_packed(lab):
    """async_forward: an engine of its own, packed rings."""
    forward_both_ways(lab, "own", packed=True)


def helper_core(lab):
    """async_forward: a helper core."""
    forward_both_ways(lab, "helper", sizes=(1000, 1514))


def dma_device(lab):
    """async_forward: dma_skeleton."""
    forward_both_ways(lab, "dma_skeleton", arguments=["--vdev=dma_skeleton"])


if __name__ == "__main__":
    run_tests(split_ring, packed_ring, plain_buffers, own_engine, own_engine_packed, helper_core,
              dma_device)
