/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The copy engine that an application brings: two functions of its own, as the
 * guide describes them. One engine serves one queue; its copies finish in order.
 */
#ifndef VHOST_NG_ASYNC_CALLBACKS_H
#define VHOST_NG_ASYNC_CALLBACKS_H

#include "copy/engine.h"

struct rte_vhost_async_channel_ops;

/*
 * Both functions must be there; they are called with this vid and queue. NULL:
 * out of memory. release() frees the engine, and forgets what is under way.
 */
struct copy_engine *callbacks_engine_new(int vid, uint16_t queue_id,
					 const struct rte_vhost_async_channel_ops *ops,
					 uint32_t threshold_bytes);

#endif
