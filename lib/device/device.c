/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vid table. Slots are filled once and then recycled.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "device.h"

struct device *device_slots[DEVICES_MAX];
/* Guards in_use of every slot, and filling slots. */
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

static struct device *slot_fill(int vid)
{
	struct device *dev = aligned_alloc(CACHE_LINE_BYTES, sizeof(*dev) + CACHE_LINE_BYTES -
							     sizeof(*dev) % CACHE_LINE_BYTES);

	if (dev == NULL)
		return NULL;
	memset(dev, 0, sizeof(*dev));
	pthread_mutex_init(&dev->lock, NULL);
	pthread_mutex_init(&dev->backend_lock, NULL);
	pthread_mutex_init(&dev->answer_lock, NULL);
	pthread_mutex_init(&dev->log_lock, NULL);
	dev->vid = vid;
	device_postcopy_init(dev);
	dev->backend_fd = -1;
	dev->log_fd = -1;
	dev->transfer.fd = -1;
	__atomic_store_n(&device_slots[vid], dev, __ATOMIC_RELEASE);
	return dev;
}

struct device *device_acquire(const struct driver_config *config, const char *ifname)
{
	const struct vdpa *vdpa = __atomic_load_n(&config->vdpa, __ATOMIC_ACQUIRE);
	struct device_limits limits;
	struct device *dev = NULL;
	int vid;

	if (device_limits_of(vdpa, ifname, &limits) < 0)
		return NULL;

	pthread_mutex_lock(&slots_lock);
	for (vid = 0; vid < DEVICES_MAX; vid++) {
		if (device_slots[vid] == NULL) {
			dev = slot_fill(vid);
			break;
		}
		if (!device_slots[vid]->in_use) {
			dev = device_slots[vid];
			break;
		}
	}
	if (dev != NULL) {
		pthread_mutex_lock(&dev->lock);
		dev->in_use = true;
		dev->config = config;
		dev->backend = vdpa != NULL ? vdpa->backend :
					      __atomic_load_n(&config->backend, __ATOMIC_RELAXED);
		dev->vdpa = vdpa;
		dev->vdpa_wanted = false;
		dev->limits = limits;
		memset(dev->notifiers, 0, sizeof(dev->notifiers));
		memset(dev->ifname, 0, sizeof(dev->ifname));
		strncpy(dev->ifname, ifname, sizeof(dev->ifname) - 1);
		pthread_mutex_unlock(&dev->lock);
	} else if (vid == DEVICES_MAX) {
		LOG_ERR("%s: all %d device ids are in use", ifname, DEVICES_MAX);
	}
	pthread_mutex_unlock(&slots_lock);
	return dev;
}

void device_set_backend_fd(struct device *dev, int fd)
{
	/*
	 * Whoever waits for an answer on the old socket holds the lock for as
	 * long as the frontend likes: end that. Only this thread changes the fd.
	 */
	if (pthread_mutex_trylock(&dev->answer_lock) != 0) {
		if (dev->backend_fd >= 0)
			(void)shutdown(dev->backend_fd, SHUT_RDWR);
		pthread_mutex_lock(&dev->answer_lock);
	}
	pthread_mutex_lock(&dev->backend_lock);
	fd_close(&dev->backend_fd);
	dev->backend_fd = fd;
	pthread_mutex_unlock(&dev->backend_lock);
	pthread_mutex_unlock(&dev->answer_lock);
}

void device_forget_guest(struct device *dev)
{
	device_vqs_drop(dev, 0);
	(void)device_set_iommu(dev, false);
	device_set_log(dev, NULL);
	device_set_log_fd(dev, -1);
	dev->features = 0;
	dev->features_set = false;
	dev->features_refused = false;
	__atomic_store_n(&dev->mtu_bytes, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&dev->rarp.word, 0, __ATOMIC_RELAXED);
	dev->status = 0;
	fd_close(&dev->transfer.fd);
	dev->transfer.good = false;
	dev->ready = false;
}

void device_release(struct device *dev)
{
	pthread_mutex_lock(&slots_lock);
	pthread_mutex_lock(&dev->lock);
	device_forget_guest(dev);
	if (device_server(dev) != NULL && device_server(dev)->release != NULL)
		device_server(dev)->release(dev);
	device_postcopy_end(dev);
	dev->postcopy.failed = false;
	gmem_put(dev->mem);
	dev->mem = NULL;
	dev->warned_not_resident = false;
	device_set_inflight(dev, (struct device_inflight){ 0 });
	__atomic_store_n(&dev->protocol_features, 0, __ATOMIC_RELAXED);
	dev->extern_ops = (struct rte_vhost_user_extern_ops){ 0 };
	dev->log_budget = (struct log_budget){ 0 };
	dev->config = NULL;
	dev->backend = NULL;
	dev->vdpa = NULL;
	dev->in_use = false;
	pthread_mutex_unlock(&dev->lock);
	pthread_mutex_unlock(&slots_lock);

	device_set_backend_fd(dev, -1);
}

struct device *device_lock(int vid)
{
	struct device *dev = device_slot(vid);

	if (dev == NULL)
		return NULL;
	pthread_mutex_lock(&dev->lock);
	if (dev->in_use)
		return dev;
	pthread_mutex_unlock(&dev->lock);
	return NULL;
}

bool device_is_busy(const struct device *dev)
{
	bool busy = dev->running;

	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		busy |= dev->vqs[i]->started;
	return busy;
}

void device_gates_close(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		gate_close(&dev->vqs[i]->gate);
}

/* `count`: how many device_gates_close() closed; a handler may make queues. */
void device_gates_open(struct device *dev, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		vq_gate_open(dev->vqs[i]);
}

void device_swap_memory(struct device *dev, struct gmem **mem)
{
	struct gmem *old = dev->mem;

	pthread_mutex_lock(&dev->postcopy.lock);
	dev->mem = *mem;
	pthread_mutex_unlock(&dev->postcopy.lock);
	*mem = old;
	if (dev->iotlb != NULL) {
		iotlb_move(dev->iotlb, dev->mem);
		iotlb_exchange(dev->iotlb);
	}
	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = dev->vqs[i];

		vq->attach_failed = false;
		/* A ring that does not fit the new table is not ready: reconcile sees. */
		if (vring_attached(&vq->ring))
			vq_attach(dev, vq);
	}
}

void device_set_inflight(struct device *dev, struct device_inflight inflight)
{
	if (dev->inflight.areas != NULL)
		region_put(dev->inflight.areas);
	dev->inflight = inflight;
}

bool device_memory_is_cut(const struct device *dev)
{
	bool cut = (dev->log != NULL && filemap_is_cut(&dev->log->map)) ||
		   (dev->inflight.areas != NULL && filemap_is_cut(&dev->inflight.areas->map));

	for (unsigned int i = 0; dev->mem != NULL && i < dev->mem->nr_regions; i++)
		cut = cut || filemap_is_cut(&dev->mem->regions[i]->map);
	if (cut)
		LOG_ERR("%s: device %d: a file behind its memory got shorter while it was mapped",
			dev->ifname, dev->vid);
	return cut;
}
