/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ring_split.h and ring_packed.h have in common: a chain told a second
 * time, from virtio 1.2, in the most obvious way and without the library's code.
 * Guest memory is read at once and plainly, so it speaks for a guest that holds
 * still.
 */
#ifndef FUZZ_RING_EXPECT_H
#define FUZZ_RING_EXPECT_H

#include "ring/ring.h"
#include "ring_memory.h"

/* What the next fetch must answer. */
struct expected {
	enum fetch_result result;
	uint16_t id;
	uint32_t nr_slots;
	unsigned int nr_buffers; /* also those of length 0 */
	bool turned;             /* CHAIN_BOTH: something to write has come */
	uint64_t readable_bytes;
	uint64_t table_addr, table_bytes; /* an indirect table */
	unsigned int nr_pieces;
	struct {
		const uint8_t *at;
		uint64_t len_bytes;
	} pieces[REQUEST_SPANS_MAX];
};

/*
 * The most loads one fetch may make: what says that there is a chain, then two
 * for each descriptor of the ring and of a table, whose entries may each lie
 * across two regions. The most that a look at a chain of the usual form takes:
 * that, two descriptors and two entries of a table.
 */
#define LOADS_MAX(vr, dir) (2u + 2u * (vr)->size + 2u * (spans_max(dir) + 2u))
#define NEXT_LOADS_MAX 9u
/* Of the quick look at a request. */
#define REQUEST_LOADS_MAX (4u + 2u * SMALL_TABLE_ENTRIES)

static inline unsigned int spans_max(enum chain_dir dir)
{
	return dir == CHAIN_BOTH ? REQUEST_SPANS_MAX : CHAIN_SPANS_MAX;
}

ORACLE static inline bool expect_buffer(struct expected *e, uint64_t addr, uint64_t left,
					bool writable, enum chain_dir dir)
{
	uint64_t room;

	e->result = FETCH_BAD;
	if (dir == CHAIN_BOTH ? e->turned && !writable : writable != (dir == CHAIN_WRITABLE))
		return false;
	if (++e->nr_buffers > spans_max(dir))
		return false;
	e->turned = writable;
	e->readable_bytes += writable ? 0 : left;
	while (left != 0) {
		const uint8_t *at = guest_at(addr, &room);

		if (at == NULL || e->nr_pieces == spans_max(dir))
			return false;
		room = MIN2(room, left);
		e->pieces[e->nr_pieces].at = at;
		e->pieces[e->nr_pieces++].len_bytes = room;
		addr += room;
		left -= room;
	}
	e->result = FETCH_OK;
	return true;
}

/* Guest memory to our own; false when there is a hole. */
ORACLE static inline bool guest_copy(void *to, uint64_t addr, uint64_t len)
{
	uint64_t room;

	while (len != 0) {
		const uint8_t *at = guest_at(addr, &room);

		if (at == NULL)
			return false;
		room = MIN2(room, len);
		memcpy(to, at, room);
		to = (uint8_t *)to + room;
		addr += room;
		len -= room;
	}
	return true;
}

/* A place that is a descriptor of the ring and, all of it, of the table. */
ORACLE static inline bool in_ring_and_table(const struct ring *vr, const struct expected *e,
					    uintptr_t addr)
{
	int i = region_of((const void *)addr, 1);
	uint64_t at;

	MUST(i >= 0);
	at = layout[i].gpa + (addr - (uintptr_t)f.regions[i].map.mmap_addr);
	return addr - (uintptr_t)vr->desc < vr->size * 16u && at - e->table_addr < e->table_bytes;
}

static inline bool same_load(unsigned int i)
{
	return i != 0 && f.loads[i - 1].addr == f.loads[i].addr &&
	       f.loads[i - 1].len_bytes == f.loads[i].len_bytes;
}

/*
 * A chain that was accepted from memory that held still has no loop, so a load
 * that happens twice is a double fetch; but an indirect table may lie on the
 * ring's own descriptors, which are read as what they are in either.
 */
ORACLE static inline void check_single_fetch(const struct ring *vr, const struct expected *e)
{
	MUST(f.nr_loads <= NR_LOADS);
	qsort(f.loads, f.nr_loads, sizeof(f.loads[0]), by_addr);
	for (unsigned int i = 1; i < f.nr_loads; i++)
		MUST(!same_load(i) ||
		     (!same_load(i - 1) && in_ring_and_table(vr, e, f.loads[i].addr)));
}

#endif
