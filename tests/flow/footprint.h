/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a process holds, to be compared after many cycles of something. Needs tap.h, so include it
 * from one file of a program.
 */
#ifndef FOOTPRINT_H
#define FOOTPRINT_H

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "flow.h"
#include "tap.h"

struct footprint {
	unsigned fds;
	unsigned mappings;
	uint64_t heap_bytes;
	uint64_t rte_heap_bytes;
};

static inline unsigned
footprint_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	CHECK(dir != NULL);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* When nothing changes any more: "-conn" comes before a connection's descriptor is closed. */
static inline struct footprint
footprint(void)
{
	struct rte_malloc_socket_stats stats;
	struct footprint f = {0};
	char line[512];
	FILE *maps;

	do {
		f.fds = footprint_fds();
		usleep(100000);
	} while (footprint_fds() != f.fds);
	maps = fopen("/proc/self/maps", "r");
	CHECK(maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL)
		f.mappings++;
	fclose(maps);
	f.heap_bytes = mallinfo2().uordblks;
	CHECK_EQ(rte_malloc_get_socket_stats(0, &stats), 0);
	f.rte_heap_bytes = stats.heap_allocsz_bytes;
	return f;
}

static inline void
footprint_report(const char *when, const struct footprint *f)
{
	fprintf(stderr, "# %s: %u fds, %u mappings, heap %llu bytes, rte heap %llu bytes\n", when,
		f->fds, f->mappings, (unsigned long long)f->heap_bytes,
		(unsigned long long)f->rte_heap_bytes);
}

static inline void
footprint_check(const struct footprint *before, const struct footprint *after, unsigned cycles)
{
	footprint_report("before", before);
	footprint_report("after", after);
	CHECK_EQ(after->fds, before->fds);
	/* The allocators may keep an arena or two; a leak would be at least one a cycle. */
	CHECK(after->mappings <= before->mappings + 8);
	CHECK(after->heap_bytes <= before->heap_bytes + cycles);
	/* The stock library loses ring memory now and then when cut off during a set-up. */
	CHECK(is_stock || after->rte_heap_bytes <= before->rte_heap_bytes);
}

#endif
