/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes and goes at a bad moment: ring formats, rings, notifications, sockets, the process.
 */
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>

#include "line.h"

extern char **environ;

static const struct fe_config lifetimes_config = {
	.features = FE_F_VERSION_1 | FE_F_MQ | FE_F_MRG_RXBUF,
	.protocol_features = (ALL_PROTOCOL & ~(1u << FE_PROTOCOL_F_STATUS)) |
			     1u << FE_PROTOCOL_F_RARP | 1u << FE_PROTOCOL_F_RESET_DEVICE,
	.regions = &line_region,
	.nregions = 1,
	.ring_size = RING_SIZE,
};

/* One packet to the host and back. */
static void line_serves(uint32_t seed)
{
	int vid = rec_vid();
	uint8_t data[200], got[200];
	struct guest_net_hdr hdr;
	struct guest_tx tx;
	struct guest_rx rx;
	struct rte_mbuf *m;

	guest_tx_init(&tx, &line.vqs[1], HDR, 512);
	CHECK_EQ(guest_rx_init(&rx, &line.vqs[0], HDR, true, 1, 300), 0);
	CHECK_EQ(guest_rx_fill(&rx, 1), 1);
	guest_pattern(seed, data, sizeof(data));
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(vid, 1, rig.pool, &m, 1), 1);
	CHECK(packet_equals(m, data, sizeof(data)));
	CHECK_EQ(rte_vhost_enqueue_burst(vid, 0, &m, 1), 1);
	rte_pktmbuf_free(m);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), sizeof(got));
	CHECK(memcmp(data, got, sizeof(data)) == 0);
	CHECK_EQ(guest_tx_drain(&tx, TIMEOUT_MS), 0);
	guest_rx_fini(&rx);
}

/* The rings of the connection that is there, in the format that was negotiated. */
static void rings_start(void)
{
	bool packed = (line.features & FE_F_RING_PACKED) != 0;

	for (uint32_t q = 0; q < 2; q++) {
		guest_ring_fini(&line.vqs[q]);
		/* 63 entries are fine in a packed ring and impossible in a split one. */
		CHECK_EQ(guest_ring_init(&line.vqs[q], packed ? &guest_packed : &guest_split,
					 &line.mem, packed ? RING_SIZE - 1 : RING_SIZE),
			 0);
		CHECK_EQ(fe_start_vring(&line, q), 0);
		CHECK_EQ(fe_set_vring_enable(&line, q, true), 0);
	}
}

static void toggle_format(void)
{
	line.features ^= FE_F_RING_PACKED;
	CHECK_EQ(fe_set_features(&line, line.features), 0);
}

static void f47_ring_format_toggled(void)
{
	line_serve();
	for (uint32_t round = 0; round < 6; round++) {
		struct fe_config config = lifetimes_config;

		config.features |= round % 2 != 0 ? FE_F_RING_PACKED : 0;
		line_negotiated(&config);
		CHECK_EQ(fe_start(&line, &config), 0);
		line_serves(round);
		/* While they run: refused, and they run on. */
		refused_u64(&line, FE_SET_FEATURES, line.features ^ FE_F_RING_PACKED);
		line_serves(round);
		/* By stopping the rings. */
		CHECK_EQ(fe_stop(&line, NULL), 0);
		toggle_format();
		rings_start();
		line_serves(round);
		/* By a reset, of all and of the rings only. */
		CHECK_EQ(round < 3 ? fe_reset_device(&line) : fe_reset_owner(&line), 0);
		toggle_format();
		rings_start();
		line_serves(round);
		/* Half of the rings say one thing: a toggle is for all of them or none. */
		CHECK_EQ(fe_get_vring_base(&line, 0, NULL), 0);
		refused_u64(&line, FE_SET_FEATURES, line.features ^ FE_F_RING_PACKED);
		/* Rings with packets in them go with the connection. */
		line_hang_up();
	}
	line_down();
}

/* --- the process ends --- */

static volatile bool child_talks;

static void *talk(void *path)
{
	struct frontend *fe = calloc(1, sizeof(*fe));

	fe_init(fe);
	if (fe_connect(fe, path) != 0 || fe_setup(fe, &lifetimes_config) != 0)
		_exit(3);
	fe->use_ack = true;
	while (fe_set_mem_table(fe, &fe->mem) == 0 && fe_sync(fe) == 0)
		child_talks = true;
	/* The other thread ends the process. */
	for (;;)
		pause();
	return NULL;
}

/* Ends while the control thread has its hands full; nothing was unregistered. */
static int child(const char *program)
{
	static struct rte_mbuf *m;
	struct rte_mempool *pool;
	pthread_t thread;
	const char *path;

	flow_init(program);
	pool = flow_pool(64, 2048);
	path = flow_serve(0);
	if (pthread_create(&thread, NULL, talk, strdup(path)) != 0)
		return 2;
	while (!child_talks)
		sched_yield();
	for (int i = 0; i < 1000; i++)
		if (rte_vhost_dequeue_burst(0, 1, pool, &m, 1) != 0)
			return 5;
	flow_cleanup(); /* ends EAL, too */
	return 0;
}

static void l1_exit_under_messages(void)
{
	for (int i = 0; i < 3; i++) {
		char *const argv[] = { (char *)"lifetimes", (char *)"exit-under-messages", NULL };
		pid_t pid;
		int status;

		CHECK_EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	}
	line_down();
}

/* --- callbacks that ask --- */

static unsigned int asked;

static void ask_everything(const char *word, int vid)
{
	struct rte_vhost_stat stats[128];
	struct rte_vhost_memory *mem = NULL;
	struct rte_vhost_vring vring;
	struct rte_mbuf *m = NULL;
	uint64_t features;
	uint16_t a, b;

	if (word[0] != 'q')
		return;
	asked++;
	for (uint16_t q = 0; q < 2; q++) {
		/* The one that this is about is held, the other may be up or not: neither has any. */
		CHECK_EQ(rte_vhost_dequeue_burst(vid, 1, rig.pool, &m, 1), 0);
		CHECK_EQ(rte_vhost_enqueue_burst(vid, 0, &m, 0), 0);
		(void)rte_vhost_avail_entries(vid, q);
		(void)rte_vhost_rx_queue_count(vid, q);
		(void)rte_vhost_enable_guest_notification(vid, q, asked & 1);
		(void)rte_vhost_vring_call(vid, q);
		(void)rte_vhost_vring_call_nonblock(vid, q);
		(void)rte_vhost_get_vring_base(vid, q, &a, &b);
		(void)rte_vhost_vring_stats_get(vid, q, stats, RTE_DIM(stats));
		(void)rte_vhost_vring_stats_reset(vid, q);
		CHECK_EQ(rte_vhost_get_vhost_vring(vid, q, &vring), 0);
	}
	CHECK_EQ(rte_vhost_get_negotiated_features(vid, &features), 0);
	CHECK_EQ(rte_vhost_get_mem_table(vid, &mem), 0);
	free(mem);
	CHECK_EQ(rte_vhost_driver_unregister(line_path), -1);
}

static void l11_vring_state_changed_calls_back(void)
{
	line_up();
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
	for (uint32_t q = 0; q < 2; q++)
		CHECK_EQ(fe_set_vring_num(&line, q, RING_SIZE), 0);
	asked = 0;
	rec_hook = ask_everything;
	CHECK_EQ(fe_start(&line, &line_config), 0);
	for (unsigned int i = 0; i < 20; i++) {
		CHECK_EQ(fe_set_vring_enable(&line, i % 2, false), 0);
		CHECK_EQ(fe_set_vring_enable(&line, i % 2, true), 0);
		CHECK_EQ(fe_set_vring_call(&line, i % 2, line.vqs[i % 2].callfd), 0);
	}
	CHECK_EQ(fe_stop(&line, NULL), 0);
	CHECK_EQ(fe_start(&line, &line_config), 0);
	rec_hook = NULL;
	CHECK_EQ(asked, 2 + 20 * 4 + 2 + 2);
	line_serves(1);
	line_down();
}

/* --- descriptors that are taken again at once --- */

static void l15_descriptors_reused(void)
{
	struct frontend *other = calloc(2, sizeof(*other));

	line_up();
	CHECK_EQ(fe_start(&line, &line_config), 0);
	for (unsigned int i = 0; i < 300; i++) {
		fe_init(&other[i % 2]);
		other[i % 2].timeout_ms = TIMEOUT_MS;
		CHECK_EQ(fe_connect(&other[i % 2], line_path), 0);
		CHECK_EQ(fe_sync(&other[i % 2]), 0);
		/* Its number is free for the next one while the loop still handles its end. */
		if (i > 0)
			fe_close(&other[(i + 1) % 2]);
		CHECK_EQ(fe_sync(&other[i % 2]), 0);
		CHECK_EQ(fe_sync(&line), 0);
	}
	fe_close(&other[1]);
	free(other);
	CHECK_EQ(fe_sync(&line), 0);
	line_down();
}

/* --- RARP --- */

static volatile bool stop_taking;
static unsigned int rarps, bad_rarps;

static void *take_rarps(void *arg)
{
	int vid = *(int *)arg;
	struct rte_mbuf *m;

	while (!stop_taking) {
		const uint8_t *mac;

		if (rte_vhost_dequeue_burst(vid, 1, rig.pool, &m, 1) != 1) {
			sched_yield();
			continue;
		}
		mac = rte_pktmbuf_mtod_offset(m, const uint8_t *, 6);
		for (unsigned int i = 1; i < 6; i++)
			bad_rarps += mac[i] != mac[0];
		__atomic_fetch_add(&rarps, 1, __ATOMIC_SEQ_CST);
		rte_pktmbuf_free(m);
	}
	return NULL;
}

static void l16_rarp_addresses_are_whole(void)
{
	pthread_t thread;
	int vid;

	line_serve();
	line_negotiated(&lifetimes_config);
	CHECK_EQ(fe_start(&line, &lifetimes_config), 0);
	vid = rec_vid();
	stop_taking = false;
	rarps = bad_rarps = 0;
	CHECK_EQ(pthread_create(&thread, NULL, take_rarps, &vid), 0);
	line.use_ack = false;
	for (unsigned int i = 0; i < 20000; i++) {
		uint8_t mac[6];

		memset(mac, 2 + i % 250, sizeof(mac));
		CHECK_EQ(fe_send_rarp(&line, mac), 0);
		if (i % 16 == 0)
			CHECK_EQ(fe_sync(&line), 0);
	}
	CHECK_EQ(fe_sync(&line), 0);
	for (unsigned int i = 0; i < 20000 && __atomic_load_n(&rarps, __ATOMIC_SEQ_CST) == 0; i++)
		usleep(1000);
	stop_taking = true;
	pthread_join(thread, NULL);
	CHECK(rarps > 0);
	CHECK_EQ(bad_rarps, 0);
	line_down();
}

/* --- wishes of before the ring is there --- */

static void l18_notification_toggled_before_the_ring(void)
{
	line_serve();
	for (int wanted = 0; wanted <= 1; wanted++) {
		line_negotiated(&line_config);
		CHECK_EQ(fe_set_vring_num(&line, 1, RING_SIZE), 0);
		CHECK_EQ(rte_vhost_enable_guest_notification(rec_vid(), 1, !wanted), 0);
		CHECK_EQ(rte_vhost_enable_guest_notification(rec_vid(), 1, wanted), 0);
		CHECK_EQ(fe_start(&line, &line_config), 0);
		CHECK_EQ(guest_ring_kick_wanted(&line.vqs[1]), wanted);
		/* Also after a stop, into another ring. */
		CHECK_EQ(fe_stop(&line, NULL), 0);
		guest_ring_reset(&line.vqs[1], 0);
		CHECK_EQ(fe_start(&line, &line_config), 0);
		CHECK_EQ(guest_ring_kick_wanted(&line.vqs[1]), wanted);
		line_hang_up();
	}
	line_down();
}

/* --- callbacks at edges only --- */

static int ring_is[2]; /* as the callbacks said */
static unsigned int edges;
static bool not_an_edge;

static void watch_edges(const char *word, int vid)
{
	unsigned int q;
	int enable;

	(void)vid;
	if (sscanf(word, "q%u=%d", &q, &enable) != 2)
		return;
	not_an_edge |= q > 1 || ring_is[q & 1] == enable;
	ring_is[q & 1] = enable;
	edges++;
}

static void l23_edges_only(void)
{
	uint32_t rng = 12345;

	line_up();
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
	ring_is[0] = ring_is[1] = 0;
	edges = 0;
	not_an_edge = false;
	rec_hook = watch_edges;
	for (unsigned int i = 0; i < 3000 && !not_an_edge; i++) {
		uint32_t q = (rng = rng * 1664525 + 1013904223) >> 31;
		struct guest_ring *vq = &line.vqs[q];

		switch ((rng >> 20) % 8) {
		case 0 ... 1:
			CHECK_EQ(fe_set_vring_enable(&line, q, true), 0);
			break;
		case 2:
			CHECK_EQ(fe_set_vring_enable(&line, q, false), 0);
			break;
		case 3:
			CHECK_EQ(fe_set_vring_kick(&line, q, vq->kickfd), 0);
			break;
		case 4:
			CHECK_EQ(fe_set_vring_call(&line, q, vq->callfd), 0);
			break;
		case 5:
			CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
			break;
		case 6:
			if ((rng >> 10) % 4 == 0)
				CHECK_EQ(fe_get_vring_base(&line, q, NULL), 0);
			break;
		default: /* refused while it runs */
			(void)fe_start_vring(&line, q);
			break;
		}
		rec_reset();
	}
	rec_hook = NULL;
	CHECK(!not_an_edge);
	CHECK(edges > 100);
	line_down();
}

/* --- what must not be left over --- */

static void k1_registration_that_fails(void)
{
	char *good = strdup(flow_path()), nowhere[256], too_long[200];
	unsigned int fds = 0, maps = 0;
	int fd;

	memset(too_long, 'x', sizeof(too_long));
	too_long[0] = '/';
	too_long[sizeof(too_long) - 1] = '\0';
	snprintf(nowhere, sizeof(nowhere), "%s-not-there/socket", good);
	for (unsigned int i = 0; i < 200; i++) {
		if (i == 1) { /* whatever is made once is there by now */
			fds = rig_count_fds();
			maps = rig_count_maps();
		}
		CHECK(rte_vhost_driver_register(NULL, 0) < 0);
		CHECK(rte_vhost_driver_register("", 0) < 0);
		CHECK(rte_vhost_driver_register(too_long, 0) < 0);
		CHECK(rte_vhost_driver_register(good, 1ull << 40) < 0);
		CHECK(rte_vhost_driver_start(good) < 0);
		CHECK(rte_vhost_driver_unregister(good) < 0);
		/* A second one fails and does no harm to the first. */
		CHECK_EQ(rte_vhost_driver_register(good, 0), 0);
		CHECK(rte_vhost_driver_register(good, 0) < 0);
		CHECK_EQ(rte_vhost_driver_callback_register(good, &rec_ops), 0);
		/* Something is in the way of the socket. */
		fd = open(good, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		CHECK(fd >= 0);
		CHECK(rte_vhost_driver_start(good) < 0);
		close(fd);
		unlink(good);
		CHECK_EQ(rte_vhost_driver_start(good), 0);
		CHECK_EQ(rte_vhost_driver_unregister(good), 0);
		/* There is no place for it. */
		CHECK_EQ(rte_vhost_driver_register(nowhere, 0), 0);
		CHECK(rte_vhost_driver_start(nowhere) < 0);
		CHECK_EQ(rte_vhost_driver_unregister(nowhere), 0);
		/* There is nobody. */
		CHECK_EQ(rte_vhost_driver_register(good, RTE_VHOST_USER_CLIENT |
								 RTE_VHOST_USER_NO_RECONNECT), 0);
		CHECK(rte_vhost_driver_start(good) < 0);
		CHECK_EQ(rte_vhost_driver_unregister(good), 0);
		CHECK_EQ(rte_vhost_driver_register(good, RTE_VHOST_USER_CLIENT), 0);
		CHECK_EQ(rte_vhost_driver_start(good), 0);
		CHECK_EQ(rte_vhost_driver_unregister(good), 0);
		if (i > 0) {
			CHECK_EQ(rig_count_fds(), fds);
			CHECK_EQ(rig_count_maps(), maps);
		}
	}
	free(good);
	CHECK(bystander_unharmed());
}

struct belongings {
	unsigned int fds, maps;
};

static bool owns_no_more(void *arg)
{
	const struct belongings *before = arg;

	return rig_count_fds() == before->fds && rig_count_maps() == before->maps;
}

static void k3_descriptors_of_connections_that_are_gone(void)
{
	struct belongings before;

	line_serve();
	before = (struct belongings){ rig_count_fds(), rig_count_maps() };
	for (unsigned int i = 0; i < 200; i++) {
		line_negotiated(&lifetimes_config);
		CHECK_EQ(fe_set_backend_req_fd(&line), 0);
		CHECK_EQ(fe_start(&line, &lifetimes_config), 0);
		if (i % 2 != 0)
			CHECK_EQ(fe_stop(&line, NULL), 0);
		line_hang_up();
		/* The last callback comes before the last descriptor goes. */
		CHECK(flow_wait_until(owns_no_more, &before, TIMEOUT_MS));
	}
	line_down();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "F47 ring format toggled", f47_ring_format_toggled },
		{ "L1 exit under messages", l1_exit_under_messages },
		{ "L11 vring_state_changed calls back", l11_vring_state_changed_calls_back },
		{ "L15 descriptors reused", l15_descriptors_reused },
		{ "L16 RARP addresses are whole", l16_rarp_addresses_are_whole },
		{ "L18 notification toggled before the ring is there",
		  l18_notification_toggled_before_the_ring },
		{ "L23 callbacks at edges only", l23_edges_only },
		{ "K1 registration that fails", k1_registration_that_fails },
		{ "K3 descriptors of connections that are gone",
		  k3_descriptors_of_connections_that_are_gone },
	};

	if (argc > 1 && strcmp(argv[1], "exit-under-messages") == 0)
		return child(argv[0]);
	return line_main(argc, argv, tests, RTE_DIM(tests));
}
