/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that knows of each chain whether it came back, and how often: what it sends and receives
 * does not matter. Needs tap.h, so include it from one file of a program.
 */
#ifndef FLOW_CHAINS_H
#define FLOW_CHAINS_H

#include <sched.h>

#include "flow.h"
#include "guest_net.h"
#include "tap.h"

#define CHAINS_MAX (1u << 20)
#define CHAINS_BUFFER_BYTES 256
/* Pieces of a chain, apart from each other. */
#define CHAINS_PIECES_MAX 3

/* One queue of it. A chain's cookie is its number, from 1. */
struct chains {
	struct guest_ring *vq;
	struct guest_memory *mem;
	uint64_t gpa; /* buffers, by number, round and round */
	bool writable;
	uintptr_t nr_posted;
	uintptr_t nr_done;
	unsigned missing; /* receive buffers of a packet whose first has come */
	uint8_t done[CHAINS_MAX];
};

static inline uint64_t
chains_buffer(const struct chains *q, uintptr_t number)
{
	return q->gpa + number % (2u * q->vq->size) * CHAINS_PIECES_MAX * CHAINS_BUFFER_BYTES;
}

/* Receives on even queues. */
static inline void
chains_init(struct chains *q, struct frontend *fe, unsigned index)
{
	memset(q, 0, sizeof(*q));
	q->vq = &fe->vqs[index];
	q->mem = &fe->mem;
	q->gpa = guest_alloc(&fe->mem, 2u * q->vq->size * CHAINS_PIECES_MAX * CHAINS_BUFFER_BYTES,
			     4096);
	q->writable = index % 2 == 0;
}

/* Of several forms: one descriptor to three, a table, and (to be sent) one that is no memory. */
static inline bool
chains_post(struct chains *q)
{
	uintptr_t number = q->nr_posted + 1;
	uint64_t gpa = chains_buffer(q, number);
	uint16_t flags = q->writable ? GUEST_DESC_WRITE : 0, n = 1 + (uint16_t)(number % 7 / 3);
	struct guest_seg segs[CHAINS_PIECES_MAX];
	bool posted;

	CHECK(number < CHAINS_MAX);
	for (unsigned i = 0; i < CHAINS_PIECES_MAX; i++)
		segs[i] = (struct guest_seg) {
			.gpa = gpa + i * CHAINS_BUFFER_BYTES,
			.len_bytes = i == 0 ? GUEST_NET_HDR_BYTES + 20u * n : 60,
			.flags = flags,
		};
	if (!q->writable && number % 11 == 0)
		segs[0].gpa = UINT64_C(1) << 40;
	q->vq->indirect = number % 5 == 0;
	posted = guest_ring_post(q->vq, segs, n, (void *)number) >= 0;
	q->vq->indirect = false;
	q->nr_posted += posted;
	return posted;
}

/* Receive buffers of one packet stand together: the first says how many. */
static inline void
chains_check_received(struct chains *q, uintptr_t number, uint32_t len_bytes)
{
	struct guest_net_hdr hdr = {0};

	if (q->missing == 0) {
		CHECK(len_bytes >= GUEST_NET_HDR_BYTES);
		guest_read(q->mem, chains_buffer(q, number), &hdr, GUEST_NET_HDR_BYTES);
		CHECK(hdr.num_buffers >= 1);
		q->missing = hdr.num_buffers;
	}
	CHECK(len_bytes != 0);
	q->missing--;
}

static inline void
chains_reap(struct chains *q)
{
	struct guest_used used;
	void *cookie;

	while (guest_ring_poll(q->vq, &used, &cookie)) {
		/* One that was not given, or that came back already. */
		CHECK(cookie != NULL);
		CHECK_EQ(q->done[(uintptr_t)cookie]++, 0);
		q->nr_done++;
		if (q->writable)
			chains_check_received(q, (uintptr_t)cookie, used.len_bytes);
	}
	/* What comes in several buffers comes as a whole. */
	CHECK_EQ(q->missing, 0);
}

/* --- a receive queue and a transmit queue --------------------------------- */

static inline void
chains_work(struct chains queues[2], bool more)
{
	for (unsigned i = 0; i < 2; i++) {
		chains_reap(&queues[i]);
		while (more && chains_post(&queues[i]))
			;
	}
}

static inline uintptr_t
chains_nr_done(const struct chains queues[2])
{
	return queues[0].nr_done + queues[1].nr_done;
}

/* For flow_wait_until(). */
static inline bool
chains_all_done(void *arg)
{
	struct chains *queues = arg;

	chains_work(queues, false);
	return queues[0].nr_done == queues[0].nr_posted && queues[1].nr_done == queues[1].nr_posted;
}

/* Until so many chains more have come back; without a pause, so that the device has work. */
static inline void
chains_work_until_done(struct chains queues[2], uintptr_t more)
{
	uint64_t limit_us = flow_now_us() + 20000000;
	uintptr_t until = chains_nr_done(queues) + more;

	while (chains_nr_done(queues) < until) {
		uintptr_t before = chains_nr_done(queues);

		chains_work(queues, true);
		CHECK(flow_now_us() < limit_us);
		if (chains_nr_done(queues) == before)
			sched_yield();
	}
}

#endif
