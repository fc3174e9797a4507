/* SPDX-License-Identifier: BSD-3-Clause */
/* Driver side of a split virtqueue; see guest_split.h. The device side is what is under test. */
#include "guest_split.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define INDIRECT_MAX 64

uint64_t
guest_split_desc_bytes(uint16_t size)
{
	return (uint64_t)size * sizeof(struct guest_desc);
}

uint64_t
guest_split_avail_bytes(uint16_t size)
{
	return 6 + 2 * (uint64_t)size;
}

uint64_t
guest_split_used_bytes(uint16_t size)
{
	return 6 + 8 * (uint64_t)size;
}

void
guest_split_rebind(struct guest_split *vq, struct guest_memory *mem)
{
	vq->mem = mem;
	vq->desc = guest_ptr(mem, vq->desc_gpa, guest_split_desc_bytes(vq->size));
	vq->avail = guest_ptr(mem, vq->avail_gpa, guest_split_avail_bytes(vq->size));
	vq->used = guest_ptr(mem, vq->used_gpa, guest_split_used_bytes(vq->size));
}

void
guest_split_reset(struct guest_split *vq, uint16_t base)
{
	guest_fill(vq->mem, vq->desc_gpa, 0, guest_split_desc_bytes(vq->size));
	guest_fill(vq->mem, vq->avail_gpa, 0, guest_split_avail_bytes(vq->size));
	guest_fill(vq->mem, vq->used_gpa, 0, guest_split_used_bytes(vq->size));
	memset(vq->chains, 0, vq->size * sizeof(*vq->chains));
	for (uint32_t i = 0; i < vq->size; i++)
		vq->next_free[i] = (uint16_t)(i + 1);
	vq->free_head = 0;
	vq->free_count = vq->size;
	vq->avail_idx = base;
	vq->kicked_idx = base;
	vq->last_used = base;
	vq->avail[1] = base;
	vq->used[1] = base;
}

int
guest_split_init_at(struct guest_split *vq, struct guest_memory *mem, uint16_t size,
		    uint64_t desc_gpa, uint64_t avail_gpa, uint64_t used_gpa)
{
	memset(vq, 0, sizeof(*vq));
	vq->size = size;
	vq->desc_gpa = desc_gpa;
	vq->avail_gpa = avail_gpa;
	vq->used_gpa = used_gpa;
	vq->kickfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vq->callfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vq->errfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vq->next_free = calloc(size, sizeof(*vq->next_free));
	vq->chains = calloc(size, sizeof(*vq->chains));
	guest_split_rebind(vq, mem);
	if (vq->kickfd < 0 || vq->callfd < 0 || vq->errfd < 0 || vq->next_free == NULL ||
	    vq->chains == NULL || vq->desc == NULL || vq->avail == NULL || vq->used == NULL) {
		guest_split_fini(vq);
		return -EINVAL;
	}
	guest_split_reset(vq, 0);
	return 0;
}

int
guest_split_init(struct guest_split *vq, struct guest_memory *mem, uint16_t size)
{
	uint64_t desc = guest_alloc(mem, guest_split_desc_bytes(size), 4096);
	uint64_t avail = guest_alloc(mem, guest_split_avail_bytes(size), 64);
	uint64_t used = guest_alloc(mem, guest_split_used_bytes(size), 4096);

	return guest_split_init_at(vq, mem, size, desc, avail, used);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
guest_split_fini(struct guest_split *vq)
{
	close_fd(&vq->kickfd);
	close_fd(&vq->callfd);
	close_fd(&vq->errfd);
	free(vq->next_free);
	free(vq->chains);
	vq->next_free = NULL;
	vq->chains = NULL;
}

void
guest_split_raw_desc(struct guest_split *vq, uint16_t index, uint64_t gpa, uint32_t len_bytes,
		     uint16_t flags, uint16_t next)
{
	volatile struct guest_desc *d = &vq->desc[index];

	d->gpa = gpa;
	d->len_bytes = len_bytes;
	d->flags = flags;
	d->next = next;
}

void
guest_split_raw_avail(struct guest_split *vq, uint16_t slot, uint16_t head)
{
	vq->avail[2 + slot] = head;
}

void
guest_split_raw_avail_idx(struct guest_split *vq, uint16_t idx)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	vq->avail[1] = idx;
}

uint16_t
guest_split_used_idx(const struct guest_split *vq)
{
	uint16_t idx = vq->used[1];

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return idx;
}

struct guest_used
guest_split_used_elem(const struct guest_split *vq, uint16_t slot)
{
	const volatile uint32_t *ring = (const volatile uint32_t *)(const volatile void *)
		&vq->used[2];

	return (struct guest_used) {
		.id = ring[2 * (uint32_t)slot],
		.len_bytes = ring[2 * (uint32_t)slot + 1],
	};
}

/* Table of the given head, allocated on first use of indirect descriptors. */
static uint64_t
indirect_table(struct guest_split *vq, uint16_t head)
{
	uint64_t table_bytes = INDIRECT_MAX * sizeof(struct guest_desc);

	if (vq->indirect_max == 0) {
		vq->indirect_gpa = guest_alloc(vq->mem, vq->size * table_bytes, 16);
		vq->indirect_max = INDIRECT_MAX;
	}
	return vq->indirect_gpa + head * table_bytes;
}

static void
prepare_indirect(struct guest_split *vq, uint16_t head, const struct guest_seg *segs,
		 uint16_t nr_segs)
{
	uint64_t table = indirect_table(vq, head);

	for (uint16_t i = 0; i < nr_segs; i++) {
		struct guest_desc d = {
			.gpa = segs[i].gpa,
			.len_bytes = segs[i].len_bytes,
			.flags = (uint16_t)(segs[i].flags | (i + 1 < nr_segs ? GUEST_DESC_NEXT : 0)),
			.next = (uint16_t)(i + 1 < nr_segs ? i + 1 : 0),
		};

		guest_write(vq->mem, table + i * sizeof(d), &d, sizeof(d));
	}
	guest_split_raw_desc(vq, head, table, (uint32_t)(nr_segs * sizeof(struct guest_desc)),
			     GUEST_DESC_INDIRECT, 0);
}

int
guest_split_prepare(struct guest_split *vq, const struct guest_seg *segs, uint16_t nr_segs,
		    void *cookie)
{
	uint16_t head = vq->free_head;
	uint16_t index = head;
	uint16_t nr_desc = vq->indirect ? 1 : nr_segs;

	if (nr_segs == 0 || nr_desc > vq->free_count ||
	    (vq->indirect && nr_segs > INDIRECT_MAX))
		return -ENOSPC;
	if (vq->indirect) {
		prepare_indirect(vq, head, segs, nr_segs);
		index = vq->next_free[head];
	} else {
		for (uint16_t i = 0; i < nr_segs; i++) {
			bool last = i + 1 == nr_segs;
			uint16_t next = vq->next_free[index];

			guest_split_raw_desc(vq, index, segs[i].gpa, segs[i].len_bytes,
					     (uint16_t)(segs[i].flags |
							(last ? 0 : GUEST_DESC_NEXT)),
					     last ? 0 : next);
			index = next;
		}
	}
	vq->free_head = index;
	vq->free_count -= nr_desc;
	vq->chains[head] = (struct guest_chain) {.cookie = cookie, .nr_desc = nr_desc};
	guest_split_raw_avail(vq, vq->avail_idx & (vq->size - 1), head);
	vq->avail_idx++;
	return head;
}

void
guest_split_publish(struct guest_split *vq)
{
	guest_split_raw_avail_idx(vq, vq->avail_idx);
}

int
guest_split_post(struct guest_split *vq, const struct guest_seg *segs, uint16_t nr_segs,
		 void *cookie)
{
	int head = guest_split_prepare(vq, segs, nr_segs, cookie);

	if (head >= 0)
		guest_split_publish(vq);
	return head;
}

uint16_t
guest_split_avail_event(const struct guest_split *vq)
{
	return vq->used[2 + 4 * (uint32_t)vq->size];
}

bool
guest_split_kick(struct guest_split *vq)
{
	uint64_t one = 1;
	uint16_t old = vq->kicked_idx;
	bool need;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	vq->kicked_idx = vq->avail_idx;
	if (vq->event_idx)
		need = (uint16_t)(vq->avail_idx - guest_split_avail_event(vq) - 1) <
		       (uint16_t)(vq->avail_idx - old);
	else
		need = (vq->used[0] & GUEST_USED_NO_NOTIFY) == 0;
	if (need && !vq->no_kick && vq->kickfd >= 0)
		return write(vq->kickfd, &one, sizeof(one)) == (ssize_t)sizeof(one);
	return false;
}

uint16_t
guest_split_pending(const struct guest_split *vq)
{
	return (uint16_t)(guest_split_used_idx(vq) - vq->last_used);
}

bool
guest_split_poll(struct guest_split *vq, struct guest_used *used, void **cookie)
{
	struct guest_chain *chain;
	uint16_t index;

	if (guest_split_pending(vq) == 0)
		return false;
	*used = guest_split_used_elem(vq, vq->last_used & (vq->size - 1));
	vq->last_used++;
	if (cookie != NULL)
		*cookie = NULL;
	if (used->id >= vq->size || vq->chains[used->id].nr_desc == 0)
		return true; /* not ours: the caller sees an id it never posted */
	chain = &vq->chains[used->id];
	if (cookie != NULL)
		*cookie = chain->cookie;
	index = (uint16_t)used->id;
	/* next_free still links the chain's descriptors: nothing rewrites it while posted. */
	for (uint16_t i = 1; i < chain->nr_desc; i++)
		index = vq->next_free[index];
	vq->next_free[index] = vq->free_head;
	vq->free_head = (uint16_t)used->id;
	vq->free_count += chain->nr_desc;
	chain->nr_desc = 0;
	return true;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool
guest_split_wait(struct guest_split *vq, struct guest_used *used, void **cookie, int timeout_ms)
{
	int64_t until = now_ms() + timeout_ms;

	while (!guest_split_poll(vq, used, cookie)) {
		if (now_ms() >= until)
			return false;
		usleep(50);
	}
	return true;
}

void
guest_split_set_used_event(struct guest_split *vq, uint16_t idx)
{
	vq->avail[2 + vq->size] = idx;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void
guest_split_call_enable(struct guest_split *vq)
{
	if (vq->event_idx)
		guest_split_set_used_event(vq, vq->last_used);
	else
		vq->avail[0] = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void
guest_split_call_disable(struct guest_split *vq)
{
	if (vq->event_idx)
		guest_split_set_used_event(vq, (uint16_t)(vq->last_used - 1));
	else
		vq->avail[0] = GUEST_AVAIL_NO_INTERRUPT;
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
guest_split_calls(struct guest_split *vq)
{
	return drain(vq->callfd);
}

uint64_t
guest_split_errors(struct guest_split *vq)
{
	return drain(vq->errfd);
}
