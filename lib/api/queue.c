/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data path and what else happens inside a queue's gate.
 */
#include <errno.h>

#include "net/net.h"
#include "net/rarp.h"
#include "vhost_user/backend.h"

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

/* The same of one that no vDPA device serves: how far that is nobody here knows. */
static bool enter_ours(struct vq *vq) TRY_ACQUIRE(true, vq->gate)
{
	if (!enter(vq))
		return false;
	if (vq->dev->vdpa == NULL)
		return true;
	gate_exit(&vq->gate);
	return false;
}

/* Under a vIOMMU: leaves the gate, then asks for what the burst missed. */
static COLD void leave_and_ask(struct vq *vq) RELEASE(vq->gate)
{
	struct device *dev = vq->dev;
	struct vhu_asks asks;

	if (!vq->ring.misses->news) {
		gate_exit(&vq->gate);
		return;
	}
	/*
	 * Before leaving, so that it is the frontend of this guest that is asked.
	 * Nobody waits with it: there may be no other burst before the answer.
	 */
	pthread_mutex_lock(&dev->backend_lock);
	asks.count = ring_misses_take(vq->ring.misses, asks.list);
	vq->stats.iotlb_misses += asks.count;
	gate_exit(&vq->gate);
	(void)vhu_backend_ask(dev, &asks);
	pthread_mutex_unlock(&dev->backend_lock);
}

/* After a burst. */
static ALWAYS_INLINE void leave(struct vq *vq) RELEASE(vq->gate)
{
	if (likely(vq->ring.misses == NULL))
		gate_exit(&vq->gate);
	else
		leave_and_ask(vq);
}

static bool is_net(const struct vq *vq)
{
	return vq->net.bursts != NULL;
}

uint16_t rte_vhost_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
				 uint16_t count)
{
	struct vq *vq = device_vq(vid, queue_id);
	uint16_t n = 0;

	/* Even queues are the ones that the guest receives on. */
	if (unlikely(vq == NULL || (queue_id & 1) != 0 || count == 0 || !gate_enter(&vq->gate)))
		return 0;
	if (likely(vq->ring.fault == RING_FAULT_NONE && is_net(vq))) {
		if (unlikely(vq->ring.misses != NULL))
			ring_look_ahead(&vq->ring, CHAIN_WRITABLE);
		n = vq->net.bursts->enqueue(vq, pkts, count);
	}
	leave(vq);
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
	if (likely(vq->ring.fault == RING_FAULT_NONE && is_net(vq))) {
		if (unlikely(rarp_waits(vq->dev)))
			n = rarp_take(vq->dev, mbuf_pool, pkts);
		if (unlikely(vq->ring.misses != NULL))
			ring_look_ahead(&vq->ring, CHAIN_READABLE);
		n += vq->net.bursts->dequeue(vq, mbuf_pool, pkts + n, count - n);
	}
	leave(vq);
	return n;
}

uint16_t rte_vhost_avail_entries(int vid, uint16_t queue_id)
{
	struct vq *vq = device_vq(vid, queue_id);
	uint16_t n;

	if (!enter_ours(vq))
		return 0;
	n = (uint16_t)ring_waiting(vq->ring.kind, &vq->ring, vq->ring.published);
	gate_exit(&vq->gate);
	return n;
}

uint32_t rte_vhost_rx_queue_count(int vid, uint16_t qid)
{
	struct vq *vq = (qid & 1) != 0 ? device_vq(vid, qid) : NULL;
	uint32_t n;

	if (!enter_ours(vq))
		return 0;
	n = ring_waiting(vq->ring.kind, &vq->ring, vq->ring.last_avail);
	gate_exit(&vq->gate);
	return n;
}

int rte_vhost_enable_guest_notification(int vid, uint16_t queue_id, int enable)
{
	struct vq *vq = device_vq(vid, queue_id);

	if (vq == NULL)
		return -1;
	/* Remembered: a queue that is not ready yet, or held, gets it when it is. */
	__atomic_store_n(&vq->kicks_wanted, enable != 0, __ATOMIC_SEQ_CST);
	if (gate_enter(&vq->gate)) {
		vq_apply_kicks_wanted(vq);
		gate_exit(&vq->gate);
	}
	return 0;
}

static void call_guest(struct vq *vq) REQUIRES(vq->gate)
{
	struct ring *vr = &vq->ring;

	/* The application fills the ring itself: look how far it came. */
	if (!is_net(vq) && vr->kind == RING_SPLIT) {
		uint16_t used = shm_load16(GUEST_FIELD(vr->used, struct vring_used, idx));

		vr->unsignalled += (uint16_t)(used - vr->published);
		vr->published = used;
	} else if (!is_net(vq)) {
		vr->signalled_valid = false; /* a packed ring does not tell */
	}
	vq_notify(vr->kind, vq);
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

/* Where to look, and what is there as long as there is nothing to do. */
static struct rte_vhost_power_monitor_cond monitor_cond(const struct ring *vr)
{
	if (vr->kind == RING_PACKED)
		/* Wakes when the flags are those of an available descriptor. */
		return (struct rte_vhost_power_monitor_cond){
			.addr = GUEST_FORCE(
				void *, GUEST_FIELD(GUEST_AT(vr->packed, struct vring_packed_desc,
							     vr->last_avail & ~PACKED_WRAP),
						    struct vring_packed_desc, flags)),
			.val = (vr->last_avail & PACKED_WRAP) != 0 ? PACKED_AVAIL : PACKED_USED,
			.mask = PACKED_AVAIL | PACKED_USED,
			.size = sizeof(uint16_t),
			.match = 1,
		};
	/* Sleeps while the available index, all of it, stands where we left it. */
	return (struct rte_vhost_power_monitor_cond){
		.addr = GUEST_FORCE(void *, GUEST_FIELD(vr->avail, struct vring_avail, idx)),
		.val = vr->last_avail,
		.mask = UINT16_MAX,
		.size = sizeof(uint16_t),
		.match = 0,
	};
}

int rte_vhost_get_monitor_addr(int vid, uint16_t queue_id,
			       struct rte_vhost_power_monitor_cond *pmc)
{
	struct vq *vq = pmc != NULL ? device_vq(vid, queue_id) : NULL;

	if (!enter(vq))
		return -1;
	*pmc = monitor_cond(&vq->ring);
	gate_exit(&vq->gate);
	return 0;
}
