/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The library's own engines in the form of the guide's ops tables, for
 * applications that do not want to write one.
 */
#ifndef VHOST_NG_ASYNC_READY_H
#define VHOST_NG_ASYNC_READY_H

#include "copy/engine.h"

struct rte_vhost_async_channel_ops;

/*
 * The table that stands for an engine which others share (dma.h, helper.h): the
 * same one each time, and valid for ever. NULL: out of memory.
 */
struct rte_vhost_async_channel_ops *ready_ops_of(struct copy_engine *engine);

/* The engine of one of our tables, by its address; NULL: it is the application's own. */
struct copy_engine *ready_engine_of(const struct rte_vhost_async_channel_ops *ops);

#endif
