/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef _VDPA_RELAY_H_
#define _VDPA_RELAY_H_

/**
 * @file
 * Control of relays: vDPA devices that are other vhost-user backends
 * (--vdev=vdpa_relay0,socket=PATH).
 *
 * A guest is offered what the backend had that listened at PATH when the device was made: queues,
 * features, among them VHOST_F_LOG_ALL, so that the guest can be migrated, if it has that and the
 * protocol feature LOG_SHMFD, and more than 8 memory regions if it has CONFIGURE_MEM_SLOTS.
 *
 * When a backend dies the device goes on at the next one that listens there. The relay keeps what
 * that one needs to know of the rings, if both have INFLIGHT_SHMFD; without it split rings go on
 * from what they say themselves, and packed ones wait until the guest starts its device anew.
 */

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Give the device of a relay to another backend. The rings of its guest are stopped at the old
 * backend and go on at the new one where they stood; packets that come meanwhile wait in them, and
 * a migration under way goes on. One that died gives nothing back, and the new one goes on as after
 * any crash. Without a guest this only says where the next one is served.
 *
 * @param name
 *   Name of the device, as in --vdev.
 * @param path
 *   Unix socket at which the new backend listens. It must have the features that the guest has
 *   agreed on, and VHOST_F_LOG_ALL and LOG_SHMFD if the guest's frontend knows of logs.
 * @return
 *   0; -EINVAL for a name that no relay has, or a path that is too long; -ENOTSUP if the backend
 *   lacks a feature, -E2BIG if it takes fewer memory regions than the guest has; another negative
 *   number when there is no backend, or it does not take the device. The log says which. Before the
 *   old one has given anything back it does not notice; after that it is asked to go on.
 *
 * Threads: any. Takes as long as both backends need to answer, at the most 2 s for the old one and
 * 10 s for the new one; it is given up before (-ECANCELED) when the guest's frontend has something to
 * say that must not wait.
 */
int vdpa_relay_move(const char *name, const char *path);

#ifdef __cplusplus
}
#endif

#endif
