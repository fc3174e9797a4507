/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef _VHOST_CRYPTO_H_
#define _VHOST_CRYPTO_H_

/**
 * @file
 * virtio-crypto devices served by DPDK cryptodevs.
 *
 * Included by applications that offer crypto devices to guests. The library turns a guest's
 * requests into crypto operations, the application moves those through a cryptodev, and the
 * library writes the results back. Sessions, requests and data come from the guest; the
 * library checks them before an operation leaves it.
 *
 * The functions of this header arrive with a later release. Until then they are declared here
 * and absent from the library: using one gives an error from the linker.
 *
 * Classes of thread safety are those of rte_vhost.h. Sources: guide; virtio, "Crypto Device".
 * Where the guide's list of rte_vhost_crypto_finalize_requests()'s parameters differs from
 * every DPDK release, this header follows the releases.
 */

#include <stdint.h>

#include <rte_compat.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rte_crypto_op;
struct rte_mempool;

/** Elements of each pool of mbufs the library makes for a device. */
#define VHOST_CRYPTO_MBUF_POOL_SIZE		(8192)
/** Requests in one burst; more are left for the next. */
#define VHOST_CRYPTO_MAX_BURST_SIZE		(64)
/** Bytes of data in one request. */
#define VHOST_CRYPTO_MAX_DATA_SIZE		(4096)
/** Sessions of one device. */
#define VHOST_CRYPTO_SESSION_MAP_ENTRIES	(1024)
/** Elements of rte_vhost_crypto_finalize_requests()'s array of file descriptors. */
#define VIRTIO_CRYPTO_MAX_NUM_BURST_VQS		(64)
/** Bytes of an initialisation vector. */
#define VHOST_CRYPTO_MAX_IV_LEN			(32)
/** Descriptors of one request. */
#define VHOST_CRYPTO_MAX_N_DESC			(32)

/** Whether a device's operations work on guest memory directly. */
enum rte_vhost_crypto_zero_copy {
	RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE = 0,	/**< On copies. */
	RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE = 1,	/**< On guest memory. */
	RTE_VHOST_CRYPTO_MAX_ZERO_COPY_OPTIONS = 2	/**< Number of options. */
};

/**
 * Begin to serve a socket with crypto devices: offer their features, then
 * rte_vhost_driver_start().
 *
 * @note Not in this release.
 *
 * @param path
 *   As registered with rte_vhost_driver_register().
 * @return
 *   - 0: serving.
 *   - -1: as rte_vhost_driver_start().
 *
 * Threads: setup. Source: 22.11.
 */
__rte_experimental
int rte_vhost_crypto_driver_start(const char *path);

/**
 * Make a new device a crypto device. To be called in new_device().
 *
 * @note Not in this release.
 *
 * @param vid
 *   Device.
 * @param cryptodev_id
 *   Cryptodev to work with; several devices may share one.
 * @param sess_pool
 *   Where the cryptodev's sessions come from.
 * @param socket_id
 *   NUMA node to take memory on.
 * @return
 *   - 0: done.
 *   - -EINVAL: no such device or cryptodev.
 *   - -ENOMEM: memory ran out.
 *
 * Threads: any. Source: guide.
 */
int rte_vhost_crypto_create(int vid, uint8_t cryptodev_id, struct rte_mempool *sess_pool,
	int socket_id);

/**
 * Undo rte_vhost_crypto_create(). To be called in destroy_device(), when no operation of the
 * device is with the cryptodev any more.
 *
 * @note Not in this release.
 *
 * @param vid
 *   Device.
 * @return
 *   - 0: done.
 *   - -EINVAL: no such crypto device.
 *
 * Threads: any. Source: guide.
 */
int rte_vhost_crypto_free(int vid);

/**
 * Choose whether operations work on guest memory directly.
 *
 * @note Not in this release.
 *
 * @param vid
 *   Device.
 * @param option
 *   See enum rte_vhost_crypto_zero_copy.
 * @return
 *   - 0: done.
 *   - -EINVAL: no such crypto device or option.
 *   - -ENOMEM: memory ran out.
 *
 * Threads: any, while no request is under way. Source: guide.
 */
int rte_vhost_crypto_set_zero_copy(int vid, enum rte_vhost_crypto_zero_copy option);

/**
 * Take requests from the guest and turn them into crypto operations, ready for the cryptodev.
 *
 * @note Not in this release.
 *
 * @param vid
 *   Device.
 * @param qid
 *   Data queue.
 * @param[in,out] ops
 *   Operations from the application's pool, to be filled in.
 * @param nb_ops
 *   Elements in @p ops.
 * @return
 *   How many of the first operations were filled in, at most #VHOST_CRYPTO_MAX_BURST_SIZE. The
 *   others are untouched. 0 also if there is no such device or queue.
 *
 * Threads: queue. Source: guide.
 */
uint16_t rte_vhost_crypto_fetch_requests(int vid, uint32_t qid, struct rte_crypto_op **ops,
	uint16_t nb_ops);

/**
 * Give results back to the guest: write data and status and return the descriptors.
 *
 * @note Not in this release.
 *
 * @param ops
 *   Operations from rte_vhost_crypto_fetch_requests() that the cryptodev has finished.
 * @param nb_ops
 *   Elements in @p ops.
 * @param[out] callfds
 *   Interrupt eventfds of the queues concerned, for the application to write to; room for
 *   #VIRTIO_CRYPTO_MAX_NUM_BURST_VQS. They stay the library's.
 * @param[out] nb_callfds
 *   Elements stored in @p callfds.
 * @return
 *   How many of the first operations are finished.
 *
 * Threads: queue, for every queue with an operation in @p ops. Source: 22.11.
 */
uint16_t rte_vhost_crypto_finalize_requests(struct rte_crypto_op **ops, uint16_t nb_ops,
	int *callfds, uint16_t *nb_callfds);

#ifdef __cplusplus
}
#endif

#endif /* _VHOST_CRYPTO_H_ */
