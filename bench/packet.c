/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets for bench_burst: an Ethernet header and a pattern, or TCP over IPv4 when offloads are
 * asked for. Nothing here is untrusted.
 */
#include "bench.h"

#include <string.h>

#define ETH_BYTES 14
#define IP_BYTES 20
#define TCP_BYTES 20
#define TCP_CSUM_OFFSET 16
#define TSO_MSS_BYTES 500

static bool
has_tcp(const struct bench *b)
{
	return b->opts.offload == OFFLOAD_CSUM || b->opts.offload == OFFLOAD_TSO;
}

uint32_t
packet_min_bytes(const struct bench *b)
{
	return has_tcp(b) ? ETH_BYTES + IP_BYTES + TCP_BYTES + 2 : ETH_BYTES + 2;
}

static void
put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void
packet_make(const struct bench *b, uint32_t seed, uint8_t *data, uint32_t len_bytes)
{
	uint8_t *ip = data + ETH_BYTES;
	uint8_t *tcp = ip + IP_BYTES;
	uint32_t sum = 0;

	guest_pattern(seed, data, len_bytes);
	data[0] = 2; /* unicast, locally administered */
	put16(data + 12, 0x88b5); /* the experimental type */
	if (!has_tcp(b))
		return;
	put16(data + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, len_bytes - ETH_BYTES);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = 6;
	put16(ip + 10, 0);
	for (unsigned i = 0; i < IP_BYTES; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~sum);
	tcp[12] = 0x50;
	tcp[13] = 0x10;
	put16(tcp + TCP_CSUM_OFFSET, 0);
}

struct guest_net_hdr
packet_guest_header(const struct bench *b)
{
	struct guest_net_hdr hdr = {0};

	if (has_tcp(b)) {
		hdr.flags = GUEST_NET_NEEDS_CSUM;
		hdr.csum_start = ETH_BYTES + IP_BYTES;
		hdr.csum_offset = TCP_CSUM_OFFSET;
	}
	if (b->opts.offload == OFFLOAD_TSO) {
		hdr.gso_type = GUEST_NET_GSO_TCPV4;
		hdr.gso_size = TSO_MSS_BYTES;
		hdr.hdr_len = ETH_BYTES + IP_BYTES + TCP_BYTES;
	}
	return hdr;
}

void
packet_mbuf_offload(const struct bench *b, struct rte_mbuf *m)
{
	if (!has_tcp(b))
		return;
	m->l2_len = ETH_BYTES;
	m->l3_len = IP_BYTES;
	m->l4_len = TCP_BYTES;
	m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
	if (b->opts.offload == OFFLOAD_TSO) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM;
		m->tso_segsz = TSO_MSS_BYTES;
	}
}

struct rte_mbuf *
packet_mbuf(struct bench *b, uint32_t seed, uint32_t len_bytes, uint32_t seg_bytes)
{
	static uint8_t data[BENCH_MAX_PACKET_BYTES];
	struct rte_mbuf *head = NULL;
	uint32_t done = 0;

	packet_make(b, seed, data, len_bytes);
	while (head == NULL || done < len_bytes) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(b->pool);
		uint32_t part;

		if (m == NULL)
			bench_die("the mbuf pool is empty");
		part = RTE_MIN(len_bytes - done, (uint32_t)rte_pktmbuf_tailroom(m));
		/* Headers that the library may have to rewrite stay in one segment. */
		if (seg_bytes != 0)
			part = RTE_MIN(part, RTE_MAX(seg_bytes, packet_min_bytes(b)));
		memcpy(rte_pktmbuf_append(m, (uint16_t)part), data + done, part);
		done += part;
		if (head == NULL)
			head = m;
		else if (rte_pktmbuf_chain(head, m) != 0)
			bench_die("too many segments");
	}
	packet_mbuf_offload(b, head);
	return head;
}

bool
packet_equal(const struct bench *b, const uint8_t *got, const uint8_t *want, uint32_t len_bytes)
{
	const uint32_t ip_csum = ETH_BYTES + 10;
	const uint32_t tcp_csum = ETH_BYTES + IP_BYTES + TCP_CSUM_OFFSET;

	if (!has_tcp(b))
		return memcmp(got, want, len_bytes) == 0;
	return memcmp(got, want, ip_csum) == 0 &&
	       memcmp(got + ip_csum + 2, want + ip_csum + 2, tcp_csum - ip_csum - 2) == 0 &&
	       memcmp(got + tcp_csum + 2, want + tcp_csum + 2, len_bytes - tcp_csum - 2) == 0;
}
