/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets and mbufs by hand; see packet.h. Nothing is untrusted. */
#include <stdlib.h>

#include "packet.h"

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

uint16_t packet_sum(const uint8_t *bytes, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i += 2) {
		sum += (uint32_t)bytes[i] << 8 | (i + 1 < len ? bytes[i + 1] : 0);
		sum = (sum >> 16) + (sum & 0xffff);
	}
	return (uint16_t)sum;
}

uint16_t packet_pseudo_sum(const struct packet *p, const uint8_t *bytes, uint8_t proto)
{
	const uint8_t *ip = bytes + p->l2_bytes;
	uint32_t l4_bytes = p->len_bytes - p->l2_bytes - p->l3_bytes;
	uint8_t tail[4] = { 0, proto, (uint8_t)(l4_bytes >> 8), (uint8_t)l4_bytes };
	uint16_t sum = p->l3 == PACKET_IPV4 ? packet_sum(ip + 12, 8, 0) : packet_sum(ip + 8, 32, 0);

	return packet_sum(tail, sizeof(tail), sum);
}

static uint32_t build_l2(struct packet *p, const struct packet_spec *spec)
{
	static const uint16_t type[] = { 0x0806, 0x0800, 0x86dd, 0x86dd };
	uint8_t *b = p->bytes;
	uint32_t at = 12;

	for (unsigned int i = 0; i < 12; i++)
		b[i] = (uint8_t)(0x10 + i);
	for (unsigned int v = spec->vlans; v != 0; v--) {
		put16(b + at, v == 2 ? 0x88a8 : 0x8100);
		put16(b + at + 2, 100 + v);
		at += 4;
	}
	put16(b + at, type[spec->l3]);
	return at + 2;
}

static uint32_t build_l3(struct packet *p, const struct packet_spec *spec, uint32_t l4_len)
{
	uint8_t *ip = p->bytes + p->l2_bytes;
	uint32_t len = spec->l3 == PACKET_IPV4 ? 4 * (spec->ihl != 0 ? spec->ihl : 5) : 40;

	memset(ip, 0x01 /* IPv4 NOP options */, 60);
	if (spec->l3 == PACKET_IPV4) {
		ip[0] = (uint8_t)(0x40 | (len / 4));
		ip[1] = 0;
		put16(ip + 2, len + l4_len);
		put16(ip + 4, 1);
		put16(ip + 6, spec->fragment ? 100 : 0);
		ip[8] = 64;
		ip[9] = (uint8_t)spec->l4;
		put16(ip + 10, 0);
		for (unsigned int i = 12; i < 20; i++)
			ip[i] = (uint8_t)(0xc0 + i);
		return len;
	}
	if (spec->l3 == PACKET_IPV6_EXT)
		len += 8;
	memset(ip, 0, len);
	ip[0] = 0x60;
	put16(ip + 4, len - 40 + l4_len);
	ip[6] = (uint8_t)spec->l4;
	ip[7] = 64;
	for (unsigned int i = 8; i < 40; i++)
		ip[i] = (uint8_t)(0x20 + 3 * i);
	if (spec->l3 == PACKET_IPV6_EXT) {
		ip[6] = 0; /* hop by hop */
		ip[40] = (uint8_t)spec->l4;
	}
	return len;
}

void packet_build(struct packet *p, const struct packet_spec *spec)
{
	static const uint8_t csum_at[256] = { [PACKET_TCP] = 16, [PACKET_UDP] = 6 };
	uint8_t *l4;

	memset(p, 0, sizeof(*p));
	p->l3 = spec->l3;
	p->l2_bytes = build_l2(p, spec);
	if (spec->l3 == PACKET_ARP) {
		p->len_bytes = p->l2_bytes + 28;
		return;
	}
	p->l4_bytes = spec->l4 == PACKET_UDP || spec->l4 == PACKET_ICMP ? 8 :
		      spec->l4 == PACKET_SCTP				? 12 :
		      4 * (spec->data_off != 0 ? spec->data_off : 5);
	p->l3_bytes = build_l3(p, spec, p->l4_bytes + spec->payload_bytes);
	l4 = p->bytes + p->l2_bytes + p->l3_bytes;
	memset(l4, 0, 60);
	put16(l4, 1000);
	put16(l4 + 2, 2000);
	if (spec->l4 == PACKET_TCP)
		l4[12] = (uint8_t)((p->l4_bytes / 4) << 4);
	if (spec->l4 == PACKET_UDP)
		put16(l4 + 4, p->l4_bytes + spec->payload_bytes);
	for (uint32_t i = 0; i < spec->payload_bytes; i++)
		l4[p->l4_bytes + i] = (uint8_t)(7 * i + 3);
	p->len_bytes = p->l2_bytes + p->l3_bytes + p->l4_bytes + spec->payload_bytes;
	if (csum_at[spec->l4] != 0)
		put16(l4 + csum_at[spec->l4], packet_pseudo_sum(p, p->bytes, (uint8_t)spec->l4));
}

struct rte_mbuf *packet_mbuf(struct packet *p, const uint32_t *cuts)
{
	uint32_t at = 0;
	unsigned int n = 0;

	memset(p->segs, 0, sizeof(p->segs));
	for (bool last = false; !last; n++) {
		struct rte_mbuf *m = &p->segs[n];
		uint32_t end = cuts != NULL && cuts[n] != 0 ? cuts[n] : p->len_bytes;

		assert_true(n < PACKET_SEGS_MAX);
		last = end >= p->len_bytes;
		end = last ? p->len_bytes : end;
		m->buf_addr = malloc(end - at);
		m->buf_len = (uint16_t)(end - at);
		m->data_len = (uint16_t)(end - at);
		m->refcnt = 1;
		m->next = last ? NULL : m + 1;
		memcpy(m->buf_addr, p->bytes + at, end - at);
		at = end;
	}
	p->segs[0].nb_segs = (uint16_t)n;
	p->segs[0].pkt_len = p->len_bytes;
	return &p->segs[0];
}

void packet_free(struct packet *p)
{
	for (unsigned int i = 0; i < p->segs[0].nb_segs; i++)
		free(p->segs[i].buf_addr);
	p->segs[0].nb_segs = 0;
}

void packet_read(const struct packet *p, uint8_t *out)
{
	for (unsigned int i = 0; i < p->segs[0].nb_segs; i++) {
		memcpy(out, p->segs[i].buf_addr, p->segs[i].data_len);
		out += p->segs[i].data_len;
	}
}

uint32_t packet_crc32c(const uint8_t *bytes, uint32_t len, uint32_t hole)
{
	uint32_t crc = UINT32_MAX;

	for (uint32_t i = 0; i < len; i++) {
		crc ^= i - hole < 4 ? 0 : bytes[i];
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}
