/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the chains of a split ring that are more than one plain descriptor.
 */
#include "split.h"

bool split_next_in_table(const struct ring *vr, enum chain_dir dir, struct desc head,
			 uint32_t lead_bytes, struct piece *piece)
{
	struct ring_cursor c = { .view = &vr->views[dir], .map = vr->views[dir].last };
	uintptr_t table;
	uint32_t size;

	return (split_desc_kind(head) & ~(uint32_t)VRING_DESC_F_WRITE) == VRING_DESC_F_INDIRECT &&
	       cursor_small_table(vr, &c, head, &table, &size) &&
	       split_piece(&c, dir, table, size, split_load_desc(table, 0), lead_bytes, piece);
}

unsigned int split_fetch_requests(struct ring *vr, struct span_pool *pool, struct chain *chains,
				  unsigned int max)
{
	const struct ring_cursor c = split_open(vr, CHAIN_READABLE);
	const struct span *end = &pool->spans[SPAN_POOL_SPANS - SMALL_TABLE_ENTRIES];
	struct span *spans = &pool->spans[pool->used];
	unsigned int n;

	max = vr->misses == NULL ? MIN2(max, c.left) : 0;
	for (n = 0; n < max && spans <= end; n++) {
		const uint32_t head = split_head(c.avail, (c.at + n) & c.mask);
		struct desc d;

		if (head >= c.size)
			break;
		d = split_load_desc(c.table, head);
		if (split_desc_kind(d) != VRING_DESC_F_INDIRECT ||
		    !walk_small_table(&c.map, d, true, spans, &chains[n]))
			break;
		chains[n].used = used_make((uint16_t)head, 1);
		request_prefetch(&chains[n]);
		spans += chains[n].nr_spans;
	}
	pool->used = (unsigned int)(spans - pool->spans);
	vr->last_avail = (uint16_t)(c.at + n);
	return n;
}

static enum fetch_result add(struct walk *w, struct desc d)
{
	return walk_add(w, d.addr, desc_len(d), (split_desc_flags(d) & VRING_DESC_F_WRITE) != 0);
}

/*
 * `link`, which is usually one up. The processor takes the guess and goes on, and does
 * not wait for each entry to say where the next one is.
 */
static ALWAYS_INLINE uint32_t following(uint32_t at, uint32_t link)
{
	const uint32_t guess = at + 1;

	return likely(link == guess) ? guess : RARELY_USED(link);
}

static void keep_end(struct walk *w, struct desc last)
{
	walk_keep_end(w, last, split_desc_kind(last) == VRING_DESC_F_WRITE);
}

/* A descriptor that stands for a table of descriptors (virtio 1.2, 2.7.5.3). */
static enum fetch_result walk_indirect(struct walk *w, struct desc head)
{
	struct walk_table table;
	enum fetch_result ret;
	uint32_t next = 0;
	struct desc d;

	if ((split_desc_flags(head) & VRING_DESC_F_NEXT) != 0)
		return walk_bad(w, RING_FAULT_INDIRECT);
	ret = walk_table_open(w, head, &table);
	/* At most `nr_entries` steps: more would be a loop. */
	for (uint32_t steps = 0; ret == FETCH_OK; steps++) {
		if (steps == table.nr_entries || next >= table.nr_entries)
			return walk_bad(w, RING_FAULT_INDIRECT);
		d = walk_table_read(&table, next);
		if ((split_desc_flags(d) & VRING_DESC_F_INDIRECT) != 0)
			return walk_bad(w, RING_FAULT_INDIRECT);
		ret = add(w, d);
		if (unlikely(ret == FETCH_BAD))
			keep_end(w, walk_table_read(&table, table.nr_entries - 1));
		if ((split_desc_flags(d) & VRING_DESC_F_NEXT) == 0)
			break;
		next = following(next, split_desc_next(d));
	}
	return ret;
}

/* The end of a chain, one of whose descriptors, `d`, is bad. */
static COLD void find_end(struct walk *w, struct desc d)
{
	for (uint32_t steps = 0; steps < w->vr->size; steps++) {
		uint32_t next = split_desc_next(d);

		if ((split_desc_flags(d) & VRING_DESC_F_NEXT) == 0) {
			keep_end(w, d);
			return;
		}
		if (next >= w->vr->size)
			return;
		d = split_load_desc((uintptr_t)w->vr->desc, next);
	}
}

/* Descriptors of the ring itself, linked by `next`. */
static enum fetch_result walk_direct(struct walk *w, uint32_t head)
{
	uint32_t size = w->vr->size, next = head;

	for (uint32_t steps = 0;; steps++) {
		enum fetch_result ret;
		struct desc d;

		if (next >= size)
			return walk_broken(w, RING_FAULT_INDEX);
		if (steps == size)
			return walk_broken(w, RING_FAULT_LOOP);
		d = split_load_desc((uintptr_t)w->vr->desc, next);
		/* Plain descriptors may come before the table, none after it. */
		if ((split_desc_flags(d) & VRING_DESC_F_INDIRECT) != 0)
			ret = walk_indirect(w, d);
		else
			ret = add(w, d);
		if (unlikely(ret == FETCH_BAD) && w->is_request &&
		    (split_desc_flags(d) & VRING_DESC_F_INDIRECT) == 0)
			find_end(w, d);
		if (ret != FETCH_OK || (split_desc_flags(d) & VRING_DESC_F_NEXT) == 0)
			return ret;
		next = split_desc_next(d);
	}
}

enum fetch_result split_fetch(struct ring *vr, enum chain_dir dir, struct span_pool *pool,
			      struct chain *chain)
{
	struct walk w = walk_start(vr, dir, pool, chain);
	struct ring_cursor c = split_open(vr, CHAIN_READABLE);
	enum fetch_result ret;
	uint16_t head;

	if (c.left == 0)
		return vr->fault == RING_FAULT_NONE ? FETCH_NONE : FETCH_BROKEN;
	head = split_head(c.avail, c.at & (c.size - 1));
	chain->used = used_make(head, 1);
	ret = walk_direct(&w, head);
	if (ret == FETCH_OK)
		ret = walk_end(&w);
	if (ret == FETCH_OK || ret == FETCH_BAD)
		vr->last_avail++;
	return ret;
}

enum fetch_result split_look_at(struct ring *vr, uint16_t head, struct span_pool *pool,
				struct chain *chain)
{
	struct walk w = walk_start(vr, CHAIN_BOTH, pool, chain);
	const enum ring_fault fault = vr->fault;
	enum fetch_result ret = walk_direct(&w, head);

	if (ret == FETCH_OK)
		ret = walk_end(&w);
	vr->fault = fault;
	return ret;
}
