/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_VRING_KICK: starts a queue; the descriptor itself is for applications that wait for kicks. */
#include "eventfds.h"

static int *slot_of(struct vq *vq)
{
	return &vq->kickfd;
}

static void kept_and_replaced(void **state)
{
	(void)state;
	check_kept_and_replaced(VHU_SET_VRING_KICK);
}

static void eventfd_only(void **state)
{
	(void)state;
	check_eventfd_only(VHU_SET_VRING_KICK);
}

static void flag_and_descriptor_agree(void **state)
{
	(void)state;
	check_flag_and_descriptor_agree(VHU_SET_VRING_KICK);
}

static void starts_the_queue(void **state)
{
	(void)state;
	session_negotiate(&s);
	session_memory(&s);
	session_enable(&s, 0, true);
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 0, 64), 0);
	assert_int_equal(session_addr(&s, 0), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd), 0);
	assert_false(session_vq(&s, 0)->started);
	assert_string_equal(session_events(&s), "");
	/* A guest that is polled has no eventfd to give: it starts all the same. */
	assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, 0, -1), 0);
	assert_true(session_vq(&s, 0)->started);
	assert_string_equal(session_events(&s), "q0=1");
}

/* A second one is a new eventfd, not a new start. */
static void again_keeps_the_position(void **state)
{
	(void)state;
	session_setup(&s, 2);
	vring_set_base(&session_vq(&s, 0)->ring, 8, 6);
	session_events(&s);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, 0, s.vqs[0].kickfd), 0);
	assert_string_equal(session_events(&s), "q0=0 q0=1");
	assert_int_equal(session_vq(&s, 0)->ring.last_avail, 8);
	assert_int_equal(session_vq(&s, 0)->ring.used_idx, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kept_and_replaced),
		TEST(eventfd_only),
		TEST(flag_and_descriptor_agree),
		TEST(starts_the_queue),
		TEST(again_keeps_the_position),
	};

	return RUN(tests);
}
