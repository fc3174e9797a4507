/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The built-in network data path: packets between mbufs and chains.
 */
#ifndef VHOST_NG_NET_H
#define VHOST_NG_NET_H

#include <linux/virtio_net.h>
#include <rte_mbuf.h>

#include "device/device.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* kernel headers before 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#define NET_USO_FEATURES                                               \
	(BIT(VIRTIO_NET_F_HOST_USO) | BIT(VIRTIO_NET_F_GUEST_USO4) | \
	 BIT(VIRTIO_NET_F_GUEST_USO6))

/* Packets that one pass of a burst resolves before it copies any. */
#define BURST_PACKETS 32
/* The most chains one packet may be spread over (mergeable buffers). */
#define BURST_CHAINS 256
/* The largest packet we take from a guest: 64 KiB of IP and room for tags. */
#define PACKET_MAX_BYTES (UINT16_MAX + 128u)

extern const struct device_backend net_backend;

/*
 * The two bursts for one ring format, inside the gate of `vq`. Both return how
 * many packets changed hands; mbufs given to enqueue() stay the caller's.
 */
struct net_bursts {
	uint16_t (*dequeue)(struct vq *vq, struct rte_mempool *pool, struct rte_mbuf **pkts,
			    uint16_t count);
	uint16_t (*enqueue)(struct vq *vq, struct rte_mbuf **pkts, uint16_t count);
};

#endif
