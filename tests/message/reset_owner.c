/* SPDX-License-Identifier: BSD-3-Clause */
/* RESET_OWNER: deprecated; stops the device and disables all rings (specification's advice). */
#include "meaning.h"

static void stops_everything(void **state)
{
	(void)state;
	session_setup(&s, 4);
	session_events(&s);
	assert_int_equal(session_empty(&s, VHU_RESET_OWNER), 0);
	assert_string_equal(session_events(&s), "-dev q0=0 q1=0 q2=0 q3=0");
	for (unsigned int i = 0; i < 4; i++) {
		const struct vq *vq = session_vq(&s, i);

		assert_false(vq->started || vq->enabled || vq->ready);
		assert_int_equal(vq->callfd, EVENTFD_UNSET);
		assert_int_equal(vq->kickfd, EVENTFD_UNSET);
		assert_false(vring_attached(&vq->ring));
	}
}

static void comes_up_again(void **state)
{
	(void)state;
	session_setup(&s, 2);
	assert_int_equal(session_empty(&s, VHU_RESET_OWNER), 0);
	session_events(&s);
	session_setup(&s, 2);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

static void rings_of_an_old_frontend_stay_enabled(void **state)
{
	(void)state;
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, BIT(VIRTIO_F_VERSION_1)), 0);
	session_memory(&s);
	session_ring(&s, 0);
	session_ring(&s, 1);
	assert_int_equal(session_empty(&s, VHU_RESET_OWNER), 0);
	session_events(&s);
	session_ring(&s, 0);
	session_ring(&s, 1);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stops_everything),
		TEST(comes_up_again),
		TEST(rings_of_an_old_frontend_stay_enabled),
	};

	return RUN(tests);
}
