/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy/pending.[ch]: packets go through in one order, whatever order and outcome their copies have;
 * what an engine refuses comes back as it was; memory is kept as long as it is needed.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "copy/pending.h"
#include "kit.h"

#define RING 64
#define BYTES 512

/* An engine that copies when it is told to, in any order. */
#define JOBS_MAX 4096
static struct {
	struct copy_engine engine;
	struct copy_job jobs[JOBS_MAX];
	unsigned int n;
	int room; /* jobs it takes from the next submit(); < 0: an error */
	unsigned int polls;
} e;

static int take(struct copy_engine *engine, const struct copy_job *jobs, unsigned int count)
{
	int n = e.room < (int)count ? e.room : (int)count;

	assert_ptr_equal(engine, &e.engine);
	for (int i = 0; i < n; i++) {
		assert_int_equal(job_state(jobs[i].state), JOB_RUNNING);
		assert_true(jobs[i].nr_segs > 0 && jobs[i].nr_segs <= PENDING_SEGS_MAX);
		e.jobs[e.n++] = jobs[i];
	}
	return n;
}

static int count_poll(struct copy_engine *engine)
{
	(void)engine;
	e.polls++;
	return 0;
}

static struct copy_engine_ops ops = { .name = "test", .submit = take, .poll = count_poll };

/* Does the i-th job that is there, or fails at it. */
static void finish(unsigned int i, enum job_state how)
{
	struct copy_job job = e.jobs[i];

	if (how == JOB_DONE)
		copy_segs(job.segs, job.nr_segs);
	e.jobs[i] = e.jobs[--e.n];
	job_set(job.state, how);
}

static void finish_oldest(void)
{
	struct copy_job job = e.jobs[0];

	copy_segs(job.segs, job.nr_segs);
	memmove(e.jobs, e.jobs + 1, --e.n * sizeof(job));
	job_set(job.state, JOB_DONE);
}

static struct pending *p;

static int setup(void **state)
{
	(void)state;
	kit_seed(5);
	e.n = 0;
	e.room = JOBS_MAX;
	e.polls = 0;
	e.engine = (struct copy_engine){ .ops = &ops };
	ops.polls_anywhere = true;
	p = pending_new(RING, &e.engine);
	assert_non_null(p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pending_free(p);
	return 0;
}

static uint8_t src[RING * 2][BYTES], dst[RING * 2][BYTES];
static int mbufs[RING * 2];

/* Packet `i` of `nr_segs` pieces (0: the CPU's), of one chain. */
static void take_packet(unsigned int i, unsigned int nr_segs)
{
	struct copy_seg *segs = pending_segs(p);
	struct used used = used_make((uint16_t)i, 1);

	assert_non_null(segs);
	for (unsigned int s = 0; s < nr_segs; s++) {
		uint32_t at = s * BYTES / nr_segs;

		segs[s] = (struct copy_seg){ dst[i] + at, src[i] + at, (s + 1) * BYTES / nr_segs - at };
	}
	(void)pending_take(p, &mbufs[i], &used, 1, nr_segs != 0 ? &e.engine : NULL, nr_segs);
}

static void fill(unsigned int i)
{
	for (unsigned int b = 0; b < BYTES; b++)
		src[i][b] = (uint8_t)kit_random();
	memset(dst[i], 0, BYTES);
}

static void in_order_whatever_the_engine(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		fill(i);
		take_packet(i, i == 2 ? 0 : 3);
	}
	assert_int_equal(pending_start(p, 0), 4);
	assert_int_equal(e.n, 3);
	assert_int_equal(p->nr_mbufs, 4);
	assert_false(pending_is_done(p));

	/* The last one first: nothing moves before the first one is done. */
	finish(2, JOB_DONE);
	assert_false(pending_is_done(p));
	assert_null(pending_return(p));
	finish(0, JOB_DONE);
	for (unsigned int i = 0; i < 4; i++) {
		if (i == 1) {
			assert_false(pending_is_done(p));
			finish(0, JOB_DONE);
		}
		assert_true(pending_is_done(p));
		assert_int_equal(used_id(p->used[p->used_given & p->mask]), i);
		pending_give(p);
		assert_ptr_equal(pending_return(p), &mbufs[i]);
		assert_null(pending_return(p));
	}
	assert_true(pending_is_idle(p));
	assert_int_equal(p->nr_mbufs, 0);
	assert_memory_equal(src[0], dst[0], BYTES);
	assert_memory_equal(src[3], dst[3], BYTES);
}

static void what_is_refused_comes_back(void **state)
{
	struct used used[4];
	uint32_t started;
	void *mbuf;

	(void)state;
	take_packet(0, 1);
	take_packet(1, 0);
	take_packet(2, 2);
	take_packet(3, 1);
	take_packet(4, 0);
	e.room = 1;
	/* Two are with nobody: the second job, and all behind it. */
	started = pending_start(p, 0);
	assert_int_equal(started, 2);
	for (unsigned int i = 4; i >= 2; i--) {
		assert_int_equal(pending_untake(p, used, &mbuf), 1);
		assert_int_equal(used_id(used[0]), i);
		assert_ptr_equal(mbuf, &mbufs[i]);
	}
	assert_int_equal(p->taken, 2);
	assert_int_equal(p->nr_mbufs, 2);
	assert_int_equal(p->used_taken, 2);

	/* A broken engine takes none. */
	take_packet(2, 2);
	e.room = -5;
	assert_int_equal(pending_start(p, 2), 2);
	assert_int_equal(pending_untake(p, used, &mbuf), 1);
	/* And later ones go on as if nothing had been. */
	e.room = JOBS_MAX;
	take_packet(2, 2);
	assert_int_equal(pending_start(p, 2), 3);
	finish_oldest();
	finish_oldest();
	while (pending_is_done(p))
		pending_give(p);
	for (unsigned int i = 0; i < 3; i++)
		assert_ptr_equal(pending_return(p), &mbufs[i]);
	assert_null(pending_return(p));
}

static void what_failed_is_done_again(void **state)
{
	(void)state;
	fill(0);
	take_packet(0, 7);
	assert_int_equal(pending_start(p, 0), 1);
	finish(0, JOB_FAILED);
	assert_true(pending_is_done(p));
	pending_redo(p, pending_at(p, 0));
	assert_memory_equal(src[0], dst[0], BYTES);
	pending_give(p);
}

/* Many jobs at once, and pieces round and round. */
static void pieces_of_a_packet_lie_together(void **state)
{
	unsigned int taken = 0, refused = 0;

	(void)state;
	for (unsigned int round = 0; round < 3000; round++) {
		unsigned int i = p->taken % (RING * 2);

		if (pending_room(p) == 0 || pending_segs(p) == NULL || kit_random_below(4) == 0) {
			refused += pending_segs(p) == NULL;
			if (e.n == 0)
				continue;
			finish_oldest();
			while (pending_is_done(p)) {
				unsigned int at = p->given % (RING * 2);

				assert_memory_equal(src[at], dst[at], BYTES);
				pending_give(p);
				assert_ptr_equal(pending_return(p), &mbufs[at]);
			}
			continue;
		}
		fill(i);
		take_packet(i, 1 + kit_random_below(PENDING_SEGS_MAX));
		assert_int_equal(pending_start(p, p->taken - 1), p->taken);
		taken++;
	}
	assert_true(taken > 1000 && refused > 10);
	while (e.n != 0)
		finish_oldest();
	while (pending_is_done(p))
		pending_give(p);
	while (pending_return(p) != NULL)
		;
	assert_true(pending_is_idle(p));
}

static void room_is_for_chains_too(void **state)
{
	struct used used[RING / 2];

	(void)state;
	for (unsigned int i = 0; i < RING / 2; i++)
		used[i] = used_make((uint16_t)i, 1);
	/* A packet less than there are chains. */
	assert_int_equal(pending_room(p), RING - 1);
	assert_int_equal(pending_chains_room(p), RING);
	(void)pending_take(p, NULL, used, RING / 2, NULL, 0);
	assert_int_equal(pending_room(p), RING / 2);
	(void)pending_take(p, &mbufs[0], used, RING / 2, NULL, 0);
	assert_int_equal(pending_room(p), 0);
	assert_int_equal(pending_chains_room(p), 0);
	pending_give(p);
	pending_give(p);
	/* Not handed back yet: still a packet. */
	assert_int_equal(pending_room(p), RING - 3);
	assert_int_equal(pending_chains_room(p), RING);
	assert_ptr_equal(pending_return(p), &mbufs[0]);
	assert_int_equal(pending_room(p), RING - 1);
}

/* A packet without copies behind all that have some, and one that was looked at and not taken. */
static void room_is_not_lost(void **state)
{
	struct used used = used_make(2, 1);

	(void)state;
	take_packet(0, PENDING_SEGS_MAX);
	take_packet(1, PENDING_SEGS_MAX);
	assert_int_equal(pending_start(p, 0), 2);
	finish_oldest();
	finish_oldest();
	pending_give(p);
	pending_give(p);
	(void)pending_take(p, &mbufs[2], &used, 1, NULL, 0);
	assert_non_null(pending_segs(p));
	pending_give(p);
	assert_true(pending_is_idle(p));
	for (unsigned int i = 0; i < 4; i++)
		assert_non_null(pending_segs(p));
	take_packet(3, 3);
	assert_int_equal(pending_start(p, 3), 4);
	finish_oldest();
}

static void memory_stays_while_it_is_copied(void **state)
{
	static const struct guest_region_spec spec[] = { { .gpa = 0, .size_bytes = 1 << 20 } };
	struct guest_memory guest;
	struct gmem *mem;

	(void)state;
	assert_int_equal(guest_memory_create(&guest, spec, 1), 0);
	mem = kit_gmem(&guest);
	take_packet(0, 1);
	take_packet(1, 1);
	take_packet(2, 0);
	assert_int_equal(pending_start(p, 0), 3);
	pending_hold(p, 0, mem);
	assert_int_equal(mem->refs, 2);
	/* Copied by the CPU: nobody needs it. */
	take_packet(3, 0);
	pending_hold(p, 3, mem);
	assert_int_equal(mem->refs, 2);
	finish_oldest();
	pending_give(p);
	assert_int_equal(mem->refs, 2);
	finish_oldest();
	while (pending_is_done(p))
		pending_give(p);
	assert_int_equal(mem->refs, 1);
	gmem_put(mem);
	guest_memory_destroy(&guest);
}

static void only_engines_that_may_be_polled_are(void **state)
{
	(void)state;
	assert_int_equal(pending_poll(p), 0);
	take_packet(0, 1);
	take_packet(1, 1);
	take_packet(2, 0);
	assert_int_equal(pending_start(p, 0), 3);
	assert_int_equal(pending_poll(p), 2);
	assert_int_equal(e.polls, 1);
	ops.polls_anywhere = false;
	assert_int_equal(pending_poll(p), 0);
	assert_int_equal(e.polls, 1);
	finish_oldest();
	finish_oldest();
	while (pending_is_done(p))
		pending_give(p);
}

static void what_is_abandoned_has_no_ring(void **state)
{
	(void)state;
	take_packet(0, 1);
	assert_int_equal(pending_start(p, 0), 1);
	p->abandoned = p->taken - p->given;
	take_packet(1, 0);
	assert_false(pending_has_ring(p));
	finish_oldest();
	pending_give(p);
	assert_true(pending_has_ring(p));
	pending_give(p);
	assert_int_equal(p->abandoned, 0);
}

/* A packet without pieces may be between the last of some and the first of others. */
static void pieces_of_none_are_no_place(void **state)
{
	(void)state;
	for (unsigned int round = 0; round < 3000; round++) {
		unsigned int i = p->taken % (RING * 2);

		take_packet(i, round % 3);
		take_packet(i, 0);
		take_packet(i, 5);
		assert_non_null(pending_segs(p));
		assert_int_equal(pending_start(p, p->given), p->taken);
		while (e.n != 0)
			finish_oldest();
		while (pending_is_done(p)) {
			pending_give(p);
			assert_non_null(pending_segs(p));
		}
		while (pending_return(p) != NULL)
			;
	}
	assert_true(pending_is_idle(p));
}

static void what_the_guest_has_back_passes(void **state)
{
	void *passing[2] = { &mbufs[2], &mbufs[3] };

	(void)state;
	take_packet(0, 1);
	take_packet(1, 0);
	assert_int_equal(pending_start(p, 0), 2);
	finish_oldest();
	while (pending_is_done(p))
		pending_give(p);
	assert_ptr_equal(pending_return(p), &mbufs[0]);
	/* Behind one that the application does not have back. */
	pending_pass(p, passing, 2);
	assert_true(pending_is_idle(p));
	assert_int_equal(p->nr_mbufs, 3);
	assert_int_equal(pending_room(p), RING - 4);
	for (unsigned int i = 1; i < 4; i++)
		assert_ptr_equal(pending_return(p), &mbufs[i]);
	assert_null(pending_return(p));
	assert_int_equal(p->nr_mbufs, 0);
}

/* Some minutes at full speed are so many packets. */
static void numbers_wrap(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		p->taken = p->given = p->returned = i << 30;
		take_packet(0, 1);
		assert_int_equal(pending_start(p, p->given), p->taken);
		assert_true(pending_has_ring(p));
		finish_oldest();
		pending_give(p);
		assert_ptr_equal(pending_return(p), &mbufs[0]);
	}
}

/* --- another thread copies ---------------------------------------------- */

static struct copy_job queue[JOBS_MAX];
static uint32_t queued, stop;

static int enqueue(struct copy_engine *engine, const struct copy_job *jobs, unsigned int count)
{
	(void)engine;
	for (unsigned int i = 0; i < count; i++) {
		queue[queued % JOBS_MAX] = jobs[i];
		__atomic_store_n(&queued, queued + 1, __ATOMIC_RELEASE);
	}
	return (int)count;
}

static void *copy_thread(void *arg)
{
	uint32_t at = 0;

	(void)arg;
	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0) {
		if (__atomic_load_n(&queued, __ATOMIC_ACQUIRE) == at) {
			sched_yield();
			continue;
		}
		copy_segs(queue[at % JOBS_MAX].segs, queue[at % JOBS_MAX].nr_segs);
		job_set(queue[at % JOBS_MAX].state, at % 7 == 0 ? JOB_FAILED : JOB_DONE);
		at++;
	}
	return NULL;
}

static void another_thread_copies(void **state)
{
	static const struct copy_engine_ops threaded = { .name = "thread", .submit = enqueue,
							 .poll = count_poll };
	unsigned int given = 0, next = 0;
	pthread_t thread;

	(void)state;
	e.engine.ops = &threaded;
	assert_int_equal(pthread_create(&thread, NULL, copy_thread, NULL), 0);
	while (given < 5000) {
		while (pending_room(p) > RING / 2 && pending_segs(p) != NULL) {
			fill(next % (RING * 2));
			take_packet(next % (RING * 2), next % 5);
			next++;
			assert_int_equal(pending_start(p, p->taken - 1), p->taken);
		}
		while (pending_is_done(p)) {
			struct pending_packet *packet = pending_at(p, p->given);
			unsigned int i = p->given % (RING * 2);

			if (packet->state == JOB_FAILED)
				pending_redo(p, packet);
			if (packet->nr_segs != 0)
				assert_memory_equal(src[i], dst[i], BYTES);
			pending_give(p);
			assert_ptr_equal(pending_return(p), &mbufs[i]);
			given++;
		}
		sched_yield();
	}
	while (!pending_is_idle(p))
		if (pending_is_done(p))
			pending_give(p);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_order_whatever_the_engine, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_refused_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_failed_is_done_again, setup, teardown),
		cmocka_unit_test_setup_teardown(pieces_of_a_packet_lie_together, setup, teardown),
		cmocka_unit_test_setup_teardown(room_is_for_chains_too, setup, teardown),
		cmocka_unit_test_setup_teardown(room_is_not_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_stays_while_it_is_copied, setup, teardown),
		cmocka_unit_test_setup_teardown(only_engines_that_may_be_polled_are, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_abandoned_has_no_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(pieces_of_none_are_no_place, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_guest_has_back_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_wrap, setup, teardown),
		cmocka_unit_test_setup_teardown(another_thread_copies, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
