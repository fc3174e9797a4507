/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A few TAP helpers for test programs whose stdout also receives other people's prints (EAL logs):
 * tap_begin() keeps the real stdout for TAP and points fd 1 at stderr. A failed CHECK ends the
 * test function it is in (main thread only) and the run goes on with the next one. Header only;
 * include it from one file of a program.
 */
#ifndef HARNESS_TAP_H
#define HARNESS_TAP_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tap_test {
	const char *name;
	void (*run)(void);
};

#define TAP_TEST(function) {#function, function}

static struct {
	FILE *out;
	jmp_buf back;
	unsigned failed;
	char skip_reason[128];
} tap;

static inline void __attribute__((noreturn, format(printf, 3, 4)))
tap_fail(const char *file, int line, const char *format, ...)
{
	__builtin_va_list args;

	/* A diagnostic line of TAP: scripts/run-tests shows it beside the test that failed. */
	__builtin_va_start(args, format);
	fprintf(tap.out, "# %s:%d: ", file, line);
	vfprintf(tap.out, format, args);
	fputc('\n', tap.out);
	__builtin_va_end(args);
	longjmp(tap.back, 1);
}

static inline void __attribute__((noreturn, unused))
tap_skip(const char *reason)
{
	snprintf(tap.skip_reason, sizeof(tap.skip_reason), "%s", reason);
	longjmp(tap.back, 2);
}

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			tap_fail(__FILE__, __LINE__, "failed: %s", #condition); \
	} while (0)

/* Both sides as 64-bit integers, printed when they differ. */
#define CHECK_EQ(got, expected) \
	do { \
		int64_t tap_got = (int64_t)(got), tap_expected = (int64_t)(expected); \
		if (tap_got != tap_expected) \
			tap_fail(__FILE__, __LINE__, "%s is %lld (0x%llx), expected %lld (0x%llx)", \
				 #got, (long long)tap_got, (unsigned long long)tap_got, \
				 (long long)tap_expected, (unsigned long long)tap_expected); \
	} while (0)

#define CHECK_STR(got, expected) \
	do { \
		const char *tap_got = (got), *tap_expected = (expected); \
		if (strcmp(tap_got, tap_expected) != 0) \
			tap_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #got, tap_got, \
				 tap_expected); \
	} while (0)

static inline void
tap_begin(void)
{
	int fd = dup(STDOUT_FILENO);

	tap.out = fd < 0 ? NULL : fdopen(fd, "w");
	if (tap.out == NULL || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		abort();
	setvbuf(tap.out, NULL, _IOLBF, 0);
}

/*
 * Runs all tests, or those whose name contains argv[1]. setup and teardown may be NULL; teardown
 * runs after a failed test too. Returns what main() shall return.
 */
static inline int
tap_run(const struct tap_test *tests, unsigned nr_tests, const char *filter,
	void (*setup)(void), void (*teardown)(void))
{
	volatile unsigned number = 0; /* survives longjmp */
	unsigned planned = 0;

	for (unsigned i = 0; i < nr_tests; i++)
		planned += filter == NULL || strstr(tests[i].name, filter) != NULL;
	fprintf(tap.out, "1..%u\n", planned);
	for (unsigned i = 0; i < nr_tests; i++) {
		int how;

		if (filter != NULL && strstr(tests[i].name, filter) == NULL)
			continue;
		number = number + 1;
		fprintf(stderr, "# %s\n", tests[i].name);
		how = setjmp(tap.back);
		if (how == 0) {
			if (setup != NULL)
				setup();
			tests[i].run();
		}
		if (teardown != NULL)
			teardown();
		if (how == 2)
			fprintf(tap.out, "ok %u - %s # SKIP %s\n", number, tests[i].name,
				tap.skip_reason);
		else
			fprintf(tap.out, "%s %u - %s\n", how == 0 ? "ok" : "not ok", number,
				tests[i].name);
		tap.failed += how == 1;
	}
	return tap.failed == 0 ? 0 : 1;
}

#endif
