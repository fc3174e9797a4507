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
	device_set_memory(call->dev, mem);
	return 0;
}
