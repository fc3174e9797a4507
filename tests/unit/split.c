/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring/split.h, split.c: taking chains off a split ring, a named case for each shape and each
 * fault. Random tables are in split_random.c.
 */
#include "split_fixture.h"

/* Writes an indirect table entry. */
static void entry(uint64_t table, unsigned int i, uint64_t at, uint32_t len, uint16_t flags,
		  uint16_t link)
{
	struct guest_desc d = { .gpa = at, .len_bytes = len, .flags = flags, .next = link };

	guest_write(&memory, table + i * sizeof(d), &d, sizeof(d));
}

/* --- avail ------------------------------------------------------------- */

static void avail_counts_and_caps(void **state)
{
	(void)state;
	assert_int_equal(waiting(32), 0);
	for (unsigned int n = 1; n <= RING_ENTRIES; n++) {
		guest_split_raw_avail_idx(&guest, (uint16_t)n);
		assert_int_equal(waiting(32), n);
		assert_int_equal(waiting(3), MIN2(n, 3u));
		assert_int_equal(waiting(0), 0);
	}
	assert_int_equal(ring.fault, RING_FAULT_NONE);
}

static void avail_wraps_at_65536(void **state)
{
	(void)state;
	vring_set_base(&ring, 65530, 65530);
	guest_split_raw_avail_idx(&guest, 4);
	assert_int_equal(waiting(32), 10);
	assert_int_equal(ring.fault, RING_FAULT_NONE);
}

static void avail_jump_breaks_the_ring(void **state)
{
	static const uint16_t jumps[] = { RING_ENTRIES + 1, 1000, 32768, 65535 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(jumps); i++) {
		ring.fault = RING_FAULT_NONE;
		guest_split_raw_avail_idx(&guest, jumps[i]);
		assert_int_equal(waiting(32), 0);
		assert_int_equal(ring.fault, RING_FAULT_AVAIL);
	}
	/* Backwards is a jump, too. */
	ring.fault = RING_FAULT_NONE;
	vring_set_base(&ring, 5, 5);
	guest_split_raw_avail_idx(&guest, 4);
	assert_int_equal(waiting(32), 0);
	assert_int_equal(ring.fault, RING_FAULT_AVAIL);
}

/* --- good chains ------------------------------------------------------- */

static void plain_descriptor(void **state)
{
	(void)state;
	desc(5, 0x8000, 100, 0, 0);
	offer(5);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(used_id(chain.used), 5);
	assert_int_equal(chain.nr_spans, 1);
	assert_int_equal(used_slots(chain.used), 1);
	assert_int_equal(chain.bytes, 100);
	assert_int_equal(chain.fault, RING_FAULT_NONE);
	assert_ptr_equal(kit_host(chain.spans->ptr),
			 kit_host(mem->map->pieces[0].host) + 0x8000);
	assert_int_equal(ring.last_avail, 1);
	assert_int_equal(pool.used, 1);
}

static void linked_descriptors(void **state)
{
	(void)state;
	desc(3, 0x8000, 12, GUEST_DESC_NEXT | GUEST_DESC_WRITE, 9);
	desc(9, 4 * MIB, 500, GUEST_DESC_NEXT | GUEST_DESC_WRITE, 0);
	desc(0, SEAM + 5, 7, GUEST_DESC_WRITE, 77 /* means nothing without NEXT */);
	offer(3);
	assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_OK);
	assert_int_equal(used_id(chain.used), 3);
	assert_int_equal(chain.nr_spans, 3);
	assert_int_equal(chain.bytes, 519);
	assert_int_equal(chain.spans[1].len_bytes, 500);
}

static void buffer_across_the_seam(void **state)
{
	(void)state;
	desc(0, SEAM - 100, 300, 0, 0);
	offer(0);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.nr_spans, 2);
	assert_int_equal(chain.bytes, 300);
	assert_int_equal(chain.spans[0].len_bytes, 100);
	assert_ptr_equal(kit_host(chain.spans[1].ptr), kit_host(mem->map->pieces[1].host));
}

static void indirect_table(void **state)
{
	(void)state;
	entry(0x9000, 0, 0xa000, 10, GUEST_DESC_NEXT, 2);
	entry(0x9000, 1, 0xc000, 30, 0, 0);
	entry(0x9000, 2, 0xb000, 20, GUEST_DESC_NEXT, 1);
	desc(7, 0x9000, 48, GUEST_DESC_INDIRECT, 0);
	offer(7);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(used_id(chain.used), 7);
	assert_int_equal(chain.nr_spans, 3);
	assert_int_equal(chain.spans[0].len_bytes, 10);
	assert_int_equal(chain.spans[1].len_bytes, 20);
	assert_int_equal(chain.spans[2].len_bytes, 30);
}

/* The WRITE flag of the descriptor that points to the table is ignored (virtio 1.2, 2.7.5.3.2). */
static void indirect_ignores_the_write_flag_of_the_pointer(void **state)
{
	(void)state;
	entry(0x9000, 0, 0xa000, 10, 0, 0);
	desc(0, 0x9000, 16, GUEST_DESC_INDIRECT | GUEST_DESC_WRITE, 0);
	offer(0);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.bytes, 10);
}

static void direct_then_indirect(void **state)
{
	(void)state;
	entry(0x9000, 0, 0xa000, 1000, 0, 0);
	desc(0, 0x8000, 12, GUEST_DESC_NEXT, 1);
	desc(1, 0x9000, 16, GUEST_DESC_INDIRECT, 0);
	offer(0);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.nr_spans, 2);
	assert_int_equal(chain.bytes, 1012);
}

/* Every way an entry of 16 bytes can straddle two regions. */
static void indirect_table_across_the_seam(void **state)
{
	(void)state;
	for (unsigned int before = 1; before < 64; before++) {
		uint64_t table = SEAM - before;

		for (unsigned int i = 0; i < 4; i++)
			entry(table, i, 0xa000 + i * 256, 10 + i, i < 3 ? GUEST_DESC_NEXT : 0,
			      (uint16_t)(i + 1));
		desc(0, table, 64, GUEST_DESC_INDIRECT, 0);
		offer(0);
		pool.used = 0;
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
		assert_int_equal(chain.nr_spans, 4);
		assert_int_equal(chain.bytes, 46);
		assert_ptr_equal(kit_host(chain.spans[3].ptr),
				 kit_host(mem->map->pieces[0].host) + 0xa000 + 3 * 256);
	}
}

static void zero_length_buffers_add_nothing(void **state)
{
	(void)state;
	desc(0, 0x8000, 0, GUEST_DESC_NEXT, 1);
	desc(1, GAP /* nowhere, but nothing is asked of it */, 0, GUEST_DESC_NEXT, 2);
	desc(2, 0x8000, 5, 0, 0);
	offer(0);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.bytes, 5);
	assert_int_equal(spans_bytes(chain.spans, chain.nr_spans), 5);
}

static void chain_as_long_as_the_ring(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < RING_ENTRIES; i++)
		desc(i, 0x8000, 1, i + 1 < RING_ENTRIES ? GUEST_DESC_NEXT : 0, (uint16_t)(i + 1));
	offer(0);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.bytes, RING_ENTRIES);
}

/* --- requests: to read, then to write ------------------------------------ */

#define READ_NEXT GUEST_DESC_NEXT
#define WRITE_NEXT (GUEST_DESC_NEXT | GUEST_DESC_WRITE)

static void fetch_good(uint16_t head)
{
	offer(head);
	pool.used = 0;
	assert_int_equal(fetch(CHAIN_BOTH), FETCH_OK);
	assert_int_equal(used_id(chain.used), head);
}

static void a_request(void **state)
{
	(void)state;
	desc(4, 0x8000, 72, READ_NEXT, 9);
	desc(9, 0x9000, 16, READ_NEXT, 2);
	desc(2, 4 * MIB, 100, WRITE_NEXT, 3);
	desc(3, SEAM + 5, 1, GUEST_DESC_WRITE, 0);
	fetch_good(4);
	assert_int_equal(chain.nr_spans, 4);
	assert_int_equal(chain.nr_readable, 2);
	assert_request(88, 101);
	assert_ptr_equal(kit_host(chain.spans[1].ptr),
			 kit_host(mem->map->pieces[0].host) + 0x9000);
	assert_ptr_equal(kit_host(chain.spans[2].ptr), kit_host(mem->map->pieces[2].host));
}

static void a_request_of_one_kind(void **state)
{
	(void)state;
	for (unsigned int n = 1; n <= RING_ENTRIES; n++) {
		for (unsigned int writable = 0; writable < 2; writable++) {
			for (uint16_t i = 0; i < n; i++)
				desc(i, 0x8000, 10,
				     (uint16_t)((i + 1u < n ? GUEST_DESC_NEXT : 0) |
						(writable != 0 ? GUEST_DESC_WRITE : 0)),
				     (uint16_t)(i + 1));
			fetch_good(0);
			assert_int_equal(chain.nr_spans, n);
			assert_request(writable != 0 ? 0 : 10 * n, writable != 0 ? 10 * n : 0);
		}
	}
}

/* The last buffer to read, and the first to write, in two regions each; in a table, too. */
static void a_request_across_the_seam(void **state)
{
	(void)state;
	desc(0, SEAM - 100, 300, READ_NEXT, 1);
	desc(1, SEAM - 7, 17, GUEST_DESC_WRITE, 0);
	fetch_good(0);
	assert_int_equal(chain.nr_spans, 4);
	assert_int_equal(chain.nr_readable, 2);
	assert_request(300, 17);
	assert_int_equal(chain.spans[2].len_bytes, 7);
	for (unsigned int before = 1; before < 32; before++) {
		entry(SEAM - before, 0, 0xa000, 10, READ_NEXT, 1);
		entry(SEAM - before, 1, 0xb000, 20, GUEST_DESC_WRITE, 0);
		desc(0, SEAM - before, 32, GUEST_DESC_INDIRECT, 0);
		fetch_good(0);
		assert_request(10, 20);
	}
}

/* The turn before the table, in it, or after it; its own WRITE flag means nothing. */
static void a_request_in_a_table(void **state)
{
	(void)state;
	for (uint16_t ignored = 0; ignored <= GUEST_DESC_WRITE; ignored += GUEST_DESC_WRITE) {
		entry(0x9000, 0, 0xa000, 10, READ_NEXT, 2);
		entry(0x9000, 1, 0xc000, 30, GUEST_DESC_WRITE, 0);
		entry(0x9000, 2, 0xb000, 20, WRITE_NEXT, 1);
		desc(7, 0x9000, 48, GUEST_DESC_INDIRECT | ignored, 0);
		fetch_good(7);
		assert_request(10, 50);
		desc(6, 0x8000, 5, READ_NEXT, 7);
		fetch_good(6);
		assert_request(15, 50);
		/* To write already: then all of the table is. */
		desc(6, 0x8000, 5, WRITE_NEXT, 7);
		entry(0x9000, 0, 0xa000, 10, WRITE_NEXT, 2);
		fetch_good(6);
		assert_request(0, 65);
		entry(0x9000, 0, 0xa000, 10, GUEST_DESC_WRITE, 0);
		fetch_good(6);
		assert_request(0, 15);
	}
}

/* In a small table, in order, with no empty buffer, and all of it where the last one was. */
static void requests_of_the_usual_form(void **state)
{
	(void)state;
	desc(1, 0x8000, 1, 0, 0);
	fetch_good(1);
	for (uint16_t n = 1; n <= SMALL_TABLE_ENTRIES + 1; n++) {
		for (uint16_t turn = 0; turn <= n; turn++) {
			for (uint16_t i = 0; i < n; i++)
				entry(0x9000, i, 0xa000u + i, 10,
				      (uint16_t)((i >= turn ? GUEST_DESC_WRITE : 0) |
						 (i + 1 < n ? GUEST_DESC_NEXT : 0)),
				      (uint16_t)(i + 1));
			desc(0, 0x9000, n * 16u, GUEST_DESC_INDIRECT, 0);
			fetch_good(0);
			assert_true(usual_request == (n <= SMALL_TABLE_ENTRIES));
			assert_request(10u * turn, 10u * (n - turn));
		}
	}
	entry(0x9000, 0, 0xa000, 10, READ_NEXT, 1);
	entry(0x9000, 1, 0xa000, 10, WRITE_NEXT, 2);
	entry(0x9000, 2, 0xa000, 10, GUEST_DESC_WRITE, 0x5a5a);
	desc(0, 0x9000, 48, GUEST_DESC_INDIRECT, 0);
	fetch_good(0);
	assert_true(usual_request);
	/* More in the table than is linked. */
	desc(0, 0x9000, 64, GUEST_DESC_INDIRECT, 0);
	fetch_good(0);
	assert_false(usual_request);
	desc(0, 0x9000, 48, GUEST_DESC_INDIRECT, 0);
	entry(0x9000, 1, 0xa000, 0, WRITE_NEXT, 2);
	fetch_good(0);
	assert_false(usual_request);
	entry(0x9000, 1, 4 * MIB, 10, WRITE_NEXT, 2);
	fetch_good(0);
	assert_false(usual_request);
	/* Plain ones, and one behind a plain one. */
	desc(2, 0x8000, 10, READ_NEXT, 0);
	fetch_good(2);
	assert_false(usual_request);
}

/* An empty buffer turns, and has a direction, though it has no bytes. */
static void empty_buffers_of_a_request(void **state)
{
	static const uint32_t lens[][4] = { { 0, 5, 6, 0 }, { 5, 0, 6, 7 }, { 5, 6, 0, 7 },
					    { 5, 0, 0, 7 }, { 0, 0, 0, 7 }, { 5, 0, 0, 0 },
					    { 0, 0, 0, 0 } };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(lens); i++) {
		desc(0, 0x8000, lens[i][0], READ_NEXT, 1);
		desc(1, 0x9000, lens[i][1], READ_NEXT, 2);
		desc(2, 0xa000, lens[i][2], WRITE_NEXT, 3);
		desc(3, 0xb000, lens[i][3], GUEST_DESC_WRITE, 0);
		fetch_good(0);
		assert_request(lens[i][0] + lens[i][1], lens[i][2] + lens[i][3]);
	}
}

/* --- the usual form: what a run of packets takes ------------------------ */

/* Head 0, fetched, was of the usual form (or not). */
static void expect_usual(enum chain_dir dir, bool usual)
{
	offer(0);
	pool.used = 0;
	assert_int_equal(fetch(dir), FETCH_OK);
	assert_int_equal(next, usual ? NEXT_PIECE : NEXT_OTHER);
}

static void forms_that_are_usual(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		enum chain_dir dir = i == 0 ? CHAIN_READABLE : CHAIN_WRITABLE;
		uint16_t w = i == 0 ? 0 : GUEST_DESC_WRITE;

		desc(0, 0x8000, 100, w, 0);
		expect_usual(dir, true);
		/* Shorter than the lead: whoever looks finds that out. */
		desc(0, 0x8000, LEAD_BYTES - 1, w, 0);
		expect_usual(dir, true);
		desc(0, 0x8000, 0, w, 0);
		expect_usual(dir, true);
		desc(0, 0x8000, LEAD_BYTES, w | GUEST_DESC_NEXT, 9);
		desc(9, 4 * MIB, 1000, w, 0);
		expect_usual(dir, true);
		desc(9, END - 1000, 1000, w, 0);
		expect_usual(dir, true);
		entry(0x9000, 0, 0xa000, 1000, w, 77);
		desc(0, 0x9000, 16, GUEST_DESC_INDIRECT, 0);
		expect_usual(dir, true);
		desc(0, 0x9000, 16, GUEST_DESC_INDIRECT | GUEST_DESC_WRITE, 0);
		expect_usual(dir, true);
		/* What is behind it in the table is not looked at. */
		desc(0, 0x9000, 32, GUEST_DESC_INDIRECT, 0);
		expect_usual(dir, true);
		entry(0x9000, 0, 0xa000, LEAD_BYTES, w | GUEST_DESC_NEXT, 1);
		entry(0x9000, 1, SEAM, 1000, w, 0);
		expect_usual(dir, true);
	}
}

static void forms_that_are_not(void **state)
{
	(void)state;
	/* Two pieces, but the first is not the lead. */
	desc(1, 0x8000, 1000, 0, 0);
	for (uint32_t len = 0; len < 30; len++) {
		desc(0, 0x8000, len, GUEST_DESC_NEXT, 1);
		expect_usual(CHAIN_READABLE, len == LEAD_BYTES);
	}
	/* Three. */
	desc(0, 0x8000, LEAD_BYTES, GUEST_DESC_NEXT, 1);
	desc(1, 0x8000, 1000, GUEST_DESC_NEXT, 2);
	desc(2, 0x8000, 1000, 0, 2);
	expect_usual(CHAIN_READABLE, false);
	/* A body, a lead, a table in two regions. */
	desc(1, SEAM - 10, 20, 0, 0);
	expect_usual(CHAIN_READABLE, false);
	desc(0, SEAM - 10, LEAD_BYTES, GUEST_DESC_NEXT, 1);
	expect_usual(CHAIN_READABLE, false);
	entry(SEAM - 8, 0, 0xa000, 1000, 0, 0);
	desc(0, SEAM - 8, 16, GUEST_DESC_INDIRECT, 0);
	expect_usual(CHAIN_READABLE, false);
	/* A table from which no whole words can be loaded. */
	for (unsigned int off = 0; off < 16; off++) {
		entry(0x9000 + off, 0, 0xa000, 1000, 0, 0);
		desc(0, 0x9000 + off, 16, GUEST_DESC_INDIRECT, 0);
		expect_usual(CHAIN_READABLE, off % 8 == 0);
	}
	/* A table after a plain one, and one of three. */
	entry(0x9000, 0, 0xa000, 1000, 0, 0);
	desc(0, 0x8000, LEAD_BYTES, GUEST_DESC_NEXT, 1);
	desc(1, 0x9000, 16, GUEST_DESC_INDIRECT, 0);
	expect_usual(CHAIN_READABLE, false);
	desc(0, 0x9000, 48, GUEST_DESC_INDIRECT, 0);
	expect_usual(CHAIN_READABLE, false);
}

/* A cursor takes a run of them; fetching one by one finds the same chains. */
static void a_run_of_usual_chains(void **state)
{
	struct ring one_by_one;
	struct ring_cursor c;

	(void)state;
	vring_set_base(&ring, 65530, 65530);
	guest.avail_idx = 65530;
	entry(0x9000, 0, 0xa000, LEAD_BYTES, GUEST_DESC_NEXT, 1);
	entry(0x9000, 1, SEAM, 1000, 0, 0);
	for (uint16_t i = 0; i < 12; i++) {
		if (i % 3 == 0)
			desc(i, 4 * MIB + i * 100u, 100u + i, 0, 0);
		else if (i % 3 == 1)
			desc(i, 0x9000, 32, GUEST_DESC_INDIRECT, 0);
		else
			desc(i, 0x8000u + i, LEAD_BYTES, GUEST_DESC_NEXT, 0);
		offer(i);
	}
	one_by_one = ring;
	c = ring_open(RING_SPLIT, &ring, CHAIN_READABLE);
	assert_int_equal(ring_peek(RING_SPLIT, &c, 32), 12);
	for (unsigned int i = 0; i < 12; i++) {
		struct piece piece = { 0 };

		assert_int_equal(ring_next(RING_SPLIT, &ring, &c, CHAIN_READABLE, LEAD_BYTES,
					   &piece), NEXT_PIECE);
		ring_take(RING_SPLIT, &c, piece.used);
		assert_int_equal(ring_fetch(RING_SPLIT, &one_by_one, CHAIN_READABLE, &pool, &chain),
				 FETCH_OK);
		assert_same_bytes(&piece, LEAD_BYTES, &chain);
	}
	assert_int_equal(ring_peek(RING_SPLIT, &c, 32), 0);
	ring_close(RING_SPLIT, &ring, CHAIN_READABLE, &c);
	assert_int_equal(ring.last_avail, 6);
	assert_int_equal(one_by_one.last_avail, 6);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_NONE);
	assert_int_equal(next, NEXT_NONE);
}

/* --- bad chains: given back, the ring goes on -------------------------- */

static void expect_bad(uint16_t head, enum chain_dir dir, enum ring_fault fault)
{
	unsigned int used = pool.used;
	uint16_t last = ring.last_avail;

	offer(head);
	assert_int_equal(fetch(dir), FETCH_BAD);
	assert_int_equal(chain.fault, fault);
	assert_int_equal(used_id(chain.used), head);
	/* Whoever looks for the parts of a request counts from there, if only to none. */
	assert_non_null(chain.spans);
	/* Of a request the last byte may be known. */
	assert_true(chain.nr_spans <= (dir == CHAIN_BOTH));
	assert_int_equal(chain.bytes, chain.nr_spans);
	assert_int_equal(pool.used, used + chain.nr_spans);
	pool.used = used;
	assert_int_equal(ring.last_avail, (uint16_t)(last + 1));
	assert_int_equal(ring.fault, RING_FAULT_NONE);
	/* The next one is served. */
	desc(15, 0x8000, 64, dir == CHAIN_WRITABLE ? GUEST_DESC_WRITE : 0, 0);
	offer(15);
	assert_int_equal(fetch(dir), FETCH_OK);
	assert_int_equal(used_id(chain.used), 15);
	assert_int_equal(chain.fault, RING_FAULT_NONE);
	pool.used = used;
}

static void bad_addresses(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t len;
	} rows[] = {
		{ GAP, 1 },           { END - 1, 2 },      { 4 * MIB - 1, 2 }, { 5 * MIB, 1 },
		{ UINT64_MAX, 1 },    { UINT64_MAX, 2 },   { 0, UINT32_MAX },
		{ END - 4, UINT32_MAX }, { UINT64_MAX - 1, 100 }, { 0, (uint32_t)END + 1 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		desc(0, rows[i].at, rows[i].len, 0, 0);
		expect_bad(0, CHAIN_READABLE, RING_FAULT_ADDRESS);
		/* And as a second piece. */
		desc(1, 0x8000, 12, GUEST_DESC_NEXT, 0);
		expect_bad(1, CHAIN_READABLE, RING_FAULT_ADDRESS);
	}
}

static void wrong_direction(void **state)
{
	(void)state;
	desc(0, 0x8000, 10, GUEST_DESC_WRITE, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_DIRECTION);
	desc(0, 0x8000, 10, 0, 0);
	expect_bad(0, CHAIN_WRITABLE, RING_FAULT_DIRECTION);
	/* The second of two, both ways, and inside a table. */
	desc(0, 0x8000, 10, GUEST_DESC_NEXT, 1);
	desc(1, 0x8000, 10, GUEST_DESC_WRITE, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_DIRECTION);
	desc(0, 0x8000, 10, GUEST_DESC_NEXT | GUEST_DESC_WRITE, 1);
	desc(1, 0x8000, 10, 0, 0);
	expect_bad(0, CHAIN_WRITABLE, RING_FAULT_DIRECTION);
	entry(0x9000, 0, 0xa000, 10, GUEST_DESC_WRITE, 0);
	desc(0, 0x9000, 16, GUEST_DESC_INDIRECT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_DIRECTION);
}

/* Once there is something to write, all that follows is; said of empty buffers, too. */
static void a_request_does_not_turn_back(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < 2; len++) {
		desc(0, 0x8000, 10, WRITE_NEXT, 1);
		desc(1, 0x8000, len, 0, 0);
		expect_bad(0, CHAIN_BOTH, RING_FAULT_DIRECTION);
		desc(2, 0x8000, 10, READ_NEXT, 3);
		desc(3, 0x8000, len, WRITE_NEXT, 1);
		expect_bad(2, CHAIN_BOTH, RING_FAULT_DIRECTION);
		entry(0x9000, 0, 0xa000, 10, READ_NEXT, 1);
		entry(0x9000, 1, 0xa000, len, WRITE_NEXT, 2);
		entry(0x9000, 2, 0xa000, 10, READ_NEXT, 3);
		entry(0x9000, 3, 0xa000, 10, GUEST_DESC_WRITE, 0);
		desc(4, 0x9000, 64, GUEST_DESC_INDIRECT, 0);
		expect_bad(4, CHAIN_BOTH, RING_FAULT_DIRECTION);
	}
	/* Bad for another reason, after the turn. */
	desc(0, 0x8000, 10, READ_NEXT, 1);
	desc(1, GAP, 10, GUEST_DESC_WRITE, 0);
	expect_bad(0, CHAIN_BOTH, RING_FAULT_ADDRESS);
}

static void bad_indirect_tables(void **state)
{
	static const uint32_t lens[] = { 0, 1, 15, 17, 24, 16 * VRING_SIZE_MAX + 16, UINT32_MAX };

	(void)state;
	entry(0x9000, 0, 0xa000, 10, 0, 0);
	for (unsigned int i = 0; i < ARRAY_LEN(lens); i++) {
		desc(0, 0x9000, lens[i], GUEST_DESC_INDIRECT, 0);
		expect_bad(0, CHAIN_READABLE, RING_FAULT_INDIRECT);
	}
	/* INDIRECT and NEXT together. */
	desc(0, 0x9000, 16, GUEST_DESC_INDIRECT | GUEST_DESC_NEXT, 1);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_INDIRECT);
	/* A table in a table. */
	entry(0x9000, 0, 0xb000, 16, GUEST_DESC_INDIRECT, 0);
	desc(0, 0x9000, 16, GUEST_DESC_INDIRECT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_INDIRECT);
	/* next beyond the table, though inside the ring. */
	entry(0x9000, 0, 0xa000, 10, GUEST_DESC_NEXT, 1);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_INDIRECT);
	entry(0x9000, 0, 0xa000, 10, GUEST_DESC_NEXT, 65535);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_INDIRECT);
	/* Loops: on itself, and over two. */
	entry(0x9000, 0, 0xa000, 10, GUEST_DESC_NEXT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_INDIRECT);
	entry(0x9000, 0, 0xa000, 10, GUEST_DESC_NEXT, 1);
	entry(0x9000, 1, 0xa000, 10, GUEST_DESC_NEXT, 0);
	desc(0, 0x9000, 32, GUEST_DESC_INDIRECT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_INDIRECT);
}

static void indirect_table_not_in_memory(void **state)
{
	(void)state;
	desc(0, GAP, 16, GUEST_DESC_INDIRECT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_ADDRESS);
	desc(0, END - 16, 32, GUEST_DESC_INDIRECT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_ADDRESS);
	desc(0, UINT64_MAX - 15, 32, GUEST_DESC_INDIRECT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_ADDRESS);
}

/* Empty buffers cost a step each though they add no piece: they count towards the same limit. */
static void endless_nothing(void **state)
{
	(void)state;
	entry(0x9000, 0, 0xa000, 0, GUEST_DESC_NEXT, 0);
	desc(0, 0x9000, 16 * 1024, GUEST_DESC_INDIRECT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_LENGTH);
	desc(0, 0x9000, 16 * CHAIN_SPANS_MAX, GUEST_DESC_INDIRECT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_INDIRECT);
}

static void indirect_of(unsigned int count, uint32_t len)
{
	for (unsigned int i = 0; i < count; i++)
		entry(0x10000, i, 0x8000, len, i + 1 < count ? GUEST_DESC_NEXT : 0,
		      (uint16_t)(i + 1));
	desc(0, 0x10000, count * 16, GUEST_DESC_INDIRECT, 0);
}

static void pieces_to_the_limit(void **state)
{
	(void)state;
	indirect_of(CHAIN_SPANS_MAX, 3);
	offer(0);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.nr_spans, CHAIN_SPANS_MAX);
	pool.used = 0;
	indirect_of(CHAIN_SPANS_MAX + 1, 3);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_LENGTH);
	/* The limit is the chain's, wherever it starts in the pool. */
	for (pool.used = 1; pool.used < CHAIN_SPANS_MAX; pool.used += 51)
		expect_bad(0, CHAIN_READABLE, RING_FAULT_LENGTH);
}

/* The first to read, the others to write, of which the last is `last_bytes` elsewhere. */
static void request_of(unsigned int count, uint32_t last_bytes)
{
	for (unsigned int i = 0; i < count; i++)
		entry(0x10000, i, i + 1 < count ? 0x8000 : 0xc000, i + 1 < count ? 3 : last_bytes,
		      (i != 0 ? GUEST_DESC_WRITE : 0) | (i + 1 < count ? GUEST_DESC_NEXT : 0),
		      (uint16_t)(i + 1));
	desc(0, 0x10000, count * 16, GUEST_DESC_INDIRECT, 0);
}

static enum fetch_result fetch_request(void)
{
	offer(0);
	return ring_fetch(kind, &ring, CHAIN_BOTH, &pool, &chain);
}

/* --- requests of the usual form -------------------------------------------- */

/* `n` entries in order at `table`, of which the first `readable` are; the table is descriptor `i`. */
static void small_table(uint16_t i, uint64_t table, unsigned int n, unsigned int readable)
{
	for (unsigned int k = 0; k < n; k++)
		entry(table, k, 0x8000 + 64 * k, 1 + k,
		      (k >= readable ? GUEST_DESC_WRITE : 0) | (k + 1 < n ? GUEST_DESC_NEXT : 0),
		      (uint16_t)(k + 1 < n ? k + 1 : 0xbad));
	desc(i, table, 16 * n, GUEST_DESC_INDIRECT, 0);
}

static void a_run_of_requests(void **state)
{
	(void)state;
	vring_set_base(&ring, 65530, 65530);
	guest.avail_idx = 65530;
	for (uint16_t i = 0; i < RING_ENTRIES; i++) {
		small_table(i, 0x10000 + 0x100 * i, 5, 3);
		guest_split_raw_avail(&guest, guest.avail_idx++ % RING_ENTRIES, i);
	}
	guest_split_raw_avail_idx(&guest, guest.avail_idx);
	/* The seventh is for another day. */
	entry(0x10600, 0, GAP, 1, GUEST_DESC_NEXT, 1);
	assert_int_equal(fetch_requests(2), 2);
	assert_int_equal(fetch_requests(32), 4);
	assert_int_equal(fetch_requests(32), 0);
	assert_int_equal(ring.last_avail, 0);
	ring.last_avail++;
	assert_int_equal(fetch_requests(32), RING_ENTRIES - 7);
	assert_int_equal(fetch_requests(32), 0);
	assert_int_equal(ring.fault, RING_FAULT_NONE);
}

/* Takes nothing, and changes nothing; the next one is good again. */
static void expect_unusual(uint16_t head)
{
	offer(head);
	pool.used = 7;
	assert_int_equal(fetch_requests(1), 0);
	assert_int_equal((uint16_t)(ring.last_avail + 1), guest.avail_idx);
	assert_int_equal(pool.used, 7);
	ring.last_avail++;
	small_table(3, 0x10000, 5, 3);
	offer(3);
	assert_int_equal(fetch_requests(1), 1);
}

static void unusual_entries(void **state)
{
	static const struct guest_desc wrong[] = {
		{ 0x8000, 0, GUEST_DESC_NEXT, 2 }, /* empty */
		{ GAP, 4, GUEST_DESC_NEXT, 2 },
		{ SEAM, 4, GUEST_DESC_NEXT, 2 }, /* there, but in another region */
		{ SEAM - 3, 4, GUEST_DESC_NEXT, 2 },
		{ UINT64_MAX, 4, GUEST_DESC_NEXT, 2 },
		{ 0x8000, UINT32_MAX, GUEST_DESC_NEXT, 2 },
		{ 0x8000, 4, GUEST_DESC_NEXT, 3 }, /* not in order */
		{ 0x8000, 4, GUEST_DESC_NEXT, 1 },
		{ 0x8000, 4, GUEST_DESC_NEXT | GUEST_DESC_INDIRECT, 2 },
		{ 0x8000, 4, 0, 2 }, /* ends early */
		{ 0x8000, 4, GUEST_DESC_NEXT | GUEST_DESC_WRITE, 2 }, /* too soon */
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(wrong); i++) {
		small_table(3, 0x10000, 5, 3);
		guest_write(&memory, 0x10000 + 16, &wrong[i], 16);
		expect_unusual(3);
	}
	small_table(3, 0x10000, 5, 2);
	entry(0x10000, 3, 0x8000, 4, GUEST_DESC_NEXT, 4); /* behind what is to be written */
	expect_unusual(3);
	small_table(3, 0x10000, 5, 3);
	entry(0x10000, 4, 0x8000, 4, GUEST_DESC_WRITE | GUEST_DESC_NEXT, 0);
	expect_unusual(3);
	small_table(3, 0x10000, 5, 3);
	entry(0x10000, 4, 0x8000, 4, GUEST_DESC_WRITE | GUEST_DESC_INDIRECT, 0);
	expect_unusual(3);
	small_table(3, 0x10000, 5, 3);
	entry(0x10000, 4, 0x8000, 0, GUEST_DESC_WRITE, 0);
	expect_unusual(3);
}

static void unusual_tables(void **state)
{
	(void)state;
	small_table(3, 0x10000, SMALL_TABLE_ENTRIES + 1, 3);
	expect_unusual(3);
	small_table(3, SEAM - 32, 5, 3);
	expect_unusual(3);
	small_table(3, 0x10000, 5, 3);
	desc(3, 0x10000, 0, GUEST_DESC_INDIRECT, 0);
	expect_unusual(3);
	desc(3, 0x10000, 79, GUEST_DESC_INDIRECT, 0);
	expect_unusual(3);
	desc(3, GAP, 80, GUEST_DESC_INDIRECT, 0);
	expect_unusual(3);
	small_table(3, 0x10000, 5, 3);
	desc(3, 0x10000, 80, GUEST_DESC_INDIRECT | GUEST_DESC_NEXT, 4);
	expect_unusual(3);
	desc(4, 0x8000, 80, GUEST_DESC_WRITE, 0);
	expect_unusual(4);
	/* Good, but not in the ring. */
	small_table(40, 0x10000, 5, 3);
	expect_unusual(40);
	/* Good, but not in the region. */
	small_table(3, 0x10000, 5, 3);
	offer(3);
	ring.views[CHAIN_READABLE].last.size_bytes = 0x10000 + 80 - 1;
	assert_int_equal(fetch_requests(1), 0);
	ring.views[CHAIN_READABLE].last.size_bytes++;
	assert_int_equal(fetch_requests(1), 1);
	/* Room in the pool is for the largest. */
	small_table(3, 0x10000, 5, 3);
	offer(3);
	pool.used = SPAN_POOL_SPANS - SMALL_TABLE_ENTRIES + 1;
	assert_int_equal(fetch_requests(1), 0);
	pool.used--;
	assert_int_equal(fetch_requests(1), 1);
}

/* A request with too many pieces; known: its last byte is, to say so there. */
static void expect_too_long(bool known)
{
	const uint8_t *host = kit_host(mem->map->pieces[0].host);
	unsigned int used = pool.used;

	assert_int_equal(fetch_request(), FETCH_BAD);
	assert_int_equal(chain.fault, RING_FAULT_LENGTH);
	assert_int_equal(chain.nr_readable, 0);
	assert_int_equal(chain.nr_spans, known);
	assert_int_equal(chain.bytes, known);
	assert_int_equal(pool.used, used + known);
	if (known) {
		assert_int_equal(chain.spans->len_bytes, 1);
		assert_ptr_equal(kit_host(chain.spans->ptr), host + 0xc004);
	}
	pool.used = used;
}

static void requests_to_their_limit(void **state)
{
	const unsigned int last = REQUEST_SPANS_MAX + 1;

	(void)state;
	request_of(REQUEST_SPANS_MAX, 5);
	assert_int_equal(fetch_request(), FETCH_OK);
	assert_int_equal(chain.nr_spans, REQUEST_SPANS_MAX);
	assert_int_equal(chain.nr_readable, 1);
	pool.used = 0;
	for (unsigned int more = 1; more < 1000; more += 333) {
		request_of(REQUEST_SPANS_MAX + more, 5);
		expect_too_long(true);
	}
	/* Empty; not the end; not to be written, or a table; not there. */
	request_of(last + 1, 0);
	expect_too_long(false);
	entry(0x10000, last, 0xc000, 5, GUEST_DESC_WRITE | GUEST_DESC_NEXT, 1);
	expect_too_long(false);
	entry(0x10000, last, 0xc000, 5, 0, 0);
	expect_too_long(false);
	entry(0x10000, last, 0xc000, 5, GUEST_DESC_WRITE | GUEST_DESC_INDIRECT, 0);
	expect_too_long(false);
	entry(0x10000, last, GAP - 4, 5, GUEST_DESC_WRITE, 0);
	expect_too_long(false);
	entry(0x10000, last, UINT64_MAX, 5, GUEST_DESC_WRITE, 0); /* 3, after wrapping: there */
	expect_too_long(false);
	entry(0x10000, last, 0xc000, 5, GUEST_DESC_WRITE, 0);
	expect_too_long(true);
	/* Empty buffers take no room, and there is none. */
	for (unsigned int i = 0; i < last; i++)
		entry(0x10000, i, 0x8000, 0, GUEST_DESC_NEXT, (uint16_t)(i + 1));
	pool.used = SPAN_POOL_SPANS - 1;
	expect_too_long(true);
	pool.used = SPAN_POOL_SPANS;
	expect_too_long(false);
	/* Packets are no requests. */
	pool.used = 0;
	request_of(CHAIN_SPANS_MAX + 1, 5);
	entry(0x10000, 0, 0x8000, 3, GUEST_DESC_NEXT | GUEST_DESC_WRITE, 1);
	expect_bad(0, CHAIN_WRITABLE, RING_FAULT_LENGTH);
}

/* As many as there may be, with the turn anywhere; the pool may be full on either side of it. */
static void requests_turn_anywhere(void **state)
{
	(void)state;
	for (unsigned int turn = 0; turn <= REQUEST_SPANS_MAX; turn += 64) {
		indirect_of(REQUEST_SPANS_MAX, 3);
		for (unsigned int i = turn; i < REQUEST_SPANS_MAX; i++)
			entry(0x10000, i, 0x8000, 3,
			      i + 1 < REQUEST_SPANS_MAX ? WRITE_NEXT : GUEST_DESC_WRITE,
			      (uint16_t)(i + 1));
		offer(0);
		pool.used = 1 + (turn + 500) % REQUEST_SPANS_MAX;
		assert_int_equal(fetch(CHAIN_BOTH), FETCH_FULL);
		pool.used = 0;
		assert_int_equal(fetch(CHAIN_BOTH), FETCH_OK);
		assert_int_equal(chain.nr_spans, REQUEST_SPANS_MAX);
		assert_int_equal(chain.nr_readable, turn);
		assert_request(3 * turn, 3 * (REQUEST_SPANS_MAX - turn));
	}
}

/* 128 buffers of 32 MiB are 4 GiB: a 32-bit sum would come out as 0. */
static void four_gigabytes_are_too_many(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 128; i++)
		entry(0x20000, i, LARGE, (uint32_t)LARGE_BYTES, i < 127 ? GUEST_DESC_NEXT : 0,
		      (uint16_t)(i + 1));
	desc(0, 0x20000, 128 * 16, GUEST_DESC_INDIRECT, 0);
	expect_bad(0, CHAIN_READABLE, RING_FAULT_LENGTH);
	/* A byte less is what 32 bits can say. */
	entry(0x20000, 127, LARGE, (uint32_t)LARGE_BYTES - 1, 0, 0);
	offer(0);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.bytes, UINT32_MAX);
}

/* --- broken rings ------------------------------------------------------ */

static void expect_broken(uint16_t head, enum ring_fault fault)
{
	uint16_t last = ring.last_avail;

	ring.fault = RING_FAULT_NONE;
	offer(head);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_BROKEN);
	assert_int_equal(ring.fault, fault);
	assert_true(fault > RING_FAULT_LAST_CHAIN);
	assert_int_equal(ring.last_avail, last);
	ring.last_avail++; /* past it, for the next one */
	pool.used = 0;
}

static void indices_beyond_the_ring(void **state)
{
	(void)state;
	expect_broken(RING_ENTRIES, RING_FAULT_INDEX);
	expect_broken(65535, RING_FAULT_INDEX);
	desc(0, 0x8000, 1, GUEST_DESC_NEXT, RING_ENTRIES);
	expect_broken(0, RING_FAULT_INDEX);
	desc(0, 0x8000, 1, GUEST_DESC_NEXT, 65535);
	expect_broken(0, RING_FAULT_INDEX);
	/* Though what lies there looks like a request. */
	ring.fault = RING_FAULT_NONE;
	desc(0, 0x8000, 1, 0, 0);
	fetch_good(0);
	entry(0x9000, 0, 0xa000, 10, 0, 0);
	entry(0xc000, 0, 0x9000, 16, GUEST_DESC_INDIRECT, 0);
	offer((uint16_t)((0xc000 - guest.desc_gpa) / 16));
	assert_int_equal(fetch(CHAIN_BOTH), FETCH_BROKEN);
	assert_int_equal(ring.fault, RING_FAULT_INDEX);
}

static void loops(void **state)
{
	(void)state;
	desc(0, 0x8000, 1, GUEST_DESC_NEXT, 0);
	expect_broken(0, RING_FAULT_LOOP);
	desc(0, 0x8000, 0, GUEST_DESC_NEXT, 0);
	expect_broken(0, RING_FAULT_LOOP);
	for (uint16_t i = 0; i < RING_ENTRIES; i++)
		desc(i, 0x8000, 1, GUEST_DESC_NEXT, (uint16_t)((i + 1) % RING_ENTRIES));
	expect_broken(3, RING_FAULT_LOOP);
}

/* --- the pool, giving back, taking back -------------------------------- */

static void full_pool_is_no_fault(void **state)
{
	(void)state;
	desc(1, 0x8000, 10, 0, 0);
	offer(1);
	pool.used = SPAN_POOL_SPANS;
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_FULL);
	assert_int_equal(ring.last_avail, 0);
	assert_int_equal(pool.used, SPAN_POOL_SPANS);
	/* Room for some of a chain, but not for all of it. */
	desc(1, 0x8000, 10, GUEST_DESC_NEXT, 2);
	desc(2, 0x8000, 10, GUEST_DESC_NEXT, 3);
	desc(3, 0x8000, 10, 0, 0);
	pool.used = SPAN_POOL_SPANS - 2;
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_FULL);
	assert_int_equal(ring.last_avail, 0);
	assert_int_equal(pool.used, SPAN_POOL_SPANS - 2);
	/* Then everything fits into an empty one. */
	pool.used = 0;
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.nr_spans, 3);
}

/* The largest chain always fits an empty pool: no chain can wait for ever. */
static void an_empty_pool_is_never_full(void **state)
{
	(void)state;
	indirect_of(CHAIN_SPANS_MAX, 1);
	offer(0);
	pool.used = 0;
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	indirect_of(4000, 1);
	offer(0);
	pool.used = 0;
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_BAD);
}

static void rewound_chains_come_again(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 4; i++) {
		desc(i, 0x8000, 10u + i, 0, 0);
		offer(i);
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	ring_rewind(RING_SPLIT, &ring, NULL, 3);
	assert_int_equal(ring.last_avail, 1);
	assert_int_equal(waiting(32), 3);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(used_id(chain.used), 1);
	assert_int_equal(chain.bytes, 11);
	vring_set_base(&ring, 1, 1);
	ring_rewind(RING_SPLIT, &ring, NULL, 2);
	assert_int_equal(ring.last_avail, 65535);
}

static void push(uint16_t id, uint32_t written)
{
	const struct used u = used_written(used_make(id, 1), written);

	ring_used_push(RING_SPLIT, &ring, CHAIN_WRITABLE, &u, 1);
}

static void used_shows_on_publish(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3 * RING_ENTRIES; i++) {
		struct guest_used elem;

		push((uint16_t)(i % RING_ENTRIES), 1000 + i);
		assert_int_equal(guest_split_used_idx(&guest), i);
		assert_int_equal(ring.published, i);
		for (unsigned int again = 0; again < 2; again++) {
			ring_publish(RING_SPLIT, &ring);
			assert_int_equal(guest_split_used_idx(&guest), i + 1);
			assert_int_equal(ring.published, i + 1);
		}
		elem = guest_split_used_elem(&guest, (uint16_t)(i % RING_ENTRIES));
		assert_int_equal(elem.id, i % RING_ENTRIES);
		assert_int_equal(elem.len_bytes, 1000 + i);
		assert_int_equal(ring.unsignalled, i + 1);
	}
}

static void used_in_batches(void **state)
{
	struct used batch[5];

	(void)state;
	for (unsigned int i = 0; i < 7; i++) {
		for (unsigned int k = 0; k < ARRAY_LEN(batch); k++)
			batch[k] = used_written(used_make((uint16_t)(65535 - k), 1), i * 100 + k);
		ring_used_push(RING_SPLIT, &ring, CHAIN_READABLE, batch, ARRAY_LEN(batch));
		ring_publish(RING_SPLIT, &ring);
		for (unsigned int k = 0; k < ARRAY_LEN(batch); k++) {
			uint16_t slot = (uint16_t)((i * 5 + k) % RING_ENTRIES);

			assert_int_equal(guest_split_used_elem(&guest, slot).id, 65535 - k);
			assert_int_equal(guest_split_used_elem(&guest, slot).len_bytes, i * 100 + k);
		}
	}
	assert_int_equal(ring.unsignalled, 35);
}

static void used_index_wraps(void **state)
{
	(void)state;
	vring_set_base(&ring, 65534, 65534);
	for (unsigned int i = 0; i < 4; i++)
		push(3, UINT32_MAX);
	ring_publish(RING_SPLIT, &ring);
	assert_int_equal(guest_split_used_idx(&guest), 2);
	assert_int_equal(guest_split_used_elem(&guest, 65534 % RING_ENTRIES).len_bytes, UINT32_MAX);
	assert_int_equal(guest_split_used_elem(&guest, 1).id, 3);
	assert_int_equal(guest_split_used_elem(&guest, 2).id, 0); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(avail_counts_and_caps),
		TEST(avail_wraps_at_65536),
		TEST(avail_jump_breaks_the_ring),
		TEST(plain_descriptor),
		TEST(linked_descriptors),
		TEST(buffer_across_the_seam),
		TEST(indirect_table),
		TEST(indirect_ignores_the_write_flag_of_the_pointer),
		TEST(direct_then_indirect),
		TEST(indirect_table_across_the_seam),
		TEST(zero_length_buffers_add_nothing),
		TEST(chain_as_long_as_the_ring),
		TEST(a_request),
		TEST(a_request_of_one_kind),
		TEST(a_request_across_the_seam),
		TEST(a_request_in_a_table),
		TEST(requests_of_the_usual_form),
		TEST(empty_buffers_of_a_request),
		TEST(forms_that_are_usual),
		TEST(forms_that_are_not),
		TEST(a_run_of_usual_chains),
		TEST(bad_addresses),
		TEST(wrong_direction),
		TEST(a_request_does_not_turn_back),
		TEST(bad_indirect_tables),
		TEST(indirect_table_not_in_memory),
		TEST(endless_nothing),
		TEST(pieces_to_the_limit),
		TEST(a_run_of_requests),
		TEST(unusual_entries),
		TEST(unusual_tables),
		TEST(requests_to_their_limit),
		TEST(requests_turn_anywhere),
		TEST(four_gigabytes_are_too_many),
		TEST(indices_beyond_the_ring),
		TEST(loops),
		TEST(full_pool_is_no_fault),
		TEST(an_empty_pool_is_never_full),
		TEST(rewound_chains_come_again),
		TEST(used_shows_on_publish),
		TEST(used_in_batches),
		TEST(used_index_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
