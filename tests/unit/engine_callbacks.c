/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * async/callbacks.c: what an application's functions are given, and every answer
 * they may give. The application here does the copies when they are reported.
 */
#include <rte_vhost_async.h>

#include "async/callbacks.h"
#include "engine_kit.h"

#define VID 7
#define QUEUE 4
#define AS_ASKED INT32_MIN

static struct {
	int32_t transfer_answer, check_answer; /* AS_ASKED: all */
	int32_t answer_from_second_call;       /* of transfer_data() */
	unsigned int transfers, checks;
	uint16_t count, max_packets;
	unsigned long pieces[64];
	size_t bytes[64];
	bool wrong; /* an argument was not as it should be */
} app;

static void look_at(const struct rte_vhost_async_desc *desc, unsigned int at)
{
	const struct rte_vhost_iov_iter *src = desc->src, *dst = desc->dst;
	size_t bytes = 0;

	app.wrong |= src->offset != 0 || dst->offset != 0 || src->nr_segs != dst->nr_segs ||
		     src->count != dst->count;
	for (unsigned long i = 0; i < src->nr_segs; i++) {
		app.wrong |= src->iov[i].iov_len != dst->iov[i].iov_len;
		memcpy(dst->iov[i].iov_base, src->iov[i].iov_base, src->iov[i].iov_len);
		bytes += src->iov[i].iov_len;
	}
	app.wrong |= bytes != src->count;
	app.pieces[at] = src->nr_segs;
	app.bytes[at] = bytes;
}

static int32_t app_transfer(int vid, uint16_t queue_id, struct rte_vhost_async_desc *descs,
			    struct rte_vhost_async_status *opaque_data, uint16_t count)
{
	int32_t answer = app.transfers++ == 0 ? app.transfer_answer : app.answer_from_second_call;

	app.wrong |= vid != VID || queue_id != QUEUE || opaque_data != NULL || count == 0;
	app.count = count;
	if (answer == AS_ASKED)
		answer = count;
	for (int32_t i = 0; i < answer && i < count; i++)
		look_at(&descs[i], (unsigned int)i % 64);
	return answer;
}

static int32_t app_check(int vid, uint16_t queue_id, struct rte_vhost_async_status *opaque_data,
			 uint16_t max_packets)
{
	app.wrong |= vid != VID || queue_id != QUEUE || opaque_data != NULL;
	app.checks++;
	app.max_packets = max_packets;
	return app.check_answer == AS_ASKED ? max_packets : app.check_answer;
}

static struct copy_engine *engine;
static struct work works[64];
static struct copy_job jobs[64];

static void setup(void)
{
	struct rte_vhost_async_channel_ops ops = { app_transfer, app_check };

	memset(&app, 0, sizeof(app));
	app.transfer_answer = app.check_answer = app.answer_from_second_call = AS_ASKED;
	engine = callbacks_engine_new(VID, QUEUE, &ops, 300);
	/* They are copied. */
	memset(&ops, 0, sizeof(ops));
	CHECK(engine != NULL);
	for (unsigned int i = 0; i < ARRAY_LEN(jobs); i++)
		jobs[i] = work_job(&works[i], 1 + i % WORK_SEGS);
}

static void teardown(void)
{
	if (engine != NULL)
		engine->ops->release(engine);
	engine = NULL;
}

static int submit(unsigned int from, unsigned int n)
{
	return engine->ops->submit(engine, jobs + from, n);
}

static unsigned int count_done(void)
{
	unsigned int n = 0;

	/* The oldest first, and no others. */
	while (n < ARRAY_LEN(jobs) && works[n].state == JOB_DONE)
		n++;
	for (unsigned int i = n; i < ARRAY_LEN(jobs); i++)
		CHECK_EQ(works[i].state, JOB_RUNNING);
	return n;
}

static void copies_are_described(void)
{
	CHECK_EQ(engine->threshold_bytes, 300);
	CHECK(!engine->ops->polls_anywhere);
	CHECK_EQ(submit(0, 20), 20);
	CHECK_EQ(app.transfers, 1);
	CHECK_EQ(app.count, 20);
	CHECK(!app.wrong);
	for (unsigned int i = 0; i < 20; i++) {
		CHECK_EQ(app.pieces[i], jobs[i].nr_segs);
		CHECK(app.bytes[i] > 0);
		CHECK(work_arrived(&works[i], jobs[i].nr_segs));
	}
	CHECK_EQ(count_done(), 0);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(app.max_packets, 20);
	CHECK_EQ(count_done(), 20);
	CHECK(!app.wrong);
}

static void nothing_in_flight_is_not_asked_for(void)
{
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(app.checks, 0);
	CHECK_EQ(submit(0, 0), 0);
	CHECK_EQ(app.transfers, 0);
}

static void short_answers(void)
{
	app.transfer_answer = 3;
	app.check_answer = 0;
	CHECK_EQ(submit(0, 10), 3);
	CHECK_EQ(app.transfers, 1);
	app.transfers = 0;
	app.transfer_answer = 0;
	CHECK_EQ(submit(3, 7), 0);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(app.max_packets, 3);
	CHECK_EQ(count_done(), 0);
	app.check_answer = 2;
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(count_done(), 2);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(app.max_packets, 1);
	CHECK_EQ(count_done(), 3);
}

static void negative_answers(void)
{
	app.transfer_answer = -1;
	CHECK(submit(0, 10) < 0);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(app.checks, 0);
	app.transfers = 0;
	app.transfer_answer = INT32_MIN + 1;
	CHECK(submit(0, 10) < 0);
	app.transfer_answer = AS_ASKED;
	app.transfers = 0;
	CHECK_EQ(submit(0, 10), 10);
	app.check_answer = -1;
	CHECK(engine->ops->poll(engine) < 0);
	CHECK_EQ(count_done(), 0);
	app.check_answer = AS_ASKED;
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(count_done(), 10);
}

static void answers_that_are_too_large(void)
{
	app.transfer_answer = 11;
	CHECK_EQ(submit(0, 10), 10);
	app.check_answer = 4;
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(count_done(), 4);
	app.check_answer = INT32_MAX;
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(app.max_packets, 6);
	CHECK_EQ(count_done(), 10);
	app.transfers = 0;
	app.transfer_answer = INT32_MAX;
	CHECK_EQ(submit(10, 1), 1);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(count_done(), 11);
}

/* More than one call's worth: what the first call took stays taken. */
static void several_calls(void)
{
	CHECK_EQ(submit(0, 64), 64);
	CHECK_EQ(app.transfers, 2);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(count_done(), 64);

	for (unsigned int i = 0; i < 64; i++)
		jobs[i] = work_job(&works[i], 1);
	app.transfers = 0;
	app.answer_from_second_call = -1;
	CHECK_EQ(submit(0, 64), 32);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(count_done(), 32);
}

static void pieces_of_many_jobs(void)
{
	static struct copy_seg segs[1025];
	static uint8_t src[1025], dst[1025];
	uint8_t states[3] = { JOB_RUNNING, JOB_RUNNING, JOB_RUNNING };
	struct copy_job large[3];

	for (unsigned int i = 0; i < ARRAY_LEN(segs); i++) {
		src[i] = (uint8_t)(i * 7);
		segs[i] = (struct copy_seg){ dst + i, src + i, 1 };
	}
	large[0] = (struct copy_job){ segs, 1024, &states[0] };
	large[1] = (struct copy_job){ segs, 1025, &states[1] };
	large[2] = (struct copy_job){ segs, 3, &states[2] };
	CHECK_EQ(engine->ops->submit(engine, large, 3), 3);
	CHECK_EQ(app.transfers, 2);
	CHECK(memcmp(dst, src, 1024) == 0);
	CHECK_EQ(states[1], JOB_FAILED);
	CHECK_EQ(states[0], JOB_RUNNING);
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(app.max_packets, 2);
	CHECK_EQ(states[0], JOB_DONE);
	CHECK_EQ(states[2], JOB_DONE);
}

static void a_ring_full_in_flight(void)
{
	static uint8_t states[32768 + 10];
	struct copy_job one = jobs[0];
	unsigned int n;

	memset(states, JOB_RUNNING, sizeof(states));
	for (n = 0; n < sizeof(states); n++) {
		one.state = &states[n];
		if (engine->ops->submit(engine, &one, 1) != 1)
			break;
	}
	CHECK_EQ(n, 32768);
	app.check_answer = 5;
	CHECK_EQ(engine->ops->poll(engine), 0);
	CHECK_EQ(app.max_packets, 32768);
	for (; n < 32768 + 5; n++) {
		one.state = &states[n];
		CHECK_EQ(engine->ops->submit(engine, &one, 1), 1);
	}
	one.state = &states[n];
	CHECK_EQ(engine->ops->submit(engine, &one, 1), 0);
	app.check_answer = AS_ASKED;
	CHECK_EQ(engine->ops->poll(engine), 0);
	for (unsigned int i = 0; i < sizeof(states); i++)
		CHECK_EQ(states[i], i < n ? JOB_DONE : JOB_RUNNING);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(copies_are_described),
		TAP_TEST(nothing_in_flight_is_not_asked_for),
		TAP_TEST(short_answers),
		TAP_TEST(negative_answers),
		TAP_TEST(answers_that_are_too_large),
		TAP_TEST(several_calls),
		TAP_TEST(pieces_of_many_jobs),
		TAP_TEST(a_ring_full_in_flight),
	};

	tap_begin();
	return tap_run(tests, ARRAY_LEN(tests), argc > 1 ? argv[1] : NULL, setup, teardown);
}
