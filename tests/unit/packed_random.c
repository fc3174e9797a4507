/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring/packed.c: random rings, mostly wrong, against a walk written here from the virtio
 * specification, 2.8: a byte at a time, in the most obvious way. And a well-behaved driver (2.8.21)
 * over rings of all sizes, which has to get back what it gave.
 */
#include "packed_fixture.h"

#define RANDOM_TABLE 0x9000
#define RANDOM_BUFFERS 0xa000

struct model {
	enum fetch_result result;
	enum ring_fault fault;
	uint16_t id;
	uint32_t nr_slots;
	uint32_t bytes;
	uint32_t readable; /* of them, in a request */
	bool turned;       /* a request: what comes now is to be written */
	bool too_big; /* for us, not for the ring */
	uint8_t data[1 << 16];
};

/* One buffer of the chain. The first thing that is wrong is what is wrong with the chain. */
static void model_buffer(struct model *m, const struct guest_packed_desc *d, enum chain_dir dir)
{
	bool writable = (d->flags & WRITE) != 0;

	if (dir == CHAIN_BOTH ? m->turned && !writable : writable != (dir == CHAIN_WRITABLE)) {
		m->fault = RING_FAULT_DIRECTION;
		return;
	}
	m->turned = writable;
	if (!writable)
		m->readable += d->len_bytes;
	for (uint32_t i = 0; i < d->len_bytes; i++) {
		const uint8_t *byte = guest_ptr(&memory, d->gpa + i, 1);

		if (m->bytes == sizeof(m->data)) {
			m->too_big = true;
			return;
		}
		if (byte == NULL) {
			m->fault = RING_FAULT_ADDRESS;
			return;
		}
		m->data[m->bytes++] = *byte;
	}
}

/* 2.8.7: entries one after the other, NEXT is reserved; 2.8.8: WRITE of the head is, too. */
static void model_table(struct model *m, const struct guest_packed_desc *head, enum chain_dir dir)
{
	uint32_t entries = head->len_bytes / 16;

	if (entries == 0 || head->len_bytes % 16 != 0) {
		m->fault = RING_FAULT_INDIRECT;
		return;
	}
	for (uint32_t k = 0; k < head->len_bytes; k++) {
		if (guest_ptr(&memory, head->gpa + k, 1) == NULL) {
			m->fault = RING_FAULT_ADDRESS;
			return;
		}
	}
	for (uint32_t i = 0; i < entries && m->fault == RING_FAULT_NONE && !m->too_big; i++) {
		struct guest_packed_desc d;

		guest_read(&memory, head->gpa + i * 16, &d, sizeof(d));
		if ((d.flags & INDIRECT) != 0)
			m->fault = RING_FAULT_INDIRECT;
		else
			model_buffer(m, &d, dir);
	}
}

static void model_fetch(struct model *m, uint16_t position, enum chain_dir dir)
{
	const uint16_t head_flags = slots[position & 0x7fff].flags;
	const bool wrap = (position & WRAP) != 0;

	m->result = FETCH_NONE;
	m->fault = RING_FAULT_NONE;
	m->bytes = m->readable = 0;
	m->turned = m->too_big = false;
	/* 2.8.1 */
	if (((head_flags & AVAIL) != 0) != wrap || ((head_flags & USED) != 0) == wrap)
		return;
	for (m->nr_slots = 0; m->nr_slots < ring.size;) {
		const struct guest_packed_desc *d =
			&slots[position_after(position, m->nr_slots++) & 0x7fff];

		if (m->fault == RING_FAULT_NONE && !m->too_big) {
			if ((d->flags & INDIRECT) == 0)
				model_buffer(m, d, dir);
			else if (m->nr_slots != 1 || (d->flags & NEXT) != 0)
				m->fault = RING_FAULT_INDIRECT; /* 2.8.19 */
			else
				model_table(m, d, dir);
		}
		if ((d->flags & NEXT) == 0) {
			m->id = d->id;
			m->result = m->fault == RING_FAULT_NONE ? FETCH_OK : FETCH_BAD;
			return;
		}
	}
	m->result = FETCH_BROKEN;
	m->fault = RING_FAULT_LOOP;
}

static uint64_t random_place(void)
{
	static const uint64_t edges[] = { 0, SEAM, END, 4 * MIB, 5 * MIB };

	switch (kit_random_below(6)) {
	case 0:
		return edges[kit_random_below(ARRAY_LEN(edges))] - 40 + kit_random_below(80);
	case 1:
		return RANDOM_TABLE + 16 * kit_random_below(16);
	default:
		return RANDOM_BUFFERS + kit_random_below(0x8000);
	}
}

static struct guest_packed_desc random_desc(enum chain_dir dir, bool in_ring)
{
	struct guest_packed_desc d = { .gpa = random_place(),
				 .len_bytes = kit_random_below(100),
				 .id = (uint16_t)kit_random() };

	if (kit_random_below(4) == 0)
		d.len_bytes = LEAD_BYTES;
	if (dir == CHAIN_BOTH ? kit_random_below(2) == 0 :
				(dir == CHAIN_WRITABLE) != (kit_random_below(50) == 0))
		d.flags |= WRITE;
	if (kit_random_below(2) == 0)
		d.flags |= NEXT;
	/* Bits that mean nothing, or nothing here. */
	if (kit_random_below(4) == 0)
		d.flags |= (uint16_t)(kit_random() & ~(uint64_t)(WRITE | NEXT | INDIRECT));
	if (kit_random_below(in_ring ? 3 : 60) == 0) {
		d.flags |= INDIRECT;
		if (kit_random_below(8) != 0)
			d.flags &= (uint16_t)~NEXT;
		d.gpa = RANDOM_TABLE + 16 * kit_random_below(8) + (kit_random_below(4) == 0);
		if (kit_random_below(6) == 0)
			d.gpa = SEAM - 64 + kit_random_below(64);
		d.len_bytes = 16 * kit_random_below(5) + (kit_random_below(12) == 0);
	}
	return d;
}

/* A request as drivers make them: a small table, first what is to be read; or nearly. */
static struct guest_packed_desc random_request(void)
{
	uint32_t n = 1 + kit_random_below(20), turn = kit_random_below(n + 1);
	struct guest_packed_desc d;

	for (uint32_t i = 0; i < n; i++) {
		d = random_desc(CHAIN_BOTH, false);
		d.flags = i >= turn ? WRITE : 0;
		if (kit_random_below(100) == 0)
			d.flags ^= (uint16_t)(1u << kit_random_below(4));
		guest_write(&memory, RANDOM_TABLE + 0x100 + i * 16, &d, sizeof(d));
	}
	d.gpa = RANDOM_TABLE + 0x100;
	d.len_bytes = n * 16 + (kit_random_below(50) == 0);
	d.flags = INDIRECT;
	return d;
}

static void fill_memory(void)
{
	for (uint32_t i = 0; i < MIB; i += 8) {
		uint64_t noise = kit_random();

		guest_write(&memory, SEAM + i, &noise, 8);
		guest_write(&memory, 4 * MIB + i, &noise, 8);
		if (i >= 0x8000)
			guest_write(&memory, i, &noise, 8);
	}
}

/* The ring at a random position, its head available as often as not. */
static void random_ring(uint16_t position, enum chain_dir dir)
{
	for (unsigned int i = 0; i < ring.size; i++)
		slots[i] = random_desc(dir, true);
	if (dir == CHAIN_BOTH && kit_random_below(3) == 0)
		slots[position & 0x7fff] = random_request();
	if (kit_random_below(8) != 0) {
		uint16_t *flags = &slots[position & 0x7fff].flags;

		*flags &= (uint16_t)~(AVAIL | USED);
		*flags |= avail_bits((position & WRAP) != 0);
	}
	/* Now and then as many as there are. */
	for (unsigned int i = 0; kit_random_below(8) == 0 && i < ring.size; i++)
		slots[i].flags |= NEXT;
	for (unsigned int i = 0; i < 16; i++) {
		struct guest_packed_desc d = random_desc(dir, false);

		guest_write(&memory, RANDOM_TABLE + i * 16, &d, sizeof(d));
		d = random_desc(dir, false);
		if (i < 8)
			guest_write(&memory, SEAM - 64 + i * 16, &d, sizeof(d));
	}
}

static void random_rings_match_the_model(void **state)
{
	static struct model model;
	static const enum chain_dir dirs[] = { CHAIN_READABLE, CHAIN_WRITABLE, CHAIN_BOTH };
	unsigned int seen[RING_FAULT_COUNT] = { 0 }, usual = 0, none = 0, requests = 0,
		     usual_requests = 0;

	(void)state;
	fill_memory();
	for (unsigned int round = 0; round < 45000; round++) {
		enum chain_dir dir = dirs[kit_random_below(ARRAY_LEN(dirs))];
		uint16_t size = (uint16_t)(1 + kit_random_below(RING_ENTRIES));
		uint16_t position = (uint16_t)(kit_random_below(size) |
					       (kit_random_below(2) == 0 ? WRAP : 0));
		static uint8_t got[1 << 16];

		attach_at(size, position & 0x7fff, (position & WRAP) != 0);
		random_ring(position, dir);
		model_fetch(&model, position, dir);
		if (model.too_big)
			continue;
		pool.used = kit_random_below(2);
		assert_int_equal(fetch(dir), model.result);
		usual += dir != CHAIN_BOTH && next == NEXT_PIECE;
		if (model.result == FETCH_NONE) {
			none++;
			continue;
		}
		seen[model.fault]++;
		if (model.result == FETCH_BROKEN) {
			assert_int_equal(ring.fault, model.fault);
			assert_int_equal(ring.last_avail, position);
			continue;
		}
		assert_int_equal(chain.fault, model.fault);
		assert_int_equal(used_id(chain.used), model.id);
		assert_int_equal(used_slots(chain.used), model.nr_slots);
		assert_int_equal(ring.last_avail, position_after(position, model.nr_slots));
		if (model.result != FETCH_OK)
			continue;
		assert_int_equal(chain.bytes, model.bytes);
		if (dir == CHAIN_BOTH) {
			assert_request(model.readable, model.bytes - model.readable);
			requests += model.readable != 0 && model.readable != model.bytes;
			usual_requests += usual_request;
		}
		assert_int_equal(spans_read(chain.spans, chain.nr_spans, got, sizeof(got)),
				 model.bytes);
		assert_memory_equal(got, model.data, model.bytes);
	}
	/* The dice reach what they are meant to. */
	assert_true(seen[RING_FAULT_NONE] > 1000);
	assert_true(seen[RING_FAULT_ADDRESS] > 100);
	assert_true(seen[RING_FAULT_DIRECTION] > 100);
	assert_true(seen[RING_FAULT_INDIRECT] > 100);
	assert_true(seen[RING_FAULT_LOOP] > 100);
	assert_true(usual > 1000 && none > 1000);
	assert_true(requests > 500 && usual_requests > 500);
}

/* --- a driver that behaves ---------------------------------------------- */

/* What it has out, in the order it made them available. */
struct posted {
	uint16_t id;
	uint16_t nr_slots;
	uint32_t bytes;
	uint32_t written; /* by the device, once it has pushed it */
	bool pushed;
};

static struct {
	struct posted ring[4096];
	unsigned int head, tail;   /* of what is out; free running */
	unsigned int fetched;      /* how far the device came */
	uint16_t free_slots, used_at;
	bool used_wrap;
	uint16_t next_id;
} driver;

static struct posted *posted(unsigned int i)
{
	return &driver.ring[i % ARRAY_LEN(driver.ring)];
}

/* Makes a random chain available, if there is room. */
static void driver_post(enum chain_dir dir)
{
	const uint32_t w = dir == CHAIN_WRITABLE ? WRITE : 0;
	uint16_t want = (uint16_t)(1 + (kit_random_below(3) == 0 ? kit_random_below(5) : 0));
	struct posted *p = posted(driver.tail);
	unsigned int entries = kit_random_below(4);

	if (driver.free_slots < want || driver.tail - driver.head == ARRAY_LEN(driver.ring))
		return;
	*p = (struct posted){ .id = driver.next_id++, .nr_slots = want };
	driver.tail++;
	driver.free_slots -= want;
	if (want == 1 && entries != 0) {
		/* Tables in turn, so that one that is out is not written over. */
		uint64_t table = TABLE_GPA + (driver.tail % 1024) * 64;

		for (unsigned int i = 0; i < entries; i++) {
			entry(table, i, BUFFER_GPA, i == 0 ? LEAD_BYTES : 50 + i, w);
			p->bytes += i == 0 ? LEAD_BYTES : 50 + i;
		}
		put(table, entries * 16, INDIRECT, p->id);
		return;
	}
	for (uint16_t i = 0; i < want; i++) {
		uint32_t len = i == 0 ? LEAD_BYTES : kit_random_below(200);

		put(BUFFER_GPA + i, len, w | (i + 1 < want ? NEXT : 0),
		    i + 1 < want ? 0xdead : p->id);
		p->bytes += len;
	}
}

/* 2.8.21.3: takes used elements as long as there are; returns how many chains that were. */
static unsigned int driver_poll(bool in_order, enum chain_dir dir)
{
	unsigned int chains = 0;

	for (;;) {
		const struct guest_packed_desc *d = &slots[driver.used_at];
		bool avail = (d->flags & AVAIL) != 0, used = (d->flags & USED) != 0;
		bool last;

		if (driver.head == driver.tail || avail != used || used != driver.used_wrap)
			return chains;
		/* In order an element may stand for all chains up to the one it names (2.8.13). */
		do {
			struct posted *p = posted(driver.head++);

			last = p->id == d->id;
			assert_true(p->pushed);
			assert_true(last || in_order);
			if (last) {
				assert_int_equal(d->len_bytes, p->written);
				assert_int_equal((d->flags & WRITE) != 0, dir == CHAIN_WRITABLE);
			} else {
				assert_int_equal(p->written, 0);
			}
			driver.free_slots += p->nr_slots;
			for (uint16_t i = 0; i < p->nr_slots; i++) {
				if (++driver.used_at == ring.size) {
					driver.used_at = 0;
					driver.used_wrap = !driver.used_wrap;
				}
			}
			chains++;
		} while (!last);
	}
}

/* Takes up to `max` chains the one way or the other; returns how many. */
static unsigned int device_take(enum chain_dir dir, struct used *used, unsigned int max)
{
	struct ring_cursor c = ring_open(RING_PACKED, &ring, dir);
	unsigned int n;

	for (n = 0; n < max; n++) {
		const struct posted *p = posted(driver.fetched);
		struct piece piece = { 0 };
		uint32_t bytes;

		if (ring_next(RING_PACKED, &ring, &c, dir, LEAD_BYTES, &piece) == NEXT_PIECE &&
		    kit_random_below(4) != 0) {
			ring_take(RING_PACKED, &c, piece.used);
			used[n] = piece.used;
			bytes = piece.bytes;
		} else {
			ring_close(RING_PACKED, &ring, dir, &c);
			pool.used = 0;
			if (fetch(dir) != FETCH_OK)
				break;
			used[n] = chain.used;
			bytes = chain.bytes;
			c = ring_open(RING_PACKED, &ring, dir);
		}
		assert_true(driver.fetched != driver.tail);
		assert_int_equal(used_id(used[n]), p->id);
		assert_int_equal(used_slots(used[n]), p->nr_slots);
		assert_int_equal(bytes, p->bytes);
		driver.fetched++;
	}
	ring_close(RING_PACKED, &ring, dir, &c);
	return n;
}

static void device_turn(enum chain_dir dir)
{
	struct used used[40];
	unsigned int n = device_take(dir, used, kit_random_below(40));
	unsigned int back = kit_random_below(3) == 0 ? kit_random_below(n + 1) : 0;

	ring_rewind(RING_PACKED, &ring, &used[n - back], back);
	driver.fetched -= back;
	n -= back;
	for (unsigned int i = 0; i < n; i++) {
		struct posted *p = posted(driver.fetched - n + i);

		p->pushed = true;
		if (dir == CHAIN_WRITABLE)
			p->written = kit_random_below(p->bytes + 1);
		used[i] = used_written(used[i], p->written);
	}
	if (n != 0)
		ring_used_push(RING_PACKED, &ring, dir, used, n);
}

static void a_driver_gets_back_what_it_gave(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 3, 7, 8, 33, 64, 100, 255, 256, 1000 };

	(void)state;
	for (unsigned int round = 0; round < 4 * ARRAY_LEN(sizes); round++) {
		enum chain_dir dir = round % 2 == 0 ? CHAIN_READABLE : CHAIN_WRITABLE;
		uint16_t size = sizes[round / 4], at = (uint16_t)kit_random_below(size);
		bool wrap = kit_random_below(2) == 0;
		unsigned int chains = 0;

		attach_at(size, at, wrap);
		ring.in_order = round % 4 >= 2;
		memset(&driver, 0, sizeof(driver));
		driver.free_slots = size;
		driver.used_at = at;
		driver.used_wrap = wrap;
		for (unsigned int turn = 0; turn < 2000; turn++) {
			for (unsigned int i = kit_random_below(20); i != 0; i--)
				driver_post(dir);
			device_turn(dir);
			if (kit_random_below(3) != 0)
				chains += driver_poll(ring.in_order, dir);
			/* What is out and not fetched is what waits. */
			assert_int_equal(ring_waiting(RING_PACKED, &ring, ring.last_avail),
					 driver.tail - driver.fetched);
		}
		while (driver.fetched != driver.tail)
			device_turn(dir);
		chains += driver_poll(ring.in_order, dir);
		assert_int_equal(driver.head, driver.tail);
		assert_int_equal(driver.free_slots, size);
		assert_true(chains > 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_rings_match_the_model),
		TEST(a_driver_gets_back_what_it_gave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
