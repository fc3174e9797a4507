/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split ring in guest memory of four regions, and words to write hostile descriptors with. For
 * the tests of ring/split.c, one program each. The guest is the test itself.
 */
#ifndef UNIT_RING_FIXTURE_H
#define UNIT_RING_FIXTURE_H

#include <errno.h>
#include <stdlib.h>

#include "guest_split.h"
#include "kit.h"
#include "ring/ring.h"

#define MIB (UINT64_C(1) << 20)
#define RING_ENTRIES 16
/* Regions: 0..1 MiB, 1..2 MiB next to it in guest addresses only, 4..5 MiB after a gap, a large. */
#define SEAM MIB
#define END (2 * MIB)
#define GAP (3 * MIB)
#define LARGE (64 * MIB)
#define LARGE_BYTES (32 * MIB)

static struct guest_memory memory;
static struct guest_ring guest;
static struct gmem *mem;
static struct ring ring;
static struct span_pool pool;
static struct chain chain;

static void attach(uint16_t size)
{
	struct vring_addrs addrs;

	assert_int_equal(guest_ring_init(&guest, &guest_split, &memory, size), 0);
	addrs.desc = uva(guest_uva(&memory, guest.desc_gpa));
	addrs.avail = uva(guest_uva(&memory, guest.avail_gpa));
	addrs.used = uva(guest_uva(&memory, guest.used_gpa));
	memset(&ring, 0, sizeof(ring));
	ring.size = size;
	assert_int_equal(vring_attach(&ring, mem, &addrs), 0);
	pool.used = 0;
}

static int setup(void **state)
{
	static const struct guest_region_spec specs[] = {
		{ .gpa = 0, .size_bytes = MIB },
		{ .gpa = SEAM, .size_bytes = MIB, .mmap_offset_bytes = 4096, .uva = 0x7000000000 },
		{ .gpa = 4 * MIB, .size_bytes = MIB },
		{ .gpa = LARGE, .size_bytes = LARGE_BYTES }, /* never touched */
	};

	(void)state;
	kit_capture_log();
	kit_seed(3);
	assert_int_equal(guest_memory_create(&memory, specs, ARRAY_LEN(specs)), 0);
	mem = kit_gmem(&memory);
	attach(RING_ENTRIES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_ring_fini(&guest);
	gmem_put(mem);
	guest_memory_destroy(&memory);
	return 0;
}

/* Offers `head` as the next chain. */
static void offer(uint16_t head)
{
	guest_split_raw_avail(&guest, guest.avail_idx % RING_ENTRIES, head);
	guest_split_raw_avail_idx(&guest, ++guest.avail_idx);
}

static void desc(uint16_t i, uint64_t at, uint32_t len, uint16_t flags, uint16_t next)
{
	guest_split_raw_desc(&guest, i, at, len, flags, next);
}

static enum fetch_result fetch(enum chain_dir dir)
{
	return ring_fetch(RING_SPLIT, &ring, dir, &pool, &chain);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
