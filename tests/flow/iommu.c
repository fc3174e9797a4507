/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest behind a vIOMMU. The harness's guest addresses are I/O virtual ones here; the physical
 * ones, which the memory table has, lie BELOW them. The frontend translates page by page, when it
 * is asked, and takes back what it likes: then nobody may touch that memory any more.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow_main.h"
#include "guest_log.h"
#include "guest_net.h"
#include "packets.h"

#define BURST 32
#define PAGE 4096u
#define PAGES (MEMORY_BYTES / PAGE)
#define MEMORY_BYTES (8u << 20)
#define BELOW (UINT64_C(1) << 40)
#define RW (FE_IOTLB_READ | FE_IOTLB_WRITE)

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_tx tx;
static struct guest_rx rx;
/* What the guest allows, and what we have been told of it. */
static uint8_t allowed[PAGES];
static unsigned misses, refused, answered;

static const struct guest_region_spec region = {.gpa = BELOW, .size_bytes = MEMORY_BYTES};

static const struct fe_config config = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_ACCESS_PLATFORM | FE_F_INDIRECT_DESC,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
			     1u << FE_PROTOCOL_F_BACKEND_REQ | 1u << FE_PROTOCOL_F_LOG_SHMFD,
	.ring_size = 64,
	.regions = &region,
	.nregions = 1,
};

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(512, 2048);
	memset(allowed, RW, sizeof(allowed));
	misses = refused = answered = 0;
}

static int
tell(uint8_t type, uint64_t iova, uint64_t size_bytes, uint8_t access)
{
	uint64_t uva = type == FE_IOTLB_UPDATE ? guest_uva(&flow.fe.mem, iova) : 0;

	return fe_iotlb(&flow.fe, type, iova, size_bytes, uva, access);
}

/* One question, if there is one within the time. */
static bool
question(struct fe_iotlb *ask, int timeout_ms)
{
	const int usual_ms = flow.fe.timeout_ms;
	struct fe_msg msg;
	int ret;

	flow.fe.timeout_ms = timeout_ms;
	ret = fe_recv_backend(&flow.fe, &msg);
	flow.fe.timeout_ms = usual_ms;
	if (ret < 0)
		return false;
	CHECK_EQ(msg.header.request, 1);
	CHECK_EQ(msg.header.size_bytes, sizeof(*ask));
	memcpy(ask, msg.bytes, sizeof(*ask));
	CHECK(ask->iova >= BELOW && ask->iova < BELOW + MEMORY_BYTES);
	CHECK(ask->access != 0);
	return true;
}

/* Answers what there is to answer; false when there was nothing. */
static bool
serve(int timeout_ms)
{
	struct fe_iotlb ask;
	uint64_t page;

	if (!question(&ask, timeout_ms))
		return false;
	if (ask.type == FE_IOTLB_ACCESS_FAIL) {
		refused++;
		return true;
	}
	CHECK_EQ(ask.type, FE_IOTLB_MISS);
	misses++;
	page = (ask.iova - BELOW) / PAGE;
	if ((allowed[page] & ask.access) == ask.access) {
		CHECK_EQ(tell(FE_IOTLB_UPDATE, BELOW + page * PAGE, PAGE, allowed[page]), 0);
		answered++;
	}
	return true;
}

/* Everything but the device's start, which needs the rings to be asked for. */
static void
connect_with(uint64_t flags, bool backend_socket)
{
	struct guest_memory physical;

	flow.path = flow_serve(flags);
	fe_init(&flow.fe);
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_negotiate(&flow.fe, &config), 0);
	CHECK_EQ(fe_build(&flow.fe, &config), 0);
	if (backend_socket)
		CHECK_EQ(fe_set_backend_req_fd(&flow.fe), 0);
	physical = flow.fe.mem;
	physical.regions[0].gpa -= BELOW;
	CHECK_EQ(fe_set_mem_table(&flow.fe, &physical), 0);
}

static void
start_ring(unsigned index)
{
	struct guest_ring *vq = &flow.fe.vqs[index];
	const struct fe_vring_addr addr = {
		.index = index,
		.desc_uva = vq->desc_gpa,
		.used_uva = vq->used_gpa,
		.avail_uva = vq->avail_gpa,
		.log_gpa = vq->used_gpa,
	};

	CHECK_EQ(fe_set_vring_num(&flow.fe, index, vq->size), 0);
	CHECK_EQ(fe_set_vring_base(&flow.fe, index, guest_ring_base(vq)), 0);
	CHECK_EQ(fe_set_vring_addr(&flow.fe, &addr), 0);
	CHECK_EQ(fe_set_vring_kick(&flow.fe, index, vq->kickfd), 0);
	CHECK_EQ(fe_set_vring_call(&flow.fe, index, vq->callfd), 0);
}

static void
start_rings(void)
{
	for (unsigned i = 0; i < 2; i++)
		start_ring(i);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(fe_set_vring_enable(&flow.fe, i, true), 0);
}

static void
use_rings(void)
{
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 32, 1526), 0);
}

static void
up(void)
{
	if (is_stock && flow_packed)
		tap_skip("the stock library gives back chains that nobody sent");
	rec_reset();
	connect_with(RTE_VHOST_USER_IOMMU_SUPPORT | RTE_VHOST_USER_NET_STATS_ENABLE, true);
	CHECK(flow.fe.features & FE_F_ACCESS_PLATFORM);
	use_rings();
	start_rings();
	/* Its rings are asked for; until they are there is no device. */
	while (strstr(rec_text(), "+dev") == NULL)
		serve(100);
	flow.vid = rec_vid();
	rec_reset();
}

static void
down(void)
{
	guest_rx_fini(&rx);
	flow_down(&flow);
}

static void
teardown(void)
{
	flow_echo_stop();
	flow_teardown();
}

static uint8_t *
page_of(unsigned page)
{
	return guest_ptr(&flow.fe.mem, BELOW + page * PAGE, PAGE);
}

/*
 * Takes a page back. From the answer on it is somebody else's: what we read there would be wrong,
 * what we wrote would be seen.
 */
static void
steal(unsigned page)
{
	static uint8_t before[PAGE], garbage[PAGE];

	memset(garbage, 0xdb, sizeof(garbage));
	allowed[page] = 0;
	CHECK_EQ(tell(FE_IOTLB_INVALIDATE, BELOW + page * PAGE, PAGE, 0), 0);
	memcpy(before, page_of(page), PAGE);
	memset(page_of(page), 0xdb, PAGE);
	for (unsigned i = 0; i < 20; i++)
		sched_yield(); /* let the device try */
	CHECK(memcmp(page_of(page), garbage, PAGE) == 0);
	memcpy(page_of(page), before, PAGE);
	allowed[page] = RW;
}

/* One round of a guest that sends and checks what comes back; false when nothing moved. */
static bool
guest_step(uint32_t *sent, uint32_t *received, uint32_t limit)
{
	static uint8_t data[1500], got[1600];
	struct guest_net_hdr hdr;
	bool moved = false;
	int n;

	guest_rx_fill(&rx, UINT32_MAX);
	while (*sent < limit && *sent - *received < 16) {
		uint32_t len = 60 + *sent % 1400;

		guest_pattern(*sent, data, len);
		if (guest_tx_send(&tx, NULL, data, len) < 0)
			break;
		(*sent)++;
		moved = true;
	}
	CHECK(guest_tx_reap(&tx) >= 0);
	while ((n = guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL)) != -EAGAIN) {
		CHECK_EQ(n, 60 + *received % 1400);
		guest_pattern(*received, data, (uint32_t)n);
		CHECK(memcmp(data, got, (size_t)n) == 0);
		(*received)++;
		moved = true;
	}
	return moved;
}

static void
exchange(uint32_t packets, unsigned steal_every)
{
	uint32_t sent = 0, received = 0, used_pages = 0;
	uint64_t idle_since = flow_now_us();

	for (unsigned i = 0; i < MEMORY_BYTES / PAGE; i++)
		used_pages = i * PAGE < flow.fe.mem.regions[0].used_bytes ? i + 1 : used_pages;
	flow_echo_start(flow.vid, pool);
	for (uint32_t round = 1; received < packets; round++) {
		bool moved = guest_step(&sent, &received, packets);

		while (serve(0))
			moved = true;
		if (steal_every != 0 && round % steal_every == 0)
			steal(round / steal_every * 7919u % used_pages);
		if (moved)
			idle_since = flow_now_us();
		else
			sched_yield();
		if (flow_now_us() - idle_since > 20000000)
			tap_fail(__FILE__, __LINE__, "%u sent, %u came back, %u of %u misses "
				 "answered, then nothing for 20 s", sent, received, answered, misses);
	}
	flow_echo_stop();
	CHECK(flow_pool_full(pool));
	/* Difference: the stock library tells the application of each ring that goes and comes. */
	if (!is_stock)
		CHECK_STR(rec_text(), "");
}

static void
traffic(void)
{
	up();
	exchange(5000, 0);
	/* It was asked for, and what was translated stayed. */
	CHECK(misses > 0);
	CHECK(misses < 1000);
	down();
}

/* A page is taken away all the time, of the rings, too. */
static void
traffic_while_pages_go(void)
{
	up();
	exchange(5000, 3);
	CHECK(misses > 100);
	down();
}

/* The same through tables of descriptors, which are read wherever they are. */
static void
tables_of_descriptors(void)
{
	up();
	flow.fe.vqs[0].indirect = flow.fe.vqs[1].indirect = true;
	exchange(3000, 5);
	down();
}

static void
only_when_asked_for(void)
{
	rec_reset();
	connect_with(0, true);
	CHECK((flow.fe.offered & FE_F_ACCESS_PLATFORM) == 0);
	use_rings();
	/* Without it there is nothing to translate. */
	if (!is_stock)
		CHECK(tell(FE_IOTLB_UPDATE, BELOW, PAGE, RW) != 0);
	fe_disconnect(&flow.fe);
	guest_rx_fini(&rx);
	fe_close(&flow.fe);
	flow_unserve(flow.path);
}

/* Nobody to ask, but the frontend says it all by itself. */
static void
told_without_being_asked(void)
{
	if (is_stock && flow_packed)
		tap_skip("the stock library gives back chains that nobody sent");
	rec_reset();
	connect_with(RTE_VHOST_USER_IOMMU_SUPPORT, false);
	use_rings();
	start_rings();
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), "+conn");
	CHECK_EQ(tell(FE_IOTLB_UPDATE, BELOW, MEMORY_BYTES, RW), 0);
	CHECK(rec_wait_tail("+dev"));
	flow.vid = rec_vid();
	rec_reset();
	exchange(500, 0);
	down();
}

static void
send_one(uint32_t len)
{
	static uint8_t data[1500];

	guest_pattern(len, data, len);
	CHECK(guest_tx_send(&tx, NULL, data, len) >= 0);
}

static unsigned
dequeue(void)
{
	struct rte_mbuf *m[BURST];
	unsigned n = rte_vhost_dequeue_burst(flow.vid, 1, pool, m, BURST);

	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static unsigned
enqueue(void)
{
	struct rte_mbuf *m = packet_pattern(pool, 1, 100, 0);
	unsigned n = rte_vhost_enqueue_burst(flow.vid, 0, &m, 1);

	rte_pktmbuf_free(m);
	return n;
}

/* A question without an answer stops one queue, and is asked once. */
static void
never_answered(void)
{
	struct fe_iotlb ask;
	unsigned asked = 0;

	up();
	guest_rx_fill(&rx, 8);
	/* On a page of its own, that nobody has asked for. */
	tx.next_bytes = 16 * PAGE;
	send_one(700);
	for (unsigned i = 0; i < 1000; i++) {
		CHECK_EQ(dequeue(), 0);
		if (question(&ask, 0))
			asked++;
	}
	CHECK(asked >= 1);
	if (!is_stock)
		CHECK(asked <= 2); /* header and data may lie on two pages */
	/* The other queue does not wait for it. */
	while (enqueue() == 0)
		while (serve(0))
			;
	CHECK_EQ(dequeue(), 0);
	CHECK_EQ(tell(FE_IOTLB_UPDATE, (tx.arena_gpa + 16 * PAGE) & ~(uint64_t)(PAGE - 1), 2 * PAGE,
		      RW), 0);
	CHECK_EQ(dequeue(), 1);
	down();
}

/*
 * Memory that the guest lets us read only: not a byte is written, the buffer goes back empty, and
 * the frontend hears of it. Difference: the stock library asks for more again and again.
 */
static void
permission_is_honoured(void)
{
	uint64_t first;
	struct guest_used used;
	struct guest_seg seg = {.len_bytes = 500, .flags = GUEST_DESC_WRITE};

	if (is_stock)
		tap_skip("the stock library waits for more rights");
	up();
	first = (MEMORY_BYTES - 16 * PAGE) / PAGE;
	memset(&allowed[first], FE_IOTLB_READ, 8);
	seg.gpa = BELOW + first * PAGE;
	CHECK_EQ(tell(FE_IOTLB_UPDATE, seg.gpa, 8 * PAGE, FE_IOTLB_READ), 0);
	guest_fill(&flow.fe.mem, seg.gpa, 0x5a, seg.len_bytes);
	CHECK(guest_ring_post(&flow.fe.vqs[0], &seg, 1, NULL) >= 0);
	CHECK_EQ(enqueue(), 0);
	CHECK(guest_ring_poll(&flow.fe.vqs[0], &used, NULL));
	CHECK_EQ(used.len_bytes, 0);
	for (unsigned i = 0; i < seg.len_bytes; i++)
		CHECK_EQ(*(uint8_t *)guest_ptr(&flow.fe.mem, seg.gpa + i, 1), 0x5a);
	while (serve(100) && refused == 0)
		;
	CHECK_EQ(refused, 1);
	/* Sending from what may only be written: nothing leaves. */
	seg.flags = 0;
	CHECK_EQ(tell(FE_IOTLB_UPDATE, seg.gpa, 8 * PAGE, FE_IOTLB_WRITE), 0);
	CHECK(guest_ring_post(&flow.fe.vqs[1], &seg, 1, NULL) >= 0);
	CHECK_EQ(dequeue(), 0);
	CHECK(guest_ring_poll(&flow.fe.vqs[1], &used, NULL));
	while (serve(100) && refused == 1)
		;
	CHECK_EQ(refused, 2);
	down();
}

/* The log of a migration is by physical address, whatever address the guest used. */
static void
logged_where_it_is(void)
{
	uint64_t buffer, marked = 0;
	struct guest_log log;

	if (is_stock)
		tap_skip("the stock library wants its own order of messages for this");
	up();
	CHECK_EQ(guest_log_create(&log, MEMORY_BYTES, 0), 0);
	CHECK_EQ(fe_set_log_base(&flow.fe, log.fd, log.size_bytes, log.offset_bytes), 0);
	CHECK_EQ(fe_set_features(&flow.fe, flow.fe.features | FE_F_LOG_ALL), 0);
	CHECK_EQ(guest_rx_fill(&rx, 1), 1);
	while (enqueue() == 0)
		while (serve(0))
			;
	buffer = rx.buffers[0].gpa - BELOW;
	for (uint64_t at = 0; at < MEMORY_BYTES; at += PAGE) {
		if (!guest_log_marked(&log, at))
			continue;
		CHECK(at + PAGE > buffer && at < buffer + 12 + 100);
		marked++;
	}
	CHECK(marked >= 1);
	guest_log_destroy(&log);
	down();
}

/* A guest that starts again is translated anew. */
static void
restarted(void)
{
	up();
	exchange(200, 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(fe_stop(&flow.fe, NULL), 0);
		CHECK(rec_wait("-dev q0=0 q1=0"));
		rec_reset();
		start_rings();
		misses = 0;
		while (strstr(rec_text(), "+dev") == NULL)
			serve(100);
		CHECK(misses > 0);
		rec_reset();
		exchange(200, 0);
	}
	down();
}

static bool
all_came_back(void *arg)
{
	return guest_tx_reap(arg) >= 0 && tx.outstanding == 0;
}

/* What is thrown away need not be there; the ring has to, and is asked for at the kick. */
static void
queue_that_is_off(void)
{
	const struct guest_seg nowhere = {.gpa = BELOW + MEMORY_BYTES - PAGE, .len_bytes = 100};
	uint8_t data[60] = {0};
	struct guest_used used;
	struct guest_ring *vq;
	int tries = 100;

	if (is_stock)
		tap_skip("the stock library leaves them in the ring");
	up();
	vq = &flow.fe.vqs[1];
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, false), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK(guest_ring_post(vq, &nowhere, 1, NULL) >= 0);
	guest_ring_kick(vq);
	CHECK(guest_ring_wait(vq, &used, NULL, 10000));
	CHECK_EQ(tell(FE_IOTLB_INVALIDATE, vq->used_gpa / PAGE * PAGE, PAGE, 0), 0);
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	guest_ring_kick(vq);
	while (!all_came_back(&tx) && tries-- > 0)
		serve(100);
	CHECK(all_came_back(&tx));
	down();
}

static void
counted(void)
{
	struct rte_vhost_stat_name names[64];
	struct rte_vhost_stat values[64];
	int n;

	if (is_stock)
		tap_skip("the stock library counts every look at its cache");
	up();
	exchange(100, 2);
	n = rte_vhost_vring_stats_get_names(flow.vid, 1, names, 64);
	CHECK(n > 0 && rte_vhost_vring_stats_get(flow.vid, 1, values, 64) == n);
	for (int i = 0; i < n; i++)
		if (strstr(names[i].name, "iotlb_misses") != NULL)
			CHECK(values[i].value > 0);
	down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(traffic),
		FLOW_TEST(traffic_while_pages_go),
		FLOW_TEST(tables_of_descriptors),
		FLOW_TEST(only_when_asked_for),
		FLOW_TEST(told_without_being_asked),
		FLOW_TEST(never_answered),
		FLOW_TEST(permission_is_honoured),
		FLOW_TEST(logged_where_it_is),
		FLOW_TEST(restarted),
		FLOW_TEST(queue_that_is_off),
		FLOW_TEST(counted),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
