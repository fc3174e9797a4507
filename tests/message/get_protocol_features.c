/* SPDX-License-Identifier: BSD-3-Clause */
/* GET_PROTOCOL_FEATURES: what is offered, also before anything is negotiated. */
#include "meaning.h"

static void offers_what_the_driver_offers(void **state)
{
	(void)state;
	s.config.protocol_features = BIT(VHOST_USER_PROTOCOL_F_MQ) |
				     BIT(VHOST_USER_PROTOCOL_F_STATUS);
	assert_int_equal(session_empty(&s, VHU_GET_PROTOCOL_FEATURES), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	assert_int_equal(s.reply.payload.u64, s.config.protocol_features);
}

static void not_what_was_negotiated(void **state)
{
	(void)state;
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, 0), 0);
	assert_int_equal(session_empty(&s, VHU_GET_PROTOCOL_FEATURES), 0);
	assert_int_equal(s.reply.payload.u64, s.config.protocol_features);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(offers_what_the_driver_offers),
		TEST(not_what_was_negotiated),
	};

	return RUN(tests);
}
