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
	uint32_t packets = power_of_two(ring_size);
	uint32_t segs = MIN2(MAX2(4 * packets, SEGS_LEAST), SEGS_MOST);
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->mask = packets - 1;
	p->segs_mask = segs - 1;
	p->copy = copy_segs;
	p->packets = calloc(packets, sizeof(*p->packets));
	p->used = calloc(packets, sizeof(*p->used));
	p->segs = calloc(segs, sizeof(*p->segs));
	if (p->packets != NULL && p->used != NULL && p->segs != NULL) {
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
	free(p->used);
	free(p->segs);
	free(p);
}

struct pending_packet *pending_take(struct pending *p, void *mbuf, const struct used *used,
				    unsigned int nr_used, struct copy_engine *engine,
				    unsigned int nr_segs)
{
	struct pending_packet *packet = pending_at(p, p->taken++);

	*packet = (struct pending_packet){ .mbuf = mbuf,
					   .engine = engine,
					   .nr_segs = (uint16_t)nr_segs,
					   .nr_used = (uint16_t)nr_used,
					   .state = nr_segs != 0 ? JOB_RUNNING : JOB_DONE,
					   .segs_at = p->segs_taken,
					   .segs_end = p->segs_taken + nr_segs };
	p->segs_taken += nr_segs;
	p->nr_mbufs += mbuf != NULL;
	for (unsigned int i = 0; i < nr_used; i++)
		p->used[p->used_taken++ & p->mask] = used[i];
	return packet;
}

static struct copy_job job_of(const struct pending *p, struct pending_packet *packet)
{
	return (struct copy_job){ .segs = &p->segs[packet->segs_at & p->segs_mask],
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

unsigned int pending_untake(struct pending *p, struct used *used, void **mbuf)
{
	const struct pending_packet *packet = pending_at(p, --p->taken);

	for (unsigned int i = packet->nr_used; i-- > 0;)
		used[i] = p->used[--p->used_taken & p->mask];
	p->segs_taken = packet->segs_at;
	p->nr_mbufs -= packet->mbuf != NULL;
	*mbuf = packet->mbuf;
	return packet->nr_used;
}

void pending_hold(struct pending *p, uint32_t first, struct gmem *mem)
{
	bool any = false;

	for (; first != p->taken; first++) {
		struct pending_packet *packet = pending_at(p, first);

		packet->mem = mem;
		any |= packet->nr_segs != 0;
	}
	/* They are given in order: when the last one is, all are. */
	if (!any)
		return;
	(void)gmem_get(mem);
	pending_at(p, p->taken - 1)->holds_mem = true;
}

void pending_give(struct pending *p)
{
	struct pending_packet *packet = pending_at(p, p->given++);

	p->abandoned -= p->abandoned != 0;
	p->used_given += packet->nr_used;
	p->segs_given = packet->segs_end;
	if (packet->holds_mem)
		gmem_put(packet->mem);
	packet->holds_mem = false;
}

void pending_redo(const struct pending *p, const struct pending_packet *packet)
{
	p->copy(&p->segs[packet->segs_at & p->segs_mask], packet->nr_segs);
}

void *pending_return(struct pending *p)
{
	while (p->returned != p->given) {
		void *mbuf = pending_at(p, p->returned++)->mbuf;

		if (mbuf != NULL) {
			p->nr_mbufs--;
			return mbuf;
		}
	}
	return NULL;
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
