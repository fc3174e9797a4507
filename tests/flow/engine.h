/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An application's copy engine for the flow tests, by the guide's functions. It copies when it is
 * told to, and errs as it is told to: so it is known what is in flight, and what is not copied yet.
 * One engine a queue, the queue's index says which; devices have to take turns.
 */
#ifndef FLOW_ENGINE_H
#define FLOW_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_vhost_async.h>

#define ENGINE_QUEUES 4
#define ENGINE_ROOM 1024

struct engine {
	/* Copies (packets), counted since engine_reset(). */
	unsigned started, copied, reported;
	uint64_t bytes; /* started */
	unsigned transfers, checks; /* calls */
	/* What the library must not do, and did: anything but 0 is a failure. */
	unsigned wrong;

	/* The script. */
	unsigned room;	    /* not reported at most; the rest is not started [ENGINE_ROOM] */
	bool at_once;	    /* copies in transfer_data() */
	unsigned drip;	    /* != 0: check copies 1 to so many more, and reports those */
	unsigned most;	    /* reported by one check [ENGINE_ROOM] */
	int transfer_error; /* < 0: transfer_data() returns this and starts nothing */
	int check_error;    /* < 0: check_completed_copies() returns this */
	int boast;	    /* both return that much too much */
};

extern struct rte_vhost_async_channel_ops engine_ops;
/* In order; copies of fewer bytes than that are for the CPU. */
struct rte_vhost_async_config engine_config(uint32_t threshold_bytes);

/* All engines: copies what was started and is still to be reported, counts anew, has no script. */
void engine_reset(void);
struct engine *engine_of(uint16_t queue_id);
/* Copies the next n of what was started. */
void engine_copy(uint16_t queue_id, unsigned n);
/* Copies and reports everything from now on, until the script says otherwise. */
void engine_mend(uint16_t queue_id);
/* Copies the first half of the next one, and does not count it. */
void engine_copy_half(uint16_t queue_id);

#endif
