/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets and mbufs by hand, for the tests of net/hdr.c: no EAL, no pool. Each segment is a heap
 * block of exactly its length, so a sanitizer sees any byte too many. Nothing is untrusted.
 */
#ifndef UNIT_PACKET_H
#define UNIT_PACKET_H

#include <rte_mbuf.h>

#include "kit.h"

enum packet_l3 { PACKET_ARP, PACKET_IPV4, PACKET_IPV6, PACKET_IPV6_EXT };
enum packet_l4 { PACKET_TCP = 6, PACKET_UDP = 17, PACKET_ICMP = 1, PACKET_SCTP = 132 };

struct packet_spec {
	unsigned int vlans; /* 0, 1, or 2 (the outer one 0x88a8) */
	enum packet_l3 l3;
	enum packet_l4 l4;
	unsigned int ihl;      /* of IPv4, words; 0 stands for 5 */
	unsigned int data_off; /* of TCP, words; 0 stands for 5 */
	bool fragment;         /* an IPv4 fragment that is not the first */
	uint32_t payload_bytes;
};

#define PACKET_BYTES_MAX 4096
#define PACKET_SEGS_MAX 8

struct packet {
	uint8_t bytes[PACKET_BYTES_MAX]; /* as built */
	uint32_t len_bytes;
	uint32_t l2_bytes, l3_bytes, l4_bytes;
	enum packet_l3 l3;
	struct rte_mbuf segs[PACKET_SEGS_MAX];
};

/* Writes the bytes; checksum fields hold the pseudo header's sum, as a guest leaves them. */
void packet_build(struct packet *p, const struct packet_spec *spec);
/* Puts them into mbufs, cut at the given places (rising, 0 ends the list). */
struct rte_mbuf *packet_mbuf(struct packet *p, const uint32_t *cuts);
void packet_free(struct packet *p);
/* The bytes that the mbufs hold now. */
void packet_read(const struct packet *p, uint8_t *out);

/* One's complement sum of 16-bit words, odd tail padded, not inverted; slow and plain. */
uint16_t packet_sum(const uint8_t *bytes, uint32_t len, uint32_t sum);
/* The same over the pseudo header of a packet's L4 part. */
uint16_t packet_pseudo_sum(const struct packet *p, const uint8_t *bytes, uint8_t proto);
/* CRC32C, bit by bit, over bytes of which the four from `hole` on count as zeros. */
uint32_t packet_crc32c(const uint8_t *bytes, uint32_t len, uint32_t hole);
/* The 16-bit word at an offset, as it comes on the wire. */
static inline uint16_t packet_word(const uint8_t *bytes, uint32_t off)
{
	return (uint16_t)(bytes[off] << 8 | bytes[off + 1]);
}

#endif
