/* SPDX-License-Identifier: BSD-3-Clause */
/* See guest_postcopy.h. Nothing is untrusted. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest_postcopy.h"

#define PAGE_BYTES 4096u
#define PAGES_AT_ONCE 4

static int
open_uffd(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	/* All are accesses from user mode. */
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) == 0)
		return fd < 0 ? -errno : fd;
	close(fd);
	return -ENOTSUP;
}

static int
take_away(struct guest_postcopy *p, unsigned i)
{
	const struct guest_region *r = &p->fe->mem.regions[i];
	struct uffdio_register reg = {
		.range = {.start = (uintptr_t)r->local, .len = r->size_bytes},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	p->copy[i] = aligned_alloc(PAGE_BYTES, r->size_bytes);
	if (p->copy[i] == NULL)
		return -ENOMEM;
	memcpy(p->copy[i], r->local, r->size_bytes);
	if (fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)r->mmap_offset_bytes, (off_t)r->size_bytes) != 0 ||
	    ioctl(p->guest_uffd, UFFDIO_REGISTER, &reg) != 0)
		return -errno;
	return 0;
}

int
guest_postcopy_begin(struct guest_postcopy *p, struct frontend *fe)
{
	int rc = 0;

	*p = (struct guest_postcopy) {.fe = fe, .backend_uffd = -1};
	p->guest_uffd = open_uffd();
	if (p->guest_uffd < 0)
		return p->guest_uffd;
	for (unsigned i = 0; rc == 0 && i < fe->mem.nregions; i++)
		rc = take_away(p, i);
	if (rc == 0)
		rc = fe_postcopy_advise(fe, &p->backend_uffd);
	return rc != 0 ? rc : fe_postcopy_listen(fe);
}

/* Puts one page into the file, if it is not there, and wakes both sides. */
static void
put_page(struct guest_postcopy *p, unsigned i, uint64_t page)
{
	uint64_t off = page * PAGE_BYTES;
	struct uffdio_copy copy = {
		.dst = (uintptr_t)p->fe->mem.regions[i].local + off,
		.src = (uintptr_t)p->copy[i] + off,
		.len = PAGE_BYTES,
	};
	struct uffdio_range here = {.start = copy.dst, .len = PAGE_BYTES};
	struct uffdio_range there = {.start = p->fe->backend_at[i] + off, .len = PAGE_BYTES};

	while (ioctl(p->guest_uffd, UFFDIO_COPY, &copy) != 0 && errno == EAGAIN)
		copy.copy = 0;
	(void)ioctl(p->guest_uffd, UFFDIO_WAKE, &here);
	if (p->fe->backend_at[i] != 0)
		(void)ioctl(p->backend_uffd, UFFDIO_WAKE, &there);
}

/* The page that somebody sleeps on; false when nobody does. */
static bool
serve_one(struct guest_postcopy *p, int uffd, bool backend)
{
	struct uffd_msg msg;

	if (read(uffd, &msg, sizeof(msg)) != sizeof(msg) || msg.event != UFFD_EVENT_PAGEFAULT)
		return false;
	for (unsigned i = 0; i < p->fe->mem.nregions; i++) {
		const struct guest_region *r = &p->fe->mem.regions[i];
		uint64_t start = backend ? p->fe->backend_at[i] : (uintptr_t)r->local;
		uint64_t off = msg.arg.pagefault.address - start;

		if (off < r->size_bytes)
			put_page(p, i, off / PAGE_BYTES);
	}
	__atomic_fetch_add(backend ? &p->asked_by_backend : &p->asked_by_guest, 1,
			   __ATOMIC_RELAXED);
	return true;
}

static void
push_some(struct guest_postcopy *p)
{
	for (unsigned n = 0; n < PAGES_AT_ONCE && !guest_postcopy_complete(p); n++) {
		put_page(p, p->next_region, p->next_page++);
		if (p->next_page * PAGE_BYTES == p->fe->mem.regions[p->next_region].size_bytes) {
			p->next_page = 0;
			__atomic_fetch_add(&p->next_region, 1, __ATOMIC_RELEASE);
		}
	}
}

static void *
serve(void *arg)
{
	struct guest_postcopy *p = arg;

	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		struct pollfd fds[] = {
			{.fd = p->backend_uffd, .events = POLLIN},
			{.fd = p->guest_uffd, .events = POLLIN},
		};

		(void)poll(fds, 2, 1);
		while (serve_one(p, p->backend_uffd, true) || serve_one(p, p->guest_uffd, false))
			;
		if (__atomic_load_n(&p->pushes, __ATOMIC_ACQUIRE))
			push_some(p);
	}
	return NULL;
}

int
guest_postcopy_serve(struct guest_postcopy *p)
{
	int rc = pthread_create(&p->thread, NULL, serve, p);

	p->runs = rc == 0;
	return -rc;
}

void
guest_postcopy_push(struct guest_postcopy *p)
{
	__atomic_store_n(&p->pushes, true, __ATOMIC_RELEASE);
}

bool
guest_postcopy_complete(const struct guest_postcopy *p)
{
	return __atomic_load_n(&p->next_region, __ATOMIC_ACQUIRE) == p->fe->mem.nregions;
}

void
guest_postcopy_stop(struct guest_postcopy *p)
{
	if (!p->runs)
		return;
	__atomic_store_n(&p->stop, true, __ATOMIC_RELEASE);
	pthread_join(p->thread, NULL);
	p->runs = false;
}

void
guest_postcopy_fini(struct guest_postcopy *p)
{
	if (p->fe == NULL)
		return;
	guest_postcopy_stop(p);
	/* Whoever still waits goes on with zeros. */
	close(p->guest_uffd);
	if (p->backend_uffd >= 0)
		close(p->backend_uffd);
	for (unsigned i = 0; i < GUEST_MAX_REGIONS; i++)
		free(p->copy[i]);
	*p = (struct guest_postcopy) {.backend_uffd = -1};
}
