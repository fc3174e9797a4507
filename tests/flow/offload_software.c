/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host to guest, what the guest did not agree to: the library does it in software. Whatever comes
 * out, the guest has to find packets that it understands, with the bytes and right checksums.
 */
#include <netinet/in.h>

#include <rte_malloc.h>
#include <rte_mbuf_dyn.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define CSUM FE_F_GUEST_CSUM
#define IPV4 RTE_MBUF_F_TX_IPV4
#define IPV6 RTE_MBUF_F_TX_IPV6
#define TSO RTE_MBUF_F_TX_TCP_SEG
#define USEG RTE_MBUF_F_TX_UDP_SEG

#define TCP_FLAGS 13
#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

#define PACKETS_MAX 256

struct received {
	struct guest_net_hdr hdr;
	uint32_t len_bytes;
	uint8_t bytes[10000];
};

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_rx rx;
static struct frame frame;
static struct received got[PACKETS_MAX];
static uint64_t uso; /* the mbuf flag */

static void
setup(void)
{
	flow_enabled_features = 0;
	if (pool == NULL || !flow_pool_full(pool))
		pool = flow_pool(2048, 2048);
}

static void
up_with(uint64_t features, uint16_t ring_size, uint32_t buffer_bytes)
{
	const struct fe_config config = {.features = features | FE_F_VERSION_1,
					 .ring_size = ring_size};

	flow_up(&flow, RTE_VHOST_USER_NET_STATS_ENABLE, &config);
	CHECK_EQ(flow.fe.features & features, features);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], guest_net_hdr_bytes(flow.fe.features),
			       (features & FE_F_MRG_RXBUF) != 0, ring_size, buffer_bytes), 0);
}

static void
up(uint64_t features)
{
	up_with(features, 256, 2048);
}

static void
down(void)
{
	CHECK(guest_rx_guards_intact(&rx));
	CHECK(flow_pool_full(pool));
	guest_rx_fini(&rx);
	flow_down(&flow);
}

static uint64_t
counter(const char *name)
{
	struct rte_vhost_stat_name names[64];
	struct rte_vhost_stat stats[64];
	int n = rte_vhost_vring_stats_get_names(flow.vid, 0, names, 64);

	CHECK_EQ(rte_vhost_vring_stats_get(flow.vid, 0, stats, 64), n);
	for (int i = 0; i < n; i++)
		if (strcmp(names[i].name + strlen("tx_q0_"), name) == 0)
			return stats[i].value;
	tap_fail(__FILE__, __LINE__, "no counter %s", name);
}

/* The frame with a request. */
static struct rte_mbuf *
make(uint64_t ol_flags, uint16_t segsz, uint32_t seg_bytes)
{
	struct rte_mbuf *m = packet_make(pool, frame.bytes, frame.len_bytes, seg_bytes);

	m->ol_flags |= ol_flags; /* pinned buffers say so there */
	m->l2_len = frame.l2_bytes;
	m->l3_len = frame.l3_bytes;
	m->l4_len = frame.l4_bytes;
	m->tso_segsz = segsz;
	return m;
}

/* What the guest finds; how many. */
static unsigned
collect(void)
{
	unsigned n = 0;
	int len;

	while ((len = guest_rx_recv(&rx, &got[n].hdr, got[n].bytes, sizeof(got[n].bytes), NULL)) !=
	       -EAGAIN) {
		CHECK(len > 0 && n < PACKETS_MAX - 1);
		got[n++].len_bytes = (uint32_t)len;
	}
	return n;
}

/* Enqueues, frees, and collects. */
static unsigned
give(struct rte_mbuf *m)
{
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 1);
	CHECK_EQ(m->pkt_len, frame.len_bytes);
	CHECK(packet_equals(m, frame.bytes, frame.len_bytes));
	rte_pktmbuf_free(m);
	return collect();
}

static uint16_t
get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t
get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static bool
is_ipv6(const struct frame *f)
{
	return f->bytes[f->l2_bytes] >> 4 == 6;
}

/* Lengths and checksums of a packet as received, complete or completed as the header asks. */
static void
check_packet(struct received *r, const struct frame *like)
{
	static struct frame f;
	const uint8_t *ip;
	uint32_t l3_bytes;

	f = *like;
	f.len_bytes = r->len_bytes;
	if (r->hdr.flags & GUEST_NET_NEEDS_CSUM) {
		CHECK(flow.fe.features & CSUM);
		CHECK_EQ(r->hdr.csum_start, f.l2_bytes + f.l3_bytes);
		CHECK_EQ(r->hdr.csum_offset, f.csum_offset);
		frame_finish_checksum(r->bytes, r->len_bytes, r->hdr.csum_start,
				      r->hdr.csum_offset);
	}
	memcpy(f.bytes, r->bytes, r->len_bytes);
	ip = f.bytes + f.l2_bytes;
	l3_bytes = f.len_bytes - f.l2_bytes;
	if (is_ipv6(&f)) {
		CHECK_EQ(get16(ip + 4), l3_bytes - 40);
	} else {
		CHECK_EQ(get16(ip + 2), l3_bytes);
		CHECK_EQ(frame_sum(ip, f.l3_bytes), 0xffff);
	}
	CHECK(frame_l4_checksum_right(&f, f.bytes));
}

/* Everything that must be the same in each piece, and what counts up. */
static void
check_pieces(unsigned n, uint32_t mss)
{
	uint32_t headers = frame.l2_bytes + frame.l3_bytes + frame.l4_bytes;
	uint32_t l4 = frame.l2_bytes + frame.l3_bytes, at = headers;
	bool tcp = frame.csum_offset == 16;

	CHECK_EQ(n, RTE_MAX(1u, (frame.len_bytes - headers + mss - 1) / mss));
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *b = got[i].bytes;
		uint32_t payload = got[i].len_bytes - headers;

		CHECK_EQ(got[i].hdr.gso_type, GUEST_NET_GSO_NONE);
		CHECK_EQ(got[i].hdr.num_buffers,
			 (got[i].len_bytes + rx.hdr_bytes - 1) / rx.buffer_bytes + 1);
		CHECK(payload == mss || (i == n - 1 && payload < mss));
		check_packet(&got[i], &frame);
		CHECK(memcmp(b + headers, frame.bytes + at, payload) == 0);
		CHECK(memcmp(b, frame.bytes, frame.l2_bytes) == 0);
		CHECK(memcmp(b + l4, frame.bytes + l4, 4) == 0); /* ports */
		if (!is_ipv6(&frame)) {
			CHECK_EQ(get16(b + frame.l2_bytes + 4),
				 (uint16_t)(get16(frame.bytes + frame.l2_bytes + 4) + i));
		}
		if (tcp) {
			uint8_t flags = frame.bytes[l4 + TCP_FLAGS];

			flags &= (uint8_t)~(i != 0 ? TCP_CWR : 0);
			flags &= (uint8_t)~(i != n - 1 ? TCP_FIN | TCP_PSH : 0);
			CHECK_EQ(get32(b + l4 + 4), get32(frame.bytes + l4 + 4) + i * mss);
			CHECK_EQ(b[l4 + TCP_FLAGS], flags);
		} else {
			CHECK_EQ(get16(b + l4 + 4), payload + 8);
		}
		at += payload;
	}
	CHECK_EQ(at, frame.len_bytes);
}

/* Every kind of frame, cut for every kind of guest that does not take it whole. */
static void
cut_for(uint64_t guest, uint8_t proto, uint64_t flags)
{
	static const uint32_t segs[] = {0, 1000, 61};

	up(guest);
	for (unsigned i = 0; i < 2 * 3 * 2 * 2; i++) {
		const struct frame_spec s = {
			.ipv6 = i & 1,
			.vlan = i & 2,
			.ip_options_bytes = i & 4 && !(i & 1) ? 8 : 0,
			.tcp_options_bytes = i & 4 ? 12 : 0,
			.l4_proto = proto,
			.payload_bytes = i & 8 ? 60000 : 1461,
		};

		frame_build(&frame, &s, true);
		frame.bytes[frame.l2_bytes + frame.l3_bytes + TCP_FLAGS] |=
			proto == IPPROTO_TCP ? TCP_FIN | TCP_CWR : 0;
		check_pieces(give(make((s.ipv6 ? IPV6 : IPV4) | flags, 1460, segs[i % 3])), 1460);
	}
	down();
}

static void
tcp_segments(void)
{
	static const uint64_t guests[] = {
		0, CSUM, FE_F_MRG_RXBUF, FE_F_MRG_RXBUF | CSUM, FE_F_IN_ORDER | FE_F_INDIRECT_DESC,
	};

	for (unsigned i = 0; i < RTE_DIM(guests); i++)
		cut_for(guests[i], IPPROTO_TCP, TSO);
}

/* The other IP's segmentation is not this one's. */
static void
tcp_segments_of_the_other_ip(void)
{
	struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 5000};

	for (unsigned v6 = 0; v6 < 2; v6++) {
		s.ipv6 = v6 != 0;
		up(CSUM | (v6 ? FE_F_GUEST_TSO4 : FE_F_GUEST_TSO6));
		frame_build(&frame, &s, true);
		check_pieces(give(make((v6 ? IPV6 : IPV4) | TSO, 1000, 0)), 1000);
		down();
	}
}

/* CWR stands for one congestion event: whole to who knows of ECN, in the first segment to others. */
static void
congestion_window_reduced(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 5000};

	frame_build(&frame, &s, true);
	frame.bytes[frame.l2_bytes + frame.l3_bytes + TCP_FLAGS] |= TCP_CWR;
	up(CSUM | FE_F_GUEST_TSO4 | FE_F_MRG_RXBUF);
	check_pieces(give(make(IPV4 | TSO, 1000, 0)), 1000);
	down();
	up(CSUM | FE_F_GUEST_TSO4 | FE_F_GUEST_ECN | FE_F_MRG_RXBUF);
	CHECK_EQ(give(make(IPV4 | TSO, 1000, 0)), 1);
	CHECK_EQ(got[0].hdr.gso_type, GUEST_NET_GSO_TCPV4 | GUEST_NET_GSO_ECN);
	down();
}

static void
find_uso(void)
{
	int bit;

	flow_enabled_features = FE_F_HOST_USO | FE_F_GUEST_USO4 | FE_F_GUEST_USO6;
	up(0); /* enables it */
	down();
	bit = rte_mbuf_dynflag_lookup(RTE_VHOST_MBUF_DYNFLAG_USO, NULL);
	CHECK(bit >= 0);
	uso = 1ull << bit;
}

static void
datagrams(void)
{
	struct frame_spec s = {.l4_proto = IPPROTO_UDP, .payload_bytes = 5000};

	find_uso();
	cut_for(0, IPPROTO_UDP, USEG | uso);
	cut_for(CSUM | FE_F_GUEST_UFO, IPPROTO_UDP, USEG | uso);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		s.ipv6 = v6 != 0;
		frame_build(&frame, &s, true);
		up(CSUM | FE_F_MRG_RXBUF | (v6 ? FE_F_GUEST_USO6 : FE_F_GUEST_USO4));
		CHECK_EQ(give(make((v6 ? IPV6 : IPV4) | USEG | uso, 1000, 0)), 1);
		CHECK_EQ(got[0].hdr.gso_type, GUEST_NET_GSO_UDP_L4);
		CHECK_EQ(got[0].hdr.gso_size, 1000);
		CHECK_EQ(got[0].hdr.flags, GUEST_NET_NEEDS_CSUM);
		down();
	}
}

/* Not offered unless asked for: an application that knows nothing of it gets none. */
static void
datagrams_are_on_request(void)
{
	const uint64_t bits = FE_F_HOST_USO | FE_F_GUEST_USO4 | FE_F_GUEST_USO6 | FE_F_HASH_REPORT;

	const char *path = flow_serve(0);
	uint64_t offered;

	CHECK_EQ(rte_vhost_driver_get_features(path, &offered), 0);
	CHECK_EQ(offered & bits, 0);
	CHECK_EQ(rte_vhost_driver_enable_features(path, bits), 0);
	CHECK_EQ(rte_vhost_driver_get_features(path, &offered), 0);
	CHECK_EQ(offered & bits, bits);
	flow_unserve(path);
}

/* From guest to guest: what one sends as datagrams, the other gets as such. */
static void
datagrams_from_the_guest(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_UDP, .payload_bytes = 5000};
	struct guest_net_hdr hdr = {
		.flags = GUEST_NET_NEEDS_CSUM, .gso_type = GUEST_NET_GSO_UDP_L4, .gso_size = 1000,
		.csum_offset = 6,
	};
	struct guest_tx tx;
	struct rte_mbuf *m;

	find_uso();
	frame_build(&frame, &s, true);
	hdr.csum_start = (uint16_t)(frame.l2_bytes + frame.l3_bytes);
	up(FE_F_CSUM | FE_F_HOST_USO);
	guest_tx_init(&tx, &flow.fe.vqs[1], rx.hdr_bytes, 1u << 20);
	CHECK(guest_tx_send(&tx, &hdr, frame.bytes, frame.len_bytes) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, &m, 1), 1);
	CHECK_EQ(m->ol_flags, IPV4 | USEG | uso | RTE_MBUF_F_TX_UDP_CKSUM);
	CHECK_EQ(m->tso_segsz, 1000);
	CHECK_EQ(m->l4_len, 8);
	check_pieces(give(m), 1000);
	down();
}

/* Are these all fragments of the frame's datagram, with its checksum? */
static void
check_fragments(unsigned n)
{
	static struct frame whole;
	uint32_t l4 = frame.l2_bytes + frame.l3_bytes, at = 0;

	whole = frame;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *ip = got[i].bytes + frame.l2_bytes;
		uint32_t bytes = got[i].len_bytes - l4;

		CHECK_EQ(got[i].hdr.flags, 0);
		CHECK_EQ(got[i].hdr.gso_type, 0);
		CHECK_EQ(get16(ip + 2), got[i].len_bytes - frame.l2_bytes);
		CHECK_EQ(frame_sum(ip, frame.l3_bytes), 0xffff);
		CHECK_EQ(get16(ip + 4), get16(frame.bytes + frame.l2_bytes + 4));
		CHECK_EQ(get16(ip + 6), at / 8 | (i < n - 1 ? 0x2000 : 0));
		memcpy(whole.bytes + l4 + at, got[i].bytes + l4, bytes);
		at += bytes;
	}
	CHECK_EQ(at, frame.len_bytes - l4);
	CHECK(frame_l4_checksum_right(&whole, whole.bytes));
	CHECK(memcmp(whole.bytes + l4 + 8, frame.bytes + l4 + 8, at - 8) == 0);
}

/* One datagram in IPv4 fragments, put together again. */
static void
fragments(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_UDP, .payload_bytes = 5003};
	unsigned n;

	for (unsigned pass = 0; pass < 2; pass++) {
		up(pass == 0 ? 0 : CSUM | FE_F_MRG_RXBUF);
		frame_build(&frame, &s, true);
		frame.bytes[34 + 6] ^= 0x5a; /* whatever stands there */
		n = give(make(IPV4 | USEG | RTE_MBUF_F_TX_UDP_CKSUM, 1483, pass ? 1200 : 0));
		CHECK_EQ(n, (5003 + 8 + 1479) / 1480);
		check_fragments(n);
		down();
	}
}

/* Puts what is in `frame` behind an outer header; returns the outer L4 and tunnel bytes. */
static uint32_t
wrap(bool vxlan)
{
	static struct frame inner;
	const uint32_t tunnel = vxlan ? 8 + 8 : 4;
	const uint32_t inner_off = vxlan ? 0 : frame.l2_bytes; /* GRE carries IP */
	uint8_t *ip = frame.bytes + 14;
	uint32_t payload;

	inner = frame;
	payload = inner.len_bytes - inner_off;
	memmove(frame.bytes + 34 + tunnel, inner.bytes + inner_off, payload);
	memset(ip, 0, 20 + tunnel);
	ip[0] = 0x45;
	ip[2] = (uint8_t)((20 + tunnel + payload) >> 8);
	ip[3] = (uint8_t)(20 + tunnel + payload);
	ip[5] = 77; /* id */
	ip[8] = 64;
	ip[9] = vxlan ? IPPROTO_UDP : IPPROTO_GRE;
	ip[12] = 192, ip[15] = 1, ip[16] = 192, ip[19] = 2;
	if (vxlan) {
		ip[22] = 4789 >> 8, ip[23] = 4789 & 0xff;
		ip[24] = (uint8_t)((tunnel + payload) >> 8), ip[25] = (uint8_t)(tunnel + payload);
		ip[26] = 0x12; /* a checksum that is about to be wrong */
		ip[28] = 0x08;
	} else {
		ip[22] = 0x08; /* IPv4 inside */
	}
	frame.bytes[12] = 0x08, frame.bytes[13] = 0;
	frame.len_bytes = 34 + tunnel + payload;
	return tunnel;
}

static void
tunnel(bool vxlan, uint64_t guest)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 6000};
	uint32_t tunnel_bytes, inner_l2 = vxlan ? 14 : 0, behind, at = 0;
	static struct frame inner;
	struct rte_mbuf *m;
	unsigned n;

	up(guest);
	frame_build(&frame, &s, true);
	frame.bytes[34 + TCP_FLAGS] |= TCP_CWR;
	inner = frame;
	if (!vxlan) { /* without Ethernet */
		inner.l2_bytes = 0;
		inner.len_bytes -= 14;
		memmove(inner.bytes, inner.bytes + 14, inner.len_bytes);
	}
	tunnel_bytes = wrap(vxlan);
	behind = 34 + tunnel_bytes; /* where the inner packet starts */
	m = make(IPV4 | TSO | RTE_MBUF_F_TX_OUTER_IPV4 |
			 (vxlan ? RTE_MBUF_F_TX_TUNNEL_VXLAN : RTE_MBUF_F_TX_TUNNEL_GRE),
		 1000, 0);
	m->outer_l2_len = 14;
	m->outer_l3_len = 20;
	m->l2_len = (tunnel_bytes + inner_l2) & 0x7f;
	m->l3_len = 20;
	m->l4_len = 20;
	n = give(m);
	CHECK_EQ(n, 6);
	for (unsigned i = 0; i < n; i++) {
		static struct received r;
		const uint8_t *ip = got[i].bytes + 14, *tcp = got[i].bytes + behind + inner_l2 + 20;

		CHECK_EQ(get16(ip + 2), got[i].len_bytes - 14);
		CHECK_EQ(get16(ip + 4), 77 + i);
		CHECK_EQ(frame_sum(ip, 20), 0xffff);
		if (vxlan) {
			CHECK_EQ(get16(ip + 24), got[i].len_bytes - 34);
			CHECK_EQ(get16(ip + 26), 0);
			CHECK(memcmp(ip + 28, frame.bytes + 42, 8) == 0);
		}
		/* The inner packet, as if it had come alone. */
		r.hdr = got[i].hdr;
		r.len_bytes = got[i].len_bytes - behind;
		memcpy(r.bytes, got[i].bytes + behind, r.len_bytes);
		if (r.hdr.flags & GUEST_NET_NEEDS_CSUM)
			r.hdr.csum_start = (uint16_t)(r.hdr.csum_start - behind);
		check_packet(&r, &inner);
		CHECK_EQ(get32(tcp + 4), get32(inner.bytes + inner_l2 + 20 + 4) + i * 1000);
		CHECK_EQ(tcp[TCP_FLAGS] & TCP_CWR, i == 0 ? TCP_CWR : 0);
		CHECK(memcmp(tcp + 20, inner.bytes + inner_l2 + 40 + at, 1000) == 0);
		at += 1000;
	}
	down();
}

static void
tunnelled_tcp_segments(void)
{
	for (unsigned i = 0; i < 4; i++)
		tunnel((i & 1) != 0, i & 2 ? CSUM | FE_F_GUEST_TSO4 : 0);
}

/* Outer checksums on their own, around anything. */
static void
outer_checksums(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_ICMP, .payload_bytes = 100};
	struct rte_mbuf *m;

	up(0);
	frame_build(&frame, &s, false);
	wrap(true);
	m = make(RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_OUTER_IP_CKSUM |
			 RTE_MBUF_F_TX_OUTER_UDP_CKSUM | RTE_MBUF_F_TX_TUNNEL_VXLAN,
		 0, 0);
	m->outer_l2_len = 14;
	m->outer_l3_len = 20;
	m->l2_len = m->l3_len = m->l4_len = 0;
	CHECK_EQ(give(m), 1);
	CHECK_EQ(frame_sum(got[0].bytes + 14, 20), 0xffff);
	CHECK_EQ(get16(got[0].bytes + 40), 0);
	CHECK(memcmp(got[0].bytes + 42, frame.bytes + 42, frame.len_bytes - 42) == 0);
	down();
}

/* The CRC of SCTP: a packet of a known one (RFC 3720, B.4, has 32 bytes of zeros). */
static void
sctp_crc(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_SCTP, .payload_bytes = 20};

	up(0);
	for (unsigned pass = 0; pass < 2; pass++) {
		frame_build(&frame, &s, true);
		memset(frame.bytes + 34, 0, 32);
		memset(frame.bytes + 34 + 8, 0xee, 4);
		if (pass == 1) { /* padding is not part of it */
			memset(frame.bytes + frame.len_bytes, 0x77, 6);
			frame.len_bytes += 6;
		}
		CHECK_EQ(give(make(IPV4 | RTE_MBUF_F_TX_SCTP_CKSUM, 0, pass ? 40 : 0)), 1);
		CHECK_EQ(got[0].hdr.flags, 0);
		CHECK_EQ(get32(got[0].bytes + 34 + 8), 0xaa36918a);
	}
	down();
}

static void
check_tagged(const struct received *r, const struct frame *f, unsigned tags)
{
	CHECK_EQ(r->len_bytes, f->len_bytes + 4 * tags);
	CHECK(memcmp(r->bytes, f->bytes, 12) == 0);
	if (tags == 2) {
		CHECK_EQ(get32(r->bytes + 12), 0x88a80065);
	}
	CHECK_EQ(get32(r->bytes + 8 + 4 * tags), 0x8100202a);
	CHECK(memcmp(r->bytes + 12 + 4 * tags, f->bytes + 12, f->len_bytes - 12) == 0);
}

static void
vlan_tags(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 1300};
	struct rte_mbuf *m;

	up(CSUM | FE_F_GUEST_TSO4 | FE_F_MRG_RXBUF);
	frame_build(&frame, &s, false);
	for (unsigned tags = 1; tags <= 2; tags++) {
		for (uint32_t seg_bytes = 0; seg_bytes <= 100; seg_bytes += 50) {
			m = make(tags == 1 ? RTE_MBUF_F_TX_VLAN :
					     RTE_MBUF_F_TX_QINQ | RTE_MBUF_F_TX_VLAN,
				 0, seg_bytes);
			m->vlan_tci = 0x202a;
			m->vlan_tci_outer = 0x65;
			CHECK_EQ(give(m), 1);
			CHECK_EQ(got[0].hdr.flags, 0);
			check_tagged(&got[0], &frame, tags);
		}
	}
	/* Other requests move with the headers. */
	m = make(IPV4 | TSO | RTE_MBUF_F_TX_VLAN, 1000, 0);
	m->vlan_tci = 0x202a;
	CHECK_EQ(give(m), 1);
	CHECK_EQ(got[0].hdr.gso_type, GUEST_NET_GSO_TCPV4);
	CHECK_EQ(got[0].hdr.csum_start, 14 + 4 + 20);
	CHECK_EQ(got[0].hdr.hdr_len, 14 + 4 + 20 + 20);
	down();
	/* And are done here where they have to be. */
	up(0);
	m = make(IPV4 | TSO | RTE_MBUF_F_TX_VLAN, 1000, 0);
	m->vlan_tci = 0x202a;
	CHECK_EQ(give(m), 2);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(get32(got[i].bytes + 12), 0x8100202a);
	memmove(frame.bytes + 16, frame.bytes + 12, frame.len_bytes - 12);
	memcpy(frame.bytes + 12, got[0].bytes + 12, 4);
	frame.l2_bytes += 4;
	frame.len_bytes += 4;
	check_pieces(2, 1000);
	down();
}

static void
hash_report(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 2600};
	static const struct {
		uint32_t ptype;
		uint16_t type;
	} cases[] = {
		{RTE_PTYPE_L3_IPV4, 1},
		{RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP, 2},
		{RTE_PTYPE_L3_IPV4_EXT | RTE_PTYPE_L4_UDP, 3},
		{RTE_PTYPE_L3_IPV6, 4},
		{RTE_PTYPE_L3_IPV6 | RTE_PTYPE_L4_TCP, 5},
		{RTE_PTYPE_L3_IPV6_EXT_UNKNOWN | RTE_PTYPE_L4_UDP, 6},
		{RTE_PTYPE_L2_ETHER_ARP, 0},
		{0, 0},
	};
	struct guest_tx tx;
	struct rte_mbuf *m;

	flow_enabled_features = FE_F_HASH_REPORT;
	for (unsigned mergeable = 0; mergeable < 2; mergeable++) {
		up_with(FE_F_HASH_REPORT | CSUM | (mergeable ? FE_F_MRG_RXBUF : 0), 256,
			mergeable ? 1000 : 4000);
		CHECK_EQ(rx.hdr_bytes, GUEST_NET_HASH_HDR_BYTES);
		frame_build(&frame, &s, false);
		for (unsigned i = 0; i < RTE_DIM(cases) * 3; i++) {
			m = make(i % 3 == 1 ? IPV4 | RTE_MBUF_F_TX_TCP_CKSUM : 0, 0,
				 i % 3 == 2 ? 500 : 0);
			m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
			m->packet_type = cases[i / 3].ptype;
			m->hash.rss = 0xabcd0000 + i;
			CHECK_EQ(give(m), 1);
			CHECK_EQ(got[0].hdr.hash_report, cases[i / 3].type);
			CHECK_EQ(got[0].hdr.hash_value,
				 cases[i / 3].type != 0 ? 0xabcd0000 + i : 0);
			CHECK_EQ(got[0].hdr.padding, 0);
			CHECK_EQ(got[0].hdr.num_buffers, mergeable ? 3 : 1);
			CHECK_EQ(got[0].hdr.flags, i % 3 == 1 ? GUEST_NET_NEEDS_CSUM : 0);
		}
		/* No hash known: none told. */
		m = make(0, 0, 0);
		m->packet_type = RTE_PTYPE_L3_IPV4;
		m->hash.rss = 1;
		CHECK_EQ(give(m), 1);
		CHECK_EQ(got[0].hdr.hash_report, 0);
		CHECK_EQ(got[0].hdr.hash_value, 0);
		/* What the guest sends has the long header, too. */
		guest_tx_init(&tx, &flow.fe.vqs[1], rx.hdr_bytes, 1u << 20);
		CHECK(guest_tx_send(&tx, NULL, frame.bytes, 1000) >= 0);
		CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, &m, 1), 1);
		CHECK(packet_equals(m, frame.bytes, 1000));
		rte_pktmbuf_free(m);
		down();
	}
}

/* There are buffers for some segments: these come, the rest is counted. None: the packet waits. */
static void
not_enough_room(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 10000};
	struct rte_mbuf *m;

	up(0);
	frame_build(&frame, &s, true);
	m = make(IPV4 | TSO, 1000, 0);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 0);
	CHECK_EQ(guest_rx_fill(&rx, 7), 7);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 1);
	CHECK_EQ(collect(), 7);
	CHECK_EQ(counter("good_packets"), 7);
	CHECK_EQ(counter("dropped_segments"), 3);
	rte_pktmbuf_free(m);
	down();
}

/* More segments than the ring has places: as many as fit, the rest counted. */
static void
more_than_the_ring(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 40000};

	up_with(0, 32, 2048);
	frame_build(&frame, &s, true);
	CHECK_EQ(give(make(IPV4 | TSO, 1000, 0)), 32);
	CHECK_EQ(counter("dropped_segments"), 8);
	down();
}

/* Buffers too small for a segment: the caller decides, as for any packet. */
static void
buffers_too_small(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 4000};
	struct rte_mbuf *m;

	up_with(0, 64, 1000);
	frame_build(&frame, &s, true);
	m = make(IPV4 | TSO, 1000, 0);
	guest_rx_fill(&rx, UINT32_MAX);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 0);
	CHECK_EQ(counter("good_packets"), 0);
	rte_pktmbuf_free(m);
	down();
}

/* What nobody can do, and what makes no sense: dropped and counted. */
static void
refused(void)
{
	struct frame_spec s = {.l4_proto = IPPROTO_UDP, .payload_bytes = 5000, .ipv6 = true};
	struct rte_mbuf *m;
	unsigned dropped = 0;

	up(CSUM);
	/* Fragments of IPv6. */
	frame_build(&frame, &s, true);
	CHECK_EQ(give(make(IPV6 | USEG, 1000, 0)), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	/* A tunnel that is not known. */
	s = (struct frame_spec) {.l4_proto = IPPROTO_TCP, .payload_bytes = 5000};
	frame_build(&frame, &s, true);
	CHECK_EQ(give(make(IPV4 | TSO | RTE_MBUF_F_TX_TUNNEL_GENEVE, 1000, 0)), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	/* Segments of nothing, headers that are none, headers without a packet, too many segments. */
	CHECK_EQ(give(make(IPV4 | TSO, 0, 0)), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	for (unsigned i = 0; i < 3; i++) {
		m = make(IPV4 | TSO, 1000, 0);
		if (i == 0)
			m->l4_len = 19;
		else if (i == 1)
			m->l3_len = 19;
		else
			m->l3_len = 400;
		CHECK_EQ(give(m), 0);
		CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	}
	CHECK_EQ(give(make(IPV4 | TSO, 39, 0)), 0); /* 129 of them */
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	CHECK_EQ(give(make(IPV4 | TSO, 40, 0)), 125);
	CHECK_EQ(counter("good_packets"), 125);
	down();
}

/* No mbufs for it: dropped, counted, and nothing leaks (down() looks). */
static void
empty_pool(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 20000};
	static struct rte_mbuf *all[2048];
	struct rte_mbuf *m;
	unsigned n = 0;

	up(0);
	frame_build(&frame, &s, true);
	m = make(IPV4 | TSO, 1000, 0);
	while (n < RTE_DIM(all) && (all[n] = rte_pktmbuf_alloc(pool)) != NULL)
		n++;
	for (unsigned left = 0; left < 25; left++) {
		CHECK_EQ(give(m), left < 20 ? 0 : 20);
		CHECK_EQ(counter("mbuf_alloc_failed"), RTE_MIN(left + 1, 20u));
		m = make(IPV4 | TSO, 1000, 0);
		if (m == NULL)
			break;
		rte_pktmbuf_free(all[--n]);
	}
	rte_pktmbuf_free(m);
	rte_pktmbuf_free_bulk(all, n);
	down();
}

/* The hash of a packet is that of its segments: none has what an mbuf held before. */
static void
hash_of_segments(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 3000};
	struct rte_mbuf *m, *dirty[64];

	flow_enabled_features = FE_F_HASH_REPORT;
	up(FE_F_HASH_REPORT);
	for (unsigned in_tunnel = 0; in_tunnel < 2; in_tunnel++) {
		CHECK_EQ(rte_pktmbuf_alloc_bulk(pool, dirty, 64), 0);
		for (unsigned i = 0; i < 64; i++)
			dirty[i]->hash.rss = 0xdeadbeef;
		rte_pktmbuf_free_bulk(dirty, 64);
		frame_build(&frame, &s, true);
		if (in_tunnel) {
			wrap(true);
			m = make(IPV4 | TSO | RTE_MBUF_F_TX_OUTER_IPV4 |
					 RTE_MBUF_F_TX_TUNNEL_VXLAN, 1000, 0);
			m->outer_l2_len = 14;
			m->outer_l3_len = 20;
			m->l2_len = 16 + 14;
		} else {
			m = make(IPV4 | TSO, 1000, 0);
		}
		m->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
		m->packet_type = RTE_PTYPE_L3_IPV4 |
				 (in_tunnel ? RTE_PTYPE_L4_UDP : RTE_PTYPE_L4_TCP);
		m->hash.rss = 0x12345678;
		CHECK_EQ(give(m), 3);
		for (unsigned i = 0; i < 3; i++) {
			CHECK_EQ(got[i].hdr.hash_value, 0x12345678);
			CHECK_EQ(got[i].hdr.hash_report, in_tunnel ? 3 : 2);
		}
	}
	down();
}

static void
is_still_pinned(struct rte_mempool *mp, void *arg, void *obj, unsigned i)
{
	(void)mp, (void)i;
	if (!RTE_MBUF_HAS_EXTBUF((struct rte_mbuf *)obj))
		++*(unsigned *)arg;
}

/* Mbufs whose buffers are pinned stay that way: who takes one for a usual one corrupts memory. */
static void
pinned_buffers(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 5000};
	const struct frame_spec udp = {.l4_proto = IPPROTO_UDP, .payload_bytes = 5000};
	const struct frame_spec small = {.l4_proto = IPPROTO_TCP, .payload_bytes = 500};
	const uint16_t room = 2048 + RTE_PKTMBUF_HEADROOM;
	struct rte_pktmbuf_extmem ext = {.elt_size = room, .buf_len = 512u * room};
	struct rte_mempool *usual = pool;
	unsigned lost = 0;
	struct rte_mbuf *m;

	ext.buf_ptr = rte_zmalloc(NULL, ext.buf_len, 4096);
	ext.buf_iova = rte_mem_virt2iova(ext.buf_ptr);
	pool = rte_pktmbuf_pool_create_extbuf("pinned", 512, 0, 0, room, 0, &ext, 1);
	CHECK(pool != NULL);
	up(0);
	frame_build(&frame, &s, true);
	check_pieces(give(make(IPV4 | TSO, 1000, 0)), 1000);
	frame_build(&frame, &udp, true);
	check_fragments(give(make(IPV4 | USEG, 1000, 0)));
	frame_build(&frame, &small, true);
	m = make(RTE_MBUF_F_TX_VLAN, 0, 0);
	m->vlan_tci = 0x202a;
	CHECK_EQ(give(m), 1);
	check_tagged(&got[0], &frame, 1);
	rte_mempool_obj_iter(pool, is_still_pinned, &lost);
	CHECK_EQ(lost, 0);
	down();
	rte_mempool_free(pool);
	rte_free(ext.buf_ptr);
	pool = usual;
}

/* Requests that contradict the packet, or make packets that no IP header can describe: dropped. */
static void
contradictions(void)
{
	struct frame_spec s = {.l4_proto = IPPROTO_UDP, .payload_bytes = 5000};
	unsigned dropped = 0;
	struct rte_mbuf *m;

	up(0);
	/* What is a fragment already. */
	frame_build(&frame, &s, true);
	frame.bytes[14 + 6] = 0x20;
	CHECK_EQ(give(make(IPV4 | USEG, 1000, 0)), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	s.l4_proto = IPPROTO_TCP;
	frame_build(&frame, &s, true);
	frame.bytes[14 + 6] = 0x20;
	wrap(true);
	m = make(IPV4 | TSO | RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_TUNNEL_VXLAN, 1000, 0);
	m->outer_l2_len = 14;
	m->outer_l3_len = 20;
	m->l2_len = 16 + 14;
	CHECK_EQ(give(m), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	/* A GRE header that says more than where the packet goes: a checksum, a number. */
	for (unsigned i = 0; i < 3; i++) {
		static const uint8_t bits[] = {0x80, 0x10, 0};

		frame_build(&frame, &s, true);
		wrap(false);
		frame.bytes[34] = bits[i];
		m = make(IPV4 | TSO | RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_TUNNEL_GRE, 1000, 0);
		m->outer_l2_len = 14;
		m->outer_l3_len = 20;
		m->l2_len = 4;
		CHECK_EQ(give(m), bits[i] == 0 ? 5 : 0);
		dropped += bits[i] != 0;
		CHECK_EQ(counter("dropped_unsupported_offload"), dropped);
	}
	/* Fragments that are too short to be any. */
	s.l4_proto = IPPROTO_UDP;
	s.payload_bytes = 100;
	frame_build(&frame, &s, true);
	CHECK_EQ(give(make(IPV4 | USEG, 7, 0)), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	/* An IP header that says it is longer. */
	s.l4_proto = IPPROTO_TCP;
	s.payload_bytes = 5000;
	frame_build(&frame, &s, true);
	frame.bytes[14] = 0x4f;
	CHECK_EQ(give(make(IPV4 | TSO, 1000, 0)), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	CHECK_EQ(counter("dropped_segments"), 0);
	/* No room for one more tag in l2_len. */
	s.payload_bytes = 500;
	frame_build(&frame, &s, true);
	m = make(IPV4 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_VLAN, 0, 0);
	m->l2_len = 127;
	CHECK_EQ(give(m), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	/* No room for a tag. */
	frame.len_bytes = 11;
	CHECK_EQ(give(make(RTE_MBUF_F_TX_VLAN, 0, 0)), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), ++dropped);
	CHECK_EQ(counter("mbuf_alloc_failed"), 0);
	down();
}

/* Segments longer than IP packets get. */
static void
too_long_for_ip(void)
{
	const struct frame_spec s = {.l4_proto = IPPROTO_TCP, .payload_bytes = 65535 - 40};
	struct rte_mbuf *m;

	up(FE_F_MRG_RXBUF);
	frame_build(&frame, &s, true);
	CHECK_EQ(frame.len_bytes, 65549);
	m = make(IPV4 | TSO, 65535, 0);
	m->l2_len = 13; /* an IP packet of 65536 bytes */
	CHECK_EQ(give(m), 0);
	CHECK_EQ(counter("dropped_unsupported_offload"), 1);
	down();
}

/* Nothing to cut is no reason to lose it. */
static void
no_payload(void)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct frame_spec s = {0};

	find_uso();
	up(0);
	for (unsigned i = 0; i < 4; i++) {
		s.l4_proto = protos[i & 1];
		s.ipv6 = i & 2;
		frame_build(&frame, &s, true);
		CHECK_EQ(give(make((s.ipv6 ? IPV6 : IPV4) | (i & 1 ? USEG | uso : TSO), 1000, 0)), 1);
		CHECK_EQ(got[0].len_bytes, frame.len_bytes);
		check_packet(&got[0], &frame);
	}
	down();
}

static uint32_t
below(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33) % n;
}

static bool
coin(uint64_t *seed)
{
	return below(seed, 2) != 0;
}

/* The frame in up to 8 mbufs, empty ones among them, which may have another owner as well. */
static struct rte_mbuf *
scatter(uint64_t *seed)
{
	struct rte_mbuf *head = NULL, *m, *clone;
	uint32_t at = 0;

	while (at < frame.len_bytes) {
		uint32_t left = frame.len_bytes - at, n = coin(seed) ? below(seed, 80) : 1500;

		m = rte_pktmbuf_alloc(pool);
		CHECK(m != NULL);
		m->data_off = (uint16_t)(m->data_off + below(seed, 9));
		n = RTE_MIN(n, left);
		memcpy(rte_pktmbuf_append(m, (uint16_t)n), frame.bytes + at, n);
		at += n;
		if (head == NULL)
			head = m;
		else
			CHECK_EQ(rte_pktmbuf_chain(head, m), 0);
	}
	if (coin(seed))
		return head;
	clone = rte_pktmbuf_clone(head, pool);
	CHECK(clone != NULL);
	rte_pktmbuf_free(head);
	return clone;
}

static void
random_frame(uint64_t *seed)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	const struct frame_spec s = {
		.ipv6 = coin(seed),
		.vlan = coin(seed),
		.qinq = below(seed, 4) == 0,
		.ip_options_bytes = (uint8_t)(below(seed, 4) * 4),
		.ipv6_ext_bytes = coin(seed) ? 8 : 0,
		.l4_proto = protos[below(seed, 2)],
		.tcp_options_bytes = (uint8_t)(below(seed, 4) * 4),
		.payload_bytes = below(seed, coin(seed) ? 9000 : 60),
	};

	frame_build(&frame, &s, true);
	if (s.l4_proto == IPPROTO_TCP)
		frame.bytes[frame.l2_bytes + frame.l3_bytes + TCP_FLAGS] = (uint8_t)below(seed, 256);
	/* Whatever stands there is of no meaning. */
	if (coin(seed))
		frame.bytes[frame.l2_bytes + frame.l3_bytes + frame.csum_offset] ^= 0x5a;
}

/* As the library cuts it; 0: not at all. */
static uint32_t
pieces_of(uint64_t flags, uint32_t segsz)
{
	uint32_t headers = frame.l2_bytes + frame.l3_bytes + frame.l4_bytes, n;
	uint32_t bytes = frame.len_bytes - headers;

	if (flags & USEG && !(flags & uso)) {
		if (flags & IPV6)
			return 0;
		bytes += 8;
		segsz = bytes <= segsz ? segsz : segsz & ~7u;
	}
	if (segsz == 0)
		return 0;
	n = bytes == 0 ? 1 : (bytes - 1) / segsz + 1;
	return n <= 128 ? n : 0;
}

static uint8_t
gso_for(uint64_t flags)
{
	static const struct {
		uint64_t flags, feature;
		uint8_t type;
	} kinds[] = {
		{TSO | IPV4, FE_F_GUEST_TSO4, GUEST_NET_GSO_TCPV4},
		{TSO | IPV6, FE_F_GUEST_TSO6, GUEST_NET_GSO_TCPV6},
		{USEG | IPV4, FE_F_GUEST_UFO, GUEST_NET_GSO_UDP},
		{USEG | IPV6, FE_F_GUEST_UFO, GUEST_NET_GSO_UDP},
		{USEG | IPV4, FE_F_GUEST_USO4, GUEST_NET_GSO_UDP_L4},
		{USEG | IPV6, FE_F_GUEST_USO6, GUEST_NET_GSO_UDP_L4},
	};
	bool cwr = frame.bytes[frame.l2_bytes + frame.l3_bytes + TCP_FLAGS] & TCP_CWR;

	for (unsigned i = 0; i < RTE_DIM(kinds); i++) {
		if ((flags & (TSO | USEG | IPV4 | IPV6)) != kinds[i].flags ||
		    !(flow.fe.features & kinds[i].feature) ||
		    (flags & USEG && !(flags & uso) != (kinds[i].type == GUEST_NET_GSO_UDP)))
			continue;
		if (flags & USEG || !cwr)
			return kinds[i].type;
		return flow.fe.features & FE_F_GUEST_ECN ? kinds[i].type | GUEST_NET_GSO_ECN : 0;
	}
	return 0;
}

/* One packet to the guest, and what it makes of it. */
static void
random_request(uint64_t *seed)
{
	uint64_t flags, l4;
	uint8_t flags_at, gso;
	uint16_t segsz;
	uint32_t pieces;
	struct rte_mbuf *m;
	unsigned n;

	random_frame(seed);
	flags_at = (uint8_t)below(seed, 4);
	flags = is_ipv6(&frame) ? IPV6 : IPV4;
	l4 = frame.csum_offset == 16 ? TSO : USEG;
	segsz = (uint16_t)(flags_at == 0 ? 0 : below(seed, coin(seed) ? 2000 : 70));
	if (flags_at != 0)
		flags |= l4 | (l4 == USEG && coin(seed) ? uso : 0);
	else
		flags |= l4 == TSO ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	m = scatter(seed);
	m->ol_flags |= flags | (coin(seed) ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0);
	m->l2_len = frame.l2_bytes;
	m->l3_len = frame.l3_bytes;
	m->l4_len = frame.l4_bytes;
	m->tso_segsz = segsz;
	gso = flags_at != 0 && segsz != 0 ? gso_for(flags) : 0;
	pieces = flags_at == 0 || gso != 0 ? 1 : pieces_of(flags, segsz);
	n = give(m);
	CHECK_EQ(n, pieces);
	if (n == 0)
		return;
	if (flags_at == 0 || gso != 0) {
		uint32_t l4_off = frame.l2_bytes + frame.l3_bytes;

		CHECK_EQ(got[0].len_bytes, frame.len_bytes);
		CHECK_EQ(got[0].hdr.gso_type, gso);
		CHECK_EQ(got[0].hdr.gso_size, gso != 0 ? segsz : 0);
		check_packet(&got[0], &frame);
		memcpy(frame.bytes + l4_off + frame.csum_offset,
		       got[0].bytes + l4_off + frame.csum_offset, 2);
		CHECK(memcmp(got[0].bytes, frame.bytes, frame.len_bytes) == 0);
	} else if (flags & TSO || flags & uso) {
		check_pieces(n, segsz);
	} else {
		check_fragments(n);
	}
}

/* Any request for any frame in any form to any guest. */
static void
random_requests(void)
{
	static const uint64_t choices[] = {
		FE_F_GUEST_TSO4, FE_F_GUEST_TSO6, FE_F_GUEST_ECN, FE_F_GUEST_UFO,
		FE_F_GUEST_USO4, FE_F_GUEST_USO6, FE_F_INDIRECT_DESC, FE_F_EVENT_IDX,
	};
	uint64_t seed = 1;

	find_uso();
	for (unsigned guest = 0; guest < 24; guest++) {
		uint64_t features = guest < 4 ? FE_F_MRG_RXBUF : FE_F_MRG_RXBUF | CSUM;

		for (unsigned i = guest < 4 ? 6 : 0; i < RTE_DIM(choices); i++)
			features |= coin(&seed) ? choices[i] : 0;
		up_with(features, 256, coin(&seed) ? 2048 : 512);
		for (unsigned i = 0; i < 150; i++)
			random_request(&seed);
		down();
	}
}

/* Lengths, numbers and flags out of a hat: anything may come of it but harm. */
static void
random_nonsense(void)
{
	uint64_t seed = 2;

	find_uso();
	for (unsigned guest = 0; guest < 8; guest++) {
		up(FE_F_MRG_RXBUF |
		   (guest & 1 ? CSUM | FE_F_GUEST_TSO4 | FE_F_GUEST_UFO | FE_F_GUEST_USO6 : 0));
		for (unsigned i = 0; i < 600; i++) {
			const uint64_t asks = RTE_MBUF_F_TX_OFFLOAD_MASK | uso |
					      RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_RSS_HASH;
			struct rte_mbuf *m;

			random_frame(&seed);
			if (coin(&seed))
				wrap(coin(&seed));
			if (below(&seed, 8) == 0)
				frame.len_bytes = 1 + below(&seed, 60);
			m = scatter(&seed);
			m->l2_len = coin(&seed) ? frame.l2_bytes : below(&seed, 128);
			m->l3_len = coin(&seed) ? frame.l3_bytes : below(&seed, 512);
			m->l4_len = coin(&seed) ? frame.l4_bytes : below(&seed, 256);
			m->outer_l2_len = coin(&seed) ? 14 : below(&seed, 128);
			m->outer_l3_len = coin(&seed) ? 20 : below(&seed, 512);
			m->tso_segsz = (uint16_t)below(&seed, coin(&seed) ? 65536 : 1500);
			for (unsigned bit = 0; bit < 64; bit++)
				if (below(&seed, 3) == 0)
					m->ol_flags |= asks & 1ull << bit;
			if (coin(&seed))
				m->ol_flags &= ~RTE_MBUF_F_TX_IPV6;
			if (coin(&seed))
				m->ol_flags &= ~RTE_MBUF_F_TX_TUNNEL_MASK;
			give(m);
		}
		down();
	}
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(tcp_segments),
		FLOW_TEST(tcp_segments_of_the_other_ip),
		FLOW_TEST(congestion_window_reduced),
		FLOW_TEST(datagrams),
		FLOW_TEST(datagrams_are_on_request),
		FLOW_TEST(datagrams_from_the_guest),
		FLOW_TEST(fragments),
		FLOW_TEST(tunnelled_tcp_segments),
		FLOW_TEST(outer_checksums),
		FLOW_TEST(sctp_crc),
		FLOW_TEST(vlan_tags),
		FLOW_TEST(hash_report),
		FLOW_TEST(not_enough_room),
		FLOW_TEST(more_than_the_ring),
		FLOW_TEST(buffers_too_small),
		FLOW_TEST(refused),
		FLOW_TEST(empty_pool),
		FLOW_TEST(hash_of_segments),
		FLOW_TEST(pinned_buffers),
		FLOW_TEST(contradictions),
		FLOW_TEST(too_long_for_ip),
		FLOW_TEST(no_payload),
		FLOW_TEST(random_requests),
		FLOW_TEST(random_nonsense),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
