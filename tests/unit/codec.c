/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost_user/codec.c: bytes to messages and back over a socket pair. However the bytes and
 * descriptors arrive, a message is whole or it is nothing, and no descriptor is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit.h"
#include "vhost_user/codec.h"

static int peer;
static struct codec codec;
static unsigned int fds_before;

static int setup(void **state)
{
	int pair[2];

	(void)state;
	fds_before = kit_open_fds();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	codec_init(&codec, pair[0]);
	peer = pair[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	codec_fini(&codec);
	close(codec.fd);
	close(peer);
	/* Whatever a test did, no descriptor stays behind. */
	assert_int_equal(kit_open_fds(), fds_before);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Sends bytes with `nr_fds` copies of one descriptor. */
static void put(const void *bytes, size_t len, unsigned int nr_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[64];

	assert_true(nr_fds <= ARRAY_LEN(fds));
	if (nr_fds != 0) {
		struct cmsghdr *cm;

		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		for (unsigned int i = 0; i < nr_fds; i++)
			fds[i] = peer;
		memcpy(CMSG_DATA(cm), fds, nr_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(peer, &mh, MSG_NOSIGNAL), len);
}

struct bytes {
	uint32_t header[3];
	uint8_t payload[sizeof(union vhu_payload)];
};

static struct bytes message(uint32_t request, uint32_t flags, uint32_t size)
{
	struct bytes m = { .header = { request, flags, size } };

	for (unsigned int i = 0; i < sizeof(m.payload); i++)
		m.payload[i] = (uint8_t)(i + 1);
	return m;
}

static void expect_message(uint32_t request, uint32_t size, unsigned int nr_fds)
{
	static const uint8_t zeros[sizeof(union vhu_payload)];

	assert_int_equal(codec.in.hdr.request, request);
	assert_int_equal(codec.in.hdr.size_bytes, size);
	for (uint32_t i = 0; i < size; i++)
		assert_int_equal(((uint8_t *)&codec.in.payload)[i], (uint8_t)(i + 1));
	/* What was not sent reads as 0, also after a longer message. */
	assert_memory_equal((uint8_t *)&codec.in.payload + size, zeros, sizeof(zeros) - size);
	assert_int_equal(codec.fds.count, nr_fds);
	for (unsigned int i = 0; i < nr_fds; i++)
		assert_int_equal(fcntl(codec.fds.fds[i], F_GETFD), FD_CLOEXEC);
}

static void every_size_at_once(void **state)
{
	(void)state;
	for (uint32_t size = 0; size <= sizeof(union vhu_payload); size++) {
		struct bytes m = message(size + 100, VHU_VERSION | VHU_FLAG_NEED_REPLY, size);

		put(&m, 12 + size, size % 3);
		assert_int_equal(codec_recv(&codec), 1);
		assert_int_equal(codec.in.hdr.flags, VHU_VERSION | VHU_FLAG_NEED_REPLY);
		expect_message(size + 100, size, size % 3);
		/* Asked again it is still there, and nothing is read ahead. */
		assert_int_equal(codec_recv(&codec), 1);
		codec_next(&codec);
		assert_int_equal(codec_recv(&codec), 0);
	}
}

/* There may have been keys in it. */
static void nothing_is_left_of_a_message(void **state)
{
	static const union vhu_payload none;
	struct bytes m = message(1, VHU_VERSION, sizeof(m.payload));

	(void)state;
	put(&m, sizeof(m), 0);
	assert_int_equal(codec_recv(&codec), 1);
	codec_next(&codec);
	assert_memory_equal(&codec.in.payload, &none, sizeof(none));
	/* Nor of the part that had come when the connection went. */
	put(&m, 12 + 100, 0);
	assert_int_equal(codec_recv(&codec), 0);
	assert_int_equal(codec.in_bytes, 12 + 100);
	codec_fini(&codec);
	assert_memory_equal(&codec.in.payload, &none, sizeof(none));
}

static void byte_by_byte(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 8, 40, sizeof(union vhu_payload) };

	(void)state;
	for (unsigned int k = 0; k < ARRAY_LEN(sizes); k++) {
		struct bytes m = message(5, VHU_VERSION, sizes[k]);
		size_t total = 12 + sizes[k];

		for (size_t i = 0; i < total; i++) {
			put((const uint8_t *)&m + i, 1, i == 0 ? 3 : 0);
			assert_int_equal(codec_recv(&codec), i + 1 == total);
		}
		expect_message(5, sizes[k], 3);
		codec_next(&codec);
	}
}

static void cut_anywhere(void **state)
{
	struct bytes m = message(9, VHU_VERSION, 40);

	(void)state;
	for (size_t cut = 1; cut < 52; cut++) {
		put(&m, cut, 1);
		assert_int_equal(codec_recv(&codec), 0);
		put((const uint8_t *)&m + cut, 52 - cut, 0);
		assert_int_equal(codec_recv(&codec), 1);
		expect_message(9, 40, 1);
		codec_next(&codec);
	}
}

static void several_in_one_write(void **state)
{
	struct {
		uint32_t a[3];
		uint64_t a_payload;
		uint32_t b[3];
		uint32_t c[3];
		uint64_t c_payload;
	} __attribute__((packed)) three = { .a = { 2, VHU_VERSION, 8 },
					    .a_payload = 0x0807060504030201,
					    .b = { 1, VHU_VERSION, 0 },
					    .c = { 16, VHU_VERSION, 8 },
					    .c_payload = 0x0807060504030201 };

	(void)state;
	put(&three, sizeof(three), 0);
	assert_int_equal(codec_recv(&codec), 1);
	expect_message(2, 8, 0);
	codec_next(&codec);
	assert_int_equal(codec_recv(&codec), 1);
	expect_message(1, 0, 0);
	codec_next(&codec);
	assert_int_equal(codec_recv(&codec), 1);
	expect_message(16, 8, 0);
	codec_next(&codec);
	assert_int_equal(codec_recv(&codec), 0);
}

/* Descriptors stay with the message they came with. */
static void fds_do_not_move_between_messages(void **state)
{
	struct bytes m = message(3, VHU_VERSION, 0);

	(void)state;
	put(&m, 12, 2);
	put(&m, 12, 1);
	put(&m, 12, 0);
	assert_int_equal(codec_recv(&codec), 1);
	expect_message(3, 0, 2);
	codec_next(&codec);
	assert_int_equal(codec_recv(&codec), 1);
	expect_message(3, 0, 1);
	codec_next(&codec);
	assert_int_equal(codec_recv(&codec), 1);
	expect_message(3, 0, 0);
}

static void fds_with_the_payload(void **state)
{
	struct bytes m = message(5, VHU_VERSION, 8);

	(void)state;
	put(&m, 12, 1);
	put(m.payload, 4, 2);
	put(m.payload + 4, 4, 1);
	while (codec_recv(&codec) == 0)
		;
	expect_message(5, 8, 4);
}

static void as_many_fds_as_fit(void **state)
{
	struct bytes m = message(5, VHU_VERSION, 0);

	(void)state;
	put(&m, 12, FDBAG_MAX);
	assert_int_equal(codec_recv(&codec), 1);
	expect_message(5, 0, FDBAG_MAX);
}

static void too_many_fds(void **state)
{
	struct bytes m = message(5, VHU_VERSION, 0);

	for (unsigned int n = FDBAG_MAX + 1; n <= 64; n += 5) {
		put(&m, 12, n);
		assert_int_equal(codec_recv(&codec), -EMFILE);
		teardown(state);
		setup(state);
	}
	/* Also in sum. */
	put(&m, 6, FDBAG_MAX);
	put((const uint8_t *)&m + 6, 6, 1);
	assert_int_equal(codec_recv(&codec), -EMFILE);
}

static void bad_headers(void **state)
{
	static const struct {
		uint32_t flags, size;
		int error;
	} rows[] = {
		{ 0, 0, -EBADMSG },
		{ 2, 0, -EBADMSG },
		{ 3, 0, -EBADMSG },
		{ VHU_VERSION | VHU_FLAG_REPLY, 0, -EBADMSG },
		{ VHU_VERSION, sizeof(union vhu_payload) + 1, -EMSGSIZE },
		{ VHU_VERSION, 4096, -EMSGSIZE },
		{ VHU_VERSION, UINT32_MAX, -EMSGSIZE },
		{ VHU_VERSION, UINT32_MAX - 11, -EMSGSIZE },
		{ 0, UINT32_MAX, -EBADMSG },
	};

	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		struct bytes m = message(1, rows[i].flags, rows[i].size);

		put(&m, sizeof(m), 2);
		assert_int_equal(codec_recv(&codec), rows[i].error);
		teardown(state);
		setup(state);
	}
}

/* Bits without a meaning yet are the next specification's business. */
static void unknown_flag_bits_pass(void **state)
{
	struct bytes m = message(1, VHU_VERSION | 0xfffffff0u, 0);

	(void)state;
	put(&m, 12, 0);
	assert_int_equal(codec_recv(&codec), 1);
}

static void end_of_stream_anywhere(void **state)
{
	struct bytes m = message(5, VHU_VERSION, 8);

	for (size_t len = 0; len < 20; len++) {
		if (len != 0)
			put(&m, len, 2);
		shutdown(peer, SHUT_WR);
		assert_int_equal(codec_recv(&codec), -ECONNRESET);
		teardown(state);
		setup(state);
	}
}

static void nothing_to_read(void **state)
{
	(void)state;
	assert_int_equal(codec_recv(&codec), 0);
	assert_int_equal(codec_flush(&codec), 0);
	assert_false(codec_sending(&codec));
}

/* --- sending ----------------------------------------------------------- */

static void reply_arrives_whole(void **state)
{
	(void)state;
	for (uint32_t size = 0; size <= sizeof(union vhu_payload); size += 8) {
		struct vhu_msg msg = { .hdr = { 7, VHU_VERSION | VHU_FLAG_REPLY, size } };
		struct bytes got;

		memset(&msg.payload, (int)size, sizeof(msg.payload));
		assert_int_equal(codec_send(&codec, &msg), 0);
		assert_false(codec_sending(&codec));
		assert_int_equal(recv(peer, &got, sizeof(got), 0), 12 + size);
		assert_int_equal(got.header[0], 7);
		assert_int_equal(got.header[1], VHU_VERSION | VHU_FLAG_REPLY);
		assert_int_equal(got.header[2], size);
		assert_memory_equal(got.payload, &msg.payload, size);
	}
}

/* A peer that does not read: one message waits, a second is refused, then all of it arrives. */
static void slow_reader(void **state)
{
	struct vhu_msg msg = { .hdr = { 7, VHU_VERSION | VHU_FLAG_REPLY, 8 } };
	uint64_t sent = 0, got = 0;
	uint8_t buf[100];
	int tiny = 1;

	(void)state;
	setsockopt(codec.fd, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof(tiny));
	while (!codec_sending(&codec)) {
		msg.payload.u64 = sent++;
		assert_int_equal(codec_send(&codec, &msg), 0);
		assert_true(sent < 100000);
	}
	assert_int_equal(codec_send(&codec, &msg), -EBUSY);
	assert_int_equal(codec_flush(&codec), 0);
	assert_true(codec_sending(&codec));
	for (;;) {
		ssize_t n = recv(peer, buf, 20, MSG_DONTWAIT);
		uint64_t value;

		if (n < 0) {
			if (!codec_sending(&codec))
				break;
			assert_int_equal(codec_flush(&codec), 0);
			continue;
		}
		assert_int_equal(n, 20);
		memcpy(&value, buf + 12, sizeof(value));
		assert_int_equal(value, got);
		got++;
	}
	assert_int_equal(got, sent);
}

static void reader_gone(void **state)
{
	struct vhu_msg msg = { .hdr = { 7, VHU_VERSION | VHU_FLAG_REPLY, 8 } };

	(void)state;
	shutdown(codec.fd, SHUT_WR);
	assert_int_equal(codec_send(&codec, &msg), -EPIPE); /* and no signal */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_size_at_once),
		TEST(nothing_is_left_of_a_message),
		TEST(byte_by_byte),
		TEST(cut_anywhere),
		TEST(several_in_one_write),
		TEST(fds_do_not_move_between_messages),
		TEST(fds_with_the_payload),
		TEST(as_many_fds_as_fit),
		TEST(too_many_fds),
		TEST(bad_headers),
		TEST(unknown_flag_bits_pass),
		TEST(end_of_stream_anywhere),
		TEST(nothing_to_read),
		TEST(reply_arrives_whole),
		TEST(slow_reader),
		TEST(reader_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
