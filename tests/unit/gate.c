/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base/gate.h: entering, closing, nesting, and that no two sides are ever inside together. The
 * threads also run under ThreadSanitizer, which sees the plain variable they share.
 */
#include <pthread.h>
#include <unistd.h>

#include "base/gate.h"
#include "kit.h"

/* Entering is asserted here, which the static analysis does not see. */
#define ASSERTED NO_THREAD_SAFETY

static ASSERTED void starts_closed(void **state)
{
	struct gate g;

	(void)state;
	gate_init(&g);
	assert_true(gate_is_closed(&g));
	assert_false(gate_try_enter(&g));
	assert_false(gate_enter(&g));
	gate_open(&g);
	assert_false(gate_is_closed(&g));
	assert_true(gate_try_enter(&g));
	gate_exit(&g);
}

static ASSERTED void one_visitor_at_a_time(void **state)
{
	struct gate g;

	(void)state;
	gate_init(&g);
	gate_open(&g);
	assert_true(gate_enter(&g));
	assert_false(gate_try_enter(&g));
	gate_exit(&g);
	assert_true(gate_enter(&g));
	gate_exit(&g);
}

static ASSERTED void closing_nests(void **state)
{
	struct gate g;

	(void)state;
	gate_init(&g);
	gate_close(&g);
	gate_close(&g);
	gate_open(&g);
	gate_open(&g);
	assert_false(gate_try_enter(&g));
	gate_open(&g);
	assert_true(gate_try_enter(&g));
	gate_exit(&g);
}

/* A failed attempt leaves no trace: the next one after opening succeeds. */
static ASSERTED void turned_away_leaves_no_mark(void **state)
{
	struct gate g;

	(void)state;
	gate_init(&g);
	for (int i = 0; i < 3; i++)
		assert_false(gate_try_enter(&g));
	assert_int_equal(g.held, 0);
	gate_open(&g);
	assert_true(gate_try_enter(&g));
	gate_exit(&g);
}

#define VISITORS 3

static struct {
	struct gate gate;
	uint64_t inside; /* plain: guarded by the gate alone */
	uint64_t visits[VISITORS];
	uint32_t stop;
} shared;

static ASSERTED void *visit(void *arg)
{
	uint64_t *visits = arg;

	while (__atomic_load_n(&shared.stop, __ATOMIC_RELAXED) == 0) {
		bool in = visits == &shared.visits[0] ? gate_try_enter(&shared.gate) :
							gate_enter(&shared.gate);

		if (!in) {
			sched_yield();
			continue;
		}
		shared.inside++;
		__atomic_fetch_add(visits, 1, __ATOMIC_RELAXED);
		gate_exit(&shared.gate);
	}
	return NULL;
}

static void nobody_is_inside_a_closed_gate(void **state)
{
	pthread_t threads[VISITORS];
	uint64_t by_control = 0, sum = 0;

	(void)state;
	gate_init(&shared.gate);
	for (int i = 0; i < VISITORS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, visit, &shared.visits[i]), 0);
	gate_open(&shared.gate);
	for (int i = 0; i < 2000; i++) {
		uint64_t before;

		gate_close(&shared.gate);
		before = shared.inside;
		shared.inside++;
		by_control++;
		if (i % 64 == 0)
			sched_yield();
		assert_int_equal(shared.inside, before + 1);
		gate_open(&shared.gate);
		if (i % 16 == 0)
			sched_yield();
	}
	/* Let each visitor in at least once before they are stopped. */
	for (int i = 0; i < VISITORS; i++)
		while (__atomic_load_n(&shared.visits[i], __ATOMIC_RELAXED) == 0)
			usleep(100);
	__atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < VISITORS; i++) {
		pthread_join(threads[i], NULL);
		sum += shared.visits[i];
	}
	assert_int_equal(shared.inside, sum + by_control);
}

static void *close_from_outside(void *arg)
{
	uint32_t *closed = arg;

	gate_close(&shared.gate);
	__atomic_store_n(closed, 1, __ATOMIC_RELEASE);
	return NULL;
}

static ASSERTED void closing_waits_for_the_visitor(void **state)
{
	pthread_t thread;
	uint32_t closed = 0;

	(void)state;
	gate_init(&shared.gate);
	gate_open(&shared.gate);
	assert_true(gate_enter(&shared.gate));
	assert_int_equal(pthread_create(&thread, NULL, close_from_outside, &closed), 0);
	while (!gate_is_closed(&shared.gate))
		sched_yield();
	usleep(10000);
	assert_int_equal(__atomic_load_n(&closed, __ATOMIC_ACQUIRE), 0);
	gate_exit(&shared.gate);
	pthread_join(thread, NULL);
	assert_int_equal(closed, 1);
	assert_false(gate_try_enter(&shared.gate));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_closed),
		cmocka_unit_test(one_visitor_at_a_time),
		cmocka_unit_test(closing_nests),
		cmocka_unit_test(turned_away_leaves_no_mark),
		cmocka_unit_test(nobody_is_inside_a_closed_gate),
		cmocka_unit_test(closing_waits_for_the_visitor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
