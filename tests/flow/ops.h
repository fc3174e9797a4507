/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose functions copier_ops.c registers: those of a scripted engine (ops_engine.c), or the ready
 * made ones for a helper core (ops_helper.c) or a DMA device (ops_dmadev.c). Each of them has
 * copier_init(), too.
 */
#ifndef FLOW_OPS_H
#define FLOW_OPS_H

#include <stdint.h>

#include <rte_vhost_async.h>

/* For this queue of a new device. */
struct rte_vhost_async_channel_ops *ops_of(uint16_t queue_id);

/* Packets so far, and those still to be copied when the call that started them had returned. */
extern uint64_t ops_packets, ops_in_flight;

#endif
