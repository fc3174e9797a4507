/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile guest: descriptors, chains, tables and indices, in split rings and
 * in packed ones (packed_ring.c has what only those have). The tests are named
 * after the rows of the catalogue of old bugs. What is in front of packets, the
 * virtio-net header, has its own program (header.c).
 */
#include <netinet/in.h>

#include "attack.h"

static void both(void (*test)(struct guest_ring *vq), uint16_t ring_size)
{
	attack_up(0, 0, ring_size);
	test(rig.tx);
	test(rig.rx);
	attack_down();
}

/* --- addresses ----------------------------------------------------------- */

/* Contiguous for the guest, not for us. */
static void r1_descriptor_across_regions(void)
{
	uint64_t gpa = BORDER - 300;
	struct rig_range changes[2];
	uint8_t want[700], got[700];
	struct guest_used used;

	attack_up(0, 0, RING_SIZE);
	put_packet(gpa, 5, 700);
	rig_desc(rig.tx, 0, gpa, HDR + 700, 0, 0);
	expect_packet(0, 5, 700);
	/* The border in the header. */
	put_packet(BORDER - 5, 6, 700);
	rig_desc(rig.tx, 0, BORDER - 5, HDR + 700, 0, 0);
	expect_packet(0, 6, 700);

	rig_desc(rig.rx, 0, gpa, 2048, GUEST_DESC_WRITE, 0);
	rig_offer(rig.rx, 0);
	rig_picture();
	CHECK_EQ(rig_enqueue(7, 700), 1);
	CHECK_EQ(rig_used(rig.rx, &used), 1);
	CHECK_EQ(used.len_bytes, HDR + 700);
	changes[0] = rig_used_range(rig.rx);
	changes[1] = (struct rig_range){ gpa, HDR + 700 };
	CHECK(rig_only_changed(changes, 2));
	guest_pattern(7, want, sizeof(want));
	guest_read(&rig.flow.fe.mem, gpa + HDR, got, sizeof(got));
	CHECK(memcmp(want, got, sizeof(want)) == 0);
	attack_down();
}

static void r2_on(struct guest_ring *vq)
{
	uint16_t flags = usable(vq);
	uint64_t table = END - DESC_BYTES, data = rig.buffers_gpa;

	/* The second entry is in no region, or in one that does not follow. */
	indirect(table, 0, data, 600, GUEST_DESC_NEXT | flags, 1);
	rig_desc(vq, 0, table, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_address");
	rig_desc(vq, 0, ISLAND - DESC_BYTES, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_address");
	rig_desc(vq, 0, 1ull << 40, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_address");
	rig_desc(vq, 0, UINT64_MAX - 15, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_address");
	/* The table is fine, what it names is not. */
	indirect(data, 0, END - 10, 600, flags, 0);
	rig_desc(vq, 0, data, DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_address");
	/* Sizes that are no table. */
	rig_desc(vq, 0, data, 0, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	rig_desc(vq, 0, data, DESC_BYTES + 1, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	rig_desc(vq, 0, data, 0xfffffff0, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
}

static void r2_indirect_table_partly_unmapped(void)
{
	both(r2_on, RING_SIZE);
}

/* A table, and one entry of it, cut by the border: served. */
static void r2_indirect_table_across_regions(void)
{
	uint64_t table = BORDER - DESC_BYTES - 7, data;

	attack_up(0, 0, RING_SIZE);
	data = rig.buffers_gpa;
	put_packet(data, 8, 700);
	indirect(table, 0, data, 100, GUEST_DESC_NEXT, 1);
	indirect(table, 1, data + 100, 200, GUEST_DESC_NEXT, 2);
	indirect(table, 2, data + 300, HDR + 400, 0, 0);
	rig_desc(rig.tx, 0, table, 3 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_packet(0, 8, 700);
	attack_down();
}

static void r3_on(struct guest_ring *vq)
{
	static const struct {
		uint64_t gpa;
		uint32_t len;
	} bad[] = {
		{ END, 600 },		    { END - 1, 600 },	     { ISLAND - 1, 600 },
		{ ISLAND + (1u << 20), 1 }, { 1ull << 40, 600 },     { UINT64_MAX, 600 },
		{ UINT64_MAX - 599, 600 },  { UINT64_MAX - 99, 600 }, { 0, UINT32_MAX },
		{ 4096, UINT32_MAX - 4095 },
	};

	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		rig_desc(vq, 0, bad[i].gpa, bad[i].len, usable(vq), 0);
		expect_bad_chain(vq, 0, "dropped_bad_address");
		/* As the second one of a chain. */
		rig_desc(vq, 0, rig.buffers_gpa, 600, usable(vq) | GUEST_DESC_NEXT, 1);
		rig_desc(vq, 1, bad[i].gpa, bad[i].len, usable(vq), 0);
		expect_bad_chain(vq, 0, "dropped_bad_address");
	}
}

static void r3_address_outside_memory(void)
{
	both(r3_on, RING_SIZE);
}

/* --- lengths ------------------------------------------------------------- */

/* Twelve descriptors of one byte, far apart, then the data: the header's request arrives whole. */
static void r4_header_in_many_descriptors(void)
{
	const struct frame_spec spec = { .l4_proto = IPPROTO_TCP, .payload_bytes = 400 };
	struct guest_net_hdr hdr = { .flags = GUEST_NET_NEEDS_CSUM };
	static struct frame frame;
	struct rte_mbuf *pkts[BURST];
	uint64_t gpa, flags;
	unsigned int n;
	bool same;

	attack_up(FE_F_VERSION_1 | FE_F_CSUM, 0, RING_SIZE);
	gpa = rig.buffers_gpa;
	frame_build(&frame, &spec, true);
	hdr.csum_start = (uint16_t)(frame.l2_bytes + frame.l3_bytes);
	hdr.csum_offset = frame.csum_offset;
	guest_fill(&rig.flow.fe.mem, gpa, 0xff, 8192);
	for (uint16_t i = 0; i < HDR; i++) {
		guest_write(&rig.flow.fe.mem, gpa + 64u * i, (const uint8_t *)&hdr + i, 1);
		rig_desc(rig.tx, i, gpa + 64u * i, 1, GUEST_DESC_NEXT, (uint16_t)(i + 1));
	}
	guest_write(&rig.flow.fe.mem, gpa + 4096, frame.bytes, frame.len_bytes);
	rig_desc(rig.tx, HDR, gpa + 4096, frame.len_bytes, 0, 0);
	rig_offer(rig.tx, 0);
	n = rig_dequeue(pkts, BURST);
	CHECK_EQ(n, 1);
	same = packet_equals(pkts[0], frame.bytes, frame.len_bytes);
	flags = pkts[0]->ol_flags;
	rte_pktmbuf_free(pkts[0]);
	CHECK(same);
	CHECK(flags & RTE_MBUF_F_TX_TCP_CKSUM);
	CHECK(rig_serves_tx());
	attack_down();
}

static void short_chains(uint32_t hdr_bytes)
{
	for (uint32_t total = 0; total <= hdr_bytes; total++) {
		rig_desc(rig.tx, 0, rig.buffers_gpa, total, 0, 0);
		expect_bad_chain(rig.tx, 0, "dropped_chain_too_short");
		/* The same total in three pieces, one of them empty. */
		rig_desc(rig.tx, 0, rig.buffers_gpa, total / 2, GUEST_DESC_NEXT, 1);
		rig_desc(rig.tx, 1, rig.buffers_gpa, 0, GUEST_DESC_NEXT, 2);
		rig_desc(rig.tx, 2, rig.buffers_gpa, total - total / 2, 0, 0);
		expect_bad_chain(rig.tx, 0, "dropped_chain_too_short");
	}
	/* One byte more is a packet. */
	rig_desc(rig.tx, 0, rig.buffers_gpa, hdr_bytes + 1, 0, 0);
	rig_offer(rig.tx, 0);
	CHECK_EQ(rig_drop_all(), 1);
}

static void r5_no_more_than_a_header(void)
{
	attack_up(0, 0, RING_SIZE);
	short_chains(HDR);
	attack_down();
}

static void r5_no_more_than_a_legacy_header(void)
{
	attack_up(FE_F_ANY_LAYOUT, 0, RING_SIZE);
	short_chains(GUEST_NET_LEGACY_HDR_BYTES);
	attack_down();
}

static void r6_on_enqueue(uint64_t features)
{
	uint8_t want[100], got[100], byte;
	struct rig_range changes[3];
	struct guest_used used;
	uint64_t gpa;

	attack_up(features, 0, RING_SIZE);
	gpa = rig.buffers_gpa;
	guest_fill(&rig.flow.fe.mem, gpa, 0xa5, 2048);
	/* Some of them empty; 16 of one byte: the header and 4 bytes of data. */
	for (uint16_t i = 0; i < HDR + 8; i++)
		rig_desc(rig.rx, i, gpa + i, i < HDR && i % 3 == 2 ? 0 : 1,
			 GUEST_DESC_NEXT | GUEST_DESC_WRITE, (uint16_t)(i + 1));
	rig_desc(rig.rx, HDR + 8, gpa + 1024, 96, GUEST_DESC_WRITE, 0);
	rig_offer(rig.rx, 0);
	rig_picture();
	CHECK_EQ(rig_enqueue(9, sizeof(want)), 1);
	CHECK_EQ(rig_used(rig.rx, &used), 1);
	CHECK_EQ(used.id, 0);
	CHECK_EQ(used.len_bytes, HDR + sizeof(want));
	changes[0] = rig_used_range(rig.rx);
	changes[1] = (struct rig_range){ gpa, HDR + 8 };
	changes[2] = (struct rig_range){ gpa + 1024, 96 };
	CHECK(rig_only_changed(changes, 3));
	guest_pattern(9, want, sizeof(want));
	guest_read(&rig.flow.fe.mem, gpa + HDR + 4, got, 4);
	guest_read(&rig.flow.fe.mem, gpa + 1024, got + 4, sizeof(got) - 4);
	CHECK(memcmp(want, got, sizeof(want)) == 0);
	for (uint32_t i = 2; i < HDR; i += 3) {
		guest_read(&rig.flow.fe.mem, gpa + i, &byte, 1);
		CHECK_EQ(byte, 0xa5);
	}
	CHECK(rig_serves_rx());

	/* Chains that cannot hold the header. */
	for (uint32_t total = 0; total < HDR; total++) {
		rig_desc(rig.rx, 0, gpa, total / 2, GUEST_DESC_NEXT | GUEST_DESC_WRITE, 1);
		rig_desc(rig.rx, 1, gpa + 64, total - total / 2, GUEST_DESC_WRITE, 0);
		expect_bad_chain(rig.rx, 0, "dropped_chain_too_short");
	}
	attack_down();
}

static void r6_header_in_short_descriptors(void)
{
	r6_on_enqueue(FE_F_VERSION_1);
	r6_on_enqueue(FE_F_VERSION_1 | FE_F_MRG_RXBUF);
}

/* Room for a header but not for the packet: the packet waits, nothing is written. */
static void r6_buffer_too_small_for_the_packet(void)
{
	uint16_t avail, used, avail_before, used_before;

	attack_up(FE_F_VERSION_1, 0, RING_SIZE);
	rig_desc(rig.rx, 0, rig.buffers_gpa, HDR + 99, GUEST_DESC_WRITE, 0);
	rig_offer(rig.rx, 0);
	rig_picture();
	rte_vhost_get_vring_base(rig.flow.vid, 0, &avail_before, &used_before);
	CHECK_EQ(rig_enqueue(1, 100), 0);
	rte_vhost_get_vring_base(rig.flow.vid, 0, &avail, &used);
	CHECK_EQ(avail, avail_before);
	CHECK_EQ(used, used_before);
	CHECK(rig_only_changed(NULL, 0));
	/* A smaller one fits. */
	CHECK_EQ(rig_enqueue(1, 99), 1);
	attack_down();
}

/* A chain of `n` descriptors of `len` bytes each, all the same buffer. */
static void long_chain(struct guest_ring *vq, uint16_t n, uint32_t len)
{
	for (uint16_t i = 0; i < n; i++)
		rig_desc(vq, i, rig.buffers_gpa, len,
			 (uint16_t)(usable(vq) | (i + 1 < n ? GUEST_DESC_NEXT : 0)),
			 (uint16_t)(i + 1));
}

static void r12_on(struct guest_ring *vq)
{
	uint64_t table = rig.buffers_gpa + 4096;

	long_chain(vq, 257, 10);
	expect_bad_chain(vq, 0, "dropped_chain_too_long");
	long_chain(vq, 1000, 10);
	expect_bad_chain(vq, 0, "dropped_chain_too_long");
	/* Empty buffers take time, too. */
	long_chain(vq, 1000, 0);
	expect_bad_chain(vq, 0, "dropped_chain_too_long");
	for (unsigned int i = 0; i < 257; i++)
		indirect(table, i, rig.buffers_gpa, 10,
			 (uint16_t)(usable(vq) | (i < 256 ? GUEST_DESC_NEXT : 0)),
			 (uint16_t)(i + 1));
	rig_desc(vq, 0, table, 257 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_chain_too_long");
	/* The most there may be. */
	(void)rig_used(vq, NULL);
	long_chain(vq, 256, 10);
	rig_offer(vq, 0);
	CHECK_EQ(serve(vq), 1);
	CHECK_EQ(rig_used(vq, NULL), 1);
}

static void r12_more_than_256_pieces(void)
{
	both(r12_on, 1024);
}

static void r19_on(struct guest_ring *vq)
{
	const uint32_t huge = 64u << 20;

	/* 64 * 64 MiB wrap 32 bits to 0; what is left looks like a small packet. */
	for (uint16_t i = 0; i < 64; i++)
		rig_desc(vq, i, 0, huge, usable(vq) | GUEST_DESC_NEXT, (uint16_t)(i + 1));
	rig_desc(vq, 64, rig.buffers_gpa, HDR + 100, usable(vq), 0);
	(void)rig_used(vq, NULL);
	rig_offer(vq, 0);
	CHECK_EQ(serve(vq), 0);
	CHECK_EQ(rig_used(vq, NULL), 1);
	CHECK_EQ(rig_counter(queue_of(vq), "dropped_chain_too_long"), 1);
	CHECK(serves(vq));
}

/* No picture of this memory: there is too much of it. */
static void r19_lengths_beyond_4_gib(void)
{
	const struct guest_region_spec region = { .size_bytes = 64u << 20 };

	rig_up(0, 0, &region, 1, 128);
	rig.flow.fe.use_ack = true;
	r19_on(rig.tx);
	r19_on(rig.rx);
	attack_down();
}

/* --- flags --------------------------------------------------------------- */

static void r20_on(struct guest_ring *vq)
{
	uint16_t right = usable(vq), wrong = right ^ GUEST_DESC_WRITE;
	uint64_t table = rig.buffers_gpa + 4096;

	rig_desc(vq, 0, rig.buffers_gpa, 600, wrong, 0);
	expect_bad_chain(vq, 0, "dropped_bad_direction");
	rig_desc(vq, 0, rig.buffers_gpa, 600, right | GUEST_DESC_NEXT, 1);
	rig_desc(vq, 1, rig.buffers_gpa, 600, wrong, 0);
	expect_bad_chain(vq, 0, "dropped_bad_direction");
	rig_desc(vq, 0, rig.buffers_gpa, 600, wrong | GUEST_DESC_NEXT, 1);
	rig_desc(vq, 1, rig.buffers_gpa, 600, right, 0);
	expect_bad_chain(vq, 0, "dropped_bad_direction");
	indirect(table, 0, rig.buffers_gpa, 600, right | GUEST_DESC_NEXT, 1);
	indirect(table, 1, rig.buffers_gpa, 600, wrong, 0);
	rig_desc(vq, 0, table, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_direction");
}

static void r20_wrong_direction(void)
{
	both(r20_on, RING_SIZE);
}

/* --- loops and indices --------------------------------------------------- */

static void r11_ring_on(struct guest_ring *vq)
{
	static const uint16_t beyond[] = { RING_SIZE, RING_SIZE + 1, 0x7fff, 0x8000, UINT16_MAX };
	uint16_t flags = usable(vq) | GUEST_DESC_NEXT;

	for (uint32_t len = 0; len <= 10; len += 10) {
		rig_desc(vq, 0, rig.buffers_gpa, len, flags, 0); /* itself */
		rig_offer(vq, 0);
		expect_broken(vq, "ring_broken_loop");
		rig_desc(vq, 0, rig.buffers_gpa, len, flags, 1); /* in a circle */
		rig_desc(vq, 1, rig.buffers_gpa, len, flags, 2);
		rig_desc(vq, 2, rig.buffers_gpa, len, flags, 1);
		rig_offer(vq, 0);
		expect_broken(vq, "ring_broken_loop");
	}
	for (unsigned int i = 0; i < RTE_DIM(beyond); i++) {
		rig_desc(vq, 0, rig.buffers_gpa, 10, flags, beyond[i]);
		rig_offer(vq, 0);
		expect_broken(vq, "ring_broken_bad_index");
	}
	/* As long as the ring is no loop. */
	(void)rig_used(vq, NULL);
	long_chain(vq, RING_SIZE, 10);
	rig_offer(vq, 0);
	CHECK_EQ(serve(vq), 1);
	CHECK_EQ(rig_used(vq, NULL), 1);
	CHECK(serves(vq));
}

static void r11_next_loops(void)
{
	both(r11_ring_on, RING_SIZE);
}

/* A loop in a ring so long that the limit of pieces is met first. */
static void r11_long_ring_on(struct guest_ring *vq)
{
	rig_desc(vq, 0, rig.buffers_gpa, 10, usable(vq) | GUEST_DESC_NEXT, 0);
	expect_bad_chain(vq, 0, "dropped_chain_too_long");
	rig_desc(vq, 0, rig.buffers_gpa, 0, usable(vq) | GUEST_DESC_NEXT, 0);
	expect_bad_chain(vq, 0, "dropped_chain_too_long");
}

static void r11_next_loops_in_a_long_ring(void)
{
	both(r11_long_ring_on, 32768);
}

static void r11_table_on(struct guest_ring *vq)
{
	uint64_t table = rig.buffers_gpa + 4096;
	uint16_t flags = usable(vq) | GUEST_DESC_NEXT;

	rig_desc(vq, 0, table, 4 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	indirect(table, 0, rig.buffers_gpa, 10, flags, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	indirect(table, 0, rig.buffers_gpa, 0, flags, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	indirect(table, 0, rig.buffers_gpa, 10, flags, 1);
	indirect(table, 1, rig.buffers_gpa, 10, flags, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	/* Beyond the table, within the ring; beyond both. */
	indirect(table, 0, rig.buffers_gpa, 10, flags, 4);
	indirect(table, 4, rig.buffers_gpa, 600, usable(vq), 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	indirect(table, 0, rig.buffers_gpa, 10, flags, UINT16_MAX);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	/* A table in a table; one that goes on in the ring. */
	indirect(table, 0, table, 4 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	indirect(table, 0, rig.buffers_gpa, 600, usable(vq), 0);
	rig_desc(vq, 0, table, 4 * DESC_BYTES, GUEST_DESC_INDIRECT | GUEST_DESC_NEXT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
}

static void r11_table_loops(void)
{
	both(r11_table_on, RING_SIZE);
}

static void r13_on(struct guest_ring *vq)
{
	static const uint16_t ahead[] = { RING_SIZE + 1, 0x7fff, 0x8000, UINT16_MAX };
	struct guest_used used;
	unsigned int served = 0, n;

	for (unsigned int i = 0; i < RTE_DIM(ahead); i++) {
		rig_desc(vq, 0, rig.buffers_gpa, 600, usable(vq), 0);
		guest_split_raw_avail_idx(vq, (uint16_t)(guest_split_used_idx(vq) + ahead[i]));
		expect_broken(vq, "ring_broken_avail_jump");
	}
	/* By the whole ring is odd, but legal: every slot once, and no more. */
	(void)rig_used(vq, NULL);
	rig_desc(vq, 0, rig.buffers_gpa, 600, usable(vq), 0);
	for (uint16_t i = 0; i < RING_SIZE; i++)
		guest_split_raw_avail(vq, i, 0);
	vq->avail_idx = (uint16_t)(vq->avail_idx + RING_SIZE);
	guest_split_raw_avail_idx(vq, vq->avail_idx);
	while (served < RING_SIZE && (n = serve(vq)) != 0) {
		CHECK(n <= BURST);
		served += n;
	}
	CHECK_EQ(served, RING_SIZE);
	CHECK_EQ(serve(vq), 0);
	CHECK_EQ(rig_used(vq, &used), RING_SIZE);
	CHECK(serves(vq));
}

static void r13_avail_index_jumps(void)
{
	both(r13_on, RING_SIZE);
}

static void r14_on(struct guest_ring *vq)
{
	static const uint16_t heads[] = { RING_SIZE, RING_SIZE + 1, 0x7fff, 0x8000, UINT16_MAX };

	for (unsigned int i = 0; i < RTE_DIM(heads); i++) {
		rig_offer(vq, heads[i]);
		expect_broken(vq, "ring_broken_bad_index");
	}
}

static void r14_head_beyond_the_ring(void)
{
	both(r14_on, RING_SIZE);
}

/* What came before the bad index in a burst is delivered and given back. */
static void r14_good_packets_before_a_bad_head(void)
{
	struct rte_mbuf *pkts[BURST];
	unsigned int n;
	bool right = true;

	attack_up(0, 0, RING_SIZE);
	put_packet(rig.buffers_gpa, 3, 200);
	rig_desc(rig.tx, 0, rig.buffers_gpa, HDR + 200, 0, 0);
	for (unsigned int i = 0; i < 5; i++)
		rig_offer(rig.tx, 0);
	rig_offer(rig.tx, RING_SIZE);
	n = rig_dequeue(pkts, BURST);
	for (unsigned int i = 0; i < n; i++) {
		right &= packet_is_pattern(pkts[i], 3, 200);
		rte_pktmbuf_free(pkts[i]);
	}
	CHECK_EQ(n, 5);
	CHECK(right);
	CHECK_EQ(rig_used(rig.tx, NULL), 5);
	/* Found out at the next look, at the latest. */
	CHECK_EQ(rig_drop_all(), 0);
	CHECK_EQ(guest_ring_errors(rig.tx), 1);
	CHECK_EQ(rig_counter(1, "ring_broken_bad_index"), 1);
	CHECK(rig_serves_rx());
	attack_down();
}

/* --- work ---------------------------------------------------------------- */

/* A ring full of bad chains costs a burst no more than a few times what it asked for. */
static void r29_flood_of_bad_chains(void)
{
	struct rte_mbuf *m;
	unsigned int calls = 0, given_back;

	attack_up(0, 0, 1024);
	rig_desc(rig.tx, 0, rig.buffers_gpa, HDR, 0, 0);
	for (unsigned int i = 0; i < 1000; i++)
		rig_offer(rig.tx, 0);
	for (unsigned int left = 1000; left != 0; left -= given_back) {
		CHECK_EQ(rig_dequeue(&m, 1), 0);
		given_back = rig_used(rig.tx, NULL);
		CHECK(given_back > 0 && given_back <= 3 * BURST);
		calls++;
	}
	CHECK(calls > 10);
	CHECK_EQ(rig_counter(1, "dropped_chain_too_short"), 1000);
	CHECK(rig_serves_tx());
	attack_down();
}

/* The same of buffers for packets: also if no call ever takes a packet. */
static void r29_flood_of_bad_buffers(void)
{
	unsigned int calls = 0, given_back;

	attack_up(0, 0, 1024);
	rig_desc(rig.rx, 0, rig.buffers_gpa, HDR - 1, GUEST_DESC_WRITE, 0);
	for (unsigned int i = 0; i < 1000; i++)
		rig_offer(rig.rx, 0);
	for (unsigned int left = 1000; left != 0; left -= given_back) {
		CHECK_EQ(rig_enqueue(1, 100), 0);
		given_back = rig_used(rig.rx, NULL);
		CHECK(given_back > 0 && given_back <= 3 * BURST);
		calls++;
	}
	CHECK(calls > 10);
	CHECK_EQ(rig_counter(0, "dropped_chain_too_short"), 1000);
	CHECK(rig_serves_rx());
	attack_down();
}

static struct {
	bool stop; /* atomic */
} flood;

/* Offers bad chains as fast as they are dropped. */
static void *flood_thread(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&flood.stop, __ATOMIC_RELAXED)) {
		uint16_t used;

		if (flow_packed) {
			(void)rig_used(rig.tx, NULL);
			if (rig_outstanding(rig.tx) < rig.tx->size)
				rig_offer(rig.tx, 0);
			continue;
		}
		used = guest_split_used_idx(rig.tx);

		rig.tx->avail_idx = (uint16_t)(used + rig.tx->size);
		guest_split_raw_avail_idx(rig.tx, rig.tx->avail_idx);
	}
	return NULL;
}

static void r29_flood_that_never_ends(void)
{
	pthread_t thread;

	attack_up(0, 0, RING_SIZE);
	rig_desc(rig.tx, 0, rig.buffers_gpa, HDR, 0, 0); /* every avail entry is 0 */
	flood.stop = false;
	thread = attack_thread(flood_thread);
	/* Each call returns, also once the flood is there. */
	for (unsigned int i = 0; i < 20000 || rig_counter(1, "dropped_chain_too_short") == 0; i++)
		(void)rig_drop_all();
	__atomic_store_n(&flood.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	while (rig_drop_all() != 0 || rte_vhost_avail_entries(rig.flow.vid, 1) != 0)
		;
	CHECK(rig_serves_tx());
	attack_down();
}

/* --- mergeable ----------------------------------------------------------- */

static void r31_more_buffers_than_there_are(void)
{
	uint16_t avail, used, avail_before, used_before;

	attack_up(FE_F_VERSION_1 | FE_F_MRG_RXBUF, 0, 512);
	/* 500 buffers of a header's size: 1500 bytes would take some, 60000 more than all. */
	for (uint16_t i = 0; i < 500; i++) {
		rig_desc(rig.rx, i, rig.buffers_gpa + 16u * i, HDR, GUEST_DESC_WRITE, 0);
		rig_offer(rig.rx, i);
	}
	rte_vhost_get_vring_base(rig.flow.vid, 0, &avail_before, &used_before);
	rig_picture();
	for (unsigned int i = 0; i < 3; i++) {
		CHECK_EQ(rig_enqueue(1, 60000), 0);
		rte_vhost_get_vring_base(rig.flow.vid, 0, &avail, &used);
		CHECK_EQ(avail, avail_before);
		CHECK_EQ(used, used_before);
		CHECK_EQ(rig_used(rig.rx, NULL), 0);
		CHECK(rig_only_changed(NULL, 0));
	}
	/* One that fits is spread over them. */
	CHECK_EQ(rig_enqueue(1, 1500), 1);
	CHECK_EQ(rig_used(rig.rx, NULL), (HDR + 1500) / HDR);
	attack_down();
}

/* --- the head of the queue ----------------------------------------------- */

static void r32_malformed_chain_at_the_head(void)
{
	struct rte_mbuf *pkts[BURST];
	struct guest_used used[8];
	unsigned int n;
	bool right = true;

	attack_up(0, 0, RING_SIZE);
	for (uint32_t i = 0; i < 8; i++) {
		uint64_t gpa = rig.buffers_gpa + 1024 * i;

		put_packet(gpa, i, 300);
		/* Even ones point nowhere. */
		rig_desc(rig.tx, (uint16_t)i, i % 2 == 0 ? 1ull << 40 : gpa, HDR + 300, 0, 0);
		rig_offer(rig.tx, (uint16_t)i);
	}
	n = rig_dequeue(pkts, BURST);
	for (unsigned int i = 0; i < n; i++) {
		right &= packet_is_pattern(pkts[i], 2 * i + 1, 300);
		rte_pktmbuf_free(pkts[i]);
	}
	CHECK_EQ(n, 4);
	CHECK(right);
	CHECK_EQ(rig_used_list(rig.tx, used, 8), 8);
	for (uint16_t i = 0; i < 8; i++) {
		CHECK_EQ(used[i].id, i);
		CHECK_EQ(used[i].len_bytes, 0);
	}
	CHECK_EQ(rig_counter(1, "dropped_bad_address"), 4);
	attack_down();
}

/* Between the buffers of a merged packet: those before it go back empty, the packet starts anew. */
static void r32_malformed_chain_in_a_merged_packet(void)
{
	struct guest_used used[6];
	uint16_t num_buffers;

	attack_up(FE_F_VERSION_1 | FE_F_MRG_RXBUF, 0, RING_SIZE);
	for (uint16_t i = 0; i < 6; i++) {
		rig_desc(rig.rx, i, i == 2 ? END : rig.buffers_gpa + 1024u * i, 400,
			 GUEST_DESC_WRITE, 0);
		rig_offer(rig.rx, i);
	}
	CHECK_EQ(rig_enqueue(4, 1100), 1);
	CHECK_EQ(rig_used_list(rig.rx, used, 6), 6);
	for (uint16_t i = 0; i < 6; i++) {
		CHECK_EQ(used[i].id, i);
		CHECK_EQ(used[i].len_bytes, i < 3 ? 0 : i < 5 ? 400 : HDR + 1100 - 800);
	}
	guest_read(&rig.flow.fe.mem, rig.buffers_gpa + 3 * 1024 + 10, &num_buffers, 2);
	CHECK_EQ(num_buffers, 3);
	CHECK_EQ(rig_counter(0, "dropped_bad_address"), 1);
	CHECK(rig_serves_rx());
	attack_down();
}

/* --- event index --------------------------------------------------------- */

/* Virtio 1.2, 2.7.7.1, asked about one used element more. */
static bool wants_call(uint16_t event, uint16_t old)
{
	uint16_t now = (uint16_t)(old + 1);

	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

static void r33_on(struct guest_ring *vq)
{
	static const uint16_t offset[] = { 0, 1, 2, RING_SIZE, 0x7fff, 0x8000, 0xfffe, 0xffff };

	CHECK(serves(vq)); /* the first call always comes */
	(void)guest_ring_calls(vq);
	for (unsigned int i = 0; i < RTE_DIM(offset); i++) {
		uint16_t old = guest_split_used_idx(vq);
		uint16_t event = (uint16_t)(old + offset[i]);
		struct rig_range changes[2] = { rig_used_range(vq),
						{ rig.buffers_gpa, HDR + 100 } };

		(void)rig_used(vq, NULL);
		guest_split_set_used_event(vq, event);
		rig_desc(vq, 0, rig.buffers_gpa, HDR + 100, usable(vq), 0);
		rig_offer(vq, 0);
		rig_picture();
		CHECK_EQ(serve(vq), 1);
		CHECK_EQ(rig_used(vq, NULL), 1);
		CHECK_EQ(guest_ring_calls(vq), wants_call(event, old));
		CHECK(rig_only_changed(changes, vq == rig.rx ? 2 : 1));
	}
}

static void r33_hostile_used_event(void)
{
	attack_up(FE_F_VERSION_1 | FE_F_EVENT_IDX, 0, RING_SIZE);
	r33_on(rig.tx);
	r33_on(rig.rx);
	attack_down();
}

/* --- mbufs --------------------------------------------------------------- */

/*
 * Every early way out of a dequeue, with a pool that is too small as well. The
 * mbuf of a packet that was given up serves the next one, as good as new.
 */
static void k6_early_exits_keep_no_mbuf(void)
{
	struct rte_mempool *all = rig.pool, *few = flow_pool(3, 2048);
	struct rte_mbuf *pkts[BURST];
	unsigned int got = 0;
	bool right = true;

	attack_up(0, 0, RING_SIZE);
	rig.pool = few;
	put_packet(rig.buffers_gpa, 3, 200);
	rig_desc(rig.tx, 0, rig.buffers_gpa, HDR + 200, 0, 0);
	rig_desc(rig.tx, 1, END, 600, 0, 0);
	rig_desc(rig.tx, 2, rig.buffers_gpa, 4, 0, 0);
	rig_desc(rig.tx, 3, rig.buffers_gpa, HDR + 60000, 0, 0); /* more than the pool holds */
	for (unsigned int i = 0; i < 40; i++)
		rig_offer(rig.tx, i % 4);
	for (unsigned int i = 0; i < 60; i++) {
		unsigned int n = rig_dequeue(pkts, BURST);

		CHECK(n <= 3);
		for (unsigned int k = 0; k < n; k++) {
			right &= packet_is_pattern(pkts[k], 3, 200) && pkts[k]->nb_segs == 1;
			rte_pktmbuf_free(pkts[k]);
		}
		CHECK(flow_pool_full(few));
		got += n;
	}
	CHECK_EQ(got, 10);
	CHECK(right);
	CHECK_EQ(rig_used(rig.tx, NULL), 40);
	CHECK(rig_counter(1, "mbuf_alloc_failed") > 0);
	/* And out in the middle of a burst. */
	rig_offer(rig.tx, 0);
	if (!flow_packed) /* there are no indices there */
		rig_offer(rig.tx, RING_SIZE);
	CHECK_EQ(rig_drop_all(), 1);
	CHECK_EQ(rig_drop_all(), 0);
	CHECK(flow_pool_full(few));
	rig.pool = all;
	attack_down();
	rte_mempool_free(few);
}

/* Counted when a burst ends for want of an mbuf, once, and not for packets that need none. */
static void an_empty_pool_is_counted_once(void)
{
	struct rte_mempool *all = rig.pool, *few = flow_pool(10, 2048);
	struct rte_mbuf *pkts[BURST];

	attack_up(0, 0, RING_SIZE);
	rig.pool = few;
	put_packet(rig.buffers_gpa, 3, 200);
	rig_desc(rig.tx, 0, rig.buffers_gpa, HDR, GUEST_DESC_NEXT, 1);
	rig_desc(rig.tx, 1, rig.buffers_gpa + HDR, 200, 0, 0);
	for (unsigned int i = 0; i < 10; i++)
		rig_offer(rig.tx, 0);
	CHECK_EQ(rig_dequeue(pkts, BURST), 10);
	CHECK_EQ(rig_counter(1, "mbuf_alloc_failed"), 0);
	rte_pktmbuf_free_bulk(pkts, 10);
	for (unsigned int i = 0; i < 15; i++)
		rig_offer(rig.tx, 0);
	CHECK_EQ(rig_dequeue(pkts, BURST), 10);
	CHECK_EQ(rig_counter(1, "mbuf_alloc_failed"), 1);
	CHECK_EQ(rig_dequeue(pkts + 10, BURST - 10), 0);
	CHECK_EQ(rig_counter(1, "mbuf_alloc_failed"), 2);
	rte_pktmbuf_free_bulk(pkts, 10);
	CHECK_EQ(rig_dequeue(pkts, BURST), 5);
	CHECK_EQ(rig_counter(1, "mbuf_alloc_failed"), 2);
	rte_pktmbuf_free_bulk(pkts, 5);
	rig.pool = all;
	attack_down();
	rte_mempool_free(few);
}

int main(int argc, char **argv)
{
	static const struct attack_test tests[] = {
		ATTACK("R1 descriptor across regions", r1_descriptor_across_regions),
		ATTACK("R2 indirect table partly unmapped", r2_indirect_table_partly_unmapped),
		ATTACK("R2 indirect table across regions", r2_indirect_table_across_regions),
		ATTACK("R3 descriptor address outside memory", r3_address_outside_memory),
		ATTACK("R4 header in many descriptors", r4_header_in_many_descriptors),
		ATTACK("R5 chain no longer than the header", r5_no_more_than_a_header),
		SPLIT_ATTACK("R5 chain no longer than the legacy header", r5_no_more_than_a_legacy_header),
		ATTACK("R6 header in short descriptors on enqueue", r6_header_in_short_descriptors),
		ATTACK("R6 buffer too small for the packet", r6_buffer_too_small_for_the_packet),
		SPLIT_ATTACK("R11 next loops, self-loop, next beyond the ring", r11_next_loops),
		SPLIT_ATTACK("R11 next loops in a long ring", r11_next_loops_in_a_long_ring),
		SPLIT_ATTACK("R11 table loops, next beyond the table, nesting", r11_table_loops),
		ATTACK("R12 more than 256 pieces", r12_more_than_256_pieces),
		SPLIT_ATTACK("R13 available index jumps", r13_avail_index_jumps),
		SPLIT_ATTACK("R14 head beyond the ring", r14_head_beyond_the_ring),
		SPLIT_ATTACK("R14 good packets before a bad head", r14_good_packets_before_a_bad_head),
		ATTACK("R19 lengths sum to more than 4 GiB", r19_lengths_beyond_4_gib),
		ATTACK("R20 wrong direction", r20_wrong_direction),
		ATTACK("R29 flood of bad chains", r29_flood_of_bad_chains),
		ATTACK("R29 flood of bad buffers", r29_flood_of_bad_buffers),
		ATTACK("R29 flood that never ends", r29_flood_that_never_ends),
		ATTACK("R31 more buffers than there are", r31_more_buffers_than_there_are),
		ATTACK("R32 malformed chain at the head", r32_malformed_chain_at_the_head),
		ATTACK("R32 malformed chain in a merged packet",
		  r32_malformed_chain_in_a_merged_packet),
		SPLIT_ATTACK("R33 hostile used_event", r33_hostile_used_event),
		ATTACK("K6 early exits keep no mbuf", k6_early_exits_keep_no_mbuf),
		ATTACK("an empty pool is counted once", an_empty_pool_is_counted_once),
	};

	return attack_main(argc, argv, tests, RTE_DIM(tests));
}
