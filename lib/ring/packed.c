/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the chains of a packed ring that are more than one plain descriptor.
 */
#include "packed.h"

bool packed_next_in_table(const struct ring *vr, enum chain_dir dir, struct desc head,
			  uint32_t lead_bytes, struct piece *piece)
{
	const uint32_t want = dir == CHAIN_WRITABLE ? VRING_DESC_F_WRITE : 0;
	/* NEXT means nothing in a table (2.8.7). */
	const uint32_t kinds = DESC_KIND & ~(uint32_t)VRING_DESC_F_NEXT;
	struct ring_cursor c = { .view = &vr->views[dir], .map = vr->views[dir].last };
	struct desc first, second;
	uintptr_t table;
	uint32_t size;

	if ((packed_desc_kind(head) & ~(uint32_t)VRING_DESC_F_WRITE) != VRING_DESC_F_INDIRECT ||
	    !cursor_small_table(vr, &c, head, &table, &size))
		return false;
	first = packed_load_desc(table, 0);
	if ((packed_desc_flags(first) & kinds) != want)
		return false;
	if (size == 1)
		return piece_of_one(&c, first, lead_bytes, piece);
	second = packed_load_desc(table, 1);
	return (packed_desc_flags(second) & kinds) == want &&
	       piece_of_two(&c, first, second, lead_bytes, piece);
}

unsigned int packed_fetch_requests(struct ring *vr, struct span_pool *pool, struct chain *chains,
				   unsigned int max)
{
	struct ring_cursor c = packed_open(vr, CHAIN_READABLE);
	const struct span *end = &pool->spans[SPAN_POOL_SPANS - SMALL_TABLE_ENTRIES];
	struct span *spans = &pool->spans[pool->used];
	unsigned int n;

	max = vr->misses == NULL ? max : 0;
	for (n = 0; n < max && spans <= end; n++) {
		const struct desc d = packed_load_desc(c.table, c.at);

		if (!packed_is_avail(packed_desc_flags(d), c.lap) ||
		    packed_desc_kind(d) != VRING_DESC_F_INDIRECT ||
		    !walk_small_table(&c.map, d, false, spans, &chains[n]))
			break;
		chains[n].used = used_make(packed_desc_id(d), 1);
		request_prefetch(&chains[n]);
		spans += chains[n].nr_spans;
		packed_advance(c.size, &c.at, &c.lap, 1);
	}
	pool->used = (unsigned int)(spans - pool->spans);
	vr->last_avail = packed_position(c.at, c.lap);
	return n;
}

static enum fetch_result add(struct walk *w, struct desc d)
{
	return walk_add(w, d.addr, desc_len(d), (packed_desc_flags(d) & VRING_DESC_F_WRITE) != 0);
}

static void keep_end(struct walk *w, struct desc last)
{
	walk_keep_end(w, last, (packed_desc_flags(last) & VRING_DESC_F_WRITE) != 0);
}

/* A table: all entries in order, no links (virtio 1.2, 2.8.7). */
static enum fetch_result walk_indirect(struct walk *w, struct desc head)
{
	struct walk_table table;
	enum fetch_result ret = walk_table_open(w, head, &table);

	for (uint32_t i = 0; ret == FETCH_OK && i < table.nr_entries; i++) {
		struct desc d = walk_table_read(&table, i);

		if ((packed_desc_flags(d) & VRING_DESC_F_INDIRECT) != 0)
			return walk_bad(w, RING_FAULT_INDIRECT);
		ret = add(w, d);
		if (unlikely(ret == FETCH_BAD))
			keep_end(w, walk_table_read(&table, table.nr_entries - 1));
	}
	return ret;
}

/*
 * Descriptors one after the other. Where a chain ends is where its last
 * descriptor is, bad or not: a bad one is read to its end, to be given back.
 */
static enum fetch_result walk_direct(struct walk *w, struct desc d, uint32_t at)
{
	enum fetch_result ret = FETCH_OK;

	for (uint32_t slots = 1;; slots++) {
		uint32_t flags = packed_desc_flags(d);

		if (ret != FETCH_OK)
			; /* only looking for the end */
		else if ((flags & VRING_DESC_F_INDIRECT) == 0)
			ret = add(w, d);
		else if (slots != 1 || (flags & VRING_DESC_F_NEXT) != 0)
			ret = walk_bad(w, RING_FAULT_INDIRECT); /* 2.8.19: never both */
		else
			ret = walk_indirect(w, d);
		if (ret == FETCH_FULL)
			return ret;
		if ((flags & VRING_DESC_F_NEXT) == 0) {
			w->chain->used = used_make(packed_desc_id(d), slots);
			if (unlikely(ret == FETCH_BAD) && (flags & VRING_DESC_F_INDIRECT) == 0)
				keep_end(w, d);
			return ret;
		}
		if (slots == w->vr->size)
			return walk_broken(w, RING_FAULT_LOOP);
		if (++at == w->vr->size)
			at = 0;
		d = packed_load_desc((uintptr_t)w->vr->packed, at);
	}
}

enum fetch_result packed_fetch(struct ring *vr, enum chain_dir dir, struct span_pool *pool,
			       struct chain *chain)
{
	struct walk w = walk_start(vr, dir, pool, chain);
	uint32_t at = packed_index(vr->last_avail), lap = packed_avail_lap(vr->last_avail);
	struct desc d = packed_load_desc((uintptr_t)vr->packed, at);
	enum fetch_result ret;

	if (!packed_is_avail(packed_desc_flags(d), lap))
		return FETCH_NONE;
	ret = walk_direct(&w, d, at);
	if (ret == FETCH_OK)
		ret = walk_end(&w);
	if (ret == FETCH_OK || ret == FETCH_BAD) {
		packed_advance(vr->size, &at, &lap, used_slots(chain->used));
		vr->last_avail = packed_position(at, lap);
	}
	return ret;
}

/* Moves `position` behind the chains that wait there; returns how many. */
static unsigned int pass_waiting(const struct ring *vr, uint16_t *position)
{
	uint32_t at = packed_index(*position), lap = packed_avail_lap(*position);
	unsigned int chains = 0;
	bool inside = false;

	for (uint32_t slots = 0; slots < vr->size; slots++) {
		struct desc d = packed_load_desc((uintptr_t)vr->packed, at);

		if (!inside && !packed_is_avail(packed_desc_flags(d), lap))
			break;
		inside = (packed_desc_flags(d) & VRING_DESC_F_NEXT) != 0;
		chains += !inside;
		packed_advance(vr->size, &at, &lap, 1);
	}
	*position = packed_position(at, lap);
	return chains;
}

unsigned int packed_waiting(const struct ring *vr, uint16_t position)
{
	return pass_waiting(vr, &position);
}

void packed_skip_waiting(struct ring *vr)
{
	(void)pass_waiting(vr, &vr->last_avail);
}
