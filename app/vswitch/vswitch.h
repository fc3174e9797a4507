/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The words every file of the switch shares: limits, the configuration the
 * command line produced, ports and their counters. Included by all of
 * app/vswitch; nothing here comes from a guest.
 */
#ifndef VSWITCH_H
#define VSWITCH_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>
#include <rte_spinlock.h>

#define VSW_NAME "vhost-ng-switch"

enum {
	VSW_MAX_ENDPOINTS = 64,  /* --port options */
	VSW_MAX_PORTS = 128,     /* endpoints' frontends and uplinks together */
	VSW_MAX_WORKERS = 16,
	VSW_MAX_QUEUE_PAIRS = 16,
	VSW_BURST = 32,          /* what one vhost burst carries at most */
	VSW_NAME_BYTES = 32,
	VSW_PATH_BYTES = 108,    /* sizeof(sun_path) */
};

/* One --port option: a socket, on which one or more frontends appear. */
struct endpoint {
	char path[VSW_PATH_BYTES];
	char name[VSW_NAME_BYTES];
	uint64_t register_flags;    /* RTE_VHOST_USER_* */
	uint64_t features_off;      /* virtio feature bits not offered */
	uint16_t queue_pairs;       /* served at most */
	uint32_t max_macs;          /* addresses learned at most, 0: no limit */
	int socket_mode;            /* -1: leave as created */
	bool registered;
};

/* What a worker does that found nothing for a while. */
enum poll_mode { POLL_ADAPTIVE, POLL_BUSY, POLL_INTERRUPT };

struct config {
	struct endpoint endpoints[VSW_MAX_ENDPOINTS];
	unsigned int n_endpoints;
	const char *uplinks[VSW_MAX_ENDPOINTS];
	unsigned int n_uplinks;
	unsigned int n_workers;
	unsigned int age_seconds;
	unsigned int fdb_slots;
	unsigned int mbufs;
	unsigned int interval_seconds;
	bool hugepages;
	enum poll_mode poll;
	bool plain;
	bool verbose;
	int eal_argc;               /* what followed `--` */
	char **eal_argv;
};

/* Why a frame was not delivered. The words are in drop_name(). */
enum drop_reason {
	DROP_RUNT,          /* shorter than an Ethernet header, or multicast source */
	DROP_SAME_PORT,     /* destination is where it came from */
	DROP_RESERVED,      /* 01:80:c2:00:00:0x, which bridges do not forward */
	DROP_NO_PORT,       /* nobody else is there to receive it */
	DROP_RING_FULL,     /* the receiver has no room */
	DROP_TOO_BIG,       /* longer than the receiver's MTU */
	DROP_NO_MBUF,       /* the pool is empty */
	DROP_OFFLOAD,       /* headers too odd to segment or checksum for the receiver */
	DROP_REASONS,
};

/* Counted per worker, so that each has one writer; readers add them up. */
struct port_counters {
	uint64_t in_packets;
	uint64_t in_bytes;
	uint64_t out_packets;
	uint64_t out_bytes;
	uint64_t drops[DROP_REASONS];
} __rte_cache_aligned;

enum port_kind { PORT_FREE, PORT_VHOST, PORT_ETH };
enum port_state { STATE_LISTENING, STATE_CONNECTING, STATE_CONNECTED, STATE_UP, STATE_DOWN };

/*
 * A port. Workers may use it while `up` is true and they have not passed a
 * quiescent state since they saw it so; port_down() returns after that.
 */
struct port {
	atomic_bool up;
	enum port_kind kind;
	uint16_t slot;                  /* its index, which the FDB stores */
	uint16_t n_queues;              /* pairs it may use */
	uint16_t eth_tx_queues;
	uint16_t eth_port_id;
	uint32_t max_frame_bytes;       /* 0: no limit of its own */
	atomic_int vid;                 /* vhost device, -1: none */
	bool eth_multi_segs;            /* takes chained mbufs */
	atomic_uint takes;              /* OFFLOAD_* the receiver does itself */
	atomic_uint n_macs;             /* addresses learned here */
	uint32_t max_macs;
	/* Per queue pair. to_port/from_port as seen from the switch. */
	atomic_uchar to_port_enabled[VSW_MAX_QUEUE_PAIRS];
	atomic_uchar from_port_enabled[VSW_MAX_QUEUE_PAIRS];
	atomic_bool kicks_off[VSW_MAX_QUEUE_PAIRS];
	atomic_int kick_watch[VSW_MAX_QUEUE_PAIRS]; /* of wakeup_watch(), -1: cannot sleep on it */
	rte_spinlock_t tx_lock[VSW_MAX_QUEUE_PAIRS];
	struct port_counters counters[VSW_MAX_WORKERS];

	/* Control plane only, under ports_lock(). */
	char name[VSW_NAME_BYTES];
	struct endpoint *endpoint;
	unsigned int instance;          /* 1 for an endpoint's first frontend */
	_Atomic enum port_state state;
	_Atomic uint64_t features;
	unsigned int announced_pairs;
};

/* Filled by main() before the workers start, read-only from then on. */
struct vswitch {
	struct config config;
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *qsbr;
	unsigned int n_workers;
	atomic_bool stop_workers;
	uint64_t start_tsc;
};

extern struct vswitch vsw;

#define COUNTER_ADD(counter, n) \
	__atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)
#define COUNTER_READ(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

#endif
