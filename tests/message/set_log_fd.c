/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_LOG_FD: an eventfd that is told when a page has become dirty. */
#include <fcntl.h>

#include "dirty_log.h"

static int log_fd(int fd)
{
	return session_send(&s, VHU_SET_LOG_FD, NULL, 0, &fd, 1);
}

static void kept_and_replaced(void **state)
{
	unsigned int fds;
	int event = eventfd(0, EFD_CLOEXEC);

	(void)state;
	session_negotiate(&s);
	fds = kit_open_fds();
	assert_int_equal(log_fd(event), 0);
	assert_int_equal(kit_open_fds(), fds + 1);
	assert_true((fcntl(s.dev->log_fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(log_fd(event), 0);
	assert_int_equal(kit_open_fds(), fds + 1);
	close(event);
}

static void eventfd_only(void **state)
{
	int pipe_fds[2];

	(void)state;
	session_negotiate(&s);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_true(log_fd(pipe_fds[1]) < 0);
	assert_true(log_fd(s.mem.regions[0].fd) < 0);
	assert_int_equal(s.dev->log_fd, -1);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* Before the log or after it; once a publish at the most, and only with news. */
static void told_of_news(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd = kit_memfd(LOG_PAGE);
	eventfd_t count;
	struct ring *vr;

	(void)state;
	session_setup(&s, 2);
	assert_int_equal(log_fd(event), 0);
	assert_int_equal(log_base(fd, LOG_BYTES, 0), 0);
	assert_int_equal(log_ring(0, VHU_VRING_ADDR_F_LOG, 0), 0);
	vr = &session_vq(&s, 0)->ring;
	ring_used_push(RING_SPLIT, vr, CHAIN_WRITABLE, &(struct used){ 0 }, 1);
	ring_publish(RING_SPLIT, vr);
	assert_int_equal(eventfd_read(event, &count), 0);
	assert_int_equal(count, 1);
	ring_used_push(RING_SPLIT, vr, CHAIN_WRITABLE, &(struct used){ 0 }, 1);
	ring_publish(RING_SPLIT, vr);
	assert_int_equal(eventfd_read(event, &count), -1);
	/* A log of its own has news of its own. */
	close(event);
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(log_base(fd, LOG_BYTES, LOG_BYTES), 0);
	assert_int_equal(log_fd(event), 0);
	ring_kick_enable(RING_SPLIT, vr, true);
	assert_int_equal(eventfd_read(event, &count), 0);
	close(event);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kept_and_replaced),
		TEST(eventfd_only),
		TEST(told_of_news),
	};

	return RUN(tests);
}
