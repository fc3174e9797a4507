/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every program of the bench needs of the host and of its frontend, whatever the device: EAL,
 * a socket, a device that becomes ready, one mapping for both sides. Public API only, so the
 * library under test is whichever the dynamic linker finds. Nothing is untrusted; whatever does not
 * go as expected ends the process with a message.
 */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <stdint.h>

#include "frontend.h"

void bench_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Which file a function of the library comes from. */
const char *bench_library(const char *function);

/* `lcores` as EAL's -l has it; `vdev`, if not NULL, as --vdev has it. */
void host_start(const char *program, const char *lcores, const char *vdev);
const char *host_socket_path(void);
/* Registers the driver; whoever calls it starts it. */
void host_register(uint64_t flags);
/* What new_device() shall do besides, before host_register(). */
extern int (*host_on_new_device)(int vid);
/* Brings the frontend up; the vid of its device. All of config->features are insisted on. */
int host_connect(struct frontend *fe, const struct fe_config *config);
/*
 * From now on the guest works through the library's own mapping: two mappings of a page cost TLB
 * entries, and mislead the way predictor of some first-level caches, which no real guest would see.
 * `own_view` keeps the frontend's, for host_stop().
 */
void host_share_mapping(struct frontend *fe, int vid, uint8_t *own_view[GUEST_MAX_REGIONS]);
/* Polling on both sides: no eventfd in the picture. */
void host_poll_only(struct frontend *fe, int vid);
/* The frontend goes, then the device and the driver. EAL is still there. */
void host_disconnect(struct frontend *fe, uint8_t *own_view[GUEST_MAX_REGIONS]);
void host_stop(void);

#endif
