/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of postcopy messages share: a session that listens, a thread that touches a page,
 * and what the frontend does when the userfaultfd says so. Nothing is untrusted.
 */
#ifndef MESSAGE_POSTCOPY_H
#define MESSAGE_POSTCOPY_H

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "meaning.h"

#define PAGE 4096u
#define TIMEOUT_MS 20000

static inline void listening(void)
{
	session_negotiate(&s);
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_ADVISE), 0);
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_LISTEN), 0);
}

static inline int ack(uint32_t request)
{
	return session_u64(&s, request, 0);
}

/* Guest memory that nobody has touched: page `page` of the first region, as the library has it. */
static inline uint8_t *missing_page(unsigned int page)
{
	return kit_host(s.dev->mem->regions[0]->host) + page * PAGE;
}

/* Is there anything in that page of the guest's file? */
static inline bool page_in_file(unsigned int page)
{
	off_t at = (off_t)page * PAGE;
	off_t data = lseek(s.mem.regions[0].fd, at, SEEK_DATA);

	return data >= 0 && data < at + PAGE;
}

/* A thread that reads one byte; it may take a while. */
struct reader {
	pthread_t thread;
	struct gate *gate; /* held meanwhile; may be NULL */
	const volatile uint8_t *from;
	uint8_t got;
	bool inside; /* atomic */
};

static inline void *reader_run(void *arg)
{
	struct reader *r = arg;
	bool in = r->gate != NULL && gate_enter(r->gate);

	__atomic_store_n(&r->inside, true, __ATOMIC_RELEASE);
	r->got = *r->from;
	if (in)
		gate_exit(r->gate);
	return NULL;
}

static inline void reader_start(struct reader *r, const uint8_t *from, struct gate *gate)
{
	*r = (struct reader){ .from = from, .gate = gate };
	assert_int_equal(pthread_create(&r->thread, NULL, reader_run, r), 0);
}

static inline uint8_t reader_end(struct reader *r)
{
	assert_int_equal(pthread_join(r->thread, NULL), 0);
	return r->got;
}

/* Waits for a thread to want a page; returns the address that the kernel tells the frontend. */
static inline uint64_t wanted_page(void)
{
	struct pollfd pfd = { .fd = s.reply_fd, .events = POLLIN };
	struct uffd_msg msg;

	assert_int_equal(poll(&pfd, 1, TIMEOUT_MS), 1);
	assert_int_equal(read(s.reply_fd, &msg, sizeof(msg)), sizeof(msg));
	assert_int_equal(msg.event, UFFD_EVENT_PAGEFAULT);
	return msg.arg.pagefault.address & ~(uint64_t)(PAGE - 1);
}

/* Puts a page there, as the frontend does; 0, or -1 when it cannot be any more. */
static inline int try_give_page(uint64_t address, uint8_t byte)
{
	static uint8_t page[PAGE] __attribute__((aligned(4096)));
	struct uffdio_copy copy = { .dst = address, .src = (uintptr_t)page, .len = PAGE };

	memset(page, byte, sizeof(page));
	return ioctl(s.reply_fd, UFFDIO_COPY, &copy);
}

static inline void give_page(uint64_t address, uint8_t byte)
{
	assert_int_equal(try_give_page(address, byte), 0);
}

#endif
