/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_VRING_NUM: up to 32768, a power of two unless the ring is packed, of a queue that stands still. */
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

/* virtio 1.2, 2.8: a packed ring may have any size. */
static void any_size_of_a_packed_ring(void **state)
{
	static const uint32_t bad[] = { 0, 32769, 65535, 65536, 1u << 31, UINT32_MAX };

	(void)state;
	s.more_features = BIT(VIRTIO_F_RING_PACKED);
	session_negotiate(&s);
	for (uint32_t num = 1; num <= 32768; num += num < 300 ? 1 : 11) {
		assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 1, num), 0);
		assert_int_equal(session_vq(&s, 1)->ring.size, num);
	}
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 1, 32768), 0);
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(session_state(&s, VHU_SET_VRING_NUM, 1, bad[i]) < 0);
		assert_int_equal(session_vq(&s, 1)->ring.size, 32768);
	}
}

/* A size that was right when it came, and is no more once the format is agreed on. */
static void a_size_for_the_other_format(void **state)
{
	(void)state;
	s.more_features = BIT(VIRTIO_F_RING_PACKED);
	session_negotiate(&s);
	session_memory(&s);
	session_ring(&s, 0);
	session_ring(&s, 1);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 1, 0), 0);
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 0, 63), 0);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, SESSION_FEATURES), 0);
	assert_int_equal(session_addr(&s, 0), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, 0, s.vqs[0].kickfd), 0);
	kit_lines = 0;
	session_enable(&s, 0, true);
	assert_string_equal(session_events(&s), "");
	assert_false(vring_attached(&session_vq(&s, 0)->ring));
	assert_int_equal(kit_lines, 1);
	assert_non_null(strstr(kit_last_line, "size"));
	/* With a good one it comes up. */
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	session_ring(&s, 0);
	assert_string_equal(session_events(&s), "q0=1");
	assert_int_equal(session_vq(&s, 0)->ring.kind, RING_SPLIT);
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
		TEST(any_size_of_a_packed_ring),
		TEST(a_size_for_the_other_format),
		TEST(not_while_running),
		TEST(remembered_over_a_stop),
	};

	return RUN(tests);
}
