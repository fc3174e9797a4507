/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Says whether a library that is about to be timed does the work: packets of random lengths and
 * shapes in bursts of random size, compared byte by byte, with everything around them. Runs before
 * and after each timing. A library that cheats or errs ends the process.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define GUARD_BYTE 0xa5
#define GUARD_BYTES 64

struct sent {
	uint32_t seed;
	uint32_t len_bytes;
};

static uint32_t
random_below(uint32_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)((x >> 16) % n);
}

static struct sent
random_packet(const struct bench *b)
{
	uint32_t least = packet_min_bytes(b);

	/* Half of them as in the timing. */
	return (struct sent) {
		.seed = random_below(1u << 30),
		.len_bytes = random_below(2) == 0 || b->pkt_bytes <= least ? b->pkt_bytes :
			     least + random_below(b->pkt_bytes - least + 1),
	};
}

static void
expect_header(const struct bench *b, const struct guest_net_hdr *hdr, unsigned nr_buffers)
{
	struct guest_net_hdr want = packet_guest_header(b);

	if (hdr->num_buffers != nr_buffers)
		bench_die("verify: num_buffers is %u, %u were used", hdr->num_buffers, nr_buffers);
	if (hdr->flags != want.flags || hdr->gso_type != want.gso_type ||
	    hdr->csum_start != want.csum_start || hdr->csum_offset != want.csum_offset ||
	    hdr->gso_size != want.gso_size)
		bench_die("verify: the header is wrong");
}

/* Takes one packet off the used ring and compares it. */
static void
expect_packet(struct bench *b, const struct sent *sent)
{
	static uint8_t got[BENCH_MAX_PACKET_BYTES + BENCH_HDR_BYTES];
	static uint8_t want[BENCH_MAX_PACKET_BYTES];
	uint32_t left = sent->len_bytes + BENCH_HDR_BYTES;
	uint32_t done = 0;
	unsigned nr_buffers = 0;
	struct guest_net_hdr hdr;

	while (left > 0) {
		struct bench_buffer *buf;
		struct guest_used used;
		void *cookie;
		uint32_t part = RTE_MIN(left, b->buffer_bytes);

		if (!guest_ring_poll(b->vq, &used, &cookie) || cookie == NULL)
			bench_die("verify: a used element is missing or not ours");
		buf = cookie;
		if (used.len_bytes != part)
			bench_die("verify: used length %u, expected %u", used.len_bytes, part);
		memcpy(got + done, buf->at, part);
		/* Nothing behind the packet, inside the buffer or not. */
		for (uint32_t i = part; i < RTE_MIN(part + GUARD_BYTES,
						    b->buffer_bytes + GUARD_BYTES); i++)
			if (buf->at[i] != GUARD_BYTE)
				bench_die("verify: byte %u of a buffer was written", i);
		done += part;
		left -= part;
		nr_buffers++;
	}
	memcpy(&hdr, got, BENCH_HDR_BYTES);
	expect_header(b, &hdr, nr_buffers);
	packet_make(b, sent->seed, want, sent->len_bytes);
	if (!packet_equal(b, got + BENCH_HDR_BYTES, want, sent->len_bytes))
		bench_die("verify: the guest got other bytes than the host sent");
}

static void
guard_buffers(struct bench *b)
{
	/* The line with the indirect table is rewritten by each post. */
	for (unsigned i = 0; i < b->nr_buffers && i < b->vq->size; i++) {
		struct bench_buffer *buf = &b->buffers[(b->next_buffer + i) % b->nr_buffers];

		memset(buf->at, GUARD_BYTE, b->buffer_bytes + GUARD_BYTES);
	}
}

/* Buffers that were posted before the guards were there go first. */
static void
flush_posted(struct bench *b)
{
	struct rte_mbuf *m = packet_mbuf(b, 0, packet_min_bytes(b), 0);

	while (b->vq->free_count < b->vq->size)
		if (rte_vhost_enqueue_burst(b->vid, b->queue, &m, 1) != 1 || guest_reap(b) != 1)
			bench_die("verify: the ring does not drain");
	rte_pktmbuf_free(m);
}

static void
verify_h2g_burst(struct bench *b)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	struct sent sent[BENCH_MAX_BURST];
	unsigned n = 1 + random_below(b->opts.burst), buffers = 0, got;

	guard_buffers(b);
	guest_post(b, b->vq->size);
	for (unsigned i = 0; i < n; i++) {
		sent[i] = random_packet(b);
		buffers += buffers_per_packet(b, sent[i].len_bytes);
		pkts[i] = packet_mbuf(b, sent[i].seed, sent[i].len_bytes,
				      random_below(3) == 0 ?
				      b->pkt_bytes / 8 + random_below(b->pkt_bytes) : 0);
	}
	got = rte_vhost_enqueue_burst(b->vid, b->queue, pkts, (uint16_t)n);
	if (got != n)
		bench_die("verify: %u of %u packets enqueued", got, n);
	if (guest_ring_pending(b->vq) != buffers)
		bench_die("verify: %u buffers used, expected %u", guest_ring_pending(b->vq),
			  buffers);
	for (unsigned i = 0; i < n; i++) {
		expect_packet(b, &sent[i]);
		if (rte_mbuf_refcnt_read(pkts[i]) != 1 || pkts[i]->pkt_len != sent[i].len_bytes)
			bench_die("verify: an enqueued mbuf was changed");
		rte_pktmbuf_free(pkts[i]);
	}
	b->packets += n;
	flush_posted(b);
}

static void
expect_mbuf_flags(const struct bench *b, const struct rte_mbuf *m)
{
	uint64_t l4 = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;

	if (b->opts.offload == OFFLOAD_NONE || b->opts.offload == OFFLOAD_NEGOTIATED) {
		if (m->ol_flags != 0)
			bench_die("verify: ol_flags 0x%llx for a plain packet",
				  (unsigned long long)m->ol_flags);
		return;
	}
	if (b->opts.offload == OFFLOAD_TSO) {
		if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0 ||
		    m->tso_segsz != packet_guest_header(b).gso_size)
			bench_die("verify: the TSO request is lost");
	} else if (l4 != RTE_MBUF_F_TX_TCP_CKSUM) {
		bench_die("verify: the checksum request is lost");
	}
	if (m->l2_len != 14 || m->l3_len != 20)
		bench_die("verify: header lengths %u and %u", m->l2_len, m->l3_len);
}

static void
expect_mbuf(const struct bench *b, const struct rte_mbuf *m, const struct sent *sent)
{
	static uint8_t got[BENCH_MAX_PACKET_BYTES];
	static uint8_t want[BENCH_MAX_PACKET_BYTES];
	uint32_t done = 0;
	unsigned nr_segs = 0;

	if (m->pkt_len != sent->len_bytes)
		bench_die("verify: pkt_len %u, expected %u", m->pkt_len, sent->len_bytes);
	for (const struct rte_mbuf *seg = m; seg != NULL; seg = seg->next) {
		if (rte_mbuf_refcnt_read(seg) != 1 || done + seg->data_len > sent->len_bytes)
			bench_die("verify: refcnt or data_len of a segment is wrong");
		memcpy(got + done, rte_pktmbuf_mtod(seg, const void *), seg->data_len);
		done += seg->data_len;
		nr_segs++;
	}
	if (done != sent->len_bytes || nr_segs != m->nb_segs)
		bench_die("verify: the segments do not add up");
	packet_make(b, sent->seed, want, sent->len_bytes);
	if (!packet_equal(b, got, want, sent->len_bytes))
		bench_die("verify: the host got other bytes than the guest sent");
	expect_mbuf_flags(b, m);
}

static void
expect_buffer_unchanged(const struct bench *b, const struct bench_buffer *buf,
			const struct sent *sent)
{
	static uint8_t want[BENCH_MAX_PACKET_BYTES];
	struct guest_net_hdr hdr = packet_guest_header(b);

	packet_make(b, sent->seed, want, sent->len_bytes);
	if (memcmp(buf->at, &hdr, BENCH_HDR_BYTES) != 0 ||
	    memcmp(buf->at + BENCH_HDR_BYTES, want, sent->len_bytes) != 0)
		bench_die("verify: a transmit buffer was written");
}

static void
verify_g2h_burst(struct bench *b)
{
	struct rte_mbuf *pkts[BENCH_MAX_BURST];
	struct sent sent[BENCH_MAX_BURST];
	struct guest_net_hdr hdr = packet_guest_header(b);
	unsigned n = 1 + random_below(b->opts.burst), first = random_below(b->nr_buffers), got;

	for (unsigned i = 0; i < n; i++) {
		struct bench_buffer *buf = &b->buffers[(first + i) % b->nr_buffers];

		sent[i] = random_packet(b);
		memcpy(buf->at, &hdr, BENCH_HDR_BYTES);
		packet_make(b, sent[i].seed, buf->at + BENCH_HDR_BYTES, sent[i].len_bytes);
		guest_post_packet(b, buf, sent[i].len_bytes);
	}
	/* Asking for more than there is: a partial burst. */
	got = rte_vhost_dequeue_burst(b->vid, b->queue, b->pool, pkts,
				      (uint16_t)(random_below(2) == 0 ? n : BENCH_MAX_BURST));
	if (got != n || guest_reap(b) != n)
		bench_die("verify: %u of %u packets dequeued", got, n);
	for (unsigned i = 0; i < n; i++) {
		expect_mbuf(b, pkts[i], &sent[i]);
		expect_buffer_unchanged(b, &b->buffers[(first + i) % b->nr_buffers], &sent[i]);
		rte_pktmbuf_free(pkts[i]);
	}
	b->packets += n;
}

static void
flush_g2h(struct bench *b)
{
	struct rte_mbuf *m;

	while (b->vq->free_count < b->vq->size) {
		if (rte_vhost_dequeue_burst(b->vid, b->queue, b->pool, &m, 1) != 1 ||
		    guest_reap(b) != 1)
			bench_die("verify: the ring does not drain");
		rte_pktmbuf_free(m);
	}
}

void
cell_verify(struct bench *b, unsigned bursts)
{
	unsigned in_use = rte_mempool_in_use_count(b->pool);

	if (b->dir == H2G)
		flush_posted(b);
	else
		flush_g2h(b);
	for (unsigned i = 0; i < bursts; i++) {
		if (b->dir == H2G)
			verify_h2g_burst(b);
		else
			verify_g2h_burst(b);
	}
	if (rte_mempool_in_use_count(b->pool) != in_use)
		bench_die("verify: %u mbufs leaked",
			  rte_mempool_in_use_count(b->pool) - in_use);
}
