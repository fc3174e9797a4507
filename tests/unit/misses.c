/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chains whose memory is not translated, or not for what they do with it, on both ring formats:
 * what is asked for, how often, and that the chain waits where it is.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "guest_packed.h"
#include "guest_split.h"
#include "kit.h"
#include "ring/ring.h"

#define PAGE IOTLB_PAGE_BYTES
#define MIB (UINT64_C(1) << 20)
#define FAR (UINT64_C(1) << 40) /* an I/O virtual address is this much more than the physical one */
#define RING_ENTRIES 16
#define BUFFER (MIB + 100)
#define TABLE (2 * MIB)
#define RW (IOTLB_READ | IOTLB_WRITE)

static struct guest_memory memory;
static struct gmem *mem;
static struct iotlb *tlb;
static struct ring_misses misses;
static struct guest_ring guest;
static struct ring ring;
static struct span_pool pool;
static struct chain chain;
static struct vring_addrs addrs;
static enum ring_kind kind;

static void map(uint64_t at, uint64_t size, uint8_t access)
{
	const struct iotlb_entry e = { .iova = iova(FAR + at),
				       .size_bytes = size,
				       .uva = uva(guest_uva(&memory, at)),
				       .access = access };

	assert_int_equal(iotlb_update(tlb, mem, &e), 0);
	iotlb_exchange(tlb);
	ring_misses_answered(&misses, e.iova, size);
	assert_int_equal(vring_attach(&ring, mem, tlb, &addrs), 0);
}

static void unmap(uint64_t at, uint64_t size)
{
	iotlb_invalidate(tlb, iova(FAR + at), size);
	iotlb_exchange(tlb);
	assert_int_equal(vring_attach(&ring, mem, tlb, &addrs), 0);
}

static void open_ring(enum ring_kind of)
{
	static const struct guest_region_spec spec = { .gpa = 0, .size_bytes = 4 * MIB };
	const struct guest_format *format = of == RING_PACKED ? &guest_packed : &guest_split;
	const uint16_t start = of == RING_PACKED ? VRING_PACKED_START : 0;

	kind = of;
	assert_int_equal(guest_memory_create(&memory, &spec, 1), 0);
	mem = kit_gmem(&memory);
	tlb = iotlb_new();
	assert_int_equal(guest_ring_init(&guest, format, &memory, RING_ENTRIES), 0);
	memset(&misses, 0, sizeof(misses));
	memset(&ring, 0, sizeof(ring));
	ring.kind = of;
	ring.size = RING_ENTRIES;
	ring.misses = &misses;
	misses.ahead = start;
	vring_set_base(&ring, start, start);
	addrs = (struct vring_addrs){ .desc = FAR + guest.desc_gpa,
				      .avail = FAR + guest.avail_gpa,
				      .used = FAR + guest.used_gpa };
	/* The ring itself. */
	map(0, MIB, RW);
}

static void close_ring(void)
{
	guest_ring_fini(&guest);
	iotlb_free(tlb);
	gmem_put(mem);
	guest_memory_destroy(&memory);
}

static void on_both(void (*test)(void))
{
	open_ring(RING_SPLIT);
	test();
	close_ring();
	open_ring(RING_PACKED);
	test();
	close_ring();
}

static uint16_t post_flags(enum chain_dir dir)
{
	return dir == CHAIN_WRITABLE ? GUEST_DESC_WRITE : 0;
}

/* Offers pieces at physical addresses `at`. */
static void post(enum chain_dir dir, const uint64_t *at, const uint32_t *len, uint16_t n)
{
	struct guest_seg segs[4];

	for (uint16_t i = 0; i < n; i++)
		segs[i] = (struct guest_seg){ .gpa = FAR + at[i], .len_bytes = len[i],
					      .flags = post_flags(dir) };
	assert_true(guest_ring_post(&guest, segs, n, NULL) >= 0);
}

static void post_one(enum chain_dir dir, uint64_t at, uint32_t len)
{
	post(dir, &at, &len, 1);
}

static enum fetch_result fetch(enum chain_dir dir)
{
	pool.used = 0;
	return ring_fetch(kind, &ring, dir, &pool, &chain);
}

/* The questions that wait are those, and no others. */
static void assert_asked(const uint64_t *at, unsigned int n, uint8_t access, bool refused)
{
	struct ring_miss list[RING_MISSES_MAX];
	unsigned int got = ring_misses_take(&misses, list);

	assert_int_equal(got, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(list[i].at.v, FAR + at[i]);
		assert_int_equal(list[i].access, access);
		assert_int_equal(list[i].refused, refused);
	}
}

static void nothing_asked(void)
{
	assert_asked(NULL, 0, 0, false);
	assert_false(misses.news);
}

/* Every page of every piece, once; the chain is there until it has all. */
static void all_of_a_chain(void)
{
	static const uint64_t pages[] = { BUFFER, MIB + PAGE, MIB + 2 * PAGE, 2 * MIB + 5,
					  3 * MIB };
	const uint64_t at[] = { BUFFER, 2 * MIB + 5, 3 * MIB };
	const uint32_t len[] = { 2 * PAGE, 10, 1 };
	const uint16_t before = ring.last_avail;

	post(CHAIN_READABLE, at, len, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_MISS);
		assert_int_equal(pool.used, 0);
		assert_int_equal(ring.last_avail, before);
		if (i == 0)
			assert_asked(pages, ARRAY_LEN(pages), IOTLB_READ, false);
		else
			nothing_asked();
	}
	for (unsigned int i = 0; i < ARRAY_LEN(pages); i++) {
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_MISS);
		map(align_down(pages[i], PAGE), PAGE, IOTLB_READ);
	}
	nothing_asked();
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.bytes, 2 * PAGE + 11);
	/* One piece, though three pages: they are neighbours in memory. */
	assert_int_equal(chain.nr_spans, 3);
	assert_ptr_equal(kit_host(chain.spans[0].ptr), kit_host(mem->regions[0]->host) + BUFFER);
}

static void chains_ask_for_what_they_need(void **state)
{
	(void)state;
	on_both(all_of_a_chain);
}

static void asked_again_after_an_answer(void)
{
	const uint64_t page = BUFFER;

	post_one(CHAIN_WRITABLE, page, 50);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_MISS);
		assert_asked(&page, 1, IOTLB_WRITE, false);
		assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_MISS);
		nothing_asked();
		map(MIB, PAGE, IOTLB_WRITE);
		unmap(MIB, PAGE);
	}
	map(MIB, PAGE, IOTLB_WRITE);
	assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_OK);
}

static void once_until_answered(void **state)
{
	(void)state;
	on_both(asked_again_after_an_answer);
}

/* Memory that is there but not for this: a bad chain, which goes back; said once. */
static void wrong_way(void)
{
	const uint64_t at = BUFFER;

	map(MIB, PAGE, IOTLB_READ);
	for (unsigned int i = 0; i < 3; i++) {
		post_one(CHAIN_WRITABLE, at, 50);
		assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_BAD);
		assert_int_equal(chain.fault, RING_FAULT_ADDRESS);
		if (i == 0)
			assert_asked(&at, 1, IOTLB_WRITE, true);
		else
			nothing_asked();
	}
	map(MIB, PAGE, IOTLB_WRITE);
	post_one(CHAIN_READABLE, at, 50);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_BAD);
	assert_asked(&at, 1, IOTLB_READ, true);
	/* A piece that begins well and ends there. */
	map(MIB + PAGE, PAGE, IOTLB_READ);
	post_one(CHAIN_WRITABLE, at, PAGE);
	assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_BAD);
	assert_asked(&(uint64_t){ MIB + PAGE }, 1, IOTLB_WRITE, true);
}

static void permission_is_honoured(void **state)
{
	(void)state;
	on_both(wrong_way);
}

static void post_request(uint64_t read_at, uint64_t write_at)
{
	const struct guest_seg segs[] = {
		{ .gpa = FAR + read_at, .len_bytes = 30 },
		{ .gpa = FAR + write_at, .len_bytes = 40, .flags = GUEST_DESC_WRITE },
	};

	assert_true(guest_ring_post(&guest, segs, ARRAY_LEN(segs), NULL) >= 0);
}

/* What is to be read may be read-only, what is to be written write-only, and not the reverse. */
static void both_parts_of_a_request(void)
{
	const uint64_t read_at = BUFFER, write_at = 2 * MIB + 5;
	struct ring_miss list[RING_MISSES_MAX];

	post_request(read_at, write_at);
	assert_int_equal(fetch(CHAIN_BOTH), FETCH_MISS);
	assert_int_equal(ring_misses_take(&misses, list), 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(list[i].at.v, FAR + (i == 0 ? read_at : write_at));
		assert_int_equal(list[i].access, i == 0 ? IOTLB_READ : IOTLB_WRITE);
		assert_false(list[i].refused);
	}
	map(MIB, PAGE, IOTLB_READ);
	assert_int_equal(fetch(CHAIN_BOTH), FETCH_MISS);
	nothing_asked();
	map(2 * MIB, PAGE, IOTLB_WRITE);
	assert_int_equal(fetch(CHAIN_BOTH), FETCH_OK);
	assert_int_equal(chain.nr_spans, 2);
	assert_int_equal(chain.nr_readable, 1);
	assert_ptr_equal(kit_host(chain.spans[1].ptr),
			 kit_host(mem->regions[0]->host) + write_at);
	post_request(read_at, BUFFER);
	assert_int_equal(fetch(CHAIN_BOTH), FETCH_BAD);
	assert_asked(&read_at, 1, IOTLB_WRITE, true);
	post_request(write_at, write_at);
	assert_int_equal(fetch(CHAIN_BOTH), FETCH_BAD);
	assert_asked(&write_at, 1, IOTLB_READ, true);
}

static void requests_need_both(void **state)
{
	(void)state;
	on_both(both_parts_of_a_request);
}

/* Tables are read, whatever the buffers are for. */
static void tables(void)
{
	enum chain_dir dir = CHAIN_WRITABLE;
	uint64_t table;

	guest.indirect = true;
	post_one(dir, BUFFER, 50);
	table = kind == RING_PACKED ? guest.packed[0].gpa : guest.desc[0].gpa;
	/* The ring knows of no I/O virtual addresses: where it put the table it has none. */
	assert_true(table < MIB);
	if (kind == RING_PACKED)
		guest.packed[0].gpa = FAR + TABLE;
	else
		guest.desc[0].gpa = FAR + TABLE;
	memcpy(guest_ptr(&memory, TABLE, 16), guest_ptr(&memory, table, 16), 16);
	assert_int_equal(fetch(dir), FETCH_MISS);
	assert_asked(&(uint64_t){ TABLE }, 1, IOTLB_READ, false);
	map(TABLE, PAGE, IOTLB_READ);
	assert_int_equal(fetch(dir), FETCH_MISS);
	assert_asked(&(uint64_t){ BUFFER }, 1, IOTLB_WRITE, false);
	map(MIB, PAGE, IOTLB_WRITE);
	assert_int_equal(fetch(dir), FETCH_OK);
	assert_int_equal(chain.bytes, 50);
}

/* One that may only be written is none, also for the quick look. */
static void unreadable_table(void)
{
	struct ring_cursor c;
	struct piece piece;

	guest.indirect = true;
	post_one(CHAIN_WRITABLE, BUFFER, 50);
	if (kind == RING_PACKED)
		guest.packed[0].gpa = FAR + TABLE;
	else
		guest.desc[0].gpa = FAR + TABLE;
	map(TABLE, PAGE, IOTLB_WRITE);
	map(MIB, PAGE, IOTLB_WRITE);
	c = ring_open(kind, &ring, CHAIN_WRITABLE);
	assert_int_equal(ring_next(kind, &ring, &c, CHAIN_WRITABLE, 0, &piece), NEXT_OTHER);
	assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_BAD);
	assert_asked(&(uint64_t){ TABLE }, 1, IOTLB_READ, true);
}

static void indirect_tables_are_read(void **state)
{
	(void)state;
	on_both(tables);
	on_both(unreadable_table);
}

/* All that waits is looked at, once, and nothing of it is taken. */
static void ahead(void)
{
	uint64_t pages[RING_ENTRIES];
	uint16_t before;

	/* Several times round. */
	for (unsigned int round = 0; round < 3 * RING_ENTRIES; round++) {
		unsigned int n = 1 + kit_random_below(RING_ENTRIES);
		struct used used;

		before = ring.last_avail;
		for (unsigned int i = 0; i < n; i++) {
			pages[i] = MIB + i * PAGE;
			post_one(CHAIN_READABLE, pages[i], 10);
			if (i == n / 2) {
				ring_look_ahead(&ring, CHAIN_READABLE);
				assert_asked(pages, n / 2 + 1, IOTLB_READ, false);
			}
		}
		ring_look_ahead(&ring, CHAIN_READABLE);
		assert_asked(pages + n / 2 + 1, n - n / 2 - 1, IOTLB_READ, false);
		ring_look_ahead(&ring, CHAIN_READABLE);
		nothing_asked();
		assert_int_equal(ring.last_avail, before);
		map(MIB, MIB, IOTLB_READ);
		for (unsigned int i = 0; i < n; i++) {
			struct guest_used got;

			assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
			used = chain.used;
			ring_used_push(kind, &ring, CHAIN_READABLE, &used, 1);
			ring_publish(kind, &ring);
			assert_int_equal(guest_ring_poll(&guest, &got, NULL), 1);
		}
		unmap(MIB, MIB);
		ring_misses_answered(&misses, iova(0), 0);
	}
}

static void what_waits_is_asked_for(void **state)
{
	(void)state;
	kit_seed(5);
	on_both(ahead);
}

/* More than can be noted: no chain is passed by, it waits for an answer. */
static void more_than_fits(void)
{
	struct ring_miss list[RING_MISSES_MAX];
	unsigned int asked = 0, n;

	/* 16 chains of 20 pages are 320. */
	for (unsigned int i = 0; i < RING_ENTRIES; i++)
		post_one(CHAIN_READABLE, MIB + i * 20 * PAGE, 20 * PAGE);
	do {
		ring_look_ahead(&ring, CHAIN_READABLE);
		n = ring_misses_take(&misses, list);
		asked += n;
		for (unsigned int i = 0; i < n; i++)
			map(list[i].at.v - FAR, PAGE, IOTLB_READ);
	} while (n != 0);
	assert_int_equal(asked, RING_ENTRIES * 20);
	for (unsigned int i = 0; i < RING_ENTRIES; i++)
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
}

static void none_is_passed_by(void **state)
{
	(void)state;
	on_both(more_than_fits);
}

/* Against the end of all addresses. */
static void the_last_page(void)
{
	struct guest_seg seg = { .gpa = UINT64_MAX - 10, .len_bytes = 4096 };

	assert_true(guest_ring_post(&guest, &seg, 1, NULL) >= 0);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_MISS);
	assert_asked(&(uint64_t){ UINT64_MAX - 10 - FAR }, 1, IOTLB_READ, false);
}

static void no_wrap(void **state)
{
	(void)state;
	on_both(the_last_page);
}

/* A ring that starts anew, elsewhere: what was looked at before says nothing of it. */
static void another_start(void)
{
	const uint64_t page = MIB;

	for (unsigned int i = 0; i < RING_ENTRIES - 4; i++)
		post_one(CHAIN_READABLE, MIB, 10);
	ring_look_ahead(&ring, CHAIN_READABLE);
	assert_asked(&page, 1, IOTLB_READ, false);
	ring_misses_answered(&misses, iova(0), 0);
	guest_ring_fini(&guest);
	assert_int_equal(guest_ring_init(&guest, kind == RING_PACKED ? &guest_packed : &guest_split,
					 &memory, RING_ENTRIES), 0);
	vring_set_base(&ring, kind == RING_PACKED ? VRING_PACKED_START : 0,
		       kind == RING_PACKED ? VRING_PACKED_START : 0);
	addrs = (struct vring_addrs){ .desc = FAR + guest.desc_gpa,
				      .avail = FAR + guest.avail_gpa,
				      .used = FAR + guest.used_gpa };
	assert_int_equal(vring_attach(&ring, mem, tlb, &addrs), 0);
	ring_look_ahead(&ring, CHAIN_READABLE);
	assert_int_equal(ring.fault, RING_FAULT_NONE);
	nothing_asked();
	post_one(CHAIN_READABLE, MIB, 10);
	ring_look_ahead(&ring, CHAIN_READABLE);
	assert_asked(&page, 1, IOTLB_READ, false);
}

static void a_start_looks_from_there(void **state)
{
	(void)state;
	on_both(another_start);
}

/* A size that changes alone: no slot is looked at that the ring does not have. */
static void smaller_ring(void)
{
	const uint64_t page = MIB;

	for (unsigned int i = 0; i < RING_ENTRIES - 4; i++)
		post_one(CHAIN_READABLE, MIB, 10);
	for (unsigned int i = 0; i < RING_ENTRIES / 2 - 1; i++)
		ring.last_avail++;
	ring_look_ahead(&ring, CHAIN_READABLE);
	assert_asked(&page, 1, IOTLB_READ, false);
	/* Behind its new end there is what looks like a chain. */
	post_one(CHAIN_READABLE, 2 * MIB, 10);
	ring.size = RING_ENTRIES / 2;
	assert_int_equal(vring_attach(&ring, mem, tlb, &addrs), 0);
	ring_look_ahead(&ring, CHAIN_READABLE);
	nothing_asked();
	assert_int_equal(ring.fault, RING_FAULT_NONE);
}

static void not_behind_the_end(void **state)
{
	(void)state;
	open_ring(RING_PACKED);
	smaller_ring();
	close_ring();
}

/* Nobody answers, and not all could be noted: after a while all of it is asked again. */
static void lost_questions(void)
{
	struct ring_miss list[RING_MISSES_MAX];

	for (unsigned int i = 0; i < RING_ENTRIES; i++)
		post_one(CHAIN_READABLE, MIB + i * 20 * PAGE, 20 * PAGE);
	ring_look_ahead(&ring, CHAIN_READABLE);
	assert_int_equal(ring_misses_take(&misses, list), RING_MISSES_MAX);
	ring_look_ahead(&ring, CHAIN_READABLE);
	assert_int_equal(ring_misses_take(&misses, list), 0);
	for (unsigned int i = 0; i < RING_MISSES_MAX; i++)
		misses.list[i].since_ms -= RING_MISS_AGAIN_MS;
	ring_look_ahead(&ring, CHAIN_READABLE);
	assert_int_equal(ring_misses_take(&misses, list), RING_MISSES_MAX);
}

static void unanswered_is_asked_again(void **state)
{
	(void)state;
	on_both(lost_questions);
}

/*
 * One page is missing of much that is there: as many steps as there are pieces, not as there are
 * pages (2^52 here, which no test outlives).
 */
static void long_ranges_take_no_time(void **state)
{
	struct gmap *map = gmap_new(1);
	struct ring_miss list[RING_MISSES_MAX];

	(void)state;
	memset(&misses, 0, sizeof(misses));
	gmap_append(map, &(struct gmap_piece){ .addr = PAGE, .size_bytes = UINT64_MAX - PAGE - 10 });
	ring_miss_range(&misses, map, iova(5), UINT64_MAX - 5, IOTLB_READ,
			RING_MISS_STEPS_MAX);
	assert_int_equal(ring_misses_take(&misses, list), 2);
	assert_int_equal(list[0].at.v, 5);
	assert_int_equal(list[1].at.v, UINT64_MAX - 10);
	free(map);
}

/* A chain that names the same pages again and again is not looked at for long: it is in a burst. */
static void the_same_again(void)
{
	const uint64_t half = RING_MISSES_MAX / 2 * PAGE;
	const uint64_t at[] = { MIB, MIB, 2 * MIB };
	const uint32_t len[] = { (uint32_t)half, (uint32_t)half, 10 };
	struct ring_miss list[RING_MISSES_MAX];

	post(CHAIN_READABLE, at, len, 3);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_MISS);
	assert_int_equal(ring_misses_take(&misses, list), RING_MISSES_MAX / 2);
	/* What is behind is for later, and comes. */
	map(MIB, half, IOTLB_READ);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_MISS);
	assert_asked(&at[2], 1, IOTLB_READ, false);
}

static void chains_take_little_time(void **state)
{
	(void)state;
	on_both(the_same_again);
}

static bool stop_watching, moved;

/* As rte_vhost_get_vring_base(), from outside the gate. */
static void *watch(void *arg)
{
	const uint16_t at = *(const uint16_t *)arg;

	while (!__atomic_load_n(&stop_watching, __ATOMIC_ACQUIRE))
		moved |= __atomic_load_n(&ring.last_avail, __ATOMIC_RELAXED) != at;
	return NULL;
}

/* Whoever asks where a ring stands, at any time, is told so: to look is not to take. */
static void to_look_is_not_to_take(void **state)
{
	uint16_t at = 0;
	pthread_t watcher;

	(void)state;
	open_ring(RING_SPLIT);
	for (unsigned int i = 0; i < RING_ENTRIES; i++)
		post_one(CHAIN_READABLE, MIB, 10);
	assert_int_equal(pthread_create(&watcher, NULL, watch, &at), 0);
	for (unsigned int i = 0; i < 100000; i++) {
		misses.ahead = ring.last_avail;
		ring_look_ahead(&ring, CHAIN_READABLE);
	}
	__atomic_store_n(&stop_watching, true, __ATOMIC_RELEASE);
	pthread_join(watcher, NULL);
	assert_false(moved);
	close_ring();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_ask_for_what_they_need),
		cmocka_unit_test(once_until_answered),
		cmocka_unit_test(permission_is_honoured),
		cmocka_unit_test(requests_need_both),
		cmocka_unit_test(indirect_tables_are_read),
		cmocka_unit_test(what_waits_is_asked_for),
		cmocka_unit_test(none_is_passed_by),
		cmocka_unit_test(no_wrap),
		cmocka_unit_test(a_start_looks_from_there),
		cmocka_unit_test(not_behind_the_end),
		cmocka_unit_test(unanswered_is_asked_again),
		cmocka_unit_test(long_ranges_take_no_time),
		cmocka_unit_test(chains_take_little_time),
		cmocka_unit_test(to_look_is_not_to_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
