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
	unsigned int top_step = 0, room;
	struct gmem *m;

	for (unsigned int step = 1; step < count; step *= 2)
		top_step = step;
	room = MAX2(2 * top_step, 1u);
	m = calloc(1, sizeof(*m) + room * (sizeof(m->starts[0]) + sizeof(m->maps[0]) +
					   sizeof(m->regions[0])));
	if (m == NULL)
		return NULL;
	m->refs = 1;
	m->nr_regions = count;
	m->top_step = top_step;
	m->maps = (struct gmem_map *)&m->starts[room];
	m->regions = (struct region **)&m->maps[room];
	for (unsigned int i = 0; i < room; i++)
		m->starts[i] = UINT64_MAX;
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
		m->maps[i] = (struct gmem_map){ .gpa = regions[i]->gpa.v,
						.size_bytes = regions[i]->size_bytes,
						.host = regions[i]->host };
		m->starts[i] = regions[i]->gpa.v;
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
