/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host to guest, what neither the guest agreed to nor a header can express: done
 * to mbufs of our own, taken from the pool of the packet, which stays as it is.
 */
#ifndef VHOST_NG_NET_SOFT_H
#define VHOST_NG_NET_SOFT_H

#include <rte_mbuf.h>

/* The most packets that one is cut into: 64 KiB at an MSS of 536 are 123. */
#define SOFT_CUT_MAX 128

/* Does it have a place for the VLAN tags that it asks for, and a length to say so? */
bool soft_can_tag(const struct rte_mbuf *m);

/* A copy of `m`, which can have them, with the tags in it. NULL: the pool is empty. */
struct rte_mbuf *soft_tag(const struct rte_mbuf *m);

/* How many packets a request for segmentation makes of `m`; 0: there is none that we can serve. */
unsigned int soft_cut_count(const struct rte_mbuf *m);

/*
 * Cuts it into the `count` (not 0) packets that soft_cut_count() said; what comes
 * out asks for checksums only. False: the pool is empty.
 */
bool soft_cut(const struct rte_mbuf *m, unsigned int count, struct rte_mbuf **out);

#endif
