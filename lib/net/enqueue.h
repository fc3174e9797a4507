/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host to guest: mbufs to chains, for any ring kind.
 *
 * Usual packets, one segment into one piece of memory, go in runs: a run takes
 * a chain for each and plans the copies (the guest's memory is on its way
 * meanwhile), then writes headers, then copies, then gives the chains back. Any
 * other packet goes alone, from fetching to giving back; one that needs software
 * (soft.h) as what it is made into.
 */
#ifndef VHOST_NG_ENQUEUE_H
#define VHOST_NG_ENQUEUE_H

#include <rte_mbuf.h>

#include "copy/pending.h"
#include "copy/plan.h"
#include "hdr.h"
#include "net.h"
#include "packet_stats.h"
#include "soft.h"

/* A run: all by packet. */
struct enqueue_run {
	struct plan plan;
	uint8_t __guest *leads[BURST_PACKETS];
	struct used used[BURST_PACKETS];
	/* Of those that ask for something: one bit each. */
	uint32_t asking;
	struct virtio_net_hdr_v1 hdrs[BURST_PACKETS];
	struct hdr_fixups fixups[BURST_PACKETS];
};

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

static inline void cursor_skip(struct write_cursor *c, uint32_t len)
{
	while (len != 0) {
		uint32_t part = len;

		(void)cursor_take(c, &part);
		len -= part;
	}
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

static ALWAYS_INLINE void write_header(uint8_t __guest *at, const struct virtio_net_hdr_v1 *hdr,
				       uint32_t hdr_bytes)
{
	if (likely(hdr_bytes != sizeof(struct virtio_net_hdr)))
		shm_write(at, hdr, sizeof(*hdr));
	else
		shm_write(at, hdr, sizeof(struct virtio_net_hdr));
}

static ALWAYS_INLINE bool header_has_hash(uint32_t hdr_bytes)
{
	return hdr_bytes == sizeof(struct virtio_net_hdr_v1_hash);
}

/* --- runs of usual packets ---------------------------------------------- */

static const struct virtio_net_hdr_v1 plain_header = { .num_buffers = 1 };

/* Of another length: 10 bytes, or with the hash behind the usual ones. */
static COLD void write_odd_headers(const struct enqueue_run *r, struct rte_mbuf *const *pkts,
				   unsigned int n, uint32_t hdr_bytes)
{
	for (unsigned int i = 0; i < n; i++) {
		struct virtio_net_hdr_v1_hash hdr = { .hdr = plain_header };

		if (header_has_hash(hdr_bytes))
			hdr_hash_from_mbuf(pkts[i], &hdr);
		shm_write(r->leads[i], &hdr, hdr_bytes);
	}
}

static ALWAYS_INLINE void write_headers(const struct enqueue_run *r, struct rte_mbuf *const *pkts,
					unsigned int n, uint32_t hdr_bytes)
{
	if (likely(hdr_bytes == sizeof(plain_header)))
		for (unsigned int i = 0; i < n; i++)
			write_header(r->leads[i], &plain_header, sizeof(plain_header));
	else
		write_odd_headers(r, pkts, n, hdr_bytes);
	for (uint32_t left = r->asking; left != 0; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(left);

		write_header(r->leads[i], &r->hdrs[i], hdr_bytes);
	}
}

static ALWAYS_INLINE void write_fixups(const struct enqueue_run *r)
{
	for (uint32_t left = r->asking; left != 0; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(left);
		const struct hdr_fixups *f = &r->fixups[i];
		uint8_t *body = r->plan.segs[i].dst;

		for (unsigned int j = 0; j < f->count; j++)
			memcpy(body + f->at[j].offset_bytes, &f->at[j].value,
			       sizeof(f->at[j].value));
	}
}

/* How much of a packet the CPU copies because it puts something right in it afterwards. */
static uint32_t fixups_end(const struct hdr_fixups *fixups)
{
	uint32_t end = 0;

	for (unsigned int i = 0; i < fixups->count; i++)
		end = RTE_MAX(end, (uint32_t)(fixups->at[i].offset_bytes +
					      sizeof(fixups->at[i].value)));
	return end;
}

/* The packets of a run are pending, and what the plan has for the engine is the engine's. */
static NOINLINE void run_pends(struct pending *p, struct copy_engine *engine, struct enqueue_run *r,
			       struct rte_mbuf *const *pkts, unsigned int n)
{
	struct copy_seg *next = pending_segs(p);
	uint32_t cpu_bytes = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct copy_seg *seg = &r->plan.segs[i];
		uint32_t head = seg->len_bytes, by_engine;

		if (head >= engine->threshold_bytes)
			head = (r->asking >> i & 1) != 0 ? fixups_end(&r->fixups[i]) : 0;
		head = RTE_MIN(head, seg->len_bytes);
		by_engine = seg->len_bytes - head;
		if (by_engine != 0)
			*next++ = (struct copy_seg){ (uint8_t *)seg->dst + head,
						     (const uint8_t *)seg->src + head, by_engine };
		(void)pending_take(p, pkts[i], &r->used[i], 1, engine, by_engine != 0);
		seg->len_bytes = head;
		cpu_bytes |= head;
	}
	if (cpu_bytes == 0)
		r->plan.nr_segs = 0;
}

/* Headers, and bodies with what was put right in them, as far as the CPU copied them. */
static NOINLINE void log_run(struct ring *vr, const struct enqueue_run *r, unsigned int n,
			     uint32_t hdr_bytes)
{
	dirty_log_fence();
	for (unsigned int i = 0; i < n; i++) {
		ring_log_buffer(vr, r->leads[i], hdr_bytes);
		ring_log_buffer(vr, (uint8_t __guest *)(uintptr_t)r->plan.segs[i].dst,
				r->plan.segs[i].len_bytes);
	}
}

/*
 * Up to BURST_PACKETS usual packets; ends before the first that is not. With an
 * engine, which copies those that are long enough, there is room for all of them
 * and their copies. While none is with it, the guest gets the others at once.
 */
static ALWAYS_INLINE unsigned int enqueue_run(enum ring_kind k, struct vq *vq,
					      struct copy_engine *engine, struct rte_mbuf **pkts,
					      unsigned int count)
{
	const uint32_t hdr_bytes = vq->net.hdr_bytes;
	const uint32_t threshold = engine != NULL ? engine->threshold_bytes : 0;
	struct ring_cursor c = ring_open(k, &vq->ring, CHAIN_WRITABLE);
	struct enqueue_run r;
	bool pends = engine != NULL && !pending_is_idle(vq->pending);
	unsigned int n;

	r.asking = 0;
	for (n = 0; n < count; n++) {
		const struct rte_mbuf *m = pkts[n];
		struct piece piece;

		if (unlikely(ring_next(k, &vq->ring, &c, CHAIN_WRITABLE, hdr_bytes, &piece) !=
			     NEXT_PIECE))
			break;
		if (unlikely(m->nb_segs != 1 || hdr_bytes + m->pkt_len > piece.bytes))
			break;
		if (unlikely((m->ol_flags & HDR_MBUF_OFFLOADS) != 0)) {
			unsigned int i = RARELY_USED(n);

			if (!hdr_from_usual_mbuf(m, vq->net.features, &r.hdrs[i], &r.fixups[i]) &&
			    !hdr_from_mbuf(m, vq->net.features, &r.hdrs[i], &r.fixups[i]))
				break;
			r.asking |= 1u << i;
		}
		ring_take(k, &c, piece.used);
		if (engine != NULL && m->pkt_len >= threshold) {
			shm_prefetch_start(piece.lead, hdr_bytes, true);
			pends = true;
		} else {
			shm_prefetch_start(piece.lead, hdr_bytes + m->pkt_len, true);
		}
		r.leads[n] = piece.lead;
		r.used[n] = used_written(piece.used, hdr_bytes + m->pkt_len);
		plan_set_write(&r.plan, n, piece.body, rte_pktmbuf_mtod(m, const void *),
			       m->pkt_len);
	}
	if (n == 0)
		return 0;
	ring_close(k, &vq->ring, CHAIN_WRITABLE, &c);
	write_headers(&r, pkts, n, hdr_bytes);
	r.plan.nr_segs = n;
	if (pends)
		run_pends(vq->pending, engine, &r, pkts, n);
	plan_execute(&r.plan);
	write_fixups(&r);
	if (unlikely(vq->ring.log != NULL))
		log_run(&vq->ring, &r, n, hdr_bytes);
	if (pends)
		return n;
	ring_used_push(k, &vq->ring, CHAIN_WRITABLE, r.used, n);
	if (vq->stats_on)
		run_stats_h2g(vq, pkts, n, &r.plan, hdr_bytes);
	if (engine != NULL)
		packets_pass(vq, pkts, n);
	return n;
}

/* --- any packet --------------------------------------------------------- */

enum enqueue_result {
	ENQUEUE_DONE, /* delivered, or dropped and counted */
	ENQUEUE_WAIT, /* there is not enough room for it now */
	ENQUEUE_SOFT, /* not as it is */
};

/* Where the packets of a burst go: with an engine, they are pending (async.h) until it is through. */
struct enqueue_to {
	struct pending *pending; /* NULL: to the guest at once */
	struct copy_engine *engine;
};

/* Plans the bytes of a packet from `from` to `to`. */
static void plan_data(struct plan *plan, struct write_cursor *c, const struct rte_mbuf *m,
		      uint32_t from, uint32_t to)
{
	for (const struct rte_mbuf *seg = m; seg != NULL && from < to; seg = seg->next) {
		uint32_t part = RTE_MIN(to, seg->data_len);

		if (from < part)
			plan_into_chains(plan, c, rte_pktmbuf_mtod_offset(seg, const void *, from),
					 part - from);
		from -= RTE_MIN(from, part);
		to -= part;
	}
}

/* Plans the header and the first `head` bytes of a packet; the cursor stands behind them. */
static struct write_cursor plan_head(struct plan *plan, uint32_t hdr_bytes,
				     const struct chain *chains, unsigned int n,
				     const struct rte_mbuf *m, uint32_t head,
				     struct virtio_net_hdr_v1_hash *hdr,
				     const struct hdr_fixups *fixups)
{
	struct write_cursor c, data, end;

	hdr->hdr.num_buffers = (uint16_t)n;
	if (unlikely(header_has_hash(hdr_bytes)))
		hdr_hash_from_mbuf(m, hdr);
	cursor_start(&c, chains);
	plan_into_chains(plan, &c, hdr, hdr_bytes);
	data = c;
	plan_data(plan, &c, m, 0, head);
	end = c;
	for (unsigned int i = 0; i < fixups->count; i++) {
		c = data;
		cursor_skip(&c, fixups->at[i].offset_bytes);
		plan_into_chains(plan, &c, &fixups->at[i].value, sizeof(fixups->at[i].value));
	}
	return end;
}

/* The copies of a packet at the most: one ends where a piece of either side does. */
static uint32_t copies_at_most(const struct chain *chains, unsigned int n, const struct rte_mbuf *m)
{
	uint32_t pieces = m->nb_segs;

	for (unsigned int i = 0; i < n; i++)
		pieces += chains[i].nr_spans;
	return pieces;
}

/* All bytes of a packet in one segment, for an engine, behind `skip` bytes of the first piece. */
static unsigned int plan_for_engine(struct copy_seg *segs, const struct chain *chains,
				    const struct rte_mbuf *m, uint32_t skip)
{
	const uint8_t *src = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t left = m->pkt_len;
	unsigned int n = 0;

	for (const struct chain *chain = chains; left != 0; chain++) {
		const struct span *end = chain->spans + chain->nr_spans;

		for (const struct span *s = chain->spans; s < end && left != 0; s++) {
			uint32_t part = RTE_MIN(left, s->len_bytes - skip);

			segs[n] = (struct copy_seg){ GUEST_FORCE(void *, s->ptr + skip), src, part };
			n += part != 0;
			src += part;
			left -= part;
			skip = 0;
		}
	}
	return n;
}

/* Chains that go back without a packet (no packet: NULL), or after those that are pending. */
static void hand_back(enum ring_kind k, struct vq *vq, const struct enqueue_to *to,
		      struct rte_mbuf *m, const struct used *used, unsigned int n)
{
	if (to->pending == NULL)
		ring_used_push(k, &vq->ring, CHAIN_WRITABLE, used, n);
	else
		(void)pending_take(to->pending, m, used, n, NULL, 0);
}

/*
 * Finds chains for `need` bytes; how many, or 0 when the guest has not enough.
 * A bad chain goes back empty, with those found before it: a packet's chains
 * must be consecutive. `patience`: how many more bad ones the burst puts up with.
 */
static unsigned int find_chains(enum ring_kind k, struct vq *vq, const struct enqueue_to *to,
				uint32_t need, struct span_pool *spans, struct chain *chains,
				struct used *used, unsigned int *patience)
{
	unsigned int most = vq->net.mergeable ? BURST_CHAINS : 1;
	unsigned int n = 0;
	uint64_t room = 0;

	spans->used = 0;
	while (room < need) {
		enum fetch_result ret = FETCH_NONE;

		if (to->pending != NULL)
			most = pending_room(to->pending) == 0 ?
				       0 : RTE_MIN(most, pending_chains_room(to->pending));
		if (n < most && *patience != 0)
			ret = ring_fetch_any(k, &vq->ring, CHAIN_WRITABLE, 0, spans, &chains[n]);
		if (ret != FETCH_OK && ret != FETCH_BAD) {
			ring_rewind(k, &vq->ring, used, n);
			return 0;
		}
		used[n] = chains[n].used;
		room += chains[n].bytes;
		if (likely(chains[n++].bytes >= vq->net.hdr_bytes))
			continue;
		vq->stats.faults[ret == FETCH_BAD ? chains[n - 1].fault : RING_FAULT_SHORT]++;
		hand_back(k, vq, to, NULL, used, n);
		(*patience)--;
		spans->used = 0;
		room = 0;
		n = 0;
	}
	return n;
}

/* The first `written` bytes of a chain. */
static void log_chain(struct ring *vr, const struct chain *chain, uint32_t written)
{
	for (const struct span *s = chain->spans; written != 0; s++) {
		uint32_t part = RTE_MIN(written, s->len_bytes);

		ring_log_buffer(vr, s->ptr, part);
		written -= part;
	}
}

/* What the CPU wrote of a packet into each chain, and with a log that it did. */
static void chains_written(struct vq *vq, const struct chain *chains, struct used *used,
			   unsigned int n, uint32_t bytes, uint32_t by_cpu)
{
	if (unlikely(vq->ring.log != NULL))
		dirty_log_fence();
	for (unsigned int i = 0; i < n; i++) {
		uint32_t written = RTE_MIN(bytes, chains[i].bytes);
		uint32_t logged = RTE_MIN(by_cpu, written);

		if (unlikely(vq->ring.log != NULL))
			log_chain(&vq->ring, &chains[i], logged);
		used[i] = used_written(used[i], written);
		bytes -= written;
		by_cpu -= logged;
	}
}

/*
 * One packet of any shape into chains of any form, as it is. ENQUEUE_SOFT: not
 * without software. Pending, it is of `owner`, which is NULL for a part of it.
 */
static NOINLINE enum enqueue_result enqueue_alone(enum ring_kind k, struct vq *vq,
						  const struct enqueue_to *to, struct rte_mbuf *m,
						  struct rte_mbuf *owner, unsigned int *patience)
{
	uint32_t hdr_bytes = vq->net.hdr_bytes, need = hdr_bytes + m->pkt_len;
	uint32_t head = m->pkt_len;
	struct virtio_net_hdr_v1_hash hdr = { 0 };
	struct chain chains[BURST_CHAINS];
	struct used used[BURST_CHAINS];
	struct copy_seg *segs = NULL;
	struct hdr_fixups fixups;
	struct write_cursor c;
	struct span_pool spans;
	struct plan plan;
	unsigned int n;

	fixups.count = 0;
	if ((m->ol_flags & HDR_MBUF_OFFLOADS) != 0 &&
	    !hdr_from_mbuf(m, vq->net.features, &hdr.hdr, &fixups))
		return ENQUEUE_SOFT;
	/* Parts are freed when they are copied: the CPU does that now. */
	if (owner == m && to->engine != NULL && m->pkt_len >= to->engine->threshold_bytes) {
		segs = pending_segs(to->pending);
		if (segs == NULL)
			return ENQUEUE_WAIT;
	}
	n = find_chains(k, vq, to, need, &spans, chains, used, patience);
	if (n == 0)
		return ENQUEUE_WAIT;
	if (segs != NULL && copies_at_most(chains, n, m) <= PENDING_SEGS_MAX)
		head = RTE_MIN(head, fixups_end(&fixups));
	if (segs != NULL && head == 0 && m->nb_segs == 1 &&
	    chains[0].spans->len_bytes >= hdr_bytes) {
		hdr.hdr.num_buffers = (uint16_t)n;
		if (unlikely(header_has_hash(hdr_bytes)))
			hdr_hash_from_mbuf(m, &hdr);
		shm_write(chains[0].spans->ptr, &hdr, hdr_bytes);
		chains_written(vq, chains, used, n, need, hdr_bytes);
		(void)pending_take(to->pending, owner, used, n, to->engine,
				   plan_for_engine(segs, chains, m, hdr_bytes));
		return ENQUEUE_DONE;
	}
	plan.nr_segs = 0;
	c = plan_head(&plan, hdr_bytes, chains, n, m, head, &hdr, &fixups);
	plan_execute(&plan);
	chains_written(vq, chains, used, n, need, hdr_bytes + head);
	if (head < m->pkt_len) {
		plan_data(&plan, &c, m, head, m->pkt_len);
		memcpy(segs, plan.segs, plan.nr_segs * sizeof(*segs));
		(void)pending_take(to->pending, owner, used, n, to->engine, plan.nr_segs);
	} else {
		hand_back(k, vq, to, owner, used, n);
	}
	/* Of packets that are pending, when they are not any more. */
	if (vq->stats_on && (to->pending == NULL || owner == NULL))
		packet_stats(&vq->stats, m, hdr_bytes, packet_limit(vq));
	return ENQUEUE_DONE;
}

/* The packets that one is cut into, as far as there is room. */
static enum enqueue_result enqueue_cut(enum ring_kind k, struct vq *vq,
				       const struct enqueue_to *to, const struct rte_mbuf *m,
				       unsigned int *patience)
{
	enum enqueue_result ret = ENQUEUE_DONE;
	struct rte_mbuf *parts[SOFT_CUT_MAX];
	unsigned int n = soft_cut_count(m), done = 0;

	if (n == 0) {
		vq->stats.dropped_unsupported++;
		return ENQUEUE_DONE;
	}
	/* There will be more room when the packets in flight are collected. */
	if (to->pending != NULL && to->pending->nr_mbufs != 0 && pending_room(to->pending) < n)
		return ENQUEUE_WAIT;
	if (!soft_cut(m, n, parts)) {
		vq->stats.mbuf_alloc_failed++;
		return ENQUEUE_DONE;
	}
	while (done < n && ret == ENQUEUE_DONE) {
		ret = enqueue_alone(k, vq, to, parts[done], NULL, patience);
		done += ret == ENQUEUE_DONE;
	}
	rte_pktmbuf_free_bulk(parts, n);
	if (ret == ENQUEUE_WAIT && done == 0)
		return ENQUEUE_WAIT;
	/* What is there cannot be taken back, and the ring may never have room for all at once. */
	vq->stats.dropped_segments += n - done;
	return ENQUEUE_DONE;
}

/* One packet that needs software. */
static COLD enum enqueue_result enqueue_soft(enum ring_kind k, struct vq *vq,
					     const struct enqueue_to *to, struct rte_mbuf *m,
					     unsigned int *patience)
{
	enum enqueue_result ret;
	struct rte_mbuf *tagged;

	if ((m->ol_flags & HDR_MBUF_TAGS) == 0)
		return enqueue_cut(k, vq, to, m, patience);
	if (!soft_can_tag(m)) {
		vq->stats.dropped_unsupported++;
		return ENQUEUE_DONE;
	}
	tagged = soft_tag(m);
	if (tagged == NULL) {
		vq->stats.mbuf_alloc_failed++;
		return ENQUEUE_DONE;
	}
	ret = enqueue_alone(k, vq, to, tagged, NULL, patience);
	if (ret == ENQUEUE_SOFT)
		ret = enqueue_cut(k, vq, to, tagged, patience);
	rte_pktmbuf_free(tagged);
	return ret;
}

/* One packet of any kind. False when it has to wait for more room. */
static ALWAYS_INLINE bool enqueue_any(enum ring_kind k, struct vq *vq, const struct enqueue_to *to,
				      struct rte_mbuf *m, unsigned int *patience)
{
	enum enqueue_result ret = enqueue_alone(k, vq, to, m, m, patience);

	if (unlikely(ret == ENQUEUE_SOFT)) {
		ret = enqueue_soft(k, vq, to, m, patience);
		/* What became of it is copied, or lost and counted. */
		if (ret == ENQUEUE_DONE && to->pending != NULL)
			hand_back(k, vq, to, m, NULL, 0);
	}
	return ret == ENQUEUE_DONE;
}

static ALWAYS_INLINE uint16_t enqueue_burst(enum ring_kind k, struct vq *vq,
					    struct rte_mbuf **pkts, uint16_t count)
{
	const uint32_t unsignalled = vq->ring.unsignalled;
	const struct enqueue_to guest = { NULL, NULL };
	/* A guest that feeds us bad chains as fast as we give them back gets no more. */
	unsigned int patience = count + 1u;
	unsigned int n = 0;

	while (n < count) {
		unsigned int want = RTE_MIN(count - n, (unsigned int)BURST_PACKETS);
		unsigned int got = enqueue_run(k, vq, NULL, pkts + n, want);

		n += got;
		if (got == want)
			continue;
		if (!ring_waits(k, &vq->ring) || !enqueue_any(k, vq, &guest, pkts[n], &patience))
			break;
		n++;
	}
	/* Also of chains that only went back. */
	if (vq->ring.unsignalled != unsignalled) {
		ring_publish(k, &vq->ring);
		vq_notify(k, vq);
	}
	if (unlikely(vq->ring.fault != RING_FAULT_NONE))
		vq_report_broken(vq);
	return (uint16_t)n;
}

#endif
