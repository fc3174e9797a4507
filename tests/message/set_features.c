/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_FEATURES: only what was offered, and once a queue runs nothing but dirty logging. */
#include "meaning.h"

static void recorded(void **state)
{
	(void)state;
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, BIT(VIRTIO_F_VERSION_1)), 0);
	assert_int_equal(s.dev->features, BIT(VIRTIO_F_VERSION_1));
	assert_true(s.dev->features_set);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, 0), 0);
	assert_int_equal(s.dev->features, 0);
}

static void one_bit_too_many(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		bool offered = (s.config.features & BIT(bit)) != 0;
		int ret = session_u64(&s, VHU_SET_FEATURES, BIT(bit));

		assert_int_equal(ret == 0, offered);
	}
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, 0), 0);
	assert_true(session_u64(&s, VHU_SET_FEATURES, UINT64_MAX) < 0);
	assert_int_equal(s.dev->features, 0);
}

/* The driver learns of it by FEATURES_OK that does not stick. */
static void refusal_clears_features_ok(void **state)
{
	const uint64_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_FEATURES_OK;

	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, status), 0);
	assert_true(session_u64(&s, VHU_SET_FEATURES, UINT64_MAX) < 0);
	assert_int_equal(session_empty(&s, VHU_GET_STATUS), 0);
	assert_int_equal(s.reply.payload.u64, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	/* Nor when the driver asks again, although older features are still agreed on. */
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, status), 0);
	assert_int_equal(s.dev->status, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, SESSION_FEATURES), 0);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, status), 0);
	assert_int_equal(s.dev->status, status);
}

static void frozen_while_running(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_true(session_u64(&s, VHU_SET_FEATURES, 0) < 0);
	assert_true(session_u64(&s, VHU_SET_FEATURES,
				SESSION_FEATURES & ~BIT(VIRTIO_RING_F_EVENT_IDX)) < 0);
	assert_int_equal(s.dev->features, SESSION_FEATURES);
	assert_string_equal(session_events(&s), "");
	/* One queue that was kicked off is enough. */
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_true(session_u64(&s, VHU_SET_FEATURES, 0) < 0);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 1, 0), 0);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, 0), 0);
}

static void logging_may_change_while_running(void **state)
{
	uint64_t without = SESSION_FEATURES & ~BIT(VHOST_F_LOG_ALL);

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, without), 0);
	assert_string_equal(session_events(&s), "features");
	assert_int_equal(s.features_in_callback, without);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, without), 0);
	assert_string_equal(session_events(&s), "");
}

/* A guest without multiqueue: the queues beyond the first pair are forgotten. */
static void dropping_multiqueue_drops_queues(void **state)
{
	unsigned int fds;

	(void)state;
	session_negotiate(&s);
	fds = kit_open_fds();
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, i, s.vqs[i].callfd), 0);
	assert_int_equal(s.dev->nr_vqs, 4);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES,
				     SESSION_FEATURES & ~BIT(VIRTIO_NET_F_MQ)),
			 0);
	assert_int_equal(s.dev->nr_vqs, 2);
	assert_int_equal(kit_open_fds(), fds + 2);
	/* And a running one with more is refused, not half taken apart. */
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, SESSION_FEATURES), 0);
	session_setup(&s, 4);
	assert_true(session_u64(&s, VHU_SET_FEATURES,
				SESSION_FEATURES & ~BIT(VIRTIO_NET_F_MQ)) < 0);
	assert_int_equal(s.dev->nr_vqs, 4);
	assert_true(s.dev->running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(recorded),
		TEST(one_bit_too_many),
		TEST(refusal_clears_features_ok),
		TEST(frozen_while_running),
		TEST(logging_may_change_while_running),
		TEST(dropping_multiqueue_drops_queues),
	};

	return RUN(tests);
}
