/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring_kick_enable() against a guest that publishes at the same moment: either the look that
 * follows sees the chain, or the guest sees that it has to kick. Never neither. Two real threads,
 * both ring formats, with and without event index; the guest is that of tests/harness.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "guest_packed.h"
#include "guest_split.h"
#include "kit.h"
#include "ring/ring.h"

#define ROUNDS 50000
#define RING_ENTRIES 8
#define PATIENCE_MS 60000

static struct guest_memory memory;
static struct guest_ring guest;
static struct gmem *mem;
static struct ring ring;
/* Chains the host has given back; the guest's next round starts when all are. */
static uint32_t served;
static uint32_t kicks;
static bool stop;

static void setup(enum ring_kind kind, bool event_idx)
{
	static const struct guest_region_spec spec = { .gpa = 0, .size_bytes = 1 << 20 };
	struct vring_addrs addrs;

	kit_capture_log();
	assert_int_equal(guest_memory_create(&memory, &spec, 1), 0);
	mem = kit_gmem(&memory);
	assert_int_equal(guest_ring_init(&guest, kind == RING_PACKED ? &guest_packed : &guest_split,
					 &memory, RING_ENTRIES), 0);
	guest.event_idx = event_idx;
	addrs.desc = guest_uva(&memory, guest.desc_gpa);
	addrs.avail = guest_uva(&memory, guest.avail_gpa);
	addrs.used = guest_uva(&memory, guest.used_gpa);
	memset(&ring, 0, sizeof(ring));
	ring.kind = kind;
	ring.size = RING_ENTRIES;
	ring.event_idx = event_idx;
	if (kind == RING_PACKED)
		vring_set_base(&ring, PACKED_WRAP, PACKED_WRAP);
	assert_int_equal(vring_attach(&ring, mem, NULL, &addrs), 0);
	__atomic_store_n(&served, 0, __ATOMIC_RELEASE);
	kicks = 0;
}

static void teardown(void)
{
	guest_ring_fini(&guest);
	gmem_put(mem);
	guest_memory_destroy(&memory);
}

static void spin(uint32_t turns)
{
	for (volatile uint32_t i = 0; i < turns; i++)
		;
}

/* One chain a round, as soon as the last one came back or a little later. */
static void *guest_thread(void *arg)
{
	const struct guest_seg seg = { .gpa = 0x80000, .len_bytes = 64 };
	uint32_t random = 1;

	(void)arg;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct guest_used used;
		void *cookie;

		for (unsigned int i = 1; __atomic_load_n(&served, __ATOMIC_ACQUIRE) != round; i++) {
			if (i % 4096 == 0)
				usleep(10); /* the host may need this CPU */
			if (__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
				return NULL;
		}
		random = random * 1664525u + 1013904223u;
		spin(random >> 25);
		while (guest_ring_poll(&guest, &used, &cookie))
			;
		if (guest_ring_post(&guest, &seg, 1, NULL) < 0)
			abort();
		kicks += guest_ring_kick(&guest);
	}
	return NULL;
}

static void serve(enum ring_kind kind)
{
	struct span_pool pool;
	struct chain chain;

	pool.used = 0;
	if (ring_fetch(kind, &ring, CHAIN_READABLE, &pool, &chain) != FETCH_OK)
		abort();
	ring_used_push(kind, &ring, CHAIN_READABLE, &chain.used, 1);
	ring_publish(kind, &ring);
	__atomic_store_n(&served, served + 1, __ATOMIC_RELEASE);
}

/* The host: serves what waits, asks for kicks, looks once more, sleeps. False: lost. */
static bool host(enum ring_kind kind)
{
	struct pollfd kick = { .fd = guest.kickfd, .events = POLLIN };
	uint64_t count;

	while (served < ROUNDS) {
		while (served < ROUNDS && ring_waits(kind, &ring))
			serve(kind);
		if (served == ROUNDS)
			return true;
		spin(kit_random_below(600));
		ring_kick_enable(kind, &ring, true);
		if (ring_waits(kind, &ring)) {
			ring_kick_enable(kind, &ring, false);
			continue;
		}
		if (poll(&kick, 1, PATIENCE_MS) != 1)
			return false;
		assert_int_equal(read(guest.kickfd, &count, sizeof(count)), sizeof(count));
		ring_kick_enable(kind, &ring, false);
	}
	return true;
}

static void race(enum ring_kind kind, bool event_idx)
{
	pthread_t thread;
	bool lost;

	setup(kind, event_idx);
	kit_seed(1);
	assert_int_equal(pthread_create(&thread, NULL, guest_thread, NULL), 0);
	lost = !host(kind);
	__atomic_store_n(&stop, lost, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(thread, NULL), 0);
	__atomic_store_n(&stop, false, __ATOMIC_RELEASE);
	if (lost)
		fail_msg("chain %u waits, and nobody kicked", served);
	/* Else the host never slept, and there was no race. */
	assert_int_not_equal(kicks, 0);
	teardown();
}

static void split_by_flags(void **state)
{
	(void)state;
	race(RING_SPLIT, false);
}

static void split_by_event_index(void **state)
{
	(void)state;
	race(RING_SPLIT, true);
}

static void packed_by_flags(void **state)
{
	(void)state;
	race(RING_PACKED, false);
}

static void packed_by_event_index(void **state)
{
	(void)state;
	race(RING_PACKED, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_by_flags),
		cmocka_unit_test(split_by_event_index),
		cmocka_unit_test(packed_by_flags),
		cmocka_unit_test(packed_by_event_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
