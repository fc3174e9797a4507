/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queue heads: made on demand, kept for ever, emptied when a device goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "copy/pending.h"
#include "device.h"

void vq_detach(struct vq *vq)
{
	vq_abandon(vq);
	vq->discard_waits = false;
	pthread_mutex_lock(&vq->inflight_lock);
	vring_detach(&vq->ring);
	pthread_mutex_unlock(&vq->inflight_lock);
}

static void vq_forget_inflight(struct vq *vq)
{
	pthread_mutex_lock(&vq->inflight_lock);
	free(vq->resubmit.resubmit_list);
	vq->resubmit = (struct rte_vhost_resubmit_info){ 0 };
	vq->inflight = (struct inflight){ 0 };
	vq->ring.redo = NULL;
	pthread_mutex_unlock(&vq->inflight_lock);
}

/* Nobody writes to it any more. */
static void vq_drop_callfd(struct vq *vq, int instead)
{
	fd_close(&vq->call_number);
	vq->callfd = instead;
}

static void vq_reset(struct vq *vq)
{
	const struct device_backend *backend = device_server(vq->dev);

	vq_drop_callfd(vq, EVENTFD_UNSET);
	vq_set_eventfd(&vq->kickfd, EVENTFD_UNSET);
	vq_set_eventfd(&vq->errfd, EVENTFD_UNSET);
	vq_forget_inflight(vq);
	vq_detach(vq);
	if (backend != NULL &&
	    (vq->pending != NULL || vq->left_behind != NULL || vq->crypto != NULL))
		backend->forget(vq);
	free(vq->ring.misses);
	memset(&vq->ring, 0, sizeof(vq->ring));
	memset(&vq->stats, 0, sizeof(vq->stats));
	vq->addrs = (struct vring_addrs){ 0 };
	vq->parked = false;
	vq_set_log_addr(vq, false, 0);
	vq->addrs_set = false;
	vq->base_set = false;
	vq->started = false;
	vq->enabled = false;
	vq->switched_off = false;
	vq->resync = false;
	vq->renotify = false;
	vq->owes_call = false;
	vq->ready = false;
	vq->attach_failed = false;
	vq->net = (struct vq_net){ 0 };
	vq->stats_on = false;
	__atomic_store_n(&vq->kicks_wanted, -1, __ATOMIC_RELAXED);
}

struct vq *device_vq_make(struct device *dev, unsigned int index)
{
	for (unsigned int i = dev->nr_vqs; i <= index; i++) {
		struct vq *vq = dev->vqs[i];

		if (vq == NULL) {
			vq = aligned_alloc(CACHE_LINE_BYTES, sizeof(*vq));
			if (vq == NULL)
				return NULL;
			memset(vq, 0, sizeof(*vq));
			gate_init(&vq->gate);
			pthread_mutex_init(&vq->inflight_lock, NULL);
			vq->dev = dev;
			vq->index = (uint16_t)i;
			vq->callfd = EVENTFD_UNSET;
			vq->call_number = -1;
			vq->kickfd = EVENTFD_UNSET;
			vq->errfd = EVENTFD_UNSET;
			dev->vqs[i] = vq;
		}
		vq_reset(vq);
		vq->stats_on = (dev->config->flags & RTE_VHOST_USER_NET_STATS_ENABLE) != 0;
		/* Without bit 30 the frontend never enables: rings start enabled. */
		vq->enabled = dev->features_set && !device_has(dev, VHOST_USER_F_PROTOCOL_FEATURES);
		__atomic_store_n(&dev->nr_vqs, i + 1, __ATOMIC_RELEASE);
	}
	return dev->vqs[index];
}

void device_vqs_drop(struct device *dev, unsigned int first)
{
	unsigned int count = dev->nr_vqs;

	if (first >= count)
		return;
	__atomic_store_n(&dev->nr_vqs, first, __ATOMIC_RELEASE);
	for (unsigned int i = first; i < count; i++) {
		struct vq *vq = dev->vqs[i];

		/* Closed already (the queue is not ready); this waits out a visitor. */
		gate_close(&vq->gate);
		vq_reset(vq);
		gate_open(&vq->gate);
	}
}

void vq_set_eventfd(int *slot, int fd)
{
	fd_close(slot);
	*slot = fd;
}

/* Another eventfd under the number that applications know. */
static int vq_exchange_callfd(struct vq *vq, int fd)
{
	int ret = dup3(fd, vq->call_number, O_CLOEXEC) < 0 ? -errno : 0;

	close(fd);
	return ret;
}

int vq_set_callfd(struct vq *vq, int fd)
{
	int ret;

	if (vq->call_number < 0 || !vq->started) {
		vq_drop_callfd(vq, fd);
		vq->call_number = fd >= 0 ? fd : -1;
		return 0;
	}
	if (fd < 0) {
		/* Whoever writes there now calls nobody, but writes to no file of somebody else's. */
		int nobody = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		ret = nobody < 0 ? -errno : vq_exchange_callfd(vq, nobody);
	} else {
		ret = vq_exchange_callfd(vq, fd);
	}
	if (ret == 0)
		vq->callfd = fd < 0 ? fd : vq->call_number;
	return ret;
}

void vq_stop(struct vq *vq)
{
	vq->started = false;
	vq->addrs_set = false;
	vq->kick_serial++;
	vq->switched_off = false;
	/* The next start brings new ones (the stock library forgets both, too). */
	vq_set_eventfd(&vq->kickfd, EVENTFD_UNSET);
	vq_drop_callfd(vq, EVENTFD_UNSET);
	vq_forget_inflight(vq);
	vq_detach(vq);
	vq->ring.fault = RING_FAULT_NONE;
	vq->ring.signalled_valid = false;
}

void vq_set_base(struct vq *vq, uint16_t avail, uint16_t used)
{
	vq_abandon(vq);
	vring_set_base(&vq->ring, avail, used);
	vq->base_set = true;
}

void vq_default_base(const struct device *dev, struct vq *vq)
{
	if (vq->base_set || !device_has(dev, VIRTIO_F_RING_PACKED))
		return;
	vq_set_base(vq, VRING_PACKED_START, VRING_PACKED_START);
}

/*
 * A ring that just started: what the guest was told last stands in the ring.
 * Everything after it is served (again): a backend that died had fetched it,
 * but never gave it back.
 */
static void vq_resync(struct vq *vq)
{
	struct ring *vr = &vq->ring;
	uint16_t used;

	vq->resync = false;
	/* A packed ring keeps no such record: the frontend's word has to do. */
	if (vr->kind == RING_PACKED)
		return;
	used = shm_load16(GUEST_FIELD(vr->used, struct vring_used, idx));
	if (used != vr->last_avail)
		LOG_WARN("%s: queue %u: starts at %u but the ring says %u was used; resuming "
			 "from there (packets may be repeated)",
			 vq->dev->ifname, vq->index, vr->last_avail, used);
	vring_set_base(vr, used, used);
}

/* The part of the in-flight areas that is this queue's; NULL when it has none. */
static uint8_t __guest *inflight_area(const struct device *dev, const struct vq *vq)
{
	const struct device_inflight *inflight = &dev->inflight;
	uint64_t bytes = inflight_bytes(vq->ring.kind, inflight->queue_size);

	if (inflight->areas == NULL)
		return NULL;
	if (!range_within(vq->index * bytes, bytes, inflight->areas->size_bytes) ||
	    vq->index >= inflight->nr_queues) {
		LOG_WARN("%s: queue %u: the in-flight area has no room for it; a crash will lose "
			 "what is in flight",
			 dev->ifname, vq->index);
		return NULL;
	}
	return inflight->areas->host + vq->index * bytes;
}

/* A ring of an application: what is unfinished is for it to do again. */
static int vq_resume_inflight(struct device *dev, struct vq *vq, uint8_t __guest *area)
{
	int ret;

	pthread_mutex_lock(&vq->inflight_lock);
	free(vq->resubmit.resubmit_list);
	ret = inflight_start(&vq->inflight, &vq->ring, area, dev->inflight.queue_size,
			     &vq->resubmit);
	pthread_mutex_unlock(&vq->inflight_lock);
	if (ret == 0 && vq->resubmit.resubmit_num != 0)
		LOG_INFO("%s: queue %u: %u requests were in flight", dev->ifname, vq->index,
			 vq->resubmit.resubmit_num);
	return ret;
}

/* A ring that just started, attached: from where? */
static int vq_resume(struct device *dev, struct vq *vq)
{
	const struct device_backend *backend = device_server(dev);
	uint8_t __guest *area = inflight_area(dev, vq);
	int ret;

	if (area == NULL) {
		vq_resync(vq);
		return 0;
	}
	/*
	 * Its queue was stopped and starts again, with nothing in flight: from where
	 * the frontend says, which may have reset it.
	 */
	if (backend != NULL && dev->inflight.taken_up[vq->index])
		inflight_forget(area);
	ret = backend == NULL ? vq_resume_inflight(dev, vq, area) :
				redo_start(&vq->ring, backend->queue_dir(vq), area,
					   dev->inflight.queue_size);
	if (ret < 0)
		return ret;
	dev->inflight.taken_up[vq->index] = true;
	vq->resync = false;
	vq->owes_call = true;
	return 0;
}

static const char *attach_error(int ret)
{
	switch (ret) {
	case -EPROTO:
		return "has an in-flight area that does not belong to it or is damaged";
	case -ENOMEM:
		return "finds no memory for what it has to remember";
	case -EINVAL:
		return "is not aligned";
	case -EACCES:
		return "may not be read or written: the guest's vIOMMU does not allow it";
	case -ERANGE:
		return "has a size or a base that its format does not allow";
	default:
		return "is not whole inside one memory region (under a vIOMMU: not in one piece of it)";
	}
}

/* What a ring needs beside itself. */
static int set_misses(const struct device *dev, struct ring *vr)
{
	if ((dev->iotlb != NULL) == (vr->misses != NULL))
		return 0;
	free(vr->misses);
	vr->misses = NULL;
	if (dev->iotlb == NULL)
		return 0;
	vr->misses = calloc(1, sizeof(*vr->misses));
	if (vr->misses == NULL)
		return -ENOMEM;
	vr->misses->ahead = vr->last_avail;
	return 0;
}

int vq_retranslate(struct device *dev, struct vq *vq)
{
	int ret;

	pthread_mutex_lock(&vq->inflight_lock);
	ret = set_misses(dev, &vq->ring);
	if (ret == 0)
		ret = vring_attach(&vq->ring, dev->mem, dev->iotlb, &vq->addrs);
	pthread_mutex_unlock(&vq->inflight_lock);
	return ret;
}

int vq_attach(struct device *dev, struct vq *vq)
{
	int ret;

	vq->ring.kind = device_has(dev, VIRTIO_F_RING_PACKED) ? RING_PACKED : RING_SPLIT;
	vq->ring.event_idx = device_has(dev, VIRTIO_RING_F_EVENT_IDX);
	vq->ring.in_order = device_has(dev, VIRTIO_F_IN_ORDER);
	vq_default_base(dev, vq);
	ret = vq_retranslate(dev, vq);
	/* Before anything is written. */
	vq_log_setup(dev, vq);
	if (ret == 0 && vq->resync)
		ret = vq_resume(dev, vq);
	/* Asked for; tried again when the IOTLB changes. */
	if (ret == -ENOENT) {
		vq_detach(vq);
		return ret;
	}
	if (ret < 0) {
		vq_detach(vq);
		if (!vq->attach_failed)
			LOG_ERR("%s: queue %u: its ring %s", dev->ifname, vq->index,
				attach_error(ret));
		vq->attach_failed = true;
		return ret;
	}
	vq->attach_failed = false;
	if (device_server(dev) != NULL)
		device_server(dev)->ring_setup(dev, vq);
	vq_apply_kicks_wanted(vq);
	return 0;
}

bool vq_discards(const struct device *dev, const struct vq *vq)
{
	const struct device_backend *backend = device_server(dev);

	return backend != NULL && backend->queue_dir(vq) == CHAIN_READABLE && vq->started &&
	       vq->switched_off && !vq->ready && vq->addrs_set && vq->ring.size != 0 &&
	       vq->kickfd >= 0 && !vq->attach_failed && dev->mem != NULL && dev->features_set;
}

unsigned int vq_discardable(struct device *dev, struct vq *vq)
{
	struct ring *vr = &vq->ring;

	/* What is pending is given back first. */
	vq->discard_waits = vq->pending != NULL && !pending_is_idle(vq->pending);
	if (vq->discard_waits)
		return 0;
	if (!vring_attached(vr)) {
		if (vq_attach(dev, vq) < 0)
			return 0;
		/* Whatever the application wants when it is on. */
		ring_kick_enable(vr->kind, vr, true);
	}
	if (vr->fault != RING_FAULT_NONE)
		return 0;
	return ring_waiting(vr->kind, vr, vr->last_avail);
}

unsigned int vq_discard(struct vq *vq, unsigned int n)
{
	struct ring *vr = &vq->ring;
	struct span_pool pool;
	unsigned int done;

	for (done = 0; done < n; done++) {
		enum fetch_result ret;
		struct chain chain;

		pool.used = 0;
		ret = ring_fetch(vr->kind, vr, CHAIN_READABLE, &pool, &chain);
		if (ret == FETCH_BROKEN)
			vq_report_broken(vq);
		/* Nobody reads it: it need not be translated. */
		if (ret == FETCH_MISS)
			RING_VERB(vr->kind, skip, vr, chain.used);
		else if (ret != FETCH_OK && ret != FETCH_BAD)
			break;
		ring_used_push(vr->kind, vr, CHAIN_READABLE, &chain.used, 1);
	}
	if (done != 0)
		ring_publish(vr->kind, vr);
	ring_kick_enable(vr->kind, vr, true);
	if (done != 0)
		vq_notify(vr->kind, vq);
	vq->stats.dropped_off += done;
	return done;
}

void vq_apply_kicks_wanted(struct vq *vq)
{
	int8_t wanted = __atomic_load_n(&vq->kicks_wanted, __ATOMIC_RELAXED);

	if (wanted >= 0 && vring_attached(&vq->ring))
		ring_kick_enable(vq->ring.kind, &vq->ring, wanted != 0);
}

/*
 * While the gate was closed, a data thread may have asked for kicks, and may
 * have found nothing and gone to sleep on the kick fd. The gate is opened, then
 * the wish read; the thread stores it, then finds the gate closed: one of the
 * two sees the other.
 */
void vq_gate_open(struct vq *vq)
{
	int8_t wanted;

	gate_open(&vq->gate);
	wanted = __atomic_load_n(&vq->kicks_wanted, __ATOMIC_SEQ_CST);
	if (wanted < 0 || !gate_enter(&vq->gate))
		return;
	vq_apply_kicks_wanted(vq);
	gate_exit(&vq->gate);
	if (wanted != 0 && vq->kickfd >= 0)
		(void)eventfd_write(vq->kickfd, 1);
}

bool vq_call(struct vq *vq)
{
	if (eventfd_write(vq->callfd, 1) != 0 && errno != EAGAIN) {
		vq->stats.notifications_failed++;
		return false;
	}
	vq->stats.guest_notifications++;
	return true;
}

void vq_signal(struct vq *vq)
{
	struct device *dev = vq->dev;

	if (vq->callfd < 0 || !vq_call(vq))
		return;
	if (dev->config->ops.guest_notified != NULL)
		dev->config->ops.guest_notified(dev->vid);
}

COLD void vq_report_broken(struct vq *vq)
{
	enum ring_fault fault = vq->ring.fault;
	struct log_budget *outer = log_scope_enter(&vq->log_budget);

	vq->stats.faults[fault]++;
	LOG_ERR("%s: queue %u is broken (%s) and stopped until the guest resets it",
		vq->dev->ifname, vq->index, ring_fault_name(fault));
	log_scope_leave(outer);
	if (vq->errfd >= 0)
		(void)eventfd_write(vq->errfd, 1);
}
