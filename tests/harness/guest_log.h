/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a frontend does about a migration, as far as the backend sees it: a dirty log in shared
 * memory, the messages that start and stop logging, and the question whether the log tells the
 * truth, page by page, about what changed. Used by flow and hostile tests. libc only.
 */
#ifndef HARNESS_GUEST_LOG_H
#define HARNESS_GUEST_LOG_H

#include "frontend.h"

#define GUEST_LOG_PAGE_BYTES 4096

struct guest_log {
	int fd; /* of the file that the log is in */
	uint64_t offset_bytes, size_bytes;
	uint64_t file_bytes; /* there is a page behind the log */
	uint8_t *file, *bits;
	uint8_t *before[GUEST_MAX_REGIONS]; /* by guest_log_snapshot() */
};

/* A log for guest addresses below `covers_bytes`, at `offset_bytes` of its file. 0 or -errno. */
int guest_log_create(struct guest_log *log, uint64_t covers_bytes, uint64_t offset_bytes);
void guest_log_destroy(struct guest_log *log);

/* Messages; results as in frontend.h. */
int fe_set_log_base(struct frontend *fe, int fd, uint64_t size_bytes, uint64_t offset_bytes);
int fe_set_log_fd(struct frontend *fe, int fd);
/* SET_VRING_ADDR with (or without) the used ring to be logged, its first byte at `log_gpa`. */
int fe_log_vring(struct frontend *fe, unsigned index, bool on, uint64_t log_gpa);

/* All of it, in the order of QEMU: SET_LOG_BASE, VHOST_F_LOG_ALL, every ring. */
int guest_log_start(struct guest_log *log, struct frontend *fe);
int guest_log_stop(struct frontend *fe);

/*
 * The guest has written what it will: from here on only the device writes. Makes the log clean,
 * and writes over what the device writes of the rings, so that its next write changes something.
 * All used elements must have been polled, and the driver must not look for what a kick needs.
 */
void guest_log_snapshot(struct guest_log *log, struct frontend *fe);
/*
 * How many pages have changed without being marked or are marked and did not change, bits for no
 * memory and changes outside the log included. Says on stderr which.
 */
unsigned guest_log_lies(const struct guest_log *log, const struct guest_memory *mem);
bool guest_log_marked(const struct guest_log *log, uint64_t gpa);
unsigned guest_log_count(const struct guest_log *log); /* of pages that are marked */

#endif
