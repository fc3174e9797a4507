/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about the device's state on its way to another backend.
 *
 * The bytes go through a pipe of our own, whose other end goes back with the
 * answer: of the frontend's descriptor we know neither what it is nor, since
 * its sender shares it, whether it will block. A state fits the pipe, so saving
 * is one write that does not wait; loading is one read when the frontend says
 * that it has closed its end. Nobody waits for a frontend that never does.
 */
#include <errno.h>
#include <fcntl.h>

#include "device/state.h"
#include "table.h"

/* PIPE_BUF, the least that a pipe takes at once, is 4096. */
_Static_assert(STATE_BYTES_MAX < 4096, "saved in one write");

/* The end we keep, and the frontend's. */
struct ends {
	int ours, theirs;
};

/*
 * The frontend's end does not block either: what is longer than any state of
 * ours is an error there, instead of a frontend that hangs.
 */
static int make_pipe(bool save, struct ends *ends)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*ends = (struct ends){ .ours = fds[save], .theirs = fds[!save] };
	return 0;
}

static int save(struct device *dev, int fd)
{
	uint8_t bytes[STATE_BYTES_MAX];
	uint32_t size = state_save(dev, bytes);

	return write(fd, bytes, size) == (ssize_t)size ? 0 : -EIO;
}

static int check_transfer(const struct device *dev, const struct vhu_state_transfer *t)
{
	if (device_server(dev) == NULL) {
		LOG_ERR("%s: SET_DEVICE_STATE_FD: the application has no handler for it",
			dev->ifname);
		return -ENOTSUP;
	}
	if (t->direction > VHU_STATE_LOAD || t->phase != VHU_PHASE_STOPPED) {
		LOG_ERR("%s: SET_DEVICE_STATE_FD: direction %u in phase %u, expected 0 or 1 in 0",
			dev->ifname, t->direction, t->phase);
		return -EINVAL;
	}
	if (device_is_busy(dev)) {
		LOG_ERR("%s: SET_DEVICE_STATE_FD: queues run; send GET_VRING_BASE for each first",
			dev->ifname);
		return -EBUSY;
	}
	return 0;
}

static int begin(struct vhu_call *call)
{
	const struct vhu_state_transfer *t = &call->in->transfer;
	struct device *dev = call->dev;
	bool saves = t->direction == VHU_STATE_SAVE;
	struct ends ends = { -1, -1 };
	int ret;

	/* A new transfer, even one that does not begin, ends the one before. */
	fd_close(&dev->transfer.fd);
	dev->transfer.good = false;
	ret = check_transfer(dev, t);
	if (ret == 0)
		ret = make_pipe(saves, &ends);
	if (ret < 0)
		return ret;
	if (saves) {
		dev->transfer.good = save(dev, ends.ours) == 0;
		fd_close(&ends.ours); /* the end of the state */
	} else {
		dev->transfer.fd = ends.ours;
	}
	call->out_fd = ends.theirs;
	return 0;
}

/* What is refused is answered, too: a guest that cannot be moved stays where it is. */
int vhu_set_device_state_fd(struct vhu_call *call)
{
	call->out->u64 = begin(call) < 0 ? VHU_STATE_NOFD | VHU_STATE_ERROR : 0;
	call->out_bytes = sizeof(call->out->u64);
	return 0;
}

/* The whole state, once the frontend has closed its end. How many bytes, or -errno. */
static ssize_t receive(struct device *dev, uint8_t *to, size_t room_bytes)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = read(dev->transfer.fd, to + done, room_bytes - done);
		done += n > 0 ? (size_t)n : 0;
	} while (n > 0 && done < room_bytes);
	if (n == 0)
		return (ssize_t)done;
	LOG_ERR("%s: CHECK_DEVICE_STATE: %s", dev->ifname,
		n > 0 ? "more bytes than a state has" :
			"the frontend has not closed its end of the pipe");
	return -EINVAL;
}

static bool load(struct device *dev)
{
	uint8_t bytes[STATE_BYTES_MAX + 1];
	ssize_t size;

	if (device_is_busy(dev)) {
		LOG_ERR("%s: CHECK_DEVICE_STATE: queues were started before the state was loaded",
			dev->ifname);
		return false;
	}
	size = receive(dev, bytes, sizeof(bytes));
	return size >= 0 && state_load(dev, bytes, (size_t)size) == 0;
}

int vhu_check_device_state(struct vhu_call *call)
{
	struct device *dev = call->dev;

	if (dev->transfer.fd >= 0) {
		dev->transfer.good = load(dev);
		fd_close(&dev->transfer.fd);
	}
	call->out->u64 = dev->transfer.good ? 0 : VHU_STATE_ERROR;
	call->out_bytes = sizeof(call->out->u64);
	return 0;
}
