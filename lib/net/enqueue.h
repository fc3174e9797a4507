/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host to guest: mbufs to chains, for any ring kind.
 *
 * A pass resolves as many chains as there are packets first, then plans, then
 * copies, then publishes. With mergeable buffers a packet takes chains until
 * it fits; without, the loop is the same with a limit of one.
 */
#ifndef VHOST_NG_ENQUEUE_H
#define VHOST_NG_ENQUEUE_H

#include <rte_mbuf.h>

#include "copy/plan.h"
#include "hdr.h"
#include "net.h"
#include "packet_stats.h"

struct enqueue_pass {
	struct vq *vq;
	unsigned int waiting;   /* chains the guest has offered for this pass */
	unsigned int nr_chains; /* of them, fetched */
	unsigned int next;      /* of them, the first not yet used */
	bool full;              /* the span pool is */
	struct chain chains[BURST_CHAINS];
	struct plan plan;
	struct span_pool spans;
	struct hdr_patch patches[BURST_PACKETS];
};

/* A packet as it goes out: header, patched bytes, then the mbuf's own. */
struct outgoing {
	struct virtio_net_hdr_v1 hdr;
	const struct hdr_patch *patch;
	const struct rte_mbuf *m;
};

/* Fetches one more chain; false when there is none to be had in this pass. */
static ALWAYS_INLINE bool enqueue_fetch(enum ring_kind k, struct enqueue_pass *p)
{
	struct chain *chain = &p->chains[p->nr_chains];
	enum fetch_result ret;

	if (p->nr_chains == p->waiting || p->full)
		return false;
	ret = ring_fetch(k, &p->vq->ring, CHAIN_WRITABLE, &p->spans, chain);
	if (unlikely(ret == FETCH_FULL || ret == FETCH_BROKEN)) {
		p->full = true;
		return false;
	}
	if (unlikely(chain->bytes < p->vq->net.hdr_bytes && chain->fault == RING_FAULT_NONE))
		chain->fault = RING_FAULT_SHORT;
	if (likely(chain->nr_spans != 0))
		shm_prefetch_write(chain->spans->ptr);
	p->nr_chains++;
	return true;
}

/* Walks the spans of a packet's chains while bytes are planned into them. */
struct write_cursor {
	const struct chain *chain;
	const struct span *span;
	uint32_t off_bytes;
	uint32_t in_chain_bytes;
};

static inline void cursor_start(struct write_cursor *c, const struct chain *chain)
{
	*c = (struct write_cursor){ .chain = chain, .span = chain->spans };
}

/* The next contiguous room, at most `len`; the chains have enough for all. */
static inline uint8_t __guest *cursor_take(struct write_cursor *c, uint32_t *len)
{
	uint8_t __guest *at;

	while (c->off_bytes == c->span->len_bytes) {
		c->off_bytes = 0;
		if (c->in_chain_bytes == c->chain->bytes)
			cursor_start(c, c->chain + 1);
		else
			c->span++;
	}
	*len = RTE_MIN(*len, c->span->len_bytes - c->off_bytes);
	at = c->span->ptr + c->off_bytes;
	c->off_bytes += *len;
	c->in_chain_bytes += *len;
	return at;
}

static inline void plan_into_chains(struct plan *plan, struct write_cursor *c, const void *src,
				    uint32_t len)
{
	while (len != 0) {
		uint32_t part = len;
		uint8_t __guest *dst = cursor_take(c, &part);

		plan_add_write(plan, dst, src, part);
		src = (const uint8_t *)src + part;
		len -= part;
	}
}

/* Plans a packet of any shape into the chains from `first` on. */
static NOINLINE void enqueue_plan_any(struct enqueue_pass *p, const struct chain *first,
				      const struct outgoing *out)
{
	const uint8_t *hdr = (const uint8_t *)&out->hdr;
	uint32_t hdr_left = p->vq->net.hdr_bytes;
	uint32_t skip = out->patch != NULL ? out->patch->len_bytes : 0;
	struct write_cursor c;

	cursor_start(&c, first);
	/* The header leaves our stack with this call: written, not planned. */
	while (hdr_left != 0) {
		uint32_t part = hdr_left;
		uint8_t __guest *dst = cursor_take(&c, &part);

		shm_write(dst, hdr, part);
		hdr += part;
		hdr_left -= part;
	}
	if (skip != 0)
		plan_into_chains(&p->plan, &c, out->patch->bytes, skip);
	for (const struct rte_mbuf *seg = out->m; seg != NULL; seg = seg->next) {
		uint32_t drop = RTE_MIN(skip, (uint32_t)seg->data_len);

		skip -= drop;
		plan_into_chains(&p->plan, &c, rte_pktmbuf_mtod_offset(seg, const uint8_t *, drop),
				 seg->data_len - drop);
	}
}

/* Gives the next `n` chains back empty and counts why. */
static NOINLINE void enqueue_give_back(enum ring_kind k, struct enqueue_pass *p, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct chain *chain = &p->chains[p->next++];

		p->vq->stats.faults[chain->fault]++;
		ring_used_push(k, &p->vq->ring, chain, 0);
	}
}

/*
 * Finds chains for `need` bytes. Returns how many from p->next on, or 0 when
 * the guest has not enough. A bad chain goes back empty, with those collected
 * before it: a packet's chains must be consecutive.
 */
static ALWAYS_INLINE unsigned int enqueue_collect(enum ring_kind k, struct enqueue_pass *p,
						  uint32_t need)
{
	unsigned int n = 0;
	uint64_t room = 0;

	for (;;) {
		const struct chain *chain = &p->chains[p->next + n];

		if (p->next + n == p->nr_chains && !enqueue_fetch(k, p))
			return 0;
		n++;
		if (unlikely(chain->fault != RING_FAULT_NONE)) {
			enqueue_give_back(k, p, n);
			n = 0;
			room = 0;
			continue;
		}
		room += chain->bytes;
		if (likely(room >= need))
			return n;
		if (!p->vq->net.mergeable)
			return 0;
	}
}

/* False when the packet has to wait for more room. */
static ALWAYS_INLINE bool enqueue_one(enum ring_kind k, struct enqueue_pass *p,
				      const struct rte_mbuf *m, struct hdr_patch *patch)
{
	uint32_t hdr_bytes = p->vq->net.hdr_bytes;
	uint32_t need = hdr_bytes + m->pkt_len;
	struct outgoing out = { .m = m };
	const struct chain *chain;
	unsigned int n;

	if (unlikely((m->ol_flags & HDR_MBUF_OFFLOADS) != 0)) {
		patch->len_bytes = 0;
		if (!hdr_from_mbuf(m, p->vq->net.features, &out.hdr, patch)) {
			p->vq->stats.dropped_unsupported++;
			return true;
		}
		out.patch = patch;
	}
	n = enqueue_collect(k, p, need);
	if (n == 0)
		return false;
	chain = &p->chains[p->next];
	out.hdr.num_buffers = (uint16_t)n;
	if (likely(n == 1 && chain->nr_spans == 1 && m->nb_segs == 1 && out.patch == NULL)) {
		shm_write(chain->spans->ptr, &out.hdr, hdr_bytes);
		plan_add_write(&p->plan, chain->spans->ptr + hdr_bytes,
			       rte_pktmbuf_mtod(m, const void *), m->pkt_len);
	} else {
		enqueue_plan_any(p, chain, &out);
	}
	for (unsigned int i = 0; i < n; i++) {
		uint32_t len = RTE_MIN(need, chain[i].bytes);

		ring_used_push(k, &p->vq->ring, &chain[i], len);
		need -= len;
	}
	p->next += n;
	return true;
}

/* One pass of at most BURST_PACKETS; returns packets taken. */
static ALWAYS_INLINE unsigned int enqueue_pass(enum ring_kind k, struct enqueue_pass *p,
					       struct rte_mbuf **pkts, unsigned int count)
{
	struct ring *vr = &p->vq->ring;
	unsigned int n;

	p->waiting = ring_avail(k, vr, BURST_CHAINS);
	if (p->waiting == 0)
		return 0;
	p->nr_chains = 0;
	p->next = 0;
	p->full = false;
	p->plan.nr_segs = 0;
	p->spans.used = 0;
	ring_prefetch(k, vr, RTE_MIN(p->waiting, count));
	for (n = 0; n < count; n++) {
		rte_prefetch0(rte_pktmbuf_mtod(pkts[n], const void *));
		if (!enqueue_fetch(k, p))
			break;
	}
	for (n = 0; n < count; n++)
		if (unlikely(!enqueue_one(k, p, pkts[n], &p->patches[n])))
			break;
	ring_rewind(k, vr, p->nr_chains - p->next);
	plan_execute(&p->plan);
	ring_publish(k, vr);
	return n;
}

static ALWAYS_INLINE uint16_t enqueue_burst(enum ring_kind k, struct vq *vq,
					    struct rte_mbuf **pkts, uint16_t count)
{
	struct enqueue_pass p;
	uint16_t published = vq->ring.published;
	unsigned int n = 0;

	p.vq = vq;
	while (n < count) {
		unsigned int want = RTE_MIN(count - n, (unsigned int)BURST_PACKETS);
		unsigned int got = enqueue_pass(k, &p, pkts + n, want);

		n += got;
		/* A full span pool ends a pass early: an emptied one may go on. */
		if (got == 0 || (got < want && !p.full))
			break;
	}
	if (vq->ring.published != published)
		vq_notify(k, vq);
	if (unlikely(vq->ring.fault != RING_FAULT_NONE))
		vq_report_broken(vq);
	if (vq->stats_on)
		packet_stats(&vq->stats, pkts, n);
	return (uint16_t)n;
}

#endif
