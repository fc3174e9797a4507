/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tables for people; see stats.h. Columns are as wide as the longest name, and
 * a live line never wraps.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "events.h"
#include "port.h"
#include "stats.h"

/* What a line of the live table takes besides the port's name and the features. */
enum { SCALED_BYTES = 16, LIVE_COLUMNS = 2 + 10 + 2 + 2 + 4 * (2 + 9) + 2 + 8 + 2 };

/* 999, 1.50 k, 15.0 k, 150 k, 1.50 M */
static const char *scaled(double value, char text[SCALED_BYTES])
{
	static const char *const units[] = { "", " k", " M", " G", " T" };
	unsigned int unit = 0;

	while (value >= 999.5 && unit + 1 < RTE_DIM(units)) {
		value /= 1000;
		unit++;
	}
	snprintf(text, SCALED_BYTES, "%.*f%s", unit == 0 || value >= 99.95 ? 0 :
		 value >= 9.995 ? 1 : 2, value, units[unit]);
	return text;
}

static int name_width(const struct switch_view *view)
{
	size_t width = strlen("PORT");

	for (unsigned int i = 0; i < view->n_ports; i++)
		width = RTE_MAX(width, strlen(view->ports[i].name));
	return (int)width;
}

static void print_drop_reasons(FILE *out, const struct switch_view *view)
{
	for (unsigned int i = 0; i < view->n_ports; i++) {
		const struct port_view *p = &view->ports[i];

		if (p->drops == 0)
			continue;
		fprintf(out, "drops at %s:", p->name);
		for (unsigned int r = 0; r < DROP_REASONS; r++)
			if (p->total.drops[r] != 0)
				fprintf(out, " %s %" PRIu64, drop_name((enum drop_reason)r),
					p->total.drops[r]);
		fputc('\n', out);
	}
}

static unsigned int widest_features(const struct switch_view *view)
{
	size_t width = 0;

	for (unsigned int i = 0; i < view->n_ports; i++)
		width = RTE_MAX(width, strlen(view->ports[i].features));
	return (unsigned int)width;
}

/* What was negotiated, below the table: for a terminal that has no room beside it. */
static void print_features(FILE *out, const struct switch_view *view, int width)
{
	for (unsigned int i = 0; i < view->n_ports; i++) {
		const struct port_view *p = &view->ports[i];

		if (p->shown && p->features[0] != '\0')
			fprintf(out, "%-*s  %s\n", width, p->name, p->features);
	}
	fputc('\n', out);
}

static void print_live(FILE *out, const struct switch_view *view, unsigned int columns)
{
	unsigned int up = (unsigned int)view->up_seconds;
	int width = name_width(view);
	bool beside = columns >= (unsigned int)width + LIVE_COLUMNS + widest_features(view);
	char text[5][SCALED_BYTES];

	fprintf(out, "%s   up %u:%02u:%02u   %u worker%s   %u address%s   %u of %u buffers free\n\n",
		VSW_NAME, up / 3600, up / 60 % 60, up % 60, vsw.n_workers,
		vsw.n_workers == 1 ? "" : "s", view->addresses, view->addresses == 1 ? "" : "es",
		view->mbufs_free, vsw.config.mbufs);
	fprintf(out, "%-*s  %-10s  %2s  %9s  %9s  %9s  %9s  %8s  %s\n", width, "PORT", "STATE",
		"QP", "IN pkt/s", "IN bit/s", "OUT pkt/s", "OUT bit/s", "DROPS",
		beside ? "FEATURES" : "");
	for (unsigned int i = 0; i < view->n_ports; i++) {
		const struct port_view *p = &view->ports[i];

		if (!p->shown)
			continue;
		fprintf(out, "%-*s  %-10s  %2u  %9s  %9s  %9s  %9s  %8s  %s\n", width, p->name,
			p->state, p->pairs, scaled(p->in_pps, text[0]), scaled(p->in_bps, text[1]),
			scaled(p->out_pps, text[2]), scaled(p->out_bps, text[3]),
			scaled((double)p->drops, text[4]), beside ? p->features : "");
	}
	fputc('\n', out);
	if (!beside)
		print_features(out, view, width);
	print_drop_reasons(out, view);
}

/* Each line is cut at the edge, and what was there before is erased. */
static void put_on_screen(const char *text, unsigned int columns, unsigned int rows)
{
	size_t length;

	fputs("\033[H", stdout);
	for (unsigned int row = 1; *text != '\0' && row < rows; row++) {
		length = strcspn(text, "\n");
		printf("%.*s\033[K\r\n", (int)RTE_MIN(length, (size_t)columns), text);
		text += length + (text[length] == '\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

void table_draw_live(const struct switch_view *view)
{
	static bool drawn_before;
	char events[EVENT_LINES][EVENT_BYTES];
	struct winsize window;
	unsigned int n_events;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0)
		window = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	out = open_memstream(&text, &size);
	if (out == NULL)
		return;
	print_live(out, view, window.ws_col);
	n_events = events_recent(events);
	fputc('\n', out);
	for (unsigned int i = 0; i < n_events; i++)
		fprintf(out, "%s\n", events[i]);
	fclose(out);
	if (!drawn_before)
		fputs("\033[2J", stdout);
	drawn_before = true;
	put_on_screen(text, window.ws_col, window.ws_row);
	free(text);
}

void table_print_summary(FILE *out, const struct switch_view *view)
{
	int width = name_width(view);

	fprintf(out, "\n%-*s  %14s  %16s  %14s  %16s  %12s\n", width, "PORT", "IN packets",
		"IN bytes", "OUT packets", "OUT bytes", "DROPS");
	for (unsigned int i = 0; i < view->n_ports; i++) {
		const struct port_view *p = &view->ports[i];

		fprintf(out, "%-*s  %14" PRIu64 "  %16" PRIu64 "  %14" PRIu64 "  %16" PRIu64
			"  %12" PRIu64 "\n", width, p->name, p->total.in_packets,
			p->total.in_bytes, p->total.out_packets, p->total.out_bytes, p->drops);
	}
	print_drop_reasons(out, view);
	fflush(out);
}
