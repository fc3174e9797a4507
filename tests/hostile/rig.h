/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the hostile tests share: an attacked device whose guest and frontend the
 * test plays itself, a picture of its memory to find stray writes, the
 * counters by name, and what the process owns (descriptors, mappings, mbufs).
 */
#ifndef HOSTILE_RIG_H
#define HOSTILE_RIG_H

#include "bystander.h"
#include "flow.h"
#include "guest_net.h"

#define BURST 32
#define RIG_RING_MAX 32768

struct rig {
	struct flow flow;
	bool up;
	struct guest_ring *rx, *tx; /* queues 0 and 1, by the guest's name */
	struct rte_mempool *pool;
	uint64_t buffers_gpa; /* scratch for buffers: BUFFERS_BYTES in region 0 */
	uint8_t *picture;     /* of all regions, one after the other */
	uint64_t picture_bytes;
	unsigned int fds, maps; /* of the process, before the device came */
};

#define BUFFERS_BYTES (1u << 20)

extern struct rig rig;

/* EAL, bystander; packed: every frontend of the program asks for packed rings. */
void rig_init(const char *program, bool packed);
void rig_fini(void);

/* Before a test: notes what the process owns. */
void rig_before(void);
/* A device with statistics. Features default to VERSION_1 | INDIRECT_DESC. */
void rig_up(uint64_t features, uint64_t driver_flags, const struct guest_region_spec *regions,
	    unsigned int nr_regions, uint16_t ring_size);
/* The same with a configuration of any kind; queues 0 and 1 are `rx` and `tx`, if they are there. */
void rig_up_as(const struct fe_config *config, uint64_t driver_flags);
/* After a test (also a failed one): takes the device down. */
void rig_down(void);
/* True when mbufs, descriptors and mappings are what they were before. Device down. */
bool rig_nothing_left(void);

/*
 * Raw guest work, the same for both formats. A packed ring has no heads and no
 * `next`: its descriptors are kept aside by rig_desc(), and rig_offer() puts
 * those from `head` on that are linked by NEXT into the ring, with the id `head`.
 */
void rig_desc(struct guest_ring *vq, uint16_t index, uint64_t gpa, uint32_t len, uint16_t flags,
	      uint16_t next);
/* Offers the next chain by its head, whatever that is. */
void rig_offer(struct guest_ring *vq, uint16_t head);
/* Used elements since the last call of one of these, or the queue's start. */
unsigned int rig_used(struct guest_ring *vq, struct guest_used *last);
unsigned int rig_used_list(struct guest_ring *vq, struct guest_used *list, unsigned int max);
/* Chains offered and not seen used. */
unsigned int rig_outstanding(const struct guest_ring *vq);
/* Packed: puts `n` descriptors with their flags (AVAIL and USED are added) and ids; they shall
 * come back as one that takes `slots`. */
void rig_place(struct guest_ring *vq, const struct guest_packed_desc *descs, unsigned int n,
	       unsigned int slots);
/* Takes back whatever was offered, as a guest that mends a ring it has broken. */
void rig_repair(struct guest_ring *vq);

/* Host to guest and back. */
unsigned int rig_dequeue(struct rte_mbuf **pkts, unsigned int max);
unsigned int rig_drop_all(void); /* dequeues and frees; how many */
/* One packet with guest_pattern(seed); 1 when it was taken. */
unsigned int rig_enqueue(uint32_t seed, uint32_t len);

/* A counter of the attacked device's queue by the end of its name. */
uint64_t rig_counter(uint16_t queue, const char *name);
/* Sum of all dropped_* counters. */
uint64_t rig_dropped(uint16_t queue);

/* Takes a picture; later: is all memory as it was, but for these ranges? */
struct rig_range {
	uint64_t gpa;
	uint64_t len_bytes;
};
void rig_picture(void);
bool rig_only_changed(const struct rig_range *ranges, unsigned int nr_ranges);
/* Ranges of the used rings of both queues, for the array above. */
struct rig_range rig_used_range(const struct guest_ring *vq);

/* Stops a queue and starts it again as a reset guest would. 0 or -errno. */
int rig_restart(unsigned int queue);

/* Good packets pass both ways? Uses buffers of its own. */
bool rig_serves_tx(void);
bool rig_serves_rx(void);

/* Was the descriptor there before the library had anything to do? */
bool rig_fd_is_older(int fd);

unsigned int rig_count_fds(void);
unsigned int rig_count_maps(void);

#endif
