/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where a worker without work sleeps: on the kick eventfds of the queues it
 * reads, and on one of its own by which the control plane wakes it. Used by
 * main(), the vhost side and the workers. Guests may kick as often as they like.
 */
#ifndef VSWITCH_WAKEUP_H
#define VSWITCH_WAKEUP_H

/* For vsw.n_workers workers; 0, or -1 with a message on stderr. */
int wakeup_init(void);
void wakeup_fini(void);

/*
 * From now on a write to this eventfd wakes the worker, whoever closes it
 * meanwhile. Returns what wakeup_unwatch() takes, or -1 when it cannot be slept on.
 */
int wakeup_watch(unsigned int worker, int fd);
void wakeup_unwatch(unsigned int worker, int watched);

/* There may be something to do for this worker, for all workers. */
void wakeup_worker(unsigned int worker);
void wakeup_all(void);

/* Sleep until a watched eventfd was written or somebody woke us, since the last call. */
void wakeup_wait(unsigned int worker);

#endif
