/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>
#include <string.h>

#include "stats.h"

#define COUNTER(field) offsetof(struct vq_stats, field)
#define FAULT(f) (offsetof(struct vq_stats, faults) + (f) * sizeof(uint64_t))
#define SIZE_BIN(i) (offsetof(struct vq_stats, size_bins) + (i) * sizeof(uint64_t))

/* The order is the public id: DPDK 22.11's first, then ours. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{ "good_packets", COUNTER(good_packets) },
	{ "good_bytes", COUNTER(good_bytes) },
	{ "multicast_packets", COUNTER(multicast_packets) },
	{ "broadcast_packets", COUNTER(broadcast_packets) },
	{ "undersize_packets", SIZE_BIN(0) },
	{ "size_64_packets", SIZE_BIN(1) },
	{ "size_65_127_packets", SIZE_BIN(2) },
	{ "size_128_255_packets", SIZE_BIN(3) },
	{ "size_256_511_packets", SIZE_BIN(4) },
	{ "size_512_1023_packets", SIZE_BIN(5) },
	{ "size_1024_1518_packets", SIZE_BIN(6) },
	{ "size_1519_max_packets", SIZE_BIN(7) },
	{ "guest_notifications", COUNTER(guest_notifications) },
	{ "iotlb_hits", COUNTER(iotlb_hits) },
	{ "iotlb_misses", COUNTER(iotlb_misses) },
	{ "inflight_submitted", COUNTER(inflight_submitted) },
	{ "inflight_completed", COUNTER(inflight_completed) },
	{ "guest_notifications_suppressed", COUNTER(notifications_suppressed) },
	{ "guest_notifications_failed", COUNTER(notifications_failed) },
	{ "copied_bytes", COUNTER(copied_bytes) },
	{ "oversized_packets", COUNTER(oversized_packets) },
	{ "mbuf_alloc_failed", COUNTER(mbuf_alloc_failed) },
	{ "dropped_too_large", COUNTER(dropped_too_large) },
	{ "dropped_unsupported_offload", COUNTER(dropped_unsupported) },
	{ "dropped_segments", COUNTER(dropped_segments) },
	{ "dropped_bad_address", FAULT(RING_FAULT_ADDRESS) },
	{ "dropped_bad_direction", FAULT(RING_FAULT_DIRECTION) },
	{ "dropped_chain_too_long", FAULT(RING_FAULT_LENGTH) },
	{ "dropped_bad_indirect", FAULT(RING_FAULT_INDIRECT) },
	{ "dropped_chain_too_short", FAULT(RING_FAULT_SHORT) },
	{ "ring_broken_bad_index", FAULT(RING_FAULT_INDEX) },
	{ "ring_broken_loop", FAULT(RING_FAULT_LOOP) },
	{ "ring_broken_avail_jump", FAULT(RING_FAULT_AVAIL) },
	{ "dropped_queue_off", COUNTER(dropped_off) },
	{ "engine_copies_failed", COUNTER(engine_copies_failed) },
};

unsigned int stats_count(void)
{
	return ARRAY_LEN(counters);
}

const char *stats_name(unsigned int i)
{
	return counters[i].name;
}

uint64_t stats_value(const struct vq_stats *stats, unsigned int i)
{
	const uint64_t *word = (const void *)((const char *)stats + counters[i].offset);

	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

void stats_reset(struct vq_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
}
