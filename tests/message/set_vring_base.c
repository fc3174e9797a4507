/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SET_VRING_BASE: where the next start begins, of a queue that stands still. 16 bits; two halves of
 * 16 bits for a packed ring.
 */
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

static void negotiate_packed(void)
{
	s.more_features = BIT(VIRTIO_F_RING_PACKED);
	session_negotiate(&s);
	session_memory(&s);
}

/* A packed ring starts with both wrap counters 1 when nobody says otherwise (virtio 1.2, 2.8.1). */
static void a_packed_ring_without_any(void **state)
{
	(void)state;
	negotiate_packed();
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 2; i++) {
			const struct guest_ring *vq = &s.vqs[i];

			assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, i, vq->size), 0);
			assert_int_equal(session_addr(&s, i), 0);
			assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, i, vq->kickfd), 0);
			assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, i, vq->callfd), 0);
			session_enable(&s, i, true);
		}
		assert_true(s.dev->running);
		assert_int_equal(session_vq(&s, 0)->ring.last_avail, 0x8000);
		assert_int_equal(session_vq(&s, 0)->ring.used_idx, 0x8000);
		/* Where it got to is where it goes on, also over a new memory table. */
		vring_set_base(&session_vq(&s, 1)->ring, 0x0007, 0x0007);
		session_memory(&s);
		assert_int_equal(session_vq(&s, 1)->ring.last_avail, 0x0007);
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 1, 0), 0);
		assert_int_equal(s.reply.payload.state.num, 0x00070007);
		/* One that never ran has a place, too: the guest would start from a 0 that is none. */
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 3, 0), 0);
		assert_int_equal(s.reply.payload.state.num, 0x80008000);
		assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
		session_negotiate(&s);
	}
}

/* Available in the low half, used in the high one, each with its wrap counter on top. */
static void both_halves_of_a_packed_ring(void **state)
{
	static const uint32_t bases[] = { 0x80008000, 0x00058005, 0x803f0000, 0x80018001,
					  0xffffffff, 0x00010002 };

	(void)state;
	negotiate_packed();
	for (unsigned int i = 0; i < ARRAY_LEN(bases); i++) {
		assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 0, bases[i]), 0);
		assert_int_equal(session_vq(&s, 0)->ring.last_avail, bases[i] & 0xffff);
		assert_int_equal(session_vq(&s, 0)->ring.used_idx, bases[i] >> 16);
		assert_int_equal(session_vq(&s, 0)->ring.published, bases[i] >> 16);
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
		assert_int_equal(s.reply.payload.state.num, bases[i]);
	}
}

/* From a frontend that knows of one half only: nothing is in flight. */
static void one_half_for_both(void **state)
{
	(void)state;
	negotiate_packed();
	assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 0, 0x8005), 0);
	assert_int_equal(session_vq(&s, 0)->ring.last_avail, 0x8005);
	assert_int_equal(session_vq(&s, 0)->ring.used_idx, 0x8005);
}

/* The size may come after it, so it shows at the start. */
static void a_packed_base_beyond_the_ring(void **state)
{
	static const uint32_t bases[] = { SESSION_RING_ENTRIES, 0x8000 | SESSION_RING_ENTRIES,
					  SESSION_RING_ENTRIES << 16, 0xc0000000, 0x7fff,
					  0xffffffff };

	(void)state;
	negotiate_packed();
	session_ring(&s, 0);
	session_enable(&s, 0, true);
	assert_string_equal(session_events(&s), "q0=1");
	for (unsigned int i = 0; i < ARRAY_LEN(bases); i++) {
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
		session_events(&s);
		s.dev->log_budget = (struct log_budget){ 0 };
		kit_lines = 0;
		assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 0, bases[i]), 0);
		assert_int_equal(session_addr(&s, 0), 0);
		assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd), 0);
		assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, 0, s.vqs[0].kickfd), 0);
		assert_string_equal(session_events(&s), "");
		assert_false(vring_attached(&session_vq(&s, 0)->ring));
		assert_true(gate_is_closed(&session_vq(&s, 0)->gate));
		assert_int_equal(kit_lines, 1);
		assert_non_null(strstr(kit_last_line, "base"));
	}
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	session_ring(&s, 0);
	assert_string_equal(session_events(&s), "q0=1");
}

/* A packed ring keeps no record of its own: what was said is taken. */
static void a_packed_ring_starts_where_it_was_said(void **state)
{
	(void)state;
	negotiate_packed();
	session_ring(&s, 0);
	session_enable(&s, 0, true);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 0, 0x80030007), 0);
	assert_int_equal(session_addr(&s, 0), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, 0, s.vqs[0].kickfd), 0);
	assert_true(vring_attached(&session_vq(&s, 0)->ring));
	assert_int_equal(session_vq(&s, 0)->ring.last_avail, 7);
	assert_int_equal(session_vq(&s, 0)->ring.used_idx, 0x8003);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(recorded),
		TEST(more_than_16_bits),
		TEST(not_while_running),
		TEST(the_ring_knows_better),
		TEST(a_packed_ring_without_any),
		TEST(both_halves_of_a_packed_ring),
		TEST(one_half_for_both),
		TEST(a_packed_base_beyond_the_ring),
		TEST(a_packed_ring_starts_where_it_was_said),
	};

	return RUN(tests);
}
