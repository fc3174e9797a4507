/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a frontend asks for is checked against the capabilities of the cryptodev,
 * length by length, so that the log can say which one is wrong. Only what is left,
 * combinations, is for the driver to refuse.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cryptodev.h>
#include <rte_errno.h>
#include <rte_random.h>

#include "algorithms.h"
#include "base/clock.h"
#include "base/defs.h"
#include "base/log.h"
#include "session.h"

#define SESSION_SLOT_BITS 10
_Static_assert(VHOST_CRYPTO_SESSION_MAP_ENTRIES == 1 << SESSION_SLOT_BITS, "ids fit 63 bits");

/* An empty pool is not asked more often than this, for one session. */
#define RETRY_MS 1000

/* --- what is asked for ------------------------------------------------- */

static const char *const services[] = {
	[VIRTIO_CRYPTO_SERVICE_CIPHER] = "cipher",
	[VIRTIO_CRYPTO_SERVICE_HASH] = "hash",
	[VIRTIO_CRYPTO_SERVICE_MAC] = "MAC",
	[VIRTIO_CRYPTO_SERVICE_AEAD] = "AEAD",
};

/* 0 or a negative status, as all the checks. */
static int check_length(const struct crypto_session *s, const struct crypto_algorithm *algo,
			const char *what, uint32_t bytes,
			const struct rte_crypto_param_range *has)
{
	if (crypto_range_has(has, bytes))
		return 0;
	LOG_ERR("%s: session: %s with %s of %u bytes, but cryptodev %u takes %u to %u, in steps "
		"of %u", s->name, algo->name, what, bytes, s->cryptodev_id, has->min, has->max,
		has->increment);
	return -VIRTIO_CRYPTO_NOTSUPP;
}

/* NULL: the cryptodev cannot do it at all. */
static const struct crypto_algorithm *algorithm_get(const struct crypto_session *s,
						    uint32_t service, uint32_t id,
						    struct crypto_limits *limits)
{
	const struct crypto_algorithm *algo = crypto_algorithm_find(service, id);

	if (algo == NULL) {
		LOG_ERR("%s: session: %s algorithm %u is none that cryptodevs know", s->name,
			services[service], id);
		return NULL;
	}
	if (crypto_limits_get(s->cryptodev_id, algo, limits) < 0) {
		LOG_ERR("%s: session: cryptodev %u does not have %s %s", s->name, s->cryptodev_id,
			services[service], algo->name);
		return NULL;
	}
	if (!crypto_takes_iv(algo, limits, algo->iv_bytes)) {
		LOG_ERR("%s: session: %s %s with IVs of %u bytes, but cryptodev %u takes %u to %u",
			s->name, services[service], algo->name, algo->iv_bytes, s->cryptodev_id,
			limits->iv.min, limits->iv.max);
		return NULL;
	}
	return algo;
}

static int check_digest(struct crypto_session *s, const struct crypto_algorithm *algo,
			const struct crypto_limits *limits)
{
	const uint32_t bytes = s->desc.digest_bytes;

	if (bytes == 0 || bytes > CRYPTO_DIGEST_MAX_BYTES) {
		LOG_ERR("%s: session: %s with a result of %u bytes; there are 1 to %u", s->name,
			algo->name, bytes, CRYPTO_DIGEST_MAX_BYTES);
		return -VIRTIO_CRYPTO_NOTSUPP;
	}
	s->digest_bytes = (uint8_t)bytes;
	return check_length(s, algo, "a result", bytes, &limits->digest);
}

static void limit_part(struct crypto_session *s, const struct crypto_algorithm *algo)
{
	if (algo->max_bytes != 0)
		s->part_max_bytes = MIN2(s->part_max_bytes, algo->max_bytes);
}

/* Of AEADs, too. */
static int check_cipher(struct crypto_session *s, uint32_t service, struct crypto_limits *limits)
{
	const struct session_desc *d = &s->desc;

	s->cipher = algorithm_get(s, service, d->cipher_algo, limits);
	if (s->cipher == NULL)
		return -VIRTIO_CRYPTO_NOTSUPP;
	if (d->direction != VIRTIO_CRYPTO_OP_ENCRYPT && d->direction != VIRTIO_CRYPTO_OP_DECRYPT) {
		LOG_ERR("%s: session: direction %u; 1 encrypts, 2 decrypts", s->name, d->direction);
		return -VIRTIO_CRYPTO_ERR;
	}
	if (d->cipher_key_bytes > SESSION_CIPHER_KEY_BYTES)
		return -VIRTIO_CRYPTO_ERR;
	s->encrypts = d->direction == VIRTIO_CRYPTO_OP_ENCRYPT;
	s->block_bytes = s->cipher->block_bytes;
	s->cipher_in_bits = s->cipher->in_bits;
	limit_part(s, s->cipher);
	return check_length(s, s->cipher, "a key", d->cipher_key_bytes, &limits->key);
}

/*
 * crypto_aesni_mb makes an HMAC of nothing, wrong, and says that it succeeded, and all HMACs after
 * it are wrong, those of others, too. Of nothing KASUMI_F9 makes nothing: the digest would be
 * that of an earlier request.
 */
static uint8_t hash_min_bytes(const struct crypto_session *s)
{
	struct rte_cryptodev_info info;

	rte_cryptodev_info_get(s->cryptodev_id, &info);
	return s->auth->service == VIRTIO_CRYPTO_SERVICE_MAC &&
	       (s->auth->id <= VIRTIO_CRYPTO_MAC_HMAC_SHA_512 ||
		s->auth->id == VIRTIO_CRYPTO_MAC_KASUMI_F9) &&
	       strcmp(info.driver_name, "crypto_aesni_mb") == 0;
}

static int check_auth(struct crypto_session *s, uint32_t service)
{
	const struct session_desc *d = &s->desc;
	struct crypto_limits limits;
	int rc;

	s->auth = algorithm_get(s, service, d->hash_algo, &limits);
	if (s->auth == NULL)
		return -VIRTIO_CRYPTO_NOTSUPP;
	s->auth_in_bits = s->auth->in_bits;
	s->hash_min_bytes = hash_min_bytes(s);
	limit_part(s, s->auth);
	rc = check_digest(s, s->auth, &limits);
	if (rc != 0 || service == VIRTIO_CRYPTO_SERVICE_HASH)
		return rc;
	if (d->auth_key_bytes > SESSION_AUTH_KEY_BYTES)
		return -VIRTIO_CRYPTO_ERR;
	return check_length(s, s->auth, "a key", d->auth_key_bytes, &limits.key);
}

static int check_aead(struct crypto_session *s)
{
	const uint32_t aad_bytes = s->desc.aad_bytes;
	struct crypto_limits limits;
	int rc = check_cipher(s, VIRTIO_CRYPTO_SERVICE_AEAD, &limits);

	if (rc != 0)
		return rc;
	if (aad_bytes > CRYPTO_AAD_MAX_BYTES) {
		LOG_ERR("%s: session: %s with AAD of %u bytes; there are %u at most", s->name,
			s->cipher->name, aad_bytes, CRYPTO_AAD_MAX_BYTES);
		return -VIRTIO_CRYPTO_NOTSUPP;
	}
	s->aad_bytes = (uint16_t)aad_bytes;
	s->is_ccm = s->cipher->rte == RTE_CRYPTO_AEAD_AES_CCM;
	rc = check_digest(s, s->cipher, &limits);
	return rc != 0 ? rc : check_length(s, s->cipher, "AAD", aad_bytes, &limits.aad);
}

/* What makes it a chain; then its cipher, then its hash or MAC. */
static int check_chain(struct crypto_session *s)
{
	const struct session_desc *d = &s->desc;
	struct crypto_limits limits;
	int rc;

	if (d->hash_mode != VIRTIO_CRYPTO_SYM_HASH_MODE_PLAIN &&
	    d->hash_mode != VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH) {
		LOG_ERR("%s: session: a chain with hash mode %u; 1 is plain, 2 a MAC", s->name,
			d->hash_mode);
		return -VIRTIO_CRYPTO_NOTSUPP;
	}
	if (d->aad_bytes != 0) {
		LOG_ERR("%s: session: a chain with AAD of %u bytes; chains have none", s->name,
			d->aad_bytes);
		return -VIRTIO_CRYPTO_NOTSUPP;
	}
	if (d->chain_order != VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_HASH_THEN_CIPHER &&
	    d->chain_order != VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_CIPHER_THEN_HASH) {
		LOG_ERR("%s: session: a chain in order %u; 1 is hash then cipher, 2 the reverse",
			s->name, d->chain_order);
		return -VIRTIO_CRYPTO_ERR;
	}
	rc = check_cipher(s, VIRTIO_CRYPTO_SERVICE_CIPHER, &limits);
	if (rc != 0)
		return rc;
	return check_auth(s, d->hash_mode == VIRTIO_CRYPTO_SYM_HASH_MODE_PLAIN ?
				     VIRTIO_CRYPTO_SERVICE_HASH :
				     VIRTIO_CRYPTO_SERVICE_MAC);
}

static int check_sym(struct crypto_session *s)
{
	struct crypto_limits limits;

	switch (s->desc.op_type) {
	case VIRTIO_CRYPTO_SYM_OP_CIPHER:
		s->kind = CRYPTO_CIPHER;
		return check_cipher(s, VIRTIO_CRYPTO_SERVICE_CIPHER, &limits);
	case VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING:
		s->kind = CRYPTO_CHAIN;
		return check_chain(s);
	}
	LOG_ERR("%s: session: symmetric operation %u; 1 is a cipher, 2 a chain", s->name,
		s->desc.op_type);
	return -VIRTIO_CRYPTO_NOTSUPP;
}

static int check_desc(struct crypto_session *s)
{
	switch (s->desc.opcode) {
	case VIRTIO_CRYPTO_CIPHER_CREATE_SESSION:
		return check_sym(s);
	case VIRTIO_CRYPTO_HASH_CREATE_SESSION:
		s->kind = CRYPTO_HASH;
		return check_auth(s, VIRTIO_CRYPTO_SERVICE_HASH);
	case VIRTIO_CRYPTO_MAC_CREATE_SESSION:
		s->kind = CRYPTO_MAC;
		return check_auth(s, VIRTIO_CRYPTO_SERVICE_MAC);
	case VIRTIO_CRYPTO_AEAD_CREATE_SESSION:
		s->kind = CRYPTO_AEAD;
		return check_aead(s);
	}
	LOG_ERR("%s: session: operation 0x%x; there are ciphers, hashes, MACs and AEADs", s->name,
		s->desc.opcode);
	return -VIRTIO_CRYPTO_NOTSUPP;
}

/* --- cryptodev's sessions ------------------------------------------------ */

static void xform_cipher(const struct crypto_session *s, uint32_t iv_bytes,
			 struct rte_crypto_sym_xform *xform)
{
	xform->type = RTE_CRYPTO_SYM_XFORM_CIPHER;
	xform->cipher = (struct rte_crypto_cipher_xform){
		.op = s->encrypts ? RTE_CRYPTO_CIPHER_OP_ENCRYPT : RTE_CRYPTO_CIPHER_OP_DECRYPT,
		.algo = s->cipher->rte,
		.key = { s->desc.cipher_key, (uint16_t)s->desc.cipher_key_bytes },
		.iv = { CRYPTO_IV_OFFSET, (uint16_t)iv_bytes },
	};
}

static void xform_auth(const struct crypto_session *s, struct rte_crypto_sym_xform *xform)
{
	xform->type = RTE_CRYPTO_SYM_XFORM_AUTH;
	xform->auth = (struct rte_crypto_auth_xform){
		.op = s->verifies ? RTE_CRYPTO_AUTH_OP_VERIFY : RTE_CRYPTO_AUTH_OP_GENERATE,
		.algo = s->auth->rte,
		.digest_length = s->digest_bytes,
	};
	if (s->auth->service != VIRTIO_CRYPTO_SERVICE_MAC)
		return;
	xform->auth.key.data = s->desc.auth_key;
	xform->auth.key.length = (uint16_t)s->desc.auth_key_bytes;
}

static void xform_aead(const struct crypto_session *s, uint32_t iv_bytes,
		       struct rte_crypto_sym_xform *xform)
{
	xform->type = RTE_CRYPTO_SYM_XFORM_AEAD;
	xform->aead = (struct rte_crypto_aead_xform){
		.op = s->encrypts ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT,
		.algo = s->cipher->rte,
		.key = { s->desc.cipher_key, (uint16_t)s->desc.cipher_key_bytes },
		.iv = { CRYPTO_IV_OFFSET, (uint16_t)iv_bytes },
		.digest_length = s->digest_bytes,
		.aad_length = s->aad_bytes,
	};
}

static void *sym_create(const struct crypto_session *s, uint32_t iv_bytes)
{
	struct rte_crypto_sym_xform cipher = { .next = NULL }, auth = { .next = NULL };
	struct rte_crypto_sym_xform *first = &cipher;

	if (s->kind == CRYPTO_AEAD)
		xform_aead(s, iv_bytes, &cipher);
	else if (s->cipher != NULL)
		xform_cipher(s, iv_bytes, &cipher);
	if (s->auth != NULL)
		xform_auth(s, &auth);
	if (s->kind == CRYPTO_HASH || s->kind == CRYPTO_MAC) {
		first = &auth;
	} else if (s->kind == CRYPTO_CHAIN) {
		bool cipher_first = s->desc.chain_order ==
				    VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_CIPHER_THEN_HASH;

		first = cipher_first ? &cipher : &auth;
		first->next = cipher_first ? &auth : &cipher;
	}
	rte_errno = 0;
	return rte_cryptodev_sym_session_create(s->cryptodev_id, first, s->pool);
}

/* What the cryptodev refused, as a negative status. */
static int sym_status(const struct crypto_session *s, uint32_t iv_bytes, int err)
{
	LOG_ERR("%s: session: cryptodev %u makes none of %s%s%s with IVs of %u bytes: %s", s->name,
		s->cryptodev_id, s->cipher != NULL ? s->cipher->name : "",
		s->kind == CRYPTO_CHAIN ? " and " : "", s->auth != NULL ? s->auth->name : "",
		iv_bytes, rte_strerror(err));
	if (err == ENOMEM)
		return -VIRTIO_CRYPTO_NOSPC;
	return err == ENOTSUP ? -VIRTIO_CRYPTO_NOTSUPP : -VIRTIO_CRYPTO_ERR;
}

static bool count_made(struct crypto_session *s)
{
	uint32_t *nr_made = &s->table->nr_made;

	if (__atomic_add_fetch(nr_made, 1, __ATOMIC_RELAXED) <= VHOST_CRYPTO_SESSION_MAP_ENTRIES)
		return true;
	__atomic_sub_fetch(nr_made, 1, __ATOMIC_RELAXED);
	LOG_ERR("%s: session: %u of cryptodev's sessions are in use for IVs of several lengths, "
		"which is all there can be", s->name, VHOST_CRYPTO_SESSION_MAP_ENTRIES);
	return false;
}

/* One for a length that has none yet, and nobody else makes. 0 or a negative status (said why). */
static int sym_make(struct crypto_session *s, uint32_t iv_bytes)
{
	void *sym;

	if (!count_made(s))
		return -VIRTIO_CRYPTO_NOSPC;
	sym = sym_create(s, iv_bytes);
	if (sym == NULL) {
		__atomic_sub_fetch(&s->table->nr_made, 1, __ATOMIC_RELAXED);
		return sym_status(s, iv_bytes, rte_errno);
	}
	__atomic_store_n(&s->by_iv[iv_bytes], sym, __ATOMIC_RELEASE);
	return 0;
}

static bool takes_iv(const struct crypto_session *s, uint32_t iv_bytes)
{
	struct crypto_limits limits;

	if (s->cipher == NULL)
		return iv_bytes == 0;
	return crypto_limits_get(s->cryptodev_id, s->cipher, &limits) == 0 &&
	       crypto_takes_iv(s->cipher, &limits, iv_bytes);
}

/* make_lock. 0 or a negative status (said why). */
static int make_locked(struct crypto_session *s, uint32_t iv_bytes)
{
	if (takes_iv(s, iv_bytes))
		return sym_make(s, iv_bytes);
	LOG_ERR("%s: session %" PRId64 ": a request with an IV of %u bytes, which it cannot have",
		s->name, s->id, iv_bytes);
	return -VIRTIO_CRYPTO_NOTSUPP;
}

/* An empty pool may fill again; nothing else changes while a session lives. */
static void note_failure(struct crypto_session *s, uint32_t iv_bytes, int status)
{
	if (status == -VIRTIO_CRYPTO_NOSPC)
		__atomic_store_n(&s->retry_at_ms, clock_now_ms() + RETRY_MS, __ATOMIC_RELAXED);
	else
		__atomic_fetch_or(&s->refused, BIT(iv_bytes), __ATOMIC_RELAXED);
}

static bool has_failed(const struct crypto_session *s, uint32_t iv_bytes)
{
	int64_t retry_at_ms = __atomic_load_n(&s->retry_at_ms, __ATOMIC_RELAXED);

	return (__atomic_load_n(&s->refused, __ATOMIC_RELAXED) & BIT(iv_bytes)) != 0 ||
	       (retry_at_ms != 0 && clock_now_ms() < retry_at_ms);
}

void *crypto_session_make(struct crypto_session *s, uint32_t iv_bytes)
{
	int status;

	if (has_failed(s, iv_bytes))
		return NULL;
	pthread_mutex_lock(&s->make_lock);
	/* Another thread may have found out meanwhile. */
	if (s->by_iv[iv_bytes] == NULL && !has_failed(s, iv_bytes)) {
		status = make_locked(s, iv_bytes);
		if (status != 0)
			note_failure(s, iv_bytes, status);
	}
	pthread_mutex_unlock(&s->make_lock);
	return __atomic_load_n(&s->by_iv[iv_bytes], __ATOMIC_ACQUIRE);
}

uint8_t crypto_session_refusal(const struct crypto_session *s, uint32_t iv_bytes)
{
	if (iv_bytes > VHOST_CRYPTO_MAX_IV_LEN || !takes_iv(s, iv_bytes))
		return VIRTIO_CRYPTO_BADMSG;
	return __atomic_load_n(&s->retry_at_ms, __ATOMIC_RELAXED) != 0 ? VIRTIO_CRYPTO_NOSPC :
									  VIRTIO_CRYPTO_ERR;
}

/* --- the table ----------------------------------------------------------- */

static void session_free(struct crypto_session *s)
{
	for (unsigned int i = 0; i < ARRAY_LEN(s->by_iv); i++)
		if (s->by_iv[i] != NULL)
			rte_cryptodev_sym_session_free(s->cryptodev_id, s->by_iv[i]);
	pthread_mutex_destroy(&s->make_lock);
	explicit_bzero(&s->desc, sizeof(s->desc));
	free(s);
}

void crypto_session_drop(struct crypto_session *s, uint32_t n)
{
	if (__atomic_sub_fetch(&s->refs, n, __ATOMIC_ACQ_REL) == 0)
		session_free(s);
}

static struct crypto_session *session_new(struct crypto_sessions *table,
					  const struct session_desc *desc, const char *name)
{
	struct crypto_session *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		LOG_ERR("%s: session: no memory", name);
		return NULL;
	}
	s->refs = 1;
	s->block_bytes = 1;
	s->part_max_bytes = UINT32_MAX;
	s->cryptodev_id = table->cryptodev_id;
	s->pool = table->pool;
	s->table = table;
	s->name = name;
	s->desc = *desc;
	pthread_mutex_init(&s->make_lock, NULL);
	return s;
}

/*
 * Drivers may look at queue pairs (crypto_aesni_mb does) and crash without; cryptodev, at
 * capabilities of a device that has gone.
 */
static bool is_set_up(const struct crypto_session *s)
{
	if (rte_cryptodev_get_qp_status(s->cryptodev_id, 0) == 1)
		return true;
	LOG_ERR("%s: session: cryptodev %u has no queue pairs: set it up before guests come",
		s->name, s->cryptodev_id);
	return false;
}

/* 0 or a negative status. The first of cryptodev's sessions shows whether it can have any. */
static int session_begin(struct crypto_session *s)
{
	int status;

	if (!is_set_up(s))
		return -VIRTIO_CRYPTO_ERR;
	status = check_desc(s);
	/*
	 * Messages do not say whether a digest is to be made or verified. Who deciphers has one to
	 * compare with, and drivers (crypto_virtio) take the status for the verdict.
	 */
	s->verifies = !s->encrypts && (s->kind == CRYPTO_AEAD || s->kind == CRYPTO_CHAIN);
	return status != 0 ? status : sym_make(s, s->cipher != NULL ? s->cipher->iv_bytes : 0);
}

static unsigned int free_slot(const struct crypto_sessions *table)
{
	unsigned int slot = 0;

	while (slot < ARRAY_LEN(table->slots) && table->slots[slot] != NULL)
		slot++;
	return slot;
}

int64_t crypto_session_open(struct crypto_sessions *table, const struct session_desc *desc,
			    const char *name)
{
	const unsigned int slot = free_slot(table);
	struct crypto_session *s;
	int status;

	if (slot == ARRAY_LEN(table->slots)) {
		LOG_ERR("%s: session: %u are open, which is all there can be", name,
			table->nr_open);
		return -VIRTIO_CRYPTO_NOSPC;
	}
	s = session_new(table, desc, name);
	if (s == NULL)
		return -VIRTIO_CRYPTO_ERR;
	status = session_begin(s);
	if (status != 0) {
		crypto_session_drop(s, 1);
		return status;
	}
	s->id = (int64_t)((table->first_generation + table->generations[slot]) *
			  VHOST_CRYPTO_SESSION_MAP_ENTRIES + slot + 1);
	table->generations[slot]++;
	table->slots[slot] = s;
	table->nr_open++;
	return s->id;
}

static void slot_close(struct crypto_sessions *table, unsigned int slot)
{
	struct crypto_session *s = table->slots[slot];

	for (unsigned int i = 0; i < ARRAY_LEN(s->by_iv); i++)
		if (s->by_iv[i] != NULL)
			__atomic_sub_fetch(&table->nr_made, 1, __ATOMIC_RELAXED);
	table->slots[slot] = NULL;
	table->nr_open--;
	crypto_session_drop(s, 1);
}

int crypto_session_close(struct crypto_sessions *table, uint64_t id)
{
	if (crypto_session_find(table, id) == NULL)
		return -ENOENT;
	slot_close(table, (unsigned int)((id - 1) % VHOST_CRYPTO_SESSION_MAP_ENTRIES));
	return 0;
}

void crypto_sessions_init(struct crypto_sessions *table, uint8_t cryptodev_id,
			  struct rte_mempool *pool)
{
	*table = (struct crypto_sessions){ .cryptodev_id = cryptodev_id, .pool = pool };
	/* Ids are signed, and above 0. */
	table->first_generation = rte_rand() >> 12 >> SESSION_SLOT_BITS;
}

void crypto_sessions_fini(struct crypto_sessions *table)
{
	for (unsigned int slot = 0; slot < ARRAY_LEN(table->slots); slot++)
		if (table->slots[slot] != NULL)
			slot_close(table, slot);
}
