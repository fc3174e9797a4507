/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting the packets of a burst (RTE_VHOST_USER_NET_STATS_ENABLE).
 */
#ifndef VHOST_NG_PACKET_STATS_H
#define VHOST_NG_PACKET_STATS_H

#include <linux/virtio_net.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "device/device.h"

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

/* Each VLAN tag is one more header before what the MTU limits. */
static inline uint32_t tag_bytes(const struct rte_mbuf *m)
{
	const uint8_t *type = rte_pktmbuf_mtod_offset(m, const uint8_t *, 2 * RTE_ETHER_ADDR_LEN);
	uint32_t tags = 0;

	while (tags < 2 * RTE_VLAN_HLEN && m->data_len >= RTE_ETHER_HDR_LEN + tags &&
	       ((type[tags] == 0x81 && type[tags + 1] == 0) ||
		(type[tags] == 0x88 && type[tags + 1] == 0xa8)))
		tags += RTE_VLAN_HLEN;
	return tags;
}

static COLD void count_oversized(struct vq_stats *s, const struct rte_mbuf *m, uint32_t frame_bytes)
{
	s->oversized_packets += m->pkt_len > frame_bytes + tag_bytes(m);
}

/* How long an untagged frame to the guest may be; PACKET_ANY_BYTES when nobody said. */
#define PACKET_ANY_BYTES UINT32_MAX
static ALWAYS_INLINE uint32_t packet_limit(const struct vq *vq)
{
	uint32_t mtu = __atomic_load_n(&vq->dev->mtu_bytes, __ATOMIC_RELAXED);

	if (mtu == 0 || (vq->net.features & BIT(VIRTIO_NET_F_MTU)) == 0)
		return PACKET_ANY_BYTES;
	return mtu + RTE_ETHER_HDR_LEN;
}

/*
 * At most 255 packets, with `hdr_bytes` copied for each besides. All size bins
 * are counted in one register.
 */
static ALWAYS_INLINE void packet_stats(struct vq_stats *s, struct rte_mbuf *const *pkts,
				       unsigned int n, uint32_t hdr_bytes, uint32_t limit_bytes)
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
		/* What is still to be segmented may be longer. */
		if (unlikely(m->pkt_len > limit_bytes &&
			     (m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) == 0))
			count_oversized(s, m, limit_bytes);
	}
	s->good_packets += n;
	s->good_bytes += bytes;
	s->copied_bytes += bytes + (uint64_t)n * hdr_bytes;
	for (unsigned int bin = 0; bins != 0; bin++, bins >>= SIZE_BIN_BITS)
		s->size_bins[bin] += bins & 0xff;
}

#endif
