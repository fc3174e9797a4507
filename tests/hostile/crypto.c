/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile guest of a crypto device: descriptors, tables, sessions and requests, in split rings
 * and in packed ones. The tests are named after the rows of the catalogue of old bugs. Lengths have
 * a program of their own (crypto_lengths.c), and so has what comes and goes (crypto_lives.c).
 */
#include "crypto_rig.h"
#include "guest_log.h"

static void both(void (*test)(struct guest_ring *vq), uint16_t ring_size)
{
	crypto_up(0, ring_size);
	test(rig.rx);
	test(rig.tx);
	crypto_down();
}

/* The chain at descriptor 0 is bad, the ring is not. Where its last byte is found, it is a status. */
static void expect_bad_chain(struct guest_ring *vq, const char *counter)
{
	uint64_t counted = rig_counter(queue_of(vq), counter);
	const struct rig_range statuses[] = { { WRITE_GPA, 256 }, { ISLAND, ISLAND_BYTES } };
	struct hit hit = come_back(vq, 0, statuses, RTE_DIM(statuses));

	CHECK_EQ(hit.fetched, 0);
	CHECK(hit.used_bytes <= 1);
	CHECK_EQ(rig_counter(queue_of(vq), counter), counted + 1);
	CHECK(serves(vq));
}

static void expect_status(struct guest_ring *vq, const struct shot *s, uint8_t status)
{
	struct hit hit = fire(vq, s);

	CHECK_EQ(hit.status, status);
}

/* --- CVE-2018-1059 -------------------------------------------------------- */

static void regions_on(struct guest_ring *vq)
{
	const uint64_t end = BORDER + SMALL_REGION_BYTES;
	struct shot s = shot_of(KIND_CBC, session_open(KIND_CBC), 64);
	const uint32_t readable = s.head_bytes + s.body_bytes;
	/* Ends of memory, and what only adds up to an address in it. */
	const struct {
		uint64_t gpa;
		uint32_t len;
	} bad[] = {
		{ end - 1, 2 },		     { end, 1 },
		{ ISLAND - 1, 2 },	     { ISLAND + ISLAND_BYTES - 1, 2 },
		{ ISLAND + ISLAND_BYTES, 1 }, { 1ull << 40, 600 },
		{ UINT64_MAX, 1 },	     { UINT64_MAX, 600 },
		{ UINT64_MAX - 599, 600 },   { UINT64_MAX - 99, 600 },
		{ 0, UINT32_MAX },	     { 4096, UINT32_MAX - 4095 },
	};

	/* Header, source, result and status across a border between regions, at any byte. */
	for (uint32_t cut = 1; cut < readable; cut += cut < 24 ? 1 : 7) {
		const struct rig_range result = { BORDER + 65536 - 1, s.writable_bytes };

		guest_write(&rig.flow.fe.mem, BORDER - cut, &s.head, s.head_bytes);
		rig_desc(vq, 0, BORDER - cut, readable, GUEST_DESC_NEXT, 1);
		rig_desc(vq, 1, result.gpa, s.writable_bytes, GUEST_DESC_WRITE, 0);
		CHECK_EQ(come_back(vq, 0, &result, 1).used_bytes, s.writable_bytes);
		CHECK_EQ(byte_at(result.gpa + s.writable_bytes - 1), VIRTIO_CRYPTO_OK);
	}
	for (uint32_t cut = 1; cut < s.writable_bytes; cut++) {
		const struct rig_range result = { BORDER - cut, s.writable_bytes };

		shot_write(&s);
		rig_desc(vq, 0, READ_GPA, readable, GUEST_DESC_NEXT, 1);
		rig_desc(vq, 1, BORDER - cut, s.writable_bytes, GUEST_DESC_WRITE, 0);
		CHECK_EQ(come_back(vq, 0, &result, 1).used_bytes, s.writable_bytes);
		CHECK_EQ(byte_at(BORDER - cut + s.writable_bytes - 1), VIRTIO_CRYPTO_OK);
	}
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		shot_write(&s);
		for (unsigned int at = 0; at < 2; at++) {
			shot_chain(vq, 0, &s);
			rig_desc(vq, at, bad[i].gpa, bad[i].len,
				 at == 0 ? GUEST_DESC_NEXT : GUEST_DESC_WRITE, 1);
			expect_bad_chain(vq, "dropped_bad_address");
			/* In a table, which is looked at in one go, or entry by entry. */
			for (uint32_t more = 0; more <= 20; more += 20) {
				for (uint32_t j = 0; j < more; j++)
					indirect(TABLE_GPA, 2 + j, WRITE_GPA, 1,
						 GUEST_DESC_WRITE |
							 (j + 1 < more ? GUEST_DESC_NEXT : 0),
						 (uint16_t)(3 + j));
				indirect(TABLE_GPA, 0, READ_GPA, readable, GUEST_DESC_NEXT, 1);
				indirect(TABLE_GPA, 1, WRITE_GPA, s.writable_bytes,
					 GUEST_DESC_WRITE | (more != 0 ? GUEST_DESC_NEXT : 0), 2);
				indirect(TABLE_GPA, at, bad[i].gpa, bad[i].len,
					 (uint16_t)((at == 0 ? 0 : GUEST_DESC_WRITE) |
						    (at == 0 || more != 0 ? GUEST_DESC_NEXT : 0)),
					 (uint16_t)(at + 1));
				rig_desc(vq, 0, TABLE_GPA, (2 + more) * DESC_BYTES,
					 GUEST_DESC_INDIRECT, 0);
				expect_bad_chain(vq, "dropped_bad_address");
			}
		}
	}
	/* The very last bytes of memory are memory. */
	guest_write(&rig.flow.fe.mem, end - readable, &s.head, s.head_bytes);
	rig_desc(vq, 0, end - readable, readable, GUEST_DESC_NEXT, 1);
	rig_desc(vq, 1, ISLAND + ISLAND_BYTES - s.writable_bytes, s.writable_bytes,
		 GUEST_DESC_WRITE, 0);
	CHECK_EQ(come_back(vq, 0,
			   &(struct rig_range){ ISLAND + ISLAND_BYTES - s.writable_bytes,
						s.writable_bytes },
			   1)
			 .used_bytes,
		 s.writable_bytes);
	CHECK_EQ(byte_at(ISLAND + ISLAND_BYTES - 1), VIRTIO_CRYPTO_OK);
}

static void cve_2018_1059_regions(void)
{
	both(regions_on, RING_SIZE);
}

static void tables_on(struct guest_ring *vq)
{
	static const uint64_t nowhere[] = { BORDER + SMALL_REGION_BYTES - DESC_BYTES,
					    ISLAND - DESC_BYTES, 1ull << 40, UINT64_MAX - 15,
					    UINT64_MAX };
	static const uint32_t no_tables[] = { 0, 1, 15, DESC_BYTES + 1, 2 * DESC_BYTES - 1,
					      0xfffffff0, UINT32_MAX };
	struct shot s = shot_of(KIND_CBC, session_open(KIND_CBC), 64);
	const uint32_t readable = s.head_bytes + s.body_bytes;

	s.indirect = true;
	for (unsigned int i = 0; i < RTE_DIM(nowhere); i++) {
		rig_desc(vq, 0, nowhere[i], 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
		expect_bad_chain(vq, "dropped_bad_address");
	}
	for (unsigned int i = 0; i < RTE_DIM(no_tables); i++) {
		shot_chain(vq, 0, &s);
		rig_desc(vq, 0, TABLE_GPA, no_tables[i], GUEST_DESC_INDIRECT, 0);
		expect_bad_chain(vq, "dropped_bad_indirect");
	}
	/* Cut by the border, at any byte of it. */
	for (uint32_t cut = 1; cut < 2 * DESC_BYTES; cut++) {
		const struct rig_range result = { WRITE_GPA, s.writable_bytes };

		shot_write(&s);
		indirect(BORDER - cut, 0, READ_GPA, readable, GUEST_DESC_NEXT, 1);
		indirect(BORDER - cut, 1, WRITE_GPA, s.writable_bytes, GUEST_DESC_WRITE, 0);
		rig_desc(vq, 0, BORDER - cut, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
		CHECK_EQ(come_back(vq, 0, &result, 1).used_bytes, s.writable_bytes);
		CHECK_EQ(byte_at(WRITE_GPA + s.writable_bytes - 1), VIRTIO_CRYPTO_OK);
	}
	/* A table in a table; one that the ring goes on behind. */
	shot_chain(vq, 0, &s);
	indirect(TABLE_GPA, 1, TABLE_GPA, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, "dropped_bad_indirect");
	shot_chain(vq, 0, &s);
	rig_desc(vq, 0, TABLE_GPA, 2 * DESC_BYTES, GUEST_DESC_INDIRECT | GUEST_DESC_NEXT, 1);
	rig_desc(vq, 1, WRITE_GPA, 1, GUEST_DESC_WRITE, 0);
	expect_bad_chain(vq, "dropped_bad_indirect");
}

static void cve_2018_1059_tables(void)
{
	both(tables_on, RING_SIZE);
}

/* --- CVE-2020-14378 and loops ---------------------------------------------- */

/* `n` descriptors that are linked, or a table of them: the last one leads to `last_next`. */
static void circle(struct guest_ring *vq, bool table, uint16_t n, uint32_t len, uint16_t flags,
		   uint16_t last_next)
{
	for (uint16_t i = 0; i < n; i++) {
		uint16_t next = i + 1 < n ? i + 1 : last_next;

		if (table)
			indirect(TABLE_GPA, i, WRITE_GPA, len, flags | GUEST_DESC_NEXT, next);
		else
			rig_desc(vq, i, WRITE_GPA, len, flags | GUEST_DESC_NEXT, next);
	}
	if (table)
		rig_desc(vq, 0, TABLE_GPA, n * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
}

static void loops_on(struct guest_ring *vq)
{
	static const uint16_t beyond[] = { RING_SIZE, RING_SIZE + 1, 0x7fff, 0x8000, UINT16_MAX };

	/* A packed ring has no links: rig_offer() makes its chains end. */
	for (uint32_t len = 0; len <= 10 && !flow_packed; len += 10) {
		for (uint16_t flags = 0; flags <= GUEST_DESC_WRITE; flags += GUEST_DESC_WRITE) {
			circle(vq, false, 1, len, flags, 0);
			rig_offer(vq, 0);
			expect_broken(vq, "ring_broken_loop");
			circle(vq, false, 3, len, flags, 1);
			rig_offer(vq, 0);
			expect_broken(vq, "ring_broken_loop");
			circle(vq, true, 1, len, flags, 0);
			expect_bad_chain(vq, "dropped_bad_indirect");
			circle(vq, true, 3, len, flags, 1);
			expect_bad_chain(vq, "dropped_bad_indirect");
			circle(vq, true, 3, len, flags, 3);
			expect_bad_chain(vq, "dropped_bad_indirect");
			circle(vq, true, 40, len, flags, UINT16_MAX);
			expect_bad_chain(vq, "dropped_bad_indirect");
		}
		for (unsigned int i = 0; i < RTE_DIM(beyond); i++) {
			circle(vq, false, 2, len, 0, beyond[i]);
			rig_offer(vq, 0);
			expect_broken(vq, "ring_broken_bad_index");
		}
	}
	/* As long as the ring is no loop. */
	for (uint16_t i = 0; i < RING_SIZE; i++)
		rig_desc(vq, i, WRITE_GPA, 1,
			 GUEST_DESC_WRITE | (i + 1 < RING_SIZE ? GUEST_DESC_NEXT : 0), i + 1);
	CHECK_EQ(come_back(vq, 0, &(struct rig_range){ WRITE_GPA, 1 }, 1).used_bytes, 1);
	CHECK_EQ(byte_at(WRITE_GPA), VIRTIO_CRYPTO_BADMSG);
}

static void circular_chains(void)
{
	both(loops_on, RING_SIZE);
}

static void numbers_on(struct guest_ring *vq)
{
	struct shot s = shot_of(KIND_CBC, session_open(KIND_CBC), 64);
	const uint32_t readable = s.head_bytes + s.body_bytes;
	const struct rig_range result = { WRITE_GPA, s.writable_bytes };

	for (unsigned int table = 0; table < 2; table++) {
		struct shot part = s;

		part.indirect = table != 0;
		/* Nothing to write to; nothing to read; nothing at all. */
		part.writable_bytes = 0;
		shot_write(&part);
		shot_chain(vq, 0, &part);
		expect_bad_chain(vq, "dropped_chain_too_short");
		part.head_bytes = part.body_bytes = 0;
		shot_chain(vq, 0, &part);
		expect_bad_chain(vq, "dropped_chain_too_short");
		part.writable_bytes = 1;
		part.data_bytes = 0;
		expect_status(vq, &part, VIRTIO_CRYPTO_BADMSG);
	}
	/* Empty ones among the others, also as the first and the last. */
	for (unsigned int table = 0; table < 2; table++) {
		const struct guest_seg segs[] = {
			{ READ_GPA, 0, 0 },
			{ READ_GPA, 10, 0 },
			{ 1ull << 40, 0, 0 },
			{ READ_GPA + 10, readable - 10, 0 },
			{ READ_GPA, 0, 0 },
			{ WRITE_GPA, 0, GUEST_DESC_WRITE },
			{ WRITE_GPA, 3, GUEST_DESC_WRITE },
			{ UINT64_MAX, 0, GUEST_DESC_WRITE },
			{ WRITE_GPA + 3, s.writable_bytes - 3, GUEST_DESC_WRITE },
			{ WRITE_GPA, 0, GUEST_DESC_WRITE },
		};

		shot_write(&s);
		for (uint16_t i = 0; i < RTE_DIM(segs); i++) {
			uint16_t flags = segs[i].flags |
					 (i + 1u < RTE_DIM(segs) ? GUEST_DESC_NEXT : 0);

			if (table)
				indirect(TABLE_GPA, i, segs[i].gpa, segs[i].len_bytes, flags,
					 i + 1);
			else
				rig_desc(vq, i, segs[i].gpa, segs[i].len_bytes, flags, i + 1);
		}
		if (table)
			rig_desc(vq, 0, TABLE_GPA, (uint32_t)RTE_DIM(segs) * DESC_BYTES,
				 GUEST_DESC_INDIRECT, 0);
		CHECK_EQ(come_back(vq, 0, &result, 1).used_bytes, s.writable_bytes);
		CHECK_EQ(byte_at(WRITE_GPA + s.writable_bytes - 1), VIRTIO_CRYPTO_OK);
	}
	/* What is to be read behind what is to be written. */
	rig_desc(vq, 0, WRITE_GPA, s.writable_bytes, GUEST_DESC_WRITE | GUEST_DESC_NEXT, 1);
	rig_desc(vq, 1, READ_GPA, readable, 0, 0);
	expect_bad_chain(vq, "dropped_bad_direction");
	indirect(TABLE_GPA, 0, READ_GPA, s.head_bytes, GUEST_DESC_NEXT, 1);
	indirect(TABLE_GPA, 1, WRITE_GPA, s.writable_bytes, GUEST_DESC_WRITE | GUEST_DESC_NEXT, 2);
	indirect(TABLE_GPA, 2, READ_GPA, s.body_bytes, 0, 0);
	rig_desc(vq, 0, TABLE_GPA, 3 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, "dropped_bad_direction");
}

static void cve_2020_14378_numbers_of_descriptors(void)
{
	both(numbers_on, RING_SIZE);
}

/* G.6: a request that is nothing but empty descriptors, as many as there may be. */
static void empty_on(struct guest_ring *vq)
{
	static const uint32_t counts[] = { 1, 2, 16, 17, 1024 };

	for (unsigned int c = 0; c < RTE_DIM(counts); c++) {
		uint32_t n = counts[c];

		for (uint32_t i = 0; i < n; i++)
			indirect(TABLE_GPA, i, WRITE_GPA, 0,
				 GUEST_DESC_WRITE | (i + 1 < n ? GUEST_DESC_NEXT : 0),
				 (uint16_t)(i + 1));
		rig_desc(vq, 0, TABLE_GPA, n * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
		expect_bad_chain(vq, "dropped_chain_too_short");
	}
}

static void dead_loop_on_empty_descriptors(void)
{
	both(empty_on, RING_SIZE);
}

/* --- more than there may be ------------------------------------------------ */

/* A table of a request in `n` pieces of one byte each to write to. */
static void many_pieces(struct guest_ring *vq, const struct shot *s, uint32_t n, uint32_t len)
{
	shot_write(s);
	indirect(TABLE_GPA, 0, READ_GPA, s->head_bytes + s->body_bytes, GUEST_DESC_NEXT, 1);
	for (uint32_t i = 1; i < n; i++)
		indirect(TABLE_GPA, i, len == 1 ? WRITE_GPA + i - 1 : WRITE_GPA, len,
			 GUEST_DESC_WRITE | (i + 1 < n ? GUEST_DESC_NEXT : 0), (uint16_t)(i + 1));
	rig_desc(vq, 0, TABLE_GPA, n * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
}

static void pieces_on(struct guest_ring *vq)
{
	static const uint32_t too_many[] = { 1025, 1026, 2000, 16384, 32768 };
	const uint32_t most = 1024, src_bytes = most - 2 - (most - 2) % 16;
	struct shot s = shot_of(KIND_CBC, session_open(KIND_CBC), src_bytes);
	struct rig_range written = { WRITE_GPA, most - 1 };
	uint64_t counted = rig_counter(queue_of(vq), "dropped_chain_too_long");
	struct hit hit;

	RTE_VERIFY(32768u * DESC_BYTES <= 2 * AREA_BYTES);
	s.writable_bytes = most - 1;
	many_pieces(vq, &s, most, 1);
	hit = come_back(vq, 0, &written, 1);
	CHECK_EQ(hit.used_bytes, src_bytes + 1);
	CHECK_EQ(byte_at(WRITE_GPA + most - 2), VIRTIO_CRYPTO_OK);
	for (unsigned int i = 0; i < RTE_DIM(too_many); i++) {
		const uint32_t n = too_many[i];

		s.writable_bytes = n - 1;
		many_pieces(vq, &s, n, 1);
		/* Only the last byte may say that nothing was done. */
		written = (struct rig_range){ WRITE_GPA + n - 2, 1 };
		hit = come_back(vq, 0, &written, 1);
		CHECK_EQ(hit.fetched, 0);
		CHECK(hit.used_bytes <= 1);
		CHECK(byte_at(written.gpa) != VIRTIO_CRYPTO_OK);
		CHECK_EQ(rig_counter(queue_of(vq), "dropped_chain_too_long"), ++counted);
		/* The same without a byte in them. */
		many_pieces(vq, &s, n, 0);
		hit = come_back(vq, 0, NULL, 0);
		CHECK_EQ(hit.fetched + hit.used_bytes, 0);
		CHECK_EQ(rig_counter(queue_of(vq), "dropped_chain_too_long"), ++counted);
		CHECK(serves(vq));
	}
	/* The end of the table is no place to write to. */
	for (unsigned int i = 0; i < 3; i++) {
		static const struct {
			uint64_t gpa;
			uint32_t len;
		} ends[] = { { UINT64_MAX, 1 }, { BORDER + SMALL_REGION_BYTES, 1 },
			     { UINT64_MAX - 5, UINT32_MAX } };

		many_pieces(vq, &s, 1500, 0);
		indirect(TABLE_GPA, 1499, ends[i].gpa, ends[i].len, GUEST_DESC_WRITE, 0);
		hit = come_back(vq, 0, NULL, 0);
		CHECK_EQ(hit.fetched + hit.used_bytes, 0);
		counted++;
	}
	CHECK_EQ(rig_counter(queue_of(vq), "dropped_chain_too_long"), counted);
	/* It is one to read. */
	many_pieces(vq, &s, 1500, 0);
	indirect(TABLE_GPA, 1499, WRITE_GPA, 1, 0, 0);
	hit = come_back(vq, 0, NULL, 0);
	CHECK_EQ(hit.fetched + hit.used_bytes, 0);
	CHECK(serves(vq));
}

static void more_than_1024_pieces(void)
{
	both(pieces_on, RING_SIZE);
}

/* Pieces that add up to 4 GiB and more; their sum in 32 bits is that of a good request. */
static void sums_on(struct guest_ring *vq)
{
	struct shot s = shot_of(KIND_CBC, session_open(KIND_CBC), 64);
	const struct rig_range result = { WRITE_GPA, s.writable_bytes };
	const uint32_t readable = s.head_bytes + s.body_bytes, all = LARGE_REGION_BYTES;
	const unsigned int full = (unsigned int)((1ull << 32) / all);

	for (unsigned int direction = 0; direction < 2; direction++) {
		const uint16_t flags = GUEST_DESC_NEXT | (direction == 0 ? 0 : GUEST_DESC_WRITE);
		unsigned int n = 0;

		shot_write(&s);
		indirect(TABLE_GPA, n, READ_GPA, readable, GUEST_DESC_NEXT, (uint16_t)(n + 1));
		n++;
		for (unsigned int i = 0; i < full; i++, n++)
			indirect(TABLE_GPA, n, BORDER, all, flags, (uint16_t)(n + 1));
		indirect(TABLE_GPA, n, WRITE_GPA, s.writable_bytes, GUEST_DESC_WRITE, 0);
		rig_desc(vq, 0, TABLE_GPA, (n + 1) * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
		expect_bad_chain(vq, "dropped_chain_too_long");
	}
	/* A little less is a long request, with much that it says nothing of. */
	shot_write(&s);
	indirect(TABLE_GPA, 0, READ_GPA, readable, GUEST_DESC_NEXT, 1);
	for (unsigned int i = 1; i < full; i++)
		indirect(TABLE_GPA, i, BORDER, all, GUEST_DESC_NEXT, (uint16_t)(i + 1));
	indirect(TABLE_GPA, full, WRITE_GPA, s.writable_bytes, GUEST_DESC_WRITE, 0);
	rig_desc(vq, 0, TABLE_GPA, (full + 1) * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	CHECK_EQ(come_back(vq, 0, &result, 1).used_bytes, s.writable_bytes);
	CHECK_EQ(byte_at(WRITE_GPA + s.writable_bytes - 1), VIRTIO_CRYPTO_OK);
}

static void sums_beyond_4_gib(void)
{
	crypto_rig_large = true;
	both(sums_on, RING_SIZE);
}

/* --- indices --------------------------------------------------------------- */

static void heads_on(struct guest_ring *vq)
{
	static const uint16_t heads[] = { RING_SIZE, RING_SIZE + 1, 0x7fff, 0x8000, UINT16_MAX };
	static const uint16_t jumps[] = { RING_SIZE + 1, RING_SIZE + 2, 0x7fff, 0x8000,
					  UINT16_MAX };

	for (unsigned int i = 0; i < RTE_DIM(heads); i++) {
		rig_offer(vq, heads[i]);
		expect_broken(vq, "ring_broken_bad_index");
	}
	for (unsigned int i = 0; i < RTE_DIM(jumps); i++) {
		guest_split_raw_avail_idx(vq, (uint16_t)(vq->avail_idx + jumps[i]));
		expect_broken(vq, "ring_broken_avail_jump");
	}
}

static void avail_head_beyond_the_ring(void)
{
	if (flow_packed)
		return;
	both(heads_on, RING_SIZE);
}

/* What came before the bad head is served; its results come when the ring is broken already. */
static void good_requests_before_a_bad_head(void)
{
	struct rte_crypto_op *ops[8];
	struct shot s;

	if (flow_packed)
		return;
	crypto_up(0, RING_SIZE);
	s = shot_of(KIND_CBC, session_open(KIND_CBC), 64);
	shot_write(&s);
	shot_chain(rig.rx, 0, &s);
	for (unsigned int i = 0; i < 3; i++)
		rig_offer(rig.rx, 0);
	rig_offer(rig.rx, RING_SIZE);
	CHECK_EQ(take(rig.rx, ops, 8), 3);
	CHECK_EQ(guest_ring_errors(rig.rx), 1);
	(void)crypto_app_run(ops, 3);
	(void)give(ops, 3);
	pools_are_full();
	CHECK_EQ(rig_restart(0), 0);
	CHECK(serves(rig.rx));
	crypto_down();
}

/* The same descriptors again and again, without waiting for them: one request each. */
static void descriptors_that_are_under_way(void)
{
	struct rte_crypto_op *ops[2 * RING_SIZE];
	unsigned int n = 0, k;
	struct shot s;

	crypto_up(0, RING_SIZE);
	s = shot_of(KIND_CBC, session_open(KIND_CBC), 64);
	shot_write(&s);
	s.indirect = true;
	shot_chain(rig.rx, 0, &s);
	for (unsigned int i = 0; i < RING_SIZE; i++)
		rig_offer(rig.rx, 0);
	while ((k = take(rig.rx, ops + n, 32)) != 0)
		n += k;
	CHECK_EQ(n, RING_SIZE);
	/* No room for more, whatever is offered. */
	for (unsigned int i = 0; i < RING_SIZE / 2; i++)
		rig_offer(rig.rx, 0);
	CHECK_EQ(take(rig.rx, ops + n, 32), 0);
	(void)crypto_app_run(ops, n / 2);
	(void)crypto_app_run(ops + n / 2, n / 2);
	(void)give(ops, n);
	if (flow_packed) {
		/* What came last stood where the used ones had to go. */
		CHECK(serve(rig.rx) <= RING_SIZE);
		CHECK_EQ(rig_restart(0), 0);
	} else {
		CHECK_EQ(rig_used(rig.rx, NULL), RING_SIZE);
		CHECK_EQ(serve(rig.rx), RING_SIZE / 2);
		CHECK_EQ(rig_used(rig.rx, NULL), RING_SIZE / 2);
	}
	CHECK(serves(rig.rx));
	crypto_down();
}

static void bursts_of_more_than_64(void)
{
	static struct rte_crypto_op *ops[UINT16_MAX];
	struct shot s;
	unsigned int n;

	crypto_up(0, 256);
	s = shot_of(KIND_CBC, session_open(KIND_CBC), 64);
	shot_write(&s);
	s.indirect = true;
	shot_chain(rig.rx, 0, &s);
	for (unsigned int i = 0; i < 256; i++)
		rig_offer(rig.rx, 0);
	for (unsigned int max = 65; max <= UINT16_MAX; max = max == 65 ? 1000 : max == 1000 ?
								 UINT16_MAX : UINT16_MAX + 1) {
		n = take(rig.rx, ops, max);
		CHECK_EQ(n, 64);
		for (unsigned int i = 0; i < n; i++)
			CHECK(ops[i]->sym->m_src != NULL);
		(void)crypto_app_run(ops, n);
		(void)give(ops, n);
		CHECK_EQ(rig_used(rig.rx, NULL), 64);
	}
	CHECK_EQ(take(rig.rx, ops, 0), 0);
	CHECK_EQ(serve(rig.rx), 64);
	crypto_down();
}

/* --- sessions and opcodes -------------------------------------------------- */

static void confusion_on(struct guest_ring *vq)
{
	static const uint32_t unknown[] = { 2,     0x102, 0x201, 0x302, 0x400, 0x401,
					    0x500, 0xff00, 0x10000, 1u << 31, UINT32_MAX };
	uint64_t ids[NR_KINDS];

	for (unsigned int k = 0; k < NR_KINDS; k++)
		ids[k] = session_open((enum kind)k);
	for (unsigned int of = 0; of < NR_KINDS; of++) {
		struct shot s = shot_of((enum kind)of, ids[of], 64);

		if (of != KIND_GCM_BACK)
			expect_status(vq, &s, VIRTIO_CRYPTO_OK);
		for (unsigned int in = 0; in < NR_KINDS; in++) {
			struct shot other = s;
			bool same = kinds[of].opcode == kinds[in].opcode &&
				    kinds[of].op_type == kinds[in].op_type;

			other.head.header.session_id = ids[in];
			if (!same)
				expect_status(vq, &other, VIRTIO_CRYPTO_INVSESS);
		}
		for (uint32_t type = 0; type < 5 && of <= KIND_CTR; type++) {
			struct shot other = s;

			other.head.u.sym_req.op_type = type == 4 ? UINT32_MAX : type;
			if (type != VIRTIO_CRYPTO_SYM_OP_CIPHER)
				expect_status(vq, &other, VIRTIO_CRYPTO_INVSESS);
		}
		for (unsigned int i = 0; i < RTE_DIM(unknown); i++) {
			struct shot other = s;

			other.head.header.opcode = unknown[i];
			expect_status(vq, &other, VIRTIO_CRYPTO_NOTSUPP);
		}
		/* What the header says of the algorithm, the session has said already. */
		s.head.header.algo = UINT32_MAX;
		s.head.header.padding = UINT32_MAX;
		if (of != KIND_GCM_BACK)
			expect_status(vq, &s, VIRTIO_CRYPTO_OK);
	}
	for (unsigned int k = 0; k < NR_KINDS; k++)
		session_close(ids[k]);
}

static void type_confusion_of_sessions(void)
{
	both(confusion_on, RING_SIZE);
}

static void ids_on(struct guest_ring *vq)
{
	uint64_t id = session_open(KIND_CBC);
	const uint64_t wrong[] = { 0,	      id - 1,	       id + 1,	     id + 1023,
				   id + 1024, id - 1024,       1ull << 32,   id + (1ull << 32),
				   1ull << 63, id + (1ull << 63), UINT64_MAX, UINT64_MAX - 1023 };
	struct shot s = shot_of(KIND_CBC, id, 64);

	for (unsigned int i = 0; i < RTE_DIM(wrong); i++) {
		s.head.header.session_id = wrong[i];
		expect_status(vq, &s, VIRTIO_CRYPTO_INVSESS);
	}
	session_close(id);
}

static void ids_of_no_session(void)
{
	both(ids_on, RING_SIZE);
}

static void closed_on(struct guest_ring *vq)
{
	struct rte_crypto_op *ops[3];
	struct guest_used used;
	uint64_t id = session_open(KIND_CBC), again;
	struct shot s = shot_of(KIND_CBC, id, 64);

	expect_status(vq, &s, VIRTIO_CRYPTO_OK);
	session_close(id);
	expect_status(vq, &s, VIRTIO_CRYPTO_INVSESS);
	/* Another one, in the same place, of another kind, is not the same. */
	again = session_open(KIND_CTR);
	CHECK(again != id);
	expect_status(vq, &s, VIRTIO_CRYPTO_INVSESS);
	session_close(again);
	/* Closed with requests under way: they come back as they would have, none after them. */
	id = session_open(KIND_CBC);
	s = shot_of(KIND_CBC, id, 64);
	shot_write(&s);
	shot_chain(vq, 0, &s);
	for (unsigned int i = 0; i < 3; i++)
		rig_offer(vq, 0);
	CHECK_EQ(take(vq, ops, 2), 2);
	session_close(id);
	(void)rig_used(vq, NULL);
	CHECK_EQ(take(vq, ops + 2, 1), 0);
	(void)crypto_app_run(ops, 2);
	(void)give(ops, 2);
	CHECK_EQ(rig_used(vq, &used), 3);
	CHECK_EQ(used.len_bytes, 1);
	CHECK(no_pools(NULL) || rte_mempool_in_use_count(crypto_app.session_pool) ==
					crypto_sessions_before);
	/* To close it once more is refused, and nobody minds. */
	CHECK_EQ(guest_crypto_session_close(&rig.flow.fe, id), 1);
	CHECK_EQ(guest_crypto_session_close(&rig.flow.fe, 0), 1);
	CHECK_EQ(guest_crypto_session_close(&rig.flow.fe, UINT64_MAX), 1);
}

static void session_closed_while_it_is_the_last_one_used(void)
{
	both(closed_on, RING_SIZE);
}

/* Two at a time in one session: each has an IV, a source and a result of its own. */
static void two_in_flight_in_one_session(void)
{
	uint8_t first[64], second[64];
	struct rte_crypto_op *ops[4];
	struct rig_range results[4];
	struct shot s;

	crypto_up(0, RING_SIZE);
	s = shot_of(KIND_CBC, session_open(KIND_CBC), 64);
	for (uint16_t i = 0; i < 4; i++) {
		const uint64_t from = READ_GPA + i * 4096u, to = WRITE_GPA + i * 4096u;
		uint8_t body[80];

		/* Two that are the same, two with another IV, two with another source. */
		guest_pattern(5, body, sizeof(body));
		body[0] ^= i == 2;
		body[16] ^= i == 3;
		guest_write(&rig.flow.fe.mem, from, &s.head, s.head_bytes);
		guest_write(&rig.flow.fe.mem, from + s.head_bytes, body, sizeof(body));
		guest_fill(&rig.flow.fe.mem, to, FILL, s.writable_bytes);
		rig_desc(rig.rx, 2 * i, from, s.head_bytes + s.body_bytes, GUEST_DESC_NEXT,
			 2 * i + 1);
		rig_desc(rig.rx, 2 * i + 1, to, s.writable_bytes, GUEST_DESC_WRITE, 0);
		rig_offer(rig.rx, 2 * i);
		results[i] = (struct rig_range){ to, s.writable_bytes };
	}
	CHECK_EQ(take(rig.rx, ops, 4), 4);
	(void)crypto_app_run(ops, 4);
	/* They come back in any order. */
	(void)give((struct rte_crypto_op *[]){ ops[3] }, 1);
	(void)give((struct rte_crypto_op *[]){ ops[1], ops[0] }, 2);
	(void)give((struct rte_crypto_op *[]){ ops[2] }, 1);
	CHECK_EQ(rig_used(rig.rx, NULL), 4);
	guest_read(&rig.flow.fe.mem, results[0].gpa, first, sizeof(first));
	for (unsigned int i = 1; i < 4; i++) {
		guest_read(&rig.flow.fe.mem, results[i].gpa, second, sizeof(second));
		CHECK_EQ(memcmp(first, second, sizeof(first)) == 0, i == 1);
		CHECK_EQ(byte_at(results[i].gpa + 64), VIRTIO_CRYPTO_OK);
	}
	crypto_down();
}

/* --- before there is anything ---------------------------------------------- */

/* Fetches wherever there is nothing. */
static unsigned int fetch_all_over(int vid)
{
	static const uint32_t queues[] = { 0, 1, 2, 3, 255, 256, 65535, 65536, 1u << 31,
					   UINT32_MAX };
	struct rte_crypto_op *ops[2];
	unsigned int n = 0;

	for (unsigned int i = 0; i < RTE_DIM(queues); i++) {
		unsigned int k = take_of(vid, queues[i], ops, 2);

		if (k != 0) {
			(void)crypto_app_run(ops, k);
			(void)give(ops, k);
		}
		n += k;
	}
	return n;
}

static void fetch_before_there_are_rings(void)
{
	static const int vids[] = { -1, -2, INT_MIN, 1, 100, 1023, 1024, INT_MAX };
	const struct fe_config config = {
		.features = FE_F_VERSION_1,
		.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				     1u << FE_PROTOCOL_F_CRYPTO_SESSION,
		.nr_queues = 1,
		.ring_size = RING_SIZE,
	};
	const char *path;
	struct frontend fe;
	int vid;

	for (unsigned int i = 0; i < RTE_DIM(vids); i++) {
		CHECK_EQ(fetch_all_over(vids[i]), 0);
		CHECK(rte_vhost_crypto_free(vids[i]) < 0);
		CHECK(rte_vhost_crypto_set_zero_copy(vids[i], RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE) <
		      0);
		CHECK(rte_vhost_crypto_create(vids[i], crypto_app.cryptodev_id,
					      crypto_app.session_pool, 0) < 0);
	}
	/* 0 is the bystander: a network card. */
	CHECK_EQ(fetch_all_over(0), 0);
	CHECK(rte_vhost_crypto_free(0) < 0);
	CHECK(rte_vhost_crypto_create(0, crypto_app.cryptodev_id, crypto_app.session_pool, 0) < 0);
	rec_reset();
	path = flow_serve(0);
	fe_init(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_negotiate(&fe, &config), 0);
	CHECK(rec_wait_tail("+conn") || true);
	vid = rec_vid();
	CHECK_EQ(fetch_all_over(vid), 0);
	CHECK_EQ(rte_vhost_crypto_create(vid, crypto_app.cryptodev_id, crypto_app.session_pool, 0),
		 0);
	CHECK_EQ(fetch_all_over(vid), 0);
	CHECK_EQ(fe_build(&fe, &config), 0);
	fe.use_ack = true;
	CHECK_EQ(fe_set_mem_table(&fe, &fe.mem), 0);
	CHECK_EQ(fetch_all_over(vid), 0);
	CHECK_EQ(fe_set_vring_num(&fe, 0, RING_SIZE), 0);
	CHECK_EQ(fetch_all_over(vid), 0);
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	CHECK_EQ(fetch_all_over(vid), 0);
	CHECK_EQ(rte_vhost_crypto_free(vid), 0);
	CHECK_EQ(fe_set_vring_enable(&fe, 0, true), 0);
	CHECK_EQ(fetch_all_over(vid), 0);
	fe_close(&fe);
	CHECK(rec_wait_tail("-conn"));
	CHECK_EQ(fetch_all_over(vid), 0);
	flow_unserve(path);
	CHECK(bystander_unharmed());
	CHECK(rig_nothing_left());
	CHECK(no_pools(NULL));
}

/* --- no buffers left -------------------------------------------------------- */

/* More requests under way than there are buffers: the rest waits, and is served later. */
static void write_back_with_empty_pools(void)
{
	static struct rte_crypto_op *ops[8192];
	unsigned int n = 0, k, sum;
	struct shot s;

	crypto_up(0, 8192);
	s = shot_of(KIND_CBC, session_open(KIND_CBC), 64);
	shot_write(&s);
	s.indirect = true;
	shot_chain(rig.rx, 0, &s);
	for (unsigned int i = 0; i < 8192; i++)
		rig_offer(rig.rx, 0);
	while ((k = take(rig.rx, ops + n, 64)) != 0)
		n += k;
	CHECK(n > 1000 && n < 8192);
	CHECK_EQ(rig_used(rig.rx, NULL), 0);
	for (unsigned int i = 0; i < n; i += 64)
		(void)crypto_app_run(ops + i, RTE_MIN(64u, n - i));
	(void)give(ops, n);
	CHECK_EQ(rig_used(rig.rx, NULL), n);
	sum = n;
	while ((k = serve(rig.rx)) != 0)
		sum += k;
	CHECK_EQ(sum, 8192);
	CHECK_EQ(rig_used(rig.rx, NULL), 8192 - n);
	crypto_down();
}

/* The same of what large requests take, and of those with results in many pieces. */
static void large_requests_with_empty_pools(void)
{
	const uint32_t src_bytes = 128u << 10, nr_pieces = 40;
	struct rte_crypto_op *ops[200];
	unsigned int n = 0, k;
	struct shot s, small;

	crypto_rig_large = true;
	crypto_up(0, RING_SIZE);
	CHECK(crypto_data_max >= src_bytes);
	s = shot_of(KIND_CTR, session_open(KIND_CTR), src_bytes);
	shot_write(&s);
	s.indirect = true;
	shot_chain(rig.rx, 0, &s);
	/* A small one whose result is in pieces. */
	small = shot_of(KIND_CTR, s.head.header.session_id, nr_pieces);
	guest_write(&rig.flow.fe.mem, BORDER, &small.head, small.head_bytes);
	indirect(BORDER + 65536, 0, BORDER, small.head_bytes + small.body_bytes, GUEST_DESC_NEXT, 1);
	for (uint32_t i = 0; i <= nr_pieces; i++)
		indirect(BORDER + 65536, 1 + i, BORDER + 4096 + 2 * i, 1,
			 GUEST_DESC_WRITE | (i < nr_pieces ? GUEST_DESC_NEXT : 0),
			 (uint16_t)(2 + i));
	rig_desc(rig.rx, 1, BORDER + 65536, (2 + nr_pieces) * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	for (unsigned int i = 0; i < RING_SIZE; i++)
		rig_offer(rig.rx, i % 8 == 7);
	while ((k = take(rig.rx, ops + n, 64)) != 0)
		n += k;
	CHECK(n > 8 && n < RING_SIZE);
	/* Nobody waits for the whole of it. */
	for (unsigned int left = RING_SIZE; left != 0; left -= k) {
		(void)crypto_app_run(ops, n);
		(void)give(ops, n);
		k = rig_used(rig.rx, NULL);
		CHECK_EQ(k, n);
		n = take(rig.rx, ops, 64);
		CHECK(n != 0 || left == k);
	}
	CHECK_EQ(byte_at(BORDER + 4096 + 2 * nr_pieces), VIRTIO_CRYPTO_OK);
	crypto_down();
}

/* --- digests that the guest has ---------------------------------------------- */

/* A chain that deciphers, whose digest is where a test wants it. Where the status is. */
static uint64_t digest_apart(struct guest_ring *vq, uint64_t id, uint64_t digest_gpa)
{
	const struct shot s = shot_of(KIND_CHAIN_BACK, id, 64);
	const uint64_t status_gpa = WRITE_GPA + s.data_bytes;

	shot_write(&s);
	rig_desc(vq, 0, READ_GPA, s.head_bytes + s.body_bytes, GUEST_DESC_NEXT, 1);
	rig_desc(vq, 1, WRITE_GPA, s.data_bytes, GUEST_DESC_WRITE | GUEST_DESC_NEXT, 2);
	rig_desc(vq, 2, digest_gpa, CRYPTO_RIG_DIGEST_BYTES, GUEST_DESC_WRITE | GUEST_DESC_NEXT, 3);
	rig_desc(vq, 3, status_gpa, 1, GUEST_DESC_WRITE, 0);
	return status_gpa;
}

/* It is read, so it has to be there. */
static void digest_outside_on(struct guest_ring *vq)
{
	const uint64_t bad[] = { BORDER + SMALL_REGION_BYTES - 1, ISLAND - 1,
				 ISLAND + ISLAND_BYTES - CRYPTO_RIG_DIGEST_BYTES + 1, 1ull << 40,
				 UINT64_MAX, UINT64_MAX - CRYPTO_RIG_DIGEST_BYTES + 1 };
	const uint64_t id = session_open(KIND_CHAIN_BACK);

	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		(void)digest_apart(vq, id, bad[i]);
		expect_bad_chain(vq, "dropped_bad_address");
	}
	session_close(id);
}

static void digest_outside_of_memory(void)
{
	both(digest_outside_on, RING_SIZE);
}

/* --- migration --------------------------------------------------------------- */

static struct guest_log the_log;

static void log_is_exact(bool zero_copy)
{
	struct shot s;

	crypto_app.zero_copy = zero_copy ? RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE :
					   RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE;
	crypto_up(FE_F_LOG_ALL, RING_SIZE);
	CHECK_EQ(guest_log_create(&the_log, ISLAND + ISLAND_BYTES, 0), 0);
	CHECK_EQ(guest_log_start(&the_log, &rig.flow.fe), 0);
	for (unsigned int k = 0; k < NR_KINDS; k++) {
		uint64_t id = session_open((enum kind)k);

		/* The result's pages, from its first byte to its status. */
		for (uint32_t bytes = 16; bytes <= 12288; bytes *= 2) {
			const uint64_t to = BORDER - 4096 - bytes / 2;

			s = shot_of((enum kind)k, id, bytes);
			write_gpa = to;
			shot_write(&s);
			rig_desc(rig.rx, 0, READ_GPA, s.head_bytes + s.body_bytes,
				 GUEST_DESC_NEXT, 1);
			rig_desc(rig.rx, 1, to, s.writable_bytes, GUEST_DESC_WRITE, 0);
			rig_offer(rig.rx, 0);
			/* A second one that is refused, into an area of its own. */
			guest_fill(&rig.flow.fe.mem, ISLAND, FILL, ISLAND_BYTES);
			rig_desc(rig.rx, 2, READ_GPA, 8, GUEST_DESC_NEXT, 3);
			rig_desc(rig.rx, 3, ISLAND + 8192 - bytes / 4, 5 * 4096,
				 GUEST_DESC_WRITE, 0);
			rig_offer(rig.rx, 2);
			(void)rig_used(rig.rx, NULL);
			guest_log_snapshot(&the_log, &rig.flow.fe);
			(void)serve(rig.rx);
			CHECK_EQ(rig_used(rig.rx, NULL), 2);
			CHECK_EQ(byte_at(to + s.writable_bytes - 1) == VIRTIO_CRYPTO_OK,
				 k != KIND_GCM_BACK);
			if (guest_log_lies(&the_log, &rig.flow.fe.mem) != 0)
				tap_fail(__FILE__, __LINE__, "%s, %u bytes: see above",
					 kinds[k].name, bytes);
		}
		session_close(id);
	}
	guest_log_destroy(&the_log);
	crypto_down();
}

/* Right or not, its page is nobody's to mark. */
static void log_without_digest(bool zero_copy)
{
	uint8_t digest[CRYPTO_RIG_DIGEST_BYTES];
	uint64_t id;

	crypto_app.zero_copy = zero_copy ? RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE :
					   RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE;
	crypto_up(FE_F_LOG_ALL, RING_SIZE);
	CHECK_EQ(guest_log_create(&the_log, ISLAND + ISLAND_BYTES, 0), 0);
	CHECK_EQ(guest_log_start(&the_log, &rig.flow.fe), 0);
	id = session_open(KIND_CHAIN_BACK);
	for (unsigned int forged = 0; forged < 2; forged++) {
		uint64_t status_gpa = digest_apart(rig.rx, id, ISLAND);

		/* It has been made where the result ends. */
		guest_read(&rig.flow.fe.mem, status_gpa, digest, sizeof(digest));
		digest[0] ^= (uint8_t)forged;
		guest_write(&rig.flow.fe.mem, ISLAND, digest, sizeof(digest));
		guest_fill(&rig.flow.fe.mem, status_gpa, FILL, sizeof(digest));
		rig_offer(rig.rx, 0);
		guest_log_snapshot(&the_log, &rig.flow.fe);
		CHECK_EQ(serve(rig.rx), 1);
		CHECK_EQ(rig_used(rig.rx, NULL), 1);
		CHECK_EQ(byte_at(status_gpa), forged ? VIRTIO_CRYPTO_BADMSG : VIRTIO_CRYPTO_OK);
		CHECK_EQ(guest_log_lies(&the_log, &rig.flow.fe.mem), 0);
	}
	guest_log_destroy(&the_log);
	crypto_down();
}

static void dirty_log_of_a_digest_that_is_read(void)
{
	log_without_digest(false);
	log_without_digest(true);
}

static void dirty_log_of_results(void)
{
	log_is_exact(false);
}

static void dirty_log_of_results_in_place(void)
{
	log_is_exact(true);
}

static void teardown(void)
{
	rig_down();
	guest_log_destroy(&the_log);
}

#define ATTACK(name, run) { name, run }

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		ATTACK("CVE-2018-1059 regions", cve_2018_1059_regions),
		ATTACK("CVE-2018-1059 tables", cve_2018_1059_tables),
		ATTACK("E.5 circular next chains", circular_chains),
		ATTACK("CVE-2020-14378 numbers of descriptors",
		       cve_2020_14378_numbers_of_descriptors),
		ATTACK("G.6 dead loop on empty descriptors", dead_loop_on_empty_descriptors),
		ATTACK("more than 1024 pieces", more_than_1024_pieces),
		ATTACK("sums beyond 4 GiB", sums_beyond_4_gib),
		ATTACK("E.5 avail head beyond the ring", avail_head_beyond_the_ring),
		ATTACK("E.5 good requests before a bad head", good_requests_before_a_bad_head),
		ATTACK("descriptors that are under way", descriptors_that_are_under_way),
		ATTACK("G.6 bursts of more than 64", bursts_of_more_than_64),
		ATTACK("E.5 type confusion of sessions", type_confusion_of_sessions),
		ATTACK("ids of no session", ids_of_no_session),
		ATTACK("E.5 session closed while it is the last one used",
		       session_closed_while_it_is_the_last_one_used),
		ATTACK("E.5 two in flight in one session", two_in_flight_in_one_session),
		ATTACK("G.6 fetch before there are rings", fetch_before_there_are_rings),
		ATTACK("E.5 write-back with empty pools", write_back_with_empty_pools),
		ATTACK("large requests with empty pools", large_requests_with_empty_pools),
		ATTACK("digest outside of memory", digest_outside_of_memory),
		ATTACK("E.5 dirty log of a digest that is read",
		       dirty_log_of_a_digest_that_is_read),
		ATTACK("E.5 dirty log of results", dirty_log_of_results),
		ATTACK("E.5 dirty log of results in place", dirty_log_of_results_in_place),
	};

	return crypto_main(argc, argv, tests, RTE_DIM(tests), teardown);
}
