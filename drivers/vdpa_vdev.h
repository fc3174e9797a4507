/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vDPA device of ours on a virtual device of EAL's: part of what its driver keeps of it, and in
 * the list of those that the driver has.
 */
#ifndef VHOST_NG_VDPA_VDEV_H
#define VHOST_NG_VDPA_VDEV_H

#include "vdev.h"
#include "vdpa_driver.h"

#define VDEV_NAME_BYTES 64

struct vdpa_vdev {
	LIST_ENTRY(vdpa_vdev) link;
	char name[VDEV_NAME_BYTES];
	struct rte_vdpa_device *vdpa;
};

/* Its name and arguments (--vdev=NAME,ARGUMENTS), for the driver to read. Returns the arguments. */
const char *vdpa_vdev_init(struct vdpa_vdev *v, struct rte_vdev_device *vdev);
/* From here on the library asks what it can do. 0, or -EINVAL, which is said. */
int vdpa_vdev_add(struct vdpa_vdev *v, struct rte_vdev_device *vdev, struct rte_vdpa_dev_ops *ops);
/* Whom it serves is gone when this returns 0. -EBUSY: not from the library's own thread. */
int vdpa_vdev_drop(struct vdpa_vdev *v);

/* NULL: none. */
struct vdpa_vdev *vdpa_vdev_find(const struct rte_vdpa_device *vdpa);
struct vdpa_vdev *vdpa_vdev_called(const char *name);

#endif
