/* SPDX-License-Identifier: BSD-3-Clause */
/* A host that sends its guest packets and throws away what comes from it. */
#ifndef FLOW_LOAD_H
#define FLOW_LOAD_H

#include <rte_mbuf.h>

#define LOAD_BURST 64

/* Some packets, of which a few take several receive buffers; how many. */
unsigned load_make(struct rte_mbuf *m[LOAD_BURST], struct rte_mempool *mbufs);
/* Through queues 0 and 1; how many. A device that is not there takes and gives nothing. */
unsigned load_send(int vid, struct rte_mempool *mbufs);
unsigned load_take(int vid, struct rte_mempool *mbufs);

#endif
