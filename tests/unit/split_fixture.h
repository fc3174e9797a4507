/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split ring, and words to write hostile descriptors with: for split.c, split_random.c.
 */
#ifndef UNIT_SPLIT_FIXTURE_H
#define UNIT_SPLIT_FIXTURE_H

#include "guest_split.h"
#include "ring_fixture.h"

static struct guest_ring guest;

static void attach(uint16_t size)
{
	struct vring_addrs addrs;

	assert_int_equal(guest_ring_init(&guest, &guest_split, &memory, size), 0);
	addrs.desc = guest_uva(&memory, guest.desc_gpa);
	addrs.avail = guest_uva(&memory, guest.avail_gpa);
	addrs.used = guest_uva(&memory, guest.used_gpa);
	memset(&ring, 0, sizeof(ring));
	ring.size = size;
	assert_int_equal(vring_attach(&ring, mem, NULL, &addrs), 0);
	pool.used = 0;
}

static int setup(void **state)
{
	(void)state;
	kind = RING_SPLIT;
	make_memory();
	attach(RING_ENTRIES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_ring_fini(&guest);
	drop_memory();
	return 0;
}

/* Offers `head` as the next chain. */
static void offer(uint16_t head)
{
	guest_split_raw_avail(&guest, guest.avail_idx % RING_ENTRIES, head);
	guest_split_raw_avail_idx(&guest, ++guest.avail_idx);
}

static void desc(uint16_t i, uint64_t at, uint32_t len, uint16_t flags, uint16_t link)
{
	guest_split_raw_desc(&guest, i, at, len, flags, link);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
