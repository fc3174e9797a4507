/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device/reconcile.c: which callbacks a message causes in which state, as one table. What the
 * stock library does is the reference; where we differ on purpose the row says so. A random walk is
 * in reconcile_walk.c.
 */
#include <linux/virtio_config.h>

#include "session.h"

static struct session s;

static int setup(void **state)
{
	(void)state;
	kit_capture_log();
	session_init(&s);
	session_open(&s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	session_close(&s);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* --- from a state, a message, to callbacks ----------------------------- */

static void nothing(void)
{
}

static void to_negotiated(void)
{
	session_negotiate(&s);
}

/* Everything but the enabling of the second pair. */
static void to_running(void)
{
	session_setup(&s, 2);
}

static void to_running_two_pairs(void)
{
	session_setup(&s, 4);
}

static void to_ready_but_disabled(void)
{
	session_negotiate(&s);
	session_memory(&s);
	session_ring(&s, 0);
	session_ring(&s, 1);
}

static void to_one_ring_ready(void)
{
	to_ready_but_disabled();
	session_enable(&s, 0, true);
}

static void to_stopped(void)
{
	to_running();
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 1, 0), 0);
}

static void to_refusing(void)
{
	s.new_device_returns = -1;
	to_running();
	session_events(&s);
}

static void to_waiting_for_driver(void)
{
	session_setup(&s, 0);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, 0), 0);
	session_ring(&s, 0);
	session_ring(&s, 1);
	session_enable(&s, 0, true);
	session_enable(&s, 1, true);
}

static void kick(uint32_t i)
{
	assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, i, s.vqs[i].kickfd), 0);
}

static void kick_0(void)
{
	kick(0);
}

static void call_0(void)
{
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd), 0);
}

static void call_0_none(void)
{
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, -1), 0);
}

static void call_0_bad(void)
{
	assert_true(session_fd(&s, VHU_SET_VRING_CALL, 0, s.mem.regions[0].fd) < 0);
}

static void kick_0_bad(void)
{
	assert_true(session_fd(&s, VHU_SET_VRING_KICK, 0, s.mem.regions[0].fd) < 0);
}

static void err_0(void)
{
	assert_int_equal(session_fd(&s, VHU_SET_VRING_ERR, 0, s.vqs[0].errfd), 0);
}

static void table_again(void)
{
	session_memory(&s);
}

static void table_without_rings(void)
{
	struct guest_memory other = s.mem;

	other.nregions = 1;
	other.regions[0] = s.mem.regions[1];
	assert_int_equal(session_mem_table(&s, &other), 0);
}

static void table_without_rings_and_back(void)
{
	table_without_rings();
	session_memory(&s);
}

static void enable_0(void)
{
	session_enable(&s, 0, true);
}

static void enable_1(void)
{
	session_enable(&s, 1, true);
}

static void disable_0(void)
{
	session_enable(&s, 0, false);
}

static void disable_0_twice(void)
{
	disable_0();
	disable_0();
}

static void disable_and_enable_0(void)
{
	disable_0();
	enable_0();
}

static void features_same(void)
{
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, s.dev->features), 0);
}

static void features_log(void)
{
	uint64_t want = s.dev->features ^ BIT(VHOST_F_LOG_ALL);

	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, want), 0);
	assert_int_equal(s.features_in_callback, s.dev->running ? want : 0);
}

static void features_other(void)
{
	assert_true(session_u64(&s, VHU_SET_FEATURES, 0) < 0);
}

static void stop_0(void)
{
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
}

static void stop_2(void)
{
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 2, 0), 0);
}

static void stop_both(void)
{
	stop_0();
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 1, 0), 0);
}

static void stop_all_four(void)
{
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, i, 0), 0);
}

static void start_both(void)
{
	session_ring(&s, 0);
	session_ring(&s, 1);
}

static void reset_owner(void)
{
	assert_int_equal(session_empty(&s, VHU_RESET_OWNER), 0);
}

static void get_features(void)
{
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
}

static void accept_now(void)
{
	s.new_device_returns = 0;
	get_features();
}

static void driver_ok(void)
{
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, VIRTIO_CONFIG_S_DRIVER_OK), 0);
}

static void status_0(void)
{
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, 0), 0);
}

static void mtu(void)
{
	assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, 1500), 0);
}

static void addr_0_same(void)
{
	assert_int_equal(session_addr(&s, 0), 0);
}

static void addr_0_nowhere(void)
{
	struct vhu_vring_addr addr = session_addr_of(&s, 0);

	addr.used = 0x1000;
	(void)session_send(&s, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static void addr_0_nowhere_and_back(void)
{
	addr_0_nowhere();
	addr_0_same();
}

/* What QEMU sends: eventfds and enabling first, memory, then ring by ring with the kick. */
static void qemu_order(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, i, s.vqs[i].callfd), 0);
		session_enable(&s, i, true);
	}
	session_memory(&s);
	for (unsigned int i = 0; i < 4; i++)
		session_ring(&s, i);
}

static void gone(void)
{
	device_shutdown(s.dev);
}

static const struct {
	const char *name;
	void (*state)(void);
	void (*message)(void);
	const char *events;
} rows[] = {
	{ "QEMU's order of messages", to_negotiated, qemu_order,
	  "q0=1 q0=0 q0=1 q1=1 +dev q1=0 q1=1 q2=1 q2=0 q2=1 q3=1 q3=0 q3=1" },
	{ "enabling comes last", to_ready_but_disabled, enable_0, "q0=1" },
	{ "the second ring starts the device", to_one_ring_ready, enable_1, "q1=1 +dev" },
	{ "way up to two pairs", nothing, to_running_two_pairs, "q0=1 q1=1 +dev q2=1 q3=1" },
	{ "kick replaced under a ready queue", to_running, kick_0, "q0=0 q0=1" },
	{ "call replaced under a ready queue", to_running, call_0, "q0=0 q0=1" },
	{ "call taken away is an answer, too", to_running, call_0_none, "q0=0 q0=1" },
	{ "a call that is no eventfd changes nothing", to_running, call_0_bad, "" },
	{ "a kick that is no eventfd changes nothing", to_running, kick_0_bad, "" },
	{ "err replaced", to_running, err_0, "" },
	{ "same memory again", to_running, table_again, "" },
	{ "memory without the rings", to_running, table_without_rings, "q0=0 q1=0" },
	{ "memory without the rings, and back", to_running, table_without_rings_and_back,
	  "q0=0 q1=0 q0=1 q1=1" },
	{ "disable", to_running, disable_0, "q0=0" },
	{ "disable twice", to_running, disable_0_twice, "q0=0" },
	{ "disable and enable", to_running, disable_and_enable_0, "q0=0 q0=1" },
	{ "enable what is enabled", to_running, enable_0, "" },
	{ "same features", to_running, features_same, "" },
	{ "dirty logging on", to_running, features_log, "features" },
	{ "other features while running", to_running, features_other, "" },
	{ "dirty logging before anything runs", to_negotiated, features_log, "" },
	{ "stop", to_running, stop_both, "-dev q0=0 q1=0" },
	{ "stop two pairs", to_running_two_pairs, stop_all_four, "-dev q0=0 q1=0 q2=0 q3=0" },
	{ "stop of a queue that the device can do without", to_running_two_pairs, stop_2,
	  "-dev q2=0 +dev" },
	{ "stop what never started", to_negotiated, stop_both, "" },
	{ "start after a stop: enabling is remembered", to_stopped, start_both, "q0=1 q1=1 +dev" },
	/* The stock library leaves the queues up. */
	{ "reset owner", to_running, reset_owner, "-dev q0=0 q1=0" },
	{ "reset owner of nothing", to_negotiated, reset_owner, "" },
	{ "a refused device is asked again", to_refusing, get_features, "+dev" },
	{ "a refused device accepts later", to_refusing, accept_now, "+dev" },
	{ "a refused device was never there", to_refusing, gone, "" },
	{ "driver not ready: no device", nothing, to_waiting_for_driver, "q0=1 q1=1" },
	{ "driver ready", to_waiting_for_driver, driver_ok, "+dev" },
	{ "status 0 while running", to_running, status_0, "" },
	{ "MTU while running", to_running, mtu, "" },
	{ "same addresses while running", to_running, addr_0_same, "" },
	{ "addresses nowhere while running", to_running, addr_0_nowhere, "q0=0" },
	{ "addresses nowhere, and back", to_running, addr_0_nowhere_and_back, "q0=0 q0=1" },
	{ "connection gone", to_running, gone, "-dev" },
	{ "connection gone before it ran", to_one_ring_ready, gone, "" },
};

static const char *collect(void (*step)(void))
{
	session_events(&s);
	step();
	return session_events(&s);
}

static void callbacks_of_each_message(void **state)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got;

		setup(state);
		rows[i].state();
		got = collect(rows[i].message);
		if (strcmp(got, rows[i].events) != 0) {
			print_error("%s: [%s], expected [%s]\n", rows[i].name, got, rows[i].events);
			wrong++;
		}
		teardown(state);
	}
	assert_int_equal(wrong, 0);
}

/* --- gates and pointers inside the callbacks --------------------------- */

static bool expect_gates_open;

static void look_at_gates(struct session *session)
{
	assert_int_equal(gate_is_closed(&session_vq(session, 0)->gate), !expect_gates_open);
	/* And unlocked, or an application could not call us. */
	assert_int_equal(pthread_mutex_trylock(&session->dev->lock), 0);
	pthread_mutex_unlock(&session->dev->lock);
}

static void gates_in_callbacks(void **state)
{
	(void)state;
	to_one_ring_ready();
	s.on_callback = look_at_gates;
	/* q1=1 and +dev: queue 0 is long open, and stays so. */
	expect_gates_open = true;
	enable_1();
	/* q0=0: closed while the application hears of it. */
	expect_gates_open = false;
	disable_0();
	/* q0=1: still closed. */
	enable_0();
	assert_false(gate_is_closed(&session_vq(&s, 0)->gate));
	/* -dev: open, so that an application may drain. */
	expect_gates_open = true;
	device_shutdown(s.dev);
	assert_true(gate_is_closed(&session_vq(&s, 0)->gate));
	s.on_callback = NULL;
}

static void every_callback_is_optional(void **state)
{
	(void)state;
	s.config.ops = (struct rte_vhost_device_ops){ 0 };
	to_running();
	assert_true(s.dev->running);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES,
				     s.dev->features ^ BIT(VHOST_F_LOG_ALL)),
			 0);
	stop_both();
	assert_false(s.dev->running);
	start_both();
	assert_true(s.dev->running);
}

/* The application serves the rings: all that were named have to be ready. */
static void without_a_backend_all_rings_count(void **state)
{
	(void)state;
	s.dev->backend = NULL;
	session_negotiate(&s);
	session_memory(&s);
	session_enable(&s, 2, true);
	for (unsigned int i = 0; i < 3; i++)
		session_ring(&s, i);
	assert_string_equal(session_events(&s), "q2=1");
	session_enable(&s, 0, true);
	assert_string_equal(session_events(&s), "q0=1");
	session_enable(&s, 1, true);
	assert_string_equal(session_events(&s), "q1=1 +dev");
}

/* A frontend of the first days: no bit 30, rings start enabled. */
static void without_protocol_features_rings_start_enabled(void **state)
{
	(void)state;
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, BIT(VIRTIO_F_VERSION_1)), 0);
	session_memory(&s);
	session_ring(&s, 0);
	session_ring(&s, 1);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	/* Also rings that were named before the features came. */
	teardown(state);
	setup(state);
	session_memory(&s);
	session_state(&s, VHU_SET_VRING_NUM, 1, 64);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, BIT(VIRTIO_F_VERSION_1)), 0);
	session_ring(&s, 0);
	session_ring(&s, 1);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

static void each_missing_fact_keeps_a_queue_down(void **state)
{
	for (unsigned int missing = 0; missing < 7; missing++) {
		const struct guest_ring *vq = &s.vqs[0];

		setup(state);
		session_negotiate(&s);
		if (missing != 0)
			session_memory(&s);
		if (missing != 1)
			session_state(&s, VHU_SET_VRING_NUM, 0, vq->size);
		if (missing != 2 && missing != 0)
			session_addr(&s, 0);
		if (missing != 3)
			session_fd(&s, VHU_SET_VRING_KICK, 0, vq->kickfd);
		if (missing != 4)
			session_fd(&s, VHU_SET_VRING_CALL, 0, vq->callfd);
		if (missing != 5)
			session_enable(&s, 0, true);
		if (missing == 6)
			assert_string_equal(session_events(&s), "q0=1");
		else
			assert_string_equal(session_events(&s), "");
		assert_int_equal(gate_is_closed(&session_vq(&s, 0)->gate), missing != 6);
		teardown(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callbacks_of_each_message),
		TEST(gates_in_callbacks),
		TEST(every_callback_is_optional),
		cmocka_unit_test(each_missing_fact_keeps_a_queue_down),
		TEST(without_a_backend_all_rings_count),
		TEST(without_protocol_features_rings_start_enabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
