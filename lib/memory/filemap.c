/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "filemap.h"
#include "span.h"
#include "uffd.h"

/* The file must really hold the piece. (Should it get shorter later: sigbus.h.) */
static int check_file(int fd, uint64_t offset, uint64_t size, const char *what,
		      uint64_t *page_bytes)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
		int err = errno;

		LOG_ERR("%s: cannot stat its file (error %d)", what, err);
		return -err;
	}
	if (!S_ISREG(st.st_mode)) {
		LOG_ERR("%s: its fd is no regular file; use memory-backend-memfd "
			"or memory-backend-file on tmpfs or hugetlbfs, with share=on", what);
		return -ENOTSUP;
	}
	if ((uint64_t)fs.f_type == FUSE_SUPER_MAGIC) {
		LOG_ERR("%s: its file is on FUSE, whose server could stall us; "
			"use memfd, tmpfs or hugetlbfs", what);
		return -ENOTSUP;
	}
	if (!range_within(offset, size, (uint64_t)st.st_size)) {
		LOG_ERR("%s: needs bytes 0x%" PRIx64 "..+0x%" PRIx64
			" of a file of 0x%" PRIx64 " bytes",
			what, offset, size, (uint64_t)st.st_size);
		return -ENXIO;
	}
	*page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	if ((uint64_t)fs.f_type == HUGETLBFS_MAGIC && is_pow2((uint64_t)fs.f_bsize))
		*page_bytes = MAX2(*page_bytes, (uint64_t)fs.f_bsize);
	return 0;
}

/*
 * A process that has locked its memory gets mappings filled, unless it may not access them: so
 * first what is missing is registered, then it may be touched.
 */
static int wait_for_missing(const struct filemap *m, int uffd)
{
	int ret = uffd_register(uffd, m);

	if (ret == 0 && mprotect(m->mmap_addr, m->mmap_size_bytes, PROT_READ | PROT_WRITE) < 0)
		ret = -errno;
	return ret;
}

/* Asks for the pages, and does not touch them: when there are none left that ends in SIGBUS. */
static void make_resident(struct filemap *m)
{
	if (madvise(m->mmap_addr, m->mmap_size_bytes, MADV_POPULATE_WRITE) < 0) {
		m->fill_error = -errno;
		/* -EINVAL: a kernel before 5.14. There locking fills, if it is permitted. */
		if (m->fill_error != -EINVAL)
			return;
	}
	if (mlock(m->mmap_addr, m->mmap_size_bytes) == 0)
		m->fill_error = 0;
	else
		m->lock_error = -errno;
}

int filemap_open(struct filemap *m, int fd, uint64_t offset, uint64_t size, const char *what,
		 const struct filemap_how *how)
{
	int uffd = how != NULL ? how->uffd : -1;
	uint64_t first, lead;
	int ret;

	*m = (struct filemap){ 0 };
	ret = check_file(fd, offset, size, what, &m->page_bytes);
	if (ret < 0)
		return ret;
	first = align_down(offset, m->page_bytes);
	lead = offset - first;
	if (!align_up(lead + size, m->page_bytes, &m->mmap_size_bytes))
		return -EINVAL;
	m->mmap_addr = mmap(NULL, m->mmap_size_bytes,
			    uffd < 0 ? PROT_READ | PROT_WRITE : PROT_NONE, MAP_SHARED, fd,
			    (off_t)first);
	if (m->mmap_addr == MAP_FAILED) {
		ret = -errno;
		LOG_ERR("%s: mmap of 0x%" PRIx64 " bytes failed (error %d)", what,
			m->mmap_size_bytes, -ret);
		return ret;
	}
	ret = uffd < 0 ? 0 : wait_for_missing(m, uffd);
	if (ret < 0) {
		LOG_ERR("%s: userfaultfd refuses its memory (error %d); use memfd, tmpfs or "
			"hugetlbfs, with share=on", what, -ret);
		munmap(m->mmap_addr, m->mmap_size_bytes);
		return ret;
	}
	m->start = (uint8_t __guest *)((uintptr_t)m->mmap_addr + lead);
	m->watch = sigbus_watch(m->mmap_addr, m->mmap_size_bytes);
	if (how != NULL && how->resident)
		make_resident(m);
	return 0;
}

void filemap_cut(struct filemap *m)
{
	if (sigbus_map_zeros(m->mmap_addr, m->mmap_size_bytes))
		sigbus_set_cut(m->watch);
}

void filemap_close(struct filemap *m)
{
	sigbus_unwatch(m->watch);
	munmap(m->mmap_addr, m->mmap_size_bytes);
}
