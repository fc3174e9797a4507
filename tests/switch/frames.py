# SPDX-License-Identifier: BSD-3-Clause
"""Frames for the switch's tests: made, taken apart, their checksums verified."""
import socket
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
LOCAL = 0x88B5  # the Ethernet type set aside for experiments


def mac(text):
    return bytes(int(part, 16) for part in text.split(":"))


def ether(dst, src, payload=b"", ether_type=LOCAL, vlan=None):
    """A frame of at least 60 bytes, unless it is IP, which tells its own length."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    frame = mac(dst) + mac(src) + tag + struct.pack("!H", ether_type) + payload
    return frame if ether_type in (0x0800, 0x86DD) else frame.ljust(60, b"\0")


def ones_sum(data):
    """The 16-bit one's complement sum, not inverted."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo4(src, dst, protocol, length):
    return src + dst + struct.pack("!BBH", 0, protocol, length)


def pseudo6(src, dst, protocol, length):
    return src + dst + struct.pack("!II", length, protocol)


IP4_A, IP4_B = socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2")
IP6_A = socket.inet_pton(socket.AF_INET6, "2001:db8::1")
IP6_B = socket.inet_pton(socket.AF_INET6, "2001:db8::2")


def l4_frame(dst, src, version, protocol, l4, vlan=None):
    """L4 in IP in Ethernet; the L4 checksum field gets the pseudo-header's sum, as a guest does."""
    at = 16 if protocol == socket.IPPROTO_TCP else 6
    pseudo = (pseudo4(IP4_A, IP4_B, protocol, len(l4)) if version == 4
              else pseudo6(IP6_A, IP6_B, protocol, len(l4)))
    l4 = l4[:at] + struct.pack("!H", ones_sum(pseudo)) + l4[at + 2:]
    if version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(l4), 7, 0, 64, protocol, 0)
        total = ones_sum(head + IP4_A + IP4_B) ^ 0xFFFF
        head = head[:10] + struct.pack("!H", total) + IP4_A + IP4_B
        return ether(dst, src, head + l4, 0x0800, vlan)
    head = struct.pack("!IHBB", 0x60000000, len(l4), protocol, 64) + IP6_A + IP6_B
    return ether(dst, src, head + l4, 0x86DD, vlan)


def tcp_frame(dst, src, version, payload, flags=0x18, vlan=None):
    tcp = struct.pack("!HHIIBBHHH", 1000, 2000, 0xFFFFFF00, 5, 0x50, flags, 4096, 0, 0)
    return l4_frame(dst, src, version, socket.IPPROTO_TCP, tcp + payload, vlan)


def udp_frame(dst, src, version, payload):
    udp = struct.pack("!HHHH", 1000, 2000, 8 + len(payload), 0)
    return l4_frame(dst, src, version, socket.IPPROTO_UDP, udp + payload)


class Segment:
    """A TCP or UDP frame taken apart; check() raises when a checksum or length is wrong."""

    def __init__(self, frame):
        at = 14
        self.ether_type = struct.unpack("!H", frame[12:14])[0]
        if self.ether_type == 0x8100:
            self.ether_type, at = struct.unpack("!H", frame[16:18])[0], 18
        ip = frame[at:]
        if self.ether_type == 0x0800:
            header, self.protocol = 20, ip[9]
            total, self.ip_id = struct.unpack("!HH", ip[2:6])
            self.header_ok = ones_sum(ip[:20]) == 0xFFFF
            self.l4 = ip[header:]
            self.pseudo = pseudo4(ip[12:16], ip[16:20], self.protocol, len(self.l4))
        else:
            header, self.protocol, self.ip_id = 40, ip[6], None
            total = struct.unpack("!H", ip[4:6])[0] + 40
            self.header_ok = True
            self.l4 = ip[header:]
            self.pseudo = pseudo6(ip[8:24], ip[24:40], self.protocol, len(self.l4))
        self.length_ok = total == len(ip)
        if self.protocol == socket.IPPROTO_TCP:
            self.seq = struct.unpack("!I", self.l4[4:8])[0]
            self.flags = self.l4[13]
            self.payload = self.l4[(self.l4[12] >> 4) * 4:]
        else:
            self.payload = self.l4[8:]

    def check(self):
        assert self.length_ok, "IP length does not fit the frame"
        assert self.header_ok, "IPv4 header checksum is wrong"
        assert ones_sum(self.pseudo + self.l4) == 0xFFFF, "L4 checksum is wrong"


def write_pcap(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for frame in frames:
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def read_pcap(path):
    with open(path, "rb") as file:
        data = file.read()
    frames, at = [], 24
    while at + 16 <= len(data):
        length = struct.unpack("<IIII", data[at:at + 16])[2]
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames
