/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of vDPA devices: drivers put theirs in, applications look them up
 * and ask what they can do. EAL knows them as the device class "vdpa".
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_class.h>

#include "vdpa.h"

static struct {
	pthread_rwlock_t asked; /* read: somebody asks a device something */
	pthread_mutex_t lock;
	TAILQ_HEAD(, rte_vdpa_device) devices;
} list = { .asked = PTHREAD_RWLOCK_INITIALIZER,
	   .lock = PTHREAD_MUTEX_INITIALIZER,
	   .devices = TAILQ_HEAD_INITIALIZER(list.devices) };

static struct rte_vdpa_device *find(const char *name)
{
	struct rte_vdpa_device *dev;

	TAILQ_FOREACH(dev, &list.devices, next)
		if (strcmp(rte_dev_name(dev->device), name) == 0)
			return dev;
	return NULL;
}

struct rte_vdpa_device *rte_vdpa_find_device_by_name(const char *name)
{
	struct rte_vdpa_device *dev;

	if (name == NULL)
		return NULL;
	pthread_mutex_lock(&list.lock);
	dev = find(name);
	pthread_mutex_unlock(&list.lock);
	return dev;
}

static bool ops_complete(const struct rte_vdpa_dev_ops *ops)
{
	return ops->get_queue_num != NULL && ops->get_features != NULL &&
	       ops->get_protocol_features != NULL && ops->dev_conf != NULL &&
	       ops->dev_close != NULL && ops->set_vring_state != NULL && ops->set_features != NULL;
}

struct rte_vdpa_device *rte_vdpa_register_device(struct rte_device *rte_dev,
						 struct rte_vdpa_dev_ops *ops)
{
	struct vdpa_entry *entry;
	struct rte_vdpa_device *dev;

	if (rte_dev == NULL || ops == NULL)
		return NULL;
	if (!ops_complete(ops)) {
		LOG_ERR("vDPA device %s: a mandatory operation is missing", rte_dev_name(rte_dev));
		return NULL;
	}
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	dev = &entry->public;
	dev->device = rte_dev;
	dev->ops = ops;
	dev->type = RTE_VHOST_VDPA_DEVICE_TYPE_NET;
	if (ops->get_dev_type != NULL && ops->get_dev_type(dev, &dev->type) < 0) {
		LOG_ERR("vDPA device %s: cannot tell its type", rte_dev_name(rte_dev));
		free(entry);
		return NULL;
	}
	vdpa_init(&entry->vdpa, dev->type);
	pthread_mutex_lock(&list.lock);
	if (find(rte_dev_name(rte_dev)) != NULL) {
		pthread_mutex_unlock(&list.lock);
		LOG_ERR("vDPA device %s: is registered already", rte_dev_name(rte_dev));
		free(entry);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&list.devices, dev, next);
	pthread_mutex_unlock(&list.lock);
	return dev;
}

/* The one that a pointer is to, if it is to one on the list. */
static struct vdpa_entry *known(const struct rte_vdpa_device *dev)
{
	struct rte_vdpa_device *each;

	TAILQ_FOREACH(each, &list.devices, next)
		if (each == dev)
			return CONTAINER_OF(each, struct vdpa_entry, public);
	return NULL;
}

struct vdpa_entry *vdpa_take(const struct rte_vdpa_device *dev)
{
	struct vdpa_entry *entry;

	pthread_mutex_lock(&list.lock);
	entry = known(dev);
	if (entry != NULL)
		TAILQ_REMOVE(&list.devices, &entry->public, next);
	pthread_mutex_unlock(&list.lock);
	return entry;
}

void vdpa_put_back(struct vdpa_entry *entry)
{
	pthread_mutex_lock(&list.lock);
	TAILQ_INSERT_TAIL(&list.devices, &entry->public, next);
	pthread_mutex_unlock(&list.lock);
}

void vdpa_free(struct vdpa_entry *entry)
{
	/* Who has found it at a socket is in there. */
	pthread_rwlock_wrlock(&list.asked);
	pthread_rwlock_unlock(&list.asked);
	free(entry);
}

void vdpa_ask_begin(void)
{
	pthread_rwlock_rdlock(&list.asked);
}

void vdpa_ask_end(void)
{
	pthread_rwlock_unlock(&list.asked);
}

const struct vdpa *vdpa_lookup(const struct rte_vdpa_device *dev)
{
	const struct vdpa_entry *entry;

	pthread_mutex_lock(&list.lock);
	entry = known(dev);
	pthread_mutex_unlock(&list.lock);
	return entry != NULL ? &entry->vdpa : NULL;
}

/* EAL asks for each of its devices in turn whether there are such on it. */
static void *class_iterate(const void *start, const char *arguments,
			   const struct rte_dev_iterator *it)
{
	struct rte_vdpa_device *dev;

	(void)arguments;
	pthread_mutex_lock(&list.lock);
	/* The class is full of public pointers: `start` is the one that was found last. */
	TAILQ_FOREACH(dev, &list.devices, next)
		if (start == NULL ? dev->device == it->device : dev == start)
			break;
	if (start != NULL)
		while (dev != NULL && (dev = TAILQ_NEXT(dev, next)) != NULL &&
		       dev->device != it->device)
			continue;
	pthread_mutex_unlock(&list.lock);
	return dev;
}

static struct rte_class vdpa_class = { .dev_iterate = class_iterate };

RTE_REGISTER_CLASS(vdpa, vdpa_class);

struct rte_device *rte_vdpa_get_rte_device(struct rte_vdpa_device *vdpa_dev)
{
	return vdpa_dev != NULL ? vdpa_dev->device : NULL;
}

int rte_vdpa_get_queue_num(struct rte_vdpa_device *dev, uint32_t *queue_num)
{
	return dev != NULL ? dev->ops->get_queue_num(dev, queue_num) : -1;
}

int rte_vdpa_get_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	return dev != NULL ? dev->ops->get_features(dev, features) : -1;
}

int rte_vdpa_get_protocol_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	return dev != NULL ? dev->ops->get_protocol_features(dev, features) : -1;
}

int rte_vdpa_get_stats_names(struct rte_vdpa_device *dev, struct rte_vdpa_stat_name *stats_names,
			     unsigned int size)
{
	if (dev == NULL)
		return -EINVAL;
	if (dev->ops->get_stats_names == NULL)
		return -ENOTSUP;
	return dev->ops->get_stats_names(dev, stats_names, size);
}

int rte_vdpa_get_stats(struct rte_vdpa_device *dev, uint16_t qid, struct rte_vdpa_stat *stats,
		       unsigned int n)
{
	if (dev == NULL || stats == NULL || n == 0)
		return -EINVAL;
	if (dev->ops->get_stats == NULL)
		return -ENOTSUP;
	return dev->ops->get_stats(dev, qid, stats, n);
}

int rte_vdpa_reset_stats(struct rte_vdpa_device *dev, uint16_t qid)
{
	if (dev == NULL)
		return -EINVAL;
	if (dev->ops->reset_stats == NULL)
		return -ENOTSUP;
	return dev->ops->reset_stats(dev, qid);
}

/* --- of a connection ----------------------------------------------------- */

struct rte_vdpa_device *rte_vhost_get_vdpa_device(int vid)
{
	struct device *dev = device_lock(vid);
	struct rte_vdpa_device *public = NULL;

	if (dev == NULL)
		return NULL;
	if (dev->vdpa != NULL)
		public = vdpa_public(dev->vdpa);
	device_unlock(dev);
	return public;
}
