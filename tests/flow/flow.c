/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared part of the flow tests; see flow.h. Nothing here is untrusted. */
#include "flow.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_memory.h>

#include "patience.h"

#define REC_MAX_BYTES 65536
#define NR_PATHS 8

static char scratch[64];

static struct {
	pthread_mutex_t lock;
	char text[REC_MAX_BYTES];
	size_t len_bytes;
	int vid;
	unsigned calls;
	bool count_calls;
} rec = {.lock = PTHREAD_MUTEX_INITIALIZER, .vid = -1};

int rec_new_device_result;
int rec_new_connection_result;
void (*rec_hook)(const char *word, int vid);
void (*rec_application)(const char *word, int vid);

bool flow_packed;
const char *flow_vdev;
unsigned flow_nr_lcores = 1;
void (*flow_at_cleanup)(void);

static struct flow *current;

static void __attribute__((noreturn))
die(const char *what)
{
	fprintf(stderr, "flow: %s\n", what);
	abort();
}

uint64_t
flow_now_us(void)
{
	return patience_now_us();
}

bool
flow_wait_until(bool (*done)(void *arg), void *arg, int timeout_ms)
{
	uint64_t until = flow_now_us() + (uint64_t)timeout_ms * 1000;

	while (!done(arg)) {
		if (flow_now_us() > until)
			return false;
		usleep(200);
	}
	return true;
}

static void
check_library(void)
{
	Dl_info info;
	bool in_build;

	/* The address in the library itself, not a PLT stub of this program. */
	if (dladdr(dlsym(RTLD_DEFAULT, "rte_vhost_driver_register"), &info) == 0 ||
	    info.dli_fname == NULL)
		die("cannot tell which vhost library is loaded");
	fprintf(stderr, "# library under test: %s\n", info.dli_fname);
	in_build = strstr(info.dli_fname, "/lib/librte_vhost.so") != NULL &&
		   strncmp(info.dli_fname, "/usr/", 5) != 0 &&
		   strncmp(info.dli_fname, "/lib/", 5) != 0;
	if (getenv("FLOW_ANY_LIBRARY") == NULL && in_build == is_stock)
		die("this is not the library the program was built for");
}

void
flow_init(const char *program)
{
	char prefix[64], lcores[64] = "0";
	char *argv[] = {
		(char *)(uintptr_t)"flow", (char *)(uintptr_t)"--no-huge",
		(char *)(uintptr_t)"--no-pci", (char *)(uintptr_t)"--no-shconf",
		(char *)(uintptr_t)"-m", (char *)(uintptr_t)"512",
		(char *)(uintptr_t)"--lcores", lcores,
		(char *)(uintptr_t)"--no-telemetry",
		(char *)(uintptr_t)"--file-prefix", prefix,
		(char *)(uintptr_t)"--vdev", (char *)(uintptr_t)flow_vdev, NULL,
	};
	int argc = sizeof(argv) / sizeof(argv[0]) - (flow_vdev != NULL ? 1 : 3);

	check_library();
	(void)program;
	snprintf(prefix, sizeof(prefix), "flow%d", (int)getpid());
	if (flow_nr_lcores > 1)
		snprintf(lcores, sizeof(lcores), "(0-%u)@(0-%ld)", flow_nr_lcores - 1,
			 sysconf(_SC_NPROCESSORS_ONLN) - 1);
	if (rte_eal_init(argc, argv) < 0)
		die("EAL does not start");
	snprintf(scratch, sizeof(scratch), "/tmp/vhost-flow-XXXXXX");
	if (mkdtemp(scratch) == NULL)
		die("no scratch directory");
}

void
flow_cleanup(void)
{
	DIR *dir = opendir(scratch);
	struct dirent *entry;
	char path[512];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", scratch, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(scratch);
	if (flow_at_cleanup != NULL)
		flow_at_cleanup();
	rte_eal_cleanup();
}

const char *
flow_path(void)
{
	static char paths[NR_PATHS][96];
	static unsigned next;
	char *path = paths[next % NR_PATHS];

	snprintf(path, sizeof(paths[0]), "%s/%u.sock", scratch, next++);
	return path;
}

static void
record(int vid, const char *word)
{
	size_t n = strlen(word);

	if (rec_hook != NULL && vid >= 0)
		rec_hook(word, vid);
	if (rec_application != NULL && vid >= 0)
		rec_application(word, vid);
	pthread_mutex_lock(&rec.lock);
	if (vid >= 0)
		rec.vid = vid;
	if (rec.len_bytes + n + 2 > sizeof(rec.text)) { /* forget the older half */
		size_t forget = rec.len_bytes / 2;

		rec.len_bytes -= forget;
		memmove(rec.text, rec.text + forget, rec.len_bytes);
	}
	if (rec.len_bytes > 0)
		rec.text[rec.len_bytes++] = ' ';
	memcpy(rec.text + rec.len_bytes, word, n + 1);
	rec.len_bytes += n;
	pthread_mutex_unlock(&rec.lock);
}

static int
on_new_device(int vid)
{
	record(vid, "+dev");
	return rec_new_device_result;
}

static void
on_destroy_device(int vid)
{
	record(vid, "-dev");
}

static int
on_vring_state_changed(int vid, uint16_t queue_id, int enable)
{
	char word[32];

	snprintf(word, sizeof(word), "q%u=%d", queue_id, enable);
	record(vid, word);
	return 0;
}

static int
on_features_changed(int vid, uint64_t features)
{
	char word[48];

	snprintf(word, sizeof(word), "features=%llx", (unsigned long long)features);
	record(vid, word);
	return 0;
}

static int
on_new_connection(int vid)
{
	record(vid, "+conn");
	return rec_new_connection_result;
}

static void
on_destroy_connection(int vid)
{
	record(vid, "-conn");
}

static void
on_guest_notified(int vid)
{
	__atomic_add_fetch(&rec.calls, 1, __ATOMIC_SEQ_CST);
	if (rec.count_calls)
		record(vid, "call");
}

const struct rte_vhost_device_ops rec_ops = {
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
	.vring_state_changed = on_vring_state_changed,
	.features_changed = on_features_changed,
	.new_connection = on_new_connection,
	.destroy_connection = on_destroy_connection,
	.guest_notified = on_guest_notified,
};

void
rec_reset(void)
{
	pthread_mutex_lock(&rec.lock);
	rec.text[0] = '\0';
	rec.len_bytes = 0;
	rec.calls = 0;
	pthread_mutex_unlock(&rec.lock);
}

const char *
rec_text(void)
{
	static char copy[REC_MAX_BYTES];

	pthread_mutex_lock(&rec.lock);
	memcpy(copy, rec.text, rec.len_bytes + 1);
	pthread_mutex_unlock(&rec.lock);
	return copy;
}

void
rec_mark(const char *word)
{
	record(-1, word);
}

static bool
text_equals(void *expected)
{
	return strcmp(rec_text(), expected) == 0;
}

static bool
text_ends(void *expected)
{
	const char *text = rec_text();
	size_t n = strlen(text), m = strlen(expected);

	return n >= m && strcmp(text + n - m, expected) == 0;
}

static bool
wait_text(bool (*done)(void *), const char *expected)
{
	bool seen = flow_wait_until(done, (void *)(uintptr_t)expected, 20000);

	const char *text = rec_text();
	size_t n = strlen(text);

	if (!seen)
		fprintf(stderr, "recorded \"%s\", expected \"%s\"\n", n > 300 ? text + n - 300 : text,
			expected);
	return seen;
}

bool
rec_wait(const char *expected)
{
	return wait_text(text_equals, expected);
}

bool
rec_wait_tail(const char *expected)
{
	return wait_text(text_ends, expected);
}

int
rec_vid(void)
{
	return __atomic_load_n(&rec.vid, __ATOMIC_SEQ_CST);
}

void
rec_count_calls(bool on)
{
	rec.count_calls = on;
}

unsigned
rec_calls(void)
{
	return __atomic_load_n(&rec.calls, __ATOMIC_SEQ_CST);
}

uint64_t flow_enabled_features;
int (*flow_start_driver)(const char *path) = rte_vhost_driver_start;

const char *
flow_serve_ops(uint64_t flags, const struct rte_vhost_device_ops *ops)
{
	const char *path = flow_path();

	if (rte_vhost_driver_register(path, flags) != 0 ||
	    rte_vhost_driver_callback_register(path, ops) != 0 ||
	    rte_vhost_driver_enable_features(path, flow_enabled_features) != 0 ||
	    flow_start_driver(path) != 0)
		die("driver does not start");
	return path;
}

const char *
flow_serve(uint64_t flags)
{
	return flow_serve_ops(flags, &rec_ops);
}

void
flow_unserve(const char *path)
{
	if (rte_vhost_driver_unregister(path) != 0)
		die("driver does not unregister");
}

static bool
has_new_device(void *arg)
{
	(void)arg;
	return strstr(rec_text(), "+dev") != NULL;
}

void
flow_use_packed(void)
{
	flow_packed = true;
	fe_extra_features = FE_F_RING_PACKED | FE_F_VERSION_1;
}

bool
flow_offers(uint64_t features)
{
	const char *path = flow_path();
	uint64_t offered = 0;

	if (rte_vhost_driver_register(path, 0) != 0 ||
	    rte_vhost_driver_get_features(path, &offered) != 0)
		die("driver does not register");
	flow_unserve(path);
	return (offered & features) == features;
}

/* Difference: the stock library leaves the used half of a packed base out. */
bool
flow_base_is(uint32_t base, const struct guest_ring *vq)
{
	uint32_t mask = is_stock ? 0xffff : UINT32_MAX;

	return (base & mask) == (guest_ring_base(vq) & mask);
}

void
flow_up(struct flow *flow, uint64_t driver_flags, const struct fe_config *config)
{
	int rc;

	rec_reset();
	fe_init(&flow->fe);
	flow->path = flow_serve(driver_flags);
	current = flow;
	rc = fe_connect(&flow->fe, flow->path);
	if (rc == 0)
		rc = fe_setup(&flow->fe, config);
	if (rc != 0) {
		fprintf(stderr, "flow_up: %s\n", strerror(rc < 0 ? -rc : 0));
		die("frontend does not come up");
	}
	if (!flow_wait_until(has_new_device, NULL, 20000))
		die("no new_device");
	flow->vid = rec_vid();
}

void
flow_down(struct flow *flow)
{
	current = NULL;
	fe_close(&flow->fe);
	if (!rec_wait_tail("-conn"))
		die("no destroy_connection");
	flow_unserve(flow->path);
}

static FILE *listening;

/* A file, which can be read while others write. */
void
flow_listen(void)
{
	int fd = memfd_create("flow-log", MFD_CLOEXEC);

	listening = fd < 0 ? NULL : fdopen(fd, "w");
	if (listening == NULL)
		die("no file for the log");
	setvbuf(listening, NULL, _IOLBF, 0);
	rte_openlog_stream(listening);
}

const char *
flow_heard(void)
{
	static char text[65536];
	ssize_t n = pread(fileno(listening), text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

void
flow_listen_no_more(void)
{
	rte_openlog_stream(NULL);
	fputs(flow_heard(), stderr);
	fclose(listening);
	listening = NULL;
}

void
flow_forget(void)
{
	current = NULL;
}

void
flow_teardown(void)
{
	rec_hook = NULL;
	rec_new_device_result = 0;
	rec_new_connection_result = 0;
	rec.count_calls = false;
	if (listening != NULL)
		flow_listen_no_more();
	if (current != NULL)
		flow_down(current);
}

struct rte_mempool *
flow_pool(unsigned nr_mbufs, uint16_t data_room_bytes)
{
	static unsigned serial;
	char name[32];
	struct rte_mempool *pool;

	snprintf(name, sizeof(name), "pool%u", serial++);
	pool = rte_pktmbuf_pool_create(name, nr_mbufs, 0, 0,
				       (uint16_t)(data_room_bytes + RTE_PKTMBUF_HEADROOM), 0);
	if (pool == NULL)
		die(rte_strerror(rte_errno));
	return pool;
}

bool
flow_pool_full(const struct rte_mempool *pool)
{
	return rte_mempool_in_use_count(pool) == 0;
}

volatile uint64_t flow_echoed;

static struct {
	pthread_t thread;
	bool runs;
	volatile bool stop;
	int vid;
	struct rte_mempool *pool;
} echo;

static void *
echo_thread(void *arg)
{
	struct rte_mbuf *pkts[32];

	(void)arg;
	while (!echo.stop) {
		unsigned n = rte_vhost_dequeue_burst(echo.vid, 1, echo.pool, pkts, RTE_DIM(pkts));
		unsigned done = 0;

		if (n == 0)
			sched_yield(); /* the guest may need this core */
		while (done < n && !echo.stop) {
			unsigned more = rte_vhost_enqueue_burst(echo.vid, 0, pkts + done,
								(uint16_t)(n - done));

			if (more == 0)
				sched_yield();
			done += more;
		}
		flow_echoed += done;
		rte_pktmbuf_free_bulk(pkts, n);
	}
	return NULL;
}

void
flow_echo_start(int vid, struct rte_mempool *pool)
{
	echo.vid = vid;
	echo.pool = pool;
	echo.stop = false;
	flow_echoed = 0;
	RTE_VERIFY(pthread_create(&echo.thread, NULL, echo_thread, NULL) == 0);
	echo.runs = true;
}

void
flow_echo_stop(void)
{
	if (!echo.runs)
		return;
	echo.stop = true;
	pthread_join(echo.thread, NULL);
	echo.runs = false;
}

static int
make_private(const struct rte_memseg_list *list, void *arg)
{
	int fd = rte_memseg_get_fd_thread_unsafe(list->memseg_arr.data);

	(void)arg;
	if (list->external)
		return 0;
	if (fd < 0 || mmap(list->base_va, list->len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		_exit(4);
	return 0;
}

void
flow_own_memory(void)
{
	rte_memseg_list_walk_thread_unsafe(make_private, NULL);
}
