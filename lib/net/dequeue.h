/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest to host: chains to mbufs, for any ring kind.
 *
 * Usual packets, in one piece that fits one mbuf, go in runs: a run takes up to
 * BURST_PACKETS chains and plans where their bytes go (their memory is on its
 * way meanwhile), then copies, then looks at the headers, then gives the chains
 * back. Any other chain goes alone.
 */
#ifndef VHOST_NG_DEQUEUE_H
#define VHOST_NG_DEQUEUE_H

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "copy/plan.h"
#include "fresh.h"
#include "hdr.h"
#include "net.h"
#include "packet_stats.h"

static void extbuf_free(void *addr, void *opaque)
{
	(void)addr;
	rte_free(opaque);
}

/*
 * Gives the mbuf a buffer of its own, large enough for the packet. Not one whose
 * own is pinned to it: nobody would ever take ours away again.
 */
static NOINLINE bool attach_extbuf(struct rte_mbuf *m, uint32_t pkt_bytes)
{
	struct rte_mbuf_ext_shared_info *shinfo;
	uint32_t total = RTE_PKTMBUF_HEADROOM + pkt_bytes;
	uint16_t buf_bytes;
	rte_iova_t iova;
	void *buf;

	total += (uint32_t)(sizeof(*shinfo) + sizeof(uintptr_t));
	total = RTE_ALIGN_CEIL(total, (uint32_t)sizeof(uintptr_t));
	if (total > UINT16_MAX || RTE_MBUF_HAS_PINNED_EXTBUF(m))
		return false;
	buf_bytes = (uint16_t)total;
	buf = rte_malloc(NULL, total, RTE_CACHE_LINE_SIZE);
	if (buf == NULL)
		return false;
	shinfo = rte_pktmbuf_ext_shinfo_init_helper(buf, &buf_bytes, extbuf_free, buf);
	if (shinfo == NULL) {
		rte_free(buf);
		return false;
	}
	iova = rte_malloc_virt2iova(buf);
	rte_pktmbuf_attach_extbuf(m, buf, iova, buf_bytes, shinfo);
	rte_pktmbuf_reset_headroom(m);
	return true;
}

/* Why a chain holds no packet; RING_FAULT_NONE when it does. */
static enum ring_fault packet_fault(const struct vq *vq, const struct chain *chain)
{
	if (chain->fault != RING_FAULT_NONE)
		return (enum ring_fault)chain->fault;
	if (chain->bytes <= vq->net.hdr_bytes)
		return RING_FAULT_SHORT;
	if (chain->bytes - vq->net.hdr_bytes > PACKET_MAX_BYTES)
		return RING_FAULT_LENGTH;
	return RING_FAULT_NONE;
}

/*
 * Plans a packet into any number of mbufs, or one with a buffer of its own.
 * False when it is lost, and counted.
 */
static bool plan_packet(struct vq *vq, struct rte_mempool *pool, struct plan *plan,
			const struct chain *chain, struct rte_mbuf *m)
{
	const struct vq_net *net = &vq->net;
	uint32_t left = chain->bytes - net->hdr_bytes;
	struct span_cursor from = span_cursor_at(chain->spans, net->hdr_bytes);
	struct rte_mbuf *more[BURST_PACKETS], **next = more, **end = more;
	struct rte_mbuf *seg = m;

	m->pkt_len = left;
	if (left > rte_pktmbuf_tailroom(m) && !(net->extbuf && attach_extbuf(m, left)) &&
	    net->linear) {
		vq->stats.dropped_too_large++;
		return false;
	}
	for (;;) {
		uint32_t part = RTE_MIN(left, (uint32_t)rte_pktmbuf_tailroom(seg));

		plan_add_read_spans(plan, &from, rte_pktmbuf_mtod(seg, void *), part);
		seg->data_len = (uint16_t)part;
		left -= part;
		if (left == 0 || part == 0 || m->nb_segs == RTE_MBUF_MAX_NB_SEGS)
			break;
		if (next == end) {
			unsigned int want = RTE_MIN((left - 1) / part + 1, RTE_DIM(more));

			next = more;
			end = more + fresh_take(pool, more, want);
			if (next == end)
				break;
		}
		seg->next = *next++;
		seg = seg->next;
		rte_pktmbuf_reset(seg);
		m->nb_segs++;
	}
	if (unlikely(next != end))
		rte_pktmbuf_free_bulk(next, (unsigned int)(end - next));
	if (likely(left == 0))
		return true;
	/*
	 * Not enough mbufs (or room in them) for this packet. It is dropped, not kept: one that is
	 * larger than the whole pool would block the queue for ever.
	 */
	vq->stats.mbuf_alloc_failed++;
	return false;
}

enum dequeue_result {
	DEQUEUE_OK,
	DEQUEUE_LOST, /* the chain is consumed, the packet lost and counted */
	DEQUEUE_STOP, /* there is no chain to be had */
};

/* Looks into a header that asks for something. */
static ALWAYS_INLINE void use_header(const struct virtio_net_hdr_v1 *hdr, struct rte_mbuf *m,
				     const struct vq *vq)
{
	if (hdr->flags != 0 || hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		hdr_to_mbuf(hdr, m, vq->net.features, vq->net.compliant);
}

/* What there is in every header format; the rest is for drivers to set and us to ignore. */
#define HDR_READ_BYTES sizeof(struct virtio_net_hdr)

static ALWAYS_INLINE uint32_t hdr_read_bytes(const struct vq *vq)
{
	return vq->net.parse_hdr ? HDR_READ_BYTES : 0;
}

/* A packet that is lost half way: `m` is fresh again. */
static void forget_packet(struct vq *vq, struct rte_mbuf *m)
{
	for (const struct rte_mbuf *part = m; part != NULL; part = part->next)
		vq->stats.copied_bytes += part->data_len;
	if (m->next != NULL)
		rte_pktmbuf_free_bulk(&m->next, 1);
	m->next = NULL;
	m->nb_segs = 1;
}

/*
 * The next chain, of any form, planned into the fresh mbuf `m`, which stays fresh
 * unless this is OK. The header is read, the chain still to be given back.
 */
static ALWAYS_INLINE enum dequeue_result dequeue_plan(enum ring_kind k, struct vq *vq,
						      struct rte_mempool *pool, struct rte_mbuf *m,
						      struct plan *plan,
						      struct virtio_net_hdr_v1 *hdr,
						      struct used *used, uint32_t *copies)
{
	struct span_pool spans;
	enum ring_fault fault;
	struct chain chain;

	spans.used = 0;
	switch (ring_fetch_any(k, &vq->ring, CHAIN_READABLE, vq->net.hdr_bytes, &spans, &chain)) {
	case FETCH_OK:
	case FETCH_BAD:
		break;
	default:
		return DEQUEUE_STOP;
	}
	*used = chain.used;
	fault = packet_fault(vq, &chain);
	if (fault != RING_FAULT_NONE) {
		vq->stats.faults[fault]++;
		return DEQUEUE_LOST;
	}
	rte_pktmbuf_reset(m);
	plan->nr_segs = 0;
	if (!plan_packet(vq, pool, plan, &chain, m)) {
		/* Its segments are about to go back to the pool. */
		plan_execute(plan);
		forget_packet(vq, m);
		return DEQUEUE_LOST;
	}
	*copies = chain.nr_spans + m->nb_segs;
	if (vq->net.parse_hdr)
		spans_read(chain.spans, chain.nr_spans, hdr, HDR_READ_BYTES);
	return DEQUEUE_OK;
}

/* The next chain, of any form, into the fresh mbuf `m`, which stays fresh unless this is OK. */
static NOINLINE enum dequeue_result dequeue_any(enum ring_kind k, struct vq *vq,
						struct rte_mempool *pool, struct rte_mbuf *m)
{
	struct virtio_net_hdr_v1 hdr;
	enum dequeue_result ret;
	struct used used;
	struct plan plan;
	uint32_t copies;

	ret = dequeue_plan(k, vq, pool, m, &plan, &hdr, &used, &copies);
	if (ret == DEQUEUE_STOP)
		return ret;
	if (ret == DEQUEUE_OK) {
		plan_execute(&plan);
		if (vq->net.parse_hdr)
			use_header(&hdr, m, vq);
	}
	ring_used_push(k, &vq->ring, CHAIN_READABLE, &used, 1);
	if (ret == DEQUEUE_OK && vq->stats_on)
		packet_stats(&vq->stats, m, hdr_read_bytes(vq), PACKET_ANY_BYTES);
	return ret;
}

/* The packets of a run are pending, and what the plan has for the engine is the engine's. */
static NOINLINE void fetched_pend(struct vq *vq, struct copy_engine *engine, struct plan *plan,
				  const uint8_t __guest *const *leads, const struct used *used,
				  struct rte_mbuf *const *pkts)
{
	struct copy_seg *next = pending_segs(vq->pending);
	const unsigned int n = plan->nr_segs;
	uint32_t cpu_bytes = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct copy_seg *seg = &plan->segs[i];
		const bool by_engine = seg->len_bytes >= engine->threshold_bytes;
		struct pending_packet *packet =
			pending_take(vq->pending, pkts[i], &used[i], 1, engine, by_engine);

		if (vq->net.parse_hdr)
			shm_read(packet->hdr, leads[i], HDR_READ_BYTES);
		if (by_engine) {
			*next++ = *seg;
			seg->len_bytes = 0;
		}
		cpu_bytes |= seg->len_bytes;
	}
	if (cpu_bytes == 0)
		plan->nr_segs = 0;
}

/*
 * Usual packets into up to `count` fresh mbufs; ends before the first chain
 * that holds something else. With an engine as enqueue_run().
 */
static ALWAYS_INLINE unsigned int dequeue_run(enum ring_kind k, struct vq *vq,
					      struct copy_engine *engine,
					      const struct fresh_start *start,
					      struct rte_mbuf **pkts, unsigned int count)
{
	const uint32_t hdr_bytes = vq->net.hdr_bytes;
	struct ring_cursor c = ring_open(k, &vq->ring, CHAIN_READABLE);
	const uint32_t threshold = engine != NULL ? engine->threshold_bytes : 0;
	bool pends = engine != NULL && !pending_is_idle(vq->pending);
	const uint8_t __guest *leads[BURST_PACKETS];
	struct used used[BURST_PACKETS];
	struct plan plan;
	unsigned int n;

	for (n = 0; n < count; n++) {
		struct rte_mbuf *m = pkts[n];
		struct piece piece;
		uint32_t len;

		if (unlikely(ring_next(k, &vq->ring, &c, CHAIN_READABLE, hdr_bytes, &piece) !=
			     NEXT_PIECE))
			break;
		len = piece.bytes - hdr_bytes;
		if (unlikely(!fresh_fits(m, start, len)))
			break;
		ring_take(k, &c, piece.used);
		if (engine != NULL && len >= threshold) {
			shm_prefetch_start(piece.lead, hdr_bytes, false);
			pends = true;
		} else {
			shm_prefetch_start(piece.body, len, false);
		}
		used[n] = piece.used;
		leads[n] = piece.lead;
		fresh_set(m, start, len);
		plan_set_read(&plan, n, fresh_data(m, start), piece.body, len);
	}
	if (unlikely(n == 0))
		return 0;
	ring_close(k, &vq->ring, CHAIN_READABLE, &c);
	plan.nr_segs = n;
	if (pends)
		fetched_pend(vq, engine, &plan, leads, used, pkts);
	plan_execute(&plan);
	if (pends)
		return n;
	for (unsigned int i = 0; vq->net.parse_hdr && i < n; i++) {
		struct virtio_net_hdr_v1 hdr;

		shm_read(&hdr, leads[i], HDR_READ_BYTES);
		use_header(&hdr, pkts[i], vq);
	}
	ring_used_push(k, &vq->ring, CHAIN_READABLE, used, n);
	if (vq->stats_on)
		run_stats_g2h(vq, pkts, n, &plan, hdr_read_bytes(vq));
	if (engine != NULL)
		packets_pass(vq, pkts, n);
	return n;
}

/* Fresh mbufs for the chains that wait, at most BURST_PACKETS. */
static ALWAYS_INLINE unsigned int dequeue_take(enum ring_kind k, struct vq *vq,
					       struct rte_mempool *pool, struct rte_mbuf **pkts,
					       unsigned int count)
{
	const struct ring_cursor c = ring_open(k, &vq->ring, CHAIN_READABLE);
	unsigned int want = ring_peek(k, &c, RTE_MIN(count, (unsigned int)BURST_PACKETS));
	unsigned int got = want != 0 ? fresh_take(pool, pkts, want) : 0;

	vq->stats.mbuf_alloc_failed += want != 0 && got == 0;
	return got;
}

static ALWAYS_INLINE uint16_t dequeue_burst(enum ring_kind k, struct vq *vq,
					    struct rte_mempool *pool, struct rte_mbuf **pkts,
					    uint16_t count)
{
	unsigned int n = 0, fresh = 0; /* packets in pkts, then fresh mbufs */
	unsigned int lost = 0;
	struct fresh_start start;

	if (!ring_waits(k, &vq->ring))
		goto out;
	start = fresh_start_of(pool);
	/* A guest that feeds us bad chains as fast as we drop them gets no more. */
	while (n < count && lost <= count) {
		enum dequeue_result result;
		unsigned int got;

		if (fresh == 0)
			fresh = dequeue_take(k, vq, pool, pkts + n, count - n);
		if (fresh == 0)
			break;
		got = dequeue_run(k, vq, NULL, &start, pkts + n, fresh);
		n += got;
		fresh -= got;
		if (fresh == 0)
			continue;
		result = dequeue_any(k, vq, pool, pkts[n]);
		if (result == DEQUEUE_STOP)
			break;
		n += result == DEQUEUE_OK;
		fresh -= result == DEQUEUE_OK;
		lost += result == DEQUEUE_LOST;
	}
	if (unlikely(fresh != 0))
		rte_pktmbuf_free_bulk(pkts + n, fresh);
	if (likely(n + lost != 0)) {
		ring_publish(k, &vq->ring);
		vq_notify(k, vq);
	}
out:
	if (unlikely(vq->ring.fault != RING_FAULT_NONE))
		vq_report_broken(vq);
	return (uint16_t)n;
}

#endif
