/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/fdbag.h"
#include "base/log.h"
#include "dirty_log.h"

int dirty_log_map(int fd, uint64_t size, uint64_t offset, struct dirty_log **out)
{
	struct dirty_log *log;
	uint64_t end;
	int ret;

	if (size == 0 || __builtin_add_overflow(offset, size, &end)) {
		LOG_ERR("dirty log: a size of 0x%" PRIx64 " at offset 0x%" PRIx64 " makes no sense",
			size, offset);
		return -EINVAL;
	}
	log = malloc(sizeof(*log));
	if (log == NULL)
		return -ENOMEM;
	ret = filemap_open(&log->map, fd, offset, size, "dirty log", NULL);
	if (ret < 0) {
		free(log);
		return ret;
	}
	log->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (log->fd < 0) {
		ret = -errno;
		filemap_close(&log->map);
		free(log);
		return ret;
	}
	log->offset_bytes = offset;
	log->size_bytes = size;
	log->event_fd = -1;
	*out = log;
	return 0;
}

void dirty_log_unmap(struct dirty_log *log)
{
	if (log == NULL)
		return;
	filemap_close(&log->map);
	fd_close(&log->fd);
	free(log);
}

static bool mark_page(struct dirty_log *log, uint64_t page)
{
	uint8_t *byte = GUEST_FORCE(uint8_t *, log->map.start + page / 8);
	uint8_t bit = (uint8_t)(1u << page % 8);

	/* Others mark pages of the same byte, and the frontend takes them. */
	return (__atomic_load_n(byte, __ATOMIC_RELAXED) & bit) == 0 &&
	       (__atomic_fetch_or(byte, bit, __ATOMIC_RELAXED) & bit) == 0;
}

bool dirty_log_mark(struct dirty_log *log, gpa_t addr, uint64_t len)
{
	uint64_t page = addr.v / DIRTY_LOG_PAGE_BYTES, last;
	bool news = false;

	if (len == 0 || !dirty_log_covers(log, addr, len))
		return false;
	last = (addr.v + len - 1) / DIRTY_LOG_PAGE_BYTES;
	for (; page <= last; page++)
		news |= mark_page(log, page);
	return news;
}

void dirty_log_tell(const struct dirty_log *log)
{
	if (log->event_fd >= 0)
		(void)eventfd_write(log->event_fd, 1);
}
