/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tap interface whose packets have a virtio header in front of them, as guests send and take
 * them. Each of its queues is a descriptor.
 */
#ifndef VHOST_NG_TAP_H
#define VHOST_NG_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <net/if.h>

struct tap {
	char name[IFNAMSIZ]; /* "tap%d": the next that is free, until the first queue is open */
	bool multi_queue;
	uint64_t rx_offloads; /* of virtio features (GUEST_*), those that it can leave to the guest */
	uint64_t tx_offloads; /* and those (HOST_*, CSUM) that it does for the guest */
	uint64_t left_to_guest; /* what is in force */
};

/* Opens a queue. Returns its descriptor or -errno, with the reason and what to do said. */
int tap_open_queue(struct tap *tap);
/*
 * Of several queues: packets come to it, or not; the only one always has them. If the interface was
 * deleted, one that is to be used gets one of that name again. 0 or -errno.
 */
int tap_use_queue(struct tap *tap, int fd, bool on);
/*
 * What a guest has agreed on: what its headers are, and what may be in packets for it. Those that
 * wait in the queue for a guest that could do more are dropped. 0 or -errno.
 */
int tap_set_features(struct tap *tap, int fd, uint64_t features);

/*
 * Tells the network that a card of this address is here now: a RARP frame, as from the guest. The
 * descriptor is that of a queue in use, `features` are the guest's. 0 or -errno.
 */
int tap_announce(int fd, uint64_t features, const uint8_t mac[6]);

#endif
