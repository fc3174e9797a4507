/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory/gmem.c: building snapshots, and the lookup that every guest address goes through, against
 * a model that looks at one byte at a time.
 */
#include <errno.h>
#include <unistd.h>

#include "kit.h"

#define PAGE 4096u
/* The model looks at every region for every byte. */
#define MODEL_REGIONS 20

static int setup(void **state)
{
	(void)state;
	kit_capture_log();
	kit_seed(1);
	return 0;
}

static struct region *region_at(uint64_t gpa_, uint64_t uva_, uint64_t size)
{
	struct region_desc d = { .gpa = gpa(gpa_), .uva = uva(uva_), .size_bytes = size };
	struct region *r = NULL;

	assert_int_equal(region_map(&d, kit_memfd(size), 0, NULL, &r), 0);
	return r;
}

/* --- building ---------------------------------------------------------- */

static void sorts_by_guest_address(void **state)
{
	static const uint64_t order[] = { 3, 0, 2, 1 };
	struct region *regions[4];
	struct gmem *m;

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		regions[i] = region_at(order[i] * PAGE, (3 - order[i]) * PAGE, PAGE);
	m = gmem_build(regions, 4);
	assert_non_null(m);
	assert_int_equal(m->nr_regions, 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(m->map->pieces[i].addr, i * PAGE);
		assert_int_equal(m->regions[i]->gpa.v, i * PAGE);
		assert_ptr_equal(kit_host(m->map->pieces[i].host), kit_host(m->regions[i]->host));
	}
	gmem_put(m);
}

static void overlaps(void **state)
{
	static const struct {
		uint64_t gpa_a, uva_a, size_a, gpa_b, uva_b, size_b;
		bool fine;
	} rows[] = {
		{ 0, 0, 2 * PAGE, 2 * PAGE, 2 * PAGE, PAGE, true }, /* adjacent */
		{ 2 * PAGE, 2 * PAGE, PAGE, 0, 0, 2 * PAGE, true },
		{ 0, 0, 2 * PAGE, 2 * PAGE - 1, 4 * PAGE, PAGE, false }, /* guest, last byte */
		{ 2 * PAGE - 1, 4 * PAGE, PAGE, 0, 0, 2 * PAGE, false },
		{ 0, 0, 2 * PAGE, 8 * PAGE, 2 * PAGE - 1, PAGE, false }, /* frontend, last byte */
		{ 0, 0, 4 * PAGE, PAGE, 8 * PAGE, PAGE, false },         /* inside */
		{ PAGE, 8 * PAGE, PAGE, 0, 0, 4 * PAGE, false },
		{ 0, 0, PAGE, 0, 0, PAGE, false }, /* the same twice */
		{ 0, PAGE, PAGE, PAGE, 0, PAGE, true }, /* crossed order */
		{ UINT64_MAX - PAGE, 0, PAGE, 0, PAGE, PAGE, true }, /* at the very top */
	};
	unsigned int fds = kit_open_fds();

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		struct region *regions[2] = {
			region_at(rows[i].gpa_a, rows[i].uva_a, rows[i].size_a),
			region_at(rows[i].gpa_b, rows[i].uva_b, rows[i].size_b),
		};
		struct gmem *m = gmem_build(regions, 2);

		if ((m != NULL) != rows[i].fine)
			print_error("row %u\n", i);
		assert_int_equal(m != NULL, rows[i].fine);
		gmem_put(m);
		/* References were taken over either way. */
		assert_int_equal(kit_open_fds(), fds);
	}
}

static void as_many_as_fit_and_one_more(void **state)
{
	struct region *regions[GMEM_REGIONS_MAX + 1];
	unsigned int fds = kit_open_fds();

	(void)state;
	for (unsigned int count = GMEM_REGIONS_MAX; count <= GMEM_REGIONS_MAX + 1; count++) {
		struct gmem *m;

		for (unsigned int i = 0; i < count; i++)
			regions[i] = region_at(i * PAGE, i * PAGE, PAGE);
		m = gmem_build(regions, count);
		assert_int_equal(m != NULL, count <= GMEM_REGIONS_MAX);
		gmem_put(m);
		assert_int_equal(kit_open_fds(), fds);
	}
}

static void references(void **state)
{
	struct region *r = region_at(0, 0, PAGE);
	unsigned int fds = kit_open_fds();
	struct gmem *m = gmem_build(&r, 1);

	(void)state;
	assert_ptr_equal(gmem_get(m), m);
	gmem_put(m);
	kit_host(m->map->pieces[0].host)[0] = 1;
	assert_int_equal(kit_open_fds(), fds);
	gmem_put(m);
	assert_int_equal(kit_open_fds(), fds - 1);
	gmem_put(NULL);
}

/* One more and one less: the others are the same mappings, in both snapshots. */
static void with_and_without(void **state)
{
	unsigned int fds = kit_open_fds();
	struct region *middle = region_at(4 * PAGE, 0, PAGE), *top = region_at(8 * PAGE, PAGE, PAGE);
	struct region *low = region_at(0, 2 * PAGE, PAGE);
	struct gmem *one = gmem_with(NULL, middle), *two = gmem_with(one, top);
	struct gmem *three = gmem_with(two, low), *less;

	(void)state;
	assert_int_equal(one->nr_regions, 1);
	assert_int_equal(two->nr_regions, 2);
	assert_int_equal(three->nr_regions, 3);
	assert_ptr_equal(three->regions[0], low);
	assert_ptr_equal(three->regions[1], middle);
	assert_ptr_equal(three->regions[2], top);
	assert_int_equal(kit_open_fds(), fds + 3);
	/* In the way of one of them, for the guest or for the frontend. */
	assert_null(gmem_with(three, region_at(5 * PAGE - 1, 9 * PAGE, PAGE)));
	assert_null(gmem_with(three, region_at(9 * PAGE, PAGE + 1, PAGE)));
	assert_int_equal(kit_open_fds(), fds + 3);
	less = gmem_without(three, middle);
	assert_int_equal(less->nr_regions, 2);
	assert_ptr_equal(less->regions[0], low);
	assert_ptr_equal(less->regions[1], top);
	gmem_put(one);
	gmem_put(three);
	assert_int_equal(kit_open_fds(), fds + 3); /* `two` has the middle one */
	gmem_put(two);
	assert_int_equal(kit_open_fds(), fds + 2);
	one = gmem_without(less, top);
	gmem_put(less);
	less = gmem_without(one, low);
	gmem_put(one);
	assert_int_equal(kit_open_fds(), fds);
	/* None left: nothing is found. */
	assert_int_equal(less->nr_regions, 0);
	for (uint64_t at = 0; at < 10 * PAGE; at += PAGE) {
		struct memview view;
		struct span span;

		memview_set(&view, less->map);
		assert_int_equal(memview_resolve(&view, gpa(at), 1, &span, 1), -EFAULT);
		assert_false(gmap_piece_resolve(gmap_find(less->map, gpa(at)), gpa(at), 1, &span));
	}
	gmem_put(less);
}

/* Every number of regions there can be: each first and last byte is found where it is. */
static void every_number_of_regions(void **state)
{
	const unsigned int fds = kit_open_fds();
	struct gmem *m = NULL;

	(void)state;
	for (unsigned int i = 0; i < GMEM_REGIONS_MAX; i++) {
		/* Not in order, and with holes. */
		uint64_t at = (i * 256ull % GMEM_REGIONS_MAX) * 2 * PAGE;
		struct gmem *next = gmem_with(m, region_at(at, at, PAGE));

		assert_non_null(next);
		gmem_put(m);
		m = next;
		for (unsigned int j = 0; j < m->nr_regions; j++) {
			uint64_t start = m->regions[j]->gpa.v;
			struct span span;

			assert_true(j == 0 || start > m->regions[j - 1]->gpa.v);
			assert_ptr_equal(gmap_find(m->map, gpa(start)), &m->map->pieces[j]);
			assert_ptr_equal(gmap_find(m->map, gpa(start + PAGE - 1)), &m->map->pieces[j]);
			assert_true(gmap_piece_resolve(&m->map->pieces[j], gpa(start), PAGE, &span));
			assert_ptr_equal(kit_host(span.ptr), kit_host(m->regions[j]->host));
			assert_false(gmap_piece_resolve(gmap_find(m->map, gpa(start + PAGE)),
						      gpa(start + PAGE), 1, &span));
		}
		assert_false(gmap_piece_resolve(gmap_find(m->map, gpa(UINT64_MAX)), gpa(UINT64_MAX), 1,
					      &(struct span){ 0 }));
	}
	assert_null(gmem_with(m, region_at(1ull << 40, 1ull << 40, PAGE)));
	gmem_put(m);
	assert_int_equal(kit_open_fds(), fds);
}

/* --- looking up -------------------------------------------------------- */

/* Where one byte is, or NULL. */
static uint8_t *model_byte(const struct gmem *m, uint64_t addr)
{
	for (unsigned int i = 0; i < m->nr_regions; i++) {
		const struct region *r = m->regions[i];

		if (addr >= r->gpa.v && addr - r->gpa.v < r->size_bytes)
			return kit_host(r->host) + (addr - r->gpa.v);
	}
	return NULL;
}

static unsigned int model_region(const struct gmem *m, uint64_t addr)
{
	for (unsigned int i = 0; i < m->nr_regions; i++)
		if (addr >= m->regions[i]->gpa.v &&
		    addr - m->regions[i]->gpa.v < m->regions[i]->size_bytes)
			return i;
	return UINT32_MAX;
}

static int model_resolve(const struct gmem *m, uint64_t addr, uint32_t len, unsigned int max)
{
	unsigned int spans = 0, in = UINT32_MAX;

	for (uint32_t i = 0; i < len; i++) {
		unsigned int region = model_region(m, addr + i);

		if (region == UINT32_MAX)
			return -EFAULT;
		if (region != in && spans++ == max)
			return -E2BIG;
		in = region;
	}
	return (int)spans;
}

static void check_resolve(const struct gmem *m, struct memview *view, uint64_t addr, uint32_t len,
			  unsigned int max)
{
	struct span spans[MODEL_REGIONS];
	struct span found;
	int expected = model_resolve(m, addr, len, max);
	uint64_t at = addr;
	int got;

	/* The inline lookup says yes exactly where that is one span, and the same one. */
	if (len != 0) {
		bool whole = gmap_piece_resolve(gmap_find(view->map, gpa(addr)), gpa(addr), len,
					      &found);

		assert_int_equal(whole, model_resolve(m, addr, len, 1) == 1);
		if (whole) {
			assert_ptr_equal(kit_host(found.ptr), model_byte(m, addr));
			assert_int_equal(found.len_bytes, len);
		}
	}
	got = memview_resolve(view, gpa(addr), len, spans, max);
	if (got != expected)
		print_error("0x%llx + %u, at most %u\n", (unsigned long long)addr, len, max);
	assert_int_equal(got, expected);
	if (got == -EFAULT) {
		assert_null(model_byte(m, view->absent.v));
		assert_in_range(view->absent.v - addr, 0, len - 1);
		assert_true(view->absent.v == addr || model_byte(m, view->absent.v - 1) != NULL);
	}
	for (int i = 0; i < got; i++) {
		assert_true(spans[i].len_bytes != 0);
		assert_ptr_equal(kit_host(spans[i].ptr), model_byte(m, at));
		at += spans[i].len_bytes;
		assert_ptr_equal(kit_host(spans[i].ptr) + spans[i].len_bytes - 1,
				 model_byte(m, at - 1));
	}
	if (got > 0)
		assert_int_equal(spans_bytes(spans, (unsigned int)got), len);
	/* The hint always names a region that is there. */
	if (view->last.size_bytes != 0)
		assert_ptr_equal(kit_host(view->last.host), model_byte(m, view->last.addr));
}

/* Random regions with and without gaps, random ranges that like the edges. */
static void resolve_matches_the_model(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < 60; round++) {
		unsigned int count = 1 + kit_random_below(MODEL_REGIONS);
		struct region *regions[MODEL_REGIONS];
		uint64_t starts[2 * MODEL_REGIONS], next = kit_random_below(3) * PAGE;
		struct memview view;
		struct gmem *m;

		if (round % 8 == 7) /* against the top of the address space */
			next = UINT64_MAX - 4 * MODEL_REGIONS * PAGE;
		for (unsigned int i = 0; i < count; i++) {
			uint64_t size = 1 + kit_random_below(2 * PAGE);

			next += kit_random_below(2) * kit_random_below(PAGE);
			starts[2 * i] = next;
			starts[2 * i + 1] = next + size;
			regions[i] = region_at(next, (i + 1) * 16 * PAGE, size);
			next += size;
		}
		m = gmem_build(regions, count);
		assert_non_null(m);
		memview_set(&view, m->map);
		for (unsigned int i = 0; i < 300; i++) {
			uint64_t edge = starts[kit_random_below(2 * count)];
			uint64_t addr = edge - 8 + kit_random_below(16);
			uint32_t len = kit_random_below(4) == 0 ? kit_random_below(5 * PAGE) :
								  kit_random_below(24);

			check_resolve(m, &view, addr, len, kit_random_below(MODEL_REGIONS + 1));
		}
		gmem_put(m);
	}
}

static struct gmem *two_adjacent(void)
{
	struct region *regions[] = { region_at(0, 0x100000, PAGE),
				     region_at(PAGE, 0x900000, PAGE) };

	return gmem_build(regions, 2);
}

static void range_across_regions(void **state)
{
	struct gmem *m = two_adjacent();
	struct memview view;
	struct span s[2];

	(void)state;
	memview_set(&view, m->map);
	assert_int_equal(memview_resolve(&view, gpa(PAGE - 10), 30, s, 2), 2);
	assert_int_equal(s[0].len_bytes, 10);
	assert_int_equal(s[1].len_bytes, 20);
	assert_ptr_equal(kit_host(s[0].ptr), kit_host(m->map->pieces[0].host) + PAGE - 10);
	assert_ptr_equal(kit_host(s[1].ptr), kit_host(m->map->pieces[1].host));
	assert_int_equal(memview_resolve(&view, gpa(PAGE - 10), 30, s, 1), -E2BIG);
	assert_int_equal(memview_resolve(&view, gpa(PAGE - 10), PAGE + 11, s, 2), -EFAULT);
	/* Too many and outside: the room runs out first, or not; never more than `max` written. */
	assert_true(memview_resolve(&view, gpa(PAGE - 10), PAGE + 11, s, 1) < 0);
	gmem_put(m);
}

static void nothing_asked_nothing_given(void **state)
{
	struct gmem *m = two_adjacent();
	struct memview view;

	(void)state;
	memview_set(&view, m->map);
	assert_int_equal(memview_resolve(&view, gpa(5), 0, NULL, 0), 0);
	assert_int_equal(memview_resolve(&view, gpa(UINT64_MAX), 0, NULL, 0), 0);
	gmem_put(m);
}

static void no_memory_no_answers(void **state)
{
	struct memview view;
	struct span s;
	uint8_t __guest *p;

	(void)state;
	memview_set(&view, NULL);
	assert_int_equal(memview_resolve(&view, gpa(0), 1, &s, 1), -EFAULT);
	assert_false(gmap_piece_resolve(&view.last, gpa(0), 1, &s));
	assert_false(gmap_piece_resolve(&view.last, gpa(0), 0, &s));
	assert_false(gmem_resolve_uva(NULL, uva(0), 1, &p));
}

static void edges_of_the_last_hit(void **state)
{
	struct gmem *m = two_adjacent();
	struct memview view;
	struct span s;

	(void)state;
	memview_set(&view, m->map); /* the hint is the first region */
	assert_true(gmap_piece_resolve(&view.last, gpa(0), PAGE, &s));
	assert_false(gmap_piece_resolve(&view.last, gpa(0), PAGE + 1, &s));
	assert_true(gmap_piece_resolve(&view.last, gpa(PAGE - 1), 1, &s));
	assert_false(gmap_piece_resolve(&view.last, gpa(PAGE - 1), 2, &s));
	assert_false(gmap_piece_resolve(&view.last, gpa(PAGE), 1, &s));
	assert_false(gmap_piece_resolve(&view.last, gpa(UINT64_MAX), 1, &s));
	assert_false(gmap_piece_resolve(&view.last, gpa(UINT64_MAX), UINT32_MAX, &s));
	/* A hit elsewhere moves it. */
	assert_int_equal(memview_resolve(&view, gpa(PAGE), 1, &s, 1), 1);
	assert_true(gmap_piece_resolve(&view.last, gpa(PAGE), PAGE, &s));
	assert_false(gmap_piece_resolve(&view.last, gpa(0), 1, &s));
	gmem_put(m);
}

static void frontend_addresses(void **state)
{
	struct gmem *m = two_adjacent();
	uint8_t __guest *p;

	(void)state;
	assert_true(gmem_resolve_uva(m, uva(0x100000), PAGE, &p));
	assert_ptr_equal(kit_host(p), kit_host(m->map->pieces[0].host));
	assert_true(gmem_resolve_uva(m, uva(0x900000 + PAGE - 1), 1, &p));
	assert_ptr_equal(kit_host(p), kit_host(m->map->pieces[1].host) + PAGE - 1);
	assert_false(gmem_resolve_uva(m, uva(0x900000 + PAGE - 1), 2, &p));
	assert_false(gmem_resolve_uva(m, uva(0x100000 - 1), 1, &p));
	assert_false(gmem_resolve_uva(m, uva(0x100000), PAGE + 1, &p));
	assert_false(gmem_resolve_uva(m, uva(0x100000), UINT64_MAX, &p));
	assert_false(gmem_resolve_uva(m, uva(0x100000 + 1), UINT64_MAX, &p));
	assert_false(gmem_resolve_uva(m, uva(UINT64_MAX), 1, &p));
	gmem_put(m);
}

static void range_predicate(void **state)
{
	(void)state;
	assert_true(range_within(0, 1, 1));
	assert_false(range_within(0, 2, 1));
	assert_false(range_within(1, 0, 1));
	assert_false(range_within(0, 0, 0));
	assert_true(range_within(UINT64_MAX - 1, 1, UINT64_MAX));
	assert_false(range_within(UINT64_MAX - 1, 2, UINT64_MAX));
	assert_false(range_within(1, UINT64_MAX, UINT64_MAX));
	assert_false(range_within(UINT64_MAX, UINT64_MAX, UINT64_MAX));
}

static void reading_a_span_list(void **state)
{
	uint8_t a[3] = { 1, 2, 3 }, b[1] = { 4 }, c[4] = { 5, 6, 7, 8 }, out[16];
	struct span s[] = {
		{ (uint8_t __guest *)a, 3 },
		{ (uint8_t __guest *)b, 1 },
		{ (uint8_t __guest *)b, 0 },
		{ (uint8_t __guest *)c, 4 },
	};

	(void)state;
	for (size_t len = 0; len <= 10; len++) {
		memset(out, 0xee, sizeof(out));
		assert_int_equal(spans_read(s, 4, out, len), MIN2(len, (size_t)8));
		for (size_t i = 0; i < sizeof(out); i++)
			assert_int_equal(out[i], i < len && i < 8 ? i + 1 : 0xee);
	}
	assert_int_equal(spans_read(s, 0, out, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sorts_by_guest_address, setup),
		cmocka_unit_test_setup(overlaps, setup),
		cmocka_unit_test_setup(as_many_as_fit_and_one_more, setup),
		cmocka_unit_test_setup(references, setup),
		cmocka_unit_test_setup(with_and_without, setup),
		cmocka_unit_test_setup(every_number_of_regions, setup),
		cmocka_unit_test_setup(resolve_matches_the_model, setup),
		cmocka_unit_test_setup(range_across_regions, setup),
		cmocka_unit_test_setup(nothing_asked_nothing_given, setup),
		cmocka_unit_test_setup(no_memory_no_answers, setup),
		cmocka_unit_test_setup(edges_of_the_last_hit, setup),
		cmocka_unit_test_setup(frontend_addresses, setup),
		cmocka_unit_test_setup(range_predicate, setup),
		cmocka_unit_test_setup(reading_a_span_list, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
