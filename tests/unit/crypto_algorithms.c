/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto/algorithms.c, and what crypto/session.c makes of it: what a guest is told is what it
 * gets, and it works. On all of DPDK's crypto devices in software.
 */
#include "crypto_kit.h"

#define NR_IDS 64 /* of a service; as many as there are bits */
#define NR_SERVICES (VIRTIO_CRYPTO_SERVICE_AEAD + 1)

static struct rte_mempool *pool;
static struct crypto_sessions table;
static const uint8_t directions[] = { VIRTIO_CRYPTO_OP_ENCRYPT, VIRTIO_CRYPTO_OP_DECRYPT };

static struct crypto_session *open_one(const struct session_desc *d)
{
	int64_t id = crypto_session_open(&table, d, "test");

	return id > 0 ? crypto_session_find(&table, (uint64_t)id) : NULL;
}

static void close_one(struct crypto_session *s)
{
	CHECK_EQ(crypto_session_close(&table, (uint64_t)s->id), 0);
}

static bool opens(uint8_t cryptodev_id, const struct session_desc *d)
{
	struct crypto_session *s;

	table.cryptodev_id = cryptodev_id;
	s = open_one(d);
	if (s != NULL)
		close_one(s);
	return s != NULL;
}

static bool all_open(const uint8_t *ids, unsigned int count, const struct session_desc *d)
{
	for (unsigned int i = 0; i < count; i++)
		if (!opens(ids[i], d))
			return false;
	return true;
}

static struct session_desc desc_any(unsigned int service, uint32_t id, uint32_t key_bytes,
				    uint32_t digest_bytes, uint8_t direction)
{
	switch (service) {
	case VIRTIO_CRYPTO_SERVICE_CIPHER:
		return desc_cipher(id, key_bytes, direction);
	case VIRTIO_CRYPTO_SERVICE_HASH:
		return desc_hash(id, digest_bytes);
	case VIRTIO_CRYPTO_SERVICE_MAC:
		return desc_mac(id, digest_bytes, key_bytes);
	}
	return desc_aead(id, key_bytes, digest_bytes, 0, direction);
}

/* Looks for lengths with which all of the devices open a session. */
static bool find_desc(const uint8_t *ids, unsigned int count, unsigned int service, uint32_t id,
		      uint8_t direction, struct session_desc *d)
{
	static const uint32_t keys[] = { 8, 16, 20, 24, 32, 64 };

	for (unsigned int k = 0; k < ARRAY_LEN(keys); k++)
		for (uint32_t digest = 1; digest <= CRYPTO_DIGEST_MAX_BYTES; digest++) {
			*d = desc_any(service, id, keys[k], digest, direction);
			if (all_open(ids, count, d))
				return true;
		}
	return false;
}

/* What a guest reads, in our own numbers. */
struct offer {
	uint32_t services, cipher_key_bytes, auth_key_bytes;
	uint64_t ids[NR_SERVICES];
	uint64_t max_bytes;
};

static struct offer offer_of(const uint8_t *ids, unsigned int count)
{
	struct virtio_crypto_config c;

	memset(&c, 0xee, sizeof(c));
	crypto_config_of(ids, count, &c);
	CHECK_EQ(le32toh(c.status), count > 0 ? VIRTIO_CRYPTO_S_HW_READY : 0);
	CHECK_EQ(c.akcipher_algo, 0);
	return (struct offer){
		le32toh(c.crypto_services),
		le32toh(c.max_cipher_key_len),
		le32toh(c.max_auth_key_len),
		{ [VIRTIO_CRYPTO_SERVICE_CIPHER] = le32toh(c.cipher_algo_l) |
						   (uint64_t)le32toh(c.cipher_algo_h) << 32,
		  [VIRTIO_CRYPTO_SERVICE_HASH] = le32toh(c.hash_algo),
		  [VIRTIO_CRYPTO_SERVICE_MAC] = le32toh(c.mac_algo_l) |
						(uint64_t)le32toh(c.mac_algo_h) << 32,
		  [VIRTIO_CRYPTO_SERVICE_AEAD] = le32toh(c.aead_algo) },
		le64toh(c.max_size),
	};
}

/* The longest key of a session that is like `d`. */
static uint32_t longest_key(const uint8_t *ids, unsigned int count, struct session_desc d)
{
	bool is_mac = d.opcode == VIRTIO_CRYPTO_MAC_CREATE_SESSION;
	uint32_t *bytes = is_mac ? &d.auth_key_bytes : &d.cipher_key_bytes;

	for (*bytes = is_mac ? SESSION_AUTH_KEY_BYTES : SESSION_CIPHER_KEY_BYTES; *bytes > 0;
	     --*bytes)
		if (all_open(ids, count, &d))
			break;
	return *bytes;
}

/* Every id of every service, both directions: what is offered opens, the rest does not. */
static void check_offer(const uint8_t *ids, unsigned int count)
{
	const struct offer offer = offer_of(ids, count);
	uint32_t cipher_key_bytes = 0, auth_key_bytes = 0, services = 0;
	struct session_desc d;

	for (unsigned int service = 0; service < NR_SERVICES; service++) {
		uint64_t found = 0;

		for (uint32_t id = 0; id < NR_IDS; id++) {
			unsigned int n = 0;

			for (unsigned int i = 0; i < 2; i++)
				n += find_desc(ids, count, service, id, directions[i], &d);
			CHECK(n == 0 || n == 2);
			if (n == 0)
				continue;
			found |= BIT(id);
			services |= 1u << service;
			if (service == VIRTIO_CRYPTO_SERVICE_MAC)
				auth_key_bytes = MAX2(auth_key_bytes, longest_key(ids, count, d));
			else if (service != VIRTIO_CRYPTO_SERVICE_HASH)
				cipher_key_bytes =
					MAX2(cipher_key_bytes, longest_key(ids, count, d));
		}
		CHECK_EQ(offer.ids[service], found);
	}
	CHECK_EQ(offer.services, services);
	CHECK_EQ(offer.cipher_key_bytes, cipher_key_bytes);
	CHECK_EQ(offer.auth_key_bytes, auth_key_bytes);
}

static void what_a_device_offers(void)
{
	(void)device_or_skip(OPENSSL);
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		uint8_t id = device_or_skip(i);

		check_offer(&id, 1);
	}
}

/* So that the walk above cannot agree with nothing. */
static void what_openssl_and_aesni_mb_are_known_for(void)
{
	uint8_t openssl = device_or_skip(OPENSSL), aesni_mb = device_or_skip(AESNI_MB);
	struct offer a = offer_of(&openssl, 1), b = offer_of(&aesni_mb, 1);
	struct session_desc d;

	CHECK_EQ(a.services, 15);
	CHECK_EQ(a.ids[VIRTIO_CRYPTO_SERVICE_CIPHER],
		 BIT(VIRTIO_CRYPTO_CIPHER_AES_CBC) | BIT(VIRTIO_CRYPTO_CIPHER_AES_CTR) |
			 BIT(VIRTIO_CRYPTO_CIPHER_DES_CBC) | BIT(VIRTIO_CRYPTO_CIPHER_3DES_CBC) |
			 BIT(VIRTIO_CRYPTO_CIPHER_3DES_CTR));
	CHECK_EQ(a.ids[VIRTIO_CRYPTO_SERVICE_HASH], 0x7e);
	/* GMAC needs an IV. */
	CHECK_EQ(a.ids[VIRTIO_CRYPTO_SERVICE_MAC], 0x7e | BIT(VIRTIO_CRYPTO_MAC_CMAC_AES));
	CHECK_EQ(a.ids[VIRTIO_CRYPTO_SERVICE_AEAD],
		 BIT(VIRTIO_CRYPTO_AEAD_GCM) | BIT(VIRTIO_CRYPTO_AEAD_CCM));
	CHECK_EQ(a.cipher_key_bytes, 32);
	CHECK_EQ(a.auth_key_bytes, 128);
	/* Its ZUC with keys of 32 bytes is another cipher. */
	d = desc_cipher(VIRTIO_CRYPTO_CIPHER_ZUC_EEA3, 32, VIRTIO_CRYPTO_OP_ENCRYPT);
	CHECK(!opens(aesni_mb, &d));
	d.cipher_key_bytes = 16;
	CHECK(opens(aesni_mb, &d));
	/* In the upper half. */
	CHECK(b.ids[VIRTIO_CRYPTO_SERVICE_MAC] & BIT(VIRTIO_CRYPTO_MAC_XCBC_AES));
	/* It takes 65535. */
	CHECK_EQ(b.auth_key_bytes, SESSION_AUTH_KEY_BYTES);
}

static void what_several_devices_offer(void)
{
	static const uint8_t sets[][3] = {
		{ OPENSSL, AESNI_MB, AESNI_MB },  { AESNI_MB, AESNI_GCM, AESNI_MB },
		{ AESNI_MB, KASUMI, AESNI_MB },   { CHACHA20, AESNI_MB, CHACHA20 },
		{ OPENSSL, AESNI_MB, AESNI_GCM }, { ZUC, SNOW3G, KASUMI },
		{ OPENSSL, NULL_CRYPTO, OPENSSL },
	};
	struct offer nothing = offer_of(NULL, 0);

	CHECK(nothing.services == 0 && nothing.max_bytes == 0 && nothing.cipher_key_bytes == 0);
	for (unsigned int i = 0; i < ARRAY_LEN(sets); i++) {
		uint8_t ids[3];

		for (unsigned int k = 0; k < 3; k++)
			ids[k] = device_or_skip(sets[i][k]);
		check_offer(ids, 3);
	}
}

/* What nobody can use is not offered: lengths that requests cannot have, or that another lacks. */
static void promises_of_no_use(void)
{
	static const struct rte_crypto_param_range usual = { 1, 64, 1 };
	static const struct {
		struct rte_crypto_param_range key, digest, aad;
		bool ciphers, hashes, macs, aeads;
	} promises[] = {
		{ { 1, 64, 1 }, { 1, 64, 1 }, { 0, 0, 0 }, true, true, true, true },
		{ { 65, 512, 1 }, { 1, 64, 1 }, { 0, 0, 0 }, false, true, true, false },
		{ { 513, 600, 1 }, { 1, 64, 1 }, { 0, 0, 0 }, false, true, false, false },
		{ { 0, 0, 0 }, { 1, 64, 1 }, { 0, 0, 0 }, false, true, false, false },
		{ { 1, 64, 1 }, { 0, 0, 0 }, { 0, 0, 0 }, true, false, false, false },
		{ { 1, 64, 1 }, { 65, 100, 1 }, { 0, 0, 0 }, true, false, false, false },
		{ { 1, 64, 1 }, { 1, 64, 1 }, { 257, 400, 1 }, true, true, true, false },
		{ { 1, 64, 1 }, { 1, 64, 1 }, { 256, 400, 1 }, true, true, true, true },
	};
	uint8_t openssl = device_or_skip(OPENSSL);
	const uint8_t ids[] = { openssl, device_or_skip(AESNI_MB) };

	for (unsigned int i = 0; i < ARRAY_LEN(promises); i++) {
		struct offer offer;

		promise.on = true;
		promise.cryptodev_id = openssl;
		promise.key = promises[i].key;
		promise.digest = promises[i].digest;
		promise.aad = promises[i].aad;
		offer = offer_of(&openssl, 1);
		CHECK_EQ(offer.services,
			 promises[i].ciphers | promises[i].hashes << 1 | promises[i].macs << 2 |
				 promises[i].aeads << 3);
		CHECK_EQ(offer.ids[VIRTIO_CRYPTO_SERVICE_CIPHER] != 0, promises[i].ciphers);
		CHECK_EQ(offer.ids[VIRTIO_CRYPTO_SERVICE_HASH] != 0, promises[i].hashes);
		CHECK_EQ(offer.ids[VIRTIO_CRYPTO_SERVICE_MAC] != 0, promises[i].macs);
		CHECK_EQ(offer.ids[VIRTIO_CRYPTO_SERVICE_AEAD] != 0, promises[i].aeads);
	}
	/* Each has some, none has what the other one has. */
	promise.key = promise.digest = usual;
	promise.aad = (struct rte_crypto_param_range){ 47, 256, 1 };
	CHECK_EQ(offer_of(ids, 2).ids[VIRTIO_CRYPTO_SERVICE_AEAD], BIT(VIRTIO_CRYPTO_AEAD_GCM));
	promise.digest = (struct rte_crypto_param_range){ 33, 64, 1 };
	CHECK_EQ(offer_of(ids, 2).ids[VIRTIO_CRYPTO_SERVICE_HASH],
		 BIT(VIRTIO_CRYPTO_HASH_SHA_384) | BIT(VIRTIO_CRYPTO_HASH_SHA_512));
	promise.key = (struct rte_crypto_param_range){ 17, 23, 1 };
	CHECK_EQ(offer_of(ids, 2).ids[VIRTIO_CRYPTO_SERVICE_CIPHER], 0);
}

static void how_much_data(void)
{
	uint8_t openssl = device_or_skip(OPENSSL);
	const uint8_t ids[] = { openssl, device_or_skip(ZUC), openssl };
	const uint8_t aesni_mb = device_or_skip(AESNI_MB);
	struct rte_cryptodev_info info = { .driver_name = "some" };

	CHECK_EQ(crypto_data_max_bytes(&info), 63 << 10);
	info.feature_flags = ~RTE_CRYPTODEV_FF_IN_PLACE_SGL;
	CHECK_EQ(crypto_data_max_bytes(&info), 63 << 10);
	info.feature_flags = RTE_CRYPTODEV_FF_IN_PLACE_SGL;
	CHECK_EQ(crypto_data_max_bytes(&info), 1 << 20);
	/* Whatever flags it has. */
	rte_cryptodev_info_get(aesni_mb, &info);
	CHECK_EQ(crypto_data_max_bytes(&info), 63 << 10);
	/* What guests are told holds for all services. */
	CHECK_EQ(offer_of(ids, 1).max_bytes, 63 << 10);
	CHECK_EQ(offer_of(ids, 3).max_bytes, 63 << 10);
	CHECK_EQ(offer_of(ids, 0).max_bytes, 0);
}

/* What the request path goes by. */
static void facts_of_a_session(void)
{
	uint8_t aesni_mb = device_or_skip(AESNI_MB);
	static const struct {
		uint8_t service, id, key_bytes, digest_bytes, block_bytes;
		bool cipher_in_bits, auth_in_bits, is_ccm;
		enum crypto_kind kind;
	} expected[] = {
		{ 0, VIRTIO_CRYPTO_CIPHER_AES_CBC, 32, 0, 16, false, false, false, CRYPTO_CIPHER },
		{ 0, VIRTIO_CRYPTO_CIPHER_AES_ECB, 16, 0, 16, false, false, false, CRYPTO_CIPHER },
		{ 0, VIRTIO_CRYPTO_CIPHER_AES_CTR, 16, 0, 1, false, false, false, CRYPTO_CIPHER },
		{ 0, VIRTIO_CRYPTO_CIPHER_DES_CBC, 8, 0, 8, false, false, false, CRYPTO_CIPHER },
		{ 0, VIRTIO_CRYPTO_CIPHER_3DES_CBC, 24, 0, 8, false, false, false, CRYPTO_CIPHER },
		{ 0, VIRTIO_CRYPTO_CIPHER_KASUMI_F8, 16, 0, 1, true, false, false, CRYPTO_CIPHER },
		{ 0, VIRTIO_CRYPTO_CIPHER_SNOW3G_UEA2, 16, 0, 1, true, false, false,
		  CRYPTO_CIPHER },
		{ 0, VIRTIO_CRYPTO_CIPHER_ZUC_EEA3, 16, 0, 1, true, false, false, CRYPTO_CIPHER },
		{ 1, VIRTIO_CRYPTO_HASH_SHA_256, 0, 32, 1, false, false, false, CRYPTO_HASH },
		{ 2, VIRTIO_CRYPTO_MAC_HMAC_SHA1, 20, 12, 1, false, false, false, CRYPTO_MAC },
		{ 2, VIRTIO_CRYPTO_MAC_KASUMI_F9, 16, 4, 1, false, true, false, CRYPTO_MAC },
		{ 3, VIRTIO_CRYPTO_AEAD_GCM, 16, 16, 1, false, false, false, CRYPTO_AEAD },
		{ 3, VIRTIO_CRYPTO_AEAD_CCM, 16, 8, 1, false, false, true, CRYPTO_AEAD },
	};

	table.cryptodev_id = aesni_mb;
	for (unsigned int i = 0; i < 2 * ARRAY_LEN(expected); i++) {
		const typeof(expected[0]) *e = &expected[i / 2];
		struct session_desc d = desc_any(e->service, e->id, e->key_bytes, e->digest_bytes,
						 directions[i % 2]);
		struct crypto_session *s = open_one(&d);

		CHECK(s != NULL);
		CHECK_EQ(s->kind, e->kind);
		CHECK_EQ(s->block_bytes, e->block_bytes);
		CHECK_EQ(s->digest_bytes, e->digest_bytes);
		CHECK_EQ(s->aad_bytes, 0);
		CHECK_EQ(s->cipher_in_bits, e->cipher_in_bits);
		CHECK_EQ(s->auth_in_bits, e->auth_in_bits);
		CHECK_EQ(s->is_ccm, e->is_ccm);
		if (e->service == 0 || e->service == 3)
			CHECK_EQ(s->encrypts, i % 2 == 0);
		close_one(s);
	}
}

/* --- it works ------------------------------------------------------------ */

/* Enciphers and deciphers, in sessions of `d` in both directions. Tags are verified. */
static void there_and_back(struct session_desc d, uint32_t iv_bytes)
{
	const struct work plain = work_new((uint8_t)d.cipher_algo);
	struct work w = plain;
	struct crypto_session *s;

	d.direction = VIRTIO_CRYPTO_OP_ENCRYPT;
	s = open_one(&d);
	CHECK(s != NULL);
	CHECK_EQ(work_do(s, iv_bytes, &w), RTE_CRYPTO_OP_STATUS_SUCCESS);
	CHECK(memcmp(w.data, plain.data, WORK_BYTES) != 0);
	close_one(s);

	d.direction = VIRTIO_CRYPTO_OP_DECRYPT;
	s = open_one(&d);
	CHECK(s != NULL);
	CHECK_EQ(work_do(s, iv_bytes, &w), RTE_CRYPTO_OP_STATUS_SUCCESS);
	CHECK(memcmp(w.data, plain.data, WORK_BYTES) == 0);
	if (s->kind == CRYPTO_AEAD) {
		w = plain;
		CHECK_EQ(work_do(s, iv_bytes, &w), RTE_CRYPTO_OP_STATUS_AUTH_FAILED);
	}
	close_one(s);
}

/* With each length of a key; AEADs with each length of AAD that is somehow special, too. */
static unsigned int all_there_and_back(uint8_t cryptodev_id, unsigned int service, uint32_t id)
{
	static const uint32_t aads[] = { 0, 13, 46, 240, 256 };
	unsigned int n = 0;

	for (uint32_t key_bytes = 0; key_bytes <= SESSION_CIPHER_KEY_BYTES; key_bytes++)
		for (unsigned int i = 0; i < ARRAY_LEN(aads); i++) {
			struct session_desc d = desc_any(service, id, key_bytes, 16, 1);

			d.aad_bytes = aads[i];
			if ((service != VIRTIO_CRYPTO_SERVICE_AEAD && i > 0) ||
			    !opens(cryptodev_id, &d))
				continue;
			there_and_back(d, crypto_algorithm_find(service, id)->iv_bytes);
			n++;
		}
	return n;
}

static void ciphers_and_aeads(void)
{
	for (unsigned int i = 0; i < NR_DEVICES; i++) {
		uint8_t cryptodev_id = device_or_skip(i);
		const struct offer offer = offer_of(&cryptodev_id, 1);

		for (unsigned int k = 0; k < 2 * NR_IDS; k++) {
			unsigned int service = k % 2 == 0 ? VIRTIO_CRYPTO_SERVICE_CIPHER :
							    VIRTIO_CRYPTO_SERVICE_AEAD;
			unsigned int n = all_there_and_back(cryptodev_id, service, k / 2);

			CHECK_EQ(n != 0, (offer.ids[service] & BIT(k / 2)) != 0);
		}
	}
}

static struct work result_on(uint8_t cryptodev_id, const struct session_desc *d)
{
	struct work w = work_new(77);
	struct crypto_session *s;

	table.cryptodev_id = cryptodev_id;
	s = open_one(d);
	CHECK(s != NULL);
	CHECK_EQ(work_do(s, s->cipher != NULL ? s->cipher->iv_bytes : 0, &w),
		 RTE_CRYPTO_OP_STATUS_SUCCESS);
	close_one(s);
	return w;
}

/* Two devices, the same session: the same result. How many sessions there are. */
static unsigned int agree(const uint8_t *ids, unsigned int service, uint32_t id)
{
	static const uint32_t keys[] = { 1, 8, 16, 20, 24, 32, 64, 65, 128 };
	unsigned int n = 0;

	for (unsigned int k = 0; k < ARRAY_LEN(keys); k++)
		for (uint32_t digest = 0; digest <= CRYPTO_DIGEST_MAX_BYTES; digest++) {
			struct session_desc d = desc_any(service, id, keys[k], digest, 1);
			struct work a, b;

			/* Some have no choice of keys, or digests. */
			if ((service == VIRTIO_CRYPTO_SERVICE_CIPHER && digest != 0) ||
			    (service == VIRTIO_CRYPTO_SERVICE_HASH && k > 0) ||
			    (service != VIRTIO_CRYPTO_SERVICE_MAC &&
			     keys[k] > SESSION_CIPHER_KEY_BYTES) ||
			    !all_open(ids, 2, &d))
				continue;
			a = result_on(ids[0], &d);
			b = result_on(ids[1], &d);
			CHECK(memcmp(a.data, b.data, sizeof(a.data)) == 0);
			CHECK(memcmp(a.digest, b.digest, d.digest_bytes) == 0);
			n++;
		}
	return n;
}

static void devices_agree(void)
{
	static const uint8_t others[] = { OPENSSL, AESNI_GCM, SNOW3G, ZUC, KASUMI, CHACHA20 };
	uint8_t aesni_mb = device_or_skip(AESNI_MB);

	for (unsigned int i = 0; i < ARRAY_LEN(others); i++) {
		const uint8_t ids[] = { aesni_mb, device_or_skip(others[i]) };
		const struct offer offer = offer_of(ids, 2);

		for (unsigned int k = 0; k < NR_SERVICES * NR_IDS; k++)
			CHECK_EQ(agree(ids, k / NR_IDS, k % NR_IDS) != 0,
				 (offer.ids[k / NR_IDS] & BIT(k % NR_IDS)) != 0);
	}
}

/* Another one than the length that a session begins with. */
static void ivs_of_other_lengths(void)
{
	struct session_desc d = desc_ccm(0);

	table.cryptodev_id = device_or_skip(OPENSSL);
	for (uint32_t bytes = 7; bytes <= 13; bytes++)
		there_and_back(d, bytes);
	table.cryptodev_id = device_or_skip(AESNI_MB);
	for (uint32_t bytes = 7; bytes <= 13; bytes++)
		there_and_back(d, bytes);
}

/* What the parts of a chain do one after the other. */
static struct work chain_apart(const struct session_desc *cipher, const struct session_desc *auth,
			       uint8_t order)
{
	const bool hash_first = order == VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_HASH_THEN_CIPHER;
	struct work w = work_new(9);

	for (unsigned int i = 0; i < 2; i++) {
		bool is_auth = (i == 0) == hash_first;
		struct crypto_session *s = open_one(is_auth ? auth : cipher);

		CHECK(s != NULL);
		CHECK_EQ(work_do(s, is_auth ? 0 : s->cipher->iv_bytes, &w),
			 RTE_CRYPTO_OP_STATUS_SUCCESS);
		close_one(s);
	}
	return w;
}

/*
 * A chain does the same, but that it verifies the digest where it deciphers; where a device refuses
 * it, it says so.
 */
static void check_chain(const struct session_desc *cipher, const struct session_desc *auth,
			uint8_t order, unsigned int *nr_open)
{
	const struct session_desc chain = desc_chain(cipher, auth, order);
	const struct work apart = chain_apart(cipher, auth, order);
	struct work together = work_new(9);
	struct crypto_session *s = open_one(&chain);
	uint32_t iv_bytes;

	if (s == NULL) {
		CHECK_EQ(crypto_session_open(&table, &chain, "test"), -VIRTIO_CRYPTO_NOTSUPP);
		return;
	}
	++*nr_open;
	CHECK_EQ(s->kind, CRYPTO_CHAIN);
	CHECK_EQ(s->verifies, cipher->direction == VIRTIO_CRYPTO_OP_DECRYPT);
	iv_bytes = s->cipher->iv_bytes;
	if (s->verifies)
		memcpy(together.digest, apart.digest, auth->digest_bytes);
	CHECK_EQ(work_do(s, iv_bytes, &together), RTE_CRYPTO_OP_STATUS_SUCCESS);
	CHECK(memcmp(together.data, apart.data, sizeof(together.data)) == 0);
	CHECK(memcmp(together.digest, apart.digest, auth->digest_bytes) == 0);
	for (uint32_t i = 0; s->verifies && i < auth->digest_bytes; i++) {
		together = work_new(9);
		memcpy(together.digest, apart.digest, auth->digest_bytes);
		together.digest[i] ^= 0x10;
		CHECK_EQ(work_do(s, iv_bytes, &together), RTE_CRYPTO_OP_STATUS_AUTH_FAILED);
	}
	close_one(s);
}

/* How many chains of the four orders and directions a device has. */
static unsigned int check_chains(uint32_t cipher, uint32_t key_bytes,
				 const struct session_desc *auth)
{
	unsigned int nr_open = 0;

	for (unsigned int i = 0; i < 4; i++) {
		struct session_desc d = desc_cipher(cipher, key_bytes, directions[i % 2]);

		check_chain(&d, auth, (uint8_t)(1 + i / 2), &nr_open);
	}
	return nr_open;
}

static void chains(void)
{
	const struct session_desc sha256 = desc_hash(VIRTIO_CRYPTO_HASH_SHA_256, 32);
	const struct session_desc hmac = desc_mac(VIRTIO_CRYPTO_MAC_HMAC_SHA1, 12, 20);
	const struct session_desc f9 = desc_mac(VIRTIO_CRYPTO_MAC_KASUMI_F9, 4, 16);

	table.cryptodev_id = device_or_skip(OPENSSL);
	CHECK_EQ(check_chains(VIRTIO_CRYPTO_CIPHER_AES_CBC, 16, &sha256), 4);
	CHECK_EQ(check_chains(VIRTIO_CRYPTO_CIPHER_AES_CTR, 32, &hmac), 4);
	table.cryptodev_id = device_or_skip(AESNI_MB);
	CHECK_EQ(check_chains(VIRTIO_CRYPTO_CIPHER_AES_CBC, 16, &sha256), 4);
	CHECK_EQ(check_chains(VIRTIO_CRYPTO_CIPHER_AES_CTR, 32, &hmac), 4);
	table.cryptodev_id = device_or_skip(KASUMI);
	CHECK_EQ(check_chains(VIRTIO_CRYPTO_CIPHER_KASUMI_F8, 16, &f9), 4);
}

static void setup(void)
{
	kit_capture_log();
	promise.on = false;
	crypto_sessions_init(&table, 0, pool);
}

static void teardown(void)
{
	crypto_sessions_fini(&table);
	if (rte_mempool_avail_count(pool) != pool->size) {
		fprintf(tap.out, "# %u of the pool are gone\n",
			pool->size - rte_mempool_avail_count(pool));
		tap.failed++;
	}
}

/* The application may have taken it away under its sessions. */
static void a_cryptodev_that_is_gone(void)
{
	const struct crypto_algorithm *aes =
		crypto_algorithm_find(VIRTIO_CRYPTO_SERVICE_CIPHER, VIRTIO_CRYPTO_CIPHER_AES_CBC);
	struct crypto_limits limits;
	int id = kit_device("crypto_openssl_gone");

	if (id == NO_DEVICE)
		tap_skip("crypto drivers of DPDK are not installed");
	CHECK_EQ(crypto_limits_get((uint8_t)id, aes, &limits), 0);
	CHECK_EQ(rte_eal_hotplug_remove("vdev", "crypto_openssl_gone"), 0);
	CHECK_EQ(crypto_limits_get((uint8_t)id, aes, &limits), -ENOTSUP);
	CHECK_EQ(crypto_limits_get(UINT8_MAX, aes, &limits), -ENOTSUP);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(what_a_device_offers),
		TAP_TEST(what_openssl_and_aesni_mb_are_known_for),
		TAP_TEST(what_several_devices_offer),
		TAP_TEST(promises_of_no_use),
		TAP_TEST(how_much_data),
		TAP_TEST(facts_of_a_session),
		TAP_TEST(ciphers_and_aeads),
		TAP_TEST(devices_agree),
		TAP_TEST(ivs_of_other_lengths),
		TAP_TEST(chains),
		TAP_TEST(a_cryptodev_that_is_gone),
	};
	int rc;

	tap_begin();
	if (!kit_start("crypto_algorithms"))
		return 1;
	pool = kit_pool("sessions", 63, 0);
	if (pool == NULL)
		return 1;
	rc = tap_run(tests, ARRAY_LEN(tests), argc > 1 ? argv[1] : NULL, setup, teardown);
	rte_eal_cleanup();
	return rc;
}
