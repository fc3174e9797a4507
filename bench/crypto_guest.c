/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest driver's share of bench_crypto: requests laid out, posted, taken back and compared. All
 * of it runs untimed. Nothing here is untrusted.
 */
#include "crypto.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64
#define CREATE_SESSION_OP 0x0002
#define NO_STATUS 0xee /* until the device writes one */
#define GUARD_BYTE 0xa5
#define MAX_DESC 6
#define MAC_BYTES 16

/*
 * A slot: a table of descriptors, then the header, IV, MAC and status, source and destination.
 * After each of these two a line that nobody may write.
 */
enum {
	SLOT_TABLE = 0,
	SLOT_HEADER = 2 * CACHE_LINE,
	SLOT_IV = SLOT_HEADER + sizeof(struct virtio_crypto_op_data_req),
	SLOT_MAC = SLOT_IV + AES_BLOCK_BYTES,
	SLOT_STATUS = SLOT_MAC + MAC_BYTES,
	SLOT_SOURCE = 4 * CACHE_LINE,
};

/* CREATE_CRYPTO_SESSION as frontends have sent it since the message is there. */
struct create_session {
	int64_t session_id;
	uint32_t op_code;
	uint32_t cipher_algo, cipher_key_bytes;
	uint32_t hash_algo, digest_bytes, auth_key_bytes, aad_bytes;
	uint8_t op_type, direction, hash_mode, chain_order;
	uint64_t cipher_key_pointer, auth_key_pointer;
	uint8_t cipher_key[64];
	uint8_t auth_key[512];
};
_Static_assert(sizeof(struct create_session) == 632, "as on the wire");

static const uint8_t key[AES_KEY_BYTES] = "sixteen byte key";
static const uint8_t mac_key[AES_KEY_BYTES] = "another such key";

static uint32_t
random_below(uint32_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)((x >> 16) % n);
}

static uint32_t
destination(uint32_t data_bytes)
{
	uint32_t lines = (data_bytes + CACHE_LINE - 1) / CACHE_LINE + 1;

	return SLOT_SOURCE + lines * CACHE_LINE;
}

/* An odd number of lines, so that the first lines of all slots do not fall into a few sets. */
static uint32_t
stride(uint32_t data_bytes)
{
	uint32_t lines = (destination(data_bytes) + data_bytes) / CACHE_LINE + 2;

	return (lines | 1) * CACHE_LINE;
}

/* What a chain has more. */
static void
add_mac(struct create_session *msg)
{
	msg->op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
	msg->hash_algo = VIRTIO_CRYPTO_MAC_CMAC_AES;
	msg->digest_bytes = MAC_BYTES;
	msg->auth_key_bytes = AES_KEY_BYTES;
	msg->hash_mode = VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH;
	msg->chain_order = VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_CIPHER_THEN_HASH;
	memcpy(msg->auth_key, mac_key, sizeof(mac_key));
}

static uint64_t
create_session(struct crypto_bench *b)
{
	struct create_session msg = {
		.op_code = CREATE_SESSION_OP,
		.cipher_algo = VIRTIO_CRYPTO_CIPHER_AES_CBC,
		.cipher_key_bytes = AES_KEY_BYTES,
		.op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
		.direction = VIRTIO_CRYPTO_OP_ENCRYPT,
	};
	struct fe_msg reply;
	int rc;

	memcpy(msg.cipher_key, key, sizeof(key));
	if (b->opts.service == CRYPTO_CHAIN)
		add_mac(&msg);
	rc = fe_request(&b->fe, FE_CREATE_CRYPTO_SESSION, &msg, sizeof(msg), &reply);
	if (rc != 0)
		bench_die("no session: %s", strerror(-rc));
	fe_msg_close_fds(&reply);
	memcpy(&msg.session_id, reply.bytes, sizeof(msg.session_id));
	if (msg.session_id < 1)
		bench_die("no session: %lld", (long long)msg.session_id);
	return (uint64_t)msg.session_id;
}

static struct virtio_crypto_op_data_req
request(const struct crypto_bench *b, uint32_t data_bytes)
{
	struct virtio_crypto_op_data_req req = {
		.header = {
			.opcode = VIRTIO_CRYPTO_CIPHER_ENCRYPT,
			.algo = VIRTIO_CRYPTO_CIPHER_AES_CBC,
			.session_id = b->session_id,
		},
		.u.sym_req.op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
	};

	if (b->opts.service == CRYPTO_CIPHER) {
		req.u.sym_req.u.cipher.para = (struct virtio_crypto_cipher_para) {
			.iv_len = AES_BLOCK_BYTES,
			.src_data_len = data_bytes,
			.dst_data_len = data_bytes,
		};
		return req;
	}
	req.u.sym_req.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
	req.u.sym_req.u.chain.para = (struct virtio_crypto_alg_chain_data_para) {
		.iv_len = AES_BLOCK_BYTES,
		.src_data_len = data_bytes,
		.dst_data_len = data_bytes,
		.len_to_cipher = data_bytes,
		.len_to_hash = data_bytes,
		.hash_result_len = MAC_BYTES,
	};
	return req;
}

void
crypto_fill(struct crypto_bench *b, struct crypto_slot *slot, uint32_t data_bytes)
{
	struct virtio_crypto_op_data_req req = request(b, data_bytes);
	uint8_t *from = slot->at + SLOT_SOURCE;

	memset(slot->at, GUARD_BYTE, b->stride_bytes);
	memcpy(slot->at + SLOT_HEADER, &req, sizeof(req));
	for (unsigned i = 0; i < AES_BLOCK_BYTES; i++)
		slot->at[SLOT_IV + i] = (uint8_t)random_below(256);
	for (uint32_t i = 0; i < data_bytes; i++)
		from[i] = (uint8_t)random_below(256);
	aes_cbc_encrypt(key, slot->at + SLOT_IV, from, slot->expected, data_bytes);
	aes_cmac(mac_key, slot->expected, data_bytes, slot->expected_mac);
	slot->data_bytes = data_bytes;
}

static struct guest_seg
indirect_table(const struct crypto_bench *b, const struct crypto_slot *slot,
	       const struct guest_seg *segs, uint16_t nr_segs)
{
	struct guest_desc split[MAX_DESC];
	struct guest_packed_desc packed[MAX_DESC];
	const void *table = b->opts.packed ? (const void *)packed : split;
	uint32_t bytes = (uint32_t)(nr_segs * sizeof(split[0]));

	for (uint16_t i = 0; i < nr_segs; i++) {
		bool last = i + 1 == nr_segs;
		uint16_t flags = segs[i].flags;

		packed[i] = (struct guest_packed_desc) {segs[i].gpa, segs[i].len_bytes, 0, flags};
		split[i] = (struct guest_desc) {
			segs[i].gpa, segs[i].len_bytes,
			(uint16_t)(flags | (last ? 0 : GUEST_DESC_NEXT)),
			(uint16_t)(last ? 0 : i + 1),
		};
	}
	memcpy(slot->at + SLOT_TABLE, table, bytes);
	return (struct guest_seg) {slot->gpa + SLOT_TABLE, bytes, GUEST_DESC_INDIRECT};
}

/* A driver writes header and IV anew for each request, and clears the status. */
static void
touch(struct crypto_slot *slot)
{
	volatile uint8_t *at = slot->at;

	for (uint32_t i = SLOT_HEADER; i < SLOT_MAC; i++)
		at[i] = at[i];
	memset(slot->at + SLOT_MAC, 0, MAC_BYTES);
	at[SLOT_STATUS] = NO_STATUS;
}

static uint16_t
request_segs(const struct crypto_bench *b, const struct crypto_slot *slot, struct guest_seg *segs)
{
	uint64_t at = slot->gpa;
	uint16_t n = 0;

	segs[n++] = (struct guest_seg) {at + SLOT_HEADER, SLOT_IV - SLOT_HEADER, 0};
	segs[n++] = (struct guest_seg) {at + SLOT_IV, AES_BLOCK_BYTES, 0};
	segs[n++] = (struct guest_seg) {at + SLOT_SOURCE, slot->data_bytes, 0};
	segs[n++] = (struct guest_seg) {at + destination(b->data_bytes), slot->data_bytes,
					GUEST_DESC_WRITE};
	if (b->opts.service == CRYPTO_CHAIN)
		segs[n++] = (struct guest_seg) {at + SLOT_MAC, MAC_BYTES, GUEST_DESC_WRITE};
	segs[n++] = (struct guest_seg) {at + SLOT_STATUS, 1, GUEST_DESC_WRITE};
	return n;
}

static void
post(struct crypto_bench *b, struct crypto_slot *slot)
{
	uint8_t *to = slot->at + destination(b->data_bytes);
	struct guest_seg segs[MAX_DESC];
	uint16_t nr_segs = request_segs(b, slot, segs);

	touch(slot);
	memset(to + slot->data_bytes - AES_BLOCK_BYTES, 0, AES_BLOCK_BYTES);
	if (b->opts.layout == CRYPTO_INDIRECT) {
		segs[0] = indirect_table(b, slot, segs, nr_segs);
		nr_segs = 1;
	}
	if (guest_ring_prepare(b->vq, segs, nr_segs, slot) < 0)
		bench_die("no free descriptor");
}

void
crypto_post(struct crypto_bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		post(b, &b->slots[b->next_slot++ % CRYPTO_SLOTS]);
	guest_ring_publish(b->vq);
}

uint8_t
crypto_status(const struct crypto_bench *b, unsigned ago)
{
	return b->slots[(b->next_slot - ago) % CRYPTO_SLOTS].at[SLOT_STATUS];
}

/* Nothing but guard bytes: what was written is all that was asked for. */
static bool
is_untouched(const uint8_t *at, const uint8_t *end)
{
	for (; at < end; at++)
		if (*at != GUARD_BYTE)
			return false;
	return true;
}

static void
expect_result(const struct crypto_bench *b, const struct crypto_slot *slot, bool whole)
{
	const uint8_t *to = slot->at + destination(b->data_bytes);
	const uint8_t *from = slot->at + SLOT_SOURCE;
	uint32_t skip = whole ? 0 : slot->data_bytes - AES_BLOCK_BYTES;

	if (slot->at[SLOT_STATUS] != VIRTIO_CRYPTO_OK)
		bench_die("verify: a request of %u bytes has status %u", slot->data_bytes,
			  slot->at[SLOT_STATUS]);
	if (memcmp(to + skip, slot->expected + skip, slot->data_bytes - skip) != 0)
		bench_die("verify: %u bytes of ciphertext are wrong", slot->data_bytes);
	if (b->opts.service == CRYPTO_CHAIN &&
	    memcmp(slot->at + SLOT_MAC, slot->expected_mac, MAC_BYTES) != 0)
		bench_die("verify: the MAC of %u bytes is wrong", slot->data_bytes);
	if (whole && (!is_untouched(from + slot->data_bytes, to) ||
		      !is_untouched(to + slot->data_bytes, slot->at + b->stride_bytes)))
		bench_die("verify: something was written that is no result");
}

void
crypto_reap(struct crypto_bench *b, unsigned n, bool whole)
{
	struct guest_used used;
	void *slot;

	for (unsigned i = 0; i < n; i++) {
		if (!guest_ring_poll(b->vq, &used, &slot))
			bench_die("%u of %u requests came back", i, n);
		if (slot == NULL)
			bench_die("used element names chain %u, which is not posted", used.id);
		expect_result(b, slot, whole);
	}
	if (guest_ring_poll(b->vq, &used, &slot))
		bench_die("more requests came back than were posted");
}

void
crypto_verify(struct crypto_bench *b, unsigned bursts)
{
	double ticks[CRYPTO_NR_PARTS];

	for (unsigned i = 0; i < bursts; i++) {
		unsigned n = 1 + random_below(b->opts.burst);

		for (unsigned j = 0; j < n; j++) {
			uint32_t blocks = b->data_bytes / AES_BLOCK_BYTES;

			/* Half of them as in the timing. */
			if (random_below(2) == 0)
				blocks = 1 + random_below(blocks);
			crypto_fill(b, &b->slots[(b->next_slot + j) % CRYPTO_SLOTS],
				    blocks * AES_BLOCK_BYTES);
		}
		crypto_post(b, n);
		crypto_burst(b, n, 0, false, ticks);
		crypto_reap(b, n, true);
	}
	/* All as in the timing. */
	for (unsigned i = 0; i < CRYPTO_SLOTS; i++)
		crypto_fill(b, &b->slots[i], b->data_bytes);
}

void
crypto_cell_begin(struct crypto_bench *b, uint32_t data_bytes)
{
	struct guest_memory *mem = &b->fe.mem;

	b->data_bytes = data_bytes;
	b->stride_bytes = stride(data_bytes);
	b->session_id = create_session(b);
	mem->regions[0].used_bytes = b->mem_mark;
	for (unsigned i = 0; i < CRYPTO_SLOTS; i++) {
		struct crypto_slot *slot = &b->slots[i];

		slot->gpa = guest_alloc(mem, b->stride_bytes, CACHE_LINE);
		slot->at = guest_ptr(mem, slot->gpa, b->stride_bytes);
		slot->expected = malloc(data_bytes);
		if (slot->expected == NULL)
			bench_die("no memory");
	}
}

void
crypto_cell_end(struct crypto_bench *b)
{
	for (unsigned i = 0; i < CRYPTO_SLOTS; i++)
		free(b->slots[i].expected);
	if (fe_command(&b->fe, FE_CLOSE_CRYPTO_SESSION, &b->session_id, sizeof(b->session_id), NULL,
		       0) < 0 || fe_sync(&b->fe) != 0)
		bench_die("the session is not closed");
}
