/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of a hostile guest to a crypto device, from the ring through a cryptodev and back, while
 * the guest rewrites its memory before loads, as in fuzz_ring.c. The cryptodev is a real one, and
 * may fail or come to other results; sessions open and close, rings go, buffers run out, operations
 * come back in any order and late.
 *
 * Checked: each chain that was taken is given back once, in order, as long as it says, or was
 * abandoned; guest memory changes in the used ring, in status bytes of those that are refused, and
 * where a request has room for results, and only when it is finished; the log has each page that
 * changed; operations are sound in themselves, for cryptodevs check nothing; the work is bounded.
 * At the end all buffers, sessions and references are where they belong, and no buffer was written
 * beyond its end. Each input runs twice, with other rests in all buffers, and does the same.
 *
 * FUZZ_CRYPTODEV names another cryptodev than crypto_openssl.
 */
#include <rte_cryptodev.h>
#include <rte_dev.h>

#include "async/iova.h"
#include "crypto/request.h"
#include "ring_device.h"

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_register_root_region(at, bytes) ((void)0)
#endif

#define OPS_MAX 32
#define OPEN_MAX 256 /* operations with the application */
#define EXTRA_SESSIONS 8
#define QUEUE_PAIR 0
#define RESULTS_AT 0x2000
#define NR_SYM_SESSIONS 255
#define OP_BYTES                                                                              \
	(sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op) + VHOST_CRYPTO_MAX_IV_LEN)

/* A chain that was taken, as it has to come back. */
struct turn {
	uint16_t id;
	uint32_t slots;
	uint32_t bytes;
};

static struct {
	uint8_t cryptodev_id;
	struct rte_mempool *session_pool;
	struct crypto *crypto;
	uint64_t extra[EXTRA_SESSIONS];
	unsigned int how; /* see iova_run() and hold_buffers() */
	bool closed;      /* the gate, by us */
	uint8_t rest;     /* what is in buffers before they are used */
	struct turn turns[OPEN_MAX];
	/* With the application, oldest first. */
	struct rte_crypto_op *ops[OPEN_MAX];
	bool done[OPEN_MAX];
	unsigned int nr_ops;
} c;

static struct driver_config config = { .max_queue_pairs = 1, .backend = &crypto_backend };

/* --- the bus: guest memory is in pieces there, or in part unknown -------------- */

#define BUS_PIECES 3u
#define BUS_UNKNOWN 4u
#define BUS_IS_NOT_VA 8u

uint32_t iova_nr_unreachable;

bool iova_is_va(void)
{
	return (c.how & BUS_IS_NOT_VA) == 0;
}

uint64_t iova_run(const void *at, uint32_t len, uint32_t *run_bytes)
{
	static const uint32_t pieces[] = { UINT32_MAX, 4096, 512, 64 };
	const uint32_t piece = pieces[c.how & BUS_PIECES];

	if ((c.how & BUS_UNKNOWN) != 0 && region_of(at, 1) == NR_REGIONS - 1)
		return IOVA_UNKNOWN;
	*run_bytes = piece == UINT32_MAX ? len :
					   MIN2(len, piece - (uint32_t)((uintptr_t)at % piece));
	return (uintptr_t)at;
}

/* --- sessions ------------------------------------------------------------------ */

#define CIPHER_OF(algo, key, dir)                                                             \
	{ .opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION, .op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER, \
	  .cipher_algo = VIRTIO_CRYPTO_CIPHER_##algo, .cipher_key_bytes = key,                 \
	  .direction = VIRTIO_CRYPTO_OP_##dir }
#define CHAIN_OF(dir, order)                                                                  \
	{ .opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION,                                      \
	  .op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING,                                 \
	  .cipher_algo = VIRTIO_CRYPTO_CIPHER_AES_CBC, .cipher_key_bytes = 16,                \
	  .direction = VIRTIO_CRYPTO_OP_##dir,                                                \
	  .chain_order = VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_##order,                           \
	  .hash_mode = VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH,                                      \
	  .hash_algo = VIRTIO_CRYPTO_MAC_HMAC_SHA1, .auth_key_bytes = 20, .digest_bytes = 20 }
#define AEAD_OF(algo, key, tag, aad, dir)                                                     \
	{ .opcode = VIRTIO_CRYPTO_AEAD_CREATE_SESSION,                                        \
	  .cipher_algo = VIRTIO_CRYPTO_AEAD_##algo, .cipher_key_bytes = key,                  \
	  .direction = VIRTIO_CRYPTO_OP_##dir, .digest_bytes = tag, .aad_bytes = aad }

/* make-seeds knows them by these numbers, from 1 on. */
static const struct session_desc sessions[] = {
	CIPHER_OF(AES_CBC, 16, ENCRYPT),
	CIPHER_OF(AES_CBC, 32, DECRYPT),
	CIPHER_OF(AES_CTR, 16, ENCRYPT),
	CIPHER_OF(3DES_CBC, 24, ENCRYPT),
	CIPHER_OF(AES_CTR, 32, DECRYPT),
	{ .opcode = VIRTIO_CRYPTO_HASH_CREATE_SESSION, .hash_algo = VIRTIO_CRYPTO_HASH_SHA_256,
	  .digest_bytes = 32 },
	{ .opcode = VIRTIO_CRYPTO_MAC_CREATE_SESSION, .hash_algo = VIRTIO_CRYPTO_MAC_HMAC_SHA1,
	  .digest_bytes = 20, .auth_key_bytes = 8 },
	CHAIN_OF(ENCRYPT, CIPHER_THEN_HASH),
	CHAIN_OF(DECRYPT, HASH_THEN_CIPHER),
	AEAD_OF(GCM, 16, 16, 20, ENCRYPT),
	AEAD_OF(GCM, 32, 16, 0, DECRYPT),
	AEAD_OF(CCM, 16, 8, 18, ENCRYPT),
	AEAD_OF(CCM, 16, 16, 0, DECRYPT),
};

static int64_t session_open(const struct session_desc *desc)
{
	int64_t id;

	device_gates_close(g.dev);
	id = crypto_backend.session_open(g.dev, desc);
	device_gates_open(g.dev, g.dev->nr_vqs);
	return id;
}

static int session_close(uint64_t id)
{
	int ret;

	device_gates_close(g.dev);
	ret = crypto_backend.session_close(g.dev, id);
	device_gates_open(g.dev, g.dev->nr_vqs);
	return ret;
}

/* Number `i` of those above; where the cryptodev does not have it another one is in its place. */
static void known_open(unsigned int i)
{
	int64_t id = session_open(&sessions[i]);

	if (id == -VIRTIO_CRYPTO_NOTSUPP)
		id = session_open(&sessions[0]);
	MUST(id == (int64_t)i + 1);
}

/* One of those above, with numbers that are not. */
static void extra_open(struct input *in)
{
	uint8_t which = input_u8(in), nr_changes = input_u8(in) % 4, slot = 0;
	struct session_desc desc = sessions[which % ARRAY_LEN(sessions)];
	uint32_t *const words[] = { &desc.opcode,	&desc.cipher_algo,   &desc.cipher_key_bytes,
				    &desc.hash_algo,	&desc.digest_bytes,  &desc.auth_key_bytes,
				    &desc.aad_bytes };
	uint8_t *const bytes[] = { &desc.op_type, &desc.direction, &desc.hash_mode,
				   &desc.chain_order };
	int64_t id;

	for (unsigned int i = 0; i < nr_changes; i++) {
		uint8_t field = input_u8(in) % (ARRAY_LEN(words) + ARRAY_LEN(bytes));

		if (field < ARRAY_LEN(words))
			*words[field] = input_u32(in);
		else
			*bytes[field - ARRAY_LEN(words)] = input_u8(in);
	}
	while (slot < EXTRA_SESSIONS && c.extra[slot] != 0)
		slot++;
	if (slot == EXTRA_SESSIONS)
		return;
	id = session_open(&desc);
	MUST(id != 0 && id >= -VIRTIO_CRYPTO_NOSPC);
	c.extra[slot] = id > 0 ? (uint64_t)id : 0;
	digest_u64((uint64_t)id);
}

static void extra_close(unsigned int slot)
{
	MUST(session_close(c.extra[slot]) == (c.extra[slot] != 0 ? 0 : -ENOENT));
	c.extra[slot] = 0;
}

/* CCM makes more as IVs of other lengths come; what is refused is remembered. */
ORACLE static bool session_is_new(const struct crypto_session *s)
{
	unsigned int n = 0;

	MUST(s != NULL && s->refs == 1);
	for (unsigned int i = 0; i < ARRAY_LEN(s->by_iv); i++)
		n += s->by_iv[i] != NULL;
	return n == 1 && s->refused == 0 && s->retry_at_ms == 0;
}

/* As at the start, for the same input to find the same ids. */
static void sessions_reset(void)
{
	struct crypto_sessions *table = &c.crypto->sessions;

	for (unsigned int i = 0; i < EXTRA_SESSIONS; i++)
		if (c.extra[i] != 0)
			extra_close(i);
	for (unsigned int i = 0; i < ARRAY_LEN(sessions); i++) {
		if (session_is_new(table->slots[i]))
			continue;
		MUST(session_close(i + 1) == 0);
		table->generations[i] = 0;
		known_open(i);
	}
	memset(&table->generations[ARRAY_LEN(sessions)], 0,
	       sizeof(table->generations) - ARRAY_LEN(sessions) * sizeof(table->generations[0]));
	MUST(table->nr_open == ARRAY_LEN(sessions) && table->nr_made == ARRAY_LEN(sessions));
}

/* --- buffers --------------------------------------------------------------------- */

/* What is in front of each element of a pool is the first that somebody writes who goes too far. */
struct header {
	uint8_t *at;
	uint8_t bytes[sizeof(struct rte_mempool_objhdr)];
};
static struct header *headers;
static unsigned int nr_headers;

static void header_add(struct rte_mempool *pool, void *arg, void *obj, unsigned int i)
{
	struct header *header;

	(void)pool;
	(void)arg;
	(void)i;
	headers = realloc(headers, (nr_headers + 1) * sizeof(*headers));
	MUST(headers != NULL);
	header = &headers[nr_headers++];
	header->at = (uint8_t *)obj - sizeof(header->bytes);
	memcpy(header->bytes, header->at, sizeof(header->bytes));
	__asan_poison_memory_region(header->at, sizeof(header->bytes));
}

/* Those without ASan in them (cryptodevs) may have been there. */
ORACLE static void headers_check(void)
{
	static unsigned int turn;

	/* Some at a time: there are thousands. */
	for (unsigned int n = 0; n < 64; n++, turn = (turn + 1) % nr_headers) {
		struct header *header = &headers[turn];

		__asan_unpoison_memory_region(header->at, sizeof(header->bytes));
		MUST(memcmp(header->bytes, header->at, sizeof(header->bytes)) == 0);
		__asan_poison_memory_region(header->at, sizeof(header->bytes));
	}
}

/* What a core keeps for itself is missing to nobody. */
static void pool_flush(struct rte_mempool *pool)
{
	rte_mempool_cache_flush(rte_mempool_default_cache(pool, rte_lcore_id()), pool);
}

ORACLE static void pools_check(void)
{
	const struct crypto *crypto = c.crypto;

	pool_flush(crypto->own);
	pool_flush(crypto->borrowed);
	pool_flush(c.session_pool);
	MUST(rte_mempool_avail_count(crypto->own) == crypto->own->size);
	MUST(rte_mempool_avail_count(crypto->large) == crypto->large->size);
	/* Each request keeps two. */
	MUST(rte_mempool_avail_count(crypto->borrowed) ==
	     crypto->borrowed->size - 2 * crypto->own->size);
	MUST(rte_mempool_in_use_count(c.session_pool) == ARRAY_LEN(sessions));
	headers_check();
}

/* Few are left, in some inputs. */
#define HOLD_OWN 16u
#define HOLD_LARGE 32u
#define HOLD_BORROWED 64u
#define HOLD_SESSIONS 128u

struct held {
	void **what;
	unsigned int n;
};
static struct held held[4];

/* All but `left`. */
static void hold(struct held *h, struct rte_mempool *pool, unsigned int left)
{
	h->n = rte_mempool_avail_count(pool) - left;
	h->what = calloc(h->n, sizeof(h->what[0]));
	MUST(h->what != NULL && rte_mempool_get_bulk(pool, h->what, h->n) == 0);
}

static void release(struct held *h, struct rte_mempool *pool)
{
	rte_mempool_put_bulk(pool, h->what, h->n);
	free(h->what);
	*h = (struct held){ NULL, 0 };
}

static void hold_buffers(void)
{
	const unsigned int left = c.how & BUS_PIECES;

	if ((c.how & HOLD_OWN) != 0)
		hold(&held[0], c.crypto->own, left + 1);
	if ((c.how & HOLD_LARGE) != 0)
		hold(&held[1], c.crypto->large, left);
	if ((c.how & HOLD_BORROWED) != 0)
		hold(&held[2], c.crypto->borrowed, left);
	if ((c.how & HOLD_SESSIONS) != 0)
		hold(&held[3], c.session_pool, left);
}

static void release_buffers(void)
{
	release(&held[0], c.crypto->own);
	release(&held[1], c.crypto->large);
	release(&held[2], c.crypto->borrowed);
	release(&held[3], c.session_pool);
}

/* What nobody wrote nobody may see. */
ORACLE static void leave_rest(struct rte_mbuf *m)
{
	memset(m->buf_addr, c.rest, m->buf_len);
}

static void leave_rest_in(struct rte_mempool *pool, void *arg, void *obj, unsigned int i)
{
	(void)pool;
	(void)arg;
	(void)i;
	leave_rest(obj);
}

/* --- start -------------------------------------------------------------------------- */

/* Whose addresses are known in there only has not leaked: what cryptodev's sessions have. */
static int is_in_use(const struct rte_memseg_list *list, const struct rte_memseg *ms, size_t bytes,
		     void *arg)
{
	(void)list;
	(void)ms;
	(void)bytes;
	(void)arg;
	__lsan_register_root_region(ms->addr, bytes);
	return 0;
}

static void start_cryptodev(void)
{
	struct rte_cryptodev_config dev = { .nb_queue_pairs = 1,
					    .ff_disable = RTE_CRYPTODEV_FF_SECURITY };
	struct rte_cryptodev_qp_conf queue = { .nb_descriptors = 2 * OPEN_MAX };
	const char *name = getenv("FUZZ_CRYPTODEV");
	int id;

	if (name == NULL)
		name = "crypto_openssl";
	MUST(rte_eal_hotplug_add("vdev", name, "") == 0);
	id = rte_cryptodev_get_dev_id(name);
	MUST(id >= 0);
	c.cryptodev_id = (uint8_t)id;
	c.session_pool = rte_cryptodev_sym_session_pool_create(
		"sessions", NR_SYM_SESSIONS,
		rte_cryptodev_sym_get_private_session_size(c.cryptodev_id), 0, 0, 0);
	queue.mp_session = c.session_pool;
	MUST(c.session_pool != NULL && rte_cryptodev_configure(c.cryptodev_id, &dev) == 0 &&
	     rte_cryptodev_queue_pair_setup(c.cryptodev_id, QUEUE_PAIR, &queue, 0) == 0 &&
	     rte_cryptodev_start(c.cryptodev_id) == 0);
}

/* What the guest is told to be there is there, whether or not the application has said which one. */
static void check_config(const uint8_t *expected)
{
	uint8_t space[256];

	MUST(crypto_backend.config_read(g.dev, space) == sizeof(struct virtio_crypto_config));
	MUST(memcmp(space, expected, sizeof(struct virtio_crypto_config)) == 0);
}

static void start(void)
{
	uint8_t space[256];

	start_eal("192");
	(void)rte_memseg_contig_walk(is_in_use, NULL);
	start_cryptodev();
	start_device(&config);
	(void)crypto_backend.config_read(g.dev, space);
	MUST(rte_vhost_crypto_create(g.dev->vid, c.cryptodev_id, c.session_pool, 0) == 0);
	MUST(rte_vhost_crypto_set_zero_copy(g.dev->vid, RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE) == 0);
	c.crypto = g.dev->crypto;
	check_config(space);
	/* Ids begin anywhere; inputs name sessions by their numbers, from 1 on. */
	c.crypto->sessions.first_generation = 0;
	for (unsigned int i = 0; i < ARRAY_LEN(sessions); i++)
		known_open(i);
	(void)rte_mempool_obj_iter(c.crypto->own, header_add, NULL);
	(void)rte_mempool_obj_iter(c.crypto->large, header_add, NULL);
	(void)rte_mempool_obj_iter(c.crypto->own, leave_rest_in, NULL);
	(void)rte_mempool_obj_iter(c.crypto->large, leave_rest_in, NULL);
}

/* --- what may change ------------------------------------------------------------------ */

ORACLE static void accept_span(const struct span *span)
{
	const void *at = GUEST_FORCE(const void *, span->ptr);

	memcpy(model_of(at, span->len_bytes), at, span->len_bytes);
}

/* `len` bytes of what the spans have, from `at` on. */
ORACLE static void accept_part(const struct span *spans, unsigned int nr_spans, uint32_t at,
			       uint32_t len)
{
	for (unsigned int i = 0; i < nr_spans && len != 0; i++) {
		struct span part = { spans[i].ptr + at, 0 };

		if (at >= spans[i].len_bytes) {
			at -= spans[i].len_bytes;
			continue;
		}
		part.len_bytes = MIN2(spans[i].len_bytes - at, len);
		accept_span(&part);
		len -= part.len_bytes;
		at = 0;
	}
	MUST(len == 0);
}

/* At most `most` bytes changed, each to a status. */
ORACLE static void accept_statuses(unsigned int most)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		const uint8_t *now = f.regions[i].map.mmap_addr;

		if (memcmp(now, f.model[i], layout[i].size_bytes) == 0)
			continue;
		for (uint32_t at = 0; at < layout[i].size_bytes; at++)
			if (now[at] != f.model[i][at]) {
				MUST(now[at] > VIRTIO_CRYPTO_OK && now[at] <= VIRTIO_CRYPTO_NOSPC);
				f.model[i][at] = now[at];
				n++;
			}
	}
	MUST(n <= most);
}

ORACLE static void check_logged(void)
{
	if (g.vq->ring.log != NULL)
		(void)check_log();
}

/* --- each once, in turn ----------------------------------------------------------------- */

ORACLE static struct turn *turn_of(uint32_t number)
{
	return &c.turns[number % ARRAY_LEN(c.turns)];
}

/* What a plain walk finds there; how many. */
ORACLE static unsigned int expect_turns(struct turn *turns, unsigned int most)
{
	static struct expected e;
	struct ring vr = g.vq->ring;
	unsigned int n;

	for (n = 0; n < most; n++) {
		MODEL(vr.kind, expect, &vr, CHAIN_BOTH, &e);
		if (e.result != FETCH_OK && e.result != FETCH_BAD)
			break;
		turns[n] = (struct turn){ .id = e.id, .slots = e.nr_slots };
		vr.last_avail = MODEL(vr.kind, position_after, &vr, vr.last_avail,
				      vr.kind == RING_PACKED ? e.nr_slots : 1);
	}
	return n;
}

/* From `first` on `taken` were taken, of which the `n` operations are; the others were answered. */
ORACLE static void note_turns(uint32_t first, unsigned int taken, struct rte_crypto_op *const *ops,
			      unsigned int n, const struct turn *expected, unsigned int nr_expected)
{
	const struct crypto_queue *q = g.vq->crypto;
	unsigned int answered = 0;

	/* Answers may have changed what the ones after them are. */
	if (!f.struck)
		MUST(n != taken ? nr_expected != 0 : taken <= nr_expected);
	for (unsigned int i = 0; i < taken; i++) {
		const struct crypto_request *r =
			i - answered < n ? crypto_request_of(ops[i - answered]) : NULL;
		const bool is_answer = r == NULL || r->slot != first + i;
		const struct used used = is_answer ? q->done[(first + i) & q->mask] : r->used;
		struct turn *turn = turn_of(first + i);

		*turn = (struct turn){ used_id(used), used_slots(used), used_bytes(used) };
		MUST(turn->bytes <= is_answer);
		if (!f.struck && (n == taken || i == 0))
			MUST(turn->id == expected[i].id && turn->slots == expected[i].slots);
		answered += is_answer;
	}
	MUST(answered == taken - n);
}

/* Those from `first` on, at `position` of the used ring, are there, if nobody wrote on them. */
ORACLE static void check_given(uint32_t first, uint16_t position)
{
	const struct ring *vr = &g.vq->ring;
	const struct vring_used *used = GUEST_FORCE(const struct vring_used *, vr->used);
	const unsigned int n = g.vq->crypto->given - first;
	uint32_t slots = 0;

	for (unsigned int i = 0; i < n; i++)
		slots += turn_of(first + i)->slots;
	MUST(vr->kind == RING_PACKED || slots == n);
	MUST(vr->used_idx == MODEL(vr->kind, position_after, vr, position, slots));
	/* The guest may say that there are more than fit. */
	for (unsigned int i = 0; i < n && slots <= vr->size && !f.struck; i++) {
		const struct turn *turn = turn_of(first + i);

		if (vr->kind == RING_PACKED) {
			const struct vring_packed_desc *d = packed_at(vr, position);
			const uint16_t bits = (position & MODEL_WRAP) != 0 ? MODEL_AVAIL | MODEL_USED : 0;

			MUST(d->id == turn->id && d->len == turn->bytes);
			MUST((d->flags & (MODEL_AVAIL | MODEL_USED)) == bits);
		} else {
			const struct vring_used_elem *u = &used->ring[position % vr->size];

			MUST(u->id == turn->id && u->len == turn->bytes);
		}
		position = MODEL(vr->kind, position_after, vr, position, turn->slots);
	}
}

/* The ring and the queue tell the same story. */
ORACLE static void check_queue(void)
{
	const struct crypto_queue *q = g.vq->crypto;
	const struct ring *vr = &g.vq->ring;
	unsigned int open = 0, done = 0;
	uint32_t slots = 0;

	MUST(q != NULL && q->home == g.vq && q->taken - q->given <= q->mask + 1);
	for (uint32_t i = q->given; i != q->taken; i++) {
		done += q->done[i & q->mask].word != 0;
		slots += turn_of(i)->slots;
	}
	MUST(vr->fault != RING_FAULT_NONE ||
	     vr->last_avail == MODEL(vr->kind, position_after, vr, vr->used_idx, slots));
	for (unsigned int i = 0; i < c.nr_ops; i++)
		open += crypto_request_of(c.ops[i])->queue == q;
	MUST(q->nr_open == open && q->taken - q->given == open + done);
	/* What is done and next has been given back. */
	MUST(vr->fault != RING_FAULT_NONE || q->given == q->taken ||
	     q->done[q->given & q->mask].word == 0);
	MUST(vr->published == vr->used_idx);
	MUST(vr->kind != RING_PACKED || (vr->used_idx & 0x7fff) < vr->size);
}

/* --- operations ---------------------------------------------------------------------- */

ORACLE static uint32_t in_bytes(uint32_t units, bool in_bits)
{
	MUST(!in_bits || units % 8 == 0);
	return in_bits ? units / 8 : units;
}

ORACLE static void check_chain(const struct rte_mbuf *m, const struct crypto_request *r)
{
	uint32_t sum = 0, segs = 0;

	for (const struct rte_mbuf *s = m; s != NULL; s = s->next, segs++) {
		sum += s->data_len;
		MUST((uint32_t)s->data_off + s->data_len <= s->buf_len);
		MUST(*(struct crypto_request **)rte_mbuf_to_priv((struct rte_mbuf *)(uintptr_t)s) ==
		     r);
		if (r->borrows)
			MUST(region_of(rte_pktmbuf_mtod(s, void *), s->data_len) >= 0);
	}
	MUST(sum == m->pkt_len && segs == m->nb_segs);
}

/* Offset and length of what is enciphered or hashed. */
ORACLE static void check_part(uint32_t at, uint32_t len, bool in_bits, uint32_t bytes,
			      uint32_t block_bytes)
{
	at = in_bytes(at, in_bits);
	len = in_bytes(len, in_bits);
	MUST(at <= bytes && len <= bytes - at && len % block_bytes == 0);
}

/* Cryptodevs believe what an operation says. */
ORACLE static void check_op(const struct rte_crypto_op *op)
{
	const struct rte_crypto_sym_op *sym = op->sym;
	const struct crypto_request *r = crypto_request_of(op);
	const struct crypto_session *s = r->session;
	uint32_t bytes = sym->m_src->pkt_len, writable = 0;

	MUST(r->queue == g.vq->crypto && r->crypto == c.crypto && r->mem == f.mem);
	MUST(op->type == RTE_CRYPTO_OP_TYPE_SYMMETRIC && op->sess_type == RTE_CRYPTO_OP_WITH_SESSION);
	MUST(sym->session != NULL && op->mempool == NULL);
	check_chain(sym->m_src, r);
	if (sym->m_dst != NULL) {
		check_chain(sym->m_dst, r);
		MUST(r->borrows && sym->m_dst->pkt_len >= r->data_bytes);
	} else {
		MUST(!r->borrows || r->data_bytes == 0);
	}
	MUST(r->data_bytes <= bytes && bytes <= c.crypto->data_max);
	if (s->kind == CRYPTO_AEAD) {
		check_part(sym->aead.data.offset, sym->aead.data.length, false, bytes, 1);
		MUST(r->data_bytes == sym->aead.data.length);
	}
	if (s->kind == CRYPTO_CIPHER || s->kind == CRYPTO_CHAIN)
		check_part(sym->cipher.data.offset, sym->cipher.data.length, s->cipher_in_bits, bytes,
			   s->block_bytes);
	/* A part of a result would not be written. */
	MUST(s->kind != CRYPTO_CHAIN || !r->borrows ||
	     in_bytes(sym->cipher.data.length, s->cipher_in_bits) == r->data_bytes);
	if (s->kind == CRYPTO_HASH || s->kind == CRYPTO_MAC || s->kind == CRYPTO_CHAIN)
		check_part(sym->auth.data.offset, sym->auth.data.length, s->auth_in_bits, bytes, 1);
	for (unsigned int i = 0; i < r->nr_spans; i++) {
		MUST(region_of(GUEST_FORCE(const void *, r->spans[i].ptr),
			       r->spans[i].len_bytes) >= 0);
		writable += r->spans[i].len_bytes;
	}
	MUST(writable == r->writable_bytes && r->data_bytes < writable);
	MUST(r->digest_bytes == 0 ||
	     (r->digest_at >= r->data_bytes && r->digest_at + r->digest_bytes < writable));
	MUST(!r->lends_digest || (s->kind == CRYPTO_CHAIN &&
				  region_of(sym->auth.digest.data, s->digest_bytes) >= 0));
}

/* Allocations of their own, so that ASan sees a byte beside one. */
static struct rte_crypto_op *op_new(void)
{
	struct rte_crypto_op *op = malloc(OP_BYTES);

	MUST(op != NULL);
	memset(op, c.rest, OP_BYTES);
	op->mempool = NULL;
	return op;
}

static void fetch(uint16_t count)
{
	struct rte_crypto_op *ops[VHOST_CRYPTO_MAX_BURST_SIZE + 8];
	static struct turn expected[OPEN_MAX];
	struct ring *vr = &g.vq->ring;
	const uint32_t taken_before = g.vq->crypto->taken, given_before = g.vq->crypto->given;
	const uint16_t position = vr->used_idx;
	unsigned int n, taken, nr_expected;

	count = (uint16_t)MIN2(count, MIN2((unsigned int)ARRAY_LEN(ops), OPEN_MAX - c.nr_ops));
	for (unsigned int i = 0; i < count; i++)
		ops[i] = op_new();
	nr_expected = expect_turns(expected, MIN2((unsigned int)ARRAY_LEN(expected),
						  g.vq->crypto->mask + 1));
	verb_begin();
	n = rte_vhost_crypto_fetch_requests(g.dev->vid, 0, ops, count);
	MUST(n <= MIN2(count, VHOST_CRYPTO_MAX_BURST_SIZE) && (n == 0 || !c.closed));
	taken = g.vq->crypto->taken - taken_before;
	/* So many runs that ended with an answer, and one more. */
	MUST(n <= taken && taken - n <= count + 32u);
	MUST(f.nr_loads <= (taken + 2) * (LOADS_MAX(vr, CHAIN_BOTH) + REQUEST_LOADS_MAX +
					   2u * (REQUEST_SPANS_MAX + CRYPTO_SEGS_MAX + 8u)));
	note_turns(taken_before, taken, ops, n, expected, nr_expected);
	check_given(given_before, position);
	check_logged();
	accept_used(vr);
	accept_statuses(taken - n);
	for (unsigned int i = 0; i < n; i++) {
		check_op(ops[i]);
		c.done[c.nr_ops] = false;
		c.ops[c.nr_ops++] = ops[i];
	}
	for (unsigned int i = n; i < count; i++)
		free(ops[i]);
	check_queue();
	digest_state(n);
}

/* Through the cryptodev, each once. */
static void run_on_cryptodev(struct rte_crypto_op **ops, unsigned int n)
{
	unsigned int sent = 0, back = 0, turns = 0;

	while (sent < n) {
		unsigned int k = rte_cryptodev_enqueue_burst(c.cryptodev_id, QUEUE_PAIR, ops + sent,
							     (uint16_t)(n - sent));

		/* Refused, for what it is: it goes back as it is. */
		sent += k != 0 ? k : 1;
		back += k;
	}
	while (back != 0) {
		back -= rte_cryptodev_dequeue_burst(c.cryptodev_id, QUEUE_PAIR, ops, (uint16_t)back);
		MUST(turns++ < 100000);
	}
}

/* Up to `count` that have not been there. */
static void run_ops(unsigned int count)
{
	struct rte_crypto_op *ops[OPEN_MAX];
	unsigned int n = 0;

	for (unsigned int i = 0; i < c.nr_ops && n < count; i++)
		if (!c.done[i]) {
			c.done[i] = true;
			ops[n++] = c.ops[i];
		}
	run_on_cryptodev(ops, n);
	check_guards();
	/* In place they are written now. */
	for (unsigned int i = 0; i < c.nr_ops; i++) {
		const struct crypto_request *r = crypto_request_of(c.ops[i]);

		if (r->borrows && c.done[i])
			accept_part(r->spans, r->nr_spans, 0, r->data_bytes);
		if (r->lends_digest && c.done[i])
			accept_part(r->spans, r->nr_spans, r->digest_at, r->digest_bytes);
		digest_u64(c.ops[i]->status);
	}
	check_memory();
}

/* A request that is to be finished. */
struct finishing {
	struct span spans[REQUEST_SPANS_MAX];
	unsigned int nr_spans;
	bool success, borrows, lends_digest, wanted;
	uint8_t status;
	uint32_t number, data_bytes, digest_at, digest_bytes, writable_bytes;
};

/* As virtio has it. */
ORACLE static uint8_t expect_status(const struct rte_crypto_op *op)
{
	switch (op->status) {
	case RTE_CRYPTO_OP_STATUS_SUCCESS:
		return VIRTIO_CRYPTO_OK;
	case RTE_CRYPTO_OP_STATUS_AUTH_FAILED:
		return VIRTIO_CRYPTO_BADMSG;
	case RTE_CRYPTO_OP_STATUS_INVALID_SESSION:
		return VIRTIO_CRYPTO_INVSESS;
	default:
		return VIRTIO_CRYPTO_ERR;
	}
}

ORACLE static void finishing_note(struct finishing *e, const struct rte_crypto_op *op)
{
	const struct crypto_request *r = crypto_request_of(op);

	*e = (struct finishing){
		.nr_spans = r->nr_spans,
		.success = op->status == RTE_CRYPTO_OP_STATUS_SUCCESS,
		.borrows = r->borrows,
		.lends_digest = r->lends_digest,
		.wanted = r->queue == g.vq->crypto,
		.status = expect_status(op),
		.number = r->slot,
		.data_bytes = r->data_bytes,
		.digest_at = r->digest_at,
		.digest_bytes = r->digest_bytes,
		.writable_bytes = r->writable_bytes,
	};
	memcpy(e->spans, r->spans, r->nr_spans * sizeof(e->spans[0]));
	if (e->wanted)
		turn_of(e->number)->bytes =
			e->success ? e->data_bytes + e->digest_bytes + 1 : 1;
}

/* Is each byte of guest memory in one of the spans at most, and the used ring in none? */
ORACLE static bool is_alone(const struct finishing *e, const struct ring *vr)
{
	static uint8_t seen[NR_REGIONS][0x4000];
	const bool packed = vr->kind == RING_PACKED;
	const uint8_t *used = packed ? GUEST_FORCE(const void *, vr->packed) :
				       GUEST_FORCE(const void *, vr->used);
	const size_t used_bytes = packed ? vr->size * sizeof(struct vring_packed_desc) :
					   6 + vr->size * 8u;
	int region = region_of(used, used_bytes);

	memset(seen, 0, sizeof(seen));
	memset(&seen[region][used - (uint8_t *)f.regions[region].map.mmap_addr], 1, used_bytes);
	for (unsigned int i = 0; i < e->nr_spans; i++) {
		const uint8_t *at = GUEST_FORCE(const void *, e->spans[i].ptr);

		region = region_of(at, e->spans[i].len_bytes);
		for (uint32_t j = 0; j < e->spans[i].len_bytes; j++) {
			uint8_t *byte =
				&seen[region][at + j - (uint8_t *)f.regions[region].map.mmap_addr];

			if (*byte != 0)
				return false;
			*byte = 1;
		}
	}
	return true;
}

/* What the guest is to get: as many bytes as all regions have, for each is there once. */
struct result {
	uint8_t data[0x7000], digest[CRYPTO_DIGEST_MAX_BYTES];
};

ORACLE static void result_note(struct result *result, const struct rte_crypto_op *op)
{
	const struct crypto_request *r = crypto_request_of(op);
	uint32_t at = 0;

	for (const struct rte_mbuf *m = op->sym->m_src; m != NULL && at < r->data_bytes && !r->borrows;
	     m = m->next) {
		uint32_t len = MIN2((uint32_t)m->data_len, r->data_bytes - at);

		memcpy(result->data + at, rte_pktmbuf_mtod(m, const void *), len);
		at += len;
	}
	memcpy(result->digest, crypto_request_front(r)->digest, r->digest_bytes);
}

/* `len` bytes of what the spans have, from `at` on, are these. */
ORACLE static void check_bytes(const struct finishing *e, uint32_t at, uint32_t len,
			       const uint8_t *bytes)
{
	for (unsigned int i = 0; i < e->nr_spans; i++) {
		const uint8_t *now = GUEST_FORCE(const uint8_t *, e->spans[i].ptr);

		for (uint32_t j = 0; j < e->spans[i].len_bytes && len != 0; j++) {
			if (at != 0) {
				at--;
				continue;
			}
			MUST(now[j] == *bytes++);
			len--;
		}
	}
	MUST(len == 0);
}

/* Result, digest and status have been written, or the status only. */
ORACLE static void finishing_check(const struct finishing *e, const struct result *result)
{
	if (!e->wanted)
		return;
	/* Spans may lie on each other, and on the used ring, as the guest likes. */
	if (result != NULL && !f.struck) {
		check_bytes(e, e->writable_bytes - 1, 1, &e->status);
		if (e->success && !e->borrows)
			check_bytes(e, 0, e->data_bytes, result->data);
		if (e->success && !e->lends_digest)
			check_bytes(e, e->digest_at, e->digest_bytes, result->digest);
	}
	accept_part(e->spans, e->nr_spans, e->writable_bytes - 1, 1);
	if (!e->success)
		return;
	accept_part(e->spans, e->nr_spans, 0, e->data_bytes);
	accept_part(e->spans, e->nr_spans, e->digest_at, e->digest_bytes);
}

static void forget_op(const struct rte_crypto_op *op)
{
	for (unsigned int i = 0; i < c.nr_ops; i++) {
		if (c.ops[i] != op)
			continue;
		c.nr_ops--;
		memmove(&c.ops[i], &c.ops[i + 1], (c.nr_ops - i) * sizeof(c.ops[0]));
		memmove(&c.done[i], &c.done[i + 1], (c.nr_ops - i) * sizeof(c.done[0]));
		return;
	}
}

/* The buffers of a request that are no mbufs of guest memory. */
static unsigned int buffers_of(const struct rte_crypto_op *op, struct rte_mbuf **buffers)
{
	const struct crypto_request *r = crypto_request_of(op);
	unsigned int n = 0;

	buffers[n++] = crypto_request_mbuf(r);
	for (struct rte_mbuf *m = r->borrows ? NULL : op->sym->m_src; m != NULL; m = m->next)
		if (m != buffers[0])
			buffers[n++] = m;
	return n;
}

static void give(struct rte_crypto_op **ops, unsigned int n)
{
	static struct finishing notes[OPEN_MAX];
	static struct rte_mbuf *buffers[OPEN_MAX * (1 + CRYPTO_SEGS_MAX)];
	static struct result result;
	const uint32_t given_before = g.vq->crypto->given;
	const uint16_t position = g.vq->ring.used_idx;
	int callfds[VIRTIO_CRYPTO_MAX_NUM_BURST_VQS];
	unsigned int nr_buffers = 0;
	uint16_t nr_callfds = UINT16_MAX;
	bool alone;

	for (unsigned int i = 0; i < n; i++) {
		finishing_note(&notes[i], ops[i]);
		nr_buffers += buffers_of(ops[i], buffers + nr_buffers);
		forget_op(ops[i]);
	}
	alone = n == 1 && is_alone(&notes[0], &g.vq->ring);
	if (alone)
		result_note(&result, ops[0]);
	verb_begin();
	MUST(rte_vhost_crypto_finalize_requests(ops, (uint16_t)n, callfds, &nr_callfds) == n);
	MUST(nr_callfds <= 1 && (nr_callfds == 0 || callfds[0] == g.vq->callfd));
	MUST(f.nr_loads <= n);
	check_given(given_before, position);
	check_logged();
	accept_used(&g.vq->ring);
	for (unsigned int i = 0; i < n; i++)
		finishing_check(&notes[i], alone ? &result : NULL);
	check_memory();
	for (unsigned int i = 0; i < n; i++) {
		MUST(ops[i]->sym->m_src == NULL && ops[i]->sym->m_dst == NULL);
		free(ops[i]);
	}
	for (unsigned int i = 0; i < nr_buffers; i++)
		leave_rest(buffers[i]);
	check_queue();
	digest_state(nr_callfds);
}

/* `count` of those that are there, from `first` on, in this order or the reverse. */
static void finish(unsigned int first, unsigned int count, bool reversed)
{
	struct rte_crypto_op *ops[OPEN_MAX];
	unsigned int n = 0;

	if (c.nr_ops == 0)
		return;
	for (unsigned int i = first % c.nr_ops; i < c.nr_ops && n < count; i++)
		ops[n++] = c.ops[i];
	for (unsigned int i = 0; reversed && i < n / 2; i++) {
		struct rte_crypto_op *op = ops[i];

		ops[i] = ops[n - 1 - i];
		ops[n - 1 - i] = op;
	}
	give(ops, n);
}

/* --- one input -------------------------------------------------------------------------- */

/* What the guest has there is not what it is to get; but for ring, tables and requests. */
ORACLE static void fill_memory(void)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		uint32_t from = i == 0 ? RESULTS_AT : 0;

		memset((uint8_t *)f.regions[i].map.mmap_addr + from, 0xee, layout[i].size_bytes - from);
		memset(f.model[i] + from, 0xee, layout[i].size_bytes - from);
	}
}

/* As when the queue is stopped, and starts where it was. */
static void stop_queue(void)
{
	device_gates_close(g.dev);
	vq_abandon(g.vq);
	crypto_backend.ring_setup(g.dev, g.vq);
	device_gates_open(g.dev, g.dev->nr_vqs);
	check_queue();
}

static void toggle_gate(void)
{
	if (c.closed)
		device_gates_open(g.dev, g.dev->nr_vqs);
	else
		device_gates_close(g.dev);
	c.closed = !c.closed;
}

static void set_zero_copy(bool wanted)
{
	MUST(rte_vhost_crypto_set_zero_copy(g.dev->vid,
					    wanted ? RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE :
						     RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE) == 0);
}

static void act(uint8_t what, struct input *in)
{
	const uint8_t n = what >> 3; /* below 32 */
	uint64_t value;
	uint8_t arg;

	switch (what & 7) {
	case 0:
		value = input_u64(in);
		guest_write(input_u16(in), &value, 8);
		break;
	case 1:
		fetch((uint16_t)(n == 31 ? VHOST_CRYPTO_MAX_BURST_SIZE + 8 : n + 1));
		break;
	case 2:
		run_ops(n + 1u);
		break;
	case 3:
		arg = input_u8(in);
		finish(arg & 127, n + 1u, arg >= 128);
		break;
	case 4: /* a cryptodev that fails, before or after it was at it */
		arg = input_u8(in);
		if (c.nr_ops != 0) {
			c.done[n % c.nr_ops] = true;
			c.ops[n % c.nr_ops]->status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED + arg % 7;
		}
		break;
	case 5:
		if (n < EXTRA_SESSIONS)
			extra_close(n);
		else
			extra_open(in);
		break;
	case 6:
		if (n < 4)
			stop_queue();
		else if (n < 8)
			set_zero_copy(n % 2 != 0);
		else
			toggle_gate();
		break;
	default:
		run_ops(OPEN_MAX);
		finish(0, n + 1u, false);
	}
}

static void set_up(uint8_t shape, struct input *in)
{
	attach_ring(shape, in);
	/* Agreed on by none that has more than one thing in the ring at a time. */
	g.vq->ring.in_order = false;
	c.how = input_u8(in);
	iova_nr_unreachable = (c.how & (BUS_PIECES | BUS_UNKNOWN)) != 0;
	g.dev->features = (shape & 16) != 0 ? BIT(VIRTIO_CRYPTO_F_REVISION_1) : 0;
	if ((shape & 64) != 0)
		attach_log();
	crypto_backend.ring_setup(g.dev, g.vq);
	MUST(g.vq->crypto != NULL);
	set_zero_copy((shape & 32) != 0);
	g.vq->stats_on = true;
}

static void tear_down(void)
{
	run_ops(OPEN_MAX);
	/* Those of queues that are gone, too. */
	while (c.nr_ops != 0)
		finish(0, OPEN_MAX, false);
	if (c.closed)
		toggle_gate();
	MUST(g.vq->ring.fault != RING_FAULT_NONE || g.vq->crypto->given == g.vq->crypto->taken);
	crypto_backend.forget(g.vq);
	MUST(g.vq->crypto == NULL);
	release_buffers();
	sessions_reset();
	MUST(c.crypto->refs == 1 && f.mem->refs == 1);
	memset(GUEST_FORCE(void *, g.log.map.start), 0, LOG_BYTES);
	pools_check();
}

static uint64_t run(struct input in, uint8_t rest)
{
	c.rest = rest;
	digest_begin();
	clear_memory();
	fill_memory();
	memset(&g.vq->stats, 0, sizeof(g.vq->stats));
	set_up(input_u8(&in), &in);
	hold_buffers();
	read_strikes(&in);
	read_image(&in, 0x4000);
	for (unsigned int i = 0; i < OPS_MAX && !input_empty(&in); i++)
		act(input_u8(&in), &in);
	tear_down();
	return g.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	const struct input in = { bytes, len_bytes };
	uint64_t first;

	if (g.vq == NULL)
		start();
	first = run(in, 0xd7);
	MUST(run(in, 0x28) == first);
	return 0;
}
