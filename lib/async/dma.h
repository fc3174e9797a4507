/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copy engines over the DMA devices of DPDK: one for each virtual channel that
 * the application lets us have. Any number of queues and threads may share one.
 */
#ifndef VHOST_NG_ASYNC_DMA_H
#define VHOST_NG_ASYNC_DMA_H

#include "copy/engine.h"

/*
 * Takes a channel: 0 (also when it is taken already), -ENODEV, -EINVAL (the
 * device or channel is not set up as it must be) or -ENOMEM; says what to change.
 */
int dma_engine_configure(int16_t dma_id, uint16_t vchan);

/* Gives it back: 0, -ENODEV (never taken) or -EBUSY (copies are under way). */
int dma_engine_unconfigure(int16_t dma_id, uint16_t vchan);

/*
 * NULL if it is not taken. An engine stays readable for ever: one that was given
 * back in the meantime is broken, as submit() says, until it is taken again.
 */
struct copy_engine *dma_engine_of(int dma_id, unsigned int vchan);

#endif
