/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory/sigbus.c: a file that gets shorter under its mapping costs the mapping, also when several
 * threads touch it; what is not about a watched mapping goes to whoever was there before.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory/filemap.h"
#include "tap.h"

#define PAGE 4096u
#define PAGES 16u

static void map_file(struct filemap *m, int *fd)
{
	*fd = memfd_create("unit", MFD_CLOEXEC);
	CHECK(*fd >= 0);
	CHECK_EQ(ftruncate(*fd, PAGES * PAGE), 0);
	CHECK_EQ(filemap_open(m, *fd, 100, PAGES * PAGE - 100, "test", NULL), 0);
}

/* A byte of the mapping, in the pages that is `i`-th from its start. */
static volatile uint8_t *byte_of(const struct filemap *m, unsigned int page)
{
	return (volatile uint8_t *)m->mmap_addr + page * PAGE + 200;
}

static void a_cut_file_reads_as_zeros(void)
{
	struct filemap cut, whole;
	int fd, whole_fd;

	map_file(&cut, &fd);
	map_file(&whole, &whole_fd);
	for (unsigned int i = 0; i < PAGES; i++)
		*byte_of(&cut, i) = *byte_of(&whole, i) = (uint8_t)(i + 1);
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	/* What is still there, is. */
	CHECK_EQ(*byte_of(&cut, 1), 2);
	CHECK(!filemap_is_cut(&cut));
	errno = 77;
	CHECK_EQ(*byte_of(&cut, 9), 0);
	CHECK_EQ(errno, 77);
	CHECK(filemap_is_cut(&cut));
	for (unsigned int i = 0; i < PAGES; i++) {
		CHECK_EQ(*byte_of(&cut, i), 0);
		*byte_of(&cut, i) = 0xaa; /* goes nowhere */
		CHECK_EQ(*byte_of(&whole, i), i + 1);
	}
	CHECK(!filemap_is_cut(&whole));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 2 * PAGE);
	filemap_close(&cut);
	filemap_close(&whole);
	close(fd);
	close(whole_fd);
}

static void a_write_beyond_the_end_goes_nowhere(void)
{
	struct filemap m;
	uint8_t byte = 1;
	int fd;

	map_file(&m, &fd);
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	*byte_of(&m, 5) = 7;
	CHECK(filemap_is_cut(&m));
	/* And if the file grows again, it is not ours. */
	CHECK_EQ(ftruncate(fd, PAGES * PAGE), 0);
	*byte_of(&m, 5) = 8;
	CHECK_EQ(pread(fd, &byte, 1, 5 * PAGE + 200), 1);
	CHECK_EQ(byte, 0);
	filemap_close(&m);
	close(fd);
}

static void *touch_all(void *arg)
{
	const struct filemap *m = arg;

	for (unsigned int round = 0; round < 200; round++)
		for (unsigned int i = 0; i < PAGES; i++)
			*byte_of(m, i) = (uint8_t)round;
	return NULL;
}

static void many_threads_fall_at_once(void)
{
	for (unsigned int round = 0; round < 50; round++) {
		pthread_t threads[4];
		struct filemap m;
		int fd;

		map_file(&m, &fd);
		for (unsigned int i = 0; i < ARRAY_LEN(threads); i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, touch_all, &m), 0);
		CHECK_EQ(ftruncate(fd, 0), 0);
		for (unsigned int i = 0; i < ARRAY_LEN(threads); i++)
			pthread_join(threads[i], NULL);
		(void)*byte_of(&m, 0);
		CHECK(filemap_is_cut(&m));
		filemap_close(&m);
		close(fd);
	}
}

/* A place that was watched is not any more once it is closed. */
static void places_are_used_again(void)
{
	struct filemap m;
	int fd, first;

	map_file(&m, &fd);
	first = m.watch;
	for (unsigned int i = 0; i < 20000; i++) {
		filemap_close(&m);
		close(fd);
		map_file(&m, &fd);
		CHECK_EQ(m.watch, first);
		CHECK(!filemap_is_cut(&m));
	}
	filemap_close(&m);
	close(fd);
}

/* How a child ends that touches memory which nobody watches. */
static int ends_with(void (*before)(void))
{
	int fd = memfd_create("unit", MFD_CLOEXEC), status;
	struct filemap m;
	pid_t child;

	CHECK_EQ(ftruncate(fd, PAGE), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		volatile uint8_t *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		int other;

		before();
		map_file(&m, &other);
		(void)ftruncate(fd, 0);
		_exit(*at);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	close(fd);
	return status;
}

static void exit_33(int number)
{
	(void)number;
	_exit(33);
}

static void exit_44(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	_exit(info->si_addr != NULL ? 44 : 45);
}

static void as_by_default(void)
{
	(void)signal(SIGBUS, SIG_DFL);
}

static void with_a_handler(void)
{
	(void)signal(SIGBUS, exit_33);
}

static void with_a_handler_that_wants_to_know(void)
{
	const struct sigaction action = { .sa_sigaction = exit_44, .sa_flags = SA_SIGINFO };

	(void)sigaction(SIGBUS, &action, NULL);
}

/* First of all: in this process nothing is watched yet, so each child installs for itself. */
static void other_faults_are_not_ours(void)
{
	int status;

	status = ends_with(as_by_default);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = ends_with(with_a_handler);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 33);
	status = ends_with(with_a_handler_that_wants_to_know);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 44);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(other_faults_are_not_ours),
		TAP_TEST(a_cut_file_reads_as_zeros),
		TAP_TEST(a_write_beyond_the_end_goes_nowhere),
		TAP_TEST(many_threads_fall_at_once),
		TAP_TEST(places_are_used_again),
	};

	tap_begin();
	return tap_run(tests, ARRAY_LEN(tests), argc > 1 ? argv[1] : NULL, NULL, NULL);
}
