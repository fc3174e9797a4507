/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a stopped network device knows that its frontend does not carry itself,
 * as bytes, for its next backend. The format is docs/device-state.md.
 */
#ifndef VHOST_NG_STATE_H
#define VHOST_NG_STATE_H

#include "device.h"

#define STATE_VERSION 1

/* Little endian; what is reserved is 0. */
struct state_head {
	uint8_t magic[8];
	uint16_t version;
	uint16_t nr_queues;
	uint32_t size_bytes; /* of all of it */
	uint64_t features;   /* that the guest agreed to */
	uint8_t rarp_address[6];
	uint16_t mtu_bytes; /* 0: none */
	uint32_t flags;     /* STATE_F_* */
	uint32_t reserved;
};

#define STATE_MAGIC "vhng-net"
#define STATE_F_RARP 1u /* a RARP packet for rarp_address waits to be sent */

struct state_queue {
	uint16_t avail; /* positions, as GET_VRING_BASE has them */
	uint16_t used;
	uint32_t flags; /* STATE_QUEUE_F_* */
};

#define STATE_QUEUE_F_POSITION 1u /* somebody said where it is, or it has run */

_Static_assert(sizeof(struct state_head) == 40, "as documented");
_Static_assert(sizeof(struct state_queue) == 8, "as documented");

#define STATE_BYTES_MAX (sizeof(struct state_head) + DEVICE_VQS_MAX * sizeof(struct state_queue))

/* Both: device.lock, all queues stopped. */

/* Writes at most STATE_BYTES_MAX; how many. */
uint32_t state_save(const struct device *dev, uint8_t *to);
/* All of it or nothing: 0 or -errno, with a log line that says why. */
int state_load(struct device *dev, const uint8_t *from, size_t len_bytes);

#endif
