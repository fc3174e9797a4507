/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data path and what else happens inside a queue's gate.
 */
#include <errno.h>

#include "net/net.h"

/* Enters the gate of a queue if it is ready and sound. */
static bool enter(struct vq *vq) TRY_ACQUIRE(true, vq->gate)
{
	if (vq == NULL || !gate_enter(&vq->gate))
		return false;
	if (vq->ring.fault == RING_FAULT_NONE)
		return true;
	gate_exit(&vq->gate);
	return false;
}

static bool is_net(const struct vq *vq)
{
	return vq->dev->config->backend == &net_backend;
}

uint16_t rte_vhost_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
				 uint16_t count)
{
	struct vq *vq = device_vq(vid, queue_id);
	uint16_t n = 0;

	/* Even queues are the ones that the guest receives on. */
	if (unlikely(vq == NULL || (queue_id & 1) != 0 || count == 0 || !gate_enter(&vq->gate)))
		return 0;
	if (likely(vq->ring.fault == RING_FAULT_NONE && is_net(vq)))
		n = net_enqueue(vq, pkts, count);
	gate_exit(&vq->gate);
	return n;
}

uint16_t rte_vhost_dequeue_burst(int vid, uint16_t queue_id, struct rte_mempool *mbuf_pool,
				 struct rte_mbuf **pkts, uint16_t count)
{
	struct vq *vq = device_vq(vid, queue_id);
	uint16_t n = 0;

	/* Another thread polls this queue: it will find what there is. */
	if (unlikely(vq == NULL || (queue_id & 1) == 0 || count == 0 || !gate_try_enter(&vq->gate)))
		return 0;
	if (likely(vq->ring.fault == RING_FAULT_NONE && is_net(vq)))
		n = net_dequeue(vq, mbuf_pool, pkts, count);
	gate_exit(&vq->gate);
	return n;
}

/* Chains that the guest offers beyond `position`. */
static uint16_t waiting(const struct vq *vq, uint16_t position) REQUIRES(vq->gate)
{
	const struct ring *vr = &vq->ring;
	uint16_t idx = shm_load16(GUEST_FIELD(vr->avail, struct vring_avail, idx));
	uint16_t n = (uint16_t)(idx - position);

	return n <= vr->size ? n : 0;
}

uint16_t rte_vhost_avail_entries(int vid, uint16_t queue_id)
{
	struct vq *vq = device_vq(vid, queue_id);
	uint16_t n;

	if (!enter(vq))
		return 0;
	n = waiting(vq, vq->ring.published);
	gate_exit(&vq->gate);
	return n;
}

uint32_t rte_vhost_rx_queue_count(int vid, uint16_t qid)
{
	struct vq *vq = (qid & 1) != 0 ? device_vq(vid, qid) : NULL;
	uint32_t n;

	if (!enter(vq))
		return 0;
	n = waiting(vq, vq->ring.last_avail);
	gate_exit(&vq->gate);
	return n;
}

int rte_vhost_enable_guest_notification(int vid, uint16_t queue_id, int enable)
{
	struct vq *vq = device_vq(vid, queue_id);

	if (vq == NULL)
		return -1;
	/* Remembered: a queue that is not ready yet gets it when it is. */
	__atomic_store_n(&vq->kicks_wanted, enable != 0, __ATOMIC_RELAXED);
	if (gate_enter(&vq->gate)) {
		vq_apply_kicks_wanted(vq);
		gate_exit(&vq->gate);
	}
	return 0;
}

static void call_guest(struct vq *vq) REQUIRES(vq->gate)
{
	struct ring *vr = &vq->ring;

	/* The application fills the used ring itself: look how far it came. */
	if (!is_net(vq))
		vr->published = shm_load16(GUEST_FIELD(vr->used, struct vring_used, idx));
	vq_notify(RING_SPLIT, vq);
}

int rte_vhost_vring_call(int vid, uint16_t vring_idx)
{
	struct vq *vq = device_vq(vid, vring_idx);

	if (!enter(vq))
		return -1;
	call_guest(vq);
	gate_exit(&vq->gate);
	return 0;
}

int rte_vhost_vring_call_nonblock(int vid, uint16_t vring_idx)
{
	struct vq *vq = device_vq(vid, vring_idx);
	bool sound;

	if (vq == NULL)
		return -1;
	if (!gate_try_enter(&vq->gate))
		return gate_is_closed(&vq->gate) ? -1 : -EAGAIN;
	sound = vq->ring.fault == RING_FAULT_NONE;
	if (sound)
		call_guest(vq);
	gate_exit(&vq->gate);
	return sound ? 0 : -1;
}

int rte_vhost_get_monitor_addr(int vid, uint16_t queue_id,
			       struct rte_vhost_power_monitor_cond *pmc)
{
	struct vq *vq = pmc != NULL ? device_vq(vid, queue_id) : NULL;
	uint16_t mask;

	if (!enter(vq))
		return -1;
	mask = (uint16_t)(vq->ring.size - 1);
	/* Sleep while the available index stands where we left it. */
	*pmc = (struct rte_vhost_power_monitor_cond){
		.addr = GUEST_FORCE(void *, GUEST_FIELD(vq->ring.avail, struct vring_avail, idx)),
		.val = vq->ring.last_avail & mask,
		.mask = mask,
		.size = sizeof(uint16_t),
		.match = 0,
	};
	gate_exit(&vq->gate);
	return 0;
}
