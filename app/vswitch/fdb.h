/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The forwarding database: which port an Ethernet address was last seen on.
 * Looked up and taught by workers, aged and flushed by the control plane.
 * Addresses come from guests, so what one port may teach is limited.
 */
#ifndef VSWITCH_FDB_H
#define VSWITCH_FDB_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_rcu_qsbr.h>

struct port;

enum { FDB_NO_PORT = UINT16_MAX, FDB_BULK = 32 };

/* An address within a VLAN, as one number: the table compares it in one go. */
typedef uint64_t fdb_key_t;

/*
 * Make the table.
 * @param slots        addresses it holds at most
 * @param age_seconds  an address not seen for so long is forgotten
 * @param qsbr         workers report quiescent states here
 * @return 0, or -1 when there is not enough memory
 */
int fdb_create(unsigned int slots, unsigned int age_seconds, struct rte_rcu_qsbr *qsbr);
void fdb_destroy(void);

/* The key of an address, with the VLAN of the frame (0 when untagged). */
fdb_key_t fdb_key(const struct rte_ether_addr *addr, uint16_t vlan);

/*
 * For n <= FDB_BULK frames that came in on `from`: remember the sources, then
 * put into dst_slot[] the port slot of each destination or FDB_NO_PORT.
 */
void fdb_learn_and_lookup(struct port *from, const fdb_key_t *src, const fdb_key_t *dst,
			  unsigned int n, uint16_t *dst_slot);

/* Forget what is too old (call once a second) and set the clock workers read. */
void fdb_age(void);
/* Forget every address of a port. The workers must be past using the port. */
void fdb_flush_port(uint16_t slot);
unsigned int fdb_count(void);

#endif
