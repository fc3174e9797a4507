/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <unistd.h>

#include <linux/virtio_ring.h>

#include "base/defs.h"
#include "inflight.h"

#define WRAP (1u << VRING_PACKED_EVENT_F_WRAP_CTR)

int inflight_make(struct inflight *area, struct frontend *f, uint16_t nr_rings, uint16_t size)
{
	int ret;

	area->what = (struct vhu_inflight){ .nr_queues = nr_rings, .queue_size = size };
	ret = frontend_get_inflight(f, &area->what, &area->fd);
	return ret < 0 ? ret : inflight_pass(area, f);
}

int inflight_pass(const struct inflight *area, struct frontend *f)
{
	return frontend_tell(f, VHU_SET_INFLIGHT_FD, &area->what, sizeof(area->what), &area->fd, 1);
}

void inflight_drop(struct inflight *area)
{
	if (area->fd >= 0)
		close(area->fd);
	area->fd = -1;
}

bool inflight_fits(const struct inflight *area, unsigned int index, uint32_t size)
{
	return area->fd < 0 || (index < area->what.nr_queues && size <= area->what.queue_size);
}

static uint32_t position(uint16_t index, uint8_t wrap)
{
	return index | (wrap != 0 ? WRAP : 0);
}

/* Would the guest have its device take a chain from there next? */
static bool is_available(const struct rte_vhost_vring *vring, uint16_t index, uint8_t wrap)
{
	const struct vring_packed_desc *desc = (const void *)vring->desc;
	uint16_t flags = __atomic_load_n(&desc[index].flags, __ATOMIC_ACQUIRE);

	return (flags >> VRING_PACKED_DESC_F_AVAIL & 1) == wrap &&
	       (flags >> VRING_PACKED_DESC_F_USED & 1) != wrap;
}

int inflight_packed_base(const struct inflight *area, unsigned int index,
			 const struct rte_vhost_vring *vring, uint32_t *base)
{
	struct rte_vhost_inflight_info_packed info;
	uint64_t each_bytes, at;
	uint32_t now, old;

	if (area->fd < 0 || !inflight_fits(area, index, vring->size))
		return -ESTALE;
	each_bytes = area->what.mmap_size_bytes / area->what.nr_queues;
	at = area->what.mmap_offset_bytes + index * each_bytes;
	/* Whoever made the file may have cut it short: it is not mapped. */
	if (each_bytes < sizeof(info) ||
	    pread(area->fd, &info, sizeof(info), (off_t)at) != (ssize_t)sizeof(info))
		return -ESTALE;
	if (info.version == 0)
		return 0;
	if (info.used_idx >= vring->size || info.old_used_idx >= vring->size ||
	    info.used_wrap_counter > 1 || info.old_used_wrap_counter > 1)
		return -ESTALE;
	now = position(info.used_idx, info.used_wrap_counter);
	old = position(info.old_used_idx, info.old_used_wrap_counter);
	/* A batch was under way: has the guest seen it? */
	if (now == old || !is_available(vring, info.old_used_idx, info.old_used_wrap_counter)) {
		*base = now | now << 16;
		return 0;
	}
	*base = old | old << 16;
	return 1;
}
