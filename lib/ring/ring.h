/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring verbs. The kind is a compile-time constant at every call site, so
 * each verb folds into the one format's function; a second format adds a
 * header with the same verbs and a case here, and nothing above changes.
 */
#ifndef VHOST_NG_RING_H
#define VHOST_NG_RING_H

#include "split.h"

#define RING_VERB(kind, verb, ...) \
	((void)(kind), split_##verb(__VA_ARGS__))

static ALWAYS_INLINE unsigned int ring_avail(enum ring_kind k, struct ring *vr, unsigned int max)
{
	return RING_VERB(k, avail, vr, max);
}

static ALWAYS_INLINE void ring_prefetch(enum ring_kind k, const struct ring *vr, unsigned int n)
{
	RING_VERB(k, prefetch, vr, n);
}

static ALWAYS_INLINE enum fetch_result ring_fetch(enum ring_kind k, struct ring *vr,
						  enum chain_dir dir, struct span_pool *pool,
						  struct chain *chain)
{
	return RING_VERB(k, fetch, vr, dir, pool, chain);
}

static ALWAYS_INLINE void ring_rewind(enum ring_kind k, struct ring *vr, unsigned int n)
{
	RING_VERB(k, rewind, vr, n);
}

static ALWAYS_INLINE void ring_used_push(enum ring_kind k, struct ring *vr,
					 const struct chain *chain, uint32_t len)
{
	RING_VERB(k, used_push, vr, chain, len);
}

static ALWAYS_INLINE bool ring_publish(enum ring_kind k, struct ring *vr)
{
	return RING_VERB(k, publish, vr);
}

static ALWAYS_INLINE bool ring_notify_needed(enum ring_kind k, struct ring *vr)
{
	return RING_VERB(k, notify_needed, vr);
}

static inline void ring_kick_enable(enum ring_kind k, struct ring *vr, bool enable)
{
	RING_VERB(k, kick_enable, vr, enable);
}

#endif
