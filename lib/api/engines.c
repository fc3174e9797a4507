/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The library's own copy engines, for applications of the guide's asynchronous
 * interface. 22.11's way to a DMA channel is in async_dma.c: one file can have
 * only one of the two kinds of prototypes.
 */
#include <rte_vhost_async.h>

#include "async/dma.h"
#include "async/helper.h"
#include "async/ready.h"
#include "base/log.h"

static struct rte_vhost_async_channel_ops *ops_of(struct copy_engine *engine)
{
	struct rte_vhost_async_channel_ops *ops = ready_ops_of(engine);

	if (ops == NULL)
		LOG_ERR("no memory for the functions of an engine (%s)", engine->ops->name);
	return ops;
}

struct rte_vhost_async_channel_ops *rte_vhost_async_dmadev_ops(int16_t dma_id, uint16_t vchan_id)
{
	struct copy_engine *engine;

	if (dma_engine_configure(dma_id, vchan_id) != 0)
		return NULL;
	/* Given back by another thread meanwhile: not there. */
	engine = dma_engine_of(dma_id, vchan_id);
	return engine != NULL ? ops_of(engine) : NULL;
}

int rte_vhost_async_helper_start(unsigned int lcore_id)
{
	return helper_engine_start(lcore_id) == 0 ? 0 : -1;
}

int rte_vhost_async_helper_stop(unsigned int lcore_id)
{
	return helper_engine_stop(lcore_id) == 0 ? 0 : -1;
}

struct rte_vhost_async_channel_ops *rte_vhost_async_helper_ops(unsigned int lcore_id)
{
	struct copy_engine *engine = helper_engine_of(lcore_id);

	if (engine != NULL)
		return ops_of(engine);
	LOG_ERR("helper core %u: it does not run; call rte_vhost_async_helper_start() first",
		lcore_id);
	return NULL;
}
