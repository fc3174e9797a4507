/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading descriptors, as far as the ring formats do it alike.
 */
#ifndef VHOST_NG_WALK_H
#define VHOST_NG_WALK_H

#include "vring.h"

/*
 * A private copy of a descriptor: two words, each loaded once. The second one
 * holds length, flags and one more field; where, depends on the format.
 */
struct desc {
	uint64_t addr;
	uint64_t rest;
};

/* The flags that say what kind of descriptor it is, in both formats. */
#define DESC_KIND (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE)

static ALWAYS_INLINE uint32_t desc_len(struct desc d)
{
	return (uint32_t)d.rest;
}

/* --- the usual form ----------------------------------------------------- */

/*
 * Where a burst stands in a ring: a copy, which the compiler keeps in registers
 * because nobody else can change it. What it means is the format's business.
 */
struct ring_cursor {
	const struct memview *view;
	struct gmap_piece map; /* hit last */
	uintptr_t table;     /* descriptors */
	uintptr_t avail;     /* split: the available ring's entries */
	uint32_t size;
	uint32_t mask;       /* split: size - 1 */
	uint32_t at;
	uint32_t lap;  /* packed: what flags say that are of this lap (packed.h) */
	uint32_t left; /* split: chains that wait */
};

/* `len` bytes at `addr`; false when no region has them all. */
static ALWAYS_INLINE bool cursor_resolve(struct ring_cursor *c, uint64_t addr, uint32_t len,
					 uint8_t __guest **out)
{
	uint64_t off = addr - c->map.addr;

	if (unlikely(off >= c->map.size_bytes)) {
		const struct gmap_piece *found = gmap_find(c->view->map, gpa(addr));

		c->map.addr = found->addr;
		c->map.size_bytes = found->size_bytes;
		c->map.host = found->host;
		off = addr - found->addr;
	}
	/* In integers: out of range, this is no pointer. */
	*out = (uint8_t __guest *)((uintptr_t)c->map.host + off);
	return likely(range_within(off, len, c->map.size_bytes));
}

/* Lead and body in one descriptor. */
static ALWAYS_INLINE bool piece_of_one(struct ring_cursor *c, struct desc d, uint32_t lead_bytes,
				       struct piece *piece)
{
	if (unlikely(!cursor_resolve(c, d.addr, desc_len(d), &piece->lead)))
		return false;
	piece->body = piece->lead + lead_bytes;
	piece->bytes = desc_len(d);
	return true;
}

/* The lead in `first`, all of it, the body in `second`. */
static ALWAYS_INLINE bool piece_of_two(struct ring_cursor *c, struct desc first, struct desc second,
				       uint32_t lead_bytes, struct piece *piece)
{
	/* Should this wrap, it is small, and too small for any use of it. */
	piece->bytes = lead_bytes + desc_len(second);
	return desc_len(first) == lead_bytes &&
	       cursor_resolve(c, first.addr, lead_bytes, &piece->lead) &&
	       cursor_resolve(c, second.addr, desc_len(second), &piece->body);
}

/*
 * The table behind a descriptor; false unless it has 1 or 2 entries in one region,
 * aligned for loads of whole words. (ring_fetch() reads any as bytes.)
 */
static ALWAYS_INLINE bool cursor_small_table(const struct ring *vr, struct ring_cursor *c,
					     struct desc head, uintptr_t *table, uint32_t *entries)
{
	uint8_t __guest *at;

	/* The view is for buffers: what may be written need not be there to read. */
	if (unlikely(vr->misses != NULL))
		return false;
	*entries = desc_len(head) / (uint32_t)sizeof(struct desc);
	if (desc_len(head) != sizeof(struct desc) && desc_len(head) != 2 * sizeof(struct desc))
		return false;
	if (!cursor_resolve(c, head.addr, desc_len(head), &at))
		return false;
	*table = (uintptr_t)at;
	return *table % sizeof(uint64_t) == 0;
}

/* --- requests of the usual form ----------------------------------------- */

/* The most entries of a table that is read in one go. */
#define SMALL_TABLE_ENTRIES 16

/* One of its buffers, if it is whole in the region. */
static ALWAYS_INLINE bool small_table_span(const struct gmap_piece *map, struct desc d,
					   struct span *span)
{
	const uint64_t off = d.addr - map->addr;
	const uint32_t len = desc_len(d);

	/* In integers: out of range, this is no pointer. */
	span->ptr = (uint8_t __guest *)((uintptr_t)map->host + off);
	span->len_bytes = len;
	return len != 0 && range_within(off, len, map->size_bytes);
}

/* What stands above the length: flags, and split: the next one. */
static ALWAYS_INLINE uint32_t small_table_flags(struct desc d, bool is_split)
{
	return (uint32_t)(d.rest >> (is_split ? 32 : 48));
}

/* Wherever it lies. */
static ALWAYS_INLINE struct desc small_table_load(const uint8_t __guest *at)
{
	struct desc d;

	shm_read(&d.addr, at, sizeof(d.addr));
	shm_read(&d.rest, at + sizeof(d.addr), sizeof(d.rest));
	return d;
}

/* A request's header, which takes two lines, and often the IV behind it. */
static ALWAYS_INLINE void request_prefetch(const struct chain *chain)
{
	if (unlikely(chain->nr_readable < 2))
		return;
	shm_prefetch(chain->spans[0].ptr);
	shm_prefetch(chain->spans[0].ptr + CACHE_LINE_BYTES);
	shm_prefetch(chain->spans[1].ptr);
}

/*
 * All of a small table of a request (CHAIN_BOTH): in one piece, linked in order (where
 * entries are linked), each of its buffers whole in the region that was hit last.
 * False: any other, for ring_fetch() to read for itself. There is room for
 * SMALL_TABLE_ENTRIES spans. `is_split` is a constant.
 */
static ALWAYS_INLINE bool walk_small_table(const struct gmap_piece *map, struct desc head,
					   bool is_split, struct span *spans, struct chain *chain)
{
	const uint32_t n = desc_len(head) / (uint32_t)sizeof(struct desc);
	const uint32_t link = is_split ? 1u << 16 : 0;
	uint32_t usual = is_split ? link | VRING_DESC_F_NEXT : 0;
	const uint64_t off = head.addr - map->addr;
	const uint8_t __guest *at, *last;
	struct span *span = spans;
	uint64_t bytes = 0;
	struct desc d;

	if (unlikely(n - 1 >= SMALL_TABLE_ENTRIES || desc_len(head) % sizeof(struct desc) != 0 ||
		     !range_within(off, desc_len(head), map->size_bytes)))
		return false;
	at = map->host + off;
	last = at + (n - 1) * sizeof(struct desc);
	d = small_table_load(at);
	/* What is to be read comes first. */
	while (at != last && small_table_flags(d, is_split) == usual) {
		if (unlikely(!small_table_span(map, d, span++)))
			return false;
		bytes += desc_len(d);
		usual += link;
		d = small_table_load(at += sizeof(struct desc));
	}
	chain->nr_readable = (uint16_t)(span - spans);
	chain->readable_bytes = (uint32_t)bytes;
	usual |= VRING_DESC_F_WRITE;
	while (at != last) {
		if (unlikely(small_table_flags(d, is_split) != usual ||
			     !small_table_span(map, d, span++)))
			return false;
		bytes += desc_len(d);
		usual += link;
		d = small_table_load(at += sizeof(struct desc));
	}
	bytes += desc_len(d);
	usual = (uint16_t)small_table_flags(d, is_split);
	if (unlikely((usual & ~(uint32_t)VRING_DESC_F_WRITE) != 0 ||
		     !small_table_span(map, d, span) || bytes > UINT32_MAX))
		return false;
	if (unlikely(usual == 0)) {
		if (chain->nr_readable++ != span - spans)
			return false;
		chain->readable_bytes = (uint32_t)bytes;
	}
	chain->spans = spans;
	chain->bytes = (uint32_t)bytes;
	chain->nr_spans = (uint16_t)n;
	chain->fault = RING_FAULT_NONE;
	return true;
}

/* --- any form ----------------------------------------------------------- */

/*
 * A chain that is being read; the result of each step is FETCH_OK, _BAD, _FULL,
 * _BROKEN or _MISS (at the end, after the whole of it was looked at).
 */
struct walk {
	struct ring *vr;
	struct memview *view; /* of the buffers */
	struct span_pool *pool;
	struct chain *chain;
	bool want_writable;
	bool turns; /* CHAIN_BOTH: what is to be written has not come yet */
	bool is_request;
	unsigned int spans_max;
	unsigned int first_span;
	bool missing; /* parts of it are not translated yet */
	unsigned int miss_steps; /* what it took to say which (ring_miss_range()) */
	unsigned int nr_buffers; /* those of length 0 take no span, but time */
	uint64_t bytes;
};

static inline struct walk walk_start(struct ring *vr, enum chain_dir dir, struct span_pool *pool,
				     struct chain *chain)
{
	return (struct walk){ .vr = vr,
			      .view = &vr->views[dir == CHAIN_WRITABLE],
			      .pool = pool,
			      .chain = chain,
			      .want_writable = dir == CHAIN_WRITABLE,
			      .turns = dir == CHAIN_BOTH,
			      .is_request = dir == CHAIN_BOTH,
			      .spans_max = dir == CHAIN_BOTH ? REQUEST_SPANS_MAX : CHAIN_SPANS_MAX,
			      .first_span = pool->used };
}

enum fetch_result walk_bad(struct walk *w, enum ring_fault fault);

static inline enum fetch_result walk_broken(struct walk *w, enum ring_fault fault)
{
	w->vr->fault = fault;
	return FETCH_BROKEN;
}

/* The first buffer to write to, after those to read; false when none may come here. */
bool walk_turn(struct walk *w, bool writable);

/* Adds a buffer to the chain. */
enum fetch_result walk_add_anywhere(struct walk *w, uint64_t addr, uint32_t len);

static ALWAYS_INLINE enum fetch_result walk_add(struct walk *w, uint64_t addr, uint32_t len,
						bool writable)
{
	struct span_pool *pool = w->pool;

	if (unlikely(writable != w->want_writable) && !walk_turn(w, writable))
		return walk_bad(w, RING_FAULT_DIRECTION);
	if (unlikely(++w->nr_buffers > w->spans_max))
		return walk_bad(w, RING_FAULT_LENGTH);
	w->bytes += len;
	/* The usual buffer is whole in the region that the last one was in. */
	if (likely(len != 0 && pool->used - w->first_span < w->spans_max &&
		   pool->used < SPAN_POOL_SPANS &&
		   gmap_piece_resolve(&w->view->last, gpa(addr), len, &pool->spans[pool->used]))) {
		pool->used++;
		return FETCH_OK;
	}
	return walk_add_anywhere(w, addr, len);
}

/* All buffers are in. */
enum fetch_result walk_end(struct walk *w);

/* Pieces of an indirect table: it has 512 KiB at most, and regions are larger. */
#define WALK_TABLE_SPANS_MAX 8

/* An indirect table (virtio 1.2, 2.7.5.3 and 2.8.7); it may cross regions. */
struct walk_table {
	uint32_t nr_entries;
	unsigned int nr_spans;
	struct span spans[WALK_TABLE_SPANS_MAX];
};

enum fetch_result walk_table_open(struct walk *w, struct desc head, struct walk_table *table);
/* Entry `i`, which is below nr_entries. */
struct desc walk_table_read_across(const struct walk_table *table, uint32_t i);
static ALWAYS_INLINE struct desc walk_table_read(const struct walk_table *table, uint32_t i)
{
	const uint8_t __guest *at;
	struct desc d;

	if (unlikely(table->nr_spans != 1))
		return walk_table_read_across(table, i);
	at = table->spans[0].ptr + (size_t)i * sizeof(d);
	/* A word at a time, into registers. */
	shm_read(&d.addr, at, sizeof(d.addr));
	shm_read(&d.rest, at + sizeof(d.addr), sizeof(d.rest));
	return d;
}

/*
 * Of a request that is bad: keeps the last byte of `last`, its last descriptor. Who serves
 * requests has to say there that it did not.
 */
void walk_keep_end(struct walk *w, struct desc last, bool writable);

#endif
