/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests answered by libcrypto; see crypto_ref.h. Nothing here is untrusted. */
#include "crypto_ref.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#define AES_BLOCK_BYTES 16
#define DES_BLOCK_BYTES 8

static void
must(int good)
{
	if (good)
		return;
	fprintf(stderr, "crypto_ref: libcrypto failed\n");
	abort();
}

/* One of three, by the length of an AES key. */
static const char *
by_key(uint32_t key_bytes, const char *of_128, const char *of_192, const char *of_256)
{
	switch (key_bytes) {
	case 16:
		return of_128;
	case 24:
		return of_192;
	case 32:
		return of_256;
	default:
		return NULL;
	}
}

/* --- ciphers --------------------------------------------------------------- */

/* DES is Triple DES with the same key three times, and two keys are the first one again. */
static void
triple_key(const uint8_t *key, uint32_t key_bytes, uint8_t triple[24])
{
	for (uint32_t i = 0; i < 24; i++)
		triple[i] = key[i % key_bytes];
}

static void
evp_cipher(const char *name, const uint8_t *key, const void *iv, bool encrypts, const uint8_t *in,
	   uint32_t len_bytes, uint8_t *out)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	must(cipher != NULL && ctx != NULL);
	must(EVP_CipherInit_ex2(ctx, cipher, key, iv, encrypts, NULL));
	must(EVP_CIPHER_CTX_set_padding(ctx, 0));
	must(EVP_CipherUpdate(ctx, out, &n, in, (int)len_bytes) && (uint32_t)n == len_bytes);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
}

/* The counter is the whole block. */
static void
triple_des_ctr(const uint8_t *key, const uint8_t *iv, const uint8_t *in, uint32_t len_bytes,
	       uint8_t *out)
{
	uint8_t counter[DES_BLOCK_BYTES], stream[DES_BLOCK_BYTES];

	memcpy(counter, iv, sizeof(counter));
	for (uint32_t at = 0; at < len_bytes; at++) {
		if (at % DES_BLOCK_BYTES == 0) {
			evp_cipher("DES-EDE3-ECB", key, NULL, true, counter, sizeof(counter),
				   stream);
			for (int i = DES_BLOCK_BYTES - 1; i >= 0 && ++counter[i] == 0; i--)
				;
		}
		out[at] = in[at] ^ stream[at % DES_BLOCK_BYTES];
	}
}

static int
cipher(const struct guest_crypto_session *s, const void *iv, bool encrypts, const uint8_t *in,
       uint32_t len_bytes, uint8_t *out)
{
	uint32_t key_bytes = s->cipher_key_bytes;
	uint8_t triple[24];
	const char *name;

	switch (s->cipher_algo) {
	case VIRTIO_CRYPTO_CIPHER_AES_ECB:
		name = by_key(key_bytes, "AES-128-ECB", "AES-192-ECB", "AES-256-ECB");
		break;
	case VIRTIO_CRYPTO_CIPHER_AES_CBC:
		name = by_key(key_bytes, "AES-128-CBC", "AES-192-CBC", "AES-256-CBC");
		break;
	case VIRTIO_CRYPTO_CIPHER_AES_CTR:
		name = by_key(key_bytes, "AES-128-CTR", "AES-192-CTR", "AES-256-CTR");
		break;
	case VIRTIO_CRYPTO_CIPHER_DES_CBC:
	case VIRTIO_CRYPTO_CIPHER_3DES_CBC:
		triple_key(s->cipher_key, key_bytes, triple);
		evp_cipher("DES-EDE3-CBC", triple, iv, encrypts, in, len_bytes, out);
		return 0;
	case VIRTIO_CRYPTO_CIPHER_3DES_CTR:
		triple_key(s->cipher_key, key_bytes, triple);
		triple_des_ctr(triple, iv, in, len_bytes, out);
		return 0;
	default:
		return -ENOTSUP;
	}
	if (name == NULL)
		return -ENOTSUP;
	evp_cipher(name, s->cipher_key, iv, encrypts, in, len_bytes, out);
	return 0;
}

/* --- digests ----------------------------------------------------------------- */

static const char *
hash_name(uint32_t algo)
{
	static const char *const names[] = {
		[VIRTIO_CRYPTO_HASH_MD5] = "MD5",
		[VIRTIO_CRYPTO_HASH_SHA1] = "SHA1",
		[VIRTIO_CRYPTO_HASH_SHA_224] = "SHA224",
		[VIRTIO_CRYPTO_HASH_SHA_256] = "SHA256",
		[VIRTIO_CRYPTO_HASH_SHA_384] = "SHA384",
		[VIRTIO_CRYPTO_HASH_SHA_512] = "SHA512",
		[VIRTIO_CRYPTO_HASH_SHA3_224] = "SHA3-224",
		[VIRTIO_CRYPTO_HASH_SHA3_256] = "SHA3-256",
		[VIRTIO_CRYPTO_HASH_SHA3_384] = "SHA3-384",
		[VIRTIO_CRYPTO_HASH_SHA3_512] = "SHA3-512",
	};

	return algo < sizeof(names) / sizeof(names[0]) ? names[algo] : NULL;
}

static int
hash(uint32_t algo, const uint8_t *in, uint32_t len_bytes, uint8_t out[EVP_MAX_MD_SIZE])
{
	const char *name = hash_name(algo);
	EVP_MD *md;

	if (name == NULL)
		return -ENOTSUP;
	md = EVP_MD_fetch(NULL, name, NULL);
	must(md != NULL && EVP_Digest(in, len_bytes, out, NULL, md, NULL));
	EVP_MD_free(md);
	return 0;
}

static void
evp_mac(const char *name, const char *param, const char *value,
	const struct guest_crypto_session *s, const uint8_t *in, uint32_t len_bytes,
	uint8_t out[EVP_MAX_MD_SIZE])
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, name, NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(param, (char *)(uintptr_t)value, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t n;

	must(ctx != NULL && EVP_MAC_init(ctx, s->auth_key, s->auth_key_bytes, params));
	must(EVP_MAC_update(ctx, in, len_bytes));
	must(EVP_MAC_final(ctx, out, &n, EVP_MAX_MD_SIZE));
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

/* RFC 3566: the key of the cipher, and two that are mixed into the last block. */
static void
xcbc(const uint8_t *key, const uint8_t *in, uint32_t len_bytes, uint8_t out[AES_BLOCK_BYTES])
{
	uint8_t keys[3][AES_BLOCK_BYTES], state[AES_BLOCK_BYTES] = {0}, block[AES_BLOCK_BYTES];
	const uint8_t *last_key;

	for (uint8_t i = 0; i < 3; i++) {
		memset(block, i + 1, sizeof(block));
		evp_cipher("AES-128-ECB", key, NULL, true, block, sizeof(block), keys[i]);
	}
	for (; len_bytes > AES_BLOCK_BYTES; in += AES_BLOCK_BYTES, len_bytes -= AES_BLOCK_BYTES) {
		for (int i = 0; i < AES_BLOCK_BYTES; i++)
			block[i] = state[i] ^ in[i];
		evp_cipher("AES-128-ECB", keys[0], NULL, true, block, sizeof(block), state);
	}
	memset(block, 0, sizeof(block));
	memcpy(block, in, len_bytes);
	last_key = keys[1];
	if (len_bytes < AES_BLOCK_BYTES) {
		block[len_bytes] = 0x80;
		last_key = keys[2];
	}
	for (int i = 0; i < AES_BLOCK_BYTES; i++)
		block[i] ^= state[i] ^ last_key[i];
	evp_cipher("AES-128-ECB", keys[0], NULL, true, block, sizeof(block), out);
}

static int
mac(const struct guest_crypto_session *s, const uint8_t *in, uint32_t len_bytes,
    uint8_t out[EVP_MAX_MD_SIZE])
{
	uint32_t algo = s->hash_algo;
	const char *name;

	if (algo >= VIRTIO_CRYPTO_MAC_HMAC_MD5 && algo <= VIRTIO_CRYPTO_MAC_HMAC_SHA_512) {
		name = hash_name(VIRTIO_CRYPTO_HASH_MD5 + algo - VIRTIO_CRYPTO_MAC_HMAC_MD5);
		evp_mac("HMAC", OSSL_MAC_PARAM_DIGEST, name, s, in, len_bytes, out);
		return 0;
	}
	if (algo == VIRTIO_CRYPTO_MAC_XCBC_AES) {
		xcbc(s->auth_key, in, len_bytes, out);
		return 0;
	}
	name = by_key(s->auth_key_bytes, "AES-128-CBC", "AES-192-CBC", "AES-256-CBC");
	if (algo != VIRTIO_CRYPTO_MAC_CMAC_AES || name == NULL)
		return -ENOTSUP;
	evp_mac("CMAC", OSSL_MAC_PARAM_CIPHER, name, s, in, len_bytes, out);
	return 0;
}

static int
digest(const struct guest_crypto_session *s, bool is_mac, const uint8_t *in, uint32_t len_bytes,
       uint8_t *out, uint32_t out_bytes)
{
	uint8_t whole[EVP_MAX_MD_SIZE];
	int rc = is_mac ? mac(s, in, len_bytes, whole) : hash(s->hash_algo, in, len_bytes, whole);

	if (rc == 0)
		memcpy(out, whole, out_bytes);
	return rc;
}

/* --- authenticated encryption ---------------------------------------------- */

static const char *
aead_name(const struct guest_crypto_session *s)
{
	switch (s->cipher_algo) {
	case VIRTIO_CRYPTO_AEAD_GCM:
		return by_key(s->cipher_key_bytes, "AES-128-GCM", "AES-192-GCM", "AES-256-GCM");
	case VIRTIO_CRYPTO_AEAD_CCM:
		return by_key(s->cipher_key_bytes, "AES-128-CCM", "AES-192-CCM", "AES-256-CCM");
	case VIRTIO_CRYPTO_AEAD_CHACHA20_POLY1305:
		return s->cipher_key_bytes == 32 ? "ChaCha20-Poly1305" : NULL;
	default:
		return NULL;
	}
}

static EVP_CIPHER_CTX *
aead_begin(const struct guest_crypto_session *s, const struct guest_crypto_req *req, bool encrypts,
	   const void *tag)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, aead_name(s), NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool is_ccm = s->cipher_algo == VIRTIO_CRYPTO_AEAD_CCM;

	must(cipher != NULL && ctx != NULL);
	must(EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, encrypts, NULL));
	must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)req->iv_bytes, NULL));
	if (is_ccm || !encrypts)
		must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)s->digest_bytes,
					 encrypts ? NULL : (void *)(uintptr_t)tag));
	must(EVP_CipherInit_ex2(ctx, NULL, s->cipher_key, req->iv, encrypts, NULL));
	EVP_CIPHER_free(cipher);
	return ctx;
}

static int
aead(const struct guest_crypto_session *s, const struct guest_crypto_req *req, uint8_t *dst)
{
	bool encrypts = req->opcode == VIRTIO_CRYPTO_AEAD_ENCRYPT;
	uint32_t len_bytes = encrypts ? req->src_bytes : req->src_bytes - s->digest_bytes;
	static uint8_t nothing[1];
	const uint8_t *src = req->src != NULL ? req->src : nothing;
	EVP_CIPHER_CTX *ctx;
	int n = 0, good;

	if (aead_name(s) == NULL)
		return -ENOTSUP;
	ctx = aead_begin(s, req, encrypts, src + len_bytes);
	if (s->cipher_algo == VIRTIO_CRYPTO_AEAD_CCM)
		must(EVP_CipherUpdate(ctx, NULL, &n, NULL, (int)len_bytes));
	if (req->aad_bytes > 0)
		must(EVP_CipherUpdate(ctx, NULL, &n, req->aad, (int)req->aad_bytes));
	/* CCM says here whether the tag is good, the others at the end. */
	good = EVP_CipherUpdate(ctx, dst, &n, src, (int)len_bytes);
	if (good)
		good = EVP_CipherFinal_ex(ctx, dst + n, &n);
	if (good && encrypts)
		must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)s->digest_bytes,
					 dst + len_bytes));
	EVP_CIPHER_CTX_free(ctx);
	must(good || !encrypts);
	return good ? 0 : -EBADMSG;
}

/* --- requests ---------------------------------------------------------------- */

static int
chain(const struct guest_crypto_session *s, const struct guest_crypto_req *req, uint8_t *dst,
      uint8_t *result)
{
	bool hash_first = s->chain_order == VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_HASH_THEN_CIPHER;
	bool encrypts = req->opcode == VIRTIO_CRYPTO_CIPHER_ENCRYPT;
	const uint8_t *src = req->src;
	int rc;

	memcpy(dst, src, req->src_bytes);
	rc = cipher(s, req->iv, encrypts, src + req->cipher_start_bytes, req->cipher_bytes,
		    dst + req->cipher_start_bytes);
	return rc != 0 ? rc : digest(s, s->hash_mode == VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH,
				     (hash_first ? src : dst) + req->hash_start_bytes,
				     req->hashed_bytes, result, req->hash_bytes);
}

int
crypto_ref_compute(const struct guest_crypto_session *session, const struct guest_crypto_req *req,
		   uint8_t *dst, uint8_t *hash_result)
{
	switch (req->opcode >> 8) {
	case VIRTIO_CRYPTO_SERVICE_HASH:
	case VIRTIO_CRYPTO_SERVICE_MAC:
		return digest(session, req->opcode == VIRTIO_CRYPTO_MAC, req->src, req->src_bytes,
			      hash_result, req->hash_bytes);
	case VIRTIO_CRYPTO_SERVICE_AEAD:
		return aead(session, req, dst);
	default:
		if (req->op_type == VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING)
			return chain(session, req, dst, hash_result);
		return cipher(session, req->iv, req->opcode == VIRTIO_CRYPTO_CIPHER_ENCRYPT,
			      req->src, req->src_bytes, dst);
	}
}
