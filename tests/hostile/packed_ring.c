/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile guest on a packed ring: what only this format has. Ids, wrap
 * counters, sizes that are no power of two, chains without an end, flags in the
 * middle of a batch, event suppression. The rest is in ring.c and header.c,
 * which run over both formats.
 */
#include "attack.h"
#include "copier.h"

/* Good traffic both ways, with content. */
static void both_serve(void)
{
	CHECK(rig_serves_tx());
	CHECK(rig_serves_rx());
}

static void both(void (*test)(struct guest_ring *vq), uint16_t ring_size)
{
	attack_up(0, 0, ring_size);
	test(rig.tx);
	test(rig.rx);
	attack_down();
}

/* --- lengths ------------------------------------------------------------- */

/* Buffers with no room for the header, between good ones of one batch. */
static void r7_short_buffers_in_a_batch(void)
{
	struct rte_mbuf *pkts[BURST];
	struct guest_used used[2 * BURST];
	struct rig_range changes[1 + BURST];
	unsigned int good = 0;

	attack_up(0, 0, 256);
	for (uint16_t i = 0; i < BURST; i++) {
		uint64_t gpa = rig.buffers_gpa + 4096 + 512u * i;

		pkts[i] = packet_pattern(rig.pool, i, 100, 0);
		if (i % 2 != 0) {
			rig_desc(rig.rx, i, gpa, i % HDR, GUEST_DESC_WRITE, 0);
		} else {
			rig_desc(rig.rx, i, gpa, HDR + 100, GUEST_DESC_WRITE, 0);
			changes[++good] = (struct rig_range){ gpa, HDR + 100 };
		}
		rig_offer(rig.rx, i);
	}
	changes[0] = rig_used_range(rig.rx);
	rig_picture();
	CHECK_EQ(copier_enqueue(rig.flow.vid, 0, pkts, BURST), good);
	CHECK_EQ(rig_used_list(rig.rx, used, 2 * BURST), BURST);
	for (uint16_t i = 0; i < BURST; i++) {
		CHECK_EQ(used[i].id, i);
		CHECK_EQ(used[i].len_bytes, i % 2 != 0 ? 0 : HDR + 100);
	}
	CHECK(rig_only_changed(changes, good + 1));
	CHECK_EQ(rig_counter(0, "dropped_chain_too_short"), BURST - good);
	rte_pktmbuf_free_bulk(pkts, BURST);
	both_serve();
	attack_down();
}

/* --- loops --------------------------------------------------------------- */

/* Every descriptor says that another one follows. */
static void endless(struct guest_ring *vq, uint32_t len)
{
	for (uint16_t slot = 0; slot < vq->size; slot++)
		rig_desc(vq, slot, rig.buffers_gpa, len, usable(vq) | GUEST_DESC_NEXT, 0);
}

static void r11_on(struct guest_ring *vq)
{
	static const uint32_t lens[] = { 0, 10, 600, UINT32_MAX };

	for (unsigned int i = 0; i < RTE_DIM(lens); i++) {
		endless(vq, lens[i]);
		rig_offer(vq, 0);
		expect_broken(vq, "ring_broken_loop");
		/* Wrong from its first descriptor on: no end all the same. */
		endless(vq, lens[i]);
		rig_desc(vq, 0, END, 600, GUEST_DESC_INDIRECT | GUEST_DESC_NEXT, 0);
		rig_offer(vq, 0);
		expect_broken(vq, "ring_broken_loop");
	}
	/* As long as the ring is no loop. */
	(void)rig_used(vq, NULL);
	for (uint16_t slot = 0; slot < vq->size; slot++)
		rig_desc(vq, slot, rig.buffers_gpa, 10,
			 usable(vq) | (slot + 1 < vq->size ? GUEST_DESC_NEXT : 0), 0);
	rig_offer(vq, 0);
	CHECK_EQ(serve(vq), 1);
	CHECK_EQ(rig_used(vq, NULL), 1);
	CHECK(serves(vq));
}

static void r11_chains_without_an_end(void)
{
	both(r11_on, RING_SIZE);
	both(r11_on, 37);
}

static void r11_tables_on(struct guest_ring *vq)
{
	uint64_t table = rig.buffers_gpa + 4096;

	/* A table in a table; itself. */
	indirect(table, 0, table, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	indirect(table, 1, rig.buffers_gpa, 600, usable(vq), 0);
	rig_desc(vq, 0, table, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	rig_desc(vq, 0, table, DESC_BYTES, GUEST_DESC_INDIRECT | GUEST_DESC_WRITE, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	/* One that goes on in the ring; one behind a descriptor of the ring. */
	indirect(table, 0, rig.buffers_gpa, 600, usable(vq), 0);
	rig_desc(vq, 0, table, DESC_BYTES, GUEST_DESC_INDIRECT | GUEST_DESC_NEXT, 0);
	rig_desc(vq, 1, rig.buffers_gpa, 600, usable(vq), 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	rig_desc(vq, 0, rig.buffers_gpa, 600, usable(vq) | GUEST_DESC_NEXT, 0);
	rig_desc(vq, 1, table, DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
	rig_desc(vq, 1, table, DESC_BYTES, GUEST_DESC_INDIRECT | GUEST_DESC_NEXT, 0);
	rig_desc(vq, 2, rig.buffers_gpa, 600, usable(vq), 0);
	expect_bad_chain(vq, 0, "dropped_bad_indirect");
}

static void r11_tables_in_tables(void)
{
	both(r11_tables_on, RING_SIZE);
}

/* --- ids ----------------------------------------------------------------- */

/* Beyond the ring, all the same: they are the guest's, and come back as they came. */
static void r15_on(struct guest_ring *vq)
{
	static const uint16_t ids[] = { RING_SIZE, 0x7fff, 0x8000, UINT16_MAX, 3, 3, 3, 0 };
	struct guest_packed_desc d[3] = { 0 };
	struct guest_used used[RTE_DIM(ids)];
	struct rig_range changes[] = { rig_used_range(vq), { rig.buffers_gpa, HDR + 100 } };
	unsigned int served = 0;

	(void)rig_used(vq, NULL);
	for (unsigned int i = 0; i < RTE_DIM(ids); i++) {
		for (unsigned int k = 0; k < 3; k++)
			d[k] = (struct guest_packed_desc){
				.gpa = rig.buffers_gpa + 100 * k,
				.len_bytes = 100,
				.id = (uint16_t)(k < 2 ? ~ids[i] : ids[i]),
				.flags = usable(vq) | (k < 2 ? GUEST_DESC_NEXT : 0),
			};
		rig_place(vq, d, 3, 3);
	}
	rig_picture();
	for (unsigned int i = 0; i < RTE_DIM(ids); i++)
		served += serve(vq);
	CHECK_EQ(served, RTE_DIM(ids));
	CHECK_EQ(rig_used_list(vq, used, RTE_DIM(ids)), RTE_DIM(ids));
	for (unsigned int i = 0; i < RTE_DIM(ids); i++) {
		CHECK_EQ(used[i].id, ids[i]);
		CHECK_EQ(used[i].len_bytes, vq == rig.rx ? HDR + 100 : 0);
	}
	CHECK(rig_only_changed(changes, vq == rig.rx ? 2 : 1));
	CHECK_EQ(guest_ring_errors(vq), 0);
	CHECK(serves(vq));
}

static void r15_ids_beyond_the_ring_and_twice(void)
{
	both(r15_on, RING_SIZE);
	/* In order, too, where one id stands for a batch. */
	attack_up(FE_F_VERSION_1 | FE_F_IN_ORDER, 0, RING_SIZE);
	r15_on(rig.rx);
	attack_down();
}

/* --- sizes and wrap counters --------------------------------------------- */

/* Chains of every length cross the end of the ring, good ones and bad ones. */
static void r16_size(uint16_t size)
{
	const unsigned int longest = RTE_MIN(size, 5);
	unsigned int rounds = size > 1000 ? 3 * size / 2 : 40 + 3 * size;

	attack_up(0, 0, size);
	/* A ring of some sizes is too short for the good packet of the rig: this is its own. */
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int n = 1 + i % longest;
		bool bad = i % 7 == 3;
		struct guest_packed_desc d[5];
		struct guest_used used = { 0 };
		struct rte_mbuf *m;
		bool right;

		put_packet(rig.buffers_gpa, i, 200);
		for (unsigned int k = 0; k < n; k++)
			d[k] = (struct guest_packed_desc){
				.gpa = rig.buffers_gpa + 10 * k,
				.len_bytes = k + 1 < n ? 10 : HDR + 200 - 10 * k,
				.id = (uint16_t)i,
				.flags = k + 1 < n ? GUEST_DESC_NEXT : 0,
			};
		if (bad)
			d[n - 1].gpa = END;
		rig_place(rig.tx, d, n, n);
		CHECK_EQ(rig_dequeue(&m, 1), !bad);
		if (!bad) {
			right = packet_is_pattern(m, i, 200);
			rte_pktmbuf_free(m);
			CHECK(right);
		}
		CHECK_EQ(rig_used(rig.tx, &used), 1);
		CHECK_EQ(used.id, (uint16_t)i);

		for (unsigned int k = 0; k < n; k++)
			d[k].flags |= GUEST_DESC_WRITE;
		rig_place(rig.rx, d, n, n);
		CHECK_EQ(rig_enqueue(i + 1, 150), !bad);
		CHECK_EQ(rig_used(rig.rx, &used), 1);
		CHECK_EQ(used.id, (uint16_t)i);
		CHECK_EQ(used.len_bytes, bad ? 0 : HDR + 150);
	}
	CHECK_EQ(guest_ring_errors(rig.tx), 0);
	CHECK_EQ(guest_ring_errors(rig.rx), 0);
	attack_down();
}

static void r16_odd_sizes_and_wrap_counters(void)
{
	static const uint16_t sizes[] = { 1, 2, 3, 5, 7, 31, 32, 33, 255, 1000, 32767, 32768 };

	for (unsigned int i = 0; i < RTE_DIM(sizes); i++)
		r16_size(sizes[i]);
}

/* Flags of the round before, or both bits alike: nothing is on offer. */
static void r16_wrong_wrap_counter(void)
{
	attack_up(0, 0, 7);
	for (unsigned int i = 0; i < 30; i++) {
		const uint16_t not_yet[] = { guest_packed_avail_flags(!rig.tx->avail_wrap), 0,
					     GUEST_PACKED_AVAIL | GUEST_PACKED_USED };

		for (unsigned int k = 0; k < RTE_DIM(not_yet); k++) {
			guest_packed_raw_desc(rig.tx, rig.tx->avail_idx, rig.buffers_gpa, 600, 0,
					      not_yet[k]);
			rig_picture();
			CHECK_EQ(rig_drop_all(), 0);
			CHECK_EQ(rte_vhost_avail_entries(rig.flow.vid, 1), 0);
			CHECK(rig_only_changed(NULL, 0));
		}
		CHECK(rig_serves_tx());
	}
	attack_down();
}

/* --- flags in a batch ---------------------------------------------------- */

/* A batch of buffers of which some are tables or go on: nothing is written over a table. */
static void r17_next_and_indirect_in_a_batch(void)
{
	uint64_t tables = rig.buffers_gpa, buffers;
	struct rig_range changes[1 + BURST];
	struct guest_used used[BURST];
	struct rte_mbuf *pkts[BURST];
	uint8_t want[100], got[100];

	attack_up(0, 0, 256);
	tables = rig.buffers_gpa;
	buffers = tables + 64 * 1024;
	for (uint16_t i = 0; i < BURST; i++) {
		uint64_t gpa = buffers + 512u * i;

		pkts[i] = packet_pattern(rig.pool, i, 100, 0);
		changes[1 + i] = (struct rig_range){ gpa, HDR + 100 };
		if (i % 3 == 1) {
			indirect(tables + 64u * i, 0, gpa, 5, GUEST_DESC_WRITE, 0);
			indirect(tables + 64u * i, 1, gpa + 5, 200, GUEST_DESC_WRITE, 0);
			rig_desc(rig.rx, i, tables + 64u * i, 2 * DESC_BYTES,
				 GUEST_DESC_INDIRECT | (i % 2 != 0 ? GUEST_DESC_WRITE : 0), 0);
			rig_offer(rig.rx, i);
		} else if (i % 3 == 2) {
			struct guest_packed_desc d[2] = {
				{ gpa, HDR, 0xbad1, GUEST_DESC_WRITE | GUEST_DESC_NEXT },
				{ gpa + HDR, 200, i, GUEST_DESC_WRITE },
			};

			rig_place(rig.rx, d, 2, 2);
		} else {
			rig_desc(rig.rx, i, gpa, 2048, GUEST_DESC_WRITE, 0);
			rig_offer(rig.rx, i);
		}
	}
	changes[0] = rig_used_range(rig.rx);
	rig_picture();
	CHECK_EQ(copier_enqueue(rig.flow.vid, 0, pkts, BURST), BURST);
	CHECK_EQ(rig_used_list(rig.rx, used, BURST), BURST);
	for (uint16_t i = 0; i < BURST; i++) {
		CHECK_EQ(used[i].id, i);
		CHECK_EQ(used[i].len_bytes, HDR + 100);
		guest_pattern(i, want, sizeof(want));
		guest_read(&rig.flow.fe.mem, buffers + 512u * i + HDR, got, sizeof(got));
		CHECK(memcmp(want, got, sizeof(want)) == 0);
	}
	CHECK(rig_only_changed(changes, 1 + BURST));
	rte_pktmbuf_free_bulk(pkts, BURST);
	both_serve();
	attack_down();
}

/* --- tables -------------------------------------------------------------- */

static void r18_on(struct guest_ring *vq)
{
	static const uint32_t lens[] = { 0, 1, 15, 17, 31, 33, 16 * 256 + 8, 16 * 32769, 0x7ffffff0,
					 0xfffffff0, UINT32_MAX };
	uint64_t table = rig.buffers_gpa + 4096;

	for (unsigned int i = 0; i < 300; i++)
		indirect(table, i, rig.buffers_gpa, 600, usable(vq), 0);
	for (unsigned int i = 0; i < RTE_DIM(lens); i++) {
		rig_desc(vq, 0, table, lens[i], GUEST_DESC_INDIRECT, 0);
		expect_bad_chain(vq, 0, "dropped_bad_indirect");
	}
	rig_desc(vq, 0, table, 257 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_chain_too_long");
	/* The longest that is a table, most of it nowhere. */
	rig_desc(vq, 0, END - 4096, 32768 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
	expect_bad_chain(vq, 0, "dropped_bad_address");
	/* At any address. */
	for (unsigned int odd = 0; odd < 16; odd++) {
		(void)rig_used(vq, NULL);
		indirect(table + odd, 0, rig.buffers_gpa, HDR, usable(vq), 0);
		indirect(table + odd, 1, rig.buffers_gpa + 64, 100, usable(vq), 0);
		rig_desc(vq, 0, table + odd, 2 * DESC_BYTES, GUEST_DESC_INDIRECT, 0);
		rig_offer(vq, 0);
		CHECK_EQ(serve(vq), 1);
		CHECK_EQ(rig_used(vq, NULL), 1);
	}
}

static void r18_lengths_of_tables(void)
{
	both(r18_on, RING_SIZE);
}

/* --- a guest that rewrites ----------------------------------------------- */

static struct {
	struct guest_ring *vq;
	bool stop; /* atomic */
} wild;

/* Any word of the ring and of the events is any other, any time: nothing is owned by anybody. */
static void *rewrite_everything(void *arg)
{
	static const uint32_t lens[] = { 0, 1, HDR, HDR + 1, 600, 16, 32, 4096, 70000, UINT32_MAX };
	struct guest_ring *vq = wild.vq;
	uint64_t x = 88172645463325252u;

	(void)arg;
	while (!__atomic_load_n(&wild.stop, __ATOMIC_RELAXED)) {
		volatile struct guest_packed_desc *d;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		d = &vq->packed[x % vq->size];
		d->gpa = x % 5 == 0 ? END - 100 : rig.buffers_gpa + (x >> 8) % 4096;
		d->len_bytes = lens[(x >> 20) % RTE_DIM(lens)];
		d->id = (uint16_t)(x >> 24);
		/*
		 * No tables in buffers: what a packet left there is a table of any addresses,
		 * and where that lands would be the guest's own doing.
		 */
		d->flags = (uint16_t)((x >> 40) &
				      (GUEST_PACKED_AVAIL | GUEST_PACKED_USED | GUEST_DESC_WRITE |
				       (x % 4 == 0 ? GUEST_DESC_NEXT : 0) |
				       (x % 3 == 0 && vq == rig.tx ? GUEST_DESC_INDIRECT : 0)));
		vq->avail[0] = (uint16_t)(x >> 3);
		vq->avail[1] = (uint16_t)(x >> 33) & 3;
		vq->used[0] = (uint16_t)(x >> 5);
	}
	return NULL;
}

static bool is_packet(const struct rte_mbuf *m)
{
	uint32_t sum = 0, segs = 0;

	for (const struct rte_mbuf *seg = m; seg != NULL; seg = seg->next, segs++)
		sum += seg->data_len;
	return sum == m->pkt_len && segs == m->nb_segs && sum != 0;
}

static void r10_wild(bool to_guest, uint64_t features, uint16_t size)
{
	struct guest_ring *vq;
	unsigned int packets = 0, broken = 0;
	struct rig_range changes[4];
	bool sound = true;
	pthread_t thread;

	attack_up(features, 0, size);
	vq = to_guest ? rig.rx : rig.tx;
	changes[0] = rig_used_range(vq);
	changes[1] = (struct rig_range){ rig.buffers_gpa, 4096 + 70000 };
	changes[2] = (struct rig_range){ END - 100, 100 };
	changes[3] = (struct rig_range){ RTE_MIN(vq->avail_gpa, vq->used_gpa), 8192 };
	rig_picture();
	wild.vq = vq;
	wild.stop = false;
	thread = attack_thread(rewrite_everything);
	/* Each call returns, also once the guest's thread is there. */
	for (unsigned int i = 0; (i < 30000 || packets < 100) && sound; i++) {
		struct rte_mbuf *pkts[BURST];
		unsigned int n;

		if (vq == rig.tx) {
			n = rig_dequeue(pkts, BURST);
			for (unsigned int k = 0; k < n; k++) {
				sound &= is_packet(pkts[k]);
				rte_pktmbuf_free(pkts[k]);
			}
		} else {
			n = rig_enqueue(i, i % 3 == 0 ? 60 : 1400);
		}
		packets += n;
		if (guest_ring_errors(vq) != 0) {
			broken++;
			CHECK_EQ(guest_ring_errors(vq), 0);
			CHECK_EQ(rig_restart(queue_of(vq)), 0);
		}
	}
	__atomic_store_n(&wild.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CHECK(sound);
	CHECK(rig_only_changed(changes, 4));
	CHECK_EQ(rig_counter(queue_of(vq), "ring_broken_loop"), broken);
	CHECK_EQ(rig_restart(queue_of(vq)), 0);
	CHECK_EQ(guest_ring_errors(vq), 0);
	both_serve();
	attack_down();
}

static void r10_guest_rewrites_the_ring(void)
{
	const uint64_t plain = FE_F_VERSION_1 | FE_F_INDIRECT_DESC | FE_F_EVENT_IDX;

	r10_wild(false, plain, 8);
	r10_wild(false, plain | FE_F_IN_ORDER, 61);
	r10_wild(true, plain, 8);
	r10_wild(true, plain | FE_F_MRG_RXBUF, 61);
}

/* --- events -------------------------------------------------------------- */

/* 2.8.10, asked about one slot more: the one at `before`. */
static bool wants_call(struct guest_event event, uint16_t before)
{
	switch (event.flags) {
	case GUEST_EVENT_DISABLE:
		return false;
	case GUEST_EVENT_DESC:
		return event.off_wrap == before;
	default:
		return true;
	}
}

/* Where the next used descriptor will be. */
static uint16_t position(const struct guest_ring *vq)
{
	return (uint16_t)(vq->last_used | vq->used_wrap << 15);
}

static void r33_on(struct guest_ring *vq)
{
	static const uint16_t flags[] = { GUEST_EVENT_ENABLE, GUEST_EVENT_DISABLE,
					  GUEST_EVENT_DESC };
	static const uint16_t offsets[] = { 0, 1, 6, 7, 8, 0x7fff };

	CHECK(serves(vq)); /* the first call always comes */
	(void)guest_ring_calls(vq);
	for (unsigned int i = 0; i < 6 * RTE_DIM(flags) * RTE_DIM(offsets); i++) {
		struct rig_range changes[2] = { rig_used_range(vq),
						{ rig.buffers_gpa, HDR + 100 } };
		struct guest_event event = { .flags = flags[i % RTE_DIM(flags)] };
		uint16_t before;
		uint64_t calls;

		(void)rig_used(vq, NULL);
		before = position(vq);
		/* Here, or somewhere in or beyond the ring, in either round. */
		event.off_wrap = i % 4 == 0 ? before :
					      (uint16_t)(offsets[i / 3 % RTE_DIM(offsets)] |
							 (i % 2 == 0 ? 0x8000 : 0));
		guest_packed_raw_driver_event(vq, event);
		rig_desc(vq, 0, rig.buffers_gpa, HDR + 100, usable(vq), 0);
		rig_offer(vq, 0);
		rig_picture();
		CHECK_EQ(serve(vq), 1);
		CHECK_EQ(rig_used(vq, NULL), 1);
		calls = guest_ring_calls(vq);
		CHECK(calls <= 1);
		/* Of a place that is not in the ring, either will do. */
		if (event.flags != GUEST_EVENT_DESC || (event.off_wrap & 0x7fff) < vq->size)
			CHECK_EQ(calls, wants_call(event, before));
		CHECK(rig_only_changed(changes, vq == rig.rx ? 2 : 1));
	}
	/* Flags that mean nothing: served, called or not. */
	for (uint32_t f = 3; f <= UINT16_MAX; f = f * 2 + 1) {
		guest_packed_raw_driver_event(vq, (struct guest_event){ .flags = (uint16_t)f });
		CHECK(serves(vq));
	}
}

static void r33_hostile_event_suppression(void)
{
	attack_up(FE_F_VERSION_1 | FE_F_EVENT_IDX, 0, 7);
	r33_on(rig.tx);
	r33_on(rig.rx);
	attack_down();
}

int main(int argc, char **argv)
{
	static const struct attack_test tests[] = {
		ATTACK("R7 short buffers in a batch", r7_short_buffers_in_a_batch),
		ATTACK("R10 guest rewrites the ring", r10_guest_rewrites_the_ring),
		ATTACK("R11 chains without an end", r11_chains_without_an_end),
		ATTACK("R11 tables in tables", r11_tables_in_tables),
		ATTACK("R15 ids beyond the ring, and twice", r15_ids_beyond_the_ring_and_twice),
		ATTACK("R16 odd sizes and wrap counters", r16_odd_sizes_and_wrap_counters),
		ATTACK("R16 wrong wrap counter", r16_wrong_wrap_counter),
		ATTACK("R17 NEXT and INDIRECT in a batch", r17_next_and_indirect_in_a_batch),
		ATTACK("R18 lengths of indirect tables", r18_lengths_of_tables),
		ATTACK("R33 hostile event suppression", r33_hostile_event_suppression),
	};

	return attack_main(argc, argv, tests, RTE_DIM(tests));
}
