/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ADD_MEM_REG: one more region, next to those that are there, which stay mapped where they are.
 * What a single region may say is in tests/unit/region.c.
 */
#include "meaning.h"

#define PAGE 0x1000
static const struct vhu_region more = { .gpa = 8 << 20, .size_bytes = PAGE, .uva = 8 << 20 };
static int file;

static int add(const struct vhu_region *r)
{
	return session_mem_reg(&s, VHU_ADD_MEM_REG, r, file);
}

static int add_setup(void **state)
{
	file = -1;
	setup(state);
	file = kit_memfd(2 * PAGE);
	return 0;
}

static int add_teardown(void **state)
{
	close(file);
	return teardown(state);
}

/* All memory may come this way, without any SET_MEM_TABLE. */
static void is_all_a_frontend_needs(void **state)
{
	(void)state;
	session_negotiate(&s);
	for (unsigned int i = 0; i < s.mem.nregions; i++) {
		const struct guest_region *g = &s.mem.regions[i];
		const struct vhu_region r = { .gpa = g->gpa,
					      .size_bytes = g->size_bytes,
					      .uva = g->uva,
					      .mmap_offset_bytes = g->mmap_offset_bytes };

		assert_int_equal(session_mem_reg(&s, VHU_ADD_MEM_REG, &r, g->fd), 0);
	}
	for (unsigned int i = 0; i < 2; i++) {
		session_ring(&s, i);
		session_enable(&s, i, true);
	}
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

static void keeps_the_others_mapped(void **state)
{
	const struct region *before[2];
	const void *rings[2];

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	for (unsigned int i = 0; i < 2; i++) {
		before[i] = s.dev->mem->regions[i];
		rings[i] = kit_host((uint8_t __guest *)(uintptr_t)session_vq(&s, i)->ring.desc);
	}
	assert_int_equal(add(&more), 0);
	assert_string_equal(session_events(&s), "");
	assert_int_equal(s.dev->mem->nr_regions, 3);
	for (unsigned int i = 0; i < 2; i++) {
		assert_ptr_equal(s.dev->mem->regions[i], before[i]);
		assert_ptr_equal(session_vq(&s, i)->ring.mem, s.dev->mem);
		assert_ptr_equal(
			kit_host((uint8_t __guest *)(uintptr_t)session_vq(&s, i)->ring.desc),
			rings[i]);
		assert_false(gate_is_closed(&session_vq(&s, i)->gate));
	}
}

/* Refused: the table is the one before, descriptors and all. */
static void in_the_way_of_another(void **state)
{
	static const struct vhu_region bad[] = {
		{ .gpa = (8 << 20) + PAGE - 1, .size_bytes = PAGE, .uva = 9 << 20 },
		{ .gpa = (8 << 20) - PAGE + 1, .size_bytes = PAGE, .uva = 9 << 20 },
		{ .gpa = 9 << 20, .size_bytes = PAGE, .uva = (8 << 20) + PAGE - 1 },
		{ .gpa = 8 << 20, .size_bytes = 2 * PAGE, .uva = 8 << 20 },
		{ .gpa = 8 << 20, .size_bytes = PAGE, .uva = 8 << 20, .mmap_offset_bytes = PAGE },
		{ .gpa = 9 << 20, .size_bytes = 0, .uva = 9 << 20 },
		{ .gpa = UINT64_MAX - 5, .size_bytes = PAGE, .uva = 9 << 20 },
		{ .gpa = 9 << 20, .size_bytes = 2 * PAGE + 1, .uva = 9 << 20 },
		{ .gpa = 9 << 20, .size_bytes = PAGE, .uva = 9 << 20, .mmap_offset_bytes = PAGE + 1 },
	};
	const struct gmem *before;
	unsigned int fds;

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(add(&more), 0);
	before = s.dev->mem;
	fds = kit_open_fds();
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		if (add(&bad[i]) >= 0)
			fail_msg("row %u is accepted", i);
		assert_ptr_equal(s.dev->mem, before);
		assert_int_equal(kit_open_fds(), fds);
	}
	assert_string_equal(session_events(&s), "");
}

/*
 * What a frontend with several queue pairs may do: the same for each. It is one mapping, and the
 * last removal takes it.
 */
static void the_same_region_for_each_queue_pair(void **state)
{
	const struct gmem *before;
	unsigned int fds;

	(void)state;
	session_setup(&s, 2);
	assert_int_equal(add(&more), 0);
	before = s.dev->mem;
	fds = kit_open_fds();
	for (unsigned int i = 1; i < 256; i++)
		assert_int_equal(add(&more), 0);
	assert_true(add(&more) < 0); /* more often than there are queues */
	assert_ptr_equal(s.dev->mem, before);
	assert_int_equal(kit_open_fds(), fds);
	for (unsigned int i = 0; i < 256; i++) {
		assert_int_equal(s.dev->mem->nr_regions, 3);
		assert_int_equal(session_mem_reg(&s, VHU_REM_MEM_REG, &more, -1), 0);
	}
	assert_int_equal(s.dev->mem->nr_regions, 2);
	assert_int_equal(kit_open_fds(), fds - 1);
}

/* The same addresses out of another file are another region, in the way of the first. */
static void the_same_addresses_from_another_file(void **state)
{
	int other = kit_memfd(2 * PAGE);

	(void)state;
	session_negotiate(&s);
	assert_int_equal(add(&more), 0);
	assert_true(session_mem_reg(&s, VHU_ADD_MEM_REG, &more, other) < 0);
	close(other);
}

static void after_a_table(void **state)
{
	(void)state;
	session_setup(&s, 2);
	assert_int_equal(add(&more), 0);
	/* A table replaces everything, also what was added. */
	session_memory(&s);
	assert_int_equal(s.dev->mem->nr_regions, 2);
	assert_int_equal(add(&more), 0);
	assert_int_equal(s.dev->mem->nr_regions, 3);
}

#define ADD_TEST(name) cmocka_unit_test_setup_teardown(name, add_setup, add_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ADD_TEST(is_all_a_frontend_needs),
		ADD_TEST(keeps_the_others_mapped),
		ADD_TEST(in_the_way_of_another),
		ADD_TEST(the_same_region_for_each_queue_pair),
		ADD_TEST(the_same_addresses_from_another_file),
		ADD_TEST(after_a_table),
	};

	return RUN(tests);
}
