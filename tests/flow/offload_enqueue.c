/* SPDX-License-Identifier: BSD-3-Clause */
/* Host to guest offloads: what mbuf transmit metadata turns into in the virtio_net_hdr and packet. */
#include <netinet/in.h>
#include <unistd.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define ROOM_BYTES 2048

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_rx rx;
static struct frame frame;
static uint8_t got[70000];

static const uint64_t all_offloads = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_GUEST_CSUM |
				     FE_F_GUEST_TSO4 | FE_F_GUEST_TSO6 | FE_F_GUEST_ECN |
				     FE_F_GUEST_UFO;

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(256, ROOM_BYTES);
}

static void
up(uint64_t features)
{
	const struct fe_config config = {.features = features};

	flow_up(&flow, 0, &config);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], guest_net_hdr_bytes(flow.fe.features),
			       (flow.fe.features & FE_F_MRG_RXBUF) != 0, 64, 4096), 0);
}

static void
down(void)
{
	CHECK(guest_rx_guards_intact(&rx));
	CHECK(flow_pool_full(pool));
	guest_rx_fini(&rx);
	flow_down(&flow);
}

/* The frame with this metadata, enqueued and received: header and bytes the guest sees. */
static struct guest_net_hdr
give(uint64_t ol_flags, uint16_t segsz, uint32_t seg_bytes)
{
	struct rte_mbuf *m = packet_make(pool, frame.bytes, frame.len_bytes, seg_bytes);
	struct guest_net_hdr hdr;

	m->ol_flags = ol_flags;
	m->l2_len = frame.l2_bytes;
	m->l3_len = frame.l3_bytes;
	m->l4_len = frame.l4_bytes;
	m->tso_segsz = segsz;
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 1);
	rte_pktmbuf_free(m);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), frame.len_bytes);
	return hdr;
}

static void
check_hdr(const struct guest_net_hdr *hdr, uint8_t flags, uint8_t gso_type, uint16_t gso_size,
	  uint16_t hdr_len)
{
	bool csum = (flags & GUEST_NET_NEEDS_CSUM) != 0;

	CHECK_EQ(hdr->flags, flags);
	CHECK_EQ(hdr->csum_start, csum ? frame.l2_bytes + frame.l3_bytes : 0);
	CHECK_EQ(hdr->csum_offset, csum ? frame.csum_offset : 0);
	CHECK_EQ(hdr->gso_type, gso_type);
	CHECK_EQ(hdr->gso_size, gso_size);
	CHECK_EQ(hdr->hdr_len, hdr_len);
}

static uint16_t
get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Finishing the checksum the way a guest does must give a right one. */
static void
check_partial_sum(const struct guest_net_hdr *hdr)
{
	uint16_t sum = (uint16_t)~frame_sum(got + hdr->csum_start,
					    frame.len_bytes - hdr->csum_start);

	got[hdr->csum_start + hdr->csum_offset] = (uint8_t)(sum >> 8);
	got[hdr->csum_start + hdr->csum_offset + 1] = (uint8_t)sum;
	CHECK(frame_l4_checksum_right(&frame, got));
}

static void
nothing_asked(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 100};
	struct guest_net_hdr hdr;

	up(all_offloads);
	frame_build(&frame, &s, false);
	hdr = give(0, 0, 0);
	check_hdr(&hdr, 0, 0, 0, 0);
	CHECK_EQ(hdr.num_buffers, 1);
	CHECK(memcmp(got, frame.bytes, frame.len_bytes) == 0);
	hdr = give(RTE_MBUF_F_TX_IPV4, 0, 0);
	check_hdr(&hdr, 0, 0, 0, 0);
	down();
}

/* The header of an earlier packet in the same buffer must not shine through. */
static void
header_is_always_written(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 3000};
	struct guest_net_hdr hdr;

	up(all_offloads);
	frame_build(&frame, &s, true);
	for (int i = 0; i < 200; i++) {
		hdr = give(RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4,
			   1400, 0);
		check_hdr(&hdr, GUEST_NET_NEEDS_CSUM, GUEST_NET_GSO_TCPV4, 1400, 54);
		hdr = give(0, 0, 0);
		check_hdr(&hdr, 0, 0, 0, 0);
	}
	down();
}

static void
check_csum(const struct frame_spec *s, uint64_t l4_flag, bool pseudo_present)
{
	uint64_t l3_flag = s->ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	struct guest_net_hdr hdr;

	frame_build(&frame, s, true);
	/* Whatever is in the field, the library puts the pseudo-header sum there. */
	if (!pseudo_present) {
		frame.bytes[frame.l2_bytes + frame.l3_bytes + frame.csum_offset] = 0xde;
		frame.bytes[frame.l2_bytes + frame.l3_bytes + frame.csum_offset + 1] = 0xad;
	}
	hdr = give(l4_flag | l3_flag, 0, 0);
	check_hdr(&hdr, GUEST_NET_NEEDS_CSUM, 0, 0, 0);
	if (s->l4_proto != IPPROTO_SCTP)
		check_partial_sum(&hdr);
}

static void
checksum(void)
{
	static const struct {
		struct frame_spec spec;
		uint64_t flag;
	} cases[] = {
		{{.l4_proto = IPPROTO_TCP, .payload_bytes = 100}, RTE_MBUF_F_TX_TCP_CKSUM},
		{{.l4_proto = IPPROTO_TCP, .payload_bytes = 101, .ipv6 = true},
		 RTE_MBUF_F_TX_TCP_CKSUM},
		{{.l4_proto = IPPROTO_TCP, .payload_bytes = 101, .vlan = true},
		 RTE_MBUF_F_TX_TCP_CKSUM},
		{{.l4_proto = IPPROTO_TCP, .payload_bytes = 9, .ip_options_bytes = 40},
		 RTE_MBUF_F_TX_TCP_CKSUM},
		{{.l4_proto = IPPROTO_UDP, .payload_bytes = 100}, RTE_MBUF_F_TX_UDP_CKSUM},
		{{.l4_proto = IPPROTO_UDP, .payload_bytes = 33, .ipv6 = true},
		 RTE_MBUF_F_TX_UDP_CKSUM},
		{{.l4_proto = IPPROTO_SCTP, .payload_bytes = 64}, RTE_MBUF_F_TX_SCTP_CKSUM},
	};

	up(all_offloads);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		check_csum(&cases[i].spec, cases[i].flag, true);
		check_csum(&cases[i].spec, cases[i].flag, false);
	}
	down();
}

static void
ip_checksum_in_software(void)
{
	const struct frame_spec s = {
		.l4_proto = IPPROTO_TCP, .payload_bytes = 100, .ip_options_bytes = 8,
	};
	struct guest_net_hdr hdr;
	uint16_t right;

	up(all_offloads);
	frame_build(&frame, &s, false);
	right = get16(frame.bytes + 14 + 10);
	frame.bytes[14 + 10] = 0xbe;
	frame.bytes[14 + 11] = 0xef;
	hdr = give(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM, 0, 0);
	check_hdr(&hdr, 0, 0, 0, 0);
	CHECK_EQ(get16(got + 14 + 10), right);
	down();
}

static void
tso(void)
{
	struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 20000};
	struct guest_net_hdr hdr;

	up(all_offloads);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		s.ipv6 = v6 != 0;
		s.tcp_options_bytes = 12;
		frame_build(&frame, &s, true);
		hdr = give((v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4) |
				   RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM,
			   1400, 0);
		check_hdr(&hdr, GUEST_NET_NEEDS_CSUM,
			  v6 ? GUEST_NET_GSO_TCPV6 : GUEST_NET_GSO_TCPV4, 1400,
			  (uint16_t)(frame.l2_bytes + frame.l3_bytes + frame.l4_bytes));
		/* TCP_SEG implies the checksum even without its own flag. */
		hdr = give((v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4) |
				   RTE_MBUF_F_TX_TCP_SEG,
			   1400, 1000);
		check_hdr(&hdr, GUEST_NET_NEEDS_CSUM,
			  v6 ? GUEST_NET_GSO_TCPV6 : GUEST_NET_GSO_TCPV4, 1400,
			  (uint16_t)(frame.l2_bytes + frame.l3_bytes + frame.l4_bytes));
	}
	down();
}

static void
ufo(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_UDP, .payload_bytes = 5000};
	struct guest_net_hdr hdr;

	up(all_offloads);
	frame_build(&frame, &s, true);
	hdr = give(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_UDP_CKSUM, 1472, 0);
	check_hdr(&hdr, GUEST_NET_NEEDS_CSUM, GUEST_NET_GSO_UDP, 1472, 14 + 20 + 8);
	down();
}

/* Checksum and segmentation requests over chained mbufs and several guest buffers. */
static void
offloads_over_segments(void)
{
	static const uint32_t segs[] = {54, 100, 700, 2000};
	struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 9000};
	struct guest_net_hdr hdr;

	up(all_offloads);
	for (unsigned i = 0; i < RTE_DIM(segs); i++) {
		frame_build(&frame, &s, true);
		hdr = give(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM, 0, segs[i]);
		check_hdr(&hdr, GUEST_NET_NEEDS_CSUM, 0, 0, 0);
		CHECK_EQ(hdr.num_buffers, 3);
		check_partial_sum(&hdr);
	}
	down();
}

/* Receive flags of a NIC port are no requests; a checksum that it found good is passed on. */
static void
receive_flags(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 100};
	struct guest_net_hdr hdr;

	up(all_offloads);
	frame_build(&frame, &s, false);
	hdr = give(RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD |
			   RTE_MBUF_F_RX_RSS_HASH,
		   0, 0);
	/* Difference: the stock library passes nothing on. */
	check_hdr(&hdr, is_stock ? 0 : GUEST_NET_DATA_VALID, 0, 0, 0);
	CHECK(memcmp(got, frame.bytes, frame.len_bytes) == 0);
	hdr = give(RTE_MBUF_F_RX_L4_CKSUM_NONE, 0, 0);
	check_hdr(&hdr, 0, 0, 0, 0);
	hdr = give(RTE_MBUF_F_RX_L4_CKSUM_BAD, 0, 0);
	check_hdr(&hdr, 0, 0, 0, 0);
	/* The other lane: in several segments. */
	hdr = give(RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0, 60);
	check_hdr(&hdr, is_stock ? 0 : GUEST_NET_DATA_VALID, 0, 0, 0);
	down();
	/* Nobody who does not take partial checksums is told. */
	up(FE_F_VERSION_1 | FE_F_MRG_RXBUF);
	hdr = give(RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0, 0);
	check_hdr(&hdr, 0, 0, 0, 0);
	down();
}

static void
legacy_header(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 2000};
	struct guest_net_hdr hdr;

	up(FE_F_GUEST_CSUM | FE_F_GUEST_TSO4);
	CHECK_EQ(rx.hdr_bytes, 10);
	frame_build(&frame, &s, true);
	hdr = give(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM, 1400, 0);
	check_hdr(&hdr, GUEST_NET_NEEDS_CSUM, GUEST_NET_GSO_TCPV4, 1400, 54);
	down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(nothing_asked),
		FLOW_TEST(header_is_always_written),
		FLOW_TEST(checksum),
		FLOW_TEST(ip_checksum_in_software),
		FLOW_TEST(tso),
		FLOW_TEST(ufo),
		FLOW_TEST(offloads_over_segments),
		FLOW_TEST(receive_flags),
		SPLIT_TEST(legacy_header),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
