/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest to host offloads: what a virtio_net_hdr turns into in the mbuf, in legacy mode (transmit
 * metadata) and in compliant mode (receive metadata). One table row a case, for both modes.
 */
#include <netinet/in.h>
#include <unistd.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define ROOM_BYTES 2048

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_tx tx;
static struct frame frame;

static const uint64_t all_offloads = FE_F_VERSION_1 | FE_F_CSUM | FE_F_HOST_TSO4 | FE_F_HOST_TSO6 |
				     FE_F_HOST_ECN | FE_F_HOST_UFO;

/* Everything about the mbuf a test compares. */
struct metadata {
	uint64_t ol_flags;
	uint16_t l2_bytes, l3_bytes, l4_bytes, tso_segsz;
};

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(256, ROOM_BYTES);
}

static void
up(uint64_t features, uint64_t flags)
{
	const struct fe_config config = {.features = features};

	flow_up(&flow, flags, &config);
	guest_tx_init(&tx, &flow.fe.vqs[1], guest_net_hdr_bytes(flow.fe.features), 1u << 20);
}

static void
down(void)
{
	CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

/* Sends the frame with this header; the packet always arrives, with the content given. */
static struct metadata
send_frame(const struct guest_net_hdr *hdr, const uint8_t *content)
{
	struct metadata seen;
	struct rte_mbuf *m;

	CHECK(guest_tx_send(&tx, hdr, frame.bytes, frame.len_bytes) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, &m, 1), 1);
	CHECK(packet_equals(m, content, frame.len_bytes));
	CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	seen = (struct metadata) {
		.ol_flags = m->ol_flags,
		.l2_bytes = m->l2_len,
		.l3_bytes = m->l3_len,
		.l4_bytes = m->l4_len,
		.tso_segsz = m->tso_segsz,
	};
	rte_pktmbuf_free(m);
	return seen;
}

static struct guest_net_hdr
csum_hdr(void)
{
	return (struct guest_net_hdr) {
		.flags = GUEST_NET_NEEDS_CSUM,
		.csum_start = (uint16_t)(frame.l2_bytes + frame.l3_bytes),
		.csum_offset = frame.csum_offset,
	};
}

static struct guest_net_hdr
gso_hdr(uint8_t type, uint16_t size)
{
	struct guest_net_hdr hdr = csum_hdr();

	hdr.gso_type = type;
	hdr.gso_size = size;
	hdr.hdr_len = (uint16_t)(frame.l2_bytes + frame.l3_bytes + frame.l4_bytes);
	return hdr;
}

static const struct frame_spec shapes[] = {
	{.l4_proto = IPPROTO_TCP, .payload_bytes = 100},
	{.l4_proto = IPPROTO_UDP, .payload_bytes = 101},
	{.l4_proto = IPPROTO_SCTP, .payload_bytes = 64},
	{.l4_proto = IPPROTO_TCP, .payload_bytes = 1000, .ipv6 = true},
	{.l4_proto = IPPROTO_UDP, .payload_bytes = 1, .ipv6 = true},
	{.l4_proto = IPPROTO_TCP, .payload_bytes = 100, .vlan = true},
	{.l4_proto = IPPROTO_UDP, .payload_bytes = 100, .vlan = true, .ipv6 = true},
	{.l4_proto = IPPROTO_TCP, .payload_bytes = 100, .ip_options_bytes = 40},
	{.l4_proto = IPPROTO_TCP, .payload_bytes = 100, .tcp_options_bytes = 40},
	{.l4_proto = IPPROTO_TCP, .payload_bytes = 0},
};

static uint64_t
tx_l4_flag(uint8_t proto)
{
	return proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_CKSUM :
	       proto == IPPROTO_UDP ? RTE_MBUF_F_TX_UDP_CKSUM :
				      RTE_MBUF_F_TX_SCTP_CKSUM;
}

static uint64_t
tx_l3_flag(const struct frame_spec *spec)
{
	return spec->ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
}

static void
check_metadata(struct metadata seen, uint64_t ol_flags, uint16_t l2, uint16_t l3, uint16_t l4,
	       uint16_t segsz)
{
	CHECK_EQ(seen.ol_flags, ol_flags);
	CHECK_EQ(seen.l2_bytes, l2);
	CHECK_EQ(seen.l3_bytes, l3);
	CHECK_EQ(seen.l4_bytes, l4);
	CHECK_EQ(seen.tso_segsz, segsz);
}

static void
legacy_nothing_asked(void)
{
	const struct guest_net_hdr none = {0};

	up(all_offloads, 0);
	for (unsigned i = 0; i < RTE_DIM(shapes); i++) {
		frame_build(&frame, &shapes[i], false);
		check_metadata(send_frame(&none, frame.bytes), 0, 0, 0, 0, 0);
	}
	down();
}

static void
legacy_checksum(void)
{
	up(all_offloads, 0);
	for (unsigned i = 0; i < RTE_DIM(shapes); i++) {
		const struct frame_spec *s = &shapes[i];
		struct guest_net_hdr hdr;
		struct metadata seen;

		frame_build(&frame, s, true);
		hdr = csum_hdr();
		seen = send_frame(&hdr, frame.bytes);
		check_metadata(seen, tx_l3_flag(s) | tx_l4_flag(s->l4_proto), frame.l2_bytes,
			       frame.l3_bytes, seen.l4_bytes, 0);
	}
	down();
}

static void
legacy_tso(void)
{
	up(all_offloads, 0);
	for (unsigned i = 0; i < RTE_DIM(shapes); i++) {
		struct frame_spec s = shapes[i];
		struct guest_net_hdr hdr;

		if (s.l4_proto != IPPROTO_TCP)
			continue;
		for (unsigned ecn = 0; ecn < 2; ecn++) {
			s.payload_bytes = 9000;
			frame_build(&frame, &s, true);
			hdr = gso_hdr(s.ipv6 ? GUEST_NET_GSO_TCPV6 : GUEST_NET_GSO_TCPV4, 1400);
			hdr.gso_type = (uint8_t)(hdr.gso_type | (ecn ? GUEST_NET_GSO_ECN : 0));
			check_metadata(send_frame(&hdr, frame.bytes),
				       tx_l3_flag(&s) | RTE_MBUF_F_TX_TCP_CKSUM |
					       RTE_MBUF_F_TX_TCP_SEG,
				       frame.l2_bytes, frame.l3_bytes, frame.l4_bytes, 1400);
		}
	}
	down();
}

static void
legacy_ufo(void)
{
	struct frame_spec s = {.l4_proto = IPPROTO_UDP, .payload_bytes = 5000};
	struct guest_net_hdr hdr;

	up(all_offloads, 0);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		s.ipv6 = v6 != 0;
		frame_build(&frame, &s, true);
		hdr = gso_hdr(GUEST_NET_GSO_UDP, 1472);
		check_metadata(send_frame(&hdr, frame.bytes),
			       tx_l3_flag(&s) | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_UDP_SEG,
			       frame.l2_bytes, frame.l3_bytes, 8, 1472);
	}
	down();
}

/*
 * A checksum no mbuf flag can ask for: no metadata. Difference: ours computes it, the stock library
 * hands the packet on unfinished.
 */
static void
check_in_software(const struct guest_net_hdr *hdr)
{
	static uint8_t content[65550];

	memcpy(content, frame.bytes, frame.len_bytes);
	if (!is_stock)
		frame_finish_checksum(content, frame.len_bytes, hdr->csum_start,
				      hdr->csum_offset);
	check_metadata(send_frame(hdr, content), 0, 0, 0, 0, 0);
}

static void
legacy_odd_checksums(void)
{
	const struct frame_spec tcp = {.l4_proto = IPPROTO_TCP, .payload_bytes = 3000};
	const struct frame_spec icmp = {.l4_proto = IPPROTO_ICMP, .payload_bytes = 64};
	const struct frame_spec qinq = {
		.l4_proto = IPPROTO_TCP, .payload_bytes = 64, .qinq = true,
	};
	struct guest_net_hdr hdr;

	up(all_offloads, 0);
	frame_build(&frame, &tcp, true);
	hdr = csum_hdr();
	hdr.csum_start++;
	check_in_software(&hdr);
	hdr = csum_hdr();
	hdr.csum_offset = 6; /* UDP's place in a TCP packet */
	check_in_software(&hdr);
	hdr = csum_hdr();
	hdr.csum_start = 65535;
	check_in_software(&hdr);
	hdr.csum_start = (uint16_t)(frame.len_bytes - 1);
	check_in_software(&hdr);
	hdr = csum_hdr();
	hdr.csum_offset = 65535;
	check_in_software(&hdr);
	hdr.csum_offset = (uint16_t)(frame.len_bytes - hdr.csum_start - 1);
	check_in_software(&hdr);
	frame_build(&frame, &icmp, true);
	hdr = csum_hdr();
	hdr.csum_offset = 2;
	check_in_software(&hdr);
	/* Difference: two VLAN tags are more than the stock library sees through. */
	frame_build(&frame, &qinq, true);
	hdr = csum_hdr();
	if (is_stock)
		check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
	else
		check_metadata(send_frame(&hdr, frame.bytes),
			       RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM, 22, 20, 0, 0);
	down();
}

/* Segmentation requests that make no sense: the packet arrives, without metadata. */
static void
legacy_bad_gso(void)
{
	const struct frame_spec tcp = {.l4_proto = IPPROTO_TCP, .payload_bytes = 3000};
	const struct frame_spec udp = {.l4_proto = IPPROTO_UDP, .payload_bytes = 3000};
	struct guest_net_hdr hdr;

	up(all_offloads, 0);
	frame_build(&frame, &tcp, true);
	hdr = gso_hdr(GUEST_NET_GSO_TCPV4, 0);
	check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
	hdr = gso_hdr(GUEST_NET_GSO_UDP, 1400); /* on TCP */
	check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
	hdr = gso_hdr(7, 1400); /* no such type */
	check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
	if (!is_stock) { /* the stock library does not compare with the IP version */
		hdr = gso_hdr(GUEST_NET_GSO_TCPV6, 1400);
		check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
	}
	frame_build(&frame, &udp, true);
	hdr = gso_hdr(GUEST_NET_GSO_TCPV4, 1400); /* on UDP */
	check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
	down();
}

/* Headers cut off or lying about their lengths: never an over-read, metadata cleared. */
static void
legacy_truncated_headers(void)
{
	const struct frame_spec tcp = {.l4_proto = IPPROTO_TCP, .payload_bytes = 100};
	struct guest_net_hdr hdr;

	up(all_offloads, 0);
	frame_build(&frame, &tcp, true);
	hdr = gso_hdr(GUEST_NET_GSO_TCPV4, 1400);
	for (uint32_t len = 1; len < 14 + 20 + 20; len++) {
		frame.len_bytes = len;
		check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
	}
	frame_build(&frame, &tcp, true);
	frame.bytes[14] = 0x44; /* IP header of 16 bytes */
	check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
	frame_build(&frame, &tcp, true);
	frame.bytes[14 + 20 + 12] = 0x40; /* TCP header of 16 bytes */
	if (!is_stock)
		check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
	down();
}

/* No offload negotiated: the header is not looked at. */
static void
not_negotiated_is_ignored(void)
{
	const struct frame_spec tcp = {.l4_proto = IPPROTO_TCP, .payload_bytes = 3000};
	struct guest_net_hdr hdr;

	for (unsigned compliant = 0; compliant < 2; compliant++) {
		up(FE_F_VERSION_1, compliant ? RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS : 0);
		frame_build(&frame, &tcp, true);
		hdr = gso_hdr(GUEST_NET_GSO_TCPV4, 1400);
		check_metadata(send_frame(&hdr, frame.bytes), 0, 0, 0, 0, 0);
		down();
	}
}

static void
compliant_nothing_asked(void)
{
	const struct guest_net_hdr none = {0};

	up(all_offloads, RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
	for (unsigned i = 0; i < RTE_DIM(shapes); i++) {
		frame_build(&frame, &shapes[i], false);
		CHECK_EQ(send_frame(&none, frame.bytes).ol_flags, 0);
	}
	down();
}

static void
compliant_checksum(void)
{
	up(all_offloads, RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
	for (unsigned i = 0; i < RTE_DIM(shapes); i++) {
		struct guest_net_hdr hdr;

		frame_build(&frame, &shapes[i], true);
		hdr = csum_hdr();
		CHECK_EQ(send_frame(&hdr, frame.bytes).ol_flags, RTE_MBUF_F_RX_L4_CKSUM_NONE);
	}
	down();
}

static void
compliant_gso(void)
{
	struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 9000};
	struct guest_net_hdr hdr;
	struct metadata seen;

	up(all_offloads, RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		s.ipv6 = v6 != 0;
		s.l4_proto = IPPROTO_TCP;
		frame_build(&frame, &s, true);
		hdr = gso_hdr(v6 ? GUEST_NET_GSO_TCPV6 : GUEST_NET_GSO_TCPV4, 1400);
		seen = send_frame(&hdr, frame.bytes);
		CHECK_EQ(seen.ol_flags, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE);
		CHECK_EQ(seen.tso_segsz, 1400);
		s.l4_proto = IPPROTO_UDP;
		frame_build(&frame, &s, true);
		hdr = gso_hdr(GUEST_NET_GSO_UDP, 1472);
		seen = send_frame(&hdr, frame.bytes);
		CHECK_EQ(seen.ol_flags, RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE);
		CHECK_EQ(seen.tso_segsz, 1472);
	}
	/* Without a segment size there is nothing to say about segments. */
	s.l4_proto = IPPROTO_TCP;
	frame_build(&frame, &s, true);
	hdr = gso_hdr(GUEST_NET_GSO_TCPV6, 0);
	CHECK_EQ(send_frame(&hdr, frame.bytes).ol_flags, RTE_MBUF_F_RX_L4_CKSUM_NONE);
	down();
}

/* A checksum the receive flags cannot express is computed in software. */
static void
compliant_unknown_protocol_in_software(void)
{
	const struct frame_spec s = {.l4_proto = 47 /* GRE-like: no L4 known here */,
				     .payload_bytes = 200};
	static uint8_t content[65550];
	struct guest_net_hdr hdr;

	up(all_offloads, RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
	frame_build(&frame, &s, true);
	frame.bytes[23] = 132 + 40; /* an unassigned protocol number */
	hdr = csum_hdr();
	hdr.csum_offset = 2;
	memcpy(content, frame.bytes, frame.len_bytes);
	frame_finish_checksum(content, frame.len_bytes, hdr.csum_start, hdr.csum_offset);
	CHECK_EQ(send_frame(&hdr, content).ol_flags, 0);
	down();
}

/* csum_start or offset beyond the packet: nothing is computed, nothing touched. */
static void
compliant_checksum_outside_packet(void)
{
	const struct frame_spec s = {.l4_proto = 172, .payload_bytes = 200};
	struct guest_net_hdr hdr;

	up(all_offloads, RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
	frame_build(&frame, &s, true);
	hdr = csum_hdr();
	hdr.csum_start = (uint16_t)frame.len_bytes;
	send_frame(&hdr, frame.bytes);
	hdr.csum_start = 65535;
	send_frame(&hdr, frame.bytes);
	hdr = csum_hdr();
	hdr.csum_offset = 65535; /* the stock library adds these in 16 bits and writes elsewhere */
	if (!is_stock)
		send_frame(&hdr, frame.bytes);
	hdr.csum_offset = (uint16_t)(65535 - hdr.csum_start);
	send_frame(&hdr, frame.bytes);
	down();
}

/* RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS: packet type as the driver of a NIC would set it. */
static void
compliant_packet_type(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 10};
	struct guest_net_hdr hdr;
	struct rte_mbuf *m;

	up(all_offloads, RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
	frame_build(&frame, &s, true);
	hdr = csum_hdr();
	CHECK(guest_tx_send(&tx, &hdr, frame.bytes, frame.len_bytes) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, &m, 1), 1);
	CHECK_EQ(m->packet_type & RTE_PTYPE_L4_MASK, RTE_PTYPE_L4_TCP);
	CHECK(RTE_ETH_IS_IPV4_HDR(m->packet_type));
	rte_pktmbuf_free(m);
	down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(legacy_nothing_asked),
		FLOW_TEST(legacy_checksum),
		FLOW_TEST(legacy_tso),
		FLOW_TEST(legacy_ufo),
		FLOW_TEST(legacy_odd_checksums),
		FLOW_TEST(legacy_bad_gso),
		FLOW_TEST(legacy_truncated_headers),
		FLOW_TEST(not_negotiated_is_ignored),
		FLOW_TEST(compliant_nothing_asked),
		FLOW_TEST(compliant_checksum),
		FLOW_TEST(compliant_gso),
		FLOW_TEST(compliant_unknown_protocol_in_software),
		FLOW_TEST(compliant_checksum_outside_packet),
		FLOW_TEST(compliant_packet_type),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
