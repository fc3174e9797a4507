/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net/hdr.c, guest to host: what a virtio-net header makes of an mbuf, in both modes. The bytes of
 * the packet must never change but for a checksum completed in software.
 */
#include <stdlib.h>

#include "net/hdr.h"
#include "packet.h"

#define AUTO 0xffff /* csum_start: where the L4 header is */
#define FEATURES BIT(VIRTIO_NET_F_HOST_USO)
#define DYNFLAG (1ull << 30) /* stands for the flag that DPDK gives out */
#define NEEDS VIRTIO_NET_HDR_F_NEEDS_CSUM
#define TX4 RTE_MBUF_F_TX_IPV4
#define TX6 RTE_MBUF_F_TX_IPV6
#define NONE RTE_MBUF_F_RX_L4_CKSUM_NONE
#define LRO RTE_MBUF_F_RX_LRO
#define EXTERNAL RTE_MBUF_F_EXTERNAL /* stands for what must survive */

struct row {
	const char *name;
	struct packet_spec packet;
	uint8_t flags, gso_type;
	uint16_t gso_size, csum_start, csum_offset;
	uint64_t legacy, compliant; /* flags expected */
	bool software; /* the checksum is completed in the packet: legacy */
	bool compliant_software;
};

#define P4(proto, ...) \
	{ .l3 = PACKET_IPV4, .l4 = PACKET_##proto, .payload_bytes = 100, __VA_ARGS__ }
#define P6(proto, ...) \
	{ .l3 = PACKET_IPV6, .l4 = PACKET_##proto, .payload_bytes = 100, __VA_ARGS__ }
#define TCPV4 VIRTIO_NET_HDR_GSO_TCPV4
#define TCPV6 VIRTIO_NET_HDR_GSO_TCPV6
#define UFO VIRTIO_NET_HDR_GSO_UDP
#define USO VIRTIO_NET_HDR_GSO_UDP_L4
#define ECN VIRTIO_NET_HDR_GSO_ECN

/* clang-format off */
static const struct row rows[] = {
	/* checksum requests that an mbuf can express */
	{ "TCP over IPv4", P4(TCP), NEEDS, 0, 0, AUTO, 16,
	  TX4 | RTE_MBUF_F_TX_TCP_CKSUM, NONE, 0, 0 },
	{ "UDP over IPv4", P4(UDP), NEEDS, 0, 0, AUTO, 6,
	  TX4 | RTE_MBUF_F_TX_UDP_CKSUM, NONE, 0, 0 },
	{ "SCTP over IPv4", P4(SCTP), NEEDS, 0, 0, AUTO, 8,
	  TX4 | RTE_MBUF_F_TX_SCTP_CKSUM, NONE, 0, 0 },
	{ "TCP over IPv6", P6(TCP), NEEDS, 0, 0, AUTO, 16,
	  TX6 | RTE_MBUF_F_TX_TCP_CKSUM, NONE, 0, 0 },
	{ "UDP over IPv6", P6(UDP), NEEDS, 0, 0, AUTO, 6,
	  TX6 | RTE_MBUF_F_TX_UDP_CKSUM, NONE, 0, 0 },
	{ "behind a VLAN tag", P4(TCP, .vlans = 1), NEEDS, 0, 0, AUTO, 16,
	  TX4 | RTE_MBUF_F_TX_TCP_CKSUM, NONE, 0, 0 },
	{ "behind two VLAN tags", P6(UDP, .vlans = 2), NEEDS, 0, 0, AUTO, 6,
	  TX6 | RTE_MBUF_F_TX_UDP_CKSUM, NONE, 0, 0 },
	{ "IPv4 options", P4(TCP, .ihl = 15), NEEDS, 0, 0, AUTO, 16,
	  TX4 | RTE_MBUF_F_TX_TCP_CKSUM, NONE, 0, 0 },
	{ "TCP options", P4(TCP, .data_off = 15), NEEDS, 0, 0, AUTO, 16,
	  TX4 | RTE_MBUF_F_TX_TCP_CKSUM, NONE, 0, 0 },
	{ "IPv6 extension header", { .l3 = PACKET_IPV6_EXT, .l4 = PACKET_UDP, .payload_bytes = 9 },
	  NEEDS, 0, 0, AUTO, 6, TX6 | RTE_MBUF_F_TX_UDP_CKSUM, NONE, 0, 0 },
	{ "no payload", { .l3 = PACKET_IPV4, .l4 = PACKET_UDP }, NEEDS, 0, 0, AUTO, 6,
	  TX4 | RTE_MBUF_F_TX_UDP_CKSUM, NONE, 0, 0 },
	{ "other header flags do not hide it", P4(TCP), NEEDS | 2 | 4 | 0x80, 0, 0, AUTO, 16,
	  TX4 | RTE_MBUF_F_TX_TCP_CKSUM, NONE, 0, 0 },
	/* nothing asked */
	{ "checksum known to be good", P4(TCP), VIRTIO_NET_HDR_F_DATA_VALID, 0, 0, AUTO, 16,
	  TX4, 0, 0, 0 },
	{ "unknown flags only", P6(TCP), 0xfe, 0, 0, AUTO, 16, TX6, 0, 0, 0 },
	/* checksum requests that it cannot: done here */
	{ "UDP sum at TCP's place", P4(UDP), NEEDS, 0, 0, AUTO, 16, 0, NONE, 1, 0 },
	{ "start inside the L4 header", P4(TCP), NEEDS, 0, 0, 38, 12, 0, NONE, 1, 0 },
	{ "the right offset from the wrong start", P4(TCP), NEEDS, 0, 0, 38, 16, 0, NONE, 1, 0 },
	{ "start behind the headers", P4(TCP), NEEDS, 0, 0, 14 + 20 + 20 + 2, 4, 0, 0, 1, 1 },
	{ "a protocol without a flag", P4(ICMP), NEEDS, 0, 0, AUTO, 2, 0, 0, 1, 1 },
	{ "a fragment", P4(UDP, .fragment = true), NEEDS, 0, 0, AUTO, 6, 0, 0, 1, 1 },
	{ "no IP at all", { .l3 = PACKET_ARP }, NEEDS, 0, 0, 14, 2, 0, 0, 1, 1 },
	/* and those that make no sense: left alone */
	{ "start at the end", P4(ICMP), NEEDS, 0, 0, 14 + 20 + 8 + 100, 0, 0, 0, 0, 0 },
	{ "start beyond the end", P4(ICMP), NEEDS, 0, 0, 60000, 0, 0, 0, 0, 0 },
	{ "field half outside", P4(ICMP), NEEDS, 0, 0, 34, 8 + 100 - 1, 0, 0, 0, 0 },
	{ "field outside", P4(ICMP), NEEDS, 0, 0, 34, 8 + 100, 0, 0, 0, 0 },
	{ "sum of both wraps 16 bits", P4(ICMP), NEEDS, 0, 0, 34, 65535 - 33, 0, 0, 0, 0 },
	{ "field at the last two bytes", P4(ICMP), NEEDS, 0, 0, 34, 8 + 100 - 2, 0, 0, 1, 1 },
	/* segmentation */
	{ "TSO over IPv4", P4(TCP), NEEDS, TCPV4, 50, AUTO, 16,
	  TX4 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG, LRO | NONE, 0, 0 },
	{ "TSO over IPv6", P6(TCP), NEEDS, TCPV6, 50, AUTO, 16,
	  TX6 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG, LRO | NONE, 0, 0 },
	{ "TSO with ECN", P4(TCP), NEEDS, TCPV4 | ECN, 50, AUTO, 16,
	  TX4 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG, LRO | NONE, 0, 0 },
	{ "TSO without a checksum request", P4(TCP), 0, TCPV4, 50, 0, 0,
	  TX4 | RTE_MBUF_F_TX_TCP_SEG, LRO | NONE, 0, 0 },
	{ "UFO", P4(UDP), NEEDS, UFO, 50, AUTO, 6,
	  TX4 | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_UDP_SEG, LRO | NONE, 0, 0 },
	{ "USO", P4(UDP), NEEDS, USO, 50, AUTO, 6,
	  TX4 | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_UDP_SEG | DYNFLAG, LRO | NONE | DYNFLAG, 0, 0 },
	{ "USO over IPv6", P6(UDP), NEEDS, USO, 50, AUTO, 6,
	  TX6 | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_UDP_SEG | DYNFLAG, LRO | NONE | DYNFLAG, 0, 0 },
	{ "ECN alone is no segmentation", P4(TCP), NEEDS, ECN, 50, AUTO, 16,
	  TX4 | RTE_MBUF_F_TX_TCP_CKSUM, NONE, 0, 0 },
	/* segmentation that makes no sense: nothing may be left that divides by zero later */
	{ "size 0", P4(TCP), NEEDS, TCPV4, 0, AUTO, 16, 0, NONE, 0, 0 },
	{ "TCP segmentation of UDP", P4(UDP), NEEDS, TCPV4, 50, AUTO, 6, 0, NONE, 0, 0 },
	{ "UDP segmentation of TCP", P4(TCP), NEEDS, UFO, 50, AUTO, 16, 0, NONE, 0, 0 },
	{ "IPv6 segmentation of IPv4", P4(TCP), NEEDS, TCPV6, 50, AUTO, 16, 0, NONE, 0, 0 },
	{ "IPv4 segmentation of IPv6", P6(TCP), NEEDS, TCPV4, 50, AUTO, 16, 0, NONE, 0, 0 },
	{ "unknown segmentation", P4(TCP), NEEDS, 2, 50, AUTO, 16, 0, NONE, 0, 0 },
	{ "UDP L4 segmentation of TCP", P4(TCP), NEEDS, USO, 50, AUTO, 16, 0, NONE, 0, 0 },
	{ "segmentation of what has no L4", P4(ICMP), NEEDS, TCPV4, 50, AUTO, 2, 0, 0, 0, 1 },
	{ "TCP header up to the last byte", { .l3 = PACKET_IPV4, .l4 = PACKET_TCP, .data_off = 15 },
	  NEEDS, TCPV4, 50, AUTO, 16, TX4 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG,
	  LRO | NONE, 0, 0 },
};
/* clang-format on */

/* What a guest's request amounts to, computed here. */
static void complete(uint8_t *bytes, const struct packet *p, const struct virtio_net_hdr_v1 *hdr)
{
	uint16_t sum = packet_sum(bytes + hdr->csum_start, p->len_bytes - hdr->csum_start, 0);
	uint32_t field = (uint32_t)hdr->csum_start + hdr->csum_offset;

	if (sum != 0xffff)
		sum = (uint16_t)~sum;
	bytes[field] = (uint8_t)(sum >> 8);
	bytes[field + 1] = (uint8_t)sum;
}

static void fill_header(struct virtio_net_hdr_v1 *hdr, const struct row *row,
			const struct packet *p)
{
	*hdr = (struct virtio_net_hdr_v1){
		.flags = row->flags,
		.gso_type = row->gso_type,
		.gso_size = row->gso_size,
		.csum_start = row->csum_start == AUTO ? (uint16_t)(p->l2_bytes + p->l3_bytes) :
							row->csum_start,
		.csum_offset = row->csum_offset,
		.hdr_len = 0xbeef, /* not to be trusted, not to be used */
		.num_buffers = 0xbeef,
	};
}

static void check_row(const struct row *row, bool compliant)
{
	static struct packet p;
	static uint8_t expected[PACKET_BYTES_MAX], got[PACKET_BYTES_MAX];
	uint64_t flags = compliant ? row->compliant : row->legacy;
	struct virtio_net_hdr_v1 hdr;
	struct rte_mbuf *m;

	packet_build(&p, &row->packet);
	fill_header(&hdr, row, &p);
	memcpy(expected, p.bytes, p.len_bytes);
	if (compliant ? row->compliant_software : row->software)
		complete(expected, &p, &hdr);
	m = packet_mbuf(&p, NULL);
	m->ol_flags = EXTERNAL;
	hdr_to_mbuf(&hdr, m, FEATURES, compliant);
	packet_read(&p, got);
	if (m->ol_flags != (flags | EXTERNAL) || memcmp(got, expected, p.len_bytes) != 0)
		print_error("%s, %s: flags 0x%llx\n", row->name, compliant ? "compliant" : "legacy",
			    (unsigned long long)m->ol_flags);
	assert_int_equal(m->ol_flags, flags | EXTERNAL);
	assert_memory_equal(got, expected, p.len_bytes);
	if (!compliant && flags != 0) {
		assert_int_equal(m->l2_len, p.l2_bytes);
		assert_int_equal(m->l3_len, p.l3_bytes);
	} else {
		assert_int_equal(m->l2_len, 0);
		assert_int_equal(m->l3_len, 0);
	}
	if ((flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) != 0)
		assert_int_equal(m->l4_len, p.l4_bytes);
	if ((flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | LRO)) != 0)
		assert_int_equal(m->tso_segsz, row->gso_size);
	else
		assert_int_equal(m->tso_segsz, 0);
	packet_free(&p);
}

static void legacy_mode(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i], false);
}

static void compliant_mode(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i], true);
}

/* Nobody agreed to datagrams: the request makes no sense. */
static void datagrams_not_agreed_to(void **state)
{
	static const struct packet_spec spec = P4(UDP);
	const struct virtio_net_hdr_v1 hdr = {
		.flags = NEEDS, .gso_type = USO, .gso_size = 50, .csum_start = 34, .csum_offset = 6
	};
	static struct packet p;
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int compliant = 0; compliant < 2; compliant++) {
		packet_build(&p, &spec);
		m = packet_mbuf(&p, NULL);
		hdr_to_mbuf(&hdr, m, ~FEATURES, compliant != 0);
		assert_int_equal(m->ol_flags, compliant ? NONE : 0);
		assert_int_equal(m->tso_segsz, 0);
		packet_free(&p);
	}
}

static void compliant_mode_tells_the_packet_type(void **state)
{
	static const struct {
		struct packet_spec packet;
		uint32_t ptype;
	} types[] = {
		{ P4(TCP), RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP },
		{ P4(UDP, .ihl = 6), RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4_EXT |
					     RTE_PTYPE_L4_UDP },
		{ P6(SCTP, .vlans = 1), RTE_PTYPE_L2_ETHER_VLAN | RTE_PTYPE_L3_IPV6 |
						RTE_PTYPE_L4_SCTP },
	};
	struct virtio_net_hdr_v1 hdr = { .flags = VIRTIO_NET_HDR_F_DATA_VALID };
	static struct packet p;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(types); i++) {
		struct rte_mbuf *m;

		packet_build(&p, &types[i].packet);
		m = packet_mbuf(&p, NULL);
		hdr_to_mbuf(&hdr, m, FEATURES, true);
		assert_int_equal(m->packet_type, types[i].ptype);
		packet_free(&p);
	}
}

/* A header cut in two is no header to whoever acts on the flags: done here instead. */
static void headers_beyond_the_first_segment(void **state)
{
	static const struct packet_spec spec = P4(TCP);
	static uint8_t expected[PACKET_BYTES_MAX], got[PACKET_BYTES_MAX];
	static struct packet p;

	(void)state;
	for (uint32_t cut = 1; cut < 60; cut++) {
		const uint32_t cuts[] = { cut, 0 };
		struct virtio_net_hdr_v1 hdr = {
			.flags = NEEDS, .csum_start = 34, .csum_offset = 16
		};
		struct rte_mbuf *m;

		packet_build(&p, &spec);
		memcpy(expected, p.bytes, p.len_bytes);
		m = packet_mbuf(&p, cuts);
		hdr_to_mbuf(&hdr, m, FEATURES, false);
		packet_read(&p, got);
		if (cut >= 54) {
			assert_int_equal(m->ol_flags, TX4 | RTE_MBUF_F_TX_TCP_CKSUM);
		} else {
			assert_int_equal(m->ol_flags, 0);
			/* The field itself may lie across the cut: then nobody can. */
			if (cut != 51)
				complete(expected, &p, &hdr);
		}
		assert_memory_equal(got, expected, p.len_bytes);
		packet_free(&p);
	}
}

static void checksum_over_segments(void **state)
{
	static const struct packet_spec spec = {
		.l3 = PACKET_IPV4, .l4 = PACKET_ICMP, .payload_bytes = 301
	};
	static uint8_t expected[PACKET_BYTES_MAX], got[PACKET_BYTES_MAX];
	static struct packet p;

	(void)state;
	for (uint32_t cut = 43; cut < 300; cut += 7) {
		const uint32_t cuts[] = { cut, cut + 1, cut + 20, 0 };
		struct virtio_net_hdr_v1 hdr = {
			.flags = NEEDS, .csum_start = 34, .csum_offset = 2
		};

		packet_build(&p, &spec);
		memcpy(expected, p.bytes, p.len_bytes);
		complete(expected, &p, &hdr);
		hdr_to_mbuf(&hdr, packet_mbuf(&p, cuts), FEATURES, false);
		packet_read(&p, got);
		assert_memory_equal(got, expected, p.len_bytes);
		packet_free(&p);
	}
}

#define ALLOWED                                                                            \
	(TX4 | TX6 | RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | \
	 NONE | LRO | EXTERNAL | DYNFLAG)

/* Any header on any bytes in any pieces: at most two bytes change, and the lengths hold. */
static void hostile_headers_and_packets(void **state)
{
	static uint8_t got[PACKET_BYTES_MAX];
	static struct packet p;

	(void)state;
	kit_seed(6);
	for (unsigned int round = 0; round < 60000; round++) {
		struct packet_spec spec = {
			.vlans = kit_random_below(3),
			.l3 = (enum packet_l3)kit_random_below(4),
			.l4 = kit_random_below(2) ? PACKET_TCP : PACKET_UDP,
			.ihl = 5 + kit_random_below(11),
			.data_off = 5 + kit_random_below(11),
			.payload_bytes = kit_random_below(80),
		};
		uint32_t cuts[5] = { 0 };
		unsigned int changed = 0;
		struct virtio_net_hdr_v1 hdr;
		struct rte_mbuf *m;
		uint32_t at = 0;

		packet_build(&p, &spec);
		if (kit_random_below(2) == 0)
			p.bytes[kit_random_below(p.len_bytes)] = (uint8_t)kit_random();
		if (kit_random_below(4) == 0)
			p.len_bytes = 1 + kit_random_below(p.len_bytes);
		for (unsigned int i = 0; i < 4 && kit_random_below(2) == 0; i++)
			cuts[i] = at += 1 + kit_random_below(40);
		for (unsigned int i = 0; i < sizeof(hdr); i++)
			((uint8_t *)&hdr)[i] = (uint8_t)kit_random();
		hdr.flags &= kit_random_below(2) ? 0xff : NEEDS;
		hdr.gso_type %= 8;
		if (kit_random_below(3) != 0)
			hdr.csum_start = (uint16_t)kit_random_below(120);
		if (kit_random_below(3) != 0)
			hdr.csum_offset = (uint16_t)(kit_random_below(10) * 2);
		m = packet_mbuf(&p, cuts);
		m->ol_flags = EXTERNAL;
		hdr_to_mbuf(&hdr, m, FEATURES, round % 2 != 0);
		assert_int_equal(m->ol_flags & ~ALLOWED, 0);
		assert_true((m->ol_flags & EXTERNAL) != 0);
		assert_int_equal(m->pkt_len, p.len_bytes);
		if ((m->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | LRO)) != 0)
			assert_int_not_equal(m->tso_segsz, 0);
		assert_true((uint32_t)m->l2_len + m->l3_len + m->l4_len <= m->data_len);
		packet_read(&p, got);
		for (uint32_t i = 0; i < p.len_bytes; i++)
			changed += got[i] != p.bytes[i];
		assert_true(changed <= 2);
		if (changed != 0)
			assert_int_equal(m->ol_flags & ~(EXTERNAL | LRO | NONE | DYNFLAG), 0);
		packet_free(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legacy_mode),
		cmocka_unit_test(compliant_mode),
		cmocka_unit_test(datagrams_not_agreed_to),
		cmocka_unit_test(compliant_mode_tells_the_packet_type),
		cmocka_unit_test(headers_beyond_the_first_segment),
		cmocka_unit_test(checksum_over_segments),
		cmocka_unit_test(hostile_headers_and_packets),
	};

	hdr_uso_flag = DYNFLAG;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
