/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a backend that gives chains back in the order it took them, all it took,
 * leaves to the one after it: the net data path, killed at any instruction.
 *
 * A split ring says it all by itself. Its used index moves in one store; what
 * lies before it came back, what lies behind it is served again. Nothing is
 * recorded.
 *
 * A packed ring does not. A batch is several stores, which destroy what the
 * descriptors said, and no store tells where the next chain begins. So the
 * in-flight area says where the ring stands, and while a batch is being written,
 * what it consists of: a redo log. The next backend writes the batch again.
 *
 * The layout is that of the specification ("Inflight I/O tracking"), with no
 * entry ever in flight: old_used_idx is where the guest sees chains used, used_idx
 * the end of the batch. The log stands in the counters of the free entries, which
 * mean nothing to others. Any backend can take such an area up; only in the midst
 * of a batch of several chains it takes one that knows the log.
 */
#ifndef VHOST_NG_REDO_H
#define VHOST_NG_REDO_H

#include "inflight.h"

/*
 * As inflight_start(), and then ready to be served: finishes the batch under way,
 * and gives back, with length 0, what another kind of backend left in flight. The
 * guest is owed a call. 0, -EPROTO (no area of this ring), or -ENOMEM.
 */
int redo_start(struct ring *vr, enum chain_dir dir, uint8_t __guest *area, uint16_t size);

/* Around the stores of a batch of a packed ring with vr->redo set. */
COLD void redo_begin(const struct ring *vr, const struct used *used, unsigned int n);
COLD void redo_end(const struct ring *vr);

#endif
