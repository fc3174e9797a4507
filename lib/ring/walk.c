/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "walk.h"

enum fetch_result walk_bad(struct walk *w, enum ring_fault fault)
{
	w->chain->fault = (uint16_t)fault;
	w->chain->spans = &w->pool->spans[w->first_span];
	w->chain->nr_spans = 0;
	w->chain->nr_readable = 0;
	w->chain->readable_bytes = 0;
	w->chain->bytes = 0;
	w->pool->used = w->first_span;
	return FETCH_BAD;
}

/*
 * A byte at view->absent is not in memory. Under a vIOMMU it may come: then the
 * walk goes on, to learn all that the chain needs, and ends with FETCH_MISS.
 */
static enum fetch_result walk_absent(struct walk *w, const struct memview *view, uint64_t addr,
				     uint32_t len)
{
	const struct memview *views = w->vr->views;
	const bool writable = view == &views[CHAIN_WRITABLE];
	const uint8_t access = writable ? IOTLB_WRITE : IOTLB_READ;
	struct ring_misses *misses = w->vr->misses;
	gpa_t absent = view->absent;

	if (misses == NULL)
		return walk_bad(w, RING_FAULT_ADDRESS);
	/* It is there, but not for this. */
	if (gmap_has(views[writable ? CHAIN_READABLE : CHAIN_WRITABLE].map, absent)) {
		ring_miss_refused(misses, iova(absent.v), access);
		return walk_bad(w, RING_FAULT_ADDRESS);
	}
	w->miss_steps += ring_miss_range(misses, view->map, iova(absent.v),
					 len - (absent.v - addr), access,
					 RING_MISS_STEPS_MAX - w->miss_steps);
	w->missing = true;
	return FETCH_OK;
}

bool walk_turn(struct walk *w, bool writable)
{
	if (!w->turns || !writable)
		return false;
	w->turns = false;
	w->want_writable = true;
	w->view = &w->vr->views[CHAIN_WRITABLE];
	w->chain->nr_readable = (uint16_t)(w->pool->used - w->first_span);
	/* Should it not fit, the chain's sum does not either. */
	w->chain->readable_bytes = (uint32_t)w->bytes;
	return true;
}

enum fetch_result walk_add_anywhere(struct walk *w, uint64_t addr, uint32_t len)
{
	struct span_pool *pool = w->pool;
	unsigned int taken = pool->used - w->first_span;
	unsigned int room = MIN2(SPAN_POOL_SPANS - pool->used, w->spans_max - taken);
	int n = memview_resolve(w->view, gpa(addr), len, &pool->spans[pool->used], room);

	if (n == -EFAULT)
		return walk_absent(w, w->view, addr, len);
	if (n < 0) {
		/* Out of room: of the chain's own, or of what the burst has left? */
		if (room == w->spans_max - taken)
			return walk_bad(w, RING_FAULT_LENGTH);
		pool->used = w->first_span;
		return FETCH_FULL;
	}
	pool->used += (unsigned int)n;
	return FETCH_OK;
}

enum fetch_result walk_end(struct walk *w)
{
	if (w->missing) {
		w->pool->used = w->first_span;
		return FETCH_MISS;
	}
	if (w->bytes > UINT32_MAX)
		return walk_bad(w, RING_FAULT_LENGTH);
	w->chain->spans = &w->pool->spans[w->first_span];
	w->chain->nr_spans = (uint16_t)(w->pool->used - w->first_span);
	w->chain->bytes = (uint32_t)w->bytes;
	w->chain->fault = RING_FAULT_NONE;
	if (w->turns) {
		w->chain->nr_readable = w->chain->nr_spans;
		w->chain->readable_bytes = w->chain->bytes;
	}
	return FETCH_OK;
}

enum fetch_result walk_table_open(struct walk *w, struct desc head, struct walk_table *table)
{
	struct memview *readable = &w->vr->views[CHAIN_READABLE];
	uint32_t len = desc_len(head);
	enum fetch_result ret;
	int nr_spans;

	table->nr_entries = len / (uint32_t)sizeof(struct desc);
	if (len == 0 || len % sizeof(struct desc) != 0 || table->nr_entries > VRING_SIZE_MAX)
		return walk_bad(w, RING_FAULT_INDIRECT);
	if (likely(gmap_piece_resolve(&readable->last, gpa(head.addr), len, table->spans))) {
		table->nr_spans = 1;
		return FETCH_OK;
	}
	nr_spans = memview_resolve(readable, gpa(head.addr), len, table->spans,
				   ARRAY_LEN(table->spans));
	if (nr_spans == -EFAULT) {
		ret = walk_absent(w, readable, head.addr, len);
		/* What else the chain needs stands in what is missing. */
		return ret == FETCH_OK ? walk_end(w) : ret;
	}
	if (nr_spans < 0)
		return walk_bad(w, RING_FAULT_INDIRECT);
	table->nr_spans = (unsigned int)nr_spans;
	return FETCH_OK;
}

struct desc walk_table_read_across(const struct walk_table *table, uint32_t i)
{
	uint64_t skip = (uint64_t)i * sizeof(struct desc);
	const struct span *s = table->spans;
	struct span head;
	struct desc d = { 0 };
	size_t got;

	while (skip >= s->len_bytes) {
		skip -= s->len_bytes;
		s++;
	}
	head = (struct span){ .ptr = s->ptr + skip, .len_bytes = s->len_bytes - (uint32_t)skip };
	got = spans_read(&head, 1, &d, sizeof(d));
	spans_read(s + 1, (unsigned int)(&table->spans[table->nr_spans] - (s + 1)),
		   (uint8_t *)&d + got, sizeof(d) - got);
	return d;
}

void walk_keep_end(struct walk *w, struct desc last, bool writable)
{
	struct memview *view = &w->vr->views[CHAIN_WRITABLE];
	struct span_pool *pool = w->pool;
	uint32_t len = desc_len(last);

	if (!w->is_request || !writable ||
	    len == 0 || !range_within(last.addr, len, UINT64_MAX) ||
	    pool->used == SPAN_POOL_SPANS ||
	    memview_resolve(view, gpa(last.addr + len - 1), 1, &pool->spans[pool->used], 1) != 1)
		return;
	w->chain->spans = &pool->spans[pool->used++];
	w->chain->nr_spans = 1;
	w->chain->bytes = 1;
}
