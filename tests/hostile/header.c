/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile guest: what stands in the virtio-net header, how large packets are,
 * and a guest that rewrites both while we look. Each is done with legacy and
 * with compliant offload flags, over split rings and over packed ones.
 */
#include <sched.h>
#include <netinet/in.h>
#include <stdlib.h>

#include <rte_malloc.h>

#include "attack.h"

#define OFFLOADS                                                                             \
	(FE_F_VERSION_1 | FE_F_CSUM | FE_F_HOST_TSO4 | FE_F_HOST_TSO6 | FE_F_HOST_UFO | \
	 FE_F_HOST_ECN)
#define ANY_SEGMENTATION (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_RX_LRO)
#define PAINT 0xee
#define PAINTED_MBUFS 64

static struct rte_mempool *painted; /* few mbufs, all bytes known */
static struct rte_mempool *all;
static uint8_t bytes[70000];

/* So that a write outside the packet shows. */
static void paint(void)
{
	struct rte_mbuf *m[PAINTED_MBUFS];

	CHECK_EQ(rte_pktmbuf_alloc_bulk(painted, m, PAINTED_MBUFS), 0);
	for (unsigned int i = 0; i < PAINTED_MBUFS; i++)
		memset(m[i]->buf_addr, PAINT, m[i]->buf_len);
	rte_pktmbuf_free_bulk(m, PAINTED_MBUFS);
}

static void repaint(struct rte_mbuf *m)
{
	for (; m != NULL; m = m->next)
		memset(m->buf_addr, PAINT, m->buf_len);
}

static bool paint_intact(const struct rte_mbuf *m)
{
	for (; m != NULL; m = m->next) {
		const uint8_t *buf = m->buf_addr;

		for (uint32_t i = 0; i < m->buf_len; i++)
			if (buf[i] != PAINT && i - m->data_off >= m->data_len)
				return false;
	}
	return true;
}

static void header_up(uint64_t driver_flags)
{
	attack_up(OFFLOADS, driver_flags, RING_SIZE);
	painted = flow_pool(PAINTED_MBUFS, 2048);
	all = rig.pool;
	rig.pool = painted;
	paint();
}

static void header_down(void)
{
	CHECK(flow_pool_full(painted));
	rig.pool = all;
	rte_mempool_free(painted);
	attack_down();
}

static void both_modes(void (*test)(void))
{
	header_up(0);
	test();
	header_down();
	header_up(RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
	test();
	header_down();
}

static void post(const struct guest_net_hdr *hdr, const void *data, uint32_t len)
{
	guest_write(&rig.flow.fe.mem, rig.buffers_gpa, hdr, HDR);
	guest_write(&rig.flow.fe.mem, rig.buffers_gpa + HDR, data, len);
	rig_desc(rig.tx, 0, rig.buffers_gpa, HDR + len, 0, 0);
	rig_offer(rig.tx, 0);
}

/* The packet that comes of it; the caller frees it. */
static struct rte_mbuf *pass(const struct guest_net_hdr *hdr, const void *data, uint32_t len)
{
	struct rte_mbuf *m;

	post(hdr, data, len);
	CHECK_EQ(rig_dequeue(&m, 1), 1);
	CHECK_EQ(rig_used(rig.tx, NULL), 1);
	return m;
}

/* --- checksums ----------------------------------------------------------- */

/* A frame of no protocol we know, so that the checksum is ours to complete, or not. */
static void checksum_case(uint32_t len, uint16_t start, uint16_t offset, bool straddles)
{
	struct guest_net_hdr hdr = { .flags = GUEST_NET_NEEDS_CSUM,
				     .csum_start = start,
				     .csum_offset = offset };
	struct rte_mbuf *m;
	bool right, clean;

	guest_pattern(start + offset, bytes, len);
	if (len > 13) {
		bytes[12] = 0x88;
		bytes[13] = 0xb5;
	}
	m = pass(&hdr, bytes, len);
	if (!straddles)
		frame_finish_checksum(bytes, len, start, offset);
	right = packet_equals(m, bytes, len);
	clean = paint_intact(m) &&
		(m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | ANY_SEGMENTATION)) == 0;
	rte_pktmbuf_free(m);
	if (!right || !clean)
		tap_fail(__FILE__, __LINE__, "packet of %u bytes, checksum from %u at +%u", len,
			 start, offset);
	paint();
}

static void r8_modes(void)
{
	static const uint16_t offsets[] = { 0, 2, 16, 0x7fff, 0xfffe, 0xffff };
	static const uint16_t starts[] = { 100, 101, 1000, 2048, 0x7fff, 0x8000, 0xfffe, 0xffff };

	for (unsigned int s = 0; s < RTE_DIM(starts); s++)
		for (unsigned int o = 0; o < RTE_DIM(offsets); o++)
			checksum_case(100, starts[s], offsets[o], false);
	/* One byte, which is not even a frame. */
	checksum_case(1, 0, 0, false);
	checksum_case(1, 1, 0, false);
}

static void r8_csum_start_beyond_the_packet(void)
{
	both_modes(r8_modes);
}

static void r9_modes(void)
{
	/* The field ends with the packet, one byte behind it, and at 2^16 + something. */
	checksum_case(100, 34, 64, false);
	checksum_case(100, 34, 65, false);
	checksum_case(100, 34, 66, false);
	checksum_case(100, 99, 0, false);
	checksum_case(100, 34, (uint16_t)(0x10000 - 34), false);
	checksum_case(100, 34, (uint16_t)(0x10000 - 34 + 20), false);
	checksum_case(100, 98, 0xffff, false);
	/* The same at the end of the first mbuf of two: within, across, behind. */
	checksum_case(3000, 34, 2046 - 34, false);
	checksum_case(3000, 34, 2047 - 34, true);
	checksum_case(3000, 34, 2048 - 34, false);
	checksum_case(3000, 2048, 0, false);
	checksum_case(3000, 34, 2998 - 34, false);
	checksum_case(3000, 34, 2999 - 34, false);
}

static void r9_csum_field_near_an_end(void)
{
	both_modes(r9_modes);
}

/* --- segmentation -------------------------------------------------------- */

/* Nobody downstream is asked to segment this. `finished`: a checksum may have been completed. */
static void expect_no_segmentation(const struct guest_net_hdr *hdr, const uint8_t *data,
				   uint32_t len, bool finished)
{
	struct rte_mbuf *m = pass(hdr, data, len);
	uint64_t flags = m->ol_flags;
	uint16_t segsz = m->tso_segsz;
	bool right;

	if (finished) {
		memmove(bytes, data, len);
		frame_finish_checksum(bytes, len, hdr->csum_start, hdr->csum_offset);
		right = packet_equals(m, bytes, len) || packet_equals(m, data, len);
	} else {
		right = packet_equals(m, data, len);
	}
	right &= paint_intact(m);
	rte_pktmbuf_free(m);
	paint();
	CHECK(right);
	CHECK_EQ(flags & ANY_SEGMENTATION, 0);
	CHECK_EQ(segsz, 0);
}

static struct frame frame;

static struct guest_net_hdr gso_frame(uint8_t proto, bool ipv6, uint8_t gso_type)
{
	struct frame_spec spec = { .l4_proto = proto, .ipv6 = ipv6, .payload_bytes = 1400 };

	frame_build(&frame, &spec, true);
	return (struct guest_net_hdr){
		.flags = GUEST_NET_NEEDS_CSUM,
		.gso_type = gso_type,
		.gso_size = 500,
		.hdr_len = (uint16_t)(frame.l2_bytes + frame.l3_bytes + frame.l4_bytes),
		.csum_start = (uint16_t)(frame.l2_bytes + frame.l3_bytes),
		.csum_offset = frame.csum_offset,
	};
}

static const struct {
	uint8_t proto;
	bool ipv6;
	uint8_t gso_type;
} gso_kinds[] = {
	{ IPPROTO_TCP, false, GUEST_NET_GSO_TCPV4 },
	{ IPPROTO_TCP, true, GUEST_NET_GSO_TCPV6 },
	{ IPPROTO_UDP, false, GUEST_NET_GSO_UDP },
	{ IPPROTO_UDP, true, GUEST_NET_GSO_UDP },
};

static void r21_modes(void)
{
	for (unsigned int i = 0; i < RTE_DIM(gso_kinds); i++) {
		struct guest_net_hdr hdr =
			gso_frame(gso_kinds[i].proto, gso_kinds[i].ipv6, gso_kinds[i].gso_type);
		struct rte_mbuf *m = pass(&hdr, frame.bytes, frame.len_bytes);
		uint64_t flags = m->ol_flags;
		uint16_t segsz = m->tso_segsz;

		/* With a size it is segmentation: the test looks at the right thing. */
		rte_pktmbuf_free(m);
		paint();
		CHECK((flags & ANY_SEGMENTATION) != 0);
		CHECK_EQ(segsz, 500);
		hdr.gso_size = 0;
		expect_no_segmentation(&hdr, frame.bytes, frame.len_bytes, false);
	}
}

static void r21_gso_size_0(void)
{
	both_modes(r21_modes);
}

static void r22_wrong_protocol(void)
{
	static const uint8_t types[] = { GUEST_NET_GSO_TCPV4, GUEST_NET_GSO_UDP,
					 GUEST_NET_GSO_TCPV6, 2, 5, 0x7f };
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP };

	for (unsigned int t = 0; t < RTE_DIM(types); t++) {
		for (unsigned int p = 0; p < 2 * RTE_DIM(protos); p++) {
			uint8_t proto = protos[p / 2];
			struct guest_net_hdr hdr = gso_frame(proto, p % 2 != 0, types[t]);
			bool match = false;

			for (unsigned int k = 0; k < RTE_DIM(gso_kinds); k++)
				match |= proto == gso_kinds[k].proto &&
					 types[t] == gso_kinds[k].gso_type &&
					 gso_kinds[k].ipv6 == (p % 2 != 0);
			if (match)
				continue;
			expect_no_segmentation(&hdr, frame.bytes, frame.len_bytes, true);
			hdr.gso_type |= GUEST_NET_GSO_ECN;
			expect_no_segmentation(&hdr, frame.bytes, frame.len_bytes, true);
		}
	}
}

static void r22_modes(void)
{
	r22_wrong_protocol();
	for (unsigned int i = 0; i < RTE_DIM(gso_kinds); i++) {
		struct guest_net_hdr hdr =
			gso_frame(gso_kinds[i].proto, gso_kinds[i].ipv6, gso_kinds[i].gso_type);
		uint32_t headers = frame.l2_bytes + frame.l3_bytes + frame.l4_bytes;

		for (uint32_t len = 1; len < headers; len++)
			expect_no_segmentation(&hdr, frame.bytes, len, true);
	}
	for (uint8_t words = 0; words < 5; words++) {
		struct guest_net_hdr hdr = gso_frame(IPPROTO_TCP, false, GUEST_NET_GSO_TCPV4);

		frame.bytes[frame.l2_bytes] = (uint8_t)(0x40 | words); /* IP header length */
		expect_no_segmentation(&hdr, frame.bytes, frame.len_bytes, true);
		hdr = gso_frame(IPPROTO_TCP, false, GUEST_NET_GSO_TCPV4);
		frame.bytes[frame.l2_bytes + frame.l3_bytes + 12] = (uint8_t)(words << 4);
		expect_no_segmentation(&hdr, frame.bytes, frame.len_bytes, true);
	}
	/* Lengths beyond what there is. */
	for (uint32_t cut = 54; cut < 54 + 40; cut += 4) {
		struct guest_net_hdr hdr = gso_frame(IPPROTO_TCP, false, GUEST_NET_GSO_TCPV4);

		frame.bytes[frame.l2_bytes + frame.l3_bytes + 12] = 0xf0;
		if (cut < 34 + 60)
			expect_no_segmentation(&hdr, frame.bytes, cut, true);
		frame.bytes[frame.l2_bytes] = 0x4f;
		expect_no_segmentation(&hdr, frame.bytes, cut, true);
	}
}

static void r22_gso_that_does_not_fit_the_packet(void)
{
	both_modes(r22_modes);
}

/* --- sizes --------------------------------------------------------------- */

static size_t heap_elements(void)
{
	struct rte_malloc_socket_stats stats;

	CHECK_EQ(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.alloc_count;
}

static void r23_unparsable_frame_in_an_external_buffer(void)
{
	struct guest_net_hdr hdr = { .flags = GUEST_NET_NEEDS_CSUM,
				     .gso_type = GUEST_NET_GSO_TCPV4,
				     .gso_size = 1448,
				     .csum_start = 34,
				     .csum_offset = 16 };
	size_t before;

	attack_up(OFFLOADS, RTE_VHOST_USER_EXTBUF_SUPPORT | RTE_VHOST_USER_LINEARBUF_SUPPORT,
		  RING_SIZE);
	before = heap_elements();
	guest_pattern(1, bytes, 9000);
	bytes[12] = 0x88;
	bytes[13] = 0xb5;
	for (unsigned int i = 0; i < 100; i++) {
		struct rte_mbuf *m = pass(&hdr, bytes, 9000);
		bool external = RTE_MBUF_HAS_EXTBUF(m), right = packet_equals(m, bytes, 9000);
		uint64_t flags = m->ol_flags;

		CHECK_EQ(heap_elements(), before + 1);
		rte_pktmbuf_free(m);
		CHECK(external);
		CHECK(right);
		CHECK_EQ(flags, RTE_MBUF_F_EXTERNAL);
	}
	/* K7: freed with its mbuf. */
	CHECK_EQ(heap_elements(), before);
	CHECK(flow_pool_full(rig.pool));
	attack_down();
}

/* How a packet of `len` bytes arrives: its number of segments, 0 if it does not. */
static unsigned int arrives(uint64_t driver_flags, uint32_t len, const char *counter)
{
	struct guest_net_hdr hdr = { 0 };
	unsigned int n, segs = 0;
	struct rte_mbuf *m;

	attack_up(OFFLOADS & ~(FE_F_HOST_TSO4 | FE_F_HOST_TSO6 | FE_F_HOST_UFO), driver_flags,
		  RING_SIZE);
	guest_pattern(len, bytes, len);
	post(&hdr, bytes, len);
	n = rig_dequeue(&m, 1);
	if (n == 1) {
		bool right = packet_equals(m, bytes, len);

		segs = m->nb_segs;
		rte_pktmbuf_free(m);
		CHECK(right);
	} else {
		CHECK_EQ(rig_counter(1, counter), 1);
	}
	CHECK_EQ(rig_used(rig.tx, NULL), 1);
	CHECK(rig_serves_tx());
	CHECK(flow_pool_full(rig.pool));
	attack_down();
	return segs;
}

static void r24_jumbo(void)
{
	const uint64_t ext = RTE_VHOST_USER_EXTBUF_SUPPORT;
	const uint64_t linear = RTE_VHOST_USER_LINEARBUF_SUPPORT;

	CHECK_EQ(arrives(ext, 60000, ""), 1);
	CHECK_EQ(arrives(ext, 65600, ""), (65600 + 2047) / 2048);
	CHECK_EQ(arrives(ext | linear, 60000, ""), 1);
	CHECK_EQ(arrives(ext | linear, 65600, "dropped_too_large"), 0);
	CHECK_EQ(arrives(linear, 2048, ""), 1);
	CHECK_EQ(arrives(linear, 2049, "dropped_too_large"), 0);
	CHECK_EQ(arrives(0, 66000, "dropped_chain_too_long"), 0);
}

/* --- a guest that rewrites ----------------------------------------------- */

#define RACE_PATIENCE_US 60000000

static struct {
	bool stop; /* atomic */
	struct guest_net_hdr tso;
} race;

/*
 * What is rewritten: descriptor 0, or one of those on offer in a packed ring. There,
 * length and address only: its flags are the ring.
 */
static volatile struct guest_desc *victim(struct guest_ring *vq, uint32_t i)
{
	_Static_assert(offsetof(struct guest_desc, len_bytes) ==
			       offsetof(struct guest_packed_desc, len_bytes),
		       "both begin alike");
	uint16_t next = __atomic_load_n(&vq->avail_idx, __ATOMIC_RELAXED);

	return flow_packed ? &vq->desc[(uint32_t)(next + vq->size - 1 - i) % vq->size] :
			     &vq->desc[0];
}

/* A length that was checked is another one when it is used: as often as can be. */
static void rewrite_length(volatile struct guest_desc *d)
{
	if (!flow_packed)
		d->flags = 0;
	d->gpa = rig.buffers_gpa;
	for (unsigned int i = 0; i < 20000; i++) {
		d->len_bytes = HDR + 600;
		d->len_bytes = UINT32_MAX;
	}
}

/* Any moment now the header, the descriptor or both are others. */
static void *rewrite_tx(void *arg)
{
	volatile struct guest_net_hdr *hdr =
		guest_ptr(&rig.flow.fe.mem, rig.buffers_gpa, sizeof(*hdr));
	volatile struct guest_desc *d;
	static const uint32_t lens[] = { HDR + 600, HDR + 60, HDR, 5, 60000, UINT32_MAX };
	uint32_t i = 0;

	(void)arg;
	while (!__atomic_load_n(&race.stop, __ATOMIC_RELAXED)) {
		i++;
		hdr->gso_size = i % 2 == 0 ? race.tso.gso_size : 0;
		hdr->flags = i % 4 < 2 ? race.tso.flags : 0;
		hdr->gso_type = i % 3 == 0 ? GUEST_NET_GSO_UDP : race.tso.gso_type;
		hdr->csum_start = i % 5 == 0 ? 0xffff : race.tso.csum_start;
		d = victim(rig.tx, i % 2);
		d->len_bytes = lens[i / 2 % RTE_DIM(lens)];
		d->gpa = i % 7 == 0 ? END - 100 : rig.buffers_gpa;
		if (!flow_packed) {
			d->flags = i % 11 == 0 ? GUEST_DESC_WRITE :
				   i % 13 == 0 ? GUEST_DESC_NEXT :
						 0;
			d[1].flags = i % 2 == 0 ? GUEST_DESC_INDIRECT : 0;
		}
		if (i % 20000 == 0)
			rewrite_length(d);
	}
	return NULL;
}

/* Is it a packet, whatever it was made of? */
static bool is_sound(const struct rte_mbuf *m)
{
	const struct rte_mbuf *seg = m;
	uint32_t sum = 0, segs = 0;

	for (; seg != NULL; seg = seg->next, segs++)
		sum += seg->data_len;
	if (sum != m->pkt_len || segs != m->nb_segs || m->pkt_len == 0)
		return false;
	if ((m->ol_flags & ANY_SEGMENTATION) != 0 && m->tso_segsz != race.tso.gso_size)
		return false;
	if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0 &&
	    (m->l4_len < 20 || (uint32_t)m->l2_len + m->l3_len + m->l4_len > m->data_len))
		return false;
	return paint_intact(m);
}

static void r10_modes(void)
{
	uint64_t until = flow_now_us() + RACE_PATIENCE_US;
	unsigned int packets = 0, used = 0, offered = 0;
	bool sound = true;
	pthread_t thread;

	race.tso = gso_frame(IPPROTO_TCP, false, GUEST_NET_GSO_TCPV4);
	race.stop = false;
	guest_write(&rig.flow.fe.mem, rig.buffers_gpa + HDR, frame.bytes, frame.len_bytes);
	rig_desc(rig.tx, 0, rig.buffers_gpa, HDR + 600, 0, 1);
	rig_desc(rig.tx, 1, rig.buffers_gpa + 4096, 64, 0, 0);
	thread = attack_thread(rewrite_tx);
	/* The other thread may be off its core for long, with nothing usual in place. */
	for (unsigned int i = 0; (i < 300000 || (packets == 0 && flow_now_us() < until)) && sound;
	     i++) {
		struct rte_mbuf *pkts[BURST];
		unsigned int n;

		/* Two of 60000 bytes are all that the pool holds. */
		if (rig_outstanding(rig.tx) < 2) {
			rig_offer(rig.tx, 0);
			offered++;
		}
		n = rig_dequeue(pkts, BURST);
		if (n == 0) /* all threads may share one core */
			sched_yield();
		for (unsigned int k = 0; k < n; k++) {
			sound &= is_sound(pkts[k]);
			repaint(pkts[k]);
			rte_pktmbuf_free(pkts[k]);
		}
		packets += n;
		used += rig_used(rig.tx, NULL);
	}
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CHECK(sound);
	CHECK(packets > 0);
	(void)rig_drop_all();
	CHECK_EQ(used + rig_used(rig.tx, NULL), offered);
	CHECK_EQ(guest_ring_errors(rig.tx), 0);
	CHECK(rig_serves_tx());
}

static void r10_guest_rewrites_what_it_sends(void)
{
	both_modes(r10_modes);
}

#define GUARD 4096u
static void *rewrite_rx(void *arg)
{
	volatile struct guest_desc *d;
	static const uint32_t lens[] = { 2048, HDR + 600, HDR + 599, HDR, 1, 0, UINT32_MAX };
	uint32_t i = 0;

	(void)arg;
	while (!__atomic_load_n(&race.stop, __ATOMIC_RELAXED)) {
		i++;
		d = victim(rig.rx, i % 8);
		d->len_bytes = lens[i % RTE_DIM(lens)];
		d->gpa = i % 5 == 0 ? END - 100 : rig.buffers_gpa + GUARD * (1 + i % 2);
		if (flow_packed)
			continue;
		d[0].flags = i % 11 == 0 ? 0 :
			     i % 3 == 0	 ? GUEST_DESC_WRITE | GUEST_DESC_NEXT :
					   GUEST_DESC_WRITE;
		d[1].len_bytes = lens[i / 2 % RTE_DIM(lens)];
	}
	return NULL;
}

/* Where it lands is the guest's business, as long as it was a buffer at some time. */
static void r10_guest_rewrites_its_buffers(void)
{
	uint64_t until = flow_now_us() + RACE_PATIENCE_US;
	struct rig_range changes[5];
	unsigned int taken = 0;
	pthread_t thread;

	attack_up(0, 0, RING_SIZE);
	rig_desc(rig.rx, 1, rig.buffers_gpa + 3 * GUARD, 2048, GUEST_DESC_WRITE, 0);
	rig_desc(rig.rx, 0, rig.buffers_gpa + GUARD, 2048, GUEST_DESC_WRITE, 1);
	/* All slots say 0, also those not offered yet. */
	rig_picture();
	race.stop = false;
	thread = attack_thread(rewrite_rx);
	for (unsigned int i = 0; i < 20000 || (taken == 0 && flow_now_us() < until); i++) {
		(void)rig_used(rig.rx, NULL);
		if (rig_outstanding(rig.rx) < 8)
			rig_offer(rig.rx, 0);
		taken += rig_enqueue(i, 600);
	}
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CHECK(taken > 0);
	for (unsigned int i = 0; i < 3; i++)
		changes[i] = (struct rig_range){ rig.buffers_gpa + GUARD * (1 + i), 2048 };
	changes[3] = rig_used_range(rig.rx);
	if (!flow_packed)
		changes[3] = (struct rig_range){ rig.rx->desc_gpa,
						 rig.rx->used_gpa - rig.rx->desc_gpa +
							 guest_split_used_bytes(RING_SIZE) };
	changes[4] = (struct rig_range){ END - 100, 100 };
	CHECK(rig_only_changed(changes, 5));
	CHECK_EQ(guest_ring_errors(rig.rx), 0);
	CHECK_EQ(rig_restart(0), 0);
	CHECK(rig_serves_rx());
	attack_down();
}

int main(int argc, char **argv)
{
	static const struct attack_test tests[] = {
		ATTACK("R8 csum_start beyond the packet", r8_csum_start_beyond_the_packet),
		ATTACK("R9 csum field near an end", r9_csum_field_near_an_end),
		ATTACK("R10 guest rewrites what it sends", r10_guest_rewrites_what_it_sends),
		ATTACK("R10 guest rewrites its buffers", r10_guest_rewrites_its_buffers),
		ATTACK("R21 gso_size 0", r21_gso_size_0),
		ATTACK("R22 gso that does not fit the packet", r22_gso_that_does_not_fit_the_packet),
		ATTACK("R23 K7 unparsable frame in an external buffer",
		  r23_unparsable_frame_in_an_external_buffer),
		ATTACK("R24 jumbo with EXTBUF, LINEARBUF", r24_jumbo),
	};

	return attack_main(argc, argv, tests, RTE_DIM(tests));
}
