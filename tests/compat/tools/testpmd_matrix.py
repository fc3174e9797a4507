#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stock testpmd on our library: every path of DPDK's virtio driver.

Split and packed rings, mergeable buffers or not, in order or not, vectorized or not, one, two
and four queues. Packets go both ways and are compared byte by byte (testpmd.py).
"""

import itertools

from testpmd import exchange
from lab import run_tests


def path_test(packed, mergeable, in_order, vectorized, queues):
    def test(lab):
        exchange(lab, client=False, queues=queues, mergeable=mergeable, packed=packed,
                 frontend_extra=f",in_order={int(in_order)},vectorized={int(vectorized)}")
    words = ["packed" if packed else "split",
             "mergeable" if mergeable else "plain",
             *(["in order"] if in_order else []),
             *(["vectorized"] if vectorized else []),
             f"{queues} queue{'s' if queues > 1 else ''}"]
    test.__doc__ = "testpmd: " + ", ".join(words)
    test.__name__ = "_".join(words).replace(" ", "_")
    return test


if __name__ == "__main__":
    run_tests(*(path_test(*choice) for choice in itertools.product(
        (False, True), (True, False), (False, True), (False, True), (1, 2, 4))))
