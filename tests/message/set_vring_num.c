/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_VRING_NUM: a power of two up to 32768, of a queue that stands still. */
#include "meaning.h"

static void powers_of_two(void **state)
{
	(void)state;
	for (uint32_t num = 1; num <= 32768; num *= 2) {
		assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 1, num), 0);
		assert_int_equal(session_vq(&s, 1)->ring.size, num);
	}
}

static void refused_sizes_leave_the_old_one(void **state)
{
	static const uint32_t bad[] = { 0, 3, 100, 255, 257, 32769, 65535, 65536, 1u << 31,
					UINT32_MAX };

	(void)state;
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 0, 128), 0);
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(session_state(&s, VHU_SET_VRING_NUM, 0, bad[i]) < 0);
		assert_int_equal(session_vq(&s, 0)->ring.size, 128);
	}
}

static void not_while_running(void **state)
{
	(void)state;
	session_setup(&s, 2);
	assert_true(session_state(&s, VHU_SET_VRING_NUM, 0, 32) < 0);
	assert_int_equal(session_vq(&s, 0)->ring.size, SESSION_RING_ENTRIES);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 0, 32), 0);
}

static void remembered_over_a_stop(void **state)
{
	(void)state;
	session_setup(&s, 2);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(session_vq(&s, 0)->ring.size, SESSION_RING_ENTRIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(powers_of_two),
		TEST(refused_sizes_leave_the_old_one),
		TEST(not_while_running),
		TEST(remembered_over_a_stop),
	};

	return RUN(tests);
}
