/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_log.h>

#include "vdpa_vdev.h"

static LIST_HEAD(, vdpa_vdev) all = LIST_HEAD_INITIALIZER(all);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

const char *vdpa_vdev_init(struct vdpa_vdev *v, struct rte_vdev_device *vdev)
{
	struct rte_device *dev = vdev_device(vdev);
	const struct rte_devargs *args = rte_dev_devargs(dev);

	snprintf(v->name, sizeof(v->name), "%s", rte_dev_name(dev));
	v->vdpa = NULL;
	return args != NULL && args->args != NULL ? args->args : "";
}

static void unlist(struct vdpa_vdev *v)
{
	pthread_mutex_lock(&lock);
	LIST_REMOVE(v, link);
	pthread_mutex_unlock(&lock);
}

int vdpa_vdev_add(struct vdpa_vdev *v, struct rte_vdev_device *vdev, struct rte_vdpa_dev_ops *ops)
{
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&all, v, link);
	pthread_mutex_unlock(&lock);
	v->vdpa = rte_vdpa_register_device(vdev_device(vdev), ops);
	if (v->vdpa != NULL)
		return 0;
	rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "%s: is not taken as a vDPA device\n", v->name);
	unlist(v);
	return -EINVAL;
}

int vdpa_vdev_drop(struct vdpa_vdev *v)
{
	if (rte_vdpa_unregister_device(v->vdpa) < 0)
		return -EBUSY;
	unlist(v);
	return 0;
}

struct vdpa_vdev *vdpa_vdev_find(const struct rte_vdpa_device *vdpa)
{
	return vdpa != NULL ? vdpa_vdev_called(rte_dev_name(vdpa->device)) : NULL;
}

struct vdpa_vdev *vdpa_vdev_called(const char *name)
{
	struct vdpa_vdev *v;

	pthread_mutex_lock(&lock);
	LIST_FOREACH(v, &all, link)
		if (strcmp(v->name, name) == 0)
			break;
	pthread_mutex_unlock(&lock);
	return v;
}
