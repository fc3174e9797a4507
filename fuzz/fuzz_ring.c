/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The split ring against a guest that rewrites its memory at any moment: the
 * input is guest memory, a script of ring verbs and guest writes, and a list of
 * writes that strike right before a load. Checked: every span lies inside one
 * region, counts and lengths add up, walks are bounded, nothing outside a
 * region is touched (each is an ASan allocation of its own), and one fetch
 * reads nothing twice.
 */
#include "copy/plan.h"
#include "input.h"
#include "ring/ring.h"

#define NR_REGIONS 3
#define UVA_BASE UINT64_C(0x700000000000)
#define NR_STRIKES 32
#define NR_LOADS 8192
#define OPS_MAX 64

static const struct {
	uint64_t gpa;
	uint32_t size_bytes;
} layout[NR_REGIONS] = {
	{ 0x0, 0x8000 },     /* rings, then buffers */
	{ 0x8000, 0x4000 },  /* next to it for the guest, elsewhere for us */
	{ 0x20000, 0x2000 }, /* behind a hole */
};

/* A write that happens before the load that makes `loads_left` 0. */
struct strike {
	uint16_t loads_left;
	uint16_t where;
	uint64_t value;
	uint8_t len_bytes;
};

static struct {
	struct region regions[NR_REGIONS];
	struct gmem *mem;
	struct strike strikes[NR_STRIKES];
	unsigned int nr_strikes, next_strike;
	/* Of the verb that runs. */
	bool struck;
	unsigned int nr_loads;
	struct load {
		uintptr_t addr;
		size_t len_bytes;
	} loads[NR_LOADS];
} f;

void (*shm_load_hook)(uintptr_t addr, size_t len_bytes);

static void guest_write(uint32_t where, const void *bytes, uint32_t len)
{
	const struct region *r = &f.regions[(where >> 14) % NR_REGIONS];
	uint32_t off = where & 0x3fff;

	if (where < layout[0].size_bytes) {
		r = &f.regions[0];
		off = where;
	}
	off %= (uint32_t)r->size_bytes;
	len = MIN2(len, (uint32_t)r->size_bytes - off);
	memcpy((uint8_t *)r->mmap_addr + off, bytes, len);
}

static void on_load(uintptr_t addr, size_t len_bytes)
{
	if (f.nr_loads < NR_LOADS)
		f.loads[f.nr_loads] = (struct load){ addr, len_bytes };
	f.nr_loads++;
	while (f.next_strike < f.nr_strikes) {
		struct strike *s = &f.strikes[f.next_strike];

		if (s->loads_left != 0) {
			s->loads_left--;
			return;
		}
		guest_write(s->where, &s->value, s->len_bytes);
		f.struck = true;
		f.next_strike++;
	}
}

static void verb_begin(void)
{
	f.nr_loads = 0;
	f.struck = false;
}

static int by_addr(const void *a, const void *b)
{
	const struct load *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->len_bytes < y->len_bytes ? -1 : x->len_bytes > y->len_bytes;
}

/*
 * A chain that was accepted from memory that held still has no loop, so a load
 * that happens twice is a double fetch. (Loads may overlap: an indirect table
 * may lie on the ring's own descriptors.)
 */
static void check_single_fetch(void)
{
	MUST(f.nr_loads <= NR_LOADS);
	if (f.struck)
		return;
	qsort(f.loads, f.nr_loads, sizeof(f.loads[0]), by_addr);
	for (unsigned int i = 1; i < f.nr_loads; i++)
		MUST(f.loads[i - 1].addr != f.loads[i].addr ||
		     f.loads[i - 1].len_bytes != f.loads[i].len_bytes);
}

static bool in_a_region(const struct span *s)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		uintptr_t base = (uintptr_t)f.regions[i].mmap_addr, at = (uintptr_t)s->ptr;

		if (at >= base && range_within(at - base, s->len_bytes, f.regions[i].size_bytes))
			return true;
	}
	return false;
}

static void check_chain(const struct chain *chain, const struct ring *vr,
			const struct span_pool *pool)
{
	uint64_t sum = 0;

	MUST(chain->nr_spans <= CHAIN_SPANS_MAX);
	MUST(chain->id < vr->size);
	MUST(pool->used <= SPAN_POOL_SPANS);
	for (unsigned int i = 0; i < chain->nr_spans; i++) {
		MUST(in_a_region(&chain->spans[i]));
		sum += chain->spans[i].len_bytes;
	}
	MUST(sum == chain->bytes);
}

/* Touches all bytes of a chain, as the copy of a packet would. */
static void use_chain(const struct chain *chain, enum chain_dir dir)
{
	static uint8_t bytes[1 << 16];
	struct plan plan = { .nr_segs = 0 };

	for (unsigned int i = 0; i < chain->nr_spans; i++) {
		const struct span *s = &chain->spans[i];

		if (s->len_bytes > sizeof(bytes))
			continue;
		if (dir == CHAIN_READABLE)
			plan_add_read(&plan, bytes, s->ptr, s->len_bytes);
		else
			plan_add_write(&plan, s->ptr, bytes, s->len_bytes);
	}
	plan_execute(&plan);
}

static void burst(struct ring *vr, enum chain_dir dir, unsigned int max, bool use,
		  unsigned int give_up)
{
	struct span_pool pool = { .used = 0 };
	struct chain chains[32];
	unsigned int waiting, n;

	verb_begin();
	waiting = ring_avail(RING_SPLIT, vr, MIN2(max, 32u));
	MUST(f.nr_loads == 1 && waiting <= 32 && waiting <= vr->size);
	ring_prefetch(RING_SPLIT, vr, waiting);
	for (n = 0; n < waiting; n++) {
		enum fetch_result ret;

		verb_begin();
		chains[n] = (struct chain){ .spans = NULL };
		ret = ring_fetch(RING_SPLIT, vr, dir, &pool, &chains[n]);
		if (ret == FETCH_OK || ret == FETCH_BAD)
			check_chain(&chains[n], vr, &pool);
		if (ret == FETCH_OK)
			check_single_fetch();
		else if (ret == FETCH_BAD)
			MUST(chains[n].fault != RING_FAULT_NONE &&
			     chains[n].fault <= RING_FAULT_LAST_CHAIN && chains[n].bytes == 0);
		else if (ret == FETCH_BROKEN)
			MUST(vr->fault > RING_FAULT_LAST_CHAIN);
		if (ret == FETCH_FULL)
			MUST(n != 0);
		if (ret == FETCH_FULL || ret == FETCH_BROKEN)
			break;
	}
	give_up = MIN2(give_up, n);
	for (unsigned int i = 0; i < n - give_up; i++) {
		if (use)
			use_chain(&chains[i], dir);
		ring_used_push(RING_SPLIT, vr, &chains[i], chains[i].bytes);
	}
	ring_rewind(RING_SPLIT, vr, give_up);
	if (ring_publish(RING_SPLIT, vr))
		(void)ring_notify_needed(RING_SPLIT, vr);
	else
		MUST(n == give_up);
}

static void make_memory(void)
{
	struct region *list[NR_REGIONS];

	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		struct region *r = &f.regions[i];

		r->gpa.v = layout[i].gpa;
		r->uva.v = UVA_BASE + layout[i].gpa;
		r->size_bytes = layout[i].size_bytes;
		r->mmap_addr = aligned_alloc(64, layout[i].size_bytes);
		r->host = (uint8_t __guest *)(uintptr_t)r->mmap_addr;
		r->fd = -1;
		r->refs = 1;
		list[i] = r;
	}
	f.mem = gmem_build(list, NR_REGIONS);
	MUST(f.mem != NULL);
	shm_load_hook = on_load;
}

static bool attach(struct input *in, struct ring *vr)
{
	struct vring_addrs addrs = { .desc = uva(UVA_BASE) };
	uint8_t shape = input_u8(in);
	uint64_t desc_bytes;

	*vr = (struct ring){ .size = (uint16_t)(1u << (shape & 7)) };
	vr->event_idx = (shape & 8) != 0;
	desc_bytes = (uint64_t)vr->size * sizeof(struct vring_desc);
	addrs.avail = uva(UVA_BASE + desc_bytes);
	addrs.used = uva(UVA_BASE + 0x1000);
	if ((shape & 16) != 0)
		addrs.desc.v += input_u16(in); /* anywhere, also where it does not fit */
	if ((shape & 32) != 0)
		addrs.used.v += input_u16(in);
	if ((shape & 64) != 0)
		vring_set_base(vr, input_u16(in), input_u16(in));
	return vring_attach(vr, f.mem, &addrs) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	struct input in = { bytes, len_bytes };
	enum chain_dir dir;
	struct ring vr;
	uint16_t image_bytes;
	uint8_t image[4096];

	if (f.mem == NULL)
		make_memory();
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		memset(f.regions[i].mmap_addr, 0, layout[i].size_bytes);
	f.nr_strikes = f.next_strike = 0;
	if (!attach(&in, &vr))
		return 0;
	dir = input_u8(&in) & 1 ? CHAIN_WRITABLE : CHAIN_READABLE;
	/* A few strikes, then the ring as the guest left it, then the script. */
	f.nr_strikes = input_u8(&in) % NR_STRIKES;
	for (unsigned int i = 0; i < f.nr_strikes; i++)
		f.strikes[i] = (struct strike){ .loads_left = input_u8(&in),
						.where = input_u16(&in),
						.len_bytes = input_u8(&in) % 9,
						.value = input_u64(&in) };
	image_bytes = input_u16(&in) % sizeof(image);
	image_bytes = (uint16_t)input_bytes(&in, image, image_bytes);
	guest_write(0, image, image_bytes);

	for (unsigned int op = 0; op < OPS_MAX && !input_empty(&in) && vr.fault == 0; op++) {
		uint8_t what = input_u8(&in);
		uint64_t value;

		switch (what & 3) {
		case 0:
			value = input_u64(&in);
			guest_write(input_u16(&in), &value, 8);
			break;
		case 1:
			ring_kick_enable(RING_SPLIT, &vr, (what & 4) != 0);
			break;
		default:
			burst(&vr, dir, what >> 2, true, input_u8(&in) % 8 == 0 ? 3 : 0);
			break;
		}
	}
	return 0;
}
