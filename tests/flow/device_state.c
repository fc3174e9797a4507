/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device's state goes from one backend to the next through SET_DEVICE_STATE_FD, and the guest
 * goes on there; and a frontend that names memory by guest addresses only.
 */
#include <errno.h>
#include <unistd.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define BURST 32
#define DATA_BYTES 300

static const struct fe_config config = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MTU,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
			     1u << FE_PROTOCOL_F_RARP | 1u << FE_PROTOCOL_F_NET_MTU |
			     1u << FE_PROTOCOL_F_GPA_ADDRESSES | 1u << FE_PROTOCOL_F_DEVICE_STATE,
	.ring_size = 64,
};

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_tx tx;
static struct guest_rx rx;
static uint8_t data[DATA_BYTES];

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(256, 2048);
	guest_pattern(1, data, sizeof(data));
}

static void
set_up_guest(void)
{
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 32, 1526), 0);
	guest_rx_fill(&rx, 32);
}

/* `n` packets from the guest and back to it. */
static void
round_trips(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint8_t got[DATA_BYTES + 64];
		struct rte_mbuf *pkts[BURST];
		struct guest_net_hdr hdr;
		unsigned int count;

		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
		count = rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST);
		CHECK_EQ(count, 1);
		CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, pkts, 1), 1);
		rte_pktmbuf_free(pkts[0]);
		CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), DATA_BYTES);
		CHECK(memcmp(got, data, sizeof(data)) == 0);
		guest_rx_fill(&rx, 32);
		CHECK_EQ(guest_tx_reap(&tx), 1);
	}
	CHECK_EQ(guest_tx_drain(&tx, 5000), 0);
}

/* Asks for a transfer; the descriptor that comes with the answer. */
static int
transfer(uint32_t direction)
{
	const uint32_t payload[2] = {direction, 0};
	struct fe_msg reply;
	int pipe_fds[2], fd = -1;

	CHECK_EQ(pipe(pipe_fds), 0);
	CHECK_EQ(fe_send(&flow.fe, FE_SET_DEVICE_STATE_FD, FE_FLAG_VERSION, payload,
			 sizeof(payload), &pipe_fds[direction == 0], 1),
		 0);
	CHECK_EQ(fe_recv(&flow.fe, &reply), 0);
	CHECK_EQ(reply.header.request, FE_SET_DEVICE_STATE_FD);
	CHECK_EQ(reply.header.size_bytes, 8);
	if (reply.u64 == 0) {
		CHECK_EQ(reply.nfds, 1);
		fd = reply.fds[0];
	} else {
		CHECK_EQ(reply.u64, 0x101);
		CHECK_EQ(reply.nfds, 0);
	}
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return fd;
}

static uint64_t
check_state(void)
{
	struct fe_msg reply;

	CHECK_EQ(fe_request(&flow.fe, FE_CHECK_DEVICE_STATE, NULL, 0, &reply), 0);
	return reply.u64;
}

static ssize_t
save(uint8_t *state, size_t room)
{
	int fd = transfer(0);
	ssize_t n = 0, more;

	CHECK(fd >= 0);
	while ((more = read(fd, state + n, room - (size_t)n)) > 0)
		n += more;
	CHECK_EQ(more, 0);
	close(fd);
	CHECK_EQ(check_state(), 0);
	return n;
}

/* The guest, its memory and its rings stay; only the backend is another. */
static void
moves_with_the_guest(void)
{
	static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 9};
	uint64_t agreed;
	struct rte_mbuf *pkts[BURST];
	uint8_t state[4096], again[4096];
	uint32_t bases[2], base;
	ssize_t size;
	uint16_t mtu;
	int fd;

	flow_up(&flow, 0, &config);
	set_up_guest();
	CHECK_EQ(fe_net_set_mtu(&flow.fe, 1400), 0);
	round_trips(100);
	CHECK_EQ(transfer(0), -1); /* queues run */
	CHECK_EQ(fe_send_rarp(&flow.fe, mac), 0);
	CHECK_EQ(fe_stop(&flow.fe, bases), 0);
	size = save(state, sizeof(state));
	CHECK(size > 0);
	agreed = flow.fe.features;
	fe_disconnect(&flow.fe);
	CHECK(rec_wait_tail("-conn"));
	flow_unserve(flow.path);

	flow.path = flow_serve(0);
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_negotiate(&flow.fe, &config), 0);
	CHECK_EQ(flow.fe.features, agreed);
	fd = transfer(1);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, state, (size_t)size), size);
	close(fd);
	CHECK_EQ(check_state(), 0);
	for (unsigned int q = 0; q < 2; q++) {
		CHECK_EQ(fe_get_vring_base(&flow.fe, q, &base), 0);
		CHECK_EQ(base, bases[q]);
	}
	CHECK_EQ(save(again, sizeof(again)), size);
	CHECK(memcmp(again, state, (size_t)size) == 0);
	CHECK_EQ(fe_start(&flow.fe, &config), 0);
	CHECK(rec_wait_tail("+dev"));
	flow.vid = rec_vid();
	CHECK_EQ(rte_vhost_get_mtu(flow.vid, &mtu), 0);
	CHECK_EQ(mtu, 1400);
	/* The packet that the backend before did not get to send. */
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, BURST), 1);
	CHECK(memcmp(rte_pktmbuf_mtod_offset(pkts[0], uint8_t *, 6), mac, 6) == 0);
	rte_pktmbuf_free(pkts[0]);
	round_trips(100);
	guest_rx_fini(&rx);
	flow_down(&flow);
	CHECK(flow_pool_full(pool));
}

/* Rings and regions by guest addresses: packets flow, memory is hot-plugged. */
static void
guest_addresses(void)
{
	uint64_t offered;

	flow.path = flow_serve(0);
	CHECK_EQ(rte_vhost_driver_get_protocol_features(flow.path, &offered), 0);
	CHECK((offered & 1u << FE_PROTOCOL_F_GPA_ADDRESSES) == 0);
	CHECK_EQ(rte_vhost_driver_set_protocol_features(
			 flow.path, offered | 1u << FE_PROTOCOL_F_GPA_ADDRESSES),
		 0);
	rec_reset();
	fe_init(&flow.fe);
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_setup(&flow.fe, &config), 0);
	CHECK((flow.fe.protocol_features & 1u << FE_PROTOCOL_F_GPA_ADDRESSES) != 0);
	CHECK(rec_wait_tail("+dev"));
	flow.vid = rec_vid();
	set_up_guest();
	round_trips(100);
	flow.fe.use_ack = true; /* a burst finds its queue held until it is done */
	CHECK_EQ(fe_set_mem_table(&flow.fe, &flow.fe.mem), 0);
	round_trips(100);
	guest_rx_fini(&rx);
	flow_down(&flow);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(moves_with_the_guest),
		FLOW_TEST(guest_addresses),
	};

	return flow_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]), setup, flow_teardown);
}
