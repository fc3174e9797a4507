/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Not with librte_gso: that of DPDK 22.11 knows no IPv6 and no USO, leaves CWR set
 * in every segment, and is not on every machine that has librte_vhost.
 */
#include <string.h>

#include <rte_ether.h>
#include <rte_gre.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <rte_vxlan.h>

#include "hdr.h"
#include "soft.h"

#define HEADERS_MAX_BYTES 256
#define SEGMENTATION (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)

/* Where the packet's bytes come from, ours may come as well; NULL: no mbufs of any use. */
static struct rte_mempool *pool_of(const struct rte_mbuf *m)
{
	/* A clone's own pool may have mbufs without any room. */
	struct rte_mempool *pool = RTE_MBUF_CLONED(m) ?
					   rte_mbuf_from_indirect((void *)(uintptr_t)m)->pool :
					   m->pool;

	if (pool == NULL ||
	    rte_pktmbuf_data_room_size(pool) < RTE_PKTMBUF_HEADROOM + HEADERS_MAX_BYTES)
		return NULL;
	return pool;
}

/*
 * Puts `bytes` of `m` from `off` on behind what `head` has. Not rte_pktmbuf_copy(): that
 * of DPDK 22.11 makes mbufs with pinned buffers forget that these are pinned, for good.
 */
static bool append_from(struct rte_mbuf *head, struct rte_mempool *pool, const struct rte_mbuf *m,
			uint32_t off, uint32_t bytes)
{
	struct rte_mbuf *last = rte_pktmbuf_lastseg(head);

	while (bytes != 0) {
		uint32_t part = RTE_MIN(bytes, (uint32_t)rte_pktmbuf_tailroom(last));
		void *to = rte_pktmbuf_mtod_offset(last, void *, last->data_len);
		const void *from;

		if (part == 0) {
			last->next = rte_pktmbuf_alloc(pool);
			if (last->next == NULL)
				return false;
			last = last->next;
			head->nb_segs++;
			continue;
		}
		from = rte_pktmbuf_read(m, off, part, to);
		if (from == NULL)
			return false;
		if (from != to)
			memcpy(to, from, part);
		last->data_len = (uint16_t)(last->data_len + part);
		head->pkt_len += part;
		off += part;
		bytes -= part;
	}
	return true;
}

/*
 * A packet that says of itself what `m` does, but for the flags: `start_bytes` of
 * `start`, then `bytes` of `m` from `off` on.
 */
static struct rte_mbuf *packet_from(const struct rte_mbuf *m, struct rte_mempool *pool,
				    const void *start, uint16_t start_bytes, uint32_t off,
				    uint32_t bytes)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool);
	void *to = head != NULL ? rte_pktmbuf_append(head, start_bytes) : NULL;

	if (to == NULL) {
		rte_pktmbuf_free(head);
		return NULL;
	}
	memcpy(to, start, start_bytes);
	head->packet_type = m->packet_type;
	head->hash.rss = m->hash.rss;
	head->tx_offload = m->tx_offload;
	if (append_from(head, pool, m, off, bytes))
		return head;
	rte_pktmbuf_free(head);
	return NULL;
}

/* --- tags ---------------------------------------------------------------- */

static uint32_t tags_bytes(const struct rte_mbuf *m)
{
	/* QINQ asks for both tags (rte_mbuf_core.h). */
	return (m->ol_flags & RTE_MBUF_F_TX_QINQ) != 0 ? 2 * RTE_VLAN_HLEN : RTE_VLAN_HLEN;
}

static uint32_t tagged_l2_len(const struct rte_mbuf *m)
{
	return tags_bytes(m) + ((m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) != 0 ? m->outer_l2_len :
										 m->l2_len);
}

bool soft_can_tag(const struct rte_mbuf *m)
{
	return m->pkt_len >= 2 * RTE_ETHER_ADDR_LEN &&
	       tagged_l2_len(m) < 1u << RTE_MBUF_L2_LEN_BITS;
}

struct rte_mbuf *soft_tag(const struct rte_mbuf *m)
{
	const uint64_t keep = ~(HDR_MBUF_TAGS | RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
	const uint16_t tags[] = { RTE_BE16(RTE_ETHER_TYPE_QINQ),
				  rte_cpu_to_be_16(m->vlan_tci_outer),
				  RTE_BE16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16(m->vlan_tci) };
	const uint32_t bytes = tags_bytes(m), behind = 2 * RTE_ETHER_ADDR_LEN;
	struct rte_mempool *pool = pool_of(m);
	uint8_t start[2 * RTE_ETHER_ADDR_LEN + sizeof(tags)];
	const void *addresses = rte_pktmbuf_read(m, 0, behind, start);
	struct rte_mbuf *tagged;

	if (pool == NULL || addresses == NULL)
		return NULL;
	if (addresses != start)
		memcpy(start, addresses, behind);
	memcpy(start + behind, (const uint8_t *)tags + sizeof(tags) - bytes, bytes);
	tagged = packet_from(m, pool, start, (uint16_t)(behind + bytes), behind,
			     m->pkt_len - behind);
	if (tagged == NULL)
		return NULL;
	tagged->ol_flags |= m->ol_flags & keep;
	if ((m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) != 0)
		tagged->outer_l2_len = tagged_l2_len(m) & ((1u << RTE_MBUF_OUTL2_LEN_BITS) - 1);
	else
		tagged->l2_len = tagged_l2_len(m) & ((1u << RTE_MBUF_L2_LEN_BITS) - 1);
	return tagged;
}

/* --- segments ------------------------------------------------------------ */

enum cut_kind {
	CUT_NOT,
	CUT_PAYLOAD,   /* TCP segments, datagrams */
	CUT_TUNNEL,    /* TCP segments, each in its own tunnel packet */
	CUT_FRAGMENTS, /* of one datagram */
};

static enum cut_kind cut_kind(const struct rte_mbuf *m)
{
	const uint64_t tunnel = m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK;
	const bool tcp = (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
	const bool ipv4 = (m->ol_flags & RTE_MBUF_F_TX_IPV6) == 0;

	if ((m->ol_flags & SEGMENTATION) == 0 || m->tso_segsz == 0)
		return CUT_NOT;
	if (tunnel == 0)
		return tcp || hdr_wants_datagrams(m) ? CUT_PAYLOAD : ipv4 ? CUT_FRAGMENTS : CUT_NOT;
	if (tcp && ipv4 && (m->ol_flags & RTE_MBUF_F_TX_OUTER_IPV4) != 0 &&
	    (tunnel == RTE_MBUF_F_TX_TUNNEL_VXLAN || tunnel == RTE_MBUF_F_TX_TUNNEL_GRE))
		return CUT_TUNNEL;
	return CUT_NOT;
}

/* Headers that each packet gets; of fragments, those before the L4 header, which only one has. */
static uint32_t header_bytes(const struct rte_mbuf *m, enum cut_kind kind)
{
	uint32_t bytes = m->l2_len + m->l3_len;

	if (kind == CUT_TUNNEL)
		bytes += m->outer_l2_len + m->outer_l3_len;
	return kind == CUT_FRAGMENTS ? bytes : bytes + m->l4_len;
}

static uint32_t payload_bytes(const struct rte_mbuf *m, enum cut_kind kind)
{
	/* RFC 791, 3.2: fragments start at multiples of 8. */
	return kind == CUT_FRAGMENTS ? m->tso_segsz & ~7u : m->tso_segsz;
}

/* Is there an IPv4 header as long as the mbuf says, and not that of a fragment? */
static bool ipv4_fits(const struct rte_mbuf *m, uint32_t off, uint32_t bytes)
{
	const rte_be16_t fragment = RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG);
	struct rte_ipv4_hdr scratch;
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_read(m, off, sizeof(scratch), &scratch);

	return ip != NULL && bytes >= sizeof(*ip) && rte_ipv4_hdr_len(ip) == bytes &&
	       (ip->fragment_offset & fragment) == 0;
}

/*
 * Is there room for a tunnel header, and nothing in it that every piece would need
 * of its own: GRE knows checksums and numbers (RFC 2784, RFC 2890)?
 */
static bool tunnel_fits(const struct rte_mbuf *m, uint32_t off)
{
	struct rte_gre_hdr scratch;
	const struct rte_gre_hdr *gre;

	if ((m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) == RTE_MBUF_F_TX_TUNNEL_VXLAN)
		return m->l2_len >= RTE_ETHER_VXLAN_HLEN;
	gre = rte_pktmbuf_read(m, off, sizeof(scratch), &scratch);
	return gre != NULL && m->l2_len >= sizeof(*gre) && gre->c == 0 && gre->s == 0;
}

/* Are the headers what the request says? Only then the packets may be taken for right. */
static bool headers_fit(const struct rte_mbuf *m, enum cut_kind kind)
{
	const bool tcp = (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
	uint32_t l2_bytes = m->l2_len;

	if (m->l4_len < (tcp ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr)))
		return false;
	if (kind == CUT_TUNNEL) {
		const uint32_t outer_bytes = (uint32_t)(m->outer_l2_len + m->outer_l3_len);

		if (!ipv4_fits(m, m->outer_l2_len, m->outer_l3_len) || !tunnel_fits(m, outer_bytes))
			return false;
		l2_bytes += outer_bytes;
	}
	if (l2_bytes + m->l3_len + m->l4_len > RTE_MIN(m->pkt_len, (uint32_t)HEADERS_MAX_BYTES))
		return false;
	return (m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0 ?
		       m->l3_len >= sizeof(struct rte_ipv6_hdr) :
		       ipv4_fits(m, l2_bytes, m->l3_len);
}

unsigned int soft_cut_count(const struct rte_mbuf *m)
{
	const enum cut_kind kind = cut_kind(m);
	const uint32_t headers = header_bytes(m, kind), payload = payload_bytes(m, kind);
	const uint32_t l2_bytes = kind == CUT_TUNNEL ? m->outer_l2_len : m->l2_len;
	uint32_t count;

	if (kind == CUT_NOT || payload == 0 || !headers_fit(m, kind))
		return 0;
	/* More than an IP header can say. */
	if (RTE_MIN(headers + m->tso_segsz, m->pkt_len) - l2_bytes > UINT16_MAX)
		return 0;
	if (m->pkt_len - headers <= m->tso_segsz)
		return 1;
	count = (m->pkt_len - headers - 1) / payload + 1;
	return count <= SOFT_CUT_MAX ? count : 0;
}

/* The flags of what comes out: what it is, and the checksums that are still to be done. */
static uint64_t flags_after(const struct rte_mbuf *m, enum cut_kind kind)
{
	uint64_t flags = m->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 |
					RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_TUNNEL_MASK);

	if ((flags & RTE_MBUF_F_TX_IPV6) == 0)
		flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	/* The hash of a datagram, ports included, is not that of its fragments. */
	if (kind == CUT_FRAGMENTS)
		return flags;
	flags |= m->ol_flags & RTE_MBUF_F_RX_RSS_HASH;
	if (kind == CUT_TUNNEL)
		flags |= RTE_MBUF_F_TX_OUTER_IP_CKSUM;
	if ((flags & RTE_MBUF_F_TX_TUNNEL_MASK) == RTE_MBUF_F_TX_TUNNEL_VXLAN)
		flags |= RTE_MBUF_F_TX_OUTER_UDP_CKSUM;
	return flags | ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0 ? RTE_MBUF_F_TX_TCP_CKSUM :
								     RTE_MBUF_F_TX_UDP_CKSUM);
}

static void number_ipv4(struct rte_ipv4_hdr *ip, uint32_t bytes, unsigned int i)
{
	ip->total_length = rte_cpu_to_be_16((uint16_t)bytes);
	ip->packet_id = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip->packet_id) + i));
}

/* Around packet `i` in its own tunnel packet; how many bytes. */
static uint32_t number_tunnel(uint8_t *headers, const struct rte_mbuf *m, unsigned int i,
			      uint32_t packet_bytes)
{
	const uint32_t bytes = (uint32_t)(m->outer_l2_len + m->outer_l3_len);
	struct rte_udp_hdr *udp = (void *)(headers + bytes);

	number_ipv4((void *)(headers + m->outer_l2_len), packet_bytes - m->outer_l2_len, i);
	if ((m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) == RTE_MBUF_F_TX_TUNNEL_VXLAN)
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(packet_bytes - bytes));
	return bytes;
}

/* The lengths and numbers in the headers of packet `i`; checksums come later. */
static void number_headers(uint8_t *headers, const struct rte_mbuf *m, enum cut_kind kind,
			   unsigned int i, bool last, uint32_t packet_bytes)
{
	const uint32_t l2_bytes = m->l2_len + (kind == CUT_TUNNEL ?
						       number_tunnel(headers, m, i, packet_bytes) :
						       0);
	const uint32_t l3_bytes = packet_bytes - l2_bytes;
	struct rte_ipv4_hdr *ip4 = (void *)(headers + l2_bytes);
	struct rte_ipv6_hdr *ip6 = (void *)ip4;
	struct rte_tcp_hdr *tcp = (void *)(headers + l2_bytes + m->l3_len);
	struct rte_udp_hdr *udp = (void *)tcp;

	if (kind == CUT_FRAGMENTS) {
		const uint32_t at = i * payload_bytes(m, kind) / RTE_IPV4_HDR_OFFSET_UNITS;

		number_ipv4(ip4, l3_bytes, 0);
		if (i == 0 && last) /* short enough as it is */
			return;
		ip4->fragment_offset = rte_cpu_to_be_16(
			(uint16_t)(at | (last ? 0 : RTE_IPV4_HDR_MF_FLAG)));
		return;
	}
	if ((m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0)
		ip6->payload_len = rte_cpu_to_be_16((uint16_t)(l3_bytes - sizeof(*ip6)));
	else
		number_ipv4(ip4, l3_bytes, i);
	if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) {
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(l3_bytes - m->l3_len));
		return;
	}
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + i * m->tso_segsz);
	if (i != 0)
		tcp->tcp_flags &= (uint8_t)~RTE_TCP_CWR_FLAG;
	if (!last)
		tcp->tcp_flags &= (uint8_t)~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
}

/* Puts the checksum of the whole datagram `m` into its first fragment: they have none of their own. */
static bool finish_checksum(const struct rte_mbuf *m, struct rte_mbuf *first)
{
	struct rte_mbuf asking = *m;
	struct virtio_net_hdr_v1 hdr;
	struct hdr_fixups fixups;

	asking.ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
	if (!hdr_from_mbuf(&asking, 0, &hdr, &fixups))
		return false;
	/* A fragment has at least 8 bytes, an mbuf of ours room for all headers. */
	for (unsigned int i = 0; i < fixups.count; i++)
		memcpy(rte_pktmbuf_mtod_offset(first, void *, fixups.at[i].offset_bytes),
		       &fixups.at[i].value, sizeof(fixups.at[i].value));
	return true;
}

bool soft_cut(const struct rte_mbuf *m, unsigned int count, struct rte_mbuf **out)
{
	const enum cut_kind kind = cut_kind(m);
	struct rte_mempool *pool = pool_of(m);
	uint8_t headers[HEADERS_MAX_BYTES], scratch[HEADERS_MAX_BYTES];
	uint16_t headers_bytes;
	const void *original;
	uint32_t off;

	if (pool == NULL)
		return false;
	headers_bytes = (uint16_t)header_bytes(m, kind);
	original = rte_pktmbuf_read(m, 0, headers_bytes, scratch);
	off = headers_bytes;
	for (unsigned int i = 0; i < count; i++) {
		const bool last = i == count - 1;
		const uint32_t bytes = last ? m->pkt_len - off : payload_bytes(m, kind);

		memcpy(headers, original, headers_bytes);
		number_headers(headers, m, kind, i, last, headers_bytes + bytes);
		out[i] = packet_from(m, pool, headers, headers_bytes, off, bytes);
		if (out[i] == NULL) {
			rte_pktmbuf_free_bulk(out, i);
			return false;
		}
		out[i]->ol_flags |= flags_after(m, kind);
		off += bytes;
	}
	if (kind == CUT_FRAGMENTS && !finish_checksum(m, out[0])) {
		rte_pktmbuf_free_bulk(out, count);
		return false;
	}
	return true;
}
