/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile frontend with a vIOMMU, or a hostile guest behind one. I/O virtual addresses are the
 * guest's physical ones for buffers, and the frontend's own for rings (so that SET_VRING_ADDR says
 * the same as ever).
 */
#include "line.h"

#define PAGE 4096u
#define RW (FE_IOTLB_READ | FE_IOTLB_WRITE)

static const struct fe_config iommu_config = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_ACCESS_PLATFORM,
	.protocol_features = ALL_PROTOCOL & ~(1u << FE_PROTOCOL_F_STATUS),
	.regions = &line_region,
	.nregions = 1,
	.ring_size = RING_SIZE,
};

static int tell(uint8_t type, uint64_t iova, uint64_t size_bytes, uint64_t uva, uint8_t access)
{
	return fe_iotlb(&line, type, iova, size_bytes, uva, access);
}

static void map_all(void)
{
	CHECK_EQ(tell(FE_IOTLB_UPDATE, 0, REGION_BYTES, GUEST_UVA_BASE, RW), 0);
	CHECK_EQ(tell(FE_IOTLB_UPDATE, GUEST_UVA_BASE, REGION_BYTES, GUEST_UVA_BASE, RW), 0);
}

static void iommu_negotiated(void)
{
	rec_reset();
	fe_init(&line);
	line_path = strdup(flow_serve(RTE_VHOST_USER_IOMMU_SUPPORT));
	line_negotiated(&iommu_config);
	CHECK(line.features & FE_F_ACCESS_PLATFORM);
	CHECK_EQ(fe_set_backend_req_fd(&line), 0);
}

static void iommu_up(void)
{
	iommu_negotiated();
	CHECK_EQ(fe_start(&line, &iommu_config), 0);
	map_all();
	CHECK(rec_wait_tail("+dev"));
}

/* One packet from the guest. */
static bool line_sends(uint32_t seed)
{
	struct guest_tx tx;
	uint8_t data[200];
	struct rte_mbuf *m;
	bool right;

	guest_tx_init(&tx, &line.vqs[1], HDR, 512);
	guest_pattern(seed, data, sizeof(data));
	if (guest_tx_send(&tx, NULL, data, sizeof(data)) < 0 ||
	    rte_vhost_dequeue_burst(rec_vid(), 1, rig.pool, &m, 1) != 1)
		return false;
	right = packet_equals(m, data, sizeof(data));
	rte_pktmbuf_free(m);
	return right && guest_ring_poll(&line.vqs[1], &(struct guest_used){ 0 }, NULL);
}

static unsigned int bring(uint32_t seed)
{
	struct rte_mbuf *m = packet_pattern(rig.pool, seed, 100, 0);
	unsigned int n = rte_vhost_enqueue_burst(rec_vid(), 0, &m, 1);

	rte_pktmbuf_free(m);
	return n;
}

static void post_buffer(uint64_t gpa)
{
	const struct guest_seg seg = { .gpa = gpa, .len_bytes = 500, .flags = GUEST_DESC_WRITE };

	CHECK(guest_ring_post(&line.vqs[0], &seg, 1, NULL) >= 0);
}

static void f33_translations_to_nowhere(void)
{
	static const struct {
		uint64_t iova, size, uva;
	} bad[] = {
		{ 0, PAGE, 0 },
		{ 0, PAGE, GUEST_UVA_BASE - 1 },
		{ 0, PAGE, GUEST_UVA_BASE + REGION_BYTES - PAGE + 1 },
		{ 0, REGION_BYTES + 1, GUEST_UVA_BASE },
		{ 0, 0, GUEST_UVA_BASE },
		{ 0, UINT64_MAX, GUEST_UVA_BASE },
		{ UINT64_MAX - PAGE + 1, PAGE, GUEST_UVA_BASE },
		{ UINT64_MAX, 2, GUEST_UVA_BASE },
		{ 0, PAGE, UINT64_MAX - PAGE + 1 },
		{ 0, PAGE, UINT64_MAX },
	};

	iommu_up();
	for (unsigned int i = 0; i < RTE_DIM(bad); i++)
		CHECK_EQ(tell(FE_IOTLB_UPDATE, bad[i].iova, bad[i].size, bad[i].uva, RW), 1);
	CHECK(line_sends(1));
	line_down();
}

static void f33_rings_taken_away(void)
{
	iommu_up();
	for (uint32_t round = 0; round < 200; round++) {
		CHECK(line_sends(round));
		CHECK_EQ(tell(FE_IOTLB_INVALIDATE, GUEST_UVA_BASE + round % 8 * PAGE, PAGE, 0, 0), 0);
		(void)rte_vhost_avail_entries(rec_vid(), 1);
		(void)rte_vhost_vring_call(rec_vid(), 1);
		CHECK_EQ(rte_vhost_enable_guest_notification(rec_vid(), 1, round % 2), 0);
		CHECK_EQ(rte_vhost_rx_queue_count(rec_vid(), 1), 0);
		map_all();
	}
	CHECK_EQ(tell(FE_IOTLB_INVALIDATE, 0, 0, 0, 0), 0);
	CHECK(!line_sends(0));
	line_down();
}

static void f34_flood(void)
{
	unsigned int open, maps;

	iommu_up();
	open = rig_count_fds();
	maps = rig_count_maps();
	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t page = i * 7919 % 4096;

		/* Apart, side by side, over each other, large and small. */
		CHECK_EQ(tell(FE_IOTLB_UPDATE, (1ull << 40) + page * PAGE, (1 + i % 3) * PAGE,
			      GUEST_UVA_BASE + page % 500 * PAGE, (uint8_t)(1 + i % 3)), 0);
	}
	CHECK_EQ(rig_count_fds(), open);
	CHECK_EQ(rig_count_maps(), maps);
	/* What had to go for it comes back when it is asked for. */
	map_all();
	CHECK(line_sends(3));
	line_down();
}

static void f35_another_translation(void)
{
	const uint64_t a = REGION_BYTES - 8 * PAGE, b = REGION_BYTES - 4 * PAGE, at = 1ull << 40;
	struct guest_used used;

	iommu_up();
	guest_fill(&line.mem, a, 0x11, PAGE);
	guest_fill(&line.mem, b, 0x11, PAGE);
	for (unsigned int i = 0; i < 4; i++) {
		const uint64_t to = i % 2 == 0 ? a : b, other = i % 2 == 0 ? b : a;

		CHECK_EQ(tell(FE_IOTLB_UPDATE, at, PAGE, GUEST_UVA_BASE + to, RW), 0);
		post_buffer(at);
		CHECK_EQ(bring(i), 1);
		CHECK(*(uint8_t *)guest_ptr(&line.mem, to, 1) != 0x11);
		CHECK_EQ(*(uint8_t *)guest_ptr(&line.mem, other, 1), 0x11);
		guest_fill(&line.mem, to, 0x11, PAGE);
		CHECK(guest_ring_poll(&line.vqs[0], &used, NULL));
	}
	/* The same place with fewer rights. */
	CHECK_EQ(tell(FE_IOTLB_UPDATE, at, PAGE, GUEST_UVA_BASE + b, FE_IOTLB_READ), 0);
	post_buffer(at);
	CHECK_EQ(bring(9), 0);
	CHECK(guest_ring_poll(&line.vqs[0], &used, NULL));
	CHECK_EQ(used.len_bytes, 0);
	CHECK_EQ(*(uint8_t *)guest_ptr(&line.mem, b, 1), 0x11);
	line_down();
}

static void f36_table_before_and_after(void)
{
	struct guest_memory other;
	const uint64_t at = REGION_BYTES - 8 * PAGE;

	iommu_negotiated();
	/* No memory yet to translate to. */
	CHECK_EQ(tell(FE_IOTLB_UPDATE, 0, PAGE, GUEST_UVA_BASE, RW) != 0, true);
	line_hang_up();
	line_down();

	iommu_up();
	CHECK(line_sends(1));
	/* The same addresses in another file: the old one is unmapped, nothing may go there. */
	CHECK_EQ(guest_memory_create(&other, &line_region, 1), 0);
	memcpy(other.regions[0].local, line.mem.regions[0].local, REGION_BYTES);
	CHECK_EQ(fe_set_mem_table(&line, &other), 0);
	guest_ring_rebind(&line.vqs[0], &other);
	guest_fill(&other, at, 0x11, PAGE);
	line.vqs[0].mem = &other;
	post_buffer(at);
	CHECK_EQ(bring(1), 1);
	CHECK(*(uint8_t *)guest_ptr(&other, at, 1) != 0x11);
	guest_ring_rebind(&line.vqs[0], &line.mem);
	line.vqs[0].mem = &line.mem;
	guest_memory_destroy(&other);
	line_down();
}

/* Questions that nobody reads: the socket is full at some time, and nobody waits for it. */
static void l10_questions_nobody_reads(void)
{
	const struct guest_seg seg = { .gpa = 1ull << 41, .len_bytes = 60u << 10 };
	uint64_t slowest_us = 0;

	iommu_up();
	for (uint32_t round = 0; round < 3000; round++) {
		uint64_t since = flow_now_us(), took;
		struct rte_mbuf *m;

		if (round % RING_SIZE == 0)
			(void)guest_ring_post(&line.vqs[1], &seg, 1, NULL);
		CHECK_EQ(rte_vhost_dequeue_burst(rec_vid(), 1, rig.pool, &m, 1), 0);
		took = flow_now_us() - since;
		slowest_us = took > slowest_us ? took : slowest_us;
		/* Each answer, of whatever kind, has the next ones asked. */
		CHECK_EQ(tell(FE_IOTLB_INVALIDATE, 1ull << 41, 1u << 20, 0, 0), 0);
	}
	fprintf(tap.out, "# the slowest burst took %llu us\n", (unsigned long long)slowest_us);
	/* The other direction is not held up. */
	post_buffer(REGION_BYTES - 8 * PAGE);
	CHECK_EQ(bring(1), 1);
	line_down();
}

/* In the middle of a burst: what came before it is delivered, the rest waits. */
static void r25_missing_in_the_middle(void)
{
	struct rte_mbuf *m[32];
	const uint64_t at = REGION_BYTES - 64 * PAGE;
	unsigned int n;

	iommu_up();
	for (unsigned int round = 0; round < 50; round++) {
		const unsigned int gone = round % 10;

		CHECK_EQ(tell(FE_IOTLB_INVALIDATE, 0, REGION_BYTES, 0, 0), 0);
		for (unsigned int i = 0; i < 10; i++) {
			const struct guest_seg seg = { .gpa = at + i * PAGE, .len_bytes = HDR + 100 };

			guest_fill(&line.mem, seg.gpa, 0, HDR);
			CHECK(guest_ring_post(&line.vqs[1], &seg, 1, NULL) >= 0);
			if (i != gone)
				CHECK_EQ(tell(FE_IOTLB_UPDATE, seg.gpa, PAGE, GUEST_UVA_BASE + seg.gpa, FE_IOTLB_READ), 0);
		}
		n = rte_vhost_dequeue_burst(rec_vid(), 1, rig.pool, m, 32);
		rte_pktmbuf_free_bulk(m, n);
		CHECK_EQ(n, gone);
		CHECK_EQ(rte_vhost_dequeue_burst(rec_vid(), 1, rig.pool, m, 32), 0);
		CHECK_EQ(tell(FE_IOTLB_UPDATE, at + gone * PAGE, PAGE,
			      GUEST_UVA_BASE + at + gone * PAGE, FE_IOTLB_READ), 0);
		n = rte_vhost_dequeue_burst(rec_vid(), 1, rig.pool, m, 32);
		rte_pktmbuf_free_bulk(m, n);
		CHECK_EQ(n, 10 - gone);
		while (guest_ring_poll(&line.vqs[1], &(struct guest_used){ 0 }, NULL))
			;
		/* The questions; the socket stays readable. */
		line.timeout_ms = 0;
		while (fe_recv_backend(&line, &(struct fe_msg){ 0 }) == 0)
			;
		line.timeout_ms = TIMEOUT_MS;
	}
	line_down();
}

/* The other end of the questions' socket is closed, or was never there. */
static void l10_nobody_to_ask(void)
{
	struct rte_mbuf *m;

	iommu_up();
	close(line.backend_fd);
	line.backend_fd = -1;
	CHECK_EQ(tell(FE_IOTLB_INVALIDATE, 0, REGION_BYTES, 0, 0), 0);
	CHECK(!line_sends(1));
	for (unsigned int i = 0; i < 100; i++)
		CHECK_EQ(rte_vhost_dequeue_burst(rec_vid(), 1, rig.pool, &m, 1), 0);
	CHECK_EQ(tell(FE_IOTLB_INVALIDATE, GUEST_UVA_BASE, REGION_BYTES, 0, 0), 0);
	CHECK_EQ(fe_sync(&line), 0);
	map_all();
	CHECK_EQ(rte_vhost_dequeue_burst(rec_vid(), 1, rig.pool, &m, 1), 1);
	rte_pktmbuf_free(m);
	line_down();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "F33 translations to nowhere", f33_translations_to_nowhere },
		{ "F33 rings taken away and given back", f33_rings_taken_away },
		{ "F34 flood of translations", f34_flood },
		{ "F35 another translation for the same address", f35_another_translation },
		{ "F36 translations before and after a memory table", f36_table_before_and_after },
		{ "R25 missing in the middle of a burst", r25_missing_in_the_middle },
		{ "L10 questions that nobody reads", l10_questions_nobody_reads },
		{ "L10 nobody to ask", l10_nobody_to_ask },
	};

	return line_main(argc, argv, tests, RTE_DIM(tests));
}
