/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two guests, each of whose packets go to the other, copied by an engine: the asynchronous
 * functions of the guide, and nothing else.
 *
 *   async_forward [EAL options] -- SOCKET SOCKET [own | helper | DMA-DEVICE]
 *
 * Packets come from a guest by rte_vhost_dequeue_burst(). The engine copies them into the other
 * guest's buffers: functions of this program (own, the default), a second core (helper: give EAL
 * two), or channel 0 of a DMA device of DPDK, by name (dma_skeleton with --vdev=dma_skeleton).
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rte_dmadev.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_vhost_async.h>
#include <rte_vhost.h>

#define BURST 32
#define MBUFS 16384
#define TO_GUEST 0 /* queues */
#define FROM_GUEST 1

static struct port {
	const char *path;
	pthread_mutex_t lock; /* between the core that polls and callbacks */
	int vid;              /* -1: there is no guest */
	uint64_t sent, dropped;
} ports[2] = { { .lock = PTHREAD_MUTEX_INITIALIZER, .vid = -1 },
	       { .lock = PTHREAD_MUTEX_INITIALIZER, .vid = -1 } };

static struct rte_mempool *pool;
static struct rte_vhost_async_channel_ops *engine;
static volatile sig_atomic_t stop;

/* --- an engine of our own ------------------------------------------------ */

/* Copies that are done and not reported. A device would have a number for each queue, too. */
static uint32_t finished[2];

static struct port *port_of(int vid)
{
	char path[128];

	if (rte_vhost_get_ifname(vid, path, sizeof(path)) != 0)
		return NULL;
	for (unsigned int i = 0; i < 2; i++)
		if (strcmp(ports[i].path, path) == 0)
			return &ports[i];
	return NULL;
}

static unsigned int number_of(int vid)
{
	return ports[1].vid == vid;
}

/* Both sides have the same pieces, one after the other. A device would be told to, and go on. */
static int32_t transfer_data(int vid, uint16_t queue_id, struct rte_vhost_async_desc *descs,
			     struct rte_vhost_async_status *opaque_data, uint16_t count)
{
	(void)queue_id;
	(void)opaque_data;
	for (uint16_t i = 0; i < count; i++) {
		const struct rte_vhost_iov_iter *src = descs[i].src, *dst = descs[i].dst;

		for (unsigned long s = 0; s < src->nr_segs; s++)
			memcpy(dst->iov[s].iov_base, src->iov[s].iov_base, src->iov[s].iov_len);
	}
	finished[number_of(vid)] += count;
	return count;
}

static int32_t check_completed_copies(int vid, uint16_t queue_id,
				      struct rte_vhost_async_status *opaque_data,
				      uint16_t max_packets)
{
	uint32_t *done = &finished[number_of(vid)];
	uint32_t n = RTE_MIN(*done, (uint32_t)max_packets);

	(void)queue_id;
	(void)opaque_data;
	*done -= n;
	return (int32_t)n;
}

static struct rte_vhost_async_channel_ops own = {
	.transfer_data = transfer_data,
	.check_completed_copies = check_completed_copies,
};

/* --- guests come and go -------------------------------------------------- */

/* Packets that the library gives back: they are in the guest. */
static void done_with(struct port *port, struct rte_mbuf **pkts, uint32_t n)
{
	port->sent += n;
	rte_pktmbuf_free_bulk(pkts, n);
}

static void drain(struct port *port)
{
	struct rte_mbuf *pkts[BURST];

	while (rte_vhost_async_get_inflight(port->vid, TO_GUEST) > 0)
		done_with(port, pkts, rte_vhost_clear_queue_thread_unsafe(port->vid, TO_GUEST, pkts,
									  BURST));
}

static int new_device(int vid)
{
	const struct rte_vhost_async_config config = { .features = RTE_VHOST_ASYNC_INORDER };
	struct port *port = port_of(vid);
	int ret = -1;

	if (port == NULL)
		return -1;
	pthread_mutex_lock(&port->lock);
	/* One guest a socket. */
	if (port->vid < 0)
		ret = rte_vhost_async_channel_register(vid, TO_GUEST, config, engine);
	if (ret == 0)
		port->vid = vid;
	pthread_mutex_unlock(&port->lock);
	if (ret == 0)
		printf("%s: a guest\n", port->path);
	return ret;
}

static void destroy_device(int vid)
{
	struct port *port = port_of(vid);

	if (port == NULL || port->vid != vid)
		return;
	/* The core that polls has finished its burst then, and finds no guest from here on. */
	pthread_mutex_lock(&port->lock);
	drain(port);
	if (rte_vhost_async_channel_unregister(vid, TO_GUEST) != 0)
		printf("%s: packets are in flight for ever\n", port->path);
	port->vid = -1;
	pthread_mutex_unlock(&port->lock);
	printf("%s: its guest is gone; %" PRIu64 " packets sent to it, %" PRIu64 " dropped\n",
	       port->path, port->sent, port->dropped);
}

/* Before memory changes: nothing may be in flight. */
static int vring_state_changed(int vid, uint16_t queue_id, int enable)
{
	struct port *port = port_of(vid);

	if (port == NULL || port->vid != vid || queue_id != TO_GUEST || enable != 0)
		return 0;
	pthread_mutex_lock(&port->lock);
	drain(port);
	pthread_mutex_unlock(&port->lock);
	return 0;
}

static const struct rte_vhost_device_ops callbacks = {
	.new_device = new_device,
	.destroy_device = destroy_device,
	.vring_state_changed = vring_state_changed,
};

/* --- packets ------------------------------------------------------------- */

static void send_to(struct port *port, struct rte_mbuf **pkts, uint16_t n)
{
	struct rte_mbuf *done[BURST];
	uint32_t nr_done = 0;
	uint16_t taken = 0;

	pthread_mutex_lock(&port->lock);
	if (port->vid >= 0) {
		if (n != 0)
			taken = rte_vhost_submit_enqueue_burst(port->vid, TO_GUEST, pkts, n, done,
							       &nr_done);
		done_with(port, done, nr_done);
		done_with(port, done,
			  rte_vhost_poll_enqueue_completed(port->vid, TO_GUEST, done, BURST));
	}
	pthread_mutex_unlock(&port->lock);
	/* No buffers, or no guest: what was not taken is still ours. */
	port->dropped += (uint64_t)(n - taken);
	rte_pktmbuf_free_bulk(pkts + taken, n - taken);
}

static void forward(struct port *from, struct port *to)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = 0;

	pthread_mutex_lock(&from->lock);
	if (from->vid >= 0)
		n = rte_vhost_dequeue_burst(from->vid, FROM_GUEST, pool, pkts, BURST);
	pthread_mutex_unlock(&from->lock);
	send_to(to, pkts, n);
}

/* --- start and end ------------------------------------------------------- */

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static struct rte_vhost_async_channel_ops *dma_engine(const char *name)
{
	const struct rte_dma_conf conf = { .nb_vchans = 1 };
	const struct rte_dma_vchan_conf vchan = { .direction = RTE_DMA_DIR_MEM_TO_MEM,
						  .nb_desc = 1024 };
	int id = rte_dma_get_dev_id_by_name(name);

	if (id < 0 || rte_dma_configure((int16_t)id, &conf) != 0 ||
	    rte_dma_vchan_setup((int16_t)id, 0, &vchan) != 0 || rte_dma_start((int16_t)id) != 0)
		return NULL;
	return rte_vhost_async_dmadev_ops((int16_t)id, 0);
}

static struct rte_vhost_async_channel_ops *helper_engine(unsigned int lcore)
{
	return rte_vhost_async_helper_start(lcore) == 0 ? rte_vhost_async_helper_ops(lcore) : NULL;
}

static bool start(struct port *port, const char *path)
{
	port->path = path;
	return rte_vhost_driver_register(path, RTE_VHOST_USER_ASYNC_COPY) == 0 &&
	       rte_vhost_driver_callback_register(path, &callbacks) == 0 &&
	       rte_vhost_driver_start(path) == 0;
}

int main(int argc, char **argv)
{
	int parsed = rte_eal_init(argc, argv);
	unsigned int helper;
	const char *which;

	if (parsed < 0 || argc - parsed < 3)
		rte_exit(EXIT_FAILURE, "usage: async_forward [EAL options] -- SOCKET SOCKET "
				       "[own | helper | DMA-DEVICE]\n");
	argv += parsed;
	which = argc - parsed > 3 ? argv[3] : "own";
	helper = rte_get_next_lcore(-1, 1, 0);
	if (strcmp(which, "helper") == 0)
		engine = helper_engine(helper);
	else
		engine = strcmp(which, "own") == 0 ? &own : dma_engine(which);
	if (engine == NULL)
		rte_exit(EXIT_FAILURE, "%s: no such engine\n", which);
	pool = rte_pktmbuf_pool_create("packets", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (pool == NULL || !start(&ports[0], argv[1]) || !start(&ports[1], argv[2]))
		rte_exit(EXIT_FAILURE, "it does not start\n");
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	printf("forwarding, copies by %s\n", which);
	while (!stop) {
		forward(&ports[0], &ports[1]);
		forward(&ports[1], &ports[0]);
	}
	rte_vhost_driver_unregister(ports[0].path);
	rte_vhost_driver_unregister(ports[1].path);
	if (strcmp(which, "helper") == 0)
		rte_vhost_async_helper_stop(helper);
	printf("%u packets left behind\n", rte_mempool_in_use_count(pool));
	return rte_mempool_in_use_count(pool) != 0;
}
