/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SET_VRING_ADDR: recorded when it comes, looked up when the queue starts; on a running queue
 * looked up at once. Where a ring may lie is in tests/unit/vring.c.
 */
#include "meaning.h"

static int send_addr(const struct vhu_vring_addr *addr)
{
	return session_send(&s, VHU_SET_VRING_ADDR, addr, sizeof(*addr), NULL, 0);
}

static void recorded(void **state)
{
	struct vhu_vring_addr addr;

	(void)state;
	session_negotiate(&s);
	session_memory(&s);
	addr = session_addr_of(&s, 2);
	addr.flags = VHU_VRING_ADDR_F_LOG;
	addr.log = 0x12340;
	assert_int_equal(send_addr(&addr), 0);
	assert_int_equal(session_vq(&s, 2)->addrs.desc, addr.desc);
	assert_int_equal(session_vq(&s, 2)->addrs.avail, addr.avail);
	assert_int_equal(session_vq(&s, 2)->addrs.used, addr.used);
	assert_int_equal(session_vq(&s, 2)->log_guest_addr, 0x12340);
	/* Without the flag the address means nothing. */
	addr.flags = 0;
	assert_int_equal(send_addr(&addr), 0);
	assert_int_equal(session_vq(&s, 2)->log_guest_addr, 0);
}

static void unknown_flags(void **state)
{
	struct vhu_vring_addr addr;

	(void)state;
	session_negotiate(&s);
	session_memory(&s);
	addr = session_addr_of(&s, 0);
	for (unsigned int bit = 1; bit < 32; bit++) {
		addr.flags = 1u << bit;
		assert_true(send_addr(&addr) < 0);
		assert_false(session_vq(&s, 0)->addrs_set);
	}
}

/* The memory may change before the queue starts, so nothing is looked up yet. */
static void nonsense_shows_at_the_start(void **state)
{
	struct vhu_vring_addr addr;

	(void)state;
	session_negotiate(&s);
	session_memory(&s);
	session_ring(&s, 0);
	addr = session_addr_of(&s, 0);
	addr.used = 1;
	assert_int_equal(send_addr(&addr), 0);
	session_events(&s);
	kit_lines = 0;
	s.dev->log_budget = (struct log_budget){ 0 };
	session_enable(&s, 0, true);
	assert_string_equal(session_events(&s), "");
	assert_true(gate_is_closed(&session_vq(&s, 0)->gate));
	assert_int_equal(kit_lines, 1);
	/* Said once, not after every message. */
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
	assert_int_equal(kit_lines, 1);
	/* And healed by good ones. */
	assert_int_equal(session_addr(&s, 0), 0);
	assert_string_equal(session_events(&s), "q0=1");
}

static void moves_a_running_queue(void **state)
{
	struct vhu_vring_addr addr;
	uint16_t *avail;

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	addr = session_addr_of(&s, 0);
	addr.avail = guest_uva(&s.mem, 0xf0000);
	assert_int_equal(send_addr(&addr), 0);
	assert_string_equal(session_events(&s), "");
	avail = guest_ptr(&s.mem, 0xf0000, 4);
	avail[1] = 9;
	assert_int_equal(ring_waiting(RING_SPLIT, &session_vq(&s, 0)->ring, 0), 9);
}

static void loses_a_running_queue(void **state)
{
	struct vhu_vring_addr addr;

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	addr = session_addr_of(&s, 0);
	addr.desc = 0x10;
	(void)send_addr(&addr);
	assert_string_equal(session_events(&s), "q0=0");
	assert_false(vring_attached(&session_vq(&s, 0)->ring));
	assert_true(s.dev->running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(recorded),
		TEST(unknown_flags),
		TEST(nonsense_shows_at_the_start),
		TEST(moves_a_running_queue),
		TEST(loses_a_running_queue),
	};

	return RUN(tests);
}
