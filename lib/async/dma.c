/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each copy on the device has a place in a ring of ours, found by the index that
 * the device gave it. The place of a job's last copy says whose it is. Devices
 * finish a channel's copies in order, so a job is through when its last copy is.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dmadev.h>
#include <rte_spinlock.h>

#include "base/defs.h"
#include "base/log.h"
#include "dma.h"
#include "iova.h"

/*
 * Below this a descriptor, a doorbell and a completion cost more of the CPU than
 * the copy.
 */
#define DMA_THRESHOLD_BYTES 256u

/* Completions asked for at once. */
#define DMA_BATCH 256u

struct dma_place {
	uint8_t *state; /* of the job whose last copy this is; else NULL */
	bool cut_short; /* the device refused the rest of the job */
};

struct dma_channel {
	struct copy_engine engine;
	struct dma_channel *next; /* of the same device */
	int16_t dma_id;
	uint16_t vchan;
	bool taken; /* atomic; changes under the device's lock */

	/* Under the device's lock. */
	bool takes_pointers;
	bool doorbell_due;
	bool failing; /* a copy of the job that is next to be through failed */
	uint32_t jobs;
	uint32_t mask;
	struct dma_place *places;
};

/* A device's channels must not be used at the same time, says rte_dmadev.h: one lock for all. */
struct dma_device {
	rte_spinlock_t lock;
	struct dma_channel *channels; /* published with release, never removed */
};

/* By dma_id: applications may ask for more devices than DPDK's default (rte_dma_dev_max()). */
static struct dma_device devices[INT16_MAX + 1];

/* Of those who take channels and give them back. */
static pthread_mutex_t control_lock = PTHREAD_MUTEX_INITIALIZER;

static struct dma_channel *channel_find(int dma_id, unsigned int vchan)
{
	struct dma_channel *ch;

	if (dma_id < 0 || dma_id > INT16_MAX)
		return NULL;
	ch = __atomic_load_n(&devices[dma_id].channels, __ATOMIC_ACQUIRE);
	while (ch != NULL && ch->vchan != vchan)
		ch = ch->next;
	return ch;
}

struct copy_engine *dma_engine_of(int dma_id, unsigned int vchan)
{
	struct dma_channel *ch = channel_find(dma_id, vchan);

	return ch != NULL && __atomic_load_n(&ch->taken, __ATOMIC_ACQUIRE) ? &ch->engine : NULL;
}

static struct dma_channel *channel_of(struct copy_engine *engine)
{
	return CONTAINER_OF(engine, struct dma_channel, engine);
}

/* Device addresses of one piece, as long as both sides are contiguous. */
static bool dma_piece(const struct dma_channel *ch, const struct copy_seg *seg, uint32_t done,
		      rte_iova_t *src, rte_iova_t *dst, uint32_t *len)
{
	const uint8_t *from = (const uint8_t *)seg->src + done;
	const uint8_t *to = (const uint8_t *)seg->dst + done;
	uint32_t left = seg->len_bytes - done, run;

	*len = left;
	if (ch->takes_pointers) {
		*src = (uintptr_t)from;
		*dst = (uintptr_t)to;
		return true;
	}
	*src = iova_run(from, left, &run);
	if (unlikely(*src == UINT64_MAX))
		return false;
	*dst = iova_run(to, run, len);
	return likely(*dst != UINT64_MAX);
}

/* How many copies a job takes; UINT32_MAX: the device cannot reach all of it. */
static uint32_t dma_copies(const struct dma_channel *ch, const struct copy_job *job)
{
	uint32_t copies = 0, len;
	rte_iova_t src, dst;

	for (uint32_t i = 0; i < job->nr_segs; i++) {
		for (uint32_t done = 0; done < job->segs[i].len_bytes; done += len) {
			if (unlikely(!dma_piece(ch, &job->segs[i], done, &src, &dst, &len)))
				return UINT32_MAX;
			copies++;
		}
	}
	return copies;
}

/*
 * The index that the device gave to its last copy comes back after all that it
 * can hold. A job that still waits for it is one that the device forgot: it was
 * stopped and started.
 */
static struct dma_place *dma_place_new(struct dma_channel *ch, uint16_t ring_idx)
{
	struct dma_place *place = &ch->places[ring_idx & ch->mask];

	if (unlikely(place->state != NULL)) {
		job_set(place->state, JOB_FAILED);
		place->state = NULL;
		ch->jobs--;
	}
	return place;
}

/* The copies of one job. < 0: the device took none of them. */
static int dma_start(struct dma_channel *ch, const struct copy_job *job)
{
	struct dma_place *last = NULL;
	uint32_t len;
	rte_iova_t src, dst;
	int idx = 0;

	for (uint32_t i = 0; i < job->nr_segs && idx >= 0; i++) {
		for (uint32_t done = 0; done < job->segs[i].len_bytes; done += len) {
			if (unlikely(!dma_piece(ch, &job->segs[i], done, &src, &dst, &len)))
				idx = -EFAULT;
			else
				idx = rte_dma_copy(ch->dma_id, ch->vchan, src, dst, len, 0);
			if (unlikely(idx < 0))
				break;
			last = dma_place_new(ch, (uint16_t)idx);
		}
	}
	if (unlikely(last == NULL))
		return idx;
	*last = (struct dma_place){ .state = job->state, .cut_short = idx < 0 };
	ch->jobs++;
	ch->doorbell_due = true;
	return 0;
}

static void dma_ring_doorbell(struct dma_channel *ch)
{
	ch->doorbell_due = rte_dma_submit(ch->dma_id, ch->vchan) != 0;
}

static int dma_submit_locked(struct dma_channel *ch, const struct copy_job *jobs,
			     unsigned int count)
{
	uint32_t room = rte_dma_burst_capacity(ch->dma_id, ch->vchan), copies;
	unsigned int n;
	int rc;

	for (n = 0; n < count; n++) {
		copies = dma_copies(ch, &jobs[n]);
		if (unlikely(copies == 0)) {
			job_set(jobs[n].state, JOB_DONE);
			continue;
		}
		/* Nothing of ours to wait for: there will never be room for it. */
		if (unlikely(copies > room)) {
			if (copies != UINT32_MAX && ch->jobs > 0)
				break;
			job_set(jobs[n].state, JOB_FAILED);
			continue;
		}
		rc = dma_start(ch, &jobs[n]);
		if (unlikely(rc < 0)) {
			if (rc == -ENOSPC && ch->jobs > 0)
				break;
			job_set(jobs[n].state, JOB_FAILED);
			continue;
		}
		room -= copies;
	}
	if (ch->doorbell_due)
		dma_ring_doorbell(ch);
	return (int)n;
}

static int dma_submit(struct copy_engine *engine, const struct copy_job *jobs, unsigned int count)
{
	struct dma_channel *ch = channel_of(engine);
	rte_spinlock_t *lock = &devices[ch->dma_id].lock;
	int n = -ENODEV;

	rte_spinlock_lock(lock);
	if (likely(ch->taken))
		n = dma_submit_locked(ch, jobs, count);
	rte_spinlock_unlock(lock);
	return n;
}

static void dma_through(struct dma_channel *ch, uint16_t ring_idx, bool good)
{
	struct dma_place *place = &ch->places[ring_idx & ch->mask];

	ch->failing |= !good;
	if (place->state == NULL)
		return;
	job_set(place->state, ch->failing || place->cut_short ? JOB_FAILED : JOB_DONE);
	place->state = NULL;
	ch->failing = false;
	ch->jobs--;
}

/* Some copies that the device is through with, good and bad ones. */
static uint16_t dma_collect_bad(struct dma_channel *ch)
{
	enum rte_dma_status_code status[DMA_BATCH];
	uint16_t last, n;

	n = rte_dma_completed_status(ch->dma_id, ch->vchan, DMA_BATCH, &last, status);
	for (uint16_t i = 0; i < n; i++)
		dma_through(ch, (uint16_t)(last - n + 1 + i),
			    status[i] == RTE_DMA_STATUS_SUCCESSFUL);
	return n;
}

static void dma_collect(struct dma_channel *ch)
{
	uint16_t last, n;
	bool has_error;

	if (unlikely(ch->doorbell_due))
		dma_ring_doorbell(ch);
	do {
		n = rte_dma_completed(ch->dma_id, ch->vchan, DMA_BATCH, &last, &has_error);
		for (uint16_t i = 0; i < n; i++)
			dma_through(ch, (uint16_t)(last - n + 1 + i), true);
		if (unlikely(has_error))
			n = dma_collect_bad(ch);
	} while (n > 0 && ch->jobs > 0);
}

static int dma_poll(struct copy_engine *engine)
{
	struct dma_channel *ch = channel_of(engine);
	rte_spinlock_t *lock = &devices[ch->dma_id].lock;

	/* Who has the lock does the same, or starts copies. */
	if (!rte_spinlock_trylock(lock))
		return 0;
	/* What is not ours in the channel is left to whose it is. */
	if (ch->jobs > 0)
		dma_collect(ch);
	rte_spinlock_unlock(lock);
	return 0;
}

static const struct copy_engine_ops dma_ops = {
	.name = "dmadev",
	.submit = dma_submit,
	.poll = dma_poll,
	.polls_anywhere = true,
};

/* --- taking channels and giving them back ------------------------------ */

/*
 * What rte_dma_info does not say, and what makes drivers crash or wait for ever:
 * whether the device runs, and reports what it did. Its dump says both.
 */
static const char *dma_fault(int16_t dma_id)
{
	const char *fault = NULL;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (out == NULL)
		return NULL;
	rte_dma_dump(dma_id, out);
	fclose(out);
	if (strstr(text, "[stopped]") != NULL)
		fault = "it does not run; call rte_dma_start() first";
	else if (strstr(text, "silent_mode: on") != NULL)
		fault = "it is in silent mode; configure it without enable_silent";
	free(text);
	return fault;
}

static int dma_check(int16_t dma_id, uint16_t vchan, struct rte_dma_info *info)
{
	const uint64_t needed = RTE_DMA_CAPA_MEM_TO_MEM | RTE_DMA_CAPA_OPS_COPY;
	const char *fault;

	if (dma_id < 0 || !rte_dma_is_valid(dma_id) || rte_dma_info_get(dma_id, info) != 0) {
		LOG_ERR("DMA device %d: there is none; rte_dma_get_dev_id_by_name() gives numbers",
			dma_id);
		return -ENODEV;
	}
	if (vchan >= info->nb_vchans) {
		LOG_ERR("DMA device %d: no channel %u, %u are configured; call "
			"rte_dma_configure() and rte_dma_vchan_setup() first",
			dma_id, vchan, info->nb_vchans);
		return -EINVAL;
	}
	if ((info->dev_capa & needed) != needed) {
		LOG_ERR("DMA device %d: it cannot copy from memory to memory; choose another",
			dma_id);
		return -EINVAL;
	}
	fault = dma_fault(dma_id);
	if (fault != NULL) {
		LOG_ERR("DMA device %d: %s", dma_id, fault);
		return -EINVAL;
	}
	return 0;
}

static struct dma_channel *channel_new(int16_t dma_id, uint16_t vchan)
{
	struct dma_device *dev = &devices[dma_id];
	struct dma_channel *ch = calloc(1, sizeof(*ch));

	if (ch == NULL)
		return NULL;
	ch->engine = (struct copy_engine){ &dma_ops, DMA_THRESHOLD_BYTES };
	ch->dma_id = dma_id;
	ch->vchan = vchan;
	ch->next = dev->channels;
	__atomic_store_n(&dev->channels, ch, __ATOMIC_RELEASE);
	return ch;
}

/* No more copies than max_desc are in the device: no two of them have one place. */
static uint32_t places_for(const struct rte_dma_info *info)
{
	uint32_t n = 1;

	while (n < info->max_desc)
		n *= 2;
	return n;
}

static int channel_take(int16_t dma_id, uint16_t vchan, const struct rte_dma_info *info)
{
	struct dma_channel *ch = channel_find(dma_id, vchan);
	uint32_t nr_places = places_for(info);
	struct dma_place *places;

	if (ch != NULL && ch->taken)
		return 0;
	places = calloc(nr_places, sizeof(*places));
	if (ch == NULL)
		ch = channel_new(dma_id, vchan);
	if (ch == NULL || places == NULL) {
		LOG_ERR("DMA device %d channel %u: out of memory", dma_id, vchan);
		free(places);
		return -ENOMEM;
	}
	rte_spinlock_lock(&devices[dma_id].lock);
	/* Others, also where bus addresses are virtual: VFIO may have refused a region. */
	ch->takes_pointers = (info->dev_capa & RTE_DMA_CAPA_SVA) != 0;
	ch->doorbell_due = false;
	ch->failing = false;
	ch->mask = nr_places - 1;
	ch->places = places;
	__atomic_store_n(&ch->taken, true, __ATOMIC_RELEASE);
	rte_spinlock_unlock(&devices[dma_id].lock);
	return 0;
}

int dma_engine_configure(int16_t dma_id, uint16_t vchan)
{
	struct rte_dma_info info;
	int rc = dma_check(dma_id, vchan, &info);

	if (rc != 0)
		return rc;
	pthread_mutex_lock(&control_lock);
	rc = channel_take(dma_id, vchan, &info);
	pthread_mutex_unlock(&control_lock);
	return rc;
}

static int channel_give_back(struct dma_channel *ch)
{
	rte_spinlock_t *lock = &devices[ch->dma_id].lock;
	struct dma_place *places = NULL;
	uint32_t jobs;

	rte_spinlock_lock(lock);
	jobs = ch->jobs;
	if (jobs == 0) {
		__atomic_store_n(&ch->taken, false, __ATOMIC_RELEASE);
		places = ch->places;
		ch->places = NULL;
	}
	rte_spinlock_unlock(lock);
	free(places);
	if (jobs == 0)
		return 0;
	LOG_ERR("DMA device %d channel %u: %u packets are being copied; poll for them first",
		ch->dma_id, ch->vchan, jobs);
	return -EBUSY;
}

int dma_engine_unconfigure(int16_t dma_id, uint16_t vchan)
{
	struct dma_channel *ch;
	int rc = -ENODEV;

	pthread_mutex_lock(&control_lock);
	ch = channel_find(dma_id, vchan);
	if (ch != NULL && ch->taken)
		rc = channel_give_back(ch);
	else
		LOG_ERR("DMA device %d channel %u: it was never configured for vhost", dma_id,
			vchan);
	pthread_mutex_unlock(&control_lock);
	return rc;
}
