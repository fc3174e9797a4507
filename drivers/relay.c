/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vDPA device that is another vhost-user backend.
 *
 *   --vdev=vdpa_relay0,socket=PATH
 *
 * What a guest's frontend agreed on with us is said again to the backend that listens at PATH: it
 * maps the guest's memory and serves its rings, with the guest's own eventfds; our process moves no
 * packet. A device can be given to another backend at any time (vdpa_relay_move()), and one whose
 * backend went away waits for the next that listens there. The guest's rings, and what we keep of
 * the last backend (inflight.h), say all that the next one has to know, and the guest does not
 * notice more than a pause.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <rte_dev.h>
#include <rte_kvargs.h>
#include <rte_log.h>
#include <rte_vhost.h>

#include "backend.h"
#include "base/defs.h"
#include "vdpa_vdev.h"
#include "vdpa_relay.h"

#define PATH_BYTES 108 /* of a Unix socket */
#define LOOK_MS 100 /* how often we look whether the backend is there */
#define PATIENCE_MS 200 /* of the library, with us when we wait for a backend */
#define LINES_MAX 10 /* that are logged a second: backends and frontends can provoke them */

/* Protocol features that are the backend's business and pass through us. */
#define THROUGH                                                                 \
	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD) |  \
	 BIT(VHOST_USER_PROTOCOL_F_RARP) |                                        \
	 BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS))
/* And those that our own library has for the guest's frontend whatever the backend does. */
#define OURS (BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_USER_PROTOCOL_F_SLAVE_REQ))

#define RELAY_LOG(level, ...) rte_log(RTE_LOG_##level, RTE_LOGTYPE_USER1, "vdpa_relay: " __VA_ARGS__)

struct relay {
	struct vdpa_vdev vdev;
	struct backend_limits limits; /* what the first backend had, as guests are told */

	pthread_t watch;
	pthread_mutex_t lock;
	pthread_cond_t wakes; /* the watch: there is a guest, or it ends */
	bool ended;
	bool hurry; /* atomic: who has the lock and waits for a backend shall let go of it */
	char path[PATH_BYTES];
	int vid; /* -1: no guest */
	struct backend_ring rings[BACKEND_RINGS_MAX];
	struct backend backend;
	struct inflight area; /* of the backend, or the last one */
	int trouble; /* with the backend, which was said; 0: none */
	time_t logged_at; /* so many lines in that second */
	unsigned int nr_lines;
};

/* Nobody has been asked to serve this guest yet. */
#define TROUBLE_NEW 1

static struct relay *relay_at(struct vdpa_vdev *v)
{
	return v != NULL ? container_of(v, struct relay, vdev) : NULL;
}

static struct relay *relay_of(const struct rte_vdpa_device *vdpa)
{
	return relay_at(vdpa_vdev_find(vdpa));
}

static bool may_log(struct relay *r)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != r->logged_at)
		r->nr_lines = 0;
	r->logged_at = now.tv_sec;
	return r->nr_lines++ < LINES_MAX;
}

#define SAY(r, level, ...)                             \
	do {                                           \
		if (may_log(r))                        \
			RELAY_LOG(level, __VA_ARGS__); \
	} while (0)

/*
 * The library's thread serves other ports, too: it does not wait as long as somebody else may have
 * to wait for a backend, nor for long itself.
 */
static void lock_for_library(struct relay *r)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	if (pthread_mutex_timedlock(&r->lock, &until) != 0) {
		__atomic_store_n(&r->hurry, true, __ATOMIC_RELAXED);
		pthread_mutex_lock(&r->lock);
		__atomic_store_n(&r->hurry, false, __ATOMIC_RELAXED);
	}
	backend_be_brief(&r->backend);
}

/* --- backends come and go ---------------------------------------------------- */

/* It went wrong with the backend, which may have written what it had not marked yet. */
static void lose(struct relay *r)
{
	backend_leave(&r->backend);
	backend_mark_all(r->vid);
}

static void refused(struct relay *r, const struct backend *b, const char *path, int err)
{
	char why[96];

	backend_why(b, r->vid, err, why, sizeof(why));
	SAY(r, ERR, "%s: the backend at %s does not take the device: %s\n", r->vdev.name, path, why);
}

/* With the backend that was found. */
static int start(struct relay *r)
{
	int ret = backend_start(&r->backend, r->vid, &r->area, r->rings);

	if (ret == 0)
		ret = backend_announce(&r->backend, r->vid);
	if (ret < 0)
		lose(r);
	return ret;
}

/* Goes on with whoever listens there now, if somebody does. */
static int go_on(struct relay *r)
{
	/* Without what the last one wrote down nobody need be asked. */
	int ret = r->area.fd < 0 ? backend_left_all(r->vid, &r->area, r->rings) : 0;

	if (ret == 0)
		ret = backend_find(&r->backend, r->path, r->vid, &r->hurry);
	return ret < 0 ? ret : start(r);
}

static bool is_nobody(int ret)
{
	return ret == -ENOENT || ret == -ECONNREFUSED;
}

/* Says each trouble once. */
static void try_again(struct relay *r)
{
	int ret;

	if (r->trouble == 0) {
		SAY(r, WARNING, "%s: the backend at %s is gone; waiting for the next\n", r->vdev.name,
		    r->path);
		lose(r);
	}
	ret = go_on(r);
	if (ret == 0 && r->trouble != TROUBLE_NEW) {
		backend_call_guest(r->vid, r->rings);
		SAY(r, INFO, "%s: the backend at %s goes on\n", r->vdev.name, r->path);
	} else if (is_nobody(ret) && r->trouble == TROUBLE_NEW) {
		SAY(r, WARNING, "%s: no backend at %s; waiting for one\n", r->vdev.name, r->path);
	} else if (ret == -ECANCELED) {
		/* Which says nothing about the backend. */
		if (r->trouble != 0)
			ret = r->trouble;
	} else if (ret < 0 && !is_nobody(ret) && ret != r->trouble) {
		refused(r, &r->backend, r->path, ret);
	}
	r->trouble = ret;
}

static void *watch(void *arg)
{
	struct relay *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->ended) {
		struct timespec until;

		if (r->vid >= 0 && backend_is_gone(&r->backend))
			try_again(r);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		(void)pthread_cond_timedwait(&r->wakes, &r->lock, &until);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* From here on the old one is asked again when it goes wrong. */
static int exchange(struct relay *r, struct backend *next)
{
	bool is_dead;
	int ret;

	backend_be_brief(&r->backend);
	ret = backend_stop(&r->backend, r->rings);
	is_dead = ret < 0 && backend_is_gone(&r->backend);
	if (ret < 0)
		lose(r);
	backend_leave(&r->backend);
	/* A dead one gives nothing back: the next one goes on as after any crash. */
	if (ret < 0 && !is_dead) {
		backend_leave(next);
		return ret;
	}
	r->backend = *next;
	ret = start(r);
	if (ret == 0 && is_dead)
		backend_call_guest(r->vid, r->rings);
	return ret;
}

int vdpa_relay_move(const char *name, const char *path)
{
	struct relay *r = name != NULL ? relay_at(vdpa_vdev_called(name)) : NULL;
	struct backend next;
	int ret = 0;

	if (r == NULL || path == NULL || strlen(path) >= sizeof(r->path))
		return -EINVAL;
	pthread_mutex_lock(&r->lock);
	/* Otherwise whoever is looked for is looked for there. */
	if (r->vid >= 0 && r->backend.wire.fd >= 0) {
		/* All that can fail before anything is taken from the old one. */
		ret = backend_find(&next, path, r->vid, &r->hurry);
		if (ret == 0)
			ret = exchange(r, &next);
	}
	if (ret == 0) {
		strcpy(r->path, path);
		SAY(r, INFO, "%s: moved to %s\n", r->vdev.name, path);
	} else {
		refused(r, &next, path, ret);
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

/* --- operations ---------------------------------------------------------------- */

static int get_queue_num(struct rte_vdpa_device *dev, uint32_t *queue_num)
{
	struct relay *r = relay_of(dev);

	if (r == NULL)
		return -ENODEV;
	*queue_num = r->limits.nr_pairs;
	return 0;
}

static int get_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	struct relay *r = relay_of(dev);

	if (r == NULL)
		return -ENODEV;
	*features = r->limits.features;
	return 0;
}

static int get_protocol_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	struct relay *r = relay_of(dev);

	if (r == NULL)
		return -ENODEV;
	*features = r->limits.protocol_features;
	return 0;
}

/* Where the library says that a ring stands, if it is there. */
static void look_up(struct relay *r, unsigned int index)
{
	struct backend_ring *ring = &r->rings[index];
	struct rte_vhost_vring vring;
	uint16_t avail, used;

	ring->is_there = rte_vhost_get_vhost_vring(r->vid, (uint16_t)index, &vring) == 0 &&
			 vring.desc != NULL &&
			 rte_vhost_get_vring_base(r->vid, (uint16_t)index, &avail, &used) == 0;
	if (!ring->is_there)
		return;
	ring->base = backend_packed(r->vid) ? avail | (uint32_t)used << 16 : avail;
	ring->stands_still = true;
}

/* Whoever serves it is the watch's to find: the library's thread waits for nobody. */
static int dev_conf(int vid)
{
	struct relay *r = relay_of(rte_vhost_get_vdpa_device(vid));
	int ret = 0;

	if (r == NULL)
		return -ENODEV;
	lock_for_library(r);
	if (r->vid >= 0 && r->vid != vid) {
		SAY(r, ERR, "%s: has a guest; give each its own device\n", r->vdev.name);
		ret = -EBUSY;
	} else {
		r->vid = vid;
		r->trouble = TROUBLE_NEW;
		for (unsigned int i = 0; i < BACKEND_RINGS_MAX; i++)
			look_up(r, i);
		pthread_cond_signal(&r->wakes);
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

/* Of rings of which that is known. */
static void tell_where_they_stand(struct relay *r)
{
	const bool is_packed = backend_packed(r->vid);

	for (unsigned int i = 0; i < BACKEND_RINGS_MAX; i++) {
		struct backend_ring *ring = &r->rings[i];

		if (ring->is_there && backend_left_at(r->vid, &r->area, i, ring) >= 0)
			(void)rte_vhost_set_vring_base(r->vid, (uint16_t)i, (uint16_t)ring->base,
						       is_packed ? (uint16_t)(ring->base >> 16) :
								   (uint16_t)ring->base);
		ring->is_there = false;
	}
}

static int dev_close(int vid)
{
	struct relay *r = relay_of(rte_vhost_get_vdpa_device(vid));

	if (r == NULL)
		return -ENODEV;
	lock_for_library(r);
	if (r->vid == vid) {
		if (backend_stop(&r->backend, r->rings) < 0)
			lose(r);
		backend_leave(&r->backend);
		tell_where_they_stand(r);
		inflight_drop(&r->area);
		r->trouble = 0;
		r->vid = -1;
	}
	pthread_mutex_unlock(&r->lock);
	return 0;
}

/* A ring of a device that runs was switched, is a new one, or has other eventfds. */
static int switch_ring(struct relay *r, unsigned int index, bool on)
{
	struct backend_ring *ring = &r->rings[index];
	bool is_new = !ring->is_there;
	int ret = 0;

	if (is_new)
		look_up(r, index);
	/* Whoever comes next is told all of it. */
	if (!ring->is_there || r->backend.wire.fd < 0)
		return 0;
	if (is_new && backend_has_room(r->vid, &r->area, index))
		return backend_start_ring(&r->backend, r->vid, index, ring);
	/* The watch has it start anew. */
	if (is_new) {
		ret = backend_stop(&r->backend, r->rings);
		backend_leave(&r->backend);
		r->trouble = TROUBLE_NEW;
		pthread_cond_signal(&r->wakes);
		return ret;
	}
	if (on)
		ret = backend_set_eventfds(&r->backend, r->vid, index);
	return ret < 0 ? ret : backend_enable(&r->backend, index, on);
}

static int set_vring_state(int vid, int ring, int state)
{
	struct relay *r = relay_of(rte_vhost_get_vdpa_device(vid));
	int ret = 0;

	if (r == NULL || ring < 0 || ring >= BACKEND_RINGS_MAX)
		return -EINVAL;
	lock_for_library(r);
	if (r->vid == vid)
		ret = switch_ring(r, (unsigned int)ring, state != 0);
	if (ret < 0)
		lose(r);
	pthread_mutex_unlock(&r->lock);
	return ret;
}

/* The guest's backend is told something. Whoever comes next is told all of it. */
static int tell_backend(int vid, int (*tell)(struct relay *r))
{
	struct relay *r = relay_of(rte_vhost_get_vdpa_device(vid));
	int ret = 0;

	if (r == NULL)
		return -ENODEV;
	lock_for_library(r);
	if (r->vid == vid && r->backend.wire.fd >= 0)
		ret = tell(r);
	if (ret < 0)
		lose(r);
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static int tell_log(struct relay *r)
{
	return backend_log(&r->backend, r->vid, r->rings);
}

static int announce(struct relay *r)
{
	return backend_announce(&r->backend, r->vid);
}

/* Of a device that runs only whether it is logged changes, and where. */
static int set_features(int vid)
{
	return tell_backend(vid, tell_log);
}

static int migration_done(int vid)
{
	return tell_backend(vid, announce);
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

/* --- the device ------------------------------------------------------------------ */

/* What guests may be told. */
static int learn(struct relay *r)
{
	struct backend_limits *limits = &r->limits;
	int ret = backend_ask(r->path, limits);

	if (ret < 0) {
		RELAY_LOG(ERR, "%s: no backend at %s (%s): start it first\n", r->vdev.name, r->path,
			  strerror(-ret));
		return ret;
	}
	limits->features &= ~BIT(VIRTIO_F_ACCESS_PLATFORM);
	limits->features |= BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	limits->protocol_features &= THROUGH;
	/* It is to map the guest's own dirty log, and to write there. */
	if ((limits->features & BIT(VHOST_F_LOG_ALL)) == 0)
		limits->protocol_features &= ~BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD);
	if ((limits->protocol_features & BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD)) == 0)
		limits->features &= ~BIT(VHOST_F_LOG_ALL);
	limits->protocol_features |= OURS;
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
	struct rte_kvargs *kvargs = rte_kvargs_parse(args, keys);
	int ret = -EINVAL;

	if (kvargs != NULL && rte_kvargs_count(kvargs, keys[0]) == 1)
		ret = rte_kvargs_process(kvargs, keys[0], keep_path, r->path);
	rte_kvargs_free(kvargs);
	if (ret < 0)
		RELAY_LOG(ERR, "%s: say socket=PATH of the backend\n", r->vdev.name);
	return ret;
}

static void relay_free(struct relay *r)
{
	backend_leave(&r->backend);
	inflight_drop(&r->area);
	pthread_cond_destroy(&r->wakes);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* With its thread. Its guest is gone. */
static void relay_end(struct relay *r)
{
	pthread_mutex_lock(&r->lock);
	r->ended = true;
	pthread_cond_signal(&r->wakes);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->watch, NULL);
	relay_free(r);
}

static int probe(struct rte_vdev_device *vdev)
{
	struct relay *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	const char *args;

	if (r == NULL)
		return -ENOMEM;
	args = vdpa_vdev_init(&r->vdev, vdev);
	r->backend.wire.fd = -1;
	r->area.fd = -1;
	r->vid = -1;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->wakes, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (parse(r, args) < 0 || learn(r) < 0 ||
	    pthread_create(&r->watch, NULL, watch, r) != 0) {
		relay_free(r);
		return -1;
	}
	if (vdpa_vdev_add(&r->vdev, vdev, &ops) == 0)
		return 0;
	relay_end(r);
	return -1;
}

static int drop(struct rte_vdev_device *vdev)
{
	struct relay *r = relay_at(vdpa_vdev_called(rte_dev_name(vdev_device(vdev))));

	if (r == NULL)
		return -ENODEV;
	/* Whom it serves is gone when this returns. */
	if (vdpa_vdev_drop(&r->vdev) < 0)
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
