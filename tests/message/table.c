/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost_user/table.c itself: what the dispatcher takes for granted of its lines. */
#include "kit.h"
#include "vhost_user/table.h"

static void lines_make_sense(void **state)
{
	(void)state;
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		const struct vhu_spec *spec = vhu_spec_of(r);

		if (spec == NULL)
			continue;
		assert_non_null(spec->handle);
		/* What is prepared is put in place with everything quiet. */
		if (spec->prepare != NULL)
			assert_int_equal(spec->scope, VHU_SCOPE_ALL);
		assert_true(spec->size_min_bytes <= spec->size_max_bytes);
		assert_true(spec->size_max_bytes <= sizeof(union vhu_payload));
		/* What is larger, an application's handler would not see; see vhu_extern_show(). */
		assert_true(spec->size_max_bytes <= VHU_EXTERN_BYTES ||
			    r == VHU_CREATE_CRYPTO_SESSION);
		assert_true(spec->fds_min <= spec->fds_max);
		assert_true(spec->fds_max <= FDBAG_MAX);
		/* A line that names a queue closes its gate at least. */
		if (spec->index != VHU_INDEX_NONE)
			assert_int_not_equal(spec->scope, VHU_SCOPE_NONE);
		if (spec->scope == VHU_SCOPE_RING)
			assert_int_not_equal(spec->index, VHU_INDEX_NONE);
		if ((spec->conditions & VHU_NEEDS_RING_STOPPED) != 0)
			assert_int_not_equal(spec->index, VHU_INDEX_NONE);
		for (uint32_t other = 0; other < r; other++)
			if (vhu_spec_of(other) != NULL)
				assert_string_not_equal(vhu_spec_of(other)->name, spec->name);
	}
	assert_null(vhu_spec_of(0));
	assert_null(vhu_spec_of(VHU_REQUEST_COUNT));
	assert_null(vhu_spec_of(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_make_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
