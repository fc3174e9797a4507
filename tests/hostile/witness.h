/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vDPA device's driver that trusts the library with what vdpa_driver.h says, and notes when it was
 * wrong to: the order of operations, what is where when they come, and (a thread that is the
 * hardware, and touches all that a device would) what stays there until they have come. Any of its
 * operations may fail.
 */
#ifndef HOSTILE_WITNESS_H
#define HOSTILE_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_vhost.h>

/* For the socket that it serves, instead of rec_ops. */
extern const struct rte_vhost_device_ops witness_application;

struct witness_counts {
	unsigned long connections, configured, closed, cleanups, states, features, logs, configs, looks;
};

/*
 * Makes fake_vdpa.h's device one of these, network or block, with so many queues; registers it.
 * `seed` decides about failures.
 */
void witness_plug(bool is_block, unsigned int nr_queues, uint64_t seed);
/* Unregisters it; nothing is called any more. */
void witness_unplug(void);
/* One operation in so many fails; 0: none. */
void witness_fails(unsigned int one_in);
/* The first thing that was wrong, NULL if nothing was. */
const char *witness_problem(void);
struct witness_counts witness_counts(void);
/* Does it have the rings of a guest? */
bool witness_is_configured(void);

#endif
