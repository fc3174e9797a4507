/* SPDX-License-Identifier: BSD-3-Clause */
/* The dirty log alone: which mappings are accepted, which bits a mark sets. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kit.h"
#include "memory/dirty_log.h"

#define PAGE DIRTY_LOG_PAGE_BYTES
#define FILE_BYTES (3 * PAGE)

static struct dirty_log *map(uint64_t size, uint64_t offset)
{
	struct dirty_log *log = NULL;
	int fd = kit_memfd(FILE_BYTES);

	assert_int_equal(dirty_log_map(fd, size, offset, &log), 0);
	close(fd);
	return log;
}

static uint8_t *bits(const struct dirty_log *log)
{
	return kit_host(log->map.start);
}

static void log_begins_at_its_offset(void **state)
{
	static const uint64_t offsets[] = { 0, 1, 8, PAGE - 1, PAGE, PAGE + 100, 2 * PAGE };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(offsets); i++) {
		struct dirty_log *log = NULL;
		int fd = kit_memfd(FILE_BYTES);
		uint8_t got;

		assert_int_equal(dirty_log_map(fd, 100, offsets[i], &log), 0);
		assert_true(dirty_log_mark(log, gpa(0), 1));
		assert_true(dirty_log_mark(log, gpa(799 * PAGE), 1));
		assert_int_equal(pread(fd, &got, 1, (off_t)offsets[i]), 1);
		assert_int_equal(got, 0x01);
		assert_int_equal(pread(fd, &got, 1, (off_t)offsets[i] + 99), 1);
		assert_int_equal(got, 0x80);
		dirty_log_unmap(log);
		close(fd);
	}
}

static void senseless_logs(void **state)
{
	static const struct {
		uint64_t size, offset;
		int error;
	} rows[] = {
		{ 0, 0, -EINVAL },
		{ 0, PAGE, -EINVAL },
		{ PAGE, UINT64_MAX - 10, -EINVAL },
		{ PAGE, UINT64_MAX - PAGE + 1, -EINVAL }, /* CVE-2020-10722: the sum is 0 */
		{ UINT64_MAX, 1, -EINVAL },
		{ UINT64_MAX, 0, -ENXIO },
		{ UINT64_C(1) << 63, 0, -ENXIO },
		{ FILE_BYTES + 1, 0, -ENXIO },
		{ FILE_BYTES, 1, -ENXIO },
		{ 1, FILE_BYTES, -ENXIO },
		{ PAGE, UINT64_C(1) << 63, -ENXIO },
	};
	unsigned int fds = kit_open_fds();
	int fd = kit_memfd(FILE_BYTES);

	(void)state;
	kit_capture_log();
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		struct dirty_log *log = NULL;

		assert_int_equal(dirty_log_map(fd, rows[i].size, rows[i].offset, &log),
				 rows[i].error);
		assert_null(log);
	}
	close(fd);
	assert_int_equal(kit_open_fds(), fds);
}

static void only_files_that_can_be_shared(void **state)
{
	struct dirty_log *log = NULL;
	int pipe_fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	kit_capture_log();
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(dirty_log_map(pipe_fds[1], 1, 0, &log), -ENOTSUP);
	assert_int_equal(dirty_log_map(null, 1, 0, &log), -ENOTSUP);
	close(null);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* First and last byte of the range decide, and no bit beside theirs is touched. */
static void marks_pages_and_no_others(void **state)
{
	static const struct {
		uint64_t addr, len;
		unsigned int first, count;
	} rows[] = {
		{ 0, 1, 0, 1 },
		{ PAGE - 1, 1, 0, 1 },
		{ PAGE - 1, 2, 0, 2 },
		{ PAGE, PAGE, 1, 1 },
		{ PAGE, PAGE + 1, 1, 2 },
		{ 7 * PAGE + 5, 2 * PAGE, 7, 3 },
		{ 15 * PAGE, 33 * PAGE, 15, 33 },
		{ 0, 800 * PAGE, 0, 800 },
		{ 799 * PAGE, PAGE, 799, 1 },
		{ 5, 0, 0, 0 },
		/* Not covered to the last byte: dropped whole. */
		{ 799 * PAGE, PAGE + 1, 0, 0 },
		{ 800 * PAGE, 1, 0, 0 },
		{ 0, UINT64_MAX, 0, 0 },
		{ UINT64_MAX, 1, 0, 0 },
		{ UINT64_MAX, 2, 0, 0 },
		{ UINT64_MAX - PAGE, 2 * PAGE, 0, 0 },
		{ 3 * PAGE, UINT64_MAX - PAGE, 0, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		struct dirty_log *log = map(100, 10);

		assert_int_equal(dirty_log_mark(log, gpa(rows[i].addr), rows[i].len),
				 rows[i].count != 0);
		for (unsigned int page = 0; page < 100 * 8; page++)
			assert_int_equal(bits(log)[page / 8] >> page % 8 & 1,
					 page - rows[i].first < rows[i].count);
		for (unsigned int at = 0; at < PAGE - 110; at++)
			assert_int_equal(bits(log)[100 + at], 0);
		for (unsigned int at = 1; at <= 10; at++)
			assert_int_equal(bits(log)[-(int)at], 0);
		dirty_log_unmap(log);
	}
}

static void news_are_pages_that_were_clean(void **state)
{
	struct dirty_log *log = map(PAGE, 0);

	(void)state;
	assert_true(dirty_log_mark(log, gpa(3 * PAGE), 2 * PAGE));
	assert_false(dirty_log_mark(log, gpa(3 * PAGE), 1));
	assert_false(dirty_log_mark(log, gpa(4 * PAGE + 100), 5));
	assert_true(dirty_log_mark(log, gpa(4 * PAGE), PAGE + 1));
	bits(log)[0] = 0; /* the frontend takes them */
	assert_true(dirty_log_mark(log, gpa(3 * PAGE), 1));
	assert_int_equal(bits(log)[0], 1u << 3);
	dirty_log_unmap(log);
}

static void tells_its_eventfd(void **state)
{
	struct dirty_log *log = map(PAGE, 0);
	eventfd_t count;

	(void)state;
	dirty_log_tell(log); /* nobody */
	log->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	dirty_log_tell(log);
	dirty_log_tell(log);
	assert_int_equal(eventfd_read(log->event_fd, &count), 0);
	assert_int_equal(count, 2);
	close(log->event_fd);
	dirty_log_unmap(log);
}

#define THREADS 4
#define ROUNDS 20000

struct marker {
	struct dirty_log *log;
	unsigned int number;
};

/* Each marks its own bits, two in every byte. */
static void *mark_own(void *arg)
{
	const struct marker *m = arg;

	for (unsigned int i = 0; i < ROUNDS; i++)
		for (unsigned int page = m->number; page < 64; page += THREADS)
			dirty_log_mark(m->log, gpa((uint64_t)page * PAGE), 1);
	return NULL;
}

/* The frontend takes bits while we set others beside them: none is lost. */
static void threads_lose_no_bits_of_each_other(void **state)
{
	struct marker markers[THREADS];
	pthread_t threads[THREADS];
	struct dirty_log *log = map(8, 0);

	(void)state;
	for (unsigned int i = 0; i < THREADS; i++) {
		markers[i] = (struct marker){ log, i };
		assert_int_equal(pthread_create(&threads[i], NULL, mark_own, &markers[i]), 0);
	}
	for (unsigned int i = 0; i < ROUNDS; i++)
		__atomic_exchange_n(&bits(log)[i % 8], 0, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* Once more, without the taker: all there. */
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mark_own, &markers[i]), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(bits(log)[i], 0xff);
	dirty_log_unmap(log);
}

/* One page for the payload, and a frontend that takes the bit and then reads it. */
static struct dirty_log *race_log;
static uint64_t race_page;
static bool race_done;

static void *write_and_mark(void *arg)
{
	(void)arg;
	for (uint64_t i = 1; i <= 200000; i++) {
		__atomic_store_n(&race_page, i, __ATOMIC_RELAXED);
		dirty_log_fence();
		dirty_log_mark(race_log, gpa(0), 8);
	}
	__atomic_store_n(&race_done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* What was written last is what a frontend has that sends a page whenever its bit is set. */
static void what_was_written_last_is_sent(void **state)
{
	uint64_t sent = 0;
	pthread_t writer;

	(void)state;
	race_log = map(8, 0);
	race_done = false;
	assert_int_equal(pthread_create(&writer, NULL, write_and_mark, NULL), 0);
	for (bool last = false;;) {
		if (__atomic_exchange_n(&bits(race_log)[0], 0, __ATOMIC_SEQ_CST) != 0)
			sent = __atomic_load_n(&race_page, __ATOMIC_RELAXED);
		else if (last)
			break;
		last = __atomic_load_n(&race_done, __ATOMIC_ACQUIRE);
	}
	pthread_join(writer, NULL);
	assert_int_equal(sent, 200000);
	dirty_log_unmap(race_log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_begins_at_its_offset),
		cmocka_unit_test(senseless_logs),
		cmocka_unit_test(only_files_that_can_be_shared),
		cmocka_unit_test(marks_pages_and_no_others),
		cmocka_unit_test(news_are_pages_that_were_clean),
		cmocka_unit_test(tells_its_eventfd),
		cmocka_unit_test(threads_lose_no_bits_of_each_other),
		cmocka_unit_test(what_was_written_last_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
