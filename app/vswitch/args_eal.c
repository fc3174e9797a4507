/* SPDX-License-Identifier: BSD-3-Clause
 *
 * EAL's command line; see args.h. EAL takes the first of two contradicting
 * memory options or refuses both, so ours are only added where the user said
 * nothing on the matter.
 */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"

/* What args_eal() has made, and a copy for EAL, which changes its argv. */
static struct list {
	int n;
	int room;
	bool failed;
	char **items;
} list;
static char **for_eal;

__attribute__((format(printf, 1, 2)))
static void add(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (list.n + 1 >= list.room || vasprintf(&text, format, args) < 0) {
		list.failed = true;
		text = NULL;
	}
	va_end(args);
	if (text != NULL)
		list.items[list.n++] = text;
}

/* Did the user give this option, as -m 5, -m5, --x 5 or --x=5? */
static bool given(const struct config *config, const char *option)
{
	size_t length = strlen(option);

	for (int i = 0; i < config->eal_argc; i++) {
		const char *arg = config->eal_argv[i];

		if (strncmp(arg, option, length) != 0)
			continue;
		if (arg[1] != '-' || arg[length] == '\0' || arg[length] == '=')
			return true;
	}
	return false;
}

/*
 * Lcore 0 is main(), which sleeps; 1 to N are workers. All may run on all CPUs
 * this process may use: the kernel knows better than we what is free.
 */
static void add_lcores(const struct config *config)
{
	char cpus[1024] = "";
	size_t at = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) == 0)
		CPU_SET(0, &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && at + 8 < sizeof(cpus); cpu++)
		if (CPU_ISSET(cpu, &set))
			at += (size_t)snprintf(cpus + at, sizeof(cpus) - at, "%s%d",
					       at == 0 ? "" : ",", cpu);
	add("--lcores");
	add("(0-%u)@(%s)", config->n_workers, cpus);
}

static bool is_pci_address(const char *text)
{
	unsigned int domain, bus, device, function;

	return sscanf(text, "%x:%x:%x.%x", &domain, &bus, &device, &function) == 4 ||
	       sscanf(text, "%x:%x.%x", &bus, &device, &function) == 3;
}

bool args_eal_quiet(const struct config *config)
{
	return !config->verbose && !given(config, "--log-level");
}

int args_eal(const struct config *config, char ***argv)
{
	bool wants_pci = given(config, "-a") || given(config, "--allow") ||
			 given(config, "-b") || given(config, "--block");

	list.room = config->eal_argc + 2 * (int)config->n_uplinks + 24;
	list.items = calloc((size_t)list.room, sizeof(*list.items));
	if (list.items == NULL)
		return -1;
	add(VSW_NAME);
	if (!given(config, "-l") && !given(config, "-c") && !given(config, "--lcores"))
		add_lcores(config);
	if (!config->hugepages && !given(config, "--no-huge") && !given(config, "--in-memory") &&
	    !given(config, "--huge-dir") && !given(config, "--socket-mem"))
		add("--no-huge");
	/*
	 * --no-huge would stop at 64 MiB. With normal pages each buffer takes one of 4 KiB, and
	 * the pool wants spare room. Untouched memory costs nothing.
	 */
	if (!given(config, "-m") && !given(config, "--socket-mem") && !config->hugepages)
		add("-m%u", 128 + config->mbufs / 160 + config->fdb_slots / 4096);
	if (!given(config, "--no-shconf"))
		add("--no-shconf");
	if (!given(config, "--file-prefix"))
		add("--file-prefix=%s", VSW_NAME);
	if (args_eal_quiet(config))
		add("--log-level=error");
	for (unsigned int i = 0; i < config->n_uplinks; i++) {
		wants_pci |= is_pci_address(config->uplinks[i]);
		add("%s", is_pci_address(config->uplinks[i]) ? "-a" : "--vdev");
		add("%s", config->uplinks[i]);
	}
	if (!wants_pci && !given(config, "--no-pci"))
		add("--no-pci");
	for (int i = 0; i < config->eal_argc; i++)
		add("%s", config->eal_argv[i]);
	for_eal = calloc((size_t)list.room, sizeof(*for_eal));
	if (for_eal == NULL || list.failed)
		return -1;
	memcpy(for_eal, list.items, (size_t)list.n * sizeof(*for_eal));
	*argv = for_eal;
	return list.n;
}

void args_eal_free(void)
{
	for (int i = 0; i < list.n; i++)
		free(list.items[i]);
	free(list.items);
	free(for_eal);
}
