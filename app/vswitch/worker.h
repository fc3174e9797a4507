/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a worker lcore does, and how it hands frames to a port. Used by main()
 * and between worker.c and output.c.
 */
#ifndef VSWITCH_WORKER_H
#define VSWITCH_WORKER_H

#include "vswitch.h"

struct rte_mbuf;

/* The life of a worker: poll until vsw.stop_workers. `arg` is its number, cast. */
int worker_main(void *arg);

/*
 * Deliver frames to a port and consume them: sent ones are counted as out on
 * `to`, the others as dropped there. A frame may be shared (reference count
 * above one) with other ports this same worker is going to serve.
 * @param queue  the queue pair they came in on, which picks the one they leave by
 */
void output(unsigned int worker, struct port *to, uint16_t queue, struct rte_mbuf **pkts,
	    unsigned int n);

#endif
