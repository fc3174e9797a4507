/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Uplinks: every ethdev that EAL found becomes a port. Used by main() and the
 * statistics.
 */
#ifndef VSWITCH_PORT_ETH_H
#define VSWITCH_PORT_ETH_H

/* Configure and start all ethdevs. How many, or -1 with a message on stderr. */
int eth_ports_start(void);
/* Stop and close them; the workers must have stopped. */
void eth_ports_stop(void);
/* Note which links are up (call once a second). */
void eth_ports_check_links(void);

#endif
