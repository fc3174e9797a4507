/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rte_vdpa_relay_vring_used(): used entries come from a driver's ring to the guest's, past the dirty
 * log. The test is the device: it writes buffers, and entries into a ring of its own.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_vdpa.h"
#include "flow_main.h"
#include "guest_log.h"

#define RING_SIZE 8
#define BUFFER_BYTES 8192

static const struct fe_config one_pair = {
	.features = FE_F_VERSION_1 | FE_F_INDIRECT_DESC | FE_F_EVENT_IDX | FE_F_LOG_ALL,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
			     1u << FE_PROTOCOL_F_LOG_SHMFD,
	.nr_pairs = 1,
	.ring_size = RING_SIZE,
};

static const char *path;
static struct frontend fe;
static struct guest_log guest_log;
static struct guest_ring *vq;
static struct vring device; /* the driver's ring */
static void *device_memory;
static uint64_t buffers[RING_SIZE];

static void
setup(void)
{
	rec_reset();
	fake_vdpa_reset();
	fe_init(&fe);
	fake_vdpa_plug();
	flow_start_driver = fake_vdpa_start;
	path = flow_serve(0);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, &one_pair), 0);
	CHECK_EQ(guest_log_create(&guest_log, 64u << 20, 0), 0);
	CHECK_EQ(guest_log_start(&guest_log, &fe), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	vq = &fe.vqs[0];
	device_memory = aligned_alloc(4096, 4 * 4096);
	memset(device_memory, 0, 4 * 4096);
	vring_init(&device, RING_SIZE, device_memory, 4096);
	for (unsigned i = 0; i < RING_SIZE; i++)
		buffers[i] = guest_alloc(&fe.mem, BUFFER_BYTES, 4096);
}

static bool
is_forgotten(void *arg)
{
	(void)arg;
	return strstr(rec_text(), "cleanup") != NULL;
}

static void
teardown(void)
{
	fe_close(&fe);
	flow_wait_until(is_forgotten, NULL, 5000);
	flow_unserve(path);
	fake_vdpa_unplug();
	flow_start_driver = rte_vhost_driver_start;
	guest_log_destroy(&guest_log);
	free(device_memory);
	flow_teardown();
}

/* A buffer of two pages, one to read and one to write. Returns its id. */
static uint16_t
post(unsigned i)
{
	const struct guest_seg segs[] = {
		{.gpa = buffers[i], .len_bytes = 4096},
		{.gpa = buffers[i] + 4096, .len_bytes = 4096, .flags = GUEST_DESC_WRITE},
	};
	int id = guest_ring_post(vq, segs, RTE_DIM(segs), NULL);

	CHECK(id >= 0);
	return (uint16_t)id;
}

/* The device is done with a chain. */
static void
use(uint32_t id, uint32_t len_bytes)
{
	struct vring_used *used = device.used;

	used->ring[used->idx % RING_SIZE] = (struct vring_used_elem) {.id = id, .len = len_bytes};
	__atomic_store_n(&used->idx, (uint16_t)(used->idx + 1), __ATOMIC_RELEASE);
}

static int
relay(void)
{
	return rte_vdpa_relay_vring_used(rec_vid(), 0, &device);
}

/* Direct chains and tables, over the end of the ring several times. */
static void
entries_reach_the_guest(void)
{
	struct guest_used used;
	void *cookie;

	CHECK_EQ(relay(), 0);
	for (unsigned round = 0; round < 50; round++) {
		uint16_t ids[3];

		vq->indirect = round % 2 != 0;
		for (unsigned i = 0; i < RTE_DIM(ids); i++)
			ids[i] = post(i);
		guest_log_snapshot(&guest_log, &fe);
		/* As a device does: in another order, and not all of them. */
		guest_fill(&fe.mem, buffers[2] + 4096, (uint8_t)round, 100);
		guest_fill(&fe.mem, buffers[0] + 4096, (uint8_t)round, 4096);
		use(ids[2], 100);
		use(ids[0], 4096);
		CHECK_EQ(relay(), 2);
		CHECK_EQ(relay(), 0);
		CHECK(guest_log_marked(&guest_log, buffers[0] + 4096));
		CHECK(guest_log_marked(&guest_log, buffers[2] + 4096));
		CHECK(!guest_log_marked(&guest_log, buffers[0]));
		CHECK(!guest_log_marked(&guest_log, buffers[1] + 4096));
		CHECK_EQ(vring_used_event(&device), device.used->idx);
		CHECK(guest_ring_poll(vq, &used, &cookie));
		CHECK_EQ(used.id, ids[2]);
		CHECK_EQ(used.len_bytes, 100);
		CHECK(guest_ring_poll(vq, &used, &cookie));
		CHECK_EQ(used.id, ids[0]);
		CHECK(!guest_ring_poll(vq, &used, &cookie));
		use(ids[1], 1);
		CHECK_EQ(relay(), 1);
		CHECK(guest_ring_poll(vq, &used, &cookie));
	}
}

/* Also when there are no entries. */
static void
flags_are_copied(void)
{
	device.used->flags = VRING_USED_F_NO_NOTIFY;
	use(post(0), 1);
	CHECK_EQ(relay(), 1);
	CHECK_EQ(vq->used[0], VRING_USED_F_NO_NOTIFY);
	device.used->flags = 0;
	CHECK_EQ(relay(), 0);
	CHECK_EQ(vq->used[0], 0);
}

/* Without a migration there is nothing to mark. */
static void
without_a_log(void)
{
	CHECK_EQ(guest_log_stop(&fe), 0);
	use(post(0), 4096);
	CHECK_EQ(relay(), 1);
}

static void
bad_arguments(void)
{
	CHECK_EQ(rte_vdpa_relay_vring_used(-1, 0, &device), -1);
	CHECK_EQ(rte_vdpa_relay_vring_used(77, 0, &device), -1);
	CHECK_EQ(rte_vdpa_relay_vring_used(rec_vid(), 2, &device), -1);
	CHECK_EQ(rte_vdpa_relay_vring_used(rec_vid(), 0, NULL), -1);
}

/* The guest's ring does not change for one entry that is wrong, and the queue goes on. */
static void
refused(uint32_t bad_id)
{
	struct guest_used used;
	uint16_t good = post(0);
	void *cookie;

	use(good, 1);
	use(bad_id, 1);
	CHECK_EQ(relay(), -1);
	CHECK(!guest_ring_poll(vq, &used, &cookie));
	device.used->idx--;
	CHECK_EQ(relay(), 1);
	CHECK(guest_ring_poll(vq, &used, &cookie));
	CHECK_EQ(used.id, good);
}

static void
ids_beyond_the_ring(void)
{
	refused(RING_SIZE);
	refused(UINT32_MAX);
	/* Difference: the stock library looks at half of it. */
	if (!is_stock)
		refused(0x10000);
}

/* What the guest makes of its descriptors meanwhile. */
static void
chains_that_make_no_sense(void)
{
	volatile struct guest_desc *d = &vq->desc[RING_SIZE - 1];
	uint64_t table = guest_alloc(&fe.mem, 4096, 16);
	volatile struct guest_desc *entry = guest_ptr(&fe.mem, table, 16);

	if (is_stock)
		tap_skip("the stock library reads beyond a table, and some of the rest it takes");
	/* In a circle; beyond the ring; outside memory; over the end of the address space. */
	*d = (struct guest_desc) {buffers[1], 64, GUEST_DESC_NEXT, RING_SIZE - 1};
	refused(RING_SIZE - 1);
	*d = (struct guest_desc) {buffers[1], 64, GUEST_DESC_NEXT, RING_SIZE};
	refused(RING_SIZE - 1);
	*d = (struct guest_desc) {1ull << 40, 64, GUEST_DESC_WRITE, 0};
	refused(RING_SIZE - 1);
	*d = (struct guest_desc) {UINT64_MAX - 8, 64, GUEST_DESC_WRITE, 0};
	refused(RING_SIZE - 1);
	/* A table: its entry links beyond it, but not beyond the ring; its length is odd. */
	*entry = (struct guest_desc) {buffers[1], 64, GUEST_DESC_NEXT, 3};
	*d = (struct guest_desc) {table, 16, GUEST_DESC_INDIRECT, 0};
	refused(RING_SIZE - 1);
	*entry = (struct guest_desc) {buffers[1], 64, GUEST_DESC_WRITE, 0};
	*d = (struct guest_desc) {table, 17, GUEST_DESC_INDIRECT, 0};
	refused(RING_SIZE - 1);
	*d = (struct guest_desc) {table, 0, GUEST_DESC_INDIRECT, 0};
	refused(RING_SIZE - 1);
}

/* An index that is further ahead than the ring is long: the device's, or the guest's. */
static void
indices_too_far_apart(void)
{
	if (is_stock)
		tap_skip("the stock library goes round the ring several times");
	device.used->idx = RING_SIZE + 1;
	CHECK_EQ(relay(), -1);
	device.used->idx = 0;
	vq->used[1] = 1;
	CHECK_EQ(relay(), -1);
	vq->used[1] = 0;
	CHECK_EQ(relay(), 0);
}

static void
ring_of_another_size(void)
{
	struct vring half;

	if (is_stock)
		tap_skip("the stock library does not look at the size");
	vring_init(&half, RING_SIZE / 2, device_memory, 4096);
	CHECK_EQ(rte_vdpa_relay_vring_used(rec_vid(), 0, &half), -1);
}

/* Drivers relay what is left when they are closed; the queue's gate is closed then. */
static int relayed;

static void
relay_in_close(const char *word, int vid)
{
	if (strcmp(word, "close") == 0)
		relayed = rte_vdpa_relay_vring_used(vid, 0, &device);
}

static void
while_closing(void)
{
	struct guest_used used;
	void *cookie;

	use(post(0), 1);
	relayed = -2;
	fake.hook = relay_in_close;
	CHECK_EQ(fe_get_vring_base(&fe, 0, NULL), 0);
	fake.hook = NULL;
	CHECK_EQ(relayed, 1);
	CHECK(guest_ring_poll(vq, &used, &cookie));
	/* It is not the device's any more. */
	if (!is_stock)
		CHECK_EQ(relay(), -1);
}

static void
packed_rings_are_refused(void)
{
	CHECK_EQ(relay(), -1);
}

/* A socket without a vDPA device has its rings served already. */
static void
only_for_vdpa(void)
{
	struct fe_config config = one_pair;
	struct frontend plain;
	const char *p;

	if (is_stock)
		tap_skip("the stock library relays for any device");
	flow_start_driver = rte_vhost_driver_start;
	p = flow_serve(0);
	fe_init(&plain);
	CHECK_EQ(fe_connect(&plain, p), 0);
	CHECK_EQ(fe_setup(&plain, &config), 0);
	CHECK_EQ(relay(), -1);
	fe_close(&plain);
	flow_unserve(p);
}

static volatile bool stop;

/* Of the test below, where all entries are of chain 0: the device says so, and takes it back. */
static void *
rewrite_ids(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !stop; i++) {
		volatile uint32_t *id = &device.used->ring[i % RING_SIZE].id;

		*id = RING_SIZE + 1;
		*id = 0;
	}
	return NULL;
}

/* Does the guest see a ring full of entries, all good? */
static bool
sees_them_all(void)
{
	struct guest_used used;
	unsigned n = 0;

	while (guest_ring_poll(vq, &used, NULL) && used.id == 0)
		n++;
	return n == RING_SIZE;
}

/* What was looked at is what the guest gets; and while it is refused, nothing. */
static void
entries_that_change_meanwhile(void)
{
	const uint64_t until = flow_now_us() + 60000000;
	unsigned taken = 0, refused_ones = 0;
	pthread_t thread;
	cpu_set_t all;
	int n = RING_SIZE;

	if (is_stock)
		tap_skip("the stock library reads an entry twice");
	CHECK_EQ(guest_log_stop(&fe), 0);
	CHECK_EQ(post(0), 0);
	CPU_ZERO(&all);
	for (int i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &all);
	stop = false;
	CHECK_EQ(pthread_create(&thread, NULL, rewrite_ids, NULL), 0);
	/* Not only on the CPU that this thread is on. */
	(void)pthread_setaffinity_np(thread, sizeof(all), &all);
	while (n == RING_SIZE && (taken < 20000 || refused_ones < 1000)) {
		device.used->idx = (uint16_t)(device.used->idx + RING_SIZE);
		while ((n = relay()) == -1 && guest_ring_pending(vq) == 0 && flow_now_us() < until)
			refused_ones++;
		if (!sees_them_all())
			break;
		taken++;
	}
	stop = true;
	pthread_join(thread, NULL);
	fprintf(tap.out, "# %u times the guest got entries, %u times none\n", taken, refused_ones);
	CHECK(taken >= 20000);
	CHECK(refused_ones >= 1000);
}

static void *
relay_all_the_time(void *arg)
{
	int vid = rec_vid();

	(void)arg;
	while (!stop)
		(void)rte_vdpa_relay_vring_used(vid, 0, &device);
	return NULL;
}

/* A driver's thread against messages that take memory and rings away. */
static void
against_messages(void)
{
	struct guest_region_spec more = {.gpa = 1u << 30, .size_bytes = 1u << 20};
	pthread_t thread;

	if (is_stock)
		tap_skip("the stock library locks nothing");
	CHECK_EQ(guest_log_stop(&fe), 0);
	use(post(0), 1);
	stop = false;
	CHECK_EQ(pthread_create(&thread, NULL, relay_all_the_time, NULL), 0);
	for (unsigned i = 0; i < 20; i++) {
		more.gpa += 1u << 30;
		if (i < 3)
			CHECK_EQ(guest_memory_add(&fe.mem, &more), 0);
		CHECK_EQ(fe_set_mem_table(&fe, &fe.mem), 0);
		CHECK_EQ(fe_get_vring_base(&fe, 0, NULL), 0);
		CHECK_EQ(fe_start_vring(&fe, 0), 0);
	}
	CHECK_EQ(fe_sync(&fe), 0);
	fe_close(&fe);
	CHECK(flow_wait_until(is_forgotten, NULL, 20000));
	stop = true;
	pthread_join(thread, NULL);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		SPLIT_TEST(entries_reach_the_guest),
		SPLIT_TEST(flags_are_copied),
		SPLIT_TEST(without_a_log),
		SPLIT_TEST(bad_arguments),
		SPLIT_TEST(ids_beyond_the_ring),
		SPLIT_TEST(chains_that_make_no_sense),
		SPLIT_TEST(indices_too_far_apart),
		SPLIT_TEST(ring_of_another_size),
		SPLIT_TEST(while_closing),
		SPLIT_TEST(entries_that_change_meanwhile),
		SPLIT_TEST(only_for_vdpa),
		SPLIT_TEST(against_messages),
		PACKED_TEST(packed_rings_are_refused),
	};

	flow_vdev = "net_null0";
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
