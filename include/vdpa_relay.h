/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _VDPA_RELAY_H_
#define _VDPA_RELAY_H_

/**
 * @file
 * Control of relays: vDPA devices that are other vhost-user backends
 * (--vdev=vdpa_relay0,socket=PATH).
 */

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Give the device of a relay to another backend. The rings of its guest are stopped at the old
 * backend and go on at the new one where they stood; packets that come meanwhile wait in them.
 * Without a guest this only says where the next one is served.
 *
 * @param name
 *   Name of the device, as in --vdev.
 * @param path
 *   Unix socket at which the new backend listens. It must have the features that the guest has
 *   agreed on.
 * @return
 *   0; -EINVAL for a name that no relay has, or a path that is too long; -ENOTSUP if the backend
 *   lacks a feature; another negative number when there is no backend, or it does not take the
 *   device. The old one is asked to go on then.
 *
 * Threads: any. Takes as long as both backends need to answer, 2 s for each message at the most.
 */
int vdpa_relay_move(const char *name, const char *path);

#ifdef __cplusplus
}
#endif

#endif
