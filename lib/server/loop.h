/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one event thread. It owns every socket: only it adds, removes or closes
 * them, and it takes one event at a time, so no event outlives its source.
 * Other threads hand it jobs and wait.
 */
#ifndef VHOST_NG_LOOP_H
#define VHOST_NG_LOOP_H

#include <pthread.h>
#include <stdint.h>

#include "base/defs.h"

struct loop_source {
	int fd;
	void (*ready)(struct loop_source *source, uint32_t events);
};

#define LOOP_TICK_MS 250

/* How to make the thread; the default is pthread_create(). */
typedef int (*loop_spawn_fn)(pthread_t *thread, const char *name, void *(*run)(void *), void *arg);
void loop_set_spawn(loop_spawn_fn spawn);

/* Starts the thread if it does not run yet. `tick` is called every LOOP_TICK_MS
 * between loop_tick_enable(true) and (false). 0 or -errno. */
int loop_start(void (*tick)(void));

/* On the loop thread only. 0 or -errno. */
int loop_add(struct loop_source *source, uint32_t events);
int loop_change(struct loop_source *source, uint32_t events);
void loop_remove(struct loop_source *source); /* does not close the descriptor */
void loop_tick_enable(bool on);

/* Runs job(arg) on the loop thread and returns when it is done; inline when
 * there is no loop thread or this is it. */
void loop_call(void (*job)(void *arg), void *arg);

bool loop_is_self(void);

#endif
