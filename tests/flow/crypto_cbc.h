/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests whose contents follow from a number, for the tests that are about everything but
 * algorithms: each is AES-CBC under the key of its session. Needs tap.h, so include it from one file
 * of a program.
 */
#ifndef CRYPTO_CBC_H
#define CRYPTO_CBC_H

#include "crypto_jobs.h"
#include "guest_net.h"

#define CBC_KEY_BYTES 16
#define CBC_IV_BYTES 16
#define CBC_MAX_BYTES 512
#define CBC_SLOT_BYTES 4096

/* A guest's session; its key follows from a number, too. */
struct cbc {
	uint64_t id;
	uint32_t key;
};

static inline struct guest_crypto_session
cbc_session(uint32_t key)
{
	struct guest_crypto_session s = {
		.opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION,
		.op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
		.direction = VIRTIO_CRYPTO_OP_ENCRYPT,
		.cipher_algo = VIRTIO_CRYPTO_CIPHER_AES_CBC,
		.cipher_key_bytes = CBC_KEY_BYTES,
	};

	guest_pattern(key, s.cipher_key, CBC_KEY_BYTES);
	return s;
}

static inline struct cbc
cbc_open(struct frontend *fe, uint32_t key)
{
	struct guest_crypto_session s = cbc_session(key);
	int64_t id = 0;

	CHECK_EQ(guest_crypto_session_create(fe, &s, GUEST_CRYPTO_OLD_FORM, &id), 0);
	CHECK(id > 0);
	return (struct cbc) {.id = (uint64_t)id, .key = key};
}

/* What is asked for; `bytes` has room for IV and source. */
static inline struct guest_crypto_req
cbc_request(const struct cbc *session, uint32_t number, uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES])
{
	uint32_t len_bytes = 16 * (1 + number % (CBC_MAX_BYTES / 16));

	guest_pattern(number, bytes, CBC_IV_BYTES + len_bytes);
	return (struct guest_crypto_req) {
		.opcode = VIRTIO_CRYPTO_CIPHER_ENCRYPT,
		.op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
		.session_id = session->id,
		.iv = bytes,
		.iv_bytes = CBC_IV_BYTES,
		.src = bytes + CBC_IV_BYTES,
		.src_bytes = len_bytes,
		.dst_bytes = len_bytes,
	};
}

/* The cookie of a request says what it was. */
static inline void *
cbc_cookie(const struct cbc *session, uint32_t number)
{
	return (void *)(uintptr_t)((uint64_t)session->key << 32 | number);
}

static inline uint32_t
cbc_number(const struct guest_crypto_result *r)
{
	return (uint32_t)(uintptr_t)r->cookie;
}

static inline void
cbc_post_cut(struct guest_crypto *driver, const struct cbc *session, uint32_t number,
	     const struct guest_crypto_layout *layout)
{
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES];
	struct guest_crypto_req req = cbc_request(session, number, bytes);

	CHECK(guest_crypto_post(driver, &req, layout, cbc_cookie(session, number)) >= 0);
}

static inline void
cbc_post(struct guest_crypto *driver, const struct cbc *session, uint32_t number)
{
	const struct guest_crypto_layout layout = {
		.chain = number % 2 == 0 ? GUEST_CRYPTO_INDIRECT : GUEST_CRYPTO_DIRECT,
	};

	cbc_post_cut(driver, session, number, &layout);
}

/* Is it what its number says? Unless it is OK, nothing has been written but the status. */
static inline void
cbc_check(const struct guest_crypto_result *r, uint8_t status)
{
	const struct cbc session = {.key = (uint32_t)((uintptr_t)r->cookie >> 32)};
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES], expected[CBC_MAX_BYTES];
	struct guest_crypto_session s = cbc_session(session.key);
	struct guest_crypto_req req = cbc_request(&session, cbc_number(r), bytes);

	if (r->status != status)
		tap_fail(__FILE__, __LINE__, "request %u has status %u, expected %u", cbc_number(r),
			 r->status, status);
	CHECK_EQ(r->used_bytes, status == VIRTIO_CRYPTO_OK ? req.dst_bytes + 1 : 1);
	memset(expected, GUEST_CRYPTO_FILL_BYTE, sizeof(expected));
	if (status == VIRTIO_CRYPTO_OK)
		CHECK_EQ(crypto_ref_compute(&s, &req, expected, NULL), 0);
	if (memcmp(r->dst, expected, req.dst_bytes) != 0)
		tap_fail(__FILE__, __LINE__, "request %u: other bytes than expected", cbc_number(r));
}

/* Takes back what there is, in the order of their numbers from *next on. Returns how many. */
static inline unsigned
cbc_reap(struct guest_crypto *driver, uint32_t *next, uint8_t status)
{
	struct guest_crypto_result r;
	unsigned n = 0;
	int rc;

	while ((rc = guest_crypto_reap(driver, &r)) != -EAGAIN) {
		CHECK_EQ(rc, 0);
		CHECK_EQ(cbc_number(&r), *next);
		cbc_check(&r, status);
		(*next)++;
		n++;
	}
	return n;
}

/* One request from here to there and back. */
static inline void
cbc_exchange(struct guest_crypto *driver, int vid, uint16_t queue, const struct cbc *session,
	     uint32_t number, uint8_t status)
{
	uint32_t next = number;

	cbc_post(driver, session, number);
	CHECK_EQ(crypto_app_pump(vid, queue), status == VIRTIO_CRYPTO_OK);
	CHECK_EQ(cbc_reap(driver, &next, status), 1);
}

/* --- one device, with one queue and the driver `gc`, on copies ---------------------- */

static inline void
cbc_up(uint64_t features)
{
	struct fe_config config = CRYPTO_CONFIG;

	config.features |= features;
	crypto_app.zero_copy = RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE;
	flow_up(&flow, RTE_VHOST_USER_ASYNC_COPY, &config);
	flow.fe.use_ack = true;
	CHECK_EQ(crypto_app.create_result, 0);
	CHECK_EQ(flow.fe.features & features, features);
	CHECK_EQ(guest_crypto_init(&gc, &flow.fe.vqs[0], features & GUEST_CRYPTO_F_REVISION_1,
				   RING_SIZE, CBC_SLOT_BYTES), 0);
	guest_ring_calls(gc.vq);
}

/* Posts it, serves it, and returns its status; dst is as it was unless that is OK. */
static inline uint8_t
cbc_status_of(const struct guest_crypto_req *req)
{
	struct guest_crypto_result r;

	CHECK(guest_crypto_post(&gc, req, NULL, NULL) >= 0);
	crypto_app_pump(flow.vid, 0);
	CHECK_EQ(guest_crypto_reap(&gc, &r), 0);
	for (uint32_t i = 0; r.status != VIRTIO_CRYPTO_OK && i < r.dst_bytes; i++)
		CHECK_EQ(r.dst[i], GUEST_CRYPTO_FILL_BYTE);
	return r.status;
}

#endif
