/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets copied by a DMA device, with DPDK 22.11's functions: what is in flight and for how long,
 * who may do what meanwhile, and that every packet comes back once. Shapes of buffers and packets:
 * enqueue.c and dequeue.c, which are built for a DMA device, too.
 */
#define RTE_VHOST_ASYNC_DMADEV

#include <errno.h>
#include <stdlib.h>

#include <rte_dmadev.h>
#include <rte_vhost_async.h>

#include "dma.h"
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
static int16_t dma;

static const uint64_t modern = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_INDIRECT_DESC;

static void
setup(void)
{
	srandom(3);
	dma = dma_device();
	CHECK_EQ(rte_vhost_async_dma_configure(dma, 0), 0);
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(NR_MBUFS, ROOM_BYTES);
}

static void
up_flags(uint64_t flags)
{
	const struct fe_config config = {.features = modern, .ring_size = 256};

	flow_up(&flow, flags, &config);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, ARENA_BYTES);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, NR_BUFFERS,
			       BUFFER_BYTES), 0);
	guest_rx_fill(&rx, UINT32_MAX);
}

static void
up(void)
{
	up_flags(RTE_VHOST_USER_ASYNC_COPY);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0), 0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 1), 0);
}

static void
down(void)
{
	CHECK(guest_rx_guards_intact(&rx));
	flow_down(&flow);
	CHECK(flow_pool_full(pool));
	guest_rx_fini(&rx);
}

static unsigned
submit(uint32_t first, unsigned n)
{
	struct rte_mbuf *pkts[BURST];
	unsigned taken;

	for (unsigned i = 0; i < n; i++)
		pkts[i] = numbered_mbuf(pool, first + i);
	taken = rte_vhost_submit_enqueue_burst(flow.vid, 0, pkts, (uint16_t)n, dma, 0);
	rte_pktmbuf_free_bulk(pkts + taken, n - taken);
	return taken;
}

static unsigned
poll_some(uint32_t first, unsigned most)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n = rte_vhost_poll_enqueue_completed(flow.vid, 0, pkts, (uint16_t)most, dma, 0);

	numbered_came_back(pkts, n, first);
	return n;
}

static bool
is_copied(void *arg)
{
	uint32_t *next = arg;

	*next += poll_some(*next, BURST);
	return rte_vhost_async_get_inflight(flow.vid, 0) == 0;
}

/* Waits for what is in flight on queue 0, which is from `first` on; returns how many came. */
static unsigned
poll_all(uint32_t first)
{
	uint32_t next = first;

	CHECK(flow_wait_until(is_copied, &next, 20000));
	return next - first;
}

struct taking {
	uint32_t next, last;
	int inflight;
};

static bool
is_taken(void *arg)
{
	struct taking *t = arg;
	struct rte_mbuf *pkts[BURST];
	unsigned n = rte_vhost_async_try_dequeue_burst(flow.vid, 1, pool, pkts, BURST, &t->inflight,
						       dma, 0);

	numbered_came_back(pkts, n, t->next);
	t->next += n;
	return t->next == t->last;
}

static void
take(uint32_t first, unsigned n)
{
	struct taking t = {.next = first, .last = first + n};

	CHECK(flow_wait_until(is_taken, &t, 20000));
	CHECK_EQ(t.inflight, 0);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
}

static void
channels_are_given_and_taken(void)
{
	CHECK_EQ(rte_vhost_async_dma_configure(dma, 0), 0);
	CHECK_EQ(rte_vhost_async_dma_configure(dma, 1), -1);
	CHECK_EQ(rte_vhost_async_dma_configure((int16_t)(dma + 1), 0), -1);
	CHECK_EQ(rte_vhost_async_dma_configure(-1, 0), -1);
	CHECK_EQ(rte_vhost_async_dma_configure(INT16_MAX, 0), -1);
	CHECK_EQ(rte_vhost_async_dma_unconfigure((int16_t)(dma + 1), 0), -1);
	CHECK_EQ(rte_vhost_async_dma_unconfigure(-1, 0), -1);
	CHECK_EQ(rte_vhost_async_dma_unconfigure(INT16_MAX, 0), -1);
	CHECK_EQ(rte_vhost_async_dma_unconfigure(dma, 0), 0);
	CHECK_EQ(rte_vhost_async_dma_unconfigure(dma, 0), -1);
	CHECK_EQ(rte_vhost_async_dma_configure(dma, 0), 0);
}

static void
registration_asks_for_the_flag(void)
{
	up_flags(0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0), -1);
	CHECK_EQ(submit(0, 4), 0);
	CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 0), -1);
	down();
}

static void
registration(void)
{
	up_flags(RTE_VHOST_USER_ASYNC_COPY);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid + 1, 0), -1);
	CHECK_EQ(rte_vhost_async_channel_register(-1, 0), -1);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 2), -1);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, UINT16_MAX), -1);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid + 1, 0), -1);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 2), -1);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), 0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0), 0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0), -1);
	CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 0), 0);
	CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 1), -1);
	CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 2), -1);
	CHECK_EQ(rte_vhost_async_get_inflight(flow.vid + 1, 0), -1);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), 0);
	CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 0), -1);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), 0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0), 0);
	CHECK_EQ(submit(0, 8), 8);
	CHECK_EQ(poll_all(0), 8);
	numbered_arrived(&rx, 0, 8);
	down();
}

/* A queue, device or channel that is not there takes nothing and gives nothing. */
static void
nothing_goes_astray(void)
{
	struct rte_mbuf *pkts[BURST], *m = numbered_mbuf(pool, 1);
	int inflight = 77;

	up();
	numbered_send(&tx, 1, 4);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 1, &m, 1, dma, 0), 0);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 2, &m, 1, dma, 0), 0);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid + 1, 0, &m, 1, dma, 0), 0);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(-1, 0, &m, 1, dma, 0), 0);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 1, (int16_t)(dma + 1), 0), 0);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 1, -1, 0), 0);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 1, dma, 1), 0);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 0, dma, 0), 0);
	rte_pktmbuf_free(m);
	CHECK_EQ(submit(0, 4), 4);
	CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid + 1, 0, pkts, BURST, dma, 0), 0);
	CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid, 2, pkts, BURST, dma, 0), 0);
	CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid, 0, pkts, BURST, -1, 0), 0);
	CHECK_EQ(rte_vhost_poll_enqueue_completed(flow.vid, 0, pkts, BURST, dma, 1), 0);
	CHECK_EQ(rte_vhost_clear_queue(flow.vid + 1, 0, pkts, BURST, dma, 0), 0);
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 0, pkts, BURST, (int16_t)(dma + 1), 0), 0);
	CHECK_EQ(rte_vhost_async_try_dequeue_burst(flow.vid, 0, pool, pkts, BURST, &inflight, dma,
						   0), 0);
	CHECK_EQ(rte_vhost_async_try_dequeue_burst(flow.vid, 3, pool, pkts, BURST, &inflight, dma,
						   0), 0);
	CHECK_EQ(rte_vhost_async_try_dequeue_burst(flow.vid + 1, 1, pool, pkts, BURST, &inflight,
						   dma, 0), 0);
	CHECK_EQ(inflight, -1);
	inflight = 77;
	CHECK_EQ(rte_vhost_async_try_dequeue_burst(flow.vid, 1, pool, pkts, BURST, &inflight,
						   (int16_t)(dma + 1), 0), 0);
	CHECK_EQ(inflight, -1);
	CHECK_EQ(poll_all(0), 4);
	numbered_arrived(&rx, 0, 4);
	take(1, 4);
	down();
}

/* Counted until they are collected, however long ago they were copied. */
static void
in_flight_until_collected(void)
{
	unsigned left = 3 * BURST;
	uint32_t next = 0;

	up();
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(submit(i * BURST, BURST), BURST);
		CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 0), (i + 1) * BURST);
	}
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), -1);
	while (left > 0) {
		unsigned n = poll_some(next, 5);

		CHECK(n <= 5);
		next += n;
		left -= n;
		CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 0), left);
	}
	numbered_arrived(&rx, 0, 3 * BURST);
	CHECK_EQ(rte_vhost_async_channel_unregister(flow.vid, 0), 0);
	CHECK_EQ(submit(0, 1), 0);
	down();
}

static void
clear_collects_as_well(void)
{
	struct rte_mbuf *pkts[BURST];
	uint32_t next = 0;

	up();
	CHECK_EQ(submit(0, BURST), BURST);
	while (next < BURST) {
		unsigned n = rte_vhost_clear_queue(flow.vid, 0, pkts, 7, dma, 0);

		CHECK(n <= 7);
		numbered_came_back(pkts, n, next);
		next += n;
	}
	CHECK_EQ(rte_vhost_clear_queue(flow.vid, 0, pkts, 7, dma, 0), 0);
	CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 0), 0);
	numbered_arrived(&rx, 0, BURST);
	down();
}

/* Many packets under way, submitted and collected by turns, round and round the ring. */
static void
a_stream_to_the_guest(void)
{
	uint32_t submitted = 0, collected = 0, received = 0;
	struct guest_net_hdr hdr;

	up();
	while (received < 3000) {
		if (submitted < 3000)
			submitted += submit(submitted, RTE_MIN(1 + (unsigned)random() % BURST,
							       3000 - submitted));
		if (random() % 3 == 0)
			collected += poll_some(collected, 1 + (unsigned)random() % BURST);
		CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 0), submitted - collected);
		while (guest_ring_pending(rx.vq) > 0) {
			guest_pattern(received, expected, numbered_bytes(received));
			CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL),
				 numbered_bytes(received));
			CHECK(memcmp(expected, got, numbered_bytes(received)) == 0);
			received++;
		}
		CHECK(received <= submitted);
		guest_rx_fill(&rx, UINT32_MAX);
	}
	CHECK_EQ(collected + poll_all(collected), 3000);
	down();
}

static void
a_stream_from_the_guest(void)
{
	struct taking t = {.next = 0};

	up();
	while (t.next < 3000) {
		unsigned n = RTE_MIN(1 + (unsigned)random() % BURST, 3000 - t.last);

		if (t.last - t.next < BURST) {
			numbered_send(&tx, t.last, n);
			t.last += n;
		}
		is_taken(&t);
		CHECK(t.inflight >= 0);
		CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 1), t.inflight);
		CHECK(guest_tx_reap(&tx) >= 0);
		CHECK(t.next <= t.last);
	}
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	CHECK_EQ(t.inflight, 0);
	down();
}

/* Both queues with one channel: what is collected on one is not lost for the other. */
static void
two_queues_share_a_channel(void)
{
	struct taking t = {.next = 0};

	up();
	for (uint32_t next = 0; next < 40 * 20; next += 20) {
		numbered_send(&tx, next, 20);
		t.last = next + 20;
		is_taken(&t);
		CHECK_EQ(submit(next, 20), 20);
		take(t.next, t.last - t.next);
		t.next = t.last;
		CHECK_EQ(poll_all(next), 20);
		numbered_arrived(&rx, next, 20);
		guest_rx_fill(&rx, UINT32_MAX);
	}
	down();
}

static void
jumbo_frames(void)
{
	struct rte_mbuf *back[1];

	up();
	for (uint32_t len = 1000; len < 65500; len += 8000) {
		struct rte_mbuf *m = packet_pattern(pool, len, len, 1000);
		struct guest_net_hdr hdr;

		CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 1, dma, 0), 1);
		while (rte_vhost_poll_enqueue_completed(flow.vid, 0, back, 1, dma, 0) == 0)
			;
		CHECK(back[0] == m);
		rte_pktmbuf_free(m);
		guest_pattern(len, expected, len);
		CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), len);
		CHECK(memcmp(expected, got, len) == 0);
		guest_rx_fill(&rx, UINT32_MAX);
	}
	down();
}

/* A channel that is in use is not taken back, and what is under way arrives. */
static void
a_channel_is_left_when_it_is_idle(void)
{
	struct rte_mbuf *m;

	up();
	CHECK_EQ(submit(0, 4), 4);
	CHECK_EQ(poll_all(0), 4);
	CHECK_EQ(rte_vhost_async_dma_unconfigure(dma, 0), 0);
	m = numbered_mbuf(pool, 4);
	CHECK_EQ(rte_vhost_submit_enqueue_burst(flow.vid, 0, &m, 1, dma, 0), 0);
	rte_pktmbuf_free(m);
	CHECK_EQ(rte_vhost_async_dma_configure(dma, 0), 0);
	CHECK_EQ(submit(4, 4), 4);
	CHECK_EQ(poll_all(4), 4);
	numbered_arrived(&rx, 0, 8);
	down();
}

/* What the hooks do in callbacks, on the library's thread: main waits meanwhile. */
static struct {
	bool drain; /* collect everything in callbacks */
	bool unregister;
	unsigned collected;
	int results[4]; /* of register, get_inflight before and after, unregister; by the last call */
	int wrong;
} in_callback;

static void
drain_held(int vid, uint16_t queue_id)
{
	struct rte_mbuf *pkts[BURST];
	unsigned tries = 0;

	in_callback.results[1] = rte_vhost_async_get_inflight_thread_unsafe(vid, queue_id);
	while (rte_vhost_async_get_inflight_thread_unsafe(vid, queue_id) > 0 && tries++ < 1000000) {
		unsigned n = rte_vhost_clear_queue_thread_unsafe(vid, queue_id, pkts, BURST, dma, 0);

		in_callback.collected += n;
		rte_pktmbuf_free_bulk(pkts, n);
	}
	in_callback.results[2] = rte_vhost_async_get_inflight_thread_unsafe(vid, queue_id);
}

static void
drain_on_destroy(const char *word, int vid)
{
	struct rte_mbuf *pkts[BURST];
	unsigned tries = 0;

	if (strcmp(word, "-dev") != 0)
		return;
	in_callback.results[1] = rte_vhost_async_get_inflight(vid, 0);
	while (rte_vhost_async_get_inflight(vid, 0) > 0 && tries++ < 1000000) {
		unsigned n = rte_vhost_clear_queue(vid, 0, pkts, BURST, dma, 0);

		in_callback.collected += n;
		rte_pktmbuf_free_bulk(pkts, n);
	}
	in_callback.results[2] = rte_vhost_async_get_inflight(vid, 0);
	in_callback.results[3] = rte_vhost_async_channel_unregister(vid, 0);
}

static void
drain_on_stop(const char *word, int vid)
{
	if (strcmp(word, "q0=0") == 0) {
		drain_held(vid, 0);
		if (in_callback.unregister)
			in_callback.results[3] =
				rte_vhost_async_channel_unregister_thread_unsafe(vid, 0);
	} else if (strcmp(word, "q0=1") == 0 && in_callback.unregister) {
		in_callback.results[0] = rte_vhost_async_channel_register_thread_unsafe(vid, 0);
	}
}

/* Registers in one callback and lets go in the other, as DPDK's example does. */
static void
channels_live_as_long_as_queues(void)
{
	memset(&in_callback, 0, sizeof(in_callback));
	in_callback.unregister = true;
	in_callback.results[0] = 77;
	rec_hook = drain_on_stop;
	up_flags(RTE_VHOST_USER_ASYNC_COPY);
	CHECK_EQ(in_callback.results[0], 0);
	for (unsigned round = 0; round < 5; round++) {
		in_callback.collected = 0;
		in_callback.results[0] = in_callback.results[3] = 77;
		CHECK_EQ(submit(round * 20, 20), 20);
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, false), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		CHECK_EQ(in_callback.results[1], 20);
		CHECK_EQ(in_callback.collected, 20);
		CHECK_EQ(in_callback.results[2], 0);
		CHECK_EQ(in_callback.results[3], 0);
		CHECK_EQ(submit(0, 1), 0);
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		CHECK_EQ(in_callback.results[0], 0);
		/* Difference: the stock library hands packets back without telling the guest. */
		if (is_stock)
			continue;
		numbered_arrived(&rx, round * 20, 20);
		guest_rx_fill(&rx, UINT32_MAX);
	}
	/* A device that goes takes its queues along: the callback to let go is another one. */
	CHECK_EQ(submit(100, 20), 20);
	rec_hook = drain_on_destroy;
	flow_down(&flow);
	CHECK_EQ(in_callback.results[1], 20);
	CHECK_EQ(in_callback.results[3], 0);
	CHECK(flow_pool_full(pool));
	guest_rx_fini(&rx);
}

/* The application hears of a new memory table before it holds, and may collect. */
static void
new_memory_with_packets_in_flight(void)
{
	static const struct guest_region_spec more[] = {
		{.gpa = 1u << 30, .size_bytes = 1u << 20},
		{.gpa = 2u << 30, .size_bytes = 1u << 20},
		{.gpa = 3u << 30, .size_bytes = 1u << 20},
	};

	memset(&in_callback, 0, sizeof(in_callback));
	up();
	rec_hook = drain_on_stop;
	for (unsigned round = 0; round < RTE_DIM(more); round++) {
		CHECK_EQ(submit(round * 20, 20), 20);
		in_callback.collected = 0;
		rec_reset();
		/* The same again would not be news. */
		CHECK_EQ(guest_memory_add(&flow.fe.mem, &more[round]), 0);
		CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		CHECK_STR(rec_text(), "q0=0 q1=0 q0=1 q1=1");
		CHECK_EQ(in_callback.results[1], 20);
		CHECK_EQ(in_callback.collected, 20);
		numbered_arrived(&rx, round * 20, 20);
		guest_rx_fill(&rx, UINT32_MAX);
	}
	CHECK_EQ(submit(100, 20), 20);
	CHECK_EQ(poll_all(100), 20);
	numbered_arrived(&rx, 100, 20);
	down();
}

/* The recommended place to let go: the frontend disappears, everything comes back there. */
static void
everything_comes_back_in_destroy_device(void)
{
	memset(&in_callback, 0, sizeof(in_callback));
	up();
	CHECK_EQ(submit(0, 30), 30);
	rec_hook = drain_on_destroy;
	flow_down(&flow);
	CHECK_EQ(in_callback.results[1], 30);
	CHECK_EQ(in_callback.collected, 30);
	CHECK_EQ(in_callback.results[2], 0);
	CHECK_EQ(in_callback.results[3], 0);
	CHECK(flow_pool_full(pool));
	guest_rx_fini(&rx);
}

/* Difference: what nobody collected is lost with the stock library. */
static void
what_nobody_collects_is_freed(void)
{
	if (is_stock)
		tap_skip("the stock library loses packets that are in flight when a device goes");
	up();
	CHECK_EQ(submit(0, 30), 30);
	numbered_send(&tx, 0, 10);
	CHECK_EQ(rte_vhost_async_get_inflight(flow.vid, 0), 30);
	flow_down(&flow);
	CHECK(flow_pool_full(pool));
	guest_rx_fini(&rx);
}

static void
restart(void)
{
	CHECK_EQ(fe_start_vring(&flow.fe, 0), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	if (rte_vhost_async_get_inflight(flow.vid, 0) < 0)
		CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0), 0);
}

/* A queue that stops: the application collects in destroy_device(), it goes on from there. */
static void
stop_and_resume(void)
{
	uint32_t base;

	memset(&in_callback, 0, sizeof(in_callback));
	up();
	for (unsigned round = 0; round < 3; round++) {
		in_callback.collected = 0;
		rec_hook = drain_on_destroy;
		CHECK_EQ(submit(round * 20, 20), 20);
		CHECK_EQ(fe_get_vring_base(&flow.fe, 0, &base), 0);
		rec_hook = NULL;
		CHECK_EQ(in_callback.results[1], 20);
		CHECK_EQ(in_callback.collected, 20);
		CHECK_EQ(in_callback.results[2], 0);
		CHECK_EQ(in_callback.results[3], 0);
		numbered_arrived(&rx, round * 20, 20);
		CHECK(flow_base_is(base, rx.vq));
		guest_rx_fill(&rx, UINT32_MAX);
		restart();
	}
	CHECK_EQ(submit(100, 20), 20);
	CHECK_EQ(poll_all(100), 20);
	numbered_arrived(&rx, 100, 20);
	down();
}

/* Nobody collects: the library waits for the device before it says where the queue stands. */
static void
stop_with_packets_in_flight(void)
{
	struct guest_used used;
	uint32_t base;

	if (is_stock)
		tap_skip("the stock library loses packets that are in flight when a queue stops");
	up();
	CHECK_EQ(submit(0, 20), 20);
	numbered_send(&tx, 0, 10);
	CHECK_EQ(fe_get_vring_base(&flow.fe, 0, &base), 0);
	numbered_arrived(&rx, 0, 20);
	CHECK(!guest_ring_poll(rx.vq, &used, NULL));
	CHECK(flow_base_is(base, rx.vq));
	guest_rx_fill(&rx, UINT32_MAX);
	restart();
	CHECK(rte_vhost_async_get_inflight(flow.vid, 0) == 20);
	CHECK_EQ(poll_all(0), 20);
	CHECK_EQ(submit(20, 20), 20);
	CHECK_EQ(poll_all(20), 20);
	numbered_arrived(&rx, 20, 20);
	take(0, 10);
	down();
}

/* The CPU does not overtake. */
static void
the_ordinary_functions_wait(void)
{
	struct rte_mbuf *m, *pkts[BURST];

	if (is_stock)
		tap_skip("the stock library lets the CPU overtake what is in flight");
	up();
	CHECK_EQ(submit(0, 10), 10);
	m = numbered_mbuf(pool, 10);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 0);
	CHECK_EQ(poll_all(0), 10);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 1);
	rte_pktmbuf_free(m);
	numbered_arrived(&rx, 0, 11);
	numbered_send(&tx, 0, 5);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST), 5);
	numbered_came_back(pkts, 5, 0);
	CHECK_EQ(guest_tx_drain(&tx, 0), 0);
	down();
}

static uint64_t
counter(uint16_t queue_id, const char *name)
{
	struct rte_vhost_stat_name names[128];
	struct rte_vhost_stat stats[128];
	int n = rte_vhost_vring_stats_get_names(flow.vid, queue_id, names, RTE_DIM(names));

	CHECK(n > 0 && rte_vhost_vring_stats_get(flow.vid, queue_id, stats, (unsigned)n) == n);
	for (int i = 0; i < n; i++)
		if (strstr(names[i].name, name) != NULL)
			return stats[i].value;
	CHECK(!"no such counter");
	return 0;
}

static void
counters(void)
{
	up_flags(RTE_VHOST_USER_ASYNC_COPY | RTE_VHOST_USER_NET_STATS_ENABLE);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 0), 0);
	CHECK_EQ(rte_vhost_async_channel_register(flow.vid, 1), 0);
	CHECK_EQ(submit(0, 20), 20);
	CHECK_EQ(counter(0, "inflight_submitted"), 20);
	CHECK_EQ(counter(0, "inflight_completed"), 0);
	CHECK_EQ(counter(0, "good_packets"), 0);
	CHECK_EQ(poll_all(0), 20);
	CHECK_EQ(counter(0, "inflight_submitted"), 20);
	CHECK_EQ(counter(0, "inflight_completed"), 20);
	CHECK_EQ(counter(0, "good_packets"), 20);
	numbered_send(&tx, 0, 10);
	take(0, 10);
	/* Difference: the stock library does not count these. */
	CHECK_EQ(counter(1, "inflight_submitted"), is_stock ? 0 : 10);
	CHECK_EQ(counter(1, "inflight_completed"), is_stock ? 0 : 10);
	CHECK_EQ(counter(1, "good_packets"), 10);
	numbered_arrived(&rx, 0, 20);
	down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(channels_are_given_and_taken),
		FLOW_TEST(registration_asks_for_the_flag),
		FLOW_TEST(registration),
		FLOW_TEST(nothing_goes_astray),
		FLOW_TEST(in_flight_until_collected),
		FLOW_TEST(clear_collects_as_well),
		FLOW_TEST(a_stream_to_the_guest),
		FLOW_TEST(a_stream_from_the_guest),
		FLOW_TEST(two_queues_share_a_channel),
		FLOW_TEST(jumbo_frames),
		FLOW_TEST(a_channel_is_left_when_it_is_idle),
		FLOW_TEST(channels_live_as_long_as_queues),
		FLOW_TEST(new_memory_with_packets_in_flight),
		FLOW_TEST(everything_comes_back_in_destroy_device),
		FLOW_TEST(what_nobody_collects_is_freed),
		FLOW_TEST(stop_and_resume),
		FLOW_TEST(stop_with_packets_in_flight),
		FLOW_TEST(the_ordinary_functions_wait),
		FLOW_TEST(counters),
	};

	flow_vdev = DMA_VDEV;
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
