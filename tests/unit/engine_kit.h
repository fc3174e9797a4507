/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Jobs for tests of copy engines: random bytes in random pieces, which know
 * whether they arrived. Header only; include it from one file of a program.
 */
#ifndef ENGINE_KIT_H
#define ENGINE_KIT_H

#include <sched.h>
#include <time.h>

#include "base/defs.h"
#include "copy/engine.h"
#include "tap.h"

#define WORK_SEGS 8u
#define WORK_BYTES 2048u
#define WAIT_SECONDS 60

/* One job with its memory. */
struct work {
	struct copy_seg segs[WORK_SEGS];
	uint8_t src[WORK_BYTES], dst[WORK_BYTES];
	uint8_t state;
};

/* Each thread has its own. */
static _Thread_local uint32_t work_seed = 1;

static inline uint32_t work_random(uint32_t below)
{
	work_seed = work_seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)work_seed * below) >> 32);
}

/* A job of that many pieces; source and destination of each lie in one place of their buffers. */
static inline struct copy_job work_job(struct work *w, unsigned int nr_segs)
{
	uint32_t room = WORK_BYTES / nr_segs;

	for (unsigned int i = 0; i < nr_segs; i++) {
		uint32_t at = i * room, len = 1 + work_random(room - 1);

		w->segs[i] = (struct copy_seg){ w->dst + at, w->src + at, len };
	}
	for (unsigned int i = 0; i < WORK_BYTES; i += 16)
		w->src[i] = (uint8_t)work_random(256);
	memset(w->dst, 0xee, sizeof(w->dst));
	w->state = JOB_RUNNING;
	return (struct copy_job){ w->segs, nr_segs, &w->state };
}

static inline bool work_arrived(const struct work *w, unsigned int nr_segs)
{
	for (unsigned int i = 0; i < nr_segs; i++)
		if (memcmp(w->segs[i].dst, w->segs[i].src, w->segs[i].len_bytes) != 0)
			return false;
	return true;
}

static inline bool work_untouched(const struct work *w)
{
	for (unsigned int i = 0; i < WORK_BYTES; i++)
		if (w->dst[i] != 0xee)
			return false;
	return true;
}

static inline time_t work_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Polls until the engine is through with a job; what became of it. */
static inline enum job_state work_wait(struct copy_engine *engine, const uint8_t *state)
{
	time_t until = work_now() + WAIT_SECONDS;

	while (job_state(state) == JOB_RUNNING && work_now() < until) {
		if (engine->ops->poll(engine) < 0)
			break;
		sched_yield();
	}
	return job_state(state);
}

/*
 * `total` jobs in bursts, at most FLIGHT at a time, every one checked. NULL, or
 * what was wrong: threads use it, and only the main one may CHECK.
 */
#define FLIGHT 256u
static inline const char *work_many(struct copy_engine *engine, unsigned int total, uint32_t seed)
{
	static _Thread_local struct work works[FLIGHT];
	unsigned int nr_segs[FLIGHT], sent = 0, done = 0;
	time_t until = work_now() + WAIT_SECONDS;

	work_seed = seed;
	while (done < total) {
		struct copy_job jobs[32];
		unsigned int n = MIN2(MIN2(32u, total - sent), FLIGHT - (sent - done));
		int taken = 0;

		for (unsigned int i = 0; i < n; i++) {
			unsigned int at = (sent + i) % FLIGHT;

			nr_segs[at] = 1 + work_random(WORK_SEGS);
			jobs[i] = work_job(&works[at], nr_segs[at]);
		}
		if (n > 0)
			taken = engine->ops->submit(engine, jobs, n);
		if (taken < 0 || (unsigned int)taken > n)
			return "submit() failed";
		sent += (unsigned int)taken;
		if (engine->ops->poll(engine) < 0)
			return "poll() failed";
		for (; done < sent && job_state(&works[done % FLIGHT].state) != JOB_RUNNING; done++) {
			const struct work *w = &works[done % FLIGHT];

			if (job_state(&w->state) != JOB_DONE)
				return "a job failed";
			if (!work_arrived(w, nr_segs[done % FLIGHT]))
				return "bytes did not arrive";
			until = work_now() + WAIT_SECONDS;
		}
		if (work_now() > until)
			return "jobs do not end";
		sched_yield();
	}
	return NULL;
}

#endif
