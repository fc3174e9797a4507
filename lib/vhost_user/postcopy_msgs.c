/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of a postcopy migration to here (vhost-user, "Migration"), and the
 * steps in which memory is agreed on meanwhile. What they mean for the device is
 * in device/postcopy.c.
 */
#include <errno.h>

#include "table.h"

/*
 * The answer is the descriptor. One that we cannot have is not the end of the
 * connection: an answer without it makes the frontend give up the migration.
 */
int vhu_postcopy_advise(struct vhu_call *call)
{
	struct device *dev = call->dev;
	int fd = -1;

	/* What keeps a page that never comes from stopping others looks at the flag, too. */
	if ((dev->config->flags & RTE_VHOST_USER_POSTCOPY_SUPPORT) == 0)
		LOG_ERR("%s: POSTCOPY_ADVISE: PAGEFAULT is offered, but the socket was registered "
			"without RTE_VHOST_USER_POSTCOPY_SUPPORT", dev->ifname);
	else
		fd = device_postcopy_advise(dev);
	if (fd >= 0)
		call->out_fd = fd;
	call->out_bytes = 0;
	return 0;
}

int vhu_postcopy_listen(struct vhu_call *call)
{
	return device_postcopy_listen(call->dev);
}

/* Answers whether there was anything to end. */
int vhu_postcopy_end(struct vhu_call *call)
{
	struct device *dev = call->dev;
	bool advised = dev->postcopy.uffd >= 0;

	if (!advised)
		LOG_ERR("%s: POSTCOPY_END: before POSTCOPY_ADVISE", dev->ifname);
	device_postcopy_end(dev);
	call->out->u64 = !advised;
	call->out_bytes = sizeof(call->out->u64);
	return 0;
}

/* Where a region of the proposed table is mapped. It holds all that the message named. */
static uint64_t address_of(const struct gmem *mem, const struct vhu_region *named)
{
	uint64_t at = 0;

	for (unsigned int i = 0; i < mem->nr_regions; i++)
		if (mem->regions[i]->gpa.v == named->gpa)
			at = (uintptr_t)mem->regions[i]->host;
	return at;
}

static void offer(struct vhu_call *call)
{
	device_postcopy_propose(call->dev, call->mem);
	call->mem = NULL;
	call->out_bytes = call->in_bytes;
}

int vhu_offer_mem_table(struct vhu_call *call)
{
	struct vhu_mem_table *out = &call->out->mem;

	*out = call->in->mem;
	for (unsigned int i = 0; i < out->nr_regions; i++)
		out->regions[i].uva = address_of(call->mem, &out->regions[i]);
	offer(call);
	return 0;
}

int vhu_offer_mem_reg(struct vhu_call *call)
{
	struct vhu_region *out = &call->out->reg.region;

	call->out->reg = call->in->reg;
	out->uva = address_of(call->mem, out);
	offer(call);
	return 0;
}

/* Older frontends say nothing, newer ones that all is well. */
int vhu_valid_mem_ack(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds)
{
	(void)nr_fds;
	return (in_bytes == 0 || in_bytes == sizeof(in->u64)) && in->u64 == 0 ? 0 : -EINVAL;
}

int vhu_take_proposal(struct vhu_call *call)
{
	int ret;

	/* At no time in neither place: the watch looks at both. */
	call->mem = gmem_get(call->dev->postcopy.proposed);
	ret = vhu_swap_memory(call);
	device_postcopy_propose(call->dev, NULL);
	return ret;
}
