/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sessions of one crypto device: what the frontend asked for, checked against
 * what the cryptodev can do, and the cryptodev's sessions behind it.
 *
 * The table changes on the loop thread with all gates closed, so who is inside a
 * gate looks up as it likes. A session lives until it is closed and no request is
 * under way in it; who ends the last one frees it.
 */
#ifndef VHOST_NG_CRYPTO_SESSION_H
#define VHOST_NG_CRYPTO_SESSION_H

#include <pthread.h>
#include <rte_crypto.h>
#include <rte_vhost_crypto.h>

#include "device/device.h"

/* Where an operation has its IV; pools of applications have VHOST_CRYPTO_MAX_IV_LEN bytes there. */
#define CRYPTO_IV_OFFSET (sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op))
/* What one buffer holds (an mbuf's length has 16 bits), and what several may. */
#define CRYPTO_BUFFER_BYTES (63u << 10)
#define CRYPTO_DATA_MAX_BYTES (1u << 20)
/* The most that an AEAD session may authenticate besides its data. */
#define CRYPTO_AAD_MAX_BYTES 256
/* The largest digest or tag there is. */
#define CRYPTO_DIGEST_MAX_BYTES 64

enum crypto_kind {
	CRYPTO_CIPHER,
	CRYPTO_HASH,
	CRYPTO_MAC,
	CRYPTO_AEAD,
	CRYPTO_CHAIN, /* a cipher and a hash or MAC */
};

struct crypto_algorithm;
struct crypto_sessions;

struct crypto_session {
	int64_t id;    /* above 0 */
	uint32_t refs; /* the table's, and one for each request under way; atomic */
	uint8_t kind;  /* enum crypto_kind */
	bool encrypts; /* otherwise decrypts; means nothing for hashes and MACs */
	bool verifies; /* compares with the guest's digest or tag; otherwise makes it, if any */
	bool is_ccm;   /* wants room before its nonce and AAD (rte_crypto_sym.h) */
	bool cipher_in_bits, auth_in_bits; /* what cryptodev counts offsets and lengths in */
	uint8_t block_bytes;  /* what is enciphered has a multiple of this many bytes; not 0 */
	uint8_t digest_bytes; /* tag of an AEAD; 0: none */
	uint16_t aad_bytes;
	uint8_t hash_min_bytes; /* what the cryptodev needs to hash, to be right */
	uint32_t part_max_bytes; /* the most that may be enciphered or hashed */
	uint8_t cryptodev_id;
	struct rte_mempool *pool;
	/*
	 * The cryptodev's sessions, by the length of the IV, which the frontend does not
	 * tell before the first request has it. NULL: not made yet. Atomic.
	 */
	void *by_iv[VHOST_CRYPTO_MAX_IV_LEN + 1];
	uint64_t refused;    /* a bit for each length that will never have one; atomic */
	int64_t retry_at_ms; /* the pool had none for another one; 0: it had; atomic */
	pthread_mutex_t make_lock; /* of who makes another one */

	/* What they are made from. */
	const struct crypto_algorithm *cipher; /* or AEAD; NULL: none */
	const struct crypto_algorithm *auth;   /* hash or MAC; NULL: none */
	struct session_desc desc;              /* wiped at the end */

	/* While it is open. */
	struct crypto_sessions *table;
	const char *name; /* for the log */
};

struct crypto_sessions {
	uint8_t cryptodev_id;
	struct rte_mempool *pool; /* of the application: cryptodev's sessions */
	uint32_t nr_open;
	/*
	 * What open sessions have of the pool, for all lengths of IVs together: at most
	 * VHOST_CRYPTO_SESSION_MAP_ENTRIES, so that no guest takes another one's. Atomic.
	 */
	uint32_t nr_made;
	struct crypto_session *slots[VHOST_CRYPTO_SESSION_MAP_ENTRIES];
	/*
	 * How often each was used, and where they all begin, which is random: no id comes back,
	 * not even to a guest that remembers it from a device, or a process, before this one. It
	 * would name another key.
	 */
	uint64_t first_generation;
	uint32_t generations[VHOST_CRYPTO_SESSION_MAP_ENTRIES];
};

/* A cryptodev that exists, and the application's pool for it. */
void crypto_sessions_init(struct crypto_sessions *table, uint8_t cryptodev_id,
			  struct rte_mempool *pool);
/* Closes all that are open. */
void crypto_sessions_fini(struct crypto_sessions *table);

/*
 * Checks `desc`, asks the cryptodev for a session and returns its id, which is above 0; or
 * -VIRTIO_CRYPTO_NOTSUPP, -VIRTIO_CRYPTO_NOSPC (the table is full, or the application's pool
 * empty), -VIRTIO_CRYPTO_ERR. `name` is for the log, which says why; it stays as long as the table.
 */
int64_t crypto_session_open(struct crypto_sessions *table, const struct session_desc *desc,
			    const char *name);
/* 0, or -ENOENT: there is none of this id. */
int crypto_session_close(struct crypto_sessions *table, uint64_t id);

/* Ids of one slot are as far apart as there are slots. */
static ALWAYS_INLINE struct crypto_session *crypto_session_find(const struct crypto_sessions *table,
								 uint64_t id)
{
	struct crypto_session *s = table->slots[(id - 1) % VHOST_CRYPTO_SESSION_MAP_ENTRIES];

	return likely(s != NULL && (uint64_t)s->id == id) ? s : NULL;
}

/*
 * As crypto_session_for_iv() when it is not there yet. Of an open session; several threads at a
 * time. What failed once is cheap from then on: a length that cannot be fails for good, and an
 * empty pool is asked again after a while.
 */
void *crypto_session_make(struct crypto_session *s, uint32_t iv_bytes);

/* cryptodev's session for IVs of so many bytes (as the request has it); NULL: it has none. */
static ALWAYS_INLINE void *crypto_session_for_iv(struct crypto_session *s, uint32_t iv_bytes)
{
	void *sym;

	if (unlikely(iv_bytes > VHOST_CRYPTO_MAX_IV_LEN))
		return NULL;
	sym = __atomic_load_n(&s->by_iv[iv_bytes], __ATOMIC_ACQUIRE);
	return likely(sym != NULL) ? sym : crypto_session_make(s, iv_bytes);
}

/* The status of a request that crypto_session_for_iv() had nothing for. */
uint8_t crypto_session_refusal(const struct crypto_session *s, uint32_t iv_bytes);

/* Requests begin and end in it. The last one to end frees a closed session. */
static ALWAYS_INLINE void crypto_session_hold(struct crypto_session *s, uint32_t n)
{
	__atomic_fetch_add(&s->refs, n, __ATOMIC_RELAXED);
}
void crypto_session_drop(struct crypto_session *s, uint32_t n);

#endif
