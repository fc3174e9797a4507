/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages shown to an application's own handlers
 * (rte_vhost_extern_callback_register()).
 */
#ifndef VHOST_NG_EXTERN_H
#define VHOST_NG_EXTERN_H

#include "device/device.h"
#include "wire.h"

/*
 * Shows `msg` and the descriptors that came with it to a handler, which may be
 * NULL, without the device's lock. For RTE_VHOST_MSG_RESULT_REPLY, `reply` has
 * what it wrote (and may be `msg`). Descriptors that it took are -1 in `fds`.
 * Handlers have the layout of DPDK 22.11: what is larger (only the later form of
 * CREATE_CRYPTO_SESSION is) they do not see, neither as a message nor as a reply.
 */
enum rte_vhost_msg_result vhu_extern_show(struct device *dev, rte_vhost_msg_handle handler,
					  const struct vhu_msg *msg, struct fdbag *fds,
					  struct vhu_msg *reply);

#endif
