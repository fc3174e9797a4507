/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy/plan.h, exec.c: every length, every alignment, nothing outside, order, and a full plan; for
 * the instruction set that is named, one of those exec.c is built for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "copy/plan.h"
#include "kit.h"

#define GUARD 64u
#define LARGE_BYTES 70000u

static uint8_t src_bytes[LARGE_BYTES + 64], dst_bytes[LARGE_BYTES + 64 + 2 * GUARD];

/* Whoever includes plan.h has the copies of its own instruction set by the plain name. */
void copy_segs_avx2(const struct copy_seg *segs, unsigned int nr_segs);
void copy_segs_avx512(const struct copy_seg *segs, unsigned int nr_segs);

static const struct build {
	const char *name;
	void (*copy)(const struct copy_seg *segs, unsigned int nr_segs);
	enum isa_set set;
	unsigned int simd_bits;
} builds[] = {
	{ "base", copy_segs_base, ISA_SET_BASE, 128 },
#ifdef ISA_X86
	{ "avx2", copy_segs_avx2, ISA_SET_AVX2, 256 },
	{ "avx512", copy_segs_avx512, ISA_SET_AVX512, 512 },
#endif
};
static const struct build *build;

static bool has(const struct build *b)
{
	return isa_choose(b->simd_bits) == b->set;
}

static void execute(struct plan *plan)
{
	build->copy(plan->segs, plan->nr_segs);
	plan->nr_segs = 0;
}

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
	static uint8_t guard[GUARD];
	uint8_t *dst = dst_bytes + GUARD + dst_off;
	struct plan plan;

	memset(guard, 0xa5, sizeof(guard));
	plan.nr_segs = 0;
	memset(dst - GUARD, 0xa5, len + 2 * GUARD);
	plan_add(&plan, dst, src_bytes + src_off, len);
	assert_int_equal(plan.nr_segs, 1);
	execute(&plan);
	if (memcmp(dst, src_bytes + src_off, len) != 0 || memcmp(dst - GUARD, guard, GUARD) != 0 ||
	    memcmp(dst + len, guard, GUARD) != 0)
		fail_msg("%s: %u bytes from %u to %u", build->name, len, src_off, dst_off);
}

/* And every alignment of both sides to each other and to a cache line. */
static void every_small_length(void **state)
{
	(void)state;
	for (uint32_t len = 0; len <= 600; len++)
		for (unsigned int offs = 0; offs < 64 * 64; offs++)
			check_copy(len, offs / 64, offs % 64);
}

static void large_lengths(void **state)
{
	static const uint32_t lens[] = { 1500, 2048, 4096, 9000, 16384, 65535, 65536, LARGE_BYTES };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(lens); i++)
		for (unsigned int off = 0; off < 64; off++)
			check_copy(lens[i], off, (off * 7 + i) % 64);
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
		execute(&plan);
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
	execute(&plan);
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
	static struct plan plan;

	(void)state;
	execute(&plan);
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

/* Many at once, as a burst has them: each its own bytes. */
static void a_plan_of_many(void **state)
{
	static uint8_t out[PLAN_SEGS * 600];
	struct plan plan;
	uint32_t at = 0;

	(void)state;
	plan.nr_segs = 0;
	memset(out, 0xa5, sizeof(out));
	for (uint32_t i = 0; i < PLAN_SEGS; i++) {
		uint32_t len = i * 37 % 500;

		plan_add(&plan, out + at, src_bytes + i * 300, len);
		at += len + 1;
	}
	execute(&plan);
	assert_int_equal(plan.nr_segs, 0);
	at = 0;
	for (uint32_t i = 0; i < PLAN_SEGS; i++) {
		uint32_t len = i * 37 % 500;

		assert_memory_equal(out + at, src_bytes + i * 300, len);
		assert_int_equal(out[at + len], 0xa5);
		at += len + 1;
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_small_length, setup),
		cmocka_unit_test_setup(large_lengths, setup),
		cmocka_unit_test_setup(reads_and_writes_not_a_byte_beyond, setup),
		cmocka_unit_test_setup(order_is_kept, setup),
		cmocka_unit_test_setup(a_full_plan_flushes_itself, setup),
		cmocka_unit_test_setup(a_plan_of_many, setup),
		cmocka_unit_test_setup(empty_plan, setup),
		cmocka_unit_test_setup(guest_side_by_name, setup),
	};

	for (unsigned int i = 0; i < ARRAY_LEN(builds); i++)
		if (argc == 2 && strcmp(argv[1], builds[i].name) == 0)
			build = &builds[i];
	if (build == NULL) {
		fprintf(stderr, "usage: %s base|avx2|avx512 (of those that are built)\n",
			argv[0]);
		return 2;
	}
	if (!has(build)) {
		printf("1..1\nok 1 - plan # SKIP this machine has no %s\n", build->name);
		return 0;
	}
	return cmocka_run_group_tests_name(build->name, tests, NULL, NULL);
}
