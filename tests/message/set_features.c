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

/* The ring's format and what goes with it, from the next start on. */
static void features_of_the_ring(void **state)
{
	static const struct {
		uint64_t more;
		enum ring_kind kind;
		bool in_order;
	} rows[] = {
		{ 0, RING_SPLIT, false },
		{ BIT(VIRTIO_F_IN_ORDER), RING_SPLIT, true },
		{ BIT(VIRTIO_F_RING_PACKED), RING_PACKED, false },
		{ BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER), RING_PACKED, true },
		{ 0, RING_SPLIT, false },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		s.more_features = rows[i].more;
		session_setup(&s, 2);
		assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
		for (unsigned int q = 0; q < 2; q++) {
			assert_int_equal(session_vq(&s, q)->ring.kind, rows[i].kind);
			assert_int_equal(session_vq(&s, q)->ring.in_order, rows[i].in_order);
			assert_true(session_vq(&s, q)->ring.event_idx);
		}
		/* Not under a running queue. */
		assert_true(session_u64(&s, VHU_SET_FEATURES,
					s.dev->features ^ BIT(VIRTIO_F_RING_PACKED)) < 0);
		assert_int_equal(session_vq(&s, 0)->ring.kind, rows[i].kind);
		for (unsigned int q = 0; q < 2; q++) {
			session_enable(&s, q, false);
			assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, q, 0), 0);
		}
		session_events(&s);
	}
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
		TEST(features_of_the_ring),
	};

	return RUN(tests);
}
