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
 * A vDPA device goes: closes the connections that it serves, on whatever socket; those that it is
 * attached to serve nobody until somebody says what shall. 0, or -EDEADLK in a callback while there
 * are such connections (said why).
 */
int endpoint_drop_vdpa(const struct vdpa *vdpa);

/*
 * Runs `use` on the configuration of a path, with the registry locked.
 * Returns what it returned, or -ENOENT.
 */
int endpoint_with_config(const char *path, int (*use)(struct driver_config *config, void *arg),
			 void *arg);

#endif
