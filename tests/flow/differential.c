/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same random traffic through two devices gives the same: packets and mbuf metadata one way,
 * headers, bytes and used lengths the other way, and not a byte more written. During a migration the
 * dirty log of each tells exactly the pages that changed. FLOW_SEED=n chooses other traffic,
 * VHOST_NG_SOAK makes it more.
 *
 * One device is split and the other packed; or, if an engine copies (copier.h), both are alike and
 * the CPU copies for the first: then all of the guests' memory and their dirty logs are the same.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "copier.h"
#include "flow_main.h"
#include "guest_log.h"
#include "guest_net.h"
#include "packets.h"

#define BURSTS 12
#define MAX_BURST 256
#define MAX_CUTS 24
#define BURST_BYTES (2u << 20) /* of packets in flight */
#define GUARD_BYTES 64	       /* around receive buffers: guest_net.c */
#define FILL_BYTE 0xa5	       /* in them, likewise */

enum { ONE, OTHER, BOTH };

static struct flow flows[BOTH];
static bool is_up[BOTH];
static bool logged; /* the guests are being migrated */
static struct guest_log logs[BOTH];
static struct rte_mempool *pool;
static uint64_t state;
static struct frame frame;
static uint8_t frame_proto; /* IPPROTO_x, 0 without layers */

static const uint64_t g2h_offloads = FE_F_CSUM | FE_F_HOST_TSO4 | FE_F_HOST_TSO6 | FE_F_HOST_ECN |
				     FE_F_HOST_UFO;
static const uint64_t h2g_offloads = FE_F_GUEST_CSUM | FE_F_GUEST_TSO4 | FE_F_GUEST_TSO6 |
				     FE_F_GUEST_ECN | FE_F_GUEST_UFO;

/* Uniform in 0..n-1. */
static uint32_t
below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 16) % n);
}

static bool
maybe(void)
{
	return below(2) != 0;
}

/* The stock library takes its time for each device, an engine for each packet. */
static unsigned
nr_rounds(void)
{
	if (is_stock)
		return 4;
	return copier_is_cpu || getenv("VHOST_NG_SOAK") != NULL ? 12 : 2;
}

/* Small, usual and huge ones alike. */
static uint32_t
random_size(void)
{
	static const uint32_t most[] = {64, 200, 1518, 1518, 9000, 65500};

	return 1 + below(most[below(RTE_DIM(most))]);
}

static void
seed(unsigned round)
{
	const char *chosen = getenv("FLOW_SEED");
	uint64_t s = chosen != NULL ? strtoull(chosen, NULL, 0) : 1;

	state = (s * 1000 + round + 1) * 0x9e3779b97f4a7c15ull;
	fprintf(stderr, "# FLOW_SEED=%llu, round %u\n", (unsigned long long)s, round);
}

static void
setup(void)
{
	if (copier_is_cpu)
		fe_extra_features = 0; /* one of the two is split */
	logged = false;
	if (pool == NULL || !flow_pool_full(pool))
		pool = flow_pool(16383, 2048);
}

static void
down(void)
{
	for (int d = BOTH - 1; d >= 0; d--)
		if (is_up[d])
			flow_down(&flows[d]);
	is_up[ONE] = is_up[OTHER] = false;
	guest_log_destroy(&logs[ONE]);
	guest_log_destroy(&logs[OTHER]);
}

static bool
is_packed(int d)
{
	return copier_is_cpu ? d == OTHER : flow_packed;
}

/* The guests have written what they will. */
static void
before_the_device_writes(void)
{
	for (int d = 0; logged && d < BOTH; d++)
		guest_log_snapshot(&logs[d], &flows[d].fe);
}

static int64_t
first_difference(const struct guest_region *a, const struct guest_region *b)
{
	uint64_t at = 0;

	if (memcmp(a->local, b->local, a->size_bytes) == 0)
		return -1;
	while (a->local[at] == b->local[at])
		at++;
	return (int64_t)(a->gpa + at);
}

/* The whole of both guests, rings included, and what was marked of it. */
static void
check_same_memory(void)
{
	const struct guest_memory *one = &flows[ONE].fe.mem, *other = &flows[OTHER].fe.mem;

	for (unsigned i = 0; i < one->nregions; i++)
		CHECK_EQ(first_difference(&one->regions[i], &other->regions[i]), -1);
	if (logged)
		CHECK(memcmp(logs[ONE].bits, logs[OTHER].bits, logs[ONE].size_bytes) == 0);
}

static void
check_logs(void)
{
	/* Difference: with the stock library, some used lengths of what is only read are not 0. */
	if (!copier_is_cpu && !is_stock)
		check_same_memory();
	for (int d = 0; logged && d < BOTH; d++) {
		/* Difference: it logs used descriptors as if they were in the event structure. */
		if (is_stock && is_packed(d))
			continue;
		CHECK_EQ(guest_log_lies(&logs[d], &flows[d].fe.mem), 0);
	}
}

/* Sometimes the log starts somewhere in its file. (Difference: the stock library adds that twice.) */
static void
start_logs(void)
{
	for (int d = 0; logged && d < BOTH; d++) {
		const struct guest_region *last =
			&flows[d].fe.mem.regions[flows[d].fe.mem.nregions - 1];
		uint64_t offset = is_stock || maybe() ? 0 : below(20000);

		CHECK_EQ(guest_log_create(&logs[d], last->gpa + last->size_bytes, offset), 0);
		CHECK_EQ(guest_log_start(&logs[d], &flows[d].fe), 0);
	}
}

/* Both devices with the same features, the packed one with a ring of odd size. */
static void
up(uint64_t features, uint64_t flags)
{
	/* Memory in pieces that lie apart; a smaller one, as it is copied for each burst. */
	const struct guest_region_spec regions[] = {
		{.gpa = 0, .size_bytes = 8u << 20, .mmap_offset_bytes = 4096},
		{.gpa = 1u << 30, .size_bytes = (8u << 20) + 4096},
	};
	struct fe_config config = {
		.ring_size = 256,
		.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
				     1u << FE_PROTOCOL_F_LOG_SHMFD,
		.regions = logged ? regions : NULL,
		.nregions = logged ? RTE_DIM(regions) : 0,
	};

	features |= FE_F_VERSION_1 | (maybe() ? FE_F_INDIRECT_DESC : 0) |
		    (maybe() ? FE_F_EVENT_IDX : 0) | (maybe() ? FE_F_IN_ORDER : 0);
	/* How much is given back together decides what is written of a packed ring. */
	if (!copier_is_cpu && flow_packed)
		features &= ~FE_F_IN_ORDER;
	config.ring_size = logged ? 1024 : 256;
	for (int d = 0; d < BOTH; d++) {
		/* With a log, rings whose used parts have several pages. */
		if (is_packed(d) && (copier_is_cpu || d == ONE))
			config.ring_size = (uint16_t)(logged ? 1000 + below(50) : 256 + below(50));
		config.features = features | (is_packed(d) ? FE_F_RING_PACKED : 0);
		flow_up(&flows[d], flags | (d == OTHER ? copier_driver_flags : 0), &config);
		is_up[d] = true;
	}
	copier_attach(flows[OTHER].vid);
	if (copier_is_cpu)
		CHECK_EQ(flows[OTHER].fe.features, flows[ONE].fe.features | FE_F_RING_PACKED);
	else
		CHECK_EQ(flows[OTHER].fe.features, flows[ONE].fe.features);
	start_logs();
}

/* A frame with layers, or just bytes. */
static void
random_frame(void)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP};
	const struct frame_spec spec = {
		.vlan = below(4) == 0,
		.ipv6 = maybe(),
		.ip_options_bytes = (uint8_t)(below(4) == 0 ? 4 * below(11) : 0),
		.tcp_options_bytes = (uint8_t)(below(4) == 0 ? 4 * below(11) : 0),
		.l4_proto = protos[below(RTE_DIM(protos))],
		.payload_bytes = random_size() * 15 / 16,
	};

	if (maybe()) {
		frame.len_bytes = random_size();
		guest_pattern(below(1u << 30), frame.bytes, frame.len_bytes);
		frame_proto = 0;
		return;
	}
	frame_build(&frame, &spec, maybe());
	frame_proto = spec.l4_proto;
}

static struct guest_net_hdr
random_header(void)
{
	static const uint8_t types[] = {
		GUEST_NET_GSO_NONE, GUEST_NET_GSO_TCPV4, GUEST_NET_GSO_TCPV6, GUEST_NET_GSO_UDP,
		GUEST_NET_GSO_TCPV4 | GUEST_NET_GSO_ECN,
	};
	struct guest_net_hdr hdr = {0};

	if (frame_proto == 0 || maybe())
		return hdr;
	hdr.flags = GUEST_NET_NEEDS_CSUM;
	hdr.csum_start = (uint16_t)(frame.l2_bytes + frame.l3_bytes);
	hdr.csum_offset = frame.csum_offset;
	if (maybe()) {
		hdr.gso_type = types[below(RTE_DIM(types))];
		hdr.gso_size = (uint16_t)(1 + below(1500));
		hdr.hdr_len = (uint16_t)(hdr.csum_start + frame.l4_bytes);
	}
	if (below(8) == 0) /* a guest that errs */
		hdr.csum_start = (uint16_t)(below(frame.len_bytes));
	return hdr;
}

/* What the guest sent, by place in the order of sending. */
struct sender {
	struct guest_tx tx;
	unsigned order[4096]; /* by chain id */
};

static bool
post_same(struct sender *senders, unsigned number)
{
	bool indirect = (flows[ONE].fe.features & FE_F_INDIRECT_DESC) && maybe();
	uint32_t cuts[MAX_CUTS], gap = below(40);
	unsigned nr_cuts = maybe() ? below(2) : below(MAX_CUTS);
	struct guest_net_hdr hdr;

	for (unsigned i = 0; i < nr_cuts; i++)
		cuts[i] = 1 + below(i == 0 && maybe() ? 12 : 3000);
	random_frame();
	hdr = random_header();
	for (int d = 0; d < BOTH; d++)
		if (senders[d].tx.vq->free_count < (indirect ? 1 : nr_cuts + 1))
			return false;
	for (int d = 0; d < BOTH; d++) {
		struct guest_tx *tx = &senders[d].tx;
		int id;

		tx->vq->indirect = indirect;
		tx->gap_bytes = gap;
		id = guest_tx_post(tx, &hdr, frame.bytes, frame.len_bytes, cuts, nr_cuts);
		CHECK(id >= 0);
		senders[d].order[id] = number;
	}
	return true;
}

/* Lengths count as far as the flags say so. */
static void
check_same_mbuf(const struct rte_mbuf *a, const struct rte_mbuf *b)
{
	const uint64_t tso = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG;

	CHECK_EQ(a->pkt_len, b->pkt_len);
	CHECK_EQ(a->nb_segs, b->nb_segs);
	CHECK_EQ(a->ol_flags, b->ol_flags);
	if (a->ol_flags & (tso | RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM)) {
		CHECK_EQ(a->l2_len, b->l2_len);
		CHECK_EQ(a->l3_len, b->l3_len);
	}
	if (a->ol_flags & tso)
		CHECK_EQ(a->l4_len, b->l4_len);
	if (a->ol_flags & (tso | RTE_MBUF_F_RX_LRO))
		CHECK_EQ(a->tso_segsz, b->tso_segsz);
	CHECK_EQ(a->packet_type, b->packet_type);
	CHECK_EQ(a->vlan_tci, b->vlan_tci);
	CHECK_EQ(a->port, b->port);
	for (; a != NULL; a = a->next, b = b->next) {
		CHECK(b != NULL);
		CHECK_EQ(a->data_len, b->data_len);
		CHECK_EQ(a->data_off, b->data_off);
		CHECK(memcmp(rte_pktmbuf_mtod(a, void *), rte_pktmbuf_mtod(b, void *),
			     a->data_len) == 0);
	}
	CHECK(b == NULL);
}

/* Everything that is there, in calls of random size. */
static unsigned
take_all(int d, struct rte_mbuf **pkts)
{
	unsigned n = 0, got;

	do {
		uint16_t most = (uint16_t)RTE_MIN(MAX_BURST - n, 1 + below(MAX_BURST));

		if (d == ONE)
			got = rte_vhost_dequeue_burst(flows[d].vid, 1, pool, pkts + n, most);
		else
			got = copier_dequeue(flows[d].vid, 1, pool, pkts + n, most);
		n += got;
	} while (got > 0 && n < MAX_BURST);
	return n;
}

/* Used elements in the same order with the same lengths, as many as there were packets. */
static void
check_same_used(struct sender *senders, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct guest_used used[BOTH];

		for (int d = 0; d < BOTH; d++) {
			CHECK(guest_ring_poll(senders[d].tx.vq, &used[d], NULL));
			CHECK(used[d].id < senders[d].tx.vq->size);
			senders[d].tx.outstanding--;
		}
		CHECK_EQ(used[ONE].len_bytes, used[OTHER].len_bytes);
		CHECK_EQ(senders[ONE].order[used[ONE].id],
			 senders[OTHER].order[used[OTHER].id]);
	}
	for (int d = 0; d < BOTH; d++)
		CHECK_EQ(guest_ring_pending(senders[d].tx.vq), 0);
}

static void
guest_to_host_with(uint64_t flags)
{
	static struct sender senders[BOTH];
	static struct rte_mbuf *pkts[BOTH][MAX_BURST];

	for (unsigned round = 0; round < nr_rounds(); round++) {
		unsigned total = 0;

		seed(round);
		up(maybe() ? g2h_offloads : maybe() ? FE_F_CSUM : 0, flags);
		for (int d = 0; d < BOTH; d++)
			guest_tx_init(&senders[d].tx, &flows[d].fe.vqs[1], GUEST_NET_HDR_BYTES,
				      2 * BURST_BYTES);
		for (unsigned burst = 0; burst < BURSTS; burst++) {
			unsigned n = 0, want = 1 + below(MAX_BURST), got[BOTH];

			for (uint32_t bytes = 0; n < want && bytes < BURST_BYTES - 70000; n++) {
				if (!post_same(senders, total + n))
					break;
				bytes += frame.len_bytes;
			}
			before_the_device_writes();
			for (int d = 0; d < BOTH; d++)
				got[d] = take_all(d, pkts[d]);
			check_logs();
			CHECK_EQ(got[ONE], got[OTHER]);
			check_same_used(senders, n);
			for (unsigned i = 0; i < got[ONE]; i++)
				check_same_mbuf(pkts[ONE][i], pkts[OTHER][i]);
			for (int d = 0; d < BOTH; d++)
				rte_pktmbuf_free_bulk(pkts[d], got[d]);
			if (flags == 0)
				CHECK_EQ(got[ONE], n);
			total += n;
		}
		CHECK(total > BURSTS);
		CHECK(flow_pool_full(pool));
		down();
	}
}

static void
guest_to_host(void)
{
	guest_to_host_with(0);
}

static void
guest_to_host_compliant_offloads(void)
{
	if (is_stock)
		tap_skip("the stock library sums bytes that it has not copied yet");
	guest_to_host_with(RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
}

static void
guest_to_host_external_buffers(void)
{
	if (is_stock)
		tap_skip("the stock library leaks the external buffer");
	guest_to_host_with(RTE_VHOST_USER_EXTBUF_SUPPORT | RTE_VHOST_USER_LINEARBUF_SUPPORT);
}

/* What an application may ask for with the frame. */
static uint64_t
random_request(void)
{
	bool ipv6 = frame_proto != 0 && frame.bytes[frame.l2_bytes] >> 4 == 6;
	uint64_t ask = ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;

	if (frame_proto == 0 || maybe())
		return 0;
	if (!ipv6 && maybe())
		ask |= RTE_MBUF_F_TX_IP_CKSUM;
	if (frame_proto == IPPROTO_TCP)
		ask |= maybe() ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_TCP_SEG;
	else if (frame_proto == IPPROTO_UDP)
		ask |= maybe() ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_UDP_SEG;
	else if (frame_proto == IPPROTO_SCTP)
		ask |= RTE_MBUF_F_TX_SCTP_CKSUM;
	return ask;
}

/* The same packet twice, cut into the same segments, asking for the same. */
static void
random_mbufs(struct rte_mbuf *m[BOTH])
{
	uint32_t seg_bytes;
	uint16_t mss = (uint16_t)(100 + below(1400));
	uint64_t ask;

	random_frame();
	ask = random_request();
	seg_bytes = maybe() ? 0 : RTE_MAX(frame.len_bytes / (1 + below(8)) + 1, 150u);
	for (uint32_t i = 0; logged && i < frame.len_bytes; i++)
		frame.bytes[i] ^= frame.bytes[i] == FILL_BYTE; /* every byte is a change */
	for (int d = 0; d < BOTH; d++) {
		m[d] = packet_make(pool, frame.bytes, frame.len_bytes, seg_bytes);
		m[d]->ol_flags = ask;
		if (ask == 0)
			continue;
		m[d]->l2_len = frame.l2_bytes;
		m[d]->l3_len = frame.l3_bytes;
		m[d]->l4_len = frame.l4_bytes;
		m[d]->tso_segsz = mss;
	}
}

static unsigned
give_all(int d, struct rte_mbuf **pkts, unsigned n)
{
	unsigned done = 0, took;

	do {
		uint16_t most = (uint16_t)(n - done);

		if (d == ONE)
			took = rte_vhost_enqueue_burst(flows[d].vid, 0, pkts + done, most);
		else
			took = copier_enqueue(flows[d].vid, 0, pkts + done, most);
		done += took;
	} while (took > 0 && done < n);
	return done;
}

/* The same buffers used with the same lengths and, guards and rests included, the same bytes. */
static unsigned
check_same_buffers(struct guest_rx rx[BOTH])
{
	static uint8_t bytes[BOTH][70000 + 2 * GUARD_BYTES];
	uint32_t all_bytes = rx[ONE].buffer_bytes + 2 * GUARD_BYTES;
	struct guest_rx_buffer *buffers[BOTH];
	struct guest_used used[BOTH];
	unsigned n = 0;

	for (;; n++) {
		bool there[BOTH];

		for (int d = 0; d < BOTH; d++) {
			void *cookie = NULL;

			there[d] = guest_ring_poll(rx[d].vq, &used[d], &cookie);
			buffers[d] = cookie;
		}
		CHECK_EQ(there[ONE], there[OTHER]);
		if (!there[ONE])
			return n;
		for (int d = 0; d < BOTH; d++) {
			CHECK(buffers[d] != NULL);
			buffers[d]->posted = false;
			guest_read(rx[d].vq->mem, buffers[d]->gpa - GUARD_BYTES, bytes[d],
				   all_bytes);
		}
		CHECK_EQ(buffers[ONE] - rx[ONE].buffers, buffers[OTHER] - rx[OTHER].buffers);
		CHECK_EQ(used[ONE].len_bytes, used[OTHER].len_bytes);
		CHECK(memcmp(bytes[ONE], bytes[OTHER], all_bytes) == 0);
	}
}

static void
one_burst_to_guests(struct guest_rx rx[BOTH], unsigned *delivered)
{
	static struct rte_mbuf *pkts[BOTH][MAX_BURST];
	unsigned n = 0, want = 1 + below(MAX_BURST), fill = 1 + below(256), filled[BOTH], took[BOTH];
	/* Difference: in a burst the stock library takes the table for a buffer. */
	bool indirect = !is_stock && (flows[ONE].fe.features & FE_F_INDIRECT_DESC) && maybe();

	for (uint32_t bytes = 0; n < want && bytes < BURST_BYTES; n++) {
		struct rte_mbuf *m[BOTH];

		random_mbufs(m);
		for (int d = 0; d < BOTH; d++)
			pkts[d][n] = m[d];
		bytes += frame.len_bytes;
	}
	for (int d = 0; d < BOTH; d++) {
		rx[d].vq->indirect = indirect;
		filled[d] = guest_rx_fill(&rx[d], fill);
	}
	before_the_device_writes();
	for (int d = 0; d < BOTH; d++) {
		took[d] = give_all(d, pkts[d], n);
		rte_pktmbuf_free_bulk(pkts[d], n);
	}
	check_logs();
	CHECK_EQ(filled[ONE], filled[OTHER]);
	CHECK_EQ(took[ONE], took[OTHER]);
	*delivered += check_same_buffers(rx);
}

static void
host_to_guest_with(uint64_t features)
{
	bool mergeable = (features & FE_F_MRG_RXBUF) != 0;

	for (unsigned round = 0; round < nr_rounds(); round++) {
		uint32_t buffer_bytes, piece_bytes;
		struct guest_rx rx[BOTH];
		unsigned delivered = 0;

		seed(round);
		/* What a guest does not take is done in software: stock hands it over. */
		up(features | (maybe() ? h2g_offloads : below(2048) & h2g_offloads & ~FE_F_GUEST_UFO), 0);
		buffer_bytes = mergeable ? 300 + below(6000) : 3000 + below(62600);
		/* Difference: in a burst the stock library takes the pieces for buffers. */
		piece_bytes = is_stock || maybe() ? 0 : buffer_bytes / (1 + below(3)) + 16;
		for (int d = 0; d < BOTH; d++) {
			CHECK_EQ(guest_rx_init(&rx[d], &flows[d].fe.vqs[0], GUEST_NET_HDR_BYTES,
					       mergeable, 80, buffer_bytes), 0);
			rx[d].piece_bytes = piece_bytes;
		}
		for (unsigned burst = 0; burst < BURSTS; burst++)
			one_burst_to_guests(rx, &delivered);
		CHECK(delivered > BURSTS);
		for (int d = 0; d < BOTH; d++) {
			CHECK(guest_rx_guards_intact(&rx[d]));
			guest_rx_fini(&rx[d]);
		}
		CHECK(flow_pool_full(pool));
		down();
	}
}

static void
host_to_guest_mergeable(void)
{
	host_to_guest_with(FE_F_MRG_RXBUF);
}

static void
host_to_guest_plain(void)
{
	host_to_guest_with(0);
}

static void
log_writes(void)
{
	if (is_stock && !copier_is_cpu)
		tap_skip("the stock library cannot migrate a guest whose packets an engine copies");
	logged = true;
}

static void
guest_to_host_while_migrating(void)
{
	log_writes();
	guest_to_host_with(0);
}

static void
host_to_guest_mergeable_while_migrating(void)
{
	log_writes();
	host_to_guest_with(FE_F_MRG_RXBUF);
}

static void
host_to_guest_plain_while_migrating(void)
{
	log_writes();
	host_to_guest_with(0);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(guest_to_host),
		FLOW_TEST(guest_to_host_compliant_offloads),
		FLOW_TEST(guest_to_host_external_buffers),
		FLOW_TEST(host_to_guest_mergeable),
		FLOW_TEST(host_to_guest_plain),
		FLOW_TEST(guest_to_host_while_migrating),
		FLOW_TEST(host_to_guest_mergeable_while_migrating),
		FLOW_TEST(host_to_guest_plain_while_migrating),
	};

	copier_init();
	return flow_main(argc, argv, tests, RTE_DIM(tests), setup, down);
}
