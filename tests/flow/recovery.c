/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The net data path is killed, its frontend keeps the in-flight areas, and the next backend goes
 * on: each chain of the guest comes back exactly once. Killed after every instruction of a burst,
 * which a child of this process runs step by step while the guest and the next backend are in this
 * one; and in a process of its own, by SIGKILL at random times under load in both directions.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <rte_vhost_async.h>

#include "chains.h"
#include "crash.h"
#include "flow_main.h"
#include "load.h"

#define RING_SIZE 32

#define TX 1
#define RX 0

static struct flow flow;
static struct fe_config config;
static struct rte_mempool *pool;
static struct chains queues[2];

static void
make_config(uint64_t features, uint16_t base)
{
	config = (struct fe_config) {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_INDIRECT_DESC | features,
		.ring_size = RING_SIZE,
		.base = base,
		.inflight = true,
	};
}

/* --- an engine, which copies when it is asked ------------------------------ */

static bool with_engine;
static struct copy {
	struct iovec src[CHAINS_PIECES_MAX * 12], dst[CHAINS_PIECES_MAX * 12];
	unsigned long nr_pieces;
} copies[LOAD_BURST];
static unsigned nr_started, nr_reported;

static int32_t
transfer(int vid, uint16_t queue_id, struct rte_vhost_async_desc *descs,
	 struct rte_vhost_async_status *opaque_data, uint16_t count)
{
	(void)vid;
	(void)queue_id;
	(void)opaque_data;
	for (uint16_t i = 0; i < count; i++) {
		struct copy *c = &copies[nr_started++ % LOAD_BURST];

		c->nr_pieces = descs[i].src->nr_segs;
		RTE_VERIFY(c->nr_pieces <= RTE_DIM(c->src));
		memcpy(c->src, descs[i].src->iov, c->nr_pieces * sizeof(c->src[0]));
		memcpy(c->dst, descs[i].dst->iov, c->nr_pieces * sizeof(c->dst[0]));
	}
	return count;
}

static int32_t
completed(int vid, uint16_t queue_id, struct rte_vhost_async_status *opaque_data,
	  uint16_t max_packets)
{
	uint16_t n;

	(void)vid;
	(void)queue_id;
	(void)opaque_data;
	/* A few at a time. */
	for (n = 0; n < 5 && n < max_packets && nr_reported != nr_started; n++) {
		const struct copy *c = &copies[nr_reported++ % LOAD_BURST];

		for (unsigned long i = 0; i < c->nr_pieces; i++)
			memcpy(c->dst[i].iov_base, c->src[i].iov_base, c->src[i].iov_len);
	}
	return n;
}

static void
make_channels(void)
{
	static struct rte_vhost_async_channel_ops ops = {transfer, completed};
	const struct rte_vhost_async_config async = {
		.async_threshold = 40, .features = RTE_VHOST_ASYNC_INORDER,
	};

	for (uint16_t i = 0; i < 2 && with_engine; i++)
		CHECK_EQ(rte_vhost_async_channel_register(flow.vid, i, async, &ops), 0);
}

static void
submit_some(int vid, struct rte_mempool *mbufs)
{
	struct rte_mbuf *m[LOAD_BURST];
	unsigned n = load_make(m, mbufs), sent;

	sent = rte_vhost_submit_enqueue_burst(vid, RX, m, (uint16_t)n, NULL, NULL);
	rte_pktmbuf_free_bulk(m + sent, n - sent);
	while (rte_vhost_async_get_inflight(vid, RX) > 0) {
		n = rte_vhost_poll_enqueue_completed(vid, RX, m, LOAD_BURST);
		rte_pktmbuf_free_bulk(m, n);
	}
}

static void
fetch_some(int vid, struct rte_mempool *mbufs)
{
	struct rte_mbuf *m[LOAD_BURST];
	int nr_inflight;

	do {
		unsigned n = rte_vhost_async_try_dequeue_burst(vid, TX, mbufs, m, LOAD_BURST,
							       &nr_inflight);

		rte_pktmbuf_free_bulk(m, n);
	} while (nr_inflight > 0);
}

/* --- after every instruction ---------------------------------------------- */

static void
work(void *queue)
{
	if (with_engine && queue == &queues[TX])
		fetch_some(flow.vid, pool);
	else if (with_engine)
		submit_some(flow.vid, pool);
	else if (queue == &queues[TX])
		load_take(flow.vid, pool);
	else
		load_send(flow.vid, pool);
}

static void
work_in_child(void *queue)
{
	flow_own_memory();
	work(queue);
}

/* All that both sides write: the queue and its area, and what is in the buffers. */
static unsigned
memories(struct crash_memory *m, const struct chains *q, uint8_t *areas)
{
	const struct guest_ring *vq = q->vq;
	struct guest_memory *mem = &flow.fe.mem;
	uint64_t bytes[3];

	vq->format->area_bytes(vq->size, bytes);
	m[0] = (struct crash_memory) {guest_ptr(mem, vq->desc_gpa, bytes[0]), bytes[0], true};
	m[1] = (struct crash_memory) {guest_ptr(mem, vq->avail_gpa, bytes[1]), bytes[1], true};
	m[2] = (struct crash_memory) {guest_ptr(mem, vq->used_gpa, bytes[2]), bytes[2], true};
	m[3] = (struct crash_memory) {areas, flow.fe.inflight.size_bytes, true};
	m[4] = (struct crash_memory) {mem->regions[0].local, mem->regions[0].used_bytes, false};
	return 5;
}

/* The backend of before is gone; another one takes its place. */
static void
replace_backend(void)
{
	fe_disconnect(&flow.fe);
	CHECK(rec_wait_tail("-conn"));
	rec_reset();
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_negotiate(&flow.fe, &config), 0);
	CHECK_EQ(fe_start(&flow.fe, &config), 0);
	CHECK(rec_wait_tail("+dev"));
	flow.vid = rec_vid();
	make_channels();
}

static void
serve_all(struct chains *q)
{
	for (unsigned i = 0; i < 100 && q->nr_done < q->nr_posted; i++) {
		work(q);
		chains_reap(q);
	}
	if (q->nr_done != q->nr_posted)
		for (uintptr_t i = 1; i <= q->nr_posted; i++)
			CHECK_EQ(q->done[i], 1);
}

/* `q` as it was, to be restored. */
static struct chains saved;

static void
killed(struct chains *q)
{
	uint8_t *areas = mmap(NULL, flow.fe.inflight.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			      flow.fe.inflight_fd, (off_t)flow.fe.inflight.offset_bytes);
	struct crash_memory m[CRASH_MEMORIES];
	struct crash_states states;
	struct crash_guest guest;

	CHECK(areas != MAP_FAILED);
	while (chains_post(q))
		;
	CHECK_EQ(crash_record(&states, m, memories(m, q, areas), work_in_child, q), 0);
	fprintf(tap.out, "# %lu instructions, %u states\n", states.instructions, states.nr_states);
	CHECK(states.nr_states > (flow_packed ? 30 : 10));
	crash_guest_save(&guest, q->vq);
	saved = *q;
	for (unsigned i = 0; i < states.nr_states; i++) {
		crash_restore(&states, i);
		crash_guest_restore(&guest, q->vq);
		*q = saved;
		/* Some guests go on before the next backend comes. */
		for (chains_reap(q); i % 2 == 0 && chains_post(q);)
			;
		replace_backend();
		serve_all(q);
	}
	crash_guest_forget(&guest);
	crash_forget(&states);
	munmap(areas, flow.fe.inflight.size_bytes);
}

static void
after_every_instruction(unsigned queue)
{
	/* Both ways over the end of the ring, and in order. */
	static const struct {
		uint64_t features;
		uint16_t base;
	} starts[] = {
		{0, RING_SIZE - 9}, {0, 2 * RING_SIZE - 3}, {FE_F_IN_ORDER, RING_SIZE - 5},
	};

	for (unsigned i = 0; i < RTE_DIM(starts); i++) {
		make_config(starts[i].features, starts[i].base);
		pool = flow_pool(1023, 2048);
		flow_up(&flow, with_engine ? RTE_VHOST_USER_ASYNC_COPY : 0, &config);
		make_channels();
		CHECK_EQ(flow.fe.features & starts[i].features, starts[i].features);
		chains_init(&queues[queue], &flow.fe, queue);
		killed(&queues[queue]);
		CHECK(flow_pool_full(pool));
		flow_down(&flow);
		rte_mempool_free(pool);
		pool = NULL;
	}
}

static void dequeue_after_every_instruction(void) { after_every_instruction(TX); }
static void enqueue_after_every_instruction(void) { after_every_instruction(RX); }

static void
fetch_after_every_instruction(void)
{
	with_engine = true;
	after_every_instruction(TX);
}

static void
submit_after_every_instruction(void)
{
	with_engine = true;
	after_every_instruction(RX);
}

/* --- by SIGKILL, under load ----------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__
#define KILLS 100 /* each takes its time; those without sanitizers are as many as ever */
#else
#define KILLS 300
#endif

static pid_t backend_pid = -1;
/* What the backends have done, all together; shared. */
static struct {
	uint64_t taken, sent;
} *counts;

/*
 * A process of its own, which never returns. This one has no thread of the library's: it has
 * registered nothing yet.
 */
static void __attribute__((noreturn))
backend(const char *path)
{
	struct rte_mempool *mbufs;
	cpu_set_t all;

	/* EAL has tied us to one core; there, it would never be killed in the midst of its work. */
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	flow_own_memory();
	mbufs = flow_pool(1023, 2048);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (rte_vhost_driver_register(path, 0) != 0 ||
	    rte_vhost_driver_callback_register(path, &rec_ops) != 0 ||
	    rte_vhost_driver_start(path) != 0)
		_exit(3);
	for (;;) {
		/* The queues of a device that is not there yet give and take nothing. */
		unsigned taken = load_take(0, mbufs), sent = load_send(0, mbufs);

		counts->taken += taken;
		counts->sent += sent;
		if (taken + sent == 0)
			sched_yield();
	}
}

static void
spawn_backend(void)
{
	backend_pid = fork();
	CHECK(backend_pid >= 0);
	if (backend_pid == 0)
		backend(flow.path);
}

static void
kill_backend(void)
{
	int status = 0;

	kill(backend_pid, SIGKILL);
	CHECK_EQ(waitpid(backend_pid, &status, 0), backend_pid);
	backend_pid = -1;
	/* Not ended by itself. */
	CHECK(WIFSIGNALED(status));
}

static void
killed_under_load(void)
{
	unsigned long before;

	make_config(0, RING_SIZE - 9);
	flow.path = flow_path();
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	CHECK(counts != MAP_FAILED);
	fe_init(&flow.fe);
	srandom(1);
	for (unsigned life = 0; life <= KILLS; life++) {
		spawn_backend();
		CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
		CHECK_EQ(fe_negotiate(&flow.fe, &config), 0);
		if (life == 0) {
			CHECK_EQ(fe_build(&flow.fe, &config), 0);
			chains_init(&queues[TX], &flow.fe, TX);
			chains_init(&queues[RX], &flow.fe, RX);
		}
		CHECK_EQ(fe_start(&flow.fe, &config), 0);
		chains_work_until_done(queues, 1 + (uintptr_t)random() % 1000);
		if (life == KILLS)
			break;
		/* And a little longer, so that it is not always caught at the same place. */
		for (long turns = random() % 50; turns > 0; turns--)
			chains_work(queues, true);
		kill_backend();
		fe_disconnect(&flow.fe);
	}
	before = chains_nr_done(queues);
	CHECK(flow_wait_until(chains_all_done, queues, 20000));
	kill_backend();
	fprintf(tap.out, "# %u kills, %lu chains came back, %lu after the last; %lu and %lu packets\n",
		KILLS, (unsigned long)chains_nr_done(queues), (unsigned long)chains_nr_done(queues) - before,
		(unsigned long)counts->taken, (unsigned long)counts->sent);
}

static void
teardown(void)
{
	if (backend_pid > 0) {
		kill(backend_pid, SIGKILL);
		waitpid(backend_pid, NULL, 0);
		backend_pid = -1;
	}
	if (counts != NULL) {
		munmap(counts, sizeof(*counts));
		fe_close(&flow.fe);
	}
	counts = NULL;
	with_engine = false;
	flow_teardown();
	rte_mempool_free(pool);
	pool = NULL;
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		/* First: while there is no thread of the library that a child would be without. */
		FLOW_TEST(killed_under_load),
		FLOW_TEST(dequeue_after_every_instruction),
		FLOW_TEST(enqueue_after_every_instruction),
		FLOW_TEST(fetch_after_every_instruction),
		FLOW_TEST(submit_after_every_instruction),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), NULL, teardown);
}
