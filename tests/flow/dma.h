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

#endif
