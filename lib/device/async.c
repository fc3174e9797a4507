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
	const struct device_backend *backend = device_server(vq->dev);
	struct pending *p = vq->pending;
	unsigned int n = 0;

	if (p != NULL && p->abandoned != p->taken - p->given)
		n = p->abandoned = p->taken - p->given;
	if (backend != NULL && backend->abandon != NULL)
		n += backend->abandon(vq);
	if (n == 0)
		return;
	LOG_WARN("%s: queue %u: stops with %u chains in flight: collect what is under way in "
		 "destroy_device()",
		 vq->dev->ifname, vq->index, n);
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
	device_server(dev)->settle(vq);
	vq_gave_back(vq);
}

void device_settle(struct device *dev, struct vq *vq)
{
	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		if (vq == NULL || vq == dev->vqs[i])
			settle(dev, dev->vqs[i]);
}
