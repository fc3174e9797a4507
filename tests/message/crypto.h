/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CREATE_CRYPTO_SESSION in each of its forms, byte by byte, as QEMU and DPDK have it: without the
 * library's structs.
 */
#ifndef MESSAGE_CRYPTO_H
#define MESSAGE_CRYPTO_H

#include <linux/virtio_crypto.h>

#include "meaning.h"

#define NOWHERE UINT32_MAX
#define POINTERS 40 /* two of them */
#define CIPHER_KEY 56
#define AUTH_KEY 120
#define PARAMS_BYTES 28
#define BYTES_MAX 1072

struct layout {
	const char *name;
	uint32_t bytes;
	uint32_t id, opcode, params;
};

static const struct layout layouts[] = {
	{ "DPDK 22.11", 632, 0, 8, 12 },
	{ "QEMU 7.2", 632, 0, NOWHERE, 8 },
	{ "later", 1072, 1064, 0, 8 },
};

static inline void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static inline void write_desc(const struct layout *l, const struct session_desc *d, uint8_t *out)
{
	const uint32_t numbers[] = { d->cipher_algo,  d->cipher_key_bytes, d->hash_algo,
				     d->digest_bytes, d->auth_key_bytes,   d->aad_bytes };
	const uint8_t bytes[] = { d->op_type, d->direction, d->hash_mode, d->chain_order };

	memset(out, 0, BYTES_MAX);
	if (l->opcode != NOWHERE)
		put32(out + l->opcode, d->opcode);
	for (unsigned int i = 0; i < ARRAY_LEN(numbers); i++)
		put32(out + l->params + i * 4, numbers[i]);
	memcpy(out + l->params + 24, bytes, sizeof(bytes));
	memset(out + POINTERS, 0x5c, 16);
	memcpy(out + CIPHER_KEY, d->cipher_key, sizeof(d->cipher_key));
	memcpy(out + AUTH_KEY, d->auth_key, sizeof(d->auth_key));
}

/* What a guest may well ask for. */
static inline struct session_desc aes_cbc(void)
{
	struct session_desc d;

	memset(&d, 0, sizeof(d));
	d.opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION;
	d.cipher_algo = VIRTIO_CRYPTO_CIPHER_AES_CBC;
	d.cipher_key_bytes = 16;
	d.op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER;
	d.direction = VIRTIO_CRYPTO_OP_ENCRYPT;
	for (unsigned int i = 0; i < d.cipher_key_bytes; i++)
		d.cipher_key[i] = (uint8_t)(0xa1 + i * 29);
	return d;
}

/* The id that it is answered with; the connection stays. */
static inline int64_t create(const struct layout *l, const struct session_desc *d)
{
	uint8_t request[BYTES_MAX];
	int64_t id;

	write_desc(l, d, request);
	assert_int_equal(session_send(&s, VHU_CREATE_CRYPTO_SESSION, request, l->bytes, NULL, 0),
			 0);
	assert_int_equal(s.reply.hdr.size_bytes, l->bytes);
	memcpy(&id, (const uint8_t *)&s.reply.payload + l->id, sizeof(id));
	return id;
}

#endif
