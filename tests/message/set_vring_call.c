/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_VRING_CALL: how the guest is interrupted; none means that it polls, which is as good. */
#include <stdio.h>
#include <sys/resource.h>

#include "eventfds.h"

static int *slot_of(struct vq *vq)
{
	return &vq->callfd;
}

static void kept_and_replaced(void **state)
{
	(void)state;
	check_kept_and_replaced(VHU_SET_VRING_CALL);
}

static void eventfd_only(void **state)
{
	(void)state;
	check_eventfd_only(VHU_SET_VRING_CALL);
}

static void flag_and_descriptor_agree(void **state)
{
	(void)state;
	check_flag_and_descriptor_agree(VHU_SET_VRING_CALL);
}

static void replaced_under_a_running_queue(void **state)
{
	int other = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	eventfd_t count = 0;

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, other), 0);
	assert_string_equal(session_events(&s), "q0=0 q0=1");
	/* Whatever was told to the one before may be lost. */
	assert_int_equal(eventfd_read(other, &count), 0);
	assert_int_equal(count, 1);
	vq_signal(session_vq(&s, 0));
	assert_int_equal(eventfd_read(other, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(guest_ring_calls(&s.vqs[0]), 0);
	close(other);
}

/* --- the number that applications know ----------------------------------- */

static bool is_eventfd(int fd)
{
	char path[32], target[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       strcmp(target, "anon_inode:[eventfd]") == 0;
}

/* An application writes to the number it was told; how often was `fd` called? */
static uint64_t heard(int number, int fd)
{
	eventfd_t count = 0;

	(void)eventfd_read(fd, &count);
	assert_int_equal(eventfd_write(number, 1), 0);
	count = 0;
	(void)eventfd_read(fd, &count);
	return count;
}

/* Whatever the frontend says while the queue runs, it is the same number, and no other file. */
static void the_number_stays_while_the_queue_runs(void **state)
{
	struct vq *vq;
	int given[3], number;
	unsigned int open;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(given); i++)
		given[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	number = vq->callfd;
	open = kit_open_fds();
	for (unsigned int round = 0; round < 1000; round++) {
		unsigned int which = kit_random_below(ARRAY_LEN(given) + 1);
		bool polls = which == ARRAY_LEN(given);

		assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, polls ? -1 : given[which]),
				 0);
		assert_int_equal(vq->callfd, polls ? EVENTFD_NONE : number);
		assert_true(is_eventfd(number));
		assert_int_equal(fcntl(number, F_GETFD), FD_CLOEXEC);
		assert_true((fcntl(number, F_GETFL) & O_NONBLOCK) != 0);
		for (unsigned int i = 0; i < ARRAY_LEN(given); i++)
			assert_int_equal(heard(number, given[i]), i == which);
		assert_int_equal(kit_open_fds(), open);
	}
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(vq->callfd, EVENTFD_UNSET);
	assert_int_equal(fcntl(number, F_GETFD), -1);
	for (unsigned int i = 0; i < ARRAY_LEN(given); i++)
		close(given[i]);
}

/* Nobody reads what is written there meanwhile, and nobody else's file gets the number. */
static void the_number_is_taken_while_the_guest_polls(void **state)
{
	int files[20], number, other = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct vq *vq;

	(void)state;
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	number = vq->callfd;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, -1), 0);
	for (unsigned int i = 0; i < ARRAY_LEN(files); i++) {
		files[i] = kit_memfd(4096);
		assert_int_not_equal(files[i], number);
	}
	assert_true(is_eventfd(number));
	/* Full, and still nobody waits for a reader. */
	assert_int_equal(eventfd_write(number, UINT64_MAX - 1), 0);
	assert_int_equal(eventfd_write(number, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, other), 0);
	assert_int_equal(vq->callfd, number);
	assert_int_equal(heard(number, other), 1);
	for (unsigned int i = 0; i < ARRAY_LEN(files); i++)
		close(files[i]);
	close(other);
}

/* To hold the number takes a descriptor: without one the guest is called as before. */
static void no_descriptor_is_left(void **state)
{
	struct rlimit limit, none;
	struct vq *vq;
	int number;

	(void)state;
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	number = vq->callfd;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, -1), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(vq->callfd, number);
	assert_int_equal(heard(number, s.vqs[0].callfd), 1);
}

/* Whatever stops the queues; the end of the connection is teardown()'s. */
static void the_number_goes_when_the_queue_stops(void **state)
{
	static const uint32_t ends[] = { VHU_RESET_OWNER, VHU_RESET_DEVICE };
	unsigned int open = kit_open_fds();

	(void)state;
	for (unsigned int i = 0; i < 2 * ARRAY_LEN(ends); i++) {
		session_setup(&s, 2);
		if (i % 2 == 0)
			assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, -1), 0);
		assert_int_equal(session_empty(&s, ends[i / 2]), 0);
		for (unsigned int q = 0; q < s.dev->nr_vqs; q++)
			assert_int_equal(session_vq(&s, q)->call_number, -1);
		session_close(&s);
		session_init(&s);
		session_open(&s);
		assert_int_equal(kit_open_fds(), open);
	}
	session_setup(&s, 2);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, -1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kept_and_replaced),
		TEST(eventfd_only),
		TEST(flag_and_descriptor_agree),
		TEST(replaced_under_a_running_queue),
		TEST(the_number_stays_while_the_queue_runs),
		TEST(the_number_is_taken_while_the_guest_polls),
		TEST(no_descriptor_is_left),
		TEST(the_number_goes_when_the_queue_stops),
	};

	return RUN(tests);
}
