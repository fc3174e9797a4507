/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of a running device: SET_MEM_TABLE with the same table, new files, more and fewer regions;
 * the same in memory slots.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define BURST 32
#define BORDER (8u << 20)

/*
 * Traffic is disturbed at least this long, this often and for this many packets. What a busy
 * machine does slowly is waited for; PATIENCE_US without it, or with no packet at all, is a fault.
 */
#define DISTURB_US 2000000
#define PATIENCE_US 60000000
#define ROUNDS_WANTED 100
#define PACKETS_WANTED 1000

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_tx tx;
static struct guest_rx rx;
static uint64_t driver_flags;

/* The sanitizers' runtime makes mlock() do nothing. */
#if defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static const struct guest_region_spec regions[] = {
	{.gpa = 0, .size_bytes = BORDER, .mmap_offset_bytes = 4096},
	{.gpa = BORDER, .size_bytes = BORDER},
};

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(512, 2048);
}

static void
up_with(uint64_t protocol_features)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
		.protocol_features = protocol_features,
		.ring_size = 64,
		.regions = regions,
		.nregions = 2,
	};

	flow_up(&flow, driver_flags, &config);
	flow.fe.use_ack = true;
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 32, 1526), 0);
	rec_reset();
}

static void
up(void)
{
	up_with(0);
}

static void
up_in_slots(void)
{
	if (is_stock)
		tap_skip("the stock library has no memory slots");
	up_with(1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
		1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	CHECK(flow.fe.protocol_features & (1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS));
}

/* Mappings of guest memory here, the frontend's and the library's, by what the kernel says. */
struct resident {
	unsigned all, filled, locked;
};

static struct resident
resident_count(void)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	struct resident n = {0};
	unsigned long size_kib = 0, kib;
	bool ours = false;
	char line[512];

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &size_kib, &kib) == 2)
			ours = strstr(line, "/memfd:guest-memory") != NULL;
		else if (!ours)
			continue;
		else if (sscanf(line, "Size: %lu kB", &kib) == 1)
			n.all++, size_kib = kib;
		else if (sscanf(line, "Rss: %lu kB", &kib) == 1)
			n.filled += kib == size_kib;
		else if (strncmp(line, "VmFlags:", 8) == 0)
			n.locked += strstr(line, " lo") != NULL;
	}
	fclose(f);
	return n;
}

static void
down(void)
{
	guest_rx_fini(&rx);
	flow_down(&flow);
}

/* The guest: sends and checks echoes until told to stop. */
static volatile bool stop_guest;
static volatile uint64_t guest_sent, guest_checked;
static volatile bool guest_failed;
static char guest_problem[128]; /* before guest_failed */

static void *__attribute__((format(printf, 1, 2)))
guest_fail(const char *format, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, format);
	vsnprintf(guest_problem, sizeof(guest_problem), format, args);
	__builtin_va_end(args);
	__atomic_store_n(&guest_failed, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *
guest_thread(void *arg)
{
	static uint8_t data[1500], got[1600];
	struct guest_net_hdr hdr;
	uint32_t sent = 0, received = 0;
	uint64_t idle_since = flow_now_us();

	(void)arg;
	while (!stop_guest || received != sent) {
		int n, reaped, expected = (int)(60 + received % 1400);

		guest_rx_fill(&rx, UINT32_MAX);
		if (!stop_guest && sent - received < 16) {
			uint32_t len = 60 + sent % 1400;

			guest_pattern(sent, data, len);
			if (guest_tx_send(&tx, NULL, data, len) >= 0)
				guest_sent = ++sent;
		}
		reaped = guest_tx_reap(&tx);
		if (reaped < 0)
			return guest_fail("bad used element on the transmit ring (%d)", reaped);
		n = guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL);
		if (n == -EAGAIN) {
			if (flow_now_us() - idle_since > PATIENCE_US)
				return guest_fail("traffic stopped");
			if (sent - received == 16 || stop_guest)
				sched_yield(); /* the echo may need this core */
			continue;
		}
		idle_since = flow_now_us();
		if (n != expected)
			return guest_fail("echo %u is %d bytes long, expected %d", received, n,
					  expected);
		guest_pattern(received, data, (uint32_t)n);
		for (int i = 0; i < n; i++)
			if (data[i] != got[i])
				return guest_fail("byte %d of %d of echo %u is 0x%x, expected 0x%x",
						  i, n, received, got[i], data[i]);
		received++;
		guest_checked = received;
	}
	return NULL;
}

static pthread_t guest;
static bool guest_runs;
static uint64_t traffic_since_us;
static unsigned rounds; /* how often traffic was disturbed */

static void
traffic_start(void)
{
	flow_echo_start(flow.vid, pool);
	stop_guest = false;
	guest_failed = false;
	guest_sent = guest_checked = 0;
	rounds = 0;
	traffic_since_us = flow_now_us();
	CHECK_EQ(pthread_create(&guest, NULL, guest_thread, NULL), 0);
	guest_runs = true;
}

/* The echo runs until the guest has seen its last packet. */
static void
traffic_join(void)
{
	stop_guest = true;
	pthread_join(guest, NULL);
	guest_runs = false;
	flow_echo_stop();
}

static void __attribute__((noreturn))
traffic_fail(const char *what)
{
	tap_fail(__FILE__, __LINE__,
		 "%s: %u rounds of at least %u, %llu packets sent, %llu echoed, %llu checked of at "
		 "least %u, %u mbufs in use, %.1f s",
		 what, rounds, ROUNDS_WANTED, (unsigned long long)guest_sent,
		 (unsigned long long)flow_echoed, (unsigned long long)guest_checked, PACKETS_WANTED,
		 rte_mempool_in_use_count(pool),
		 (double)(flow_now_us() - traffic_since_us) / 1e6);
}

static bool
guest_is_done(void)
{
	return __atomic_load_n(&guest_failed, __ATOMIC_ACQUIRE);
}

/* Shall traffic be disturbed once more? */
static bool
traffic_goes_on(void)
{
	uint64_t took_us = flow_now_us() - traffic_since_us;

	if (guest_is_done() || (took_us >= DISTURB_US && rounds >= ROUNDS_WANTED &&
				guest_checked >= PACKETS_WANTED))
		return false;
	if (took_us > PATIENCE_US)
		traffic_fail("too little happened");
	rounds++;
	return true;
}

static void
traffic_stop(void)
{
	traffic_join();
	if (guest_is_done())
		traffic_fail(guest_problem);
	if (!flow_pool_full(pool))
		traffic_fail("mbufs are missing");
	fprintf(tap.out, "# %u rounds, %llu packets\n", rounds, (unsigned long long)guest_checked);
}

static void
teardown(void)
{
	if (guest_runs)
		traffic_join();
	else
		flow_echo_stop();
	flow_teardown();
}

/* The same table over and over under traffic: no loss, no callback, nothing left mapped. */
static void
same_table_under_traffic(void)
{
	up();
	traffic_start();
	while (traffic_goes_on())
		CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
	traffic_stop();
	CHECK_STR(rec_text(), "");
	down();
}

/* A region comes and goes next to the two in use, under traffic. */
static void
region_comes_and_goes_under_traffic(void)
{
	const struct guest_region_spec more = {.gpa = 1ull << 33, .size_bytes = 2u << 20};
	struct guest_memory two, three;

	up();
	two = flow.fe.mem;
	three = two;
	CHECK_EQ(guest_memory_add(&three, &more), 0);
	traffic_start();
	while (traffic_goes_on())
		CHECK_EQ(fe_set_mem_table(&flow.fe, rounds & 1 ? &three : &two), 0);
	traffic_stop();
	CHECK_STR(rec_text(), "");
	flow.fe.mem = three; /* so that fe_close() frees the third, too */
	down();
}

static struct rte_mbuf *
send_from(uint64_t gpa, uint32_t seed)
{
	struct guest_seg seg = {.gpa = gpa, .len_bytes = 12 + 100};
	/* The stock library answers a message before it lets the queues go. */
	uint64_t limit_us = flow_now_us() + (is_stock ? 20000000 : 0);
	struct rte_mbuf *m[BURST];
	uint8_t data[100];
	unsigned n;

	guest_pattern(seed, data, sizeof(data));
	guest_fill(&flow.fe.mem, gpa, 0, 12);
	guest_write(&flow.fe.mem, gpa + 12, data, sizeof(data));
	CHECK(guest_ring_post(&flow.fe.vqs[1], &seg, 1, NULL) >= 0);
	do
		n = rte_vhost_dequeue_burst(flow.vid, 1, pool, m, BURST);
	while (n == 0 && flow_now_us() < limit_us);
	return n == 1 ? m[0] : NULL;
}

/* Memory added while running is usable at once, without SET_VRING_ADDR. */
static void
hotplugged_region_is_usable(void)
{
	const struct guest_region_spec more = {.gpa = 1ull << 33, .size_bytes = 2u << 20};
	struct guest_used used;
	struct rte_mbuf *m;

	up();
	CHECK_EQ(guest_memory_add(&flow.fe.mem, &more), 0);
	CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
	for (uint32_t i = 0; i < 10; i++) {
		m = send_from((1ull << 33) + (2u << 20) - 112, i);
		CHECK(m != NULL);
		CHECK(packet_is_pattern(m, i, 100));
		rte_pktmbuf_free(m);
		CHECK(guest_ring_poll(&flow.fe.vqs[1], &used, NULL));
	}
	down();
}

/*
 * The same addresses backed by another file: the new file counts. Difference: the stock library
 * compares addresses only, sees no change and keeps the old mapping.
 */
static void
same_addresses_other_files(void)
{
	struct guest_memory old;
	struct guest_used used;
	struct rte_mbuf *m;
	uint8_t *copy;

	if (is_stock)
		tap_skip("the stock library keeps the old files");
	up();
	for (uint32_t round = 0; round < 5; round++) {
		old = flow.fe.mem;
		CHECK_EQ(guest_memory_create(&flow.fe.mem, regions, 2), 0);
		copy = malloc(BORDER);
		for (unsigned i = 0; i < 2; i++) {
			guest_read(&old, regions[i].gpa, copy, BORDER);
			guest_write(&flow.fe.mem, regions[i].gpa, copy, BORDER);
			flow.fe.mem.regions[i].used_bytes = old.regions[i].used_bytes;
		}
		free(copy);
		CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
		guest_ring_rebind(&flow.fe.vqs[0], &flow.fe.mem);
		guest_ring_rebind(&flow.fe.vqs[1], &flow.fe.mem);
		guest_memory_destroy(&old);
		m = send_from(tx.arena_gpa, round);
		CHECK(m != NULL);
		CHECK(packet_is_pattern(m, round, 100));
		rte_pktmbuf_free(m);
		CHECK(guest_ring_poll(&flow.fe.vqs[1], &used, NULL));
	}
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), "");
	down();
}

/* Two tables at a time. */
static bool
may_lock(void)
{
	const size_t bytes = 4 * BORDER;
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool may = at != MAP_FAILED && mlock(at, bytes) == 0;

	munmap(at, bytes);
	return may;
}

/* Where engines copy, each table is populated and locked; nothing of the last one stays. */
static void
engines_find_it_resident(void)
{
	static const uint64_t flags[] = {0, RTE_VHOST_USER_ASYNC_COPY};

	for (unsigned i = 0; i < RTE_DIM(flags); i++) {
		driver_flags = flags[i];
		up();
		driver_flags = 0;
		for (unsigned round = 0; round < 3; round++) {
			struct resident now = resident_count();
			unsigned filled = flags[i] != 0 ? 2 : 0;
			/* The stock library leaves that to others. */
			unsigned locked = is_stock || SANITIZED || !may_lock() ? 0 : filled;

			/* The frontend has each region once, too. */
			CHECK_EQ(now.all, 4);
			CHECK_EQ(now.filled, filled);
			CHECK_EQ(now.locked, locked);
			CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
			CHECK_EQ(fe_sync(&flow.fe), 0);
		}
		down();
	}
}

/* A table without the rings' memory stops the rings; the bursts just return 0. */
static void
table_without_the_rings(void)
{
	const struct guest_region_spec elsewhere = {.gpa = 1ull << 33, .size_bytes = 2u << 20};
	struct guest_memory other;
	struct rte_mbuf *m[BURST];
	uint8_t data[60] = {0};

	up();
	CHECK_EQ(guest_memory_create(&other, &elsewhere, 1), 0);
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	CHECK_EQ(fe_set_mem_table(&flow.fe, &other), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, m, BURST), 0);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, m, 0), 0);
	CHECK_STR(rec_text(), "q0=0 q1=0");
	/* And with the memory back and the rings set up again it goes on. */
	CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
	CHECK_EQ(fe_stop(&flow.fe, NULL), 0);
	CHECK_EQ(fe_start_vring(&flow.fe, 0), 0);
	CHECK_EQ(fe_start_vring(&flow.fe, 1), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, m, BURST), 1);
	rte_pktmbuf_free(m[0]);
	guest_memory_destroy(&other);
	down();
}

static const struct guest_region_spec hotplugged = {.gpa = 1ull << 33, .size_bytes = 2u << 20};

static bool
in_table(uint64_t gpa, unsigned nregions)
{
	struct rte_vhost_memory *mem;
	bool found = false;

	CHECK_EQ(rte_vhost_get_mem_table(flow.vid, &mem), 0);
	CHECK_EQ(mem->nregions, nregions);
	for (uint32_t i = 0; i < mem->nregions; i++)
		found |= mem->regions[i].guest_phys_addr == gpa;
	free(mem);
	return found;
}

/* A region comes and goes in a slot, under traffic: nobody is told, nothing is lost. */
static void
slot_comes_and_goes_under_traffic(void)
{
	const struct guest_region *more;

	up_in_slots();
	CHECK_EQ(guest_memory_add(&flow.fe.mem, &hotplugged), 0);
	more = &flow.fe.mem.regions[2];
	traffic_start();
	while (traffic_goes_on()) {
		CHECK_EQ(fe_add_mem_reg(&flow.fe, more), 0);
		CHECK_EQ(fe_rem_mem_reg(&flow.fe, more), 0);
	}
	traffic_stop();
	CHECK_STR(rec_text(), "");
	CHECK(!in_table(hotplugged.gpa, 2));
	down();
}

/* All slots but those in use come under traffic, then go. */
static void
all_slots_under_traffic(void)
{
	struct guest_memory many;
	struct guest_region r;
	uint64_t slots;

	up_in_slots();
	CHECK_EQ(fe_get_max_mem_slots(&flow.fe, &slots), 0);
	CHECK_EQ(slots, 509);
	CHECK_EQ(guest_memory_create(&many, &hotplugged, 1), 0);
	r = many.regions[0];
	r.size_bytes = 4096;
	traffic_start();
	for (unsigned i = 2; i < slots; i++, r.gpa += 8192, r.uva += 8192)
		CHECK_EQ(fe_add_mem_reg(&flow.fe, &r), 0);
	CHECK_EQ(fe_add_mem_reg(&flow.fe, &r), 1);
	CHECK(in_table(hotplugged.gpa, (unsigned)slots));
	while (traffic_goes_on()) {
		r.gpa -= 8192, r.uva -= 8192;
		CHECK_EQ(fe_rem_mem_reg(&flow.fe, &r), 0);
		CHECK_EQ(fe_add_mem_reg(&flow.fe, &r), 0);
		if (r.gpa == hotplugged.gpa)
			r.gpa += 507 * 8192, r.uva += 507 * 8192;
	}
	traffic_stop();
	CHECK_STR(rec_text(), "");
	guest_memory_destroy(&many);
	down();
}

/* Usable at once; after that no packet comes out of it, and the ring goes on. */
static void
hotplugged_slot_is_usable(void)
{
	const uint64_t at = hotplugged.gpa + hotplugged.size_bytes - 112;
	const struct guest_region *more;
	struct guest_used used;
	struct rte_mbuf *m;

	up_in_slots();
	CHECK_EQ(guest_memory_add(&flow.fe.mem, &hotplugged), 0);
	more = &flow.fe.mem.regions[2];
	for (uint32_t i = 0; i < 10; i++) {
		CHECK_EQ(fe_add_mem_reg(&flow.fe, more), 0);
		CHECK(in_table(hotplugged.gpa, 3));
		m = send_from(at, i);
		CHECK(m != NULL);
		CHECK(packet_is_pattern(m, i, 100));
		rte_pktmbuf_free(m);
		CHECK(guest_ring_poll(&flow.fe.vqs[1], &used, NULL));
		CHECK_EQ(fe_rem_mem_reg(&flow.fe, more), 0);
		CHECK(send_from(at, i) == NULL);
		CHECK(guest_ring_poll(&flow.fe.vqs[1], &used, NULL));
		m = send_from(tx.arena_gpa, i);
		CHECK(m != NULL);
		rte_pktmbuf_free(m);
		CHECK(guest_ring_poll(&flow.fe.vqs[1], &used, NULL));
	}
	down();
}

/* The slot with the rings goes: they stop. It comes back: they go on where they were. */
static void
slot_of_the_rings_goes(void)
{
	const struct guest_region *first = &flow.fe.mem.regions[0];
	struct rte_mbuf *m[BURST];
	uint8_t data[60] = {0};

	up_in_slots();
	for (int i = 0; i < 3; i++) {
		rec_reset();
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		CHECK_EQ(fe_rem_mem_reg(&flow.fe, first), 0);
		CHECK_STR(rec_text(), "q0=0 q1=0");
		CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, m, BURST), 0);
		CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, m, 0), 0);
		CHECK_EQ(fe_rem_mem_reg(&flow.fe, first), 1); /* not there */
		CHECK_EQ(fe_add_mem_reg(&flow.fe, first), 0);
		CHECK_STR(rec_text(), "q0=0 q1=0 q0=1 q1=1");
		CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, m, BURST), 1);
		rte_pktmbuf_free(m[0]);
		CHECK_EQ(guest_tx_reap(&tx), 1);
	}
	down();
}

/* Stop, start, enable, disable under traffic: nothing lost but what the guest was told about. */
static void
rings_toggle_under_traffic(void)
{
	up();
	traffic_start();
	while (traffic_goes_on()) {
		for (unsigned q = 0; q < 2; q++) {
			CHECK_EQ(fe_set_vring_enable(&flow.fe, q, false), 0);
			CHECK_EQ(fe_set_vring_enable(&flow.fe, q, true), 0);
			CHECK_EQ(fe_set_vring_call(&flow.fe, q, flow.fe.vqs[q].callfd), 0);
			CHECK_EQ(fe_set_vring_kick(&flow.fe, q, flow.fe.vqs[q].kickfd), 0);
		}
	}
	traffic_stop();
	down();
}

static void
post_some(void)
{
	uint8_t data[60] = {0};

	guest_rx_fill(&rx, UINT32_MAX);
	for (int i = 0; i < 30; i++)
		guest_tx_send(&tx, NULL, data, sizeof(data));
}

static void
stop_in_destroy_device(const char *word, int vid)
{
	(void)vid;
	if (strcmp(word, "-dev") == 0)
		flow_echo_stop();
}

/* What the guide asks of an application: it stops using the vid in destroy_device. */
static void
disconnect_under_traffic(void)
{
	for (int round = 0; round < 20; round++) {
		up();
		flow_echo_start(flow.vid, pool);
		rec_hook = stop_in_destroy_device;
		post_some();
		usleep((useconds_t)(round * 20));
		fe_disconnect(&flow.fe);
		CHECK(rec_wait("-dev -conn"));
		CHECK(flow_pool_full(pool));
		rec_hook = NULL;
		down();
	}
}

/* An application that is late: bursts on a vid that is gone return 0. */
static void
disconnect_and_burst_on(void)
{
	if (is_stock)
		tap_skip("the stock library crashes");
	for (int round = 0; round < 50; round++) {
		up();
		flow_echo_start(flow.vid, pool);
		post_some();
		usleep((useconds_t)(round * 20));
		fe_disconnect(&flow.fe);
		CHECK(rec_wait("-dev -conn"));
		usleep(1000);
		flow_echo_stop();
		CHECK(flow_pool_full(pool));
		down();
	}
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(same_table_under_traffic),
		FLOW_TEST(region_comes_and_goes_under_traffic),
		FLOW_TEST(hotplugged_region_is_usable),
		FLOW_TEST(same_addresses_other_files),
		FLOW_TEST(engines_find_it_resident),
		FLOW_TEST(table_without_the_rings),
		FLOW_TEST(slot_comes_and_goes_under_traffic),
		FLOW_TEST(all_slots_under_traffic),
		FLOW_TEST(hotplugged_slot_is_usable),
		FLOW_TEST(slot_of_the_rings_goes),
		FLOW_TEST(rings_toggle_under_traffic),
		FLOW_TEST(disconnect_under_traffic),
		FLOW_TEST(disconnect_and_burst_on),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
