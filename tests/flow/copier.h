/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who copies the packets of a test: the CPU (copier_cpu.c), a DMA device (copier_dma.c), or an
 * engine of the guide's functions (copier_ops.c), which is one of ops_*.c. A program links one of
 * them, so that a test of what goes through the rings is written once and built for each. Both
 * functions return when the copies are done: what differs in between has tests of its own.
 */
#ifndef FLOW_COPIER_H
#define FLOW_COPIER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/* Most packets of one call, ours. */
#define COPIER_BURST 256
/* Of the stock library's enqueueing ones, and of its dequeueing ones with an engine. */
#define STOCK_BURST 32

extern const bool copier_is_cpu;
extern const uint64_t copier_driver_flags; /* for flow_up() */

/* Before EAL starts. */
void copier_init(void);
/* Gives the first two queues of the device their engine. */
void copier_attach(int vid);
/*
 * Like rte_vhost_enqueue_burst() and rte_vhost_dequeue_burst(). Packets have to come back in the
 * order in which they were given: anything else ends the program.
 */
uint16_t copier_enqueue(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count);
uint16_t copier_dequeue(int vid, uint16_t queue_id, struct rte_mempool *pool,
			struct rte_mbuf **pkts, uint16_t count);

#endif
