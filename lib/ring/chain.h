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

struct chain {
	const struct span *spans;
	uint32_t bytes;    /* sum over the spans */
	uint16_t nr_spans;
	uint16_t id;       /* what the used ring names it by */
	uint16_t nr_slots; /* ring slots it takes (packed rings) */
	uint16_t fault;    /* enum ring_fault; then it has no spans */
};

/* Which way the buffers of a queue point, as seen by us. */
enum chain_dir {
	CHAIN_READABLE, /* guest to host: we read */
	CHAIN_WRITABLE, /* host to guest: we write */
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
	RING_FAULT_LENGTH,    /* more than CHAIN_SPANS_MAX pieces or 4 GiB */
	RING_FAULT_INDIRECT,  /* a bad indirect table: size, nesting, loop */
	RING_FAULT_SHORT,     /* no room for the header, or nothing after it */
	RING_FAULT_LAST_CHAIN = RING_FAULT_SHORT,
	RING_FAULT_INDEX,     /* a head or next index beyond the ring */
	RING_FAULT_LOOP,      /* a chain longer than the ring */
	RING_FAULT_AVAIL,     /* the available index is ahead by more than the ring */
	RING_FAULT_COUNT,
};

const char *ring_fault_name(enum ring_fault fault);

/* Room for the spans of one burst; chains point into it. */
#define SPAN_POOL_SPANS (2 * CHAIN_SPANS_MAX)
struct span_pool {
	unsigned int used;
	struct span spans[SPAN_POOL_SPANS];
};

enum fetch_result {
	FETCH_OK,
	FETCH_FULL, /* the span pool is: serve what was fetched, then come again */
	FETCH_BAD,  /* chain->fault says why; it can be given back */
	FETCH_BROKEN,
};

#endif
