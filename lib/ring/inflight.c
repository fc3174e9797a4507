/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "inflight.h"
#include "packed.h"

#define VERSION 1
#define AREA_ALIGN_BYTES 64

typedef struct rte_vhost_inflight_info_split split_info;
typedef struct rte_vhost_inflight_desc_split split_entry;
typedef struct rte_vhost_inflight_info_packed packed_info;
typedef struct rte_vhost_inflight_desc_packed packed_entry;

#define SPLIT(inf, field) GUEST_FIELD((inf)->area, split_info, field)
#define PACKED(inf, field) GUEST_FIELD((inf)->area, packed_info, field)
#define SPLIT_ENTRY(inf, i, field) \
	GUEST_FIELD((inf)->area + sizeof(split_info) + (i) * sizeof(split_entry), split_entry, field)
#define PACKED_ENTRY(inf, i, field)                                                     \
	GUEST_FIELD((inf)->area + sizeof(packed_info) + (i) * sizeof(packed_entry), packed_entry, \
		    field)

/* What is before it in the source is stored before what comes after it. */
static void in_this_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static uint64_t area_bytes(enum ring_kind kind, uint16_t size)
{
	return kind == RING_PACKED ? sizeof(packed_info) + size * sizeof(packed_entry) :
				     sizeof(split_info) + size * sizeof(split_entry);
}

uint64_t inflight_bytes(enum ring_kind kind, uint16_t size)
{
	uint64_t bytes = 0;

	(void)align_up(area_bytes(kind, size), AREA_ALIGN_BYTES, &bytes);
	return bytes;
}

/* --- what was left ------------------------------------------------------ */

static int newest_first(const void *a, const void *b)
{
	const struct rte_vhost_resubmit_desc *x = a, *y = b;

	return (x->counter < y->counter) - (x->counter > y->counter);
}

static bool is_inflight(const struct inflight *inf, uint16_t i)
{
	return shm_load8(inf->kind == RING_PACKED ? PACKED_ENTRY(inf, i, inflight) :
						    SPLIT_ENTRY(inf, i, inflight)) != 0;
}

static uint64_t counter_of(const struct inflight *inf, uint16_t i)
{
	return shm_load64(inf->kind == RING_PACKED ? PACKED_ENTRY(inf, i, counter) :
						     SPLIT_ENTRY(inf, i, counter));
}

/* `found`: one byte an entry, not 0 for those to be done again. */
static int list_found(struct inflight *inf, const uint8_t *found,
		      struct rte_vhost_resubmit_info *list)
{
	struct rte_vhost_resubmit_desc *descs;
	uint16_t n = 0;

	for (uint16_t i = 0; i < inf->size; i++)
		n = (uint16_t)(n + (found[i] != 0));
	inf->counter = 0;
	if (n == 0)
		return 0;
	descs = calloc(n, sizeof(*descs));
	if (descs == NULL)
		return -ENOMEM;
	list->resubmit_list = descs;
	list->resubmit_num = n;
	n = 0;
	for (uint16_t i = 0; i < inf->size; i++)
		if (found[i] != 0)
			descs[n++] = (struct rte_vhost_resubmit_desc){
				.index = i, .counter = counter_of(inf, i) };
	qsort(descs, n, sizeof(*descs), newest_first);
	inf->counter = descs[0].counter + 1;
	return 0;
}

/* --- split -------------------------------------------------------------- */

static uint16_t used_index(const struct ring *vr)
{
	return shm_load16(GUEST_FIELD(vr->used, struct vring_used, idx));
}

/*
 * The last batch was published if the ring's index moved; what it had is not in
 * flight any more, whatever its entries say. A batch larger than the ring was
 * none: the area has not been with this ring all the time.
 */
static int split_finish_batch(const struct inflight *inf, uint16_t used)
{
	uint16_t batch = (uint16_t)(used - shm_load16(SPLIT(inf, used_idx)));
	uint16_t i = shm_load16(SPLIT(inf, last_inflight_io));

	if (batch > inf->ring_size)
		batch = 0;
	for (; batch > 0; batch--) {
		if (i >= inf->size)
			return -EPROTO;
		shm_store8(SPLIT_ENTRY(inf, i, inflight), 0);
		i = shm_load16(SPLIT_ENTRY(inf, i, next));
	}
	in_this_order();
	shm_store16(SPLIT(inf, used_idx), used);
	return 0;
}

static int split_find(struct inflight *inf, struct ring *vr, uint8_t *found)
{
	uint16_t used = used_index(vr), n = 0;
	int ret = split_finish_batch(inf, used);

	if (ret < 0)
		return ret;
	for (uint16_t i = 0; i < inf->size; i++) {
		found[i] = is_inflight(inf, i);
		if (found[i] != 0 && i >= inf->ring_size)
			return -EPROTO;
		n = (uint16_t)(n + found[i]);
	}
	/* All that was fetched was given back or is in flight. */
	vring_set_base(vr, (uint16_t)(used + n), used);
	return 0;
}

static void split_prepare(const struct inflight *inf, struct ring *vr)
{
	uint16_t used = used_index(vr);

	/* Not 0: the guest may have come from elsewhere, and no batch was begun here. */
	shm_store16(SPLIT(inf, used_idx), used);
	vring_set_base(vr, used, used);
}

int inflight_split_fetched(struct inflight *inf, uint16_t head)
{
	if (head >= inf->size)
		return -EINVAL;
	shm_store64(SPLIT_ENTRY(inf, head, counter), inf->counter++);
	in_this_order();
	shm_store8(SPLIT_ENTRY(inf, head, inflight), 1);
	in_this_order();
	return 0;
}

int inflight_split_completing(struct inflight *inf, uint16_t head)
{
	if (head >= inf->size)
		return -EINVAL;
	shm_store16(SPLIT_ENTRY(inf, head, next), shm_load16(SPLIT(inf, last_inflight_io)));
	in_this_order();
	shm_store16(SPLIT(inf, last_inflight_io), head);
	in_this_order();
	return 0;
}

int inflight_split_completed(struct inflight *inf, uint16_t head, uint16_t used_idx)
{
	if (head >= inf->size)
		return -EINVAL;
	in_this_order();
	shm_store8(SPLIT_ENTRY(inf, head, inflight), 0);
	in_this_order();
	shm_store16(SPLIT(inf, used_idx), used_idx);
	return 0;
}

/* --- packed ------------------------------------------------------------- */

/* Two of these are in the area: as of now, and as of the last batch that was finished. */
struct packed_state {
	uint16_t free_head;
	uint16_t used_idx;
	uint8_t wrap;
};

static struct packed_state packed_now(const struct inflight *inf)
{
	return (struct packed_state){ .free_head = shm_load16(PACKED(inf, free_head)),
				      .used_idx = shm_load16(PACKED(inf, used_idx)),
				      .wrap = shm_load8(PACKED(inf, used_wrap_counter)) };
}

static struct packed_state packed_old(const struct inflight *inf)
{
	return (struct packed_state){ .free_head = shm_load16(PACKED(inf, old_free_head)),
				      .used_idx = shm_load16(PACKED(inf, old_used_idx)),
				      .wrap = shm_load8(PACKED(inf, old_used_wrap_counter)) };
}

static void packed_set_now(const struct inflight *inf, struct packed_state s)
{
	shm_store16(PACKED(inf, free_head), s.free_head);
	shm_store16(PACKED(inf, used_idx), s.used_idx);
	shm_store8(PACKED(inf, used_wrap_counter), s.wrap);
	in_this_order();
}

static void packed_set_old(const struct inflight *inf, struct packed_state s)
{
	shm_store16(PACKED(inf, old_free_head), s.free_head);
	shm_store16(PACKED(inf, old_used_idx), s.used_idx);
	shm_store8(PACKED(inf, old_used_wrap_counter), s.wrap);
	in_this_order();
}

/* `size` as the head of the free list means that it is empty. */
static bool packed_state_fits(const struct inflight *inf, struct packed_state s)
{
	return s.free_head <= inf->size && s.used_idx < inf->ring_size && s.wrap <= 1;
}

static uint16_t state_position(struct packed_state s)
{
	return (uint16_t)(s.used_idx | (s.wrap != 0 ? PACKED_WRAP : 0));
}

static struct packed_state state_advance(const struct inflight *inf, struct packed_state s,
					  uint16_t slots)
{
	uint32_t at = (uint32_t)s.used_idx + slots;

	if (at >= inf->ring_size) {
		at -= inf->ring_size;
		s.wrap ^= 1;
	}
	s.used_idx = (uint16_t)at;
	return s;
}

/* Does the guest see the chain at a position as one that it made available? */
static bool slot_is_available(const struct ring *vr, struct packed_state s)
{
	uint16_t flags = shm_load16(GUEST_FIELD(
		GUEST_AT(vr->packed, struct vring_packed_desc, s.used_idx),
		struct vring_packed_desc, flags));

	return packed_is_avail(flags, packed_avail_lap(state_position(s)));
}

/* Keeps the batch that was under way, if the guest has seen it, or takes it back. */
static int packed_finish_batch(const struct inflight *inf, const struct ring *vr)
{
	struct packed_state now = packed_now(inf), old = packed_old(inf);

	if (!packed_state_fits(inf, now) || !packed_state_fits(inf, old))
		return -EPROTO;
	if (state_position(now) != state_position(old) && !slot_is_available(vr, old)) {
		packed_set_old(inf, now);
		return 0;
	}
	packed_set_now(inf, old);
	return 0;
}

/* Entries of the free list are not in flight. Marks them; each may be in it once. */
static int packed_clear_free(const struct inflight *inf, uint8_t *seen)
{
	uint16_t i = shm_load16(PACKED(inf, free_head));

	while (i < inf->size) {
		if (seen[i]++ != 0)
			return -EPROTO;
		shm_store8(PACKED_ENTRY(inf, i, inflight), 0);
		i = shm_load16(PACKED_ENTRY(inf, i, next));
	}
	return i == inf->size ? 0 : -EPROTO;
}

/*
 * An application walks the chain of an entry by itself: it must be one, of
 * entries that no other has, and carry an id that the ring can have.
 */
static int packed_check_chain(const struct inflight *inf, uint16_t head, uint8_t *seen,
			      uint16_t *slots)
{
	uint16_t num = shm_load16(PACKED_ENTRY(inf, head, num));
	uint16_t last = shm_load16(PACKED_ENTRY(inf, head, last));
	uint16_t i = head;

	if (num == 0 || num > inf->ring_size || last >= inf->size ||
	    shm_load16(PACKED_ENTRY(inf, last, id)) >= inf->ring_size)
		return -EPROTO;
	for (uint16_t left = num; left > 0; left--) {
		bool more = (shm_load16(PACKED_ENTRY(inf, i, flags)) & VRING_DESC_F_NEXT) != 0;

		if (seen[i]++ != 0 || more != (left > 1) || (left == 1) != (i == last))
			return -EPROTO;
		if (left == 1)
			break;
		i = shm_load16(PACKED_ENTRY(inf, i, next));
		if (i >= inf->size)
			return -EPROTO;
	}
	*slots = num;
	return 0;
}

static int packed_find(struct inflight *inf, struct ring *vr, uint8_t *found)
{
	uint8_t *seen = calloc(inf->size, 1);
	struct packed_state used, avail;
	uint32_t slots = 0;
	int ret;

	if (seen == NULL)
		return -ENOMEM;
	ret = packed_finish_batch(inf, vr);
	if (ret == 0)
		ret = packed_clear_free(inf, seen);
	for (uint16_t i = 0; ret == 0 && i < inf->size; i++) {
		uint16_t num = 0;

		if (!is_inflight(inf, i))
			continue;
		found[i] = 1;
		ret = packed_check_chain(inf, i, seen, &num);
		slots += num;
	}
	free(seen);
	if (ret < 0)
		return ret;
	used = packed_now(inf);
	if (slots > inf->ring_size || !packed_state_fits(inf, used))
		return -EPROTO;
	avail = state_advance(inf, used, (uint16_t)slots);
	vring_set_base(vr, state_position(avail), state_position(used));
	return 0;
}

/* A packed ring says nothing about itself: it stands where the frontend says. */
static void packed_prepare(const struct inflight *inf, const struct ring *vr)
{
	struct packed_state s = { .free_head = 0,
				  .used_idx = (uint16_t)packed_index(vr->used_idx),
				  .wrap = (vr->used_idx & PACKED_WRAP) != 0 };

	for (uint16_t i = 0; i < inf->size; i++)
		shm_store16(PACKED_ENTRY(inf, i, next), (uint16_t)(i + 1));
	packed_set_now(inf, s);
	packed_set_old(inf, s);
}

/* A descriptor of the ring, copied: the guest may change it, what was fetched stays. */
static void packed_copy(const struct inflight *inf, const struct ring *vr, uint16_t slot, uint16_t i)
{
	struct vring_packed_desc desc;

	shm_read(&desc, GUEST_AT(vr->packed, struct vring_packed_desc, slot), sizeof(desc));
	shm_store64(PACKED_ENTRY(inf, i, addr), desc.addr);
	shm_store32(PACKED_ENTRY(inf, i, len), desc.len);
	shm_store16(PACKED_ENTRY(inf, i, id), desc.id);
	shm_store16(PACKED_ENTRY(inf, i, flags), desc.flags);
}

int inflight_packed_fetched(struct inflight *inf, const struct ring *vr, uint16_t first,
			    uint16_t last, uint16_t *entry)
{
	uint16_t head, i, tail = 0, num;

	if (first >= inf->ring_size || last >= inf->ring_size)
		return -EINVAL;
	num = (uint16_t)(last - first + (last < first ? inf->ring_size : 0) + 1);
	head = shm_load16(PACKED(inf, old_free_head));
	if (head != shm_load16(PACKED(inf, free_head)))
		return -EBUSY;
	i = head;
	/* Free entries enough? Nothing has been touched yet. */
	for (uint16_t n = 0; n < num; n++) {
		if (i >= inf->size)
			return -EPROTO;
		tail = i;
		i = shm_load16(PACKED_ENTRY(inf, i, next));
	}
	if (i > inf->size)
		return -EPROTO;
	shm_store16(PACKED_ENTRY(inf, head, num), num);
	shm_store16(PACKED_ENTRY(inf, head, last), tail);
	shm_store64(PACKED_ENTRY(inf, head, counter), inf->counter++);
	*entry = head;
	for (uint16_t n = 0, at = head; n < num; n++) {
		packed_copy(inf, vr, (uint16_t)((first + n) % inf->ring_size), at);
		at = shm_load16(PACKED_ENTRY(inf, at, next));
		/* The list is the frontend's to spoil, the end of it is not. */
		if (at > inf->size || (at == inf->size && n + 1 < num))
			return -EPROTO;
	}
	in_this_order();
	shm_store8(PACKED_ENTRY(inf, head, inflight), 1);
	in_this_order();
	/* Only from here on does it count: a free entry is not in flight. */
	shm_store16(PACKED(inf, free_head), i);
	in_this_order();
	shm_store16(PACKED(inf, old_free_head), i);
	in_this_order();
	return 0;
}

int inflight_packed_completing(struct inflight *inf, uint16_t entry)
{
	struct packed_state s = packed_now(inf);
	uint16_t last, num;

	if (entry >= inf->size)
		return -EINVAL;
	last = shm_load16(PACKED_ENTRY(inf, entry, last));
	num = shm_load16(PACKED_ENTRY(inf, entry, num));
	if (last >= inf->size || num == 0 || num > inf->ring_size || !packed_state_fits(inf, s))
		return -EPROTO;
	shm_store16(PACKED_ENTRY(inf, last, next), s.free_head);
	in_this_order();
	s.free_head = entry;
	packed_set_now(inf, state_advance(inf, s, num));
	return 0;
}

int inflight_packed_completed(struct inflight *inf, uint16_t entry)
{
	if (entry >= inf->size)
		return -EINVAL;
	in_this_order();
	shm_store8(PACKED_ENTRY(inf, entry, inflight), 0);
	in_this_order();
	packed_set_old(inf, packed_now(inf));
	return 0;
}

uint16_t inflight_packed_used(const struct inflight *inf)
{
	struct packed_state s = packed_old(inf);

	s.used_idx = (uint16_t)packed_index(s.used_idx);
	return state_position(s);
}

/* --- start -------------------------------------------------------------- */

/* The first four fields are the same in both formats. */
_Static_assert(offsetof(split_info, version) == offsetof(packed_info, version), "one header");
_Static_assert(offsetof(split_info, desc_num) == offsetof(packed_info, desc_num), "one header");

static void prepare(const struct inflight *inf, struct ring *vr)
{
	/* A frontend may have put anything there. */
	for (uint64_t at = 0; at < area_bytes(inf->kind, inf->size); at += sizeof(uint64_t))
		shm_store64((uint64_t __guest *)(uintptr_t)(inf->area + at), 0);
	shm_store16(SPLIT(inf, desc_num), inf->size);
	if (inf->kind == RING_PACKED)
		packed_prepare(inf, vr);
	else
		split_prepare(inf, vr);
	in_this_order();
	shm_store16(SPLIT(inf, version), VERSION);
}

static int recover(struct inflight *inf, struct ring *vr, struct rte_vhost_resubmit_info *list)
{
	uint8_t *found = calloc(inf->size, 1);
	int ret;

	if (found == NULL)
		return -ENOMEM;
	ret = inf->kind == RING_PACKED ? packed_find(inf, vr, found) : split_find(inf, vr, found);
	if (ret == 0)
		ret = list_found(inf, found, list);
	free(found);
	return ret;
}

void inflight_forget(uint8_t __guest *area)
{
	const struct inflight inf = { .area = area };

	shm_store16(SPLIT(&inf, version), 0);
	in_this_order();
}

bool inflight_is_of(uint8_t __guest *area, const struct ring *vr, uint16_t size)
{
	const struct inflight inf = { .area = area };

	return vr->size <= size && shm_load16(SPLIT(&inf, version)) == VERSION &&
	       shm_load16(SPLIT(&inf, desc_num)) == size;
}

struct used inflight_used(const struct inflight *inf, uint16_t entry)
{
	uint16_t last;

	if (inf->kind == RING_SPLIT)
		return used_make(entry, 1);
	/* Checked at the start, but the frontend may have changed it since. */
	last = (uint16_t)MIN2(shm_load16(PACKED_ENTRY(inf, entry, last)), inf->size - 1);
	return used_make(shm_load16(PACKED_ENTRY(inf, last, id)),
			 MIN2(shm_load16(PACKED_ENTRY(inf, entry, num)), inf->ring_size));
}

int inflight_start(struct inflight *inf, struct ring *vr, uint8_t __guest *area, uint16_t size,
		   struct rte_vhost_resubmit_info *list)
{
	struct inflight started = {
		.area = area, .kind = vr->kind, .size = size, .ring_size = vr->size
	};
	uint16_t version = shm_load16(SPLIT(&started, version));
	int ret = 0;

	*list = (struct rte_vhost_resubmit_info){ 0 };
	*inf = (struct inflight){ 0 };
	if (vr->size > size)
		return -EPROTO;
	if (version == 0)
		prepare(&started, vr);
	else if (version != VERSION || shm_load16(SPLIT(&started, desc_num)) != size)
		return -EPROTO;
	else
		ret = recover(&started, vr, list);
	if (ret == 0)
		*inf = started;
	return ret;
}
