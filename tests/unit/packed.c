/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring/packed.h, packed.c: taking chains off a packed ring and giving them back, a named case for
 * each shape and each fault. Random tables and traffic are in packed_random.c, notifications in
 * packed_notify.c.
 */
#include <signal.h>
#include <sys/mman.h>

#include "packed_fixture.h"

/* --- what waits --------------------------------------------------------- */

static void nothing_waits_in_a_fresh_ring(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 3, 16, 32768 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(sizes); i++) {
		for (unsigned int wrap = 0; wrap < 2; wrap++) {
			attach_at(sizes[i], 0, wrap != 0);
			assert_int_equal(waiting(32), 0);
			assert_int_equal(fetch(CHAIN_READABLE), FETCH_NONE);
			assert_int_equal(next, NEXT_NONE);
			assert_int_equal(ring_waiting(RING_PACKED, &ring, ring.last_avail), 0);
			assert_int_equal(ring.fault, RING_FAULT_NONE);
		}
	}
}

/* 2.8.1: available is AVAIL equal to the counter and USED not; nothing else is. */
static void wrap_counters(void **state)
{
	(void)state;
	for (unsigned int wrap = 0; wrap < 2; wrap++) {
		for (unsigned int bits = 0; bits < 4; bits++) {
			bool avail = (bits & 1) != 0, used = (bits & 2) != 0, w = wrap != 0;

			attach_at(RING_ENTRIES, 3, w);
			slots[3] = (struct guest_packed_desc){
				.gpa = BUFFER_GPA,
				.len_bytes = 60,
				.id = 7,
				.flags = (uint16_t)((avail ? AVAIL : 0) | (used ? USED : 0)),
			};
			assert_int_equal(waiting(1), avail == w && used != w);
			assert_int_equal(fetch(CHAIN_READABLE),
					 avail == w && used != w ? FETCH_OK : FETCH_NONE);
		}
	}
}

static void peek_counts_and_caps(void **state)
{
	(void)state;
	attach_at(RING_ENTRIES, RING_ENTRIES - 3, true);
	for (unsigned int n = 1; n <= RING_ENTRIES; n++) {
		put(BUFFER_GPA, 60, 0, 0);
		assert_int_equal(waiting(32), n);
		assert_int_equal(waiting(3), MIN2(n, 3u));
		assert_int_equal(waiting(0), 0);
		assert_int_equal(ring_waiting(RING_PACKED, &ring, ring.last_avail), n);
	}
}

static void waiting_counts_chains(void **state)
{
	(void)state;
	attach_at(RING_ENTRIES, RING_ENTRIES - 2, false);
	put(BUFFER_GPA, 12, NEXT, 0);
	put(BUFFER_GPA, 60, NEXT, 0);
	put(BUFFER_GPA, 60, 0, 1);
	assert_int_equal(ring_waiting(RING_PACKED, &ring, ring.last_avail), 1);
	put(TABLE_GPA, 32, INDIRECT, 2);
	put(BUFFER_GPA, 60, 0, 3);
	assert_int_equal(ring_waiting(RING_PACKED, &ring, ring.last_avail), 3);
	/* From further on. */
	assert_int_equal(ring_waiting(RING_PACKED, &ring, position_after(ring.last_avail, 3)), 2);
	assert_int_equal(ring_waiting(RING_PACKED, &ring, position_after(ring.last_avail, 5)), 0);
	/* A chain that does not end is none. */
	for (unsigned int i = 0; i < RING_ENTRIES; i++)
		put(BUFFER_GPA, 1, NEXT, 0);
	assert_int_equal(ring_waiting(RING_PACKED, &ring, ring.last_avail), 0);
}

/* --- good chains -------------------------------------------------------- */

static void expect_chain(uint16_t id, uint32_t nr_slots, uint32_t bytes, unsigned int nr_spans)
{
	assert_int_equal(used_id(chain.used), id);
	assert_int_equal(used_slots(chain.used), nr_slots);
	assert_int_equal(used_bytes(chain.used), 0);
	assert_int_equal(chain.bytes, bytes);
	assert_int_equal(chain.nr_spans, nr_spans);
	assert_int_equal(chain.fault, RING_FAULT_NONE);
}

static void plain_descriptor(void **state)
{
	(void)state;
	put(BUFFER_GPA + 5, 100, 0, 0xabcd);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	expect_chain(0xabcd, 1, 100, 1);
	assert_ptr_equal(kit_host(chain.spans->ptr), kit_host(mem->map->pieces[0].host) + BUFFER_GPA + 5);
	assert_int_equal(ring.last_avail, WRAP | 1);
	assert_int_equal(next, NEXT_PIECE);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_NONE);
}

/* The id is the last descriptor's (2.8.6), whatever stands in the others. */
static void linked_descriptors(void **state)
{
	(void)state;
	put(BUFFER_GPA, LEAD_BYTES, NEXT | WRITE, 1);
	put(4 * MIB, 500, NEXT | WRITE, 2);
	put(SEAM + 5, 7, WRITE, 77);
	put(BUFFER_GPA, LEAD_BYTES, NEXT | WRITE, 3);
	put(4 * MIB, 500, WRITE, 4);
	assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_OK);
	expect_chain(77, 3, 519, 3);
	assert_int_equal(next, NEXT_OTHER);
	assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_OK);
	expect_chain(4, 2, 512, 2);
	assert_int_equal(next, NEXT_PIECE);
	assert_int_equal(ring.last_avail, WRAP | 5);
}

/* Only the head's flags say that a chain is there (2.8.1): the rest was written before. */
static void only_the_head_has_to_be_available(void **state)
{
	(void)state;
	put(BUFFER_GPA, LEAD_BYTES, NEXT, 1);
	put(BUFFER_GPA, 100, 0, 2);
	slots[1].flags = 0;
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	expect_chain(2, 2, 112, 2);
	assert_int_equal(next, NEXT_PIECE);
}

static void chain_across_the_end(void **state)
{
	static const uint16_t sizes[] = { 2, 3, 5, 16, 100, 32768 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(sizes); i++) {
		for (unsigned int wrap = 0; wrap < 2; wrap++) {
			uint16_t size = sizes[i];

			attach_at(size, (uint16_t)(size - 1), wrap != 0);
			put(BUFFER_GPA, LEAD_BYTES, NEXT, 1);
			put(BUFFER_GPA + 64, 200, 0, 9);
			assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
			expect_chain(9, 2, 212, 2);
			assert_int_equal(next, NEXT_PIECE);
			assert_int_equal(ring.last_avail, 1 | (wrap != 0 ? 0 : WRAP));
			if (size == 2)
				continue;
			attach_at(size, (uint16_t)(size - 1), wrap != 0);
			put(BUFFER_GPA, LEAD_BYTES, NEXT, 1);
			put(BUFFER_GPA + 64, 200, NEXT, 9);
			put(BUFFER_GPA + 64, 200, 0, 8);
			assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
			expect_chain(8, 3, 412, 3);
			assert_int_equal(ring.last_avail, 2 % size | (wrap != 0 ? 0 : WRAP));
		}
	}
}

static void chain_as_long_as_the_ring(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 3, 7, 16, CHAIN_SPANS_MAX };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(sizes); i++) {
		for (uint16_t at = 0; at < sizes[i]; at++) {
			attach_at(sizes[i], at, true);
			for (uint16_t k = 0; k < sizes[i]; k++)
				put(BUFFER_GPA, 1, k + 1 < sizes[i] ? NEXT : 0, k);
			assert_int_equal(waiting(CHAIN_SPANS_MAX), sizes[i]);
			assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
			expect_chain((uint16_t)(sizes[i] - 1), sizes[i], sizes[i], sizes[i]);
			/* The same place, the other counter. */
			assert_int_equal(ring.last_avail, at);
			assert_int_equal(fetch(CHAIN_READABLE), FETCH_NONE);
		}
	}
}

static void buffer_across_the_seam(void **state)
{
	(void)state;
	put(SEAM - 100, 300, 0, 0);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	expect_chain(0, 1, 300, 2);
	assert_int_equal(chain.spans[0].len_bytes, 100);
	assert_ptr_equal(kit_host(chain.spans[1].ptr), kit_host(mem->map->pieces[1].host));
	assert_int_equal(next, NEXT_OTHER);
}

static void zero_lengths_add_nothing(void **state)
{
	(void)state;
	put(BUFFER_GPA, 0, NEXT, 0);
	put(GAP /* nowhere, but nothing is asked of it */, 0, NEXT, 0);
	put(BUFFER_GPA, 5, NEXT, 0);
	put(GAP, 0, 0, 6);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(used_id(chain.used), 6);
	assert_int_equal(used_slots(chain.used), 4);
	assert_int_equal(chain.bytes, 5);
	assert_int_equal(spans_bytes(chain.spans, chain.nr_spans), 5);
	/* All of them empty, here and nowhere. */
	for (unsigned int i = 0; i < 2; i++) {
		put(i == 0 ? BUFFER_GPA : GAP, 0, 0, 7);
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
		assert_int_equal(used_id(chain.used), 7);
		assert_int_equal(chain.bytes, 0);
	}
	/* A lead and nothing after it. */
	put(BUFFER_GPA, LEAD_BYTES, NEXT, 0);
	put(BUFFER_GPA, 0, 0, 8);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	expect_chain(8, 2, LEAD_BYTES, 1);
}

static void indirect_table(void **state)
{
	(void)state;
	for (unsigned int n = 1; n <= 5; n++) {
		for (unsigned int i = 0; i < n; i++)
			entry(TABLE_GPA, i, BUFFER_GPA + i * 100, i == 0 ? LEAD_BYTES : 10 + i, 0);
		put(TABLE_GPA, 16 * n, INDIRECT, 55);
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
		assert_int_equal(used_id(chain.used), 55); /* the table's ids mean nothing */
		assert_int_equal(used_slots(chain.used), 1);
		assert_int_equal(chain.nr_spans, n);
		for (unsigned int i = 0; i < n; i++)
			assert_ptr_equal(kit_host(chain.spans[i].ptr),
					 kit_host(mem->map->pieces[0].host) + BUFFER_GPA + i * 100);
		assert_int_equal(next, n <= 2 ? NEXT_PIECE : NEXT_OTHER);
	}
}

/* 2.8.7: in a table only WRITE means something: no NEXT, no AVAIL or USED; all entries count. */
static void flags_in_tables(void **state)
{
	static const uint16_t flags[] = { 0, NEXT, AVAIL, USED, NEXT | AVAIL | USED, 0x7ff8 };

	(void)state;
	for (unsigned int n = 1; n <= 3; n++) {
		for (unsigned int k = 0; k < ARRAY_LEN(flags) * ARRAY_LEN(flags); k++) {
			entry(TABLE_GPA, 0, BUFFER_GPA, LEAD_BYTES,
			      flags[k % ARRAY_LEN(flags)] | WRITE);
			entry(TABLE_GPA, 1, BUFFER_GPA, 100, flags[k / ARRAY_LEN(flags)] | WRITE);
			entry(TABLE_GPA, 2, BUFFER_GPA, 1000, WRITE);
			put(TABLE_GPA, 16 * n, INDIRECT, 9);
			assert_int_equal(fetch(CHAIN_WRITABLE), FETCH_OK);
			assert_int_equal(chain.nr_spans, n);
			assert_int_equal(chain.bytes, n == 1 ? 12 : n == 2 ? 112 : 1112);
			assert_int_equal(next, n <= 2 ? NEXT_PIECE : NEXT_OTHER);
			pool.used = 0;
		}
	}
}

/* The WRITE flag of the descriptor that points to the table is ignored (2.8.8). */
static void indirect_ignores_the_write_flag_of_the_pointer(void **state)
{
	(void)state;
	entry(TABLE_GPA, 0, BUFFER_GPA, 10, 0);
	put(TABLE_GPA, 16, INDIRECT | WRITE, 3);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	expect_chain(3, 1, 10, 1);
	assert_int_equal(next, NEXT_PIECE);
}

/* Every way an entry can straddle two regions, and every alignment of a table. */
static void tables_anywhere(void **state)
{
	(void)state;
	for (unsigned int n = 1; n <= 4; n++) {
		for (unsigned int before = 0; before < 80; before++) {
			uint64_t table = SEAM - before;

			for (unsigned int i = 0; i < n; i++)
				entry(table, i, BUFFER_GPA + i * 256, i == 0 ? 12 : 20 + i, 0);
			put(table, 16 * n, INDIRECT, 1);
			pool.used = 0;
			assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
			/* Whole words are loaded from whole tables at aligned places only. */
			assert_int_equal(next == NEXT_PIECE,
					 n <= 2 && before % 8 == 0 &&
						 (before == 0 || before >= 16 * n));
			assert_int_equal(chain.nr_spans, n);
			assert_ptr_equal(kit_host(chain.spans[n - 1].ptr),
					 kit_host(mem->map->pieces[0].host) + BUFFER_GPA + (n - 1) * 256);
		}
	}
}

/* --- requests of the usual form ------------------------------------------ */

static void small_table(uint64_t table, unsigned int n, unsigned int readable)
{
	for (unsigned int k = 0; k < n; k++)
		entry(table, k, BUFFER_GPA + 64 * k, 1 + k, k >= readable ? WRITE : 0);
	put(table, 16 * n, INDIRECT, (uint16_t)(100 + n));
}

static void a_run_of_requests(void **state)
{
	(void)state;
	attach_at(RING_ENTRIES, RING_ENTRIES - 3, true);
	for (unsigned int i = 0; i < RING_ENTRIES; i++)
		small_table(TABLE_GPA + 0x100 * i, 5, 3);
	/* The seventh is for another day. */
	entry(TABLE_GPA + 0x600, 0, GAP, 1, 0);
	assert_int_equal(fetch_requests(2), 2);
	assert_int_equal(fetch_requests(32), 4);
	assert_int_equal(ring.last_avail, 3);
	assert_int_equal(fetch_requests(32), 0);
	ring.last_avail = position_after(ring.last_avail, 1);
	assert_int_equal(fetch_requests(32), RING_ENTRIES - 7);
	assert_int_equal(fetch_requests(32), 0);
}

/* The guest's entry k in place of a good one: nothing is taken, and the next one is good again. */
static void expect_unusual(unsigned int k, uint64_t at, uint32_t len, uint32_t flags)
{
	small_table(TABLE_GPA, 5, 3);
	entry(TABLE_GPA, k, at, len, flags);
	pool.used = 7;
	assert_int_equal(fetch_requests(1), 0);
	assert_int_equal(pool.used, 7);
	ring.last_avail = position_after(ring.last_avail, 1);
	small_table(TABLE_GPA, 5, 3);
	assert_int_equal(fetch_requests(1), 1);
}

static void unusual_requests(void **state)
{
	static const uint16_t heads[] = { INDIRECT | NEXT, 0, WRITE, INDIRECT | WRITE };

	(void)state;
	for (unsigned int k = 0; k < 5; k++) {
		const uint32_t write = k >= 3 ? WRITE : 0;

		expect_unusual(k, BUFFER_GPA, 0, write);
		expect_unusual(k, GAP, 4, write);
		expect_unusual(k, SEAM, 4, write);
		expect_unusual(k, SEAM - 3, 4, write);
		expect_unusual(k, UINT64_MAX, 4, write);
		expect_unusual(k, BUFFER_GPA, UINT32_MAX, write);
		expect_unusual(k, BUFFER_GPA, 4, write | INDIRECT);
		expect_unusual(k, BUFFER_GPA, 4, write | NEXT);
	}
	expect_unusual(0, BUFFER_GPA, 4, WRITE);
	expect_unusual(4, BUFFER_GPA, 4, 0); /* behind what is to be written */
	for (unsigned int i = 0; i < ARRAY_LEN(heads); i++) {
		const uint16_t before = ring.last_avail;

		small_table(TABLE_GPA, 5, 3);
		slots[before & 0x7fff].flags = (uint16_t)(heads[i] | avail_bits(before >> 15));
		assert_int_equal(fetch_requests(1), 0);
		ring.last_avail = position_after(before, 1);
	}
}

static void unusual_tables(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t len;
	} tables[] = { { SEAM - 32, 80 }, { GAP, 80 }, { TABLE_GPA, 0 },
		       { TABLE_GPA, 79 }, { TABLE_GPA, 16 * (SMALL_TABLE_ENTRIES + 1) } };

	(void)state;
	small_table(TABLE_GPA, SMALL_TABLE_ENTRIES + 1, 3);
	assert_int_equal(fetch_requests(1), 0);
	for (unsigned int i = 0; i < ARRAY_LEN(tables); i++) {
		ring.last_avail = position_after(ring.last_avail, 1);
		put(tables[i].at, tables[i].len, INDIRECT, 1);
		assert_int_equal(fetch_requests(1), 0);
	}
}

/* --- the usual form ----------------------------------------------------- */

/* --- requests: to read, then to write ------------------------------------- */

static void fetch_request(void)
{
	pool.used = 0;
	assert_int_equal(fetch(CHAIN_BOTH), FETCH_OK);
}

/* So many descriptors, of which the last `writable` are to write to. */
static void put_request(unsigned int readable, unsigned int writable)
{
	for (unsigned int i = 0; i < readable + writable; i++)
		put(BUFFER_GPA + i, 10 + i,
		    (i + 1 < readable + writable ? NEXT : 0) | (i >= readable ? WRITE : 0),
		    (uint16_t)(100 + i));
}

static void requests(void **state)
{
	(void)state;
	for (uint16_t n = 1; n <= RING_ENTRIES; n++) {
		for (uint16_t turn = 0; turn <= n; turn++) {
			uint32_t readable = 0, writable = 0;

			put_request(turn, n - turn);
			for (uint16_t i = 0; i < n; i++)
				*(i < turn ? &readable : &writable) += 10u + i;
			fetch_request();
			expect_chain((uint16_t)(100 + n - 1), n, readable + writable, n);
			assert_int_equal(chain.nr_readable, turn);
			assert_request(readable, writable);
			if (turn < n)
				assert_ptr_equal(kit_host(chain.spans[turn].ptr),
						 kit_host(mem->map->pieces[0].host) + BUFFER_GPA +
							 turn);
		}
	}
}

static void a_request_across_the_seam(void **state)
{
	(void)state;
	put(SEAM - 100, 300, NEXT, 0);
	put(SEAM - 7, 17, WRITE, 1);
	fetch_request();
	assert_int_equal(chain.nr_spans, 4);
	assert_int_equal(chain.nr_readable, 2);
	assert_request(300, 17);
	for (unsigned int before = 1; before < 32; before++) {
		entry(SEAM - before, 0, BUFFER_GPA, 10, 0);
		entry(SEAM - before, 1, BUFFER_GPA, 20, WRITE);
		put(SEAM - before, 32, INDIRECT, 5);
		fetch_request();
		assert_request(10, 20);
	}
}

/* The table's own WRITE flag means nothing. */
static void a_request_in_a_table(void **state)
{
	(void)state;
	for (unsigned int turn = 0; turn <= 5; turn++) {
		for (unsigned int i = 0; i < 5; i++)
			entry(TABLE_GPA, i, BUFFER_GPA, 1u << i, i >= turn ? WRITE : 0);
		put(TABLE_GPA, 5 * 16, INDIRECT | (turn % 2 == 0 ? WRITE : 0), 6);
		fetch_request();
		assert_int_equal(chain.nr_readable, turn);
		assert_request((1u << turn) - 1, 32 - (1u << turn));
	}
}

/* In a small table, with no empty buffer, and all of it where the last one was. */
static void requests_of_the_usual_form(void **state)
{
	(void)state;
	put(BUFFER_GPA, 1, 0, 0);
	fetch_request();
	for (unsigned int n = 1; n <= SMALL_TABLE_ENTRIES + 1; n++) {
		for (unsigned int turn = 0; turn <= n; turn++) {
			for (unsigned int i = 0; i < n; i++)
				entry(TABLE_GPA, i, BUFFER_GPA + i, 10, i >= turn ? WRITE : 0);
			put(TABLE_GPA, n * 16, INDIRECT, (uint16_t)n);
			fetch_request();
			expect_chain((uint16_t)n, 1, 10 * n, n);
			assert_true(usual_request == (n <= SMALL_TABLE_ENTRIES));
			assert_request(10 * turn, 10 * (n - turn));
		}
	}
	entry(TABLE_GPA, 0, BUFFER_GPA, 10, 0);
	entry(TABLE_GPA, 1, BUFFER_GPA, 0, WRITE);
	put(TABLE_GPA, 32, INDIRECT, 1);
	fetch_request();
	assert_false(usual_request);
	entry(TABLE_GPA, 1, 4 * MIB, 10, WRITE);
	put(TABLE_GPA, 32, INDIRECT, 1);
	fetch_request();
	assert_false(usual_request);
	put_request(1, 1);
	fetch_request();
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
		for (unsigned int k = 0; k < 4; k++)
			put(BUFFER_GPA, lens[i][k], (k < 3 ? NEXT : 0) | (k >= 2 ? WRITE : 0), 3);
		fetch_request();
		assert_request(lens[i][0] + lens[i][1], lens[i][2] + lens[i][3]);
	}
}

static void lead_of_any_length(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < 30; len++) {
		put(BUFFER_GPA, len, NEXT, 1);
		put(BUFFER_GPA, 1000, 0, 2);
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
		assert_int_equal(next, len == LEAD_BYTES ? NEXT_PIECE : NEXT_OTHER);
		/* In one, it has to be as long as it is. */
		put(BUFFER_GPA, len, 0, 3);
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
		assert_int_equal(next, NEXT_PIECE);
		pool.used = 0;
	}
}

/* A cursor takes a run over the end; fetching one by one finds the same chains. */
static void a_run_of_usual_chains(void **state)
{
	static const uint16_t sizes[] = { 11, 12, 13, 16, 100 };

	(void)state;
	entry(TABLE_GPA, 0, BUFFER_GPA, LEAD_BYTES, 0);
	entry(TABLE_GPA, 1, SEAM, 1000, 0);
	for (unsigned int s = 0; s < ARRAY_LEN(sizes); s++) {
		struct ring one_by_one;
		struct ring_cursor c;

		attach_at(sizes[s], (uint16_t)(sizes[s] - 4), false);
		for (uint16_t i = 0; i < 8; i++) {
			if (i % 3 == 0) {
				put(4 * MIB + i * 100u, 100u + i, 0, i);
			} else if (i % 3 == 1) {
				put(TABLE_GPA, 32, INDIRECT, i);
			} else {
				put(BUFFER_GPA + i, LEAD_BYTES, NEXT, 0);
				put(SEAM + i, 77, 0, i);
			}
		}
		one_by_one = ring;
		c = ring_open(RING_PACKED, &ring, CHAIN_READABLE);
		assert_int_equal(ring_peek(RING_PACKED, &c, 32), 10);
		for (unsigned int i = 0; i < 8; i++) {
			struct piece piece = { 0 };

			assert_int_equal(ring_next(RING_PACKED, &ring, &c, CHAIN_READABLE,
						   LEAD_BYTES, &piece), NEXT_PIECE);
			ring_take(RING_PACKED, &c, piece.used);
			assert_int_equal(ring_fetch(RING_PACKED, &one_by_one, CHAIN_READABLE, &pool,
						    &chain), FETCH_OK);
			assert_same_bytes(&piece, LEAD_BYTES, &chain);
		}
		assert_int_equal(ring_peek(RING_PACKED, &c, 32), 0);
		ring_close(RING_PACKED, &ring, CHAIN_READABLE, &c);
		assert_int_equal(ring.last_avail, put_at | (put_wrap ? WRAP : 0));
		assert_int_equal(one_by_one.last_avail, ring.last_avail);
	}
}

/* --- bad chains: given back, the ring goes on --------------------------- */

/* The chain of `nr_slots` that was just put is refused, to its end; the next one is served. */
static void expect_bad(enum chain_dir dir, enum ring_fault fault, uint16_t id, uint32_t nr_slots)
{
	const uint16_t last = ring.last_avail;
	unsigned int used = pool.used;

	assert_int_equal(fetch(dir), FETCH_BAD);
	assert_int_equal(chain.fault, fault);
	assert_int_equal(used_id(chain.used), id);
	assert_int_equal(used_slots(chain.used), nr_slots);
	/* Whoever looks for the parts of a request counts from there, if only to none. */
	assert_non_null(chain.spans);
	/* Of a request the last byte may be known. */
	assert_true(chain.nr_spans <= (dir == CHAIN_BOTH));
	assert_int_equal(chain.bytes, chain.nr_spans);
	assert_int_equal(pool.used, used + chain.nr_spans);
	pool.used = used;
	assert_int_equal(ring.last_avail, position_after(last, nr_slots));
	assert_int_equal(ring.fault, RING_FAULT_NONE);
	put(BUFFER_GPA, 64, dir == CHAIN_WRITABLE ? WRITE : 0, 0x1234);
	assert_int_equal(fetch(dir), FETCH_OK);
	expect_chain(0x1234, 1, 64, 1);
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
		put(rows[i].at, rows[i].len, 0, 1);
		expect_bad(CHAIN_READABLE, RING_FAULT_ADDRESS, 1, 1);
		/* As a second piece, as a lead, in the middle. */
		put(BUFFER_GPA, LEAD_BYTES, NEXT, 0);
		put(rows[i].at, rows[i].len, 0, 2);
		expect_bad(CHAIN_READABLE, RING_FAULT_ADDRESS, 2, 2);
		put(rows[i].at, LEAD_BYTES, NEXT, 0);
		put(GAP, 100, 0, 3);
		expect_bad(CHAIN_READABLE, RING_FAULT_ADDRESS, 3, 2);
		put(BUFFER_GPA, 12, NEXT, 0);
		put(rows[i].at, rows[i].len, NEXT, 0);
		put(BUFFER_GPA, 12, 0, 4);
		expect_bad(CHAIN_READABLE, RING_FAULT_ADDRESS, 4, 3);
		/* And in a table. */
		entry(TABLE_GPA, 0, BUFFER_GPA, LEAD_BYTES, 0);
		entry(TABLE_GPA, 1, rows[i].at, rows[i].len, 0);
		put(TABLE_GPA, 32, INDIRECT, 5);
		expect_bad(CHAIN_READABLE, RING_FAULT_ADDRESS, 5, 1);
	}
}

static void wrong_direction(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		enum chain_dir dir = i == 0 ? CHAIN_READABLE : CHAIN_WRITABLE;
		uint32_t right = i == 0 ? 0 : WRITE, wrong = i == 0 ? WRITE : 0;

		put(BUFFER_GPA, 10, wrong, 1);
		expect_bad(dir, RING_FAULT_DIRECTION, 1, 1);
		for (unsigned int bad = 0; bad < 2; bad++) {
			put(BUFFER_GPA, LEAD_BYTES, NEXT | (bad == 0 ? wrong : right), 0);
			put(BUFFER_GPA, 10, bad == 1 ? wrong : right, 2);
			expect_bad(dir, RING_FAULT_DIRECTION, 2, 2);
			entry(TABLE_GPA, 0, BUFFER_GPA, LEAD_BYTES, bad == 0 ? wrong : right);
			entry(TABLE_GPA, 1, BUFFER_GPA, 10, bad == 1 ? wrong : right);
			put(TABLE_GPA, 32, INDIRECT | right, 3);
			expect_bad(dir, RING_FAULT_DIRECTION, 3, 1);
		}
		entry(TABLE_GPA, 0, BUFFER_GPA, 10, wrong);
		put(TABLE_GPA, 16, INDIRECT | right, 4);
		expect_bad(dir, RING_FAULT_DIRECTION, 4, 1);
	}
}

/* Once there is something to write, all that follows is; said of empty buffers, too. */
static void a_request_does_not_turn_back(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < 2; len++) {
		put(BUFFER_GPA, 10, WRITE | NEXT, 1);
		put(BUFFER_GPA, len, 0, 2);
		expect_bad(CHAIN_BOTH, RING_FAULT_DIRECTION, 2, 2);
		put(BUFFER_GPA, 10, NEXT, 1);
		put(BUFFER_GPA, len, WRITE | NEXT, 2);
		put(BUFFER_GPA, 10, NEXT, 3);
		put(BUFFER_GPA, 10, WRITE, 4);
		expect_bad(CHAIN_BOTH, RING_FAULT_DIRECTION, 4, 4);
		entry(TABLE_GPA, 0, BUFFER_GPA, 10, 0);
		entry(TABLE_GPA, 1, BUFFER_GPA, len, WRITE);
		entry(TABLE_GPA, 2, BUFFER_GPA, 10, 0);
		put(TABLE_GPA, 48, INDIRECT, 5);
		expect_bad(CHAIN_BOTH, RING_FAULT_DIRECTION, 5, 1);
	}
	/* Bad for another reason, after the turn. */
	put(BUFFER_GPA, 10, NEXT, 1);
	put(GAP, 10, WRITE, 2);
	expect_bad(CHAIN_BOTH, RING_FAULT_ADDRESS, 2, 2);
}

static void bad_indirect_tables(void **state)
{
	static const uint32_t lens[] = { 0, 1, 15, 17, 24, 16 * VRING_SIZE_MAX + 16, UINT32_MAX };

	(void)state;
	entry(TABLE_GPA, 0, BUFFER_GPA, LEAD_BYTES, 0);
	entry(TABLE_GPA, 1, BUFFER_GPA, 10, 0);
	for (unsigned int i = 0; i < ARRAY_LEN(lens); i++) {
		put(TABLE_GPA, lens[i], INDIRECT, 1);
		expect_bad(CHAIN_READABLE, RING_FAULT_INDIRECT, 1, 1);
	}
	/* 2.8.19: a chain is descriptors or one table, never both. */
	put(TABLE_GPA, 16, INDIRECT | NEXT, 0);
	put(BUFFER_GPA, 10, 0, 2);
	expect_bad(CHAIN_READABLE, RING_FAULT_INDIRECT, 2, 2);
	put(BUFFER_GPA, LEAD_BYTES, NEXT, 0);
	put(TABLE_GPA, 16, INDIRECT, 3);
	expect_bad(CHAIN_READABLE, RING_FAULT_INDIRECT, 3, 2);
	put(BUFFER_GPA, 10, NEXT, 0);
	put(TABLE_GPA, 16, INDIRECT | NEXT, 0);
	put(BUFFER_GPA, 10, 0, 4);
	expect_bad(CHAIN_READABLE, RING_FAULT_INDIRECT, 4, 3);
	/* A table in a table, at either place. */
	for (unsigned int i = 0; i < 2; i++) {
		entry(TABLE_GPA, 0, TABLE_GPA, i == 0 ? 16 : LEAD_BYTES, i == 0 ? INDIRECT : 0);
		entry(TABLE_GPA, 1, TABLE_GPA, 16, i == 1 ? INDIRECT : 0);
		put(TABLE_GPA, 32, INDIRECT, 5);
		expect_bad(CHAIN_READABLE, RING_FAULT_INDIRECT, 5, 1);
	}
	entry(TABLE_GPA, 0, TABLE_GPA, 16, INDIRECT);
	put(TABLE_GPA, 16, INDIRECT, 6);
	expect_bad(CHAIN_READABLE, RING_FAULT_INDIRECT, 6, 1);
}

static void indirect_table_not_in_memory(void **state)
{
	(void)state;
	for (uint32_t len = 16; len <= 48; len += 16) {
		put(GAP, len, INDIRECT, 1);
		expect_bad(CHAIN_READABLE, RING_FAULT_ADDRESS, 1, 1);
		put(END - len + 1, len, INDIRECT, 2);
		expect_bad(CHAIN_READABLE, RING_FAULT_ADDRESS, 2, 1);
		put(UINT64_MAX - 15, len, INDIRECT, 3);
		expect_bad(CHAIN_READABLE, RING_FAULT_ADDRESS, 3, 1);
	}
}

static void indirect_of(unsigned int count, uint32_t len)
{
	for (unsigned int i = 0; i < count; i++)
		entry(TABLE_GPA, i, BUFFER_GPA, len, 0);
	put(TABLE_GPA, count * 16, INDIRECT, 8);
}

/* Empty buffers cost a step each though they add no piece: they count towards the same limit. */
static void pieces_to_the_limit(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < 4; len += 3) {
		pool.used = 0;
		indirect_of(CHAIN_SPANS_MAX, len);
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
		assert_int_equal(chain.bytes, CHAIN_SPANS_MAX * len);
		indirect_of(CHAIN_SPANS_MAX + 1, len);
		expect_bad(CHAIN_READABLE, RING_FAULT_LENGTH, 8, 1);
		indirect_of(4000, len);
		expect_bad(CHAIN_READABLE, RING_FAULT_LENGTH, 8, 1);
	}
	/* The limit is the chain's, wherever it starts in the pool. */
	for (pool.used = 1; pool.used < CHAIN_SPANS_MAX; pool.used += 51) {
		indirect_of(CHAIN_SPANS_MAX + 1, 3);
		expect_bad(CHAIN_READABLE, RING_FAULT_LENGTH, 8, 1);
	}
}

/* A request with too many pieces; known: its last byte is, to say so there. */
static void expect_too_long(unsigned int count, uint64_t last, uint32_t last_bytes, uint32_t flags,
			    bool known)
{
	const uint8_t *host = kit_host(mem->map->pieces[0].host);

	for (unsigned int i = 0; i + 1 < count; i++)
		entry(TABLE_GPA, i, BUFFER_GPA, 3, i != 0 ? WRITE : 0);
	entry(TABLE_GPA, count - 1, last, last_bytes, flags);
	put(TABLE_GPA, count * 16, INDIRECT, 8);
	assert_int_equal(ring_fetch(kind, &ring, CHAIN_BOTH, &pool, &chain), FETCH_BAD);
	assert_int_equal(chain.fault, RING_FAULT_LENGTH);
	assert_int_equal(used_id(chain.used), 8);
	assert_int_equal(chain.nr_readable, 0);
	assert_int_equal(chain.nr_spans, known);
	assert_int_equal(chain.bytes, known);
	if (known)
		assert_ptr_equal(kit_host(chain.spans->ptr), host + last + last_bytes - 1);
	pool.used = 0;
}

static void requests_to_their_limit(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < REQUEST_SPANS_MAX; i++)
		entry(TABLE_GPA, i, BUFFER_GPA, 3, i != 0 ? WRITE : 0);
	put(TABLE_GPA, REQUEST_SPANS_MAX * 16, INDIRECT, 7);
	assert_int_equal(ring_fetch(kind, &ring, CHAIN_BOTH, &pool, &chain), FETCH_OK);
	expect_chain(7, 1, REQUEST_SPANS_MAX * 3, REQUEST_SPANS_MAX);
	assert_int_equal(chain.nr_readable, 1);
	pool.used = 0;
	for (unsigned int more = 1; more < 1000; more += 333)
		expect_too_long(REQUEST_SPANS_MAX + more, BUFFER_GPA, 5, WRITE, true);
	expect_too_long(REQUEST_SPANS_MAX + 2, BUFFER_GPA, 0, WRITE, false);
	expect_too_long(REQUEST_SPANS_MAX + 2, BUFFER_GPA, 5, 0, false);
	expect_too_long(REQUEST_SPANS_MAX + 2, GAP - 4, 5, WRITE, false);
	/* NEXT means nothing in a table (2.8.7). */
	expect_too_long(REQUEST_SPANS_MAX + 2, BUFFER_GPA, 5, WRITE | NEXT, true);
}

/* As many as there may be, with the turn anywhere; the pool may be full on either side of it. */
static void requests_turn_anywhere(void **state)
{
	(void)state;
	for (unsigned int turn = 0; turn <= REQUEST_SPANS_MAX; turn += 64) {
		indirect_of(REQUEST_SPANS_MAX, 3);
		for (unsigned int i = turn; i < REQUEST_SPANS_MAX; i++)
			entry(TABLE_GPA, i, BUFFER_GPA, 3, WRITE);
		pool.used = 1 + (turn + 500) % REQUEST_SPANS_MAX;
		assert_int_equal(fetch(CHAIN_BOTH), FETCH_FULL);
		fetch_request();
		assert_int_equal(chain.nr_spans, REQUEST_SPANS_MAX);
		assert_int_equal(chain.nr_readable, turn);
		assert_request(3 * turn, 3 * (REQUEST_SPANS_MAX - turn));
	}
}

/* The end of a bad chain is looked for, however far it is. */
static void direct_chains_to_the_limit(void **state)
{
	(void)state;
	for (unsigned int n = CHAIN_SPANS_MAX - 1; n <= 1023; n += n < 260 ? 1 : 100) {
		attach_at(1023, 1000, true);
		for (unsigned int i = 0; i < n; i++)
			put(BUFFER_GPA, 1, i + 1 < n ? NEXT : 0, (uint16_t)i);
		if (n > CHAIN_SPANS_MAX) {
			expect_bad(CHAIN_READABLE, RING_FAULT_LENGTH, (uint16_t)(n - 1), n);
			continue;
		}
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
		expect_chain((uint16_t)(n - 1), n, n, n);
	}
}

/* 128 buffers of 32 MiB are 4 GiB: a 32-bit sum would come out as 0. */
static void four_gigabytes_are_too_many(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 128; i++)
		entry(TABLE_GPA, i, LARGE, (uint32_t)LARGE_BYTES, 0);
	put(TABLE_GPA, 128 * 16, INDIRECT, 1);
	expect_bad(CHAIN_READABLE, RING_FAULT_LENGTH, 1, 1);
	/* A byte less is what 32 bits can say. */
	entry(TABLE_GPA, 127, LARGE, (uint32_t)LARGE_BYTES - 1, 0);
	put(TABLE_GPA, 128 * 16, INDIRECT, 1);
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	assert_int_equal(chain.bytes, UINT32_MAX);
}

/* --- broken rings ------------------------------------------------------- */

/* NEXT on every descriptor: the chain has no end. Also when it is bad for another reason. */
static void loops(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 3, 16, 255, 256, 257, 32768 };
	static const uint64_t places[] = { BUFFER_GPA, GAP };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(sizes); i++) {
		for (unsigned int k = 0; k < 4; k++) {
			uint16_t at = (uint16_t)(k % 2 == 0 ? 0 : sizes[i] - 1);

			attach_at(sizes[i], at, k == 3);
			for (unsigned int n = 0; n < sizes[i]; n++)
				put(places[k % 2], 1, NEXT, 0);
			assert_int_equal(fetch(CHAIN_READABLE), FETCH_BROKEN);
			assert_int_equal(ring.fault, RING_FAULT_LOOP);
			assert_int_equal(ring.last_avail, at | (k == 3 ? WRAP : 0));
			assert_int_equal(next, NEXT_OTHER);
		}
	}
}

/* --- the pool, taking back ---------------------------------------------- */

static void full_pool_is_no_fault(void **state)
{
	(void)state;
	put(BUFFER_GPA, 10, NEXT, 1);
	put(BUFFER_GPA, 10, NEXT, 2);
	put(BUFFER_GPA, 10, 0, 3);
	for (unsigned int room = 0; room < 3; room++) {
		pool.used = SPAN_POOL_SPANS - room;
		assert_int_equal(fetch(CHAIN_READABLE), FETCH_FULL);
		assert_int_equal(ring.last_avail, WRAP);
		assert_int_equal(pool.used, SPAN_POOL_SPANS - room);
	}
	pool.used = SPAN_POOL_SPANS - 3;
	assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
	expect_chain(3, 3, 30, 3);
	assert_int_equal(pool.used, SPAN_POOL_SPANS);
}

static void rewind_over_the_end(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 3, 5, 16, 100 };

	(void)state;
	for (unsigned int s = 0; s < ARRAY_LEN(sizes); s++) {
		for (uint16_t at = 0; at < sizes[s]; at++) {
			struct used used[100];
			uint16_t places[101];
			unsigned int n = 0, left = sizes[s];

			/* Chains of 1, 2, 3, 1... slots that fill the ring. */
			attach_at(sizes[s], at, at % 2 == 0);
			while (left != 0) {
				unsigned int nr_slots = MIN2(1 + n % 3, left);

				for (unsigned int i = 0; i < nr_slots; i++)
					put(BUFFER_GPA, 10, i + 1 < nr_slots ? NEXT : 0,
					    (uint16_t)n);
				places[n] = ring.last_avail;
				assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
				used[n++] = chain.used;
				left -= nr_slots;
			}
			for (unsigned int back = 1; back <= n; back++) {
				struct ring copy = ring;

				ring_rewind(RING_PACKED, &copy, &used[n - back], back);
				assert_int_equal(copy.last_avail, places[n - back]);
			}
			ring_rewind(RING_PACKED, &ring, NULL, 0);
			ring_rewind(RING_PACKED, &ring, used, n);
			for (unsigned int i = 0; i < n; i++) {
				assert_int_equal(fetch(CHAIN_READABLE), FETCH_OK);
				assert_int_equal(chain.used.word, used[i].word);
			}
			pool.used = 0;
		}
	}
}

/* --- giving back -------------------------------------------------------- */

/* 2.8.1: used is AVAIL and USED both equal to the counter; WRITE makes the length count. */
static uint16_t used_flags(bool wrap, bool written)
{
	return (uint16_t)((wrap ? AVAIL | USED : 0) | (written ? WRITE : 0));
}

static void used_descriptor(void **state)
{
	(void)state;
	for (unsigned int wrap = 0; wrap < 2; wrap++) {
		for (unsigned int written = 0; written < 2; written++) {
			struct used u = used_make(0xbeef, 3);
			struct guest_packed_desc before[RING_ENTRIES];

			attach_at(RING_ENTRIES, 5, wrap != 0);
			for (unsigned int i = 0; i < RING_ENTRIES; i++)
				slots[i].gpa = slots[i].len_bytes = 0x77777777;
			memcpy(before, slots, sizeof(before));
			if (written != 0)
				u = used_written(u, UINT32_MAX);
			/* A request is written to, as well. */
			ring_used_push(RING_PACKED, &ring,
				       wrap != 0 ? CHAIN_WRITABLE : CHAIN_BOTH, &u, 1);
			before[5].id = 0xbeef;
			before[5].len_bytes = written != 0 ? UINT32_MAX : 0;
			/* WRITE says that the length counts, which it does for all device-writable chains. */
			before[5].flags = used_flags(wrap != 0, true);
			assert_memory_equal(slots, before, sizeof(before));
			assert_int_equal(ring.used_idx, 8 | (wrap != 0 ? WRAP : 0));
			assert_int_equal(ring.unsignalled, 3);
			/* It was visible at once; what publishing does is for the notification. */
			ring_publish(RING_PACKED, &ring);
			assert_memory_equal(slots, before, sizeof(before));
			assert_int_equal(ring.published, ring.used_idx);
		}
	}
}

/* Each at its own place: one element skips the slots of its chain. */
static void used_over_the_end(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 3, 5, 16, 100 };

	(void)state;
	for (unsigned int s = 0; s < ARRAY_LEN(sizes); s++) {
		uint16_t size = sizes[s];
		uint32_t total = 0;

		attach_at(size, 0, true);
		for (unsigned int round = 0; round < 5u * size; round++) {
			const uint16_t at = ring.used_idx;
			struct used batch[3];
			uint32_t sum = 0;

			for (unsigned int i = 0; i < 3; i++) {
				uint32_t nr_slots = 1 + (round + i) % MIN2((uint32_t)size, 4u);

				batch[i] = used_make((uint16_t)(round * 3 + i), nr_slots);
				batch[i] = used_written(batch[i], round % 4 == 0 ? 0 : round + i);
				sum += nr_slots;
			}
			ring_used_push(RING_PACKED, &ring, CHAIN_WRITABLE, batch, 3);
			total += sum;
			assert_int_equal(ring.unsignalled, total);
			sum = 0;
			for (unsigned int i = 0; i < 3; i++) {
				uint16_t p = position_after(at, sum);
				const struct guest_packed_desc *d = &slots[p & 0x7fff];

				/* The last of the batch that lands on a slot stands there. */
				sum += used_slots(batch[i]);
				if (used_slots(batch[0]) + used_slots(batch[1]) +
				    used_slots(batch[2]) > size)
					continue;
				assert_int_equal(d->id, used_id(batch[i]));
				assert_int_equal(d->len_bytes, used_bytes(batch[i]));
				assert_int_equal(d->flags, used_flags((p & WRAP) != 0, true));
			}
			assert_int_equal(ring.used_idx, position_after(at, sum));
		}
	}
}

/* 2.8.13, VIRTIO_F_IN_ORDER: the last id, where the first chain was; the rest is skipped. */
static void in_order_batch(void **state)
{
	(void)state;
	for (unsigned int in_order = 0; in_order < 2; in_order++) {
		for (unsigned int dir = 0; dir < 2; dir++) {
			bool one = in_order == 1 && dir == CHAIN_READABLE;
			const struct used batch[] = { used_make(3, 1), used_make(1, 2),
						      used_make(2, 1) };
			struct guest_packed_desc before[RING_ENTRIES];

			attach_at(RING_ENTRIES, RING_ENTRIES - 1, true);
			ring.in_order = in_order == 1;
			memcpy(before, slots, sizeof(before));
			ring_used_push(RING_PACKED, &ring, (enum chain_dir)dir, batch, 3);
			before[15].id = one ? 2 : 3;
			before[15].flags = used_flags(true, dir == CHAIN_WRITABLE);
			if (!one) {
				before[0].id = 1;
				before[2].id = 2;
				before[0].flags = used_flags(false, dir == CHAIN_WRITABLE);
				before[2].flags = before[0].flags;
			}
			assert_memory_equal(slots, before, sizeof(before));
			assert_int_equal(ring.used_idx, 3);
			assert_int_equal(ring.unsignalled, 4);
		}
	}
}

/* A page that must be written after what lies in the one behind it. */
static struct {
	uint8_t *page;
	const struct guest_packed_desc *behind;
	unsigned int nr_behind;
	unsigned int missing; /* of those, when the page was written */
	unsigned int writes;
} watch;

static void on_write(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if ((uint8_t *)info->si_addr - watch.page >= 4096)
		abort();
	watch.writes++;
	for (unsigned int i = 0; i < watch.nr_behind; i++)
		watch.missing += watch.behind[i].flags != used_flags(true, true);
	(void)mprotect(watch.page, 4096, PROT_READ | PROT_WRITE);
}

/* 5.1.6.4: the driver finds all buffers of a packet once it has found the first. */
static void batch_shows_as_a_whole(void **state)
{
	const struct sigaction action = { .sa_sigaction = on_write, .sa_flags = SA_SIGINFO };
	struct sigaction before;
	struct used batch[5];

	(void)state;
	attach_at(512, 255, true);
	/* The first descriptor is the last one of its page. */
	watch.page = GUEST_FORCE(uint8_t *, ring.packed);
	watch.behind = &slots[256];
	watch.nr_behind = ARRAY_LEN(batch) - 1;
	for (uint16_t i = 0; i < ARRAY_LEN(batch); i++)
		batch[i] = used_written(used_make(i, 1), 100);
	assert_int_equal((uintptr_t)watch.page % 4096, 0);
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	assert_int_equal(mprotect(watch.page, 4096, PROT_READ), 0);
	ring_used_push(RING_PACKED, &ring, CHAIN_WRITABLE, batch, ARRAY_LEN(batch));
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_int_equal(watch.writes, 1);
	assert_int_equal(watch.missing, 0);
	assert_int_equal(slots[255].flags, used_flags(true, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_waits_in_a_fresh_ring),
		TEST(wrap_counters),
		TEST(peek_counts_and_caps),
		TEST(waiting_counts_chains),
		TEST(plain_descriptor),
		TEST(linked_descriptors),
		TEST(only_the_head_has_to_be_available),
		TEST(chain_across_the_end),
		TEST(chain_as_long_as_the_ring),
		TEST(buffer_across_the_seam),
		TEST(zero_lengths_add_nothing),
		TEST(indirect_table),
		TEST(flags_in_tables),
		TEST(indirect_ignores_the_write_flag_of_the_pointer),
		TEST(tables_anywhere),
		TEST(requests),
		TEST(a_request_across_the_seam),
		TEST(a_request_in_a_table),
		TEST(requests_of_the_usual_form),
		TEST(empty_buffers_of_a_request),
		TEST(lead_of_any_length),
		TEST(a_run_of_usual_chains),
		TEST(bad_addresses),
		TEST(wrong_direction),
		TEST(a_request_does_not_turn_back),
		TEST(bad_indirect_tables),
		TEST(indirect_table_not_in_memory),
		TEST(pieces_to_the_limit),
		TEST(a_run_of_requests),
		TEST(unusual_requests),
		TEST(unusual_tables),
		TEST(requests_to_their_limit),
		TEST(requests_turn_anywhere),
		TEST(direct_chains_to_the_limit),
		TEST(four_gigabytes_are_too_many),
		TEST(loops),
		TEST(full_pool_is_no_fault),
		TEST(rewind_over_the_end),
		TEST(used_descriptor),
		TEST(used_over_the_end),
		TEST(in_order_batch),
		TEST(batch_shows_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
