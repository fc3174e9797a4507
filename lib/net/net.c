/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the network backend derives from the negotiated features, and which
 * build of the bursts serves a queue.
 */
#include <linux/virtio_config.h>
#include <rte_vect.h>

#include "base/isa.h"
#include "bursts.h"

#define HOST_OFFLOADS                                                                     \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_HOST_TSO4) | \
	 BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_UFO) | BIT(VIRTIO_NET_F_HOST_USO))

/* virtio 1.2, 5.1.6: num_buffers is there with either bit, the hash behind it. */
static uint8_t header_bytes(const struct device *dev, const struct vq *vq)
{
	if (device_has(dev, VIRTIO_NET_F_HASH_REPORT))
		return sizeof(struct virtio_net_hdr_v1_hash);
	if (device_has(dev, VIRTIO_NET_F_MRG_RXBUF) || device_has(dev, VIRTIO_F_VERSION_1) ||
	    vq->ring.kind == RING_PACKED)
		return sizeof(struct virtio_net_hdr_v1);
	return sizeof(struct virtio_net_hdr);
}

/*
 * EAL's limit, --force-max-simd-bitwidth, holds here as in every other part of
 * DPDK, so 512 bits are for those who ask.
 */
static const struct net_bursts *choose_bursts(enum ring_kind kind)
{
#ifdef ISA_X86
	switch (isa_choose(rte_vect_get_max_simd_bitwidth())) {
	case ISA_SET_AVX512:
		return &net_bursts_avx512[kind];
	case ISA_SET_AVX2:
		return &net_bursts_avx2[kind];
	case ISA_SET_BASE:
		break;
	}
#endif
	return &net_bursts_base[kind];
}

static void net_ring_setup(const struct device *dev, struct vq *vq)
{
	uint64_t flags = dev->config->flags;

	vq->net = (struct vq_net){
		.bursts = choose_bursts(vq->ring.kind),
		.features = dev->features,
		.hdr_bytes = header_bytes(dev, vq),
		.mergeable = device_has(dev, VIRTIO_NET_F_MRG_RXBUF),
		.parse_hdr = (dev->features & HOST_OFFLOADS) != 0,
		.compliant = (flags & RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS) != 0,
		.linear = (flags & RTE_VHOST_USER_LINEARBUF_SUPPORT) != 0,
		.extbuf = (flags & RTE_VHOST_USER_EXTBUF_SUPPORT) != 0,
	};
}

/* The guest sends on odd queues. */
static enum chain_dir net_queue_dir(const struct vq *vq)
{
	return vq->index % 2 != 0 ? CHAIN_READABLE : CHAIN_WRITABLE;
}

const struct device_backend net_backend = {
	.name = "net",
	.ring_setup = net_ring_setup,
	.rings_needed = 2,
	.queue_dir = net_queue_dir,
};
