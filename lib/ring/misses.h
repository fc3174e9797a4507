/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Under a vIOMMU: what a queue needs and the IOTLB does not have. Collected
 * inside the queue's gate, asked for outside (vhost_user/backend.h). A page that
 * has been asked for is not asked for again until the frontend has answered: by
 * then the guest may have taken it back, and would be told of a fault.
 */
#ifndef VHOST_NG_MISSES_H
#define VHOST_NG_MISSES_H

#include "memory/iotlb.h"

#define RING_MISSES_MAX 64 /* at a time */
/* After this the question is taken for lost. */
#define RING_MISS_AGAIN_MS 1000

struct ring_miss {
	iova_t at;
	uint8_t access; /* IOTLB_READ or IOTLB_WRITE; 0: a free place */
	bool refused;   /* the frontend allows less: it is told that somebody tried */
	bool sent;
	int64_t since_ms;
};

struct ring_misses {
	struct ring_miss list[RING_MISSES_MAX];
	bool news; /* some are not sent */
	bool full; /* not all could be noted */
	/* How far available chains were looked at: a position (vring.h). */
	uint16_t ahead;
};

/* There is something at `at` that may not be used so. */
COLD void ring_miss_refused(struct ring_misses *m, iova_t at, uint8_t access);

/* Of one chain, or part of a ring: what is behind is for when this much is there. */
#define RING_MISS_STEPS_MAX RING_MISSES_MAX

/*
 * Every page of `len` (not 0) bytes at `at` that `map` does not have, as far as
 * `steps_max` missing pages and pieces of `map` go; returns how many those were.
 */
COLD unsigned int ring_miss_range(struct ring_misses *m, const struct gmap *map, iova_t at,
				  uint64_t len, uint8_t access, unsigned int steps_max);

/* What is to be sent, into `out`, which has room for all; returns how many. */
unsigned int ring_misses_take(struct ring_misses *m, struct ring_miss *out);

/* The frontend said something about these addresses; 0 bytes: all from there on. */
void ring_misses_answered(struct ring_misses *m, iova_t at, uint64_t size_bytes);

#endif
