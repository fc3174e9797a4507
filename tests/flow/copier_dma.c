/* SPDX-License-Identifier: BSD-3-Clause */
/* A DMA device copies; see copier.h. */
#define RTE_VHOST_ASYNC_DMADEV

#include "copier.h"

#include <rte_debug.h>
#include <rte_vhost.h>
#include <rte_vhost_async.h>

#include "dma.h"
#include "flow.h"

const bool copier_is_cpu = false;
const uint64_t copier_driver_flags = RTE_VHOST_USER_ASYNC_COPY;

void
copier_init(void)
{
	flow_vdev = DMA_VDEV;
}

void
copier_attach(int vid)
{
	if (rte_vhost_async_dma_configure(dma_device(), 0) != 0)
		rte_panic("the library does not take the DMA channel\n");
	for (uint16_t queue_id = 0; queue_id < 2; queue_id++)
		if (rte_vhost_async_channel_register(vid, queue_id) != 0)
			rte_panic("queue %u does not get a channel\n", queue_id);
}

struct collection {
	int vid;
	uint16_t queue_id;
	struct rte_mbuf **pkts;
	uint16_t got, count;
};

static bool
collected(void *arg)
{
	struct collection *c = arg;

	/* Of both kinds of queue, this starts nothing. */
	c->got += rte_vhost_clear_queue(c->vid, c->queue_id, c->pkts + c->got,
					(uint16_t)(c->count - c->got), dma_device(), 0);
	return c->got == c->count;
}

static void
collect(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count)
{
	struct collection c = {.vid = vid, .queue_id = queue_id, .pkts = pkts, .count = count};

	if (count == 0)
		return;
	if (!flow_wait_until(collected, &c, 20000))
		rte_panic("of %u packets in flight %u came back\n", count, c.got);
	if (rte_vhost_async_get_inflight(vid, queue_id) != 0)
		rte_panic("%d packets are in flight, all came back\n",
			  rte_vhost_async_get_inflight(vid, queue_id));
}

uint16_t
copier_enqueue(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count)
{
	uint16_t taken = rte_vhost_submit_enqueue_burst(vid, queue_id, pkts, count, dma_device(), 0);
	struct rte_mbuf *back[COPIER_BURST];

	RTE_VERIFY(taken <= RTE_DIM(back));
	collect(vid, queue_id, back, taken);
	for (uint16_t i = 0; i < taken; i++)
		if (back[i] != pkts[i])
			rte_panic("packet %u of %u came back out of order\n", i, taken);
	return taken;
}

uint16_t
copier_dequeue(int vid, uint16_t queue_id, struct rte_mempool *pool, struct rte_mbuf **pkts,
	       uint16_t count)
{
	int inflight = 0;
	uint16_t got;

	/* Difference: the stock library crashes with more, from a packed ring. */
	if (is_stock && count > STOCK_BURST)
		count = STOCK_BURST;
	got = rte_vhost_async_try_dequeue_burst(vid, queue_id, pool, pkts, count, &inflight,
						dma_device(), 0);
	if (inflight > 0)
		collect(vid, queue_id, pkts + got, (uint16_t)inflight);
	return (uint16_t)(got + (inflight > 0 ? inflight : 0));
}
