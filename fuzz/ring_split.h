/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The split virtqueue told a second time, from virtio 1.2, 2.7, in the most
 * obvious way and without the library's code: what a fetch must find, and what
 * giving a chain back must write. It reads guest memory at once and plainly, so
 * it speaks for a guest that holds still.
 */
#ifndef FUZZ_RING_SPLIT_H
#define FUZZ_RING_SPLIT_H

#include "ring/ring.h"
#include "ring_memory.h"

/* What the next fetch must answer. */
struct expected {
	enum fetch_result result;
	unsigned int nr_buffers; /* also those of length 0 */
	unsigned int nr_pieces;
	struct {
		const uint8_t *at;
		uint64_t len_bytes;
	} pieces[CHAIN_SPANS_MAX];
};

/*
 * The most loads one fetch may make: the head, then two for each descriptor of
 * the ring and of a table, whose entries may each lie across two regions.
 */
#define LOADS_MAX(vr) (1u + 2u * (vr)->size + 2u * (CHAIN_SPANS_MAX + 1u))

ORACLE static inline bool expect_buffer(struct expected *e, const struct vring_desc *d,
				 enum chain_dir dir)
{
	uint64_t addr = d->addr, left = d->len, room;

	e->result = FETCH_BAD;
	if (((d->flags & VRING_DESC_F_WRITE) != 0) != (dir == CHAIN_WRITABLE) ||
	    ++e->nr_buffers > CHAIN_SPANS_MAX)
		return false;
	while (left != 0) {
		const uint8_t *at = guest_at(addr, &room);

		if (at == NULL || e->nr_pieces == CHAIN_SPANS_MAX)
			return false;
		room = MIN2(room, left);
		e->pieces[e->nr_pieces].at = at;
		e->pieces[e->nr_pieces++].len_bytes = room;
		addr += room;
		left -= room;
	}
	e->result = FETCH_OK;
	return true;
}

/* Guest memory to our own; false when there is a hole. */
ORACLE static inline bool guest_copy(void *to, uint64_t addr, uint64_t len)
{
	uint64_t room;

	while (len != 0) {
		const uint8_t *at = guest_at(addr, &room);

		if (at == NULL)
			return false;
		room = MIN2(room, len);
		memcpy(to, at, room);
		to = (uint8_t *)to + room;
		addr += room;
		len -= room;
	}
	return true;
}

ORACLE static inline void expect_table(struct expected *e, const struct vring_desc *head,
				enum chain_dir dir)
{
	static struct vring_desc table[VRING_SIZE_MAX];
	uint32_t entries = head->len / (uint32_t)sizeof(table[0]), i = 0;

	e->result = FETCH_BAD;
	if (head->len % sizeof(table[0]) != 0 || entries == 0 || entries > VRING_SIZE_MAX ||
	    (head->flags & VRING_DESC_F_NEXT) != 0 || !guest_copy(table, head->addr, head->len))
		return;
	for (uint32_t steps = 0; steps < entries && i < entries; steps++) {
		if ((table[i].flags & VRING_DESC_F_INDIRECT) != 0)
			break;
		if (!expect_buffer(e, &table[i], dir) ||
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

	*e = (struct expected){ .result = FETCH_BROKEN };
	for (uint32_t steps = 0; steps < vr->size && i < vr->size; steps++) {
		if ((desc[i].flags & VRING_DESC_F_INDIRECT) != 0) {
			expect_table(e, &desc[i], dir);
			return;
		}
		if (!expect_buffer(e, &desc[i], dir) || (desc[i].flags & VRING_DESC_F_NEXT) == 0)
			return;
		i = desc[i].next;
	}
	/* A loop, or an index beyond the ring. */
	e->result = FETCH_BROKEN;
}

/* After ring_avail(); one load, so this sees what it saw. */
ORACLE static inline unsigned int split_expect_avail(const struct ring *vr, unsigned int max)
{
	uint16_t idx = GUEST_FORCE(const struct vring_avail *, vr->avail)->idx;
	uint16_t waiting = (uint16_t)(idx - vr->last_avail);

	MUST((vr->fault == RING_FAULT_AVAIL) == (waiting > vr->size));
	return waiting > vr->size ? 0 : MIN2((unsigned int)waiting, max);
}

/* --- what the ring has to look like after ------------------------------ */

ORACLE static inline void split_model_push(const struct ring *vr, uint16_t idx, uint16_t id,
					   uint32_t len)
{
	struct vring_used *used = GUEST_FORCE(struct vring_used *, vr->used);
	struct vring_used_elem elem = { .id = id, .len = len };

	model_write(&used->ring[idx % vr->size], &elem, sizeof(elem));
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

/* After ring_notify_needed(); `old` is where the last one happened, if any did. */
ORACLE static inline bool split_expect_notify(const struct ring *vr, bool first, uint16_t old)
{
	const struct vring_avail *avail = GUEST_FORCE(const struct vring_avail *, vr->avail);

	if (!vr->event_idx)
		return (avail->flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;
	return first || vring_need_event(avail->ring[vr->size], vr->published, old);
}

#endif
