/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Per-queue counters. Written by the one data thread inside the gate, read by
 * anyone: each counter is a word of its own, so a reader sees old or new.
 */
#ifndef VHOST_NG_STATS_H
#define VHOST_NG_STATS_H

#include "ring/chain.h"

enum {
	STATS_SIZE_BINS = 8,
};

struct vq_stats {
	uint64_t good_packets;
	uint64_t good_bytes;
	uint64_t multicast_packets;
	uint64_t broadcast_packets;
	uint64_t size_bins[STATS_SIZE_BINS];
	uint64_t guest_notifications;
	uint64_t iotlb_hits;
	uint64_t iotlb_misses;
	uint64_t inflight_submitted;
	uint64_t inflight_completed;
	/* From here on ours, after the names of DPDK 22.11. */
	uint64_t notifications_suppressed; /* the guest asked for none */
	uint64_t notifications_failed;
	uint64_t copied_bytes;  /* by the CPU, with headers and what was lost half way */
	uint64_t oversized_packets; /* above the MTU, to the guest */
	uint64_t mbuf_alloc_failed;
	uint64_t dropped_too_large;   /* LINEARBUF or no memory for the packet */
	uint64_t dropped_unsupported; /* a request that makes no sense, or that nobody can serve */
	uint64_t dropped_off;         /* chains the guest sent on a queue that is switched off */
	uint64_t dropped_segments;    /* of a packet cut in software: no room for the rest */
	uint64_t engine_copies_failed; /* packets that the CPU copied again */
	uint64_t faults[RING_FAULT_COUNT];
};

/* Which size bin a packet of `len` bytes falls into. */
static ALWAYS_INLINE unsigned int stats_size_bin(uint32_t len)
{
	if (len < 64)
		return 0;
	if (len == 64)
		return 1;
	if (len < 1024) /* 65-127, 128-255, 256-511, 512-1023 */
		return 27 - (unsigned int)__builtin_clz(len);
	return len < 1519 ? 6 : 7;
}

unsigned int stats_count(void);
/* Copies the i-th name without the queue prefix; the array is static. */
const char *stats_name(unsigned int i);
uint64_t stats_value(const struct vq_stats *stats, unsigned int i);
void stats_reset(struct vq_stats *stats);

#endif
