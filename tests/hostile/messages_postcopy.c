/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile frontend: postcopy that is never finished, never begun, or never served.
 */
#include <poll.h>
#include <pthread.h>

#include "guest_postcopy.h"
#include "line.h"

static const struct fe_config postcopy_config = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
			     1u << FE_PROTOCOL_F_PAGEFAULT,
	.regions = &line_region,
	.nregions = 1,
	.ring_size = RING_SIZE,
};

static struct guest_postcopy source;

static void serve_postcopy(void)
{
	rec_reset();
	fe_init(&line);
	line_path = strdup(flow_serve(RTE_VHOST_USER_POSTCOPY_SUPPORT));
}

/* Negotiated, memory and rings built; then it is all taken away, and the backend listens. */
static void listening(void)
{
	line_negotiated(&postcopy_config);
	CHECK_EQ(guest_postcopy_begin(&source, &line), 0);
}

static void postcopy_down(void)
{
	guest_postcopy_fini(&source);
	line_down();
}

/* Told where memory will be, the frontend says nothing, or all the same things again, and goes. */
static void never_acknowledges(void)
{
	serve_postcopy();
	for (unsigned int round = 0; round < 20; round++) {
		unsigned int maps;

		listening();
		CHECK_EQ(fe_offer_memory(&line, &line.mem), 0);
		maps = rig_count_maps();
		for (unsigned int i = 0; i < 50; i++)
			CHECK_EQ(fe_offer_memory(&line, &line.mem), 0);
		/* Only the last is kept. */
		CHECK_EQ(rig_count_maps(), maps);
		/* It is not there: rings cannot lie in it. */
		CHECK_EQ(fe_start_vring(&line, 0), 1);
		guest_postcopy_fini(&source);
		line_hang_up();
	}
	postcopy_down();
}

static void acknowledges_twice(void)
{
	const uint64_t bad = 1;

	serve_postcopy();
	listening();
	/* Before there is anything, with bad news, and once too often. */
	refused_u64(&line, FE_SET_MEM_TABLE, 0);
	CHECK_EQ(fe_offer_memory(&line, &line.mem), 0);
	refused(&line, FE_SET_MEM_TABLE, &bad, sizeof(bad), NULL, 0);
	refused(&line, FE_SET_MEM_TABLE, &bad, 7, NULL, 0);
	CHECK_EQ(fe_ack_memory(&line), 0);
	refused_u64(&line, FE_SET_MEM_TABLE, 0);
	refused(&line, FE_SET_MEM_TABLE, NULL, 0, NULL, 0);
	guest_postcopy_fini(&source);
	line_hang_up();
	postcopy_down();
}

static void out_of_order(void)
{
	int uffd = -1;

	serve_postcopy();
	line_negotiated(&postcopy_config);
	CHECK_EQ(fe_postcopy_end(&line), 1);
	refused(&line, FE_POSTCOPY_LISTEN, NULL, 0, NULL, 0);
	CHECK_EQ(fe_postcopy_advise(&line, &uffd), 0);
	/* Memory that may have been touched cannot be waited for (F37). */
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
	refused(&line, FE_POSTCOPY_LISTEN, NULL, 0, NULL, 0);
	CHECK_EQ(fe_postcopy_end(&line), 0);
	CHECK_EQ(fe_postcopy_end(&line), 1);
	close(uffd);
	line_hang_up();
	postcopy_down();
}

static void many_advises(void)
{
	unsigned int open;
	int uffd = -1;

	serve_postcopy();
	line_negotiated(&postcopy_config);
	CHECK_EQ(fe_postcopy_advise(&line, &uffd), 0);
	open = rig_count_fds();
	for (unsigned int i = 0; i < 5000; i++) {
		close(uffd);
		CHECK_EQ(fe_postcopy_advise(&line, &uffd), 0);
	}
	CHECK_EQ(rig_count_fds(), open);
	close(uffd);
	line_hang_up();
	postcopy_down();
}

/* LISTEN and END, over and over: each pair starts and ends a thread. */
static void many_begins(void)
{
	serve_postcopy();
	line_negotiated(&postcopy_config);
	for (unsigned int i = 0; i < 300; i++) {
		int uffd = -1;

		CHECK_EQ(fe_postcopy_advise(&line, &uffd), 0);
		CHECK_EQ(fe_postcopy_listen(&line), 0);
		/* The userfaultfd that is in use stays. */
		CHECK_EQ(fe_postcopy_end(&line), 0);
		close(uffd);
	}
	line_hang_up();
	postcopy_down();
}

/* --- pages that never come ---------------------------------------------- */

static int vid;

static void *burst(void *arg)
{
	struct rte_mbuf *pkts[BURST];
	unsigned int n = rte_vhost_dequeue_burst(vid, 1, rig.pool, pkts, BURST);

	rte_pktmbuf_free_bulk(pkts, n);
	__atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool asks_for_a_page(void *arg)
{
	struct pollfd pfd = { .fd = source.backend_uffd, .events = POLLIN };

	(void)arg;
	return poll(&pfd, 1, 0) == 1;
}

/* The device runs; then pages come no more, and a data thread sleeps on one. */
static pthread_t stuck_thread(bool *done)
{
	static const struct fe_config all = { 0 };
	pthread_t thread;

	listening();
	CHECK_EQ(guest_postcopy_serve(&source), 0);
	CHECK_EQ(fe_start(&line, &all), 0);
	CHECK(rec_wait_tail("+dev"));
	vid = rec_vid();
	guest_postcopy_stop(&source);
	*done = false;
	CHECK_EQ(pthread_create(&thread, NULL, burst, done), 0);
	CHECK(flow_wait_until(asks_for_a_page, NULL, TIMEOUT_MS));
	CHECK(!__atomic_load_n(done, __ATOMIC_ACQUIRE));
	return thread;
}

/* Every time for nothing: the socket takes the next guest. */
static void never_gives_a_page_and_goes(void)
{
	serve_postcopy();
	for (unsigned int i = 0; i < 10; i++) {
		bool done;
		pthread_t thread = stuck_thread(&done);

		fe_disconnect(&line);
		pthread_join(thread, NULL);
		CHECK(rec_wait_tail("-conn"));
		guest_postcopy_fini(&source);
		fe_close(&line);
	}
	postcopy_down();
}

/* It stays, and asks for answers. It loses its device, and the socket its offer. */
static void never_gives_a_page_and_stays(void)
{
	uint64_t offered;
	pthread_t thread;
	bool done;

	serve_postcopy();
	thread = stuck_thread(&done);
	CHECK(fe_closed_by_backend(&line, 60000));
	pthread_join(thread, NULL);
	CHECK(rec_wait_tail("-conn"));
	/* Nothing of what we read instead is in the guest's memory. */
	CHECK_EQ(lseek(line.mem.regions[0].fd, REGION_BYTES / 2, SEEK_DATA), -1);
	guest_postcopy_fini(&source);
	fe_close(&line);
	line_dial();
	CHECK_EQ(fe_get_protocol_features(&line, &offered), 0);
	CHECK_EQ(offered >> FE_PROTOCOL_F_PAGEFAULT & 1, 0);
	line_hang_up();
	/* Guests of the usual kind are welcome. */
	line_dial();
	CHECK_EQ(fe_setup(&line, &line_config), 0);
	CHECK(rec_wait_tail("+dev"));
	line_hang_up();
	postcopy_down();
}

/* The page is one of a ring, which the loop thread reads to start it: others are served again. */
static void never_gives_the_page_of_a_ring(void)
{
	static const struct fe_config all = { 0 };

	serve_postcopy();
	listening();
	/* Nobody serves: fe_start() ends with a question that nobody answers. */
	line.timeout_ms = 60000;
	CHECK(fe_start(&line, &all) != 0 || fe_closed_by_backend(&line, 60000));
	CHECK(rec_wait_tail("-conn"));
	guest_postcopy_fini(&source);
	fe_close(&line);
	postcopy_down();
}

/*
 * A queue that is switched off is looked at by the loop thread alone: when it is
 * kicked (`late`), or once the message has been handled.
 */
static void pages_of_a_queue_that_is_off(bool late)
{
	static const struct fe_config all = { 0 };

	serve_postcopy();
	listening();
	CHECK_EQ(guest_postcopy_serve(&source), 0);
	CHECK_EQ(fe_start(&line, &all), 0);
	CHECK(rec_wait_tail("+dev"));
	CHECK_EQ(fe_sync(&line), 0);
	if (late) {
		CHECK_EQ(fe_set_vring_enable(&line, 1, false), 0);
		CHECK_EQ(fe_sync(&line), 0);
	}
	guest_postcopy_stop(&source);
	/* What had come is missing again. */
	CHECK_EQ(fallocate(line.mem.regions[0].fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			   REGION_BYTES), 0);
	if (late)
		CHECK_EQ(eventfd_write(line.vqs[1].kickfd, 1), 0);
	else
		(void)fe_set_vring_enable(&line, 1, false);
	CHECK(fe_closed_by_backend(&line, 60000));
	CHECK(rec_wait_tail("-conn"));
	guest_postcopy_fini(&source);
	fe_close(&line);
	postcopy_down();
}

static void never_gives_a_page_of_a_queue_that_was_kicked(void)
{
	pages_of_a_queue_that_is_off(true);
}

static void never_gives_a_page_of_a_queue_that_goes_off(void)
{
	pages_of_a_queue_that_is_off(false);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "never_acknowledges", never_acknowledges },
		{ "acknowledges_twice", acknowledges_twice },
		{ "out_of_order", out_of_order },
		{ "many_advises", many_advises },
		{ "many_begins", many_begins },
		{ "never_gives_a_page_and_goes", never_gives_a_page_and_goes },
		{ "never_gives_a_page_and_stays", never_gives_a_page_and_stays },
		{ "never_gives_the_page_of_a_ring", never_gives_the_page_of_a_ring },
		{ "never_gives_a_page_of_a_queue_that_was_kicked",
		  never_gives_a_page_of_a_queue_that_was_kicked },
		{ "never_gives_a_page_of_a_queue_that_goes_off",
		  never_gives_a_page_of_a_queue_that_goes_off },
	};

	return line_main(argc, argv, tests, RTE_DIM(tests));
}
