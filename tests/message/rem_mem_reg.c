/* SPDX-License-Identifier: BSD-3-Clause */
/* REM_MEM_REG: the region of that guest address, frontend address and size goes. */
#include "meaning.h"

static struct vhu_region region_of(unsigned int i)
{
	const struct guest_region *g = &s.mem.regions[i];

	return (struct vhu_region){ .gpa = g->gpa,
				    .size_bytes = g->size_bytes,
				    .uva = g->uva,
				    .mmap_offset_bytes = g->mmap_offset_bytes };
}

static int rem(const struct vhu_region *r, int fd)
{
	return session_mem_reg(&s, VHU_REM_MEM_REG, r, fd);
}

/* The rings are in the first one: they run on, on the mapping that they have. */
static void of_no_ring(void **state)
{
	struct vhu_region second = region_of(1);
	const void *ring;
	unsigned int fds;

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	ring = kit_host((uint8_t __guest *)(uintptr_t)session_vq(&s, 0)->ring.desc);
	fds = kit_open_fds();
	second.mmap_offset_bytes = 12345; /* does not count */
	assert_int_equal(rem(&second, -1), 0);
	assert_string_equal(session_events(&s), "");
	assert_int_equal(s.dev->mem->nr_regions, 1);
	assert_int_equal(kit_open_fds(), fds - 1);
	assert_ptr_equal(kit_host((uint8_t __guest *)(uintptr_t)session_vq(&s, 0)->ring.desc), ring);
}

static void of_the_rings_stops_them(void **state)
{
	struct vhu_region first = region_of(0);

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(rem(&first, -1), 0);
	assert_string_equal(session_events(&s), "q0=0 q1=0");
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(gate_is_closed(&session_vq(&s, i)->gate));
		assert_false(vring_attached(&session_vq(&s, i)->ring));
	}
	/* It comes back, and they go on, as after a table that has it again. */
	assert_int_equal(session_mem_reg(&s, VHU_ADD_MEM_REG, &first, s.mem.regions[0].fd), 0);
	assert_string_equal(session_events(&s), "q0=1 q1=1");
}

static void the_last_one(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	for (unsigned int i = 0; i < 2; i++) {
		struct vhu_region r = region_of(i);

		assert_int_equal(rem(&r, -1), 0);
	}
	assert_string_equal(session_events(&s), "q0=0 q1=0");
	assert_int_equal(s.dev->mem->nr_regions, 0);
	/* All of it again: the rings are back where they were. */
	session_memory(&s);
	assert_string_equal(session_events(&s), "q0=1 q1=1");
}

static void all_three_must_match(void **state)
{
	const struct vhu_region right = region_of(1);
	const struct gmem *before;
	struct vhu_region r;

	(void)state;
	assert_true(rem(&right, -1) < 0);
	session_setup(&s, 2);
	before = s.dev->mem;
	r = right, r.gpa += 0x1000;
	assert_int_equal(rem(&r, -1), -ENOENT);
	r = right, r.uva -= 0x1000;
	assert_int_equal(rem(&r, -1), -ENOENT);
	r = right, r.size_bytes -= 0x1000;
	assert_int_equal(rem(&r, -1), -ENOENT);
	r = right, r.size_bytes = 0;
	assert_int_equal(rem(&r, -1), -ENOENT);
	r = region_of(0), r.uva = right.uva;
	assert_int_equal(rem(&r, -1), -ENOENT);
	assert_ptr_equal(s.dev->mem, before);
	assert_int_equal(rem(&right, -1), 0);
	assert_int_equal(rem(&right, -1), -ENOENT);
}

/* "If a file descriptor is passed, the back-end MUST close it without using it otherwise." */
static void a_descriptor_is_closed(void **state)
{
	const struct vhu_region r = region_of(1);
	unsigned int fds;

	(void)state;
	session_setup(&s, 2);
	fds = kit_open_fds();
	assert_int_equal(rem(&r, s.vqs[0].kickfd), 0);
	assert_int_equal(kit_open_fds(), fds - 1); /* that of the region */
	assert_int_equal(rem(&r, s.vqs[0].kickfd), -ENOENT);
	assert_int_equal(kit_open_fds(), fds - 1);
}

/* Who holds the old snapshot has it whole. */
static void memory_lives_as_long_as_it_is_held(void **state)
{
	const struct vhu_region r = region_of(1);
	struct gmem *old;
	unsigned int fds;

	(void)state;
	session_setup(&s, 2);
	fds = kit_open_fds();
	old = gmem_get(s.dev->mem);
	assert_int_equal(rem(&r, -1), 0);
	assert_int_equal(kit_open_fds(), fds);
	kit_host(old->map->pieces[1].host)[0] = 1;
	gmem_put(old);
	assert_int_equal(kit_open_fds(), fds - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_no_ring),
		TEST(of_the_rings_stops_them),
		TEST(the_last_one),
		TEST(all_three_must_match),
		TEST(a_descriptor_is_closed),
		TEST(memory_lives_as_long_as_it_is_held),
	};

	return RUN(tests);
}
