/* SPDX-License-Identifier: BSD-3-Clause */
/* What an application can ask about a device: memory, rings, indices, MTU, names, counters. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow_main.h"
#include "guest_net.h"
#include "packets.h"

#define BURST 32

static struct flow flow;
static struct rte_mempool *pool;
static struct guest_tx tx;
static struct guest_rx rx;
static uint8_t data[2000];

static const uint64_t modern = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MTU;

static const struct guest_region_spec regions[] = {
	{.gpa = 0, .size_bytes = 4u << 20, .mmap_offset_bytes = 8192},
	{.gpa = 1ull << 32, .size_bytes = 8u << 20},
};

static void
setup(void)
{
	if (pool == NULL || !flow_pool_full(pool)) /* a failed test keeps its mbufs */
		pool = flow_pool(256, 2048);
}

static void
up(uint64_t flags)
{
	const struct fe_config config = {
		.features = modern,
		.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				     1u << FE_PROTOCOL_F_NET_MTU,
		.ring_size = 64,
		.regions = regions,
		.nregions = 2,
	};

	flow_up(&flow, flags, &config);
	guest_tx_init(&tx, &flow.fe.vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 16, 1526), 0);
}

static void
down(void)
{
	guest_rx_fini(&rx);
	flow_down(&flow);
}

static void
memory_table(void)
{
	struct rte_vhost_memory *mem = NULL;
	uint64_t len = 100;
	uint8_t *seen;

	up(0);
	CHECK_EQ(rte_vhost_get_mem_table(flow.vid, &mem), 0);
	CHECK_EQ(mem->nregions, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct rte_vhost_mem_region *r = &mem->regions[i];
		const struct guest_region *g = &flow.fe.mem.regions[i];
		struct stat ours, theirs;

		CHECK_EQ(r->guest_phys_addr, g->gpa);
		CHECK_EQ(r->guest_user_addr, g->uva);
		CHECK_EQ(r->size, g->size_bytes);
		/* The region lies in its mapping; where is the library's business. */
		CHECK(r->host_user_addr >= (uintptr_t)r->mmap_addr);
		CHECK(r->host_user_addr + r->size <= (uintptr_t)r->mmap_addr + r->mmap_size);
		CHECK_EQ(fstat(r->fd, &ours), 0);
		CHECK_EQ(fstat(g->fd, &theirs), 0);
		CHECK_EQ(ours.st_ino, theirs.st_ino);
		/* The same bytes from both sides. */
		guest_fill(&flow.fe.mem, g->gpa + g->size_bytes - 1, 0x77, 1);
		CHECK_EQ(*(uint8_t *)(uintptr_t)(r->host_user_addr + r->size - 1), 0x77);
	}
	seen = (uint8_t *)(uintptr_t)rte_vhost_va_from_guest_pa(mem, (1ull << 32) + 5, &len);
	CHECK_EQ((uintptr_t)seen, mem->regions[1].host_user_addr + 5);
	CHECK_EQ(len, 100);
	free(mem);
	CHECK_EQ(rte_vhost_get_mem_table(-1, &mem), -1);
	CHECK_EQ(rte_vhost_get_mem_table(1023, &mem), -1);
	down();
}

/* Difference: the stock library crashes when there is no table yet. */
static void
memory_table_before_there_is_one(void)
{
	struct rte_vhost_memory *mem = NULL;
	const char *path;
	struct frontend fe;

	if (is_stock)
		tap_skip("the stock library crashes before SET_MEM_TABLE");
	rec_reset();
	path = flow_serve(0);
	fe_init(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(rte_vhost_get_mem_table(rec_vid(), &mem), -1);
	fe_close(&fe);
	CHECK(rec_wait_tail("-conn"));
	flow_unserve(path);
}

static bool
same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_ino == sb.st_ino &&
	       sa.st_dev == sb.st_dev;
}

static void
vrings(void)
{
	struct rte_vhost_vring vring;
	uint64_t one = 1;

	up(0);
	for (uint16_t q = 0; q < 2; q++) {
		struct guest_ring *vq = &flow.fe.vqs[q];

		memset(&vring, 0xff, sizeof(vring));
		CHECK_EQ(rte_vhost_get_vhost_vring(flow.vid, q, &vring), 0);
		CHECK_EQ(vring.size, 64);
		CHECK(same_file(vring.kickfd, vq->kickfd));
		CHECK(same_file(vring.callfd, vq->callfd));
		/* The pointers are the guest's rings, seen from here. */
		if (flow_packed) {
			guest_packed_raw_desc(vq, 63, 0x1234567890, 77, 5, 0);
			CHECK_EQ(vring.desc_packed[63].addr, 0x1234567890);
			CHECK_EQ(vring.desc_packed[63].len, 77);
			CHECK_EQ(vring.desc_packed[63].id, 5);
			vq->avail[1] = GUEST_EVENT_DESC;
			CHECK_EQ(vring.driver_event->flags, GUEST_EVENT_DESC);
			vring.device_event->off_wrap = 3;
			CHECK_EQ(vq->used[0], 3);
		} else {
			guest_split_raw_desc(vq, 63, 0x1234567890, 77, 0, 5);
			CHECK_EQ(vring.desc[63].addr, 0x1234567890);
			CHECK_EQ(vring.desc[63].len, 77);
			vq->avail[1] = 0;
			CHECK_EQ(vring.avail->idx, 0);
			vring.used->flags = 1;
			CHECK_EQ(vq->used[0], 1);
			vring.used->flags = 0;
		}
		/* What the guest writes to its kick fd is seen on ours. */
		CHECK_EQ(write(vq->kickfd, &one, 8), 8);
		CHECK_EQ(read(vring.kickfd, &one, 8), 8);
	}
	CHECK_EQ(rte_vhost_get_vhost_vring(flow.vid, 2, &vring), -1);
	CHECK_EQ(rte_vhost_get_vhost_vring(flow.vid, 300, &vring), -1);
	CHECK_EQ(rte_vhost_get_vhost_vring(-1, 0, &vring), -1);
	CHECK_EQ(rte_vhost_get_vring_num(flow.vid), 2);
	CHECK_EQ(rte_vhost_get_vring_num(-1), 0);
	down();
}

/* Difference: the stock library reads a packed ring here as if it were split. */
static void
counts_are(unsigned sent, unsigned rx_entries, unsigned tx_entries)
{
	if (is_stock && flow_packed)
		return;
	CHECK_EQ(rte_vhost_rx_queue_count(flow.vid, 1), sent);
	CHECK_EQ(rte_vhost_avail_entries(flow.vid, 0), rx_entries);
	CHECK_EQ(rte_vhost_avail_entries(flow.vid, 1), tx_entries);
}

/* Where a ring is after n descriptors, in its first round: packed has the wrap counter in it. */
static uint16_t
at(uint16_t n)
{
	return (uint16_t)(n | flow_packed << 15);
}

static void
indices(void)
{
	uint16_t avail = 9, used = 9;
	uint32_t base = 0;
	struct rte_mbuf *pkts[BURST];

	up(0);
	for (int i = 0; i < 10; i++)
		CHECK(guest_tx_post(&tx, NULL, data, 60, NULL, 0) >= 0);
	CHECK_EQ(guest_rx_fill(&rx, 16), 16);
	CHECK_EQ(rte_vhost_rx_queue_count(flow.vid, 0), 0); /* only what the guest sends */
	counts_are(10, 16, 10);
	CHECK_EQ(rte_vhost_get_vring_base(flow.vid, 1, &avail, &used), 0);
	CHECK_EQ(avail, at(0));
	CHECK_EQ(used, at(0));
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, 6), 6);
	CHECK_EQ(rte_vhost_get_vring_base(flow.vid, 1, &avail, &used), 0);
	CHECK_EQ(avail, at(6));
	CHECK_EQ(used, at(6));
	counts_are(4, 16, 4);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, pkts, 6), 6);
	rte_pktmbuf_free_bulk(pkts, 6);
	counts_are(4, 10, 4);
	/* An application that keeps its own indices puts them back. */
	CHECK_EQ(rte_vhost_set_vring_base(flow.vid, 1, at(8), at(8)), 0);
	CHECK_EQ(rte_vhost_get_vring_base(flow.vid, 1, &avail, &used), 0);
	CHECK_EQ(avail, at(8));
	CHECK_EQ(used, at(8));
	counts_are(2, 10, 2);
	CHECK_EQ(fe_get_vring_base(&flow.fe, 1, &base), 0);
	CHECK_EQ((uint16_t)base, at(8));
	CHECK_EQ(rte_vhost_rx_queue_count(flow.vid, 1), 0);
	CHECK_EQ(rte_vhost_avail_entries(flow.vid, 1), 0);
	CHECK_EQ(rte_vhost_get_vring_base(-1, 0, &avail, &used), -1);
	CHECK_EQ(rte_vhost_get_vring_base(flow.vid, 7, &avail, &used), -1);
	CHECK_EQ(rte_vhost_set_vring_base(flow.vid, 7, 0, 0), -1);
	down();
}

static void
mtu(void)
{
	const struct fe_config without = {.features = FE_F_VERSION_1, .no_enable = true};
	uint16_t value = 1;

	up(0);
	CHECK_EQ(fe_net_set_mtu(&flow.fe, 1400), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(rte_vhost_get_mtu(flow.vid, &value), 0);
	CHECK_EQ(value, 1400);
	CHECK_EQ(rte_vhost_get_mtu(1023, &value), -ENODEV);
	CHECK_EQ(fe_stop(&flow.fe, NULL), 0);
	CHECK_EQ(rte_vhost_get_mtu(flow.vid, &value), -EAGAIN);
	down();

	rec_reset();
	flow.path = flow_serve(0);
	fe_init(&flow.fe);
	CHECK_EQ(fe_connect(&flow.fe, flow.path), 0);
	CHECK_EQ(fe_setup(&flow.fe, &without), 0);
	CHECK_EQ(rte_vhost_get_mtu(rec_vid(), &value), -EAGAIN);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 0, true), 0);
	CHECK_EQ(fe_set_vring_enable(&flow.fe, 1, true), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	CHECK_EQ(rte_vhost_get_mtu(rec_vid(), &value), -ENOTSUP);
	flow_down(&flow);
}

static void
names_and_node(void)
{
	char name[128];

	up(0);
	CHECK_EQ(rte_vhost_get_ifname(flow.vid, name, sizeof(name)), 0);
	CHECK_STR(name, flow.path);
	memset(name, '#', sizeof(name));
	CHECK_EQ(rte_vhost_get_ifname(flow.vid, name, 6), 0);
	CHECK_STR(name, "/tmp/");
	CHECK_EQ(name[6], '#');
	CHECK_EQ(rte_vhost_get_ifname(-1, name, sizeof(name)), -1);
	CHECK(rte_vhost_get_numa_node(flow.vid) >= 0);
	CHECK_EQ(rte_vhost_get_numa_node(-1), -1);
	down();
}

/* A core may sleep unless this holds. */
static bool
wakes(const struct rte_vhost_power_monitor_cond *cond)
{
	uint64_t word = *(volatile uint16_t *)cond->addr;

	return ((word & cond->mask) == cond->val) == (cond->match != 0);
}

/* Split: the available index moves on. Packed: the next descriptor's flags become those. */
static void
monitor_address(void)
{
	struct rte_vhost_power_monitor_cond cond;
	struct rte_mbuf *m;

	up(0);
	CHECK_EQ(rte_vhost_get_monitor_addr(flow.vid, 1, &cond), 0);
	CHECK_EQ(cond.size, 2);
	/* Difference: the stock library looks at the low bits only. */
	CHECK_EQ(cond.mask, flow_packed ? GUEST_PACKED_AVAIL | GUEST_PACKED_USED :
			    is_stock	? 63 : UINT16_MAX);
	CHECK_EQ(cond.val, flow_packed ? GUEST_PACKED_AVAIL : 0);
	CHECK_EQ(cond.match, flow_packed);
	CHECK(!wakes(&cond));
	CHECK(guest_tx_post(&tx, NULL, data, 60, NULL, 0) >= 0);
	CHECK(wakes(&cond));
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, &m, 1), 1);
	rte_pktmbuf_free(m);
	CHECK_EQ(rte_vhost_get_monitor_addr(flow.vid, 1, &cond), 0);
	CHECK_EQ(cond.val, flow_packed ? GUEST_PACKED_AVAIL : 1);
	CHECK(!wakes(&cond));
	CHECK_EQ(rte_vhost_get_monitor_addr(flow.vid, 2, &cond), -1);
	CHECK_EQ(rte_vhost_get_monitor_addr(-1, 0, &cond), -1);
	down();
}

/* As many as the ring holds: the low bits of a split ring's index are where they were. */
static void
monitor_address_of_a_full_ring(void)
{
	struct rte_vhost_power_monitor_cond cond;
	struct rte_mbuf *pkts[64];

	if (is_stock)
		tap_skip("the stock library lets a core sleep over a full ring");
	up(0);
	for (int round = 0; round < 3; round++) {
		CHECK_EQ(rte_vhost_get_monitor_addr(flow.vid, 1, &cond), 0);
		CHECK(!wakes(&cond));
		for (int i = 0; i < 64; i++)
			CHECK(guest_tx_post(&tx, NULL, data, 60, NULL, 0) >= 0);
		CHECK(wakes(&cond));
		CHECK_EQ(rte_vhost_rx_queue_count(flow.vid, 1), 64);
		CHECK_EQ(rte_vhost_avail_entries(flow.vid, 1), 64);
		CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, pkts, 64), 64);
		rte_pktmbuf_free_bulk(pkts, 64);
		CHECK_EQ(rte_vhost_rx_queue_count(flow.vid, 1), 0);
		CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	}
	down();
}

static const char *const counter_names[] = {
	"good_packets", "good_bytes", "multicast_packets", "broadcast_packets",
	"undersize_packets", "size_64_packets", "size_65_127_packets", "size_128_255_packets",
	"size_256_511_packets", "size_512_1023_packets", "size_1024_1518_packets",
	"size_1519_max_packets", "guest_notifications", "iotlb_hits", "iotlb_misses",
	"inflight_submitted", "inflight_completed",
};

static uint64_t
counter(uint16_t queue_id, const char *name)
{
	struct rte_vhost_stat_name names[64];
	struct rte_vhost_stat stats[64];
	char full[80];
	int n = rte_vhost_vring_stats_get_names(flow.vid, queue_id, names, 64);

	CHECK(n >= (int)RTE_DIM(counter_names) && n <= 64);
	CHECK_EQ(rte_vhost_vring_stats_get(flow.vid, queue_id, stats, 64), n);
	snprintf(full, sizeof(full), "%cx_q%u_%s", queue_id & 1 ? 'r' : 't', queue_id / 2, name);
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i].name, full) == 0) {
			CHECK_EQ(stats[i].id, i);
			return stats[i].value;
		}
	}
	tap_fail(__FILE__, __LINE__, "no counter %s", full);
}

/* The stock library's 17 names, in its order; more may follow. */
static void
counter_names_are_those_of_the_guide(void)
{
	struct rte_vhost_stat_name names[64];
	struct rte_vhost_stat stats[64];
	int n;

	up(RTE_VHOST_USER_NET_STATS_ENABLE);
	n = rte_vhost_vring_stats_get_names(flow.vid, 0, NULL, 0);
	CHECK(n >= (int)RTE_DIM(counter_names));
	CHECK_EQ(rte_vhost_vring_stats_get_names(flow.vid, 0, names, (unsigned)n - 1), n);
	for (uint16_t q = 0; q < 2; q++) {
		CHECK_EQ(rte_vhost_vring_stats_get_names(flow.vid, q, names, 64), n);
		for (unsigned i = 0; i < RTE_DIM(counter_names); i++) {
			char full[80];

			snprintf(full, sizeof(full), "%cx_q0_%s", q == 1 ? 'r' : 't',
				 counter_names[i]);
			CHECK_STR(names[i].name, full);
		}
	}
	CHECK_EQ(rte_vhost_vring_stats_get(flow.vid, 0, stats, (unsigned)n - 1), n);
	CHECK_EQ(rte_vhost_vring_stats_get_names(flow.vid, 2, NULL, 0), -1);
	CHECK_EQ(rte_vhost_vring_stats_get(flow.vid, 2, stats, 64), -1);
	CHECK_EQ(rte_vhost_vring_stats_reset(flow.vid, 2), -1);
	CHECK_EQ(rte_vhost_vring_stats_get_names(-1, 0, NULL, 0), -1);
	down();
}

static void
counters_need_the_flag(void)
{
	struct rte_vhost_stat stats[64];

	up(0);
	CHECK_EQ(rte_vhost_vring_stats_get_names(flow.vid, 0, NULL, 0), -1);
	CHECK_EQ(rte_vhost_vring_stats_get(flow.vid, 0, stats, 64), -1);
	CHECK_EQ(rte_vhost_vring_stats_reset(flow.vid, 0), -1);
	down();
}

static void
send_both_ways(uint32_t len, const uint8_t dst[6])
{
	struct guest_net_hdr hdr;
	struct rte_mbuf *m;
	static uint8_t got[4000];

	guest_pattern(len, data, 60);
	memcpy(data, dst, 6);
	CHECK(guest_tx_send(&tx, NULL, data, len) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, pool, &m, 1), 1);
	guest_rx_fill(&rx, 16);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 1);
	rte_pktmbuf_free(m);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), len);
	CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
}

static void
counters_count(void)
{
	static const struct {
		uint32_t len;
		const char *bin;
	} bins[] = {
		{60, "undersize_packets"}, {63, "undersize_packets"}, {64, "size_64_packets"},
		{65, "size_65_127_packets"}, {127, "size_65_127_packets"},
		{128, "size_128_255_packets"}, {255, "size_128_255_packets"},
		{256, "size_256_511_packets"}, {511, "size_256_511_packets"},
		{512, "size_512_1023_packets"}, {1023, "size_512_1023_packets"},
		{1024, "size_1024_1518_packets"}, {1518, "size_1024_1518_packets"},
		{1519, "size_1519_max_packets"},
	};
	static const uint8_t unicast[6] = {2}, multicast[6] = {1, 0, 0x5e, 0, 0, 1},
			     broadcast[6] = {255, 255, 255, 255, 255, 255};
	uint64_t packets = 0, bytes = 0;

	up(RTE_VHOST_USER_NET_STATS_ENABLE);
	for (unsigned i = 0; i < RTE_DIM(bins); i++) {
		uint64_t before[2] = {counter(0, bins[i].bin), counter(1, bins[i].bin)};

		send_both_ways(bins[i].len, unicast);
		packets++;
		bytes += bins[i].len;
		for (uint16_t q = 0; q < 2; q++) {
			CHECK_EQ(counter(q, bins[i].bin), before[q] + 1);
			CHECK_EQ(counter(q, "good_packets"), packets);
			CHECK_EQ(counter(q, "good_bytes"), bytes);
		}
	}
	CHECK_EQ(counter(0, "multicast_packets"), 0);
	send_both_ways(64, multicast);
	send_both_ways(64, broadcast);
	send_both_ways(64, broadcast);
	for (uint16_t q = 0; q < 2; q++) {
		CHECK_EQ(counter(q, "multicast_packets"), 1);
		CHECK_EQ(counter(q, "broadcast_packets"), 2);
		CHECK(counter(q, "guest_notifications") > 0);
		CHECK_EQ(counter(q, "iotlb_hits"), 0);
		CHECK_EQ(rte_vhost_vring_stats_reset(flow.vid, q), 0);
		CHECK_EQ(counter(q, "good_packets"), 0);
		CHECK_EQ(counter(q, "good_bytes"), 0);
		CHECK_EQ(counter(q, "broadcast_packets"), 0);
	}
	down();
}

/* --- counters of ours ---------------------------------------------------- */

/* Fills a frame: addresses, `tags` VLAN tags, a type. */
static void
frame_head(unsigned tags, const uint8_t types[2][2])
{
	static const uint8_t addresses[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	memset(data, 0, sizeof(data));
	memcpy(data, addresses, sizeof(addresses));
	for (unsigned i = 0; i < tags; i++)
		memcpy(data + 12 + 4 * i, types[i], 2);
	data[12 + 4 * tags] = 8;
}

static void
to_guest(uint32_t len, uint64_t ol_flags, unsigned seg_bytes)
{
	struct rte_mbuf *m = packet_make(pool, data, len, seg_bytes);
	static uint8_t got[4000];
	struct guest_net_hdr hdr;

	m->ol_flags |= ol_flags;
	m->l2_len = 14;
	m->l3_len = 20;
	m->l4_len = 20;
	m->tso_segsz = 500;
	guest_rx_fill(&rx, 16);
	CHECK_EQ(rte_vhost_enqueue_burst(flow.vid, 0, &m, 1), 1);
	rte_pktmbuf_free(m);
	CHECK_EQ(guest_rx_recv(&rx, &hdr, got, sizeof(got), NULL), len);
}

/* Longer than the guest agreed to: delivered, and counted. */
static void
packets_above_the_mtu(void)
{
	static const uint8_t vlan[2][2] = {{0x81, 0}, {0x81, 0}}, qinq[2][2] = {{0x88, 0xa8}, {0x81, 0}},
			     other[2][2] = {{0x81, 1}, {0x81, 0}};
	static const struct {
		uint32_t mtu, len;
		unsigned tags;
		const uint8_t (*types)[2];
		bool counted;
	} rows[] = {
		{0, 1900, 0, NULL, false}, /* never said */
		{1400, 1414, 0, NULL, false}, {1400, 1415, 0, NULL, true},
		{1400, 1418, 1, vlan, false}, {1400, 1419, 1, vlan, true},
		{1400, 1422, 2, qinq, false}, {1400, 1423, 2, qinq, true},
		{1400, 1418, 1, other, true},
		{68, 82, 0, NULL, false}, {68, 83, 0, NULL, true},
		{1500, 1514, 0, NULL, false}, {1500, 1900, 0, NULL, true},
		{65535, 1900, 0, NULL, false},
	};
	uint64_t expected = 0;

	if (is_stock)
		tap_skip("the stock library does not count them");
	up(RTE_VHOST_USER_NET_STATS_ENABLE);
	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		if (rows[i].mtu != 0)
			CHECK_EQ(fe_net_set_mtu(&flow.fe, rows[i].mtu), 0);
		CHECK_EQ(fe_sync(&flow.fe), 0);
		frame_head(rows[i].tags, rows[i].types);
		/* Whole, and in pieces: another path. */
		for (unsigned seg_bytes = 0; seg_bytes <= 50; seg_bytes += 50) {
			to_guest(rows[i].len, 0, seg_bytes);
			expected += rows[i].counted;
			CHECK_EQ(counter(0, "oversized_packets"), expected);
		}
	}
	/* From the guest: its own business. */
	CHECK_EQ(fe_net_set_mtu(&flow.fe, 68), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	send_both_ways(1000, data);
	CHECK_EQ(counter(1, "oversized_packets"), 0);
	CHECK_EQ(counter(0, "oversized_packets"), expected + 1);
	down();
}

/* What the guest is to segment, or was not asked about, has no such limit. */
static void
packets_that_may_be_long(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MTU | FE_F_GUEST_CSUM |
			    FE_F_GUEST_TSO4,
		.protocol_features = 1u << FE_PROTOCOL_F_REPLY_ACK | 1u << FE_PROTOCOL_F_NET_MTU,
	}, no_mtu = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
		.protocol_features = config.protocol_features,
	};
	struct frame_spec spec = {.l4_proto = 6, .payload_bytes = 1500};
	static struct frame frame;

	if (is_stock)
		tap_skip("the stock library does not count them");
	frame_build(&frame, &spec, true);
	memcpy(data, frame.bytes, frame.len_bytes);
	flow_up(&flow, RTE_VHOST_USER_NET_STATS_ENABLE, &config);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 16, 1526), 0);
	CHECK_EQ(fe_net_set_mtu(&flow.fe, 1400), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	to_guest(frame.len_bytes, RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4, 0);
	CHECK_EQ(counter(0, "oversized_packets"), 0);
	to_guest(frame.len_bytes, RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV4, 0);
	CHECK_EQ(counter(0, "oversized_packets"), 1);
	down();

	flow_up(&flow, RTE_VHOST_USER_NET_STATS_ENABLE, &no_mtu);
	CHECK_EQ(guest_rx_init(&rx, &flow.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 16, 1526), 0);
	CHECK_EQ(fe_net_set_mtu(&flow.fe, 1400), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	to_guest(frame.len_bytes, 0, 0);
	CHECK_EQ(counter(0, "oversized_packets"), 0);
	down();
}

static void
copied_bytes(void)
{
	static const uint8_t unicast[6] = {2};
	uint64_t to = 0, from = 0;

	if (is_stock)
		tap_skip("the stock library does not count them");
	up(RTE_VHOST_USER_NET_STATS_ENABLE);
	for (uint32_t len = 60; len < 1900; len += 311) {
		send_both_ways(len, unicast);
		to += GUEST_NET_HDR_BYTES + len;
		from += len; /* this guest cannot ask for anything: its headers are not read */
		CHECK_EQ(counter(0, "copied_bytes"), to);
		CHECK_EQ(counter(1, "copied_bytes"), from);
	}
	frame_head(0, NULL);
	to_guest(1000, 0, 300);
	CHECK_EQ(counter(0, "copied_bytes"), to + GUEST_NET_HDR_BYTES + 1000);
	down();
}

/* A packet that runs out of mbufs half way: lost, but the bytes were moved. */
static void
copied_and_lost(void)
{
	struct rte_mempool *small;
	struct rte_mbuf *m;

	if (is_stock)
		tap_skip("the stock library does not count them");
	up(RTE_VHOST_USER_NET_STATS_ENABLE);
	small = flow_pool(4, 128);
	frame_head(0, NULL);
	CHECK(guest_tx_send(&tx, NULL, data, 2000) >= 0);
	CHECK_EQ(rte_vhost_dequeue_burst(flow.vid, 1, small, &m, 1), 0);
	CHECK_EQ(counter(1, "good_packets"), 0);
	CHECK_EQ(counter(1, "good_bytes"), 0);
	CHECK_EQ(counter(1, "copied_bytes"), 4 * 128);
	CHECK_EQ(counter(1, "mbuf_alloc_failed"), 1);
	CHECK(flow_pool_full(small));
	rte_mempool_free(small);
	CHECK_EQ(guest_tx_drain(&tx, 1000), 0);
	down();
}

/* Every burst either calls the guest or says why not. */
static void
notifications_add_up(void)
{
	static const uint8_t unicast[6] = {2};
	uint64_t bursts = 0, seen = 0;

	if (is_stock)
		tap_skip("the stock library does not count them");
	up(RTE_VHOST_USER_NET_STATS_ENABLE);
	for (unsigned i = 0; i < 40; i++) {
		if (i % 3 == 0)
			guest_ring_call_enable(rx.vq);
		else
			guest_ring_call_disable(rx.vq);
		send_both_ways(100, unicast);
		bursts++;
		seen += guest_ring_calls(rx.vq);
		CHECK_EQ(counter(0, "guest_notifications"), seen);
		CHECK_EQ(counter(0, "guest_notifications_suppressed"), bursts - seen);
	}
	CHECK_EQ(seen, 14);
	guest_ring_call_disable(rx.vq);
	CHECK_EQ(rte_vhost_vring_call(flow.vid, 0), 0);
	CHECK_EQ(counter(0, "guest_notifications_suppressed"), bursts - seen + 1);
	/* Nobody to call: neither. */
	CHECK_EQ(fe_set_vring_call(&flow.fe, 0, -1), 0);
	CHECK_EQ(fe_sync(&flow.fe), 0);
	send_both_ways(100, unicast);
	CHECK_EQ(counter(0, "guest_notifications"), seen);
	CHECK_EQ(counter(0, "guest_notifications_suppressed"), bursts - seen + 1);
	CHECK_EQ(counter(0, "guest_notifications_failed"), 0);
	down();
}

/* Every question about a device that is not there has an answer. */
static void
no_such_device(void)
{
	static const int vids[] = {-1, 0, 1, 1023, 1024, 1 << 30, INT32_MIN};
	struct rte_vhost_power_monitor_cond cond;
	struct rte_vhost_stat stats[64];
	struct rte_vhost_vring vring;
	uint64_t features;
	uint16_t a, b;

	for (unsigned i = 0; i < RTE_DIM(vids); i++) {
		int vid = vids[i];
		struct rte_mbuf *m = NULL;

		CHECK_EQ(rte_vhost_get_negotiated_features(vid, &features), -1);
		CHECK_EQ(rte_vhost_get_negotiated_protocol_features(vid, &features), -1);
		CHECK_EQ(rte_vhost_get_mtu(vid, &a), -ENODEV);
		CHECK_EQ(rte_vhost_get_numa_node(vid), -1);
		CHECK_EQ(rte_vhost_get_vring_num(vid), 0);
		CHECK_EQ(rte_vhost_avail_entries(vid, 0), 0);
		CHECK_EQ(rte_vhost_rx_queue_count(vid, 1), 0);
		CHECK_EQ(rte_vhost_get_vhost_vring(vid, 0, &vring), -1);
		CHECK_EQ(rte_vhost_vring_call(vid, 0), -1);
		CHECK_EQ(rte_vhost_vring_call_nonblock(vid, 0), -1);
		CHECK_EQ(rte_vhost_enable_guest_notification(vid, 0, 1), -1);
		CHECK_EQ(rte_vhost_get_vring_base(vid, 0, &a, &b), -1);
		CHECK_EQ(rte_vhost_set_vring_base(vid, 0, 0, 0), -1);
		CHECK_EQ(rte_vhost_get_monitor_addr(vid, 0, &cond), -1);
		CHECK_EQ(rte_vhost_vring_stats_get(vid, 0, stats, 64), -1);
		CHECK_EQ(rte_vhost_vring_stats_get_names(vid, 0, NULL, 0), -1);
		CHECK_EQ(rte_vhost_vring_stats_reset(vid, 0), -1);
		CHECK_EQ(rte_vhost_enqueue_burst(vid, 0, &m, 0), 0);
		CHECK_EQ(rte_vhost_dequeue_burst(vid, 1, pool, &m, 1), 0);
	}
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(memory_table),
		FLOW_TEST(memory_table_before_there_is_one),
		FLOW_TEST(vrings),
		FLOW_TEST(indices),
		FLOW_TEST(mtu),
		FLOW_TEST(names_and_node),
		FLOW_TEST(monitor_address),
		FLOW_TEST(monitor_address_of_a_full_ring),
		FLOW_TEST(counter_names_are_those_of_the_guide),
		FLOW_TEST(counters_need_the_flag),
		FLOW_TEST(counters_count),
		FLOW_TEST(packets_above_the_mtu),
		FLOW_TEST(packets_that_may_be_long),
		FLOW_TEST(copied_bytes),
		FLOW_TEST(copied_and_lost),
		FLOW_TEST(notifications_add_up),
		FLOW_TEST(no_such_device),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, flow_teardown);
}
