/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The built-in network data path: packets between mbufs and chains.
 */
#ifndef VHOST_NG_NET_H
#define VHOST_NG_NET_H

#include <linux/virtio_net.h>
#include <rte_mbuf.h>

#include "copy/pending.h"
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

_Static_assert(BURST_PACKETS <= PENDING_SEGS_MAX, "pending_segs() is enough for a run");

extern const struct device_backend net_backend;

/* With a channel and nothing pending: the guest has these already, the application is next. */
static ALWAYS_INLINE void packets_pass(struct vq *vq, struct rte_mbuf **pkts, unsigned int n)
{
	pending_pass(vq->pending, (void **)pkts, n);
	vq->stats.inflight_completed += n;
}

/*
 * What is done with a queue of one ring format, inside its gate.
 *
 * The two bursts return how many packets changed hands; mbufs given to enqueue()
 * stay the caller's. With a channel (vq->pending) they do nothing while packets
 * are pending, and there is more: submit() returns how many packets are pending
 * now, fetch() has up to so many chains copied, and give_back() gives to the guest
 * what is copied of either, without telling it (ring.unsignalled counts).
 */
struct net_bursts {
	uint16_t (*dequeue)(struct vq *vq, struct rte_mempool *pool, struct rte_mbuf **pkts,
			    uint16_t count);
	uint16_t (*enqueue)(struct vq *vq, struct rte_mbuf **pkts, uint16_t count);
	uint16_t (*submit)(struct vq *vq, struct copy_engine *engine, struct rte_mbuf **pkts,
			   uint16_t count);
	void (*fetch)(struct vq *vq, struct copy_engine *engine, struct rte_mempool *pool,
		      uint16_t count);
	void (*give_back)(struct vq *vq, enum chain_dir dir);
	void (*copy)(const struct copy_seg *segs, unsigned int n);
};

#endif
