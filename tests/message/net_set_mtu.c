/* SPDX-License-Identifier: BSD-3-Clause */
/* NET_SET_MTU: what Ethernet and IP allow; recorded for the application to read. */
#include "meaning.h"

static void within_bounds(void **state)
{
	static const uint64_t good[] = { 68, 1500, 9000, 65535 };
	static const uint64_t bad[] = { 0, 67, 65536, 65536 + 1500, UINT64_C(1) << 32,
					(UINT64_C(1) << 63) | 1500, UINT64_MAX };

	(void)state;
	session_negotiate(&s);
	for (unsigned int i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, good[i]), 0);
		assert_int_equal(s.dev->mtu_bytes, good[i]);
	}
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(session_u64(&s, VHU_NET_SET_MTU, bad[i]) < 0);
		assert_int_equal(s.dev->mtu_bytes, 65535);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(within_bounds),
	};

	return RUN(tests);
}
