/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Driver side of a virtqueue in guest memory, split or packed, written from the virtio 1.2
 * specification. Used by flow, message, hostile and fuzz tests and by the bench. libc only. These
 * verbs keep the ring consistent and are the same for both formats; the _raw_ ones of
 * guest_split.h and guest_packed.h write whatever they are given and are how hostile rings are made.
 *
 * One thread at a time per queue.
 */
#ifndef HARNESS_GUEST_RING_H
#define HARNESS_GUEST_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest_memory.h"

enum {
	GUEST_DESC_NEXT = 1,
	GUEST_DESC_WRITE = 2,
	GUEST_DESC_INDIRECT = 4,
};

/* Entries of an indirect table, unless the ring says otherwise. */
#define GUEST_INDIRECT_MAX 64

/* A split descriptor (2.7.5). */
struct guest_desc {
	uint64_t gpa;
	uint32_t len_bytes;
	uint16_t flags;
	uint16_t next;
};

/* A packed descriptor (2.8.13), available and used alike. */
struct guest_packed_desc {
	uint64_t gpa;
	uint32_t len_bytes;
	uint16_t id;
	uint16_t flags;
};

/* One piece of a chain. flags: GUEST_DESC_WRITE or 0; NEXT is added by the ring. */
struct guest_seg {
	uint64_t gpa;
	uint32_t len_bytes;
	uint16_t flags;
};

struct guest_used {
	uint32_t id;
	uint32_t len_bytes;
};

/* What the driver remembers of a posted chain, by head index (split) or buffer id (packed). */
struct guest_chain {
	void *cookie;
	uint32_t len_bytes; /* of its device-writable part */
	uint16_t nr_desc;   /* ring descriptors it occupies; 0 = not posted */
};

struct guest_ring;

/* What differs between the formats. */
struct guest_format {
	/* Places a chain but does not show it; there is room. Returns its id. */
	uint16_t (*place)(struct guest_ring *vq, const struct guest_seg *segs, uint16_t nr_segs);
	void (*publish)(struct guest_ring *vq);
	/* The used element at last_used, if the device has written it. */
	bool (*used_at)(const struct guest_ring *vq, uint16_t slot, bool wrap,
			struct guest_used *used);
	bool (*kick_wanted)(struct guest_ring *vq);
	void (*call_set)(struct guest_ring *vq, bool enable);
	void (*reset)(struct guest_ring *vq, uint16_t base);
	/* Bytes of desc, avail and used. */
	void (*area_bytes)(uint16_t size, uint64_t bytes[3]);
};

struct guest_ring {
	const struct guest_format *format; /* &guest_split or &guest_packed */
	struct guest_memory *mem;
	uint16_t size; /* entries; split: a power of two */
	bool event_idx;
	bool in_order; /* the device may give back a batch by its last chain; before the first post */
	bool indirect; /* post chains through an indirect table */
	uint16_t plain; /* split: so many descriptors before that of the table (2.7.5.3.2) */
	uint16_t indirect_max; /* entries of a table; before the first is used */
	bool no_kick;  /* guest_ring_kick() does nothing */

	/* Packed: the descriptor ring, the driver's and the device's event suppression. */
	uint64_t desc_gpa, avail_gpa, used_gpa;
	union {
		volatile struct guest_desc *desc;
		volatile struct guest_packed_desc *packed;
	};
	volatile uint16_t *avail; /* split: flags, idx, ring[size], used_event; packed: event, flags */
	volatile uint16_t *used;  /* split: flags, idx, {id, len}[size], avail_event; packed: same */

	uint16_t avail_idx;  /* next to publish: free-running (split) or a slot (packed) */
	uint16_t last_used;  /* next to poll, likewise */
	bool avail_wrap;     /* packed: wrap counters that go with them */
	bool used_wrap;
	uint16_t added;      /* entries published since the last kick decision */
	uint16_t shown_idx;  /* packed: first slot not published yet, and its flags; 0 = none */
	uint16_t shown_flags;

	uint16_t free_head;  /* free descriptors (split) or ids (packed), linked by next_free[] */
	uint32_t free_count; /* free descriptors */
	uint16_t *next_free;
	struct guest_chain *chains;
	uint16_t *order;     /* ids of posted chains, oldest first, if in_order */
	uint16_t order_first;
	uint16_t order_count;
	bool in_batch;	     /* of a batch given back by its last chain, some are not polled yet */
	struct guest_used batch;
	uint64_t indirect_gpa; /* a table of indirect_max per id; 0 until used */

	int kickfd, callfd, errfd; /* eventfds, -1 if none */
};

/* Allocates ring areas in mem and the eventfds. 0 or -errno. */
int guest_ring_init(struct guest_ring *vq, const struct guest_format *format,
		    struct guest_memory *mem, uint16_t size);
/* Same with given places; the areas must each lie in one region. */
int guest_ring_init_at(struct guest_ring *vq, const struct guest_format *format,
		       struct guest_memory *mem, uint16_t size, uint64_t desc_gpa,
		       uint64_t avail_gpa, uint64_t used_gpa);
void guest_ring_fini(struct guest_ring *vq);
/* Forgets all chains and starts as a ring that `base` one-descriptor chains have gone through. */
void guest_ring_reset(struct guest_ring *vq, uint16_t base);
/* Re-reads the pointers after mem changed its mappings. */
void guest_ring_rebind(struct guest_ring *vq, struct guest_memory *mem);
/* What SET_VRING_BASE says for a ring that goes on from here: all unpolled chains are still to do. */
uint32_t guest_ring_base(const struct guest_ring *vq);

/*
 * Puts a chain on the ring and publishes it. Returns its id (split: the head index), or -ENOSPC if
 * there are not enough free descriptors.
 */
int guest_ring_post(struct guest_ring *vq, const struct guest_seg *segs, uint16_t nr_segs,
		    void *cookie);
/* Same without publishing; guest_ring_publish() shows everything prepared so far. */
int guest_ring_prepare(struct guest_ring *vq, const struct guest_seg *segs, uint16_t nr_segs,
		       void *cookie);
void guest_ring_publish(struct guest_ring *vq);
/* Does the device want a kick for what was published since this was last asked? */
bool guest_ring_kick_wanted(struct guest_ring *vq);
/* Kicks if it does. Returns whether it kicked. */
bool guest_ring_kick(struct guest_ring *vq);

/*
 * Next used element: true and *used, *cookie filled (the chain is free again), or false. Of a batch
 * given back in order, every chain has its turn, with the length of its writable part.
 */
bool guest_ring_poll(struct guest_ring *vq, struct guest_used *used, void **cookie);
/* Waits up to timeout_ms for a used element. */
bool guest_ring_wait(struct guest_ring *vq, struct guest_used *used, void **cookie,
		     int timeout_ms);
/* Chains the device has used and the driver has not polled. */
unsigned guest_ring_pending(const struct guest_ring *vq);

/* Call (interrupt) control: flags without event_idx, the event index with it. */
void guest_ring_call_enable(struct guest_ring *vq);
void guest_ring_call_disable(struct guest_ring *vq);
/* Calls received since the last look (eventfd counter). */
uint64_t guest_ring_calls(struct guest_ring *vq);
uint64_t guest_ring_errors(struct guest_ring *vq);

/* For the formats: the indirect table of id, allocated on first use. */
uint64_t guest_ring_indirect_table(struct guest_ring *vq, uint16_t id);
/* Of an indirect chain's pieces, those that stand in the ring: the table has one at least. */
uint16_t guest_ring_plain_segs(const struct guest_ring *vq, uint16_t nr_segs);

#endif
