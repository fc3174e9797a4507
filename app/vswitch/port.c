/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of ports; see port.h. Ports are never freed: one that lost its
 * frontend keeps its name and counters and waits for the next.
 */
#include "port.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fdb.h"
#include "wakeup.h"

static struct port ports[VSW_MAX_PORTS];
static atomic_uint n_slots;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct port *port_at(unsigned int slot)
{
	return &ports[slot];
}

unsigned int port_slots(void)
{
	return atomic_load_explicit(&n_slots, memory_order_acquire);
}

void ports_lock(void)
{
	pthread_mutex_lock(&lock);
}

void ports_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

struct port *port_alloc(enum port_kind kind, const char *name)
{
	unsigned int slot = port_slots();
	struct port *port;

	if (slot == VSW_MAX_PORTS)
		return NULL;
	port = &ports[slot];
	port->kind = kind;
	port->slot = (uint16_t)slot;
	port->vid = -1;
	port->instance = 1;
	snprintf(port->name, sizeof(port->name), "%s", name);
	for (unsigned int q = 0; q < VSW_MAX_QUEUE_PAIRS; q++) {
		rte_spinlock_init(&port->tx_lock[q]);
		port->kick_watch[q] = -1;
	}
	atomic_store_explicit(&n_slots, slot + 1, memory_order_release);
	return port;
}

void port_up(struct port *port)
{
	atomic_store(&port->state, STATE_UP);
	atomic_store(&port->up, true);
	wakeup_all();
}

void port_down(struct port *port)
{
	if (!atomic_exchange(&port->up, false))
		return;
	rte_rcu_qsbr_synchronize(vsw.qsbr, RTE_QSBR_THRID_INVALID);
	fdb_flush_port(port->slot);
}

void port_sum(const struct port *port, struct port_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int w = 0; w < vsw.n_workers; w++) {
		const struct port_counters *c = &port->counters[w];

		sum->in_packets += COUNTER_READ(c->in_packets);
		sum->in_bytes += COUNTER_READ(c->in_bytes);
		sum->out_packets += COUNTER_READ(c->out_packets);
		sum->out_bytes += COUNTER_READ(c->out_bytes);
		for (unsigned int r = 0; r < DROP_REASONS; r++)
			sum->drops[r] += COUNTER_READ(c->drops[r]);
	}
}

const char *drop_name(enum drop_reason reason)
{
	static const char *const names[DROP_REASONS] = {
		[DROP_RUNT] = "runt",
		[DROP_SAME_PORT] = "same-port",
		[DROP_RESERVED] = "reserved",
		[DROP_NO_PORT] = "no-port",
		[DROP_RING_FULL] = "ring-full",
		[DROP_TOO_BIG] = "too-big",
		[DROP_NO_MBUF] = "no-mbuf",
		[DROP_OFFLOAD] = "offload",
	};

	return names[reason];
}

const char *port_state_name(const struct port *port)
{
	static const char *const names[] = {
		[STATE_LISTENING] = "listening",
		[STATE_CONNECTING] = "connecting",
		[STATE_CONNECTED] = "connected",
		[STATE_UP] = "up",
		[STATE_DOWN] = "down",
	};

	return names[atomic_load(&port->state)];
}
