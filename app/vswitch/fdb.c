/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The forwarding database on rte_hash; see fdb.h.
 *
 * Lookups take no lock. Adding and deleting take one, and a worker that finds
 * it taken simply does not learn this time: the frame is flooded or the next
 * one teaches. So a worker never waits for the control plane, which may itself
 * be waiting for workers to pass a quiescent state.
 *
 * The table stores positions only; entries[] beside it says what is there. An
 * entry is FDB_NO_PORT before its key becomes visible and from the moment its
 * key is deleted, and a position is reused only after a grace period, so a
 * reader always sees a port that was right a moment ago, or none.
 */
#include "fdb.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_random.h>
#include <rte_spinlock.h>

#include "port.h"
#include "vswitch.h"

struct entry {
	atomic_ushort slot;
	atomic_uint seen_seconds;
};

static struct {
	struct rte_hash *hash;
	struct entry *entries;
	rte_spinlock_t write_lock;
	atomic_uint now_seconds;
	atomic_uint count; /* rte_hash_count() includes what still waits for a grace period */
	unsigned int age_seconds;
} fdb;

static unsigned int monotonic_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned int)ts.tv_sec;
}

int fdb_create(unsigned int slots, unsigned int age_seconds, struct rte_rcu_qsbr *qsbr)
{
	struct rte_hash_parameters params = {
		.name = "fdb",
		.entries = slots,
		.key_len = sizeof(fdb_key_t),
		.hash_func = rte_jhash,
		/* Guests choose the keys; they shall not choose the buckets. */
		.hash_func_init_val = (uint32_t)rte_rand(),
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct rte_hash_rcu_config rcu = { .v = qsbr, .mode = RTE_HASH_QSBR_MODE_DQ };
	int32_t last;

	fdb.hash = rte_hash_create(&params);
	if (fdb.hash == NULL)
		return -1;
	last = rte_hash_max_key_id(fdb.hash);
	if (last < 0 || rte_hash_rcu_qsbr_add(fdb.hash, &rcu) != 0)
		return -1;
	fdb.entries = calloc((size_t)last + 1, sizeof(*fdb.entries));
	if (fdb.entries == NULL)
		return -1;
	for (int32_t i = 0; i <= last; i++)
		atomic_init(&fdb.entries[i].slot, FDB_NO_PORT);
	rte_spinlock_init(&fdb.write_lock);
	fdb.age_seconds = age_seconds;
	atomic_store(&fdb.now_seconds, monotonic_seconds());
	return 0;
}

void fdb_destroy(void)
{
	rte_hash_free(fdb.hash);
	free(fdb.entries);
	memset(&fdb, 0, sizeof(fdb));
}

fdb_key_t fdb_key(const struct rte_ether_addr *addr, uint16_t vlan)
{
	fdb_key_t key = (fdb_key_t)vlan << 48;

	memcpy(&key, addr, sizeof(*addr)); /* the low six bytes on little endian */
	return key;
}

static void count_mac(uint16_t slot, int by)
{
	if (slot == FDB_NO_PORT)
		return;
	atomic_fetch_add(&port_at(slot)->n_macs, (unsigned int)by);
	atomic_fetch_add(&fdb.count, (unsigned int)by);
}

/* An address that is new, or was seen on another port before. */
static void learn(struct port *from, fdb_key_t key, unsigned int now)
{
	struct entry *entry;
	uint16_t old;
	int32_t pos;

	if (from->max_macs != 0 && atomic_load(&from->n_macs) >= from->max_macs)
		return;
	if (!rte_spinlock_trylock(&fdb.write_lock))
		return;
	pos = rte_hash_add_key(fdb.hash, &key);
	if (pos >= 0) {
		entry = &fdb.entries[pos];
		atomic_store_explicit(&entry->seen_seconds, now, memory_order_relaxed);
		old = atomic_exchange(&entry->slot, from->slot);
		if (old != from->slot) {
			count_mac(old, -1);
			count_mac(from->slot, 1);
		}
	}
	rte_spinlock_unlock(&fdb.write_lock);
}

void fdb_learn_and_lookup(struct port *from, const fdb_key_t *src, const fdb_key_t *dst,
			  unsigned int n, uint16_t *dst_slot)
{
	unsigned int now = atomic_load_explicit(&fdb.now_seconds, memory_order_relaxed);
	const void *keys[2 * FDB_BULK];
	int32_t pos[2 * FDB_BULK];
	struct entry *entry;

	for (unsigned int i = 0; i < n; i++) {
		keys[i] = &src[i];
		keys[n + i] = &dst[i];
	}
	rte_hash_lookup_bulk(fdb.hash, keys, 2 * n, pos);
	for (unsigned int i = 0; i < n; i++) {
		if (pos[i] < 0) {
			/* A burst is often one flow: teach it once. */
			if (i == 0 || src[i] != src[i - 1])
				learn(from, src[i], now);
			continue;
		}
		entry = &fdb.entries[pos[i]];
		if (atomic_load_explicit(&entry->slot, memory_order_relaxed) != from->slot)
			learn(from, src[i], now);
		else if (atomic_load_explicit(&entry->seen_seconds, memory_order_relaxed) != now)
			atomic_store_explicit(&entry->seen_seconds, now, memory_order_relaxed);
	}
	for (unsigned int i = 0; i < n; i++)
		dst_slot[i] = pos[n + i] < 0 ? (uint16_t)FDB_NO_PORT :
			      atomic_load_explicit(&fdb.entries[pos[n + i]].slot,
						   memory_order_relaxed);
}

/* Delete the entries of one port, or with FDB_NO_PORT those that are too old. */
static void forget(uint16_t slot)
{
	unsigned int now = atomic_load(&fdb.now_seconds);
	struct entry *entry;
	const void *key;
	uint32_t next = 0;
	uint16_t at;
	void *data;
	int32_t pos;

	rte_spinlock_lock(&fdb.write_lock);
	while ((pos = rte_hash_iterate(fdb.hash, &key, &data, &next)) >= 0) {
		entry = &fdb.entries[pos];
		at = atomic_load(&entry->slot);
		if (slot != FDB_NO_PORT ? at != slot :
		    now - atomic_load(&entry->seen_seconds) < fdb.age_seconds)
			continue;
		atomic_store(&entry->slot, FDB_NO_PORT);
		count_mac(at, -1);
		rte_hash_del_key(fdb.hash, key);
	}
	rte_spinlock_unlock(&fdb.write_lock);
}

void fdb_age(void)
{
	atomic_store(&fdb.now_seconds, monotonic_seconds());
	if (fdb.age_seconds != 0)
		forget(FDB_NO_PORT);
}

void fdb_flush_port(uint16_t slot)
{
	forget(slot);
}

unsigned int fdb_count(void)
{
	return atomic_load(&fdb.count);
}
