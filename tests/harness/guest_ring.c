/* SPDX-License-Identifier: BSD-3-Clause */
/* What both virtqueue formats share on the driver's side; see guest_ring.h. */
#include "guest_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "guest_packed.h"
#include "patience.h"

void
guest_ring_rebind(struct guest_ring *vq, struct guest_memory *mem)
{
	uint64_t bytes[3];

	vq->format->area_bytes(vq->size, bytes);
	vq->mem = mem;
	vq->desc = guest_ptr(mem, vq->desc_gpa, bytes[0]);
	vq->avail = guest_ptr(mem, vq->avail_gpa, bytes[1]);
	vq->used = guest_ptr(mem, vq->used_gpa, bytes[2]);
}

void
guest_ring_reset(struct guest_ring *vq, uint16_t base)
{
	uint64_t bytes[3];

	vq->format->area_bytes(vq->size, bytes);
	guest_fill(vq->mem, vq->desc_gpa, 0, bytes[0]);
	guest_fill(vq->mem, vq->avail_gpa, 0, bytes[1]);
	guest_fill(vq->mem, vq->used_gpa, 0, bytes[2]);
	memset(vq->chains, 0, vq->size * sizeof(*vq->chains));
	for (uint32_t i = 0; i < vq->size; i++)
		vq->next_free[i] = (uint16_t)((i + 1) % vq->size);
	vq->free_head = 0;
	vq->free_count = vq->size;
	vq->order_count = 0;
	vq->in_batch = false;
	vq->added = 0;
	vq->format->reset(vq, base);
}

int
guest_ring_init_at(struct guest_ring *vq, const struct guest_format *format,
		   struct guest_memory *mem, uint16_t size, uint64_t desc_gpa, uint64_t avail_gpa,
		   uint64_t used_gpa)
{
	memset(vq, 0, sizeof(*vq));
	vq->format = format;
	vq->size = size;
	vq->indirect_max = GUEST_INDIRECT_MAX;
	vq->desc_gpa = desc_gpa;
	vq->avail_gpa = avail_gpa;
	vq->used_gpa = used_gpa;
	vq->kickfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vq->callfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vq->errfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vq->next_free = calloc(size, sizeof(*vq->next_free));
	vq->order = calloc(size, sizeof(*vq->order));
	vq->chains = calloc(size, sizeof(*vq->chains));
	guest_ring_rebind(vq, mem);
	if (vq->kickfd < 0 || vq->callfd < 0 || vq->errfd < 0 || vq->next_free == NULL ||
	    vq->order == NULL || vq->chains == NULL || vq->desc == NULL || vq->avail == NULL ||
	    vq->used == NULL) {
		guest_ring_fini(vq);
		return -EINVAL;
	}
	guest_ring_reset(vq, 0);
	return 0;
}

int
guest_ring_init(struct guest_ring *vq, const struct guest_format *format, struct guest_memory *mem,
		uint16_t size)
{
	uint64_t bytes[3], desc, avail, used;

	format->area_bytes(size, bytes);
	desc = guest_alloc(mem, bytes[0], 4096);
	avail = guest_alloc(mem, bytes[1], 64);
	used = guest_alloc(mem, bytes[2], 4096);
	return guest_ring_init_at(vq, format, mem, size, desc, avail, used);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
guest_ring_fini(struct guest_ring *vq)
{
	close_fd(&vq->kickfd);
	close_fd(&vq->callfd);
	close_fd(&vq->errfd);
	free(vq->next_free);
	free(vq->order);
	free(vq->chains);
	vq->next_free = NULL;
	vq->order = NULL;
	vq->chains = NULL;
}

uint32_t
guest_ring_base(const struct guest_ring *vq)
{
	uint32_t half = vq->last_used;

	if (vq->format != &guest_packed)
		return half;
	half |= (uint32_t)vq->used_wrap << 15;
	return half | half << 16;
}

uint64_t
guest_ring_indirect_table(struct guest_ring *vq, uint16_t id)
{
	uint64_t table_bytes = vq->indirect_max * sizeof(struct guest_desc);

	if (vq->indirect_gpa == 0)
		vq->indirect_gpa = guest_alloc(vq->mem, vq->size * table_bytes, 16);
	return vq->indirect_gpa + id * table_bytes;
}

uint16_t
guest_ring_plain_segs(const struct guest_ring *vq, uint16_t nr_segs)
{
	return vq->plain < nr_segs ? vq->plain : (uint16_t)(nr_segs - 1);
}

int
guest_ring_prepare(struct guest_ring *vq, const struct guest_seg *segs, uint16_t nr_segs,
		   void *cookie)
{
	uint16_t nr_plain = guest_ring_plain_segs(vq, nr_segs);
	uint16_t nr_desc = vq->indirect ? (uint16_t)(nr_plain + 1) : nr_segs;
	uint32_t writable = 0;
	uint16_t id;

	if (nr_segs == 0 || nr_desc > vq->free_count ||
	    (vq->indirect && nr_segs - nr_plain > vq->indirect_max))
		return -ENOSPC;
	for (uint16_t i = 0; i < nr_segs; i++)
		if (segs[i].flags & GUEST_DESC_WRITE)
			writable += segs[i].len_bytes;
	id = vq->format->place(vq, segs, nr_segs);
	vq->free_count -= nr_desc;
	vq->chains[id] = (struct guest_chain) {
		.cookie = cookie, .len_bytes = writable, .nr_desc = nr_desc,
	};
	if (vq->in_order)
		vq->order[(vq->order_first + vq->order_count++) % vq->size] = id;
	return id;
}

void
guest_ring_publish(struct guest_ring *vq)
{
	vq->format->publish(vq);
}

int
guest_ring_post(struct guest_ring *vq, const struct guest_seg *segs, uint16_t nr_segs,
		void *cookie)
{
	int id = guest_ring_prepare(vq, segs, nr_segs, cookie);

	if (id >= 0)
		guest_ring_publish(vq);
	return id;
}

bool
guest_ring_kick_wanted(struct guest_ring *vq)
{
	bool wanted;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wanted = vq->format->kick_wanted(vq);
	vq->added = 0;
	return wanted;
}

bool
guest_ring_kick(struct guest_ring *vq)
{
	uint64_t one = 1;

	if (guest_ring_kick_wanted(vq) && !vq->no_kick && vq->kickfd >= 0)
		return write(vq->kickfd, &one, sizeof(one)) == (ssize_t)sizeof(one);
	return false;
}

static bool
is_posted(const struct guest_ring *vq, uint32_t id)
{
	return id < vq->size && vq->chains[id].nr_desc != 0;
}

/* Ring entries that a chain's used element stands for: split counts chains, packed descriptors. */
static uint16_t
entries(const struct guest_ring *vq, uint32_t id)
{
	return vq->format == &guest_packed && is_posted(vq, id) ? vq->chains[id].nr_desc : 1;
}

static void
advance(const struct guest_ring *vq, uint16_t *slot, bool *wrap, uint16_t n)
{
	uint32_t next = (uint32_t)*slot + n;

	if (vq->format == &guest_packed && next >= vq->size) {
		next -= vq->size;
		*wrap = !*wrap;
	}
	*slot = (uint16_t)next;
}

/*
 * In order, an element stands for every chain up to its own: the oldest is next, with its own
 * length if it is the one named, else as if completely used (2.7.9, 2.8.9).
 */
static bool
next_in_order(struct guest_ring *vq, struct guest_used *used)
{
	uint16_t oldest = vq->order[vq->order_first];

	if (!vq->in_batch) {
		if (!vq->format->used_at(vq, vq->last_used, vq->used_wrap, &vq->batch))
			return false;
		*used = vq->batch;
		if (vq->order_count == 0 || !is_posted(vq, vq->batch.id))
			return true; /* not ours */
	}
	vq->in_batch = vq->batch.id != oldest;
	used->id = oldest;
	used->len_bytes = vq->in_batch ? vq->chains[oldest].len_bytes : vq->batch.len_bytes;
	vq->order_first = (uint16_t)((vq->order_first + 1) % vq->size);
	vq->order_count--;
	return true;
}

/* In order, ids and descriptors are taken and come back round and round: next_free stays as it is. */
static void
give_back(struct guest_ring *vq, uint16_t id)
{
	struct guest_chain *chain = &vq->chains[id];
	uint16_t last = id;

	if (!vq->in_order) {
		/* next_free still links a split chain's descriptors: nothing rewrites it while posted. */
		for (uint16_t i = 1; vq->format != &guest_packed && i < chain->nr_desc; i++)
			last = vq->next_free[last];
		vq->next_free[last] = vq->free_head;
		vq->free_head = id;
	}
	vq->free_count += chain->nr_desc;
	chain->nr_desc = 0;
}

bool
guest_ring_poll(struct guest_ring *vq, struct guest_used *used, void **cookie)
{
	if (vq->in_order ? !next_in_order(vq, used) :
			   !vq->format->used_at(vq, vq->last_used, vq->used_wrap, used))
		return false;
	advance(vq, &vq->last_used, &vq->used_wrap, entries(vq, used->id));
	if (cookie != NULL)
		*cookie = NULL;
	if (!is_posted(vq, used->id))
		return true; /* not ours: the caller sees an id it never posted */
	if (cookie != NULL)
		*cookie = vq->chains[used->id].cookie;
	give_back(vq, (uint16_t)used->id);
	return true;
}

unsigned
guest_ring_pending(const struct guest_ring *vq)
{
	uint16_t slot = vq->last_used, at = vq->order_first;
	uint16_t left = vq->order_count;
	bool wrap = vq->used_wrap;
	bool in_batch = vq->in_batch;
	struct guest_used used = vq->batch;
	unsigned n = 0;

	for (; n < vq->size; n++) {
		uint32_t id;

		if (!in_batch && !vq->format->used_at(vq, slot, wrap, &used))
			break;
		id = used.id;
		if (vq->in_order && left > 0 && is_posted(vq, id)) {
			id = vq->order[at];
			at = (uint16_t)((at + 1) % vq->size);
			left--;
			in_batch = id != used.id && left > 0;
		}
		advance(vq, &slot, &wrap, entries(vq, id));
	}
	return n;
}

bool
guest_ring_wait(struct guest_ring *vq, struct guest_used *used, void **cookie, int timeout_ms)
{
	uint64_t until_us = patience_now_us() + (uint64_t)timeout_ms * 1000;

	while (!guest_ring_poll(vq, used, cookie)) {
		if (patience_now_us() >= until_us)
			return false;
		usleep(50);
	}
	return true;
}

void
guest_ring_call_enable(struct guest_ring *vq)
{
	vq->format->call_set(vq, true);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void
guest_ring_call_disable(struct guest_ring *vq)
{
	vq->format->call_set(vq, false);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static uint64_t
drain(int fd)
{
	uint64_t count = 0;

	if (fd < 0 || read(fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return 0;
	return count;
}

uint64_t
guest_ring_calls(struct guest_ring *vq)
{
	return drain(vq->callfd);
}

uint64_t
guest_ring_errors(struct guest_ring *vq)
{
	return drain(vq->errfd);
}
