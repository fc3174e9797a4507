/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The builds of bursts.c, by ring format: without a channel, and with one.
 */
#ifndef VHOST_NG_BURSTS_H
#define VHOST_NG_BURSTS_H

#include "net.h"

extern const struct net_bursts net_bursts_base[RING_KINDS][2];
#ifdef ISA_X86
extern const struct net_bursts net_bursts_avx2[RING_KINDS][2];
extern const struct net_bursts net_bursts_avx512[RING_KINDS][2];
#endif

#endif
