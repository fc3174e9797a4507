/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every length of every kind of request at its borders, alone and with others, in requests that are
 * cut at every byte: CVE-2020-14374, -14376, -14377, CVE-2023-3180, and IVs that are too short. What
 * a request is worth, the test works out by itself.
 */
#include "crypto_rig.h"

#define SRC_BYTES 64

/* --- what lengths there are ------------------------------------------------- */

#define WORD(member) offsetof(struct virtio_crypto_op_data_req, u.member)
#define CIPHER_WORD(f) WORD(sym_req.u.cipher.para.f)
#define CHAIN_WORD(f) WORD(sym_req.u.chain.para.f)
#define DIGEST_WORD(f) WORD(hash_req.para.f)
#define AEAD_WORD(f) WORD(aead_req.para.f)

enum { IV, SRC, DST, AAD, DIGEST, TAG, CIPHER_AT, CIPHERED, HASH_AT, HASHED, NR_LENGTHS };

static const char *const length_names[NR_LENGTHS] = {
	"iv", "src", "dst", "aad", "digest", "tag", "cipher offset", "ciphered", "hash offset",
	"hashed",
};

/* Where they stand; 0: not in this kind. */
static const size_t cipher_words[NR_LENGTHS] = {
	[IV] = CIPHER_WORD(iv_len), [SRC] = CIPHER_WORD(src_data_len),
	[DST] = CIPHER_WORD(dst_data_len),
};
static const size_t digest_words[NR_LENGTHS] = {
	[SRC] = DIGEST_WORD(src_data_len), [DIGEST] = DIGEST_WORD(hash_result_len),
};
static const size_t chain_words[NR_LENGTHS] = {
	[IV] = CHAIN_WORD(iv_len),
	[SRC] = CHAIN_WORD(src_data_len),
	[DST] = CHAIN_WORD(dst_data_len),
	[AAD] = CHAIN_WORD(aad_len),
	[DIGEST] = CHAIN_WORD(hash_result_len),
	[CIPHER_AT] = CHAIN_WORD(cipher_start_src_offset),
	[CIPHERED] = CHAIN_WORD(len_to_cipher),
	[HASH_AT] = CHAIN_WORD(hash_start_src_offset),
	[HASHED] = CHAIN_WORD(len_to_hash),
};
static const size_t aead_words[NR_LENGTHS] = {
	[IV] = AEAD_WORD(iv_len), [AAD] = AEAD_WORD(aad_len), [SRC] = AEAD_WORD(src_data_len),
	[DST] = AEAD_WORD(dst_data_len), [TAG] = AEAD_WORD(dst_data_len) + 4,
};

static const size_t *words_of(enum kind k)
{
	if (is_digest(k))
		return digest_words;
	if (is_chain(k))
		return chain_words;
	return is_aead(k) ? aead_words : cipher_words;
}

static uint32_t length_get(enum kind k, const struct shot *s, unsigned int which)
{
	uint32_t value = 0;

	if (words_of(k)[which] != 0)
		memcpy(&value, (const uint8_t *)&s->head + words_of(k)[which], sizeof(value));
	return value;
}

static void length_set(enum kind k, struct shot *s, unsigned int which, uint32_t value)
{
	memcpy((uint8_t *)&s->head + words_of(k)[which], &value, sizeof(value));
}

/* --- what a request is worth ------------------------------------------------ */

/* Numbers without end, as far as 32-bit ones and their sums are concerned. */
typedef __int128 number;

struct worth {
	bool cut;	/* it ends in its own header */
	bool senseless;
	bool too_large;
	bool empty;	/* nothing to encipher, or nothing to hash: as the cryptodev likes */
};

static struct worth worth_of(enum kind k, struct shot *s)
{
	const struct guest_crypto_session *of = &kinds[k].session;
	const number readable = (number)s->head_bytes + s->body_bytes;
	const number writable = s->writable_bytes;
	const number head = guest_crypto_header_bytes(kinds[k].opcode, has_revision_1());
	number n[NR_LENGTHS], made, tag = is_aead(k) ? of->digest_bytes : 0;
	struct worth w = { .cut = readable < head };
	bool fits = true;

	for (unsigned int i = 0; i < NR_LENGTHS; i++)
		n[i] = length_get(k, s, i);
	fits &= head + n[IV] + n[SRC] + n[AAD] <= readable;
	fits &= n[DST] + n[DIGEST] + 1 <= writable;
	fits &= n[AAD] == of->aad_bytes;
	if (k == KIND_CCM)
		fits &= n[IV] <= 64 && crypto_app_device_can(of, (uint32_t)n[IV]);
	else
		fits &= n[IV] == kinds[k].iv_bytes;
	if (is_digest(k) || is_chain(k))
		fits &= n[DIGEST] == of->digest_bytes;
	if (is_chain(k)) {
		fits &= n[CIPHER_AT] + n[CIPHERED] <= n[SRC];
		fits &= n[HASH_AT] + n[HASHED] <= n[SRC];
		fits &= n[CIPHERED] % kinds[k].block_bytes == 0;
		w.empty = n[CIPHERED] == 0 || n[HASHED] == 0;
	} else {
		fits &= is_digest(k) || n[SRC] % kinds[k].block_bytes == 0;
		w.empty = n[SRC] == 0;
	}
	made = n[SRC];
	if (is_aead(k)) {
		bool back = k == KIND_GCM_BACK;

		made = back ? n[SRC] - tag : n[SRC];
		fits &= !has_revision_1() || n[TAG] == 0 || n[TAG] == tag;
		fits &= made >= 0;
		fits &= made + (back ? 0 : tag) <= n[DST];
		w.empty = made <= 0;
	} else if (!is_digest(k)) {
		fits &= made <= n[DST];
	}
	w.senseless = !fits;
	w.too_large = n[SRC] > (is_aead(k) ? (number)(63u << 10) : (number)crypto_data_max);
	/* What it changes, should it work. */
	if (fits) {
		s->data_bytes = is_digest(k) ? 0 : (uint32_t)made;
		s->digest_at = is_aead(k) ? (uint32_t)made : (uint32_t)n[DST];
	}
	return w;
}

static void say(enum kind k, const struct shot *s, const struct hit *hit)
{
	fprintf(tap.out, "# %s%s: %u + %u bytes to read, %u to write;", kinds[k].name,
		has_revision_1() ? " with REVISION_1" : "", s->head_bytes, s->body_bytes,
		s->writable_bytes);
	for (unsigned int i = 0; i < NR_LENGTHS; i++)
		if (words_of(k)[i] != 0)
			fprintf(tap.out, " %s %u", length_names[i], length_get(k, s, i));
	fprintf(tap.out, ": status %u, %s\n", hit->status, hit->fetched ? "fetched" : "answered");
}

static unsigned long nr_shots;

static void judge(enum kind k, const struct shot *given)
{
	static const struct hit nothing;
	struct shot s = *given;
	struct worth w = worth_of(k, &s);
	struct hit hit = nothing;
	bool right;

	s.indirect = nr_shots++ % 2 != 0;
	hit = fire(nr_shots % 4 < 2 ? rig.rx : rig.tx, &s);
	if (w.cut)
		right = !hit.fetched && (s.writable_bytes == 0 ||
					 hit.status == VIRTIO_CRYPTO_BADMSG ||
					 hit.status == VIRTIO_CRYPTO_INVSESS);
	else if (w.senseless)
		right = !hit.fetched && (s.writable_bytes == 0 ||
					 hit.status == VIRTIO_CRYPTO_BADMSG ||
					 (w.too_large && hit.status == VIRTIO_CRYPTO_ERR));
	else if (w.too_large)
		right = !hit.fetched && hit.status == VIRTIO_CRYPTO_ERR;
	else if (w.empty)
		right = hit.status <= VIRTIO_CRYPTO_BADMSG;
	else if (k == KIND_GCM_BACK) /* whose tag is none */
		right = hit.fetched && hit.status == VIRTIO_CRYPTO_BADMSG;
	else
		right = hit.fetched && hit.status == VIRTIO_CRYPTO_OK;
	if (!right) {
		say(k, &s, &hit);
		tap_fail(__FILE__, __LINE__, "it is %s%s%s%s", w.cut ? "cut " : "",
			 w.senseless ? "senseless " : "good ", w.too_large ? "large " : "",
			 w.empty ? "empty" : "");
	}
}

/* --- one at a time ----------------------------------------------------------- */

#define BORDERS_MAX 40

/* Numbers that may be taken for others, about one that is right. */
static unsigned int borders(const struct shot *s, uint32_t right, uint32_t *out)
{
	const uint32_t readable = s->head_bytes + s->body_bytes, writable = s->writable_bytes;
	const uint32_t all[] = {
		0, 1, right - 1, right, right + 1, right / 2, 2 * right, right - 16, right + 16,
		15, 16, 17, 32, 33,
		readable - 1, readable, readable + 1, readable - s->head_bytes, s->head_bytes,
		writable - 1, writable, writable + 1,
		(uint32_t)crypto_data_max, (uint32_t)crypto_data_max + 1,
		1u << 31, (1u << 31) - 1, (1u << 31) + right, UINT32_MAX, UINT32_MAX - 1,
		/* With the others the sum is what it should be, if it wraps. */
		0u - right, 0u - right + 1, 0u - readable, 0u - s->head_bytes, 0u - writable,
		right + (1u << 16), right | 1u << 31,
	};

	_Static_assert(RTE_DIM(all) <= BORDERS_MAX, "they fit");
	memcpy(out, all, sizeof(all));
	return RTE_DIM(all);
}

static void each_length(enum kind k, const struct shot *good)
{
	uint32_t values[BORDERS_MAX];

	for (unsigned int i = 0; i < NR_LENGTHS; i++) {
		unsigned int n = borders(good, length_get(k, good, i), values);

		for (unsigned int v = 0; v < n && words_of(k)[i] != 0; v++) {
			struct shot s = *good;

			length_set(k, &s, i, values[v]);
			judge(k, &s);
		}
	}
}

/* Its two parts end at every byte, and a bit behind. */
static void each_end(enum kind k, const struct shot *good)
{
	const uint32_t readable = good->head_bytes + good->body_bytes;

	for (uint32_t n = 0; n <= readable + 2; n++) {
		struct shot s = *good;

		s.head_bytes = RTE_MIN(n, good->head_bytes);
		s.body_bytes = n - s.head_bytes;
		judge(k, &s);
		/* Nowhere to say that it is wrong, but for one byte. */
		s.writable_bytes = n % 2;
		judge(k, &s);
	}
	for (uint32_t n = 0; n <= good->writable_bytes + 2; n++) {
		struct shot s = *good;

		s.writable_bytes = n;
		judge(k, &s);
	}
}

/* Some at a time, while there may be more or less bytes than they say. */
static void some_lengths(enum kind k, const struct shot *good, unsigned int count)
{
	uint32_t values[BORDERS_MAX];

	for (unsigned int i = 0; i < count; i++) {
		struct shot s = *good;

		for (unsigned int j = 1 + random_below(3); j > 0; j--) {
			unsigned int which;
			uint32_t right;

			do
				which = random_below(NR_LENGTHS);
			while (words_of(k)[which] == 0);
			right = length_get(k, &s, which);
			length_set(k, &s, which,
				   values[random_below(borders(good, right, values))]);
		}
		if (random_below(3) == 0)
			s.body_bytes = random_below(2 * s.body_bytes);
		if (random_below(3) == 0)
			s.writable_bytes = random_below(2 * s.writable_bytes);
		judge(k, &s);
	}
}

static void lengths(uint64_t features)
{
	nr_shots = 0;
	crypto_up(features, RING_SIZE);
	for (unsigned int i = 0; i < NR_KINDS; i++) {
		enum kind k = (enum kind)i;
		uint64_t id = session_open(k);
		struct shot good = shot_of(k, id, SRC_BYTES);

		judge(k, &good);
		each_length(k, &good);
		each_end(k, &good);
		some_lengths(k, &good, is_soak() ? 20000 : 300);
		session_close(id);
	}
	fprintf(tap.out, "# %lu requests\n", nr_shots);
	CHECK(serves(rig.rx));
	CHECK(serves(rig.tx));
	crypto_down();
}

static void every_length(void)
{
	lengths(0);
}

static void every_length_of_revision_1(void)
{
	lengths(GUEST_CRYPTO_F_REVISION_1);
}

static void every_length_in_place(void)
{
	crypto_app.zero_copy = RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE;
	lengths(0);
}

/* --- IVs ----------------------------------------------------------------------- */

/* What a request does not bring is not taken from the one before. */
static void iv_shorter_than_the_session_s(void)
{
	crypto_up(0, RING_SIZE);
	for (unsigned int i = 0; i < NR_KINDS; i++) {
		enum kind k = (enum kind)i;
		uint64_t id = session_open(k);
		struct shot good = shot_of(k, id, SRC_BYTES);

		for (uint32_t iv = 0; iv <= 70 && kinds[k].iv_bytes != 0; iv++) {
			struct shot s = good;

			length_set(k, &s, IV, iv);
			s.body_bytes += iv - kinds[k].iv_bytes;
			judge(k, &s);
			judge(k, &good);
		}
		session_close(id);
	}
	crypto_down();
}

/* --- the most there may be ------------------------------------------------------ */

static void the_most_data(bool zero_copy)
{
	static const int off_by[] = { -16, 0, 16, 32768, 1 };

	crypto_app.zero_copy = zero_copy ? RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE :
					   RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE;
	crypto_rig_large = true;
	crypto_up(0, RING_SIZE);
	CHECK(crypto_data_max + 65536 < LARGE_REGION_BYTES / 2);
	read_gpa = BORDER;
	write_gpa = BORDER + LARGE_REGION_BYTES / 2;
	for (unsigned int i = 0; i < NR_KINDS; i++) {
		enum kind k = (enum kind)i;
		uint64_t id = session_open(k);

		for (unsigned int j = 0; j < RTE_DIM(off_by); j++) {
			int64_t bytes = (int64_t)crypto_data_max / 16 * 16 + off_by[j];
			struct shot s = shot_of(k, id, (uint32_t)bytes);
			struct worth w = worth_of(k, &s);
			struct hit hit = fire(rig.rx, &s);

			/* A cryptodev may not do all that is offered for all algorithms. */
			if (hit.status == VIRTIO_CRYPTO_OK ? w.senseless || w.too_large :
			    w.senseless ? hit.status > VIRTIO_CRYPTO_BADMSG :
					  k != KIND_GCM_BACK && hit.status != VIRTIO_CRYPTO_ERR) {
				say(k, &s, &hit);
				tap_fail(__FILE__, __LINE__, "of %llu at the most",
					 (unsigned long long)crypto_data_max);
			}
			pools_are_full();
		}
		session_close(id);
	}
	read_gpa = rig.buffers_gpa;
	CHECK(serves(rig.rx));
	crypto_down();
}

static void as_much_data_as_there_may_be(void)
{
	the_most_data(false);
}

static void as_much_data_as_there_may_be_in_place(void)
{
	the_most_data(true);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "CVE-2020-14374 CVE-2020-14376 CVE-2020-14377 CVE-2023-3180 every length",
		  every_length },
		{ "every length of REVISION_1", every_length_of_revision_1 },
		{ "every length in place", every_length_in_place },
		{ "E.5 IV shorter than the session's", iv_shorter_than_the_session_s },
		{ "as much data as there may be", as_much_data_as_there_may_be },
		{ "as much data as there may be in place", as_much_data_as_there_may_be_in_place },
	};

	return crypto_main(argc, argv, tests, RTE_DIM(tests), rig_down);
}
