/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bursts, instantiated from their templates for each ring format. Compiled
 * once for each instruction set (base/isa.h).
 */
#include "base/isa.h"
#include "bursts.h"
#include "dequeue.h"
#include "enqueue.h"

static uint16_t dequeue_split(struct vq *vq, struct rte_mempool *pool, struct rte_mbuf **pkts,
			      uint16_t count)
{
	return dequeue_burst(RING_SPLIT, vq, pool, pkts, count);
}

static uint16_t enqueue_split(struct vq *vq, struct rte_mbuf **pkts, uint16_t count)
{
	return enqueue_burst(RING_SPLIT, vq, pkts, count);
}

static uint16_t dequeue_packed(struct vq *vq, struct rte_mempool *pool, struct rte_mbuf **pkts,
			       uint16_t count)
{
	return dequeue_burst(RING_PACKED, vq, pool, pkts, count);
}

static uint16_t enqueue_packed(struct vq *vq, struct rte_mbuf **pkts, uint16_t count)
{
	return enqueue_burst(RING_PACKED, vq, pkts, count);
}

const struct net_bursts ISA_NAME(net_bursts)[RING_KINDS] = {
	[RING_SPLIT] = { .dequeue = dequeue_split, .enqueue = enqueue_split },
	[RING_PACKED] = { .dequeue = dequeue_packed, .enqueue = enqueue_packed },
};
