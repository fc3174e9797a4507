/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dispatcher: everything that a line of the table promises a handler is
 * checked here and nowhere else. A frontend is hostile until proven otherwise;
 * `msg` is our private copy.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend.h"
#include "dispatch.h"
#include "extern.h"

static int check_shape(struct device *dev, const struct vhu_spec *spec, const struct vhu_msg *msg,
		       const struct fdbag *fds)
{
	uint32_t size = msg->hdr.size_bytes;
	uint64_t missing = spec->needs_protocol & ~dev->protocol_features;

	if (size < spec->size_min_bytes || size > spec->size_max_bytes ||
	    (spec->size_either && size != spec->size_min_bytes && size != spec->size_max_bytes)) {
		LOG_ERR("%s: %s: payload of %u bytes, expected %u %s %u", dev->ifname, spec->name,
		    size, spec->size_min_bytes, spec->size_either ? "or" : "to",
		    spec->size_max_bytes);
		return -EINVAL;
	}
	if (fds->count < spec->fds_min || fds->count > spec->fds_max) {
		LOG_ERR("%s: %s: came with %u descriptors, expected %u to %u%s", dev->ifname,
		    spec->name, fds->count, spec->fds_min, spec->fds_max,
		    spec->handle == vhu_swap_memory && fds->count == 0 ?
			    "; guest memory must be shared: start QEMU with share=on" :
			    "");
		return -EINVAL;
	}
	if (missing != 0) {
		LOG_ERR("%s: %s: needs protocol features 0x%" PRIx64 ", not negotiated",
		    dev->ifname, spec->name, missing);
		return -EPROTO;
	}
	if (spec->validate != NULL && spec->validate(&msg->payload, size, fds->count) < 0) {
		LOG_ERR("%s: %s: payload out of range", dev->ifname, spec->name);
		return -EINVAL;
	}
	return 0;
}

static uint32_t queue_index(const struct vhu_spec *spec, const union vhu_payload *in)
{
	switch ((enum vhu_index)spec->index) {
	case VHU_INDEX_STATE:
		return in->state.index;
	case VHU_INDEX_ADDR:
		return in->addr.index;
	case VHU_INDEX_U64:
		return (uint32_t)(in->u64 & VHU_VRING_INDEX_MASK);
	case VHU_INDEX_NONE:
		break;
	}
	return 0;
}

/* The queue a message names, made on its first mention. */
static int find_queue(struct vhu_call *call, const struct vhu_spec *spec)
{
	struct device *dev = call->dev;
	uint32_t index, limit = MIN2(dev->config->max_queue_pairs * 2, dev->limits.queues_max);

	if (spec->index == VHU_INDEX_NONE)
		return 0;
	index = queue_index(spec, call->in);
	if (index >= MIN2(limit, (uint32_t)DEVICE_VQS_MAX)) {
		LOG_ERR("%s: %s: queue %u, there are %u", dev->ifname, spec->name, index, limit);
		return -EINVAL;
	}
	call->vq = device_vq_make(dev, index);
	return call->vq != NULL ? 0 : -ENOMEM;
}

static int check_conditions(const struct vhu_call *call, const struct vhu_spec *spec)
{
	struct device *dev = call->dev;
	const struct device_postcopy *pc = &dev->postcopy;
	const struct {
		uint16_t condition;
		bool holds;
		const char *else_say;
	} states[] = {
		{ VHU_NEEDS_MEMORY, dev->mem != NULL, "before SET_MEM_TABLE" },
		{ VHU_NEEDS_IOMMU, dev->iotlb != NULL,
		  "without VIRTIO_F_ACCESS_PLATFORM; register with "
		  "RTE_VHOST_USER_IOMMU_SUPPORT and start QEMU with iommu_platform=on" },
		{ VHU_NEEDS_ADVISE, pc->uffd >= 0, "before POSTCOPY_ADVISE" },
		{ VHU_NEEDS_NO_LISTEN, !pc->listening,
		  "after POSTCOPY_LISTEN; send POSTCOPY_END first" },
		{ VHU_NEEDS_NO_MEMORY, dev->mem == NULL || dev->mem->nr_regions == 0,
		  "after SET_MEM_TABLE or ADD_MEM_REG: its pages may have been touched" },
		{ VHU_NEEDS_PROPOSAL, pc->proposed != NULL,
		  "without descriptors: no memory waits for it" },
		{ VHU_NEEDS_NO_PROPOSAL, pc->proposed == NULL,
		  "while memory waits for the frontend's answer" },
	};

	if ((spec->conditions & VHU_NEEDS_RING_STOPPED) != 0 && call->vq->started) {
		LOG_ERR("%s: %s: queue %u is running; send GET_VRING_BASE first", dev->ifname,
		    spec->name, call->vq->index);
		return -EBUSY;
	}
	for (unsigned int i = 0; i < ARRAY_LEN(states); i++) {
		if ((spec->conditions & states[i].condition) == 0 || states[i].holds)
			continue;
		LOG_ERR("%s: %s: %s", dev->ifname, spec->name, states[i].else_say);
		return -EPROTO;
	}
	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		if ((spec->conditions & VHU_NEEDS_ALL_STOPPED) == 0 || !dev->vqs[i]->started)
			continue;
		LOG_ERR("%s: %s: queue %u is running; send GET_VRING_BASE first", dev->ifname,
		    spec->name, i);
		return -EBUSY;
	}
	return 0;
}

/* Runs the handler with the gates closed that its line asks for. */
static int run(struct vhu_call *call, const struct vhu_spec *spec)
{
	struct device *dev = call->dev;
	unsigned int closed = dev->nr_vqs;
	int ret;

	if ((spec->conditions & VHU_STOPS_DEVICE) != 0)
		device_stop(dev);
	else if ((spec->conditions & VHU_MOVES_MEMORY) != 0 && call->mem != NULL &&
		 call->mem != dev->mem)
		device_vdpa_close(dev);
	if (spec->scope == VHU_SCOPE_ALL)
		device_gates_close(dev);
	else if (spec->scope == VHU_SCOPE_RING)
		gate_close(&call->vq->gate);

	/* Copies under way are over before anything they need goes. */
	if ((spec->conditions & VHU_PAUSES_CHANNELS) != 0)
		device_pause_channels(dev);
	else if ((spec->conditions & VHU_STOPS_DEVICE) != 0)
		device_settle(dev, spec->scope == VHU_SCOPE_RING ? call->vq : NULL);

	ret = spec->handle(call);
	/* Still closed: a ring that lost its footing must not be entered. */
	device_reconcile_rings(dev);

	if (spec->scope == VHU_SCOPE_ALL)
		device_gates_open(dev, closed);
	else if (spec->scope == VHU_SCOPE_RING)
		vq_gate_open(call->vq);
	return ret;
}

static int handle(struct vhu_call *call, const struct vhu_spec *spec, const struct vhu_msg *msg)
{
	int ret = check_shape(call->dev, spec, msg, call->fds);

	if (ret == 0)
		ret = find_queue(call, spec);
	if (ret == 0)
		ret = check_conditions(call, spec);
	if (ret == 0 && spec->prepare != NULL)
		ret = spec->prepare(call);
	return ret == 0 ? run(call, spec) : ret;
}

static void fill_reply(struct vhu_msg *reply, uint32_t request, uint32_t size)
{
	reply->hdr = (struct vhu_header){
		.request = request, .flags = VHU_VERSION | VHU_FLAG_REPLY, .size_bytes = size
	};
}

/* What became of a message. */
struct outcome {
	int ret;
	bool handled;   /* by anybody */
	bool declined;  /* as in struct vhu_call */
	bool has_reply; /* a body of its own */
};

static void take_verdict(struct outcome *o, enum rte_vhost_msg_result verdict)
{
	switch (verdict) {
	case RTE_VHOST_MSG_RESULT_NOT_HANDLED:
		return;
	case RTE_VHOST_MSG_RESULT_REPLY:
		o->has_reply = true;
		break;
	case RTE_VHOST_MSG_RESULT_OK:
		break;
	default:
		o->ret = -EPROTO;
		break;
	}
	o->handled = true;
}

void vhu_ask_for_queues(struct device *dev)
{
	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = dev->vqs[i];
		struct vhu_asks asks;

		asks.count = vq_misses(vq, asks.list);
		if (asks.count == 0)
			continue;
		pthread_mutex_lock(&dev->backend_lock);
		/* Nobody to ask, or who does not read: another message is the next try. */
		if (vhu_backend_ask(dev, &asks) < 0 && !vring_attached(&vq->ring))
			ring_misses_answered(vq->ring.misses, iova(0), 0);
		pthread_mutex_unlock(&dev->backend_lock);
	}
}

/* The application's first look, the table, the application's second look. */
static struct outcome process(struct device *dev, const struct vhu_spec *spec,
			      const struct vhu_msg *msg, struct fdbag *fds, struct vhu_msg *reply)
{
	const struct rte_vhost_user_extern_ops ops = dev->extern_ops;
	struct vhu_call call = { .dev = dev,
				 .in = &msg->payload,
				 .in_bytes = msg->hdr.size_bytes,
				 .fds = fds,
				 .out = &reply->payload,
				 .out_fd = -1 };
	struct outcome o = { .ret = spec != NULL ? check_shape(dev, spec, msg, fds) : 0 };

	if (o.ret == 0)
		take_verdict(&o, vhu_extern_show(dev, ops.pre_msg_handle, msg, fds, reply));
	if (o.ret == 0 && !o.handled && spec != NULL) {
		o.handled = true;
		o.ret = handle(&call, spec, msg);
		gmem_put(call.mem);
		o.declined = call.declined;
		o.has_reply = spec->reply == VHU_REPLY_BODY;
		reply->hdr.size_bytes = call.out_bytes;
	}
	if (o.ret == 0)
		take_verdict(&o, vhu_extern_show(dev, ops.post_msg_handle,
						 o.has_reply ? reply : msg, fds, reply));
	if (o.ret == 0 && !o.handled) {
		LOG_ERR("%s: request %u is unknown", dev->ifname, msg->hdr.request);
		o.ret = -ENOSYS;
	}
	if (o.ret == 0)
		device_reconcile_start(dev);
	if (dev->iotlb != NULL)
		vhu_ask_for_queues(dev);
	fdbag_close_rest(fds);
	if (o.ret == 0 && call.out_fd >= 0)
		(void)fdbag_put(fds, call.out_fd);
	else
		fd_close(&call.out_fd);
	return o;
}

int vhu_dispatch(struct device *dev, const struct vhu_msg *msg, struct fdbag *fds,
		 struct vhu_msg *reply)
{
	const struct vhu_spec *spec = vhu_line(dev, msg->hdr.request, fds->count);
	struct log_budget *outer = log_scope_enter(&dev->log_budget);
	struct outcome o;
	bool wants_ack;

	device_lock_watched(dev);
	/* As negotiated when the message came, should it change that itself. */
	wants_ack = (msg->hdr.flags & VHU_FLAG_NEED_REPLY) != 0 &&
		    device_has_proto(dev, VHOST_USER_PROTOCOL_F_REPLY_ACK);
	memset(reply, 0, sizeof(*reply));
	fill_reply(reply, msg->hdr.request, 0);
	o = process(dev, spec, msg, fds, reply);
	device_unlock_watched(dev);
	log_scope_leave(outer);

	if (o.has_reply && o.ret == 0)
		return 1;
	/* Whoever waits for a body would take an ack for one. */
	if (wants_ack && (o.ret == 0 || spec == NULL || spec->reply == VHU_REPLY_ACK)) {
		memset(&reply->payload, 0, sizeof(reply->payload));
		reply->payload.u64 = o.ret < 0 || o.declined;
		fill_reply(reply, msg->hdr.request, sizeof(reply->payload.u64));
		return 1;
	}
	return o.ret;
}
