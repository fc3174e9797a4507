/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The copy plan: a burst first decides what to copy, then copies. Deciding
 * first puts all cache misses of a burst in flight at once, and keeps the copy
 * code in one place. A plan holds addresses that were checked when their spans
 * were made.
 */
#ifndef VHOST_NG_PLAN_H
#define VHOST_NG_PLAN_H

#include "base/isa.h"
#include "base/shm.h"
#include "memory/span.h"

struct copy_seg {
	void *dst;
	const void *src;
	uint32_t len_bytes;
};

#define PLAN_SEGS 128
struct plan {
	unsigned int nr_segs;
	struct copy_seg segs[PLAN_SEGS];
};

/* Does all these copies, in order. */
#define copy_segs ISA_NAME(copy_segs)
typedef void copy_fn(const struct copy_seg *segs, unsigned int nr_segs);
copy_fn copy_segs;
/* The build of it for this machine, of registers with at most so many bits, for who is built once. */
copy_fn *copy_choose(unsigned int max_simd_bits);

/* Does all copies of the plan, and empties it. */
static ALWAYS_INLINE void plan_execute(struct plan *plan)
{
	copy_segs(plan->segs, plan->nr_segs);
	plan->nr_segs = 0;
}

static ALWAYS_INLINE void plan_execute_by(struct plan *plan, copy_fn *copy)
{
	copy(plan->segs, plan->nr_segs);
	plan->nr_segs = 0;
}

static ALWAYS_INLINE void plan_add(struct plan *plan, void *dst, const void *src, uint32_t len)
{
	if (unlikely(plan->nr_segs == PLAN_SEGS))
		plan_execute(plan);
	plan->segs[plan->nr_segs++] = (struct copy_seg){ dst, src, len };
}

/* The same for a plan of at most PLAN_SEGS that the caller numbers (and sets nr_segs) itself. */
static ALWAYS_INLINE void plan_set_write(struct plan *plan, unsigned int i, uint8_t __guest *dst,
					 const void *src, uint32_t len)
{
	plan->segs[i] = (struct copy_seg){ GUEST_FORCE(void *, dst), src, len };
}

static ALWAYS_INLINE void plan_set_read(struct plan *plan, unsigned int i, void *dst,
					const uint8_t __guest *src, uint32_t len)
{
	plan->segs[i] = (struct copy_seg){ dst, GUEST_FORCE(const void *, src), len };
}

/* Into guest memory, out of guest memory. */
static ALWAYS_INLINE void plan_add_write(struct plan *plan, uint8_t __guest *dst, const void *src,
					 uint32_t len)
{
	plan_add(plan, GUEST_FORCE(void *, dst), src, len);
}

static ALWAYS_INLINE void plan_add_read(struct plan *plan, void *dst, const uint8_t __guest *src,
					uint32_t len)
{
	plan_add(plan, dst, GUEST_FORCE(const void *, src), len);
}

/* Out of, and into, `len` bytes of guest memory that are in several pieces; they are there. */
static inline void plan_add_read_spans(struct plan *plan, struct span_cursor *from, void *dst,
				       uint32_t len)
{
	while (len != 0) {
		struct span piece = span_cursor_take(from, len);

		plan_add_read(plan, dst, piece.ptr, piece.len_bytes);
		dst = (uint8_t *)dst + piece.len_bytes;
		len -= piece.len_bytes;
	}
}

static inline void plan_add_write_spans(struct plan *plan, struct span_cursor *to, const void *src,
					uint32_t len)
{
	while (len != 0) {
		struct span piece = span_cursor_take(to, len);

		plan_add_write(plan, piece.ptr, src, piece.len_bytes);
		src = (const uint8_t *)src + piece.len_bytes;
		len -= piece.len_bytes;
	}
}

#endif
