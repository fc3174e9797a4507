/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One virtqueue's ring in guest memory and our position in it. The queue gate
 * guards every field: data threads use them inside, control changes them while
 * the gate is closed.
 */
#ifndef VHOST_NG_VRING_H
#define VHOST_NG_VRING_H

#include <linux/virtio_ring.h>

#include "chain.h"
#include "memory/gmem.h"

enum ring_kind {
	RING_SPLIT,
};

#define VRING_SIZE_MAX 32768

struct ring {
	struct memview view;
	struct vring_desc __guest *desc;
	struct vring_avail __guest *avail;
	struct vring_used __guest *used;
	uint16_t size;
	uint16_t last_avail;  /* next available entry to fetch */
	uint16_t used_idx;    /* next used entry to write, maybe not yet published */
	uint16_t published;   /* what the guest sees as used->idx */
	uint16_t signalled;   /* used index at the last notification decision */
	bool signalled_valid; /* false: the next decision is always "notify" */
	bool event_idx;
	bool log_used; /* SET_VRING_ADDR asked for it; dirty logging comes later */
	enum ring_fault fault; /* set once the ring is broken */
};

/* Where the frontend says that the parts of a ring lie. */
struct vring_addrs {
	uva_t desc;
	uva_t avail;
	uva_t used;
};

/*
 * Binds the ring to `mem`: every part, event index words included, must lie
 * inside one region and be aligned as the virtio specification asks (2.7).
 * Positions are kept. Returns 0, -EINVAL (alignment) or -EFAULT.
 */
int vring_attach(struct ring *vr, struct gmem *mem, const struct vring_addrs *addrs);
void vring_detach(struct ring *vr);

static inline bool vring_attached(const struct ring *vr)
{
	return vr->desc != NULL;
}

/* Sets both positions, as SET_VRING_BASE and rte_vhost_set_vring_base() do. */
void vring_set_base(struct ring *vr, uint16_t avail, uint16_t used);

#endif
