/* SPDX-License-Identifier: BSD-3-Clause */
/* A DMA device copies, of which the library makes functions; see ops.h. */
#include "ops.h"

#include <rte_debug.h>

#include "copier.h"
#include "dma.h"
#include "flow.h"

void
copier_init(void)
{
	flow_vdev = DMA_VDEV;
}

struct rte_vhost_async_channel_ops *
ops_of(uint16_t queue_id)
{
	struct rte_vhost_async_channel_ops *ops = rte_vhost_async_dmadev_ops(dma_device(), 0);

	(void)queue_id;
	RTE_VERIFY(ops != NULL);
	return ops;
}
