/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "backend.h"
#include "base/clock.h"
#include "wire.h"

/* A descriptor goes along, -1 for none. */
static int send_whole(int fd, const void *bytes, size_t len, int with_fd)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (with_fd >= 0) {
		struct cmsghdr *cm;

		mh.msg_control = control.bytes;
		mh.msg_controllen = sizeof(control.bytes);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &with_fd, sizeof(with_fd));
	}
	/* Small enough to be taken as a whole, or not at all by a frontend that does not read. */
	n = sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EAGAIN;
}

/* Reads exactly `len` bytes. */
static int recv_whole(int fd, void *bytes, size_t len, int64_t deadline_ms)
{
	size_t done = 0;

	while (done < len) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int64_t left_ms = deadline_ms - clock_now_ms();
		ssize_t n;

		if (left_ms <= 0 || poll(&pfd, 1, (int)left_ms) == 0)
			return -ETIMEDOUT;
		n = recv(fd, (uint8_t *)bytes + done, len - done, MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The answer to `request`: a u64, 0 for success. */
static int recv_ack(int fd, uint32_t request)
{
	struct vhu_header hdr;
	uint64_t result;
	int64_t deadline_ms = clock_now_ms() + BACKEND_REPLY_TIMEOUT_MS;
	int ret = recv_whole(fd, &hdr, sizeof(hdr), deadline_ms);

	if (ret < 0)
		return ret;
	if (hdr.request != request || (hdr.flags & VHU_FLAG_REPLY) == 0 ||
	    hdr.size_bytes != sizeof(result))
		return -EPROTO;
	ret = recv_whole(fd, &result, sizeof(result), deadline_ms);
	if (ret < 0)
		return ret;
	return result == 0 ? 0 : -EPROTO;
}

/* An answer that nobody waited for so long is not the next one's. */
static void drop_late_answers(int fd)
{
	uint8_t bytes[256];

	for (int i = 0; i < 64 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0; i++)
		continue;
}

struct request {
	struct vhu_header hdr;
	struct vhu_vring_area area; /* of those that have it */
} __attribute__((packed));

/* A request that may have an answer; a descriptor goes along, -1 for none. */
static int send_request(struct device *dev, struct request *r, int with_fd, bool need_reply)
{
	int ret;

	if (!device_has_proto(dev, VHOST_USER_PROTOCOL_F_BACKEND_REQ))
		return -ENOTSUP;
	r->hdr.flags = VHU_VERSION;
	need_reply = need_reply && device_has_proto(dev, VHOST_USER_PROTOCOL_F_REPLY_ACK);
	if (need_reply)
		r->hdr.flags |= VHU_FLAG_NEED_REPLY;
	pthread_mutex_lock(&dev->answer_lock);
	pthread_mutex_lock(&dev->backend_lock);
	if (need_reply && dev->backend_fd >= 0)
		drop_late_answers(dev->backend_fd);
	ret = dev->backend_fd < 0 ? -ENOTCONN :
				    send_whole(dev->backend_fd, r,
					       sizeof(r->hdr) + r->hdr.size_bytes, with_fd);
	pthread_mutex_unlock(&dev->backend_lock);
	/* Others may ask meanwhile: what else we send has no answer. */
	if (ret == 0 && need_reply)
		ret = recv_ack(dev->backend_fd, r->hdr.request);
	pthread_mutex_unlock(&dev->answer_lock);
	return ret;
}

int vhu_backend_config_change(struct device *dev, bool need_reply)
{
	struct request r = { .hdr.request = VHU_BACKEND_CONFIG_CHANGE_MSG };

	return send_request(dev, &r, -1, need_reply);
}

int vhu_backend_map_notifier(struct device *dev, unsigned int index, const struct vhu_notifier *n)
{
	struct request r = { .hdr = { .request = VHU_BACKEND_VRING_HOST_NOTIFIER_MSG,
				      .size_bytes = sizeof(r.area) },
			     .area = { .index = index,
				       .size_bytes = n->size_bytes,
				       .offset_bytes = n->offset_bytes } };

	return send_request(dev, &r, n->fd, true);
}

int vhu_backend_unmap_notifier(struct device *dev, unsigned int index, bool need_reply)
{
	struct request r = { .hdr = { .request = VHU_BACKEND_VRING_HOST_NOTIFIER_MSG,
				      .size_bytes = sizeof(r.area) },
			     .area.index = index | VHU_VRING_NOFD };

	return send_request(dev, &r, -1, need_reply);
}

int vhu_backend_ask(struct device *dev, const struct vhu_asks *asks)
{
	struct {
		struct vhu_header hdr;
		struct vhu_iotlb body;
	} __attribute__((packed)) msgs[RING_MISSES_MAX];

	if (dev->backend_fd < 0)
		return -ENOTCONN;
	for (unsigned int i = 0; i < asks->count; i++) {
		const struct ring_miss *miss = &asks->list[i];

		msgs[i].hdr = (struct vhu_header){ .request = VHU_BACKEND_IOTLB_MSG,
						   .flags = VHU_VERSION,
						   .size_bytes = sizeof(msgs[i].body) };
		msgs[i].body = (struct vhu_iotlb){ .iova = miss->at.v,
						   .access = miss->access,
						   .type = miss->refused ? VHU_IOTLB_ACCESS_FAIL :
									   VHU_IOTLB_MISS };
	}
	return send_whole(dev->backend_fd, msgs, asks->count * sizeof(msgs[0]), -1);
}
