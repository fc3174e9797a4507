/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting the packets of a burst (RTE_VHOST_USER_NET_STATS_ENABLE).
 */
#ifndef VHOST_NG_PACKET_STATS_H
#define VHOST_NG_PACKET_STATS_H

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "device/stats.h"

static inline void packet_stats(struct vq_stats *s, struct rte_mbuf *const *pkts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct rte_mbuf *m = pkts[i];
		const struct rte_ether_addr *dst = rte_pktmbuf_mtod(m, const void *);

		s->good_packets++;
		s->good_bytes += m->pkt_len;
		s->size_bins[stats_size_bin(m->pkt_len)]++;
		if (unlikely(m->data_len < sizeof(*dst)))
			continue;
		if (rte_is_broadcast_ether_addr(dst))
			s->broadcast_packets++;
		else if (rte_is_multicast_ether_addr(dst))
			s->multicast_packets++;
	}
}

#endif
