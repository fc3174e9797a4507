/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <rte_cryptodev.h>

#include "borrow.h"

/* A piece of guest memory, in one run of bus addresses. */
struct piece_of_guest {
	uint8_t *at;
	rte_iova_t iova;
	uint32_t bytes;
};

/* Pieces of one side. */
struct pieces {
	unsigned int n;
	struct piece_of_guest piece[CRYPTO_SEGS_MAX];
};

/* What crypto_lend_mbuf() leaves as it is. */
static void lend_init(struct rte_mempool *pool, void *opaque, void *mbuf, unsigned int index)
{
	struct rte_mbuf *m = mbuf;

	(void)pool;
	(void)opaque;
	(void)index;
	m->data_off = 0;
	m->nb_segs = 1;
	m->next = NULL;
}

/* Is it all in one piece? */
static bool one_piece(const struct crypto *crypto, const struct span *spans, uint32_t skip,
		      uint32_t len, struct piece_of_guest *piece)
{
	struct span_cursor from = span_cursor_at(spans, skip);
	struct span span;

	if (len > UINT16_MAX)
		return false;
	span = span_cursor_take(&from, len);
	piece->at = GUEST_FORCE(uint8_t *, span.ptr);
	piece->iova = (uintptr_t)piece->at;
	piece->bytes = span.len_bytes;
	if (unlikely(!crypto->iova_is_va || !iova_reaches_all()))
		piece->iova = iova_run(piece->at, span.len_bytes, &piece->bytes);
	return piece->iova != IOVA_UNKNOWN && piece->bytes == len;
}

/* `len` bytes from the cursor; what an mbuf holds is 16 bits long. */
static int pieces_of(struct pieces *p, struct span_cursor from, uint32_t len)
{
	p->n = 0;
	while (len != 0) {
		struct span span = span_cursor_take(&from, RTE_MIN(len, (uint32_t)UINT16_MAX));
		uint8_t *at = GUEST_FORCE(uint8_t *, span.ptr);
		uint32_t left = span.len_bytes;

		len -= left;
		while (left != 0) {
			uint32_t run;
			uint64_t iova = iova_run(at, left, &run);

			if (iova == IOVA_UNKNOWN)
				return -EFAULT;
			if (p->n == RTE_DIM(p->piece))
				return -E2BIG;
			p->piece[p->n].at = at;
			p->piece[p->n].iova = iova;
			p->piece[p->n++].bytes = run;
			at += run;
			left -= run;
		}
	}
	return 0;
}

/* Can the cryptodev do it in so many pieces? In place (a hash) as what is copied. */
static bool device_takes(const struct crypto *crypto, unsigned int nr_src, unsigned int nr_dst)
{
	const uint64_t flags = crypto->cryptodev_flags;

	if (nr_dst == 0)
		return nr_src == 1 || crypto->data_max > CRYPTO_BUFFER_BYTES;
	if (nr_src == 1)
		return (flags & (nr_dst == 1 ? RTE_CRYPTODEV_FF_OOP_LB_IN_LB_OUT :
					       RTE_CRYPTODEV_FF_OOP_LB_IN_SGL_OUT)) != 0;
	return (flags & (nr_dst == 1 ? RTE_CRYPTODEV_FF_OOP_SGL_IN_LB_OUT :
				       RTE_CRYPTODEV_FF_OOP_SGL_IN_SGL_OUT)) != 0;
}

static struct rte_mbuf *chain_of(struct crypto_request *r, struct rte_mbuf **mbufs,
				 const struct pieces *p)
{
	uint32_t bytes = 0;

	for (unsigned int i = 0; i < p->n; i++) {
		crypto_lend_mbuf(mbufs[i], p->piece[i].at, p->piece[i].iova, p->piece[i].bytes);
		mbufs[i]->next = i + 1 < p->n ? mbufs[i + 1] : NULL;
		*(struct crypto_request **)rte_mbuf_to_priv(mbufs[i]) = r;
		bytes += p->piece[i].bytes;
	}
	mbufs[0]->pkt_len = bytes;
	mbufs[0]->nb_segs = (uint16_t)p->n;
	return mbufs[0];
}

/* One piece on each side: by the mbufs that each request has for it. */
static bool borrow_two(struct crypto_request *r, struct rte_crypto_op *op,
		       const struct span *readable, const struct crypto_layout *l)
{
	struct piece_of_guest src, dst;

	if (!one_piece(r->crypto, readable, l->src_at, l->src_bytes, &src) ||
	    (l->data_bytes != 0 && !one_piece(r->crypto, r->spans, 0, l->data_bytes, &dst)) ||
	    !device_takes(r->crypto, 1, l->data_bytes != 0))
		return false;
	crypto_lend_mbuf(r->lent[0], src.at, src.iova, src.bytes);
	op->sym->m_src = r->lent[0];
	if (l->data_bytes == 0)
		return true;
	crypto_lend_mbuf(r->lent[1], dst.at, dst.iova, dst.bytes);
	op->sym->m_dst = r->lent[1];
	return true;
}

static int borrow_many(struct crypto_request *r, struct rte_crypto_op *op,
		       const struct span *readable, const struct crypto_layout *l)
{
	struct rte_mbuf *mbufs[2 * CRYPTO_SEGS_MAX];
	struct pieces src, dst;
	int ret;

	/* OpenSSL's wants all data at once. */
	if (r->session->is_ccm)
		return -ENOTSUP;
	dst.n = 0;
	ret = pieces_of(&src, span_cursor_at(readable, l->src_at), l->src_bytes);
	if (ret == 0 && l->data_bytes != 0)
		ret = pieces_of(&dst, span_cursor_at(r->spans, 0), l->data_bytes);
	if (ret == 0 && !device_takes(r->crypto, src.n, dst.n))
		ret = -ENOTSUP;
	if (ret == 0 && rte_mempool_get_bulk(r->crypto->borrowed, (void **)mbufs, src.n + dst.n) != 0)
		ret = -ENOBUFS;
	if (ret != 0)
		return ret;
	r->holds_more = true;
	op->sym->m_src = chain_of(r, mbufs, &src);
	if (dst.n != 0)
		op->sym->m_dst = chain_of(r, mbufs + src.n, &dst);
	return 0;
}

int crypto_borrow(struct crypto_request *r, struct rte_crypto_op *op, const struct span *readable,
		  const struct crypto_layout *l)
{
	const struct crypto_session *s = r->session;

	/*
	 * A chain leaves parts of its source as they are, and hashes what may be either: in
	 * one buffer that is simple. What an AEAD deciphers is for nobody before its tag is
	 * found right.
	 */
	if (s->kind == CRYPTO_CHAIN || (s->kind == CRYPTO_AEAD && !s->encrypts) ||
	    l->src_bytes == 0)
		return -ENOTSUP;
	return likely(borrow_two(r, op, readable, l)) ? 0 : borrow_many(r, op, readable, l);
}

void crypto_unborrow(struct crypto_request *r, struct rte_crypto_op *op)
{
	if (op->sym->m_src == r->lent[0])
		return;
	crypto_put_chain(r->crypto->borrowed, op->sym->m_src);
	crypto_put_chain(r->crypto->borrowed, op->sym->m_dst);
}

static void give_two(struct rte_mempool *pool, void *crypto, void *mbuf, unsigned int index)
{
	struct crypto_request *r = rte_mbuf_to_priv(mbuf);
	struct rte_mempool *borrowed = ((struct crypto *)crypto)->borrowed;

	(void)pool;
	(void)index;
	/* There are enough for all, or the pool would not be there. */
	for (unsigned int i = 0; i < RTE_DIM(r->lent); i++) {
		(void)rte_mempool_get(borrowed, (void **)&r->lent[i]);
		*(struct crypto_request **)rte_mbuf_to_priv(r->lent[i]) = r;
	}
}

void crypto_borrow_init(struct crypto *crypto)
{
	crypto->iova_is_va = iova_is_va();
	(void)rte_mempool_obj_iter(crypto->borrowed, lend_init, NULL);
	(void)rte_mempool_obj_iter(crypto->own, give_two, crypto);
}
