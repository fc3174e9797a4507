/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net/packet_stats.h: what a run counts at once is what its packets count one by one. Built once
 * for each instruction set that the bursts are built for.
 */
#include "net/packet_stats.h"

#include "kit.h"

#define FRAME_BYTES 64

static uint8_t frames[BURST_PACKETS][FRAME_BYTES];
static struct rte_mbuf mbufs[BURST_PACKETS], *pkts[BURST_PACKETS];
static struct plan plan;
static struct device dev;
static struct vq vq;

static uint32_t some_length(void)
{
	static const uint32_t edges[] = { 0,   1,   63,  64,   65,   127,  128,   255,  256,
					  511, 512, 513, 1023, 1024, 1518, 1519,  2047, 2048,
					  65535, 65535 + 128 };

	return kit_random_below(4) == 0 ? edges[kit_random_below(ARRAY_LEN(edges))] :
					  kit_random_below(2000);
}

/* Segments behind the last one hold what an earlier run left. */
static void make_run(unsigned int n, bool rare)
{
	for (unsigned int i = 0; i < BURST_PACKETS; i++) {
		struct rte_mbuf *m = &mbufs[i];

		memset(m, 0, sizeof(*m));
		memset(frames[i], 0, FRAME_BYTES);
		m->buf_addr = frames[i];
		m->pkt_len = some_length();
		m->data_len = (uint16_t)RTE_MIN(m->pkt_len, (uint32_t)UINT16_MAX);
		if (rare && kit_random_below(8) == 0)
			memset(frames[i], kit_random_below(2) == 0 ? 0xff : 0x01, 6);
		if (rare && kit_random_below(8) == 0)
			m->ol_flags = RTE_MBUF_F_TX_TCP_SEG;
		if (rare && kit_random_below(8) == 0)
			frames[i][12] = 0x81;
		pkts[i] = m;
		plan.segs[i] = (struct copy_seg){ frames[i], frames[i], m->pkt_len };
	}
	plan.nr_segs = n;
}

static void assert_same(const struct vq_stats *a, const struct vq_stats *b, unsigned int n)
{
	for (unsigned int i = 0; i < stats_count(); i++)
		if (stats_value(a, i) != stats_value(b, i))
			fail_msg("run of %u: %s is %" PRIu64 ", one by one %" PRIu64, n,
				 stats_name(i), stats_value(a, i), stats_value(b, i));
}

static void check_run(unsigned int n, uint16_t mtu, bool rare)
{
	struct vq_stats to_guest = { 0 }, from_guest = { 0 };

	make_run(n, rare);
	dev.mtu_bytes = mtu;
	for (unsigned int i = 0; i < n; i++) {
		packet_stats(&to_guest, pkts[i], 12, packet_limit(&vq));
		packet_stats(&from_guest, pkts[i], 0, PACKET_ANY_BYTES);
	}
	memset(&vq.stats, 0, sizeof(vq.stats));
	run_stats_h2g(&vq, pkts, n, &plan, 12);
	assert_same(&vq.stats, &to_guest, n);
	/* It adds to what there was. */
	run_stats_h2g(&vq, pkts, n, &plan, 12);
	assert_int_equal(vq.stats.good_packets, 2 * n);
	assert_int_equal(vq.stats.size_bins[0], 2 * to_guest.size_bins[0]);
	memset(&vq.stats, 0, sizeof(vq.stats));
	run_stats_g2h(&vq, pkts, n, &plan, 0);
	assert_same(&vq.stats, &from_guest, n);
}

static void runs_of_all_lengths(void **state)
{
	static const uint16_t mtus[] = { 0, 68, 1400, 1500, 65535 };

	(void)state;
	kit_seed(7);
	vq.dev = &dev;
	vq.net.features = BIT(VIRTIO_NET_F_MTU);
	for (unsigned int round = 0; round < 2000; round++)
		for (unsigned int n = 1; n <= BURST_PACKETS; n++)
			check_run(n, mtus[round % ARRAY_LEN(mtus)], round % 2 == 0);
}

/* All in one bin: the most that a lane and a byte have to hold. */
static void full_bins(void **state)
{
	(void)state;
	for (unsigned int bin = 0; bin < STATS_SIZE_BINS; bin++) {
		static const uint32_t lens[STATS_SIZE_BINS] = { 60,  64,  100,  200,
								300, 600, 1500, 65535 };

		make_run(BURST_PACKETS, false);
		for (unsigned int i = 0; i < BURST_PACKETS; i++)
			plan.segs[i].len_bytes = lens[bin];
		memset(&vq.stats, 0, sizeof(vq.stats));
		run_stats_g2h(&vq, pkts, BURST_PACKETS, &plan, 0);
		for (unsigned int b = 0; b < STATS_SIZE_BINS; b++)
			assert_int_equal(vq.stats.size_bins[b], b == bin ? BURST_PACKETS : 0);
		assert_int_equal(vq.stats.good_bytes, (uint64_t)BURST_PACKETS * lens[bin]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_of_all_lengths),
		cmocka_unit_test(full_bins),
	};

#ifdef __AVX2__
	if (!__builtin_cpu_supports("avx2")) {
		puts("1..1\nok 1 - runs # SKIP this machine has no avx2");
		return 0;
	}
#endif
#ifdef __AVX512BW__
	if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) {
		puts("1..1\nok 1 - runs # SKIP this machine has no avx512");
		return 0;
	}
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
