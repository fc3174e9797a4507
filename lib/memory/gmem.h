/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory as an immutable, reference-counted snapshot of its regions. A
 * new memory table is a new snapshot; the control thread swaps it in while the
 * queue gates are closed, and whoever still holds a reference keeps the old
 * mappings alive.
 *
 * Every address that a guest or frontend names becomes a span here or nowhere.
 */
#ifndef VHOST_NG_GMEM_H
#define VHOST_NG_GMEM_H

#include "region.h"

#define GMEM_REGIONS_MAX 509 /* slots: what the largest frontends use */

/* What a lookup needs of a region, and nothing else: two to a cache line. */
struct gmem_map {
	uint64_t gpa;
	uint64_t size_bytes;
	uint8_t __guest *host;
};

/* One block: the arrays have `room` for what the search may look at, a power of two. */
struct gmem {
	uint32_t refs;
	uint32_t nr_regions;
	uint32_t top_step;       /* of the search: the largest power of two below nr_regions */
	struct gmem_map *maps;   /* sorted by guest address, then size 0 */
	struct region **regions; /* same order */
	uint64_t starts[];       /* gpa of maps[], then UINT64_MAX */
};

/*
 * Builds a snapshot out of `count` regions (it takes over the caller's
 * references, also on failure) and sorts them. Returns NULL when there are too
 * many, when two overlap in guest or frontend addresses, or without memory.
 */
struct gmem *gmem_build(struct region **regions, unsigned int count);

/*
 * A snapshot that shares the regions of `mem` (which may be NULL) and has one
 * more, or one less. The caller's reference to `region` is taken over, also on
 * failure. NULL as for gmem_build(); gmem_without() the last one is empty.
 */
struct gmem *gmem_with(const struct gmem *mem, struct region *region);
struct gmem *gmem_without(const struct gmem *mem, const struct region *region);

struct gmem *gmem_get(struct gmem *m);
void gmem_put(struct gmem *m);

/*
 * A queue's window on guest memory: the snapshot and the region that was hit
 * last, which makes the common lookup one compare. Belongs to one thread at a
 * time (the queue gate sees to that).
 */
struct memview {
	struct gmem_map last;
	const struct gmem *mem;
};

static inline void memview_set(struct memview *view, const struct gmem *mem)
{
	*view = (struct memview){ .mem = mem };
	if (mem != NULL && mem->nr_regions != 0)
		view->last = mem->maps[0];
}

/*
 * Turns `len` bytes of guest physical memory into spans: one a region that the
 * range touches. Returns how many, -EFAULT when any byte of it is outside, or
 * -E2BIG when it takes more than `max`. A length of 0 is 0 spans.
 */
int gmem_resolve(struct memview *view, gpa_t addr, uint32_t len, struct span *out,
		 unsigned int max);

/* The range lies in `map`. */
static ALWAYS_INLINE bool gmem_map_resolve(const struct gmem_map *map, gpa_t addr, uint32_t len,
					   struct span *out)
{
	uint64_t off = addr.v - map->gpa;

	if (unlikely(!range_within(off, len, map->size_bytes)))
		return false;
	out->ptr = map->host + off;
	out->len_bytes = len;
	return true;
}

/*
 * The only map that can hold `addr`; whether it does is for gmem_map_resolve()
 * to say. No branch depends on the address: descriptors that hop between
 * regions cost no mispredictions.
 */
static ALWAYS_INLINE const struct gmem_map *gmem_find(const struct gmem *mem, gpa_t addr)
{
	unsigned int i = 0;

	for (unsigned int step = mem->top_step; step != 0; step /= 2)
		i += mem->starts[i + step] <= addr.v ? step : 0;
	return &mem->maps[i];
}

/*
 * The guest physical address behind a pointer into guest memory, as spans have
 * it; false when it points into none of the regions.
 */
bool gmem_gpa_of(const struct gmem *mem, const uint8_t __guest *at, gpa_t *out);

/* A frontend address range inside one region; false when it is in none. */
bool gmem_resolve_uva(const struct gmem *mem, uva_t addr, uint64_t len, uint8_t __guest **out);

#endif
