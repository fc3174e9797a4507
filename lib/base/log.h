/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines leave through one function pointer, so that the layers below api/
 * need no EAL. A line says what was wrong, where, and what to change.
 */
#ifndef VHOST_NG_LOG_H
#define VHOST_NG_LOG_H

#include <stdarg.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

typedef void (*log_sink_fn)(enum log_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Where lines go; the default is standard error, INFO and above. */
void log_set_sink(log_sink_fn sink);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * At most `LOG_BUDGET_LINES` lines a second pass for one budget; what a peer
 * can provoke without end goes through one of these.
 */
#define LOG_BUDGET_LINES 10
struct log_budget {
	uint64_t second;
	uint32_t used;
	uint32_t dropped;
};
void log_line_limited(struct log_budget *budget, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define LOG_ERR(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define LOG_WARN(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define LOG_INFO(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_DBG(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
