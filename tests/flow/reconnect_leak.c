/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thousands of connect, set up, exchange, disconnect: file descriptors, mappings and heaps must not
 * grow. FLOW_LEAK_CYCLES in the environment changes the number of cycles.
 */
#include <stdlib.h>

#include "flow_main.h"
#include "footprint.h"
#include "guest_net.h"
#include "packets.h"

#ifndef LEAK_CYCLES
#define LEAK_CYCLES 10000
#endif
#define WARM_UP_CYCLES 64

static struct rte_mempool *pool;

static unsigned
cycles_wanted(void)
{
	const char *wanted = getenv("FLOW_LEAK_CYCLES");

	return wanted != NULL ? (unsigned)strtoul(wanted, NULL, 0) : LEAK_CYCLES;
}

static void
exchange(struct frontend *fe, int vid)
{
	static uint8_t data[100];
	struct guest_ring *txq = &fe->vqs[1];
	struct guest_seg seg = {.gpa = 0x100000, .len_bytes = 12 + sizeof(data)};
	struct rte_mbuf *m;

	guest_write(&fe->mem, seg.gpa + 12, data, sizeof(data));
	CHECK(guest_ring_post(txq, &seg, 1, NULL) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(vid, 1, pool, &m, 1), 1);
	seg.gpa = 0x110000;
	seg.len_bytes = 1526;
	seg.flags = GUEST_DESC_WRITE;
	CHECK(guest_ring_post(&fe->vqs[0], &seg, 1, NULL) >= 0);
	CHECK_EQ(rte_vhost_enqueue_burst(vid, 0, &m, 1), 1);
	rte_pktmbuf_free(m);
}

static void
one_cycle(struct frontend *fe, const char *path, const struct fe_config *config)
{
	rec_reset();
	CHECK_EQ(fe_connect(fe, path), 0);
	CHECK_EQ(fe_negotiate(fe, config), 0);
	CHECK_EQ(fe_build(fe, config), 0);
	guest_ring_reset(&fe->vqs[0], 0);
	guest_ring_reset(&fe->vqs[1], 0);
	CHECK_EQ(fe_set_backend_req_fd(fe), 0);
	CHECK_EQ(fe_start(fe, config), 0);
	exchange(fe, rec_vid());
	fe_disconnect(fe);
	CHECK(rec_wait_tail("-dev -conn"));
}

static void
server_cycles(void)
{
	const struct guest_region_spec regions[] = {
		{.gpa = 0, .size_bytes = 2u << 20},
		{.gpa = 4u << 20, .size_bytes = 2u << 20, .mmap_offset_bytes = 4096},
	};
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
		.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				     1u << FE_PROTOCOL_F_BACKEND_REQ,
		.ring_size = 64,
		.regions = regions,
		.nregions = 2,
	};
	unsigned cycles = cycles_wanted();
	struct footprint before, after;
	struct frontend fe;
	const char *path;

	path = flow_serve(RTE_VHOST_USER_NET_STATS_ENABLE);
	fe_init(&fe);
	for (unsigned i = 0; i < WARM_UP_CYCLES; i++)
		one_cycle(&fe, path, &config);
	before = footprint();
	for (unsigned i = 0; i < cycles; i++)
		one_cycle(&fe, path, &config);
	after = footprint();
	footprint_check(&before, &after, cycles);
	fe_close(&fe);
	flow_unserve(path);
	CHECK(flow_pool_full(pool));
}

/* Half-finished sessions: cut off after every single message of a set-up. */
static void
cut_off_cycles(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1,
		.protocol_features = 1u << FE_PROTOCOL_F_BACKEND_REQ,
		.ring_size = 64,
	};
	unsigned cycles = cycles_wanted() / 20;
	struct footprint before, after;
	struct frontend fe;
	const char *path;

	path = flow_serve(0);
	fe_init(&fe);
	before = after = footprint();
	for (unsigned i = 0; i < cycles + WARM_UP_CYCLES; i++) {
		if (i == WARM_UP_CYCLES)
			before = footprint();
		rec_reset();
		CHECK_EQ(fe_connect(&fe, path), 0);
		CHECK_EQ(fe_negotiate(&fe, &config), 0);
		CHECK_EQ(fe_build(&fe, &config), 0);
		if (i % 8 > 0)
			CHECK_EQ(fe_set_mem_table(&fe, &fe.mem), 0);
		if (i % 8 > 1)
			CHECK_EQ(fe_start_vring(&fe, 1), 0);
		if (i % 8 > 2)
			CHECK_EQ(fe_set_mem_table(&fe, &fe.mem), 0);
		if (i % 8 > 3)
			CHECK_EQ(fe_start_vring(&fe, 0), 0);
		if (i % 8 > 4)
			CHECK_EQ(fe_set_vring_kick(&fe, 0, fe.vqs[0].kickfd), 0);
		if (i % 8 > 5)
			CHECK_EQ(fe_set_backend_req_fd(&fe), 0);
		if (i % 8 > 6)
			CHECK_EQ(fe_reset_owner(&fe), 0);
		/* And a message that never ends, with a descriptor. */
		CHECK_EQ(fe_send_declared(&fe, FE_SET_VRING_CALL, 1, 8, "1234", 4,
					  &fe.vqs[0].callfd, 1), 0);
		fe_disconnect(&fe);
		CHECK(rec_wait_tail("-conn"));
	}
	after = footprint();
	footprint_check(&before, &after, cycles);
	fe_close(&fe);
	flow_unserve(path);
}

/* Registering and unregistering drivers, with a frontend on each. */
static void
driver_cycles(void)
{
	const struct fe_config config = {.features = FE_F_VERSION_1, .ring_size = 64};
	/* A stock unregister with a live connection takes a second. */
	unsigned warm_up = is_stock ? 2 : WARM_UP_CYCLES;
	unsigned cycles = is_stock ? 5 : cycles_wanted() / 20;
	struct footprint before, after;
	struct frontend fe;

	fe_init(&fe);
	before = after = footprint();
	for (unsigned i = 0; i < cycles + warm_up; i++) {
		const char *path;

		if (i == warm_up)
			before = footprint();
		rec_reset();
		path = flow_serve(0);
		CHECK_EQ(fe_connect(&fe, path), 0);
		CHECK_EQ(fe_setup(&fe, &config), 0);
		flow_unserve(path);
		fe_disconnect(&fe);
	}
	after = footprint();
	footprint_check(&before, &after, cycles);
	fe_close(&fe);
}

static void
setup(void)
{
	if (pool == NULL)
		pool = flow_pool(64, 2048);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(server_cycles),
		FLOW_TEST(cut_off_cycles),
		FLOW_TEST(driver_cycles),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
