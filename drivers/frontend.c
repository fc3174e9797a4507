/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/defs.h"
#include "frontend.h"

/* How often we look whether somebody is in a hurry. */
#define LOOK_MS 20

void frontend_allow(struct frontend *f, int ms)
{
	f->until_ms = clock_now_ms() + ms;
}

int frontend_connect(struct frontend *f, const char *path, int allowed_ms, const bool *hurry)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int ret = 0;

	*f = (struct frontend){ .fd = -1, .hurry = hurry };
	frontend_allow(f, allowed_ms);
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->fd < 0)
		return -errno;
	/* Of a Unix socket it is there at once, or not at all. */
	if (connect(f->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		ret = -errno;
		frontend_close(f);
	}
	return ret;
}

void frontend_close(struct frontend *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static int wait_for(const struct frontend *f, short events)
{
	struct pollfd pfd = { .fd = f->fd, .events = events };
	int ret;

	do {
		const int64_t left_ms = f->until_ms - clock_now_ms();

		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (f->hurry != NULL && __atomic_load_n(f->hurry, __ATOMIC_RELAXED))
			return -ECANCELED;
		ret = poll(&pfd, 1, (int)MIN2(left_ms, (int64_t)LOOK_MS));
		if (ret < 0 && errno != EINTR)
			return -errno;
	} while (ret <= 0);
	return 0;
}

static int send_all(struct frontend *f, const void *bytes, size_t len_bytes, const int *fds,
		    unsigned int nr_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * VHU_REGIONS_MAX)];
	} control;
	const char *at = bytes;

	while (len_bytes != 0) {
		struct iovec iov = { .iov_base = (void *)(uintptr_t)at, .iov_len = len_bytes };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;
		int ret;

		if (nr_fds != 0) {
			memset(&control, 0, sizeof(control));
			msg.msg_control = &control;
			msg.msg_controllen = CMSG_SPACE(sizeof(int) * nr_fds);
			control.align.cmsg_level = SOL_SOCKET;
			control.align.cmsg_type = SCM_RIGHTS;
			control.align.cmsg_len = CMSG_LEN(sizeof(int) * nr_fds);
			memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * nr_fds);
		}
		n = sendmsg(f->fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0) {
			ret = wait_for(f, POLLOUT);
			if (ret < 0)
				return ret;
			continue;
		}
		nr_fds = 0;
		at += n;
		len_bytes -= (size_t)n;
	}
	return 0;
}

/* A descriptor may come along, if `fd` is not NULL; all others are closed. */
static ssize_t receive(struct frontend *f, void *bytes, size_t len_bytes, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = bytes, .iov_len = len_bytes };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      /* Not CMSG_SPACE(): there is room for two in it. */
			      .msg_controllen = fd != NULL ? CMSG_LEN(sizeof(int)) : 0 };
	ssize_t n = recvmsg(f->fd, &msg, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *cmsg = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return n;
}

/* `fd`, if not NULL, is -1 unless one came. */
static int receive_all(struct frontend *f, void *bytes, size_t len_bytes, int *fd)
{
	char *at = bytes;

	while (len_bytes != 0) {
		ssize_t n = receive(f, at, len_bytes, fd != NULL && *fd < 0 ? fd : NULL);
		int ret;

		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0) {
			ret = wait_for(f, POLLIN);
			if (ret < 0)
				return ret;
			continue;
		}
		at += n;
		len_bytes -= (size_t)n;
	}
	return 0;
}

static int send_message(struct frontend *f, uint32_t request, uint32_t flags, const void *payload,
			uint32_t size_bytes, const int *fds, unsigned int nr_fds)
{
	struct vhu_header hdr = { .request = request,
				  .flags = VHU_VERSION | flags,
				  .size_bytes = size_bytes };
	char bytes[VHU_HEADER_BYTES + sizeof(struct vhu_mem_table)];

	memcpy(bytes, &hdr, VHU_HEADER_BYTES);
	if (size_bytes != 0)
		memcpy(bytes + VHU_HEADER_BYTES, payload, size_bytes);
	return send_all(f, bytes, VHU_HEADER_BYTES + size_bytes, fds, nr_fds);
}

static int answer(struct frontend *f, uint32_t request, void *payload, uint32_t size_bytes, int *fd)
{
	struct vhu_header hdr;
	int ret = receive_all(f, &hdr, sizeof(hdr), fd);

	if (ret < 0)
		return ret;
	if (hdr.request != request || (hdr.flags & VHU_FLAG_REPLY) == 0 ||
	    hdr.size_bytes != size_bytes)
		return -EPROTO;
	return receive_all(f, payload, size_bytes, fd);
}

int frontend_get(struct frontend *f, uint32_t request, uint64_t *value)
{
	int ret = send_message(f, request, 0, NULL, 0, NULL, 0);

	return ret < 0 ? ret : answer(f, request, value, sizeof(*value), NULL);
}

int frontend_tell(struct frontend *f, uint32_t request, const void *payload, uint32_t size_bytes,
		  const int *fds, unsigned int nr_fds)
{
	uint64_t refused = 0;
	int ret = send_message(f, request, f->acks ? VHU_FLAG_NEED_REPLY : 0, payload, size_bytes,
			       fds, nr_fds);

	if (ret == 0 && f->acks)
		ret = answer(f, request, &refused, sizeof(refused), NULL);
	return ret < 0 ? ret : refused != 0 ? -EIO : 0;
}

int frontend_tell_u64(struct frontend *f, uint32_t request, uint64_t value)
{
	return frontend_tell(f, request, &value, sizeof(value), NULL, 0);
}

int frontend_tell_fd(struct frontend *f, uint32_t request, uint32_t index, int fd)
{
	uint64_t value = fd < 0 ? index | VHU_VRING_NOFD : index;

	return frontend_tell(f, request, &value, sizeof(value), &fd, fd >= 0);
}

int frontend_tell_state(struct frontend *f, uint32_t request, uint32_t index, uint32_t num)
{
	struct vhu_vring_state state = { .index = index, .num = num };

	return frontend_tell(f, request, &state, sizeof(state), NULL, 0);
}

int frontend_tell_log(struct frontend *f, const struct vhu_log *log, int fd)
{
	char ignored[VHU_HEADER_BYTES + sizeof(struct vhu_mem_table)];
	struct vhu_header hdr;
	int ret = send_message(f, VHU_SET_LOG_BASE, 0, log, sizeof(*log), &fd, 1);

	if (ret == 0)
		ret = receive_all(f, &hdr, sizeof(hdr), NULL);
	if (ret < 0)
		return ret;
	/* The specification leaves open what is in it. */
	if (hdr.request != VHU_SET_LOG_BASE || (hdr.flags & VHU_FLAG_REPLY) == 0 ||
	    hdr.size_bytes > sizeof(ignored))
		return -EPROTO;
	return receive_all(f, ignored, hdr.size_bytes, NULL);
}

/* It will be read from: its other end is not to stall us. */
static bool is_plain_file(int fd)
{
	struct statfs fs;
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fstatfs(fd, &fs) == 0 &&
	       (uint64_t)fs.f_type != FUSE_SUPER_MAGIC;
}

int frontend_get_inflight(struct frontend *f, struct vhu_inflight *area, int *fd)
{
	const uint16_t nr_queues = area->nr_queues, queue_size = area->queue_size;
	int ret = send_message(f, VHU_GET_INFLIGHT_FD, 0, area, sizeof(*area), NULL, 0);

	*fd = -1;
	if (ret == 0)
		ret = answer(f, VHU_GET_INFLIGHT_FD, area, sizeof(*area), fd);
	if (ret == 0 && (*fd < 0 || !is_plain_file(*fd) || area->mmap_size_bytes == 0 ||
			 area->nr_queues != nr_queues || area->queue_size != queue_size))
		ret = -EPROTO;
	if (ret < 0 && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return ret;
}

int frontend_settle(struct frontend *f)
{
	uint64_t ignored;

	/* Messages are handled in order. */
	return f->acks ? 0 : frontend_get(f, VHU_GET_FEATURES, &ignored);
}

int frontend_stop_ring(struct frontend *f, uint32_t index, uint32_t *base)
{
	struct vhu_vring_state state = { .index = index };
	int ret = send_message(f, VHU_GET_VRING_BASE, 0, &state, sizeof(state), NULL, 0);

	if (ret == 0)
		ret = answer(f, VHU_GET_VRING_BASE, &state, sizeof(state), NULL);
	if (ret == 0 && state.index != index)
		ret = -EPROTO;
	if (ret == 0)
		*base = state.num;
	return ret;
}
