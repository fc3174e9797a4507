/* SPDX-License-Identifier: BSD-3-Clause */
/* A frontend without a socket; see session.h. Nothing is untrusted. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <unistd.h>

#include "session.h"

/* Callbacks name a vid only. */
static struct session *sessions[DEVICES_MAX];

static __attribute__((format(printf, 2, 3))) void event(int vid, const char *fmt, ...)
{
	struct session *s = sessions[vid];
	size_t len = strlen(s->events);
	va_list ap;

	if (s->on_callback != NULL)
		s->on_callback(s);
	va_start(ap, fmt);
	if (len != 0)
		len += (size_t)snprintf(s->events + len, sizeof(s->events) - len, " ");
	vsnprintf(s->events + len, sizeof(s->events) - len, fmt, ap);
	va_end(ap);
}

static int on_new_device(int vid)
{
	event(vid, "+dev");
	return sessions[vid]->new_device_returns;
}

static void on_destroy_device(int vid)
{
	event(vid, "-dev");
}

static int on_vring_state_changed(int vid, uint16_t index, int enable)
{
	event(vid, "q%u=%d", index, enable);
	return 0;
}

static int on_features_changed(int vid, uint64_t features)
{
	sessions[vid]->features_in_callback = features;
	event(vid, "features");
	return 0;
}

static void ring_setup(const struct device *dev, struct vq *vq)
{
	assert_true(vring_attached(&vq->ring));
	assert_true(gate_is_closed(&vq->gate));
	sessions[dev->vid]->ring_setups++;
}

static enum chain_dir queue_dir(const struct vq *vq)
{
	return vq->index % 2 != 0 ? CHAIN_READABLE : CHAIN_WRITABLE;
}

/* What sessions are promised: device.lock, all gates closed. */
static bool is_quiet(struct device *dev)
{
	bool quiet = pthread_mutex_trylock(&dev->lock) == EBUSY;

	if (!quiet)
		pthread_mutex_unlock(&dev->lock);
	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		quiet = quiet && gate_is_closed(&dev->vqs[i]->gate);
	return quiet;
}

static int64_t crypto_open(struct device *dev, const struct session_desc *desc)
{
	struct session *s = sessions[dev->vid];

	s->crypto_loud = s->crypto_loud || !is_quiet(dev);
	s->crypto_asked = *desc;
	s->crypto_opens++;
	return s->crypto_id;
}

static int crypto_close(struct device *dev, uint64_t id)
{
	struct session *s = sessions[dev->vid];

	s->crypto_loud = s->crypto_loud || !is_quiet(dev);
	s->crypto_closed = id;
	return s->crypto_close_returns;
}

static const struct device_backend backend = {
	.name = "test",
	.ring_setup = ring_setup,
	.rings_needed = 2,
	.queue_dir = queue_dir,
	.in_pairs = true,
	.session_open = crypto_open,
	.session_close = crypto_close,
};

enum rte_vhost_msg_result session_config_space(int vid, void *msg)
{
	const struct vhu_header *hdr = msg;

	(void)vid;
	switch (hdr->request) {
	case VHU_GET_CONFIG:
		return RTE_VHOST_MSG_RESULT_REPLY;
	case VHU_SET_CONFIG:
		return RTE_VHOST_MSG_RESULT_OK;
	default:
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	}
}

void session_init(struct session *s)
{
	memset(s, 0, sizeof(*s));
	s->config = (struct driver_config){
		.flags = RTE_VHOST_USER_POSTCOPY_SUPPORT,
		.features = SESSION_OFFERED,
		.supported_features = SESSION_OFFERED,
		.protocol_features = SESSION_PROTOCOL_FEATURES,
		.max_queue_pairs = SESSION_QUEUES / 2,
		.ops = { .new_device = on_new_device,
			 .destroy_device = on_destroy_device,
			 .vring_state_changed = on_vring_state_changed,
			 .features_changed = on_features_changed },
		.backend = &backend,
	};
	s->reply_fd = -1;
	s->crypto_id = 1;
	s->extern_ops.pre_msg_handle = session_config_space;
}

void session_open(struct session *s)
{
	static const struct guest_region_spec specs[] = {
		{ .gpa = 0, .size_bytes = 1 << 20 },
		{ .gpa = 1 << 20, .size_bytes = 1 << 20, .mmap_offset_bytes = 4096 },
	};

	if (s->iommu) {
		s->config.flags |= RTE_VHOST_USER_IOMMU_SUPPORT;
		s->config.features |= BIT(VIRTIO_F_ACCESS_PLATFORM);
		s->more_features |= BIT(VIRTIO_F_ACCESS_PLATFORM);
	}
	assert_int_equal(guest_memory_create(&s->mem, specs, ARRAY_LEN(specs)), 0);
	for (unsigned int i = 0; i < SESSION_QUEUES; i++)
		assert_int_equal(guest_ring_init(&s->vqs[i], &guest_split, &s->mem, SESSION_RING_ENTRIES), 0);
	s->dev = device_acquire(&s->config, "session");
	assert_non_null(s->dev);
	sessions[s->dev->vid] = s;
	s->dev->extern_ops = s->extern_ops;
}

void session_close(struct session *s)
{
	device_shutdown(s->dev);
	device_release(s->dev);
	sessions[s->dev->vid] = NULL;
	s->dev = NULL;
	fd_close(&s->reply_fd);
	for (unsigned int i = 0; i < SESSION_QUEUES; i++)
		guest_ring_fini(&s->vqs[i]);
	guest_memory_destroy(&s->mem);
}

int session_send(struct session *s, uint32_t request, const void *payload, uint32_t size_bytes,
		 const int *fds, unsigned int nr_fds)
{
	const struct vhu_spec *spec = vhu_line(s->dev, request, nr_fds);
	bool acks = s->need_reply && device_has_proto(s->dev, VHOST_USER_PROTOCOL_F_REPLY_ACK);
	struct vhu_msg msg = { .hdr = { .request = request,
					.flags = VHU_VERSION,
					.size_bytes = size_bytes } };
	struct fdbag bag;
	int ret;

	fdbag_init(&bag);
	for (unsigned int i = 0; i < nr_fds; i++) {
		int copy = dup(fds[i]);

		assert_true(copy >= 0);
		assert_true(fdbag_put(&bag, copy));
	}
	assert_true(size_bytes <= sizeof(msg.payload));
	if (size_bytes != 0)
		memcpy(&msg.payload, payload, size_bytes);
	if (s->need_reply)
		msg.hdr.flags |= VHU_FLAG_NEED_REPLY;
	memset(&s->reply, 0xee, sizeof(s->reply));

	ret = vhu_dispatch(s->dev, &msg, &bag, &s->reply);
	/* What goes with a reply is a frontend's to close. */
	assert_true(bag.count == 0 || (ret == 1 && bag.count == 1));
	if (bag.count != 0) {
		fd_close(&s->reply_fd);
		s->reply_fd = fdbag_take(&bag, 0);
	}
	if (ret <= 0)
		return ret;
	assert_int_equal(ret, 1);
	assert_int_equal(s->reply.hdr.request, request);
	assert_int_equal(s->reply.hdr.flags, VHU_VERSION | VHU_FLAG_REPLY);
	if (spec != NULL && spec->reply == VHU_REPLY_BODY)
		return 0;
	/* An answer nobody asked for would be taken for the next one. */
	assert_true(acks);
	assert_int_equal(s->reply.hdr.size_bytes, sizeof(uint64_t));
	assert_in_range(s->reply.payload.u64, 0, 1);
	return (int)s->reply.payload.u64;
}

int session_empty(struct session *s, uint32_t request)
{
	return session_send(s, request, NULL, 0, NULL, 0);
}

int session_u64(struct session *s, uint32_t request, uint64_t value)
{
	return session_send(s, request, &value, sizeof(value), NULL, 0);
}

int session_state(struct session *s, uint32_t request, uint32_t index, uint32_t num)
{
	struct vhu_vring_state state = { .index = index, .num = num };

	return session_send(s, request, &state, sizeof(state), NULL, 0);
}

int session_fd(struct session *s, uint32_t request, uint32_t index, int fd)
{
	uint64_t value = index | (fd < 0 ? VHU_VRING_NOFD : 0);

	return session_send(s, request, &value, sizeof(value), &fd, fd >= 0);
}

struct vhu_vring_addr session_addr_of(const struct session *s, uint32_t index)
{
	const struct guest_ring *vq = &s->vqs[index];

	if (s->iommu)
		return (struct vhu_vring_addr){ .index = index,
						.desc = vq->desc_gpa,
						.avail = vq->avail_gpa,
						.used = vq->used_gpa };
	return (struct vhu_vring_addr){ .index = index,
					.desc = guest_uva(&s->mem, vq->desc_gpa),
					.avail = guest_uva(&s->mem, vq->avail_gpa),
					.used = guest_uva(&s->mem, vq->used_gpa) };
}

int session_addr(struct session *s, uint32_t index)
{
	struct vhu_vring_addr addr = session_addr_of(s, index);

	return session_send(s, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

int session_mem_table(struct session *s, const struct guest_memory *mem)
{
	struct vhu_mem_table table = { .nr_regions = mem->nregions };
	int fds[VHU_REGIONS_MAX];

	assert_true(mem->nregions <= VHU_REGIONS_MAX);
	for (unsigned int i = 0; i < mem->nregions; i++) {
		table.regions[i] = (struct vhu_region){
			.gpa = mem->regions[i].gpa,
			.size_bytes = mem->regions[i].size_bytes,
			.uva = mem->regions[i].uva,
			.mmap_offset_bytes = mem->regions[i].mmap_offset_bytes,
		};
		fds[i] = mem->regions[i].fd;
	}
	return session_send(s, VHU_SET_MEM_TABLE, &table,
			    (uint32_t)(8 + mem->nregions * sizeof(struct vhu_region)), fds,
			    mem->nregions);
}

int session_iotlb(struct session *s, uint8_t type, uint64_t at, uint64_t size_bytes, uint64_t to,
		  uint8_t access)
{
	const struct vhu_iotlb msg = {
		.iova = at, .size_bytes = size_bytes, .uva = to, .access = access, .type = type
	};
	int ret = session_send(s, VHU_IOTLB_MSG, &msg, sizeof(msg), NULL, 0);

	return ret < 0 ? ret : (int)s->reply.payload.u64;
}

int session_mem_reg(struct session *s, uint32_t request, const struct vhu_region *region, int fd)
{
	struct vhu_mem_reg reg = { .padding = 0xabcd, .region = *region };

	return session_send(s, request, &reg, sizeof(reg), &fd, fd >= 0);
}

void session_negotiate(struct session *s)
{
	assert_int_equal(session_empty(s, VHU_SET_OWNER), 0);
	assert_int_equal(session_u64(s, VHU_SET_PROTOCOL_FEATURES,
				     s->config.protocol_features & ~s->without_protocol),
			 0);
	assert_int_equal(session_u64(s, VHU_SET_FEATURES, SESSION_FEATURES | s->more_features), 0);
	/* Status is negotiated with the rest: the device waits for DRIVER_OK. */
	if (device_has_proto(s->dev, VHOST_USER_PROTOCOL_F_STATUS))
		assert_int_equal(session_u64(s, VHU_SET_STATUS, VIRTIO_CONFIG_S_DRIVER_OK), 0);
}

void session_memory(struct session *s)
{
	const struct guest_region *r = s->mem.regions;

	assert_int_equal(session_mem_table(s, &s->mem), 0);
	for (unsigned int i = 0; s->iommu && i < s->mem.nregions; i++, r++)
		assert_int_equal(session_iotlb(s, VHU_IOTLB_UPDATE, r->gpa, r->size_bytes, r->uva,
					       IOTLB_READ | IOTLB_WRITE), 0);
}

void session_ring(struct session *s, uint32_t index)
{
	const struct guest_ring *vq = &s->vqs[index];

	assert_int_equal(session_state(s, VHU_SET_VRING_NUM, index, vq->size), 0);
	assert_int_equal(session_state(s, VHU_SET_VRING_BASE, index, vq->avail_idx), 0);
	assert_int_equal(session_addr(s, index), 0);
	assert_int_equal(session_fd(s, VHU_SET_VRING_ERR, index, vq->errfd), 0);
	assert_int_equal(session_fd(s, VHU_SET_VRING_KICK, index, vq->kickfd), 0);
	assert_int_equal(session_fd(s, VHU_SET_VRING_CALL, index, vq->callfd), 0);
}

void session_enable(struct session *s, uint32_t index, bool enable)
{
	assert_int_equal(session_state(s, VHU_SET_VRING_ENABLE, index, enable), 0);
}

void session_setup(struct session *s, unsigned int nr_queues)
{
	session_negotiate(s);
	session_memory(s);
	for (unsigned int i = 0; i < nr_queues; i++)
		session_ring(s, i);
	for (unsigned int i = 0; i < nr_queues; i++)
		session_enable(s, i, true);
}

const char *session_events(struct session *s)
{
	static char seen[sizeof(s->events)];

	memcpy(seen, s->events, sizeof(seen));
	s->events[0] = '\0';
	return seen;
}

struct vq *session_vq(const struct session *s, unsigned int index)
{
	assert_true(index < s->dev->nr_vqs);
	return s->dev->vqs[index];
}
