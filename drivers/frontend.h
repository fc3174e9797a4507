/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The other half of vhost-user: what a device asks of a backend. Blocking, with a limit. The
 * backend is another process of this host; its answers are checked for form all the same.
 */
#ifndef VHOST_NG_FRONTEND_H
#define VHOST_NG_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost_user/wire.h"

struct frontend {
	int fd; /* -1: no backend */
	bool acks; /* VHOST_USER_PROTOCOL_F_REPLY_ACK was agreed on */
	int64_t until_ms; /* then our patience ends, whatever it has answered by then */
	const bool *hurry; /* or when this is set; atomic, NULL: never */
};

/* From now on all that is said may take so long. */
void frontend_allow(struct frontend *f, int ms);

/* All return 0 or -errno; a connection on which one of them failed is of no more use. */
int frontend_connect(struct frontend *f, const char *path, int allowed_ms, const bool *hurry);
void frontend_close(struct frontend *f);
/* Asks for a number. */
int frontend_get(struct frontend *f, uint32_t request, uint64_t *value);
/* Says something; -EIO: the backend refused it, which it tells only if it acks. */
int frontend_tell(struct frontend *f, uint32_t request, const void *payload, uint32_t size_bytes,
		  const int *fds, unsigned int nr_fds);
int frontend_tell_u64(struct frontend *f, uint32_t request, uint64_t value);
/* With fd -1 the flag that says so. */
int frontend_tell_fd(struct frontend *f, uint32_t request, uint32_t index, int fd);
int frontend_tell_state(struct frontend *f, uint32_t request, uint32_t index, uint32_t num);
/* Says where the dirty log is. What it answers, before or after that, is only that it knows. */
int frontend_tell_log(struct frontend *f, const struct vhu_log *log, int fd);
/* Has the backend make an in-flight area of that many rings; `fd` is the caller's. */
int frontend_get_inflight(struct frontend *f, struct vhu_inflight *area, int *fd);
/* Returns when all that was said has been done. */
int frontend_settle(struct frontend *f);
/* Stops a ring; where it stands. */
int frontend_stop_ring(struct frontend *f, uint32_t index, uint32_t *base);

#endif
