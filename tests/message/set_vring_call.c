/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_VRING_CALL: how the guest is interrupted; none means that it polls, which is as good. */
#include "eventfds.h"

static int *slot_of(struct vq *vq)
{
	return &vq->callfd;
}

static void kept_and_replaced(void **state)
{
	(void)state;
	check_kept_and_replaced(VHU_SET_VRING_CALL);
}

static void eventfd_only(void **state)
{
	(void)state;
	check_eventfd_only(VHU_SET_VRING_CALL);
}

static void flag_and_descriptor_agree(void **state)
{
	(void)state;
	check_flag_and_descriptor_agree(VHU_SET_VRING_CALL);
}

static void replaced_under_a_running_queue(void **state)
{
	int other = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	eventfd_t count = 0;

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, other), 0);
	assert_string_equal(session_events(&s), "q0=0 q0=1");
	vq_signal(session_vq(&s, 0));
	assert_int_equal(eventfd_read(other, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(guest_ring_calls(&s.vqs[0]), 0);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kept_and_replaced),
		TEST(eventfd_only),
		TEST(flag_and_descriptor_agree),
		TEST(replaced_under_a_running_queue),
	};

	return RUN(tests);
}
