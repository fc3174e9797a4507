/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the programs that attack crypto devices share: the device under attack with a real
 * cryptodev behind it, requests written byte by byte, one round of the application, and a look
 * at all that the library made. Operations are allocations of their own, so that ASan sees a
 * byte beside one. Needs tap.h, so include it from one file of a program.
 */
#ifndef HOSTILE_CRYPTO_RIG_H
#define HOSTILE_CRYPTO_RIG_H

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>

#include "crypto_app.h"
#include "crypto_ref.h"
#include "rig.h"
#include "tap.h"

#define RING_SIZE 64
#define TIMEOUT_MS 20000
#define FILL 0xa5
#define DESC_BYTES ((uint32_t)sizeof(struct guest_desc))
#define HEAD_BYTES ((uint32_t)sizeof(struct virtio_crypto_op_data_req))
#define CRYPTO_RIG_DIGEST_BYTES 20 /* HMAC-SHA-1 */
#define OP_HEAD_BYTES ((uint32_t)sizeof(struct virtio_crypto_op_header))

/* Two regions that follow each other in guest addresses, and one after a gap. */
#define BORDER (UINT64_C(3) << 19)
#define SMALL_REGION_BYTES (256u << 10)
#define LARGE_REGION_BYTES (8u << 20)
#define ISLAND (UINT64_C(16) << 20)
#define ISLAND_BYTES (64u << 10)

/* Where requests are, and where their results go: in parts of the buffers, unless a test says so. */
#define AREA_BYTES (BUFFERS_BYTES / 4)
static uint64_t read_gpa, write_gpa;
#define READ_GPA read_gpa
#define WRITE_GPA write_gpa
#define TABLE_GPA (rig.buffers_gpa + 2 * (uint64_t)AREA_BYTES)

static bool crypto_rig_large; /* the next device has LARGE_REGION_BYTES */
static uint64_t crypto_data_max;
static unsigned int crypto_sessions_before;

/* --- the device ---------------------------------------------------------- */

static inline void crypto_up(uint64_t features, uint16_t ring_size)
{
	const struct guest_region_spec regions[] = {
		{ .gpa = 0, .size_bytes = BORDER, .mmap_offset_bytes = 4096 },
		{ .gpa = BORDER,
		  .size_bytes = crypto_rig_large ? LARGE_REGION_BYTES : SMALL_REGION_BYTES },
		{ .gpa = ISLAND, .size_bytes = ISLAND_BYTES },
	};
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_INDIRECT_DESC | features,
		.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				     1u << FE_PROTOCOL_F_CRYPTO_SESSION |
				     1u << FE_PROTOCOL_F_CONFIG | 1u << FE_PROTOCOL_F_LOG_SHMFD |
				     1u << FE_PROTOCOL_F_RESET_DEVICE,
		.nr_queues = 2,
		.regions = regions,
		.nregions = RTE_DIM(regions),
		.ring_size = ring_size,
	};
	struct virtio_crypto_config space;
	uint8_t pattern[4096];

	rig_up_as(&config, RTE_VHOST_USER_ASYNC_COPY);
	rig.flow.fe.use_ack = true;
	CHECK_EQ(crypto_app.create_result, 0);
	CHECK_EQ(crypto_app.zero_copy_result, 0);
	CHECK_EQ(guest_crypto_config(&rig.flow.fe, &space), 0);
	/* More than is offered, of what is no AEAD. */
	crypto_data_max = 1u << 20;
	read_gpa = rig.buffers_gpa;
	write_gpa = read_gpa + AREA_BYTES;
	guest_pattern(1, pattern, sizeof(pattern));
	for (uint32_t at = 0; at < BUFFERS_BYTES; at += sizeof(pattern))
		guest_write(&rig.flow.fe.mem, rig.buffers_gpa + at, pattern, sizeof(pattern));
}

static inline bool has_revision_1(void)
{
	return (rig.flow.fe.features & GUEST_CRYPTO_F_REVISION_1) != 0;
}

static inline uint16_t queue_of(const struct guest_ring *vq)
{
	return vq == rig.tx;
}

/* --- sessions ------------------------------------------------------------ */

enum kind {
	KIND_CBC,
	KIND_CBC_BACK,
	KIND_CTR,
	KIND_HASH,
	KIND_MAC,
	KIND_CHAIN, /* enciphers, then makes a MAC of it */
	KIND_CHAIN_BACK,
	KIND_GCM,
	KIND_GCM_BACK,
	KIND_CCM,
	NR_KINDS,
};

#define CBC_OF(dir)                                                                          \
	.opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION,                                       \
	.cipher_algo = VIRTIO_CRYPTO_CIPHER_AES_CBC, .cipher_key_bytes = 16,                 \
	.direction = VIRTIO_CRYPTO_OP_##dir
#define AEAD_OF(algo, dir)                                                                   \
	.opcode = VIRTIO_CRYPTO_AEAD_CREATE_SESSION,                                         \
	.cipher_algo = VIRTIO_CRYPTO_AEAD_##algo, .cipher_key_bytes = 16,                    \
	.direction = VIRTIO_CRYPTO_OP_##dir, .digest_bytes = 16, .aad_bytes = 20
#define HMAC                                                                                 \
	.hash_mode = VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH,                                       \
	.hash_algo = VIRTIO_CRYPTO_MAC_HMAC_SHA1, .auth_key_bytes = 20,                 \
	.digest_bytes = CRYPTO_RIG_DIGEST_BYTES

static const struct {
	const char *name;
	struct guest_crypto_session session;
	uint32_t opcode, op_type, iv_bytes, block_bytes;
} kinds[NR_KINDS] = {
	[KIND_CBC] = { "AES-CBC",
		       { CBC_OF(ENCRYPT), .op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER },
		       VIRTIO_CRYPTO_CIPHER_ENCRYPT, VIRTIO_CRYPTO_SYM_OP_CIPHER, 16, 16 },
	[KIND_CBC_BACK] = { "AES-CBC back",
			    { CBC_OF(DECRYPT), .op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER },
			    VIRTIO_CRYPTO_CIPHER_DECRYPT, VIRTIO_CRYPTO_SYM_OP_CIPHER, 16, 16 },
	[KIND_CTR] = { "AES-CTR",
		       { .opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION,
			 .op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
			 .cipher_algo = VIRTIO_CRYPTO_CIPHER_AES_CTR,
			 .cipher_key_bytes = 16,
			 .direction = VIRTIO_CRYPTO_OP_ENCRYPT },
		       VIRTIO_CRYPTO_CIPHER_ENCRYPT, VIRTIO_CRYPTO_SYM_OP_CIPHER, 16, 1 },
	[KIND_HASH] = { "SHA-1",
			{ .opcode = VIRTIO_CRYPTO_HASH_CREATE_SESSION,
			  .hash_algo = VIRTIO_CRYPTO_HASH_SHA1,
			  .digest_bytes = 20 },
			VIRTIO_CRYPTO_HASH, 0, 0, 1 },
	[KIND_MAC] = { "HMAC-SHA-1",
		       { .opcode = VIRTIO_CRYPTO_MAC_CREATE_SESSION, HMAC },
		       VIRTIO_CRYPTO_MAC, 0, 0, 1 },
	[KIND_CHAIN] = { "AES-CBC, HMAC",
			 { CBC_OF(ENCRYPT), HMAC,
			   .op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING,
			   .chain_order = VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_CIPHER_THEN_HASH },
			 VIRTIO_CRYPTO_CIPHER_ENCRYPT, VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING,
			 16, 16 },
	[KIND_CHAIN_BACK] = { "HMAC, AES-CBC back",
			      { CBC_OF(DECRYPT), HMAC,
				.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING,
				.chain_order =
					VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_HASH_THEN_CIPHER },
			      VIRTIO_CRYPTO_CIPHER_DECRYPT,
			      VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING, 16, 16 },
	[KIND_GCM] = { "AES-GCM", { AEAD_OF(GCM, ENCRYPT) }, VIRTIO_CRYPTO_AEAD_ENCRYPT, 0, 12,
		       1 },
	[KIND_GCM_BACK] = { "AES-GCM back", { AEAD_OF(GCM, DECRYPT) },
			    VIRTIO_CRYPTO_AEAD_DECRYPT, 0, 12, 1 },
	[KIND_CCM] = { "AES-CCM", { AEAD_OF(CCM, ENCRYPT) }, VIRTIO_CRYPTO_AEAD_ENCRYPT, 0, 12,
		       1 },
};

static inline bool is_digest(enum kind k)
{
	return k == KIND_HASH || k == KIND_MAC;
}

static inline bool is_chain(enum kind k)
{
	return k == KIND_CHAIN || k == KIND_CHAIN_BACK;
}

/* Its digest, or tag, is the guest's, and is not written. */
static inline bool verifies(enum kind k)
{
	return k == KIND_CHAIN_BACK || k == KIND_GCM_BACK;
}

static inline bool is_aead(enum kind k)
{
	return k >= KIND_GCM;
}

static inline uint64_t session_open(enum kind k)
{
	int64_t id = 0;

	CHECK_EQ(guest_crypto_session_create(&rig.flow.fe, &kinds[k].session,
					     GUEST_CRYPTO_NEW_FORM, &id),
		 0);
	if (id <= 0)
		tap_fail(__FILE__, __LINE__, "%s: no session: %lld", kinds[k].name,
			 (long long)id);
	return (uint64_t)id;
}

static inline void session_close(uint64_t id)
{
	CHECK_EQ(guest_crypto_session_close(&rig.flow.fe, id), 0);
}

/* --- requests ------------------------------------------------------------ */

/*
 * A request as it lies in memory: what its header says, and, whatever that is, how many bytes
 * there are.
 */
struct shot {
	struct virtio_crypto_op_data_req head;
	uint32_t head_bytes;	 /* as many of it are sent */
	uint32_t body_bytes;	 /* IV, source and AAD */
	uint32_t writable_bytes; /* result, digest, status */
	uint32_t data_bytes, digest_at, digest_bytes; /* what is written if it is OK */
	bool indirect;
};

/* A good one. */
static inline struct shot shot_of(enum kind k, uint64_t session_id, uint32_t src_bytes)
{
	const struct guest_crypto_session *s = &kinds[k].session;
	const bool back = k == KIND_GCM_BACK;
	struct guest_crypto_req req = {
		.opcode = kinds[k].opcode,
		.op_type = kinds[k].op_type,
		.session_id = session_id,
		.iv_bytes = kinds[k].iv_bytes,
		.src_bytes = src_bytes + (back ? s->digest_bytes : 0),
		.aad_bytes = s->aad_bytes,
		.dst_bytes = is_digest(k) ? 0 :
			     src_bytes + (is_aead(k) && !back ? s->digest_bytes : 0),
		.hash_bytes = is_digest(k) || is_chain(k) ? s->digest_bytes : 0,
		.cipher_bytes = src_bytes,
		.hashed_bytes = src_bytes,
		.tag_bytes = is_aead(k) ? s->digest_bytes : 0,
	};
	struct shot shot = {
		.head_bytes = guest_crypto_header_bytes(req.opcode, has_revision_1()),
		.body_bytes = req.iv_bytes + req.src_bytes + req.aad_bytes,
		.writable_bytes = req.dst_bytes + req.hash_bytes + 1,
		.data_bytes = is_digest(k) ? 0 : src_bytes,
		.digest_at = is_digest(k) ? 0 : src_bytes,
		.digest_bytes = verifies(k) ? 0 : s->digest_bytes,
	};

	guest_crypto_header(&req, &shot.head);
	return shot;
}

/* Entry `i` of an indirect table anywhere in guest memory. */
static inline void indirect(uint64_t table_gpa, unsigned int i, uint64_t gpa, uint32_t len,
			    uint16_t flags, uint16_t next)
{
	const struct guest_desc d = { .gpa = gpa, .len_bytes = len, .flags = flags, .next = next };
	/* The id is nobody's business, nor is NEXT: entries follow one another. */
	const struct guest_packed_desc p = {
		.gpa = gpa, .len_bytes = len, .id = 0xbad1,
		.flags = flags & (uint16_t)~GUEST_DESC_NEXT,
	};

	guest_write(&rig.flow.fe.mem, table_gpa + i * sizeof(d),
		    flow_packed ? (const void *)&p : (const void *)&d, sizeof(d));
}

/* A chain that deciphers gets the digest that is right for what its header says, if that can be. */
static inline void shot_seal(const struct shot *s)
{
	const struct guest_crypto_session *mac = &kinds[KIND_CHAIN_BACK].session;
	const struct virtio_crypto_alg_chain_data_para *p = &s->head.u.sym_req.u.chain.para;
	struct guest_crypto_req req = {
		.opcode = VIRTIO_CRYPTO_MAC, .src_bytes = p->len_to_hash,
		.hash_bytes = mac->digest_bytes,
	};
	uint64_t at = (uint64_t)HEAD_BYTES + p->iv_len + p->hash_start_src_offset;
	uint8_t digest[CRYPTO_RIG_DIGEST_BYTES];
	uint8_t *src;

	if (s->head.header.opcode != VIRTIO_CRYPTO_CIPHER_DECRYPT ||
	    s->head.u.sym_req.op_type != VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING ||
	    at + p->len_to_hash > (uint64_t)s->head_bytes + s->body_bytes ||
	    (uint64_t)p->dst_data_len + mac->digest_bytes > s->writable_bytes)
		return;
	src = malloc(p->len_to_hash + 1);
	RTE_VERIFY(src != NULL && mac->digest_bytes <= sizeof(digest));
	guest_read(&rig.flow.fe.mem, READ_GPA + at, src, p->len_to_hash);
	req.src = src;
	RTE_VERIFY(crypto_ref_compute(mac, &req, NULL, digest) == 0);
	guest_write(&rig.flow.fe.mem, WRITE_GPA + p->dst_data_len, digest, mac->digest_bytes);
	free(src);
}

/* Writes header and room for results; the body is the area's pattern. */
static inline void shot_write(const struct shot *s)
{
	guest_write(&rig.flow.fe.mem, READ_GPA, &s->head, s->head_bytes);
	guest_fill(&rig.flow.fe.mem, WRITE_GPA, FILL, s->writable_bytes);
	shot_seal(s);
}

/* Two descriptors from `head` on, one if there is nothing for the other; or a table of them. */
static inline void shot_chain(struct guest_ring *vq, uint16_t head, const struct shot *s)
{
	const uint32_t readable = s->head_bytes + s->body_bytes;
	const struct guest_seg segs[] = {
		{ READ_GPA, readable, 0 },
		{ WRITE_GPA, s->writable_bytes, GUEST_DESC_WRITE },
	};
	unsigned int first = readable == 0 && s->writable_bytes != 0;
	unsigned int last = s->writable_bytes != 0;

	for (unsigned int i = first; i <= last; i++) {
		uint16_t at = (uint16_t)(i - first);
		uint16_t flags = segs[i].flags | (i < last ? GUEST_DESC_NEXT : 0);

		if (s->indirect)
			indirect(TABLE_GPA, at, segs[i].gpa, segs[i].len_bytes, flags, at + 1);
		else
			rig_desc(vq, head + at, segs[i].gpa, segs[i].len_bytes, flags,
				 head + at + 1);
	}
	if (s->indirect)
		rig_desc(vq, head, TABLE_GPA, (last - first + 1) * DESC_BYTES,
			 GUEST_DESC_INDIRECT, 0);
}

/* --- the application ------------------------------------------------------ */

#define OP_BYTES                                                                             \
	(sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op) + VHOST_CRYPTO_MAX_IV_LEN)

static inline struct rte_crypto_op *op_new(void)
{
	struct rte_crypto_op *op = malloc(OP_BYTES);

	RTE_VERIFY(op != NULL);
	memset(op, 0xd7, OP_BYTES);
	op->mempool = NULL;
	op->type = RTE_CRYPTO_OP_TYPE_SYMMETRIC;
	op->sess_type = RTE_CRYPTO_OP_WITH_SESSION;
	op->status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED;
	return op;
}

static inline void ops_free(struct rte_crypto_op **ops, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		free(ops[i]);
}

/* Operations of up to `max` requests. */
static inline unsigned int take_of(int vid, unsigned int queue, struct rte_crypto_op **ops,
				   unsigned int max)
{
	unsigned int n;

	for (unsigned int i = 0; i < max; i++)
		ops[i] = op_new();
	n = rte_vhost_crypto_fetch_requests(vid, queue, ops, (uint16_t)max);
	RTE_VERIFY(n <= max);
	ops_free(ops + n, max - n);
	return n;
}

static inline unsigned int take(const struct guest_ring *vq, struct rte_crypto_op **ops,
				unsigned int max)
{
	return take_of(rig.flow.vid, queue_of(vq), ops, max);
}

/* Back to the guest; the operations are gone. Returns how many eventfds were named. */
static inline unsigned int give(struct rte_crypto_op **ops, unsigned int n)
{
	int callfds[VIRTIO_CRYPTO_MAX_NUM_BURST_VQS];
	unsigned int done = 0, calls = 0;
	uint16_t nr_callfds;

	while (done < n) {
		done += rte_vhost_crypto_finalize_requests(ops + done, (uint16_t)(n - done),
							   callfds, &nr_callfds);
		for (unsigned int i = 0; i < nr_callfds; i++)
			(void)eventfd_write(callfds[i], 1);
		calls += nr_callfds;
	}
	ops_free(ops, n);
	return calls;
}

/* All that waits. Returns how many became operations. */
static inline unsigned int serve(const struct guest_ring *vq)
{
	struct rte_crypto_op *ops[VHOST_CRYPTO_MAX_BURST_SIZE];
	unsigned int n, sum = 0;

	while ((n = take(vq, ops, RTE_DIM(ops))) != 0) {
		(void)crypto_app_run(ops, n);
		(void)give(ops, n);
		sum += n;
	}
	return sum;
}

/* --- one shot ------------------------------------------------------------- */

struct hit {
	unsigned int fetched; /* it became an operation */
	uint32_t used_bytes;
	uint8_t status;	      /* FILL: none was written */
};

static inline uint8_t byte_at(uint64_t gpa)
{
	uint8_t byte;

	guest_read(&rig.flow.fe.mem, gpa, &byte, 1);
	return byte;
}

/*
 * What is offered at `head` comes back, once, and nothing else changes but `ranges` and the used
 * ring. Returns how much was written.
 */
static inline struct hit come_back(struct guest_ring *vq, uint16_t head,
				   const struct rig_range *ranges, unsigned int nr_ranges)
{
	struct rig_range all[8] = { rig_used_range(vq) };
	struct guest_used used = { 0 };
	struct hit hit = { 0 };

	RTE_VERIFY(nr_ranges < RTE_DIM(all));
	for (unsigned int i = 0; i < nr_ranges; i++)
		all[1 + i] = ranges[i];
	(void)rig_used(vq, NULL);
	rig_offer(vq, head);
	rig_picture();
	hit.fetched = serve(vq);
	CHECK_EQ(rig_used(vq, &used), 1);
	CHECK_EQ(used.id, head);
	CHECK_EQ(guest_ring_errors(vq), 0);
	CHECK(rig_only_changed(all, nr_ranges + 1));
	hit.used_bytes = used.len_bytes;
	return hit;
}

static inline bool is_in_place(void)
{
	return crypto_app.zero_copy == RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE;
}

/* The shot at descriptor 0. */
static inline struct hit fire(struct guest_ring *vq, const struct shot *s)
{
	const uint32_t n = s->writable_bytes;
	const struct rig_range ranges[] = {
		{ WRITE_GPA + n - 1, 1 },
		{ WRITE_GPA, s->data_bytes },
		{ WRITE_GPA + s->digest_at, s->digest_bytes },
	};
	struct rig_range others[3];
	unsigned int nr_others = 0;
	struct hit hit;

	shot_write(s);
	shot_chain(vq, 0, s);
	hit = come_back(vq, 0, ranges, n == 0 ? 0 : RTE_DIM(ranges));
	hit.status = n == 0 ? FILL : byte_at(WRITE_GPA + n - 1);
	if (hit.status == VIRTIO_CRYPTO_OK) {
		CHECK_EQ(hit.fetched, 1);
		CHECK_EQ(hit.used_bytes, s->data_bytes + s->digest_bytes + 1);
		return hit;
	}
	/*
	 * Anything else says so, and nothing more. (In place a cryptodev may have been at it; what
	 * is left of that is a matter of tests/flow/crypto_chains.c.)
	 */
	CHECK_EQ(hit.used_bytes, n == 0 ? 0 : 1);
	others[nr_others++] = rig_used_range(vq);
	if (n != 0)
		others[nr_others++] = ranges[0];
	if (n != 0 && is_in_place() && hit.fetched)
		others[nr_others++] = ranges[1];
	CHECK(rig_only_changed(others, nr_others));
	return hit;
}

/* A good request on the last descriptors, which leaves the areas as they are. */
static inline bool serves(struct guest_ring *vq)
{
	static const uint32_t src_bytes = 64;
	const uint64_t gpa = rig.buffers_gpa + BUFFERS_BYTES - 4096;
	const uint16_t head = (uint16_t)(vq->size - 2);
	uint64_t id = session_open(KIND_CBC);
	struct shot s = shot_of(KIND_CBC, id, src_bytes);
	const uint32_t readable = s.head_bytes + s.body_bytes;
	struct guest_used used = { 0 };
	unsigned int n;

	(void)rig_used(vq, NULL);
	guest_write(&rig.flow.fe.mem, gpa, &s.head, s.head_bytes);
	guest_fill(&rig.flow.fe.mem, gpa + 2048, FILL, s.writable_bytes);
	rig_desc(vq, head, gpa, readable, GUEST_DESC_NEXT, head + 1);
	rig_desc(vq, head + 1, gpa + 2048, s.writable_bytes, GUEST_DESC_WRITE, 0);
	rig_offer(vq, head);
	n = serve(vq);
	session_close(id);
	if (n != 1 || rig_used(vq, &used) != 1 || used.id != head ||
	    used.len_bytes != s.writable_bytes ||
	    byte_at(gpa + 2048 + src_bytes) != VIRTIO_CRYPTO_OK) {
		fprintf(stderr, "the good request: %u came, status %u\n", n,
			byte_at(gpa + 2048 + src_bytes));
		return false;
	}
	return true;
}

/* What was offered breaks the ring. Ends with a working one. */
static inline void expect_broken(struct guest_ring *vq, const char *counter)
{
	struct guest_ring *other = vq == rig.tx ? rig.rx : rig.tx;
	uint16_t q = queue_of(vq);
	uint64_t counted = rig_counter(q, counter);

	(void)rig_used(vq, NULL);
	rig_picture();
	CHECK_EQ(serve(vq), 0);
	CHECK_EQ(rig_used(vq, NULL), 0);
	CHECK(rig_only_changed(NULL, 0));
	CHECK_EQ(rig_counter(q, counter), counted + 1);
	CHECK_EQ(guest_ring_errors(vq), 1);
	/* Stopped means stopped: nothing is looked at, nothing said twice. */
	rig_repair(vq);
	CHECK_EQ(serve(vq), 0);
	CHECK_EQ(rig_counter(q, counter), counted + 1);
	CHECK_EQ(guest_ring_errors(vq), 0);
	CHECK(serves(other));
	CHECK_EQ(rig_restart(q), 0);
	CHECK(serves(vq));
}

/* --- what is left ---------------------------------------------------------- */

struct pools {
	unsigned int count, in_use, broken;
};

/* Whoever writes beyond a buffer hits the header of the next one. */
static inline void look_at_mbuf(struct rte_mempool *pool, void *arg, void *obj, unsigned int i)
{
	const struct rte_mbuf *m = obj;
	struct pools *pools = arg;

	(void)i;
	pools->broken += m->pool != pool || rte_mbuf_refcnt_read(m) != 1 || m->next != NULL ||
			 m->nb_segs != 1 ||
			 rte_mempool_from_obj(obj) != pool;
}

static inline void look_at_pool(struct rte_mempool *pool, void *arg)
{
	struct pools *pools = arg;
	unsigned int in_use;

	if (strncmp(pool->name, "vhc", 3) != 0)
		return;
	pools->count++;
	/* Requests keep two of these each, for zero copy. */
	in_use = rte_mempool_in_use_count(pool) - (pool->name[3] == 'z' ? 2 * 4096 : 0);
	pools->in_use += in_use;
	if (rte_mempool_in_use_count(pool) == 0)
		rte_mempool_obj_iter(pool, look_at_mbuf, arg);
}

static inline struct pools look_at_pools(void)
{
	struct pools pools = { 0 };

	rte_mempool_walk(look_at_pool, &pools);
	return pools;
}

/* Nothing is under way: all buffers of the library are where they belong, and whole. */
static inline void pools_are_full(void)
{
	struct pools pools = look_at_pools();

	CHECK(pools.count >= 2);
	CHECK_EQ(pools.in_use, 0);
	CHECK_EQ(pools.broken, 0);
}

static inline bool no_pools(void *arg)
{
	(void)arg;
	return look_at_pools().count == 0 &&
	       rte_mempool_in_use_count(crypto_app.session_pool) == crypto_sessions_before;
}

/* The end of every test: the neighbour noticed nothing, nothing is left behind. */
static inline void crypto_down(void)
{
	pools_are_full();
	CHECK(bystander_unharmed());
	rig_down();
	CHECK(rig_nothing_left());
	CHECK(no_pools(NULL));
}

/* --- programs -------------------------------------------------------------- */

/* A thread that may use the whole machine, not just the core that EAL bound us to. */
static inline pthread_t attack_thread(void *(*run)(void *arg), void *arg)
{
	pthread_t thread;
	cpu_set_t all;

	CPU_ZERO(&all);
	for (int i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &all);
	CHECK_EQ(pthread_create(&thread, NULL, run, arg), 0);
	(void)pthread_setaffinity_np(thread, sizeof(all), &all);
	return thread;
}

/* The same numbers in every run. */
static inline uint32_t random_below(uint32_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return n == 0 ? 0 : (uint32_t)((x >> 16) % n);
}

static inline bool is_soak(void)
{
	return getenv("VHOST_NG_SOAK") != NULL;
}

static inline void crypto_before(void)
{
	crypto_app_setup();
	crypto_app.zero_copy = RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE;
	crypto_rig_large = false;
	crypto_sessions_before = rte_mempool_in_use_count(crypto_app.session_pool);
	rig_before();
}

/* `program [cryptodev] [packed] [part of a test's name]` */
static inline int crypto_main(int argc, char **argv, const struct tap_test *tests,
			      unsigned int nr_tests, void (*teardown)(void))
{
	bool packed;
	int rc;

	crypto_app_args(&argc, &argv);
	packed = argc > 1 && strcmp(argv[1], "packed") == 0;
	tap_begin();
	rig_init(argv[0], packed);
	rc = tap_run(tests, nr_tests, argc > 1 + packed ? argv[1 + packed] : NULL, crypto_before,
		     teardown);
	rig_fini();
	return rc;
}

#endif
