/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Jobs go to the helper core through a ring of many producers, and what became
 * of them comes back through their states. Who takes from the ring holds the
 * consumer's lock: the loop while it runs, else whoever polls, for jobs that
 * came in while the loop ended.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_spinlock.h>
#include <rte_vect.h>

#include "base/defs.h"
#include "base/log.h"
#include "helper.h"

/* Below this, telling another core and hearing from it costs more than the copy. */
#define HELPER_THRESHOLD_BYTES 2048u

#define HELPER_JOBS 4096u
#define HELPER_BATCH 32u
/* Pauses between two looks into an empty ring, at most: it is the producers' cache line. */
#define HELPER_PAUSES 16u

struct helper {
	struct copy_engine engine;
	unsigned int lcore;
	copy_fn *copy;
	struct rte_ring *ring; /* of struct copy_job */
	bool open CACHE_ALIGNED; /* atomic: takes jobs */
	rte_spinlock_t consumer CACHE_ALIGNED;
};

/* Published with release; never freed, so late callers find them closed. */
static struct helper *helpers[RTE_MAX_LCORE];

/* Of those who start and stop. */
static pthread_mutex_t control_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_open(const struct helper *h)
{
	return __atomic_load_n(&h->open, __ATOMIC_ACQUIRE);
}

static struct helper *helper_find(unsigned int lcore)
{
	return lcore < RTE_MAX_LCORE ? __atomic_load_n(&helpers[lcore], __ATOMIC_ACQUIRE) : NULL;
}

struct copy_engine *helper_engine_of(unsigned int lcore)
{
	struct helper *h = helper_find(lcore);

	return h != NULL && is_open(h) ? &h->engine : NULL;
}

static struct helper *helper_of(struct copy_engine *engine)
{
	return CONTAINER_OF(engine, struct helper, engine);
}

static int helper_submit(struct copy_engine *engine, const struct copy_job *jobs,
			 unsigned int count)
{
	struct helper *h = helper_of(engine);

	if (unlikely(!is_open(h)))
		return -ENODEV;
	return (int)rte_ring_enqueue_burst_elem(h->ring, jobs, sizeof(*jobs), count, NULL);
}

/* Some of the jobs that are queued. The caller has the consumer's lock. */
static unsigned int helper_copy(struct helper *h)
{
	struct copy_job jobs[HELPER_BATCH];
	unsigned int n =
		rte_ring_dequeue_burst_elem(h->ring, jobs, sizeof(*jobs), HELPER_BATCH, NULL);

	for (unsigned int i = 0; i < n; i++) {
		h->copy(jobs[i].segs, jobs[i].nr_segs);
		job_set(jobs[i].state, JOB_DONE);
	}
	return n;
}

static int helper_poll(struct copy_engine *engine)
{
	struct helper *h = helper_of(engine);

	if (likely(is_open(h)) || !rte_spinlock_trylock(&h->consumer))
		return 0;
	while (helper_copy(h) > 0)
		;
	rte_spinlock_unlock(&h->consumer);
	return 0;
}

static const struct copy_engine_ops helper_ops = {
	.name = "helper core",
	.submit = helper_submit,
	.poll = helper_poll,
	.polls_anywhere = true,
};

static int helper_loop(void *arg)
{
	struct helper *h = arg;
	unsigned int pauses = 1;
	bool open;

	rte_spinlock_lock(&h->consumer);
	do {
		/* First: after it closed, what is in the ring is all that there will be. */
		open = is_open(h);
		if (helper_copy(h) > 0) {
			pauses = 1;
			open = true;
			continue;
		}
		for (unsigned int i = 0; i < pauses; i++)
			rte_pause();
		pauses = MIN2(2 * pauses, HELPER_PAUSES);
	} while (open);
	rte_spinlock_unlock(&h->consumer);
	return 0;
}

/* --- starting and stopping --------------------------------------------- */

static struct helper *helper_new(unsigned int lcore)
{
	struct helper *h = NULL;
	char name[RTE_RING_NAMESIZE];

	if (posix_memalign((void **)&h, CACHE_LINE_BYTES, sizeof(*h)) != 0)
		return NULL;
	*h = (struct helper){
		.engine = { &helper_ops, HELPER_THRESHOLD_BYTES },
		.lcore = lcore,
		.copy = copy_choose(rte_vect_get_max_simd_bitwidth()),
		.consumer = RTE_SPINLOCK_INITIALIZER,
	};
	snprintf(name, sizeof(name), "vhost_helper_%u", lcore);
	h->ring = rte_ring_create_elem(name, sizeof(struct copy_job), HELPER_JOBS,
				       (int)rte_lcore_to_socket_id(lcore),
				       RING_F_SC_DEQ);
	if (h->ring == NULL) {
		free(h);
		return NULL;
	}
	__atomic_store_n(&helpers[lcore], h, __ATOMIC_RELEASE);
	return h;
}

static int helper_launch(unsigned int lcore)
{
	struct helper *h = helper_find(lcore);
	int rc;

	if (h == NULL)
		h = helper_new(lcore);
	if (h == NULL) {
		LOG_ERR("helper core %u: no memory for its queue: %s", lcore,
			rte_strerror(rte_errno));
		return -ENOMEM;
	}
	if (is_open(h)) {
		LOG_ERR("helper core %u: it runs already", lcore);
		return -EBUSY;
	}
	__atomic_store_n(&h->open, true, __ATOMIC_RELEASE);
	rc = rte_eal_remote_launch(helper_loop, h, lcore);
	if (rc != 0) {
		__atomic_store_n(&h->open, false, __ATOMIC_RELEASE);
		LOG_ERR("helper core %u: the application runs something on it; use an lcore that "
			"waits, or add one with -l", lcore);
	}
	return rc;
}

int helper_engine_start(unsigned int lcore)
{
	int rc;

	if (lcore >= RTE_MAX_LCORE || !rte_lcore_is_enabled(lcore) ||
	    lcore == rte_get_main_lcore()) {
		LOG_ERR("helper core %u: not a worker lcore; add one with -l", lcore);
		return -EINVAL;
	}
	pthread_mutex_lock(&control_lock);
	rc = helper_launch(lcore);
	pthread_mutex_unlock(&control_lock);
	return rc;
}

int helper_engine_stop(unsigned int lcore)
{
	struct helper *h = helper_find(lcore);
	int rc = -ENODEV;

	pthread_mutex_lock(&control_lock);
	if (h != NULL && is_open(h)) {
		__atomic_store_n(&h->open, false, __ATOMIC_RELEASE);
		rte_eal_wait_lcore(lcore);
		rc = 0;
	}
	pthread_mutex_unlock(&control_lock);
	if (rc != 0)
		LOG_ERR("helper core %u: it was not started", lcore);
	return rc;
}
