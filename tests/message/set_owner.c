/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_OWNER: marks the start of a session; needs nothing, changes nothing. */
#include "meaning.h"

static void accepted_at_any_time(void **state)
{
	(void)state;
	assert_int_equal(session_empty(&s, VHU_SET_OWNER), 0);
	assert_int_equal(session_empty(&s, VHU_SET_OWNER), 0);
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(session_empty(&s, VHU_SET_OWNER), 0);
	assert_string_equal(session_events(&s), "");
	assert_true(s.dev->running);
}

static void nothing_waits_for_it(void **state)
{
	(void)state;
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, BIT(VIRTIO_F_VERSION_1)), 0);
	session_memory(&s);
	session_ring(&s, 0);
	session_ring(&s, 1);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accepted_at_any_time),
		TEST(nothing_waits_for_it),
	};

	return RUN(tests);
}
