/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The in-flight area of one ring: what a backend has fetched and not yet given
 * back, in memory that outlives it (vhost-user specification, "Inflight I/O
 * tracking"). The frontend holds that memory, so every index in it is checked
 * each time it is read, and what is found at a start is checked whole.
 *
 * A backend may die between any two of the stores here; the order of stores is
 * what the specification makes of it. The next backend is another process, so
 * only the compiler could change the order.
 */
#ifndef VHOST_NG_INFLIGHT_H
#define VHOST_NG_INFLIGHT_H

#include <rte_vhost.h>

#include "vring.h"

struct inflight {
	uint8_t __guest *area; /* NULL: nothing is tracked */
	enum ring_kind kind;
	uint16_t size;      /* entries of the area */
	uint16_t ring_size; /* at most `size` */
	uint64_t counter;   /* of the chain to be fetched next */
};

/* Bytes of the area of a ring of `size` entries; areas of several rings follow each other. */
uint64_t inflight_bytes(enum ring_kind kind, uint16_t size);

/*
 * Takes up the area of a ring that starts: prepares a fresh one, or finds what
 * was left unfinished. The ring is attached; its positions are set to where the
 * guest's next chain is, behind what is unfinished. `list` is malloc()ed when it
 * has anything, newest first, which is what DPDK 22.11's users expect.
 * Returns 0, -EPROTO (no area of this ring), or -ENOMEM.
 */
int inflight_start(struct inflight *inf, struct ring *vr, uint8_t __guest *area, uint16_t size,
		   struct rte_vhost_resubmit_info *list);

/* As if no ring had ever been recorded in the area. */
void inflight_forget(uint8_t __guest *area);
/* Has a ring of this size been recorded in the area? */
bool inflight_is_of(uint8_t __guest *area, const struct ring *vr, uint16_t size);
/* What gives back the chain of an entry that was found at the start, unused. */
struct used inflight_used(const struct inflight *inf, uint16_t entry);

/* Split rings: `head` is a descriptor's index. 0 or -EINVAL. */
int inflight_split_fetched(struct inflight *inf, uint16_t head);
/* Before it is published. */
int inflight_split_completing(struct inflight *inf, uint16_t head);
/*
 * After it was published: `used_idx` is the used index up to and including this
 * chain. Of a batch, in the order in which they were completing: what comes
 * later in it is still to be told.
 */
int inflight_split_completed(struct inflight *inf, uint16_t head, uint16_t used_idx);

/*
 * Packed rings: the chain in the ring's slots `first` to `last`. `entry` is what
 * stands for it from then on. 0, -EINVAL, -EBUSY while completions are under way
 * (the free list is in two states then), or -EPROTO if the area makes no sense.
 */
int inflight_packed_fetched(struct inflight *inf, const struct ring *vr, uint16_t first,
			    uint16_t last, uint16_t *entry);
int inflight_packed_completing(struct inflight *inf, uint16_t entry);
int inflight_packed_completed(struct inflight *inf, uint16_t entry);
/* Where the guest sees chains used, as SET_VRING_BASE has it. */
uint16_t inflight_packed_used(const struct inflight *inf);

#endif
