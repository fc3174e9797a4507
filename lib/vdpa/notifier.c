/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Doorbells that guests ring themselves: the frontend maps a page of the VFIO device where the
 * guest's driver writes to notify a queue. Without, it is kicks through the eventfd.
 */
#include <errno.h>
#include <linux/virtio_config.h>

#include "vdpa.h"
#include "vhost_user/backend.h"

#define PROTOCOL_NEEDED                                                                         \
	(BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | \
	 BIT(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER))

static uint64_t *word_of(struct device *dev, unsigned int index)
{
	return &dev->notifiers[index / 64];
}

/* Marked before it is asked for: an answer that does not come says nothing. */
static int map(struct device *dev, const struct rte_vdpa_dev_ops *ops, int vfio_fd,
	       unsigned int index)
{
	struct vhu_notifier n = { .fd = vfio_fd };
	int ret = ops->get_notify_area(dev->vid, (int)index, &n.offset_bytes, &n.size_bytes);

	if (ret < 0) {
		LOG_ERR("%s: queue %u: the driver does not say where its doorbell is (%d)",
			dev->ifname, index, ret);
		return -ENOTSUP;
	}
	__atomic_fetch_or(word_of(dev, index), BIT(index % 64), __ATOMIC_RELAXED);
	ret = vhu_backend_map_notifier(dev, index, &n);
	if (ret == 0)
		return 0;
	LOG_ERR("%s: queue %u: the frontend did not map its doorbell (error %d); the guest's kicks "
		"come through the eventfd", dev->ifname, index, -ret);
	return -EFAULT;
}

/* 0 also if there is nothing to unmap. */
static int unmap(struct device *dev, unsigned int index, bool need_reply)
{
	uint64_t bit = BIT(index % 64);

	if ((__atomic_fetch_and(word_of(dev, index), ~bit, __ATOMIC_RELAXED) & bit) == 0)
		return 0;
	return vhu_backend_unmap_notifier(dev, index, need_reply);
}

void vdpa_unmap_notifiers(struct device *dev)
{
	/* Without answers: who does not give one has been waited for already, or is gone. */
	for (unsigned int i = 0; i < DEVICE_VQS_MAX; i++)
		(void)unmap(dev, i, false);
}

static int map_all(struct device *dev, const struct rte_vdpa_dev_ops *ops, unsigned int first,
		   unsigned int end)
{
	int vfio_fd, ret = 0;

	if (ops->get_vfio_device_fd == NULL || ops->get_notify_area == NULL)
		return -ENOTSUP;
	vfio_fd = ops->get_vfio_device_fd(dev->vid);
	if (vfio_fd < 0)
		return -ENOTSUP;
	for (unsigned int i = first; i < end && ret == 0; i++)
		ret = map(dev, ops, vfio_fd, i);
	/* A guest that rings some of its doorbells is no easier to understand. */
	if (ret < 0)
		vdpa_unmap_notifiers(dev);
	return ret;
}

static int unmap_all(struct device *dev, unsigned int first, unsigned int end)
{
	int ret = 0;

	for (unsigned int i = first; i < end; i++)
		if (unmap(dev, i, ret == 0) < 0)
			ret = -EFAULT;
	return ret;
}

/* What the lock is needed for: who asks need not be on the control thread. */
static int check(int vid, uint16_t qid, struct device **out, const struct rte_vdpa_dev_ops **ops,
		 unsigned int *nr_vqs)
{
	struct device *dev = device_lock(vid);
	int ret = 0;

	if (dev == NULL)
		return -ENODEV;
	*out = dev;
	*nr_vqs = dev->nr_vqs;
	if (dev->vdpa == NULL)
		ret = -ENODEV;
	else if (!device_has(dev, VIRTIO_F_VERSION_1) ||
		 !device_has(dev, VHOST_USER_F_PROTOCOL_FEATURES) ||
		 (dev->protocol_features & PROTOCOL_NEEDED) != PROTOCOL_NEEDED)
		ret = -ENOTSUP;
	else if (qid != RTE_VHOST_QUEUE_ALL && qid >= dev->nr_vqs)
		ret = -EINVAL;
	if (ret == 0)
		*ops = vdpa_public(dev->vdpa)->ops;
	device_unlock(dev);
	return ret;
}

int rte_vhost_host_notifier_ctrl(int vid, uint16_t qid, bool enable)
{
	const struct rte_vdpa_dev_ops *ops;
	unsigned int first, end;
	struct device *dev;
	int ret = check(vid, qid, &dev, &ops, &end);

	if (ret < 0)
		return ret;
	first = qid == RTE_VHOST_QUEUE_ALL ? 0 : qid;
	end = qid == RTE_VHOST_QUEUE_ALL ? end : qid + 1u;
	return enable ? map_all(dev, ops, first, end) : unmap_all(dev, first, end);
}
