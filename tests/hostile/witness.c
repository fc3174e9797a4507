/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver that notes what the library does wrong; see witness.h. */
#include "witness.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_debug.h>

#include "fake_vdpa.h"

#define QUEUES_MAX 64
#define SPACE_BYTES 256

static struct {
	/* Of all of it: the hardware looks when no operation is under way. */
	pthread_mutex_t lock;
	pthread_t hardware;
	bool stop; /* atomic */
	bool is_block;
	unsigned int nr_queues, one_in;
	uint64_t rng;
	struct witness_counts counts;
	/* Of the connection. */
	int vid; /* -1: none */
	bool running;    /* new_device() has accepted, destroy_device() not come */
	bool ended;      /* destroy_connection() has come */
	bool configured;
	bool on[QUEUES_MAX];
	int callfd[QUEUES_MAX]; /* while it is on */
	/* From dev_conf() to dev_close(). */
	struct rte_vhost_memory *mem;
	struct rte_vhost_vring rings[QUEUES_MAX];
	/* From set_features() on. */
	uint8_t *log;
	uint64_t log_bytes;
} w = { .lock = PTHREAD_MUTEX_INITIALIZER, .vid = -1 };

static const char *problem; /* atomic */

static void wrong(const char *what)
{
	const char *none = NULL;

	if (__atomic_compare_exchange_n(&problem, &none, what, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		fprintf(stderr, "witness: %s\n", what);
}

#define EXPECT(condition, what) \
	do { \
		if (!(condition)) \
			wrong(what); \
	} while (0)

static bool fails(void)
{
	w.rng ^= w.rng << 13;
	w.rng ^= w.rng >> 7;
	w.rng ^= w.rng << 17;
	return w.one_in != 0 && (w.rng >> 32) % w.one_in == 0;
}

static int result(void)
{
	return fails() ? -EIO : 0;
}

/* --- what the hardware touches --------------------------------------------- */

static uint8_t touched;

static void touch(const volatile uint8_t *at, uint64_t bytes)
{
	touched = (uint8_t)(at[0] + at[bytes - 1]);
}

static bool is_packed(void)
{
	uint64_t features = 0;

	return rte_vhost_get_negotiated_features(w.vid, &features) == 0 &&
	       (features & FE_F_RING_PACKED) != 0;
}

/* Start and length of what a ring consists of. */
struct part {
	const void *at;
	uint64_t bytes;
};

static void parts_of(const struct rte_vhost_vring *r, bool packed, struct part *parts)
{
	parts[0] = (struct part){ r->desc, 16ull * r->size };
	parts[1] = (struct part){ r->avail, packed ? 4 : 6 + 2ull * r->size };
	parts[2] = (struct part){ r->used, packed ? 4 : 6 + 8ull * r->size };
}

static bool in_memory(const struct part *part)
{
	const uint64_t at = (uintptr_t)part->at;

	for (uint32_t i = 0; i < w.mem->nregions; i++) {
		const struct rte_vhost_mem_region *r = &w.mem->regions[i];

		if (at - r->host_user_addr < r->size &&
		    part->bytes <= r->size - (at - r->host_user_addr))
			return true;
	}
	return false;
}

static void touch_rings(bool packed)
{
	for (unsigned int i = 0; i < w.nr_queues; i++) {
		struct part parts[3];

		if (w.rings[i].desc == NULL)
			continue;
		parts_of(&w.rings[i], packed, parts);
		for (unsigned int j = 0; j < 3; j++)
			touch(parts[j].at, parts[j].bytes);
	}
}

static bool is_eventfd(int fd)
{
	char path[32], target[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       strcmp(target, "anon_inode:[eventfd]") == 0;
}

static void touch_everything(void)
{
	if (w.configured) {
		for (uint32_t i = 0; i < w.mem->nregions; i++)
			touch((const uint8_t *)(uintptr_t)w.mem->regions[i].host_user_addr,
			      w.mem->regions[i].size);
		touch_rings(is_packed());
	}
	if (w.log != NULL)
		touch(w.log, w.log_bytes);
	/* What calls the guest, until its queue or all of it stops. */
	for (unsigned int i = 0; w.configured && i < w.nr_queues; i++)
		EXPECT(!w.on[i] || w.callfd[i] < 0 || is_eventfd(w.callfd[i]),
		       "a queue that is on has another call descriptor than the driver was told");
	w.counts.looks++;
}

static void *hardware(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&w.stop, __ATOMIC_RELAXED)) {
		pthread_mutex_lock(&w.lock);
		touch_everything();
		pthread_mutex_unlock(&w.lock);
		usleep(50);
	}
	return NULL;
}

/* --- operations ---------------------------------------------------------------- */

/* Whatever it is, it is about the guest that is there. */
static void enter(int vid)
{
	pthread_mutex_lock(&w.lock);
	EXPECT(vid == w.vid, "an operation for a connection that is not there");
	EXPECT(rte_vhost_get_vdpa_device(vid) == fake.dev, "an operation of another device");
	touch_everything();
}

/* `ret` is the operation's. */
static int leave(int ret)
{
	pthread_mutex_unlock(&w.lock);
	return ret;
}

static void look_at_ring(unsigned int i)
{
	struct rte_vhost_vring *r = &w.rings[i];
	struct part parts[3];

	if (rte_vhost_get_vhost_vring(w.vid, (uint16_t)i, r) != 0 || r->desc == NULL) {
		r->desc = NULL;
		return;
	}
	EXPECT(r->size != 0, "a ring without entries");
	parts_of(r, is_packed(), parts);
	for (unsigned int j = 0; j < 3; j++)
		EXPECT(in_memory(&parts[j]), "a ring outside memory");
}

static void forget_rings(void)
{
	memset(w.rings, 0, sizeof(w.rings));
	free(w.mem);
	w.mem = NULL;
}

static int dev_conf(int vid)
{
	unsigned int needed = w.is_block ? 1 : 2;
	int ret;

	enter(vid);
	EXPECT(w.running, "dev_conf() before new_device()");
	EXPECT(!w.configured, "dev_conf() twice");
	EXPECT(!w.ended, "dev_conf() after destroy_connection()");
	EXPECT(rte_vhost_get_vring_num(vid) <= w.nr_queues, "more queues than the device has");
	EXPECT(rte_vhost_get_mem_table(vid, &w.mem) == 0, "dev_conf() without memory");
	for (unsigned int i = 0; w.mem != NULL && i < w.nr_queues; i++)
		look_at_ring(i);
	for (unsigned int i = 0; i < needed; i++)
		EXPECT(w.rings[i].desc != NULL, "dev_conf() without rings");
	ret = result();
	w.configured = ret == 0;
	w.counts.configured += w.configured;
	if (!w.configured)
		forget_rings();
	return leave(ret);
}

static bool is_same_memory(void)
{
	struct rte_vhost_memory *now = NULL;
	bool same = rte_vhost_get_mem_table(w.vid, &now) == 0 && now->nregions == w.mem->nregions;

	for (uint32_t i = 0; same && i < now->nregions; i++) {
		const struct rte_vhost_mem_region *r = &now->regions[i], *was = &w.mem->regions[i];

		same = r->guest_phys_addr == was->guest_phys_addr &&
		       r->guest_user_addr == was->guest_user_addr &&
		       r->host_user_addr == was->host_user_addr && r->size == was->size &&
		       r->fd == was->fd;
	}
	free(now);
	return same;
}

static int dev_close(int vid)
{
	enter(vid);
	EXPECT(w.configured, "dev_close() of what is not open");
	EXPECT(w.running, "dev_close() after destroy_device()");
	if (w.configured) {
		EXPECT(is_same_memory(), "dev_close() when memory is another");
		for (unsigned int i = 0; i < w.nr_queues; i++) {
			struct rte_vhost_vring now;

			if (w.rings[i].desc == NULL)
				continue;
			EXPECT(rte_vhost_get_vhost_vring(vid, (uint16_t)i, &now) == 0 &&
			       now.desc == w.rings[i].desc && now.avail == w.rings[i].avail &&
			       now.used == w.rings[i].used && now.size == w.rings[i].size,
			       "dev_close() when a ring is elsewhere");
			(void)rte_vhost_set_vring_base(vid, (uint16_t)i, (uint16_t)i, (uint16_t)i);
		}
	}
	w.configured = false;
	w.counts.closed++;
	forget_rings();
	return leave(result());
}

static void forget_log(void)
{
	w.log = NULL;
	w.log_bytes = 0;
}

static int dev_cleanup(int vid)
{
	enter(vid);
	EXPECT(!w.configured, "dev_cleanup() of what is open");
	EXPECT(!w.running, "dev_cleanup() before destroy_device()");
	w.counts.cleanups++;
	forget_log();
	/* Of a connection that has ended nothing comes after this. */
	if (w.ended)
		w.vid = -1;
	return leave(result());
}

static int set_vring_state(int vid, int index, int state)
{
	struct rte_vhost_vring vring;

	enter(vid);
	EXPECT(!w.ended, "set_vring_state() after destroy_connection()");
	EXPECT(index >= 0 && (unsigned int)index < w.nr_queues, "a queue that there is not");
	EXPECT(state == 0 || state == 1, "a state that is none");
	if (index >= 0 && (unsigned int)index < w.nr_queues) {
		EXPECT(w.on[index] != (state != 0), "a queue that is on, or off, already");
		w.on[index] = state != 0;
		w.callfd[index] = -1;
		if (state != 0 && rte_vhost_get_vhost_vring(vid, (uint16_t)index, &vring) == 0)
			w.callfd[index] = vring.callfd;
		if (w.configured && state != 0 && w.rings[index].desc == NULL)
			look_at_ring((unsigned int)index);
	}
	w.counts.states++;
	return leave(result());
}

static int set_features(int vid)
{
	uint64_t features = 0, base = 0, bytes = 0, offset;
	struct stat st;

	enter(vid);
	EXPECT(!w.ended, "set_features() after destroy_connection()");
	EXPECT(rte_vhost_get_negotiated_features(vid, &features) == 0, "no features");
	forget_log();
	if ((features & FE_F_LOG_ALL) != 0 && rte_vhost_get_log_base(vid, &base, &bytes) == 0 &&
	    base != 0) {
		int fd = vhost_ng_vdpa_log_fd(vid, &offset);

		EXPECT(fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode),
		       "a log without a file");
		w.log = (uint8_t *)(uintptr_t)base;
		w.log_bytes = bytes;
		w.counts.logs++;
	}
	w.counts.features++;
	return leave(result());
}

static int migration_done(int vid)
{
	enter(vid);
	EXPECT(!w.ended, "migration_done() after destroy_connection()");
	return leave(result());
}

static int get_config(int vid, uint8_t *config, uint32_t size_bytes)
{
	enter(vid);
	EXPECT(size_bytes <= SPACE_BYTES, "more than a configuration space has");
	memset(config, 0x5a, size_bytes);
	w.counts.configs++;
	return leave(result());
}

static int set_config(int vid, uint8_t *config, uint32_t offset, uint32_t size, uint32_t flags)
{
	(void)flags;
	enter(vid);
	EXPECT(offset <= SPACE_BYTES && size <= SPACE_BYTES - offset && size != 0,
	       "outside the configuration space");
	touch(config, size);
	w.counts.configs++;
	return leave(result());
}

/* --- the application ------------------------------------------------------------- */

static int on_new_connection(int vid)
{
	pthread_mutex_lock(&w.lock);
	EXPECT(w.vid < 0, "two connections");
	w.vid = vid;
	w.ended = w.running = w.configured = false;
	memset(w.on, 0, sizeof(w.on));
	w.counts.connections++;
	if (rte_vhost_get_vdpa_device(vid) == NULL)
		w.vid = -1; /* somebody else serves it */
	pthread_mutex_unlock(&w.lock);
	return 0;
}

static int on_new_device(int vid)
{
	pthread_mutex_lock(&w.lock);
	EXPECT(w.vid < 0 || w.vid == vid, "a device that did not connect");
	w.running = !fails();
	pthread_mutex_unlock(&w.lock);
	return w.running ? 0 : -1;
}

static void on_destroy_device(int vid)
{
	(void)vid;
	pthread_mutex_lock(&w.lock);
	EXPECT(!w.configured, "destroy_device() before dev_close()");
	w.running = false;
	pthread_mutex_unlock(&w.lock);
}

static void on_destroy_connection(int vid)
{
	(void)vid;
	pthread_mutex_lock(&w.lock);
	w.ended = true;
	/* It cannot come back. */
	memset(w.on, 0, sizeof(w.on));
	pthread_mutex_unlock(&w.lock);
}

const struct rte_vhost_device_ops witness_application = {
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
	.new_connection = on_new_connection,
	.destroy_connection = on_destroy_connection,
};

/* --- ------------------------------------------------------------------------------- */

void witness_plug(bool is_block, unsigned int nr_queues, uint64_t seed)
{
	RTE_VERIFY(nr_queues <= QUEUES_MAX);
	fake_vdpa_reset();
	fake.type = is_block ? RTE_VHOST_VDPA_DEVICE_TYPE_BLK : RTE_VHOST_VDPA_DEVICE_TYPE_NET;
	fake.queue_num = is_block ? nr_queues : nr_queues / 2;
	fake.ops.dev_conf = dev_conf;
	fake.ops.dev_close = dev_close;
	fake.ops.dev_cleanup = dev_cleanup;
	fake.ops.set_vring_state = set_vring_state;
	fake.ops.set_features = set_features;
	fake.ops.migration_done = migration_done;
	fake.ops.get_config = get_config;
	fake.ops.set_config = set_config;
	w.is_block = is_block;
	w.one_in = 0;
	w.nr_queues = nr_queues;
	w.rng = seed | 1;
	w.counts = (struct witness_counts){ 0 };
	w.stop = false;
	__atomic_store_n(&problem, NULL, __ATOMIC_SEQ_CST);
	fake_vdpa_plug();
	RTE_VERIFY(pthread_create(&w.hardware, NULL, hardware, NULL) == 0);
}

void witness_unplug(void)
{
	fake_vdpa_unplug();
	pthread_mutex_lock(&w.lock);
	EXPECT(w.vid < 0, "a device that has gone has a connection");
	pthread_mutex_unlock(&w.lock);
	__atomic_store_n(&w.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(w.hardware, NULL);
	memset(&fake.ops, 0xa5, sizeof(fake.ops));
}

void witness_fails(unsigned int one_in)
{
	pthread_mutex_lock(&w.lock);
	w.one_in = one_in;
	pthread_mutex_unlock(&w.lock);
}

const char *witness_problem(void)
{
	return __atomic_load_n(&problem, __ATOMIC_SEQ_CST);
}

struct witness_counts witness_counts(void)
{
	struct witness_counts counts;

	pthread_mutex_lock(&w.lock);
	counts = w.counts;
	pthread_mutex_unlock(&w.lock);
	return counts;
}

bool witness_is_configured(void)
{
	bool configured;

	pthread_mutex_lock(&w.lock);
	configured = w.configured;
	pthread_mutex_unlock(&w.lock);
	return configured;
}
