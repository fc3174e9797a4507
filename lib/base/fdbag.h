/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File descriptors that came with a message. A handler takes those it keeps;
 * the dispatcher closes the rest, so no path can leak one.
 */
#ifndef VHOST_NG_FDBAG_H
#define VHOST_NG_FDBAG_H

#include <unistd.h>

#include "defs.h"

#define FDBAG_MAX 8

struct fdbag {
	int fds[FDBAG_MAX];
	unsigned int count;
};

/* Closes *fd if it is open and marks it closed. */
static inline void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void fdbag_init(struct fdbag *bag)
{
	bag->count = 0;
}

static inline bool fdbag_put(struct fdbag *bag, int fd)
{
	if (bag->count == FDBAG_MAX)
		return false;
	bag->fds[bag->count++] = fd;
	return true;
}

/* Hands over the i-th descriptor; -1 when there is none or it was taken. */
static inline int fdbag_take(struct fdbag *bag, unsigned int i)
{
	int fd = -1;

	if (i < bag->count) {
		fd = bag->fds[i];
		bag->fds[i] = -1;
	}
	return fd;
}

static inline void fdbag_close_rest(struct fdbag *bag)
{
	for (unsigned int i = 0; i < bag->count; i++)
		fd_close(&bag->fds[i]);
	bag->count = 0;
}

#endif
