/* SPDX-License-Identifier: BSD-3-Clause */
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

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_sink(level, fmt, ap);
	va_end(ap);
}

void log_line_limited(struct log_budget *budget, enum log_level level, const char *fmt, ...)
{
	struct timespec now;
	va_list ap;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((uint64_t)now.tv_sec != budget->second) {
		if (budget->dropped != 0)
			log_line(level, "(%u similar lines were dropped)", budget->dropped);
		*budget = (struct log_budget){ .second = (uint64_t)now.tv_sec };
	}
	if (budget->used >= LOG_BUDGET_LINES) {
		budget->dropped++;
		return;
	}
	budget->used++;
	va_start(ap, fmt);
	log_sink(level, fmt, ap);
	va_end(ap);
}
