/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a request says (virtio 1.2, 5.9.7), checked: where in the bytes that we read,
 * and where in those that we write, its parts are. The guest may cut both into
 * buffers as it likes.
 *
 *   read     header | IV | source | AAD
 *   written  result | digest | (anything) | status, the last byte
 *
 * A chain that deciphers reads its digest, too, where the guest has it: among what is written.
 */
#ifndef VHOST_NG_CRYPTO_LAYOUT_H
#define VHOST_NG_CRYPTO_LAYOUT_H

#include <linux/virtio_crypto.h>
#include <rte_byteorder.h>

#include "session.h"

#ifndef VIRTIO_CRYPTO_F_REVISION_1 /* not in the kernel's headers */
#define VIRTIO_CRYPTO_F_REVISION_1 0
#endif

/* A private copy of the start of a request: its header and the fixed part of its parameters. */
union crypto_head {
	struct virtio_crypto_op_data_req req;
	uint8_t bytes[sizeof(struct virtio_crypto_op_data_req)];
};

struct crypto_layout {
	uint32_t iv_at, iv_bytes;         /* of what is read */
	uint32_t src_at, src_bytes;       /* an AEAD's tag to verify comes right behind */
	uint32_t aad_at;
	uint32_t cipher_at, cipher_bytes; /* of the source */
	uint32_t hash_at, hash_bytes;     /* of the source, or of what became of it */
	uint32_t data_bytes;              /* of the result, at the start of what is written */
	uint32_t digest_at, digest_bytes; /* of what is written; no bytes: it is verified */
};

/* Stateless requests say so, and are not offered (virtio 1.2, 5.9.7.2). */
#define CRYPTO_FLAG_SESSION_MODE 1

/* The lengths that a request states, whatever its kind. */
struct crypto_lengths {
	uint32_t iv, src, aad; /* what is read, in this order */
	uint32_t dst, digest;  /* what is written */
};

/* Is there such an opcode? */
static inline bool crypto_opcode_known(uint32_t opcode)
{
	switch (opcode) {
	case VIRTIO_CRYPTO_CIPHER_ENCRYPT:
	case VIRTIO_CRYPTO_CIPHER_DECRYPT:
	case VIRTIO_CRYPTO_HASH:
	case VIRTIO_CRYPTO_MAC:
	case VIRTIO_CRYPTO_AEAD_ENCRYPT:
	case VIRTIO_CRYPTO_AEAD_DECRYPT:
		return true;
	default:
		return false;
	}
}

/* Is it a request in such a session? */
static inline bool crypto_head_matches(const union crypto_head *head, const struct crypto_session *s)
{
	uint32_t opcode = rte_le_to_cpu_32(head->req.header.opcode);
	uint32_t op_type = rte_le_to_cpu_32(head->req.u.sym_req.op_type);

	switch ((enum crypto_kind)s->kind) {
	case CRYPTO_CIPHER:
	case CRYPTO_CHAIN:
		return opcode == (s->encrypts ? VIRTIO_CRYPTO_CIPHER_ENCRYPT :
						VIRTIO_CRYPTO_CIPHER_DECRYPT) &&
		       op_type == (s->kind == CRYPTO_CIPHER ?
					   VIRTIO_CRYPTO_SYM_OP_CIPHER :
					   VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING);
	case CRYPTO_HASH:
		return opcode == VIRTIO_CRYPTO_HASH;
	case CRYPTO_MAC:
		return opcode == VIRTIO_CRYPTO_MAC;
	case CRYPTO_AEAD:
		return opcode == (s->encrypts ? VIRTIO_CRYPTO_AEAD_ENCRYPT :
						VIRTIO_CRYPTO_AEAD_DECRYPT);
	}
	return false;
}

/*
 * Header and fixed part of its parameters. Without REVISION_1 that is padded to what the longest
 * one takes.
 */
static inline uint32_t crypto_head_bytes_of(const union crypto_head *head, const struct crypto_session *s,
			      bool revision_1)
{
	const uint32_t header = sizeof(head->req.header);

	if (likely(!revision_1))
		return sizeof(head->req);
	switch ((enum crypto_kind)s->kind) {
	case CRYPTO_HASH:
	case CRYPTO_MAC:
		return header + sizeof(struct virtio_crypto_hash_para);
	case CRYPTO_AEAD: /* the tag's length and a reserved word follow, newer than the header */
		return header + sizeof(struct virtio_crypto_aead_para) + 2 * sizeof(uint32_t);
	default:
		return sizeof(head->req);
	}
}

/* --- one kind each: the lengths it states, and what it does to the source ---- */

static inline uint8_t crypto_cipher_lengths(const union crypto_head *head, struct crypto_lengths *n,
			      struct crypto_layout *l)
{
	const struct virtio_crypto_cipher_para *p = &head->req.u.sym_req.u.cipher.para;

	n->iv = rte_le_to_cpu_32(p->iv_len);
	n->src = rte_le_to_cpu_32(p->src_data_len);
	n->dst = rte_le_to_cpu_32(p->dst_data_len);
	l->cipher_bytes = l->data_bytes = n->src;
	return VIRTIO_CRYPTO_OK;
}

static inline uint8_t crypto_hash_lengths(const union crypto_head *head, struct crypto_lengths *n,
			    struct crypto_layout *l)
{
	const struct virtio_crypto_hash_para *p = &head->req.u.hash_req.para;

	n->src = rte_le_to_cpu_32(p->src_data_len);
	n->digest = rte_le_to_cpu_32(p->hash_result_len);
	l->hash_bytes = n->src;
	return VIRTIO_CRYPTO_OK;
}

/* An empty part may begin at the end. */
static inline bool crypto_part_within(uint32_t at, uint32_t bytes, uint32_t whole)
{
	return at <= whole && bytes <= whole - at;
}

static inline uint8_t crypto_chain_lengths(const union crypto_head *head, struct crypto_lengths *n,
			     struct crypto_layout *l)
{
	const struct virtio_crypto_alg_chain_data_para *p = &head->req.u.sym_req.u.chain.para;

	n->iv = rte_le_to_cpu_32(p->iv_len);
	n->src = rte_le_to_cpu_32(p->src_data_len);
	n->dst = rte_le_to_cpu_32(p->dst_data_len);
	n->aad = rte_le_to_cpu_32(p->aad_len);
	n->digest = rte_le_to_cpu_32(p->hash_result_len);
	l->cipher_at = rte_le_to_cpu_32(p->cipher_start_src_offset);
	l->cipher_bytes = rte_le_to_cpu_32(p->len_to_cipher);
	l->hash_at = rte_le_to_cpu_32(p->hash_start_src_offset);
	l->hash_bytes = rte_le_to_cpu_32(p->len_to_hash);
	l->data_bytes = n->src;
	if (!crypto_part_within(l->cipher_at, l->cipher_bytes, n->src) ||
	    !crypto_part_within(l->hash_at, l->hash_bytes, n->src))
		return VIRTIO_CRYPTO_BADMSG;
	return VIRTIO_CRYPTO_OK;
}

static inline uint8_t crypto_aead_lengths(const union crypto_head *head, const struct crypto_session *s,
			    bool revision_1, struct crypto_lengths *n, struct crypto_layout *l)
{
	const struct virtio_crypto_aead_para *p = &head->req.u.aead_req.para;
	const uint32_t *newer = (const uint32_t *)(const void *)(p + 1);
	uint32_t tag_bytes = rte_le_to_cpu_32(*newer);

	n->iv = rte_le_to_cpu_32(p->iv_len);
	n->aad = rte_le_to_cpu_32(p->aad_len);
	n->src = rte_le_to_cpu_32(p->src_data_len);
	n->dst = rte_le_to_cpu_32(p->dst_data_len);
	/* Who knows no such field leaves it 0; before REVISION_1 there is none. */
	if (revision_1 && tag_bytes != 0 && tag_bytes != s->digest_bytes)
		return VIRTIO_CRYPTO_BADMSG;
	if (s->encrypts) {
		l->data_bytes = n->src;
		return VIRTIO_CRYPTO_OK;
	}
	/* The tag ends the source. */
	if (n->src < s->digest_bytes)
		return VIRTIO_CRYPTO_BADMSG;
	l->data_bytes = n->src - s->digest_bytes;
	return VIRTIO_CRYPTO_OK;
}

/* ------------------------------------------------------------------------ */

static inline uint8_t crypto_lengths_of(const union crypto_head *head, const struct crypto_session *s,
			  bool revision_1, struct crypto_lengths *n, struct crypto_layout *l)
{
	switch ((enum crypto_kind)s->kind) {
	case CRYPTO_CIPHER:
		return crypto_cipher_lengths(head, n, l);
	case CRYPTO_HASH:
	case CRYPTO_MAC:
		return crypto_hash_lengths(head, n, l);
	case CRYPTO_CHAIN:
		return crypto_chain_lengths(head, n, l);
	case CRYPTO_AEAD:
		return crypto_aead_lengths(head, s, revision_1, n, l);
	}
	return VIRTIO_CRYPTO_ERR;
}

/* Is the result as long as the session makes it, and its room? */
static inline bool crypto_results_fit(const struct crypto_session *s, const struct crypto_lengths *n,
			const struct crypto_layout *l)
{
	uint64_t room = n->dst;

	switch ((enum crypto_kind)s->kind) {
	case CRYPTO_HASH:
	case CRYPTO_MAC:
		return n->digest == s->digest_bytes;
	case CRYPTO_CHAIN:
		return n->digest == s->digest_bytes && l->data_bytes <= room;
	case CRYPTO_AEAD:
		return l->data_bytes + (uint64_t)(s->encrypts ? s->digest_bytes : 0) <= room;
	case CRYPTO_CIPHER:
		break;
	}
	return l->data_bytes <= room;
}

/*
 * The layout of a request that matches its session. `readable` and `writable` are how many bytes
 * there are, writable at least 1; what is not there is 0 in `head`. Returns a VIRTIO_CRYPTO_*
 * status, other than OK: it makes no sense, or has more than `data_max` bytes, or too few.
 */
static inline uint8_t crypto_layout_of(const union crypto_head *head, const struct crypto_session *s,
			 bool revision_1, uint32_t readable, uint32_t writable, uint32_t data_max,
			 struct crypto_layout *l)
{
	const uint32_t head_bytes = crypto_head_bytes_of(head, s, revision_1);
	const uint32_t flag = rte_le_to_cpu_32(head->req.header.flag);
	struct crypto_lengths n = { 0 };
	uint8_t status;

	*l = (struct crypto_layout){ 0 };
	if (revision_1 && (flag & CRYPTO_FLAG_SESSION_MODE) == 0)
		return VIRTIO_CRYPTO_NOTSUPP;
	status = crypto_lengths_of(head, s, revision_1, &n, l);
	if (status != VIRTIO_CRYPTO_OK)
		return status;
	/* The sums cannot wrap in 64 bits. */
	if ((uint64_t)head_bytes + n.iv + n.src + n.aad > readable ||
	    (uint64_t)n.dst + n.digest + sizeof(struct virtio_crypto_inhdr) > writable ||
	    n.aad != s->aad_bytes || !crypto_results_fit(s, &n, l) ||
	    l->cipher_bytes % s->block_bytes != 0)
		return VIRTIO_CRYPTO_BADMSG;
	if (n.src > data_max || l->hash_bytes < s->hash_min_bytes ||
	    l->cipher_bytes > s->part_max_bytes || l->hash_bytes > s->part_max_bytes)
		return VIRTIO_CRYPTO_ERR;
	l->iv_at = head_bytes;
	l->iv_bytes = n.iv;
	l->src_at = l->iv_at + n.iv;
	l->src_bytes = s->kind == CRYPTO_AEAD ? l->data_bytes : n.src;
	l->aad_at = l->src_at + n.src;
	l->digest_bytes = s->verifies ? 0 : s->digest_bytes;
	l->digest_at = s->kind == CRYPTO_AEAD ? l->data_bytes : n.dst;
	return VIRTIO_CRYPTO_OK;
}

#endif
