/* SPDX-License-Identifier: BSD-3-Clause */
/* Published test vectors of what crypto devices offer, each with its source. */
#ifndef CRYPTO_VECTORS_H
#define CRYPTO_VECTORS_H

#include <stdint.h>

/*
 * Bytes are written as hexadecimal digits or as 'text', with blanks in between; *n after a word
 * repeats it. NULL is nothing.
 */
struct crypto_vector {
	const char *source;
	uint32_t service; /* VIRTIO_CRYPTO_SERVICE_* */
	uint32_t algo;	  /* its number in virtio */
	const char *key, *iv, *aad;
	const char *in;
	const char *out; /* ciphertext and tag, or digest */
	uint32_t tag_bytes; /* at the end of `out`, of AEAD */
};

extern const struct crypto_vector crypto_vectors[];
extern const unsigned crypto_nr_vectors;

/* What the words say; how many bytes. It must fit. */
uint32_t crypto_vector_bytes(const char *words, uint8_t *bytes, uint32_t max_bytes);

#endif
