/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET_CONFIG: a piece of the configuration space, which is the application's. Without a handler the
 * answer is empty, which is how the specification says that there was an error.
 */
#include "meaning.h"

static int ask(uint32_t offset, uint32_t size, uint32_t payload_bytes)
{
	struct vhu_config config = { .offset_bytes = offset, .size_bytes = size };

	memset(config.space, 0x11, sizeof(config.space));
	return session_send(&s, VHU_GET_CONFIG, &config, payload_bytes, NULL, 0);
}

static enum rte_vhost_msg_result fill_with_22(int vid, void *msg)
{
	struct vhu_header hdr;
	uint32_t size;

	assert_int_equal(vid, s.dev->vid);
	memcpy(&hdr, msg, sizeof(hdr));
	if (hdr.request != VHU_GET_CONFIG)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	memcpy(&size, (uint8_t *)msg + 12 + 4, sizeof(size));
	assert_int_equal(hdr.size_bytes, 12 + size);
	memset((uint8_t *)msg + 12 + 12, 0x22, size);
	return RTE_VHOST_MSG_RESULT_REPLY;
}

static void the_handler_answers(void **state)
{
	(void)state;
	s.dev->extern_ops.pre_msg_handle = fill_with_22;
	session_negotiate(&s);
	for (uint32_t size = 1; size <= VHU_CONFIG_BYTES; size++) {
		assert_int_equal(ask(0, size, 12 + size), 0);
		assert_int_equal(s.reply.hdr.size_bytes, 12 + size);
		assert_int_equal(s.reply.payload.config.size_bytes, size);
		for (uint32_t i = 0; i < size; i++)
			assert_int_equal(s.reply.payload.config.space[i], 0x22);
	}
}

static void nobody_answers(void **state)
{
	(void)state;
	s.dev->extern_ops = (struct rte_vhost_user_extern_ops){ 0 };
	session_negotiate(&s);
	assert_int_equal(ask(0, 60, 72), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 0);
}

/* F21: no handler ever sees a size that its room does not have. */
static void f21_sizes_that_do_not_fit(void **state)
{
	static const struct {
		uint32_t offset, size, payload_bytes;
	} bad[] = { { 0, 257, 268 }, { 0, UINT32_MAX, 268 }, { 1, 256, 268 }, { 257, 1, 13 },
		    { UINT32_MAX, 1, 13 }, { UINT32_MAX, 2, 14 }, { 0, 8, 19 }, { 0, 8, 21 },
		    { 0, 0, 13 } };

	(void)state;
	s.dev->extern_ops.pre_msg_handle = fill_with_22;
	session_negotiate(&s);
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(ask(bad[i].offset, bad[i].size, bad[i].payload_bytes) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_handler_answers),
		TEST(nobody_answers),
		TEST(f21_sizes_that_do_not_fit),
	};

	return RUN(tests);
}
