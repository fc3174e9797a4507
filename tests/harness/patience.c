/* SPDX-License-Identifier: BSD-3-Clause */
/* A thread that only sleeps notes the time; when it is late, nobody was run. See patience.h. */
#include "patience.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define BEAT_NS 5000000
/* Later than this, and the rest does not count. */
#define LATE_US 200000

/* TSan lets no process that had threads when it was forked start more: no thread, real time. */
#ifdef __SANITIZE_THREAD__
#define IS_REAL true
#else
#define IS_REAL false
#endif

static struct {
	pthread_mutex_t lock;
	bool beats;
	uint64_t beat_us; /* real time of the last beat */
	uint64_t lost_us;
} patience = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t
real_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void *
beat(void *arg)
{
	const struct timespec nap = {.tv_nsec = BEAT_NS};

	(void)arg;
	for (;;) {
		uint64_t now_us;

		nanosleep(&nap, NULL);
		pthread_mutex_lock(&patience.lock);
		now_us = real_now_us();
		if (now_us - patience.beat_us > LATE_US)
			patience.lost_us += now_us - patience.beat_us - LATE_US;
		patience.beat_us = now_us;
		pthread_mutex_unlock(&patience.lock);
	}
	return NULL;
}

/* Under the lock. */
static void
start(void)
{
	sigset_t all, before;
	pthread_t thread;

	patience.beat_us = real_now_us();
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, beat, NULL) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_detach(thread);
	patience.beats = true;
}

static void
before_fork(void)
{
	pthread_mutex_lock(&patience.lock);
}

static void
after_fork(void)
{
	pthread_mutex_unlock(&patience.lock);
}

/* The thread is the parent's. The child has one when it asks. */
static void
in_child(void)
{
	patience.beats = false;
	pthread_mutex_unlock(&patience.lock);
}

/* Before anybody counts threads, or keeps them on one CPU. */
__attribute__((constructor)) static void
begin(void)
{
	if (IS_REAL)
		return;
	pthread_atfork(before_fork, after_fork, in_child);
	(void)patience_now_us();
}

uint64_t
patience_now_us(void)
{
	uint64_t now_us;

	if (IS_REAL)
		return real_now_us();
	pthread_mutex_lock(&patience.lock);
	if (!patience.beats)
		start();
	now_us = real_now_us();
	/* We may be the first to be run again. */
	if (now_us - patience.beat_us > LATE_US)
		now_us = patience.beat_us + LATE_US;
	now_us -= patience.lost_us;
	pthread_mutex_unlock(&patience.lock);
	return now_us;
}
