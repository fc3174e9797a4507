/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_crypto: cycles per request of rte_vhost_crypto_fetch_requests() and
 * rte_vhost_crypto_finalize_requests() of whichever vhost library the dynamic linker finds
 * (LD_LIBRARY_PATH), and of the whole loop with the cryptodev between them; AES-128-CBC, over a
 * real vhost-user socket. Used by crypto.py. For each cell one line of key=value words for each
 * part on stdout and nothing else.
 */
#include "crypto.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "options.h"

#define VERIFY_BURSTS 40
#define WARM_UP_ROUNDS 32
/* A round of enciphering takes a while: the fewer bursts, the fewer rounds are disturbed. */
#define CRYPTO_ROUND_BURSTS 8
/* The widest registers cost some of the clock; a neighbour costs more. */
#define WIDE_FACTOR 1.12

const char bench_usage[] =
	"usage: bench_crypto [options]\n"
	"  --size LIST       bytes of data, multiples of 16, comma separated [64]\n"
	"  --dir WHICH       copy, zero (copy) or both [copy]\n"
	"  --packed          packed rings\n"
	"  --layout WHICH    descriptors of a request: indirect or direct [indirect]\n"
	"  --service WHICH   cipher, or chain: AES-CMAC of the ciphertext as well [cipher]\n"
	"  --cryptodev NAME  as --vdev has it [crypto_aesni_mb]\n"
	"  --burst N         requests per call [32]\n"
	"  --ring N          entries of a ring [256]\n"
	"  --rounds N        undisturbed rounds of 8 bursts to collect [201]\n"
	"  --max-rounds N    rounds to try [10 times as many]\n"
	"  --quiet-ticks X   what the interference probe takes on a quiet core [measured]\n"
	"  --calibrate       print that number and exit\n"
	"  --core N          core to run on [the last one]\n"
	"  --label WORD      printed as label=WORD\n";

static void
parse_option(struct crypto_options *o, const char *name, char *value)
{
	static const char *const dirs[] = {"copy", "zero", "both"};
	static const char *const layouts[] = {"indirect", "direct"};
	static const char *const services[] = {"cipher", "chain"};

	if (strcmp(name, "size") == 0) {
		o->nr_sizes = option_list(value, o->sizes_bytes, CRYPTO_MAX_SIZES, AES_BLOCK_BYTES,
					  65536, name);
	} else if (strcmp(name, "dir") == 0) {
		unsigned dir = option_choice(value, dirs, RTE_DIM(dirs), name);

		o->run[RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE] = dir != 1;
		o->run[RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE] = dir != 0;
	} else if (strcmp(name, "layout") == 0) {
		o->layout = (enum crypto_layout)option_choice(value, layouts, RTE_DIM(layouts),
							      name);
	} else if (strcmp(name, "service") == 0) {
		o->service = (enum crypto_service)option_choice(value, services, RTE_DIM(services),
								name);
	} else if (strcmp(name, "cryptodev") == 0) {
		o->cryptodev = value;
	} else if (strcmp(name, "burst") == 0) {
		o->burst = option_number(value, 1, CRYPTO_MAX_BURST, name);
	} else if (strcmp(name, "ring") == 0) {
		o->ring_size = option_number(value, 2, 32768, name);
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
	{"size", required_argument, NULL, 1},	     {"dir", required_argument, NULL, 1},
	{"layout", required_argument, NULL, 1},	     {"cryptodev", required_argument, NULL, 1},
	{"burst", required_argument, NULL, 1},	     {"ring", required_argument, NULL, 1},
	{"rounds", required_argument, NULL, 1},	     {"max-rounds", required_argument, NULL, 1},
	{"quiet-ticks", required_argument, NULL, 1}, {"core", required_argument, NULL, 1},
	{"label", required_argument, NULL, 1},	     {"service", required_argument, NULL, 1},
	{"packed", no_argument, NULL, 'p'},	     {"calibrate", no_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void
check_options(struct crypto_options *o)
{
	unsigned per_request = o->layout == CRYPTO_INDIRECT ? 1 :
			       o->service == CRYPTO_CHAIN ? 6 : 5;

	if (!o->packed && (o->ring_size & (o->ring_size - 1)) != 0)
		option_bad("--ring must be a power of two, unless packed");
	if (o->burst * per_request > o->ring_size)
		option_bad("a burst does not fit into the ring");
	for (unsigned i = 0; i < o->nr_sizes; i++)
		if (o->sizes_bytes[i] % AES_BLOCK_BYTES != 0)
			option_bad("--size takes multiples of 16");
	if (o->max_rounds == 0)
		o->max_rounds = o->rounds * 10;
}

static void
parse_options(struct crypto_options *o, int argc, char **argv)
{
	int c, index;

	while ((c = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		switch (c) {
		case 1:
			parse_option(o, long_options[index].name, optarg);
			break;
		case 'p':
			o->packed = true;
			break;
		case 'c':
			o->calibrate = true;
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

struct result {
	struct round_summary cycles[CRYPTO_NR_PARTS]; /* TSC cycles per request */
	unsigned clean, dropped;
	uint64_t timed_requests;
};

/* Cycles per request of each part. */
static void
one_round(struct crypto_bench *b, double cost, bool on_valgrind, double cycles[CRYPTO_NR_PARTS])
{
	double ticks[CRYPTO_NR_PARTS];

	memset(cycles, 0, CRYPTO_NR_PARTS * sizeof(*cycles));
	for (unsigned i = 0; i < CRYPTO_ROUND_BURSTS; i++) {
		crypto_post(b, b->opts.burst);
		crypto_burst(b, b->opts.burst, cost, on_valgrind, ticks);
		crypto_reap(b, b->opts.burst, false);
		for (unsigned p = 0; p < CRYPTO_NR_PARTS; p++)
			cycles[p] += ticks[p] / (CRYPTO_ROUND_BURSTS * b->opts.burst);
	}
}

/* Warms up; what the interference probe takes between rounds of this cell, undisturbed. */
static double
quiet_ticks(struct crypto_bench *b)
{
	double probes[WARM_UP_ROUNDS], cycles[CRYPTO_NR_PARTS];
	const double idle = b->opts.quiet_ticks;

	for (unsigned i = 0; i < WARM_UP_ROUNDS; i++) {
		one_round(b, 0, false, cycles);
		probes[i] = rounds_probe_ticks();
	}
	return RTE_MIN(RTE_MAX(idle, rounds_summary(probes, WARM_UP_ROUNDS).p10),
		       idle * WIDE_FACTOR);
}

static void
measure(struct crypto_bench *b, struct result *result)
{
	double *clean[CRYPTO_NR_PARTS], cycles[CRYPTO_NR_PARTS];
	double cost = rounds_timer_cost(), quiet = quiet_ticks(b);
	uint64_t requests = b->requests;
	struct rounds rounds;

	for (unsigned p = 0; p < CRYPTO_NR_PARTS; p++) {
		clean[p] = calloc(b->opts.rounds, sizeof(*clean[p]));
		if (clean[p] == NULL)
			bench_die("no memory");
	}
	rounds_begin(&rounds, quiet, b->opts.rounds, b->opts.max_rounds);
	while (rounds_more(&rounds)) {
		one_round(b, cost, rounds.on_valgrind, cycles);
		if (!rounds_undisturbed(&rounds))
			continue;
		for (unsigned p = 0; p < CRYPTO_NR_PARTS; p++)
			clean[p][rounds.clean - 1] = cycles[p];
	}
	result->clean = rounds.clean;
	result->dropped = rounds.dropped;
	result->timed_requests = b->requests - requests;
	for (unsigned p = 0; p < CRYPTO_NR_PARTS; p++) {
		result->cycles[p] = rounds_summary(clean[p], rounds.clean);
		free(clean[p]);
	}
}

static void
run_cell(struct crypto_bench *b, FILE *out, bool zero_copy, uint32_t data_bytes)
{
	static const char *const parts[CRYPTO_NR_PARTS] = {"-fetch", "-finalize", "", "-loop"};
	struct result result;

	crypto_cell_begin(b, data_bytes);
	crypto_verify(b, VERIFY_BURSTS);
	measure(b, &result);
	crypto_verify(b, VERIFY_BURSTS);
	crypto_cell_end(b);
	for (unsigned p = 0; p < CRYPTO_NR_PARTS; p++)
		fprintf(out,
			"label=%s dir=%s%s size=%u cycles=%.2f p10=%.2f p90=%.2f floor=nan "
			"rounds=%u dropped=%u timed_packets=%llu tsc_mhz=%llu verify=ok "
			"library=%s\n",
			b->opts.label, zero_copy ? "zero" : "copy", parts[p], data_bytes,
			result.cycles[p].median, result.cycles[p].p10, result.cycles[p].p90,
			result.clean, result.dropped, (unsigned long long)result.timed_requests,
			(unsigned long long)(rte_get_tsc_hz() / 1000000),
			bench_library("rte_vhost_crypto_fetch_requests"));
}

/* Zero copy last: the stock library does not survive being told to go back to copying. */
static void
run_cells(struct crypto_bench *b, FILE *out)
{
	const struct crypto_options *o = &b->opts;

	for (unsigned i = 0; o->run[RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE] && i < o->nr_sizes; i++)
		run_cell(b, out, false, o->sizes_bytes[i]);
	if (!o->run[RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE])
		return;
	crypto_begin_zero_copy(b);
	for (unsigned i = 0; i < o->nr_sizes; i++)
		run_cell(b, out, true, o->sizes_bytes[i]);
}

int
main(int argc, char **argv)
{
	static struct crypto_bench bench = {
		.opts = {
			.sizes_bytes = {64},
			.nr_sizes = 1,
			.run = {true},
			.cryptodev = "crypto_aesni_mb",
			.burst = 32,
			.ring_size = 256,
			.rounds = 201,
			.label = "-",
		},
	};
	struct crypto_bench *b = &bench;
	/* EAL and libraries may print to stdout; results must not mix with that. */
	int fd = dup(STDOUT_FILENO);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	b->opts.core = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	parse_options(&b->opts, argc, argv);
	if (out == NULL || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		bench_die("no stdout");
	aes_self_test();
	crypto_start(b, argv[0]);
	if (b->opts.quiet_ticks <= 0)
		b->opts.quiet_ticks = rounds_quiet_ticks(b->opts.calibrate ? 1000 : 300);
	if (b->opts.calibrate)
		fprintf(out, "quiet_ticks=%.1f\n", b->opts.quiet_ticks);
	else
		run_cells(b, out);
	fflush(out);
	crypto_stop(b);
	return 0;
}
