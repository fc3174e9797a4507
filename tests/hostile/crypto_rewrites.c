/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that goes on writing: CVE-2020-14375. While its requests are served a thread changes what
 * they say, from one value to another and back: headers, lengths, descriptors, tables, data. Whatever
 * comes of it, every request comes back once, and nothing changes but what it may have named.
 */
#include "crypto_rig.h"

#define BATCH 16
#define SOURCE_BYTES 64
#define NR_WORDS_MAX 512
#define WANTED 2000 /* requests that worked, and others, at least */

/* A word of guest memory and what may stand there; the first one is right. */
#define VALUES_MAX 8
struct word {
	volatile void *at;
	unsigned int bytes, nr_values;
	uint64_t values[VALUES_MAX];
};

static struct word words[NR_WORDS_MAX];
static unsigned int nr_words;
static bool stop; /* atomic */
static unsigned long nr_writes;

static void word_write(const struct word *w, uint64_t value)
{
	switch (w->bytes) {
	case 1:
		*(volatile uint8_t *)w->at = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)w->at = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)w->at = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)w->at = value;
	}
}

static void *rewrite(void *arg)
{
	uint64_t x = 88172645463325252ull;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (unsigned int i = 0; i < 64; i++) {
			const struct word *w;

			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			w = &words[(x >> 8) % nr_words];
			/* Mostly as it should be: a request has many words. */
			word_write(w, w->values[(x >> 40) % 32 != 0 ? 0 : (x >> 48) % w->nr_values]);
			nr_writes++;
		}
		if (x % 8 == 0)
			sched_yield();
	}
	return NULL;
}

static void add_word(uint64_t gpa, unsigned int bytes, const uint64_t *values, unsigned int n)
{
	struct word *w = &words[nr_words++];

	RTE_VERIFY(nr_words <= NR_WORDS_MAX && n <= VALUES_MAX);
	*w = (struct word){ .at = guest_ptr(&rig.flow.fe.mem, gpa, bytes), .bytes = bytes,
			    .nr_values = n };
	RTE_VERIFY(w->at != NULL);
	memcpy(w->values, values, n * sizeof(values[0]));
}

/* --- what is rewritten ------------------------------------------------------- */

#define ADD_WORD(gpa, bytes, ...)                                                            \
	do {                                                                                 \
		const uint64_t values[] = { __VA_ARGS__ };                                   \
		add_word(gpa, bytes, values, RTE_DIM(values));                               \
	} while (0)

static const enum kind kinds_tried[] = { KIND_CBC, KIND_GCM, KIND_CHAIN, KIND_CHAIN_BACK };
#define NR_TRIED (sizeof(kinds_tried) / sizeof(kinds_tried[0]))

static enum kind kind_of(unsigned int i)
{
	return kinds_tried[i % NR_TRIED];
}

/* Each request has a slot of each area. */
#define SLOT_BYTES 4096u
static uint64_t source_of(unsigned int i)
{
	return rig.buffers_gpa + i * SLOT_BYTES;
}

static uint64_t result_of(unsigned int i)
{
	return rig.buffers_gpa + AREA_BYTES + i * SLOT_BYTES;
}

static uint64_t table_of(unsigned int i)
{
	return TABLE_GPA + i * SLOT_BYTES;
}

/* The first word of a header and all lengths that may follow, whatever they are of the kind. */
static void rewrite_header(uint64_t gpa, const struct shot *s, const uint64_t *ids)
{
	const struct virtio_crypto_op_header *h = &s->head.header;

	ADD_WORD(gpa + offsetof(struct virtio_crypto_op_header, opcode), 4, h->opcode,
		 VIRTIO_CRYPTO_CIPHER_DECRYPT, VIRTIO_CRYPTO_HASH, VIRTIO_CRYPTO_MAC,
		 VIRTIO_CRYPTO_AEAD_ENCRYPT, VIRTIO_CRYPTO_AEAD_DECRYPT, UINT32_MAX);
	ADD_WORD(gpa + offsetof(struct virtio_crypto_op_header, session_id), 8, h->session_id,
		 ids[0], ids[1], ids[2], ids[3], 0, UINT64_MAX);
	for (uint32_t at = OP_HEAD_BYTES; at < s->head_bytes; at += 4) {
		uint32_t right;

		memcpy(&right, (const uint8_t *)&s->head + at, sizeof(right));
		ADD_WORD(gpa + at, 4, right, right + 1, right + 16, 0, 1u << 16, 1u << 31,
			 UINT32_MAX, 0u - right);
	}
	/* IV and source. */
	ADD_WORD(gpa + s->head_bytes, 8, 0, UINT64_MAX);
	ADD_WORD(gpa + s->head_bytes + 40, 8, 0, UINT64_MAX);
}

/* A descriptor that stands at `gpa`, in a table or in a split ring. */
static void rewrite_desc(uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next, bool in_ring)
{
	const uint64_t right = guest_ptr(&rig.flow.fe.mem, gpa, 8) != NULL ?
				       *(uint64_t *)guest_ptr(&rig.flow.fe.mem, gpa, 8) : 0;
	const unsigned int flags_at = flow_packed ? 14 : 12;

	ADD_WORD(gpa, 8, right, right + 1, source_of(0), result_of(BATCH - 1), 1ull << 40,
		 UINT64_MAX - 8);
	ADD_WORD(gpa + 8, 4, len, len - 1, len + 1, 0, 1, SLOT_BYTES, UINT32_MAX, 1u << 31);
	ADD_WORD(gpa + flags_at, 2, flags, flags ^ GUEST_DESC_NEXT, flags ^ GUEST_DESC_WRITE,
		 in_ring ? flags : flags ^ GUEST_DESC_INDIRECT, 0);
	/* In a ring that would be its end. */
	if (!flow_packed && !in_ring)
		ADD_WORD(gpa + 14, 2, next, 0, next + 1, UINT16_MAX);
}

/* The digest that a chain compares with. */
static uint8_t digests[BATCH][CRYPTO_RIG_DIGEST_BYTES];

static void rewrite_digest(unsigned int i, const struct shot *s)
{
	const uint64_t gpa = result_of(i) + s->digest_at;
	uint32_t right;

	guest_read(&rig.flow.fe.mem, gpa, digests[i], sizeof(digests[i]));
	for (uint32_t at = 0; at < sizeof(digests[i]); at += sizeof(right)) {
		memcpy(&right, digests[i] + at, sizeof(right));
		ADD_WORD(gpa + at, 4, right, right ^ 1, 0, ~right);
	}
}

/* Request `i`: direct, in a table of two, or in one that is looked at entry by entry. */
static void build(struct guest_ring *vq, unsigned int i, const struct shot *s, const uint64_t *ids)
{
	const unsigned int nr_more = i % 3 == 2 ? 20 : 0;
	uint16_t head = (uint16_t)(2 * i);
	struct shot as = *s;

	read_gpa = source_of(i);
	write_gpa = result_of(i);
	as.indirect = i % 3 == 1;
	/* As it is where what is rewritten is right: that is what the digest is of. */
	guest_fill(&rig.flow.fe.mem, read_gpa + s->head_bytes, 0, s->body_bytes);
	shot_write(&as);
	if (kind_of(i) == KIND_CHAIN_BACK)
		rewrite_digest(i, s);
	if (i % 3 != 2) {
		uint64_t table = as.indirect ? TABLE_GPA : 0;

		shot_chain(vq, head, &as);
		/* Tables of their own. */
		if (as.indirect) {
			uint8_t entries[2 * DESC_BYTES];

			guest_read(&rig.flow.fe.mem, table, entries, sizeof(entries));
			guest_write(&rig.flow.fe.mem, table_of(i), entries, sizeof(entries));
			rig_desc(vq, head, table_of(i), sizeof(entries), GUEST_DESC_INDIRECT, 0);
		}
	} else {
		indirect(table_of(i), 0, read_gpa, s->head_bytes + s->body_bytes, GUEST_DESC_NEXT,
			 1);
		for (unsigned int j = 0; j < nr_more; j++)
			indirect(table_of(i), 1 + j, write_gpa + j, 1,
				 GUEST_DESC_WRITE | GUEST_DESC_NEXT, (uint16_t)(2 + j));
		indirect(table_of(i), 1 + nr_more, write_gpa + nr_more,
			 s->writable_bytes - nr_more, GUEST_DESC_WRITE, 0);
		rig_desc(vq, head, table_of(i), (2 + nr_more) * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	}
	rewrite_header(read_gpa, s, ids);
	if (i % 3 != 0) {
		rewrite_desc(table_of(i), s->head_bytes + s->body_bytes, GUEST_DESC_NEXT, 1, false);
		rewrite_desc(table_of(i) + (1 + nr_more) * DESC_BYTES, s->writable_bytes - nr_more,
			     GUEST_DESC_WRITE, 0, false);
	} else if (!flow_packed) {
		rewrite_desc(vq->desc_gpa + head * DESC_BYTES, s->head_bytes + s->body_bytes,
			     GUEST_DESC_NEXT, (uint16_t)(head + 1), true);
		rewrite_desc(vq->desc_gpa + (head + 1) * DESC_BYTES, s->writable_bytes,
			     GUEST_DESC_WRITE, 0, true);
	}
}

/* --- rounds --------------------------------------------------------------------- */

static unsigned long worked, verified, others, broken;

static void one_round(struct guest_ring *vq)
{
	const struct rig_range changes[] = {
		rig_used_range(vq),
		{ rig.buffers_gpa, BUFFERS_BYTES },
		/* Only where descriptors of the ring are rewritten. */
		{ vq->desc_gpa, vq->size * DESC_BYTES },
	};
	unsigned int n;

	for (unsigned int i = 0; i < BATCH; i++) {
		write_gpa = result_of(i);
		guest_fill(&rig.flow.fe.mem, result_of(i), FILL, SLOT_BYTES);
		if (kind_of(i) == KIND_CHAIN_BACK)
			guest_write(&rig.flow.fe.mem, result_of(i) + SOURCE_BYTES, digests[i],
				    sizeof(digests[i]));
		rig_offer(vq, (uint16_t)(2 * i));
	}
	rig_picture();
	(void)serve(vq);
	CHECK(rig_only_changed(changes, RTE_DIM(changes)));
	n = rig_used(vq, NULL);
	if (guest_ring_errors(vq) != 0) {
		/* A chain that became a loop: that is the end of the ring. */
		broken++;
		CHECK_EQ(rig_restart(queue_of(vq)), 0);
		return;
	}
	CHECK_EQ(n, BATCH);
	for (unsigned int i = 0; i < BATCH; i++) {
		const struct shot s = shot_of(kind_of(i), 1, SOURCE_BYTES);
		uint8_t status = byte_at(result_of(i) + s.writable_bytes - 1);

		worked += status == VIRTIO_CRYPTO_OK;
		verified += status == VIRTIO_CRYPTO_OK && kind_of(i) == KIND_CHAIN_BACK;
		others += status != VIRTIO_CRYPTO_OK;
	}
}

static void rewrites(uint64_t features, enum rte_vhost_crypto_zero_copy zero_copy)
{
	const uint64_t until = flow_now_us() + (is_soak() ? 60000000 : 1000000);
	const uint64_t limit = flow_now_us() + 100000000;
	uint64_t ids[NR_TRIED];
	pthread_t thread;

	crypto_app.zero_copy = zero_copy;
	crypto_up(features, RING_SIZE);
	for (unsigned int i = 0; i < NR_TRIED; i++)
		ids[i] = session_open(kinds_tried[i]);
	nr_words = 0;
	nr_writes = worked = verified = others = broken = 0;
	for (unsigned int i = 0; i < BATCH; i++) {
		struct shot s = shot_of(kind_of(i), ids[i % NR_TRIED], SOURCE_BYTES);

		build(rig.rx, i, &s, ids);
	}
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	thread = attack_thread(rewrite, NULL);
	while (flow_now_us() < until || worked < WANTED || others < WANTED ||
	       verified < WANTED / 10) {
		one_round(rig.rx);
		RTE_VERIFY(flow_now_us() < limit);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	fprintf(tap.out, "# %lu worked, %lu of them verified, %lu did not, %lu rings broken, "
		"%lu writes\n", worked, verified, others, broken, nr_writes);
	CHECK_EQ(rig_restart(0), 0);
	CHECK(serves(rig.rx));
	CHECK(serves(rig.tx));
	crypto_down();
}

static void copies(void)
{
	rewrites(0, RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE);
}

static void in_place(void)
{
	rewrites(GUEST_CRYPTO_F_REVISION_1, RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "CVE-2020-14375 a guest that goes on writing", copies },
		{ "CVE-2020-14375 a guest that goes on writing, in place", in_place },
	};

	return crypto_main(argc, argv, tests, RTE_DIM(tests), rig_down);
}
