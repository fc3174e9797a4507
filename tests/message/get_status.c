/* SPDX-License-Identifier: BSD-3-Clause */
/* GET_STATUS: what was set, less what we did not agree to. */
#include "meaning.h"

static uint64_t get(void)
{
	assert_int_equal(session_empty(&s, VHU_GET_STATUS), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	return s.reply.payload.u64;
}

static void reads_back(void **state)
{
	(void)state;
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES,
				     BIT(VHOST_USER_PROTOCOL_F_STATUS)),
			 0);
	assert_int_equal(get(), 0);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, 0), 0);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, 0x8b), 0);
	assert_int_equal(get(), 0x8b);
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, 0), 0);
	assert_int_equal(get(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_back),
	};

	return RUN(tests);
}
