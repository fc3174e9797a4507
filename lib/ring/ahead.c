/* SPDX-License-Identifier: BSD-3-Clause */
#include "ring.h"

/* Of one burst: what is left waits for the next one. */
#define CHAINS_AHEAD_MAX 64

/* Goes on where the last look ended, unless chains from behind there were taken since. */
static void start_ahead(struct ring *vr)
{
	if (RING_VERB(vr->kind, is_ahead, vr, vr->misses->ahead))
		vr->last_avail = vr->misses->ahead;
	/* There may be room again: questions get old. */
	vr->misses->full = false;
}

void ring_look_ahead(struct ring *vr, enum chain_dir dir)
{
	const uint16_t position = vr->last_avail;
	struct span_pool pool;
	struct chain chain;

	start_ahead(vr);
	for (unsigned int i = 0; i < CHAINS_AHEAD_MAX; i++) {
		enum fetch_result ret;

		pool.used = 0;
		ret = ring_fetch(vr->kind, vr, dir, &pool, &chain);
		/* Not all of this one could be noted: it is looked at again. */
		if (vr->misses->full)
			break;
		if (ret == FETCH_MISS)
			RING_VERB(vr->kind, skip, vr, chain.used);
		else if (ret != FETCH_OK && ret != FETCH_BAD)
			break;
	}
	vr->misses->ahead = vr->last_avail;
	vr->last_avail = position;
}
