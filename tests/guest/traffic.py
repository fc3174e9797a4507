#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Linux guests exchange packets through vhost-ng-switch: pings, files, offloads, queues."""

from lab import check, note, run_tests
from switch import Footprint, Switch
from vm import VM, build_guest, fetch_file

# Virtio feature bits, virtio 1.2 section 5.1.3 and 6.
NET_F_CSUM, NET_F_GUEST_TSO4, NET_F_HOST_TSO4, NET_F_MRG_RXBUF, NET_F_MQ = 0, 7, 11, 15, 22
F_INDIRECT_DESC, F_EVENT_IDX, F_VERSION_1, F_RING_PACKED = 28, 29, 32, 34


def start_pair(lab, options="", left=None, right=None):
    """A switch and two guests on it, ready."""
    build_guest(note)
    switch = Switch(lab, {"a": options, "b": options})
    footprint = Footprint(switch)
    a = VM(lab, "a", lab.path("a.sock"), ip="10.0.0.1/24", **(left or {})).start()
    b = VM(lab, "b", lab.path("b.sock"), ip="10.0.0.2/24", **(right or {})).start()
    note(f"guests are up after {a.wait_ready():.1f} s and {b.wait_ready():.1f} s")
    return switch, footprint, a, b


def finish(switch, footprint, *guests):
    for guest in guests:
        guest.stop()
    footprint.check_same()
    switch.stop()


def check_ping(sender, receiver, sizes=(56, 1400, 8000), count=10):
    for size_bytes in sizes:
        answers = sender.ping(receiver.address, count, size_bytes)
        check(answers == count, f"{answers} of {count} pings of {size_bytes} bytes were answered")


def check_transfer(sender, receiver, mebibytes=16):
    seconds, sent, got = fetch_file(sender, receiver, mebibytes)
    check(sent == got, f"the file changed on its way from {sender.name}: {sent}, then {got}")
    note(f"{mebibytes} MiB from {sender.name} to {receiver.name} in {seconds:.2f} s, "
         f"checksum {got[:16]}...")


def count_features(guest, present=(), absent=()):
    features = guest.features()
    for bit in present:
        check(bit in features, f"guest {guest.name} has not negotiated feature {bit}")
    for bit in absent:
        check(bit not in features, f"guest {guest.name} has negotiated feature {bit}")


def sniffed(output):
    return {key: int(value) for key, value in
            (line.split() for line in output.splitlines() if not line.startswith("gro"))}


def transfer_and_sniff(sender, receiver):
    """A transfer while the receiver looks at each frame as its card delivers it."""
    receiver.start_command("nettool gro eth0 off && exec nettool sniff eth0 300", "sniff")
    check_transfer(sender, receiver, 8)
    receiver.exec("killall nettool")
    status, output = receiver.finish_command("sniff")
    check(status == 0, f"sniffing failed: {output}")
    seen = sniffed(output)
    note("seen by the receiver: " + ", ".join(f"{key} {value}" for key, value in seen.items()))
    check(seen["bytes"] >= 8 << 20, "the receiver has not seen the transfer")
    return seen


def ping_and_files(lab):
    """Two guests ping each other and send files both ways."""
    switch, footprint, a, b = start_pair(lab)
    count_features(a, present=(NET_F_MRG_RXBUF, F_INDIRECT_DESC, F_EVENT_IDX, F_VERSION_1))
    check_ping(a, b)
    check_ping(b, a, sizes=(56, 60000))
    check_transfer(a, b)
    check_transfer(b, a)
    finish(switch, footprint, a, b)


def large_segments(lab):
    """TCP segments larger than the MTU cross the switch whole when both guests take them."""
    switch, footprint, a, b = start_pair(lab)
    for guest in (a, b):
        count_features(guest, present=(NET_F_CSUM, NET_F_HOST_TSO4, NET_F_GUEST_TSO4))
    before = switch.stats()["a"]
    seen = transfer_and_sniff(a, b)
    after = switch.stats()["a"]
    check(seen["over_mtu"] > 0 and seen["gso"] > 0, "no frame larger than the MTU arrived")
    check(seen["largest"] > 10000, f"the largest frame had {seen['largest']} bytes only")
    check(seen["csum_partial"] > 0, "no frame came with its checksum left to the receiver")
    packets = after["in_packets"] - before["in_packets"]
    average_bytes = (after["in_bytes"] - before["in_bytes"]) / packets
    check(average_bytes > 1518,
          f"frames through the switch had {average_bytes:.0f} bytes on average")
    note(f"frames from {a.name} had {average_bytes:.0f} bytes on average")
    finish(switch, footprint, a, b)


def segments_for_a_plain_guest(lab):
    """A guest without offloads gets segments that fit and checksums that are right."""
    switch, footprint, a, b = start_pair(lab, right={"offloads": False})
    count_features(a, present=(NET_F_CSUM, NET_F_HOST_TSO4))
    count_features(b, absent=(NET_F_CSUM, NET_F_HOST_TSO4, NET_F_GUEST_TSO4))
    check_ping(a, b)
    seen = transfer_and_sniff(a, b)
    check(seen["largest"] <= 1514 and seen["gso"] == 0, "a frame larger than the MTU arrived")
    check_transfer(b, a)
    finish(switch, footprint, a, b)


def plain_rings(lab):
    """No mergeable buffers, indirect descriptors or event index."""
    plain = {"device": {"mrg_rxbuf": "off", "indirect_desc": "off", "event_idx": "off"}}
    switch, footprint, a, b = start_pair(lab, left=plain, right=plain)
    count_features(a, present=(F_VERSION_1,),
                   absent=(NET_F_MRG_RXBUF, F_INDIRECT_DESC, F_EVENT_IDX))
    check_ping(a, b)
    check_transfer(a, b)
    check_transfer(b, a)
    finish(switch, footprint, a, b)


def packed_rings(lab):
    """Packed rings on both sides, with offloads, and through a reboot."""
    packed = {"device": {"packed": "on"}}
    switch, footprint, a, b = start_pair(lab, left=packed, right=packed)
    for guest in (a, b):
        count_features(guest, present=(F_RING_PACKED, F_EVENT_IDX, NET_F_HOST_TSO4))
    check_ping(a, b)
    seen = transfer_and_sniff(a, b)
    check(seen["gso"] > 0, "no frame larger than the MTU arrived")
    b.reboot()
    check_ping(a, b)
    check_transfer(b, a)
    finish(switch, footprint, a, b)


def packed_and_plain(lab):
    """A packed ring without event index, indirect or mergeable buffers talks to a split one."""
    switch, footprint, a, b = start_pair(lab, left={"device": {
        "packed": "on", "mrg_rxbuf": "off", "indirect_desc": "off", "event_idx": "off"}})
    count_features(a, present=(F_RING_PACKED,),
                   absent=(NET_F_MRG_RXBUF, F_INDIRECT_DESC, F_EVENT_IDX))
    count_features(b, absent=(F_RING_PACKED,))
    check_ping(a, b)
    check_transfer(a, b)
    check_transfer(b, a)
    finish(switch, footprint, a, b)


def legacy_guest(lab):
    """A guest with the interface of before virtio 1.0 talks to a modern one."""
    switch, footprint, a, b = start_pair(
        lab, left={"device": {"disable-modern": "on", "disable-legacy": "off"}})
    count_features(a, absent=(F_VERSION_1,))
    count_features(b, present=(F_VERSION_1,))
    check_ping(a, b)
    check_transfer(a, b)
    check_transfer(b, a)
    finish(switch, footprint, a, b)


def driver_counters(guest):
    return {name: int(value) for name, value in
            (line.split() for line in guest.exec("nettool stats eth0").splitlines())}


def two_queues(lab):
    """Guests with two queue pairs each."""
    switch, footprint, a, b = start_pair(lab, "queues=2", {"queues": 2}, {"queues": 2})
    for guest in (a, b):
        count_features(guest, present=(NET_F_MQ,))
        check("channels 2 of 2" in guest.exec("nettool offloads eth0"),
              f"guest {guest.name} does not use two channels")
    check(switch.stats()["a"]["pairs"] == 2, "the switch does not serve two queue pairs")
    check_ping(a, b)
    # Several connections at once, from both virtual CPUs, so that both queues carry some.
    a.exec("dd if=/dev/urandom of=/tmp/file bs=1M count=2 2>/dev/null")
    wanted = a.exec("sha256sum < /tmp/file").split()[0]
    ports = range(7001, 7009)
    for port in ports:
        a.exec(f"taskset {1 + port % 2} nettool serve {port} /tmp/file")
    for port in ports:
        b.start_command(f"nettool fetch {a.address} {port} /tmp/got{port} && "
                        f"sha256sum < /tmp/got{port}; rm /tmp/got{port}", f"fetch{port}")
    for port in ports:
        _, output = b.finish_command(f"fetch{port}")
        check(wanted in output, f"the file from port {port} changed on its way: {output}")
    a.exec("killall nettool")
    for guest, name in ((a, "tx_queue_{}_bytes"), (b, "rx_queue_{}_bytes")):
        counters = driver_counters(guest)
        used = [counters[name.format(queue)] for queue in (0, 1)]
        note(f"bytes per queue in guest {guest.name}: {used}")
        check(min(used) > 10000, f"a queue of guest {guest.name} was left out: {used} bytes")
    check_transfer(b, a)
    finish(switch, footprint, a, b)


def jumbo_mtu(lab):
    """Guests with an MTU of 9000 exchange frames of that size, with and without offloads."""
    switch, footprint, a, b = start_pair(lab, left={"mtu": 9000, "offloads": False},
                                         right={"mtu": 9000})
    a.exec("ip link show eth0 | grep -q 'mtu 9000'")
    check_ping(a, b, sizes=(8000, 8972))
    check_ping(b, a, sizes=(8972,))
    seen = transfer_and_sniff(a, b)
    check(1518 < seen["largest"] <= 9014, f"the largest frame had {seen['largest']} bytes")
    check_transfer(b, a)
    finish(switch, footprint, a, b)


def three_guests(lab):
    """A third guest joins, all pairs talk, and unicast between two does not reach it."""
    build_guest(note)
    switch = Switch(lab, {"a": "", "b": "", "c": "client"})
    footprint = Footprint(switch)
    a = VM(lab, "a", lab.path("a.sock"), ip="10.0.0.1/24").start()
    b = VM(lab, "b", lab.path("b.sock"), ip="10.0.0.2/24").start()
    c = VM(lab, "c", lab.path("c.sock"), ip="10.0.0.3/24", listen=True).start()
    for guest in (a, b, c):
        guest.wait_ready()
    for sender, receiver in ((a, b), (b, c), (c, a)):
        check_ping(sender, receiver, sizes=(56,), count=5)
    before = switch.stats()["c"]["out_packets"]
    check_transfer(a, b, 4)
    flooded = switch.stats()["c"]["out_packets"] - before
    check(flooded < 50, f"{flooded} frames of others' traffic were sent to the third guest")
    finish(switch, footprint, a, b, c)


if __name__ == "__main__":
    run_tests(ping_and_files, large_segments, segments_for_a_plain_guest, plain_rings,
              packed_rings, packed_and_plain, legacy_guest, two_queues, jumbo_mtu, three_guests)
