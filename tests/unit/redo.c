/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A backend that gives chains back in order is killed: after every instruction of its bursts, and
 * once more after every instruction of the recovery from there. The guest (the test) gets each of
 * its chains back exactly once. And whatever stands in the area, nothing outside of it is touched.
 */
#include <sys/mman.h>

#include "crash.h"
#include "guest_packed.h"
#include "guest_split.h"
#include "ring_fixture.h"

#define SIZE RING_ENTRIES
#ifdef __SANITIZE_ADDRESS__
#define ROUNDS 5000
#else
#define ROUNDS 20000
#endif

static struct guest_ring guest;
static uint8_t *area; /* shared with those that get killed */
static enum chain_dir dir;
static bool in_order;
static uint8_t done[4096];
static uintptr_t nr_posted;

static void attach(void)
{
	struct vring_addrs addrs = { .desc = guest_uva(&memory, guest.desc_gpa),
				     .avail = guest_uva(&memory, guest.avail_gpa),
				     .used = guest_uva(&memory, guest.used_gpa) };

	memset(&ring, 0, sizeof(ring));
	ring.kind = kind;
	ring.size = SIZE;
	ring.in_order = in_order;
	/* As a frontend says that knows nothing of what happened. */
	vring_set_base(&ring, kind == RING_PACKED ? 0x8000 : 0, kind == RING_PACKED ? 0x8000 : 0);
	assert_int_equal(vring_attach(&ring, mem, NULL, &addrs), 0);
}

static uint8_t __guest *area_start(void)
{
	return (uint8_t __guest *)(uintptr_t)area;
}

static void make(enum ring_kind k)
{
	kind = k;
	make_memory();
	assert_int_equal(guest_ring_init(&guest, k == RING_PACKED ? &guest_packed : &guest_split,
					 &memory, SIZE),
			 0);
	area = mmap(NULL, inflight_bytes(k, SIZE), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(area != MAP_FAILED);
}

static int split_setup(void **state)
{
	(void)state;
	make(RING_SPLIT);
	return 0;
}

static int packed_setup(void **state)
{
	(void)state;
	make(RING_PACKED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	munmap(area, inflight_bytes(kind, SIZE));
	guest_ring_fini(&guest);
	drop_memory();
	return 0;
}

static bool post(unsigned int nr_segs)
{
	const uint16_t write = dir == CHAIN_WRITABLE ? GUEST_DESC_WRITE : 0;
	const struct guest_seg segs[] = { { 4 * MIB, 16, write },
					  { 4 * MIB + 64, 100, write },
					  { 4 * MIB + 256, 7, write } };

	if (guest_ring_post(&guest, segs, (uint16_t)nr_segs, (void *)(nr_posted + 1)) < 0)
		return false;
	nr_posted++;
	return true;
}

static void reap(void)
{
	struct guest_used used;
	void *cookie;

	while (guest_ring_poll(&guest, &used, &cookie)) {
		/* One that it did not give, or that it got back already. */
		assert_non_null(cookie);
		assert_int_equal(done[(uintptr_t)cookie]++, 0);
	}
}

/* Bursts of up to 5 chains, while any wait. */
static void serve(void)
{
	struct used used[5];
	unsigned int n;

	do {
		pool.used = 0;
		for (n = 0; n < ARRAY_LEN(used); n++) {
			if (ring_fetch(kind, &ring, dir, &pool, &chain) != FETCH_OK)
				break;
			used[n] = used_written(chain.used, dir == CHAIN_WRITABLE ? chain.bytes : 0);
		}
		if (n == 0)
			break;
		ring_used_push(kind, &ring, dir, used, n);
		ring_publish(kind, &ring);
	} while (n == ARRAY_LEN(used));
}

/* A backend's whole life, but for the end of it. */
static void backend(void *arg)
{
	(void)arg;
	attach();
	if (redo_start(&ring, dir, area_start(), SIZE) == 0)
		serve();
}

/* Between batches the area is one of a backend that has nothing in flight, as anybody reads it. */
static void area_is_quiet(void)
{
	const struct rte_vhost_inflight_info_packed *info = (const void *)area;

	if (kind != RING_PACKED)
		return;
	assert_int_equal(info->used_idx | info->used_wrap_counter << 15, ring.used_idx);
	assert_int_equal(info->old_used_idx | info->old_used_wrap_counter << 15, ring.used_idx);
	assert_int_equal(info->free_head, info->old_free_head);
	for (unsigned int i = 0; i < sizeof(info->padding); i++)
		assert_int_equal(info->padding[i], 0);
	for (unsigned int i = 0; i < SIZE; i++)
		assert_int_equal(info->desc[i].inflight, 0);
}

/* Brought up to where it served all there was, in this process. */
static void recovers(bool busy)
{
	if (busy) {
		reap();
		while (post(1 + nr_posted % 3))
			;
	}
	attach();
	assert_int_equal(redo_start(&ring, dir, area_start(), SIZE), 0);
	serve();
	reap();
	/* And it goes on as if nothing had been. */
	for (unsigned int i = 0; i < 2 * SIZE; i++) {
		if (!post(1 + i % 3))
			assert_true(i != 0);
		serve();
		area_is_quiet();
		reap();
	}
	for (uintptr_t i = 1; i <= nr_posted; i++)
		if (done[i] != 1)
			fail_msg("chain %u of %u came back %u times", (unsigned)i,
				 (unsigned)nr_posted, done[i]);
}

struct at {
	struct crash_guest guest;
	uint8_t done[sizeof(done)];
	uintptr_t nr_posted;
};

static void save(struct at *at)
{
	crash_guest_save(&at->guest, &guest);
	memcpy(at->done, done, sizeof(done));
	at->nr_posted = nr_posted;
}

static void restore(const struct at *at)
{
	crash_guest_restore(&at->guest, &guest);
	memcpy(done, at->done, sizeof(done));
	nr_posted = at->nr_posted;
}

/* All that both sides write. */
static unsigned int watched(struct crash_memory *m)
{
	uint64_t bytes[3];

	guest.format->area_bytes(SIZE, bytes);
	m[0] = (struct crash_memory){ guest_ptr(&memory, guest.desc_gpa, bytes[0]), bytes[0], true };
	m[1] = (struct crash_memory){ guest_ptr(&memory, guest.avail_gpa, bytes[1]), bytes[1], true };
	m[2] = (struct crash_memory){ guest_ptr(&memory, guest.used_gpa, bytes[2]), bytes[2], true };
	m[3] = (struct crash_memory){ area, inflight_bytes(kind, SIZE), true };
	return 4;
}

/* Killed `depth` times, at any instruction each time. */
static unsigned long killed(const struct crash_memory *m, unsigned int nr_m, unsigned int depth)
{
	struct crash_states states;
	unsigned long recoveries = 0;
	struct at at;

	save(&at);
	assert_int_equal(crash_record(&states, m, nr_m, backend, NULL), 0);
	for (unsigned int i = 0; i < states.nr_states; i++) {
		for (unsigned int busy = 0; busy < 2; busy++, recoveries++) {
			crash_restore(&states, i);
			restore(&at);
			recovers(busy);
		}
		/* States next to each other differ in one store: half of them will do. */
		if (depth <= 1 || i % 2 == 0)
			continue;
		crash_restore(&states, i);
		restore(&at);
		recoveries += killed(m, nr_m, depth - 1);
	}
	crash_restore(&states, 0);
	restore(&at);
	crash_forget(&states);
	crash_guest_forget(&at.guest);
	return recoveries;
}

static void killed_after_any_instruction(void **state)
{
	/* Where the batches cross the end of the ring, in laps of either wrap counter, and not. */
	static const uint16_t bases[] = { 0, SIZE - 4, 2 * SIZE - 3 };
	struct crash_memory m[CRASH_MEMORIES];
	unsigned long recoveries = 0;
	unsigned int nr_m = watched(m);

	(void)state;
	for (unsigned int i = 0; i < 2 * ARRAY_LEN(bases); i++) {
		dir = i % 2 == 0 ? CHAIN_READABLE : CHAIN_WRITABLE;
		in_order = guest.in_order = i / 2 == 1;
		guest_ring_reset(&guest, bases[i / 2]);
		memset(area, 0, inflight_bytes(kind, SIZE));
		memset(done, 0, sizeof(done));
		nr_posted = 0;
		attach();
		/* The first backend of all is told where it begins. */
		vring_set_base(&ring, (uint16_t)guest_ring_base(&guest),
			       (uint16_t)guest_ring_base(&guest));
		assert_int_equal(redo_start(&ring, dir, area_start(), SIZE), 0);
		for (unsigned int n = 0; n < 6; n++)
			assert_true(post(1 + n % 2));
		recoveries += killed(m, nr_m, 2);
	}
	/* A split ring changes in few places: nothing is recorded. */
	assert_true(recoveries > (kind == RING_PACKED ? 600 : 150));
	print_message("# %lu recoveries\n", recoveries);
}

/* What another kind of backend has in flight goes back, unused, as if it had been served. */
static void left_by_another(void **state)
{
	struct rte_vhost_resubmit_info list;
	struct inflight inf;
	uint16_t entry = 0;

	(void)state;
	dir = CHAIN_READABLE;
	in_order = guest.in_order = false;
	memset(done, 0, sizeof(done));
	nr_posted = 0;
	attach();
	assert_int_equal(inflight_start(&inf, &ring, area_start(), SIZE, &list), 0);
	for (unsigned int n = 0; n < 5; n++)
		assert_true(post(2));
	for (uint16_t i = 0; i < 3; i++) {
		int ret = kind == RING_PACKED ?
				  inflight_packed_fetched(&inf, &ring, (uint16_t)(2 * i),
							  (uint16_t)(2 * i + 1), &entry) :
				  inflight_split_fetched(&inf, (uint16_t)(2 * i));

		assert_int_equal(ret, 0);
	}
	recovers(false);
	/* Nothing is left in it for the next one. */
	attach();
	assert_int_equal(inflight_start(&inf, &ring, area_start(), SIZE, &list), 0);
	assert_int_equal(list.resubmit_num, 0);
}

/* In memory of its own, so that a sanitizer sees what is beyond. */
static void garbage(void **state)
{
	const uint64_t bytes = inflight_bytes(kind, SIZE);
	unsigned int accepted = 0;

	(void)state;
	dir = CHAIN_WRITABLE;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint8_t *heap = malloc(bytes);
		struct rte_vhost_inflight_info_packed *header = (void *)heap;
		uint32_t below = round % 3 == 0 ? 65536 : SIZE + 2;

		for (uint64_t i = 0; i < bytes / 2; i++) {
			uint16_t word = (uint16_t)kit_random_below(below);

			memcpy(heap + 2 * i, &word, 2);
		}
		header->version = 1;
		header->desc_num = SIZE;
		if (kind == RING_PACKED && round % 2 == 0) {
			/* Near to a batch. */
			header->used_wrap_counter = header->old_used_wrap_counter = round / 2 % 2;
			for (unsigned int i = 0; i < SIZE; i++) {
				uint64_t word = kit_random_below(4) << 16 | i;

				header->desc[i].counter = word;
				header->desc[i].inflight = 0;
				header->desc[i].next = (uint16_t)(i + 1);
			}
			header->free_head = header->old_free_head = 0;
		}
		attach();
		accepted += redo_start(&ring, dir, (uint8_t __guest *)(uintptr_t)heap, SIZE) == 0;
		assert_true(vring_base_fits(&ring, ring.last_avail, ring.used_idx));
		if (ring.redo != NULL)
			serve();
		free(heap);
	}
	assert_true(accepted > 0);
}

/* More chains at once than there are entries: a guest that changes its ring under us. */
static void more_than_the_area_has(void **state)
{
	const uint64_t bytes = inflight_bytes(RING_PACKED, SIZE);
	struct used used[SIZE + 5];
	uint8_t *heap = calloc(1, bytes);

	(void)state;
	dir = CHAIN_READABLE;
	attach();
	assert_int_equal(redo_start(&ring, dir, (uint8_t __guest *)(uintptr_t)heap, SIZE), 0);
	for (unsigned int i = 0; i < ARRAY_LEN(used); i++)
		used[i] = used_make(1, 1);
	ring_used_push(RING_PACKED, &ring, dir, used, ARRAY_LEN(used));
	ring_publish(RING_PACKED, &ring);
	free(heap);
}

#define NAMED(label, f, setup) { label, f, setup, teardown, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAMED("killed_after_any_instruction_split", killed_after_any_instruction, split_setup),
		NAMED("killed_after_any_instruction_packed", killed_after_any_instruction,
		      packed_setup),
		NAMED("left_by_another_split", left_by_another, split_setup),
		NAMED("left_by_another_packed", left_by_another, packed_setup),
		NAMED("garbage_split", garbage, split_setup),
		NAMED("garbage_packed", garbage, packed_setup),
		NAMED("more_than_the_area_has", more_than_the_area_has, packed_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
