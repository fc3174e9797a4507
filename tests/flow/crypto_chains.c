/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chains of a cipher and a hash or MAC over any ranges of the data, against libcrypto; what is not
 * authentic, of chains and of AEADs; requests as large as the device takes.
 */
#include "crypto_jobs.h"

/* --- chains of algorithms --------------------------------------------------- */

/* Half the MACs are cut off, as IPsec has it, where the device does that. */
static uint32_t
some_digest(const struct guest_crypto_session *chain, bool is_mac)
{
	uint32_t service = is_mac ? VIRTIO_CRYPTO_SERVICE_MAC : VIRTIO_CRYPTO_SERVICE_HASH;
	struct guest_crypto_session s = session_of(service, chain->hash_algo, chain->auth_key,
						   chain->auth_key_bytes, 12, 0, true);

	if (is_mac && !is_stock && random_below(2) == 0 && crypto_app_device_can(&s, 0))
		return s.digest_bytes;
	return whole_digest(service, chain->hash_algo);
}

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
	};

	if (is_mac) /* ciphers' MACs have keys of 16 bytes, always */
		s.auth_key_bytes = hash <= VIRTIO_CRYPTO_MAC_HMAC_SHA_512 ?
			auth_key_bytes[random_below(RTE_DIM(auth_key_bytes))] : 16;
	random_bytes(s.cipher_key, s.cipher_key_bytes);
	random_bytes(s.auth_key, s.auth_key_bytes);
	s.digest_bytes = some_digest(&s, is_mac);
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

static unsigned nr_refused, nr_forged;

/*
 * What a chain that deciphers has to say of a digest which was right for the source before one of
 * both changed: *dst, *status.
 */
static void
forge_chain(const struct guest_crypto_session *s, const struct guest_crypto_req *req, uint8_t *src,
	    uint8_t *hash, uint8_t *dst, uint8_t *status)
{
	uint8_t right[64];

	if (random_below(2) == 0)
		hash[random_below(req->hash_bytes)] ^= (uint8_t)(1u << random_below(8));
	else
		src[random_below(req->src_bytes)] ^= (uint8_t)(1u << random_below(8));
	CHECK_EQ(crypto_ref_compute(s, req, dst, right), 0);
	/* It may have been a byte that is not hashed. */
	if (memcmp(right, hash, req->hash_bytes) == 0)
		return;
	/* Difference: the stock library answers with another error. */
	*status = is_stock ? VIRTIO_CRYPTO_ERR : VIRTIO_CRYPTO_BADMSG;
	nr_forged++;
}

static void
random_chain(const struct guest_crypto_session *s, uint64_t id)
{
	static uint8_t src[DATA_MAX_BYTES], dst[DATA_MAX_BYTES], iv[32];
	bool encrypts = s->direction == VIRTIO_CRYPTO_OP_ENCRYPT;
	uint32_t block = block_bytes(VIRTIO_CRYPTO_SERVICE_CIPHER, s->cipher_algo);
	uint32_t most = is_stock ? STOCK_MAX_BYTES : random_below(4) == 0 ? DATA_MAX_BYTES : 600;
	uint8_t hash[64], status = VIRTIO_CRYPTO_OK;
	struct guest_crypto_req req = {
		.opcode = encrypts ? VIRTIO_CRYPTO_CIPHER_ENCRYPT : VIRTIO_CRYPTO_CIPHER_DECRYPT,
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
	if (!encrypts) {
		req.hash = hash;
		if (random_below(3) == 0)
			forge_chain(s, &req, src, hash, dst, &status);
	}
	/* As they come, and as drivers make them. */
	post_job(&req, dst, req.dst_bytes, hash, status, random_below(4) == 0 ? 0 : NR_LAYOUTS);
	flush_some_jobs();
}

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
	/* Not every device has every combination. */
	if (!crypto_app_device_chains(&s, usual_iv(VIRTIO_CRYPTO_SERVICE_CIPHER, cipher))) {
		CHECK_EQ(id, refusal());
		nr_refused++;
		return;
	}
	if (id <= 0)
		tap_fail(__FILE__, __LINE__, "%s: no session: %lld", current, (long long)id);
	for (unsigned i = 0; i < (encrypts ? 8 : 16); i++)
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

	nr_refused = nr_forged = 0;
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
				if (!is_stock || k == 0 || k == 3)
					try_chain(cipher, is_mac, i % 64, k & 2, (k & 1) == 0);
		}
	}
	fprintf(tap.out, "# %u pairs, %u sessions refused, %u requests, %u forged\n", nr_pairs,
		nr_refused, nr_requests, nr_forged);
	CHECK(nr_pairs > 0);
	CHECK(nr_forged > nr_pairs);
	down();
}

static void chains_on_copies(void) { chains(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE); }
static void chains_in_place(void) { chains(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE); }

/* --- digests that are compared ------------------------------------------------ */

#define SEALED_BYTES 64
#define SEAL_BYTES 20

/* A message of AES-CBC and HMAC-SHA-1 that a session deciphers. */
static struct message {
	struct guest_crypto_session session;
	struct guest_crypto_req req;
	uint8_t iv[16], src[SEALED_BYTES], hash[SEAL_BYTES], plain[SEALED_BYTES];
	int64_t id;
} message;

static void
seal(bool hash_first)
{
	current = hash_first ? "hash first" : "cipher first";
	message.session = chain_session(VIRTIO_CRYPTO_CIPHER_AES_CBC, 16, true,
				       VIRTIO_CRYPTO_MAC_HMAC_SHA1, hash_first, false);
	message.session.digest_bytes = SEAL_BYTES;
	message.id = open_session(&message.session);
	CHECK(message.id > 0);
	random_bytes(message.iv, sizeof(message.iv));
	random_bytes(message.src, sizeof(message.src));
	message.req = (struct guest_crypto_req) {
		.opcode = VIRTIO_CRYPTO_CIPHER_DECRYPT,
		.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING,
		.session_id = (uint64_t)message.id,
		.iv = message.iv, .iv_bytes = sizeof(message.iv),
		.src = message.src, .src_bytes = SEALED_BYTES, .dst_bytes = SEALED_BYTES,
		.cipher_bytes = SEALED_BYTES, .hashed_bytes = SEALED_BYTES,
		.hash_bytes = SEAL_BYTES,
	};
	CHECK_EQ(crypto_ref_compute(&message.session, &message.req, message.plain, message.hash),
		 0);
	message.req.hash = message.hash;
}

static void
post_sealed(uint8_t status, unsigned layout)
{
	post_job(&message.req, message.plain, SEALED_BYTES, message.hash, status, layout);
	flush_jobs();
}

/* In one piece or in many, every byte of it counts; so does what it is of. */
static void
try_seal(bool hash_first, unsigned layout)
{
	/* Difference: the stock library answers with another error. */
	const uint8_t refused = is_stock ? VIRTIO_CRYPTO_ERR : VIRTIO_CRYPTO_BADMSG;

	seal(hash_first);
	post_sealed(VIRTIO_CRYPTO_OK, layout);
	for (unsigned i = 0; i < SEAL_BYTES; i++) {
		uint8_t bit = (uint8_t)(1u << random_below(8));

		message.hash[i] ^= bit;
		post_sealed(refused, layout);
		message.hash[i] ^= bit;
	}
	for (unsigned i = 0; i < SEALED_BYTES; i++) {
		message.src[i] ^= 1;
		post_sealed(refused, layout);
		message.src[i] ^= 1;
	}
	post_sealed(VIRTIO_CRYPTO_OK, layout);
	close_session(message.id);
}

static void
seals(enum rte_vhost_crypto_zero_copy zero_copy)
{
	up(zero_copy, false);
	/* Difference: the stock library deciphers, and compares, only in this order. */
	for (int hash_first = is_stock ? 1 : 0; hash_first < 2; hash_first++)
		for (unsigned layout = 0; layout < NR_LAYOUTS + 8; layout++)
			try_seal(hash_first != 0, layout);
	down();
}

static void seals_on_copies(void) { seals(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE); }
static void seals_in_place(void) { seals(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE); }

#ifndef FLOW_STOCK
/* Every byte in a piece of its own: that is what the device has of the digest. */
static void
seal_in_pieces(void)
{
	uint32_t cuts[1 + SEAL_BYTES] = {SEALED_BYTES};
	const struct guest_crypto_layout layout = {
		.chain = GUEST_CRYPTO_INDIRECT, .gap_bytes = 3,
		.writable_cuts = cuts, .nr_writable_cuts = RTE_DIM(cuts),
	};
	struct guest_crypto_result r;

	for (unsigned i = 1; i < RTE_DIM(cuts); i++)
		cuts[i] = 1;
	up(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, false);
	seal(true);
	for (unsigned i = 0; i <= SEAL_BYTES; i++) {
		const bool forged = i < SEAL_BYTES;

		if (forged)
			message.hash[i] ^= 0x80;
		CHECK(guest_crypto_post(&gc, &message.req, &layout, NULL) >= 0);
		if (forged)
			message.hash[i] ^= 0x80;
		CHECK_EQ(crypto_app_pump(flow.vid, 0), 1);
		CHECK_EQ(guest_crypto_reap(&gc, &r), 0);
		CHECK_EQ(r.status, forged ? VIRTIO_CRYPTO_BADMSG : VIRTIO_CRYPTO_OK);
		CHECK_EQ(r.used_bytes, forged ? 1 : SEALED_BYTES + 1);
		CHECK_EQ(r.unwritten, forged);
	}
	close_session(message.id);
	down();
}

/* The guest may change all of it while the operation is under way: nobody looks again. */
static void
try_changed_seal(const struct guest_crypto_layout *layout, bool forged)
{
	struct rte_crypto_op *op;
	struct guest_crypto_result r;
	const struct guest_seg *segs;
	uint8_t other[SEAL_BYTES], other_src[SEALED_BYTES];
	int id;

	message.hash[7] ^= forged;
	id = guest_crypto_post(&gc, &message.req, layout, NULL);
	CHECK(id >= 0);
	message.hash[7] ^= forged;
	CHECK_EQ(crypto_app_fetch(flow.vid, 0, &op, 1), 1);
	/* What was right is wrong now, and the reverse. */
	memcpy(other, message.hash, sizeof(other));
	other[7] ^= !forged;
	CHECK_EQ(guest_crypto_writable(&gc, id, &segs), 3);
	guest_write(&flow.fe.mem, segs[1].gpa, other, sizeof(other));
	/* The source is the piece before the result. */
	random_bytes(other_src, sizeof(other_src));
	guest_write(&flow.fe.mem, segs[-1].gpa, other_src, sizeof(other_src));
	CHECK_EQ(crypto_app_run(&op, 1), 0);
	guest_write(&flow.fe.mem, segs[-1].gpa, message.src, sizeof(message.src));
	crypto_app_finalize(&op, 1);
	CHECK_EQ(guest_crypto_reap(&gc, &r), 0);
	CHECK_EQ(r.status, forged ? VIRTIO_CRYPTO_BADMSG : VIRTIO_CRYPTO_OK);
	if (!forged)
		CHECK(memcmp(r.dst, message.plain, SEALED_BYTES) == 0);
	for (unsigned i = 0; forged && i < SEALED_BYTES; i++)
		CHECK_EQ(r.dst[i], GUEST_CRYPTO_FILL_BYTE);
	CHECK(memcmp(r.hash, other, SEAL_BYTES) == 0);
}

static void
seal_is_read_once(void)
{
	const struct guest_crypto_layout layouts[] = {
		{.chain = GUEST_CRYPTO_INDIRECT}, {.chain = GUEST_CRYPTO_DIRECT, .gap_bytes = 7},
	};

	for (int in_place = 0; in_place < 2; in_place++) {
		up(in_place ? RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE :
			      RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, false);
		for (unsigned i = 0; i < 2 * RTE_DIM(layouts) * 2; i++) {
			seal(i & 1);
			try_changed_seal(&layouts[i / 4], (i & 2) != 0);
			close_session(message.id);
		}
		down();
	}
}

/* --- what is not authentic -------------------------------------------------- */

/* A bit of a ciphertext, its tag, the AAD or the IV is another one: nothing comes out of it. */
static void
try_forged(struct guest_crypto_req *req, uint8_t *part, uint32_t part_bytes)
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
	if (rc != 0 || r.status != VIRTIO_CRYPTO_BADMSG || !r.unwritten || r.used_bytes != 1)
		tap_fail(__FILE__, __LINE__, "%s: reaped %d, status %u%s", current, rc, r.status,
			 r.unwritten ? "" : ", results");
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
		try_forged(&req, sealed, sizeof(plain));
		try_forged(&req, sealed + sizeof(plain), 16);
		try_forged(&req, aad, sizeof(aad));
		try_forged(&req, iv, sizeof(iv));
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
		FLOW_TEST(seals_on_copies),
		FLOW_TEST(seals_in_place),
#ifndef FLOW_STOCK
		FLOW_TEST(seal_in_pieces),
		FLOW_TEST(seal_is_read_once),
		FLOW_TEST(forgeries_on_copies),
		FLOW_TEST(forgeries_in_place),
		FLOW_TEST(large_on_copies),
		FLOW_TEST(large_in_place),
#endif
	};

	crypto_app_args(&argc, &argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), crypto_app_setup, jobs_teardown);
}
