/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The builds of bursts.c, by ring format.
 */
#ifndef VHOST_NG_BURSTS_H
#define VHOST_NG_BURSTS_H

#include "net.h"

extern const struct net_bursts net_bursts_base[RING_KINDS];
#ifdef ISA_X86
extern const struct net_bursts net_bursts_avx2[RING_KINDS];
extern const struct net_bursts net_bursts_avx512[RING_KINDS];
#endif

#endif
