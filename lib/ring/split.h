/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The split virtqueue (virtio 1.2, 2.7). Nothing above ring/ knows its format;
 * it is reached through the verbs of ring.h. Everything read here is written by
 * the guest at any time: each field is loaded once, checked, then used.
 */
#ifndef VHOST_NG_SPLIT_H
#define VHOST_NG_SPLIT_H

#include "ring_log.h"
#include "walk.h"

static ALWAYS_INLINE struct desc split_load_desc(uintptr_t table, uint32_t i)
{
	const uint64_t __guest *at = GUEST_AT(table, uint64_t, (uintptr_t)i * 2);

	return (struct desc){ .addr = shm_load64(at), .rest = shm_load64(at + 1) };
}

static ALWAYS_INLINE uint32_t split_desc_flags(struct desc d)
{
	return (uint16_t)(d.rest >> 32);
}

static ALWAYS_INLINE uint16_t split_desc_next(struct desc d)
{
	return (uint16_t)(d.rest >> 48);
}

/* What kind of descriptor it is. */
static ALWAYS_INLINE uint32_t split_desc_kind(struct desc d)
{
	return (uint32_t)(d.rest >> 32) & DESC_KIND;
}

/*
 * How many chains wait beyond `position`. More than the ring has entries: the
 * index makes no sense. Acquires what the guest wrote before it moved the index.
 */
static ALWAYS_INLINE unsigned int split_waiting(const struct ring *vr, uint16_t position)
{
	return (uint16_t)(shm_load16_acquire(GUEST_FIELD(vr->avail, struct vring_avail, idx)) -
			  position);
}

static ALWAYS_INLINE uint16_t split_head(uintptr_t avail, uint32_t slot)
{
	return shm_load16(GUEST_AT(avail, uint16_t, slot));
}

/* --- the usual form ----------------------------------------------------- */

static ALWAYS_INLINE struct ring_cursor split_open(struct ring *vr, enum chain_dir dir)
{
	struct ring_cursor c = { .view = &vr->views[dir],
				 .map = vr->views[dir].last,
				 .table = (uintptr_t)vr->desc,
				 .avail = (uintptr_t)vr->avail + sizeof(struct vring_avail),
				 .size = vr->size,
				 .mask = vr->size - 1u,
				 .at = vr->last_avail,
				 .left = split_waiting(vr, vr->last_avail) };

	if (unlikely(c.left > c.size)) {
		vr->fault = RING_FAULT_AVAIL;
		c.left = 0;
	}
	return c;
}

static ALWAYS_INLINE void split_close(struct ring *vr, enum chain_dir dir,
					  const struct ring_cursor *c)
{
	vr->views[dir].last = c->map;
	vr->last_avail = (uint16_t)c->at;
}

static ALWAYS_INLINE unsigned int split_peek(const struct ring_cursor *c, unsigned int max)
{
	return MIN2(c->left, max);
}

static ALWAYS_INLINE void split_take(struct ring_cursor *c, struct used used)
{
	(void)used;
	c->at++;
	c->left--;
}

/* The usual form in a table. */
bool split_next_in_table(const struct ring *vr, enum chain_dir dir, struct desc head,
			 uint32_t lead_bytes, struct piece *piece);

/* One descriptor or two that are linked, of `size` in `table`. */
static ALWAYS_INLINE bool split_piece(struct ring_cursor *c, enum chain_dir dir,
				      uintptr_t table, uint32_t size, struct desc d,
				      uint32_t lead_bytes, struct piece *piece)
{
	const uint32_t want = dir == CHAIN_WRITABLE ? VRING_DESC_F_WRITE : 0;
	struct desc second;

	if (likely(split_desc_kind(d) == want))
		return piece_of_one(c, d, lead_bytes, piece);
	if (split_desc_kind(d) != (want | VRING_DESC_F_NEXT) || split_desc_next(d) >= size)
		return false;
	second = split_load_desc(table, split_desc_next(d));
	return split_desc_kind(second) == want &&
	       piece_of_two(c, d, second, lead_bytes, piece);
}

static ALWAYS_INLINE enum ring_next split_next(const struct ring *vr, struct ring_cursor *c,
					       enum chain_dir dir, uint32_t lead_bytes,
					       struct piece *piece)
{
	struct piece in_table;
	uint32_t head;
	struct desc d;

	if (c->left == 0)
		return NEXT_NONE;
	head = split_head(c->avail, c->at & c->mask);
	if (unlikely(head > c->mask))
		return NEXT_OTHER;
	d = split_load_desc(c->table, head);
	if (unlikely(!split_piece(c, dir, c->table, c->size, d, lead_bytes, piece))) {
		if (!split_next_in_table(vr, dir, d, lead_bytes, &in_table))
			return NEXT_OTHER;
		*piece = in_table;
	}
	piece->used = used_make((uint16_t)head, 1);
	return NEXT_PIECE;
}

unsigned int split_fetch_requests(struct ring *vr, struct span_pool *pool, struct chain *chains,
				  unsigned int max);

/* --- any form ----------------------------------------------------------- */

enum fetch_result split_fetch(struct ring *vr, enum chain_dir dir, struct span_pool *pool,
			      struct chain *chain);

/*
 * What the chain at `head` consists of, as CHAIN_BOTH; it may have been taken long ago. FETCH_OK, or
 * it makes no sense; vr->fault stays as it is. The pool is empty before.
 */
enum fetch_result split_look_at(struct ring *vr, uint16_t head, struct span_pool *pool,
				struct chain *chain);

static ALWAYS_INLINE void split_rewind(struct ring *vr, const struct used *used, unsigned int n)
{
	(void)used;
	vr->last_avail = (uint16_t)(vr->last_avail - n);
}

/* The next chain is not for now: on to the one behind it. */
static ALWAYS_INLINE void split_skip(struct ring *vr, struct used used)
{
	(void)used;
	vr->last_avail++;
}

/* All that wait are not for now, if their number makes sense. */
static inline void split_skip_waiting(struct ring *vr)
{
	unsigned int n = split_waiting(vr, vr->last_avail);

	if (n <= vr->size)
		vr->last_avail = (uint16_t)(vr->last_avail + n);
}

/* Is `position` among the chains that wait, or right behind them? */
static ALWAYS_INLINE bool split_is_ahead(const struct ring *vr, uint16_t position)
{
	return (uint16_t)(position - vr->last_avail) <= split_waiting(vr, vr->last_avail);
}

/* --- giving back -------------------------------------------------------- */

static ALWAYS_INLINE void split_used_push(struct ring *vr, enum chain_dir dir,
					  const struct used *used, unsigned int n)
{
	const uintptr_t ring = (uintptr_t)vr->used + sizeof(struct vring_used);
	const uint32_t mask = vr->size - 1u;
	uint32_t at = vr->used_idx;

	(void)dir;
	for (const struct used *end = used + n; used < end; used++, at++) {
		/* struct vring_used_elem: id, length. */
		uint64_t elem = used->word & ~UINT64_C(0xffff0000);

		shm_write((void __guest *)(ring + (uintptr_t)(at & mask) * sizeof(elem)), &elem,
			  sizeof(elem));
	}
	vr->used_idx = (uint16_t)at;
	vr->unsignalled += n;
}

static ALWAYS_INLINE void split_publish(struct ring *vr)
{
	const uint16_t from = vr->published;

	vr->published = vr->used_idx;
	shm_store16_release(GUEST_FIELD(vr->used, struct vring_used, idx), vr->published);
	if (unlikely(vr->log != NULL))
		split_log_publish(vr, from);
}

/* The guest's word after its ring: raise an interrupt when used passes this. */
static ALWAYS_INLINE uint16_t split_used_event(const struct ring *vr)
{
	return shm_load16((const uint16_t __guest *)((uintptr_t)vr->avail +
						     sizeof(struct vring_avail) + vr->size * 2u));
}

/* Does the guest want to hear of the last `passed` chains? (virtio 1.2, 2.7.7) */
static ALWAYS_INLINE bool split_wants_call(const struct ring *vr, uint32_t passed)
{
	if (!vr->event_idx)
		return (shm_load16(GUEST_FIELD(vr->avail, struct vring_avail, flags)) &
			VRING_AVAIL_F_NO_INTERRUPT) == 0;
	return (uint16_t)(vr->published - split_used_event(vr) - 1) < passed;
}

/*
 * Asks the guest to kick (or not) when it adds chains. Under event index "not"
 * needs no action: an event index that is never moved is passed only once.
 */
static inline void split_kick_enable(struct ring *vr, bool enable)
{
	uint64_t offset = offsetof(struct vring_used, flags);
	uint16_t value = enable ? 0 : VRING_USED_F_NO_NOTIFY;

	if (vr->event_idx) {
		if (!enable)
			return;
		offset = sizeof(struct vring_used) + vr->size * sizeof(struct vring_used_elem);
		value = vr->last_avail;
	}
	shm_store16((uint16_t __guest *)((uintptr_t)vr->used + offset), value);
	if (vr->log != NULL)
		ring_log_used(vr, offset, sizeof(value));
}

#endif
