/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests that we send to the frontend, on the socket it gave us with
 * SET_BACKEND_REQ_FD. Any thread.
 */
#ifndef VHOST_NG_BACKEND_H
#define VHOST_NG_BACKEND_H

#include "device/device.h"

/* How long a frontend may take to answer. */
#define BACKEND_REPLY_TIMEOUT_MS 1000

/*
 * "The configuration space changed." With `need_reply` waits for the answer.
 * Returns 0, -ENOTSUP (not negotiated), -ENOTCONN (no socket), -ETIMEDOUT,
 * -EPROTO (refused, or no sense in the answer), or what the socket said.
 */
int vhu_backend_config_change(struct device *dev, bool need_reply);

/* Where the doorbell of a queue is, for the frontend to map it into the guest. */
struct vhu_notifier {
	int fd;
	uint64_t offset_bytes;
	uint64_t size_bytes;
};

/* The same returns; waits for the answer. */
int vhu_backend_map_notifier(struct device *dev, unsigned int index, const struct vhu_notifier *n);
int vhu_backend_unmap_notifier(struct device *dev, unsigned int index, bool need_reply);

/* What a queue misses in the IOTLB. */
struct vhu_asks {
	unsigned int count;
	struct ring_miss list[RING_MISSES_MAX];
};

/*
 * Asks for translations, and reports where access was refused. Never waits; the
 * caller has dev->backend_lock. Returns 0, -ENOTCONN (no socket), -EAGAIN (the
 * frontend does not read), or what the socket said.
 */
int vhu_backend_ask(struct device *dev, const struct vhu_asks *asks);

#endif
