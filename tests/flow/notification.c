/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls to the guest and kicks from it: flags, event index, explicit calls, the toggle. */
#include <unistd.h>

#include "flow.h"
#include "guest_net.h"
#include "packets.h"
#include "tap.h"

#define BURST 32

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_tx tx;
static struct guest_rx rx;
static uint8_t data[2000];

static const uint64_t modern = FE_F_VERSION_1 | FE_F_MRG_RXBUF;

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(256, 2048);
}

static void
up(uint64_t features)
{
	const struct fe_config config = {.features = features, .ring_size = 64};

	flow_up(&flow, 0, &config);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 32, 1526), 0);
	/* The library may call once when a ring becomes ready. */
	guest_ring_calls(tx.vq);
	guest_ring_calls(rx.vq);
	rec_reset();
}

static void
down(void)
{
	guest_rx_fini(&rx);
	flow_down(&flow);
}

static void
guest_sends(unsigned n)
{
	struct rte_mbuf *pkts[BURST];

	for (unsigned i = 0; i < n; i++)
		CHECK(guest_tx_send(&tx, NULL, data, 60) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST), n);
	rte_pktmbuf_free_bulk(pkts, n);
}

static void
host_sends(unsigned n)
{
	struct rte_mbuf *pkts[BURST];

	for (unsigned i = 0; i < n; i++)
		pkts[i] = packet_pattern(pool, i, 60, 0);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, pkts, (uint16_t)n), n);
	rte_pktmbuf_free_bulk(pkts, n);
}

static void
one_call_a_burst(void)
{
	up(modern);
	guest_rx_fill(&rx, UINT32_MAX);
	guest_sends(5);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	host_sends(5);
	CHECK_EQ(guest_ring_calls(rx.vq), 1);
	CHECK_EQ(rec_calls(), 2);
	/* Nothing done, nothing said. */
	guest_sends(0);
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	CHECK_EQ(rec_calls(), 2);
	down();
}

static void
flag_suppresses_calls(void)
{
	up(modern);
	guest_rx_fill(&rx, UINT32_MAX);
	guest_ring_call_disable(tx.vq);
	guest_ring_call_disable(rx.vq);
	guest_sends(3);
	host_sends(3);
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	CHECK_EQ(guest_ring_calls(rx.vq), 0);
	CHECK_EQ(rec_calls(), 0);
	guest_ring_call_enable(tx.vq);
	guest_ring_call_enable(rx.vq);
	guest_sends(1);
	host_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	CHECK_EQ(guest_ring_calls(rx.vq), 1);
	down();
}

static void
event_index_decides(void)
{
	up(modern | FE_F_EVENT_IDX);
	CHECK(tx.vq->event_idx);
	/* The first notification after a start is always sent. */
	guest_split_set_used_event(tx.vq, 1000);
	guest_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	/* Now only when used.idx passes used_event. */
	guest_split_set_used_event(tx.vq, 5);
	guest_sends(4); /* 1..5 */
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	guest_sends(1); /* 5 -> 6: passes 5 */
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	guest_sends(3);
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	guest_split_set_used_event(tx.vq, 11);
	guest_sends(8); /* 9 -> 17: passes on the way */
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	/* The flag is ignored when the event index is negotiated. */
	tx.vq->avail[0] = GUEST_AVAIL_NO_INTERRUPT;
	guest_split_set_used_event(tx.vq, 17);
	guest_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	down();
}

static void
event_index_wraps(void)
{
	const struct fe_config config = {
		.features = modern | FE_F_EVENT_IDX, .ring_size = 64, .base = 65530,
	};

	flow_up(&flow, 0, &config);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	guest_sends(1);
	guest_ring_calls(tx.vq);
	guest_split_set_used_event(tx.vq, 2);
	guest_sends(7); /* 65531 -> 2 */
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	guest_sends(1); /* 2 -> 3 */
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	flow_down(&flow);
}

static void
no_call_fd(void)
{
	up(modern);
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(fe_set_vring_call(&flow.fe, 0, -1), 0);
	CHECK_EQ(fe_set_vring_call(&flow.fe, 1, -1), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	rec_reset();
	guest_sends(3);
	host_sends(3);
	CHECK_EQ(rec_calls(), 0);
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	down();
}

static void
explicit_calls(void)
{
	up(modern);
	CHECK_EQ(rte_vhost_vring_call(flow.vid, 0), 0);
	CHECK_EQ(guest_ring_calls(rx.vq), 1);
	CHECK_EQ(rte_vhost_vring_call_nonblock(flow.vid, 1), 0);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	CHECK_EQ(rec_calls(), 2);
	guest_ring_call_disable(rx.vq);
	CHECK_EQ(rte_vhost_vring_call(flow.vid, 0), 0);
	CHECK_EQ(guest_ring_calls(rx.vq), 0);
	CHECK_EQ(rec_calls(), 2);
	CHECK_EQ(rte_vhost_vring_call(flow.vid, 2), -1);
	CHECK_EQ(rte_vhost_vring_call_nonblock(flow.vid, 65535), -1);
	CHECK_EQ(rte_vhost_vring_call(-1, 0), -1);
	CHECK_EQ(rte_vhost_vring_call_nonblock(1024, 0), -1);
	down();
}

/* Its indices mean nothing any more, so there is nothing to tell the guest. */
static void
no_calls_on_a_broken_queue(void)
{
	struct rte_mbuf *pkts[BURST];

	if (is_stock)
		tap_skip("the stock library has no broken queues");
	up(modern);
	tx.vq->avail[1] = 20000; /* the guest claims more than the ring has */
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST), 0);
	CHECK_EQ(rte_vhost_vring_call(flow.vid, 1), -1);
	CHECK_EQ(rte_vhost_vring_call_nonblock(flow.vid, 1), -1);
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	/* The other queue is as before. */
	CHECK_EQ(rte_vhost_vring_call_nonblock(flow.vid, 0), 0);
	CHECK_EQ(guest_ring_calls(rx.vq), 1);
	down();
}

/* Flags: NO_NOTIFY while disabled; untouched until the application says something. */
static void
toggle_by_flag(void)
{
	up(modern);
	CHECK_EQ(tx.vq->used[0], 0);
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 1, 0), 0);
	CHECK_EQ(tx.vq->used[0], GUEST_USED_NO_NOTIFY);
	CHECK(guest_tx_send(&tx, NULL, data, 60) >= 0);
	CHECK(!guest_ring_kick(tx.vq));
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 1, 1), 0);
	CHECK_EQ(tx.vq->used[0], 0);
	CHECK(guest_tx_send(&tx, NULL, data, 60) >= 0);
	CHECK(guest_ring_kick(tx.vq));
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 2, 1), -1);
	CHECK_EQ(rte_vhost_enable_guest_notification(-1, 1, 1), -1);
	down();
}

/* Event index: enabling asks for a kick at the next buffer. */
static void
toggle_by_event_index(void)
{
	struct rte_mbuf *pkts[BURST];

	up(modern | FE_F_EVENT_IDX);
	guest_sends(3);
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 1, 1), 0);
	CHECK_EQ(guest_split_avail_event(tx.vq), 3);
	guest_ring_kick_wanted(tx.vq); /* forget what was posted before */
	CHECK(guest_tx_send(&tx, NULL, data, 60) >= 0);
	CHECK(guest_ring_kick(tx.vq));
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST), 1);
	rte_pktmbuf_free(pkts[0]);
	down();
}

/* Said before the ring is ready, done when it is. */
static void
toggle_before_ready(void)
{
	const struct fe_config config = {
		.features = modern, .ring_size = 64, .no_enable = true,
	};
	const char *path;
	struct frontend fe;

	rec_reset();
	path = flow_serve(0);
	fe_init(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, &config), 0);
	CHECK_EQ(rte_vhost_enable_guest_notification(rec_vid(), 1, 0), 0);
	CHECK_EQ(fe_set_vring_enable(&fe, 0, true), 0);
	CHECK_EQ(fe_set_vring_enable(&fe, 1, true), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(fe.vqs[1].used[0], GUEST_USED_NO_NOTIFY);
	CHECK_EQ(fe.vqs[0].used[0], 0);
	fe_close(&fe);
	CHECK(rec_wait_tail("-conn"));
	flow_unserve(path);
}

int
main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(one_call_a_burst),
		TAP_TEST(flag_suppresses_calls),
		TAP_TEST(event_index_decides),
		TAP_TEST(event_index_wraps),
		TAP_TEST(no_call_fd),
		TAP_TEST(explicit_calls),
		TAP_TEST(no_calls_on_a_broken_queue),
		TAP_TEST(toggle_by_flag),
		TAP_TEST(toggle_by_event_index),
		TAP_TEST(toggle_before_ready),
	};
	int rc;

	tap_begin();
	flow_init(argv[0]);
	rc = tap_run(tests, RTE_DIM(tests), argc > 1 ? argv[1] : NULL, setup, flow_teardown);
	flow_cleanup();
	return rc;
}
