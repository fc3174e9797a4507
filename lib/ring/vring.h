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
#include "memory/dirty_log.h"
#include "misses.h"

enum ring_kind {
	RING_SPLIT,
	RING_PACKED,
	RING_KINDS,
};

#define VRING_SIZE_MAX 32768
/* Where a packed ring begins: both wrap counters are 1 (virtio 1.2, 2.8.1). */
#define VRING_PACKED_START (1u << VRING_PACKED_EVENT_F_WRAP_CTR)

/*
 * A position is what SET_VRING_BASE calls a base: a count that wraps at 65536
 * in a split ring, an index with a wrap counter (packed.h) in a packed one.
 */
struct ring {
	/* Of buffers, by what they are for (enum chain_dir); both the same without a vIOMMU. */
	struct memview views[2];
	union {
		struct vring_desc __guest *desc;
		struct vring_packed_desc __guest *packed;
	};
	union {
		struct vring_avail __guest *avail;
		struct vring_packed_desc_event __guest *driver_event;
	};
	union {
		struct vring_used __guest *used;
		struct vring_packed_desc_event __guest *device_event;
	};
	enum ring_kind kind;
	uint16_t size;
	uint16_t last_avail;  /* next to fetch */
	uint16_t used_idx;    /* next to give back, maybe not yet published */
	uint16_t published;   /* how far the guest sees chains used */
	uint32_t unsignalled; /* slots given back since the last notification decision */
	bool signalled_valid; /* false: there was none yet */
	bool event_idx;
	bool in_order;
	enum ring_fault fault; /* set once the ring is broken */
	/* Whose memory it all is, by guest physical address. */
	const struct gmem *mem;
	struct ring_misses *misses; /* NULL: there is no vIOMMU */
	/* Packed: the in-flight area, if each batch is to be recorded there (redo.h). */
	uint8_t __guest *redo;
	uint16_t redo_entries;
	/* Dirty logging (ring_log.h). */
	struct dirty_log *log; /* NULL: there is nothing to log */
	bool log_all;          /* what is written behind descriptors */
	bool log_used;         /* the ring itself */
	bool log_news;         /* a page that was clean has been marked */
	gpa_t log_used_addr;   /* of the used ring (packed: of the device event structure) */
};

/*
 * Where the frontend says that the parts of a ring lie (packed: event structures
 * for rings): its own addresses, or I/O virtual ones under a vIOMMU.
 */
struct vring_addrs {
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
};

/*
 * Binds the ring to `mem`: every part, event index words included, must lie
 * inside one region and be aligned as the virtio specification asks (2.7, 2.8),
 * and size and position must make sense for vr->kind. Positions are kept. With
 * a `tlb` all addresses are translated by it, those of buffers too, and vr->misses
 * must be there.
 * Returns 0, -EINVAL (alignment), -EFAULT (not in memory), -ERANGE (size,
 * position), -EACCES (a part may not be accessed so) or -ENOENT (a part is not
 * translated yet: see vr->misses, for both).
 */
int vring_attach(struct ring *vr, const struct gmem *mem, const struct iotlb *tlb,
		 const struct vring_addrs *addrs);
void vring_detach(struct ring *vr);

static inline bool vring_attached(const struct ring *vr)
{
	return vr->desc != NULL;
}

/* Bytes of what SET_VRING_ADDR calls the used ring. */
uint64_t vring_used_bytes(enum ring_kind kind, uint16_t size);

/* Is there such a place in the ring? (Of a ring that is attached: kind and size stand.) */
bool vring_base_fits(const struct ring *vr, uint16_t avail, uint16_t used);
/* Sets both positions, as SET_VRING_BASE and rte_vhost_set_vring_base() do. */
void vring_set_base(struct ring *vr, uint16_t avail, uint16_t used);

#endif
