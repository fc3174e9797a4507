/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared state of bench_crypto: one process, one virtio-crypto device, one thread that is the host
 * application (public API only), its cryptodev, and the guest driver. Nothing here is untrusted.
 */
#ifndef BENCH_CRYPTO_H
#define BENCH_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_crypto.h>
#include <rte_cryptodev.h>
#include <rte_vhost_crypto.h>

#include "frontend.h"
#include "host.h"
#include "rounds.h"

#define CRYPTO_MAX_SIZES 16
#define CRYPTO_MAX_BURST VHOST_CRYPTO_MAX_BURST_SIZE
#define CRYPTO_SLOTS 64 /* used round and round; a power of two */
#define AES_KEY_BYTES 16
#define AES_BLOCK_BYTES 16

enum crypto_layout {
	CRYPTO_INDIRECT, /* a request in a table of descriptors */
	CRYPTO_DIRECT,	 /* in the ring */
};

enum crypto_service {
	CRYPTO_CIPHER, /* AES-128-CBC */
	CRYPTO_CHAIN,  /* and AES-CMAC of what comes out */
};

struct crypto_options {
	unsigned sizes_bytes[CRYPTO_MAX_SIZES];
	unsigned nr_sizes;
	bool run[2]; /* by enum rte_vhost_crypto_zero_copy */
	enum crypto_layout layout;
	enum crypto_service service;
	bool packed;
	const char *cryptodev;
	unsigned burst;
	unsigned ring_size;
	unsigned rounds;     /* clean ones wanted */
	unsigned max_rounds; /* attempts at most */
	unsigned core;
	double quiet_ticks; /* 0: measure it here */
	bool calibrate;	    /* only print it */
	const char *label;
};

/* Where the guest has a request. */
struct crypto_slot {
	uint64_t gpa;
	uint8_t *at;
	uint32_t data_bytes;
	uint8_t *expected; /* ciphertext */
	uint8_t expected_mac[AES_BLOCK_BYTES];
};

struct crypto_bench {
	struct crypto_options opts;
	struct frontend fe;
	struct guest_ring *vq;
	int vid;
	uint8_t *own_view[GUEST_MAX_REGIONS];
	uint64_t mem_mark; /* the region is free from here on */

	uint8_t cryptodev_id;
	struct rte_mempool *session_pool, *op_pool;

	/* The cell being measured. */
	uint32_t data_bytes;
	uint64_t session_id;
	uint32_t stride_bytes;
	struct crypto_slot slots[CRYPTO_SLOTS];
	unsigned next_slot; /* to post */
	uint64_t requests;  /* all that went through, timed or not */
};

/* Ticks of the parts of a burst. */
enum crypto_part {
	CRYPTO_FETCH,
	CRYPTO_FINALIZE,
	CRYPTO_LIBRARY, /* both */
	CRYPTO_LOOP,	/* all that the application does */
	CRYPTO_NR_PARTS,
};

/* crypto_host.c: EAL, the cryptodev, the device. */
void crypto_start(struct crypto_bench *b, const char *program);
void crypto_stop(struct crypto_bench *b);
/* Until then data is copied. */
void crypto_begin_zero_copy(struct crypto_bench *b);
/*
 * One burst of `n` requests that the guest has posted, from the ring through the cryptodev and
 * back; ticks of its parts, less `cost` for each reading of the counter.
 */
void crypto_burst(struct crypto_bench *b, unsigned n, double cost, bool on_valgrind,
		  double ticks[CRYPTO_NR_PARTS]);

/* crypto_guest.c: the guest driver's share. */
void crypto_cell_begin(struct crypto_bench *b, uint32_t data_bytes);
void crypto_cell_end(struct crypto_bench *b);
/* The next slot gets data of its own; what comes back shall be `expected`. */
void crypto_fill(struct crypto_bench *b, struct crypto_slot *slot, uint32_t data_bytes);
void crypto_post(struct crypto_bench *b, unsigned n);
/* The status byte of the request that was posted `ago` requests ago; 1 is the last one. */
uint8_t crypto_status(const struct crypto_bench *b, unsigned ago);
/*
 * Takes back as many requests as were posted; dies unless each is done and has the right
 * ciphertext, all of it and nothing beyond it, or if not `whole` its last block, into which all
 * others go.
 */
void crypto_reap(struct crypto_bench *b, unsigned n, bool whole);
/* Requests of random sizes in bursts of random size, all of each compared. */
void crypto_verify(struct crypto_bench *b, unsigned bursts);

/* crypto_aes.c: what is expected, without any library. AES-128-CBC of whole blocks. */
void aes_cbc_encrypt(const uint8_t key[AES_KEY_BYTES], const uint8_t iv[AES_BLOCK_BYTES],
		     const uint8_t *from, uint8_t *to, uint32_t len_bytes);
/* AES-128-CMAC of whole blocks, at least one. */
void aes_cmac(const uint8_t key[AES_KEY_BYTES], const uint8_t *from, uint32_t len_bytes,
	      uint8_t mac[AES_BLOCK_BYTES]);
/* Dies unless these are what NIST says (SP 800-38A, F.2.1; SP 800-38B, D.1). */
void aes_self_test(void);

#endif
