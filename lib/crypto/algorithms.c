/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One table of algorithms. What stands in it is offered where a cryptodev has it
 * in a form that virtio's requests can use; what does not is refused.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "algorithms.h"
#include "base/defs.h"

/* 20000 bits (3GPP TS 35.201); of more crypto_aesni_mb makes nothing, and says that it succeeded. */
#define KASUMI_MAX_BYTES 2500

#define CIPHER(virtio, dpdk, block, iv, ...)                                    \
	{                                                                       \
		.service = VIRTIO_CRYPTO_SERVICE_CIPHER,                        \
		.id = VIRTIO_CRYPTO_CIPHER_##virtio,                            \
		.rte = RTE_CRYPTO_CIPHER_##dpdk, .block_bytes = block,          \
		.iv_bytes = iv, .name = #virtio, __VA_ARGS__                    \
	}
#define AUTH(of_service, virtio, dpdk, ...)                                     \
	{                                                                       \
		.service = VIRTIO_CRYPTO_SERVICE_##of_service,                  \
		.id = VIRTIO_CRYPTO_##of_service##_##virtio,                    \
		.rte = RTE_CRYPTO_AUTH_##dpdk, .block_bytes = 1,                \
		.name = #virtio, __VA_ARGS__                                    \
	}
#define HASH(virtio, dpdk) AUTH(HASH, virtio, dpdk)
#define MAC(virtio, dpdk, ...) AUTH(MAC, virtio, dpdk, __VA_ARGS__)
#define AEAD(virtio, dpdk, iv, ...)                                             \
	{                                                                       \
		.service = VIRTIO_CRYPTO_SERVICE_AEAD,                          \
		.id = VIRTIO_CRYPTO_AEAD_##virtio,                              \
		.rte = RTE_CRYPTO_AEAD_##dpdk, .block_bytes = 1,                \
		.iv_bytes = iv, .name = #virtio, __VA_ARGS__                    \
	}

/*
 * cryptodev has no DES in ECB mode, no SHAKE and no MACs of 3DES, Twofish or KASUMI in CBC mode.
 * An IV (for CTR: the counter) is a block of the cipher, says virtio. 16 bytes for GCM would be
 * the J0 of its specification, which is not what cryptodevs take 16 bytes for.
 */
static const struct crypto_algorithm algorithms[] = {
	CIPHER(ARC4, ARC4, 1, 0),
	CIPHER(AES_ECB, AES_ECB, 16, 0),
	CIPHER(AES_CBC, AES_CBC, 16, 16),
	CIPHER(AES_CTR, AES_CTR, 1, 16),
	CIPHER(DES_CBC, DES_CBC, 8, 8),
	CIPHER(3DES_ECB, 3DES_ECB, 8, 0),
	CIPHER(3DES_CBC, 3DES_CBC, 8, 8),
	CIPHER(3DES_CTR, 3DES_CTR, 1, 8),
	CIPHER(KASUMI_F8, KASUMI_F8, 1, 8, .in_bits = true, .max_bytes = KASUMI_MAX_BYTES),
	CIPHER(SNOW3G_UEA2, SNOW3G_UEA2, 1, 16, .in_bits = true),
	CIPHER(AES_F8, AES_F8, 1, 16),
	CIPHER(AES_XTS, AES_XTS, 16, 16),
	/* Longer keys are another cipher with another IV: crypto_aesni_mb makes up the rest. */
	CIPHER(ZUC_EEA3, ZUC_EEA3, 1, 16, .in_bits = true, .key_max_bytes = 16),

	HASH(MD5, MD5),
	HASH(SHA1, SHA1),
	HASH(SHA_224, SHA224),
	HASH(SHA_256, SHA256),
	HASH(SHA_384, SHA384),
	HASH(SHA_512, SHA512),
	HASH(SHA3_224, SHA3_224),
	HASH(SHA3_256, SHA3_256),
	HASH(SHA3_384, SHA3_384),
	HASH(SHA3_512, SHA3_512),

	/* virtio's requests for MACs have no IV: where a cryptodev wants one it is of no use. */
	MAC(HMAC_MD5, MD5_HMAC),
	MAC(HMAC_SHA1, SHA1_HMAC),
	MAC(HMAC_SHA_224, SHA224_HMAC),
	MAC(HMAC_SHA_256, SHA256_HMAC),
	MAC(HMAC_SHA_384, SHA384_HMAC),
	MAC(HMAC_SHA_512, SHA512_HMAC),
	MAC(CMAC_AES, AES_CMAC),
	MAC(KASUMI_F9, KASUMI_F9, .in_bits = true, .max_bytes = KASUMI_MAX_BYTES),
	MAC(SNOW3G_UIA2, SNOW3G_UIA2, .in_bits = true),
	MAC(GMAC_AES, AES_GMAC),
	MAC(CBCMAC_AES, AES_CBC_MAC),
	MAC(XCBC_AES, AES_XCBC_MAC),
	MAC(ZUC_EIA3, ZUC_EIA3, .in_bits = true),

	AEAD(GCM, AES_GCM, 12),
	AEAD(CCM, AES_CCM, 12, .iv_varies = true),
	AEAD(CHACHA20_POLY1305, CHACHA20_POLY1305, 12),
};

const struct crypto_algorithm *crypto_algorithm_find(uint32_t service, uint32_t id)
{
	for (unsigned int i = 0; i < ARRAY_LEN(algorithms); i++)
		if (algorithms[i].service == service && algorithms[i].id == id)
			return &algorithms[i];
	return NULL;
}

static struct rte_cryptodev_sym_capability_idx capability_of(const struct crypto_algorithm *algo)
{
	struct rte_cryptodev_sym_capability_idx idx = { .type = RTE_CRYPTO_SYM_XFORM_AUTH };

	switch (algo->service) {
	case VIRTIO_CRYPTO_SERVICE_CIPHER:
		idx.type = RTE_CRYPTO_SYM_XFORM_CIPHER;
		idx.algo.cipher = algo->rte;
		break;
	case VIRTIO_CRYPTO_SERVICE_AEAD:
		idx.type = RTE_CRYPTO_SYM_XFORM_AEAD;
		idx.algo.aead = algo->rte;
		break;
	default:
		idx.algo.auth = algo->rte;
	}
	return idx;
}

int crypto_limits_get(uint8_t cryptodev_id, const struct crypto_algorithm *algorithm,
		      struct crypto_limits *limits)
{
	struct rte_cryptodev_sym_capability_idx idx = capability_of(algorithm);
	const struct rte_cryptodev_symmetric_capability *has = NULL;

	/* Of one that is gone cryptodev would look up nothing, and trip over it. */
	if (rte_cryptodev_is_valid_dev(cryptodev_id))
		has = rte_cryptodev_sym_capability_get(cryptodev_id, &idx);
	if (has == NULL)
		return -ENOTSUP;
	switch (idx.type) {
	case RTE_CRYPTO_SYM_XFORM_CIPHER:
		*limits = (struct crypto_limits){ .key = has->cipher.key_size,
						  .iv = has->cipher.iv_size };
		break;
	case RTE_CRYPTO_SYM_XFORM_AEAD:
		*limits = (struct crypto_limits){ .key = has->aead.key_size,
						  .digest = has->aead.digest_size,
						  .aad = has->aead.aad_size,
						  .iv = has->aead.iv_size };
		break;
	default:
		*limits = (struct crypto_limits){ .key = has->auth.key_size,
						  .digest = has->auth.digest_size,
						  .aad = has->auth.aad_size,
						  .iv = has->auth.iv_size };
	}
	if (algorithm->key_max_bytes != 0)
		limits->key.max = MIN2(limits->key.max, algorithm->key_max_bytes);
	return 0;
}

/* An increment of 0 means that there is one length only, or all of them. */
bool crypto_range_has(const struct rte_crypto_param_range *range, uint32_t bytes)
{
	if (bytes < range->min || bytes > range->max)
		return false;
	return range->increment == 0 || (bytes - range->min) % range->increment == 0;
}

bool crypto_takes_iv(const struct crypto_algorithm *algorithm, const struct crypto_limits *limits,
		     uint32_t iv_bytes)
{
	return (algorithm->iv_varies || iv_bytes == algorithm->iv_bytes) &&
	       crypto_range_has(&limits->iv, iv_bytes);
}

uint32_t crypto_data_max_bytes(const struct rte_cryptodev_info *info)
{
	/*
	 * It counts in 16 bits: with more it does nothing, and says that it succeeded. A hash of
	 * several buffers is wrong, too.
	 */
	if (strcmp(info->driver_name, "crypto_aesni_mb") == 0 ||
	    (info->feature_flags & RTE_CRYPTODEV_FF_IN_PLACE_SGL) == 0)
		return CRYPTO_BUFFER_BYTES;
	return CRYPTO_DATA_MAX_BYTES;
}

/* --- what all devices of a list have in common -------------------------- */

/* By the number of bytes: do all devices take it? */
struct common {
	bool key[SESSION_AUTH_KEY_BYTES + 1];
	bool digest[CRYPTO_DIGEST_MAX_BYTES + 1];
	bool aad[CRYPTO_AAD_MAX_BYTES + 1];
};

static void keep(bool *lengths, uint32_t most, const struct rte_crypto_param_range *range)
{
	for (uint32_t n = 0; n <= most; n++)
		lengths[n] &= crypto_range_has(range, n);
}

/* The largest from `least` to `most` that is left; -1: none is. */
static int32_t largest(const bool *lengths, int32_t least, int32_t most)
{
	while (most >= least && !lengths[most])
		most--;
	return most >= least ? most : -1;
}

/* False when a device has nothing of it. */
static bool keep_device(struct common *common, uint8_t cryptodev_id,
			const struct crypto_algorithm *algo)
{
	struct crypto_limits has;

	if (crypto_limits_get(cryptodev_id, algo, &has) < 0 ||
	    !crypto_takes_iv(algo, &has, algo->iv_bytes))
		return false;
	keep(common->key, SESSION_AUTH_KEY_BYTES, &has.key);
	keep(common->digest, CRYPTO_DIGEST_MAX_BYTES, &has.digest);
	keep(common->aad, CRYPTO_AAD_MAX_BYTES, &has.aad);
	return true;
}

/* The longest key that all devices take; 0: there is none to take; -1: they cannot all do it. */
static int32_t key_max_bytes(const uint8_t *cryptodev_ids, unsigned int count,
			     const struct crypto_algorithm *algo)
{
	struct common common;

	memset(&common, true, sizeof(common));
	for (unsigned int i = 0; i < count; i++)
		if (!keep_device(&common, cryptodev_ids[i], algo))
			return -1;
	if (algo->service != VIRTIO_CRYPTO_SERVICE_CIPHER &&
	    largest(common.digest, 1, CRYPTO_DIGEST_MAX_BYTES) < 0)
		return -1;
	switch (algo->service) {
	case VIRTIO_CRYPTO_SERVICE_HASH:
		return 0;
	case VIRTIO_CRYPTO_SERVICE_MAC:
		return largest(common.key, 1, SESSION_AUTH_KEY_BYTES);
	case VIRTIO_CRYPTO_SERVICE_AEAD:
		if (largest(common.aad, 0, CRYPTO_AAD_MAX_BYTES) < 0)
			return -1;
	}
	return largest(common.key, 1, SESSION_CIPHER_KEY_BYTES);
}

struct offer {
	uint32_t services;
	uint64_t algorithms[VIRTIO_CRYPTO_SERVICE_AEAD + 1]; /* by service */
	uint32_t cipher_key_bytes, auth_key_bytes;
};

static void offer_add(struct offer *offer, const struct crypto_algorithm *algo, uint32_t key_bytes)
{
	uint32_t *longest = algo->service == VIRTIO_CRYPTO_SERVICE_MAC ? &offer->auth_key_bytes :
									  &offer->cipher_key_bytes;

	offer->services |= 1u << algo->service;
	offer->algorithms[algo->service] |= BIT(algo->id);
	*longest = MAX2(*longest, key_bytes);
}

void crypto_config_of(const uint8_t *cryptodev_ids, unsigned int count,
		      struct virtio_crypto_config *config)
{
	struct offer offer = { 0 };
	const uint64_t *ids = offer.algorithms;

	memset(config, 0, sizeof(*config));
	if (count == 0)
		return;
	for (unsigned int i = 0; i < ARRAY_LEN(algorithms); i++) {
		int32_t key_bytes = key_max_bytes(cryptodev_ids, count, &algorithms[i]);

		if (key_bytes >= 0)
			offer_add(&offer, &algorithms[i], (uint32_t)key_bytes);
	}
	config->status = htole32(VIRTIO_CRYPTO_S_HW_READY);
	config->crypto_services = htole32(offer.services);
	config->cipher_algo_l = htole32((uint32_t)ids[VIRTIO_CRYPTO_SERVICE_CIPHER]);
	config->cipher_algo_h = htole32((uint32_t)(ids[VIRTIO_CRYPTO_SERVICE_CIPHER] >> 32));
	config->hash_algo = htole32((uint32_t)ids[VIRTIO_CRYPTO_SERVICE_HASH]);
	config->mac_algo_l = htole32((uint32_t)ids[VIRTIO_CRYPTO_SERVICE_MAC]);
	config->mac_algo_h = htole32((uint32_t)(ids[VIRTIO_CRYPTO_SERVICE_MAC] >> 32));
	config->aead_algo = htole32((uint32_t)ids[VIRTIO_CRYPTO_SERVICE_AEAD]);
	config->max_cipher_key_len = htole32(offer.cipher_key_bytes);
	config->max_auth_key_len = htole32(offer.auth_key_bytes);
	config->max_size = htole64(CRYPTO_BUFFER_BYTES);
}
