/* SPDX-License-Identifier: BSD-3-Clause */
/* What SET_VRING_KICK, CALL and ERR have in common; each of their tests includes it. */
#ifndef MESSAGE_EVENTFDS_H
#define MESSAGE_EVENTFDS_H

#include <fcntl.h>

#include "meaning.h"

/* Where the message under test puts its descriptor. */
static int *slot_of(struct vq *vq);

static void check_kept_and_replaced(uint32_t request)
{
	unsigned int fds = kit_open_fds();
	int event = eventfd(0, EFD_CLOEXEC), first;

	assert_int_equal(session_fd(&s, request, 0, event), 0);
	first = *slot_of(session_vq(&s, 0));
	assert_true(first >= 0);
	assert_int_equal(kit_open_fds(), fds + 2);
	/* The old one is closed when a new one comes, or none. */
	assert_int_equal(session_fd(&s, request, 0, event), 0);
	assert_int_equal(kit_open_fds(), fds + 2);
	assert_int_equal(session_fd(&s, request, 0, -1), 0);
	assert_int_equal(*slot_of(session_vq(&s, 0)), EVENTFD_NONE);
	assert_int_equal(kit_open_fds(), fds + 1);
	/* Ours must never block, whatever the frontend's flags are. */
	assert_int_equal(session_fd(&s, request, 0, event), 0);
	assert_true((fcntl(*slot_of(session_vq(&s, 0)), F_GETFL) & O_NONBLOCK) != 0);
	close(event);
}

/* Anything else could block us, or be a file that we would write to. */
static void check_eventfd_only(uint32_t request)
{
	int pipe_fds[2], pair[2];
	int wrong[4];

	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	wrong[0] = pipe_fds[1];
	wrong[1] = pair[0];
	wrong[2] = s.mem.regions[0].fd;
	wrong[3] = open("/dev/null", O_RDWR);
	for (unsigned int i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_true(session_fd(&s, request, 0, wrong[i]) < 0);
		assert_int_equal(*slot_of(session_vq(&s, 0)), EVENTFD_UNSET);
	}
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(pair[0]);
	close(pair[1]);
	close(wrong[3]);
}

/* "No descriptor" and a descriptor, or neither. */
static void check_flag_and_descriptor_agree(uint32_t request)
{
	uint64_t with = 0, without = VHU_VRING_NOFD;
	int event = eventfd(0, EFD_CLOEXEC);

	assert_true(session_send(&s, request, &with, sizeof(with), NULL, 0) < 0);
	assert_true(session_send(&s, request, &without, sizeof(without), &event, 1) < 0);
	close(event);
}

#endif
