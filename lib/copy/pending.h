/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packets of one queue that an engine copies: taken from the application or
 * the guest, not handed back yet. They go through it in one order, whatever
 * order their copies finish in:
 *
 *   taken      chains fetched, copies started (or done by the CPU: small ones)
 *   given      all before it is copied, the guest has its chains back
 *   returned   all before it is the application's again
 *
 * Who is inside the queue's gate, or holds device.lock while that is closed,
 * has the whole of it; an engine only stores a packet's state.
 */
#ifndef VHOST_NG_PENDING_H
#define VHOST_NG_PENDING_H

#include "engine.h"
#include "memory/gmem.h"
#include "ring/chain.h"

/* The most pieces an engine is given for one packet; with more, the CPU copies it. */
#define PENDING_SEGS_MAX PLAN_SEGS
/* What is kept of a virtio-net header. */
#define PENDING_HDR_BYTES 10

/* Two to a cache line: each goes to the engine's core and back. */
struct pending_packet {
	struct gmem *mem;           /* a reference, for this one and those before; or NULL */
	struct copy_engine *engine; /* who copies; NULL: the CPU did */
	uint16_t segs_at;           /* where its copies are */
	uint16_t nr_used;
	uint8_t nr_segs;
	uint8_t state; /* enum job_state, atomic */
	uint8_t hdr[PENDING_HDR_BYTES];
};

_Static_assert(sizeof(struct pending_packet) == CACHE_LINE_BYTES / 2, "half a cache line");
_Static_assert(PENDING_SEGS_MAX <= UINT8_MAX, "nr_segs holds it");

struct pending {
	/* Numbers that go on for ever, and wrap: taken >= given >= returned. */
	uint32_t taken, given, returned;
	uint32_t abandoned; /* how many, of those next to be given, have chains that no ring has */
	uint32_t used_taken, used_given;
	uint32_t segs_taken, segs_given;
	uint32_t nr_mbufs;  /* taken, not returned */
	uint32_t mask;      /* of packets, mbufs and chains */
	uint32_t segs_mask;
	void (*copy)(const struct copy_seg *segs, unsigned int n); /* how the CPU does it */
	struct copy_engine *engine; /* of the guide's functions; NULL: each call names one */
	struct pending_packet *packets;
	void **mbufs; /* by packet; NULL: chains that only go back */
	struct used *used;
	struct copy_seg *segs;
};

/* For a ring of `ring_size`; NULL without memory. The engine is released by pending_free(). */
struct pending *pending_new(uint16_t ring_size, struct copy_engine *engine);
/* Nothing is running. */
void pending_free(struct pending *p);

static inline struct pending_packet *pending_at(const struct pending *p, uint32_t number)
{
	return &p->packets[number & p->mask];
}

static inline void **pending_mbuf_at(const struct pending *p, uint32_t number)
{
	return &p->mbufs[number & p->mask];
}

/* Has the guest all its chains back? */
static inline bool pending_is_idle(const struct pending *p)
{
	return p->given == p->taken;
}

/* For how many more chains there is room. */
static inline uint32_t pending_chains_room(const struct pending *p)
{
	return p->mask + 1 - (p->used_taken - p->used_given);
}

/* For how many more packets of one chain, besides the one that follows the parts it was cut into. */
static inline uint32_t pending_room(const struct pending *p)
{
	uint32_t packets = p->mask - MIN2(p->mask, p->taken - p->returned);

	return MIN2(packets, pending_chains_room(p));
}

/* Room for the copies of one packet, in one piece; NULL: none now. */
static inline struct copy_seg *pending_segs(struct pending *p)
{
	uint32_t size = p->segs_mask + 1, to_end, skip;

	/* Also packets without copies know where these stood. */
	if (pending_is_idle(p))
		p->segs_taken = p->segs_given = 0;
	to_end = size - (p->segs_taken & p->segs_mask);
	skip = to_end < PENDING_SEGS_MAX ? to_end : 0;
	if (p->segs_taken - p->segs_given + skip + PENDING_SEGS_MAX > size)
		return NULL;
	p->segs_taken += skip;
	return &p->segs[p->segs_taken & p->segs_mask];
}

/*
 * Takes a packet (there is room) with its chains; `nr_segs` of what pending_segs()
 * gave are for `engine` to copy, none: it is copied.
 */
static inline struct pending_packet *pending_take(struct pending *p, void *mbuf,
						  const struct used *used, unsigned int nr_used,
						  struct copy_engine *engine, unsigned int nr_segs)
{
	struct pending_packet *packet = pending_at(p, p->taken);

	*packet = (struct pending_packet){ .engine = engine,
					   .segs_at = (uint16_t)(p->segs_taken & p->segs_mask),
					   .nr_used = (uint16_t)nr_used,
					   .nr_segs = (uint8_t)nr_segs,
					   .state = nr_segs != 0 ? JOB_RUNNING : JOB_DONE };
	*pending_mbuf_at(p, p->taken++) = mbuf;
	p->segs_taken += nr_segs;
	p->nr_mbufs += mbuf != NULL;
	for (unsigned int i = 0; i < nr_used; i++)
		p->used[p->used_taken++ & p->mask] = used[i];
	return packet;
}

/* Packets (there is room) whose chains the guest has back already, as it has all others. */
void pending_pass(struct pending *p, void *const *mbufs, unsigned int n);

/*
 * Starts what was taken from `first` on. Returns how far that came: from there on
 * nothing was started, and pending_untake() has to follow.
 */
uint32_t pending_start(struct pending *p, uint32_t first);
/* The last packet was not taken; its chains into `used`, how many. */
unsigned int pending_untake(struct pending *p, struct used *used, void **mbuf);
/* Keeps the memory that the packets from `first` on point into, as long as they are pending. */
void pending_hold(struct pending *p, uint32_t first, struct gmem *mem);

/* The copies of the next packet are through, or there are none: it can be given back. */
static inline bool pending_is_done(const struct pending *p)
{
	return p->given != p->taken &&
	       job_state(&pending_at(p, p->given)->state) != JOB_RUNNING;
}

/* The memory that its copies, which it has, point into. */
struct gmem *pending_mem(const struct pending *p, uint32_t number);

/* Have its chains a ring to go back to? */
static inline bool pending_has_ring(const struct pending *p)
{
	return p->abandoned == 0;
}

/* The next packet is given back, to whom it may concern. */
void pending_give(struct pending *p);

/* Copies again, by the CPU, what the engine could not. */
void pending_redo(const struct pending *p, const struct pending_packet *packet);

/* The next mbuf that may be returned, NULL: none. */
static inline void *pending_return(struct pending *p)
{
	while (p->returned != p->given) {
		void *mbuf = *pending_mbuf_at(p, p->returned++);

		if (mbuf != NULL) {
			p->nr_mbufs--;
			return mbuf;
		}
	}
	return NULL;
}
/* Makes room of what comes before it and is no mbuf: nobody may ever ask for it. */
void pending_skip_chains(struct pending *p);

/* Asks all engines that may be asked by anybody, once; how many packets are with them. */
unsigned int pending_poll(const struct pending *p);

#endif
