/* SPDX-License-Identifier: BSD-3-Clause */
/* copy/plan.h, exec.c: every length, every alignment, nothing outside, order, and a full plan. */
#include <stdlib.h>

#include "copy/plan.h"
#include "kit.h"

#define GUARD 64u
#define LARGE_BYTES 70000u

static uint8_t src_bytes[LARGE_BYTES + 64], dst_bytes[LARGE_BYTES + 64 + 2 * GUARD];

static int setup(void **state)
{
	(void)state;
	kit_seed(2);
	for (unsigned int i = 0; i < sizeof(src_bytes); i++)
		src_bytes[i] = (uint8_t)kit_random();
	return 0;
}

/* One copy to an exact place: the bytes arrive and the guards stay. */
static void check_copy(uint32_t len, unsigned int src_off, unsigned int dst_off)
{
	uint8_t *dst = dst_bytes + GUARD + dst_off;
	struct plan plan;

	plan.nr_segs = 0;
	memset(dst - GUARD, 0xa5, len + 2 * GUARD);
	plan_add(&plan, dst, src_bytes + src_off, len);
	assert_int_equal(plan.nr_segs, 1);
	plan_execute(&plan);
	assert_int_equal(plan.nr_segs, 0);
	assert_memory_equal(dst, src_bytes + src_off, len);
	for (unsigned int i = 0; i < GUARD; i++) {
		assert_int_equal(dst[-1 - (int)i], 0xa5);
		assert_int_equal(dst[len + i], 0xa5);
	}
}

static void every_small_length(void **state)
{
	(void)state;
	for (uint32_t len = 0; len <= 600; len++)
		for (unsigned int off = 0; off < 4; off++)
			check_copy(len, off * 5, off * 3);
}

static void large_lengths(void **state)
{
	static const uint32_t lens[] = { 1500, 2048, 4096, 9000, 16384, 65535, 65536, LARGE_BYTES };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(lens); i++)
		check_copy(lens[i], i, 7 - i);
}

/* Exactly sized heap blocks: a sanitizer sees the first byte too many, on either side. */
static void reads_and_writes_not_a_byte_beyond(void **state)
{
	struct plan plan;

	(void)state;
	plan.nr_segs = 0;
	for (uint32_t len = 1; len <= 600; len++) {
		uint8_t *src = malloc(len), *dst = malloc(len);

		memset(src, (int)len, len);
		plan_add(&plan, dst, src, len);
		plan_execute(&plan);
		assert_memory_equal(dst, src, len);
		free(src);
		free(dst);
	}
}

static void order_is_kept(void **state)
{
	uint8_t out[8] = { 0 };
	struct plan plan;

	(void)state;
	plan.nr_segs = 0;
	plan_add(&plan, out, "aaaaaaaa", 8);
	plan_add(&plan, out + 2, "bb", 2);
	plan_add(&plan, out + 3, "c", 1);
	plan_execute(&plan);
	assert_memory_equal(out, "aabcaaaa", 8);
}

static void a_full_plan_flushes_itself(void **state)
{
	static uint8_t out[5 * PLAN_SEGS];
	struct plan plan;

	(void)state;
	plan.nr_segs = 0;
	memset(out, 0, sizeof(out));
	for (unsigned int i = 0; i < sizeof(out); i++) {
		plan_add(&plan, &out[i], &src_bytes[i], 1);
		assert_in_range(plan.nr_segs, 1, PLAN_SEGS);
	}
	plan_execute(&plan);
	assert_memory_equal(out, src_bytes, sizeof(out));
}

static void empty_plan(void **state)
{
	struct plan plan;

	(void)state;
	plan.nr_segs = 0;
	plan_execute(&plan);
	assert_int_equal(plan.nr_segs, 0);
}

static void guest_side_by_name(void **state)
{
	uint8_t guest[4] = { 0 }, host[4] = { 1, 2, 3, 4 }, back[4] = { 0 };
	struct plan plan;

	(void)state;
	plan.nr_segs = 0;
	plan_add_write(&plan, (uint8_t __guest *)guest, host, 4);
	plan_add_read(&plan, back, (const uint8_t __guest *)guest, 4);
	plan_execute(&plan);
	assert_memory_equal(guest, host, 4);
	assert_memory_equal(back, host, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_small_length, setup),
		cmocka_unit_test_setup(large_lengths, setup),
		cmocka_unit_test_setup(reads_and_writes_not_a_byte_beyond, setup),
		cmocka_unit_test_setup(order_is_kept, setup),
		cmocka_unit_test_setup(a_full_plan_flushes_itself, setup),
		cmocka_unit_test_setup(empty_plan, setup),
		cmocka_unit_test_setup(guest_side_by_name, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
