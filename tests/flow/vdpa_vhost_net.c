/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vDPA device that is the kernel's vhost-net: packets between a guest's rings and the tap
 * interface, where the rings stand when it stops, the dirty log, errors. The kernel is the real one,
 * so this needs /dev/vhost-net and root: tests/guest/vhost_net.py has both in an emulated machine.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_vdpa.h>

#include "flow_main.h"
#include "footprint.h"
#include "guest_log.h"
#include "guest_net.h"
#include "guest_split.h"
#include "wire.h"

#define DEVICE "vdpa_vhost_net0"
#define IFACE "vng0"
#define FRAME_MAX 65535
#define WAIT_MS 20000
#define ARENA_BYTES (1u << 20)
#define RARP_ETHERTYPE 0x8035
#define LOGGED_BYTES (2ull << 30)

#define ALL_OFFLOADS                                                                          \
	(FE_F_CSUM | FE_F_GUEST_CSUM | FE_F_GUEST_TSO4 | FE_F_GUEST_TSO6 | FE_F_HOST_TSO4 | \
	 FE_F_HOST_TSO6)

static const struct fe_config usual = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_EVENT_IDX | FE_F_INDIRECT_DESC,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
			     1u << FE_PROTOCOL_F_LOG_SHMFD | 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS |
			     1u << FE_PROTOCOL_F_RARP,
	.ring_size = 64,
};

static const char *path;
static bool plugged;
static struct frontend fe;
static struct wire wire = {.fd = -1};
/* Of each pair. */
static struct pair {
	struct guest_rx rx;
	struct guest_tx tx;
} pairs[2];
static struct guest_log the_log;
static uint8_t sent[FRAME_MAX], got[FRAME_MAX];
static uint32_t seed;

static int
start_with_device(const char *socket)
{
	struct rte_vdpa_device *dev = rte_vdpa_find_device_by_name(DEVICE);

	CHECK(dev != NULL);
	CHECK_EQ(rte_vhost_driver_attach_vdpa_device(socket, dev), 0);
	return rte_vhost_driver_start(socket);
}

static void
plug(const char *args)
{
	if (access("/dev/vhost-net", R_OK | W_OK) < 0)
		tap_skip("no /dev/vhost-net");
	CHECK_EQ(rte_eal_hotplug_add("vdev", DEVICE, args), 0);
	plugged = true;
	flow_start_driver = start_with_device;
	path = flow_serve(0);
	CHECK_EQ(wire_open(&wire, IFACE, WIRE_ETHERTYPE), 0);
}

static void
ready(const struct fe_config *config, uint32_t rx_buffer_bytes)
{
	const unsigned hdr_bytes = guest_net_hdr_bytes(fe.features);

	for (unsigned i = 0; i < fe.nr_vqs / 2; i++) {
		guest_tx_init(&pairs[i].tx, &fe.vqs[2 * i + 1], hdr_bytes, ARENA_BYTES);
		CHECK_EQ(guest_rx_init(&pairs[i].rx, &fe.vqs[2 * i], hdr_bytes,
				       config->features & FE_F_MRG_RXBUF, 64, rx_buffer_bytes), 0);
	}
	fe.use_ack = true;
	/* Configured after the last message of fe_setup(). */
	CHECK_EQ(fe_sync(&fe), 0);
}

static void
unready(void)
{
	for (unsigned i = 0; i < RTE_DIM(pairs); i++)
		guest_rx_fini(&pairs[i].rx);
}

static void
guest_comes(const struct fe_config *config, uint32_t rx_buffer_bytes)
{
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, config), 0);
	ready(config, rx_buffer_bytes);
}

static void
guest_goes(void)
{
	unready();
	fe_close(&fe);
	CHECK(rec_wait_tail("-conn"));
}

static void
bring_up_with(const struct fe_config *config, uint32_t rx_buffer_bytes)
{
	plug("iface=" IFACE);
	guest_comes(config, rx_buffer_bytes);
}

static void
bring_up(void)
{
	bring_up_with(&usual, 2048);
}

static void
setup(void)
{
	rec_reset();
	fe_init(&fe);
}

static void
teardown(void)
{
	unready();
	guest_log_destroy(&the_log);
	fe_close(&fe);
	if (path != NULL)
		flow_unserve(path);
	path = NULL;
	wire_close(&wire);
	if (plugged)
		rte_eal_hotplug_remove("vdev", DEVICE);
	plugged = false;
	flow_start_driver = rte_vhost_driver_start;
	flow_teardown();
}

static uint32_t
some_bytes(void)
{
	return 60 + seed * 7919 % 1455;
}

/* The frame that was sent last comes out of the interface. */
static void
expect_on_wire(uint32_t bytes)
{
	CHECK_EQ(wire_recv(&wire, NULL, got, sizeof(got), WAIT_MS), bytes);
	CHECK_EQ(memcmp(got, sent, bytes), 0);
}

static void
send_from_guest(struct pair *p)
{
	const uint32_t bytes = some_bytes();

	wire_frame(++seed, sent, bytes);
	CHECK(guest_tx_send(&p->tx, NULL, sent, bytes) >= 0);
	guest_ring_kick(p->tx.vq);
	expect_on_wire(bytes);
	CHECK_EQ(guest_tx_drain(&p->tx, WAIT_MS), 0);
}

static bool
has_packet(void *arg)
{
	struct guest_ring *vq = arg;

	return guest_ring_pending(vq) != 0;
}

/* The frame that was sent last; in how many buffers. */
static unsigned
recv_in_guest(struct pair *p, struct guest_net_hdr *hdr, uint32_t bytes)
{
	unsigned nr_buffers = 0;

	CHECK(flow_wait_until(has_packet, p->rx.vq, WAIT_MS));
	CHECK_EQ(guest_rx_recv(&p->rx, hdr, got, sizeof(got), &nr_buffers), bytes);
	CHECK_EQ(memcmp(got, sent, bytes), 0);
	return nr_buffers;
}

static void
post_buffers(struct pair *p)
{
	guest_rx_fill(&p->rx, 16);
	guest_ring_kick(p->rx.vq);
}

static void
send_to_guest(struct pair *p)
{
	const uint32_t bytes = some_bytes();
	struct guest_net_hdr hdr;

	post_buffers(p);
	wire_frame(++seed, sent, bytes);
	CHECK_EQ(wire_send(&wire, NULL, sent, bytes), 0);
	recv_in_guest(p, &hdr, bytes);
	CHECK_EQ(hdr.gso_type, GUEST_NET_GSO_NONE);
}

static void
both_ways(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		send_from_guest(&pairs[0]);
		send_to_guest(&pairs[0]);
	}
}

/* --- what is there -------------------------------------------------------------- */

static void
arguments_are_checked(void)
{
	CHECK(rte_eal_hotplug_add("vdev", DEVICE, "") < 0);
	CHECK(rte_eal_hotplug_add("vdev", DEVICE, "iface=") < 0);
	CHECK(rte_eal_hotplug_add("vdev", DEVICE, "iface=a_name_that_is_too_long") < 0);
	CHECK(rte_eal_hotplug_add("vdev", DEVICE, "iface=" IFACE ",queues=0") < 0);
	CHECK(rte_eal_hotplug_add("vdev", DEVICE, "iface=" IFACE ",queues=129") < 0);
	CHECK(rte_eal_hotplug_add("vdev", DEVICE, "iface=" IFACE ",queues=2x") < 0);
	CHECK(rte_eal_hotplug_add("vdev", DEVICE, "iface=" IFACE ",colour=red") < 0);
	CHECK(rte_vdpa_find_device_by_name(DEVICE) == NULL);
}

/* Said, and nothing is left of it. */
static void
missing_device(void)
{
	unsigned fds = footprint_fds();

	if (access("/dev/vhost-net", F_OK) == 0)
		return;
	CHECK(rte_eal_hotplug_add("vdev", DEVICE, "iface=" IFACE) < 0);
	CHECK(rte_vdpa_find_device_by_name(DEVICE) == NULL);
	CHECK_EQ(footprint_fds(), fds);
}

static void
capabilities(void)
{
	uint64_t protocol, nr_pairs;

	bring_up();
	CHECK((fe.offered & usual.features) == usual.features);
	CHECK((fe.offered & ALL_OFFLOADS) == ALL_OFFLOADS);
	CHECK((fe.offered & FE_F_LOG_ALL) != 0);
	CHECK_EQ(fe.offered & (FE_F_MQ | FE_F_RING_PACKED | FE_F_ACCESS_PLATFORM), 0);
	CHECK_EQ(fe_get_protocol_features(&fe, &protocol), 0);
	CHECK_EQ(protocol & (1u << FE_PROTOCOL_F_INFLIGHT_SHMFD | 1u << FE_PROTOCOL_F_PAGEFAULT), 0);
	CHECK_EQ(fe_get_queue_num(&fe, &nr_pairs), 0);
	CHECK_EQ(nr_pairs, 1);
}

/* --- packets ------------------------------------------------------------------------ */

static void
packets_from_the_guest(void)
{
	bring_up();
	for (unsigned i = 0; i < 200; i++) {
		const uint32_t bytes = some_bytes();
		const uint32_t cuts[] = {seed % 13 + 1, seed % 57 + 1, 1, seed % 500 + 1};

		fe.vqs[1].indirect = i % 2 != 0;
		wire_frame(++seed, sent, bytes);
		CHECK(guest_tx_post(&pairs[0].tx, NULL, sent, bytes, cuts, i % 5) >= 0);
		guest_ring_kick(pairs[0].tx.vq);
		expect_on_wire(bytes);
		CHECK_EQ(guest_tx_drain(&pairs[0].tx, WAIT_MS), 0);
	}
}

static void
packets_to_the_guest(void)
{
	bring_up();
	for (unsigned i = 0; i < 200; i++) {
		fe.vqs[0].indirect = i % 2 != 0;
		pairs[0].rx.piece_bytes = i % 3 == 0 ? 100 : 0;
		send_to_guest(&pairs[0]);
	}
	CHECK(guest_rx_guards_intact(&pairs[0].rx));
}

/* A header of ten bytes, one buffer a packet. */
static void
guest_of_the_first_days(void)
{
	const struct fe_config config = {
		.features = 0, .protocol_features = usual.protocol_features, .ring_size = 64,
	};

	bring_up_with(&config, 2048);
	CHECK_EQ(pairs[0].rx.hdr_bytes, GUEST_NET_LEGACY_HDR_BYTES);
	both_ways(20);
}

/* What is left to do with a large one of TCP. */
static const struct guest_net_hdr large = {
	.flags = GUEST_NET_NEEDS_CSUM, .gso_type = GUEST_NET_GSO_TCPV4, .hdr_len = 54,
	.gso_size = 1400, .csum_start = 34, .csum_offset = 16,
};
#define LARGE_BYTES 20000

static void
make_large(void)
{
	/* Version and length of an IP header; the protocol, TCP; the length of its header. */
	static const struct { uint8_t at, value; } tcp[] = {
		{12, 0x08}, {13, 0x00}, {14, 0x45}, {23, 6}, {46, 0x50},
		{16, (LARGE_BYTES - WIRE_ETH_BYTES) >> 8}, {17, (LARGE_BYTES - WIRE_ETH_BYTES) & 0xff},
	};

	wire_frame(++seed, sent, LARGE_BYTES);
	memset(sent + WIRE_ETH_BYTES, 0, 40);
	for (unsigned i = 0; i < RTE_DIM(tcp); i++)
		sent[tcp[i].at] = tcp[i].value;
	wire_close(&wire);
	CHECK_EQ(wire_open(&wire, IFACE, 0x0800), 0);
}

/* Larger than any buffer, and not cut on the way. */
static void
large_packets_are_left_whole(void)
{
	struct fe_config config = usual;
	struct guest_net_hdr seen = {0};

	config.features |= ALL_OFFLOADS;
	bring_up_with(&config, 2048);
	make_large();
	CHECK(guest_tx_send(&pairs[0].tx, &large, sent, LARGE_BYTES) >= 0);
	guest_ring_kick(pairs[0].tx.vq);
	CHECK_EQ(wire_recv(&wire, &seen, got, sizeof(got), WAIT_MS), LARGE_BYTES);
	CHECK_EQ(memcmp(got, sent, LARGE_BYTES), 0);
	CHECK_EQ(seen.gso_type, GUEST_NET_GSO_TCPV4);
	CHECK_EQ(seen.gso_size, large.gso_size);
	CHECK_EQ(guest_tx_drain(&pairs[0].tx, WAIT_MS), 0);

	post_buffers(&pairs[0]);
	CHECK_EQ(wire_send(&wire, &large, sent, LARGE_BYTES), 0);
	CHECK_EQ(recv_in_guest(&pairs[0], &seen, LARGE_BYTES), LARGE_BYTES / 2036 + 1);
	CHECK_EQ(seen.gso_type, GUEST_NET_GSO_TCPV4);
	CHECK_EQ(seen.gso_size, large.gso_size);
}

/* They waited for one who could do that. */
static void
next_guest_gets_no_large_packets(void)
{
	struct fe_config config = usual;

	config.features |= ALL_OFFLOADS;
	bring_up_with(&config, 2048);
	make_large();
	/* No buffers: it stays where it is. */
	CHECK_EQ(wire_send(&wire, &large, sent, LARGE_BYTES), 0);
	guest_goes();
	wire_close(&wire);
	CHECK_EQ(wire_open(&wire, IFACE, WIRE_ETHERTYPE), 0);
	guest_comes(&usual, 2048);
	both_ways(5);
}

/* What comes from the network goes to the pair that the guest has last answered on. */
static void
two_pairs(void)
{
	struct fe_config config = usual;

	config.features |= FE_F_MQ;
	config.nr_pairs = 2;
	plug("iface=" IFACE ",queues=2");
	guest_comes(&config, 2048);
	CHECK(fe.offered & FE_F_MQ);
	for (unsigned i = 0; i < 50; i++) {
		send_from_guest(&pairs[i % 2]);
		send_to_guest(&pairs[i % 2]);
	}
	/* The guest uses one of them only. */
	for (unsigned ring = 2; ring < 4; ring++)
		CHECK_EQ(fe_set_vring_enable(&fe, ring, false), 0);
	both_ways(10);
	for (unsigned ring = 2; ring < 4; ring++)
		CHECK_EQ(fe_set_vring_enable(&fe, ring, true), 0);
	send_from_guest(&pairs[1]);
	send_to_guest(&pairs[1]);
}

/* --- it stops and goes on ------------------------------------------------------------- */

/* All rings, where the driver is. */
static void
stop_here(void)
{
	uint32_t bases[2];

	CHECK_EQ(fe_stop(&fe, bases), 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK(flow_base_is(bases[i], &fe.vqs[i]));
}

static void
stop_and_go_on(void)
{
	bring_up();
	for (unsigned round = 0; round < 5; round++) {
		both_ways(10);
		stop_here();
		/* What comes meanwhile waits. */
		wire_frame(++seed, sent, 200);
		CHECK(guest_tx_send(&pairs[0].tx, NULL, sent, 200) >= 0);
		CHECK_EQ(fe_start(&fe, &usual), 0);
		expect_on_wire(200);
		CHECK_EQ(guest_tx_drain(&pairs[0].tx, WAIT_MS), 0);
	}
	both_ways(10);
}

static void
one_ring_goes_down(void)
{
	bring_up();
	both_ways(5);
	CHECK_EQ(fe_set_vring_enable(&fe, 0, false), 0);
	for (unsigned i = 0; i < 5; i++)
		send_from_guest(&pairs[0]);
	CHECK_EQ(fe_set_vring_enable(&fe, 0, true), 0);
	both_ways(5);
}

/* A region of its own at `gib` GiB, which the kernel is stopped for. */
static const struct guest_region *
add_memory(unsigned gib)
{
	const struct guest_region_spec spec = {.gpa = (uint64_t)gib << 30, .size_bytes = 1u << 20};

	CHECK_EQ(guest_memory_add(&fe.mem, &spec), 0);
	CHECK_EQ(fe_add_mem_reg(&fe, &fe.mem.regions[fe.mem.nregions - 1]), 0);
	return &fe.mem.regions[fe.mem.nregions - 1];
}

static void
memory_changes_under_it(void)
{
	bring_up();
	for (unsigned round = 1; round <= 5; round++) {
		const struct guest_region *more = add_memory(round);
		const uint32_t bytes = some_bytes();
		struct guest_seg seg = {more->gpa, pairs[0].tx.hdr_bytes + bytes, 0};
		struct guest_used used;

		both_ways(5);
		wire_frame(++seed, sent, bytes);
		memcpy(more->local + pairs[0].tx.hdr_bytes, sent, bytes);
		CHECK(guest_ring_post(&fe.vqs[1], &seg, 1, NULL) >= 0);
		guest_ring_kick(&fe.vqs[1]);
		expect_on_wire(bytes);
		CHECK(guest_ring_wait(&fe.vqs[1], &used, NULL, WAIT_MS));
		if (round % 2 != 0)
			CHECK_EQ(fe_rem_mem_reg(&fe, more), 0);
		both_ways(5);
	}
}

static void
frontends_come_and_go(void)
{
	struct footprint before = {0}, after;

	plug("iface=" IFACE);
	for (unsigned round = 0; round < 40; round++) {
		guest_comes(&usual, 2048);
		both_ways(2);
		/* In the middle of it. */
		if (round % 2 != 0)
			CHECK_EQ(fe_stop(&fe, NULL), 0);
		guest_goes();
		rec_reset();
		if (round == 19)
			before = footprint();
	}
	after = footprint();
	/* The allocator still learns what it has to keep. */
	footprint_check(&before, &after, 20 * 512);
}

/* The kernel lets go of the guest before the device is gone, and the interface goes with it. */
static void
device_goes_under_a_guest(void)
{
	const unsigned fds = footprint_fds();

	for (unsigned round = 0; round < 3; round++) {
		bring_up();
		both_ways(5);
		wire_close(&wire);
		plugged = false;
		CHECK_EQ(rte_eal_hotplug_remove("vdev", DEVICE), 0);
		CHECK_EQ(if_nametoindex(IFACE), 0);
		CHECK(fe_closed_by_backend(&fe, WAIT_MS));
		CHECK(rec_wait_tail("-conn"));
		unready();
		fe_close(&fe);
		flow_unserve(path);
		path = NULL;
	}
	CHECK_EQ(footprint_fds(), fds);
}

static void
one_guest_at_a_time(void)
{
	const char *second;
	struct frontend other;

	bring_up();
	second = flow_serve(0);
	fe_init(&other);
	CHECK_EQ(fe_connect(&other, second), 0);
	(void)fe_setup(&other, &usual);
	(void)fe_sync(&other);
	both_ways(5);
	fe_close(&other);
	flow_unserve(second);
	both_ways(5);
}

static bool
has_fds(void *arg)
{
	return footprint_fds() == *(unsigned *)arg;
}

/* It may hang up anywhere; what it had said is forgotten. */
static void
frontend_goes_during_its_setup(void)
{
	unsigned fds;

	plug("iface=" IFACE);
	fds = footprint_fds();
	for (unsigned steps = 0; steps < 8; steps++) {
		CHECK_EQ(fe_connect(&fe, path), 0);
		CHECK_EQ(fe_negotiate(&fe, &usual), 0);
		CHECK_EQ(fe_build(&fe, &usual), 0);
		if (steps > 0)
			CHECK_EQ(fe_add_memory(&fe, &fe.mem), 0);
		for (unsigned i = 0; i < 2 && i + 1 < steps; i++)
			CHECK_EQ(fe_start_vring(&fe, i), 0);
		for (unsigned i = 0; i < 2 && i + 3 < steps; i++)
			CHECK_EQ(fe_set_vring_enable(&fe, 1 - i, true), 0);
		for (unsigned i = 0; i < 2 && i + 5 < steps; i++)
			CHECK_EQ(fe_get_vring_base(&fe, i, &(uint32_t){0}), 0);
		CHECK_EQ(fe_sync(&fe), 0);
		fe_close(&fe);
		CHECK(rec_wait_tail("-conn"));
		rec_reset();
	}
	CHECK(flow_wait_until(has_fds, &fds, WAIT_MS));
	guest_comes(&usual, 2048);
	both_ways(5);
}

static void
next_guest_has_fewer_pairs(void)
{
	struct fe_config config = usual;

	config.features |= FE_F_MQ;
	config.nr_pairs = 2;
	plug("iface=" IFACE ",queues=2");
	guest_comes(&config, 2048);
	both_ways(2);
	guest_goes();
	guest_comes(&usual, 2048);
	both_ways(5);
}

/* It was refused while the device had another one. */
static void
guest_that_waited(void)
{
	const char *second;
	struct frontend other;

	plug("iface=" IFACE);
	second = flow_serve(0);
	fe_init(&other);
	CHECK_EQ(fe_connect(&other, second), 0);
	CHECK_EQ(fe_setup(&other, &usual), 0);
	CHECK_EQ(fe_sync(&other), 0);
	guest_comes(&usual, 2048);
	CHECK_EQ(fe_stop(&other, NULL), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	both_ways(5);
	fe_close(&other);
	flow_unserve(second);
	both_ways(5);
}

/* What is agreed on may make no sense. */
static void
odd_features(void)
{
	static const uint64_t odd[] = {
		FE_F_MRG_RXBUF,
		FE_F_VERSION_1,
		FE_F_VERSION_1 | FE_F_GUEST_ECN | FE_F_HOST_ECN,
		FE_F_VERSION_1 | FE_F_GUEST_TSO4 | FE_F_HOST_TSO6,
		FE_F_MRG_RXBUF | FE_F_GUEST_CSUM | FE_F_GUEST_ECN | FE_F_GUEST_UFO,
		FE_F_GUEST_USO4 | FE_F_GUEST_USO6 | FE_F_HOST_USO,
		UINT64_MAX & ~(FE_F_LOG_ALL | FE_F_RING_PACKED | FE_F_ACCESS_PLATFORM),
		FE_F_LOG_ALL | FE_F_VERSION_1,
	};

	plug("iface=" IFACE);
	for (unsigned i = 0; i < RTE_DIM(odd); i++) {
		struct fe_config config = usual;

		config.features = odd[i];
		guest_comes(&config, 2048);
		both_ways(3);
		guest_goes();
		rec_reset();
	}
}

static void
large_and_small_rings(void)
{
	static const uint16_t sizes[] = {32768, 2, 1024};

	plug("iface=" IFACE);
	for (unsigned i = 0; i < RTE_DIM(sizes); i++) {
		struct fe_config config = usual;

		config.ring_size = sizes[i];
		guest_comes(&config, 2048);
		both_ways(10);
		guest_goes();
		rec_reset();
	}
}

/* Rings are switched on and off, and get other eventfds, in any order. */
static void
odd_orders(void)
{
	struct fe_config config = usual;
	bool on[4] = {true, true, true, true};
	uint32_t random = 1;

	config.features |= FE_F_MQ;
	config.nr_pairs = 2;
	plug("iface=" IFACE ",queues=2");
	guest_comes(&config, 2048);
	for (unsigned round = 0; round < 300; round++) {
		const unsigned ring = (random = random * 1664525 + 1013904223) >> 30;
		struct guest_ring *vq = &fe.vqs[ring];
		uint32_t base;

		switch (random >> 26 & 7) {
		case 0:
			CHECK_EQ(fe_set_vring_call(&fe, ring, vq->callfd), 0);
			break;
		case 1:
			CHECK_EQ(fe_set_vring_call(&fe, ring, -1), 0);
			break;
		case 2:
			CHECK_EQ(fe_set_vring_err(&fe, ring, random >> 20 & 1 ? vq->errfd : -1), 0);
			break;
		case 3:
			CHECK_EQ(fe_set_vring_kick(&fe, ring, vq->kickfd), 0);
			break;
		case 4:
			/* Without the first two the device does not start. */
			if (!on[0] || !on[1])
				continue;
			CHECK_EQ(fe_get_vring_base(&fe, ring, &base), 0);
			CHECK(flow_base_is(base, vq));
			CHECK_EQ(fe_start_vring(&fe, ring), 0);
			break;
		default:
			on[ring] = !on[ring];
			CHECK_EQ(fe_set_vring_enable(&fe, ring, on[ring]), 0);
		}
		for (unsigned i = 0; i < 2; i++)
			if (on[2 * i + 1])
				send_from_guest(&pairs[i]);
		if (on[0] && on[1] && !on[2] && !on[3])
			send_to_guest(&pairs[0]);
		if (on[2] && on[3] && !on[0] && !on[1])
			send_to_guest(&pairs[1]);
	}
}

/* Nobody would tell the kernel of what comes into it: the ring is off, all of it. */
static void
ring_without_a_kick(void)
{
	bring_up();
	both_ways(2);
	wire_frame(++seed, sent, 200);
	CHECK(guest_tx_send(&pairs[0].tx, NULL, sent, 200) >= 0);
	CHECK_EQ(fe_set_vring_kick(&fe, 1, -1), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(wire_recv(&wire, NULL, got, sizeof(got), 500), -EAGAIN);
	CHECK_EQ(fe_set_vring_kick(&fe, 1, fe.vqs[1].kickfd), 0);
	expect_on_wire(200);
	CHECK_EQ(guest_tx_drain(&pairs[0].tx, WAIT_MS), 0);
	both_ways(5);
}

static void
rings_lose_their_memory(void)
{
	bring_up();
	for (unsigned round = 0; round < 3; round++) {
		both_ways(3);
		CHECK_EQ(fe_rem_mem_reg(&fe, &fe.mem.regions[0]), 0);
		CHECK_EQ(fe_sync(&fe), 0);
		CHECK_EQ(fe_add_mem_reg(&fe, &fe.mem.regions[0]), 0);
	}
	both_ways(3);
}

/* With all that is in it. */
static void
move_ring(unsigned ring)
{
	struct guest_ring *vq = &fe.vqs[ring];
	struct {
		uint64_t *gpa, size_bytes, from;
	} areas[] = {
		{&vq->desc_gpa, 16u * vq->size, vq->desc_gpa},
		{&vq->avail_gpa, 6 + 2u * vq->size, vq->avail_gpa},
		{&vq->used_gpa, 6 + 8u * vq->size, vq->used_gpa},
	};

	for (unsigned i = 0; i < RTE_DIM(areas); i++) {
		*areas[i].gpa = guest_alloc(&fe.mem, areas[i].size_bytes, 16);
		guest_write(&fe.mem, *areas[i].gpa,
			    guest_ptr(&fe.mem, areas[i].from, areas[i].size_bytes),
			    areas[i].size_bytes);
	}
	guest_ring_rebind(vq, &fe.mem);
	CHECK_EQ(fe_set_vring_addr(&fe, &(struct fe_vring_addr) {
		.index = ring,
		.desc_uva = guest_uva(&fe.mem, vq->desc_gpa),
		.used_uva = guest_uva(&fe.mem, vq->used_gpa),
		.avail_uva = guest_uva(&fe.mem, vq->avail_gpa),
	}), 0);
	for (unsigned i = 0; i < RTE_DIM(areas); i++)
		guest_fill(&fe.mem, areas[i].from, 0xff, areas[i].size_bytes);
}

static void
rings_move(void)
{
	bring_up();
	for (unsigned round = 0; round < 3; round++) {
		both_ways(3);
		move_ring(round % 2);
	}
	both_ways(3);
}

static void
device_is_reset(void)
{
	struct fe_config config = usual;

	config.protocol_features |= 1u << FE_PROTOCOL_F_RESET_DEVICE;
	bring_up_with(&config, 2048);
	for (unsigned round = 0; round < 3; round++) {
		both_ways(3);
		CHECK_EQ(fe_reset_device(&fe), 0);
		CHECK_EQ(fe_set_features(&fe, fe.features), 0);
		for (unsigned i = 0; i < 2; i++)
			CHECK_EQ(fe_start_vring(&fe, i), 0);
		for (unsigned i = 0; i < 2; i++)
			CHECK_EQ(fe_set_vring_enable(&fe, i, true), 0);
	}
	both_ways(3);
}

/* More than the kernel takes, which is 64 unless it was told otherwise. */
static void
too_many_regions(void)
{
	struct guest_region more[80];

	bring_up();
	for (unsigned i = 0; i < RTE_DIM(more); i++) {
		more[i] = fe.mem.regions[0];
		more[i].gpa = (uint64_t)(i + 1) << 30;
		more[i].uva += more[i].gpa;
		CHECK_EQ(fe_add_mem_reg(&fe, &more[i]), 0);
	}
	for (unsigned i = 0; i < RTE_DIM(more); i++)
		CHECK_EQ(fe_rem_mem_reg(&fe, &more[i]), 0);
	both_ways(5);
}

static void
interface_goes_down_and_up(void)
{
	bring_up();
	both_ways(5);
	CHECK_EQ(system("ip link set " IFACE " down"), 0);
	wire_frame(++seed, sent, 200);
	CHECK(guest_tx_send(&pairs[0].tx, NULL, sent, 200) >= 0);
	guest_ring_kick(pairs[0].tx.vq);
	CHECK_EQ(guest_tx_drain(&pairs[0].tx, WAIT_MS), 0);
	wire_close(&wire);
	CHECK_EQ(wire_open(&wire, IFACE, WIRE_ETHERTYPE), 0);
	both_ways(5);
}

static void
interface_is_deleted(void)
{
	bring_up();
	both_ways(5);
	wire_close(&wire);
	CHECK_EQ(system("ip link del " IFACE), 0);
	wire_frame(++seed, sent, 200);
	CHECK(guest_tx_send(&pairs[0].tx, NULL, sent, 200) >= 0);
	guest_ring_kick(pairs[0].tx.vq);
	/* Made again for a guest that starts again, but down. */
	CHECK_EQ(fe_stop(&fe, NULL), 0);
	CHECK_EQ(fe_start(&fe, &usual), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(guest_tx_drain(&pairs[0].tx, WAIT_MS), 0);
	CHECK_EQ(wire_open(&wire, IFACE, WIRE_ETHERTYPE), 0);
	both_ways(5);
}

/* --- migration, errors ------------------------------------------------------------------ */

static bool
log_is_true(void *arg)
{
	return guest_log_lies(arg, &fe.mem) == 0;
}

/* The kernel marks what it has written after it has shown it. */
static void
check_log(void)
{
	CHECK(flow_wait_until(log_is_true, &the_log, WAIT_MS));
	CHECK(guest_log_count(&the_log) != 0);
}

/* From here on the driver writes nothing; both directions have something to do. */
static void
traffic_to_log(void)
{
	uint32_t bytes = some_bytes();

	post_buffers(&pairs[0]);
	wire_frame(++seed, sent, bytes);
	CHECK(guest_tx_send(&pairs[0].tx, NULL, sent, bytes) >= 0);
	guest_log_snapshot(&the_log, &fe);
	CHECK_EQ(eventfd_write(pairs[0].tx.vq->kickfd, 1), 0);
	expect_on_wire(bytes);
	CHECK_EQ(guest_tx_drain(&pairs[0].tx, WAIT_MS), 0);
	for (unsigned i = 0; i < 4; i++) {
		struct guest_net_hdr hdr;

		bytes = some_bytes();
		wire_frame(++seed, sent, bytes);
		CHECK_EQ(wire_send(&wire, NULL, sent, bytes), 0);
		recv_in_guest(&pairs[0], &hdr, bytes);
	}
}

static void
migration(void)
{
	struct guest_log first;

	bring_up();
	both_ways(5);
	CHECK_EQ(guest_log_create(&the_log, LOGGED_BYTES, 0), 0);
	CHECK_EQ(guest_log_start(&the_log, &fe), 0);
	for (unsigned round = 0; round < 10; round++) {
		traffic_to_log();
		check_log();
	}
	/* The kernel is stopped for other memory, and starts with the log. */
	add_memory(1);
	traffic_to_log();
	check_log();
	/* Another one: the kernel leaves the first one alone. */
	first = the_log;
	the_log = (struct guest_log){0};
	memset(first.file, 0, first.file_bytes);
	CHECK_EQ(guest_log_create(&the_log, LOGGED_BYTES, 4096), 0);
	CHECK_EQ(fe_set_log_base(&fe, the_log.fd, the_log.size_bytes, the_log.offset_bytes), 0);
	traffic_to_log();
	check_log();
	CHECK_EQ(guest_log_count(&first), 0);
	guest_log_destroy(&first);
	/* Where the rings stand is as true as ever. */
	CHECK_EQ(guest_log_stop(&fe), 0);
	traffic_to_log();
	CHECK_EQ(guest_log_count(&the_log), 0);
	stop_here();
}

/* It stops in the middle of a migration, which is how the first half of one ends. */
static void
migration_ends_in_a_stop(void)
{
	bring_up();
	CHECK_EQ(guest_log_create(&the_log, LOGGED_BYTES, 0), 0);
	CHECK_EQ(guest_log_start(&the_log, &fe), 0);
	traffic_to_log();
	stop_here();
	CHECK_EQ(guest_log_lies(&the_log, &fe.mem), 0);
	CHECK_EQ(guest_log_stop(&fe), 0);
	CHECK_EQ(fe_start(&fe, &usual), 0);
	traffic_to_log();
	CHECK_EQ(guest_log_count(&the_log), 0);
}

/* The second half: the network hears where the guest is. */
static void
migration_is_announced(void)
{
	static const uint8_t mac[6] = {0x02, 1, 2, 3, 4, 5};
	static const uint8_t rarp[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 1, 2, 3, 4, 5, 0x80, 0x35, 0, 1, 0x08, 0, 6, 4,
		0, 3, 0x02, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0x02, 1, 2, 3, 4, 5, 0, 0, 0, 0,
	};

	bring_up();
	CHECK(fe.protocol_features & 1u << FE_PROTOCOL_F_RARP);
	wire_close(&wire);
	CHECK_EQ(wire_open(&wire, IFACE, RARP_ETHERTYPE), 0);
	CHECK_EQ(fe_send_rarp(&fe, mac), 0);
	CHECK_EQ(wire_recv(&wire, NULL, got, sizeof(got), WAIT_MS), 60);
	CHECK_EQ(memcmp(got, rarp, sizeof(rarp)), 0);
}

static bool
has_errors(void *arg)
{
	return guest_ring_errors(arg) != 0;
}

static void
errors_reach_the_frontend(void)
{
	bring_up();
	both_ways(5);
	CHECK(!has_errors(&fe.vqs[1]));
	/* More chains than the ring has places. */
	guest_split_raw_avail_idx(&fe.vqs[1], (uint16_t)(fe.vqs[1].avail_idx + 1000));
	CHECK_EQ(eventfd_write(fe.vqs[1].kickfd, 1), 0);
	CHECK(flow_wait_until(has_errors, &fe.vqs[1], WAIT_MS));
	CHECK(!has_errors(&fe.vqs[0]));
	send_to_guest(&pairs[0]);
}

/* On a ring that runs. */
static void
errors_go_where_the_frontend_says_last(void)
{
	struct guest_ring *vq;
	int first;

	bring_up();
	vq = &fe.vqs[1];
	first = vq->errfd;
	vq->errfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK_EQ(fe_set_vring_err(&fe, 1, vq->errfd), 0);
	close(first);
	both_ways(5);
	guest_split_raw_avail_idx(vq, (uint16_t)(vq->avail_idx + 1000));
	CHECK_EQ(eventfd_write(vq->kickfd, 1), 0);
	CHECK(flow_wait_until(has_errors, vq, WAIT_MS));
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(arguments_are_checked),
		FLOW_TEST(missing_device),
		FLOW_TEST(capabilities),
		FLOW_TEST(packets_from_the_guest),
		FLOW_TEST(packets_to_the_guest),
		FLOW_TEST(guest_of_the_first_days),
		FLOW_TEST(large_packets_are_left_whole),
		FLOW_TEST(next_guest_gets_no_large_packets),
		FLOW_TEST(two_pairs),
		FLOW_TEST(stop_and_go_on),
		FLOW_TEST(one_ring_goes_down),
		FLOW_TEST(memory_changes_under_it),
		FLOW_TEST(frontends_come_and_go),
		FLOW_TEST(frontend_goes_during_its_setup),
		FLOW_TEST(next_guest_has_fewer_pairs),
		FLOW_TEST(guest_that_waited),
		FLOW_TEST(odd_features),
		FLOW_TEST(large_and_small_rings),
		FLOW_TEST(odd_orders),
		FLOW_TEST(ring_without_a_kick),
		FLOW_TEST(rings_lose_their_memory),
		FLOW_TEST(rings_move),
		FLOW_TEST(device_is_reset),
		FLOW_TEST(too_many_regions),
		FLOW_TEST(interface_goes_down_and_up),
		FLOW_TEST(interface_is_deleted),
		FLOW_TEST(device_goes_under_a_guest),
		FLOW_TEST(one_guest_at_a_time),
		FLOW_TEST(migration),
		FLOW_TEST(migration_ends_in_a_stop),
		FLOW_TEST(migration_is_announced),
		FLOW_TEST(errors_reach_the_frontend),
		FLOW_TEST(errors_go_where_the_frontend_says_last),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, teardown);
}
