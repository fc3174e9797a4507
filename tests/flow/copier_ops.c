/* SPDX-License-Identifier: BSD-3-Clause */
/* An engine of the guide's functions copies, see ops.h and copier.h. */
#include "copier.h"

#include <rte_debug.h>
#include <rte_vhost.h>
#include <rte_vhost_async.h>

#include "engine.h"
#include "flow.h"
#include "ops.h"

const bool copier_is_cpu = false;
const uint64_t copier_driver_flags = RTE_VHOST_USER_ASYNC_COPY;
uint64_t ops_packets, ops_in_flight;

void
copier_attach(int vid)
{
	for (uint16_t queue_id = 0; queue_id < 2; queue_id++)
		if (rte_vhost_async_channel_register(vid, queue_id, engine_config(0),
						     ops_of(queue_id)) != 0)
			rte_panic("queue %u does not get a channel\n", queue_id);
}

struct collection {
	int vid;
	uint16_t queue_id;
	struct rte_mbuf **pkts;
	unsigned got, count;
};

static bool
collected(void *arg)
{
	struct collection *c = arg;

	/* Of both kinds of queue, this starts nothing. */
	while (c->got < c->count) {
		unsigned n = rte_vhost_clear_queue(c->vid, c->queue_id, c->pkts + c->got,
						   (uint16_t)(c->count - c->got));

		if (n == 0)
			return false;
		c->got += n;
	}
	return true;
}

static void
collect(int vid, uint16_t queue_id, struct rte_mbuf **pkts, unsigned count, unsigned got)
{
	struct collection c = {
		.vid = vid, .queue_id = queue_id, .pkts = pkts, .got = got, .count = count,
	};

	if (count == 0)
		return;
	ops_packets += count;
	ops_in_flight += count - got;
	if (!flow_wait_until(collected, &c, 20000))
		rte_panic("of %u packets in flight %u came back\n", count, c.got);
	if (rte_vhost_async_get_inflight(vid, queue_id) != 0)
		rte_panic("%d packets are in flight, all came back\n",
			  rte_vhost_async_get_inflight(vid, queue_id));
	if (engine_of(queue_id)->wrong != 0)
		rte_panic("the engine was asked for what makes no sense\n");
}

uint16_t
copier_enqueue(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count)
{
	struct rte_mbuf *back[COPIER_BURST];
	uint32_t got = 0;
	uint16_t taken;

	RTE_VERIFY(count <= RTE_DIM(back));
	taken = rte_vhost_submit_enqueue_burst(vid, queue_id, pkts, count, back, &got);
	RTE_VERIFY(got <= taken);
	collect(vid, queue_id, back, taken, got);
	for (uint16_t i = 0; i < taken; i++)
		if (back[i] != pkts[i])
			rte_panic("packet %u of %u came back out of order\n", i, taken);
	return taken;
}

uint16_t
copier_dequeue(int vid, uint16_t queue_id, struct rte_mempool *pool, struct rte_mbuf **pkts,
	       uint16_t count)
{
	int inflight = 0;
	unsigned got = rte_vhost_async_try_dequeue_burst(vid, queue_id, pool, pkts, count,
							 &inflight);
	unsigned all = got + (inflight > 0 ? (unsigned)inflight : 0);

	RTE_VERIFY(all <= count);
	collect(vid, queue_id, pkts, all, got);
	return (uint16_t)all;
}
