/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend_process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_debug.h>

#include "flow.h"
#include "load.h"

#define BURST 32
#define START_MS 60000

struct backend_shared {
	enum backend_work wanted;
	enum backend_work doing;
	bool listens;
	unsigned nr_connections, nr_devices;
	uint64_t nr_echoed;
};

#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_SEQ_CST)
#define STORE(field, value) __atomic_store_n(&(field), value, __ATOMIC_SEQ_CST)

/* --- in it --------------------------------------------------------------- */

static struct backend_shared *mine;
static int device = -1;

/* The next one may come before the last one is gone. */
static void
note_device(const char *word, int vid)
{
	if (strcmp(word, "+conn") == 0)
		__atomic_add_fetch(&mine->nr_connections, 1, __ATOMIC_SEQ_CST);
	if (strcmp(word, "+dev") == 0) {
		STORE(device, vid);
		__atomic_add_fetch(&mine->nr_devices, 1, __ATOMIC_SEQ_CST);
	} else if (strcmp(word, "-dev") == 0 && LOAD(device) == vid) {
		STORE(device, -1);
	}
}

static unsigned
echo_pair(int vid, uint16_t rx, struct rte_mempool *pool)
{
	struct rte_mbuf *m[BURST];
	unsigned n = rte_vhost_dequeue_burst(vid, rx + 1, pool, m, BURST), done = 0;

	/* Until the guest has room, or is gone. */
	while (done < n && LOAD(mine->wanted) == BACKEND_ECHO && LOAD(device) == vid) {
		done += rte_vhost_enqueue_burst(vid, rx, m + done, (uint16_t)(n - done));
		if (done < n)
			sched_yield();
	}
	__atomic_add_fetch(&mine->nr_echoed, done, __ATOMIC_SEQ_CST);
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static unsigned
do_some(enum backend_work work, int vid, struct rte_mempool *pool)
{
	unsigned n = 0;

	if (work == BACKEND_LOAD)
		return load_take(vid, pool) + load_send(vid, pool);
	for (uint16_t rx = 0; work == BACKEND_ECHO && rx + 1 < rte_vhost_get_vring_num(vid); rx += 2)
		n += echo_pair(vid, rx, pool);
	return n;
}

static void
serve(const char *path, struct backend_lacks lacks)
{
	uint64_t protocol_features;

	rec_application = note_device;
	if (rte_vhost_driver_register(path, 0) != 0 ||
	    rte_vhost_driver_callback_register(path, &rec_ops) != 0 ||
	    rte_vhost_driver_disable_features(path, lacks.features) != 0 ||
	    rte_vhost_driver_get_protocol_features(path, &protocol_features) != 0 ||
	    rte_vhost_driver_set_protocol_features(path, protocol_features &
							 ~lacks.protocol_features) != 0 ||
	    rte_vhost_driver_start(path) != 0)
		exit(3);
}

void
backend_process_main(int argc, char **argv)
{
	struct backend_lacks lacks;
	struct rte_mempool *pool;
	cpu_set_t all;

	if (argc != 6 || strcmp(argv[1], "backend") != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	mine = mmap(NULL, sizeof(*mine), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[3]), 0);
	RTE_VERIFY(mine != MAP_FAILED);
	lacks.features = strtoull(argv[4], NULL, 0);
	lacks.protocol_features = strtoull(argv[5], NULL, 0);
	flow_vdev = NULL;
	flow_init(argv[0]);
	/* EAL has tied us to one core; there, it would never be killed in the midst of its work. */
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	pool = flow_pool(1023, 2048);
	serve(argv[2], lacks);
	STORE(mine->listens, true);
	for (;;) {
		enum backend_work work = LOAD(mine->wanted);
		int vid = LOAD(device);
		unsigned n;

		STORE(mine->doing, work);
		/* It may have been told otherwise before it said that. */
		if (work != LOAD(mine->wanted))
			continue;
		n = vid >= 0 ? do_some(work, vid, pool) : 0;
		if (work == BACKEND_IDLE)
			usleep(1000);
		else if (n == 0)
			sched_yield();
	}
}

/* --- of whoever started it ----------------------------------------------- */

static void
make_shared(struct backend *b)
{
	b->shared_fd = memfd_create("backend", 0);
	RTE_VERIFY(b->shared_fd >= 0 && ftruncate(b->shared_fd, sizeof(*b->shared)) == 0);
	b->shared = mmap(NULL, sizeof(*b->shared), PROT_READ | PROT_WRITE, MAP_SHARED, b->shared_fd,
			 0);
	RTE_VERIFY(b->shared != MAP_FAILED);
}

static bool
listens_or_ended(void *arg)
{
	struct backend *b = arg;

	return LOAD(b->shared->listens) || waitpid(b->pid, NULL, WNOHANG) != 0;
}

void
backend_start(struct backend *b, const char *path, struct backend_lacks lacks)
{
	char program[256] = {0}, fd[16], features[32], protocol_features[32];
	char *argv[] = {
		program, (char *)(uintptr_t)"backend", b->path, fd, features, protocol_features, NULL,
	};

	if (b->shared == NULL)
		make_shared(b);
	if (path != b->path)
		snprintf(b->path, sizeof(b->path), "%s", path);
	snprintf(fd, sizeof(fd), "%d", b->shared_fd);
	snprintf(features, sizeof(features), "0x%llx", (unsigned long long)lacks.features);
	snprintf(protocol_features, sizeof(protocol_features), "0x%llx",
		 (unsigned long long)lacks.protocol_features);
	RTE_VERIFY(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
	STORE(b->shared->listens, false);
	/* Not fork(): others of our threads may hold locks. */
	b->pid = vfork();
	RTE_VERIFY(b->pid >= 0);
	if (b->pid == 0) {
		execv(program, argv);
		_exit(127);
	}
	RTE_VERIFY(flow_wait_until(listens_or_ended, b, START_MS) && LOAD(b->shared->listens));
}

static bool
does_as_told(void *arg)
{
	struct backend *b = arg;

	return LOAD(b->shared->doing) == LOAD(b->shared->wanted);
}

void
backend_work(struct backend *b, enum backend_work work)
{
	STORE(b->shared->wanted, work);
	RTE_VERIFY(flow_wait_until(does_as_told, b, START_MS));
}

uint64_t
backend_echoed(const struct backend *b)
{
	return LOAD(b->shared->nr_echoed);
}

unsigned
backend_connections(const struct backend *b)
{
	return LOAD(b->shared->nr_connections);
}

unsigned
backend_devices(const struct backend *b)
{
	return LOAD(b->shared->nr_devices);
}

void
backend_kill(struct backend *b)
{
	int status = 0;

	if (b->pid == 0)
		return;
	kill(b->pid, SIGKILL);
	/* Not ended by itself. */
	RTE_VERIFY(waitpid(b->pid, &status, 0) == b->pid && WIFSIGNALED(status));
	b->pid = 0;
}

void
backend_forget(struct backend *b)
{
	if (b->shared != NULL) {
		munmap(b->shared, sizeof(*b->shared));
		close(b->shared_fd);
	}
	*b = (struct backend) {0};
}
