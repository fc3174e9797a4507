#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stock dpdk-testpmd with net_vhost on our library, against testpmd with virtio-user.

Each side reads packets from a file, sends them through the virtqueues and writes what
it receives into another; files are compared byte by byte, both ways, per queue.
Neither program knows that librte_vhost.so.23 is not the one it was built with.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "guest"))

from frames import PCAP_HEADER_BYTES, compare, pcap_bytes, random_frames, read_pcap, \
    write_pcap  # noqa: E402
from lab import check, check_library, need_programs, run_tests, wait_for  # noqa: E402
from pmd import Testpmd  # noqa: E402

PACKETS_PER_QUEUE = 2000


def frames_for(direction, queue, sizes):
    """Frames whose every byte depends on direction, queue and number."""
    return random_frames(PACKETS_PER_QUEUE, sizes, f"{direction}{queue}")


def pcap_device(lab, side, number, queues):
    words = [f"net_pcap{number}"]
    for queue in range(queues):
        words.append(f"rx_pcap={lab.path(f'{side}-in{queue}.pcap')}")
        words.append(f"tx_pcap={lab.path(f'{side}-out{queue}.pcap')}")
    return ",".join(words)


def start_backend(lab, path, *, client, queues, arguments, name="backend", extra=""):
    backend = Testpmd(lab, name, [
        f"net_vhost0,iface={path},queues={queues},client={int(client)}{extra}",
        pcap_device(lab, "backend", 0, queues)], arguments, lcores=1 + 2 * queues)
    backend.wait_prompt()
    check_library(backend.process)
    return backend


def start_frontend(lab, path, *, server, queues, mergeable, arguments, packed=False,
                   name="frontend", extra=""):
    frontend = Testpmd(lab, name, [
        f"net_virtio_user0,path={path},queues={queues},server={int(server)},queue_size=256,"
        f"mrg_rxbuf={int(mergeable)},packed_vq={int(packed)}{extra}",
        pcap_device(lab, "frontend", 1, queues)], arguments, lcores=1 + 2 * queues)
    return frontend.wait_prompt()


def exchange(lab, *, client, queues, mergeable, packed=False, sizes=(60, 1514),
             backend_extra="", frontend_extra=""):
    """One run: both ways, all queues, every byte."""
    need_programs("dpdk-testpmd")
    path = lab.path("vhost.sock")
    # A thread for each queue and direction: a sender that waits for room must not
    # keep its own side from receiving, or two senders wait for each other.
    arguments = [f"--rxq={queues}", f"--txq={queues}", f"--nb-cores={2 * queues}"]
    sent = {}
    for side in ("backend", "frontend"):
        for queue in range(queues):
            sent[side, queue] = frames_for(side, queue, sizes)
            write_pcap(lab.path(f"{side}-in{queue}.pcap"), sent[side, queue])

    backend = start_backend(lab, path, client=client, queues=queues, arguments=arguments,
                            extra=backend_extra)
    frontend = start_frontend(lab, path, server=client, queues=queues, mergeable=mergeable,
                              packed=packed, arguments=arguments, extra=frontend_extra)
    backend.wait_link(0)
    frontend.start()
    backend.start()

    arriving = {(side, queue): sent["frontend" if side == "backend" else "backend", queue]
                for side in ("backend", "frontend") for queue in range(queues)}

    def all_there():
        return all(lab.path(f"{side}-out{queue}.pcap").stat().st_size >= pcap_bytes(frames)
                   for (side, queue), frames in arriving.items())
    try:
        wait_for(all_there, 30, "all packets to arrive", 0.1)
    finally:
        frontend_status, backend_status = frontend.quit(), backend.quit()
    check(backend_status == 0, f"the backend ended with status {backend_status}")
    check(frontend_status == 0, f"the frontend ended with status {frontend_status}")
    for (side, queue), frames in arriving.items():
        compare(read_pcap(lab.path(f"{side}-out{queue}.pcap")), frames,
                f"into {side}, queue {queue}")


def server_mergeable(lab):
    """testpmd: server mode, one queue, mergeable buffers."""
    exchange(lab, client=False, queues=1, mergeable=True)


def server_plain(lab):
    """testpmd: server mode, one queue, no mergeable buffers."""
    exchange(lab, client=False, queues=1, mergeable=False)


def server_mergeable_two_queues(lab):
    """testpmd: server mode, two queues, mergeable buffers."""
    exchange(lab, client=False, queues=2, mergeable=True)


def server_plain_two_queues(lab):
    """testpmd: server mode, two queues, no mergeable buffers."""
    exchange(lab, client=False, queues=2, mergeable=False)


def client_mergeable(lab):
    """testpmd: client mode, one queue, mergeable buffers."""
    exchange(lab, client=True, queues=1, mergeable=True)


def client_plain(lab):
    """testpmd: client mode, one queue, no mergeable buffers."""
    exchange(lab, client=True, queues=1, mergeable=False)


def client_mergeable_two_queues(lab):
    """testpmd: client mode, two queues, mergeable buffers."""
    exchange(lab, client=True, queues=2, mergeable=True)


def client_plain_two_queues(lab):
    """testpmd: client mode, two queues, no mergeable buffers."""
    exchange(lab, client=True, queues=2, mergeable=False)


def jumbo_frames(lab):
    """testpmd: frames of up to 9000 bytes, chained mbufs and several buffers each."""
    exchange(lab, client=False, queues=1, mergeable=True, sizes=(60, 9000))


def in_order(lab):
    """testpmd: the driver's in-order path."""
    exchange(lab, client=False, queues=1, mergeable=True, frontend_extra=",in_order=1")


def vectorized(lab):
    """testpmd: the driver's vector path, no mergeable buffers."""
    exchange(lab, client=False, queues=1, mergeable=False,
             frontend_extra=",in_order=0,vectorized=1")


def external_buffers(lab):
    """testpmd: large frames in external buffers, never chained."""
    exchange(lab, client=False, queues=1, mergeable=True, sizes=(60, 9000),
             backend_extra=",ext-buffer=1,linear-buffer=1")


def frontend_returns(lab, client):
    need_programs("dpdk-testpmd")
    path = lab.path("vhost.sock")
    for side in ("backend", "frontend"):
        write_pcap(lab.path(f"{side}-in0.pcap"), frames_for(side, 0, (60, 1514)))
    backend = start_backend(lab, path, client=client, queues=1, arguments=["--nb-cores=2"])
    fds_before = None
    for round_number in range(3):
        frontend = start_frontend(lab, path, server=client, queues=1, mergeable=True,
                                  arguments=["--nb-cores=2"], name=f"frontend{round_number}")
        backend.wait_link(0)
        if round_number == 0:
            backend.start()
        frontend.start()
        target = pcap_bytes(frames_for("frontend", 0, (60, 1514)))
        already = (target - PCAP_HEADER_BYTES) * round_number
        wait_for(lambda: lab.path("backend-out0.pcap").stat().st_size >= target + already, 30,
                 f"the packets of frontend {round_number}", 0.1)
        frontend.kill()
        backend.wait_link(0, up=False)
        if client:
            path.unlink()  # a killed virtio-user cannot, and does not replace it either
        if fds_before is None:
            time.sleep(0.5)
            fds_before = len(backend.process.fds())
        wait_for(lambda: len(backend.process.fds()) <= fds_before, 5,
                 f"descriptors to be closed after round {round_number}: {fds_before} were open "
                 f"after the first, now {len(backend.process.fds())}")
    check(backend.quit() == 0, "the backend did not end well")
    compare(read_pcap(lab.path("backend-out0.pcap")), frames_for("frontend", 0, (60, 1514)) * 3,
            "from three frontends")


def frontend_killed_server(lab):
    """testpmd: frontends killed and started again, backend listening, no descriptor lost."""
    frontend_returns(lab, client=False)


def frontend_killed_client(lab):
    """testpmd: frontends killed and started again, backend connecting, no descriptor lost."""
    frontend_returns(lab, client=True)


if __name__ == "__main__":
    run_tests(server_mergeable, server_plain, server_mergeable_two_queues, server_plain_two_queues,
              client_mergeable, client_plain, client_mergeable_two_queues, client_plain_two_queues,
              jumbo_frames, in_order, vectorized, external_buffers,
              frontend_killed_server, frontend_killed_client)
