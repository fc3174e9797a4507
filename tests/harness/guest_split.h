/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Driver side of a split virtqueue in guest memory, written from the virtio 1.2 specification.
 * Used by flow, message, hostile and fuzz tests and by the bench; a packed twin will offer the same
 * verbs. libc only. Well-behaved verbs keep the ring consistent; the _raw_ ones write whatever they
 * are given and are how hostile rings are made.
 *
 * One thread at a time per queue.
 */
#ifndef HARNESS_GUEST_SPLIT_H
#define HARNESS_GUEST_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest_memory.h"

enum {
	GUEST_DESC_NEXT = 1,
	GUEST_DESC_WRITE = 2,
	GUEST_DESC_INDIRECT = 4,
};
enum {
	GUEST_AVAIL_NO_INTERRUPT = 1,
	GUEST_USED_NO_NOTIFY = 1,
};

struct guest_desc {
	uint64_t gpa;
	uint32_t len_bytes;
	uint16_t flags;
	uint16_t next;
};

/* One piece of a chain. flags: GUEST_DESC_WRITE or 0; NEXT is added by guest_split_post(). */
struct guest_seg {
	uint64_t gpa;
	uint32_t len_bytes;
	uint16_t flags;
};

struct guest_used {
	uint32_t id;
	uint32_t len_bytes;
};

/* What the driver remembers of a posted chain, by head index. */
struct guest_chain {
	void *cookie;
	uint16_t nr_desc; /* ring descriptors it occupies; 0 = not posted */
};

struct guest_split {
	struct guest_memory *mem;
	uint16_t size; /* entries, a power of two */
	bool event_idx;
	bool indirect; /* post chains through an indirect table */
	bool no_kick;  /* guest_split_kick() does nothing */

	uint64_t desc_gpa, avail_gpa, used_gpa;
	volatile struct guest_desc *desc;
	volatile uint16_t *avail; /* flags, idx, ring[size], used_event */
	volatile uint16_t *used;  /* flags, idx, {id, len}[size], avail_event */

	uint16_t avail_idx;    /* next to publish */
	uint16_t kicked_idx;   /* avail_idx at the last kick decision */
	uint16_t last_used;    /* next to poll */
	uint16_t free_head;    /* free descriptors, linked by next_free[] */
	uint32_t free_count;
	uint16_t *next_free;
	struct guest_chain *chains;
	uint64_t indirect_gpa; /* one table of indirect_max per head */
	uint16_t indirect_max;

	int kickfd, callfd, errfd; /* eventfds, -1 if none */
};

/* Bytes of each area, for tests that place rings themselves. */
uint64_t guest_split_desc_bytes(uint16_t size);
uint64_t guest_split_avail_bytes(uint16_t size);
uint64_t guest_split_used_bytes(uint16_t size);

/* Allocates ring areas in mem and the eventfds. 0 or -errno. */
int guest_split_init(struct guest_split *vq, struct guest_memory *mem, uint16_t size);
/* Same with given places; the areas must each lie in one region. */
int guest_split_init_at(struct guest_split *vq, struct guest_memory *mem, uint16_t size,
			uint64_t desc_gpa, uint64_t avail_gpa, uint64_t used_gpa);
void guest_split_fini(struct guest_split *vq);
/* Forgets all chains, zeroes the rings, and starts both indices at `base`. */
void guest_split_reset(struct guest_split *vq, uint16_t base);
/* Re-reads the pointers after mem changed its mappings. */
void guest_split_rebind(struct guest_split *vq, struct guest_memory *mem);

/*
 * Puts a chain on the ring and publishes it (avail.idx is advanced). Returns the head index, or
 * -ENOSPC if there are not enough free descriptors.
 */
int guest_split_post(struct guest_split *vq, const struct guest_seg *segs, uint16_t nr_segs,
		     void *cookie);
/* Same without publishing; guest_split_publish() shows everything prepared so far. */
int guest_split_prepare(struct guest_split *vq, const struct guest_seg *segs, uint16_t nr_segs,
			void *cookie);
void guest_split_publish(struct guest_split *vq);
/* Kicks if the device asked for it (flags or event index). Returns whether it kicked. */
bool guest_split_kick(struct guest_split *vq);

/* Next used element: true and *used, *cookie filled (the chain is free again), or false. */
bool guest_split_poll(struct guest_split *vq, struct guest_used *used, void **cookie);
/* Waits up to timeout_ms for a used element. */
bool guest_split_wait(struct guest_split *vq, struct guest_used *used, void **cookie,
		      int timeout_ms);
/* Elements the device has used and the driver has not polled. */
uint16_t guest_split_pending(const struct guest_split *vq);

/* Call (interrupt) control: flags without event_idx, used_event with it. */
void guest_split_call_enable(struct guest_split *vq);
void guest_split_call_disable(struct guest_split *vq);
void guest_split_set_used_event(struct guest_split *vq, uint16_t idx);
uint16_t guest_split_avail_event(const struct guest_split *vq);
/* Calls received since the last look (eventfd counter). */
uint64_t guest_split_calls(struct guest_split *vq);
uint64_t guest_split_errors(struct guest_split *vq);

/* Raw access: no bookkeeping, no checks beyond the index being a place in memory. */
void guest_split_raw_desc(struct guest_split *vq, uint16_t index, uint64_t gpa, uint32_t len_bytes,
			  uint16_t flags, uint16_t next);
void guest_split_raw_avail(struct guest_split *vq, uint16_t slot, uint16_t head);
void guest_split_raw_avail_idx(struct guest_split *vq, uint16_t idx);
uint16_t guest_split_used_idx(const struct guest_split *vq);
struct guest_used guest_split_used_elem(const struct guest_split *vq, uint16_t slot);

#endif
