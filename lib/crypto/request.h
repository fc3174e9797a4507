/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests under way: taken from a ring, with the application or its cryptodev, not
 * finished yet. Each lives in the private area of an mbuf of its device's pools.
 */
#ifndef VHOST_NG_CRYPTO_REQUEST_H
#define VHOST_NG_CRYPTO_REQUEST_H

#include <rte_crypto.h>
#include <rte_mbuf.h>

#include "copy/plan.h"
#include "crypto.h"
#include "layout.h"
#include "memory/gmem.h"

/* What CCM wants before its AAD (rte_crypto_sym.h). */
#define CRYPTO_CCM_AAD_AT 18

/* What goes with the data of an operation, at the start of a request's own buffer. */
struct crypto_front {
	uint8_t digest[CRYPTO_DIGEST_MAX_BYTES]; /* made, or to be verified */
	/* As CCM wants it: room before it, and a block of it behind. */
	uint8_t aad[CRYPTO_CCM_AAD_AT + CRYPTO_AAD_MAX_BYTES + 16];
} CACHE_ALIGNED;

/* Data of a request's own buffer; larger ones have CRYPTO_BUFFER_BYTES. */
#define CRYPTO_DATA_BYTES VHOST_CRYPTO_MAX_DATA_SIZE
/* Buffers, or pieces of guest memory, that one operation may be on. */
#define CRYPTO_SEGS_MAX 32

/* Places to write to that a request has room for by itself. */
#define CRYPTO_OWN_SPANS 6

struct crypto_request {
	/* The first word in the private area of every mbuf: whose it is. */
	struct crypto_request *self;
	struct crypto_queue *queue;
	struct crypto_session *session;
	struct crypto *crypto;     /* whose pool it is of; a reference while it is under way */
	struct gmem *mem;          /* a reference: what `spans` point into */
	uint32_t slot;             /* of the queue */
	uint32_t data_bytes;       /* of the result */
	uint32_t digest_at, digest_bytes;
	uint32_t writable_bytes;   /* the status is the last one */
	struct used used;          /* its chain */
	uint8_t __guest *status;   /* the last byte of `spans` */
	bool borrows;              /* the operation is on guest memory itself */
	bool lends_digest;         /* and has its digest written there */
	bool holds_more;           /* than its own buffer, and `lent` */
	uint16_t nr_spans;         /* what is written */
	const struct span *spans;  /* own_spans, or in `more` */
	struct rte_mbuf *lent[2];  /* for zero copy, one piece on each side; always the same */
	struct rte_mbuf *more;     /* for spans that own_spans does not hold; or NULL */
	struct span own_spans[CRYPTO_OWN_SPANS];
};

/* A crypto device of a guest, and what is under way for it even after rte_vhost_crypto_free(). */
struct crypto {
	uint32_t refs; /* the device's, and one for each request under way; atomic */
	uint32_t data_max;
	uint64_t cryptodev_flags; /* RTE_CRYPTODEV_FF_* */
	bool zero_copy;           /* changes with all gates closed */
	int socket_id;
	bool iova_is_va; /* set with `borrowed` */
	copy_fn *copy;
	struct rte_mempool *own;      /* a request each, with buffers of CRYPTO_DATA_BYTES */
	struct rte_mempool *large;    /* buffers of CRYPTO_BUFFER_BYTES */
	struct rte_mempool *borrowed; /* no buffers; NULL until zero copy is asked for (borrow.c) */
	struct crypto_sessions sessions;
};

/* NULL: no memory (said so). One reference. */
struct crypto *crypto_new(uint8_t cryptodev_id, struct rte_mempool *sess_pool, int socket_id,
			  const char *name);
/* For requests to come, if it can be had. device.lock. 0 or -ENOMEM. */
int crypto_set_zero_copy(struct device *dev, bool wanted);
/* No new requests come; closes all sessions. */
void crypto_retire(struct crypto *crypto);
void crypto_put(struct crypto *crypto, uint32_t n);

/*
 * The requests of one ring, which go back to it in the order they came, so that
 * where the guest sees them used says all that there is to say about a ring that
 * stops or a process that dies (redo.h). For who visits the queue (visit.h).
 */
struct crypto_queue {
	struct vq *home;
	uint32_t taken, given; /* numbers that go on, and wrap */
	uint32_t nr_open;      /* with the application; the queue lives as long as there are any */
	uint32_t mask;
	/* By number: what the guest is told of a request that is done, or 0. */
	struct used done[];
};

static ALWAYS_INLINE struct crypto_request *crypto_request_of(const struct rte_crypto_op *op)
{
	return *(struct crypto_request **)rte_mbuf_to_priv(op->sym->m_src);
}

static ALWAYS_INLINE struct rte_mbuf *crypto_request_mbuf(const struct crypto_request *r)
{
	return (struct rte_mbuf *)(void *)((uintptr_t)r - sizeof(struct rte_mbuf));
}

static ALWAYS_INLINE struct crypto_front *crypto_request_front(const struct crypto_request *r)
{
	return crypto_request_mbuf(r)->buf_addr;
}

/* Gives a chain of mbufs, or none, back to their pool. */
static inline void crypto_put_chain(struct rte_mempool *pool, struct rte_mbuf *m)
{
	struct rte_mbuf *next;

	for (; m != NULL; m = next) {
		next = m->next;
		m->next = NULL;
		m->nb_segs = 1;
		rte_mempool_put(pool, m);
	}
}

/*
 * fetch.c: takes up to `count` requests and makes operations of them; how many. Invalid ones are
 * answered. Inside the gate, the queue is sound.
 */
uint16_t crypto_fetch(struct vq *vq, struct rte_crypto_op **ops, uint16_t count);
/*
 * finish.c: the results of `count` operations, all of requests of `q`, which is visited. Returns
 * whether the guest is to be told.
 */
bool crypto_finish(struct crypto_queue *q, struct rte_crypto_op *const *ops, unsigned int count);
/* Gives back what is done and next in turn. */
void crypto_give_back(struct crypto_queue *q);

#endif
