/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_PROTOCOL_FEATURES: only what was offered; takes effect with the next message. */
#include "meaning.h"

#define REPLY_ACK BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK)

static void one_bit_too_many(void **state)
{
	(void)state;
	s.config.protocol_features = BIT(VHOST_USER_PROTOCOL_F_MQ) | REPLY_ACK;
	for (unsigned int bit = 0; bit < 64; bit++) {
		bool offered = (s.config.protocol_features & BIT(bit)) != 0;
		uint64_t before = s.dev->protocol_features;
		int ret = session_u64(&s, VHU_SET_PROTOCOL_FEATURES, BIT(bit));

		assert_int_equal(ret == 0, offered);
		assert_int_equal(s.dev->protocol_features, offered ? BIT(bit) : before);
	}
}

/* session_send() checks that an answer comes only if REPLY_ACK was there before the message. */
static void reply_ack_counts_from_the_next_message(void **state)
{
	(void)state;
	s.need_reply = true;
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, REPLY_ACK), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 0); /* zeroed: there was none */
	assert_int_equal(session_empty(&s, VHU_SET_OWNER), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	/* Taken back: answered a last time. */
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, 0), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	assert_int_equal(session_empty(&s, VHU_SET_OWNER), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_bit_too_many),
		TEST(reply_ack_counts_from_the_next_message),
	};

	return RUN(tests);
}
