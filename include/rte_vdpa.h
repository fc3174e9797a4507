/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef _RTE_VDPA_H_
#define _RTE_VDPA_H_

/**
 * @file
 * vDPA devices as an application sees them: hardware that serves a guest's rings itself.
 *
 * Included by applications that look for such a device, ask what it can do, and attach it to a
 * socket (rte_vhost_driver_attach_vdpa_device()). A device appears when its driver is probed;
 * a pointer to it is good until the driver is removed. Nothing here comes from a guest.
 *
 * @par Threads
 * The list of devices is guarded by a lock: every function may be called on any thread at any
 * time, except while the device in question is being removed. Thread safety of what
 * happens behind a device is its driver's.
 *
 * Sources: guide, "Vhost data path acceleration (vDPA)"; DPDK 22.11.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of a statistic's name, the terminating zero included. */
#define RTE_VDPA_STATS_NAME_SIZE 64

struct rte_device;
struct rte_vdpa_device;

/** One counter of a device, see rte_vdpa_get_stats(). */
struct rte_vdpa_stat {
	uint64_t id;	/**< Index into the names. */
	uint64_t value;	/**< Count; its unit is in the name. */
};

/** The name of a counter, see rte_vdpa_get_stats_names(). */
struct rte_vdpa_stat_name {
	char name[RTE_VDPA_STATS_NAME_SIZE];	/**< Zero-terminated. */
};

/**
 * Find a vDPA device by the name of the device it is built on.
 *
 * @param name
 *   E.g. a PCI address, as in the EAL's device list.
 * @return
 *   The device; NULL if there is none of that name or @p name is NULL.
 *
 * Threads: any. Source: 22.11.
 */
struct rte_vdpa_device *rte_vdpa_find_device_by_name(const char *name);

/**
 * Get the generic device below a vDPA device.
 *
 * @param vdpa_dev
 *   Device.
 * @return
 *   The generic device; NULL if @p vdpa_dev is NULL.
 *
 * Threads: any. Source: 22.11.
 */
struct rte_device *rte_vdpa_get_rte_device(struct rte_vdpa_device *vdpa_dev);

/**
 * Ask how many queue pairs a device has.
 *
 * @param dev
 *   Device.
 * @param[out] queue_num
 *   Queue pairs.
 * @return
 *   - 0: done.
 *   - -1: @p dev is NULL or its driver cannot say.
 *
 * Threads: any. Source: guide.
 */
int rte_vdpa_get_queue_num(struct rte_vdpa_device *dev, uint32_t *queue_num);

/**
 * Ask which virtio features a device supports.
 *
 * @param dev
 *   Device.
 * @param[out] features
 *   Bits, 1 << VIRTIO_*_F_*.
 * @return
 *   - 0: done.
 *   - -1: @p dev is NULL or its driver cannot say.
 *
 * Threads: any. Source: guide.
 */
int rte_vdpa_get_features(struct rte_vdpa_device *dev, uint64_t *features);

/**
 * Ask which vhost-user protocol features a device supports.
 *
 * @param dev
 *   Device.
 * @param[out] features
 *   Bits, 1 << VHOST_USER_PROTOCOL_F_*.
 * @return
 *   - 0: done.
 *   - -1: @p dev is NULL or its driver cannot say.
 *
 * Threads: any. Source: guide.
 */
int rte_vdpa_get_protocol_features(struct rte_vdpa_device *dev, uint64_t *features);

/**
 * For a driver that lets its hardware use a ring of its own instead of the guest's: copy new
 * used entries from it to the guest's used ring, and mark what the device may have written into the
 * guest's buffers in the dirty log. All of them, or none. The used flags (whether kicks are wanted)
 * are copied, too, and the ring's used_event is set to what was copied. Split rings only. Marking
 * the used ring itself is left to the driver, with rte_vhost_log_used_vring() before it stops the
 * device.
 *
 * @param vid
 *   Vhost device.
 * @param qid
 *   Queue.
 * @param vring_m
 *   The driver's ring, a struct vring of the guest ring's size; its used ring goes on where the
 *   guest's stands.
 * @return
 *   - >= 0: used entries copied.
 *   - -1: no such device or queue, no vDPA device, a packed ring, @p vring_m is NULL or of another
 *     size, or an entry cannot be right: its chain is none of the guest's.
 *
 * Threads: any; one at a time for one queue. Exported for drivers (node INTERNAL). Source: 22.11.
 */
int rte_vdpa_relay_vring_used(int vid, uint16_t qid, void *vring_m);

/**
 * Get the names of a device's counters.
 *
 * @param dev
 *   Device.
 * @param[out] stats_names
 *   Names; may be NULL to ask for their number.
 * @param size
 *   Elements in @p stats_names.
 * @return
 *   - >= 0: names there are; written as far as @p size allows.
 *   - -EINVAL: @p dev is NULL.
 *   - -ENOTSUP: its driver has no counters.
 *   - < 0: as the driver says.
 *
 * Threads: any. Source: 22.11.
 */
int rte_vdpa_get_stats_names(struct rte_vdpa_device *dev,
	struct rte_vdpa_stat_name *stats_names, unsigned int size);

/**
 * Get the values of a queue's counters.
 *
 * @param dev
 *   Device.
 * @param qid
 *   Queue.
 * @param[out] stats
 *   Values.
 * @param n
 *   Elements in @p stats.
 * @return
 *   - >= 0: values written.
 *   - -EINVAL: @p dev or @p stats is NULL, or @p n is 0.
 *   - -ENOTSUP: its driver has no counters.
 *   - < 0: as the driver says.
 *
 * Threads: any. Source: 22.11.
 */
int rte_vdpa_get_stats(struct rte_vdpa_device *dev, uint16_t qid, struct rte_vdpa_stat *stats,
	unsigned int n);

/**
 * Set a queue's counters to 0.
 *
 * @param dev
 *   Device.
 * @param qid
 *   Queue.
 * @return
 *   - 0: done.
 *   - -EINVAL: @p dev is NULL.
 *   - -ENOTSUP: its driver has no counters.
 *   - < 0: as the driver says.
 *
 * Threads: any. Source: 22.11.
 */
int rte_vdpa_reset_stats(struct rte_vdpa_device *dev, uint16_t qid);

#ifdef __cplusplus
}
#endif

#endif /* _RTE_VDPA_H_ */
