/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring/vring.c: where a ring of either format may lie. And the two notification decisions of a split
 * ring, ours to interrupt the guest and the guest's to kick us, compared with the specification's
 * words for every distance around the wrap (virtio 1.2, 2.7.7 and 2.7.10); those of a packed ring
 * are in packed_notify.c.
 */
#include <errno.h>

#include "guest_split.h"
#include "kit.h"
#include "ring/ring.h"

#define MIB (UINT64_C(1) << 20)

static struct guest_memory memory;
static struct guest_ring guest;
static struct gmem *mem;
static struct ring ring;
static struct vring_addrs addrs;

static int setup(void **state)
{
	static const struct guest_region_spec specs[] = {
		{ .gpa = 0, .size_bytes = MIB },
		{ .gpa = MIB, .size_bytes = MIB }, /* adjacent in both spaces, mapped apart */
	};

	(void)state;
	kit_capture_log();
	assert_int_equal(guest_memory_create(&memory, specs, ARRAY_LEN(specs)), 0);
	mem = kit_gmem(&memory);
	assert_int_equal(guest_ring_init(&guest, &guest_split, &memory, 8), 0);
	addrs.desc = guest_uva(&memory, guest.desc_gpa);
	addrs.avail = guest_uva(&memory, guest.avail_gpa);
	addrs.used = guest_uva(&memory, guest.used_gpa);
	memset(&ring, 0, sizeof(ring));
	ring.size = 8;
	assert_int_equal(vring_attach(&ring, mem, NULL, &addrs), 0);
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

/* --- where a ring may lie ---------------------------------------------- */

static void attached_where_it_was_said(void **state)
{
	(void)state;
	assert_true(vring_attached(&ring));
	guest.avail[1] = 3;
	assert_int_equal(shm_load16(GUEST_FIELD(ring.avail, struct vring_avail, idx)), 3);
	assert_ptr_equal(ring.mem, mem);
	vring_detach(&ring);
	assert_false(vring_attached(&ring));
	assert_null(ring.mem);
	assert_int_equal(ring.views[CHAIN_READABLE].last.size_bytes, 0);
}

static void positions_survive_attaching(void **state)
{
	(void)state;
	vring_set_base(&ring, 7, 9);
	assert_int_equal(vring_attach(&ring, mem, NULL, &addrs), 0);
	assert_int_equal(ring.last_avail, 7);
	assert_int_equal(ring.used_idx, 9);
	assert_int_equal(ring.published, 9);
	assert_false(ring.signalled_valid);
}

static uint64_t *part(struct vring_addrs *a, unsigned int i)
{
	return i == 0 ? &a->desc : i == 1 ? &a->avail : &a->used;
}

static void alignment(void **state)
{
	static const uint64_t need[] = { 16, 2, 4 };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		for (uint64_t off = 0; off < 16; off++) {
			struct vring_addrs a = addrs;

			*part(&a, i) += off;
			assert_int_equal(vring_attach(&ring, mem, NULL, &a), off % need[i] ? -EINVAL : 0);
			assert_int_equal(vring_attached(&ring), off % need[i] == 0);
		}
	}
}

/* Each part to the last byte of a region, event index word included, and one element further. */
static void ends_of_a_region(void **state)
{
	const uint64_t bytes[] = { guest_split_desc_bytes(8), guest_split_avail_bytes(8),
				   guest_split_used_bytes(8) };
	static const uint64_t step[] = { 16, 2, 4 };

	(void)state;
	for (unsigned int region = 0; region < 2; region++) {
		uint64_t end = GUEST_UVA_BASE + (region + 1) * MIB;

		for (unsigned int i = 0; i < 3; i++) {
			struct vring_addrs a = addrs;
			uint64_t last = align_down(end - bytes[i], step[i]);

			*part(&a, i) = last;
			assert_int_equal(vring_attach(&ring, mem, NULL, &a), 0);
			*part(&a, i) = last + step[i];
			assert_int_equal(vring_attach(&ring, mem, NULL, &a), -EFAULT);
			assert_false(vring_attached(&ring));
		}
	}
}

static void outside_memory(void **state)
{
	static const uint64_t bad[] = { 0, GUEST_UVA_BASE - 16, GUEST_UVA_BASE + 2 * MIB,
					UINT64_MAX & ~UINT64_C(15) };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		for (unsigned int k = 0; k < ARRAY_LEN(bad); k++) {
			struct vring_addrs a = addrs;

			*part(&a, i) = bad[k];
			assert_int_equal(vring_attach(&ring, mem, NULL, &a), -EFAULT);
			assert_false(vring_attached(&ring));
		}
	}
	assert_int_equal(vring_attach(&ring, NULL, NULL, &addrs), -EFAULT);
}

/*
 * The frontend chooses its addresses and the offset in the file apart from each other, so an
 * aligned address can come out misaligned where we map it.
 */
static void aligned_for_the_frontend_but_not_for_us(void **state)
{
	static const struct guest_region_spec spec = {
		.gpa = 0, .size_bytes = MIB, .mmap_offset_bytes = 1, .uva = 0x40000000
	};
	struct guest_memory odd;
	struct gmem *odd_mem;
	struct vring_addrs a = { .desc = 0x40000000,
				 .avail = 0x40001000,
				 .used = 0x40002000 };

	(void)state;
	assert_int_equal(guest_memory_create(&odd, &spec, 1), 0);
	odd_mem = kit_gmem(&odd);
	assert_int_equal(vring_attach(&ring, odd_mem, NULL, &a), -EINVAL);
	assert_false(vring_attached(&ring));
	gmem_put(odd_mem);
	guest_memory_destroy(&odd);
}

static void sizes_and_positions(void **state)
{
	static const uint16_t bad[] = { 0, 3, 7, 9, 100, 32767, 65535 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		ring.size = bad[i];
		assert_int_equal(vring_attach(&ring, mem, NULL, &addrs), -ERANGE);
		assert_false(vring_attached(&ring));
	}
	/* Any position is one: it counts past the end. */
	ring.size = 8;
	vring_set_base(&ring, 65535, 65530);
	assert_int_equal(vring_attach(&ring, mem, NULL, &addrs), 0);
}

static void largest_ring(void **state)
{
	struct vring_addrs a = { .desc = GUEST_UVA_BASE,
				 .avail = GUEST_UVA_BASE + 16 * VRING_SIZE_MAX,
				 .used = GUEST_UVA_BASE + MIB };

	(void)state;
	ring.size = VRING_SIZE_MAX;
	assert_int_equal(vring_attach(&ring, mem, NULL, &a), 0);
	a.desc += MIB / 2 + 16;
	assert_int_equal(vring_attach(&ring, mem, NULL, &a), -EFAULT);
}

/* --- the same for a packed ring ----------------------------------------- */

static int attach_packed(uint16_t size, const struct vring_addrs *a)
{
	ring.kind = RING_PACKED;
	ring.size = size;
	return vring_attach(&ring, mem, NULL, a);
}

static void packed_attached_where_it_was_said(void **state)
{
	uint16_t *driver, *device;

	(void)state;
	assert_int_equal(attach_packed(8, &addrs), 0);
	driver = guest_ptr(&memory, guest.avail_gpa, 4);
	device = guest_ptr(&memory, guest.used_gpa, 4);
	guest.desc[7].next = 0x4321; /* the flags of a packed descriptor */
	driver[1] = 0x1111;
	assert_int_equal(shm_load16(GUEST_FIELD(GUEST_AT(ring.packed, struct vring_packed_desc, 7),
						struct vring_packed_desc, flags)), 0x4321);
	assert_int_equal(shm_load16(GUEST_FIELD(ring.driver_event, struct vring_packed_desc_event,
						flags)), 0x1111);
	shm_store16(GUEST_FIELD(ring.device_event, struct vring_packed_desc_event, off_wrap), 7);
	assert_int_equal(device[0], 7);
}

/* 2.8.10: 16 for the descriptors, 4 for the event structures. */
static void packed_alignment(void **state)
{
	static const uint64_t need[] = { 16, 4, 4 };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		for (uint64_t off = 0; off < 16; off++) {
			struct vring_addrs a = addrs;

			*part(&a, i) += off;
			assert_int_equal(attach_packed(8, &a), off % need[i] ? -EINVAL : 0);
			assert_int_equal(vring_attached(&ring), off % need[i] == 0);
		}
	}
}

static void packed_ends_of_a_region(void **state)
{
	static const uint16_t sizes[] = { 1, 7, 8, 100, 32768 };
	static const uint64_t step[] = { 16, 4, 4 };

	(void)state;
	for (unsigned int k = 0; k < ARRAY_LEN(sizes); k++) {
		const uint64_t bytes[] = { 16u * sizes[k], 4, 4 };

		for (unsigned int i = 0; i < 3; i++) {
			struct vring_addrs a = { .desc = GUEST_UVA_BASE + MIB,
						 .avail = addrs.avail,
						 .used = addrs.used };
			uint64_t last = GUEST_UVA_BASE + MIB - bytes[i];

			*part(&a, i) = last;
			assert_int_equal(attach_packed(sizes[k], &a), 0);
			*part(&a, i) = last + step[i];
			/* An event structure that starts in the next region is whole again. */
			assert_int_equal(attach_packed(sizes[k], &a), bytes[i] == step[i] ? 0 : -EFAULT);
			*part(&a, i) = last + MIB;
			assert_int_equal(attach_packed(sizes[k], &a), 0);
			*part(&a, i) = last + MIB + step[i];
			assert_int_equal(attach_packed(sizes[k], &a), -EFAULT);
			assert_false(vring_attached(&ring));
		}
	}
}

static void packed_sizes_and_positions(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 3, 8, 100, 255, 32767, 32768 };

	(void)state;
	addrs.desc = GUEST_UVA_BASE;
	addrs.avail = addrs.used = GUEST_UVA_BASE + MIB;
	assert_int_equal(attach_packed(0, &addrs), -ERANGE);
	for (unsigned int i = 0; i < ARRAY_LEN(sizes); i++) {
		for (unsigned int wraps = 0; wraps < 4; wraps++) {
			uint16_t avail_wrap = (uint16_t)((wraps & 1) << 15);
			uint16_t used_wrap = (uint16_t)((wraps & 2) << 14);
			uint16_t last = (uint16_t)(sizes[i] - 1);

			vring_set_base(&ring, avail_wrap, used_wrap);
			assert_int_equal(attach_packed(sizes[i], &addrs), 0);
			vring_set_base(&ring, avail_wrap | last, used_wrap | last);
			assert_int_equal(attach_packed(sizes[i], &addrs), 0);
			assert_int_equal(ring.last_avail, avail_wrap | last);
			assert_int_equal(ring.used_idx, used_wrap | last);
			assert_int_equal(ring.published, used_wrap | last);
			if (last == 32767)
				continue; /* no index is beyond it */
			vring_set_base(&ring, (uint16_t)(avail_wrap | (last + 1)), used_wrap);
			assert_int_equal(attach_packed(sizes[i], &addrs), -ERANGE);
			assert_false(vring_attached(&ring));
			vring_set_base(&ring, avail_wrap, (uint16_t)(used_wrap | (last + 1)));
			assert_int_equal(attach_packed(sizes[i], &addrs), -ERANGE);
			vring_set_base(&ring, avail_wrap | 32767, used_wrap | 32767);
			assert_int_equal(attach_packed(sizes[i], &addrs), -ERANGE);
		}
	}
}

/* --- interrupting the guest -------------------------------------------- */

static void flag_without_event_index(void **state)
{
	(void)state;
	guest.avail[0] = 0;
	assert_true(ring_notify_needed(RING_SPLIT, &ring));
	guest.avail[0] = GUEST_AVAIL_NO_INTERRUPT;
	assert_false(ring_notify_needed(RING_SPLIT, &ring));
	/* Bits that mean nothing yet change nothing. */
	guest.avail[0] = (uint16_t)~GUEST_AVAIL_NO_INTERRUPT;
	assert_true(ring_notify_needed(RING_SPLIT, &ring));
	/* The event word is not looked at. */
	guest.avail[0] = 0;
	guest_split_set_used_event(&guest, 12345);
	assert_true(ring_notify_needed(RING_SPLIT, &ring));
}

/* In the words of the specification: did we just use the buffer `event` waits for? */
static bool passed(uint16_t old, uint16_t now, uint16_t event)
{
	for (uint16_t idx = old; idx != now; idx++)
		if (idx == event)
			return true;
	return false;
}

static void event_index_all_distances(void **state)
{
	static const uint16_t olds[] = { 0, 1, 100, 32767, 32768, 65530, 65535 };

	(void)state;
	ring.event_idx = true;
	guest.avail[0] = GUEST_AVAIL_NO_INTERRUPT; /* to be ignored */
	for (unsigned int o = 0; o < ARRAY_LEN(olds); o++) {
		for (uint16_t step = 0; step <= 9; step++) {
			for (int delta = -12; delta <= 12; delta++) {
				uint16_t event = (uint16_t)(olds[o] + delta);

				ring.signalled_valid = true;
				ring.unsignalled = step;
				ring.published = (uint16_t)(olds[o] + step);
				guest_split_set_used_event(&guest, event);
				assert_int_equal(ring_notify_needed(RING_SPLIT, &ring),
						 passed(olds[o], ring.published, event));
				assert_int_equal(ring.unsignalled, 0);
			}
		}
	}
}

static void every_event_value_once(void **state)
{
	unsigned int wanted = 0;

	(void)state;
	ring.event_idx = true;
	for (uint32_t event = 0; event < 65536; event++) {
		ring.signalled_valid = true;
		ring.unsignalled = 6;
		ring.published = 4;
		guest_split_set_used_event(&guest, (uint16_t)event);
		wanted += ring_notify_needed(RING_SPLIT, &ring);
	}
	assert_int_equal(wanted, 6); /* 65534, 65535, 0, 1, 2, 3 */
}

static void first_decision_after_a_start_is_yes(void **state)
{
	(void)state;
	ring.event_idx = true;
	vring_set_base(&ring, 40, 40);
	ring.published = 41;
	ring.unsignalled = 1;
	guest_split_set_used_event(&guest, 1000);
	assert_true(ring_notify_needed(RING_SPLIT, &ring));
	ring.published = 42;
	ring.unsignalled = 1;
	assert_false(ring_notify_needed(RING_SPLIT, &ring));
}

/* --- being kicked ------------------------------------------------------ */

static void kicks_by_flag(void **state)
{
	(void)state;
	ring_kick_enable(RING_SPLIT, &ring, false);
	assert_int_equal(guest.used[0], GUEST_USED_NO_NOTIFY);
	ring_kick_enable(RING_SPLIT, &ring, true);
	assert_int_equal(guest.used[0], 0);
	assert_int_equal(guest_split_avail_event(&guest), 0);
}

static void kicks_by_event_index(void **state)
{
	(void)state;
	ring.event_idx = true;
	vring_set_base(&ring, 77, 70);
	ring_kick_enable(RING_SPLIT, &ring, true);
	assert_int_equal(guest_split_avail_event(&guest), 77);
	assert_int_equal(guest.used[0], 0);
	/* "Not" leaves the word where it is: it is passed once and then no more. */
	vring_set_base(&ring, 80, 70);
	ring_kick_enable(RING_SPLIT, &ring, false);
	assert_int_equal(guest_split_avail_event(&guest), 77);
	assert_int_equal(guest.used[0], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attached_where_it_was_said),
		TEST(positions_survive_attaching),
		TEST(alignment),
		TEST(ends_of_a_region),
		TEST(outside_memory),
		TEST(aligned_for_the_frontend_but_not_for_us),
		TEST(sizes_and_positions),
		TEST(largest_ring),
		TEST(packed_attached_where_it_was_said),
		TEST(packed_alignment),
		TEST(packed_ends_of_a_region),
		TEST(packed_sizes_and_positions),
		TEST(flag_without_event_index),
		TEST(event_index_all_distances),
		TEST(every_event_value_once),
		TEST(first_decision_after_a_start_is_yes),
		TEST(kicks_by_flag),
		TEST(kicks_by_event_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
