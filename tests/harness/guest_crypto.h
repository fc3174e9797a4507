/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio-crypto driver and its frontend: sessions by messages, in both forms that frontends have
 * for them, and requests cut into descriptors at any points, over a guest queue of either format.
 * Written from the virtio specification. Used by flow, hostile and fuzz tests. libc only. What the
 * device writes is checked: besides dst, hash result and status nothing may change.
 */
#ifndef HARNESS_GUEST_CRYPTO_H
#define HARNESS_GUEST_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_crypto.h>

#include "frontend.h"

#define GUEST_CRYPTO_F_REVISION_1 (1ULL << 0)
/* In the flags of a request's header. */
#define GUEST_CRYPTO_SESSION_MODE 1
/* What the bytes that the device may write are before. */
#define GUEST_CRYPTO_FILL_BYTE 0xa5

/* --- configuration and sessions: messages of the frontend ----------------- */

/* Bit CONFIG must be negotiated. 0 or -errno. */
int guest_crypto_config(struct frontend *fe, struct virtio_crypto_config *config);

/* What CREATE_CRYPTO_SESSION is sent as, in the order of QEMU's releases; answered in kind. */
enum guest_crypto_form {
	GUEST_CRYPTO_OLD_FORM,	  /* 632 bytes */
	GUEST_CRYPTO_MIDDLE_FORM, /* the same without the opcode: ciphers, and chains with them */
	GUEST_CRYPTO_NEW_FORM,	  /* 1072 bytes, with room for asymmetric algorithms */
	GUEST_CRYPTO_NR_FORMS,
};

/* Fields that mean nothing for a service are sent as they are here. */
struct guest_crypto_session {
	uint32_t opcode;      /* VIRTIO_CRYPTO_*_CREATE_SESSION */
	uint32_t cipher_algo; /* or that of an AEAD */
	uint32_t cipher_key_bytes;
	uint32_t hash_algo;    /* or MAC */
	uint32_t digest_bytes; /* or tag */
	uint32_t auth_key_bytes;
	uint32_t aad_bytes;
	uint8_t op_type;     /* VIRTIO_CRYPTO_SYM_OP_* */
	uint8_t direction;   /* VIRTIO_CRYPTO_OP_* */
	uint8_t hash_mode;   /* VIRTIO_CRYPTO_SYM_HASH_MODE_* */
	uint8_t chain_order; /* VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_* */
	uint8_t cipher_key[64];
	uint8_t auth_key[512];
};

/*
 * 0 and the backend's answer in *id (above 0: a session; else -VIRTIO_CRYPTO_*, or -1), or -errno
 * of the exchange; -EBADMSG if the answer is not the message with another id. It need not have keys.
 */
int guest_crypto_session_create(struct frontend *fe, const struct guest_crypto_session *session,
				enum guest_crypto_form form, int64_t *id);
/* As fe_command(). */
int guest_crypto_session_close(struct frontend *fe, uint64_t id);

/* --- requests -------------------------------------------------------------- */

/* A request, in the order of its parts. Pointers may be NULL where the length is 0. */
struct guest_crypto_req {
	uint32_t opcode;  /* VIRTIO_CRYPTO_CIPHER_ENCRYPT and so on */
	uint32_t op_type; /* VIRTIO_CRYPTO_SYM_OP_*, of requests for ciphers */
	uint64_t session_id;
	const void *iv, *src, *aad;
	uint32_t iv_bytes, src_bytes, aad_bytes;
	uint32_t dst_bytes, hash_bytes; /* what there is room for */
	/* What stands in the hash result when it is posted; NULL: nothing in particular. */
	const void *hash;
	/* Chains of algorithms: what of the source they are about. */
	uint32_t cipher_start_bytes, cipher_bytes;
	uint32_t hash_start_bytes, hashed_bytes;
	uint32_t tag_bytes; /* AEAD; part of src or dst */
	/* What to send instead of what follows from the above. */
	const struct virtio_crypto_op_data_req *header;
};

/* Fills in the header of a request. */
void guest_crypto_header(const struct guest_crypto_req *req,
			 struct virtio_crypto_op_data_req *header);
/* How much of it is sent: with REVISION_1 it is not padded. */
uint32_t guest_crypto_header_bytes(uint32_t opcode, bool revision_1);

enum guest_crypto_chain {
	GUEST_CRYPTO_DIRECT,
	GUEST_CRYPTO_INDIRECT,
	GUEST_CRYPTO_MIXED, /* split rings: some descriptors, then that of a table */
};

/*
 * How a request is cut: the lengths of its first pieces; what is left is one more. Cuts run on over
 * the bounds of header, IV, source and AAD, or of dst, hash result and status. Without any cuts
 * each part is a piece of its own, if it is not empty.
 */
struct guest_crypto_layout {
	enum guest_crypto_chain chain;
	uint16_t nr_plain; /* descriptors before the table's, of GUEST_CRYPTO_MIXED */
	const uint32_t *readable_cuts, *writable_cuts;
	unsigned nr_readable_cuts, nr_writable_cuts;
	uint32_t gap_bytes; /* between pieces; 0 puts them next to each other */
	uint32_t shift_bytes; /* of the first piece, from a multiple of 64 */
	/* dst, if it is not longer, is where the source is, as DPDK's guest driver has it; no cuts */
	bool in_place;
};

struct guest_crypto_result {
	uint8_t status; /* VIRTIO_CRYPTO_* */
	uint32_t used_bytes; /* as the used element says */
	bool unwritten; /* dst and hash result are as they were */
	/* Until the next request is posted. */
	const uint8_t *dst, *hash;
	uint32_t dst_bytes, hash_bytes;
	void *cookie;
};

struct guest_crypto_slot;

/* The driver of one queue. */
struct guest_crypto {
	struct guest_ring *vq;
	bool revision_1;
	uint64_t arena_gpa;
	uint64_t slot_bytes;
	unsigned nr_slots;
	struct guest_crypto_slot *slots;
	unsigned outstanding; /* posted, not reaped */
	uint8_t *result;      /* dst and hash result of the request that was reaped last */
};

/*
 * Room for nr_slots requests at a time, of up to slot_bytes with gaps. 0 or -ENOMEM. Queues that
 * are to take more than GUEST_INDIRECT_MAX pieces need vq->indirect_max set before.
 */
int guest_crypto_init(struct guest_crypto *gc, struct guest_ring *vq, bool revision_1,
		      unsigned nr_slots, uint64_t slot_bytes);
/* Same in given memory, of nr_slots * slot_bytes; it may cross regions that adjoin. */
int guest_crypto_init_at(struct guest_crypto *gc, struct guest_ring *vq, bool revision_1,
			 unsigned nr_slots, uint64_t slot_bytes, uint64_t gpa);
void guest_crypto_fini(struct guest_crypto *gc);
/* The ring was reset: nothing is posted. */
void guest_crypto_forget(struct guest_crypto *gc);

/*
 * Writes a request into guest memory and puts its chain on the ring. Its id, or -ENOSPC: no free
 * slot or descriptors; -EMSGSIZE: the slot or the table is too small. Does not kick.
 */
int guest_crypto_post(struct guest_crypto *gc, const struct guest_crypto_req *req,
		      const struct guest_crypto_layout *layout, void *cookie);
/* Same without showing it to the device; guest_ring_publish() does. */
int guest_crypto_prepare(struct guest_crypto *gc, const struct guest_crypto_req *req,
			 const struct guest_crypto_layout *layout, void *cookie);

/*
 * Takes back one request: 0, -EAGAIN if none is finished, -EPROTO if the used element names a chain
 * that was not posted, -EFAULT if other bytes changed than dst, hash result and status (*result is
 * filled in, too).
 */
int guest_crypto_reap(struct guest_crypto *gc, struct guest_crypto_result *result);
/* Waits for it: -ETIMEDOUT instead of -EAGAIN. */
int guest_crypto_wait(struct guest_crypto *gc, struct guest_crypto_result *result, int timeout_ms);

/* Where a posted request's dst, hash result and status are. Returns how many pieces. */
unsigned guest_crypto_writable(const struct guest_crypto *gc, int id,
			       const struct guest_seg **segs);

#endif
