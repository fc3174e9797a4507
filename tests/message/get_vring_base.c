/* SPDX-License-Identifier: BSD-3-Clause */
/* GET_VRING_BASE: stops the queue and the device, and says where the guest may resume. */
#include "meaning.h"

static uint32_t get_base(uint32_t index)
{
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, index, 0xdead), 0);
	assert_int_equal(s.reply.hdr.size_bytes, sizeof(struct vhu_vring_state));
	assert_int_equal(s.reply.payload.state.index, index);
	return s.reply.payload.state.num;
}

static void answers_the_position(void **state)
{
	(void)state;
	session_setup(&s, 2);
	vring_set_base(&session_vq(&s, 1)->ring, 44, 40);
	assert_int_equal(get_base(1), 44);
}

/* With both wrap counters; what was taken and not given back lies between the halves. */
static void answers_both_positions_of_a_packed_ring(void **state)
{
	(void)state;
	s.more_features = BIT(VIRTIO_F_RING_PACKED);
	session_setup(&s, 2);
	vring_set_base(&session_vq(&s, 1)->ring, 0x0003, 0x803e);
	assert_int_equal(get_base(1), 0x803e0003);
	/* And a start from there has it again. */
	assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 1, 0x803e0003), 0);
	assert_int_equal(get_base(1), 0x803e0003);
}

static void of_a_queue_nobody_touched(void **state)
{
	(void)state;
	assert_int_equal(get_base(3), 0);
	assert_string_equal(session_events(&s), "");
}

static void stops_the_queue(void **state)
{
	const struct vq *vq;
	unsigned int fds;

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	vq = session_vq(&s, 0);
	fds = kit_open_fds();
	get_base(0);
	assert_string_equal(session_events(&s), "-dev q0=0");
	assert_true(gate_is_closed(&vq->gate));
	assert_false(vring_attached(&vq->ring));
	assert_false(vq->started || vq->addrs_set);
	/* The eventfds are the frontend's again; err is kept. */
	assert_int_equal(vq->kickfd, EVENTFD_UNSET);
	assert_int_equal(vq->callfd, EVENTFD_UNSET);
	assert_int_equal(kit_open_fds(), fds - 2);
	/* The other queue of the pair goes on being ready. */
	assert_false(gate_is_closed(&session_vq(&s, 1)->gate));
}

/* Addresses of before a reboot must not come back to life (rings enabled, none set up). */
static void old_addresses_are_forgotten(void **state)
{
	(void)state;
	session_setup(&s, 2);
	get_base(0);
	get_base(1);
	session_events(&s);
	for (unsigned int i = 0; i < 2; i++) {
		session_enable(&s, i, true);
		assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, i, s.vqs[i].kickfd), 0);
		assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, i, s.vqs[i].callfd), 0);
	}
	assert_string_equal(session_events(&s), "");
	assert_int_equal(session_addr(&s, 0), 0);
	assert_int_equal(session_addr(&s, 1), 0);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

static void twice(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(get_base(0), get_base(0));
	assert_string_equal(session_events(&s), "-dev q0=0");
}

/* A broken ring is whole again after a stop and a start. */
static void mends_a_broken_ring(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_vq(&s, 0)->ring.fault = RING_FAULT_LOOP;
	get_base(0);
	session_ring(&s, 0);
	assert_int_equal(session_vq(&s, 0)->ring.fault, RING_FAULT_NONE);
	assert_true(s.dev->running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_the_position),
		TEST(answers_both_positions_of_a_packed_ring),
		TEST(of_a_queue_nobody_touched),
		TEST(stops_the_queue),
		TEST(old_addresses_are_forgotten),
		TEST(twice),
		TEST(mends_a_broken_ring),
	};

	return RUN(tests);
}
