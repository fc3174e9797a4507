/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Offload metadata; see offload.h.
 *
 * The switch registers its sockets with RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS.
 * Enqueue understands transmit-style flags, and the legacy mode would deliver
 * just these, so passing them on looks free. But legacy mode only knows what
 * its own short parser knows (one VLAN tag, no IPv6 extensions, no tunnels) and
 * loses the request for the rest: the frame would arrive with half a checksum.
 * In compliant mode the library finishes such checksums itself, and says
 * "L4 checksum NONE" or "LRO" exactly when a request is left, which is
 * translated here with rte_net's parser.
 *
 * librte_gso cuts TCP over IPv4 only, guests send IPv6 as well; so the cutting
 * is done here, one way for both.
 */
#include "offload.h"

#include <string.h>

#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define ATTACH_FLAGS (RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT)

static const uint64_t L4_FLAGS = RTE_MBUF_F_TX_L4_MASK;

/* Bounds of the bit fields in rte_mbuf, and the smallest headers that make sense. */
static bool lengths_fit(const struct rte_net_hdr_lens *lens, bool ipv4)
{
	return lens->l2_len < 1 << RTE_MBUF_L2_LEN_BITS && lens->l3_len < 1 << RTE_MBUF_L3_LEN_BITS &&
	       lens->l3_len >= (ipv4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr));
}

void offload_from_guest(struct rte_mbuf *m)
{
	uint64_t flags = m->ol_flags;
	uint16_t mss = m->tso_segsz;
	struct rte_net_hdr_lens lens;
	uint32_t ptype;
	bool ipv4;

	m->ol_flags &= ATTACH_FLAGS;
	m->tx_offload = 0;
	if (!(flags & RTE_MBUF_F_RX_LRO) &&
	    (flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_NONE)
		return;
	ptype = rte_net_get_ptype(m, &lens, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK |
				  RTE_PTYPE_L4_MASK);
	ipv4 = RTE_ETH_IS_IPV4_HDR(ptype);
	if ((!ipv4 && !RTE_ETH_IS_IPV6_HDR(ptype)) || !lengths_fit(&lens, ipv4))
		return;
	switch (ptype & RTE_PTYPE_L4_MASK) {
	case RTE_PTYPE_L4_TCP:
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
		if (flags & RTE_MBUF_F_RX_LRO && mss != 0) {
			m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
			m->tso_segsz = mss;
		}
		break;
	case RTE_PTYPE_L4_UDP:
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
		break;
	case RTE_PTYPE_L4_SCTP:
		m->ol_flags |= RTE_MBUF_F_TX_SCTP_CKSUM;
		break;
	default:
		return;
	}
	m->ol_flags |= ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	m->l2_len = lens.l2_len;
	m->l3_len = lens.l3_len;
	m->l4_len = lens.l4_len;
}

void offload_from_uplink(struct rte_mbuf *m)
{
	m->ol_flags &= ATTACH_FLAGS;
	m->tx_offload = 0;
}

unsigned int offload_needed(const struct rte_mbuf *m)
{
	unsigned int needed = 0;

	if (m->ol_flags & L4_FLAGS)
		needed |= OFFLOAD_CSUM;
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		needed |= m->ol_flags & RTE_MBUF_F_TX_IPV4 ? OFFLOAD_TSO4 : OFFLOAD_TSO6;
	return needed;
}

int offload_checksum(struct rte_mbuf *m)
{
	uint32_t start = m->l2_len + m->l3_len, field = start;
	uint64_t l4 = m->ol_flags & L4_FLAGS;
	uint16_t sum;

	if (l4 == RTE_MBUF_F_TX_TCP_CKSUM)
		field += offsetof(struct rte_tcp_hdr, cksum);
	else if (l4 == RTE_MBUF_F_TX_UDP_CKSUM)
		field += offsetof(struct rte_udp_hdr, dgram_cksum);
	else
		return -1; /* SCTP: a CRC, which virtio cannot ask for */
	if (field + sizeof(sum) > rte_pktmbuf_data_len(m))
		return -1;
	/* The field holds the sum of the pseudo-header: adding it up completes it. */
	if (rte_raw_cksum_mbuf(m, start, rte_pktmbuf_pkt_len(m) - start, &sum) != 0)
		return -1;
	sum = (uint16_t)~sum;
	if (sum == 0)
		sum = 0xffff; /* 0 would mean "none" in UDP; equal to 0 elsewhere */
	memcpy(rte_pktmbuf_mtod_offset(m, void *, field), &sum, sizeof(sum));
	m->ol_flags &= ATTACH_FLAGS;
	return 0;
}

/* Make the headers of segment `i` right, the TCP checksum field the pseudo-header's sum. */
static void fix_headers(struct rte_mbuf *seg, const struct rte_mbuf *m, unsigned int i, bool last)
{
	uint16_t l3_bytes = (uint16_t)(rte_pktmbuf_pkt_len(seg) - m->l2_len);
	struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(seg, struct rte_tcp_hdr *,
							  m->l2_len + m->l3_len);
	void *l3 = rte_pktmbuf_mtod_offset(seg, void *, m->l2_len);
	struct rte_ipv6_hdr pseudo;
	struct rte_ipv6_hdr *ip6 = l3;
	struct rte_ipv4_hdr *ip4 = l3;

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + i * m->tso_segsz);
	if (i != 0)
		tcp->tcp_flags &= (uint8_t)~RTE_TCP_CWR_FLAG;
	if (!last)
		tcp->tcp_flags &= (uint8_t)~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (m->ol_flags & RTE_MBUF_F_TX_IPV4) {
		ip4->total_length = rte_cpu_to_be_16(l3_bytes);
		ip4->packet_id = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip4->packet_id) + i));
		ip4->hdr_checksum = 0;
		ip4->hdr_checksum = (uint16_t)~rte_raw_cksum(ip4, m->l3_len);
		tcp->cksum = rte_ipv4_phdr_cksum(ip4, 0);
		return;
	}
	ip6->payload_len = rte_cpu_to_be_16((uint16_t)(l3_bytes - sizeof(*ip6)));
	/* Extension headers are not part of the pseudo-header. */
	pseudo = *ip6;
	pseudo.proto = IPPROTO_TCP;
	pseudo.payload_len = rte_cpu_to_be_16((uint16_t)(l3_bytes - m->l3_len));
	tcp->cksum = rte_ipv6_phdr_cksum(&pseudo, 0);
}

/* A new frame with the headers of `m` and `length` bytes of it from `offset` on. */
static struct rte_mbuf *cut(const struct rte_mbuf *m, struct rte_mempool *pool,
			    uint32_t header_bytes, uint32_t offset, uint32_t length)
{
	struct rte_mbuf *seg = rte_pktmbuf_alloc(pool), *tail;
	const void *data;
	char *to;

	if (seg == NULL)
		return NULL;
	to = rte_pktmbuf_append(seg, (uint16_t)header_bytes);
	if (to == NULL)
		goto fail;
	memcpy(to, rte_pktmbuf_mtod(m, const void *), header_bytes);
	if (length <= rte_pktmbuf_tailroom(seg)) {
		to = rte_pktmbuf_append(seg, (uint16_t)length);
		data = rte_pktmbuf_read(m, offset, length, to);
		if (data == NULL)
			goto fail;
		if (data != to)
			memcpy(to, data, length);
	} else {
		tail = rte_pktmbuf_copy(m, pool, offset, length);
		if (tail == NULL)
			goto fail;
		rte_pktmbuf_chain(seg, tail);
	}
	seg->tx_offload = m->tx_offload;
	seg->ol_flags |= m->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 |
					RTE_MBUF_F_TX_TCP_CKSUM);
	return seg;
fail:
	rte_pktmbuf_free(seg);
	return NULL;
}

int offload_segment(const struct rte_mbuf *m, struct rte_mempool *pool, unsigned int takes,
		    struct rte_mbuf **out)
{
	uint32_t header_bytes = m->l2_len + m->l3_len + m->l4_len;
	uint32_t pkt_bytes = rte_pktmbuf_pkt_len(m), mss = m->tso_segsz;
	uint32_t offset, length;
	unsigned int n = 0;

	if (m->l4_len < sizeof(struct rte_tcp_hdr) || header_bytes > rte_pktmbuf_data_len(m) ||
	    header_bytes >= pkt_bytes || mss == 0 ||
	    (pkt_bytes - header_bytes + mss - 1) / mss > OFFLOAD_MAX_SEGMENTS)
		return 0;
	for (offset = header_bytes; offset < pkt_bytes; offset += length, n++) {
		length = RTE_MIN(mss, pkt_bytes - offset);
		out[n] = cut(m, pool, header_bytes, offset, length);
		if (out[n] == NULL) {
			rte_pktmbuf_free_bulk(out, n);
			return -1;
		}
		fix_headers(out[n], m, n, offset + length == pkt_bytes);
		if (!(takes & OFFLOAD_CSUM))
			offload_checksum(out[n]);
		else
			out[n]->tso_segsz = 0;
	}
	return (int)n;
}
