/* SPDX-License-Identifier: BSD-3-Clause */
/* server/loop.c: jobs, the tick, and sources that come and go, also from within a handler. */
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kit.h"
#include "server/loop.h"

static uint32_t ticks;

static void tick(void)
{
	assert_true(loop_is_self());
	__atomic_fetch_add(&ticks, 1, __ATOMIC_RELAXED);
}

/* --- before there is a thread ------------------------------------------ */

static void mark(void *arg)
{
	*(int *)arg += 1;
}

static void without_a_thread_jobs_run_inline(void **state)
{
	int ran = 0;

	(void)state;
	assert_false(loop_is_self());
	loop_call(mark, &ran);
	assert_int_equal(ran, 1);
}

static int fail_to_spawn(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
	(void)thread;
	(void)name;
	(void)run;
	(void)arg;
	return -EAGAIN;
}

static int spawn_by_hand(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
	assert_true(strlen(name) < 16); /* what Linux shows of it */
	return -pthread_create(thread, NULL, run, arg);
}

static void failed_start_leaves_nothing(void **state)
{
	unsigned int fds = kit_open_fds();

	(void)state;
	kit_capture_log();
	loop_set_spawn(fail_to_spawn);
	assert_int_equal(loop_start(tick), -EAGAIN);
	assert_int_equal(kit_open_fds(), fds);
	assert_int_equal(kit_lines, 1);
	/* And can be tried again. */
	loop_set_spawn(spawn_by_hand);
	assert_int_equal(loop_start(tick), 0);
	assert_int_equal(loop_start(tick), 0); /* once is enough */
	assert_int_equal(kit_open_fds(), fds + 3);
}

/* --- jobs -------------------------------------------------------------- */

static uint64_t by_the_loop; /* plain: only the loop thread touches it */

static void count_job(void *arg)
{
	assert_true(loop_is_self());
	by_the_loop++;
	*(bool *)arg = true;
}

static void *post_jobs(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++) {
		bool done = false;

		loop_call(count_job, &done);
		assert_true(done);
	}
	return NULL;
}

static void jobs_from_many_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	by_the_loop = 0;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_jobs, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(by_the_loop, 2000);
}

static void job_in_a_job(void *arg)
{
	loop_call(mark, arg); /* would wait for itself if it were queued */
}

static void jobs_nest(void **state)
{
	int ran = 0;

	(void)state;
	loop_call(job_in_a_job, &ran);
	assert_int_equal(ran, 1);
}

/* --- sources ----------------------------------------------------------- */

struct counter {
	struct loop_source source;
	uint32_t hits;
	struct counter *removes; /* its handler takes this one out */
};

static void counter_ready(struct loop_source *source, uint32_t events)
{
	struct counter *c = CONTAINER_OF(source, struct counter, source);
	uint64_t value;

	assert_true((events & EPOLLIN) != 0);
	assert_int_equal(read(source->fd, &value, sizeof(value)), sizeof(value));
	__atomic_fetch_add(&c->hits, 1, __ATOMIC_RELEASE);
	if (c->removes != NULL)
		loop_remove(&c->removes->source);
}

static void counter_init(struct counter *c)
{
	*c = (struct counter){
		.source = { .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .ready = counter_ready },
	};
	assert_true(c->source.fd >= 0);
}

static void add(void *arg)
{
	assert_int_equal(loop_add(&((struct counter *)arg)->source, EPOLLIN), 0);
}

static void take_out(void *arg)
{
	loop_remove(&((struct counter *)arg)->source);
}

static bool hits_become(struct counter *c, uint32_t want)
{
	for (int i = 0; i < 30000; i++) {
		if (__atomic_load_n(&c->hits, __ATOMIC_ACQUIRE) == want)
			return true;
		usleep(1000);
	}
	print_error("%u hits, expected %u\n", __atomic_load_n(&c->hits, __ATOMIC_ACQUIRE), want);
	return false;
}

/* Returns when the loop has looked at its events at least once more. */
static void let_it_look(void)
{
	int ran = 0;

	for (int i = 0; i < 3; i++) {
		loop_call(mark, &ran);
		usleep(2000);
	}
}

static void source_is_called_until_removed(void **state)
{
	struct counter c;

	(void)state;
	counter_init(&c);
	loop_call(add, &c);
	for (uint32_t i = 1; i <= 5; i++) {
		eventfd_write(c.source.fd, 1);
		assert_true(hits_become(&c, i));
	}
	loop_call(take_out, &c);
	eventfd_write(c.source.fd, 1);
	let_it_look();
	assert_int_equal(c.hits, 5);
	/* Added again, what waited is delivered. */
	loop_call(add, &c);
	assert_true(hits_become(&c, 6));
	loop_call(take_out, &c);
	close(c.source.fd);
}

static struct counter first, second;

static void add_both_ready(void *arg)
{
	(void)arg;
	/* On the loop thread: both are ready before it looks again. */
	eventfd_write(first.source.fd, 1);
	eventfd_write(second.source.fd, 1);
	add(&first);
	add(&second);
}

static void handler_removes_a_source_that_is_ready(void **state)
{
	(void)state;
	counter_init(&first);
	counter_init(&second);
	first.removes = &second;
	second.removes = &first;
	loop_call(add_both_ready, NULL);
	let_it_look();
	/* Whichever came first took the other out, which was never called. */
	assert_int_equal(__atomic_load_n(&first.hits, __ATOMIC_ACQUIRE) +
				 __atomic_load_n(&second.hits, __ATOMIC_ACQUIRE),
			 1);
	loop_call(take_out, &first);
	loop_call(take_out, &second);
	close(first.source.fd);
	close(second.source.fd);
}

static void change_to_out(void *arg)
{
	assert_int_equal(loop_change(&((struct counter *)arg)->source, EPOLLERR), 0);
}

static void events_can_be_changed(void **state)
{
	struct counter c;

	(void)state;
	counter_init(&c);
	loop_call(add, &c);
	loop_call(change_to_out, &c);
	eventfd_write(c.source.fd, 1);
	let_it_look();
	assert_int_equal(c.hits, 0);
	loop_call(take_out, &c);
	close(c.source.fd);
}

static void add_bad(void *arg)
{
	struct loop_source bad = { .fd = 100000, .ready = counter_ready };

	*(int *)arg = loop_add(&bad, EPOLLIN);
	loop_remove(&bad); /* of what was never added: harmless */
}

static void adding_what_is_not_open(void **state)
{
	int ret = 0;

	(void)state;
	loop_call(add_bad, &ret);
	assert_int_equal(ret, -EBADF);
}

/* --- the tick ---------------------------------------------------------- */

static void tick_on(void *arg)
{
	loop_tick_enable(arg != NULL);
}

static void tick_while_enabled(void **state)
{
	uint32_t seen;
	int yes = 1;

	(void)state;
	assert_int_equal(ticks, 0);
	loop_call(tick_on, &yes);
	for (int i = 0; i < 400 && __atomic_load_n(&ticks, __ATOMIC_RELAXED) < 2; i++)
		usleep(LOOP_TICK_MS * 1000 / 8);
	assert_true(__atomic_load_n(&ticks, __ATOMIC_RELAXED) >= 2);
	loop_call(tick_on, NULL);
	seen = __atomic_load_n(&ticks, __ATOMIC_RELAXED);
	usleep(LOOP_TICK_MS * 1000 + 50000);
	assert_int_equal(__atomic_load_n(&ticks, __ATOMIC_RELAXED), seen);
}

int main(void)
{
	/* In this order: the thread, once started, stays. */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_thread_jobs_run_inline),
		cmocka_unit_test(failed_start_leaves_nothing),
		cmocka_unit_test(jobs_from_many_threads),
		cmocka_unit_test(jobs_nest),
		cmocka_unit_test(source_is_called_until_removed),
		cmocka_unit_test(handler_removes_a_source_that_is_ready),
		cmocka_unit_test(events_can_be_changed),
		cmocka_unit_test(adding_what_is_not_open),
		cmocka_unit_test(tick_while_enabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
