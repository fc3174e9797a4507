/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vDPA devices as their drivers registered them, and as the control plane knows them
 * (struct vdpa). One is part of the other.
 */
#ifndef VHOST_NG_VDPA_VDPA_H
#define VHOST_NG_VDPA_VDPA_H

#include <rte_dev.h>

#include <vdpa_driver.h>

#include "device/device.h"

struct vdpa_entry {
	struct rte_vdpa_device public; /* what drivers and applications have pointers to */
	struct vdpa vdpa;
};

/* What the control plane is to know of a device, NULL if that is not on the list. */
const struct vdpa *vdpa_lookup(const struct rte_vdpa_device *dev);

/* Off the list; NULL: it is not there. Then back, or freed when nobody asks it anything any more. */
struct vdpa_entry *vdpa_take(const struct rte_vdpa_device *dev);
void vdpa_put_back(struct vdpa_entry *entry);
void vdpa_free(struct vdpa_entry *entry);

/* Around questions to devices that sockets know of: what they find stays there. Any thread. */
void vdpa_ask_begin(void);
void vdpa_ask_end(void);

static inline struct rte_vdpa_device *vdpa_public(const struct vdpa *vdpa)
{
	return &CONTAINER_OF(vdpa, struct vdpa_entry, vdpa)->public;
}

static inline const char *vdpa_name(const struct vdpa *vdpa)
{
	return rte_dev_name(vdpa_public(vdpa)->device);
}

/* The frontend unmaps all doorbells that it was told of, if it still can. (notifier.c) */
void vdpa_unmap_notifiers(struct device *dev);

/* Fills in who calls the driver (driver.c): what the control plane wants goes there. */
void vdpa_init(struct vdpa *vdpa, uint32_t type);

#endif
