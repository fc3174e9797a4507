/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring in guest memory of four regions, and fetching from it in both of the ways there are. For
 * the tests of the ring formats, through split_fixture.h or packed_fixture.h. The guest is the test
 * itself.
 */
#ifndef UNIT_RING_FIXTURE_H
#define UNIT_RING_FIXTURE_H

#include <errno.h>
#include <stdlib.h>

#include "kit.h"
#include "ring/ring.h"

#define MIB (UINT64_C(1) << 20)
#define RING_ENTRIES 16
/* Regions: 0..1 MiB, 1..2 MiB next to it in guest addresses only, 4..5 MiB after a gap, a large. */
#define SEAM MIB
#define END (2 * MIB)
#define GAP (3 * MIB)
#define LARGE (64 * MIB)
#define LARGE_BYTES (32 * MIB)
/* What ring_next() is asked for besides 0, 1 and the length of the first piece. */
#define LEAD_BYTES 12

static enum ring_kind kind;
static struct guest_memory memory;
static struct gmem *mem;
static struct ring ring;
static struct span_pool pool;
static struct chain chain;
/* Of the last fetch: what ring_next() found for LEAD_BYTES; or was it a usual request? */
static enum ring_next next;
static bool usual_request;

static void make_memory(void)
{
	static const struct guest_region_spec specs[] = {
		{ .gpa = 0, .size_bytes = MIB },
		{ .gpa = SEAM, .size_bytes = MIB, .mmap_offset_bytes = 4096, .uva = 0x7000000000 },
		{ .gpa = 4 * MIB, .size_bytes = MIB },
		{ .gpa = LARGE, .size_bytes = LARGE_BYTES }, /* never touched */
	};

	kit_capture_log();
	kit_seed(3);
	assert_int_equal(guest_memory_create(&memory, specs, ARRAY_LEN(specs)), 0);
	mem = kit_gmem(&memory);
}

static void drop_memory(void)
{
	gmem_put(mem);
	guest_memory_destroy(&memory);
}

/* Where in our memory byte `i` of a chain is; the chain has it. */
static const uint8_t *byte_of(const struct chain *c, uint32_t i)
{
	const struct span *s = c->spans;

	for (; i >= s->len_bytes; s++)
		i -= s->len_bytes;
	return kit_host(s->ptr) + i;
}

/* The same bytes: looks at the ends of every piece, where they could differ. */
static void assert_same_bytes(const struct piece *piece, uint32_t lead, const struct chain *c)
{
	uint32_t end = 0;

	assert_int_equal(piece->bytes, c->bytes);
	assert_int_equal(piece->used.word, c->used.word);
	if (piece->bytes < lead)
		return; /* neither is to be used */
	if (lead != 0) {
		assert_ptr_equal(kit_host(piece->lead), byte_of(c, 0));
		assert_ptr_equal(kit_host(piece->lead) + lead - 1, byte_of(c, lead - 1));
	}
	for (unsigned int i = 0; i < c->nr_spans; i++) {
		const uint32_t ends[] = { end, end + c->spans[i].len_bytes - 1 };

		end += c->spans[i].len_bytes;
		for (unsigned int k = 0; c->spans[i].len_bytes != 0 && k < 2; k++)
			if (ends[k] >= lead)
				assert_ptr_equal(kit_host(piece->body) + (ends[k] - lead),
						 byte_of(c, ends[k]));
	}
	if (piece->bytes > lead)
		assert_ptr_equal(kit_host(piece->body), byte_of(c, lead));
}

/* What ring_next() says to a ring that stands as `before`, against what fetching gave. */
static enum ring_next agree(const struct ring *before, enum chain_dir dir, uint32_t lead,
			    enum fetch_result fetched)
{
	struct ring copy = *before;
	struct ring_cursor c = ring_open(kind, &copy, dir);
	const bool waits = ring_peek(kind, &c, 1) != 0;
	struct piece piece = { 0 };
	enum ring_next found = ring_next(kind, &copy, &c, dir, lead, &piece);

	assert_int_equal(copy.fault == RING_FAULT_AVAIL, ring.fault == RING_FAULT_AVAIL);
	assert_int_equal(found == NEXT_NONE, !waits);
	/* Looking takes nothing. */
	ring_close(kind, &copy, dir, &c);
	assert_int_equal(copy.last_avail, before->last_avail);
	if (found == NEXT_NONE)
		assert_true(fetched == FETCH_NONE || ring.fault == RING_FAULT_AVAIL);
	else
		assert_int_not_equal(fetched, FETCH_NONE);
	if (found != NEXT_PIECE)
		return found;
	if (fetched == FETCH_FULL)
		return found;
	assert_int_equal(fetched, FETCH_OK);
	assert_same_bytes(&piece, lead, &chain);
	ring_take(kind, &c, piece.used);
	ring_close(kind, &copy, dir, &c);
	assert_int_equal(copy.last_avail, ring.last_avail);
	return found;
}

static void assert_same_chain(const struct chain *a, const struct chain *b)
{
	assert_int_equal(a->used.word, b->used.word);
	assert_int_equal(a->fault, b->fault);
	assert_int_equal(a->bytes, b->bytes);
	assert_int_equal(a->readable_bytes, b->readable_bytes);
	assert_int_equal(a->nr_readable, b->nr_readable);
	assert_int_equal(a->nr_spans, b->nr_spans);
	for (unsigned int i = 0; i < a->nr_spans; i++) {
		assert_ptr_equal(kit_host(a->spans[i].ptr), kit_host(b->spans[i].ptr));
		assert_int_equal(a->spans[i].len_bytes, b->spans[i].len_bytes);
	}
}

/* What the quick look at requests says to a ring that stands as `before`, as agree(). */
static void agree_request(const struct ring *before, unsigned int pool_used,
			  enum fetch_result fetched)
{
	static struct span_pool quick_pool;
	struct ring copy = *before;
	struct chain quick;

	quick_pool.used = pool_used;
	usual_request = ring_fetch_requests(kind, &copy, &quick_pool, &quick, 1) == 1;
	assert_int_equal(copy.last_avail, usual_request ? ring.last_avail : before->last_avail);
	assert_int_equal(quick_pool.used, usual_request ? pool.used : pool_used);
	if (!usual_request)
		return;
	assert_int_equal(fetched, FETCH_OK);
	assert_int_equal(quick.fault, RING_FAULT_NONE);
	assert_same_chain(&quick, &chain);
}

/* Fetches the next chain, and checks that the quick ways to look at it find the same one. */
static inline enum fetch_result fetch(enum chain_dir dir)
{
	const unsigned int pool_used = pool.used;
	const struct ring before = ring;
	enum fetch_result ret;

	chain.nr_readable = UINT16_MAX;
	ret = ring_fetch(kind, &ring, dir, &pool, &chain);
	if (dir == CHAIN_BOTH) {
		agree_request(&before, pool_used, ret);
		if (ret == FETCH_OK || ret == FETCH_BAD)
			assert_true(chain.nr_readable <= chain.nr_spans);
		return ret;
	}
	agree(&before, dir, 0, ret);
	agree(&before, dir, 1, ret);
	if (ret == FETCH_OK && chain.nr_spans != 0)
		agree(&before, dir, chain.spans[0].len_bytes, ret);
	next = agree(&before, dir, LEAD_BYTES, ret);
	return ret;
}

/* The chain is a request: so much to read, then so much to write. */
static inline void assert_request(uint32_t readable, uint32_t writable)
{
	unsigned int turn = chain.nr_readable;

	assert_int_equal(spans_bytes(chain.spans, turn), readable);
	assert_int_equal(spans_bytes(chain.spans + turn, chain.nr_spans - turn), writable);
	assert_int_equal(chain.bytes, readable + writable);
	assert_int_equal(chain.readable_bytes, readable);
	assert_int_equal(chain.fault, RING_FAULT_NONE);
}

/*
 * Takes up to `max` requests of the usual form, and checks that ring_fetch() finds the same ones.
 * Returns how many; `chain` is the last one.
 */
static inline unsigned int fetch_requests(unsigned int max)
{
	static struct span_pool one_by_one;
	struct ring copy = ring;
	struct chain chains[2 * RING_ENTRIES];
	unsigned int n;

	one_by_one.used = pool.used;
	n = ring_fetch_requests(kind, &ring, &pool, chains, max);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(ring_fetch(kind, &copy, CHAIN_BOTH, &one_by_one, &chain), FETCH_OK);
		assert_same_chain(&chains[i], &chain);
	}
	assert_int_equal(pool.used, one_by_one.used);
	assert_int_equal(ring.last_avail, copy.last_avail);
	return n;
}

/* At most how many chains wait. */
static inline unsigned int waiting(unsigned int max)
{
	const struct ring_cursor c = ring_open(kind, &ring, CHAIN_READABLE);
	unsigned int n = ring_peek(kind, &c, max);

	assert_int_equal(ring_waits(kind, &ring), ring_peek(kind, &c, 1) != 0);
	return n;
}

#endif
