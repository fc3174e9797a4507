/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A second, innocent device in the process that is attacked: a thread that is
 * its guest, its frontend and its data path at once and sends packets round and
 * round. Used by the hostile tests and the stress. Every packet must come back
 * with its content, and the round trips must not pause.
 */
#ifndef HOSTILE_BYSTANDER_H
#define HOSTILE_BYSTANDER_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the thread; aborts when the device does not come up. EAL runs. */
void bystander_start(void);
void bystander_stop(void);

struct bystander_report {
	uint64_t round_trips;
	uint64_t lost;	       /* gone, or with other content */
	uint64_t longest_us;   /* between two round trips of data */
	uint64_t longest_control_us; /* of a message and its answer */
	uint64_t callbacks;    /* to the application about this device */
};

/* What happened since the last call; waits until there was some of everything. */
struct bystander_report bystander_report(void);

/*
 * A pause of data or control up to this long is the machine's, not ours. What
 * this is about, a loop or a thread that waits for a peer, never ends.
 */
#define BYSTANDER_PATIENCE_US 15000000
/* Says on standard error what is wrong. */
bool bystander_unharmed(void);

#endif
