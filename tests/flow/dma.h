/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A DMA device without hardware for the flow tests: DPDK's dma_skeleton, which copies in a thread
 * of its own. EAL makes it if flow_vdev says so.
 */
#ifndef FLOW_DMA_H
#define FLOW_DMA_H

#include <stdint.h>

#define DMA_VDEV "dma_skeleton"

/* The device, started, with one channel (number 0). The first call starts it. */
int16_t dma_device(void);

/*
 * DPDK 22.11's functions with that device, for files that have the guide's: rte_vhost_async.h gives
 * one file one of the two.
 */
struct rte_mbuf;
struct rte_mempool;
int dma_register(int vid, uint16_t queue_id);
uint16_t dma_submit(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count);
uint16_t dma_poll(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count);
uint16_t dma_clear(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count);
uint16_t dma_dequeue(int vid, uint16_t queue_id, struct rte_mempool *pool, struct rte_mbuf **pkts,
		     uint16_t count);

#endif
