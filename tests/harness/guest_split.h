/* SPDX-License-Identifier: BSD-3-Clause */
/* The split format of a guest's virtqueue (virtio 1.2, 2.7); the verbs are in guest_ring.h. */
#ifndef HARNESS_GUEST_SPLIT_H
#define HARNESS_GUEST_SPLIT_H

#include "guest_ring.h"

enum {
	GUEST_AVAIL_NO_INTERRUPT = 1,
	GUEST_USED_NO_NOTIFY = 1,
};

extern const struct guest_format guest_split;

/* Bytes of each area, for tests that place rings themselves. */
uint64_t guest_split_desc_bytes(uint16_t size);
uint64_t guest_split_avail_bytes(uint16_t size);
uint64_t guest_split_used_bytes(uint16_t size);

void guest_split_set_used_event(struct guest_ring *vq, uint16_t idx);
uint16_t guest_split_avail_event(const struct guest_ring *vq);

/* Raw access: no bookkeeping, no checks beyond the index being a place in memory. */
void guest_split_raw_desc(struct guest_ring *vq, uint16_t index, uint64_t gpa, uint32_t len_bytes,
			  uint16_t flags, uint16_t next);
void guest_split_raw_avail(struct guest_ring *vq, uint16_t slot, uint16_t head);
void guest_split_raw_avail_idx(struct guest_ring *vq, uint16_t idx);
uint16_t guest_split_used_idx(const struct guest_ring *vq);
struct guest_used guest_split_used_elem(const struct guest_ring *vq, uint16_t slot);

#endif
