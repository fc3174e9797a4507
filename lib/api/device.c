/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions about one device, answered under its lock.
 */
#include <errno.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "vhost_user/backend.h"

/* A queue of a locked device; NULL when the frontend never named it. */
static struct vq *locked_vq(struct device *dev, unsigned int index)
{
	return dev != NULL && index < dev->nr_vqs ? dev->vqs[index] : NULL;
}

int rte_vhost_get_mtu(int vid, uint16_t *mtu)
{
	struct device *dev = device_lock(vid);
	int ret = 0;

	if (dev == NULL || mtu == NULL) {
		if (dev != NULL)
			device_unlock(dev);
		return -ENODEV;
	}
	if (!dev->ready)
		ret = -EAGAIN;
	else if (!device_has(dev, VIRTIO_NET_F_MTU))
		ret = -ENOTSUP;
	else
		*mtu = dev->mtu_bytes;
	device_unlock(dev);
	return ret;
}

/* The node of the first ring, which is where the guest's memory is. */
int rte_vhost_get_numa_node(int vid)
{
	struct device *dev = device_lock(vid);
	int node = -1;
	void *where;

	if (dev == NULL)
		return -1;
	where = dev;
	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		if (vring_attached(&dev->vqs[i]->ring)) {
			where = GUEST_FORCE(void *, dev->vqs[i]->ring.desc);
			break;
		}
	}
	if (get_mempolicy(&node, NULL, 0, where, MPOL_F_NODE | MPOL_F_ADDR) < 0)
		node = -1;
	device_unlock(dev);
	return node;
}

int rte_vhost_get_ifname(int vid, char *buf, size_t len)
{
	struct device *dev;

	if (buf == NULL || len == 0)
		return -1;
	dev = device_lock(vid);
	if (dev == NULL)
		return -1;
	len = MIN2(len, sizeof(dev->ifname));
	memcpy(buf, dev->ifname, len - 1);
	buf[len - 1] = '\0';
	device_unlock(dev);
	return 0;
}

uint16_t rte_vhost_get_vring_num(int vid)
{
	struct device *dev = device_lock(vid);
	uint16_t n;

	if (dev == NULL)
		return 0;
	n = (uint16_t)dev->nr_vqs;
	device_unlock(dev);
	return n;
}

int rte_vhost_get_negotiated_features(int vid, uint64_t *features)
{
	struct device *dev = features != NULL ? device_lock(vid) : NULL;

	if (dev == NULL)
		return -1;
	*features = dev->features;
	device_unlock(dev);
	return 0;
}

int rte_vhost_get_negotiated_protocol_features(int vid, uint64_t *protocol_features)
{
	struct device *dev = protocol_features != NULL ? device_lock(vid) : NULL;

	if (dev == NULL)
		return -1;
	*protocol_features = dev->protocol_features;
	device_unlock(dev);
	return 0;
}

static void fill_region(struct rte_vhost_mem_region *out, const struct region *r)
{
	*out = (struct rte_vhost_mem_region){
		.guest_phys_addr = r->gpa.v,
		.guest_user_addr = r->uva.v,
		.host_user_addr = (uint64_t)(uintptr_t)r->host,
		.size = r->size_bytes,
		.mmap_addr = r->map.mmap_addr,
		.mmap_size = r->map.mmap_size_bytes,
		.fd = r->fd,
	};
}

int rte_vhost_get_mem_table(int vid, struct rte_vhost_memory **mem)
{
	struct device *dev = mem != NULL ? device_lock(vid) : NULL;
	struct rte_vhost_memory *copy = NULL;

	if (dev == NULL)
		return -1;
	if (dev->mem != NULL)
		copy = malloc(sizeof(*copy) + dev->mem->nr_regions * sizeof(copy->regions[0]));
	if (copy != NULL) {
		copy->nregions = dev->mem->nr_regions;
		for (unsigned int i = 0; i < copy->nregions; i++)
			fill_region(&copy->regions[i], dev->mem->regions[i]);
		*mem = copy;
	}
	device_unlock(dev);
	return copy != NULL ? 0 : -1;
}

int rte_vhost_get_vhost_vring(int vid, uint16_t vring_idx, struct rte_vhost_vring *vring)
{
	struct device *dev = vring != NULL ? device_lock(vid) : NULL;
	struct vq *vq = locked_vq(dev, vring_idx);

	if (vq != NULL) {
		*vring = (struct rte_vhost_vring){
			.desc = GUEST_FORCE(struct vring_desc *, vq->ring.desc),
			.avail = GUEST_FORCE(struct vring_avail *, vq->ring.avail),
			.used = GUEST_FORCE(struct vring_used *, vq->ring.used),
			.log_guest_addr = vq->log_guest_addr,
			.callfd = vq->callfd,
			.kickfd = vq->kickfd,
			.size = vq->ring.size,
		};
	}
	if (dev != NULL)
		device_unlock(dev);
	return vq != NULL ? 0 : -1;
}

int rte_vhost_get_vring_base(int vid, uint16_t queue_id, uint16_t *last_avail_idx,
			     uint16_t *last_used_idx)
{
	bool wanted = last_avail_idx != NULL && last_used_idx != NULL;
	struct device *dev = wanted ? device_lock(vid) : NULL;
	struct vq *vq = locked_vq(dev, queue_id);

	if (vq != NULL) {
		*last_avail_idx = __atomic_load_n(&vq->ring.last_avail, __ATOMIC_RELAXED);
		*last_used_idx = __atomic_load_n(&vq->ring.published, __ATOMIC_RELAXED);
	}
	if (dev != NULL)
		device_unlock(dev);
	return vq != NULL ? 0 : -1;
}

int rte_vhost_set_vring_base(int vid, uint16_t queue_id, uint16_t last_avail_idx,
			     uint16_t last_used_idx)
{
	struct device *dev = device_lock(vid);
	struct vq *vq = locked_vq(dev, queue_id);
	bool ok = false;

	if (vq != NULL) {
		gate_close(&vq->gate);
		/* Of a ring that is not attached yet, attaching checks it. */
		ok = !vring_attached(&vq->ring) ||
		     vring_base_fits(&vq->ring, last_avail_idx, last_used_idx);
		if (ok) {
			vq_set_base(vq, last_avail_idx, last_used_idx);
			vq->resync = false;
		}
		vq_gate_open(vq);
	}
	if (dev != NULL)
		device_unlock(dev);
	return ok ? 0 : -1;
}

int rte_vhost_get_log_base(int vid, uint64_t *log_base, uint64_t *log_size)
{
	struct device *dev = log_base != NULL && log_size != NULL ? device_lock(vid) : NULL;

	if (dev == NULL)
		return -1;
	*log_base = dev->log != NULL ? (uint64_t)(uintptr_t)dev->log->map.start : 0;
	*log_size = dev->log != NULL ? dev->log->size_bytes : 0;
	device_unlock(dev);
	return 0;
}

/* device.log_lock held. */
static void log_written(const struct device *dev, uint64_t addr, uint64_t len)
{
	dirty_log_fence();
	if (dirty_log_mark(dev->log, gpa(addr), len))
		dirty_log_tell(dev->log);
}

void rte_vhost_log_write(int vid, uint64_t addr, uint64_t len)
{
	struct device *dev = device_slot(vid);

	if (dev == NULL)
		return;
	pthread_mutex_lock(&dev->log_lock);
	if (dev->log != NULL)
		log_written(dev, addr, len);
	pthread_mutex_unlock(&dev->log_lock);
}

void rte_vhost_log_used_vring(int vid, uint16_t vring_idx, uint64_t offset, uint64_t len)
{
	struct vq *vq = device_vq(vid, vring_idx);
	uint64_t addr;

	if (vq == NULL)
		return;
	pthread_mutex_lock(&vq->dev->log_lock);
	if (vq->dev->log != NULL && vq->log_used &&
	    !__builtin_add_overflow(vq->log_guest_addr, offset, &addr))
		log_written(vq->dev, addr, len);
	pthread_mutex_unlock(&vq->dev->log_lock);
}

int rte_vhost_slave_config_change(int vid, bool need_reply)
{
	struct device *dev = device_slot(vid);

	return dev != NULL && dev->in_use ? vhu_backend_config_change(dev, need_reply) : -ENODEV;
}

int rte_vhost_extern_callback_register(int vid, struct rte_vhost_user_extern_ops const *const ops,
				       void *ctx)
{
	struct device *dev = ops != NULL ? device_lock(vid) : NULL;

	(void)ctx; /* the handlers' owner's, who knows it */
	if (dev == NULL)
		return -1;
	dev->extern_ops = *ops;
	device_unlock(dev);
	return 0;
}

/* --- statistics -------------------------------------------------------- */

/* Runs with the device locked; NULL when the queue counts nothing. */
static struct vq *counting_vq(int vid, uint16_t queue_id, struct device **dev)
{
	struct vq *vq;

	*dev = device_lock(vid);
	vq = locked_vq(*dev, queue_id);
	if (vq != NULL && vq->stats_on)
		return vq;
	if (*dev != NULL)
		device_unlock(*dev);
	return NULL;
}

int rte_vhost_vring_stats_get_names(int vid, uint16_t queue_id, struct rte_vhost_stat_name *name,
				    unsigned int size)
{
	unsigned int count = stats_count();
	struct device *dev;

	if (counting_vq(vid, queue_id, &dev) == NULL)
		return -1;
	device_unlock(dev);
	if (name == NULL || size < count)
		return (int)count;
	/* Odd queues are what the guest sends on, so what the host receives on. */
	for (unsigned int i = 0; i < count; i++)
		snprintf(name[i].name, sizeof(name[i].name), "%s_q%u_%s",
			 queue_id % 2 != 0 ? "rx" : "tx", queue_id / 2u, stats_name(i));
	return (int)count;
}

int rte_vhost_vring_stats_get(int vid, uint16_t queue_id, struct rte_vhost_stat *stats,
			      unsigned int n)
{
	unsigned int count = stats_count();
	struct device *dev;
	struct vq *vq = counting_vq(vid, queue_id, &dev);

	if (vq == NULL)
		return -1;
	if (stats != NULL && n >= count)
		for (unsigned int i = 0; i < count; i++)
			stats[i] = (struct rte_vhost_stat){ .id = i,
							    .value = stats_value(&vq->stats, i) };
	device_unlock(dev);
	return (int)count;
}

int rte_vhost_vring_stats_reset(int vid, uint16_t queue_id)
{
	struct device *dev;
	struct vq *vq = counting_vq(vid, queue_id, &dev);

	if (vq == NULL)
		return -1;
	gate_close(&vq->gate);
	stats_reset(&vq->stats);
	vq_gate_open(vq);
	device_unlock(dev);
	return 0;
}
