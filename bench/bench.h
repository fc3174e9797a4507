/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared state of bench_burst: one process, one device, one thread that is both the host
 * application (public API only) and the guest driver. The bench owns both sides, so nothing here is
 * untrusted; whatever does not go as expected ends the process with a message.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "frontend.h"
#include "guest_net.h"
#include "host.h"
#include "rounds.h"

#define BENCH_MAX_BURST 256
#define BENCH_MAX_SIZES 16
#define BENCH_HDR_BYTES GUEST_NET_HDR_BYTES /* VERSION_1 is always negotiated */
#define BENCH_MAX_PACKET_BYTES 65000

enum bench_layout {
	LAYOUT_ONE,	 /* header and data in one descriptor */
	LAYOUT_TWO,	 /* a descriptor each */
	LAYOUT_INDIRECT, /* both in an indirect table */
};

enum bench_offload {
	OFFLOAD_NONE,
	OFFLOAD_NEGOTIATED, /* the guest could ask for it and does not */
	OFFLOAD_CSUM,
	OFFLOAD_TSO,
};

/* Who copies. */
enum bench_engine {
	ENGINE_NONE, /* the core that calls */
	ENGINE_HELPER, /* another one */
	ENGINE_DMA, /* dma_skeleton */
};

/* H2G is rte_vhost_enqueue_burst(), G2H is rte_vhost_dequeue_burst(). */
enum bench_direction { H2G, G2H };

struct bench_options {
	unsigned sizes_bytes[BENCH_MAX_SIZES];
	unsigned nr_sizes;
	bool run[2]; /* by direction */
	bool empty;  /* time calls that find nothing to do */
	bool mergeable;
	enum bench_layout layout;
	enum bench_offload offload;
	bool packed;
	bool floor; /* time the floor as well */
	bool stats;
	bool event_idx;
	bool in_order;
	bool inflight; /* the frontend keeps in-flight areas */
	enum bench_engine engine;
	unsigned burst;
	unsigned ring_size;
	unsigned regions;
	unsigned buffers_mib; /* 0: 256 buffers, hot */
	unsigned data_room_bytes;
	unsigned rounds;     /* clean ones wanted */
	unsigned max_rounds; /* attempts at most */
	unsigned core;
	bool cross; /* the guest runs on guest_core, at the same time */
	unsigned guest_core; /* or the core that helps */
	double quiet_ticks; /* 0: measure it here */
	bool calibrate;	    /* only print it */
	const char *label;
};

/* A guest buffer of buffer_bytes; stride_bytes apart, so that sets of the caches fill evenly. */
struct bench_buffer {
	uint64_t gpa;
	uint8_t *at;
};

/* The hand-written loop that may stand in for the library. */
struct bench_floor {
	bool on;
	struct guest_ring vq;
	uint16_t next; /* where it is in the ring, and its wrap counter */
	bool wrap;
	uint64_t calls; /* that the guest would have got */
};

struct bench {
	struct bench_options opts;
	struct bench_floor floor;
	struct frontend fe;
	int vid;
	struct rte_mempool *pool;
	struct rte_vhost_async_channel_ops *ops; /* of the engine */
	uint8_t *own_view[GUEST_MAX_REGIONS]; /* the frontend's mappings, for clean-up */
	uint64_t mem_mark[GUEST_MAX_REGIONS]; /* regions are free from here on */

	/* The cell being measured. */
	enum bench_direction dir;
	uint32_t pkt_bytes;
	struct guest_ring *vq;
	uint16_t queue;
	uint32_t buffer_bytes;
	uint32_t stride_bytes;
	unsigned nr_buffers;
	unsigned next_buffer; /* used round and round */
	struct bench_buffer *buffers;
	uint64_t packets; /* all that went through, timed or not */
};

/* setup.c: EAL, the driver, the connection. */
void bench_start(struct bench *b, const char *program);
void bench_stop(struct bench *b);

/* One burst in the cell's direction by the library, or by the floor while that is on. */
static inline unsigned bench_burst(struct bench *b, struct rte_mbuf **pkts, unsigned n);

/* floor.c: can it do this cell, and its burst. */
bool floor_can(const struct bench *b, uint32_t pkt_bytes);
void floor_init(struct bench *b); /* its ring, for good */
void floor_begin(struct bench *b);
void floor_end(struct bench *b);
unsigned floor_burst(struct bench *b, struct rte_mbuf **pkts, unsigned n);

#ifdef BENCH_ENGINES
/* async.c: both queues have the engine. */
void async_start(struct bench *b);
void async_stop(struct bench *b);
/*
 * One burst, all copied in the end; ticks of the calls alone, but for what the timer costs if one
 * section is timed.
 */
unsigned async_burst(struct bench *b, struct rte_mbuf **pkts, unsigned n, double cost,
		     uint64_t *ticks);
#else /* bench_burst, which also runs on a library that has none */
static inline void
async_start(struct bench *b)
{
	(void)b;
	bench_die("--engine is for bench_engines");
}

static inline void
async_stop(struct bench *b)
{
	(void)b;
}

static inline unsigned
async_burst(struct bench *b, struct rte_mbuf **pkts, unsigned n, double cost, uint64_t *ticks)
{
	(void)b;
	(void)pkts;
	(void)n;
	(void)cost;
	*ticks = 0;
	return 0;
}
#endif

/* guest.c: the guest driver's share. */
void cell_begin(struct bench *b, enum bench_direction dir, uint32_t pkt_bytes);
void cell_end(struct bench *b);
/* Posts buffers until `max` are posted or the ring is full; returns how many. */
unsigned guest_post(struct bench *b, unsigned max);
/* Same for one G2H packet of its own length. */
void guest_post_packet(struct bench *b, struct bench_buffer *buf, uint32_t pkt_bytes);
/* Takes back all used buffers and returns how many. */
unsigned guest_reap(struct bench *b);
/* G2H: header and payload into every buffer, once. */
void guest_fill_packets(struct bench *b);
unsigned buffers_per_packet(const struct bench *b, uint32_t pkt_bytes);

/* cross.c: the guest as a thread that spins on another core while bursts are timed. */
struct cross_guest;
/* The first core that this process may use besides `core` and its sibling threads; dies if none. */
unsigned cross_core(unsigned core);
/* The guest serves the cell until cross_end(); if idle, it only keeps its core busy. */
struct cross_guest *cross_begin(const struct bench *b, bool idle);
/* The ring is the caller's again; what is used is reaped. */
void cross_end(struct bench *b, struct cross_guest *guest);
/* Dies unless this is a packet as both sides send them meanwhile, by its length and its end. */
void cross_check(const struct bench *b, const uint8_t *data, uint32_t len_bytes);

/* packet.c: what the packets look like. */
void packet_make(const struct bench *b, uint32_t seed, uint8_t *data, uint32_t len_bytes);
/* What G2H headers say. */
struct guest_net_hdr packet_guest_header(const struct bench *b);
/* Sets the mbuf's offload fields as an application would (H2G). */
void packet_mbuf_offload(const struct bench *b, struct rte_mbuf *m);
/* A fresh mbuf chain with the packet; segments of at most seg_bytes (0: as large as they go). */
struct rte_mbuf *packet_mbuf(struct bench *b, uint32_t seed, uint32_t len_bytes,
			     uint32_t seg_bytes);
/* Equal but for checksum fields the library may fill in. */
bool packet_equal(const struct bench *b, const uint8_t *got, const uint8_t *want,
		  uint32_t len_bytes);
uint32_t packet_min_bytes(const struct bench *b);

/* verify.c: dies unless packets of random lengths and shapes come through intact. */
void cell_verify(struct bench *b, unsigned bursts);

/* measure.c */
struct bench_result {
	struct round_summary cycles; /* TSC cycles per packet, or per call when empty */
	unsigned clean, dropped; /* rounds */
	double fill;		 /* packets per burst, of those that moved any */
	uint64_t timed_packets;
};

void cell_measure(struct bench *b, struct bench_result *result);

static inline unsigned
bench_burst(struct bench *b, struct rte_mbuf **pkts, unsigned n)
{
	uint64_t ticks;

	if (b->opts.engine != ENGINE_NONE)
		return async_burst(b, pkts, n, 0, &ticks);
	if (b->floor.on)
		return floor_burst(b, pkts, n);
	if (b->dir == H2G)
		return rte_vhost_enqueue_burst(b->vid, b->queue, pkts, (uint16_t)n);
	return rte_vhost_dequeue_burst(b->vid, b->queue, b->pool, pkts, (uint16_t)n);
}

#endif
