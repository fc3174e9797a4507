/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_DEVICE_STATE_FD: a pipe that holds the state, or takes it; nobody waits for the other end. */
#include "state_pipe.h"

static void stop_all(void)
{
	for (unsigned int i = 0; i < s.dev->nr_vqs; i++)
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, i, 0), 0);
}

/* Byte for byte, as docs/device-state.md has it. */
static void the_format(void **state)
{
	static const uint8_t rarp[6] = { 2, 0, 0, 0, 0, 7 };
	struct state_bytes b;
	uint64_t word = 0, features = SESSION_FEATURES;
	uint8_t want[40 + 2 * 8] = "vhng-net\x01\0\x02\0\x38";

	(void)state;
	session_setup(&s, 2);
	memcpy(&word, rarp, sizeof(rarp));
	assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, 1500), 0);
	assert_int_equal(session_u64(&s, VHU_SEND_RARP, word), 0);
	stop_all();
	vring_set_base(&session_vq(&s, 1)->ring, 0x1234, 0x1230);
	b = saved();
	memcpy(want + 16, &features, 8);
	memcpy(want + 24, rarp, 6);
	memcpy(want + 30, "\xdc\x05", 2);
	want[32] = 1;
	want[44] = 1;
	memcpy(want + 48, "\x34\x12\x30\x12\x01", 5);
	assert_int_equal(b.size, sizeof(want));
	assert_memory_equal(b.raw, want, sizeof(want));
}

/* A device that nobody has set up has a state, too: none. */
static void of_an_empty_device(void **state)
{
	struct state_bytes b;

	(void)state;
	session_negotiate(&s);
	b = saved();
	assert_int_equal(b.size, sizeof(struct state_head));
}

static void of_all_queues(void **state)
{
	(void)state;
	s.config.max_queue_pairs = DEVICE_VQS_MAX / 2;
	session_negotiate(&s);
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, DEVICE_VQS_MAX - 1, 64), 0);
	assert_int_equal(saved().size, STATE_BYTES_MAX);
}

static void refused_with_an_answer(uint32_t direction, uint32_t phase)
{
	fd_close(&s.reply_fd);
	kit_lines = 0;
	assert_int_equal(ask(direction, phase), 0x101);
	assert_int_equal(s.reply_fd, -1);
	assert_int_not_equal(kit_lines, 0);
	assert_int_equal(check(), 1);
}

static void not_while_queues_run(void **state)
{
	(void)state;
	session_setup(&s, 2);
	refused_with_an_answer(VHU_STATE_SAVE, VHU_PHASE_STOPPED);
	refused_with_an_answer(VHU_STATE_LOAD, VHU_PHASE_STOPPED);
	assert_true(s.dev->running);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	refused_with_an_answer(VHU_STATE_SAVE, VHU_PHASE_STOPPED);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 1, 0), 0);
	saved();
}

static void other_phases_and_directions(void **state)
{
	(void)state;
	session_negotiate(&s);
	refused_with_an_answer(VHU_STATE_SAVE, 1);
	refused_with_an_answer(VHU_STATE_LOAD, UINT32_MAX);
	refused_with_an_answer(2, VHU_PHASE_STOPPED);
	refused_with_an_answer(UINT32_MAX, VHU_PHASE_STOPPED);
}

/* The state of an application's device is the application's. */
static void not_of_an_application(void **state)
{
	(void)state;
	s.dev->backend = NULL;
	session_negotiate(&s);
	refused_with_an_answer(VHU_STATE_SAVE, VHU_PHASE_STOPPED);
}

/* Neither a frontend that never reads nor one that asks again and again leaves anything. */
static void nothing_piles_up(void **state)
{
	unsigned int fds;

	(void)state;
	session_negotiate(&s);
	fds = kit_open_fds();
	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(ask(i % 2, VHU_PHASE_STOPPED), 0);
		/* Of the backend's own: the end that a load reads from. */
		fd_close(&s.reply_fd);
		assert_int_equal(kit_open_fds(), fds + i % 2);
	}
	assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
	assert_int_equal(kit_open_fds(), fds);
	/* Gone with the connection: teardown counts. */
	assert_int_equal(ask(VHU_STATE_LOAD, VHU_PHASE_STOPPED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_format),
		TEST(of_an_empty_device),
		TEST(of_all_queues),
		TEST(not_while_queues_run),
		TEST(other_phases_and_directions),
		TEST(not_of_an_application),
		TEST(nothing_piles_up),
	};

	return RUN(tests);
}
