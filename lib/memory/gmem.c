/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "gmem.h"

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	/* Neither range wraps: region_map() saw to that. */
	return a < b + b_size && b < a + a_size;
}

static bool regions_overlap(struct region *const *regions, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		for (unsigned int j = i + 1; j < count; j++) {
			const struct region *a = regions[i], *b = regions[j];

			if (overlap(a->gpa.v, a->size_bytes, b->gpa.v, b->size_bytes) ||
			    overlap(a->uva.v, a->size_bytes, b->uva.v, b->size_bytes)) {
				LOG_ERR("memory table: the region at 0x%" PRIx64
					" overlaps the one at 0x%" PRIx64,
					a->gpa.v, b->gpa.v);
				return true;
			}
		}
	}
	return false;
}

static int by_gpa(const void *a, const void *b)
{
	const struct region *x = *(struct region *const *)a, *y = *(struct region *const *)b;

	return x->gpa.v < y->gpa.v ? -1 : x->gpa.v > y->gpa.v;
}

struct gmem *gmem_build(struct region **regions, unsigned int count)
{
	struct gmem *m = NULL;

	if (count > GMEM_REGIONS_MAX)
		LOG_ERR("memory table: %u regions, at most %d are supported", count,
			GMEM_REGIONS_MAX);
	else if (!regions_overlap(regions, count))
		m = calloc(1, sizeof(*m));
	if (m == NULL) {
		for (unsigned int i = 0; i < count; i++)
			region_put(regions[i]);
		return NULL;
	}
	qsort(regions, count, sizeof(regions[0]), by_gpa);
	m->refs = 1;
	m->nr_regions = count;
	for (unsigned int i = 0; i < GMEM_REGIONS_MAX; i++)
		m->starts[i] = UINT64_MAX;
	for (unsigned int step = 1; step < count; step *= 2)
		m->top_step = step;
	for (unsigned int i = 0; i < count; i++) {
		m->regions[i] = regions[i];
		m->maps[i] = (struct gmem_map){ .gpa = regions[i]->gpa.v,
						.size_bytes = regions[i]->size_bytes,
						.host = regions[i]->host };
		m->starts[i] = regions[i]->gpa.v;
	}
	return m;
}

struct gmem *gmem_get(struct gmem *m)
{
	__atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED);
	return m;
}

void gmem_put(struct gmem *m)
{
	if (m == NULL || __atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	for (unsigned int i = 0; i < m->nr_regions; i++)
		region_put(m->regions[i]);
	free(m);
}

int gmem_resolve(struct memview *view, gpa_t addr, uint32_t len, struct span *out,
		 unsigned int max)
{
	unsigned int n = 0;

	while (len != 0) {
		const struct gmem_map *map;
		uint32_t part;

		if (view->mem == NULL)
			return -EFAULT;
		map = gmem_find(view->mem, addr);
		if (addr.v - map->gpa >= map->size_bytes)
			return -EFAULT;
		if (n == max)
			return -E2BIG;
		part = (uint32_t)MIN2((uint64_t)len, map->size_bytes - (addr.v - map->gpa));
		(void)gmem_map_resolve(map, addr, part, &out[n++]);
		view->last = *map;
		addr.v += part;
		len -= part;
	}
	return (int)n;
}

bool gmem_gpa_of(const struct gmem *mem, const uint8_t __guest *at, gpa_t *out)
{
	for (unsigned int i = 0; mem != NULL && i < mem->nr_regions; i++) {
		const struct gmem_map *map = &mem->maps[i];
		uint64_t off = (uint64_t)((uintptr_t)at - (uintptr_t)map->host);

		if (off < map->size_bytes) {
			*out = gpa(map->gpa + off);
			return true;
		}
	}
	return false;
}

bool gmem_resolve_uva(const struct gmem *mem, uva_t addr, uint64_t len, uint8_t __guest **out)
{
	if (mem == NULL)
		return false;
	for (unsigned int i = 0; i < mem->nr_regions; i++) {
		const struct region *r = mem->regions[i];
		uint64_t off = addr.v - r->uva.v;

		if (range_within(off, len, r->size_bytes)) {
			*out = r->host + off;
			return true;
		}
	}
	return false;
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
