/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What copies instead of the data core: a DMA channel, another core, functions
 * of the application. An engine gets jobs and says what became of each; it
 * knows nothing of rings and packets.
 *
 * Memory that a job names stays where it is until its state says that the engine
 * is through with it. An engine that never says so never gets that memory back
 * from under itself.
 */
#ifndef VHOST_NG_ENGINE_H
#define VHOST_NG_ENGINE_H

#include "plan.h"

/* The engine stores the last two, with release. */
enum job_state {
	JOB_RUNNING,
	JOB_DONE,
	JOB_FAILED, /* the engine is through with it, what it copied is unknown: to be done again */
};

/* The copies of one packet, in any order. */
struct copy_job {
	const struct copy_seg *segs;
	uint32_t nr_segs; /* not 0 */
	uint8_t *state;   /* JOB_RUNNING; atomic */
};

struct copy_engine;

struct copy_engine_ops {
	const char *name;
	/*
	 * Starts the first n jobs, each of them whole, and returns n; less than
	 * `count` when there is no room. < 0: none, it is broken. `jobs` is valid during
	 * the call only, what it points at until the job's state changes. One thread
	 * at a time for one queue; several queues may share an engine.
	 */
	int (*submit)(struct copy_engine *engine, const struct copy_job *jobs, unsigned int count);
	/* Has a look at what is done. 0, or < 0: it is broken. Threads as submit(). */
	int (*poll)(struct copy_engine *engine);
	/* The queue that it was made for is through with it; NULL: nothing to do. */
	void (*release)(struct copy_engine *engine);
	/* May the library's control thread poll it, too? */
	bool polls_anywhere;
};

struct copy_engine {
	const struct copy_engine_ops *ops;
	/* Copies of fewer bytes in all are left to the CPU. */
	uint32_t threshold_bytes;
};

static inline void job_set(uint8_t *state, enum job_state what)
{
	__atomic_store_n(state, (uint8_t)what, __ATOMIC_RELEASE);
}

static inline enum job_state job_state(const uint8_t *state)
{
	return (enum job_state)__atomic_load_n(state, __ATOMIC_ACQUIRE);
}

#endif
