/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest whose device is a relay, and backends for it in processes of their own; the relay and its
 * frontend are in this one. Needs tap.h, so include it from one file of a program.
 */
#ifndef FLOW_RELAY_RIG_H
#define FLOW_RELAY_RIG_H

#include <sys/eventfd.h>

#include <rte_bus_vdev.h>
#include <rte_vdpa.h>
#include <vdpa_relay.h>

#include "backend_process.h"
#include "flow.h"
#include "guest_net.h"
#include "tap.h"

#define RELAY "vdpa_relay0"
#define RING_SIZE 64
#define PACKET_MAX_BYTES 1200
#define PATIENCE_MS 60000

static const struct backend_lacks lacks_nothing;
static struct backend one, two;
static struct frontend fe;
static struct {
	const char *path; /* of the guest's socket */
	bool plugged;
} rig;

static const struct guest_region_spec rig_regions[] = {
	{.gpa = 0, .size_bytes = 8u << 20, .mmap_offset_bytes = 4096},
	{.gpa = 1u << 30, .size_bytes = 1u << 20},
};

static const struct fe_config rig_one_pair = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_INDIRECT_DESC,
	.ring_size = RING_SIZE,
	.regions = rig_regions,
	.nregions = RTE_DIM(rig_regions),
};

/* --- the device ------------------------------------------------------------ */

static inline int
start_relayed(const char *p)
{
	struct rte_vdpa_device *dev = rte_vdpa_find_device_by_name(RELAY);

	return dev == NULL || rte_vhost_driver_attach_vdpa_device(p, dev) != 0 ? -1 :
		rte_vhost_driver_start(p);
}

/* A relay to `one`, and a socket for its guest. */
static inline void
rig_serve(struct backend_lacks lacks)
{
	char args[160];

	rec_reset();
	backend_start(&one, flow_path(), lacks);
	snprintf(args, sizeof(args), "socket=%s", one.path);
	CHECK_EQ(rte_vdev_init(RELAY, args), 0);
	rig.plugged = true;
	flow_start_driver = start_relayed;
	rig.path = flow_serve(0);
}

static inline void
rig_connect(void)
{
	CHECK_EQ(fe_connect(&fe, rig.path), 0);
	fe.use_ack = true;
}

static unsigned rig_devices_wanted;

static inline bool
rig_has_devices(void *arg)
{
	return backend_devices(arg) >= rig_devices_wanted;
}

/* Until it has got a device so often. */
static inline bool
rig_wait_device(struct backend *b, unsigned times)
{
	rig_devices_wanted = times;
	return flow_wait_until(rig_has_devices, b, PATIENCE_MS);
}

static inline void
rig_up(struct backend_lacks lacks, const struct fe_config *config)
{
	rig_serve(lacks);
	rig_connect();
	CHECK_EQ(fe_setup(&fe, config), 0);
	CHECK(rig_wait_device(&one, 1));
}

static inline void
rig_forget(struct backend *b)
{
	backend_kill(b);
	backend_forget(b);
}

static inline unsigned
count(const char *word)
{
	const char *at = rec_text();
	unsigned n = 0;

	while ((at = strstr(at, word)) != NULL)
		n++, at++;
	return n;
}

static inline bool
is_forgotten(void *arg)
{
	(void)arg;
	return count("-conn") == count("+conn");
}

static inline void
rig_disconnect(void)
{
	fe_close(&fe);
	RTE_VERIFY(flow_wait_until(is_forgotten, NULL, PATIENCE_MS));
}

static inline void
rig_setup(void)
{
	fe_init(&fe);
}

static inline void
rig_teardown(void)
{
	rig_disconnect();
	if (rig.path != NULL)
		flow_unserve(rig.path);
	rig.path = NULL;
	if (rig.plugged)
		RTE_VERIFY(rte_vdev_uninit(RELAY) == 0);
	rig.plugged = false;
	flow_start_driver = rte_vhost_driver_start;
	rig_forget(&one);
	rig_forget(&two);
	flow_teardown();
}

/* --- its guest ------------------------------------------------------------- */

/* Packets of a pattern, which come back in the order they went. */
struct pings {
	struct guest_tx tx;
	struct guest_rx rx;
	uint32_t nr_sent, nr_received;
};

static inline void
pings_init(struct pings *g, unsigned pair)
{
	*g = (struct pings) {0};
	guest_tx_init(&g->tx, &fe.vqs[2 * pair + 1], GUEST_NET_HDR_BYTES, 256u << 10);
	CHECK_EQ(guest_rx_init(&g->rx, &fe.vqs[2 * pair], GUEST_NET_HDR_BYTES, true, RING_SIZE,
			       512), 0);
	guest_rx_fill(&g->rx, RING_SIZE);
}

static inline void
pings_fini(struct pings *g)
{
	guest_rx_fini(&g->rx);
}

static inline uint32_t
pings_bytes(uint32_t number)
{
	return 60 + number * 37 % (PACKET_MAX_BYTES - 60);
}

static inline void
pings_send(struct pings *g, unsigned n)
{
	uint8_t data[PACKET_MAX_BYTES];

	CHECK(guest_tx_reap(&g->tx) >= 0);
	while (n-- > 0) {
		uint32_t bytes = pings_bytes(g->nr_sent);

		guest_pattern(g->nr_sent, data, bytes);
		CHECK(guest_tx_send(&g->tx, NULL, data, bytes) >= 0);
		g->nr_sent++;
	}
	guest_ring_kick(g->tx.vq);
}

static inline bool
pings_are_back(void *arg)
{
	uint8_t data[PACKET_MAX_BYTES], expected[PACKET_MAX_BYTES];
	struct guest_net_hdr hdr;
	struct pings *g = arg;
	int bytes;

	while ((bytes = guest_rx_recv(&g->rx, &hdr, data, sizeof(data), NULL)) >= 0) {
		CHECK(g->nr_received < g->nr_sent);
		CHECK_EQ(bytes, pings_bytes(g->nr_received));
		guest_pattern(g->nr_received++, expected, (uint32_t)bytes);
		CHECK(memcmp(data, expected, (size_t)bytes) == 0);
		guest_rx_fill(&g->rx, RING_SIZE);
	}
	CHECK_EQ(bytes, -EAGAIN);
	return g->nr_received == g->nr_sent;
}

static inline void
pings_receive_all(struct pings *g)
{
	CHECK(flow_wait_until(pings_are_back, g, PATIENCE_MS));
	CHECK_EQ(guest_tx_drain(&g->tx, PATIENCE_MS), 0);
}

/* An eventfd's count since the last look. */
static inline uint64_t
rig_events(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

#endif
