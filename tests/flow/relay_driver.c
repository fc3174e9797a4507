/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver in drivers/: a guest's device is a relay to a backend in another process. What the
 * backend is told, and that it is exchanged for the next one while the guest works.
 */
#include <errno.h>

#include "flow_main.h"
#include "relay_rig.h"

/* Through the other process and back, and then the rings stand where the guest does. */
static void
packets_come_back(void)
{
	struct pings guest;
	uint32_t base;

	rig_up(lacks_nothing, &rig_one_pair);
	pings_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	for (unsigned i = 0; i < 20; i++) {
		pings_send(&guest, 1 + i);
		pings_receive_all(&guest);
	}
	backend_work(&one, BACKEND_IDLE);
	CHECK_EQ(fe_get_vring_base(&fe, 1, &base), 0);
	CHECK(flow_base_is(base, &fe.vqs[1]));
	pings_fini(&guest);
}

/* The next backend takes the rings where they stood. */
static void
moved(void)
{
	struct pings guest;

	rig_up(lacks_nothing, &rig_one_pair);
	pings_init(&guest, 0);
	backend_start(&two, flow_path(), lacks_nothing);
	backend_work(&one, BACKEND_ECHO);
	backend_work(&two, BACKEND_ECHO);
	for (unsigned i = 0; i < 10; i++) {
		pings_send(&guest, 20);
		pings_receive_all(&guest);
		(void)rig_events(fe.vqs[1].kickfd);
		CHECK_EQ(vdpa_relay_move(RELAY, i % 2 == 0 ? two.path : one.path), 0);
		/* Some start a ring when it is kicked. */
		CHECK(rig_events(fe.vqs[1].kickfd) != 0);
	}
	pings_fini(&guest);
}

static const struct fe_config two_pairs = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MQ,
	.nr_pairs = 2,
	.ring_size = RING_SIZE,
	.regions = rig_regions,
	.nregions = RTE_DIM(rig_regions),
};

/* As QEMU brings them up: when the first pair runs, the backend has the device. */
static void
queues_that_come_later(void)
{
	struct pings guests[2];

	rig_serve(lacks_nothing);
	rig_connect();
	CHECK_EQ(fe_negotiate(&fe, &two_pairs), 0);
	CHECK_EQ(fe_build(&fe, &two_pairs), 0);
	CHECK_EQ(fe_add_memory(&fe, &fe.mem), 0);
	backend_work(&one, BACKEND_ECHO);
	for (unsigned i = 0; i < fe.nr_vqs; i++) {
		CHECK_EQ(fe_start_vring(&fe, i), 0);
		CHECK_EQ(fe_set_vring_enable(&fe, i, true), 0);
		if (i % 2 == 0)
			continue;
		CHECK(rig_wait_device(&one, 1));
		pings_init(&guests[i / 2], i / 2);
		pings_send(&guests[i / 2], 10);
		pings_receive_all(&guests[i / 2]);
	}
	backend_start(&two, flow_path(), lacks_nothing);
	backend_work(&two, BACKEND_ECHO);
	CHECK_EQ(vdpa_relay_move(RELAY, two.path), 0);
	for (unsigned i = 0; i < RTE_DIM(guests); i++) {
		pings_send(&guests[i], 10);
		pings_receive_all(&guests[i]);
		pings_fini(&guests[i]);
	}
}

/* What the backend writes down has its room in advance. */
static void
larger_queues_that_come_later(void)
{
	struct pings guests[2];
	unsigned devices;

	rig_serve(lacks_nothing);
	rig_connect();
	CHECK_EQ(fe_negotiate(&fe, &two_pairs), 0);
	CHECK_EQ(fe_build(&fe, &two_pairs), 0);
	CHECK_EQ(fe_add_memory(&fe, &fe.mem), 0);
	backend_work(&one, BACKEND_ECHO);
	for (unsigned i = 0; i < fe.nr_vqs; i++) {
		if (i >= 2) {
			guest_ring_fini(&fe.vqs[i]);
			CHECK_EQ(guest_ring_init(&fe.vqs[i], flow_packed ? &guest_packed : &guest_split,
						 &fe.mem, 4096), 0);
		}
		CHECK_EQ(fe_start_vring(&fe, i), 0);
		CHECK_EQ(fe_set_vring_enable(&fe, i, true), 0);
	}
	for (unsigned i = 0; i < RTE_DIM(guests); i++)
		pings_init(&guests[i], i);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < RTE_DIM(guests); i++) {
			pings_send(&guests[i], 20);
			pings_receive_all(&guests[i]);
		}
		if (round != 0)
			break;
		devices = backend_devices(&one);
		backend_kill(&one);
		backend_start(&one, one.path, lacks_nothing);
		CHECK(rig_wait_device(&one, devices + 1));
	}
	for (unsigned i = 0; i < RTE_DIM(guests); i++)
		pings_fini(&guests[i]);
}

/* The next guest's queues are off until it says otherwise. */
static void
queues_that_were_on_before(void)
{
	struct fe_config config = two_pairs;
	struct pings guests[2];

	rig_up(lacks_nothing, &config);
	rig_disconnect();
	config.no_enable = true;
	rig_connect();
	CHECK_EQ(fe_setup(&fe, &config), 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(fe_set_vring_enable(&fe, i, true), 0);
	for (unsigned i = 0; i < RTE_DIM(guests); i++)
		pings_init(&guests[i], i);
	backend_work(&one, BACKEND_ECHO);
	pings_send(&guests[1], 10);
	/* Both pairs are looked at in turn. */
	for (unsigned i = 0; i < 10; i++) {
		pings_send(&guests[0], 10);
		pings_receive_all(&guests[0]);
	}
	CHECK_EQ(guest_ring_pending(&fe.vqs[2]), 0);
	for (unsigned i = 0; i < RTE_DIM(guests); i++)
		pings_fini(&guests[i]);
}

/* QEMU exchanges the one for calls when the guest masks an interrupt. */
static void
another_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct pings guest;

	rig_up(lacks_nothing, &rig_one_pair);
	pings_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	pings_send(&guest, 10);
	pings_receive_all(&guest);
	CHECK_EQ(fe_set_vring_call(&fe, 0, fd), 0);
	(void)guest_ring_calls(&fe.vqs[0]);
	(void)rig_events(fd);
	pings_send(&guest, 10);
	pings_receive_all(&guest);
	backend_work(&one, BACKEND_IDLE);
	CHECK(rig_events(fd) != 0);
	CHECK_EQ(guest_ring_calls(&fe.vqs[0]), 0);
	close(fd);
	pings_fini(&guest);
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

	rig_up(lacks_nothing, &rig_one_pair);
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
	struct fe_config config = rig_one_pair;

	for (unsigned i = 0; i < MANY_REGIONS; i++)
		many[i] = (struct guest_region_spec) {
			.gpa = 2ull * i * MANY_REGION_BYTES, .size_bytes = MANY_REGION_BYTES,
		};
	config.regions = many;
	config.nregions = MANY_REGIONS;
	config.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				   1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS;
	rig_up(lacks_nothing, &config);
	CHECK(fe.protocol_features & 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	/* Buffers in the last one. */
	for (unsigned i = 0; i < MANY_REGIONS - 1; i++)
		fe.mem.regions[i].used_bytes = fe.mem.regions[i].size_bytes;
}

static void
many_regions(void)
{
	struct pings guest;

	up_with_many_regions();
	pings_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	pings_send(&guest, 20);
	pings_receive_all(&guest);
	/* One that has no slots takes so many; the old one does not notice. */
	backend_start(&two, flow_path(), (struct backend_lacks) {
		.protocol_features = 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS});
	flow_listen();
	CHECK_EQ(vdpa_relay_move(RELAY, two.path), -E2BIG);
	CHECK(strstr(flow_heard(), "20 memory regions, it takes 8") != NULL);
	flow_listen_no_more();
	pings_send(&guest, 20);
	pings_receive_all(&guest);
	CHECK_EQ(backend_devices(&one), 1);
	pings_fini(&guest);
}

/* Memory that comes while the device runs. */
static void
one_more_region(void)
{
	const struct guest_region_spec more = {.gpa = 1u << 30, .size_bytes = MANY_REGION_BYTES};
	struct guest_region *added;
	struct pings guest;

	up_with_many_regions();
	CHECK_EQ(guest_memory_add(&fe.mem, &more), 0);
	added = &fe.mem.regions[MANY_REGIONS];
	fe.mem.regions[MANY_REGIONS - 1].used_bytes = MANY_REGION_BYTES;
	CHECK_EQ(fe_add_mem_reg(&fe, added), 0);
	pings_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	pings_send(&guest, 20);
	pings_receive_all(&guest);
	CHECK(added->used_bytes != 0);
	pings_fini(&guest);
}

/* A guest is not told of what its first backend does not have. */
static void
no_slots(void)
{
	const uint64_t slots = 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS;
	struct pings guest;

	rig_up((struct backend_lacks) {.protocol_features = slots}, &rig_one_pair);
	CHECK_EQ(fe.protocol_offered & slots, 0);
	pings_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	pings_send(&guest, 20);
	pings_receive_all(&guest);
	pings_fini(&guest);
}

/* The relay goes, and with it the connections of both sides. */
static void
removed_under_its_guest(void)
{
	struct pings guest;

	rig_up(lacks_nothing, &rig_one_pair);
	pings_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	pings_send(&guest, 10);
	pings_receive_all(&guest);
	CHECK_EQ(rte_vdev_uninit(RELAY), 0);
	rig.plugged = false;
	CHECK(fe_closed_by_backend(&fe, PATIENCE_MS));
	CHECK_EQ(vdpa_relay_move(RELAY, one.path), -EINVAL);
	pings_fini(&guest);
}

static bool
is_announced(void *arg)
{
	static const uint8_t rarp[] = {0x02, 1, 2, 3, 4, 5, 0x80, 0x35};
	struct pings *guest = arg;
	struct guest_net_hdr hdr;
	uint8_t frame[PACKET_MAX_BYTES];

	return guest_rx_recv(&guest->rx, &hdr, frame, sizeof(frame), NULL) > 0 &&
	       memcmp(frame + 6, rarp, sizeof(rarp)) == 0;
}

/* By the backend that has the guest, and by the next one: an echo, the guest hears of itself. */
static void
announced(void)
{
	static const uint8_t mac[6] = {0x02, 1, 2, 3, 4, 5};
	struct fe_config config = rig_one_pair;
	struct pings guest;

	config.protocol_features = 1u << FE_PROTOCOL_F_RARP | 1u << FE_PROTOCOL_F_REPLY_ACK;
	rig_up(lacks_nothing, &config);
	pings_init(&guest, 0);
	backend_start(&two, flow_path(), lacks_nothing);
	backend_work(&one, BACKEND_ECHO);
	backend_work(&two, BACKEND_ECHO);
	CHECK_EQ(fe_send_rarp(&fe, mac), 0);
	CHECK(flow_wait_until(is_announced, &guest, PATIENCE_MS));
	CHECK_EQ(vdpa_relay_move(RELAY, two.path), 0);
	CHECK(flow_wait_until(is_announced, &guest, PATIENCE_MS));
	pings_fini(&guest);
}

/* A second one on the same relay: what it does with its queues is no business of the first. */
static void
guest_that_is_refused(void)
{
	struct frontend other;
	struct pings guest;
	const char *second;
	unsigned devices;

	rig_up(lacks_nothing, &rig_one_pair);
	pings_init(&guest, 0);
	backend_work(&one, BACKEND_ECHO);
	second = flow_serve(0);
	fe_init(&other);
	CHECK_EQ(fe_connect(&other, second), 0);
	CHECK_EQ(fe_setup(&other, &rig_one_pair), 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(fe_set_vring_enable(&other, i, false), 0);
	CHECK_EQ(fe_sync(&other), 0);
	devices = backend_devices(&one);
	backend_kill(&one);
	backend_start(&one, one.path, lacks_nothing);
	CHECK(rig_wait_device(&one, devices + 1));
	pings_send(&guest, 20);
	pings_receive_all(&guest);
	pings_fini(&guest);
	fe_close(&other);
	flow_unserve(second);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(packets_come_back),
		FLOW_TEST(moved),
		FLOW_TEST(announced),
		FLOW_TEST(queues_that_come_later),
		FLOW_TEST(larger_queues_that_come_later),
		FLOW_TEST(queues_that_were_on_before),
		FLOW_TEST(guest_that_is_refused),
		FLOW_TEST(another_eventfd),
		FLOW_TEST(errors_are_heard),
		FLOW_TEST(many_regions),
		FLOW_TEST(one_more_region),
		FLOW_TEST(no_slots),
		FLOW_TEST(removed_under_its_guest),
	};

	backend_process_main(argc, argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), rig_setup, rig_teardown);
}
