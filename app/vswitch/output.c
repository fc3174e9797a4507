/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Handing frames to a port; see worker.h. Several workers may serve the same
 * queue of a port, so each queue has a lock, held for one burst.
 */
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "offload.h"
#include "port.h"
#include "worker.h"

struct batch {
	struct port *to;
	struct port_counters *counters;
	uint16_t queue;
	unsigned int n;
	struct rte_mbuf *pkts[VSW_BURST];
};

static void drop(struct batch *b, struct rte_mbuf *m, enum drop_reason reason)
{
	COUNTER_ADD(b->counters->drops[reason], 1);
	rte_pktmbuf_free(m);
}

static uint64_t sum_bytes(struct rte_mbuf **pkts, unsigned int n)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < n; i++)
		bytes += rte_pktmbuf_pkt_len(pkts[i]);
	return bytes;
}

/* The queue a guest listens on that is nearest to the one wanted. */
static uint16_t pick_guest_queue(const struct port *to, uint16_t want)
{
	for (uint16_t i = 0; i < to->n_queues; i++) {
		uint16_t q = (uint16_t)((want + i) % to->n_queues);

		if (atomic_load_explicit(&to->to_port_enabled[q], memory_order_relaxed))
			return q;
	}
	return 0;
}

/*
 * A guest without mergeable buffers never takes a frame longer than its
 * buffers, and the library stops there: step over the one refused once.
 */
static void flush_vhost(struct batch *b)
{
	uint16_t q = pick_guest_queue(b->to, b->queue), sent, at = 0;
	unsigned int out = 0, refused = 0;
	uint64_t bytes = 0;

	rte_spinlock_lock(&b->to->tx_lock[q]);
	while (at < b->n && refused < 2) {
		sent = rte_vhost_enqueue_burst(b->to->vid, (uint16_t)(2 * q), b->pkts + at,
					       (uint16_t)(b->n - at));
		bytes += sum_bytes(b->pkts + at, sent);
		out += sent;
		at = (uint16_t)(at + sent);
		if (at < b->n) {
			refused = sent == 0 ? refused + 1 : 1;
			at++;
		}
	}
	rte_spinlock_unlock(&b->to->tx_lock[q]);
	COUNTER_ADD(b->counters->out_packets, out);
	COUNTER_ADD(b->counters->out_bytes, bytes);
	COUNTER_ADD(b->counters->drops[DROP_RING_FULL], b->n - out);
	/* Enqueue copied them: they are still ours. */
	rte_pktmbuf_free_bulk(b->pkts, b->n);
}

/* An ethdev keeps frames for a while and may write to them: it gets its own. */
static void own_frames(struct batch *b)
{
	unsigned int kept = 0;
	struct rte_mbuf *m, *copy;

	for (unsigned int i = 0; i < b->n; i++) {
		m = b->pkts[i];
		if (rte_mbuf_refcnt_read(m) > 1) {
			copy = rte_pktmbuf_copy(m, vsw.pool, 0, UINT32_MAX);
			if (copy == NULL) {
				drop(b, m, DROP_NO_MBUF);
				continue;
			}
			rte_pktmbuf_free(m);
			m = copy;
		}
		if (m->nb_segs > 1 && !b->to->eth_multi_segs && rte_pktmbuf_linearize(m) != 0) {
			drop(b, m, DROP_TOO_BIG);
			continue;
		}
		if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG && m->ol_flags & RTE_MBUF_F_TX_IPV4)
			m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
		b->pkts[kept++] = m;
	}
	b->n = kept;
}

static void flush_eth(struct batch *b)
{
	uint16_t q = (uint16_t)(b->queue % b->to->eth_tx_queues), sent, ready;
	uint64_t bytes;

	own_frames(b);
	rte_spinlock_lock(&b->to->tx_lock[q]);
	ready = rte_eth_tx_prepare(b->to->eth_port_id, q, b->pkts, (uint16_t)b->n);
	bytes = sum_bytes(b->pkts, ready);
	sent = rte_eth_tx_burst(b->to->eth_port_id, q, b->pkts, ready);
	rte_spinlock_unlock(&b->to->tx_lock[q]);
	bytes -= sum_bytes(b->pkts + sent, ready - sent);
	COUNTER_ADD(b->counters->out_packets, sent);
	COUNTER_ADD(b->counters->out_bytes, bytes);
	COUNTER_ADD(b->counters->drops[DROP_RING_FULL], ready - sent);
	COUNTER_ADD(b->counters->drops[DROP_OFFLOAD], b->n - ready);
	rte_pktmbuf_free_bulk(b->pkts + sent, b->n - sent);
}

static void flush(struct batch *b)
{
	if (b->n == 0)
		return;
	if (b->to->kind == PORT_VHOST)
		flush_vhost(b);
	else
		flush_eth(b);
	b->n = 0;
}

static void add(struct batch *b, struct rte_mbuf *m)
{
	bool whole = !(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG);

	if (b->to->max_frame_bytes != 0 && whole &&
	    rte_pktmbuf_pkt_len(m) > b->to->max_frame_bytes) {
		drop(b, m, DROP_TOO_BIG);
		return;
	}
	b->pkts[b->n++] = m;
	if (b->n == VSW_BURST)
		flush(b);
}

/* The receiver does not take all the frame asks for: do it here. */
static void add_in_software(struct batch *b, struct rte_mbuf *m, unsigned int missing,
			    unsigned int takes)
{
	struct rte_mbuf *segs[OFFLOAD_MAX_SEGMENTS];
	int n;

	if (!(missing & (OFFLOAD_TSO4 | OFFLOAD_TSO6))) {
		if (offload_checksum(m) != 0)
			drop(b, m, DROP_OFFLOAD);
		else
			add(b, m);
		return;
	}
	n = offload_segment(m, vsw.pool, takes, segs);
	if (n <= 0) {
		drop(b, m, n == 0 ? DROP_OFFLOAD : DROP_NO_MBUF);
		return;
	}
	for (int i = 0; i < n; i++)
		add(b, segs[i]);
	rte_pktmbuf_free(m);
}

void output(unsigned int worker, struct port *to, uint16_t queue, struct rte_mbuf **pkts,
	    unsigned int n)
{
	unsigned int takes = atomic_load_explicit(&to->takes, memory_order_relaxed);
	struct batch b = { .to = to, .counters = &to->counters[worker], .queue = queue };

	for (unsigned int i = 0; i < n; i++) {
		unsigned int missing = offload_needed(pkts[i]) & ~takes;

		if (likely(missing == 0))
			add(&b, pkts[i]);
		else
			add_in_software(&b, pkts[i], missing, takes);
	}
	flush(&b);
}
