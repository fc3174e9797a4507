/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rounds count, and what they come to; see rounds.h. */
#include "rounds.h"

#include <math.h>
#include <stdlib.h>

#include <rte_common.h>

#define QUIET_FACTOR 1.06
#define ALU_ROUNDS 400

/* Independent additions, more than a core can start in a cycle; ticks it took. */
static __attribute__((noinline)) uint64_t
alu_kernel(void)
{
	uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, n = ALU_ROUNDS;
	uint64_t start = fenced_tsc();

	__asm__ volatile("1:\n\t"
			 "add $1, %0\n\tadd $3, %1\n\tadd $5, %2\n\t"
			 "add $7, %3\n\tadd $9, %4\n\tadd $11, %5\n\t"
			 "add $1, %0\n\tadd $3, %1\n\tadd $5, %2\n\t"
			 "add $7, %3\n\tadd $9, %4\n\tadd $11, %5\n\t"
			 "add $1, %0\n\tadd $3, %1\n\tadd $5, %2\n\t"
			 "add $7, %3\n\tadd $9, %4\n\tadd $11, %5\n\t"
			 "dec %6\n\tjnz 1b"
			 : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(n)
			 :
			 : "cc");
	return fenced_tsc() - start;
}

double
rounds_probe_ticks(void)
{
	return (double)alu_kernel();
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
percentile(double *sorted, unsigned n, double fraction)
{
	double at = fraction * (n - 1);
	unsigned low = (unsigned)at;
	unsigned high = RTE_MIN(low + 1, n - 1);

	return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

double
rounds_quiet_ticks(unsigned ms)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000 * ms;
	static double samples[1u << 20];
	unsigned n = 0;

	while (rte_rdtsc() < until && n < RTE_DIM(samples))
		samples[n++] = rounds_probe_ticks();
	qsort(samples, n, sizeof(samples[0]), compare_doubles);
	return percentile(samples, n, 0.02);
}

double
rounds_timer_cost(void)
{
	double samples[501];

	for (unsigned i = 0; i < RTE_DIM(samples); i++) {
		uint64_t start = fenced_tsc();

		samples[i] = (double)(fenced_tsc() - start);
	}
	qsort(samples, RTE_DIM(samples), sizeof(samples[0]), compare_doubles);
	return percentile(samples, RTE_DIM(samples), 0.5);
}

void
rounds_begin(struct rounds *r, double quiet_ticks, unsigned wanted, unsigned most)
{
	*r = (struct rounds) {
		.wanted = wanted,
		.most = most,
		.on_valgrind = RUNNING_ON_VALGRIND != 0,
		.limit_ticks = quiet_ticks * QUIET_FACTOR,
		.last_ticks = rounds_probe_ticks(),
	};
}

bool
rounds_more(const struct rounds *r)
{
	return r->clean < r->wanted && r->clean + r->dropped < r->most;
}

bool
rounds_undisturbed(struct rounds *r)
{
	double before = r->last_ticks;

	r->last_ticks = rounds_probe_ticks();
	if (r->on_valgrind || (before <= r->limit_ticks && r->last_ticks <= r->limit_ticks)) {
		r->clean++;
		return true;
	}
	r->dropped++;
	return false;
}

struct round_summary
rounds_summary(double *samples, unsigned n)
{
	if (n == 0)
		return (struct round_summary) {NAN, NAN, NAN};
	qsort(samples, n, sizeof(*samples), compare_doubles);
	return (struct round_summary) {
		.median = percentile(samples, n, 0.5),
		.p10 = percentile(samples, n, 0.1),
		.p90 = percentile(samples, n, 0.9),
	};
}
