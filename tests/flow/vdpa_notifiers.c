/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Doorbells of a vDPA device: what the frontend is told of them, on its other socket, and what
 * becomes of that when something goes wrong. What comes is written down in words:
 * map<queue>@<offset>+<bytes> and unmap<queue>.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_vdpa.h"
#include "flow_main.h"

#define FE_BACKEND_VRING_HOST_NOTIFIER_MSG 3
#define FE_PROTOCOL_F_HOST_NOTIFIER 11

#define ALL_PROTOCOL_FEATURES \
	(1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK | \
	 1u << FE_PROTOCOL_F_BACKEND_REQ | 1u << FE_PROTOCOL_F_BACKEND_SEND_FD | \
	 1u << FE_PROTOCOL_F_HOST_NOTIFIER)

static const struct fe_config two_pairs = {
	.features = FE_F_VERSION_1 | FE_F_MQ,
	.protocol_features = ALL_PROTOCOL_FEATURES,
	.nr_pairs = 2,
	.ring_size = 64,
};

static const char *path;
static struct frontend fe;
static int vfio_fd; /* a file in its place */

/* The frontend's thread that answers on its other socket. */
static struct {
	pthread_t thread;
	bool runs;
	volatile bool stop;
	volatile int refuse;   /* answers no to this queue's map; -1: to none */
	volatile bool silent;  /* does not answer */
	volatile unsigned bad; /* messages that were not as they have to be */
	volatile unsigned answers;
	pthread_mutex_t lock; /* of the words */
	char words[1024];
} other = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
write_down(const char *word)
{
	pthread_mutex_lock(&other.lock);
	if (other.words[0] != '\0')
		strcat(other.words, " ");
	strcat(other.words, word);
	RTE_VERIFY(strlen(other.words) + 64 < sizeof(other.words));
	pthread_mutex_unlock(&other.lock);
}

static bool
wrote_down(void *expected)
{
	bool same;

	pthread_mutex_lock(&other.lock);
	same = strcmp(other.words, expected) == 0;
	pthread_mutex_unlock(&other.lock);
	return same;
}

/* Unmapping has no answer: it may take a moment until it is read. Forgets it. */
static bool
heard(const char *expected)
{
	bool same = flow_wait_until(wrote_down, (void *)(uintptr_t)expected, 20000);

	if (!same)
		fprintf(stderr, "heard \"%s\", expected \"%s\"\n", other.words, expected);
	other.words[0] = '\0';
	return same;
}

struct area {
	uint64_t index, size_bytes, offset_bytes;
};

static void
take(const struct fe_msg *msg)
{
	const struct area *area = (const void *)msg->bytes;
	bool unmap = (area->index & FE_NOFD) != 0;
	uint64_t result = !unmap && other.refuse == (int)area->index;
	struct fe_header header = {
		.request = msg->header.request,
		.flags = FE_FLAG_VERSION | FE_FLAG_REPLY,
		.size_bytes = sizeof(result),
	};
	struct stat expected, seen;
	char word[64];

	other.bad += msg->header.request != FE_BACKEND_VRING_HOST_NOTIFIER_MSG ||
		     msg->header.size_bytes != sizeof(*area) || msg->nfds != !unmap;
	if (unmap) {
		snprintf(word, sizeof(word), "unmap%u", (unsigned)(area->index & 0xff));
	} else {
		snprintf(word, sizeof(word), "map%u@%u+%u", (unsigned)area->index,
			 (unsigned)area->offset_bytes, (unsigned)area->size_bytes);
		other.bad += msg->nfds != 1 || fstat(vfio_fd, &expected) != 0 ||
			     fstat(msg->fds[0], &seen) != 0 || expected.st_ino != seen.st_ino;
	}
	write_down(word);
	if ((msg->header.flags & FE_FLAG_NEED_REPLY) == 0 || other.silent)
		return;
	other.answers++;
	if (write(fe.backend_fd, &header, sizeof(header)) != sizeof(header) ||
	    write(fe.backend_fd, &result, sizeof(result)) != sizeof(result))
		other.bad++;
}

static void *
answer(void *arg)
{
	struct pollfd pfd = {.fd = fe.backend_fd, .events = POLLIN};
	struct fe_msg msg;

	(void)arg;
	while (!other.stop) {
		if (poll(&pfd, 1, 5) != 1)
			continue;
		if (fe_recv_backend(&fe, &msg) != 0)
			break;
		take(&msg);
		fe_msg_close_fds(&msg);
	}
	return NULL;
}

static int
get_vfio_device_fd(int vid)
{
	(void)vid;
	return vfio_fd;
}

static int area_fails_at = -1;

static int
get_notify_area(int vid, int qid, uint64_t *offset_bytes, uint64_t *size_bytes)
{
	uint64_t features;

	/* With none of the library's locks held. */
	CHECK_EQ(rte_vhost_get_negotiated_features(vid, &features), 0);
	*offset_bytes = (uint64_t)qid * 4096;
	*size_bytes = 4096;
	return qid == area_fails_at ? -1 : 0;
}

static void
setup(void)
{
	rec_reset();
	fake_vdpa_reset();
	fake.ops.get_vfio_device_fd = get_vfio_device_fd;
	fake.ops.get_notify_area = get_notify_area;
	area_fails_at = -1;
	other.refuse = -1;
	other.bad = other.answers = 0;
	other.silent = false;
	other.words[0] = '\0';
	vfio_fd = memfd_create("vfio", 0);
	fe_init(&fe);
}

static void
stop_answering(void)
{
	other.stop = true;
	if (other.runs)
		pthread_join(other.thread, NULL);
	other.runs = false;
}

static bool
is_forgotten(void *arg)
{
	(void)arg;
	return strstr(rec_text(), "cleanup") != NULL;
}

static void
teardown(void)
{
	bool connected = fe.fd >= 0;

	stop_answering();
	fe_close(&fe);
	fake.hook = NULL;
	if (connected)
		flow_wait_until(is_forgotten, NULL, 5000);
	if (path != NULL)
		flow_unserve(path);
	path = NULL;
	if (fake.dev != NULL)
		fake_vdpa_unplug();
	flow_start_driver = rte_vhost_driver_start;
	close(vfio_fd);
	flow_teardown();
}

static void
connect_frontend(const struct fe_config *config)
{
	fake_vdpa_plug();
	flow_start_driver = fake_vdpa_start;
	path = flow_serve(0);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_negotiate(&fe, config), 0);
	CHECK_EQ(fe_build(&fe, config), 0);
	if (fe.protocol_features & 1u << FE_PROTOCOL_F_BACKEND_REQ) {
		CHECK_EQ(fe_set_backend_req_fd(&fe), 0);
		other.stop = false;
		CHECK_EQ(pthread_create(&other.thread, NULL, answer, NULL), 0);
		other.runs = true;
	}
}

static void
bring_up(const struct fe_config *config)
{
	connect_frontend(config);
	CHECK_EQ(fe_start(&fe, config), 0);
	CHECK(strstr(rec_text(), "conf") != NULL);
	rec_reset();
}

#define CTRL(qid, enable, result, expected) \
	do { \
		CHECK_EQ(rte_vhost_host_notifier_ctrl(rec_vid(), qid, enable), result); \
		CHECK(heard(expected)); \
	} while (0)

static void
one_queue_and_all(void)
{
	bring_up(&two_pairs);
	CTRL(2, true, 0, "map2@8192+4096");
	CTRL(2, false, 0, "unmap2");
	CTRL(RTE_VHOST_QUEUE_ALL, true, 0, "map0@0+4096 map1@4096+4096 map2@8192+4096 map3@12288+4096");
	CTRL(RTE_VHOST_QUEUE_ALL, false, 0, "unmap0 unmap1 unmap2 unmap3");
	CHECK_EQ(other.bad, 0);
	CHECK_EQ(other.answers, 10);
}

static void
no_such_queue(void)
{
	bring_up(&two_pairs);
	CTRL(4, true, -EINVAL, "");
	CTRL(4, false, -EINVAL, "");
	CHECK_EQ(rte_vhost_host_notifier_ctrl(77, 0, true), -ENODEV);
	CHECK_EQ(rte_vhost_host_notifier_ctrl(-1, 0, true), -ENODEV);
}

/* Each of what it takes. */
static void
not_negotiated(void)
{
	static const unsigned needed[] = {FE_PROTOCOL_F_BACKEND_REQ, FE_PROTOCOL_F_BACKEND_SEND_FD,
					  FE_PROTOCOL_F_HOST_NOTIFIER};

	for (unsigned i = 0; i < RTE_DIM(needed); i++) {
		struct fe_config config = two_pairs;

		config.protocol_features &= ~(1u << needed[i]);
		if (i != 0)
			setup();
		bring_up(&config);
		CTRL(0, true, -ENOTSUP, "");
		if (i + 1 < RTE_DIM(needed))
			teardown();
	}
}

static void
not_without_version_1(void)
{
	struct fe_config config = two_pairs;

	config.features &= ~FE_F_VERSION_1;
	bring_up(&config);
	CTRL(0, true, -ENOTSUP, "");
}

static void
driver_has_none(void)
{
	fake.ops.get_notify_area = NULL;
	bring_up(&two_pairs);
	CTRL(0, true, -ENOTSUP, "");
	fake.ops.get_notify_area = get_notify_area;
	fake.ops.get_vfio_device_fd = NULL;
	CTRL(0, true, -ENOTSUP, "");
}

static int
no_vfio_fd(int vid)
{
	(void)vid;
	return -1;
}

static void
driver_fails(void)
{
	fake.ops.get_vfio_device_fd = no_vfio_fd;
	bring_up(&two_pairs);
	CTRL(0, true, -ENOTSUP, "");
	fake.ops.get_vfio_device_fd = get_vfio_device_fd;
	area_fails_at = 2;
	/* Difference: the stock library unmaps what was not mapped, too. */
	CTRL(RTE_VHOST_QUEUE_ALL, true, -ENOTSUP, is_stock ?
	     "map0@0+4096 map1@4096+4096 unmap0 unmap1 unmap2 unmap3" :
	     "map0@0+4096 map1@4096+4096 unmap0 unmap1");
	area_fails_at = -1;
	CTRL(2, true, 0, "map2@8192+4096");
}

/* All or none. */
static void
frontend_refuses_one(void)
{
	bring_up(&two_pairs);
	other.refuse = 2;
	CTRL(RTE_VHOST_QUEUE_ALL, true, -EFAULT, is_stock ?
	     "map0@0+4096 map1@4096+4096 map2@8192+4096 unmap0 unmap1 unmap2 unmap3" :
	     "map0@0+4096 map1@4096+4096 map2@8192+4096 unmap0 unmap1 unmap2");
	/* Difference: one that was mapped before goes, too. */
	CTRL(0, true, 0, "map0@0+4096");
	CTRL(2, true, -EFAULT, is_stock ? "map2@8192+4096 unmap2" :
	     "map2@8192+4096 unmap0 unmap2");
	CHECK_EQ(other.bad, 0);
}

/* Whoever does not answer is not waited for once a queue. */
static void
frontend_does_not_answer(void)
{
	uint64_t start_us, took_us;

	if (is_stock)
		tap_skip("the stock library waits for ever");
	bring_up(&two_pairs);
	other.silent = true;
	start_us = flow_now_us();
	CTRL(RTE_VHOST_QUEUE_ALL, true, -EFAULT, "map0@0+4096 unmap0");
	took_us = flow_now_us() - start_us;
	CHECK(took_us > 500000 && took_us < 10000000);
}

/* An answer that comes too late is nobody's. */
static void
late_answers_count_for_nothing(void)
{
	struct {
		struct fe_header header;
		uint64_t result;
	} __attribute__((packed)) late = {
		.header = {FE_BACKEND_VRING_HOST_NOTIFIER_MSG, FE_FLAG_VERSION | FE_FLAG_REPLY, 8},
	};

	if (is_stock)
		tap_skip("the stock library waits for ever");
	bring_up(&two_pairs);
	other.refuse = 1;
	CHECK_EQ(write(fe.backend_fd, &late, sizeof(late)), sizeof(late));
	CTRL(1, true, -EFAULT, "map1@4096+4096 unmap1");
}

/* Without REPLY_ACK there is nothing to wait for. */
static void
without_answers(void)
{
	struct fe_config config = two_pairs;

	config.protocol_features &= ~(1u << FE_PROTOCOL_F_REPLY_ACK);
	if (is_stock)
		tap_skip("the stock library wants an answer that was not agreed on");
	bring_up(&config);
	CTRL(RTE_VHOST_QUEUE_ALL, true, 0, "map0@0+4096 map1@4096+4096 map2@8192+4096 map3@12288+4096");
	CTRL(1, false, 0, "unmap1");
	CHECK_EQ(other.answers, 0);
}

/* As drivers do it. */
static void
map_in_conf(const char *word, int vid)
{
	if (strcmp(word, "conf") == 0)
		CHECK_EQ(rte_vhost_host_notifier_ctrl(vid, RTE_VHOST_QUEUE_ALL, true), 0);
}

/* Difference: the stock library leaves it to the driver to have them unmapped. */
static void
mapped_while_configured(void)
{
	struct guest_region_spec more = {.gpa = 1u << 30, .size_bytes = 1u << 20};

	fake.hook = map_in_conf;
	connect_frontend(&two_pairs);
	CHECK_EQ(fe_start(&fe, &two_pairs), 0);
	CHECK_STR(rec_text(), "+conn feat v0=1 q0=1 v1=1 q1=1 +dev conf v2=1 q2=1 v3=1 q3=1");
	CHECK(heard("map0@0+4096 map1@4096+4096 map2@8192+4096 map3@12288+4096"));
	rec_reset();
	CHECK_EQ(guest_memory_add(&fe.mem, &more), 0);
	CHECK_EQ(fe_set_mem_table(&fe, &fe.mem), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_STR(rec_text(), "close conf");
	CHECK(heard(is_stock ? "map0@0+4096 map1@4096+4096 map2@8192+4096 map3@12288+4096" :
		"unmap0 unmap1 unmap2 unmap3 map0@0+4096 map1@4096+4096 map2@8192+4096 map3@12288+4096"));
	CHECK_EQ(fe_get_vring_base(&fe, 1, NULL), 0);
	CHECK(heard(is_stock ? "" : "unmap0 unmap1 unmap2 unmap3"));
	/* Nothing is unmapped twice. */
	CTRL(RTE_VHOST_QUEUE_ALL, false, 0, is_stock ? "unmap0 unmap1 unmap2 unmap3" : "");
	CHECK_EQ(other.bad, 0);
}

/* A frontend that has gone is not asked. */
static void
frontend_goes(void)
{
	fake.hook = map_in_conf;
	connect_frontend(&two_pairs);
	CHECK_EQ(fe_start(&fe, &two_pairs), 0);
	stop_answering();
	rec_reset();
	fe_disconnect(&fe);
	CHECK(rec_wait("close -dev -conn cleanup"));
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(one_queue_and_all),
		FLOW_TEST(no_such_queue),
		FLOW_TEST(not_negotiated),
		SPLIT_TEST(not_without_version_1), /* packed rings need it */
		FLOW_TEST(driver_has_none),
		FLOW_TEST(driver_fails),
		FLOW_TEST(frontend_refuses_one),
		FLOW_TEST(frontend_does_not_answer),
		FLOW_TEST(late_answers_count_for_nothing),
		FLOW_TEST(without_answers),
		FLOW_TEST(mapped_while_configured),
		FLOW_TEST(frontend_goes),
	};

	flow_vdev = "net_null0";
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
