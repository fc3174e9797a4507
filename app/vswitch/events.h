/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One line per thing that happened: to stdout, or kept for the live table to
 * show. Any thread may report; workers do not.
 */
#ifndef VSWITCH_EVENTS_H
#define VSWITCH_EVENTS_H

#include <stdbool.h>
#include <stdio.h>

enum { EVENT_LINES = 8, EVENT_BYTES = 256 };

/* Keep events for events_recent() instead of printing them, or stop doing so. */
void events_keep(bool keep);
void event(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The last events, oldest first; returns how many. */
unsigned int events_recent(char lines[EVENT_LINES][EVENT_BYTES]);
/* Send DPDK's log where the events go, so that it does not tear the table. */
int events_capture_log(void);

#endif
