/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zero copy: operations on guest memory itself, through mbufs without buffers of
 * their own. What cannot be done so is copied, nobody hears of it.
 */
#ifndef VHOST_NG_CRYPTO_BORROW_H
#define VHOST_NG_CRYPTO_BORROW_H

#include "request.h"

/*
 * Sets m_src and m_dst to what `readable` and r->spans have. 0 or -errno: not with this
 * cryptodev, request or memory, or no mbufs are left; nothing is changed then.
 */
int crypto_borrow(struct crypto_request *r, struct rte_crypto_op *op, const struct span *readable,
		  const struct crypto_layout *l);
/* Has each request of `own` have two mbufs of `borrowed`, new, for good. */
void crypto_borrow_init(struct crypto *crypto);
/* Gives the mbufs back. */
void crypto_unborrow(struct crypto_request *r, struct rte_crypto_op *op);

#endif
