/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The split virtqueue told a second time, from virtio 1.2, 2.7: what a fetch must
 * find, and what giving a chain back must write.
 */
#ifndef FUZZ_RING_SPLIT_H
#define FUZZ_RING_SPLIT_H

#include "ring_expect.h"

ORACLE static inline bool split_expect_buffer(struct expected *e, const struct vring_desc *d,
					      enum chain_dir dir)
{
	return expect_buffer(e, d->addr, d->len, (d->flags & VRING_DESC_F_WRITE) != 0, dir);
}

ORACLE static inline void split_expect_table(struct expected *e, const struct vring_desc *head,
					     enum chain_dir dir)
{
	static struct vring_desc table[VRING_SIZE_MAX];
	uint32_t entries = head->len / (uint32_t)sizeof(table[0]), i = 0;

	e->result = FETCH_BAD;
	e->table_addr = head->addr;
	e->table_bytes = head->len;
	if (head->len % sizeof(table[0]) != 0 || entries == 0 || entries > VRING_SIZE_MAX ||
	    (head->flags & VRING_DESC_F_NEXT) != 0 || !guest_copy(table, head->addr, head->len))
		return;
	for (uint32_t steps = 0; steps < entries && i < entries; steps++) {
		if ((table[i].flags & VRING_DESC_F_INDIRECT) != 0)
			break;
		if (!split_expect_buffer(e, &table[i], dir) ||
		    (table[i].flags & VRING_DESC_F_NEXT) == 0)
			return;
		i = table[i].next;
	}
	e->result = FETCH_BAD;
}

ORACLE static inline void split_expect(const struct ring *vr, enum chain_dir dir,
				       struct expected *e)
{
	const struct vring_desc *desc = GUEST_FORCE(const struct vring_desc *, vr->desc);
	const struct vring_avail *avail = GUEST_FORCE(const struct vring_avail *, vr->avail);
	uint16_t i = avail->ring[vr->last_avail % vr->size];
	uint16_t waiting = (uint16_t)(avail->idx - vr->last_avail);

	*e = (struct expected){ .result = FETCH_BROKEN, .id = i, .nr_slots = 1 };
	if (waiting == 0)
		e->result = FETCH_NONE;
	if (waiting == 0 || waiting > vr->size)
		return;
	for (uint32_t steps = 0; steps < vr->size && i < vr->size; steps++) {
		if ((desc[i].flags & VRING_DESC_F_INDIRECT) != 0) {
			split_expect_table(e, &desc[i], dir);
			return;
		}
		if (!split_expect_buffer(e, &desc[i], dir) ||
		    (desc[i].flags & VRING_DESC_F_NEXT) == 0)
			return;
		i = desc[i].next;
	}
	/* A loop, or an index beyond the ring. */
	e->result = FETCH_BROKEN;
}

/* After ring_open(): one load, so this sees what it saw. */
ORACLE static inline unsigned int split_expect_peek(const struct ring *vr, unsigned int max)
{
	uint16_t idx = GUEST_FORCE(const struct vring_avail *, vr->avail)->idx;
	uint16_t waiting = (uint16_t)(idx - vr->last_avail);

	MUST((vr->fault == RING_FAULT_AVAIL) == (waiting > vr->size));
	return waiting > vr->size ? 0 : MIN2((unsigned int)waiting, max);
}

ORACLE static inline unsigned int split_expect_waiting(const struct ring *vr)
{
	uint16_t idx = GUEST_FORCE(const struct vring_avail *, vr->avail)->idx;
	uint16_t waiting = (uint16_t)(idx - vr->last_avail);

	return waiting > vr->size ? 0 : waiting;
}

/* --- what the ring has to look like after ------------------------------ */

ORACLE static inline void split_model_push(const struct ring *vr, uint16_t idx,
					   enum chain_dir dir, const struct used *u,
					   unsigned int n)
{
	struct vring_used *used = GUEST_FORCE(struct vring_used *, vr->used);

	(void)dir;
	for (unsigned int i = 0; i < n; i++, idx++) {
		struct vring_used_elem elem = { .id = used_id(u[i]), .len = used_bytes(u[i]) };

		model_write(&used->ring[idx % vr->size], &elem, sizeof(elem));
	}
}

ORACLE static inline void split_model_publish(const struct ring *vr, uint16_t idx)
{
	struct vring_used *used = GUEST_FORCE(struct vring_used *, vr->used);

	model_write(&used->idx, &idx, sizeof(idx));
}

ORACLE static inline void split_model_kick(const struct ring *vr, bool enable)
{
	struct vring_used *used = GUEST_FORCE(struct vring_used *, vr->used);
	uint16_t flags = enable ? 0 : VRING_USED_F_NO_NOTIFY;

	if (!vr->event_idx)
		model_write(&used->flags, &flags, sizeof(flags));
	else if (enable)
		model_write(&used->ring[vr->size], &vr->last_avail, sizeof(vr->last_avail));
}

/* After ring_notify_needed() for `passed` chains since the last one, if there was one. */
ORACLE static inline bool split_expect_notify(const struct ring *vr, bool first, uint32_t passed)
{
	const struct vring_avail *avail = GUEST_FORCE(const struct vring_avail *, vr->avail);

	if (!vr->event_idx)
		return (avail->flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;
	return first || vring_need_event(avail->ring[vr->size], vr->published,
					 (uint16_t)(vr->published - passed));
}

/* The position `chains` further. */
ORACLE static inline uint16_t split_position_after(const struct ring *vr, uint16_t position,
						   uint32_t chains)
{
	(void)vr;
	return (uint16_t)(position + chains);
}

#endif
