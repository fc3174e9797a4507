/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet path over a hostile ring of either format: both bursts with real
 * mbufs, while the guest rewrites its memory before loads, as in fuzz_ring.c.
 * Each input runs once with every build of the bursts that this machine has.
 *
 * Checked after each burst: the guest's memory changed in the used ring only
 * (towards the host) and by what the packets hold at most (towards the guest);
 * every chain that was taken was given back once or is still waiting; mbufs
 * hold together, hold what the guest's buffers held, and all come back to the
 * pool; the work was bounded. At the end: all builds did the same, to the byte.
 *
 * Some inputs have a channel, whose engine does some of its jobs, in any order,
 * fails some and refuses some. Then packets come back in the order they went,
 * the chains in flight are those between the ring's two positions, the guest is
 * told of all others at once, and each page that changed is in the dirty log.
 */
#include <rte_mbuf.h>

#include "api/channel.h"
#include "base/isa.h"
#include "net/bursts.h"
#include "ring_device.h"

#define OPS_MAX 24
#define COUNT_MAX 40
#define POOL_MBUFS 256
#define SMALL_ROOM_BYTES (RTE_PKTMBUF_HEADROOM + 96)
#define JOBS_MAX 512

static struct rte_mempool *pools[2]; /* small and usual buffers */
/* Of the run. */
static const struct net_bursts (*build)[2];

static const struct {
	const char *name;
	const struct net_bursts (*bursts)[2];
	enum isa_set set;
	unsigned int simd_bits;
} builds[] = {
	{ "base", net_bursts_base, ISA_SET_BASE, 128 },
#ifdef ISA_X86
	{ "avx2", net_bursts_avx2, ISA_SET_AVX2, 256 },
	{ "avx512", net_bursts_avx512, ISA_SET_AVX512, 512 },
#endif
};

static bool has_build(unsigned int i)
{
	return isa_choose(builds[i].simd_bits) == builds[i].set;
}

/* All that an application sees of a packet. */
ORACLE static void digest_mbuf(const struct rte_mbuf *m)
{
	digest_u64(m->ol_flags);
	digest_u64(m->packet_type);
	/* Without a flag that gives them meaning, offload lengths are what they were. */
	if ((m->ol_flags & (RTE_MBUF_F_TX_OFFLOAD_MASK | RTE_MBUF_F_RX_LRO)) != 0)
		digest_u64(m->tx_offload);
	digest_u64((uint64_t)m->pkt_len << 32 | (uint32_t)m->port << 16 | m->nb_segs);
	for (; m != NULL; m = m->next) {
		digest_u64((uint64_t)m->data_len << 16 | m->data_off);
		digest(rte_pktmbuf_mtod(m, const void *), m->data_len);
	}
}

static struct driver_config config = { .max_queue_pairs = 1, .backend = &net_backend };

static void start(void)
{
	start_eal("64");
	pools[0] = rte_pktmbuf_pool_create("small", POOL_MBUFS, 0, 0, SMALL_ROOM_BYTES, 0);
	pools[1] = rte_pktmbuf_pool_create("usual", POOL_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	MUST(pools[0] != NULL && pools[1] != NULL);
	start_device(&config);
}

/* Were exactly the `n` next chains used? Of a packed ring we know for 1 only. */
ORACLE static bool used_exactly(const struct ring *vr, uint16_t before, unsigned int n,
				const struct expected *first)
{
	if (vr->kind == RING_PACKED)
		return n == 1 &&
		       vr->used_idx == packed_position_after(vr, before, first->nr_slots);
	return (uint16_t)(vr->used_idx - before) == n;
}

ORACLE static void accept_all(void)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		memcpy(f.model[i], f.regions[i].map.mmap_addr, layout[i].size_bytes);
}

ORACLE static void check_mbuf(const struct rte_mbuf *m)
{
	const char *reason;

	/* Lengths of all segments against their buffers, reference counts. */
	MUST(rte_mbuf_check(m, 1, &reason) == 0);
	MUST(m->pkt_len <= PACKET_MAX_BYTES);
}

/*
 * The packet is what the chain held after its header. (A buffer may lie on the
 * used ring: then it may hold what we wrote there, or what was there before.)
 */
ORACLE static void check_content(const struct rte_mbuf *m, const struct expected *e)
{
	static uint8_t flat[PACKET_MAX_BYTES];
	const uint8_t *got = rte_pktmbuf_read(m, 0, m->pkt_len, flat);
	uint32_t skip = g.vq->net.hdr_bytes, off = 0;

	for (unsigned int i = 0; i < e->nr_pieces; i++) {
		uint32_t hdr = MIN2(skip, (uint32_t)e->pieces[i].len_bytes);
		uint32_t len = (uint32_t)e->pieces[i].len_bytes - hdr;
		const uint8_t *now = e->pieces[i].at + hdr;
		const uint8_t *before = len != 0 ? model_of(now, len) : NULL;

		skip -= hdr;
		MUST(len <= m->pkt_len - off);
		if (len != 0 && memcmp(got + off, before, len) != 0)
			for (uint32_t j = 0; j < len; j++)
				MUST(got[off + j] == before[j] || got[off + j] == now[j]);
		off += len;
	}
	MUST(off == m->pkt_len);
}

static void dequeue(struct rte_mempool *pool, uint16_t count) REQUIRES(g.vq->gate)
{
	static struct expected e;
	struct rte_mbuf *pkts[COUNT_MAX];
	struct ring *vr = &g.vq->ring;
	uint16_t used = vr->used_idx;
	unsigned int n;

	MODEL(vr->kind, expect, vr, CHAIN_READABLE, &e);
	verb_begin();
	n = build[vr->kind][0].dequeue(g.vq, pool, pkts, count);
	MUST(n <= count);
	/* Of a burst only the first packet; a header may change its checksum. */
	if (n != 0 && !f.struck && used_exactly(vr, used, n, &e) && !g.vq->net.parse_hdr) {
		MUST(e.result == FETCH_OK);
		check_content(pkts[0], &e);
	}
	accept_used(vr);
	check_memory();
	for (unsigned int i = 0; i < n; i++) {
		check_mbuf(pkts[i]);
		MUST(pkts[i]->pkt_len != 0);
		MUST(!g.vq->net.linear || pkts[i]->nb_segs == 1);
		digest_mbuf(pkts[i]);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	MUST(vr->last_avail == vr->used_idx && vr->published == vr->used_idx);
	MUST(vr->kind != RING_PACKED || (vr->used_idx & 0x7fff) < vr->size);
	digest_state(n);
}

/* A packet of any shape and wish. */
static struct rte_mbuf *make_packet(struct rte_mempool *pool, struct input *in)
{
	uint8_t shape = input_u8(in);
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *seg = m;

	MUST(m != NULL);
	for (unsigned int i = 0; i <= (shape & 3u); i++) {
		uint16_t len = (shape & 48) == 48 ? 0 : 1 + input_u8(in) % 90;

		if (i != 0) {
			seg->next = rte_pktmbuf_alloc(pool);
			seg = seg->next;
			MUST(seg != NULL);
			m->nb_segs++;
		}
		(void)input_bytes(in, rte_pktmbuf_mtod(seg, void *), len);
		seg->data_len = len;
		m->pkt_len += len;
	}
	if ((shape & 4) != 0)
		m->ol_flags = input_u64(in) & ~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT);
	if ((shape & 8) != 0)
		m->tx_offload = input_u64(in);
	return m;
}

/* The packet stands behind its header in the buffers, and nothing anywhere else. */
ORACLE static void check_written(const struct rte_mbuf *m, const struct expected *e)
{
	uint32_t hdr_left = g.vq->net.hdr_bytes, off = 0;
	uint8_t bytes[4 * 90];
	const uint8_t *packet = rte_pktmbuf_read(m, 0, m->pkt_len, bytes);

	for (unsigned int i = 0; i < e->nr_pieces && off < m->pkt_len; i++) {
		uint32_t len = (uint32_t)e->pieces[i].len_bytes, hdr = MIN2(hdr_left, len);

		hdr_left -= hdr;
		len = MIN2(len - hdr, m->pkt_len - off);
		if (len != 0)
			model_write(e->pieces[i].at + hdr, packet + off, len);
		off += len;
	}
	MUST(off == m->pkt_len);
	/* What the header says is fuzz_nethdr.c's business. */
	hdr_left = g.vq->net.hdr_bytes;
	for (unsigned int i = 0; hdr_left != 0; i++) {
		uint32_t hdr = MIN2(hdr_left, (uint32_t)e->pieces[i].len_bytes);

		memcpy(model_of(e->pieces[i].at, hdr), e->pieces[i].at, hdr);
		hdr_left -= hdr;
	}
	accept_used(&g.vq->ring);
	check_memory();
}

static void enqueue(struct rte_mempool *pool, uint16_t count, struct input *in)
	REQUIRES(g.vq->gate)
{
	static struct expected e;
	struct rte_mbuf *pkts[COUNT_MAX];
	struct ring *vr = &g.vq->ring;
	uint16_t used = vr->used_idx;
	unsigned int n;

	for (unsigned int i = 0; i < count; i++)
		pkts[i] = make_packet(pool, in);
	MODEL(vr->kind, expect, vr, CHAIN_WRITABLE, &e);
	verb_begin();
	n = build[vr->kind][0].enqueue(g.vq, pkts, count);
	MUST(n <= count);
	if (n == 1 && !f.struck && e.result == FETCH_OK && pkts[0]->ol_flags == 0 &&
	    used_exactly(vr, used, 1, &e))
		check_written(pkts[0], &e);
	accept_all();
	for (unsigned int i = 0; i < count; i++) {
		check_mbuf(pkts[i]);
		rte_pktmbuf_free(pkts[i]);
	}
	MUST(vr->last_avail == vr->used_idx && vr->published == vr->used_idx);
	MUST(vr->kind != RING_PACKED || (vr->used_idx & 0x7fff) < vr->size);
	digest_state(n);
}

/* --- with a channel ------------------------------------------------------ */

static struct {
	struct copy_engine base;
	struct copy_job jobs[JOBS_MAX]; /* in any order */
	unsigned int nr_jobs;
	uint32_t random;
	/* What the application gave and has not got back, oldest first. */
	struct rte_mbuf *sent[JOBS_MAX];
	unsigned int nr_sent;
	/* Of guest memory, a bit each: it wrote there; in the log since nothing pended. */
	uint32_t wrote_pages, logged_pages;
} eng;

ORACLE static unsigned int engine_random(unsigned int below)
{
	eng.random = eng.random * 1664525 + 1013904223;
	return (eng.random >> 16) % below;
}

ORACLE static int engine_submit(struct copy_engine *engine, const struct copy_job *jobs,
				unsigned int count)
{
	unsigned int n = count;

	(void)engine;
	MUST(count != 0 && eng.nr_jobs + count <= JOBS_MAX);
	switch (engine_random(8)) {
	case 0:
		return -1;
	case 1:
		n = engine_random(count);
		break;
	}
	for (unsigned int i = 0; i < n; i++) {
		MUST(jobs[i].nr_segs != 0 && job_state(jobs[i].state) == JOB_RUNNING);
		eng.jobs[eng.nr_jobs++] = jobs[i];
	}
	return (int)n;
}

/* The log has not got it yet. */
ORACLE static void engine_wrote(const struct copy_seg *seg)
{
	unsigned int i = (unsigned int)region_of(seg->dst, seg->len_bytes);
	uint64_t off = (uintptr_t)seg->dst - (uintptr_t)f.regions[i].map.mmap_addr;
	uint64_t first = layout[i].gpa + off, last = first + seg->len_bytes - 1;

	model_write(seg->dst, seg->dst, seg->len_bytes);
	for (first /= DIRTY_LOG_PAGE_BYTES; first <= last / DIRTY_LOG_PAGE_BYTES; first++)
		eng.wrote_pages |= 1u << first;
}

/* All of a job, or only some of it. */
ORACLE static void engine_do(struct copy_job job, bool all)
{
	for (uint32_t i = 0; i < job.nr_segs; i++) {
		const struct copy_seg *seg = &job.segs[i];
		const void *guest = is_to_guest(g.vq->index) ? seg->dst : seg->src;

		MUST(seg->len_bytes != 0 && region_of(guest, seg->len_bytes) >= 0);
		if (!all && (i & 1) != 0)
			continue;
		memmove(seg->dst, seg->src, seg->len_bytes);
		if (is_to_guest(g.vq->index))
			engine_wrote(seg);
	}
	job_set(job.state, all ? JOB_DONE : JOB_FAILED);
}

ORACLE static void engine_step(unsigned int n)
{
	for (; n != 0 && eng.nr_jobs != 0; n--) {
		unsigned int i = engine_random(eng.nr_jobs);

		engine_do(eng.jobs[i], engine_random(8) != 0);
		eng.jobs[i] = eng.jobs[--eng.nr_jobs];
	}
}

ORACLE static int engine_poll(struct copy_engine *engine)
{
	(void)engine;
	engine_step(engine_random(6));
	return -(int)engine_random(2);
}

static const struct copy_engine_ops engine_ops = {
	.name = "fuzz", .submit = engine_submit, .poll = engine_poll,
};

/* What changed is in the log, and what the engine wrote when no packet pends. */
ORACLE static void check_logged(void)
{
	uint32_t logged = check_log();

	accept_all();
	eng.logged_pages |= logged;
	if (!pending_is_idle(g.vq->pending))
		return;
	MUST((eng.wrote_pages & ~eng.logged_pages) == 0);
	eng.wrote_pages = eng.logged_pages = 0;
}

/* Of what the ring and the channel say, which are two accounts of the same. */
ORACLE static void check_channel(void)
{
	const struct pending *p = g.vq->pending;
	const struct ring *vr = &g.vq->ring;
	uint32_t chains = p->used_taken - p->used_given, slots = 0;

	MUST(p->taken - p->given <= p->taken - p->returned);
	MUST(p->taken - p->returned <= p->mask + 1);
	MUST(chains <= p->mask + 1 && vr->published == vr->used_idx && vr->unsignalled == 0);
	for (uint32_t i = p->used_given; i != p->used_taken; i++)
		slots += used_slots(p->used[i & p->mask]);
	if (!pending_has_ring(p))
		MUST(vr->last_avail == vr->used_idx);
	else if (vr->kind == RING_PACKED)
		MUST(vr->last_avail == packed_position_after(vr, vr->used_idx, slots));
	else
		MUST(vr->last_avail == (uint16_t)(vr->used_idx + chains));
	MUST(vr->kind != RING_PACKED || (vr->used_idx & 0x7fff) < vr->size);
	MUST(!is_to_guest(g.vq->index) || p->nr_mbufs == eng.nr_sent);
}

ORACLE static void got_back(struct rte_mbuf **pkts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		check_mbuf(pkts[i]);
		digest_mbuf(pkts[i]);
		if (is_to_guest(g.vq->index))
			MUST(i < eng.nr_sent && pkts[i] == eng.sent[i]);
		else
			MUST(pkts[i]->pkt_len != 0);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	if (!is_to_guest(g.vq->index))
		return;
	eng.nr_sent -= n;
	memmove(eng.sent, eng.sent + n, eng.nr_sent * sizeof(eng.sent[0]));
}

static void submit(struct visit *v, struct rte_mempool *pool, uint16_t count, struct input *in)
{
	struct rte_mbuf *pkts[COUNT_MAX];
	unsigned int n, room = rte_mempool_avail_count(pool) / 8;

	count = (uint16_t)MIN2(count, MIN2(room, JOBS_MAX - eng.nr_sent));
	for (unsigned int i = 0; i < count; i++)
		pkts[i] = make_packet(pool, in);
	verb_begin();
	n = channel_submit(v, &eng.base, pkts, count);
	MUST(n <= count);
	memcpy(eng.sent + eng.nr_sent, pkts, n * sizeof(pkts[0]));
	eng.nr_sent += n;
	rte_pktmbuf_free_bulk(pkts + n, count - n);
}

static void channel_op(uint8_t what, struct rte_mempool *pool, uint16_t count, struct input *in)
	REQUIRES(g.vq->gate)
{
	struct visit v = { g.vq, NULL };
	struct rte_mbuf *pkts[COUNT_MAX];
	unsigned int n = 0;

	verb_begin();
	if (what == 1 && is_to_guest(g.vq->index))
		submit(&v, pool, count, in);
	else if (what == 1)
		n = channel_dequeue(&v, &eng.base, pool, pkts, count);
	else if (what == 2)
		n = channel_collect(&v, &eng.base, pkts, count);
	else if (count == 1)
		vq_abandon(g.vq); /* as when the queue is stopped */
	else
		engine_step(count);
	MUST(n <= count);
	/* Towards the host nothing but the used ring is written. */
	if (!is_to_guest(g.vq->index)) {
		accept_used(&g.vq->ring);
		check_memory();
	} else if (g.vq->ring.log != NULL) {
		check_logged();
	} else {
		accept_all();
	}
	got_back(pkts, n);
	check_channel();
	digest_state(n);
}

/* `how`: 3 bits, not 0. */
static void channel_open(unsigned int how, bool to_guest, struct input *in)
{
	memset(&eng, 0, sizeof(eng));
	eng.base = (struct copy_engine){ &engine_ops, (how & 2) != 0 ? 64 : 0 };
	eng.random = input_u8(in);
	g.vq->index = to_guest ? 0 : 1;
	g.vq->pending = pending_new(g.vq->ring.size, NULL);
	MUST(g.vq->pending != NULL);
	g.vq->net.bursts = &build[g.vq->ring.kind][1];
	g.vq->pending->copy = g.vq->net.bursts->copy;
	if ((how & 4) == 0)
		return;
	attach_log();
}

static void channel_close(void) REQUIRES(g.vq->gate)
{
	struct visit v = { g.vq, NULL };
	struct rte_mbuf *pkts[COUNT_MAX];
	unsigned int n;

	engine_step(JOBS_MAX);
	while ((n = channel_collect(&v, &eng.base, pkts, COUNT_MAX)) != 0)
		got_back(pkts, n);
	MUST(pending_is_idle(g.vq->pending) && g.vq->pending->nr_mbufs == 0 && eng.nr_sent == 0);
	MUST(g.vq->stats.inflight_submitted == g.vq->stats.inflight_completed);
	pending_free(g.vq->pending);
	g.vq->pending = NULL;
	g.vq->index = 0;
	MUST(f.mem->refs == 1);
}

/* Any features that can be negotiated. */
static void setup_net(struct input *in)
{
	uint8_t bits = input_u8(in);

	g.vq->net = (struct vq_net){
		.mergeable = (bits & 1) != 0,
		.hdr_bytes = (bits & 3) != 0 ? sizeof(struct virtio_net_hdr_v1) :
					       sizeof(struct virtio_net_hdr),
		.parse_hdr = (bits & 4) != 0,
		.compliant = (bits & 8) != 0,
		.linear = (bits & 16) != 0,
		.extbuf = (bits & 32) != 0,
		.features = (bits & 64) != 0 ? UINT64_MAX : 0,
	};
	g.vq->stats_on = (bits & 128) != 0;
}

/* Takes mbufs out of the pool so that a burst runs out of them. */
static unsigned int hold_mbufs(struct rte_mempool *pool, struct rte_mbuf **held, struct input *in)
{
	unsigned int left = input_u8(in) % 48, n = POOL_MBUFS - left;

	MUST(rte_pktmbuf_alloc_bulk(pool, held, n) == 0);
	return n;
}

static void run(struct input *in) REQUIRES(g.vq->gate)
{
	struct ring *vr = &g.vq->ring;
	uint8_t shape = input_u8(in);
	struct rte_mempool *pool = pools[shape >> 4 & 1];
	struct rte_mbuf *held[POOL_MBUFS];
	unsigned int nr_held = 0;
	unsigned int channel;

	setup_net(in);
	attach_ring(shape, in);
	/* Such guests speak virtio 1 and up. */
	if (vr->kind == RING_PACKED)
		g.vq->net.hdr_bytes = sizeof(struct virtio_net_hdr_v1);
	channel = input_empty(in) ? 0 : *in->at / NR_STRIKES;
	read_strikes(in);
	if (channel != 0)
		channel_open(channel, (shape & 32) != 0, in);
	read_image(in, 4096);
	if ((shape & 96) == 64)
		nr_held = hold_mbufs(pool, held, in);

	for (unsigned int op = 0; op < OPS_MAX && !input_empty(in) && vr->fault == 0; op++) {
		uint8_t what = input_u8(in);
		uint16_t count = (uint16_t)(1 + (what >> 2) % COUNT_MAX);
		uint64_t value;

		if ((what & 3) == 0) {
			value = input_u64(in);
			guest_write(input_u16(in), &value, 8);
		} else if (channel != 0) {
			channel_op(what & 3, pool, count, in);
		} else if ((shape & 32) != 0) {
			enqueue(pool, count, in);
		} else {
			dequeue(pool, count);
		}
	}
	if (channel != 0)
		channel_close();
	rte_pktmbuf_free_bulk(held, nr_held);
}

/* The input with one of the builds; returns all that it did. */
static uint64_t run_build(const uint8_t *bytes, size_t len_bytes,
			  const struct net_bursts (*bursts)[2])
{
	struct input in = { bytes, len_bytes };

	build = bursts;
	digest_begin();
	memset(&g.vq->stats, 0, sizeof(g.vq->stats));
	clear_memory();
	MUST(gate_enter(&g.vq->gate));
	run(&in);
	gate_exit(&g.vq->gate);
	for (unsigned int i = 0; i < ARRAY_LEN(pools); i++)
		MUST(rte_mempool_avail_count(pools[i]) == POOL_MBUFS);
	return g.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	uint64_t base;

	if (g.vq == NULL)
		start();
	base = run_build(bytes, len_bytes, net_bursts_base);
	for (unsigned int i = 1; i < ARRAY_LEN(builds); i++)
		if (has_build(i) && run_build(bytes, len_bytes, builds[i].bursts) != base) {
			fprintf(stderr, "%s does not do what base does\n", builds[i].name);
			MUST(!"the builds agree");
		}
	return 0;
}
