/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile frontend: memory tables and slots, and rings that do not lie in them.
 */
#include "guest_log.h"
#include "line.h"

/* A table of up to 8 regions as it goes over the wire. */
static struct fe_mem_table table;
static int table_fds[8];

static void table_start(unsigned int nr_regions)
{
	table = (struct fe_mem_table){ .nregions = nr_regions };
	for (unsigned int i = 0; i < nr_regions && i < 8; i++) {
		table.regions[i] = (struct fe_mem_region){
			.gpa = i * 0x10000000ull,
			.size_bytes = REGION_BYTES,
			.uva = 0x700000000000ull + i * 0x10000000ull,
		};
		table_fds[i] = line.mem.regions[0].fd;
	}
}

static size_t table_bytes(unsigned int nr_regions)
{
	return offsetof(struct fe_mem_table, regions) + nr_regions * sizeof(table.regions[0]);
}

static void table_refused(unsigned int nr_regions)
{
	unsigned int maps = rig_count_maps();

	refused(&line, FE_SET_MEM_TABLE, &table, table_bytes(nr_regions), table_fds, nr_regions);
	CHECK_EQ(rig_count_maps(), maps);
}

static void table_taken(unsigned int nr_regions)
{
	CHECK_EQ(fe_request_ack(&line, FE_SET_MEM_TABLE, &table, table_bytes(nr_regions), table_fds,
				nr_regions),
		 0);
}

/* The same, others, and tables that fail midway, over and over on a running device. */
static void f4_repeated_tables(void)
{
	struct frontend *fe = &rig.flow.fe;
	struct guest_memory two;
	const struct guest_region_spec second = { .gpa = 1ull << 33, .size_bytes = REGION_BYTES };
	unsigned int open, maps;

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	fe->use_ack = true;
	two = fe->mem;
	CHECK_EQ(guest_memory_add(&two, &second), 0);
	CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0);
	open = rig_count_fds();
	maps = rig_count_maps();
	for (unsigned int i = 0; i < 300; i++) {
		CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0); /* the same */
		CHECK_EQ(fe_set_mem_table(fe, &two), 0);     /* another */
		CHECK_EQ(rig_count_maps(), maps + 1);
		two.regions[1].size_bytes = 1ull << 40; /* fails at the second */
		CHECK_EQ(fe_set_mem_table(fe, &two), 1);
		two.regions[1].size_bytes = REGION_BYTES;
		CHECK_EQ(rig_count_maps(), maps + 1);
		two.regions[1].gpa = 4096; /* fails when all are mapped */
		CHECK_EQ(fe_set_mem_table(fe, &two), 1);
		two.regions[1].gpa = second.gpa;
		CHECK_EQ(rig_count_maps(), maps + 1);
		CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0);
		CHECK_EQ(fe_sync(fe), 0);
		CHECK_EQ(rig_count_fds(), open);
		CHECK_EQ(rig_count_maps(), maps);
	}
	CHECK(rig_serves_tx());
	CHECK(rig_serves_rx());
	fe->mem = two; /* so that fe_close() frees the second, too */
	line_down();
}

static void f14_impossible_regions(void)
{
	static const uint32_t counts[] = { 0, 2, 9, 0x80000001, UINT32_MAX };
	static const struct {
		uint64_t size, offset;
	} bad[] = {
		{ 0, 0 },
		{ 0, 100 }, /* a page is needed for what comes before it */
		{ UINT64_MAX, 0 },
		{ UINT64_MAX - 4095, 0 },      /* rounds up to 0 */
		{ UINT64_MAX - 100, 0 },
		{ REGION_BYTES, UINT64_MAX },  /* offset + size wraps */
		{ REGION_BYTES, UINT64_MAX - REGION_BYTES + 1 },
		{ 4096, UINT64_MAX - 4095 },
		{ 4096, 1ull << 63 },
		{ 1ull << 63, 1ull << 63 },
	};

	line_up();
	for (unsigned int i = 0; i < RTE_DIM(counts); i++) {
		table_start(1);
		table.nregions = counts[i];
		table_refused(1);
		table_start(8);
		table.nregions = counts[i];
		table_refused(8);
	}
	/* Nine of everything do not fit the message. */
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		table_start(3);
		table.regions[i % 3].size_bytes = bad[i].size;
		table.regions[i % 3].mmap_offset_bytes = bad[i].offset;
		table_refused(3);
	}
	table_start(8);
	table_taken(8);
	line_down();
}

/* A byte behind the end of the file would raise SIGBUS. */
static void f15_region_larger_than_its_file(void)
{
	int empty = memfd_create("empty", MFD_CLOEXEC), pipe_fds[2];

	line_up();
	table_start(1);
	table.regions[0].size_bytes = REGION_BYTES + 1;
	table_refused(1);
	table.regions[0].size_bytes = REGION_BYTES + 4096;
	table_refused(1);
	table.regions[0].size_bytes = REGION_BYTES;
	table.regions[0].mmap_offset_bytes = 1;
	table_refused(1);
	table.regions[0].mmap_offset_bytes = REGION_BYTES;
	table.regions[0].size_bytes = 1;
	table_refused(1);
	table_start(1);
	table_fds[0] = empty;
	table_refused(1);
	/* No file at all. */
	CHECK_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
	table_fds[0] = pipe_fds[0];
	table_refused(1);
	table_fds[0] = line.vqs[0].kickfd;
	table_refused(1);
	/* The last byte of the file is fine. */
	table_start(1);
	table.regions[0].mmap_offset_bytes = REGION_BYTES - 4096;
	table.regions[0].size_bytes = 4096;
	table_taken(1);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(empty);
	line_down();
}

static void f16_overlaps_and_wraps(void)
{
	static const int64_t near[] = { 0,  1,
					4096, REGION_BYTES - 1,
					-1, 1 - (int64_t)REGION_BYTES };

	line_up();
	for (unsigned int i = 0; i < RTE_DIM(near); i++) {
		table_start(3);
		table.regions[2].gpa = table.regions[1].gpa + (uint64_t)near[i];
		table_refused(3);
		table_start(3);
		table.regions[2].uva = table.regions[1].uva + (uint64_t)near[i];
		table_refused(3);
	}
	/* Side by side is no overlap, in whatever order. */
	table_start(3);
	table.regions[0].gpa = table.regions[1].gpa + REGION_BYTES;
	table.regions[2].gpa = table.regions[1].gpa - REGION_BYTES;
	table_taken(3);
	for (unsigned int shift = 1; shift < 21; shift += 4) {
		table_start(2);
		table.regions[1].gpa = UINT64_MAX - (REGION_BYTES >> shift) + 1;
		table_refused(2);
		table_start(2);
		table.regions[1].uva = UINT64_MAX - (REGION_BYTES >> shift) + 1;
		table_refused(2);
	}
	line_down();
}

/* The same addresses, another file: what is in that one counts. */
/* A file that gets shorter while bursts run costs its own connection, not the process. */
static void f15_file_cut_while_mapped(void)
{
	struct rte_mempool *pool = flow_pool(64, 2048);
	struct rte_mbuf *one, *pkts[8];
	int vid;

	line_serve();
	for (unsigned int keeps = 0; keeps < REGION_BYTES; keeps += REGION_BYTES / 4) {
		line_negotiated(&line_config);
		CHECK_EQ(fe_start(&line, &line_config), 0);
		CHECK(rec_wait_tail("+dev"));
		vid = rec_vid();
		one = packet_pattern(pool, 1, 1000, 0);
		CHECK_EQ(ftruncate(line.mem.regions[0].fd, keeps), 0);
		for (unsigned int i = 0; i < 100; i++) {
			CHECK_EQ(rte_vhost_dequeue_burst(vid, 1, pool, pkts, 8), 0);
			CHECK_EQ(rte_vhost_enqueue_burst(vid, 0, &one, 1), 0);
			rte_vhost_vring_call(vid, 0);
		}
		rte_pktmbuf_free(one);
		/* For our own mapping; theirs stays as it is. */
		CHECK_EQ(ftruncate(line.mem.regions[0].fd, REGION_BYTES), 0);
		CHECK_EQ(rte_vhost_dequeue_burst(vid, 1, pool, pkts, 8), 0);
		if (keeps == 0) { /* what is gone was touched: the rings are at the start */
			CHECK_EQ(fe_sync(&line), -ECONNRESET);
			CHECK(rec_wait_tail("-dev -conn"));
		}
		line_hang_up();
	}
	CHECK(flow_pool_full(pool));
	rte_mempool_free(pool);
	line_down();
}

static void f17_same_addresses_another_file(void)
{
	struct frontend *fe = &rig.flow.fe;
	struct guest_memory old;
	static uint8_t copy[REGION_BYTES];

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	fe->use_ack = true;
	for (unsigned int i = 0; i < 5; i++) {
		old = fe->mem;
		guest_read(&old, 0, copy, sizeof(copy));
		CHECK_EQ(guest_memory_create(&fe->mem, &line_region, 1), 0);
		guest_write(&fe->mem, 0, copy, sizeof(copy));
		CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0);
		guest_ring_rebind(&fe->vqs[0], &fe->mem);
		guest_ring_rebind(&fe->vqs[1], &fe->mem);
		/* Not a byte may come from here, nor go to it. */
		guest_fill(&old, 0, 0xff, sizeof(copy));
		CHECK(rig_serves_tx());
		CHECK(rig_serves_rx());
		for (uint32_t at = 0; at < REGION_BYTES; at++)
			if (old.regions[0].local[at] != 0xff)
				tap_fail(__FILE__, __LINE__, "the old file was written to");
		guest_memory_destroy(&old);
	}
	line_down();
}

/* Another offset in the same file. */
static void f17_same_file_another_offset(void)
{
	struct frontend *fe = &rig.flow.fe;
	struct guest_region *r;
	static uint8_t copy[REGION_BYTES];
	int fd = memfd_create("guest-memory", MFD_CLOEXEC);
	uint8_t *map;

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	fe->use_ack = true;
	CHECK_EQ(ftruncate(fd, 3 * REGION_BYTES), 0);
	map = mmap(NULL, 3 * REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	guest_read(&fe->mem, 0, copy, sizeof(copy));
	guest_memory_destroy(&fe->mem);
	r = &fe->mem.regions[0];
	fe->mem.nregions = 1;
	for (unsigned int i = 0; i < 3; i++) {
		*r = (struct guest_region){ .uva = GUEST_UVA_BASE,
					    .size_bytes = REGION_BYTES,
					    .mmap_offset_bytes = i * REGION_BYTES,
					    .local = map + i * REGION_BYTES,
					    .fd = fd };
		memcpy(r->local, copy, sizeof(copy));
		guest_ring_rebind(&fe->vqs[0], &fe->mem);
		guest_ring_rebind(&fe->vqs[1], &fe->mem);
		CHECK_EQ(fe_set_mem_table(fe, &fe->mem), 0);
		CHECK(rig_serves_tx());
		CHECK(rig_serves_rx());
		memcpy(copy, r->local, sizeof(copy));
	}
	fe->mem.nregions = 0;
	munmap(map, 3 * REGION_BYTES);
	close(fd);
	line_down();
}

static struct fe_vring_addr addr_of(const struct frontend *fe, uint32_t index)
{
	const struct guest_ring *vq = &fe->vqs[index];

	return (struct fe_vring_addr){ .index = index,
				       .desc_uva = guest_uva(&fe->mem, vq->desc_gpa),
				       .avail_uva = guest_uva(&fe->mem, vq->avail_gpa),
				       .used_uva = guest_uva(&fe->mem, vq->used_gpa) };
}

static void f20_vring_addr_before_the_table(void)
{
	struct fe_vring_addr addr;

	line_up();
	for (uint32_t i = 0; i < 2; i++) {
		addr = addr_of(&line, i);
		refused(&line, FE_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	}
	/* The rest of a start without memory, then memory: it comes up. */
	CHECK_EQ(fe_set_vring_num(&line, 0, RING_SIZE), 0);
	CHECK_EQ(fe_set_vring_kick(&line, 0, line.vqs[0].kickfd), 0);
	CHECK_EQ(fe_set_vring_call(&line, 0, line.vqs[0].callfd), 0);
	CHECK_EQ(fe_set_vring_enable(&line, 0, true), 0);
	CHECK_EQ(fe_stop(&line, NULL), 0);
	CHECK_STR(rec_text(), "+conn");
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev");
	line_down();
}

/* Moves both rings of the running device elsewhere, as after migration. */
static void f31_vring_addr_while_running(void)
{
	struct frontend *fe = &rig.flow.fe;
	struct rig_range used_ring;

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	fe->use_ack = true;
	for (unsigned int round = 0; round < 6; round++) {
		uint32_t q = round % 2;
		struct guest_ring *vq = &fe->vqs[q];
		uint64_t old_used = vq->used_gpa;
		struct fe_vring_addr addr;
		uint8_t copy[8 * RING_SIZE + 6];

		vq->desc_gpa = guest_alloc(&fe->mem, guest_split_desc_bytes(vq->size), 4096);
		vq->avail_gpa = guest_alloc(&fe->mem, guest_split_avail_bytes(vq->size), 64);
		vq->used_gpa = guest_alloc(&fe->mem, guest_split_used_bytes(vq->size), 64);
		guest_read(&fe->mem, old_used, copy, sizeof(copy));
		guest_write(&fe->mem, vq->used_gpa, copy, sizeof(copy));
		guest_ring_rebind(vq, &fe->mem);
		guest_split_raw_avail_idx(vq, vq->avail_idx);
		addr = addr_of(fe, q);
		CHECK_EQ(fe_set_vring_addr(fe, &addr), 0);
		rig_picture();
		CHECK(q == 0 ? rig_serves_rx() : rig_serves_tx());
		/* Not to where it was. */
		used_ring = (struct rig_range){ old_used, sizeof(copy) };
		guest_read(&fe->mem, old_used, copy, sizeof(copy));
		CHECK(memcmp(copy, rig.picture + used_ring.gpa, sizeof(copy)) == 0);
	}
	CHECK(rig_serves_rx());
	CHECK(rig_serves_tx());
	line_down();
}

/* Nowhere: the queue stops, the other one and the device's process do not. */
static void f31_vring_addr_to_nowhere_while_running(void)
{
	struct frontend *fe = &rig.flow.fe;
	struct fe_vring_addr addr;

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	fe->use_ack = true;
	rec_reset();
	addr = addr_of(fe, 1);
	addr.used_uva = GUEST_UVA_BASE + (1ull << 40);
	CHECK_EQ(fe_set_vring_addr(fe, &addr), 1);
	CHECK_STR(rec_text(), "q1=0");
	CHECK_EQ(rig_drop_all(), 0);
	CHECK(rig_serves_rx());
	/* And back. */
	addr = addr_of(fe, 1);
	CHECK_EQ(fe_set_vring_addr(fe, &addr), 0);
	CHECK_STR(rec_text(), "q1=0 q1=1");
	CHECK(rig_serves_tx());
	line_down();
}

/* One part of ring 0 ends `beyond` bytes behind the region. It must not become ready. */
static void ring_outside(unsigned int part, uint64_t beyond, bool is_outside)
{
	const uint64_t bytes[] = { guest_split_desc_bytes(RING_SIZE),
				   guest_split_avail_bytes(RING_SIZE),
				   guest_split_used_bytes(RING_SIZE) };
	struct fe_vring_addr addr = addr_of(&line, 0);
	uint64_t *uva[] = { &addr.desc_uva, &addr.avail_uva, &addr.used_uva };
	uint64_t align[] = { 16, 2, 4 };

	*uva[part] = (GUEST_UVA_BASE + REGION_BYTES - bytes[part]) / align[part] * align[part] +
		     beyond;
	rec_reset();
	CHECK_EQ(fe_set_vring_num(&line, 0, RING_SIZE), 0);
	CHECK_EQ(fe_set_vring_addr(&line, &addr), 0);
	CHECK_EQ(fe_set_vring_kick(&line, 0, line.vqs[0].kickfd), 0);
	CHECK_EQ(fe_set_vring_call(&line, 0, line.vqs[0].callfd), 0);
	CHECK_EQ(fe_set_vring_enable(&line, 0, true), 0);
	CHECK_EQ(fe_sync(&line), 0);
	CHECK_STR(rec_text(), is_outside ? "" : "q0=1");
	CHECK_EQ(rte_vhost_avail_entries(rec_vid(), 0), 0);
	CHECK_EQ(fe_get_vring_base(&line, 0, NULL), 0);
}

static void f32_ring_partly_outside(void)
{
	line_up();
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
	for (unsigned int part = 0; part < 3; part++) {
		static const uint64_t least[] = { 16, 2, 4 };

		ring_outside(part, 0, false);
		/* The least one is the event index word: 2 bytes behind the ring. */
		ring_outside(part, least[part], true);
		ring_outside(part, 64, true);
		ring_outside(part, 4096, true);
		ring_outside(part, REGION_BYTES, true);
		ring_outside(part, 1ull << 62, true);
		/* Not aligned: 1 byte back from a place that fits. */
		ring_outside(part, (uint64_t)-1, true);
	}
	CHECK_EQ(fe_start(&line, &line_config), 0);
	CHECK(rec_wait_tail("+dev"));
	line_down();
}

/* --- memory slots --- */

static const struct fe_config slots_config = {
	.features = FE_F_VERSION_1 | FE_F_MQ | FE_F_MRG_RXBUF,
	.protocol_features = (ALL_PROTOCOL & ~(1u << FE_PROTOCOL_F_STATUS)) |
			     1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
	.regions = &line_region,
	.nregions = 1,
	.ring_size = RING_SIZE,
};

#define SLOTS 509
#define SLOT_BYTES 4096
#define SLOTS_GPA (1ull << 40)

/* The i-th of many small regions; they share the line's file. */
static struct fe_mem_reg slot(uint64_t i)
{
	return (struct fe_mem_reg){ .padding = UINT64_MAX,
				    .region = { .gpa = SLOTS_GPA + i * 2 * SLOT_BYTES,
						.size_bytes = SLOT_BYTES,
						.uva = SLOTS_GPA + i * 2 * SLOT_BYTES } };
}

static int slot_send(uint32_t request, const struct fe_mem_reg *reg)
{
	return fe_request_ack(&line, request, reg, sizeof(*reg), &line.mem.regions[0].fd,
			      request == FE_ADD_MEM_REG);
}

static void slot_refused(uint32_t request, const struct fe_mem_reg *reg, unsigned int nr_fds)
{
	int fds[8];

	for (unsigned int i = 0; i < 8; i++)
		fds[i] = line.mem.regions[0].fd;
	refused(&line, request, reg, sizeof(*reg), fds, nr_fds);
}

/* A device that is up, all its memory in slots. */
static void slots_up(void)
{
	line_serve();
	line_negotiated(&slots_config);
	CHECK_EQ(fe_start(&line, &slots_config), 0);
	CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev");
	rec_reset();
}

static void f42_rem_mem_reg_with_a_descriptor(void)
{
	const struct fe_mem_reg reg = slot(0);
	unsigned int open;
	int fd;

	slots_up();
	open = rig_count_fds();
	for (unsigned int i = 0; i < 20; i++) {
		/* Of what kind does not matter: nobody looks at it. */
		fd = i % 2 != 0 ? line.vqs[0].kickfd : line.mem.regions[0].fd;
		CHECK_EQ(slot_send(FE_ADD_MEM_REG, &reg), 0);
		CHECK_EQ(rig_count_fds(), open + 1);
		CHECK_EQ(fe_request_ack(&line, FE_REM_MEM_REG, &reg, sizeof(reg), &fd, 1), 0);
		CHECK_EQ(rig_count_fds(), open);
		slot_refused(FE_REM_MEM_REG, &reg, 1);
		slot_refused(FE_REM_MEM_REG, &reg, 2);
		slot_refused(FE_REM_MEM_REG, &reg, 8);
	}
	CHECK_STR(rec_text(), "");
	line_down();
}

static void f43_add_mem_reg_that_cannot_be(void)
{
	static const int64_t near[] = { 1, SLOT_BYTES - 1, -1, 1 - (int64_t)SLOT_BYTES };
	struct fe_mem_reg reg;
	unsigned int maps;

	slots_up();
	for (uint64_t i = 0; i < 3; i++) {
		reg = slot(i);
		CHECK_EQ(slot_send(FE_ADD_MEM_REG, &reg), 0);
	}
	maps = rig_count_maps();
	for (unsigned int i = 0; i < RTE_DIM(near); i++) {
		reg = slot(1);
		reg.region.gpa += (uint64_t)near[i];
		reg.region.uva = 1ull << 45;
		slot_refused(FE_ADD_MEM_REG, &reg, 1);
		reg = slot(1);
		reg.region.uva += (uint64_t)near[i];
		reg.region.gpa = 1ull << 45;
		slot_refused(FE_ADD_MEM_REG, &reg, 1);
		reg = slot(1);
		reg.region.mmap_offset_bytes = 4096; /* there, but other bytes */
		slot_refused(FE_ADD_MEM_REG, &reg, 1);
	}
	for (unsigned int n = 0; n <= 8; n++) {
		reg = slot(7);
		if (n != 1)
			slot_refused(FE_ADD_MEM_REG, &reg, n);
	}
	reg.region.size_bytes = 0;
	slot_refused(FE_ADD_MEM_REG, &reg, 1);
	reg.region.size_bytes = UINT64_MAX;
	slot_refused(FE_ADD_MEM_REG, &reg, 1);
	reg.region.size_bytes = REGION_BYTES + 1; /* of the file */
	slot_refused(FE_ADD_MEM_REG, &reg, 1);
	reg.region.mmap_offset_bytes = UINT64_MAX - 100;
	slot_refused(FE_ADD_MEM_REG, &reg, 1);
	reg = slot(7);
	reg.region.gpa = UINT64_MAX - 100;
	slot_refused(FE_ADD_MEM_REG, &reg, 1);
	reg = slot(7);
	slot_refused(FE_REM_MEM_REG, &reg, 0);
	reg = slot(1);
	reg.region.size_bytes += SLOT_BYTES;
	slot_refused(FE_REM_MEM_REG, &reg, 0);
	CHECK_EQ(rig_count_maps(), maps);
	CHECK_STR(rec_text(), "");
	line_down();
}

static void f43_more_than_the_slots(void)
{
	unsigned int open, maps;
	struct fe_mem_reg reg;

	slots_up();
	open = rig_count_fds();
	maps = rig_count_maps();
	for (unsigned int round = 0; round < 2; round++) {
		for (uint64_t i = 1; i < SLOTS; i++) {
			reg = slot(i * 256 % SLOTS);
			CHECK_EQ(slot_send(FE_ADD_MEM_REG, &reg), 0);
		}
		CHECK_EQ(rig_count_fds(), open + SLOTS - 1);
		for (uint64_t i = 0; i < 50; i++) {
			reg = slot(SLOTS + i);
			slot_refused(FE_ADD_MEM_REG, &reg, 1);
		}
		CHECK_STR(rec_text(), "");
		CHECK(bystander_unharmed());
		for (uint64_t i = 1; i < SLOTS; i++) {
			reg = slot(i);
			CHECK_EQ(slot_send(FE_REM_MEM_REG, &reg), 0);
			slot_refused(FE_REM_MEM_REG, &reg, 0);
		}
		CHECK_EQ(rig_count_fds(), open);
		CHECK_EQ(rig_count_maps(), maps);
	}
	/* What is in the slots goes with the connection. */
	for (uint64_t i = 1; i < SLOTS; i++) {
		reg = slot(i);
		CHECK_EQ(slot_send(FE_ADD_MEM_REG, &reg), 0);
	}
	line_down();
}

static void f43_ten_thousand_times(void)
{
	const struct fe_mem_reg a = slot(1), b = slot(2);
	unsigned int open, maps;

	slots_up();
	open = rig_count_fds();
	maps = rig_count_maps();
	for (unsigned int i = 0; i < 10000; i++) {
		CHECK_EQ(slot_send(FE_ADD_MEM_REG, &a), 0);
		if (i % 3 == 0) {
			CHECK_EQ(slot_send(FE_ADD_MEM_REG, &a), 0); /* for another pair */
			CHECK_EQ(slot_send(FE_REM_MEM_REG, &a), 0);
		}
		if (i % 5 == 0) {
			CHECK_EQ(slot_send(FE_ADD_MEM_REG, &b), 0);
			CHECK_EQ(slot_send(FE_REM_MEM_REG, &b), 0);
			CHECK_EQ(slot_send(FE_REM_MEM_REG, &b), 1);
		}
		CHECK_EQ(slot_send(FE_REM_MEM_REG, &a), 0);
		if (i % 1000 == 0) {
			CHECK_EQ(rig_count_fds(), open);
			CHECK_EQ(rig_count_maps(), maps);
		}
	}
	CHECK_EQ(rig_count_fds(), open);
	CHECK_EQ(rig_count_maps(), maps);
	CHECK_STR(rec_text(), "");
	line_down();
}

/* Not negotiated: refused, whatever they say. */
static void f43_slots_nobody_agreed_on(void)
{
	const struct fe_mem_reg reg = slot(1);

	line_up();
	slot_refused(FE_ADD_MEM_REG, &reg, 1);
	slot_refused(FE_REM_MEM_REG, &reg, 0);
	line_down();
}

/* --- dirty logs ----------------------------------------------------------- */

static const struct fe_config logging_config = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
	.protocol_features = 1u << FE_PROTOCOL_F_REPLY_ACK | 1u << FE_PROTOCOL_F_LOG_SHMFD,
	.regions = &line_region,
	.nregions = 1,
	.ring_size = RING_SIZE,
};
#define LOG_BYTES ((uint64_t)REGION_BYTES / GUEST_LOG_PAGE_BYTES / 8)

static void logging_up(struct guest_log *log)
{
	line_negotiated(&logging_config);
	CHECK_EQ(fe_start(&line, &logging_config), 0);
	CHECK(rec_wait_tail("+dev"));
	CHECK_EQ(guest_log_create(log, REGION_BYTES, 0), 0);
}

/*
 * The answer to SET_LOG_BASE does not say whether it was taken, so a bad one costs the connection:
 * a frontend that believes in a log that is not there would lose its guest's memory.
 */
static void f1_impossible_logs(void)
{
	static const struct {
		uint64_t size, offset;
	} bad[] = {
		{ LOG_BYTES, UINT64_MAX - LOG_BYTES + 1 }, /* CVE-2020-10722: the sum is 0 */
		{ UINT64_MAX, 1 },
		{ UINT64_MAX, UINT64_MAX },
		{ UINT64_MAX - 4095, 0 }, /* rounds up to 0 */
		{ LOG_BYTES, 1ull << 63 },
		{ 1ull << 63, 0 },
		{ 0, 0 },
		{ LOG_BYTES + 4097, 0 },     /* beyond its file */
		{ LOG_BYTES, 2 * 4096 },
		{ LOG_BYTES - 1, 0 },	     /* has no bits for the last pages */
		{ 1, LOG_BYTES + 4096 - 1 },
	};
	struct guest_log log;

	line_serve();
	for (unsigned int i = 0; i < RTE_DIM(bad); i++) {
		logging_up(&log);
		CHECK_EQ(fe_set_log_base(&line, log.fd, bad[i].size, bad[i].offset), -ECONNRESET);
		guest_log_destroy(&log);
		line_hang_up();
	}
	/* Truncated since it was made; no file at all. */
	logging_up(&log);
	CHECK_EQ(ftruncate(log.fd, (off_t)LOG_BYTES - 1), 0);
	CHECK_EQ(fe_set_log_base(&line, log.fd, LOG_BYTES, 0), -ECONNRESET);
	guest_log_destroy(&log);
	line_hang_up();
	logging_up(&log);
	CHECK_EQ(fe_set_log_base(&line, line.vqs[0].kickfd, LOG_BYTES, 0), -ECONNRESET);
	guest_log_destroy(&log);
	line_down();
}

/* A table without a region left is a table; a log covers all of it. */
static void f43_log_for_no_memory(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
		.protocol_features = 1u << FE_PROTOCOL_F_REPLY_ACK | 1u << FE_PROTOCOL_F_LOG_SHMFD |
				     1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
		.regions = &line_region,
		.nregions = 1,
		.ring_size = RING_SIZE,
	};
	const struct fe_mem_reg reg = slot(0);
	struct guest_log log;

	line_serve();
	line_negotiated(&config);
	CHECK_EQ(slot_send(FE_ADD_MEM_REG, &reg), 0);
	CHECK_EQ(slot_send(FE_REM_MEM_REG, &reg), 0);
	CHECK_EQ(guest_log_create(&log, REGION_BYTES, 0), 0);
	CHECK_EQ(fe_set_log_base(&line, log.fd, LOG_BYTES, 0), 0);
	/* Now there is a log: memory that it does not cover is refused. */
	slot_refused(FE_ADD_MEM_REG, &reg, 1);
	guest_log_destroy(&log);
	line_down();
}

/* Used rings that would be logged where there is no log; the device goes on. */
static void f18_used_rings_outside_the_log(void)
{
	static const uint64_t addresses[] = {
		REGION_BYTES, REGION_BYTES - 8, REGION_BYTES - 1, 1ull << 40, 1ull << 63, UINT64_MAX,
		UINT64_MAX - 8 * RING_SIZE, UINT64_MAX - 4095,
	};
	struct guest_log log;
	struct fe_vring_addr addr;

	line_serve();
	logging_up(&log);
	CHECK_EQ(guest_log_start(&log, &line), 0);
	for (unsigned int i = 0; i < RTE_DIM(addresses); i++) {
		addr = (struct fe_vring_addr){
			.flags = 1,
			.desc_uva = guest_uva(&line.mem, line.vqs[0].desc_gpa),
			.used_uva = guest_uva(&line.mem, line.vqs[0].used_gpa),
			.avail_uva = guest_uva(&line.mem, line.vqs[0].avail_gpa),
			.log_gpa = addresses[i],
		};
		refused(&line, FE_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		/* What the application says is not believed either. */
		rte_vhost_log_used_vring(rec_vid(), 0, 0, 4);
		rte_vhost_log_used_vring(rec_vid(), 1, addresses[i], 4);
		rte_vhost_log_write(rec_vid(), addresses[i], UINT64_MAX - 5);
	}
	CHECK_EQ(guest_log_count(&log), 0);
	CHECK_EQ(fe_log_vring(&line, 0, true, line.vqs[0].used_gpa), 0);
	/* Memory that the log does not cover. */
	line.mem.regions[0].gpa += 32768;
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 1);
	line.mem.regions[0].gpa -= 32768;
	guest_log_destroy(&log);
	line_down();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "F4 memory table repeated, changed, failing midway", f4_repeated_tables },
		{ "F14 impossible regions", f14_impossible_regions },
		{ "F15 region larger than its file", f15_region_larger_than_its_file },
		{ "F15 file cut while it is mapped", f15_file_cut_while_mapped },
		{ "F16 overlaps and wraps", f16_overlaps_and_wraps },
		{ "F17 same addresses, another file", f17_same_addresses_another_file },
		{ "F17 same file, another offset", f17_same_file_another_offset },
		{ "F20 SET_VRING_ADDR before SET_MEM_TABLE", f20_vring_addr_before_the_table },
		{ "F31 SET_VRING_ADDR while running", f31_vring_addr_while_running },
		{ "F31 SET_VRING_ADDR to nowhere while running",
		  f31_vring_addr_to_nowhere_while_running },
		{ "F32 ring partly outside", f32_ring_partly_outside },
		{ "F42 REM_MEM_REG with a descriptor", f42_rem_mem_reg_with_a_descriptor },
		{ "F43 ADD_MEM_REG that cannot be", f43_add_mem_reg_that_cannot_be },
		{ "F43 more than the slots", f43_more_than_the_slots },
		{ "F43 slots filled and emptied 10,000 times", f43_ten_thousand_times },
		{ "F43 slots nobody agreed on", f43_slots_nobody_agreed_on },
		{ "F1 impossible dirty logs", f1_impossible_logs },
		{ "F43 a dirty log for no memory", f43_log_for_no_memory },
		{ "F18 used rings outside the dirty log", f18_used_rings_outside_the_log },
	};

	return line_main(argc, argv, tests, RTE_DIM(tests));
}
