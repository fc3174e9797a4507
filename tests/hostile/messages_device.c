/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile frontend: features, status and the rest about a device as a whole;
 * and lifetimes: callbacks, device ids, connections.
 */
#include <limits.h>

#include "line.h"

#define FEATURES_OK (FE_STATUS_ACKNOWLEDGE | FE_STATUS_DRIVER | FE_STATUS_FEATURES_OK)

static const struct fe_config with_status = {
	.features = FE_F_VERSION_1 | FE_F_MQ | FE_F_MRG_RXBUF,
	.protocol_features = ALL_PROTOCOL,
	.regions = &line_region,
	.nregions = 1,
	.ring_size = RING_SIZE,
};

static uint64_t negotiated(void)
{
	uint64_t features;

	CHECK_EQ(rte_vhost_get_negotiated_features(rec_vid(), &features), 0);
	return features;
}

static uint64_t status(void)
{
	uint64_t value;

	CHECK_EQ(fe_get_status(&line, &value), 0);
	return value;
}

static void f24_features_not_offered_or_changed(void)
{
	uint64_t agreed, offered;

	line_serve();
	line_negotiated(&with_status);
	CHECK_EQ(fe_set_status(&line, FEATURES_OK), 0);
	agreed = negotiated();
	offered = line.offered;
	for (unsigned int bit = 0; bit < 64; bit++) {
		if ((offered & 1ull << bit) != 0)
			continue;
		CHECK_EQ(fe_set_status(&line, FEATURES_OK), 0);
		refused_u64(&line, FE_SET_FEATURES, agreed | 1ull << bit);
		CHECK_EQ(negotiated(), agreed);
		CHECK_EQ(status(), FEATURES_OK & ~FE_STATUS_FEATURES_OK);
		CHECK_EQ(fe_set_features(&line, agreed), 0);
	}
	CHECK_EQ(fe_start(&line, &with_status), 0);
	CHECK_EQ(fe_set_status(&line, FEATURES_OK | FE_STATUS_DRIVER_OK), 0);
	CHECK(rec_wait_tail("+dev"));
	rec_reset();
	/* Running: what was agreed stays. */
	refused_u64(&line, FE_SET_FEATURES, 0);
	refused_u64(&line, FE_SET_FEATURES, agreed & ~FE_F_MRG_RXBUF);
	refused_u64(&line, FE_SET_FEATURES, agreed | FE_F_EVENT_IDX);
	CHECK_EQ(status() & FE_STATUS_FEATURES_OK, 0);
	CHECK_EQ(negotiated(), agreed);
	CHECK_EQ(fe_set_features(&line, agreed), 0);
	CHECK_STR(rec_text(), "");
	line_down();
}

static void f25_multiqueue_dropped(void)
{
	uint64_t agreed;
	unsigned int open;

	line_up();
	agreed = negotiated();
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
	open = rig_count_fds();
	for (unsigned int round = 0; round < 20; round++) {
		for (uint32_t q = 2; q < 64; q++) {
			CHECK_EQ(fe_set_vring_num(&line, q, RING_SIZE), 0);
			CHECK_EQ(fe_set_vring_call(&line, q, line.vqs[0].callfd), 0);
		}
		CHECK_EQ(rte_vhost_get_vring_num(rec_vid()), 64);
		CHECK_EQ(fe_set_features(&line, agreed & ~FE_F_MQ), 0);
		CHECK_EQ(rte_vhost_get_vring_num(rec_vid()), 2);
		CHECK_EQ(rig_count_fds(), open);
		CHECK_EQ(fe_set_features(&line, agreed), 0);
	}
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev");
	line_down();
}

static void f26_protocol_features_not_offered(void)
{
	uint64_t agreed, now;

	line_up();
	CHECK_EQ(rte_vhost_get_negotiated_protocol_features(rec_vid(), &agreed), 0);
	for (unsigned int bit = 0; bit < 64; bit++) {
		if ((line.protocol_offered & 1ull << bit) != 0)
			continue;
		refused_u64(&line, FE_SET_PROTOCOL_FEATURES, agreed | 1ull << bit);
		CHECK_EQ(rte_vhost_get_negotiated_protocol_features(rec_vid(), &now), 0);
		CHECK_EQ(now, agreed);
	}
	line_down();
}

static void f28_backend_req_fd_repeated(void)
{
	unsigned int open = 0;
	int plain[2];

	line_up();
	for (unsigned int i = 0; i < 200; i++) {
		int before = line.backend_fd >= 0 ? dup(line.backend_fd) : -1;
		char byte;

		CHECK_EQ(fe_set_backend_req_fd(&line), 0);
		CHECK_EQ(fe_sync(&line), 0);
		/* The other end of the one before is closed. */
		if (before >= 0) {
			CHECK_EQ(recv(before, &byte, 1, MSG_DONTWAIT), 0);
			close(before);
		}
		if (i == 0)
			open = rig_count_fds();
		CHECK_EQ(rig_count_fds(), open);
	}
	/* What is no stream socket could block us. */
	CHECK_EQ(pipe2(plain, O_CLOEXEC), 0);
	refused(&line, FE_SET_BACKEND_REQ_FD, NULL, 0, &plain[1], 1);
	refused(&line, FE_SET_BACKEND_REQ_FD, NULL, 0, &line.vqs[0].kickfd, 1);
	close(plain[0]);
	close(plain[1]);
	line_down();
}

/* A frontend that never reads what we ask it: the asking thread gets an error, nobody waits. */
static void f28_backend_channel_never_read(void)
{
	unsigned int sent = 0;

	line_up();
	CHECK_EQ(fe_set_backend_req_fd(&line), 0);
	while (sent < 100000 && rte_vhost_slave_config_change(rec_vid(), false) == 0)
		sent++;
	CHECK(sent > 10 && sent < 100000);
	CHECK_EQ(fe_sync(&line), 0);
	line_down();
}

static void f38_mtu_out_of_range(void)
{
	static const uint64_t bad[] = { 0, 1, 67, 65536, 65537 + 1500, 1ull << 32,
					(1ull << 32) + 1500, 1ull << 63, UINT64_MAX };
	struct fe_config config = line_config;
	uint16_t mtu = 0;

	config.features |= FE_F_MTU;
	line_serve();
	line_negotiated(&config);
	CHECK_EQ(fe_net_set_mtu(&line, 68), 0);
	CHECK_EQ(fe_net_set_mtu(&line, 65535), 0);
	for (unsigned int i = 0; i < RTE_DIM(bad); i++)
		refused_u64(&line, FE_NET_SET_MTU, bad[i]);
	CHECK_EQ(fe_start(&line, &config), 0);
	CHECK(rec_wait_tail("+dev"));
	CHECK_EQ(rte_vhost_get_mtu(rec_vid(), &mtu), 0);
	CHECK_EQ(mtu, 65535);
	line_down();
}

/* The answer to SET_DEVICE_STATE_FD, and its descriptor or -1. */
static uint64_t state_fd(uint32_t direction, uint32_t phase, int *fd)
{
	const uint32_t payload[2] = { direction, phase };
	int given = eventfd(0, EFD_CLOEXEC);
	struct fe_msg reply;

	CHECK_EQ(fe_send(&line, FE_SET_DEVICE_STATE_FD, FE_FLAG_VERSION, payload, sizeof(payload),
			 &given, 1),
		 0);
	close(given);
	CHECK_EQ(fe_recv(&line, &reply), 0);
	CHECK(reply.nfds <= 1);
	*fd = reply.nfds != 0 ? reply.fds[0] : -1;
	return reply.u64;
}

static uint64_t check_state(void)
{
	struct fe_msg reply;

	CHECK_EQ(fe_request(&line, FE_CHECK_DEVICE_STATE, NULL, 0, &reply), 0);
	return reply.u64;
}

static void negotiated_with_state(void)
{
	struct fe_config config = line_config;

	config.protocol_features |= 1u << FE_PROTOCOL_F_DEVICE_STATE;
	line_serve();
	line_negotiated(&config);
}

/* Transfers that nobody reads, that never end, that are too long, of nonsense: nobody waits. */
static void state_transfers_without_end(void)
{
	static uint8_t lots[100000];
	unsigned int open;
	int held[32], fd;

	negotiated_with_state();
	open = rig_count_fds();
	for (unsigned int i = 0; i < RTE_DIM(held); i++)
		CHECK_EQ(state_fd(i % 2, 0, &held[i]), 0);
	CHECK_EQ(check_state(), 1); /* the last one's end is open */
	for (unsigned int i = 0; i < RTE_DIM(held); i++)
		close(held[i]);
	CHECK_EQ(rig_count_fds(), open);

	CHECK_EQ(state_fd(1, 0, &fd), 0);
	while (write(fd, lots, sizeof(lots)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	close(fd);
	CHECK_EQ(check_state(), 1);
	for (unsigned int size = 0; size < 3000; size += 17) {
		CHECK_EQ(state_fd(1, 0, &fd), 0);
		CHECK_EQ(write(fd, lots, size), size);
		close(fd);
		CHECK_EQ(check_state(), 1);
	}
	CHECK_EQ(state_fd(0, 1, &fd), 0x101);
	CHECK_EQ(fd, -1);
	CHECK_EQ(state_fd(2, 0, &fd), 0x101);
	CHECK_EQ(fd, -1);
	CHECK_EQ(rig_count_fds(), open);
	/* The device is none the worse for it. */
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK(rec_wait_tail("+dev"));
	line_down();
}

/* Queues start while a state is on its way: they count, the state does not. */
static void state_of_a_running_device(void)
{
	int fd;

	negotiated_with_state();
	CHECK_EQ(state_fd(1, 0, &fd), 0);
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK(rec_wait_tail("+dev"));
	close(fd);
	CHECK_EQ(check_state(), 1);
	CHECK_EQ(state_fd(0, 0, &fd), 0x101);
	CHECK_EQ(state_fd(1, 0, &fd), 0x101);
	/* And gone with one under way. */
	CHECK_EQ(fe_stop(&line, NULL), 0);
	CHECK_EQ(state_fd(1, 0, &fd), 0);
	line_hang_up();
	close(fd);
	line_down();
}

static void f39_status(void)
{
	static const uint64_t bad[] = { 256, 257, 0x10f, 1ull << 32, 1ull << 63, UINT64_MAX };
	uint64_t agreed;

	line_serve();
	line_negotiated(&with_status);
	agreed = negotiated();
	CHECK_EQ(fe_set_status(&line, FEATURES_OK), 0);
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		refused_u64(&line, FE_SET_STATUS, bad[i]);
		CHECK_EQ(status(), FEATURES_OK);
	}
	/* A driver that insists, after refusal: the bit does not stick until others are agreed. */
	refused_u64(&line, FE_SET_FEATURES, UINT64_MAX);
	CHECK_EQ(fe_set_status(&line, FEATURES_OK), 0);
	CHECK_EQ(status(), FEATURES_OK & ~FE_STATUS_FEATURES_OK);
	CHECK_EQ(fe_set_status(&line, 0), 0);
	CHECK_EQ(fe_set_status(&line, FEATURES_OK), 0);
	CHECK_EQ(status(), FEATURES_OK & ~FE_STATUS_FEATURES_OK);
	CHECK_EQ(fe_set_features(&line, agreed), 0);
	CHECK_EQ(fe_set_status(&line, FEATURES_OK), 0);
	CHECK_EQ(status(), FEATURES_OK);
	line_hang_up();
	/* Nothing agreed yet at all. */
	line_dial();
	CHECK_EQ(fe_set_protocol_features(&line, ALL_PROTOCOL), 0);
	line.use_ack = true;
	refused_u64(&line, FE_SET_FEATURES, UINT64_MAX);
	CHECK_EQ(fe_set_status(&line, FEATURES_OK), 0);
	CHECK_EQ(status(), FEATURES_OK & ~FE_STATUS_FEATURES_OK);
	line_down();
}

/* --- lifetimes ----------------------------------------------------------- */

/* A whole life with the k-th callback left out, or all of them. */
static void life_without(unsigned int k)
{
	struct rte_vhost_device_ops ops = rec_ops;
	void (**slots[])(int) = { &ops.destroy_device, &ops.destroy_connection,
				  &ops.guest_notified };
	uint64_t gpa;
	struct rte_mbuf *m;

	if (k == 0)
		ops.new_device = NULL;
	else if (k == 1)
		ops.vring_state_changed = NULL;
	else if (k == 2)
		ops.features_changed = NULL;
	else if (k == 3)
		ops.new_connection = NULL;
	else if (k < 7)
		*slots[k - 4] = NULL;
	else
		ops = (struct rte_vhost_device_ops){ 0 };
	rec_reset();
	line_path = strdup(flow_serve_ops(0, k == 8 ? NULL : &ops));
	line_negotiated(&line_config);
	CHECK_EQ(fe_start(&line, &line_config), 0);
	gpa = guest_alloc(&line.mem, 4096, 64);
	guest_split_raw_desc(&line.vqs[1], 0, gpa, HDR + 100, 0, 0);
	guest_split_raw_avail_idx(&line.vqs[1], 1);
	/* The vid next to the bystander's. */
	CHECK_EQ(rte_vhost_dequeue_burst(1, 1, rig.pool, &m, 1), 1);
	rte_pktmbuf_free(m);
	CHECK_EQ(guest_ring_calls(&line.vqs[1]), 1);
	CHECK_EQ(fe_set_vring_enable(&line, 0, false), 0);
	CHECK_EQ(fe_set_vring_enable(&line, 0, true), 0);
	CHECK_EQ(fe_stop(&line, NULL), 0);
	CHECK_EQ(fe_start(&line, &line_config), 0);
	fe_close(&line);
	flow_unserve(line_path);
	free((void *)(uintptr_t)line_path);
	line_path = NULL;
}

static void l12_missing_callbacks(void)
{
	for (unsigned int k = 0; k < 9; k++)
		life_without(k);
	line_down();
}

static void l13_one_new_device_per_start(void)
{
	line_serve();
	rec_new_device_result = -1;
	line_negotiated(&line_config);
	CHECK_EQ(fe_start(&line, &line_config), 0);
	/* Refused: asked again after the next message, and the ones after that. */
	CHECK(strstr(rec_text(), "+dev") != NULL);
	rec_reset();
	CHECK_EQ(fe_sync(&line), 0);
	CHECK_EQ(fe_sync(&line), 0);
	CHECK_STR(rec_text(), "+dev +dev");
	rec_new_device_result = 0;
	rec_reset();
	for (unsigned int i = 0; i < 20; i++) {
		CHECK_EQ(fe_sync(&line), 0);
		CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
		CHECK_EQ(fe_set_features(&line, line.features), 0);
	}
	CHECK_STR(rec_text(), "+dev");
	/* Stop and start: once more. */
	rec_reset();
	CHECK_EQ(fe_stop(&line, NULL), 0);
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK_STR(rec_text(), "-dev q0=0 q1=0 q0=1 q1=1 +dev");
	rec_reset();
	rec_new_device_result = -1;
	CHECK_EQ(fe_stop(&line, NULL), 0);
	CHECK_EQ(fe_start_vring(&line, 0), 0);
	CHECK_EQ(fe_start_vring(&line, 1), 0);
	CHECK(strstr(rec_text(), "-dev q0=0 q1=0 q0=1 q1=1 +dev") != NULL);
	rec_reset();
	/* One that never was is not destroyed. */
	line_hang_up();
	CHECK_STR(rec_text(), "-conn");
	line_down();
}

static struct {
	unsigned int calls, packets;
	bool known;
} at_destroy;

/* In the callbacks of going the device is still there, with its queues until -dev returns. */
static void look(const char *word, int vid)
{
	char name[PATH_MAX];
	struct rte_mbuf *m;

	if (strcmp(word, "-dev") != 0 && strcmp(word, "-conn") != 0)
		return;
	at_destroy.calls++;
	at_destroy.known &= rte_vhost_get_ifname(vid, name, sizeof(name)) == 0 &&
			    strcmp(name, line_path) == 0;
	if (strcmp(word, "-dev") == 0 &&
	    rte_vhost_dequeue_burst(vid, 1, rig.pool, &m, 1) == 1) {
		at_destroy.packets++;
		rte_pktmbuf_free(m);
	}
}

static void l14_destroyed_before_it_is_freed(void)
{
	for (unsigned int how = 0; how < 3; how++) {
		char name[PATH_MAX];
		int vid;

		line_up();
		CHECK_EQ(fe_start(&line, &line_config), 0);
		CHECK(rec_wait_tail("+dev"));
		vid = rec_vid();
		guest_split_raw_desc(&line.vqs[1], 0, guest_alloc(&line.mem, 4096, 64), HDR + 60,
				     0, 0);
		guest_split_raw_avail_idx(&line.vqs[1], 1);
		memset(&at_destroy, 0, sizeof(at_destroy));
		at_destroy.known = true;
		rec_hook = look;
		if (how == 0)
			CHECK_EQ(fe_stop(&line, NULL), 0);
		if (how == 2) {
			flow_unserve(line_path);
		} else {
			fe_disconnect(&line);
			CHECK(rec_wait_tail("-conn"));
		}
		rec_hook = NULL;
		CHECK_EQ(at_destroy.calls, 2);
		CHECK(at_destroy.known);
		CHECK_EQ(at_destroy.packets, 1);
		if (how != 2)
			flow_unserve(line_path);
		free((void *)(uintptr_t)line_path);
		line_path = NULL;
		CHECK(rte_vhost_get_ifname(vid, name, sizeof(name)) < 0);
		fe_close(&line);
	}
	line_down();
}

/* Everything that takes a vid, with one that is none. */
static void vid_is_refused(int vid)
{
	struct rte_vhost_power_monitor_cond cond;
	struct rte_vhost_stat_name names[128];
	struct rte_vhost_stat stats[128];
	struct rte_vhost_memory *mem = NULL;
	struct rte_vhost_vring vring;
	struct rte_mbuf *m = NULL;
	uint64_t a, b;
	uint16_t x, y;
	char name[64];

	CHECK(rte_vhost_get_negotiated_features(vid, &a) < 0);
	CHECK(rte_vhost_get_negotiated_protocol_features(vid, &a) < 0);
	CHECK(rte_vhost_get_mtu(vid, &x) < 0);
	CHECK_EQ(rte_vhost_get_numa_node(vid), -1);
	CHECK_EQ(rte_vhost_get_vring_num(vid), 0);
	CHECK(rte_vhost_get_ifname(vid, name, sizeof(name)) < 0);
	CHECK(rte_vhost_get_mem_table(vid, &mem) < 0);
	CHECK(mem == NULL);
	CHECK(rte_vhost_get_log_base(vid, &a, &b) < 0);
	for (uint16_t q = 0; q < 3; q++) {
		CHECK_EQ(rte_vhost_enqueue_burst(vid, q, &m, 1), 0);
		CHECK_EQ(rte_vhost_dequeue_burst(vid, q, rig.pool, &m, 1), 0);
		CHECK(m == NULL);
		CHECK_EQ(rte_vhost_avail_entries(vid, q), 0);
		CHECK_EQ(rte_vhost_rx_queue_count(vid, q), 0);
		CHECK(rte_vhost_enable_guest_notification(vid, q, 1) < 0);
		CHECK(rte_vhost_get_monitor_addr(vid, q, &cond) < 0);
		CHECK(rte_vhost_get_vhost_vring(vid, q, &vring) < 0);
		CHECK(rte_vhost_vring_call(vid, q) < 0);
		CHECK(rte_vhost_vring_call_nonblock(vid, q) < 0);
		CHECK(rte_vhost_get_vring_base(vid, q, &x, &y) < 0);
		CHECK(rte_vhost_set_vring_base(vid, q, 0, 0) < 0);
		CHECK(rte_vhost_vring_stats_get_names(vid, q, names, RTE_DIM(names)) < 0);
		CHECK(rte_vhost_vring_stats_get(vid, q, stats, RTE_DIM(stats)) < 0);
		CHECK(rte_vhost_vring_stats_reset(vid, q) < 0);
		rte_vhost_log_used_vring(vid, q, 0, 4);
	}
	CHECK(rte_vhost_slave_config_change(vid, true) < 0);
}

static void l17_invalid_vid(void)
{
	static const int none[] = { -1, -2, INT_MIN, 1023, 1024, 1025, INT_MAX, 0x10000, 0x10001 };

	for (unsigned int i = 0; i < RTE_DIM(none); i++)
		vid_is_refused(none[i]);
	rig_up(0, 0, &line_region, 1, RING_SIZE);
	rig_down();
	vid_is_refused(rig.flow.vid); /* stale */
	line_down();
}

static void l19_unregister_with_a_live_connection(void)
{
	for (unsigned int stage = 0; stage < 3; stage++) {
		line_serve();
		if (stage == 0) {
			line_dial();
			CHECK_EQ(fe_sync(&line), 0);
		} else {
			line_negotiated(&line_config);
		}
		if (stage == 2)
			CHECK_EQ(fe_start(&line, &line_config), 0);
		rec_reset();
		flow_unserve(line_path);
		/* All said when the call returns. */
		CHECK_STR(rec_text(), stage == 2 ? "-dev -conn" : "-conn");
		CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
		free((void *)(uintptr_t)line_path);
		line_path = NULL;
		fe_close(&line);
	}
	line_down();
}

static void l20_two_frontends_on_one_socket(void)
{
	struct frontend *second = calloc(1, sizeof(*second));
	int first_vid;
	char name[128];

	line_up();
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK(rec_wait_tail("+dev"));
	first_vid = rec_vid();
	fe_init(second);
	CHECK_EQ(fe_connect(second, line_path), 0);
	CHECK_EQ(fe_setup(second, &line_config), 0);
	CHECK(rec_vid() != first_vid);
	CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev +conn q0=1 q1=1 +dev");
	CHECK_EQ(rte_vhost_get_ifname(rec_vid(), name, sizeof(name)), 0);
	CHECK_STR(name, line_path);
	/* The end of one is not the end of the other. */
	fe_close(second);
	CHECK(rec_wait_tail("-dev -conn"));
	free(second);
	CHECK_EQ(fe_sync(&line), 0);
	CHECK_EQ(rte_vhost_get_vring_num(first_vid), 2);
	CHECK_EQ(rte_vhost_get_ifname(first_vid, name, sizeof(name)), 0);
	line_down();
}

static void l21_new_connection_refused(void)
{
	unsigned int open;
	int vid;

	line_serve();
	open = rig_count_fds();
	rec_new_connection_result = -1;
	/* More often than there are device ids. */
	for (unsigned int i = 0; i < 1100; i++) {
		line_dial();
		CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
		fe_close(&line);
		CHECK_EQ(rig_count_fds(), open);
	}
	CHECK(strstr(rec_text(), "-conn") == NULL);
	vid = rec_vid();
	rec_new_connection_result = 0;
	line_negotiated(&line_config);
	CHECK_EQ(rec_vid(), vid);
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK(rec_wait_tail("+dev"));
	line_down();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "F24 features not offered, or changed while running",
		  f24_features_not_offered_or_changed },
		{ "F25 multiqueue dropped", f25_multiqueue_dropped },
		{ "F26 protocol features not offered", f26_protocol_features_not_offered },
		{ "F28 SET_BACKEND_REQ_FD repeated", f28_backend_req_fd_repeated },
		{ "F28 backend channel never read", f28_backend_channel_never_read },
		{ "F38 MTU out of range", f38_mtu_out_of_range },
		{ "F39 status beyond a byte, FEATURES_OK after refusal", f39_status },
		{ "state transfers without end", state_transfers_without_end },
		{ "state of a running device", state_of_a_running_device },
		{ "L12 missing callbacks", l12_missing_callbacks },
		{ "L13 one new_device per start", l13_one_new_device_per_start },
		{ "L14 destroyed before it is freed", l14_destroyed_before_it_is_freed },
		{ "L17 invalid vid", l17_invalid_vid },
		{ "L19 unregister with a live connection", l19_unregister_with_a_live_connection },
		{ "L20 two frontends on one socket", l20_two_frontends_on_one_socket },
		{ "L21 new_connection refused", l21_new_connection_refused },
	};

	return line_main(argc, argv, tests, RTE_DIM(tests));
}
