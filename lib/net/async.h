/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same ways as enqueue.h and dequeue.h, with an engine that copies: packets
 * are pending (copy/pending.h) between being taken and being given back. The CPU
 * reads and writes headers, and copies what is too small to be worth a job.
 */
#ifndef VHOST_NG_NET_ASYNC_H
#define VHOST_NG_NET_ASYNC_H

#include "dequeue.h"
#include "enqueue.h"

_Static_assert(PENDING_HDR_BYTES == HDR_READ_BYTES, "what is read of a header is kept");

/*
 * What was taken after `from` was not started: back to where it was. Returns how
 * many mbufs that were, into `mbufs`, the last one first, if that is not NULL.
 */
static unsigned int untake(enum ring_kind k, struct vq *vq, uint32_t from, struct rte_mbuf **mbufs)
{
	struct pending *p = vq->pending;
	unsigned int n = 0;

	while (p->taken != from) {
		struct used used[BURST_CHAINS];
		void *mbuf;
		unsigned int chains = pending_untake(p, used, &mbuf);

		ring_rewind(k, &vq->ring, used, chains);
		if (mbuf == NULL)
			continue;
		if (mbufs != NULL)
			mbufs[n] = mbuf;
		n++;
	}
	return n;
}

/* Starts the copies of what was taken from `first` on; of what the engine refuses, see untake(). */
static unsigned int start(enum ring_kind k, struct vq *vq, uint32_t first, struct rte_mbuf **mbufs)
{
	struct pending *p = vq->pending;
	unsigned int refused;

	/* What passed is given already. */
	if ((int32_t)(p->given - first) > 0)
		first = p->given;
	refused = untake(k, vq, pending_start(p, first), mbufs);

	/* Nobody takes it away while we are here. */
	pending_hold(p, first, (struct gmem *)(uintptr_t)vq->ring.mem);
	/* What passed, and chains that only went back. */
	if (vq->ring.published != vq->ring.used_idx)
		ring_publish(k, &vq->ring);
	return refused;
}

/* For how many packets of a run there is room; without any there is none for one that goes alone. */
static ALWAYS_INLINE unsigned int run_room(struct pending *p, unsigned int count)
{
	unsigned int room = pending_room(p);

	if (room == 0 || pending_segs(p) == NULL)
		return 0;
	return RTE_MIN(count, RTE_MIN(room, (unsigned int)BURST_PACKETS));
}

/* --- host to guest ------------------------------------------------------ */

static ALWAYS_INLINE uint16_t submit_burst(enum ring_kind k, struct vq *vq,
					   struct copy_engine *engine, struct rte_mbuf **pkts,
					   uint16_t count)
{
	const struct enqueue_to to = { vq->pending, engine };
	const uint32_t first = to.pending->taken;
	unsigned int patience = count + 1u;
	unsigned int n = 0;

	while (n < count) {
		unsigned int want = run_room(to.pending, count - n), got;

		if (want == 0)
			break;
		got = enqueue_run(k, vq, engine, pkts + n, want);
		n += got;
		if (got == want)
			continue;
		if (!ring_waits(k, &vq->ring) || !enqueue_any(k, vq, &to, pkts[n], &patience))
			break;
		n++;
	}
	n -= start(k, vq, first, NULL);
	if (unlikely(vq->ring.fault != RING_FAULT_NONE))
		vq_report_broken(vq);
	vq->stats.inflight_submitted += n;
	return (uint16_t)n;
}

/* --- guest to host ------------------------------------------------------ */

/* One chain; how many packets that is goes to `got`. False when there is none to be had. */
static NOINLINE bool fetch_one(enum ring_kind k, struct vq *vq, struct copy_engine *engine,
			       struct rte_mempool *pool, struct rte_mbuf *m, unsigned int *got)
{
	struct copy_seg *segs = pending_segs(vq->pending);
	struct virtio_net_hdr_v1 hdr = { 0 };
	struct pending_packet *packet;
	enum dequeue_result ret;
	struct plan plan;
	struct used used;
	uint32_t copies;

	*got = 0;
	if (segs == NULL)
		return false;
	ret = dequeue_plan(k, vq, pool, m, &plan, &hdr, &used, &copies);
	if (ret == DEQUEUE_STOP)
		return false;
	if (ret == DEQUEUE_LOST) {
		(void)pending_take(vq->pending, NULL, &used, 1, NULL, 0);
		return true;
	}
	*got = 1;
	if (m->pkt_len < engine->threshold_bytes || copies > PENDING_SEGS_MAX) {
		plan_execute(&plan);
		packet = pending_take(vq->pending, m, &used, 1, NULL, 0);
	} else {
		memcpy(segs, plan.segs, plan.nr_segs * sizeof(*segs));
		packet = pending_take(vq->pending, m, &used, 1, engine, plan.nr_segs);
	}
	memcpy(packet->hdr, &hdr, sizeof(packet->hdr));
	return true;
}

static ALWAYS_INLINE void fetch_burst(enum ring_kind k, struct vq *vq, struct copy_engine *engine,
				      struct rte_mempool *pool, uint16_t count)
{
	const uint32_t first = vq->pending->taken;
	struct rte_mbuf *refused[BURST_PACKETS], *pkts[BURST_PACKETS];
	unsigned int before = vq->pending->nr_mbufs;
	unsigned int n = 0, fresh = 0; /* packets in pkts, then fresh mbufs */
	unsigned int chains = 0;
	struct fresh_start first_words;

	if (!ring_waits(k, &vq->ring))
		goto out;
	first_words = fresh_start_of(pool);
	count = RTE_MIN(count, (uint16_t)BURST_PACKETS);
	/* Chains that hold no packet count, too: a guest may have many. */
	while (chains < count) {
		unsigned int want = run_room(vq->pending, count - chains), got;

		if (want == 0)
			break;
		if (fresh == 0)
			fresh = dequeue_take(k, vq, pool, pkts + n, want);
		if (fresh == 0)
			break;
		got = dequeue_run(k, vq, engine, &first_words, pkts + n, RTE_MIN(fresh, want));
		n += got;
		chains += got;
		fresh -= got;
		if (got == want || fresh == 0)
			continue;
		if (!fetch_one(k, vq, engine, pool, pkts[n], &got))
			break;
		n += got;
		fresh -= got;
		chains++;
	}
	if (fresh != 0)
		rte_pktmbuf_free_bulk(pkts + n, fresh);
	n = start(k, vq, first, refused);
	rte_pktmbuf_free_bulk(refused, n);
out:
	if (unlikely(vq->ring.fault != RING_FAULT_NONE))
		vq_report_broken(vq);
	vq->stats.inflight_submitted += vq->pending->nr_mbufs - before;
}

/* --- giving back -------------------------------------------------------- */

/* Chains that go back together; a packet has BURST_CHAINS at the most, and stays in one piece. */
struct giving {
	unsigned int n;
	struct used used[2 * BURST_CHAINS];
};

static ALWAYS_INLINE void give_chains(enum ring_kind k, struct vq *vq, enum chain_dir dir,
				      struct giving *g)
{
	if (g->n != 0)
		ring_used_push(k, &vq->ring, dir, g->used, g->n);
	g->n = 0;
}

/* The engine's copies of the packet that is given next are through. */
static COLD void log_copies(struct vq *vq, const struct pending_packet *packet)
{
	const struct pending *p = vq->pending;
	const struct copy_seg *seg = &p->segs[packet->segs_at];
	const struct gmem *mem = pending_mem(p, p->given);

	dirty_log_fence();
	for (const struct copy_seg *end = seg + packet->nr_segs; seg < end; seg++)
		ring_log_copy(&vq->ring, mem, (uint8_t __guest *)(uintptr_t)seg->dst,
			      seg->len_bytes);
}

static uint32_t engine_bytes(const struct pending *p, const struct pending_packet *packet)
{
	const struct copy_seg *seg = &p->segs[packet->segs_at];
	uint32_t bytes = 0;

	for (const struct copy_seg *end = seg + packet->nr_segs; seg < end; seg++)
		bytes += seg->len_bytes;
	return bytes;
}

static ALWAYS_INLINE void packet_done(struct vq *vq, enum chain_dir dir,
				      const struct pending_packet *packet, struct rte_mbuf *m)
{
	struct virtio_net_hdr_v1 hdr = { 0 };

	if (m == NULL)
		return;
	if (dir == CHAIN_READABLE) {
		memcpy(&hdr, packet->hdr, sizeof(packet->hdr));
		use_header(&hdr, m, vq);
	}
	if (!vq->stats_on || packet->nr_used == 0)
		return;
	packet_stats(&vq->stats, m,
		     dir == CHAIN_READABLE ? hdr_read_bytes(vq) : vq->net.hdr_bytes,
		     dir == CHAIN_READABLE ? PACKET_ANY_BYTES : packet_limit(vq));
	if (packet->state != JOB_FAILED)
		vq->stats.copied_bytes -= engine_bytes(vq->pending, packet);
}

/* What is copied goes back to the guest, as far as it is in order. The caller tells the guest. */
static ALWAYS_INLINE void give_back(enum ring_kind k, struct vq *vq, enum chain_dir dir)
{
	struct pending *p = vq->pending;
	struct giving g;

	g.n = 0;
	while (pending_is_done(p)) {
		struct pending_packet *packet = pending_at(p, p->given);
		void **mbuf = pending_mbuf_at(p, p->given);

		if (unlikely(packet->state == JOB_FAILED)) {
			if (pending_has_ring(p))
				pending_redo(p, packet);
			vq->stats.engine_copies_failed++;
		}
		if (unlikely(vq->ring.log != NULL) && dir == CHAIN_WRITABLE && packet->nr_segs != 0)
			log_copies(vq, packet);
		vq->stats.inflight_completed += *mbuf != NULL;
		if (likely(pending_has_ring(p))) {
			packet_done(vq, dir, packet, *mbuf);
			if (g.n + packet->nr_used > RTE_DIM(g.used))
				give_chains(k, vq, dir, &g);
			for (unsigned int i = 0; i < packet->nr_used; i++)
				g.used[g.n++] = p->used[(p->used_given + i) & p->mask];
		} else if (dir == CHAIN_READABLE && *mbuf != NULL) {
			/* It will be fetched again. */
			rte_pktmbuf_free(*mbuf);
			*mbuf = NULL;
			p->nr_mbufs--;
		}
		pending_give(p);
	}
	give_chains(k, vq, dir, &g);
	/* Also of chains that only went back. */
	if (vring_attached(&vq->ring) && vq->ring.published != vq->ring.used_idx)
		ring_publish(k, &vq->ring);
}

#endif
