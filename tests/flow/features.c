/* SPDX-License-Identifier: BSD-3-Clause */
/* What is offered, what the application may change, what a frontend may choose. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_log.h>

#include "flow_main.h"

/*
 * Offered with no flags. The guide and compatibility with the stock library ask for exactly its
 * set; what is missing from ours yet is named here.
 */
#define STOCK_FEATURES 0xd7c66ffcbULL
#define STOCK_PROTOCOL_FEATURES 0x10cbfULL
#define PROTOCOL_NOT_YET (is_stock ? 0 : 1u << 7 | 1u << 11)
/* And what ours has besides. */
#define PROTOCOL_BEYOND \
	(is_stock ? 0 : 1u << FE_PROTOCOL_F_RESET_DEVICE |          \
			1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS | \
			1u << FE_PROTOCOL_F_INFLIGHT_SHMFD | 1u << FE_PROTOCOL_F_DEVICE_STATE)
#define NET_FEATURES STOCK_FEATURES
#define NET_PROTOCOL_FEATURES \
	((STOCK_PROTOCOL_FEATURES & ~(uint64_t)PROTOCOL_NOT_YET) | PROTOCOL_BEYOND)

static const char *path;
static struct frontend fe;

static void
setup(void)
{
	rec_reset();
	fe_init(&fe);
	path = flow_path();
	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK_EQ(rte_vhost_driver_callback_register(path, &rec_ops), 0);
}

static void
teardown(void)
{
	fe_close(&fe);
	usleep(10000);
	if (path != NULL)
		rte_vhost_driver_unregister(path);
	path = NULL;
}

static void
start_and_connect(void)
{
	CHECK_EQ(rte_vhost_driver_start(path), 0);
	CHECK_EQ(fe_connect(&fe, path), 0);
}

static uint64_t
offered(void)
{
	uint64_t features = 0;

	CHECK_EQ(fe_get_features(&fe, &features), 0);
	return features;
}

static uint64_t
driver_features(void)
{
	uint64_t features = 0;

	CHECK_EQ(rte_vhost_driver_get_features(path, &features), 0);
	return features;
}

static uint64_t
driver_protocol_features(void)
{
	uint64_t features = 0;

	CHECK_EQ(rte_vhost_driver_get_protocol_features(path, &features), 0);
	return features;
}

static void
defaults(void)
{
	uint64_t protocol = 0, pairs = 0;
	uint32_t queue_num = 0;

	CHECK_EQ(driver_features(), NET_FEATURES);
	CHECK_EQ(driver_protocol_features(), NET_PROTOCOL_FEATURES);
	CHECK_EQ(rte_vhost_driver_get_queue_num(path, &queue_num), 0);
	CHECK_EQ(queue_num, 128);
	start_and_connect();
	CHECK_EQ(offered(), NET_FEATURES);
	CHECK_EQ(fe_get_protocol_features(&fe, &protocol), 0);
	CHECK_EQ(protocol, NET_PROTOCOL_FEATURES);
	CHECK_EQ(fe_set_protocol_features(&fe, 1u << FE_PROTOCOL_F_MQ), 0);
	CHECK_EQ(fe_get_queue_num(&fe, &pairs), 0);
	CHECK_EQ(pairs, 128);
}

static void
disable_and_enable(void)
{
	const uint64_t tso = FE_F_HOST_TSO4 | FE_F_HOST_TSO6 | FE_F_GUEST_TSO4 | FE_F_GUEST_TSO6;

	CHECK_EQ(rte_vhost_driver_disable_features(path, FE_F_MRG_RXBUF | tso), 0);
	CHECK_EQ(driver_features(), NET_FEATURES & ~(FE_F_MRG_RXBUF | tso));
	CHECK_EQ(rte_vhost_driver_enable_features(path, FE_F_HOST_TSO4), 0);
	CHECK_EQ(driver_features(), (NET_FEATURES & ~(FE_F_MRG_RXBUF | tso)) | FE_F_HOST_TSO4);
	/* Only what the library can do may be enabled, and a refusal changes nothing. */
	CHECK_EQ(rte_vhost_driver_enable_features(path, 1ULL << 63 | FE_F_MRG_RXBUF), -1);
	CHECK_EQ(driver_features(), (NET_FEATURES & ~(FE_F_MRG_RXBUF | tso)) | FE_F_HOST_TSO4);
	start_and_connect();
	CHECK_EQ(offered(), (NET_FEATURES & ~(FE_F_MRG_RXBUF | tso)) | FE_F_HOST_TSO4);
}

static void
set_features_is_taken_as_is(void)
{
	const uint64_t own = 1ULL << 5 | FE_F_VERSION_1 | FE_F_PROTOCOL_FEATURES;

	CHECK_EQ(rte_vhost_driver_set_features(path, own), 0);
	CHECK_EQ(driver_features(), own);
	CHECK_EQ(rte_vhost_driver_enable_features(path, own), 0);
	CHECK_EQ(rte_vhost_driver_enable_features(path, FE_F_MRG_RXBUF), -1);
	start_and_connect();
	CHECK_EQ(offered(), own);
}

static void
set_protocol_features(void)
{
	const uint64_t own = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK;
	uint64_t protocol = 0;

	CHECK_EQ(rte_vhost_driver_set_protocol_features(path, own), 0);
	CHECK_EQ(driver_protocol_features(), own);
	start_and_connect();
	CHECK_EQ(fe_get_protocol_features(&fe, &protocol), 0);
	CHECK_EQ(protocol, own);
	CHECK_EQ(fe_set_protocol_features(&fe, own), 0);
	fe.use_ack = true;
	CHECK_EQ(fe_set_protocol_features(&fe, own | 1u << FE_PROTOCOL_F_NET_MTU), 1);
	CHECK_EQ(fe_set_protocol_features(&fe, own), 0);
}

/* Difference: what no message handler can make work is not offered, whoever asks. */
static void
protocol_features_that_cannot_be(void)
{
	static const unsigned int bits[] = {6, 14, 17};

	if (is_stock) {
		tap_skip("the stock library takes any bit");
		return;
	}
	for (unsigned int i = 0; i < RTE_DIM(bits); i++) {
		CHECK_EQ(rte_vhost_driver_set_protocol_features(path, 1ULL << bits[i] | 1), -1);
		CHECK_EQ(driver_protocol_features(), NET_PROTOCOL_FEATURES);
	}
	/* And so a frontend that takes one without asking is shown the door. */
	start_and_connect();
	CHECK_EQ(fe_set_protocol_features(&fe, 1u << 3 | 1u << 5 | 1u << 14), 0);
	CHECK(fe_closed_by_backend(&fe, 20000));
}

static void
check_flags(uint64_t flags, uint64_t features, uint64_t protocol_features)
{
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	CHECK_EQ(rte_vhost_driver_register(path, flags), 0);
	CHECK_EQ(driver_features(), features);
	CHECK_EQ(driver_protocol_features(), protocol_features);
}

static void
flags_change_the_offer(void)
{
	const uint64_t big = FE_F_HOST_TSO4 | FE_F_HOST_TSO6 | FE_F_HOST_UFO;

	check_flags(RTE_VHOST_USER_LINEARBUF_SUPPORT, NET_FEATURES & ~big, NET_PROTOCOL_FEATURES);
	check_flags(RTE_VHOST_USER_EXTBUF_SUPPORT, NET_FEATURES, NET_PROTOCOL_FEATURES);
	check_flags(RTE_VHOST_USER_LINEARBUF_SUPPORT | RTE_VHOST_USER_EXTBUF_SUPPORT, NET_FEATURES,
		    NET_PROTOCOL_FEATURES);
	check_flags(RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS, NET_FEATURES, NET_PROTOCOL_FEATURES);
	check_flags(RTE_VHOST_USER_NET_STATS_ENABLE, NET_FEATURES, NET_PROTOCOL_FEATURES);
	check_flags(RTE_VHOST_USER_RESERVED_1, NET_FEATURES, NET_PROTOCOL_FEATURES);
	/* Migration goes on beside engines; not in the stock library. */
	check_flags(RTE_VHOST_USER_ASYNC_COPY,
		    is_stock ? NET_FEATURES & ~(uint64_t)FE_F_LOG_ALL : NET_FEATURES,
		    NET_PROTOCOL_FEATURES);
}

/* Refused, and what is said names the flags: those that cannot be had together, no others. */
static void
engines_need_memory_that_stays(void)
{
	static const struct {
		uint64_t flags;
		bool iommu, postcopy;
	} rows[] = {
		{RTE_VHOST_USER_IOMMU_SUPPORT, true, false},
		{RTE_VHOST_USER_POSTCOPY_SUPPORT, false, true},
		{RTE_VHOST_USER_IOMMU_SUPPORT | RTE_VHOST_USER_POSTCOPY_SUPPORT, true, true},
	};

	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		const char *other = flow_path();
		const char *said;
		int rc;

		flow_listen();
		rc = rte_vhost_driver_register(other, RTE_VHOST_USER_ASYNC_COPY | rows[i].flags);
		said = flow_heard();
		flow_listen_no_more();
		/* The stock library refuses, and returns 0 all the same. */
		CHECK_EQ(rc, is_stock ? 0 : -1);
		CHECK_EQ(rte_vhost_driver_unregister(other), -1);
		if (!is_stock) {
			CHECK(strstr(said, "RTE_VHOST_USER_ASYNC_COPY") != NULL);
			CHECK_EQ(strstr(said, "IOMMU_SUPPORT") != NULL, rows[i].iommu);
			CHECK_EQ(strstr(said, "POSTCOPY_SUPPORT") != NULL, rows[i].postcopy);
		}
	}
}

static void
frontend_may_choose_only_what_is_offered(void)
{
	uint64_t negotiated = 1;

	CHECK_EQ(rte_vhost_driver_disable_features(path, FE_F_MRG_RXBUF), 0);
	start_and_connect();
	CHECK_EQ(fe_set_protocol_features(&fe, 1u << FE_PROTOCOL_F_REPLY_ACK), 0);
	fe.use_ack = true;
	CHECK_EQ(fe_set_features(&fe, FE_F_VERSION_1 | 1ULL << 63), 1);
	CHECK_EQ(fe_set_features(&fe, FE_F_VERSION_1 | FE_F_MRG_RXBUF), 1);
	CHECK_EQ(fe_set_features(&fe, FE_F_VERSION_1 | FE_F_ACCESS_PLATFORM), 1);
	CHECK_EQ(rte_vhost_get_negotiated_features(rec_vid(), &negotiated), 0);
	CHECK_EQ(negotiated, 0);
	CHECK_EQ(fe_set_features(&fe, FE_F_VERSION_1), 0);
	CHECK_EQ(rte_vhost_get_negotiated_features(rec_vid(), &negotiated), 0);
	CHECK_EQ(negotiated, FE_F_VERSION_1);
	CHECK_EQ(fe_set_protocol_features(&fe, 1ULL << 40), 1);
}

/*
 * Difference: the stock library answers need_reply always; the specification wants REPLY_ACK to be
 * negotiated first, and so does ours.
 */
static void
need_reply_without_reply_ack(void)
{
	uint64_t features = FE_F_VERSION_1;

	start_and_connect();
	CHECK_EQ(fe_sync(&fe), 0);
	fe.timeout_ms = 300;
	CHECK_EQ(fe_request_ack(&fe, FE_SET_FEATURES, &features, sizeof(features), NULL, 0),
		 is_stock ? 0 : -ETIMEDOUT);
	CHECK_EQ(fe_sync(&fe), 0);
}

static void
unoffered_bit_without_reply_closes(void)
{
	start_and_connect();
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(fe_set_features(&fe, 1ULL << 63), 0);
	CHECK(fe_closed_by_backend(&fe, 20000));
	CHECK(rec_wait("+conn -conn"));
}

static void
features_are_frozen_while_running(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF, .ring_size = 64,
	};
	uint64_t negotiated = 0;

	start_and_connect();
	CHECK_EQ(fe_setup(&fe, &config), 0);
	fe.use_ack = true;
	CHECK_EQ(fe_set_features(&fe, fe.features & ~FE_F_MRG_RXBUF), 1);
	CHECK_EQ(rte_vhost_get_negotiated_features(rec_vid(), &negotiated), 0);
	CHECK_EQ(negotiated, fe.features);
	CHECK_EQ(fe_stop(&fe, NULL), 0);
	CHECK_EQ(fe_set_features(&fe, fe.features & ~FE_F_MRG_RXBUF), 0);
	CHECK_EQ(rte_vhost_get_negotiated_features(rec_vid(), &negotiated), 0);
	CHECK_EQ(negotiated, fe.features & ~FE_F_MRG_RXBUF);
}

static void
refused_features_clear_features_ok(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1,
		.protocol_features = 1u << FE_PROTOCOL_F_STATUS | 1u << FE_PROTOCOL_F_REPLY_ACK,
	};
	uint64_t status = 0;

	start_and_connect();
	CHECK_EQ(fe_negotiate(&fe, &config), 0);
	fe.use_ack = true;
	CHECK_EQ(fe_set_status(&fe, FE_STATUS_ACKNOWLEDGE | FE_STATUS_DRIVER), 0);
	CHECK_EQ(fe_set_features(&fe, 1ULL << 63), 1);
	CHECK_EQ(fe_set_status(&fe, 11), 0);
	CHECK_EQ(fe_get_status(&fe, &status), 0);
	CHECK_EQ(status & FE_STATUS_FEATURES_OK, 0);
	CHECK_EQ(fe_set_features(&fe, FE_F_VERSION_1 | FE_F_PROTOCOL_FEATURES), 0);
	CHECK_EQ(fe_set_status(&fe, 11), 0);
	CHECK_EQ(fe_get_status(&fe, &status), 0);
	CHECK_EQ(status, 11);
}

static void
negotiated_protocol_features(void)
{
	uint64_t protocol = 1;

	start_and_connect();
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(rte_vhost_get_negotiated_protocol_features(rec_vid(), &protocol), 0);
	CHECK_EQ(protocol, 0);
	CHECK_EQ(fe_set_protocol_features(&fe, 9), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(rte_vhost_get_negotiated_protocol_features(rec_vid(), &protocol), 0);
	CHECK_EQ(protocol, 9);
}

/* A change of the offer reaches the next connection, not one that is already there. */
static void
offer_survives_reconnect(void)
{
	CHECK_EQ(rte_vhost_driver_disable_features(path, FE_F_MRG_RXBUF), 0);
	start_and_connect();
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(offered(), NET_FEATURES & ~FE_F_MRG_RXBUF);
		fe_close(&fe);
		CHECK_EQ(fe_connect(&fe, path), 0);
	}
}

/*
 * The backend came back with less than a running guest has agreed to: it is told, not served with
 * other features than it thinks; when the offer is what it was, it is served again.
 */
static void
offer_shrinks_over_a_reconnect(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF, .ring_size = 64,
	};
	uint64_t agreed;

	start_and_connect();
	CHECK_EQ(fe_setup(&fe, &config), 0);
	CHECK(rec_wait_tail("+dev"));
	agreed = fe.features;
	fe_disconnect(&fe);
	CHECK(rec_wait_tail("-conn"));
	CHECK_EQ(rte_vhost_driver_disable_features(path, FE_F_MRG_RXBUF), 0);
	rec_reset();
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_set_protocol_features(&fe, 1u << FE_PROTOCOL_F_REPLY_ACK), 0);
	fe.use_ack = true;
	CHECK_EQ(fe_set_features(&fe, agreed), 1);
	CHECK_STR(rec_text(), "+conn");
	fe_disconnect(&fe);
	CHECK(rec_wait_tail("-conn"));
	CHECK_EQ(rte_vhost_driver_enable_features(path, FE_F_MRG_RXBUF), 0);
	rec_reset();
	CHECK_EQ(fe_connect(&fe, path), 0);
	fe.use_ack = false;
	CHECK_EQ(fe_setup(&fe, &config), 0);
	CHECK_EQ(fe.features, agreed);
	CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev");
}

/* The frontend that is asked, once, as soon as it is. */
static void *
answer_config_change(void *arg)
{
	const struct {
		struct fe_header header;
		uint64_t result;
	} __attribute__((packed)) answer = {
		.header = {2, FE_FLAG_VERSION | FE_FLAG_REPLY, 8}, .result = *(uint64_t *)arg,
	};
	struct fe_msg msg;

	if (fe_recv_backend(&fe, &msg) != 0 || msg.header.request != 2 ||
	    (msg.header.flags & FE_FLAG_NEED_REPLY) == 0)
		return (void *)(uintptr_t)1;
	return send(fe.backend_fd, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer) ?
		       NULL :
		       (void *)(uintptr_t)1;
}

static int
ask_for_config_change(uint64_t answer)
{
	pthread_t thread;
	void *problem;
	int rc;

	CHECK_EQ(pthread_create(&thread, NULL, answer_config_change, &answer), 0);
	rc = rte_vhost_slave_config_change(rec_vid(), true);
	pthread_join(thread, &problem);
	CHECK(problem == NULL);
	return rc;
}

static void
config_change_is_told(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1,
		.protocol_features = 1u << FE_PROTOCOL_F_REPLY_ACK |
				     1u << FE_PROTOCOL_F_BACKEND_REQ,
	};
	struct fe_msg msg;

	start_and_connect();
	CHECK_EQ(fe_negotiate(&fe, &config), 0);
	CHECK_EQ(fe_set_backend_req_fd(&fe), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(rte_vhost_slave_config_change(rec_vid(), false), 0);
	CHECK_EQ(fe_recv_backend(&fe, &msg), 0);
	CHECK_EQ(msg.header.request, 2); /* CONFIG_CHANGE_MSG */
	CHECK_EQ(msg.header.flags, FE_FLAG_VERSION);
	CHECK_EQ(msg.header.size_bytes, 0);
	CHECK_EQ(ask_for_config_change(0), 0);
	CHECK(ask_for_config_change(1) < 0);
	CHECK_EQ(rte_vhost_slave_config_change(1000, false) < 0, true);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(defaults),
		FLOW_TEST(disable_and_enable),
		FLOW_TEST(set_features_is_taken_as_is),
		FLOW_TEST(set_protocol_features),
		FLOW_TEST(protocol_features_that_cannot_be),
		FLOW_TEST(flags_change_the_offer),
		FLOW_TEST(engines_need_memory_that_stays),
		FLOW_TEST(frontend_may_choose_only_what_is_offered),
		FLOW_TEST(need_reply_without_reply_ack),
		FLOW_TEST(unoffered_bit_without_reply_closes),
		FLOW_TEST(features_are_frozen_while_running),
		FLOW_TEST(refused_features_clear_features_ok),
		FLOW_TEST(negotiated_protocol_features),
		FLOW_TEST(config_change_is_told),
		FLOW_TEST(offer_survives_reconnect),
		FLOW_TEST(offer_shrinks_over_a_reconnect),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
