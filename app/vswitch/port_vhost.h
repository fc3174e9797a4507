/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The vhost side: sockets, and the frontends that come and go on them. Used by
 * main() and the statistics.
 */
#ifndef VSWITCH_PORT_VHOST_H
#define VSWITCH_PORT_VHOST_H

#include <stddef.h>
#include <stdint.h>

#include "vswitch.h"

/* Open the socket of an endpoint and make its first port. 0, or -1 with a message on stderr. */
int vhost_endpoint_start(struct endpoint *endpoint);
/* Close it; the workers must have stopped. Removes a server's socket file. */
void vhost_endpoint_stop(struct endpoint *endpoint);

/* Queue pairs the guest has switched on. */
unsigned int vhost_active_pairs(const struct port *port);
/* Say so when guests switched queue pairs on or off (call once a second). */
void vhost_announce_pairs(void);
/* Feature bits in words, e.g. "mrg csum tso4". */
void vhost_feature_words(uint64_t features, char *text, size_t size);

#endif
