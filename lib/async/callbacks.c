/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Jobs in the structs of the guide's functions, and a queue of those that the
 * application has not reported yet. What the application returns is not trusted
 * to be within bounds.
 */
#include <errno.h>
#include <stdlib.h>

#include <rte_vhost_async.h>

#include "base/defs.h"
#include "base/log.h"
#include "callbacks.h"

/* In flight at most: one packet for each entry of the largest ring. */
#define CALLBACKS_JOBS 32768u
/* Handed over by one call, at most. A job of more pieces is left to the CPU. */
#define CALLBACKS_DESCS 32u
#define CALLBACKS_PIECES 1024u

struct callbacks {
	struct copy_engine engine;
	struct rte_vhost_async_channel_ops ops;
	int vid;
	uint16_t queue_id;
	bool said_too_many; /* logged already */

	/* States of jobs, oldest first. The counts run freely. */
	uint32_t head, tail;
	uint8_t **states;

	/* For one call. */
	struct rte_vhost_async_desc descs[CALLBACKS_DESCS];
	struct rte_vhost_iov_iter src[CALLBACKS_DESCS], dst[CALLBACKS_DESCS];
	struct iovec src_pieces[CALLBACKS_PIECES], dst_pieces[CALLBACKS_PIECES];
};

static struct callbacks *callbacks_of(struct copy_engine *engine)
{
	return CONTAINER_OF(engine, struct callbacks, engine);
}

static void say_too_many(struct callbacks *cb, const char *function, int32_t said, uint32_t most)
{
	if (cb->said_too_many)
		return;
	cb->said_too_many = true;
	LOG_ERR("vid %d queue %u: the application's %s() returned %d of %u; taken as %u (said once)",
		cb->vid, cb->queue_id, function, said, most, most);
}

/* The pieces of a job, and how many bytes they are. */
static void desc_fill(struct callbacks *cb, unsigned int at, uint32_t piece,
		      const struct copy_job *job)
{
	struct iovec *src = &cb->src_pieces[piece], *dst = &cb->dst_pieces[piece];
	size_t bytes = 0;

	for (uint32_t i = 0; i < job->nr_segs; i++) {
		const struct copy_seg *seg = &job->segs[i];

		src[i] = (struct iovec){ (void *)(uintptr_t)seg->src, seg->len_bytes };
		dst[i] = (struct iovec){ seg->dst, seg->len_bytes };
		bytes += seg->len_bytes;
	}
	cb->src[at] = (struct rte_vhost_iov_iter){ 0, bytes, src, job->nr_segs };
	cb->dst[at] = (struct rte_vhost_iov_iter){ 0, bytes, dst, job->nr_segs };
	cb->descs[at] = (struct rte_vhost_async_desc){ &cb->src[at], &cb->dst[at] };
}

/* As many of the jobs as one call takes. */
static unsigned int descs_fill(struct callbacks *cb, const struct copy_job *jobs,
			       unsigned int count)
{
	uint32_t room = CALLBACKS_JOBS - (cb->tail - cb->head), pieces = 0;
	unsigned int n, most = MIN2(MIN2(count, CALLBACKS_DESCS), room);

	for (n = 0; n < most && jobs[n].nr_segs <= CALLBACKS_PIECES - pieces; n++) {
		desc_fill(cb, n, pieces, &jobs[n]);
		pieces += jobs[n].nr_segs;
	}
	return n;
}

/* The first n jobs; how many of them the application took, or < 0. */
static int transfer(struct callbacks *cb, const struct copy_job *jobs, unsigned int n)
{
	int32_t taken = cb->ops.transfer_data(cb->vid, cb->queue_id, cb->descs, NULL, (uint16_t)n);

	if (unlikely(taken < 0))
		return -EIO;
	if (unlikely((uint32_t)taken > n)) {
		say_too_many(cb, "transfer_data", taken, n);
		taken = (int32_t)n;
	}
	for (int32_t i = 0; i < taken; i++)
		cb->states[cb->tail++ % CALLBACKS_JOBS] = jobs[i].state;
	return taken;
}

static int callbacks_submit(struct copy_engine *engine, const struct copy_job *jobs,
			    unsigned int count)
{
	struct callbacks *cb = callbacks_of(engine);
	unsigned int done = 0, n;
	int taken;

	while (done < count) {
		if (unlikely(jobs[done].nr_segs > CALLBACKS_PIECES)) {
			job_set(jobs[done++].state, JOB_FAILED);
			continue;
		}
		n = descs_fill(cb, jobs + done, count - done);
		if (n == 0)
			break;
		taken = transfer(cb, jobs + done, n);
		if (unlikely(taken < 0))
			return done > 0 ? (int)done : taken;
		done += (unsigned int)taken;
		if ((unsigned int)taken < n)
			break;
	}
	return (int)done;
}

static int callbacks_poll(struct copy_engine *engine)
{
	struct callbacks *cb = callbacks_of(engine);
	uint32_t in_flight = cb->tail - cb->head;
	int32_t n;

	if (in_flight == 0)
		return 0;
	n = cb->ops.check_completed_copies(cb->vid, cb->queue_id, NULL, (uint16_t)in_flight);
	if (unlikely(n < 0))
		return -EIO;
	if (unlikely((uint32_t)n > in_flight)) {
		say_too_many(cb, "check_completed_copies", n, in_flight);
		n = (int32_t)in_flight;
	}
	for (int32_t i = 0; i < n; i++)
		job_set(cb->states[cb->head++ % CALLBACKS_JOBS], JOB_DONE);
	return 0;
}

static void callbacks_release(struct copy_engine *engine)
{
	struct callbacks *cb = callbacks_of(engine);

	free(cb->states);
	free(cb);
}

/* The application was promised calls on threads of its own. */
static const struct copy_engine_ops callbacks_ops = {
	.name = "application",
	.submit = callbacks_submit,
	.poll = callbacks_poll,
	.release = callbacks_release,
	.polls_anywhere = false,
};

struct copy_engine *callbacks_engine_new(int vid, uint16_t queue_id,
					 const struct rte_vhost_async_channel_ops *ops,
					 uint32_t threshold_bytes)
{
	struct callbacks *cb = calloc(1, sizeof(*cb));

	if (cb == NULL)
		return NULL;
	cb->engine = (struct copy_engine){ &callbacks_ops, threshold_bytes };
	cb->ops = *ops;
	cb->vid = vid;
	cb->queue_id = queue_id;
	cb->states = malloc(CALLBACKS_JOBS * sizeof(*cb->states));
	if (cb->states == NULL) {
		free(cb);
		return NULL;
	}
	return &cb->engine;
}
