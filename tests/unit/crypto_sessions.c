/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto/session.c: ids, limits and lifetimes of sessions, and everything that a frontend may
 * ask for. On DPDK's crypto devices in software; how cryptodev is called is watched by the linker.
 */
#include <pthread.h>
#include <rte_errno.h>

#include "crypto_kit.h"

#define ENTRIES VHOST_CRYPTO_SESSION_MAP_ENTRIES
#define POOL_SIZE (3 * ENTRIES)
#define SMALL_POOL_SIZE 4

static struct rte_mempool *pool, *small_pool;
static struct crypto_sessions table, other;

/* --- what the library calls ---------------------------------------------- */

static struct {
	unsigned int calls; /* atomic */
	bool dawdles;       /* so that other threads come, too */
	int inside;         /* threads, atomic */
	bool met;           /* two of them */
	int error;          /* of the next ones; 0: none */
	uint32_t auth_key_bytes; /* of the latest, if it is a hash or MAC alone */
} create;

void *__real_rte_cryptodev_sym_session_create(uint8_t dev_id, struct rte_crypto_sym_xform *xforms,
					      struct rte_mempool *mp);
void *__wrap_rte_cryptodev_sym_session_create(uint8_t dev_id, struct rte_crypto_sym_xform *xforms,
					      struct rte_mempool *mp);
void *__wrap_rte_cryptodev_sym_session_create(uint8_t dev_id, struct rte_crypto_sym_xform *xforms,
					      struct rte_mempool *mp)
{
	void *sym = NULL;

	__atomic_fetch_add(&create.calls, 1, __ATOMIC_RELAXED);
	if (xforms->type == RTE_CRYPTO_SYM_XFORM_AUTH)
		create.auth_key_bytes = xforms->auth.key.length;
	if (create.error != 0) {
		rte_errno = create.error;
		return NULL;
	}
	if (__atomic_fetch_add(&create.inside, 1, __ATOMIC_ACQ_REL) != 0)
		create.met = true;
	for (unsigned int i = 0; i < 200 && create.dawdles; i++)
		sched_yield();
	sym = __real_rte_cryptodev_sym_session_create(dev_id, xforms, mp);
	__atomic_fetch_sub(&create.inside, 1, __ATOMIC_ACQ_REL);
	return sym;
}

/* The latest session: what was left in it when its memory went. */
static struct {
	const struct crypto_session *session;
	bool freed, had_keys;
} latest;

void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes)
{
	void *p = __real_calloc(n, bytes);

	if (bytes == sizeof(*latest.session)) {
		latest.session = p;
		latest.freed = latest.had_keys = false;
	}
	return p;
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
	if (p != NULL && p == latest.session && !latest.freed) {
		const uint8_t *d = (const uint8_t *)&latest.session->desc;

		latest.freed = true;
		for (unsigned int i = 0; i < sizeof(struct session_desc); i++)
			latest.had_keys |= d[i] != 0;
	}
	__real_free(p);
}

/* --- helpers --------------------------------------------------------------- */

static int64_t open_in(struct crypto_sessions *t, struct session_desc d)
{
	return crypto_session_open(t, &d, "test");
}

static struct crypto_session *session_in(const struct crypto_sessions *t, int64_t id)
{
	struct crypto_session *s = crypto_session_find(t, (uint64_t)id);

	CHECK(s != NULL);
	CHECK_EQ(s->id, id);
	return s;
}

static struct crypto_session *open_new(struct crypto_sessions *t, struct session_desc d)
{
	int64_t id = open_in(t, d);

	CHECK(id > 0);
	return session_in(t, id);
}

static unsigned int taken(const struct rte_mempool *from)
{
	return from->size - rte_mempool_avail_count(from);
}

static struct work result(struct crypto_session *s)
{
	struct work w = work_new(3);

	CHECK_EQ(work_do(s, s->cipher->iv_bytes, &w), RTE_CRYPTO_OP_STATUS_SUCCESS);
	return w;
}

static bool same_result(struct crypto_session *s, const struct work *expected)
{
	struct work w = result(s);

	return memcmp(w.data, expected->data, sizeof(w.data)) == 0;
}

/* --- ids and limits ---------------------------------------------------------- */

static void ids(void)
{
	CHECK_EQ(open_in(&table, desc_aes_cbc()), 1);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), 2);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), 3);
	CHECK_EQ(crypto_session_close(&table, 2), 0);
	CHECK(crypto_session_find(&table, 2) == NULL);
	CHECK_EQ(crypto_session_close(&table, 2), -ENOENT);
	/* The lowest free place, but not the id. */
	CHECK_EQ(open_in(&table, desc_aes_cbc()), ENTRIES + 2);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), 4);
	CHECK(crypto_session_find(&table, 2) == NULL);
	CHECK_EQ(crypto_session_close(&table, 2), -ENOENT);
	CHECK_EQ(crypto_session_close(&table, ENTRIES + 2), 0);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), 2 * ENTRIES + 2);
	CHECK_EQ(crypto_session_close(&table, 1), 0);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), ENTRIES + 1);
	/* One that was refused takes no id. */
	CHECK(open_in(&table, desc_cipher(VIRTIO_CRYPTO_CIPHER_AES_CBC, 5, 1)) < 0);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), 5);
	CHECK_EQ(table.nr_open, 5);
}

/* A guest may remember an id of a device, or a process, before this one. */
static void ids_do_not_come_back(void)
{
	static int64_t seen[64];

	for (unsigned int i = 0; i < ARRAY_LEN(seen); i++) {
		crypto_sessions_fini(&table);
		crypto_sessions_init(&table, table.cryptodev_id, pool);
		seen[i] = open_in(&table, desc_aes_cbc());
		CHECK(seen[i] > 0);
		CHECK(crypto_session_find(&table, (uint64_t)seen[i]) != NULL);
		for (unsigned int j = 0; j < i; j++)
			CHECK(seen[j] != seen[i]);
	}
}

static void ids_that_never_were(void)
{
	static const uint64_t bad[] = { 0, 2, ENTRIES, ENTRIES + 1, 1ULL << 32, (1ULL << 32) + 1,
					(1ULL << 63) + 1, INT64_MAX, UINT64_MAX,
					UINT64_MAX - ENTRIES + 2 };

	CHECK_EQ(open_in(&table, desc_aes_cbc()), 1);
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(crypto_session_find(&table, bad[i]) == NULL);
		CHECK_EQ(crypto_session_close(&table, bad[i]), -ENOENT);
	}
	session_in(&table, 1);
}

static void a_full_table(void)
{
	for (unsigned int i = 1; i <= ENTRIES; i++)
		CHECK_EQ(open_in(&table, desc_aes_cbc()), i);
	CHECK_EQ(table.nr_open, ENTRIES);
	CHECK_EQ(kit_lines, 0);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), -VIRTIO_CRYPTO_NOSPC);
	CHECK_EQ(kit_lines, 1);
	CHECK(strstr(kit_last_line, "1024") != NULL);
	CHECK_EQ(taken(pool), ENTRIES);
	CHECK_EQ(crypto_session_close(&table, 500), 0);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), ENTRIES + 500);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), -VIRTIO_CRYPTO_NOSPC);
	crypto_sessions_fini(&table);
	CHECK_EQ(table.nr_open, 0);
	CHECK_EQ(taken(pool), 0);
}

static void an_empty_pool(void)
{
	crypto_sessions_init(&table, table.cryptodev_id, small_pool);
	table.first_generation = 0;
	for (unsigned int i = 1; i <= SMALL_POOL_SIZE; i++)
		CHECK_EQ(open_in(&table, desc_aes_cbc()), i);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), -VIRTIO_CRYPTO_NOSPC);
	CHECK_EQ(kit_lines, 1);
	CHECK_EQ(table.nr_open, SMALL_POOL_SIZE);
	CHECK_EQ(crypto_session_close(&table, 2), 0);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), ENTRIES + 2);
}

/* A guest does not get more of the pool with IVs of many lengths. */
static void no_more_than_its_share(void)
{
	unsigned int more = 0;

	for (unsigned int i = 1; i <= ENTRIES - 10; i++)
		CHECK_EQ(open_in(&table, desc_ccm(1)), i);
	for (unsigned int i = 1; i <= ENTRIES - 10; i++)
		for (uint32_t iv_bytes = 7; iv_bytes <= 11; iv_bytes++)
			more += crypto_session_for_iv(session_in(&table, i), iv_bytes) != NULL;
	CHECK_EQ(more, 10);
	CHECK_EQ(taken(pool), ENTRIES);
	CHECK_EQ(open_in(&table, desc_ccm(1)), -VIRTIO_CRYPTO_NOSPC);
	for (unsigned int i = 1; i <= ENTRIES; i++)
		CHECK_EQ(open_in(&other, desc_aes_cbc()), i);
	/* The first two have ten. */
	CHECK_EQ(crypto_session_close(&table, 1), 0);
	CHECK_EQ(crypto_session_close(&table, 2), 0);
	CHECK_EQ(taken(pool), 2 * ENTRIES - 12);
	for (unsigned int i = 0; i < 12; i++)
		CHECK(open_in(&table, desc_ccm(1)) > 0);
	CHECK_EQ(taken(pool), 2 * ENTRIES);
}

/* --- lifetimes ------------------------------------------------------------------ */

static void closed_under_way(void)
{
	struct crypto_session *s = open_new(&table, desc_aes_cbc());
	const struct work expected = result(s);

	crypto_session_hold(s, 3);
	CHECK_EQ(crypto_session_close(&table, 1), 0);
	CHECK(crypto_session_find(&table, 1) == NULL);
	CHECK_EQ(table.nr_open, 0);
	CHECK_EQ(crypto_session_close(&table, 1), -ENOENT);
	CHECK_EQ(open_in(&table, desc_ccm(1)), ENTRIES + 1);
	CHECK_EQ(taken(pool), 2);
	/* What is under way ends as it began. */
	CHECK(same_result(s, &expected));
	crypto_session_drop(s, 2);
	CHECK(same_result(s, &expected));
	CHECK_EQ(taken(pool), 2);
	crypto_session_drop(s, 1);
	CHECK_EQ(taken(pool), 1);
}

static void a_table_goes_under_way(void)
{
	struct crypto_session *s = open_new(&table, desc_aes_cbc());
	const struct work expected = result(s);

	crypto_session_hold(s, 1);
	open_new(&table, desc_aes_cbc());
	crypto_sessions_fini(&table);
	memset(&table, 0xee, sizeof(table));
	CHECK_EQ(taken(pool), 1);
	CHECK(same_result(s, &expected));
	crypto_session_drop(s, 1);
	CHECK_EQ(taken(pool), 0);
	crypto_sessions_init(&table, 0, pool);
	table.first_generation = 0;
}

/* Requests of several threads end, and the loop thread closes meanwhile: one of them frees. */
static void *end_requests(void *arg)
{
	for (unsigned int i = 0; i < 1000; i++) {
		crypto_session_drop(arg, 1);
		if (i % 100 == 0)
			sched_yield();
	}
	return NULL;
}

static void the_last_one_frees(void)
{
	for (unsigned int round = 0; round < 50; round++) {
		struct crypto_session *s = open_new(&table, desc_ccm(1));
		uint64_t id = (uint64_t)s->id;
		pthread_t threads[3];

		CHECK(crypto_session_for_iv(s, 7) != NULL);
		CHECK_EQ(taken(pool), 2);
		crypto_session_hold(s, 3000);
		for (unsigned int i = 0; i < 3; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, end_requests, s), 0);
		CHECK_EQ(crypto_session_close(&table, id), 0);
		for (unsigned int i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		CHECK_EQ(taken(pool), 0);
	}
}

static void tables_apart(void)
{
	struct session_desc d = desc_aes_cbc();
	struct crypto_session *a = open_new(&table, d), *b;
	const struct work of_a = result(a);

	d.cipher_key[3] ^= 1;
	b = open_new(&other, d);
	CHECK(a->id == b->id);
	CHECK(!same_result(b, &of_a));
	open_new(&table, d);
	CHECK(crypto_session_find(&other, 2) == NULL);
	CHECK_EQ(crypto_session_close(&other, 2), -ENOENT);
	CHECK_EQ(crypto_session_close(&other, 1), 0);
	CHECK(same_result(session_in(&table, 1), &of_a));
	crypto_sessions_fini(&other);
	CHECK(same_result(session_in(&table, 1), &of_a));
}

static void keys_are_wiped(void)
{
	open_new(&table, desc_aes_cbc());
	CHECK(!latest.freed);
	CHECK_EQ(crypto_session_close(&table, 1), 0);
	CHECK(latest.freed && !latest.had_keys);
	/* Refused in a check, and by the device. */
	CHECK(open_in(&table, desc_cipher(VIRTIO_CRYPTO_CIPHER_AES_CBC, 17, 1)) < 0);
	CHECK(latest.freed && !latest.had_keys);
	create.error = ENOTSUP;
	CHECK(open_in(&table, desc_aes_cbc()) < 0);
	CHECK(latest.freed && !latest.had_keys);
}

/* --- IVs ---------------------------------------------------------------------- */

static void *for_iv(struct session_desc d, uint32_t iv_bytes)
{
	struct crypto_session *s = open_new(&table, d);
	void *sym = crypto_session_for_iv(s, iv_bytes);

	CHECK_EQ(crypto_session_close(&table, (uint64_t)s->id), 0);
	return sym;
}

static void lengths_of_ivs(void)
{
	struct crypto_session *s = open_new(&table, desc_ccm(1));
	void *sym[14];

	CHECK_EQ(taken(pool), 1);
	for (uint32_t n = 7; n <= 13; n++) {
		sym[n] = crypto_session_for_iv(s, n);
		CHECK(sym[n] != NULL);
		for (uint32_t k = 7; k < n; k++)
			CHECK(sym[k] != sym[n]);
	}
	for (uint32_t n = 7; n <= 13; n++)
		CHECK(crypto_session_for_iv(s, n) == sym[n]);
	CHECK_EQ(taken(pool), 7);
	CHECK_EQ(kit_lines, 0);
	for (uint32_t n = 0; n < 256; n++)
		CHECK((crypto_session_for_iv(s, n) != NULL) == (n >= 7 && n <= 13));
	CHECK(crypto_session_for_iv(s, UINT32_MAX) == NULL);
	CHECK(crypto_session_for_iv(s, (1u << 31) + 12) == NULL);
	CHECK_EQ(taken(pool), 7);
	CHECK_EQ(crypto_session_close(&table, 1), 0);
	CHECK_EQ(taken(pool), 0);
}

/* Not all that a cryptodev takes is what virtio means. */
static void lengths_that_mean_something_else(void)
{
	uint8_t openssl = device_or_skip(OPENSSL), aesni_mb = device_or_skip(AESNI_MB);

	table.cryptodev_id = openssl;
	CHECK(for_iv(desc_aead(VIRTIO_CRYPTO_AEAD_GCM, 16, 16, 0, 1), 12) != NULL);
	CHECK(for_iv(desc_aead(VIRTIO_CRYPTO_AEAD_GCM, 16, 16, 0, 1), 16) == NULL);
	CHECK(for_iv(desc_hash(VIRTIO_CRYPTO_HASH_SHA1, 20), 0) != NULL);
	CHECK(for_iv(desc_hash(VIRTIO_CRYPTO_HASH_SHA1, 20), 16) == NULL);
	CHECK(for_iv(desc_mac(VIRTIO_CRYPTO_MAC_HMAC_SHA1, 20, 20), 1) == NULL);
	CHECK(for_iv(desc_aes_cbc(), 0) == NULL);
	CHECK(for_iv(desc_aes_cbc(), 8) == NULL);
	table.cryptodev_id = aesni_mb;
	CHECK(for_iv(desc_cipher(VIRTIO_CRYPTO_CIPHER_AES_CTR, 16, 1), 16) != NULL);
	CHECK(for_iv(desc_cipher(VIRTIO_CRYPTO_CIPHER_AES_CTR, 16, 1), 12) == NULL);
	CHECK(for_iv(desc_cipher(VIRTIO_CRYPTO_CIPHER_AES_ECB, 16, 1), 0) != NULL);
	CHECK(for_iv(desc_cipher(VIRTIO_CRYPTO_CIPHER_AES_ECB, 16, 1), 16) == NULL);
}

/* Asks often; how often cryptodev was asked. */
static unsigned int ask_in_vain(struct crypto_session *s, uint32_t iv_bytes)
{
	create.calls = 0;
	for (unsigned int i = 0; i < 1000; i++)
		CHECK(crypto_session_for_iv(s, iv_bytes) == NULL);
	return create.calls;
}

static void a_length_that_cannot_be_is_cheap(void)
{
	struct crypto_session *s = open_new(&table, desc_ccm(1));

	CHECK_EQ(ask_in_vain(s, 5), 0);
	CHECK_EQ(kit_lines, 1);
	CHECK(strstr(kit_last_line, " 5 bytes") != NULL);
	CHECK_EQ(ask_in_vain(s, VHOST_CRYPTO_MAX_IV_LEN), 0);
	CHECK_EQ(kit_lines, 2);
	CHECK_EQ(ask_in_vain(s, VHOST_CRYPTO_MAX_IV_LEN + 1), 0);
	CHECK_EQ(kit_lines, 2);
}

/* The driver may still refuse what its capabilities promise. */
static void a_refusal_is_for_good(void)
{
	struct crypto_session *s = open_new(&table, desc_ccm(1));

	create.error = EINVAL;
	CHECK_EQ(ask_in_vain(s, 7), 1);
	create.error = ENOTSUP;
	CHECK_EQ(ask_in_vain(s, 8), 1);
	CHECK_EQ(kit_lines, 2);
	create.error = 0;
	CHECK_EQ(ask_in_vain(s, 7), 0);
	CHECK_EQ(ask_in_vain(s, 8), 0);
	/* Of this session, for these lengths. */
	CHECK(crypto_session_for_iv(s, 9) != NULL);
	CHECK(for_iv(desc_ccm(1), 7) != NULL);
}

static void an_empty_pool_is_asked_again(void)
{
	struct crypto_session *s, *full;
	const int64_t start_ms = clock_now_ms();
	unsigned int calls;

	crypto_sessions_init(&table, table.cryptodev_id, small_pool);
	table.first_generation = 0;
	s = open_new(&table, desc_ccm(1));
	full = open_new(&table, desc_ccm(1));
	CHECK(crypto_session_for_iv(full, 7) != NULL && crypto_session_for_iv(full, 8) != NULL);
	calls = ask_in_vain(s, 7) + ask_in_vain(s, 8);
	CHECK(calls >= 1 && calls <= 1 + (clock_now_ms() - start_ms) / 1000);
	CHECK_EQ(kit_lines, calls);
	/* What is there already does not suffer. */
	CHECK(crypto_session_for_iv(s, 12) != NULL);
	CHECK_EQ(crypto_session_close(&table, 2), 0);
	while (crypto_session_for_iv(s, 7) == NULL) {
		CHECK(clock_now_ms() - start_ms < WAIT_MS);
		sched_yield();
	}
	CHECK(crypto_session_for_iv(s, 8) != NULL);
	CHECK(crypto_session_for_iv(s, 9) != NULL);
}

/* --- threads ------------------------------------------------------------------ */

#define NR_THREADS 4
static struct {
	struct crypto_session *s;
	pthread_barrier_t barrier;
	void *sym[NR_THREADS][VHOST_CRYPTO_MAX_IV_LEN + 1];
} race;

static void *racer(void *arg)
{
	void **sym = arg;

	pthread_barrier_wait(&race.barrier);
	for (uint32_t n = 0; n <= VHOST_CRYPTO_MAX_IV_LEN; n++)
		sym[n] = crypto_session_for_iv(race.s, n);
	return NULL;
}

/* Each length is made once, and all threads get the same one. */
static void threads_make_sessions(void)
{
	pthread_barrier_init(&race.barrier, NULL, NR_THREADS);
	for (unsigned int round = 0; round < 20; round++) {
		pthread_t threads[NR_THREADS];

		race.s = open_new(&table, desc_ccm(1));
		kit_lines = 0;
		create.calls = 0;
		create.dawdles = true;
		for (unsigned int i = 0; i < NR_THREADS; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, racer, race.sym[i]), 0);
		for (unsigned int i = 0; i < NR_THREADS; i++)
			pthread_join(threads[i], NULL);
		create.dawdles = false;
		for (unsigned int n = 0; n <= VHOST_CRYPTO_MAX_IV_LEN; n++) {
			CHECK((race.sym[0][n] != NULL) == (n >= 7 && n <= 13));
			for (unsigned int i = 1; i < NR_THREADS; i++)
				CHECK(race.sym[i][n] == race.sym[0][n]);
		}
		CHECK_EQ(create.calls, 6);
		CHECK(!create.met);
		/* A line for each length that it cannot have. */
		CHECK_EQ(kit_lines, VHOST_CRYPTO_MAX_IV_LEN + 1 - 7);
		CHECK_EQ(taken(pool), 7);
		CHECK_EQ(crypto_session_close(&table, (uint64_t)race.s->id), 0);
		CHECK_EQ(taken(pool), 0);
	}
	pthread_barrier_destroy(&race.barrier);
}

/* --- what is refused ------------------------------------------------------------ */

static struct session_desc chain_of(uint8_t order)
{
	const struct session_desc cbc = desc_aes_cbc();
	const struct session_desc hmac = desc_mac(VIRTIO_CRYPTO_MAC_HMAC_SHA1, 20, 20);

	return desc_chain(&cbc, &hmac, order);
}

/* The part of a description that is wrong, what comes of it, and what the log has to name. */
#define SET(from, field, value)                  \
	({                                       \
		struct session_desc d_ = (from); \
		d_.field = (value);              \
		d_;                              \
	})

static void what_is_refused(void)
{
	const struct session_desc gcm = desc_aead(VIRTIO_CRYPTO_AEAD_GCM, 16, 16, 0, 1);
	const struct session_desc sha = desc_hash(VIRTIO_CRYPTO_HASH_SHA_256, 32);
	const struct session_desc hmac = desc_mac(VIRTIO_CRYPTO_MAC_HMAC_SHA1, 20, 20);
	const int no = -VIRTIO_CRYPTO_NOTSUPP, err = -VIRTIO_CRYPTO_ERR;
	const struct {
		struct session_desc d;
		int status;
		const char *named;
	} refused[] = {
		{ SET(desc_aes_cbc(), opcode, 0), no, "0x0" },
		{ SET(desc_aes_cbc(), opcode, UINT32_MAX), no, "0xffffffff" },
		{ SET(desc_aes_cbc(), opcode, VIRTIO_CRYPTO_CIPHER_DESTROY_SESSION), no, "0x3" },
		{ SET(desc_aes_cbc(), opcode, VIRTIO_CRYPTO_AKCIPHER_CREATE_SESSION), no, "0x404" },
		{ SET(desc_aes_cbc(), op_type, VIRTIO_CRYPTO_SYM_OP_NONE), no, "operation 0" },
		{ SET(desc_aes_cbc(), op_type, 9), no, "operation 9" },
		{ SET(desc_aes_cbc(), direction, 0), err, "direction 0" },
		{ SET(desc_aes_cbc(), direction, 7), err, "direction 7" },
		{ SET(desc_aes_cbc(), cipher_algo, 0), no, "algorithm 0" },
		{ SET(desc_aes_cbc(), cipher_algo, VIRTIO_CRYPTO_CIPHER_DES_ECB), no, "5" },
		{ SET(desc_aes_cbc(), cipher_algo, VIRTIO_CRYPTO_CIPHER_AES_XTS), no, "AES_XTS" },
		{ SET(desc_aes_cbc(), cipher_algo, 256 + VIRTIO_CRYPTO_CIPHER_AES_CBC), no, "259" },
		{ SET(desc_aes_cbc(), cipher_key_bytes, 0), no, "AES_CBC with a key of 0" },
		{ SET(desc_aes_cbc(), cipher_key_bytes, 17), no, "17 bytes" },
		{ SET(desc_aes_cbc(), cipher_key_bytes, 64), no, "16 to 32, in steps of 8" },
		{ SET(sha, hash_algo, VIRTIO_CRYPTO_HASH_SHA3_SHAKE128), no, "hash algorithm 11" },
		{ SET(sha, hash_algo, VIRTIO_CRYPTO_HASH_SHA3_256), no, "SHA3_256" },
		{ SET(sha, digest_bytes, 0), no, "0 bytes" },
		{ SET(sha, digest_bytes, 31), no, "SHA_256 with a result of 31" },
		{ SET(sha, digest_bytes, 65), no, "65" },
		{ SET(sha, digest_bytes, 256 + 32), no, "288" },
		{ SET(sha, digest_bytes, 65536 + 32), no, "65568" },
		{ SET(hmac, hash_algo, VIRTIO_CRYPTO_MAC_GMAC_AES), no, "GMAC_AES" },
		{ SET(hmac, hash_algo, VIRTIO_CRYPTO_MAC_GMAC_TWOFISH), no, "42" },
		{ SET(hmac, auth_key_bytes, 0), no, "HMAC_SHA1 with a key of 0" },
		{ SET(hmac, auth_key_bytes, 65), no, "1 to 64" },
		{ SET(hmac, digest_bytes, 21), no, "1 to 20" },
		{ SET(gcm, cipher_algo, 4), no, "AEAD algorithm 4" },
		{ SET(gcm, cipher_algo, VIRTIO_CRYPTO_AEAD_CHACHA20_POLY1305), no, "CHACHA20" },
		{ SET(gcm, direction, 3), err, "direction 3" },
		{ SET(gcm, digest_bytes, 12), no, "GCM with a result of 12" },
		{ SET(gcm, cipher_key_bytes, 0), no, "GCM with a key of 0" },
		{ SET(gcm, aad_bytes, CRYPTO_AAD_MAX_BYTES + 1), no, "257" },
		{ SET(gcm, aad_bytes, 65536), no, "65536" },
		{ SET(gcm, aad_bytes, UINT32_MAX), no, "4294967295" },
		{ SET(chain_of(1), hash_mode, 0), no, "mode 0" },
		{ SET(chain_of(1), hash_mode, VIRTIO_CRYPTO_SYM_HASH_MODE_NESTED), no, "mode 3" },
		{ SET(chain_of(2), hash_mode, 200), no, "mode 200" },
		{ chain_of(0), err, "order 0" },
		{ chain_of(3), err, "order 3" },
		{ SET(chain_of(1), aad_bytes, 1), no, "AAD of 1 bytes" },
		{ SET(chain_of(1), cipher_key_bytes, 15), no, "15" },
		{ SET(chain_of(1), auth_key_bytes, 65), no, "65" },
		{ SET(chain_of(1), digest_bytes, 0), no, "0 bytes" },
		{ SET(chain_of(1), direction, 0), err, "direction 0" },
		{ SET(chain_of(2), hash_mode, VIRTIO_CRYPTO_SYM_HASH_MODE_PLAIN), 1, "" },
		/* What no caller may do. */
		{ SET(desc_aes_cbc(), cipher_key_bytes, 65), err, "" },
		{ SET(hmac, auth_key_bytes, 513), err, "" },
	};

	for (unsigned int i = 0; i < ARRAY_LEN(refused); i++) {
		int64_t got;

		kit_lines = 0;
		kit_last_line[0] = '\0';
		got = open_in(&table, refused[i].d);
		if ((got > 0 ? 1 : got) != refused[i].status ||
		    strstr(kit_last_line, refused[i].named) == NULL)
			tap_fail(__FILE__, __LINE__, "%u: %" PRId64 ", expected %d (%s): %s", i,
				 got, refused[i].status, refused[i].named, kit_last_line);
		CHECK_EQ(kit_lines, refused[i].named[0] != '\0');
		CHECK(kit_lines == 0 || strncmp(kit_last_line, "test: ", 6) == 0);
		if (got > 0)
			CHECK_EQ(crypto_session_close(&table, (uint64_t)got), 0);
		CHECK_EQ(table.nr_open, 0);
		CHECK_EQ(taken(pool), 0);
	}
}

static void what_aesni_mb_refuses(void)
{
	table.cryptodev_id = device_or_skip(AESNI_MB);
	CHECK_EQ(open_in(&table, desc_aead(VIRTIO_CRYPTO_AEAD_CCM, 16, 8, 47, 1)),
		 -VIRTIO_CRYPTO_NOTSUPP);
	CHECK(strstr(kit_last_line, "CCM with AAD of 47 bytes") != NULL);
	CHECK_EQ(open_in(&table, desc_mac(VIRTIO_CRYPTO_MAC_ZUC_EIA3, 4, 16)),
		 -VIRTIO_CRYPTO_NOTSUPP);
	CHECK_EQ(open_in(&table, desc_mac(VIRTIO_CRYPTO_MAC_SNOW3G_UIA2, 4, 16)),
		 -VIRTIO_CRYPTO_NOTSUPP);
	CHECK_EQ(taken(pool), 0);
}

/* A device without limits of its own: ours, and those of what a message holds, are left. */
static void limits_of_our_own(void)
{
	const struct session_desc gcm = desc_aead(VIRTIO_CRYPTO_AEAD_GCM, 16, 16, 0, 1);
	const struct session_desc hmac = desc_mac(VIRTIO_CRYPTO_MAC_HMAC_SHA_512, 64, 20);
	const struct session_desc refused[] = {
		SET(hmac, digest_bytes, 0),
		SET(hmac, digest_bytes, CRYPTO_DIGEST_MAX_BYTES + 1),
		SET(hmac, digest_bytes, 256 + 16),
		SET(hmac, digest_bytes, 65536 + 16),
		SET(gcm, digest_bytes, 256 + 16),
		SET(gcm, aad_bytes, CRYPTO_AAD_MAX_BYTES + 1),
		SET(gcm, aad_bytes, 65536),
		SET(gcm, cipher_key_bytes, SESSION_CIPHER_KEY_BYTES + 1),
		SET(gcm, cipher_key_bytes, 65536 + 16),
		SET(hmac, auth_key_bytes, SESSION_AUTH_KEY_BYTES + 1),
		SET(hmac, auth_key_bytes, 65536 + 16),
	};

	promise.on = true;
	promise.cryptodev_id = table.cryptodev_id;
	promise.key = promise.digest = promise.aad =
		(struct rte_crypto_param_range){ 0, UINT16_MAX, 1 };
	for (unsigned int i = 0; i < ARRAY_LEN(refused); i++)
		CHECK(open_in(&table, refused[i]) < 0);
	CHECK_EQ(create.calls, 0);
	CHECK_EQ(open_in(&table, SET(gcm, aad_bytes, CRYPTO_AAD_MAX_BYTES)), 1);
	CHECK_EQ(open_in(&table, hmac), 2);
	CHECK_EQ(create.auth_key_bytes, 20);
	/* Nobody has looked at the length of a key that hashes have not. */
	CHECK_EQ(open_in(&table, SET(desc_hash(VIRTIO_CRYPTO_HASH_SHA1, 20), auth_key_bytes, 600)),
		 3);
	CHECK_EQ(create.auth_key_bytes, 0);
}

static void errors_of_cryptodev(void)
{
	create.error = ENOTSUP;
	CHECK_EQ(open_in(&table, desc_aes_cbc()), -VIRTIO_CRYPTO_NOTSUPP);
	/* A combination, for one. */
	CHECK_EQ(open_in(&table, chain_of(1)), -VIRTIO_CRYPTO_NOTSUPP);
	CHECK(strstr(kit_last_line, "AES_CBC and HMAC_SHA1") != NULL);
	create.error = ENOMEM;
	CHECK_EQ(open_in(&table, desc_aes_cbc()), -VIRTIO_CRYPTO_NOSPC);
	create.error = EINVAL;
	CHECK_EQ(open_in(&table, desc_aes_cbc()), -VIRTIO_CRYPTO_ERR);
	create.error = EBADE;
	CHECK_EQ(open_in(&table, desc_aes_cbc()), -VIRTIO_CRYPTO_ERR);
	CHECK_EQ(kit_lines, 5);
	CHECK_EQ(table.nr_made, 0);
	create.error = 0;
	CHECK_EQ(open_in(&table, desc_aes_cbc()), 1);
}

/* Guests come too early, or stay too long: the driver would crash, then cryptodev. */
static void a_device_that_is_not_set_up(void)
{
	static int id = NO_DEVICE;

	(void)device_or_skip(AESNI_MB);
	if (id == NO_DEVICE)
		id = kit_device("crypto_aesni_mb_bare");
	CHECK(id != NO_DEVICE);
	table.cryptodev_id = (uint8_t)id;
	CHECK_EQ(open_in(&table, desc_aes_cbc()), -VIRTIO_CRYPTO_ERR);
	CHECK(strstr(kit_last_line, "queue pairs") != NULL);
	CHECK(kit_device_start((uint8_t)id));
	CHECK_EQ(open_in(&table, desc_aes_cbc()), 1);
	crypto_sessions_fini(&table);
	rte_cryptodev_stop((uint8_t)id);
	CHECK_EQ(rte_eal_hotplug_remove("vdev", "crypto_aesni_mb_bare"), 0);
	CHECK_EQ(open_in(&table, desc_aes_cbc()), -VIRTIO_CRYPTO_ERR);
	id = NO_DEVICE;
}

/* --- anything ------------------------------------------------------------------- */

/* Mostly sense; now and then anything. */
static uint32_t mostly(uint32_t below)
{
	switch (kit_random_below(16)) {
	case 0:
		return (uint32_t)kit_random();
	case 1:
		return UINT32_MAX - kit_random_below(4);
	}
	return kit_random_below(below);
}

static struct session_desc desc_random(void)
{
	static const uint32_t opcodes[] = {
		VIRTIO_CRYPTO_CIPHER_CREATE_SESSION,   VIRTIO_CRYPTO_HASH_CREATE_SESSION,
		VIRTIO_CRYPTO_MAC_CREATE_SESSION,      VIRTIO_CRYPTO_AEAD_CREATE_SESSION,
		VIRTIO_CRYPTO_AKCIPHER_CREATE_SESSION,
	};
	static const uint32_t keys[] = { 0, 8, 16, 20, 24, 32, 64 };
	struct session_desc d;

	for (unsigned int i = 0; i < sizeof(d); i++)
		((uint8_t *)&d)[i] = (uint8_t)kit_random();
	d.opcode = kit_random_below(50) == 0 ? mostly(0x500) :
					       opcodes[kit_random_below(ARRAY_LEN(opcodes))];
	d.op_type = (uint8_t)mostly(3);
	d.direction = (uint8_t)mostly(3);
	d.hash_mode = (uint8_t)mostly(4);
	d.chain_order = (uint8_t)mostly(3);
	d.cipher_algo = mostly(d.opcode == VIRTIO_CRYPTO_AEAD_CREATE_SESSION ? 4 : 16);
	d.hash_algo = mostly(kit_random_below(2) == 0 ? 8 : 56);
	d.digest_bytes = mostly(kit_random_below(2) == 0 ? 21 : 66);
	d.aad_bytes = kit_random_below(2) == 0 ? 0 : mostly(300);
	d.cipher_key_bytes = kit_random_below(4) != 0 ? keys[kit_random_below(ARRAY_LEN(keys))] :
							 kit_random_below(65);
	d.auth_key_bytes = kit_random_below(4) != 0 ? keys[kit_random_below(ARRAY_LEN(keys))] :
						       kit_random_below(513);
	return d;
}

#define NR_HELD 16
/* Requests that are under way in sessions that may be closed. */
static struct crypto_session *held[NR_HELD];

static void use_randomly(struct crypto_session *s)
{
	struct crypto_session **place = &held[kit_random_below(NR_HELD)];

	(void)crypto_session_for_iv(s, mostly(18));
	if (*place != NULL)
		crypto_session_drop(*place, 1);
	crypto_session_hold(s, 1);
	*place = s;
}

static void random_descriptions(void)
{
	const uint8_t ids_of[] = { device_or_skip(OPENSSL), device_or_skip(AESNI_MB),
				   device_or_skip(AESNI_GCM), device_or_skip(KASUMI) };
	unsigned int nr_opened = 0, seen[ENTRIES] = { 0 };
	/* A guest may be told to wait. */
	uint64_t recent[64] = { 0 };

	kit_seed(6);
	for (unsigned int i = 0; i < 100000; i++) {
		struct session_desc d = desc_random();
		uint64_t *id = &recent[kit_random_below(ARRAY_LEN(recent))];
		int64_t got;

		/* The one that is in its place goes first. */
		if (*id != 0)
			CHECK_EQ(crypto_session_close(&table, *id), 0);
		*id = 0;
		table.cryptodev_id = ids_of[kit_random_below(ARRAY_LEN(ids_of))];
		got = open_in(&table, d);
		CHECK(got > 0 || (got <= -VIRTIO_CRYPTO_ERR && got >= -VIRTIO_CRYPTO_NOSPC));
		(void)crypto_session_close(&table, mostly(ENTRIES) + (1ULL << 50));
		if (got <= 0)
			continue;
		nr_opened++;
		seen[(got - 1) % ENTRIES]++;
		*id = (uint64_t)got;
		use_randomly(session_in(&table, got));
	}
	for (unsigned int i = 0; i < NR_HELD; i++) {
		if (held[i] != NULL)
			crypto_session_drop(held[i], 1);
		held[i] = NULL;
	}
	CHECK(nr_opened > 1000);
	/* Low places first: as many as there were sessions. */
	CHECK_EQ(seen[ARRAY_LEN(recent)], 0);
}

/* --- the program --------------------------------------------------------------- */

static void setup(void)
{
	int id = devices[OPENSSL].id;

	kit_capture_log();
	promise.on = false;
	memset(&create, 0, sizeof(create));
	memset(&latest, 0, sizeof(latest));
	crypto_sessions_init(&table, (uint8_t)id, pool);
	table.first_generation = 0;
	crypto_sessions_init(&other, (uint8_t)id, pool);
	other.first_generation = 0;
	(void)device_or_skip(OPENSSL);
}

static void teardown(void)
{
	crypto_sessions_fini(&table);
	crypto_sessions_fini(&other);
	if (taken(pool) + taken(small_pool) == 0 && table.nr_made == 0)
		return;
	fprintf(tap.out, "# of the pools %u and %u are gone, %u are counted\n", taken(pool),
		taken(small_pool), table.nr_made);
	tap.failed++;
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(ids),
		TAP_TEST(ids_do_not_come_back),
		TAP_TEST(ids_that_never_were),
		TAP_TEST(a_full_table),
		TAP_TEST(an_empty_pool),
		TAP_TEST(no_more_than_its_share),
		TAP_TEST(closed_under_way),
		TAP_TEST(a_table_goes_under_way),
		TAP_TEST(the_last_one_frees),
		TAP_TEST(tables_apart),
		TAP_TEST(keys_are_wiped),
		TAP_TEST(lengths_of_ivs),
		TAP_TEST(lengths_that_mean_something_else),
		TAP_TEST(a_length_that_cannot_be_is_cheap),
		TAP_TEST(a_refusal_is_for_good),
		TAP_TEST(an_empty_pool_is_asked_again),
		TAP_TEST(threads_make_sessions),
		TAP_TEST(what_is_refused),
		TAP_TEST(what_aesni_mb_refuses),
		TAP_TEST(limits_of_our_own),
		TAP_TEST(errors_of_cryptodev),
		TAP_TEST(a_device_that_is_not_set_up),
		TAP_TEST(random_descriptions),
	};
	int rc;

	tap_begin();
	if (!kit_start("crypto_sessions"))
		return 1;
	pool = kit_pool("sessions", POOL_SIZE, 128);
	small_pool = kit_pool("few_sessions", SMALL_POOL_SIZE, 0);
	if (pool == NULL || small_pool == NULL)
		return 1;
	rc = tap_run(tests, ARRAY_LEN(tests), argc > 1 ? argv[1] : NULL, setup, teardown);
	rte_eal_cleanup();
	return rc;
}
