/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packed ring, and the driver's side of it in the words of virtio 1.2, 2.8: for packed.c,
 * packed_random.c, packed_notify.c. Descriptors are written as they come, right or wrong.
 */
#ifndef UNIT_PACKED_FIXTURE_H
#define UNIT_PACKED_FIXTURE_H

#include "guest_ring.h"
#include "ring_fixture.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define AVAIL (1u << 7)
#define USED (1u << 15)
#define WRAP (1u << 15) /* of a position */

#define EVENTS_GPA 0x80000 /* behind the largest ring */
#define TABLE_GPA 0x90000
#define BUFFER_GPA 0xa0000

static struct guest_packed_desc *slots;
/* Offset and wrap counter, flags; what the driver asks of us, what we ask of it. */
static uint16_t *driver_event, *device_event;
/* Where the driver puts its next descriptor, and its wrap counter there. */
static uint16_t put_at;
static bool put_wrap;

/* A ring that starts at `at` with both wrap counters the same. */
static inline void attach_at(uint16_t size, uint16_t at, bool wrap)
{
	const uint16_t position = (uint16_t)(at | (wrap ? WRAP : 0));
	const struct vring_addrs addrs = {
		.desc = guest_uva(&memory, 0),
		.avail = guest_uva(&memory, EVENTS_GPA),
		.used = guest_uva(&memory, EVENTS_GPA + 4),
	};

	slots = guest_ptr(&memory, 0, size * sizeof(*slots));
	driver_event = guest_ptr(&memory, EVENTS_GPA, 4);
	device_event = guest_ptr(&memory, EVENTS_GPA + 4, 4);
	memset(slots, 0, size * sizeof(*slots));
	/* Before the first wrap all are zeros; later each was used under the one before. */
	for (uint16_t i = 0; i < size; i++)
		slots[i].flags = (i < at) == wrap ? AVAIL | USED : 0;
	memset(&ring, 0, sizeof(ring));
	ring.kind = RING_PACKED;
	ring.size = size;
	vring_set_base(&ring, position, position);
	assert_int_equal(vring_attach(&ring, mem, NULL, &addrs), 0);
	pool.used = 0;
	put_at = at;
	put_wrap = wrap;
}

static inline int setup(void **state)
{
	(void)state;
	kind = RING_PACKED;
	make_memory();
	attach_at(RING_ENTRIES, 0, true);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	drop_memory();
	return 0;
}

/* The two bits that make a descriptor available under a wrap counter (2.8.1). */
static inline uint16_t avail_bits(bool wrap)
{
	return (uint16_t)(wrap ? AVAIL : USED);
}

/* The driver's next descriptor. */
static inline void put(uint64_t gpa_bytes, uint32_t len, uint32_t flags, uint16_t id)
{
	slots[put_at] = (struct guest_packed_desc){ .gpa = gpa_bytes,
					      .len_bytes = len,
					      .id = id,
					      .flags = (uint16_t)(flags | avail_bits(put_wrap)) };
	if (++put_at == ring.size) {
		put_at = 0;
		put_wrap = !put_wrap;
	}
}

/* An entry of the indirect table at `table`. */
static inline void entry(uint64_t table, unsigned int i, uint64_t at, uint32_t len, uint32_t flags)
{
	const struct guest_packed_desc d = {
		.gpa = at, .len_bytes = len, .id = 0x5a5a, .flags = (uint16_t)flags
	};

	guest_write(&memory, table + i * sizeof(d), &d, sizeof(d));
}

/* A position `slots_on` further. */
static inline uint16_t position_after(uint16_t position, uint32_t slots_on)
{
	uint32_t at = position & 0x7fffu, wrap = position & WRAP;

	for (; slots_on != 0; slots_on--) {
		if (++at == ring.size) {
			at = 0;
			wrap ^= WRAP;
		}
	}
	return (uint16_t)(at | wrap);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
