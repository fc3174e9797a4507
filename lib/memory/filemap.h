/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A piece of a file that the frontend sent, mapped. Guest memory and the dirty
 * log are such pieces; what is said about them is hostile and is checked here.
 */
#ifndef VHOST_NG_FILEMAP_H
#define VHOST_NG_FILEMAP_H

#include "base/shm.h"
#include "sigbus.h"

struct filemap {
	uint8_t __guest *start; /* of the piece; it need not start a page */
	void *mmap_addr;
	uint64_t mmap_size_bytes;
	uint64_t page_bytes; /* of its file */
	int watch; /* sigbus.h */
	/* What kept it from being resident, -errno; 0: nothing. What is not filled is not locked. */
	int fill_error;
	int lock_error;
};

/* How it is mapped, besides. */
struct filemap_how {
	/*
	 * Pages that the file does not hold yet are waited for there (uffd.h; -1: they are not):
	 * nothing of it has been touched when it is mapped, whatever mlockall() said.
	 */
	int uffd;
	/*
	 * Every page is there from the start and stays in memory, so that what copies
	 * without the CPU finds it. Where that is not to be had it is mapped all the same:
	 * fill_error, lock_error. Not together with `uffd`.
	 */
	bool resident;
};

/*
 * Maps `size_bytes` (not 0) from `offset_bytes` of the file; `fd` stays the
 * caller's. `what` names the piece in the log; `how` may be NULL. Returns 0, -EINVAL
 * (the numbers wrap), -ENXIO (the file is too small), -ENOTSUP (kind of file),
 * or what stat or mmap said.
 */
int filemap_open(struct filemap *m, int fd, uint64_t offset_bytes, uint64_t size_bytes,
		 const char *what, const struct filemap_how *how);
void filemap_close(struct filemap *m);

/* Makes it private zeroed memory, as if its file had been cut; others may be using it. */
void filemap_cut(struct filemap *m);

/* Has the file got shorter, and somebody touched what is gone? Then all of it reads as zeros. */
static inline bool filemap_is_cut(const struct filemap *m)
{
	return sigbus_cut(m->watch);
}

#endif
