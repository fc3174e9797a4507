/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of vDPA devices: drivers put theirs in, applications look them up
 * and ask what they can do. No socket can be handed to one in this version, so
 * the functions that act on a vid's vDPA device find none.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>

#include <vdpa_driver.h>

#include "base/defs.h"
#include "base/log.h"

static struct {
	pthread_mutex_t lock;
	TAILQ_HEAD(, rte_vdpa_device) devices;
} vdpa = { .lock = PTHREAD_MUTEX_INITIALIZER,
	   .devices = TAILQ_HEAD_INITIALIZER(vdpa.devices) };

static struct rte_vdpa_device *find(const char *name)
{
	struct rte_vdpa_device *dev;

	TAILQ_FOREACH(dev, &vdpa.devices, next)
		if (strcmp(rte_dev_name(dev->device), name) == 0)
			return dev;
	return NULL;
}

struct rte_vdpa_device *rte_vdpa_find_device_by_name(const char *name)
{
	struct rte_vdpa_device *dev;

	if (name == NULL)
		return NULL;
	pthread_mutex_lock(&vdpa.lock);
	dev = find(name);
	pthread_mutex_unlock(&vdpa.lock);
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
	struct rte_vdpa_device *dev;

	if (rte_dev == NULL || ops == NULL)
		return NULL;
	if (!ops_complete(ops)) {
		LOG_ERR("vDPA device %s: a mandatory operation is missing", rte_dev_name(rte_dev));
		return NULL;
	}
	dev = calloc(1, sizeof(*dev));
	if (dev == NULL)
		return NULL;
	dev->device = rte_dev;
	dev->ops = ops;
	dev->type = RTE_VHOST_VDPA_DEVICE_TYPE_NET;
	if (ops->get_dev_type != NULL && ops->get_dev_type(dev, &dev->type) < 0) {
		LOG_ERR("vDPA device %s: cannot tell its type", rte_dev_name(rte_dev));
		free(dev);
		return NULL;
	}
	pthread_mutex_lock(&vdpa.lock);
	if (find(rte_dev_name(rte_dev)) != NULL) {
		pthread_mutex_unlock(&vdpa.lock);
		LOG_ERR("vDPA device %s: is registered already", rte_dev_name(rte_dev));
		free(dev);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&vdpa.devices, dev, next);
	pthread_mutex_unlock(&vdpa.lock);
	return dev;
}

int rte_vdpa_unregister_device(struct rte_vdpa_device *dev)
{
	struct rte_vdpa_device *known;

	pthread_mutex_lock(&vdpa.lock);
	TAILQ_FOREACH(known, &vdpa.devices, next)
		if (known == dev)
			break;
	if (known != NULL)
		TAILQ_REMOVE(&vdpa.devices, known, next);
	pthread_mutex_unlock(&vdpa.lock);
	free(known);
	return known != NULL ? 0 : -1;
}

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

/* --- per vid: no socket has a vDPA device yet -------------------------- */

struct rte_vdpa_device *rte_vhost_get_vdpa_device(int vid)
{
	(void)vid;
	return NULL;
}

int rte_vhost_host_notifier_ctrl(int vid, uint16_t qid, bool enable)
{
	(void)qid;
	(void)enable;
	(void)vid;
	return -ENODEV;
}

int rte_vdpa_relay_vring_used(int vid, uint16_t qid, void *vring_m)
{
	(void)qid;
	(void)vring_m;
	(void)vid;
	return -1;
}
