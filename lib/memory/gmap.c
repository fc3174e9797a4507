/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "gmap.h"

static uint32_t top_step_of(unsigned int count)
{
	uint32_t top_step = 0;

	for (uint32_t step = 1; step < count; step *= 2)
		top_step = step;
	return top_step;
}

struct gmap *gmap_new(unsigned int capacity)
{
	uint32_t room = MAX2(2 * top_step_of(capacity), 1u);
	struct gmap *map = calloc(1, sizeof(*map) + room * (sizeof(map->starts[0]) +
							     sizeof(map->pieces[0])));

	if (map == NULL)
		return NULL;
	map->pieces = (struct gmap_piece *)&map->starts[room];
	map->nr_pieces = room;
	gmap_clear(map);
	return map;
}

void gmap_clear(struct gmap *map)
{
	for (unsigned int i = 0; i < map->nr_pieces; i++) {
		map->starts[i] = UINT64_MAX;
		map->pieces[i] = (struct gmap_piece){ 0 };
	}
	map->nr_pieces = 0;
	map->top_step = 0;
}

void gmap_append(struct gmap *map, const struct gmap_piece *piece)
{
	map->pieces[map->nr_pieces] = *piece;
	map->starts[map->nr_pieces] = piece->addr;
	map->top_step = top_step_of(++map->nr_pieces);
}

int memview_resolve(struct memview *view, gpa_t addr, uint32_t len, struct span *out,
		    unsigned int max)
{
	unsigned int n = 0;

	while (len != 0) {
		const struct gmap_piece *piece;
		uint32_t part;

		view->absent = addr;
		if (view->map == NULL)
			return -EFAULT;
		piece = gmap_find(view->map, addr);
		if (addr.v - piece->addr >= piece->size_bytes)
			return -EFAULT;
		if (n == max)
			return -E2BIG;
		part = (uint32_t)MIN2((uint64_t)len, piece->size_bytes - (addr.v - piece->addr));
		(void)gmap_piece_resolve(piece, addr, part, &out[n++]);
		view->last = *piece;
		addr.v += part;
		len -= part;
	}
	return (int)n;
}
