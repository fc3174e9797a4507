/* SPDX-License-Identifier: BSD-3-Clause */
/* The scripted copy engine; see engine.h. */
#include "engine.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_debug.h>

#define JOB_PIECES 512

/* The library's arrays are good for the call only; what they point at stays. */
struct job {
	struct iovec src[JOB_PIECES], dst[JOB_PIECES];
	unsigned nr_src, nr_dst;
	size_t bytes;
};

static struct engine engines[ENGINE_QUEUES];
static struct job *jobs[ENGINE_QUEUES]; /* ENGINE_ROOM each */
/* Callbacks come on the library's thread, too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct job *
job_at(unsigned queue, unsigned number)
{
	if (jobs[queue] == NULL)
		jobs[queue] = calloc(ENGINE_ROOM, sizeof(*jobs[queue]));
	RTE_VERIFY(jobs[queue] != NULL);
	return &jobs[queue][number % ENGINE_ROOM];
}

struct engine *
engine_of(uint16_t queue_id)
{
	RTE_VERIFY(queue_id < ENGINE_QUEUES);
	return &engines[queue_id];
}

struct rte_vhost_async_config
engine_config(uint32_t threshold_bytes)
{
	return (struct rte_vhost_async_config) {
		.async_threshold = threshold_bytes,
		.features = RTE_VHOST_ASYNC_INORDER,
	};
}

/* One side of a copy; how many pieces, 0 if it makes no sense. */
static unsigned
take_side(struct iovec *to, const struct rte_vhost_iov_iter *from, size_t bytes)
{
	size_t skip = from->offset, left = bytes;
	unsigned n = 0;

	for (unsigned long i = 0; i < from->nr_segs && left > 0; i++) {
		size_t len = from->iov[i].iov_len;

		if (len <= skip) {
			skip -= len;
			continue;
		}
		if (n == JOB_PIECES)
			return 0;
		to[n].iov_base = (char *)from->iov[i].iov_base + skip;
		to[n].iov_len = RTE_MIN(len - skip, left);
		left -= to[n++].iov_len;
		skip = 0;
	}
	return left == 0 ? n : 0;
}

static void
start(unsigned queue, const struct rte_vhost_async_desc *desc)
{
	struct engine *e = &engines[queue];
	struct job *job = job_at(queue, e->started++);

	job->bytes = desc->src->count;
	job->nr_src = take_side(job->src, desc->src, job->bytes);
	job->nr_dst = take_side(job->dst, desc->dst, job->bytes);
	e->bytes += job->bytes;
	e->wrong += job->bytes == 0 || job->nr_src == 0 || job->nr_dst == 0 ||
		    desc->src->count != desc->dst->count ||
		    desc->src->nr_segs != desc->dst->nr_segs;
}

/* The first `bytes` of a job, piece by piece, however each side is cut. */
static void
copy(const struct job *job, size_t bytes)
{
	size_t src_at = 0, dst_at = 0;

	for (unsigned s = 0, d = 0; bytes > 0 && s < job->nr_src && d < job->nr_dst;) {
		size_t n = RTE_MIN(RTE_MIN(job->src[s].iov_len - src_at,
					   job->dst[d].iov_len - dst_at), bytes);

		memcpy((char *)job->dst[d].iov_base + dst_at,
		       (const char *)job->src[s].iov_base + src_at, n);
		bytes -= n;
		src_at += n;
		dst_at += n;
		if (src_at == job->src[s].iov_len) {
			src_at = 0;
			s++;
		}
		if (dst_at == job->dst[d].iov_len) {
			dst_at = 0;
			d++;
		}
	}
}

static void
copy_next(unsigned queue, unsigned n)
{
	struct engine *e = &engines[queue];

	for (; n > 0 && e->copied != e->started; n--, e->copied++) {
		const struct job *job = job_at(queue, e->copied);

		copy(job, job->bytes);
	}
}

void
engine_reset(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < ENGINE_QUEUES; i++) {
		struct engine *e = &engines[i];
		unsigned left;

		copy_next(i, UINT32_MAX);
		left = e->started - e->reported;
		*e = (struct engine) {
			.started = left, .copied = left, .room = ENGINE_ROOM, .most = ENGINE_ROOM,
		};
	}
	pthread_mutex_unlock(&lock);
}

void
engine_copy(uint16_t queue_id, unsigned n)
{
	pthread_mutex_lock(&lock);
	copy_next(queue_id, n);
	pthread_mutex_unlock(&lock);
}

void
engine_mend(uint16_t queue_id)
{
	struct engine *e = engine_of(queue_id);

	pthread_mutex_lock(&lock);
	copy_next(queue_id, UINT32_MAX);
	e->room = e->most = ENGINE_ROOM;
	e->at_once = true;
	e->drip = 0;
	e->transfer_error = e->check_error = e->boast = 0;
	pthread_mutex_unlock(&lock);
}

void
engine_copy_half(uint16_t queue_id)
{
	const struct job *job;

	pthread_mutex_lock(&lock);
	if (engines[queue_id].copied != engines[queue_id].started) {
		job = job_at(queue_id, engines[queue_id].copied);
		copy(job, job->bytes / 2);
	}
	pthread_mutex_unlock(&lock);
}

static int32_t
transfer_data(int vid, uint16_t queue_id, struct rte_vhost_async_desc *descs,
	      struct rte_vhost_async_status *opaque_data, uint16_t count)
{
	struct engine *e = engine_of(queue_id);
	int32_t n = 0;

	pthread_mutex_lock(&lock);
	e->transfers++;
	e->wrong += vid < 0 || descs == NULL || opaque_data != NULL || count == 0;
	if (e->transfer_error < 0) {
		n = e->transfer_error;
	} else {
		while (n < count && e->started - e->reported < RTE_MIN(e->room, ENGINE_ROOM))
			start(queue_id, &descs[n++]);
		if (e->at_once)
			copy_next(queue_id, UINT32_MAX);
		n += e->boast;
	}
	pthread_mutex_unlock(&lock);
	return n;
}

static int32_t
check_completed_copies(int vid, uint16_t queue_id, struct rte_vhost_async_status *opaque_data,
		       uint16_t max_packets)
{
	struct engine *e = engine_of(queue_id);
	int32_t n = 0;

	pthread_mutex_lock(&lock);
	e->checks++;
	e->wrong += vid < 0 || opaque_data != NULL || max_packets == 0;
	if (e->check_error < 0) {
		n = e->check_error;
	} else {
		if (e->drip != 0)
			copy_next(queue_id, 1 + (unsigned)random() % e->drip);
		while (n < (int32_t)RTE_MIN(max_packets, e->most) && e->reported != e->copied) {
			e->reported++;
			n++;
		}
		n += e->boast;
	}
	pthread_mutex_unlock(&lock);
	return n;
}

struct rte_vhost_async_channel_ops engine_ops = {
	.transfer_data = transfer_data,
	.check_completed_copies = check_completed_copies,
};
