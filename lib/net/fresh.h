/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fresh mbufs by the burst. An mbuf in its pool is whole already (one segment,
 * no next, one reference); only what differs from packet to packet is written,
 * all of it in the first cache line. Offload lengths (tx_offload) are for those
 * who set the flags that give them meaning.
 */
#ifndef VHOST_NG_NET_FRESH_H
#define VHOST_NG_NET_FRESH_H

#include <rte_mbuf.h>

#include "base/defs.h"

/* What every mbuf of a pool starts with. */
struct fresh_start {
	uint64_t rearm; /* data_off, refcnt, nb_segs, port */
	uint64_t ol_flags;
	uint16_t headroom_bytes;
};

static ALWAYS_INLINE struct fresh_start fresh_start_of(struct rte_mempool *pool)
{
	bool pinned = (rte_pktmbuf_priv_flags(pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF) != 0;
	struct fresh_start start = {
		.ol_flags = pinned ? RTE_MBUF_F_EXTERNAL : 0,
		.headroom_bytes = RTE_MIN((uint16_t)RTE_PKTMBUF_HEADROOM,
					  rte_pktmbuf_data_room_size(pool)),
	};
	struct rte_mbuf m;

	m.data_off = start.headroom_bytes;
	rte_mbuf_refcnt_set(&m, 1);
	m.nb_segs = 1;
	m.port = RTE_MBUF_PORT_INVALID;
	memcpy(&start.rearm, &m.rearm_data, sizeof(start.rearm));
	return start;
}

/* Does one segment hold `len` bytes? Not for a length of 0, or that went below it. */
static ALWAYS_INLINE bool fresh_fits(const struct rte_mbuf *m, const struct fresh_start *start,
				     uint32_t len)
{
	return len - 1 < (uint32_t)m->buf_len - start->headroom_bytes;
}

static ALWAYS_INLINE uint8_t *fresh_data(const struct rte_mbuf *m, const struct fresh_start *start)
{
	return (uint8_t *)m->buf_addr + start->headroom_bytes;
}

/* An mbuf that holds `len` bytes in one segment (or will: its lengths may be set again). */
static ALWAYS_INLINE void fresh_set(struct rte_mbuf *m, const struct fresh_start *start,
				    uint32_t len)
{
	/* packet_type, pkt_len; data_len, vlan_tci, hash.rss */
	const uint64_t words[2] = { (uint64_t)len << 32, (uint16_t)len };

	memcpy(&m->rearm_data, &start->rearm, sizeof(start->rearm));
	m->ol_flags = start->ol_flags;
	memcpy(&m->rx_descriptor_fields1, words, sizeof(words));
}

/* `n` mbufs, or as many as the pool has left. */
static ALWAYS_INLINE unsigned int fresh_take(struct rte_mempool *pool, struct rte_mbuf **out,
					     unsigned int n)
{
	unsigned int got = 0;

	if (likely(rte_mempool_get_bulk(pool, (void **)out, n) == 0))
		return n;
	while (got < n && rte_mempool_get(pool, (void **)&out[got]) == 0)
		got++;
	return got;
}

#endif
