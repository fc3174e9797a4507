/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * async/dma.c on DPDK's dma_skeleton, a device in software. What that one never
 * does (errors, refusals, being late) is put between it and the library, at the
 * functions that DPDK calls a driver by; what it has not (addresses that are not
 * the CPU's) by the linker.
 */
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_dmadev.h>
#include <rte_eal.h>

#include "async/dma.h"
#include "async/iova.h"
#include "engine_kit.h"

#define NR_DESC 1024
#define NEVER UINT_MAX

static int16_t dma_id = -1;
static struct copy_engine *engine;

/* --- the device as it should not be ------------------------------------ */

static struct rte_dma_fp_object driver;

static struct {
	bool late;                 /* completes nothing, for now */
	unsigned int refuse_after; /* this many copies, once */
	int refusal;
	unsigned int bad_after; /* this many completed copies, one is bad */
	unsigned int no_doorbells;
	unsigned int asked;  /* for completions */
	unsigned int copies; /* taken */
	bool yields;         /* while it takes a copy, now and then */
	int inside;          /* threads, atomic */
	bool met;            /* two of them */
} fault;

/* A driver may be called by one thread at a time. */
static void enter(void)
{
	if (__atomic_fetch_add(&fault.inside, 1, __ATOMIC_ACQ_REL) != 0)
		fault.met = true;
}

static void leave(void)
{
	__atomic_fetch_sub(&fault.inside, 1, __ATOMIC_ACQ_REL);
}

static int faulty_copy(void *priv, uint16_t vchan, rte_iova_t src, rte_iova_t dst, uint32_t len,
		       uint64_t flags)
{
	int idx;

	if (fault.refuse_after == 0) {
		fault.refuse_after = NEVER;
		return fault.refusal;
	}
	if (fault.refuse_after != NEVER)
		fault.refuse_after--;
	enter();
	idx = driver.copy(priv, vchan, src, dst, len, flags);
	if (++fault.copies % 1024 == 0 && fault.yields)
		sched_yield();
	leave();
	return idx;
}

static int faulty_submit(void *priv, uint16_t vchan)
{
	if (fault.no_doorbells > 0) {
		fault.no_doorbells--;
		return -EIO;
	}
	return driver.submit(priv, vchan);
}

static uint16_t faulty_completed(void *priv, uint16_t vchan, const uint16_t most, uint16_t *last,
				 bool *has_error)
{
	uint16_t n = most;

	fault.asked++;
	if (fault.late)
		return 0;
	if (fault.bad_after != NEVER && fault.bad_after < n)
		n = (uint16_t)fault.bad_after;
	enter();
	if (n > 0)
		n = driver.completed(priv, vchan, n, last, has_error);
	leave();
	if (fault.bad_after != NEVER) {
		fault.bad_after -= n;
		*has_error = fault.bad_after == 0;
	}
	return n;
}

static uint16_t faulty_completed_status(void *priv, uint16_t vchan, const uint16_t most,
					uint16_t *last, enum rte_dma_status_code *status)
{
	uint16_t n = driver.completed_status(priv, vchan, most, last, status);

	if (n > 0 && fault.bad_after == 0) {
		status[0] = RTE_DMA_STATUS_BUS_ERROR;
		fault.bad_after = NEVER;
	}
	return n;
}

/* --- addresses of a bus that is not the CPU's -------------------------- */

#define RUN_BYTES 64u

static bool bus; /* the device does not take virtual addresses */
static const void *off_the_bus;

int __real_rte_dma_info_get(int16_t dev_id, struct rte_dma_info *info);
int __wrap_rte_dma_info_get(int16_t dev_id, struct rte_dma_info *info);
uint64_t __wrap_iova_run(const void *at, uint32_t len, uint32_t *run_bytes);

int __wrap_rte_dma_info_get(int16_t dev_id, struct rte_dma_info *info)
{
	int rc = __real_rte_dma_info_get(dev_id, info);

	if (rc == 0 && bus)
		info->dev_capa &= ~RTE_DMA_CAPA_SVA;
	return rc;
}

/* Contiguous for a cache line at most; the numbers are virtual, so that the skeleton can copy. */
uint64_t __wrap_iova_run(const void *at, uint32_t len, uint32_t *run_bytes)
{
	*run_bytes = MIN2(len, RUN_BYTES - (uint32_t)((uintptr_t)at % RUN_BYTES));
	return at == off_the_bus ? UINT64_MAX : (uintptr_t)at;
}

/* --- set-up ------------------------------------------------------------ */

static void device_start(uint16_t nr_desc)
{
	struct rte_dma_conf conf = { .nb_vchans = 1 };
	struct rte_dma_vchan_conf vchan = { .direction = RTE_DMA_DIR_MEM_TO_MEM,
					    .nb_desc = nr_desc };

	CHECK_EQ(rte_dma_stop(dma_id), 0);
	CHECK_EQ(rte_dma_configure(dma_id, &conf), 0);
	CHECK_EQ(rte_dma_vchan_setup(dma_id, 0, &vchan), 0);
	CHECK_EQ(rte_dma_start(dma_id), 0);
}

static void begin(uint16_t nr_desc)
{
	device_start(nr_desc);
	CHECK_EQ(dma_engine_configure(dma_id, 0), 0);
	engine = dma_engine_of(dma_id, 0);
	CHECK(engine != NULL);
}

static void setup(void)
{
	memset(&fault, 0, sizeof(fault));
	fault.refuse_after = fault.bad_after = NEVER;
	bus = false;
	off_the_bus = NULL;
	if (dma_id < 0)
		tap_skip("dma_skeleton not installed");
}

static void teardown(void)
{
	if (dma_id >= 0 && dma_engine_of(dma_id, 0) != NULL)
		dma_engine_unconfigure(dma_id, 0);
}

static struct work works[64];
static struct copy_job jobs[64];

/* Jobs of so many pieces each. */
static void prepare(unsigned int nr_segs)
{
	for (unsigned int i = 0; i < ARRAY_LEN(jobs); i++)
		jobs[i] = work_job(&works[i], nr_segs);
}

static int submit(unsigned int from, unsigned int n)
{
	return engine->ops->submit(engine, jobs + from, n);
}

static void check_done(unsigned int from, unsigned int n)
{
	for (unsigned int i = from; i < from + n; i++) {
		CHECK_EQ(work_wait(engine, jobs[i].state), JOB_DONE);
		CHECK(work_arrived(&works[i], jobs[i].nr_segs));
	}
}

/* --- tests ------------------------------------------------------------- */

/* The first one: nothing was configured yet. */
static void a_device_has_to_be_set_up(void)
{
	struct rte_dma_conf conf = { .nb_vchans = 1 };

	CHECK_EQ(dma_engine_configure(dma_id, 0), -EINVAL);
	CHECK_EQ(rte_dma_configure(dma_id, &conf), 0);
	CHECK_EQ(dma_engine_configure(dma_id, 0), -EINVAL);
	device_start(NR_DESC);
	CHECK_EQ(dma_engine_configure(dma_id, 0), 0);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), 0);
	CHECK_EQ(rte_dma_stop(dma_id), 0);
	CHECK_EQ(dma_engine_configure(dma_id, 0), -EINVAL);
	CHECK(dma_engine_of(dma_id, 0) == NULL);
}

static void bogus_numbers(void)
{
	static const int ids[] = { -1, 1, 63, 64, INT16_MAX, INT16_MAX + 1, INT_MAX, INT_MIN };

	begin(NR_DESC);
	for (unsigned int i = 0; i < ARRAY_LEN(ids); i++) {
		CHECK(dma_engine_of(ids[i], 0) == NULL);
		CHECK(dma_engine_of(ids[i], UINT_MAX) == NULL);
		if (ids[i] != (int16_t)ids[i])
			continue;
		CHECK_EQ(dma_engine_configure((int16_t)ids[i], 0), -ENODEV);
		CHECK_EQ(dma_engine_unconfigure((int16_t)ids[i], 0), -ENODEV);
	}
	CHECK(dma_engine_of(dma_id, 1) == NULL);
	CHECK(dma_engine_of(dma_id, 65536) == NULL);
	CHECK_EQ(dma_engine_configure(dma_id, 1), -EINVAL);
	CHECK_EQ(dma_engine_configure(dma_id, UINT16_MAX), -EINVAL);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 1), -ENODEV);
	/* Once is enough, twice is no error. */
	CHECK_EQ(dma_engine_configure(dma_id, 0), 0);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), 0);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), -ENODEV);
	CHECK(dma_engine_of(dma_id, 0) == NULL);
}

/* The device's index goes round more than once. */
static void many_jobs(void)
{
	const char *wrong;

	begin(NR_DESC);
	CHECK(engine->ops->polls_anywhere);
	CHECK_EQ(engine->threshold_bytes, 256);
	wrong = work_many(engine, 40000, 1);
	CHECK_STR(wrong == NULL ? "" : wrong, "");
	CHECK(fault.copies > UINT16_MAX + NR_DESC);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), 0);
}

static void *producer(void *arg)
{
	return (void *)(uintptr_t)work_many(engine, 20000, (uint32_t)(uintptr_t)arg);
}

static void two_threads_share_a_channel(void)
{
	pthread_t threads[2];
	void *wrong[2];

	begin(128);
	fault.yields = true;
	for (uintptr_t i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, producer, (void *)(i + 1)) != 0)
			abort();
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], &wrong[i]);
	for (unsigned int i = 0; i < 2; i++)
		CHECK_STR(wrong[i] == NULL ? "" : (const char *)wrong[i], "");
	CHECK(!fault.met);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), 0);
}

static void a_full_ring_takes_whole_jobs(void)
{
	int n;

	begin(32);
	prepare(3);
	fault.late = true;
	n = submit(0, 64);
	CHECK_EQ(n, 31 / 3);
	CHECK_EQ(fault.copies, 3 * n);
	CHECK_EQ(submit((unsigned int)n, 1), 0);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(job_state(jobs[i].state), JOB_RUNNING);
	for (int i = n; i < 64; i++)
		CHECK(work_untouched(&works[i]));
	fault.late = false;
	check_done(0, (unsigned int)n);
	CHECK_EQ(submit((unsigned int)n, 5), 5);
	check_done((unsigned int)n, 5);
}

static void a_job_larger_than_the_ring(void)
{
	static struct copy_seg segs[32];
	static uint8_t src[32], dst[32];
	uint8_t state = JOB_RUNNING;
	struct copy_job large = { segs, 32, &state };

	for (unsigned int i = 0; i < 32; i++)
		segs[i] = (struct copy_seg){ dst + i, src + i, 1 };
	begin(32);
	prepare(1);
	fault.late = true;
	CHECK_EQ(submit(0, 1), 1);
	/* There may be room later, for all we know. */
	CHECK_EQ(engine->ops->submit(engine, &large, 1), 0);
	CHECK_EQ(state, JOB_RUNNING);
	fault.late = false;
	check_done(0, 1);
	/* There will not. */
	CHECK_EQ(engine->ops->submit(engine, &large, 1), 1);
	CHECK_EQ(state, JOB_FAILED);
	CHECK_EQ(fault.copies, 1);
}

static void jobs_without_bytes(void)
{
	begin(NR_DESC);
	prepare(3);
	works[0].segs[0].len_bytes = works[0].segs[2].len_bytes = 0;
	for (unsigned int i = 0; i < 3; i++)
		works[1].segs[i].len_bytes = 0;
	CHECK_EQ(submit(0, 2), 2);
	CHECK_EQ(job_state(jobs[1].state), JOB_DONE);
	check_done(0, 1);
	CHECK_EQ(fault.copies, 1);
}

/* What was started of a job has to end before it may be done again. */
static void a_refusal_in_the_midst_of_a_job(void)
{
	begin(NR_DESC);
	prepare(4);
	fault.late = true;
	fault.refuse_after = 6;
	fault.refusal = -ENOSPC;
	CHECK_EQ(submit(0, 3), 3);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(job_state(jobs[1].state), JOB_RUNNING);
	fault.late = false;
	CHECK_EQ(work_wait(engine, jobs[1].state), JOB_FAILED);
	check_done(0, 1);
	check_done(2, 1);
	CHECK_EQ(fault.copies, 4 + 2 + 4);
}

static void a_refusal_of_a_job(void)
{
	begin(NR_DESC);
	prepare(2);
	fault.late = true;
	/* Full, after all: later. */
	fault.refuse_after = 4;
	fault.refusal = -ENOSPC;
	CHECK_EQ(submit(0, 5), 2);
	CHECK_EQ(job_state(jobs[2].state), JOB_RUNNING);
	/* Anything else will be said again. */
	fault.refuse_after = 2;
	fault.refusal = -EINVAL;
	CHECK_EQ(submit(2, 3), 3);
	CHECK_EQ(job_state(jobs[2].state), JOB_RUNNING);
	CHECK_EQ(job_state(jobs[3].state), JOB_FAILED);
	fault.late = false;
	check_done(0, 3);
	check_done(4, 1);
	/* Full with nothing in it. */
	fault.refuse_after = 0;
	fault.refusal = -ENOSPC;
	CHECK_EQ(submit(5, 1), 1);
	CHECK_EQ(job_state(jobs[5].state), JOB_FAILED);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), 0);
}

/* Each copy of a job in turn is the bad one; its neighbours are well. */
static void a_bad_copy_fails_its_job(void)
{
	begin(NR_DESC);
	for (unsigned int bad = 0; bad < 12; bad++) {
		prepare(4);
		fault.bad_after = bad;
		CHECK_EQ(submit(0, 3), 3);
		for (unsigned int i = 0; i < 3; i++)
			CHECK_EQ(work_wait(engine, jobs[i].state),
				 i == bad / 4 ? JOB_FAILED : JOB_DONE);
		CHECK_EQ(fault.bad_after, NEVER);
	}
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), 0);
}

static void nothing_in_flight_is_not_asked_for(void)
{
	begin(NR_DESC);
	prepare(1);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(fault.asked, 0);
	CHECK_EQ(submit(0, 1), 1);
	check_done(0, 1);
	CHECK(fault.asked > 0);
	fault.asked = 0;
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(fault.asked, 0);
}

static void a_doorbell_that_fails_is_rung_again(void)
{
	begin(NR_DESC);
	prepare(2);
	fault.no_doorbells = 2;
	CHECK_EQ(submit(0, 3), 3);
	CHECK_EQ(engine->ops->poll(engine), 0);
	check_done(0, 3);
	CHECK_EQ(fault.no_doorbells, 0);
}

static void a_busy_channel_is_not_given_back(void)
{
	struct copy_engine *was;

	begin(NR_DESC);
	prepare(2);
	was = engine;
	fault.late = true;
	CHECK_EQ(submit(0, 1), 1);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), -EBUSY);
	CHECK(dma_engine_of(dma_id, 0) == engine);
	/* It goes on. */
	CHECK_EQ(submit(1, 1), 1);
	fault.late = false;
	check_done(0, 2);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), 0);
	CHECK(dma_engine_of(dma_id, 0) == NULL);
	/* Whoever still has it. */
	CHECK(submit(2, 1) < 0);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(job_state(jobs[2].state), JOB_RUNNING);
	CHECK_EQ(dma_engine_configure(dma_id, 0), 0);
	CHECK(dma_engine_of(dma_id, 0) == was);
	CHECK_EQ(submit(2, 1), 1);
	check_done(2, 1);
}

/* The device was stopped under a job: it fails when its index comes round. */
static void what_the_device_forgot(void)
{
	struct rte_dma_info info;
	uint8_t *forgotten = &works[0].state;
	unsigned int n = 0;

	begin(NR_DESC);
	prepare(2);
	CHECK_EQ(rte_dma_info_get(dma_id, &info), 0);
	fault.late = true;
	CHECK_EQ(submit(0, 1), 1);
	CHECK_EQ(rte_dma_stop(dma_id), 0);
	CHECK_EQ(rte_dma_start(dma_id), 0);
	fault.late = false;
	for (n = 0; n < 2u * info.max_desc && job_state(forgotten) == JOB_RUNNING; n++) {
		jobs[1] = work_job(&works[1], 1);
		CHECK_EQ(submit(1, 1), 1);
		check_done(1, 1);
	}
	CHECK_EQ(job_state(forgotten), JOB_FAILED);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), 0);
}

/* A copy ends where either side's run of bus addresses does. */
static void bus_addresses(void)
{
	const char *wrong;
	uint8_t state = JOB_RUNNING;
	static uint8_t src[256] CACHE_ALIGNED, dst[256] CACHE_ALIGNED;
	struct copy_seg seg = { dst + 32, src, 128 };
	struct copy_job job = { &seg, 1, &state };

	bus = true;
	begin(NR_DESC);
	memset(src, 0x11, sizeof(src));
	CHECK_EQ(engine->ops->submit(engine, &job, 1), 1);
	CHECK_EQ(work_wait(engine, &state), JOB_DONE);
	CHECK(memcmp(dst + 32, src, 128) == 0);
	CHECK_EQ(dst[31] + dst[160], 0);
	CHECK_EQ(fault.copies, 4);
	wrong = work_many(engine, 1000, 3);
	CHECK_STR(wrong == NULL ? "" : wrong, "");
}

static void memory_off_the_bus(void)
{
	bus = true;
	begin(NR_DESC);
	prepare(3);
	off_the_bus = works[0].segs[2].src;
	CHECK_EQ(submit(0, 2), 2);
	CHECK_EQ(job_state(jobs[0].state), JOB_FAILED);
	CHECK(work_untouched(&works[0]));
	check_done(1, 1);
	off_the_bus = works[2].segs[1].dst;
	CHECK_EQ(submit(2, 1), 1);
	CHECK_EQ(job_state(jobs[2].state), JOB_FAILED);
	CHECK(work_untouched(&works[2]));
}

/* A device that is closed takes nothing more: all is left to the CPU. */
static void a_closed_device(void)
{
	begin(NR_DESC);
	prepare(1);
	CHECK_EQ(rte_dma_stop(dma_id), 0);
	CHECK_EQ(rte_dma_close(dma_id), 0);
	CHECK_EQ(submit(0, 2), 2);
	CHECK_EQ(job_state(jobs[0].state), JOB_FAILED);
	CHECK_EQ(job_state(jobs[1].state), JOB_FAILED);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(dma_engine_unconfigure(dma_id, 0), 0);
	CHECK_EQ(dma_engine_configure(dma_id, 0), -ENODEV);
	dma_id = -1;
}

static void device_find(void)
{
	struct rte_dma_fp_object *object;

	if (rte_eal_hotplug_add("vdev", "dma_skeleton", "") != 0)
		return;
	dma_id = rte_dma_next_dev(0);
	object = &rte_dma_fp_objs[dma_id];
	driver = *object;
	object->copy = faulty_copy;
	object->submit = faulty_submit;
	object->completed = faulty_completed;
	object->completed_status = faulty_completed_status;
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_device_has_to_be_set_up),
		TAP_TEST(bogus_numbers),
		TAP_TEST(many_jobs),
		TAP_TEST(two_threads_share_a_channel),
		TAP_TEST(a_full_ring_takes_whole_jobs),
		TAP_TEST(a_job_larger_than_the_ring),
		TAP_TEST(jobs_without_bytes),
		TAP_TEST(a_refusal_in_the_midst_of_a_job),
		TAP_TEST(a_refusal_of_a_job),
		TAP_TEST(a_bad_copy_fails_its_job),
		TAP_TEST(nothing_in_flight_is_not_asked_for),
		TAP_TEST(a_doorbell_that_fails_is_rung_again),
		TAP_TEST(a_busy_channel_is_not_given_back),
		TAP_TEST(what_the_device_forgot),
		TAP_TEST(bus_addresses),
		TAP_TEST(memory_off_the_bus),
		TAP_TEST(a_closed_device),
	};
	char prefix[32];
	const char *eal[] = { "engine_dma", "--no-huge", "--no-pci", "--no-shconf", "-m", "64",
			      "-l", "0", "--no-telemetry", "--file-prefix", prefix };
	int rc;

	tap_begin();
	snprintf(prefix, sizeof(prefix), "engine_dma%d", (int)getpid());
	if (rte_eal_init((int)ARRAY_LEN(eal), (char **)(uintptr_t)eal) < 0)
		return 1;
	device_find();
	rc = tap_run(tests, ARRAY_LEN(tests), argc > 1 ? argv[1] : NULL, setup, teardown);
	if (dma_id >= 0)
		rte_dma_stop(dma_id);
	rte_eal_cleanup();
	return rc;
}
