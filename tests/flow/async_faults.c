/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Engines that err at random, and messages that take queues, memory and the device away meanwhile.
 * A thread of data submits and collects, callbacks collect as well or do not, the guest receives
 * and sends. Of every mbuf it is known whose it is: none comes back twice or unasked, none is lost.
 * What the guest receives is whole and in order; what it sends arrives once and in order.
 *
 * FLOW_SEED=n chooses other faults. VHOST_NG_SOAK makes it long.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <rte_vhost_async.h>

#include "engine.h"
#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define SHORT_US 5000000ull
#define LONG_US 600000000ull
/* For what has to happen often enough. */
#define LIMIT_US 60000000ull
#define BURST 32
#define NR_MBUFS 4095
#define ROOM_BYTES 2048
#define ARENA_BYTES (8u << 20)
#define NR_BUFFERS 200
#define BUFFER_BYTES 1526
#define LEAST_BYTES 60
#define MOST_BYTES 9000

/* Packets are numbered; those of one device are in sequence. */
#define EPOCH(number) ((number) >> 20)
#define MOST_EPOCHS 4095

static struct flow flow;
static struct rte_mempool *pool, *from_guest;
static struct guest_rx rx;
static struct guest_tx tx;
static uint8_t bytes[MOST_BYTES], expected[MOST_BYTES];

/* --- whose is which mbuf --------------------------------------------------- */

enum owner { OURS, LIBRARYS };
static struct {
	pthread_mutex_t lock;
	enum owner of[NR_MBUFS + 1]; /* by number, which the mbuf bears */
	uint64_t submitted, back, freed; /* freed: by the library */
	uint64_t wrong;
	char what[128]; /* the first of those */
} books = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
wrong(const char *what, uint64_t a, uint64_t b)
{
	if (__atomic_fetch_add(&books.wrong, 1, __ATOMIC_SEQ_CST) == 0)
		snprintf(books.what, sizeof(books.what), "%s: %llu, %llu", what,
			 (unsigned long long)a, (unsigned long long)b);
}

static void
number_mbuf(struct rte_mempool *mp, void *arg, void *obj, unsigned index)
{
	struct rte_mbuf *m = obj;

	(void)mp;
	(void)arg;
	m->dynfield1[0] = index;
}

/* An mbuf from the pool is given away. Of a device that went, the library frees what it has. */
static void
given_away(struct rte_mbuf *m)
{
	uint32_t index = m->dynfield1[0];

	pthread_mutex_lock(&books.lock);
	if (index >= NR_MBUFS)
		wrong("an mbuf that was never there", index, 0);
	else if (books.of[index] == LIBRARYS)
		books.freed++;
	books.of[index] = LIBRARYS;
	books.submitted++;
	pthread_mutex_unlock(&books.lock);
}

static void
given_back(struct rte_mbuf *m)
{
	uint32_t index = m->dynfield1[0];

	pthread_mutex_lock(&books.lock);
	if (index >= NR_MBUFS)
		wrong("an mbuf that was never there", index, 0);
	else if (books.of[index] == OURS)
		wrong("an mbuf came back twice", index, books.back);
	books.of[index] = OURS;
	books.back++;
	pthread_mutex_unlock(&books.lock);
}

/* Packets of queue 0 that the library gave back: checked, freed. */
static void
came_back(struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		given_back(pkts[i]);
		if (rte_mbuf_refcnt_read(pkts[i]) != 1)
			wrong("an mbuf with references", rte_mbuf_refcnt_read(pkts[i]), i);
		rte_pktmbuf_free(pkts[i]);
	}
}

/* --- packets ---------------------------------------------------------------- */

static uint32_t
length_of(uint32_t number)
{
	uint32_t x = number * 2654435761u >> 8;

	return LEAST_BYTES + (x % 4 == 0 ? x / 4 % (MOST_BYTES - LEAST_BYTES) : x / 4 % 1400);
}

static void
content_of(uint32_t number, uint8_t *to)
{
	guest_pattern(number, to, length_of(number));
	memcpy(to, &number, sizeof(number));
}

/* Says the number, 0 if it is none of ours. */
static uint32_t
number_of(const uint8_t *from, uint32_t len_bytes, uint8_t *scratch)
{
	uint32_t number;

	memcpy(&number, from, sizeof(number));
	if (len_bytes < LEAST_BYTES || length_of(number) != len_bytes)
		return 0;
	content_of(number, scratch);
	return memcmp(from, scratch, len_bytes) == 0 ? number : 0;
}

/* --- the thread of data ------------------------------------------------------- */

static struct {
	pthread_t thread;
	bool runs;
	volatile bool stop;
	volatile int vid; /* -1: none */
	uint64_t state;
	uint32_t next;	 /* number of the next packet to the guest */
	uint32_t latest; /* from the guest */
	uint64_t taken, faults;
	uint8_t bytes[MOST_BYTES], scratch[MOST_BYTES];
} data;

static uint32_t
below(uint64_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state >> 16) % n);
}

static uint32_t
data_below(uint32_t n)
{
	return below(&data.state, n);
}

static void
change_script(uint16_t queue_id)
{
	struct engine *e = engine_of(queue_id);

	data.faults++;
	switch (data_below(10)) {
	case 0:
		e->room = data_below(40);
		break;
	case 1:
		e->transfer_error = -1 - (int)data_below(100);
		break;
	case 2:
		e->check_error = -1 - (int)data_below(100);
		break;
	case 3:
		e->most = data_below(4);
		break;
	case 4:
		e->drip = 1 + data_below(8);
		break;
	case 5: /* late, as it does not copy by itself */
		engine_mend(queue_id);
		e->at_once = false;
		break;
	case 6:
		engine_copy_half(queue_id);
		break;
	default:
		engine_mend(queue_id);
		break;
	}
}

static void
submit(int vid)
{
	struct rte_mbuf *pkts[BURST], *done[BURST];
	uint32_t nr_done = 77;
	unsigned n = 0, want = 1 + data_below(BURST), taken;

	for (; n < want && rte_mempool_avail_count(pool) > 16; n++) {
		content_of(data.next + n, data.bytes);
		pkts[n] = packet_make(pool, data.bytes, length_of(data.next + n),
				      data_below(2) == 0 ? 0 : 500);
		given_away(pkts[n]);
	}
	taken = rte_vhost_submit_enqueue_burst(vid, 0, pkts, (uint16_t)n, done, &nr_done);
	if (taken > n || nr_done > n)
		wrong("more than were submitted", taken, nr_done);
	came_back(pkts + taken, n - taken);
	came_back(done, nr_done);
	data.next += taken;
}

static void
collect(int vid)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t most = (uint16_t)data_below(BURST + 1);

	came_back(pkts, data_below(4) != 0 ?
			rte_vhost_poll_enqueue_completed(vid, 0, pkts, most) :
			rte_vhost_clear_queue(vid, 0, pkts, most));
}

/* Each once: of a device the next number, of a new device the first. */
static void
from_guest_came(struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *flat = rte_pktmbuf_read(pkts[i], 0, pkts[i]->pkt_len, data.bytes);
		uint32_t number = flat == NULL || pkts[i]->pkt_len > MOST_BYTES ? 0 :
				  number_of(flat, pkts[i]->pkt_len, data.scratch);

		if (number == 0)
			wrong("a packet of the guest is damaged", pkts[i]->pkt_len, data.latest);
		else if (EPOCH(number) == EPOCH(data.latest) ? number != data.latest + 1 :
			 number != EPOCH(number) << 20)
			wrong("a packet of the guest is out of sequence", number, data.latest);
		data.latest = number;
		rte_pktmbuf_free(pkts[i]);
	}
	data.taken += n;
}

static void
take(int vid)
{
	struct rte_mbuf *pkts[BURST];
	int inflight = -77;

	from_guest_came(pkts, rte_vhost_async_try_dequeue_burst(vid, 1, from_guest, pkts,
								(uint16_t)data_below(BURST + 1),
								&inflight));
	if (inflight < -1)
		wrong("the number in flight was not stored", 0, 0);
}

static void
register_channels(int vid)
{
	for (uint16_t queue_id = 0; queue_id < 2; queue_id++)
		(void)rte_vhost_async_channel_register(
			vid, queue_id, engine_config(queue_id == 0 ? 256 : 0), &engine_ops);
}

static void *
data_thread(void *arg)
{
	(void)arg;
	while (!data.stop) {
		int vid = data.vid;

		if (vid < 0) {
			sched_yield();
			continue;
		}
		if (data_below(20) == 0)
			change_script((uint16_t)data_below(2));
		submit(vid);
		collect(vid);
		take(vid);
		if (data_below(100) == 0)
			(void)rte_vhost_async_channel_unregister(vid, (uint16_t)data_below(2));
		if (data_below(50) == 0)
			register_channels(vid);
		if (data_below(4) == 0) {
			engine_copy(0, data_below(20));
			engine_copy(1, data_below(20));
		}
		sched_yield();
	}
	return NULL;
}

static void
stop_data(void)
{
	data.stop = true;
	if (data.runs)
		pthread_join(data.thread, NULL);
	data.runs = false;
}

/* --- the guest and its messages ------------------------------------------------ */

static struct {
	uint64_t state;
	uint32_t epoch;
	uint32_t received; /* number of the latest */
	uint32_t next;	   /* to be sent */
	uint64_t nr_received, events, devices;
	unsigned nr_regions;
} guest;

static bool drains; /* do callbacks collect? */

static void
on_callback(const char *word, int vid)
{
	bool stops = strcmp(word, "-dev") == 0 || strcmp(word, "q0=0") == 0;
	struct rte_mbuf *pkts[BURST];
	unsigned n;

	if (!drains || !stops)
		return;
	engine_mend(0);
	while ((n = rte_vhost_clear_queue_thread_unsafe(vid, 0, pkts, BURST)) > 0)
		came_back(pkts, n);
}

static uint32_t
guest_below(uint32_t n)
{
	return below(&guest.state, n);
}

static void
receive(void)
{
	struct guest_net_hdr hdr;

	while (guest_ring_pending(rx.vq) > 0) {
		int len = guest_rx_recv(&rx, &hdr, bytes, sizeof(bytes), NULL);
		uint32_t number;

		/* The rest of a packet that is not all there would be a half-written one. */
		if (len <= 0)
			tap_fail(__FILE__, __LINE__, "%d from the ring after %llu packets, the latest %u, "
				 "buffers %u", len, (unsigned long long)guest.nr_received,
				 guest.received, hdr.num_buffers);
		number = number_of(bytes, (uint32_t)len, expected);
		CHECK(number != 0);
		CHECK(number > guest.received);
		guest.received = number;
		guest.nr_received++;
	}
	guest_rx_fill(&rx, UINT32_MAX);
}

static void
send(void)
{
	uint32_t cuts[2] = {12, 500};

	CHECK(guest_tx_reap(&tx) >= 0);
	for (unsigned n = guest_below(16); n > 0 && tx.outstanding < 60; n--) {
		content_of(guest.next, bytes);
		tx.vq->indirect = guest_below(2) != 0;
		CHECK(guest_tx_post(&tx, NULL, bytes, length_of(guest.next), cuts,
				    guest_below(3)) >= 0);
		guest.next++;
	}
}

static void
device_up(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_INDIRECT_DESC,
		.ring_size = 256,
	};

	flow_up(&flow, RTE_VHOST_USER_ASYNC_COPY, &config);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, ARENA_BYTES);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, NR_BUFFERS,
			       BUFFER_BYTES), 0);
	rx.touched = true;
	guest_rx_fill(&rx, UINT32_MAX);
	guest.epoch = guest.epoch % MOST_EPOCHS + 1;
	guest.next = guest.epoch << 20;
	guest.nr_regions = 0;
	guest.devices++;
	/* An engine that is still at the packets of the device before has to end first. */
	for (unsigned tries = 0; tries < 1000; tries++) {
		engine_mend(0);
		engine_mend(1);
		register_channels(flow.vid);
		if (rte_vhost_async_get_inflight(flow.vid, 0) >= 0 &&
		    rte_vhost_async_get_inflight(flow.vid, 1) >= 0)
			break;
	}
	CHECK(rte_vhost_async_get_inflight(flow.vid, 0) >= 0);
	data.vid = flow.vid;
}

static void
device_down(void)
{
	/* What is submitted comes back, as long as there is a device. */
	if (guest.devices == 1)
		CHECK_EQ(books.freed, 0);
	flow_down(&flow);
	data.vid = -1;
	guest_rx_fini(&rx);
}

static void
switch_queue(unsigned index)
{
	CHECK_EQ(fe_set_vring_enable(&flow.fe, index, false), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	usleep(guest_below(1000));
	CHECK_EQ(fe_set_vring_enable(&flow.fe, index, true), 0);
}

/* The queue goes on behind what was given back. */
static void
restart_queue(unsigned index)
{
	struct guest_ring *vq = &flow.fe.vqs[index];
	uint32_t base;

	CHECK_EQ(fe_get_vring_base(&flow.fe, index, &base), 0);
	receive();
	CHECK(guest_tx_reap(&tx) >= 0);
	CHECK(flow_base_is(base, vq));
	CHECK_EQ(fe_start_vring(&flow.fe, index), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, index, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
}

static void
change_memory(void)
{
	const struct guest_region_spec more = {
		.gpa = (uint64_t)(1 + guest.nr_regions) << 30, .size_bytes = 1u << 20,
	};

	if (guest.nr_regions == 5)
		return;
	guest.nr_regions++;
	CHECK_EQ(guest_memory_add(&flow.fe.mem, &more), 0);
	CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
}

static void
event(void)
{
	guest.events++;
	drains = guest_below(2) != 0;
	switch (guest_below(8)) {
	case 0:
		device_down();
		device_up();
		break;
	case 1:
	case 2:
		change_memory();
		break;
	case 3:
	case 4:
		restart_queue(guest_below(2));
		break;
	default:
		switch_queue(guest_below(2));
		break;
	}
}

static bool
was_enough(void)
{
	return guest.nr_received > 2000 && data.taken > 1000 && guest.events > 60 &&
	       data.faults > 100;
}

static void
faults_of_all_kinds(void)
{
	uint64_t start = flow_now_us();
	uint64_t until = start + (getenv("VHOST_NG_SOAK") != NULL ? LONG_US : SHORT_US);
	const char *chosen = getenv("FLOW_SEED");
	uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 0) : 1;

	fprintf(stderr, "# FLOW_SEED=%llu\n", (unsigned long long)seed);
	guest.state = (seed + 1) * 0x9e3779b97f4a7c15ull;
	data.state = (seed + 1) * 0xd1342543de82ef95ull;
	data.next = 1;
	data.vid = -1;
	pool = flow_pool(NR_MBUFS, ROOM_BYTES);
	from_guest = flow_pool(NR_MBUFS, ROOM_BYTES);
	CHECK_EQ(rte_mempool_obj_iter(pool, number_mbuf, NULL), NR_MBUFS);
	engine_reset();
	rec_hook = on_callback;
	device_up();
	CHECK_EQ(pthread_create(&data.thread, NULL, data_thread, NULL), 0);
	data.runs = true;
	while (books.wrong == 0 && (flow_now_us() < until ||
				    (!was_enough() && flow_now_us() < start + LIMIT_US))) {
		for (unsigned i = guest_below(50); i > 0; i--) {
			receive();
			send();
			usleep(guest_below(300));
		}
		event();
	}
	stop_data();
	device_down();
	/* What engines were still at when their devices went is freed when they are through. */
	device_up();
	device_down();
	fprintf(stderr, "# %llu devices, %llu messages, %llu changes of engines, packets: %llu submitted, "
		"%llu returned, %llu received, %llu of the guest\n", (unsigned long long)guest.devices,
		(unsigned long long)guest.events, (unsigned long long)data.faults,
		(unsigned long long)books.submitted, (unsigned long long)books.back,
		(unsigned long long)guest.nr_received, (unsigned long long)data.taken);
	CHECK_STR(books.what, "");
	CHECK_EQ(engine_of(0)->wrong + engine_of(1)->wrong, 0);
	CHECK(flow_pool_full(pool));
	CHECK(flow_pool_full(from_guest));
	for (unsigned i = 0; i < NR_MBUFS; i++)
		books.freed += books.of[i] == LIBRARYS;
	CHECK_EQ(books.submitted, books.back + books.freed);
	CHECK(was_enough());
}

static void
teardown(void)
{
	stop_data();
	flow_teardown();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(faults_of_all_kinds),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), NULL, teardown);
}
