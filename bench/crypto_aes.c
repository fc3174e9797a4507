/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AES-128-CBC and AES-CMAC by the processor's instructions: what bench_crypto expects. FIPS 197,
 * SP 800-38A, SP 800-38B.
 */
#include "crypto.h"

#include <string.h>
#include <wmmintrin.h>

#define ROUNDS 10
#define WITH_AES __attribute__((target("aes")))

/* The next round key; `word` is what AESKEYGENASSIST made of the last one. */
static WITH_AES __m128i
next_key(__m128i key, __m128i word)
{
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
	return _mm_xor_si128(key, _mm_shuffle_epi32(word, 0xff));
}

static WITH_AES void
expand_key(const uint8_t *key, __m128i keys[ROUNDS + 1])
{
	keys[0] = _mm_loadu_si128((const __m128i *)(const void *)key);
	/* The constant of a round is part of the instruction. */
	keys[1] = next_key(keys[0], _mm_aeskeygenassist_si128(keys[0], 0x01));
	keys[2] = next_key(keys[1], _mm_aeskeygenassist_si128(keys[1], 0x02));
	keys[3] = next_key(keys[2], _mm_aeskeygenassist_si128(keys[2], 0x04));
	keys[4] = next_key(keys[3], _mm_aeskeygenassist_si128(keys[3], 0x08));
	keys[5] = next_key(keys[4], _mm_aeskeygenassist_si128(keys[4], 0x10));
	keys[6] = next_key(keys[5], _mm_aeskeygenassist_si128(keys[5], 0x20));
	keys[7] = next_key(keys[6], _mm_aeskeygenassist_si128(keys[6], 0x40));
	keys[8] = next_key(keys[7], _mm_aeskeygenassist_si128(keys[7], 0x80));
	keys[9] = next_key(keys[8], _mm_aeskeygenassist_si128(keys[8], 0x1b));
	keys[10] = next_key(keys[9], _mm_aeskeygenassist_si128(keys[9], 0x36));
}

WITH_AES void
aes_cbc_encrypt(const uint8_t key[AES_KEY_BYTES], const uint8_t iv[AES_BLOCK_BYTES],
		const uint8_t *from, uint8_t *to, uint32_t len_bytes)
{
	__m128i keys[ROUNDS + 1], block;

	expand_key(key, keys);
	block = _mm_loadu_si128((const __m128i *)(const void *)iv);
	for (uint32_t at = 0; at < len_bytes; at += AES_BLOCK_BYTES) {
		block = _mm_xor_si128(block,
				      _mm_loadu_si128((const __m128i *)(const void *)(from + at)));
		block = _mm_xor_si128(block, keys[0]);
		for (unsigned i = 1; i < ROUNDS; i++)
			block = _mm_aesenc_si128(block, keys[i]);
		block = _mm_aesenclast_si128(block, keys[ROUNDS]);
		_mm_storeu_si128((__m128i *)(void *)(to + at), block);
	}
}

/* Twice the number in the field of the algorithm. */
static void
double_block(uint8_t block[AES_BLOCK_BYTES])
{
	uint8_t carry = block[0] >> 7;

	for (unsigned i = 0; i + 1 < AES_BLOCK_BYTES; i++)
		block[i] = (uint8_t)(block[i] << 1 | block[i + 1] >> 7);
	block[AES_BLOCK_BYTES - 1] = (uint8_t)(block[AES_BLOCK_BYTES - 1] << 1);
	block[AES_BLOCK_BYTES - 1] ^= carry ? 0x87 : 0;
}

void
aes_cmac(const uint8_t key[AES_KEY_BYTES], const uint8_t *from, uint32_t len_bytes,
	 uint8_t mac[AES_BLOCK_BYTES])
{
	uint8_t subkey[AES_BLOCK_BYTES] = {0}, block[AES_BLOCK_BYTES] = {0};

	aes_cbc_encrypt(key, subkey, block, subkey, AES_BLOCK_BYTES);
	double_block(subkey);
	for (uint32_t at = 0; at < len_bytes; at += AES_BLOCK_BYTES) {
		memcpy(mac, from + at, AES_BLOCK_BYTES);
		if (at + AES_BLOCK_BYTES == len_bytes)
			for (unsigned i = 0; i < AES_BLOCK_BYTES; i++)
				mac[i] ^= subkey[i];
		aes_cbc_encrypt(key, block, mac, block, AES_BLOCK_BYTES);
	}
	memcpy(mac, block, AES_BLOCK_BYTES);
}

void
aes_self_test(void)
{
	static const uint8_t key[AES_KEY_BYTES] = {
		0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
		0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c,
	};
	static const uint8_t iv[AES_BLOCK_BYTES] = {0, 1, 2, 3, 4, 5, 6, 7,
						    8, 9, 10, 11, 12, 13, 14, 15};
	static const uint8_t plain[2 * AES_BLOCK_BYTES] = {
		0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96,
		0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a,
		0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c,
		0x9e, 0xb7, 0x6f, 0xac, 0x45, 0xaf, 0x8e, 0x51,
	};
	static const uint8_t secret[2 * AES_BLOCK_BYTES] = {
		0x76, 0x49, 0xab, 0xac, 0x81, 0x19, 0xb2, 0x46,
		0xce, 0xe9, 0x8e, 0x9b, 0x12, 0xe9, 0x19, 0x7d,
		0x50, 0x86, 0xcb, 0x9b, 0x50, 0x72, 0x19, 0xee,
		0x95, 0xdb, 0x11, 0x3a, 0x91, 0x76, 0x78, 0xb2,
	};
	static const uint8_t mac[AES_BLOCK_BYTES] = {
		0x07, 0x0a, 0x16, 0xb4, 0x6b, 0x4d, 0x41, 0x44,
		0xf7, 0x9b, 0xdd, 0x9d, 0xd0, 0x4a, 0x28, 0x7c,
	};
	uint8_t got[sizeof(secret)];

	if (!__builtin_cpu_supports("aes"))
		bench_die("this processor has no AES instructions");
	aes_cbc_encrypt(key, iv, plain, got, sizeof(plain));
	if (memcmp(got, secret, sizeof(secret)) != 0)
		bench_die("the bench's own AES-CBC is wrong");
	aes_cmac(key, plain, AES_BLOCK_BYTES, got);
	if (memcmp(got, mac, sizeof(mac)) != 0)
		bench_die("the bench's own AES-CMAC is wrong");
}
