/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a driver tells DPDK's bus of virtual devices (--vdev=NAME,ARGS) what it drives. The bus has
 * the functions in its INTERNAL version node; distributions leave the header out.
 *
 * Layouts: DPDK 22.11. What the bus finds there, tests/guest/relay.py shows.
 */
#ifndef VHOST_NG_VDEV_H
#define VHOST_NG_VDEV_H

#include <stdint.h>
#include <sys/queue.h>

struct rte_device;
struct rte_vdev_device;

struct vdev_driver {
	TAILQ_ENTRY(vdev_driver) next; /* the bus's */
	TAILQ_ENTRY(vdev_driver) of_all;
	const char *name;  /* devices are called so, with something behind it */
	const char *alias;
	int (*probe)(struct rte_vdev_device *vdev);
	int (*remove)(struct rte_vdev_device *vdev);
	int (*dma_map)(struct rte_vdev_device *vdev, void *addr, uint64_t iova, size_t len);
	int (*dma_unmap)(struct rte_vdev_device *vdev, void *addr, uint64_t iova, size_t len);
	uint32_t flags;
};

void rte_vdev_register(struct vdev_driver *driver);
void rte_vdev_unregister(struct vdev_driver *driver);

/* The list's entry comes first. */
static inline struct rte_device *vdev_device(struct rte_vdev_device *vdev)
{
	return (struct rte_device *)(void *)((uintptr_t)vdev + 2 * sizeof(void *));
}

#define VDEV_DRIVER(driver) \
	__attribute__((constructor)) static void driver##_register(void) \
	{ \
		rte_vdev_register(&driver); \
	}

#endif
