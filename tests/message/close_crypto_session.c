/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CLOSE_CRYPTO_SESSION: the guest may say it about any number, and as often as it likes; the
 * frontend passes it on and does not lose its connection for it.
 */
#include "crypto.h"

static void closes(void **state)
{
	static const uint64_t ids[] = { 1, 0, 1024, UINT64_C(1) << 32, UINT64_MAX };

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	for (unsigned int i = 0; i < 2 * ARRAY_LEN(ids); i++) {
		s.need_reply = i % 2 != 0;
		s.crypto_closed = 99;
		assert_int_equal(session_u64(&s, VHU_CLOSE_CRYPTO_SESSION, ids[i / 2]), 0);
		assert_int_equal(s.crypto_closed, ids[i / 2]);
	}
	assert_false(s.crypto_loud);
	assert_string_equal(session_events(&s), "");
}

static void that_is_not_there(void **state)
{
	(void)state;
	session_negotiate(&s);
	s.crypto_close_returns = -ENOENT;
	for (unsigned int i = 0; i < 50; i++) {
		s.need_reply = true;
		assert_int_equal(session_u64(&s, VHU_CLOSE_CRYPTO_SESSION, 7), 1);
		/* Nobody waits for an answer: none is sent, and that is all. */
		s.need_reply = false;
		assert_int_equal(session_u64(&s, VHU_CLOSE_CRYPTO_SESSION, 7), 0);
	}
	s.crypto_close_returns = 0;
	s.need_reply = true;
	assert_int_equal(session_u64(&s, VHU_CLOSE_CRYPTO_SESSION, 7), 0);
}

static void of_a_device_that_has_none(void **state)
{
	static struct device_backend net;

	(void)state;
	session_negotiate(&s);
	net = *s.dev->backend;
	net.session_close = NULL;
	for (unsigned int i = 0; i < 2; i++) {
		s.dev->backend = i != 0 ? &net : NULL;
		s.need_reply = true;
		assert_int_equal(session_u64(&s, VHU_CLOSE_CRYPTO_SESSION, 1), 1);
		s.need_reply = false;
		assert_int_equal(session_u64(&s, VHU_CLOSE_CRYPTO_SESSION, 1), -ENOTSUP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(closes),
		TEST(that_is_not_there),
		TEST(of_a_device_that_has_none),
	};

	return RUN(tests);
}
