/* SPDX-License-Identifier: BSD-3-Clause */
/* SEND_RARP: the address waits, whole, until a data thread takes it; the last message counts. */
#include "meaning.h"

/* The payload that carries an address, with `rest` in the two bytes nobody looks at. */
static uint64_t payload(const uint8_t address[6], uint16_t rest)
{
	uint64_t word = 0;

	memcpy(&word, address, 6);
	memcpy((uint8_t *)&word + 6, &rest, sizeof(rest));
	return word;
}

static void the_address_waits(void **state)
{
	static const uint8_t first[6] = { 2, 0, 0, 0xaa, 0xbb, 0xcc }, second[6] = { 0xfe };

	(void)state;
	session_negotiate(&s);
	assert_int_equal(s.dev->rarp.word, 0);
	assert_int_equal(session_u64(&s, VHU_SEND_RARP, payload(first, 0)), 0);
	assert_memory_equal(s.dev->rarp.address, first, 6);
	assert_int_not_equal(s.dev->rarp.waits, 0);
	assert_int_equal(session_u64(&s, VHU_SEND_RARP, payload(second, 0xffff)), 0);
	assert_memory_equal(s.dev->rarp.address, second, 6);
	assert_int_equal(s.dev->rarp.waits, 1);
}

/* An address of zeros is one, too: it must not look like none. */
static void an_address_of_zeros_waits(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_u64(&s, VHU_SEND_RARP, 0), 0);
	assert_int_not_equal(s.dev->rarp.word, 0);
}

/* The next frontend's guest did not move. */
static void it_goes_with_the_connection(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_u64(&s, VHU_SEND_RARP, 0x0123456789ab), 0);
	session_close(&s);
	session_open(&s);
	assert_int_equal(s.dev->rarp.word, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_address_waits),
		TEST(an_address_of_zeros_waits),
		TEST(it_goes_with_the_connection),
	};

	return RUN(tests);
}
