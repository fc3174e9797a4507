/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring verbs. The kind is a compile-time constant at every call site that
 * matters, so each verb folds into the one format's function; another format
 * adds a header with the same verbs and a case here, and nothing above changes.
 *
 * A burst opens a cursor and takes chains of the usual form through it; a chain
 * of any other form is fetched, with the cursor closed. Then it uses their
 * memory, pushes them back in the order they were taken, publishes, and asks
 * whether to notify.
 */
#ifndef VHOST_NG_RING_H
#define VHOST_NG_RING_H

#include "packed.h"
#include "split.h"

#define RING_VERB(kind, verb, ...)                               \
	((kind) == RING_PACKED ? packed_##verb(__VA_ARGS__) : \
				 split_##verb(__VA_ARGS__))

/* A cursor where the ring stands; with vr->fault set, nothing waits. */
static ALWAYS_INLINE struct ring_cursor ring_open(enum ring_kind k, struct ring *vr,
						  enum chain_dir dir)
{
	return RING_VERB(k, open, vr, dir);
}

/* The ring stands where the cursor is. */
static ALWAYS_INLINE void ring_close(enum ring_kind k, struct ring *vr, enum chain_dir dir,
				     const struct ring_cursor *c)
{
	RING_VERB(k, close, vr, dir, c);
}

/* At most how many chains wait, up to `max`; 0 only if there is none. */
static ALWAYS_INLINE unsigned int ring_peek(enum ring_kind k, const struct ring_cursor *c,
					    unsigned int max)
{
	return RING_VERB(k, peek, c, max);
}

/* Does a chain wait? Also false with vr->fault set. */
static ALWAYS_INLINE bool ring_waits(enum ring_kind k, struct ring *vr)
{
	const struct ring_cursor c = ring_open(k, vr, CHAIN_READABLE);

	return ring_peek(k, &c, 1) != 0;
}

/*
 * Looks at the next chain and leaves it there. NEXT_OTHER: what was read is
 * forgotten, ring_fetch() reads for itself.
 */
static ALWAYS_INLINE enum ring_next ring_next(enum ring_kind k, const struct ring *vr,
					      struct ring_cursor *c, enum chain_dir dir,
					      uint32_t lead_bytes, struct piece *piece)
{
	return RING_VERB(k, next, vr, c, dir, lead_bytes, piece);
}

/* Takes the chain that ring_next() found. */
static ALWAYS_INLINE void ring_take(enum ring_kind k, struct ring_cursor *c, struct used used)
{
	RING_VERB(k, take, c, used);
}

/* Takes the next chain, of whatever form. */
static inline enum fetch_result ring_fetch(enum ring_kind k, struct ring *vr, enum chain_dir dir,
					   struct span_pool *pool, struct chain *chain)
{
	return RING_VERB(k, fetch, vr, dir, pool, chain);
}

/*
 * Takes up to `max` requests (CHAIN_BOTH) of the usual form, in small tables, and has their headers
 * fetched into the cache. Returns how many; what comes then is for ring_fetch().
 */
static ALWAYS_INLINE unsigned int ring_fetch_requests(enum ring_kind k, struct ring *vr,
						      struct span_pool *pool, struct chain *chains,
						      unsigned int max)
{
	return RING_VERB(k, fetch_requests, vr, pool, chains, max);
}

/* As ring_fetch(), quicker for chains of the usual form. */
static ALWAYS_INLINE enum fetch_result ring_fetch_any(enum ring_kind k, struct ring *vr,
						      enum chain_dir dir, uint32_t lead_bytes,
						      struct span_pool *pool, struct chain *chain)
{
	struct ring_cursor c = ring_open(k, vr, dir);
	struct piece piece;
	struct span *spans;

	if (ring_next(k, vr, &c, dir, lead_bytes, &piece) != NEXT_PIECE ||
	    piece.bytes <= lead_bytes || SPAN_POOL_SPANS - pool->used < 2)
		return ring_fetch(k, vr, dir, pool, chain);
	ring_take(k, &c, piece.used);
	ring_close(k, vr, dir, &c);
	spans = &pool->spans[pool->used];
	spans[0] = (struct span){ piece.lead, lead_bytes };
	spans[1] = (struct span){ piece.body, piece.bytes - lead_bytes };
	*chain = (struct chain){ .spans = lead_bytes == 0 ? spans + 1 : spans,
				 .bytes = piece.bytes,
				 .nr_spans = lead_bytes == 0 ? 1 : 2,
				 .used = piece.used };
	pool->used += 2;
	return FETCH_OK;
}

/* Puts the last `n` chains back, none of which was pushed. */
static ALWAYS_INLINE void ring_rewind(enum ring_kind k, struct ring *vr, const struct used *used,
				      unsigned int n)
{
	RING_VERB(k, rewind, vr, used, n);
}

/* Hands `n` (not 0) chains back to the guest; what we do with their memory is done. */
static ALWAYS_INLINE void ring_used_push(enum ring_kind k, struct ring *vr, enum chain_dir dir,
					 const struct used *used, unsigned int n)
{
	RING_VERB(k, used_push, vr, dir, used, n);
}

/* Makes all pushed chains visible, if they are not yet. */
static ALWAYS_INLINE void ring_publish(enum ring_kind k, struct ring *vr)
{
	RING_VERB(k, publish, vr);
}

/* After a publish: does the guest want to be notified? */
static ALWAYS_INLINE bool ring_notify_needed(enum ring_kind k, struct ring *vr)
{
	/* With nothing to compare to, an event index has been passed. */
	uint32_t passed = vr->signalled_valid ? vr->unsignalled : UINT32_MAX;

	vr->unsignalled = 0;
	vr->signalled_valid = true;
	/* The guest re-enables, then looks; we publish, then look. */
	shm_fence();
	return RING_VERB(k, wants_call, vr, passed);
}

/* How many chains wait beyond `position`; 0 when that makes no sense. */
static inline unsigned int ring_waiting(enum ring_kind k, const struct ring *vr, uint16_t position)
{
	unsigned int n = RING_VERB(k, waiting, vr, position);

	return n <= vr->size ? n : 0;
}

/*
 * Under a vIOMMU: has a look at the chains that the guest added since the last
 * time, for what they need and the IOTLB does not have (vr->misses). So it is
 * asked for before it is needed.
 */
void ring_look_ahead(struct ring *vr, enum chain_dir dir);

/* Asks the guest to kick (or not) when it adds chains. */
static inline void ring_kick_enable(enum ring_kind k, struct ring *vr, bool enable)
{
	RING_VERB(k, kick_enable, vr, enable);
	/* The caller looks at the ring next; it must not look too early. */
	shm_fence();
}

/* The same for chains behind those that wait already. */
static inline void ring_kick_behind(enum ring_kind k, const struct ring *vr)
{
	/* A copy: others may ask at any time where the ring stands. */
	struct ring behind = *vr;

	RING_VERB(k, skip_waiting, &behind);
	ring_kick_enable(k, &behind, true);
}

#endif
