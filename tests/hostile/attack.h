/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two outcomes that a hostile ring may have, as checks: a bad chain goes
 * back empty and counted and the next packet is served; a broken ring stops
 * its queue, signals its err eventfd, and only that. For the programs that
 * attack rings; needs tap.h, so include it from one file of a program.
 */
#ifndef HOSTILE_ATTACK_H
#define HOSTILE_ATTACK_H

#include <pthread.h>
#include <sched.h>

#include <rte_debug.h>

#include "packets.h"
#include "rig.h"
#include "tap.h"

#define HDR GUEST_NET_HDR_BYTES
#define RING_SIZE 64

/* Two regions that follow each other in guest addresses, and one after a gap. */
#define BORDER (4ull << 20)
#define END (6ull << 20) /* of the second; nothing follows */
#define ISLAND (16ull << 20)
static const struct guest_region_spec attack_regions[] = {
	{ .gpa = 0, .size_bytes = BORDER, .mmap_offset_bytes = 4096 },
	{ .gpa = BORDER, .size_bytes = END - BORDER },
	{ .gpa = ISLAND, .size_bytes = 1u << 20 },
};

static inline void attack_up(uint64_t features, uint64_t driver_flags, uint16_t ring_size)
{
	rig_up(features, driver_flags, attack_regions, RTE_DIM(attack_regions), ring_size);
	rig.flow.fe.use_ack = true;
}

/* The end of every test: the neighbour noticed nothing, nothing is left behind. */
static inline void attack_down(void)
{
	CHECK(bystander_unharmed());
	rig_down();
	CHECK(rig_nothing_left());
}

static inline uint16_t queue_of(const struct guest_ring *vq)
{
	return vq == rig.tx;
}

/* Flags of a descriptor that the device may use, by the queue's direction. */
static inline uint16_t usable(const struct guest_ring *vq)
{
	return vq == rig.rx ? GUEST_DESC_WRITE : 0;
}

/* What the host does with a queue: take what there is, or bring a packet. */
static inline unsigned int serve(const struct guest_ring *vq)
{
	return vq == rig.tx ? rig_drop_all() : rig_enqueue(1, 100);
}

static inline bool serves(const struct guest_ring *vq)
{
	return vq == rig.tx ? rig_serves_tx() : rig_serves_rx();
}

/* The chain at `head` is bad, the ring is not. */
static inline void expect_bad_chain(struct guest_ring *vq, uint16_t head, const char *counter)
{
	uint16_t q = queue_of(vq);
	uint64_t counted = rig_counter(q, counter), dropped = rig_dropped(q);
	struct rig_range used_ring = rig_used_range(vq);
	struct guest_used used = { 0 };

	(void)rig_used(vq, NULL);
	rig_offer(vq, head);
	rig_picture();
	CHECK_EQ(serve(vq), 0);
	CHECK_EQ(rig_used(vq, &used), 1);
	CHECK_EQ(used.id, head);
	CHECK_EQ(used.len_bytes, 0);
	CHECK_EQ(rig_counter(q, counter), counted + 1);
	CHECK_EQ(rig_dropped(q), dropped + 1);
	CHECK(rig_only_changed(&used_ring, 1));
	CHECK_EQ(guest_ring_errors(vq), 0);
	CHECK(serves(vq));
}

/* What was offered breaks the ring. Ends with a working one. */
static inline void expect_broken(struct guest_ring *vq, const char *counter)
{
	struct guest_ring *other = vq == rig.tx ? rig.rx : rig.tx;
	uint16_t q = queue_of(vq);
	uint64_t counted = rig_counter(q, counter);

	(void)rig_used(vq, NULL);
	rig_picture();
	CHECK_EQ(serve(vq), 0);
	CHECK_EQ(rig_used(vq, NULL), 0);
	CHECK(rig_only_changed(NULL, 0));
	CHECK_EQ(rig_counter(q, counter), counted + 1);
	CHECK_EQ(guest_ring_errors(vq), 1);
	/* Stopped means stopped: nothing is looked at, nothing said twice. */
	CHECK_EQ(serve(vq), 0);
	CHECK_EQ(rig_counter(q, counter), counted + 1);
	CHECK_EQ(guest_ring_errors(vq), 0);
	CHECK(rig_only_changed(NULL, 0));
	/* Not even when the guest repairs it: that takes a reset. */
	rig_repair(vq);
	CHECK_EQ(serve(vq), 0);
	CHECK_EQ(rte_vhost_avail_entries(rig.flow.vid, q), 0);
	CHECK(rte_vhost_vring_call(rig.flow.vid, q) < 0);
	CHECK(serves(other));
	CHECK_EQ(guest_ring_errors(other), 0);
	CHECK_EQ(rig_restart(q), 0);
	CHECK(serves(vq));
}

/* Entry `i` of an indirect table anywhere in guest memory. */
static inline void indirect(uint64_t table_gpa, unsigned int i, uint64_t gpa, uint32_t len,
			    uint16_t flags, uint16_t next)
{
	const struct guest_desc d = { .gpa = gpa, .len_bytes = len, .flags = flags, .next = next };
	/* The id is nobody's business, nor is NEXT: entries follow one another. */
	const struct guest_packed_desc p = {
		.gpa = gpa, .len_bytes = len, .id = 0xbad1, .flags = flags,
	};

	guest_write(&rig.flow.fe.mem, table_gpa + i * sizeof(d),
		    flow_packed ? (const void *)&p : (const void *)&d, sizeof(d));
}

#define DESC_BYTES ((uint32_t)sizeof(struct guest_desc))

/* A header of zeros and a pattern at gpa, which may lie across regions. */
static inline void put_packet(uint64_t gpa, uint32_t seed, uint32_t data_bytes)
{
	uint8_t data[4096];

	CHECK(data_bytes <= sizeof(data));
	guest_pattern(seed, data, data_bytes);
	guest_fill(&rig.flow.fe.mem, gpa, 0, HDR);
	guest_write(&rig.flow.fe.mem, gpa + HDR, data, data_bytes);
}

/* The chain at `head` is good after all: one packet, and the used ring is all that changes. */
static inline void expect_packet(uint16_t head, uint32_t seed, uint32_t data_bytes)
{
	struct rig_range used_ring = rig_used_range(rig.tx);
	struct rte_mbuf *pkts[BURST];
	struct guest_used used = { 0 };
	unsigned int n;
	bool right;

	(void)rig_used(rig.tx, NULL);
	rig_offer(rig.tx, head);
	rig_picture();
	n = rig_dequeue(pkts, BURST);
	right = n == 1 && packet_is_pattern(pkts[0], seed, data_bytes);
	if (n != 0)
		rte_pktmbuf_free_bulk(pkts, n);
	CHECK_EQ(n, 1);
	CHECK(right);
	CHECK_EQ(rig_used(rig.tx, &used), 1);
	CHECK_EQ(used.id, head);
	CHECK_EQ(used.len_bytes, 0);
	CHECK(rig_only_changed(&used_ring, 1));
}

/* A thread that may use the whole machine, not just the core that EAL bound us to. */
static inline pthread_t attack_thread(void *(*run)(void *arg))
{
	pthread_t thread;
	cpu_set_t all;

	CPU_ZERO(&all);
	for (int i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &all);
	CHECK_EQ(pthread_create(&thread, NULL, run, NULL), 0);
	(void)pthread_setaffinity_np(thread, sizeof(all), &all);
	return thread;
}

struct attack_test {
	struct tap_test test;
	bool not_packed; /* about what only a split ring has */
};

#define ATTACK(name, run) { { name, run }, false }
#define SPLIT_ATTACK(name, run) { { name, run }, true }

/* `program [packed] [part of a test's name]` */
static inline int attack_main(int argc, char **argv, const struct attack_test *tests,
			      unsigned int nr_tests)
{
	bool packed = argc > 1 && strcmp(argv[1], "packed") == 0;
	struct tap_test chosen[64];
	unsigned int n = 0;
	int rc;

	RTE_VERIFY(nr_tests <= RTE_DIM(chosen));
	for (unsigned int i = 0; i < nr_tests; i++)
		if (!packed || !tests[i].not_packed)
			chosen[n++] = tests[i].test;
	tap_begin();
	rig_init(argv[0], packed);
	rc = tap_run(chosen, n, argc > 1 + packed ? argv[1 + packed] : NULL, rig_before, rig_down);
	rig_fini();
	return rc;
}

#endif
