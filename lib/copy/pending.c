/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "pending.h"

#define SEGS_LEAST 1024
#define SEGS_MOST 8192
/* Jobs that an engine is given at once. */
#define JOBS 32

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t n = 1;

	while (n < at_least)
		n *= 2;
	return n;
}

struct pending *pending_new(uint16_t ring_size, struct copy_engine *engine)
{
	/* Two: see pending_room(). */
	uint32_t packets = power_of_two(MAX2(ring_size, 2));
	uint32_t segs = MIN2(MAX2(4 * packets, SEGS_LEAST), SEGS_MOST);
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->mask = packets - 1;
	p->segs_mask = segs - 1;
	p->copy = copy_segs;
	if (posix_memalign((void **)&p->packets, CACHE_LINE_BYTES, packets * sizeof(*p->packets)) != 0)
		p->packets = NULL;
	p->mbufs = calloc(packets, sizeof(*p->mbufs));
	p->used = calloc(packets, sizeof(*p->used));
	p->segs = calloc(segs, sizeof(*p->segs));
	if (p->packets != NULL && p->mbufs != NULL && p->used != NULL && p->segs != NULL) {
		p->engine = engine;
		return p;
	}
	pending_free(p);
	return NULL;
}

void pending_free(struct pending *p)
{
	if (p->engine != NULL && p->engine->ops->release != NULL)
		p->engine->ops->release(p->engine);
	free(p->packets);
	free(p->mbufs);
	free(p->used);
	free(p->segs);
	free(p);
}

void pending_pass(struct pending *p, void *const *mbufs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		*pending_mbuf_at(p, p->taken++) = mbufs[i];
	p->given = p->taken;
	p->nr_mbufs += n;
}

static struct copy_job job_of(const struct pending *p, struct pending_packet *packet)
{
	return (struct copy_job){ .segs = &p->segs[packet->segs_at],
				  .nr_segs = packet->nr_segs,
				  .state = &packet->state };
}

/* All of one engine, that of the first. */
uint32_t pending_start(struct pending *p, uint32_t first)
{
	while (first != p->taken) {
		struct copy_job jobs[JOBS];
		uint32_t numbers[JOBS];
		struct copy_engine *engine = NULL;
		unsigned int n = 0;
		int started;

		for (; first != p->taken && n < JOBS; first++) {
			struct pending_packet *packet = pending_at(p, first);

			if (packet->nr_segs == 0)
				continue;
			engine = packet->engine;
			numbers[n] = first;
			jobs[n++] = job_of(p, packet);
		}
		if (n == 0)
			break;
		started = engine->ops->submit(engine, jobs, n);
		if (started < (int)n)
			return numbers[MAX2(started, 0)];
	}
	return p->taken;
}

/* How far a place is behind another: a packet's pieces and what was skipped, not once round. */
static uint32_t segs_since(const struct pending *p, uint32_t before, uint32_t place)
{
	return (place - before) & p->segs_mask;
}

unsigned int pending_untake(struct pending *p, struct used *used, void **mbuf)
{
	const struct pending_packet *packet = pending_at(p, --p->taken);

	for (unsigned int i = packet->nr_used; i-- > 0;)
		used[i] = p->used[--p->used_taken & p->mask];
	if (packet->nr_segs != 0)
		p->segs_taken -= segs_since(p, packet->segs_at, p->segs_taken);
	*mbuf = *pending_mbuf_at(p, p->taken);
	p->nr_mbufs -= *mbuf != NULL;
	return packet->nr_used;
}

void pending_hold(struct pending *p, uint32_t first, struct gmem *mem)
{
	/* They are given in order: when the last one with copies is, all are. */
	for (uint32_t i = p->taken; i != first; i--) {
		struct pending_packet *packet = pending_at(p, i - 1);

		if (packet->nr_segs == 0)
			continue;
		packet->mem = gmem_get(mem);
		return;
	}
}

struct gmem *pending_mem(const struct pending *p, uint32_t number)
{
	while (pending_at(p, number)->mem == NULL)
		number++;
	return pending_at(p, number)->mem;
}

void pending_give(struct pending *p)
{
	struct pending_packet *packet = pending_at(p, p->given++);

	p->abandoned -= p->abandoned != 0;
	p->used_given += packet->nr_used;
	if (packet->nr_segs != 0)
		p->segs_given +=
			segs_since(p, p->segs_given, packet->segs_at + packet->nr_segs);
	if (packet->mem != NULL)
		gmem_put(packet->mem);
}

void pending_redo(const struct pending *p, const struct pending_packet *packet)
{
	p->copy(&p->segs[packet->segs_at], packet->nr_segs);
}

void pending_skip_chains(struct pending *p)
{
	while (p->returned != p->given && *pending_mbuf_at(p, p->returned) == NULL)
		p->returned++;
}

unsigned int pending_poll(const struct pending *p)
{
	const struct copy_engine *asked = NULL;
	unsigned int running = 0;

	for (uint32_t i = p->given; i != p->taken; i++) {
		struct pending_packet *packet = pending_at(p, i);

		if (job_state(&packet->state) != JOB_RUNNING)
			continue;
		if (!packet->engine->ops->polls_anywhere)
			continue;
		running++;
		if (packet->engine == asked)
			continue;
		asked = packet->engine;
		(void)packet->engine->ops->poll(packet->engine);
	}
	return running;
}
