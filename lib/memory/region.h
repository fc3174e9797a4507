/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One mapped piece of guest memory. What the frontend says about it (address,
 * size, offset, file) is hostile and is checked here, once.
 */
#ifndef VHOST_NG_REGION_H
#define VHOST_NG_REGION_H

#include "addr.h"
#include "filemap.h"
#include "span.h"

/* As it comes from the wire. */
struct region_desc {
	gpa_t gpa;
	uva_t uva;
	uint64_t size_bytes;
	uint64_t mmap_offset_bytes;
};

struct region {
	gpa_t gpa;
	uva_t uva;
	uint64_t size_bytes;
	uint64_t mmap_offset_bytes;
	uint8_t __guest *host; /* where gpa is mapped */
	struct filemap map;
	int fd;
	uint32_t refs;
	uint32_t claims; /* how often ADD_MEM_REG named it; loop thread */
	bool resident;   /* mapped so: region_hooks know of it */
};

/*
 * Who has to know of the memory that engines reach besides the CPU. Each resident
 * region is told of once when it is mapped, before anybody else has it, and once
 * before it is unmapped, when nobody has it any more; on any thread, so several
 * at once.
 */
struct region_hooks {
	void (*mapped)(const struct region *r);
	void (*unmapping)(const struct region *r);
};
/* NULL: nobody. Set while there are no regions. */
void region_set_hooks(const struct region_hooks *hooks);

/*
 * Maps `desc` from `fd`. On success *out holds one reference and owns `fd`.
 * `index` is only for the log; `how` (filemap.h) may be NULL. Returns 0, -EINVAL (the
 * numbers make no sense), -ENOMEM, or what filemap_open() says. On failure `fd` stays
 * the caller's.
 */
int region_map(const struct region_desc *desc, int fd, unsigned int index,
	       const struct filemap_how *how, struct region **out);

/* Is it mapped from just there, out of the file that `fd` is? */
bool region_matches(const struct region *r, const struct region_desc *desc, int fd);

struct region *region_get(struct region *r);
void region_put(struct region *r);

#endif
