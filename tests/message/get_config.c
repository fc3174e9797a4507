/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET_CONFIG: a piece of the configuration space, which is the application's, or else the backend's.
 * If neither has one the answer is empty, which is how the specification says that there was an
 * error.
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

/* --- the backend's --------------------------------------------------------- */

static uint32_t space_bytes;
static bool locked;

/* Byte i is i + 1; behind the space, too. */
static uint32_t fill_space(const struct device *dev, uint8_t *space)
{
	locked = dev == s.dev && pthread_mutex_trylock(&s.dev->lock) == EBUSY;
	for (uint32_t i = 0; i < space_bytes; i++)
		space[i] = (uint8_t)(i + 1);
	return space_bytes;
}

static void with_space(void)
{
	static struct device_backend backend;

	backend = *s.dev->backend;
	backend.config_read = fill_space;
	s.dev->backend = &backend;
	s.dev->extern_ops = (struct rte_vhost_user_extern_ops){ 0 };
	session_negotiate(&s);
}

static void the_backend_answers(void **state)
{
	static const uint32_t sizes[] = { 56, 60, 1, VHU_CONFIG_BYTES };

	(void)state;
	with_space();
	for (unsigned int i = 0; i < ARRAY_LEN(sizes); i++) {
		space_bytes = sizes[i];
		for (uint32_t at = 0; at < space_bytes; at++) {
			for (uint32_t n = 1; n <= VHU_CONFIG_BYTES - at; n += 1 + n / 8) {
				assert_int_equal(ask(at, n, 12 + n), 0);
				assert_true(locked);
				assert_int_equal(s.reply.hdr.size_bytes, 12 + n);
				assert_int_equal(s.reply.payload.config.offset_bytes, at);
				assert_int_equal(s.reply.payload.config.size_bytes, n);
				/* A frontend's fields that we do not have. */
				for (uint32_t k = 0; k < n; k++)
					assert_int_equal(s.reply.payload.config.space[k],
							 at + k < space_bytes ?
								 (uint8_t)(at + k + 1) : 0);
			}
		}
	}
}

static void nothing_is_there(void **state)
{
	(void)state;
	with_space();
	for (space_bytes = 0; space_bytes < VHU_CONFIG_BYTES; space_bytes += 51) {
		assert_int_equal(ask(space_bytes, 1, 13), 0);
		assert_int_equal(s.reply.hdr.size_bytes, 0);
		assert_int_equal(ask(VHU_CONFIG_BYTES - 1, 1, 13), 0);
		assert_int_equal(s.reply.hdr.size_bytes, 0);
	}
}

static void the_handler_is_asked_first(void **state)
{
	(void)state;
	with_space();
	s.dev->extern_ops.pre_msg_handle = fill_with_22;
	space_bytes = 56;
	assert_int_equal(ask(0, 56, 68), 0);
	assert_int_equal(s.reply.payload.config.space[0], 0x22);
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
		TEST(the_backend_answers),
		TEST(nothing_is_there),
		TEST(the_handler_is_asked_first),
		TEST(f21_sizes_that_do_not_fit),
	};

	return RUN(tests);
}
