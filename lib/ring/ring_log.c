/* SPDX-License-Identifier: BSD-3-Clause */
#include "packed.h"

static void mark(struct ring *vr, gpa_t addr, uint64_t len)
{
	vr->log_news |= dirty_log_mark(vr->log, addr, len);
}

void ring_log_copy(struct ring *vr, const struct gmem *mem, const uint8_t __guest *at, uint32_t len)
{
	gpa_t addr;

	/* A span has its region's whole mapping behind it: one address, and not the end. */
	if (vr->log_all && len != 0 && gmem_gpa_of(mem, at, &addr))
		mark(vr, addr, len);
}

void ring_log_buffer(struct ring *vr, const uint8_t __guest *at, uint32_t len)
{
	ring_log_copy(vr, vr->mem, at, len);
}

/* The log covers all of the used ring, or log_used would not be set. */
static void mark_used(struct ring *vr, uint64_t offset, uint64_t len)
{
	if (vr->log_used)
		mark(vr, gpa(vr->log_used_addr.v + offset), len);
}

void ring_log_tell(struct ring *vr)
{
	if (vr->log_news)
		dirty_log_tell(vr->log);
	vr->log_news = false;
}

void ring_log_used(struct ring *vr, uint64_t offset, uint64_t len)
{
	dirty_log_fence();
	mark_used(vr, offset, len);
	ring_log_tell(vr);
}

static void mark_entries(struct ring *vr, uint32_t first, uint32_t n)
{
	mark_used(vr, sizeof(struct vring_used) + first * sizeof(struct vring_used_elem),
		  n * sizeof(struct vring_used_elem));
}

void split_log_publish(struct ring *vr, uint16_t from)
{
	uint32_t n = MIN2((uint16_t)(vr->published - from), vr->size);
	uint32_t first = from & (vr->size - 1u), to_end = MIN2(n, vr->size - first);

	dirty_log_fence();
	mark_entries(vr, first, to_end);
	mark_entries(vr, 0, n - to_end);
	mark_used(vr, offsetof(struct vring_used, idx), sizeof(uint16_t));
	ring_log_tell(vr);
}

/*
 * Used descriptors stand where available ones stood. The frontend tells no
 * address for them to be logged at, so it is the one they have.
 */
void packed_log_push(struct ring *vr, enum chain_dir dir, const struct used *used, unsigned int n)
{
	uint32_t at = packed_index(vr->used_idx);
	gpa_t table;

	if (!vr->log_used ||
	    !gmem_gpa_of(vr->mem, (const uint8_t __guest *)(uintptr_t)vr->packed, &table))
		return;
	for (unsigned int i = 0; i < n; i++)
		at = (at + vr->size - used_slots(used[i])) % vr->size;
	/* One for all of them: only that was written. */
	if (dir == CHAIN_READABLE && vr->in_order)
		n = 1;
	dirty_log_fence();
	for (unsigned int i = 0; i < n; i++) {
		mark(vr, gpa(table.v + (uint64_t)at * sizeof(struct vring_packed_desc)),
		     sizeof(struct vring_packed_desc));
		at += used_slots(used[i]);
		if (at >= vr->size)
			at -= vr->size;
	}
}
