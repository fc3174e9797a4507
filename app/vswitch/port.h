/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of ports: who has which slot, taking a port up and down under
 * running workers, adding up its counters. Used by both kinds of port, the
 * workers and the statistics.
 */
#ifndef VSWITCH_PORT_H
#define VSWITCH_PORT_H

#include "vswitch.h"

/* The port in a slot below port_slots(); its kind may be PORT_FREE. */
struct port *port_at(unsigned int slot);
/* One more than the highest slot ever used. */
unsigned int port_slots(void);

/* Control-plane threads hold this while they look at or change who is who. */
void ports_lock(void);
void ports_unlock(void);

/* A fresh port, or NULL when all VSW_MAX_PORTS are taken. Under ports_lock(). */
struct port *port_alloc(enum port_kind kind, const char *name);

/* The worker that reads a queue pair of a port. */
static inline unsigned int port_reader(const struct port *port, unsigned int pair)
{
	return (port->slot + pair) % vsw.n_workers;
}

/* Let the workers use the port. Everything they read must be set already. */
void port_up(struct port *port);
/* Keep workers off the port; when this returns none uses it. Addresses learned on it are gone. */
void port_down(struct port *port);

/* Add the counters of all workers up. */
void port_sum(const struct port *port, struct port_counters *sum);

/* What a person calls a reason to drop, e.g. "ring-full". */
const char *drop_name(enum drop_reason reason);
const char *port_state_name(const struct port *port);

#endif
