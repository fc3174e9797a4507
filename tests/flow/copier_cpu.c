/* SPDX-License-Identifier: BSD-3-Clause */
/* The CPU copies; see copier.h. */
#include "copier.h"

#include <rte_vhost.h>

const bool copier_is_cpu = true;
const uint64_t copier_driver_flags;

void
copier_init(void)
{
}

void
copier_attach(int vid)
{
	(void)vid;
}

uint16_t
copier_enqueue(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count)
{
	return rte_vhost_enqueue_burst(vid, queue_id, pkts, count);
}

uint16_t
copier_dequeue(int vid, uint16_t queue_id, struct rte_mempool *pool, struct rte_mbuf **pkts,
	       uint16_t count)
{
	return rte_vhost_dequeue_burst(vid, queue_id, pool, pkts, count);
}
