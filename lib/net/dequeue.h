/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest to host: chains to mbufs, for any ring kind.
 *
 * A pass resolves up to BURST_PACKETS chains first (their memory is on its way
 * meanwhile), then plans all copies, then copies, then looks at the headers
 * that ask for something, then publishes.
 */
#ifndef VHOST_NG_DEQUEUE_H
#define VHOST_NG_DEQUEUE_H

#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "copy/plan.h"
#include "hdr.h"
#include "net.h"
#include "packet_stats.h"

/* One pass: everything it knows, on the stack. */
struct dequeue_pass {
	struct vq *vq;
	struct rte_mempool *pool;
	unsigned int nr_chains;
	unsigned int nr_hdrs;
	struct {
		struct virtio_net_hdr_v1 hdr;
		struct rte_mbuf *m;
	} hdrs[BURST_PACKETS]; /* headers that ask for something */
	struct chain chains[BURST_PACKETS];
	struct plan plan;
	struct span_pool spans;
};

enum dequeue_result {
	DEQUEUE_OK,
	DEQUEUE_DROP,    /* the chain is consumed, the packet lost and counted */
	DEQUEUE_NO_MBUF, /* the pool is empty: the chain stays for the next burst */
};

/* Where the bytes after the header are. */
struct span_cursor {
	const struct span *span;
	uint32_t off_bytes;
};

static inline struct span_cursor span_cursor_at(const struct chain *chain, uint32_t skip)
{
	struct span_cursor c = { .span = chain->spans, .off_bytes = skip };

	while (c.off_bytes >= c.span->len_bytes) {
		c.off_bytes -= c.span->len_bytes;
		c.span++;
	}
	return c;
}

/* Plans `len` bytes from the cursor to `dst`; the chain has them. */
static inline void plan_from_chain(struct plan *plan, struct span_cursor *c, void *dst,
				   uint32_t len)
{
	while (len != 0) {
		uint32_t part = RTE_MIN(len, c->span->len_bytes - c->off_bytes);

		plan_add_read(plan, dst, c->span->ptr + c->off_bytes, part);
		dst = (uint8_t *)dst + part;
		len -= part;
		c->off_bytes += part;
		if (c->off_bytes == c->span->len_bytes) {
			c->span++;
			c->off_bytes = 0;
		}
	}
}

static void extbuf_free(void *addr, void *opaque)
{
	(void)addr;
	rte_free(opaque);
}

/* Gives the mbuf a buffer of its own, large enough for the packet. */
static NOINLINE bool attach_extbuf(struct rte_mbuf *m, uint32_t pkt_bytes)
{
	struct rte_mbuf_ext_shared_info *shinfo;
	uint32_t total = RTE_PKTMBUF_HEADROOM + pkt_bytes;
	uint16_t buf_bytes;
	rte_iova_t iova;
	void *buf;

	total += (uint32_t)(sizeof(*shinfo) + sizeof(uintptr_t));
	total = RTE_ALIGN_CEIL(total, (uint32_t)sizeof(uintptr_t));
	if (total > UINT16_MAX)
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

/* Any shape of packet: several pieces, several mbufs, an external buffer. */
static NOINLINE enum dequeue_result dequeue_any(struct dequeue_pass *p, const struct chain *chain,
						struct rte_mbuf *m)
{
	const struct vq_net *net = &p->vq->net;
	uint32_t left = chain->bytes - net->hdr_bytes;
	struct span_cursor from = span_cursor_at(chain, net->hdr_bytes);
	struct rte_mbuf *seg = m;

	m->pkt_len = left;
	if (left > rte_pktmbuf_tailroom(m) && !(net->extbuf && attach_extbuf(m, left)) &&
	    net->linear) {
		p->vq->stats.dropped_too_large++;
		return DEQUEUE_DROP;
	}
	for (;;) {
		uint32_t part = RTE_MIN(left, (uint32_t)rte_pktmbuf_tailroom(seg));

		plan_from_chain(&p->plan, &from, rte_pktmbuf_mtod(seg, void *), part);
		seg->data_len = (uint16_t)part;
		left -= part;
		if (left == 0)
			return DEQUEUE_OK;
		seg->next = rte_pktmbuf_alloc(p->pool);
		if (seg->next == NULL)
			break;
		seg = seg->next;
		m->nb_segs++;
		if (unlikely(rte_pktmbuf_tailroom(seg) == 0))
			break;
	}
	/*
	 * Not enough mbufs for this packet. It is dropped, not kept: one that is
	 * larger than the whole pool would block the queue for ever. Copies into
	 * its segments are planned already; do them before the memory goes back.
	 */
	p->vq->stats.mbuf_alloc_failed++;
	plan_execute(&p->plan);
	rte_pktmbuf_free(m->next);
	/* The next packet of the pass gets this mbuf: empty, as it was. */
	m->next = NULL;
	m->nb_segs = 1;
	m->data_len = 0;
	return DEQUEUE_DROP;
}

static ALWAYS_INLINE void keep_header(struct dequeue_pass *p, const struct chain *chain,
				      struct rte_mbuf *m)
{
	struct virtio_net_hdr_v1 *hdr = &p->hdrs[p->nr_hdrs].hdr;

	/* A private copy of the part that is there in every header format. */
	if (likely(chain->spans->len_bytes >= sizeof(struct virtio_net_hdr)))
		shm_read(hdr, chain->spans->ptr, sizeof(struct virtio_net_hdr));
	else
		spans_read(chain->spans, chain->nr_spans, hdr, sizeof(struct virtio_net_hdr));
	if (hdr->flags == 0 && hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return;
	p->hdrs[p->nr_hdrs++].m = m;
}

static ALWAYS_INLINE enum dequeue_result dequeue_one(struct dequeue_pass *p,
						     const struct chain *chain, struct rte_mbuf *m)
{
	const struct vq_net *net = &p->vq->net;
	uint32_t len = chain->bytes - net->hdr_bytes;
	enum dequeue_result ret;

	if (likely(chain->nr_spans == 1 && len <= rte_pktmbuf_tailroom(m))) {
		plan_add_read(&p->plan, rte_pktmbuf_mtod(m, void *),
			      chain->spans->ptr + net->hdr_bytes, len);
		m->data_len = (uint16_t)len;
		m->pkt_len = len;
	} else {
		ret = dequeue_any(p, chain, m);
		if (ret != DEQUEUE_OK)
			return ret;
	}
	if (net->parse_hdr)
		keep_header(p, chain, m);
	return DEQUEUE_OK;
}

/* Why a chain holds no packet; RING_FAULT_NONE when it does. */
static ALWAYS_INLINE enum ring_fault packet_fault(const struct vq *vq, const struct chain *chain)
{
	if (unlikely(chain->bytes <= vq->net.hdr_bytes))
		return chain->fault != RING_FAULT_NONE ? chain->fault : RING_FAULT_SHORT;
	if (unlikely(chain->bytes - vq->net.hdr_bytes > PACKET_MAX_BYTES))
		return RING_FAULT_LENGTH;
	return RING_FAULT_NONE;
}

/* Resolves the chains of a pass. */
static ALWAYS_INLINE void dequeue_fetch(enum ring_kind k, struct dequeue_pass *p,
					unsigned int waiting)
{
	struct ring *vr = &p->vq->ring;

	ring_prefetch(k, vr, waiting);
	p->spans.used = 0;
	for (p->nr_chains = 0; p->nr_chains < waiting; p->nr_chains++) {
		struct chain *chain = &p->chains[p->nr_chains];
		enum fetch_result ret = ring_fetch(k, vr, CHAIN_READABLE, &p->spans, chain);

		if (unlikely(ret == FETCH_FULL || ret == FETCH_BROKEN))
			break;
		if (likely(ret == FETCH_OK && chain->nr_spans != 0))
			shm_prefetch(chain->spans->ptr);
	}
}

/* As many mbufs as there are chains, or as the pool has left. */
static ALWAYS_INLINE unsigned int dequeue_alloc(struct dequeue_pass *p, struct rte_mbuf **out)
{
	unsigned int n = p->nr_chains;

	if (likely(rte_pktmbuf_alloc_bulk(p->pool, out, n) == 0))
		return n;
	for (n = 0; n < p->nr_chains; n++) {
		out[n] = rte_pktmbuf_alloc(p->pool);
		if (out[n] == NULL)
			break;
	}
	p->vq->stats.mbuf_alloc_failed += p->nr_chains - n;
	return n;
}

/*
 * One pass of at most BURST_PACKETS. Returns packets; *more says whether it is
 * worth coming again.
 */
static ALWAYS_INLINE unsigned int dequeue_pass(enum ring_kind k, struct dequeue_pass *p,
					       struct rte_mbuf **pkts, unsigned int count,
					       bool *more)
{
	struct rte_mbuf *fresh[BURST_PACKETS];
	struct vq *vq = p->vq;
	unsigned int waiting, nr_fresh, used = 0, n = 0, i;

	waiting = ring_avail(k, &vq->ring, count);
	*more = false;
	if (waiting == 0)
		return 0;
	dequeue_fetch(k, p, waiting);
	nr_fresh = dequeue_alloc(p, fresh);
	p->nr_hdrs = 0;
	p->plan.nr_segs = 0;
	for (i = 0; i < p->nr_chains; i++) {
		const struct chain *chain = &p->chains[i];
		enum ring_fault fault = packet_fault(vq, chain);

		if (unlikely(fault != RING_FAULT_NONE)) {
			vq->stats.faults[fault]++;
		} else {
			enum dequeue_result ret = DEQUEUE_NO_MBUF;

			if (likely(used < nr_fresh))
				ret = dequeue_one(p, chain, fresh[used]);
			if (likely(ret == DEQUEUE_OK))
				pkts[n++] = fresh[used++];
			else if (ret == DEQUEUE_NO_MBUF)
				break;
		}
		ring_used_push(k, &vq->ring, chain, 0);
	}
	/* The pass ended early, or the guest had as much as we asked for. */
	*more = i != 0 && i == p->nr_chains && (i < waiting || waiting == count);
	ring_rewind(k, &vq->ring, p->nr_chains - i);
	plan_execute(&p->plan);
	for (unsigned int h = 0; h < p->nr_hdrs; h++)
		hdr_to_mbuf(&p->hdrs[h].hdr, p->hdrs[h].m, vq->net.compliant);
	if (unlikely(used < nr_fresh))
		rte_pktmbuf_free_bulk(fresh + used, nr_fresh - used);
	ring_publish(k, &vq->ring);
	return n;
}

static ALWAYS_INLINE uint16_t dequeue_burst(enum ring_kind k, struct vq *vq,
					    struct rte_mempool *pool, struct rte_mbuf **pkts,
					    uint16_t count)
{
	struct dequeue_pass p;
	uint16_t published = vq->ring.published;
	/* A guest that feeds us bad chains as fast as we drop them gets no more. */
	unsigned int passes = count / BURST_PACKETS + 2;
	unsigned int n = 0;
	bool more = true;

	p.vq = vq;
	p.pool = pool;
	while (n < count && more && passes-- != 0)
		n += dequeue_pass(k, &p, pkts + n, RTE_MIN(count - n, (unsigned int)BURST_PACKETS),
				  &more);
	if (vq->ring.published != published)
		vq_notify(k, vq);
	if (unlikely(vq->ring.fault != RING_FAULT_NONE))
		vq_report_broken(vq);
	if (vq->stats_on)
		packet_stats(&vq->stats, pkts, n);
	return (uint16_t)n;
}

#endif
