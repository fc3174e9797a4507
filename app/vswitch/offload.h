/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checksum and segmentation requests of guests: understood once on the way in,
 * passed on to receivers that take them, carried out here for the others.
 * Frames, header lengths and segment sizes are what a guest wrote: untrusted.
 */
#ifndef VSWITCH_OFFLOAD_H
#define VSWITCH_OFFLOAD_H

#include <stdint.h>

#include <rte_mbuf.h>

/* What a frame asks for and what a port takes. */
enum {
	OFFLOAD_CSUM = 1 << 0,
	OFFLOAD_TSO4 = 1 << 1,
	OFFLOAD_TSO6 = 1 << 2,
	OFFLOAD_MAX_SEGMENTS = 128, /* 64 KiB at an MSS of 536 are 123 */
};

/* Turn the receive-style metadata of a vhost dequeue into a transmit-style request. */
void offload_from_guest(struct rte_mbuf *m);
/* Drop the receive-style metadata of an ethdev: it asks for nothing. */
void offload_from_uplink(struct rte_mbuf *m);

/* The OFFLOAD_* bits the frame asks for. */
unsigned int offload_needed(const struct rte_mbuf *m);

/*
 * Finish the checksum in place, so that the frame asks for nothing any more.
 * @return 0, or -1 when the headers do not allow it (frame unchanged)
 */
int offload_checksum(struct rte_mbuf *m);

/*
 * Cut a TSO frame into new frames; `m` stays as it is.
 * @param takes  OFFLOAD_* bits of the receiver: without OFFLOAD_CSUM the
 *               checksums are finished, else requested
 * @param out    room for OFFLOAD_MAX_SEGMENTS
 * @return how many, 0 when the headers do not allow it, -1 when the pool is empty
 */
int offload_segment(const struct rte_mbuf *m, struct rte_mempool *pool, unsigned int takes,
		    struct rte_mbuf **out);

#endif
