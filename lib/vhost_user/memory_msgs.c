/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about guest memory. Each prepares a new snapshot while the queues
 * run; only exchanging the old one for it needs them to be quiet.
 */
#include <errno.h>
#include <inttypes.h>

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

/* With GPA_ADDRESSES the frontend names memory, rings too, by guest addresses alone. */
static uint64_t frontend_address(const struct device *dev, const struct vhu_region *r)
{
	return device_has_proto(dev, VHOST_USER_PROTOCOL_F_GPA_ADDRESSES) ? r->gpa : r->uva;
}

static struct region_desc desc_of(const struct device *dev, const struct vhu_region *r)
{
	return (struct region_desc){ .gpa = gpa(r->gpa),
				     .uva = uva(frontend_address(dev, r)),
				     .size_bytes = r->size_bytes,
				     .mmap_offset_bytes = r->mmap_offset_bytes };
}

/* Engines copy to and from what is there and stays there. Once a connection: it may go on so. */
static void warn_not_resident(struct device *dev, const struct filemap *map)
{
	if (dev->warned_not_resident || (map->fill_error == 0 && map->lock_error == 0))
		return;
	dev->warned_not_resident = true;
	if (map->fill_error != 0)
		LOG_WARN("%s: guest memory could not be populated (error %d), and is not locked: "
			 "an engine may not find what it is to copy; give the guest enough memory "
			 "or huge pages, preallocated (QEMU: prealloc=on), and use Linux 5.14 or "
			 "later",
			 dev->ifname, -map->fill_error);
	if (map->lock_error != 0)
		LOG_WARN("%s: guest memory could not be locked (error %d): it may be swapped out "
			 "while an engine copies; raise RLIMIT_MEMLOCK above the memory of all "
			 "guests (`ulimit -l`, LimitMEMLOCK=), or give this process CAP_IPC_LOCK",
			 dev->ifname, -map->lock_error);
}

/*
 * The guest may be coming by postcopy: then a page that is missing is still on its way. Not where
 * engines copy (rte_vhost_driver_register() refuses both): there all pages are to be there.
 */
static int map_region(struct device *dev, const struct region_desc *desc, int fd,
		      unsigned int index, struct region **out)
{
	const struct filemap_how how = {
		.uffd = dev->postcopy.listening ? dev->postcopy.uffd : -1,
		.resident = (dev->config->flags & RTE_VHOST_USER_ASYNC_COPY) != 0,
	};
	int ret = region_map(desc, fd, index, &how, out);

	if (ret == 0 && how.resident)
		warn_not_resident(dev, &(*out)->map);
	return ret;
}

/* The table that a region is added to or removed from. */
static struct gmem *latest(const struct device *dev)
{
	return dev->postcopy.proposed != NULL ? dev->postcopy.proposed : dev->mem;
}

/* Memory as it will be, for vhu_swap_memory(). */
static int propose(struct vhu_call *call, struct gmem *mem)
{
	const struct device *dev = call->dev;

	if (mem == NULL)
		return -EINVAL;
	/* The log grows first (SET_LOG_BASE), or pages would change behind the frontend's back. */
	if (dev->log != NULL && !device_log_covers_memory(dev, dev->log, mem)) {
		gmem_put(mem);
		return -EINVAL;
	}
	call->mem = mem;
	return 0;
}

/* The region that a message names: by its addresses and its size. */
static struct region *find_region(const struct gmem *mem, const struct region_desc *named)
{
	for (unsigned int i = 0; mem != NULL && i < mem->nr_regions; i++) {
		struct region *r = mem->regions[i];

		if (r->gpa.v == named->gpa.v && r->uva.v == named->uva.v &&
		    r->size_bytes == named->size_bytes)
			return r;
	}
	return NULL;
}

/* Does the frontend say once more what it said before? */
static bool is_same_table(const struct device *dev, const struct vhu_mem_table *table,
			  const struct fdbag *fds)
{
	if (dev->mem == NULL || dev->mem->nr_regions != table->nr_regions)
		return false;
	for (unsigned int i = 0; i < table->nr_regions; i++) {
		struct region_desc desc = desc_of(dev, &table->regions[i]);
		const struct region *r = find_region(dev->mem, &desc);

		if (r == NULL || !region_matches(r, &desc, fds->fds[i]))
			return false;
	}
	return true;
}

/* The table replaces the old one whole, or not at all. */
int vhu_map_mem_table(struct vhu_call *call)
{
	const struct vhu_mem_table *table = &call->in->mem;
	struct region *regions[VHU_REGIONS_MAX];
	unsigned int i;
	int ret = 0;

	/* A vDPA device would have to be closed, for nothing. */
	if (call->dev->vdpa != NULL && is_same_table(call->dev, table, call->fds))
		return 0;

	for (i = 0; i < table->nr_regions; i++) {
		struct region_desc desc = desc_of(call->dev, &table->regions[i]);

		ret = map_region(call->dev, &desc, call->fds->fds[i], i, &regions[i]);
		if (ret < 0)
			break;
		(void)fdbag_take(call->fds, i);
	}
	if (ret < 0) {
		while (i-- > 0)
			region_put(regions[i]);
		return ret;
	}
	return propose(call, gmem_build(regions, table->nr_regions));
}

int vhu_get_max_mem_slots(struct vhu_call *call)
{
	call->out->u64 = GMEM_REGIONS_MAX;
	call->out_bytes = sizeof(call->out->u64);
	return 0;
}

/*
 * A frontend with several queue pairs may say all that it says about memory
 * once for each (QEMU did, before 8.0). So the same region may be added again,
 * and goes when it was removed as often.
 */
static bool claim_again(struct region *r, const struct region_desc *desc, int fd)
{
	if (r == NULL || r->claims >= DEVICE_VQS_MAX || !region_matches(r, desc, fd))
		return false;
	r->claims++;
	return true;
}

int vhu_map_mem_reg(struct vhu_call *call)
{
	struct region_desc desc = desc_of(call->dev, &call->in->reg.region);
	struct device *dev = call->dev;
	struct gmem *mem = latest(dev);
	unsigned int count = mem != NULL ? mem->nr_regions : 0;
	struct region *r;
	int ret;

	if (claim_again(find_region(mem, &desc), &desc, call->fds->fds[0])) {
		call->mem = gmem_get(mem);
		return 0;
	}
	ret = map_region(dev, &desc, call->fds->fds[0], count, &r);
	if (ret < 0)
		return ret;
	(void)fdbag_take(call->fds, 0);
	ret = propose(call, gmem_with(mem, r));
	if (ret < 0)
		return ret;
	LOG_INFO("%s: memory at 0x%" PRIx64 ", 0x%" PRIx64 " bytes, added to %u regions",
		 dev->ifname, desc.gpa.v, desc.size_bytes, count);
	return 0;
}

int vhu_unmap_mem_reg(struct vhu_call *call)
{
	const struct region_desc named = desc_of(call->dev, &call->in->reg.region);
	struct device *dev = call->dev;
	struct region *r = find_region(dev->mem, &named);

	if (r == NULL) {
		LOG_ERR("%s: REM_MEM_REG: there is no region at 0x%" PRIx64 " (0x%" PRIx64
			" for the frontend) of 0x%" PRIx64 " bytes",
			dev->ifname, named.gpa.v, named.uva.v, named.size_bytes);
		return -ENOENT;
	}
	if (r->claims > 1) {
		r->claims--;
		return 0;
	}
	call->mem = gmem_without(dev->mem, r);
	if (call->mem == NULL)
		return -ENOMEM;
	LOG_INFO("%s: memory at 0x%" PRIx64 ", 0x%" PRIx64 " bytes, removed from %u regions",
		 dev->ifname, named.gpa.v, named.size_bytes, dev->mem->nr_regions);
	return 0;
}

int vhu_swap_memory(struct vhu_call *call)
{
	/* None: the table stays as it is. */
	if (call->mem != NULL)
		device_swap_memory(call->dev, &call->mem);
	return 0;
}

/*
 * May come at any time of a migration, and more than once: the new log holds all
 * that is written from here on, and when the frontend reads the answer nobody
 * touches the old one any more.
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
