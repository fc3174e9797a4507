/* SPDX-License-Identifier: BSD-3-Clause */
/* GET_MAX_MEM_SLOTS: as many as a table can have, and as ADD_MEM_REG takes. */
#include "meaning.h"

static void as_many_as_a_table_has(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_empty(&s, VHU_GET_MAX_MEM_SLOTS), 0);
	assert_int_equal(s.reply.hdr.size_bytes, sizeof(uint64_t));
	assert_int_equal(s.reply.payload.u64, 509);
}

static void that_many_and_no_more_fit(void **state)
{
	const uint64_t page = 0x1000;
	int fd = kit_memfd(page);

	(void)state;
	session_negotiate(&s);
	for (uint64_t i = 0; i < 510; i++) {
		struct vhu_region r = { .gpa = i * 2 * page, .size_bytes = page, .uva = i * page };
		int ret = session_mem_reg(&s, VHU_ADD_MEM_REG, &r, fd);

		assert_int_equal(ret, i < 509 ? 0 : -EINVAL);
	}
	assert_int_equal(s.dev->mem->nr_regions, 509);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_many_as_a_table_has),
		TEST(that_many_and_no_more_fit),
	};

	return RUN(tests);
}
