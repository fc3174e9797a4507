/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a whole message to a changed device and perhaps a reply. Loop thread.
 */
#ifndef VHOST_NG_DISPATCH_H
#define VHOST_NG_DISPATCH_H

#include "table.h"

/*
 * Checks and handles `msg`; every descriptor left in `fds` is closed, and
 * afterwards `fds` has those that go with the reply. Returns 1 with a reply to
 * send, 0 with none, or -errno when the connection has to go: the message was
 * refused and the frontend did not ask for an answer.
 */
int vhu_dispatch(struct device *dev, const struct vhu_msg *msg, struct fdbag *fds,
		 struct vhu_msg *reply);

/* Asks the frontend for the translations that the data path does not ask for itself. device.lock. */
void vhu_ask_for_queues(struct device *dev);

#endif
