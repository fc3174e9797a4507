/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest comes by postcopy: its memory is elsewhere when its rings start, and comes page by page
 * while packets move. A frontend serves what the backend and the guest driver ask for.
 */
#include <errno.h>
#include <poll.h>

#include "flow_main.h"
#include "guest_net.h"
#include "guest_postcopy.h"
#include "packets.h"

#define BURST 32
#define BORDER (8u << 20)
#define ARENA_BYTES (4u << 20)
#define WAITING 20 /* packets that the guest had sent before it left */
#define PATIENCE_US 60000000

static struct flow flow;
static struct guest_postcopy source;
static struct rte_mempool *pool;
static struct guest_tx tx;
static struct guest_rx rx;
static uint32_t sent, at_host, back; /* packets; the first were sent before the guest left */

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

/* Beside the rings and buffers: something that nobody touches. */
#define STILL_GPA (BORDER + BORDER / 2)
#define STILL_BYTES 200000u

static void
check_still(void)
{
	static uint8_t want[STILL_BYTES], got[STILL_BYTES];

	guest_pattern(77, want, STILL_BYTES);
	guest_read(&flow.fe.mem, STILL_GPA, got, STILL_BYTES);
	CHECK(memcmp(want, got, STILL_BYTES) == 0);
}

/*
 * Up to where QEMU is when the guest runs at its new place: packets wait in the rings, all memory
 * is elsewhere, nothing is served yet.
 */
static void
leave(uint64_t more_protocol_features)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
		.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				     1u << FE_PROTOCOL_F_PAGEFAULT | more_protocol_features,
		.ring_size = 64,
		.regions = regions,
		.nregions = 2,
	};
	static uint8_t data[2048], still[STILL_BYTES];

	rec_reset();
	flow.path = flow_serve(RTE_VHOST_USER_POSTCOPY_SUPPORT);
	fe_init(&flow.fe);
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_negotiate(&flow.fe, &config), 0);
	CHECK((flow.fe.protocol_features & (1u << FE_PROTOCOL_F_PAGEFAULT)) != 0);
	CHECK_EQ(fe_build(&flow.fe, &config), 0);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, ARENA_BYTES);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 32, 1526), 0);
	guest_rx_fill(&rx, UINT32_MAX);
	guest_pattern(77, still, STILL_BYTES);
	guest_write(&flow.fe.mem, STILL_GPA, still, STILL_BYTES);
	at_host = back = 0;
	for (sent = 0; sent < WAITING; sent++) {
		guest_pattern(sent, data, 60 + sent);
		CHECK(guest_tx_send(&tx, NULL, data, 60 + sent) >= 0);
	}
	CHECK_EQ(guest_postcopy_begin(&source, &flow.fe), 0);
}

static void
arrive(void)
{
	const struct fe_config config = {0};

	CHECK_EQ(guest_postcopy_serve(&source), 0);
	CHECK_EQ(fe_start(&flow.fe, &config), 0);
	CHECK(rec_wait_tail("+dev"));
	flow.vid = rec_vid();
	flow.fe.use_ack = true;
}

static void
down(void)
{
	guest_postcopy_fini(&source);
	guest_rx_fini(&rx);
	flow_down(&flow);
	flow_teardown();
}

/* --- traffic ----------------------------------------------------------- */

/* What the host gets of what the guest sends goes back to it. */
static void
host_echoes(void)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n = rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST);

	for (unsigned i = 0; i < n; i++, at_host++)
		CHECK(packet_is_pattern(pkts[i], at_host, 60 + at_host % 1400));
	/* It has buffers for all of them. */
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, pkts, (uint16_t)n), n);
	rte_pktmbuf_free_bulk(pkts, n);
}

static bool
guest_receives(void)
{
	static uint8_t got[2048], want[2048];
	struct guest_net_hdr hdr;
	int n = guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL);

	if (n == -EAGAIN)
		return false;
	CHECK_EQ(n, 60 + back % 1400);
	guest_pattern(back, want, (uint32_t)n);
	CHECK(memcmp(want, got, (size_t)n) == 0);
	back++;
	guest_rx_fill(&rx, UINT32_MAX);
	return true;
}

/* Packets go round until `until` says so, and all that were sent have come back. */
static void
traffic(bool (*until)(void))
{
	static uint8_t data[2048];
	uint64_t since_us = flow_now_us();
	bool over = false;

	while (!over || back != sent) {
		over = over || until();
		while (!over && sent - back < 16) {
			guest_pattern(sent, data, 60 + sent % 1400);
			if (guest_tx_send(&tx, NULL, data, 60 + sent % 1400) < 0)
				break;
			sent++;
		}
		host_echoes();
		while (guest_receives())
			;
		CHECK(guest_tx_reap(&tx) >= 0);
		if (flow_now_us() - since_us > PATIENCE_US)
			tap_fail(__FILE__, __LINE__, "%u sent, %u at the host, %u back", sent,
				 at_host, back);
	}
}

static bool
at_once(void)
{
	return true;
}

static bool
all_has_come(void)
{
	return guest_postcopy_complete(&source);
}

static unsigned rounds;

static bool
some_rounds(void)
{
	return ++rounds > 200;
}

/* --- tests ------------------------------------------------------------- */

/* Nothing comes unless it is asked for: the backend finds every packet all the same. */
static void
pages_that_are_asked_for(void)
{
	leave(0);
	arrive();
	traffic(at_once);
	/* The rings and each packet's pages were the backend's to ask for: it came first. */
	CHECK(source.asked_by_backend > 3);
	check_still();
	CHECK(source.asked_by_guest > 3);
	down();
}

/* Until all is here, over it, and on. */
static void
packets_move_meanwhile(uint64_t protocol_features)
{
	leave(protocol_features);
	arrive();
	traffic(at_once);
	guest_postcopy_push(&source);
	traffic(all_has_come);
	CHECK_EQ(fe_postcopy_end(&flow.fe), 0);
	rounds = 0;
	traffic(some_rounds);
	CHECK(sent > 500);
	check_still();
	CHECK_EQ(fe_sync(&flow.fe), 0);
	down();
}

static void
with_a_table(void)
{
	packets_move_meanwhile(0);
}

static void
with_slots(void)
{
	if (is_stock)
		tap_skip("the stock library has no memory slots");
	packets_move_meanwhile(1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
}

static void *
dequeue_once(void *arg)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n = rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST);

	rte_pktmbuf_free_bulk(pkts, n);
	__atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool
has_waiter(void *arg)
{
	struct pollfd pfd = {.fd = source.backend_uffd, .events = POLLIN};

	(void)arg;
	return poll(&pfd, 1, 0) == 1;
}

/* The frontend is gone while a thread waits for a page that it has: the thread goes on. */
static void
hangs_up_while_a_burst_waits(void)
{
	bool done = false;
	pthread_t thread;

	if (is_stock)
		tap_skip("the stock library waits for ever");
	leave(0);
	arrive();
	guest_postcopy_stop(&source);
	CHECK_EQ(pthread_create(&thread, NULL, dequeue_once, &done), 0);
	CHECK(flow_wait_until(has_waiter, NULL, 20000));
	CHECK(!__atomic_load_n(&done, __ATOMIC_ACQUIRE));
	fe_disconnect(&flow.fe);
	pthread_join(thread, NULL);
	CHECK(rec_wait_tail("-conn"));
	CHECK(flow_pool_full(pool));
	down();
}

/* The flag, and nothing else, offers it. */
static void
is_offered_on_request(void)
{
	for (unsigned i = 0; i < 2; i++) {
		uint64_t offered = 0;

		rec_reset();
		flow.path = flow_serve(i != 0 ? RTE_VHOST_USER_POSTCOPY_SUPPORT : 0);
		CHECK_EQ(rte_vhost_driver_get_protocol_features(flow.path, &offered), 0);
		CHECK_EQ(offered >> FE_PROTOCOL_F_PAGEFAULT & 1, i);
		flow_unserve(flow.path);
	}
}

static const struct flow_test tests[] = {
	FLOW_TEST(is_offered_on_request),
	FLOW_TEST(pages_that_are_asked_for),
	FLOW_TEST(with_a_table),
	FLOW_TEST(with_slots),
	FLOW_TEST(hangs_up_while_a_burst_waits),
};

int
main(int argc, char **argv)
{
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
