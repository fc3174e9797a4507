/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_crypto's host: EAL, a cryptodev, a driver of a crypto device, and the loop of an
 * application that serves it, as the guide has it. Nothing is untrusted.
 */
#include "crypto.h"

#include <stdio.h>

#include <rte_errno.h>
#include <rte_vhost.h>

#define REGION_BYTES (16u << 20)
#define POOL_OPS 8191
#define POOL_CACHE 128
#define POOL_SESSIONS 1024
#define QUEUE_DESCRIPTORS 4096
#define PATIENCE_S 10

/* For new_device(), which has no argument for it. */
static struct crypto_bench *bench;

static int
on_new_device(int vid)
{
	return rte_vhost_crypto_create(vid, bench->cryptodev_id, bench->session_pool,
				       SOCKET_ID_ANY);
}

static void
make_pools(struct crypto_bench *b)
{
	unsigned bytes = rte_cryptodev_sym_get_private_session_size(b->cryptodev_id);

	b->session_pool = rte_cryptodev_sym_session_pool_create("sessions", POOL_SESSIONS, bytes, 0,
								0, SOCKET_ID_ANY);
	b->op_pool = rte_crypto_op_pool_create("ops", RTE_CRYPTO_OP_TYPE_SYMMETRIC, POOL_OPS,
					       POOL_CACHE, VHOST_CRYPTO_MAX_IV_LEN, SOCKET_ID_ANY);
	if (b->session_pool == NULL || b->op_pool == NULL)
		bench_die("no pools: %s", rte_strerror(rte_errno));
}

static void
start_cryptodev(struct crypto_bench *b)
{
	struct rte_cryptodev_config config = {
		.nb_queue_pairs = 1,
		.ff_disable = RTE_CRYPTODEV_FF_SECURITY,
	};
	struct rte_cryptodev_qp_conf queue = {.nb_descriptors = QUEUE_DESCRIPTORS};

	if (rte_cryptodev_count() != 1)
		bench_die("no cryptodev %s", b->opts.cryptodev);
	b->cryptodev_id = 0;
	make_pools(b);
	queue.mp_session = b->session_pool;
	config.socket_id = rte_cryptodev_socket_id(b->cryptodev_id);
	if (rte_cryptodev_configure(b->cryptodev_id, &config) != 0 ||
	    rte_cryptodev_queue_pair_setup(b->cryptodev_id, 0, &queue, config.socket_id) != 0 ||
	    rte_cryptodev_start(b->cryptodev_id) != 0)
		bench_die("%s does not start", b->opts.cryptodev);
}

void
crypto_start(struct crypto_bench *b, const char *program)
{
	const struct guest_region_spec region = {.size_bytes = REGION_BYTES};
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_INDIRECT_DESC |
			    (b->opts.packed ? FE_F_RING_PACKED : 0),
		.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_CRYPTO_SESSION,
		.ring_size = (uint16_t)b->opts.ring_size,
		.regions = &region,
		.nregions = 1,
	};
	char core[16];

	snprintf(core, sizeof(core), "%u", b->opts.core);
	host_start(program, core, b->opts.cryptodev);
	start_cryptodev(b);
	bench = b;
	host_on_new_device = on_new_device;
	/* As the guide has it for zero copy: the stock library needs the addresses of pages. */
	host_register(RTE_VHOST_USER_ASYNC_COPY);
	if (rte_vhost_crypto_driver_start(host_socket_path()) != 0)
		bench_die("the driver does not start");
	b->vid = host_connect(&b->fe, &config);
	host_share_mapping(&b->fe, b->vid, b->own_view);
	host_poll_only(&b->fe, b->vid);
	b->vq = &b->fe.vqs[0];
	/*
	 * Descriptors are taken round and round, so that a chain's head is its slot in the
	 * available ring: the stock library confuses the two when it gives requests back.
	 */
	b->vq->in_order = true;
	b->mem_mark = b->fe.mem.regions[0].used_bytes;
}

void
crypto_begin_zero_copy(struct crypto_bench *b)
{
	if (rte_vhost_crypto_set_zero_copy(b->vid, RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE) != 0)
		bench_die("zero copy cannot be switched on");
}

/* The cryptodev's share. */
static void
process(struct crypto_bench *b, struct rte_crypto_op **ops, struct rte_crypto_op **done,
	unsigned n)
{
	uint64_t since = rte_rdtsc();
	unsigned in = 0, out = 0;

	while (out < n) {
		in += rte_cryptodev_enqueue_burst(b->cryptodev_id, 0, ops + in, (uint16_t)(n - in));
		out += rte_cryptodev_dequeue_burst(b->cryptodev_id, 0, done + out,
						   (uint16_t)(n - out));
		if (rte_rdtsc() - since > PATIENCE_S * rte_get_tsc_hz())
			bench_die("%u of %u requests leave the cryptodev", out, n);
	}
}

void
crypto_burst(struct crypto_bench *b, unsigned n, double cost, bool on_valgrind,
	     double ticks[CRYPTO_NR_PARTS])
{
	struct rte_crypto_op *ops[CRYPTO_MAX_BURST], *done[CRYPTO_MAX_BURST];
	int callfds[VIRTIO_CRYPTO_MAX_NUM_BURST_VQS];
	uint16_t nr_callfds;
	unsigned fetched, finalized;
	uint64_t at[6];

	at[0] = fenced_tsc();
	if (rte_crypto_op_bulk_alloc(b->op_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC, ops,
				     (uint16_t)n) != n)
		bench_die("no operations left");
	if (on_valgrind)
		CALLGRIND_TOGGLE_COLLECT;
	at[1] = fenced_tsc();
	fetched = rte_vhost_crypto_fetch_requests(b->vid, 0, ops, (uint16_t)n);
	at[2] = fenced_tsc();
	if (on_valgrind)
		CALLGRIND_TOGGLE_COLLECT;
	if (fetched != n)
		bench_die("%u of %u requests fetched, the next one has status %u", fetched, n,
			  crypto_status(b, n - fetched));
	process(b, ops, done, n);
	if (on_valgrind)
		CALLGRIND_TOGGLE_COLLECT;
	at[3] = fenced_tsc();
	finalized = rte_vhost_crypto_finalize_requests(done, (uint16_t)n, callfds, &nr_callfds);
	at[4] = fenced_tsc();
	if (on_valgrind)
		CALLGRIND_TOGGLE_COLLECT;
	rte_mempool_put_bulk(b->op_pool, (void **)done, n);
	at[5] = fenced_tsc();
	if (finalized != n)
		bench_die("%u of %u requests finalized", finalized, n);
	b->requests += n;
	ticks[CRYPTO_FETCH] = (double)(at[2] - at[1]) - cost;
	ticks[CRYPTO_FINALIZE] = (double)(at[4] - at[3]) - cost;
	ticks[CRYPTO_LIBRARY] = ticks[CRYPTO_FETCH] + ticks[CRYPTO_FINALIZE];
	ticks[CRYPTO_LOOP] = (double)(at[5] - at[0]) - 5 * cost;
}

void
crypto_stop(struct crypto_bench *b)
{
	rte_vhost_crypto_free(b->vid);
	host_disconnect(&b->fe, b->own_view);
	rte_cryptodev_stop(b->cryptodev_id);
	rte_cryptodev_close(b->cryptodev_id);
	rte_mempool_free(b->op_pool);
	rte_mempool_free(b->session_pool);
	host_stop();
}
