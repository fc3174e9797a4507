/* SPDX-License-Identifier: BSD-3-Clause
 *
 * vhost-ng-switch: a learning Ethernet switch between vhost-user sockets and
 * DPDK devices, on the public headers only. This file starts the parts, shows
 * what happens until a signal comes, and stops them in the right order.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include "args.h"
#include "events.h"
#include "fdb.h"
#include "port.h"
#include "port_eth.h"
#include "port_vhost.h"
#include "stats.h"
#include "wakeup.h"
#include "worker.h"

enum { EXIT_USAGE = 2, MBUF_CACHE = 256, NS_PER_SECOND = 1000000000 };

struct vswitch vsw;

/* Signals are taken by sigtimedwait() in run(); every thread inherits the mask. */
static sigset_t block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return set;
}

static int start_eal(void)
{
	char **argv;
	int argc = args_eal(&vsw.config, &argv);

	if (argc < 0 || rte_eal_init(argc, argv) < 0) {
		fprintf(stderr, "%s: EAL did not start: %s%s\n", VSW_NAME,
			argc < 0 ? "out of memory" : rte_strerror(rte_errno),
			vsw.config.hugepages ? " (are huge pages set up? --hugepages needs them)" : "");
		return -1;
	}
	if (args_eal_quiet(&vsw.config))
		rte_log_set_global_level(RTE_LOG_WARNING);
	vsw.n_workers = rte_lcore_count() - 1;
	if (vsw.n_workers == 0 || vsw.n_workers > VSW_MAX_WORKERS) {
		fprintf(stderr, "%s: expected 2 to %d lcores (one for control, the others work), "
			"got %u\n", VSW_NAME, VSW_MAX_WORKERS + 1, rte_lcore_count());
		return -1;
	}
	return 0;
}

static int make_shared(void)
{
	size_t size = rte_rcu_qsbr_get_memsize(VSW_MAX_WORKERS);

	vsw.pool = rte_pktmbuf_pool_create("frames", vsw.config.mbufs, MBUF_CACHE, 0,
					   RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (vsw.pool == NULL) {
		fprintf(stderr, "%s: no memory for %u packet buffers (%s); use a smaller --mbufs "
			"or give EAL more with -- -m MEGABYTES\n", VSW_NAME, vsw.config.mbufs,
			rte_strerror(rte_errno));
		return -1;
	}
	vsw.qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(size, RTE_CACHE_LINE_SIZE));
	if (vsw.qsbr == NULL || rte_rcu_qsbr_init(vsw.qsbr, VSW_MAX_WORKERS) != 0 ||
	    fdb_create(vsw.config.fdb_slots, vsw.config.age_seconds, vsw.qsbr) != 0) {
		fprintf(stderr, "%s: no memory for %u addresses; use a smaller --fdb-size\n",
			VSW_NAME, vsw.config.fdb_slots);
		return -1;
	}
	return 0;
}

static void start_workers(void)
{
	uintptr_t id = 0;
	unsigned int lcore;

	RTE_LCORE_FOREACH_WORKER(lcore)
		rte_eal_remote_launch(worker_main, (void *)id++, lcore);
}

static void stop_workers(void)
{
	atomic_store(&vsw.stop_workers, true);
	wakeup_all();
	rte_eal_mp_wait_lcore();
}

static int start_ports(void)
{
	if (eth_ports_start() < 0)
		return -1;
	for (unsigned int i = 0; i < vsw.config.n_endpoints; i++)
		if (vhost_endpoint_start(&vsw.config.endpoints[i]) != 0)
			return -1;
	if (port_slots() == 0) {
		fprintf(stderr, "%s: nothing to switch: no --port was given and EAL found no "
			"device\n", VSW_NAME);
		return -1;
	}
	return 0;
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

/* A signal that came before `deadline_ns`, or 0. */
static int wait_for_signal(const sigset_t *signals, uint64_t deadline_ns)
{
	uint64_t now = monotonic_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / NS_PER_SECOND),
			       .tv_nsec = (long)(left % NS_PER_SECOND) };
	int number = sigtimedwait(signals, NULL, &ts);

	return number > 0 ? number : 0;
}

static void once_a_second(bool live)
{
	static unsigned int since_lines;
	unsigned int interval = vsw.config.interval_seconds;

	fdb_age();
	vhost_announce_pairs();
	eth_ports_check_links();
	if (live) {
		table_draw_live(stats_take());
	} else if (interval != 0 && ++since_lines >= interval) {
		stats_print_lines(stdout, stats_take());
		since_lines = 0;
	}
}

/* Until a signal says stop. */
static void run(const sigset_t *signals, bool live)
{
	uint64_t tick_ns = monotonic_ns();
	int number;

	if (live)
		table_draw_live(stats_take());
	for (;;) {
		number = wait_for_signal(signals, tick_ns + NS_PER_SECOND);
		if (number == SIGUSR1 && !live) {
			stats_print_lines(stdout, stats_take());
		} else if (number != 0 && number != SIGUSR1) {
			events_keep(false);
			event("%sstopping: %s", live ? "\n" : "", strsignal(number));
			return;
		}
		if (monotonic_ns() < tick_ns + NS_PER_SECOND)
			continue;
		tick_ns = monotonic_ns();
		once_a_second(live);
	}
}

static void close_ports(void)
{
	for (unsigned int i = 0; i < vsw.config.n_endpoints; i++)
		vhost_endpoint_stop(&vsw.config.endpoints[i]);
	eth_ports_stop();
}

static void free_shared(void)
{
	if (vsw.qsbr != NULL)
		fdb_destroy();
	free(vsw.qsbr);
	rte_mempool_free(vsw.pool);
}

static int run_switch(const sigset_t *signals)
{
	bool live = isatty(STDOUT_FILENO) && !vsw.config.plain;
	const struct switch_view *view;
	int rc = EXIT_FAILURE;

	if (make_shared() != 0 || wakeup_init() != 0)
		return EXIT_FAILURE;
	vsw.start_tsc = rte_get_timer_cycles();
	start_workers();
	if (start_ports() == 0) {
		/* Not earlier: what goes wrong until here has to stay on the screen. */
		if (live) {
			events_keep(true);
			events_capture_log();
		}
		event("ready: %u worker%s", vsw.n_workers, vsw.n_workers == 1 ? "" : "s");
		run(signals, live);
		rc = EXIT_SUCCESS;
	}
	events_keep(false);
	stop_workers();
	view = stats_take();
	close_ports();
	if (rc == EXIT_SUCCESS) {
		stats_print_lines(stdout, view);
		table_print_summary(stdout, view);
	}
	return rc;
}

int main(int argc, char **argv)
{
	sigset_t signals;
	int rc = EXIT_FAILURE;

	switch (args_parse(argc, argv, &vsw.config)) {
	case ARGS_EXIT_OK:
		return EXIT_SUCCESS;
	case ARGS_BAD:
		return EXIT_USAGE;
	case ARGS_RUN:
		break;
	}
	signals = block_signals();
	if (start_eal() == 0) {
		rc = run_switch(&signals);
		free_shared();
		wakeup_fini();
		rte_eal_cleanup();
	}
	args_eal_free();
	return rc;
}
