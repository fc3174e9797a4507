/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The CPU executor of copy plans: the only bulk copy in the library. Small
 * pieces take two overlapping moves, no call; large ones go to libc, which
 * picks the best routine for the machine it runs on.
 */
#include <string.h>

#include "plan.h"

#define SMALL_BYTES 256

/* `len` is at least `unit` and at most twice that: two moves cover it. */
#define COPY_OVERLAPPING(unit)                              \
	do {                                                \
		uint8_t head[unit], tail[unit];             \
		memcpy(head, src, unit);                    \
		memcpy(tail, src + len - unit, unit);       \
		memcpy(dst, head, unit);                    \
		memcpy(dst + len - unit, tail, unit);       \
	} while (0)

static ALWAYS_INLINE void copy_tiny(uint8_t *dst, const uint8_t *src, uint32_t len)
{
	if (len >= 8)
		COPY_OVERLAPPING(8);
	else if (len >= 4)
		COPY_OVERLAPPING(4);
	else if (len >= 2)
		COPY_OVERLAPPING(2);
	else if (len == 1)
		*dst = *src;
}

static ALWAYS_INLINE void copy_small(uint8_t *dst, const uint8_t *src, uint32_t len)
{
	if (len >= 128)
		COPY_OVERLAPPING(128);
	else if (len >= 64)
		COPY_OVERLAPPING(64);
	else if (len >= 32)
		COPY_OVERLAPPING(32);
	else if (len >= 16)
		COPY_OVERLAPPING(16);
	else
		copy_tiny(dst, src, len);
}

void plan_execute(struct plan *plan)
{
	const struct copy_seg *seg = plan->segs, *end = seg + plan->nr_segs;

	for (; seg < end; seg++) {
		if (likely(seg->len_bytes <= SMALL_BYTES))
			copy_small(seg->dst, seg->src, seg->len_bytes);
		else
			memcpy(seg->dst, seg->src, seg->len_bytes);
	}
	plan->nr_segs = 0;
}
