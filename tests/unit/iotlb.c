/* SPDX-License-Identifier: BSD-3-Clause */
/* The IOTLB against a model that knows of every page by itself. */
#include <errno.h>

#include "kit.h"
#include "memory/iotlb.h"

#define PAGE IOTLB_PAGE_BYTES
#define REGION_PAGES 16
#define REGIONS 3
#define IOVA_PAGES 64
#define RW (IOTLB_READ | IOTLB_WRITE)

static struct guest_memory memory;
static struct gmem *mem;
static struct iotlb *tlb;

/* What is known of a page: where it is, and what may be done; entry tells which update said so. */
static struct {
	uint8_t *host;
	uint8_t access;
	unsigned int entry;
} model[IOVA_PAGES];
static unsigned int entries;

static int setup(void **state)
{
	struct guest_region_spec specs[REGIONS];

	(void)state;
	kit_capture_log();
	for (unsigned int i = 0; i < REGIONS; i++)
		specs[i] = (struct guest_region_spec){ .gpa = i * UINT64_C(1) << 30,
						       .size_bytes = REGION_PAGES * PAGE };
	assert_int_equal(guest_memory_create(&memory, specs, REGIONS), 0);
	mem = kit_gmem(&memory);
	tlb = iotlb_new();
	assert_non_null(tlb);
	memset(model, 0, sizeof(model));
	entries = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	iotlb_free(tlb);
	gmem_put(mem);
	guest_memory_destroy(&memory);
	return 0;
}

static uint8_t *host_of(unsigned int region, unsigned int page)
{
	return kit_host(mem->regions[region]->host) + page * PAGE;
}

/* A whole entry goes when one of its pages does. */
static void model_forget(unsigned int first, unsigned int pages)
{
	for (unsigned int i = first; i < first + pages; i++) {
		unsigned int entry = model[i].entry;

		for (unsigned int j = 0; entry != 0 && j < IOVA_PAGES; j++)
			if (model[j].entry == entry)
				memset(&model[j], 0, sizeof(model[j]));
	}
}

static void update(unsigned int at, unsigned int pages, unsigned int region, unsigned int page,
		   uint8_t access)
{
	const struct iotlb_entry e = {
		.iova = iova(at * PAGE),
		.size_bytes = pages * PAGE,
		.uva = uva(guest_uva(&memory, memory.regions[region].gpa + page * PAGE)),
		.access = access,
	};

	assert_int_equal(iotlb_update(tlb, mem, &e), 0);
	model_forget(at, pages);
	entries++;
	for (unsigned int i = 0; i < pages; i++) {
		model[at + i].host = host_of(region, page + i);
		model[at + i].access = access;
		model[at + i].entry = entries;
	}
}

static void check_tables(void)
{
	for (unsigned int kind = IOTLB_READ; kind <= IOTLB_WRITE; kind++) {
		struct memview view;

		memview_set(&view, iotlb_map(tlb, (uint8_t)kind));
		for (unsigned int i = 0; i < IOVA_PAGES; i++) {
			bool there = (model[i].access & kind) != 0;
			uint64_t at = i * PAGE + kit_random_below(PAGE);
			struct span span;

			assert_int_equal(memview_resolve(&view, gpa(at), 1, &span, 1),
					 there ? 1 : -EFAULT);
			assert_int_equal(gmap_has(view.map, gpa(at)), there);
			if (there)
				assert_ptr_equal(kit_host(span.ptr), model[i].host + at % PAGE);
		}
	}
}

/* Pages from `at` on that are one piece of one region, for this access. */
static unsigned int model_run(unsigned int at, uint8_t access)
{
	unsigned int n = 0;

	while (at + n < IOVA_PAGES && (model[at + n].access & access) == access &&
	       (n == 0 || model[at + n].host == model[at].host + n * PAGE))
		n++;
	return n;
}

static void check_resolve(void)
{
	static const uint8_t accesses[] = { IOTLB_READ, IOTLB_WRITE, RW };
	uint8_t access = accesses[kit_random_below(3)];
	unsigned int at = kit_random_below(IOVA_PAGES), pages = 1 + kit_random_below(6);
	unsigned int run = model_run(at, access);
	uint8_t __guest *found;
	int ret = iotlb_resolve(tlb, iova(at * PAGE), pages * PAGE, access, &found);

	assert_int_equal(ret == 0, run >= pages);
	if (ret == 0)
		assert_ptr_equal(kit_host(found), model[at].host);
	else if (model[at].access == 0)
		assert_int_equal(ret, -ENOENT);
	else if ((model[at].access & access) == 0)
		assert_int_equal(ret, -EACCES);
	else
		assert_true(ret == -ENOENT || ret == -EFAULT || ret == -EACCES);
}

static void random_updates_match_the_model(void **state)
{
	(void)state;
	kit_seed(11);
	for (unsigned int round = 0; round < 20000; round++) {
		unsigned int pages = 1 + kit_random_below(4);
		unsigned int at = kit_random_below(IOVA_PAGES - pages + 1);

		if (kit_random_below(4) != 0) {
			update(at, pages, kit_random_below(REGIONS),
			       kit_random_below(REGION_PAGES - pages + 1),
			       (uint8_t)(1 + kit_random_below(3)));
		} else {
			iotlb_invalidate(tlb, iova(at * PAGE), pages * PAGE);
			model_forget(at, pages);
		}
		iotlb_exchange(tlb);
		check_tables();
		check_resolve();
	}
}

/* What data threads look at changes with the exchange and not before. */
static void tables_change_at_once(void **state)
{
	const struct gmap *now;

	(void)state;
	update(3, 1, 0, 0, RW);
	now = iotlb_map(tlb, IOTLB_READ);
	assert_int_equal(now->nr_pieces, 0);
	iotlb_exchange(tlb);
	assert_ptr_not_equal(iotlb_map(tlb, IOTLB_READ), now);
	check_tables();
	iotlb_invalidate(tlb, iova(0), 0);
	check_tables();
	model_forget(0, IOVA_PAGES);
	iotlb_exchange(tlb);
	check_tables();
}

/* Neighbours that are neighbours in one region, too, are one piece; others are not. */
static void pieces_grow_together(void **state)
{
	(void)state;
	update(0, 1, 0, 4, RW);
	update(2, 1, 0, 6, RW);
	update(1, 1, 0, 5, RW);
	iotlb_exchange(tlb);
	assert_int_equal(iotlb_map(tlb, IOTLB_READ)->nr_pieces, 1);
	update(1, 1, 0, 5, IOTLB_READ);
	iotlb_exchange(tlb);
	assert_int_equal(iotlb_map(tlb, IOTLB_READ)->nr_pieces, 1);
	assert_int_equal(iotlb_map(tlb, IOTLB_WRITE)->nr_pieces, 2);
	update(1, 1, 0, 9, RW);
	iotlb_exchange(tlb);
	assert_int_equal(iotlb_map(tlb, IOTLB_READ)->nr_pieces, 3);
	check_tables();
}

/* Among 2048 others, of which one has to go for each that comes. */
static void full(void **state)
{
	struct iotlb_entry e = { .size_bytes = PAGE, .uva = uva(guest_uva(&memory, 0)),
				 .access = RW };

	(void)state;
	for (uint64_t i = 0; i < 3 * IOTLB_ENTRIES_MAX; i++) {
		uint8_t __guest *found;

		e.iova = iova((i * 7919 % (3 * IOTLB_ENTRIES_MAX)) * 2 * PAGE);
		assert_int_equal(iotlb_update(tlb, mem, &e), 0);
		iotlb_exchange(tlb);
		assert_int_equal(tlb->nr_entries, MIN2(i + 1, (uint64_t)IOTLB_ENTRIES_MAX));
		/* The newest is there, and they are in order. */
		assert_int_equal(iotlb_resolve(tlb, e.iova, PAGE, RW, &found), 0);
	}
	for (unsigned int i = 1; i < tlb->nr_entries; i++)
		assert_true(tlb->entries[i].iova.v - tlb->entries[i - 1].iova.v >= PAGE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(random_updates_match_the_model),
		TEST(tables_change_at_once),
		TEST(pieces_grow_together),
		TEST(full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
