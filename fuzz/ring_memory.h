/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory of the targets with rings, twice: as the library sees it, and as it has
 * to be. Whoever writes to the one writes to the other, so a byte that the
 * library writes where it should not shows. The guest writes at any moment: a
 * list of strikes hits right before a load.
 */
#ifndef FUZZ_RING_MEMORY_H
#define FUZZ_RING_MEMORY_H

#include "input.h"
#include "memory/gmem.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(at, bytes) ((void)(at))
#define __asan_unpoison_memory_region(at, bytes) ((void)(at))
#endif

#define NR_REGIONS 3
#define UVA_BASE UINT64_C(0x700000000000)
#define NR_STRIKES 32
/* Beside each region, on both sides, for who writes without ASan in it. */
#define GUARD_BYTES 64
#define GUARD_BYTE 0x5a
/* More than any verb may make: see LOADS_MAX. */
#define NR_LOADS 8192

static const struct {
	uint64_t gpa;
	uint32_t size_bytes;
} layout[NR_REGIONS] = {
	{ 0x0, 0x4000 },     /* rings, then buffers */
	{ 0x4000, 0x2000 },  /* next to it for the guest, elsewhere for us */
	{ 0x10000, 0x1000 }, /* behind a hole */
};

/* A write that happens before the load that makes `loads_left` 0. */
struct strike {
	uint16_t loads_left;
	uint16_t where;
	uint64_t value;
	uint8_t len_bytes;
};
/* From here on `where` counts back from the load: what was read just now. */
#define STRIKE_BACK 0xff00

struct load {
	uintptr_t addr;
	size_t len_bytes;
};

static struct {
	struct region regions[NR_REGIONS];
	uint8_t *model[NR_REGIONS];
	struct gmem *mem;
	struct strike strikes[NR_STRIKES];
	unsigned int nr_strikes, next_strike;
	/* Of the verb that runs. */
	bool struck;
	unsigned int nr_loads;
	struct load loads[NR_LOADS];
} f;

void (*shm_load_hook)(uintptr_t addr, size_t len_bytes);

/* The region that holds all of a piece of our memory; -1 when none does. */
ORACLE static inline int region_of(const void *at, size_t len)
{
	for (int i = 0; i < NR_REGIONS; i++) {
		uintptr_t base = (uintptr_t)f.regions[i].map.mmap_addr, addr = (uintptr_t)at;

		if (addr >= base && range_within(addr - base, len, layout[i].size_bytes))
			return i;
	}
	return -1;
}

/* What must be at `at`, written or read. */
ORACLE static inline uint8_t *model_of(const void *at, size_t len)
{
	int i = region_of(at, len);

	MUST(i >= 0);
	return f.model[i] + ((uintptr_t)at - (uintptr_t)f.regions[i].map.mmap_addr);
}

ORACLE static inline void model_write(const void *at, const void *bytes, size_t len)
{
	memcpy(model_of(at, len), bytes, len);
}

/* Both are the same: the library wrote what it had to, and nothing else. */
ORACLE static inline void check_memory(void)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		MUST(memcmp(f.model[i], f.regions[i].map.mmap_addr, layout[i].size_bytes) == 0);
}

/* Guest memory at `addr` and how much of it is in one piece; NULL for a hole. */
ORACLE static inline uint8_t *guest_at(uint64_t addr, uint64_t *room_bytes)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		uint64_t off = addr - layout[i].gpa;

		if (addr >= layout[i].gpa && off < layout[i].size_bytes) {
			*room_bytes = layout[i].size_bytes - off;
			return (uint8_t *)f.regions[i].map.mmap_addr + off;
		}
	}
	return NULL;
}

ORACLE static inline void write_both(void *at, const void *bytes, size_t len)
{
	model_write(at, bytes, len);
	memcpy(at, bytes, len);
}

ORACLE static inline void guest_write(uint32_t where, const void *bytes, uint32_t len)
{
	unsigned int i = where < layout[0].size_bytes ? 0 : (where >> 14) % NR_REGIONS;
	uint32_t off = (i == 0 ? where : where & 0x3fff) % layout[i].size_bytes;

	len = MIN2(len, layout[i].size_bytes - off);
	if (len != 0)
		write_both((uint8_t *)f.regions[i].map.mmap_addr + off, bytes, len);
}

ORACLE static inline void strike(const struct strike *s)
{
	unsigned int back = s->where - STRIKE_BACK, kept = MIN2(f.nr_loads, (unsigned int)NR_LOADS);

	if (s->where < STRIKE_BACK) {
		guest_write(s->where, &s->value, s->len_bytes);
	} else if (back < kept) {
		const struct load *l = &f.loads[kept - 1 - back];

		write_both((void *)l->addr, &s->value, MIN2(l->len_bytes, sizeof(s->value)));
	}
	f.struck = true;
}

ORACLE static inline void on_load(uintptr_t addr, size_t len_bytes)
{
	MUST(region_of((const void *)addr, len_bytes) >= 0);
	if (f.nr_loads < NR_LOADS)
		f.loads[f.nr_loads] = (struct load){ addr, len_bytes };
	f.nr_loads++;
	while (f.next_strike < f.nr_strikes) {
		struct strike *s = &f.strikes[f.next_strike];

		if (s->loads_left != 0) {
			s->loads_left--;
			return;
		}
		strike(s);
		f.next_strike++;
	}
}

ORACLE static inline void read_strikes(struct input *in)
{
	f.nr_strikes = input_u8(in) % NR_STRIKES;
	for (unsigned int i = 0; i < f.nr_strikes; i++) {
		struct strike *s = &f.strikes[i];

		/* A statement each: the order must not be up to the compiler. */
		s->loads_left = input_u8(in);
		s->where = input_u16(in);
		s->len_bytes = input_u8(in) % 9;
		s->value = input_u64(in);
	}
}

ORACLE static inline void verb_begin(void)
{
	f.nr_loads = 0;
	f.struck = false;
}

ORACLE static int by_addr(const void *a, const void *b)
{
	const struct load *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->len_bytes < y->len_bytes ? -1 : x->len_bytes > y->len_bytes;
}

ORACLE static inline void guard_set(uint8_t *at)
{
	memset(at, GUARD_BYTE, GUARD_BYTES);
	__asan_poison_memory_region(at, GUARD_BYTES);
}

ORACLE static inline void guard_check(uint8_t *at)
{
	__asan_unpoison_memory_region(at, GUARD_BYTES);
	for (unsigned int i = 0; i < GUARD_BYTES; i++)
		MUST(at[i] == GUARD_BYTE);
	__asan_poison_memory_region(at, GUARD_BYTES);
}

/* Nobody wrote beside guest memory. */
ORACLE static inline void check_guards(void)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		uint8_t *at = f.regions[i].map.mmap_addr;

		guard_check(at - GUARD_BYTES);
		guard_check(at + layout[i].size_bytes);
	}
}

/* Each region is an allocation of its own: ASan sees a byte beside it. */
ORACLE static inline uint8_t *region_alloc(uint32_t size_bytes)
{
	uint8_t *at = aligned_alloc(GUARD_BYTES, size_bytes + 2 * GUARD_BYTES);

	MUST(at != NULL);
	guard_set(at);
	guard_set(at + GUARD_BYTES + size_bytes);
	return at + GUARD_BYTES;
}

ORACLE static inline void make_memory(void)
{
	struct region *list[NR_REGIONS];

	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		struct region *r = &f.regions[i];

		r->gpa.v = layout[i].gpa;
		r->uva.v = UVA_BASE + layout[i].gpa;
		r->size_bytes = layout[i].size_bytes;
		r->map.mmap_addr = region_alloc(layout[i].size_bytes);
		f.model[i] = malloc(layout[i].size_bytes);
		MUST(f.model[i] != NULL);
		r->host = (uint8_t __guest *)(uintptr_t)r->map.mmap_addr;
		r->fd = -1;
		r->refs = 1;
		list[i] = r;
	}
	f.mem = gmem_build(list, NR_REGIONS);
	MUST(f.mem != NULL);
	shm_load_hook = on_load;
}

/* Memory as the guest left it, less than `below` bytes of it. */
ORACLE static inline void read_image(struct input *in, uint16_t below)
{
	uint8_t image[0x4000];
	size_t bytes = input_u16(in) % below;

	bytes = input_bytes(in, image, bytes);
	guest_write(0, image, (uint32_t)bytes);
}

ORACLE static inline void clear_memory(void)
{
	for (unsigned int i = 0; i < NR_REGIONS; i++) {
		memset(f.regions[i].map.mmap_addr, 0, layout[i].size_bytes);
		memset(f.model[i], 0, layout[i].size_bytes);
	}
	f.nr_strikes = f.next_strike = 0;
}

#endif
