/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "codec.h"

void codec_init(struct codec *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	fdbag_init(&c->fds);
	fdbag_init(&c->out_fds);
}

void codec_fini(struct codec *c)
{
	codec_next(c);
	fdbag_close_rest(&c->out_fds);
}

void codec_next(struct codec *c)
{
	fdbag_close_rest(&c->fds);
	c->in_bytes = 0;
	/* It may have had keys in it. And bytes that the frontend does not send read as 0. */
	explicit_bzero(&c->in.payload, sizeof(c->in.payload));
}

/* Takes what came in ancillary data; every descriptor ends up owned or closed. */
static int take_fds(struct codec *c, struct msghdr *mh)
{
	int ret = 0;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		size_t count;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (!fdbag_put(&c->fds, fd)) {
				fd_close(&fd);
				ret = -EMFILE;
			}
		}
	}
	/* The kernel closed those that did not fit our buffer. */
	return (mh->msg_flags & MSG_CTRUNC) != 0 ? -EMFILE : ret;
}

/* One read into `dst`; descriptors may come along. Returns bytes or -errno. */
static ssize_t recv_some(struct codec *c, void *dst, size_t len)
{
	/* Room for more than we accept, so that too many are seen and closed. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * FDBAG_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = dst, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes) };
	ssize_t n;
	int ret;

	do
		n = recvmsg(c->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	ret = take_fds(c, &mh);
	return ret < 0 ? ret : n;
}

static int check_header(const struct vhu_header *h)
{
	if ((h->flags & VHU_FLAG_VERSION_MASK) != VHU_VERSION || (h->flags & VHU_FLAG_REPLY) != 0)
		return -EBADMSG;
	return h->size_bytes > VHU_PAYLOAD_MAX_BYTES ? -EMSGSIZE : 0;
}

int codec_recv(struct codec *c)
{
	for (;;) {
		bool in_header = c->in_bytes < VHU_HEADER_BYTES;
		uint32_t done = in_header ? c->in_bytes : c->in_bytes - VHU_HEADER_BYTES;
		uint32_t want = in_header ? VHU_HEADER_BYTES : c->in.hdr.size_bytes;
		uint8_t *piece = in_header ? (uint8_t *)&c->in.hdr : (uint8_t *)&c->in.payload;
		ssize_t n;
		int ret;

		if (!in_header && done == want)
			return 1;
		n = recv_some(c, piece + done, want - done);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return n == -EAGAIN || n == -EWOULDBLOCK ? 0 : (int)n;
		c->in_bytes += (uint32_t)n;
		if (in_header && c->in_bytes == VHU_HEADER_BYTES) {
			ret = check_header(&c->in.hdr);
			if (ret < 0)
				return ret;
		}
	}
}

/* What is left of the message, and its descriptors if they have not gone yet. */
static ssize_t send_some(struct codec *c)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDBAG_MAX * sizeof(int))];
	} control = { 0 };
	size_t fds_bytes = c->out_fds.count * sizeof(int);
	struct iovec iov = { .iov_base = c->out + c->out_done_bytes,
			     .iov_len = c->out_bytes - c->out_done_bytes };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fds_bytes != 0) {
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(fds_bytes),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(fds_bytes);
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), c->out_fds.fds, fds_bytes);
	}
	n = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		fdbag_close_rest(&c->out_fds);
	return n;
}

int codec_flush(struct codec *c)
{
	while (codec_sending(c)) {
		ssize_t n = send_some(c);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
		c->out_done_bytes += (uint32_t)n;
	}
	return 0;
}

int codec_send(struct codec *c, const struct vhu_msg *msg)
{
	if (codec_sending(c))
		return -EBUSY;
	memcpy(c->out, &msg->hdr, VHU_HEADER_BYTES);
	memcpy(c->out + VHU_HEADER_BYTES, &msg->payload, msg->hdr.size_bytes);
	c->out_bytes = VHU_HEADER_BYTES + msg->hdr.size_bytes;
	c->out_done_bytes = 0;
	/* Taken over, wherever they end. */
	c->out_fds = c->fds;
	fdbag_init(&c->fds);
	return codec_flush(c);
}
