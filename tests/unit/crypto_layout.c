/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/crypto/layout.h against a second opinion: what a request says is read out as bytes, added up in
 * numbers that do not wrap, and laid out byte for byte. All requests of small universes, and random
 * ones of large numbers at their borders.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/layout.h"
#include "tap.h"

typedef __int128 number;

#define HEADER_BYTES 24 /* virtio 1.2, 5.9.7: struct virtio_crypto_op_header */
#define WHOLE_BYTES 72	/* and with the longest parameters */

static uint32_t random_below(uint32_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return n == 0 ? 0 : (uint32_t)((x >> 16) % n);
}

/* --- heads, by the offsets of the specification ------------------------------ */

enum { IV, SRC, DST, AAD, DIGEST, TAG, CIPHER_AT, CIPHERED, HASH_AT, HASHED, NR_FIELDS };

/* Bytes from the start of a request; 0: not in this kind. */
static const uint8_t offsets[][NR_FIELDS] = {
	[CRYPTO_CIPHER] = { [IV] = 24, [SRC] = 28, [DST] = 32 },
	[CRYPTO_HASH] = { [SRC] = 24, [DIGEST] = 28 },
	[CRYPTO_MAC] = { [SRC] = 24, [DIGEST] = 28 },
	[CRYPTO_AEAD] = { [IV] = 24, [AAD] = 28, [SRC] = 32, [DST] = 36, [TAG] = 40 },
	[CRYPTO_CHAIN] = { [IV] = 24, [SRC] = 28, [DST] = 32, [CIPHER_AT] = 36, [CIPHERED] = 40,
			   [HASH_AT] = 44, [HASHED] = 48, [AAD] = 52, [DIGEST] = 56 },
};

static void put(union crypto_head *head, unsigned int at, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		head->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get(const union crypto_head *head, unsigned int at)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < 4; i++)
		value |= (uint32_t)head->bytes[at + i] << (8 * i);
	return value;
}

static void put_field(union crypto_head *head, const struct crypto_session *s, unsigned int field,
		      uint32_t value)
{
	if (offsets[s->kind][field] != 0)
		put(head, offsets[s->kind][field], value);
}

/* --- the other opinion --------------------------------------------------------- */

/* Which part of what is read, or written, a byte belongs to. */
enum part { NOTHING, P_HEAD, P_IV, P_SRC, P_AAD, P_DATA, P_DIGEST, P_STATUS };

struct opinion {
	bool no_session;	/* it says so, with REVISION_1 */
	bool right, too_large;
	number head, n[NR_FIELDS];
	number made;		/* bytes of the result */
	number digest_at, digest; /* what is written of it; a chain's is there in any case */
};

static number head_bytes(const struct crypto_session *s, bool revision_1)
{
	/* The parameters alone, as 5.9.7.2 and 5.9.7.4 have them. */
	if (revision_1 && (s->kind == CRYPTO_HASH || s->kind == CRYPTO_MAC))
		return HEADER_BYTES + 8;
	if (revision_1 && s->kind == CRYPTO_AEAD)
		return HEADER_BYTES + 24;
	return WHOLE_BYTES;
}

static struct opinion opinion_of(const union crypto_head *head, const struct crypto_session *s,
				 bool revision_1, uint32_t readable, uint32_t writable,
				 uint32_t data_max)
{
	struct opinion o = { .head = head_bytes(s, revision_1), .right = true };
	number room;

	o.no_session = revision_1 && (get(head, 16) & 1) == 0;
	for (unsigned int i = 0; i < NR_FIELDS; i++)
		o.n[i] = offsets[s->kind][i] != 0 ? get(head, offsets[s->kind][i]) : 0;
	if (o.head + o.n[IV] + o.n[SRC] + o.n[AAD] > (number)readable)
		o.right = false;
	room = (number)writable - 1 - o.n[DIGEST] - o.n[DST];
	if (room < 0 || o.n[AAD] != s->aad_bytes)
		o.right = false;
	switch ((enum crypto_kind)s->kind) {
	case CRYPTO_CHAIN:
		if (o.n[CIPHER_AT] + o.n[CIPHERED] > o.n[SRC] || o.n[HASH_AT] + o.n[HASHED] > o.n[SRC] ||
		    o.n[CIPHERED] % s->block_bytes != 0 || o.n[DIGEST] != s->digest_bytes ||
		    o.n[SRC] > o.n[DST])
			o.right = false;
		o.made = o.n[SRC];
		o.digest_at = o.n[DST];
		o.digest = s->encrypts ? s->digest_bytes : 0;
		break;
	case CRYPTO_CIPHER:
		if (o.n[SRC] % s->block_bytes != 0 || o.n[SRC] > o.n[DST])
			o.right = false;
		o.made = o.n[SRC];
		o.digest_at = o.n[DST];
		break;
	case CRYPTO_AEAD:
		o.made = s->encrypts ? o.n[SRC] : o.n[SRC] - s->digest_bytes;
		o.digest = s->encrypts ? s->digest_bytes : 0;
		o.digest_at = o.made;
		if (o.made < 0 || o.made + o.digest > o.n[DST] ||
		    (revision_1 && o.n[TAG] != 0 && o.n[TAG] != s->digest_bytes))
			o.right = false;
		break;
	case CRYPTO_HASH:
	case CRYPTO_MAC:
		if (o.n[DIGEST] != s->digest_bytes)
			o.right = false;
		o.digest = s->digest_bytes;
		break;
	}
	o.too_large = o.n[SRC] > (number)data_max;
	return o;
}

/* --- both ------------------------------------------------------------------------ */

static unsigned long nr_tried, nr_right;

static void __attribute__((noreturn)) disagree(const union crypto_head *head,
					       const struct crypto_session *s, bool revision_1,
					       uint32_t readable, uint32_t writable, uint8_t status,
					       const char *what)
{
	fprintf(tap.out, "# kind %u%s%s, block %u, digest %u, aad %u; %u to read, %u to write:", s->kind,
		s->encrypts ? " forth" : "", revision_1 ? " with REVISION_1" : "", s->block_bytes,
		s->digest_bytes, s->aad_bytes, readable, writable);
	for (unsigned int i = 0; i < NR_FIELDS; i++)
		if (offsets[s->kind][i] != 0)
			fprintf(tap.out, " %u", get(head, offsets[s->kind][i]));
	fprintf(tap.out, "\n");
	tap_fail(__FILE__, __LINE__, "status %u: %s", status, what);
}

/* The parts as a map of all bytes: no two on one, none outside. */
static const char *misplaced(const struct crypto_layout *l, const struct crypto_session *s,
			     const struct opinion *o, uint32_t readable, uint32_t writable)
{
	static uint8_t read_map[1024], write_map[1024];
	const struct {
		uint8_t *map;
		number at, bytes, end;
		uint8_t part;
	} parts[] = {
		{ read_map, 0, o->head, readable, P_HEAD },
		{ read_map, l->iv_at, l->iv_bytes, readable, P_IV },
		{ read_map, l->src_at, o->n[SRC], readable, P_SRC },
		{ read_map, l->aad_at, s->aad_bytes, readable, P_AAD },
		{ write_map, 0, l->data_bytes, writable, P_DATA },
		{ write_map, l->digest_at,
		  s->kind == CRYPTO_CHAIN ? s->digest_bytes : l->digest_bytes, writable, P_DIGEST },
		{ write_map, (number)writable - 1, 1, writable, P_STATUS },
	};

	memset(read_map, 0, sizeof(read_map));
	memset(write_map, 0, sizeof(write_map));
	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].bytes != 0 && parts[i].at + parts[i].bytes > parts[i].end)
			return "a part ends outside";
		for (number at = parts[i].at; at < parts[i].at + parts[i].bytes; at++) {
			if (at >= (number)sizeof(read_map))
				break; /* large ones are compared as numbers only */
			if (parts[i].map[at] != NOTHING)
				return "a byte has two meanings";
			parts[i].map[at] = parts[i].part;
		}
	}
	return NULL;
}

static const char *compare_parts(const struct crypto_layout *l, const struct crypto_session *s,
				 const struct opinion *o)
{
	if (l->iv_bytes != o->n[IV] || (l->iv_bytes != 0 && l->iv_at != o->head))
		return "the IV";
	if (l->src_at != o->head + o->n[IV])
		return "where the source is";
	if (l->src_bytes != (s->kind == CRYPTO_AEAD ? o->made : o->n[SRC]))
		return "the length of the source";
	if (l->aad_at != o->head + o->n[IV] + o->n[SRC])
		return "where AAD is";
	if (l->data_bytes != (s->kind == CRYPTO_HASH || s->kind == CRYPTO_MAC ? 0 : o->made))
		return "the length of the result";
	if (l->digest_bytes != o->digest ||
	    ((o->digest != 0 || s->kind == CRYPTO_CHAIN) && l->digest_at != o->digest_at))
		return "the digest";
	if (s->kind == CRYPTO_CHAIN &&
	    (l->cipher_at != o->n[CIPHER_AT] || l->cipher_bytes != o->n[CIPHERED] ||
	     l->hash_at != o->n[HASH_AT] || l->hash_bytes != o->n[HASHED]))
		return "what is enciphered and hashed";
	if (s->kind == CRYPTO_CIPHER && (l->cipher_at != 0 || l->cipher_bytes != o->made))
		return "what is enciphered";
	if ((s->kind == CRYPTO_HASH || s->kind == CRYPTO_MAC) &&
	    (l->hash_at != 0 || l->hash_bytes != o->n[SRC]))
		return "what is hashed";
	return NULL;
}

static void compare(const union crypto_head *head, const struct crypto_session *s, bool revision_1,
		    uint32_t readable, uint32_t writable, uint32_t data_max)
{
	const struct opinion o = opinion_of(head, s, revision_1, readable, writable, data_max);
	const char *wrong = NULL;
	struct crypto_layout l;
	uint8_t status = crypto_layout_of(head, s, revision_1, readable, writable, data_max, &l);

	nr_tried++;
	if (o.no_session)
		wrong = status == VIRTIO_CRYPTO_NOTSUPP ? NULL : "it is for no session";
	else if (!o.right)
		wrong = status == VIRTIO_CRYPTO_BADMSG ? NULL : "it makes no sense";
	else if (o.too_large)
		wrong = status == VIRTIO_CRYPTO_ERR ? NULL : "it is too large";
	else if (status != VIRTIO_CRYPTO_OK)
		wrong = "it is right";
	else
		wrong = compare_parts(&l, s, &o);
	if (wrong == NULL && status == VIRTIO_CRYPTO_OK) {
		wrong = misplaced(&l, s, &o, readable, writable);
		nr_right++;
	}
	if (wrong != NULL)
		disagree(head, s, revision_1, readable, writable, status, wrong);
}

static struct crypto_session session_of(enum crypto_kind kind, bool encrypts, uint8_t block,
					uint8_t digest, uint16_t aad)
{
	struct crypto_session s;

	memset(&s, 0, sizeof(s));
	s.id = 1;
	s.kind = (uint8_t)kind;
	s.encrypts = encrypts;
	s.verifies = !encrypts && (kind == CRYPTO_AEAD || kind == CRYPTO_CHAIN);
	s.block_bytes = block;
	s.part_max_bytes = UINT32_MAX;
	s.digest_bytes = digest;
	s.aad_bytes = aad;
	return s;
}

static union crypto_head head_in_session(void)
{
	union crypto_head head = { .bytes = { 0 } };

	head.bytes[16] = 1;
	return head;
}

/* --- small universes ------------------------------------------------------------- */

/* Most of each field, and how many bytes more than the header there may be. */
struct universe {
	uint8_t most[NR_FIELDS];
	uint8_t readable, writable;
};

static bool next(uint8_t *values, const struct universe *u)
{
	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		if (values[i]++ < u->most[i])
			return true;
		values[i] = 0;
	}
	return false;
}

static void try_universe(const struct crypto_session *s, const struct universe *u)
{
	for (unsigned int revision_1 = 0; revision_1 < 2; revision_1++) {
		const uint32_t head_is = (uint32_t)head_bytes(s, revision_1 != 0);
		uint8_t values[NR_FIELDS] = { 0 };

		do {
			union crypto_head head = head_in_session();

			for (unsigned int i = 0; i < NR_FIELDS; i++)
				put_field(&head, s, i, values[i]);
			for (uint32_t r = 0; r <= u->readable; r++)
				for (uint32_t w = 1; w <= u->writable; w++)
					compare(&head, s, revision_1 != 0, head_is - 1 + r, w, 2);
		} while (next(values, u));
	}
}

static void small_ciphers(void)
{
	static const struct universe u = { { [IV] = 2, [SRC] = 4, [DST] = 5 }, 8, 8 };

	for (uint8_t block = 1; block <= 3; block++) {
		const struct crypto_session s = session_of(CRYPTO_CIPHER, true, block, 0, 0);

		try_universe(&s, &u);
	}
}

static void small_digests(void)
{
	static const struct universe u = { { [SRC] = 4, [DIGEST] = 4 }, 8, 8 };

	for (uint8_t digest = 1; digest <= 3; digest++) {
		const struct crypto_session hash = session_of(CRYPTO_HASH, false, 1, digest, 0);
		const struct crypto_session mac = session_of(CRYPTO_MAC, false, 1, digest, 0);

		try_universe(&hash, &u);
		try_universe(&mac, &u);
	}
}

static void small_aeads(void)
{
	static const struct universe u = {
		{ [IV] = 1, [SRC] = 4, [DST] = 5, [AAD] = 2, [TAG] = 3 }, 9, 7,
	};

	for (uint8_t digest = 1; digest <= 2; digest++)
		for (uint16_t aad = 0; aad <= 1; aad++) {
			const struct crypto_session forth =
				session_of(CRYPTO_AEAD, true, 1, digest, aad);
			const struct crypto_session back =
				session_of(CRYPTO_AEAD, false, 1, digest, aad);

			try_universe(&forth, &u);
			try_universe(&back, &u);
		}
}

static void small_chains(void)
{
	static const struct universe u = {
		{ [IV] = 1, [SRC] = 3, [DST] = 3, [AAD] = 1, [DIGEST] = 2, [CIPHER_AT] = 3,
		  [CIPHERED] = 3, [HASH_AT] = 3, [HASHED] = 3 },
		6, 6,
	};

	for (uint8_t block = 1; block <= 2; block++) {
		const struct crypto_session forth = session_of(CRYPTO_CHAIN, true, block, 1, 0);
		const struct crypto_session back = session_of(CRYPTO_CHAIN, false, block, 1, 0);

		try_universe(&forth, &u);
		try_universe(&back, &u);
	}
}

/* --- large numbers ------------------------------------------------------------------ */

/* About what others are, and what may look like it after a sum has wrapped. */
static uint32_t large(const union crypto_head *head, const struct crypto_session *s,
		      uint32_t readable, uint32_t writable)
{
	const uint32_t some[] = { 0, 1, 16, 64, WHOLE_BYTES, 1u << 20, 1u << 31, UINT32_MAX,
				  readable, writable, 0u - readable, 0u - writable };
	uint32_t base = some[random_below(sizeof(some) / sizeof(some[0]))];
	unsigned int other = random_below(NR_FIELDS);

	if (random_below(2) != 0 && offsets[s->kind][other] != 0) {
		uint32_t value = get(head, offsets[s->kind][other]);

		base = random_below(2) != 0 ? value : base - value;
	}
	return base + random_below(5) - 2;
}

/* Close to one that is right, or not. */
static void try_large(const struct crypto_session *s)
{
	const bool revision_1 = random_below(2) != 0;
	uint32_t src = random_below(3) != 0 ? random_below(1u << 16) : random_below(UINT32_MAX);
	uint32_t readable, writable, data_max = random_below(2) != 0 ? 1u << 20 : UINT32_MAX;
	union crypto_head head = head_in_session();
	uint32_t iv = random_below(17), room;

	src -= src % (s->block_bytes != 0 ? s->block_bytes : 1);
	room = src + (s->kind == CRYPTO_AEAD && s->encrypts ? s->digest_bytes : 0) +
	       (random_below(2) != 0 ? random_below(100) : 0);
	put_field(&head, s, IV, iv);
	put_field(&head, s, SRC, src);
	put_field(&head, s, DST, room);
	put_field(&head, s, AAD, s->aad_bytes);
	put_field(&head, s, DIGEST, s->digest_bytes);
	put_field(&head, s, TAG, random_below(2) != 0 ? s->digest_bytes : 0);
	put_field(&head, s, CIPHERED, src);
	put_field(&head, s, HASHED, src);
	readable = (uint32_t)head_bytes(s, revision_1) + iv + src + s->aad_bytes;
	writable = room + s->digest_bytes + 1;
	for (unsigned int n = random_below(4); n > 0; n--) {
		unsigned int field = random_below(NR_FIELDS);
		uint32_t value = large(&head, s, readable, writable);

		put_field(&head, s, field, value);
	}
	if (random_below(3) == 0)
		readable = large(&head, s, readable, writable);
	if (random_below(3) == 0)
		writable = large(&head, s, readable, writable);
	/* Of the flags only the first one counts. */
	head.bytes[16] = (uint8_t)random_below(256) | (random_below(16) != 0);
	compare(&head, s, revision_1, readable, writable != 0 ? writable : 1, data_max);
}

static void large_numbers(void)
{
	static const struct {
		enum crypto_kind kind;
		bool encrypts;
		uint8_t block, digest;
		uint16_t aad;
	} sessions[] = {
		{ CRYPTO_CIPHER, true, 1, 0, 0 },   { CRYPTO_CIPHER, false, 16, 0, 0 },
		{ CRYPTO_HASH, false, 1, 64, 0 },   { CRYPTO_MAC, false, 1, 20, 0 },
		{ CRYPTO_AEAD, true, 1, 16, 20 },   { CRYPTO_AEAD, false, 1, 16, 0 },
		{ CRYPTO_AEAD, false, 1, 4, 256 },  { CRYPTO_CHAIN, true, 16, 20, 0 },
		{ CRYPTO_CHAIN, false, 8, 64, 0 },
	};

	nr_tried = nr_right = 0;
	for (unsigned int i = 0; i < 2000000; i++) {
		unsigned int which = random_below(sizeof(sessions) / sizeof(sessions[0]));
		const struct crypto_session s =
			session_of(sessions[which].kind, sessions[which].encrypts,
				   sessions[which].block, sessions[which].digest,
				   sessions[which].aad);

		try_large(&s);
	}
	fprintf(tap.out, "# %lu requests, %lu are right\n", nr_tried, nr_right);
	CHECK(nr_right > nr_tried / 20 && nr_right < nr_tried / 2);
}

/* --- whose request it is ------------------------------------------------------------- */

/* Services, each with what the operation is. */
static bool is_opcode(uint32_t opcode)
{
	const uint32_t service = opcode >> 8, operation = opcode & 0xff;

	if (service == VIRTIO_CRYPTO_SERVICE_CIPHER || service == VIRTIO_CRYPTO_SERVICE_AEAD)
		return operation == 0 || operation == 1;
	return (service == VIRTIO_CRYPTO_SERVICE_HASH || service == VIRTIO_CRYPTO_SERVICE_MAC) &&
	       operation == 0;
}

/* The only opcode, and type of operation if it has one, of a session. */
static bool belongs(uint32_t opcode, uint32_t type, const struct crypto_session *s)
{
	static const uint8_t services[] = {
		[CRYPTO_CIPHER] = VIRTIO_CRYPTO_SERVICE_CIPHER,
		[CRYPTO_CHAIN] = VIRTIO_CRYPTO_SERVICE_CIPHER,
		[CRYPTO_HASH] = VIRTIO_CRYPTO_SERVICE_HASH,
		[CRYPTO_MAC] = VIRTIO_CRYPTO_SERVICE_MAC,
		[CRYPTO_AEAD] = VIRTIO_CRYPTO_SERVICE_AEAD,
	};
	const bool has_direction = s->kind != CRYPTO_HASH && s->kind != CRYPTO_MAC;

	if (opcode >> 8 != services[s->kind] ||
	    (opcode & 0xff) != (has_direction && !s->encrypts))
		return false;
	if (services[s->kind] != VIRTIO_CRYPTO_SERVICE_CIPHER)
		return true;
	return type == (s->kind == CRYPTO_CIPHER ? 1 : 2);
}

static void requests_and_sessions(void)
{
	for (uint32_t opcode = 0; opcode < 1u << 17; opcode++) {
		CHECK_EQ(crypto_opcode_known(opcode), is_opcode(opcode));
		CHECK(!crypto_opcode_known(opcode | 1u << (17 + opcode % 15)));
		for (unsigned int i = 0; i < 10; i++) {
			const struct crypto_session s =
				session_of((enum crypto_kind)(i % 5), i >= 5, 1, 1, 0);

			for (uint32_t type = 0; type < 4; type++) {
				union crypto_head head = head_in_session();

				put(&head, 0, opcode);
				put(&head, 64, type);
				CHECK_EQ(crypto_head_matches(&head, &s), belongs(opcode, type, &s));
			}
		}
	}
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(small_ciphers),  TAP_TEST(small_digests), TAP_TEST(small_aeads),
		TAP_TEST(small_chains),	  TAP_TEST(large_numbers), TAP_TEST(requests_and_sessions),
	};

	tap_begin();
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL, NULL,
		       NULL);
}
