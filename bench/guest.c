/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest driver's share of bench_burst: buffers laid out over the regions, posted round and
 * round, reaped. All of it runs untimed. Nothing here is untrusted.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define HOT_BUFFERS 256
#define CACHE_LINE 64
#define MERGEABLE_BUFFER_BYTES 2048

unsigned
buffers_per_packet(const struct bench *b, uint32_t pkt_bytes)
{
	uint32_t need = pkt_bytes + BENCH_HDR_BYTES;

	return (need + b->buffer_bytes - 1) / b->buffer_bytes;
}

/*
 * A buffer, at least a cache line after it that nobody may write, and a line for an indirect table;
 * an odd number of lines, so that the first lines of all buffers do not fall into a few sets of the
 * caches.
 */
static uint32_t
stride(uint32_t buffer_bytes)
{
	uint32_t lines = (buffer_bytes + CACHE_LINE - 1) / CACHE_LINE + 2;

	return (lines | 1) * CACHE_LINE;
}

static void
shuffle(struct bench_buffer *buffers, unsigned n)
{
	uint64_t x = 88172645463325252ull;

	for (unsigned i = n - 1; i > 0; i--) {
		struct bench_buffer swap = buffers[i];
		unsigned j;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		j = (unsigned)(x % (i + 1));
		buffers[i] = buffers[j];
		buffers[j] = swap;
	}
}

static void
lay_out_buffers(struct bench *b)
{
	struct guest_memory *mem = &b->fe.mem;

	for (unsigned i = 0; i < mem->nregions; i++)
		mem->regions[i].used_bytes = b->mem_mark[i];
	b->nr_buffers = HOT_BUFFERS;
	if (b->opts.ring_size > b->nr_buffers)
		b->nr_buffers = b->opts.ring_size;
	if (b->opts.buffers_mib != 0)
		b->nr_buffers = (b->opts.buffers_mib << 20) / b->stride_bytes;
	b->buffers = calloc(b->nr_buffers, sizeof(*b->buffers));
	if (b->buffers == NULL)
		bench_die("no memory");
	for (unsigned i = 0; i < b->nr_buffers; i++) {
		struct bench_buffer *buf = &b->buffers[i];

		buf->gpa = guest_alloc_in(mem, i % mem->nregions, b->stride_bytes, CACHE_LINE);
		buf->at = guest_ptr(mem, buf->gpa, b->stride_bytes);
		memset(buf->at, 0, b->stride_bytes);
	}
	/* In memory order the hardware would guess the next one. */
	if (b->opts.buffers_mib != 0)
		shuffle(b->buffers, b->nr_buffers);
	b->next_buffer = 0;
}

/*
 * Header and data through a table at the end of the buffer's stride. The harness could do it, but
 * its tables lie a KiB apart, which a real driver's do not.
 */
static struct guest_seg
indirect_table(const struct bench *b, const struct bench_buffer *buf, uint32_t bytes,
	       uint16_t flags)
{
	uint32_t offset = b->stride_bytes - CACHE_LINE;
	struct guest_desc table[2] = {
		{buf->gpa, BENCH_HDR_BYTES, (uint16_t)(flags | GUEST_DESC_NEXT), 1},
		{buf->gpa + BENCH_HDR_BYTES, bytes - BENCH_HDR_BYTES, flags, 0},
	};

	memcpy(buf->at + offset, table, sizeof(table));
	return (struct guest_seg) {buf->gpa + offset, sizeof(table), GUEST_DESC_INDIRECT};
}

static void
post(struct bench *b, struct bench_buffer *buf, uint32_t bytes)
{
	uint16_t flags = b->dir == H2G ? GUEST_DESC_WRITE : 0;
	struct guest_seg segs[2] = {{buf->gpa, bytes, flags}};
	uint16_t nr_segs = 1;

	if (b->opts.layout == LAYOUT_TWO) {
		segs[0].len_bytes = BENCH_HDR_BYTES;
		segs[1] = (struct guest_seg) {buf->gpa + BENCH_HDR_BYTES, bytes - BENCH_HDR_BYTES,
					      flags};
		nr_segs = 2;
	} else if (b->opts.layout == LAYOUT_INDIRECT) {
		segs[0] = indirect_table(b, buf, bytes, flags);
	}
	if (guest_ring_prepare(b->vq, segs, nr_segs, buf) < 0)
		bench_die("no free descriptor");
}

unsigned
guest_post(struct bench *b, unsigned max)
{
	unsigned per_chain = b->opts.layout == LAYOUT_TWO ? 2 : 1;
	uint32_t bytes = b->dir == H2G ? b->buffer_bytes : b->pkt_bytes + BENCH_HDR_BYTES;
	unsigned n;

	for (n = 0; n < max && b->vq->free_count >= per_chain; n++) {
		post(b, &b->buffers[b->next_buffer], bytes);
		if (++b->next_buffer == b->nr_buffers)
			b->next_buffer = 0;
	}
	guest_ring_publish(b->vq);
	return n;
}

void
guest_post_packet(struct bench *b, struct bench_buffer *buf, uint32_t pkt_bytes)
{
	post(b, buf, pkt_bytes + BENCH_HDR_BYTES);
	guest_ring_publish(b->vq);
}

unsigned
guest_reap(struct bench *b)
{
	struct guest_used used;
	void *cookie;
	unsigned n = 0;

	while (guest_ring_poll(b->vq, &used, &cookie)) {
		if (cookie == NULL)
			bench_die("used element names chain %u, which is not posted", used.id);
		n++;
	}
	return n;
}

void
guest_fill_packets(struct bench *b)
{
	struct guest_net_hdr hdr = packet_guest_header(b);

	for (unsigned i = 0; i < b->nr_buffers; i++) {
		memcpy(b->buffers[i].at, &hdr, BENCH_HDR_BYTES);
		packet_make(b, i, b->buffers[i].at + BENCH_HDR_BYTES, b->pkt_bytes);
	}
}

void
cell_begin(struct bench *b, enum bench_direction dir, uint32_t pkt_bytes)
{
	b->dir = dir;
	b->pkt_bytes = pkt_bytes;
	b->queue = dir == H2G ? 0 : 1;
	b->vq = &b->fe.vqs[b->queue];
	b->buffer_bytes = pkt_bytes + BENCH_HDR_BYTES;
	if (dir == H2G && b->opts.mergeable)
		b->buffer_bytes = MERGEABLE_BUFFER_BYTES;
	else if (b->buffer_bytes < MERGEABLE_BUFFER_BYTES)
		b->buffer_bytes = MERGEABLE_BUFFER_BYTES;
	b->stride_bytes = stride(b->buffer_bytes);
	lay_out_buffers(b);
}

/* Takes back every buffer that is still posted, by letting the library use it. */
void
cell_end(struct bench *b)
{
	struct rte_mbuf *m = packet_mbuf(b, 0, 64, 0);
	struct rte_mbuf *got;

	while (b->vq->free_count < b->vq->size) {
		unsigned n;

		if (b->dir == H2G) {
			n = rte_vhost_enqueue_burst(b->vid, b->queue, &m, 1);
		} else {
			n = rte_vhost_dequeue_burst(b->vid, b->queue, b->pool, &got, 1);
			if (n == 1)
				rte_pktmbuf_free(got);
		}
		if (n != 1 || guest_reap(b) != 1)
			bench_die("the ring does not drain");
	}
	rte_pktmbuf_free(m);
	free(b->buffers);
	b->buffers = NULL;
}
