/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See wakeup.h. Kick eventfds are watched edge by edge: each write wakes once,
 * and nobody has to read them. A write while the worker is awake makes its next
 * sleep end at once, which is one look too many and never one too few.
 */
#include "wakeup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vswitch.h"

enum { EVENTS_AT_ONCE = 32 };

static struct {
	int epoll;
	int wake;
} places[VSW_MAX_WORKERS];

static int make_place(unsigned int worker)
{
	struct epoll_event event = { .events = EPOLLIN };

	places[worker].epoll = epoll_create1(EPOLL_CLOEXEC);
	places[worker].wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (places[worker].epoll < 0 || places[worker].wake < 0)
		return -1;
	return epoll_ctl(places[worker].epoll, EPOLL_CTL_ADD, places[worker].wake, &event);
}

int wakeup_init(void)
{
	for (unsigned int w = 0; w < vsw.n_workers; w++) {
		if (make_place(w) != 0) {
			fprintf(stderr, "%s: cannot make an epoll set: %s\n", VSW_NAME,
				strerror(errno));
			return -1;
		}
	}
	return 0;
}

void wakeup_fini(void)
{
	for (unsigned int w = 0; w < vsw.n_workers; w++) {
		if (places[w].epoll > 0)
			close(places[w].epoll);
		if (places[w].wake > 0)
			close(places[w].wake);
	}
}

int wakeup_watch(unsigned int worker, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return -1;
	if (epoll_ctl(places[worker].epoll, EPOLL_CTL_ADD, copy, &event) == 0)
		return copy;
	close(copy);
	return -1;
}

void wakeup_unwatch(unsigned int worker, int watched)
{
	/* Closing is not enough: the guest has the same open file. */
	epoll_ctl(places[worker].epoll, EPOLL_CTL_DEL, watched, NULL);
	close(watched);
}

void wakeup_worker(unsigned int worker)
{
	eventfd_write(places[worker].wake, 1);
}

void wakeup_all(void)
{
	for (unsigned int w = 0; w < vsw.n_workers; w++)
		wakeup_worker(w);
}

void wakeup_wait(unsigned int worker)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	eventfd_t count;

	/* Which ones they are does not matter: the worker looks everywhere. */
	epoll_wait(places[worker].epoll, events, EVENTS_AT_ONCE, -1);
	eventfd_read(places[worker].wake, &count);
}
