/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's crypto device: its pools and sessions, and what the control plane wants
 * of the backend.
 */
#include <errno.h>
#include <rte_cryptodev.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_vect.h>
#include <stdlib.h>
#include <unistd.h>

#include "algorithms.h"
#include "async/iova.h"
#include "borrow.h"
#include "request.h"

/* Elements of the pools: requests under way; larger buffers; pieces of guest memory. */
#define NR_OWN 4096
#define NR_LARGE 128
#define NR_BORROWED (2 * NR_OWN + VHOST_CRYPTO_MBUF_POOL_SIZE)
/* For each core; none of the few larger ones, which a core that goes idle would keep. */
#define POOL_CACHE 64

/* --- its pools ----------------------------------------------------------- */

/* Of all processes of an EAL. */
static struct rte_mempool *pool_new(char what, unsigned int n, unsigned int cache,
				    size_t priv_bytes, uint32_t data_bytes, int socket_id)
{
	static uint32_t serial;
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "vhc%c%d_%u", what, getpid(),
		 __atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED));
	return rte_pktmbuf_pool_create(name, n, cache,
				       (uint16_t)RTE_ALIGN_CEIL(priv_bytes, (size_t)64),
				       (uint16_t)data_bytes, socket_id);
}

/* What a request never changes. */
static void request_init(struct rte_mempool *pool, void *crypto, void *mbuf, unsigned int index)
{
	struct crypto_request *r = rte_mbuf_to_priv(mbuf);

	(void)pool;
	(void)index;
	r->self = r;
	r->crypto = crypto;
}

static void crypto_delete(struct crypto *crypto)
{
	rte_mempool_free(crypto->own);
	rte_mempool_free(crypto->large);
	rte_mempool_free(crypto->borrowed);
	rte_free(crypto);
}

struct crypto *crypto_new(uint8_t cryptodev_id, struct rte_mempool *sess_pool, int socket_id,
			  const char *name)
{
	struct crypto *crypto =
		rte_zmalloc_socket(NULL, sizeof(*crypto), RTE_CACHE_LINE_SIZE, socket_id);
	struct rte_cryptodev_info info;

	if (crypto == NULL) {
		LOG_ERR("%s: no memory for a crypto device", name);
		return NULL;
	}
	rte_cryptodev_info_get(cryptodev_id, &info);
	crypto->refs = 1;
	crypto->cryptodev_flags = info.feature_flags;
	crypto->data_max = crypto_data_max_bytes(&info);
	crypto->socket_id = socket_id;
	crypto->copy = copy_choose(rte_vect_get_max_simd_bitwidth());
	crypto_sessions_init(&crypto->sessions, cryptodev_id, sess_pool);
	crypto->own = pool_new('o', NR_OWN, POOL_CACHE, sizeof(struct crypto_request),
			       sizeof(struct crypto_front) + CRYPTO_DATA_BYTES, socket_id);
	/* Not after the other one failed: rte_errno is to say why it did. */
	if (crypto->own != NULL)
		crypto->large = pool_new('l', NR_LARGE, 0, sizeof(struct crypto_request *),
					 CRYPTO_BUFFER_BYTES, socket_id);
	if (crypto->large != NULL) {
		(void)rte_mempool_obj_iter(crypto->own, request_init, crypto);
		return crypto;
	}
	LOG_ERR("%s: no memory for the buffers of a crypto device (%s): give EAL more (-m)", name,
		rte_strerror(rte_errno));
	crypto_delete(crypto);
	return NULL;
}

/*
 * A device that reads memory by itself has to be told of it, and does not wait for pages. Without
 * RTE_VHOST_USER_ASYNC_COPY nobody tells it.
 */
static bool may_borrow(const struct crypto *crypto, const struct device *dev)
{
	if ((dev->config->flags & RTE_VHOST_USER_ASYNC_COPY) != 0 ||
	    (iova_is_va() && (crypto->cryptodev_flags & RTE_CRYPTODEV_FF_HW_ACCELERATED) == 0))
		return true;
	LOG_WARN("%s: no zero copy: the cryptodev needs bus addresses of guest memory: register the "
		 "socket with RTE_VHOST_USER_ASYNC_COPY; requests are copied", dev->ifname);
	return false;
}

int crypto_set_zero_copy(struct device *dev, bool wanted)
{
	struct crypto *crypto = dev->crypto;

	if (wanted && crypto->borrowed == NULL) {
		crypto->borrowed = pool_new('z', NR_BORROWED, POOL_CACHE,
					    sizeof(struct crypto_request *), 0,
					    crypto->socket_id);
		if (crypto->borrowed == NULL)
			return -ENOMEM;
		crypto_borrow_init(crypto);
	}
	wanted = wanted && may_borrow(crypto, dev);
	device_gates_close(dev);
	crypto->zero_copy = wanted;
	device_gates_open(dev, dev->nr_vqs);
	return 0;
}

void crypto_put(struct crypto *crypto, uint32_t n)
{
	if (__atomic_sub_fetch(&crypto->refs, n, __ATOMIC_ACQ_REL) == 0)
		crypto_delete(crypto);
}

void crypto_retire(struct crypto *crypto)
{
	crypto_sessions_fini(&crypto->sessions);
	crypto_put(crypto, 1);
}

/* --- its queues ---------------------------------------------------------- */

static void crypto_ring_setup(const struct device *dev, struct vq *vq)
{
	struct crypto_queue *q = vq->crypto;
	const uint32_t size = rte_align32pow2(vq->ring.size);

	(void)dev;
	/* With nothing under way, or it would have been abandoned. */
	if (q != NULL && q->mask + 1 == size)
		return;
	free(q);
	q = calloc(1, sizeof(*q) + size * sizeof(q->done[0]));
	vq->crypto = q;
	if (q == NULL) {
		LOG_ERR("%s: queue %u: no memory for its requests: it is not served",
			vq->dev->ifname, vq->index);
		return;
	}
	q->home = vq;
	q->mask = size - 1;
}

/* Requests lie in chains of both directions; the guest gets what we write. */
static enum chain_dir crypto_queue_dir(const struct vq *vq)
{
	(void)vq;
	return CHAIN_WRITABLE;
}

/* The queue's requests are the application's to end: who ends the last one frees the old queue. */
static unsigned int crypto_abandon(struct vq *vq)
{
	struct crypto_queue *q = vq->crypto;
	unsigned int n;

	if (q == NULL || q->taken == q->given)
		return 0;
	n = q->taken - q->given;
	vq->crypto = NULL;
	if (q->nr_open == 0)
		free(q);
	/* The ring may stay, and only stand elsewhere. */
	crypto_ring_setup(vq->dev, vq);
	return n;
}

static void crypto_forget(struct vq *vq)
{
	(void)crypto_abandon(vq);
	free(vq->crypto);
	vq->crypto = NULL;
}

/* --- the device ---------------------------------------------------------- */

static void crypto_release(struct device *dev)
{
	if (dev->crypto == NULL)
		return;
	LOG_WARN("%s: goes without rte_vhost_crypto_free()", dev->ifname);
	crypto_retire(dev->crypto);
	dev->crypto = NULL;
}

/* Before an application says which cryptodev it is going to be: what all of them can do. */
static unsigned int cryptodevs_of(const struct device *dev, uint8_t *ids)
{
	unsigned int n = 0;

	if (dev->crypto != NULL) {
		ids[0] = dev->crypto->sessions.cryptodev_id;
		return rte_cryptodev_is_valid_dev(ids[0]) ? 1 : 0;
	}
	for (unsigned int id = 0; id < RTE_CRYPTO_MAX_DEVS; id++)
		if (rte_cryptodev_is_valid_dev((uint8_t)id))
			ids[n++] = (uint8_t)id;
	return n;
}

static uint32_t crypto_config_read(const struct device *dev, uint8_t *space)
{
	uint8_t ids[RTE_CRYPTO_MAX_DEVS];
	struct virtio_crypto_config config;

	crypto_config_of(ids, cryptodevs_of(dev, ids), &config);
	config.max_dataqueues = rte_cpu_to_le_32(MIN2(dev->config->max_queue_pairs * 2,
						      (uint32_t)DEVICE_VQS_MAX));
	memcpy(space, &config, sizeof(config));
	return sizeof(config);
}

static int64_t crypto_session_create(struct device *dev, const struct session_desc *desc)
{
	if (dev->crypto == NULL) {
		LOG_ERR("%s: no session: the application has not called rte_vhost_crypto_create()",
			dev->ifname);
		return -VIRTIO_CRYPTO_ERR;
	}
	return crypto_session_open(&dev->crypto->sessions, desc, dev->ifname);
}

static int crypto_session_end(struct device *dev, uint64_t id)
{
	return dev->crypto != NULL ? crypto_session_close(&dev->crypto->sessions, id) : -ENOENT;
}

const struct device_backend crypto_backend = {
	.name = "crypto",
	/* QEMU names as many as its device has, and starts those that the guest uses. */
	.rings_needed = 1,
	.starts_enabled = true,
	.ring_setup = crypto_ring_setup,
	.queue_dir = crypto_queue_dir,
	.forget = crypto_forget,
	.abandon = crypto_abandon,
	.release = crypto_release,
	.config_read = crypto_config_read,
	.session_open = crypto_session_create,
	.session_close = crypto_session_end,
};
