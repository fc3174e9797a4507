/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packed format of a guest's virtqueue (virtio 1.2, 2.8); the verbs are in guest_ring.h. A
 * chain's descriptors stand one after the other; only the last one carries the buffer id.
 */
#ifndef HARNESS_GUEST_PACKED_H
#define HARNESS_GUEST_PACKED_H

#include "guest_ring.h"

enum {
	GUEST_PACKED_AVAIL = 1 << 7,
	GUEST_PACKED_USED = 1 << 15,
};
/* Flags of an event suppression structure. */
enum {
	GUEST_EVENT_ENABLE = 0,
	GUEST_EVENT_DISABLE = 1,
	GUEST_EVENT_DESC = 2,
};

/* An event suppression structure (2.8.14); off_wrap counts with GUEST_EVENT_DESC only. */
struct guest_event {
	uint16_t off_wrap; /* slot, and its wrap counter in bit 15 */
	uint16_t flags;
};

extern const struct guest_format guest_packed;

uint64_t guest_packed_desc_bytes(uint16_t size);
#define GUEST_PACKED_EVENT_BYTES 4

/* AVAIL and USED of a descriptor that is available in a round with this wrap counter. */
uint16_t guest_packed_avail_flags(bool wrap);
/* AVAIL and USED of a used one. */
uint16_t guest_packed_used_flags(bool wrap);

/* Raw access: no bookkeeping, no checks beyond the index being a place in memory. */
void guest_packed_raw_desc(struct guest_ring *vq, uint16_t slot, uint64_t gpa, uint32_t len_bytes,
			   uint16_t id, uint16_t flags);
struct guest_packed_desc guest_packed_desc_at(const struct guest_ring *vq, uint16_t slot);
/* What the driver tells the device about calls, and what the device says about kicks. */
void guest_packed_raw_driver_event(struct guest_ring *vq, struct guest_event event);
struct guest_event guest_packed_driver_event(const struct guest_ring *vq);
struct guest_event guest_packed_device_event(const struct guest_ring *vq);
/* A call as soon as the n-th descriptor since the first start of the ring is used. */
void guest_packed_set_used_event(struct guest_ring *vq, uint16_t n);

#endif
