/* SPDX-License-Identifier: BSD-3-Clause */
/* Mbufs and frames for the flow tests; see packets.h. */
#include "packets.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_net.h"

#define MAX_BYTES (1u << 20)

struct rte_mbuf *
packet_make(struct rte_mempool *pool, const void *data, uint32_t data_bytes, uint32_t seg_bytes)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool);
	struct rte_mbuf *last = head;
	const char *in = data;

	if (head == NULL)
		abort();
	while (data_bytes > 0) {
		uint32_t n = rte_pktmbuf_tailroom(last);

		if (seg_bytes != 0 && n > seg_bytes)
			n = seg_bytes;
		if (n > data_bytes)
			n = data_bytes;
		memcpy(rte_pktmbuf_mtod(last, char *), in, n);
		last->data_len = (uint16_t)n;
		head->pkt_len += n;
		in += n;
		data_bytes -= n;
		if (data_bytes == 0)
			break;
		last->next = rte_pktmbuf_alloc(pool);
		if (last->next == NULL)
			abort();
		last = last->next;
		head->nb_segs++;
	}
	return head;
}

struct rte_mbuf *
packet_pattern(struct rte_mempool *pool, uint32_t seed, uint32_t data_bytes, uint32_t seg_bytes)
{
	uint8_t *data = malloc(data_bytes + 1);
	struct rte_mbuf *m;

	if (data == NULL)
		abort();
	guest_pattern(seed, data, data_bytes);
	m = packet_make(pool, data, data_bytes, seg_bytes);
	free(data);
	return m;
}

bool
packet_equals(const struct rte_mbuf *m, const void *data, uint32_t data_bytes)
{
	const struct rte_mbuf *seg = m;
	const uint8_t *expected = data;
	uint32_t at = 0;
	unsigned segs = 0;

	if (m->pkt_len != data_bytes) {
		fprintf(stderr, "pkt_len %u, expected %u\n", m->pkt_len, data_bytes);
		return false;
	}
	for (; seg != NULL; seg = seg->next, segs++) {
		const uint8_t *bytes = rte_pktmbuf_mtod(seg, const uint8_t *);

		if (at + seg->data_len > data_bytes) {
			fprintf(stderr, "segments hold more than pkt_len\n");
			return false;
		}
		for (uint32_t i = 0; i < seg->data_len; i++) {
			if (bytes[i] != expected[at + i]) {
				fprintf(stderr, "byte %u of %u is %02x, expected %02x\n", at + i,
					data_bytes, bytes[i], expected[at + i]);
				return false;
			}
		}
		at += seg->data_len;
	}
	if (at != data_bytes || segs != m->nb_segs) {
		fprintf(stderr, "%u bytes in %u segments, pkt_len %u nb_segs %u\n", at, segs,
			data_bytes, m->nb_segs);
		return false;
	}
	return true;
}

bool
packet_is_pattern(const struct rte_mbuf *m, uint32_t seed, uint32_t data_bytes)
{
	uint8_t *data = malloc(data_bytes + 1);
	bool same;

	if (data == NULL)
		abort();
	guest_pattern(seed, data, data_bytes);
	same = packet_equals(m, data, data_bytes);
	free(data);
	return same;
}

static uint8_t *
put16(uint8_t *at, uint16_t host)
{
	at[0] = (uint8_t)(host >> 8);
	at[1] = (uint8_t)host;
	return at + 2;
}

uint16_t
frame_sum(const void *data, uint32_t data_bytes)
{
	const uint8_t *in = data;
	uint64_t sum = 0;

	for (uint32_t i = 0; i + 1 < data_bytes; i += 2)
		sum += (uint32_t)(in[i] << 8 | in[i + 1]);
	if (data_bytes & 1)
		sum += (uint32_t)(in[data_bytes - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static bool
is_ipv6(const struct frame *frame)
{
	return frame->bytes[frame->l2_bytes] >> 4 == 6;
}

uint16_t
frame_pseudo_sum(const struct frame *frame, bool with_length)
{
	const uint8_t *ip = frame->bytes + frame->l2_bytes;
	uint32_t l4_len = frame->len_bytes - frame->l2_bytes - frame->l3_bytes;
	uint8_t proto = !is_ipv6(frame) ? ip[9] : ip[6] == IPPROTO_HOPOPTS ? ip[40] : ip[6];
	uint32_t sum = is_ipv6(frame) ? frame_sum(ip + 8, 32) : frame_sum(ip + 12, 8);

	sum += proto;
	if (with_length)
		sum += l4_len;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

bool
frame_l4_checksum_right(const struct frame *layout, const uint8_t *bytes)
{
	uint32_t start = layout->l2_bytes + layout->l3_bytes;
	uint32_t sum = frame_sum(bytes + start, layout->len_bytes - start);

	sum += frame_pseudo_sum(layout, true);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

void
frame_finish_checksum(uint8_t *bytes, uint32_t len_bytes, uint32_t start, uint32_t offset)
{
	uint16_t sum;

	if (start >= len_bytes || start + offset + 2 > len_bytes)
		return;
	sum = (uint16_t)~frame_sum(bytes + start, len_bytes - start);
	put16(bytes + start + offset, sum == 0 ? 0xffff : sum);
}

static uint8_t *
put_l2(uint8_t *at, const struct frame_spec *spec)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	memcpy(at, macs, sizeof(macs));
	at += sizeof(macs);
	if (spec->qinq) {
		at = put16(at, 0x88a8);
		at = put16(at, 7);
	}
	if (spec->vlan || spec->qinq) {
		at = put16(at, 0x8100);
		at = put16(at, 42);
	}
	return put16(at, spec->ipv6 ? 0x86dd : 0x0800);
}

static uint8_t *
put_l3(uint8_t *at, const struct frame_spec *spec, uint32_t l4_total)
{
	uint32_t ihl_bytes = 20u + spec->ip_options_bytes;

	if (spec->ipv6) {
		memset(at, 0, 40u + spec->ipv6_ext_bytes);
		at[0] = 0x60;
		l4_total += spec->ipv6_ext_bytes;
		put16(at + 4, (uint16_t)(l4_total > 65535 ? 0 : l4_total));
		at[6] = spec->ipv6_ext_bytes != 0 ? IPPROTO_HOPOPTS : spec->l4_proto;
		at[7] = 64;
		for (int i = 0; i < 32; i++)
			at[8 + i] = (uint8_t)(i * 7 + 1);
		if (spec->ipv6_ext_bytes != 0)
			at[40] = spec->l4_proto;
		return at + 40 + spec->ipv6_ext_bytes;
	}
	memset(at, 0, ihl_bytes);
	at[0] = (uint8_t)(0x40 | ihl_bytes / 4);
	put16(at + 2, (uint16_t)(ihl_bytes + l4_total > 65535 ? 0 : ihl_bytes + l4_total));
	at[8] = 64;
	at[9] = spec->l4_proto;
	for (int i = 0; i < 8; i++)
		at[12 + i] = (uint8_t)(10 + i);
	memset(at + 20, 1, spec->ip_options_bytes); /* no-operation options */
	put16(at + 10, (uint16_t)~frame_sum(at, ihl_bytes));
	return at + ihl_bytes;
}

/* Returns the header length; the checksum field is left zero. */
static uint16_t
put_l4(uint8_t *at, const struct frame_spec *spec, uint16_t *csum_offset)
{
	uint16_t len = 0;

	*csum_offset = 0;
	switch (spec->l4_proto) {
	case IPPROTO_TCP:
		len = (uint16_t)(20 + spec->tcp_options_bytes);
		memset(at, 0, len);
		at[12] = (uint8_t)(len / 4 << 4);
		at[13] = 0x18;
		memset(at + 20, 1, spec->tcp_options_bytes);
		*csum_offset = 16;
		break;
	case IPPROTO_UDP:
		len = 8;
		memset(at, 0, len);
		put16(at + 4, (uint16_t)(8 + spec->payload_bytes));
		*csum_offset = 6;
		break;
	case IPPROTO_SCTP:
		len = 12;
		memset(at, 0, len);
		*csum_offset = 8;
		break;
	default:
		return 0;
	}
	put16(at, 1000);
	put16(at + 2, 2000);
	return len;
}

void
frame_build(struct frame *frame, const struct frame_spec *spec, bool partial)
{
	uint8_t scratch[80];
	uint16_t offset;
	uint16_t l4_bytes = put_l4(scratch, spec, &offset);
	uint8_t *l3 = put_l2(frame->bytes, spec);
	uint8_t *l4 = put_l3(l3, spec, l4_bytes + spec->payload_bytes);
	bool has_sum = spec->l4_proto == IPPROTO_TCP || spec->l4_proto == IPPROTO_UDP;

	memcpy(l4, scratch, l4_bytes);
	guest_pattern(spec->payload_bytes, l4 + l4_bytes, spec->payload_bytes);
	frame->l2_bytes = (uint16_t)(l3 - frame->bytes);
	frame->l3_bytes = (uint16_t)(l4 - l3);
	frame->l4_bytes = l4_bytes;
	frame->csum_offset = offset;
	frame->len_bytes = (uint32_t)(l4 - frame->bytes) + l4_bytes + spec->payload_bytes;
	if (!has_sum)
		return;
	put16(l4 + offset, frame_pseudo_sum(frame, true));
	if (!partial)
		put16(l4 + offset, (uint16_t)~frame_sum(l4, l4_bytes + spec->payload_bytes));
}
