/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vDPA devices, as the control plane sees them. Where rings or memory go, the device is closed
 * first; reconcile.c configures it again when all is there. Its driver is called as applications
 * are: without device.lock, in an order that tests/flow/vdpa.c has in full.
 */
#include <errno.h>

#include "device.h"

/* Nobody takes the bursts' place: what bursts and applications can do is for the socket to say. */
static const struct device_limits no_limits = {
	.features = UINT64_MAX,
	.protocol_features = ~BIT(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER),
	.queue_num = UINT32_MAX,
	.queues_max = DEVICE_VQS_MAX,
};

static int gone_limits(const struct vdpa *vdpa, struct device_limits *limits)
{
	(void)vdpa;
	(void)limits;
	return -ENODEV;
}

static const struct vdpa_ops gone_ops = { .limits = gone_limits };

const struct vdpa vdpa_gone = { .ops = &gone_ops };

int device_limits_of(const struct vdpa *vdpa, const char *ifname, struct device_limits *limits)
{
	int ret = 0;

	*limits = no_limits;
	if (vdpa != NULL)
		ret = vdpa->ops->limits(vdpa, limits);
	if (ret == -ENODEV)
		LOG_ERR("%s: its vDPA device was removed; attach another one, or detach it", ifname);
	else if (ret < 0)
		LOG_ERR("%s: its vDPA device does not say what it can do", ifname);
	/* It would be that of the built-in data path. */
	if (vdpa != NULL)
		limits->protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_DEVICE_STATE);
	return ret;
}

bool device_vdpa_waits(const struct device *dev)
{
	return dev->vdpa != NULL && dev->vdpa->waits_for_all && dev->running && !dev->configured &&
	       !dev->vdpa_wanted;
}

/* Does each queue that the frontend has named run? */
static bool all_ready(const struct device *dev)
{
	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		if (!dev->vqs[i]->ready)
			return false;
	return true;
}

void device_vdpa_configure(struct device *dev)
{
	int ret;

	if (dev->vdpa == NULL || dev->configured ||
	    (dev->vdpa->waits_for_all && !dev->vdpa_wanted && !all_ready(dev)))
		return;
	device_unlock(dev);
	ret = dev->vdpa->ops->configure(dev);
	pthread_mutex_lock(&dev->lock);
	/* Otherwise asked again after the next message. */
	dev->configured = ret == 0;
}

static void tell(struct device *dev, void (*what)(struct device *dev))
{
	device_unlock(dev);
	what(dev);
	pthread_mutex_lock(&dev->lock);
}

void device_vdpa_close(struct device *dev)
{
	dev->vdpa_wanted = false;
	if (!dev->configured)
		return;
	dev->configured = false;
	tell(dev, dev->vdpa->ops->close);
}

void device_vdpa_cleanup(struct device *dev)
{
	if (dev->vdpa != NULL)
		tell(dev, dev->vdpa->ops->cleanup);
}

void device_vdpa_queue_state(struct device *dev, unsigned int index, bool on)
{
	if (dev->vdpa == NULL)
		return;
	device_unlock(dev);
	dev->vdpa->ops->queue_state(dev, index, on);
	pthread_mutex_lock(&dev->lock);
}

void device_vdpa_features_set(struct device *dev)
{
	if (dev->vdpa != NULL)
		tell(dev, dev->vdpa->ops->features_set);
}

void device_vdpa_migration_done(struct device *dev)
{
	if (dev->vdpa != NULL)
		tell(dev, dev->vdpa->ops->migration_done);
}

int device_vdpa_config_read(struct device *dev, uint8_t *space, uint32_t size_bytes)
{
	int ret;

	device_unlock(dev);
	ret = dev->vdpa->ops->config_read(dev, space, size_bytes);
	pthread_mutex_lock(&dev->lock);
	return ret;
}

int device_vdpa_config_write(struct device *dev, const uint8_t *bytes, uint32_t offset_bytes,
			     uint32_t size_bytes, uint32_t flags)
{
	int ret;

	device_unlock(dev);
	ret = dev->vdpa->ops->config_write(dev, bytes, offset_bytes, size_bytes, flags);
	pthread_mutex_lock(&dev->lock);
	return ret;
}
