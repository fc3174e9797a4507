/* SPDX-License-Identifier: BSD-3-Clause */
/* Driver side of a packed virtqueue; see guest_packed.h. The device side is what is under test. */
#include "guest_packed.h"

/* In descriptors whose id nobody may look at. */
#define NO_ID 0xbad1

uint64_t
guest_packed_desc_bytes(uint16_t size)
{
	return (uint64_t)size * sizeof(struct guest_packed_desc);
}

static void
area_bytes(uint16_t size, uint64_t bytes[3])
{
	bytes[0] = guest_packed_desc_bytes(size);
	bytes[1] = GUEST_PACKED_EVENT_BYTES;
	bytes[2] = GUEST_PACKED_EVENT_BYTES;
}

uint16_t
guest_packed_avail_flags(bool wrap)
{
	return wrap ? GUEST_PACKED_AVAIL : GUEST_PACKED_USED;
}

uint16_t
guest_packed_used_flags(bool wrap)
{
	return wrap ? GUEST_PACKED_AVAIL | GUEST_PACKED_USED : 0;
}

void
guest_packed_raw_desc(struct guest_ring *vq, uint16_t slot, uint64_t gpa, uint32_t len_bytes,
		      uint16_t id, uint16_t flags)
{
	volatile struct guest_packed_desc *d = &vq->packed[slot];

	d->gpa = gpa;
	d->len_bytes = len_bytes;
	d->id = id;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	d->flags = flags;
}

struct guest_packed_desc
guest_packed_desc_at(const struct guest_ring *vq, uint16_t slot)
{
	const volatile struct guest_packed_desc *d = &vq->packed[slot];
	struct guest_packed_desc copy = {.flags = d->flags};

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	copy.gpa = d->gpa;
	copy.len_bytes = d->len_bytes;
	copy.id = d->id;
	return copy;
}

/* Slots before the start belong to the round that has begun, the others to the one before. */
static void
reset(struct guest_ring *vq, uint16_t base)
{
	uint16_t start = base % vq->size;
	bool wrap = (base / vq->size & 1) == 0;

	for (uint16_t i = 0; i < vq->size; i++)
		vq->packed[i].flags = guest_packed_used_flags(i < start ? wrap : !wrap);
	vq->avail_idx = vq->last_used = vq->shown_idx = start;
	vq->avail_wrap = vq->used_wrap = wrap;
	vq->shown_flags = 0;
}

/* Of a table's descriptors the device looks at address, length and WRITE only (2.8.7). */
static void
place_indirect(struct guest_ring *vq, uint16_t id, const struct guest_seg *segs, uint16_t nr_segs,
	       struct guest_seg *table)
{
	*table = (struct guest_seg) {
		.gpa = guest_ring_indirect_table(vq, id),
		.len_bytes = (uint32_t)(nr_segs * sizeof(struct guest_packed_desc)),
		.flags = GUEST_DESC_INDIRECT,
	};
	for (uint16_t i = 0; i < nr_segs; i++) {
		struct guest_packed_desc d = {
			.gpa = segs[i].gpa,
			.len_bytes = segs[i].len_bytes,
			.id = NO_ID,
			.flags = segs[i].flags,
		};

		guest_write(vq->mem, table->gpa + i * sizeof(d), &d, sizeof(d));
	}
}

/*
 * The flags of the first descriptor that is not published yet are held back: the device takes
 * descriptors in order, so it sees none of those behind it.
 */
static void
place_one(struct guest_ring *vq, const struct guest_seg *seg, uint16_t id, bool more)
{
	uint16_t slot = vq->avail_idx;
	uint16_t flags = (uint16_t)(seg->flags | (more ? GUEST_DESC_NEXT : 0) |
				    guest_packed_avail_flags(vq->avail_wrap));
	bool hold = vq->shown_flags == 0;

	guest_packed_raw_desc(vq, slot, seg->gpa, seg->len_bytes, id,
			      hold ? vq->packed[slot].flags : flags);
	if (hold) {
		vq->shown_idx = slot;
		vq->shown_flags = flags;
	}
	if (++vq->avail_idx == vq->size) {
		vq->avail_idx = 0;
		vq->avail_wrap = !vq->avail_wrap;
	}
	vq->added++;
}

static uint16_t
place(struct guest_ring *vq, const struct guest_seg *segs, uint16_t nr_segs)
{
	uint16_t id = vq->free_head;
	struct guest_seg table;

	vq->free_head = vq->next_free[id];
	if (vq->indirect) {
		place_indirect(vq, id, segs, nr_segs, &table);
		segs = &table;
		nr_segs = 1;
	}
	for (uint16_t i = 0; i < nr_segs; i++)
		place_one(vq, &segs[i], i + 1 == nr_segs ? id : NO_ID, i + 1 < nr_segs);
	return id;
}

static void
publish(struct guest_ring *vq)
{
	if (vq->shown_flags == 0)
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	vq->packed[vq->shown_idx].flags = vq->shown_flags;
	vq->shown_flags = 0;
}

static bool
used_at(const struct guest_ring *vq, uint16_t slot, bool wrap, struct guest_used *used)
{
	struct guest_packed_desc d = guest_packed_desc_at(vq, slot);

	if ((d.flags & (GUEST_PACKED_AVAIL | GUEST_PACKED_USED)) != guest_packed_used_flags(wrap))
		return false;
	/* Without WRITE the length is reserved (2.8.4): nothing was written. */
	*used = (struct guest_used) {
		.id = d.id,
		.len_bytes = d.flags & GUEST_DESC_WRITE ? d.len_bytes : 0,
	};
	return true;
}

static struct guest_event
event_at(const volatile uint16_t *area)
{
	struct guest_event event = {.flags = area[1]};

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	event.off_wrap = area[0];
	return event;
}

struct guest_event
guest_packed_driver_event(const struct guest_ring *vq)
{
	return event_at(vq->avail);
}

struct guest_event
guest_packed_device_event(const struct guest_ring *vq)
{
	return event_at(vq->used);
}

void
guest_packed_raw_driver_event(struct guest_ring *vq, struct guest_event event)
{
	vq->avail[0] = event.off_wrap;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	vq->avail[1] = event.flags;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void
guest_packed_set_used_event(struct guest_ring *vq, uint16_t n)
{
	bool wrap = (n / vq->size & 1) == 0;

	guest_packed_raw_driver_event(vq, (struct guest_event) {
		.off_wrap = (uint16_t)(n % vq->size | wrap << 15),
		.flags = GUEST_EVENT_DESC,
	});
}

/* Was the slot in off_wrap among the `added` ones that end before avail_idx? */
static bool
kick_wanted(struct guest_ring *vq)
{
	struct guest_event event = guest_packed_device_event(vq);
	int32_t slot = event.off_wrap & 0x7fff;

	if (event.flags != GUEST_EVENT_DESC || !vq->event_idx)
		return event.flags != GUEST_EVENT_DISABLE && vq->added > 0;
	if (event.off_wrap >> 15 != vq->avail_wrap)
		slot -= vq->size;
	return slot < vq->avail_idx && slot >= vq->avail_idx - vq->added;
}

static void
call_set(struct guest_ring *vq, bool enable)
{
	struct guest_event event = {.flags = enable ? GUEST_EVENT_ENABLE : GUEST_EVENT_DISABLE};

	if (enable && vq->event_idx) {
		event.flags = GUEST_EVENT_DESC;
		event.off_wrap = (uint16_t)(vq->last_used | vq->used_wrap << 15);
	}
	guest_packed_raw_driver_event(vq, event);
}

const struct guest_format guest_packed = {
	.place = place,
	.publish = publish,
	.used_at = used_at,
	.kick_wanted = kick_wanted,
	.call_set = call_set,
	.reset = reset,
	.area_bytes = area_bytes,
};
