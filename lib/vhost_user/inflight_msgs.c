/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages about the in-flight areas (vhost-user specification, "Inflight I/O
 * tracking"): memory that we make, the frontend keeps, and gives to us, or to
 * who comes after us, each time before rings start.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <sys/mman.h>

#include "table.h"

int vhu_valid_inflight(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	const struct vhu_inflight *i = &in->inflight;

	(void)in_bytes;
	(void)nr_fds;
	return i->nr_queues != 0 && i->nr_queues <= DEVICE_VQS_MAX && i->queue_size != 0 &&
			       i->queue_size <= VRING_SIZE_MAX ?
		       0 :
		       -EINVAL;
}

/* Bytes of all areas, should the rings have the format that was negotiated. */
static uint64_t areas_bytes(const struct device *dev, const struct vhu_inflight *i)
{
	enum ring_kind kind = device_has(dev, VIRTIO_F_RING_PACKED) ? RING_PACKED : RING_SPLIT;

	return i->nr_queues * inflight_bytes(kind, i->queue_size);
}

/*
 * Fresh memory, all zero, which means that no ring has used it yet. Nobody can
 * cut it short under us or under who gets it next.
 */
static int make_areas(uint64_t bytes)
{
	int fd = memfd_create("vhost-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int err = errno;

		fd_close(&fd);
		return -err;
	}
	return fd;
}

/* Nothing changes here: the frontend gives it back when rings are to use it. */
int vhu_get_inflight_fd(struct vhu_call *call)
{
	uint64_t bytes = areas_bytes(call->dev, &call->in->inflight);
	int fd = make_areas(bytes);

	if (fd < 0) {
		LOG_ERR("%s: GET_INFLIGHT_FD: no shared memory of %" PRIu64 " bytes (error %d)",
			call->dev->ifname, bytes, -fd);
		return fd;
	}
	call->out->inflight = call->in->inflight;
	call->out->inflight.mmap_size_bytes = bytes;
	call->out->inflight.mmap_offset_bytes = 0;
	call->out_bytes = sizeof(call->out->inflight);
	call->out_fd = fd;
	return 0;
}

int vhu_set_inflight_fd(struct vhu_call *call)
{
	const struct vhu_inflight *in = &call->in->inflight;
	struct device *dev = call->dev;
	struct device_inflight inflight = { .nr_queues = in->nr_queues,
					    .queue_size = in->queue_size };
	struct region_desc desc = { .size_bytes = in->mmap_size_bytes,
				    .mmap_offset_bytes = in->mmap_offset_bytes };
	uint64_t needed = areas_bytes(dev, in);
	int ret;

	if (in->mmap_size_bytes < needed || in->mmap_offset_bytes % sizeof(uint64_t) != 0) {
		LOG_ERR("%s: SET_INFLIGHT_FD: %" PRIu64 " bytes at %" PRIu64
			" of its file; %u queues of %u entries need %" PRIu64,
			dev->ifname, in->mmap_size_bytes, in->mmap_offset_bytes, in->nr_queues,
			in->queue_size, needed);
		return -EINVAL;
	}
	/* As guest memory: checked against its file, mapped shared. */
	ret = region_map(&desc, call->fds->fds[0], 0, NULL, &inflight.areas);
	if (ret < 0) {
		LOG_ERR("%s: SET_INFLIGHT_FD: cannot map its memory (error %d)", dev->ifname, -ret);
		return ret;
	}
	(void)fdbag_take(call->fds, 0);
	device_set_inflight(dev, inflight);
	return 0;
}
