/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A socket for a guest whose device is a vDPA device: this process only negotiates.
 *
 *   vdpa [EAL options] --vdev=vdpa_relay0,socket=BACKEND -- SOCKET DEVICE [SOCKET DEVICE]...
 *   vdpa [EAL options] -d librte_vdpa_vhost_net.so --vdev=vdpa_vhost_net0,iface=TAP -- ...
 *
 * DEVICE is a vDPA device, such as vdpa_relay0. Commands on standard input: "move DEVICE BACKEND"
 * gives a relay's guest to another backend; the end of the input ends the program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rte_eal.h>
#include <rte_vdpa.h>
#include <rte_vhost.h>

#include "vdpa_relay.h"

static int new_device(int vid)
{
	printf("device %d: up\n", vid);
	return 0;
}

static void destroy_device(int vid)
{
	printf("device %d: down\n", vid);
}

static const struct rte_vhost_device_ops ops = {
	.new_device = new_device,
	.destroy_device = destroy_device,
};

static void command(char *line)
{
	char name[64], path[108];

	if (sscanf(line, "move %63s %107s", name, path) == 2)
		printf(vdpa_relay_move(name, path) == 0 ? "moved\n" : "not moved\n");
	else
		printf("commands: move DEVICE BACKEND\n");
}

static void serve(const char *path, const char *name)
{
	struct rte_vdpa_device *dev = rte_vdpa_find_device_by_name(name);

	if (dev == NULL)
		rte_exit(EXIT_FAILURE, "%s: no such vDPA device: see --vdev\n", name);
	if (rte_vhost_driver_register(path, 0) < 0 ||
	    rte_vhost_driver_attach_vdpa_device(path, dev) < 0 ||
	    rte_vhost_driver_callback_register(path, &ops) < 0 || rte_vhost_driver_start(path) < 0)
		rte_exit(EXIT_FAILURE, "%s: cannot be served\n", path);
	printf("%s: device %s\n", path, name);
}

int main(int argc, char **argv)
{
	int used = rte_eal_init(argc, argv);
	char line[256];

	if (used < 0 || argc - used < 3 || (argc - used) % 2 == 0)
		rte_exit(EXIT_FAILURE, "usage: vdpa [EAL options] -- SOCKET DEVICE...\n");
	argc -= used;
	argv += used;
	setlinebuf(stdout);
	for (int i = 1; i < argc; i += 2)
		serve(argv[i], argv[i + 1]);
	while (fgets(line, sizeof(line), stdin) != NULL)
		command(line);
	for (int i = 1; i < argc; i += 2)
		rte_vhost_driver_unregister(argv[i]);
	rte_eal_cleanup();
	return 0;
}
