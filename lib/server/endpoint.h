/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Registered sockets: what rte_vhost_driver_*() works on. Thread safe.
 */
#ifndef VHOST_NG_ENDPOINT_H
#define VHOST_NG_ENDPOINT_H

#include "device/device.h"

#define ENDPOINTS_MAX 1024

/* Registers a path; `config` is copied. 0, -EEXIST, -ENAMETOOLONG, -ENOSPC, -ENOMEM. */
int endpoint_register(const char *path, const struct driver_config *config);
/* Listens, or connects (and goes on trying). 0 or -errno. */
int endpoint_start(const char *path);
/* Closes its connections, removes its socket. 0, -ENOENT, or -EDEADLK in a callback. */
int endpoint_unregister(const char *path);

/*
 * Runs `use` on the configuration of a path, with the registry locked.
 * Returns what it returned, or -ENOENT.
 */
int endpoint_with_config(const char *path, int (*use)(struct driver_config *config, void *arg),
			 void *arg);

#endif
