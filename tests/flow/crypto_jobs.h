/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests whose answers are known, for the tests that ask for all that crypto devices offer: a
 * device over memory of many regions, sessions, ways to cut a request into descriptors, and batches
 * that are posted, served and compared. Needs tap.h, so include it from one file of a program.
 */
#ifndef CRYPTO_JOBS_H
#define CRYPTO_JOBS_H

#include <errno.h>

#include "crypto_app.h"
#include "crypto_ref.h"
#include "flow_main.h"

#define RING_SIZE 256
#define NR_SLOTS 32
#define SLOT_BYTES (40u << 10)
#define DATA_MAX_BYTES 16384 /* of requests that are not about size */
#define BATCH 16
#define STOCK_MAX_BYTES 2176 /* what the stock library's buffers hold */

static struct flow flow;
static struct guest_crypto gc;

/* What a frontend of a crypto device asks for, with one queue and the usual memory. */
#define CRYPTO_CONFIG ((struct fe_config) { \
	.features = FE_F_VERSION_1 | FE_F_INDIRECT_DESC, \
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK | \
			     1u << FE_PROTOCOL_F_CRYPTO_SESSION | 1u << FE_PROTOCOL_F_CONFIG | \
			     1u << FE_PROTOCOL_F_LOG_SHMFD, \
	.nr_queues = 1, \
	.ring_size = RING_SIZE, \
})
static struct virtio_crypto_config offered;
static const char *current; /* what is being tried, for messages */
static unsigned nr_requests;
static unsigned buffers_at_rest;

/* The same numbers in every run. */
static inline uint32_t
random_below(uint32_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return n == 0 ? 0 : (uint32_t)((x >> 16) % n);
}

static inline void
random_bytes(uint8_t *bytes, uint32_t len_bytes)
{
	while (len_bytes-- > 0)
		bytes[len_bytes] = (uint8_t)random_below(256);
}

/* --- the device ------------------------------------------------------------- */

/* Regions that adjoin: an arena over all of them makes pieces that cross their bounds. */
#define NR_REGIONS 8
#define FIRST_BYTES (4u << 20)
#define SMALL_BYTES (192u << 10)

static inline void
read_offer(void)
{
	/* Difference: the stock library has no configuration space. */
	offered = (struct virtio_crypto_config) {
		.cipher_algo_l = 1u << VIRTIO_CRYPTO_CIPHER_AES_CBC |
				 1u << VIRTIO_CRYPTO_CIPHER_3DES_CBC,
		.max_size = STOCK_MAX_BYTES,
	};
	if (!is_stock)
		CHECK_EQ(guest_crypto_config(&flow.fe, &offered), 0);
}

static inline void
up(enum rte_vhost_crypto_zero_copy zero_copy, bool revision_1)
{
	struct guest_region_spec regions[NR_REGIONS] = {{.size_bytes = FIRST_BYTES}};
	struct fe_config config = CRYPTO_CONFIG;
	struct guest_ring *vq;

	config.features |= revision_1 ? GUEST_CRYPTO_F_REVISION_1 : 0;
	config.regions = regions;
	config.nregions = NR_REGIONS;

	for (unsigned i = 1; i < NR_REGIONS; i++)
		regions[i] = (struct guest_region_spec) {
			.gpa = FIRST_BYTES + (i - 1) * SMALL_BYTES, .size_bytes = SMALL_BYTES,
			.mmap_offset_bytes = i % 2 * 4096,
		};
	crypto_app.zero_copy = zero_copy;
	flow_up(&flow, RTE_VHOST_USER_ASYNC_COPY, &config);
	CHECK_EQ(crypto_app.create_result, 0);
	CHECK_EQ(crypto_app.zero_copy_result, 0);
	CHECK_EQ(flow.fe.features & GUEST_CRYPTO_F_REVISION_1, revision_1);
	vq = &flow.fe.vqs[0];
	vq->indirect_max = 128;
	/* Difference: the stock library writes used elements to the slot that is the chain's id. */
	vq->in_order = is_stock;
	CHECK(NR_SLOTS * SLOT_BYTES <= (NR_REGIONS - 1) * SMALL_BYTES);
	/* Difference: the stock library does not take a piece that crosses a bound. */
	if (is_stock)
		CHECK_EQ(guest_crypto_init(&gc, vq, false, NR_SLOTS, SLOT_BYTES), 0);
	else
		CHECK_EQ(guest_crypto_init_at(&gc, vq, revision_1, NR_SLOTS, SLOT_BYTES,
					      FIRST_BYTES), 0);
	read_offer();
	buffers_at_rest = crypto_app_buffers_in_use();
}

static inline void
down(void)
{
	guest_crypto_fini(&gc);
	CHECK_EQ(crypto_app_buffers_in_use(), buffers_at_rest);
	flow_down(&flow);
	CHECK(crypto_app_idle());
}

static inline bool
has_revision_1(void)
{
	return (flow.fe.offered & GUEST_CRYPTO_F_REVISION_1) != 0;
}

static inline bool
is_offered(uint32_t service, uint32_t algo)
{
	uint64_t ciphers = offered.cipher_algo_l | (uint64_t)offered.cipher_algo_h << 32;
	uint64_t macs = offered.mac_algo_l | (uint64_t)offered.mac_algo_h << 32;

	const uint64_t algorithms[] = {
		[VIRTIO_CRYPTO_SERVICE_CIPHER] = ciphers,
		[VIRTIO_CRYPTO_SERVICE_HASH] = offered.hash_algo,
		[VIRTIO_CRYPTO_SERVICE_MAC] = macs,
		[VIRTIO_CRYPTO_SERVICE_AEAD] = offered.aead_algo,
	};

	return (algorithms[service] >> algo & 1) != 0;
}

/* --- sessions --------------------------------------------------------------- */

static inline int64_t
open_session(const struct guest_crypto_session *s)
{
	static unsigned nr_opened;
	int64_t id = 0;

	enum guest_crypto_form form = nr_opened++ % GUEST_CRYPTO_NR_FORMS;

	/* Difference: the stock library reads every one as the old one. */
	if (is_stock || (form == GUEST_CRYPTO_MIDDLE_FORM &&
			 s->opcode != VIRTIO_CRYPTO_CIPHER_CREATE_SESSION))
		form = GUEST_CRYPTO_OLD_FORM;

	CHECK_EQ(guest_crypto_session_create(&flow.fe, s, form, &id), 0);
	return id;
}

/* The answer when a session is more than the cryptodev can do. */
static inline int64_t
refusal(void)
{
	return is_stock ? -1 : -VIRTIO_CRYPTO_NOTSUPP;
}

static inline void
close_session(int64_t id)
{
	flow.fe.use_ack = true;
	CHECK_EQ(guest_crypto_session_close(&flow.fe, (uint64_t)id), 0);
}

static inline struct guest_crypto_session
session_of(uint32_t service, uint32_t algo, const uint8_t *key, uint32_t key_bytes,
	   uint32_t digest_bytes, uint32_t aad_bytes, bool encrypts)
{
	struct guest_crypto_session s = {
		.direction = encrypts ? VIRTIO_CRYPTO_OP_ENCRYPT : VIRTIO_CRYPTO_OP_DECRYPT,
		.digest_bytes = digest_bytes,
		.aad_bytes = aad_bytes,
	};

	switch (service) {
	case VIRTIO_CRYPTO_SERVICE_CIPHER:
		s.opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION;
		s.op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER;
		break;
	case VIRTIO_CRYPTO_SERVICE_HASH:
		s.opcode = VIRTIO_CRYPTO_HASH_CREATE_SESSION;
		s.hash_mode = VIRTIO_CRYPTO_SYM_HASH_MODE_PLAIN;
		break;
	case VIRTIO_CRYPTO_SERVICE_MAC:
		s.opcode = VIRTIO_CRYPTO_MAC_CREATE_SESSION;
		s.hash_mode = VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH;
		break;
	default:
		s.opcode = VIRTIO_CRYPTO_AEAD_CREATE_SESSION;
	}
	if (service == VIRTIO_CRYPTO_SERVICE_HASH || service == VIRTIO_CRYPTO_SERVICE_MAC) {
		s.hash_algo = algo;
		s.auth_key_bytes = key_bytes;
		memcpy(s.auth_key, key, key_bytes);
	} else {
		s.cipher_algo = algo;
		s.cipher_key_bytes = key_bytes;
		memcpy(s.cipher_key, key, key_bytes);
	}
	return s;
}

static inline uint32_t
opcode_of(uint32_t service, bool encrypts)
{
	switch (service) {
	case VIRTIO_CRYPTO_SERVICE_CIPHER:
		return encrypts ? VIRTIO_CRYPTO_CIPHER_ENCRYPT : VIRTIO_CRYPTO_CIPHER_DECRYPT;
	case VIRTIO_CRYPTO_SERVICE_HASH:
		return VIRTIO_CRYPTO_HASH;
	case VIRTIO_CRYPTO_SERVICE_MAC:
		return VIRTIO_CRYPTO_MAC;
	default:
		return encrypts ? VIRTIO_CRYPTO_AEAD_ENCRYPT : VIRTIO_CRYPTO_AEAD_DECRYPT;
	}
}

/* --- algorithms ------------------------------------------------------------- */

static inline bool
is_digest(uint32_t service)
{
	return service == VIRTIO_CRYPTO_SERVICE_HASH || service == VIRTIO_CRYPTO_SERVICE_MAC;
}

/* Bytes of IV, where there is a choice the usual number. */
static inline uint32_t
usual_iv(uint32_t service, uint32_t algo)
{
	if (service == VIRTIO_CRYPTO_SERVICE_AEAD)
		return 12;
	if (service != VIRTIO_CRYPTO_SERVICE_CIPHER)
		return 0;
	switch (algo) {
	case VIRTIO_CRYPTO_CIPHER_AES_ECB:
		return 0;
	case VIRTIO_CRYPTO_CIPHER_DES_CBC:
	case VIRTIO_CRYPTO_CIPHER_3DES_CBC:
	case VIRTIO_CRYPTO_CIPHER_3DES_CTR:
	case VIRTIO_CRYPTO_CIPHER_KASUMI_F8:
		return 8;
	default:
		return 16;
	}
}

/* Data comes in multiples of this. */
static inline uint32_t
block_bytes(uint32_t service, uint32_t algo)
{
	if (service != VIRTIO_CRYPTO_SERVICE_CIPHER)
		return 1;
	switch (algo) {
	case VIRTIO_CRYPTO_CIPHER_AES_ECB:
	case VIRTIO_CRYPTO_CIPHER_AES_CBC:
		return 16;
	case VIRTIO_CRYPTO_CIPHER_DES_CBC:
	case VIRTIO_CRYPTO_CIPHER_3DES_CBC:
		return 8;
	default:
		return 1;
	}
}

static inline uint32_t
whole_digest(uint32_t service, uint32_t algo)
{
	static const uint8_t of_hash[] = {0, 16, 20, 28, 32, 48, 64, 28, 32, 48, 64};

	if (service == VIRTIO_CRYPTO_SERVICE_CIPHER)
		return 0;
	if (service == VIRTIO_CRYPTO_SERVICE_AEAD)
		return 16;
	if (algo < RTE_DIM(of_hash)) /* HMACs have the numbers of hashes */
		return of_hash[algo];
	switch (algo) {
	case VIRTIO_CRYPTO_MAC_KASUMI_F9:
		return 4;
	case VIRTIO_CRYPTO_MAC_XCBC_AES:
		return 12;
	default:
		return 16;
	}
}

/* --- layouts ---------------------------------------------------------------- */

#define MAX_CUTS 24

struct cuts {
	struct guest_crypto_layout layout;
	uint32_t readable[MAX_CUTS], writable[MAX_CUTS];
};

static inline void
set_cuts(struct cuts *c, unsigned nr_readable, unsigned nr_writable)
{
	c->layout.readable_cuts = c->readable;
	c->layout.nr_readable_cuts = nr_readable;
	c->layout.writable_cuts = c->writable;
	c->layout.nr_writable_cuts = nr_writable;
}

#define NR_LAYOUTS 10

static inline void
fixed_layout(struct cuts *c, unsigned which)
{
	memset(c, 0, sizeof(*c));
	switch (which) {
	case 0: /* as Linux does it */
		c->layout.chain = GUEST_CRYPTO_INDIRECT;
		break;
	case 1:
		c->layout.gap_bytes = 64;
		break;
	case 2: /* all that is read, all that is written */
		c->readable[0] = c->writable[0] = UINT32_MAX;
		set_cuts(c, 1, 1);
		break;
	case 3: /* cuts in the header, in what comes next, before the status */
		c->readable[0] = 10;
		c->readable[1] = 31;
		c->readable[2] = 40;
		c->writable[0] = 3;
		set_cuts(c, 3, 1);
		c->layout.chain = GUEST_CRYPTO_INDIRECT;
		break;
	case 4: /* byte for byte over the end of the header */
		c->readable[0] = 64;
		for (unsigned i = 1; i < MAX_CUTS; i++)
			c->readable[i] = c->writable[i] = 1;
		c->writable[0] = 1;
		set_cuts(c, MAX_CUTS, MAX_CUTS);
		c->layout.gap_bytes = 1;
		break;
	case 5:
		for (unsigned i = 0; i < MAX_CUTS; i++)
			c->readable[i] = c->writable[i] = 7;
		set_cuts(c, MAX_CUTS, MAX_CUTS);
		c->layout.chain = GUEST_CRYPTO_INDIRECT;
		c->layout.gap_bytes = 3;
		c->layout.shift_bytes = 5;
		break;
	case 6:
		c->layout.chain = flow_packed ? GUEST_CRYPTO_INDIRECT : GUEST_CRYPTO_MIXED;
		c->layout.nr_plain = 1;
		break;
	case 7: /* the table begins among what is written */
		c->readable[0] = 50;
		c->writable[0] = 2;
		set_cuts(c, 1, 1);
		c->layout.chain = flow_packed ? GUEST_CRYPTO_INDIRECT : GUEST_CRYPTO_MIXED;
		c->layout.nr_plain = 3;
		c->layout.gap_bytes = 16;
		break;
	case 8: /* pieces that begin anywhere */
		c->layout.gap_bytes = 61;
		c->layout.shift_bytes = 13;
		break;
	default:
		c->layout.chain = GUEST_CRYPTO_INDIRECT;
		c->layout.in_place = true;
	}
}

static inline unsigned
random_cuts(uint32_t *cuts, uint32_t total_bytes)
{
	unsigned n = random_below(8);

	for (unsigned i = 0; i < n; i++)
		cuts[i] = 1 + random_below(random_below(2) ? total_bytes : 40);
	return n;
}

static inline void
random_layout(struct cuts *c, const struct guest_crypto_req *req)
{
	uint32_t readable = 72 + req->iv_bytes + req->src_bytes + req->aad_bytes;
	unsigned nr_readable = random_cuts(c->readable, readable);
	unsigned nr_writable = random_cuts(c->writable, req->dst_bytes + req->hash_bytes);

	memset(&c->layout, 0, sizeof(c->layout));
	set_cuts(c, nr_readable, nr_writable);
	c->layout.chain = random_below(flow_packed ? 2 : 3);
	c->layout.nr_plain = (uint16_t)random_below(5);
	c->layout.gap_bytes = random_below(2) * random_below(70);
	c->layout.shift_bytes = random_below(64);
	c->layout.in_place = nr_readable == 0 && nr_writable == 0;
}

static inline void
choose_layout(struct cuts *c, const struct guest_crypto_req *req, unsigned which)
{
	/* Difference: the stock library wants a table with a descriptor for each part. */
	if (is_stock)
		fixed_layout(c, 0);
	else if (which < NR_LAYOUTS)
		fixed_layout(c, which);
	else
		random_layout(c, req);
}

/* --- requests that are under way -------------------------------------------- */

/* What a request has to become. */
struct job {
	struct guest_crypto_req req;
	uint8_t status;
	uint8_t *dst, *hash; /* as expected */
	uint32_t dst_bytes;  /* of dst that are compared; the rest is as it was */
	enum {SERVED, SERVED_OR_REFUSED, REFUSED} outcome; /* refused: with any status */
	unsigned layout;
	char what[96];
};

static struct job jobs[BATCH];
static unsigned nr_jobs;

static inline void *
copy_of(const void *bytes, uint32_t len_bytes)
{
	void *copy = malloc(len_bytes + 1);

	RTE_VERIFY(copy != NULL);
	if (bytes != NULL && len_bytes > 0)
		memcpy(copy, bytes, len_bytes);
	return copy;
}

static inline void
job_free(struct job *j)
{
	free((void *)(uintptr_t)j->req.iv);
	free((void *)(uintptr_t)j->req.src);
	free((void *)(uintptr_t)j->req.aad);
	free(j->dst);
	free(j->hash);
}

static inline void
check_bytes(const struct job *j, const char *part, const uint8_t *got, const uint8_t *expected,
	    uint32_t len_bytes)
{
	for (uint32_t i = 0; i < len_bytes; i++)
		if (got[i] != expected[i])
			tap_fail(__FILE__, __LINE__,
				 "%s, layout %u, %u bytes: byte %u of %u of %s is %02x, not %02x",
				 j->what, j->layout, j->req.src_bytes, i, len_bytes, part, got[i],
				 expected[i]);
}

static inline void
check_result(const struct guest_crypto_result *r, int rc)
{
	const struct job *j = r->cookie;

	if (rc == 0 && j->outcome != SERVED && r->status != VIRTIO_CRYPTO_OK)
		return;
	if (rc != 0 || r->status != j->status || j->outcome == REFUSED)
		tap_fail(__FILE__, __LINE__,
			 "%s, layout %u, %u bytes: reaped %d, status %u, expected %u%s", j->what,
			 j->layout, j->req.src_bytes, rc, r->status, j->status,
			 j->outcome == REFUSED ? " not to be" : "");
	if (j->status != VIRTIO_CRYPTO_OK) {
		/* Difference: the stock library deciphers in place before it knows. */
		if (!is_stock || crypto_app.zero_copy == RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE)
			CHECK(r->unwritten);
		return;
	}
	/* A digest that stands there is compared, not written. */
	if (!is_stock)
		CHECK_EQ(r->used_bytes,
			 j->dst_bytes + (j->req.hash != NULL ? 0 : j->req.hash_bytes) + 1);
	check_bytes(j, "dst", r->dst, j->dst, j->dst_bytes);
	for (uint32_t i = j->dst_bytes; i < r->dst_bytes; i++)
		CHECK_EQ(r->dst[i], GUEST_CRYPTO_FILL_BYTE);
	check_bytes(j, "hash", r->hash, j->hash, j->req.hash_bytes);
}

/* Serves all that is posted, in bursts that come as they come. */
static inline void
flush_jobs(void)
{
	struct guest_crypto_result result;
	unsigned done = 0;

	while (done < nr_jobs) {
		int rc;

		if (crypto_app_pump(flow.vid, 0) == 0 && guest_ring_pending(gc.vq) == 0)
			tap_fail(__FILE__, __LINE__, "%s: not served", jobs[done].what);
		while ((rc = guest_crypto_reap(&gc, &result)) != -EAGAIN) {
			CHECK(rc == 0 || rc == -EFAULT);
			check_result(&result, rc);
			done++;
		}
	}
	for (unsigned i = 0; i < nr_jobs; i++)
		job_free(&jobs[i]);
	nr_requests += nr_jobs;
	nr_jobs = 0;
}

/* Posts a request whose result is known. */
static inline struct job *
post_job(const struct guest_crypto_req *req, const uint8_t *dst, uint32_t dst_bytes,
	 const uint8_t *hash, uint8_t status, unsigned layout)
{
	struct job *j = &jobs[nr_jobs++];
	struct cuts cuts;
	int rc;

	*j = (struct job) {.req = *req, .status = status, .layout = layout, .dst_bytes = dst_bytes};
	/* Not every cryptodev has a MAC of nothing; but what it has is right. */
	if (req->opcode == VIRTIO_CRYPTO_MAC && req->src_bytes == 0)
		j->outcome = SERVED_OR_REFUSED;
	snprintf(j->what, sizeof(j->what), "%s", current);
	j->req.iv = copy_of(req->iv, req->iv_bytes);
	j->req.src = copy_of(req->src, req->src_bytes);
	j->req.aad = copy_of(req->aad, req->aad_bytes);
	j->dst = copy_of(dst, dst_bytes);
	j->hash = copy_of(req->hash != NULL ? req->hash : hash, req->hash_bytes);
	choose_layout(&cuts, &j->req, layout);
	rc = guest_crypto_post(&gc, &j->req, &cuts.layout, j);
	if (rc < 0)
		tap_fail(__FILE__, __LINE__, "%s, layout %u: not posted: %d", current, layout, rc);
	return j;
}

/* The bursts that the device sees are of any length. */
static inline void
flush_some_jobs(void)
{
	if (nr_jobs == BATCH || random_below(6) == 0)
		flush_jobs();
}

/* After each test. */
static inline void
jobs_teardown(void)
{
	for (unsigned i = 0; i < nr_jobs; i++)
		job_free(&jobs[i]);
	nr_jobs = 0;
	guest_crypto_fini(&gc);
	memset(&gc, 0, sizeof(gc));
	flow_teardown();
}

#endif
