/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-crypto's algorithms in cryptodev's terms, and what a cryptodev can do in
 * virtio-crypto's.
 */
#ifndef VHOST_NG_CRYPTO_ALGORITHMS_H
#define VHOST_NG_CRYPTO_ALGORITHMS_H

#include <linux/virtio_crypto.h>
#include <rte_cryptodev.h>

#include "session.h"

/* In the specification, not yet in the kernel's header. */
#ifndef VIRTIO_CRYPTO_MAC_ZUC_EIA3
#define VIRTIO_CRYPTO_MAC_ZUC_EIA3 54
#endif

struct crypto_algorithm {
	uint8_t service;     /* VIRTIO_CRYPTO_SERVICE_* */
	uint8_t id;          /* virtio's, in its service */
	uint8_t rte;         /* cryptodev's: enum rte_crypto_{cipher,auth,aead}_algorithm */
	uint8_t block_bytes; /* data has a multiple of so many bytes; not 0 */
	uint8_t iv_bytes;    /* what requests usually have; 0: none */
	bool iv_varies;      /* they may have what else the cryptodev takes */
	bool in_bits;        /* cryptodev counts offsets and lengths in bits */
	uint8_t key_max_bytes; /* 0: what the cryptodev takes */
	uint32_t max_bytes;  /* the most data, 0: any */
	const char *name;
};

/* The lengths that it may have on a cryptodev, in bytes; 0 for what it does not have. */
struct crypto_limits {
	struct rte_crypto_param_range key, digest, aad, iv;
};

/* NULL: virtio has no such algorithm in the service, or cryptodev does not know it. */
const struct crypto_algorithm *crypto_algorithm_find(uint32_t service, uint32_t id);
/* 0 or -ENOTSUP: the cryptodev does not have it. */
int crypto_limits_get(uint8_t cryptodev_id, const struct crypto_algorithm *algorithm,
		      struct crypto_limits *limits);
bool crypto_range_has(const struct rte_crypto_param_range *range, uint32_t bytes);
/* May requests have IVs of so many bytes, as virtio and as the cryptodev sees it? */
bool crypto_takes_iv(const struct crypto_algorithm *algorithm, const struct crypto_limits *limits,
		     uint32_t iv_bytes);

/*
 * Fills in all but max_dataqueues, little endian: services, algorithms, lengths of keys and of
 * data that *every* cryptodev of the list can do. No device: nothing is offered.
 */
void crypto_config_of(const uint8_t *cryptodev_ids, unsigned int count,
		      struct virtio_crypto_config *config);

/*
 * The most data that one request may have with such a device, but of an AEAD, which has its data
 * in one buffer (CRYPTO_BUFFER_BYTES): that is what guests are told. OpenSSL's CCM wants it so,
 * and crypto_openssl writes what it does in place as if it were.
 */
uint32_t crypto_data_max_bytes(const struct rte_cryptodev_info *info);

#endif
