/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile frontend: messages about queues that do not exist, in the wrong
 * order, or over and over.
 */
#include <malloc.h>

#include "line.h"

/* Every index that is none, also after a cut to 8 or 16 bits. */
static void f2_index_beyond_the_limit(void)
{
	static const uint32_t indices[] = { 256,     257,	 511,	   0x1ff,      0x7fff,
					    65536,   65537,	 0x10000,  0x7fffffff, 0x80000000,
					    UINT32_MAX, 0xffffff00, 0x80000001 };
	static const uint32_t by_state[] = { FE_SET_VRING_NUM, FE_SET_VRING_BASE,
					     FE_SET_VRING_ENABLE };
	static const uint32_t by_fd[] = { FE_SET_VRING_KICK, FE_SET_VRING_CALL, FE_SET_VRING_ERR };
	struct frontend *fe = &rig.flow.fe;
	uint16_t nr_vqs;

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	fe->use_ack = true;
	nr_vqs = rte_vhost_get_vring_num(rig.flow.vid);
	rec_reset();
	for (unsigned int i = 0; i < RTE_DIM(indices); i++) {
		struct fe_vring_state state = { .index = indices[i], .num = 1 };
		struct fe_vring_addr addr = { .index = indices[i] };
		uint64_t high = (uint64_t)indices[i] << 9, flag = indices[i] | FE_NOFD;

		for (unsigned int k = 0; k < RTE_DIM(by_state); k++)
			refused(fe, by_state[k], &state, sizeof(state), NULL, 0);
		refused(fe, FE_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		for (unsigned int k = 0; k < RTE_DIM(by_fd); k++) {
			refused(fe, by_fd[k], &high, sizeof(high), &fe->vqs[0].kickfd, 1);
			if (flag > 0x1ff)
				refused(fe, by_fd[k], &flag, sizeof(flag), NULL, 0);
		}
	}
	CHECK_STR(rec_text(), "");
	CHECK_EQ(rte_vhost_get_vring_num(rig.flow.vid), nr_vqs);
	CHECK(rig_serves_tx());
	CHECK(rig_serves_rx());
	/* GET_VRING_BASE has no way to say no but to hang up. */
	line_serve();
	for (unsigned int i = 0; i < RTE_DIM(indices); i++) {
		struct fe_vring_state state = { .index = indices[i] };

		line_dial();
		CHECK_EQ(fe_send(&line, FE_GET_VRING_BASE, FE_FLAG_VERSION, &state, sizeof(state),
				 NULL, 0),
			 0);
		CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
		line_hang_up();
	}
	line_down();
}

/* However often, and however large: what a size needs is kept once. */
static void f5_vring_num_repeated(void)
{
	size_t before, after;

	line_up();
	CHECK_EQ(fe_set_vring_num(&line, 0, 32768), 0);
	before = mallinfo2().uordblks;
	for (unsigned int i = 0; i < 5000; i++)
		CHECK_EQ(fe_set_vring_num(&line, i % 2, 1u << i % 16), 0);
	after = mallinfo2().uordblks;
	CHECK(after < before + 65536);
	line_down();
}

static uint16_t size_of(uint16_t queue)
{
	struct rte_vhost_vring vring;

	CHECK_EQ(rte_vhost_get_vhost_vring(rec_vid(), queue, &vring), 0);
	return vring.size;
}

static void f23_vring_num_that_is_no_size(void)
{
	static const uint32_t sizes[] = { 0,	 3,	  100,	 65535,	     65536,	 65537,
					  32769, 0x10040, 1u << 17, 0x80000000, 0x80000040,
					  UINT32_MAX };
	struct fe_vring_state state = { 0 };

	line_up();
	CHECK_EQ(fe_set_vring_num(&line, 0, RING_SIZE), 0);
	for (unsigned int i = 0; i < RTE_DIM(sizes); i++) {
		state.num = sizes[i];
		refused(&line, FE_SET_VRING_NUM, &state, sizeof(state), NULL, 0);
		CHECK_EQ(size_of(0), RING_SIZE); /* the old one */
	}
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK(rec_wait_tail("+dev"));
	/* Nor may the size or the base of a running one change. */
	state.num = 2 * RING_SIZE;
	refused(&line, FE_SET_VRING_NUM, &state, sizeof(state), NULL, 0);
	CHECK_EQ(size_of(0), RING_SIZE);
	state.num = 3;
	refused(&line, FE_SET_VRING_BASE, &state, sizeof(state), NULL, 0);
	state.num = 65536;
	state.index = 7;
	refused(&line, FE_SET_VRING_BASE, &state, sizeof(state), NULL, 0);
	line_down();
}

/* Each one replaces the one before: it is closed, and readiness shows as edges. */
static void f29_eventfds_repeated(void)
{
	struct frontend *fe = &rig.flow.fe;
	unsigned int open;

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	fe->use_ack = true;
	CHECK_EQ(fe_sync(fe), 0);
	open = rig_count_fds();
	for (unsigned int i = 0; i < 200; i++) {
		rec_reset();
		CHECK_EQ(fe_set_vring_kick(fe, 0, fe->vqs[0].kickfd), 0);
		CHECK_STR(rec_text(), "q0=0 q0=1");
		CHECK_EQ(fe_set_vring_call(fe, 0, fe->vqs[0].callfd), 0);
		CHECK_STR(rec_text(), "q0=0 q0=1 q0=0 q0=1");
		CHECK_EQ(fe_set_vring_err(fe, 0, fe->vqs[0].errfd), 0);
		CHECK_STR(rec_text(), "q0=0 q0=1 q0=0 q0=1");
		CHECK_EQ(fe_set_vring_err(fe, 0, -1), 0);
		CHECK_EQ(fe_set_vring_err(fe, 0, fe->vqs[0].errfd), 0);
		CHECK_EQ(rig_count_fds(), open);
	}
	/* What is no eventfd could block a data thread. */
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t index = 0;

		refused(fe, FE_SET_VRING_KICK + i, &index, sizeof(index), &fe->fd, 1);
		refused(fe, FE_SET_VRING_KICK + i, &index, sizeof(index), &fe->mem.regions[0].fd,
			1);
	}
	(void)guest_ring_calls(rig.rx);
	CHECK(rig_serves_rx());
	CHECK_EQ(guest_ring_calls(rig.rx), 1);
	CHECK(rig_serves_tx());
	line_down();
}

/* A guest that polls: nothing is written, nothing counted, nobody told. */
static void f30_call_without_fd(void)
{
	struct frontend *fe = &rig.flow.fe;
	uint64_t notified;

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	fe->use_ack = true;
	for (uint32_t q = 0; q < 2; q++)
		CHECK_EQ(fe_set_vring_call(fe, q, -1), 0);
	(void)guest_ring_calls(rig.rx);
	(void)guest_ring_calls(rig.tx);
	for (uint16_t q = 0; q < 2; q++) {
		notified = rig_counter(q, "guest_notifications");
		for (unsigned int i = 0; i < 20; i++) {
			unsigned int calls = rec_calls();

			CHECK(q == 0 ? rig_serves_rx() : rig_serves_tx());
			CHECK_EQ(rte_vhost_vring_call(rig.flow.vid, q), 0);
			CHECK_EQ(rec_calls(), calls);
		}
		CHECK_EQ(rig_counter(q, "guest_notifications"), notified);
		CHECK_EQ(rig_counter(q, "guest_notifications_failed"), 0);
		CHECK_EQ(guest_ring_calls(&fe->vqs[q]), 0);
	}
	line_down();
}

/* As a guest's firmware does, with what was left from before the reboot. */
static void f45_enable_of_rings_not_set_up(void)
{
	struct frontend *fe = &rig.flow.fe;

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	fe->use_ack = true;
	CHECK_EQ(fe_stop(fe, NULL), 0);
	CHECK(rec_wait_tail("-dev q0=0 q1=0"));
	rec_reset();
	/* All but the addresses: those were forgotten with the stop. */
	for (uint32_t q = 0; q < 2; q++) {
		CHECK_EQ(fe_set_vring_num(fe, q, RING_SIZE), 0);
		CHECK_EQ(fe_set_vring_kick(fe, q, fe->vqs[q].kickfd), 0);
		CHECK_EQ(fe_set_vring_call(fe, q, fe->vqs[q].callfd), 0);
	}
	for (uint32_t q = 0; q < 256; q++)
		CHECK_EQ(fe_set_vring_enable(fe, q, true), 0);
	CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0);
	CHECK_STR(rec_text(), "");
	for (uint16_t q = 0; q < 256; q++) {
		struct rte_mbuf *m = NULL;

		CHECK_EQ(rte_vhost_dequeue_burst(rig.flow.vid, q, rig.pool, &m, 1), 0);
		CHECK_EQ(rte_vhost_avail_entries(rig.flow.vid, q), 0);
	}
	CHECK_EQ(fe_stop(fe, NULL), 0);
	CHECK_EQ(rig_restart(0), 0);
	CHECK_EQ(rig_restart(1), 0);
	CHECK(rec_wait_tail("q0=1 q1=1 +dev"));
	CHECK(rig_serves_tx());
	CHECK(rig_serves_rx());
	line_down();
}

/* Only queue 200 is ever named: those below it exist, empty. */
static void f46_sparse_queues(void)
{
	struct rte_vhost_vring vring;
	uint16_t avail, used;

	line_up();
	CHECK_EQ(fe_set_vring_kick(&line, 200, line.vqs[0].kickfd), 0);
	CHECK_EQ(rte_vhost_get_vring_num(rec_vid()), 201);
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
	CHECK_EQ(fe_set_vring_enable(&line, 255, true), 0);
	CHECK_EQ(rte_vhost_get_vring_num(rec_vid()), 256);
	for (uint16_t q = 0; q < 300; q++) {
		struct rte_mbuf *m = NULL;

		CHECK_EQ(rte_vhost_dequeue_burst(rec_vid(), q, rig.pool, &m, 1), 0);
		CHECK_EQ(rte_vhost_enqueue_burst(rec_vid(), q, &m, 1), 0);
		CHECK_EQ(rte_vhost_avail_entries(rec_vid(), q), 0);
		CHECK_EQ(rte_vhost_rx_queue_count(rec_vid(), q), 0);
		CHECK(rte_vhost_vring_call(rec_vid(), q) < 0);
		CHECK((rte_vhost_get_vhost_vring(rec_vid(), q, &vring) == 0) == (q < 256));
		CHECK((rte_vhost_get_vring_base(rec_vid(), q, &avail, &used) == 0) == (q < 256));
	}
	CHECK_EQ(fe_get_vring_base(&line, 137, NULL), 0);
	CHECK_EQ(fe_set_features(&line, line.features), 0);
	CHECK_STR(rec_text(), "+conn");
	/* The usual pair comes up beside them. */
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev");
	line_down();
}

/* What a queue gives at each step before it is ready: nothing. */
static void nothing_comes(void)
{
	struct rte_mbuf *m = NULL;

	CHECK_EQ(rte_vhost_dequeue_burst(rec_vid(), 1, rig.pool, &m, 1), 0);
	CHECK(m == NULL);
	m = packet_pattern(rig.pool, 1, 100, 0);
	CHECK_EQ(rte_vhost_enqueue_burst(rec_vid(), 0, &m, 1), 0);
	rte_pktmbuf_free(m);
	CHECK_EQ(rte_vhost_avail_entries(rec_vid(), 1), 0);
	CHECK_EQ(rte_vhost_rx_queue_count(rec_vid(), 1), 0);
}

static void l7_dequeue_before_ready(void)
{
	struct guest_ring *tx;
	struct fe_vring_addr addr;

	line_up();
	tx = &line.vqs[1];
	/* A packet waits all the time. */
	guest_split_raw_desc(tx, 0, guest_alloc(&line.mem, 4096, 64), HDR + 100, 0, 0);
	guest_split_raw_avail_idx(tx, 1);
	nothing_comes();
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
	nothing_comes();
	for (uint32_t q = 0; q < 2; q++) {
		struct guest_ring *vq = &line.vqs[q];

		CHECK_EQ(fe_set_vring_enable(&line, q, true), 0);
		nothing_comes();
		CHECK_EQ(fe_set_vring_num(&line, q, RING_SIZE), 0);
		nothing_comes();
		addr = (struct fe_vring_addr){ .index = q,
					       .desc_uva = guest_uva(&line.mem, vq->desc_gpa),
					       .avail_uva = guest_uva(&line.mem, vq->avail_gpa),
					       .used_uva = guest_uva(&line.mem, vq->used_gpa) };
		CHECK_EQ(fe_set_vring_addr(&line, &addr), 0);
		nothing_comes();
		CHECK_EQ(fe_set_vring_kick(&line, q, vq->kickfd), 0);
		nothing_comes();
		if (q == 0)
			CHECK_EQ(fe_set_vring_call(&line, q, vq->callfd), 0);
		nothing_comes();
	}
	CHECK_EQ(fe_set_vring_call(&line, 1, tx->callfd), 0);
	CHECK_EQ(rte_vhost_avail_entries(rec_vid(), 1), 1);
	CHECK_EQ(fe_set_vring_enable(&line, 1, false), 0);
	CHECK_EQ(fe_set_vring_enable(&line, 0, false), 0);
	nothing_comes();
	CHECK_EQ(fe_set_vring_enable(&line, 1, true), 0);
	CHECK_EQ(fe_get_vring_base(&line, 1, NULL), 0);
	nothing_comes();
	line_down();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "F2 index beyond the limit", f2_index_beyond_the_limit },
		{ "F5 SET_VRING_NUM repeated", f5_vring_num_repeated },
		{ "F23 SET_VRING_NUM that is no size", f23_vring_num_that_is_no_size },
		{ "F29 KICK, CALL, ERR repeated", f29_eventfds_repeated },
		{ "F30 CALL without fd", f30_call_without_fd },
		{ "F45 enable of rings not set up", f45_enable_of_rings_not_set_up },
		{ "F46 sparse queues", f46_sparse_queues },
		{ "L7 dequeue before ready", l7_dequeue_before_ready },
	};

	return line_main(argc, argv, tests, RTE_DIM(tests));
}
