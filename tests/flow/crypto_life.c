/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests that are under way when something else ends: the crypto device, the connection, guest
 * memory, the ring; what a migration is told; a backend that is killed; and that nothing is left
 * behind.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "crypto_cbc.h"
#include "footprint.h"
#include "guest_log.h"

static struct guest_crypto driver;
static struct fe_config config;
static struct cbc session;

/* Requests that the application has taken, in one state or the other. */
#define HELD 8
static struct rte_crypto_op *held[HELD];

static void
driver_up(void)
{
	flow.fe.use_ack = true;
	CHECK_EQ(guest_crypto_init(&driver, &flow.fe.vqs[0], false, RING_SIZE / 4, CBC_SLOT_BYTES),
		 0);
	session = cbc_open(&flow.fe, 1);
}

static void
up_device(enum rte_vhost_crypto_zero_copy zero_copy, uint64_t features, uint64_t protocol_features)
{
	config = CRYPTO_CONFIG;
	config.features |= features;
	config.protocol_features |= protocol_features;
	crypto_app.zero_copy = zero_copy;
	flow_up(&flow, RTE_VHOST_USER_ASYNC_COPY, &config);
	CHECK_EQ(crypto_app.create_result, 0);
	CHECK_EQ(crypto_app.zero_copy_result, 0);
	driver_up();
}

static void
device_down(void)
{
	guest_crypto_fini(&driver);
	flow_down(&flow);
	CHECK(crypto_app_idle());
	CHECK_EQ(rte_mempool_in_use_count(crypto_app.session_pool), 0);
}

static void
hold(uint32_t number)
{
	for (uint32_t i = 0; i < HELD; i++)
		cbc_post(&driver, &session, number + i);
	CHECK_EQ(crypto_app_fetch(flow.vid, 0, held, HELD), HELD);
}

static void
run_and_finalize(void)
{
	crypto_app_run(held, HELD);
	crypto_app_finalize(held, HELD);
}

/* Since rec_reset(). */
static bool
new_device_seen(void *arg)
{
	(void)arg;
	return strstr(rec_text(), "+dev") != NULL;
}

/* --- the crypto device --------------------------------------------------------------------- */

/* What is under way ends as it would have; sessions are gone. */
static void
freed_under_requests(void)
{
	for (int zero_copy = 0; zero_copy < 2; zero_copy++) {
		struct rte_crypto_op *op;
		uint32_t next = 0;

		up_device(zero_copy, 0, 0);
		hold(0);
		CHECK_EQ(rte_vhost_crypto_free(flow.vid), 0);
		CHECK_EQ(rte_vhost_crypto_free(flow.vid), -EINVAL);
		CHECK_EQ(rte_vhost_crypto_set_zero_copy(flow.vid, 0), -EINVAL);
		cbc_post(&driver, &session, HELD);
		CHECK_EQ(crypto_app_fetch(flow.vid, 0, &op, 1), 0);
		run_and_finalize();
		CHECK_EQ(cbc_reap(&driver, &next, VIRTIO_CRYPTO_OK), HELD);
		CHECK(crypto_app_idle());
		/* What was there when there was no device is for the next one. */
		CHECK_EQ(rte_vhost_crypto_create(flow.vid, crypto_app.cryptodev_id,
						 crypto_app.session_pool, 0), 0);
		CHECK_EQ(rte_vhost_crypto_create(flow.vid, crypto_app.cryptodev_id,
						 crypto_app.session_pool, 0), -EEXIST);
		CHECK_EQ(crypto_app_pump(flow.vid, 0), 0);
		CHECK_EQ(cbc_reap(&driver, &next, VIRTIO_CRYPTO_INVSESS), 1);
		session = cbc_open(&flow.fe, 1);
		cbc_exchange(&driver, flow.vid, 0, &session, 20, VIRTIO_CRYPTO_OK);
		device_down();
	}
}

static void
functions_of_a_device_that_is_none(void)
{
	struct rte_crypto_op *op;
	const char *path;
	struct frontend fe;
	const struct fe_config net = {.features = FE_F_VERSION_1};
	uint16_t nr_callfds = 7;
	int callfds[VIRTIO_CRYPTO_MAX_NUM_BURST_VQS];

	CHECK_EQ(rte_vhost_crypto_create(99, crypto_app.cryptodev_id, crypto_app.session_pool, 0),
		 -EINVAL);
	CHECK_EQ(rte_vhost_crypto_free(99), -EINVAL);
	CHECK_EQ(rte_vhost_crypto_free(-1), -EINVAL);
	CHECK_EQ(rte_vhost_crypto_set_zero_copy(99, RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE), -EINVAL);
	CHECK_EQ(crypto_app_fetch(99, 0, &op, 1), 0);
	CHECK_EQ(rte_vhost_crypto_finalize_requests(NULL, 0, callfds, &nr_callfds), 0);
	CHECK_EQ(nr_callfds, 0);
	CHECK_EQ(rte_vhost_crypto_driver_start("/nowhere"), -1);
	up_device(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, 0, 0);
	CHECK_EQ(rte_vhost_crypto_set_zero_copy(flow.vid, 2), -EINVAL);
	CHECK_EQ(rte_vhost_crypto_free(flow.vid), 0);
	CHECK_EQ(rte_vhost_crypto_create(flow.vid, 200, crypto_app.session_pool, 0), -EINVAL);
	CHECK_EQ(rte_vhost_crypto_create(flow.vid, crypto_app.cryptodev_id, NULL, 0), -EINVAL);
	device_down();
	/* A network device. */
	flow_start_driver = rte_vhost_driver_start;
	path = flow_serve(0);
	rec_reset();
	fe_init(&fe);
	crypto_app.create_result = 1;
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, &net), 0);
	CHECK(flow_wait_until(new_device_seen, NULL, 20000));
	CHECK_EQ(crypto_app.create_result, -EINVAL);
	CHECK_EQ(crypto_app_fetch(rec_vid(), 0, &op, 1), 0);
	fe_close(&fe);
	CHECK(rec_wait_tail("-conn"));
	flow_unserve(path);
}

/* --- the connection ------------------------------------------------------------------------- */

/* Nothing of it comes to a guest that may be another one by now. */
static void
disconnected_under_requests(void)
{
	for (int zero_copy = 0; zero_copy < 2; zero_copy++) {
		const struct guest_seg *segs;
		uint8_t byte;
		unsigned n;
		int id;

		up_device(zero_copy, 0, 0);
		hold(0);
		crypto_app_run(held, HELD);
		fe_disconnect(&flow.fe);
		CHECK(rec_wait_tail("-dev -conn"));
		CHECK_EQ(crypto_app_finalize(held, HELD), 0);
		CHECK(crypto_app_idle());
		CHECK_EQ(guest_ring_pending(driver.vq), 0);
		for (id = 0; id < RING_SIZE; id++) {
			n = guest_crypto_writable(&driver, id, &segs);
			if (n == 0)
				continue;
			/* The status comes last, and only with the end. */
			guest_read(&flow.fe.mem, segs[n - 1].gpa, &byte, 1);
			CHECK_EQ(byte, GUEST_CRYPTO_FILL_BYTE);
			guest_read(&flow.fe.mem, segs[0].gpa, &byte, 1);
			if (!zero_copy)
				CHECK_EQ(byte, GUEST_CRYPTO_FILL_BYTE);
		}
		device_down();
	}
}

static void
reconnect(void)
{
	guest_crypto_fini(&driver);
	rec_reset();
	guest_ring_reset(&flow.fe.vqs[0], 0);
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_negotiate(&flow.fe, &config), 0);
	CHECK_EQ(fe_start(&flow.fe, &config), 0);
	CHECK(flow_wait_until(new_device_seen, NULL, 20000));
	flow.vid = rec_vid();
	driver_up();
}

/* The next device has the number, and the place, of the one before. */
static void
finalized_when_another_device_is_there(void)
{
	for (int zero_copy = 0; zero_copy < 2; zero_copy++) {
		int vid;

		up_device(zero_copy, 0, 0);
		vid = flow.vid;
		hold(0);
		fe_disconnect(&flow.fe);
		CHECK(rec_wait_tail("-dev -conn"));
		reconnect();
		CHECK_EQ(flow.vid, vid);
		cbc_exchange(&driver, flow.vid, 0, &session, 50, VIRTIO_CRYPTO_OK);
		run_and_finalize();
		CHECK_EQ(guest_ring_pending(driver.vq), 0);
		cbc_exchange(&driver, flow.vid, 0, &session, 51, VIRTIO_CRYPTO_OK);
		device_down();
	}
}

/* An application that forgets, and one that unregisters its socket. */
static void
gone_without_a_word(void)
{
	up_device(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, 0, 0);
	hold(0);
	crypto_app.keeps_devices = true;
	fe_disconnect(&flow.fe);
	CHECK(rec_wait_tail("-dev -conn"));
	run_and_finalize();
	CHECK(crypto_app_idle());
	CHECK_EQ(rte_mempool_in_use_count(crypto_app.session_pool), 0);
	crypto_app.keeps_devices = false;
	reconnect();
	cbc_exchange(&driver, flow.vid, 0, &session, 1, VIRTIO_CRYPTO_OK);
	hold(2);
	flow_unserve(flow.path);
	run_and_finalize();
	CHECK(crypto_app_idle());
	CHECK_EQ(rte_mempool_in_use_count(crypto_app.session_pool), 0);
	guest_crypto_fini(&driver);
	fe_close(&flow.fe);
	flow_forget();
}

/* --- guest memory ------------------------------------------------------------------------------ */

static void
table_exchanged_under_requests(void)
{
	for (int zero_copy = 0; zero_copy < 2; zero_copy++) {
		uint32_t next = 0;

		up_device(zero_copy, 0, 0);
		for (unsigned round = 0; round < 10; round++) {
			hold(next);
			if (round % 2 == 0)
				crypto_app_run(held, HELD);
			CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
			if (round % 2 != 0)
				crypto_app_run(held, HELD);
			crypto_app_finalize(held, HELD);
			CHECK_EQ(cbc_reap(&driver, &next, VIRTIO_CRYPTO_OK), HELD);
		}
		device_down();
	}
}

#define PLUGGED_GPA (1ull << 32)
#define PLUGGED_BYTES (1u << 20)

/* Memory that comes, is used, and goes while it is. */
static void
memory_unplugged_under_requests(void)
{
	const struct guest_region_spec spec = {.gpa = PLUGGED_GPA, .size_bytes = PLUGGED_BYTES};

	for (int zero_copy = 0; zero_copy < 2; zero_copy++) {
		struct guest_crypto plugged;
		struct guest_crypto_result r;
		uint32_t next = 0;

		up_device(zero_copy, 0, 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
		CHECK_EQ(guest_memory_add(&flow.fe.mem, &spec), 0);
		CHECK_EQ(fe_add_mem_reg(&flow.fe, &flow.fe.mem.regions[1]), 0);
		CHECK_EQ(guest_crypto_init_at(&plugged, driver.vq, false, HELD, CBC_SLOT_BYTES,
					      PLUGGED_GPA), 0);
		cbc_exchange(&plugged, flow.vid, 0, &session, 0, VIRTIO_CRYPTO_OK);
		for (uint32_t i = 0; i < HELD; i++)
			cbc_post(&plugged, &session, i);
		CHECK_EQ(crypto_app_fetch(flow.vid, 0, held, HELD), HELD);
		CHECK_EQ(fe_rem_mem_reg(&flow.fe, &flow.fe.mem.regions[1]), 0);
		run_and_finalize();
		/* Whatever they say: they come back, and others go on. */
		for (uint32_t i = 0; i < HELD; i++)
			CHECK_EQ(guest_crypto_reap(&plugged, &r), 0);
		next = 100;
		for (uint32_t i = 0; i < 4; i++)
			cbc_post(&driver, &session, next + i);
		CHECK_EQ(crypto_app_pump(flow.vid, 0), 4);
		CHECK_EQ(cbc_reap(&driver, &next, VIRTIO_CRYPTO_OK), 4);
		guest_crypto_fini(&plugged);
		device_down();
	}
}

/* --- the ring -------------------------------------------------------------------------------------- */

static void
restart_ring(void)
{
	rec_reset();
	CHECK_EQ(fe_start_vring(&flow.fe, 0), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
	CHECK(flow_wait_until(new_device_seen, NULL, 20000));
	session = cbc_open(&flow.fe, 1);
}

/*
 * Stopped as for a migration, with requests under way: the ring's next owner finds them where the
 * guest put them, and what the old owner still had makes no difference any more.
 */
static void
stopped_under_requests(void)
{
	for (int i = 0; i < 4; i++) {
		bool old_first = i & 1;
		uint32_t base = 0, next = 0;

		up_device(i / 2, 0, 0);
		/* So that it is not the ring's first round alone. */
		for (uint32_t n = 0; n < 5; n++)
			cbc_exchange(&driver, flow.vid, 0, &session, 1000 + n, VIRTIO_CRYPTO_OK);
		hold(0);
		cbc_post(&driver, &session, HELD);
		CHECK_EQ(fe_get_vring_base(&flow.fe, 0, &base), 0);
		CHECK(flow_base_is(base, driver.vq));
		if (old_first)
			run_and_finalize();
		restart_ring();
		CHECK_EQ(guest_ring_pending(driver.vq), 0);
		CHECK_EQ(crypto_app_pump(flow.vid, 0), HELD + 1);
		CHECK_EQ(cbc_reap(&driver, &next, VIRTIO_CRYPTO_OK), HELD + 1);
		if (!old_first)
			run_and_finalize();
		CHECK_EQ(guest_ring_pending(driver.vq), 0);
		cbc_exchange(&driver, flow.vid, 0, &session, 77, VIRTIO_CRYPTO_OK);
		device_down();
	}
}

/* Some were done before it stopped, but not the first one: all of them are to be done again. */
static void
stopped_between_requests(void)
{
	uint32_t base = 0, next = 0;

	up_device(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, 0, 0);
	hold(0);
	crypto_app_run(held, HELD);
	crypto_app_finalize(held, 2);
	crypto_app_finalize(held + 4, 2);
	CHECK_EQ(cbc_reap(&driver, &next, VIRTIO_CRYPTO_OK), 2);
	CHECK_EQ(fe_get_vring_base(&flow.fe, 0, &base), 0);
	CHECK(flow_base_is(base, driver.vq));
	restart_ring();
	CHECK_EQ(crypto_app_pump(flow.vid, 0), HELD - 2);
	CHECK_EQ(cbc_reap(&driver, &next, VIRTIO_CRYPTO_OK), HELD - 2);
	crypto_app_finalize(held + 2, 2);
	crypto_app_finalize(held + 6, 2);
	CHECK_EQ(guest_ring_pending(driver.vq), 0);
	cbc_exchange(&driver, flow.vid, 0, &session, 77, VIRTIO_CRYPTO_OK);
	device_down();
}

/* A queue that is switched off takes nothing, and what it took is not lost. */
static void
disabled_under_requests(void)
{
	struct rte_crypto_op *op;
	uint32_t next = 0;

	up_device(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, 0, 0);
	hold(0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, false), 0);
	cbc_post(&driver, &session, HELD);
	CHECK_EQ(crypto_app_fetch(flow.vid, 0, &op, 1), 0);
	run_and_finalize();
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
	CHECK_EQ(crypto_app_pump(flow.vid, 0), 1);
	CHECK_EQ(cbc_reap(&driver, &next, VIRTIO_CRYPTO_OK), HELD + 1);
	device_down();
}

/* --- migration -------------------------------------------------------------------------------------- */

/* Exactly the pages that changed, whoever wrote them: this library or a cryptodev. */
static void
dirty_log_is_exact(void)
{
	static const uint32_t readable[] = {40, 50}, writable[] = {5, 30};
	static const struct guest_crypto_layout layouts[] = {
		{.chain = GUEST_CRYPTO_DIRECT, .gap_bytes = 1100},
		{.chain = GUEST_CRYPTO_INDIRECT},
		{.chain = GUEST_CRYPTO_DIRECT, .readable_cuts = readable, .nr_readable_cuts = 2,
		 .writable_cuts = writable, .nr_writable_cuts = 2, .gap_bytes = 900},
	};
	struct guest_log log;

	for (int zero_copy = 0; zero_copy < 2; zero_copy++) {
		struct cbc wrong = {.id = 99, .key = 1};
		uint32_t next = 0;

		up_device(zero_copy, 0, 1u << FE_PROTOCOL_F_LOG_SHMFD);
		guest_crypto_fini(&driver);
		CHECK_EQ(guest_crypto_init(&driver, &flow.fe.vqs[0], false, 32, 3 * 4096 + 576), 0);
		CHECK_EQ(guest_log_create(&log, 64u << 20, 0), 0);
		CHECK_EQ(guest_log_start(&log, &flow.fe), 0);
		for (unsigned round = 0; round < 20; round++) {
			unsigned n = 1 + random_below(20);
			bool bad = round % 5 == 4;

			for (unsigned i = 0; i < n; i++)
				cbc_post_cut(&driver, bad ? &wrong : &session, next + i,
					     &layouts[random_below(RTE_DIM(layouts))]);
			guest_log_snapshot(&log, &flow.fe);
			CHECK_EQ(crypto_app_pump(flow.vid, 0), bad ? 0 : n);
			CHECK_EQ(guest_log_lies(&log, &flow.fe.mem), 0);
			CHECK(guest_log_count(&log) >= 2);
			CHECK_EQ(cbc_reap(&driver, &next, bad ? VIRTIO_CRYPTO_INVSESS :
								VIRTIO_CRYPTO_OK), n);
		}
		CHECK_EQ(guest_log_stop(&flow.fe), 0);
		guest_log_destroy(&log);
		device_down();
	}
}

/* --- a backend that is killed ------------------------------------------------------------------------- */

#define KILLS 60

static pid_t backend_pid = -1;
/* Shared with it. */
static struct {
	bool may_fetch; /* the frontend has made its sessions again */
	uint64_t served;
} *shared;

static void __attribute__((noreturn))
backend(const char *path)
{
	cpu_set_t all;

	/* EAL has tied us to one core; there, it would never be killed in the midst of its work. */
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	flow_own_memory();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (rte_vhost_driver_register(path, RTE_VHOST_USER_ASYNC_COPY) != 0 ||
	    rte_vhost_driver_callback_register(path, &rec_ops) != 0 ||
	    rte_vhost_crypto_driver_start(path) != 0)
		_exit(3);
	for (;;) {
		unsigned n = 0;

		if (__atomic_load_n(&shared->may_fetch, __ATOMIC_ACQUIRE))
			n = crypto_app_pump(0, 0);
		shared->served += n;
		if (n == 0)
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

static bool
session_is_there(void *arg)
{
	struct guest_crypto_session s = cbc_session(1);
	int64_t id = 0;

	(void)arg;
	/* Not before new_device(). */
	CHECK_EQ(guest_crypto_session_create(&flow.fe, &s, GUEST_CRYPTO_OLD_FORM, &id), 0);
	session = (struct cbc) {.id = (uint64_t)id, .key = 1};
	return id > 0;
}

/* Of the requests that the guest has posted, every one comes back once, and right. */
static uint32_t nr_posted, nr_done;

static void
guest_works(bool more)
{
	cbc_reap(&driver, &nr_done, VIRTIO_CRYPTO_OK);
	while (more && driver.outstanding < driver.nr_slots && driver.vq->free_count > 8)
		cbc_post(&driver, &session, nr_posted++);
}

static void
work_until_done(uint32_t more)
{
	uint64_t limit_us = flow_now_us() + 20000000;
	uint32_t until = nr_done + more;

	while (nr_done < until) {
		uint32_t before = nr_done;

		guest_works(true);
		CHECK(flow_now_us() < limit_us);
		if (nr_done == before)
			sched_yield();
	}
}

static bool
all_done(void *arg)
{
	(void)arg;
	guest_works(false);
	return nr_done == nr_posted;
}

static void
killed_under_load(void)
{
	uint64_t first_id = 0;

	config = CRYPTO_CONFIG;
	config.inflight = true;
	config.ring_size = 64;
	config.base = 50;
	crypto_app.zero_copy = RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE;
	nr_posted = nr_done = 0;
	flow.path = flow_path();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	CHECK(shared != MAP_FAILED);
	fe_init(&flow.fe);
	for (unsigned life = 0; life <= KILLS; life++) {
		shared->may_fetch = false;
		spawn_backend();
		CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
		CHECK_EQ(fe_negotiate(&flow.fe, &config), 0);
		if (life == 0) {
			CHECK_EQ(fe_build(&flow.fe, &config), 0);
			CHECK_EQ(guest_crypto_init(&driver, &flow.fe.vqs[0], false, 24,
						   CBC_SLOT_BYTES), 0);
		}
		CHECK_EQ(fe_start(&flow.fe, &config), 0);
		CHECK(flow_wait_until(session_is_there, NULL, 20000));
		if (life == 0)
			first_id = session.id;
		CHECK_EQ(session.id, first_id);
		__atomic_store_n(&shared->may_fetch, true, __ATOMIC_RELEASE);
		work_until_done(1 + random_below(500));
		if (life == KILLS)
			break;
		/* And a little longer, so that it is not always caught at the same place. */
		for (uint32_t turns = random_below(50); turns > 0; turns--)
			guest_works(true);
		kill_backend();
		fe_disconnect(&flow.fe);
	}
	CHECK(flow_wait_until(all_done, NULL, 20000));
	fprintf(tap.out, "# %u kills, %u requests, of %lu that were served\n", KILLS, nr_done,
		(unsigned long)shared->served);
}

/* --- nothing is left behind ------------------------------------------------------------------------------ */

#define CYCLES 200
#define WARM_UP_CYCLES 16

static void
cycle(unsigned number)
{
	uint32_t next = 0;

	crypto_app.zero_copy = number % 2;
	rec_reset();
	guest_ring_reset(&flow.fe.vqs[0], 0);
	guest_crypto_forget(&driver);
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_negotiate(&flow.fe, &config), 0);
	CHECK_EQ(fe_start(&flow.fe, &config), 0);
	CHECK(flow_wait_until(new_device_seen, NULL, 20000));
	flow.vid = rec_vid();
	session = cbc_open(&flow.fe, 1);
	cbc_open(&flow.fe, 2);
	hold(0);
	run_and_finalize();
	CHECK_EQ(cbc_reap(&driver, &next, VIRTIO_CRYPTO_OK), HELD);
	/* Some have all their requests back, some none of the next ones. */
	if (number % 3 != 0)
		hold(next);
	fe_disconnect(&flow.fe);
	CHECK(rec_wait_tail("-dev -conn"));
	if (number % 3 != 0)
		run_and_finalize();
}

static void
nothing_is_left_behind(void)
{
	struct footprint before = {0}, after;

	up_device(RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE, 0, 0);
	fe_disconnect(&flow.fe);
	CHECK(rec_wait_tail("-dev -conn"));
	for (unsigned i = 0; i < CYCLES + WARM_UP_CYCLES; i++) {
		if (i == WARM_UP_CYCLES)
			before = footprint();
		cycle(i);
	}
	after = footprint();
	footprint_check(&before, &after, CYCLES);
	CHECK(crypto_app_idle());
	CHECK_EQ(rte_mempool_in_use_count(crypto_app.session_pool), 0);
	device_down();
}

/* --- the frame ---------------------------------------------------------------------------------------------- */

static void
teardown(void)
{
	if (backend_pid > 0) {
		kill(backend_pid, SIGKILL);
		waitpid(backend_pid, NULL, 0);
		backend_pid = -1;
	}
	guest_crypto_fini(&driver);
	if (shared != NULL) {
		munmap(shared, sizeof(*shared));
		fe_close(&flow.fe);
	}
	shared = NULL;
	jobs_teardown();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		/* First: while there is no thread of the library that a child would be without. */
		FLOW_TEST(killed_under_load),
		FLOW_TEST(freed_under_requests),
		FLOW_TEST(functions_of_a_device_that_is_none),
		FLOW_TEST(disconnected_under_requests),
		FLOW_TEST(finalized_when_another_device_is_there),
		FLOW_TEST(gone_without_a_word),
		FLOW_TEST(table_exchanged_under_requests),
		FLOW_TEST(memory_unplugged_under_requests),
		FLOW_TEST(stopped_under_requests),
		FLOW_TEST(stopped_between_requests),
		FLOW_TEST(disabled_under_requests),
		FLOW_TEST(dirty_log_is_exact),
		FLOW_TEST(nothing_is_left_behind),
	};

	crypto_app_args(&argc, &argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), crypto_app_setup, teardown);
}
