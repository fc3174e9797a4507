/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the cryptodev's results back to the guest.
 */
#include "borrow.h"
#include "request.h"

/* Requests whose results are written as one. */
#define RUN_OPS 32

static uint8_t status_of(const struct rte_crypto_op *op)
{
	if (likely(op->status == RTE_CRYPTO_OP_STATUS_SUCCESS))
		return VIRTIO_CRYPTO_OK;
	switch (op->status) {
	case RTE_CRYPTO_OP_STATUS_AUTH_FAILED:
		return VIRTIO_CRYPTO_BADMSG;
	case RTE_CRYPTO_OP_STATUS_INVALID_SESSION:
		return VIRTIO_CRYPTO_INVSESS;
	default:
		return VIRTIO_CRYPTO_ERR;
	}
}

/* --- writing ------------------------------------------------------------- */

/* Plans what the guest gets of a result, where the cryptodev has not put it. */
static ALWAYS_INLINE void plan_result(struct plan *plan, const struct crypto_request *r,
				      const struct rte_crypto_op *op)
{
	uint32_t left = r->borrows ? 0 : r->data_bytes;
	struct span_cursor to;

	if (left == 0) {
		;
	} else if (likely(op->sym->m_src == crypto_request_mbuf(r) &&
			  r->spans->len_bytes >= left)) {
		plan_add_write(plan, r->spans->ptr, rte_pktmbuf_mtod(op->sym->m_src, void *), left);
	} else {
		to = span_cursor_at(r->spans, 0);
		for (const struct rte_mbuf *m = op->sym->m_src; left != 0; m = m->next) {
			uint32_t part = RTE_MIN(left, (uint32_t)m->data_len);

			plan_add_write_spans(plan, &to, rte_pktmbuf_mtod(m, void *), part);
			left -= part;
		}
	}
	if (r->digest_bytes != 0 && !r->lends_digest) {
		to = span_cursor_at(r->spans, r->digest_at);
		plan_add_write_spans(plan, &to, crypto_request_front(r)->digest, r->digest_bytes);
	}
}

static void log_bytes(struct ring *vr, const struct crypto_request *r, uint32_t at, uint32_t len)
{
	struct span_cursor from;

	if (len == 0)
		return;
	from = span_cursor_at(r->spans, at);
	while (len != 0) {
		struct span piece = span_cursor_take(&from, len);

		ring_log_copy(vr, r->mem, piece.ptr, piece.len_bytes);
		len -= piece.len_bytes;
	}
}

/* What a cryptodev may have written itself, before it failed, too. */
static void log_lent(struct ring *vr, const struct crypto_request *r)
{
	if (r->borrows)
		log_bytes(vr, r, 0, r->data_bytes);
	if (r->lends_digest)
		log_bytes(vr, r, r->digest_at, r->digest_bytes);
}

static COLD void log_answer(struct ring *vr, const struct crypto_request *r, bool has_result)
{
	dirty_log_fence();
	log_lent(vr, r);
	if (has_result && !r->borrows)
		log_bytes(vr, r, 0, r->data_bytes);
	if (has_result && !r->lends_digest)
		log_bytes(vr, r, r->digest_at, r->digest_bytes);
	log_bytes(vr, r, r->writable_bytes - 1, 1);
}

/* The status, at the very end; all else is written. */
static ALWAYS_INLINE void answer(struct crypto_queue *q, const struct crypto_request *r,
				 uint8_t status)
{
	const bool has_result = status == VIRTIO_CRYPTO_OK;

	shm_store8(r->status, status);
	if (unlikely(q->home->ring.log != NULL))
		log_answer(&q->home->ring, r, has_result);
	q->done[r->slot & q->mask] = used_written(
		r->used, 1 + (likely(has_result) ? r->data_bytes + r->digest_bytes : 0));
}

/* The cryptodev wrote it all the same. */
static COLD void log_unwanted(struct ring *vr, const struct crypto_request *r)
{
	dirty_log_fence();
	log_lent(vr, r);
	ring_log_tell(vr);
}

/* --- the end of requests ------------------------------------------------- */

/* What ended requests held, given back a run at a time. */
struct ended {
	struct crypto *crypto;
	struct crypto_session *session;
	struct gmem *mem;
	unsigned int n;
	struct rte_mbuf *own[RUN_OPS];
};

static void ended_flush(struct ended *e)
{
	if (e->n == 0)
		return;
	rte_mempool_put_bulk(e->crypto->own, (void **)e->own, e->n);
	crypto_session_drop(e->session, e->n);
	gmem_put_many(e->mem, e->n);
	crypto_put(e->crypto, e->n);
	e->n = 0;
}

static NOINLINE void free_more(struct crypto_request *r, struct rte_crypto_op *op)
{
	if (r->more != NULL)
		rte_mempool_put(r->crypto->large, r->more);
	if (r->borrows)
		crypto_unborrow(r, op);
	else if (op->sym->m_src != crypto_request_mbuf(r))
		crypto_put_chain(r->crypto->large, op->sym->m_src);
}

static ALWAYS_INLINE void request_end(struct ended *e, struct crypto_request *r,
				      struct rte_crypto_op *op)
{
	/* A session is of one device. */
	if (unlikely(r->session != e->session || r->mem != e->mem)) {
		ended_flush(e);
		e->crypto = r->crypto;
		e->session = r->session;
		e->mem = r->mem;
	}
	if (unlikely(r->holds_more))
		free_more(r, op);
	e->own[e->n++] = crypto_request_mbuf(r);
	op->sym->m_src = NULL;
	op->sym->m_dst = NULL;
}

/* ------------------------------------------------------------------------ */

static bool is_done(const struct crypto_queue *q, uint32_t number)
{
	return number != q->taken && q->done[number & q->mask].word != 0;
}

void crypto_give_back(struct crypto_queue *q)
{
	struct ring *vr = &q->home->ring;
	bool pushed = false;

	if (vr->fault != RING_FAULT_NONE || !vring_attached(vr))
		return;
	while (is_done(q, q->given)) {
		const struct used *used = &q->done[q->given & q->mask];
		unsigned int n = 1;

		/* Those that lie behind one another. */
		while (n < RUN_OPS && is_done(q, q->given + n) && ((q->given + n) & q->mask) != 0)
			n++;
		ring_used_push(vr->kind, vr, CHAIN_WRITABLE, used, n);
		q->given += n;
		pushed = true;
	}
	if (pushed)
		ring_publish(vr->kind, vr);
}

static void finish_run(struct crypto_queue *q, struct rte_crypto_op *const *ops, unsigned int n)
{
	/* Another ring is there by now: the guest does not expect this any more. */
	const bool wanted = q->home->crypto == q;
	struct crypto_request *requests[RUN_OPS];
	struct ended ended;
	struct plan plan;

	ended.n = 0;
	ended.session = NULL;
	plan.nr_segs = 0;
	for (unsigned int i = 0; i < n; i++) {
		const struct crypto_request *r = requests[i] = crypto_request_of(ops[i]);

		if (ops[i]->status == RTE_CRYPTO_OP_STATUS_SUCCESS && wanted)
			plan_result(&plan, r, ops[i]);
	}
	if (plan.nr_segs != 0)
		plan_execute_by(&plan, requests[0]->crypto->copy);
	for (unsigned int i = 0; i < n; i++) {
		struct crypto_request *r = requests[i];

		if (likely(wanted))
			answer(q, r, status_of(ops[i]));
		else if (q->home->ring.log != NULL)
			log_unwanted(&q->home->ring, r);
		request_end(&ended, r, ops[i]);
	}
	ended_flush(&ended);
	q->nr_open -= n;
}

bool crypto_finish(struct crypto_queue *q, struct rte_crypto_op *const *ops, unsigned int count)
{
	struct vq *vq = q->home;

	for (unsigned int i = 0; i < count; i += RUN_OPS)
		finish_run(q, ops + i, RTE_MIN(count - i, (unsigned int)RUN_OPS));
	if (vq->crypto != q) {
		if (q->nr_open == 0)
			free(q);
		return false;
	}
	crypto_give_back(q);
	if (vq->callfd < 0 || vq->ring.unsignalled == 0)
		return false;
	if (ring_notify_needed(vq->ring.kind, &vq->ring)) {
		vq->stats.guest_notifications++;
		return true;
	}
	if (vq->stats_on)
		vq->stats.notifications_suppressed++;
	return false;
}
