/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/clock.h"
#include "misses.h"

static bool same_page(iova_t a, iova_t b)
{
	return a.v / IOTLB_PAGE_BYTES == b.v / IOTLB_PAGE_BYTES;
}

static void note(struct ring_misses *m, iova_t at, uint8_t access, bool refused)
{
	const int64_t now = clock_now_ms();
	struct ring_miss *room = NULL;

	for (unsigned int i = 0; i < RING_MISSES_MAX; i++) {
		struct ring_miss *old = &m->list[i];

		if (old->access == 0 || (old->sent && now - old->since_ms >= RING_MISS_AGAIN_MS))
			room = room != NULL ? room : old;
		else if (old->access == access && old->refused == refused && same_page(old->at, at))
			return;
	}
	if (room == NULL) {
		m->full = true;
		return;
	}
	*room = (struct ring_miss){
		.at = at, .access = access, .refused = refused, .since_ms = now
	};
	m->news = true;
}

void ring_miss_refused(struct ring_misses *m, iova_t at, uint8_t access)
{
	note(m, at, access, true);
}

unsigned int ring_miss_range(struct ring_misses *m, const struct gmap *map, iova_t at,
			     uint64_t len, uint8_t access, unsigned int steps_max)
{
	unsigned int steps = 0;
	uint64_t last;

	if (__builtin_add_overflow(at.v, len - 1, &last))
		last = UINT64_MAX;
	while (steps < steps_max && !m->full) {
		const struct gmap_piece *piece = gmap_find(map, gpa(at.v));
		uint64_t seen_last = at.v | (IOTLB_PAGE_BYTES - 1);

		/* What is there is passed as a whole: it may be 2^52 pages. */
		if (at.v - piece->addr < piece->size_bytes)
			seen_last = piece->addr + (piece->size_bytes - 1);
		else
			note(m, at, access, false);
		steps++;
		if (seen_last >= last)
			break;
		at = iova(seen_last + 1);
	}
	return steps;
}

unsigned int ring_misses_take(struct ring_misses *m, struct ring_miss *out)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < RING_MISSES_MAX; i++) {
		if (m->list[i].access == 0 || m->list[i].sent)
			continue;
		m->list[i].sent = true;
		out[n++] = m->list[i];
	}
	m->news = false;
	return n;
}

void ring_misses_answered(struct ring_misses *m, iova_t at, uint64_t size_bytes)
{
	for (unsigned int i = 0; i < RING_MISSES_MAX; i++)
		/* No overflow: what lies before `at` is far behind it. */
		if (size_bytes == 0 || m->list[i].at.v - at.v < size_bytes)
			m->list[i] = (struct ring_miss){ 0 };
	m->full = false;
}
