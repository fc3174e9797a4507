/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Both ways of use give the same names to functions with different parameters, so one source
 * file can have only one of them.
 */
#if defined(_RTE_VHOST_ASYNC_H_) && defined(RTE_VHOST_ASYNC_DMADEV) && \
	defined(RTE_VHOST_ASYNC_OPS_SELECTED)
#error "rte_vhost_async.h: define RTE_VHOST_ASYNC_DMADEV before the first include"
#endif

#ifndef _RTE_VHOST_ASYNC_H_
#define _RTE_VHOST_ASYNC_H_

/**
 * @file
 * Packets copied by an engine (usually a DMA channel) instead of the CPU.
 *
 * Included by applications that registered a socket with #RTE_VHOST_USER_ASYNC_COPY. The engine
 * reads and writes guest memory; the library hands it only ranges it checked against the
 * guest's memory table, and keeps them mapped until the copies are done.
 *
 * There are two ways to bring the engine in, and one of them is chosen per source file:
 * - The default is the guide's: the application hands the library two functions, one that
 *   starts copies and one that says which are done (struct rte_vhost_async_channel_ops).
 *   These functions have symbols of their own, vhost_ng_async_*, because other
 *   libraries have the same names with other parameters.
 * - With RTE_VHOST_ASYNC_DMADEV defined before this header is included: DPDK 22.11's. The
 *   library drives DMA devices of DPDK itself and the application names one in each call.
 *   These have 22.11's symbols, so programs built for 22.11 use them without being built anew.
 *
 * Both may be used in one process, on different queues; a function of one kind at a queue of the
 * other returns 0 or -1.
 *
 * Packets given to rte_vhost_submit_enqueue_burst() belong to the library until they are given
 * back by it or by one of the poll and clear functions, in the order they were given, each once.
 * Packets below a threshold are copied by the CPU: rte_vhost_async_config::async_threshold of an
 * application's own engine, a measured one (docs/guide/library.md) of those that the library has.
 * While packets are in flight on a queue, rte_vhost_enqueue_burst() and rte_vhost_dequeue_burst()
 * do nothing there.
 *
 * An engine must be out of the way before memory and rings change:
 * - When the frontend replaces or removes memory, vring_state_changed(0) is called for each queue
 *   with an engine, and vring_state_changed(1) afterwards. When a queue is stopped,
 *   destroy_device() is called first. Both are the place to collect packets.
 * - Then the library waits for DMA channels and helper cores itself. It does not call an
 *   application's engine for that: what is in flight there keeps its memory mapped, its buffers
 *   are not shown to the guest as used, and its packets are returned when they are polled for.
 * - After destroy_connection() what nobody collected is freed. What an application's engine is
 *   still at is kept, with its memory, until a queue of that number on that device id is given an
 *   engine again; that fails until the old engine has reported those copies.
 *
 * The functions of an engine must not call the library.
 *
 * Classes of thread safety are those of rte_vhost.h; one further is
 * - @b held: like "any"; meant for vring_state_changed() and the other callbacks. (The guide calls
 *   these functions thread-unsafe. Here they lock what they need, like their counterparts.)
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <rte_compat.h>

#ifndef RTE_VHOST_LEAN_INCLUDES
#include <rte_mbuf.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct rte_mbuf;
struct rte_mempool;

#ifndef RTE_VHOST_ASYNC_DMADEV

/** Says which way this source file was given. */
#define RTE_VHOST_ASYNC_OPS_SELECTED 1

/** Features of an engine, for struct rte_vhost_async_config. Source: guide. */
enum {
	/** None. Refused: see #RTE_VHOST_ASYNC_INORDER. */
	RTE_VHOST_ASYNC_FEATURE_UNKNOWN = 0U,
	/** Copies finish in the order they were started. Required. */
	RTE_VHOST_ASYNC_INORDER = (1U << 0),
};

/** One side of a copy: a run of pieces of memory. Source: DPDK 21.08. */
struct rte_vhost_iov_iter {
	size_t offset;		/**< Bytes to skip in the first piece. */
	size_t count;		/**< Bytes in all, after @c offset. */
	struct iovec *iov;	/**< Pieces; virtual addresses. */
	unsigned long nr_segs;	/**< Elements in @c iov. */
};

/** One copy: all bytes of @c src go to @c dst. Both sides have the same number of bytes and of
 *  pieces. Source: DPDK 21.08. */
struct rte_vhost_async_desc {
	struct rte_vhost_iov_iter *src;	/**< From. */
	struct rte_vhost_iov_iter *dst;	/**< To. */
};

/** For engines that finish out of order: names of copies. Source: DPDK 21.08. */
struct rte_vhost_async_status {
	uintptr_t *src_opaque_data;	/**< Names of packets, the library's. */
	uintptr_t *dst_opaque_data;	/**< Names of copies, the engine's. */
};

/** An engine: the application's side. Source: guide. */
struct rte_vhost_async_channel_ops {
	/**
	 * Start copies.
	 *
	 * @param vid
	 *   Device.
	 * @param queue_id
	 *   Queue.
	 * @param descs
	 *   Copies, one per packet; valid during the call only, while the memory they
	 *   point at stays until check_completed_copies() reports them.
	 * @param opaque_data
	 *   Names of the copies; NULL for an engine that finishes in order.
	 * @param count
	 *   Elements in @p descs.
	 * @return
	 *   How many of the first were started; < 0: none, the engine failed.
	 *
	 * Threads: called on the thread that submits, one at a time for one queue.
	 */
	int32_t (*transfer_data)(int vid, uint16_t queue_id, struct rte_vhost_async_desc *descs,
		struct rte_vhost_async_status *opaque_data, uint16_t count);
	/**
	 * Say how many copies finished since the last call.
	 *
	 * @param vid
	 *   Device.
	 * @param queue_id
	 *   Queue.
	 * @param opaque_data
	 *   Where to put the names of finished copies; NULL for an engine that finishes in
	 *   order.
	 * @param max_packets
	 *   Most copies to report; the rest is for the next call.
	 * @return
	 *   Copies finished; < 0: the engine failed.
	 *
	 * Threads: called on the thread that submits, polls or clears, one at a time for one
	 * queue; also on the one that registers, if copies were left by a guest before.
	 */
	int32_t (*check_completed_copies)(int vid, uint16_t queue_id,
		struct rte_vhost_async_status *opaque_data, uint16_t max_packets);
};

/** Facts about an engine. Source: guide; layout of DPDK 21.08. */
struct rte_vhost_async_config {
	uint32_t async_threshold;	/**< Copies of fewer bytes are left to the CPU. 0: none. */
	uint32_t features;		/**< RTE_VHOST_ASYNC_*. */
	uint32_t rsvd[2];		/**< 0. */
};

/**
 * Give a queue an engine, once the queue is enabled.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param config
 *   Facts about the engine.
 * @param ops
 *   The engine; copied.
 * @return
 *   - 0: done.
 *   - -1: no such device or queue, it has an engine, the socket was registered without
 *     #RTE_VHOST_USER_ASYNC_COPY, the engine is not in order, one of @p ops is missing, or
 *     memory ran out.
 *
 * Threads: any. Source: guide.
 */
__rte_experimental
int rte_vhost_async_channel_register(int vid, uint16_t queue_id,
	struct rte_vhost_async_config config, struct rte_vhost_async_channel_ops *ops)
	__asm__("vhost_ng_async_register");

/**
 * rte_vhost_async_channel_register() for use in a callback.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param config
 *   Facts about the engine.
 * @param ops
 *   The engine; copied.
 * @return
 *   As rte_vhost_async_channel_register().
 *
 * Threads: held. Source: guide.
 */
__rte_experimental
int rte_vhost_async_channel_register_thread_unsafe(int vid, uint16_t queue_id,
	struct rte_vhost_async_config config, struct rte_vhost_async_channel_ops *ops)
	__asm__("vhost_ng_async_register_thread_unsafe");

/**
 * Give packets to the guest, copied by the engine. Packets given back in @p comp_pkts and
 * those not taken are the caller's; the others stay the library's until polled for.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue to fill; even.
 * @param pkts
 *   Packets.
 * @param count
 *   Packets in @p pkts.
 * @param[out] comp_pkts
 *   Packets that are finished already; room for @p count.
 * @param[out] comp_count
 *   Packets stored in @p comp_pkts.
 * @return
 *   How many of the first packets were taken, finished ones included; 0 also if there is no
 *   such device or queue, or it has no engine.
 *
 * Threads: queue. Source: guide.
 */
__rte_experimental
uint16_t rte_vhost_submit_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count, struct rte_mbuf **comp_pkts, uint32_t *comp_count)
	__asm__("vhost_ng_async_submit_enqueue_burst");

/**
 * Collect packets whose copies are finished, and show them to the guest.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] pkts
 *   Packets; the caller's from now on.
 * @param count
 *   Room in @p pkts.
 * @return
 *   Packets stored; 0 also if there is no such device or queue, or it has no engine.
 *
 * Threads: queue. Source: guide.
 */
__rte_experimental
uint16_t rte_vhost_poll_enqueue_completed(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count) __asm__("vhost_ng_async_poll_enqueue_completed");

/**
 * Collect packets whose copies are finished, when a queue is being stopped. Call it until
 * rte_vhost_async_get_inflight_thread_unsafe() says 0.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] pkts
 *   Packets; the caller's from now on.
 * @param count
 *   Room in @p pkts.
 * @return
 *   Packets stored; 0 also if there is no such device or queue, or it has no engine.
 *
 * Threads: held. Source: guide.
 */
__rte_experimental
uint16_t rte_vhost_clear_queue_thread_unsafe(int vid, uint16_t queue_id,
	struct rte_mbuf **pkts, uint16_t count) __asm__("vhost_ng_async_clear_queue_thread_unsafe");

/**
 * rte_vhost_clear_queue_thread_unsafe() for use outside of callbacks.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] pkts
 *   Packets; the caller's from now on.
 * @param count
 *   Room in @p pkts.
 * @return
 *   Packets stored; 0 also if there is no such device or queue, it has no engine, or control is
 *   at it.
 *
 * Threads: any. Source: 22.11, with the guide's parameters.
 */
__rte_experimental
uint16_t rte_vhost_clear_queue(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count) __asm__("vhost_ng_async_clear_queue");

/**
 * Take packets from the guest, copied by the engine. Copies are started now; a later call gives
 * the packets.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue to empty; odd.
 * @param mbuf_pool
 *   Where mbufs come from.
 * @param[out] pkts
 *   Packets that are finished; the caller's to free.
 * @param count
 *   Room in @p pkts.
 * @param[out] nr_inflight
 *   Packets whose copies are under way; -1 if there is no such device or queue, it has no engine,
 *   or the queue is held.
 * @return
 *   Packets stored.
 *
 * Threads: queue. Source: 22.11, with the guide's parameters.
 */
__rte_experimental
uint16_t rte_vhost_async_try_dequeue_burst(int vid, uint16_t queue_id,
	struct rte_mempool *mbuf_pool, struct rte_mbuf **pkts, uint16_t count, int *nr_inflight)
	__asm__("vhost_ng_async_try_dequeue_burst");

/**
 * Get functions for rte_vhost_async_channel_register() that stand for a channel of a DMA device:
 * the library drives it then, and does not call them. The queues that share a channel may be
 * polled by different threads. The application may use the channel too, but not at the same time.
 *
 * @param dma_id
 *   DMA device, configured and started; able to copy from memory to memory.
 * @param vchan_id
 *   Its virtual channel.
 * @return
 *   The functions, to be passed as they are, not as a copy; the same for each call, never freed.
 *   NULL: no such device or channel, it does not run or is in silent mode, it cannot copy from
 *   memory to memory, or memory ran out.
 *
 * Threads: any. Source: vhost-ng.
 */
__rte_experimental
struct rte_vhost_async_channel_ops *rte_vhost_async_dmadev_ops(int16_t dma_id, uint16_t vchan_id);

/**
 * Let an lcore do copies, and nothing else until rte_vhost_async_helper_stop(). Any number of
 * queues may share it.
 *
 * @param lcore_id
 *   Worker lcore that waits for work (see rte_eal_remote_launch()).
 * @return
 *   - 0: it copies.
 *   - -1: no worker lcore, it is busy (perhaps with this), or memory ran out.
 *
 * Threads: the main lcore's, which EAL wants for launching. Source: vhost-ng.
 */
__rte_experimental
int rte_vhost_async_helper_start(unsigned int lcore_id);

/**
 * Take an lcore back from rte_vhost_async_helper_start(). It finishes the copies that it has
 * been given; the call waits for that. Unregister the queues that use it first: they can start
 * no copies from then on.
 *
 * @param lcore_id
 *   Worker lcore.
 * @return
 *   - 0: the lcore waits for work.
 *   - -1: it was not started.
 *
 * Threads: the main lcore's, which EAL wants for waiting. Source: vhost-ng.
 */
__rte_experimental
int rte_vhost_async_helper_stop(unsigned int lcore_id);

/**
 * Get functions for rte_vhost_async_channel_register() that stand for an lcore which copies: the
 * library talks to it then, and does not call them.
 *
 * @param lcore_id
 *   Worker lcore, given to rte_vhost_async_helper_start() before.
 * @return
 *   The functions, to be passed as they are, not as a copy; the same for each call, never freed.
 *   NULL: the lcore was not started, or memory ran out.
 *
 * Threads: any. Source: vhost-ng.
 */
__rte_experimental
struct rte_vhost_async_channel_ops *rte_vhost_async_helper_ops(unsigned int lcore_id);

#else /* RTE_VHOST_ASYNC_DMADEV */

/**
 * Let the library use a channel of a DMA device. Needed once per channel, before it is named in
 * any other call. The application may use the channel too, but not at the same time.
 *
 * @param dma_id
 *   DMA device, configured and started; able to copy from memory to memory.
 * @param vchan_id
 *   Its virtual channel.
 * @return
 *   - 0: done, also if it was before.
 *   - -1: no such device or channel, it does not run or is in silent mode, it cannot copy
 *     from memory to memory, or memory ran out.
 *
 * Threads: any. Source: 22.11.
 */
__rte_experimental
int rte_vhost_async_dma_configure(int16_t dma_id, uint16_t vchan_id);

/**
 * Take a channel back, when no copy for the library is under way in it.
 *
 * @param dma_id
 *   DMA device.
 * @param vchan_id
 *   Its virtual channel.
 * @return
 *   - 0: done.
 *   - -1: no such device or channel, it was never given, or copies are under way.
 *
 * Threads: any. Source: 22.11.
 */
__rte_experimental
int rte_vhost_async_dma_unconfigure(int16_t dma_id, uint16_t vchan_id);

/**
 * Prepare a queue for copies by DMA, once the queue is enabled.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @return
 *   - 0: done.
 *   - -1: no such device or queue, it is prepared, the socket was registered without
 *     #RTE_VHOST_USER_ASYNC_COPY, or memory ran out.
 *
 * Threads: any. Source: 22.11.
 */
__rte_experimental
int rte_vhost_async_channel_register(int vid, uint16_t queue_id);

/**
 * rte_vhost_async_channel_register() for use in a callback.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @return
 *   As rte_vhost_async_channel_register().
 *
 * Threads: held. Source: 22.11.
 */
__rte_experimental
int rte_vhost_async_channel_register_thread_unsafe(int vid, uint16_t queue_id);

/**
 * Give packets to the guest, copied by a DMA channel. Packets taken are the library's until
 * polled for.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue to fill; even.
 * @param pkts
 *   Packets.
 * @param count
 *   Packets in @p pkts.
 * @param dma_id
 *   DMA device.
 * @param vchan_id
 *   Its virtual channel.
 * @return
 *   How many of the first packets were taken; 0 also if there is no such device, queue or
 *   channel.
 *
 * Threads: queue. Source: 22.11.
 */
__rte_experimental
uint16_t rte_vhost_submit_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count, int16_t dma_id, uint16_t vchan_id);

/**
 * Collect packets whose copies are finished, and show them to the guest.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] pkts
 *   Packets; the caller's from now on.
 * @param count
 *   Room in @p pkts.
 * @param dma_id
 *   DMA device.
 * @param vchan_id
 *   Its virtual channel.
 * @return
 *   Packets stored; 0 also if there is no such device, queue or channel.
 *
 * Threads: queue. Source: 22.11.
 */
__rte_experimental
uint16_t rte_vhost_poll_enqueue_completed(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count, int16_t dma_id, uint16_t vchan_id);

/**
 * Collect packets whose copies are finished, when a queue is being stopped. Call it until
 * rte_vhost_async_get_inflight_thread_unsafe() says 0.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] pkts
 *   Packets; the caller's from now on.
 * @param count
 *   Room in @p pkts.
 * @param dma_id
 *   DMA device.
 * @param vchan_id
 *   Its virtual channel.
 * @return
 *   Packets stored; 0 also if there is no such device, queue or channel.
 *
 * Threads: held. Source: 22.11.
 */
__rte_experimental
uint16_t rte_vhost_clear_queue_thread_unsafe(int vid, uint16_t queue_id,
	struct rte_mbuf **pkts, uint16_t count, int16_t dma_id, uint16_t vchan_id);

/**
 * rte_vhost_clear_queue_thread_unsafe() for use outside of callbacks.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] pkts
 *   Packets; the caller's from now on.
 * @param count
 *   Room in @p pkts.
 * @param dma_id
 *   DMA device.
 * @param vchan_id
 *   Its virtual channel.
 * @return
 *   Packets stored; 0 also if there is no such device, queue or channel, or control is at it.
 *
 * Threads: any. Source: 22.11.
 */
__rte_experimental
uint16_t rte_vhost_clear_queue(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count, int16_t dma_id, uint16_t vchan_id);

/**
 * Take packets from the guest, copied by a DMA channel. Copies are started now; a later call
 * gives the packets.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue to empty; odd.
 * @param mbuf_pool
 *   Where mbufs come from.
 * @param[out] pkts
 *   Packets that are finished; the caller's to free.
 * @param count
 *   Room in @p pkts.
 * @param[out] nr_inflight
 *   Packets whose copies are under way; -1 if there is no such device, queue or channel, or the
 *   queue is held.
 * @param dma_id
 *   DMA device.
 * @param vchan_id
 *   Its virtual channel.
 * @return
 *   Packets stored.
 *
 * Threads: queue. Source: 22.11.
 */
__rte_experimental
uint16_t rte_vhost_async_try_dequeue_burst(int vid, uint16_t queue_id,
	struct rte_mempool *mbuf_pool, struct rte_mbuf **pkts, uint16_t count, int *nr_inflight,
	int16_t dma_id, uint16_t vchan_id);

#endif /* RTE_VHOST_ASYNC_DMADEV */

/**
 * Take the engine from a queue. All its packets must have been given back. The place to do it
 * is destroy_device().
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @return
 *   - 0: done, also if it had none.
 *   - -1: no such device or queue, or packets are in flight.
 *
 * Threads: any. Source: guide.
 */
__rte_experimental
int rte_vhost_async_channel_unregister(int vid, uint16_t queue_id);

/**
 * rte_vhost_async_channel_unregister() for use in a callback.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @return
 *   - 0: done, also if it had none.
 *   - -1: no such device or queue, or packets are in flight.
 *
 * Threads: held. Source: guide.
 */
__rte_experimental
int rte_vhost_async_channel_unregister_thread_unsafe(int vid, uint16_t queue_id);

/**
 * Ask how many packets of a queue are with the engine.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @return
 *   - >= 0: packets.
 *   - -1: no such device or queue, or it has no engine.
 *
 * Threads: any. Source: guide.
 */
__rte_experimental
int rte_vhost_async_get_inflight(int vid, uint16_t queue_id);

/**
 * rte_vhost_async_get_inflight() for use in a callback.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @return
 *   - >= 0: packets.
 *   - -1: no such device or queue, or it has no engine.
 *
 * Threads: held. Source: 22.11.
 */
__rte_experimental
int rte_vhost_async_get_inflight_thread_unsafe(int vid, uint16_t queue_id);

#ifdef __cplusplus
}
#endif

#endif /* _RTE_VHOST_ASYNC_H_ */
