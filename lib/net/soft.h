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

/*
 * A copy of `m` with the VLAN tags in it that it asks for. NULL when the pool is
 * empty or the packet has no room for them.
 */
struct rte_mbuf *soft_tag(const struct rte_mbuf *m);

/* How many packets a request for segmentation makes of `m`; 0: there is none that we can serve. */
unsigned int soft_cut_count(const struct rte_mbuf *m);

/*
 * Cuts it into `out`, room for SOFT_CUT_MAX; what comes out asks for checksums
 * only. How many, or 0: the pool is empty, or the headers make no sense.
 */
unsigned int soft_cut(const struct rte_mbuf *m, struct rte_mbuf **out);

#endif
