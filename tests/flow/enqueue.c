/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host to guest: mergeable and plain buffers of every shape, every size, bursts, wraps, regions.
 * Guard bytes around and behind what was written must stay as they were.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "copier.h"
#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define BURST 32
#define NR_MBUFS 512
#define ROOM_BYTES 2048

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_rx rx;
static uint8_t expected[70000], got[70000];

static const uint64_t modern = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_INDIRECT_DESC;

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(NR_MBUFS, ROOM_BYTES);
}

static void
up_config(const struct fe_config *config, unsigned nr_buffers, uint32_t buffer_bytes)
{
	flow_up(&flow, copier_driver_flags, config);
	copier_attach(flow.vid);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], guest_net_hdr_bytes(flow.fe.features),
			       (flow.fe.features & FE_F_MRG_RXBUF) != 0, nr_buffers,
			       buffer_bytes), 0);
}

static void
up(uint64_t features, uint16_t ring_size, unsigned nr_buffers, uint32_t buffer_bytes)
{
	const struct fe_config config = {.features = features, .ring_size = ring_size};

	up_config(&config, nr_buffers, buffer_bytes);
}

static void
down(void)
{
	CHECK(guest_rx_guards_intact(&rx));
	CHECK(flow_pool_full(pool));
	guest_rx_fini(&rx);
	flow_down(&flow);
}

/* Enqueues one pattern packet; the caller keeps ownership, so the mbuf must be unchanged. */
static unsigned
give(uint32_t seed, uint32_t len, uint32_t seg_bytes)
{
	struct rte_mbuf *m = packet_pattern(pool, seed, len, seg_bytes);
	unsigned n = copier_enqueue(flow.vid, 0, &m, 1);

	CHECK_EQ(rte_mbuf_refcnt_read(m), 1);
	CHECK(packet_is_pattern(m, seed, len));
	rte_pktmbuf_free(m);
	return n;
}

/* One packet host to guest, complete, in this many buffers. */
static void
pass(uint32_t seed, uint32_t len, uint32_t seg_bytes, unsigned buffers)
{
	struct guest_net_hdr hdr;
	unsigned used_buffers = 0;

	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(give(seed, len, seg_bytes), 1);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), &used_buffers), len);
	guest_pattern(seed, expected, len);
	CHECK(memcmp(expected, got, len) == 0);
	CHECK_EQ(used_buffers, buffers);
	CHECK_EQ(hdr.flags, 0);
	CHECK_EQ(hdr.gso_type, 0);
	CHECK_EQ(hdr.gso_size, 0);
	CHECK_EQ(hdr.hdr_len, 0);
	CHECK_EQ(hdr.csum_start, 0);
	CHECK_EQ(hdr.csum_offset, 0);
	CHECK_EQ(guest_ring_pending(rx.vq), 0);
}

static void
mergeable_one_buffer(void)
{
	up(modern, 256, 64, 1526);
	pass(1, 60, 0, 1);
	pass(2, 1514, 0, 1);
	pass(3, 1513, 0, 1);
	down();
}

static void
mergeable_many_buffers(void)
{
	up(modern, 256, 128, 1526);
	pass(1, 1515, 0, 2);
	pass(2, 9000, 0, 6);
	pass(3, 1514 + 1526, 0, 2); /* ends exactly with a buffer */
	pass(4, 1514 + 1526 + 1, 0, 3);
	pass(5, 65535, 0, 43);
	down();
}

static void
mergeable_tiny_buffers(void)
{
	up(modern, 256, 200, 13); /* room for one byte behind the header in the first */
	pass(1, 1, 0, 1);
	pass(2, 2, 0, 2);
	pass(3, 1500, 0, 117);
	down();
}

/* Buffers made of several descriptors. */
static void
buffers_in_pieces(void)
{
	static const uint32_t pieces[] = {12, 13, 100, 512, 700};

	for (unsigned i = 0; i < RTE_DIM(pieces); i++) {
		up(modern, 1024, 32, 2100);
		rx.piece_bytes = pieces[i];
		rx.vq->indirect = false;
		pass(1, 60, 0, 1);
		pass(2, 2088, 0, 1);
		if (pieces[i] >= 100) /* a packet over more than 256 pieces need not be taken */
			pass(3, 5000, 0, 3);
		down();
	}
}

/* In buffers of one piece or several. */
static void
packets_without_bytes(void)
{
	if (is_stock)
		tap_skip("the stock library gives the guest no valid header with an empty packet");
	up(modern, 256, 32, 300);
	pass(1, 0, 0, 1);
	down();
	up(modern, 256, 32, 300);
	rx.piece_bytes = 100;
	rx.vq->indirect = false;
	pass(2, 60, 0, 1);
	pass(3, 0, 0, 1);
	down();
}

/* Difference: the stock library assumes the header spans at most two descriptors. */
static void
header_over_many_descriptors(void)
{
	if (is_stock)
		tap_skip("the stock library writes past short header descriptors");
	for (uint32_t piece = 1; piece < 12; piece++) {
		up(modern, 1024, 8, 120);
		rx.piece_bytes = piece;
		pass(1, 60, 0, 1);
		pass(2, 108, 0, 1);
		pass(3, 300, 0, 3);
		down();
	}
}

/* Not mergeable: one chain a packet. */
static void
plain_buffers(void)
{
	up(FE_F_VERSION_1, 256, 64, 1526);
	rx.piece_bytes = 763;
	pass(1, 60, 0, 1);
	pass(2, 1514, 0, 1);
	pass(3, 700, 0, 1);
	down();
}

static void
plain_indirect_buffers(void)
{
	up(FE_F_VERSION_1 | FE_F_INDIRECT_DESC, 64, 32, 70000);
	rx.vq->indirect = true;
	rx.piece_bytes = 4096;
	pass(1, 60, 0, 1);
	pass(2, 65535, 0, 1);
	pass(3, 9000, 1500, 1);
	down();
}

static void
mergeable_indirect_buffers(void)
{
	up(modern, 64, 32, 4096);
	rx.vq->indirect = true;
	rx.piece_bytes = 256;
	pass(1, 60, 0, 1);
	pass(2, 4084, 0, 1);
	pass(3, 20000, 0, 5);
	down();
}

static void
legacy_header_is_ten_bytes(void)
{
	up(0, 256, 64, 1524);
	CHECK_EQ(rx.hdr_bytes, 10);
	pass(1, 60, 0, 1);
	pass(2, 1514, 0, 1);
	down();
}

/* VERSION_1 without MRG_RXBUF: the field is there and says 1. Difference: stock leaves it alone. */
static void
num_buffers_without_mergeable(void)
{
	struct guest_net_hdr hdr;

	up(FE_F_VERSION_1, 256, 64, 1526);
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(give(1, 60, 0), 1);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), 60);
	if (!is_stock)
		CHECK_EQ(hdr.num_buffers, 1);
	down();
}

/* A packet no plain buffer can hold is not delivered, not cut, and costs no buffer. */
static void
plain_buffer_too_small(void)
{
	struct guest_net_hdr hdr;

	up(FE_F_VERSION_1, 64, 4, 1000);
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(give(1, 1500, 0), 0);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), -EAGAIN);
	CHECK_EQ(give(2, 988, 0), 1);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), 988);
	down();
}

/* Not enough mergeable buffers for this packet: nothing is used up, and later it fits. */
static void
too_few_mergeable_buffers(void)
{
	struct guest_net_hdr hdr;

	up(modern, 64, 16, 1526);
	CHECK_EQ(guest_rx_fill(&rx, 3), 3);
	CHECK_EQ(give(1, 9000, 0), 0);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), -EAGAIN);
	CHECK_EQ(give(2, 3000, 0), 1);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), 3000);
	pass(3, 9000, 0, 6);
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

	up(modern, 256, 100, 2000);
	for (unsigned i = 0; i < RTE_DIM(sizes); i++)
		pass(i, sizes[i], 0, (sizes[i] + 12 + 1999) / 2000);
	down();
}

static void
every_small_size(void)
{
	up(modern, 256, 16, 1000);
	for (uint32_t len = 1; len < 1600; len++)
		pass(len, len, 0, len <= 988 ? 1 : 2);
	down();
}

static void
chained_mbufs(void)
{
	static const uint32_t segs[] = {1, 2, 7, 64, 100, 999, 1500};

	up(modern, 256, 64, 1526);
	for (unsigned i = 0; i < RTE_DIM(segs); i++) {
		uint32_t most = segs[i] * 200;

		for (uint32_t len = 60; len <= 9000 && len <= most; len += 893)
			pass(len, len, segs[i], (len + 12 + 1525) / 1526);
	}
	down();
}

static void
random_shapes(void)
{
	srandom(2);
	for (unsigned round = 0; round < 20; round++) {
		uint32_t bytes = 100 + (uint32_t)random() % 3000;

		up(modern, 1024, 100, bytes);
		rx.vq->indirect = random() % 2;
		rx.piece_bytes = bytes / (1 + (unsigned)random() % 4) + 12;
		for (unsigned i = 0; i < 60; i++) {
			uint32_t len = 1 + (uint32_t)random() % (bytes * 20 < 60000 ? bytes * 20 :
										      60000);

			pass(i, len, 200 + (uint32_t)random() % 1800,
			     (len + 12 + bytes - 1) / bytes);
		}
		down();
	}
}

static void
small_ring_wraps(void)
{
	up(modern, 4, 4, 1526);
	for (uint32_t i = 0; i < 1000; i++)
		pass(i, 60 + i, 0, 60 + i <= 1514 ? 1 : 2);
	down();
}

/* Difference: the stock library does not serve packets that need every entry of the smallest. */
static void
any_ring_size(void)
{
	static const uint16_t sizes[] = {3, 5, 7, 31, 100, 255};

	for (unsigned i = is_stock; i < RTE_DIM(sizes); i++) {
		up(modern, sizes[i], sizes[i], 1526);
		for (uint32_t n = 0; n < 3u * sizes[i] + 20; n++)
			pass(n, 60 + n, 0, 60 + n <= 1514 ? 1 : 2);
		pass(1, 4000, 0, 3);
		down();
	}
}

static void
indices_wrap(void)
{
	const struct fe_config config = {.features = modern, .ring_size = 256, .base = 65500};

	up_config(&config, 100, 1526);
	for (uint32_t i = 0; i < 100; i++)
		pass(i, 2000, 0, 2);
	down();
}

static void
give_many(unsigned ask, unsigned expect, unsigned first)
{
	struct rte_mbuf *pkts[128];

	for (unsigned i = 0; i < ask; i++)
		pkts[i] = packet_pattern(pool, first + i, 60 + first + i, 0);
	CHECK_EQ(copier_enqueue(flow.vid, 0, pkts, (uint16_t)ask), expect);
	rte_pktmbuf_free_bulk(pkts, ask);
}

static void
receive_many(unsigned n, unsigned first)
{
	struct guest_net_hdr hdr;

	for (unsigned i = first; i < first + n; i++) {
		CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), 60 + i);
		guest_pattern(i, expected, 60 + i);
		CHECK(memcmp(expected, got, 60 + i) == 0);
	}
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), -EAGAIN);
}

/* Difference: the stock library reads a packed ring here as if it were split. */
static void
count_is(unsigned n)
{
	if (!(is_stock && flow_packed))
		CHECK_EQ(rte_vhost_avail_entries(flow.vid, 0), n);
}

static void
bursts_of_any_length(void)
{
	up(modern, 256, 100, 1526);
	give_many(4, 0, 0); /* no buffers at all */
	CHECK_EQ(guest_rx_fill(&rx, UINT32_MAX), 100);
	count_is(100);
	give_many(0, 0, 0);
	give_many(1, 1, 0);
	give_many(7, 7, 1);
	count_is(92);
	give_many(BURST, BURST, 8);
	receive_many(40, 0);
	give_many(50, is_stock ? STOCK_BURST : 50, 40);
	receive_many(is_stock ? STOCK_BURST : 50, 40);
	down();
}

static void
more_packets_than_buffers(void)
{
	up(modern, 256, 10, 1526);
	CHECK_EQ(guest_rx_fill(&rx, UINT32_MAX), 10);
	give_many(30, 10, 0);
	receive_many(10, 0);
	CHECK_EQ(guest_rx_fill(&rx, 3), 3);
	give_many(30, 3, 10);
	receive_many(3, 10);
	down();
}

static void
wrong_queue_takes_nothing(void)
{
	struct rte_mbuf *m = packet_pattern(pool, 1, 60, 0);

	up(modern, 64, 16, 1526);
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(copier_enqueue(flow.vid, 1, &m, 1), 0);
	CHECK_EQ(copier_enqueue(flow.vid, 2, &m, 1), 0);
	CHECK_EQ(copier_enqueue(flow.vid, 65535, &m, 1), 0);
	CHECK_EQ(copier_enqueue(flow.vid + 1, 0, &m, 1), 0);
	CHECK_EQ(copier_enqueue(-1, 0, &m, 1), 0);
	rte_pktmbuf_free(m);
	pass(1, 60, 0, 1);
	down();
}

static void
disabled_or_stopped_queue_takes_nothing(void)
{
	up(modern, 64, 16, 1526);
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, false), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(give(1, 60, 0), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	pass(1, 60, 0, 1);
	CHECK_EQ(fe_get_vring_base(&flow.fe, 0, NULL), 0);
	CHECK_EQ(give(1, 60, 0), 0);
	CHECK_EQ(fe_start_vring(&flow.fe, 0), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	down();
}

static void
stop_and_resume(void)
{
	uint32_t bases[2];

	up(modern, 64, 30, 1526);
	guest_rx_fill(&rx, UINT32_MAX);
	give_many(5, 5, 0);
	receive_many(5, 0);
	CHECK_EQ(fe_stop(&flow.fe, bases), 0);
	CHECK(flow_base_is(bases[0], rx.vq));
	CHECK_EQ(fe_start_vring(&flow.fe, 0), 0);
	CHECK_EQ(fe_start_vring(&flow.fe, 1), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	give_many(5, 5, 5);
	receive_many(5, 5);
	down();
}

/* One buffer across two regions, neighbours for the guest, apart for us. */
static void
buffers_across_regions(void)
{
	const struct guest_region_spec regions[] = {
		{.gpa = 0, .size_bytes = 8u << 20, .mmap_offset_bytes = 1u << 20},
		{.gpa = 8u << 20, .size_bytes = 8u << 20},
	};
	const struct fe_config config = {
		.features = modern, .ring_size = 64, .regions = regions, .nregions = 2,
	};
	struct guest_memory *mem;
	uint8_t flat[400];

	flow_up(&flow, copier_driver_flags, &config);
	copier_attach(flow.vid);
	mem = &flow.fe.mem;
	for (uint32_t before = is_stock ? 12 : 1; before < 200; before++) {
		uint64_t gpa = (8u << 20) - before;
		struct guest_seg seg = {
			.gpa = gpa, .len_bytes = 300, .flags = GUEST_DESC_WRITE,
		};
		struct guest_used used;

		guest_fill(mem, gpa - 50, 0xee, 400);
		CHECK(guest_ring_post(&flow.fe.vqs[0], &seg, 1, NULL) >= 0);
		CHECK_EQ(give(before, 150, 0), 1);
		CHECK(guest_ring_poll(&flow.fe.vqs[0], &used, NULL));
		CHECK_EQ(used.len_bytes, 162);
		guest_read(mem, gpa - 50, flat, 400);
		guest_pattern(before, expected, 150);
		CHECK(memcmp(flat + 62, expected, 150) == 0);
		for (unsigned i = 0; i < 400; i++)
			CHECK((i >= 50 && i < 212) || flat[i] == 0xee);
	}
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(mergeable_one_buffer),
		FLOW_TEST(mergeable_many_buffers),
		FLOW_TEST(mergeable_tiny_buffers),
		FLOW_TEST(buffers_in_pieces),
		FLOW_TEST(packets_without_bytes),
		FLOW_TEST(header_over_many_descriptors),
		FLOW_TEST(plain_buffers),
		FLOW_TEST(plain_indirect_buffers),
		FLOW_TEST(mergeable_indirect_buffers),
		SPLIT_TEST(legacy_header_is_ten_bytes),
		FLOW_TEST(num_buffers_without_mergeable),
		FLOW_TEST(plain_buffer_too_small),
		FLOW_TEST(too_few_mergeable_buffers),
		FLOW_TEST(every_size_class),
		FLOW_TEST(every_small_size),
		FLOW_TEST(chained_mbufs),
		FLOW_TEST(random_shapes),
		FLOW_TEST(small_ring_wraps),
		PACKED_TEST(any_ring_size),
		FLOW_TEST(indices_wrap),
		FLOW_TEST(bursts_of_any_length),
		FLOW_TEST(more_packets_than_buffers),
		FLOW_TEST(wrong_queue_takes_nothing),
		FLOW_TEST(disabled_or_stopped_queue_takes_nothing),
		FLOW_TEST(stop_and_resume),
		FLOW_TEST(buffers_across_regions),
	};

	copier_init();
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
