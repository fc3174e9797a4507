/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the control plane to a vDPA device's driver. A driver need not have every operation, and
 * those that it has may fail.
 */
#include <errno.h>

#include "vdpa.h"

static const struct rte_vdpa_dev_ops *ops_of(const struct device *dev)
{
	return vdpa_public(dev->vdpa)->ops;
}

static void check(const struct device *dev, const char *op, int ret)
{
	if (ret < 0)
		LOG_ERR("%s: device %d: %s() of vDPA device %s failed (%d)", dev->ifname, dev->vid, op,
			vdpa_name(dev->vdpa), ret);
}

static int driver_limits(const struct vdpa *vdpa, struct device_limits *limits)
{
	struct rte_vdpa_device *public = vdpa_public(vdpa);
	const struct rte_vdpa_dev_ops *ops = public->ops;
	uint32_t queue_num;

	if (ops->get_features(public, &limits->features) < 0 ||
	    ops->get_protocol_features(public, &limits->protocol_features) < 0 ||
	    ops->get_queue_num(public, &queue_num) < 0)
		return -EIO;
	limits->queue_num = queue_num;
	/* A driver has room for so many: nobody else keeps a frontend from naming more. */
	limits->queues_max = MIN2(queue_num, (uint32_t)DEVICE_VQS_MAX);
	if (vdpa->backend->in_pairs)
		limits->queues_max = MIN2(limits->queues_max * 2, (uint32_t)DEVICE_VQS_MAX);
	return 0;
}

static int driver_configure(struct device *dev)
{
	int ret = ops_of(dev)->dev_conf(dev->vid);

	if (ret == 0)
		return 0;
	vdpa_unmap_notifiers(dev);
	LOG_ERR("%s: device %d: vDPA device %s could not be configured (%d); the guest's queues "
		"are not served; tried again after the next message",
		dev->ifname, dev->vid, vdpa_name(dev->vdpa), ret);
	return -EIO;
}

static void driver_close(struct device *dev)
{
	check(dev, "dev_close", ops_of(dev)->dev_close(dev->vid));
	/* Those that the driver left. */
	vdpa_unmap_notifiers(dev);
}

static void driver_cleanup(struct device *dev)
{
	if (ops_of(dev)->dev_cleanup != NULL)
		check(dev, "dev_cleanup", ops_of(dev)->dev_cleanup(dev->vid));
}

static void driver_queue_state(struct device *dev, unsigned int index, bool on)
{
	check(dev, "set_vring_state", ops_of(dev)->set_vring_state(dev->vid, (int)index, on));
}

static void driver_features_set(struct device *dev)
{
	check(dev, "set_features", ops_of(dev)->set_features(dev->vid));
}

static void driver_migration_done(struct device *dev)
{
	if (ops_of(dev)->migration_done != NULL)
		check(dev, "migration_done", ops_of(dev)->migration_done(dev->vid));
}

static int driver_config_read(struct device *dev, uint8_t *space, uint32_t size_bytes)
{
	int ret;

	if (ops_of(dev)->get_config == NULL)
		return -ENOTSUP;
	ret = ops_of(dev)->get_config(dev->vid, space, size_bytes);
	check(dev, "get_config", ret);
	return ret < 0 ? -EIO : 0;
}

static int driver_config_write(struct device *dev, const uint8_t *bytes, uint32_t offset_bytes,
			       uint32_t size_bytes, uint32_t flags)
{
	uint8_t copy[DEVICE_CONFIG_BYTES];
	int ret;

	if (ops_of(dev)->set_config == NULL)
		return -ENOTSUP;
	memcpy(copy, bytes, size_bytes);
	ret = ops_of(dev)->set_config(dev->vid, copy, offset_bytes, size_bytes, flags);
	check(dev, "set_config", ret);
	return ret < 0 ? -EIO : 0;
}

static const struct vdpa_ops driver_ops = {
	.limits = driver_limits,
	.configure = driver_configure,
	.close = driver_close,
	.cleanup = driver_cleanup,
	.queue_state = driver_queue_state,
	.features_set = driver_features_set,
	.migration_done = driver_migration_done,
	.config_read = driver_config_read,
	.config_write = driver_config_write,
};

int vhost_ng_vdpa_vring_state(int vid, uint16_t queue_id)
{
	struct device *dev = device_lock(vid);
	int state = -1;

	if (dev == NULL)
		return -1;
	if (queue_id < dev->nr_vqs)
		state = dev->vqs[queue_id]->ready;
	device_unlock(dev);
	return state;
}

int vhost_ng_vdpa_errfd(int vid, uint16_t queue_id)
{
	struct device *dev = device_lock(vid);
	int fd = -1;

	if (dev == NULL)
		return -1;
	if (queue_id < dev->nr_vqs)
		fd = dev->vqs[queue_id]->errfd;
	device_unlock(dev);
	return fd >= 0 ? fd : -1;
}

int vhost_ng_vdpa_log_fd(int vid, uint64_t *offset_bytes)
{
	struct device *dev = offset_bytes != NULL ? device_lock(vid) : NULL;
	int fd = -1;

	if (dev == NULL)
		return -1;
	if (dev->log != NULL) {
		fd = dev->log->fd;
		*offset_bytes = dev->log->offset_bytes;
	}
	device_unlock(dev);
	return fd;
}

int vhost_ng_vdpa_rarp_mac(int vid, uint8_t mac[6])
{
	struct device *dev = mac != NULL ? device_lock(vid) : NULL;
	union device_rarp rarp;

	if (dev == NULL)
		return -1;
	rarp.word = __atomic_load_n(&dev->rarp.word, __ATOMIC_ACQUIRE);
	device_unlock(dev);
	if (rarp.word == 0)
		return -1;
	memcpy(mac, rarp.address, sizeof(rarp.address));
	return 0;
}

int vhost_ng_vdpa_mem_offset(int vid, uint64_t guest_phys_addr, uint64_t *offset_bytes)
{
	struct device *dev = offset_bytes != NULL ? device_lock(vid) : NULL;
	int ret = -1;

	if (dev == NULL)
		return -1;
	for (unsigned int i = 0; dev->mem != NULL && i < dev->mem->nr_regions; i++) {
		const struct region *r = dev->mem->regions[i];
		uint64_t at = guest_phys_addr - r->gpa.v;

		if (at >= r->size_bytes)
			continue;
		*offset_bytes = r->mmap_offset_bytes + at;
		ret = 0;
	}
	device_unlock(dev);
	return ret;
}

/* They serve nothing themselves: what would is never asked for. */
static const struct device_backend vdpa_net = {
	.name = "vdpa net",
	.rings_needed = 2,
	.in_pairs = true,
};

static const struct device_backend vdpa_blk = {
	.name = "vdpa blk",
	.rings_needed = 1,
};

void vdpa_init(struct vdpa *vdpa, uint32_t type)
{
	const bool blk = type == RTE_VHOST_VDPA_DEVICE_TYPE_BLK;

	*vdpa = (struct vdpa){ .ops = &driver_ops,
			       .backend = blk ? &vdpa_blk : &vdpa_net,
			       .waits_for_all = blk };
}
