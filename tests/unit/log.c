/* SPDX-License-Identifier: BSD-3-Clause */
/* base/log.c: the sink, and the budget that keeps a hostile peer from filling a disk. */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/defs.h"
#include "base/log.h"
#include "kit.h"

static int setup(void **state)
{
	(void)state;
	kit_capture_log();
	return 0;
}

static void lines_reach_the_sink_formatted(void **state)
{
	(void)state;
	LOG_ERR("queue %u: %s", 7, "bad");
	assert_string_equal(kit_last_line, "queue 7: bad");
	LOG_DBG("%d%%", 50);
	assert_string_equal(kit_last_line, "50%");
	assert_int_equal(kit_lines, 2);
}

/* Starts early in a second, so that what follows falls into one. */
static void align_to_second(void)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (now.tv_nsec > 500000000);
}

static void budget_holds_back(void **state)
{
	struct log_budget budget = { 0 };
	struct log_budget *outer;

	(void)state;
	align_to_second();
	outer = log_scope_enter(&budget);
	for (int i = 0; i < 1000; i++)
		LOG_ERR("line %d", i);
	log_scope_leave(outer);
	assert_int_equal(kit_lines, LOG_BUDGET_LINES);
	assert_string_equal(kit_last_line, "line 9");
	assert_int_equal(budget.dropped, 1000 - LOG_BUDGET_LINES);
	/* Outside the scope nothing is held back. */
	LOG_ERR("free");
	assert_string_equal(kit_last_line, "free");
}

static void next_second_says_how_many_were_lost(void **state)
{
	struct log_budget budget = { 0 };
	struct log_budget *outer = log_scope_enter(&budget);

	(void)state;
	align_to_second();
	for (int i = 0; i < 25; i++)
		LOG_ERR("line %d", i);
	kit_lines = 0;
	/* As if that had been a second ago. */
	budget.second--;
	LOG_ERR("again");
	log_scope_leave(outer);
	assert_int_equal(kit_lines, 2);
	assert_string_equal(kit_last_line, "again");
	assert_int_equal(budget.dropped, 0);
	assert_int_equal(budget.used, 1);
}

static void scopes_nest(void **state)
{
	struct log_budget a = { 0 }, b = { 0 };
	struct log_budget *outer, *middle;

	(void)state;
	align_to_second();
	outer = log_scope_enter(&a);
	assert_null(outer);
	for (int i = 0; i < 20; i++)
		LOG_ERR("a");
	middle = log_scope_enter(&b);
	assert_ptr_equal(middle, &a);
	LOG_ERR("b");
	assert_string_equal(kit_last_line, "b");
	log_scope_leave(middle);
	LOG_ERR("a again");
	assert_string_equal(kit_last_line, "b");
	log_scope_leave(outer);
	LOG_ERR("out");
	assert_string_equal(kit_last_line, "out");
	assert_int_equal(b.used, 1);
}

static void *log_elsewhere(void *arg)
{
	(void)arg;
	LOG_ERR("elsewhere");
	return NULL;
}

static void scopes_belong_to_a_thread(void **state)
{
	struct log_budget budget = { 0 };
	struct log_budget *outer = log_scope_enter(&budget);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, log_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	log_scope_leave(outer);
	assert_string_equal(kit_last_line, "elsewhere");
	assert_int_equal(budget.used, 0);
}

/* The default sink: standard error, nothing below INFO. */
static void default_sink_is_stderr(void **state)
{
	char text[256] = { 0 };
	int pipe_fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	LOG_INFO("%s said", "info");
	LOG_DBG("debug stays quiet");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipe_fds[1]);
	n = read(pipe_fds[0], text, sizeof(text) - 1);
	close(pipe_fds[0]);
	assert_true(n > 0);
	assert_string_equal(text, "vhost-ng: info said\n");
}

static void alignment_helpers(void **state)
{
	uint64_t out = 7;

	(void)state;
	assert_true(align_up(0, 4096, &out));
	assert_int_equal(out, 0);
	assert_true(align_up(1, 4096, &out));
	assert_int_equal(out, 4096);
	assert_true(align_up(4096, 4096, &out));
	assert_int_equal(out, 4096);
	assert_false(align_up(UINT64_MAX - 4094, 4096, &out));
	assert_true(align_up(UINT64_MAX - 4095, 4096, &out));
	assert_int_equal(align_down(4097, 4096), 4096);
	assert_false(is_pow2(0));
	assert_true(is_pow2(1));
	assert_false(is_pow2(3));
	assert_true(is_pow2(UINT64_C(1) << 63));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_sink_is_stderr), /* before any other sets a sink */
		cmocka_unit_test_setup(lines_reach_the_sink_formatted, setup),
		cmocka_unit_test_setup(budget_holds_back, setup),
		cmocka_unit_test_setup(next_second_says_how_many_were_lost, setup),
		cmocka_unit_test_setup(scopes_nest, setup),
		cmocka_unit_test_setup(scopes_belong_to_a_thread, setup),
		cmocka_unit_test(alignment_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
