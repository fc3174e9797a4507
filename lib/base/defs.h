/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiler shorthands used everywhere below include/. libc and compiler only.
 */
#ifndef VHOST_NG_DEFS_H
#define VHOST_NG_DEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define COLD __attribute__((cold, noinline))
#define CACHE_LINE_BYTES 64
#define CACHE_ALIGNED __attribute__((aligned(CACHE_LINE_BYTES)))

/*
 * The same number, but the compiler does not know: what a rare path computes
 * from it is computed there, and takes no registers from the loop around it.
 */
#define RARELY_USED(n)                              \
	({                                          \
		__typeof__(n) n_ = (n);             \
		__asm__ volatile("" : "+r"(n_));    \
		n_;                                 \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (UINT64_C(1) << (n))

#define MIN2(a, b) ((a) < (b) ? (a) : (b))
#define MAX2(a, b) ((a) > (b) ? (a) : (b))

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline bool is_pow2(uint64_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

/* Round up to a power of two; false when the result does not fit. */
static inline bool align_up(uint64_t x, uint64_t pow2, uint64_t *out)
{
	uint64_t sum;

	if (__builtin_add_overflow(x, pow2 - 1, &sum))
		return false;
	*out = sum & ~(pow2 - 1);
	return true;
}

static inline uint64_t align_down(uint64_t x, uint64_t pow2)
{
	return x & ~(pow2 - 1);
}

#endif
