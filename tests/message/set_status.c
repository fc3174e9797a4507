/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_STATUS: the driver's progress, one byte; DRIVER_OK lets the device start. */
#include "meaning.h"

static void one_byte(void **state)
{
	static const uint64_t bad[] = { 256, 257, UINT64_C(1) << 32, UINT64_MAX };

	(void)state;
	session_negotiate(&s);
	for (uint64_t status = 0; status < 256; status++) {
		assert_int_equal(session_u64(&s, VHU_SET_STATUS, status), 0);
		assert_int_equal(s.dev->status, status);
	}
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(session_u64(&s, VHU_SET_STATUS, bad[i]) < 0);
		assert_int_equal(s.dev->status, 255);
	}
}

static void features_ok_needs_features(void **state)
{
	(void)state;
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES,
				     BIT(VHOST_USER_PROTOCOL_F_STATUS)),
			 0);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS,
				     VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK),
			 0);
	assert_int_equal(s.dev->status, VIRTIO_CONFIG_S_DRIVER);
}

/* Features were agreed once, then others refused: those that stand are not what the driver asked. */
static void features_ok_needs_the_last_features(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_true(session_u64(&s, VHU_SET_FEATURES, UINT64_MAX) < 0);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, VIRTIO_CONFIG_S_FEATURES_OK), 0);
	assert_int_equal(s.dev->status, 0);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, SESSION_FEATURES), 0);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, VIRTIO_CONFIG_S_FEATURES_OK), 0);
	assert_int_equal(s.dev->status, VIRTIO_CONFIG_S_FEATURES_OK);
	/* The same for a change under running queues. */
	session_setup(&s, 2);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, VIRTIO_CONFIG_S_FEATURES_OK), 0);
	assert_true(session_u64(&s, VHU_SET_FEATURES, 0) < 0);
	assert_int_equal(s.dev->status, 0);
}

static void driver_ok_starts(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, VIRTIO_CONFIG_S_DRIVER), 0);
	session_memory(&s);
	for (unsigned int i = 0; i < 2; i++) {
		session_ring(&s, i);
		session_enable(&s, i, true);
	}
	assert_string_equal(session_events(&s), "q0=1 q1=1");
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, VIRTIO_CONFIG_S_DRIVER_OK), 0);
	assert_string_equal(session_events(&s), "+dev");
}

/*
 * A reset is a status of 0 and, for vhost-user, GET_VRING_BASE for each ring: the status alone
 * stops none, and a frontend that stopped them before finds a device that waits for DRIVER_OK.
 */
static void rings_are_stopped_by_their_own_message(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, 0), 0);
	assert_string_equal(session_events(&s), "");
	assert_true(s.dev->running);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, i, 0), 0);
	assert_string_equal(session_events(&s), "-dev q0=0 q1=0");
	session_ring(&s, 0);
	session_ring(&s, 1);
	assert_string_equal(session_events(&s), "q0=1 q1=1");
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, VIRTIO_CONFIG_S_DRIVER_OK), 0);
	assert_string_equal(session_events(&s), "+dev");
}

/* Without the protocol feature nobody waits for it. */
static void not_negotiated_not_needed(void **state)
{
	(void)state;
	s.without_protocol = BIT(VHOST_USER_PROTOCOL_F_STATUS);
	session_setup(&s, 2);
	assert_true(s.dev->running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_byte),
		TEST(features_ok_needs_features),
		TEST(features_ok_needs_the_last_features),
		TEST(driver_ok_starts),
		TEST(rings_are_stopped_by_their_own_message),
		TEST(not_negotiated_not_needed),
	};

	return RUN(tests);
}
