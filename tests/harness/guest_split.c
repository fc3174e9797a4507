/* SPDX-License-Identifier: BSD-3-Clause */
/* Driver side of a split virtqueue; see guest_split.h. The device side is what is under test. */
#include "guest_split.h"

uint64_t
guest_split_desc_bytes(uint16_t size)
{
	return (uint64_t)size * sizeof(struct guest_desc);
}

uint64_t
guest_split_avail_bytes(uint16_t size)
{
	return 6 + 2 * (uint64_t)size;
}

uint64_t
guest_split_used_bytes(uint16_t size)
{
	return 6 + 8 * (uint64_t)size;
}

static void
area_bytes(uint16_t size, uint64_t bytes[3])
{
	bytes[0] = guest_split_desc_bytes(size);
	bytes[1] = guest_split_avail_bytes(size);
	bytes[2] = guest_split_used_bytes(size);
}

static void
reset(struct guest_ring *vq, uint16_t base)
{
	vq->avail_idx = base;
	vq->last_used = base;
	vq->avail[1] = base;
	vq->used[1] = base;
}

void
guest_split_raw_desc(struct guest_ring *vq, uint16_t index, uint64_t gpa, uint32_t len_bytes,
		     uint16_t flags, uint16_t next)
{
	volatile struct guest_desc *d = &vq->desc[index];

	d->gpa = gpa;
	d->len_bytes = len_bytes;
	d->flags = flags;
	d->next = next;
}

void
guest_split_raw_avail(struct guest_ring *vq, uint16_t slot, uint16_t head)
{
	vq->avail[2 + slot] = head;
}

void
guest_split_raw_avail_idx(struct guest_ring *vq, uint16_t idx)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	vq->avail[1] = idx;
}

uint16_t
guest_split_used_idx(const struct guest_ring *vq)
{
	uint16_t idx = vq->used[1];

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return idx;
}

struct guest_used
guest_split_used_elem(const struct guest_ring *vq, uint16_t slot)
{
	const volatile uint32_t *ring = (const volatile uint32_t *)(const volatile void *)
		&vq->used[2];

	return (struct guest_used) {
		.id = ring[2 * (uint32_t)slot],
		.len_bytes = ring[2 * (uint32_t)slot + 1],
	};
}

/* The last descriptor of a chain, at `index`: that of its table. */
static void
place_indirect(struct guest_ring *vq, uint16_t head, uint16_t index, const struct guest_seg *segs,
	       uint16_t nr_segs)
{
	uint64_t table = guest_ring_indirect_table(vq, head);

	for (uint16_t i = 0; i < nr_segs; i++) {
		struct guest_desc d = {
			.gpa = segs[i].gpa,
			.len_bytes = segs[i].len_bytes,
			.flags = (uint16_t)(segs[i].flags | (i + 1 < nr_segs ? GUEST_DESC_NEXT : 0)),
			.next = (uint16_t)(i + 1 < nr_segs ? i + 1 : 0),
		};

		guest_write(vq->mem, table + i * sizeof(d), &d, sizeof(d));
	}
	guest_split_raw_desc(vq, index, table, (uint32_t)(nr_segs * sizeof(struct guest_desc)),
			     GUEST_DESC_INDIRECT, 0);
}

static uint16_t
place(struct guest_ring *vq, const struct guest_seg *segs, uint16_t nr_segs)
{
	uint16_t nr_plain = vq->indirect ? guest_ring_plain_segs(vq, nr_segs) : nr_segs;
	uint16_t head = vq->free_head;
	uint16_t index = head;

	for (uint16_t i = 0; i < nr_plain; i++) {
		bool last = i + 1 == nr_segs;
		uint16_t next = vq->next_free[index];

		guest_split_raw_desc(vq, index, segs[i].gpa, segs[i].len_bytes,
				     (uint16_t)(segs[i].flags | (last ? 0 : GUEST_DESC_NEXT)),
				     last ? 0 : next);
		index = next;
	}
	if (nr_plain < nr_segs) {
		place_indirect(vq, head, index, segs + nr_plain, (uint16_t)(nr_segs - nr_plain));
		index = vq->next_free[index];
	}
	vq->free_head = index;
	guest_split_raw_avail(vq, vq->avail_idx & (vq->size - 1), head);
	vq->avail_idx++;
	vq->added++;
	return head;
}

static void
publish(struct guest_ring *vq)
{
	guest_split_raw_avail_idx(vq, vq->avail_idx);
}

static bool
used_at(const struct guest_ring *vq, uint16_t slot, bool wrap, struct guest_used *used)
{
	(void)wrap;
	if (guest_split_used_idx(vq) == slot)
		return false;
	*used = guest_split_used_elem(vq, slot & (vq->size - 1));
	return true;
}

uint16_t
guest_split_avail_event(const struct guest_ring *vq)
{
	return vq->used[2 + 4 * (uint32_t)vq->size];
}

static bool
kick_wanted(struct guest_ring *vq)
{
	if (!vq->event_idx)
		return (vq->used[0] & GUEST_USED_NO_NOTIFY) == 0;
	return (uint16_t)(vq->avail_idx - guest_split_avail_event(vq) - 1) < vq->added;
}

void
guest_split_set_used_event(struct guest_ring *vq, uint16_t idx)
{
	vq->avail[2 + vq->size] = idx;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void
call_set(struct guest_ring *vq, bool enable)
{
	if (vq->event_idx)
		guest_split_set_used_event(vq, (uint16_t)(vq->last_used - !enable));
	else
		vq->avail[0] = enable ? 0 : GUEST_AVAIL_NO_INTERRUPT;
}

const struct guest_format guest_split = {
	.place = place,
	.publish = publish,
	.used_at = used_at,
	.kick_wanted = kick_wanted,
	.call_set = call_set,
	.reset = reset,
	.area_bytes = area_bytes,
};
