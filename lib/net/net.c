/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the network backend derives from the negotiated features, and the two
 * bursts, instantiated from their templates for each ring format.
 */
#include <linux/virtio_config.h>

#include "dequeue.h"
#include "enqueue.h"

#define HOST_OFFLOADS                                                                     \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_HOST_TSO4) | \
	 BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_UFO))

static void net_ring_setup(const struct device *dev, struct vq *vq)
{
	uint64_t flags = dev->config->flags;
	bool mergeable = device_has(dev, VIRTIO_NET_F_MRG_RXBUF);

	vq->net = (struct vq_net){
		.features = dev->features,
		/* virtio 1.2, 5.1.6: num_buffers is there with either bit. */
		.hdr_bytes = mergeable || device_has(dev, VIRTIO_F_VERSION_1) ?
				     sizeof(struct virtio_net_hdr_v1) :
				     sizeof(struct virtio_net_hdr),
		.mergeable = mergeable,
		.parse_hdr = (dev->features & HOST_OFFLOADS) != 0,
		.compliant = (flags & RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS) != 0,
		.linear = (flags & RTE_VHOST_USER_LINEARBUF_SUPPORT) != 0,
		.extbuf = (flags & RTE_VHOST_USER_EXTBUF_SUPPORT) != 0,
	};
}

const struct device_backend net_backend = {
	.name = "net",
	.ring_setup = net_ring_setup,
	.rings_needed = 2,
};

uint16_t net_dequeue(struct vq *vq, struct rte_mempool *pool, struct rte_mbuf **pkts,
		     uint16_t count)
{
	return dequeue_burst(RING_SPLIT, vq, pool, pkts, count);
}

uint16_t net_enqueue(struct vq *vq, struct rte_mbuf **pkts, uint16_t count)
{
	return enqueue_burst(RING_SPLIT, vq, pkts, count);
}
