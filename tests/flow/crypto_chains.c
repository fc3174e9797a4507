/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chains of a cipher and a hash or MAC over any ranges of the data, against libcrypto; ciphertext
 * that is not authentic; requests as large as the device takes.
 */
#include "crypto_jobs.h"

/* --- chains of algorithms --------------------------------------------------- */

static struct guest_crypto_session
chain_session(uint32_t cipher, uint32_t key_bytes, bool is_mac, uint32_t hash, bool hash_first,
	      bool encrypts)
{
	static const uint32_t auth_key_bytes[] = {16, 20, 64};
	struct guest_crypto_session s = {
		.opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION,
		.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING,
		.direction = encrypts ? VIRTIO_CRYPTO_OP_ENCRYPT : VIRTIO_CRYPTO_OP_DECRYPT,
		.hash_mode = is_mac ? VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH :
				      VIRTIO_CRYPTO_SYM_HASH_MODE_PLAIN,
		.chain_order = hash_first ? VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_HASH_THEN_CIPHER :
					    VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_CIPHER_THEN_HASH,
		.cipher_algo = cipher,
		.cipher_key_bytes = key_bytes,
		.hash_algo = hash,
		.digest_bytes = whole_digest(is_mac ? VIRTIO_CRYPTO_SERVICE_MAC :
						      VIRTIO_CRYPTO_SERVICE_HASH, hash),
	};

	if (is_mac) /* ciphers' MACs have keys of 16 bytes, always */
		s.auth_key_bytes = hash <= VIRTIO_CRYPTO_MAC_HMAC_SHA_512 ?
			auth_key_bytes[random_below(RTE_DIM(auth_key_bytes))] : 16;
	random_bytes(s.cipher_key, s.cipher_key_bytes);
	random_bytes(s.auth_key, s.auth_key_bytes);
	return s;
}

/* What is enciphered and what is hashed lies anywhere in the source, each for itself. */
static void
random_ranges(struct guest_crypto_req *req, uint32_t block)
{
	req->cipher_bytes = block * (1 + random_below(req->src_bytes / block));
	req->cipher_start_bytes = random_below(req->src_bytes - req->cipher_bytes + 1);
	req->hashed_bytes = 1 + random_below(req->src_bytes);
	req->hash_start_bytes = random_below(req->src_bytes - req->hashed_bytes + 1);
	/* Difference: the stock library leaves out what is not enciphered. */
	switch (is_stock ? 0 : random_below(4)) {
	case 0: /* both all of it */
		req->cipher_bytes = req->src_bytes / block * block;
		req->cipher_start_bytes = 0;
		req->hashed_bytes = req->src_bytes;
		req->hash_start_bytes = 0;
		break;
	case 1: /* as IPsec: a head that is only hashed */
		req->cipher_start_bytes = req->src_bytes - req->cipher_bytes;
		req->hash_start_bytes = 0;
		req->hashed_bytes = req->src_bytes;
	}
}

static void
random_chain(const struct guest_crypto_session *s, uint64_t id)
{
	static uint8_t src[DATA_MAX_BYTES], dst[DATA_MAX_BYTES], iv[32];
	uint32_t block = block_bytes(VIRTIO_CRYPTO_SERVICE_CIPHER, s->cipher_algo);
	uint32_t most = is_stock ? STOCK_MAX_BYTES : random_below(4) == 0 ? DATA_MAX_BYTES : 600;
	uint8_t hash[64];
	struct guest_crypto_req req = {
		.opcode = s->direction == VIRTIO_CRYPTO_OP_ENCRYPT ? VIRTIO_CRYPTO_CIPHER_ENCRYPT :
								      VIRTIO_CRYPTO_CIPHER_DECRYPT,
		.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING,
		.session_id = id,
		.iv = iv,
		.iv_bytes = usual_iv(VIRTIO_CRYPTO_SERVICE_CIPHER, s->cipher_algo),
		.src = src,
		.src_bytes = block + random_below(most - block),
		.hash_bytes = s->digest_bytes,
	};

	if (is_stock)
		req.src_bytes = req.src_bytes / block * block;
	req.dst_bytes = req.src_bytes;
	random_bytes(iv, req.iv_bytes);
	random_bytes(src, req.src_bytes);
	random_ranges(&req, block);
	CHECK_EQ(crypto_ref_compute(s, &req, dst, hash), 0);
	post_job(&req, dst, req.dst_bytes, hash, VIRTIO_CRYPTO_OK, NR_LAYOUTS);
	flush_some_jobs();
}

static unsigned nr_refused;

static void
try_chain(uint32_t cipher, bool is_mac, uint32_t hash, bool hash_first, bool encrypts)
{
	static const uint32_t aes_keys[] = {16, 24, 32};
	static char what[96];
	bool is_des = cipher >= VIRTIO_CRYPTO_CIPHER_DES_ECB &&
		      cipher <= VIRTIO_CRYPTO_CIPHER_3DES_CTR;
	uint32_t key_bytes = cipher == VIRTIO_CRYPTO_CIPHER_DES_CBC ? 8 :
			     is_des ? 24 : aes_keys[random_below(RTE_DIM(aes_keys))];
	struct guest_crypto_session s = chain_session(cipher, key_bytes, is_mac, hash, hash_first,
						      encrypts);
	int64_t id;

	snprintf(what, sizeof(what), "cipher %u key %u %s %u, %s first, %s", cipher, key_bytes,
		 is_mac ? "mac" : "hash", hash, hash_first ? "hash" : "cipher",
		 encrypts ? "forth" : "back");
	current = what;
	id = open_session(&s);
	/* Some do not generate digests of what they decipher. */
	if (!crypto_app_device_chains(&s, usual_iv(VIRTIO_CRYPTO_SERVICE_CIPHER, cipher))) {
		CHECK_EQ(id, refusal());
		nr_refused++;
		return;
	}
	if (id <= 0)
		tap_fail(__FILE__, __LINE__, "%s: no session: %lld", current, (long long)id);
	for (unsigned i = 0; i < 8; i++)
		random_chain(&s, (uint64_t)id);
	flush_jobs();
	close_session(id);
}

/* Ciphers and digests of which libcrypto knows. */
static bool
can_be_chained(uint32_t service, uint32_t algo)
{
	if (service == VIRTIO_CRYPTO_SERVICE_MAC)
		return is_stock ? algo >= VIRTIO_CRYPTO_MAC_HMAC_SHA1 &&
				  algo <= VIRTIO_CRYPTO_MAC_HMAC_SHA_512 :
				  is_offered(service, algo) && algo != VIRTIO_CRYPTO_MAC_KASUMI_F9;
	return is_offered(service, algo) && (service != VIRTIO_CRYPTO_SERVICE_CIPHER ||
					     algo <= VIRTIO_CRYPTO_CIPHER_3DES_CTR);
}

static void
chains(enum rte_vhost_crypto_zero_copy zero_copy)
{
	unsigned nr_pairs = 0;

	nr_refused = 0;
	up(zero_copy, false);
	for (uint32_t cipher = 0; cipher < 64; cipher++) {
		if (!can_be_chained(VIRTIO_CRYPTO_SERVICE_CIPHER, cipher))
			continue;
		for (uint32_t i = 0; i < 128; i++) {
			bool is_mac = i >= 64;

			if (!can_be_chained(is_mac ? VIRTIO_CRYPTO_SERVICE_MAC :
						     VIRTIO_CRYPTO_SERVICE_HASH, i % 64))
				continue;
			nr_pairs++;
			for (unsigned k = 0; k < 4; k++)
				if (!is_stock || k == 0)
					try_chain(cipher, is_mac, i % 64, k & 2, (k & 1) == 0);
		}
	}
	fprintf(tap.out, "# %u pairs, %u sessions refused, %u requests\n", nr_pairs, nr_refused,
		nr_requests);
	CHECK(nr_pairs > 0);
	down();
}

static void chains_on_copies(void) { chains(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE); }
static void chains_in_place(void) { chains(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE); }

#ifndef FLOW_STOCK
/* --- what is not authentic -------------------------------------------------- */

/* Not even a part of the plaintext comes out of it. */
static void
check_no_secret(const struct guest_crypto_result *r, const uint8_t *plain, uint32_t len_bytes)
{
	for (uint32_t i = 0; i + 4 <= len_bytes; i++)
		if (memcmp(r->dst + i, plain + i, 4) == 0)
			tap_fail(__FILE__, __LINE__, "%s: byte %u of the plaintext is in dst",
				 current, i);
}

/* A bit of a ciphertext, its tag, the AAD or the IV is another one. */
static void
try_forged(struct guest_crypto_req *req, const uint8_t *plain, uint32_t len_bytes, uint8_t *part,
	   uint32_t part_bytes)
{
	struct guest_crypto_result r;
	struct cuts cuts;
	uint32_t at = random_below(part_bytes);
	uint8_t bit = (uint8_t)(1u << random_below(8));
	int rc;

	random_layout(&cuts, req);
	part[at] ^= bit;
	CHECK(guest_crypto_post(&gc, req, &cuts.layout, NULL) >= 0);
	part[at] ^= bit;
	CHECK_EQ(crypto_app_pump(flow.vid, 0), 1);
	rc = guest_crypto_reap(&gc, &r);
	if (rc != 0 || r.status != VIRTIO_CRYPTO_BADMSG)
		tap_fail(__FILE__, __LINE__, "%s: reaped %d, status %u", current, rc, r.status);
	check_no_secret(&r, plain, len_bytes);
}

static void
try_forgeries(uint32_t algo)
{
	static char what[64];
	uint8_t plain[256], sealed[272], iv[12], aad[32], key[32];
	const uint32_t key_bytes = algo == VIRTIO_CRYPTO_AEAD_CHACHA20_POLY1305 ? 32 : 16;
	struct guest_crypto_session s;
	struct guest_crypto_req req = {
		.opcode = VIRTIO_CRYPTO_AEAD_ENCRYPT, .iv = iv, .iv_bytes = sizeof(iv),
		.src = plain, .src_bytes = sizeof(plain), .aad = aad, .aad_bytes = sizeof(aad),
		.dst_bytes = sizeof(sealed), .tag_bytes = 16,
	};
	int64_t id;

	snprintf(what, sizeof(what), "aead %u", algo);
	current = what;
	random_bytes(plain, sizeof(plain));
	random_bytes(iv, sizeof(iv));
	random_bytes(aad, sizeof(aad));
	random_bytes(key, sizeof(key));
	s = session_of(VIRTIO_CRYPTO_SERVICE_AEAD, algo, key, key_bytes, 16, sizeof(aad), false);
	CHECK_EQ(crypto_ref_compute(&s, &req, sealed, NULL), 0);
	id = open_session(&s);
	CHECK(id > 0);
	req.session_id = (uint64_t)id;
	req.opcode = VIRTIO_CRYPTO_AEAD_DECRYPT;
	req.src = sealed;
	req.src_bytes = sizeof(sealed);
	req.dst_bytes = sizeof(plain);
	for (unsigned i = 0; i < 16; i++) {
		try_forged(&req, plain, sizeof(plain), sealed, sizeof(plain));
		try_forged(&req, plain, sizeof(plain), sealed + sizeof(plain), 16);
		try_forged(&req, plain, sizeof(plain), aad, sizeof(aad));
		try_forged(&req, plain, sizeof(plain), iv, sizeof(iv));
		/* And what is authentic goes through as before. */
		post_job(&req, plain, sizeof(plain), NULL, VIRTIO_CRYPTO_OK, NR_LAYOUTS);
		flush_jobs();
	}
	close_session(id);
}

static void
forgeries(enum rte_vhost_crypto_zero_copy zero_copy)
{
	up(zero_copy, false);
	for (uint32_t algo = 0; algo < 32; algo++)
		if (is_offered(VIRTIO_CRYPTO_SERVICE_AEAD, algo))
			try_forgeries(algo);
	down();
}

static void forgeries_on_copies(void) { forgeries(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE); }
static void forgeries_in_place(void) { forgeries(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE); }

/* --- size ------------------------------------------------------------------- */

#define LARGE_CUTS 24

/* All of it in one request, in a few pieces. */
static void
try_large(uint32_t service, uint32_t algo, uint32_t len_bytes, uint8_t *src, uint8_t *dst)
{
	static char what[96];
	uint32_t digest = whole_digest(service, algo), cuts[LARGE_CUTS];
	uint32_t block = block_bytes(service, algo);
	uint32_t key_bytes = service == VIRTIO_CRYPTO_SERVICE_HASH ? 0 :
			     algo == VIRTIO_CRYPTO_AEAD_CHACHA20_POLY1305 ? 32 : 16;
	struct guest_crypto_layout layout = {
		.chain = GUEST_CRYPTO_INDIRECT, .readable_cuts = cuts, .writable_cuts = cuts,
		.nr_readable_cuts = LARGE_CUTS, .nr_writable_cuts = LARGE_CUTS, .gap_bytes = 5,
	};
	struct guest_crypto_session s;
	struct guest_crypto_req req = {
		.opcode = opcode_of(service, true), .op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
		.iv = src, .iv_bytes = usual_iv(service, algo), .src = src,
		.src_bytes = len_bytes / block * block, .tag_bytes = digest,
	};
	struct guest_crypto_result r;
	uint8_t hash[64];
	int64_t id;
	int rc;

	snprintf(what, sizeof(what), "service %u algorithm %u, %u bytes", service, algo,
		 req.src_bytes);
	current = what;
	for (unsigned i = 0; i < LARGE_CUTS; i++)
		cuts[i] = 1 + random_below(2 * len_bytes / LARGE_CUTS);
	s = session_of(service, algo, src + 64, key_bytes, digest, 0, true);
	req.hash_bytes = is_digest(service) ? digest : 0;
	req.dst_bytes = is_digest(service) ? 0 : req.src_bytes + digest;
	CHECK_EQ(crypto_ref_compute(&s, &req, dst, hash), 0);
	id = open_session(&s);
	CHECK(id > 0);
	req.session_id = (uint64_t)id;
	CHECK(guest_crypto_post(&gc, &req, &layout, NULL) >= 0);
	CHECK_EQ(crypto_app_pump(flow.vid, 0), 1);
	rc = guest_crypto_reap(&gc, &r);
	if (rc != 0 || r.status != VIRTIO_CRYPTO_OK ||
	    memcmp(r.dst, dst, req.dst_bytes) != 0 || memcmp(r.hash, hash, req.hash_bytes) != 0)
		tap_fail(__FILE__, __LINE__, "%s: reaped %d, status %u", current, rc, r.status);
	close_session(id);
}

static void
large(enum rte_vhost_crypto_zero_copy zero_copy)
{
	const struct {
		uint32_t service, algo;
	} some[] = {
		{VIRTIO_CRYPTO_SERVICE_CIPHER, VIRTIO_CRYPTO_CIPHER_AES_CBC},
		{VIRTIO_CRYPTO_SERVICE_CIPHER, VIRTIO_CRYPTO_CIPHER_AES_CTR},
		{VIRTIO_CRYPTO_SERVICE_HASH, VIRTIO_CRYPTO_HASH_SHA_256},
		{VIRTIO_CRYPTO_SERVICE_MAC, VIRTIO_CRYPTO_MAC_HMAC_SHA1},
		{VIRTIO_CRYPTO_SERVICE_AEAD, VIRTIO_CRYPTO_AEAD_GCM},
		{VIRTIO_CRYPTO_SERVICE_AEAD, VIRTIO_CRYPTO_AEAD_CCM},
		{VIRTIO_CRYPTO_SERVICE_AEAD, VIRTIO_CRYPTO_AEAD_CHACHA20_POLY1305},
	};
	/* More than is offered is taken by devices that take it in pieces. */
	const uint32_t sizes[] = {16384, 32768, 65535, 65536, 65537, 1 << 20, 0 /* the offer */};
	const bool takes_more = (crypto_app.info.feature_flags & RTE_CRYPTODEV_FF_IN_PLACE_SGL) != 0 &&
				strcmp(crypto_app.info.driver_name, "crypto_aesni_mb") != 0;
	const struct fe_config config = CRYPTO_CONFIG;
	uint8_t *src, *dst;
	uint32_t most, offer;

	crypto_app.zero_copy = zero_copy;
	flow_up(&flow, RTE_VHOST_USER_ASYNC_COPY, &config);
	read_offer();
	buffers_at_rest = crypto_app_buffers_in_use();
	offer = (uint32_t)offered.max_size - 64;
	most = 1 << 20;
	src = malloc(most + 64);
	dst = malloc(most + 64);
	RTE_VERIFY(src != NULL && dst != NULL);
	random_bytes(src, most + 64);
	CHECK_EQ(guest_crypto_init(&gc, &flow.fe.vqs[0], false, 1, 2ull * most + 65536), 0);
	for (unsigned i = 0; i < RTE_DIM(some); i++)
		for (unsigned k = 0; k < RTE_DIM(sizes); k++)
			if (is_offered(some[i].service, some[i].algo) &&
			    (sizes[k] <= offer ||
			     (takes_more && some[i].service != VIRTIO_CRYPTO_SERVICE_AEAD)))
				try_large(some[i].service, some[i].algo,
					  sizes[k] != 0 ? sizes[k] : offer, src, dst);
	free(src);
	free(dst);
	down();
}

static void large_on_copies(void) { large(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE); }
static void large_in_place(void) { large(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE); }
#endif

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(chains_on_copies),
		FLOW_TEST(chains_in_place),
#ifndef FLOW_STOCK
		FLOW_TEST(forgeries_on_copies),
		FLOW_TEST(forgeries_in_place),
		FLOW_TEST(large_on_copies),
		FLOW_TEST(large_in_place),
#endif
	};

	crypto_app_args(&argc, &argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), crypto_app_setup, jobs_teardown);
}
