/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about crypto sessions: the frontend serves the guest's control queue, and passes on what
 * the guest asks for there. Keys leave no trace here; codec.c wipes the message.
 */
#include <errno.h>
#include <linux/virtio_crypto.h>
#include <string.h>

#include "table.h"

/* Where all forms have them. */
static const struct vhu_crypto_keys *keys_of(const union vhu_crypto_session *in)
{
	_Static_assert(offsetof(struct vhu_crypto_second, keys) ==
		       offsetof(struct vhu_crypto_first, keys), "one place");
	_Static_assert(offsetof(struct vhu_crypto_third, keys) ==
		       offsetof(struct vhu_crypto_first, keys), "one place");
	return &in->first.keys;
}

/*
 * The first form has an opcode where the second has the number of a cipher. The service is in an
 * opcode's bits 8 and up, where ciphers have nothing; of ciphers it is 0, and only then it takes
 * a second look: the type of operation, which sessions of ciphers have, is padding in the second.
 */
static bool is_first_form(const struct vhu_crypto_first *first)
{
	return first->opcode > UINT8_MAX ||
	       (first->opcode == VIRTIO_CRYPTO_CIPHER_CREATE_SESSION &&
		first->params.op_type != VIRTIO_CRYPTO_SYM_OP_NONE);
}

/* Which form has come? Says what is asked of which service. */
static const struct vhu_crypto_params *params_of(const union vhu_crypto_session *in,
						 uint32_t in_bytes, uint32_t *opcode)
{
	if (in_bytes == sizeof(in->third)) {
		*opcode = (uint32_t)in->third.opcode;
		return &in->third.params;
	}
	if (is_first_form(&in->first)) {
		*opcode = in->first.opcode;
		return &in->first.params;
	}
	*opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION;
	return &in->second.params;
}

static void read_desc(const union vhu_crypto_session *in, uint32_t in_bytes,
		      struct session_desc *desc)
{
	const struct vhu_crypto_params *params = params_of(in, in_bytes, &desc->opcode);
	const struct vhu_crypto_keys *keys = keys_of(in);

	desc->cipher_algo = params->cipher_algo;
	desc->cipher_key_bytes = params->cipher_key_bytes;
	desc->hash_algo = params->hash_algo;
	desc->digest_bytes = params->digest_bytes;
	desc->auth_key_bytes = params->auth_key_bytes;
	desc->aad_bytes = params->aad_bytes;
	desc->op_type = params->op_type;
	desc->direction = params->direction;
	desc->hash_mode = params->hash_mode;
	desc->chain_order = params->chain_order;
	_Static_assert(sizeof(desc->cipher_key) == sizeof(keys->cipher), "copied whole");
	_Static_assert(sizeof(desc->auth_key) == sizeof(keys->auth), "copied whole");
	memcpy(desc->cipher_key, keys->cipher, sizeof(keys->cipher));
	memcpy(desc->auth_key, keys->auth, sizeof(keys->auth));
}

static bool is_asymmetric(const struct session_desc *desc)
{
	return desc->opcode >> 8 == VIRTIO_CRYPTO_SERVICE_AKCIPHER;
}

static int64_t open_session(struct device *dev, const struct session_desc *desc)
{
	/* The rest means something else then. */
	if (is_asymmetric(desc)) {
		LOG_ERR("%s: CREATE_CRYPTO_SESSION: asymmetric ciphers are not supported",
			dev->ifname);
		return -VIRTIO_CRYPTO_NOTSUPP;
	}
	if (desc->cipher_key_bytes > sizeof(desc->cipher_key) ||
	    desc->auth_key_bytes > sizeof(desc->auth_key)) {
		LOG_ERR("%s: CREATE_CRYPTO_SESSION: keys of %u and %u bytes, at most %zu and %zu "
			"fit",
			dev->ifname, desc->cipher_key_bytes, desc->auth_key_bytes,
			sizeof(desc->cipher_key), sizeof(desc->auth_key));
		return -VIRTIO_CRYPTO_ERR;
	}
	return device_server(dev)->session_open(dev, desc);
}

/* The request once more, with an id, but without keys. */
static void answer(struct vhu_call *call, const struct session_desc *desc, int64_t id)
{
	union vhu_crypto_session *out = &call->out->session;

	memcpy(out, call->in, is_asymmetric(desc) ? sizeof(out->third.opcode) :
						    offsetof(struct vhu_crypto_first, keys.cipher));
	if (call->in_bytes == sizeof(out->third))
		out->third.session_id = id;
	else
		out->first.session_id = id;
	call->out_bytes = call->in_bytes;
}

int vhu_create_crypto_session(struct vhu_call *call)
{
	const struct device_backend *backend = device_server(call->dev);
	struct session_desc desc;
	int64_t id;

	if (backend == NULL || backend->session_open == NULL) {
		LOG_ERR("%s: CREATE_CRYPTO_SESSION: this is no crypto device", call->dev->ifname);
		return -ENOTSUP;
	}
	memset(&desc, 0, sizeof(desc));
	read_desc(&call->in->session, call->in_bytes, &desc);
	id = open_session(call->dev, &desc);
	answer(call, &desc, id);
	explicit_bzero(&desc, sizeof(desc));
	return 0;
}

/* A guest may close what it likes: a frontend that passes it on is not to suffer for it. */
int vhu_close_crypto_session(struct vhu_call *call)
{
	const struct device_backend *backend = device_server(call->dev);

	if (backend == NULL || backend->session_close == NULL) {
		LOG_ERR("%s: CLOSE_CRYPTO_SESSION: this is no crypto device", call->dev->ifname);
		return -ENOTSUP;
	}
	call->declined = backend->session_close(call->dev, call->in->u64) < 0;
	return 0;
}
