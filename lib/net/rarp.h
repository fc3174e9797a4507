/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet that SEND_RARP asks for: after a migration it tells the network
 * where the guest is now, in place of a guest that cannot say so itself.
 */
#ifndef VHOST_NG_NET_RARP_H
#define VHOST_NG_NET_RARP_H

#include <rte_mbuf.h>

#include "device/device.h"

static ALWAYS_INLINE bool rarp_waits(const struct device *dev)
{
	return __atomic_load_n(&dev->rarp.word, __ATOMIC_RELAXED) != 0;
}

/*
 * Makes the packet, as if the guest had sent it. Returns 1, or 0 when another
 * thread was first or the pool is empty: then it still waits.
 */
uint16_t rarp_take(struct device *dev, struct rte_mempool *pool, struct rte_mbuf **out);

#endif
