/* SPDX-License-Identifier: BSD-3-Clause */
/* The frontend's side of dirty logging; see guest_log.h. */
#include "guest_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BEYOND_BYTES 4096
#define SOIL 0xc6

int
guest_log_create(struct guest_log *log, uint64_t covers_bytes, uint64_t offset_bytes)
{
	memset(log, 0, sizeof(*log));
	log->offset_bytes = offset_bytes;
	log->size_bytes = (covers_bytes + 8 * GUEST_LOG_PAGE_BYTES - 1) / (8 * GUEST_LOG_PAGE_BYTES);
	log->file_bytes = offset_bytes + log->size_bytes + BEYOND_BYTES;
	log->fd = memfd_create("dirty-log", MFD_CLOEXEC);
	if (log->fd < 0 || ftruncate(log->fd, (off_t)log->file_bytes) != 0)
		return -errno;
	log->file = mmap(NULL, log->file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, log->fd, 0);
	if (log->file == MAP_FAILED)
		return -errno;
	log->bits = log->file + offset_bytes;
	return 0;
}

void
guest_log_destroy(struct guest_log *log)
{
	if (log->file == NULL)
		return;
	munmap(log->file, log->file_bytes);
	close(log->fd);
	for (unsigned i = 0; i < GUEST_MAX_REGIONS; i++)
		free(log->before[i]);
	memset(log, 0, sizeof(*log));
}

int
fe_set_log_base(struct frontend *fe, int fd, uint64_t size_bytes, uint64_t offset_bytes)
{
	const uint64_t payload[2] = {size_bytes, offset_bytes};
	struct fe_msg reply;
	int rc = fe_send(fe, FE_SET_LOG_BASE, FE_FLAG_VERSION, payload, sizeof(payload), &fd, 1);

	/* It is answered once LOG_SHMFD is negotiated; with what, the specification leaves open. */
	if (rc == 0)
		rc = fe_recv(fe, &reply);
	if (rc == 0)
		fe_msg_close_fds(&reply);
	return rc == 0 && reply.header.request != FE_SET_LOG_BASE ? -EBADMSG : rc;
}

int
fe_set_log_fd(struct frontend *fe, int fd)
{
	return fe_command(fe, FE_SET_LOG_FD, NULL, 0, &fd, 1);
}

int
fe_log_vring(struct frontend *fe, unsigned index, bool on, uint64_t log_gpa)
{
	const struct guest_ring *vq = &fe->vqs[index];
	const struct fe_vring_addr addr = {
		.index = index,
		.flags = on ? 1 : 0,
		.desc_uva = guest_uva(&fe->mem, vq->desc_gpa),
		.used_uva = guest_uva(&fe->mem, vq->used_gpa),
		.avail_uva = guest_uva(&fe->mem, vq->avail_gpa),
		.log_gpa = log_gpa,
	};

	return fe_set_vring_addr(fe, &addr);
}

static int
set_logging(struct frontend *fe, bool on)
{
	uint64_t features = on ? fe->features | FE_F_LOG_ALL : fe->features & ~FE_F_LOG_ALL;
	int rc = fe_set_features(fe, features);

	fe->features = features;
	for (unsigned i = 0; rc == 0 && i < fe->nr_vqs; i++)
		rc = fe_log_vring(fe, i, on, fe->vqs[i].used_gpa);
	return rc != 0 ? rc : fe_sync(fe);
}

int
guest_log_start(struct guest_log *log, struct frontend *fe)
{
	int rc = fe_set_log_base(fe, log->fd, log->size_bytes, log->offset_bytes);

	return rc != 0 ? rc : set_logging(fe, true);
}

int
guest_log_stop(struct frontend *fe)
{
	return set_logging(fe, false);
}

/* Used elements, flags and event words; not the index, which the device counts up. */
static void
soil_ring(struct guest_ring *vq)
{
	uint64_t bytes[3];
	uint8_t *used;

	vq->format->area_bytes(vq->size, bytes);
	used = guest_ptr(vq->mem, vq->used_gpa, bytes[2]);
	if (vq->format == &guest_split) {
		memset(used, SOIL, 2);
		memset(used + 4, SOIL, bytes[2] - 4);
	} else {
		memset(used, SOIL, bytes[2]);
	}
}

void
guest_log_snapshot(struct guest_log *log, struct frontend *fe)
{
	for (unsigned i = 0; i < fe->nr_vqs; i++)
		soil_ring(&fe->vqs[i]);
	for (unsigned i = 0; i < fe->mem.nregions; i++) {
		const struct guest_region *r = &fe->mem.regions[i];

		log->before[i] = realloc(log->before[i], r->size_bytes);
		if (log->before[i] == NULL)
			abort();
		memcpy(log->before[i], r->local, r->size_bytes);
	}
	memset(log->file, 0, log->file_bytes);
}

bool
guest_log_marked(const struct guest_log *log, uint64_t gpa)
{
	uint64_t page = gpa / GUEST_LOG_PAGE_BYTES;

	return page / 8 < log->size_bytes && (log->bits[page / 8] >> page % 8 & 1) != 0;
}

unsigned
guest_log_count(const struct guest_log *log)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < log->size_bytes; i++)
		n += (unsigned)__builtin_popcount(log->bits[i]);
	return n;
}

static unsigned
outside_log(const struct guest_log *log)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < log->file_bytes; i++)
		if (i < log->offset_bytes || i >= log->offset_bytes + log->size_bytes)
			n += log->file[i] != 0;
	if (n != 0)
		fprintf(stderr, "# %u bytes of the log's file changed outside the log\n", n);
	return n;
}

unsigned
guest_log_lies(const struct guest_log *log, const struct guest_memory *mem)
{
	unsigned lies = outside_log(log), told = 0, marked = 0;

	for (unsigned i = 0; i < mem->nregions; i++) {
		const struct guest_region *r = &mem->regions[i];

		for (uint64_t off = 0; off < r->size_bytes; off += GUEST_LOG_PAGE_BYTES) {
			uint64_t rest = r->size_bytes - off;
			uint64_t len = rest < GUEST_LOG_PAGE_BYTES ? rest : GUEST_LOG_PAGE_BYTES;
			bool changed = memcmp(log->before[i] + off, r->local + off, len) != 0;
			bool mark = guest_log_marked(log, r->gpa + off);

			marked += mark;
			if (changed == mark)
				continue;
			lies++;
			if (told++ < 8)
				fprintf(stderr, "# page 0x%llx %s\n",
					(unsigned long long)(r->gpa + off),
					changed ? "changed and is not marked" :
						  "is marked and did not change");
		}
	}
	if (guest_log_count(log) != marked)
		fprintf(stderr, "# %u pages are marked that are no memory\n",
			guest_log_count(log) - marked);
	return lies + guest_log_count(log) - marked;
}
