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
	unsigned int nr_pieces;
	struct {
		const uint8_t *at;
		uint64_t len_bytes;
	} pieces[CHAIN_SPANS_MAX];
};

/*
 * The most loads one fetch may make: what says that there is a chain, then two
 * for each descriptor of the ring and of a table, whose entries may each lie
 * across two regions. The most that a look at a chain of the usual form takes:
 * that, two descriptors and two entries of a table.
 */
#define LOADS_MAX(vr) (2u + 2u * (vr)->size + 2u * (CHAIN_SPANS_MAX + 1u))
#define NEXT_LOADS_MAX 9u

ORACLE static inline bool expect_buffer(struct expected *e, uint64_t addr, uint64_t left,
					bool writable, enum chain_dir dir)
{
	uint64_t room;

	e->result = FETCH_BAD;
	if (writable != (dir == CHAIN_WRITABLE) || ++e->nr_buffers > CHAIN_SPANS_MAX)
		return false;
	while (left != 0) {
		const uint8_t *at = guest_at(addr, &room);

		if (at == NULL || e->nr_pieces == CHAIN_SPANS_MAX)
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

#endif
