/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IOTLB_MSG: what the frontend says about a vIOMMU. What it is asked for is sent
 * by backend.c.
 */
#include <errno.h>
#include <inttypes.h>

#include "table.h"

int vhu_valid_iotlb(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	const struct vhu_iotlb *msg = &in->iotlb;

	(void)in_bytes;
	(void)nr_fds;
	if (msg->type == VHU_IOTLB_UPDATE)
		return msg->access == 0 || (msg->access & ~(IOTLB_READ | IOTLB_WRITE)) != 0 ?
			       -EINVAL :
			       0;
	return msg->type == VHU_IOTLB_INVALIDATE ? 0 : -EINVAL;
}

static int update(struct device *dev, const struct vhu_iotlb *msg)
{
	const struct iotlb_entry entry = { .iova = iova(msg->iova),
					   .size_bytes = msg->size_bytes,
					   .uva = uva(msg->uva),
					   .access = msg->access };
	int ret = iotlb_update(dev->iotlb, dev->mem, &entry);

	if (ret < 0)
		LOG_ERR("%s: IOTLB_MSG: 0x%" PRIx64 " cannot be 0x%" PRIx64 " (0x%" PRIx64
			" bytes): %s",
			dev->ifname, msg->iova, msg->uva, msg->size_bytes,
			ret == -EFAULT ? "that is not inside one region of its memory" :
					 "that is no range");
	return ret;
}

/* The next tables, while the queues still use the ones there are. */
int vhu_prepare_iotlb(struct vhu_call *call)
{
	const struct vhu_iotlb *msg = &call->in->iotlb;
	int ret = 0;

	if (msg->type == VHU_IOTLB_UPDATE)
		ret = update(call->dev, msg);
	else
		iotlb_invalidate(call->dev->iotlb, iova(msg->iova), msg->size_bytes);
	/* A failure is an answer (specification, IOTLB_MSG), not the end of the session. */
	call->out->u64 = ret < 0;
	call->out_bytes = sizeof(call->out->u64);
	return 0;
}

/* No queue uses what was; the answer says so to the frontend. */
int vhu_iotlb(struct vhu_call *call)
{
	const struct vhu_iotlb *msg = &call->in->iotlb;

	if (call->out->u64 == 0)
		device_iotlb_exchange(call->dev, iova(msg->iova), msg->size_bytes);
	return 0;
}
