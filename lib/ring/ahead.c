/* SPDX-License-Identifier: BSD-3-Clause */
#include "ring.h"

/* Of one burst: what is left waits for the next one. */
#define CHAINS_AHEAD_MAX 64

void ring_look_ahead(struct ring *vr, enum chain_dir dir)
{
	/* A copy: others may ask at any time where the ring stands (rte_vhost_get_vring_base()). */
	struct ring look = *vr;
	struct span_pool pool;
	struct chain chain;

	/* On where the last look ended, unless chains from behind there were taken since. */
	if (RING_VERB(vr->kind, is_ahead, vr, vr->misses->ahead))
		look.last_avail = vr->misses->ahead;
	/* There may be room again: questions get old. */
	vr->misses->full = false;
	for (unsigned int i = 0; i < CHAINS_AHEAD_MAX; i++) {
		enum fetch_result ret;

		pool.used = 0;
		ret = ring_fetch(vr->kind, &look, dir, &pool, &chain);
		/* Not all of this one could be noted: it is looked at again. */
		if (vr->misses->full)
			break;
		if (ret == FETCH_MISS)
			RING_VERB(vr->kind, skip, &look, chain.used);
		else if (ret != FETCH_OK && ret != FETCH_BAD)
			break;
	}
	vr->misses->ahead = look.last_avail;
	vr->fault = look.fault;
}
