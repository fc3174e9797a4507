/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of lib/crypto/ on DPDK's crypto devices in software: the devices, descriptions of
 * sessions, and an operation in a session. Header only; include it from one file of a program.
 */
#ifndef CRYPTO_KIT_H
#define CRYPTO_KIT_H

#include <sched.h>

#include <rte_cryptodev.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include "base/clock.h"
#include "crypto/algorithms.h"
#include "kit.h"
#include "tap.h"

#define WAIT_MS 60000
#define NO_DEVICE (-1)

enum {
	OPENSSL,
	AESNI_MB,
	AESNI_GCM,
	NULL_CRYPTO,
	SNOW3G,
	ZUC,
	KASUMI,
	CHACHA20,
	NR_DEVICES,
};

static struct {
	const char *driver;
	int id; /* NO_DEVICE: it is not there */
} devices[NR_DEVICES] = {
	[OPENSSL] = { "crypto_openssl", NO_DEVICE },
	[AESNI_MB] = { "crypto_aesni_mb", NO_DEVICE },
	[AESNI_GCM] = { "crypto_aesni_gcm", NO_DEVICE },
	[NULL_CRYPTO] = { "crypto_null", NO_DEVICE },
	[SNOW3G] = { "crypto_snow3g", NO_DEVICE },
	[ZUC] = { "crypto_zuc", NO_DEVICE },
	[KASUMI] = { "crypto_kasumi", NO_DEVICE },
	[CHACHA20] = { "crypto_chacha20_poly1305", NO_DEVICE },
};

static struct rte_mempool *kit_ops, *kit_mbufs;

/* A pool for so many of cryptodev's sessions, whatever the device. */
static inline struct rte_mempool *kit_pool(const char *name, uint32_t n, uint32_t cache)
{
	uint32_t bytes = 0;

	for (uint8_t id = 0; id < rte_cryptodev_count(); id++)
		bytes = MAX2(bytes, rte_cryptodev_sym_get_private_session_size(id));
	return rte_cryptodev_sym_session_pool_create(name, n, bytes, cache, 0, SOCKET_ID_ANY);
}

/* The device of a driver that is called so; there may be several. */
static inline int kit_device(const char *name)
{
	return rte_eal_hotplug_add("vdev", name, "") == 0 ? rte_cryptodev_get_dev_id(name) :
							    NO_DEVICE;
}

static inline bool kit_device_start(uint8_t id)
{
	struct rte_cryptodev_config config = { .nb_queue_pairs = 1, .socket_id = SOCKET_ID_ANY };
	struct rte_cryptodev_qp_conf queue = { .nb_descriptors = 64 };

	return rte_cryptodev_configure(id, &config) == 0 &&
	       rte_cryptodev_queue_pair_setup(id, 0, &queue, SOCKET_ID_ANY) == 0 &&
	       rte_cryptodev_start(id) == 0;
}

/* EAL, and all devices that are there. */
static inline bool kit_start(const char *program)
{
	char prefix[48];
	const char *eal[] = { program, "--no-huge", "--no-pci", "--no-shconf", "-m", "64",
			      "-l", "0", "--no-telemetry", "--file-prefix", prefix };

	snprintf(prefix, sizeof(prefix), "%s%d", program, (int)getpid());
	if (rte_eal_init((int)ARRAY_LEN(eal), (char **)(uintptr_t)eal) < 0)
		return false;
	/* What the tests provoke is in our own log, too. */
	rte_log_set_global_level(RTE_LOG_EMERG);
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		devices[i].id = kit_device(devices[i].driver);
		if (devices[i].id != NO_DEVICE && !kit_device_start((uint8_t)devices[i].id))
			return false;
	}
	kit_ops = rte_crypto_op_pool_create("ops", RTE_CRYPTO_OP_TYPE_SYMMETRIC, 63, 0,
					    VHOST_CRYPTO_MAX_IV_LEN, SOCKET_ID_ANY);
	kit_mbufs = rte_pktmbuf_pool_create("mbufs", 63, 0, 0, 4096, SOCKET_ID_ANY);
	return kit_ops != NULL && kit_mbufs != NULL;
}

/* Ends the test, too, where the device is not there. */
static inline uint8_t device_or_skip(unsigned int which)
{
	if (devices[which].id == NO_DEVICE)
		tap_skip("crypto drivers of DPDK are not installed");
	return (uint8_t)devices[which].id;
}

/* --- what devices promise ------------------------------------------------ */

/*
 * Programs that are linked with --wrap=rte_cryptodev_sym_capability_get may have a device promise
 * other lengths than it does.
 */
static struct {
	bool on;
	uint8_t cryptodev_id;
	struct rte_crypto_param_range key, digest, aad;
} promise;

const struct rte_cryptodev_symmetric_capability *
__real_rte_cryptodev_sym_capability_get(uint8_t dev_id,
					const struct rte_cryptodev_sym_capability_idx *idx);
const struct rte_cryptodev_symmetric_capability *
__wrap_rte_cryptodev_sym_capability_get(uint8_t dev_id,
					const struct rte_cryptodev_sym_capability_idx *idx);
const struct rte_cryptodev_symmetric_capability *
__wrap_rte_cryptodev_sym_capability_get(uint8_t dev_id,
					const struct rte_cryptodev_sym_capability_idx *idx)
{
	static struct rte_cryptodev_symmetric_capability has;
	const struct rte_cryptodev_symmetric_capability *real =
		__real_rte_cryptodev_sym_capability_get(dev_id, idx);

	if (!promise.on || real == NULL || dev_id != promise.cryptodev_id)
		return real;
	has = *real;
	switch (has.xform_type) {
	case RTE_CRYPTO_SYM_XFORM_CIPHER:
		has.cipher.key_size = promise.key;
		break;
	case RTE_CRYPTO_SYM_XFORM_AUTH:
		has.auth.key_size = promise.key;
		has.auth.digest_size = promise.digest;
		break;
	default:
		has.aead.key_size = promise.key;
		has.aead.digest_size = promise.digest;
		has.aead.aad_size = promise.aad;
	}
	return &has;
}

/* --- sessions ------------------------------------------------------------ */

static inline void key_fill(uint8_t *key, uint32_t bytes, uint8_t first)
{
	for (uint32_t i = 0; i < bytes; i++)
		key[i] = (uint8_t)(first + i * 7);
}

/* The parts of a description do not get into each other's way. */
static inline struct session_desc desc_of(uint32_t opcode)
{
	struct session_desc d = { .opcode = opcode };

	key_fill(d.cipher_key, sizeof(d.cipher_key), 1);
	key_fill(d.auth_key, sizeof(d.auth_key), 101);
	return d;
}

static inline struct session_desc desc_cipher(uint32_t algo, uint32_t key_bytes, uint8_t direction)
{
	struct session_desc d = desc_of(VIRTIO_CRYPTO_CIPHER_CREATE_SESSION);

	d.op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER;
	d.cipher_algo = algo;
	d.cipher_key_bytes = key_bytes;
	d.direction = direction;
	return d;
}

static inline struct session_desc desc_hash(uint32_t algo, uint32_t digest_bytes)
{
	struct session_desc d = desc_of(VIRTIO_CRYPTO_HASH_CREATE_SESSION);

	d.hash_algo = algo;
	d.digest_bytes = digest_bytes;
	return d;
}

static inline struct session_desc desc_mac(uint32_t algo, uint32_t digest_bytes,
					   uint32_t key_bytes)
{
	struct session_desc d = desc_of(VIRTIO_CRYPTO_MAC_CREATE_SESSION);

	d.hash_algo = algo;
	d.digest_bytes = digest_bytes;
	d.auth_key_bytes = key_bytes;
	return d;
}

static inline struct session_desc desc_aead(uint32_t algo, uint32_t key_bytes,
					    uint32_t tag_bytes, uint32_t aad_bytes,
					    uint8_t direction)
{
	struct session_desc d = desc_of(VIRTIO_CRYPTO_AEAD_CREATE_SESSION);

	d.cipher_algo = algo;
	d.cipher_key_bytes = key_bytes;
	d.digest_bytes = tag_bytes;
	d.aad_bytes = aad_bytes;
	d.direction = direction;
	return d;
}

/* A chain of a cipher and what is described already: a hash or a MAC. */
static inline struct session_desc desc_chain(const struct session_desc *cipher,
					     const struct session_desc *auth, uint8_t order)
{
	struct session_desc d = *cipher;

	d.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
	d.hash_mode = auth->opcode == VIRTIO_CRYPTO_MAC_CREATE_SESSION ?
			      VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH :
			      VIRTIO_CRYPTO_SYM_HASH_MODE_PLAIN;
	d.chain_order = order;
	d.hash_algo = auth->hash_algo;
	d.digest_bytes = auth->digest_bytes;
	d.auth_key_bytes = auth->auth_key_bytes;
	return d;
}

static inline struct session_desc desc_aes_cbc(void)
{
	return desc_cipher(VIRTIO_CRYPTO_CIPHER_AES_CBC, 16, VIRTIO_CRYPTO_OP_ENCRYPT);
}

static inline struct session_desc desc_ccm(uint8_t direction)
{
	return desc_aead(VIRTIO_CRYPTO_AEAD_CCM, 16, 8, 13, direction);
}

/* --- operations ---------------------------------------------------------- */

#define WORK_BYTES 256u

/* Data and results of one operation, as a guest would have them. */
struct work {
	uint8_t iv[VHOST_CRYPTO_MAX_IV_LEN];
	uint8_t data[WORK_BYTES];
	uint8_t aad[CRYPTO_AAD_MAX_BYTES];
	uint8_t digest[CRYPTO_DIGEST_MAX_BYTES];
};

/* What the device sees in one buffer. */
struct work_front {
	struct work work;
	uint8_t ccm_aad[18 + CRYPTO_AAD_MAX_BYTES + 16];
};

static inline struct work work_new(uint8_t first)
{
	struct work w;

	memset(&w, 0, sizeof(w));
	key_fill(w.iv, sizeof(w.iv), first);
	key_fill(w.data, sizeof(w.data), (uint8_t)(first + 50));
	key_fill(w.aad, sizeof(w.aad), (uint8_t)(first + 100));
	return w;
}

static inline void op_fill(struct rte_crypto_op *op, const struct crypto_session *s,
			   uint32_t iv_bytes, struct work_front *front)
{
	struct rte_crypto_sym_op *sym = op->sym;
	uint8_t *iv = rte_crypto_op_ctod_offset(op, uint8_t *, CRYPTO_IV_OFFSET);

	memcpy(iv + s->is_ccm, front->work.iv, iv_bytes);
	if (s->kind == CRYPTO_AEAD) {
		sym->aead.data.offset = offsetof(struct work, data);
		sym->aead.data.length = WORK_BYTES;
		sym->aead.digest.data = front->work.digest;
		sym->aead.aad.data = s->is_ccm ? front->ccm_aad : front->work.aad;
		memcpy(front->ccm_aad + 18, front->work.aad, s->aad_bytes);
		return;
	}
	sym->cipher.data.offset = offsetof(struct work, data) << (s->cipher_in_bits ? 3 : 0);
	sym->cipher.data.length = WORK_BYTES << (s->cipher_in_bits ? 3 : 0);
	sym->auth.data.offset = offsetof(struct work, data) << (s->auth_in_bits ? 3 : 0);
	sym->auth.data.length = WORK_BYTES << (s->auth_in_bits ? 3 : 0);
	sym->auth.digest.data = front->work.digest;
}

/* One operation on `w`, with so many bytes of its IV; RTE_CRYPTO_OP_STATUS_*. */
static inline uint8_t work_do(struct crypto_session *s, uint32_t iv_bytes, struct work *w)
{
	void *sym = crypto_session_for_iv(s, iv_bytes);
	struct rte_crypto_op *op = rte_crypto_op_alloc(kit_ops, RTE_CRYPTO_OP_TYPE_SYMMETRIC);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(kit_mbufs);
	struct work_front *front;
	const int64_t until_ms = clock_now_ms() + WAIT_MS;
	uint8_t status;

	CHECK(sym != NULL && op != NULL && mbuf != NULL);
	mbuf->data_off = 0;
	front = (struct work_front *)(void *)rte_pktmbuf_append(mbuf, sizeof(*front));
	CHECK(front != NULL);
	front->work = *w;
	op->sym->m_src = mbuf;
	CHECK_EQ(rte_crypto_op_attach_sym_session(op, sym), 0);
	op_fill(op, s, iv_bytes, front);
	CHECK_EQ(rte_cryptodev_enqueue_burst(s->cryptodev_id, 0, &op, 1), 1);
	while (rte_cryptodev_dequeue_burst(s->cryptodev_id, 0, &op, 1) == 0) {
		CHECK(clock_now_ms() < until_ms);
		sched_yield();
	}
	status = op->status;
	*w = front->work;
	rte_pktmbuf_free(mbuf);
	rte_crypto_op_free(op);
	return status;
}

#endif
