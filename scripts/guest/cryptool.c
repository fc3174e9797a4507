/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small cipher tool for the test guest, linked statically into its initramfs.
 * Has one driver of the guest's kernel, by its name in /proc/crypto, encrypt and
 * decrypt through AF_ALG, each time all bytes in one request.
 */
#include <errno.h>
#include <linux/if_alg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IV_BYTES 16
#define DATA_MAX_BYTES (128 * 1024)
#define REFERENCE "cbc(aes-generic)"

struct cipher {
	const char *driver;
	int tfm, op; /* sockets: the key's, and the one that requests go through */
};

static int fail(const char *what)
{
	fprintf(stderr, "cryptool: %s: %s\n", what, strerror(errno));
	return -1;
}

static int cipher_open(struct cipher *c, const char *driver, const uint8_t *key, size_t key_bytes)
{
	struct sockaddr_alg addr = { .salg_family = AF_ALG, .salg_type = "skcipher" };

	c->driver = driver;
	c->op = -1;
	snprintf((char *)addr.salg_name, sizeof(addr.salg_name), "%s", driver);
	c->tfm = socket(AF_ALG, SOCK_SEQPACKET, 0);
	if (c->tfm < 0)
		return fail("AF_ALG");
	if (bind(c->tfm, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return fail(driver);
	if (setsockopt(c->tfm, SOL_ALG, ALG_SET_KEY, key, (socklen_t)key_bytes) < 0)
		return fail("key");
	c->op = accept(c->tfm, NULL, NULL);
	return c->op < 0 ? fail("accept") : 0;
}

static void cipher_close(struct cipher *c)
{
	if (c->op >= 0)
		close(c->op);
	if (c->tfm >= 0)
		close(c->tfm);
}

static void add_control(struct msghdr *msg, struct cmsghdr **at, int type, const void *data,
			size_t len)
{
	*at = *at == NULL ? CMSG_FIRSTHDR(msg) : CMSG_NXTHDR(msg, *at);
	(*at)->cmsg_level = SOL_ALG;
	(*at)->cmsg_type = type;
	(*at)->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(*at), data, len);
}

/* -1 with errno: what the driver says became of the request. */
static int cipher_run(struct cipher *c, bool encrypts, const uint8_t *iv, const uint8_t *in,
		      uint8_t *out, size_t len)
{
	uint8_t control[CMSG_SPACE(4) + CMSG_SPACE(4 + IV_BYTES)] = { 0 };
	uint8_t iv_block[4 + IV_BYTES];
	uint32_t op = encrypts ? ALG_OP_ENCRYPT : ALG_OP_DECRYPT, iv_bytes = IV_BYTES;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)in, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *at = NULL;
	ssize_t n;

	memcpy(iv_block, &iv_bytes, 4);
	memcpy(iv_block + 4, iv, IV_BYTES);
	add_control(&msg, &at, ALG_SET_OP, &op, sizeof(op));
	add_control(&msg, &at, ALG_SET_IV, iv_block, sizeof(iv_block));
	if (sendmsg(c->op, &msg, 0) != (ssize_t)len)
		return -1;
	n = read(c->op, out, len);
	if (n >= 0 && n != (ssize_t)len)
		errno = EMSGSIZE;
	return n == (ssize_t)len ? 0 : -1;
}

static int parse_hex(const char *hex, uint8_t *bytes, size_t max)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n && i < max; i++) {
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -1;
		bytes[i] = (uint8_t)byte;
	}
	return n <= max ? (int)n : -1;
}

/* What tests/guest/crypto.py expects to have been encrypted. */
static void fill(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8) * 13);
}

/* Each size in a request of its own; ciphertexts to standard output, decrypted and compared. */
static int cmd_encrypt(const char *driver, const char *key_hex, const char *iv_hex, char **sizes)
{
	static uint8_t data[DATA_MAX_BYTES], out[DATA_MAX_BYTES], back[DATA_MAX_BYTES];
	uint8_t key[32], iv[IV_BYTES];
	int key_bytes = parse_hex(key_hex, key, sizeof(key));
	struct cipher c;

	if (key_bytes < 0 || parse_hex(iv_hex, iv, sizeof(iv)) != IV_BYTES ||
	    cipher_open(&c, driver, key, (size_t)key_bytes) < 0)
		return 1;
	for (; *sizes != NULL; sizes++) {
		size_t len = strtoul(*sizes, NULL, 0);

		if (len > DATA_MAX_BYTES)
			return 1;
		fill(data, len);
		if (cipher_run(&c, true, iv, data, out, len) < 0)
			return fprintf(stderr, "cryptool: encrypt %zu bytes: %m\n", len), 1;
		if (fwrite(out, 1, len, stdout) != len)
			return fail("write"), 1;
		if (cipher_run(&c, false, iv, out, back, len) < 0)
			return fprintf(stderr, "cryptool: decrypt %zu bytes: %m\n", len), 1;
		if (memcmp(data, back, len) != 0)
			return fprintf(stderr, "cryptool: %zu bytes came back otherwise\n", len), 1;
	}
	cipher_close(&c);
	return fflush(stdout) == 0 ? 0 : 1;
}

static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* One key, and some requests with it, of any size up to `max_bytes`. */
static int compare_round(const char *driver, uint32_t *state, size_t max_bytes, int requests)
{
	static uint8_t data[DATA_MAX_BYTES], out[DATA_MAX_BYTES], wanted[DATA_MAX_BYTES];
	uint8_t key[32], iv[IV_BYTES];
	size_t key_bytes = 16 + 8 * (random_next(state) % 3);
	struct cipher c, reference;

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)random_next(state);
	if (cipher_open(&c, driver, key, key_bytes) < 0 ||
	    cipher_open(&reference, REFERENCE, key, key_bytes) < 0)
		return -1;
	for (int i = 0; i < requests; i++) {
		size_t len = 16 + random_next(state) % (max_bytes / 16) * 16;
		bool encrypts = random_next(state) % 2 != 0;

		for (size_t k = 0; k < len; k++)
			data[k] = (uint8_t)random_next(state);
		memcpy(iv, data + len - IV_BYTES, IV_BYTES);
		if (cipher_run(&c, encrypts, iv, data, out, len) < 0)
			return fprintf(stderr, "cryptool: %zu bytes: %m\n", len), -1;
		if (cipher_run(&reference, encrypts, iv, data, wanted, len) < 0)
			return fail(REFERENCE);
		if (memcmp(out, wanted, len) != 0)
			return fprintf(stderr, "cryptool: %zu bytes differ\n", len), -1;
	}
	cipher_close(&c);
	cipher_close(&reference);
	return 0;
}

/* Random keys, sizes and data, compared with what the kernel's own cipher makes of them. */
static int cmd_compare(const char *driver, uint32_t seed, size_t max_bytes, int seconds)
{
	time_t end = time(NULL) + seconds;
	uint32_t state = seed | 1;
	long requests = 0;

	if (max_bytes < 16 || max_bytes > DATA_MAX_BYTES)
		return 1;
	do {
		if (compare_round(driver, &state, max_bytes, 20) < 0)
			return 1;
		requests += 20;
	} while (time(NULL) < end);
	printf("%ld requests\n", requests);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 6 && strcmp(argv[1], "encrypt") == 0)
		return cmd_encrypt(argv[2], argv[3], argv[4], argv + 5);
	if (argc == 6 && strcmp(argv[1], "compare") == 0)
		return cmd_compare(argv[2], (uint32_t)strtoul(argv[3], NULL, 0),
				   strtoul(argv[4], NULL, 0), atoi(argv[5]));
	fprintf(stderr, "usage: cryptool encrypt DRIVER KEY IV BYTES...  ciphertexts to stdout\n"
			"       cryptool compare DRIVER SEED MAX-BYTES SECONDS\n");
	return 2;
}
