/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest to host: every shape of chain, every size, bursts, wraps, regions, empty pools. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "copier.h"
#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define BURST 32
#define LIMITED_BURST 32
#define NR_MBUFS 512
#define ROOM_BYTES 2048
#define ARENA_BYTES (4u << 20)

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_tx tx;
static uint8_t data[70000];

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(NR_MBUFS, ROOM_BYTES);
}

/* After every test: whatever was received has been freed, nothing else was taken. */
static void
up(uint64_t features, uint16_t ring_size, uint16_t base)
{
	const struct fe_config config = {
		.features = features,
		.ring_size = ring_size,
		.base = base,
	};

	flow_up(&flow, copier_driver_flags, &config);
	copier_attach(flow.vid);
	guest_tx_init(&tx, &flow.fe.vqs[1], guest_net_hdr_bytes(flow.fe.features), ARENA_BYTES);
}

static void
down(void)
{
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

static struct rte_mbuf *
take_one(void)
{
	struct rte_mbuf *pkts[BURST];

	CHECK_EQ(copier_dequeue(flow.vid, 1, pool, pkts, BURST), 1);
	return pkts[0];
}

/* One packet cut as told: arrives intact, comes back with length 0, ring empty afterwards. */
static void
pass(uint32_t seed, uint32_t len, const uint32_t *cuts, unsigned nr_cuts)
{
	struct guest_used used;
	struct rte_mbuf *m;
	int head;

	guest_pattern(seed, data, len);
	head = guest_tx_post(&tx, NULL, data, len, cuts, nr_cuts);
	CHECK(head >= 0);
	m = take_one();
	CHECK(packet_equals(m, data, len));
	CHECK_EQ(m->ol_flags, 0);
	CHECK_EQ(m->data_off, RTE_PKTMBUF_HEADROOM);
	CHECK_EQ(rte_mbuf_check(m, 1, NULL), 0);
	rte_pktmbuf_free(m);
	CHECK_EQ(guest_ring_pending(tx.vq), 1);
	CHECK(guest_ring_poll(tx.vq, &used, NULL));
	CHECK_EQ(used.id, head);
	CHECK_EQ(used.len_bytes, 0);
	tx.outstanding--;
}

static const uint64_t modern = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_INDIRECT_DESC;

static void
header_and_data_in_one_descriptor(void)
{
	up(modern, 256, 0);
	pass(1, 60, NULL, 0);
	pass(2, 1514, NULL, 0);
	down();
}

static void
header_and_data_apart(void)
{
	uint32_t cut = 12;

	up(modern, 256, 0);
	pass(1, 60, &cut, 1);
	pass(2, 1514, &cut, 1);
	down();
}

static void
legacy_header_is_ten_bytes(void)
{
	uint32_t cut = 10;

	up(0, 256, 0);
	pass(1, 60, &cut, 1);
	pass(2, 1514, NULL, 0);
	down();
}

static void
header_cut_at_every_byte(void)
{
	up(modern, 256, 0);
	for (uint32_t cut = 1; cut < 40; cut++)
		pass(cut, 100, &cut, 1);
	for (uint32_t a = 1; a < 12; a++) {
		for (uint32_t b = 1; a + b < 20; b++) {
			uint32_t cuts[2] = {a, b};

			pass(a * 100 + b, 100, cuts, 2);
		}
	}
	down();
}

static void
byte_by_byte(void)
{
	uint32_t ones[240];

	for (unsigned i = 0; i < RTE_DIM(ones); i++)
		ones[i] = 1;
	up(modern, 256, 0);
	for (uint32_t len = 14; len < 200; len += 31)
		pass(len, len, ones, 12 + len);
	pass(7, 1000, ones, RTE_DIM(ones));
	tx.gap_bytes = 3;
	pass(8, 64, ones, 12 + 64);
	down();
}

static void
indirect_tables(void)
{
	uint32_t cuts[60];

	up(modern, 256, 0);
	tx.vq->indirect = true;
	tx.gap_bytes = 16;
	pass(1, 60, NULL, 0);
	for (unsigned n = 1; n < RTE_DIM(cuts); n++) {
		for (unsigned i = 0; i < n; i++)
			cuts[i] = 1 + (i * 37 + n) % 50;
		pass(n, 1514, cuts, n);
	}
	down();
}

static void
every_size_class(void)
{
	static const uint32_t sizes[] = {
		1, 2, 13, 14, 15, 16, 17, 31, 32, 33, 59, 60, 63, 64, 65, 127, 128, 129, 255, 256,
		257, 511, 512, 513, 1023, 1024, 1514, 1515, 2047, 2048, 2049, 4095, 4096, 4097,
		9000, 16384, 32768, 65521, 65535, 65549,
	};

	up(modern, 256, 0);
	for (unsigned i = 0; i < RTE_DIM(sizes); i++) {
		uint32_t cut = 12;

		pass(i, sizes[i], &cut, 1);
		pass(i + 100, sizes[i], NULL, 0);
		for (cut = 1000; cut < sizes[i]; cut += 7919)
			pass(i + 200, sizes[i], &cut, 1);
	}
	down();
}

static void
every_small_size(void)
{
	up(modern, 256, 0);
	for (uint32_t len = 1; len < 1600; len++) {
		uint32_t cut = 12;

		pass(len, len, &cut, len & 1);
	}
	down();
}

static void
segments_of_a_long_packet(void)
{
	struct rte_mbuf *m;

	up(modern, 256, 0);
	guest_pattern(5, data, 5 * ROOM_BYTES + 1);
	CHECK(guest_tx_send(&tx, NULL, data, 5 * ROOM_BYTES + 1) >= 0);
	m = take_one();
	CHECK_EQ(m->nb_segs, 6);
	CHECK(packet_equals(m, data, 5 * ROOM_BYTES + 1));
	for (const struct rte_mbuf *s = m; s != NULL; s = s->next)
		CHECK_EQ(s->data_len, s->next != NULL ? ROOM_BYTES : 1);
	rte_pktmbuf_free(m);
	down();
}

static void
random_shapes(void)
{
	uint32_t cuts[60];

	srandom(1);
	up(modern, 256, 0);
	for (uint32_t i = 0; i < 3000; i++) {
		uint32_t len = 1 + (uint32_t)random() % (i % 10 == 0 ? 65000 : 3000);
		unsigned n = (unsigned)random() % RTE_DIM(cuts);

		tx.vq->indirect = random() % 2;
		tx.gap_bytes = (unsigned)random() % 40;
		for (unsigned j = 0; j < n; j++)
			cuts[j] = 1 + (uint32_t)random() % (2 * len / (n + 1) + 1);
		pass(i, len, cuts, n);
	}
	down();
}

static void
small_ring_wraps(void)
{
	up(modern, 4, 0);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t cut = 12;

		pass(i, 60 + i % 100, &cut, i & 1);
	}
	down();
}

/* Free-running 16-bit indices pass 65535. */
static void
indices_wrap(void)
{
	up(modern, 256, 65500);
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t cut = 12;

		pass(i, 60, &cut, 1);
	}
	down();
}

/* Difference: the stock library does not serve packets that need every entry of the smallest. */
static void
any_ring_size(void)
{
	static const uint16_t sizes[] = {2, 3, 5, 7, 31, 100, 255};

	for (unsigned i = is_stock; i < RTE_DIM(sizes); i++) {
		up(modern, sizes[i], 0);
		for (uint32_t n = 0; n < 3u * sizes[i] + 20; n++) {
			uint32_t cut = 12;

			tx.vq->indirect = n % 7 == 0;
			pass(n, 60 + n, &cut, n % 3 == 0);
		}
		down();
	}
}

static void
big_ring(void)
{
	up(modern, 32768, 0);
	for (uint32_t i = 0; i < 20; i++)
		pass(i, 700, NULL, 0);
	down();
}

/* Difference: the stock library reads a packed ring here as if it were split. */
static void
count_is(unsigned n)
{
	if (!(is_stock && flow_packed))
		CHECK_EQ(rte_vhost_rx_queue_count(flow.vid, 1), n);
}

static void
post_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		guest_pattern(i, data, 60 + i);
		CHECK(guest_tx_send(&tx, NULL, data, 60 + i) >= 0);
	}
}

static void
take_many(unsigned ask, unsigned expect, unsigned first)
{
	struct rte_mbuf *pkts[128];

	CHECK_EQ(copier_dequeue(flow.vid, 1, pool, pkts, (uint16_t)ask), expect);
	for (unsigned i = 0; i < expect; i++) {
		CHECK(packet_is_pattern(pkts[i], first + i, 60 + first + i));
		rte_pktmbuf_free(pkts[i]);
	}
}

static void
bursts_of_any_length(void)
{
	/* Difference: the stock library takes 32 at a time, but for its CPU on packed rings. */
	bool limited = is_stock && !(copier_is_cpu && flow_packed);

	up(modern, 256, 0);
	take_many(BURST, 0, 0);
	post_many(100);
	count_is(100);
	take_many(0, 0, 0);
	take_many(7, 7, 0);
	count_is(93);
	take_many(1, 1, 7);
	take_many(BURST, BURST, 8);
	take_many(100, limited ? LIMITED_BURST : 60, 40);
	take_many(BURST, limited ? 28 : 0, 72);
	take_many(BURST, 0, 100);
	count_is(0);
	CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	down();
}

/* The device may give back a burst by its last chain only; the driver sees them all, in order. */
static void
in_order(void)
{
	unsigned n = 0;

	up(modern | FE_F_IN_ORDER, flow_packed ? 77 : 64, 0);
	CHECK(tx.vq->in_order);
	for (unsigned round = 0; round < 100; round++) {
		unsigned burst = 1 + round % BURST;
		struct guest_used used;
		struct rte_mbuf *pkts[BURST];
		uint16_t ids[BURST];

		for (unsigned i = 0; i < burst; i++) {
			uint32_t cut = 12;
			int id;

			guest_pattern(n + i, data, 60 + i);
			id = guest_tx_post(&tx, NULL, data, 60 + i, &cut, (round + i) % 2);
			CHECK(id >= 0);
			ids[i] = (uint16_t)id;
		}
		CHECK_EQ(copier_dequeue(flow.vid, 1, pool, pkts, BURST), burst);
		CHECK_EQ(guest_ring_pending(tx.vq), burst);
		for (unsigned i = 0; i < burst; i++) {
			CHECK(packet_is_pattern(pkts[i], n + i, 60 + i));
			rte_pktmbuf_free(pkts[i]);
			CHECK(guest_ring_poll(tx.vq, &used, NULL));
			CHECK_EQ(used.id, ids[i]);
			CHECK_EQ(used.len_bytes, 0);
			tx.outstanding--;
		}
		CHECK_EQ(tx.vq->free_count, tx.vq->size);
		n += burst;
	}
	down();
}

static void
full_ring(void)
{
	up(modern, 256, 0);
	for (int round = 0; round < 5; round++) {
		post_many(128); /* two descriptors each: not one is left */
		CHECK_EQ(tx.vq->free_count, 0);
		for (unsigned i = 0; i < 4; i++)
			take_many(BURST, BURST, i * BURST);
		CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	}
	down();
}

static void
wrong_queue_gives_nothing(void)
{
	struct rte_mbuf *pkts[BURST];

	up(modern, 64, 0);
	post_many(4);
	CHECK_EQ(copier_dequeue(flow.vid, 0, pool, pkts, BURST), 0);
	CHECK_EQ(copier_dequeue(flow.vid, 3, pool, pkts, BURST), 0);
	CHECK_EQ(copier_dequeue(flow.vid, 65535, pool, pkts, BURST), 0);
	CHECK_EQ(copier_dequeue(flow.vid + 1, 1, pool, pkts, BURST), 0);
	CHECK_EQ(copier_dequeue(-1, 1, pool, pkts, BURST), 0);
	take_many(BURST, 4, 0);
	down();
}

static void
disabled_or_stopped_queue_gives_nothing(void)
{
	struct rte_mbuf *pkts[BURST];

	up(modern, 64, 0);
	post_many(2);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, false), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(copier_dequeue(flow.vid, 1, pool, pkts, BURST), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	take_many(1, 1, 0);
	CHECK_EQ(fe_get_vring_base(&flow.fe, 1, NULL), 0);
	CHECK_EQ(copier_dequeue(flow.vid, 1, pool, pkts, BURST), 0);
	CHECK_EQ(fe_start_vring(&flow.fe, 1), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	down();
}

/* The index handed out at stop is where a restarted ring goes on: nothing lost, nothing twice. */
static void
stop_and_resume(void)
{
	uint32_t bases[2];

	up(modern, 64, 0);
	post_many(10);
	take_many(4, 4, 0);
	CHECK_EQ(guest_tx_reap(&tx), 4);
	CHECK_EQ(fe_stop(&flow.fe, bases), 0);
	CHECK(flow_base_is(bases[1], tx.vq));
	CHECK_EQ(fe_start_vring(&flow.fe, 0), 0);
	CHECK_EQ(fe_start_vring(&flow.fe, 1), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	take_many(BURST, 6, 4);
	down();
}

/* What a socket becomes is for connections to come: one that is there, and has no rings yet, stays. */
static void
socket_that_becomes_the_applications(void)
{
	const struct fe_config config = {.features = modern, .ring_size = 256};
	uint64_t offered = 0;

	up(modern, 256, 0);
	CHECK_EQ(rte_vhost_driver_get_features(flow.path, &offered), 0);
	fe_disconnect(&flow.fe);
	CHECK(rec_wait_tail("-conn"));
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(rte_vhost_driver_set_features(flow.path, offered), 0);
	CHECK_EQ(fe_setup(&flow.fe, &config), 0);
	CHECK(rec_wait_tail("+dev"));
	flow.vid = rec_vid();
	copier_attach(flow.vid);
	pass(1, 1000, NULL, 0);
	down();
}

/* No mbufs: packets stay on the ring until there are some; none is lost. */
static void
pool_exhaustion_loses_nothing(void)
{
	struct rte_mempool *small = flow_pool(8, ROOM_BYTES);
	struct rte_mbuf *pkts[BURST];
	unsigned got = 0;

	up(modern, 256, 0);
	post_many(40);
	for (int tries = 0; tries < 100 && got < 40; tries++) {
		unsigned n = copier_dequeue(flow.vid, 1, small, pkts, 8);

		for (unsigned i = 0; i < n; i++)
			CHECK(packet_is_pattern(pkts[i], got + i, 60 + got + i));
		if (n == 8) {
			struct rte_mbuf *none[BURST];

			CHECK_EQ(copier_dequeue(flow.vid, 1, small, none, BURST), 0);
		}
		rte_pktmbuf_free_bulk(pkts, n);
		got += n;
	}
	CHECK_EQ(got, 40);
	CHECK(flow_pool_full(small));
	down();
	rte_mempool_free(small);
}

/* A packet needing more mbufs than the pool has: no leak, and the ring is not stuck behind it. */
static void
pool_too_small_for_a_long_packet(void)
{
	struct rte_mempool *small = flow_pool(4, ROOM_BYTES);
	struct rte_mbuf *pkts[BURST];
	unsigned got;

	up(modern, 256, 0);
	guest_pattern(1, data, 20000);
	CHECK(guest_tx_send(&tx, NULL, data, 20000) >= 0);
	post_many(1);
	got = copier_dequeue(flow.vid, 1, small, pkts, BURST);
	rte_pktmbuf_free_bulk(pkts, got);
	CHECK(flow_pool_full(small));
	for (int i = 0; i < 10 && got < 1; i++) {
		got = copier_dequeue(flow.vid, 1, pool, pkts, 1);
		rte_pktmbuf_free_bulk(pkts, got);
	}
	CHECK_EQ(got, 1);
	CHECK(flow_pool_full(small));
	down();
	rte_mempool_free(small);
}

/* Two regions, neighbours for the guest, apart for us: header and data straddle the border. */
static void
packets_across_regions(void)
{
	const struct guest_region_spec regions[] = {
		{.gpa = 0, .size_bytes = 8u << 20, .mmap_offset_bytes = 1u << 20},
		{.gpa = 8u << 20, .size_bytes = 8u << 20},
		{.gpa = 32u << 20, .size_bytes = 1u << 20, .mmap_offset_bytes = 4096},
	};
	const struct fe_config config = {
		.features = modern, .ring_size = 64, .regions = regions, .nregions = 3,
	};
	struct guest_memory *mem;

	flow_up(&flow, copier_driver_flags, &config);
	copier_attach(flow.vid);
	mem = &flow.fe.mem;
	for (uint32_t before = 1; before < 200; before++) {
		uint64_t gpa = (8u << 20) - before;
		struct guest_seg seg = {.gpa = gpa, .len_bytes = 12 + 150};
		struct guest_used used;
		struct rte_mbuf *m;

		guest_pattern(before, data, 150);
		guest_fill(mem, gpa, 0, 12);
		guest_write(mem, gpa + 12, data, 150);
		flow.fe.vqs[1].indirect = before & 1;
		CHECK(guest_ring_post(&flow.fe.vqs[1], &seg, 1, NULL) >= 0);
		m = take_one();
		CHECK(packet_equals(m, data, 150));
		rte_pktmbuf_free(m);
		CHECK(guest_ring_poll(&flow.fe.vqs[1], &used, NULL));
	}
	down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(header_and_data_in_one_descriptor),
		FLOW_TEST(header_and_data_apart),
		SPLIT_TEST(legacy_header_is_ten_bytes),
		FLOW_TEST(header_cut_at_every_byte),
		FLOW_TEST(byte_by_byte),
		FLOW_TEST(indirect_tables),
		FLOW_TEST(every_size_class),
		FLOW_TEST(every_small_size),
		FLOW_TEST(segments_of_a_long_packet),
		FLOW_TEST(random_shapes),
		FLOW_TEST(small_ring_wraps),
		FLOW_TEST(indices_wrap),
		PACKED_TEST(any_ring_size),
		FLOW_TEST(big_ring),
		FLOW_TEST(bursts_of_any_length),
		FLOW_TEST(in_order),
		FLOW_TEST(full_ring),
		FLOW_TEST(wrong_queue_gives_nothing),
		FLOW_TEST(disabled_or_stopped_queue_gives_nothing),
		FLOW_TEST(stop_and_resume),
		FLOW_TEST(socket_that_becomes_the_applications),
		FLOW_TEST(pool_exhaustion_loses_nothing),
		FLOW_TEST(pool_too_small_for_a_long_packet),
		FLOW_TEST(packets_across_regions),
	};

	copier_init();
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
