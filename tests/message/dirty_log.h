/* SPDX-License-Identifier: BSD-3-Clause */
/* A dirty log for the tests of the messages that have to do with it. */
#ifndef MESSAGE_DIRTY_LOG_H
#define MESSAGE_DIRTY_LOG_H

#include "meaning.h"

#define LOG_PAGE DIRTY_LOG_PAGE_BYTES
/* For the 2 MiB that a session's guest has. */
#define LOG_BYTES (UINT64_C(2) * 1024 * 1024 / LOG_PAGE / 8)

static inline int log_base(int fd, uint64_t size, uint64_t offset)
{
	struct vhu_log log = { .size_bytes = size, .offset_bytes = offset };

	return session_send(&s, VHU_SET_LOG_BASE, &log, sizeof(log), &fd, 1);
}

static inline int log_ring(uint32_t index, uint32_t flags, uint64_t at)
{
	struct vhu_vring_addr addr = session_addr_of(&s, index);

	addr.flags = flags;
	addr.log = at;
	return session_send(&s, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

#endif
