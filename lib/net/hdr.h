/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio-net header and the offload fields of an mbuf, each way. The
 * header comes by value: a private copy, whatever the guest does to its own.
 */
#ifndef VHOST_NG_NET_HDR_H
#define VHOST_NG_NET_HDR_H

#include <linux/virtio_net.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "net.h"

/*
 * Checksums that go into the guest's copy of a packet after its bytes. The mbuf
 * itself is never written to: it may be shared with other ports.
 */
struct hdr_fixups {
	unsigned int count;
	struct {
		uint16_t offset_bytes; /* in the packet */
		uint16_t value;        /* as it stands in memory */
	} at[5]; /* L4 (a CRC takes two), IPv4, outer IPv4, outer UDP */
};

#define HDR_MBUF_TAGS (RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ)
#define HDR_MBUF_OUTER_SUMS (RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_UDP_CKSUM)
#define HDR_MBUF_REQUESTS                                                                 \
	(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_SEG | \
	 RTE_MBUF_F_TX_UDP_SEG | HDR_MBUF_OUTER_SUMS | HDR_MBUF_TAGS)
/* What makes a header (or a packet) other than plain: requests, and a checksum known to be good. */
#define HDR_MBUF_OFFLOADS (HDR_MBUF_REQUESTS | RTE_MBUF_F_RX_L4_CKSUM_GOOD)

/*
 * Guest to host: turns what the header asks for into mbuf fields. The packet
 * is already in `m`. In legacy mode the mbuf says what remains to be done (Tx
 * flags), in compliant mode what is known about the packet (Rx flags). What an
 * mbuf cannot express is done here, in software; what makes no sense is left
 * out and the packet delivered as it is.
 */
void hdr_to_mbuf(const struct virtio_net_hdr_v1 *hdr, struct rte_mbuf *m, uint64_t features,
		 bool compliant);

/*
 * Host to guest, for an mbuf with any of HDR_MBUF_OFFLOADS: fills the header
 * and the fixups. False when the packet needs more than that (soft.h), or the
 * mbuf's lengths make no sense.
 */
bool hdr_from_mbuf(const struct rte_mbuf *m, uint64_t features, struct virtio_net_hdr_v1 *hdr,
		   struct hdr_fixups *fixups);

/*
 * The mbuf flag that makes UDP_SEG mean datagrams (USO) and not fragments (UFO);
 * 0 until somebody asked for USO.
 */
extern uint64_t hdr_uso_flag;
/* Has DPDK give us that flag. 0, or -errno (none is free). */
int hdr_uso_enable(void);

/* Does UDP_SEG ask for datagrams (USO), or for fragments of one (UFO)? */
static ALWAYS_INLINE bool hdr_wants_datagrams(const struct rte_mbuf *m)
{
	return (m->ol_flags & __atomic_load_n(&hdr_uso_flag, __ATOMIC_RELAXED)) != 0;
}

/* The guest may skip its check of a checksum that is known to be good (virtio 1.2, 5.1.6.4). */
static ALWAYS_INLINE uint8_t hdr_known_sum(const struct rte_mbuf *m, uint64_t features)
{
	bool good = (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;

	/*
	 * Under a tunnel, whether it came in one or was put into one since, it is the inner one that
	 * was looked at, and the outer that is meant.
	 */
	return good && (features & BIT(VIRTIO_NET_F_GUEST_CSUM)) != 0 &&
			       (m->packet_type & RTE_PTYPE_TUNNEL_MASK) == 0 &&
			       (m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) == 0 ?
		       VIRTIO_NET_HDR_F_DATA_VALID :
		       0;
}

/* The hash fields of a header, whoever computed it (virtio 1.2, 5.1.6.4.4). */
void hdr_hash_from_mbuf(const struct rte_mbuf *m, struct virtio_net_hdr_v1_hash *hdr);

/* --- the usual request, without a call ---------------------------------- */

#define HDR_TCP_FLAGS_OFFSET 13
#define HDR_TCP_CWR 0x80

#define HDR_TCP_CSUM_OFFSET 16
#define HDR_UDP_CSUM_OFFSET 6

/* A one's complement sum, down to 16 bits. */
static ALWAYS_INLINE uint16_t hdr_fold(uint64_t sum)
{
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)((sum >> 16) + sum);
}

/* As rte_ipv4_phdr_cksum(), at a quarter of the price. */
static ALWAYS_INLINE uint16_t hdr_pseudo_ipv4(const struct rte_ipv4_hdr *ip)
{
	uint16_t len = (uint16_t)(rte_be_to_cpu_16(ip->total_length) - rte_ipv4_hdr_len(ip));

	return hdr_fold((uint64_t)ip->src_addr + ip->dst_addr +
			rte_cpu_to_be_16(ip->next_proto_id) + rte_cpu_to_be_16(len));
}

/* The checksum of an IPv4 header without options, whatever stands in its place now. */
static ALWAYS_INLINE uint16_t hdr_ipv4_checksum(const struct rte_ipv4_hdr *ip)
{
	uint64_t a, b, sum;
	uint32_t c;

	memcpy(&a, ip, sizeof(a));
	memcpy(&b, (const uint8_t *)ip + 8, sizeof(b));
	memcpy(&c, (const uint8_t *)ip + 16, sizeof(c));
	sum = (a >> 32) + (uint32_t)a + (b >> 32) + (uint32_t)b + c;
	return (uint16_t)~hdr_fold(sum + (uint16_t)~ip->hdr_checksum);
}

/*
 * What hdr_from_mbuf() does, for what most packets ask: nothing, with a checksum
 * that is known; or checksums of TCP or UDP over IPv4 without options, maybe
 * segmentation of TCP, all headers in the first segment. False: not that.
 */
static ALWAYS_INLINE bool hdr_from_usual_mbuf(const struct rte_mbuf *m, uint64_t features,
					      struct virtio_net_hdr_v1 *hdr,
					      struct hdr_fixups *fixups)
{
	const uint64_t unusual = RTE_MBUF_F_TX_TUNNEL_MASK | RTE_MBUF_F_TX_UDP_SEG |
				 RTE_MBUF_F_TX_IPV6 | HDR_MBUF_OUTER_SUMS | HDR_MBUF_TAGS;
	const uint64_t asked = m->ol_flags & (HDR_MBUF_REQUESTS | unusual);
	const bool tso = (asked & RTE_MBUF_F_TX_TCP_SEG) != 0;
	const uint64_t l4 = tso ? RTE_MBUF_F_TX_TCP_CKSUM : asked & ~RTE_MBUF_F_TX_IP_CKSUM;
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const void *, m->l2_len);
	const uint32_t l4_off = (uint32_t)(m->l2_len + m->l3_len);
	const uint32_t offset = l4 == RTE_MBUF_F_TX_TCP_CKSUM ? HDR_TCP_CSUM_OFFSET :
								HDR_UDP_CSUM_OFFSET;
	const uint64_t needed = BIT(VIRTIO_NET_F_GUEST_CSUM) |
				(tso ? BIT(VIRTIO_NET_F_GUEST_TSO4) : 0);

	if ((asked & HDR_MBUF_REQUESTS) == 0) {
		*hdr = (struct virtio_net_hdr_v1){ .flags = hdr_known_sum(m, features),
						   .num_buffers = 1 };
		fixups->count = 0;
		return true;
	}
	if ((l4 != RTE_MBUF_F_TX_TCP_CKSUM && l4 != RTE_MBUF_F_TX_UDP_CKSUM) ||
	    (asked & unusual) != 0)
		return false;
	if ((features & needed) != needed || m->l3_len != sizeof(*ip) ||
	    l4_off + offset + 2 > m->data_len || ip->version_ihl != RTE_IPV4_VHL_DEF ||
	    (tso && (m->tso_segsz == 0 ||
		     (*rte_pktmbuf_mtod_offset(m, const uint8_t *, l4_off + HDR_TCP_FLAGS_OFFSET) &
		      HDR_TCP_CWR) != 0)))
		return false;
	*hdr = (struct virtio_net_hdr_v1){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					   .csum_start = (uint16_t)l4_off,
					   .csum_offset = (uint16_t)offset,
					   .num_buffers = 1 };
	if (tso) {
		hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		hdr->gso_size = m->tso_segsz;
		hdr->hdr_len = (uint16_t)(l4_off + m->l4_len);
	}
	fixups->count = 1;
	fixups->at[0].offset_bytes = (uint16_t)(l4_off + offset);
	fixups->at[0].value = hdr_pseudo_ipv4(ip);
	if ((asked & RTE_MBUF_F_TX_IP_CKSUM) != 0) {
		fixups->count = 2;
		fixups->at[1].offset_bytes =
			(uint16_t)(m->l2_len + offsetof(struct rte_ipv4_hdr, hdr_checksum));
		fixups->at[1].value = hdr_ipv4_checksum(ip);
	}
	return true;
}

#endif
