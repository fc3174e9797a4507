/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "extern.h"

/* What a handler sees: the layout of DPDK 22.11 (x86-64), without padding. */
struct extern_msg {
	struct vhu_header hdr;
	uint8_t payload[VHU_EXTERN_BYTES];
	int fds[FDBAG_MAX];
	int nr_fds;
} __attribute__((packed));

_Static_assert(offsetof(struct extern_msg, payload) == 12, "as in DPDK 22.11");
_Static_assert(offsetof(struct extern_msg, fds) == 644, "as in DPDK 22.11");
_Static_assert(offsetof(struct extern_msg, nr_fds) == 676, "as in DPDK 22.11");
_Static_assert(sizeof(struct extern_msg) == 680, "as in DPDK 22.11");
_Static_assert(VHU_PAYLOAD_MAX_BYTES >= VHU_EXTERN_BYTES, "copied from and to");

enum rte_vhost_msg_result vhu_extern_show(struct device *dev, rte_vhost_msg_handle handler,
					  const struct vhu_msg *msg, struct fdbag *fds,
					  struct vhu_msg *reply)
{
	enum rte_vhost_msg_result result;
	struct extern_msg shown;

	/* Nobody is told of bytes that are not there. */
	if (handler == NULL || msg->hdr.size_bytes > VHU_EXTERN_BYTES)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	shown.hdr = msg->hdr;
	shown.nr_fds = (int)fds->count;
	memcpy(shown.payload, &msg->payload, sizeof(shown.payload));
	for (unsigned int i = 0; i < FDBAG_MAX; i++)
		shown.fds[i] = i < fds->count ? fds->fds[i] : -1;

	device_unlock(dev);
	result = handler(dev->vid, &shown);
	pthread_mutex_lock(&dev->lock);

	for (unsigned int i = 0; i < fds->count; i++)
		if (shown.fds[i] < 0)
			fds->fds[i] = -1;
	if (result == RTE_VHOST_MSG_RESULT_REPLY) {
		reply->hdr.size_bytes = MIN2(shown.hdr.size_bytes, VHU_EXTERN_BYTES);
		memcpy(&reply->payload, shown.payload, sizeof(shown.payload));
	}
	/* There may have been keys in it. */
	explicit_bzero(&shown, sizeof(shown));
	return result;
}
