/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests cut as drivers cut them, and almost so, with headers that say what they should, and
 * almost so: each gets the answer that it gets when all that is read is one piece, and all that is
 * written another. That these are right is for crypto_kat.c and crypto_chains.c.
 */
#include "crypto_jobs.h"
#include "guest_log.h"

#define KEY_BYTES 16
#define DIGEST_BYTES 20
#define IV_BYTES 16
#define ROOM_BYTES 4096

static uint8_t iv[32], src[8192 + 1];
static struct guest_crypto_session now; /* the one that requests are in */

static unsigned nr_verified;

struct answer {
	int rc;
	uint8_t status, dst[ROOM_BYTES + 64], hash[64];
	uint32_t used_bytes;
};

static void
ask(const struct guest_crypto_req *req, const struct guest_crypto_layout *layout, struct answer *a)
{
	struct guest_crypto_result r;

	memset(a, 0, sizeof(*a));
	CHECK(guest_crypto_post(&gc, req, layout, NULL) >= 0);
	crypto_app_pump(flow.vid, 0);
	a->rc = guest_crypto_reap(&gc, &r);
	a->status = r.status;
	a->used_bytes = r.used_bytes;
	memcpy(a->dst, r.dst, req->dst_bytes);
	memcpy(a->hash, r.hash, req->hash_bytes);
}

/* What deciphers a chain gets the digest that is right for it, if there can be one. */
static void
seal(struct guest_crypto_req *req)
{
	static uint8_t plain[2 * sizeof(src)], hash[DIGEST_BYTES];

	if (now.op_type == VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING &&
	    req->opcode == VIRTIO_CRYPTO_CIPHER_DECRYPT && req->op_type == now.op_type &&
	    req->iv_bytes == IV_BYTES && req->cipher_bytes % 16 == 0 &&
	    req->hash_bytes == DIGEST_BYTES &&
	    req->cipher_start_bytes + req->cipher_bytes <= req->src_bytes &&
	    req->hash_start_bytes + req->hashed_bytes <= req->src_bytes) {
		CHECK_EQ(crypto_ref_compute(&now, req, plain, hash), 0);
		req->hash = hash;
	}
}

/* Cuts, up to the first 0. */
struct form {
	uint32_t readable[6], writable[6];
};

static void
compare(const char *what, const struct guest_crypto_req *req, const struct form *form)
{
	static const uint32_t all = UINT32_MAX;
	const struct guest_crypto_layout plain = {
		.chain = GUEST_CRYPTO_INDIRECT, .readable_cuts = &all, .writable_cuts = &all,
		.nr_readable_cuts = 1, .nr_writable_cuts = 1,
	};
	struct guest_crypto_layout layout = {
		.chain = GUEST_CRYPTO_INDIRECT, .readable_cuts = form->readable,
		.writable_cuts = form->writable, .gap_bytes = 40,
	};
	struct guest_crypto_req sealed = *req, other;
	static struct answer a, b;

	while (form->readable[layout.nr_readable_cuts] != 0)
		layout.nr_readable_cuts++;
	while (form->writable[layout.nr_writable_cuts] != 0)
		layout.nr_writable_cuts++;
	seal(&sealed);
	ask(&sealed, &plain, &a);
	/* What the library has of that in its buffers would be right by chance. */
	other = sealed;
	other.src = src + 1;
	if (sealed.hash != NULL)
		other.hash = src;
	ask(&other, &plain, &b);
	ask(&sealed, &layout, &b);
	nr_verified += sealed.hash != NULL && b.status == VIRTIO_CRYPTO_OK;
	if (a.rc != 0 || b.rc != 0 || a.status != b.status || a.used_bytes != b.used_bytes ||
	    memcmp(a.dst, b.dst, req->dst_bytes) != 0 || memcmp(a.hash, b.hash, req->hash_bytes) != 0)
		tap_fail(__FILE__, __LINE__,
			 "%s, cuts %u %u %u.. %u %u %u..: reaped %d, status %u, not %u, %d", what,
			 form->readable[0], form->readable[1], form->readable[2], form->writable[0],
			 form->writable[1], form->writable[2], b.rc, b.status, a.status, a.rc);
	nr_requests++;
}

/* Of 64 bytes; a digest comes behind the result, if there is one. */
static const struct form forms[] = {
	{{72, 16, 64}, {64, 20, 1}}, /* as drivers make them, of a chain */
	{{72, 16, 64}, {64, 1}},     /* of a cipher */
	{{71, 17, 64}, {64, 20, 1}}, {{73, 15, 64}, {64, 20, 1}}, {{72, 15, 65}, {64, 20, 1}},
	{{72, 17, 63}, {64, 20, 1}}, {{72, 16, 63, 1}, {64, 20, 1}}, {{88, 64}, {64, 20, 1}},
	{{72, 80}, {64, 20, 1}},     {{72, 16, 32, 32}, {64, 20, 1}}, {{36, 36, 80}, {64, 20, 1}},
	{{72, 16, 64}, {63, 21, 1}}, {{72, 16, 64}, {65, 19, 1}}, {{72, 16, 64}, {44, 40, 1}},
	{{72, 16, 64}, {64, 19, 2}}, {{72, 16, 64}, {64, 21}}, {{72, 16, 64}, {32, 32, 20, 1}},
	{{72, 16, 64}, {84, 1}},     {{72, 16, 64}, {63, 1, 1}}, {{72, 16, 64}, {63, 2}},
	{{72, 16, 64}, {32, 32, 1}}, {{72, 16, 64}, {60, 24, 1}}, {{72, 16, 48}, {64, 20, 1}},
	{{72, 16, 64}, {48, 36, 1}}, {{72, 16, 64}, {64, 10, 10, 1}}, {{72, 8, 72}, {72, 12, 1}},
};

static void
all_forms(const char *what, const struct guest_crypto_req *req)
{
	for (unsigned i = 0; i < RTE_DIM(forms); i++)
		compare(what, req, &forms[i]);
}

static struct guest_crypto_req
request(int64_t id, bool is_chain)
{
	return (struct guest_crypto_req) {
		.opcode = opcode_of(VIRTIO_CRYPTO_SERVICE_CIPHER,
				    now.direction == VIRTIO_CRYPTO_OP_ENCRYPT),
		.op_type = is_chain ? VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING :
				      VIRTIO_CRYPTO_SYM_OP_CIPHER,
		.session_id = (uint64_t)id,
		.iv = iv, .iv_bytes = IV_BYTES, .src = src, .src_bytes = 64, .dst_bytes = 64,
		.hash_bytes = is_chain ? DIGEST_BYTES : 0,
		.cipher_bytes = 64, .hashed_bytes = 64,
	};
}

static int64_t
session(bool is_chain, bool hash_first, bool encrypts)
{
	struct guest_crypto_session s = session_of(VIRTIO_CRYPTO_SERVICE_CIPHER,
						   VIRTIO_CRYPTO_CIPHER_AES_CBC, src, KEY_BYTES, 0,
						   0, encrypts);
	int64_t id;

	if (is_chain) {
		s.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
		s.hash_mode = VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH;
		s.chain_order = hash_first ? VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_HASH_THEN_CIPHER :
					     VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_CIPHER_THEN_HASH;
		s.hash_algo = VIRTIO_CRYPTO_MAC_HMAC_SHA1;
		s.digest_bytes = DIGEST_BYTES;
		s.auth_key_bytes = KEY_BYTES;
		memcpy(s.auth_key, src, KEY_BYTES);
	}
	id = open_session(&s);
	CHECK(id > 0);
	now = s;
	return id;
}

/* One thing about it is another. */
static void
vary(int64_t id, bool is_chain)
{
	const int64_t others[] = {0, id + 1, -1};
	struct guest_crypto_req req = request(id, is_chain);

	all_forms("good", &req);
	req.opcode ^= VIRTIO_CRYPTO_CIPHER_ENCRYPT ^ VIRTIO_CRYPTO_CIPHER_DECRYPT;
	all_forms("other direction", &req);
	req = request(id, !is_chain);
	all_forms("other kind", &req);
	for (unsigned i = 0; i < RTE_DIM(others); i++) {
		req = request(others[i], is_chain);
		all_forms("no such session", &req);
	}
	for (uint32_t bytes = 0; bytes <= 32; bytes++) {
		req = request(id, is_chain);
		req.iv_bytes = bytes;
		all_forms("IV", &req);
	}
	for (uint32_t bytes = 0; bytes <= 96; bytes++) {
		req = request(id, is_chain);
		req.src_bytes = bytes;
		all_forms("source", &req);
		req = request(id, is_chain);
		req.dst_bytes = bytes;
		all_forms("room", &req);
		req = request(id, is_chain);
		req.src_bytes = req.dst_bytes = req.cipher_bytes = req.hashed_bytes = bytes;
		all_forms("both", &req);
	}
}

/* What only chains have. */
static void
vary_ranges(int64_t id)
{
	struct guest_crypto_req req;

	for (uint32_t bytes = 0; bytes <= 32; bytes++) {
		req = request(id, true);
		req.hash_bytes = bytes;
		all_forms("digest", &req);
		req = request(id, true);
		req.aad = src;
		req.aad_bytes = bytes;
		all_forms("AAD", &req);
	}
	for (uint32_t at = 0; at <= 80; at += 8) {
		for (uint32_t bytes = 0; bytes <= 80; bytes += 8) {
			req = request(id, true);
			req.cipher_start_bytes = at;
			req.cipher_bytes = bytes;
			all_forms("ciphered", &req);
			req = request(id, true);
			req.hash_start_bytes = at;
			req.hashed_bytes = bytes;
			all_forms("hashed", &req);
		}
	}
}

/* As drivers make them, up to what a request's own buffer holds and beyond. */
static void
sizes(int64_t id, bool is_chain)
{
	static const uint32_t some[] = {16, 2176, 4080, 4096, 4112, 8192};

	for (unsigned i = 0; i < RTE_DIM(some); i++) {
		struct guest_crypto_req req = request(id, is_chain);
		const struct form form = {{72, 16, some[i]}, {some[i], is_chain ? DIGEST_BYTES : 1}};

		req.src_bytes = req.dst_bytes = req.cipher_bytes = req.hashed_bytes = some[i];
		req.dst_bytes = RTE_MIN(req.dst_bytes, (uint32_t)ROOM_BYTES);
		compare("size", &req, &form);
	}
}

static void
usual_and_almost(enum rte_vhost_crypto_zero_copy zero_copy, bool revision_1)
{
	int64_t id;

	nr_requests = nr_verified = 0;
	random_bytes(iv, sizeof(iv));
	random_bytes(src, sizeof(src));
	up(zero_copy, revision_1);
	id = session(false, false, true);
	vary(id, false);
	sizes(id, false);
	for (unsigned i = 0; i < 4; i++) {
		id = session(true, i % 2 != 0, i / 2 != 0);
		vary(id, true);
		vary_ranges(id);
		sizes(id, true);
	}
	fprintf(tap.out, "# %u requests, %u verified\n", nr_requests, nr_verified);
	CHECK(nr_verified > nr_requests / 20);
	down();
}

/* Result, digest and status in a page each: exactly what changed is marked, whoever wrote it. */
static void
dirty_log_of_chains(void)
{
	static const uint32_t readable[] = {72, 16, 64}, writable[] = {64, DIGEST_BYTES, 1};
	const struct guest_crypto_layout layout = {
		.chain = GUEST_CRYPTO_INDIRECT, .readable_cuts = readable, .writable_cuts = writable,
		.nr_readable_cuts = 3, .nr_writable_cuts = 3, .gap_bytes = 4096,
	};
	struct guest_log log;

	for (unsigned i = 0; i < 4; i++) {
		struct guest_crypto_result r;
		struct guest_crypto_req req;

		up(i % 2 == 0 ? RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE :
				RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, false);
		CHECK_EQ(guest_log_create(&log, 64u << 20, 0), 0);
		CHECK_EQ(guest_log_start(&log, &flow.fe), 0);
		req = request(session(true, i / 2 != 0, true), true);
		for (unsigned round = 0; round < 10; round++) {
			req.src = src + 1 + round;
			CHECK(guest_crypto_post(&gc, &req, &layout, NULL) >= 0);
			guest_log_snapshot(&log, &flow.fe);
			crypto_app_pump(flow.vid, 0);
			CHECK_EQ(guest_log_lies(&log, &flow.fe.mem), 0);
			/* And the used ring. */
			CHECK(guest_log_count(&log) >= 4);
			CHECK_EQ(guest_crypto_reap(&gc, &r), 0);
			CHECK_EQ(r.status, VIRTIO_CRYPTO_OK);
		}
		CHECK_EQ(guest_log_stop(&flow.fe), 0);
		guest_log_destroy(&log);
		down();
	}
}

static void on_copies(void) { usual_and_almost(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, false); }
static void in_place(void) { usual_and_almost(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE, false); }
static void of_revision_1(void) { usual_and_almost(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE, true); }

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(on_copies),
		FLOW_TEST(in_place),
		FLOW_TEST(of_revision_1),
		FLOW_TEST(dirty_log_of_chains),
	};

	crypto_app_args(&argc, &argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), crypto_app_setup, jobs_teardown);
}
