/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fdbag.h"
#include "base/log.h"
#include "region.h"

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

/* The file must really hold the region, or a later access raises SIGBUS. */
static int check_file(const struct region_desc *d, int fd, unsigned int index, uint64_t *page_bytes)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
		int err = errno;

		LOG_ERR("memory region %u: cannot stat its file (error %d)", index, err);
		return -err;
	}
	if (!S_ISREG(st.st_mode)) {
		LOG_ERR("memory region %u: its fd is no regular file; use memory-backend-memfd "
			"or memory-backend-file on tmpfs or hugetlbfs, with share=on", index);
		return -ENOTSUP;
	}
	if ((uint64_t)fs.f_type == FUSE_SUPER_MAGIC) {
		LOG_ERR("memory region %u: its file is on FUSE, whose server could stall us; "
			"use memfd, tmpfs or hugetlbfs", index);
		return -ENOTSUP;
	}
	if (!range_within(d->mmap_offset_bytes, d->size_bytes, (uint64_t)st.st_size)) {
		LOG_ERR("memory region %u: needs bytes 0x%" PRIx64 "..+0x%" PRIx64
			" of a file of 0x%" PRIx64 " bytes",
			index, d->mmap_offset_bytes, d->size_bytes, (uint64_t)st.st_size);
		return -ENXIO;
	}
	*page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	if ((uint64_t)fs.f_type == HUGETLBFS_MAGIC && is_pow2((uint64_t)fs.f_bsize))
		*page_bytes = MAX2(*page_bytes, (uint64_t)fs.f_bsize);
	return 0;
}

int region_map(const struct region_desc *d, int fd, unsigned int index, struct region **out)
{
	uint64_t page_bytes, offset, lead, length;
	struct region *r;
	int ret;

	ret = check_numbers(d, index);
	if (ret == 0)
		ret = check_file(d, fd, index, &page_bytes);
	if (ret < 0)
		return ret;

	offset = align_down(d->mmap_offset_bytes, page_bytes);
	lead = d->mmap_offset_bytes - offset;
	if (!align_up(lead + d->size_bytes, page_bytes, &length))
		return -EINVAL;

	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	r->mmap_addr = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (r->mmap_addr == MAP_FAILED) {
		ret = -errno;
		LOG_ERR("memory region %u: mmap of 0x%" PRIx64 " bytes failed (error %d)", index,
			length, -ret);
		free(r);
		return ret;
	}
	r->gpa = d->gpa;
	r->uva = d->uva;
	r->size_bytes = d->size_bytes;
	r->mmap_offset_bytes = d->mmap_offset_bytes;
	r->mmap_size_bytes = length;
	r->host = (uint8_t __guest *)((uintptr_t)r->mmap_addr + lead);
	r->fd = fd;
	r->refs = 1;
	r->claims = 1;
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
	munmap(r->mmap_addr, r->mmap_size_bytes);
	fd_close(&r->fd);
	free(r);
}
