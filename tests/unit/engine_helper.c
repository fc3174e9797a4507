/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * async/helper.c on a second lcore, and async/ready.c: the ops tables, through
 * the public functions that hand them out.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_vhost_async.h>

#include "async/helper.h"
#include "async/ready.h"
#include "engine_kit.h"

#define MAIN 0
#define HELPER 1
#define LARGE_BYTES 65536u

static struct copy_engine *engine;

static void begin(void)
{
	CHECK_EQ(helper_engine_start(HELPER), 0);
	engine = helper_engine_of(HELPER);
	CHECK(engine != NULL);
}

static void teardown(void)
{
	if (helper_engine_of(HELPER) != NULL)
		helper_engine_stop(HELPER);
}

static bool run_for_a_while;

static int something(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&run_for_a_while, __ATOMIC_ACQUIRE))
		sched_yield();
	return 0;
}

static void lcores_that_cannot(void)
{
	CHECK_EQ(helper_engine_start(MAIN), -EINVAL);
	CHECK_EQ(helper_engine_start(2), -EINVAL);
	CHECK_EQ(helper_engine_start(RTE_MAX_LCORE), -EINVAL);
	CHECK_EQ(helper_engine_start(UINT_MAX), -EINVAL);
	CHECK(helper_engine_of(MAIN) == NULL);
	CHECK(helper_engine_of(HELPER) == NULL);
	CHECK(helper_engine_of(RTE_MAX_LCORE) == NULL);
	CHECK(helper_engine_of(UINT_MAX) == NULL);
	CHECK_EQ(helper_engine_stop(HELPER), -ENODEV);
	CHECK_EQ(helper_engine_stop(UINT_MAX), -ENODEV);

	run_for_a_while = true;
	CHECK_EQ(rte_eal_remote_launch(something, NULL, HELPER), 0);
	CHECK_EQ(helper_engine_start(HELPER), -EBUSY);
	CHECK(helper_engine_of(HELPER) == NULL);
	__atomic_store_n(&run_for_a_while, false, __ATOMIC_RELEASE);
	rte_eal_wait_lcore(HELPER);

	begin();
	CHECK_EQ(helper_engine_start(HELPER), -EBUSY);
	CHECK(helper_engine_of(HELPER) == engine);
	CHECK_EQ(helper_engine_stop(HELPER), 0);
	CHECK_EQ(helper_engine_stop(HELPER), -ENODEV);
	CHECK(helper_engine_of(HELPER) == NULL);
	CHECK_EQ(rte_eal_get_lcore_state(HELPER), WAIT);
}

static void pieces_are_copied_in_order(void)
{
	uint8_t out[8] = { 0 }, state = JOB_RUNNING;
	struct copy_seg segs[] = {
		{ out, "aaaaaaaa", 8 },
		{ out + 2, "bb", 2 },
		{ out + 3, "c", 1 },
	};
	struct copy_job job = { segs, 3, &state };

	begin();
	CHECK_EQ(engine->ops->submit(engine, &job, 1), 1);
	CHECK_EQ(work_wait(engine, &state), JOB_DONE);
	CHECK(memcmp(out, "aabcaaaa", 8) == 0);
}

static void many_jobs(void)
{
	const char *wrong;

	begin();
	CHECK(engine->ops->polls_anywhere);
	CHECK_EQ(engine->threshold_bytes, 2048);
	wrong = work_many(engine, 40000, 1);
	CHECK_STR(wrong == NULL ? "" : wrong, "");
}

static void *producer(void *arg)
{
	return (void *)(uintptr_t)work_many(engine, 20000, (uint32_t)(uintptr_t)arg);
}

static void two_producers(void)
{
	pthread_t threads[2];
	void *wrong[2];

	begin();
	for (uintptr_t i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, producer, (void *)(i + 1)) != 0)
			abort();
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], &wrong[i]);
	for (unsigned int i = 0; i < 2; i++)
		CHECK_STR(wrong[i] == NULL ? "" : (const char *)wrong[i], "");
}

/* Large ones, which queue up: all copy the same bytes to the same place. */
static uint8_t large_src[LARGE_BYTES], large_dst[LARGE_BYTES];
static struct copy_seg large_seg = { large_dst, large_src, LARGE_BYTES };
static uint8_t states[100000];

static int submit_large(unsigned int at)
{
	struct copy_job job = { &large_seg, 1, &states[at] };

	return engine->ops->submit(engine, &job, 1);
}

static void a_full_queue_takes_no_more(void)
{
	time_t until = work_now() + WAIT_SECONDS;
	unsigned int n = 0;
	int rc;

	memset(states, JOB_RUNNING, sizeof(states));
	begin();
	/* Until it has been full; the helper is slower. */
	while ((rc = submit_large(n % ARRAY_LEN(states))) == 1 && work_now() < until) {
		n++;
		if (n % ARRAY_LEN(states) == 0)
			CHECK_EQ(work_wait(engine, &states[ARRAY_LEN(states) - 1]), JOB_DONE);
	}
	CHECK_EQ(rc, 0);
	CHECK(n >= 4095);
	CHECK_EQ(work_wait(engine, &states[(n - 1) % ARRAY_LEN(states)]), JOB_DONE);
	for (unsigned int i = 0; i < MIN2(n, ARRAY_LEN(states)); i++)
		CHECK_EQ(job_state(&states[i]), JOB_DONE);
}

static void stop_finishes_what_is_queued(void)
{
	memset(states, JOB_RUNNING, sizeof(states));
	begin();
	for (unsigned int i = 0; i < 1000; i++)
		CHECK_EQ(submit_large(i), 1);
	CHECK_EQ(helper_engine_stop(HELPER), 0);
	for (unsigned int i = 0; i < 1000; i++)
		CHECK_EQ(job_state(&states[i]), JOB_DONE);
	/* Whoever still has it. */
	CHECK(submit_large(1000) < 0);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(job_state(&states[1000]), JOB_RUNNING);

	begin();
	CHECK_EQ(submit_large(1000), 1);
	CHECK_EQ(work_wait(engine, &states[1000]), JOB_DONE);
}

static unsigned int submitted;

static void *submits_until_it_fails(void *arg)
{
	int rc;

	(void)arg;
	while (submitted < ARRAY_LEN(states) - 1 && (rc = submit_large(submitted)) >= 0)
		__atomic_store_n(&submitted, submitted + (unsigned int)rc, __ATOMIC_RELEASE);
	return NULL;
}

/* What comes in while the loop ends is done by the next poll. */
static void stop_while_jobs_come(void)
{
	for (unsigned int round = 0; round < 50; round++) {
		pthread_t thread;

		memset(states, JOB_RUNNING, sizeof(states));
		submitted = 0;
		begin();
		large_seg.len_bytes = 64;
		if (pthread_create(&thread, NULL, submits_until_it_fails, NULL) != 0)
			abort();
		while (__atomic_load_n(&submitted, __ATOMIC_ACQUIRE) < 10)
			sched_yield();
		CHECK_EQ(helper_engine_stop(HELPER), 0);
		pthread_join(thread, NULL);
		CHECK_EQ(engine->ops->poll(engine), 0);
		for (unsigned int i = 0; i < submitted; i++)
			CHECK_EQ(job_state(&states[i]), JOB_DONE);
		CHECK_EQ(job_state(&states[submitted]), JOB_RUNNING);
	}
}

static void ops_tables(void)
{
	struct rte_vhost_async_channel_ops *ops, copy;

	CHECK(rte_vhost_async_helper_ops(HELPER) == NULL);
	CHECK(rte_vhost_async_helper_ops(UINT_MAX) == NULL);
	CHECK_EQ(rte_vhost_async_helper_start(MAIN), -1);
	CHECK_EQ(rte_vhost_async_helper_stop(HELPER), -1);
	CHECK_EQ(rte_vhost_async_helper_start(HELPER), 0);
	ops = rte_vhost_async_helper_ops(HELPER);
	CHECK(ops != NULL);
	CHECK(ready_engine_of(ops) == helper_engine_of(HELPER));
	CHECK(rte_vhost_async_helper_ops(HELPER) == ops);
	CHECK(ops->transfer_data != NULL && ops->check_completed_copies != NULL);
	CHECK_EQ(ops->transfer_data(0, 0, NULL, NULL, 1), -1);
	CHECK_EQ(ops->check_completed_copies(0, 0, NULL, 1), -1);
	copy = *ops;
	CHECK(ready_engine_of(&copy) == NULL);
	CHECK(ready_engine_of(NULL) == NULL);
	CHECK_EQ(rte_vhost_async_helper_stop(HELPER), 0);
	CHECK(rte_vhost_async_helper_ops(HELPER) == NULL);
	CHECK(rte_vhost_async_dmadev_ops(-1, 0) == NULL);
	CHECK(rte_vhost_async_dmadev_ops(0, 0) == NULL);
}

/* Both lcores wherever this process may run. */
static void lcores_string(char *text, size_t bytes)
{
	size_t at = (size_t)snprintf(text, bytes, "(%d,%d)@(", MAIN, HELPER);
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		abort();
	for (int cpu = 0; cpu < CPU_SETSIZE && at < bytes - 16; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			at += (size_t)snprintf(text + at, bytes - at, "%s%d",
					       text[at - 1] == '(' ? "" : ",", cpu);
	snprintf(text + at, bytes - at, ")");
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(lcores_that_cannot),
		TAP_TEST(pieces_are_copied_in_order),
		TAP_TEST(many_jobs),
		TAP_TEST(two_producers),
		TAP_TEST(a_full_queue_takes_no_more),
		TAP_TEST(stop_finishes_what_is_queued),
		TAP_TEST(stop_while_jobs_come),
		TAP_TEST(ops_tables),
	};
	char prefix[32], lcores[1024];
	const char *eal[] = { "engine_helper", "--no-huge", "--no-pci", "--no-shconf", "-m", "64",
			      "--lcores", lcores, "--no-telemetry", "--file-prefix", prefix };
	int rc;

	tap_begin();
	lcores_string(lcores, sizeof(lcores));
	snprintf(prefix, sizeof(prefix), "engine_helper%d", (int)getpid());
	if (rte_eal_init((int)ARRAY_LEN(eal), (char **)(uintptr_t)eal) < 0)
		return 1;
	rc = tap_run(tests, ARRAY_LEN(tests), argc > 1 ? argv[1] : NULL, NULL, teardown);
	rte_eal_cleanup();
	return rc;
}
