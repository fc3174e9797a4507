/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A span is a checked piece of guest memory: `len_bytes` bytes from `ptr` lie
 * inside one mapping. gmap.c and the inline lookup in gmap.h are its only
 * producers; whoever holds a span need not check it again.
 */
#ifndef VHOST_NG_SPAN_H
#define VHOST_NG_SPAN_H

#include "base/shm.h"

struct span {
	uint8_t __guest *ptr;
	uint32_t len_bytes;
};

/*
 * The one range test of the code base: do `len` bytes from offset `off` lie
 * inside `size`? Written without an addition, so it cannot overflow.
 */
static ALWAYS_INLINE bool range_within(uint64_t off, uint64_t len, uint64_t size)
{
	return off < size && len <= size - off;
}

static inline uint64_t spans_bytes(const struct span *spans, unsigned int count)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < count; i++)
		sum += spans[i].len_bytes;
	return sum;
}

/* A place in a list of spans. */
struct span_cursor {
	const struct span *span;
	uint32_t off_bytes;
};

/* Behind the first `skip` bytes; there are more. */
static inline struct span_cursor span_cursor_at(const struct span *spans, uint32_t skip)
{
	struct span_cursor c = { .span = spans, .off_bytes = skip };

	while (c.off_bytes >= c.span->len_bytes) {
		c.off_bytes -= c.span->len_bytes;
		c.span++;
	}
	return c;
}

/* The next piece of up to `len` (not 0) bytes, which are there; the cursor goes behind it. */
static inline struct span span_cursor_take(struct span_cursor *c, uint32_t len)
{
	const uint32_t left = c->span->len_bytes - c->off_bytes;
	struct span piece = { .ptr = c->span->ptr + c->off_bytes, .len_bytes = len };

	c->off_bytes += len;
	if (len >= left) {
		piece.len_bytes = left;
		c->span++;
		c->off_bytes = 0;
	}
	return piece;
}

/* Copies up to `len` bytes out of the head of a span list; returns how many. */
size_t spans_read(const struct span *spans, unsigned int count, void *dst, size_t len);

#endif
