/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_vhost_async.h>

#include "channel.h"
#include "net/rarp.h"

/* Where a channel may be made; false: no such queue. */
static bool visit_queue(struct visit *v, int vid, uint16_t queue_id)
{
	struct vq *vq = device_vq(vid, queue_id);

	if (vq == NULL)
		return false;
	visit_enter(v, vq);
	if (visit_is_live(v))
		return true;
	visit_end(v);
	return false;
}

/* With a channel, or the visit is over. */
static bool has_channel(struct visit *v)
{
	if (visit_is_live(v) && v->vq->pending != NULL)
		return true;
	visit_end(v);
	return false;
}

bool visit_begin(struct visit *v, int vid, uint16_t queue_id)
{
	return visit_queue(v, vid, queue_id) && has_channel(v);
}

bool visit_try(struct visit *v, int vid, uint16_t queue_id)
{
	struct vq *vq = device_vq(vid, queue_id);

	return vq != NULL && visit_try_enter(v, vq) && has_channel(v);
}

/* --- making and taking away --------------------------------------------- */

/* The bursts of a queue depend on whether it has a channel. */
static void set_channel(struct vq *vq, struct pending *p)
{
	vq->pending = p;
	if (vq->net.bursts != NULL)
		device_server(vq->dev)->ring_setup(vq->dev, vq);
	if (p != NULL && vq->net.bursts != NULL)
		p->copy = vq->net.bursts->copy;
}

/* Why a queue cannot have a channel; NULL: it can. */
static const char *why_not(const struct vq *vq)
{
	const struct device *dev = vq->dev;

	if ((dev->config->flags & RTE_VHOST_USER_ASYNC_COPY) == 0)
		return "register its socket with RTE_VHOST_USER_ASYNC_COPY";
	if (dev->vdpa != NULL)
		return "a vDPA device serves its rings";
	if (device_server(dev) != &net_backend)
		return "the application serves its rings itself";
	if (vq->pending != NULL)
		return "it has one: unregister that first";
	if (vq->left_behind != NULL)
		return "an engine is still at packets of the guest before this one";
	if (vq->ring.size == 0)
		return "its ring has no size yet: wait for vring_state_changed()";
	return NULL;
}

static int make_channel(struct vq *vq, struct copy_engine *engine)
{
	struct pending *p;
	const char *why;

	/* It may say by now what became of those. */
	if (vq->left_behind != NULL) {
		if (vq->left_behind->engine != NULL)
			(void)vq->left_behind->engine->ops->poll(vq->left_behind->engine);
		if (device_server(vq->dev) == &net_backend)
			net_backend.forget(vq);
	}
	why = why_not(vq);
	if (why != NULL) {
		LOG_ERR("%s: queue %u: no channel: %s", vq->dev->ifname, vq->index, why);
		return -1;
	}
	p = pending_new(vq->ring.size, engine);
	if (p == NULL)
		return -1;
	set_channel(vq, p);
	return 0;
}

int channel_register(int vid, uint16_t queue_id, struct copy_engine *engine)
{
	struct visit v;
	int ret = -1;

	if (visit_queue(&v, vid, queue_id)) {
		ret = make_channel(v.vq, engine);
		visit_end(&v);
	}
	if (ret < 0 && engine != NULL && engine->ops->release != NULL)
		engine->ops->release(engine);
	return ret;
}

static int drop_channel(struct vq *vq)
{
	struct pending *p = vq->pending;

	if (p == NULL)
		return 0;
	if (p->nr_mbufs != 0 || !pending_is_idle(p)) {
		LOG_ERR("%s: queue %u: %u packets are in flight: poll for them, then take the channel "
			"away", vq->dev->ifname, vq->index, p->nr_mbufs);
		return -1;
	}
	set_channel(vq, NULL);
	pending_free(p);
	return 0;
}

int rte_vhost_async_channel_unregister(int vid, uint16_t queue_id)
{
	struct visit v;
	int ret;

	if (!visit_queue(&v, vid, queue_id))
		return -1;
	ret = drop_channel(v.vq);
	visit_end(&v);
	return ret;
}

int rte_vhost_async_channel_unregister_thread_unsafe(int vid, uint16_t queue_id)
{
	return rte_vhost_async_channel_unregister(vid, queue_id);
}

/* An answer of -1 for "not now" would be taken for a number by those who have not met it. */
int rte_vhost_async_get_inflight(int vid, uint16_t queue_id)
{
	struct visit v;
	int n;

	if (!visit_begin(&v, vid, queue_id))
		return -1;
	n = (int)v.vq->pending->nr_mbufs;
	visit_end(&v);
	return n;
}

int rte_vhost_async_get_inflight_thread_unsafe(int vid, uint16_t queue_id)
{
	return rte_vhost_async_get_inflight(vid, queue_id);
}

/* --- packets ------------------------------------------------------------ */

/* What is copied goes to the guest, which is told. */
static void give_back(struct visit *v)
{
	struct vq *vq = v->vq;
	struct ring *vr = &vq->ring;

	if (!pending_is_idle(vq->pending))
		vq->net.bursts->give_back(vq, is_to_guest(vq->index) ? CHAIN_WRITABLE :
								       CHAIN_READABLE);
	if (v->locked != NULL)
		vq_gave_back(vq);
	if (vr->unsignalled == 0 || vq->callfd < 0 || !vring_attached(vr))
		return;
	/* guest_notified() is not called with the device locked. */
	if (v->locked == NULL)
		vq_notify(vr->kind, vq);
	else if (ring_notify_needed(vr->kind, vr))
		(void)vq_call(vq);
}

uint16_t channel_return(struct pending *p, struct rte_mbuf **pkts, uint16_t count)
{
	uint16_t n = 0;

	while (n < count && (pkts[n] = pending_return(p)) != NULL)
		n++;
	return n;
}

static bool can_take(const struct visit *v)
{
	/*
	 * A queue that is off is only emptied, and so is one whose buffers an engine may still
	 * write for packets from before it was stopped: the guest has them on the ring again.
	 */
	return v->locked == NULL && v->vq->ring.fault == RING_FAULT_NONE &&
	       pending_has_ring(v->vq->pending);
}

uint16_t channel_submit(struct visit *v, struct copy_engine *engine, struct rte_mbuf **pkts,
			uint16_t count)
{
	uint16_t n = 0;

	pending_skip_chains(v->vq->pending);
	if (can_take(v))
		n = v->vq->net.bursts->submit(v->vq, engine, pkts, count);
	/* Small packets, and chains that only go back. */
	give_back(v);
	return n;
}

uint16_t channel_collect(struct visit *v, struct copy_engine *engine, struct rte_mbuf **pkts,
			 uint16_t count)
{
	if (!pending_is_idle(v->vq->pending))
		(void)engine->ops->poll(engine);
	give_back(v);
	return channel_return(v->vq->pending, pkts, count);
}

/* Runs of up to BURST_PACKETS, as long as chains are there. */
static void fetch(struct vq *vq, struct copy_engine *engine, struct rte_mempool *pool,
		  uint16_t count)
{
	uint32_t before;

	do {
		uint16_t some = RTE_MIN(count, (uint16_t)BURST_PACKETS);

		before = vq->pending->taken;
		vq->net.bursts->fetch(vq, engine, pool, some);
		count -= some;
	} while (count != 0 && vq->pending->taken - before == BURST_PACKETS);
}

uint16_t channel_dequeue(struct visit *v, struct copy_engine *engine, struct rte_mempool *pool,
			 struct rte_mbuf **pkts, uint16_t count)
{
	uint16_t n = 0;

	if (count == 0)
		return 0;
	if (can_take(v)) {
		if (unlikely(rarp_waits(v->vq->dev)))
			n = rarp_take(v->vq->dev, pool, pkts);
		fetch(v->vq, engine, pool, count - n);
	}
	return n + channel_collect(v, engine, pkts + n, count - n);
}
