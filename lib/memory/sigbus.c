/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/defs.h"
#include "base/log.h"
#include "sigbus.h"

#define WATCHED_MAX 8192

/* Read by a signal handler, on any thread: `start` says whether the rest counts. */
struct watched {
	uintptr_t start; /* atomic; 0: free */
	uintptr_t bytes;
	bool cut; /* atomic */
};

static struct watched watched[WATCHED_MAX];
static unsigned int nr_watched; /* atomic; places ever used */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static bool installed;

/* The place that watches an address; NULL: none. */
static struct watched *find(uintptr_t at)
{
	unsigned int count = __atomic_load_n(&nr_watched, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++) {
		uintptr_t start = __atomic_load_n(&watched[i].start, __ATOMIC_ACQUIRE);

		if (start != 0 && at - start < watched[i].bytes)
			return &watched[i];
	}
	return NULL;
}

bool sigbus_map_zeros(void *at, uint64_t bytes)
{
	void *zeros;
	bool done;

	/* What may be locked has room for one of them. */
	(void)munlock(at, bytes);
	/* Locked memory is filled as soon as it may be accessed. */
	zeros = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (zeros == MAP_FAILED)
		return false;
	done = munlock(zeros, bytes) == 0 &&
	       mprotect(zeros, bytes, PROT_READ | PROT_WRITE) == 0 &&
	       mremap(zeros, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED;
	if (!done)
		(void)munmap(zeros, bytes);
	return done;
}

/* As if ours were not there. */
static void pass_on(int number, siginfo_t *info, void *context)
{
	if ((before.sa_flags & SA_SIGINFO) != 0)
		before.sa_sigaction(number, info, context);
	else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
		before.sa_handler(number);
	else
		/* The instruction runs again, and ends the process as it would have. */
		(void)signal(number, SIG_DFL);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	struct watched *w = info->si_code > 0 ? find((uintptr_t)info->si_addr) : NULL;

	/*
	 * All of it, not the page: pages of huge files cannot be replaced one by one,
	 * and half a memory is of no use to anybody.
	 */
	if (w == NULL || !sigbus_map_zeros((void *)w->start, w->bytes))
		pass_on(number, info, context);
	else
		__atomic_store_n(&w->cut, true, __ATOMIC_RELEASE);
	errno = saved_errno;
}

static void install(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	if (installed)
		return;
	sigemptyset(&action.sa_mask);
	installed = sigaction(SIGBUS, &action, &before) == 0;
}

int sigbus_watch(void *addr, uint64_t bytes)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	install();
	for (i = 0; i < WATCHED_MAX && watched[i].start != 0; i++)
		;
	if (i < WATCHED_MAX) {
		watched[i].bytes = bytes;
		watched[i].cut = false;
		__atomic_store_n(&watched[i].start, (uintptr_t)addr, __ATOMIC_RELEASE);
		if (i == nr_watched)
			__atomic_store_n(&nr_watched, i + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&lock);
	if (i < WATCHED_MAX)
		return (int)i;
	LOG_WARN("more than %d mappings: a file that gets shorter under one of the others ends "
		 "the process", WATCHED_MAX);
	return -1;
}

void sigbus_unwatch(int handle)
{
	if (handle < 0)
		return;
	pthread_mutex_lock(&lock);
	__atomic_store_n(&watched[handle].start, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
}

void sigbus_set_cut(int handle)
{
	if (handle >= 0)
		__atomic_store_n(&watched[handle].cut, true, __ATOMIC_RELEASE);
}

bool sigbus_cut(int handle)
{
	return handle >= 0 && __atomic_load_n(&watched[handle].cut, __ATOMIC_ACQUIRE);
}
