/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net/hdr.c, host to guest: what an mbuf's offload request becomes, for guests that agreed to much
 * or to nothing. The mbuf is never written to: what changes is in the fixups. The inline answer to
 * the usual request has to be the same as the long one.
 */
#include <stdlib.h>

#include "net/hdr.h"
#include "packet.h"

#define F(name) BIT(VIRTIO_NET_F_GUEST_##name)
#define EVERYTHING (F(CSUM) | F(TSO4) | F(TSO6) | F(UFO) | F(ECN) | F(USO4) | F(USO6))
#define TCP RTE_MBUF_F_TX_TCP_CKSUM
#define UDP RTE_MBUF_F_TX_UDP_CKSUM
#define SCTP RTE_MBUF_F_TX_SCTP_CKSUM
#define TSO RTE_MBUF_F_TX_TCP_SEG
#define USEG RTE_MBUF_F_TX_UDP_SEG
#define V4 RTE_MBUF_F_TX_IPV4
#define V6 RTE_MBUF_F_TX_IPV6
#define IPSUM RTE_MBUF_F_TX_IP_CKSUM
#define GOOD RTE_MBUF_F_RX_L4_CKSUM_GOOD
#define USO (1ull << 30) /* stands for the flag that DPDK gives out */
#define CWR (1ull << 31) /* not a flag: set in the TCP header */

enum l4_sum { SUM_SAME, SUM_PSEUDO, SUM_FULL, SUM_CRC };

struct row {
	const char *name;
	struct packet_spec packet;
	uint64_t ol_flags, features;
	uint16_t tso_segsz;
	bool taken;
	uint8_t flags, gso_type;
	uint16_t csum_offset;
	enum l4_sum sum;
	bool ip_sum;
};

#define P4(proto) { .l3 = PACKET_IPV4, .l4 = PACKET_##proto, .payload_bytes = 101 }
#define P6(proto) { .l3 = PACKET_IPV6, .l4 = PACKET_##proto, .payload_bytes = 101 }
#define P6X(proto) { .l3 = PACKET_IPV6_EXT, .l4 = PACKET_##proto, .payload_bytes = 101 }

/* clang-format off */
static const struct row rows[] = {
	{ "TCP, guest completes it", P4(TCP),
	  TCP | V4, EVERYTHING, 0, true, 1, 0, 16, SUM_PSEUDO, 0 },
	{ "UDP, guest completes it", P4(UDP),
	  UDP | V4, EVERYTHING, 0, true, 1, 0, 6, SUM_PSEUDO, 0 },
	{ "TCP over IPv6", P6(TCP),
	  TCP | V6, EVERYTHING, 0, true, 1, 0, 16, SUM_PSEUDO, 0 },
	{ "UDP over IPv6", P6(UDP),
	  UDP | V6, EVERYTHING, 0, true, 1, 0, 6, SUM_PSEUDO, 0 },
	{ "IPv6 with an extension header", P6X(TCP),
	  TCP | V6, EVERYTHING, 0, true, 1, 0, 16, SUM_PSEUDO, 0 },
	{ "the same, computed here", P6X(UDP),
	  UDP | V6, 0, 0, true, 0, 0, 0, SUM_FULL, 0 },
	{ "SCTP", P4(SCTP),
	  SCTP | V4, EVERYTHING, 0, true, 1, 0, 8, SUM_SAME, 0 },
	{ "SCTP, computed here", P4(SCTP),
	  SCTP | V4, 0, 0, true, 0, 0, 0, SUM_CRC, 0 },
	{ "SCTP over IPv6, computed here", P6(SCTP),
	  SCTP | V6, F(TSO4), 0, true, 0, 0, 0, SUM_CRC, 0 },
	{ "nothing", P4(TCP), V4, EVERYTHING, 0, true, 0, 0, 0, SUM_SAME, 0 },
	{ "a checksum known to be good", P4(TCP),
	  GOOD, EVERYTHING, 0, true, 2, 0, 0, SUM_SAME, 0 },
	{ "of a packet that went into a tunnel since", P4(TCP),
	  GOOD | RTE_MBUF_F_TX_TUNNEL_VXLAN, EVERYTHING, 0, true, 0, 0, 0, SUM_SAME, 0 },
	{ "that the guest does not want to hear of", P4(TCP),
	  GOOD, F(TSO4), 0, true, 0, 0, 0, SUM_SAME, 0 },
	{ "a checksum that was not looked at", P4(TCP),
	  RTE_MBUF_F_RX_L4_CKSUM_NONE, EVERYTHING, 0, true, 0, 0, 0, SUM_SAME, 0 },
	{ "a checksum known to be bad", P4(TCP),
	  RTE_MBUF_F_RX_L4_CKSUM_BAD, EVERYTHING, 0, true, 0, 0, 0, SUM_SAME, 0 },
	{ "known and to be computed again", P4(TCP),
	  GOOD | TCP | V4, EVERYTHING, 0, true, 1, 0, 16, SUM_PSEUDO, 0 },
	{ "known, and an IP checksum", P4(TCP),
	  GOOD | V4 | IPSUM, EVERYTHING, 0, true, 2, 0, 0, SUM_SAME, 1 },
	{ "with the IP checksum", P4(TCP),
	  TCP | V4 | IPSUM, EVERYTHING, 0, true, 1, 0, 16, SUM_PSEUDO, 1 },
	{ "IP checksum alone", P4(TCP),
	  V4 | IPSUM, EVERYTHING, 0, true, 0, 0, 0, SUM_SAME, 1 },
	{ "IP checksum needs nobody", P4(ICMP),
	  V4 | IPSUM, 0, 0, true, 0, 0, 0, SUM_SAME, 1 },
	{ "TCP, computed here", P4(TCP),
	  TCP | V4, 0, 0, true, 0, 0, 0, SUM_FULL, 0 },
	{ "UDP, computed here", P4(UDP),
	  UDP | V4, 0, 0, true, 0, 0, 0, SUM_FULL, 0 },
	{ "TCP over IPv6, computed here", P6(TCP),
	  TCP | V6, 0, 0, true, 0, 0, 0, SUM_FULL, 0 },
	{ "UDP over IPv6, computed here", P6(UDP),
	  UDP | V6, F(TSO4), 0, true, 0, 0, 0, SUM_FULL, 0 },
	{ "both computed here", P4(UDP),
	  UDP | V4 | IPSUM, 0, 0, true, 0, 0, 0, SUM_FULL, 1 },
	{ "TSO over IPv4", P4(TCP),
	  TSO | V4, EVERYTHING, 50, true, 1, 1, 16, SUM_PSEUDO, 0 },
	{ "TSO over IPv4 with all flags", P4(TCP),
	  TSO | TCP | V4 | IPSUM, EVERYTHING, 50, true, 1, 1, 16, SUM_PSEUDO, 1 },
	{ "TSO over IPv6", P6(TCP),
	  TSO | V6, EVERYTHING, 50, true, 1, 4, 16, SUM_PSEUDO, 0 },
	{ "UDP fragmentation", P4(UDP),
	  USEG | V4, EVERYTHING, 50, true, 1, 3, 6, SUM_PSEUDO, 0 },
	{ "TSO nobody agreed to", P4(TCP),
	  TSO | V4, F(CSUM), 50, false, 0, 0, 0, SUM_SAME, 0 },
	{ "TSO for the other IP", P4(TCP),
	  TSO | V4, F(CSUM) | F(TSO6), 50, false, 0, 0, 0, SUM_SAME, 0 },
	{ "TSO over IPv6 nobody agreed to", P6(TCP),
	  TSO | V6, F(CSUM) | F(TSO4), 50, false, 0, 0, 0, SUM_SAME, 0 },
	{ "UDP fragmentation nobody agreed to", P4(UDP),
	  USEG | V4, F(CSUM) | F(TSO4), 50, false, 0, 0, 0, SUM_SAME, 0 },
	{ "TSO without checksums agreed to", P4(TCP),
	  TSO | V4, F(TSO4), 50, false, 0, 0, 0, SUM_SAME, 0 },
	{ "datagrams", P4(UDP),
	  USEG | USO | V4, EVERYTHING & ~F(UFO), 50, true, 1, 5, 6, SUM_PSEUDO, 0 },
	{ "datagrams over IPv6", P6(UDP),
	  USEG | USO | V6, EVERYTHING & ~F(UFO), 50, true, 1, 5, 6, SUM_PSEUDO, 0 },
	{ "datagrams nobody agreed to", P4(UDP),
	  USEG | USO | V4, EVERYTHING & ~F(USO4), 50, false, 0, 0, 0, SUM_SAME, 0 },
	{ "datagrams for the other IP", P6(UDP),
	  USEG | USO | V6, EVERYTHING & ~F(USO6), 50, false, 0, 0, 0, SUM_SAME, 0 },
	{ "fragments for who wants datagrams", P4(UDP),
	  USEG | V4, EVERYTHING & ~F(UFO), 50, false, 0, 0, 0, SUM_SAME, 0 },
	{ "TSO with CWR", P4(TCP),
	  TSO | V4 | CWR, EVERYTHING, 50, true, 1, 0x81, 16, SUM_PSEUDO, 0 },
	{ "TSO with CWR over IPv6", P6(TCP),
	  TSO | V6 | CWR, EVERYTHING, 50, true, 1, 0x84, 16, SUM_PSEUDO, 0 },
	{ "TSO with CWR nobody agreed to", P4(TCP),
	  TSO | V4 | CWR, EVERYTHING & ~F(ECN), 50, false, 0, 0, 0, SUM_SAME, 0 },
	{ "CWR in one segment", P4(TCP),
	  TCP | V4 | CWR, EVERYTHING, 0, true, 1, 0, 16, SUM_PSEUDO, 0 },
	{ "a VLAN tag", P4(TCP),
	  TCP | V4 | RTE_MBUF_F_TX_VLAN, EVERYTHING, 0, false, 0, 0, 0, SUM_SAME, 0 },
	{ "TSO into segments of 0", P4(TCP),
	  TSO | V4, EVERYTHING, 0, false, 0, 0, 0, SUM_SAME, 0 },
	{ "TSO in a tunnel", P4(TCP),
	  TSO | V4 | RTE_MBUF_F_TX_TUNNEL_VXLAN, EVERYTHING, 50, false, 0, 0, 0, SUM_SAME, 0 },
};
/* clang-format on */

static struct packet p;
static unsigned int usual_requests; /* what the inline answer was good for */

/* As an application prepares it. */
static struct rte_mbuf *prepare(const struct packet_spec *spec, uint64_t ol_flags,
				const uint32_t *cuts)
{
	struct rte_mbuf *m;

	packet_build(&p, spec);
	/* Whatever stands in the checksum fields must not matter. */
	if ((ol_flags & (TCP | TSO)) == TCP || (ol_flags & TSO) != 0)
		p.bytes[p.l2_bytes + p.l3_bytes + 16] ^= 0x5a;
	if (spec->l3 == PACKET_IPV4)
		p.bytes[p.l2_bytes + 10] = 0x77;
	if ((ol_flags & CWR) != 0)
		p.bytes[p.l2_bytes + p.l3_bytes + 13] |= 0x80;
	m = packet_mbuf(&p, cuts);
	m->ol_flags = ol_flags;
	m->l2_len = p.l2_bytes;
	m->l3_len = p.l3_bytes;
	m->l4_len = p.l4_bytes;
	return m;
}

/* Asks both ways; fixups in memory of their own, where a sanitizer sees the byte after them. */
static bool ask(const struct rte_mbuf *m, uint64_t features, struct virtio_net_hdr_v1 *hdr,
		struct hdr_fixups **fixups)
{
	struct hdr_fixups *f = malloc(sizeof(*f)), usual_fixups = { 0 };
	struct virtio_net_hdr_v1 usual;
	bool taken;

	memset(f, 0xee, sizeof(*f));
	memset(hdr, 0xee, sizeof(*hdr));
	taken = hdr_from_mbuf(m, features, hdr, f);
	usual_requests += hdr_from_usual_mbuf(m, features, &usual, &usual_fixups);
	if (hdr_from_usual_mbuf(m, features, &usual, &usual_fixups)) {
		assert_true(taken);
		assert_memory_equal(&usual, hdr, sizeof(usual));
		assert_int_equal(usual_fixups.count, f->count);
		for (unsigned int i = 0; i < f->count; i++) {
			assert_int_equal(usual_fixups.at[i].offset_bytes, f->at[i].offset_bytes);
			assert_int_equal(usual_fixups.at[i].value, f->at[i].value);
		}
	}
	*fixups = f;
	return taken;
}

/* The packet as the guest will see it. */
static void fixed_up(const struct hdr_fixups *fixups, uint8_t *out)
{
	packet_read(&p, out);
	assert_in_range(fixups->count, 0, ARRAY_LEN(fixups->at));
	for (unsigned int i = 0; i < fixups->count; i++) {
		assert_in_range(fixups->at[i].offset_bytes, 0, p.len_bytes - 2);
		memcpy(out + fixups->at[i].offset_bytes, &fixups->at[i].value, 2);
	}
}

static uint32_t sum_at(const struct row *row)
{
	return p.l2_bytes + p.l3_bytes +
	       (row->packet.l4 == PACKET_TCP ? 16 : row->packet.l4 == PACKET_UDP ? 6 : 8);
}

static void check_sums(const struct row *row, const uint8_t *got)
{
	uint32_t l4 = p.l2_bytes + p.l3_bytes;
	uint16_t pseudo = packet_pseudo_sum(&p, got, (uint8_t)row->packet.l4);

	if (row->sum == SUM_PSEUDO)
		assert_int_equal(packet_word(got, sum_at(row)), pseudo);
	if (row->sum == SUM_FULL) {
		assert_int_equal(packet_sum(got + l4, p.len_bytes - l4, pseudo), 0xffff);
		assert_int_not_equal(packet_word(got, sum_at(row)), 0);
	}
	if (row->sum == SUM_CRC)
		assert_int_equal(packet_crc32c(got + l4, p.len_bytes - l4, 8),
				 (uint32_t)got[l4 + 11] << 24 | got[l4 + 10] << 16 | got[l4 + 9] << 8 |
					 got[l4 + 8]);
	if (row->ip_sum)
		assert_int_equal(packet_sum(got + p.l2_bytes, p.l3_bytes, 0), 0xffff);
	/* Nothing else changed. */
	for (uint32_t i = 0; i < p.len_bytes; i++) {
		bool is_l4_sum = i - sum_at(row) < (row->sum == SUM_CRC ? 4 : 2) &&
				 row->sum != SUM_SAME;
		bool is_ip_sum = i - (p.l2_bytes + 10) < 2 && row->ip_sum;

		if (!is_l4_sum && !is_ip_sum)
			assert_int_equal(got[i], p.bytes[i]);
	}
}

static void check_row(const struct row *row, const uint32_t *cuts)
{
	static uint8_t got[PACKET_BYTES_MAX], raw[PACKET_BYTES_MAX];
	struct virtio_net_hdr_v1 hdr;
	struct hdr_fixups *fixups;
	struct rte_mbuf *m = prepare(&row->packet, row->ol_flags, cuts);
	bool taken;

	m->tso_segsz = row->tso_segsz;
	taken = ask(m, row->features, &hdr, &fixups);
	if (taken != row->taken)
		print_error("%s\n", row->name);
	assert_int_equal(taken, row->taken);
	/* The mbuf may be shared: untouched, whatever came out. */
	packet_read(&p, raw);
	assert_memory_equal(raw, p.bytes, p.len_bytes);
	if (taken) {
		fixed_up(fixups, got);
		assert_int_equal(hdr.num_buffers, 1);
		assert_int_equal(hdr.flags, row->flags);
		assert_int_equal(hdr.gso_type, row->gso_type);
		assert_int_equal(hdr.gso_size, row->gso_type != 0 ? row->tso_segsz : 0);
		assert_int_equal(hdr.csum_offset, row->csum_offset);
		assert_int_equal(hdr.csum_start, row->flags & 1 ? p.l2_bytes + p.l3_bytes : 0);
		assert_int_equal(hdr.hdr_len,
				 row->gso_type ? p.l2_bytes + p.l3_bytes + p.l4_bytes : 0);
		check_sums(row, got);
	}
	packet_free(&p);
	free(fixups);
}

static void requests(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i], NULL);
}

/* The same in pieces: every cut through the headers, and odd ones behind. */
static void requests_over_segments(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		for (uint32_t cut = 1; cut < 100; cut += 1 + cut / 50) {
			const uint32_t cuts[] = { cut, cut + 3, cut + 4, 0 };

			check_row(&rows[i], cuts);
		}
	}
}

static void other_header_stacks(void **state)
{
	(void)state;
	for (unsigned int vlans = 0; vlans <= 2; vlans++) {
		for (unsigned int ihl = 5; ihl <= 15; ihl++) {
			for (unsigned int off = 5; off <= 15; off++) {
				struct row row = rows[0];

				row.packet.vlans = vlans;
				row.packet.ihl = ihl;
				row.packet.data_off = off;
				check_row(&row, NULL);
				row.features = 0;
				row.flags = 0;
				row.csum_offset = 0;
				row.sum = SUM_FULL;
				check_row(&row, NULL);
			}
		}
	}
}

/* A UDP sum that comes out as 0 means "none": it is sent as all ones. */
static void udp_sum_is_never_zero(void **state)
{
	struct row row = { .packet = P4(UDP), .ol_flags = UDP | V4, .taken = true,
			   .sum = SUM_FULL };
	unsigned int hit = 0;

	(void)state;
	for (uint32_t v = 0; v < 65536; v += 1) {
		static uint8_t got[PACKET_BYTES_MAX];
		struct virtio_net_hdr_v1 hdr;
		struct hdr_fixups *fixups;
		struct rte_mbuf *m = prepare(&row.packet, row.ol_flags, NULL);
		uint8_t *payload = (uint8_t *)m->buf_addr + p.len_bytes - 3;

		payload[0] = (uint8_t)(v >> 8);
		payload[1] = (uint8_t)v;
		memcpy(p.bytes + p.len_bytes - 3, payload, 2);
		assert_true(ask(m, 0, &hdr, &fixups));
		fixed_up(fixups, got);
		assert_int_not_equal(packet_word(got, sum_at(&row)), 0);
		hit += packet_word(got, sum_at(&row)) == 0xffff;
		if (v % 4096 == 0)
			check_sums(&row, got);
		packet_free(&p);
		free(fixups);
	}
	assert_true(hit != 0);
}

/* Lengths that an application got wrong: refused or clamped, never out of bounds. */
static void lengths_that_make_no_sense(void **state)
{
	static const struct packet_spec spec = P4(TCP);
	static const struct {
		uint64_t ol_flags;
		uint16_t l2, l3, l4;
	} wrong[] = {
		{ TCP | V4, 0, 0, 0 },       { TCP | V4, 14, 0, 0 },
		{ TCP | V4, 14, 19, 20 },    { TCP | V6, 14, 39, 20 },
		{ TCP | V4, 127, 511, 0 },   { TCP | V4, 14, 200, 0 },
		{ IPSUM | V4, 14, 0, 0 },    { IPSUM | V4, 127, 511, 0 },
		{ IPSUM | V4, 14, 300, 0 },  { TSO | V4, 127, 511, 255 },
		{ TCP | V4, 100, 100, 20 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(wrong); i++) {
		struct hdr_fixups *fixups;
		struct virtio_net_hdr_v1 hdr;
		struct rte_mbuf *m = prepare(&spec, wrong[i].ol_flags, NULL);

		m->l2_len = wrong[i].l2;
		m->l3_len = wrong[i].l3;
		m->l4_len = wrong[i].l4 & 0xff;
		m->tso_segsz = 100;
		assert_false(ask(m, EVERYTHING, &hdr, &fixups));
		packet_free(&p);
		free(fixups);
	}
}

/* An IPv4 header whose own length field goes beyond what we copied. */
static void ip_header_longer_than_said(void **state)
{
	static const struct packet_spec spec = {
		.l3 = PACKET_IPV4, .l4 = PACKET_UDP, .payload_bytes = 400
	};

	(void)state;
	for (unsigned int ihl = 0; ihl <= 15; ihl++) {
		for (uint16_t l2 = 14; l2 < 127; l2 += 8) {
			struct hdr_fixups *fixups;
			struct virtio_net_hdr_v1 hdr;
			struct rte_mbuf *m = prepare(&spec, IPSUM | V4, NULL);

			m->l2_len = l2 & 0x7f;
			((uint8_t *)m->buf_addr)[l2] = (uint8_t)(0x40 | ihl);
			if (ask(m, 0, &hdr, &fixups)) {
				assert_int_equal(fixups->count, 1);
				assert_int_equal(fixups->at[0].offset_bytes, l2 + 10u);
			} else {
				assert_true(ihl > 5);
			}
			packet_free(&p);
			free(fixups);
		}
	}
}

static void hostile_requests(void **state)
{
	unsigned int taken = 0;

	(void)state;
	kit_seed(7);
	for (unsigned int round = 0; round < 40000; round++) {
		struct packet_spec spec = {
			.vlans = kit_random_below(3),
			.l3 = (enum packet_l3)(1 + kit_random_below(3)),
			.l4 = kit_random_below(2) ? PACKET_TCP : PACKET_UDP,
			.ihl = 5 + kit_random_below(11),
			.payload_bytes = kit_random_below(300),
		};
		const uint32_t cuts[] = { kit_random_below(80), 0 };
		struct hdr_fixups *fixups;
		struct virtio_net_hdr_v1 hdr;
		struct rte_mbuf *m;
		static uint8_t got[PACKET_BYTES_MAX];

		m = prepare(&spec, kit_random(), cuts);
		m->ol_flags |= HDR_MBUF_OFFLOADS & (1ULL << (48 + kit_random_below(8)));
		if (round % 8 != 0)
			m->ol_flags &= ~(HDR_MBUF_TAGS | HDR_MBUF_OUTER_SUMS);
		if (kit_random_below(2) == 0)
			m->tx_offload = kit_random();
		m->tso_segsz = (uint16_t)kit_random_below(3);
		for (unsigned int i = 0; i < 3; i++)
			if (m->data_len != 0)
				((uint8_t *)m->buf_addr)[kit_random_below(m->data_len)] =
					(uint8_t)kit_random();
		if (ask(m, kit_random() & EVERYTHING, &hdr, &fixups)) {
			taken++;
			fixed_up(fixups, got);
			assert_true((uint32_t)hdr.csum_start + hdr.csum_offset <
				    p.len_bytes);
			assert_true((hdr.flags & ~3) == 0);
		}
		packet_free(&p);
		free(fixups);
	}
	assert_true(taken > 1000);
}

/* Everything that can be asked in one segment, at every place an IPv4 header can be. */
static void usual_requests_are_answered_alike(void **state)
{
	static const uint64_t asks[] = {
		TCP | V4, UDP | V4, SCTP | V4, IPSUM | V4, TCP | IPSUM | V4, UDP | IPSUM | V4,
		TSO | V4, TSO | IPSUM | V4, TSO | UDP | V4, USEG | V4, TCP, TCP | V6,
		TCP | V4 | RTE_MBUF_F_TX_TUNNEL_VXLAN, TSO | USEG | V4,
	};
	static const uint16_t l3_lens[] = { 0, 19, 20, 21, 24, 60, 480, 511 };
	static const struct packet_spec spec = {
		.l3 = PACKET_IPV4, .l4 = PACKET_TCP, .payload_bytes = 50
	};
	unsigned int n = 0;

	(void)state;
	usual_requests = 0;
	for (unsigned int l2 = 0; l2 < 128; l2++) {
		for (unsigned int k = 0; k < ARRAY_LEN(asks) * ARRAY_LEN(l3_lens) * 4; k++) {
			struct rte_mbuf *m = prepare(&spec, asks[k % ARRAY_LEN(asks)], NULL);
			uint64_t features = k % 5 == 0 ? kit_random() & EVERYTHING : EVERYTHING;
			struct virtio_net_hdr_v1 hdr;
			struct hdr_fixups *fixups;

			m->l2_len = l2 & 0x7f;
			m->l3_len = l3_lens[k / ARRAY_LEN(asks) % ARRAY_LEN(l3_lens)] & 0x1ff;
			m->tso_segsz = k / ARRAY_LEN(asks) / ARRAY_LEN(l3_lens) == 0 ? 0 : 100;
			/* As good a header as any; then none, behind the end. */
			if (l2 < m->data_len)
				((uint8_t *)m->buf_addr)[l2] = k % 11 == 0 ? 0x46 : 0x45;
			ask(m, features, &hdr, &fixups);
			packet_free(&p);
			free(fixups);
			n++;
		}
	}
	assert_in_range(usual_requests, 1000, n - 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(requests_over_segments),
		cmocka_unit_test(other_header_stacks),
		cmocka_unit_test(udp_sum_is_never_zero),
		cmocka_unit_test(lengths_that_make_no_sense),
		cmocka_unit_test(ip_header_longer_than_said),
		cmocka_unit_test(hostile_requests),
		cmocka_unit_test(usual_requests_are_answered_alike),
	};

	hdr_uso_flag = USO;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
