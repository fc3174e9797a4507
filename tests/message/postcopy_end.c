/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSTCOPY_END: all of the guest has come. What is missing now is zero, as always, and memory
 * tables are as they were before POSTCOPY_LISTEN.
 */
#include "postcopy.h"

#define FAR_PAGE 200

static uint64_t end(void)
{
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_END), 0);
	assert_int_equal(s.reply.hdr.size_bytes, sizeof(uint64_t));
	return s.reply.payload.u64;
}

static void answers_whether_there_was_anything(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_int_equal(end(), 1);
	assert_non_null(strstr(kit_last_line, "POSTCOPY_END"));
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_ADVISE), 0);
	/* The migration needed no postcopy after all. */
	assert_int_equal(end(), 0);
	assert_int_equal(end(), 1);
	assert_int_equal(s.dev->postcopy.uffd, -1);
}

static void nobody_waits_any_more(void **state)
{
	struct reader r;

	(void)state;
	listening();
	session_memory(&s);
	assert_int_equal(ack(VHU_SET_MEM_TABLE), 0);
	reader_start(&r, missing_page(FAR_PAGE), NULL);
	(void)wanted_page();
	assert_int_equal(end(), 0);
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(*missing_page(FAR_PAGE + 1), 0);
	assert_false(device_memory_is_cut(s.dev));
	/* It is the guest's memory still. */
	*missing_page(FAR_PAGE + 1) = 4;
	assert_int_equal(s.mem.regions[0].local[(FAR_PAGE + 1) * PAGE], 4);
}

static void the_device_goes_on(void **state)
{
	(void)state;
	listening();
	session_memory(&s);
	assert_int_equal(ack(VHU_SET_MEM_TABLE), 0);
	for (unsigned int i = 0; i < 2; i++)
		session_ring(&s, i);
	for (unsigned int i = 0; i < 2; i++)
		session_enable(&s, i, true);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	assert_int_equal(end(), 0);
	assert_string_equal(session_events(&s), "");
	/* One step again, without an answer: session_send() sees to that. */
	session_memory(&s);
	assert_string_equal(session_events(&s), "");
	assert_true(s.dev->running);
}

/* What the frontend never said that it knows is forgotten. */
static void drops_what_waits(void **state)
{
	(void)state;
	listening();
	session_memory(&s);
	assert_int_equal(end(), 0);
	assert_null(s.dev->mem);
	assert_true(ack(VHU_SET_MEM_TABLE) < 0);
	session_memory(&s);
	assert_non_null(s.dev->mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_whether_there_was_anything),
		TEST(nobody_waits_any_more),
		TEST(the_device_goes_on),
		TEST(drops_what_waits),
	};

	return RUN(tests);
}
