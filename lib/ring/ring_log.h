/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dirty logging of one queue: all that the data path writes into guest memory
 * is marked by these functions and by no others.
 *
 * Order and time: memory is marked after it was written (dirty_log.h says why).
 * Buffers are marked before their chains are given back, the ring when it has
 * been written, and all of it inside the queue's gate. So once GET_VRING_BASE is
 * answered, after which a frontend takes the log for the last time, nothing is
 * missing from it.
 *
 * ring.log is NULL while there is nothing to log, and that is all a burst looks
 * at. The functions are for when it is not.
 */
#ifndef VHOST_NG_RING_LOG_H
#define VHOST_NG_RING_LOG_H

#include "vring.h"

/* `len` bytes of a buffer were written. First dirty_log_fence(), once for many. */
void ring_log_buffer(struct ring *vr, const uint8_t __guest *at, uint32_t len);
/* The same of a buffer in `mem`, which was the ring's when the copy began. */
void ring_log_copy(struct ring *vr, const struct gmem *mem, const uint8_t __guest *at,
		   uint32_t len);
/* Bytes of the used ring, or of the device event structure, were written. */
COLD void ring_log_used(struct ring *vr, uint64_t offset, uint64_t len);
/* The index moved on from `from`; the entries on the way were written before. */
COLD void split_log_publish(struct ring *vr, uint16_t from);
/* packed_used_push() wrote these; vr->used_idx is behind them. */
COLD void packed_log_push(struct ring *vr, enum chain_dir dir, const struct used *used,
			  unsigned int n);
/* All that was written is marked: tell the frontend if there is news. */
COLD void ring_log_tell(struct ring *vr);

#endif
