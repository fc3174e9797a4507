/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iotlb.h"

static const uint8_t accesses[] = { IOTLB_READ, IOTLB_WRITE };

struct iotlb *iotlb_new(void)
{
	struct iotlb *tlb = calloc(1, sizeof(*tlb));

	for (unsigned int i = 0; tlb != NULL && i < ARRAY_LEN(accesses); i++) {
		tlb->now[i] = gmap_new(IOTLB_ENTRIES_MAX);
		tlb->next[i] = gmap_new(IOTLB_ENTRIES_MAX);
		if (tlb->now[i] == NULL || tlb->next[i] == NULL) {
			iotlb_free(tlb);
			return NULL;
		}
	}
	return tlb;
}

void iotlb_free(struct iotlb *tlb)
{
	for (unsigned int i = 0; tlb != NULL && i < ARRAY_LEN(accesses); i++) {
		free(tlb->now[i]);
		free(tlb->next[i]);
	}
	free(tlb);
}

/* Does `e` go on where `piece` ends, here as there? Regions may be neighbours by chance. */
static bool continues(const struct gmap_piece *piece, const struct region *region,
		      const struct iotlb_entry *e)
{
	return region == e->region && piece->addr + piece->size_bytes == e->iova.v &&
	       piece->host + piece->size_bytes == e->host;
}

/* One piece for entries that are one piece of our memory, too. */
static void build(struct gmap *map, const struct iotlb *tlb, uint8_t access)
{
	const struct region *region = NULL;
	struct gmap_piece piece = { 0 };

	gmap_clear(map);
	for (unsigned int i = 0; i < tlb->nr_entries; i++) {
		const struct iotlb_entry *e = &tlb->entries[i];

		if ((e->access & access) == 0)
			continue;
		if (continues(&piece, region, e)) {
			piece.size_bytes += e->size_bytes;
			continue;
		}
		if (piece.size_bytes != 0)
			gmap_append(map, &piece);
		region = e->region;
		piece = (struct gmap_piece){ .addr = e->iova.v,
					     .size_bytes = e->size_bytes,
					     .host = e->host };
	}
	if (piece.size_bytes != 0)
		gmap_append(map, &piece);
}

static void build_next(struct iotlb *tlb)
{
	for (unsigned int i = 0; i < ARRAY_LEN(accesses); i++)
		build(tlb->next[i], tlb, accesses[i]);
}

static bool resolve_entry(struct iotlb_entry *e, const struct gmem *mem)
{
	e->region = gmem_region_of(mem, e->uva, e->size_bytes);
	if (e->region == NULL)
		return false;
	e->host = e->region->host + (e->uva.v - e->region->uva.v);
	return true;
}

/* Entries from `first` to before `end` go. */
static void drop(struct iotlb *tlb, unsigned int first, unsigned int end)
{
	memmove(&tlb->entries[first], &tlb->entries[end],
		(tlb->nr_entries - end) * sizeof(tlb->entries[0]));
	tlb->nr_entries -= end - first;
}

/* The first entry that reaches to `at` or beyond. */
static unsigned int first_from(const struct iotlb *tlb, uint64_t at)
{
	unsigned int low = 0, high = tlb->nr_entries;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct iotlb_entry *e = &tlb->entries[middle];

		if (e->iova.v + (e->size_bytes - 1) < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whole entries go, also those that are hit only in part. Returns where they were. */
static unsigned int forget(struct iotlb *tlb, uint64_t first, uint64_t last)
{
	unsigned int from = first_from(tlb, first), end = from;

	while (end < tlb->nr_entries && tlb->entries[end].iova.v <= last)
		end++;
	drop(tlb, from, end);
	return from;
}

int iotlb_update(struct iotlb *tlb, const struct gmem *mem, const struct iotlb_entry *entry)
{
	struct iotlb_entry e = *entry;
	unsigned int at;

	/* No end wraps to 0, here as in memory tables. */
	if (e.size_bytes == 0 || e.size_bytes > UINT64_MAX - e.iova.v ||
	    (e.access & (IOTLB_READ | IOTLB_WRITE)) == 0)
		return -EINVAL;
	if (!resolve_entry(&e, mem))
		return -EFAULT;
	at = forget(tlb, e.iova.v, e.iova.v + (e.size_bytes - 1));
	if (tlb->nr_entries == IOTLB_ENTRIES_MAX) {
		unsigned int victim = tlb->evict++ % IOTLB_ENTRIES_MAX;

		drop(tlb, victim, victim + 1);
		at -= victim < at;
	}
	memmove(&tlb->entries[at + 1], &tlb->entries[at],
		(tlb->nr_entries - at) * sizeof(tlb->entries[0]));
	tlb->entries[at] = e;
	tlb->nr_entries++;
	build_next(tlb);
	return 0;
}

void iotlb_invalidate(struct iotlb *tlb, iova_t at, uint64_t size_bytes)
{
	uint64_t last;

	if (size_bytes == 0 || __builtin_add_overflow(at.v, size_bytes - 1, &last))
		last = UINT64_MAX;
	forget(tlb, at.v, last);
	build_next(tlb);
}

void iotlb_move(struct iotlb *tlb, const struct gmem *mem)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < tlb->nr_entries; i++) {
		struct iotlb_entry e = tlb->entries[i];

		if (resolve_entry(&e, mem))
			tlb->entries[kept++] = e;
	}
	tlb->nr_entries = kept;
	build_next(tlb);
}

void iotlb_exchange(struct iotlb *tlb)
{
	for (unsigned int i = 0; i < ARRAY_LEN(accesses); i++) {
		struct gmap *old = tlb->now[i];

		tlb->now[i] = tlb->next[i];
		tlb->next[i] = old;
	}
}

/* `kind` of accesses[] is not there for this byte; is the other one? */
static int absent_for(const struct iotlb *tlb, unsigned int kind, uint64_t at)
{
	return gmap_has(tlb->now[!kind], gpa(at)) ? -EACCES : -ENOENT;
}

static int resolve_for(const struct iotlb *tlb, unsigned int kind, iova_t at, uint64_t len,
		       uint8_t __guest **out)
{
	const struct gmap_piece *piece = gmap_find(tlb->now[kind], gpa(at.v));
	uint64_t off = at.v - piece->addr, end = piece->addr + piece->size_bytes;

	if (off >= piece->size_bytes)
		return absent_for(tlb, kind, at.v);
	*out = piece->host + off;
	if (range_within(off, len, piece->size_bytes))
		return 0;
	/* What follows is somewhere else, or not known. */
	return gmap_has(tlb->now[kind], gpa(end)) ? -EFAULT : absent_for(tlb, kind, end);
}

int iotlb_resolve(const struct iotlb *tlb, iova_t at, uint64_t len, uint8_t access,
		  uint8_t __guest **out)
{
	uint8_t __guest *found[2] = { NULL, NULL };
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < ARRAY_LEN(accesses); i++)
		if ((access & accesses[i]) != 0)
			ret = resolve_for(tlb, i, at, len, &found[i]);
	if (ret != 0)
		return ret;
	*out = (access & IOTLB_READ) != 0 ? found[0] : found[1];
	return 0;
}
