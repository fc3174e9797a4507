/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line; see args.h.
 */
#include "args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VSW_VERSION
#define VSW_VERSION "unknown"
#endif

static const char usage_text[] =
"Usage: " VSW_NAME " [OPTION]... [-- EAL-OPTION...]\n"
"Switch Ethernet frames between virtual machines (vhost-user) and uplinks.\n"
"\n"
"Ports:\n"
"  -p, --port=PATH[,OPTION]...  a vhost-user socket; may be given many times\n"
"  -u, --uplink=DEVICE[,ARG]... any DPDK device: net_tap0,iface=tap0 or a PCI\n"
"                               address; may be given many times\n"
"\n"
"Port options:\n"
"  client           connect to PATH, again and again, instead of listening on it\n"
"  no-reconnect     with client: connect once only\n"
"  queues=N         queue pairs (1 to 16, default 1)\n"
"  name=NAME        what the port is called (default: from PATH)\n"
"  mode=OCTAL       permissions of the socket file, e.g. 0660\n"
"  macs=N           addresses learned at most (default 1024, 0: no limit)\n"
"  mrg=on|off       mergeable receive buffers\n"
"  csum=on|off      checksum offload (off: tso as well)\n"
"  tso=on|off       TCP segmentation offload\n"
"  packed=on|off    packed virtqueues\n"
"  indirect=on|off  indirect descriptors\n"
"  event-idx=on|off notification suppression by index\n"
"  iommu            allow the guest's IOMMU to restrict memory\n"
"  postcopy         allow post-copy live migration\n"
"  linear           never chain buffers: drop what does not fit into one\n"
"  extbuf           put large frames into one external buffer\n"
"\n"
"Switching:\n"
"  -a, --age=SECONDS        forget an address not seen for so long\n"
"                           (default 300, 0: never)\n"
"  -f, --fdb-size=N         addresses remembered at most (default 8192)\n"
"\n"
"Running:\n"
"  -w, --workers=N          threads that move frames (1 to 16, default 1)\n"
"  -P, --poll=MODE          what idle workers do. adaptive: nap (default); busy:\n"
"                           go on polling; interrupt: sleep until a guest kicks\n"
"  -m, --mbufs=N            packet buffers of 2 KiB (default 16384)\n"
"  -H, --hugepages          use huge pages, which must be set up\n"
"\n"
"Output:\n"
"  -i, --interval=SECONDS   plain output: statistics so often (default 10,\n"
"                           0: only at the end and on SIGUSR1)\n"
"      --plain              plain lines even on a terminal\n"
"  -v, --verbose            show what DPDK and the vhost library say\n"
"  -h, --help               show this and exit\n"
"  -V, --version            show the version and exit\n"
"\n"
"On a terminal a table is shown live; otherwise each event is one line. SIGINT\n"
"and SIGTERM end the switch; it then removes its sockets and exits with 0.\n"
"\n"
"What follows -- goes to DPDK's EAL. Without it the switch needs no setup:\n"
"normal pages, no PCI devices, workers on any CPU. To dedicate CPUs 2 and 3,\n"
"with CPU 1 for the little there is besides:  -- -l 1-3\n"
"\n"
"Examples:\n"
"  " VSW_NAME " -p /run/vm1.sock -p /run/vm2.sock\n"
"  " VSW_NAME " -p vm1.sock,queues=4 -p vm2.sock,client -w 2\n"
"  " VSW_NAME " -p vm1.sock -u net_tap0,iface=tap0 >switch.log\n";

enum { OPT_PLAIN = 256 };

static const struct option long_options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "uplink", required_argument, NULL, 'u' },
	{ "age", required_argument, NULL, 'a' },
	{ "fdb-size", required_argument, NULL, 'f' },
	{ "workers", required_argument, NULL, 'w' },
	{ "poll", required_argument, NULL, 'P' },
	{ "mbufs", required_argument, NULL, 'm' },
	{ "hugepages", no_argument, NULL, 'H' },
	{ "interval", required_argument, NULL, 'i' },
	{ "plain", no_argument, NULL, OPT_PLAIN },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int add_port(struct config *config, const char *text)
{
	struct endpoint *e = &config->endpoints[config->n_endpoints];
	char error[384];

	if (config->n_endpoints == VSW_MAX_ENDPOINTS) {
		fprintf(stderr, "%s: --port may be given %d times at most\n", VSW_NAME,
			VSW_MAX_ENDPOINTS);
		return -1;
	}
	if (args_parse_port(text, e, error, sizeof(error)) != 0) {
		fprintf(stderr, "%s: --port '%s': %s\n", VSW_NAME, text, error);
		return -1;
	}
	for (unsigned int i = 0; i < config->n_endpoints; i++) {
		if (strcmp(config->endpoints[i].path, e->path) == 0) {
			fprintf(stderr, "%s: --port '%s': this path was given before (a listening "
				"socket accepts any number of frontends)\n", VSW_NAME, text);
			return -1;
		}
		if (strcmp(config->endpoints[i].name, e->name) == 0) {
			fprintf(stderr, "%s: --port '%s': another port is called '%s' already, "
				"expected a different name=\n", VSW_NAME, text, e->name);
			return -1;
		}
	}
	config->n_endpoints++;
	return 0;
}

static int add_uplink(struct config *config, const char *text)
{
	if (text[0] == '\0' || config->n_uplinks == VSW_MAX_ENDPOINTS) {
		fprintf(stderr, "%s: --uplink expects a device, e.g. net_tap0,iface=tap0, %d times "
			"at most\n", VSW_NAME, VSW_MAX_ENDPOINTS);
		return -1;
	}
	config->uplinks[config->n_uplinks++] = text;
	return 0;
}

/* The numeric options: where each goes and what it may be. */
static int set_number(struct config *config, int letter, const char *text)
{
	const struct {
		int letter;
		const char *name;
		unsigned int *target;
		unsigned int least, most;
	} numbers[] = {
		{ 'a', "--age", &config->age_seconds, 0, 1000000 },
		{ 'f', "--fdb-size", &config->fdb_slots, 16, 1048576 },
		{ 'w', "--workers", &config->n_workers, 1, VSW_MAX_WORKERS },
		{ 'm', "--mbufs", &config->mbufs, 1024, 4194304 },
		{ 'i', "--interval", &config->interval_seconds, 0, 1000000 },
	};
	unsigned long value;

	for (unsigned int i = 0; i < RTE_DIM(numbers); i++) {
		if (numbers[i].letter != letter)
			continue;
		if (!args_number(text, numbers[i].least, numbers[i].most, &value)) {
			fprintf(stderr, "%s: %s expects a number from %u to %u, got '%s'\n",
				VSW_NAME, numbers[i].name, numbers[i].least, numbers[i].most, text);
			return -1;
		}
		*numbers[i].target = (unsigned int)value;
		return 0;
	}
	return -1; /* getopt has said what is wrong */
}

static int set_poll(struct config *config, const char *text)
{
	static const char *const modes[] = { [POLL_ADAPTIVE] = "adaptive", [POLL_BUSY] = "busy",
					     [POLL_INTERRUPT] = "interrupt" };

	for (unsigned int i = 0; i < RTE_DIM(modes); i++) {
		if (strcmp(text, modes[i]) == 0) {
			config->poll = (enum poll_mode)i;
			return 0;
		}
	}
	fprintf(stderr, "%s: --poll expects 'adaptive', 'busy' or 'interrupt', got '%s'\n",
		VSW_NAME, text);
	return -1;
}

static int take_option(struct config *config, int letter)
{
	switch (letter) {
	case 'p':
		return add_port(config, optarg);
	case 'u':
		return add_uplink(config, optarg);
	case 'P':
		return set_poll(config, optarg);
	case 'H':
		config->hugepages = true;
		return 0;
	case 'v':
		config->verbose = true;
		return 0;
	case OPT_PLAIN:
		config->plain = true;
		return 0;
	default:
		return set_number(config, letter, optarg);
	}
}

static enum args_result bad(void)
{
	fprintf(stderr, "Try '%s --help'.\n", VSW_NAME);
	return ARGS_BAD;
}

enum args_result args_parse(int argc, char **argv, struct config *config)
{
	int letter, ours = 1;

	config->n_workers = 1;
	config->age_seconds = 300;
	config->fdb_slots = 8192;
	config->mbufs = 16384;
	config->interval_seconds = 10;
	while (ours < argc && strcmp(argv[ours], "--") != 0)
		ours++;
	argv[0] = (char *)(uintptr_t)VSW_NAME;
	while ((letter = getopt_long(ours, argv, "p:u:a:f:w:P:m:Hi:vhV", long_options,
				     NULL)) != -1) {
		if (letter == 'h') {
			fputs(usage_text, stdout);
			return ARGS_EXIT_OK;
		}
		if (letter == 'V') {
			puts(VSW_NAME " " VSW_VERSION);
			return ARGS_EXIT_OK;
		}
		if (take_option(config, letter) != 0)
			return bad();
	}
	if (optind < ours) {
		fprintf(stderr, "%s: '%s' is not an option; sockets are given with --port, options "
			"for EAL after --\n", VSW_NAME, argv[optind]);
		return bad();
	}
	config->eal_argc = ours < argc ? argc - ours - 1 : 0;
	config->eal_argv = argv + argc - config->eal_argc;
	if (config->n_endpoints + config->n_uplinks == 0 && config->eal_argc == 0) {
		fprintf(stderr, "%s: nothing to switch: expected at least one --port or --uplink\n",
			VSW_NAME);
		return bad();
	}
	optind = 1; /* EAL parses next */
	return ARGS_RUN;
}
