/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Channels, as the control plane sees them: packets that engines copy have to be
 * out of the way before rings and memory change.
 */
#include "copy/pending.h"
#include "device.h"

void vq_abandon(struct vq *vq)
{
	struct pending *p = vq->pending;

	if (p == NULL || pending_is_idle(p))
		return;
	LOG_WARN("%s: queue %u: stops with %u packets in flight; their buffers were not given "
		 "back: collect them in destroy_device()",
		 vq->dev->ifname, vq->index, p->taken - p->given);
	p->abandoned = p->taken - p->given;
	vring_set_base(&vq->ring, vq->ring.used_idx, vq->ring.used_idx);
}

static void settle(struct device *dev, struct vq *vq)
{
	if (vq->pending != NULL && !pending_is_idle(vq->pending))
		dev->config->backend->settle(vq);
}

void device_settle(struct device *dev, struct vq *vq)
{
	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		if (vq == NULL || vq == dev->vqs[i])
			settle(dev, dev->vqs[i]);
}
