/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SET_MEM_TABLE: a new table replaces the old one whole or not at all, also under running queues.
 * What a single region may say is in tests/unit/region.c.
 */
#include "meaning.h"

/* A table of `n` regions of one page each, a page apart; the caller bends it. */
struct table {
	struct vhu_mem_table wire;
	int fds[VHU_REGIONS_MAX];
};

static void table_fill(struct table *t, unsigned int n)
{
	memset(t, 0, sizeof(*t));
	t->wire.nr_regions = n;
	for (unsigned int i = 0; i < n; i++) {
		t->wire.regions[i] = (struct vhu_region){
			.gpa = i * 0x2000, .size_bytes = 0x1000, .uva = 0x10000 + i * 0x2000
		};
		t->fds[i] = kit_memfd(0x1000);
	}
}

static int table_send(const struct table *t)
{
	uint32_t n = t->wire.nr_regions;

	return session_send(&s, VHU_SET_MEM_TABLE, &t->wire, 8 + n * 32, t->fds, n);
}

static void table_close(struct table *t)
{
	for (unsigned int i = 0; i < t->wire.nr_regions; i++)
		close(t->fds[i]);
}

static void one_to_eight_regions(void **state)
{
	unsigned int fds = kit_open_fds();

	(void)state;
	for (unsigned int n = 1; n <= VHU_REGIONS_MAX; n++) {
		struct table t;

		table_fill(&t, n);
		assert_int_equal(table_send(&t), 0);
		table_close(&t);
		assert_int_equal(s.dev->mem->nr_regions, n);
		/* The old table's descriptors are closed, the new one's kept. */
		assert_int_equal(kit_open_fds(), fds + n);
	}
}

/* The count, the size and the descriptors have to agree. */
static void counts_that_disagree(void **state)
{
	static const uint32_t counts[] = { 0, 1, 3, VHU_REGIONS_MAX, VHU_REGIONS_MAX + 1, 100,
					   UINT32_MAX };
	struct table t;

	(void)state;
	table_fill(&t, 2);
	for (unsigned int i = 0; i < ARRAY_LEN(counts); i++) {
		t.wire.nr_regions = counts[i];
		assert_true(session_send(&s, VHU_SET_MEM_TABLE, &t.wire, 8 + 2 * 32, t.fds, 2) < 0);
		assert_null(s.dev->mem);
	}
	t.wire.nr_regions = 2;
	assert_true(session_send(&s, VHU_SET_MEM_TABLE, &t.wire, 8 + 2 * 32, t.fds, 1) < 0);
	assert_true(session_send(&s, VHU_SET_MEM_TABLE, &t.wire, 8 + 1 * 32, t.fds, 2) < 0);
	t.wire.nr_regions = 1;
	assert_true(session_send(&s, VHU_SET_MEM_TABLE, &t.wire, 8 + 1 * 32, t.fds, 2) < 0);
	t.wire.nr_regions = 2;
	assert_int_equal(table_send(&t), 0);
	table_close(&t);
}

/* Whichever region is bad, the table that was there stays, and its rings run on. */
static void a_bad_region_spoils_the_table(void **state)
{
	static const struct {
		const char *what;
		struct vhu_region region;
	} bad[] = {
		{ "empty", { .gpa = 0x9000, .uva = 0x90000 } },
		{ "wraps", { .gpa = UINT64_MAX - 5, .size_bytes = 0x1000, .uva = 0x90000 } },
		{ "beyond its file", { .gpa = 0x9000, .size_bytes = 0x1001, .uva = 0x90000 } },
		{ "over another", { .gpa = 0x1fff, .size_bytes = 0x1000, .uva = 0x90000 } },
		{ "over another for the frontend",
		  { .gpa = 0x90000, .size_bytes = 0x1000, .uva = 0x10fff } },
	};
	const struct gmem *before;
	unsigned int fds;

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	before = s.dev->mem;
	fds = kit_open_fds();
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		for (unsigned int at = 0; at < 4; at++) {
			struct table t;

			/* The one that makes way moves to the end: all others stay in. */
			table_fill(&t, 4);
			t.wire.regions[3] = t.wire.regions[at];
			t.wire.regions[at] = bad[i].region;
			if (table_send(&t) == 0)
				fail_msg("%s, at %u", bad[i].what, at);
			table_close(&t);
			assert_ptr_equal(s.dev->mem, before);
			assert_int_equal(kit_open_fds(), fds);
		}
	}
	assert_string_equal(session_events(&s), "");
	assert_ptr_equal(session_vq(&s, 0)->ring.mem, before);
}

static void no_shared_memory(void **state)
{
	struct table t;
	int event = eventfd(0, EFD_CLOEXEC);

	(void)state;
	table_fill(&t, 2);
	assert_true(session_send(&s, VHU_SET_MEM_TABLE, &t.wire, 8 + 2 * 32, NULL, 0) < 0);
	/* The line says what to change. */
	assert_non_null(strstr(kit_last_line, "share=on"));
	close(t.fds[1]);
	t.fds[1] = event;
	assert_true(table_send(&t) < 0);
	table_close(&t);
	assert_null(s.dev->mem);
}

/* Same addresses, another file: queues follow at once. */
static void another_file_at_the_same_addresses(void **state)
{
	struct guest_memory other = { 0 };
	const struct guest_region_spec specs[] = {
		{ .gpa = 0, .size_bytes = 1 << 20, .mmap_offset_bytes = 8192 },
		{ .gpa = 1 << 20, .size_bytes = 1 << 20 },
	};
	uint8_t *host;

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(guest_memory_create(&other, specs, ARRAY_LEN(specs)), 0);
	assert_int_equal(session_mem_table(&s, &other), 0);
	assert_string_equal(session_events(&s), "");
	/* The ring we see now is in the new file. */
	*(uint16_t *)guest_ptr(&other, s.vqs[0].avail_gpa + 2, 2) = 77;
	assert_int_equal(shm_load16(GUEST_FIELD(session_vq(&s, 0)->ring.avail, struct vring_avail,
						idx)),
			 77);
	host = kit_host((uint8_t __guest *)(uintptr_t)session_vq(&s, 0)->ring.desc);
	host[0] = 5;
	assert_int_equal(*(uint8_t *)guest_ptr(&other, s.vqs[0].desc_gpa, 1), 5);
	guest_memory_destroy(&other);
}

/* Somebody may still work on the old table: it stays mapped as long. */
static void old_table_lives_as_long_as_it_is_held(void **state)
{
	struct gmem *old;
	unsigned int fds;

	(void)state;
	session_setup(&s, 2);
	fds = kit_open_fds();
	old = gmem_get(s.dev->mem);
	session_memory(&s);
	assert_ptr_not_equal(s.dev->mem, old);
	assert_int_equal(kit_open_fds(), fds + 2);
	kit_host(old->map->pieces[0].host)[0] = 1;
	gmem_put(old);
	assert_int_equal(kit_open_fds(), fds);
}

static void hotplug_keeps_queues_running(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(guest_memory_add(&s.mem, &(struct guest_region_spec){
							  .gpa = 8 << 20, .size_bytes = 1 << 20 }),
			 0);
	session_memory(&s);
	assert_string_equal(session_events(&s), "");
	assert_int_equal(s.dev->mem->nr_regions, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_to_eight_regions),
		TEST(counts_that_disagree),
		TEST(a_bad_region_spoils_the_table),
		TEST(no_shared_memory),
		TEST(another_file_at_the_same_addresses),
		TEST(old_table_lives_as_long_as_it_is_held),
		TEST(hotplug_keeps_queues_running),
	};

	return RUN(tests);
}
