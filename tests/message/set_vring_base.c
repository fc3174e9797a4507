/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_VRING_BASE: where the next start begins, 16 bits, of a queue that stands still. */
#include "meaning.h"

static void recorded(void **state)
{
	static const uint32_t bases[] = { 0, 1, 1000, 65535 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(bases); i++) {
		assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 0, bases[i]), 0);
		assert_int_equal(session_vq(&s, 0)->ring.last_avail, bases[i]);
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
		assert_int_equal(s.reply.payload.state.num, bases[i]);
	}
}

static void more_than_16_bits(void **state)
{
	static const uint32_t bad[] = { 65536, 70000, 1u << 31, UINT32_MAX };

	(void)state;
	assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 0, 5), 0);
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(session_state(&s, VHU_SET_VRING_BASE, 0, bad[i]) < 0);
	assert_int_equal(session_vq(&s, 0)->ring.last_avail, 5);
}

static void not_while_running(void **state)
{
	(void)state;
	session_setup(&s, 2);
	assert_true(session_state(&s, VHU_SET_VRING_BASE, 0, 9) < 0);
	assert_int_equal(session_vq(&s, 0)->ring.last_avail, 0);
}

/* What the ring itself says was used wins: nothing may be lost after a crash. */
static void the_ring_knows_better(void **state)
{
	(void)state;
	guest_ring_reset(&s.vqs[0], 500);
	s.vqs[0].avail_idx = 507;
	session_setup(&s, 2);
	assert_int_equal(session_vq(&s, 0)->ring.last_avail, 500);
	assert_int_equal(session_vq(&s, 0)->ring.used_idx, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(recorded),
		TEST(more_than_16_bits),
		TEST(not_while_running),
		TEST(the_ring_knows_better),
	};

	return RUN(tests);
}
