/* SPDX-License-Identifier: BSD-3-Clause */
/* Mbufs from bytes and back, and frames with real headers, for the flow tests. */
#ifndef FLOW_PACKETS_H
#define FLOW_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/* A chain of mbufs with these bytes, at most seg_bytes in each (0: as much as fits). */
struct rte_mbuf *packet_make(struct rte_mempool *pool, const void *data, uint32_t data_bytes,
			     uint32_t seg_bytes);
/* Same with guest_pattern(seed) as content. */
struct rte_mbuf *packet_pattern(struct rte_mempool *pool, uint32_t seed, uint32_t data_bytes,
				uint32_t seg_bytes);
/* Is the chain well formed and does it hold exactly these bytes? Says what is wrong on stderr. */
bool packet_equals(const struct rte_mbuf *m, const void *data, uint32_t data_bytes);
bool packet_is_pattern(const struct rte_mbuf *m, uint32_t seed, uint32_t data_bytes);

/* What a frame is made of. Layers are written in order; payload is a pattern. */
struct frame_spec {
	bool vlan;
	bool qinq; /* two tags */
	bool ipv6;
	uint8_t ip_options_bytes; /* IPv4 only, multiple of 4 */
	uint8_t ipv6_ext_bytes;	  /* 0, or 8: a hop-by-hop header */
	uint8_t l4_proto;	  /* IPPROTO_TCP, _UDP, _SCTP or anything else */
	uint8_t tcp_options_bytes;
	uint32_t payload_bytes;
};
struct frame {
	uint8_t bytes[65550];
	uint32_t len_bytes;
	uint16_t l2_bytes, l3_bytes, l4_bytes;
	uint16_t csum_offset; /* of the L4 checksum in the L4 header */
};
/*
 * Writes the frame. With `partial` the L4 checksum holds the pseudo-header sum, as a guest leaves
 * it for NEEDS_CSUM; else it is complete (0 for protocols without one).
 */
void frame_build(struct frame *frame, const struct frame_spec *spec, bool partial);
/* Folded ones-complement sum of the range, not inverted. */
uint16_t frame_sum(const void *data, uint32_t data_bytes);
/* Sum of the IPv4 or IPv6 pseudo header of the frame, with the L4 length or 0 (for TSO). */
uint16_t frame_pseudo_sum(const struct frame *frame, bool with_length);
/* Are the bytes (same layout as frame) carrying a right L4 checksum? */
bool frame_l4_checksum_right(const struct frame *layout, const uint8_t *bytes);

/*
 * Completes the checksum over bytes[start..len) at start + offset as virtio 5.1.6.2 asks; nothing
 * happens if that is not in the packet.
 */
void frame_finish_checksum(uint8_t *bytes, uint32_t len_bytes, uint32_t start, uint32_t offset);

#endif
