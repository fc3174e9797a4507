/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <netinet/in.h>

#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_mbuf_dyn.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "hdr.h"

#define SCTP_CSUM_OFFSET 8
#define MBUF_L2_LEN_MAX ((1u << RTE_MBUF_L2_LEN_BITS) - 1)
#define MBUF_L3_LEN_MAX ((1u << RTE_MBUF_L3_LEN_BITS) - 1)
#define L4_SHIFT 52 /* of RTE_MBUF_F_TX_L4_MASK */
#define GSO_TYPE(hdr) ((hdr)->gso_type & ~VIRTIO_NET_HDR_GSO_ECN)

uint64_t hdr_uso_flag;

int hdr_uso_enable(void)
{
	static const struct rte_mbuf_dynflag uso = { .name = RTE_VHOST_MBUF_DYNFLAG_USO };
	int bit = rte_mbuf_dynflag_register(&uso);

	if (bit < 0)
		return -rte_errno;
	__atomic_store_n(&hdr_uso_flag, BIT(bit), __ATOMIC_RELAXED);
	return 0;
}

/* What a packet is made of, as far as offloads need to know. */
struct layers {
	uint32_t ptype;
	uint16_t l2_bytes, l3_bytes, l4_bytes;
	uint8_t l4_proto; /* 0: none that we know */
	bool ipv4;
};

/* --- guest to host ----------------------------------------------------- */

/*
 * TCP or UDP right over IP right over Ethernet, all of it in the first segment.
 * Finds what rte_net_get_ptype() would, at a fifth of the price.
 */
static bool parse_usual(const struct rte_mbuf *m, struct layers *out)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const void *);
	const struct rte_ipv4_hdr *ip4 = (const void *)(eth + 1);
	const struct rte_ipv6_hdr *ip6 = (const void *)(eth + 1);
	uint32_t need = sizeof(*eth) + sizeof(*ip6);

	if (m->data_len < need)
		return false;
	*out = (struct layers){ .ptype = RTE_PTYPE_L2_ETHER, .l2_bytes = sizeof(*eth) };
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)) {
		if ((ip4->fragment_offset &
		     RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG)) != 0 ||
		    ip4->version_ihl != RTE_IPV4_VHL_DEF)
			return false;
		out->ptype |= RTE_PTYPE_L3_IPV4;
		out->l3_bytes = sizeof(*ip4);
		out->l4_proto = ip4->next_proto_id;
		out->ipv4 = true;
	} else if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6)) {
		out->ptype |= RTE_PTYPE_L3_IPV6;
		out->l3_bytes = sizeof(*ip6);
		out->l4_proto = ip6->proto;
	} else {
		return false;
	}
	need = (uint32_t)out->l2_bytes + out->l3_bytes;
	if (out->l4_proto == IPPROTO_UDP) {
		out->ptype |= RTE_PTYPE_L4_UDP;
		out->l4_bytes = sizeof(struct rte_udp_hdr);
	} else if (out->l4_proto == IPPROTO_TCP &&
		   m->data_len >= need + sizeof(struct rte_tcp_hdr)) {
		const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(m, const void *, need);

		out->ptype |= RTE_PTYPE_L4_TCP;
		out->l4_bytes = (uint16_t)((tcp->data_off & 0xf0) >> 2);
		if (out->l4_bytes < sizeof(*tcp))
			return false;
	} else {
		return false;
	}
	return m->data_len >= need + out->l4_bytes;
}

static bool parse(const struct rte_mbuf *m, struct layers *out)
{
	struct rte_net_hdr_lens lens = { 0 };
	uint32_t ptype = rte_net_get_ptype(m, &lens, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK |
							     RTE_PTYPE_L4_MASK);
	uint32_t l4 = ptype & RTE_PTYPE_L4_MASK;

	*out = (struct layers){ .ptype = ptype,
				.l2_bytes = lens.l2_len,
				.l3_bytes = lens.l3_len,
				.l4_bytes = lens.l4_len,
				.ipv4 = RTE_ETH_IS_IPV4_HDR(ptype) };
	if (!out->ipv4 && !RTE_ETH_IS_IPV6_HDR(ptype))
		return false;
	if (out->ipv4 && out->l3_bytes < sizeof(struct rte_ipv4_hdr))
		return false;
	if (l4 == RTE_PTYPE_L4_TCP && out->l4_bytes >= sizeof(struct rte_tcp_hdr))
		out->l4_proto = IPPROTO_TCP;
	else if (l4 == RTE_PTYPE_L4_UDP)
		out->l4_proto = IPPROTO_UDP;
	else if (l4 == RTE_PTYPE_L4_SCTP)
		out->l4_proto = IPPROTO_SCTP;
	else
		return false;
	/* More extension headers than an mbuf can describe. */
	if (out->l2_bytes > MBUF_L2_LEN_MAX || out->l3_bytes > MBUF_L3_LEN_MAX)
		return false;
	/* Whoever acts on the flags later expects whole headers up front. */
	return (uint32_t)out->l2_bytes + out->l3_bytes + out->l4_bytes <=
	       rte_pktmbuf_data_len(m);
}

/* Where two bytes of a packet are; false when they straddle segments. */
static uint8_t *two_bytes_at(struct rte_mbuf *m, uint32_t off)
{
	while (m != NULL && off >= m->data_len) {
		off -= m->data_len;
		m = m->next;
	}
	return m != NULL && off + 2 <= m->data_len ? rte_pktmbuf_mtod_offset(m, uint8_t *, off) :
						     NULL;
}

/*
 * One's complement sum over `len` bytes from `off`; false when there are fewer.
 * (rte_raw_cksum_mbuf() of DPDK 22.11 drops the carries of a segment that
 * starts at an odd place.)
 */
static bool sum_mbuf(const struct rte_mbuf *m, uint32_t off, uint32_t len, uint16_t *out)
{
	uint32_t sum = 0, done = 0;

	for (; m != NULL && done < len; m = m->next) {
		uint32_t part;
		uint16_t part_sum;

		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		part = RTE_MIN(m->data_len - off, len - done);
		part_sum = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const uint8_t *, off), part);
		sum += done % 2 != 0 ? rte_bswap16(part_sum) : part_sum;
		done += part;
		off = 0;
	}
	sum = (sum >> 16) + (sum & 0xffff);
	*out = (uint16_t)((sum >> 16) + sum);
	return done == len;
}

/* Completes a checksum as the header asks (virtio 1.2, 5.1.6.2). */
static void software_checksum(const struct virtio_net_hdr_v1 *hdr, struct rte_mbuf *m)
{
	uint32_t start = hdr->csum_start;
	uint32_t field = start + hdr->csum_offset;
	uint8_t *where;
	uint16_t sum;

	if (start >= m->pkt_len || field + 2 > m->pkt_len)
		return;
	where = two_bytes_at(m, field);
	if (where == NULL || !sum_mbuf(m, start, m->pkt_len - start, &sum))
		return;
	if (sum != 0xffff)
		sum = (uint16_t)~sum;
	memcpy(where, &sum, sizeof(sum));
}

static uint64_t tx_checksum_flag(const struct layers *l, const struct virtio_net_hdr_v1 *hdr)
{
	if (hdr->csum_start != l->l2_bytes + l->l3_bytes)
		return 0;
	if (l->l4_proto == IPPROTO_TCP && hdr->csum_offset == HDR_TCP_CSUM_OFFSET)
		return RTE_MBUF_F_TX_TCP_CKSUM;
	if (l->l4_proto == IPPROTO_UDP && hdr->csum_offset == HDR_UDP_CSUM_OFFSET)
		return RTE_MBUF_F_TX_UDP_CKSUM;
	if (l->l4_proto == IPPROTO_SCTP && hdr->csum_offset == SCTP_CSUM_OFFSET)
		return RTE_MBUF_F_TX_SCTP_CKSUM;
	return 0;
}

/* Does the GSO request fit the packet it came with? */
static bool gso_valid(const struct layers *l, const struct virtio_net_hdr_v1 *hdr,
		      uint64_t features)
{
	if (hdr->gso_size == 0)
		return false;
	switch (GSO_TYPE(hdr)) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return l->l4_proto == IPPROTO_TCP && l->ipv4;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return l->l4_proto == IPPROTO_TCP && !l->ipv4;
	case VIRTIO_NET_HDR_GSO_UDP:
		return l->l4_proto == IPPROTO_UDP;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return l->l4_proto == IPPROTO_UDP && (features & BIT(VIRTIO_NET_F_HOST_USO)) != 0;
	default:
		return false;
	}
}

/* Tells datagrams from fragments. */
static uint64_t uso_flag(const struct virtio_net_hdr_v1 *hdr)
{
	return GSO_TYPE(hdr) == VIRTIO_NET_HDR_GSO_UDP_L4 ?
		       __atomic_load_n(&hdr_uso_flag, __ATOMIC_RELAXED) :
		       0;
}

static void to_mbuf_legacy(const struct virtio_net_hdr_v1 *hdr, struct rte_mbuf *m,
			   const struct layers *l, uint64_t features)
{
	bool needs_csum = (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	uint64_t flags = l->ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	uint64_t csum = needs_csum ? tx_checksum_flag(l, hdr) : 0;

	if (needs_csum && csum == 0) {
		/* Not a checksum that an mbuf can ask for. */
		if (GSO_TYPE(hdr) == VIRTIO_NET_HDR_GSO_NONE)
			software_checksum(hdr, m);
		return;
	}
	if (GSO_TYPE(hdr) != VIRTIO_NET_HDR_GSO_NONE) {
		if (!gso_valid(l, hdr, features))
			return;
		flags |= l->l4_proto == IPPROTO_TCP ? RTE_MBUF_F_TX_TCP_SEG :
						      RTE_MBUF_F_TX_UDP_SEG | uso_flag(hdr);
		m->tso_segsz = hdr->gso_size;
		m->l4_len = l->l4_bytes;
	}
	m->ol_flags |= flags | csum;
	m->l2_len = l->l2_bytes;
	m->l3_len = l->l3_bytes;
}

static void to_mbuf_compliant(const struct virtio_net_hdr_v1 *hdr, struct rte_mbuf *m,
			      const struct layers *l, bool known, uint64_t features)
{
	m->packet_type = l->ptype;
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN;
	if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
		uint32_t headers = (uint32_t)l->l2_bytes + l->l3_bytes + l->l4_bytes;

		if (known && hdr->csum_start <= headers)
			m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
		else
			software_checksum(hdr, m);
	}
	if (GSO_TYPE(hdr) != VIRTIO_NET_HDR_GSO_NONE && known &&
	    gso_valid(l, hdr, features)) {
		m->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE | uso_flag(hdr);
		m->tso_segsz = hdr->gso_size;
	}
}

void hdr_to_mbuf(const struct virtio_net_hdr_v1 *hdr, struct rte_mbuf *m, uint64_t features,
		 bool compliant)
{
	struct layers l;
	bool known = parse_usual(m, &l) || parse(m, &l);

	if (compliant)
		to_mbuf_compliant(hdr, m, &l, known, features);
	else if (known)
		to_mbuf_legacy(hdr, m, &l, features);
	else if ((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 &&
		 GSO_TYPE(hdr) == VIRTIO_NET_HDR_GSO_NONE)
		software_checksum(hdr, m);
}

/* --- host to guest ----------------------------------------------------- */

/* A checksum request: which protocol, where its header is, where its sum. */
struct request {
	uint64_t ol_flags;
	uint8_t l4_proto; /* 0: no L4 checksum wanted */
	uint8_t field_offset;
	uint32_t l3_off, l4_off;
};

/* By the two bits of RTE_MBUF_F_TX_L4_MASK. */
static const struct {
	uint8_t proto, field_offset;
} l4_protos[] = {
	[RTE_MBUF_F_TX_L4_NO_CKSUM >> L4_SHIFT] = { 0, 0 },
	[RTE_MBUF_F_TX_TCP_CKSUM >> L4_SHIFT] = { IPPROTO_TCP, HDR_TCP_CSUM_OFFSET },
	[RTE_MBUF_F_TX_UDP_CKSUM >> L4_SHIFT] = { IPPROTO_UDP, HDR_UDP_CSUM_OFFSET },
	[RTE_MBUF_F_TX_SCTP_CKSUM >> L4_SHIFT] = { IPPROTO_SCTP, SCTP_CSUM_OFFSET },
};

static struct request read_request(const struct rte_mbuf *m)
{
	struct request r = { .ol_flags = m->ol_flags, .l3_off = m->l2_len };
	unsigned int l4 = (unsigned int)((r.ol_flags & RTE_MBUF_F_TX_L4_MASK) >> L4_SHIFT);

	/* Segmentation implies the checksum of the protocol it segments. */
	if ((r.ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0)
		l4 = RTE_MBUF_F_TX_TCP_CKSUM >> L4_SHIFT;
	else if ((r.ol_flags & RTE_MBUF_F_TX_UDP_SEG) != 0)
		l4 = RTE_MBUF_F_TX_UDP_CKSUM >> L4_SHIFT;
	/* Under a tunnel l2_len counts from the end of the outer IP header. */
	if ((r.ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) != 0)
		r.l3_off += (uint32_t)(m->outer_l2_len + m->outer_l3_len);
	r.l4_off = r.l3_off + m->l3_len;
	r.l4_proto = l4_protos[l4].proto;
	r.field_offset = l4_protos[l4].field_offset;
	return r;
}

/* The longest header stack that we compute checksums in. */
#define HEADERS_MAX_BYTES 256

/*
 * The headers up to the checksums that are asked for, in one piece: in the mbuf,
 * or copied to `scratch`. NULL when the mbuf's lengths make no sense.
 */
static const uint8_t *read_headers(const struct rte_mbuf *m, const struct request *r,
				   uint8_t *scratch)
{
	bool ipv6 = (r->ol_flags & RTE_MBUF_F_TX_IPV6) != 0;
	uint32_t len = r->l4_proto != 0 ? r->l4_off + r->field_offset + 2u : r->l4_off;

	if ((r->ol_flags & (HDR_MBUF_REQUESTS & ~HDR_MBUF_OUTER_SUMS)) != 0 &&
	    m->l3_len < (ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)))
		return NULL;
	if ((r->ol_flags & HDR_MBUF_OUTER_SUMS) != 0)
		len = RTE_MAX(len, m->outer_l2_len + m->outer_l3_len + sizeof(struct rte_udp_hdr));
	if (len > HEADERS_MAX_BYTES || len > m->pkt_len)
		return NULL;
	return rte_pktmbuf_read(m, 0, len, scratch);
}

static void add_fixup(struct hdr_fixups *fixups, uint32_t offset_bytes, uint16_t value)
{
	fixups->at[fixups->count].offset_bytes = (uint16_t)offset_bytes; /* below HEADERS_MAX_BYTES */
	fixups->at[fixups->count].value = value;
	fixups->count++;
}

/* Bytes from the L4 header on, as the IP header says; what is behind is padding. */
static uint32_t l4_bytes(const struct rte_mbuf *m, const struct request *r, const uint8_t *headers)
{
	const struct rte_ipv4_hdr *ip4 = (const void *)(headers + r->l3_off);
	const struct rte_ipv6_hdr *ip6 = (const void *)(headers + r->l3_off);
	uint32_t there = m->pkt_len - r->l4_off, l3_bytes;

	if ((r->ol_flags & RTE_MBUF_F_TX_IPV6) != 0)
		l3_bytes = rte_be_to_cpu_16(ip6->payload_len) + (uint32_t)sizeof(*ip6);
	else
		l3_bytes = rte_be_to_cpu_16(ip4->total_length);
	/* One that contradicts the mbuf says nothing. */
	if (l3_bytes < m->l3_len + r->field_offset + 2u || l3_bytes - m->l3_len > there)
		return there;
	return l3_bytes - m->l3_len;
}

/* Sum over the pseudo header, length included, as a partial checksum holds it. */
static uint16_t pseudo_sum(const struct request *r, const uint8_t *headers)
{
	const void *l3 = headers + r->l3_off;
	struct rte_ipv6_hdr ip6;
	uint32_t bytes;

	if ((r->ol_flags & RTE_MBUF_F_TX_IPV6) == 0)
		return hdr_pseudo_ipv4(l3);
	/* RFC 8200, 8.1: protocol and length without extension headers. */
	memcpy(&ip6, l3, sizeof(ip6));
	bytes = rte_be_to_cpu_16(ip6.payload_len) + (uint32_t)sizeof(ip6) - (r->l4_off - r->l3_off);
	ip6.payload_len = rte_cpu_to_be_16((uint16_t)bytes);
	ip6.proto = r->l4_proto;
	return rte_ipv6_phdr_cksum(&ip6, 0);
}

/* `sum` without the 16 bits `old` that went into it. */
static uint16_t sum_without(uint64_t sum, uint16_t old)
{
	return hdr_fold(sum + (uint16_t)~old);
}

/* The CRC32C of `len` bytes from `off`, which are there. */
static uint32_t crc_mbuf(const struct rte_mbuf *m, uint32_t off, uint32_t len, uint32_t crc)
{
	for (; off >= m->data_len && len != 0; m = m->next)
		off -= m->data_len;
	for (; len != 0; m = m->next, off = 0) {
		const uint8_t *at = rte_pktmbuf_mtod_offset(m, const uint8_t *, off);
		uint32_t part = RTE_MIN(m->data_len - off, len);

		len -= part;
		/* It reads words, without a look at where they lie. */
		for (; part != 0 && (uintptr_t)at % sizeof(uint64_t) != 0; part--)
			crc = rte_hash_crc_1byte(*at++, crc);
		crc = rte_hash_crc(at, part, crc);
	}
	return crc;
}

/* The whole CRC of SCTP (RFC 9260, appendix A), with its own field taken as zero. */
static bool fill_sctp_crc(const struct rte_mbuf *m, const struct request *r, uint32_t bytes,
			  struct hdr_fixups *fixups)
{
	static const uint32_t zero;
	const uint32_t field = r->l4_off + SCTP_CSUM_OFFSET, behind = field + sizeof(zero);
	const uint32_t end = r->l4_off + bytes;
	uint16_t halves[2];
	uint32_t crc;

	if (end < behind)
		return false;
	crc = crc_mbuf(m, r->l4_off, SCTP_CSUM_OFFSET, UINT32_MAX);
	crc = rte_hash_crc(&zero, sizeof(zero), crc);
	crc = rte_cpu_to_le_32(~crc_mbuf(m, behind, end - behind, crc));
	memcpy(halves, &crc, sizeof(halves));
	add_fixup(fixups, field, halves[0]);
	add_fixup(fixups, field + 2, halves[1]);
	return true;
}

/* The whole checksum, for a guest that takes no partial ones. */
static bool fill_whole_checksum(const struct rte_mbuf *m, const struct request *r,
				const uint8_t *headers, struct hdr_fixups *fixups)
{
	uint32_t field = r->l4_off + r->field_offset, bytes = l4_bytes(m, r, headers);
	uint16_t old, body, sum;

	if (r->l4_proto == IPPROTO_SCTP)
		return fill_sctp_crc(m, r, bytes, fixups);
	if (!sum_mbuf(m, r->l4_off, bytes, &body))
		return false;
	memcpy(&old, headers + field, sizeof(old));
	sum = (uint16_t)~sum_without((uint32_t)body + pseudo_sum(r, headers), old);
	add_fixup(fixups, field, sum == 0 && r->l4_proto == IPPROTO_UDP ? 0xffff : sum);
	return true;
}

static bool fill_l4_checksum(const struct rte_mbuf *m, const struct request *r, uint64_t features,
			     const uint8_t *headers, struct virtio_net_hdr_v1 *hdr,
			     struct hdr_fixups *fixups)
{
	if ((features & BIT(VIRTIO_NET_F_GUEST_CSUM)) == 0)
		return fill_whole_checksum(m, r, headers, fixups);
	hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->csum_start = (uint16_t)r->l4_off;
	hdr->csum_offset = r->field_offset;
	/* SCTP has no pseudo header; its CRC is the guest's business. */
	if (r->l4_proto != IPPROTO_SCTP)
		add_fixup(fixups, r->l4_off + r->field_offset, pseudo_sum(r, headers));
	return true;
}

static bool fill_ipv4_checksum(const uint8_t *headers, uint32_t off, uint32_t bytes,
			       struct hdr_fixups *fixups)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(headers + off);
	uint16_t sum;

	/* The packet's own idea of its length: only as far as we have it. */
	if (bytes < sizeof(*ip) || rte_ipv4_hdr_len(ip) > bytes)
		return false;
	sum = rte_raw_cksum(ip, rte_ipv4_hdr_len(ip));
	sum = (uint16_t)~sum_without(sum, ip->hdr_checksum);
	add_fixup(fixups, off + (uint32_t)offsetof(struct rte_ipv4_hdr, hdr_checksum), sum);
	return true;
}

static bool fill_outer_checksums(const struct rte_mbuf *m, const uint8_t *headers,
				 struct hdr_fixups *fixups)
{
	/* Over IPv4 a tunnel's UDP needs none (RFC 768); over IPv6 it is nothing we can do. */
	if ((m->ol_flags & RTE_MBUF_F_TX_OUTER_IPV4) == 0)
		return false;
	if ((m->ol_flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0)
		add_fixup(fixups, (uint32_t)(m->outer_l2_len + m->outer_l3_len) + HDR_UDP_CSUM_OFFSET,
			  0);
	return (m->ol_flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM) == 0 ||
	       fill_ipv4_checksum(headers, m->outer_l2_len, m->outer_l3_len, fixups);
}

/* Segmentation left to the guest, if it agreed to that. */
static bool fill_gso(const struct rte_mbuf *m, const struct request *r, uint64_t features,
		     const uint8_t *headers, struct virtio_net_hdr_v1 *hdr)
{
	const bool ipv6 = (r->ol_flags & RTE_MBUF_F_TX_IPV6) != 0;
	uint64_t needed = BIT(VIRTIO_NET_F_GUEST_CSUM);

	if ((r->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) != 0 || m->tso_segsz == 0)
		return false;
	if ((r->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0) {
		hdr->gso_type = ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		needed |= BIT(ipv6 ? VIRTIO_NET_F_GUEST_TSO6 : VIRTIO_NET_F_GUEST_TSO4);
		if ((headers[r->l4_off + HDR_TCP_FLAGS_OFFSET] & HDR_TCP_CWR) != 0) {
			hdr->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
			needed |= BIT(VIRTIO_NET_F_GUEST_ECN);
		}
	} else if (hdr_wants_datagrams(m)) {
		hdr->gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		needed |= BIT(ipv6 ? VIRTIO_NET_F_GUEST_USO6 : VIRTIO_NET_F_GUEST_USO4);
	} else {
		hdr->gso_type = VIRTIO_NET_HDR_GSO_UDP;
		needed |= BIT(VIRTIO_NET_F_GUEST_UFO);
	}
	hdr->gso_size = m->tso_segsz;
	hdr->hdr_len = (uint16_t)(r->l4_off + m->l4_len);
	return (features & needed) == needed;
}

bool hdr_from_mbuf(const struct rte_mbuf *m, uint64_t features, struct virtio_net_hdr_v1 *hdr,
		   struct hdr_fixups *fixups)
{
	uint8_t scratch[HEADERS_MAX_BYTES];
	const uint8_t *headers;
	struct request r = read_request(m);

	fixups->count = 0;
	*hdr = (struct virtio_net_hdr_v1){ .flags = hdr_known_sum(m, features), .num_buffers = 1 };
	if ((r.ol_flags & HDR_MBUF_REQUESTS) == 0)
		return true;
	if ((r.ol_flags & HDR_MBUF_TAGS) != 0)
		return false;
	headers = read_headers(m, &r, scratch);
	if (headers == NULL)
		return false;
	if ((r.ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) != 0 &&
	    !fill_gso(m, &r, features, headers, hdr))
		return false;
	if (r.l4_proto != 0 && !fill_l4_checksum(m, &r, features, headers, hdr, fixups))
		return false;
	if ((r.ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0 &&
	    !fill_ipv4_checksum(headers, r.l3_off, r.l4_off - r.l3_off, fixups))
		return false;
	return (r.ol_flags & HDR_MBUF_OUTER_SUMS) == 0 || fill_outer_checksums(m, headers, fixups);
}

void hdr_hash_from_mbuf(const struct rte_mbuf *m, struct virtio_net_hdr_v1_hash *hdr)
{
	const uint32_t l4 = m->packet_type & RTE_PTYPE_L4_MASK;
	uint16_t type = VIRTIO_NET_HASH_REPORT_NONE;

	/* TCPv4 and UDPv4 come after IPv4, TCPv6 and UDPv6 after IPv6. */
	if ((m->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0) {
		if (RTE_ETH_IS_IPV4_HDR(m->packet_type))
			type = VIRTIO_NET_HASH_REPORT_IPv4;
		else if (RTE_ETH_IS_IPV6_HDR(m->packet_type))
			type = VIRTIO_NET_HASH_REPORT_IPv6;
		if (type != VIRTIO_NET_HASH_REPORT_NONE)
			type = (uint16_t)(type + (l4 == RTE_PTYPE_L4_TCP ? 1 :
						  l4 == RTE_PTYPE_L4_UDP ? 2 :
									   0));
	}
	hdr->hash_value = type != VIRTIO_NET_HASH_REPORT_NONE ? rte_cpu_to_le_32(m->hash.rss) : 0;
	hdr->hash_report = rte_cpu_to_le_16(type);
	hdr->padding = 0;
}
