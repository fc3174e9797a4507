/* SPDX-License-Identifier: BSD-3-Clause */
/* The application side of the crypto tests; see crypto_app.h. */
#include "crypto_app.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include <rte_debug.h>
#include <rte_random.h>

#define NR_OPS 1023
#define NR_SESSIONS 2047
#define NR_DESCRIPTORS 2048

struct crypto_app crypto_app;

void
crypto_app_args(int *argc, char ***argv)
{
	char **args = *argv;

	flow_vdev = "crypto_openssl";
	if (*argc < 2 || strncmp(args[1], "crypto_", 7) != 0)
		return;
	flow_vdev = args[1];
	args[1] = args[0];
	*argv = args + 1;
	(*argc)--;
}

static void
start_cryptodev(void)
{
	struct rte_cryptodev_config config = {.ff_disable = RTE_CRYPTODEV_FF_SECURITY};
	struct rte_cryptodev_qp_conf queue = {.nb_descriptors = NR_DESCRIPTORS};
	uint8_t id = crypto_app.cryptodev_id;

	rte_cryptodev_info_get(id, &crypto_app.info);
	crypto_app.session_pool = rte_cryptodev_sym_session_pool_create("sessions", NR_SESSIONS,
			rte_cryptodev_sym_get_private_session_size(id), 0, 0, 0);
	crypto_app.op_pool = rte_crypto_op_pool_create("ops", RTE_CRYPTO_OP_TYPE_SYMMETRIC, NR_OPS,
			0, VHOST_CRYPTO_MAX_IV_LEN, 0);
	RTE_VERIFY(crypto_app.session_pool != NULL && crypto_app.op_pool != NULL);
	config.nb_queue_pairs = 1;
	queue.mp_session = crypto_app.session_pool;
	RTE_VERIFY(rte_cryptodev_configure(id, &config) == 0);
	RTE_VERIFY(rte_cryptodev_queue_pair_setup(id, CRYPTO_APP_QUEUE_PAIR, &queue, 0) == 0);
	RTE_VERIFY(rte_cryptodev_start(id) == 0);
}

/* As new_device() and destroy_device() do. */
static void
on_callback(const char *word, int vid)
{
	if (strcmp(word, "+dev") == 0) {
		/* Ids of sessions are random; here a device has those of the one before. */
		rte_srand(1);
		crypto_app.create_result = rte_vhost_crypto_create(vid, crypto_app.cryptodev_id,
								   crypto_app.session_pool, 0);
		crypto_app.zero_copy_result = rte_vhost_crypto_set_zero_copy(vid,
									     crypto_app.zero_copy);
	} else if (strcmp(word, "-dev") == 0 && !crypto_app.keeps_devices) {
		rte_vhost_crypto_free(vid);
	}
}

void
crypto_app_setup(void)
{
	if (crypto_app.op_pool == NULL)
		start_cryptodev();
	crypto_app.keeps_devices = false;
	flow_start_driver = rte_vhost_crypto_driver_start;
	rec_application = on_callback;
}

bool
crypto_app_idle(void)
{
	return rte_mempool_in_use_count(crypto_app.op_pool) == 0;
}

static void
add_in_use(struct rte_mempool *pool, void *sum)
{
	if (strncmp(pool->name, "vhc", 3) == 0)
		*(unsigned *)sum += rte_mempool_in_use_count(pool);
}

unsigned
crypto_app_buffers_in_use(void)
{
	unsigned sum = 0;

	rte_mempool_walk(add_in_use, &sum);
	return sum;
}

unsigned
crypto_app_fetch(int vid, uint16_t queue, struct rte_crypto_op **ops, unsigned max)
{
	unsigned n;

	RTE_VERIFY(rte_crypto_op_bulk_alloc(crypto_app.op_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC, ops,
					    (uint16_t)max) == max);
	n = rte_vhost_crypto_fetch_requests(vid, queue, ops, (uint16_t)max);
	RTE_VERIFY(n <= max);
	if (n < max)
		rte_mempool_put_bulk(crypto_app.op_pool, (void **)ops + n, max - n);
	return n;
}

unsigned
crypto_app_run(struct rte_crypto_op **ops, unsigned nr_ops)
{
	struct rte_crypto_op *to_send[VHOST_CRYPTO_MAX_BURST_SIZE];
	uint64_t limit_us = flow_now_us() + 20000000;
	unsigned sent = 0, done = 0, refused = 0;
	uint8_t id = crypto_app.cryptodev_id;

	RTE_VERIFY(nr_ops <= RTE_DIM(to_send));
	memcpy(to_send, ops, nr_ops * sizeof(*ops));
	while (done < nr_ops) {
		sent += rte_cryptodev_enqueue_burst(id, CRYPTO_APP_QUEUE_PAIR, to_send + sent,
						    (uint16_t)(nr_ops - sent));
		/* Nothing under way and not taken: refused, for what it is. */
		if (done == sent && sent < nr_ops) {
			ops[done++] = to_send[sent++];
			refused++;
			continue;
		}
		done += rte_cryptodev_dequeue_burst(id, CRYPTO_APP_QUEUE_PAIR, ops + done,
						    (uint16_t)(sent - done));
		RTE_VERIFY(flow_now_us() < limit_us);
	}
	return refused;
}

unsigned
crypto_app_finalize(struct rte_crypto_op **ops, unsigned nr_ops)
{
	int callfds[VIRTIO_CRYPTO_MAX_NUM_BURST_VQS];
	uint16_t nr_callfds = 0;
	unsigned done = rte_vhost_crypto_finalize_requests(ops, (uint16_t)nr_ops, callfds,
							   &nr_callfds);

	RTE_VERIFY(done == nr_ops);
	for (unsigned i = 0; i < nr_callfds; i++)
		eventfd_write(callfds[i], 1);
	rte_mempool_put_bulk(crypto_app.op_pool, (void **)ops, nr_ops);
	return nr_callfds;
}

unsigned
crypto_app_pump(int vid, uint16_t queue)
{
	struct rte_crypto_op *ops[VHOST_CRYPTO_MAX_BURST_SIZE];
	unsigned n = crypto_app_fetch(vid, queue, ops, RTE_DIM(ops));

	if (n > 0) {
		crypto_app_run(ops, n);
		crypto_app_finalize(ops, n);
	}
	return n;
}

/* --- the cryptodev without the library ------------------------------------------ */

static const struct {
	uint32_t service, algo;
	int rte;
	bool in_bits;
} algorithms[] = {
#define CIPHER(virtio, dpdk, ...) \
	{VIRTIO_CRYPTO_SERVICE_CIPHER, VIRTIO_CRYPTO_CIPHER_##virtio, \
	 RTE_CRYPTO_CIPHER_##dpdk, ##__VA_ARGS__}
#define HASH(virtio, dpdk) \
	{VIRTIO_CRYPTO_SERVICE_HASH, VIRTIO_CRYPTO_HASH_##virtio, RTE_CRYPTO_AUTH_##dpdk, false}
#define MAC(virtio, dpdk, ...) \
	{VIRTIO_CRYPTO_SERVICE_MAC, VIRTIO_CRYPTO_MAC_##virtio, RTE_CRYPTO_AUTH_##dpdk, \
	 ##__VA_ARGS__}
#define AEAD(virtio, dpdk) \
	{VIRTIO_CRYPTO_SERVICE_AEAD, VIRTIO_CRYPTO_AEAD_##virtio, RTE_CRYPTO_AEAD_##dpdk, false}
	CIPHER(AES_ECB, AES_ECB, false), CIPHER(AES_CBC, AES_CBC, false),
	CIPHER(AES_CTR, AES_CTR, false), CIPHER(DES_CBC, DES_CBC, false),
	CIPHER(3DES_CBC, 3DES_CBC, false), CIPHER(3DES_CTR, 3DES_CTR, false),
	CIPHER(KASUMI_F8, KASUMI_F8, true), CIPHER(SNOW3G_UEA2, SNOW3G_UEA2, true),
	CIPHER(ZUC_EEA3, ZUC_EEA3, true),
	HASH(MD5, MD5), HASH(SHA1, SHA1), HASH(SHA_224, SHA224), HASH(SHA_256, SHA256),
	HASH(SHA_384, SHA384), HASH(SHA_512, SHA512),
	MAC(HMAC_MD5, MD5_HMAC, false), MAC(HMAC_SHA1, SHA1_HMAC, false),
	MAC(HMAC_SHA_224, SHA224_HMAC, false), MAC(HMAC_SHA_256, SHA256_HMAC, false),
	MAC(HMAC_SHA_384, SHA384_HMAC, false), MAC(HMAC_SHA_512, SHA512_HMAC, false),
	MAC(CMAC_AES, AES_CMAC, false), MAC(XCBC_AES, AES_XCBC_MAC, false),
	MAC(KASUMI_F9, KASUMI_F9, true),
	AEAD(GCM, AES_GCM), AEAD(CCM, AES_CCM), AEAD(CHACHA20_POLY1305, CHACHA20_POLY1305),
};

/* Index in algorithms[], or -1. */
static int
find_algorithm(uint32_t service, uint32_t algo)
{
	for (unsigned i = 0; i < RTE_DIM(algorithms); i++)
		if (algorithms[i].service == service && algorithms[i].algo == algo)
			return (int)i;
	return -1;
}

static int
find_of_session(const struct guest_crypto_session *s)
{
	uint32_t service = s->opcode >> 8;
	bool is_auth = service == VIRTIO_CRYPTO_SERVICE_HASH ||
		       service == VIRTIO_CRYPTO_SERVICE_MAC;

	return find_algorithm(service, is_auth ? s->hash_algo : s->cipher_algo);
}

bool
crypto_app_device_can(const struct guest_crypto_session *s, uint32_t iv_bytes)
{
	struct rte_cryptodev_sym_capability_idx idx = {.type = RTE_CRYPTO_SYM_XFORM_AUTH};
	const struct rte_cryptodev_symmetric_capability *has;
	uint16_t iv = (uint16_t)iv_bytes, digest = (uint16_t)s->digest_bytes;
	int at = find_of_session(s);

	if (at < 0)
		return false;
	switch (algorithms[at].service) {
	case VIRTIO_CRYPTO_SERVICE_CIPHER:
		/* virtio's ZUC is 128-EEA3, whatever else a device has by that name. */
		if (s->cipher_algo == VIRTIO_CRYPTO_CIPHER_ZUC_EEA3 && s->cipher_key_bytes != 16)
			return false;
		idx.type = RTE_CRYPTO_SYM_XFORM_CIPHER;
		idx.algo.cipher = (enum rte_crypto_cipher_algorithm)algorithms[at].rte;
		has = rte_cryptodev_sym_capability_get(crypto_app.cryptodev_id, &idx);
		return has != NULL && rte_cryptodev_sym_capability_check_cipher(
			has, (uint16_t)s->cipher_key_bytes, iv) == 0;
	case VIRTIO_CRYPTO_SERVICE_AEAD:
		idx.type = RTE_CRYPTO_SYM_XFORM_AEAD;
		idx.algo.aead = (enum rte_crypto_aead_algorithm)algorithms[at].rte;
		has = rte_cryptodev_sym_capability_get(crypto_app.cryptodev_id, &idx);
		return has != NULL && rte_cryptodev_sym_capability_check_aead(
			has, (uint16_t)s->cipher_key_bytes, digest, (uint16_t)s->aad_bytes,
			iv) == 0;
	default:
		idx.algo.auth = (enum rte_crypto_auth_algorithm)algorithms[at].rte;
		has = rte_cryptodev_sym_capability_get(crypto_app.cryptodev_id, &idx);
		return has != NULL && rte_cryptodev_sym_capability_check_auth(
			has, (uint16_t)s->auth_key_bytes, digest, 0) == 0;
	}
}

static struct rte_crypto_sym_xform
cipher_xform(const struct guest_crypto_session *s, int at, uint32_t iv_bytes, bool encrypts)
{
	return (struct rte_crypto_sym_xform) {
		.type = RTE_CRYPTO_SYM_XFORM_CIPHER,
		.cipher = {
			.op = encrypts ? RTE_CRYPTO_CIPHER_OP_ENCRYPT :
					 RTE_CRYPTO_CIPHER_OP_DECRYPT,
			.algo = (enum rte_crypto_cipher_algorithm)algorithms[at].rte,
			.key = {.data = s->cipher_key, .length = (uint16_t)s->cipher_key_bytes},
			.iv = {
				.offset = sizeof(struct rte_crypto_op) +
					  sizeof(struct rte_crypto_sym_op),
				.length = (uint16_t)iv_bytes,
			},
		},
	};
}

static struct rte_crypto_sym_xform
auth_xform(const struct guest_crypto_session *s, int at, bool verifies)
{
	return (struct rte_crypto_sym_xform) {
		.type = RTE_CRYPTO_SYM_XFORM_AUTH,
		.auth = {
			.op = verifies ? RTE_CRYPTO_AUTH_OP_VERIFY : RTE_CRYPTO_AUTH_OP_GENERATE,
			.algo = (enum rte_crypto_auth_algorithm)algorithms[at].rte,
			.key = {.data = s->auth_key, .length = (uint16_t)s->auth_key_bytes},
			.digest_length = (uint16_t)s->digest_bytes,
		},
	};
}

static void *
open_direct(struct rte_crypto_sym_xform *xform)
{
	return rte_cryptodev_sym_session_create(crypto_app.cryptodev_id, xform,
						crypto_app.session_pool);
}

bool
crypto_app_device_chains(const struct guest_crypto_session *s, uint32_t iv_bytes)
{
	bool encrypts = s->direction == VIRTIO_CRYPTO_OP_ENCRYPT;
	bool is_mac = s->hash_mode == VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH;
	bool hash_first = s->chain_order == VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_HASH_THEN_CIPHER;
	int cipher_at = find_algorithm(VIRTIO_CRYPTO_SERVICE_CIPHER, s->cipher_algo);
	int auth_at = find_algorithm(is_mac ? VIRTIO_CRYPTO_SERVICE_MAC :
					      VIRTIO_CRYPTO_SERVICE_HASH, s->hash_algo);
	struct rte_crypto_sym_xform cipher, auth;
	void *session;

	RTE_VERIFY(cipher_at >= 0 && auth_at >= 0);
	cipher = cipher_xform(s, cipher_at, iv_bytes, encrypts);
	auth = auth_xform(s, auth_at, !encrypts);
	if (hash_first)
		auth.next = &cipher;
	else
		cipher.next = &auth;
	session = open_direct(hash_first ? &auth : &cipher);
	if (session == NULL)
		return false;
	rte_cryptodev_sym_session_free(crypto_app.cryptodev_id, session);
	return true;
}

/* The digest comes behind the data. */
static void
fill_direct(struct rte_crypto_op *op, const struct guest_crypto_req *req, int at)
{
	uint32_t units = algorithms[at].in_bits ? 8 * req->src_bytes : req->src_bytes;
	struct rte_mbuf *m = op->sym->m_src;

	memcpy(rte_pktmbuf_mtod(m, void *), req->src, req->src_bytes);
	m->data_len = (uint16_t)(req->src_bytes + req->hash_bytes);
	m->pkt_len = m->data_len;
	if (algorithms[at].service == VIRTIO_CRYPTO_SERVICE_CIPHER) {
		memcpy(rte_crypto_op_ctod_offset(op, void *, sizeof(*op) + sizeof(*op->sym)),
		       req->iv, req->iv_bytes);
		op->sym->cipher.data.length = units;
	} else {
		op->sym->auth.data.length = units;
		op->sym->auth.digest.data = rte_pktmbuf_mtod_offset(m, uint8_t *, req->src_bytes);
		op->sym->auth.digest.phys_addr = rte_pktmbuf_iova_offset(m, req->src_bytes);
	}
}

int
crypto_app_compute(const struct guest_crypto_session *s, const struct guest_crypto_req *req,
		   uint8_t *dst, uint8_t *hash)
{
	static struct rte_mempool *mbufs;
	int at = find_of_session(s), rc = -EIO;
	struct rte_crypto_sym_xform xform;
	struct rte_crypto_op *op;
	void *session;

	RTE_VERIFY(at >= 0 && algorithms[at].service != VIRTIO_CRYPTO_SERVICE_AEAD);
	if (mbufs == NULL)
		mbufs = flow_pool(1, UINT16_MAX - RTE_PKTMBUF_HEADROOM);
	xform = algorithms[at].service == VIRTIO_CRYPTO_SERVICE_CIPHER ?
		cipher_xform(s, at, req->iv_bytes, req->opcode == VIRTIO_CRYPTO_CIPHER_ENCRYPT) :
		auth_xform(s, at, false);
	session = open_direct(&xform);
	if (session == NULL)
		return -EIO;
	op = rte_crypto_op_alloc(crypto_app.op_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC);
	op->sym->m_src = rte_pktmbuf_alloc(mbufs);
	RTE_VERIFY(op->sym->m_src != NULL);
	fill_direct(op, req, at);
	rte_crypto_op_attach_sym_session(op, session);
	crypto_app_run(&op, 1);
	if (op->status == RTE_CRYPTO_OP_STATUS_SUCCESS) {
		rc = 0;
		memcpy(dst, rte_pktmbuf_mtod(op->sym->m_src, void *), req->dst_bytes);
		memcpy(hash, rte_pktmbuf_mtod_offset(op->sym->m_src, void *, req->src_bytes),
		       req->hash_bytes);
	}
	rte_pktmbuf_free(op->sym->m_src);
	rte_crypto_op_free(op);
	rte_cryptodev_sym_session_free(crypto_app.cryptodev_id, session);
	return rc;
}
