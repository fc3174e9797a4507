/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The CPU executor of copy plans: the only bulk copy in the library. Small
 * pieces take two overlapping moves, no call; large ones go to libc, which
 * picks the best routine for the machine it runs on.
 */
#include <string.h>

#include "plan.h"

#define SMALL_BYTES 256

/* Bytes that move as one: a register, or as many as it takes. */
#define PIECE(unit) \
	typedef uint8_t piece##unit __attribute__((vector_size(unit), aligned(1), may_alias))
PIECE(2);
PIECE(4);
PIECE(8);
PIECE(16);
PIECE(32);
PIECE(64);
PIECE(128);

/* `len` is at least `unit` and at most twice that: two moves cover it. */
#define COPY_OVERLAPPING(unit)                                                           \
	do {                                                                             \
		piece##unit head = *(const piece##unit *)src;                            \
		piece##unit tail = *(const piece##unit *)(src + len - unit);             \
		*(piece##unit *)dst = head;                                              \
		*(piece##unit *)(dst + len - unit) = tail;                               \
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

/* The smallest packets come first, they are the most. */
static ALWAYS_INLINE void copy_small(uint8_t *dst, const uint8_t *src, uint32_t len)
{
	if (unlikely(len < 32)) {
		if (len >= 16)
			COPY_OVERLAPPING(16);
		else
			copy_tiny(dst, src, len);
	} else if (len <= 64) {
		COPY_OVERLAPPING(32);
	} else if (len <= 128) {
		COPY_OVERLAPPING(64);
	} else {
		COPY_OVERLAPPING(128);
	}
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
