/* SPDX-License-Identifier: BSD-3-Clause */
/* GET_QUEUE_NUM: how many queue pairs may be used. */
#include "meaning.h"

static void pairs_not_queues(void **state)
{
	(void)state;
	session_negotiate(&s);
	s.config.max_queue_pairs = 7;
	assert_int_equal(session_empty(&s, VHU_GET_QUEUE_NUM), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	assert_int_equal(s.reply.payload.u64, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pairs_not_queues),
	};

	return RUN(tests);
}
