/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a channel meets what is rare: the smallest rings, packets that need all of a ring, queues
 * that are switched off or stopped while packets are in flight.
 */
#include <netinet/in.h>
#include <sys/eventfd.h>

#include <rte_vhost_async.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define NR_MBUFS 511
#define ROOM_BYTES 2048
#define COPIES 1024
#define PIECES 64

static struct flow flow;
static struct rte_mempool *pool;

/* --- an engine that copies when it is asked, and only while it may ----------- */

static struct copy {
	struct iovec src[PIECES], dst[PIECES];
	unsigned nr_pieces;
} copies[2][COPIES];
static unsigned started[2], reported[2];
static bool held; /* nothing gets done */

static int32_t
transfer(int vid, uint16_t queue_id, struct rte_vhost_async_desc *descs,
	 struct rte_vhost_async_status *opaque_data, uint16_t count)
{
	(void)vid;
	(void)opaque_data;
	for (uint16_t i = 0; i < count; i++) {
		struct copy *c = &copies[queue_id][started[queue_id]++ % COPIES];

		c->nr_pieces = (unsigned)descs[i].src->nr_segs;
		RTE_VERIFY(c->nr_pieces <= PIECES);
		memcpy(c->src, descs[i].src->iov, c->nr_pieces * sizeof(c->src[0]));
		memcpy(c->dst, descs[i].dst->iov, c->nr_pieces * sizeof(c->dst[0]));
	}
	return count;
}

static int32_t
completed(int vid, uint16_t queue_id, struct rte_vhost_async_status *opaque_data,
	  uint16_t max_packets)
{
	uint16_t n;

	(void)vid;
	(void)opaque_data;
	for (n = 0; !held && n < max_packets && reported[queue_id] != started[queue_id]; n++) {
		const struct copy *c = &copies[queue_id][reported[queue_id]++ % COPIES];

		for (unsigned i = 0; i < c->nr_pieces; i++)
			memcpy(c->dst[i].iov_base, c->src[i].iov_base, c->src[i].iov_len);
	}
	return n;
}

static struct rte_vhost_async_channel_ops ops = {transfer, completed};

/* --- */

static void
setup(void)
{
	held = false;
	memset(started, 0, sizeof(started));
	memset(reported, 0, sizeof(reported));
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(NR_MBUFS, ROOM_BYTES);
}

static void
up(uint64_t features, uint16_t ring_size)
{
	const struct rte_vhost_async_config config = {.features = RTE_VHOST_ASYNC_INORDER};
	const struct fe_config fe_config = {
		.features = FE_F_VERSION_1 | features, .ring_size = ring_size,
	};

	flow_up(&flow, RTE_VHOST_USER_ASYNC_COPY | RTE_VHOST_USER_NET_STATS_ENABLE, &fe_config);
	for (uint16_t i = 0; i < 2; i++)
		CHECK_EQ(rte_vhost_async_channel_register(flow.vid, i, config, &ops), 0);
}

static void
down(void)
{
	flow_down(&flow);
	CHECK(flow_pool_full(pool));
}

static uint64_t
stat_of(uint16_t queue, const char *name)
{
	struct rte_vhost_stat_name names[128];
	struct rte_vhost_stat stats[128];
	int n = rte_vhost_vring_stats_get_names(flow.vid, queue, names, RTE_DIM(names));

	CHECK(n > 0 && n <= (int)RTE_DIM(names));
	CHECK_EQ(rte_vhost_vring_stats_get(flow.vid, queue, stats, (unsigned)n), n);
	for (int i = 0; i < n; i++)
		if (strstr(names[i].name, name) != NULL)
			return stats[i].value;
	tap_fail(__FILE__, __LINE__, "no counter %s", name);
	return 0;
}

/* One packet to the guest, in buffers of that size. */
static void
check_receives(struct guest_rx *rx, uint32_t seed, uint32_t len_bytes, unsigned buffers)
{
	static uint8_t got[70000], expected[70000];
	struct rte_mbuf *m = packet_pattern(pool, seed, len_bytes, 0), *back = NULL;
	uint32_t nr_back = 0;
	struct guest_net_hdr hdr;
	unsigned nr_buffers;

	guest_rx_fill(rx, UINT32_MAX);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 1, &back, &nr_back), 1);
	if (nr_back == 0)
		nr_back = rte_vhost_poll_enqueue_completed(flow.vid, 0, &back, 1);
	CHECK_EQ(nr_back, 1);
	CHECK(back == m);
	rte_pktmbuf_free(m);
	CHECK_EQ(guest_rx_recv(rx, &hdr, got, sizeof(got), &nr_buffers), (int)len_bytes);
	CHECK_EQ(nr_buffers, buffers);
	guest_pattern(seed, expected, len_bytes);
	CHECK_EQ(memcmp(got, expected, len_bytes), 0);
}

static void
check_sends(struct guest_tx *tx, uint32_t seed, uint32_t len_bytes)
{
	uint8_t data[2000];
	struct rte_mbuf *m = NULL;
	int nr_inflight = 77;

	guest_pattern(seed, data, len_bytes);
	tx->vq->indirect = true;
	CHECK(guest_tx_send(tx, NULL, data, len_bytes) >= 0);
	CHECK_EQ(rte_vhost_async_try_dequeue_burst(flow.vid, 1, pool, &m, 1, &nr_inflight), 1);
	CHECK_EQ(nr_inflight, 0);
	CHECK(packet_is_pattern(m, seed, len_bytes));
	rte_pktmbuf_free(m);
	CHECK_EQ(guest_tx_drain(tx, 1000), 0);
}

/* Packets go through rings of any size, also one that needs all buffers of the ring. */
static void
rings_of_any_size(void)
{
	static const uint16_t sizes[] = {1, 2, 3, 4, 5, 8};

	for (unsigned i = 0; i < RTE_DIM(sizes); i++) {
		struct guest_rx rx;
		struct guest_tx tx;

		if (!flow_packed && (sizes[i] & (sizes[i] - 1)) != 0)
			continue;
		up(FE_F_MRG_RXBUF | FE_F_INDIRECT_DESC, sizes[i]);
		guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1 << 16);
		CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, sizes[i],
				       256), 0);
		for (uint32_t round = 0; round < 20; round++) {
			check_receives(&rx, round, 100, 1);
			check_receives(&rx, round, sizes[i] * 256u - GUEST_NET_HDR_BYTES, sizes[i]);
			check_sends(&tx, round, 60 + round);
		}
		CHECK(guest_rx_guards_intact(&rx));
		guest_rx_fini(&rx);
		down();
	}
}

/*
 * A guest's bad buffers take no room for ever, though nothing is ever in flight: who has nothing in
 * flight need not ask for it.
 */
static void
bad_buffers_and_no_polling(void)
{
	const struct guest_seg bad = {.gpa = UINT64_C(1) << 40, .len_bytes = 64,
				      .flags = GUEST_DESC_WRITE};
	struct guest_used used;
	struct rte_mbuf *m, *back;
	struct guest_rx rx;
	void *cookie;

	up(FE_F_MRG_RXBUF, 8);
	m = packet_pattern(pool, 1, 100, 0);
	for (uint32_t i = 0; i < 20; i++) {
		CHECK(guest_ring_post(&flow.fe.vqs[0], &bad, 1, m) >= 0);
		CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 1, NULL, NULL), 0);
		CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 0), 0);
		CHECK(guest_ring_poll(&flow.fe.vqs[0], &used, &cookie));
		CHECK_EQ(used.len_bytes, 0);
	}
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 8, 256), 0);
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 1, NULL, NULL), 1);
	CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid, 0, &back, 1), 1);
	CHECK(back == m);
	rte_pktmbuf_free(m);
	guest_rx_fini(&rx);
	down();
}

/*
 * A packet that is cut waits for packets in flight to be collected, and is not cut short because
 * they are not.
 */
static void
segments_wait_for_room(void)
{
	const struct frame_spec spec = {.l4_proto = IPPROTO_TCP, .payload_bytes = 8000};
	static struct frame frame;
	struct rte_mbuf *m[12], *back[16];
	struct guest_rx rx;

	up(0, 16);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 16, 2048), 0);
	frame_build(&frame, &spec, true);
	for (unsigned i = 0; i < RTE_DIM(m) - 1; i++)
		m[i] = packet_pattern(pool, i, 100, 0);
	m[11] = packet_make(pool, frame.bytes, frame.len_bytes, 0);
	m[11]->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_SEG;
	m[11]->l2_len = frame.l2_bytes;
	m[11]->l3_len = frame.l3_bytes;
	m[11]->l4_len = frame.l4_bytes;
	m[11]->tso_segsz = 1000;
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, m, 11, NULL, NULL), 11);
	/* The guest has its buffers back, the packets are not collected. */
	held = true;
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, m + 11, 1, NULL, NULL), 0);
	held = false;
	CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid, 0, back, 16), 11);
	rte_pktmbuf_free_bulk(back, 11);
	for (unsigned i = 0; i < 11; i++) {
		uint8_t got[2048];
		struct guest_net_hdr hdr;

		CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), 100);
	}
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, m + 11, 1, NULL, NULL), 1);
	CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid, 0, back, 16), 1);
	CHECK(back[0] == m[11]);
	rte_pktmbuf_free(m[11]);
	CHECK_EQ(stat_of(0, "dropped_segments"), 0);
	guest_rx_fini(&rx);
	down();
}

static bool
all_came_back(void *arg)
{
	struct guest_tx *t = arg;

	return guest_tx_reap(t) >= 0 && t->outstanding == 0;
}

/*
 * A queue is switched off while packets of the guest are in flight: those arrive. What the guest
 * sends then comes back unread when it kicks, as it does without an engine, but not what stood
 * there when it was switched off.
 */
static void
switched_off_with_packets_in_flight(void)
{
	uint8_t data[60] = {0};
	struct rte_mbuf *m[4];
	struct guest_tx tx;
	int nr_inflight;

	for (int kicks = 0; kicks < 3; kicks++) {
		up(FE_F_INDIRECT_DESC, 16);
		guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1 << 16);
		held = true;
		for (int i = 0; i < 2; i++)
			CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		CHECK_EQ(rte_vhost_async_try_dequeue_burst(flow.vid, 1, pool, m, 2, &nr_inflight),
			 0);
		CHECK_EQ(nr_inflight, 2);
		/* It stands there. */
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, false), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		if (kicks == 1) { /* before they are collected */
			CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
			CHECK_EQ(eventfd_write(tx.vq->kickfd, 1), 0);
			CHECK_EQ(fe_sync(&flow.fe), 0);
		}
		held = false;
		CHECK_EQ(rte_vhost_clear_queue(flow.vid, 1, m, 4), 2);
		rte_pktmbuf_free_bulk(m, 2);
		if (kicks == 2) { /* after */
			CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
			CHECK_EQ(eventfd_write(tx.vq->kickfd, 1), 0);
		}
		if (kicks != 0) {
			CHECK(flow_wait_until(all_came_back, &tx, 5000));
			CHECK_EQ(stat_of(1, "dropped_queue_off"), 2);
		}
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, true), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		CHECK_EQ(rte_vhost_async_try_dequeue_burst(flow.vid, 1, pool, m, 4, &nr_inflight),
			 kicks == 0);
		if (kicks == 0)
			rte_pktmbuf_free(m[0]);
		CHECK_EQ(stat_of(1, "dropped_queue_off"), kicks == 0 ? 0 : 2);
		down();
	}
}

/* What was in flight when its queue was stopped is not for ever, by the counters. */
static void
counters_of_a_queue_that_was_stopped(void)
{
	uint8_t data[60] = {0};
	struct rte_mbuf *m[2];
	struct guest_rx rx;
	struct guest_tx tx;
	int nr_inflight;
	uint32_t base;

	up(FE_F_MRG_RXBUF, 16);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1 << 16);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 8, 256), 0);
	guest_rx_fill(&rx, UINT32_MAX);
	held = true;
	m[0] = packet_pattern(pool, 1, 100, 0);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, m, 1, NULL, NULL), 1);
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	CHECK_EQ(rte_vhost_async_try_dequeue_burst(flow.vid, 1, pool, m, 2, &nr_inflight), 0);
	CHECK_EQ(nr_inflight, 1);
	for (uint32_t i = 0; i < 2; i++)
		CHECK_EQ(fe_get_vring_base(&flow.fe, i, &base), 0);
	held = false;
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 0, m, 2), 1);
	rte_pktmbuf_free(m[0]);
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 1, m, 2), 0);
	for (uint16_t i = 0; i < 2; i++) {
		CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, i), 0);
		CHECK_EQ(stat_of(i, "inflight_submitted"), 1);
		CHECK_EQ(stat_of(i, "inflight_completed"), 1);
	}
	guest_rx_fini(&rx);
	down();
}

/* One empty packet into buffers of this form, with a channel or without. */
static void
check_empty(struct guest_ring *vq, uint64_t gpa, unsigned nr_pieces, bool channel)
{
	struct rte_mbuf *m = packet_make(pool, "", 0, 0), *back;
	struct guest_seg segs[4];
	struct guest_used used;
	void *cookie;

	for (unsigned i = 0; i < nr_pieces; i++)
		segs[i] = (struct guest_seg) {
			.gpa = gpa + i * 64, .len_bytes = 40, .flags = GUEST_DESC_WRITE,
		};
	CHECK(guest_ring_post(vq, segs, (uint16_t)nr_pieces, m) >= 0);
	if (channel) {
		CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 1, NULL, NULL), 1);
		CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid, 0, &back, 1), 1);
		CHECK(back == m);
	} else {
		CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 1);
	}
	CHECK(guest_ring_poll(vq, &used, &cookie));
	CHECK(cookie == m);
	CHECK_EQ(used.len_bytes, GUEST_NET_HDR_BYTES);
	rte_pktmbuf_free(m);
}

/* A packet of no bytes is a header. */
static void
empty_packets(void)
{
	for (int channel = 1; channel >= 0; channel--) {
		uint64_t gpa;

		up(FE_F_MRG_RXBUF, 16);
		gpa = guest_alloc(&flow.fe.mem, 4096, 64);
		if (!channel)
			CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), 0);
		for (unsigned nr_pieces = 1; nr_pieces <= 4; nr_pieces++)
			check_empty(&flow.fe.vqs[0], gpa, nr_pieces, channel);
		down();
	}
}

static const struct flow_test tests[] = {
	FLOW_TEST(empty_packets),
	FLOW_TEST(rings_of_any_size),
	FLOW_TEST(bad_buffers_and_no_polling),
	FLOW_TEST(segments_wait_for_room),
	FLOW_TEST(switched_off_with_packets_in_flight),
	FLOW_TEST(counters_of_a_queue_that_was_stopped),
};

int
main(int argc, char **argv)
{
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
