/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the frontend told us of a vIOMMU: which I/O virtual addresses stand for
 * which of its memory, and what may be done there (vhost-user, "IOMMU
 * support"). A cache: an entry may go at any time, and is asked for again.
 *
 * Data threads look things up in two tables, one of what may be read, one of
 * what may be written. The loop thread makes the next two while they work, and
 * exchanges them while all queue gates are closed.
 */
#ifndef VHOST_NG_IOTLB_H
#define VHOST_NG_IOTLB_H

#include "gmem.h"

#define IOTLB_ENTRIES_MAX 2048
/* The smallest piece that a frontend is asked for. */
#define IOTLB_PAGE_BYTES 4096

/* As the wire has them. */
#define IOTLB_READ 1
#define IOTLB_WRITE 2

struct iotlb_entry {
	iova_t iova;
	uint64_t size_bytes;
	uva_t uva;
	uint8_t access;
	/* Where it is in the memory table it was resolved with. */
	uint8_t __guest *host;
	const struct region *region;
};

struct iotlb {
	unsigned int nr_entries;
	unsigned int evict; /* who goes next when it is full */
	/* By access: [0] to read, [1] to write. */
	struct gmap *now[2];
	struct gmap *next[2];
	struct iotlb_entry entries[IOTLB_ENTRIES_MAX]; /* sorted, apart */
};

/* An empty one; NULL without memory. */
struct iotlb *iotlb_new(void);
void iotlb_free(struct iotlb *tlb);

/*
 * Adds an entry (iova, size_bytes, uva, access) to the next tables; what was
 * known of those addresses goes. Returns 0, -EINVAL (no bytes, a wrap, no
 * access) or -EFAULT (not inside one region of `mem`).
 */
int iotlb_update(struct iotlb *tlb, const struct gmem *mem, const struct iotlb_entry *entry);

/* Takes what is known of the addresses out of the next tables. A size of 0: all from `at` on. */
void iotlb_invalidate(struct iotlb *tlb, iova_t at, uint64_t size_bytes);

/* The next tables for another memory; entries that are not in it go. */
void iotlb_move(struct iotlb *tlb, const struct gmem *mem);

/* From now on the next tables count. All gates closed. */
void iotlb_exchange(struct iotlb *tlb);

/* What counts now for one kind of access. */
static inline const struct gmap *iotlb_map(const struct iotlb *tlb, uint8_t access)
{
	return tlb->now[access == IOTLB_WRITE];
}

/*
 * Where `len` bytes that are to be accessed so (READ, WRITE, both) are, if in one
 * piece. Returns 0, -EFAULT (they never are), -EACCES (they may not be) or -ENOENT
 * (something is missing).
 */
int iotlb_resolve(const struct iotlb *tlb, iova_t at, uint64_t len, uint8_t access,
		  uint8_t __guest **out);

#endif
