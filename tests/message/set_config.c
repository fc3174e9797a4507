/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SET_CONFIG: the guest, or a migration, writes into the configuration space. The application
 * decides; without a handler it is refused. A backend's own is read-only.
 */
#include "meaning.h"

static struct vhu_config seen;
static enum rte_vhost_msg_result verdict;

static enum rte_vhost_msg_result keep(int vid, void *msg)
{
	struct vhu_header hdr;

	(void)vid;
	memcpy(&hdr, msg, sizeof(hdr));
	if (hdr.request != VHU_SET_CONFIG)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	memcpy(&seen, (uint8_t *)msg + 12, sizeof(seen));
	return verdict;
}

static int write_byte(uint32_t offset, uint32_t flags, uint8_t value)
{
	struct vhu_config config = { .offset_bytes = offset, .size_bytes = 1, .flags = flags };

	config.space[0] = value;
	return session_send(&s, VHU_SET_CONFIG, &config, 13, NULL, 0);
}

static void the_handler_decides(void **state)
{
	(void)state;
	s.dev->extern_ops.pre_msg_handle = keep;
	session_negotiate(&s);
	s.need_reply = true;
	verdict = RTE_VHOST_MSG_RESULT_OK;
	assert_int_equal(write_byte(32, 1, 0x77), 0);
	assert_int_equal(seen.offset_bytes, 32);
	assert_int_equal(seen.size_bytes, 1);
	assert_int_equal(seen.flags, 1);
	assert_int_equal(seen.space[0], 0x77);
	verdict = RTE_VHOST_MSG_RESULT_ERR;
	assert_int_equal(write_byte(33, 0, 1), 1);
	assert_int_equal(seen.offset_bytes, 33);
}

static void nobody_decides(void **state)
{
	(void)state;
	s.dev->extern_ops = (struct rte_vhost_user_extern_ops){ 0 };
	session_negotiate(&s);
	s.need_reply = true;
	assert_int_equal(write_byte(0, 0, 1), 1);
	s.need_reply = false;
	assert_true(write_byte(0, 0, 1) < 0);
}

static uint32_t no_space(const struct device *dev, uint8_t *space)
{
	(void)dev;
	(void)space;
	return 56;
}

static void the_backend_lets_nobody_write(void **state)
{
	static struct device_backend backend;

	(void)state;
	backend = *s.dev->backend;
	backend.config_read = no_space;
	s.dev->backend = &backend;
	s.dev->extern_ops = (struct rte_vhost_user_extern_ops){ 0 };
	session_negotiate(&s);
	s.need_reply = true;
	assert_int_equal(write_byte(0, 0, 1), 1);
	assert_non_null(strstr(kit_last_line, "read-only"));
	s.need_reply = false;
	assert_int_equal(write_byte(0, 0, 1), -ENOTSUP);
}

/* F22: beyond the space, or more than came. */
static void f22_places_that_do_not_exist(void **state)
{
	(void)state;
	s.dev->extern_ops.pre_msg_handle = keep;
	verdict = RTE_VHOST_MSG_RESULT_OK;
	session_negotiate(&s);
	memset(&seen, 0, sizeof(seen));
	assert_true(write_byte(256, 0, 1) < 0);
	assert_true(write_byte(UINT32_MAX, 0, 1) < 0);
	assert_int_equal(seen.size_bytes, 0);
	assert_int_equal(write_byte(255, 0, 1), 0);
	assert_int_equal(seen.offset_bytes, 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_handler_decides),
		TEST(nobody_decides),
		TEST(the_backend_lets_nobody_write),
		TEST(f22_places_that_do_not_exist),
	};

	return RUN(tests);
}
