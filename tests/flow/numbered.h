/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets whose bytes and length follow from a number, both ways, for the tests of engines. */
#ifndef FLOW_NUMBERED_H
#define FLOW_NUMBERED_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "guest_net.h"

uint32_t numbered_bytes(uint32_t number);
struct rte_mbuf *numbered_mbuf(struct rte_mempool *pool, uint32_t number);
/* Packets that came back: those from `first` on, in order, unchanged. Frees them. */
void numbered_came_back(struct rte_mbuf **pkts, unsigned n, uint32_t first);
/* The guest has got exactly these. */
void numbered_arrived(struct guest_rx *rx, uint32_t first, unsigned n);
/* The guest sends these, in chains of one to three pieces, some of them indirect. */
void numbered_send(struct guest_tx *tx, uint32_t first, unsigned n);

#endif
