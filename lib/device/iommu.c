/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices behind a vIOMMU: every address of theirs is an I/O virtual one, those
 * of their rings too (vhost-user, "IOMMU support"). What is missing is collected
 * in ring.misses, by the rings here and by chains in ring/; sending it is for who
 * has left the gates.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"

int device_set_iommu(struct device *dev, bool wanted)
{
	if (wanted && dev->iotlb != NULL)
		return 0;
	iotlb_free(dev->iotlb);
	dev->iotlb = wanted ? iotlb_new() : NULL;
	return wanted && dev->iotlb == NULL ? -ENOMEM : 0;
}

void device_iotlb_exchange(struct device *dev, iova_t at, uint64_t size_bytes)
{
	iotlb_exchange(dev->iotlb);
	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = dev->vqs[i];

		/* What did not fit may do so now. */
		vq->attach_failed = false;
		if (vq->ring.misses != NULL)
			ring_misses_answered(vq->ring.misses, at, size_bytes);
		/* One that is lost, or was, is for reconcile. */
		if (vring_attached(&vq->ring) && vq_retranslate(dev, vq) == 0)
			vq_log_setup(dev, vq);
	}
}

/*
 * Where the guest receives, somebody has to look ahead before the first packet
 * comes: that one would not wait. Inside the gate.
 */
static void look_ahead(struct vq *vq)
{
	if (vq->ring.fault != RING_FAULT_NONE)
		return;
	ring_look_ahead(&vq->ring, CHAIN_WRITABLE);
	if (vq->ring.fault != RING_FAULT_NONE)
		vq_report_broken(vq);
}

unsigned int vq_misses(struct vq *vq, struct ring_miss *out)
{
	const struct device_backend *backend = device_server(vq->dev);
	unsigned int n;

	if (vq->ring.misses == NULL)
		return 0;
	/* Nobody is inside. */
	if (!vring_attached(&vq->ring))
		return ring_misses_take(vq->ring.misses, out);
	if (backend == NULL || backend->queue_dir(vq) != CHAIN_WRITABLE || !gate_try_enter(&vq->gate))
		return 0;
	look_ahead(vq);
	n = ring_misses_take(vq->ring.misses, out);
	vq->stats.iotlb_misses += n;
	gate_exit(&vq->gate);
	return n;
}

void device_forget_translations(struct device *dev)
{
	if (dev->iotlb == NULL || device_is_busy(dev))
		return;
	iotlb_invalidate(dev->iotlb, iova(0), 0);
	device_iotlb_exchange(dev, iova(0), 0);
}
