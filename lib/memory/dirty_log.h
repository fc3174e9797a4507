/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dirty log of a migration (vhost-user, "Migration"): a bitmap that the
 * frontend shares, one bit for each page of guest memory from address 0 on. We
 * set the bits of pages we wrote, the frontend takes them, and sends what the
 * pages hold then.
 */
#ifndef VHOST_NG_DIRTY_LOG_H
#define VHOST_NG_DIRTY_LOG_H

#include "addr.h"
#include "filemap.h"

#define DIRTY_LOG_PAGE_BYTES 4096

struct dirty_log {
	struct filemap map;
	uint64_t offset_bytes, size_bytes; /* of the piece in its file */
	int fd;       /* for who maps it as well: vDPA devices */
	int event_fd; /* told when there is news; -1: none. Not the log's own. */
};

/*
 * Maps a log of `size_bytes` at `offset_bytes` of a file; `fd` stays the
 * caller's. Returns 0, -EINVAL (a size of 0, or numbers that wrap), -ENOMEM, what
 * filemap_open() says, or another -errno when there are too many open files.
 */
int dirty_log_map(int fd, uint64_t size_bytes, uint64_t offset_bytes, struct dirty_log **out);
/* Nobody may use it any more. NULL is fine. */
void dirty_log_unmap(struct dirty_log *log);

/* Does the log have a bit for each of `len` (not 0) bytes at `addr`? */
static inline bool dirty_log_covers(const struct dirty_log *log, gpa_t addr, uint64_t len)
{
	uint64_t last;

	return !__builtin_add_overflow(addr.v, len - 1, &last) &&
	       last / DIRTY_LOG_PAGE_BYTES / 8 < log->size_bytes;
}

/*
 * Marks the pages of `len` bytes at `addr`, all or (when the log does not cover
 * them) none. Returns whether one of them was clean.
 *
 * The order: write, dirty_log_fence(), mark. The frontend takes a bit, then
 * reads the page. A mark before the write could be taken, and the page sent,
 * before the write happens. With the fence between, a bit that we set later is
 * there for the next round, and one that we find set will be taken later, by
 * somebody who then sees the write. So a bit that is set needs no store: this
 * is what keeps the log's cache lines shared while the same pages are written
 * over and over. One fence does for all that was written before it.
 */
bool dirty_log_mark(struct dirty_log *log, gpa_t addr, uint64_t len);

static inline void dirty_log_fence(void)
{
	shm_fence();
}

/* "There is news." Never blocks. */
void dirty_log_tell(const struct dirty_log *log);

#endif
