/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the network backend derives from the negotiated features, and which
 * build of the bursts serves a queue.
 */
#include <limits.h>
#include <linux/virtio_config.h>
#include <rte_vect.h>
#include <sched.h>

#include "base/clock.h"
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
static const struct net_bursts *choose_bursts(enum ring_kind kind, bool channel)
{
#ifdef ISA_X86
	switch (isa_choose(rte_vect_get_max_simd_bitwidth())) {
	case ISA_SET_AVX512:
		return &net_bursts_avx512[kind][channel];
	case ISA_SET_AVX2:
		return &net_bursts_avx2[kind][channel];
	case ISA_SET_BASE:
		break;
	}
#endif
	return &net_bursts_base[kind][channel];
}

static void net_ring_setup(const struct device *dev, struct vq *vq)
{
	uint64_t flags = dev->config->flags;

	vq->net = (struct vq_net){
		.bursts = choose_bursts(vq->ring.kind, vq->pending != NULL),
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

/* How long an engine may make no headway while somebody waits for it. */
#define ENGINE_STALL_MS 500

static void wait_for_engines(const struct vq *vq)
{
	unsigned int running, least = UINT_MAX;
	int64_t since_ms = 0;

	while ((running = pending_poll(vq->pending)) != 0) {
		if (running < least)
			since_ms = clock_now_ms();
		least = RTE_MIN(least, running);
		if (clock_now_ms() - since_ms < ENGINE_STALL_MS) {
			sched_yield();
			continue;
		}
		LOG_ERR("%s: queue %u: its engine finishes nothing, %u packets are in flight; "
			"their memory stays mapped",
			vq->dev->ifname, vq->index, running);
		break;
	}
}

static void net_settle(struct vq *vq)
{
	struct ring *vr = &vq->ring;

	wait_for_engines(vq);
	vq->net.bursts->give_back(vq, net_queue_dir(vq));
	if (vr->unsignalled != 0 && vq->callfd >= 0 && ring_notify_needed(vr->kind, vr))
		(void)vq_call(vq);
}

/* Frees what is copied; was that all, so that nothing is left of the channel? */
static bool bury(struct pending *p)
{
	struct rte_mbuf *m;

	(void)pending_poll(p);
	while (pending_is_done(p))
		pending_give(p);
	while ((m = pending_return(p)) != NULL)
		rte_pktmbuf_free(m);
	if (!pending_is_idle(p))
		return false;
	pending_free(p);
	return true;
}

static void net_forget(struct vq *vq)
{
	if (vq->left_behind != NULL && bury(vq->left_behind))
		vq->left_behind = NULL;
	/* A channel is not made while there is one. */
	if (vq->pending != NULL && !bury(vq->pending))
		vq->left_behind = vq->pending;
	vq->pending = NULL;
}

const struct device_backend net_backend = {
	.name = "net",
	.ring_setup = net_ring_setup,
	.rings_needed = 2,
	.queue_dir = net_queue_dir,
	.settle = net_settle,
	.forget = net_forget,
	.in_pairs = true,
};
