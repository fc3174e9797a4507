/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting the packets of a burst (RTE_VHOST_USER_NET_STATS_ENABLE).
 */
#ifndef VHOST_NG_PACKET_STATS_H
#define VHOST_NG_PACKET_STATS_H

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "device/stats.h"

#define SIZE_BIN_BITS 8 /* counts up to 255 packets of a burst */
_Static_assert(STATS_SIZE_BINS * SIZE_BIN_BITS == 64, "all bins in one word");

static ALWAYS_INLINE void count_group(struct vq_stats *s, const struct rte_mbuf *m)
{
	const struct rte_ether_addr *dst = rte_pktmbuf_mtod(m, const void *);

	if (rte_is_broadcast_ether_addr(dst))
		s->broadcast_packets++;
	else
		s->multicast_packets++;
}

/* At most 255 packets. All size bins are counted in one register. */
static ALWAYS_INLINE void packet_stats(struct vq_stats *s, struct rte_mbuf *const *pkts,
				       unsigned int n)
{
	uint64_t bytes = 0, bins = 0;

	for (unsigned int i = 0; i < n; i++) {
		const struct rte_mbuf *m = pkts[i];

		bytes += m->pkt_len;
		bins += UINT64_C(1) << (SIZE_BIN_BITS * stats_size_bin(m->pkt_len));
		/* The group bit is the first on the wire. */
		if (unlikely(m->data_len >= sizeof(struct rte_ether_addr) &&
			     (*rte_pktmbuf_mtod(m, const uint8_t *) & 1) != 0))
			count_group(s, m);
	}
	s->good_packets += n;
	s->good_bytes += bytes;
	for (unsigned int bin = 0; bins != 0; bin++, bins >>= SIZE_BIN_BITS)
		s->size_bins[bin] += bins & 0xff;
}

#endif
