/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "gmem.h"

static int by_gpa(const void *a, const void *b)
{
	const struct region *x = *(struct region *const *)a, *y = *(struct region *const *)b;

	return x->gpa.v < y->gpa.v ? -1 : x->gpa.v > y->gpa.v;
}

static int by_uva(const void *a, const void *b)
{
	const struct region *x = *(struct region *const *)a, *y = *(struct region *const *)b;

	return x->uva.v < y->uva.v ? -1 : x->uva.v > y->uva.v;
}

static void say_overlap(const struct region *a, const struct region *b, const char *whose)
{
	LOG_ERR("memory table: the region at 0x%" PRIx64 " overlaps the one at 0x%" PRIx64
		" in %s addresses",
		b->gpa.v, a->gpa.v, whose);
}

/*
 * Sorts by guest address; false when two regions overlap, for the guest or for
 * the frontend. In order, only neighbours can. No range wraps: region_map() saw
 * to that.
 */
static bool sort_apart(struct region **r, unsigned int count)
{
	qsort(r, count, sizeof(r[0]), by_uva);
	for (unsigned int i = 1; i < count; i++) {
		if (r[i]->uva.v - r[i - 1]->uva.v < r[i - 1]->size_bytes) {
			say_overlap(r[i - 1], r[i], "frontend");
			return false;
		}
	}
	qsort(r, count, sizeof(r[0]), by_gpa);
	for (unsigned int i = 1; i < count; i++) {
		if (r[i]->gpa.v - r[i - 1]->gpa.v < r[i - 1]->size_bytes) {
			say_overlap(r[i - 1], r[i], "guest");
			return false;
		}
	}
	return true;
}

static struct gmem *gmem_alloc(unsigned int count)
{
	struct gmem *m = calloc(1, sizeof(*m) + count * sizeof(m->regions[0]));

	if (m == NULL)
		return NULL;
	m->map = gmap_new(count);
	if (m->map == NULL) {
		free(m);
		return NULL;
	}
	m->refs = 1;
	m->nr_regions = count;
	return m;
}

struct gmem *gmem_build(struct region **regions, unsigned int count)
{
	struct gmem *m = NULL;

	if (count > GMEM_REGIONS_MAX)
		LOG_ERR("memory table: %u regions, at most %d are supported", count,
			GMEM_REGIONS_MAX);
	else if (sort_apart(regions, count))
		m = gmem_alloc(count);
	if (m == NULL) {
		for (unsigned int i = 0; i < count; i++)
			region_put(regions[i]);
		return NULL;
	}
	for (unsigned int i = 0; i < count; i++) {
		m->regions[i] = regions[i];
		gmap_append(m->map, &(struct gmap_piece){ .addr = regions[i]->gpa.v,
							  .size_bytes = regions[i]->size_bytes,
							  .host = regions[i]->host });
	}
	return m;
}

struct gmem *gmem_with(const struct gmem *mem, struct region *region)
{
	struct region *regions[GMEM_REGIONS_MAX + 1];
	unsigned int count = 0;

	for (; mem != NULL && count < mem->nr_regions; count++)
		regions[count] = region_get(mem->regions[count]);
	regions[count++] = region;
	return gmem_build(regions, count);
}

struct gmem *gmem_without(const struct gmem *mem, const struct region *region)
{
	struct region *regions[GMEM_REGIONS_MAX];
	unsigned int count = 0;

	for (unsigned int i = 0; i < mem->nr_regions; i++)
		if (mem->regions[i] != region)
			regions[count++] = region_get(mem->regions[i]);
	return gmem_build(regions, count);
}

void gmem_get_many(struct gmem *m, uint32_t n)
{
	__atomic_fetch_add(&m->refs, n, __ATOMIC_RELAXED);
}

struct gmem *gmem_get(struct gmem *m)
{
	gmem_get_many(m, 1);
	return m;
}

void gmem_put(struct gmem *m)
{
	gmem_put_many(m, 1);
}

void gmem_put_many(struct gmem *m, uint32_t n)
{
	if (m == NULL || __atomic_sub_fetch(&m->refs, n, __ATOMIC_ACQ_REL) != 0)
		return;
	for (unsigned int i = 0; i < m->nr_regions; i++)
		region_put(m->regions[i]);
	free(m->map);
	free(m);
}

bool gmem_gpa_of(const struct gmem *mem, const uint8_t __guest *at, gpa_t *out)
{
	for (unsigned int i = 0; mem != NULL && i < mem->nr_regions; i++) {
		const struct gmap_piece *piece = &mem->map->pieces[i];
		uint64_t off = (uint64_t)((uintptr_t)at - (uintptr_t)piece->host);

		if (off < piece->size_bytes) {
			*out = gpa(piece->addr + off);
			return true;
		}
	}
	return false;
}

const struct region *gmem_region_of(const struct gmem *mem, uva_t addr, uint64_t len)
{
	for (unsigned int i = 0; mem != NULL && i < mem->nr_regions; i++)
		if (range_within(addr.v - mem->regions[i]->uva.v, len,
				 mem->regions[i]->size_bytes))
			return mem->regions[i];
	return NULL;
}

bool gmem_resolve_uva(const struct gmem *mem, uva_t addr, uint64_t len, uint8_t __guest **out)
{
	const struct region *r = gmem_region_of(mem, addr, len);

	if (r == NULL)
		return false;
	*out = r->host + (addr.v - r->uva.v);
	return true;
}

size_t spans_read(const struct span *spans, unsigned int count, void *dst, size_t len)
{
	size_t done = 0;

	for (unsigned int i = 0; i < count && done < len; i++) {
		size_t part = MIN2((size_t)spans[i].len_bytes, len - done);

		shm_read((uint8_t *)dst + done, spans[i].ptr, part);
		done += part;
	}
	return done;
}
