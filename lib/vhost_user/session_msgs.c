/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about the session and the device as a whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>

#include "table.h"

#define MTU_MAX_BYTES 65535

static int reply_u64(struct vhu_call *call, uint64_t value)
{
	call->out->u64 = value;
	call->out_bytes = sizeof(call->out->u64);
	return 0;
}

int vhu_get_features(struct vhu_call *call)
{
	return reply_u64(call, offered_features(call->dev->config, &call->dev->limits));
}

/*
 * While a queue runs only VHOST_F_LOG_ALL may change: everything else is
 * baked into the queues.
 */
static int check_change(const struct device *dev, uint64_t features, bool busy)
{
	return busy && ((features ^ dev->features) & ~BIT(VHOST_F_LOG_ALL)) != 0 ? -EBUSY : 0;
}

/* What was agreed before stays, but the driver learns that this was not (virtio 1.2, 3.1.1). */
static int refuse_features(struct device *dev, int err)
{
	dev->status &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	dev->features_refused = true;
	return err;
}

/* Only VHOST_F_LOG_ALL changes on a running device, whose bursts go on meanwhile. */
static void tell_features_changed(struct device *dev, uint64_t features)
{
	if (dev->config->ops.features_changed == NULL)
		return;
	device_gates_open(dev, dev->nr_vqs);
	device_unlock(dev);
	dev->config->ops.features_changed(dev->vid, features);
	pthread_mutex_lock(&dev->lock);
	device_gates_close(dev);
}

/* The bit alone says nothing: applications that know of no vIOMMU may offer it, too. */
static bool wants_iommu(const struct device *dev, uint64_t features)
{
	return (dev->config->flags & RTE_VHOST_USER_IOMMU_SUPPORT) != 0 &&
	       (features & BIT(VIRTIO_F_ACCESS_PLATFORM)) != 0;
}

int vhu_set_features(struct vhu_call *call)
{
	struct device *dev = call->dev;
	uint64_t features = call->in->u64;
	uint64_t extra = features & ~offered_features(dev->config, &dev->limits);
	uint64_t old = dev->features;
	bool busy = device_is_busy(dev);

	if (extra != 0) {
		LOG_ERR("%s: SET_FEATURES: bits 0x%" PRIx64 " were not offered; if the guest has "
			"them from before a restart of this process, offer them again",
			dev->ifname, extra);
		return refuse_features(dev, -EINVAL);
	}
	if (check_change(dev, features, busy) < 0) {
		LOG_ERR("%s: SET_FEATURES: 0x%" PRIx64 " to 0x%" PRIx64
			" while queues run; send GET_VRING_BASE first",
			dev->ifname, old, features);
		return refuse_features(dev, -EBUSY);
	}
	if (!busy && device_set_iommu(dev, wants_iommu(dev, features)) < 0)
		return refuse_features(dev, -ENOMEM);
	if (dev->running && features != old)
		tell_features_changed(dev, features);
	dev->features = features;
	/* While the log is still there. */
	if (features != old)
		device_vdpa_features_set(dev);
	/* The migration is over, or given up: nothing of it stays. */
	if ((old & ~features & BIT(VHOST_F_LOG_ALL)) != 0)
		device_set_log(dev, NULL);
	device_log_setup(dev);
	dev->features_set = true;
	dev->features_refused = false;
	/* A guest without multiqueue uses the first pair, whatever was announced. */
	if (dev->backend != NULL && dev->backend->in_pairs &&
	    !device_has(dev, VIRTIO_NET_F_MQ) && !busy && old != features)
		device_vqs_drop(dev, 2);
	if (!device_has(dev, VHOST_USER_F_PROTOCOL_FEATURES))
		for (unsigned int i = 0; i < dev->nr_vqs; i++) {
			dev->vqs[i]->enabled = true;
			dev->vqs[i]->switched_off = false;
		}
	return 0;
}

int vhu_get_protocol_features(struct vhu_call *call)
{
	return reply_u64(call, offered_protocol_features(call->dev->config, &call->dev->limits));
}

int vhu_set_protocol_features(struct vhu_call *call)
{
	struct device *dev = call->dev;
	uint64_t offered = offered_protocol_features(dev->config, &dev->limits);
	uint64_t extra = call->in->u64 & ~offered;

	if (extra != 0) {
		LOG_ERR("%s: SET_PROTOCOL_FEATURES: bits 0x%" PRIx64 " were not offered",
			dev->ifname, extra);
		return -EINVAL;
	}
	/* It says what the addresses mean that are in the table already. */
	if ((dev->mem != NULL || dev->postcopy.proposed != NULL) &&
	    ((call->in->u64 ^ dev->protocol_features) &
	     BIT(VHOST_USER_PROTOCOL_F_GPA_ADDRESSES)) != 0) {
		LOG_ERR("%s: SET_PROTOCOL_FEATURES: GPA_ADDRESSES changes after memory came; "
			"negotiate it first",
			dev->ifname);
		return -EBUSY;
	}
	__atomic_store_n(&dev->protocol_features, call->in->u64, __ATOMIC_RELAXED);
	return 0;
}

int vhu_set_owner(struct vhu_call *call)
{
	(void)call; /* Marks the start of a session; nothing depends on it. */
	return 0;
}

/* Deprecated; as the specification recommends it disables all rings. */
int vhu_reset_owner(struct vhu_call *call)
{
	struct device *dev = call->dev;

	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		vq_stop(dev->vqs[i]);
		dev->vqs[i]->enabled = !device_has(dev, VHOST_USER_F_PROTOCOL_FEATURES);
	}
	device_forget_translations(dev);
	device_reconcile_rings(dev);
	device_vdpa_cleanup(dev);
	return 0;
}

/*
 * The device is as it was when the frontend connected, but the session is not:
 * protocol features, memory and the other direction's socket stay, which a
 * frontend says once.
 */
int vhu_reset_device(struct vhu_call *call)
{
	struct device *dev = call->dev;

	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		vq_stop(dev->vqs[i]);
	/* The application hears of each ring before they are forgotten. */
	device_reconcile_rings(dev);
	device_vdpa_cleanup(dev);
	device_forget_guest(dev);
	return 0;
}

int vhu_get_queue_num(struct vhu_call *call)
{
	return reply_u64(call, offered_queue_num(call->dev->config, &call->dev->limits));
}

/* The guest moved here: packets shall find it. The first six bytes are its address. */
int vhu_send_rarp(struct vhu_call *call)
{
	union device_rarp rarp = { .word = call->in->u64 };

	rarp.waits = 1;
	__atomic_store_n(&call->dev->rarp.word, rarp.word, __ATOMIC_RELEASE);
	device_vdpa_migration_done(call->dev);
	return 0;
}

int vhu_valid_mtu(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	(void)in_bytes;
	(void)nr_fds;
	return in->u64 < DEVICE_MTU_MIN_BYTES || in->u64 > MTU_MAX_BYTES ? -EINVAL : 0;
}

int vhu_set_mtu(struct vhu_call *call)
{
	__atomic_store_n(&call->dev->mtu_bytes, (uint16_t)call->in->u64, __ATOMIC_RELAXED);
	return 0;
}

int vhu_valid_status(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	(void)in_bytes;
	(void)nr_fds;
	return in->u64 > UINT8_MAX ? -EINVAL : 0;
}

int vhu_set_status(struct vhu_call *call)
{
	uint8_t status = (uint8_t)call->in->u64;

	/* Refused features show as FEATURES_OK that does not stick. */
	if (!call->dev->features_set || call->dev->features_refused)
		status &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	call->dev->status = status;
	return 0;
}

int vhu_get_status(struct vhu_call *call)
{
	return reply_u64(call, call->dev->status);
}

/* The other direction's socket: we send requests on it (backend.c). */
int vhu_set_backend_req_fd(struct vhu_call *call)
{
	struct device *dev = call->dev;
	int fd = call->fds->fds[0], domain = 0, type = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {
		LOG_ERR("%s: SET_BACKEND_REQ_FD: the descriptor is no Unix stream socket",
			dev->ifname);
		return -EINVAL;
	}
	device_set_backend_fd(dev, fdbag_take(call->fds, 0));
	return 0;
}

/* All of it inside the space, and as much as was announced. */
int vhu_valid_config(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	const struct vhu_config *config = &in->config;

	(void)nr_fds;
	if (!range_within(config->offset_bytes, config->size_bytes, VHU_CONFIG_BYTES))
		return -EINVAL;
	return in_bytes == offsetof(struct vhu_config, space) + config->size_bytes ? 0 : -EINVAL;
}

/*
 * The first `size_bytes` of a configuration space that has `*has_bytes`, from whose it is. What
 * only the frontend knows reads as 0.
 */
static int read_config(struct device *dev, uint8_t *space, uint32_t size_bytes, uint32_t *has_bytes)
{
	const struct device_backend *backend = device_server(dev);

	if (dev->vdpa != NULL) {
		*has_bytes = size_bytes;
		return device_vdpa_config_read(dev, space, size_bytes);
	}
	if (backend == NULL || backend->config_read == NULL)
		return -ENOTSUP;
	*has_bytes = backend->config_read(dev, space);
	return 0;
}

/*
 * The configuration space is the application's: its handlers are asked first. Otherwise it is the
 * backend's, which may be read only. No payload means an error (specification, GET_CONFIG).
 */
int vhu_get_config(struct vhu_call *call)
{
	const struct vhu_config *in = &call->in->config;
	uint8_t space[DEVICE_CONFIG_BYTES] = { 0 };
	uint32_t has_bytes = 0;

	_Static_assert(sizeof(space) == VHU_CONFIG_BYTES, "what the window lies in");
	call->out_bytes = 0;
	if (read_config(call->dev, space, in->offset_bytes + in->size_bytes, &has_bytes) < 0) {
		LOG_ERR("%s: GET_CONFIG: %s", call->dev->ifname,
			call->dev->vdpa != NULL ? "the vDPA device does not say" :
						  "the application has no handler for it");
		return 0;
	}
	if (in->offset_bytes >= has_bytes) {
		LOG_ERR("%s: GET_CONFIG: there is nothing at %u", call->dev->ifname,
			in->offset_bytes);
		return 0;
	}
	call->out->config = (struct vhu_config){ .offset_bytes = in->offset_bytes,
						 .size_bytes = in->size_bytes,
						 .flags = in->flags };
	memcpy(call->out->config.space, space + in->offset_bytes, in->size_bytes);
	call->out_bytes = call->in_bytes;
	return 0;
}

int vhu_set_config(struct vhu_call *call)
{
	const struct device_backend *backend = device_server(call->dev);
	const struct vhu_config *in = &call->in->config;

	if (call->dev->vdpa != NULL) {
		/* What the guest writes is for the device to take or not. */
		call->declined = device_vdpa_config_write(call->dev, in->space, in->offset_bytes,
							  in->size_bytes, in->flags) < 0;
		return 0;
	}
	if (backend != NULL && backend->config_read != NULL)
		LOG_ERR("%s: SET_CONFIG: the configuration space is read-only",
			call->dev->ifname);
	else
		LOG_ERR("%s: SET_CONFIG: the application has no handler for it",
			call->dev->ifname);
	return -ENOTSUP;
}
