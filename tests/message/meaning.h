/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the one-file-per-message tests share: a session `s` that is fresh for each test. What is
 * refused because of its shape is in shapes.c; here is what a well-formed message means.
 */
#ifndef MESSAGE_MEANING_H
#define MESSAGE_MEANING_H

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session.h"

static struct session s;
static unsigned int open_before;

static int setup(void **state)
{
	(void)state;
	open_before = kit_open_fds();
	kit_capture_log();
	session_init(&s);
	session_open(&s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	session_close(&s);
	assert_int_equal(kit_open_fds(), open_before);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

#endif
