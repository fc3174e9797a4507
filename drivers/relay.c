/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vDPA device that is another vhost-user backend.
 *
 *   --vdev=vdpa_relay0,socket=PATH
 *
 * What a guest's frontend agreed on with us is said again to the backend that listens at PATH: it
 * maps the guest's memory and serves its rings, with the guest's own eventfds; our process moves no
 * packet. A device can be given to another backend at any time (vdpa_relay_move()), and one whose
 * backend went away waits for the next that listens there. The guest's rings say all that the next
 * one has to know, and the guest does not notice more than a pause.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_kvargs.h>
#include <rte_log.h>
#include <rte_vhost.h>

#include "frontend.h"
#include "vdev.h"
#include "vdpa_driver.h"
#include "vdpa_relay.h"

#define NAME_BYTES 64
#define PATH_BYTES 108 /* of a Unix socket */
#define RINGS_MAX 256
#define LOOK_MS 100 /* how often we look whether the backend is there */

#define BIT(n) (UINT64_C(1) << (n))
#define WITH_PROTOCOL BIT(VHOST_USER_F_PROTOCOL_FEATURES)
/* Protocol features that are the backend's business and pass through us. */
#define THROUGH BIT(VHOST_USER_PROTOCOL_F_MQ)
/* And those that our own library has for the guest's frontend whatever the backend does. */
#define OURS (BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_USER_PROTOCOL_F_SLAVE_REQ))

#define RELAY_LOG(level, ...) rte_log(RTE_LOG_##level, RTE_LOGTYPE_USER1, "vdpa_relay: " __VA_ARGS__)

struct relay {
	LIST_ENTRY(relay) link;
	char name[NAME_BYTES];
	struct rte_vdpa_device *vdpa;
	/* What the first backend had, which is what guests may be told. */
	uint64_t features, protocol_features;
	uint32_t nr_pairs;

	pthread_t watch;
	pthread_mutex_t lock;
	pthread_cond_t ends;
	bool ended;
	char path[PATH_BYTES];
	int vid;                   /* -1: no guest */
	bool enabled[RINGS_MAX];   /* as the guest's frontend says */
	bool running[RINGS_MAX];   /* in the backend */
	struct frontend backend;   /* fd -1: it is gone */
	bool said;                 /* that it is */
};

static LIST_HEAD(, relay) relays = LIST_HEAD_INITIALIZER(relays);
static pthread_mutex_t relays_lock = PTHREAD_MUTEX_INITIALIZER;

static struct relay *relay_of(const struct rte_vdpa_device *vdpa)
{
	struct relay *r;

	pthread_mutex_lock(&relays_lock);
	LIST_FOREACH(r, &relays, link)
		if (vdpa != NULL && r->vdpa == vdpa)
			break;
	pthread_mutex_unlock(&relays_lock);
	return r;
}

static struct relay *relay_called(const char *name)
{
	struct relay *r;

	pthread_mutex_lock(&relays_lock);
	LIST_FOREACH(r, &relays, link)
		if (strcmp(r->name, name) == 0)
			break;
	pthread_mutex_unlock(&relays_lock);
	return r;
}

/* --- what the backend is told ---------------------------------------------- */

/* Agrees on `features`, of which all must be there. */
static int negotiate(struct frontend *f, uint64_t features)
{
	uint64_t offered, protocol;
	int ret = frontend_tell(f, VHU_SET_OWNER, NULL, 0, NULL, 0);

	if (ret == 0)
		ret = frontend_get(f, VHU_GET_FEATURES, &offered);
	if (ret < 0)
		return ret;
	features |= offered & WITH_PROTOCOL;
	if ((features & ~offered) != 0)
		return -ENOTSUP;
	if ((offered & WITH_PROTOCOL) != 0) {
		ret = frontend_get(f, VHU_GET_PROTOCOL_FEATURES, &protocol);
		if (ret < 0)
			return ret;
		protocol &= THROUGH | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
		ret = frontend_tell_u64(f, VHU_SET_PROTOCOL_FEATURES, protocol);
		f->acks = (protocol & BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK)) != 0;
	}
	return ret < 0 ? ret : frontend_tell_u64(f, VHU_SET_FEATURES, features);
}

/* Where our mapping of the guest's memory is for its frontend; 0: nowhere. */
static uint64_t to_frontend(const struct rte_vhost_memory *mem, const void *at)
{
	for (uint32_t i = 0; i < mem->nregions; i++) {
		const struct rte_vhost_mem_region *region = &mem->regions[i];
		uint64_t off = (uint64_t)(uintptr_t)at - region->host_user_addr;

		if (off < region->size)
			return region->guest_user_addr + off;
	}
	return 0;
}

static int tell_memory(struct frontend *f, const struct rte_vhost_memory *mem)
{
	struct vhu_mem_table table = { .nr_regions = mem->nregions };
	int fds[VHU_REGIONS_MAX];

	if (mem->nregions > VHU_REGIONS_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < mem->nregions; i++) {
		const struct rte_vhost_mem_region *region = &mem->regions[i];

		table.regions[i] = (struct vhu_region){
			.gpa = region->guest_phys_addr,
			.size_bytes = region->size,
			.uva = region->guest_user_addr,
			.mmap_offset_bytes =
				region->host_user_addr - (uint64_t)(uintptr_t)region->mmap_addr,
		};
		fds[i] = region->fd;
	}
	return frontend_tell(f, VHU_SET_MEM_TABLE, &table,
			     8 + mem->nregions * sizeof(table.regions[0]), fds, mem->nregions);
}

/* Where a ring stands that nobody serves: what was taken of it was given back (split rings only). */
static int stands_at(const struct relay *r, uint16_t ring, bool is_packed, uint32_t *base)
{
	struct rte_vhost_vring vring;

	if (is_packed || rte_vhost_get_vhost_vring(r->vid, ring, &vring) < 0 || vring.used == NULL)
		return -ENOTSUP;
	*base = __atomic_load_n(&vring.used->idx, __ATOMIC_ACQUIRE);
	return 0;
}

static int tell_ring(struct relay *r, const struct rte_vhost_memory *mem, uint16_t ring,
		     uint32_t base)
{
	struct vhu_vring_addr addr = { .index = ring };
	struct frontend *f = &r->backend;
	struct rte_vhost_vring vring;
	int ret = rte_vhost_get_vhost_vring(r->vid, ring, &vring);

	if (ret < 0 || vring.size == 0 || vring.desc == NULL)
		return -ENODEV;
	addr.desc = to_frontend(mem, vring.desc);
	addr.avail = to_frontend(mem, vring.avail);
	addr.used = to_frontend(mem, vring.used);
	if (addr.desc == 0 || addr.avail == 0 || addr.used == 0)
		return -EFAULT;
	ret = frontend_tell_state(f, VHU_SET_VRING_NUM, ring, vring.size);
	if (ret == 0)
		ret = frontend_tell_state(f, VHU_SET_VRING_BASE, ring, base);
	if (ret == 0)
		ret = frontend_tell(f, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (ret == 0)
		ret = frontend_tell_fd(f, VHU_SET_VRING_CALL, ring, vring.callfd);
	if (ret == 0)
		ret = frontend_tell_fd(f, VHU_SET_VRING_KICK, ring, vring.kickfd);
	if (ret == 0)
		ret = frontend_tell_state(f, VHU_SET_VRING_ENABLE, ring, r->enabled[ring]);
	r->running[ring] = ret == 0;
	return ret;
}

/* All that the backend has to know; `bases` of the rings that `there` has. */
static int tell_all(struct relay *r, const uint32_t *bases, const bool *there)
{
	struct rte_vhost_memory *mem = NULL;
	int ret = rte_vhost_get_mem_table(r->vid, &mem) < 0 ? -ENODEV : 0;

	if (ret == 0)
		ret = tell_memory(&r->backend, mem);
	memset(r->running, 0, sizeof(r->running));
	for (uint16_t ring = 0; ret == 0 && ring < RINGS_MAX; ring++)
		if (there[ring])
			ret = tell_ring(r, mem, ring, bases[ring]);
	free(mem);
	return ret;
}

/* --- backends come and go ---------------------------------------------------- */

static uint64_t guest_features(const struct relay *r)
{
	uint64_t features = 0;

	(void)rte_vhost_get_negotiated_features(r->vid, &features);
	/* This one is between us and each of both sides. */
	return features & ~WITH_PROTOCOL;
}

/* A backend that would do; the caller's to close. */
static int find_backend(const struct relay *r, const char *path, struct frontend *f)
{
	int ret = frontend_connect(f, path);

	if (ret == 0)
		ret = negotiate(f, guest_features(r));
	if (ret < 0)
		frontend_close(f);
	return ret;
}

/* Has the backend hung up? */
static bool is_gone(const struct frontend *f)
{
	struct pollfd pfd = { .fd = f->fd, .events = POLLRDHUP };

	return f->fd < 0 || (poll(&pfd, 1, 0) == 1 && pfd.revents != 0);
}

/* Goes on with whoever listens there now, if somebody does. */
static void try_again(struct relay *r)
{
	const bool is_packed = (guest_features(r) & BIT(VIRTIO_F_RING_PACKED)) != 0;
	uint32_t bases[RINGS_MAX];
	bool there[RINGS_MAX];
	int ret;

	if (!r->said)
		RELAY_LOG(WARNING, "%s: the backend at %s is gone; waiting for the next\n", r->name,
			  r->path);
	r->said = true;
	frontend_close(&r->backend);
	memcpy(there, r->running, sizeof(there));
	for (uint16_t ring = 0; ring < RINGS_MAX; ring++)
		if (there[ring] && stands_at(r, ring, is_packed, &bases[ring]) < 0)
			return;
	if (find_backend(r, r->path, &r->backend) < 0)
		return;
	ret = tell_all(r, bases, there);
	/* Whether they could be told or not. */
	memcpy(r->running, there, sizeof(there));
	if (ret < 0) {
		RELAY_LOG(ERR, "%s: the backend at %s does not take the device (error %d)\n",
			  r->name, r->path, -ret);
		frontend_close(&r->backend);
		return;
	}
	r->said = false;
	RELAY_LOG(INFO, "%s: the backend at %s goes on\n", r->name, r->path);
}

static void *watch(void *arg)
{
	struct relay *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->ended) {
		struct timespec until;

		if (r->vid >= 0 && is_gone(&r->backend))
			try_again(r);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		(void)pthread_cond_timedwait(&r->ends, &r->lock, &until);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* Takes all rings from the backend; where they stand. */
static int take_back(struct relay *r, uint32_t *bases)
{
	int ret = 0;

	for (uint16_t ring = 0; ret == 0 && ring < RINGS_MAX; ring++)
		if (r->running[ring])
			ret = frontend_stop_ring(&r->backend, ring, &bases[ring]);
	return ret;
}

int vdpa_relay_move(const char *name, const char *path)
{
	struct relay *r = name != NULL ? relay_called(name) : NULL;
	struct frontend next = { .fd = -1 };
	uint32_t bases[RINGS_MAX];
	bool there[RINGS_MAX];
	int ret = 0;

	if (r == NULL || path == NULL || strlen(path) >= sizeof(r->path))
		return -EINVAL;
	pthread_mutex_lock(&r->lock);
	if (r->vid < 0 || r->backend.fd < 0)
		goto rename;
	/* All that can fail before anything is taken from the old one. */
	ret = find_backend(r, path, &next);
	if (ret == 0)
		ret = take_back(r, bases);
	if (ret < 0) {
		frontend_close(&next);
		goto out;
	}
	frontend_close(&r->backend);
	r->backend = next;
	memcpy(there, r->running, sizeof(there));
	ret = tell_all(r, bases, there);
	memcpy(r->running, there, sizeof(there));
	if (ret < 0) {
		/* The old one is asked again. */
		frontend_close(&r->backend);
		goto out;
	}
rename:
	strcpy(r->path, path);
	RELAY_LOG(INFO, "%s: moved to %s\n", r->name, path);
out:
	pthread_mutex_unlock(&r->lock);
	if (ret < 0)
		RELAY_LOG(ERR, "%s: not moved to %s (error %d)\n", r->name, path, -ret);
	return ret;
}

/* --- operations ---------------------------------------------------------------- */

static int get_queue_num(struct rte_vdpa_device *dev, uint32_t *queue_num)
{
	struct relay *r = relay_of(dev);

	if (r == NULL)
		return -ENODEV;
	*queue_num = r->nr_pairs;
	return 0;
}

static int get_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	struct relay *r = relay_of(dev);

	if (r == NULL)
		return -ENODEV;
	*features = r->features;
	return 0;
}

static int get_protocol_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	struct relay *r = relay_of(dev);

	if (r == NULL)
		return -ENODEV;
	*features = r->protocol_features;
	return 0;
}

static int dev_conf(int vid)
{
	struct relay *r = relay_of(rte_vhost_get_vdpa_device(vid));
	uint32_t bases[RINGS_MAX];
	bool there[RINGS_MAX] = { false };
	bool is_packed;
	int ret = 0;

	if (r == NULL)
		return -ENODEV;
	pthread_mutex_lock(&r->lock);
	if (r->vid >= 0 && r->vid != vid) {
		RELAY_LOG(ERR, "%s: has a guest; give each its own device\n", r->name);
		pthread_mutex_unlock(&r->lock);
		return -EBUSY;
	}
	r->vid = vid;
	is_packed = (guest_features(r) & BIT(VIRTIO_F_RING_PACKED)) != 0;
	for (uint16_t ring = 0; ring < RTE_MIN(rte_vhost_get_vring_num(vid), RINGS_MAX); ring++) {
		uint16_t avail, used;
		struct rte_vhost_vring vring;

		if (rte_vhost_get_vhost_vring(vid, ring, &vring) < 0 || vring.desc == NULL ||
		    rte_vhost_get_vring_base(vid, ring, &avail, &used) < 0)
			continue;
		bases[ring] = is_packed ? avail | (uint32_t)used << 16 : avail;
		there[ring] = true;
	}
	ret = find_backend(r, r->path, &r->backend);
	if (ret == 0)
		ret = tell_all(r, bases, there);
	if (ret < 0) {
		RELAY_LOG(ERR, "%s: the backend at %s does not take the device (error %d)\n",
			  r->name, r->path, -ret);
		frontend_close(&r->backend);
		r->vid = -1;
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static int dev_close(int vid)
{
	struct relay *r = relay_of(rte_vhost_get_vdpa_device(vid));
	uint32_t bases[RINGS_MAX] = { 0 };
	bool is_packed;

	if (r == NULL)
		return -ENODEV;
	pthread_mutex_lock(&r->lock);
	if (r->vid != vid)
		goto out;
	is_packed = (guest_features(r) & BIT(VIRTIO_F_RING_PACKED)) != 0;
	if (take_back(r, bases) < 0)
		for (uint16_t ring = 0; ring < RINGS_MAX; ring++)
			if (r->running[ring])
				(void)stands_at(r, ring, is_packed, &bases[ring]);
	for (uint16_t ring = 0; ring < RINGS_MAX; ring++)
		if (r->running[ring])
			(void)rte_vhost_set_vring_base(vid, ring, (uint16_t)bases[ring],
						       is_packed ? (uint16_t)(bases[ring] >> 16) :
								   (uint16_t)bases[ring]);
	memset(r->running, 0, sizeof(r->running));
	frontend_close(&r->backend);
	r->said = false;
	r->vid = -1;
out:
	pthread_mutex_unlock(&r->lock);
	return 0;
}

static int set_vring_state(int vid, int ring, int state)
{
	struct relay *r = relay_of(rte_vhost_get_vdpa_device(vid));
	int ret = 0;

	if (r == NULL || ring < 0 || ring >= RINGS_MAX)
		return -EINVAL;
	pthread_mutex_lock(&r->lock);
	r->enabled[ring] = state != 0;
	if (r->vid == vid && r->running[ring] && r->backend.fd >= 0)
		ret = frontend_tell_state(&r->backend, VHU_SET_VRING_ENABLE, (uint32_t)ring,
					  state != 0);
	pthread_mutex_unlock(&r->lock);
	return ret;
}

/* Nothing of them changes under a device that runs, without VHOST_F_LOG_ALL. */
static int set_features(int vid)
{
	(void)vid;
	return 0;
}

static struct rte_vdpa_dev_ops ops = {
	.get_queue_num = get_queue_num,
	.get_features = get_features,
	.get_protocol_features = get_protocol_features,
	.dev_conf = dev_conf,
	.dev_close = dev_close,
	.set_vring_state = set_vring_state,
	.set_features = set_features,
};

/* --- the device ------------------------------------------------------------------ */

/* Asks the backend what it can. */
static int learn(struct relay *r)
{
	struct frontend f;
	uint64_t protocol = 0, queues = 1;
	int ret = frontend_connect(&f, r->path);

	if (ret == 0)
		ret = frontend_get(&f, VHU_GET_FEATURES, &r->features);
	if (ret == 0 && (r->features & WITH_PROTOCOL) != 0)
		ret = frontend_get(&f, VHU_GET_PROTOCOL_FEATURES, &protocol);
	if (ret == 0 && (protocol & BIT(VHOST_USER_PROTOCOL_F_MQ)) != 0)
		ret = frontend_get(&f, VHU_GET_QUEUE_NUM, &queues);
	frontend_close(&f);
	if (ret < 0) {
		RELAY_LOG(ERR, "%s: no backend at %s (%s): start it first\n", r->name, r->path,
			  strerror(-ret));
		return ret;
	}
	/* It would write to memory that we do not see change. */
	r->features &= ~(BIT(VHOST_F_LOG_ALL) | BIT(VIRTIO_F_ACCESS_PLATFORM));
	r->features |= WITH_PROTOCOL;
	r->protocol_features = (protocol & THROUGH) | OURS;
	r->nr_pairs = (uint32_t)RTE_MIN(queues, (uint64_t)RINGS_MAX / 2);
	return 0;
}

static int keep_path(const char *key, const char *value, void *path)
{
	(void)key;
	if (value == NULL || strlen(value) >= PATH_BYTES)
		return -EINVAL;
	strcpy(path, value);
	return 0;
}

static int parse(struct relay *r, const char *args)
{
	static const char *const keys[] = { "socket", NULL };
	struct rte_kvargs *kvargs = rte_kvargs_parse(args != NULL ? args : "", keys);
	int ret = -EINVAL;

	if (kvargs != NULL && rte_kvargs_count(kvargs, keys[0]) == 1)
		ret = rte_kvargs_process(kvargs, keys[0], keep_path, r->path);
	rte_kvargs_free(kvargs);
	if (ret < 0)
		RELAY_LOG(ERR, "%s: say socket=PATH of the backend\n", r->name);
	return ret;
}

static void relay_free(struct relay *r)
{
	frontend_close(&r->backend);
	pthread_cond_destroy(&r->ends);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* From the list of relays, with its thread. Its guest is gone. */
static void relay_end(struct relay *r)
{
	pthread_mutex_lock(&relays_lock);
	LIST_REMOVE(r, link);
	pthread_mutex_unlock(&relays_lock);
	pthread_mutex_lock(&r->lock);
	r->ended = true;
	pthread_cond_signal(&r->ends);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->watch, NULL);
	relay_free(r);
}

static int probe(struct rte_vdev_device *vdev)
{
	struct rte_device *dev = vdev_device(vdev);
	const struct rte_devargs *args = rte_dev_devargs(dev);
	struct relay *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;

	if (r == NULL)
		return -ENOMEM;
	snprintf(r->name, sizeof(r->name), "%s", rte_dev_name(dev));
	r->backend.fd = -1;
	r->vid = -1;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->ends, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (parse(r, args != NULL ? args->args : NULL) < 0 || learn(r) < 0 ||
	    pthread_create(&r->watch, NULL, watch, r) != 0) {
		relay_free(r);
		return -1;
	}
	pthread_mutex_lock(&relays_lock);
	LIST_INSERT_HEAD(&relays, r, link);
	pthread_mutex_unlock(&relays_lock);
	/* From here on it is asked. */
	r->vdpa = rte_vdpa_register_device(dev, &ops);
	if (r->vdpa != NULL)
		return 0;
	RELAY_LOG(ERR, "%s: is not taken as a vDPA device\n", r->name);
	relay_end(r);
	return -1;
}

static int drop(struct rte_vdev_device *vdev)
{
	struct relay *r = relay_called(rte_dev_name(vdev_device(vdev)));

	if (r == NULL)
		return -ENODEV;
	/* Whom it serves is gone when this returns. */
	if (rte_vdpa_unregister_device(r->vdpa) < 0)
		return -EBUSY;
	relay_end(r);
	return 0;
}

static struct vdev_driver relay_driver = {
	.name = "vdpa_relay",
	.probe = probe,
	.remove = drop,
};

VDEV_DRIVER(relay_driver)
