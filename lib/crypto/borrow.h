/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zero copy: operations on guest memory itself, through mbufs without buffers of
 * their own. What cannot be done so is copied, nobody hears of it.
 */
#ifndef VHOST_NG_CRYPTO_BORROW_H
#define VHOST_NG_CRYPTO_BORROW_H

#include <rte_cryptodev.h>

#include "async/iova.h"
#include "request.h"

/*
 * Sets m_src and m_dst to what `readable` and r->spans have. 0 or -errno: not with this
 * cryptodev, request or memory, or no mbufs are left; nothing is changed then.
 */
int crypto_borrow(struct crypto_request *r, struct rte_crypto_op *op, const struct span *readable,
		  const struct crypto_layout *l);
/* Has each request of `own` have two mbufs of `borrowed`, new, for good. */
void crypto_borrow_init(struct crypto *crypto);

static ALWAYS_INLINE void crypto_lend_mbuf(struct rte_mbuf *m, uint8_t *at, rte_iova_t iova,
					   uint32_t bytes)
{
	m->buf_addr = at;
	m->buf_iova = iova;
	m->buf_len = (uint16_t)bytes;
	m->data_len = (uint16_t)bytes;
	m->pkt_len = bytes;
}

/*
 * As crypto_borrow() for one piece on each side, all of `src` and `dst`, by the mbufs that each
 * request has for it. False, and nothing has happened: that takes more than pointers.
 */
static ALWAYS_INLINE bool crypto_lend(struct crypto_request *r, struct rte_crypto_op *op,
				      struct span src, struct span dst)
{
	uint8_t *from = GUEST_FORCE(uint8_t *, src.ptr), *to = GUEST_FORCE(uint8_t *, dst.ptr);

	if (unlikely(!r->crypto->iova_is_va || !iova_reaches_all() ||
		     (r->crypto->cryptodev_flags & RTE_CRYPTODEV_FF_OOP_LB_IN_LB_OUT) == 0))
		return false;
	crypto_lend_mbuf(r->lent[0], from, (uintptr_t)from, src.len_bytes);
	crypto_lend_mbuf(r->lent[1], to, (uintptr_t)to, dst.len_bytes);
	op->sym->m_src = r->lent[0];
	op->sym->m_dst = r->lent[1];
	r->borrows = true;
	return true;
}

/* Gives the mbufs back. */
void crypto_unborrow(struct crypto_request *r, struct rte_crypto_op *op);

#endif
