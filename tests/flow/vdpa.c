/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vDPA device that serves a socket: which operations of its driver come after which message, in
 * which order, between the application's callbacks. Exact lists (words: see flow.h, fake_vdpa.h).
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_dev.h>

#include "fake_vdpa.h"
#include "flow_main.h"
#include "guest_log.h"
#include "guest_net.h"

/* Not in the stock library. */
#pragma weak vhost_ng_vdpa_log_fd
#pragma weak vhost_ng_vdpa_errfd
#pragma weak vhost_ng_vdpa_rarp_mac
#pragma weak vhost_ng_vdpa_mem_offset
#pragma weak vhost_ng_vdpa_vring_state

static const struct fe_config two_pairs = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MQ,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
			     1u << FE_PROTOCOL_F_RARP | 1u << FE_PROTOCOL_F_LOG_SHMFD,
	.nr_pairs = 2,
	.ring_size = 64,
};

static const char *path;
static struct frontend fe;

/* Sends, waits until the backend has handled it, compares what it called, forgets it. */
#define STEP(call, expected) \
	do { \
		CHECK_EQ(call, 0); \
		CHECK_EQ(fe_sync(&fe), 0); \
		CHECK_STR(rec_text(), expected); \
		rec_reset(); \
	} while (0)

/*
 * The same where the last message, which is STEP's own, has something called, too: the stock library
 * answers before it does that.
 */
#define STEP_AND_MORE(call, expected) \
	do { \
		CHECK_EQ(call, 0); \
		CHECK_EQ(fe_sync(&fe), 0); \
		CHECK(rec_wait(expected)); \
		rec_reset(); \
	} while (0)

static void
setup(void)
{
	rec_reset();
	fake_vdpa_reset();
	fe_init(&fe);
}

static void
plug(uint64_t flags)
{
	fake_vdpa_plug();
	flow_start_driver = fake_vdpa_start;
	path = flow_serve(flags);
}

static void
connect_frontend(void)
{
	plug(0);
	CHECK_EQ(fe_connect(&fe, path), 0);
	STEP(0, "+conn");
	fe.use_ack = true;
}

static bool
is_forgotten(void *arg)
{
	const char *text = rec_text();

	(void)arg;
	return strstr(text, "-conn") != NULL && strstr(text, "cleanup") != NULL;
}

static void
teardown(void)
{
	bool connected = fe.fd >= 0;

	fe_close(&fe);
	fake.hook = NULL;
	if (connected && fake.ops.dev_cleanup != NULL)
		flow_wait_until(is_forgotten, NULL, 5000);
	if (path != NULL)
		flow_unserve(path);
	path = NULL;
	if (fake.dev != NULL)
		fake_vdpa_unplug();
	flow_start_driver = rte_vhost_driver_start;
	flow_teardown();
}

static void
bring_up(const struct fe_config *config)
{
	connect_frontend();
	CHECK_EQ(fe_setup(&fe, config), 0);
	CHECK(strstr(rec_text(), "+dev conf") != NULL);
	rec_reset();
}

/* --- what is offered ------------------------------------------------------ */

/* A socket offers what the device can do of what it offers itself. */
static void
capabilities_are_intersected(void)
{
	const char *p = flow_path();
	uint64_t plain = 0, features = 0;
	uint32_t queue_num = 0;

	fake.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_PROTOCOL_FEATURES | 1ull << 60;
	fake.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_NET_MTU | 1ull << 60;
	fake.queue_num = 3;
	fake_vdpa_plug();
	CHECK_EQ(rte_vhost_driver_register(p, 0), 0);
	CHECK_EQ(rte_vhost_driver_get_features(p, &plain), 0);
	CHECK_EQ(rte_vhost_driver_attach_vdpa_device(p, fake.dev), 0);
	CHECK_EQ(rte_vhost_driver_get_features(p, &features), 0);
	CHECK_EQ(features, plain & fake.features);
	CHECK_EQ(features, FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_PROTOCOL_FEATURES);
	CHECK_EQ(rte_vhost_driver_get_protocol_features(p, &features), 0);
	CHECK_EQ(features, 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_NET_MTU);
	CHECK_EQ(rte_vhost_driver_get_queue_num(p, &queue_num), 0);
	CHECK_EQ(queue_num, 3);
	fake.queue_num = 500;
	CHECK_EQ(rte_vhost_driver_get_queue_num(p, &queue_num), 0);
	CHECK_EQ(queue_num, 128);
	/* What the application takes away stays away. */
	CHECK_EQ(rte_vhost_driver_disable_features(p, FE_F_MRG_RXBUF), 0);
	CHECK_EQ(rte_vhost_driver_get_features(p, &features), 0);
	CHECK_EQ(features, FE_F_VERSION_1 | FE_F_PROTOCOL_FEATURES);
	fake.limits_result = -5;
	CHECK_EQ(rte_vhost_driver_get_features(p, &features), -1);
	CHECK_EQ(rte_vhost_driver_get_protocol_features(p, &features), -1);
	CHECK_EQ(rte_vhost_driver_get_queue_num(p, &queue_num), -1);
	fake.limits_result = 0;
	CHECK_EQ(rte_vhost_driver_detach_vdpa_device(p), 0);
	CHECK_EQ(rte_vhost_driver_get_features(p, &features), 0);
	CHECK_EQ(features, plain & ~FE_F_MRG_RXBUF);
	flow_unserve(p);
}

static void
attaching_and_looking_up(void)
{
	const char *p = flow_path();
	uint32_t type = 77;

	fake.type = RTE_VHOST_VDPA_DEVICE_TYPE_BLK;
	fake_vdpa_plug();
	CHECK_EQ(rte_vhost_driver_attach_vdpa_device(p, fake.dev), -1);
	CHECK_EQ(rte_vhost_driver_attach_vdpa_device(NULL, fake.dev), -1);
	CHECK_EQ(rte_vhost_driver_detach_vdpa_device(p), -1);
	CHECK_EQ(rte_vhost_driver_detach_vdpa_device(NULL), -1);
	CHECK(rte_vhost_driver_get_vdpa_device(p) == NULL);
	CHECK(rte_vhost_driver_get_vdpa_device(NULL) == NULL);
	CHECK_EQ(rte_vhost_driver_register(p, 0), 0);
	CHECK_EQ(rte_vhost_driver_attach_vdpa_device(p, NULL), -1);
	CHECK(rte_vhost_driver_get_vdpa_device(p) == NULL);
	CHECK_EQ(rte_vhost_driver_get_vdpa_dev_type(p, &type), -1);
	CHECK_EQ(type, 77);
	CHECK_EQ(rte_vhost_driver_detach_vdpa_device(p), 0);
	CHECK_EQ(rte_vhost_driver_attach_vdpa_device(p, fake.dev), 0);
	CHECK_EQ(rte_vhost_driver_attach_vdpa_device(p, fake.dev), 0);
	CHECK(rte_vhost_driver_get_vdpa_device(p) == fake.dev);
	CHECK_EQ(rte_vhost_driver_get_vdpa_dev_type(p, &type), 0);
	CHECK_EQ(type, RTE_VHOST_VDPA_DEVICE_TYPE_BLK);
	CHECK_EQ(rte_vhost_driver_detach_vdpa_device(p), 0);
	CHECK(rte_vhost_driver_get_vdpa_device(p) == NULL);
	flow_unserve(p);
}

/* EAL's iterator over device classes, which is how DPDK's example finds its devices. */
static void
class_has_the_device(void)
{
	struct rte_dev_iterator it;
	struct rte_device *each;
	unsigned n = 0;

	RTE_DEV_FOREACH(each, "class=vdpa", &it)
		n++;
	CHECK_EQ(n, 0);
	fake_vdpa_plug();
	RTE_DEV_FOREACH(each, "class=vdpa", &it) {
		CHECK(rte_vdpa_find_device_by_name(rte_dev_name(each)) == fake.dev);
		CHECK(rte_vdpa_get_rte_device(fake.dev) == each);
		n++;
	}
	CHECK_EQ(n, 1);
}

/* Difference: the stock library takes them, and leaves it to chance. */
static void
what_no_device_can_serve_is_refused(void)
{
	static const uint64_t flags[] = {RTE_VHOST_USER_IOMMU_SUPPORT,
					 RTE_VHOST_USER_POSTCOPY_SUPPORT};

	fake_vdpa_plug();
	for (unsigned i = 0; i < RTE_DIM(flags); i++) {
		const char *p = flow_path();

		if (rte_vhost_driver_register(p, flags[i]) != 0)
			continue; /* a kernel without userfaultfd */
		CHECK_EQ(rte_vhost_driver_attach_vdpa_device(p, fake.dev), is_stock ? 0 : -1);
		flow_unserve(p);
	}
}

/* Difference: without a word from the driver the stock library offers what the socket does. */
static void
driver_that_does_not_answer(void)
{
	if (is_stock)
		tap_skip("the stock library does without an answer");
	plug(0);
	fake.limits_result = -5;
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK(fe_sync(&fe) != 0);
	CHECK(fe_closed_by_backend(&fe, 20000));
	fe_close(&fe);
	CHECK_STR(rec_text(), "");
}

/*
 * Difference: nothing else keeps a frontend from naming queues that the driver has no room for; the
 * stock library passes them on.
 */
static void
queues_beyond_the_device_are_refused(void)
{
	if (is_stock)
		tap_skip("the stock library has any queue");
	fake.queue_num = 2;
	connect_frontend();
	CHECK_EQ(fe_negotiate(&fe, &two_pairs), 0);
	CHECK_EQ(fe_build(&fe, &two_pairs), 0);
	CHECK_EQ(fe_set_vring_call(&fe, 3, fe.vqs[3].callfd), 0);
	CHECK_EQ(fe_set_vring_call(&fe, 4, fe.vqs[3].callfd), 1);
	CHECK_EQ(rte_vhost_get_vring_num(rec_vid()), 4);
}

/* --- a life ---------------------------------------------------------------- */

static void
start_in_qemu_order(void)
{
	struct frontend *f = &fe;

	connect_frontend();
	STEP(fe_negotiate(f, &two_pairs), "feat");
	CHECK_EQ(fe_build(f, &two_pairs), 0);
	for (unsigned i = 0; i < 4; i++)
		STEP(fe_set_vring_call(f, i, f->vqs[i].callfd), "");
	for (unsigned i = 0; i < 4; i++)
		STEP(fe_set_vring_enable(f, i, true), "");
	STEP(fe_set_mem_table(f, &f->mem), "");
	STEP(fe_start_vring(f, 0), "v0=1 q0=1 v0=0 q0=0 v0=1 q0=1");
	STEP(fe_start_vring(f, 1), "v1=1 q1=1 +dev conf v1=0 q1=0 v1=1 q1=1");
	STEP(fe_start_vring(f, 2), "v2=1 q2=1 v2=0 q2=0 v2=1 q2=1");
	STEP(fe_start_vring(f, 3), "v3=1 q3=1 v3=0 q3=0 v3=1 q3=1");
	fe_disconnect(f);
	CHECK(rec_wait("close -dev -conn cleanup"));
}

static void
start_with_enable_last(void)
{
	connect_frontend();
	CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
	CHECK_STR(rec_text(), "feat v0=1 q0=1 v1=1 q1=1 +dev conf v2=1 q2=1 v3=1 q3=1");
}

static void
disconnect_before_anything(void)
{
	connect_frontend();
	fe_disconnect(&fe);
	CHECK(rec_wait("-conn cleanup"));
}

/* What a guest's reboot is to a backend. */
static void
stop_by_get_vring_base_and_restart(void)
{
	bring_up(&two_pairs);
	for (int round = 0; round < 3; round++) {
		STEP(fe_get_vring_base(&fe, 0, NULL), "close -dev v0=0 q0=0");
		STEP(fe_get_vring_base(&fe, 1, NULL), "v1=0 q1=0");
		STEP(fe_get_vring_base(&fe, 2, NULL), "v2=0 q2=0");
		STEP(fe_get_vring_base(&fe, 3, NULL), "v3=0 q3=0");
		STEP(fe_start_vring(&fe, 0), "v0=1 q0=1");
		STEP(fe_start_vring(&fe, 1), "v1=1 q1=1 +dev conf");
		STEP(fe_start_vring(&fe, 2), "v2=1 q2=1");
		STEP(fe_start_vring(&fe, 3), "v3=1 q3=1");
	}
}

/* The rings that the device gets are those of the guest that is there now. */
static void
reboot_with_other_rings(void)
{
	struct vring_used *before;

	bring_up(&two_pairs);
	before = fake.rings[1].used;
	CHECK_EQ(fe_stop(&fe, NULL), 0);
	for (unsigned i = 0; i < 4; i++) {
		struct guest_ring *vq = &fe.vqs[i];
		const struct guest_format *format = vq->format;

		guest_ring_fini(vq);
		CHECK_EQ(guest_ring_init(vq, format, &fe.mem, 32), 0);
		CHECK_EQ(fe_start_vring(&fe, i), 0);
	}
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK(fake.rings[1].used != before);
	CHECK_EQ(fake.rings[1].size, 32);
	CHECK_EQ(fake.base[0], guest_ring_base(&fe.vqs[0]) & 0xffff);
}

/* Where the device stood when it was closed is what the frontend hears. */
static void
position_comes_from_the_driver(void)
{
	uint32_t base = 0;

	bring_up(&two_pairs);
	fake.moves = true;
	fake.stands_at = 7 | (flow_packed ? 0x8000 : 0);
	CHECK_EQ(fe_get_vring_base(&fe, 1, &base), 0);
	CHECK_EQ(base & 0xffff, fake.stands_at);
}

static void
disable_and_enable(void)
{
	bring_up(&two_pairs);
	STEP(fe_set_vring_enable(&fe, 1, false), "v1=0 q1=0");
	STEP(fe_set_vring_enable(&fe, 1, false), "");
	STEP(fe_set_vring_enable(&fe, 1, true), "v1=1 q1=1");
	STEP(fe_set_vring_enable(&fe, 1, true), "");
	STEP(fe_set_vring_enable(&fe, 2, false), "v2=0 q2=0");
	STEP(fe_set_vring_enable(&fe, 2, true), "v2=1 q2=1");
}

static void
new_fds_while_running(void)
{
	bring_up(&two_pairs);
	STEP(fe_set_vring_kick(&fe, 1, fe.vqs[1].kickfd), "v1=0 q1=0 v1=1 q1=1");
	STEP(fe_set_vring_call(&fe, 1, fe.vqs[1].callfd), "v1=0 q1=0 v1=1 q1=1");
	STEP(fe_set_vring_call(&fe, 1, -1), "v1=0 q1=0 v1=1 q1=1");
	/* Difference: the stock library has no way to tell a driver of this one. */
	STEP(fe_set_vring_err(&fe, 1, fe.vqs[1].errfd), is_stock ? "" : "v1=0 q1=0 v1=1 q1=1");
}

static void
memory_changes(void)
{
	struct guest_region_spec more = {.gpa = 1u << 30, .size_bytes = 1u << 20};

	bring_up(&two_pairs);
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
	CHECK_EQ(guest_memory_add(&fe.mem, &more), 0);
	STEP(fe_set_mem_table(&fe, &fe.mem), "close conf");
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
	/* Nobody has it when it is stopped. */
	CHECK_EQ(fe_stop(&fe, NULL), 0);
	rec_reset();
	more.gpa = 2u << 30;
	CHECK_EQ(guest_memory_add(&fe.mem, &more), 0);
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
}

/* A queue that is switched off does not keep the device from serving the others. */
static void
memory_changes_while_a_queue_is_off(void)
{
	struct guest_region_spec more = {.gpa = 1u << 30, .size_bytes = 1u << 20};

	bring_up(&two_pairs);
	STEP(fe_set_vring_enable(&fe, 1, false), "v1=0 q1=0");
	CHECK_EQ(guest_memory_add(&fe.mem, &more), 0);
	STEP(fe_set_mem_table(&fe, &fe.mem), "close conf");
	STEP(fe_set_vring_enable(&fe, 1, true), "v1=1 q1=1");
}

/* Difference: the stock library has no slots. */
static void
memory_comes_and_goes_in_slots(void)
{
	struct guest_region_spec more = {.gpa = 1u << 30, .size_bytes = 1u << 20};
	struct fe_config config = two_pairs;
	struct guest_region ring_memory;

	if (is_stock)
		tap_skip("the stock library has no memory slots");
	config.protocol_features |= 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS;
	bring_up(&config);
	CHECK_EQ(guest_memory_add(&fe.mem, &more), 0);
	STEP(fe_add_mem_reg(&fe, &fe.mem.regions[1]), "close conf");
	STEP(fe_add_mem_reg(&fe, &fe.mem.regions[1]), "");
	STEP(fe_rem_mem_reg(&fe, &fe.mem.regions[1]), "");
	STEP(fe_rem_mem_reg(&fe, &fe.mem.regions[1]), "close conf");
	/* Without its rings it waits. */
	ring_memory = fe.mem.regions[0];
	STEP(fe_rem_mem_reg(&fe, &ring_memory),
	     "close v0=0 q0=0 v1=0 q1=0 v2=0 q2=0 v3=0 q3=0");
	STEP(fe_add_mem_reg(&fe, &ring_memory),
	     "v0=1 q0=1 v1=1 q1=1 v2=1 q2=1 v3=1 q3=1 conf");
}

/*
 * Difference: rings that move while they run; the stock library does not tell the driver, which goes
 * on with the old ones.
 */
static void
rings_move_while_running(void)
{
	struct guest_ring other;
	struct fe_vring_addr addr = {.index = 2};

	bring_up(&two_pairs);
	CHECK_EQ(guest_ring_init(&other, fe.vqs[2].format, &fe.mem, 64), 0);
	addr.desc_uva = guest_uva(&fe.mem, fe.vqs[2].desc_gpa);
	addr.avail_uva = guest_uva(&fe.mem, fe.vqs[2].avail_gpa);
	addr.used_uva = guest_uva(&fe.mem, fe.vqs[2].used_gpa);
	STEP(fe_set_vring_addr(&fe, &addr), "");
	addr.desc_uva = guest_uva(&fe.mem, other.desc_gpa);
	addr.avail_uva = guest_uva(&fe.mem, other.avail_gpa);
	addr.used_uva = guest_uva(&fe.mem, other.used_gpa);
	STEP(fe_set_vring_addr(&fe, &addr), is_stock ? "" : "close conf");
	guest_ring_fini(&other);
}

/* --- migration, features ---------------------------------------------------- */

static void
migrate(bool log_comes_last)
{
	/* Difference: the stock library does not say that the log is another. */
	const char *another = is_stock ? "" : "feat+log";
	static const uint8_t mac[6] = {0x02, 1, 2, 3, 4, 5};
	struct fe_config config = two_pairs;
	uint8_t got[6];
	struct guest_log log;
	uint64_t base = two_pairs.features | fe_extra_features | FE_F_PROTOCOL_FEATURES;
	char on[64], off[64];

	bring_up(&config);
	snprintf(on, sizeof(on), "features=%llx feat+log", (unsigned long long)(base | FE_F_LOG_ALL));
	snprintf(off, sizeof(off), "features=%llx feat", (unsigned long long)base);
	CHECK_EQ(guest_log_create(&log, 64u << 20, 0), 0);
	/* The log first, as QEMU does it, or last; then another one. */
	if (log_comes_last)
		STEP(fe_set_features(&fe, base | FE_F_LOG_ALL), on);
	STEP(fe_set_log_base(&fe, log.fd, log.size_bytes, log.offset_bytes),
	     log_comes_last ? another : "");
	if (!log_comes_last)
		STEP(fe_set_features(&fe, base | FE_F_LOG_ALL), on);
	STEP(fe_set_features(&fe, base | FE_F_LOG_ALL), "");
	for (unsigned i = 0; i < 4; i++)
		STEP(fe_log_vring(&fe, i, true, fe.vqs[i].used_gpa), "");
	STEP(fe_set_log_base(&fe, log.fd, log.size_bytes, log.offset_bytes), another);
	STEP(fe_set_features(&fe, base), off);
	STEP(fe_stop(&fe, NULL), "close -dev v0=0 q0=0 v1=0 q1=0 v2=0 q2=0 v3=0 q3=0");
	/* And at the other end. */
	CHECK_EQ(fe_start(&fe, &config), 0);
	CHECK_STR(rec_text(), "v0=1 q0=1 v1=1 q1=1 +dev conf v2=1 q2=1 v3=1 q3=1");
	rec_reset();
	if (!is_stock)
		CHECK_EQ(vhost_ng_vdpa_rarp_mac(rec_vid(), got), -1);
	STEP(fe_send_rarp(&fe, mac), "migrated");
	if (!is_stock) {
		CHECK_EQ(vhost_ng_vdpa_rarp_mac(rec_vid(), got), 0);
		CHECK_EQ(memcmp(got, mac, sizeof(mac)), 0);
		CHECK_EQ(vhost_ng_vdpa_rarp_mac(rec_vid(), NULL), -1);
		CHECK_EQ(vhost_ng_vdpa_rarp_mac(-1, got), -1);
	}
	guest_log_destroy(&log);
}

static void
migration(void)
{
	migrate(false);
}

static void
migration_with_the_log_last(void)
{
	migrate(true);
}

static uint64_t log_base_seen;

/* The log is there for as long as the driver does not know better. */
static void
read_the_log(const char *word, int vid)
{
	uint64_t base = 0, size = 0;

	if (strncmp(word, "feat", 4) != 0)
		return;
	if (log_base_seen != 0)
		(void)*(volatile uint8_t *)(uintptr_t)log_base_seen;
	CHECK_EQ(rte_vhost_get_log_base(vid, &base, &size), 0);
	log_base_seen = base;
}

static void
log_outlives_what_the_driver_knows_of_it(void)
{
	uint64_t features;
	struct guest_log log;

	if (is_stock)
		tap_skip("the stock library unmaps a log under the driver");
	bring_up(&two_pairs);
	features = fe.features;
	log_base_seen = 0;
	fake.hook = read_the_log;
	CHECK_EQ(guest_log_create(&log, 64u << 20, 0), 0);
	STEP(fe_set_log_base(&fe, log.fd, log.size_bytes, log.offset_bytes), "");
	CHECK_EQ(fe_set_features(&fe, features | FE_F_LOG_ALL), 0);
	CHECK(log_base_seen != 0);
	CHECK_EQ(fe_set_log_base(&fe, log.fd, log.size_bytes, log.offset_bytes), 0);
	CHECK_EQ(fe_set_features(&fe, features), 0);
	guest_log_destroy(&log);
}

/* The same file or eventfd, whatever its number. */
static bool
is_same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static void
driver_finds_what_the_frontend_sent(void)
{
	uint64_t offset = 77;
	struct guest_log log;

	if (is_stock)
		tap_skip("the stock library has no such functions");
	bring_up(&two_pairs);
	CHECK_EQ(vhost_ng_vdpa_log_fd(rec_vid(), &offset), -1);
	CHECK_EQ(offset, 77);
	CHECK_EQ(guest_log_create(&log, 64u << 20, 4096), 0);
	STEP(fe_set_log_base(&fe, log.fd, log.size_bytes, log.offset_bytes), "");
	CHECK(is_same_file(vhost_ng_vdpa_log_fd(rec_vid(), &offset), log.fd));
	CHECK_EQ(offset, log.offset_bytes);
	CHECK_EQ(vhost_ng_vdpa_log_fd(rec_vid(), NULL), -1);
	CHECK_EQ(vhost_ng_vdpa_log_fd(-1, &offset), -1);
	guest_log_destroy(&log);

	/* All eventfds are one inode: what arrives there tells them apart. */
	for (uint16_t i = 0; i < 4; i++) {
		CHECK_EQ(eventfd_write(vhost_ng_vdpa_errfd(rec_vid(), i), 1), 0);
		for (uint16_t other = 0; other < 4; other++)
			CHECK_EQ(guest_ring_errors(&fe.vqs[other]) != 0, i == other);
	}
	STEP(fe_set_vring_err(&fe, 1, -1), "v1=0 q1=0 v1=1 q1=1");
	CHECK_EQ(vhost_ng_vdpa_errfd(rec_vid(), 1), -1);
	CHECK_EQ(vhost_ng_vdpa_errfd(rec_vid(), 4), -1);
	CHECK_EQ(vhost_ng_vdpa_errfd(-1, 0), -1);

	CHECK_EQ(vhost_ng_vdpa_vring_state(rec_vid(), 1), 1);
	STEP(fe_set_vring_enable(&fe, 1, false), "v1=0 q1=0");
	CHECK_EQ(vhost_ng_vdpa_vring_state(rec_vid(), 1), 0);
	CHECK_EQ(vhost_ng_vdpa_vring_state(rec_vid(), 0), 1);
	CHECK_EQ(vhost_ng_vdpa_vring_state(rec_vid(), 4), -1);
	CHECK_EQ(vhost_ng_vdpa_vring_state(-1, 0), -1);
}

static void
driver_finds_memory_in_its_files(void)
{
	static const struct guest_region_spec regions[] = {
		{.gpa = 0, .size_bytes = 1u << 20, .mmap_offset_bytes = 4096},
		{.gpa = 1u << 30, .size_bytes = 1u << 20, .mmap_offset_bytes = 3u << 20},
	};
	struct fe_config config = two_pairs;
	struct rte_vhost_memory *mem = NULL;
	uint64_t offset = 77, word = 0x1234567890abcdef, got = 0;

	if (is_stock)
		tap_skip("the stock library has no such function");
	config.regions = regions;
	config.nregions = RTE_DIM(regions);
	bring_up(&config);
	CHECK_EQ(rte_vhost_get_mem_table(rec_vid(), &mem), 0);
	CHECK_EQ(mem->nregions, RTE_DIM(regions));
	for (unsigned i = 0; i < mem->nregions; i++) {
		uint64_t gpa = mem->regions[i].guest_phys_addr + mem->regions[i].size - sizeof(word);

		/* What the guest writes there is in the file there. */
		guest_write(&fe.mem, gpa, &word, sizeof(word));
		CHECK_EQ(vhost_ng_vdpa_mem_offset(rec_vid(), gpa, &offset), 0);
		CHECK_EQ(pread(mem->regions[i].fd, &got, sizeof(got), (off_t)offset), sizeof(got));
		CHECK_EQ(got, word++);
	}
	free(mem);
	offset = 77;
	CHECK_EQ(vhost_ng_vdpa_mem_offset(rec_vid(), 1u << 20, &offset), -1);
	CHECK_EQ(vhost_ng_vdpa_mem_offset(rec_vid(), UINT64_MAX, &offset), -1);
	CHECK_EQ(vhost_ng_vdpa_mem_offset(rec_vid(), 0, NULL), -1);
	CHECK_EQ(vhost_ng_vdpa_mem_offset(-1, 0, &offset), -1);
	CHECK_EQ(offset, 77);
}

/* --- ends --------------------------------------------------------------------- */

/* Difference: the stock library does not say that the queues went, too. */
static void
reset_owner(void)
{
	bring_up(&two_pairs);
	STEP(fe_reset_owner(&fe), is_stock ? "close -dev cleanup" :
	     "close -dev v0=0 q0=0 v1=0 q1=0 v2=0 q2=0 v3=0 q3=0 cleanup");
	STEP(fe_set_features(&fe, fe.features), is_stock ? "feat" : "");
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
	for (unsigned i = 0; i < 4; i++)
		STEP(fe_start_vring(&fe, i), "");
	STEP(fe_set_vring_enable(&fe, 0, true), "v0=1 q0=1");
	STEP(fe_set_vring_enable(&fe, 1, true), "v1=1 q1=1 +dev conf");
}

static void
reset_device(void)
{
	struct fe_config config = two_pairs;

	if (is_stock)
		tap_skip("the stock library has no RESET_DEVICE");
	config.protocol_features |= 1u << FE_PROTOCOL_F_RESET_DEVICE;
	bring_up(&config);
	for (int i = 0; i < 2; i++) {
		STEP(fe_reset_device(&fe),
		     "close -dev v0=0 q0=0 v1=0 q1=0 v2=0 q2=0 v3=0 q3=0 cleanup");
		STEP(fe_set_features(&fe, fe.features), "feat");
		for (unsigned q = 0; q < 2; q++) {
			guest_ring_reset(&fe.vqs[q], 0);
			STEP(fe_start_vring(&fe, q), "");
		}
		STEP(fe_set_vring_enable(&fe, 0, true), "v0=1 q0=1");
		STEP(fe_set_vring_enable(&fe, 1, true), "v1=1 q1=1 +dev conf");
		for (unsigned q = 2; q < 4; q++) {
			guest_ring_reset(&fe.vqs[q], 0);
			CHECK_EQ(fe_start_vring(&fe, q), 0);
			CHECK_EQ(fe_set_vring_enable(&fe, q, true), 0);
		}
		rec_reset();
	}
}

static void
frontend_comes_back(void)
{
	for (int i = 0; i < 3; i++) {
		if (i == 0)
			connect_frontend();
		else
			CHECK_EQ(fe_connect(&fe, path), 0);
		CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
		rec_reset();
		fe_close(&fe);
		CHECK(rec_wait("close -dev -conn cleanup"));
	}
}

/*
 * Difference: the stock library has two frontends share the device. One that hangs up and comes back
 * at once is let in.
 */
static void
one_frontend_at_a_time(void)
{
	struct frontend other;

	if (is_stock)
		tap_skip("the stock library has two frontends share a device");
	bring_up(&two_pairs);
	fe_init(&other);
	CHECK_EQ(fe_connect(&other, path), 0);
	CHECK(fe_closed_by_backend(&other, 20000));
	fe_close(&other);
	STEP(0, "");
	for (int i = 0; i < 20; i++) {
		fe_close(&fe);
		CHECK_EQ(fe_connect(&fe, path), 0);
		CHECK_EQ(fe_sync(&fe), 0);
	}
}

static void
backend_connects(void)
{
	int listener;

	plug(RTE_VHOST_USER_CLIENT);
	for (int round = 0; round < 2; round++) {
		listener = fe_listen(path);
		CHECK(listener >= 0);
		fe_init(&fe);
		CHECK_EQ(fe_accept(&fe, listener), 0);
		CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
		CHECK_STR(rec_text(),
			  "+conn feat v0=1 q0=1 v1=1 q1=1 +dev conf v2=1 q2=1 v3=1 q3=1");
		rec_reset();
		close(listener);
		unlink(path);
		fe_close(&fe);
		CHECK(rec_wait("close -dev -conn cleanup"));
		rec_reset();
	}
}

/* The connection that is there keeps its device; those to come do without. */
static void
detach_while_connected(void)
{
	bring_up(&two_pairs);
	CHECK_EQ(rte_vhost_driver_detach_vdpa_device(path), 0);
	CHECK(rte_vhost_get_vdpa_device(rec_vid()) == fake.dev);
	STEP(fe_set_vring_enable(&fe, 1, false), "v1=0 q1=0");
	fe_close(&fe);
	CHECK(rec_wait("close -dev -conn cleanup"));
	rec_reset();
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
	CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev q2=1 q3=1");
	CHECK(rte_vhost_get_vdpa_device(rec_vid()) == NULL);
	fe_close(&fe);
	CHECK(rec_wait_tail("-dev -conn"));
}

static void
unregister_while_running(void)
{
	bring_up(&two_pairs);
	flow_unserve(path);
	path = NULL;
	/* Difference: the stock library leaves destroy_connection() out. */
	CHECK_STR(rec_text(), is_stock ? "close -dev cleanup" : "close -dev -conn cleanup");
	fe_close(&fe);
}

/* --- the device goes before its sockets ------------------------------------------ */

/* And all that a driver has goes with it. */
static void
pull(void)
{
	fake_vdpa_unplug();
	memset(&fake.ops, 0xa5, sizeof(fake.ops));
}

static void
plug_another(void)
{
	fake_vdpa_reset();
	fake_vdpa_plug();
}

static void
not_for_the_stock_library(void)
{
	if (is_stock)
		tap_skip("the stock library leaves sockets with a device that is gone");
}

/* Until the application has said what is to become of the socket. */
static void
check_nobody_is_served(void)
{
	uint64_t features;
	uint32_t n;

	fe_init(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK(fe_closed_by_backend(&fe, 20000));
	fe_close(&fe);
	CHECK_STR(rec_text(), "");
	CHECK(rte_vhost_driver_get_vdpa_device(path) == NULL);
	CHECK_EQ(rte_vhost_driver_get_vdpa_dev_type(path, &n), -1);
	CHECK_EQ(rte_vhost_driver_get_features(path, &features), -1);
	CHECK_EQ(rte_vhost_driver_get_queue_num(path, &n), -1);
}

static void
device_goes_while_it_serves(void)
{
	not_for_the_stock_library();
	bring_up(&two_pairs);
	pull();
	/* All of it has happened. */
	CHECK_STR(rec_text(), "close -dev -conn cleanup");
	CHECK(fe_closed_by_backend(&fe, 20000));
	fe_close(&fe);
	rec_reset();
	check_nobody_is_served();
	plug_another();
	CHECK_EQ(rte_vhost_driver_attach_vdpa_device(path, fake.dev), 0);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
	CHECK(strstr(rec_text(), "+dev conf") != NULL);
	rec_reset();
	pull();
	CHECK_STR(rec_text(), "close -dev -conn cleanup");
	fe_close(&fe);
	rec_reset();
	check_nobody_is_served();
	CHECK_EQ(rte_vhost_driver_detach_vdpa_device(path), 0);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
	CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev q2=1 q3=1");
	fe_close(&fe);
	CHECK(rec_wait_tail("-dev -conn"));
}

static void
device_goes_before_anybody_comes(void)
{
	not_for_the_stock_library();
	plug(0);
	pull();
	check_nobody_is_served();
	CHECK_EQ(rte_vhost_driver_detach_vdpa_device(path), 0);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	fe_close(&fe);
	CHECK(rec_wait("+conn -conn"));
}

/* A connection from before keeps it, whatever the socket is for by now. */
static void
detached_device_goes_while_it_serves(void)
{
	not_for_the_stock_library();
	bring_up(&two_pairs);
	CHECK_EQ(rte_vhost_driver_detach_vdpa_device(path), 0);
	pull();
	CHECK_STR(rec_text(), "close -dev -conn cleanup");
	fe_close(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	fe_close(&fe);
	CHECK(rec_wait_tail("+conn -conn"));
}

/* A socket that connects waits for another device, and leaves its frontend in peace until then. */
static void
device_goes_from_a_client(void)
{
	struct pollfd pfd = {.events = POLLIN};

	not_for_the_stock_library();
	plug(RTE_VHOST_USER_CLIENT);
	pfd.fd = fe_listen(path);
	CHECK(pfd.fd >= 0);
	CHECK_EQ(fe_accept(&fe, pfd.fd), 0);
	CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
	rec_reset();
	pull();
	CHECK_STR(rec_text(), "close -dev -conn cleanup");
	fe_close(&fe);
	/* It would try four times. */
	CHECK_EQ(poll(&pfd, 1, 1000), 0);
	plug_another();
	CHECK_EQ(rte_vhost_driver_attach_vdpa_device(path, fake.dev), 0);
	fe_init(&fe);
	CHECK_EQ(fe_accept(&fe, pfd.fd), 0);
	rec_reset();
	CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
	CHECK(strstr(rec_text(), "+dev conf") != NULL);
	close(pfd.fd);
	unlink(path);
}

static int removed;

static void
remove_in_callback(const char *word, int vid)
{
	(void)vid;
	if (strcmp(word, "+conn") == 0 || strcmp(word, "v0=1") == 0 || strcmp(word, "close") == 0)
		removed = rte_vdpa_unregister_device(fake.dev);
}

/* A connection cannot end in the middle of what it does. */
static void
device_cannot_go_in_a_callback(void)
{
	not_for_the_stock_library();
	removed = 0;
	fake.hook = rec_hook = remove_in_callback;
	connect_frontend();
	CHECK_EQ(removed, -1);
	removed = 0;
	CHECK_EQ(fe_setup(&fe, &two_pairs), 0);
	CHECK_EQ(removed, -1);
	removed = 0;
	CHECK_EQ(fe_get_vring_base(&fe, 0, NULL), 0);
	CHECK_EQ(removed, -1);
	fake.hook = rec_hook = NULL;
	CHECK(rte_vdpa_find_device_by_name(rte_dev_name(rte_vdpa_get_rte_device(fake.dev))) ==
	      fake.dev);
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	CHECK(strstr(rec_text(), "+dev conf") != NULL);
}

/* Where nobody is served, it can. */
static void
idle_device_goes_in_a_callback(void)
{
	const char *other;

	not_for_the_stock_library();
	plug(0);
	flow_start_driver = rte_vhost_driver_start;
	other = flow_serve(0);
	rec_hook = remove_in_callback;
	removed = -1;
	CHECK_EQ(fe_connect(&fe, other), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	rec_hook = NULL;
	CHECK_EQ(removed, 0);
	fake.dev = NULL;
	fe_close(&fe);
	CHECK(rec_wait("+conn -conn"));
	flow_unserve(other);
	rec_reset();
	check_nobody_is_served();
}

static volatile bool stop;

/* What takes a path looks at the device that is attached to it. */
static void *
ask_about_the_path(void *arg)
{
	uint64_t features;
	uint32_t n;

	while (!stop) {
		(void)rte_vhost_driver_get_features(arg, &features);
		(void)rte_vhost_driver_get_protocol_features(arg, &features);
		(void)rte_vhost_driver_get_queue_num(arg, &n);
		(void)rte_vhost_driver_get_vdpa_dev_type(arg, &n);
		(void)rte_vhost_driver_get_vdpa_device(arg);
		usleep(100);
	}
	return NULL;
}

static void *
attach_to_the_path(void *arg)
{
	while (!stop) {
		(void)rte_vhost_driver_attach_vdpa_device(arg, fake.dev);
		usleep(100);
	}
	return NULL;
}

/* Also when a socket goes at the same time. */
static void *
open_and_close_sockets(void *arg)
{
	struct frontend other;
	char p[108];

	snprintf(p, sizeof(p), "%s.other", (const char *)arg);
	while (!stop) {
		RTE_VERIFY(rte_vhost_driver_register(p, 0) == 0);
		(void)rte_vhost_driver_attach_vdpa_device(p, fake.dev);
		RTE_VERIFY(rte_vhost_driver_start(p) == 0);
		fe_init(&other);
		RTE_VERIFY(fe_connect(&other, p) == 0);
		RTE_VERIFY(rte_vhost_driver_unregister(p) == 0);
		fe_close(&other);
	}
	return NULL;
}

static void
device_goes_while_others_ask(void)
{
	void *(*const run[])(void *arg) = {ask_about_the_path, attach_to_the_path,
					   open_and_close_sockets};
	pthread_t threads[RTE_DIM(run)];

	not_for_the_stock_library();
	plug(0);
	stop = false;
	for (unsigned i = 0; i < RTE_DIM(run); i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, run[i], (void *)(uintptr_t)path), 0);
	for (unsigned i = 0; i < 100; i++) {
		fe_init(&fe);
		CHECK_EQ(fe_connect(&fe, path), 0);
		if (i % 2 == 0)
			(void)fe_sync(&fe);
		fake_vdpa_unplug();
		fe_close(&fe);
		usleep(1000);
		fake_vdpa_plug();
	}
	stop = true;
	for (unsigned i = 0; i < RTE_DIM(run); i++)
		pthread_join(threads[i], NULL);
}

/* --- what goes wrong ------------------------------------------------------------ */

/* Up to the message that makes the first pair ready. */
static void
all_but_one_queue(void)
{
	connect_frontend();
	CHECK_EQ(fe_negotiate(&fe, &two_pairs), 0);
	CHECK_EQ(fe_build(&fe, &two_pairs), 0);
	CHECK_EQ(fe_set_mem_table(&fe, &fe.mem), 0);
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	CHECK_EQ(fe_start_vring(&fe, 1), 0);
	STEP(fe_set_vring_enable(&fe, 0, true), "feat v0=1 q0=1");
}

static void
configuring_fails(void)
{
	fake.conf_result = -5;
	all_but_one_queue();
	/* Once for each message; fe_sync() is one. */
	STEP_AND_MORE(fe_set_vring_enable(&fe, 1, true), "v1=1 q1=1 +dev conf conf");
	STEP_AND_MORE(0, "conf");
	STEP_AND_MORE(fe_set_vring_enable(&fe, 1, false), "v1=0 q1=0 conf conf");
	/* Difference: the stock library closes what is not open. */
	STEP(fe_get_vring_base(&fe, 0, NULL), is_stock ? "close -dev v0=0 q0=0" :
	     "-dev v0=0 q0=0");
	STEP(fe_start_vring(&fe, 0), "v0=1 q0=1");
	fake.conf_result = 0;
	STEP(fe_set_vring_enable(&fe, 1, true), "v1=1 q1=1 +dev conf");
	STEP(0, "");
}

static void
everything_else_fails(void)
{
	fake.close_result = fake.state_result = fake.features_result = fake.migration_result = -5;
	bring_up(&two_pairs);
	STEP(fe_set_vring_enable(&fe, 1, false), "v1=0 q1=0");
	STEP(fe_set_vring_enable(&fe, 1, true), "v1=1 q1=1");
	STEP(fe_send_rarp(&fe, (const uint8_t[6]) {2, 1, 2, 3, 4, 5}), "migrated");
	STEP(fe_get_vring_base(&fe, 0, NULL), "close -dev v0=0 q0=0");
	STEP(fe_start_vring(&fe, 0), "v0=1 q0=1 +dev conf");
	fe_disconnect(&fe);
	CHECK(rec_wait("close -dev -conn cleanup"));
}

static int
get_stats_names(struct rte_vdpa_device *dev, struct rte_vdpa_stat_name *names, unsigned size)
{
	CHECK(dev == fake.dev);
	if (names != NULL && size >= 2)
		strcpy(names[1].name, "second");
	return 2;
}

static int
get_stats(struct rte_vdpa_device *dev, int qid, struct rte_vdpa_stat *stats, unsigned n)
{
	CHECK(dev == fake.dev);
	CHECK_EQ(n, 2);
	stats[1] = (struct rte_vdpa_stat) {.id = 1, .value = (uint64_t)qid};
	return qid < 8 ? 2 : -22;
}

static int
reset_stats(struct rte_vdpa_device *dev, int qid)
{
	CHECK(dev == fake.dev);
	return qid < 8 ? 0 : -22;
}

/* They need no connection. */
static void
statistics(void)
{
	struct rte_vdpa_stat_name names[2];
	struct rte_vdpa_stat stats[2];

	fake.ops.get_stats_names = get_stats_names;
	fake.ops.get_stats = get_stats;
	fake.ops.reset_stats = reset_stats;
	fake_vdpa_plug();
	CHECK_EQ(rte_vdpa_get_stats_names(fake.dev, NULL, 0), 2);
	CHECK_EQ(rte_vdpa_get_stats_names(fake.dev, names, 2), 2);
	CHECK_STR(names[1].name, "second");
	CHECK_EQ(rte_vdpa_get_stats(fake.dev, 5, stats, 2), 2);
	CHECK_EQ(stats[1].value, 5);
	CHECK_EQ(rte_vdpa_get_stats(fake.dev, 9, stats, 2), -22);
	CHECK_EQ(rte_vdpa_get_stats(fake.dev, 5, NULL, 2), -EINVAL);
	CHECK_EQ(rte_vdpa_get_stats(fake.dev, 5, stats, 0), -EINVAL);
	CHECK_EQ(rte_vdpa_get_stats(NULL, 5, stats, 2), -EINVAL);
	CHECK_EQ(rte_vdpa_reset_stats(fake.dev, 5), 0);
	CHECK_EQ(rte_vdpa_reset_stats(fake.dev, 9), -22);
	CHECK_EQ(rte_vdpa_reset_stats(NULL, 5), -EINVAL);
}

/* Those that a driver need not have. */
static void
operations_are_missing(void)
{
	fake.ops.dev_cleanup = NULL;
	fake.ops.migration_done = NULL;
	fake.ops.get_config = NULL;
	fake.ops.set_config = NULL;
	fake.ops.get_dev_type = NULL;
	bring_up(&two_pairs);
	STEP(fe_send_rarp(&fe, (const uint8_t[6]) {2, 1, 2, 3, 4, 5}), "");
	STEP(fe_get_vring_base(&fe, 0, NULL), "close -dev v0=0 q0=0");
	STEP(fe_reset_owner(&fe), is_stock ? "" : "v1=0 q1=0 v2=0 q2=0 v3=0 q3=0");
	fe_disconnect(&fe);
	CHECK(rec_wait("-conn"));
	CHECK_EQ(rte_vdpa_get_stats_names(fake.dev, NULL, 0), -ENOTSUP);
	CHECK_EQ(rte_vdpa_reset_stats(fake.dev, 0), -ENOTSUP);
}

/*
 * Difference: an application that does not want the device has none configured; the stock library
 * does it regardless.
 */
static void
application_refuses(void)
{
	rec_new_device_result = -1;
	all_but_one_queue();
	STEP_AND_MORE(fe_set_vring_enable(&fe, 1, true),
	     is_stock ? "v1=1 q1=1 +dev conf +dev" : "v1=1 q1=1 +dev +dev");
	rec_new_device_result = 0;
	STEP_AND_MORE(0, is_stock ? "+dev" : "+dev conf");
}

/* Its rings are the device's: bursts find nothing, and leave no trace. */
static void
bursts_keep_out(void)
{
	struct rte_mempool *pool;
	struct rte_mbuf *pkts[4];
	struct guest_seg seg = {.len_bytes = 2048, .flags = GUEST_DESC_WRITE};
	struct guest_used used;
	struct guest_tx tx;
	uint8_t data[64] = {0};
	void *cookie;
	int vid;

	if (is_stock)
		tap_skip("the stock library has bursts serve rings of a vDPA device");
	bring_up(&two_pairs);
	vid = rec_vid();
	pool = flow_pool(64, 2048);
	guest_tx_init(&tx, &fe.vqs[1], GUEST_NET_HDR_BYTES, 4096);
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	seg.gpa = guest_alloc(&fe.mem, seg.len_bytes, 64);
	CHECK(guest_ring_post(&fe.vqs[0], &seg, 1, NULL) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(vid, 1, pool, pkts, 4), 0);
	CHECK_EQ(rte_pktmbuf_alloc_bulk(pool, pkts, 1), 0);
	CHECK_EQ(rte_vhost_enqueue_burst(vid, 0, pkts, 1), 0);
	rte_pktmbuf_free(pkts[0]);
	CHECK_EQ(rte_vhost_avail_entries(vid, 0), 0);
	CHECK_EQ(rte_vhost_rx_queue_count(vid, 1), 0);
	/* What the guest moved here with is the driver's to announce. */
	CHECK_EQ(fe_send_rarp(&fe, (const uint8_t[6]) {2, 1, 2, 3, 4, 5}), 0);
	CHECK_EQ(rte_vhost_dequeue_burst(vid, 1, pool, pkts, 4), 0);
	/* Nor does the library empty a queue that is off. */
	CHECK_EQ(fe_set_vring_enable(&fe, 1, false), 0);
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	/* The kick came before the second of these. */
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK(!guest_ring_poll(&fe.vqs[i], &used, &cookie));
	CHECK(flow_pool_full(pool));
	rte_mempool_free(pool);
}

/* --- block devices ------------------------------------------------------------------ */

static const struct fe_config three_queues = {
	.features = FE_F_VERSION_1,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_CONFIG |
			     1u << FE_PROTOCOL_F_REPLY_ACK,
	.nr_queues = 3,
	.ring_size = 64,
};

/* As DPDK's example does it. */
static int
start_blk(const char *p)
{
	uint64_t protocol_features = 0;

	if (rte_vhost_driver_attach_vdpa_device(p, fake.dev) != 0 ||
	    rte_vhost_driver_get_protocol_features(p, &protocol_features) != 0 ||
	    rte_vhost_driver_set_protocol_features(p, protocol_features |
						   1u << FE_PROTOCOL_F_CONFIG) != 0)
		return -1;
	return rte_vhost_driver_start(p);
}

static void
connect_blk(void)
{
	fake.type = RTE_VHOST_VDPA_DEVICE_TYPE_BLK;
	fake_vdpa_plug();
	flow_start_driver = start_blk;
	path = flow_serve(0);
	CHECK_EQ(fe_connect(&fe, path), 0);
	STEP(0, "+conn");
	STEP(fe_negotiate(&fe, &three_queues), "feat");
	CHECK_EQ(fe_build(&fe, &three_queues), 0);
}

/*
 * It is told when all queues are there. Difference: the stock library waits for SET_VRING_CALL of
 * the last one, which is one message later, or (with an answer asked for) never.
 */
static void
blk_waits_for_all_queues(void)
{
	connect_blk();
	for (unsigned i = 0; i < 3; i++)
		STEP(fe_set_vring_call(&fe, i, fe.vqs[i].callfd), "");
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
	for (unsigned i = 0; i < 3; i++)
		STEP(fe_set_vring_enable(&fe, i, true), "");
	STEP(fe_start_vring(&fe, 0), "v0=1 q0=1 +dev v0=0 q0=0 v0=1 q0=1");
	STEP(fe_start_vring(&fe, 1), "v1=1 q1=1 v1=0 q1=0 v1=1 q1=1");
	STEP(fe_start_vring(&fe, 2), is_stock ? "v2=1 q2=1 v2=0 q2=0 v2=1 q2=1 conf" :
	     "v2=1 q2=1 conf v2=0 q2=0 v2=1 q2=1");
	STEP(fe_set_vring_enable(&fe, 1, false), "v1=0 q1=0");
	STEP(fe_set_vring_enable(&fe, 1, true), "v1=1 q1=1");
	STEP(fe_get_vring_base(&fe, 0, NULL), "close -dev v0=0 q0=0");
	STEP(fe_get_vring_base(&fe, 1, NULL), "v1=0 q1=0");
	STEP(fe_get_vring_base(&fe, 2, NULL), "v2=0 q2=0");
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(fe_start_vring(&fe, i), 0);
	STEP(0, "v0=1 q0=1 +dev v1=1 q1=1 v2=1 q2=1 conf");
}

static bool
is_configured(void *arg)
{
	(void)arg;
	return strstr(rec_text(), "conf") != NULL;
}

/*
 * Firmware uses one of its queues. Difference: the stock library waits for a message about the last
 * one, and the guest does not boot.
 */
static void
blk_serves_a_guest_that_uses_fewer(void)
{
	struct guest_seg seg = {.len_bytes = 512, .flags = GUEST_DESC_WRITE};

	if (is_stock)
		tap_skip("the stock library waits for all queues for ever");
	connect_blk();
	for (unsigned i = 0; i < 3; i++)
		STEP(fe_set_vring_call(&fe, i, fe.vqs[i].callfd), "");
	STEP(fe_set_mem_table(&fe, &fe.mem), "");
	STEP(fe_start_vring(&fe, 0), "");
	STEP(fe_set_vring_enable(&fe, 0, true), "v0=1 q0=1 +dev");
	/* A kick with nothing behind it says nothing. */
	CHECK_EQ(write(fe.vqs[0].kickfd, &(uint64_t) {1}, 8), 8);
	CHECK_EQ(fe_sync(&fe), 0);
	STEP(0, "");
	seg.gpa = guest_alloc(&fe.mem, seg.len_bytes, 64);
	CHECK(guest_ring_post(&fe.vqs[0], &seg, 1, NULL) >= 0);
	CHECK_EQ(write(fe.vqs[0].kickfd, &(uint64_t) {1}, 8), 8);
	CHECK(flow_wait_until(is_configured, NULL, 20000));
	STEP(0, "conf");
	STEP(fe_get_vring_base(&fe, 0, NULL), "close -dev v0=0 q0=0");
	/* The next guest has all of them. */
	guest_ring_reset(&fe.vqs[0], 0);
	STEP(fe_start_vring(&fe, 0), "v0=1 q0=1 +dev");
	for (unsigned i = 1; i < 3; i++) {
		CHECK_EQ(fe_start_vring(&fe, i), 0);
		CHECK_EQ(fe_set_vring_enable(&fe, i, true), 0);
	}
	STEP(0, "v1=1 q1=1 v2=1 q2=1 conf");
}

struct config_message {
	uint32_t offset_bytes, size_bytes, flags;
	uint8_t bytes[60];
};

static void
configuration_space(void)
{
	struct config_message m = {.size_bytes = 60};
	struct fe_msg reply;

	for (unsigned i = 0; i < sizeof(fake.config); i++)
		fake.config[i] = (uint8_t)i;
	connect_blk();
	CHECK_EQ(fe_request(&fe, FE_GET_CONFIG, &m, sizeof(m), &reply), 0);
	CHECK_EQ(reply.header.size_bytes, 72);
	CHECK(memcmp(reply.bytes + 12, fake.config, 60) == 0);
	STEP(0, "get60");
	/* Difference: the stock library answers with what the space begins with. */
	m.offset_bytes = 8;
	m.size_bytes = 4;
	CHECK_EQ(fe_request(&fe, FE_GET_CONFIG, &m, 16, &reply), 0);
	CHECK_EQ(reply.bytes[12], is_stock ? 0 : 8);
	STEP(0, is_stock ? "get4" : "get12");
	m.bytes[0] = 99;
	STEP(fe_request_ack(&fe, FE_SET_CONFIG, &m, 16, NULL, 0), "set8+4/0");
	CHECK_EQ(fake.config[8], 99);
	m.flags = 1;
	STEP(fe_request_ack(&fe, FE_SET_CONFIG, &m, 16, NULL, 0), "set8+4/1");
	fake.config_result = -5;
	CHECK_EQ(fe_request(&fe, FE_GET_CONFIG, &m, 16, &reply), 0);
	CHECK_EQ(reply.header.size_bytes, 0);
	/* Difference: the stock library says that it went well. */
	CHECK_EQ(fe_request_ack(&fe, FE_SET_CONFIG, &m, 16, NULL, 0), is_stock ? 0 : 1);
	CHECK_EQ(fake.config[8], 99);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(capabilities_are_intersected),
		FLOW_TEST(attaching_and_looking_up),
		FLOW_TEST(class_has_the_device),
		FLOW_TEST(what_no_device_can_serve_is_refused),
		FLOW_TEST(driver_that_does_not_answer),
		FLOW_TEST(queues_beyond_the_device_are_refused),
		FLOW_TEST(start_in_qemu_order),
		FLOW_TEST(start_with_enable_last),
		FLOW_TEST(disconnect_before_anything),
		FLOW_TEST(stop_by_get_vring_base_and_restart),
		FLOW_TEST(reboot_with_other_rings),
		FLOW_TEST(position_comes_from_the_driver),
		FLOW_TEST(disable_and_enable),
		FLOW_TEST(new_fds_while_running),
		FLOW_TEST(memory_changes),
		FLOW_TEST(memory_changes_while_a_queue_is_off),
		FLOW_TEST(memory_comes_and_goes_in_slots),
		FLOW_TEST(rings_move_while_running),
		FLOW_TEST(migration),
		FLOW_TEST(migration_with_the_log_last),
		FLOW_TEST(log_outlives_what_the_driver_knows_of_it),
		FLOW_TEST(driver_finds_what_the_frontend_sent),
		FLOW_TEST(driver_finds_memory_in_its_files),
		FLOW_TEST(reset_owner),
		FLOW_TEST(reset_device),
		FLOW_TEST(frontend_comes_back),
		FLOW_TEST(one_frontend_at_a_time),
		FLOW_TEST(backend_connects),
		FLOW_TEST(detach_while_connected),
		FLOW_TEST(unregister_while_running),
		FLOW_TEST(device_goes_while_it_serves),
		FLOW_TEST(device_goes_before_anybody_comes),
		FLOW_TEST(detached_device_goes_while_it_serves),
		FLOW_TEST(device_goes_from_a_client),
		FLOW_TEST(device_cannot_go_in_a_callback),
		FLOW_TEST(idle_device_goes_in_a_callback),
		FLOW_TEST(device_goes_while_others_ask),
		FLOW_TEST(configuring_fails),
		FLOW_TEST(everything_else_fails),
		FLOW_TEST(statistics),
		FLOW_TEST(operations_are_missing),
		FLOW_TEST(application_refuses),
		FLOW_TEST(bursts_keep_out),
		FLOW_TEST(blk_waits_for_all_queues),
		FLOW_TEST(blk_serves_a_guest_that_uses_fewer),
		FLOW_TEST(configuration_space),
	};

	flow_vdev = "net_null0";
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
