/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_VRING_ERR: where we say that a ring is broken; never needed to start. */
#include "eventfds.h"

static int *slot_of(struct vq *vq)
{
	return &vq->errfd;
}

static void kept_and_replaced(void **state)
{
	(void)state;
	check_kept_and_replaced(VHU_SET_VRING_ERR);
}

static void eventfd_only(void **state)
{
	(void)state;
	check_eventfd_only(VHU_SET_VRING_ERR);
}

static void flag_and_descriptor_agree(void **state)
{
	(void)state;
	check_flag_and_descriptor_agree(VHU_SET_VRING_ERR);
}

static void a_running_queue_does_not_notice(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_ERR, 0, -1), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_ERR, 0, s.vqs[0].errfd), 0);
	assert_string_equal(session_events(&s), "");
	session_vq(&s, 0)->ring.fault = RING_FAULT_AVAIL;
	vq_report_broken(session_vq(&s, 0));
	assert_int_equal(guest_ring_errors(&s.vqs[0]), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kept_and_replaced),
		TEST(eventfd_only),
		TEST(flag_and_descriptor_agree),
		TEST(a_running_queue_does_not_notice),
	};

	return RUN(tests);
}
