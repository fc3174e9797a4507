/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rte_vhost_crypto_*().
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <rte_cryptodev.h>

#include "crypto/request.h"
#include "device/visit.h"
#include "server/endpoint.h"

#define CRYPTO_FEATURES                                                                     \
	(BIT(VIRTIO_CRYPTO_F_REVISION_1) | BIT(VIRTIO_F_ANY_LAYOUT) |                      \
	 BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) |                 \
	 BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VHOST_F_LOG_ALL) | BIT(VIRTIO_F_VERSION_1) | \
	 BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER))

/*
 * Of what a socket of the net backend offers, and what only crypto devices have. Not STATUS: QEMU
 * 7.2 agrees to it, and never says DRIVER_OK.
 */
#define PROTOCOL_OF_NET \
	(BIT(VHOST_USER_PROTOCOL_F_RARP) | BIT(VHOST_USER_PROTOCOL_F_NET_MTU) | \
	 BIT(VHOST_USER_PROTOCOL_F_STATUS) | BIT(VHOST_USER_PROTOCOL_F_DEVICE_STATE))
#define PROTOCOL_OF_CRYPTO \
	(BIT(VHOST_USER_PROTOCOL_F_CRYPTO_SESSION) | BIT(VHOST_USER_PROTOCOL_F_CONFIG))

static int become_crypto(struct driver_config *config, void *arg)
{
	const char *path = arg;

	if ((config->flags & RTE_VHOST_USER_IOMMU_SUPPORT) != 0) {
		LOG_ERR("%s: no crypto device behind a vIOMMU: leave RTE_VHOST_USER_IOMMU_SUPPORT "
			"out", path);
		return -ENOTSUP;
	}
	if (config->vdpa != NULL) {
		LOG_ERR("%s: a vDPA device serves it: detach that first", path);
		return -EBUSY;
	}
	__atomic_store_n(&config->backend, &crypto_backend, __ATOMIC_RELAXED);
	config->supported_features = CRYPTO_FEATURES;
	__atomic_store_n(&config->features, CRYPTO_FEATURES, __ATOMIC_RELAXED);
	__atomic_store_n(&config->protocol_features,
			 (config->protocol_features & ~PROTOCOL_OF_NET) | PROTOCOL_OF_CRYPTO,
			 __ATOMIC_RELAXED);
	return 0;
}

int rte_vhost_crypto_driver_start(const char *path)
{
	if (path == NULL || endpoint_with_config(path, become_crypto, (void *)(uintptr_t)path) < 0)
		return -1;
	return rte_vhost_driver_start(path);
}

/* The crypto device of a guest, locked; NULL: there is no such one. */
static struct device *lock_crypto(int vid)
{
	struct device *dev = device_lock(vid);

	if (dev == NULL || device_server(dev) == &crypto_backend)
		return dev;
	LOG_ERR("%s: is no crypto device: start its socket with rte_vhost_crypto_driver_start()",
		dev->ifname);
	device_unlock(dev);
	return NULL;
}

/* Data threads see one or the other. */
static void exchange_crypto(struct device *dev, struct crypto *crypto)
{
	device_gates_close(dev);
	dev->crypto = crypto;
	device_gates_open(dev, dev->nr_vqs);
}

int rte_vhost_crypto_create(int vid, uint8_t cryptodev_id, struct rte_mempool *sess_pool,
			    int socket_id)
{
	struct crypto *crypto;
	struct device *dev;
	int ret = 0;

	if (!rte_cryptodev_is_valid_dev(cryptodev_id) || sess_pool == NULL) {
		LOG_ERR("rte_vhost_crypto_create: no cryptodev %u, or no pool of sessions",
			cryptodev_id);
		return -EINVAL;
	}
	crypto = crypto_new(cryptodev_id, sess_pool, socket_id, "rte_vhost_crypto_create");
	if (crypto == NULL)
		return -ENOMEM;
	dev = lock_crypto(vid);
	if (dev == NULL)
		ret = -EINVAL;
	else if (dev->crypto != NULL)
		ret = -EEXIST;
	else
		exchange_crypto(dev, crypto);
	if (dev != NULL)
		device_unlock(dev);
	if (ret < 0)
		crypto_retire(crypto);
	return ret;
}

int rte_vhost_crypto_free(int vid)
{
	struct device *dev = lock_crypto(vid);
	struct crypto *crypto;

	if (dev == NULL)
		return -EINVAL;
	crypto = dev->crypto;
	if (crypto != NULL)
		exchange_crypto(dev, NULL);
	device_unlock(dev);
	if (crypto == NULL)
		return -EINVAL;
	crypto_retire(crypto);
	return 0;
}

int rte_vhost_crypto_set_zero_copy(int vid, enum rte_vhost_crypto_zero_copy option)
{
	struct device *dev;
	int ret = -EINVAL;

	if ((unsigned int)option >= RTE_VHOST_CRYPTO_MAX_ZERO_COPY_OPTIONS)
		return -EINVAL;
	dev = lock_crypto(vid);
	if (dev == NULL)
		return -EINVAL;
	if (dev->crypto != NULL)
		ret = crypto_set_zero_copy(dev, option == RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE);
	device_unlock(dev);
	return ret;
}

uint16_t rte_vhost_crypto_fetch_requests(int vid, uint32_t qid, struct rte_crypto_op **ops,
					 uint16_t nb_ops)
{
	struct vq *vq = qid <= UINT16_MAX ? device_vq(vid, (uint16_t)qid) : NULL;
	uint16_t n = 0;

	/* Another thread polls this queue: it will find what there is. */
	if (vq == NULL || ops == NULL || !gate_try_enter(&vq->gate))
		return 0;
	if (vq->ring.fault == RING_FAULT_NONE)
		n = crypto_fetch(vq, ops, nb_ops);
	gate_exit(&vq->gate);
	return n;
}

/* Operations from the first on that are of one queue. */
static unsigned int same_queue(struct rte_crypto_op *const *ops, unsigned int count)
{
	const struct crypto_queue *q = crypto_request_of(ops[0])->queue;
	unsigned int n = 1;

	while (n < count && ops[n]->sym->m_src != NULL && crypto_request_of(ops[n])->queue == q)
		n++;
	return n;
}

static void add_callfd(int *callfds, uint16_t *nb_callfds, int fd)
{
	for (unsigned int i = 0; i < *nb_callfds; i++)
		if (callfds[i] == fd)
			return;
	callfds[(*nb_callfds)++] = fd;
}

uint16_t rte_vhost_crypto_finalize_requests(struct rte_crypto_op **ops, uint16_t nb_ops,
					    int *callfds, uint16_t *nb_callfds)
{
	unsigned int done = 0;

	if (nb_callfds == NULL)
		return 0;
	*nb_callfds = 0;
	while (done < nb_ops && *nb_callfds < VIRTIO_CRYPTO_MAX_NUM_BURST_VQS) {
		struct crypto_queue *q;
		struct visit v;
		unsigned int n;

		if (ops[done]->sym->m_src == NULL) {
			LOG_ERR("rte_vhost_crypto_finalize_requests: operation %u was not fetched, or "
				"finalized before", done);
			break;
		}
		q = crypto_request_of(ops[done])->queue;
		n = same_queue(ops + done, nb_ops - done);
		visit_enter(&v, q->home);
		if (crypto_finish(q, ops + done, n))
			add_callfd(callfds, nb_callfds, v.vq->callfd);
		visit_end(&v);
		done += n;
	}
	return (uint16_t)done;
}
