/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Live migration, as the source's backend sees it: what is marked, when marking starts and ends, and
 * what the application is told. That the log is exact for any traffic is for differential.c to say.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "flow_main.h"
#include "guest_log.h"
#include "guest_net.h"
#include "packets.h"

#define PAGE GUEST_LOG_PAGE_BYTES
#define MEMORY_BYTES (8u << 20)
#define TAIL_GPA (64u << 20) /* of a region of its own, a page and a half */
#define TAIL_BYTES (PAGE + PAGE / 2)
#define COVERED (TAIL_GPA + 16u * PAGE)
/* What was soiled before, and no pattern: each byte of a packet is a change. */
#define OLD_BYTE 0xa5
#define PKT_BYTES 200

static struct flow flow;
static struct guest_log the_log;
static struct rte_mempool *pool;
static uint8_t data[PKT_BYTES];

/* A data core. What it delivers is not looked at. */
static struct {
	pthread_t thread;
	bool runs, stop;
	uint64_t delivered;
} traffic;

static void *
core(void *arg)
{
	struct rte_mbuf *m = packet_make(pool, data, sizeof(data), 0);

	(void)arg;
	while (!__atomic_load_n(&traffic.stop, __ATOMIC_RELAXED)) {
		if (rte_vhost_enqueue_burst(flow.vid, 0, &m, 1) != 0)
			__atomic_fetch_add(&traffic.delivered, 1, __ATOMIC_RELAXED);
		else
			sched_yield();
	}
	rte_pktmbuf_free(m);
	return NULL;
}

static void
core_start(void)
{
	traffic.stop = false;
	CHECK_EQ(pthread_create(&traffic.thread, NULL, core, NULL), 0);
	traffic.runs = true;
}

static void
core_stop(void)
{
	__atomic_store_n(&traffic.stop, true, __ATOMIC_RELAXED);
	if (traffic.runs)
		pthread_join(traffic.thread, NULL);
	traffic.runs = false;
}

static void
setup(void)
{
	rec_reset();
	if (pool == NULL || !flow_pool_full(pool))
		pool = flow_pool(512, 2048);
	memset(data, 0x33, sizeof(data));
}

static void
teardown(void)
{
	core_stop();
	flow_teardown();
	guest_log_destroy(&the_log);
}

static void
up(void)
{
	static const struct guest_region_spec regions[] = {
		{.gpa = 0, .size_bytes = MEMORY_BYTES},
		{.gpa = TAIL_GPA, .size_bytes = TAIL_BYTES, .mmap_offset_bytes = PAGE},
	};
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
		.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				     1u << FE_PROTOCOL_F_LOG_SHMFD | 1u << FE_PROTOCOL_F_RARP,
		.ring_size = 64,
		.regions = regions,
		.nregions = RTE_DIM(regions),
	};

	flow_up(&flow, 0, &config);
	flow.fe.use_ack = true; /* what was said is done */
	CHECK(flow.fe.protocol_features & 1u << FE_PROTOCOL_F_LOG_SHMFD);
	CHECK(flow.fe.offered & FE_F_LOG_ALL);
	CHECK_EQ(guest_log_create(&the_log, COVERED, 0), 0);
}

static void
set_base(void)
{
	CHECK_EQ(fe_set_log_base(&flow.fe, the_log.fd, the_log.size_bytes, the_log.offset_bytes), 0);
}

static void
set_feature(bool on)
{
	uint64_t bits = flow.fe.features & ~FE_F_LOG_ALL;

	flow.fe.features = bits | (on ? FE_F_LOG_ALL : 0);
	CHECK_EQ(fe_set_features(&flow.fe, flow.fe.features), 0);
}

/* A receive buffer at `gpa`, and then only the device writes. */
static void
post(uint64_t gpa, uint32_t bytes)
{
	const struct guest_seg seg = {gpa, bytes, GUEST_DESC_WRITE};

	guest_fill(&flow.fe.mem, gpa, OLD_BYTE, bytes);
	CHECK(guest_ring_post(&flow.fe.vqs[0], &seg, 1, NULL) >= 0);
	guest_log_snapshot(&the_log, &flow.fe);
}

static void
deliver(void)
{
	struct rte_mbuf *m = packet_make(pool, data, sizeof(data), 0);
	struct guest_used used;

	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 1);
	rte_pktmbuf_free(m);
	CHECK(guest_ring_poll(&flow.fe.vqs[0], &used, NULL));
	CHECK_EQ(used.len_bytes, PKT_BYTES + GUEST_NET_HDR_BYTES);
}

/* A packet into a buffer at `gpa`. */
static void
deliver_to(uint64_t gpa)
{
	post(gpa, 1024);
	deliver();
}

/* Four pages past everything that the rings need. */
static uint64_t
buffer(void)
{
	return guest_alloc(&flow.fe.mem, 4 * PAGE, PAGE);
}

/* Difference: the stock library takes the log address for that of the descriptors, too. */
static bool
used_is_exact(void)
{
	return !(is_stock && flow_packed);
}

static void
nothing_without_a_log(void)
{
	uint64_t base = 1, size = 1;

	up();
	deliver_to(buffer());
	CHECK_EQ(guest_log_count(&the_log), 0);
	CHECK_EQ(rte_vhost_get_log_base(flow.vid, &base, &size), 0);
	CHECK_EQ(base, 0);
	CHECK_EQ(size, 0);
	/* The feature alone has nowhere to mark. */
	set_feature(true);
	deliver_to(buffer());
	rte_vhost_log_write(flow.vid, 0, PAGE);
	rte_vhost_log_used_vring(flow.vid, 0, 0, 4);
	CHECK_EQ(guest_log_count(&the_log), 0);
}

static void
buffers_for_the_feature(void)
{
	uint64_t gpa;

	up();
	gpa = buffer();
	set_base();
	deliver_to(gpa);
	CHECK_EQ(guest_log_count(&the_log), 0);
	set_feature(true);
	deliver_to(gpa);
	CHECK(guest_log_marked(&the_log, gpa));
	CHECK_EQ(guest_log_count(&the_log), 1);
	/* Header and data on either side of a page's end. */
	deliver_to(gpa + PAGE - GUEST_NET_HDR_BYTES);
	CHECK(guest_log_marked(&the_log, gpa));
	CHECK(guest_log_marked(&the_log, gpa + PAGE));
	CHECK_EQ(guest_log_count(&the_log), 2);
	/* To the last byte of a page and no further. */
	deliver_to(gpa + PAGE - GUEST_NET_HDR_BYTES - PKT_BYTES);
	CHECK_EQ(guest_log_count(&the_log), 1);
	deliver_to(gpa + PAGE - GUEST_NET_HDR_BYTES - PKT_BYTES + 1);
	CHECK_EQ(guest_log_count(&the_log), 2);
}

static void
used_ring_for_its_flag(void)
{
	uint64_t gpa;

	up();
	gpa = buffer();
	set_base();
	set_feature(true);
	CHECK_EQ(fe_log_vring(&flow.fe, 0, true, flow.fe.vqs[0].used_gpa), 0);
	deliver_to(gpa);
	if (used_is_exact())
		CHECK_EQ(guest_log_lies(&the_log, &flow.fe.mem), 0);
	CHECK(guest_log_count(&the_log) > 1);
	CHECK_EQ(fe_log_vring(&flow.fe, 0, false, flow.fe.vqs[0].used_gpa), 0);
	deliver_to(gpa);
	CHECK_EQ(guest_log_count(&the_log), 1);
	CHECK(guest_log_marked(&the_log, gpa));
}

/* "Note that this value might be outside the legal guest physical address range." */
static void
used_ring_logged_elsewhere(void)
{
	const uint64_t elsewhere = TAIL_GPA + 8 * PAGE;
	uint64_t gpa, parts_gpa = flow_packed ? 0 : elsewhere;

	if (!used_is_exact())
		tap_skip("the stock library logs a packed ring at its event structure's address");
	up();
	gpa = buffer();
	set_base();
	set_feature(true);
	CHECK_EQ(fe_log_vring(&flow.fe, 0, true, elsewhere), 0);
	deliver_to(gpa);
	/* The descriptors of a packed ring have no log address but their own. */
	if (flow_packed)
		parts_gpa = flow.fe.vqs[0].desc_gpa;
	CHECK(guest_log_marked(&the_log, gpa));
	CHECK(guest_log_marked(&the_log, parts_gpa));
	CHECK_EQ(guest_log_count(&the_log), 2);
	/* Asked for kicks, the device writes to its event structure. */
	guest_log_snapshot(&the_log, &flow.fe);
	CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 0, 1), 0);
	CHECK_EQ(guest_log_marked(&the_log, elsewhere), !is_stock);
	CHECK_EQ(guest_log_count(&the_log), !is_stock);
}

/* What a device writes when it does or does not want kicks. */
static void
kick_suppression(void)
{
	if (is_stock)
		tap_skip("the stock library does not log it");
	for (int event_idx = 0; event_idx < 2; event_idx++) {
		uint64_t more = fe_extra_features;

		fe_extra_features |= event_idx ? FE_F_EVENT_IDX : 0;
		up();
		fe_extra_features = more;
		CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
		for (int on = 1; on >= 0; on--) {
			guest_log_snapshot(&the_log, &flow.fe);
			CHECK_EQ(rte_vhost_enable_guest_notification(flow.vid, 1, on), 0);
			CHECK_EQ(guest_log_lies(&the_log, &flow.fe.mem), 0);
		}
		flow_down(&flow);
		guest_log_destroy(&the_log);
	}
}

/* What the guest sends is read, and only its ring written; nor does a RARP touch the guest. */
static void
reading_marks_no_buffers(void)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct rte_mbuf *m[2];
	struct guest_tx tx;

	up();
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	set_base();
	set_feature(true);
	CHECK_EQ(fe_log_vring(&flow.fe, 1, true, flow.fe.vqs[1].used_gpa), 0);
	CHECK_EQ(fe_send_rarp(&flow.fe, mac), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	guest_log_snapshot(&the_log, &flow.fe);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, m, 2), 1);
	CHECK_EQ(guest_log_count(&the_log), 0);
	rte_pktmbuf_free(m[0]);
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	guest_log_snapshot(&the_log, &flow.fe);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, m, 2), 1);
	if (used_is_exact())
		CHECK_EQ(guest_log_lies(&the_log, &flow.fe.mem), 0);
	CHECK_EQ(guest_log_count(&the_log), 1);
	rte_pktmbuf_free(m[0]);
}

/* A buffer that ends where its region ends, in a page that is memory only by half. */
static void
end_of_a_region(void)
{
	const uint64_t gpa = TAIL_GPA + TAIL_BYTES - PKT_BYTES - GUEST_NET_HDR_BYTES;

	up();
	set_base();
	set_feature(true);
	post(gpa, PKT_BYTES + GUEST_NET_HDR_BYTES);
	deliver();
	CHECK(guest_log_marked(&the_log, gpa));
	CHECK_EQ(guest_log_count(&the_log), 1);
}

/* Once, and not from the file's beginning either. */
static void
offset_in_the_file(void)
{
	static const uint64_t offsets[] = {PAGE, 1, 100, 3 * PAGE - 8};

	if (is_stock)
		tap_skip("the stock library applies the offset twice");
	for (unsigned i = 0; i < RTE_DIM(offsets); i++) {
		up();
		guest_log_destroy(&the_log);
		CHECK_EQ(guest_log_create(&the_log, COVERED, offsets[i]), 0);
		CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
		deliver_to(buffer());
		CHECK_EQ(guest_log_lies(&the_log, &flow.fe.mem), 0);
		CHECK(guest_log_count(&the_log) > 0);
		flow_down(&flow);
		guest_log_destroy(&the_log);
	}
}

/* A frontend with more memory gets itself a larger log. What it answers for is where bits are. */
static void
a_larger_log_takes_over(void)
{
	struct guest_log larger;
	uint64_t gpa;

	up();
	gpa = buffer();
	CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
	deliver_to(gpa);
	CHECK(guest_log_marked(&the_log, gpa));
	CHECK_EQ(guest_log_create(&larger, 2 * COVERED, 0), 0);
	CHECK_EQ(fe_set_log_base(&flow.fe, larger.fd, larger.size_bytes, 0), 0);
	deliver_to(gpa + 2 * PAGE);
	CHECK_EQ(guest_log_count(&the_log), 0);
	CHECK(guest_log_marked(&larger, gpa + 2 * PAGE));
	guest_log_destroy(&larger);
}

/* The application's own writes. */
static void
marking_by_hand(void)
{
	uint64_t base = 0, size = 0, gpa = 5 * PAGE;
	const uint64_t used_gpa = COVERED - 4 * PAGE;

	up();
	CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
	CHECK_EQ(fe_log_vring(&flow.fe, 0, true, used_gpa), 0);
	CHECK_EQ(fe_log_vring(&flow.fe, 1, false, used_gpa), 0);
	CHECK_EQ(rte_vhost_get_log_base(flow.vid, &base, &size), 0);
	CHECK_EQ(size, the_log.size_bytes);
	/* Another mapping of the same bits. */
	guest_log_snapshot(&the_log, &flow.fe);
	the_log.bits[1] = 0x77;
	CHECK_EQ(((const volatile uint8_t *)(uintptr_t)base)[1], 0x77);

	guest_log_snapshot(&the_log, &flow.fe);
	rte_vhost_log_write(flow.vid, gpa + PAGE - 1, 2);
	CHECK(guest_log_marked(&the_log, gpa));
	CHECK(guest_log_marked(&the_log, gpa + PAGE));
	CHECK_EQ(guest_log_count(&the_log), 2);
	rte_vhost_log_write(flow.vid, gpa, 0);
	rte_vhost_log_write(flow.vid, COVERED - 1, 1);
	CHECK_EQ(guest_log_count(&the_log), 3);
	/* Beyond the log, or around the end of all addresses. */
	rte_vhost_log_write(flow.vid, COVERED, 1);
	rte_vhost_log_write(flow.vid, COVERED - PAGE, PAGE + 1);
	rte_vhost_log_write(flow.vid, UINT64_MAX, 1);
	rte_vhost_log_write(-1, 0, 1);
	rte_vhost_log_write(flow.vid + 1, 0, 1);
	CHECK_EQ(guest_log_count(&the_log), 3);
	rte_vhost_log_write(flow.vid, UINT64_MAX - 5, 10);
	rte_vhost_log_write(flow.vid, PAGE, UINT64_MAX);
	CHECK_EQ(guest_log_count(&the_log), 3);

	guest_log_snapshot(&the_log, &flow.fe);
	rte_vhost_log_used_vring(flow.vid, 0, PAGE - 1, 2);
	CHECK(guest_log_marked(&the_log, used_gpa));
	CHECK(guest_log_marked(&the_log, used_gpa + PAGE));
	CHECK_EQ(guest_log_count(&the_log), 2);
	rte_vhost_log_used_vring(flow.vid, 77, 0, 4);
	rte_vhost_log_used_vring(-1, 0, 0, 4);
	rte_vhost_log_used_vring(flow.vid, 1, 0, 4);
	rte_vhost_log_used_vring(flow.vid, 0, 4 * PAGE, 4);
	CHECK_EQ(guest_log_count(&the_log), 2);
}

/* The end of a migration, successful or not. */
static void
the_end_ends_it(void)
{
	uint64_t base = 1, size = 1;

	up();
	CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
	CHECK_EQ(guest_log_stop(&flow.fe), 0);
	deliver_to(buffer());
	CHECK_EQ(guest_log_count(&the_log), 0);
	if (is_stock)
		tap_skip("the stock library keeps the mapping");
	CHECK_EQ(rte_vhost_get_log_base(flow.vid, &base, &size), 0);
	CHECK_EQ(base, 0);
	CHECK_EQ(size, 0);
	/* A second migration is as good as the first. */
	CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
	deliver_to(buffer());
	CHECK_EQ(guest_log_lies(&the_log, &flow.fe.mem), 0);
}

/* Told before it happens, and nothing else: rings keep running. */
static void
application_is_told(void)
{
	char expected[128];
	uint64_t without = 0;

	up();
	without = flow.fe.features;
	rec_reset();
	CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
	CHECK_EQ(guest_log_stop(&flow.fe), 0);
	snprintf(expected, sizeof(expected), "features=%llx features=%llx",
		 (unsigned long long)(without | FE_F_LOG_ALL), (unsigned long long)without);
	CHECK(rec_wait(expected));
}

static void
eventfd_of_the_log(void)
{
	int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	eventfd_t count;

	if (is_stock) {
		close(event);
		tap_skip("the stock library throws the eventfd away");
	}
	up();
	CHECK_EQ(fe_set_log_fd(&flow.fe, event), 0);
	CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
	deliver_to(buffer());
	CHECK_EQ(eventfd_read(event, &count), 0);
	CHECK_EQ(count, 1);
	/* By hand, and then it is old news. */
	rte_vhost_log_write(flow.vid, 7 * PAGE, 1);
	CHECK_EQ(eventfd_read(event, &count), 0);
	rte_vhost_log_write(flow.vid, 7 * PAGE, 1);
	CHECK_EQ(eventfd_read(event, &count), -1);
	close(event);
}

/* --- with traffic ---------------------------------------------------------- */

static uint64_t
delivered(void)
{
	return __atomic_load_n(&traffic.delivered, __ATOMIC_RELAXED);
}

static void
refill(uint64_t gpa)
{
	const struct guest_seg seg = {gpa, 1024, GUEST_DESC_WRITE};
	struct guest_used used;

	while (guest_ring_poll(&flow.fe.vqs[0], &used, NULL))
		;
	while (guest_ring_post(&flow.fe.vqs[0], &seg, 1, NULL) >= 0)
		;
}

/* Until the core has delivered more, into a log that is clean at first. */
static void
let_it_deliver(uint64_t gpa, unsigned more)
{
	uint64_t end = delivered() + more, give_up_us = flow_now_us() + 60 * 1000000;

	while (delivered() < end) {
		refill(gpa);
		sched_yield();
		CHECK(flow_now_us() < give_up_us);
	}
}

static void
started_and_ended_under_traffic(void)
{
	uint64_t gpa;

	if (!used_is_exact())
		tap_skip("the stock library logs a packed ring at its event structure's address");
	up();
	gpa = buffer();
	rec_reset();
	core_start();
	for (unsigned round = 0; round < 20; round++) {
		let_it_deliver(gpa, 5);
		memset(the_log.file, 0, the_log.file_bytes);
		CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
		let_it_deliver(gpa, 5);
		CHECK(guest_log_marked(&the_log, gpa));
		CHECK(guest_log_marked(&the_log, flow_packed ? flow.fe.vqs[0].desc_gpa :
							       flow.fe.vqs[0].used_gpa));
		CHECK_EQ(guest_log_stop(&flow.fe), 0);
		/* From the answer on, not a bit. */
		memset(the_log.file, 0, the_log.file_bytes);
		let_it_deliver(gpa, 5);
		CHECK_EQ(guest_log_count(&the_log), 0);
	}
	core_stop();
	CHECK(strstr(rec_text(), "q0") == NULL && strstr(rec_text(), "dev") == NULL);
}

/* What is there when GET_VRING_BASE is answered is all there is, and all of it is marked. */
static void
complete_when_the_rings_have_stopped(void)
{
	uint64_t gpa;

	if (!used_is_exact())
		tap_skip("the stock library logs a packed ring at its event structure's address");
	for (unsigned round = 0; round < 10; round++) {
		up();
		gpa = buffer();
		CHECK_EQ(guest_log_start(&the_log, &flow.fe), 0);
		for (unsigned i = 0; i < 32; i++) {
			const struct guest_seg seg = {gpa + i * 100, 1024, GUEST_DESC_WRITE};

			CHECK(guest_ring_prepare(&flow.fe.vqs[0], &seg, 1, NULL) >= 0);
		}
		guest_fill(&flow.fe.mem, gpa, OLD_BYTE, 4 * PAGE);
		guest_ring_publish(&flow.fe.vqs[0]);
		guest_log_snapshot(&the_log, &flow.fe);
		core_start();
		usleep(round * 10);
		CHECK_EQ(fe_stop(&flow.fe, NULL), 0);
		CHECK_EQ(guest_log_lies(&the_log, &flow.fe.mem), 0);
		core_stop();
		CHECK_EQ(guest_log_lies(&the_log, &flow.fe.mem), 0);
		flow_down(&flow);
		guest_log_destroy(&the_log);
	}
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(nothing_without_a_log),
		FLOW_TEST(buffers_for_the_feature),
		FLOW_TEST(used_ring_for_its_flag),
		FLOW_TEST(used_ring_logged_elsewhere),
		FLOW_TEST(kick_suppression),
		FLOW_TEST(reading_marks_no_buffers),
		FLOW_TEST(end_of_a_region),
		FLOW_TEST(offset_in_the_file),
		FLOW_TEST(a_larger_log_takes_over),
		FLOW_TEST(marking_by_hand),
		FLOW_TEST(the_end_ends_it),
		FLOW_TEST(application_is_told),
		FLOW_TEST(eventfd_of_the_log),
		FLOW_TEST(started_and_ended_under_traffic),
		FLOW_TEST(complete_when_the_rings_have_stopped),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
