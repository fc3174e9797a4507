/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table of what addresses a guest uses stand for which of our memory, and the
 * look-up in it. gmem.c fills one with guest physical addresses, iotlb.c with
 * those that a vIOMMU translates. Whoever reads one holds what it points into.
 */
#ifndef VHOST_NG_GMAP_H
#define VHOST_NG_GMAP_H

#include "addr.h"
#include "span.h"

/* One piece. What a lookup needs and nothing else: two to a cache line. */
struct gmap_piece {
	uint64_t addr;
	uint64_t size_bytes;
	uint8_t __guest *host;
};

/* One block: the arrays have `room` for what the search may look at, a power of two. */
struct gmap {
	uint32_t nr_pieces;
	uint32_t top_step;         /* of the search: the largest power of two below nr_pieces */
	struct gmap_piece *pieces; /* sorted by address, then size 0 */
	uint64_t starts[];         /* addr of pieces[], then UINT64_MAX */
};

/* An empty table for up to `capacity` pieces; NULL without memory. For free(). */
struct gmap *gmap_new(unsigned int capacity);
void gmap_clear(struct gmap *map);
/* Adds a piece above all that are in it; there is room. */
void gmap_append(struct gmap *map, const struct gmap_piece *piece);

/*
 * A queue's window on a table: it and the piece that was hit last, which makes
 * the common lookup one compare. Belongs to one thread at a time (the queue
 * gate sees to that).
 */
struct memview {
	struct gmap_piece last;
	const struct gmap *map;
	gpa_t absent; /* the first byte that memview_resolve() missed last */
};

static inline void memview_set(struct memview *view, const struct gmap *map)
{
	*view = (struct memview){ .map = map };
	if (map != NULL)
		view->last = map->pieces[0];
}

/*
 * Turns `len` bytes from `addr` on into spans: one a piece that the range
 * touches. Returns how many, -EFAULT when a byte of it is outside (view->absent),
 * or -E2BIG when it takes more than `max`. A length of 0 is 0 spans.
 */
int memview_resolve(struct memview *view, gpa_t addr, uint32_t len, struct span *out,
		    unsigned int max);

/* The range lies in `piece`. */
static ALWAYS_INLINE bool gmap_piece_resolve(const struct gmap_piece *piece, gpa_t addr,
					     uint32_t len, struct span *out)
{
	uint64_t off = addr.v - piece->addr;

	if (unlikely(!range_within(off, len, piece->size_bytes)))
		return false;
	out->ptr = piece->host + off;
	out->len_bytes = len;
	return true;
}

/*
 * The only piece that can hold `addr`; whether it does is for
 * gmap_piece_resolve() to say. No branch depends on the address: descriptors
 * that hop between pieces cost no mispredictions.
 */
static ALWAYS_INLINE const struct gmap_piece *gmap_find(const struct gmap *map, gpa_t addr)
{
	unsigned int i = 0;

	for (unsigned int step = map->top_step; step != 0; step /= 2)
		i += map->starts[i + step] <= addr.v ? step : 0;
	return &map->pieces[i];
}

static inline bool gmap_has(const struct gmap *map, gpa_t addr)
{
	const struct gmap_piece *piece = gmap_find(map, addr);

	return addr.v - piece->addr < piece->size_bytes;
}

#endif
