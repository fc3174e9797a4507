/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RTE_VHOST_USER_LINEARBUF_SUPPORT and _EXTBUF_SUPPORT: packets longer than the pool's buffers are
 * dropped, attached as external buffers, or chained.
 */
#include <netinet/in.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define BURST 32
#define ROOM_BYTES 2048

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_tx tx;
static struct frame frame;
static uint8_t data[70000];

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(256, ROOM_BYTES);
}

static void
up(uint64_t flags)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_CSUM | FE_F_HOST_TSO4,
	};

	flow_up(&flow, flags, &config);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
}

static void
down(void)
{
	CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

static void
post(uint32_t seed, uint32_t len)
{
	guest_pattern(seed, data, len);
	CHECK(guest_tx_send(&tx, NULL, data, len) >= 0);
}

static unsigned
take(struct rte_mbuf **pkts)
{
	return rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST);
}

static void
linear_fits(void)
{
	struct rte_mbuf *m[BURST];

	up(RTE_VHOST_USER_LINEARBUF_SUPPORT);
	post(1, ROOM_BYTES);
	CHECK_EQ(take(m), 1);
	CHECK_EQ(m[0]->nb_segs, 1);
	CHECK(packet_is_pattern(m[0], 1, ROOM_BYTES));
	rte_pktmbuf_free(m[0]);
	down();
}

/* Too long for one mbuf: dropped, given back to the guest, the next ones are served. */
static void
linear_drops_what_does_not_fit(void)
{
	struct rte_mbuf *m[BURST];
	unsigned got = 0;

	up(RTE_VHOST_USER_LINEARBUF_SUPPORT);
	post(1, 100);
	post(2, ROOM_BYTES + 1);
	post(3, 9000);
	post(4, 101);
	for (int i = 0; i < 10 && got < 2; i++)
		got += take(m + got);
	CHECK_EQ(got, 2);
	CHECK(packet_is_pattern(m[0], 1, 100));
	CHECK(packet_is_pattern(m[1], 4, 101));
	rte_pktmbuf_free_bulk(m, got);
	CHECK_EQ(take(m), 0);
	CHECK_EQ(tx.outstanding, 4);
	down(); /* all four come back */
}

static void
check_external(uint64_t flags)
{
	static const uint32_t sizes[] = {ROOM_BYTES + 1, 4096, 9000, 40000, 60000};
	struct rte_mbuf *m[BURST];

	up(flags);
	for (unsigned i = 0; i < RTE_DIM(sizes); i++) {
		post(i, 60);
		post(i, sizes[i]);
		CHECK_EQ(take(m), 2);
		CHECK(!RTE_MBUF_HAS_EXTBUF(m[0]));
		CHECK(RTE_MBUF_HAS_EXTBUF(m[1]));
		CHECK_EQ(m[1]->nb_segs, 1);
		CHECK_EQ(m[1]->data_off, RTE_PKTMBUF_HEADROOM);
		CHECK(packet_is_pattern(m[1], i, sizes[i]));
		CHECK_EQ(rte_mbuf_check(m[1], 1, NULL), 0);
		rte_pktmbuf_free_bulk(m, 2);
	}
	down();
}

static void
external_instead_of_chain(void)
{
	check_external(RTE_VHOST_USER_EXTBUF_SUPPORT);
	check_external(RTE_VHOST_USER_EXTBUF_SUPPORT | RTE_VHOST_USER_LINEARBUF_SUPPORT);
}

/* An external buffer is limited to 65535 bytes in all: beyond, chain or (linear) drop. */
static void
too_long_for_external(void)
{
	struct rte_mbuf *m[BURST];

	up(RTE_VHOST_USER_EXTBUF_SUPPORT);
	post(1, 65535);
	CHECK_EQ(take(m), 1);
	CHECK(m[0]->nb_segs > 1);
	CHECK(packet_is_pattern(m[0], 1, 65535));
	rte_pktmbuf_free(m[0]);
	down();
	up(RTE_VHOST_USER_EXTBUF_SUPPORT | RTE_VHOST_USER_LINEARBUF_SUPPORT);
	post(1, 65535);
	post(2, 60);
	for (int i = 0; i < 10; i++)
		if (take(m) == 1)
			break;
	CHECK(packet_is_pattern(m[0], 2, 60));
	rte_pktmbuf_free(m[0]);
	down();
}

static uint64_t
heap_in_use(void)
{
	struct rte_malloc_socket_stats stats;

	CHECK_EQ(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

static void
external_buffers_are_freed_with_the_mbuf(void)
{
	struct rte_mbuf *m[BURST];
	uint64_t before;

	up(RTE_VHOST_USER_EXTBUF_SUPPORT);
	before = heap_in_use();
	for (int round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 8; i++)
			post(i, 9000);
		CHECK_EQ(take(m), 8);
		CHECK(heap_in_use() >= before + 8 * 9000);
		/* A second reference keeps it alive. */
		rte_mbuf_refcnt_update(m[7], 1);
		rte_pktmbuf_free_bulk(m, 8);
		CHECK(packet_is_pattern(m[7], 7, 9000));
		rte_pktmbuf_free(m[7]);
		CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	}
	CHECK_EQ(heap_in_use(), before);
	down();
}

/*
 * A header that cannot be parsed clears the offload flags, not the one that says the buffer is
 * external. Difference: the stock library clears that one too and leaks the buffer.
 */
static void
unparsable_frame_keeps_external_flag(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 9000};
	struct guest_net_hdr hdr = {.flags = GUEST_NET_NEEDS_CSUM};
	struct rte_mbuf *m[BURST];
	uint64_t before;

	if (is_stock)
		tap_skip("the stock library leaks the external buffer");
	up(RTE_VHOST_USER_EXTBUF_SUPPORT);
	before = heap_in_use();
	frame_build(&frame, &s, true);
	hdr.csum_start = 60000; /* outside: cannot be done, must do no harm */
	hdr.csum_offset = 1000;
	CHECK(guest_tx_send(&tx, &hdr, frame.bytes, frame.len_bytes) >= 0);
	CHECK_EQ(take(m), 1);
	CHECK_EQ(m[0]->ol_flags, RTE_MBUF_F_EXTERNAL);
	CHECK(packet_equals(m[0], frame.bytes, frame.len_bytes));
	rte_pktmbuf_free(m[0]);
	CHECK_EQ(heap_in_use(), before);
	down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(linear_fits),
		FLOW_TEST(linear_drops_what_does_not_fit),
		FLOW_TEST(external_instead_of_chain),
		FLOW_TEST(too_long_for_external),
		FLOW_TEST(external_buffers_are_freed_with_the_mbuf),
		FLOW_TEST(unparsable_frame_keeps_external_flag),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
