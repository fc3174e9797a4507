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

#include "gmap.h"
#include "region.h"

#define GMEM_REGIONS_MAX 509 /* slots: what the largest frontends use */

struct gmem {
	uint32_t refs;
	uint32_t nr_regions;
	struct gmap *map;         /* a piece for each region */
	struct region *regions[]; /* in the same order */
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
/* The same, `n` references at once. */
void gmem_get_many(struct gmem *m, uint32_t n);
void gmem_put_many(struct gmem *m, uint32_t n);

/*
 * The guest physical address behind a pointer into guest memory, as spans have
 * it; false when it points into none of the regions.
 */
bool gmem_gpa_of(const struct gmem *mem, const uint8_t __guest *at, gpa_t *out);

/* The region that a frontend address range lies in; NULL when it is in none. */
const struct region *gmem_region_of(const struct gmem *mem, uva_t addr, uint64_t len);
/* Where it lies in it; false when it is in none. */
bool gmem_resolve_uva(const struct gmem *mem, uva_t addr, uint64_t len, uint8_t __guest **out);

#endif
