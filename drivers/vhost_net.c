/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vDPA device that is the Linux kernel: vhost-net with a tap interface.
 *
 *   --vdev=vdpa_vhost_net0,iface=tap0[,queues=N]
 *
 * The kernel is given the guest's memory as we have mapped it, its rings and its eventfds, and moves
 * the packets between them and the interface; our process only negotiates. Each pair of queues has
 * an open /dev/vhost-net, with a thread of the kernel's, and a queue of the interface. Linux:
 * include/uapi/linux/vhost.h, Documentation/networking/tuntap.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <rte_common.h>
#include <rte_dev.h>
#include <rte_kvargs.h>
#include <rte_log.h>
#include <rte_vhost.h>

#include "tap.h"
#include "vdpa_vdev.h"

#define DEVICE_PATH "/dev/vhost-net"
#define PAIRS_MAX 128
#define RINGS_MAX (2 * PAIRS_MAX)

#define BIT(n) (UINT64_C(1) << (n))
/* Those of the kernel's that a guest may have. VHOST_NET_F_VIRTIO_NET_HDR is not: the tap has it. */
#define RING_FEATURES                                                                        \
	(BIT(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |                  \
	 BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_IN_ORDER) | \
	 BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VHOST_F_LOG_ALL))
/* Those that need nothing of us: the kernel takes any layout, its bit is that of the header. */
#define FREE_FEATURES                                                                       \
	(BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_STATUS) |       \
	 BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_MQ) |      \
	 BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VHOST_USER_F_PROTOCOL_FEATURES))
/* The kernel keeps no records of what it works on, and waits for no page of a migration. */
#define NOT_PROTOCOL                                                                        \
	(BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) | BIT(VHOST_USER_PROTOCOL_F_PAGEFAULT))

#define NET_LOG(level, ...) rte_log(RTE_LOG_##level, RTE_LOGTYPE_USER1, "vdpa_vhost_net: " __VA_ARGS__)

struct pair {
	int vhost_fd, tap_fd;
	bool started;
	unsigned int nr_running; /* of its two rings */
};

/* Everything but get_*() is called on the library's thread, one at a time. */
struct vhost_net {
	struct vdpa_vdev vdev;
	struct tap tap;
	uint64_t kernel_features;
	unsigned int nr_pairs;
	int vid;                 /* -1: no guest */
	bool running[RINGS_MAX]; /* in the kernel */
	struct pair pairs[PAIRS_MAX];
};

static struct vhost_net *of(const struct rte_vdpa_device *vdpa)
{
	struct vdpa_vdev *v = vdpa_vdev_find(vdpa);

	return v != NULL ? container_of(v, struct vhost_net, vdev) : NULL;
}

static struct vhost_net *of_guest(int vid)
{
	return of(rte_vhost_get_vdpa_device(vid));
}

/* --- what the kernel is told -------------------------------------------------- */

static int tell(const struct vhost_net *n, const struct pair *p, unsigned long request,
		const char *name, void *arg)
{
	int error;

	if (ioctl(p->vhost_fd, request, arg) >= 0)
		return 0;
	error = errno;
	NET_LOG(ERR, "%s: device %d, queue pair %td: the kernel refuses %s (%s)\n", n->vdev.name,
		n->vid, p - n->pairs, name, strerror(error));
	return -error;
}

#define TELL(n, p, request, arg) tell(n, p, request, #request, arg)

static int tell_memory(const struct vhost_net *n, const struct pair *p)
{
	struct rte_vhost_memory *mem = NULL;
	struct vhost_memory *table;
	int ret;

	if (rte_vhost_get_mem_table(n->vid, &mem) < 0)
		return -ENODEV;
	table = calloc(1, sizeof(*table) + mem->nregions * sizeof(table->regions[0]));
	if (table == NULL) {
		free(mem);
		return -ENOMEM;
	}
	table->nregions = mem->nregions;
	for (uint32_t i = 0; i < mem->nregions; i++)
		table->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = mem->regions[i].guest_phys_addr,
			.memory_size = mem->regions[i].size,
			.userspace_addr = mem->regions[i].host_user_addr,
		};
	ret = TELL(n, p, VHOST_SET_MEM_TABLE, table);
	if (ret == -E2BIG)
		NET_LOG(ERR, "%s: %u regions of memory are too many: raise max_mem_regions of the "
			"kernel's module vhost\n", n->vdev.name, mem->nregions);
	free(table);
	free(mem);
	return ret;
}

static uint64_t guest_features(const struct vhost_net *n)
{
	uint64_t features = 0;

	(void)rte_vhost_get_negotiated_features(n->vid, &features);
	return features;
}

/* The dirty log of a migration, if one is under way. */
static uint64_t log_base(const struct vhost_net *n)
{
	uint64_t base = 0, size_bytes;

	if ((guest_features(n) & BIT(VHOST_F_LOG_ALL)) != 0)
		(void)rte_vhost_get_log_base(n->vid, &base, &size_bytes);
	return base;
}

/* With the log, once the memory is known: the kernel checks that it is large enough. */
static int tell_features(const struct vhost_net *n, const struct pair *p, uint64_t log)
{
	uint64_t features = guest_features(n) & n->kernel_features & RING_FEATURES;
	int ret = 0;

	if (log != 0)
		ret = TELL(n, p, VHOST_SET_LOG_BASE, &log);
	else
		features &= ~BIT(VHOST_F_LOG_ALL);
	return ret < 0 ? ret : TELL(n, p, VHOST_SET_FEATURES, &features);
}

static uint64_t to_guest(int vid, const void *at)
{
	struct rte_vhost_memory *mem = NULL;
	uint64_t gpa = 0;

	if (rte_vhost_get_mem_table(vid, &mem) < 0)
		return 0;
	for (uint32_t i = 0; i < mem->nregions; i++) {
		const struct rte_vhost_mem_region *region = &mem->regions[i];
		uint64_t off = (uint64_t)(uintptr_t)at - region->host_user_addr;

		if (off < region->size)
			gpa = region->guest_phys_addr + off;
	}
	free(mem);
	return gpa;
}

static int tell_addresses(const struct vhost_net *n, const struct pair *p, unsigned int ring,
			  const struct rte_vhost_vring *vring, bool logged)
{
	struct vhost_vring_addr addr = {
		.index = ring % 2,
		.desc_user_addr = (uintptr_t)vring->desc,
		.avail_user_addr = (uintptr_t)vring->avail,
		.used_user_addr = (uintptr_t)vring->used,
	};

	if (logged) {
		addr.flags = 1u << VHOST_VRING_F_LOG;
		addr.log_guest_addr = to_guest(n->vid, vring->used);
	}
	return TELL(n, p, VHOST_SET_VRING_ADDR, &addr);
}

static int tell_fd(const struct vhost_net *n, const struct pair *p, unsigned long request,
		   const char *name, unsigned int ring, int fd)
{
	struct vhost_vring_file file = { .index = ring % 2, .fd = fd };

	return tell(n, p, request, name, &file);
}

#define TELL_FD(n, p, request, ring, fd) tell_fd(n, p, request, #request, ring, fd)

static int tell_ring(const struct vhost_net *n, const struct pair *p, unsigned int ring)
{
	struct vhost_vring_state state = { .index = ring % 2 };
	struct rte_vhost_vring vring;
	uint16_t avail, used;
	int ret;

	if (rte_vhost_get_vhost_vring(n->vid, (uint16_t)ring, &vring) < 0 || vring.desc == NULL ||
	    rte_vhost_get_vring_base(n->vid, (uint16_t)ring, &avail, &used) < 0)
		return -ENODEV;
	if (vring.kickfd < 0) {
		NET_LOG(ERR, "%s: device %d, queue %u: has no eventfd for kicks; the kernel does not "
			"poll rings\n", n->vdev.name, n->vid, ring);
		return -ENOTSUP;
	}
	state.num = vring.size;
	ret = TELL(n, p, VHOST_SET_VRING_NUM, &state);
	state.num = avail;
	if (ret == 0)
		ret = TELL(n, p, VHOST_SET_VRING_BASE, &state);
	if (ret == 0)
		ret = tell_addresses(n, p, ring, &vring, log_base(n) != 0);
	if (ret == 0)
		ret = TELL_FD(n, p, VHOST_SET_VRING_CALL, ring, vring.callfd);
	if (ret == 0)
		ret = TELL_FD(n, p, VHOST_SET_VRING_ERR, ring,
			      vhost_ng_vdpa_errfd(n->vid, (uint16_t)ring));
	if (ret == 0)
		ret = TELL_FD(n, p, VHOST_SET_VRING_KICK, ring, vring.kickfd);
	if (ret == 0)
		ret = TELL_FD(n, p, VHOST_NET_SET_BACKEND, ring, p->tap_fd);
	/* The kick for what waits has been taken. By itself the kernel looks if the interface is up. */
	if (ret == 0)
		(void)eventfd_write(vring.kickfd, 1);
	return ret;
}

/* --- pairs and rings come and go ------------------------------------------------ */

/* Nothing in the kernel knows of the guest any more. */
static void pair_stop(struct vhost_net *n, struct pair *p)
{
	(void)TELL(n, p, VHOST_RESET_OWNER, NULL);
	(void)tap_use_queue(&n->tap, p->tap_fd, false);
	p->started = false;
}

static int pair_start(struct vhost_net *n, struct pair *p)
{
	int ret = TELL(n, p, VHOST_SET_OWNER, NULL);

	if (ret < 0)
		return ret;
	p->started = true;
	ret = tell_memory(n, p);
	if (ret == 0)
		ret = tell_features(n, p, log_base(n));
	if (ret < 0) {
		pair_stop(n, p);
		return ret;
	}
	ret = tap_use_queue(&n->tap, p->tap_fd, true);
	if (ret == 0)
		ret = tap_set_features(&n->tap, p->tap_fd, guest_features(n));
	if (ret < 0) {
		NET_LOG(ERR, "%s: interface %s does not take what the guest has agreed on (%s)\n",
			n->vdev.name, n->tap.name, strerror(-ret));
		pair_stop(n, p);
	}
	return ret;
}

static void pair_stop_if_unused(struct vhost_net *n, struct pair *p)
{
	if (p->started && p->nr_running == 0)
		pair_stop(n, p);
}

static int ring_start(struct vhost_net *n, unsigned int ring)
{
	struct pair *p = &n->pairs[ring / 2];
	int ret = 0;

	if (n->running[ring])
		return 0;
	if (!p->started)
		ret = pair_start(n, p);
	if (ret == 0)
		ret = tell_ring(n, p, ring);
	if (ret == 0) {
		n->running[ring] = true;
		p->nr_running++;
	}
	pair_stop_if_unused(n, p);
	return ret;
}

/* The kernel has given back all that it took when it says where it stands. */
static void ring_stop(struct vhost_net *n, unsigned int ring)
{
	struct vhost_vring_state state = { .index = ring % 2 };
	struct pair *p = &n->pairs[ring / 2];

	if (!n->running[ring])
		return;
	(void)TELL_FD(n, p, VHOST_NET_SET_BACKEND, ring, VHOST_FILE_UNBIND);
	if (TELL(n, p, VHOST_GET_VRING_BASE, &state) == 0)
		(void)rte_vhost_set_vring_base(n->vid, (uint16_t)ring, (uint16_t)state.num,
					       (uint16_t)state.num);
	n->running[ring] = false;
	p->nr_running--;
	pair_stop_if_unused(n, p);
}

static void stop_all(struct vhost_net *n)
{
	for (unsigned int ring = 0; ring < 2 * n->nr_pairs; ring++)
		ring_stop(n, ring);
}

/* --- operations ------------------------------------------------------------------- */

static int get_queue_num(struct rte_vdpa_device *dev, uint32_t *queue_num)
{
	const struct vhost_net *n = of(dev);

	if (n == NULL)
		return -ENODEV;
	*queue_num = n->nr_pairs;
	return 0;
}

static int get_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	const struct vhost_net *n = of(dev);

	if (n == NULL)
		return -ENODEV;
	*features = (n->kernel_features & RING_FEATURES) | FREE_FEATURES | n->tap.rx_offloads |
		    n->tap.tx_offloads;
	if (n->nr_pairs == 1)
		*features &= ~BIT(VIRTIO_NET_F_MQ);
	return 0;
}

static int get_protocol_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	(void)dev;
	*features = ~NOT_PROTOCOL;
	return 0;
}

static int dev_conf(int vid)
{
	struct vhost_net *n = of_guest(vid);
	int ret = 0;

	if (n == NULL)
		return -ENODEV;
	if (n->vid >= 0 && n->vid != vid) {
		NET_LOG(ERR, "%s: has a guest; give each its own device\n", n->vdev.name);
		return -EBUSY;
	}
	n->vid = vid;
	for (unsigned int ring = 0; ret == 0 && ring < 2 * n->nr_pairs; ring++)
		if (vhost_ng_vdpa_vring_state(vid, (uint16_t)ring) > 0)
			ret = ring_start(n, ring);
	if (ret < 0) {
		/* Asked again after the next message. */
		stop_all(n);
		n->vid = -1;
	}
	return ret;
}

static int dev_close(int vid)
{
	struct vhost_net *n = of_guest(vid);

	if (n == NULL)
		return -ENODEV;
	if (n->vid == vid) {
		stop_all(n);
		n->vid = -1;
	}
	return 0;
}

static int set_vring_state(int vid, int ring, int state)
{
	struct vhost_net *n = of_guest(vid);

	if (n == NULL || ring < 0 || (unsigned int)ring >= 2 * n->nr_pairs)
		return -EINVAL;
	/* dev_conf() asks. */
	if (n->vid != vid)
		return 0;
	if (state != 0)
		return ring_start(n, (unsigned int)ring);
	ring_stop(n, (unsigned int)ring);
	return 0;
}

/* The log comes before what it is for, and goes after it. */
static int set_features(int vid)
{
	struct vhost_net *n = of_guest(vid);
	uint64_t log;
	int ret = 0;

	if (n == NULL)
		return -ENODEV;
	if (n->vid != vid)
		return 0;
	log = log_base(n);
	for (unsigned int i = 0; i < n->nr_pairs; i++)
		if (n->pairs[i].started && log != 0 && ret == 0)
			ret = tell_features(n, &n->pairs[i], log);
	for (unsigned int ring = 0; ring < 2 * n->nr_pairs && ret == 0; ring++) {
		struct rte_vhost_vring vring;

		if (n->running[ring] && rte_vhost_get_vhost_vring(vid, (uint16_t)ring, &vring) == 0)
			ret = tell_addresses(n, &n->pairs[ring / 2], ring, &vring, log != 0);
	}
	for (unsigned int i = 0; i < n->nr_pairs; i++)
		if (n->pairs[i].started && log == 0 && ret == 0)
			ret = tell_features(n, &n->pairs[i], 0);
	/* The log that was there goes, whatever the kernel says: nobody may write to it. */
	if (ret < 0)
		stop_all(n);
	return ret;
}

static int migration_done(int vid)
{
	struct vhost_net *n = of_guest(vid);
	uint8_t mac[6];

	if (n == NULL || vhost_ng_vdpa_rarp_mac(vid, mac) < 0)
		return -ENODEV;
	/* Not before its pair is started: there is no interface for it else. */
	return n->vid == vid && n->pairs[0].started ?
		       tap_announce(n->pairs[0].tap_fd, guest_features(n), mac) : -EAGAIN;
}

static struct rte_vdpa_dev_ops ops = {
	.get_queue_num = get_queue_num,
	.get_features = get_features,
	.get_protocol_features = get_protocol_features,
	.dev_conf = dev_conf,
	.dev_close = dev_close,
	.set_vring_state = set_vring_state,
	.set_features = set_features,
	.migration_done = migration_done,
};

/* --- the device ------------------------------------------------------------------- */

static int keep_iface(const char *key, const char *value, void *name)
{
	(void)key;
	if (value == NULL || *value == '\0' || strlen(value) >= IFNAMSIZ)
		return -EINVAL;
	strcpy(name, value);
	return 0;
}

static int keep_queues(const char *key, const char *value, void *nr_pairs)
{
	char *end;
	unsigned long count = value != NULL ? strtoul(value, &end, 10) : 0;

	(void)key;
	if (count == 0 || *end != '\0' || count > PAIRS_MAX)
		return -EINVAL;
	*(unsigned int *)nr_pairs = (unsigned int)count;
	return 0;
}

static int parse(struct vhost_net *n, const char *args)
{
	static const char *const keys[] = { "iface", "queues", NULL };
	struct rte_kvargs *kvargs = rte_kvargs_parse(args, keys);
	int ret = -EINVAL;

	if (kvargs != NULL && rte_kvargs_count(kvargs, "iface") == 1)
		ret = rte_kvargs_process(kvargs, "iface", keep_iface, n->tap.name);
	if (ret == 0)
		ret = rte_kvargs_process(kvargs, "queues", keep_queues, &n->nr_pairs);
	rte_kvargs_free(kvargs);
	if (ret < 0)
		NET_LOG(ERR, "%s: say iface=NAME of a tap interface, and queues=N if there are to be "
			"more than one pair, up to %u\n", n->vdev.name, PAIRS_MAX);
	n->tap.multi_queue = n->nr_pairs > 1;
	return ret;
}

static int pair_open(struct vhost_net *n, struct pair *p)
{
	int ret;

	p->vhost_fd = open(DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (p->vhost_fd < 0) {
		ret = -errno;
		NET_LOG(ERR, "%s: cannot open " DEVICE_PATH " (%s): %s\n", n->vdev.name,
			strerror(-ret), ret == -EACCES ? "it must be readable and writable for us" :
			"load the kernel's module, modprobe vhost_net");
		return ret;
	}
	p->tap_fd = tap_open_queue(&n->tap);
	if (p->tap_fd < 0)
		return p->tap_fd;
	ret = tap_use_queue(&n->tap, p->tap_fd, false);
	return ret < 0 ? ret : TELL(n, p, VHOST_GET_FEATURES, &n->kernel_features);
}

static void vhost_net_free(struct vhost_net *n)
{
	for (unsigned int i = 0; i < n->nr_pairs; i++) {
		if (n->pairs[i].vhost_fd >= 0)
			close(n->pairs[i].vhost_fd);
		if (n->pairs[i].tap_fd >= 0)
			close(n->pairs[i].tap_fd);
	}
	free(n);
}

static int probe(struct rte_vdev_device *vdev)
{
	struct vhost_net *n = calloc(1, sizeof(*n));
	int ret;

	if (n == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < PAIRS_MAX; i++)
		n->pairs[i] = (struct pair){ .vhost_fd = -1, .tap_fd = -1 };
	n->vid = -1;
	n->nr_pairs = 1;
	ret = parse(n, vdpa_vdev_init(&n->vdev, vdev));
	for (unsigned int i = 0; ret == 0 && i < n->nr_pairs; i++)
		ret = pair_open(n, &n->pairs[i]);
	if (ret == 0)
		ret = vdpa_vdev_add(&n->vdev, vdev, &ops);
	if (ret < 0) {
		vhost_net_free(n);
		return ret;
	}
	NET_LOG(INFO, "%s: interface %s, %u queue pair%s\n", n->vdev.name, n->tap.name, n->nr_pairs,
		n->nr_pairs == 1 ? "" : "s");
	return 0;
}

static int drop(struct rte_vdev_device *vdev)
{
	struct vdpa_vdev *v = vdpa_vdev_called(rte_dev_name(vdev_device(vdev)));

	if (v == NULL)
		return -ENODEV;
	if (vdpa_vdev_drop(v) < 0)
		return -EBUSY;
	vhost_net_free(container_of(v, struct vhost_net, vdev));
	return 0;
}

static struct vdev_driver vhost_net_driver = {
	.name = "vdpa_vhost_net",
	.probe = probe,
	.remove = drop,
};

VDEV_DRIVER(vhost_net_driver)
