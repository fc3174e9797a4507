/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "redo.h"
#include "ring.h"

/*
 * Where the guest sees chains used, and the end of the batch, in one store: what
 * lies in the area from used_idx on. `redo` is padding to everybody else.
 */
union positions {
	uint64_t word;
	struct {
		uint16_t used_idx;
		uint16_t old_used_idx;
		uint8_t wrap;
		uint8_t old_wrap;
		uint16_t redo; /* 1: the log has the batch */
	};
};

typedef struct rte_vhost_inflight_info_packed area_info;
typedef struct rte_vhost_inflight_desc_packed area_entry;

_Static_assert(offsetof(area_info, used_idx) % sizeof(uint64_t) == 0, "one store");
_Static_assert(offsetof(area_info, old_used_idx) == offsetof(area_info, used_idx) + 2, "layout");
_Static_assert(offsetof(area_info, used_wrap_counter) == offsetof(area_info, used_idx) + 4,
	       "layout");
_Static_assert(offsetof(area_info, old_used_wrap_counter) == offsetof(area_info, used_idx) + 5,
	       "layout");
_Static_assert(offsetof(area_info, padding) == offsetof(area_info, used_idx) + 6, "layout");

static uint64_t __guest *positions_at(uint8_t __guest *area)
{
	return (uint64_t __guest *)(uintptr_t)GUEST_FIELD(area, area_info, used_idx);
}

static uint64_t __guest *log_at(uint8_t __guest *area, unsigned int i)
{
	return GUEST_FIELD(GUEST_AT((uintptr_t)area + sizeof(area_info), area_entry, i), area_entry,
			   counter);
}

static union positions positions_make(uint16_t old, uint16_t now, bool redo)
{
	return (union positions){ .used_idx = (uint16_t)packed_index(now),
				  .old_used_idx = (uint16_t)packed_index(old),
				  .wrap = (now & PACKED_WRAP) != 0,
				  .old_wrap = (old & PACKED_WRAP) != 0,
				  .redo = redo };
}

/* What is before it in the source is stored before what comes after it. */
static void in_this_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

NOINLINE void redo_begin(const struct ring *vr, const struct used *used, unsigned int n)
{
	uint32_t at = packed_index(vr->used_idx), lap = packed_used_lap(vr->used_idx);

	/* Only a guest that changes descriptors under us has that many. */
	if (n > vr->redo_entries)
		return;
	for (unsigned int i = 0; i < n; i++) {
		shm_store64(log_at(vr->redo, i), used[i].word);
		packed_advance(vr->size, &at, &lap, used_slots(used[i]));
	}
	in_this_order();
	shm_store64(positions_at(vr->redo),
		    positions_make(vr->used_idx, packed_position(at, lap), true).word);
	in_this_order();
}

NOINLINE void redo_end(const struct ring *vr)
{
	in_this_order();
	shm_store64(positions_at(vr->redo), positions_make(vr->used_idx, vr->used_idx, false).word);
}

/* --- the next backend --------------------------------------------------- */

/* Slots of the batch; 0: that is none. */
static uint32_t batch_slots(const struct ring *vr, union positions p)
{
	uint32_t slots = p.used_idx + (p.wrap != p.old_wrap ? vr->size : 0u) - p.old_used_idx;

	/* Also where it would be negative. */
	return slots <= vr->size ? slots : 0;
}

/* Its chains, `slots` in all; how many, or 0 when the log says something else. */
static unsigned int batch_read(uint8_t __guest *area, uint32_t slots, struct used *used)
{
	unsigned int n = 0;

	while (slots != 0) {
		used[n].word = shm_load64(log_at(area, n));
		if (used_slots(used[n]) == 0 || used_slots(used[n]) > slots)
			return 0;
		slots -= used_slots(used[n++]);
	}
	return n;
}

/* Has the guest been shown the batch? Its first store was the last one. */
static bool batch_is_shown(const struct ring *vr, uint16_t from)
{
	uint16_t flags = shm_load16(GUEST_FIELD(
		GUEST_AT(vr->packed, struct vring_packed_desc, packed_index(from)),
		struct vring_packed_desc, flags));

	return !packed_is_avail(flags, packed_avail_lap(from));
}

static int batch_write(struct ring *vr, enum chain_dir dir, uint8_t __guest *area, uint32_t slots)
{
	struct used *used = calloc(slots, sizeof(*used));
	unsigned int n;

	if (used == NULL)
		return -ENOMEM;
	n = batch_read(area, slots, used);
	if (n != 0)
		packed_used_push(vr, dir, used, n);
	free(used);
	return n != 0 ? 0 : -EPROTO;
}

static int batch_finish(struct ring *vr, enum chain_dir dir, uint8_t __guest *area)
{
	union positions p = { .word = shm_load64(positions_at(area)) };
	uint32_t slots = batch_slots(vr, p);
	uint16_t from, to;
	int ret = 0;

	if (p.redo == 0)
		return 0;
	if (p.used_idx >= vr->size || p.old_used_idx >= vr->size || p.wrap > 1 || p.old_wrap > 1 ||
	    slots == 0)
		return -EPROTO;
	from = (uint16_t)(p.old_used_idx | (p.old_wrap != 0 ? PACKED_WRAP : 0));
	to = (uint16_t)(p.used_idx | (p.wrap != 0 ? PACKED_WRAP : 0));
	vring_set_base(vr, from, from);
	if (!batch_is_shown(vr, from))
		ret = batch_write(vr, dir, area, slots);
	in_this_order();
	if (ret == 0)
		shm_store64(positions_at(area), positions_make(to, to, false).word);
	return ret;
}

/* Oldest first, unused: there is nobody to do them. */
static void give_back(struct inflight *inf, struct ring *vr, enum chain_dir dir,
		      const struct rte_vhost_resubmit_info *list)
{
	for (unsigned int i = list->resubmit_num; i-- > 0;) {
		uint16_t entry = list->resubmit_list[i].index;
		struct used used = inflight_used(inf, entry);

		if (vr->kind == RING_PACKED)
			(void)inflight_packed_completing(inf, entry);
		else
			(void)inflight_split_completing(inf, entry);
		ring_used_push(vr->kind, vr, dir, &used, 1);
		ring_publish(vr->kind, vr);
		if (vr->kind == RING_PACKED)
			(void)inflight_packed_completed(inf, entry);
		else
			(void)inflight_split_completed(inf, entry, vr->used_idx);
	}
}

int redo_start(struct ring *vr, enum chain_dir dir, uint8_t __guest *area, uint16_t size)
{
	struct rte_vhost_resubmit_info list;
	struct inflight inf;
	int ret = 0;

	vr->redo = NULL;
	if (vr->kind == RING_PACKED && inflight_is_of(area, vr, size))
		ret = batch_finish(vr, dir, area);
	if (ret == 0)
		ret = inflight_start(&inf, vr, area, size, &list);
	if (ret < 0)
		return ret;
	give_back(&inf, vr, dir, &list);
	free(list.resubmit_list);
	if (vr->kind == RING_PACKED) {
		vr->redo = area;
		vr->redo_entries = size;
	}
	return 0;
}
