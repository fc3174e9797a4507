/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef _VDPA_DRIVER_H_
#define _VDPA_DRIVER_H_

/**
 * @file
 * vDPA devices as their drivers see them.
 *
 * Included by vDPA drivers, with ALLOW_INTERNAL_API defined. Distributions of DPDK do
 * not install their copy, so this one is the way to build a driver out of tree. A driver
 * registers a device with its operations; the library calls those when a socket is served by
 * the device. Ring addresses the library hands to a driver were checked against the guest's
 * memory table; what is in the rings is the guest's and is not checked.
 *
 * @par Threads
 * Operations that take a @c vid run on the library's control thread, one at a time; the others
 * on whichever thread asks. The library holds none of its locks meanwhile: an operation may call
 * whatever takes a @c vid. Functions name their own.
 *
 * @par Order
 * set_features() whenever other features are negotiated, and when a migration's dirty log is
 * another (what was mapped before is there until it returns). set_vring_state() for each queue that
 * becomes ready, or stops being so, or gets another eventfd (0, then 1): also before dev_conf() and
 * after dev_close(). dev_conf() once the application has accepted the device, and the first two
 * queues are ready (a block device's: all that the frontend has named, or one that the guest
 * kicks); when it fails, again after the next message. dev_close() before anything goes that
 * dev_conf() may have looked up: before queues stop, before memory or the place of a ring changes
 * (then dev_conf() again), before the frontend hears where a queue stands
 * (rte_vhost_set_vring_base()). dev_cleanup() when the frontend resets the device or is gone.
 *
 * Sources: guide, "Vhost data path acceleration (vDPA)"; DPDK 22.11.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <rte_compat.h>

#include "rte_vdpa.h"
#include "rte_vhost.h"

#ifdef __cplusplus
extern "C" {
#endif

/** All queues of a device, where a function takes a queue. */
#define RTE_VHOST_QUEUE_ALL	UINT16_MAX

struct rte_device;
struct rte_vdpa_dev_ops;

/** A vDPA device. Allocated and owned by the library; a driver reads it. */
struct rte_vdpa_device {
	TAILQ_ENTRY(rte_vdpa_device) next;	/**< The library's list. */
	struct rte_device *device;		/**< Device it is built on. */
	struct rte_vdpa_dev_ops *ops;		/**< As registered. */
	uint32_t type;				/**< RTE_VHOST_VDPA_DEVICE_TYPE_*. */
};

/**
 * What a driver does. Operations return 0 when they succeed and a negative number when they
 * do not, unless noted; one that fails is logged, and the frontend goes on as it would. "Must"
 * marks the ones registration insists on; others may be NULL.
 */
struct rte_vdpa_dev_ops {
	/** Must. Say how many queue pairs the device has; queues, of a block device. A frontend
	 *  can name no more. */
	int (*get_queue_num)(struct rte_vdpa_device *dev, uint32_t *queue_num);

	/** Must. Say which virtio features it has, as bits. */
	int (*get_features)(struct rte_vdpa_device *dev, uint64_t *features);

	/** Must. Say which protocol features it allows, as bits. */
	int (*get_protocol_features)(struct rte_vdpa_device *dev, uint64_t *protocol_features);

	/** Must. The guest's device is ready: set up the hardware and start it. */
	int (*dev_conf)(int vid);

	/** Must. Stop the hardware and take its rings down. */
	int (*dev_close)(int vid);

	/** The connection is gone: drop what was kept across dev_close() for a restart. */
	int (*dev_cleanup)(int vid);

	/** Must. Start (1) or stop (0) one virtqueue. */
	int (*set_vring_state)(int vid, int vring, int state);

	/** Must. Negotiated features changed, e.g. VHOST_F_LOG_ALL. */
	int (*set_features)(int vid);

	/** A migration ended here: announce the guest's address to the network
	 *  (vhost_ng_vdpa_rarp_mac()). */
	int (*migration_done)(int vid);

	/** Return the VFIO group's file descriptor, or a negative number. The library does not
	 *  ask. */
	int (*get_vfio_group_fd)(int vid);

	/** Return the VFIO device's file descriptor, or a negative number. */
	int (*get_vfio_device_fd)(int vid);

	/** Say where in the VFIO device (bytes) the doorbell of queue @c qid is, and its
	 *  size in bytes, so that it can be mapped into the guest. */
	int (*get_notify_area)(int vid, int qid, uint64_t *offset, uint64_t *size);

	/** See rte_vdpa_get_stats_names(). */
	int (*get_stats_names)(struct rte_vdpa_device *dev,
		struct rte_vdpa_stat_name *stats_names, unsigned int size);

	/** See rte_vdpa_get_stats(). */
	int (*get_stats)(struct rte_vdpa_device *dev, int qid, struct rte_vdpa_stat *stats,
		unsigned int n);

	/** See rte_vdpa_reset_stats(). */
	int (*reset_stats)(struct rte_vdpa_device *dev, int qid);

	/** Read @c size bytes of the configuration space, from its start. A frontend that wants
	 *  some from the middle gets the end of these. */
	int (*get_config)(int vid, uint8_t *config, uint32_t size);

	/** Write @c size bytes at @c offset of the configuration space; @c flags is 1 when
	 *  a migration restores it, 0 when the guest writes. */
	int (*set_config)(int vid, uint8_t *config, uint32_t offset, uint32_t size,
		uint32_t flags);

	/** Say which kind of device it is. Without it: network. */
	int (*get_dev_type)(struct rte_vdpa_device *dev, uint32_t *type);
};

/**
 * Add a device to the list.
 *
 * @param rte_dev
 *   Device it is built on; its name becomes the vDPA device's.
 * @param ops
 *   Operations; kept, so they stay valid until rte_vdpa_unregister_device().
 * @return
 *   The new device; NULL if @p rte_dev or @p ops is NULL, an operation that must be there is
 *   missing, @p rte_dev has a vDPA device already, the driver cannot say its type, or memory
 *   ran out.
 *
 * Threads: any. Source: 22.11.
 */
__rte_internal
struct rte_vdpa_device *rte_vdpa_register_device(struct rte_device *rte_dev,
	struct rte_vdpa_dev_ops *ops);

/**
 * Take a device off the list and release it. Connections that it serves are closed, with all
 * operations and callbacks that this means, dev_cleanup() last, before this returns. Sockets that it
 * is attached to turn frontends away until another device is attached to them, or this one detached.
 * After that no operation is called any more.
 *
 * @param dev
 *   Device.
 * @return
 *   - 0: gone.
 *   - -1: @p dev is not on the list; or it serves a connection, and this was called in an operation
 *     or a callback on the control thread, where none can be closed: it is on the list still.
 *
 * Threads: any, as long as nobody else uses @p dev itself. It waits for the control thread: hold no
 * lock that an operation or a callback takes. Source: 22.11.
 */
__rte_internal
int rte_vdpa_unregister_device(struct rte_vdpa_device *dev);

/**
 * Let the guest ring the hardware's doorbells itself, or stop that. The frontend is sent each
 * doorbell's place and maps it into the guest. What is still mapped when dev_close() has returned
 * is unmapped by the library.
 *
 * @param vid
 *   Vhost device served by a vDPA device.
 * @param qid
 *   Queue, or #RTE_VHOST_QUEUE_ALL.
 * @param enable
 *   Let, or stop.
 * @return
 *   - 0: done.
 *   - -ENODEV: @p vid is not connected or has no vDPA device.
 *   - -EINVAL: no such queue.
 *   - -ENOTSUP: VIRTIO_F_VERSION_1 or one of the protocol features HOST_NOTIFIER, BACKEND_REQ
 *     and BACKEND_SEND_FD was not negotiated, or the driver does not say where a doorbell is.
 *   - -EFAULT: the frontend did not agree, or did not answer within a second.
 *
 *   After a failure to let, all queues are back to kicks through the eventfd.
 *
 * Threads: any, also in operations. A frontend that reads this only when its own message has been
 * answered makes it fail there, after a second. Source: 22.11; spec, BACKEND_VRING_HOST_NOTIFIER_MSG.
 */
__rte_internal
int rte_vhost_host_notifier_ctrl(int vid, uint16_t qid, bool enable);

/**
 * Whether a queue is to be served: what set_vring_state() said of it last, also to a driver that did
 * not want to hear of this guest then. For dev_conf(), so that drivers need not remember.
 *
 * @param vid
 *   Vhost device.
 * @param queue_id
 *   Queue.
 * @return
 *   1: it is; 0: it is not; -1: there is no such device or queue.
 *
 * Threads: any. Source: spec, "Ring states". Not in the stock library.
 */
int vhost_ng_vdpa_vring_state(int vid, uint16_t queue_id);

/**
 * Where a device is to say that a queue is broken: the eventfd that the frontend watches for
 * errors (struct rte_vhost_vring has only those for kicks and calls).
 *
 * @param vid
 *   Vhost device.
 * @param queue_id
 *   Queue.
 * @return
 *   The descriptor, which stays the library's and is there as long as the one for kicks; -1 if the
 *   frontend named none, or there is no such device or queue.
 *
 * Threads: any. Source: spec, VHOST_USER_SET_VRING_ERR. Not in the stock library.
 */
int vhost_ng_vdpa_errfd(int vid, uint16_t queue_id);

/**
 * The file of a migration's dirty log, for a device that is another process and maps it itself; one
 * that writes through our mapping takes rte_vhost_get_log_base(), which also says how large it is.
 *
 * @param vid
 *   Vhost device.
 * @param[out] offset_bytes
 *   Where in the file the log starts, in bytes.
 * @return
 *   The descriptor, which stays the library's; while VHOST_F_LOG_ALL is negotiated it is there until
 *   the set_features() of the next log, or of none, or dev_cleanup() has returned; -1 if there is no
 *   log, or no such device.
 *
 * Threads: any. Source: spec, VHOST_USER_SET_LOG_BASE. Not in the stock library.
 */
int vhost_ng_vdpa_log_fd(int vid, uint64_t *offset_bytes);

/**
 * Which address migration_done() is to announce: that of the guest's card.
 *
 * @param vid
 *   Vhost device.
 * @param[out] mac
 *   Six bytes, as they stand in a frame.
 * @return
 *   0; -1 if the frontend has not asked for it on this connection, or there is no such device.
 *
 * Threads: any. Source: spec, VHOST_USER_SEND_RARP. Not in the stock library.
 */
int vhost_ng_vdpa_rarp_mac(int vid, uint8_t mac[6]);

/**
 * Where in its region's file (struct rte_vhost_mem_region, @c fd) a piece of guest memory is, for a
 * device that is another process and maps it itself. The mapping here need not start where the file
 * does, so that @c mmap_addr does not say.
 *
 * @param vid
 *   Vhost device.
 * @param guest_phys_addr
 *   Of the piece: its physical address for the guest.
 * @param[out] offset_bytes
 *   Its distance from the start of the file, in bytes.
 * @return
 *   0; -1 if there is no memory at that address, or no such device.
 *
 * Threads: any. Source: spec, memory regions description. Not in the stock library.
 */
int vhost_ng_vdpa_mem_offset(int vid, uint64_t guest_phys_addr, uint64_t *offset_bytes);

#ifdef __cplusplus
}
#endif

#endif /* _VDPA_DRIVER_H_ */
