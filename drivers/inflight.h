/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a backend has taken from its rings and not given back yet, in memory that it shares with us
 * (vhost-user specification, "Inflight I/O tracking"): kept for the one that comes after it.
 */
#ifndef VHOST_NG_KEPT_INFLIGHT_H
#define VHOST_NG_KEPT_INFLIGHT_H

#include <rte_vhost.h>

#include "frontend.h"

struct inflight {
	int fd; /* -1: there is none */
	struct vhu_inflight what;
};

/* Has the backend make a new one for so many rings of so many entries, and use it. 0 or -errno. */
int inflight_make(struct inflight *area, struct frontend *f, uint16_t nr_rings, uint16_t size);
/* The next backend takes it up. 0 or -errno. */
int inflight_pass(const struct inflight *area, struct frontend *f);
void inflight_drop(struct inflight *area);
/* Has it room for such a ring, or is there none? */
bool inflight_fits(const struct inflight *area, unsigned int index, uint32_t size);
/*
 * Where a packed ring stands whose backend is gone; as it was if that never had it. Nothing of it is
 * in flight: backends of network devices give back in order. 0, -ESTALE if that is not known, or 1:
 * it stands there for the guest, but only with this area can anybody go on, in the midst of a batch.
 */
int inflight_packed_base(const struct inflight *area, unsigned int index,
			 const struct rte_vhost_vring *vring, uint32_t *base);

#endif
