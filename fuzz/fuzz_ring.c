/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring against a guest that rewrites its memory at any moment: the input is
 * guest memory, a script of ring verbs and guest writes, and a list of writes
 * that strike right before a load.
 *
 * Checked after every verb: it read inside guest memory only, and no more often
 * than its bound; it wrote what the format says, and not a byte more. A fetch
 * from memory that held still reads nothing twice and finds what a second,
 * plain walk finds; one from memory that did not still gives spans inside guest
 * memory whose lengths add up.
 */
#include "copy/plan.h"
#include "ring_split.h"

#define OPS_MAX 64
#define BURST_MAX 32

struct burst {
	struct span_pool pool;
	struct chain chains[BURST_MAX];
	unsigned int nr_chains;
};

ORACLE static void check_chain(const struct chain *chain, const struct ring *vr,
			const struct span_pool *pool)
{
	uint64_t sum = 0;

	MUST(chain->nr_spans <= CHAIN_SPANS_MAX);
	MUST(chain->id < vr->size);
	MUST(pool->used <= SPAN_POOL_SPANS);
	for (unsigned int i = 0; i < chain->nr_spans; i++) {
		const struct span *s = &chain->spans[i];

		MUST(region_of((const void *)(uintptr_t)s->ptr, s->len_bytes) >= 0);
		sum += s->len_bytes;
	}
	MUST(sum == chain->bytes);
}

/* The fast lane gives a buffer of length 0 a span; a walk gives it none. */
ORACLE static void check_expected(const struct chain *chain, enum fetch_result ret,
			   const struct expected *e)
{
	unsigned int n = 0;

	MUST(ret == e->result);
	if (ret != FETCH_OK)
		return;
	for (unsigned int i = 0; i < chain->nr_spans; i++) {
		const struct span *s = &chain->spans[i];

		if (s->len_bytes == 0)
			continue;
		MUST(n < e->nr_pieces);
		MUST((uintptr_t)s->ptr == (uintptr_t)e->pieces[n].at &&
		     s->len_bytes == e->pieces[n].len_bytes);
		n++;
	}
	MUST(n == e->nr_pieces);
}

static enum fetch_result fetch(enum ring_kind k, struct ring *vr, enum chain_dir dir,
			       struct burst *b)
{
	static struct expected e;
	struct chain *chain = &b->chains[b->nr_chains];
	enum fetch_result ret;

	split_expect(vr, dir, &e);
	verb_begin();
	*chain = (struct chain){ .spans = NULL };
	ret = ring_fetch(k, vr, dir, &b->pool, chain);
	MUST(f.nr_loads <= LOADS_MAX(vr));
	MUST((vr->fault != RING_FAULT_NONE) == (ret == FETCH_BROKEN));
	/* An empty pool has room for any one chain: a burst always gets on. */
	MUST(ret != FETCH_FULL || b->nr_chains != 0);
	if (ret == FETCH_OK || ret == FETCH_BAD)
		check_chain(chain, vr, &b->pool);
	if (ret == FETCH_BAD)
		MUST(chain->fault != RING_FAULT_NONE && chain->fault <= RING_FAULT_LAST_CHAIN &&
		     chain->bytes == 0);
	if (ret == FETCH_BROKEN)
		MUST(vr->fault > RING_FAULT_LAST_CHAIN);
	if (!f.struck && ret != FETCH_FULL) {
		check_expected(chain, ret, &e);
		if (ret == FETCH_OK)
			check_single_fetch();
	}
	return ret;
}

/* Touches all bytes of a chain, as the copy of a packet would. */
static void use_chain(const struct chain *chain, enum chain_dir dir, uint8_t pattern)
{
	static uint8_t bytes[1 << 14];
	struct plan plan = { .nr_segs = 0 };

	/* One pattern for all: the copies may come as late as plan_execute(). */
	memset(bytes, pattern, MIN2((size_t)chain->bytes, sizeof(bytes)));
	for (unsigned int i = 0; i < chain->nr_spans; i++) {
		const struct span *s = &chain->spans[i];

		MUST(s->len_bytes <= sizeof(bytes));
		if (dir == CHAIN_READABLE) {
			plan_add_read(&plan, bytes, s->ptr, s->len_bytes);
		} else {
			plan_add_write(&plan, s->ptr, bytes, s->len_bytes);
			if (s->len_bytes != 0)
				model_write((const void *)(uintptr_t)s->ptr, bytes, s->len_bytes);
		}
	}
	plan_execute(&plan);
}

/* Gives back all chains of a burst but the last `keep`. */
static void give_back(enum ring_kind k, struct ring *vr, enum chain_dir dir,
		      const struct burst *b, unsigned int keep)
{
	unsigned int n = b->nr_chains - keep;
	uint16_t avail = vr->last_avail, used = vr->used_idx, old = vr->signalled;
	bool first = !vr->signalled_valid, published, needed;

	verb_begin();
	for (unsigned int i = 0; i < n; i++) {
		const struct chain *chain = &b->chains[i];

		use_chain(chain, dir, (uint8_t)(0xa0 + i));
		split_model_push(vr, (uint16_t)(used + i), chain->id, chain->bytes);
		ring_used_push(k, vr, chain, chain->bytes);
	}
	/* The guest sees none of it yet. */
	check_memory();
	ring_rewind(k, vr, keep);
	MUST(vr->last_avail == (uint16_t)(avail - keep));
	MUST(vr->used_idx == (uint16_t)(used + n));
	published = ring_publish(k, vr);
	MUST(published == (n != 0) && f.nr_loads == 0);
	if (!published)
		return;
	split_model_publish(vr, (uint16_t)(used + n));
	needed = ring_notify_needed(k, vr);
	MUST(f.nr_loads <= 1 && needed == split_expect_notify(vr, first, old));
}

static void burst(enum ring_kind k, struct ring *vr, enum chain_dir dir, unsigned int max,
		  unsigned int give_up)
{
	static struct burst b;
	unsigned int waiting;

	b.pool.used = 0;
	verb_begin();
	waiting = ring_avail(k, vr, max);
	MUST(f.nr_loads == 1 && waiting == split_expect_avail(vr, max));
	ring_prefetch(k, vr, waiting);
	for (b.nr_chains = 0; b.nr_chains < waiting; b.nr_chains++) {
		enum fetch_result ret = fetch(k, vr, dir, &b);

		if (ret == FETCH_FULL || ret == FETCH_BROKEN)
			break;
	}
	give_back(k, vr, dir, &b, MIN2(give_up, b.nr_chains));
}

/* Does all of a part of a ring lie in one region, and as 2.7 aligns it? */
ORACLE static bool part_fits(uint64_t addr, uint64_t len, uint64_t alignment)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		uint64_t start = UVA_BASE + layout[i].gpa;

		if (addr >= start && addr + len <= start + layout[i].size_bytes)
			return addr % alignment == 0;
	}
	return false;
}

static bool attach(struct input *in, struct ring *vr)
{
	struct vring_addrs addrs = { .desc = uva(UVA_BASE) };
	uint8_t shape = input_u8(in);
	uint64_t size;
	bool fits;

	*vr = (struct ring){ .size = (uint16_t)(1u << (shape & 7)) };
	vr->event_idx = (shape & 8) != 0;
	size = vr->size;
	/* Anywhere, also where it does not fit. */
	if ((shape & 16) != 0)
		addrs.desc.v += input_u16(in);
	addrs.avail = uva(addrs.desc.v + size * 16);
	if ((shape & 16) != 0)
		addrs.avail.v += input_u16(in);
	addrs.used = uva(UVA_BASE + 0x1000);
	if ((shape & 32) != 0)
		addrs.used.v += input_u16(in);
	if ((shape & 64) != 0) {
		uint16_t avail = input_u16(in);

		vring_set_base(vr, avail, input_u16(in));
	}
	fits = part_fits(addrs.desc.v, size * 16, 16) &&
	       part_fits(addrs.avail.v, 6 + size * 2, 2) &&
	       part_fits(addrs.used.v, 6 + size * 8, 4);
	MUST((vring_attach(vr, f.mem, &addrs) == 0) == fits);
	MUST(vring_attached(vr) == fits);
	return fits;
}

static ALWAYS_INLINE void run(enum ring_kind k, struct ring *vr, struct input *in)
{
	enum chain_dir dir = input_u8(in) & 1 ? CHAIN_WRITABLE : CHAIN_READABLE;
	uint16_t image_bytes;
	uint8_t image[5120];

	/* A few strikes, then the ring as the guest left it, then the script. */
	read_strikes(in);
	image_bytes = input_u16(in) % sizeof(image);
	image_bytes = (uint16_t)input_bytes(in, image, image_bytes);
	guest_write(0, image, image_bytes);

	for (unsigned int op = 0; op < OPS_MAX && !input_empty(in) && vr->fault == 0; op++) {
		uint8_t what = input_u8(in);
		uint64_t value;

		switch (what & 3) {
		case 0:
			value = input_u64(in);
			guest_write(input_u16(in), &value, 8);
			break;
		case 1:
			split_model_kick(vr, (what & 4) != 0);
			verb_begin();
			ring_kick_enable(k, vr, (what & 4) != 0);
			MUST(f.nr_loads == 0);
			break;
		default:
			burst(k, vr, dir, MIN2((unsigned int)what >> 2, (unsigned int)BURST_MAX),
			      input_u8(in) % 8 == 7 ? 3 : 0);
			break;
		}
		check_memory();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	struct input in = { bytes, len_bytes };
	struct ring vr;

	if (f.mem == NULL)
		make_memory();
	clear_memory();
	if (attach(&in, &vr))
		run(RING_SPLIT, &vr, &in);
	return 0;
}
