/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An application's own message handlers: who sees what, who answers, who keeps descriptors. What
 * they see of the library over a socket, and what the stock library does, is tests/flow/extern.c.
 */
#include "meaning.h"

#define UNKNOWN 99u

struct seen {
	uint32_t request, flags, size_bytes;
	uint8_t payload[632];
	int fds[8];
	int nr_fds;
} __attribute__((packed));

static struct seen pre, post;
static unsigned int nr_pre, nr_post;
static enum rte_vhost_msg_result pre_says, post_says;
static bool keep_fds;

static enum rte_vhost_msg_result look(struct seen *seen, void *msg,
				      enum rte_vhost_msg_result says)
{
	struct seen *m = msg;

	*seen = *m;
	for (int i = 0; keep_fds && i < m->nr_fds; i++) {
		close(m->fds[i]);
		m->fds[i] = -1;
	}
	if (says == RTE_VHOST_MSG_RESULT_REPLY) {
		memset(m->payload, 0x5a, 16);
		m->size_bytes = 16;
	}
	return says;
}

static enum rte_vhost_msg_result on_pre(int vid, void *msg)
{
	assert_int_equal(vid, s.dev->vid);
	/* Without the device's lock: what a handler is for asks the library. */
	assert_int_equal(pthread_mutex_trylock(&s.dev->lock), 0);
	pthread_mutex_unlock(&s.dev->lock);
	nr_pre++;
	return look(&pre, msg, pre_says);
}

static enum rte_vhost_msg_result on_post(int vid, void *msg)
{
	assert_int_equal(vid, s.dev->vid);
	assert_int_equal(pthread_mutex_trylock(&s.dev->lock), 0);
	pthread_mutex_unlock(&s.dev->lock);
	nr_post++;
	return look(&post, msg, post_says);
}

static void use(enum rte_vhost_msg_result before, enum rte_vhost_msg_result after)
{
	s.dev->extern_ops = (struct rte_vhost_user_extern_ops){ on_pre, on_post };
	pre_says = before;
	post_says = after;
	nr_pre = nr_post = 0;
	keep_fds = false;
}

static int send_unknown(bool ack)
{
	int ret;

	s.need_reply = ack;
	ret = session_u64(&s, UNKNOWN, 0x1122334455667788);
	s.need_reply = false;
	return ret;
}

static void refused_by_all(void **state)
{
	(void)state;
	session_negotiate(&s);
	use(RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_NOT_HANDLED);
	assert_true(send_unknown(false) < 0);
	assert_int_equal(send_unknown(true), 1);
	assert_int_equal(nr_pre, 2);
	assert_int_equal(nr_post, 2);
	assert_int_equal(pre.request, UNKNOWN);
	assert_int_equal(pre.size_bytes, 8);
	assert_int_equal(pre.payload[0], 0x88);
	assert_int_equal(pre.nr_fds, 0);
}

static void dealt_with_before(void **state)
{
	(void)state;
	session_negotiate(&s);
	use(RTE_VHOST_MSG_RESULT_OK, RTE_VHOST_MSG_RESULT_NOT_HANDLED);
	assert_int_equal(send_unknown(false), 0);
	assert_int_equal(send_unknown(true), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	assert_int_equal(nr_post, 2);
	/* Kept from the library. */
	assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, 1500), 0);
	assert_int_equal(s.dev->mtu_bytes, 0);
}

static void failed_before(void **state)
{
	(void)state;
	session_negotiate(&s);
	use(RTE_VHOST_MSG_RESULT_ERR, RTE_VHOST_MSG_RESULT_OK);
	assert_true(send_unknown(false) < 0);
	assert_int_equal(send_unknown(true), 1);
	assert_int_equal(nr_post, 0);
	/* No such result: not taken for success. */
	use((enum rte_vhost_msg_result)77, RTE_VHOST_MSG_RESULT_OK);
	assert_true(send_unknown(false) < 0);
}

static void dealt_with_after(void **state)
{
	(void)state;
	session_negotiate(&s);
	use(RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_OK);
	assert_int_equal(send_unknown(true), 0);
	use(RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_ERR);
	assert_int_equal(send_unknown(true), 1);
	/* The library did it, and still the application may say no. */
	s.need_reply = true;
	assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, 1500), 1);
	assert_int_equal(s.dev->mtu_bytes, 1500);
	/* What failed is not shown again. */
	nr_post = 0;
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, BIT(63)), 1);
	assert_int_equal(nr_post, 0);
}

/* Messages whose size is known are checked first. */
static void bad_shapes_are_not_shown(void **state)
{
	(void)state;
	session_negotiate(&s);
	use(RTE_VHOST_MSG_RESULT_OK, RTE_VHOST_MSG_RESULT_OK);
	assert_true(session_send(&s, VHU_SET_FEATURES, &s.reply, 9, NULL, 0) < 0);
	assert_true(session_u64(&s, VHU_NET_SET_MTU, 67) < 0);
	assert_int_equal(nr_pre, 0);
	assert_int_equal(nr_post, 0);
}

static void replies(void **state)
{
	(void)state;
	session_negotiate(&s);
	use(RTE_VHOST_MSG_RESULT_REPLY, RTE_VHOST_MSG_RESULT_NOT_HANDLED);
	/* session_send() does not know that this one has a body. */
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 16);
	assert_int_equal(s.reply.payload.u64, 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(post.size_bytes, 16);
	assert_int_equal(post.flags, VHU_VERSION | VHU_FLAG_REPLY);
	/* After the library: it sees the reply, and its own takes that one's place. */
	use(RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_NOT_HANDLED);
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
	assert_memory_equal(post.payload, &s.config.features, 8);
	use(RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_REPLY);
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 16);
}

static enum rte_vhost_msg_result reply_with_too_much(int vid, void *msg)
{
	(void)vid;
	((struct seen *)msg)->size_bytes = UINT32_MAX;
	return RTE_VHOST_MSG_RESULT_REPLY;
}

static void a_reply_is_no_larger_than_its_room(void **state)
{
	(void)state;
	s.dev->extern_ops.pre_msg_handle = reply_with_too_much;
	assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 632);
}

/* Nor a message: a handler is told of no byte that is not there. */
static void what_has_no_room_is_not_shown(void **state)
{
	static const uint8_t bytes[sizeof(union vhu_payload)] = { 1 };

	(void)state;
	session_negotiate(&s);
	for (uint32_t size = 630; size <= sizeof(bytes); size++) {
		bool fits = size <= sizeof(pre.payload);

		use(RTE_VHOST_MSG_RESULT_OK, RTE_VHOST_MSG_RESULT_OK);
		assert_int_equal(session_send(&s, UNKNOWN, bytes, size, NULL, 0),
				 fits ? 0 : -ENOSYS);
		assert_int_equal(nr_pre, fits);
		assert_int_equal(nr_post, fits);
		if (fits)
			assert_int_equal(pre.size_bytes, size);
	}
	/* One that the library knows is answered without them. */
	use(RTE_VHOST_MSG_RESULT_REPLY, RTE_VHOST_MSG_RESULT_REPLY);
	assert_int_equal(session_send(&s, VHU_CREATE_CRYPTO_SESSION, bytes, 1072, NULL, 0), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 1072);
	assert_int_equal(nr_pre + nr_post, 0);
	assert_int_equal(session_send(&s, VHU_CREATE_CRYPTO_SESSION, bytes, 632, NULL, 0), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 16);
	assert_int_equal(pre.size_bytes, 632);
	assert_int_equal(nr_pre + nr_post, 2);
}

static void descriptors(void **state)
{
	int fds[8];
	unsigned int open;

	(void)state;
	session_negotiate(&s);
	for (unsigned int i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = s.vqs[0].callfd;
	open = kit_open_fds();
	for (int keep = 0; keep < 2; keep++) {
		use(RTE_VHOST_MSG_RESULT_OK, RTE_VHOST_MSG_RESULT_NOT_HANDLED);
		keep_fds = keep != 0; /* and so closes them itself */
		assert_int_equal(session_send(&s, UNKNOWN, NULL, 0, fds, 8), 0);
		assert_int_equal(pre.nr_fds, 8);
		for (unsigned int i = 0; i < 8; i++)
			assert_true(pre.fds[i] >= 0);
		assert_int_equal(kit_open_fds(), open);
	}
	/* Taken from under the library: it does without. */
	use(RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_NOT_HANDLED);
	keep_fds = true;
	assert_true(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd) < 0);
	assert_int_equal(kit_open_fds(), open);
}

/* The ring is there when the handler hears of the kick, though not enabled yet. */
static void the_ring_is_there_at_its_kick(void **state)
{
	(void)state;
	s.dev->backend = NULL; /* the application serves its rings itself */
	use(RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_NOT_HANDLED);
	session_negotiate(&s);
	session_memory(&s);
	session_ring(&s, 0);
	assert_true(vring_attached(&session_vq(&s, 0)->ring));
	assert_true(gate_is_closed(&session_vq(&s, 0)->gate));
	assert_string_equal(session_events(&s), "");
}

static unsigned int post_at_new_device;

static void note_order(struct session *session)
{
	(void)session;
	post_at_new_device = nr_post;
}

static void before_new_device(void **state)
{
	(void)state;
	use(RTE_VHOST_MSG_RESULT_NOT_HANDLED, RTE_VHOST_MSG_RESULT_NOT_HANDLED);
	s.on_callback = note_order;
	session_setup(&s, 2);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	assert_int_equal(post_at_new_device, nr_post);
	s.on_callback = NULL;
}

/* The next connection on this vid starts without. */
static void forgotten_with_the_connection(void **state)
{
	int vid = s.dev->vid;

	(void)state;
	use(RTE_VHOST_MSG_RESULT_OK, RTE_VHOST_MSG_RESULT_OK);
	session_close(&s);
	session_init(&s);
	s.extern_ops = (struct rte_vhost_user_extern_ops){ 0 };
	s.dev = device_acquire(&s.config, "again");
	assert_int_equal(s.dev->vid, vid);
	assert_null(s.dev->extern_ops.pre_msg_handle);
	assert_null(s.dev->extern_ops.post_msg_handle);
	device_release(s.dev);
	session_open(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refused_by_all),
		TEST(dealt_with_before),
		TEST(failed_before),
		TEST(dealt_with_after),
		TEST(bad_shapes_are_not_shown),
		TEST(replies),
		TEST(a_reply_is_no_larger_than_its_room),
		TEST(what_has_no_room_is_not_shown),
		TEST(descriptors),
		TEST(the_ring_is_there_at_its_kick),
		TEST(before_new_device),
		TEST(forgotten_with_the_connection),
	};

	return RUN(tests);
}
