/* SPDX-License-Identifier: BSD-3-Clause */
/* Several queue pairs: traffic on each, enabled one by one, fewer used than configured. */
#include <unistd.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define BURST 32
#define MAX_PAIRS 128

static struct flow flow;
static struct rte_mempool *pool;

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(256, 2048);
}

static struct fe_config
config_of(unsigned nr_pairs, uint16_t ring_size)
{
	return (struct fe_config) {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MQ,
		.nr_pairs = nr_pairs,
		.ring_size = ring_size,
	};
}

/* One packet each way on a pair, told apart by the seed. */
static void
exchange(unsigned pair, uint32_t seed)
{
	struct guest_ring *rxq = &flow.fe.vqs[2 * pair], *txq = &flow.fe.vqs[2 * pair + 1];
	uint8_t data[200], got[200];
	struct guest_net_hdr hdr;
	struct guest_tx tx;
	struct guest_rx rx;
	struct rte_mbuf *m;

	guest_tx_init(&tx, txq, GUEST_NET_HDR_BYTES, 1024);
	CHECK_EQ(guest_rx_init(&rx, rxq, GUEST_NET_HDR_BYTES, true, 1, 300), 0);
	guest_rx_fill(&rx, 1);
	guest_pattern(seed, data, sizeof(data));
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, (uint16_t)(2 * pair + 1), pool, &m, 1), 1);
	CHECK(packet_equals(m, data, sizeof(data)));
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, (uint16_t)(2 * pair), &m, 1), 1);
	rte_pktmbuf_free(m);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), sizeof(got));
	CHECK(memcmp(data, got, sizeof(data)) == 0);
	CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	guest_rx_fini(&rx);
}

static void
traffic_on_every_pair(void)
{
	const struct fe_config config = config_of(8, 64);

	flow_up(&flow, 0, &config);
	CHECK_EQ(rte_vhost_get_vring_num(flow.vid), 16);
	for (int round = 0; round < 3; round++)
		for (unsigned pair = 0; pair < 8; pair++)
			exchange(pair, pair + 100 * (unsigned)round);
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

static void
as_many_pairs_as_there_can_be(void)
{
	const struct fe_config config = config_of(MAX_PAIRS, 16);

	flow_up(&flow, 0, &config);
	CHECK_EQ(rte_vhost_get_vring_num(flow.vid), 2 * MAX_PAIRS);
	exchange(0, 1);
	exchange(63, 2);
	exchange(MAX_PAIRS - 1, 3);
	flow_down(&flow);
}

/* A disabled pair is silent, the others do not notice. */
static void
pairs_one_by_one(void)
{
	struct fe_config config = config_of(4, 64);
	struct rte_mbuf *m[BURST];
	struct guest_tx tx;
	uint8_t data[60] = {0};

	flow_up(&flow, 0, &config);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 4, false), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 5, false), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	guest_tx_init(&tx, &flow.fe.vqs[5], GUEST_NET_HDR_BYTES, 1024);
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 5, pool, m, BURST), 0);
	exchange(0, 1);
	exchange(1, 2);
	exchange(3, 3);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 4, true), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 5, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 5, pool, m, BURST), 1);
	rte_pktmbuf_free(m[0]);
	CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	exchange(2, 4);
	flow_down(&flow);
}

static bool
all_came_back(void *arg)
{
	struct guest_tx *t = arg;

	return guest_tx_reap(t) >= 0 && t->outstanding == 0;
}

static uint64_t
dropped_queue_off(uint16_t queue)
{
	struct rte_vhost_stat_name names[128];
	struct rte_vhost_stat stats[128];
	int n = rte_vhost_vring_stats_get_names(flow.vid, queue, names, RTE_DIM(names));

	CHECK(n > 0 && n <= (int)RTE_DIM(names));
	CHECK_EQ(rte_vhost_vring_stats_get(flow.vid, queue, stats, (unsigned)n), n);
	for (int i = 0; i < n; i++)
		if (strcmp(names[i].name, "rx_q1_dropped_queue_off") == 0)
			return stats[i].value;
	return 0;
}

static bool
was_called(void *arg)
{
	return guest_ring_calls(arg) > 0;
}

/*
 * What a guest sends on a queue that is off comes back unread when it kicks; the others are served,
 * and so is this one when it is on again. Difference: the stock library leaves it there.
 */
static void
packets_of_a_queue_that_is_off(void)
{
	struct fe_config config = config_of(2, 64);
	struct guest_ring *vq;
	struct rte_mbuf *m[BURST];
	uint8_t data[60] = {0};
	struct guest_tx tx;
	uint64_t discarded = 0;
	uint32_t base;

	if (is_stock)
		tap_skip("the stock library leaves them in the ring");
	config.features |= FE_F_EVENT_IDX;
	flow_up(&flow, RTE_VHOST_USER_NET_STATS_ENABLE, &config);
	flow.fe.use_ack = true;
	vq = &flow.fe.vqs[3];
	/* A core that polls has asked for no kicks; it sees none of this. */
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 3, 0), 0);
	guest_tx_init(&tx, vq, GUEST_NET_HDR_BYTES, 8192);
	for (int round = 0; round < 20; round++) {
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 3, false), 0);
		guest_ring_calls(vq);
		guest_ring_call_enable(vq);
		for (int i = 0; i < 5 + round; i++) {
			CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
			/* A message that waits when the kick is heard: it comes first. */
			flow.fe.use_ack = false;
			CHECK_EQ(fe_set_vring_err(&flow.fe, 3, vq->errfd), 0);
			flow.fe.use_ack = true;
			guest_ring_kick(vq);
		}
		CHECK(flow_wait_until(all_came_back, &tx, 20000));
		CHECK(flow_wait_until(was_called, vq, 20000));
		CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 3, pool, m, BURST), 0);
		exchange(0, 1);
		/* Over a memory table, too, and another kick descriptor. */
		CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
		CHECK_EQ(fe_set_vring_kick(&flow.fe, 3, vq->kickfd), 0);
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		CHECK(guest_ring_kick(vq));
		CHECK(flow_wait_until(all_came_back, &tx, 20000));
		discarded += 6 + (uint64_t)round;
		CHECK_EQ(dropped_queue_off(3), discarded);
		if (round % 4 == 0) {
			CHECK_EQ(fe_get_vring_base(&flow.fe, 3, &base), 0);
			CHECK(flow_base_is(base, vq));
			CHECK_EQ(fe_start_vring(&flow.fe, 3), 0);
		}
		/* Without a kick this one waits, and is delivered. */
		vq->no_kick = true;
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		vq->no_kick = false;
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 3, true), 0);
		CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 3, pool, m, BURST), 1);
		rte_pktmbuf_free(m[0]);
		CHECK_EQ(guest_tx_drain(&tx, 20000), 0);
		exchange(1, (uint32_t)round);
	}
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

/*
 * A guest sends as soon as it may, while the message that switches its queue on still waits: all of
 * it is delivered, of what it sent before at most what was there when it kicked is not.
 */
static void
no_packet_of_a_queue_that_is_on_is_discarded(void)
{
	struct fe_config config = config_of(1, 64);
	uint8_t data[60] = {0};
	struct rte_mbuf *m[1];
	struct guest_tx tx;

	config.features |= FE_F_EVENT_IDX;
	flow_up(&flow, 0, &config);
	flow.fe.use_ack = false;
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 8192);
	for (uint32_t round = 0; round < 3000; round++) {
		uint64_t limit_us = flow_now_us() + 20000000;

		CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, false), 0);
		if (round % 3 == 0)
			CHECK_EQ(fe_sync(&flow.fe), 0);
		/* Has nothing to do with it, but keeps the loop thread busy in between. */
		for (uint32_t i = 0; i < round % 4; i++)
			CHECK_EQ(fe_set_vring_call(&flow.fe, 1, flow.fe.vqs[1].callfd), 0);
		if (round % 5 == 0) {
			/* A kick for nothing, which is heard when it may. */
			uint64_t one = 1;

			CHECK_EQ(write(flow.fe.vqs[1].kickfd, &one, sizeof(one)), sizeof(one));
		}
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, true), 0);
		guest_pattern(round, data, sizeof(data));
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		guest_ring_kick(tx.vq);
		while (rte_vhost_dequeue_burst(flow.vid, 1, pool, m, 1) == 0)
			if (flow_now_us() > limit_us)
				tap_fail(__FILE__, __LINE__, "packet %u is lost", round);
		CHECK_EQ(memcmp(rte_pktmbuf_mtod(m[0], void *), data, sizeof(data)), 0);
		rte_pktmbuf_free(m[0]);
		CHECK_EQ(guest_tx_drain(&tx, 20000), 0);
	}
	flow_down(&flow);
}

/*
 * A guest is sending while its queue is switched off: what stands there waits for the next kick,
 * which has to come also if the guest counts kicks by event index.
 */
static void
what_stood_there_goes_with_the_next_kick(void)
{
	struct fe_config config = config_of(1, 64);
	uint8_t data[60] = {0};
	struct guest_tx tx;

	if (is_stock)
		tap_skip("the stock library leaves them in the ring");
	config.features |= FE_F_EVENT_IDX;
	flow_up(&flow, RTE_VHOST_USER_NET_STATS_ENABLE, &config);
	flow.fe.use_ack = true;
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 8192);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 3; i++)
			CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		guest_ring_kick(tx.vq);
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, false), 0);
		/* By now the kicks of before have been heard. */
		CHECK_EQ(fe_sync(&flow.fe), 0);
		CHECK_EQ(tx.outstanding, 3);
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		guest_ring_kick(tx.vq);
		CHECK(flow_wait_until(all_came_back, &tx, 20000));
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, true), 0);
	}
	flow_down(&flow);
}

/* More than the loop thread throws away at once. */
static void
a_full_ring_goes_with_one_kick(void)
{
	struct fe_config config = config_of(1, 2048);
	uint8_t data[60] = {0};
	struct guest_tx tx;

	if (is_stock)
		tap_skip("the stock library leaves them in the ring");
	flow_up(&flow, 0, &config);
	flow.fe.use_ack = true;
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, false), 0);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	for (int i = 0; i < 1000; i++)
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	CHECK(guest_ring_kick(tx.vq));
	CHECK(flow_wait_until(all_came_back, &tx, 20000));
	flow_down(&flow);
}

/* Attached only by a kick for nothing, on a queue whose application polls: more kicks have to come. */
static void
a_kick_for_nothing(void)
{
	struct fe_config config = config_of(2, 64);
	uint8_t data[60] = {0};
	const uint64_t one = 1;
	struct guest_tx tx;

	if (is_stock)
		tap_skip("the stock library leaves them in the ring");
	flow_up(&flow, 0, &config);
	flow.fe.use_ack = true;
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 3, 0), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 3, false), 0);
	CHECK_EQ(fe_get_vring_base(&flow.fe, 3, NULL), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 3, false), 0);
	guest_tx_init(&tx, &flow.fe.vqs[3], GUEST_NET_HDR_BYTES, 1024);
	CHECK_EQ(fe_start_vring(&flow.fe, 3), 0);
	CHECK_EQ(write(tx.vq->kickfd, &one, sizeof(one)), sizeof(one));
	/* Another socket: when it is there the kick has been heard, and no message came. */
	flow_serve(0);
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	CHECK(guest_ring_kick(tx.vq));
	CHECK(flow_wait_until(all_came_back, &tx, 20000));
	flow_down(&flow);
}

/* For frontends that set their rings up by hand. */
static void
connect_without_rings(const struct fe_config *config)
{
	struct frontend *fe = &flow.fe;

	rec_reset();
	fe_init(fe);
	flow.path = flow_serve(0);
	CHECK_EQ(fe_connect(fe, flow.path), 0);
	CHECK_EQ(fe_negotiate(fe, config), 0);
	CHECK_EQ(fe_build(fe, config), 0);
}

/*
 * Without VHOST_USER_F_PROTOCOL_FEATURES rings are on, also one that was switched off before: its
 * packets are the application's, and nobody else is at the ring.
 */
static void
switched_off_and_then_on_by_features(void)
{
	struct fe_config config = config_of(1, 64);
	struct frontend *fe = &flow.fe;
	uint8_t data[60] = {0};
	struct rte_mbuf *m[1];
	struct guest_tx tx;

	if (is_stock)
		tap_skip("the stock library discards nothing");
	connect_without_rings(&config);
	CHECK_EQ(fe_set_vring_enable(fe, 1, false), 0);
	CHECK_EQ(fe_set_features(fe, fe->features & ~(UINT64_C(1) << 30)), 0);
	CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0);
	CHECK_EQ(fe_start_vring(fe, 0), 0);
	CHECK_EQ(fe_start_vring(fe, 1), 0);
	CHECK(rec_wait_tail("+dev"));
	flow.vid = rec_vid();
	guest_tx_init(&tx, &fe->vqs[1], GUEST_NET_HDR_BYTES, 1024);
	for (int i = 0; i < 20; i++) {
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		guest_ring_kick(tx.vq);
		CHECK_EQ(fe_sync(fe), 0);
		CHECK_EQ(fe_sync(fe), 0);
		CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, m, 1), 1);
		rte_pktmbuf_free(m[0]);
		CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	}
	flow_down(&flow);
}

/* The guest sets up one pair of four: the device starts, the others stay out. */
static void
fewer_pairs_than_configured(void)
{
	const struct fe_config config = config_of(4, 64);
	struct frontend *fe = &flow.fe;
	struct rte_mbuf *m[BURST];

	connect_without_rings(&config);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(fe_set_vring_call(fe, i, fe->vqs[i].callfd), 0);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(fe_set_vring_enable(fe, i, i < 2), 0);
	CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0);
	CHECK_EQ(fe_start_vring(fe, 0), 0);
	CHECK_EQ(fe_start_vring(fe, 1), 0);
	CHECK(rec_wait("+conn q0=1 q0=0 q0=1 q1=1 +dev q1=0 q1=1"));
	flow.vid = rec_vid();
	CHECK_EQ(rte_vhost_get_vring_num(flow.vid), 8);
	exchange(0, 1);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 3, pool, m, BURST), 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 7, pool, m, BURST), 0);
	flow_down(&flow);
}

/* Only one ring, far out: nothing starts, nothing breaks. */
static void
sparse_ring(void)
{
	const struct fe_config config = config_of(128, 16);
	struct frontend *fe = &flow.fe;

	connect_without_rings(&config);
	CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0);
	CHECK_EQ(fe_start_vring(fe, 200), 0);
	CHECK_EQ(fe_set_vring_enable(fe, 200, true), 0);
	CHECK_EQ(fe_sync(fe), 0);
	CHECK(strstr(rec_text(), "+dev") == NULL);
	CHECK_EQ(fe_get_vring_base(fe, 200, NULL), 0);
	flow_down(&flow);
}

/*
 * VIRTIO_F_RING_RESET: the guest resets one ring and sets it up again, with another size; the others
 * go on. The application is told as always when a ring stops.
 */
static void
rings_are_reset(bool with_areas)
{
	struct fe_config config = config_of(3, 64);
	struct frontend *fe = &flow.fe;
	uint32_t base;

	if (is_stock)
		tap_skip("the stock library does not offer VIRTIO_F_RING_RESET");
	config.features |= FE_F_RING_RESET;
	flow_enabled_features = FE_F_RING_RESET;
	config.inflight = with_areas;
	flow_up(&flow, 0, &config);
	flow_enabled_features = 0;
	CHECK(fe->features & FE_F_RING_RESET);
	fe->use_ack = true;
	for (int round = 0; round < 3; round++) {
		for (uint32_t q = 0; q < 6; q++) {
			char stopped[32], started[32];

			for (unsigned pair = 0; pair < 3; pair++)
				exchange(pair, pair);
			rec_reset();
			CHECK_EQ(fe_get_vring_base(fe, q, &base), 0);
			CHECK(flow_base_is(base, &fe->vqs[q]));
			snprintf(stopped, sizeof(stopped), "-dev q%u=0%s", q, q < 2 ? "" : " +dev");
			CHECK_STR(rec_text(), stopped);
			for (unsigned pair = 0; pair < 3; pair++)
				if (pair != q / 2)
					exchange(pair, 10 + pair);
			fe->vqs[q].size = round % 2 ? 64 : 32;
			guest_ring_reset(&fe->vqs[q], 0);
			rec_reset();
			CHECK_EQ(fe_start_vring(fe, q), 0);
			snprintf(started, sizeof(started), "q%u=1%s", q, q < 2 ? " +dev" : "");
			CHECK_STR(rec_text(), started);
		}
	}
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

static void
one_ring_is_reset(void)
{
	rings_are_reset(false);
}

/* In-flight areas cannot be replaced while other rings run: they follow what the frontend says. */
static void
one_ring_is_reset_that_has_an_area(void)
{
	rings_are_reset(true);
}

/* A frontend that never says where a ring starts: at its beginning, whatever its format. */
static void
rings_without_a_base(void)
{
	const struct fe_config config = config_of(1, 64);
	struct frontend *fe = &flow.fe;

	connect_without_rings(&config);
	CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0);
	for (uint32_t q = 0; q < 2; q++) {
		const struct guest_ring *vq = &fe->vqs[q];
		const struct fe_vring_addr addr = {
			.index = q,
			.desc_uva = guest_uva(&fe->mem, vq->desc_gpa),
			.used_uva = guest_uva(&fe->mem, vq->used_gpa),
			.avail_uva = guest_uva(&fe->mem, vq->avail_gpa),
		};

		CHECK_EQ(fe_set_vring_num(fe, q, vq->size), 0);
		CHECK_EQ(fe_set_vring_addr(fe, &addr), 0);
		CHECK_EQ(fe_set_vring_kick(fe, q, vq->kickfd), 0);
		CHECK_EQ(fe_set_vring_call(fe, q, vq->callfd), 0);
		CHECK_EQ(fe_set_vring_enable(fe, q, true), 0);
	}
	CHECK(rec_wait_tail("+dev"));
	flow.vid = rec_vid();
	for (uint32_t i = 0; i < 200; i++)
		exchange(0, i);
	for (uint32_t q = 0; q < 2; q++) {
		uint32_t base;

		CHECK_EQ(fe_get_vring_base(fe, q, &base), 0);
		CHECK(flow_base_is(base, &fe->vqs[q]));
	}
	flow_down(&flow);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(traffic_on_every_pair),
		FLOW_TEST(as_many_pairs_as_there_can_be),
		FLOW_TEST(pairs_one_by_one),
		FLOW_TEST(packets_of_a_queue_that_is_off),
		FLOW_TEST(no_packet_of_a_queue_that_is_on_is_discarded),
		FLOW_TEST(what_stood_there_goes_with_the_next_kick),
		FLOW_TEST(a_full_ring_goes_with_one_kick),
		FLOW_TEST(a_kick_for_nothing),
		FLOW_TEST(switched_off_and_then_on_by_features),
		FLOW_TEST(fewer_pairs_than_configured),
		FLOW_TEST(sparse_ring),
		FLOW_TEST(one_ring_is_reset),
		FLOW_TEST(one_ring_is_reset_that_has_an_area),
		FLOW_TEST(rings_without_a_base),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
