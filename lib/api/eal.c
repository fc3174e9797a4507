/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plugs the EAL-free layers into EAL: log lines, the event thread, and what engines
 * have to know of guest memory.
 */
#include <stdio.h>

#include <rte_common.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include "async/iova.h"
#include "base/log.h"
#include "server/loop.h"

#define LINE_BYTES 512

static int logtype;

static __attribute__((format(printf, 2, 0))) void
sink_eal(enum log_level level, const char *fmt, va_list ap)
{
	static const uint32_t levels[] = {
		[LOG_LEVEL_ERROR] = RTE_LOG_ERR,
		[LOG_LEVEL_WARNING] = RTE_LOG_WARNING,
		[LOG_LEVEL_INFO] = RTE_LOG_INFO,
		[LOG_LEVEL_DEBUG] = RTE_LOG_DEBUG,
	};
	char line[LINE_BYTES];

	/* The stock library's name for the type, so that --log-level works on. */
	vsnprintf(line, sizeof(line), fmt, ap);
	rte_log(levels[level], (uint32_t)logtype, "VHOST_CONFIG: %s\n", line);
}

/* A control thread, so that it stays off the cores that poll. */
static int spawn_eal(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
	return rte_ctrl_thread_create(thread, name, NULL, run, arg);
}

static const struct region_hooks engine_memory = {
	.mapped = iova_region_mapped,
	.unmapping = iova_region_unmapping,
};

RTE_INIT(vhost_ng_init)
{
	logtype = rte_log_register_type_and_pick_level("lib.vhost.config", RTE_LOG_INFO);
	log_set_sink(sink_eal);
	loop_set_spawn(spawn_eal);
	region_set_hooks(&engine_memory);
}
