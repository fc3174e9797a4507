/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a crypto device is there, and which of its queues are. The frontends do what QEMU 7.2 does:
 * they agree to VHOST_USER_F_PROTOCOL_FEATURES and then enable no queue, and start as many as the
 * guest's driver has set up. No cryptodev: the application has not got that far.
 */
#include <rte_vhost_crypto.h>

#include "flow_main.h"

#define BIT(n) (UINT64_C(1) << (n))
#define CRYPTO_PROTOCOL \
	(BIT(FE_PROTOCOL_F_MQ) | BIT(FE_PROTOCOL_F_REPLY_ACK) | BIT(FE_PROTOCOL_F_CRYPTO_SESSION))

static const struct fe_config config = {
	.features = FE_F_PROTOCOL_FEATURES,
	.protocol_features = CRYPTO_PROTOCOL | BIT(FE_PROTOCOL_F_STATUS),
	.no_enable = true,
};
static struct flow flow;

static void
setup(void)
{
	rec_reset();
	flow.path = flow_path();
	CHECK_EQ(rte_vhost_driver_register(flow.path, 0), 0);
	CHECK_EQ(rte_vhost_driver_callback_register(flow.path, &rec_ops), 0);
	CHECK_EQ(rte_vhost_crypto_driver_start(flow.path), 0);
	fe_init(&flow.fe);
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_negotiate(&flow.fe, &config), 0);
	CHECK_EQ(fe_build(&flow.fe, &config), 0);
}

static void
down(void)
{
	fe_close(&flow.fe);
	flow_unserve(flow.path);
}

/*
 * Both have interrupts already, only the first is set up. Its interrupt comes once more when it has
 * started, which the application sees as a stop.
 */
#define STARTS_FIRST "q0=1 +dev q0=0 q0=1"

static void
start_first(void)
{
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(fe_set_vring_call(&flow.fe, i, flow.fe.vqs[i].callfd), 0);
		CHECK_EQ(fe_set_vring_err(&flow.fe, i, flow.fe.vqs[i].errfd), 0);
	}
	CHECK_EQ(fe_add_memory(&flow.fe, &flow.fe.mem), 0);
	CHECK_EQ(fe_start_vring(&flow.fe, 0), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
}

static void
nobody_enables(void)
{
	start_first();
	/* Stock waits for SET_VRING_ENABLE, for DRIVER_OK, and for the second queue. */
	CHECK_STR(rec_text(), is_stock ? "+conn" : "+conn " STARTS_FIRST);
	CHECK_EQ(fe_start_vring(&flow.fe, 1), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), is_stock ? "+conn" : "+conn " STARTS_FIRST " q1=1 q1=0 q1=1");
	down();
}

/* That is not what STATUS is for, but what follows from it. */
static void
nobody_says_driver_ok(void)
{
	uint64_t offered = 0;

	CHECK_EQ(fe_get_protocol_features(&flow.fe, &offered), 0);
	CHECK_EQ(offered & BIT(FE_PROTOCOL_F_STATUS), is_stock ? BIT(FE_PROTOCOL_F_STATUS) : 0);
	CHECK_EQ(offered & CRYPTO_PROTOCOL, CRYPTO_PROTOCOL);
	down();
}

/* Who does enable and disable gets what he says. */
static void
disabled_is_disabled(void)
{
	if (is_stock)
		CHECK_EQ(fe_set_status(&flow.fe, 0xf), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, false), 0);
	start_first();
	CHECK_STR(rec_text(), "+conn");
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), is_stock ? "+conn q0=1" : "+conn q0=1 +dev");
	if (!is_stock) {
		CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, false), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		CHECK_STR(rec_text(), "+conn q0=1 +dev q0=0");
	}
	down();
}

/* And again, after the guest has reset its device. */
static void
stopped_and_started(void)
{
	uint32_t base;

	start_first();
	CHECK_EQ(fe_get_vring_base(&flow.fe, 0, &base), 0);
	CHECK_EQ(fe_start_vring(&flow.fe, 0), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_STR(rec_text(), is_stock ? "+conn" : "+conn " STARTS_FIRST " -dev q0=0 q0=1 +dev");
	down();
}

static void
teardown(void)
{
	fe_close(&flow.fe);
	rte_vhost_driver_unregister(flow.path);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(nobody_enables),
		FLOW_TEST(nobody_says_driver_ok),
		FLOW_TEST(disabled_is_disabled),
		FLOW_TEST(stopped_and_started),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
