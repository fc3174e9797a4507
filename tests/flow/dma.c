/* SPDX-License-Identifier: BSD-3-Clause */
/* The DMA device of the flow tests; see dma.h. */
#define RTE_VHOST_ASYNC_DMADEV

#include "dma.h"

#include <rte_debug.h>
#include <rte_dmadev.h>
#include <rte_vhost_async.h>

#include "flow.h"

static int16_t started = -1;

/* DPDK crashes if the device runs to the end. */
static void
stop(void)
{
	rte_dma_stop(started);
}

int16_t
dma_device(void)
{
	struct rte_dma_conf config = {.nb_vchans = 1};
	struct rte_dma_vchan_conf channel = {.direction = RTE_DMA_DIR_MEM_TO_MEM};
	struct rte_dma_info info;
	int id;

	if (started >= 0)
		return started;
	id = rte_dma_get_dev_id_by_name(DMA_VDEV);
	if (id < 0 || rte_dma_info_get((int16_t)id, &info) != 0)
		rte_panic("EAL made no " DMA_VDEV "\n");
	channel.nb_desc = info.max_desc;
	if (rte_dma_configure((int16_t)id, &config) != 0 ||
	    rte_dma_vchan_setup((int16_t)id, 0, &channel) != 0 || rte_dma_start((int16_t)id) != 0)
		rte_panic(DMA_VDEV " does not start\n");
	started = (int16_t)id;
	flow_at_cleanup = stop;
	return started;
}

int
dma_register(int vid, uint16_t queue_id)
{
	if (rte_vhost_async_dma_configure(dma_device(), 0) != 0)
		return -1;
	return rte_vhost_async_channel_register(vid, queue_id);
}

uint16_t
dma_submit(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count)
{
	return rte_vhost_submit_enqueue_burst(vid, queue_id, pkts, count, dma_device(), 0);
}

uint16_t
dma_poll(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count)
{
	return rte_vhost_poll_enqueue_completed(vid, queue_id, pkts, count, dma_device(), 0);
}

uint16_t
dma_clear(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count)
{
	return rte_vhost_clear_queue(vid, queue_id, pkts, count, dma_device(), 0);
}

uint16_t
dma_dequeue(int vid, uint16_t queue_id, struct rte_mempool *pool, struct rte_mbuf **pkts,
	    uint16_t count)
{
	int inflight;

	return rte_vhost_async_try_dequeue_burst(vid, queue_id, pool, pkts, count, &inflight,
						 dma_device(), 0);
}
