/* SPDX-License-Identifier: BSD-3-Clause */
/* CHECK_DEVICE_STATE: what was loaded is checked like a message, and taken whole or not at all. */
#include "state_pipe.h"

static void next_session(void)
{
	session_close(&s);
	session_init(&s);
	session_open(&s);
}

/* A state of two queues, as another backend had it. */
static struct state_bytes another_backend(void)
{
	struct state_bytes b;

	session_setup(&s, 2);
	assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, 1500), 0);
	assert_int_equal(session_u64(&s, VHU_SEND_RARP, 0x070000000002), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, i, 0), 0);
		vring_set_base(&session_vq(&s, i)->ring, (uint16_t)(10 + i), (uint16_t)(10 + i));
	}
	b = saved();
	next_session();
	return b;
}

static void nothing_changed(void)
{
	assert_int_equal(s.dev->nr_vqs, 0);
	assert_int_equal(s.dev->mtu_bytes, 0);
	assert_int_equal(s.dev->rarp.word, 0);
}

static void comes_across(void **state)
{
	struct state_bytes b = another_backend();

	(void)state;
	session_negotiate(&s);
	assert_int_equal(loaded(b.raw, (size_t)b.size), 0);
	assert_int_equal(s.dev->mtu_bytes, 1500);
	assert_int_equal(s.dev->rarp.waits, 1);
	assert_memory_equal(s.dev->rarp.address, "\2\0\0\0\0\7", 6);
	assert_int_equal(s.dev->nr_vqs, 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(session_vq(&s, i)->ring.last_avail, 10 + i);
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, i, 0), 0);
		assert_int_equal(s.reply.payload.state.num, 10 + i);
	}
	/* And on, as it came. */
	assert_memory_equal(saved().raw, b.raw, b.size);
}

/* Before anything else was said, or after the frontend said the same. */
static void in_any_order(void **state)
{
	struct state_bytes b = another_backend();

	(void)state;
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES,
				     BIT(VHOST_USER_PROTOCOL_F_DEVICE_STATE)),
			 0);
	assert_int_equal(loaded(b.raw, (size_t)b.size), 0);
	next_session();
	session_negotiate(&s);
	assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, 1500), 0);
	assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 1, 11), 0);
	assert_int_equal(loaded(b.raw, (size_t)b.size), 0);
	/* A frontend's word that comes later counts. */
	assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 1, 12), 0);
	assert_int_equal(session_vq(&s, 1)->ring.last_avail, 12);
	session_setup(&s, 2);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

/* Cut anywhere, longer by anything, and every bit that has a meaning. */
static void damaged(void **state)
{
	struct state_bytes b = another_backend();

	(void)state;
	session_negotiate(&s);
	for (ssize_t size = 0; size < b.size; size++) {
		assert_int_equal(loaded(b.raw, (size_t)size), 1);
		nothing_changed();
	}
	memset(b.raw + b.size, 0, ROOM_BYTES - (size_t)b.size);
	for (size_t size = (size_t)b.size + 1; size < ROOM_BYTES; size++)
		assert_int_equal(loaded(b.raw, size), 1);
	nothing_changed();
	/* Magic, version, count, size, features but the one that comes and goes. */
	for (unsigned int bit = 0; bit < 8 * 24; bit++) {
		if (bit == 8 * 16 + VHOST_F_LOG_ALL)
			continue;
		b.raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
		nothing_changed();
		b.raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* Unknown flags, of the device and of a queue; reserved. */
	for (unsigned int bit = 1; bit < 64; bit++) {
		b.raw[32 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
		b.raw[32 + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (unsigned int bit = 1; bit < 32; bit++) {
		b.raw[52 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
		b.raw[52 + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	nothing_changed();
	b.raw[32] = 0; /* an address, but no packet */
	assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
	b.raw[32] = 1;
	b.raw[52] = 0; /* a position that is none */
	assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
	b.raw[52] = 1;
	memcpy(b.raw + 30, "\x43\0", 2); /* an MTU of 67 */
	assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
	nothing_changed();
	memcpy(b.raw + 30, "\0\0", 2); /* none */
	assert_int_equal(loaded(b.raw, (size_t)b.size), 0);
}

static void of_another_device(void **state)
{
	struct state_bytes b = another_backend();

	(void)state;
	s.more_features = BIT(VIRTIO_NET_F_MRG_RXBUF);
	session_negotiate(&s);
	assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
	nothing_changed();

	next_session();
	s.config.features &= ~BIT(VIRTIO_NET_F_MQ); /* the next host offers less */
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES,
				     BIT(VHOST_USER_PROTOCOL_F_DEVICE_STATE)),
			 0);
	assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
	assert_non_null(strstr(kit_last_line, "not offered here"));
	nothing_changed();

	next_session();
	session_negotiate(&s);
	assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, 9000), 0);
	assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
	assert_int_equal(s.dev->mtu_bytes, 9000);

	next_session();
	session_negotiate(&s);
	assert_int_equal(session_state(&s, VHU_SET_VRING_BASE, 1, 12), 0);
	assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
	assert_non_null(strstr(kit_last_line, "another moment"));
	assert_int_equal(session_vq(&s, 1)->ring.last_avail, 12);

	next_session();
	s.config.max_queue_pairs = 0;
	session_negotiate(&s);
	assert_int_equal(loaded(b.raw, (size_t)b.size), 1);
	nothing_changed();
}

/* Who does not close, or starts queues meanwhile, has no state, and is not waited for. */
static void unfinished(void **state)
{
	struct state_bytes b = another_backend();

	(void)state;
	session_negotiate(&s);
	assert_int_equal(check(), 1); /* none was ever begun */
	assert_int_equal(ask(VHU_STATE_LOAD, VHU_PHASE_STOPPED), 0);
	assert_int_equal(write(s.reply_fd, b.raw, (size_t)b.size), b.size);
	assert_int_equal(check(), 1);
	nothing_changed();
	/* It is over: the other end finds nobody. */
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(write(s.reply_fd, b.raw, 1), -1);
	assert_int_equal(errno, EPIPE);
	fd_close(&s.reply_fd);
	assert_int_equal(check(), 1);

	assert_int_equal(ask(VHU_STATE_LOAD, VHU_PHASE_STOPPED), 0);
	assert_int_equal(write(s.reply_fd, b.raw, (size_t)b.size), b.size);
	fd_close(&s.reply_fd);
	session_setup(&s, 2);
	assert_int_equal(check(), 1);
	assert_true(s.dev->running);
}

/* More than the pipe takes is an error for who writes it, who does not hang. */
static void without_end(void **state)
{
	static uint8_t lots[1 << 20];

	(void)state;
	session_negotiate(&s);
	assert_int_equal(ask(VHU_STATE_LOAD, VHU_PHASE_STOPPED), 0);
	assert_true(write(s.reply_fd, lots, sizeof(lots)) < (ssize_t)sizeof(lots));
	assert_int_equal(write(s.reply_fd, lots, sizeof(lots)), -1);
	assert_int_equal(errno, EAGAIN);
	fd_close(&s.reply_fd);
	assert_int_equal(check(), 1);
}

/* The same answer as often as it is asked for, until the next transfer. */
static void asked_again(void **state)
{
	struct state_bytes b = another_backend();

	(void)state;
	session_negotiate(&s);
	assert_int_equal(loaded(b.raw, (size_t)b.size), 0);
	assert_int_equal(check(), 0);
	assert_int_equal(loaded(b.raw, 3), 1);
	assert_int_equal(check(), 1);
	assert_int_equal(s.dev->nr_vqs, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(comes_across),
		TEST(in_any_order),
		TEST(damaged),
		TEST(of_another_device),
		TEST(unfinished),
		TEST(without_end),
		TEST(asked_again),
	};

	return RUN(tests);
}
