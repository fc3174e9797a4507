/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting the packets of a burst (RTE_VHOST_USER_NET_STATS_ENABLE).
 */
#ifndef VHOST_NG_PACKET_STATS_H
#define VHOST_NG_PACKET_STATS_H

#ifdef __AVX2__
#include <immintrin.h>
#endif
#include <linux/virtio_net.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "copy/plan.h"
#include "net.h"

#define SIZE_BIN_BITS 8 /* counts up to 255 packets */
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

/* What is rare: groups and packets above the limit. */
static ALWAYS_INLINE void count_rare(struct vq_stats *s, const struct rte_mbuf *m,
				     uint32_t limit_bytes)
{
	/* The group bit is the first on the wire. */
	if (m->data_len >= sizeof(struct rte_ether_addr) &&
	    (*rte_pktmbuf_mtod(m, const uint8_t *) & 1) != 0)
		count_group(s, m);
	/* What is still to be segmented may be longer. */
	if (m->pkt_len > limit_bytes &&
	    (m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) == 0)
		count_oversized(s, m, limit_bytes);
}

/* One packet of any shape, with `hdr_bytes` copied besides. */
static ALWAYS_INLINE void packet_stats(struct vq_stats *s, const struct rte_mbuf *m,
				       uint32_t hdr_bytes, uint32_t limit_bytes)
{
	s->good_packets++;
	s->good_bytes += m->pkt_len;
	s->copied_bytes += m->pkt_len + hdr_bytes;
	s->size_bins[stats_size_bin(m->pkt_len)]++;
	count_rare(s, m, limit_bytes);
}

/* --- runs --------------------------------------------------------------- */

#ifdef __AVX2__
#define LANES 8
_Static_assert(sizeof(struct copy_seg) == 24 && offsetof(struct copy_seg, len_bytes) == 16,
	       "load_lens() knows where the lengths are");
_Static_assert(BURST_PACKETS / LANES < 16, "a lane counts in four bits");

/* Four lengths in every other lane; the rest is of no meaning. */
static ALWAYS_INLINE __m256i load_four(const struct copy_seg *segs)
{
	const __m256i *at = (const void *)segs;
	__m256i first = _mm256_blend_epi32(_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1), 0x04);

	return _mm256_blend_epi32(first, _mm256_loadu_si256(at + 2), 0x41);
}

/* Eight lengths; which lane has that of which segment. */
#define SEG_OF_LANE _mm256_setr_epi32(2, 6, 1, 5, 0, 4, 3, 7)
static ALWAYS_INLINE __m256i load_lens(const struct copy_seg *segs)
{
	return _mm256_blend_epi32(load_four(segs), _mm256_slli_epi64(load_four(segs + 4), 32), 0xaa);
}

/* Minus the bin of each length: a comparison is 0 or -1. */
static ALWAYS_INLINE __m256i minus_bins(__m256i len)
{
	static const int32_t edges[] = { 63, 64, 127, 255, 511, 1023, 1518 };
	__m256i bins = _mm256_setzero_si256();

	for (unsigned int i = 0; i < ARRAY_LEN(edges); i++)
		bins = _mm256_add_epi32(bins, _mm256_cmpgt_epi32(len, _mm256_set1_epi32(edges[i])));
	return bins;
}

/* Adds what each lane counted, four bits a bin. */
static ALWAYS_INLINE void add_bins(struct vq_stats *s, __m256i bins, unsigned int unused)
{
	const __m256i low = _mm256_set1_epi8(0x0f);
	__m256i *at = (void *)s->size_bins;
	__m256i even = _mm256_and_si256(bins, low);
	__m256i odd = _mm256_and_si256(_mm256_srli_epi32(bins, 4), low);
	__m256i both = _mm256_add_epi8(_mm256_unpacklo_epi8(even, odd),
				       _mm256_unpackhi_epi8(even, odd));
	__m128i sum = _mm_add_epi8(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));

	sum = _mm_add_epi8(sum, _mm_unpackhi_epi64(sum, sum));
	_mm256_storeu_si256(at, _mm256_add_epi64(_mm256_loadu_si256(at), _mm256_cvtepu8_epi64(sum)));
	_mm256_storeu_si256(at + 1, _mm256_add_epi64(_mm256_loadu_si256(at + 1),
						     _mm256_cvtepu8_epi64(_mm_srli_si128(sum, 4))));
	s->size_bins[0] -= unused;
}

static ALWAYS_INLINE uint32_t add_lanes(__m256i v)
{
	__m128i sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
	return (uint32_t)_mm_cvtsi128_si32(sum) + (uint32_t)_mm_extract_epi32(sum, 1);
}

/* Counts sizes; the sum, and whether one is above the limit. */
static ALWAYS_INLINE uint64_t count_sizes(struct vq_stats *s, const struct copy_seg *segs,
					  unsigned int n, uint32_t limit_bytes, bool *above)
{
	const __m256i limit = _mm256_set1_epi32((int)RTE_MIN(limit_bytes, (uint32_t)INT32_MAX));
	const __m256i one = _mm256_set1_epi32(1);
	__m256i left = _mm256_sub_epi32(_mm256_set1_epi32((int)n), SEG_OF_LANE);
	__m256i sum = _mm256_setzero_si256(), bins = sum, over = sum;

	for (unsigned int i = 0; i < n; i += LANES) {
		__m256i used = _mm256_cmpgt_epi32(left, _mm256_setzero_si256());
		__m256i len = _mm256_and_si256(load_lens(segs + i), used);
		__m256i shift = _mm256_slli_epi32(_mm256_abs_epi32(minus_bins(len)), 2);

		bins = _mm256_add_epi32(bins, _mm256_sllv_epi32(one, shift));
		sum = _mm256_add_epi32(sum, len);
		over = _mm256_or_si256(over, _mm256_cmpgt_epi32(len, limit));
		left = _mm256_sub_epi32(left, _mm256_set1_epi32(LANES));
	}
	add_bins(s, bins, -n & (LANES - 1));
	*above = !_mm256_testz_si256(over, over);
	return add_lanes(sum);
}
#else
static ALWAYS_INLINE uint64_t count_sizes(struct vq_stats *s, const struct copy_seg *segs,
					  unsigned int n, uint32_t limit_bytes, bool *above)
{
	uint64_t bytes = 0, bins = 0;

	*above = false;
	/* All bins in one register. */
	for (unsigned int i = 0; i < n; i++) {
		uint32_t len = segs[i].len_bytes;

		bytes += len;
		bins += UINT64_C(1) << (SIZE_BIN_BITS * stats_size_bin(len));
		*above |= len > limit_bytes;
	}
	for (unsigned int bin = 0; bins != 0; bin++, bins >>= SIZE_BIN_BITS)
		s->size_bins[bin] += bins & 0xff;
	return bytes;
}
#endif

/*
 * The packets of a run, each whole in one segment of a plan. Out of line: who
 * does not count shall not carry it along.
 */
static ALWAYS_INLINE void run_stats(struct vq_stats *s, struct rte_mbuf *const *pkts,
				    unsigned int n, const struct copy_seg *segs, bool to_guest,
				    uint32_t hdr_bytes, uint32_t limit_bytes)
{
	uint8_t firsts = 0;
	uint64_t bytes;
	bool above;

#pragma GCC unroll 4
	for (unsigned int i = 0; i < n; i++)
		firsts |= *(const uint8_t *)(to_guest ? segs[i].src : segs[i].dst);
	bytes = count_sizes(s, segs, n, limit_bytes, &above);
	s->good_packets += n;
	s->good_bytes += bytes;
	s->copied_bytes += bytes + (uint64_t)n * hdr_bytes;
	if (unlikely((firsts & 1) != 0 || above))
		for (unsigned int i = 0; i < n; i++)
			count_rare(s, pkts[i], limit_bytes);
}

static NOINLINE void run_stats_g2h(struct vq *vq, struct rte_mbuf *const *pkts, unsigned int n,
				   const struct plan *plan, uint32_t hdr_bytes)
{
	run_stats(&vq->stats, pkts, n, plan->segs, false, hdr_bytes, PACKET_ANY_BYTES);
}

static NOINLINE void run_stats_h2g(struct vq *vq, struct rte_mbuf *const *pkts, unsigned int n,
				   const struct plan *plan, uint32_t hdr_bytes)
{
	run_stats(&vq->stats, pkts, n, plan->segs, true, hdr_bytes, packet_limit(vq));
}

#endif
