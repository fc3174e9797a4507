/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest on another core, as a real one is: it posts, reaps, writes what it sends and reads what
 * it gets there, spinning, while the host's bursts are timed. So the lines of the ring and of the
 * packets travel between the cores, and the library waits for them.
 *
 * It publishes a burst at a time, and the host's polls find that or nothing: the size of the bursts
 * does not depend on how fast the library is. Nothing here is untrusted.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 64
#define END_BYTES 8
/* Two lines: some processors fetch them in pairs. */
#define APART_BYTES 128

struct cross_guest {
	/* A copy, so that the guest's counters share no line with what the host reads. */
	struct bench cell;
	pthread_t thread;
	bool idle;
	bool stop; /* atomic */
	uint64_t seen;
} __attribute__((aligned(APART_BYTES)));

static uint8_t packet[BENCH_HDR_BYTES + BENCH_MAX_PACKET_BYTES];

/* Is `other` a thread of the same core? A file that is not there knows of no threads. */
static bool
are_siblings(unsigned core, unsigned other)
{
	char path[128], list[256], *at = list;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", core);
	f = fopen(path, "r");
	if (f == NULL || fgets(list, sizeof(list), f) == NULL)
		list[0] = '\0';
	if (f != NULL)
		fclose(f);
	/* Such as 0-1,4 */
	while (*at >= '0' && *at <= '9') {
		unsigned first = (unsigned)strtoul(at, &at, 10), last = first;

		if (*at == '-')
			last = (unsigned)strtoul(at + 1, &at, 10);
		found |= other >= first && other <= last;
		at += *at == ',';
	}
	return found;
}

unsigned
cross_core(unsigned core)
{
	cpu_set_t cores;

	if (sched_getaffinity(0, sizeof(cores), &cores) != 0)
		bench_die("cannot tell which cores there are");
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &cores) && i != core && !are_siblings(core, i))
			return i;
	bench_die("--cross needs a second core for the guest, and there is none besides core %u",
		  core);
}

void
cross_check(const struct bench *b, const uint8_t *data, uint32_t len_bytes)
{
	if (len_bytes != b->pkt_bytes)
		bench_die("a packet of %u bytes, expected %u", len_bytes, b->pkt_bytes);
	if (memcmp(data + len_bytes - END_BYTES,
		   packet + BENCH_HDR_BYTES + len_bytes - END_BYTES, END_BYTES) != 0)
		bench_die("a packet ends with other bytes than were sent");
}

/* As a driver's application does: looks at all of it. */
static uint64_t
read_lines(const uint8_t *at, uint32_t len_bytes)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < len_bytes; i += LINE_BYTES)
		sum += *(const volatile uint8_t *)(at + i);
	return sum;
}

static void
reap(struct cross_guest *g)
{
	struct bench *b = &g->cell;
	struct guest_used used;
	void *cookie;

	while (guest_ring_poll(b->vq, &used, &cookie)) {
		const struct bench_buffer *buf = cookie;

		if (buf == NULL)
			bench_die("used element names chain %u, which is not posted", used.id);
		if (b->dir == G2H)
			continue;
		g->seen += read_lines(buf->at, used.len_bytes);
		/* Of several buffers, who knows which this is. */
		if (b->pkt_bytes + BENCH_HDR_BYTES <= b->buffer_bytes)
			cross_check(b, buf->at + BENCH_HDR_BYTES, used.len_bytes - BENCH_HDR_BYTES);
	}
}

/* Writes the packets anew, as a guest does that sends. */
static void
fill(struct bench *b, unsigned count)
{
	unsigned at = b->next_buffer;

	for (unsigned i = 0; i < count; i++) {
		memcpy(b->buffers[at].at, packet, BENCH_HDR_BYTES + b->pkt_bytes);
		if (++at == b->nr_buffers)
			at = 0;
	}
}

static void *
run(void *arg)
{
	struct cross_guest *g = arg;
	struct bench *b = &g->cell;
	unsigned per_chain = b->opts.layout == LAYOUT_TWO ? 2 : 1;

	while (!__atomic_load_n(&g->stop, __ATOMIC_RELAXED)) {
		if (g->idle)
			continue;
		reap(g);
		if (b->vq->free_count < b->opts.burst * per_chain)
			continue;
		if (b->dir == G2H)
			fill(b, b->opts.burst);
		guest_post(b, b->opts.burst);
	}
	return NULL;
}

struct cross_guest *
cross_begin(const struct bench *b, bool idle)
{
	struct cross_guest *g = aligned_alloc(APART_BYTES, sizeof(*g));
	struct guest_net_hdr hdr = packet_guest_header(b);
	cpu_set_t core;

	if (g == NULL)
		bench_die("no memory");
	memset(g, 0, sizeof(*g));
	g->cell = *b;
	g->idle = idle;
	memcpy(packet, &hdr, BENCH_HDR_BYTES);
	if (!idle)
		packet_make(b, 0, packet + BENCH_HDR_BYTES, b->pkt_bytes);
	if (pthread_create(&g->thread, NULL, run, g) != 0)
		bench_die("no thread for the guest");
	CPU_ZERO(&core);
	CPU_SET(b->opts.guest_core, &core);
	if (pthread_setaffinity_np(g->thread, sizeof(core), &core) != 0)
		bench_die("the guest cannot run on core %u", b->opts.guest_core);
	return g;
}

void
cross_end(struct bench *b, struct cross_guest *g)
{
	__atomic_store_n(&g->stop, true, __ATOMIC_RELAXED);
	pthread_join(g->thread, NULL);
	b->next_buffer = g->cell.next_buffer;
	if (!g->idle)
		(void)guest_reap(b);
	free(g);
}
