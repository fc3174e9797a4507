/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timing in rounds. Interference filter: on a shared machine a neighbour on the sibling thread
 * makes the same code take up to twice as long, for seconds at a time. A loop that keeps every ALU
 * busy for about a microsecond brackets each round; a round with a slow loop on either side is
 * dropped.
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_cycles.h>

#ifdef HAVE_CALLGRIND
#include <valgrind/callgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define CALLGRIND_TOGGLE_COLLECT ((void)0)
#endif

struct rounds {
	unsigned wanted, most;	 /* undisturbed ones, and attempts at most */
	unsigned clean, dropped; /* so far */
	bool on_valgrind;	 /* then none is disturbed */
	double limit_ticks, last_ticks; /* of the loop */
};

struct round_summary {
	double median, p10, p90;
};

/* The loop, once. */
double rounds_probe_ticks(void);
/* What it takes on a quiet core, by trying for so long. */
double rounds_quiet_ticks(unsigned ms);
/* What two readings of the counter next to each other are apart. */
double rounds_timer_cost(void);

void rounds_begin(struct rounds *r, double quiet_ticks, unsigned wanted, unsigned most);
/* Shall there be another one? */
bool rounds_more(const struct rounds *r);
/* After a round: true if it counts; it is number r->clean - 1 then. */
bool rounds_undisturbed(struct rounds *r);

/* Sorts the samples; NAN without any. */
struct round_summary rounds_summary(double *samples, unsigned n);

static inline uint64_t
fenced_tsc(void)
{
	uint64_t tsc;

	__builtin_ia32_lfence();
	tsc = rte_rdtsc();
	__builtin_ia32_lfence();
	return tsc;
}

#endif
