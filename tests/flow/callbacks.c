/* SPDX-License-Identifier: BSD-3-Clause */
/* Which callbacks come after which message, in which order: exact lists (words: see flow.h). */
#include <unistd.h>

#include "flow_main.h"
#include "guest_net.h"

static const struct fe_config two_pairs = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MQ | FE_F_LOG_ALL,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
			     1u << FE_PROTOCOL_F_NET_MTU,
	.nr_pairs = 2,
	.ring_size = 64,
};

static const char *path;
static struct frontend fe;

/* Sends, waits until the backend has handled it, compares what it called, forgets it. */
#define STEP(call, expected) \
	do { \
		CHECK_EQ(call, 0); \
		CHECK_EQ(fe_sync(&fe), 0); \
		CHECK_STR(rec_text(), expected); \
		rec_reset(); \
	} while (0)

static void
setup(void)
{
	rec_reset();
	fe_init(&fe);
	path = flow_serve(0);
	CHECK_EQ(fe_connect(&fe, path), 0);
}

static void
teardown(void)
{
	fe_close(&fe);
	usleep(10000);
	if (path != NULL)
		flow_unserve(path);
	path = NULL;
	flow_teardown();
}

static void
bring_up(const struct fe_config *config)
{
	CHECK_EQ(fe_setup(&fe, config), 0);
	rec_reset();
}

/* As QEMU does it: call fds and enable come before there is memory. */
static void
connect_and_start_in_qemu_order(void)
{
	struct frontend *f = &fe;

	f->use_ack = true;
	STEP(0, "+conn");
	STEP(fe_negotiate(f, &two_pairs), "");
	CHECK_EQ(fe_build(f, &two_pairs), 0);
	for (unsigned i = 0; i < 4; i++)
		STEP(fe_set_vring_call(f, i, f->vqs[i].callfd), "");
	for (unsigned i = 0; i < 4; i++)
		STEP(fe_set_vring_enable(f, i, true), "");
	STEP(fe_set_mem_table(f, &f->mem), "");
	/* Ready at KICK; the CALL behind it makes the ring leave and come back. */
	STEP(fe_start_vring(f, 0), "q0=1 q0=0 q0=1");
	STEP(fe_start_vring(f, 1), "q1=1 +dev q1=0 q1=1");
	STEP(fe_start_vring(f, 2), "q2=1 q2=0 q2=1");
	STEP(fe_start_vring(f, 3), "q3=1 q3=0 q3=1");
}

static void
start_with_enable_last(void)
{
	STEP(0, "+conn");
	STEP(fe_negotiate(&fe, &two_pairs), "");
	CHECK_EQ(fe_build(&fe, &two_pairs), 0);
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
	for (unsigned i = 0; i < 4; i++)
		STEP(fe_start_vring(&fe, i), "");
	STEP(fe_set_vring_enable(&fe, 0, true), "q0=1");
	STEP(fe_set_vring_enable(&fe, 1, true), "q1=1 +dev");
	STEP(fe_set_vring_enable(&fe, 2, true), "q2=1");
	STEP(fe_set_vring_enable(&fe, 3, true), "q3=1");
}

/* Without VHOST_USER_F_PROTOCOL_FEATURES rings need no SET_VRING_ENABLE. */
static void
start_without_protocol_features(void)
{
	struct fe_config config = two_pairs;

	config.nr_pairs = 1;
	config.no_protocol_features = true;
	STEP(fe_setup(&fe, &config), "+conn q0=1 q1=1 +dev");
}

static void
stop_by_get_vring_base_and_restart(void)
{
	bring_up(&two_pairs);
	for (int round = 0; round < 3; round++) {
		STEP(fe_get_vring_base(&fe, 0, NULL), "-dev q0=0");
		STEP(fe_get_vring_base(&fe, 1, NULL), "q1=0");
		STEP(fe_get_vring_base(&fe, 2, NULL), "q2=0");
		STEP(fe_get_vring_base(&fe, 3, NULL), "q3=0");
		/* Rings are still enabled from before. */
		STEP(fe_start_vring(&fe, 0), "q0=1");
		STEP(fe_start_vring(&fe, 1), "q1=1 +dev");
		STEP(fe_start_vring(&fe, 2), "q2=1");
		STEP(fe_start_vring(&fe, 3), "q3=1");
	}
}

static void
disable_and_enable(void)
{
	bring_up(&two_pairs);
	STEP(fe_set_vring_enable(&fe, 1, false), "q1=0");
	STEP(fe_set_vring_enable(&fe, 1, false), "");
	STEP(fe_set_vring_enable(&fe, 1, true), "q1=1");
	STEP(fe_set_vring_enable(&fe, 1, true), "");
	STEP(fe_set_vring_enable(&fe, 2, false), "q2=0");
	STEP(fe_set_vring_enable(&fe, 2, true), "q2=1");
}

static void
new_fds_while_running(void)
{
	bring_up(&two_pairs);
	STEP(fe_set_vring_kick(&fe, 1, fe.vqs[1].kickfd), "q1=0 q1=1");
	STEP(fe_set_vring_call(&fe, 1, fe.vqs[1].callfd), "q1=0 q1=1");
	STEP(fe_set_vring_call(&fe, 1, -1), "q1=0 q1=1");
	STEP(fe_set_vring_call(&fe, 1, fe.vqs[1].callfd), "q1=0 q1=1");
	STEP(fe_set_vring_err(&fe, 1, fe.vqs[1].errfd), "");
	STEP(fe_set_vring_kick(&fe, 0, -1), "q0=0 q0=1");
}

static void
quiet_messages_while_running(void)
{
	struct guest_region_spec more = {.gpa = 1u << 30, .size_bytes = 1u << 20};

	bring_up(&two_pairs);
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
	CHECK_EQ(guest_memory_add(&fe.mem, &more), 0);
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
	STEP(fe_set_owner(&fe), "");
	STEP(fe_net_set_mtu(&fe, 1400), "");
	STEP(fe_set_features(&fe, fe.features), "");
}

static void
features_changed_by_log_all_only(void)
{
	char expected[64];
	uint64_t base = (two_pairs.features | fe_extra_features | FE_F_PROTOCOL_FEATURES) &
			~FE_F_LOG_ALL;
	struct fe_config config = two_pairs;

	config.features = base;
	bring_up(&config);
	snprintf(expected, sizeof(expected), "features=%llx",
		 (unsigned long long)(base | FE_F_LOG_ALL));
	STEP(fe_set_features(&fe, base | FE_F_LOG_ALL), expected);
	STEP(fe_set_features(&fe, base | FE_F_LOG_ALL), "");
	snprintf(expected, sizeof(expected), "features=%llx", (unsigned long long)base);
	STEP(fe_set_features(&fe, base), expected);
}

/* Difference: the stock library does not say that the queues went, too. */
static void
reset_owner(void)
{
	bring_up(&two_pairs);
	STEP(fe_reset_owner(&fe), is_stock ? "-dev" : "-dev q0=0 q1=0 q2=0 q3=0");
	STEP(fe_reset_owner(&fe), "");
	STEP(fe_set_features(&fe, fe.features), "");
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
	for (unsigned i = 0; i < 4; i++)
		STEP(fe_start_vring(&fe, i), "");
	STEP(fe_set_vring_enable(&fe, 0, true), "q0=1");
	STEP(fe_set_vring_enable(&fe, 1, true), "q1=1 +dev");
	STEP(fe_set_vring_enable(&fe, 2, true), "q2=1");
}

/* As at the start, but that memory and protocol features stay. */
static void
reset_device(void)
{
	struct fe_config config = two_pairs;

	if (is_stock)
		tap_skip("the stock library has no RESET_DEVICE");
	config.protocol_features |= 1u << FE_PROTOCOL_F_RESET_DEVICE;
	bring_up(&config);
	for (int i = 0; i < 3; i++) {
		STEP(fe_reset_device(&fe), "-dev q0=0 q1=0 q2=0 q3=0");
		CHECK_EQ(rte_vhost_get_vring_num(rec_vid()), 0);
		STEP(fe_reset_device(&fe), "");
		STEP(fe_set_features(&fe, fe.features), "");
		for (unsigned q = 0; q < 4; q++) {
			guest_ring_reset(&fe.vqs[q], 0);
			STEP(fe_start_vring(&fe, q), "");
		}
		STEP(fe_set_vring_enable(&fe, 0, true), "q0=1");
		STEP(fe_set_vring_enable(&fe, 1, true), "q1=1 +dev");
		STEP(fe_set_vring_enable(&fe, 2, true), "q2=1");
		STEP(fe_set_vring_enable(&fe, 3, true), "q3=1");
	}
}

/* Difference: the stock library takes any descriptor; a pipe could block a data thread. */
static void
only_eventfds_are_taken(void)
{
	int ends[2];

	bring_up(&two_pairs);
	CHECK_EQ(pipe(ends), 0);
	fe.use_ack = true;
	CHECK_EQ(fe_set_vring_call(&fe, 0, ends[1]), is_stock ? 0 : 1);
	CHECK_EQ(fe_set_vring_kick(&fe, 0, ends[0]), is_stock ? 0 : 1);
	close(ends[0]);
	close(ends[1]);
}

static void
disconnect_while_running(void)
{
	bring_up(&two_pairs);
	fe_disconnect(&fe);
	CHECK(rec_wait("-dev -conn"));
}

static void
disconnect_before_start(void)
{
	STEP(0, "+conn");
	STEP(fe_negotiate(&fe, &two_pairs), "");
	fe_disconnect(&fe);
	CHECK(rec_wait("-conn"));
}

static void
disconnect_after_stop(void)
{
	bring_up(&two_pairs);
	STEP(fe_stop(&fe, NULL), "-dev q0=0 q1=0 q2=0 q3=0");
	fe_disconnect(&fe);
	CHECK(rec_wait("-conn"));
}

/*
 * An application that does not want the device yet is asked again after the next message: after its
 * reply, where it has one, so that the reply alone says nothing about the call.
 */
static void
new_device_refused_then_accepted(void)
{
	rec_new_device_result = -1;
	STEP(fe_negotiate(&fe, &two_pairs), "+conn");
	CHECK_EQ(fe_build(&fe, &two_pairs), 0);
	CHECK_EQ(fe_set_mem_table(&fe, &fe.mem), 0);
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	CHECK_EQ(fe_start_vring(&fe, 1), 0);
	STEP(fe_set_vring_enable(&fe, 0, true), "q0=1");
	CHECK_EQ(fe_set_vring_enable(&fe, 1, true), 0);
	CHECK(rec_wait("q1=1 +dev"));
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK(rec_wait("q1=1 +dev +dev"));
	rec_reset();
	rec_new_device_result = 0;
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK(rec_wait("+dev"));
	rec_reset();
	STEP(0, "");
	fe_disconnect(&fe);
	CHECK(rec_wait("-dev -conn"));
}

static void
new_device_never_accepted(void)
{
	rec_new_device_result = -1;
	CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
	fe_disconnect(&fe);
	CHECK(rec_wait_tail("+dev -conn"));
	CHECK(strstr(rec_text(), "-dev") == NULL);
}

static void
new_connection_refused(void)
{
	struct frontend other;

	STEP(0, "+conn");
	rec_new_connection_result = -1;
	fe_init(&other);
	CHECK_EQ(fe_connect(&other, path), 0);
	CHECK(fe_closed_by_backend(&other, 20000));
	fe_close(&other);
	rec_new_connection_result = 0;
	STEP(0, "+conn");
}

/* With STATUS, new_device waits for DRIVER_OK. */
static void
status_gates_new_device(void)
{
	struct fe_config config = two_pairs;
	uint64_t status = 0;

	config.nr_pairs = 1;
	config.protocol_features = 1u << FE_PROTOCOL_F_STATUS | 1u << FE_PROTOCOL_F_REPLY_ACK;
	STEP(fe_setup(&fe, &config), "+conn q0=1 q1=1");
	STEP(fe_set_status(&fe, FE_STATUS_ACKNOWLEDGE), "");
	STEP(fe_set_status(&fe, FE_STATUS_ACKNOWLEDGE | FE_STATUS_DRIVER), "");
	STEP(fe_set_status(&fe, 11), "");
	STEP(fe_set_status(&fe, 15), "+dev");
	CHECK_EQ(fe_get_status(&fe, &status), 0);
	CHECK_EQ(status, 15);
}

static void
every_callback_null(void)
{
	static const struct rte_vhost_device_ops none;
	const char *quiet_path = flow_serve_ops(0, &none);
	struct rte_mempool *pool = flow_pool(64, 2048);
	struct frontend f;
	struct rte_mbuf *m = NULL;
	struct guest_tx tx;
	uint8_t data[64];
	int vid;

	STEP(0, "+conn");
	fe_init(&f);
	CHECK_EQ(fe_connect(&f, quiet_path), 0);
	CHECK_EQ(fe_setup(&f, &two_pairs), 0);
	vid = rec_vid() == 0 ? 1 : 0; /* the fixture's connection has the other one */
	guest_tx_init(&tx, &f.vqs[1], GUEST_NET_HDR_BYTES, 4096);
	guest_pattern(1, data, sizeof(data));
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(vid, 1, pool, &m, 1), 1);
	CHECK_EQ(rte_pktmbuf_pkt_len(m), sizeof(data));
	rte_pktmbuf_free(m);
	CHECK_EQ(fe_set_features(&f, f.features & ~FE_F_LOG_ALL), 0);
	CHECK_EQ(fe_stop(&f, NULL), 0);
	CHECK_EQ(fe_start(&f, &two_pairs), 0);
	fe_close(&f);
	usleep(20000);
	flow_unserve(quiet_path);
	rte_mempool_free(pool);
	CHECK_STR(rec_text(), "");
}

/* Difference: the stock library crashes in new_device when nothing was registered. */
static void
no_callbacks_registered(void)
{
	const char *quiet_path = flow_path();
	struct frontend f;

	if (is_stock)
		tap_skip("the stock library crashes without a callback table");
	CHECK_EQ(rte_vhost_driver_register(quiet_path, 0), 0);
	CHECK_EQ(rte_vhost_driver_start(quiet_path), 0);
	fe_init(&f);
	CHECK_EQ(fe_connect(&f, quiet_path), 0);
	CHECK_EQ(fe_setup(&f, &two_pairs), 0);
	fe_close(&f);
	usleep(20000);
	flow_unserve(quiet_path);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(connect_and_start_in_qemu_order),
		FLOW_TEST(start_with_enable_last),
		FLOW_TEST(start_without_protocol_features),
		FLOW_TEST(stop_by_get_vring_base_and_restart),
		FLOW_TEST(disable_and_enable),
		FLOW_TEST(new_fds_while_running),
		FLOW_TEST(quiet_messages_while_running),
		FLOW_TEST(features_changed_by_log_all_only),
		FLOW_TEST(reset_owner),
		FLOW_TEST(reset_device),
		FLOW_TEST(only_eventfds_are_taken),
		FLOW_TEST(disconnect_while_running),
		FLOW_TEST(disconnect_before_start),
		FLOW_TEST(disconnect_after_stop),
		FLOW_TEST(new_device_refused_then_accepted),
		FLOW_TEST(new_device_never_accepted),
		FLOW_TEST(new_connection_refused),
		FLOW_TEST(status_gates_new_device),
		FLOW_TEST(every_callback_null),
		FLOW_TEST(no_callbacks_registered),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
