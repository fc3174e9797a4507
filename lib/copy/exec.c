/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The copies of a CPU: the only bulk copy in the library. Every
 * length takes moves of the widest register of this build (base/isa.h), the
 * last ones overlapping; no call, no byte loops.
 */
#include <string.h>

#include "plan.h"

/* Bytes that move as one, wherever they lie. */
#define PIECE(name, bytes) \
	typedef uint8_t name __attribute__((vector_size(bytes), aligned(1), may_alias))
typedef uint16_t piece2 __attribute__((aligned(1), may_alias));
typedef uint32_t piece4 __attribute__((aligned(1), may_alias));
typedef uint64_t piece8 __attribute__((aligned(1), may_alias));
PIECE(piece16, 16);
#if defined(__AVX512F__)
PIECE(piece32, 32);
PIECE(wide, 64);
#elif defined(__AVX2__)
PIECE(wide, 32);
#else
PIECE(wide, 16);
#endif
#define WIDE ((uint32_t)sizeof(wide))

/*
 * In the order written: prefetchers and store buffers like ascending addresses,
 * and the compiler does not know.
 */
#define LOAD(type, from)                             \
	({                                           \
		type loaded_ = *(const type *)(from); \
		__asm__ volatile("" : : : "memory"); \
		loaded_;                             \
	})
#define STORE(type, to, value)                     \
	do {                                       \
		*(type *)(to) = (value);           \
		__asm__ volatile("" : : : "memory"); \
	} while (0)

/* `len` is at least sizeof(type) and at most twice that: two moves cover it. */
#define COPY_TWO(type)                                            \
	do {                                                      \
		type head = LOAD(type, src);                      \
		type tail = LOAD(type, src + len - sizeof(type)); \
		STORE(type, dst, head);                           \
		STORE(type, dst + len - sizeof(type), tail);      \
	} while (0)

static ALWAYS_INLINE void copy_below_wide(uint8_t *dst, const uint8_t *src, uint32_t len)
{
#if defined(__AVX512F__)
	if (len >= 32) {
		COPY_TWO(piece32);
		return;
	}
#endif
	if (len >= 16)
		COPY_TWO(piece16);
	else if (len >= 8)
		COPY_TWO(piece8);
	else if (len >= 4)
		COPY_TWO(piece4);
	else if (len >= 2)
		COPY_TWO(piece2);
	else if (len == 1)
		*dst = *src;
}

/* Two at the head and two at the tail. */
static ALWAYS_INLINE void copy_four(uint8_t *dst, const uint8_t *src, uint32_t len)
{
	const uint8_t *src_end = src + len;
	uint8_t *dst_end = dst + len;
	wide a = LOAD(wide, src), b = LOAD(wide, src + WIDE);
	wide c = LOAD(wide, src_end - 2 * WIDE), d = LOAD(wide, src_end - WIDE);

	STORE(wide, dst, a);
	STORE(wide, dst + WIDE, b);
	STORE(wide, dst_end - 2 * WIDE, c);
	STORE(wide, dst_end - WIDE, d);
}

/* Four at a time into aligned places, the rest at the end overlapping. */
static ALWAYS_INLINE void copy_many(uint8_t *dst, const uint8_t *src, uint32_t len)
{
	const uint8_t *src_tail = src + len - 4 * WIDE;
	uint8_t *dst_tail = dst + len - 4 * WIDE;
	uintptr_t skip = WIDE - ((uintptr_t)dst & (WIDE - 1));
	wide a = LOAD(wide, src), b, c, d;

	STORE(wide, dst, a);
	dst += skip;
	src += skip;
	for (; dst < dst_tail; dst += 4 * WIDE, src += 4 * WIDE) {
		a = LOAD(wide, src);
		b = LOAD(wide, src + WIDE);
		c = LOAD(wide, src + 2 * WIDE);
		d = LOAD(wide, src + 3 * WIDE);
		STORE(wide, dst, a);
		STORE(wide, dst + WIDE, b);
		STORE(wide, dst + 2 * WIDE, c);
		STORE(wide, dst + 3 * WIDE, d);
	}
	a = LOAD(wide, src_tail);
	b = LOAD(wide, src_tail + WIDE);
	c = LOAD(wide, src_tail + 2 * WIDE);
	d = LOAD(wide, src_tail + 3 * WIDE);
	STORE(wide, dst_tail, a);
	STORE(wide, dst_tail + WIDE, b);
	STORE(wide, dst_tail + 2 * WIDE, c);
	STORE(wide, dst_tail + 3 * WIDE, d);
}

void copy_segs(const struct copy_seg *seg, unsigned int nr_segs)
{
	const struct copy_seg *end = seg + nr_segs;

	for (; seg < end; seg++) {
		uint8_t *dst = seg->dst;
		const uint8_t *src = seg->src;
		uint32_t len = seg->len_bytes;

		if (unlikely(len < WIDE))
			copy_below_wide(dst, src, len);
		else if (len <= 2 * WIDE)
			COPY_TWO(wide);
		else if (len <= 4 * WIDE)
			copy_four(dst, src, len);
		else
			copy_many(dst, src, len);
	}
}
