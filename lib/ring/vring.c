/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "vring.h"

#define PACKED_EVENT_ALIGN_SIZE 4

static const char *const fault_names[RING_FAULT_COUNT] = {
	[RING_FAULT_NONE] = "none",
	[RING_FAULT_ADDRESS] = "bad_address",
	[RING_FAULT_DIRECTION] = "bad_direction",
	[RING_FAULT_LENGTH] = "too_long",
	[RING_FAULT_INDIRECT] = "bad_indirect",
	[RING_FAULT_SHORT] = "too_short",
	[RING_FAULT_INDEX] = "bad_index",
	[RING_FAULT_LOOP] = "loop",
	[RING_FAULT_AVAIL] = "avail_jump",
};

const char *ring_fault_name(enum ring_fault fault)
{
	return fault < RING_FAULT_COUNT ? fault_names[fault] : "unknown";
}

uint64_t vring_used_bytes(enum ring_kind kind, uint16_t size)
{
	if (kind == RING_PACKED)
		return sizeof(struct vring_packed_desc_event);
	return sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) + 2;
}

/* How large the parts are. Both split rings end in an event index word, negotiated or not. */
struct parts {
	uint64_t desc_bytes, avail_bytes, used_bytes;
	uint64_t avail_alignment;
	uint8_t desc_access; /* packed: used descriptors stand where available ones stood */
};

static struct parts parts_of(const struct ring *vr)
{
	uint64_t n = vr->size;

	if (vr->kind == RING_PACKED)
		return (struct parts){ .desc_bytes = n * sizeof(struct vring_packed_desc),
				       .avail_bytes = sizeof(struct vring_packed_desc_event),
				       .used_bytes = vring_used_bytes(vr->kind, vr->size),
				       .avail_alignment = PACKED_EVENT_ALIGN_SIZE,
				       .desc_access = IOTLB_READ | IOTLB_WRITE };
	return (struct parts){ .desc_bytes = n * sizeof(struct vring_desc),
			       .avail_bytes = sizeof(struct vring_avail) + (n + 1) * 2,
			       .used_bytes = vring_used_bytes(vr->kind, vr->size),
			       .avail_alignment = VRING_AVAIL_ALIGN_SIZE,
			       .desc_access = IOTLB_READ };
}

bool vring_base_fits(const struct ring *vr, uint16_t avail, uint16_t used)
{
	return vr->kind != RING_PACKED ||
	       ((avail & 0x7fff) < vr->size && (used & 0x7fff) < vr->size);
}

static bool numbers_fit(const struct ring *vr)
{
	return vring_base_fits(vr, vr->last_avail, vr->used_idx) &&
	       (vr->kind == RING_PACKED || is_pow2(vr->size));
}

/* What a ring is looked up in. */
struct place {
	struct ring *vr;
	const struct gmem *mem;
	const struct iotlb *tlb;
};

/* A part that is not there yet is asked for, one that is refused is reported; `access`: iotlb.h. */
static int translate(const struct place *in, iova_t at, uint64_t bytes, uint8_t access,
		     uint8_t __guest **out)
{
	int ret = iotlb_resolve(in->tlb, at, bytes, access, out);

	if (ret == -EACCES)
		ring_miss_refused(in->vr->misses, at, access);
	for (uint8_t kind = IOTLB_READ; ret == -ENOENT && kind <= IOTLB_WRITE; kind++)
		if ((access & kind) != 0)
			(void)ring_miss_range(in->vr->misses, iotlb_map(in->tlb, kind), at, bytes,
					      access, RING_MISS_STEPS_MAX);
	return ret;
}

/* One part of a ring: aligned, and whole inside one region. */
static int attach_part(const struct place *in, uint64_t addr, uint64_t bytes, uint64_t alignment,
		       uint8_t access, uint8_t __guest **out)
{
	int ret = 0;

	if (in->tlb != NULL)
		ret = translate(in, iova(addr), bytes, access, out);
	else if (!gmem_resolve_uva(in->mem, uva(addr), bytes, out))
		ret = -EFAULT;
	if (ret < 0)
		return ret;
	/* Here, too: a region may lie at an odd offset in its file. */
	return ((addr | (uintptr_t)*out) & (alignment - 1)) == 0 ? 0 : -EINVAL;
}

static void set_views(struct ring *vr, const struct gmem *mem, const struct iotlb *tlb)
{
	const struct gmap *map = mem != NULL ? mem->map : NULL;

	vr->mem = mem;
	memview_set(&vr->views[CHAIN_READABLE], tlb != NULL ? iotlb_map(tlb, IOTLB_READ) : map);
	memview_set(&vr->views[CHAIN_WRITABLE], tlb != NULL ? iotlb_map(tlb, IOTLB_WRITE) : map);
}

int vring_attach(struct ring *vr, const struct gmem *mem, const struct iotlb *tlb,
		 const struct vring_addrs *addrs)
{
	const struct place in = { .vr = vr, .mem = mem, .tlb = tlb };
	struct parts parts = parts_of(vr);
	uint8_t __guest *desc;
	uint8_t __guest *avail;
	uint8_t __guest *used;
	int ret[3], worst = 0;

	vring_detach(vr);
	if (!numbers_fit(vr))
		return -ERANGE;
	if (tlb != NULL)
		vr->misses->full = false;
	/* All three, so that all that is missing is asked for at once. */
	ret[0] = attach_part(&in, addrs->desc, parts.desc_bytes, VRING_DESC_ALIGN_SIZE,
			     parts.desc_access, &desc);
	ret[1] = attach_part(&in, addrs->avail, parts.avail_bytes, parts.avail_alignment,
			     IOTLB_READ, &avail);
	ret[2] = attach_part(&in, addrs->used, parts.used_bytes, VRING_USED_ALIGN_SIZE,
			     IOTLB_WRITE, &used);
	for (unsigned int i = 0; i < ARRAY_LEN(ret); i++)
		if (ret[i] != 0 && (worst == 0 || worst == -ENOENT))
			worst = ret[i];
	if (worst != 0)
		return worst;
	vr->desc = (struct vring_desc __guest *)(uintptr_t)desc;
	vr->avail = (struct vring_avail __guest *)(uintptr_t)avail;
	vr->used = (struct vring_used __guest *)(uintptr_t)used;
	set_views(vr, mem, tlb);
	return 0;
}

void vring_detach(struct ring *vr)
{
	vr->desc = NULL;
	vr->avail = NULL;
	vr->used = NULL;
	set_views(vr, NULL, NULL);
}

void vring_set_base(struct ring *vr, uint16_t avail, uint16_t used)
{
	vr->last_avail = avail;
	vr->used_idx = used;
	vr->published = used;
	vr->unsignalled = 0;
	vr->signalled_valid = false;
	if (vr->misses != NULL)
		vr->misses->ahead = avail;
}
