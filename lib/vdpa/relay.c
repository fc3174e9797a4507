/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Migration with a device that keeps no dirty log: its driver has it write used entries into a ring
 * of the driver's own, and they come to the guest's ring through here, past the log. The entries are
 * the device's, which may write to them at any time, the chains the guest's.
 */
#include "device/visit.h"
#include "vdpa.h"

/* What the device may have written to. It has: marking comes after that. */
static bool log_chain(struct ring *vr, uint32_t id)
{
	struct span_pool pool = { .used = 0 };
	struct chain chain;

	if (id >= vr->size || split_look_at(vr, (uint16_t)id, &pool, &chain) != FETCH_OK)
		return false;
	if (vr->log == NULL)
		return true;
	for (unsigned int i = chain.nr_readable; i < chain.nr_spans; i++)
		ring_log_buffer(vr, chain.spans[i].ptr, chain.spans[i].len_bytes);
	return true;
}

/* Of a used ring, the guest's or the device's. */
static struct vring_used_elem __guest *elem_at(struct vring_used __guest *used, uint32_t slot)
{
	return (struct vring_used_elem __guest *)((uintptr_t)used + sizeof(struct vring_used) +
						  slot * sizeof(struct vring_used_elem));
}

/* Each is taken once: what is looked at is what goes to the guest's ring, behind its index. */
static bool pass_entries(struct ring *vr, struct vring_used __guest *from, uint16_t at, uint16_t n)
{
	dirty_log_fence();
	for (uint16_t i = 0; i < n; i++) {
		const uint32_t slot = (uint16_t)(at + i) & (vr->size - 1u);
		struct vring_used_elem __guest *elem = elem_at(from, slot);
		const struct vring_used_elem taken = {
			.id = shm_load32(GUEST_FIELD(elem, struct vring_used_elem, id)),
			.len = shm_load32(GUEST_FIELD(elem, struct vring_used_elem, len)),
		};

		if (!log_chain(vr, taken.id)) {
			LOG_ERR("used entry %u of a vDPA device: %u is no chain of its guest", i,
				taken.id);
			return false;
		}
		shm_write(elem_at(vr->used, slot), &taken, sizeof(taken));
	}
	if (vr->log != NULL)
		ring_log_tell(vr);
	return true;
}

static int relay(struct ring *vr, struct vring *ours)
{
	struct vring_used __guest *from = (struct vring_used __guest *)(uintptr_t)ours->used;
	const uint16_t at = shm_load16(GUEST_FIELD(vr->used, struct vring_used, idx));
	const uint16_t end = shm_load16_acquire(GUEST_FIELD(from, struct vring_used, idx));
	const uint16_t n = (uint16_t)(end - at);

	if (ours->num != vr->size || n > vr->size || !pass_entries(vr, from, at, n))
		return -1;
	/* The guest sees all of them, or none. */
	shm_store16_release(GUEST_FIELD(vr->used, struct vring_used, idx), end);
	/* Whether the device wants kicks, and it shall say when it has used more. */
	shm_store16(GUEST_FIELD(vr->used, struct vring_used, flags),
		    shm_load16(GUEST_FIELD(from, struct vring_used, flags)));
	__atomic_store_n(&vring_used_event(ours), end, __ATOMIC_RELEASE);
	return n;
}

int rte_vdpa_relay_vring_used(int vid, uint16_t qid, void *vring_m)
{
	struct vq *vq = vring_m != NULL ? device_vq(vid, qid) : NULL;
	struct visit v;
	int n = -1;

	if (vq == NULL)
		return -1;
	visit_enter(&v, vq);
	if (visit_is_live(&v) && vq->dev->vdpa != NULL && vring_attached(&vq->ring) &&
	    vq->ring.kind == RING_SPLIT)
		n = relay(&vq->ring, vring_m);
	visit_end(&v);
	return n;
}
