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
 * At most LOG_BUDGET_LINES lines a second from within a scope. What a peer can
 * provoke without end runs inside the scope of that peer's budget, so a noisy
 * one cannot fill the log. Scopes are per thread and nest.
 */
#define LOG_BUDGET_LINES 10
struct log_budget {
	uint64_t second;
	uint32_t used;
	uint32_t dropped;
};
/* Returns the scope that was there before, to be given to log_scope_leave(). */
struct log_budget *log_scope_enter(struct log_budget *budget);
void log_scope_leave(struct log_budget *outer);

#define LOG_ERR(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define LOG_WARN(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define LOG_INFO(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_DBG(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
