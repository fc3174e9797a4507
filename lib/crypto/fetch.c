/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the guest's requests to the cryptodev's operations.
 *
 * A run takes chains off the ring, then looks at them: each is read once, its header
 * into a private copy, its data into the request's own buffer or (zero copy) not at
 * all. One that makes no sense is answered, in its turn.
 */
#include <rte_cryptodev.h>

#include "borrow.h"
#include "request.h"

/* Chains that a run takes before it looks into any. */
#define RUN_CHAINS 32

_Static_assert(RUN_CHAINS <= VHOST_CRYPTO_MAX_BURST_SIZE, "a burst is a run or more");

/* What one call of crypto_fetch() works with. */
struct burst {
	struct vq *vq;
	struct crypto_queue *q;
	struct crypto *crypto;
	bool revision_1;
	/* Requests that began in this session, and are not counted there yet. */
	struct crypto_session *session;
	uint32_t nr_session;
	uint32_t nr_begun;
	struct plan plan;
};

static void count_session(struct burst *b, struct crypto_session *s)
{
	if (s != b->session) {
		if (b->nr_session != 0)
			crypto_session_hold(b->session, b->nr_session);
		b->session = s;
		b->nr_session = 0;
	}
	b->nr_session += s != NULL;
}

/* A chain as the request sees it. */
struct parts {
	const struct span *readable, *writable;
	uint32_t readable_bytes, writable_bytes;
	uint16_t nr_readable, nr_writable;
};

static struct parts parts_of(const struct chain *chain)
{
	return (struct parts){ .readable = chain->spans,
			       .writable = chain->spans + chain->nr_readable,
			       .readable_bytes = chain->readable_bytes,
			       .writable_bytes = chain->bytes - chain->readable_bytes,
			       .nr_readable = chain->nr_readable,
			       .nr_writable = (uint16_t)(chain->nr_spans - chain->nr_readable) };
}

/* --- the operation ------------------------------------------------------- */

static uint32_t in_units(uint32_t bytes, bool in_bits)
{
	return in_bits ? bytes * 8 : bytes;
}

static rte_iova_t iova_in(const struct rte_mbuf *m, const void *at)
{
	return m->buf_iova + (rte_iova_t)((uintptr_t)at - (uintptr_t)m->buf_addr);
}

static void op_fill_auth(struct rte_crypto_sym_op *sym, const struct crypto_session *s,
			 const struct crypto_layout *l, const struct rte_mbuf *own)
{
	struct crypto_front *front = own->buf_addr;

	sym->auth.data.offset = in_units(l->hash_at, s->auth_in_bits);
	sym->auth.data.length = in_units(l->hash_bytes, s->auth_in_bits);
	sym->auth.digest.data = front->digest;
	sym->auth.digest.phys_addr = iova_in(own, front->digest);
}

static void op_fill_aead(struct rte_crypto_sym_op *sym, const struct crypto_layout *l,
			 const struct rte_mbuf *own)
{
	struct crypto_front *front = own->buf_addr;

	sym->aead.data.offset = 0;
	sym->aead.data.length = l->src_bytes;
	sym->aead.digest.data = front->digest;
	sym->aead.digest.phys_addr = iova_in(own, front->digest);
	sym->aead.aad.data = front->aad;
	sym->aead.aad.phys_addr = iova_in(own, front->aad);
}

/* All but m_src and m_dst. */
static ALWAYS_INLINE void op_fill(struct rte_crypto_op *op, const struct crypto_session *s,
				  void *sym_session, const struct crypto_layout *l,
				  const struct rte_mbuf *own)
{
	struct rte_crypto_sym_op *sym = op->sym;

	op->type = RTE_CRYPTO_OP_TYPE_SYMMETRIC;
	op->status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED;
	op->sess_type = RTE_CRYPTO_OP_WITH_SESSION;
	*sym = (struct rte_crypto_sym_op){ .session = sym_session };
	if (s->kind == CRYPTO_AEAD) {
		op_fill_aead(sym, l, own);
		return;
	}
	if (s->kind == CRYPTO_CIPHER || s->kind == CRYPTO_CHAIN) {
		sym->cipher.data.offset = in_units(l->cipher_at, s->cipher_in_bits);
		sym->cipher.data.length = in_units(l->cipher_bytes, s->cipher_in_bits);
	}
	if (s->kind != CRYPTO_CIPHER)
		op_fill_auth(sym, s, l, own);
}

/* --- its data ------------------------------------------------------------ */

/* The usual one has a length that the compiler knows. */
static void read_iv(struct plan *plan, struct span_cursor *at, uint32_t bytes, uint8_t *iv)
{
	const uint32_t usual = 16;

	if (likely(bytes == usual && at->span->len_bytes - at->off_bytes >= usual))
		shm_read(iv, at->span->ptr + at->off_bytes, usual);
	else
		plan_add_read_spans(plan, at, iv, bytes);
}

/* The parts that are small: IV, AAD, the tag or digest to be verified. */
static void plan_small_parts(struct burst *b, const struct parts *parts,
			     const struct crypto_session *s, const struct crypto_layout *l,
			     struct rte_crypto_op *op, struct crypto_front *front)
{
	struct span_cursor at;

	if (l->iv_bytes != 0) {
		at = span_cursor_at(parts->readable, l->iv_at);
		read_iv(&b->plan, &at, l->iv_bytes,
			rte_crypto_op_ctod_offset(op, uint8_t *, CRYPTO_IV_OFFSET + s->is_ccm));
	}
	if (s->verifies) {
		at = s->kind == CRYPTO_AEAD ?
			     span_cursor_at(parts->readable, l->src_at + l->src_bytes) :
			     span_cursor_at(parts->writable, l->digest_at);
		plan_add_read_spans(&b->plan, &at, front->digest, s->digest_bytes);
	}
	if (s->aad_bytes != 0) {
		at = span_cursor_at(parts->readable, l->aad_at);
		plan_add_read_spans(&b->plan, &at, front->aad + (s->is_ccm ? CRYPTO_CCM_AAD_AT : 0),
				    s->aad_bytes);
	}
}

static void mbuf_start(struct rte_mbuf *m, uint16_t data_off, uint32_t data_bytes)
{
	m->data_off = data_off;
	m->data_len = (uint16_t)data_bytes;
	m->pkt_len = data_bytes;
	m->nb_segs = 1;
	m->next = NULL;
}

_Static_assert(CRYPTO_DATA_MAX_BYTES <= CRYPTO_BUFFER_BYTES * CRYPTO_SEGS_MAX, "large_chain()");

/* Larger buffers for the source; NULL: there are none left now. */
static struct rte_mbuf *large_chain(struct crypto *crypto, struct crypto_request *r, uint32_t bytes)
{
	struct rte_mbuf *segs[CRYPTO_SEGS_MAX], *first;
	unsigned int n = (bytes + CRYPTO_BUFFER_BYTES - 1) / CRYPTO_BUFFER_BYTES;

	if (rte_mempool_get_bulk(crypto->large, (void **)segs, n) != 0)
		return NULL;
	first = segs[0];
	for (unsigned int i = 0; i < n; i++) {
		uint32_t part = RTE_MIN(bytes - i * CRYPTO_BUFFER_BYTES, CRYPTO_BUFFER_BYTES);

		mbuf_start(segs[i], 0, part);
		segs[i]->next = i + 1 < n ? segs[i + 1] : NULL;
		*(struct crypto_request **)rte_mbuf_to_priv(segs[i]) = r;
	}
	first->nb_segs = (uint16_t)n;
	first->pkt_len = bytes;
	return first;
}

/* Plans the source into buffers of ours. False: there are none left now. */
static bool copy_source(struct burst *b, const struct parts *parts, const struct crypto_layout *l,
			struct crypto_request *r, struct rte_crypto_op *op)
{
	struct rte_mbuf *m = crypto_request_mbuf(r);
	struct span_cursor from;

	mbuf_start(m, sizeof(struct crypto_front), l->src_bytes);
	if (l->src_bytes > CRYPTO_DATA_BYTES) {
		m->data_len = 0;
		m = large_chain(b->crypto, r, l->src_bytes);
		if (m == NULL)
			return false;
		r->holds_more = true;
	}
	op->sym->m_src = m;
	if (l->src_bytes == 0)
		return true;
	from = span_cursor_at(parts->readable, l->src_at);
	for (; m != NULL; m = m->next)
		plan_add_read_spans(&b->plan, &from, rte_pktmbuf_mtod(m, void *), m->data_len);
	return true;
}

/* Keeps where the results go. False: no room now. */
static bool keep_spans(struct crypto *crypto, struct crypto_request *r, const struct parts *parts)
{
	const struct span *last = &parts->writable[parts->nr_writable - 1];
	struct span *spans = r->own_spans;

	r->more = NULL;
	if (parts->nr_writable > CRYPTO_OWN_SPANS) {
		if (rte_mempool_get(crypto->large, (void **)&r->more) != 0)
			return false;
		spans = r->more->buf_addr;
		r->holds_more = true;
	}
	for (unsigned int i = 0; i < parts->nr_writable; i++)
		spans[i] = parts->writable[i];
	r->spans = spans;
	r->nr_spans = parts->nr_writable;
	r->writable_bytes = parts->writable_bytes;
	r->status = last->ptr + last->len_bytes - 1;
	return true;
}

_Static_assert(REQUEST_SPANS_MAX * sizeof(struct span) <= CRYPTO_BUFFER_BYTES, "keep_spans()");

/* --- requests ------------------------------------------------------------ */

/* What becomes of a chain. */
enum outcome {
	BEGUN,
	ANSWERED,
	LATER, /* no buffers: it stays in the ring */
};

/* `done`: 0 if it is not. */
static void slot_take(struct crypto_queue *q, struct used done)
{
	q->done[q->taken++ & q->mask] = done;
}

/* The answer to a request that makes no sense. */
static void answer(struct burst *b, const struct chain *chain, const struct parts *parts,
		   uint8_t status)
{
	const struct span *last = &parts->writable[parts->nr_writable - 1];
	uint8_t __guest *at = last->ptr + last->len_bytes - 1;

	shm_store8(at, status);
	if (b->vq->ring.log != NULL) {
		dirty_log_fence();
		ring_log_buffer(&b->vq->ring, at, 1);
	}
	slot_take(b->q, used_written(chain->used, 1));
}

/* The session of a request and what it is to do there; a status other than OK: it makes no sense. */
static uint8_t understand(const struct burst *b, const struct parts *parts,
			  struct crypto_session **session, struct crypto_layout *layout)
{
	union crypto_head head;

	if (likely(parts->nr_readable != 0 && parts->readable->len_bytes >= sizeof(head))) {
		shm_read(&head, parts->readable->ptr, sizeof(head));
	} else {
		head = (union crypto_head){ .bytes = { 0 } };
		(void)spans_read(parts->readable, parts->nr_readable, &head, sizeof(head));
		if (parts->readable_bytes < sizeof(head.req.header))
			return VIRTIO_CRYPTO_BADMSG;
	}
	*session = crypto_session_find(&b->crypto->sessions,
				       rte_le_to_cpu_64(head.req.header.session_id));
	if (unlikely(*session == NULL || !crypto_head_matches(&head, *session)))
		return crypto_opcode_known(rte_le_to_cpu_32(head.req.header.opcode)) ?
			       VIRTIO_CRYPTO_INVSESS : VIRTIO_CRYPTO_NOTSUPP;
	return crypto_layout_of(&head, *session, b->revision_1, parts->readable_bytes,
				parts->writable_bytes,
				(*session)->kind == CRYPTO_AEAD ? CRYPTO_BUFFER_BYTES :
								  b->crypto->data_max,
				layout);
}

static ALWAYS_INLINE void request_keep(const struct burst *b, const struct chain *chain,
				       struct crypto_request *r, struct crypto_session *s,
				       const struct crypto_layout *l)
{
	r->queue = b->q;
	r->used = chain->used;
	r->session = s;
	r->mem = (struct gmem *)(uintptr_t)b->vq->ring.mem;
	r->slot = b->q->taken;
	r->data_bytes = l->data_bytes;
	r->digest_at = l->digest_at;
	r->digest_bytes = l->digest_bytes;
	r->borrows = false;
	r->lends_digest = false;
	r->holds_more = false;
}

static ALWAYS_INLINE void request_begun(struct burst *b, struct crypto_session *s)
{
	slot_take(b->q, (struct used){ 0 });
	count_session(b, s);
	b->nr_begun++;
}

/* --- as drivers make them ------------------------------------------------- */

#define USUAL_IV_BYTES 16

/* The buffers of a request of the usual form, as usual_form() has looked at them. */
enum { IN_HEADER, IN_IV, IN_SOURCE, NR_IN, OUT_RESULT = NR_IN, OUT_DIGEST };

/* A buffer each for header, IV, source, result, digest (of a chain) and status. */
static ALWAYS_INLINE bool usual_form(const struct chain *chain)
{
	const struct span *spans = chain->spans;

	return likely(chain->nr_readable == NR_IN && chain->nr_spans - 5u <= 1 &&
		      spans[IN_HEADER].len_bytes == sizeof(union crypto_head) &&
		      spans[IN_IV].len_bytes == USUAL_IV_BYTES &&
		      spans[IN_SOURCE].len_bytes == spans[OUT_RESULT].len_bytes &&
		      spans[IN_SOURCE].len_bytes <= CRYPTO_DATA_BYTES &&
		      spans[chain->nr_spans - 1].len_bytes == sizeof(struct virtio_crypto_inhdr));
}

/* Does it make sense, in a session of this kind, and do the lengths say the same? */
static ALWAYS_INLINE bool usual_understand(const struct burst *b, const struct chain *chain,
					   enum crypto_kind kind, struct crypto_session **session,
					   struct crypto_layout *l)
{
	const uint32_t bytes = chain->spans[IN_SOURCE].len_bytes;
	struct crypto_session *s;
	union crypto_head head;

	shm_read(&head, chain->spans[IN_HEADER].ptr, sizeof(head));
	s = crypto_session_find(&b->crypto->sessions,
				rte_le_to_cpu_64(head.req.header.session_id));
	*session = s;
	return likely(s != NULL && s->kind == kind && crypto_head_matches(&head, s) &&
		      crypto_layout_of(&head, s, b->revision_1, chain->readable_bytes,
				       chain->bytes - chain->readable_bytes, b->crypto->data_max,
				       l) == VIRTIO_CRYPTO_OK &&
		      l->iv_bytes == USUAL_IV_BYTES && l->src_bytes == bytes &&
		      l->data_bytes == bytes && l->digest_at == bytes);
}

static ALWAYS_INLINE void usual_keep(struct crypto_request *r, const struct chain *chain)
{
	const struct span *out = chain->spans + OUT_RESULT;

	r->more = NULL;
	r->spans = r->own_spans;
	r->nr_spans = (uint16_t)(chain->nr_spans - NR_IN);
	r->writable_bytes = chain->bytes - chain->readable_bytes;
	r->own_spans[0] = out[0];
	r->own_spans[1] = out[1];
	if (r->nr_spans == 3)
		r->own_spans[2] = out[2];
	r->status = chain->spans[chain->nr_spans - 1].ptr;
}

/*
 * Zero copy. What a chain does not encipher it would not write, either. What it hashes is the
 * result or the source, as its order says.
 */
static ALWAYS_INLINE bool usual_lend(struct crypto_request *r, struct rte_crypto_op *op,
				     enum crypto_kind kind, const struct span *spans,
				     const struct crypto_layout *l)
{
	uint8_t *digest = GUEST_FORCE(uint8_t *, spans[OUT_DIGEST].ptr);

	if (kind == CRYPTO_CHAIN && (l->cipher_at != 0 || l->cipher_bytes != l->src_bytes))
		return false;
	if (unlikely(!crypto_lend(r, op, spans[IN_SOURCE], spans[OUT_RESULT])))
		return false;
	if (kind == CRYPTO_CHAIN && l->digest_bytes == spans[OUT_DIGEST].len_bytes) {
		op->sym->auth.digest.data = digest;
		op->sym->auth.digest.phys_addr = (uintptr_t)digest;
		r->lends_digest = true;
	}
	return true;
}

/* `kind` is a constant. False: it is for request_begin(), which reads for itself. */
static ALWAYS_INLINE bool usual_begin_as(struct burst *b, const struct chain *chain,
					 enum crypto_kind kind, struct rte_mbuf *own,
					 struct rte_crypto_op *op)
{
	struct crypto_request *r = rte_mbuf_to_priv(own);
	const struct span *spans = chain->spans;
	struct crypto_session *s;
	struct crypto_layout l;
	void *sym_session;

	if (!usual_understand(b, chain, kind, &s, &l))
		return false;
	sym_session = crypto_session_for_iv(s, USUAL_IV_BYTES);
	if (unlikely(sym_session == NULL))
		return false;
	request_keep(b, chain, r, s, &l);
	usual_keep(r, chain);
	op_fill(op, s, sym_session, &l, own);
	/* What does not verify is for nobody, and nobody may change it after it was verified. */
	if (b->crypto->zero_copy && !(kind == CRYPTO_CHAIN && s->verifies)) {
		if (!usual_lend(r, op, kind, spans, &l))
			return false;
	} else {
		mbuf_start(own, sizeof(struct crypto_front), l.src_bytes);
		op->sym->m_src = own;
		plan_add_read(&b->plan, rte_pktmbuf_mtod(own, void *), spans[IN_SOURCE].ptr,
			      l.src_bytes);
	}
	/* There are as many, or the lengths would not add up. */
	if (kind == CRYPTO_CHAIN && s->verifies)
		plan_add_read(&b->plan, crypto_request_front(r)->digest, spans[OUT_DIGEST].ptr,
			      s->digest_bytes);
	shm_read(rte_crypto_op_ctod_offset(op, uint8_t *, CRYPTO_IV_OFFSET), spans[IN_IV].ptr,
		 USUAL_IV_BYTES);
	request_begun(b, s);
	return true;
}

static ALWAYS_INLINE bool usual_begin(struct burst *b, const struct chain *chain,
				      struct rte_mbuf *own, struct rte_crypto_op *op)
{
	if (!usual_form(chain))
		return false;
	return chain->nr_spans == OUT_DIGEST + 1 ?
		       usual_begin_as(b, chain, CRYPTO_CIPHER, own, op) :
		       usual_begin_as(b, chain, CRYPTO_CHAIN, own, op);
}

/* --- any ------------------------------------------------------------------ */

static NOINLINE enum outcome request_begin(struct burst *b, const struct chain *chain,
					   struct rte_mbuf *own, struct rte_crypto_op *op)
{
	struct crypto_request *r = rte_mbuf_to_priv(own);
	const struct parts parts = parts_of(chain);
	struct crypto_session *s = NULL;
	struct crypto_layout l;
	void *sym_session;
	uint8_t status;

	if (chain->fault != RING_FAULT_NONE || parts.writable_bytes == 0) {
		b->vq->stats.faults[chain->fault != RING_FAULT_NONE ? chain->fault :
								      RING_FAULT_SHORT]++;
		/* The end of one that is too long is known. */
		if (parts.writable_bytes != 0)
			answer(b, chain, &parts, VIRTIO_CRYPTO_BADMSG);
		else
			slot_take(b->q, chain->used);
		return ANSWERED;
	}
	status = understand(b, &parts, &s, &l);
	sym_session = status == VIRTIO_CRYPTO_OK ? crypto_session_for_iv(s, l.iv_bytes) : NULL;
	if (sym_session == NULL) {
		if (status == VIRTIO_CRYPTO_OK)
			status = crypto_session_refusal(s, l.iv_bytes);
		answer(b, chain, &parts, status);
		return ANSWERED;
	}
	request_keep(b, chain, r, s, &l);
	op_fill(op, s, sym_session, &l, own);
	if (!keep_spans(b->crypto, r, &parts))
		return LATER;
	r->borrows = b->crypto->zero_copy &&
		     crypto_borrow(r, op, parts.readable, &l) == 0;
	if (!r->borrows && !copy_source(b, &parts, &l, r, op)) {
		if (r->more != NULL)
			rte_mempool_put(b->crypto->large, r->more);
		return LATER;
	}
	plan_small_parts(b, &parts, s, &l, op, own->buf_addr);
	request_begun(b, s);
	return BEGUN;
}

/* --- runs ---------------------------------------------------------------- */

/* Takes up to `want` chains. */
static unsigned int take_chains(struct vq *vq, struct span_pool *spans, struct chain *chains,
				unsigned int want)
{
	struct ring *vr = &vq->ring;
	unsigned int n = 0;

	spans->used = 0;
	for (;;) {
		enum fetch_result ret;

		n += ring_fetch_requests(vr->kind, vr, spans, &chains[n], want - n);
		if (n == want)
			return n;
		ret = ring_fetch(vr->kind, vr, CHAIN_BOTH, spans, &chains[n]);
		if (ret != FETCH_OK && ret != FETCH_BAD)
			return n;
		n++;
	}
}

/* How many chains may be taken: the guest may offer more than there is room for. */
static unsigned int chains_room(const struct crypto_queue *q)
{
	return q->mask + 1 - (q->taken - q->given);
}

/*
 * One run: begins up to `count` requests. Returns how many; *more says whether it is
 * worth another run, *refused counts those that were answered.
 */
static unsigned int run(struct burst *b, struct rte_crypto_op **ops, unsigned int count,
			unsigned int *refused, bool *more)
{
	struct ring *vr = &b->vq->ring;
	const struct ring_cursor cursor = ring_open(vr->kind, vr, CHAIN_READABLE);
	struct rte_mbuf *own[RUN_CHAINS];
	struct chain chains[RUN_CHAINS];
	struct span_pool spans;
	unsigned int n, begun = 0, i;

	count = RTE_MIN(RTE_MIN(count, (unsigned int)RUN_CHAINS), chains_room(b->q));
	count = ring_peek(vr->kind, &cursor, count);
	*more = false;
	if (count == 0)
		return 0;
	while (rte_mempool_get_bulk(b->crypto->own, (void **)own, count) != 0)
		if ((count /= 2) == 0)
			return 0;
	n = take_chains(b->vq, &spans, chains, count);
	for (i = 0; i < n; i++) {
		enum outcome what = BEGUN;

		if (!usual_begin(b, &chains[i], own[begun], ops[begun]))
			what = request_begin(b, &chains[i], own[begun], ops[begun]);
		if (what == LATER)
			break;
		begun += what == BEGUN;
		*refused += what == ANSWERED;
	}
	/* Before anything that was planned could be given back. */
	plan_execute_by(&b->plan, b->crypto->copy);
	if (begun < count)
		rte_mempool_put_bulk(b->crypto->own, (void **)&own[begun], count - begun);
	if (i < n) {
		struct used used[RUN_CHAINS];

		for (unsigned int j = i; j < n; j++)
			used[j - i] = chains[j].used;
		ring_rewind(vr->kind, vr, used, n - i);
		return begun;
	}
	*more = n != 0;
	return begun;
}

/* Have operations room for what we put behind them? (They come from one pool.) */
static bool ops_have_room(const struct vq *vq, const struct rte_crypto_op *op)
{
	if (likely(op->mempool == NULL ||
		   __rte_crypto_op_get_priv_data_size(op->mempool) >= VHOST_CRYPTO_MAX_IV_LEN))
		return true;
	LOG_ERR("%s: queue %u: the pool of crypto operations has no room for IVs: make it with a "
		"priv_size of VHOST_CRYPTO_MAX_IV_LEN",
		vq->dev->ifname, vq->index);
	return false;
}

uint16_t crypto_fetch(struct vq *vq, struct rte_crypto_op **ops, uint16_t count)
{
	struct log_budget *outer = log_scope_enter(&vq->log_budget);
	unsigned int n = 0, refused = 0;
	bool more = true;
	struct burst b;

	b.vq = vq;
	b.q = vq->crypto;
	b.crypto = vq->dev->crypto;
	b.revision_1 = device_has(vq->dev, VIRTIO_CRYPTO_F_REVISION_1);
	b.session = NULL;
	b.nr_session = 0;
	b.nr_begun = 0;
	b.plan.nr_segs = 0;
	if (b.q == NULL || b.crypto == NULL || count == 0 || !ops_have_room(vq, ops[0]))
		goto out;
	count = RTE_MIN(count, (uint16_t)VHOST_CRYPTO_MAX_BURST_SIZE);
	/* A guest that feeds us nonsense as fast as we refuse it gets no more. */
	while (more && n < count && refused <= count)
		n += run(&b, ops + n, count - n, &refused, &more);
	count_session(&b, NULL);
	if (b.nr_begun != 0) {
		gmem_get_many((struct gmem *)(uintptr_t)vq->ring.mem, b.nr_begun);
		__atomic_fetch_add(&b.crypto->refs, b.nr_begun, __ATOMIC_RELAXED);
		b.q->nr_open += b.nr_begun;
	}
	if (refused != 0) {
		crypto_give_back(b.q);
		vq_notify(vq->ring.kind, vq);
	}
	if (unlikely(vq->ring.fault != RING_FAULT_NONE))
		vq_report_broken(vq);
out:
	log_scope_leave(outer);
	return (uint16_t)n;
}
