/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's virtio-net header over a guest's packet, both made of anything:
 * to mbuf fields, and from those back to a header for another guest. No EAL:
 * mbufs are made by hand, their data in allocations of exactly their size.
 */
#include <linux/virtio_net.h>
#include <rte_mbuf.h>
#include <rte_net.h>

#include "input.h"
#include "net/hdr.h"

#define SEGS_MAX 4
#define SEG_MAX_BYTES 700

struct packet {
	struct rte_mbuf segs[SEGS_MAX];
	unsigned int nr_segs;
};

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
}

static void check_fields(const struct rte_mbuf *m, bool compliant)
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

static void back(const struct rte_mbuf *m, uint64_t features)
{
	struct virtio_net_hdr_v1 hdr = { 0 };
	struct hdr_patch patch = { 0 };

	if (!hdr_from_mbuf(m, features, &hdr, &patch))
		return;
	MUST(patch.len_bytes <= sizeof(patch.bytes) && patch.len_bytes <= m->pkt_len);
	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		MUST(hdr.gso_size != 0);
	if ((hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
		MUST((uint32_t)hdr.csum_start + hdr.csum_offset + 2 <= m->pkt_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	struct input in = { bytes, len_bytes };
	struct virtio_net_hdr_v1 hdr;
	uint8_t mode = input_u8(&in);
	uint64_t features = input_u64(&in);
	struct packet p;

	input_bytes(&in, &hdr, sizeof(hdr));
	make_packet(&p, &in);
	hdr_to_mbuf(&hdr, &p.segs[0], (mode & 1) != 0);
	check_fields(&p.segs[0], (mode & 1) != 0);
	if ((mode & 2) != 0) {
		/* As a careless application in between might leave it. */
		p.segs[0].ol_flags = input_u64(&in) & ~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT);
		p.segs[0].tx_offload = input_u64(&in);
	}
	if ((p.segs[0].ol_flags & HDR_MBUF_OFFLOADS) != 0)
		back(&p.segs[0], features);
	for (unsigned int i = 0; i < p.nr_segs; i++)
		free(p.segs[i].buf_addr);
	return 0;
}
