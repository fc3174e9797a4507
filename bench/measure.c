/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The timing of bench_burst: TSC cycles around the burst call only, lfence fenced, the timer's own
 * cost subtracted. A round is ROUND_BURSTS bursts; the guest and the application work between
 * bursts, untimed, on the same core. With --cross the guest works on another one at the same time,
 * and a round is as many bursts that moved packets.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define ROUND_BURSTS 32
#define WARM_UP_BURSTS 512
#define COLD_WARM_UP_BURSTS 64
#define ROTATING_MBUFS 64
#define MAX_SETS 64
#define CROSS_PATIENCE_S 10

/* The application's mbufs, `burst` a set, used round and round. */
struct rotation {
	unsigned nr_sets, next;
	struct rte_mbuf *sets[MAX_SETS][BENCH_MAX_BURST];
	unsigned filled[MAX_SETS];
};

static void
rotation_begin(struct bench *b, struct rotation *r)
{
	memset(r, 0, sizeof(*r));
	r->nr_sets = RTE_MAX(2u, RTE_MIN((unsigned)MAX_SETS, ROTATING_MBUFS / b->opts.burst));
	if (b->dir == G2H)
		return;
	for (unsigned s = 0; s < r->nr_sets; s++) {
		for (unsigned i = 0; i < b->opts.burst; i++)
			r->sets[s][i] = packet_mbuf(b, b->opts.cross ? 0 : s * b->opts.burst + i,
						    b->pkt_bytes, 0);
		r->filled[s] = b->opts.burst;
	}
}

static void
rotation_end(struct rotation *r)
{
	for (unsigned s = 0; s < r->nr_sets; s++)
		rte_pktmbuf_free_bulk(r->sets[s], r->filled[s]);
}

/* One burst with everything around it; ticks of the burst call alone. */
static uint64_t
one_burst(struct bench *b, struct rotation *r, double cost, bool on_valgrind)
{
	unsigned s = r->next++ % r->nr_sets;
	unsigned burst = b->opts.burst, n;
	struct rte_mbuf **pkts = r->sets[s];
	unsigned buffers = burst * (b->dir == H2G ? buffers_per_packet(b, b->pkt_bytes) : 1);
	uint64_t start, ticks;

	if (b->dir == G2H) {
		rte_pktmbuf_free_bulk(pkts, r->filled[s]);
		r->filled[s] = 0;
	}
	if (on_valgrind)
		CALLGRIND_TOGGLE_COLLECT;
	start = fenced_tsc();
	if (b->opts.engine != ENGINE_NONE) {
		n = async_burst(b, pkts, burst, cost, &ticks);
	} else {
		n = bench_burst(b, pkts, burst);
		ticks = fenced_tsc() - start;
	}
	if (on_valgrind)
		CALLGRIND_TOGGLE_COLLECT;
	if (n != burst)
		bench_die("%u of %u packets in a timed burst", n, burst);
	r->filled[s] = burst;
	if (guest_reap(b) != buffers)
		bench_die("a timed burst used a wrong number of buffers");
	guest_post(b, buffers);
	b->packets += burst;
	return ticks;
}

/* One burst that moves packets, while the guest works on its core; ticks of that call. */
static uint64_t
cross_burst(struct bench *b, struct rotation *r)
{
	unsigned s = r->next++ % r->nr_sets, n;
	struct rte_mbuf **pkts = r->sets[s];
	uint64_t start, ticks, since = rte_rdtsc();

	if (b->dir == G2H) {
		rte_pktmbuf_free_bulk(pkts, r->filled[s]);
		r->filled[s] = 0;
	}
	do {
		start = fenced_tsc();
		n = bench_burst(b, pkts, b->opts.burst);
		ticks = fenced_tsc() - start;
		if (start - since > CROSS_PATIENCE_S * rte_get_tsc_hz())
			bench_die("no packet moves");
	} while (n == 0);
	for (unsigned i = 0; b->dir == G2H && i < n; i++)
		if (pkts[i]->nb_segs == 1)
			cross_check(b, rte_pktmbuf_mtod(pkts[i], uint8_t *), pkts[i]->pkt_len);
	if (b->dir == G2H)
		r->filled[s] = n;
	b->packets += n;
	return ticks;
}

/* ROUND_BURSTS calls that find nothing to do; ticks of all. */
static uint64_t
empty_polls(struct bench *b, struct rotation *r)
{
	struct rte_mbuf *none[BENCH_MAX_BURST];
	unsigned n = 0;
	uint64_t start = fenced_tsc();

	for (unsigned i = 0; i < ROUND_BURSTS; i++)
		n += bench_burst(b, b->dir == H2G ? r->sets[0] : none, b->opts.burst);
	start = fenced_tsc() - start;
	if (n != 0)
		bench_die("packets out of nothing");
	return start;
}

static double
one_round(struct bench *b, struct rotation *r, double cost, bool on_valgrind)
{
	uint64_t packets = b->packets;
	double ticks = 0;

	if (b->opts.empty)
		return ((double)empty_polls(b, r) - cost) / ROUND_BURSTS;
	for (unsigned i = 0; i < ROUND_BURSTS; i++) {
		ticks += (double)(b->opts.cross ? cross_burst(b, r) :
						  one_burst(b, r, cost, on_valgrind));
		ticks -= cost;
	}
	return ticks / (double)(b->packets - packets);
}

static void
prepare(struct bench *b, struct rotation *r)
{
	rotation_begin(b, r);
	if (b->dir == G2H)
		guest_fill_packets(b);
	if (b->opts.empty || b->opts.cross)
		return;
	/* As many as the ring takes, as a driver does. */
	guest_post(b, b->vq->size);
	for (unsigned i = 0; i < (b->opts.buffers_mib != 0 ? COLD_WARM_UP_BURSTS : WARM_UP_BURSTS);
	     i++)
		one_burst(b, r, 0, false);
}

void
cell_measure(struct bench *b, struct bench_result *result)
{
	double *clean = calloc(b->opts.rounds, sizeof(*clean));
	struct rotation *r = malloc(sizeof(*r));
	double cost = rounds_timer_cost();
	struct cross_guest *guest = NULL;
	uint64_t packets, bursts = 0;
	struct rounds rounds;

	if (clean == NULL || r == NULL)
		bench_die("no memory");
	prepare(b, r);
	if (b->opts.cross) {
		guest = cross_begin(b, false);
		for (unsigned i = 0; i < WARM_UP_BURSTS; i++)
			(void)cross_burst(b, r);
	}
	packets = b->packets;
	rounds_begin(&rounds, b->opts.quiet_ticks, b->opts.rounds, b->opts.max_rounds);
	while (rounds_more(&rounds)) {
		double cycles = one_round(b, r, cost, rounds.on_valgrind);

		if (rounds_undisturbed(&rounds))
			clean[rounds.clean - 1] = cycles;
		bursts += ROUND_BURSTS;
	}
	if (guest != NULL)
		cross_end(b, guest);
	*result = (struct bench_result) {
		.cycles = rounds_summary(clean, rounds.clean),
		.clean = rounds.clean,
		.dropped = rounds.dropped,
		.timed_packets = b->packets - packets,
	};
	result->fill = (double)result->timed_packets / (double)bursts;
	rotation_end(r);
	free(r);
	free(clean);
}
