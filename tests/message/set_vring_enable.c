/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_VRING_ENABLE: 0 or 1; remembered over a stop, and before anything else is known. */
#include "meaning.h"

static void zero_or_one(void **state)
{
	static const uint32_t bad[] = { 2, 5, 256, 1u << 31, UINT32_MAX };

	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_state(&s, VHU_SET_VRING_ENABLE, 0, 1), 0);
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(session_state(&s, VHU_SET_VRING_ENABLE, 0, bad[i]) < 0);
		assert_true(session_vq(&s, 0)->enabled);
	}
	assert_int_equal(session_state(&s, VHU_SET_VRING_ENABLE, 0, 0), 0);
	assert_false(session_vq(&s, 0)->enabled);
}

/* The ring keeps its place: what waits is served after the next enabling. */
static void a_pause_not_a_stop(void **state)
{
	(void)state;
	session_setup(&s, 2);
	vring_set_base(&session_vq(&s, 1)->ring, 3, 3);
	session_events(&s);
	session_enable(&s, 1, false);
	assert_true(gate_is_closed(&session_vq(&s, 1)->gate));
	assert_true(session_vq(&s, 1)->started);
	session_enable(&s, 1, true);
	assert_string_equal(session_events(&s), "q1=0 q1=1");
	assert_int_equal(session_vq(&s, 1)->ring.last_avail, 3);
	assert_true(s.dev->running);
}

static void survives_a_stop(void **state)
{
	(void)state;
	session_setup(&s, 2);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_true(session_vq(&s, 0)->enabled);
}

/* Firmware enables hundreds of rings that it never sets up: not one may look ready. */
static void enabling_alone_is_nothing(void **state)
{
	(void)state;
	s.config.max_queue_pairs = 128;
	session_negotiate(&s);
	session_memory(&s);
	for (unsigned int i = 0; i < 256; i++)
		session_enable(&s, i, true);
	assert_string_equal(session_events(&s), "");
	for (unsigned int i = 0; i < 256; i++)
		assert_true(gate_is_closed(&session_vq(&s, i)->gate));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(zero_or_one),
		TEST(a_pause_not_a_stop),
		TEST(survives_a_stop),
		TEST(enabling_alone_is_nothing),
	};

	return RUN(tests);
}
