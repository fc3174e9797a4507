/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's virtio-net header over a guest's packet, both made of anything:
 * to mbuf fields, and from those back to a header for another guest. No EAL:
 * mbufs are made by hand, their data in allocations of exactly their size.
 *
 * Checked: towards the host the packet stays as it was but for a checksum that
 * was asked for, which is then right; towards the guest the mbuf's bytes are
 * never touched, what is to be fixed up are checksum fields only, and a checksum
 * that is declared complete is; the inline answer is the long one; the fields
 * that somebody divides by or reads so many bytes of make sense; what a guest
 * asked for arrives at another that agreed to everything.
 */
#include <linux/virtio_net.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>

#include "input.h"
#include "net/hdr.h"

#define SEGS_MAX 4
#define SEG_MAX_BYTES 700

struct packet {
	struct rte_mbuf segs[SEGS_MAX];
	unsigned int nr_segs;
	/* As it was when last looked at. */
	uint8_t bytes[SEGS_MAX * SEG_MAX_BYTES];
};

ORACLE static void flatten(const struct packet *p, uint8_t *to)
{
	for (unsigned int i = 0; i < p->nr_segs; i++) {
		memcpy(to, p->segs[i].buf_addr, p->segs[i].data_len);
		to += p->segs[i].data_len;
	}
}

/* One's complement sum, a byte at a time (RFC 1071). */
ORACLE static uint16_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16 != 0)
		sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

static void make_packet(struct packet *p, struct input *in)
{
	memset(p, 0, sizeof(*p));
	p->nr_segs = 1 + input_u8(in) % SEGS_MAX;
	for (unsigned int i = 0; i < p->nr_segs; i++) {
		struct rte_mbuf *m = &p->segs[i];
		uint16_t len = 1 + input_u16(in) % SEG_MAX_BYTES;

		m->buf_addr = malloc(len);
		MUST(m->buf_addr != NULL);
		m->buf_len = len;
		m->data_len = len;
		m->nb_segs = 1;
		rte_mbuf_refcnt_set(m, 1);
		input_bytes(in, m->buf_addr, len);
		p->segs[0].pkt_len += len;
		if (i != 0)
			p->segs[i - 1].next = m;
	}
	p->segs[0].nb_segs = (uint16_t)p->nr_segs;
	flatten(p, p->bytes);
}

/* Only the checksum that the header asks for may have changed. */
ORACLE static void check_software_checksum(struct packet *p, const struct virtio_net_hdr_v1 *hdr)
{
	static uint8_t now[sizeof(p->bytes)];
	uint32_t len = p->segs[0].pkt_len;
	uint32_t start = hdr->csum_start, field = start + hdr->csum_offset;

	flatten(p, now);
	if (memcmp(p->bytes, now, len) == 0)
		return;
	MUST((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 && start < len && field + 2 <= len);
	MUST(memcmp(p->bytes, now, field) == 0);
	MUST(memcmp(p->bytes + field + 2, now + field + 2, len - field - 2) == 0);
	/* The sum of all there was is now in the field, complemented. */
	if (field % 2 == start % 2)
		MUST((uint16_t)~sum_of(p->bytes + start, len - start, 0) ==
			     (now[field] << 8 | now[field + 1]) ||
		     sum_of(p->bytes + start, len - start, 0) == 0xffff);
	memcpy(p->bytes, now, len);
}

ORACLE static void check_fields(const struct rte_mbuf *m, bool compliant)
{
	uint64_t flags = m->ol_flags;
	bool segments = (flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG |
				  RTE_MBUF_F_RX_LRO)) != 0;

	/* What later divides by it or reads so many header bytes. */
	if (segments)
		MUST(m->tso_segsz != 0);
	if (compliant)
		MUST((flags & RTE_MBUF_F_TX_L4_MASK) == 0 && m->l2_len == 0);
	else if ((flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)) != 0)
		MUST((uint32_t)(m->l2_len + m->l3_len + m->l4_len) <= m->data_len);
	if ((flags & RTE_MBUF_F_TX_TCP_SEG) != 0)
		MUST(m->l4_len >= 20 && (flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)) != 0);
}

/* What a fixed up packet must be, given the one that was sent. */
ORACLE static void check_fixups(const struct packet *p, const struct virtio_net_hdr_v1 *hdr,
				const struct hdr_fixups *fixups)
{
	static uint8_t now[sizeof(p->bytes)];
	const struct rte_mbuf *m = &p->segs[0];
	uint64_t flags = m->ol_flags;
	uint32_t l3 = m->l2_len, l4, sum_field = UINT32_MAX, ip_field = UINT32_MAX;
	uint32_t outer_ip_field = UINT32_MAX, outer_udp_field = UINT32_MAX;
	uint64_t wanted = flags & RTE_MBUF_F_TX_L4_MASK;

	if ((flags & RTE_MBUF_F_TX_TUNNEL_MASK) != 0)
		l3 += m->outer_l2_len + m->outer_l3_len;
	l4 = l3 + m->l3_len;
	if ((flags & RTE_MBUF_F_TX_TCP_SEG) != 0)
		wanted = RTE_MBUF_F_TX_TCP_CKSUM;
	else if ((flags & RTE_MBUF_F_TX_UDP_SEG) != 0)
		wanted = RTE_MBUF_F_TX_UDP_CKSUM;
	if (wanted == RTE_MBUF_F_TX_TCP_CKSUM)
		sum_field = l4 + 16;
	else if (wanted == RTE_MBUF_F_TX_UDP_CKSUM)
		sum_field = l4 + 6;
	else if (wanted == RTE_MBUF_F_TX_SCTP_CKSUM)
		sum_field = l4 + 8;
	if ((flags & RTE_MBUF_F_TX_IP_CKSUM) != 0)
		ip_field = l3 + 10;
	if ((flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM) != 0)
		outer_ip_field = m->outer_l2_len + 10u;
	if ((flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0)
		outer_udp_field = (uint32_t)(m->outer_l2_len + m->outer_l3_len) + 6;

	memcpy(now, p->bytes, m->pkt_len);
	for (unsigned int i = 0; i < fixups->count; i++) {
		uint32_t at = fixups->at[i].offset_bytes;

		MUST(at == sum_field || at == ip_field || at == outer_ip_field ||
		     at == outer_udp_field ||
		     (at == sum_field + 2 && wanted == RTE_MBUF_F_TX_SCTP_CKSUM));
		MUST(at <= m->pkt_len - 2);
		memcpy(now + at, &fixups->at[i].value, 2);
	}
	/* Headers may lie over each other. */
	if ((flags & HDR_MBUF_OUTER_SUMS) != 0)
		return;
	if (ip_field != UINT32_MAX && sum_field != ip_field)
		MUST(sum_of(now + l3, (now[l3] & 15u) * 4u, 0) == 0xffff ||
		     (now[l3] & 15u) * 4u < 20);
	if (wanted == 0) {
		MUST(hdr->flags == 0 || (hdr->flags == VIRTIO_NET_HDR_F_DATA_VALID &&
					 (flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD) != 0));
	} else if (hdr->flags == VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		MUST(hdr->csum_start == l4 && hdr->csum_start + hdr->csum_offset == sum_field);
	} else if (wanted != RTE_MBUF_F_TX_SCTP_CKSUM && (flags & RTE_MBUF_F_TX_IPV6) == 0) {
		/* Addresses, protocol, and the length that the IP header tells. */
		uint16_t pseudo = rte_ipv4_phdr_cksum((const void *)(p->bytes + l3), 0);
		/* Up to where it says, if that is in the packet and behind the checksum. */
		uint32_t total = (uint32_t)p->bytes[l3 + 2] << 8 | p->bytes[l3 + 3];
		uint32_t end = total >= sum_field + 2 - l3 && l3 + total <= m->pkt_len ? l3 + total :
											  m->pkt_len;
		uint16_t sum = sum_of(now + l4, end - l4, rte_be_to_cpu_16(pseudo));

		MUST((hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0);
		/* 0 is for nothing but zeros, the IP header's protocol among them. */
		MUST(sum == 0xffff || sum == 0);
	}
}

ORACLE static void check_usual(const struct rte_mbuf *m, uint64_t features, bool fits,
			       const struct virtio_net_hdr_v1 *hdr, const struct hdr_fixups *fixups)
{
	struct virtio_net_hdr_v1 usual;
	struct hdr_fixups usual_fixups;

	if (!hdr_from_usual_mbuf(m, features, &usual, &usual_fixups))
		return;
	MUST(fits);
	MUST(memcmp(&usual, hdr, sizeof(usual)) == 0 && usual_fixups.count == fixups->count);
	for (unsigned int i = 0; i < fixups->count; i++)
		MUST(usual_fixups.at[i].offset_bytes == fixups->at[i].offset_bytes &&
		     usual_fixups.at[i].value == fixups->at[i].value);
}

static void back(const struct packet *p, uint64_t features)
{
	static uint8_t now[sizeof(p->bytes)];
	const struct rte_mbuf *m = &p->segs[0];
	struct virtio_net_hdr_v1 hdr = { 0 };
	struct hdr_fixups fixups = { 0 };
	bool fits = hdr_from_mbuf(m, features, &hdr, &fixups);

	flatten(p, now);
	MUST(memcmp(p->bytes, now, m->pkt_len) == 0);
	check_usual(m, features, fits, &hdr, &fixups);
	if (!fits)
		return;
	MUST(fixups.count <= ARRAY_LEN(fixups.at));
	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		MUST(hdr.gso_size != 0 && hdr.gso_size == m->tso_segsz);
	if ((hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
		MUST((features & BIT(VIRTIO_NET_F_GUEST_CSUM)) != 0 &&
		     (uint32_t)hdr.csum_start + hdr.csum_offset + 2 <= m->pkt_len);
	check_fixups(p, &hdr, &fixups);
}

/* To a guest that agreed to everything: the same wish comes out. */
ORACLE static void check_round_trip(const struct packet *p, const struct virtio_net_hdr_v1 *sent)
{
	const struct rte_mbuf *m = &p->segs[0];
	uint64_t flags = m->ol_flags & HDR_MBUF_OFFLOADS;
	struct virtio_net_hdr_v1 hdr = { 0 };
	struct hdr_fixups fixups = { 0 };

	/* Headers may be longer than what we look at. */
	if (flags == 0 || !hdr_from_mbuf(m, UINT64_MAX, &hdr, &fixups))
		return;
	if ((sent->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
		MUST(hdr.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
		     hdr.csum_start == sent->csum_start && hdr.csum_offset == sent->csum_offset);
	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		MUST(hdr.gso_size == sent->gso_size &&
		     (hdr.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) ==
			     (sent->gso_type & ~VIRTIO_NET_HDR_GSO_ECN));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	struct input in = { bytes, len_bytes };
	struct virtio_net_hdr_v1 hdr;
	uint8_t mode = input_u8(&in);
	uint64_t features = input_u64(&in);
	struct packet p;

	hdr_uso_flag = 1ull << 30; /* stands for the one that DPDK gives out */
	input_bytes(&in, &hdr, sizeof(hdr));
	make_packet(&p, &in);
	hdr_to_mbuf(&hdr, &p.segs[0], UINT64_MAX, (mode & 1) != 0);
	check_fields(&p.segs[0], (mode & 1) != 0);
	check_software_checksum(&p, &hdr);
	if ((mode & 1) == 0)
		check_round_trip(&p, &hdr);
	if ((mode & 2) != 0) {
		/* As a careless application in between might leave it. */
		p.segs[0].ol_flags = input_u64(&in) & ~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT);
		p.segs[0].tx_offload = input_u64(&in);
	}
	if ((p.segs[0].ol_flags & HDR_MBUF_OFFLOADS) != 0)
		back(&p, features);
	for (unsigned int i = 0; i < p.nr_segs; i++)
		free(p.segs[i].buf_addr);
	return 0;
}
