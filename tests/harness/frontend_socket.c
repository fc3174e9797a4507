/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scripted vhost-user frontend, lower half: connections, bytes with file descriptors, whole
 * messages. See frontend.h. The backend is what is under test: its answers are checked for form.
 */
#include "frontend.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "patience.h"

void
fe_init(struct frontend *fe)
{
	memset(fe, 0, sizeof(*fe));
	fe->fd = -1;
	fe->backend_fd = -1;
	fe->timeout_ms = 20000;
}

static int
fill_address(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

int
fe_connect(struct frontend *fe, const char *path)
{
	uint64_t until_us = patience_now_us() + (uint64_t)fe->timeout_ms * 1000;
	struct sockaddr_un address;
	int rc = fill_address(&address, path);

	if (rc != 0)
		return rc;
	fe->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fe->fd < 0)
		return -errno;
	while (connect(fe->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		rc = -errno;
		if ((rc != -ENOENT && rc != -ECONNREFUSED && rc != -EINTR) || patience_now_us() > until_us) {
			close(fe->fd);
			fe->fd = -1;
			return rc;
		}
		usleep(1000);
	}
	return 0;
}

int
fe_listen(const char *path)
{
	struct sockaddr_un address;
	int rc = fill_address(&address, path);
	int fd;

	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* 0 when readable or closed by the peer, else -errno. */
static int
wait_readable(int fd, int timeout_ms)
{
	uint64_t until_us = patience_now_us() + (uint64_t)timeout_ms * 1000;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	int rc;

	do {
		rc = poll(&pfd, 1, timeout_ms < 50 ? timeout_ms : 50);
	} while ((rc < 0 && errno == EINTR) || (rc == 0 && patience_now_us() < until_us));
	if (rc < 0)
		return -errno;
	return rc == 0 ? -ETIMEDOUT : 0;
}

int
fe_accept(struct frontend *fe, int listen_fd)
{
	int rc = wait_readable(listen_fd, fe->timeout_ms);

	if (rc != 0)
		return rc;
	fe->fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	return fe->fd < 0 ? -errno : 0;
}

void
fe_disconnect(struct frontend *fe)
{
	if (fe->fd >= 0)
		close(fe->fd);
	if (fe->backend_fd >= 0)
		close(fe->backend_fd);
	fe->fd = -1;
	fe->backend_fd = -1;
	fe->protocol_features = 0;
}

int
fe_send_raw(struct frontend *fe, const void *bytes, size_t len_bytes, const int *fds,
	    unsigned nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * FE_MAX_FDS)];
	} control;
	const char *at = bytes;

	if (nfds > FE_MAX_FDS)
		return -EINVAL;
	while (len_bytes > 0) {
		struct iovec iov = {.iov_base = (void *)(uintptr_t)at, .iov_len = len_bytes};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;

		if (nfds > 0) {
			struct cmsghdr *cmsg;

			memset(&control, 0, sizeof(control));
			msg.msg_control = control.space;
			msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
			cmsg = CMSG_FIRSTHDR(&msg);
			cmsg->cmsg_level = SOL_SOCKET;
			cmsg->cmsg_type = SCM_RIGHTS;
			cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
			memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * nfds);
		}
		n = sendmsg(fe->fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE ? -ECONNRESET : -errno;
		at += n;
		len_bytes -= (size_t)n;
		nfds = 0;
	}
	return 0;
}

static int
recv_exactly(int fd, int timeout_ms, void *bytes, size_t len_bytes, int *fds, unsigned *nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * FE_MAX_FDS)];
	} control;
	char *at = bytes;

	while (len_bytes > 0) {
		struct iovec iov = {.iov_base = at, .iov_len = len_bytes};
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.space,
			.msg_controllen = sizeof(control.space),
		};
		int rc = wait_readable(fd, timeout_ms);
		ssize_t n;

		if (rc != 0)
			return rc;
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -ECONNRESET : -errno;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
			unsigned count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
			    fds == NULL || *nfds + count > FE_MAX_FDS)
				return -EBADMSG;
			memcpy(fds + *nfds, CMSG_DATA(c), count * sizeof(int));
			*nfds += count;
		}
		at += n;
		len_bytes -= (size_t)n;
	}
	return 0;
}

int
fe_recv_raw(struct frontend *fe, void *bytes, size_t len_bytes, int *fds, unsigned *nfds)
{
	return recv_exactly(fe->fd, fe->timeout_ms, bytes, len_bytes, fds, nfds);
}

int
fe_send_declared(struct frontend *fe, uint32_t request, uint32_t flags,
		 uint32_t declared_size_bytes, const void *payload, size_t payload_bytes,
		 const int *fds, unsigned nfds)
{
	struct {
		struct fe_header header;
		uint8_t payload[FE_MAX_PAYLOAD_BYTES];
	} __attribute__((packed)) wire;

	if (payload_bytes > sizeof(wire.payload))
		return -EINVAL;
	wire.header = (struct fe_header) {
		.request = request,
		.flags = flags,
		.size_bytes = declared_size_bytes,
	};
	if (payload_bytes > 0)
		memcpy(wire.payload, payload, payload_bytes);
	return fe_send_raw(fe, &wire, sizeof(wire.header) + payload_bytes, fds, nfds);
}

int
fe_send(struct frontend *fe, uint32_t request, uint32_t flags, const void *payload,
	size_t payload_bytes, const int *fds, unsigned nfds)
{
	return fe_send_declared(fe, request, flags, (uint32_t)payload_bytes, payload,
				payload_bytes, fds, nfds);
}

static int
recv_msg(int fd, int timeout_ms, struct fe_msg *msg)
{
	int rc;

	memset(msg, 0, sizeof(*msg));
	rc = recv_exactly(fd, timeout_ms, &msg->header, sizeof(msg->header), msg->fds,
			  &msg->nfds);
	if (rc == 0 && msg->header.size_bytes > sizeof(msg->bytes))
		rc = -EMSGSIZE;
	if (rc == 0)
		rc = recv_exactly(fd, timeout_ms, msg->bytes, msg->header.size_bytes, msg->fds,
				  &msg->nfds);
	if (rc != 0)
		fe_msg_close_fds(msg);
	return rc;
}

int
fe_recv(struct frontend *fe, struct fe_msg *msg)
{
	return recv_msg(fe->fd, fe->timeout_ms, msg);
}

int
fe_recv_backend(struct frontend *fe, struct fe_msg *msg)
{
	return recv_msg(fe->backend_fd, fe->timeout_ms, msg);
}

void
fe_msg_close_fds(struct fe_msg *msg)
{
	for (unsigned i = 0; i < msg->nfds; i++)
		close(msg->fds[i]);
	msg->nfds = 0;
}

/* The reply must name the request and carry version 1 and the reply bit. */
static int
recv_reply(struct frontend *fe, uint32_t request, struct fe_msg *reply)
{
	int rc = fe_recv(fe, reply);

	if (rc != 0)
		return rc;
	if (reply->header.request != request ||
	    (reply->header.flags & 7) != (FE_FLAG_VERSION | FE_FLAG_REPLY)) {
		fe_msg_close_fds(reply);
		return -EBADMSG;
	}
	return 0;
}

int
fe_request(struct frontend *fe, uint32_t request, const void *payload, size_t payload_bytes,
	   struct fe_msg *reply)
{
	int rc = fe_send(fe, request, FE_FLAG_VERSION, payload, payload_bytes, NULL, 0);

	return rc != 0 ? rc : recv_reply(fe, request, reply);
}

int
fe_request_ack(struct frontend *fe, uint32_t request, const void *payload, size_t payload_bytes,
	       const int *fds, unsigned nfds)
{
	struct fe_msg reply;
	int rc = fe_send(fe, request, FE_FLAG_VERSION | FE_FLAG_NEED_REPLY, payload,
			 payload_bytes, fds, nfds);

	if (rc == 0)
		rc = recv_reply(fe, request, &reply);
	if (rc != 0)
		return rc;
	fe_msg_close_fds(&reply);
	if (reply.header.size_bytes != sizeof(reply.u64))
		return -EBADMSG;
	return reply.u64 > 0x7fffffff ? 0x7fffffff : (int)reply.u64;
}

int
fe_command(struct frontend *fe, uint32_t request, const void *payload, size_t payload_bytes,
	   const int *fds, unsigned nfds)
{
	if (fe->use_ack && fe->protocol_features & 1u << FE_PROTOCOL_F_REPLY_ACK)
		return fe_request_ack(fe, request, payload, payload_bytes, fds, nfds);
	return fe_send(fe, request, FE_FLAG_VERSION, payload, payload_bytes, fds, nfds);
}

bool
fe_closed_by_backend(struct frontend *fe, int timeout_ms)
{
	char byte;
	ssize_t n;

	if (wait_readable(fe->fd, timeout_ms) != 0)
		return false;
	n = recv(fe->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno == ECONNRESET);
}
