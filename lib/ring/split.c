/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The general descriptor walk of a split ring; the common case of one plain
 * descriptor never gets here (split.h).
 */
#include <errno.h>

#include "split.h"

/* A walk in progress: where the next descriptor comes from, what was found. */
struct walk {
	struct ring *vr;
	enum chain_dir dir;
	struct span_pool *pool;
	struct chain *chain;
	unsigned int first_span;
	unsigned int nr_buffers; /* those of length 0 take no span, but time */
	uint64_t bytes;
};

static enum fetch_result bad(struct walk *w, enum ring_fault fault)
{
	w->chain->fault = (uint16_t)fault;
	w->chain->nr_spans = 0;
	w->chain->bytes = 0;
	w->pool->used = w->first_span;
	return FETCH_BAD;
}

static enum fetch_result broken(struct walk *w, enum ring_fault fault)
{
	w->vr->fault = fault;
	return FETCH_BROKEN;
}

/* Adds one buffer to the chain. */
static enum fetch_result add_buffer(struct walk *w, const struct split_desc *d)
{
	struct span_pool *pool = w->pool;
	unsigned int taken = pool->used - w->first_span;
	unsigned int room = MIN2(SPAN_POOL_SPANS - pool->used, CHAIN_SPANS_MAX - taken);
	bool writable = (d->flags & VRING_DESC_F_WRITE) != 0;
	int n;

	if (writable != (w->dir == CHAIN_WRITABLE))
		return bad(w, RING_FAULT_DIRECTION);
	if (++w->nr_buffers > CHAIN_SPANS_MAX)
		return bad(w, RING_FAULT_LENGTH);
	n = gmem_resolve(&w->vr->view, gpa(d->addr), d->len, &pool->spans[pool->used], room);
	if (n == -EFAULT)
		return bad(w, RING_FAULT_ADDRESS);
	if (n < 0) {
		/* Out of room: of the chain's own, or of what the burst has left? */
		if (room == CHAIN_SPANS_MAX - taken)
			return bad(w, RING_FAULT_LENGTH);
		pool->used = w->first_span;
		return FETCH_FULL;
	}
	pool->used += (unsigned int)n;
	w->bytes += d->len;
	if (w->bytes > UINT32_MAX)
		return bad(w, RING_FAULT_LENGTH);
	return FETCH_OK;
}

/* Reads entry `i` of an indirect table that may cross regions. */
static void load_indirect(const struct span *table, unsigned int nr_spans, uint32_t i,
			  struct split_desc *out)
{
	uint64_t skip = (uint64_t)i * sizeof(struct vring_desc);
	struct vring_desc raw = { 0 };

	while (nr_spans != 0 && skip >= table->len_bytes) {
		skip -= table->len_bytes;
		table++;
		nr_spans--;
	}
	if (nr_spans != 0) {
		struct span head = { .ptr = table->ptr + skip,
				     .len_bytes = table->len_bytes - (uint32_t)skip };
		size_t got = spans_read(&head, 1, &raw, sizeof(raw));

		spans_read(table + 1, nr_spans - 1, (uint8_t *)&raw + got, sizeof(raw) - got);
	}
	*out = (struct split_desc){
		.addr = raw.addr, .len = raw.len, .flags = raw.flags, .next = raw.next
	};
}

/* A descriptor that stands for a table of descriptors (virtio 1.2, 2.7.5.3). */
static enum fetch_result walk_indirect(struct walk *w, const struct split_desc *head)
{
	struct span table[GMEM_REGIONS_MAX];
	uint32_t entries = head->len / (uint32_t)sizeof(struct vring_desc);
	struct split_desc d = { .flags = VRING_DESC_F_NEXT, .next = 0 };
	int nr_spans;

	if (head->len == 0 || head->len % sizeof(struct vring_desc) != 0 ||
	    entries > VRING_SIZE_MAX || (head->flags & VRING_DESC_F_NEXT) != 0)
		return bad(w, RING_FAULT_INDIRECT);
	nr_spans = gmem_resolve(&w->vr->view, gpa(head->addr), head->len, table, ARRAY_LEN(table));
	if (nr_spans < 0)
		return bad(w, RING_FAULT_ADDRESS);

	/* At most `entries` steps: more would be a loop. */
	for (uint32_t steps = 0; (d.flags & VRING_DESC_F_NEXT) != 0; steps++) {
		enum fetch_result ret;

		if (steps == entries || d.next >= entries)
			return bad(w, RING_FAULT_INDIRECT);
		load_indirect(table, (unsigned int)nr_spans, d.next, &d);
		if ((d.flags & VRING_DESC_F_INDIRECT) != 0)
			return bad(w, RING_FAULT_INDIRECT);
		ret = add_buffer(w, &d);
		if (ret != FETCH_OK)
			return ret;
	}
	return FETCH_OK;
}

/* Descriptors of the ring itself, linked by `next`. */
static enum fetch_result walk_direct(struct walk *w, struct split_desc d)
{
	uint16_t size = w->vr->size;

	for (uint32_t steps = 1;; steps++) {
		enum fetch_result ret;

		/* Plain descriptors may come before the table, none after it. */
		if ((d.flags & VRING_DESC_F_INDIRECT) != 0)
			ret = walk_indirect(w, &d);
		else
			ret = add_buffer(w, &d);
		if (ret != FETCH_OK || (d.flags & VRING_DESC_F_NEXT) == 0)
			return ret;
		if (d.next >= size)
			return broken(w, RING_FAULT_INDEX);
		if (steps == size)
			return broken(w, RING_FAULT_LOOP);
		d = split_load_desc(GUEST_AT(w->vr->desc, struct vring_desc, d.next));
	}
}

enum fetch_result split_fetch_walk(struct ring *vr, enum chain_dir dir, struct split_desc desc,
				   struct span_pool *pool, struct chain *chain)
{
	struct walk w = {
		.vr = vr, .dir = dir, .pool = pool, .chain = chain, .first_span = pool->used
	};
	enum fetch_result ret = walk_direct(&w, desc);

	if (ret != FETCH_OK)
		return ret;
	chain->spans = &pool->spans[w.first_span];
	chain->nr_spans = (uint16_t)(pool->used - w.first_span);
	chain->bytes = (uint32_t)w.bytes;
	return FETCH_OK;
}
