/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copy engines that are cores: an lcore that does nothing but copy for the
 * queues of others. Any number of queues and threads may share one.
 */
#ifndef VHOST_NG_ASYNC_HELPER_H
#define VHOST_NG_ASYNC_HELPER_H

#include "copy/engine.h"

/*
 * Launches the copy loop: 0, -EINVAL (not a worker lcore of this process), -EBUSY
 * (it runs something, perhaps this) or -ENOMEM; says what to change.
 */
int helper_engine_start(unsigned int lcore);

/*
 * Takes no more jobs, finishes those that are queued, and waits until the lcore
 * is free: 0, or -ENODEV (not started).
 */
int helper_engine_stop(unsigned int lcore);

/*
 * NULL if it does not run. An engine stays readable for ever: one that was stopped
 * in the meantime is broken, as submit() says, until it is started again.
 */
struct copy_engine *helper_engine_of(unsigned int lcore);

#endif
