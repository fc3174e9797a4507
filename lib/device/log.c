/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dirty logging, from the facts (SET_LOG_BASE, SET_LOG_FD, SET_FEATURES with
 * VHOST_F_LOG_ALL, SET_VRING_ADDR with F_LOG, in any order) to what each queue
 * does about it (ring/ring_log.h).
 */
#include <inttypes.h>
#include <linux/virtio_config.h>

#include "device.h"

bool device_log_covers_memory(const struct device *dev, const struct dirty_log *log,
			      const struct gmem *mem)
{
	const struct region *last;

	/* REM_MEM_REG may have left a table without regions. */
	if (mem == NULL || mem->nr_regions == 0)
		return true;
	/* Sorted, and no end wraps. */
	last = mem->regions[mem->nr_regions - 1];
	if (dirty_log_covers(log, last->gpa, last->size_bytes))
		return true;
	LOG_ERR("%s: the dirty log has 0x%" PRIx64 " bytes, which is enough for 0x%" PRIx64
		" bytes of guest memory; it ends at 0x%" PRIx64 ": send SET_LOG_BASE with a size "
		"of at least 0x%" PRIx64,
		dev->ifname, log->size_bytes, log->size_bytes * 8 * DIRTY_LOG_PAGE_BYTES,
		last->gpa.v + last->size_bytes,
		(last->gpa.v + last->size_bytes - 1) / DIRTY_LOG_PAGE_BYTES / 8 + 1);
	return false;
}

bool device_log_covers_used(const struct device *dev, const struct dirty_log *log,
			    const struct vq *vq)
{
	enum ring_kind kind = device_has(dev, VIRTIO_F_RING_PACKED) ? RING_PACKED : RING_SPLIT;

	/* Under a vIOMMU its physical address is not known before it is attached. */
	if (!vq->log_used || dev->iotlb != NULL ||
	    dirty_log_covers(log, gpa(vq->log_guest_addr), vring_used_bytes(kind, vq->ring.size)))
		return true;
	LOG_ERR("%s: queue %u: its used ring is to be logged at 0x%" PRIx64
		", outside the dirty log, which has 0x%" PRIx64 " bytes",
		dev->ifname, vq->index, vq->log_guest_addr, log->size_bytes);
	return false;
}

void vq_set_log_addr(struct vq *vq, bool wanted, uint64_t addr)
{
	pthread_mutex_lock(&vq->dev->log_lock);
	vq->log_used = wanted;
	vq->log_guest_addr = wanted ? addr : 0;
	pthread_mutex_unlock(&vq->dev->log_lock);
}

void vq_log_setup(const struct device *dev, struct vq *vq)
{
	struct ring *vr = &vq->ring;
	gpa_t used = gpa(vq->log_guest_addr);
	/* What was said is an I/O virtual address, the log is by physical ones. */
	bool known = dev->iotlb == NULL ||
		     (vring_attached(vr) &&
		      gmem_gpa_of(dev->mem, (const uint8_t __guest *)(uintptr_t)vr->used, &used));

	vr->log_all = dev->log != NULL && device_has(dev, VHOST_F_LOG_ALL);
	/* Whatever the features say (vhost-user, "Migration"). */
	vr->log_used = dev->log != NULL && vq->log_used && known &&
		       dirty_log_covers(dev->log, used, vring_used_bytes(vr->kind, vr->size));
	vr->log_used_addr = used;
	vr->log = vr->log_all || vr->log_used ? dev->log : NULL;
	vr->log_news = false;
}

void device_log_setup(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		vq_log_setup(dev, dev->vqs[i]);
}

void device_set_log(struct device *dev, struct dirty_log *log)
{
	struct dirty_log *old = dev->log;

	pthread_mutex_lock(&dev->log_lock);
	dev->log = log;
	if (log != NULL)
		log->event_fd = dev->log_fd;
	pthread_mutex_unlock(&dev->log_lock);
	device_log_setup(dev);
	/* Of a migration under way: who looked up where the log is shall look again. */
	if (log != NULL && device_has(dev, VHOST_F_LOG_ALL))
		device_vdpa_features_set(dev);
	dirty_log_unmap(old);
}

void device_set_log_fd(struct device *dev, int fd)
{
	pthread_mutex_lock(&dev->log_lock);
	fd_close(&dev->log_fd);
	dev->log_fd = fd;
	if (dev->log != NULL)
		dev->log->event_fd = fd;
	pthread_mutex_unlock(&dev->log_lock);
}
