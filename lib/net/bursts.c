/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bursts, instantiated from their templates for each ring format. Compiled
 * once for each instruction set (base/isa.h).
 */
#include "async.h"
#include "base/isa.h"
#include "bursts.h"
#include "dequeue.h"
#include "enqueue.h"

/* While packets are pending, others may not overtake them. */
static ALWAYS_INLINE bool must_wait(const struct vq *vq)
{
	return !pending_is_idle(vq->pending);
}

/* A format's functions: `kind` is its constant, `format` its name. */
#define BURSTS(kind, format)                                                                     \
	static uint16_t dequeue_##format(struct vq *vq, struct rte_mempool *pool,                \
					 struct rte_mbuf **pkts, uint16_t count)                 \
	{                                                                                        \
		return dequeue_burst(kind, vq, pool, pkts, count);                               \
	}                                                                                        \
	static uint16_t enqueue_##format(struct vq *vq, struct rte_mbuf **pkts, uint16_t count)  \
	{                                                                                        \
		return enqueue_burst(kind, vq, pkts, count);                                     \
	}                                                                                        \
	static uint16_t dequeue_behind_##format(struct vq *vq, struct rte_mempool *pool,         \
						struct rte_mbuf **pkts, uint16_t count)          \
	{                                                                                        \
		return must_wait(vq) ? 0 : dequeue_##format(vq, pool, pkts, count);              \
	}                                                                                        \
	static uint16_t enqueue_behind_##format(struct vq *vq, struct rte_mbuf **pkts,           \
						uint16_t count)                                  \
	{                                                                                        \
		return must_wait(vq) ? 0 : enqueue_##format(vq, pkts, count);                    \
	}                                                                                        \
	static uint16_t submit_##format(struct vq *vq, struct copy_engine *engine,               \
					struct rte_mbuf **pkts, uint16_t count)                  \
	{                                                                                        \
		return submit_burst(kind, vq, engine, pkts, count);                              \
	}                                                                                        \
	static void fetch_##format(struct vq *vq, struct copy_engine *engine,                    \
				   struct rte_mempool *pool, uint16_t count)                     \
	{                                                                                        \
		fetch_burst(kind, vq, engine, pool, count);                                      \
	}                                                                                        \
	static void give_back_##format(struct vq *vq, enum chain_dir dir)                        \
	{                                                                                        \
		give_back(kind, vq, dir);                                                        \
	}

BURSTS(RING_SPLIT, split)
BURSTS(RING_PACKED, packed)

#define SYNC(format) { .dequeue = dequeue_##format, .enqueue = enqueue_##format }
#define ASYNC(format)                                                                        \
	{ .dequeue = dequeue_behind_##format, .enqueue = enqueue_behind_##format,            \
	  .submit = submit_##format, .fetch = fetch_##format, .give_back = give_back_##format, \
	  .copy = copy_segs }

/* Without a channel, and with one. */
const struct net_bursts ISA_NAME(net_bursts)[RING_KINDS][2] = {
	[RING_SPLIT] = { SYNC(split), ASYNC(split) },
	[RING_PACKED] = { SYNC(packed), ASYNC(packed) },
};
