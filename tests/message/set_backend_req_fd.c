/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SET_BACKEND_REQ_FD: the socket for requests that we send; kept, replaced, closed at the end. And
 * the one request that goes over it so far, with and without an answer.
 */
#include <poll.h>
#include <pthread.h>

#include "meaning.h"
#include "vhost_user/backend.h"

static int frontend = -1; /* the frontend's end */

static int give_socket(void)
{
	int pair[2], ret;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ret = session_send(&s, VHU_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1);
	close(pair[1]);
	frontend = pair[0];
	return ret;
}

static void kept_and_replaced(void **state)
{
	unsigned int fds = kit_open_fds();

	(void)state;
	session_negotiate(&s);
	assert_int_equal(give_socket(), 0);
	assert_int_equal(kit_open_fds(), fds + 2);
	close(frontend);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(give_socket(), 0);
		close(frontend);
		assert_int_equal(kit_open_fds(), fds + 1);
	}
}

static void stream_socket_only(void **state)
{
	int pair[2], wrong[4];

	(void)state;
	session_negotiate(&s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	wrong[0] = s.vqs[0].callfd;
	wrong[1] = s.mem.regions[0].fd;
	wrong[2] = pair[0];
	wrong[3] = socket(AF_INET, SOCK_STREAM, 0);
	for (unsigned int i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_true(session_send(&s, VHU_SET_BACKEND_REQ_FD, NULL, 0, &wrong[i], 1) < 0);
		assert_int_equal(s.dev->backend_fd, -1);
	}
	close(pair[0]);
	close(pair[1]);
	close(wrong[3]);
}

static void requests_without_a_way(void **state)
{
	(void)state;
	assert_int_equal(vhu_backend_config_change(s.dev, false), -ENOTSUP);
	session_negotiate(&s);
	assert_int_equal(vhu_backend_config_change(s.dev, false), -ENOTCONN);
}

static void request_arrives(void **state)
{
	struct vhu_header hdr;

	(void)state;
	session_negotiate(&s);
	assert_int_equal(give_socket(), 0);
	assert_int_equal(vhu_backend_config_change(s.dev, false), 0);
	assert_int_equal(recv(frontend, &hdr, sizeof(hdr), 0), sizeof(hdr));
	assert_int_equal(hdr.request, VHU_BACKEND_CONFIG_CHANGE_MSG);
	assert_int_equal(hdr.flags, VHU_VERSION);
	assert_int_equal(hdr.size_bytes, 0);
	close(frontend);
}

/* What the frontend answers, if anything. */
struct answer {
	struct vhu_header hdr;
	uint64_t value;
	size_t bytes;
	bool piecewise;
};

static void *answer_once(void *arg)
{
	const struct answer *a = arg;
	uint8_t wire[sizeof(a->hdr) + sizeof(a->value)];
	struct vhu_header asked;

	memcpy(wire, &a->hdr, sizeof(a->hdr));
	memcpy(wire + sizeof(a->hdr), &a->value, sizeof(a->value));
	if (recv(frontend, &asked, sizeof(asked), MSG_WAITALL) != sizeof(asked))
		return NULL;
	if ((asked.flags & VHU_FLAG_NEED_REPLY) == 0)
		return NULL;
	for (size_t i = 0; i < a->bytes; i += a->piecewise ? 1 : a->bytes) {
		if (send(frontend, wire + i, a->piecewise ? 1 : a->bytes, MSG_NOSIGNAL) < 0)
			return NULL;
		if (a->piecewise)
			usleep(500);
	}
	if (a->bytes == 0)
		shutdown(frontend, SHUT_RDWR);
	return NULL;
}

static int ask(struct answer a)
{
	pthread_t thread;
	int ret;

	assert_int_equal(give_socket(), 0);
	assert_int_equal(pthread_create(&thread, NULL, answer_once, &a), 0);
	ret = vhu_backend_config_change(s.dev, true);
	pthread_join(thread, NULL);
	close(frontend);
	return ret;
}

static void answers(void **state)
{
	const struct vhu_header good = { VHU_BACKEND_CONFIG_CHANGE_MSG,
					 VHU_VERSION | VHU_FLAG_REPLY, 8 };
	struct vhu_header other = good, request = good, longer = good;

	(void)state;
	session_negotiate(&s);
	other.request = 99;
	request.flags = VHU_VERSION;
	longer.size_bytes = 4096;
	assert_int_equal(ask((struct answer){ good, 0, 20, false }), 0);
	assert_int_equal(ask((struct answer){ good, 0, 20, true }), 0);
	assert_int_equal(ask((struct answer){ good, 1, 20, false }), -EPROTO);
	assert_int_equal(ask((struct answer){ other, 0, 20, false }), -EPROTO);
	assert_int_equal(ask((struct answer){ request, 0, 20, false }), -EPROTO);
	assert_int_equal(ask((struct answer){ longer, 0, 20, false }), -EPROTO);
	assert_int_equal(ask((struct answer){ .bytes = 0 }), -ECONNRESET);
	/* Half an answer, then silence: given up after a second, not waited for for ever. */
	assert_int_equal(ask((struct answer){ good, 0, 13, false }), -ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kept_and_replaced),
		TEST(stream_socket_only),
		TEST(requests_without_a_way),
		TEST(request_arrives),
		TEST(answers),
	};

	return RUN(tests);
}
