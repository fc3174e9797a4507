/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Channels, as the control plane sees them: packets that engines copy have to be
 * out of the way before rings and memory change.
 */
#include <sys/eventfd.h>

#include "copy/pending.h"
#include "device.h"

void vq_abandon(struct vq *vq)
{
	struct pending *p = vq->pending;

	if (p == NULL || pending_is_idle(p) || p->abandoned == p->taken - p->given)
		return;
	LOG_WARN("%s: queue %u: stops with %u packets in flight; their buffers were not given "
		 "back: collect them in destroy_device()",
		 vq->dev->ifname, vq->index, p->taken - p->given);
	p->abandoned = p->taken - p->given;
	vring_set_base(&vq->ring, vq->ring.used_idx, vq->ring.used_idx);
}

void vq_gave_back(struct vq *vq)
{
	if (!vq->discard_waits || !pending_is_idle(vq->pending))
		return;
	vq->discard_waits = false;
	(void)eventfd_write(vq->kickfd, 1);
}

static void settle(struct device *dev, struct vq *vq)
{
	if (vq->pending == NULL || pending_is_idle(vq->pending))
		return;
	dev->config->backend->settle(vq);
	vq_gave_back(vq);
}

void device_settle(struct device *dev, struct vq *vq)
{
	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		if (vq == NULL || vq == dev->vqs[i])
			settle(dev, dev->vqs[i]);
}
