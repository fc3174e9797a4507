/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory for tests: memfd-backed regions with chosen guest addresses, gaps and file offsets.
 * Used by the scripted frontend, the guest drivers, unit and hostile tests, fuzzers and the bench.
 * libc only. The test owns both sides of this memory, so nothing here is untrusted; wrong arguments
 * abort the test.
 */
#ifndef HARNESS_GUEST_MEMORY_H
#define HARNESS_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_MAX_REGIONS 32

/* Frontend virtual addresses are made up (gpa + this), so using one as a pointer shows at once. */
#define GUEST_UVA_BASE 0x500000000000ULL

/* How a region shall look. Zero uva means GUEST_UVA_BASE + gpa. */
struct guest_region_spec {
	uint64_t gpa;
	uint64_t size_bytes;
	uint64_t mmap_offset_bytes; /* where the region starts in its file */
	uint64_t uva;
};

struct guest_region {
	uint64_t gpa;
	uint64_t uva;
	uint64_t size_bytes;
	uint64_t mmap_offset_bytes;
	uint64_t used_bytes; /* bump allocator */
	uint8_t *local;	     /* this process's view of the first byte of the region */
	int fd;
};

struct guest_memory {
	unsigned nregions;
	struct guest_region regions[GUEST_MAX_REGIONS];
};

/* 0 or -errno. Regions are zero-filled. */
int guest_memory_create(struct guest_memory *mem, const struct guest_region_spec *specs,
			unsigned nregions);
void guest_memory_destroy(struct guest_memory *mem);

/* Adds one region to an existing memory (hotplug). 0 or -errno. */
int guest_memory_add(struct guest_memory *mem, const struct guest_region_spec *spec);

/* Pointer to [gpa, gpa + len), or NULL unless it lies within one region. */
void *guest_ptr(const struct guest_memory *mem, uint64_t gpa, uint64_t len_bytes);
/* Address the frontend would put into SET_VRING_ADDR; 0 if gpa is in no region. */
uint64_t guest_uva(const struct guest_memory *mem, uint64_t gpa);
/* Copies that may cross regions contiguous in guest addresses; abort outside memory. */
void guest_read(const struct guest_memory *mem, uint64_t gpa, void *to, uint64_t len_bytes);
void guest_write(struct guest_memory *mem, uint64_t gpa, const void *from, uint64_t len_bytes);
void guest_fill(struct guest_memory *mem, uint64_t gpa, uint8_t byte, uint64_t len_bytes);

/* Bump allocator: a gpa in the given region (or in the first that has room); aborts when full. */
uint64_t guest_alloc_in(struct guest_memory *mem, unsigned region, uint64_t size_bytes,
			uint64_t align_bytes);
uint64_t guest_alloc(struct guest_memory *mem, uint64_t size_bytes, uint64_t align_bytes);

#endif
