/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bursts whose packets an engine copies: a core that does nothing else, or dma_skeleton, a DMA
 * device in software. What is timed is what the core that polls does: starting copies, and
 * collecting packets. It does not wait for the engine in between, as an application has other work.
 */
#include "bench.h"

#include <rte_cycles.h>
#include <rte_dmadev.h>
#include <rte_lcore.h>
#include <rte_vhost_async.h>

/* An engine that takes longer than this for a byte meets a poll that comes too early. */
#define WAIT_CYCLES_A_BYTE 1
#define WAIT_CYCLES 4000
#define PATIENCE_S 10

static struct rte_vhost_async_channel_ops *
helper_ops(void)
{
	unsigned lcore = rte_get_next_lcore(-1, 1, 0);

	if (rte_vhost_async_helper_start(lcore) != 0)
		bench_die("lcore %u does not help", lcore);
	return rte_vhost_async_helper_ops(lcore);
}

static struct rte_vhost_async_channel_ops *
dma_ops(void)
{
	const struct rte_dma_conf conf = {.nb_vchans = 1};
	const struct rte_dma_vchan_conf vchan = {.direction = RTE_DMA_DIR_MEM_TO_MEM,
						 .nb_desc = 4096};
	int id = rte_dma_get_dev_id_by_name("dma_skeleton");

	if (id < 0)
		bench_die("no dma_skeleton");
	if (rte_dma_configure((int16_t)id, &conf) != 0 ||
	    rte_dma_vchan_setup((int16_t)id, 0, &vchan) != 0 || rte_dma_start((int16_t)id) != 0)
		bench_die("dma_skeleton does not start");
	return rte_vhost_async_dmadev_ops((int16_t)id, 0);
}

void
async_start(struct bench *b)
{
	const struct rte_vhost_async_config config = {.features = RTE_VHOST_ASYNC_INORDER};

	b->ops = b->opts.engine == ENGINE_HELPER ? helper_ops() : dma_ops();
	for (uint16_t queue = 0; queue < 2; queue++)
		if (rte_vhost_async_channel_register(b->vid, queue, config, b->ops) != 0)
			bench_die("queue %u gets no engine", queue);
}

void
async_stop(struct bench *b)
{
	for (uint16_t queue = 0; queue < 2; queue++)
		if (rte_vhost_async_channel_unregister(b->vid, queue) != 0)
			bench_die("queue %u keeps its engine", queue);
	if (b->opts.engine == ENGINE_HELPER)
		rte_vhost_async_helper_stop(rte_get_next_lcore(-1, 1, 0));
}

/* Starts the copies; packets to the guest that are finished at once go to `done`. */
static unsigned
start(struct bench *b, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **done,
      unsigned *finished)
{
	uint32_t nr_done = 0;
	int inflight;

	if (b->dir == H2G) {
		n = rte_vhost_submit_enqueue_burst(b->vid, b->queue, pkts, (uint16_t)n, done,
						   &nr_done);
		*finished = nr_done;
		return n;
	}
	*finished = rte_vhost_async_try_dequeue_burst(b->vid, b->queue, b->pool, done, (uint16_t)n,
						      &inflight);
	if (inflight < 0)
		bench_die("no packets can be had");
	return *finished + (unsigned)inflight;
}

unsigned
async_burst(struct bench *b, struct rte_mbuf **pkts, unsigned n, double cost, uint64_t *ticks)
{
	struct rte_mbuf *sent[BENCH_MAX_BURST];
	struct rte_mbuf **done = b->dir == H2G ? sent : pkts;
	uint64_t wait = WAIT_CYCLES + (uint64_t)n * b->pkt_bytes * WAIT_CYCLES_A_BYTE;
	uint64_t at = fenced_tsc(), patience = PATIENCE_S * rte_get_tsc_hz();
	unsigned started, finished;

	started = start(b, pkts, n, done, &finished);
	*ticks = fenced_tsc() - at;
	for (uint64_t since = rte_rdtsc(), waits = since; finished < started;) {
		unsigned got;

		while (rte_rdtsc() - waits < wait)
			rte_pause();
		at = waits = fenced_tsc();
		got = rte_vhost_clear_queue(b->vid, b->queue, done + finished,
					    (uint16_t)(started - finished));
		/* One that finds nothing is there because of who else uses the engine's core. */
		if (got != 0)
			*ticks += fenced_tsc() - at - (uint64_t)cost;
		finished += got;
		if (at - since > patience)
			bench_die("an engine does not finish");
	}
	return started;
}
