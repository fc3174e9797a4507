/* SPDX-License-Identifier: BSD-3-Clause */
/* base/fdbag.h: who owns a descriptor, and that none is closed twice or left open. */
#include <errno.h>
#include <fcntl.h>

#include "base/fdbag.h"
#include "kit.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void rest_is_closed(void **state)
{
	unsigned int before = kit_open_fds();
	struct fdbag bag;
	int taken, left;

	(void)state;
	fdbag_init(&bag);
	assert_true(fdbag_put(&bag, kit_memfd(1)));
	assert_true(fdbag_put(&bag, kit_memfd(1)));
	left = bag.fds[0];
	taken = fdbag_take(&bag, 1);
	fdbag_close_rest(&bag);
	assert_false(is_open(left));
	assert_true(is_open(taken));
	assert_int_equal(bag.count, 0);
	close(taken);
	assert_int_equal(kit_open_fds(), before);
}

static void taken_once(void **state)
{
	struct fdbag bag;
	int fd;

	(void)state;
	fdbag_init(&bag);
	assert_int_equal(fdbag_take(&bag, 0), -1);
	assert_true(fdbag_put(&bag, kit_memfd(1)));
	fd = fdbag_take(&bag, 0);
	assert_true(fd >= 0);
	assert_int_equal(fdbag_take(&bag, 0), -1);
	assert_int_equal(fdbag_take(&bag, 1), -1);
	assert_int_equal(fdbag_take(&bag, UINT32_MAX), -1);
	fdbag_close_rest(&bag);
	assert_true(is_open(fd));
	close(fd);
}

static void full_bag_refuses(void **state)
{
	unsigned int before = kit_open_fds();
	struct fdbag bag;
	int extra;

	(void)state;
	fdbag_init(&bag);
	for (int i = 0; i < FDBAG_MAX; i++)
		assert_true(fdbag_put(&bag, kit_memfd(1)));
	extra = kit_memfd(1);
	assert_false(fdbag_put(&bag, extra));
	assert_true(is_open(extra)); /* still the caller's */
	fd_close(&extra);
	assert_int_equal(extra, -1);
	fdbag_close_rest(&bag);
	assert_int_equal(kit_open_fds(), before);
	fdbag_close_rest(&bag); /* once more does nothing */
	assert_int_equal(kit_open_fds(), before);
}

static void closing_a_closed_slot_is_harmless(void **state)
{
	int none = -1, unset = -2, fd = kit_memfd(1), other;

	(void)state;
	errno = 0;
	fd_close(&none);
	fd_close(&unset);
	assert_int_equal(errno, 0);
	assert_int_equal(unset, -1);
	other = fd;
	fd_close(&fd);
	assert_false(is_open(other));
	/* The number is reused: a second close must not hit its new owner. */
	other = kit_memfd(1);
	fd_close(&fd);
	assert_true(is_open(other));
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rest_is_closed),
		cmocka_unit_test(taken_once),
		cmocka_unit_test(full_bag_refuses),
		cmocka_unit_test(closing_a_closed_slot_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
