/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A descriptor chain as the layers above see it: checked pieces of guest
 * memory, in order, plus what it takes to give the chain back. Nothing in here
 * points at a descriptor: those were read once, while the chain was fetched.
 */
#ifndef VHOST_NG_CHAIN_H
#define VHOST_NG_CHAIN_H

#include "memory/span.h"

/* The most pieces one chain may have; a longer one is refused. */
#define CHAIN_SPANS_MAX 256
/*
 * And a request (CHAIN_BOTH). Linux's virtio_crypto (6.1) names each page of a buffer of n once
 * more for every page before it: n * (n + 1) / 2 descriptors, 309 for 64 KiB from one place to
 * another. A queue of QEMU has 1024.
 */
#define REQUEST_SPANS_MAX 1024

/*
 * A chain that goes back to the guest, in one word: its id (what the used ring
 * names it by) in bits 0 to 15, the ring slots it takes (1 in a split ring) in
 * bits 16 to 31, and above them what the guest is told was written.
 */
struct used {
	uint64_t word;
};

static ALWAYS_INLINE struct used used_make(uint16_t id, uint32_t nr_slots)
{
	return (struct used){ nr_slots << 16 | id };
}

static ALWAYS_INLINE struct used used_written(struct used u, uint32_t bytes)
{
	return (struct used){ (uint64_t)bytes << 32 | (uint32_t)u.word };
}

static ALWAYS_INLINE uint16_t used_id(struct used u)
{
	return (uint16_t)u.word;
}

static ALWAYS_INLINE uint32_t used_slots(struct used u)
{
	return (uint16_t)(u.word >> 16);
}

static ALWAYS_INLINE uint32_t used_bytes(struct used u)
{
	return (uint32_t)(u.word >> 32);
}

/* Any chain. */
struct chain {
	const struct span *spans;
	uint32_t bytes; /* sum over the spans */
	uint16_t nr_spans;
	/*
	 * enum ring_fault; other than NONE: it has no spans, only a place for them. But of a request
	 * the last byte that we may write is there, if it can be found (of a table: if the guest has
	 * it in order).
	 */
	uint16_t fault;
	/* CHAIN_BOTH: spans to read, which come first, and what they have. */
	uint16_t nr_readable;
	uint32_t readable_bytes;
	struct used used;
};

/*
 * A chain of the usual form: its first `lead` bytes (the caller says how many,
 * a packet's header) and the rest are in one piece each. They may be one
 * descriptor, two, or a table of either.
 */
struct piece {
	uint8_t __guest *lead;
	uint8_t __guest *body;
	uint32_t bytes; /* of both; with less than the lead takes, use neither */
	struct used used;
};

/* Which way the buffers of a queue point, as seen by us. */
enum chain_dir {
	CHAIN_READABLE, /* guest to host: we read */
	CHAIN_WRITABLE, /* host to guest: we write */
	CHAIN_BOTH,     /* requests, for ring_fetch() only: we read the first part, write the rest */
};

/*
 * What can be wrong. Up to RING_FAULT_LAST_CHAIN the ring itself is sound: the
 * chain is given back with length 0, counted, and the next one is served. The
 * rest stop the queue.
 */
enum ring_fault {
	RING_FAULT_NONE,
	RING_FAULT_ADDRESS,   /* a buffer outside guest memory */
	RING_FAULT_DIRECTION, /* device-writable where readable is due, or the reverse */
	RING_FAULT_LENGTH,    /* more than CHAIN_SPANS_MAX pieces (REQUEST_SPANS_MAX) or 4 GiB */
	RING_FAULT_INDIRECT,  /* a bad indirect table: size, nesting, loop */
	RING_FAULT_SHORT,     /* no room for the header, or nothing after it */
	RING_FAULT_LAST_CHAIN = RING_FAULT_SHORT,
	RING_FAULT_INDEX,     /* a head or next index beyond the ring */
	RING_FAULT_LOOP,      /* a chain longer than the ring */
	RING_FAULT_AVAIL,     /* the available index is ahead by more than the ring */
	RING_FAULT_COUNT,
};

const char *ring_fault_name(enum ring_fault fault);

/* Room for the spans of one burst; chains point into it. Any chain fits when it is empty. */
#define SPAN_POOL_SPANS REQUEST_SPANS_MAX
struct span_pool {
	unsigned int used;
	struct span spans[SPAN_POOL_SPANS];
};

enum fetch_result {
	FETCH_OK,
	FETCH_NONE, /* there is no chain */
	FETCH_FULL, /* the span pool is: serve what was fetched, then come again */
	FETCH_BAD,  /* chain->fault says why; it can be given back */
	FETCH_BROKEN,
	FETCH_MISS, /* not translated yet (misses.h); it is still there */
};

/* What ring_next() found. */
enum ring_next {
	NEXT_NONE,
	NEXT_PIECE,
	NEXT_OTHER, /* a chain of another form, or wrong: for ring_fetch() */
};

#endif
