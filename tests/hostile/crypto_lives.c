/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes and goes while requests of a crypto device are under way: its frontend, its rings, its
 * sessions, its memory, the application's wish to have it. Every operation can be finished, nothing
 * of what it held is left, and no guest finds what it does not expect any more.
 */
#include <fcntl.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "crypto_rig.h"

#define NR_REQUESTS 24
#define NR_DESCS 4 /* of the ring, for each of them */
#define NR_PIECES 40
#define LARGE_BYTES (64u << 10)

/* --- requests of all sorts ---------------------------------------------------- */

static uint64_t ids[4];

static void open_sessions(void)
{
	ids[0] = session_open(KIND_CBC);
	ids[1] = session_open(KIND_GCM);
	ids[2] = session_open(KIND_CTR);
	ids[3] = session_open(KIND_CHAIN);
}

/* Request `i` of its sort; where it stands in memory follows from the sort. */
static struct shot sort_of(unsigned int i)
{
	switch (i % 4) {
	case 0:
		return shot_of(KIND_CBC, ids[0], 512);
	case 1:
		return shot_of(KIND_GCM, ids[1], 300);
	case 2:
		return shot_of(KIND_CTR, ids[2], i % 8 == 2 ? NR_PIECES : LARGE_BYTES);
	default:
		return shot_of(KIND_CHAIN, ids[3], 256);
	}
}

static uint64_t source_of(unsigned int i)
{
	return BORDER + (i % 8) * 2 * LARGE_BYTES;
}

static uint64_t result_of(unsigned int i)
{
	return BORDER + LARGE_REGION_BYTES / 2 + (i % 8) * 2 * LARGE_BYTES;
}

static uint64_t status_at(unsigned int i)
{
	const struct shot s = sort_of(i);

	return result_of(i) + s.writable_bytes - 1;
}

static void offer(struct guest_ring *vq, unsigned int i)
{
	struct shot s = sort_of(i);
	uint16_t head = (uint16_t)(i % (vq->size / NR_DESCS) * NR_DESCS);

	guest_write(&rig.flow.fe.mem, source_of(i), &s.head, s.head_bytes);
	read_gpa = source_of(i);
	write_gpa = result_of(i);
	if (i % 8 == 2) {
		uint64_t table = source_of(i) + LARGE_BYTES;

		indirect(table, 0, read_gpa, s.head_bytes + s.body_bytes, GUEST_DESC_NEXT, 1);
		for (unsigned int j = 0; j < s.writable_bytes; j++)
			indirect(table, 1 + j, write_gpa + j, 1,
				 GUEST_DESC_WRITE |
					 (j + 1 < s.writable_bytes ? GUEST_DESC_NEXT : 0),
				 (uint16_t)(2 + j));
		rig_desc(vq, head, table, (1 + s.writable_bytes) * DESC_BYTES,
			 GUEST_DESC_INDIRECT, 0);
	} else {
		shot_chain(vq, head, &s);
	}
	rig_offer(vq, head);
}

static void offer_all(struct guest_ring *vq)
{
	guest_fill(&rig.flow.fe.mem, BORDER + LARGE_REGION_BYTES / 2, FILL,
		   LARGE_REGION_BYTES / 2);
	for (unsigned int i = 0; i < NR_REQUESTS; i++)
		offer(vq, i);
}

/* --- how far they are ----------------------------------------------------------- */

enum moment { OFFERED, TAKEN, IN_CRYPTODEV, DONE, HALF_GIVEN, NR_MOMENTS };

static const char *const moment_names[NR_MOMENTS] = {
	"offered", "taken", "in the cryptodev", "done", "half of them given back",
};

static struct rte_crypto_op *ops[2 * NR_REQUESTS];
static unsigned int nr_ops, nr_enqueued;

static void get_there(struct guest_ring *vq, enum moment moment)
{
	nr_ops = nr_enqueued = 0;
	offer_all(vq);
	if (moment == OFFERED)
		return;
	nr_ops = take(vq, ops, NR_REQUESTS);
	CHECK_EQ(nr_ops, NR_REQUESTS);
	if (moment == IN_CRYPTODEV) {
		nr_enqueued = rte_cryptodev_enqueue_burst(crypto_app.cryptodev_id,
							  CRYPTO_APP_QUEUE_PAIR, ops,
							  (uint16_t)nr_ops);
		CHECK_EQ(nr_enqueued, nr_ops);
	}
	if (moment >= DONE)
		(void)crypto_app_run(ops, nr_ops);
	if (moment == HALF_GIVEN) {
		(void)give(ops, nr_ops / 2);
		nr_ops -= nr_ops / 2;
		memmove(ops, ops + nr_ops, nr_ops * sizeof(ops[0]));
	}
}

static bool is_dequeued(void *arg)
{
	unsigned int *n = arg;

	*n += rte_cryptodev_dequeue_burst(crypto_app.cryptodev_id, CRYPTO_APP_QUEUE_PAIR, ops + *n,
					  (uint16_t)(nr_enqueued - *n));
	return *n == nr_enqueued;
}

/* The application ends what it has. */
static void end_there(enum moment moment)
{
	unsigned int n = 0;

	if (moment == TAKEN)
		(void)crypto_app_run(ops, nr_ops);
	if (moment == IN_CRYPTODEV)
		CHECK(flow_wait_until(is_dequeued, &n, TIMEOUT_MS));
	(void)give(ops, nr_ops);
}

/* --- what happens ------------------------------------------------------------------ */

static const char *path;

static void up(void)
{
	crypto_rig_large = true;
	crypto_up(0, NR_REQUESTS * NR_DESCS <= 128 ? 128 : 256);
	path = rig.flow.path;
	open_sessions();
}

static void hang_up(void)
{
	fe_disconnect(&rig.flow.fe);
	CHECK(rec_wait_tail("-conn"));
}

static void unregister(void)
{
	flow_unserve(path);
	path = NULL;
	CHECK(rec_wait_tail("-conn"));
}

static void free_device(void)
{
	CHECK_EQ(rte_vhost_crypto_free(rig.flow.vid), 0);
	CHECK(rte_vhost_crypto_free(rig.flow.vid) < 0);
}

static void free_and_create(void)
{
	free_device();
	CHECK_EQ(rte_vhost_crypto_create(rig.flow.vid, crypto_app.cryptodev_id,
					 crypto_app.session_pool, 0),
		 0);
	CHECK(rte_vhost_crypto_create(rig.flow.vid, crypto_app.cryptodev_id,
				      crypto_app.session_pool, 0) < 0);
}

static void stop_ring(void)
{
	CHECK_EQ(fe_get_vring_base(&rig.flow.fe, 0, NULL), 0);
}

static void restart_ring(void)
{
	CHECK_EQ(rig_restart(0), 0);
}

static void reset_device(void)
{
	CHECK_EQ(fe_reset_device(&rig.flow.fe), 0);
}

static void disable(void)
{
	CHECK_EQ(fe_set_vring_enable(&rig.flow.fe, 0, false), 0);
}

static void disable_and_enable(void)
{
	disable();
	CHECK_EQ(fe_set_vring_enable(&rig.flow.fe, 0, true), 0);
}

static void close_sessions(void)
{
	for (unsigned int i = 0; i < RTE_DIM(ids); i++)
		session_close(ids[i]);
}

static void set_mem_table(void)
{
	CHECK_EQ(fe_set_mem_table(&rig.flow.fe, &rig.flow.fe.mem), 0);
}

static void toggle_zero_copy(void)
{
	CHECK_EQ(rte_vhost_crypto_set_zero_copy(rig.flow.vid,
						is_in_place() ?
							RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE :
							RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE),
		 0);
}

enum fate {
	COME_BACK,  /* what was taken is given back with its result; the ring stays */
	FORGOTTEN,  /* the ring has gone: nothing is written */
	ALL_GONE,   /* and so has the device */
};

static const struct event {
	const char *name;
	void (*happen)(void);
	enum fate fate;
	bool keeps_device; /* destroy_device() does not free it */
} events[] = {
	{ "hang up", hang_up, ALL_GONE, false },
	{ "hang up, nobody frees", hang_up, ALL_GONE, true },
	{ "unregister", unregister, ALL_GONE, false },
	{ "unregister, nobody frees", unregister, ALL_GONE, true },
	{ "rte_vhost_crypto_free()", free_device, COME_BACK, true },
	{ "rte_vhost_crypto_free() and create", free_and_create, COME_BACK, false },
	{ "GET_VRING_BASE", stop_ring, FORGOTTEN, false },
	{ "GET_VRING_BASE and a new ring", restart_ring, FORGOTTEN, false },
	{ "RESET_DEVICE", reset_device, FORGOTTEN, false },
	{ "disable", disable, COME_BACK, false },
	{ "disable and enable", disable_and_enable, COME_BACK, false },
	{ "CLOSE_CRYPTO_SESSION", close_sessions, COME_BACK, false },
	{ "SET_MEM_TABLE", set_mem_table, COME_BACK, false },
	{ "zero copy or not", toggle_zero_copy, COME_BACK, false },
};

/* All that was taken is back, as if nothing had happened. */
static void check_results(enum moment moment)
{
	unsigned int n = rig_used(rig.rx, NULL);

	CHECK_EQ(n, moment == OFFERED ? 0 : NR_REQUESTS);
	for (unsigned int i = 0; i < NR_REQUESTS && moment != OFFERED; i++)
		CHECK_EQ(byte_at(status_at(i)), VIRTIO_CRYPTO_OK);
}

/* What a device in place has under way may be written by the cryptodev, but for the status. */
static void check_nothing_written(void)
{
	const struct rig_range results = { BORDER + LARGE_REGION_BYTES / 2,
					   LARGE_REGION_BYTES / 2 };

	CHECK(rig_only_changed(&results, is_in_place() ? 1 : 0));
}

static bool is_gone(void *arg)
{
	(void)arg;
	return no_pools(NULL) && rig_count_maps() == rig.maps + rig.flow.fe.mem.nregions;
}

static void try(const struct event *e, enum moment moment)
{
	uint8_t before[NR_REQUESTS];

	fprintf(stderr, "# %s, %s\n", moment_names[moment], e->name);
	crypto_app.keeps_devices = e->keeps_device;
	up();
	get_there(rig.rx, moment);
	e->happen();
	rig_picture();
	for (unsigned int i = 0; i < NR_REQUESTS; i++)
		before[i] = byte_at(status_at(i));
	end_there(moment);
	switch (e->fate) {
	case COME_BACK:
		check_results(moment);
		break;
	case FORGOTTEN:
	case ALL_GONE:
		check_nothing_written();
		for (unsigned int i = 0; i < NR_REQUESTS; i++)
			CHECK_EQ(byte_at(status_at(i)), before[i]);
		break;
	}
	if (e->happen == free_device)
		CHECK(no_pools(NULL));
	else if (e->fate != ALL_GONE)
		CHECK_EQ(look_at_pools().in_use, 0);
	if (e->fate != ALL_GONE)
		hang_up();
	CHECK(flow_wait_until(is_gone, NULL, TIMEOUT_MS));
	/* The driver takes the next one. */
	if (path != NULL)
		flow_unserve(path);
	path = NULL;
	fe_close(&rig.flow.fe);
	flow_forget();
	rig.up = false;
	CHECK(rig_nothing_left());
}

static void at_any_moment(enum rte_vhost_crypto_zero_copy zero_copy)
{
	for (unsigned int i = 0; i < RTE_DIM(events); i++)
		for (unsigned int m = 0; m < NR_MOMENTS; m++) {
			crypto_app.zero_copy = zero_copy;
			try(&events[i], (enum moment)m);
		}
	CHECK(bystander_unharmed());
}

static void requests_under_way(void)
{
	at_any_moment(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE);
}

static void requests_under_way_in_place(void)
{
	at_any_moment(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE);
}

/* --- sessions ------------------------------------------------------------------------ */

static void sessions_up_to_the_limit(void)
{
	static uint64_t open[VHOST_CRYPTO_SESSION_MAP_ENTRIES];
	const unsigned int churn = is_soak() ? 100000 : 3000;
	int64_t id;

	crypto_up(0, RING_SIZE);
	for (unsigned int i = 0; i < RTE_DIM(open); i++)
		open[i] = session_open(KIND_CBC);
	for (unsigned int k = 0; k < NR_KINDS; k++) {
		CHECK_EQ(guest_crypto_session_create(&rig.flow.fe, &kinds[k].session,
						     GUEST_CRYPTO_OLD_FORM, &id),
			 0);
		CHECK_EQ(id, -VIRTIO_CRYPTO_NOSPC);
	}
	/* In any order; no number comes back. */
	for (unsigned int i = 0; i < churn; i++) {
		unsigned int at = random_below(RTE_DIM(open));
		struct shot s = shot_of(KIND_CBC, open[at], 16);

		session_close(open[at]);
		open[at] = session_open((enum kind)(i % NR_KINDS));
		CHECK(open[at] != s.head.header.session_id);
		if (i % 16 == 0)
			CHECK_EQ(fire(rig.rx, &s).status, VIRTIO_CRYPTO_INVSESS);
	}
	for (unsigned int i = 0; i < RTE_DIM(open); i++)
		session_close(open[i]);
	CHECK_EQ(rte_mempool_in_use_count(crypto_app.session_pool), crypto_sessions_before);
	/* The frontend may also just go. */
	for (unsigned int i = 0; i < RTE_DIM(open); i++)
		open[i] = session_open(KIND_MAC);
	crypto_down();
}

/* Lines that are logged from now on. */
static struct {
	FILE *file;
	char *text;
	size_t text_bytes;
	uint64_t since_us;
} listening;

static void listen_to_the_log(void)
{
	listening.file = open_memstream(&listening.text, &listening.text_bytes);
	CHECK(listening.file != NULL);
	CHECK_EQ(rte_openlog_stream(listening.file), 0);
	listening.since_us = flow_now_us();
}

static void stop_listening(void)
{
	CHECK_EQ(rte_openlog_stream(NULL), 0);
	fclose(listening.file);
}

/* A guest may have its say, but not fill the log. */
static void log_was_quiet(void)
{
	const uint64_t seconds = (flow_now_us() - listening.since_us) / 1000000 + 2;
	unsigned int lines = 0;

	stop_listening();
	for (size_t i = 0; i < listening.text_bytes; i++)
		lines += listening.text[i] == '\n';
	free(listening.text);
	fprintf(tap.out, "# %u lines in less than %u seconds\n", lines, (unsigned int)seconds);
	CHECK(lines <= 50 * seconds);
}

/* A guest that asks for IVs of all lengths has no more of cryptodev's sessions than one that does
 * not. */
static void sessions_for_all_lengths_of_ivs(void)
{
	const uint32_t at = offsetof(struct virtio_crypto_op_data_req, u.aead_req.para.iv_len);
	unsigned int nr_right = 0;
	uint64_t open[200];

	crypto_up(0, RING_SIZE);
	for (unsigned int i = 0; i < RTE_DIM(open); i++)
		open[i] = session_open(KIND_CCM);
	listen_to_the_log();
	for (unsigned int i = 0; i < RTE_DIM(open); i++)
		for (uint32_t iv = 0; iv <= 33; iv++) {
			struct shot s = shot_of(KIND_CCM, open[i], 16);

			s.body_bytes += iv - kinds[KIND_CCM].iv_bytes;
			memcpy((uint8_t *)&s.head + at, &iv, sizeof(iv));
			nr_right += fire(rig.rx, &s).status == VIRTIO_CRYPTO_OK;
			CHECK(rte_mempool_in_use_count(crypto_app.session_pool) <=
			      crypto_sessions_before + VHOST_CRYPTO_SESSION_MAP_ENTRIES);
		}
	log_was_quiet();
	CHECK(nr_right >= RTE_DIM(open));
	for (unsigned int i = 0; i < RTE_DIM(open); i++)
		session_close(open[i]);
	CHECK_EQ(rte_mempool_in_use_count(crypto_app.session_pool), crypto_sessions_before);
	crypto_down();
}

/* --- memory of EAL ------------------------------------------------------------------- */

#define CHUNK_BYTES (1u << 20)

/* Also where it lasts for some of what a device has: that is given back, and the log says why. */
static void no_memory(void)
{
	static void *chunks[512];
	unsigned int n = 0, refused = 0, told = 0;
	int ret;

	crypto_up(0, RING_SIZE);
	CHECK_EQ(rte_vhost_crypto_free(rig.flow.vid), 0);
	while (n < RTE_DIM(chunks) && (chunks[n] = rte_malloc(NULL, CHUNK_BYTES, 0)) != NULL)
		n++;
	for (;;) {
		listen_to_the_log();
		ret = rte_vhost_crypto_create(rig.flow.vid, crypto_app.cryptodev_id,
					      crypto_app.session_pool, 0);
		stop_listening();
		told += strstr(listening.text, rte_strerror(ENOMEM)) != NULL;
		free(listening.text);
		if (ret == 0 || n == 0)
			break;
		CHECK_EQ(ret, -ENOMEM);
		CHECK_EQ(look_at_pools().count, 0);
		refused++;
		rte_free(chunks[--n]);
	}
	while (n != 0)
		rte_free(chunks[--n]);
	CHECK_EQ(ret, 0);
	CHECK(refused != 0);
	CHECK_EQ(told, refused);
	CHECK(serves(rig.rx));
	crypto_down();
}

/* --- other cores ------------------------------------------------------------------------ */

#define NR_CORES 8

static struct {
	pthread_barrier_t turn;
	unsigned int served;
} cores;

/* One large request by a core of its own, whose caches keep what it gives back. */
static void *core(void *arg)
{
	struct rte_crypto_op *taken[1];

	RTE_VERIFY(rte_thread_register() == 0);
	for (unsigned int i = 0; i < NR_CORES; i++) {
		pthread_barrier_wait(&cores.turn);
		if (i == (uintptr_t)arg && take(rig.rx, taken, 1) == 1) {
			(void)crypto_app_run(taken, 1);
			(void)give(taken, 1);
			cores.served++;
		}
	}
	pthread_barrier_wait(&cores.turn);
	rte_thread_unregister();
	return NULL;
}

/* Buffers that rest in the caches of many cores are missing to none. */
static void many_cores(void)
{
	pthread_t threads[NR_CORES];
	struct shot s;

	crypto_rig_large = true;
	crypto_up(0, RING_SIZE);
	s = shot_of(KIND_CTR, session_open(KIND_CTR),
		    (uint32_t)RTE_MIN(crypto_data_max, 1u << 20));
	read_gpa = BORDER;
	write_gpa = BORDER + LARGE_REGION_BYTES / 2;
	shot_write(&s);
	shot_chain(rig.rx, 0, &s);
	for (unsigned int i = 0; i < NR_CORES; i++)
		rig_offer(rig.rx, 0);
	cores.served = 0;
	pthread_barrier_init(&cores.turn, NULL, NR_CORES);
	for (uintptr_t i = 0; i < NR_CORES; i++)
		threads[i] = attack_thread(core, (void *)i);
	for (unsigned int i = 0; i < NR_CORES; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&cores.turn);
	CHECK_EQ(cores.served, NR_CORES);
	CHECK_EQ(rig_used(rig.rx, NULL), NR_CORES);
	read_gpa = rig.buffers_gpa;
	crypto_down();
}

/* --- memory that is no more --------------------------------------------------------------- */

/* The frontend cuts the file that guest memory is in, while requests are on the way. */
static void memory_that_shrinks(enum rte_vhost_crypto_zero_copy zero_copy)
{
	for (unsigned int m = 0; m < NR_MOMENTS; m++) {
		crypto_app.zero_copy = zero_copy;
		up();
		get_there(rig.rx, (enum moment)m);
		/* The second region has the requests, but not the ring. */
		CHECK_EQ(ftruncate(rig.flow.fe.mem.regions[1].fd, 0), 0);
		if (m == OFFERED)
			nr_ops = take(rig.rx, ops, NR_REQUESTS);
		end_there(m == OFFERED ? TAKEN : (enum moment)m);
		CHECK_EQ(rig_used(rig.rx, NULL), NR_REQUESTS);
		CHECK_EQ(look_at_pools().in_use, 0);
		CHECK(bystander_unharmed());
		rig_down();
		CHECK(rig_nothing_left());
		CHECK(no_pools(NULL));
	}
}

static void memory_that_shrinks_under_copies(void)
{
	memory_that_shrinks(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE);
}

static void memory_that_shrinks_in_place(void)
{
	memory_that_shrinks(RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE);
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "requests under way", requests_under_way },
		{ "requests under way, in place", requests_under_way_in_place },
		{ "sessions up to the limit", sessions_up_to_the_limit },
		{ "sessions for all lengths of IVs", sessions_for_all_lengths_of_ivs },
		{ "no memory", no_memory },
		{ "many cores", many_cores },
		{ "memory that shrinks", memory_that_shrinks_under_copies },
		{ "memory that shrinks, in place", memory_that_shrinks_in_place },
	};

	return crypto_main(argc, argv, tests, RTE_DIM(tests), rig_down);
}
