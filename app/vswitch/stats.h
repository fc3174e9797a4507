/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the switch shows: a snapshot of all ports with rates, as a live table,
 * as lines for programs, as a summary at the end. Used by main(), on its
 * thread only.
 */
#ifndef VSWITCH_STATS_H
#define VSWITCH_STATS_H

#include <stdio.h>

#include "vswitch.h"

/* One port at one moment. */
struct port_view {
	char name[VSW_NAME_BYTES];
	const char *state;
	bool shown;             /* an extra frontend's port hides while it has none */
	unsigned int pairs;
	char features[200];
	struct port_counters total;
	uint64_t drops;         /* for all reasons */
	double in_pps, in_bps, out_pps, out_bps;
};

struct switch_view {
	unsigned int n_ports;
	struct port_view ports[VSW_MAX_PORTS];
	double up_seconds;
	unsigned int addresses;
	unsigned int mbufs_free;
};

/* Take a snapshot; rates are since the one before. The result is overwritten next time. */
const struct switch_view *stats_take(void);

/* One `stats: port=NAME key=value...` line per port. */
void stats_print_lines(FILE *out, const struct switch_view *view);

/* Redraw the terminal behind stdout. */
void table_draw_live(const struct switch_view *view);
/* The totals, for a person to read. */
void table_print_summary(FILE *out, const struct switch_view *view);

#endif
