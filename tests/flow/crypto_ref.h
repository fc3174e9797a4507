/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a virtio-crypto device has to answer, by libcrypto: the other opinion in tests of crypto.
 */
#ifndef CRYPTO_REF_H
#define CRYPTO_REF_H

#include "guest_crypto.h"

/*
 * Fills in dst and hash as the request has room for. 0, -EBADMSG (the tag is wrong; dst is
 * undefined), or -ENOTSUP: libcrypto has nothing of the kind.
 */
int crypto_ref_compute(const struct guest_crypto_session *session,
		       const struct guest_crypto_req *req, uint8_t *dst, uint8_t *hash);

#endif
