/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Crypto devices, and all at once: threads fetch requests, one moves them through the cryptodev,
 * threads finalize them in any order, while the frontends open and close sessions, swap memory tables,
 * enable and disable, stop and start rings, reset, hang up and come back. Every operation comes back
 * once, every request with its result, and nothing may be left at the end.
 *
 * VHOST_NG_SEED repeats a run's decisions (not its timing), VHOST_NG_SOAK=1 makes it long.
 */
#include <time.h>

#include <rte_ring.h>

#include "crypto_ref.h"
#include "crypto_rig.h"
#include "guest_net.h"

#define DEVICES 2
#define QUEUES 2
#define FETCHERS 2
#define FINALIZERS 2
#define SLOTS 24
#define SLOT_BYTES 24576u
#define MAX_BYTES 10000u
#define NR_OPS 2047
#define PATIENCE_US 60000000
/* Of each device, at least: what a busy machine has not done in time is waited for. */
#define STEPS_WANTED 300
#define REQUESTS_WANTED 1000
#define LIVES_WANTED 2
/* A device that has ended keeps its buffers, 40 MB, while operations of it are under way. */
#define ENDED_MAX 3
/* The cryptodev rests before the first of so many bursts, with what it has. */
#define BURSTS_BETWEEN_RESTS 4096

static uint64_t seed;
static bool stop_control, stop_data; /* atomic */
static const char *problem;	     /* atomic: the first one */

/* What the application is like. */
static bool drains; /* destroy_device() waits for the operations, as it should */
static struct rte_mempool *op_pool;
static struct rte_ring *to_cryptodev, *done;
static uint64_t fetched, finalized; /* atomic */
static uint32_t rests;		    /* of the cryptodev; atomic */
static uint32_t waits;		    /* for ended devices */
static bool is_waiting;		    /* atomic */

static struct device {
	/* Its guest and frontend: one thread. */
	pthread_t thread;
	uint64_t rng;
	const char *path;
	struct frontend fe;
	struct fe_config config;
	struct guest_crypto drivers[QUEUES];
	uint64_t steps, right, refused, lives;
	uint64_t ids[2]; /* sessions with keys 0 and 1, in this life */
	uint64_t gone_id;
	uint32_t generation; /* of sessions: all go with the application's device */
	/* The application's. */
	int vid;	 /* atomic */
	bool connected;	 /* atomic */
	uint32_t flying; /* atomic: operations, and those who may get some */
} devices[DEVICES];

static void fail(const char *what)
{
	const char *none = NULL;

	(void)__atomic_compare_exchange_n(&problem, &none, what, false, __ATOMIC_SEQ_CST,
					  __ATOMIC_SEQ_CST);
}

static bool failed(void)
{
	return __atomic_load_n(&problem, __ATOMIC_SEQ_CST) != NULL;
}

static uint32_t below(uint64_t *rng, uint32_t n)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return (uint32_t)(*rng >> 32) % n;
}

/* --- application ----------------------------------------------------------- */

/* Behind the IV. */
static uint8_t *owner_of(struct rte_crypto_op *op)
{
	return rte_crypto_op_ctod_offset(op, uint8_t *,
					 sizeof(*op) + sizeof(*op->sym) + VHOST_CRYPTO_MAX_IV_LEN);
}

static void count_device(struct rte_mempool *pool, void *arg)
{
	*(unsigned int *)arg += strncmp(pool->name, "vhco", 4) == 0;
}

static bool is_room(void *arg)
{
	unsigned int n = 0;

	(void)arg;
	rte_mempool_walk(count_device, &n);
	return n < DEVICES + ENDED_MAX;
}

/*
 * Who lets operations go on has to see to it that their devices do not fill the memory. (One thread
 * has all callbacks.)
 */
static void wait_for_room(void)
{
	if (is_room(NULL))
		return;
	waits++;
	__atomic_store_n(&is_waiting, true, __ATOMIC_SEQ_CST);
	if (!flow_wait_until(is_room, NULL, PATIENCE_US / 1000))
		fail("devices that have ended keep their buffers");
	__atomic_store_n(&is_waiting, false, __ATOMIC_SEQ_CST);
}

static int come(struct device *d, int vid)
{
	wait_for_room();
	if (rte_vhost_crypto_create(vid, crypto_app.cryptodev_id, crypto_app.session_pool, 0) != 0)
		fail("no crypto device");
	/* With operations that may be under way for a guest that has gone on, only copies. */
	if (drains && (__atomic_load_n(&fetched, __ATOMIC_RELAXED) & 1) != 0 &&
	    rte_vhost_crypto_set_zero_copy(vid, RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE) != 0)
		fail("no zero copy");
	__atomic_store_n(&d->vid, vid, __ATOMIC_SEQ_CST);
	return 0;
}

static bool is_idle(void *arg)
{
	return __atomic_load_n(&((struct device *)arg)->flying, __ATOMIC_SEQ_CST) == 0;
}

static void go(struct device *d, int vid)
{
	__atomic_store_n(&d->vid, -1, __ATOMIC_SEQ_CST);
	if (drains && !flow_wait_until(is_idle, d, PATIENCE_US / 1000))
		fail("operations do not come back");
	if (rte_vhost_crypto_free(vid) != 0)
		fail("no crypto device to free");
}

static int new_0(int vid) { return come(&devices[0], vid); }
static int new_1(int vid) { return come(&devices[1], vid); }
static void destroy_0(int vid) { go(&devices[0], vid); }
static void destroy_1(int vid) { go(&devices[1], vid); }

static int connection(struct device *d, bool is_there)
{
	__atomic_store_n(&d->connected, is_there, __ATOMIC_SEQ_CST);
	return 0;
}

static int connected_0(int vid) { (void)vid; return connection(&devices[0], true); }
static int connected_1(int vid) { (void)vid; return connection(&devices[1], true); }
static void closed_0(int vid) { (void)vid; (void)connection(&devices[0], false); }
static void closed_1(int vid) { (void)vid; (void)connection(&devices[1], false); }

static const struct rte_vhost_device_ops ops_of[DEVICES] = {
	{ .new_device = new_0, .destroy_device = destroy_0, .new_connection = connected_0,
	  .destroy_connection = closed_0 },
	{ .new_device = new_1, .destroy_device = destroy_1, .new_connection = connected_1,
	  .destroy_connection = closed_1 },
};

static void *fetcher(void *arg)
{
	uint64_t rng = seed + 77 + (uintptr_t)arg;

	while (!__atomic_load_n(&stop_data, __ATOMIC_RELAXED)) {
		struct rte_crypto_op *ops[VHOST_CRYPTO_MAX_BURST_SIZE];
		const uint32_t which = below(&rng, DEVICES), max = 1 + below(&rng, RTE_DIM(ops));
		struct device *d = &devices[which];
		unsigned int n = 0;
		int vid;

		if (rte_crypto_op_bulk_alloc(op_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC, ops,
					     (uint16_t)max) != max) {
			sched_yield();
			continue;
		}
		__atomic_fetch_add(&d->flying, max, __ATOMIC_SEQ_CST);
		vid = __atomic_load_n(&d->vid, __ATOMIC_SEQ_CST);
		/* Those that are late must find nothing, or a stranger: as an application has it. */
		if (vid >= 0)
			n = rte_vhost_crypto_fetch_requests(vid, below(&rng, QUEUES), ops,
							    (uint16_t)max);
		for (unsigned int i = 0; i < n; i++)
			*owner_of(ops[i]) = (uint8_t)which;
		__atomic_fetch_add(&fetched, n, __ATOMIC_SEQ_CST);
		if (n != 0 && rte_ring_enqueue_bulk(to_cryptodev, (void **)ops, n, NULL) != n)
			fail("no room for operations");
		rte_mempool_put_bulk(op_pool, (void **)ops + n, max - n);
		__atomic_fetch_sub(&d->flying, max - n, __ATOMIC_SEQ_CST);
		if (n == 0)
			sched_yield();
	}
	return NULL;
}

/*
 * Until devices that have ended are waited for: however long the machine lets a thread wait,
 * memory does not run out. (Where devices wait for their operations, there are none.)
 */
static void rest(void)
{
	while (!drains && !failed() && !__atomic_load_n(&is_waiting, __ATOMIC_SEQ_CST) &&
	       (!__atomic_load_n(&stop_control, __ATOMIC_RELAXED) || rests == 0))
		usleep(100);
	__atomic_fetch_add(&rests, 1, __ATOMIC_SEQ_CST);
}

static void *worker(void *arg)
{
	unsigned int bursts = 0;

	(void)arg;
	while (!__atomic_load_n(&stop_data, __ATOMIC_RELAXED) || rte_ring_count(to_cryptodev) != 0) {
		struct rte_crypto_op *ops[VHOST_CRYPTO_MAX_BURST_SIZE];
		unsigned int n = rte_ring_dequeue_burst(to_cryptodev, (void **)ops, RTE_DIM(ops),
							NULL);

		if (n == 0) {
			sched_yield();
			continue;
		}
		if (bursts++ % BURSTS_BETWEEN_RESTS == 0)
			rest();
		(void)crypto_app_run(ops, n);
		if (rte_ring_enqueue_bulk(done, (void **)ops, n, NULL) != n)
			fail("no room for operations");
	}
	return NULL;
}

static void *finalizer(void *arg)
{
	uint64_t rng = seed + 99 + (uintptr_t)arg;

	while (!__atomic_load_n(&stop_data, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&finalized, __ATOMIC_SEQ_CST) !=
		       __atomic_load_n(&fetched, __ATOMIC_SEQ_CST)) {
		struct rte_crypto_op *ops[64];
		unsigned int n = rte_ring_dequeue_burst(done, (void **)ops,
							1 + below(&rng, RTE_DIM(ops)), NULL);
		uint8_t owners[RTE_DIM(ops)];
		int callfds[VIRTIO_CRYPTO_MAX_NUM_BURST_VQS];
		uint16_t nr_callfds = 0;

		if (n == 0) {
			sched_yield();
			continue;
		}
		for (unsigned int i = n - 1; i > 0; i--) {
			unsigned int j = below(&rng, i + 1);
			struct rte_crypto_op *op = ops[i];

			ops[i] = ops[j];
			ops[j] = op;
		}
		for (unsigned int i = 0; i < n; i++)
			owners[i] = *owner_of(ops[i]);
		if (rte_vhost_crypto_finalize_requests(ops, (uint16_t)n, callfds, &nr_callfds) != n)
			fail("operations that nobody takes back");
		/* A device that has ended has its numbers no more. (Guests look without being told.) */
		for (unsigned int i = 0; drains && i < nr_callfds; i++)
			(void)eventfd_write(callfds[i], 1);
		rte_mempool_put_bulk(op_pool, (void **)ops, n);
		__atomic_fetch_add(&finalized, n, __ATOMIC_SEQ_CST);
		for (unsigned int i = 0; i < n; i++)
			__atomic_fetch_sub(&devices[owners[i]].flying, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* --- requests ------------------------------------------------------------------ */

static struct guest_crypto_session session_of(unsigned int key)
{
	struct guest_crypto_session s = kinds[KIND_CBC].session;

	guest_pattern(1000 + key, s.cipher_key, 16);
	return s;
}

/* What it is about follows from its number. */
struct number {
	uint32_t serial, key;
};

static struct guest_crypto_req request_of(struct number n, uint64_t id, uint8_t *bytes)
{
	uint32_t len_bytes = 16 + n.serial * 2654435761u % (n.serial % 8 == 0 ? MAX_BYTES : 700);

	len_bytes -= len_bytes % 16;
	guest_pattern(n.serial, bytes, 16 + len_bytes);
	return (struct guest_crypto_req){
		.opcode = VIRTIO_CRYPTO_CIPHER_ENCRYPT,
		.op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
		.session_id = id,
		.iv = bytes,
		.iv_bytes = 16,
		.src = bytes + 16,
		.src_bytes = len_bytes,
		.dst_bytes = len_bytes,
	};
}

static void post(struct device *d, struct guest_crypto *driver)
{
	const struct guest_crypto_layout layout = {
		.chain = below(&d->rng, 2) ? GUEST_CRYPTO_INDIRECT : GUEST_CRYPTO_DIRECT,
		.gap_bytes = below(&d->rng, 20),
		.shift_bytes = below(&d->rng, 64),
	};
	static uint32_t serials;
	struct number n = { __atomic_fetch_add(&serials, 1, __ATOMIC_RELAXED) & 0xffffff,
			    below(&d->rng, 2) };
	/* Some say the name of a session that has gone. */
	uint64_t id = below(&d->rng, 16) == 0 ? d->gone_id : d->ids[n.key];
	static __thread uint8_t bytes[16 + MAX_BYTES + 16];
	struct guest_crypto_req req = request_of(n, id, bytes);
	void *cookie = (void *)(uintptr_t)((uint64_t)d->generation << 32 | n.serial << 1 | n.key);

	(void)guest_crypto_post(driver, &req, &layout, cookie);
}

static bool is_right(struct number n, const struct guest_crypto_result *r)
{
	static __thread uint8_t bytes[16 + MAX_BYTES + 16], want[MAX_BYTES + 16];
	const struct guest_crypto_session s = session_of(n.key);
	struct guest_crypto_req req = request_of(n, 0, bytes);

	return r->status == VIRTIO_CRYPTO_OK && r->used_bytes == req.dst_bytes + 1 &&
	       crypto_ref_compute(&s, &req, want, NULL) == 0 &&
	       memcmp(want, r->dst, req.dst_bytes) == 0;
}

static void check(struct device *d, const struct guest_crypto_result *r)
{
	const uint64_t word = (uintptr_t)r->cookie;
	struct number n = { (uint32_t)word >> 1, word & 1 };

	if (r->status == VIRTIO_CRYPTO_INVSESS) {
		d->refused++;
		return;
	}
	if (!is_right(n, r)) {
		/* Its session has gone since: another one may have its number. */
		n.key ^= 1;
		if (word >> 32 == d->generation || !is_right(n, r))
			fail("another result than there has to be");
	}
	d->right++;
}

static void collect(struct device *d)
{
	for (unsigned int q = 0; q < QUEUES; q++) {
		struct guest_crypto_result r;
		int rc;

		while ((rc = guest_crypto_reap(&d->drivers[q], &r)) == 0)
			check(d, &r);
		if (rc == -EFAULT)
			fail("bytes that are nobody's changed");
		else if (rc != -EAGAIN)
			fail("a used element that makes no sense");
	}
}

static void guest_turn(struct device *d)
{
	collect(d);
	for (unsigned int q = 0; q < QUEUES; q++) {
		for (unsigned int i = below(&d->rng, 12); i > 0; i--)
			post(d, &d->drivers[q]);
		guest_ring_kick(&d->fe.vqs[q]);
	}
}

/* --- frontend ------------------------------------------------------------------- */

static void must(int ret, const char *what)
{
	if (ret != 0)
		fail(what);
}

static bool is_up(void *arg)
{
	return __atomic_load_n(&((struct device *)arg)->vid, __ATOMIC_SEQ_CST) >= 0;
}

static bool is_gone(void *arg)
{
	return __atomic_load_n(&((struct device *)arg)->vid, __ATOMIC_SEQ_CST) < 0;
}

static bool is_closed(void *arg)
{
	return !__atomic_load_n(&((struct device *)arg)->connected, __ATOMIC_SEQ_CST);
}

/* All sessions go with the application's device: opens those that requests are for. */
static void open_sessions(struct device *d)
{
	for (unsigned int key = 0; key < 2; key++) {
		const struct guest_crypto_session s = session_of(key);
		int64_t id = 0;

		/* If it is there still. */
		(void)guest_crypto_session_close(&d->fe, d->ids[key]);
		must(guest_crypto_session_create(&d->fe, &s, GUEST_CRYPTO_NEW_FORM, &id),
		     "CREATE_CRYPTO_SESSION");
		if (id <= 0)
			fail("no session");
		d->ids[key] = (uint64_t)id;
	}
	d->gone_id = 0;
}

static void churn_sessions(struct device *d)
{
	const unsigned int key = below(&d->rng, 2);
	const struct guest_crypto_session s = session_of(key);
	int64_t id = 0;

	must(guest_crypto_session_create(&d->fe, &s, GUEST_CRYPTO_OLD_FORM, &id),
	     "CREATE_CRYPTO_SESSION");
	if (id <= 0)
		fail("no session");
	/* Another one for the same key; the old one has requests under way. */
	must(guest_crypto_session_close(&d->fe, d->ids[key]), "CLOSE_CRYPTO_SESSION");
	d->gone_id = d->ids[key];
	d->ids[key] = (uint64_t)id;
}

static void back_up(struct device *d)
{
	if (!flow_wait_until(is_up, d, PATIENCE_US / 1000))
		fail("no new_device");
	else
		open_sessions(d);
	d->generation++;
}

static void set_up_guest(struct device *d)
{
	for (unsigned int q = 0; q < QUEUES; q++)
		if (guest_crypto_init(&d->drivers[q], &d->fe.vqs[q], false, SLOTS, SLOT_BYTES) != 0)
			fail("no memory");
}

static void dial(struct device *d)
{
	bool fresh = d->fe.vqs == NULL;

	if (fresh)
		fe_init(&d->fe);
	d->fe.timeout_ms = PATIENCE_US / 1000;
	d->fe.use_ack = false;
	must(fe_connect(&d->fe, d->path), "cannot connect");
	must(fe_negotiate(&d->fe, &d->config), "cannot negotiate");
	/* The connection before this one is gone now, to the end: nobody gives back any more. */
	if (!fresh)
		collect(d);
	must(fe_build(&d->fe, &d->config), "no memory");
	must(fe_start(&d->fe, &d->config), "cannot start");
	d->fe.use_ack = true;
	d->lives++;
	if (fresh && !failed())
		set_up_guest(d);
	if (!failed())
		back_up(d);
}

static void hang_up(struct device *d)
{
	fe_disconnect(&d->fe);
	if (!flow_wait_until(is_closed, d, PATIENCE_US / 1000))
		fail("no destroy_connection");
}

static void restart_ring(struct device *d, unsigned int q)
{
	uint32_t base;

	must(fe_get_vring_base(&d->fe, q, &base), "GET_VRING_BASE");
	collect(d);
	if (flow_packed ? (uint16_t)base != base >> 16 :
			  (uint16_t)base != guest_split_used_idx(&d->fe.vqs[q]))
		fail("a stopped ring holds on to requests");
	must(fe_start_vring(&d->fe, q), "cannot start a ring");
	back_up(d);
}

/* The guest starts anew, with what it has. */
static void reset_device(struct device *d)
{
	must(fe_reset_device(&d->fe), "RESET_DEVICE");
	if (!flow_wait_until(is_gone, d, PATIENCE_US / 1000))
		fail("no destroy_device");
	collect(d);
	must(fe_set_features(&d->fe, d->fe.features), "SET_FEATURES");
	must(fe_start(&d->fe, &d->config), "cannot start again");
	back_up(d);
}

static void control(struct device *d)
{
	const uint32_t q = below(&d->rng, QUEUES);

	switch (below(&d->rng, 64)) {
	case 0:
		hang_up(d);
		dial(d);
		break;
	case 1: /* as another guest */
		hang_up(d);
		for (unsigned int i = 0; i < QUEUES; i++)
			guest_crypto_fini(&d->drivers[i]);
		fe_close(&d->fe);
		dial(d);
		break;
	case 2 ... 3:
		reset_device(d);
		break;
	case 4 ... 9:
		restart_ring(d, q);
		break;
	case 10 ... 19:
		must(fe_set_mem_table(&d->fe, &d->fe.mem), "SET_MEM_TABLE");
		break;
	case 20 ... 29:
		must(fe_set_vring_enable(&d->fe, q, false), "SET_VRING_ENABLE");
		if (below(&d->rng, 2) != 0)
			guest_turn(d);
		must(fe_set_vring_enable(&d->fe, q, true), "SET_VRING_ENABLE");
		/* The first queue carries the device. */
		back_up(d);
		break;
	case 30 ... 34:
		must(fe_set_vring_kick(&d->fe, q, d->fe.vqs[q].kickfd), "SET_VRING_KICK");
		must(fe_set_vring_call(&d->fe, q, d->fe.vqs[q].callfd), "SET_VRING_CALL");
		break;
	case 35 ... 50:
		churn_sessions(d);
		break;
	default:
		break;
	}
}

static bool has_enough(const struct device *d)
{
	return d->steps >= STEPS_WANTED && d->right >= REQUESTS_WANTED && d->lives >= LIVES_WANTED &&
	       __atomic_load_n(&rests, __ATOMIC_SEQ_CST) != 0;
}

static bool is_served(struct device *d)
{
	unsigned int n = 0;

	for (unsigned int q = 0; q < QUEUES; q++)
		n += d->drivers[q].outstanding;
	return n == 0;
}

static void *control_thread(void *arg)
{
	struct device *d = arg;
	uint64_t until = 0;

	dial(d);
	while (!failed()) {
		if (__atomic_load_n(&stop_control, __ATOMIC_RELAXED)) {
			if (has_enough(d))
				break;
			if (until == 0)
				until = flow_now_us() + PATIENCE_US;
			if (flow_now_us() > until)
				fail("too little happened");
		}
		guest_turn(d);
		control(d);
		d->steps++;
		if (d->steps % 4 == 0)
			usleep(100);
	}
	/* In peace: whatever was posted is served. */
	until = flow_now_us() + PATIENCE_US;
	while (!failed() && !is_served(d)) {
		collect(d);
		usleep(200);
		if (flow_now_us() > until)
			fail("the host stopped serving requests");
	}
	if (failed()) /* whatever state this is in */
		return NULL;
	hang_up(d);
	for (unsigned int q = 0; q < QUEUES; q++)
		guest_crypto_fini(&d->drivers[q]);
	fe_close(&d->fe);
	return NULL;
}

/* --- all of it -------------------------------------------------------------------- */

static void make_pools(void)
{
	if (op_pool != NULL)
		return;
	op_pool = rte_crypto_op_pool_create("stress", RTE_CRYPTO_OP_TYPE_SYMMETRIC, NR_OPS, 0,
					    VHOST_CRYPTO_MAX_IV_LEN + 8, 0);
	to_cryptodev = rte_ring_create("to_cryptodev", NR_OPS + 1, 0, 0);
	done = rte_ring_create("done", NR_OPS + 1, 0, 0);
	CHECK(op_pool != NULL && to_cryptodev != NULL && done != NULL);
}

static void run(unsigned int seconds)
{
	static const struct guest_region_spec region = { .size_bytes = 4u << 20 };
	pthread_t data[FETCHERS + FINALIZERS + 1];
	unsigned int n = 0;

	make_pools();
	problem = NULL;
	stop_control = stop_data = false;
	fetched = finalized = 0;
	rests = waits = 0;
	for (unsigned int i = 0; i < DEVICES; i++) {
		struct device *d = &devices[i];

		*d = (struct device){ .vid = -1, .rng = seed + 0x9e3779b97f4a7c15 * (i + 1) };
		d->config = (struct fe_config){
			.features = FE_F_VERSION_1 | FE_F_INDIRECT_DESC |
				    (i == 1 ? FE_F_EVENT_IDX : 0),
			.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
					     1u << FE_PROTOCOL_F_CRYPTO_SESSION |
					     1u << FE_PROTOCOL_F_CONFIG |
					     1u << FE_PROTOCOL_F_RESET_DEVICE,
			.nr_queues = QUEUES,
			.ring_size = 64,
			.regions = &region,
			.nregions = 1,
		};
		d->path = strdup(flow_serve_ops(RTE_VHOST_USER_ASYNC_COPY, &ops_of[i]));
	}
	for (uintptr_t i = 0; i < FETCHERS; i++)
		data[n++] = attack_thread(fetcher, (void *)i);
	for (uintptr_t i = 0; i < FINALIZERS; i++)
		data[n++] = attack_thread(finalizer, (void *)i);
	data[n++] = attack_thread(worker, NULL);
	for (unsigned int i = 0; i < DEVICES; i++)
		devices[i].thread = attack_thread(control_thread, &devices[i]);
	for (unsigned int i = 0; i < 10 * seconds && !failed(); i++)
		usleep(100000);
	__atomic_store_n(&stop_control, true, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < DEVICES; i++)
		pthread_join(devices[i].thread, NULL);
	__atomic_store_n(&stop_data, true, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(data[i], NULL);
	for (unsigned int i = 0; i < DEVICES; i++) {
		flow_unserve(devices[i].path);
		free((void *)(uintptr_t)devices[i].path);
	}
}

static void everything_at_once(void)
{
	run(is_soak() ? 300 : 4);
	for (unsigned int i = 0; i < DEVICES; i++)
		fprintf(tap.out,
			"# device %u: %llu steps, %llu lives, %llu requests (wanted: %u, %u, %u), "
			"%llu of no session\n",
			i, (unsigned long long)devices[i].steps,
			(unsigned long long)devices[i].lives,
			(unsigned long long)devices[i].right, STEPS_WANTED, LIVES_WANTED,
			REQUESTS_WANTED, (unsigned long long)devices[i].refused);
	fprintf(tap.out, "# %llu operations, %u rests, %u times ended devices were waited for\n",
		(unsigned long long)fetched, rests, waits);
	if (failed())
		tap_fail(__FILE__, __LINE__, "%s (seed %llu)", problem, (unsigned long long)seed);
	CHECK_EQ(fetched, finalized);
	CHECK_EQ(rte_mempool_in_use_count(op_pool), 0);
	CHECK(bystander_unharmed());
	CHECK(rig_nothing_left());
	CHECK(no_pools(NULL));
}

/* An application as it should be; its operations may be on guest memory. */
static void at_once_with_care(void)
{
	drains = true;
	everything_at_once();
}

/* One that lets operations go on when their device has gone. */
static void at_once_without_care(void)
{
	drains = false;
	everything_at_once();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "everything at once, drained", at_once_with_care },
		{ "everything at once", at_once_without_care },
	};
	const char *given = getenv("VHOST_NG_SEED");

	seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	fprintf(stderr, "# VHOST_NG_SEED=%llu\n", (unsigned long long)seed);
	return crypto_main(argc, argv, tests, RTE_DIM(tests), NULL);
}
