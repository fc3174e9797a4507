/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The floor: what no device can leave out. Read the ring, translate in one region with the length
 * checked, copy, write the header or the mbuf's fields, write the used ring, see whether the guest
 * wants a call. One descriptor a packet, no offloads, no statistics, no locks. It runs in the
 * place of the library, over a ring of its own, and is verified and timed in the same way.
 */
#include "bench.h"

#include <string.h>

#include <rte_branch_prediction.h>

#define AHEAD 3 /* packets */

/* meson.build compiles this file for the processor it finds: AVX-512, AVX2 or what there is. */
#ifdef __AVX512F__
#define BLOCK_BYTES 64
#else
#define BLOCK_BYTES 32
#endif
typedef uint64_t block __attribute__((vector_size(BLOCK_BYTES), aligned(1), may_alias));
typedef uint64_t half __attribute__((vector_size(BLOCK_BYTES / 2), aligned(1), may_alias));

static inline __attribute__((always_inline)) void
copy(uint8_t *to, const uint8_t *from, uint32_t n)
{
	if (n < BLOCK_BYTES / 2) {
		memcpy(to, from, n);
	} else if (n < BLOCK_BYTES) { /* two that overlap */
		half last = *(const half *)(from + n - sizeof(last));

		*(half *)to = *(const half *)from;
		*(half *)(to + n - sizeof(last)) = last;
	} else {
		block last = *(const block *)(from + n - BLOCK_BYTES);
		uint8_t *end = to + n - BLOCK_BYTES;

		if (n > 4 * BLOCK_BYTES) { /* then stores that do not cross lines */
			uint32_t skip = BLOCK_BYTES - ((uintptr_t)to & (BLOCK_BYTES - 1));

			*(block *)to = *(const block *)from;
			to += skip;
			from += skip;
		}
		for (; to + 3 * BLOCK_BYTES < end; to += 4 * BLOCK_BYTES, from += 4 * BLOCK_BYTES) {
			block a = ((const block *)from)[0], b = ((const block *)from)[1];
			block c = ((const block *)from)[2], d = ((const block *)from)[3];

			((block *)to)[0] = a;
			((block *)to)[1] = b;
			((block *)to)[2] = c;
			((block *)to)[3] = d;
		}
		for (; to < end; to += BLOCK_BYTES, from += BLOCK_BYTES)
			*(block *)to = *(const block *)from;
		*(block *)end = last;
	}
}

static inline __attribute__((always_inline)) uint8_t *
translate(const struct guest_region *r, uint64_t gpa, uint32_t len)
{
	uint64_t offset = gpa - r->gpa;

	if (unlikely(offset >= r->size_bytes || len > r->size_bytes - offset))
		return NULL;
	return r->local + offset;
}

/* What comes soon, unchecked: a prefetch does not fault. */
static inline __attribute__((always_inline)) void
look_ahead(const struct guest_region *r, uint64_t gpa)
{
	const uint8_t *at = (const uint8_t *)((uintptr_t)r->local + (gpa - r->gpa));

	__builtin_prefetch(at);
	__builtin_prefetch(at + 64);
	__builtin_prefetch(at + 128);
	__builtin_prefetch(at + 192);
}

/* One packet into a guest buffer: bytes written, 0 if it does not fit. */
static inline __attribute__((always_inline)) uint32_t
give(const struct guest_region *r, uint64_t gpa, uint32_t len, uint16_t flags,
     const struct rte_mbuf *m)
{
	static const struct guest_net_hdr hdr = {.num_buffers = 1};
	uint32_t need = m->pkt_len + BENCH_HDR_BYTES;
	uint8_t *to = translate(r, gpa, len);

	if (unlikely(to == NULL || len < need || (flags & GUEST_DESC_WRITE) == 0))
		return 0;
	memcpy(to, &hdr, BENCH_HDR_BYTES);
	to += BENCH_HDR_BYTES;
	for (; m != NULL; to += m->data_len, m = m->next)
		copy(to, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
	return need;
}

/* One packet into an mbuf fresh from the pool. */
static inline __attribute__((always_inline)) bool
take(const struct guest_region *r, uint64_t gpa, uint32_t len, uint16_t flags, struct rte_mbuf *m)
{
	const uint8_t *from = translate(r, gpa, len);
	uint32_t bytes = len - BENCH_HDR_BYTES;

	if (unlikely(from == NULL || len < BENCH_HDR_BYTES || (flags & GUEST_DESC_WRITE) != 0 ||
		     bytes > (uint32_t)m->buf_len - RTE_PKTMBUF_HEADROOM))
		return false;
	m->data_off = RTE_PKTMBUF_HEADROOM;
	rte_mbuf_refcnt_set(m, 1);
	m->nb_segs = 1;
	m->port = RTE_MBUF_PORT_INVALID;
	m->ol_flags = 0;
	m->packet_type = 0;
	m->pkt_len = bytes;
	m->data_len = (uint16_t)bytes;
	copy(rte_pktmbuf_mtod(m, uint8_t *), from + BENCH_HDR_BYTES, bytes);
	return true;
}

struct used_elem {
	uint32_t id, len;
};

/* Split: chains waiting, at most max; split_done() gives n of them back. */
static inline __attribute__((always_inline)) unsigned
split_waiting(const struct bench *b, unsigned max)
{
	uint16_t idx = __atomic_load_n(&b->vq->avail[1], __ATOMIC_ACQUIRE);

	return RTE_MIN(max, (unsigned)(uint16_t)(idx - b->floor.next));
}

static inline __attribute__((always_inline)) void
split_done(struct bench *b, unsigned n)
{
	b->floor.next = (uint16_t)(b->floor.next + n);
	__atomic_store_n(&b->vq->used[1], b->floor.next, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	b->floor.calls += b->vq->avail[0] == 0;
}

static unsigned
split_enqueue(struct bench *b, struct rte_mbuf **pkts, unsigned max)
{
	const struct guest_region *r = &b->fe.mem.regions[0];
	const uint16_t *avail = (const uint16_t *)(uintptr_t)b->vq->avail + 2;
	const struct guest_desc *desc = (const struct guest_desc *)(uintptr_t)b->vq->desc;
	struct used_elem *used = (struct used_elem *)(uintptr_t)(b->vq->used + 2);
	uint32_t mask = b->vq->size - 1u;
	unsigned n = split_waiting(b, max), i;

	for (i = 0; i < n; i++) {
		uint32_t slot = (b->floor.next + i) & mask;
		uint16_t head = avail[slot];
		uint32_t len;

		if (unlikely(head > mask))
			break;
		look_ahead(r, desc[avail[(slot + AHEAD) & mask] & mask].gpa);
		len = give(r, desc[head].gpa, desc[head].len_bytes, desc[head].flags, pkts[i]);
		if (unlikely(len == 0))
			break;
		used[slot] = (struct used_elem) {head, len};
	}
	if (i > 0)
		split_done(b, i);
	return i;
}

static unsigned
split_dequeue(struct bench *b, struct rte_mbuf **pkts, unsigned max)
{
	const struct guest_region *r = &b->fe.mem.regions[0];
	const uint16_t *avail = (const uint16_t *)(uintptr_t)b->vq->avail + 2;
	const struct guest_desc *desc = (const struct guest_desc *)(uintptr_t)b->vq->desc;
	struct used_elem *used = (struct used_elem *)(uintptr_t)(b->vq->used + 2);
	uint32_t mask = b->vq->size - 1u;
	unsigned n = split_waiting(b, max), i;

	if (n == 0 || rte_mempool_get_bulk(b->pool, (void **)pkts, n) != 0)
		return 0;
	for (i = 0; i < n; i++) {
		uint32_t slot = (b->floor.next + i) & mask;
		uint16_t head = avail[slot];

		look_ahead(r, desc[avail[(slot + AHEAD) & mask] & mask].gpa);
		if (unlikely(head > mask || !take(r, desc[head].gpa, desc[head].len_bytes,
						  desc[head].flags, pkts[i])))
			break;
		used[slot] = (struct used_elem) {head, 0};
	}
	if (unlikely(i < n))
		rte_mempool_put_bulk(b->pool, (void **)&pkts[i], n - i);
	if (i > 0)
		split_done(b, i);
	return i;
}

static inline __attribute__((always_inline)) bool
packed_waiting(const struct guest_packed_desc *d, bool wrap)
{
	uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

	return (flags & (GUEST_PACKED_AVAIL | GUEST_PACKED_USED)) ==
	       (wrap ? GUEST_PACKED_AVAIL : GUEST_PACKED_USED);
}

/* Packed: the used descriptors of a burst; the guest sees none before the first one's flags. */
struct packed_writer {
	struct guest_packed_desc *desc;
	unsigned slot;
	bool wrap;
	struct guest_packed_desc *first;
	uint16_t first_flags;
};

static inline __attribute__((always_inline)) void
packed_used(struct packed_writer *w, unsigned size, uint32_t len)
{
	struct guest_packed_desc *d = &w->desc[w->slot];
	uint16_t flags = (uint16_t)((w->wrap ? GUEST_PACKED_AVAIL | GUEST_PACKED_USED : 0) |
				    (len != 0 ? GUEST_DESC_WRITE : 0));

	d->len_bytes = len;
	if (w->first == NULL) {
		w->first = d;
		w->first_flags = flags;
	} else {
		d->flags = flags;
	}
	if (++w->slot == size) {
		w->slot = 0;
		w->wrap = !w->wrap;
	}
}

static inline __attribute__((always_inline)) void
packed_done(struct bench *b, const struct packed_writer *w)
{
	b->floor.next = (uint16_t)w->slot;
	b->floor.wrap = w->wrap;
	if (w->first == NULL)
		return;
	__atomic_store_n(&w->first->flags, w->first_flags, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	b->floor.calls += b->vq->avail[1] != GUEST_EVENT_DISABLE;
}

static unsigned
packed_enqueue(struct bench *b, struct rte_mbuf **pkts, unsigned max)
{
	const struct guest_region *r = &b->fe.mem.regions[0];
	struct packed_writer w = {
		.desc = (struct guest_packed_desc *)(uintptr_t)b->vq->packed,
		.slot = b->floor.next,
		.wrap = b->floor.wrap,
	};
	unsigned size = b->vq->size, i;

	for (i = 0; i < max; i++) {
		const struct guest_packed_desc *d = &w.desc[w.slot];
		uint32_t len;

		if (!packed_waiting(d, w.wrap))
			break;
		look_ahead(r, w.desc[w.slot + AHEAD < size ? w.slot + AHEAD : 0].gpa);
		len = give(r, d->gpa, d->len_bytes, d->flags, pkts[i]);
		if (unlikely(len == 0))
			break;
		packed_used(&w, size, len);
	}
	packed_done(b, &w);
	return i;
}

static unsigned
packed_dequeue(struct bench *b, struct rte_mbuf **pkts, unsigned max)
{
	const struct guest_region *r = &b->fe.mem.regions[0];
	struct packed_writer w = {
		.desc = (struct guest_packed_desc *)(uintptr_t)b->vq->packed,
		.slot = b->floor.next,
		.wrap = b->floor.wrap,
	};
	unsigned size = b->vq->size, i;

	if (!packed_waiting(&w.desc[w.slot], w.wrap) ||
	    rte_mempool_get_bulk(b->pool, (void **)pkts, max) != 0)
		return 0;
	for (i = 0; i < max; i++) {
		const struct guest_packed_desc *d = &w.desc[w.slot];

		look_ahead(r, w.desc[w.slot + AHEAD < size ? w.slot + AHEAD : 0].gpa);
		if (!packed_waiting(d, w.wrap) ||
		    unlikely(!take(r, d->gpa, d->len_bytes, d->flags, pkts[i])))
			break;
		packed_used(&w, size, 0);
	}
	if (i < max)
		rte_mempool_put_bulk(b->pool, (void **)&pkts[i], max - i);
	packed_done(b, &w);
	return i;
}

unsigned
floor_burst(struct bench *b, struct rte_mbuf **pkts, unsigned n)
{
	if (b->opts.packed)
		return b->dir == H2G ? packed_enqueue(b, pkts, n) : packed_dequeue(b, pkts, n);
	return b->dir == H2G ? split_enqueue(b, pkts, n) : split_dequeue(b, pkts, n);
}

bool
floor_can(const struct bench *b, uint32_t pkt_bytes)
{
	return b->opts.layout == LAYOUT_ONE && b->opts.offload == OFFLOAD_NONE &&
	       b->opts.regions == 1 && b->opts.buffers_mib == 0 &&
	       pkt_bytes <= b->opts.data_room_bytes && pkt_bytes + BENCH_HDR_BYTES <= 2048;
}

void
floor_init(struct bench *b)
{
	if (guest_ring_init(&b->floor.vq, b->opts.packed ? &guest_packed : &guest_split,
			    &b->fe.mem, (uint16_t)b->opts.ring_size) != 0)
		bench_die("no room for the floor's ring");
	b->floor.vq.no_kick = true;
}

void
floor_begin(struct bench *b)
{
	guest_ring_reset(&b->floor.vq, 0);
	guest_ring_call_disable(&b->floor.vq);
	b->floor.next = 0;
	b->floor.wrap = true;
	b->floor.on = true;
}

void
floor_end(struct bench *b)
{
	b->floor.on = false;
}
