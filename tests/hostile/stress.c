/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data threads burst on both queues of two devices, and one asks about them,
 * while their frontends swap memory tables, fill and empty memory slots, enable and disable, stop and start
 * rings, hang up and come back, in random order. What comes through must be
 * what was sent, at most once, and nothing may be left at the end.
 *
 * VHOST_NG_SEED repeats a run's decisions (not its timing), VHOST_NG_SOAK=1
 * makes it long.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "packets.h"
#include "rig.h"
#include "tap.h"

#define DEVICES 2
#define DATA_THREADS 4
#define RING_SIZE 64
#define MEM_BYTES (4u << 20)
#define ARENA_BYTES (1u << 20)
#define PATIENCE_US 60000000
#define SERIALS (1u << 24)
#define MAX_BYTES 3000u
/* Of each device, at least: what a busy machine has not done in time is waited for. */
#define STEPS_WANTED 500
#define PACKETS_WANTED 1000
#define LIVES_WANTED 2
#define SLOTS                                                          \
	(1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |       \
	 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS)

static uint64_t seed;
static bool stop_control, stop_data; /* atomic */
static const char *problem;	     /* atomic: the first one */

/* By serial number of the packet: how far it came. */
enum { UNUSED, SENT, RECEIVED };
static uint8_t *fate; /* atomic */
static uint32_t next_serial;

static struct device {
	/* Its guest and frontend: one thread. */
	pthread_t thread;
	uint64_t rng;
	const char *path;
	struct frontend fe;
	struct fe_config config;
	struct guest_memory with_extra; /* its memory and one region more */
	struct guest_tx tx;
	struct guest_rx rx;
	uint64_t steps, received, lives;
	/* Callbacks and data threads. */
	int vid; /* atomic */
} devices[DEVICES];

static void fail(const char *what)
{
	const char *none = NULL;

	(void)__atomic_compare_exchange_n(&problem, &none, what, false, __ATOMIC_SEQ_CST,
					  __ATOMIC_SEQ_CST);
}

static bool failed(void)
{
	return __atomic_load_n(&problem, __ATOMIC_SEQ_CST) != NULL;
}

static uint32_t random_below(uint64_t *rng, uint32_t n)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return (uint32_t)(*rng >> 32) % n;
}

/* --- packets that say what they are -------------------------------------- */

static uint32_t packet_bytes(uint32_t serial)
{
	return 60 + serial * 2654435761u % (MAX_BYTES - 60);
}

static void packet_fill(uint32_t serial, uint8_t *data)
{
	guest_pattern(serial, data, packet_bytes(serial));
	memcpy(data, &serial, sizeof(serial));
}

static void packet_check(const uint8_t *data, uint32_t len)
{
	uint8_t want[MAX_BYTES];
	uint32_t serial;
	uint8_t was;

	memcpy(&serial, data, sizeof(serial));
	if (len < sizeof(serial) || serial >= SERIALS || len != packet_bytes(serial)) {
		fail("a packet of no known serial number, or of another length");
		return;
	}
	packet_fill(serial, want);
	if (memcmp(want, data, len) != 0)
		fail("a packet with other content");
	was = __atomic_exchange_n(&fate[serial], RECEIVED, __ATOMIC_SEQ_CST);
	if (was != SENT)
		fail(was == UNUSED ? "a packet that nobody sent" : "a packet came twice");
}

/* --- host ---------------------------------------------------------------- */

static void gone(int vid)
{
	struct rte_mbuf *pkts[BURST];
	unsigned int n = rte_vhost_dequeue_burst(vid, 1, rig.pool, pkts, BURST);

	if (n != 0)
		rte_pktmbuf_free_bulk(pkts, n);
}

static int new_0(int vid)
{
	__atomic_store_n(&devices[0].vid, vid, __ATOMIC_SEQ_CST);
	return 0;
}

static int new_1(int vid)
{
	__atomic_store_n(&devices[1].vid, vid, __ATOMIC_SEQ_CST);
	return 0;
}

/* Does not wait for the data threads: those that are late must find nothing, or a stranger. */
static void destroy_0(int vid)
{
	gone(vid);
	__atomic_store_n(&devices[0].vid, -1, __ATOMIC_SEQ_CST);
}

static void destroy_1(int vid)
{
	gone(vid);
	__atomic_store_n(&devices[1].vid, -1, __ATOMIC_SEQ_CST);
}

static const struct rte_vhost_device_ops ops[DEVICES] = {
	{ .new_device = new_0, .destroy_device = destroy_0 },
	{ .new_device = new_1, .destroy_device = destroy_1 },
};

/* Sends back what comes; what finds no room is lost. */
static void *data_thread(void *arg)
{
	unsigned int turn = (unsigned int)(uintptr_t)arg;

	while (!__atomic_load_n(&stop_data, __ATOMIC_RELAXED)) {
		struct rte_mbuf *pkts[BURST];
		int vid = __atomic_load_n(&devices[turn++ % DEVICES].vid, __ATOMIC_RELAXED);
		unsigned int n = rte_vhost_dequeue_burst(vid, 1, rig.pool, pkts, BURST);
		unsigned int done = 0;

		for (unsigned int tries = 0; done < n && tries < 20; tries++)
			done += rte_vhost_enqueue_burst(vid, 0, pkts + done, (uint16_t)(n - done));
		if (n != 0)
			rte_pktmbuf_free_bulk(pkts, n);
		else
			sched_yield();
	}
	return NULL;
}

/* Asks what can be asked about devices that may go at any time. */
static void *asking_thread(void *arg)
{
	struct rte_vhost_power_monitor_cond cond;
	struct rte_vhost_stat stats[128];
	struct rte_vhost_memory *mem;
	struct rte_vhost_vring vring;
	uint64_t features;
	uint16_t a, b;
	char name[128];

	(void)arg;
	for (unsigned int i = 0; !__atomic_load_n(&stop_data, __ATOMIC_RELAXED); i++) {
		int vid = __atomic_load_n(&devices[i % DEVICES].vid, __ATOMIC_RELAXED);
		uint16_t q = i / 2 % 3;

		(void)rte_vhost_avail_entries(vid, q);
		(void)rte_vhost_rx_queue_count(vid, q);
		(void)rte_vhost_vring_call(vid, q);
		(void)rte_vhost_vring_call_nonblock(vid, q);
		(void)rte_vhost_enable_guest_notification(vid, q, i & 1);
		(void)rte_vhost_get_monitor_addr(vid, q, &cond);
		(void)rte_vhost_get_vhost_vring(vid, q, &vring);
		(void)rte_vhost_get_vring_base(vid, q, &a, &b);
		(void)rte_vhost_vring_stats_get(vid, q, stats, RTE_DIM(stats));
		(void)rte_vhost_get_negotiated_features(vid, &features);
		(void)rte_vhost_get_numa_node(vid);
		(void)rte_vhost_get_mtu(vid, &a);
		(void)rte_vhost_get_ifname(vid, name, sizeof(name));
		mem = NULL;
		(void)rte_vhost_get_mem_table(vid, &mem);
		free(mem);
		usleep(50);
	}
	return NULL;
}

/* --- guest --------------------------------------------------------------- */

static void guest_send(struct device *d)
{
	uint32_t serial = __atomic_fetch_add(&next_serial, 1, __ATOMIC_SEQ_CST);
	uint8_t data[MAX_BYTES];
	uint32_t cuts[4];
	unsigned int nr_cuts = 1 + random_below(&d->rng, RTE_DIM(cuts));

	if (serial >= SERIALS) {
		fail("out of serial numbers");
		return;
	}
	packet_fill(serial, data);
	for (unsigned int i = 0; i < nr_cuts; i++)
		cuts[i] = 1 + random_below(&d->rng, 700);
	__atomic_store_n(&fate[serial], SENT, __ATOMIC_SEQ_CST);
	if (guest_tx_post(&d->tx, NULL, data, packet_bytes(serial), cuts, nr_cuts) < 0)
		__atomic_store_n(&fate[serial], UNUSED, __ATOMIC_SEQ_CST); /* ring full */
}

static void guest_receive(struct device *d)
{
	uint8_t got[MAX_BYTES + 4096];
	struct guest_net_hdr hdr;
	int n;

	if (guest_tx_reap(&d->tx) < 0)
		fail("a used element on the transmit ring that makes no sense");
	while ((n = guest_rx_recv(&d->rx, &hdr, got, sizeof(got), NULL)) >= 0) {
		packet_check(got, (uint32_t)n);
		d->received++;
	}
	if (n != -EAGAIN)
		fail("a used element on the receive ring that makes no sense");
}

static void guest_turn(struct device *d)
{
	guest_receive(d);
	guest_rx_fill(&d->rx, UINT32_MAX);
	for (unsigned int i = random_below(&d->rng, 16); i > 0; i--)
		guest_send(d);
	guest_ring_kick(d->tx.vq);
}

/* --- frontend ------------------------------------------------------------ */

static void must(int ret, const char *what)
{
	if (ret != 0)
		fail(what);
}

static void set_up_guest(struct device *d)
{
	const struct guest_region_spec extra = { .gpa = 1ull << 33, .size_bytes = 1u << 20 };
	bool mergeable = (d->fe.features & FE_F_MRG_RXBUF) != 0;

	guest_tx_init(&d->tx, &d->fe.vqs[1], GUEST_NET_HDR_BYTES, ARENA_BYTES);
	if (guest_rx_init(&d->rx, &d->fe.vqs[0], GUEST_NET_HDR_BYTES, mergeable, 48,
			  mergeable ? 1100 : MAX_BYTES + 100) != 0)
		fail("no receive buffers");
	d->fe.vqs[1].indirect = (d->fe.features & FE_F_INDIRECT_DESC) != 0;
	d->with_extra = d->fe.mem;
	if (guest_memory_add(&d->with_extra, &extra) != 0)
		fail("no memory");
}

static void tear_down_guest(struct device *d)
{
	guest_rx_fini(&d->rx);
	d->fe.mem = d->with_extra; /* fe_close() frees all of it */
}

/* Connects and brings everything up; memory and rings are kept if there are some. */
static void dial(struct device *d)
{
	bool fresh = d->fe.vqs == NULL;

	if (fresh)
		fe_init(&d->fe);
	d->fe.timeout_ms = PATIENCE_US / 1000;
	d->fe.use_ack = false;
	must(fe_connect(&d->fe, d->path), "cannot connect");
	must(fe_setup(&d->fe, &d->config), "cannot set up");
	d->fe.use_ack = true;
	d->lives++;
	if (fresh && !failed())
		set_up_guest(d);
}

static bool is_gone(void *arg)
{
	return __atomic_load_n(&((struct device *)arg)->vid, __ATOMIC_SEQ_CST) < 0;
}

/* Two devices on one pair of rings would be our mistake: wait until the old one is gone. */
static void hang_up(struct device *d)
{
	fe_disconnect(&d->fe);
	if (!flow_wait_until(is_gone, d, PATIENCE_US / 1000))
		fail("no destroy_device");
	guest_receive(d);
}

static void restart_ring(struct device *d, unsigned int q)
{
	uint32_t base;

	must(fe_get_vring_base(&d->fe, q, &base), "GET_VRING_BASE");
	guest_receive(d);
	/* The gate was closed: nothing is between the available and the used index. */
	if (flow_packed ? (uint16_t)base != base >> 16 :
			  (uint16_t)base != guest_split_used_idx(&d->fe.vqs[q]))
		fail("a stopped ring holds on to chains");
	must(fe_start_vring(&d->fe, q), "cannot start a ring");
}

/* Guest memory moves to other files, which can only be done while nobody writes. */
static void move_memory(struct device *d)
{
	struct guest_memory old = d->fe.mem;
	static __thread uint8_t copy[MEM_BYTES];

	must(fe_stop(&d->fe, NULL), "cannot stop");
	guest_receive(d);
	if (guest_memory_create(&d->fe.mem, d->config.regions, 1) != 0) {
		fail("no memory");
		return;
	}
	guest_read(&old, 0, copy, sizeof(copy));
	guest_write(&d->fe.mem, 0, copy, sizeof(copy));
	d->fe.mem.regions[0].used_bytes = old.regions[0].used_bytes;
	d->with_extra.regions[0] = d->fe.mem.regions[0];
	for (unsigned int q = 0; q < 2; q++)
		guest_ring_rebind(&d->fe.vqs[q], &d->fe.mem);
	must(fe_set_mem_table(&d->fe, &d->fe.mem), "SET_MEM_TABLE");
	for (unsigned int q = 0; q < 2; q++)
		must(fe_start_vring(&d->fe, q), "cannot start a ring");
	old.nregions = 1;
	guest_memory_destroy(&old);
}

static void control(struct device *d)
{
	uint32_t q = random_below(&d->rng, 2);

	switch (random_below(&d->rng, 64)) {
	case 0: /* with everything that was under way */
		hang_up(d);
		dial(d);
		break;
	case 1: /* as another guest */
		hang_up(d);
		tear_down_guest(d);
		fe_close(&d->fe);
		dial(d);
		break;
	case 2 ... 4:
		move_memory(d);
		break;
	case 5 ... 14:
		must(fe_set_mem_table(&d->fe, &d->fe.mem), "SET_MEM_TABLE");
		break;
	case 15 ... 24:
		must(fe_set_mem_table(&d->fe, &d->with_extra), "SET_MEM_TABLE");
		break;
	case 51 ... 57:
		/* Also what is there already, for somebody else. */
		must(fe_add_mem_reg(&d->fe, &d->with_extra.regions[1]), "ADD_MEM_REG");
		if (random_below(&d->rng, 2) != 0)
			guest_turn(d);
		must(fe_rem_mem_reg(&d->fe, &d->with_extra.regions[1]), "REM_MEM_REG");
		break;
	case 25 ... 34:
		must(fe_set_vring_enable(&d->fe, q, false), "SET_VRING_ENABLE");
		if (random_below(&d->rng, 2) != 0)
			guest_turn(d);
		must(fe_set_vring_enable(&d->fe, q, true), "SET_VRING_ENABLE");
		break;
	case 35 ... 44:
		restart_ring(d, q);
		break;
	case 45 ... 49:
		must(fe_set_vring_kick(&d->fe, q, d->fe.vqs[q].kickfd), "SET_VRING_KICK");
		must(fe_set_vring_call(&d->fe, q, d->fe.vqs[q].callfd), "SET_VRING_CALL");
		break;
	case 50: /* nobody but the frontend's own device may suffer */
		must(fe_set_vring_enable(&d->fe, 2 + q, true), "SET_VRING_ENABLE");
		break;
	default:
		break;
	}
}

static bool has_enough(const struct device *d)
{
	return d->steps >= STEPS_WANTED && d->received >= PACKETS_WANTED &&
	       d->lives >= LIVES_WANTED;
}

static void *control_thread(void *arg)
{
	struct device *d = arg;
	uint64_t until = 0;

	dial(d);
	while (!failed()) {
		if (__atomic_load_n(&stop_control, __ATOMIC_RELAXED)) {
			if (has_enough(d))
				break;
			if (until == 0)
				until = flow_now_us() + PATIENCE_US;
			if (flow_now_us() > until)
				fail("too little happened");
		}
		guest_turn(d);
		control(d);
		d->steps++;
		if (d->steps % 4 == 0)
			usleep(100);
	}
	/* In peace: whatever was sent is taken. */
	until = flow_now_us() + PATIENCE_US;
	while (!failed() && d->tx.outstanding != 0) {
		guest_receive(d);
		guest_rx_fill(&d->rx, UINT32_MAX);
		usleep(200);
		if (flow_now_us() > until)
			fail("the host stopped taking packets");
	}
	if (failed()) /* whatever state this is in */
		return NULL;
	hang_up(d);
	tear_down_guest(d);
	fe_close(&d->fe);
	return NULL;
}

static void run(unsigned int seconds)
{
	static const struct guest_region_spec region = { .size_bytes = MEM_BYTES };
	const uint64_t features[DEVICES] = {
		FE_F_VERSION_1 | FE_F_MRG_RXBUF,
		FE_F_VERSION_1 | FE_F_EVENT_IDX | FE_F_INDIRECT_DESC,
	};
	pthread_t data[DATA_THREADS], asking;

	for (unsigned int i = 0; i < DEVICES; i++) {
		struct device *d = &devices[i];

		*d = (struct device){ .vid = -1, .rng = seed + 0x9e3779b97f4a7c15 * (i + 1) };
		d->config = (struct fe_config){ .features = features[i],
						.protocol_features = SLOTS,
						.ring_size = RING_SIZE,
						.regions = &region,
						.nregions = 1 };
		d->path = strdup(flow_serve_ops(RTE_VHOST_USER_NET_STATS_ENABLE, &ops[i]));
	}
	for (uintptr_t i = 0; i < DATA_THREADS; i++)
		CHECK_EQ(pthread_create(&data[i], NULL, data_thread, (void *)i), 0);
	CHECK_EQ(pthread_create(&asking, NULL, asking_thread, NULL), 0);
	for (unsigned int i = 0; i < DEVICES; i++)
		CHECK_EQ(pthread_create(&devices[i].thread, NULL, control_thread, &devices[i]), 0);
	for (unsigned int i = 0; i < 10 * seconds && !failed(); i++)
		usleep(100000);
	__atomic_store_n(&stop_control, true, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < DEVICES; i++)
		pthread_join(devices[i].thread, NULL);
	__atomic_store_n(&stop_data, true, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < DATA_THREADS; i++)
		pthread_join(data[i], NULL);
	pthread_join(asking, NULL);
	for (unsigned int i = 0; i < DEVICES; i++) {
		flow_unserve(devices[i].path);
		free((void *)(uintptr_t)devices[i].path);
	}
}

static void everything_at_once(void)
{
	run(getenv("VHOST_NG_SOAK") != NULL ? 600 : 5);
	for (unsigned int i = 0; i < DEVICES; i++)
		fprintf(tap.out,
			"# device %u: %llu steps, %llu lives, %llu packets (wanted: %u, %u, %u), "
			"%u chains outstanding\n",
			i, (unsigned long long)devices[i].steps,
			(unsigned long long)devices[i].lives,
			(unsigned long long)devices[i].received, STEPS_WANTED, LIVES_WANTED,
			PACKETS_WANTED, devices[i].tx.outstanding);
	if (failed())
		tap_fail(__FILE__, __LINE__, "%s (seed %llu)", problem, (unsigned long long)seed);
	CHECK(bystander_unharmed());
	CHECK(rig_nothing_left());
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "L3 L4 L5 L8 everything at once", everything_at_once },
	};
	const char *given = getenv("VHOST_NG_SEED");
	bool packed = argc > 1 && strcmp(argv[1], "packed") == 0;
	cpu_set_t all;
	int rc;

	tap_begin();
	seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	fprintf(tap.out, "# VHOST_NG_SEED=%llu\n", (unsigned long long)seed);
	rig_init(argv[0], packed);
	/* EAL bound us to one core; the threads shall meet. */
	CPU_ZERO(&all);
	for (int i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &all);
	(void)sched_setaffinity(0, sizeof(all), &all);
	fate = calloc(SERIALS, 1);
	if (fate == NULL)
		return 1;
	rc = tap_run(tests, RTE_DIM(tests), argc > 1 + packed ? argv[1 + packed] : NULL,
		     rig_before, NULL);
	rig_fini();
	free(fate);
	return rc;
}
