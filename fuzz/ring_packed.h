/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packed virtqueue told a second time, from virtio 1.2, 2.8: what a fetch
 * must find, and what giving a chain back must write.
 */
#ifndef FUZZ_RING_PACKED_H
#define FUZZ_RING_PACKED_H

#include "ring_expect.h"

/* Of a position and, at bits 7 and 15, of a descriptor's flags. */
#define MODEL_WRAP 0x8000u
#define MODEL_AVAIL 0x80u
#define MODEL_USED 0x8000u

/* The position `slots` further. */
ORACLE static inline uint16_t packed_position_after(const struct ring *vr, uint16_t position,
						    uint32_t slots)
{
	uint32_t at = (position & ~MODEL_WRAP) + slots, wrap = position & MODEL_WRAP;

	for (; at >= vr->size; at -= vr->size)
		wrap ^= MODEL_WRAP;
	return (uint16_t)(at | wrap);
}

ORACLE static inline const struct vring_packed_desc *packed_at(const struct ring *vr,
							       uint16_t position)
{
	return GUEST_FORCE(const struct vring_packed_desc *, vr->packed) + (position & ~MODEL_WRAP);
}

/* 2.8.1: AVAIL as the wrap counter, USED not. */
ORACLE static inline bool packed_available(const struct ring *vr, uint16_t position)
{
	uint16_t flags = packed_at(vr, position)->flags;
	bool wrap = (position & MODEL_WRAP) != 0;

	return ((flags & MODEL_AVAIL) != 0) == wrap && ((flags & MODEL_USED) != 0) != wrap;
}

ORACLE static inline bool packed_expect_buffer(struct expected *e,
					       const struct vring_packed_desc *d,
					       enum chain_dir dir)
{
	return expect_buffer(e, d->addr, d->len, (d->flags & VRING_DESC_F_WRITE) != 0, dir);
}

/* 2.8.7: all entries, in order; 2.8.19: no table in a table. */
ORACLE static inline void packed_expect_table(struct expected *e,
					      const struct vring_packed_desc *head,
					      enum chain_dir dir)
{
	static struct vring_packed_desc table[VRING_SIZE_MAX];
	uint32_t entries = head->len / (uint32_t)sizeof(table[0]);

	e->result = FETCH_BAD;
	e->table_addr = head->addr;
	e->table_bytes = head->len;
	if (head->len % sizeof(table[0]) != 0 || entries == 0 || entries > VRING_SIZE_MAX ||
	    !guest_copy(table, head->addr, head->len))
		return;
	for (uint32_t i = 0; i < entries; i++) {
		e->result = FETCH_BAD;
		if ((table[i].flags & VRING_DESC_F_INDIRECT) != 0 ||
		    !packed_expect_buffer(e, &table[i], dir))
			return;
	}
}

ORACLE static inline void packed_expect(const struct ring *vr, enum chain_dir dir,
					struct expected *e)
{
	uint16_t position = vr->last_avail;

	*e = (struct expected){ .result = FETCH_NONE };
	if (!packed_available(vr, position))
		return;
	e->result = FETCH_OK;
	while (e->nr_slots < vr->size) {
		const struct vring_packed_desc *d = packed_at(vr, position);
		bool next = (d->flags & VRING_DESC_F_NEXT) != 0;

		position = packed_position_after(vr, position, 1);
		e->nr_slots++;
		/* 2.8.19: a table is a chain of its own. */
		if (e->result == FETCH_BAD)
			; /* only where it ends */
		else if ((d->flags & VRING_DESC_F_INDIRECT) == 0)
			packed_expect_buffer(e, d, dir);
		else if (next || e->nr_slots != 1)
			e->result = FETCH_BAD;
		else
			packed_expect_table(e, d, dir);
		if (!next) {
			e->id = d->id;
			return;
		}
	}
	e->result = FETCH_BROKEN;
}

/* Descriptors, of which a chain may take several. */
ORACLE static inline unsigned int packed_expect_peek(const struct ring *vr, unsigned int max)
{
	uint16_t position = vr->last_avail;
	unsigned int n;

	MUST(vr->fault == RING_FAULT_NONE);
	for (n = 0; n < max && packed_available(vr, position); n++)
		position = packed_position_after(vr, position, 1);
	return n;
}

ORACLE static inline unsigned int packed_expect_waiting(const struct ring *vr)
{
	uint16_t position = vr->last_avail;
	unsigned int chains = 0;

	for (unsigned int slots = 0; packed_available(vr, position); chains++) {
		bool next;

		do {
			if (slots++ == vr->size)
				return chains;
			next = (packed_at(vr, position)->flags & VRING_DESC_F_NEXT) != 0;
			position = packed_position_after(vr, position, 1);
		} while (next);
	}
	return chains;
}

/* --- what the ring has to look like after ------------------------------ */

ORACLE static inline void packed_model_used(const struct ring *vr, uint16_t position,
					    enum chain_dir dir, struct used u)
{
	struct vring_packed_desc d = *packed_at(vr, position);

	d.len = used_bytes(u);
	d.id = used_id(u);
	d.flags = dir != CHAIN_READABLE ? VRING_DESC_F_WRITE : 0;
	if ((position & MODEL_WRAP) != 0)
		d.flags |= MODEL_AVAIL | MODEL_USED;
	model_write((const uint8_t *)packed_at(vr, position) + 8, (uint8_t *)&d + 8, 8);
}

ORACLE static inline void packed_model_push(const struct ring *vr, uint16_t position,
					    enum chain_dir dir, const struct used *used,
					    unsigned int n)
{
	/* 2.8.13: in order, one element may stand for a batch. */
	bool one = vr->in_order && dir == CHAIN_READABLE;
	uint16_t first = position;

	for (unsigned int i = 1; i < n; i++) {
		position = packed_position_after(vr, position, used_slots(used[i - 1]));
		if (!one)
			packed_model_used(vr, position, dir, used[i]);
	}
	/* Last, as it shows the others; they meet if the guest has more available than fits. */
	packed_model_used(vr, first, dir, one ? used[n - 1] : used[0]);
}

/* What is pushed is there. */
ORACLE static inline void packed_model_publish(const struct ring *vr, uint16_t position)
{
	(void)vr;
	(void)position;
}

ORACLE static inline void packed_model_kick(const struct ring *vr, bool enable)
{
	struct vring_packed_desc_event *event =
		GUEST_FORCE(struct vring_packed_desc_event *, vr->device_event);
	uint16_t flags = !enable ? VRING_PACKED_EVENT_FLAG_DISABLE :
			 vr->event_idx ? VRING_PACKED_EVENT_FLAG_DESC :
					 VRING_PACKED_EVENT_FLAG_ENABLE;

	if (enable && vr->event_idx)
		model_write(&event->off_wrap, &vr->last_avail, sizeof(vr->last_avail));
	model_write(&event->flags, &flags, sizeof(flags));
}

/* After ring_notify_needed() for `passed` slots since the last one, if there was one. */
ORACLE static inline bool packed_expect_notify(const struct ring *vr, bool first, uint32_t passed)
{
	const struct vring_packed_desc_event *event =
		GUEST_FORCE(const struct vring_packed_desc_event *, vr->driver_event);
	uint16_t now = vr->published & (uint16_t)~MODEL_WRAP;
	uint16_t off = event->off_wrap & (uint16_t)~MODEL_WRAP;
	bool same_wrap = ((vr->published ^ event->off_wrap) & MODEL_WRAP) == 0;

	if (event->flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (event->flags != VRING_PACKED_EVENT_FLAG_DESC || !vr->event_idx)
		return true;
	if (!same_wrap)
		off = (uint16_t)(off - vr->size);
	return first ? off != now : vring_need_event(off, now, (uint16_t)(now - passed));
}

#endif
