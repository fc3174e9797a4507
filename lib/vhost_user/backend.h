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

#endif
