/* SPDX-License-Identifier: BSD-3-Clause */
#include "numbered.h"

#include <string.h>

#include "flow.h"
#include "packets.h"
#include "tap.h"

static uint8_t expected[70000], got[70000];

uint32_t
numbered_bytes(uint32_t number)
{
	return number % 7 == 0 ? 2000 + number % 5000 : 60 + number * 37 % 1400;
}

struct rte_mbuf *
numbered_mbuf(struct rte_mempool *pool, uint32_t number)
{
	return packet_pattern(pool, number, numbered_bytes(number), number % 3 == 0 ? 700 : 0);
}

void
numbered_came_back(struct rte_mbuf **pkts, unsigned n, uint32_t first)
{
	for (unsigned i = 0; i < n; i++) {
		CHECK(packet_is_pattern(pkts[i], first + i, numbered_bytes(first + i)));
		CHECK_EQ(rte_mbuf_refcnt_read(pkts[i]), 1);
		rte_pktmbuf_free(pkts[i]);
	}
}

void
numbered_arrived(struct guest_rx *rx, uint32_t first, unsigned n)
{
	struct guest_net_hdr hdr;

	for (uint32_t i = first; i < first + n; i++) {
		guest_pattern(i, expected, numbered_bytes(i));
		CHECK_EQ(guest_rx_recv(rx, &hdr, got, sizeof(got), NULL), numbered_bytes(i));
		CHECK(memcmp(expected, got, numbered_bytes(i)) == 0);
	}
}

void
numbered_send(struct guest_tx *tx, uint32_t first, unsigned n)
{
	uint32_t cuts[2] = {12, 500};

	for (uint32_t i = first; i < first + n; i++) {
		tx->vq->indirect = i % 2 == 0;
		guest_pattern(i, expected, numbered_bytes(i));
		CHECK(guest_tx_post(tx, NULL, expected, numbered_bytes(i), cuts, i % 3) >= 0);
	}
}
