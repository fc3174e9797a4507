/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One port is attacked by a frontend, in one way after the other, while two other ports exchange
 * packets. They lose none and go on, their frontends are answered, and when the attacker has gone
 * nothing is left of it: no descriptor, no mapping. With VHOST_NG_SOAK=1 a table of figures: what
 * the other ports do during the attack, relative to without.
 *
 * The attacker is a process of its own: what it holds is not ours. It shares its core with the
 * thread that handles messages; data thread and guests have the other one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "flow.h"
#include "guest_net.h"
#include "rig.h"
#include "tap.h"

#define PORTS 2
#define BATCH 16
#define PACKET_BYTES 300
#define RING_SIZE 64
#define PATIENCE_US 60000000
/* The long form: short windows with and without the attack in turn, for their medians. */
#define WINDOW_US 100000
#define WINDOWS 25
/* Of the attack on descriptors: more than these the backend cannot open. */
#define FDS_SPARE 40

static const struct guest_region_spec region = { .size_bytes = 4u << 20 };
static const struct fe_config config = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
	.ring_size = RING_SIZE,
	.regions = &region,
	.nregions = 1,
};

/* --- the attacker: another process --------------------------------------- */

static struct shared {
	unsigned int attack; /* atomic, all of them */
	bool go, idle, quit;
	uint64_t work;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
} *shared;

static bool going(void)
{
	return __atomic_load_n(&shared->go, __ATOMIC_SEQ_CST);
}

static void worked(uint64_t n)
{
	__atomic_fetch_add(&shared->work, n, __ATOMIC_SEQ_CST);
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(addr.sun_path, shared->path, sizeof(addr.sun_path));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Waits a little when there is no room; false when the backend has hung up. */
static bool put(int fd, const void *bytes, size_t len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	const uint8_t *at = bytes;

	while (len != 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0 && !going())
			return false;
		if (n < 0) {
			(void)poll(&pfd, 1, 1);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static void fill_messages(struct fe_header *batch, unsigned int n, uint32_t request)
{
	for (unsigned int i = 0; i < n; i++)
		batch[i] = (struct fe_header){ .request = request, .flags = FE_FLAG_VERSION };
}

/* Asks and asks, and never reads an answer. */
static void stops_reading(void)
{
	struct fe_header batch[64];
	int fd = dial();

	fill_messages(batch, 64, FE_GET_FEATURES);
	while (going() && put(fd, batch, sizeof(batch)))
		worked(64);
	close(fd);
}

/* A byte a second, on eight connections in turn; each is in the middle of a message for long. */
static void one_byte_a_second(void)
{
	const struct fe_header msg = { .request = FE_SET_OWNER, .flags = FE_FLAG_VERSION };
	int fds[8];
	unsigned int sent = 0;

	for (unsigned int i = 0; i < RTE_DIM(fds); i++)
		fds[i] = dial();
	while (going()) {
		const uint8_t *byte = (const uint8_t *)&msg + sent / RTE_DIM(fds) % sizeof(msg);

		if (put(fds[sent % RTE_DIM(fds)], byte, 1))
			worked(1);
		sent++;
		for (unsigned int ms = 0; ms < 1000 / RTE_DIM(fds) && going(); ms++)
			usleep(1000);
	}
	for (unsigned int i = 0; i < RTE_DIM(fds); i++)
		close(fds[i]);
}

/* As many messages as the socket takes. */
static void floods(void)
{
	struct fe_header batch[256];
	int fd = dial();

	fill_messages(batch, 256, FE_SET_OWNER);
	while (going() && put(fd, batch, sizeof(batch)))
		worked(256);
	close(fd);
}

/* As many descriptors as a message can carry, and as the table allows. */
static void send_fds(int fd, unsigned int n)
{
	const struct fe_header msg = { .request = FE_SET_MEM_TABLE, .flags = FE_FLAG_VERSION,
				       .size_bytes = 264 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(253 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)&msg, sizeof(msg) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			     .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	int prototype = eventfd(0, EFD_CLOEXEC);

	*cm = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(n * sizeof(int)) };
	for (unsigned int i = 0; i < n; i++)
		memcpy(CMSG_DATA(cm) + i * sizeof(int), &prototype, sizeof(int));
	if (sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		worked(n);
	close(prototype);
}

/* Connections, each in the middle of a message with descriptors, until no more are accepted. */
static void exhausts_descriptors(void)
{
	int fds[100];

	while (going()) {
		for (unsigned int i = 0; i < RTE_DIM(fds); i++) {
			fds[i] = dial();
			if (fds[i] >= 0)
				send_fds(fds[i], i % 2 != 0 ? 253 : 8);
		}
		for (unsigned int ms = 0; ms < 100 && going(); ms++)
			usleep(1000);
		for (unsigned int i = 0; i < RTE_DIM(fds); i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
}

static bool up(struct frontend *fe)
{
	fe_init(fe);
	fe->timeout_ms = 20000;
	if (fe_connect(fe, shared->path) == 0 && fe_setup(fe, &config) == 0 && fe_sync(fe) == 0)
		return true;
	fe_close(fe);
	return false;
}

/* A working device whose memory is cut away under it, while a data thread serves it. */
static void truncates_its_memory(void)
{
	while (going()) {
		struct frontend fe;

		if (!up(&fe))
			continue;
		(void)!ftruncate(fe.mem.regions[0].fd, 0);
		usleep(2000);
		(void)fe_sync(&fe);
		/* For our own mapping. */
		(void)!ftruncate(fe.mem.regions[0].fd, (off_t)region.size_bytes);
		fe_close(&fe);
		worked(1);
	}
}

static void connects_and_hangs_up(void)
{
	while (going()) {
		int fd = dial();

		if (fd >= 0)
			worked(1);
		close(fd);
	}
}

/* The same with all that a device needs: memory is mapped and unmapped, callbacks are called. */
static void comes_and_goes(void)
{
	while (going()) {
		struct frontend fe;

		if (up(&fe)) {
			fe_close(&fe);
			worked(1);
		}
	}
}

static const struct attack {
	const char *name;
	void (*run)(void);
	const char *unit;      /* of what it does */
	unsigned int at_least; /* in the short form; the long form has its time */
	unsigned int in_all;   /* in the long form */
} attacks[] = {
	{ "stops reading its socket", stops_reading, "messages", 64, 64 },
	{ "sends one byte a second", one_byte_a_second, "bytes", 10, 20 },
	{ "sends a million messages", floods, "messages", 100000, 1000000 },
	{ "exhausts descriptors", exhausts_descriptors, "descriptors", 10000, 100000 },
	{ "truncates its memory's file", truncates_its_memory, "devices", 5, 100 },
	{ "reconnects in a tight loop", connects_and_hangs_up, "connections", 500, 10000 },
	{ "sets up and hangs up in a loop", comes_and_goes, "devices", 10, 100 },
};

static void __attribute__((noreturn)) attacker(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	while (!__atomic_load_n(&shared->quit, __ATOMIC_SEQ_CST)) {
		if (going()) {
			attacks[shared->attack].run();
			__atomic_store_n(&shared->idle, true, __ATOMIC_SEQ_CST);
		}
		usleep(1000);
	}
	_exit(0);
}

/* --- the other ports ------------------------------------------------------- */

static struct port {
	const char *path;
	struct frontend fe;
	struct guest_tx tx;
	struct guest_rx rx;
	int vid; /* atomic */
} ports[PORTS];

static struct rte_mempool *pool;
static uint64_t packets, lost, callbacks; /* atomic */
static bool stop_data; /* atomic */
/* The attacked port. */
static int victim = -1; /* atomic: its running device */
static int connections; /* atomic */

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static void add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_SEQ_CST);
}

static int port_new(int vid)
{
	char name[128];

	add(&callbacks, 1);
	if (rte_vhost_get_ifname(vid, name, sizeof(name)) != 0)
		return -1;
	for (unsigned int i = 0; i < PORTS; i++)
		if (ports[i].path != NULL && strcmp(name, ports[i].path) == 0)
			__atomic_store_n(&ports[i].vid, vid, __ATOMIC_SEQ_CST);
	return 0;
}

static void port_destroy(int vid)
{
	(void)vid;
	add(&callbacks, 1);
}

static const struct rte_vhost_device_ops port_ops = {
	.new_device = port_new, .destroy_device = port_destroy,
};

static int victim_new(int vid)
{
	__atomic_store_n(&victim, vid, __ATOMIC_SEQ_CST);
	return 0;
}

static void victim_destroy(int vid)
{
	(void)vid;
	__atomic_store_n(&victim, -1, __ATOMIC_SEQ_CST);
}

static int victim_connected(int vid)
{
	(void)vid;
	__atomic_fetch_add(&connections, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void victim_gone(int vid)
{
	(void)vid;
	__atomic_fetch_sub(&connections, 1, __ATOMIC_SEQ_CST);
}

static const struct rte_vhost_device_ops victim_ops = {
	.new_device = victim_new, .destroy_device = victim_destroy,
	.new_connection = victim_connected, .destroy_connection = victim_gone,
};

/* Host: from one port to the other. */
static unsigned int forward(const struct port *from, const struct port *to)
{
	struct rte_mbuf *pkts[BATCH];
	unsigned int n = rte_vhost_dequeue_burst(from->vid, 1, pool, pkts, BATCH);
	unsigned int sent = n == 0 ? 0 : rte_vhost_enqueue_burst(to->vid, 0, pkts, (uint16_t)n);

	if (n != 0)
		rte_pktmbuf_free_bulk(pkts, n);
	return sent;
}

/* Host: the attacked port is a port like any other. */
static void serve_victim(void)
{
	int vid = __atomic_load_n(&victim, __ATOMIC_SEQ_CST);
	struct rte_mbuf *pkts[BATCH];
	unsigned int n = rte_vhost_dequeue_burst(vid, 1, pool, pkts, BATCH);

	(void)rte_vhost_enqueue_burst(vid, 0, pkts, (uint16_t)n);
	if (n != 0)
		rte_pktmbuf_free_bulk(pkts, n);
}

/* One guest sends a batch, the host forwards it, the other guest has it, or it is lost. */
static void exchange(struct port *from, struct port *to, uint32_t *serial)
{
	uint64_t until = flow_now_us() + PATIENCE_US;
	uint8_t data[PACKET_BYTES], got[PACKET_BYTES + 64];
	unsigned int there = 0, right = 0;
	uint32_t first = *serial;
	struct guest_net_hdr hdr;

	for (unsigned int i = 0; i < BATCH; i++) {
		guest_pattern((*serial)++, data, sizeof(data));
		(void)guest_tx_send(&from->tx, NULL, data, sizeof(data));
	}
	while (there < BATCH && flow_now_us() < until)
		there += forward(from, to);
	for (unsigned int i = 0; i < BATCH; i++) {
		int len = guest_rx_recv(&to->rx, &hdr, got, sizeof(got), NULL);

		guest_pattern(first + i, data, sizeof(data));
		right += len == PACKET_BYTES && memcmp(got, data, sizeof(data)) == 0;
	}
	guest_rx_fill(&to->rx, BATCH);
	if (guest_tx_reap(&from->tx) != BATCH)
		right = 0;
	add(&packets, right);
	add(&lost, BATCH - right);
}

static void *data_thread(void *arg)
{
	uint32_t serial = 0;

	(void)arg;
	while (!__atomic_load_n(&stop_data, __ATOMIC_SEQ_CST) && load(&lost) == 0) {
		exchange(&ports[0], &ports[1], &serial);
		serve_victim();
		exchange(&ports[1], &ports[0], &serial);
		serve_victim();
	}
	return NULL;
}

static void bind_to(pthread_t thread, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)pthread_setaffinity_np(thread, sizeof(set), &set);
}

static bool port_is_up(void *arg)
{
	return __atomic_load_n(&((struct port *)arg)->vid, __ATOMIC_SEQ_CST) >= 0;
}

static void port_up(struct port *p)
{
	p->vid = -1;
	p->path = strdup(flow_serve_ops(0, &port_ops));
	fe_init(&p->fe);
	p->fe.timeout_ms = PATIENCE_US / 1000;
	CHECK_EQ(fe_connect(&p->fe, p->path), 0);
	CHECK_EQ(fe_setup(&p->fe, &config), 0);
	CHECK(flow_wait_until(port_is_up, p, PATIENCE_US / 1000));
	guest_tx_init(&p->tx, &p->fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	CHECK_EQ(guest_rx_init(&p->rx, &p->fe.vqs[0], GUEST_NET_HDR_BYTES, true, 48, 1024), 0);
	guest_rx_fill(&p->rx, 48);
}

static void port_down(struct port *p)
{
	guest_rx_fini(&p->rx);
	fe_close(&p->fe);
	flow_unserve(p->path);
	free((void *)(uintptr_t)p->path);
}

/* --- the siege ----------------------------------------------------------------- */

/* What happened in a while: packets of the ports that are not attacked, and an answer's time. */
struct window {
	double packets_per_s;
	double packets_per_cpu_s; /* of the data thread: others may have its core for a while */
	double answer_us;
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

#define ANSWERS_MAX 64

static double median(const double *values, unsigned int n)
{
	double sorted[ANSWERS_MAX];

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), by_size);
	return sorted[n / 2];
}

static pthread_t data;

static uint64_t data_cpu_us(void)
{
	struct timespec t = { 0 };
	clockid_t clock;

	if (pthread_getcpuclockid(data, &clock) == 0)
		(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* At least `length_us` long, and until there were packets. Asks a port something now and then. */
static struct window watch(uint64_t length_us)
{
	uint64_t start = flow_now_us(), before = load(&packets), now = start;
	uint64_t cpu_start = data_cpu_us(), done;
	double answers[ANSWERS_MAX];
	unsigned int n = 0;

	while (now - start < length_us || load(&packets) == before) {
		uint64_t asked = flow_now_us();

		CHECK_EQ(fe_sync(&ports[n % PORTS].fe), 0);
		if (n < RTE_DIM(answers))
			answers[n++] = (double)(flow_now_us() - asked);
		usleep(10000);
		now = flow_now_us();
		CHECK(now - start < PATIENCE_US);
		CHECK_EQ(load(&lost), 0);
	}
	done = (load(&packets) - before) * 1000000;
	return (struct window){ (double)done / (double)(now - start),
				(double)done / (double)(data_cpu_us() - cpu_start + 1),
				median(answers, n) };
}

static bool is_idle(void *arg)
{
	(void)arg;
	return __atomic_load_n(&shared->idle, __ATOMIC_SEQ_CST);
}

static bool nobody_connected(void *arg)
{
	(void)arg;
	return __atomic_load_n(&connections, __ATOMIC_SEQ_CST) == 0 &&
	       __atomic_load_n(&victim, __ATOMIC_SEQ_CST) < 0;
}

/* An attack, for a while and until enough of it happened. */
static struct window under_attack(uint64_t length_us, uint64_t wanted)
{
	uint64_t until = flow_now_us() + PATIENCE_US;
	uint64_t before = load(&shared->work);
	struct window w;

	__atomic_store_n(&shared->idle, false, __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared->go, true, __ATOMIC_SEQ_CST);
	w = watch(length_us);
	while (load(&shared->work) - before < wanted && flow_now_us() < until)
		w = watch(length_us);
	__atomic_store_n(&shared->go, false, __ATOMIC_SEQ_CST);
	CHECK(flow_wait_until(is_idle, NULL, PATIENCE_US / 1000));
	return w;
}

static void set_fd_limit(rlim_t limit)
{
	struct rlimit r;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = limit;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
}

struct left {
	int fds, maps;
};

/* All connections of the attacker are gone: what is more than before? */
static struct left left_over(unsigned int fds, unsigned int maps)
{
	CHECK(flow_wait_until(nobody_connected, NULL, PATIENCE_US / 1000));
	flow_unserve(shared->path);
	return (struct left){ (int)rig_count_fds() - (int)fds, (int)rig_count_maps() - (int)maps };
}

static const char *path_to_attack(unsigned int attack)
{
	snprintf(shared->path, sizeof(shared->path), "%s", flow_serve_ops(0, &victim_ops));
	shared->attack = attack;
	__atomic_store_n(&shared->work, 0, __ATOMIC_SEQ_CST);
	return shared->path;
}

/* The same figure of all windows with the attack, and of those before each of them. */
struct figure {
	double quiet[WINDOWS], loud[WINDOWS];
};

struct figures {
	struct figure per_s, per_cpu_s, answer_us;
};

static void note(struct figures *f, unsigned int i, const struct window *quiet,
		 const struct window *loud)
{
	f->per_s.quiet[i] = quiet->packets_per_s;
	f->per_s.loud[i] = loud->packets_per_s;
	f->per_cpu_s.quiet[i] = quiet->packets_per_cpu_s;
	f->per_cpu_s.loud[i] = loud->packets_per_cpu_s;
	f->answer_us.quiet[i] = quiet->answer_us;
	f->answer_us.loud[i] = loud->answer_us;
}

static void show_figure(const struct figure *f, int digits)
{
	double ratios[WINDOWS];

	for (unsigned int i = 0; i < WINDOWS; i++)
		ratios[i] = f->loud[i] / f->quiet[i];
	fprintf(tap.out, " | %8.*f %8.*f %5.2f", digits, median(f->quiet, WINDOWS), digits,
		median(f->loud, WINDOWS), median(ratios, WINDOWS));
}

static void show(const struct attack *a, const struct figures *f, const struct left *left)
{
	fprintf(tap.out, "# %-30s %8llu %-11s", a->name, (unsigned long long)load(&shared->work),
		a->unit);
	show_figure(&f->per_s, 0);
	show_figure(&f->per_cpu_s, 0);
	show_figure(&f->answer_us, 0);
	fprintf(tap.out, " | %3d %4d\n", left->fds, left->maps);
}

static void show_head(void)
{
	fprintf(tap.out,
		"# %-51s | %-23s | %-23s | %-23s | left over\n"
		"# %-51s | %8s %8s %5s | %8s %8s %5s | %8s %8s %5s | %3s %4s\n",
		"what the attacked port's frontend does", "others' packets/s",
		"packets/s of their CPU", "their answers, us", "", "without", "during", "ratio",
		"without", "during", "ratio", "without", "during", "ratio", "fds", "maps");
}

static void besiege(unsigned int attack)
{
	const struct attack *a = &attacks[attack];
	bool exhausts = a->run == exhausts_descriptors, soak = getenv("VHOST_NG_SOAK") != NULL;
	unsigned int windows = soak ? WINDOWS : 1;
	uint64_t wanted = (soak ? a->in_all : a->at_least) / windows;
	unsigned int fds = rig_count_fds(), maps = rig_count_maps();
	uint64_t called = load(&callbacks);
	static struct figures figures;
	struct rlimit limit;
	struct left left;

	path_to_attack(attack);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (unsigned int i = 0; i < windows; i++) {
		struct window quiet = watch(WINDOW_US), loud;

		if (exhausts)
			set_fd_limit(rig_count_fds() + FDS_SPARE);
		loud = under_attack(WINDOW_US, wanted + 1);
		if (exhausts)
			set_fd_limit(limit.rlim_cur);
		note(&figures, i, &quiet, &loud);
	}
	left = left_over(fds, maps);
	if (soak)
		show(a, &figures, &left);
	if (load(&shared->work) < wanted * windows)
		tap_fail(__FILE__, __LINE__, "the attack was not one: %llu of %llu %s",
			 (unsigned long long)load(&shared->work),
			 (unsigned long long)wanted * windows, a->unit);
	CHECK_EQ(left.fds, 0);
	CHECK_EQ(left.maps, 0);
	CHECK_EQ(load(&lost), 0);
	CHECK_EQ(load(&callbacks), called);
}

#define ATTACK(i)                      \
	static void attack_##i(void)   \
	{                              \
		besiege(i);            \
	}
ATTACK(0)
ATTACK(1)
ATTACK(2)
ATTACK(3)
ATTACK(4)
ATTACK(5)
ATTACK(6)

/* A test that failed may have left the attack and its path. */
static void calm(void)
{
	struct rlimit limit;

	__atomic_store_n(&shared->go, false, __ATOMIC_SEQ_CST);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1024)
		limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void before(void)
{
	static bool once;

	if (once)
		return;
	once = true;
	pool = flow_pool(512, 2048);
	for (unsigned int i = 0; i < PORTS; i++)
		port_up(&ports[i]);
	if (pthread_create(&data, NULL, data_thread, NULL) != 0)
		abort();
	bind_to(data, 0);
	if (getenv("VHOST_NG_SOAK") != NULL)
		show_head();
}

static pid_t start_attacker(void)
{
	cpu_set_t set;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		abort();
	pid = fork();
	if (pid != 0)
		return pid;
	CPU_ZERO(&set);
	CPU_SET(1, &set); /* there may be only one */
	(void)sched_setaffinity(0, sizeof(set), &set);
	attacker();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ attacks[0].name, attack_0 }, { attacks[1].name, attack_1 },
		{ attacks[2].name, attack_2 }, { attacks[3].name, attack_3 },
		{ attacks[4].name, attack_4 }, { attacks[5].name, attack_5 },
		{ attacks[6].name, attack_6 },
	};
	pid_t pid = start_attacker();
	int rc;

	tap_begin();
	flow_init(argv[0]);
	rc = tap_run(tests, RTE_DIM(tests), argc > 1 ? argv[1] : NULL, before, calm);
	__atomic_store_n(&stop_data, true, __ATOMIC_SEQ_CST);
	pthread_join(data, NULL);
	for (unsigned int i = 0; i < PORTS; i++)
		port_down(&ports[i]);
	__atomic_store_n(&shared->quit, true, __ATOMIC_SEQ_CST);
	(void)waitpid(pid, NULL, 0);
	rte_mempool_free(pool);
	flow_cleanup();
	return rc;
}
