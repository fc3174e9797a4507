/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet path over a hostile split ring: both bursts with real mbufs, while
 * the guest rewrites its memory before loads, as in fuzz_ring.c.
 *
 * Checked after each burst: the guest's memory changed in the used ring only
 * (towards the host) and by what the packets hold at most (towards the guest);
 * every chain that was taken was given back once or is still waiting; mbufs
 * hold together, hold what the guest's buffers held, and all come back to the
 * pool; the work was bounded.
 */
#include <rte_eal.h>
#include <rte_mbuf.h>

#include "net/net.h"
#include "ring_split.h"

#define OPS_MAX 24
#define COUNT_MAX 40
#define POOL_MBUFS 256
#define SMALL_ROOM_BYTES (RTE_PKTMBUF_HEADROOM + 96)

static struct {
	struct rte_mempool *pools[2]; /* small and usual buffers */
	struct device *dev;
	struct vq *vq;
} g;

static struct driver_config config = { .max_queue_pairs = 1, .backend = &net_backend };

static __attribute__((format(printf, 2, 0))) void no_log(enum log_level level, const char *fmt,
							 va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
}

static void start(void)
{
	char *argv[] = { (char[]){ "fuzz" }, (char[]){ "--no-huge" }, (char[]){ "--no-pci" },
			 (char[]){ "--no-shconf" }, (char[]){ "--no-telemetry" },
			 (char[]){ "--log-level=1" }, (char[]){ "-m" }, (char[]){ "64" } };

	MUST(rte_eal_init(ARRAY_LEN(argv), argv) >= 0);
	log_set_sink(no_log);
	g.pools[0] = rte_pktmbuf_pool_create("small", POOL_MBUFS, 0, 0, SMALL_ROOM_BYTES, 0);
	g.pools[1] = rte_pktmbuf_pool_create("usual", POOL_MBUFS, 0, 0,
					     RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	MUST(g.pools[0] != NULL && g.pools[1] != NULL);
	make_memory();
	g.dev = device_acquire(&config, "fuzz");
	MUST(g.dev != NULL);
	g.vq = device_vq_make(g.dev, 0);
	MUST(g.vq != NULL);
	g.vq->callfd = EVENTFD_NONE;
	gate_open(&g.vq->gate);
}

/* The used ring is where it has to be; take over what stands there. */
ORACLE static void accept_used(const struct ring *vr)
{
	const void *used = GUEST_FORCE(const void *, vr->used);
	size_t len = 6 + vr->size * 8u;

	memcpy(model_of(used, len), used, len);
}

ORACLE static void accept_all(void)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		memcpy(f.model[i], f.regions[i].mmap_addr, layout[i].size_bytes);
}

ORACLE static void check_mbuf(const struct rte_mbuf *m)
{
	const char *reason;

	/* Lengths of all segments against their buffers, reference counts. */
	MUST(rte_mbuf_check(m, 1, &reason) == 0);
	MUST(m->pkt_len != 0 && m->pkt_len <= PACKET_MAX_BYTES);
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
	uint16_t inside = (uint16_t)(vr->last_avail - vr->used_idx), used = vr->used_idx;
	unsigned int n;

	split_expect(vr, CHAIN_READABLE, &e);
	verb_begin();
	n = net_dequeue(g.vq, pool, pkts, count);
	MUST(n <= count);
	/* Of a burst only the first packet; a header may change its checksum. */
	if (n != 0 && !f.struck && (uint16_t)(vr->used_idx - used) == n && !g.vq->net.parse_hdr) {
		MUST(e.result == FETCH_OK);
		check_content(pkts[0], &e);
	}
	accept_used(vr);
	check_memory();
	for (unsigned int i = 0; i < n; i++) {
		check_mbuf(pkts[i]);
		MUST(!g.vq->net.linear || pkts[i]->nb_segs == 1);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	MUST((uint16_t)(vr->last_avail - vr->used_idx) == inside);
}

/* A packet of any shape and wish. */
static struct rte_mbuf *make_packet(struct rte_mempool *pool, struct input *in)
{
	uint8_t shape = input_u8(in);
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *seg = m;

	MUST(m != NULL);
	for (unsigned int i = 0; i <= (shape & 3u); i++) {
		uint16_t len = 1 + input_u8(in) % 90;

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
	uint16_t inside = (uint16_t)(vr->last_avail - vr->used_idx), used = vr->used_idx;
	unsigned int n;

	for (unsigned int i = 0; i < count; i++)
		pkts[i] = make_packet(pool, in);
	split_expect(vr, CHAIN_WRITABLE, &e);
	verb_begin();
	n = net_enqueue(g.vq, pkts, count);
	MUST(n <= count);
	if (n == 1 && !f.struck && e.result == FETCH_OK && pkts[0]->ol_flags == 0 &&
	    (uint16_t)(vr->used_idx - used) == 1)
		check_written(pkts[0], &e);
	accept_all();
	for (unsigned int i = 0; i < count; i++) {
		check_mbuf(pkts[i]);
		rte_pktmbuf_free(pkts[i]);
	}
	MUST((uint16_t)(vr->last_avail - vr->used_idx) == inside);
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
	struct vring_addrs addrs = { .desc = uva(UVA_BASE), .used = uva(UVA_BASE + 0x1000) };
	struct rte_mempool *pool = g.pools[shape >> 4 & 1];
	struct rte_mbuf *held[POOL_MBUFS];
	unsigned int nr_held = 0;
	uint16_t image_bytes;
	uint8_t image[4096];

	setup_net(in);
	*vr = (struct ring){ .size = (uint16_t)(1u << (shape & 7)) };
	vr->event_idx = (shape & 8) != 0;
	addrs.avail = uva(UVA_BASE + vr->size * 16u);
	MUST(vring_attach(vr, f.mem, &addrs) == 0);
	read_strikes(in);
	image_bytes = input_u16(in) % sizeof(image);
	image_bytes = (uint16_t)input_bytes(in, image, image_bytes);
	guest_write(0, image, image_bytes);
	if ((shape & 96) == 64)
		nr_held = hold_mbufs(pool, held, in);

	for (unsigned int op = 0; op < OPS_MAX && !input_empty(in) && vr->fault == 0; op++) {
		uint8_t what = input_u8(in);
		uint16_t count = (uint16_t)(1 + (what >> 2) % COUNT_MAX);
		uint64_t value;

		if ((what & 3) == 0) {
			value = input_u64(in);
			guest_write(input_u16(in), &value, 8);
		} else if ((shape & 32) != 0) {
			enqueue(pool, count, in);
		} else {
			dequeue(pool, count);
		}
	}
	rte_pktmbuf_free_bulk(held, nr_held);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	struct input in = { bytes, len_bytes };

	if (g.vq == NULL)
		start();
	clear_memory();
	MUST(gate_enter(&g.vq->gate));
	run(&in);
	gate_exit(&g.vq->gate);
	for (unsigned int i = 0; i < ARRAY_LEN(g.pools); i++)
		MUST(rte_mempool_avail_count(g.pools[i]) == POOL_MBUFS);
	return 0;
}
