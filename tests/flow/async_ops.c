/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets copied by an engine of the application, with the guide's functions. The engine copies
 * when it is told to (engine.h), so each moment between "taken" and "handed back" can be looked at:
 * what the guest sees, who may do what, what becomes of packets when the engine errs, or when a
 * message takes queue, memory or device away.
 */
#include <errno.h>
#include <stdlib.h>

#include <rte_vhost_async.h>

#include "dma.h"
#include "engine.h"
#include "flow_main.h"
#include "guest_net.h"
#include "numbered.h"
#include "packets.h"

#define BURST 32
#define NR_MBUFS 2047
#define ROOM_BYTES 2048
#define ARENA_BYTES (4u << 20)
#define NR_BUFFERS 200
#define BUFFER_BYTES 1526

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_rx rx;
static struct guest_tx tx;
static uint8_t expected[70000], got[70000];
static struct engine *engine; /* of queue 0 */

static const uint64_t modern = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_INDIRECT_DESC;

static void
setup(void)
{
	engine_reset();
	engine = engine_of(0);
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(NR_MBUFS, ROOM_BYTES);
}

static void
up_config(const struct fe_config *config, uint64_t flags)
{
	flow_up(&flow, flags, config);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, ARENA_BYTES);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, NR_BUFFERS,
			       BUFFER_BYTES), 0);
	guest_rx_fill(&rx, UINT32_MAX);
}

static void
up_threshold(uint32_t threshold_bytes)
{
	const struct fe_config config = {.features = modern, .ring_size = 256};

	up_config(&config, RTE_VHOST_USER_ASYNC_COPY);
	for (uint16_t queue_id = 0; queue_id < 2; queue_id++)
		CHECK_EQ(rte_vhost_async_channel_register(flow.vid, queue_id,
							  engine_config(threshold_bytes),
							  &engine_ops), 0);
	engine_reset();
}

static void
up(void)
{
	up_threshold(0);
}

static void
down(void)
{
	CHECK(guest_rx_guards_intact(&rx));
	flow_down(&flow);
	CHECK(flow_pool_full(pool));
	CHECK_EQ(engine_of(0)->wrong + engine_of(1)->wrong, 0);
	guest_rx_fini(&rx);
}

/* What submit() saw come back at once; they go on where `back_next` is. */
static uint32_t back_next;

static unsigned
submit(uint32_t first, unsigned n)
{
	struct rte_mbuf *pkts[BURST], *done[BURST];
	uint32_t nr_done = 77;
	unsigned taken;

	for (unsigned i = 0; i < n; i++)
		pkts[i] = numbered_mbuf(pool, first + i);
	taken = rte_vhost_submit_enqueue_burst(flow.vid, 0, pkts, (uint16_t)n, done, &nr_done);
	rte_pktmbuf_free_bulk(pkts + taken, n - taken);
	CHECK(nr_done <= n);
	numbered_came_back(done, nr_done, back_next);
	back_next += nr_done;
	return taken;
}

/* One poll; how many came back. */
static unsigned
poll_most(unsigned most)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n = rte_vhost_poll_enqueue_completed(flow.vid, 0, pkts, (uint16_t)most);

	CHECK(n <= most);
	numbered_came_back(pkts, n, back_next);
	back_next += n;
	return n;
}

static unsigned
poll_all(void)
{
	unsigned n, all = 0;

	while ((n = poll_most(BURST)) > 0)
		all += n;
	return all;
}

static void
receive(uint32_t first, unsigned n)
{
	numbered_arrived(&rx, first, n);
	guest_rx_fill(&rx, UINT32_MAX);
}

/* One call; how many came, which are from `first` on, and how many are under way. */
static unsigned
take(uint32_t first, unsigned most, int *inflight)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n = rte_vhost_async_try_dequeue_burst(flow.vid, 1, pool, pkts, (uint16_t)most,
						       inflight);

	CHECK(n <= most);
	numbered_came_back(pkts, n, first);
	return n;
}

static int
inflight_of(uint16_t queue_id)
{
	return rte_vhost_async_get_inflight(flow.vid, queue_id);
}

static void
registration(void)
{
	struct rte_vhost_async_channel_ops no_transfer = engine_ops, no_check = engine_ops;
	const struct fe_config config = {.features = modern};
	struct rte_vhost_async_config any_order = engine_config(0);

	any_order.features = RTE_VHOST_ASYNC_FEATURE_UNKNOWN;
	no_transfer.transfer_data = NULL;
	no_check.check_completed_copies = NULL;
	up_config(&config, 0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0, engine_config(0), &engine_ops), -1);
	CHECK_EQ(submit(0, 1), 0);
	down();
	up_config(&config, RTE_VHOST_USER_ASYNC_COPY);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0, any_order, &engine_ops), -1);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0, engine_config(0), NULL), -1);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0, engine_config(0), &no_transfer), -1);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0, engine_config(0), &no_check), -1);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 2, engine_config(0), &engine_ops), -1);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid + 1, 0, engine_config(0), &engine_ops),
		 -1);
	CHECK_EQ(rte_vhost_async_channel_register(-1, 0, engine_config(0), &engine_ops), -1);
	CHECK_EQ(inflight_of(0), -1);
	CHECK_EQ(submit(0, 1), 0);
	CHECK_EQ(poll_most(BURST), 0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0, engine_config(0), &engine_ops), 0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0, engine_config(0), &engine_ops), -1);
	CHECK_EQ(inflight_of(0), 0);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), 0);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), 0);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 2), -1);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid + 1, 0), -1);
	CHECK_EQ(inflight_of(0), -1);
	CHECK_EQ(engine->transfers + engine->checks, 0);
	down();
}

/* A queue has one engine, and the functions that go with it. */
static void
two_kinds_in_one_process(void)
{
	struct rte_mbuf *m = numbered_mbuf(pool, 0), *pkts[BURST];
	int inflight = 77;

	back_next = 0;
	up();
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 1), 0);
	CHECK_EQ(dma_register(flow.vid, 0), -1);
	CHECK_EQ(dma_register(flow.vid, 1), 0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 1, engine_config(0), &engine_ops), -1);
	numbered_send(&tx, 0, 4);
	/* The other kind's functions on each. */
	CHECK_EQ(dma_submit(flow.vid, 0, &m, 1), 0);
	CHECK_EQ(take(0, BURST, &inflight), 0);
	CHECK_EQ(inflight, -1);
	rte_pktmbuf_free(m);
	CHECK_EQ(submit(0, 4), 4);
	CHECK_EQ(dma_poll(flow.vid, 0, pkts, BURST), 0);
	CHECK_EQ(dma_clear(flow.vid, 0, pkts, BURST), 0);
	engine_copy(0, 4);
	CHECK_EQ(dma_poll(flow.vid, 0, pkts, BURST), 0);
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 1, pkts, BURST), 0);
	CHECK_EQ(poll_all(), 4);
	receive(0, 4);
	for (uint32_t next = 0; next < 4;) {
		unsigned n = dma_dequeue(flow.vid, 1, pool, pkts, BURST);

		numbered_came_back(pkts, n, next);
		next += n;
	}
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	down();
}

/* Nothing that is not copied is in the used ring, nor what comes behind it. */
static void
nothing_shows_before_it_is_copied(void)
{
	struct guest_used used;

	back_next = 0;
	up();
	CHECK_EQ(submit(0, 5), 5);
	CHECK_EQ(engine->started, 5);
	CHECK_EQ(back_next, 0);
	CHECK_EQ(inflight_of(0), 5);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
	CHECK_EQ(poll_most(BURST), 0);
	engine_copy_half(0);
	CHECK_EQ(poll_most(BURST), 0);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
	CHECK(!guest_ring_poll(rx.vq, &used, NULL));
	engine_copy(0, 2);
	CHECK_EQ(guest_ring_pending(rx.vq), 0); /* nobody asked */
	CHECK_EQ(poll_most(BURST), 2);
	CHECK_EQ(inflight_of(0), 3);
	receive(0, 2);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), -1);
	engine_copy(0, 3);
	CHECK_EQ(poll_most(1), 1);
	CHECK_EQ(poll_most(1), 1);
	CHECK_EQ(inflight_of(0), 1);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), -1);
	CHECK_EQ(poll_most(1), 1);
	receive(2, 3);
	CHECK_EQ(inflight_of(0), 0);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), 0);
	CHECK_EQ(submit(5, 1), 0);
	down();
}

/* The other direction: the guest keeps its buffers until they are read. */
static void
buffers_go_back_when_they_are_read(void)
{
	struct engine *sender = engine_of(1);
	int inflight = 77;

	up();
	CHECK_EQ(take(0, BURST, &inflight), 0);
	CHECK_EQ(inflight, 0);
	numbered_send(&tx, 0, 10);
	CHECK_EQ(take(0, 4, &inflight), 0);
	CHECK_EQ(inflight, 4);
	CHECK_EQ(take(0, BURST, &inflight), 0);
	CHECK_EQ(inflight, 10);
	CHECK_EQ(inflight_of(1), 10);
	CHECK_EQ(sender->started, 10);
	CHECK_EQ(guest_ring_pending(tx.vq), 0);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 1), -1);
	engine_copy_half(1);
	CHECK_EQ(take(0, BURST, &inflight), 0);
	CHECK_EQ(guest_ring_pending(tx.vq), 0);
	engine_copy(1, 3);
	CHECK_EQ(take(0, BURST, &inflight), 3);
	CHECK_EQ(inflight, 7);
	CHECK_EQ(guest_ring_pending(tx.vq), 3);
	engine_copy(1, 7);
	CHECK_EQ(take(3, 2, &inflight), 2);
	CHECK_EQ(inflight, 5);
	CHECK_EQ(take(5, BURST, &inflight), 5);
	CHECK_EQ(inflight, 0);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 1), 0);
	down();
}

/* By whatever call, in order, once. */
static void
what_is_finished_comes_back(void)
{
	back_next = 0;
	up();
	engine->at_once = true;
	for (uint32_t next = 0; next < 300; next += 20) {
		CHECK_EQ(submit(next, 20), 20);
		poll_all();
		CHECK_EQ(back_next, next + 20);
		CHECK_EQ(inflight_of(0), 0);
		receive(next, 20);
	}
	/* What was under way before comes first. */
	engine->at_once = false;
	CHECK_EQ(submit(300, 10), 10);
	CHECK_EQ(back_next, 300);
	engine_copy(0, 10);
	CHECK_EQ(submit(310, 10), 10);
	poll_all();
	CHECK_EQ(back_next, 310);
	CHECK_EQ(inflight_of(0), 10);
	receive(300, 10);
	engine_copy(0, 10);
	CHECK_EQ(poll_all(), 10);
	receive(310, 10);
	down();
}

static void
clear_collects_as_well(void)
{
	struct rte_mbuf *pkts[BURST];

	back_next = 0;
	up();
	CHECK_EQ(submit(0, 20), 20);
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 0, pkts, BURST), 0);
	engine_copy(0, 12);
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 0, pkts, 5), 5);
	numbered_came_back(pkts, 5, 0);
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 0, pkts, BURST), 7);
	numbered_came_back(pkts, 7, 5);
	back_next = 12;
	engine_copy(0, 8);
	CHECK_EQ(poll_all(), 8);
	receive(0, 20);
	numbered_send(&tx, 0, 4);
	CHECK_EQ(take(0, BURST, &(int) {0}), 0);
	engine_copy(1, 4);
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 1, pkts, BURST), 4);
	numbered_came_back(pkts, 4, 0);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	down();
}

/* Whoever copies, the order is that of submission. */
static void
small_ones_are_for_the_cpu(void)
{
	struct rte_mbuf *pkts[4], *done[4];
	const uint32_t lengths[4] = {499, 500, 60, 1400};
	struct guest_net_hdr hdr;
	uint32_t nr_done = 77;

	up_threshold(500);
	for (unsigned i = 0; i < 4; i++)
		pkts[i] = packet_pattern(pool, i, lengths[i], 0);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, pkts, 4, done, &nr_done), 4);
	CHECK_EQ(engine->started, 2);
	CHECK_EQ(nr_done, 1);
	CHECK(done[0] == pkts[0]);
	CHECK_EQ(inflight_of(0), 3);
	CHECK_EQ(guest_ring_pending(rx.vq), 1);
	engine_copy(0, 1);
	CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid, 0, done, 4), 2);
	CHECK(done[0] == pkts[1]);
	CHECK(done[1] == pkts[2]);
	CHECK_EQ(inflight_of(0), 1);
	engine_copy(0, 1);
	CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid, 0, done, 4), 1);
	CHECK(done[0] == pkts[3]);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), lengths[i]);
		guest_pattern(i, expected, lengths[i]);
		CHECK(memcmp(expected, got, lengths[i]) == 0);
	}
	rte_pktmbuf_free_bulk(pkts, 4);
	down();
}

static void
the_ordinary_functions_wait(void)
{
	struct rte_mbuf *m, *pkts[BURST];

	back_next = 0;
	up();
	CHECK_EQ(submit(0, 10), 10);
	m = numbered_mbuf(pool, 10);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 0);
	engine_copy(0, 10);
	CHECK_EQ(poll_all(), 10);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 1);
	rte_pktmbuf_free(m);
	receive(0, 11);
	numbered_send(&tx, 0, 5);
	CHECK_EQ(take(0, 2, &(int) {0}), 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST), 0);
	engine_copy(1, 2);
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 1, pkts, BURST), 2);
	numbered_came_back(pkts, 2, 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST), 3);
	numbered_came_back(pkts, 3, 2);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	down();
}

/* Not enough buffers: nothing is used up, and what fits goes. */
static void
too_few_buffers(void)
{
	const struct fe_config config = {.features = modern, .ring_size = 64};

	back_next = 0;
	up_config(&config, RTE_VHOST_USER_ASYNC_COPY);
	guest_rx_fini(&rx);
	guest_ring_reset(rx.vq, 0);
	CHECK_EQ(fe_get_vring_base(&flow.fe, 0, NULL), 0);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 6, BUFFER_BYTES), 0);
	CHECK_EQ(fe_start_vring(&flow.fe, 0), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0, engine_config(0), &engine_ops), 0);
	/* 0 and 7 need two buffers each. */
	CHECK_EQ(submit(0, 10), 5);
	CHECK_EQ(submit(5, 1), 0);
	CHECK_EQ(inflight_of(0), 5);
	engine_copy(0, 5);
	CHECK_EQ(poll_all(), 5);
	receive(0, 5);
	CHECK_EQ(submit(5, 10), 5);
	engine_copy(0, 5);
	CHECK_EQ(poll_all(), 5);
	receive(5, 5);
	down();
}

/* --- engines that err ------------------------------------------------------ */

/* What is not started is not taken, and its buffers are for the next. */
static void
a_full_engine(void)
{
	back_next = 0;
	up();
	rx.touched = true; /* headers are the CPU's */
	engine->room = 7;
	CHECK_EQ(submit(0, 20), 7);
	CHECK_EQ(inflight_of(0), 7);
	CHECK_EQ(submit(7, 5), 0);
	engine_copy(0, 3);
	CHECK_EQ(poll_all(), 3);
	CHECK_EQ(submit(7, 5), 3);
	engine_copy(0, 100);
	CHECK_EQ(poll_all(), 7);
	receive(0, 10);
	engine->room = 0;
	CHECK_EQ(submit(10, 5), 0);
	CHECK_EQ(inflight_of(0), 0);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
	engine->room = ENGINE_ROOM;
	CHECK_EQ(submit(10, 5), 5);
	engine_copy(0, 100);
	CHECK_EQ(poll_all(), 5);
	receive(10, 5);
	down();
}

/* And the same for what the guest sends: it stays with the guest. */
static void
a_full_engine_leaves_packets_with_the_guest(void)
{
	int inflight;

	up();
	engine_of(1)->room = 3;
	numbered_send(&tx, 0, 10);
	for (uint32_t next = 0; next < 9; next += 3) {
		CHECK_EQ(take(next, BURST, &inflight), 0);
		CHECK_EQ(inflight, 3);
		CHECK_EQ(take(next, BURST, &inflight), 0);
		CHECK_EQ(inflight, 3);
		CHECK_EQ(guest_ring_pending(tx.vq), 0);
		engine_copy(1, 3);
		engine_of(1)->transfer_error = -1; /* no others now */
		CHECK_EQ(take(next, BURST, &inflight), 3);
		CHECK_EQ(inflight, 0);
		CHECK_EQ(guest_tx_reap(&tx), 3);
		engine_of(1)->transfer_error = 0;
	}
	CHECK_EQ(take(9, BURST, &inflight), 0);
	engine_copy(1, 1);
	CHECK_EQ(take(9, BURST, &inflight), 1);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	down();
}

static void
an_engine_that_fails_to_start(void)
{
	back_next = 0;
	up();
	rx.touched = true;
	CHECK_EQ(submit(0, 4), 4);
	engine->transfer_error = -1;
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(submit(4, 8), 0);
	CHECK_EQ(inflight_of(0), 4);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
	engine_copy(0, 4);
	CHECK_EQ(poll_all(), 4);
	receive(0, 4);
	engine->transfer_error = INT32_MIN;
	CHECK_EQ(submit(4, 8), 0);
	engine->transfer_error = 0;
	CHECK_EQ(submit(4, 8), 8);
	engine_copy(0, 8);
	CHECK_EQ(poll_all(), 8);
	receive(4, 8);
	down();
}

static void
an_engine_that_fails_to_say(void)
{
	back_next = 0;
	up();
	CHECK_EQ(submit(0, 10), 10);
	engine_copy(0, 10);
	engine->check_error = -1;
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(poll_all(), 0);
	CHECK_EQ(inflight_of(0), 10);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
	engine->check_error = 0;
	CHECK_EQ(poll_all(), 10);
	receive(0, 10);
	down();
}

static void
an_engine_that_reports_a_few_at_a_time(void)
{
	unsigned polls = 0, all = 0;

	back_next = 0;
	up();
	engine->most = 3;
	CHECK_EQ(submit(0, 20), 20);
	engine_copy(0, 20);
	while (all < 20 && polls++ < 100)
		all += poll_most(BURST);
	CHECK_EQ(all, 20);
	receive(0, 20);
	down();
}

/* More than there were: as if it were all of them. */
static void
an_engine_that_boasts(void)
{
	back_next = 0;
	up();
	for (int boast = 1; boast <= 1 << 20; boast <<= 4) {
		uint32_t first = back_next;

		engine->boast = boast;
		CHECK_EQ(submit(first, 10), 10);
		engine_copy(0, 10);
		poll_all();
		CHECK_EQ(back_next, first + 10);
		CHECK_EQ(inflight_of(0), 0);
		CHECK_EQ(poll_all(), 0);
		guest_rx_fill(&rx, UINT32_MAX);
		while (guest_ring_pending(rx.vq) > 0)
			receive(first++, 1);
		CHECK_EQ(first, back_next);
	}
	engine->boast = 0;
	CHECK_EQ(submit(back_next, 10), 10);
	engine_copy(0, 10);
	CHECK_EQ(poll_all(), 10);
	receive(back_next - 10, 10);
	down();
}

/* The engine comes to an end after all: now a device of that number may have one again. */
static void
late_end(void)
{
	for (uint16_t queue_id = 0; queue_id < 2; queue_id++) {
		engine_copy(queue_id, UINT32_MAX);
		engine_of(queue_id)->check_error = 0;
	}
	back_next = 100;
	up();
	CHECK(flow_pool_full(pool));
	CHECK_EQ(submit(100, 20), 20);
	engine_copy(0, 20);
	CHECK_EQ(poll_all(), 20);
	receive(100, 20);
	down();
}

/*
 * Not as long as the device lives. Its packets and its memory stay with the engine, which may look
 * at them at any time, and so does the place of its queue.
 */
static void
an_engine_that_takes_for_ever(void)
{
	const struct fe_config config = {.features = modern, .ring_size = 256};

	back_next = 0;
	up();
	CHECK_EQ(submit(0, 20), 20);
	numbered_send(&tx, 0, 10);
	CHECK_EQ(take(0, BURST, &(int) {0}), 0);
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(poll_all(), 0);
	CHECK_EQ(inflight_of(0), 20);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), -1);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
	flow_down(&flow);
	guest_rx_fini(&rx);
	CHECK(!flow_pool_full(pool));
	for (unsigned i = 0; i < 3; i++) {
		up_config(&config, RTE_VHOST_USER_ASYNC_COPY);
		CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0, engine_config(0),
							  &engine_ops), -1);
		flow_down(&flow);
		guest_rx_fini(&rx);
	}
	engine_copy_half(0);
	engine_copy_half(1);
	late_end();
}

/* --- messages with packets in flight ---------------------------------------- */

/* What the hook does in callbacks, on the library's thread; main waits meanwhile. */
static struct {
	bool drain; /* have copied, collect */
	unsigned collected, asked_again; /* packets; asked when nothing was in flight any more */
	int before, after; /* in flight on queue 0, at the first drain and now; 77: not asked */
} callback;

static void
drain(int vid, uint16_t queue_id, bool held)
{
	struct rte_mbuf *pkts[BURST];
	int left = held ? rte_vhost_async_get_inflight_thread_unsafe(vid, queue_id) :
			  rte_vhost_async_get_inflight(vid, queue_id);

	if (queue_id == 0 && callback.before == 77)
		callback.before = left;
	while (left > 0) {
		unsigned n;

		engine_copy(queue_id, 1);
		n = held ? rte_vhost_clear_queue_thread_unsafe(vid, queue_id, pkts, BURST) :
			   rte_vhost_clear_queue(vid, queue_id, pkts, BURST);
		if (n == 0)
			return;
		rte_pktmbuf_free_bulk(pkts, n);
		callback.collected += n;
		left = held ? rte_vhost_async_get_inflight_thread_unsafe(vid, queue_id) :
			      rte_vhost_async_get_inflight(vid, queue_id);
	}
	if (queue_id == 0)
		callback.after = left;
}

static void
on_callback(const char *word, int vid)
{
	if (!callback.drain)
		return;
	if (strcmp(word, "-dev") == 0) {
		drain(vid, 0, false);
		drain(vid, 1, false);
	} else if (strcmp(word, "q0=0") == 0) {
		drain(vid, 0, true);
	} else if (strcmp(word, "q1=0") == 0) {
		drain(vid, 1, true);
	}
}

/* Ten packets in flight on each queue, then a message; recorded from here. */
static void
fly(bool with_drain)
{
	memset(&callback, 0, sizeof(callback));
	callback.drain = with_drain;
	callback.before = callback.after = 77;
	back_next = 0;
	up();
	CHECK_EQ(submit(0, 10), 10);
	numbered_send(&tx, 0, 10);
	CHECK_EQ(take(0, BURST, &(int) {0}), 0);
	CHECK_EQ(inflight_of(0), 10);
	CHECK_EQ(inflight_of(1), 10);
	rec_hook = on_callback;
	rec_reset();
}

/* All of queue 0 came back in callbacks, none is left. */
static void
check_drained(void)
{
	CHECK_EQ(callback.before, 10);
	CHECK_EQ(callback.after, 0);
	back_next = 10;
}

/* Both queues work, from packet `first` on. */
static void
check_working(uint32_t first)
{
	int inflight = 0;
	uint32_t next = first;

	for (uint16_t queue_id = 0; queue_id < 2; queue_id++)
		if (inflight_of(queue_id) < 0)
			CHECK_EQ(rte_vhost_async_channel_register(flow.vid, queue_id,
								  engine_config(0), &engine_ops), 0);
	CHECK_EQ(inflight_of(0), 0);
	CHECK_EQ(inflight_of(1), 0);
	back_next = first;
	CHECK_EQ(submit(first, 10), 10);
	engine_copy(0, 100);
	CHECK_EQ(poll_all(), 10);
	receive(first, 10);
	numbered_send(&tx, first, 10);
	for (unsigned tries = 0; next < first + 10 && tries < 10; tries++) {
		next += take(next, BURST, &inflight);
		engine_copy(1, 100);
	}
	CHECK_EQ(next, first + 10);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
}

static const struct guest_region_spec another_region = {.gpa = 1u << 30, .size_bytes = 1u << 20};

static void
change_memory(void)
{
	CHECK_EQ(guest_memory_add(&flow.fe.mem, &another_region), 0);
	CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), "q0=0 q1=0 q0=1 q1=1");
}

static void
new_memory_drained(void)
{
	fly(true);
	change_memory();
	check_drained();
	CHECK_EQ(callback.collected, 20);
	receive(0, 10);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	check_working(10);
	down();
}

/* Copies go on in the old memory; what they wrote is the guest's all the same. */
static void
new_memory_with_packets_in_flight(void)
{
	int inflight;

	fly(false);
	change_memory();
	CHECK_EQ(inflight_of(0), 10);
	CHECK_EQ(inflight_of(1), 10);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
	engine_copy(0, 100);
	engine_copy(1, 100);
	CHECK_EQ(poll_all(), 10);
	receive(0, 10);
	CHECK_EQ(take(0, BURST, &inflight), 10);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	check_working(10);
	down();
}

static void
switch_off_and_on(bool with_drain)
{
	struct rte_mbuf *pkts[BURST];

	fly(with_drain);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, false), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, false), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), "q0=0 q1=0");
	CHECK_EQ(submit(50, 1), 0);
	if (with_drain) {
		check_drained();
		CHECK_EQ(callback.collected, 20);
	} else {
		engine_copy(0, 4);
		engine_copy(1, 100);
		CHECK_EQ(poll_all(), 4);
		CHECK_EQ(rte_vhost_clear_queue(flow.vid, 1, pkts, BURST), 10);
		numbered_came_back(pkts, 10, 0);
	}
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), "q0=0 q1=0 q0=1 q1=1");
	if (!with_drain) {
		engine_copy(0, 100);
		CHECK_EQ(poll_all(), 6);
	}
	receive(0, 10);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	check_working(10);
	down();
}

static void
queues_off_and_on_drained(void)
{
	switch_off_and_on(true);
}

static void
queues_off_and_on_with_packets_in_flight(void)
{
	switch_off_and_on(false);
}

static void
restart(void)
{
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(fe_start_vring(&flow.fe, i), 0);
		CHECK_EQ(fe_set_vring_enable(&flow.fe, i, true), 0);
	}
	CHECK_EQ(fe_sync(&flow.fe), 0);
}

static void
queues_stop_drained(void)
{
	uint32_t bases[2];

	fly(true);
	CHECK_EQ(fe_stop(&flow.fe, bases), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), "-dev q0=0 q1=0");
	check_drained();
	CHECK_EQ(callback.collected, 20);
	receive(0, 10);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	CHECK(flow_base_is(bases[0], rx.vq) || flow_packed);
	restart();
	check_working(10);
	down();
}

/*
 * The engine is not asked behind the application's back, so the queue stands before what it has:
 * the guest's buffers are for the next packets, those from before come back to the application.
 */
static void
queues_stop_with_packets_in_flight(void)
{
	struct rte_mbuf *pkts[BURST];
	uint32_t bases[2];
	unsigned again = 0;

	fly(false);
	rx.touched = true;
	engine_copy(0, 4);
	CHECK_EQ(poll_all(), 4);
	receive(0, 4);
	CHECK_EQ(fe_stop(&flow.fe, bases), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), "-dev q0=0 q1=0");
	CHECK(flow_base_is(bases[0], rx.vq));
	CHECK(flow_base_is(bases[1], tx.vq));
	engine_copy(0, 3);
	engine_copy(1, 3);
	restart();
	/* What it writes now goes into buffers that are on the ring again: no others meanwhile. */
	for (unsigned tries = 0; tries < 3; tries++)
		CHECK_EQ(submit(50, 4), 0);
	engine_copy(0, 100);
	engine_copy(1, 100);
	CHECK_EQ(poll_all(), 6);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
	/* Those that the guest sent are still on the ring, and come now. */
	for (unsigned tries = 0; again < 10 && tries < 10; tries++) {
		unsigned n = rte_vhost_async_try_dequeue_burst(flow.vid, 1, pool, pkts, BURST,
							       &(int) {0});

		numbered_came_back(pkts, n, again);
		again += n;
		engine_copy(1, 100);
	}
	CHECK_EQ(again, 10);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	check_working(10);
	down();
}

/* Those in flight are the library's to settle, whatever the socket is for by now. */
static void
socket_that_becomes_the_applications(void)
{
	uint64_t offered = 0;

	fly(false);
	rx.touched = true;
	CHECK_EQ(rte_vhost_driver_get_features(flow.path, &offered), 0);
	CHECK_EQ(rte_vhost_driver_set_features(flow.path, offered), 0);
	CHECK_EQ(fe_stop(&flow.fe, NULL), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	engine_copy(0, 10);
	CHECK_EQ(poll_all(), 10);
	rec_hook = NULL;
	flow_down(&flow);
	guest_rx_fini(&rx);
	late_end();
}

static void
owner_reset(bool with_drain)
{
	fly(with_drain);
	CHECK_EQ(fe_reset_owner(&flow.fe), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK(strncmp(rec_text(), "-dev", 4) == 0);
	if (with_drain) {
		check_drained();
		CHECK_EQ(callback.collected, 20);
		receive(0, 10);
		CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	}
	rec_hook = NULL;
	flow_down(&flow);
	guest_rx_fini(&rx);
	late_end();
}

static void
owner_reset_drained(void)
{
	owner_reset(true);
}

static void
owner_reset_with_packets_in_flight(void)
{
	owner_reset(false);
}

static void
disconnected(bool with_drain)
{
	fly(with_drain);
	fe_disconnect(&flow.fe);
	CHECK(rec_wait_tail("-conn"));
	CHECK(strncmp(rec_text(), "-dev ", 5) == 0);
	if (with_drain) {
		check_drained();
		CHECK_EQ(callback.collected, 20);
		receive(0, 10);
		CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	}
	CHECK_EQ(flow_pool_full(pool), with_drain);
	CHECK_EQ(inflight_of(0), -1);
	flow_unserve(flow.path);
	flow_forget();
	fe_close(&flow.fe);
	guest_rx_fini(&rx);
	late_end();
}

static void
disconnected_drained(void)
{
	disconnected(true);
}

static void
disconnected_with_packets_in_flight(void)
{
	disconnected(false);
}

static void
driver_unregistered(bool with_drain)
{
	fly(with_drain);
	CHECK_EQ(rte_vhost_driver_unregister(flow.path), 0);
	CHECK(rec_wait_tail("-conn"));
	if (with_drain) {
		check_drained();
		CHECK_EQ(callback.collected, 20);
		receive(0, 10);
	}
	CHECK_EQ(flow_pool_full(pool), with_drain);
	flow_forget();
	fe_close(&flow.fe);
	guest_rx_fini(&rx);
	late_end();
}

static void
driver_unregistered_drained(void)
{
	driver_unregistered(true);
}

static void
driver_unregistered_with_packets_in_flight(void)
{
	driver_unregistered(false);
}

/* As for a DMA channel: registered and let go in callbacks. */
static int held_results[2];

static void
register_held(const char *word, int vid)
{
	if (strcmp(word, "q0=1") == 0) {
		held_results[0] = rte_vhost_async_channel_register_thread_unsafe(
			vid, 0, engine_config(0), &engine_ops);
	} else if (strcmp(word, "q0=0") == 0) {
		drain(vid, 0, true);
		held_results[1] = rte_vhost_async_channel_unregister_thread_unsafe(vid, 0);
	}
}

static void
registered_in_callbacks(void)
{
	const struct fe_config config = {.features = modern, .ring_size = 256};

	back_next = 0;
	held_results[0] = held_results[1] = 77;
	rec_hook = register_held;
	up_config(&config, RTE_VHOST_USER_ASYNC_COPY);
	CHECK_EQ(held_results[0], 0);
	for (unsigned round = 0; round < 3; round++) {
		CHECK_EQ(submit(round * 10, 10), 10);
		held_results[0] = held_results[1] = 77;
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, false), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		CHECK_EQ(held_results[1], 0);
		CHECK_EQ(inflight_of(0), -1);
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		CHECK_EQ(held_results[0], 0);
		receive(round * 10, 10);
		back_next += 10;
	}
	rec_hook = NULL;
	down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(registration),
		FLOW_TEST(two_kinds_in_one_process),
		FLOW_TEST(nothing_shows_before_it_is_copied),
		FLOW_TEST(buffers_go_back_when_they_are_read),
		FLOW_TEST(what_is_finished_comes_back),
		FLOW_TEST(clear_collects_as_well),
		FLOW_TEST(small_ones_are_for_the_cpu),
		FLOW_TEST(the_ordinary_functions_wait),
		FLOW_TEST(too_few_buffers),
		FLOW_TEST(a_full_engine),
		FLOW_TEST(a_full_engine_leaves_packets_with_the_guest),
		FLOW_TEST(an_engine_that_fails_to_start),
		FLOW_TEST(an_engine_that_fails_to_say),
		FLOW_TEST(an_engine_that_reports_a_few_at_a_time),
		FLOW_TEST(an_engine_that_boasts),
		FLOW_TEST(an_engine_that_takes_for_ever),
		FLOW_TEST(new_memory_drained),
		FLOW_TEST(new_memory_with_packets_in_flight),
		FLOW_TEST(queues_off_and_on_drained),
		FLOW_TEST(queues_off_and_on_with_packets_in_flight),
		FLOW_TEST(queues_stop_drained),
		FLOW_TEST(queues_stop_with_packets_in_flight),
		FLOW_TEST(socket_that_becomes_the_applications),
		FLOW_TEST(owner_reset_drained),
		FLOW_TEST(owner_reset_with_packets_in_flight),
		FLOW_TEST(disconnected_drained),
		FLOW_TEST(disconnected_with_packets_in_flight),
		FLOW_TEST(driver_unregistered_drained),
		FLOW_TEST(driver_unregistered_with_packets_in_flight),
		FLOW_TEST(registered_in_callbacks),
	};

	flow_vdev = DMA_VDEV;
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
