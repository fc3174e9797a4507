/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guide's half of rte_vhost_async.h: the engine is the application's, or one
 * that is ready made, and belongs to the queue.
 */
#include <rte_vhost_async.h>

#include "async/callbacks.h"
#include "async/ready.h"
#include "channel.h"

int rte_vhost_async_channel_register(int vid, uint16_t queue_id,
				     struct rte_vhost_async_config config,
				     struct rte_vhost_async_channel_ops *ops)
{
	struct copy_engine *engine;

	if (ops == NULL || ops->transfer_data == NULL || ops->check_completed_copies == NULL) {
		LOG_ERR("device %d, queue %u: no channel: transfer_data() or "
			"check_completed_copies() is missing", vid, queue_id);
		return -1;
	}
	if ((config.features & RTE_VHOST_ASYNC_INORDER) == 0) {
		LOG_ERR("device %d, queue %u: no channel: its engine must finish copies in order "
			"(RTE_VHOST_ASYNC_INORDER)", vid, queue_id);
		return -1;
	}
	engine = ready_engine_of(ops);
	if (engine == NULL)
		engine = callbacks_engine_new(vid, queue_id, ops, config.async_threshold);
	return engine == NULL ? -1 : channel_register(vid, queue_id, engine);
}

int rte_vhost_async_channel_register_thread_unsafe(int vid, uint16_t queue_id,
						   struct rte_vhost_async_config config,
						   struct rte_vhost_async_channel_ops *ops)
{
	return rte_vhost_async_channel_register(vid, queue_id, config, ops);
}

/* At the channel of a queue in that direction, with an engine of its own? */
static bool begin(struct visit *v, int vid, uint16_t queue_id)
{
	if (!visit_try(v, vid, queue_id))
		return false;
	if (!channel_is_dma(v->vq->pending))
		return true;
	visit_end(v);
	return false;
}

uint16_t rte_vhost_submit_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
					uint16_t count, struct rte_mbuf **comp_pkts,
					uint32_t *comp_count)
{
	struct visit v;
	uint16_t n;

	if (comp_count != NULL)
		*comp_count = 0;
	if (pkts == NULL || !is_to_guest(queue_id) || !begin(&v, vid, queue_id))
		return 0;
	n = channel_submit(&v, v.vq->pending->engine, pkts, count);
	if (comp_pkts != NULL && comp_count != NULL)
		*comp_count = channel_return(v.vq->pending, comp_pkts, count);
	visit_end(&v);
	return n;
}

uint16_t rte_vhost_clear_queue(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count)
{
	struct visit v;
	uint16_t n;

	if (pkts == NULL || !begin(&v, vid, queue_id))
		return 0;
	n = channel_collect(&v, v.vq->pending->engine, pkts, count);
	visit_end(&v);
	return n;
}

uint16_t rte_vhost_poll_enqueue_completed(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
					  uint16_t count)
{
	return is_to_guest(queue_id) ? rte_vhost_clear_queue(vid, queue_id, pkts, count) : 0;
}

uint16_t rte_vhost_clear_queue_thread_unsafe(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
					     uint16_t count)
{
	return rte_vhost_clear_queue(vid, queue_id, pkts, count);
}

uint16_t rte_vhost_async_try_dequeue_burst(int vid, uint16_t queue_id,
					   struct rte_mempool *mbuf_pool, struct rte_mbuf **pkts,
					   uint16_t count, int *nr_inflight)
{
	struct visit v;
	uint16_t n;

	if (nr_inflight != NULL)
		*nr_inflight = -1;
	if (mbuf_pool == NULL || pkts == NULL || nr_inflight == NULL || is_to_guest(queue_id) ||
	    !begin(&v, vid, queue_id))
		return 0;
	n = channel_dequeue(&v, v.vq->pending->engine, mbuf_pool, pkts, count);
	*nr_inflight = (int)v.vq->pending->nr_mbufs;
	visit_end(&v);
	return n;
}
