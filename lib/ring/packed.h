/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packed virtqueue (virtio 1.2, 2.8), behind the same verbs as split.h. A
 * position is an index in bits 0 to 14 and the wrap counter in bit 15, as the
 * event words, SET_VRING_BASE and the public API have it.
 */
#ifndef VHOST_NG_PACKED_H
#define VHOST_NG_PACKED_H

#include "redo.h"
#include "ring_log.h"
#include "walk.h"

#define PACKED_WRAP (1u << VRING_PACKED_EVENT_F_WRAP_CTR)
#define PACKED_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED (1u << VRING_PACKED_DESC_F_USED)

/* Length, id and flags in one word: what the guest writes last, and so do we. */
static ALWAYS_INLINE uint64_t __guest *packed_rest(uintptr_t table, uint32_t i)
{
	return GUEST_AT(table, uint64_t, (uintptr_t)i * 2 + 1);
}

/* The word with the flags first: they say that the other is there. */
static ALWAYS_INLINE struct desc packed_load_desc(uintptr_t table, uint32_t i)
{
	uint64_t rest = shm_load64_acquire(packed_rest(table, i));

	return (struct desc){ .addr = shm_load64(GUEST_AT(table, uint64_t, (uintptr_t)i * 2)),
			      .rest = rest };
}

static ALWAYS_INLINE uint16_t packed_desc_id(struct desc d)
{
	return (uint16_t)(d.rest >> 32);
}

static ALWAYS_INLINE uint32_t packed_desc_flags(struct desc d)
{
	return (uint32_t)(d.rest >> 48);
}

static ALWAYS_INLINE uint32_t packed_desc_kind(struct desc d)
{
	return packed_desc_flags(d) & DESC_KIND;
}

/*
 * A lap of the ring, as the flags of its descriptors say it (2.8.1): those of an
 * available one have the bit that matches the wrap counter, those of a used one
 * have both bits or none. A new lap turns both over.
 */
#define PACKED_LAP (PACKED_AVAIL | PACKED_USED)

static ALWAYS_INLINE uint32_t packed_avail_lap(uint16_t position)
{
	return (position & PACKED_WRAP) != 0 ? PACKED_AVAIL : PACKED_USED;
}

static ALWAYS_INLINE uint32_t packed_used_lap(uint16_t position)
{
	return (position & PACKED_WRAP) != 0 ? PACKED_LAP : 0;
}

static ALWAYS_INLINE bool packed_is_avail(uint32_t flags, uint32_t avail_lap)
{
	return (flags & PACKED_LAP) == avail_lap;
}

/* `slots` (at most the ring's size) further on. */
static ALWAYS_INLINE void packed_advance(uint32_t size, uint32_t *at, uint32_t *lap,
					 uint32_t slots)
{
	*at += slots;
	if (unlikely(*at >= size)) {
		*at -= size;
		*lap ^= PACKED_LAP;
	}
}

/* The position of either lap: one has AVAIL in it exactly when the wrap counter is 1. */
static ALWAYS_INLINE uint16_t packed_position(uint32_t at, uint32_t lap)
{
	return (uint16_t)(at | ((lap & PACKED_AVAIL) != 0 ? PACKED_WRAP : 0));
}

static ALWAYS_INLINE uint32_t packed_index(uint16_t position)
{
	return position & ~PACKED_WRAP;
}

/* Chains that wait beyond `position`; looks at every descriptor up to the first that is not. */
unsigned int packed_waiting(const struct ring *vr, uint16_t position);

/* --- the usual form ----------------------------------------------------- */

static ALWAYS_INLINE struct ring_cursor packed_open(struct ring *vr, enum chain_dir dir)
{
	return (struct ring_cursor){ .view = &vr->views[dir],
				     .map = vr->views[dir].last,
				     .table = (uintptr_t)vr->packed,
				     .size = vr->size,
				     .at = packed_index(vr->last_avail),
				     .lap = packed_avail_lap(vr->last_avail) };
}

static ALWAYS_INLINE void packed_close(struct ring *vr, enum chain_dir dir,
					   const struct ring_cursor *c)
{
	vr->views[dir].last = c->map;
	vr->last_avail = packed_position(c->at, c->lap);
}

/* Counts descriptors, of which a chain may take several. */
static ALWAYS_INLINE unsigned int packed_peek(const struct ring_cursor *c, unsigned int max)
{
	uint32_t at = c->at, lap = c->lap;
	unsigned int n;

	for (n = 0; n < max; n++) {
		uint16_t flags = (uint16_t)(shm_load64(packed_rest(c->table, at)) >> 48);

		if (!packed_is_avail(flags, lap))
			break;
		packed_advance(c->size, &at, &lap, 1);
	}
	return n;
}

static ALWAYS_INLINE void packed_take(struct ring_cursor *c, struct used used)
{
	packed_advance(c->size, &c->at, &c->lap, used_slots(used));
}

/* The usual form in a table. */
bool packed_next_in_table(const struct ring *vr, enum chain_dir dir, struct desc head,
			  uint32_t lead_bytes, struct piece *piece);

static ALWAYS_INLINE enum ring_next packed_next(const struct ring *vr, struct ring_cursor *c,
						enum chain_dir dir, uint32_t lead_bytes,
						struct piece *piece)
{
	const uint32_t want = dir == CHAIN_WRITABLE ? VRING_DESC_F_WRITE : 0;
	struct desc d = packed_load_desc(c->table, c->at), second;
	struct piece in_table;

	/* Available and plain: one comparison. */
	if (likely((packed_desc_flags(d) & (PACKED_LAP | DESC_KIND)) == (c->lap | want))) {
		piece->used = used_make(packed_desc_id(d), 1);
		return likely(piece_of_one(c, d, lead_bytes, piece)) ? NEXT_PIECE : NEXT_OTHER;
	}
	if (!packed_is_avail(packed_desc_flags(d), c->lap))
		return NEXT_NONE;
	if (packed_desc_kind(d) == (want | VRING_DESC_F_NEXT)) {
		second = packed_load_desc(c->table, c->at + 1 == c->size ? 0 : c->at + 1);
		piece->used = used_make(packed_desc_id(second), 2);
		/* In a ring of one this may be the same, with NEXT taken back meanwhile. */
		return packed_desc_kind(second) == want && c->size != 1 &&
				       piece_of_two(c, d, second, lead_bytes, piece) ?
			       NEXT_PIECE :
			       NEXT_OTHER;
	}
	if (!packed_next_in_table(vr, dir, d, lead_bytes, &in_table))
		return NEXT_OTHER;
	*piece = in_table;
	piece->used = used_make(packed_desc_id(d), 1);
	return NEXT_PIECE;
}

/* --- any form ----------------------------------------------------------- */

unsigned int packed_fetch_requests(struct ring *vr, struct span_pool *pool, struct chain *chains,
				   unsigned int max);

enum fetch_result packed_fetch(struct ring *vr, enum chain_dir dir, struct span_pool *pool,
			       struct chain *chain);

static ALWAYS_INLINE void packed_rewind(struct ring *vr, const struct used *used, unsigned int n)
{
	uint32_t at = packed_index(vr->last_avail), lap = packed_avail_lap(vr->last_avail);

	for (unsigned int i = 0; i < n; i++) {
		if (at < used_slots(used[i])) {
			at += vr->size;
			lap ^= PACKED_LAP;
		}
		at -= used_slots(used[i]);
	}
	vr->last_avail = packed_position(at, lap);
}

/* The next chain is not for now: on to the one behind it. */
static ALWAYS_INLINE void packed_skip(struct ring *vr, struct used used)
{
	uint32_t at = packed_index(vr->last_avail), lap = packed_avail_lap(vr->last_avail);

	packed_advance(vr->size, &at, &lap, used_slots(used));
	vr->last_avail = packed_position(at, lap);
}

/* All that wait are not for now. */
void packed_skip_waiting(struct ring *vr);

/* Is `position` one of the ring's, and at most once round ahead of the next chain? */
static ALWAYS_INLINE bool packed_is_ahead(const struct ring *vr, uint16_t position)
{
	uint32_t slots = packed_index(position) - packed_index(vr->last_avail);

	if (((position ^ vr->last_avail) & PACKED_WRAP) != 0)
		slots += vr->size;
	return packed_index(position) < vr->size && slots <= vr->size;
}

/* --- giving back -------------------------------------------------------- */

/* The second half of a used descriptor: length, id, flags. */
static ALWAYS_INLINE uint64_t packed_elem(struct used u, uint32_t flags)
{
	/* Halves swapped, a struct used has all in its place, and its slots where the flags go. */
	uint64_t swapped = u.word << 32 | u.word >> 32;

	return swapped + ((uint64_t)(flags - used_slots(u)) << 48);
}

static ALWAYS_INLINE void packed_used_push(struct ring *vr, enum chain_dir dir,
					   const struct used *used, unsigned int n)
{
	const uintptr_t table = (uintptr_t)vr->packed;
	const uint32_t size = vr->size;
	/* WRITE: the length counts, also one of 0. */
	const uint32_t written = dir != CHAIN_READABLE ? VRING_DESC_F_WRITE : 0;
	const uint32_t first_at = packed_index(vr->used_idx);
	const uint32_t first_lap = packed_used_lap(vr->used_idx);
	uint32_t at = first_at, lap = first_lap, slots = used_slots(*used);
	/* In order, and nothing to say of the others: the last one stands for all (2.8.13). */
	const bool one = dir == CHAIN_READABLE && vr->in_order;
	const struct used first = one ? used[n - 1] : *used;

	if (unlikely(vr->redo != NULL))
		redo_begin(vr, used, n);
	packed_advance(size, &at, &lap, slots);
	for (const struct used *u = used + 1, *end = used + n; u < end; u++) {
		/* Visible at once, and nothing before its data. */
		if (!one)
			shm_store64_release(packed_rest(table, at),
					    packed_elem(*u, lap | written));
		slots += used_slots(*u);
		packed_advance(size, &at, &lap, used_slots(*u));
	}
	/*
	 * The first one last: the driver looks at nothing behind it, so a packet
	 * in several chains is there as a whole or not at all (5.1.6.4).
	 */
	shm_store64_release(packed_rest(table, first_at), packed_elem(first, first_lap | written));
	vr->used_idx = packed_position(at, lap);
	vr->unsignalled += slots;
	if (unlikely(vr->redo != NULL))
		redo_end(vr);
	if (unlikely(vr->log != NULL))
		packed_log_push(vr, dir, used, n);
}

/* Every store of packed_used_push() was visible at once. */
static ALWAYS_INLINE void packed_publish(struct ring *vr)
{
	vr->published = vr->used_idx;
	if (unlikely(vr->log != NULL))
		ring_log_tell(vr);
}

/* Does the guest want to hear of the last `passed` slots? (virtio 1.2, 2.8.10) */
static ALWAYS_INLINE bool packed_wants_call(const struct ring *vr, uint32_t passed)
{
	/* Both halves at once: the position means what these flags say. */
	uint32_t event = shm_load32((const uint32_t __guest *)(uintptr_t)vr->driver_event);
	uint16_t position = (uint16_t)event, flags = (uint16_t)(event >> 16);
	uint16_t now = vr->published;
	uint32_t back;

	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vr->event_idx)
		return true;
	/* How far back from here it lies; the slot before this one is 1 back. */
	back = (uint32_t)(now & ~PACKED_WRAP) - (position & ~PACKED_WRAP);
	if (((now ^ position) & PACKED_WRAP) != 0)
		back += vr->size;
	return back - 1 < passed;
}

static inline void packed_kick_enable(struct ring *vr, bool enable)
{
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	if (enable && vr->event_idx) {
		shm_store16(GUEST_FIELD(vr->device_event, struct vring_packed_desc_event, off_wrap),
			    vr->last_avail);
		flags = VRING_PACKED_EVENT_FLAG_DESC;
	} else if (enable) {
		flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	}
	/* The position before the flags that make it count. */
	shm_store16_release(GUEST_FIELD(vr->device_event, struct vring_packed_desc_event, flags),
			    flags);
	if (vr->log != NULL)
		ring_log_used(vr, 0, sizeof(struct vring_packed_desc_event));
}

#endif
