/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A crypto device for a guest: a cryptodev of DPDK does what the guest asks of it.
 *
 *   vhost_crypto [EAL options] -- SOCKET [zero-copy] [CRYPTODEV]
 *
 * CRYPTODEV is a name, such as crypto_openssl after --vdev=crypto_openssl; without one it is the
 * first there is. One guest, any number of queues; one core polls them all. The library's thread
 * tells that core which device there is to serve, and waits until it has let go of the one before.
 */
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <rte_cryptodev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_vhost.h>
#include <rte_vhost_crypto.h>

#define BURST VHOST_CRYPTO_MAX_BURST_SIZE
#define OPS_MAX 4096 /* with the cryptodev at a time */

static uint8_t cryptodev;
static enum rte_vhost_crypto_zero_copy zero_copy;
static struct rte_mempool *sessions, *ops_pool;
static volatile sig_atomic_t stop;

static int offered = -1; /* device that the library wants served; -1: none */
static int served = -1;  /* device that the polling core is at */

/* Of the polling core. */
static struct rte_crypto_op *batch[BURST]; /* fetched ones, then blank ones */
static unsigned int batch_at, batch_end;   /* those that the cryptodev has not taken yet */
static uint32_t in_flight;                 /* with the cryptodev */
static uint64_t requests, bytes, failures;

/* --- requests ------------------------------------------------------------ */

/* Results, or what the cryptodev refuses: that is an error for the guest. */
static void finish(struct rte_crypto_op **ops, uint16_t n)
{
	int callfds[VIRTIO_CRYPTO_MAX_NUM_BURST_VQS];
	uint16_t nr_callfds, done;

	for (uint16_t i = 0; i < n; i++) {
		requests++;
		bytes += rte_pktmbuf_pkt_len(ops[i]->sym->m_src);
		failures += ops[i]->status != RTE_CRYPTO_OP_STATUS_SUCCESS;
	}
	for (uint16_t at = 0; at < n; at += done) {
		done = rte_vhost_crypto_finalize_requests(ops + at, n - at, callfds, &nr_callfds);
		for (uint16_t i = 0; i < nr_callfds; i++)
			(void)eventfd_write(callfds[i], 1);
	}
}

/* Hands over what was fetched, as much as the cryptodev takes. */
static void submit(void)
{
	unsigned int left = batch_end - batch_at;
	uint16_t n = rte_cryptodev_enqueue_burst(cryptodev, 0, batch + batch_at, (uint16_t)left);

	in_flight += n;
	batch_at += n;
	/* It has room, so it is not going to take that one. */
	if (n == 0 && in_flight == 0) {
		finish(batch + batch_at, 1);
		rte_crypto_op_free(batch[batch_at++]);
	}
}

static void collect(void)
{
	struct rte_crypto_op *done[BURST];
	uint16_t n = rte_cryptodev_dequeue_burst(cryptodev, 0, done, BURST);

	if (n == 0)
		return;
	in_flight -= n;
	finish(done, n);
	rte_mempool_put_bulk(ops_pool, (void **)done, n);
}

/* Puts blank operations where those were that the cryptodev has taken. */
static bool refill(void)
{
	if (batch_end != 0 && rte_crypto_op_bulk_alloc(ops_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC, batch,
						       (uint16_t)batch_end) == 0)
		return false;
	batch_at = batch_end = 0;
	return true;
}

/* Is there something under way? */
static bool poll_queue(uint16_t queue)
{
	/* What was taken from a queue goes first. */
	if (batch_at == batch_end && refill())
		batch_end = rte_vhost_crypto_fetch_requests(served, queue, batch, BURST);
	if (batch_at != batch_end)
		submit();
	if (in_flight == 0)
		return false;
	collect();
	return true;
}

/* Until every operation is finished: the device goes. */
static void drain(void)
{
	while (batch_at != batch_end || in_flight != 0) {
		if (batch_at != batch_end)
			submit();
		collect();
	}
}

static void poll_once(void)
{
	int wanted = __atomic_load_n(&offered, __ATOMIC_ACQUIRE);
	uint16_t queues = 0;
	bool busy = false;

	if (wanted != served) {
		drain();
		__atomic_store_n(&served, wanted, __ATOMIC_RELEASE);
	}
	if (served >= 0)
		queues = rte_vhost_get_vring_num(served);
	for (uint16_t queue = 0; queue < queues; queue++)
		busy |= poll_queue(queue);
	/* Who has a core for it leaves this out. */
	if (!busy)
		usleep(50);
}

/* --- guests come and go -------------------------------------------------- */

static int new_device(int vid)
{
	if (__atomic_load_n(&offered, __ATOMIC_RELAXED) >= 0) /* one guest */
		return -1;
	if (rte_vhost_crypto_create(vid, cryptodev, sessions, SOCKET_ID_ANY) != 0)
		return -1;
	if (rte_vhost_crypto_set_zero_copy(vid, zero_copy) != 0)
		printf("vhost_crypto: no zero copy for device %d: its data is copied\n", vid);
	printf("vhost_crypto: serving device %d\n", vid);
	__atomic_store_n(&offered, vid, __ATOMIC_RELEASE);
	return 0;
}

static void destroy_device(int vid)
{
	if (__atomic_load_n(&offered, __ATOMIC_RELAXED) != vid)
		return;
	__atomic_store_n(&offered, -1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&served, __ATOMIC_ACQUIRE) == vid)
		sched_yield();
	rte_vhost_crypto_free(vid);
	printf("vhost_crypto: device %d is gone\n", vid);
}

static const struct rte_vhost_device_ops callbacks = {
	.new_device = new_device,
	.destroy_device = destroy_device,
};

/* --- start and end ------------------------------------------------------- */

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static bool find_cryptodev(const char *name)
{
	int id = name != NULL ? rte_cryptodev_get_dev_id(name) : 0;

	cryptodev = (uint8_t)id;
	return id >= 0 && rte_cryptodev_is_valid_dev(cryptodev);
}

static bool start_cryptodev(void)
{
	struct rte_cryptodev_config config = { .nb_queue_pairs = 1,
					       .ff_disable = RTE_CRYPTODEV_FF_SECURITY };
	struct rte_cryptodev_qp_conf queue = { .nb_descriptors = OPS_MAX };

	sessions = rte_cryptodev_sym_session_pool_create(
		"sessions", VHOST_CRYPTO_SESSION_MAP_ENTRIES,
		rte_cryptodev_sym_get_private_session_size(cryptodev), 0, 0, SOCKET_ID_ANY);
	/* What the cryptodev has, and the batch. The library puts IVs behind the operations. */
	ops_pool = rte_crypto_op_pool_create("operations", RTE_CRYPTO_OP_TYPE_SYMMETRIC,
					     OPS_MAX + BURST, 0, VHOST_CRYPTO_MAX_IV_LEN,
					     SOCKET_ID_ANY);
	queue.mp_session = sessions;
	return sessions != NULL && ops_pool != NULL &&
	       rte_crypto_op_bulk_alloc(ops_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC, batch, BURST) != 0 &&
	       rte_cryptodev_configure(cryptodev, &config) == 0 &&
	       rte_cryptodev_queue_pair_setup(cryptodev, 0, &queue, SOCKET_ID_ANY) == 0 &&
	       rte_cryptodev_start(cryptodev) == 0;
}

/* Each second in which there was something to do. */
static void report(void)
{
	static uint64_t next, requests_before, bytes_before;
	uint64_t now = rte_get_timer_cycles();

	if (now < next)
		return;
	if (requests != requests_before)
		printf("vhost_crypto: %" PRIu64 " requests, %" PRIu64 " bytes\n",
		       requests - requests_before, bytes - bytes_before);
	requests_before = requests;
	bytes_before = bytes;
	next = now + rte_get_timer_hz();
}

int main(int argc, char **argv)
{
	int parsed = rte_eal_init(argc, argv);
	const char *path, *name = NULL;

	if (parsed < 0 || argc - parsed < 2 || argc - parsed > 4)
		return fprintf(stderr, "usage: vhost_crypto [EAL options] -- SOCKET [zero-copy] "
				       "[CRYPTODEV]\n"), 2;
	setlinebuf(stdout);
	path = argv[parsed + 1];
	for (int i = parsed + 2; i < argc; i++) {
		if (strcmp(argv[i], "zero-copy") == 0)
			zero_copy = RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE;
		else
			name = argv[i];
	}
	if (!find_cryptodev(name))
		return fprintf(stderr, "vhost_crypto: no such cryptodev: give EAL one, such as "
				       "--vdev=crypto_openssl\n"), 1;
	if (!start_cryptodev())
		return fprintf(stderr, "vhost_crypto: the cryptodev does not start\n"), 1;
	/* With ASYNC_COPY the library knows guest memory's bus addresses: zero copy wants them. */
	if (rte_vhost_driver_register(path, zero_copy ? RTE_VHOST_USER_ASYNC_COPY : 0) != 0 ||
	    rte_vhost_driver_callback_register(path, &callbacks) != 0 ||
	    rte_vhost_crypto_driver_start(path) != 0)
		return fprintf(stderr, "vhost_crypto: %s cannot be served\n", path), 1;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	printf("vhost_crypto: ready, requests go to %s%s\n", rte_cryptodev_name_get(cryptodev),
	       zero_copy ? ", on guest memory" : "");
	while (!stop) {
		poll_once();
		report();
	}
	/* destroy_device() finds nobody at the device. */
	drain();
	refill();
	__atomic_store_n(&served, -1, __ATOMIC_RELEASE);
	rte_vhost_driver_unregister(path);
	printf("vhost_crypto: %" PRIu64 " requests, %" PRIu64 " of them failed, %" PRIu64 " bytes; "
	       "%u operations and %u sessions left behind\n",
	       requests, failures, bytes, rte_mempool_in_use_count(ops_pool) - BURST,
	       rte_mempool_in_use_count(sessions));
	return rte_mempool_in_use_count(ops_pool) != BURST || rte_mempool_in_use_count(sessions) != 0;
}
