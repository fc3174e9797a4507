/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared helpers of the unit and message tests; see kit.h. Nothing is untrusted. */
#include <dirent.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "kit.h"

unsigned int kit_lines;
char kit_last_line[256];

static __attribute__((format(printf, 2, 0))) void sink(enum log_level level, const char *fmt,
							va_list ap)
{
	(void)level;
	vsnprintf(kit_last_line, sizeof(kit_last_line), fmt, ap);
	kit_lines++;
}

void kit_capture_log(void)
{
	kit_lines = 0;
	kit_last_line[0] = '\0';
	log_set_sink(sink);
}

unsigned int kit_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count - 1;
}

static uint64_t random_state = 88172645463325252ULL;

void kit_seed(uint64_t seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

uint64_t kit_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

uint32_t kit_random_below(uint32_t below)
{
	return (uint32_t)((kit_random() >> 16) % below);
}

int kit_memfd(uint64_t size_bytes)
{
	int fd = memfd_create("unit", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
	return fd;
}

struct gmem *kit_gmem(const struct guest_memory *mem)
{
	struct region *regions[GMEM_REGIONS_MAX];
	struct gmem *built;

	assert_true(mem->nregions <= GMEM_REGIONS_MAX);
	for (unsigned int i = 0; i < mem->nregions; i++) {
		const struct guest_region *r = &mem->regions[i];
		struct region_desc desc = { .gpa = gpa(r->gpa),
					    .uva = uva(r->uva),
					    .size_bytes = r->size_bytes,
					    .mmap_offset_bytes = r->mmap_offset_bytes };

		assert_int_equal(region_map(&desc, dup(r->fd), i, NULL, &regions[i]), 0);
	}
	built = gmem_build(regions, mem->nregions);
	assert_non_null(built);
	return built;
}
