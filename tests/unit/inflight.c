/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The in-flight area: what a backend that is killed at any moment leaves to the next one. A guest
 * (the test) sees each of its chains come back exactly once, over hundreds of backends killed in
 * the middle of their work. And whatever stands in the area, nothing outside of it is touched.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest_packed.h"
#include "guest_split.h"
#include "ring/inflight.h"
#include "ring_fixture.h"

#define SIZE RING_ENTRIES

static struct guest_ring guest;
static uint8_t *area; /* shared with those that get killed */
static struct rte_vhost_resubmit_info list;

static void attach(void)
{
	struct vring_addrs addrs = { .desc = guest_uva(&memory, guest.desc_gpa),
				     .avail = guest_uva(&memory, guest.avail_gpa),
				     .used = guest_uva(&memory, guest.used_gpa) };

	memset(&ring, 0, sizeof(ring));
	ring.kind = kind;
	ring.size = SIZE;
	vring_set_base(&ring, kind == RING_PACKED ? 0x8000 : 0, kind == RING_PACKED ? 0x8000 : 0);
	assert_int_equal(vring_attach(&ring, mem, NULL, &addrs), 0);
}

static void make(enum ring_kind k)
{
	kind = k;
	make_memory();
	assert_int_equal(guest_ring_init(&guest, k == RING_PACKED ? &guest_packed : &guest_split,
					 &memory, SIZE),
			 0);
	attach();
	area = mmap(NULL, inflight_bytes(k, SIZE), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(area != MAP_FAILED);
}

static int split_setup(void **state)
{
	(void)state;
	make(RING_SPLIT);
	return 0;
}

static int packed_setup(void **state)
{
	(void)state;
	make(RING_PACKED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(list.resubmit_list);
	list = (struct rte_vhost_resubmit_info){ 0 };
	munmap(area, inflight_bytes(kind, SIZE));
	guest_ring_fini(&guest);
	drop_memory();
	return 0;
}

/* The next backend: its positions come from the area and the ring. */
static struct inflight start(void)
{
	struct inflight inf;

	free(list.resubmit_list);
	assert_int_equal(inflight_start(&inf, &ring, (uint8_t __guest *)(uintptr_t)area, SIZE,
					&list),
			 0);
	return inf;
}

static struct rte_vhost_inflight_info_split *split(void)
{
	return (struct rte_vhost_inflight_info_split *)(void *)area;
}

static struct rte_vhost_inflight_info_packed *packed(void)
{
	return (struct rte_vhost_inflight_info_packed *)(void *)area;
}

/* The list is `n` indices, newest first. */
static void expect_list(unsigned int n, const uint16_t *indices)
{
	assert_int_equal(list.resubmit_num, n);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(list.resubmit_list[i].index, indices[i]);
	for (unsigned int i = 1; i < n; i++)
		assert_true(list.resubmit_list[i].counter < list.resubmit_list[i - 1].counter);
}

static void set_used(uint16_t idx)
{
	shm_store16(GUEST_FIELD(ring.used, struct vring_used, idx), idx);
}

/* --- split, step by step ------------------------------------------------ */

static void split_fresh(void **state)
{
	(void)state;
	set_used(500);
	memset(area, 0xa5, inflight_bytes(RING_SPLIT, SIZE));
	split()->version = 0;
	start();
	assert_int_equal(split()->version, 1);
	assert_int_equal(split()->desc_num, SIZE);
	assert_int_equal(split()->used_idx, 500);
	assert_int_equal(split()->features, 0);
	for (unsigned int i = 0; i < SIZE; i++)
		assert_int_equal(split()->desc[i].inflight, 0);
	assert_int_equal(list.resubmit_num, 0);
	assert_null(list.resubmit_list);
	assert_int_equal(ring.last_avail, 500);
	assert_int_equal(ring.used_idx, 500);
}

/* S17, first half: nothing was ever completed here, so request 0 is still to be done. */
static void s17_no_batch_yet(void **state)
{
	struct inflight inf;

	(void)state;
	set_used(1000); /* a guest that came from elsewhere */
	inf = start();
	inflight_split_fetched(&inf, 0);
	inflight_split_fetched(&inf, 5);
	start();
	expect_list(2, (uint16_t[]){ 5, 0 });
	assert_int_equal(ring.last_avail, 1002);
	/* Nor when the area was with another ring in between: no batch is that large. */
	set_used(2000);
	start();
	expect_list(2, (uint16_t[]){ 5, 0 });
	assert_int_equal(split()->used_idx, 2000);
}

/* S17, second half: the whole batch was published, so all of it is done. */
static void s17_whole_batch(void **state)
{
	struct inflight inf = start();

	(void)state;
	for (uint16_t head = 0; head < 6; head++)
		assert_int_equal(inflight_split_fetched(&inf, head), 0);
	for (uint16_t head = 1; head < 4; head++)
		assert_int_equal(inflight_split_completing(&inf, head), 0);
	/* Killed before it is published: all six. */
	start();
	expect_list(6, (uint16_t[]){ 5, 4, 3, 2, 1, 0 });
	assert_int_equal(ring.last_avail, 6);
	/* Killed after: the three of the batch are done, though marked. */
	set_used(3);
	start();
	expect_list(3, (uint16_t[]){ 5, 4, 0 });
	assert_int_equal(ring.last_avail, 6);
	assert_int_equal(ring.used_idx, 3);
	/* And it is so the next time. */
	start();
	expect_list(3, (uint16_t[]){ 5, 4, 0 });
}

static void split_counters_go_on(void **state)
{
	struct inflight inf = start();

	(void)state;
	inflight_split_fetched(&inf, 7);
	inflight_split_fetched(&inf, 3);
	inf = start();
	inflight_split_fetched(&inf, 1);
	start();
	expect_list(3, (uint16_t[]){ 1, 3, 7 });
}

static void split_arguments(void **state)
{
	struct inflight inf = start();

	(void)state;
	assert_int_equal(inflight_split_fetched(&inf, SIZE), -EINVAL);
	assert_int_equal(inflight_split_completing(&inf, SIZE), -EINVAL);
	assert_int_equal(inflight_split_completed(&inf, 65535, 1), -EINVAL);
}

/* F10: indices that are none. */
static void f10_split_indices(void **state)
{
	struct inflight inf = start();
	struct rte_vhost_inflight_desc_split *desc = split()->desc;
	static const uint16_t bad[] = { SIZE, 1000, 65535 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		split()->used_idx = 0;
		set_used(2);
		split()->last_inflight_io = bad[i];
		assert_int_equal(inflight_start(&inf, &ring, (uint8_t __guest *)(uintptr_t)area,
						SIZE, &list),
				 -EPROTO);
		split()->last_inflight_io = 3;
		desc[3].next = bad[i];
		assert_int_equal(inflight_start(&inf, &ring, (uint8_t __guest *)(uintptr_t)area,
						SIZE, &list),
				 -EPROTO);
		assert_null(inf.area);
	}
	/* In a circle: walked no further than the batch. */
	desc[3].next = 3;
	set_used(SIZE);
	start();
	assert_int_equal(list.resubmit_num, 0);
}

/* --- packed, step by step ----------------------------------------------- */

/* `n` chains of two, shown to the device. */
static void post(unsigned int n)
{
	const struct guest_seg segs[] = { { 4 * MIB, 16, 0 }, { 4 * MIB + 64, 1, GUEST_DESC_WRITE } };

	for (unsigned int i = 0; i < n; i++)
		assert_true(guest_ring_post(&guest, segs, 2, NULL) >= 0);
}

static void use_slot(uint16_t slot, bool wrap)
{
	struct vring_packed_desc __guest *at = GUEST_AT(ring.packed, struct vring_packed_desc, slot);

	shm_store16_release(GUEST_FIELD(at, struct vring_packed_desc, flags),
			    wrap ? PACKED_AVAIL | PACKED_USED : 0);
}

static void packed_fresh(void **state)
{
	(void)state;
	vring_set_base(&ring, 0x0005, 0x8003);
	memset(area, 0xa5, inflight_bytes(RING_PACKED, SIZE));
	packed()->version = 0;
	start();
	assert_int_equal(packed()->version, 1);
	assert_int_equal(packed()->desc_num, SIZE);
	assert_int_equal(packed()->used_idx, 3);
	assert_int_equal(packed()->old_used_idx, 3);
	assert_int_equal(packed()->used_wrap_counter, 1);
	assert_int_equal(packed()->old_used_wrap_counter, 1);
	assert_int_equal(packed()->free_head, 0);
	for (unsigned int i = 0; i < SIZE; i++)
		assert_int_equal(packed()->desc[i].next, i + 1);
	/* Where the frontend said. */
	assert_int_equal(ring.last_avail, 0x0005);
	assert_int_equal(ring.used_idx, 0x8003);
}

static void packed_batch(void **state)
{
	struct inflight inf = start();
	uint16_t entry[3];

	(void)state;
	post(3);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(inflight_packed_fetched(&inf, &ring, (uint16_t)(2 * i),
							 (uint16_t)(2 * i + 1), &entry[i]),
				 0);
	assert_int_equal(packed()->desc[entry[1]].num, 2);
	assert_int_equal(packed()->desc[packed()->desc[entry[1]].last].len, 1);
	start();
	expect_list(3, (uint16_t[]){ entry[2], entry[1], entry[0] });
	assert_int_equal(ring.last_avail, 0x8006);
	assert_int_equal(ring.used_idx, 0x8000);
	/* Two of them together; killed before the guest sees it. */
	inf = start();
	assert_int_equal(inflight_packed_completing(&inf, entry[2]), 0);
	assert_int_equal(inflight_packed_completing(&inf, entry[0]), 0);
	assert_int_equal(inflight_packed_fetched(&inf, &ring, 6, 7, &entry[0]), -EBUSY);
	assert_int_equal(inflight_packed_used(&inf), 0x8000);
	start();
	expect_list(3, (uint16_t[]){ entry[2], entry[1], entry[0] });
	assert_int_equal(ring.used_idx, 0x8000);
	/* And after. */
	inf = start();
	assert_int_equal(inflight_packed_completing(&inf, entry[2]), 0);
	assert_int_equal(inflight_packed_completing(&inf, entry[0]), 0);
	use_slot(2, true);
	use_slot(0, true);
	inf = start();
	expect_list(1, (uint16_t[]){ entry[1] });
	assert_int_equal(ring.used_idx, 0x8004);
	assert_int_equal(ring.last_avail, 0x8006);
	assert_int_equal(inflight_packed_used(&inf), 0x8004);
}

/* As many entries as slots: the last chain finds one, one more does not. */
static void packed_full(void **state)
{
	struct inflight inf = start();
	uint16_t entry = 99;

	(void)state;
	post(SIZE / 2);
	for (uint16_t i = 0; i < SIZE; i = (uint16_t)(i + 2))
		assert_int_equal(inflight_packed_fetched(&inf, &ring, i, (uint16_t)(i + 1), &entry),
				 0);
	assert_int_equal(inflight_packed_fetched(&inf, &ring, 0, 0, &entry), -EPROTO);
	inf = start();
	assert_int_equal(list.resubmit_num, SIZE / 2);
	assert_int_equal(ring.last_avail, 0x0000); /* a lap further */
	assert_int_equal(ring.used_idx, 0x8000);
	assert_int_equal(inflight_packed_completing(&inf, entry), 0);
	use_slot(0, true);
	assert_int_equal(inflight_packed_completed(&inf, entry), 0);
	assert_int_equal(inflight_packed_fetched(&inf, &ring, 0, 1, &entry), 0);
}

static void packed_arguments(void **state)
{
	struct inflight inf = start();
	uint16_t entry = 0;

	(void)state;
	assert_int_equal(inflight_packed_fetched(&inf, &ring, SIZE, 0, &entry), -EINVAL);
	assert_int_equal(inflight_packed_fetched(&inf, &ring, 0, SIZE, &entry), -EINVAL);
	assert_int_equal(inflight_packed_fetched(&inf, &ring, 65535, 65535, &entry), -EINVAL);
	assert_int_equal(inflight_packed_completing(&inf, SIZE), -EINVAL);
	assert_int_equal(inflight_packed_completed(&inf, SIZE), -EINVAL);
	/* An entry that stands for nothing. */
	assert_int_equal(inflight_packed_completing(&inf, 3), -EPROTO);
}

/* F10: one wrong word at a time in an area that has everything. */
static void f10_packed_words(void **state)
{
	const uint64_t bytes = inflight_bytes(RING_PACKED, SIZE);
	uint8_t *good = malloc(bytes);
	static const uint16_t values[] = { 0, 1, 2, SIZE - 1, SIZE, SIZE + 1, 255, 0x8000, 65535 };
	struct inflight inf = start();
	unsigned int refused = 0;
	uint16_t entry;

	(void)state;
	post(5);
	for (uint16_t i = 0; i < 5; i++)
		inflight_packed_fetched(&inf, &ring, (uint16_t)(2 * i), (uint16_t)(2 * i + 1), &entry);
	inflight_packed_completing(&inf, 4);
	memcpy(good, area, bytes);
	for (uint64_t at = 10; at < bytes; at += 2) {
		for (unsigned int v = 0; v < ARRAY_LEN(values); v++) {
			memcpy(area, good, bytes);
			memcpy(area + at, &values[v], 2);
			free(list.resubmit_list);
			if (inflight_start(&inf, &ring, (uint8_t __guest *)(uintptr_t)area, SIZE,
					   &list) < 0) {
				refused++;
				assert_null(list.resubmit_list);
				continue;
			}
			/* What is accepted can be walked. */
			for (unsigned int i = 0; i < list.resubmit_num; i++) {
				uint16_t e = list.resubmit_list[i].index, n = 1;

				assert_true(e < SIZE);
				for (; (packed()->desc[e].flags & VRING_DESC_F_NEXT) != 0; n++) {
					e = packed()->desc[e].next;
					assert_true(e < SIZE && n < SIZE);
				}
				assert_true(packed()->desc[e].id < SIZE);
			}
			assert_true(vring_base_fits(&ring, ring.last_avail, ring.used_idx));
		}
	}
	assert_true(refused > 100);
	free(good);
}

/* --- garbage ------------------------------------------------------------ */

/* In memory of its own, so that a sanitizer sees what is beyond. */
static void garbage(void **state)
{
	const uint64_t bytes = inflight_bytes(kind, SIZE);

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		uint8_t *heap = malloc(bytes);
		struct rte_vhost_inflight_info_split *header = (void *)heap;
		uint32_t below = round % 3 == 0 ? 65536 : SIZE + 2;
		struct inflight inf;
		uint16_t entry;

		for (uint64_t i = 0; i < bytes / 2; i++) {
			uint16_t word = (uint16_t)kit_random_below(below);

			memcpy(heap + 2 * i, &word, 2);
		}
		header->version = 1;
		header->desc_num = SIZE;
		if (kind == RING_SPLIT)
			set_used((uint16_t)(header->used_idx + kit_random_below(4)));
		free(list.resubmit_list);
		if (inflight_start(&inf, &ring, (uint8_t __guest *)(uintptr_t)heap, SIZE, &list) == 0)
			for (unsigned int i = 0; i < list.resubmit_num; i++)
				assert_true(list.resubmit_list[i].index < SIZE);
		inf = (struct inflight){ .area = (uint8_t __guest *)(uintptr_t)heap,
					 .kind = kind,
					 .size = SIZE,
					 .ring_size = SIZE };
		for (unsigned int i = 0; i < 8; i++) {
			uint16_t a = (uint16_t)kit_random_below(SIZE + 1);
			uint16_t b = (uint16_t)kit_random_below(SIZE + 1);

			if (kind == RING_SPLIT) {
				(void)inflight_split_fetched(&inf, a);
				(void)inflight_split_completing(&inf, a);
				(void)inflight_split_completed(&inf, b, 1);
			} else {
				(void)inflight_packed_fetched(&inf, &ring, a, b, &entry);
				(void)inflight_packed_completing(&inf, a);
				(void)inflight_packed_completed(&inf, b);
				(void)inflight_packed_used(&inf);
			}
		}
		free(heap);
	}
}

/* --- killed ------------------------------------------------------------- */

struct held {
	uint16_t handle; /* split: head; packed: entry of the area */
	uint16_t id;
	uint16_t slots;
};

static struct held held[SIZE];
static unsigned int nr_held;

/* Where it is worth being killed. */
static void linger(void)
{
	for (volatile uint32_t spin = kit_random_below(2000); spin > 0;)
		spin--;
}

static bool fetch_one(struct inflight *inf)
{
	struct held *h = &held[nr_held];

	if (kind == RING_SPLIT) {
		if (shm_load16_acquire(GUEST_FIELD(ring.avail, struct vring_avail, idx)) ==
		    ring.last_avail)
			return false;
		h->handle = shm_load16(GUEST_AT(GUEST_FIELD(ring.avail, struct vring_avail, ring),
						uint16_t, ring.last_avail % SIZE));
		h->id = h->handle;
		ring.last_avail++;
		if (inflight_split_fetched(inf, h->handle) < 0)
			_exit(1);
	} else {
		uint16_t first = (uint16_t)packed_index(ring.last_avail), last = first, flags;
		uint32_t at = first, lap = packed_avail_lap(ring.last_avail);
		struct vring_packed_desc __guest *desc =
			GUEST_AT(ring.packed, struct vring_packed_desc, first);

		flags = shm_load16_acquire(GUEST_FIELD(desc, struct vring_packed_desc, flags));
		if (!packed_is_avail(flags, lap))
			return false;
		for (h->slots = 1; (flags & VRING_DESC_F_NEXT) != 0; h->slots++) {
			last = (uint16_t)((last + 1) % SIZE);
			desc = GUEST_AT(ring.packed, struct vring_packed_desc, last);
			flags = shm_load16(GUEST_FIELD(desc, struct vring_packed_desc, flags));
		}
		h->id = shm_load16(GUEST_FIELD(desc, struct vring_packed_desc, id));
		if (inflight_packed_fetched(inf, &ring, first, last, &h->handle) < 0)
			_exit(1);
		packed_advance(SIZE, &at, &lap, h->slots);
		ring.last_avail = packed_position(at, lap);
	}
	nr_held++;
	return true;
}

/* `n` of what is held, any of them, in one batch. */
static void complete(struct inflight *inf, unsigned int n)
{
	struct held batch[SIZE];
	uint16_t first = ring.used_idx;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int k = kit_random_below(nr_held);

		batch[i] = held[k];
		held[k] = held[--nr_held];
		if ((kind == RING_SPLIT ? inflight_split_completing(inf, batch[i].handle) :
					  inflight_packed_completing(inf, batch[i].handle)) < 0)
			_exit(2);
		linger();
	}
	if (kind == RING_SPLIT) {
		for (unsigned int i = 0; i < n; i++)
			shm_store32(GUEST_FIELD(GUEST_AT(GUEST_FIELD(ring.used, struct vring_used,
								     ring),
							 struct vring_used_elem,
							 (ring.used_idx + i) % SIZE),
						struct vring_used_elem, id),
				    batch[i].id);
		ring.used_idx = (uint16_t)(ring.used_idx + n);
		shm_store16_release(GUEST_FIELD(ring.used, struct vring_used, idx), ring.used_idx);
	} else {
		uint32_t at = packed_index(first), lap = packed_used_lap(first);
		uint32_t flags_at[SIZE], flags[SIZE];

		for (unsigned int i = 0; i < n; i++) {
			shm_store16(GUEST_FIELD(GUEST_AT(ring.packed, struct vring_packed_desc, at),
						struct vring_packed_desc, id),
				    batch[i].id);
			flags_at[i] = at;
			flags[i] = lap;
			packed_advance(SIZE, &at, &lap, batch[i].slots);
		}
		/* The first one shows them all. */
		for (unsigned int i = n; i-- > 0;)
			shm_store16_release(GUEST_FIELD(GUEST_AT(ring.packed,
								 struct vring_packed_desc,
								 flags_at[i]),
							struct vring_packed_desc, flags),
					    (uint16_t)flags[i]);
		ring.used_idx = packed_position(at, lap);
	}
	for (unsigned int i = 0; i < n; i++) {
		linger();
		(void)(kind == RING_SPLIT ?
			       inflight_split_completed(inf, batch[i].handle,
							(uint16_t)(first + i + 1)) :
			       inflight_packed_completed(inf, batch[i].handle));
	}
}

/* A backend. With `drain` it holds nothing back. */
static void __attribute__((noreturn)) backend(unsigned int seed, bool drain)
{
	struct inflight inf;

	kit_seed(seed);
	if (inflight_start(&inf, &ring, (uint8_t __guest *)(uintptr_t)area, SIZE, &list) < 0)
		_exit(3);
	nr_held = 0;
	for (unsigned int i = list.resubmit_num; i-- > 0;) {
		struct held *h = &held[nr_held++];

		h->handle = h->id = list.resubmit_list[i].index;
		if (kind == RING_PACKED) {
			h->id = packed()->desc[packed()->desc[h->handle].last].id;
			h->slots = packed()->desc[h->handle].num;
		}
	}
	for (;;) {
		bool fetched = kit_random_below(2) == 0 && nr_held < SIZE && fetch_one(&inf);

		if (nr_held != 0 && (drain || (!fetched && kit_random_below(3) == 0)))
			complete(&inf, 1 + kit_random_below(nr_held < 3 ? nr_held : 3));
	}
}

static uint8_t done[1 << 20];
static uintptr_t nr_posted;

static uintptr_t nr_done(void)
{
	uintptr_t n = 0;

	for (uintptr_t i = 1; i <= nr_posted; i++)
		n += done[i];
	return n;
}

/* Lets the guest work until so many chains more have come back. */
static void guest_works(unsigned int wanted, bool more)
{
	for (unsigned int back = 0; back < wanted;) {
		const struct guest_seg segs[] = { { 4 * MIB, 16, 0 },
						  { 4 * MIB + 64, 1, GUEST_DESC_WRITE } };
		struct guest_used used;
		void *cookie;

		if (more && nr_posted + 1 < sizeof(done) &&
		    guest_ring_post(&guest, segs, (uint16_t)(1 + kit_random_below(2)),
				    (void *)(nr_posted + 1)) >= 0)
			nr_posted++;
		while (guest_ring_poll(&guest, &used, &cookie)) {
			/* One that it did not give, or that it got back already. */
			assert_non_null(cookie);
			assert_int_equal(done[(uintptr_t)cookie]++, 0);
			back++;
		}
		if (!more && nr_done() == nr_posted)
			break;
	}
}

static pid_t spawn(unsigned int seed, bool drain)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* Nor does it outlive a test that fails or is stopped. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		backend(seed, drain);
	}
	return pid;
}

static void end(pid_t pid)
{
	int status = 0;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* Not ended by itself: every call succeeded. */
	assert_true(WIFSIGNALED(status));
}

static void killed_at_any_moment(void **state)
{
	uintptr_t all;
	pid_t pid;

	(void)state;
	memset(done, 0, sizeof(done));
	nr_posted = 0;
	for (unsigned int round = 0; round < 400; round++) {
		pid = spawn(round, false);
		/* And a little longer, so that it is not always caught at the same place. */
		guest_works(1 + kit_random_below(40), true);
		for (volatile uint32_t spin = kit_random_below(20000); spin > 0;)
			spin--;
		end(pid);
	}
	pid = spawn(1, true);
	all = nr_posted;
	/* One that never comes back hangs here; the test's time limit says so. */
	guest_works((unsigned int)(all - nr_done()), false);
	end(pid);
	assert_int_equal(nr_done(), all);
	assert_true(all > 1000);
}

#define SPLIT_TEST(f) cmocka_unit_test_setup_teardown(f, split_setup, teardown)
#define PACKED_TEST(f) cmocka_unit_test_setup_teardown(f, packed_setup, teardown)
#define NAMED(label, f, setup) { label, f, setup, teardown, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPLIT_TEST(split_fresh),
		SPLIT_TEST(s17_no_batch_yet),
		SPLIT_TEST(s17_whole_batch),
		SPLIT_TEST(split_counters_go_on),
		SPLIT_TEST(split_arguments),
		SPLIT_TEST(f10_split_indices),
		PACKED_TEST(packed_fresh),
		PACKED_TEST(packed_batch),
		PACKED_TEST(packed_full),
		PACKED_TEST(packed_arguments),
		PACKED_TEST(f10_packed_words),
		NAMED("garbage_split", garbage, split_setup),
		NAMED("garbage_packed", garbage, packed_setup),
		NAMED("killed_at_any_moment_split", killed_at_any_moment, split_setup),
		NAMED("killed_at_any_moment_packed", killed_at_any_moment, packed_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
