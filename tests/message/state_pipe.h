/* SPDX-License-Identifier: BSD-3-Clause */
/* The two ends of a device's state: what the tests of its messages share. */
#ifndef MESSAGE_STATE_PIPE_H
#define MESSAGE_STATE_PIPE_H

#include <signal.h>

#include "device/state.h"
#include "meaning.h"

#define ROOM_BYTES (STATE_BYTES_MAX + 100)

struct state_bytes {
	uint8_t raw[ROOM_BYTES];
	ssize_t size;
};

/* The answer to SET_DEVICE_STATE_FD; what came with it is in s.reply_fd. */
static uint64_t ask(uint32_t direction, uint32_t phase)
{
	struct vhu_state_transfer t = { .direction = direction, .phase = phase };
	int fd = eventfd(0, EFD_CLOEXEC); /* whatever: ours is used instead */

	assert_int_equal(session_send(&s, VHU_SET_DEVICE_STATE_FD, &t, sizeof(t), &fd, 1), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	close(fd);
	return s.reply.payload.u64;
}

static uint64_t check(void)
{
	assert_int_equal(session_empty(&s, VHU_CHECK_DEVICE_STATE), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	return s.reply.payload.u64;
}

static struct state_bytes saved(void)
{
	struct state_bytes b;

	assert_int_equal(ask(VHU_STATE_SAVE, VHU_PHASE_STOPPED), 0);
	assert_true(s.reply_fd >= 0);
	b.size = read(s.reply_fd, b.raw, sizeof(b.raw));
	assert_true(b.size > 0);
	assert_int_equal(read(s.reply_fd, b.raw + b.size, 1), 0); /* then the end */
	assert_int_equal(check(), 0);
	fd_close(&s.reply_fd);
	return b;
}

/* What CHECK_DEVICE_STATE says about these bytes. */
static inline uint64_t loaded(const void *raw, size_t size)
{
	assert_int_equal(ask(VHU_STATE_LOAD, VHU_PHASE_STOPPED), 0);
	assert_true(s.reply_fd >= 0);
	assert_int_equal(write(s.reply_fd, raw, size), (ssize_t)size);
	fd_close(&s.reply_fd);
	return check();
}

#endif
