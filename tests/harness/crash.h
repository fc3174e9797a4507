/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a process leaves behind in shared memory when it is killed: work is run in a child, one
 * instruction at a time (ptrace), and every state is kept that the memory has between two
 * instructions. A kill at any of them leaves one of these. libc only.
 */
#ifndef HARNESS_CRASH_H
#define HARNESS_CRASH_H

#include "guest_ring.h"

/* Mapped shared, or the child's stores stay its own. */
struct crash_memory {
	void *at;
	size_t bytes;
	bool watched; /* a change of this makes a state; of the rest the contents are kept with it */
};

#define CRASH_MEMORIES 8

struct crash_states {
	const struct crash_memory *memories;
	unsigned nr_memories;
	unsigned nr_states;
	uint8_t **states; /* each: the memories, one after the other */
	unsigned long instructions;
};

/*
 * Runs work(arg) to its end in a child; memory is as before when it returns. 0 or -errno, -ECHILD
 * if the child ended in another way. `memories` must outlive the result.
 */
int crash_record(struct crash_states *states, const struct crash_memory *memories,
		 unsigned nr_memories, void (*work)(void *arg), void *arg);
/* Memory as in state i; 0 is before the first instruction, the last is after the last. */
void crash_restore(const struct crash_states *states, unsigned i);
void crash_forget(struct crash_states *states);

/* The driver's own memory of a queue, which the crash does not touch, but the test in between. */
struct crash_guest {
	struct guest_ring ring;
	uint16_t *next_free, *order;
	struct guest_chain *chains;
};

void crash_guest_save(struct crash_guest *saved, const struct guest_ring *vq);
void crash_guest_restore(const struct crash_guest *saved, struct guest_ring *vq);
void crash_guest_forget(struct crash_guest *saved);

#endif
