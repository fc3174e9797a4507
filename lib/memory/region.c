/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fdbag.h"
#include "base/log.h"
#include "region.h"

static const struct region_hooks *region_hooks;

void region_set_hooks(const struct region_hooks *hooks)
{
	region_hooks = hooks;
}

/* Addresses and sizes that wrap around 2^64 describe nothing. */
static int check_numbers(const struct region_desc *d, unsigned int index)
{
	uint64_t end;

	if (d->size_bytes == 0) {
		LOG_ERR("memory region %u: size is 0", index);
		return -EINVAL;
	}
	if (__builtin_add_overflow(d->gpa.v, d->size_bytes, &end) ||
	    __builtin_add_overflow(d->uva.v, d->size_bytes, &end) ||
	    __builtin_add_overflow(d->mmap_offset_bytes, d->size_bytes, &end)) {
		LOG_ERR("memory region %u: size 0x%" PRIx64 " wraps around the address space "
			"(guest address 0x%" PRIx64 ", offset in file 0x%" PRIx64 ")",
			index, d->size_bytes, d->gpa.v, d->mmap_offset_bytes);
		return -EINVAL;
	}
	return 0;
}

int region_map(const struct region_desc *d, int fd, unsigned int index,
	       const struct filemap_how *how, struct region **out)
{
	struct filemap map;
	struct region *r;
	char what[32];
	int ret;

	snprintf(what, sizeof(what), "memory region %u", index);
	ret = check_numbers(d, index);
	if (ret == 0)
		ret = filemap_open(&map, fd, d->mmap_offset_bytes, d->size_bytes, what, how);
	if (ret < 0)
		return ret;
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		filemap_close(&map);
		return -ENOMEM;
	}
	r->gpa = d->gpa;
	r->uva = d->uva;
	r->size_bytes = d->size_bytes;
	r->map = map;
	r->host = map.start;
	r->mmap_offset_bytes = d->mmap_offset_bytes;
	r->fd = fd;
	r->refs = 1;
	r->claims = 1;
	r->resident = how != NULL && how->resident;
	if (r->resident && region_hooks != NULL)
		region_hooks->mapped(r);
	*out = r;
	return 0;
}

bool region_matches(const struct region *r, const struct region_desc *d, int fd)
{
	struct stat mine, theirs;

	return r->gpa.v == d->gpa.v && r->uva.v == d->uva.v && r->size_bytes == d->size_bytes &&
	       r->mmap_offset_bytes == d->mmap_offset_bytes && fstat(r->fd, &mine) == 0 &&
	       fstat(fd, &theirs) == 0 && mine.st_dev == theirs.st_dev &&
	       mine.st_ino == theirs.st_ino;
}

struct region *region_get(struct region *r)
{
	__atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED);
	return r;
}

void region_put(struct region *r)
{
	if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (r->resident && region_hooks != NULL)
		region_hooks->unmapping(r);
	filemap_close(&r->map);
	fd_close(&r->fd);
	free(r);
}
