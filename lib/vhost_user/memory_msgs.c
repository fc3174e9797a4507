/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about guest memory.
 */
#include <errno.h>

#include "table.h"

int vhu_valid_mem_table(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	uint32_t n = in->mem.nr_regions;

	if (n == 0 || n > VHU_REGIONS_MAX || n != nr_fds)
		return -EINVAL;
	return in_bytes == offsetof(struct vhu_mem_table, regions) + n * sizeof(struct vhu_region) ?
		       0 :
		       -EINVAL;
}

/* The table replaces the old one whole, or not at all. */
int vhu_set_mem_table(struct vhu_call *call)
{
	const struct vhu_mem_table *table = &call->in->mem;
	struct device *dev = call->dev;
	struct region *regions[VHU_REGIONS_MAX];
	struct gmem *mem;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < table->nr_regions; i++) {
		const struct vhu_region *r = &table->regions[i];
		struct region_desc desc = { .gpa = gpa(r->gpa),
					    .uva = uva(r->uva),
					    .size_bytes = r->size_bytes,
					    .mmap_offset_bytes = r->mmap_offset_bytes };

		ret = region_map(&desc, call->fds->fds[i], i, &regions[i]);
		if (ret < 0)
			break;
		(void)fdbag_take(call->fds, i);
	}
	if (ret < 0) {
		while (i-- > 0)
			region_put(regions[i]);
		return ret;
	}
	mem = gmem_build(regions, table->nr_regions);
	if (mem == NULL)
		return -EINVAL;
	/* It grows first (SET_LOG_BASE), or pages would change behind the frontend's back. */
	if (dev->log != NULL && !device_log_covers_memory(dev, dev->log, mem)) {
		gmem_put(mem);
		return -EINVAL;
	}
	device_set_memory(dev, mem);
	return 0;
}

/*
 * May come at any time of a migration, and more than once: the new log holds all
 * that is written from here on, and when the frontend reads the answer nobody
 * touches the old one any more. The mapping needs no descriptor.
 */
int vhu_set_log_base(struct vhu_call *call)
{
	const struct vhu_log *in = &call->in->log;
	struct device *dev = call->dev;
	struct dirty_log *log;
	bool covers;
	int ret;

	ret = dirty_log_map(call->fds->fds[0], in->size_bytes, in->offset_bytes, &log);
	if (ret < 0)
		return ret;
	covers = device_log_covers_memory(dev, log, dev->mem);
	for (unsigned int i = 0; covers && i < dev->nr_vqs; i++)
		covers = device_log_covers_used(dev, log, dev->vqs[i]);
	if (!covers) {
		dirty_log_unmap(log);
		return -EINVAL;
	}
	device_set_log(dev, log);
	call->out->u64 = 0;
	call->out_bytes = sizeof(call->out->u64);
	return 0;
}

int vhu_set_log_fd(struct vhu_call *call)
{
	int fd, ret = vhu_take_eventfd(call, &fd);

	if (ret == 0)
		device_set_log_fd(call->dev, fd);
	return ret;
}
