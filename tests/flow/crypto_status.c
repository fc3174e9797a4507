/* SPDX-License-Identifier: BSD-3-Clause */
/* Which status a request gets, and that what makes no sense changes nothing else. */
#include "crypto_cbc.h"

/* The same with a header in which one word is another. */
static uint8_t
status_with(const struct guest_crypto_req *req, size_t word_at, uint32_t word)
{
	struct virtio_crypto_op_data_req header;
	struct guest_crypto_req changed = *req;

	guest_crypto_header(req, &header);
	memcpy((uint8_t *)&header + word_at, &word, sizeof(word));
	changed.header = &header;
	return cbc_status_of(&changed);
}

struct wrong_word {
	size_t word_at;
	uint32_t word;
};

/* With any one of the words. */
static void
expect_badmsg_with_each(const struct guest_crypto_req *req, const struct wrong_word *wrong,
			unsigned nr_wrong)
{
	for (unsigned i = 0; i < nr_wrong; i++) {
		uint8_t status = status_with(req, wrong[i].word_at, wrong[i].word);

		if (status != VIRTIO_CRYPTO_BADMSG)
			tap_fail(__FILE__, __LINE__, "word at %zu as %u: status %u",
				 wrong[i].word_at, wrong[i].word, status);
	}
}

#define CIPHER_WORD(field) offsetof(struct virtio_crypto_op_data_req, u.sym_req.u.cipher.para.field)
#define CHAIN_WORD(field) offsetof(struct virtio_crypto_op_data_req, u.sym_req.u.chain.para.field)
#define HASH_WORD(field) offsetof(struct virtio_crypto_op_data_req, u.hash_req.para.field)
#define AEAD_WORD(field) offsetof(struct virtio_crypto_op_data_req, u.aead_req.para.field)

static void
nobody_knows_the_session(void)
{
	static const uint64_t wrong[] = {0, 2, 1024, 1025, UINT32_MAX, 1ull << 32, (1ull << 32) + 1,
					 1ull << 63, UINT64_MAX, UINT64_MAX - 1023};
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES];
	struct guest_crypto_req req;
	struct cbc session;

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	req = cbc_request(&session, 1, bytes);
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_OK);
	for (unsigned i = 0; i < RTE_DIM(wrong); i++) {
		req.session_id = wrong[i];
		if (wrong[i] != session.id)
			CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_INVSESS);
	}
	req.session_id = session.id;
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_OK);
	down();
}

/* A request of one kind in the session of another. */
static void
the_session_is_for_something_else(void)
{
	static const uint32_t opcodes[] = {VIRTIO_CRYPTO_CIPHER_DECRYPT, VIRTIO_CRYPTO_HASH,
					   VIRTIO_CRYPTO_MAC, VIRTIO_CRYPTO_AEAD_ENCRYPT,
					   VIRTIO_CRYPTO_AEAD_DECRYPT};
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES];
	struct guest_crypto_req req;
	struct cbc session;

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	for (unsigned i = 0; i < RTE_DIM(opcodes); i++) {
		req = cbc_request(&session, 1, bytes);
		req.opcode = opcodes[i];
		req.hash_bytes = 20;
		CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_INVSESS);
	}
	req = cbc_request(&session, 1, bytes);
	req.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_INVSESS);
	req.op_type = VIRTIO_CRYPTO_SYM_OP_NONE;
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_INVSESS);
	down();
}

static void
no_such_operation(void)
{
	static const uint32_t opcodes[] = {
		VIRTIO_CRYPTO_AKCIPHER_ENCRYPT, VIRTIO_CRYPTO_AKCIPHER_VERIFY, 2, 0x102, 0x201, 0x302,
		0x500, 0x10000, UINT32_MAX,
	};
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES];
	struct guest_crypto_req req;
	struct cbc session;

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	req = cbc_request(&session, 1, bytes);
	for (unsigned i = 0; i < RTE_DIM(opcodes); i++)
		CHECK_EQ(status_with(&req, 0, opcodes[i]), VIRTIO_CRYPTO_NOTSUPP);
	down();
}

/* With REVISION_1 a request says that it belongs to a session; what does not was never offered. */
static void
without_a_session(void)
{
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES];
	struct guest_crypto_req req;
	struct cbc session;
	size_t flag_at = offsetof(struct virtio_crypto_op_data_req, header.flag);

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	req = cbc_request(&session, 1, bytes);
	CHECK_EQ(status_with(&req, flag_at, 0), VIRTIO_CRYPTO_OK);
	down();
	cbc_up(GUEST_CRYPTO_F_REVISION_1);
	session = cbc_open(&flow.fe, 7);
	req = cbc_request(&session, 1, bytes);
	CHECK_EQ(status_with(&req, flag_at, 0), VIRTIO_CRYPTO_NOTSUPP);
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_OK);
	down();
}

/* Lengths that are not those of the session, of the chain, or of each other. */
static void
ciphers_of_wrong_lengths(void)
{
	static const uint32_t iv_lengths[] = {0, 1, 12, 15, 17, 24, 32, 33, 64};
	static const uint32_t huge[] = {1u << 20, 1u << 31, UINT32_MAX - 72, UINT32_MAX - 15,
					UINT32_MAX};
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES];
	struct guest_crypto_req req, changed;
	struct cbc session;

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	req = cbc_request(&session, 3, bytes);
	CHECK_EQ(req.src_bytes, 64);
	for (unsigned i = 0; i < RTE_DIM(iv_lengths); i++) {
		changed = req;
		changed.iv = bytes;
		changed.iv_bytes = iv_lengths[i];
		CHECK_EQ(cbc_status_of(&changed), VIRTIO_CRYPTO_BADMSG);
	}
	for (unsigned i = 0; i < RTE_DIM(huge); i++) {
		CHECK_EQ(status_with(&req, CIPHER_WORD(iv_len), huge[i]), VIRTIO_CRYPTO_BADMSG);
		CHECK_EQ(status_with(&req, CIPHER_WORD(src_data_len), huge[i]), VIRTIO_CRYPTO_BADMSG);
		CHECK_EQ(status_with(&req, CIPHER_WORD(dst_data_len), huge[i]), VIRTIO_CRYPTO_BADMSG);
	}
	/* No blocks; less room than source; more than there is. */
	CHECK_EQ(status_with(&req, CIPHER_WORD(src_data_len), 63), VIRTIO_CRYPTO_BADMSG);
	CHECK_EQ(status_with(&req, CIPHER_WORD(src_data_len), 1), VIRTIO_CRYPTO_BADMSG);
	CHECK_EQ(status_with(&req, CIPHER_WORD(dst_data_len), 63), VIRTIO_CRYPTO_BADMSG);
	CHECK_EQ(status_with(&req, CIPHER_WORD(dst_data_len), 0), VIRTIO_CRYPTO_BADMSG);
	CHECK_EQ(status_with(&req, CIPHER_WORD(src_data_len), 80), VIRTIO_CRYPTO_BADMSG);
	CHECK_EQ(status_with(&req, CIPHER_WORD(dst_data_len), 65), VIRTIO_CRYPTO_BADMSG);
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_OK);
	down();
}

static void
digests_of_wrong_lengths(void)
{
	static const uint32_t wrong[] = {0, 1, 19, 21, 64, 1u << 31, UINT32_MAX};
	const struct guest_crypto_session s = {
		.opcode = VIRTIO_CRYPTO_MAC_CREATE_SESSION, .hash_mode =
		VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH, .hash_algo = VIRTIO_CRYPTO_MAC_HMAC_SHA1,
		.digest_bytes = 20, .auth_key_bytes = 16,
	};
	struct guest_crypto_req req = {
		.opcode = VIRTIO_CRYPTO_MAC, .src = "sixteen bytes of it", .src_bytes = 16,
		.hash_bytes = 20,
	};

	cbc_up(0);
	req.session_id = (uint64_t)open_session(&s);
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_OK);
	for (unsigned i = 0; i < RTE_DIM(wrong); i++)
		CHECK_EQ(status_with(&req, HASH_WORD(hash_result_len), wrong[i]),
			 VIRTIO_CRYPTO_BADMSG);
	CHECK_EQ(status_with(&req, HASH_WORD(src_data_len), 17), VIRTIO_CRYPTO_BADMSG);
	CHECK_EQ(status_with(&req, HASH_WORD(src_data_len), UINT32_MAX), VIRTIO_CRYPTO_BADMSG);
	down();
}

static void
chains_of_wrong_lengths(void)
{
	static const struct wrong_word wrong[] = {
		{CHAIN_WORD(cipher_start_src_offset), 17}, {CHAIN_WORD(cipher_start_src_offset), 64},
		{CHAIN_WORD(cipher_start_src_offset), UINT32_MAX},
		{CHAIN_WORD(cipher_start_src_offset), UINT32_MAX - 47},
		{CHAIN_WORD(len_to_cipher), 80}, {CHAIN_WORD(len_to_cipher), 47},
		{CHAIN_WORD(len_to_cipher), UINT32_MAX - 15},
		{CHAIN_WORD(hash_start_src_offset), 1}, {CHAIN_WORD(hash_start_src_offset), 65},
		{CHAIN_WORD(hash_start_src_offset), UINT32_MAX},
		{CHAIN_WORD(len_to_hash), 65}, {CHAIN_WORD(len_to_hash), UINT32_MAX},
		{CHAIN_WORD(hash_result_len), 19}, {CHAIN_WORD(hash_result_len), 21},
		{CHAIN_WORD(hash_result_len), 0}, {CHAIN_WORD(aad_len), 1},
		{CHAIN_WORD(aad_len), UINT32_MAX}, {CHAIN_WORD(dst_data_len), 63},
		{CHAIN_WORD(dst_data_len), 65}, {CHAIN_WORD(dst_data_len), UINT32_MAX},
		{CHAIN_WORD(src_data_len), 65}, {CHAIN_WORD(src_data_len), 63},
		{CHAIN_WORD(iv_len), 15}, {CHAIN_WORD(iv_len), UINT32_MAX},
	};
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES];
	struct guest_crypto_session s = cbc_session(7);
	struct cbc session = {0};
	struct guest_crypto_req req = cbc_request(&session, 3, bytes);

	cbc_up(0);
	s.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
	s.chain_order = VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_CIPHER_THEN_HASH;
	s.hash_mode = VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH;
	s.hash_algo = VIRTIO_CRYPTO_MAC_HMAC_SHA1;
	s.auth_key_bytes = 16;
	s.digest_bytes = 20;
	req.session_id = (uint64_t)open_session(&s);
	req.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
	req.hash_bytes = 20;
	req.cipher_start_bytes = 16;
	req.cipher_bytes = 48;
	req.hashed_bytes = 64;
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_OK);
	expect_badmsg_with_each(&req, wrong, RTE_DIM(wrong));
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_OK);
	down();
}

static void
aead_of_wrong_lengths(void)
{
	static const struct wrong_word wrong[] = {
		{AEAD_WORD(iv_len), 11}, {AEAD_WORD(iv_len), 0}, {AEAD_WORD(iv_len), UINT32_MAX},
		{AEAD_WORD(aad_len), 19}, {AEAD_WORD(aad_len), 21}, {AEAD_WORD(aad_len), 0},
		{AEAD_WORD(aad_len), UINT32_MAX}, {AEAD_WORD(src_data_len), 33},
		{AEAD_WORD(src_data_len), UINT32_MAX}, {AEAD_WORD(dst_data_len), 47},
		{AEAD_WORD(dst_data_len), 32}, {AEAD_WORD(dst_data_len), 0},
		{AEAD_WORD(dst_data_len), 49}, {AEAD_WORD(dst_data_len), UINT32_MAX},
	};
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES];
	struct guest_crypto_session s = {
		.opcode = VIRTIO_CRYPTO_AEAD_CREATE_SESSION, .cipher_algo = VIRTIO_CRYPTO_AEAD_GCM,
		.cipher_key_bytes = 16, .digest_bytes = 16, .aad_bytes = 20,
		.direction = VIRTIO_CRYPTO_OP_ENCRYPT,
	};
	struct cbc session = {0};
	struct guest_crypto_req req = cbc_request(&session, 1, bytes);

	cbc_up(0);
	req.session_id = (uint64_t)open_session(&s);
	req.opcode = VIRTIO_CRYPTO_AEAD_ENCRYPT;
	req.iv_bytes = 12;
	req.aad = bytes;
	req.aad_bytes = 20;
	req.tag_bytes = 16;
	req.dst_bytes = req.src_bytes + 16;
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_OK);
	expect_badmsg_with_each(&req, wrong, RTE_DIM(wrong));
	CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_OK);
	/* To decipher, there has to be a tag. */
	s.direction = VIRTIO_CRYPTO_OP_DECRYPT;
	req.session_id = (uint64_t)open_session(&s);
	req.opcode = VIRTIO_CRYPTO_AEAD_DECRYPT;
	for (uint32_t n = 0; n < 16; n++) {
		req.src_bytes = n;
		CHECK_EQ(cbc_status_of(&req), VIRTIO_CRYPTO_BADMSG);
	}
	down();
}

/* What can have a status has one; what cannot goes back unused. */
static void
chains_of_too_few_bytes(void)
{
	struct guest_ring *vq;
	struct guest_used used;
	uint8_t status;
	uint64_t gpa;

	cbc_up(0);
	vq = gc.vq;
	gpa = guest_alloc(&flow.fe.mem, 4096, 64);
	for (uint32_t n = 0; n < 72; n++) {
		const struct guest_seg segs[] = {{gpa, n, 0}, {gpa + 1024, 64, GUEST_DESC_WRITE}};

		vq->indirect = n % 2;
		vq->plain = 0;
		guest_fill(&flow.fe.mem, gpa, 0, 1024);
		guest_fill(&flow.fe.mem, gpa + 1024, 0xa5, 64);
		CHECK(guest_ring_post(vq, n == 0 ? segs + 1 : segs, n == 0 ? 1 : 2, NULL) >= 0);
		CHECK_EQ(crypto_app_pump(flow.vid, 0), 0);
		CHECK(guest_ring_poll(vq, &used, NULL));
		CHECK_EQ(used.len_bytes, 1);
		guest_read(&flow.fe.mem, gpa + 1024 + 63, &status, 1);
		/* From 24 bytes on there is a session, and it is wrong. */
		CHECK_EQ(status, n < 24 ? VIRTIO_CRYPTO_BADMSG : VIRTIO_CRYPTO_INVSESS);
		guest_read(&flow.fe.mem, gpa + 1024, &status, 1);
		CHECK_EQ(status, 0xa5);
	}
	for (uint32_t n = 1; n < 100; n += 33) {
		const struct guest_seg seg = {gpa, n, 0};

		CHECK(guest_ring_post(vq, &seg, 1, NULL) >= 0);
		CHECK_EQ(crypto_app_pump(flow.vid, 0), 0);
		CHECK(guest_ring_poll(vq, &used, NULL));
		CHECK_EQ(used.len_bytes, 0);
	}
	down();
}

/* An operation that the cryptodev never did. */
static void
not_done_is_an_error(void)
{
	struct rte_crypto_op *ops[4];
	struct cbc session;
	uint32_t next = 0;

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	for (uint32_t i = 0; i < 4; i++)
		cbc_post(&gc, &session, i);
	CHECK_EQ(crypto_app_fetch(flow.vid, 0, ops, 4), 4);
	CHECK_EQ(crypto_app_finalize(ops, 4), 1);
	CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_ERR), 4);
	cbc_exchange(&gc, flow.vid, 0, &session, 4, VIRTIO_CRYPTO_OK);
	down();
}

static void
what_the_cryptodev_says(void)
{
	static const struct {
		enum rte_crypto_op_status op;
		uint8_t status;
	} said[] = {
		{RTE_CRYPTO_OP_STATUS_AUTH_FAILED, VIRTIO_CRYPTO_BADMSG},
		{RTE_CRYPTO_OP_STATUS_INVALID_SESSION, VIRTIO_CRYPTO_INVSESS},
		{RTE_CRYPTO_OP_STATUS_INVALID_ARGS, VIRTIO_CRYPTO_ERR},
		{RTE_CRYPTO_OP_STATUS_ERROR, VIRTIO_CRYPTO_ERR},
	};
	struct rte_crypto_op *op;
	struct cbc session;

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	for (uint32_t i = 0; i < RTE_DIM(said); i++) {
		uint32_t next = i;

		cbc_post(&gc, &session, i);
		CHECK_EQ(crypto_app_fetch(flow.vid, 0, &op, 1), 1);
		crypto_app_run(&op, 1);
		op->status = (uint8_t)said[i].op;
		crypto_app_finalize(&op, 1);
		CHECK_EQ(cbc_reap(&gc, &next, said[i].status), 1);
	}
	down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(nobody_knows_the_session),
		FLOW_TEST(the_session_is_for_something_else),
		FLOW_TEST(no_such_operation),
		FLOW_TEST(without_a_session),
		FLOW_TEST(ciphers_of_wrong_lengths),
		FLOW_TEST(digests_of_wrong_lengths),
		FLOW_TEST(chains_of_wrong_lengths),
		FLOW_TEST(aead_of_wrong_lengths),
		FLOW_TEST(chains_of_too_few_bytes),
		FLOW_TEST(not_done_is_an_error),
		FLOW_TEST(what_the_cryptodev_says),
	};

	crypto_app_args(&argc, &argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), crypto_app_setup, jobs_teardown);
}
