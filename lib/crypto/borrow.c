/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <rte_cryptodev.h>

#include "async/iova.h"
#include "borrow.h"

/* Pieces of one side, each in one run of bus addresses. */
struct pieces {
	unsigned int n;
	struct {
		uint8_t *at;
		rte_iova_t iova;
		uint32_t bytes;
	} piece[CRYPTO_SEGS_MAX];
};

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
		struct rte_mbuf *m = mbufs[i];

		m->buf_addr = p->piece[i].at;
		m->buf_iova = p->piece[i].iova;
		m->buf_len = (uint16_t)p->piece[i].bytes;
		m->data_off = 0;
		m->data_len = m->buf_len;
		m->nb_segs = 1;
		m->next = i + 1 < p->n ? mbufs[i + 1] : NULL;
		*(struct crypto_request **)rte_mbuf_to_priv(m) = r;
		bytes += p->piece[i].bytes;
	}
	mbufs[0]->pkt_len = bytes;
	mbufs[0]->nb_segs = (uint16_t)p->n;
	return mbufs[0];
}

int crypto_borrow(struct crypto_request *r, struct rte_crypto_op *op, const struct span *readable,
		  const struct crypto_layout *l)
{
	struct rte_mbuf *mbufs[2 * CRYPTO_SEGS_MAX];
	const struct crypto_session *s = r->session;
	struct pieces src, dst;
	int ret;

	/*
	 * A chain leaves parts of its source as they are, and hashes what may be either: in
	 * one buffer that is simple. What an AEAD deciphers is for nobody before its tag is
	 * found right.
	 */
	if (s->kind == CRYPTO_CHAIN || (s->kind == CRYPTO_AEAD && !s->encrypts) ||
	    l->src_bytes == 0)
		return -ENOTSUP;
	dst.n = 0;
	ret = pieces_of(&src, span_cursor_at(readable, l->src_at), l->src_bytes);
	if (ret == 0 && l->data_bytes != 0)
		ret = pieces_of(&dst, span_cursor_at(r->spans, 0), l->data_bytes);
	/* OpenSSL's wants all data at once. */
	if (ret == 0 && s->is_ccm && (src.n > 1 || dst.n > 1))
		ret = -ENOTSUP;
	if (ret == 0 && !device_takes(r->crypto, src.n, dst.n))
		ret = -ENOTSUP;
	if (ret == 0 && rte_mempool_get_bulk(r->crypto->borrowed, (void **)mbufs, src.n + dst.n) != 0)
		ret = -ENOBUFS;
	if (ret != 0)
		return ret;
	op->sym->m_src = chain_of(r, mbufs, &src);
	if (dst.n != 0)
		op->sym->m_dst = chain_of(r, mbufs + src.n, &dst);
	return 0;
}

void crypto_unborrow(struct crypto_request *r, struct rte_crypto_op *op)
{
	struct rte_mbuf *chains[] = { op->sym->m_src, op->sym->m_dst };

	for (unsigned int i = 0; i < RTE_DIM(chains); i++) {
		struct rte_mbuf *next;

		for (struct rte_mbuf *m = chains[i]; m != NULL; m = next) {
			next = m->next;
			/* Nothing of it points into guest memory any more. */
			m->buf_addr = NULL;
			m->next = NULL;
			m->nb_segs = 1;
			rte_mempool_put(r->crypto->borrowed, m);
		}
	}
}
