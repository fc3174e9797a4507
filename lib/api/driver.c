/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rte_vhost_driver_*(): registered sockets.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "memory/uffd.h"
#include "net/hdr.h"
#include "net/net.h"
#include "server/endpoint.h"
#include "vdpa/vdpa.h"

#define QUEUE_PAIRS_MAX (DEVICE_VQS_MAX / 2)

/* What the built-in net data path can do, and offers by default. */
#define NET_FEATURES                                                                              \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_MTU) |          \
	 BIT(VIRTIO_NET_F_GSO) | BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) |    \
	 BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_GUEST_UFO) |                              \
	 BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) | \
	 BIT(VIRTIO_NET_F_HOST_UFO) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CTRL_VQ) |   \
	 BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MQ) |    \
	 BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |                            \
	 BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) |                     \
	 BIT(VHOST_F_LOG_ALL) |                                                                   \
	 BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER))

/*
 * The application has to ask for these, rte_vhost_driver_enable_features(): some change what it gets
 * to see; RING_RESET needs a frontend that stops the ring, while QEMU 7.2 lets the guest have the
 * bit, but tells no vhost-user backend of a reset.
 */
#define NET_FEATURES_ON_REQUEST \
	(NET_USO_FEATURES | BIT(VIRTIO_NET_F_HASH_REPORT) | BIT(VIRTIO_F_RING_RESET))

#define NET_PROTOCOL_FEATURES                                                              \
	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD) |            \
	 BIT(VHOST_USER_PROTOCOL_F_RARP) |                                                 \
	 BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |                                            \
	 BIT(VHOST_USER_PROTOCOL_F_NET_MTU) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) |     \
	 BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) |                                      \
	 BIT(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER) |                                        \
	 BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) |                                       \
	 BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |                                         \
	 BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |                                  \
	 BIT(VHOST_USER_PROTOCOL_F_STATUS) | BIT(VHOST_USER_PROTOCOL_F_DEVICE_STATE))

/* Segmentation makes packets that do not fit one mbuf. */
#define HOST_SEGMENTATION                                               \
	(BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | \
	 BIT(VIRTIO_NET_F_HOST_UFO) | BIT(VIRTIO_NET_F_HOST_USO))

#define FLAGS_KNOWN                                                                       \
	(RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT | RTE_VHOST_USER_RESERVED_1 | \
	 RTE_VHOST_USER_EXTBUF_SUPPORT | RTE_VHOST_USER_LINEARBUF_SUPPORT |                \
	 RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS | RTE_VHOST_USER_NET_STATS_ENABLE |         \
	 RTE_VHOST_USER_IOMMU_SUPPORT | RTE_VHOST_USER_POSTCOPY_SUPPORT |                  \
	 RTE_VHOST_USER_ASYNC_COPY)

/* `features` as far as a socket with these flags can have them. */
static uint64_t features_under(uint64_t flags, uint64_t features)
{
	if ((flags & RTE_VHOST_USER_LINEARBUF_SUPPORT) != 0 &&
	    (flags & RTE_VHOST_USER_EXTBUF_SUPPORT) == 0)
		features &= ~HOST_SEGMENTATION;
	if ((flags & RTE_VHOST_USER_IOMMU_SUPPORT) != 0)
		features |= BIT(VIRTIO_F_ACCESS_PLATFORM);
	return features;
}

/*
 * Engines need all memory where it is: under a vIOMMU the guest takes it away when it likes, with
 * postcopy it has not come yet.
 */
static bool can_async_copy(const char *path, uint64_t flags)
{
	bool iommu = (flags & RTE_VHOST_USER_IOMMU_SUPPORT) != 0;
	bool postcopy = (flags & RTE_VHOST_USER_POSTCOPY_SUPPORT) != 0;

	if ((flags & RTE_VHOST_USER_ASYNC_COPY) == 0 || (!iommu && !postcopy))
		return true;
	LOG_ERR("%s: no async copies %s%s%s: leave RTE_VHOST_USER_ASYNC_COPY out, or %s%s%s", path,
		iommu ? "behind a vIOMMU" : "", iommu && postcopy ? " or " : "",
		postcopy ? "with postcopy migration" : "",
		iommu ? "RTE_VHOST_USER_IOMMU_SUPPORT" : "", iommu && postcopy ? " and " : "",
		postcopy ? "RTE_VHOST_USER_POSTCOPY_SUPPORT" : "");
	return false;
}

/* Asked for what the kernel does not let us do? Better now than when a guest is half way here. */
static bool can_postcopy(const char *path)
{
	int fd = uffd_open();

	if (fd < 0) {
		LOG_ERR("%s: no postcopy migration; register without "
			"RTE_VHOST_USER_POSTCOPY_SUPPORT, or see above", path);
		return false;
	}
	close(fd);
	return true;
}

int rte_vhost_driver_register(const char *path, uint64_t flags)
{
	struct driver_config config = { .flags = flags,
					.features = features_under(flags, NET_FEATURES),
					.supported_features = features_under(
						flags, NET_FEATURES | NET_FEATURES_ON_REQUEST),
					.protocol_features = NET_PROTOCOL_FEATURES,
					.max_queue_pairs = QUEUE_PAIRS_MAX,
					.backend = &net_backend };
	int ret;

	if (path == NULL || path[0] == '\0') {
		LOG_ERR("rte_vhost_driver_register: no path given");
		return -1;
	}
	if ((flags & ~FLAGS_KNOWN) != 0) {
		LOG_ERR("%s: flags 0x%" PRIx64 " are unknown", path, (uint64_t)(flags & ~FLAGS_KNOWN));
		return -1;
	}
	if (!can_async_copy(path, flags))
		return -1;
	if ((flags & RTE_VHOST_USER_POSTCOPY_SUPPORT) != 0) {
		if (!can_postcopy(path))
			return -1;
		config.protocol_features |= BIT(VHOST_USER_PROTOCOL_F_PAGEFAULT);
	}
	ret = endpoint_register(path, &config);
	if (ret == -EEXIST)
		LOG_ERR("%s: is registered already", path);
	else if (ret == -ENAMETOOLONG)
		LOG_ERR("%s: longer than %d bytes, the most a socket path can have", path,
			DEVICE_NAME_BYTES - 1);
	else if (ret < 0)
		LOG_ERR("%s: cannot be registered (error %d)", path, -ret);
	return ret < 0 ? -1 : 0;
}

int rte_vhost_driver_unregister(const char *path)
{
	return path == NULL || endpoint_unregister(path) < 0 ? -1 : 0;
}

int rte_vhost_driver_start(const char *path)
{
	int ret = path == NULL ? -EINVAL : endpoint_start(path);

	if (ret < 0)
		LOG_ERR("%s: cannot be started (error %d)", path != NULL ? path : "(null)", -ret);
	return ret < 0 ? -1 : 0;
}

static int set_ops(struct driver_config *config, void *arg)
{
	const struct rte_vhost_device_ops *ops = arg;

	config->ops = ops != NULL ? *ops : (struct rte_vhost_device_ops){ 0 };
	return 0;
}

int rte_vhost_driver_callback_register(const char *path,
				       struct rte_vhost_device_ops const *const ops)
{
	if (path == NULL)
		return -1;
	return endpoint_with_config(path, set_ops, (void *)(uintptr_t)ops) < 0 ? -1 : 0;
}

/* --- features ---------------------------------------------------------- */

static void store(uint64_t *where, uint64_t value)
{
	__atomic_store_n(where, value, __ATOMIC_RELAXED);
}

/* The application serves the rings itself from here on. */
static int set_features(struct driver_config *config, void *arg)
{
	const uint64_t *features = arg;

	config->supported_features = *features;
	store(&config->features, *features);
	__atomic_store_n(&config->backend, NULL, __ATOMIC_RELAXED);
	return 0;
}

static int enable_features(struct driver_config *config, void *arg)
{
	const uint64_t *features = arg;
	int ret;

	if ((*features & ~config->supported_features) != 0)
		return -EINVAL;
	if ((*features & NET_USO_FEATURES) != 0 && (ret = hdr_uso_enable()) != 0) {
		LOG_ERR("no mbuf flag left for USO (%s): leave VIRTIO_NET_F_*_USO* out",
			strerror(-ret));
		return ret;
	}
	store(&config->features, config->features | *features);
	return 0;
}

static int disable_features(struct driver_config *config, void *arg)
{
	const uint64_t *features = arg;

	store(&config->features, config->features & ~*features);
	return 0;
}

/* Bits that change what the library itself does, in a way that it does not (docs/messages.md). */
#define PROTOCOL_REFUSED                                                              \
	(BIT(VHOST_USER_PROTOCOL_F_CROSS_ENDIAN) | BIT(VHOST_USER_PROTOCOL_F_XEN_MMAP) | \
	 BIT(VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS))

static int set_protocol_features(struct driver_config *config, void *arg)
{
	uint64_t refused = *(uint64_t *)arg & PROTOCOL_REFUSED;

	if (refused != 0) {
		LOG_ERR("protocol features 0x%" PRIx64 " (CROSS_ENDIAN, INBAND_NOTIFICATIONS, "
			"XEN_MMAP) cannot be offered, whoever answers messages: leave them out",
			refused);
		return -ENOTSUP;
	}
	store(&config->protocol_features, *(uint64_t *)arg);
	return 0;
}

static int on_config(const char *path, int (*use)(struct driver_config *config, void *arg),
		     void *arg)
{
	if (path == NULL || arg == NULL)
		return -1;
	return endpoint_with_config(path, use, arg) < 0 ? -1 : 0;
}

int rte_vhost_driver_set_features(const char *path, uint64_t features)
{
	return on_config(path, set_features, &features);
}

int rte_vhost_driver_enable_features(const char *path, uint64_t features)
{
	return on_config(path, enable_features, &features);
}

int rte_vhost_driver_disable_features(const char *path, uint64_t features)
{
	return on_config(path, disable_features, &features);
}

int rte_vhost_driver_set_protocol_features(const char *path, uint64_t protocol_features)
{
	return on_config(path, set_protocol_features, &protocol_features);
}

static int get_config(struct driver_config *config, void *arg)
{
	*(struct driver_config *)arg = *config;
	return 0;
}

/* What is registered for a path, and how much of it there is: a vDPA device has a say in it. */
static bool look_at(const char *path, struct driver_config *config, struct device_limits *limits)
{
	bool known;

	vdpa_ask_begin();
	known = on_config(path, get_config, config) == 0 &&
		device_limits_of(config->vdpa, path, limits) == 0;
	vdpa_ask_end();
	return known;
}

int rte_vhost_driver_get_features(const char *path, uint64_t *features)
{
	struct device_limits limits;
	struct driver_config config;

	if (features == NULL || !look_at(path, &config, &limits))
		return -1;
	*features = offered_features(&config, &limits);
	return 0;
}

int rte_vhost_driver_get_protocol_features(const char *path, uint64_t *protocol_features)
{
	struct device_limits limits;
	struct driver_config config;

	if (protocol_features == NULL || !look_at(path, &config, &limits))
		return -1;
	*protocol_features = offered_protocol_features(&config, &limits);
	return 0;
}

int rte_vhost_driver_get_queue_num(const char *path, uint32_t *queue_num)
{
	struct device_limits limits;
	struct driver_config config;

	if (queue_num == NULL || !look_at(path, &config, &limits))
		return -1;
	*queue_num = offered_queue_num(&config, &limits);
	return 0;
}

/* --- vDPA ---------------------------------------------------------------- */

struct attachment {
	const char *path;
	const struct rte_vdpa_device *dev;
};

/* It takes memory as it is, and by physical addresses. */
static int attach_vdpa(struct driver_config *config, void *arg)
{
	const struct attachment *a = arg;
	const struct vdpa *vdpa = vdpa_lookup(a->dev);

	if (vdpa == NULL) {
		LOG_ERR("%s: no such vDPA device: look it up with rte_vdpa_find_device_by_name()",
			a->path);
		return -ENODEV;
	}
	if ((config->flags & (RTE_VHOST_USER_IOMMU_SUPPORT | RTE_VHOST_USER_POSTCOPY_SUPPORT)) != 0) {
		LOG_ERR("%s: no vDPA device behind a vIOMMU, or for guests that come by postcopy: leave "
			"RTE_VHOST_USER_IOMMU_SUPPORT and RTE_VHOST_USER_POSTCOPY_SUPPORT out", a->path);
		return -ENOTSUP;
	}
	if (config->backend == &crypto_backend) {
		LOG_ERR("%s: is a crypto device, which no vDPA device serves", a->path);
		return -ENOTSUP;
	}
	__atomic_store_n(&config->vdpa, vdpa, __ATOMIC_RELEASE);
	return 0;
}

int rte_vhost_driver_attach_vdpa_device(const char *path, struct rte_vdpa_device *dev)
{
	struct attachment a = { .path = path, .dev = dev };

	return on_config(path, attach_vdpa, &a);
}

static int detach_vdpa(struct driver_config *config, void *arg)
{
	(void)arg;
	__atomic_store_n(&config->vdpa, NULL, __ATOMIC_RELEASE);
	return 0;
}

int rte_vhost_driver_detach_vdpa_device(const char *path)
{
	return path == NULL || endpoint_with_config(path, detach_vdpa, NULL) < 0 ? -1 : 0;
}

struct rte_vdpa_device *rte_vhost_driver_get_vdpa_device(const char *path)
{
	struct driver_config config;

	if (on_config(path, get_config, &config) < 0 || config.vdpa == NULL ||
	    config.vdpa == &vdpa_gone)
		return NULL;
	return vdpa_public(config.vdpa);
}

int rte_vhost_driver_get_vdpa_dev_type(const char *path, uint32_t *type)
{
	const struct rte_vdpa_device *dev;

	if (type == NULL)
		return -1;
	vdpa_ask_begin();
	dev = rte_vhost_driver_get_vdpa_device(path);
	if (dev != NULL)
		*type = dev->type;
	vdpa_ask_end();
	return dev != NULL ? 0 : -1;
}

/* Its sockets are told first, so that nobody comes to it any more. */
int rte_vdpa_unregister_device(struct rte_vdpa_device *dev)
{
	struct vdpa_entry *entry = vdpa_take(dev);

	if (entry == NULL)
		return -1;
	if (endpoint_drop_vdpa(&entry->vdpa) < 0) {
		vdpa_put_back(entry);
		return -1;
	}
	vdpa_free(entry);
	return 0;
}
