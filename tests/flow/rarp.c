/* SPDX-License-Identifier: BSD-3-Clause */
/* SEND_RARP: the packet that announces a guest, put before what the guest sends. */
#include <pthread.h>
#include <unistd.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define BURST 32
#define RARP_BYTES 64 /* what DPDK makes */

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_tx tx;
static uint8_t data[60];

/* Old bytes in every mbuf: the padding must not carry them away. */
static void
soil(struct rte_mempool *p)
{
	struct rte_mbuf *all[64];

	CHECK_EQ(rte_pktmbuf_alloc_bulk(p, all, 64), 0);
	for (int i = 0; i < 64; i++)
		memset(all[i]->buf_addr, 0xee, all[i]->buf_len);
	rte_pktmbuf_free_bulk(all, 64);
}

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(64, 2048);
	guest_pattern(1, data, sizeof(data));
	soil(pool);
}

static void
up(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MQ,
		.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				     1u << FE_PROTOCOL_F_RARP,
		.nr_pairs = 2,
		.ring_size = 64,
	};

	flow_up(&flow, RTE_VHOST_USER_NET_STATS_ENABLE, &config);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
}

static void
announce(const uint8_t mac[6])
{
	CHECK_EQ(fe_send_rarp(&flow.fe, mac), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
}

/* RFC 903: "who am I", asked by everybody's broadcast, as the guest would. */
static bool
is_rarp(const struct rte_mbuf *m, const uint8_t mac[6])
{
	uint8_t want[RARP_BYTES] = {
		255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0x80, 0x35, /* Ethernet */
		0, 1, 0x08, 0, 6, 4, 0, 3, /* Ethernet, IPv4, reverse request */
	};

	memcpy(want + 6, mac, 6);
	memcpy(want + 22, mac, 6);
	memcpy(want + 32, mac, 6);
	/* Difference: the stock library sends whatever the mbuf held before as padding. */
	if (is_stock)
		memset(rte_pktmbuf_mtod_offset(m, uint8_t *, 42), 0, RARP_BYTES - 42);
	return packet_equals(m, want, sizeof(want));
}

static uint16_t
receive(uint16_t queue, struct rte_mbuf **pkts, uint16_t count)
{
	return rte_vhost_dequeue_burst(flow.vid, queue, pool, pkts, count);
}

static void
comes_first(void)
{
	static const uint8_t mac[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
	struct rte_mbuf *pkts[BURST];

	up();
	for (int i = 0; i < 3; i++)
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	announce(mac);
	CHECK_EQ(receive(1, pkts, BURST), 4);
	CHECK(is_rarp(pkts[0], mac));
	for (int i = 1; i < 4; i++)
		CHECK(packet_equals(pkts[i], data, sizeof(data)));
	rte_pktmbuf_free_bulk(pkts, 4);
	/* Once. And the guest need not send anything. */
	CHECK_EQ(receive(1, pkts, BURST), 0);
	announce(mac);
	CHECK_EQ(receive(1, pkts, BURST), 1);
	CHECK(is_rarp(pkts[0], mac));
	rte_pktmbuf_free(pkts[0]);
	CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

/* It takes one place of `count`. */
static void
takes_a_place(void)
{
	static const uint8_t mac[6] = {0x02};
	struct rte_mbuf *pkts[BURST] = {NULL};

	up();
	for (int i = 0; i < 3; i++)
		CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	announce(mac);
	/* No place, nothing written. Difference: the stock library does not look at count. */
	if (!is_stock) {
		CHECK_EQ(receive(1, pkts, 0), 0);
		CHECK(pkts[0] == NULL);
	}
	CHECK_EQ(receive(1, pkts, 1), 1);
	CHECK(is_rarp(pkts[0], mac));
	rte_pktmbuf_free(pkts[0]);
	announce(mac);
	CHECK_EQ(receive(1, pkts, 3), 3);
	CHECK(is_rarp(pkts[0], mac));
	CHECK(packet_equals(pkts[1], data, sizeof(data)));
	rte_pktmbuf_free_bulk(pkts, 3);
	CHECK_EQ(receive(1, pkts, 3), 1);
	rte_pktmbuf_free(pkts[0]);
	flow_down(&flow);
}

/* Any queue the guest sends on, and only one of them. */
static void
on_any_queue(void)
{
	static const uint8_t mac[6] = {0x02, 3};
	struct rte_mbuf *pkts[BURST];

	up();
	announce(mac);
	CHECK_EQ(receive(0, pkts, BURST), 0);
	CHECK_EQ(receive(2, pkts, BURST), 0);
	CHECK_EQ(receive(3, pkts, BURST), 1);
	CHECK(is_rarp(pkts[0], mac));
	rte_pktmbuf_free(pkts[0]);
	CHECK_EQ(receive(1, pkts, BURST), 0);
	flow_down(&flow);
}

static void
the_last_message_counts(void)
{
	uint8_t mac[6] = {0x02};
	struct rte_mbuf *pkts[BURST];

	up();
	for (mac[5] = 1; mac[5] <= 5; mac[5]++)
		announce(mac);
	mac[5] = 5;
	CHECK_EQ(receive(1, pkts, BURST), 1);
	CHECK(is_rarp(pkts[0], mac));
	rte_pktmbuf_free(pkts[0]);
	flow_down(&flow);
}

/* No mbuf to be had: it waits, and so does what the guest sent. */
static void
waits_for_an_mbuf(void)
{
	static const uint8_t mac[6] = {0x02, 9};
	struct rte_mbuf *all[64], *pkts[BURST];

	if (is_stock)
		tap_skip("the stock library forgets it when the pool is empty");
	up();
	CHECK(guest_tx_send(&tx, NULL, data, sizeof(data)) >= 0);
	announce(mac);
	CHECK_EQ(rte_pktmbuf_alloc_bulk(pool, all, 64), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(receive(1, pkts, BURST), 0);
	rte_pktmbuf_free_bulk(all, 64);
	CHECK_EQ(receive(1, pkts, BURST), 2);
	CHECK(is_rarp(pkts[0], mac));
	CHECK(packet_equals(pkts[1], data, sizeof(data)));
	rte_pktmbuf_free_bulk(pkts, 2);
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

/* --- two data threads, and messages ------------------------------------- */

#define ROUNDS 3000

struct receiver {
	uint16_t queue;
	uint64_t seen;
	uint64_t last; /* the highest address */
	bool mixed;    /* an address that was never sent */
};
static bool stop;

static void
number_to_mac(uint64_t n, uint8_t mac[6])
{
	/* Both halves say the same, so that a mixture of two shows. */
	for (int i = 0; i < 3; i++)
		mac[i] = mac[3 + i] = (uint8_t)(n >> (8 * i));
}

static void *
receive_all(void *arg)
{
	struct receiver *r = arg;
	struct rte_mbuf *m;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		const uint8_t *mac;
		uint64_t n;

		if (receive(r->queue, &m, 1) != 1)
			continue;
		mac = rte_pktmbuf_mtod_offset(m, const uint8_t *, 6);
		n = mac[0] | (uint64_t)mac[1] << 8 | (uint64_t)mac[2] << 16;
		r->mixed |= !is_rarp(m, mac) || memcmp(mac, mac + 3, 3) != 0;
		r->seen++;
		if (n > r->last)
			r->last = n;
		rte_pktmbuf_free(m);
	}
	return NULL;
}

static bool
last_came(void *arg)
{
	const struct receiver *r = arg;

	return __atomic_load_n(&r[0].last, __ATOMIC_ACQUIRE) == ROUNDS ||
	       __atomic_load_n(&r[1].last, __ATOMIC_ACQUIRE) == ROUNDS;
}

static void
addresses_stay_whole(void)
{
	struct receiver r[2] = {{.queue = 1}, {.queue = 3}};
	pthread_t threads[2];

	up();
	__atomic_store_n(&stop, false, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, receive_all, &r[i]), 0);
	for (uint64_t n = 1; n <= ROUNDS; n++) {
		uint8_t mac[6];

		number_to_mac(n, mac);
		CHECK_EQ(fe_send_rarp(&flow.fe, mac), 0);
	}
	CHECK(flow_wait_until(last_came, r, 20000));
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK(!r[0].mixed && !r[1].mixed);
	CHECK(r[0].seen + r[1].seen <= ROUNDS);
	CHECK(flow_pool_full(pool));
	flow_down(&flow);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(comes_first),
		FLOW_TEST(takes_a_place),
		FLOW_TEST(on_any_queue),
		FLOW_TEST(the_last_message_counts),
		FLOW_TEST(waits_for_an_mbuf),
		FLOW_TEST(addresses_stay_whole),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
