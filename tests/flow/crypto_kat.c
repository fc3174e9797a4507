/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Known answers: everything that a crypto device offers answers as its standard says, however a
 * request is cut, on copies and on guest memory. Published vectors, and random requests against
 * libcrypto, or against the cryptodev itself where libcrypto has nothing of the kind. What is
 * offered and has no vector fails.
 */
#include "crypto_jobs.h"
#include "crypto_vectors.h"

/* --- published vectors ------------------------------------------------------ */

#define VECTOR_MAX_BYTES (1u << 20)

/* A vector, its words read. */
static struct known {
	const struct crypto_vector *vector;
	uint8_t key[512], iv[64], aad[512];
	uint8_t in[VECTOR_MAX_BYTES], out[VECTOR_MAX_BYTES];
	uint32_t key_bytes, iv_bytes, aad_bytes, in_bytes, out_bytes;
} known;

static void
read_vector(const struct crypto_vector *v)
{
	known.vector = v;
	known.key_bytes = crypto_vector_bytes(v->key, known.key, sizeof(known.key));
	known.iv_bytes = crypto_vector_bytes(v->iv, known.iv, sizeof(known.iv));
	known.aad_bytes = crypto_vector_bytes(v->aad, known.aad, sizeof(known.aad));
	known.in_bytes = crypto_vector_bytes(v->in, known.in, sizeof(known.in));
	known.out_bytes = crypto_vector_bytes(v->out, known.out, sizeof(known.out));
	current = v->source;
}

static struct guest_crypto_session
vector_session(bool encrypts)
{
	const struct crypto_vector *v = known.vector;

	return session_of(v->service, v->algo, known.key, known.key_bytes,
			  is_digest(v->service) ? known.out_bytes : v->tag_bytes, known.aad_bytes,
			  encrypts);
}

/* The request, and what comes of it. */
static struct guest_crypto_req
vector_request(bool encrypts, const uint8_t **result, uint32_t *result_bytes)
{
	const struct crypto_vector *v = known.vector;
	struct guest_crypto_req req = {
		.opcode = opcode_of(v->service, encrypts),
		.op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
		.iv = known.iv, .iv_bytes = known.iv_bytes,
		.aad = known.aad, .aad_bytes = known.aad_bytes,
		.src = encrypts ? known.in : known.out,
		.src_bytes = encrypts ? known.in_bytes : known.out_bytes,
		.tag_bytes = v->tag_bytes,
	};

	*result = encrypts ? known.out : known.in;
	*result_bytes = encrypts ? known.out_bytes : known.in_bytes;
	if (is_digest(v->service))
		req.hash_bytes = *result_bytes;
	else
		req.dst_bytes = *result_bytes;
	return req;
}

/* The table and libcrypto say the same. */
static void
vectors_are_what_libcrypto_says(void)
{
	static uint8_t dst[VECTOR_MAX_BYTES];
	uint8_t hash[64];
	unsigned nr_checked = 0;

	for (unsigned i = 0; i < 2 * crypto_nr_vectors; i++) {
		bool encrypts = i % 2 == 0;
		struct guest_crypto_session s;
		struct guest_crypto_req req;
		const uint8_t *result;
		uint32_t result_bytes;
		int rc;

		read_vector(&crypto_vectors[i / 2]);
		if (is_digest(known.vector->service) && !encrypts)
			continue;
		s = vector_session(encrypts);
		req = vector_request(encrypts, &result, &result_bytes);
		rc = crypto_ref_compute(&s, &req, dst, hash);
		if (rc == -ENOTSUP)
			continue;
		nr_checked++;
		if (rc != 0 || memcmp(is_digest(known.vector->service) ? hash : dst, result,
				      result_bytes) != 0)
			tap_fail(__FILE__, __LINE__, "%s is something else", current);
	}
	fprintf(tap.out, "# %u vectors, %u checks\n", crypto_nr_vectors, nr_checked);
	CHECK(nr_checked > crypto_nr_vectors);
}

static void
run_vector(const struct crypto_vector *v, bool encrypts)
{
	struct guest_crypto_session s;
	struct guest_crypto_req req;
	const uint8_t *result;
	uint32_t result_bytes;
	int64_t id;

	read_vector(v);
	if (known.in_bytes > DATA_MAX_BYTES)
		return;
	s = vector_session(encrypts);
	req = vector_request(encrypts, &result, &result_bytes);
	id = open_session(&s);
	/* Long keys of HMAC, for one, are not everybody's. */
	if (!crypto_app_device_can(&s, req.iv_bytes)) {
		CHECK_EQ(id, refusal());
		return;
	}
	if (id <= 0)
		tap_fail(__FILE__, __LINE__, "%s: no session: %lld", current, (long long)id);
	req.session_id = (uint64_t)id;
	for (unsigned layout = 0; layout < NR_LAYOUTS + 4; layout++) {
		post_job(&req, result, req.dst_bytes, result, VIRTIO_CRYPTO_OK, layout);
		flush_some_jobs();
	}
	flush_jobs();
	close_session(id);
}

static void
vectors(enum rte_vhost_crypto_zero_copy zero_copy)
{
	for (int revision_1 = 0; revision_1 < 2; revision_1++) {
		unsigned nr_tried = 0;

		up(zero_copy, revision_1);
		for (unsigned i = 0; i < crypto_nr_vectors; i++) {
			const struct crypto_vector *v = &crypto_vectors[i];

			if (!is_offered(v->service, v->algo))
				continue;
			run_vector(v, true);
			if (!is_digest(v->service))
				run_vector(v, false);
			nr_tried++;
		}
		fprintf(tap.out, "# %u vectors%s, %u requests\n", nr_tried,
			revision_1 ? " with REVISION_1" : "", nr_requests);
		CHECK(nr_tried > 0);
		if (!has_revision_1())
			revision_1 = 2;
		down();
	}
}

static void vectors_on_copies(void) { vectors(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE); }
static void vectors_in_place(void) { vectors(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE); }

/* --- everything that is offered --------------------------------------------- */

static void
all_that_is_offered_has_vectors(void)
{
	static const uint32_t services[] = {
		VIRTIO_CRYPTO_SERVICE_CIPHER, VIRTIO_CRYPTO_SERVICE_HASH, VIRTIO_CRYPTO_SERVICE_MAC,
		VIRTIO_CRYPTO_SERVICE_AEAD,
	};
	unsigned nr_offered = 0;

	up(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, false);
	for (uint32_t i = 0; i < RTE_DIM(services) * 64; i++) {
		uint32_t service = services[i / 64], algo = i % 64;
		bool known_here = false;

		if (!is_offered(service, algo))
			continue;
		nr_offered++;
		for (unsigned k = 0; k < crypto_nr_vectors; k++)
			known_here |= crypto_vectors[k].service == service &&
				      crypto_vectors[k].algo == algo;
		if (!known_here)
			tap_fail(__FILE__, __LINE__, "algorithm %u of service %u is offered", algo,
				 service);
	}
	fprintf(tap.out, "# %u algorithms, services %x, keys up to %u and %u bytes, %llu bytes\n",
		nr_offered, offered.crypto_services, offered.max_cipher_key_len,
		offered.max_auth_key_len, (unsigned long long)offered.max_size);
	CHECK(nr_offered > 0);
	/* Nothing is offered of which there is no algorithm. */
	for (unsigned i = 0; !is_stock && i < RTE_DIM(services); i++) {
		bool any = false;

		for (uint32_t algo = 0; algo < 64; algo++)
			any |= is_offered(services[i], algo);
		CHECK_EQ(offered.crypto_services >> services[i] & 1, any);
	}
	down();
}

/* --- random requests -------------------------------------------------------- */

/* By libcrypto, else by the cryptodev. */
static int
answer(const struct guest_crypto_session *s, const struct guest_crypto_req *req, uint8_t *dst,
       uint8_t *hash)
{
	int rc = crypto_ref_compute(s, req, dst, hash);

	return rc == -ENOTSUP ? crypto_app_compute(s, req, dst, hash) : rc;
}

/* No more than 20000 bits, says TS 35.201. */
#define KASUMI_MAX_BYTES 2500

static bool
is_kasumi(uint32_t service, uint32_t algo)
{
	return (service == VIRTIO_CRYPTO_SERVICE_CIPHER && algo == VIRTIO_CRYPTO_CIPHER_KASUMI_F8) ||
	       (service == VIRTIO_CRYPTO_SERVICE_MAC && algo == VIRTIO_CRYPTO_MAC_KASUMI_F9);
}

/*
 * One request of so many bytes, with other bytes each time. AEAD goes on with the way back, from
 * which sessions of their own direction make plaintext again.
 */
static void
random_request(const struct guest_crypto_session *s, uint32_t service, uint32_t algo,
	       uint32_t iv_bytes, uint32_t len_bytes, uint64_t id)
{
	static uint8_t src[2 * DATA_MAX_BYTES], dst[2 * DATA_MAX_BYTES], iv[32], aad[512];
	bool encrypts = s->direction == VIRTIO_CRYPTO_OP_ENCRYPT;
	struct guest_crypto_session forth = *s;
	uint8_t hash[64];
	struct job *job;
	struct guest_crypto_req req = {
		.opcode = opcode_of(service, true), .op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
		.session_id = id, .iv = iv, .iv_bytes = iv_bytes,
		.src = src, .src_bytes = len_bytes,
		.aad = aad, .aad_bytes = s->aad_bytes, .tag_bytes = s->digest_bytes,
	};
	int rc;

	random_bytes(iv, iv_bytes);
	random_bytes(src, len_bytes);
	random_bytes(aad, s->aad_bytes);
	forth.direction = VIRTIO_CRYPTO_OP_ENCRYPT;
	if (is_digest(service))
		req.hash_bytes = s->digest_bytes;
	else
		req.dst_bytes = len_bytes + s->digest_bytes;
	rc = answer(&forth, &req, dst, hash);
	if (rc != 0)
		tap_fail(__FILE__, __LINE__, "%s: %u bytes: nobody knows, %d", current, len_bytes,
			 rc);
	if (encrypts || is_digest(service)) {
		uint32_t result_bytes = req.dst_bytes;

		/* More room than there is to write. */
		if (!is_stock && req.dst_bytes > 0 && random_below(8) == 0)
			req.dst_bytes += 1 + random_below(40);
		job = post_job(&req, dst, result_bytes, hash, VIRTIO_CRYPTO_OK, NR_LAYOUTS);
	} else {
		req.opcode = opcode_of(service, false);
		req.src = dst;
		req.src_bytes = req.dst_bytes;
		req.dst_bytes = len_bytes;
		job = post_job(&req, src, len_bytes, hash, VIRTIO_CRYPTO_OK, NR_LAYOUTS);
	}
	if (is_kasumi(service, algo) && (len_bytes > KASUMI_MAX_BYTES || len_bytes == 0))
		job->outcome = REFUSED;
	flush_some_jobs();
}

/* Every length up to some blocks, and a few up to what requests may have here. */
static void
random_lengths(const struct guest_crypto_session *s, uint32_t service, uint32_t algo,
	       uint32_t iv_bytes, unsigned nr_more)
{
	uint32_t block = block_bytes(service, algo);
	/* Nothing to encipher is nothing to ask for. */
	uint32_t least = service == VIRTIO_CRYPTO_SERVICE_CIPHER ? block : 0;
	uint32_t most = is_stock ? STOCK_MAX_BYTES : DATA_MAX_BYTES;
	int64_t id = open_session(s);

	if (id <= 0)
		tap_fail(__FILE__, __LINE__, "%s: no session: %lld", current, (long long)id);
	for (uint32_t n = least; n <= RTE_MAX(67u, 4 * block); n += block)
		random_request(s, service, algo, iv_bytes, n, (uint64_t)id);
	for (unsigned i = 0; i < nr_more; i++) {
		uint32_t n = least + random_below(most - least - block) / block * block;

		random_request(s, service, algo, iv_bytes, n, (uint64_t)id);
	}
	flush_jobs();
	close_session(id);
}

struct tally {
	unsigned taken, refused;
};

/* A session that the device has to have, or has to refuse; then requests in it. */
static void
try_session(uint32_t service, uint32_t algo, uint32_t key_bytes, uint32_t digest_bytes,
	    uint32_t aad_bytes, uint32_t iv_bytes, bool encrypts, struct tally *tally)
{
	static char what[96];
	struct guest_crypto_session s;
	uint8_t key[512];

	snprintf(what, sizeof(what), "service %u algorithm %u key %u digest %u aad %u iv %u %s",
		 service, algo, key_bytes, digest_bytes, aad_bytes, iv_bytes,
		 encrypts ? "forth" : "back");
	current = what;
	random_bytes(key, key_bytes);
	s = session_of(service, algo, key, key_bytes, digest_bytes, aad_bytes, encrypts);
	if (crypto_app_device_can(&s, iv_bytes)) {
		random_lengths(&s, service, algo, iv_bytes, 12);
		tally->taken++;
		return;
	}
	tally->refused++;
	/* What IVs there will be, a session does not say. */
	if (iv_bytes == usual_iv(service, algo))
		CHECK_EQ(open_session(&s), refusal());
}

/* Keys, tags, AAD and IVs of every length, one after the other, the others as they are usual. */
static void
try_algorithm(uint32_t service, uint32_t algo)
{
	static const uint32_t keys[] = {0, 1, 7, 8, 15, 16, 20, 24, 25, 32, 33, 48, 64, 65,
					100, 128, 129, 131, 200, 511, 512};
	/* A hash has no key, whatever is said of one. */
	uint32_t key_max = service == VIRTIO_CRYPTO_SERVICE_HASH ? 0 : is_digest(service) ? 512 : 64;
	uint32_t digest = whole_digest(service, algo), usual_key = 0;
	uint32_t iv = usual_iv(service, algo);
	struct tally tally = {0};

	for (unsigned i = 0; i < RTE_DIM(keys) && keys[i] <= key_max; i++) {
		unsigned before = tally.taken;

		for (int back = 0; back < (is_digest(service) ? 1 : 2); back++)
			try_session(service, algo, keys[i], digest, 0, iv, back == 0, &tally);
		if (tally.taken != before)
			usual_key = keys[i];
	}
	CHECK(tally.taken > 0);
	for (uint32_t n = 1; digest > 0 && n < digest; n++)
		try_session(service, algo, usual_key, n, 0, iv, n % 2 == 0, &tally);
	for (uint32_t n = 1; service == VIRTIO_CRYPTO_SERVICE_AEAD && n <= 256; n += 1 + n / 8)
		try_session(service, algo, usual_key, digest, n, iv, n % 2 == 0, &tally);
	if (service == VIRTIO_CRYPTO_SERVICE_AEAD && algo == VIRTIO_CRYPTO_AEAD_CCM)
		for (uint32_t n = 7; n <= 13; n++)
			try_session(service, algo, usual_key, digest, 0, n, n % 2 == 0, &tally);
	fprintf(tap.out, "# service %u algorithm %u: %u sessions, %u refused\n", service, algo,
		tally.taken, tally.refused);
}

static void
random_requests(enum rte_vhost_crypto_zero_copy zero_copy)
{
	up(zero_copy, false);
	for (uint32_t service = 0; service <= VIRTIO_CRYPTO_SERVICE_AEAD; service++)
		for (uint32_t algo = 0; algo < 64; algo++)
			if (is_offered(service, algo))
				try_algorithm(service, algo);
	fprintf(tap.out, "# %u requests\n", nr_requests);
	down();
}

static void requests_on_copies(void) { random_requests(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE); }
static void requests_in_place(void) { random_requests(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE); }

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(vectors_are_what_libcrypto_says),
		FLOW_TEST(all_that_is_offered_has_vectors),
		FLOW_TEST(vectors_on_copies),
		FLOW_TEST(vectors_in_place),
		FLOW_TEST(requests_on_copies),
		FLOW_TEST(requests_in_place),
	};

	crypto_app_args(&argc, &argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), crypto_app_setup, jobs_teardown);
}
