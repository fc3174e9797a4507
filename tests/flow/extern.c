/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An application's own message handlers over a socket, and a device that is not a network card:
 * one ring is enough, the ring is the application's, and so is the configuration space.
 */
#include <errno.h>

#include "flow_main.h"

#define FEATURES (FE_F_VERSION_1 | FE_F_PROTOCOL_FEATURES)
#define PROTOCOL (1u << FE_PROTOCOL_F_REPLY_ACK | 1u << VHOST_USER_PROTOCOL_F_CONFIG)
#define UNKNOWN 99u

/* As DPDK 22.11 has it. */
struct message {
	uint32_t request, flags, size_bytes;
	uint8_t payload[632];
	int fds[8];
	int nr_fds;
} __attribute__((packed));

struct config {
	uint32_t offset_bytes, size_bytes, flags;
	uint8_t space[256];
};

static const char *path;
static struct frontend fe;
static uint32_t watched; /* request that the handlers record */
static enum rte_vhost_msg_result pre_says, post_says;
static int registered; /* what rte_vhost_extern_callback_register() said */
static int vring_at_kick; /* what rte_vhost_get_vhost_vring() said in post_msg_handle() */
static struct rte_vhost_vring kicked;

static enum rte_vhost_msg_result
say(struct message *m, enum rte_vhost_msg_result says)
{
	if (says == RTE_VHOST_MSG_RESULT_REPLY) {
		m->size_bytes = 16;
		memset(m->payload, 0x5a, 16);
	}
	return says;
}

static enum rte_vhost_msg_result
on_pre(int vid, void *msg)
{
	struct message *m = msg;
	uint64_t features;

	/* The library may be asked. */
	RTE_VERIFY(rte_vhost_get_negotiated_features(vid, &features) == 0);
	if (m->request == FE_GET_CONFIG) {
		struct config *config = (struct config *)(uintptr_t)m->payload;

		memset(config->space, 0x42, config->size_bytes);
		return RTE_VHOST_MSG_RESULT_REPLY;
	}
	if (m->request != watched)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	rec_mark("pre");
	return say(m, pre_says);
}

static enum rte_vhost_msg_result
on_post(int vid, void *msg)
{
	struct message *m = msg;

	if (m->request == FE_SET_VRING_KICK)
		vring_at_kick = rte_vhost_get_vhost_vring(vid, m->payload[0], &kicked);
	if (m->request != watched)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	rec_mark("post");
	return say(m, post_says);
}

static int
on_new_connection(int vid)
{
	static const struct rte_vhost_user_extern_ops handlers = {on_pre, on_post};

	registered = rte_vhost_extern_callback_register(vid, &handlers, NULL);
	return rec_ops.new_connection(vid);
}

static struct rte_vhost_device_ops ops;

static void
setup(void)
{
	ops = rec_ops;
	ops.new_connection = on_new_connection;
	rec_reset();
	watched = 0;
	pre_says = post_says = RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	path = flow_path();
	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK_EQ(rte_vhost_driver_set_features(path, FEATURES | fe_extra_features), 0);
	CHECK_EQ(rte_vhost_driver_set_protocol_features(path, PROTOCOL), 0);
	CHECK_EQ(rte_vhost_driver_callback_register(path, &ops), 0);
	CHECK_EQ(rte_vhost_driver_start(path), 0);
	fe_init(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_set_protocol_features(&fe, PROTOCOL), 0);
	CHECK_EQ(fe_sync(&fe), 0);
}

static void
teardown(void)
{
	fe_close(&fe);
	(void)rec_wait_tail("-conn");
	flow_unserve(path);
}

static int
send_unknown(void)
{
	uint64_t word = 7;

	return fe_request_ack(&fe, UNKNOWN, &word, sizeof(word), NULL, 0);
}

static void
results_of_handlers(void)
{
	static const struct {
		enum rte_vhost_msg_result pre, post;
		int ack;
		const char *seen_by;
	} cases[] = {
		{RTE_VHOST_MSG_RESULT_ERR, RTE_VHOST_MSG_RESULT_OK, 1, "pre"},
		{RTE_VHOST_MSG_RESULT_OK, RTE_VHOST_MSG_RESULT_NOT_HANDLED, 0, "pre post"},
		{RTE_VHOST_MSG_RESULT_OK, RTE_VHOST_MSG_RESULT_ERR, 1, "pre post"},
		{RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_OK, 0, "pre post"},
		{RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_ERR, 1, "pre post"},
		{RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_NOT_HANDLED, 1, "pre post"},
	};

	CHECK_EQ(registered, 0);
	watched = UNKNOWN;
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		rec_reset();
		pre_says = cases[i].pre;
		post_says = cases[i].post;
		CHECK_EQ(send_unknown(), cases[i].ack);
		CHECK(rec_wait(cases[i].seen_by));
	}
	/* Also about what the library knows. */
	watched = FE_SET_FEATURES;
	pre_says = RTE_VHOST_MSG_RESULT_ERR;
	fe.use_ack = true;
	CHECK_EQ(fe_set_features(&fe, FEATURES), 1);
	pre_says = RTE_VHOST_MSG_RESULT_OK;
	CHECK_EQ(fe_set_features(&fe, FEATURES), 0);
}

static void
replies_of_handlers(void)
{
	struct fe_msg reply;

	watched = UNKNOWN;
	for (int late = 0; late < 2; late++) {
		pre_says = late ? RTE_VHOST_MSG_RESULT_NOT_HANDLED : RTE_VHOST_MSG_RESULT_REPLY;
		post_says = late ? RTE_VHOST_MSG_RESULT_REPLY : RTE_VHOST_MSG_RESULT_NOT_HANDLED;
		CHECK_EQ(fe_request(&fe, UNKNOWN, NULL, 0, &reply), 0);
		CHECK_EQ(reply.header.size_bytes, 16);
		CHECK_EQ(reply.u64, 0x5a5a5a5a5a5a5a5a);
		/* One. */
		CHECK_EQ(fe_sync(&fe), 0);
	}
}

static void
unhandled_closes(void)
{
	uint64_t word = 7;

	CHECK_EQ(fe_send(&fe, UNKNOWN, FE_FLAG_VERSION, &word, sizeof(word), NULL, 0), 0);
	CHECK(fe_closed_by_backend(&fe, 20000));
	CHECK(rec_wait_tail("-conn"));
	/* The next connection has its handlers, too. */
	fe_close(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_set_protocol_features(&fe, PROTOCOL), 0);
	watched = UNKNOWN;
	pre_says = RTE_VHOST_MSG_RESULT_OK;
	CHECK_EQ(send_unknown(), 0);
}

static void
configuration_space(void)
{
	struct config config = {.size_bytes = 60};
	struct fe_msg reply;

	CHECK_EQ(fe_request(&fe, FE_GET_CONFIG, &config, 12 + 60, &reply), 0);
	CHECK_EQ(reply.header.size_bytes, 12 + 60);
	CHECK_EQ(reply.bytes[12], 0x42);
	CHECK_EQ(reply.bytes[12 + 59], 0x42);
	/* SET_CONFIG: nobody here takes it. */
	CHECK_EQ(fe_request_ack(&fe, FE_SET_CONFIG, &config, 12 + 60, NULL, 0), 1);
	watched = FE_SET_CONFIG;
	pre_says = RTE_VHOST_MSG_RESULT_OK;
	CHECK_EQ(fe_request_ack(&fe, FE_SET_CONFIG, &config, 12 + 60, NULL, 0), 0);
}

static const struct fe_config one_ring = {
	.features = FEATURES,
	.protocol_features = PROTOCOL,
	.ring_size = 64,
};

static void
build(void)
{
	CHECK_EQ(fe_negotiate(&fe, &one_ring), 0);
	CHECK_EQ(fe_build(&fe, &one_ring), 0);
	CHECK_EQ(fe_set_mem_table(&fe, &fe.mem), 0);
}

/* A block device has one queue; a network card would wait for the second. */
static void
one_ring_is_enough(void)
{
	struct rte_vhost_vring vring;
	uint16_t avail = 9, used = 9;
	uint32_t base;

	build();
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	CHECK_EQ(fe_set_vring_enable(&fe, 0, true), 0);
	CHECK(rec_wait("+conn q0=1 +dev"));
	CHECK_EQ(rte_vhost_get_vring_num(rec_vid()), 1);
	CHECK_EQ(rte_vhost_get_vhost_vring(rec_vid(), 0, &vring), 0);
	CHECK_EQ(vring.size, 64);
	CHECK(vring.callfd >= 0 && vring.kickfd >= 0);
	/* The same bytes. */
	fe.vqs[0].avail[0] = 0x1234;
	if (!flow_packed)
		CHECK_EQ(vring.avail->flags, 0x1234);
	fe.vqs[0].avail[0] = 0;
	CHECK_EQ(rte_vhost_vring_call(rec_vid(), 0), 0);
	/* Where the application stands when it stops is what the frontend hears. */
	CHECK_EQ(rte_vhost_set_vring_base(rec_vid(), 0, 21, 21), 0);
	CHECK_EQ(rte_vhost_get_vring_base(rec_vid(), 0, &avail, &used), 0);
	CHECK_EQ(avail, 21);
	CHECK_EQ(used, 21);
	CHECK_EQ(fe_get_vring_base(&fe, 0, &base), 0);
	CHECK_EQ(base & 0xffff, 21);
	CHECK(rec_wait("+conn q0=1 +dev -dev q0=0"));
}

/* All the rings there are, however many: the device waits for those that the frontend named. */
static void
every_named_ring_is_waited_for(void)
{
	build();
	CHECK_EQ(fe_set_vring_call(&fe, 1, fe.vqs[1].callfd), 0);
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	CHECK_EQ(fe_set_vring_enable(&fe, 0, true), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK(rec_wait("+conn q0=1"));
	CHECK_EQ(fe_start_vring(&fe, 1), 0);
	CHECK_EQ(fe_set_vring_enable(&fe, 1, true), 0);
	CHECK(rec_wait("+conn q0=1 q1=1 +dev"));
}

/* Storage targets look for the ring when it is kicked off, which is before it is enabled. */
static void
the_ring_is_there_at_its_kick(void)
{
	build();
	vring_at_kick = -1;
	memset(&kicked, 0, sizeof(kicked));
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(vring_at_kick, 0);
	CHECK(kicked.desc != NULL && kicked.avail != NULL && kicked.used != NULL);
	CHECK_EQ(kicked.size, 64);
	CHECK(rec_wait("+conn"));
}

/* The device starts after the handler has seen the last message it needed. */
static void
handlers_come_before_new_device(void)
{
	build();
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	watched = FE_SET_VRING_ENABLE;
	CHECK_EQ(fe_set_vring_enable(&fe, 0, true), 0);
	CHECK(rec_wait_tail("+dev"));
	/* Difference: queues come before the application's second look. */
	CHECK(rec_wait(is_stock ? "+conn pre post q0=1 +dev" : "+conn pre q0=1 post +dev"));
}

static void
register_wants_a_device_and_handlers(void)
{
	static const struct rte_vhost_user_extern_ops none;

	CHECK_EQ(rte_vhost_extern_callback_register(-1, &none, NULL), -1);
	CHECK_EQ(rte_vhost_extern_callback_register(1023, &none, NULL), -1);
	if (!is_stock) /* it crashes */
		CHECK_EQ(rte_vhost_extern_callback_register(rec_vid(), NULL, NULL), -1);
	/* The last word counts. */
	CHECK_EQ(rte_vhost_extern_callback_register(rec_vid(), &none, NULL), 0);
	watched = UNKNOWN;
	pre_says = RTE_VHOST_MSG_RESULT_OK;
	CHECK_EQ(send_unknown(), 1);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(results_of_handlers),
		FLOW_TEST(replies_of_handlers),
		FLOW_TEST(unhandled_closes),
		FLOW_TEST(configuration_space),
		FLOW_TEST(one_ring_is_enough),
		FLOW_TEST(every_named_ring_is_waited_for),
		FLOW_TEST(the_ring_is_there_at_its_kick),
		FLOW_TEST(handlers_come_before_new_device),
		FLOW_TEST(register_wants_a_device_and_handlers),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
