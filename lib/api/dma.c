/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DMA channels for applications of 22.11's asynchronous interface.
 */
#define RTE_VHOST_ASYNC_DMADEV
#include <rte_vhost_async.h>

#include "async/dma.h"

int rte_vhost_async_dma_configure(int16_t dma_id, uint16_t vchan_id)
{
	return dma_engine_configure(dma_id, vchan_id) == 0 ? 0 : -1;
}

int rte_vhost_async_dma_unconfigure(int16_t dma_id, uint16_t vchan_id)
{
	return dma_engine_unconfigure(dma_id, vchan_id) == 0 ? 0 : -1;
}
