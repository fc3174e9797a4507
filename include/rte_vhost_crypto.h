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
 * library checks them before an operation leaves it, and answers those that make no sense.
 *
 * An application's life with a crypto device:
 *
 * - rte_vhost_driver_register(), rte_vhost_driver_callback_register(), then
 *   rte_vhost_crypto_driver_start() instead of rte_vhost_driver_start();
 * - rte_vhost_crypto_create() in new_device();
 * - in its loop rte_vhost_crypto_fetch_requests(), rte_cryptodev_enqueue_burst(),
 *   rte_cryptodev_dequeue_burst(), rte_vhost_crypto_finalize_requests(), for each queue;
 * - in destroy_device() wait until every operation was finalized, then rte_vhost_crypto_free().
 *
 * The guest gets its requests back in the order in which it made them, also when operations are
 * finalized in another one. An operation that the cryptodev does not take is finalized as it is;
 * the guest gets an error. One that is never finalized holds up its queue.
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

/** Pieces of guest memory, beyond two for each, that operations of one device may be on. */
#define VHOST_CRYPTO_MBUF_POOL_SIZE		(8192)
/** Requests in one burst; more are left for the next. */
#define VHOST_CRYPTO_MAX_BURST_SIZE		(64)
/** Bytes of data up to which a request is copied into one buffer; larger ones take several. */
#define VHOST_CRYPTO_MAX_DATA_SIZE		(4096)
/** Sessions of one device. */
#define VHOST_CRYPTO_SESSION_MAP_ENTRIES	(1024)
/** Elements of rte_vhost_crypto_finalize_requests()'s array of file descriptors. */
#define VIRTIO_CRYPTO_MAX_NUM_BURST_VQS		(64)
/** Bytes of an initialisation vector: what the application's operations have to have room for. */
#define VHOST_CRYPTO_MAX_IV_LEN			(32)
/** Descriptors of one request in DPDK's library; ours takes 1024. */
#define VHOST_CRYPTO_MAX_N_DESC			(32)

/** Whether a device's operations work on guest memory directly. */
enum rte_vhost_crypto_zero_copy {
	RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE = 0,	/**< On copies. */
	RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE = 1,	/**< On guest memory. */
	RTE_VHOST_CRYPTO_MAX_ZERO_COPY_OPTIONS = 2	/**< Number of options. */
};

/**
 * Begin to serve a socket with crypto devices: offer their features and protocol features in place
 * of a network card's, then rte_vhost_driver_start().
 *
 * @param path
 *   As registered with rte_vhost_driver_register(), without #RTE_VHOST_USER_IOMMU_SUPPORT.
 * @return
 *   - 0: serving.
 *   - -1: as rte_vhost_driver_start(), or the socket is behind a vIOMMU.
 *
 * Threads: setup. Source: 22.11.
 */
__rte_experimental
int rte_vhost_crypto_driver_start(const char *path);

/**
 * Have a cryptodev serve a new device's requests. To be called in new_device(). Sessions can be
 * made, and requests fetched, from then on.
 *
 * @param vid
 *   Device.
 * @param cryptodev_id
 *   Cryptodev to work with; several devices may share one.
 * @param sess_pool
 *   Where the cryptodev's sessions come from (rte_cryptodev_sym_session_pool_create()). Several
 *   devices may share it; a guest takes up to #VHOST_CRYPTO_SESSION_MAP_ENTRIES, so one with as many
 *   for each device leaves none without. It stays until every operation is finalized.
 * @param socket_id
 *   NUMA node to take memory on: about 28 MB a device, 41 MB where pages have 4 KB (--no-huge).
 * @return
 *   - 0: done.
 *   - -EINVAL: no such device or cryptodev, no pool, or the device's socket was not started with
 *     rte_vhost_crypto_driver_start().
 *   - -EEXIST: it has one.
 *   - -ENOMEM: memory ran out.
 *
 * Threads: any. Source: guide.
 */
int rte_vhost_crypto_create(int vid, uint8_t cryptodev_id, struct rte_mempool *sess_pool,
	int socket_id);

/**
 * Undo rte_vhost_crypto_create(): no more requests are fetched, all sessions end. To be called in
 * destroy_device(), when no operation of the device is with the cryptodev any more; those that are
 * have to be finalized all the same, and the device's buffers are freed with the last one.
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
 * Choose whether operations work on guest memory directly. What is under way goes on as it began.
 *
 * Requests that cannot be served so are copied, and nobody hears of it: AEADs and chains that
 * decipher, as nothing is written before the tag or digest was found right; chains whose result
 * has parts that are not enciphered, or whose parts are not in one piece each; those in more
 * pieces than the cryptodev (RTE_CRYPTODEV_FF_*) or 32 mbufs take; and guest memory whose bus
 * address is unknown (register the socket with #RTE_VHOST_USER_ASYNC_COPY).
 * A guest that changes its data meanwhile gets what it deserves, and nobody else does.
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
 * Threads: any. Source: guide.
 */
int rte_vhost_crypto_set_zero_copy(int vid, enum rte_vhost_crypto_zero_copy option);

/**
 * Take requests from the guest and turn them into crypto operations, ready for the cryptodev. Those
 * that make no sense are answered, and take no operation.
 *
 * @param vid
 *   Device.
 * @param qid
 *   Data queue.
 * @param[in,out] ops
 *   Operations from the application's pool (rte_crypto_op_pool_create()), of type
 *   RTE_CRYPTO_OP_TYPE_SYMMETRIC and with #VHOST_CRYPTO_MAX_IV_LEN bytes of private data, to be
 *   filled in.
 * @param nb_ops
 *   Elements in @p ops.
 * @return
 *   How many of the first operations were filled in, at most #VHOST_CRYPTO_MAX_BURST_SIZE.
 *   What is in the others means nothing. 0 also if there is no such device or queue, before
 *   rte_vhost_crypto_create(), when buffers ran out, or while another thread is at the queue.
 *
 * Threads: queue. Source: guide.
 */
uint16_t rte_vhost_crypto_fetch_requests(int vid, uint32_t qid, struct rte_crypto_op **ops,
	uint16_t nb_ops);

/**
 * Give results back to the guest: write data and status and return the descriptors. Operations of
 * devices and queues that are gone by now have to come here as well: what they hold is freed.
 *
 * @param ops
 *   Operations from rte_vhost_crypto_fetch_requests() that the cryptodev has finished, or never
 *   took. They are the application's again afterwards.
 * @param nb_ops
 *   Elements in @p ops.
 * @param[out] callfds
 *   Interrupt eventfds of the queues whose guests want to be told, for the application to write to;
 *   room for #VIRTIO_CRYPTO_MAX_NUM_BURST_VQS. They stay the library's, and valid until
 *   destroy_device() has returned.
 * @param[out] nb_callfds
 *   Elements stored in @p callfds.
 * @return
 *   How many of the first operations are finished: all, unless @p callfds is full.
 *
 * Threads: any; fetching and finalizing may be two threads' work. Source: 22.11.
 */
uint16_t rte_vhost_crypto_finalize_requests(struct rte_crypto_op **ops, uint16_t nb_ops,
	int *callfds, uint16_t *nb_callfds);

#ifdef __cplusplus
}
#endif

#endif /* _VHOST_CRYPTO_H_ */
