/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver in drivers/: a guest's device is a relay to a backend in another process, which is
 * exchanged for the next one, or killed, while the guest works.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include <rte_bus_vdev.h>
#include <rte_vdpa.h>
#include <vdpa_relay.h>

#include "backend_process.h"
#include "chains.h"
#include "flow_main.h"

#define RING_SIZE 64
#define RELAY "vdpa_relay0"
#define PACKET_MAX_BYTES 1200
#define PATIENCE_MS 60000

static struct backend one, two;
static struct frontend fe;
static const char *path;
static bool plugged;

static const struct guest_region_spec regions[] = {
	{.gpa = 0, .size_bytes = 8u << 20, .mmap_offset_bytes = 4096},
	{.gpa = 1u << 30, .size_bytes = 1u << 20},
};

static const struct fe_config one_pair = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_INDIRECT_DESC,
	.ring_size = RING_SIZE,
	.regions = regions,
	.nregions = RTE_DIM(regions),
};

/* --- the device ------------------------------------------------------------ */

static int
start_relayed(const char *p)
{
	struct rte_vdpa_device *dev = rte_vdpa_find_device_by_name(RELAY);

	return dev == NULL || rte_vhost_driver_attach_vdpa_device(p, dev) != 0 ? -1 :
		rte_vhost_driver_start(p);
}

/* A relay to `one`, and a socket for its guest. */
static void
serve(struct backend_lacks lacks)
{
	char args[160];

	rec_reset();
	backend_start(&one, flow_path(), lacks);
	snprintf(args, sizeof(args), "socket=%s", one.path);
	CHECK_EQ(rte_vdev_init(RELAY, args), 0);
	plugged = true;
	flow_start_driver = start_relayed;
	path = flow_serve(0);
}

static void
connect_frontend(void)
{
	CHECK_EQ(fe_connect(&fe, path), 0);
	fe.use_ack = true;
}

static bool
has_device(void *arg)
{
	return backend_devices(arg) != 0;
}

static void
up_with(struct backend_lacks lacks, const struct fe_config *config)
{
	serve(lacks);
	connect_frontend();
	CHECK_EQ(fe_setup(&fe, config), 0);
	CHECK(flow_wait_until(has_device, &one, PATIENCE_MS));
}

static void
up(void)
{
	up_with((struct backend_lacks) {0}, &one_pair);
}

static void
down(struct backend *b)
{
	backend_kill(b);
	backend_forget(b);
}

static unsigned
count(const char *word)
{
	const char *at = rec_text();
	unsigned n = 0;

	while ((at = strstr(at, word)) != NULL)
		n++, at++;
	return n;
}

static bool
is_forgotten(void *arg)
{
	(void)arg;
	return count("-conn") == count("+conn");
}

static void
disconnect(void)
{
	fe_close(&fe);
	RTE_VERIFY(flow_wait_until(is_forgotten, NULL, PATIENCE_MS));
}

/* --- its guest ------------------------------------------------------------- */

/* Packets of a pattern, which come back in the order they went. */
struct guest {
	struct guest_tx tx;
	struct guest_rx rx;
	uint32_t nr_sent, nr_received;
};

static void
guest_init(struct guest *g, unsigned pair)
{
	*g = (struct guest) {0};
	guest_tx_init(&g->tx, &fe.vqs[2 * pair + 1], GUEST_NET_HDR_BYTES, 256u << 10);
	CHECK_EQ(guest_rx_init(&g->rx, &fe.vqs[2 * pair], GUEST_NET_HDR_BYTES, true, RING_SIZE,
			       512), 0);
	guest_rx_fill(&g->rx, RING_SIZE);
}

static void
guest_fini(struct guest *g)
{
	guest_rx_fini(&g->rx);
}

static uint32_t
packet_bytes(uint32_t number)
{
	return 60 + number * 37 % (PACKET_MAX_BYTES - 60);
}

static void
guest_send(struct guest *g, unsigned n)
{
	uint8_t data[PACKET_MAX_BYTES];

	CHECK(guest_tx_reap(&g->tx) >= 0);
	while (n-- > 0) {
		uint32_t bytes = packet_bytes(g->nr_sent);

		guest_pattern(g->nr_sent, data, bytes);
		CHECK(guest_tx_send(&g->tx, NULL, data, bytes) >= 0);
		g->nr_sent++;
	}
	guest_ring_kick(g->tx.vq);
}

static bool
has_received_all(void *arg)
{
	uint8_t data[PACKET_MAX_BYTES], expected[PACKET_MAX_BYTES];
	struct guest_net_hdr hdr;
	struct guest *g = arg;
	int bytes;

	while ((bytes = guest_rx_recv(&g->rx, &hdr, data, sizeof(data), NULL)) >= 0) {
		CHECK(g->nr_received < g->nr_sent);
		CHECK_EQ(bytes, packet_bytes(g->nr_received));
		guest_pattern(g->nr_received++, expected, (uint32_t)bytes);
		CHECK(memcmp(data, expected, (size_t)bytes) == 0);
		guest_rx_fill(&g->rx, RING_SIZE);
	}
	CHECK_EQ(bytes, -EAGAIN);
	return g->nr_received == g->nr_sent;
}

static void
guest_receive_all(struct guest *g)
{
	CHECK(flow_wait_until(has_received_all, g, PATIENCE_MS));
	CHECK_EQ(guest_tx_drain(&g->tx, PATIENCE_MS), 0);
}

/* An eventfd's count since the last look. */
static uint64_t
events_at(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* --- tests ------------------------------------------------------------------ */

static void
setup(void)
{
	fe_init(&fe);
}

static void
teardown(void)
{
	disconnect();
	if (path != NULL)
		flow_unserve(path);
	path = NULL;
	if (plugged)
		RTE_VERIFY(rte_vdev_uninit(RELAY) == 0);
	plugged = false;
	flow_start_driver = rte_vhost_driver_start;
	down(&one);
	down(&two);
	flow_teardown();
}

/* Through the other process and back, and then the rings stand where the guest does. */
static void
packets_come_back(void)
{
	struct guest guest;
	uint32_t base;

	up();
	guest_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	for (unsigned i = 0; i < 20; i++) {
		guest_send(&guest, 1 + i);
		guest_receive_all(&guest);
	}
	backend_work(&one, BACKEND_IDLE);
	CHECK_EQ(fe_get_vring_base(&fe, 1, &base), 0);
	CHECK(flow_base_is(base, &fe.vqs[1]));
	guest_fini(&guest);
}

/* The next backend takes the rings where they stood. */
static void
moved(void)
{
	struct guest guest;

	up();
	guest_init(&guest, 0);
	backend_start(&two, flow_path(), (struct backend_lacks) {0});
	backend_work(&one, BACKEND_ECHO);
	backend_work(&two, BACKEND_ECHO);
	for (unsigned i = 0; i < 10; i++) {
		guest_send(&guest, 20);
		guest_receive_all(&guest);
		(void)events_at(fe.vqs[1].kickfd);
		CHECK_EQ(vdpa_relay_move(RELAY, i % 2 == 0 ? two.path : one.path), 0);
		/* Some start a ring when it is kicked. */
		CHECK(events_at(fe.vqs[1].kickfd) != 0);
	}
	guest_fini(&guest);
}

static const struct fe_config two_pairs = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MQ,
	.nr_pairs = 2,
	.ring_size = RING_SIZE,
	.regions = regions,
	.nregions = RTE_DIM(regions),
};

/* As QEMU brings them up: when the first pair runs, the backend has the device. */
static void
queues_that_come_later(void)
{
	struct guest guests[2];

	serve((struct backend_lacks) {0});
	connect_frontend();
	CHECK_EQ(fe_negotiate(&fe, &two_pairs), 0);
	CHECK_EQ(fe_build(&fe, &two_pairs), 0);
	CHECK_EQ(fe_add_memory(&fe, &fe.mem), 0);
	backend_work(&one, BACKEND_ECHO);
	for (unsigned i = 0; i < fe.nr_vqs; i++) {
		CHECK_EQ(fe_start_vring(&fe, i), 0);
		CHECK_EQ(fe_set_vring_enable(&fe, i, true), 0);
		if (i % 2 == 0)
			continue;
		CHECK(flow_wait_until(has_device, &one, PATIENCE_MS));
		guest_init(&guests[i / 2], i / 2);
		guest_send(&guests[i / 2], 10);
		guest_receive_all(&guests[i / 2]);
	}
	backend_start(&two, flow_path(), (struct backend_lacks) {0});
	backend_work(&two, BACKEND_ECHO);
	CHECK_EQ(vdpa_relay_move(RELAY, two.path), 0);
	for (unsigned i = 0; i < RTE_DIM(guests); i++) {
		guest_send(&guests[i], 10);
		guest_receive_all(&guests[i]);
		guest_fini(&guests[i]);
	}
}

/* The next guest's queues are off until it says otherwise. */
static void
queues_that_were_on_before(void)
{
	struct fe_config config = two_pairs;
	struct guest guests[2];

	up_with((struct backend_lacks) {0}, &config);
	disconnect();
	config.no_enable = true;
	connect_frontend();
	CHECK_EQ(fe_setup(&fe, &config), 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(fe_set_vring_enable(&fe, i, true), 0);
	for (unsigned i = 0; i < RTE_DIM(guests); i++)
		guest_init(&guests[i], i);
	backend_work(&one, BACKEND_ECHO);
	guest_send(&guests[1], 10);
	/* Both pairs are looked at in turn. */
	for (unsigned i = 0; i < 10; i++) {
		guest_send(&guests[0], 10);
		guest_receive_all(&guests[0]);
	}
	CHECK_EQ(guest_ring_pending(&fe.vqs[2]), 0);
	for (unsigned i = 0; i < RTE_DIM(guests); i++)
		guest_fini(&guests[i]);
}

/* QEMU exchanges the one for calls when the guest masks an interrupt. */
static void
another_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct guest guest;

	up();
	guest_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	guest_send(&guest, 10);
	guest_receive_all(&guest);
	CHECK_EQ(fe_set_vring_call(&fe, 0, fd), 0);
	(void)guest_ring_calls(&fe.vqs[0]);
	(void)events_at(fd);
	guest_send(&guest, 10);
	guest_receive_all(&guest);
	backend_work(&one, BACKEND_IDLE);
	CHECK(events_at(fd) != 0);
	CHECK_EQ(guest_ring_calls(&fe.vqs[0]), 0);
	close(fd);
	guest_fini(&guest);
}

static bool
has_error(void *arg)
{
	return guest_ring_errors(arg) != 0;
}

/* The backend says that a ring makes no sense where the frontend listens. */
static void
errors_are_heard(void)
{
	struct guest_ring *vq;

	up();
	vq = &fe.vqs[1];
	for (uint16_t i = 0; flow_packed && i < RING_SIZE; i++)
		guest_packed_raw_desc(vq, i, 0, 64, 0, guest_packed_avail_flags(true) | GUEST_DESC_NEXT);
	if (!flow_packed)
		guest_split_raw_avail_idx(vq, RING_SIZE + 1);
	CHECK_EQ(guest_ring_errors(vq), 0);
	backend_work(&one, BACKEND_ECHO);
	CHECK(flow_wait_until(has_error, vq, PATIENCE_MS));
	CHECK_EQ(guest_ring_errors(&fe.vqs[0]), 0);
}

#define MANY_REGIONS 20
#define MANY_REGION_BYTES (1u << 20)

static void
up_with_many_regions(void)
{
	static struct guest_region_spec many[MANY_REGIONS];
	struct fe_config config = one_pair;

	for (unsigned i = 0; i < MANY_REGIONS; i++)
		many[i] = (struct guest_region_spec) {
			.gpa = 2ull * i * MANY_REGION_BYTES, .size_bytes = MANY_REGION_BYTES,
		};
	config.regions = many;
	config.nregions = MANY_REGIONS;
	config.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				   1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS;
	up_with((struct backend_lacks) {0}, &config);
	CHECK(fe.protocol_features & 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	/* Buffers in the last one. */
	for (unsigned i = 0; i < MANY_REGIONS - 1; i++)
		fe.mem.regions[i].used_bytes = fe.mem.regions[i].size_bytes;
}

/* The words of a log line, while something is called. */
#define CHECK_SAID(call, expected, words) \
	do { \
		char *said_ = NULL; \
		size_t len_; \
		FILE *log_ = open_memstream(&said_, &len_); \
		int ret_; \
		bool found_; \
\
		rte_openlog_stream(log_); \
		ret_ = call; \
		rte_openlog_stream(NULL); \
		fclose(log_); \
		fputs(said_, stderr); \
		found_ = strstr(said_, words) != NULL; \
		free(said_); \
		CHECK_EQ(ret_, expected); \
		CHECK(found_); \
	} while (0)

static void
many_regions(void)
{
	struct guest guest;

	up_with_many_regions();
	guest_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	guest_send(&guest, 20);
	guest_receive_all(&guest);
	/* One that has no slots takes so many; the old one does not notice. */
	backend_start(&two, flow_path(), (struct backend_lacks) {
		.protocol_features = 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS});
	CHECK_SAID(vdpa_relay_move(RELAY, two.path), -E2BIG, "20 memory regions, it takes 8");
	guest_send(&guest, 20);
	guest_receive_all(&guest);
	CHECK_EQ(backend_devices(&one), 1);
	guest_fini(&guest);
}

/* Memory that comes while the device runs. */
static void
one_more_region(void)
{
	const struct guest_region_spec more = {.gpa = 1u << 30, .size_bytes = MANY_REGION_BYTES};
	struct guest_region *added;
	struct guest guest;

	up_with_many_regions();
	CHECK_EQ(guest_memory_add(&fe.mem, &more), 0);
	added = &fe.mem.regions[MANY_REGIONS];
	fe.mem.regions[MANY_REGIONS - 1].used_bytes = MANY_REGION_BYTES;
	CHECK_EQ(fe_add_mem_reg(&fe, added), 0);
	guest_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	guest_send(&guest, 20);
	guest_receive_all(&guest);
	CHECK(added->used_bytes != 0);
	guest_fini(&guest);
}

/* A guest is not told of what its first backend does not have. */
static void
no_slots(void)
{
	const uint64_t slots = 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS;
	struct guest guest;

	up_with((struct backend_lacks) {.protocol_features = slots}, &one_pair);
	CHECK_EQ(fe.protocol_offered & slots, 0);
	guest_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	guest_send(&guest, 20);
	guest_receive_all(&guest);
	guest_fini(&guest);
}

static struct chains queues[2];

static void
chains_up(struct backend_lacks lacks)
{
	up_with(lacks, &one_pair);
	for (unsigned i = 0; i < RTE_DIM(queues); i++)
		chains_init(&queues[i], &fe, i);
	backend_work(&one, BACKEND_LOAD);
}

static void
chains_down(void)
{
	CHECK(flow_wait_until(chains_all_done, queues, PATIENCE_MS));
	fprintf(tap.out, "# %lu chains came back\n", (unsigned long)chains_nr_done(queues));
}

static void
moved_under_load(void)
{
	chains_up((struct backend_lacks) {0});
	backend_start(&two, flow_path(), (struct backend_lacks) {0});
	backend_work(&two, BACKEND_LOAD);
	for (unsigned i = 0; i < 40; i++) {
		chains_work_until_done(queues, 500);
		CHECK_EQ(vdpa_relay_move(RELAY, i % 2 == 0 ? two.path : one.path), 0);
	}
	chains_work_until_done(queues, 500);
	chains_down();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(packets_come_back),
		FLOW_TEST(moved),
		FLOW_TEST(moved_under_load),
		FLOW_TEST(queues_that_come_later),
		FLOW_TEST(queues_that_were_on_before),
		FLOW_TEST(another_eventfd),
		FLOW_TEST(errors_are_heard),
		FLOW_TEST(many_regions),
		FLOW_TEST(one_more_region),
		FLOW_TEST(no_slots),
	};

	backend_process_main(argc, argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
