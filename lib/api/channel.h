/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Channels, behind both halves of rte_vhost_async.h: async_ops.c has the guide's
 * functions, async_dma.c those of DPDK 22.11, channel.c what they share.
 */
#ifndef VHOST_NG_API_CHANNEL_H
#define VHOST_NG_API_CHANNEL_H

#include "copy/pending.h"
#include "device/visit.h"
#include "net/net.h"

/* A visit to a queue's channel. Waits for whoever else is there; false: no such queue, or none there. */
bool visit_begin(struct visit *v, int vid, uint16_t queue_id);
/* Of data threads: false, too, when control is at it. */
bool visit_try(struct visit *v, int vid, uint16_t queue_id);

/* Whose functions a channel is for. */
static inline bool channel_is_dma(const struct pending *p)
{
	return p->engine == NULL;
}

/* Makes a channel, with an engine of its own (taken over, also on failure) or none. 0 or -1. */
int channel_register(int vid, uint16_t queue_id, struct copy_engine *engine);

/* Hands up to `count` packets that are given back to the application; how many. */
uint16_t channel_return(struct pending *p, struct rte_mbuf **pkts, uint16_t count);
/* Submits packets. Returns how many. */
uint16_t channel_submit(struct visit *v, struct copy_engine *engine, struct rte_mbuf **pkts,
			uint16_t count);
/* Asks the engine, gives back to the guest, hands up to `count` packets to the application. */
uint16_t channel_collect(struct visit *v, struct copy_engine *engine, struct rte_mbuf **pkts,
			 uint16_t count);
/* Starts copies of up to `count` packets of the guest, then as channel_collect(). */
uint16_t channel_dequeue(struct visit *v, struct copy_engine *engine, struct rte_mempool *pool,
			 struct rte_mbuf **pkts, uint16_t count);

static inline bool is_to_guest(uint16_t queue_id)
{
	return queue_id % 2 == 0;
}

#endif
