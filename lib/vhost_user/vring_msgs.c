/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about one queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "table.h"

static bool is_packed(const struct device *dev)
{
	return device_has(dev, VIRTIO_F_RING_PACKED);
}

int vhu_valid_vring_num(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	(void)in_bytes;
	(void)nr_fds;
	/* virtio 1.2, 2.7 and 2.8: at most 32768 in either format. */
	return in->state.num != 0 && in->state.num <= VRING_SIZE_MAX ? 0 : -EINVAL;
}

int vhu_set_vring_num(struct vhu_call *call)
{
	uint32_t num = call->in->state.num;

	if (!is_packed(call->dev) && !is_pow2(num)) {
		LOG_ERR("%s: SET_VRING_NUM: %u is no power of two, as the size of a split ring is",
			call->dev->ifname, num);
		return -EINVAL;
	}
	call->vq->ring.size = (uint16_t)num;
	call->vq->attach_failed = false;
	return 0;
}

int vhu_set_vring_addr(struct vhu_call *call)
{
	const struct vhu_vring_addr *a = &call->in->addr;
	struct device *dev = call->dev;
	struct vq *vq = call->vq;

	if ((a->flags & ~VHU_VRING_ADDR_F_LOG) != 0)
		return -EINVAL;
	vq_set_log_addr(vq, (a->flags & VHU_VRING_ADDR_F_LOG) != 0, a->log);
	if (dev->log != NULL && !device_log_covers_used(dev, dev->log, vq)) {
		vq_set_log_addr(vq, false, 0);
		return -EINVAL;
	}
	/* A vDPA device is told where its rings are when it is configured. */
	if (vring_attached(&vq->ring) && (a->desc != vq->addrs.desc || a->avail != vq->addrs.avail ||
					  a->used != vq->addrs.used))
		device_vdpa_close(dev);
	vq->addrs = (struct vring_addrs){ .desc = a->desc,
					  .avail = a->avail,
					  .used = a->used };
	vq->addrs_set = true;
	vq->attach_failed = false;
	/* May come while the queue runs: the rings are looked up anew. */
	if (vring_attached(&vq->ring)) {
		int ret = vq_attach(dev, vq);

		/* Not translated yet: it waits. */
		return ret == -ENOENT ? 0 : ret;
	}
	return 0;
}

int vhu_set_vring_base(struct vhu_call *call)
{
	uint16_t avail = (uint16_t)call->in->state.num;
	uint16_t used = (uint16_t)(call->in->state.num >> 16);

	if (!is_packed(call->dev) && used != 0)
		return -EINVAL;
	/* Frontends that know of one half only leave the other 0: nothing is in flight. */
	vq_set_base(call->vq, avail, used != 0 ? used : avail);
	return 0;
}

/* Stops the queue. What it answers is where the guest may resume. */
int vhu_get_vring_base(struct vhu_call *call)
{
	const struct ring *vr = &call->vq->ring;
	uint32_t num;

	vq_abandon(call->vq);
	vq_default_base(call->dev, call->vq);
	num = vr->last_avail;
	if (is_packed(call->dev))
		num |= (uint32_t)vr->used_idx << 16;
	call->out->state = (struct vhu_vring_state){ .index = call->vq->index, .num = num };
	call->out_bytes = sizeof(call->out->state);
	vq_stop(call->vq);
	device_forget_translations(call->dev);
	return 0;
}

int vhu_valid_vring_fd(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	bool none = (in->u64 & VHU_VRING_NOFD) != 0;

	(void)in_bytes;
	if ((in->u64 & ~(uint64_t)(VHU_VRING_INDEX_MASK | VHU_VRING_NOFD)) != 0)
		return -EINVAL;
	return none == (nr_fds == 0) ? 0 : -EINVAL;
}

/*
 * Anything but an eventfd could make a data thread block in write(). That the
 * sender shares the open file and may clear O_NONBLOCK again is a known limit
 * (SECURITY.md).
 */
static int check_eventfd(const struct vhu_call *call, int fd)
{
	char path[32], target[32];
	ssize_t n;
	int flags;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n >= 0) {
		target[n] = '\0';
		if (strcmp(target, "anon_inode:[eventfd]") != 0) {
			LOG_ERR("%s: a descriptor is no eventfd but %s", call->dev->ifname,
				target);
			return -EINVAL;
		}
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int vhu_take_eventfd(struct vhu_call *call, int *fd)
{
	*fd = EVENTFD_NONE;
	if (call->fds->count != 0) {
		int ret = check_eventfd(call, call->fds->fds[0]);

		if (ret < 0)
			return ret;
		*fd = fdbag_take(call->fds, 0);
	}
	return 0;
}

/* Replaces one of a queue's eventfds. */
static int replace_eventfd(struct vhu_call *call, int *slot)
{
	int fd, ret = vhu_take_eventfd(call, &fd);

	if (ret == 0)
		vq_set_eventfd(slot, fd);
	return ret;
}

int vhu_set_vring_kick(struct vhu_call *call)
{
	struct vq *vq = call->vq;
	int ret = replace_eventfd(call, &vq->kickfd);

	if (ret < 0)
		return ret;
	vq->kick_serial++;
	if (!vq->started) {
		vq->started = true;
		vq->resync = true;
		vq->ring.fault = RING_FAULT_NONE;
		vq->attach_failed = false;
		vq_detach(vq);
	}
	vq->renotify = true;
	return 0;
}

int vhu_set_vring_call(struct vhu_call *call)
{
	struct vq *vq = call->vq;
	int fd, ret = vhu_take_eventfd(call, &fd);

	if (ret == 0)
		ret = vq_set_callfd(vq, fd);
	if (ret < 0)
		return ret;
	vq->renotify = true;
	/*
	 * What the old one was told last, or would have been, may never be heard:
	 * the new one is told if the guest wants to know anything at all.
	 */
	vq->ring.signalled_valid = false;
	if (vq->callfd >= 0 && vq->ready && !vq->parked && vq->ring.fault == RING_FAULT_NONE &&
	    ring_notify_needed(vq->ring.kind, &vq->ring))
		(void)eventfd_write(vq->callfd, 1);
	return 0;
}

int vhu_set_vring_err(struct vhu_call *call)
{
	int ret = replace_eventfd(call, &call->vq->errfd);

	/* We look it up for each error; a vDPA device that serves the queue has the old one. */
	if (ret == 0 && call->dev->vdpa != NULL)
		call->vq->renotify = true;
	return ret;
}

int vhu_valid_vring_enable(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	(void)in_bytes;
	(void)nr_fds;
	return in->state.num > 1 ? -EINVAL : 0;
}

int vhu_set_vring_enable(struct vhu_call *call)
{
	call->vq->enabled = call->in->state.num != 0;
	call->vq->switched_off = !call->vq->enabled;
	return 0;
}
