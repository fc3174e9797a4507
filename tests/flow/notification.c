/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls to the guest and kicks from it: flags, event index, explicit calls, the toggle. */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

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
		CHECK(guest_tx_post(&tx, NULL, data, 60, NULL, 0) >= 0);
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

/* A call when the n-th buffer (of one descriptor) is used. */
static void
set_used_event(uint16_t n)
{
	if (flow_packed)
		guest_packed_set_used_event(tx.vq, n);
	else
		guest_split_set_used_event(tx.vq, n);
}

static void
event_index_decides(void)
{
	up(modern | FE_F_EVENT_IDX);
	CHECK(tx.vq->event_idx);
	/* The first notification after a start is always sent. */
	set_used_event(1000);
	guest_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	/* Now only when used.idx passes used_event. */
	set_used_event(5);
	guest_sends(4); /* 1..5 */
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	guest_sends(1); /* 5 -> 6: passes 5 */
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	guest_sends(3);
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	set_used_event(11);
	guest_sends(8); /* 9 -> 17: passes on the way */
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	down();
}

static void
flag_is_ignored_with_event_index(void)
{
	up(modern | FE_F_EVENT_IDX);
	guest_sends(1);
	guest_ring_calls(tx.vq);
	tx.vq->avail[0] = GUEST_AVAIL_NO_INTERRUPT;
	set_used_event(1);
	guest_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	down();
}

/* The flags say whether the event index counts at all. */
static void
flags_rule_the_event_index(void)
{
	struct guest_event event;

	up(modern | FE_F_EVENT_IDX);
	guest_sends(1);
	guest_ring_calls(tx.vq);
	set_used_event(1);
	event = guest_packed_driver_event(tx.vq);
	event.flags = GUEST_EVENT_DISABLE;
	guest_packed_raw_driver_event(tx.vq, event);
	guest_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	event.flags = GUEST_EVENT_ENABLE;
	guest_packed_raw_driver_event(tx.vq, event);
	guest_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	down();
}

/* Round after round in a ring of odd size: the right wrap counter calls, the other does not. */
static void
wrap_counter_of_the_event(void)
{
	const struct fe_config config = {.features = modern | FE_F_EVENT_IDX, .ring_size = 7};

	flow_up(&flow, 0, &config);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	guest_sends(1);
	CHECK_EQ(guest_tx_reap(&tx), 1);
	guest_ring_calls(tx.vq);
	for (uint16_t n = 1; n < 100; n++) {
		/* A whole round away, this one, the one before. */
		const uint16_t events[] = {(uint16_t)(n + 7), n, (uint16_t)(n - 1)};
		unsigned which = n % 3;

		set_used_event(events[which]);
		guest_sends(1);
		CHECK_EQ(guest_tx_reap(&tx), 1);
		CHECK_EQ(guest_ring_calls(tx.vq), which == 1);
	}
	flow_down(&flow);
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
	set_used_event(2);
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

/*
 * What the old descriptor was told may have been heard by nobody, and a guest that waits for an
 * event that is past gets no other. Difference: the stock library leaves it waiting.
 */
static void
new_call_fd(void)
{
	if (is_stock)
		tap_skip("the stock library does not call on a new descriptor");
	up(modern | FE_F_EVENT_IDX);
	guest_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	set_used_event(1);
	guest_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 1); /* and lost */
	guest_sends(1);
	CHECK_EQ(guest_ring_calls(tx.vq), 0);
	CHECK_EQ(fe_set_vring_call(&flow.fe, 1, tx.vq->callfd), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	/* None for a while. */
	CHECK_EQ(fe_set_vring_call(&flow.fe, 1, -1), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	set_used_event(3);
	guest_sends(1);
	CHECK_EQ(fe_set_vring_call(&flow.fe, 1, tx.vq->callfd), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(guest_ring_calls(tx.vq), 1);
	down();
	/* A guest that wants no calls gets none. */
	up(modern);
	guest_ring_call_disable(tx.vq);
	CHECK_EQ(fe_set_vring_call(&flow.fe, 1, tx.vq->callfd), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
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
	if (flow_packed) /* a chain without an end */
		for (uint16_t i = 0; i < tx.vq->size; i++)
			guest_packed_raw_desc(tx.vq, i, tx.arena_gpa, 1, 0, (uint16_t)(
					      GUEST_DESC_NEXT | guest_packed_avail_flags(true)));
	else
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

/* Did the device say that it wants no kicks? */
static bool
kicks_off(const struct guest_ring *vq)
{
	if (flow_packed)
		return guest_packed_device_event(vq).flags == GUEST_EVENT_DISABLE;
	return vq->used[0] == GUEST_USED_NO_NOTIFY;
}

/* Flags: NO_NOTIFY while disabled; untouched until the application says something. */
static void
toggle_by_flag(void)
{
	up(modern);
	CHECK(!kicks_off(tx.vq));
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 1, 0), 0);
	CHECK(kicks_off(tx.vq));
	CHECK(guest_tx_send(&tx, NULL, data, 60) >= 0);
	CHECK(!guest_ring_kick(tx.vq));
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 1, 1), 0);
	CHECK(!kicks_off(tx.vq));
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
	if (flow_packed) {
		CHECK_EQ(guest_packed_device_event(tx.vq).flags, GUEST_EVENT_DESC);
		CHECK_EQ(guest_packed_device_event(tx.vq).off_wrap, 3 | 1 << 15);
	} else {
		CHECK_EQ(guest_split_avail_event(tx.vq), 3);
	}
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
	CHECK(kicks_off(&fe.vqs[1]));
	CHECK(!kicks_off(&fe.vqs[0]));
	fe_close(&fe);
	CHECK(rec_wait_tail("-conn"));
	flow_unserve(path);
}

/* --- held queues ------------------------------------------------------- */

static bool enable_in_hook, looked;
static int found;

/* In vring_state_changed() the library holds the queue. */
static void
ask_and_look(const char *word, int vid)
{
	struct rte_mbuf *m;

	if (strcmp(word, "q1=1") != 0)
		return;
	if (enable_in_hook)
		rte_vhost_enable_guest_notification(vid, 1, 1);
	found = rte_vhost_dequeue_burst(vid, 1, pool, &m, 1);
	looked = true;
}

static bool
readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

/*
 * Who looks at a held queue sees nothing, whatever there is, and may go to sleep on the kick fd;
 * what he asked for has to come true, and he has to be woken.
 */
static void
asked_while_held(void)
{
	struct rte_mbuf *m;

	if (is_stock)
		tap_skip("the stock library deadlocks when a callback asks");
	up(modern);
	for (int round = 0; round < 2; round++) {
		enable_in_hook = round == 0;
		looked = false;
		CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 1, !enable_in_hook), 0);
		CHECK(guest_tx_post(&tx, NULL, data, 60, NULL, 0) >= 0);
		CHECK(!readable(tx.vq->kickfd));
		rec_hook = ask_and_look;
		/* Another eventfd: the queue goes down and up. */
		CHECK_EQ(fe_set_vring_call(&flow.fe, 1, tx.vq->callfd), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		rec_hook = NULL;
		CHECK(looked);
		CHECK_EQ(found, 0);
		CHECK(!kicks_off(tx.vq));
		CHECK(readable(tx.vq->kickfd));
		eventfd_read(tx.vq->kickfd, &(eventfd_t) {0});
		CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, &m, 1), 1);
		rte_pktmbuf_free(m);
	}
	/* Nobody sleeps on what he asked not to hear of, nor on what he never spoke of. */
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 1, 0), 0);
	CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK(!readable(tx.vq->kickfd));
	CHECK(!readable(rx.vq->kickfd));
	down();
}

/* No callback tells of these; a thread may look while they happen. */
static void
woken_after_every_hold(void)
{
	uint64_t pairs;

	if (is_stock)
		tap_skip("the stock library does not wake");
	up(modern);
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 1, 1), 0);
	CHECK(!readable(tx.vq->kickfd));
	CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK(readable(tx.vq->kickfd));
	eventfd_read(tx.vq->kickfd, &(eventfd_t) {0});
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK(readable(tx.vq->kickfd));
	eventfd_read(tx.vq->kickfd, &(eventfd_t) {0});
	CHECK_EQ(rte_vhost_set_vring_base(flow.vid, 1, flow_packed << 15, flow_packed << 15), 0);
	CHECK(readable(tx.vq->kickfd));
	/* Not after what holds nothing. */
	eventfd_read(tx.vq->kickfd, &(eventfd_t) {0});
	CHECK_EQ(fe_get_queue_num(&flow.fe, &pairs), 0);
	CHECK(!readable(tx.vq->kickfd));
	down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(one_call_a_burst),
		FLOW_TEST(flag_suppresses_calls),
		FLOW_TEST(event_index_decides),
		FLOW_TEST(event_index_wraps),
		SPLIT_TEST(flag_is_ignored_with_event_index),
		PACKED_TEST(flags_rule_the_event_index),
		PACKED_TEST(wrap_counter_of_the_event),
		FLOW_TEST(no_call_fd),
		FLOW_TEST(new_call_fd),
		FLOW_TEST(explicit_calls),
		FLOW_TEST(no_calls_on_a_broken_queue),
		FLOW_TEST(toggle_by_flag),
		FLOW_TEST(toggle_by_event_index),
		FLOW_TEST(toggle_before_ready),
		FLOW_TEST(asked_while_held),
		FLOW_TEST(woken_after_every_hold),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
