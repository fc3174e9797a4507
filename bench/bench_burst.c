/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_burst: cycles per packet of rte_vhost_enqueue_burst() and rte_vhost_dequeue_burst() of
 * whichever vhost library the dynamic linker finds (LD_LIBRARY_PATH), over a real vhost-user
 * socket. Used by compare.py. One line of key=value words per cell on stdout and nothing else.
 */
#include "bench.h"

#include <getopt.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "options.h"

#define VERIFY_BURSTS 40

const char bench_usage[] =
	"usage: bench_burst [options]\n"
	"  --size LIST       packet bytes, comma separated [64]\n"
	"  --dir WHICH       enq (host to guest), deq (guest to host) or both [both]\n"
	"  --empty           time polls that find nothing instead; cycles per call\n"
	"  --packed          packed rings\n"
	"  --floor           also time a hand-written loop with the unavoidable work\n"
	"  --mrg 0|1         mergeable receive buffers [1]\n"
	"  --layout WHICH    descriptors of a packet: one, two (header, data), indirect [one]\n"
	"  --offload WHICH   none, negotiated (but not used), csum, tso [none]\n"
	"  --engine WHICH    who copies: none, helper (another core), dma (dma_skeleton) [none]\n"
	"  --stats           register the driver with statistics\n"
	"  --event-idx       negotiate VIRTIO_F_EVENT_IDX\n"
	"  --in-order        negotiate VIRTIO_F_IN_ORDER\n"
	"  --inflight        the frontend keeps in-flight areas\n"
	"  --burst N         packets per call [32]\n"
	"  --ring N          entries of a ring [256]\n"
	"  --regions N       memory regions that the buffers are spread over [1]\n"
	"  --buffers-mib N   rotate through so many MiB of buffers, in random order [0: hot]\n"
	"  --data-room N     bytes in an mbuf [2048]\n"
	"  --rounds N        undisturbed rounds of 32 bursts to collect [301]\n"
	"  --max-rounds N    rounds to try [10 times as many]\n"
	"  --quiet-ticks X   what the interference probe takes on a quiet core [measured]\n"
	"  --calibrate       print that number and exit\n"
	"  --core N          core to run on [the last one]\n"
	"  --cross           the guest spins on another core, instead of between the bursts\n"
	"  --label WORD      printed as label=WORD\n";

static void
parse_option(struct bench_options *o, const char *name, char *value)
{
	static const char *const dirs[] = {"enq", "deq", "both"};
	static const char *const layouts[] = {"one", "two", "indirect"};
	static const char *const engines[] = {"none", "helper", "dma"};
	static const char *const offloads[] = {"none", "negotiated", "csum", "tso"};

	if (strcmp(name, "size") == 0) {
		o->nr_sizes = option_list(value, o->sizes_bytes, BENCH_MAX_SIZES, 60,
					  BENCH_MAX_PACKET_BYTES, name);
	} else if (strcmp(name, "dir") == 0) {
		unsigned dir = option_choice(value, dirs, RTE_DIM(dirs), name);

		o->run[H2G] = dir != 1;
		o->run[G2H] = dir != 0;
	} else if (strcmp(name, "mrg") == 0) {
		o->mergeable = option_number(value, 0, 1, name) != 0;
	} else if (strcmp(name, "layout") == 0) {
		o->layout = (enum bench_layout)option_choice(value, layouts, RTE_DIM(layouts),
							     name);
	} else if (strcmp(name, "offload") == 0) {
		o->offload = (enum bench_offload)option_choice(value, offloads,
							       RTE_DIM(offloads), name);
	} else if (strcmp(name, "engine") == 0) {
		o->engine = (enum bench_engine)option_choice(value, engines, RTE_DIM(engines),
							     name);
	} else if (strcmp(name, "burst") == 0) {
		o->burst = option_number(value, 1, BENCH_MAX_BURST, name);
	} else if (strcmp(name, "ring") == 0) {
		o->ring_size = option_number(value, 2, 32768, name);
	} else if (strcmp(name, "regions") == 0) {
		o->regions = option_number(value, 1, GUEST_MAX_REGIONS, name);
	} else if (strcmp(name, "buffers-mib") == 0) {
		o->buffers_mib = option_number(value, 0, 4096, name);
	} else if (strcmp(name, "data-room") == 0) {
		o->data_room_bytes = option_number(value, 256, 60000, name);
	} else if (strcmp(name, "rounds") == 0) {
		o->rounds = option_number(value, 1, 1000000, name);
	} else if (strcmp(name, "max-rounds") == 0) {
		o->max_rounds = option_number(value, 1, 10000000, name);
	} else if (strcmp(name, "quiet-ticks") == 0) {
		o->quiet_ticks = strtod(value, NULL);
	} else if (strcmp(name, "core") == 0) {
		o->core = option_number(value, 0, 127, name);
	} else if (strcmp(name, "label") == 0) {
		o->label = value;
	}
}

static const struct option long_options[] = {
	{"size", required_argument, NULL, 1},	 {"dir", required_argument, NULL, 1},
	{"mrg", required_argument, NULL, 1},	 {"layout", required_argument, NULL, 1},
	{"engine", required_argument, NULL, 1},
	{"offload", required_argument, NULL, 1}, {"burst", required_argument, NULL, 1},
	{"ring", required_argument, NULL, 1},	 {"regions", required_argument, NULL, 1},
	{"buffers-mib", required_argument, NULL, 1},
	{"data-room", required_argument, NULL, 1},
	{"rounds", required_argument, NULL, 1},	 {"max-rounds", required_argument, NULL, 1},
	{"quiet-ticks", required_argument, NULL, 1},
	{"core", required_argument, NULL, 1},	 {"label", required_argument, NULL, 1},
	{"empty", no_argument, NULL, 'e'},	 {"stats", no_argument, NULL, 's'},
	{"event-idx", no_argument, NULL, 'v'},	 {"in-order", no_argument, NULL, 'o'},
	{"inflight", no_argument, NULL, 'I'},
	{"packed", no_argument, NULL, 'p'},	 {"floor", no_argument, NULL, 'f'},
	{"calibrate", no_argument, NULL, 'c'},	 {"help", no_argument, NULL, 'h'},
	{"cross", no_argument, NULL, 'x'},
	{NULL, 0, NULL, 0},
};

static void
check_options(struct bench_options *o)
{
	if (!o->packed && (o->ring_size & (o->ring_size - 1)) != 0)
		option_bad("--ring must be a power of two, unless packed");
	if (o->cross && (o->floor || o->empty))
		option_bad("--cross is for the library, and for bursts that find something");
	if (o->engine != ENGINE_NONE && (o->cross || o->floor || o->empty))
		option_bad("--engine goes with neither --cross, --floor nor --empty");
	if (o->max_rounds == 0)
		o->max_rounds = o->rounds * 10;
	for (unsigned i = 0; i < o->nr_sizes; i++) {
		unsigned chains = o->burst * (o->mergeable && o->run[H2G] ?
					      (o->sizes_bytes[i] + 2059) / 2048 : 1);

		if (chains * (o->layout == LAYOUT_TWO ? 2 : 1) > o->ring_size)
			option_bad("a burst does not fit into the ring");
	}
}

static void
parse_options(struct bench_options *o, int argc, char **argv)
{
	int c, index;

	while ((c = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		switch (c) {
		case 1:
			parse_option(o, long_options[index].name, optarg);
			break;
		case 'e':
			o->empty = true;
			break;
		case 'p':
			o->packed = true;
			break;
		case 'f':
			o->floor = true;
			break;
		case 's':
			o->stats = true;
			break;
		case 'v':
			o->event_idx = true;
			break;
		case 'o':
			o->in_order = true;
			break;
		case 'I':
			o->inflight = true;
			break;
		case 'c':
			o->calibrate = true;
			break;
		case 'x':
			o->cross = true;
			break;
		case 'h':
			fputs(bench_usage, stdout);
			exit(0);
		default:
			fputs(bench_usage, stderr);
			exit(2);
		}
	}
	if (optind != argc)
		option_bad("there are no arguments, only options");
	check_options(o);
}

static void
time_cell(struct bench *b, enum bench_direction dir, uint32_t pkt_bytes,
	  struct bench_result *result)
{
	cell_begin(b, dir, pkt_bytes);
	cell_verify(b, VERIFY_BURSTS);
	cell_measure(b, result);
	cell_verify(b, VERIFY_BURSTS);
	cell_end(b);
}

static void
run_cell(struct bench *b, FILE *out, enum bench_direction dir, uint32_t pkt_bytes)
{
	struct bench_result result, lowest = {.cycles = {.median = NAN}};

	time_cell(b, dir, pkt_bytes, &result);
	if (b->opts.floor && floor_can(b, pkt_bytes)) {
		floor_begin(b);
		time_cell(b, dir, pkt_bytes, &lowest);
		floor_end(b);
	}
	fprintf(out,
		"label=%s dir=%s size=%u cycles=%.2f p10=%.2f p90=%.2f floor=%.2f fill=%.1f rounds=%u "
		"dropped=%u timed_packets=%llu tsc_mhz=%llu verify=ok library=%s\n",
		b->opts.label, dir == H2G ? "enq" : "deq", pkt_bytes, result.cycles.median,
		result.cycles.p10, result.cycles.p90, lowest.cycles.median, result.fill,
		result.clean, result.dropped, (unsigned long long)result.timed_packets,
		(unsigned long long)(rte_get_tsc_hz() / 1000000),
		bench_library("rte_vhost_enqueue_burst"));
}

/* Quiet is what it is with the guest's core busy, if it will be: cores may share their clock. */
static void
calibrate(struct bench *b)
{
	struct cross_guest *guest = b->opts.cross ? cross_begin(b, true) : NULL;

	b->opts.quiet_ticks = rounds_quiet_ticks(b->opts.calibrate ? 1000 : 300);
	if (guest != NULL)
		cross_end(b, guest);
}

int
main(int argc, char **argv)
{
	static struct bench bench = {
		.opts = {
			.sizes_bytes = {64},
			.nr_sizes = 1,
			.run = {true, true},
			.mergeable = true,
			.burst = 32,
			.ring_size = 256,
			.regions = 1,
			.data_room_bytes = 2048,
			.rounds = 301,
			.label = "-",
		},
	};
	struct bench *b = &bench;
	/* EAL and libraries may print to stdout; results must not mix with that. */
	int fd = dup(STDOUT_FILENO);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	b->opts.core = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	parse_options(&b->opts, argc, argv);
	if (out == NULL || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		bench_die("no stdout");
	/* EAL leaves us one core. */
	if (b->opts.cross || b->opts.engine == ENGINE_HELPER)
		b->opts.guest_core = cross_core(b->opts.core);
	bench_start(b, argv[0]);
	if (b->opts.quiet_ticks <= 0)
		calibrate(b);
	if (b->opts.calibrate) {
		fprintf(out, "quiet_ticks=%.1f\n", b->opts.quiet_ticks);
	} else {
		for (unsigned i = 0; i < b->opts.nr_sizes; i++)
			for (int dir = H2G; dir <= G2H; dir++)
				if (b->opts.run[dir])
					run_cell(b, out, (enum bench_direction)dir,
						 b->opts.sizes_bytes[i]);
	}
	fflush(out);
	bench_stop(b);
	return 0;
}
