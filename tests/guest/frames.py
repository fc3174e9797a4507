# SPDX-License-Identifier: BSD-3-Clause
"""Frames with known content and the pcap files that carry them to and from testpmd.

Used by tests/compat/tools/testpmd.py and scripts/demo.
"""

import random
import struct
from pathlib import Path

from lab import check

PCAP_HEADER_BYTES = 24
RECORD_HEADER_BYTES = 16


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def random_frames(count, sizes, seed, source="02:00:00:00:00:01", destination="02:00:00:00:00:02"):
    """Frames of random content and length within sizes; the first ones have edge lengths."""
    rng = random.Random(f"{seed} {sizes}")
    head = mac_bytes(destination) + mac_bytes(source) + b"\x88\xb5"
    edges = [size for size in (60, 61, 64, 65, 127, 128, 255, 256, 257, 1513, 1514, sizes[1])
             if sizes[0] <= size <= sizes[1]]
    frames = []
    for number in range(count):
        size = edges[number] if number < len(edges) else rng.randint(*sizes)
        tag = struct.pack(">I", number)
        frames.append(head + tag + rng.randbytes(size - len(head) - len(tag)))
    return frames


def frames_between(source, destination, count):
    return random_frames(count, (60, 1514), source, source, destination)


def write_pcap(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def read_pcap(path):
    data = Path(path).read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    frames = []
    offset = PCAP_HEADER_BYTES
    while offset + RECORD_HEADER_BYTES <= len(data):
        length = struct.unpack_from(order + "I", data, offset + 8)[0]
        offset += RECORD_HEADER_BYTES
        frames.append(data[offset:offset + length])
        offset += length
    return frames


def pcap_bytes(frames):
    """Size of a pcap file with these frames."""
    return PCAP_HEADER_BYTES + sum(RECORD_HEADER_BYTES + len(frame) for frame in frames)


def compare(got, sent, what):
    check(len(got) == len(sent), f"{what}: {len(got)} packets arrived of {len(sent)}")
    for number, (left, right) in enumerate(zip(got, sent)):
        if left != right:
            differ = [index for index, pair in enumerate(zip(left, right)) if pair[0] != pair[1]]
            check(False, f"{what}: packet {number} differs: {len(left)} bytes for {len(right)}, "
                         f"first at byte {differ[0] if differ else min(len(left), len(right))}")


def compare_subset(got, sent):
    """Fails unless got is sent with some frames missing: in order, every byte the same."""
    remaining = iter(sent)
    for number, frame in enumerate(got):
        check(any(frame == candidate for candidate in remaining),
              f"frame {number} of {len(frame)} bytes was never sent, or is out of order")
