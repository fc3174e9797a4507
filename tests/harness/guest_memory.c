/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory for tests; see guest_memory.h. Nothing here is untrusted. */
#include "guest_memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("guest_memory: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

int
guest_memory_add(struct guest_memory *mem, const struct guest_region_spec *spec)
{
	struct guest_region *r = &mem->regions[mem->nregions];
	uint64_t file_bytes = spec->mmap_offset_bytes + spec->size_bytes;
	void *map;
	int fd, err;

	if (mem->nregions == GUEST_MAX_REGIONS)
		return -ENOSPC;
	fd = memfd_create("guest-memory", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)file_bytes) < 0)
		goto fail;
	map = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		goto fail;
	*r = (struct guest_region) {
		.gpa = spec->gpa,
		.uva = spec->uva != 0 ? spec->uva : GUEST_UVA_BASE + spec->gpa,
		.size_bytes = spec->size_bytes,
		.mmap_offset_bytes = spec->mmap_offset_bytes,
		.local = (uint8_t *)map + spec->mmap_offset_bytes,
		.fd = fd,
	};
	mem->nregions++;
	return 0;
fail:
	err = -errno;
	close(fd);
	return err;
}

int
guest_memory_create(struct guest_memory *mem, const struct guest_region_spec *specs,
		    unsigned nregions)
{
	int rc;

	memset(mem, 0, sizeof(*mem));
	for (unsigned i = 0; i < nregions; i++) {
		rc = guest_memory_add(mem, &specs[i]);
		if (rc != 0) {
			guest_memory_destroy(mem);
			return rc;
		}
	}
	return 0;
}

void
guest_memory_destroy(struct guest_memory *mem)
{
	for (unsigned i = 0; i < mem->nregions; i++) {
		struct guest_region *r = &mem->regions[i];

		munmap(r->local - r->mmap_offset_bytes, r->mmap_offset_bytes + r->size_bytes);
		close(r->fd);
	}
	memset(mem, 0, sizeof(*mem));
}

static const struct guest_region *
find(const struct guest_memory *mem, uint64_t gpa)
{
	for (unsigned i = 0; i < mem->nregions; i++) {
		const struct guest_region *r = &mem->regions[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size_bytes)
			return r;
	}
	return NULL;
}

void *
guest_ptr(const struct guest_memory *mem, uint64_t gpa, uint64_t len_bytes)
{
	const struct guest_region *r = find(mem, gpa);

	if (r == NULL || len_bytes > r->size_bytes - (gpa - r->gpa))
		return NULL;
	return r->local + (gpa - r->gpa);
}

uint64_t
guest_uva(const struct guest_memory *mem, uint64_t gpa)
{
	const struct guest_region *r = find(mem, gpa);

	return r == NULL ? 0 : r->uva + (gpa - r->gpa);
}

/* Pointer at gpa and how many of len_bytes are contiguous there. */
static uint8_t *
piece(const struct guest_memory *mem, uint64_t gpa, uint64_t len_bytes, uint64_t *piece_bytes)
{
	const struct guest_region *r = find(mem, gpa);

	if (r == NULL)
		die("no memory at 0x%llx", (unsigned long long)gpa);
	*piece_bytes = r->size_bytes - (gpa - r->gpa);
	if (*piece_bytes > len_bytes)
		*piece_bytes = len_bytes;
	return r->local + (gpa - r->gpa);
}

void
guest_read(const struct guest_memory *mem, uint64_t gpa, void *to, uint64_t len_bytes)
{
	uint8_t *out = to;
	uint64_t n;

	for (; len_bytes > 0; gpa += n, out += n, len_bytes -= n) {
		const uint8_t *p = piece(mem, gpa, len_bytes, &n);

		memcpy(out, p, n);
	}
}

void
guest_write(struct guest_memory *mem, uint64_t gpa, const void *from, uint64_t len_bytes)
{
	const uint8_t *in = from;
	uint64_t n;

	for (; len_bytes > 0; gpa += n, in += n, len_bytes -= n) {
		uint8_t *p = piece(mem, gpa, len_bytes, &n);

		memcpy(p, in, n);
	}
}

void
guest_fill(struct guest_memory *mem, uint64_t gpa, uint8_t byte, uint64_t len_bytes)
{
	uint64_t n;

	for (; len_bytes > 0; gpa += n, len_bytes -= n) {
		uint8_t *p = piece(mem, gpa, len_bytes, &n);

		memset(p, byte, n);
	}
}

static bool
try_alloc(struct guest_region *r, uint64_t size_bytes, uint64_t align_bytes, uint64_t *gpa)
{
	uint64_t at = (r->gpa + r->used_bytes + align_bytes - 1) / align_bytes * align_bytes;

	if (at - r->gpa > r->size_bytes || size_bytes > r->size_bytes - (at - r->gpa))
		return false;
	r->used_bytes = at - r->gpa + size_bytes;
	*gpa = at;
	return true;
}

uint64_t
guest_alloc_in(struct guest_memory *mem, unsigned region, uint64_t size_bytes,
	       uint64_t align_bytes)
{
	uint64_t gpa;

	if (region >= mem->nregions || !try_alloc(&mem->regions[region], size_bytes, align_bytes,
						  &gpa))
		die("region %u has no %llu free bytes", region, (unsigned long long)size_bytes);
	return gpa;
}

uint64_t
guest_alloc(struct guest_memory *mem, uint64_t size_bytes, uint64_t align_bytes)
{
	uint64_t gpa;

	for (unsigned i = 0; i < mem->nregions; i++)
		if (try_alloc(&mem->regions[i], size_bytes, align_bytes, &gpa))
			return gpa;
	die("no region has %llu free bytes", (unsigned long long)size_bytes);
}
