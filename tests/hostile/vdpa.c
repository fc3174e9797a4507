/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile frontend at a socket that a vDPA device serves: any messages in any order, right ones,
 * nearly right ones and wrong ones, and it comes and goes. The device's driver (witness.h) notes
 * whatever the library promises drivers and does not keep; when the frontend becomes a good one, its
 * guest is served.
 *
 * VHOST_NG_SEED repeats a run's decisions (not its timing), VHOST_NG_SOAK=1 makes it long.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "fake_vdpa.h"
#include "packets.h"
#include "rig.h"
#include "tap.h"
#include "witness.h"

#define NR_QUEUES 4
#define REGION_BYTES (2u << 20)
#define LOG_BYTES 65536
#define TIMEOUT_MS 20000
#define PATIENCE_US 120000000
#define MESSAGES_MAX 400 /* of a connection */

static uint64_t seed, rng;
static struct frontend fe;
static const char *path;
static const struct fe_config *config;
static struct guest_memory with_extra; /* its memory and one region more */
static int log_fd, other_fd; /* a file for the log; no eventfd, no file */
static unsigned long nr_messages, nr_hung_up;

static const struct guest_region_spec region = { .size_bytes = REGION_BYTES };

#define PROTOCOL_OF_BOTH                                                           \
	(1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |                  \
	 1u << FE_PROTOCOL_F_LOG_SHMFD | 1u << FE_PROTOCOL_F_CONFIG |              \
	 1u << FE_PROTOCOL_F_INFLIGHT_SHMFD | 1u << FE_PROTOCOL_F_RESET_DEVICE |   \
	 1u << FE_PROTOCOL_F_BACKEND_REQ | 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS)

static const struct fe_config net_config = {
	.features = FE_F_VERSION_1 | FE_F_MQ | FE_F_INDIRECT_DESC,
	.protocol_features = PROTOCOL_OF_BOTH | 1u << FE_PROTOCOL_F_RARP |
			     1u << FE_PROTOCOL_F_NET_MTU,
	.nr_pairs = NR_QUEUES / 2,
	.ring_size = 64,
	.regions = &region,
	.nregions = 1,
};

static const struct fe_config blk_config = {
	.features = FE_F_VERSION_1 | FE_F_INDIRECT_DESC,
	.protocol_features = PROTOCOL_OF_BOTH,
	.nr_queues = NR_QUEUES,
	.ring_size = 64,
	.regions = &region,
	.nregions = 1,
};

static uint32_t random_below(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 32) % n;
}

static bool one_in(uint32_t n)
{
	return random_below(n) == 0;
}

static uint64_t any_u64(void)
{
	return (uint64_t)random_below(UINT32_MAX) << 32 | random_below(UINT32_MAX);
}

static bool is_soak(void)
{
	return getenv("VHOST_NG_SOAK") != NULL;
}

/* --- one connection ------------------------------------------------------------ */

/* Reads and forgets all answers that are there. False: it was hung up. */
static bool drain(int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * FE_MAX_FDS)];
	} control;
	char bytes[4096];
	ssize_t n;

	do {
		struct iovec iov = { .iov_base = bytes, .iov_len = sizeof(bytes) };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control.space,
				      .msg_controllen = sizeof(control.space) };

		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL; c != NULL;
		     c = CMSG_NXTHDR(&msg, c))
			for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len;
			     at += sizeof(int)) {
				int came;

				memcpy(&came, (char *)c + at, sizeof(came));
				close(came);
			}
	} while (n > 0);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Mostly so that it may be refused without the end of the connection. */
static void say(uint32_t request, const void *payload, size_t bytes, int fd)
{
	uint32_t flags = FE_FLAG_VERSION | (one_in(256) ? 0 : FE_FLAG_NEED_REPLY);

	(void)fe_send(&fe, request, flags, payload, bytes, &fd, fd >= 0);
}

static void say_u64(uint32_t request, uint64_t value, int fd)
{
	say(request, &value, sizeof(value), fd);
}

static uint32_t any_queue(void)
{
	static const uint32_t odd[] = { NR_QUEUES, NR_QUEUES + 1, 63, 127, 128, 255, 256, 65535,
					UINT32_MAX };

	return one_in(64) ? odd[random_below(RTE_DIM(odd))] : random_below(NR_QUEUES);
}

static void say_state(uint32_t request, uint32_t num)
{
	const struct fe_vring_state state = { .index = any_queue(), .num = num };

	say(request, &state, sizeof(state), -1);
}

/* For a queue's eventfds: a good one, none, one that is none. */
static void say_fd(uint32_t request)
{
	uint32_t index = any_queue();
	const struct guest_ring *vq = &fe.vqs[index % NR_QUEUES];

	if (one_in(8))
		say_u64(request, index | FE_NOFD, -1);
	else if (one_in(16))
		say_u64(request, index, one_in(2) ? other_fd : log_fd);
	else
		say_u64(request, index, one_in(2) ? vq->callfd : vq->kickfd);
}

static uint64_t any_place(void)
{
	switch (random_below(8)) {
	case 0:
		return any_u64();
	case 1:
		return GUEST_UVA_BASE + REGION_BYTES - 16 * random_below(64);
	case 2:
		return GUEST_UVA_BASE + random_below(REGION_BYTES);
	default:
		return GUEST_UVA_BASE + (random_below(REGION_BYTES) & ~4095u);
	}
}

static void say_addresses(void)
{
	struct fe_vring_addr addr = { .index = any_queue() };
	const struct guest_ring *vq = &fe.vqs[addr.index % NR_QUEUES];

	addr.desc_uva = one_in(4) ? any_place() : guest_uva(&fe.mem, vq->desc_gpa);
	addr.avail_uva = one_in(8) ? any_place() : guest_uva(&fe.mem, vq->avail_gpa);
	addr.used_uva = one_in(8) ? any_place() : guest_uva(&fe.mem, vq->used_gpa);
	if (one_in(4)) {
		addr.flags = 1;
		addr.log_gpa = one_in(8) ? any_u64() : vq->used_gpa;
	}
	if (one_in(32))
		addr.flags = random_below(UINT32_MAX);
	say(FE_SET_VRING_ADDR, &addr, sizeof(addr), -1);
}

/* All that starts a ring, and is right; of one that runs the first is refused. */
static void say_start(uint32_t index)
{
	const struct guest_ring *vq = &fe.vqs[index];
	const struct fe_vring_state num = { .index = index, .num = vq->size };
	const struct fe_vring_addr addr = {
		.index = index,
		.desc_uva = guest_uva(&fe.mem, vq->desc_gpa),
		.avail_uva = guest_uva(&fe.mem, vq->avail_gpa),
		.used_uva = guest_uva(&fe.mem, vq->used_gpa),
	};

	say(FE_SET_VRING_NUM, &num, sizeof(num), -1);
	say(FE_SET_VRING_ADDR, &addr, sizeof(addr), -1);
	say_u64(FE_SET_VRING_CALL, index, vq->callfd);
	say_u64(FE_SET_VRING_KICK, index, vq->kickfd);
}

static void say_memory(void)
{
	struct fe_mem_table table = { .nregions = 1 + random_below(2) };
	int fds[2] = { with_extra.regions[0].fd, with_extra.regions[1].fd };

	for (unsigned int i = 0; i < 2; i++) {
		const struct guest_region *r = &with_extra.regions[i];

		table.regions[i] = (struct fe_mem_region){ r->gpa, r->size_bytes, r->uva,
							   r->mmap_offset_bytes };
	}
	switch (random_below(16)) {
	case 0:
		table.regions[0].gpa = any_u64();
		break;
	case 1:
		table.regions[0].size_bytes = one_in(2) ? any_u64() : 4096;
		break;
	case 2:
		table.regions[1].gpa = table.regions[0].gpa + REGION_BYTES / 2;
		break;
	case 3:
		table.regions[0].mmap_offset_bytes = one_in(2) ? any_u64() : 4096;
		break;
	case 4:
		fds[random_below(2)] = other_fd;
		break;
	case 5: /* rings are nowhere */
		table.regions[0].uva += 1ull << 40;
		break;
	case 6:
		table.nregions = random_below(40);
		break;
	case 7: /* another file, for the same */
		fds[0] = with_extra.regions[1].fd;
		break;
	default:
		break;
	}
	(void)fe_send(&fe, FE_SET_MEM_TABLE, FE_FLAG_VERSION | FE_FLAG_NEED_REPLY, &table,
		      8 + RTE_MIN(table.nregions, 2u) * sizeof(table.regions[0]), fds,
		      RTE_MIN(table.nregions, 2u));
}

static void say_slot(void)
{
	const struct guest_region *r = &with_extra.regions[one_in(4) ? 0 : 1];
	struct fe_mem_reg reg = { .region = { r->gpa, r->size_bytes, r->uva,
					      r->mmap_offset_bytes } };
	bool adds = one_in(2);

	if (one_in(8))
		reg.region.size_bytes = any_u64();
	if (one_in(8))
		reg.region.gpa += 4096;
	say(adds ? FE_ADD_MEM_REG : FE_REM_MEM_REG, &reg, sizeof(reg),
	    !adds ? -1 : one_in(8) ? other_fd : r->fd);
}

static void say_log(void)
{
	const struct {
		uint64_t size_bytes, offset_bytes;
	} log = { one_in(8) ? any_u64() : one_in(8) ? 1 : LOG_BYTES / 2,
		  one_in(8) ? any_u64() : one_in(2) ? 4096 : 0 };

	say(FE_SET_LOG_BASE, &log, sizeof(log), one_in(16) ? other_fd : log_fd);
	if (one_in(2))
		say_u64(FE_SET_FEATURES, fe.features | FE_F_LOG_ALL, -1);
}

static uint64_t any_features(void)
{
	uint64_t features = fe.features;

	if (one_in(2))
		features ^= FE_F_LOG_ALL;
	if (one_in(4))
		features ^= UINT64_C(1) << random_below(64);
	return one_in(32) ? any_u64() : features;
}

static void say_config(void)
{
	struct {
		uint32_t offset_bytes, size_bytes, flags;
		uint8_t bytes[256];
	} c = { .offset_bytes = random_below(260), .size_bytes = random_below(60),
		.flags = random_below(3) };
	size_t size = 12 + c.size_bytes;

	if (one_in(8))
		c.offset_bytes = random_below(UINT32_MAX);
	if (one_in(8))
		c.size_bytes = random_below(UINT32_MAX);
	say(one_in(2) ? FE_GET_CONFIG : FE_SET_CONFIG, &c, size, -1);
}

static void say_inflight(void)
{
	struct fe_inflight area = { .size_bytes = one_in(4) ? any_u64() : 4096,
				    .nr_queues = (uint16_t)random_below(8),
				    .queue_size = (uint16_t)(one_in(4) ? random_below(65536) : 64) };

	if (one_in(2))
		say(FE_GET_INFLIGHT_FD, &area, sizeof(area), -1);
	else
		say(FE_SET_INFLIGHT_FD, &area, sizeof(area), log_fd);
}

static void say_nonsense(void)
{
	uint8_t bytes[300];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_below(256);
	if (one_in(4))
		(void)fe_send_raw(&fe, bytes, 1 + random_below(sizeof(bytes)), NULL, 0);
	else
		say(random_below(50), bytes, random_below(64), one_in(4) ? other_fd : -1);
}

static void kick(void)
{
	const struct guest_ring *vq = &fe.vqs[random_below(NR_QUEUES)];

	if (!flow_packed) {
		vq->avail[2] = (uint16_t)random_below(vq->size);
		vq->avail[1] = (uint16_t)random_below(4);
	}
	(void)eventfd_write(vq->kickfd, 1);
}

/* Files get shorter under whoever has them mapped; the next connection has them whole again. */
static void cut_files(void)
{
	(void)ftruncate(one_in(2) ? with_extra.regions[1].fd : log_fd, 4096);
}

static void mend_files(void)
{
	RTE_VERIFY(ftruncate(log_fd, LOG_BYTES) == 0 &&
		   ftruncate(with_extra.regions[1].fd, (off_t)with_extra.regions[1].size_bytes) == 0);
}

static void one_message(void)
{
	nr_messages++;
	if (one_in(512))
		cut_files();
	switch (random_below(64)) {
	case 0 ... 3:
		say_u64(FE_SET_FEATURES, any_features(), -1);
		break;
	case 4:
		say_u64(FE_SET_PROTOCOL_FEATURES,
			fe.protocol_features ^ (one_in(2) ? 0 : UINT64_C(1) << random_below(24)),
			-1);
		break;
	case 5:
		say(one_in(2) ? FE_RESET_OWNER : FE_RESET_DEVICE, NULL, 0, -1);
		break;
	case 6 ... 10:
		say_memory();
		break;
	case 11 ... 13:
		say_slot();
		break;
	case 14 ... 16:
		say_log();
		break;
	case 17:
		say(FE_SET_LOG_FD, NULL, 0, one_in(4) ? other_fd : fe.vqs[0].errfd);
		break;
	case 18:
		say_state(FE_SET_VRING_NUM, one_in(2) ? 64 : one_in(2) ? 32 : random_below(65537));
		break;
	case 19 ... 23:
		say_addresses();
		break;
	case 24:
		say_state(FE_SET_VRING_BASE, random_below(one_in(2) ? 8 : UINT32_MAX));
		break;
	case 25 ... 30:
		say_fd(one_in(2) ? FE_SET_VRING_KICK : FE_SET_VRING_CALL);
		break;
	case 31:
		say_fd(FE_SET_VRING_ERR);
		break;
	case 32 ... 38:
		say_state(FE_SET_VRING_ENABLE, one_in(16) ? random_below(UINT32_MAX) : !one_in(3));
		break;
	case 39 ... 40:
		say_state(FE_GET_VRING_BASE, 0);
		break;
	case 41 ... 42:
		say_config();
		break;
	case 43:
		say_inflight();
		break;
	case 44:
		say_u64(FE_SEND_RARP, any_u64(), -1);
		break;
	case 45:
		say_nonsense();
		break;
	case 46 ... 47:
		kick();
		break;
	case 48: /* as for another guest */
		for (unsigned int i = 0; i < NR_QUEUES; i++) {
			const struct fe_vring_state state = { .index = i };

			say(FE_GET_VRING_BASE, &state, sizeof(state), -1);
			say_start(i);
		}
		break;
	default:
		/* Whatever it was, on with it. */
		if (one_in(2))
			say_start(random_below(NR_QUEUES));
		else
			say_state(FE_SET_VRING_ENABLE, 1);
		break;
	}
}

/* Gone for good, in the library, too. */
static void hang_up(void)
{
	fe_disconnect(&fe);
	fe.use_ack = false;
}

static void one_life(void)
{
	bool set_up = !one_in(4);

	mend_files();
	fe.timeout_ms = TIMEOUT_MS;
	if (fe_connect(&fe, path) != 0)
		return;
	/* It may be hung up on meanwhile, as the device may go. */
	(void)fe_negotiate(&fe, config);
	if (set_up)
		(void)fe_start(&fe, config);
	for (unsigned int n = random_below(MESSAGES_MAX); n > 0; n--) {
		one_message();
		if (!drain(fe.fd)) {
			nr_hung_up++;
			break;
		}
		/* Now and then it hears all answers, or it would be far ahead. */
		if (n % 16 == 0 && one_in(2))
			usleep(200);
	}
	if (one_in(8)) /* in the middle of a message */
		(void)fe_send_raw(&fe, "\1\0\0\0\1\0\0\0\10\0", 1 + random_below(10), NULL, 0);
	hang_up();
}

/* --- ------------------------------------------------------------------------------ */

/* As DPDK's example does it. */
static int start(const char *p)
{
	uint64_t protocol_features = 0;

	if (rte_vhost_driver_attach_vdpa_device(p, fake.dev) != 0 ||
	    rte_vhost_driver_get_protocol_features(p, &protocol_features) != 0 ||
	    rte_vhost_driver_set_protocol_features(p, protocol_features |
						   1u << FE_PROTOCOL_F_CONFIG) != 0)
		return -1;
	return rte_vhost_driver_start(p);
}

static void begin(const struct fe_config *c, bool is_block)
{
	const struct guest_region_spec extra = { .gpa = 1ull << 33, .size_bytes = 1u << 20 };

	nr_messages = nr_hung_up = 0;
	config = c;
	witness_plug(is_block, NR_QUEUES, seed);
	flow_start_driver = start;
	path = strdup(flow_serve_ops(0, &witness_application));
	flow_start_driver = rte_vhost_driver_start;
	log_fd = memfd_create("log", MFD_CLOEXEC);
	CHECK(log_fd >= 0 && ftruncate(log_fd, LOG_BYTES) == 0);
	other_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	fe_init(&fe);
	CHECK_EQ(fe_build(&fe, config), 0);
	with_extra = fe.mem;
	CHECK_EQ(guest_memory_add(&with_extra, &extra), 0);
}

static bool is_served(void *arg)
{
	(void)arg;
	(void)fe_sync(&fe); /* a device that fails is asked again after the next message */
	return witness_is_configured();
}

/* A good frontend at last. */
static void check_it_is_served(void)
{
	witness_fails(0);
	hang_up();
	mend_files();
	for (unsigned int i = 0; i < NR_QUEUES; i++)
		guest_ring_reset(&fe.vqs[i], 0);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, config), 0);
	CHECK(flow_wait_until(is_served, NULL, TIMEOUT_MS));
}

static bool is_gone(void *arg)
{
	struct witness_counts *before = arg;

	return witness_counts().cleanups != before->cleanups;
}

/* After a failed test, too. */
static void take_down(void)
{
	if (path == NULL)
		return;
	hang_up();
	flow_unserve(path);
	free((void *)(uintptr_t)path);
	path = NULL;
	witness_unplug();
	fe.mem = with_extra;
	fe_close(&fe);
	close(log_fd);
	close(other_fd);
}

static void end(void)
{
	struct witness_counts counts = witness_counts();

	hang_up();
	CHECK(flow_wait_until(is_gone, &counts, TIMEOUT_MS));
	counts = witness_counts();
	fprintf(tap.out, "# %lu connections, %lu of them hung up on, %lu messages; %lu dev_conf, "
		"%lu dev_close, %lu dev_cleanup, %lu set_vring_state, %lu set_features, %lu logs, "
		"%lu configuration spaces; looked at %lu times\n",
		counts.connections, nr_hung_up, nr_messages, counts.configured, counts.closed,
		counts.cleanups, counts.states, counts.features, counts.logs, counts.configs,
		counts.looks);
	CHECK_EQ(counts.configured, counts.closed);
	take_down();
	if (witness_problem() != NULL)
		tap_fail(__FILE__, __LINE__, "%s (seed %llu)", witness_problem(),
			 (unsigned long long)seed);
	CHECK(bystander_unharmed());
	CHECK(rig_nothing_left());
}

static bool is_enough(const struct witness_counts *c, unsigned long wanted)
{
	return c->connections >= wanted && c->configured >= wanted / 2 &&
	       c->states >= wanted && c->logs >= wanted / 20 && c->configs >= wanted / 20;
}

static void attack(const struct fe_config *c, bool is_block)
{
	const unsigned long wanted = is_soak() ? 20000 : 1000;
	const uint64_t until = flow_now_us() + (is_soak() ? 60 : 1) * (uint64_t)PATIENCE_US;
	struct witness_counts counts;

	begin(c, is_block);
	do {
		witness_fails(one_in(2) ? 0 : 8);
		one_life();
		counts = witness_counts();
	} while (!is_enough(&counts, wanted) && witness_problem() == NULL &&
		 flow_now_us() < until);
	if (witness_problem() == NULL)
		CHECK(is_enough(&counts, wanted));
	check_it_is_served();
	end();
}

static void network(void)
{
	attack(&net_config, false);
}

static void block(void)
{
	attack(&blk_config, true);
}

/* --- and the device comes and goes ------------------------------------------------- */

static bool stop; /* atomic */
static unsigned long nr_unplugged;

static void *unplug_and_plug(void *arg)
{
	uint64_t x = seed ^ 0x9e3779b97f4a7c15;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		x = x * 6364136223846793005 + 1442695040888963407;
		usleep((unsigned int)(x >> 32) % 5000);
		fake_vdpa_unplug();
		__atomic_add_fetch(&nr_unplugged, 1, __ATOMIC_SEQ_CST);
		usleep((unsigned int)(x >> 44) % 1000);
		fake_vdpa_plug();
		RTE_VERIFY(rte_vhost_driver_attach_vdpa_device(path, fake.dev) == 0);
	}
	return NULL;
}

static void device_that_goes(void)
{
	const uint64_t until = flow_now_us() + PATIENCE_US;
	const unsigned long wanted = is_soak() ? 2000 : 100;
	pthread_t thread;

	nr_unplugged = 0;
	begin(&net_config, false);
	__atomic_store_n(&stop, false, __ATOMIC_SEQ_CST);
	CHECK_EQ(pthread_create(&thread, NULL, unplug_and_plug, NULL), 0);
	while ((__atomic_load_n(&nr_unplugged, __ATOMIC_SEQ_CST) < wanted ||
		witness_counts().configured < wanted) &&
	       witness_problem() == NULL && flow_now_us() < until)
		one_life();
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	fprintf(tap.out, "# %lu times the device went\n", nr_unplugged);
	if (witness_problem() == NULL)
		CHECK(nr_unplugged >= wanted && witness_counts().configured >= wanted);
	check_it_is_served();
	end();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "L3 L5 any messages to a network device", network },
		{ "L3 L5 any messages to a block device", block },
		{ "L3 L5 any messages to a device that goes", device_that_goes },
	};
	const char *given = getenv("VHOST_NG_SEED");
	bool packed = argc > 1 && strcmp(argv[1], "packed") == 0;
	cpu_set_t all;
	int rc;

	tap_begin();
	seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	rng = seed | 1;
	fprintf(tap.out, "# VHOST_NG_SEED=%llu\n", (unsigned long long)seed);
	flow_vdev = "net_null0";
	rig_init(argv[0], packed);
	/* EAL bound us to one core; the threads shall meet. */
	CPU_ZERO(&all);
	for (int i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &all);
	(void)sched_setaffinity(0, sizeof(all), &all);
	rc = tap_run(tests, RTE_DIM(tests), argc > 1 + packed ? argv[1 + packed] : NULL, rig_before,
		     take_down);
	rig_fini();
	return rc;
}
