/* SPDX-License-Identifier: BSD-3-Clause */
/* GET_FEATURES: what is offered, which the application may change at any time. */
#include "meaning.h"

static void offers_what_the_driver_offers(void **state)
{
	(void)state;
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	assert_int_equal(s.reply.payload.u64, s.config.features);
	__atomic_store_n(&s.config.features, BIT(VIRTIO_F_VERSION_1), __ATOMIC_RELAXED);
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
	assert_int_equal(s.reply.payload.u64, BIT(VIRTIO_F_VERSION_1));
}

static void offers_the_same_after_negotiation(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
	assert_int_equal(s.reply.payload.u64, s.config.features);
}

/* Asked for an answer to a message that has one: one reply, not two. */
static void need_reply_changes_nothing(void **state)
{
	(void)state;
	session_negotiate(&s);
	s.need_reply = true;
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
	assert_int_equal(s.reply.payload.u64, s.config.features);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(offers_what_the_driver_offers),
		TEST(offers_the_same_after_negotiation),
		TEST(need_reply_changes_nothing),
	};

	return RUN(tests);
}
