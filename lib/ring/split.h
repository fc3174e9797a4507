/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The split virtqueue (virtio 1.2, 2.7). Nothing above ring/ knows its format;
 * it is reached through the verbs of ring.h. Everything read here is written by
 * the guest at any time: each field is loaded once, checked, then used.
 */
#ifndef VHOST_NG_SPLIT_H
#define VHOST_NG_SPLIT_H

#include "vring.h"

/* A private copy of one descriptor. */
struct split_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

static ALWAYS_INLINE struct split_desc split_load_desc(const struct vring_desc __guest *d)
{
	/* Two loads: address, then length, flags and next in one word. */
	uint64_t tail = shm_load64((const uint64_t __guest *)((uintptr_t)d + 8));

	return (struct split_desc){
		.addr = shm_load64((const uint64_t __guest *)(uintptr_t)d),
		.len = (uint32_t)tail,
		.flags = (uint16_t)(tail >> 32),
		.next = (uint16_t)(tail >> 48),
	};
}

/*
 * How many chains wait, at most `max`; 0 and vr->fault set when the index
 * makes no sense. Acquires what the guest wrote before it moved the index.
 */
static ALWAYS_INLINE unsigned int split_avail(struct ring *vr, unsigned int max)
{
	uint16_t idx = shm_load16_acquire(GUEST_FIELD(vr->avail, struct vring_avail, idx));
	uint16_t waiting = (uint16_t)(idx - vr->last_avail);

	if (unlikely(waiting > vr->size)) {
		vr->fault = RING_FAULT_AVAIL;
		return 0;
	}
	return MIN2((unsigned int)waiting, max);
}

static ALWAYS_INLINE uint16_t split_head(const struct ring *vr, unsigned int ahead)
{
	uint16_t slot = (uint16_t)((vr->last_avail + ahead) & (vr->size - 1u));

	return shm_load16((const uint16_t __guest *)((uintptr_t)vr->avail +
						     sizeof(struct vring_avail) + slot * 2u));
}

/* Brings the descriptors of the next `n` heads closer. */
static ALWAYS_INLINE void split_prefetch(const struct ring *vr, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint16_t head = split_head(vr, i);

		shm_prefetch(GUEST_AT(vr->desc, struct vring_desc, head & (vr->size - 1u)));
	}
}

/* The general walk: chains, indirect tables, buffers across regions. */
enum fetch_result split_fetch_walk(struct ring *vr, enum chain_dir dir, struct split_desc desc,
				   struct span_pool *pool, struct chain *chain);

/*
 * Takes the next chain; the caller knows from split_avail() that there is one.
 */
static ALWAYS_INLINE enum fetch_result split_fetch(struct ring *vr, enum chain_dir dir,
						   struct span_pool *pool, struct chain *chain)
{
	const uint16_t want = dir == CHAIN_WRITABLE ? VRING_DESC_F_WRITE : 0;
	uint16_t head = split_head(vr, 0);
	struct split_desc desc;
	enum fetch_result ret;

	if (unlikely(head >= vr->size)) {
		vr->fault = RING_FAULT_INDEX;
		return FETCH_BROKEN;
	}
	if (unlikely(pool->used == SPAN_POOL_SPANS))
		return FETCH_FULL;
	desc = split_load_desc(GUEST_AT(vr->desc, struct vring_desc, head));
	chain->id = head;
	chain->nr_slots = 1;
	chain->fault = RING_FAULT_NONE;
	/* One plain descriptor of the right direction in the region hit last. */
	if (likely((desc.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT |
				  VRING_DESC_F_WRITE)) == want &&
		   gmem_resolve_last(&vr->view, gpa(desc.addr), desc.len,
				     &pool->spans[pool->used]))) {
		chain->spans = &pool->spans[pool->used++];
		chain->nr_spans = 1;
		chain->bytes = desc.len;
		vr->last_avail++;
		return FETCH_OK;
	}
	ret = split_fetch_walk(vr, dir, desc, pool, chain);
	if (ret == FETCH_OK || ret == FETCH_BAD)
		vr->last_avail++;
	return ret;
}

/* Gives back the last `n` fetched chains that were not pushed. */
static ALWAYS_INLINE void split_rewind(struct ring *vr, unsigned int n)
{
	vr->last_avail = (uint16_t)(vr->last_avail - n);
}

/* Hands a chain back with `len` bytes written; the guest does not see it yet. */
static ALWAYS_INLINE void split_used_push(struct ring *vr, const struct chain *chain, uint32_t len)
{
	uint16_t slot = (uint16_t)(vr->used_idx++ & (vr->size - 1u));
	uint64_t elem = (uint64_t)len << 32 | chain->id;

	shm_write((void __guest *)((uintptr_t)vr->used + sizeof(struct vring_used) +
				   slot * sizeof(struct vring_used_elem)),
		  &elem, sizeof(elem));
}

/* Makes all pushed chains visible. False when there were none. */
static ALWAYS_INLINE bool split_publish(struct ring *vr)
{
	if (vr->published == vr->used_idx)
		return false;
	vr->published = vr->used_idx;
	shm_store16_release(GUEST_FIELD(vr->used, struct vring_used, idx), vr->published);
	return true;
}

/* The guest's word after its ring: raise an interrupt when used passes this. */
static ALWAYS_INLINE uint16_t split_used_event(const struct ring *vr)
{
	return shm_load16((const uint16_t __guest *)((uintptr_t)vr->avail +
						     sizeof(struct vring_avail) + vr->size * 2u));
}

/* After a publish: does the guest want to be notified? (virtio 1.2, 2.7.7) */
static ALWAYS_INLINE bool split_notify_needed(struct ring *vr)
{
	uint16_t old = vr->signalled, now = vr->published;
	bool first = !vr->signalled_valid;

	/* The guest re-enables, then looks; we publish, then look. */
	shm_fence();
	if (!vr->event_idx)
		return (shm_load16(GUEST_FIELD(vr->avail, struct vring_avail, flags)) &
			VRING_AVAIL_F_NO_INTERRUPT) == 0;
	vr->signalled = now;
	vr->signalled_valid = true;
	return first || (uint16_t)(now - split_used_event(vr) - 1) < (uint16_t)(now - old);
}

/*
 * Asks the guest to kick (or not) when it adds chains. Under event index "not"
 * needs no action: an event index that is never moved is passed only once.
 */
static inline void split_kick_enable(struct ring *vr, bool enable)
{
	if (!vr->event_idx) {
		shm_store16(GUEST_FIELD(vr->used, struct vring_used, flags),
			    enable ? 0 : VRING_USED_F_NO_NOTIFY);
	} else if (enable) {
		shm_store16((uint16_t __guest *)((uintptr_t)vr->used + sizeof(struct vring_used) +
						 vr->size * sizeof(struct vring_used_elem)),
			    vr->last_avail);
	}
	/* The caller looks at the ring next; it must not look too early. */
	shm_fence();
}

#endif
