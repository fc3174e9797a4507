/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From facts to state. After every message the loop thread asks what each
 * queue and the device should be now, and walks there in a fixed order:
 *
 *   queue:   not ready -> ready   attach the ring, vring_state_changed(1), open the gate
 *            ready -> not ready   close the gate, vring_state_changed(0)
 *   device:  not running -> running   new_device(), with the gates open
 *            running -> stopped       destroy_device(), with the gates open
 *   vDPA:    running -> configured    dev_conf(); back by dev_close(), first of all
 *
 * Queues come before the device on the way up. A vDPA device hears of queues before the
 * application does. This file is the only caller of
 * application callbacks but for guest_notified() (data path),
 * features_changed() (its message) and the connection callbacks (server/).
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <sys/eventfd.h>

#include "device.h"

static void notify_queue(struct device *dev, struct vq *vq, int enable)
{
	device_vdpa_queue_state(dev, vq->index, enable != 0);
	device_unlock(dev);
	if (dev->config->ops.vring_state_changed != NULL)
		dev->config->ops.vring_state_changed(dev->vid, vq->index, enable);
	pthread_mutex_lock(&dev->lock);
}

/* Facts only: is there a ring? */
static bool vq_has_ring(const struct device *dev, const struct vq *vq)
{
	return vq->started && vq->addrs_set && vq->ring.size != 0 && dev->mem != NULL &&
	       dev->features_set;
}

/* Facts only: does the frontend want this queue served? */
static bool vq_wanted(const struct device *dev, const struct vq *vq)
{
	const struct device_backend *backend = dev->backend;
	bool enabled = vq->enabled ||
		       (backend != NULL && backend->starts_enabled && !vq->switched_off);

	return vq_has_ring(dev, vq) && enabled && vq->callfd != EVENTFD_UNSET;
}

static void vq_lower(struct device *dev, struct vq *vq)
{
	if (!vq->parked)
		gate_close(&vq->gate);
	vq->parked = false;
	vq->ready = false;
	vq->discard_waits = false;
	notify_queue(dev, vq, 0);
}

static void vq_raise(struct device *dev, struct vq *vq)
{
	if (!vring_attached(&vq->ring) && vq_attach(dev, vq) < 0)
		return;
	vq_apply_kicks_wanted(vq); /* while it was off, kicks were ours */
	vq->ready = true;
	if (vq->owes_call && vq->callfd >= 0)
		(void)eventfd_write(vq->callfd, 1);
	vq->owes_call = false;
	notify_queue(dev, vq, 1);
	vq_gate_open(vq);
}

/*
 * Under a vIOMMU a ring may get lost and come back at any time, while the guest
 * goes on as if nothing was: the application need not hear of it.
 */
static void vq_park(struct device *dev, struct vq *vq)
{
	if (!vring_attached(&vq->ring) && vq_attach(dev, vq) == -ENOENT) {
		if (!vq->parked)
			gate_close(&vq->gate);
		vq->parked = true;
	} else if (vring_attached(&vq->ring) && vq->parked) {
		vq->parked = false;
		vq_gate_open(vq);
	}
}

static void vq_reconcile(struct device *dev, struct vq *vq)
{
	bool wanted = vq_wanted(dev, vq) && !vq->attach_failed;

	if (vq->ready && wanted && !vq->renotify && dev->iotlb != NULL)
		vq_park(dev, vq);
	if (vq->ready && (!wanted || vq->attach_failed || vq->renotify ||
			  (!vring_attached(&vq->ring) && !vq->parked)))
		vq_lower(dev, vq);
	vq->renotify = false;
	/* Who serves its rings itself looks for them when they are kicked off. */
	if (device_server(dev) == NULL && vq_has_ring(dev, vq) && !vq->attach_failed &&
	    !vring_attached(&vq->ring))
		(void)vq_attach(dev, vq);
	if (wanted && !vq->ready && !vq->attach_failed)
		vq_raise(dev, vq);
}

void device_reconcile_rings(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		vq_reconcile(dev, dev->vqs[i]);
}

void device_pause_channels(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = dev->vqs[i];

		if (vq->ready && vq->pending != NULL)
			vq_lower(dev, vq);
	}
	device_settle(dev, NULL);
}

static bool vq_is_ready(const struct vq *vq)
{
	return vq->ready;
}

static bool vq_is_attached(const struct vq *vq)
{
	return vring_attached(&vq->ring);
}

/* Is it so of each ring that the device cannot do without? */
static bool rings_needed(const struct device *dev, bool (*is_so)(const struct vq *vq))
{
	const struct device_backend *backend = dev->backend;
	unsigned int needed = backend != NULL ? backend->rings_needed : 0;

	if (needed == 0)
		needed = dev->nr_vqs;
	if (needed == 0 || needed > dev->nr_vqs)
		return false;
	for (unsigned int i = 0; i < needed; i++)
		if (!is_so(dev->vqs[i]))
			return false;
	return true;
}

static bool device_wanted(const struct device *dev)
{
	return rings_needed(dev, vq_is_ready) &&
	       (!device_has_proto(dev, VHOST_USER_PROTOCOL_F_STATUS) ||
		(dev->status & VIRTIO_CONFIG_S_DRIVER_OK) != 0);
}

void device_reconcile_start(struct device *dev)
{
	int ret = 0;

	if (!dev->running && device_wanted(dev)) {
		dev->ready = true;
		device_unlock(dev);
		if (dev->config->ops.new_device != NULL)
			ret = dev->config->ops.new_device(dev->vid);
		pthread_mutex_lock(&dev->lock);
		/* Refused: asked again after the next message. */
		dev->running = ret == 0;
	}
	/* Whether a queue is switched on, a vDPA device has been told. */
	if (dev->running && rings_needed(dev, vq_is_attached))
		device_vdpa_configure(dev);
}

void device_stop(struct device *dev)
{
	dev->ready = false;
	if (!dev->running)
		return;
	device_vdpa_close(dev);
	dev->running = false;
	device_unlock(dev);
	if (dev->config->ops.destroy_device != NULL)
		dev->config->ops.destroy_device(dev->vid);
	pthread_mutex_lock(&dev->lock);
}

void device_shutdown(struct device *dev)
{
	pthread_mutex_lock(&dev->lock);
	/* Or the application would wait for threads that wait for pages. */
	device_postcopy_give_up(dev);
	device_stop(dev);
	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = dev->vqs[i];

		if (vq->ready && !vq->parked)
			gate_close(&vq->gate);
		vq->parked = false;
		vq->ready = false;
	}
	device_settle(dev, NULL);
	device_unlock(dev);
}
