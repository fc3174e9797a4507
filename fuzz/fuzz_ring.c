/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring against a guest that rewrites its memory at any moment: the input is
 * guest memory, a script of ring verbs and guest writes, and a list of writes
 * that strike right before a load. Both formats; a chain of the usual form is
 * looked at through a cursor, any other fetched; requests are all fetched.
 *
 * Checked after every verb: it read inside guest memory only, and no more often
 * than its bound; it wrote what the format says, and not a byte more. A look or
 * a fetch at memory that held still reads nothing twice and finds what a second,
 * plain walk finds; one at memory that did not still gives spans inside guest
 * memory whose lengths add up, and a place in the ring that is one.
 */
#include "copy/plan.h"
#include "ring_packed.h"
#include "ring_split.h"

#define OPS_MAX 64
#define BURST_MAX 32

/* The second telling of a format's verb. */
#define MODEL(kind, verb, ...)                                                        \
	((kind) == RING_PACKED ? packed_##verb(__VA_ARGS__) : split_##verb(__VA_ARGS__))

struct burst {
	struct span_pool pool;
	struct chain chains[BURST_MAX];
	struct span pieces[BURST_MAX][2];
	uint16_t positions[BURST_MAX]; /* before each was taken */
	unsigned int nr_chains;
};

ORACLE static void check_chain(const struct chain *chain, const struct ring *vr,
			       const struct span_pool *pool)
{
	uint64_t sum = 0;

	MUST(chain->nr_spans <= REQUEST_SPANS_MAX);
	MUST(used_bytes(chain->used) == 0);
	if (vr->kind == RING_PACKED)
		MUST(used_slots(chain->used) != 0 && used_slots(chain->used) <= vr->size);
	else
		MUST(used_slots(chain->used) == 1 && used_id(chain->used) < vr->size);
	MUST(pool->used <= SPAN_POOL_SPANS);
	for (unsigned int i = 0; i < chain->nr_spans; i++) {
		const struct span *s = &chain->spans[i];

		MUST(region_of((const void *)(uintptr_t)s->ptr, s->len_bytes) >= 0);
		sum += s->len_bytes;
	}
	MUST(sum == chain->bytes);
}

/* What is to be read of a request comes first, and is all of it. */
ORACLE static void check_turn(const struct chain *chain, const struct expected *e)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < chain->nr_readable; i++)
		sum += chain->spans[i].len_bytes;
	MUST(sum == e->readable_bytes && chain->readable_bytes == sum);
}

/* Where we stand is a place in the ring. */
ORACLE static void check_position(const struct ring *vr)
{
	if (vr->kind == RING_PACKED)
		MUST((vr->last_avail & 0x7fff) < vr->size && (vr->used_idx & 0x7fff) < vr->size);
}

/* The same bytes; a buffer of length 0 may have a span or none. */
ORACLE static void check_expected(const struct chain *chain, enum fetch_result ret,
				  const struct expected *e)
{
	uint64_t off = 0; /* in the piece */
	unsigned int n = 0;

	MUST(ret == e->result);
	if (ret == FETCH_OK || ret == FETCH_BAD)
		MUST(used_id(chain->used) == e->id && used_slots(chain->used) == e->nr_slots);
	if (ret != FETCH_OK)
		return;
	/* A piece may be cut in two: lead and body. */
	for (unsigned int i = 0; i < chain->nr_spans; i++) {
		const struct span *s = &chain->spans[i];

		if (s->len_bytes == 0)
			continue;
		MUST(n < e->nr_pieces && s->len_bytes <= e->pieces[n].len_bytes - off);
		MUST((uintptr_t)s->ptr == (uintptr_t)e->pieces[n].at + off);
		off += s->len_bytes;
		if (off == e->pieces[n].len_bytes) {
			off = 0;
			n++;
		}
	}
	MUST(n == e->nr_pieces);
}

/* The next chain through a cursor, if it is of the usual form. */
static enum ring_next take_usual(enum ring_kind k, struct ring *vr, enum chain_dir dir,
				 uint32_t lead, struct burst *b, const struct expected *e)
{
	struct chain *chain = &b->chains[b->nr_chains];
	struct span *spans = b->pieces[b->nr_chains];
	struct piece piece = { .bytes = 0 };
	struct ring_cursor c;
	enum ring_next ret;

	verb_begin();
	c = ring_open(k, vr, dir);
	ret = ring_next(k, vr, &c, dir, lead, &piece);
	MUST(f.nr_loads <= NEXT_LOADS_MAX);
	if (!f.struck)
		MUST((ret == NEXT_NONE) == (e->result == FETCH_NONE ||
					    vr->fault == RING_FAULT_AVAIL));
	if (ret != NEXT_PIECE)
		return ret;
	*chain = (struct chain){ .spans = spans, .bytes = piece.bytes, .used = piece.used };
	/* With less than the lead, neither is to be used. */
	if (piece.bytes < lead) {
		chain->bytes = 0;
	} else {
		if (lead != 0)
			spans[chain->nr_spans++] = (struct span){ piece.lead, lead };
		if (piece.bytes > lead)
			spans[chain->nr_spans++] = (struct span){ piece.body, piece.bytes - lead };
	}
	check_chain(chain, vr, &b->pool);
	if (!f.struck) {
		check_single_fetch(vr, e);
		MUST(e->result == FETCH_OK);
		if (piece.bytes >= lead)
			check_expected(chain, FETCH_OK, e);
	}
	ring_take(k, &c, piece.used);
	ring_close(k, vr, dir, &c);
	return ret;
}

/* The next chain in one go, if it is a request of the usual form; leaves any other. */
static bool take_request(enum ring_kind k, struct ring *vr, struct burst *b,
			 const struct expected *e)
{
	struct chain *chain = &b->chains[b->nr_chains];
	const uint16_t position = vr->last_avail;
	const unsigned int used = b->pool.used;

	verb_begin();
	*chain = (struct chain){ .nr_readable = UINT16_MAX };
	if (ring_fetch_requests(k, vr, &b->pool, chain, 1) == 0) {
		MUST(f.nr_loads <= REQUEST_LOADS_MAX);
		MUST(vr->last_avail == position && b->pool.used == used);
		return false;
	}
	MUST(f.nr_loads <= REQUEST_LOADS_MAX);
	check_chain(chain, vr, &b->pool);
	MUST(chain->fault == RING_FAULT_NONE && chain->nr_readable <= chain->nr_spans);
	if (!f.struck) {
		check_single_fetch(vr, e);
		check_expected(chain, FETCH_OK, e);
		check_turn(chain, e);
	}
	return true;
}

static enum fetch_result fetch(enum ring_kind k, struct ring *vr, enum chain_dir dir,
			       struct burst *b, const struct expected *e)
{
	struct chain *chain = &b->chains[b->nr_chains];
	enum fetch_result ret;

	verb_begin();
	*chain = (struct chain){ .nr_readable = UINT16_MAX };
	ret = ring_fetch(k, vr, dir, &b->pool, chain);
	MUST(f.nr_loads <= LOADS_MAX(vr, dir));
	MUST((vr->fault != RING_FAULT_NONE) == (ret == FETCH_BROKEN));
	/* An empty pool has room for any one chain: a burst always gets on. */
	MUST(ret != FETCH_FULL || b->pool.used != 0);
	if (ret == FETCH_OK || ret == FETCH_BAD)
		check_chain(chain, vr, &b->pool);
	if (ret == FETCH_BAD)
		MUST(chain->fault != RING_FAULT_NONE && chain->fault <= RING_FAULT_LAST_CHAIN &&
		     chain->bytes <= (dir == CHAIN_BOTH && chain->fault == RING_FAULT_LENGTH));
	if (ret == FETCH_BROKEN)
		MUST(vr->fault > RING_FAULT_LAST_CHAIN);
	if (dir == CHAIN_BOTH && (ret == FETCH_OK || ret == FETCH_BAD))
		MUST(chain->nr_readable <= chain->nr_spans);
	if (!f.struck && ret != FETCH_FULL) {
		check_expected(chain, ret, e);
		if (ret == FETCH_OK)
			check_single_fetch(vr, e);
		if (ret == FETCH_OK && dir == CHAIN_BOTH)
			check_turn(chain, e);
	}
	return ret;
}

/*
 * Touches all bytes of a chain, as the copy of a packet would; of a request first those to read:
 * the guest may strike while they are read, and not between a write and the model's.
 */
static void use_chain(const struct chain *chain, enum chain_dir dir, uint8_t pattern)
{
	static uint8_t bytes[1 << 14], read[1 << 14];
	struct plan reads = { .nr_segs = 0 }, writes = { .nr_segs = 0 };
	unsigned int turn = dir == CHAIN_READABLE ? chain->nr_spans :
			    dir == CHAIN_BOTH ? chain->nr_readable :
						0;
	unsigned int i;

	/* One pattern for all: the copies may come as late as plan_execute(). */
	memset(bytes, pattern, MIN2((size_t)chain->bytes, sizeof(bytes)));
	for (i = 0; i < turn; i++) {
		MUST(chain->spans[i].len_bytes <= sizeof(read));
		plan_add_read(&reads, read, chain->spans[i].ptr, chain->spans[i].len_bytes);
	}
	plan_execute(&reads);
	for (; i < chain->nr_spans; i++) {
		const struct span *s = &chain->spans[i];

		MUST(s->len_bytes <= sizeof(bytes));
		plan_add_write(&writes, s->ptr, bytes, s->len_bytes);
		if (s->len_bytes != 0)
			model_write((const void *)(uintptr_t)s->ptr, bytes, s->len_bytes);
	}
	plan_execute(&writes);
}

/* Gives back all chains of a burst but the last `keep`. */
static void give_back(enum ring_kind k, struct ring *vr, enum chain_dir dir,
		      const struct burst *b, unsigned int keep)
{
	unsigned int n = b->nr_chains - keep;
	uint16_t position = vr->used_idx;
	bool first = !vr->signalled_valid, needed;
	struct used used[BURST_MAX];
	uint32_t slots = 0;

	verb_begin();
	for (unsigned int i = 0; i < b->nr_chains; i++) {
		used[i] = b->chains[i].used;
		if (i >= n)
			continue;
		use_chain(&b->chains[i], dir, (uint8_t)(0xa0 + i));
		used[i] = used_written(used[i], b->chains[i].bytes);
		slots += used_slots(used[i]);
	}
	ring_rewind(k, vr, used + n, keep);
	if (keep != 0)
		MUST(vr->last_avail == b->positions[n]);
	check_position(vr);
	if (n == 0)
		return;
	MODEL(k, model_push, vr, position, dir, used, n);
	ring_used_push(k, vr, dir, used, n);
	MUST(vr->used_idx == MODEL(k, position_after, vr, position, slots));
	/* Nothing else is to be seen yet. */
	check_memory();
	MODEL(k, model_publish, vr, vr->used_idx);
	ring_publish(k, vr);
	MUST(vr->published == vr->used_idx && f.nr_loads == 0);
	check_memory();
	needed = ring_notify_needed(k, vr);
	/* A guest that makes more available than the ring holds gets any answer. */
	MUST(f.nr_loads <= 1);
	if (slots <= vr->size)
		MUST(needed == MODEL(k, expect_notify, vr, first, slots));
}

static void burst(enum ring_kind k, struct ring *vr, enum chain_dir dir, unsigned int max,
		  uint8_t how)
{
	static const uint32_t leads[] = { 12, 0, 1, 60 };
	const uint32_t lead = leads[how >> 4 & 3];
	static struct expected e;
	static struct burst b;
	struct ring_cursor c;
	unsigned int waiting;

	b.pool.used = 0;
	verb_begin();
	c = ring_open(k, vr, dir == CHAIN_WRITABLE ? CHAIN_WRITABLE : CHAIN_READABLE);
	waiting = ring_peek(k, &c, max);
	MUST(f.nr_loads <= (k == RING_PACKED ? max : 1));
	if (!f.struck || k == RING_SPLIT)
		MUST(waiting == MODEL(k, expect_peek, vr, max));
	for (b.nr_chains = 0; b.nr_chains < max && vr->fault == RING_FAULT_NONE; b.nr_chains++) {
		enum ring_next next = NEXT_OTHER;
		enum fetch_result ret;

		MODEL(k, expect, vr, dir, &e);
		b.positions[b.nr_chains] = vr->last_avail;
		if ((how & 8) == 0)
			next = dir != CHAIN_BOTH ? take_usual(k, vr, dir, lead, &b, &e) :
			       take_request(k, vr, &b, &e) ? NEXT_PIECE : NEXT_OTHER;
		check_position(vr);
		if (vr->fault != RING_FAULT_NONE)
			break;
		if (next == NEXT_PIECE)
			continue;
		if (next == NEXT_NONE)
			break;
		/* It may have changed since; what counts is what is there now. */
		MODEL(k, expect, vr, dir, &e);
		ret = fetch(k, vr, dir, &b, &e);
		check_position(vr);
		if (ret != FETCH_OK && ret != FETCH_BAD)
			break;
	}
	give_back(k, vr, dir, &b, (how & 7) == 7 ? MIN2(3u, b.nr_chains) : 0);
}

/* Does all of a part of a ring lie in one region, and aligned? */
ORACLE static bool part_fits(uint64_t addr, uint64_t len, uint64_t alignment)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		uint64_t start = UVA_BASE + layout[i].gpa;

		if (addr >= start && addr + len <= start + layout[i].size_bytes)
			return addr % alignment == 0;
	}
	return false;
}

/* As virtio 1.2, 2.7 and 2.8 have it. */
ORACLE static bool ring_fits(const struct ring *vr, const struct vring_addrs *a)
{
	const uint64_t size = vr->size;

	if (vr->kind == RING_PACKED)
		return (vr->last_avail & 0x7fff) < size && (vr->used_idx & 0x7fff) < size &&
		       part_fits(a->desc, size * 16, 16) && part_fits(a->avail, 4, 4) &&
		       part_fits(a->used, 4, 4);
	return part_fits(a->desc, size * 16, 16) && part_fits(a->avail, 6 + size * 2, 2) &&
	       part_fits(a->used, 6 + size * 8, 4);
}

static bool attach(struct input *in, struct ring *vr)
{
	struct vring_addrs addrs = { .desc = UVA_BASE };
	uint8_t shape = input_u8(in);
	bool fits;

	*vr = (struct ring){ .size = (uint16_t)(1u << (shape & 7)) };
	vr->event_idx = (shape & 8) != 0;
	if ((shape & 128) != 0) {
		uint8_t size = input_u8(in);

		vr->kind = RING_PACKED;
		vr->size = 1 + size % 128;
		vr->in_order = (shape & 1) != 0;
		vring_set_base(vr, MODEL_WRAP, MODEL_WRAP);
	}
	/* Anywhere, also where it does not fit. */
	if ((shape & 16) != 0)
		addrs.desc += input_u16(in);
	addrs.avail = addrs.desc + vr->size * 16u;
	if ((shape & 16) != 0)
		addrs.avail += input_u16(in);
	addrs.used = UVA_BASE + 0x1000;
	if ((shape & 32) != 0)
		addrs.used += input_u16(in);
	if ((shape & 64) != 0) {
		uint16_t avail = input_u16(in);

		vring_set_base(vr, avail, input_u16(in));
	}
	fits = ring_fits(vr, &addrs);
	MUST((vring_attach(vr, f.mem, NULL, &addrs) == 0) == fits);
	MUST(vring_attached(vr) == fits);
	return fits;
}

/* How many chains wait, for those who only count. */
static void count_waiting(enum ring_kind k, const struct ring *vr)
{
	unsigned int n;

	verb_begin();
	n = ring_waiting(k, vr, vr->last_avail);
	MUST(f.nr_loads <= (k == RING_PACKED ? 2u * vr->size : 1));
	MUST(n <= vr->size);
	if (!f.struck)
		MUST(n == MODEL(k, expect_waiting, vr));
}

static ALWAYS_INLINE void run(enum ring_kind k, struct ring *vr, struct input *in)
{
	static const enum chain_dir dirs[] = { CHAIN_READABLE, CHAIN_WRITABLE, CHAIN_BOTH,
					       CHAIN_BOTH };
	enum chain_dir dir = dirs[input_u8(in) & 3];

	/* A few strikes, then the ring as the guest left it, then the script. */
	read_strikes(in);
	read_image(in, 5120);

	for (unsigned int op = 0; op < OPS_MAX && !input_empty(in) && vr->fault == 0; op++) {
		uint8_t what = input_u8(in);
		uint64_t value;

		switch (what & 3) {
		case 0:
			value = input_u64(in);
			guest_write(input_u16(in), &value, 8);
			break;
		case 1:
			if ((what & 8) != 0) {
				count_waiting(k, vr);
				break;
			}
			MODEL(k, model_kick, vr, (what & 4) != 0);
			verb_begin();
			ring_kick_enable(k, vr, (what & 4) != 0);
			MUST(f.nr_loads == 0);
			break;
		default:
			burst(k, vr, dir, MIN2((unsigned int)what >> 2, (unsigned int)BURST_MAX),
			      input_u8(in));
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
	if (!attach(&in, &vr))
		return 0;
	if (vr.kind == RING_PACKED)
		run(RING_PACKED, &vr, &in);
	else
		run(RING_SPLIT, &vr, &in);
	return 0;
}
