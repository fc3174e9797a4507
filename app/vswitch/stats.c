/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Snapshots and lines for programs; see stats.h.
 */
#include "stats.h"

#include <inttypes.h>
#include <string.h>

#include <rte_cycles.h>

#include "fdb.h"
#include "port.h"
#include "port_vhost.h"

static double per_second(uint64_t now, uint64_t before, double seconds)
{
	return seconds > 0 ? (double)(now - before) / seconds : 0;
}

/* `view` still holds what the port looked like last time. */
static void look_at(struct port_view *view, const struct port *port, double seconds)
{
	struct port_counters now;

	port_sum(port, &now);
	view->in_pps = per_second(now.in_packets, view->total.in_packets, seconds);
	view->in_bps = 8 * per_second(now.in_bytes, view->total.in_bytes, seconds);
	view->out_pps = per_second(now.out_packets, view->total.out_packets, seconds);
	view->out_bps = 8 * per_second(now.out_bytes, view->total.out_bytes, seconds);
	view->total = now;
	view->drops = 0;
	for (unsigned int r = 0; r < DROP_REASONS; r++)
		view->drops += now.drops[r];
	memcpy(view->name, port->name, sizeof(view->name));
	view->state = port_state_name(port);
	view->shown = port->kind == PORT_ETH || port->instance == 1 || port->vid >= 0;
	view->pairs = port->kind == PORT_ETH ? port->n_queues :
		      atomic_load(&port->up) ? vhost_active_pairs(port) : 0;
	if (port->kind == PORT_ETH)
		snprintf(view->features, sizeof(view->features), "uplink");
	else if (atomic_load(&port->features) == 0)
		view->features[0] = '\0';
	else
		vhost_feature_words(atomic_load(&port->features), view->features,
				    sizeof(view->features));
}

const struct switch_view *stats_take(void)
{
	static struct switch_view view;
	static uint64_t last_tsc;
	uint64_t now = rte_get_timer_cycles();
	double hz = (double)rte_get_timer_hz();
	double seconds = last_tsc == 0 ? (double)(now - vsw.start_tsc) / hz :
			 (double)(now - last_tsc) / hz;

	ports_lock();
	view.n_ports = port_slots();
	for (unsigned int s = 0; s < view.n_ports; s++)
		look_at(&view.ports[s], port_at(s), seconds);
	ports_unlock();
	view.up_seconds = (double)(now - vsw.start_tsc) / hz;
	view.addresses = fdb_count();
	view.mbufs_free = rte_mempool_avail_count(vsw.pool);
	last_tsc = now;
	return &view;
}

/* drop_ring_full for ring-full: a key without surprises. */
static void print_drop(FILE *out, enum drop_reason reason, uint64_t n)
{
	const char *name = drop_name(reason);

	fputs(" drop_", out);
	for (; *name != '\0'; name++)
		fputc(*name == '-' ? '_' : *name, out);
	fprintf(out, "=%" PRIu64, n);
}

void stats_print_lines(FILE *out, const struct switch_view *view)
{
	for (unsigned int i = 0; i < view->n_ports; i++) {
		const struct port_view *p = &view->ports[i];

		fprintf(out, "stats: port=%s state=%s pairs=%u in_packets=%" PRIu64
			" in_bytes=%" PRIu64 " out_packets=%" PRIu64 " out_bytes=%" PRIu64
			" in_pps=%.0f in_bps=%.0f out_pps=%.0f out_bps=%.0f drops=%" PRIu64,
			p->name, p->state, p->pairs, p->total.in_packets, p->total.in_bytes,
			p->total.out_packets, p->total.out_bytes, p->in_pps, p->in_bps,
			p->out_pps, p->out_bps, p->drops);
		for (unsigned int r = 0; r < DROP_REASONS; r++)
			print_drop(out, (enum drop_reason)r, p->total.drops[r]);
		fputc('\n', out);
	}
	fprintf(out, "stats: switch up_seconds=%.0f addresses=%u mbufs_free=%u\n",
		view->up_seconds, view->addresses, view->mbufs_free);
	fflush(out);
}
