#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The switch at work: ports, learning, flooding, offloads, uplinks.

Usage: test_switching.py SWITCH GUEST
"""
import os
import re
import signal
import socket
import sys

import lab as laboratory
from frames import (BROADCAST, LOCAL, Segment, ether, read_pcap, tcp_frame, udp_frame, write_pcap)

SILENT = "02:00:00:00:00:99"  # an address nobody has


def three_guests(lab, *args):
    switch = lab.switch("-p", "a.sock", "-p", "b.sock", "-p", "c.sock", "-w", "2", "-i", "0", *args)
    guests = [lab.guest(name, number)
              for number, name in enumerate(("a.sock", "b.sock", "c.sock"), 1)]
    for guest in guests:
        guest.ready()
    for _ in guests:
        switch.wait(": up, ")
    return switch, guests


def expect(guest, *frames):
    """These frames, in this order, and nothing before or between them."""
    for frame in frames:
        got = guest.recv_frame()
        assert got == frame, "guest %s got %s instead of %s" % (guest.mac, got.hex(), frame.hex())


def mark(sender, receivers, text):
    """A broadcast that proves that nothing else was on its way."""
    frame = ether(BROADCAST, sender.mac, text)
    sender.send(frame)
    for receiver in receivers:
        expect(receiver, frame)


def switch_line(switch):
    """The line of the statistics that is about the switch as a whole."""
    switch.stats()
    return [line for line in switch.out.lines if line.startswith("stats: switch ")][-1]


def switch_end(switch):
    """The same, as it was when the switch ended."""
    return [line for line in switch.out.lines if line.startswith("stats: switch ")][-1]


def test_ports_come_and_go(lab):
    switch = lab.switch("-p", "a.sock", "-i", "0")
    assert switch.stats()["a"]["state"] == "listening"
    for number in (1, 2):
        guest = lab.guest("a.sock", number).ready()
        switch.wait("port a: connected")
        line = switch.wait("port a: up, 1 queue pair, features: ")
        assert " v1" in line and " mrg" in line, line
        assert switch.stats()["a"]["state"] == "up"
        guest.close()
        switch.wait("port a: down")
        switch.wait("port a: disconnected")
        assert switch.stats()["a"]["state"] == "listening"
    assert switch.stop() == 0


def test_broadcast_reaches_everybody_else(lab):
    switch, (a, b, c) = three_guests(lab)
    mark(a, (b, c), b"from a")
    mark(b, (a, c), b"from b")
    stats = switch.stats()
    assert stats["a"]["in_packets"] == 1 and stats["a"]["in_bytes"] == 60, stats
    assert stats["c"]["out_packets"] == 2 and stats["c"]["out_bytes"] == 120, stats
    assert all(port["drops"] == 0 for port in stats.values()), stats


def test_multicast_is_flooded_and_link_local_is_not(lab):
    switch, (a, b, c) = three_guests(lab)
    group = ether("01:00:5e:00:00:fb", a.mac, b"mdns")
    a.send(group)
    a.send(ether("01:80:c2:00:00:00", a.mac, b"spanning tree"))
    a.send(ether("01:80:c2:00:00:0e", a.mac, b"lldp"))
    expect(b, group)
    expect(c, group)
    mark(a, (b, c), b"end")
    assert switch.stats()["a"]["drop_reserved"] == 2


def test_unknown_is_flooded_then_learned(lab):
    switch, (a, b, c) = three_guests(lab)
    first = ether(b.mac, a.mac, b"where are you")
    a.send(first)
    expect(b, first)
    expect(c, first)
    answer = ether(a.mac, b.mac, b"here")
    b.send(answer)
    expect(a, answer)
    second = ether(b.mac, a.mac, b"for you alone")
    a.send(second)
    expect(b, second)
    mark(a, (b, c), b"end")  # c saw neither the answer nor the second
    assert switch.stop() == 0
    assert any(line.startswith("stats: switch") and "addresses=2" in line
               for line in switch.out.lines)


def test_vlans_are_learned_apart(lab):
    _, (a, b, c) = three_guests(lab)
    mark(b, (a, c), b"untagged")
    tagged = ether(b.mac, a.mac, b"tagged", vlan=5)
    a.send(tagged)
    expect(b, tagged)
    expect(c, tagged)
    mark(a, (b, c), b"end")


def test_an_address_that_moves_is_followed(lab):
    _, (a, b, c) = three_guests(lab)
    roaming = "02:00:00:00:00:77"
    for at, elsewhere in ((b, c), (c, b)):
        here = ether(BROADCAST, roaming, b"here")
        at.send(here)
        expect(a, here)
        expect(elsewhere, here)
        frame = ether(roaming, a.mac, b"follow")
        a.send(frame)
        expect(at, frame)
    mark(a, (b, c), b"end")


def test_an_old_address_is_forgotten(lab):
    switch, (a, b, c) = three_guests(lab, "--age", "2")
    mark(b, (a, c), b"i am b")
    frame = ether(b.mac, a.mac, b"known")
    a.send(frame)
    expect(b, frame)
    laboratory.until(lambda: "addresses=0" in switch_line(switch))
    frame = ether(b.mac, a.mac, b"forgotten")
    a.send(frame)
    expect(b, frame)
    expect(c, frame)


def test_frames_to_where_they_came_from_stop(lab):
    switch, (a, b, c) = three_guests(lab)
    mark(a, (b, c), b"learn me")
    a.send(ether(a.mac, a.mac, b"to myself"))
    mark(a, (b, c), b"end")
    assert switch.stats()["a"]["drop_same_port"] == 1


def test_improper_frames_stop(lab):
    switch, (a, b, c) = three_guests(lab)
    a.send(b"\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00")
    a.send(ether(BROADCAST, "03:00:00:00:00:01", b"a group as the source"))
    mark(a, (b, c), b"end")
    stats = switch.stats()
    assert stats["a"]["drop_runt"] == 2 and stats["a"]["in_packets"] == 3, stats["a"]


def test_alone_there_is_nobody_to_hear(lab):
    switch = lab.switch("-p", "a.sock", "-i", "0")
    guest = lab.guest("a.sock", 1).ready()
    switch.wait(": up, ")
    guest.send(ether(BROADCAST, guest.mac, b"hello?"))
    laboratory.until(lambda: switch.stats()["a"]["drop_no_port"] == 1)


def test_one_port_cannot_fill_the_address_table(lab):
    switch = lab.switch("-p", "a.sock,macs=4", "-p", "b.sock", "-i", "0")
    a, b = lab.guest("a.sock", 1).ready(), lab.guest("b.sock", 2).ready()
    for _ in (a, b):
        switch.wait(": up, ")
    for number in range(20):
        frame = ether(BROADCAST, "02:11:00:00:00:%02x" % number, b"flood")
        a.send(frame)
        expect(b, frame)
    assert "addresses=4" in switch_line(switch)


def test_a_full_table_floods_and_learns_again_after_ageing(lab):
    switch, (a, b, c) = three_guests(lab, "--fdb-size", "16", "--age", "2")
    for group in (1, 2):
        addresses = ["02:22:00:00:%02x:%02x" % (group, number) for number in range(16)]
        for address in addresses:
            mark_frame = ether(BROADCAST, address, b"me too")
            a.send(mark_frame)
            expect(b, mark_frame)
            expect(c, mark_frame)
        assert "addresses=0" not in switch_line(switch)
        frame = ether(addresses[0], b.mac, b"for a alone")
        b.send(frame)
        expect(a, frame)
        laboratory.until(lambda: "addresses=0" in switch_line(switch))
    mark(b, (a, c), b"end")


def test_several_frontends_share_a_path(lab):
    switch = lab.switch("-p", "a.sock", "-i", "0")
    guests = [lab.guest("a.sock", number).ready() for number in (1, 2, 3)]
    for _ in guests:
        switch.wait(": up, ")
    assert set(switch.stats()) == {"a", "a.2", "a.3"}
    mark(guests[0], guests[1:], b"all on one path")
    guests[1].close()
    switch.wait(": disconnected")
    mark(guests[0], guests[2:], b"still there")
    guests[1] = lab.guest("a.sock", 4).ready()
    switch.wait(": up, ")
    assert set(switch.stats()) == {"a", "a.2", "a.3"}, "a free port was not reused"
    mark(guests[0], guests[1:], b"and back")
    assert switch.stop() == 0
    assert not os.path.exists(lab.path("a.sock"))


def test_a_killed_guest_is_forgotten_and_others_go_on(lab):
    switch, (a, b, c) = three_guests(lab)
    mark(b, (a, c), b"i am b")
    b.kill()
    switch.wait("port b: disconnected")
    frame = ether(b.mac, a.mac, b"b is gone: flooded")
    a.send(frame)
    expect(c, frame)
    stats = switch.stats()
    assert stats["b"]["state"] == "listening" and stats["c"]["state"] == "up", stats
    again = lab.guest("b.sock", 2).ready()
    switch.wait("port b: up, ")
    mark(a, (again, c), b"welcome back")


def test_guests_come_and_go_under_traffic(lab):
    switch, (a, b, c) = three_guests(lab)
    for number in range(6):
        for i in range(100):
            a.send(ether(BROADCAST if i % 2 else b.mac, a.mac, b"%d %d" % (number, i)))
        b.kill()
        b = lab.guest("b.sock", 2).ready()
        switch.wait("port b: up, ")
    mark_frame = ether(BROADCAST, a.mac, b"the end")
    a.send(mark_frame)
    for guest in (b, c):
        while guest.recv_frame() != mark_frame:
            pass
    stats = switch.stats()
    assert stats["c"]["out_packets"] + stats["c"]["drops"] >= 301, stats
    assert switch.stop() == 0
    assert switch_end(switch).endswith("mbufs_free=16384"), "buffers leaked: " + switch_end(switch)


def test_client_mode_reconnects(lab):
    switch = lab.switch("-p", "a.sock,client", "-p", "b.sock", "-i", "0")
    assert switch.stats()["a"]["state"] == "connecting"
    b = lab.guest("b.sock", 2).ready()
    switch.wait("port b: up, ")
    for _ in range(2):
        a = lab.guest("a.sock", 1, options=",server=1").ready()
        switch.wait("port a: up, ")
        mark(b, (a,), b"to the server side")
        mark(a, (b,), b"from the server side")
        a.close()
        switch.wait("port a: disconnected")
        assert switch.stats()["a"]["state"] == "connecting"
    assert switch.stop() == 0


def test_two_queue_pairs(lab):
    switch = lab.switch("-p", "a.sock,queues=2", "-p", "b.sock,queues=2", "-w", "2", "-i", "0")
    a = lab.guest("a.sock", 1, options=",queues=2").ready()
    b = lab.guest("b.sock", 2, options=",queues=2").ready()
    for name in ("a", "b"):
        laboratory.until(lambda name=name: switch.stats()[name]["pairs"] == 2)
    for queue in (0, 1):
        frame = ether(BROADCAST, a.mac, b"by queue %d" % queue)
        a.send(frame, queue)
        got_queue, _, _, got = b.recv()
        assert (got_queue, got) == (queue, frame), (got_queue, queue)


def offload_pair(lab, receiver_offloads, *switch_args):
    switch = lab.switch("-p", "a.sock", "-p", "b.sock", "-i", "0", *switch_args)
    a = lab.guest("a.sock", 1, "csum", "tso")
    b = lab.guest("b.sock", 2, *receiver_offloads)
    a.ready()
    b.ready()
    laboratory.until(lambda: switch.stats()["a"]["state"] == switch.stats()["b"]["state"] == "up")
    return switch, a, b


def test_checksum_request_passes_to_a_guest_that_takes_it(lab):
    switch, a, b = offload_pair(lab, ("csum", "tso"))
    assert any(": up, " in line and " guest-csum" in line for line in switch.out.lines)
    for version, l3 in ((4, 20), (6, 40)):
        for make in (tcp_frame, udp_frame):
            frame = make(b.mac, a.mac, version, b"pass it on")
            a.send_csum(frame, 14, l3)
            _, flags, _, got = b.recv()
            assert flags == "n", flags
            assert got == frame, (got.hex(), frame.hex())


def test_checksum_is_finished_for_a_guest_that_does_not(lab):
    _, a, b = offload_pair(lab, ())
    for version, l3 in ((4, 20), (6, 40)):
        for make in (tcp_frame, udp_frame):
            for payload in (b"", b"odd", b"even", bytes(range(256)) * 5):
                frame = make(b.mac, a.mac, version, payload)
                a.send_csum(frame, 14, l3)
                _, flags, _, got = b.recv()
                assert flags == "-" and len(got) == len(frame), flags
                segment = Segment(got)
                segment.check()
                assert segment.payload == payload


def test_tso_request_passes_to_a_guest_that_takes_it(lab):
    switch, a, b = offload_pair(lab, ("csum", "tso"))
    for version, l3 in ((4, 20), (6, 40)):
        payload = bytes(i * 7 % 251 for i in range(20000))
        a.send_tso(tcp_frame(b.mac, a.mac, version, payload), 14, l3, 1400)
        _, flags, mss, got = b.recv()
        assert "l" in flags and mss == 1400, (flags, mss)
        assert Segment(got).payload == payload
    assert switch.stats()["b"]["out_packets"] == 2


def check_segments(frames, payload, mss, ids, cwr=0x80):
    """What a TCP frame with sequence number 0xffffff00, id 7 and PSH|CWR must have become."""
    at = 0
    for number, frame in enumerate(frames):
        segment = Segment(frame)
        segment.check()
        last = at + len(segment.payload) == len(payload)
        assert len(segment.payload) == (len(payload) - at if last else mss)
        assert segment.payload == payload[at:at + mss]
        assert segment.seq == (0xFFFFFF00 + at) & 0xFFFFFFFF
        assert segment.flags == 0x10 | (cwr if number == 0 else 0) | (0x08 if last else 0)
        assert segment.ip_id == (7 + number if ids else None)
        at += len(segment.payload)
    assert at == len(payload)


def test_tso_is_carried_out_for_a_guest_that_does_not(lab):
    _, a, b = offload_pair(lab, ())
    payload = bytes(i * 7 % 251 for i in range(20001))
    for version, l3 in ((4, 20), (6, 40)):
        for vlan, tag in ((None, 0), (5, 4)):
            frame = tcp_frame(b.mac, a.mac, version, payload, flags=0x98, vlan=vlan)
            a.send_tso(frame, 14 + tag, l3, 1400)
            frames = [b.recv_frame() for _ in range(15)]
            check_segments(frames, payload, 1400, ids=version == 4)


def test_one_frame_suits_receivers_of_every_kind(lab):
    """Flooding shares a frame between a guest with offloads, one without, and an uplink.

    Without CWR: that would have to be cut for the first, too, which knows nothing of ECN.
    """
    write_pcap(lab.path("none.pcap"), [])
    switch, a, b = offload_pair(lab, ("csum", "tso"), "-p", "c.sock", "-u",
                                "net_pcap0,rx_pcap=none.pcap,tx_pcap=out.pcap")
    c = lab.guest("c.sock", 3).ready()
    laboratory.until(lambda: switch.stats()["c"]["state"] == "up")
    payload = bytes(i * 7 % 251 for i in range(3000))
    for version, l3 in ((4, 20), (6, 40)):
        sent = udp_frame(BROADCAST, a.mac, version, b"sum for all")
        a.send_csum(sent, 14, l3)
        _, _, _, got = b.recv()
        assert Segment(got).payload == b"sum for all"
        Segment(c.recv_frame()).check()
        a.send_tso(tcp_frame(BROADCAST, a.mac, version, payload, flags=0x18), 14, l3, 1000)
        _, flags, mss, got = b.recv()
        assert ("l" in flags, mss, Segment(got).payload) == (True, 1000, payload)
        check_segments([c.recv_frame() for _ in range(3)], payload, 1000, version == 4, cwr=0)
    assert switch.stop() == 0
    out = read_pcap(lab.path("out.pcap"))
    for number, with_ids in ((0, True), (4, False)):
        Segment(out[number]).check()
        check_segments(out[number + 1:number + 4], payload, 1000, with_ids, cwr=0)
    assert len(out) == 8


def test_linear_and_external_buffers(lab):
    switch = lab.switch("-p", "a.sock,linear", "-p", "b.sock,extbuf", "-p", "c.sock", "-i", "0")
    a, b, c = [lab.guest(name + ".sock", number).ready() for number, name in enumerate("abc", 1)]
    for _ in (a, b, c):
        switch.wait(": up, ")
    payload = bytes(i % 253 for i in range(9000))
    a.send(ether(BROADCAST, a.mac, payload))  # does not fit into one buffer
    mark(a, (b, c), b"end")
    frame = ether(BROADCAST, b.mac, payload)
    for _ in range(100):
        b.send(frame)
        expect(a, frame)
        expect(c, frame)
    assert switch.stop() == 0
    assert any(line.startswith("stats: switch") and line.endswith("mbufs_free=16384")
               for line in switch.out.lines)


def test_tso_into_very_many_pieces_is_refused(lab):
    switch, a, b = offload_pair(lab, ())
    a.send_tso(tcp_frame(b.mac, a.mac, 4, bytes(20000)), 14, 20, 16)
    laboratory.until(lambda: switch.stats()["b"]["drop_offload"] == 1)
    mark(a, (b,), b"end")


def test_features_can_be_switched_off(lab):
    switch = lab.switch("-p", "a.sock,tso=off", "-p", "b.sock,csum=off",
                        "-p", "c.sock,mrg=off,indirect=off", "-i", "0")
    for number, name in enumerate("abc", 1):
        lab.guest(name + ".sock", number, "csum", "tso").ready()
    words = {}
    for name in "abc":
        laboratory.until(lambda name=name: switch.stats()[name]["state"] == "up")
        line = [line for line in switch.out.lines if line.startswith("port %s: up" % name)][-1]
        words[name] = line.split("features: ")[1].split()
    assert "csum" in words["a"] and not {"tso4", "guest-tso4"} & set(words["a"]), words
    assert not {"csum", "tso4", "guest-csum"} & set(words["b"]) and "mrg" in words["b"], words
    assert not {"mrg", "indirect"} & set(words["c"]) and "tso4" in words["c"], words


def test_large_frames_reach_guests_with_and_without_mergeable_buffers(lab):
    switch = lab.switch("-p", "a.sock", "-p", "b.sock", "-p", "c.sock,mrg=off", "-i", "0")
    a, b, c = [lab.guest(name + ".sock", number).ready() for number, name in enumerate("abc", 1)]
    for _ in (a, b, c):
        switch.wait(": up, ")
    frame = ether(BROADCAST, a.mac, bytes(i % 253 for i in range(9000)))
    a.send(frame)
    expect(b, frame)  # over several buffers
    laboratory.until(lambda: switch.stats()["c"]["drop_ring_full"] == 1)
    mark(a, (b, c), b"end")


def test_uplink(lab):
    """Frames of a file come in, frames of guests go into a file."""
    hello = [ether(BROADCAST, SILENT, b"from outside %d" % i) for i in range(3)]
    write_pcap(lab.path("in.pcap"), hello)
    switch = lab.switch("-p", "a.sock", "-i", "0", "--uplink",
                        "net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap,infinite_rx=0")
    assert "port net_pcap0: up, uplink, 1 queue in, 1 out" in switch.out.lines
    guest = lab.guest("a.sock", 1, "csum", "tso").ready()
    # The file was read before the guest was there: nobody heard it, but it taught.
    laboratory.until(lambda: switch.stats()["a"]["state"] == "up")
    stats = switch.stats()
    assert stats["net_pcap0"]["in_packets"] == 3, stats
    known = ether(SILENT, guest.mac, b"to the outside")
    payload = bytes(i * 7 % 251 for i in range(5000))
    guest.send(known)
    guest.send_csum(udp_frame(SILENT, guest.mac, 4, b"sum"), 14, 20)
    guest.send_tso(tcp_frame(BROADCAST, guest.mac, 6, payload, flags=0x98), 14, 40, 1000)
    guest.send(ether(SILENT, guest.mac, bytes(4000)))  # longer than the MTU
    laboratory.until(lambda: switch.stats()["net_pcap0"]["drop_too_big"] == 1)
    assert switch.stop() == 0
    out = read_pcap(lab.path("out.pcap"))
    assert len(out) == 7, len(out)
    assert out[0] == known
    Segment(out[1]).check()
    check_segments(out[2:], payload, 1000, ids=False)


def test_frames_between_two_uplinks(lab):
    frames = [ether(BROADCAST, SILENT, b"%d" % i) for i in range(100)]
    write_pcap(lab.path("in.pcap"), frames)
    write_pcap(lab.path("none.pcap"), [])
    switch = lab.switch("-i", "0", "-u", "net_pcap1,rx_pcap=none.pcap,tx_pcap=out.pcap",
                        "-u", "net_pcap0,rx_pcap=in.pcap,tx_pcap=back.pcap")
    laboratory.until(lambda: switch.stats()["net_pcap0"]["in_packets"] == 100)
    stats = switch.stats()
    lost = stats["net_pcap0"]["drop_no_port"]  # read before the other was up
    assert switch.stop(signal.SIGINT) == 0
    assert read_pcap(lab.path("out.pcap")) == frames[lost:]
    assert read_pcap(lab.path("back.pcap")) == []


def test_uplink_to_the_kernel(lab):
    """A TAP device: the host's own network stack is on the other side."""
    if os.geteuid() != 0:
        raise laboratory.Skip("needs root")
    if not os.path.exists("/dev/net/tun"):
        raise laboratory.Skip("no /dev/net/tun")
    name = "vng%d" % os.getpid()
    switch = lab.switch("-p", "a.sock", "-i", "0", "-u", "net_tap0,iface=" + name)
    guest = lab.guest("a.sock", 1).ready()
    switch.wait("port a: up, ")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(LOCAL)) as host:
        host.bind((name, LOCAL))
        host.settimeout(laboratory.PATIENCE_SECONDS)
        for number in range(10):
            out = ether(SILENT, guest.mac, b"to the host %d" % number)
            guest.send(out)
            assert host.recv(2000) == out
            back = ether(guest.mac, SILENT, b"to the guest %d" % number)
            host.send(back)
            while True:  # the kernel has things of its own to say
                got = guest.recv_frame()
                if got[12:14] == back[12:14]:
                    break
            assert got == back, got.hex()
    assert switch.stop() == 0
    assert name not in (interface for _, interface in socket.if_nameindex())


def test_the_live_table_shows_traffic_features_and_drops(lab):
    """With room beside the numbers the features are there, otherwise below."""
    for columns, features_at in ((200, r"a +up +1 .* v1 in-order mrg "), (80, r"a  +v1 in-order mrg ")):
        switch = lab.switch("-p", "a.sock", "-p", "b.sock", terminal=(24, columns))
        a, b = [lab.guest(name, number).ready() for number, name in
                enumerate(("a.sock", "b.sock"), 1)]
        switch.screen(lambda picture: len([line for line in picture if re.match(r"[ab] +up ", line)])
                      == 2, "both ports up")
        mark(a, (b,), b"learn me")
        for _ in range(300):
            a.send(ether(b.mac, a.mac, bytes(1000)))
            a.send(ether(a.mac, a.mac, b"to myself"))
        mark(a, (), b"end")

        def busy(picture):
            rates = [re.match(r"a +up +1 +(\S+( k)?) +(\S+( k| M)?) ", line) for line in picture]
            return any(found and found.group(1) != "0" and found.group(3) != "0"
                       for found in rates)
        lines = switch.screen(busy, "traffic from a")
        assert all(len(line) <= columns for line in lines), lines
        assert any(re.match(features_at, line) for line in lines), lines
        lines = switch.screen(lambda picture: "drops at a: same-port 300" in picture, "the drops")
        assert any(line.startswith("port a: up, 1 queue pair") for line in lines), lines
        for guest in (a, b):
            guest.close()
        assert switch.stop() == 0


def test_signals_stop_it_under_traffic(lab):
    for number in (signal.SIGINT, signal.SIGTERM):
        switch, (a, b, c) = three_guests(lab)
        for i in range(2000):
            a.send(ether(BROADCAST if i % 2 else b.mac, a.mac, bytes(500)))
        laboratory.until(lambda: switch.stats()["a"]["in_packets"] > 100)
        assert switch.stop(number) == 0
        assert not [name for name in os.listdir(lab.folder) if name.endswith(".sock")]
        assert switch_end(switch).endswith("mbufs_free=16384"), switch_end(switch)
        for guest in (a, b, c):
            guest.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(laboratory.run_tests([value for name, value in list(globals().items())
                                   if name.startswith("test_")],
                                  [os.path.abspath(path) for path in sys.argv[1:]]))
