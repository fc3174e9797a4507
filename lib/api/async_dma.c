/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK 22.11's half of rte_vhost_async.h: each call names the DMA channel.
 */
#define RTE_VHOST_ASYNC_DMADEV
#include <rte_vhost_async.h>

#include "async/dma.h"
#include "channel.h"

int rte_vhost_async_dma_configure(int16_t dma_id, uint16_t vchan_id)
{
	return dma_engine_configure(dma_id, vchan_id) == 0 ? 0 : -1;
}

int rte_vhost_async_dma_unconfigure(int16_t dma_id, uint16_t vchan_id)
{
	return dma_engine_unconfigure(dma_id, vchan_id) == 0 ? 0 : -1;
}

int rte_vhost_async_channel_register(int vid, uint16_t queue_id)
{
	return channel_register(vid, queue_id, NULL);
}

int rte_vhost_async_channel_register_thread_unsafe(int vid, uint16_t queue_id)
{
	return channel_register(vid, queue_id, NULL);
}

/* At a channel that is for these functions, with the engine that is meant? */
static struct copy_engine *begin(struct visit *v, int vid, uint16_t queue_id, int16_t dma_id,
				 uint16_t vchan_id)
{
	struct copy_engine *engine = dma_engine_of(dma_id, vchan_id);

	if (engine == NULL || !visit_try(v, vid, queue_id))
		return NULL;
	if (channel_is_dma(v->vq->pending))
		return engine;
	visit_end(v);
	return NULL;
}

uint16_t rte_vhost_submit_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
					uint16_t count, int16_t dma_id, uint16_t vchan_id)
{
	struct copy_engine *engine;
	struct visit v;
	uint16_t n;

	if (pkts == NULL || !is_to_guest(queue_id))
		return 0;
	engine = begin(&v, vid, queue_id, dma_id, vchan_id);
	if (engine == NULL)
		return 0;
	n = channel_submit(&v, engine, pkts, count);
	visit_end(&v);
	return n;
}

uint16_t rte_vhost_clear_queue(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count,
			       int16_t dma_id, uint16_t vchan_id)
{
	struct copy_engine *engine;
	struct visit v;
	uint16_t n;

	engine = pkts != NULL ? begin(&v, vid, queue_id, dma_id, vchan_id) : NULL;
	if (engine == NULL)
		return 0;
	n = channel_collect(&v, engine, pkts, count);
	visit_end(&v);
	return n;
}

uint16_t rte_vhost_poll_enqueue_completed(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
					  uint16_t count, int16_t dma_id, uint16_t vchan_id)
{
	if (!is_to_guest(queue_id))
		return 0;
	return rte_vhost_clear_queue(vid, queue_id, pkts, count, dma_id, vchan_id);
}

uint16_t rte_vhost_clear_queue_thread_unsafe(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
					     uint16_t count, int16_t dma_id, uint16_t vchan_id)
{
	return rte_vhost_clear_queue(vid, queue_id, pkts, count, dma_id, vchan_id);
}

uint16_t rte_vhost_async_try_dequeue_burst(int vid, uint16_t queue_id,
					   struct rte_mempool *mbuf_pool, struct rte_mbuf **pkts,
					   uint16_t count, int *nr_inflight, int16_t dma_id,
					   uint16_t vchan_id)
{
	struct copy_engine *engine;
	struct visit v;
	uint16_t n;

	if (nr_inflight != NULL)
		*nr_inflight = -1;
	if (mbuf_pool == NULL || pkts == NULL || nr_inflight == NULL || is_to_guest(queue_id))
		return 0;
	engine = begin(&v, vid, queue_id, dma_id, vchan_id);
	if (engine == NULL)
		return 0;
	n = channel_dequeue(&v, engine, mbuf_pool, pkts, count);
	*nr_inflight = (int)v.vq->pending->nr_mbufs;
	visit_end(&v);
	return n;
}
