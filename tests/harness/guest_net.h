/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio-net driver's share of work over a guest queue: the packet header, posting receive
 * buffers with guard bytes around them, sending a packet cut at any points, receiving one merged
 * from several buffers. Used by flow, hostile and differential tests. libc only. What the device
 * writes is checked: outside the given buffers, or beyond the length it reported, nothing may change.
 */
#ifndef HARNESS_GUEST_NET_H
#define HARNESS_GUEST_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "guest_ring.h"

enum {
	GUEST_NET_NEEDS_CSUM = 1,
	GUEST_NET_DATA_VALID = 2,
};
enum {
	GUEST_NET_GSO_NONE = 0,
	GUEST_NET_GSO_TCPV4 = 1,
	GUEST_NET_GSO_UDP = 3,
	GUEST_NET_GSO_TCPV6 = 4,
	GUEST_NET_GSO_UDP_L4 = 5,
	GUEST_NET_GSO_ECN = 0x80,
};

struct guest_net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers; /* absent on the wire without MRG_RXBUF and VERSION_1 */
	uint32_t hash_value;  /* these three only with HASH_REPORT */
	uint16_t hash_report;
	uint16_t padding;
};

#define GUEST_NET_HASH_HDR_BYTES 20
#define GUEST_NET_HDR_BYTES 12
#define GUEST_NET_LEGACY_HDR_BYTES 10
/* 20, 12 or 10, by the negotiated features. */
unsigned guest_net_hdr_bytes(uint64_t features);

/* Transmit side: packets are copied into an arena that is used round and round. */
struct guest_tx {
	struct guest_ring *vq;
	unsigned hdr_bytes;
	uint64_t arena_gpa;
	uint64_t arena_bytes;
	uint64_t next_bytes;  /* offset of the next packet */
	unsigned gap_bytes;   /* unused bytes between the pieces of a packet */
	unsigned outstanding; /* posted, not reaped */
};

void guest_tx_init(struct guest_tx *tx, struct guest_ring *vq, unsigned hdr_bytes,
		   uint64_t arena_bytes);
/*
 * Posts header and data cut into pieces: cuts[i] is the length of piece i; what is left after the
 * last cut is one more piece. Returns the head or -ENOSPC. Does not kick. hdr may be NULL (zeros).
 */
int guest_tx_post(struct guest_tx *tx, const struct guest_net_hdr *hdr, const void *data,
		  uint32_t data_bytes, const uint32_t *cuts, unsigned nr_cuts);
/* Same with the two usual pieces: header, data. */
int guest_tx_send(struct guest_tx *tx, const struct guest_net_hdr *hdr, const void *data,
		  uint32_t data_bytes);
/*
 * Takes back finished chains, in any order. Returns how many, or -EPROTO if an element names a
 * chain that was not posted.
 */
int guest_tx_reap(struct guest_tx *tx);
/* Reaps until nothing is outstanding: 0, -ETIMEDOUT or -EPROTO. */
int guest_tx_drain(struct guest_tx *tx, int timeout_ms);

/* Receive side. */
struct guest_rx_buffer {
	uint64_t gpa;
	bool posted;
};
struct guest_rx {
	struct guest_ring *vq;
	unsigned hdr_bytes;
	bool mergeable;
	uint32_t buffer_bytes;
	bool touched; /* buffers may have been written to and not used: only their guards count */
	uint32_t piece_bytes; /* buffers are posted as descriptors of this length; 0 = one */
	unsigned nr_buffers;
	struct guest_rx_buffer *buffers;
};

/* Allocates buffers (0 or -ENOMEM); nothing is posted yet. */
int guest_rx_init(struct guest_rx *rx, struct guest_ring *vq, unsigned hdr_bytes, bool mergeable,
		  unsigned nr_buffers, uint32_t buffer_bytes);
void guest_rx_fini(struct guest_rx *rx);
/* Posts up to max free buffers, filled with a known byte; returns how many. */
unsigned guest_rx_fill(struct guest_rx *rx, unsigned max);
/*
 * Next packet into data: its length without header, -EAGAIN if there is none, -EPROTO if the used
 * ring makes no sense, -EFAULT if bytes outside the reported range changed, -EMSGSIZE if it does
 * not fit. *nr_buffers (may be NULL) is how many buffers it came in.
 */
int guest_rx_recv(struct guest_rx *rx, struct guest_net_hdr *hdr, void *data,
		  uint32_t data_max_bytes, unsigned *nr_buffers);
/* Every guard and every unused buffer still untouched? */
bool guest_rx_guards_intact(const struct guest_rx *rx);

/* A recognisable, non-repeating pattern; the same seed gives the same bytes. */
void guest_pattern(uint32_t seed, void *data, uint32_t data_bytes);

#endif
