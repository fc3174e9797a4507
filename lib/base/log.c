/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "log.h"

static __attribute__((format(printf, 2, 0))) void
sink_stderr(enum log_level level, const char *fmt, va_list ap)
{
	if (level > LOG_LEVEL_INFO)
		return;
	fputs("vhost-ng: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

static log_sink_fn log_sink = sink_stderr;

void log_set_sink(log_sink_fn sink)
{
	log_sink = sink;
}

static __thread struct log_budget *scope;

struct log_budget *log_scope_enter(struct log_budget *budget)
{
	struct log_budget *outer = scope;

	scope = budget;
	return outer;
}

void log_scope_leave(struct log_budget *outer)
{
	scope = outer;
}

static __attribute__((format(printf, 2, 3))) void emit(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_sink(level, fmt, ap);
	va_end(ap);
}

/* Takes a line out of the budget; false when there is none left this second. */
static bool spend(struct log_budget *budget)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((uint64_t)now.tv_sec != budget->second) {
		if (budget->dropped != 0)
			emit(LOG_LEVEL_WARNING, "(%u lines like these were dropped)",
			     budget->dropped);
		*budget = (struct log_budget){ .second = (uint64_t)now.tv_sec };
	}
	if (budget->used == LOG_BUDGET_LINES) {
		budget->dropped++;
		return false;
	}
	budget->used++;
	return true;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (scope != NULL && !spend(scope))
		return;
	va_start(ap, fmt);
	log_sink(level, fmt, ap);
	va_end(ap);
}
