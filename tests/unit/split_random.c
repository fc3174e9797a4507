/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring/split.c: random descriptor tables, mostly wrong, against a walk written here from the virtio
 * specification, 2.7: a byte at a time, in the most obvious way.
 */
#include "split_fixture.h"

struct model {
	enum fetch_result result;
	enum ring_fault fault;
	uint32_t bytes;
	uint32_t readable; /* of them, in a request */
	bool turned;       /* a request: what comes now is to be written */
	bool too_big; /* for us, not for the ring */
	uint8_t data[1 << 16];
};

/* One buffer of the chain; false when the walk ends here. */
static bool model_buffer(struct model *m, const struct guest_desc *d, enum chain_dir dir)
{
	bool writable = (d->flags & GUEST_DESC_WRITE) != 0;

	if (dir == CHAIN_BOTH ? m->turned && !writable : writable != (dir == CHAIN_WRITABLE)) {
		m->fault = RING_FAULT_DIRECTION;
		return false;
	}
	m->turned = writable;
	if (!writable)
		m->readable += d->len_bytes;
	for (uint32_t i = 0; i < d->len_bytes; i++) {
		const uint8_t *byte = guest_ptr(&memory, d->gpa + i, 1);

		if (m->bytes == sizeof(m->data)) {
			m->too_big = true;
			return false;
		}
		if (byte == NULL) {
			m->fault = RING_FAULT_ADDRESS;
			return false;
		}
		m->data[m->bytes++] = *byte;
	}
	return true;
}

static bool model_table(struct model *m, const struct guest_desc *head, enum chain_dir dir)
{
	uint32_t entries = head->len_bytes / 16, i = 0;

	if (entries == 0 || head->len_bytes % 16 != 0 || (head->flags & GUEST_DESC_NEXT) != 0) {
		m->fault = RING_FAULT_INDIRECT;
		return false;
	}
	for (uint32_t k = 0; k < head->len_bytes; k++) {
		if (guest_ptr(&memory, head->gpa + k, 1) == NULL) {
			m->fault = RING_FAULT_ADDRESS;
			return false;
		}
	}
	for (uint32_t steps = 0;; steps++) {
		struct guest_desc d;

		if (steps == entries || i >= entries) {
			m->fault = RING_FAULT_INDIRECT;
			return false;
		}
		guest_read(&memory, head->gpa + i * 16, &d, sizeof(d));
		if ((d.flags & GUEST_DESC_INDIRECT) != 0) {
			m->fault = RING_FAULT_INDIRECT;
			return false;
		}
		if (!model_buffer(m, &d, dir))
			return false;
		if ((d.flags & GUEST_DESC_NEXT) == 0)
			return true;
		i = d.next;
	}
}

static void model_fetch(struct model *m, uint16_t head, enum chain_dir dir)
{
	m->result = FETCH_BROKEN;
	m->fault = RING_FAULT_INDEX;
	m->bytes = m->readable = 0;
	m->turned = m->too_big = false;
	for (unsigned int steps = 0; head < RING_ENTRIES; steps++) {
		struct guest_desc d = {
			.gpa = guest.desc[head].gpa,
			.len_bytes = guest.desc[head].len_bytes,
			.flags = guest.desc[head].flags,
			.next = guest.desc[head].next,
		};

		if (steps == RING_ENTRIES) {
			m->fault = RING_FAULT_LOOP;
			return;
		}
		if (!((d.flags & GUEST_DESC_INDIRECT) != 0 ? model_table(m, &d, dir) :
							     model_buffer(m, &d, dir))) {
			m->result = FETCH_BAD;
			return;
		}
		if ((d.flags & GUEST_DESC_NEXT) == 0) {
			m->result = FETCH_OK;
			m->fault = RING_FAULT_NONE;
			return;
		}
		head = d.next;
	}
}

static uint64_t random_place(void)
{
	static const uint64_t edges[] = { 0, SEAM, END, 4 * MIB, 5 * MIB };

	switch (kit_random_below(6)) {
	case 0:
		return edges[kit_random_below(ARRAY_LEN(edges))] - 40 + kit_random_below(80);
	case 1:
		return 0x9000 + 16 * kit_random_below(16); /* where the tables are */
	default:
		return 0xa000 + kit_random_below(0x8000);
	}
}

static void random_desc(struct guest_desc *d, unsigned int places, enum chain_dir dir, bool top)
{
	*d = (struct guest_desc){ .gpa = random_place(),
				  .len_bytes = kit_random_below(100),
				  .next = (uint16_t)kit_random_below(places) };
	if (kit_random_below(40) == 0)
		d->next = (uint16_t)(places + kit_random_below(3));
	if (dir == CHAIN_BOTH ? kit_random_below(2) == 0 :
				(dir == CHAIN_WRITABLE) != (kit_random_below(50) == 0))
		d->flags |= GUEST_DESC_WRITE;
	if (kit_random_below(2) == 0)
		d->flags |= GUEST_DESC_NEXT;
	if (kit_random_below(top ? 3 : 60) == 0) {
		d->flags |= GUEST_DESC_INDIRECT;
		if (kit_random_below(8) != 0)
			d->flags &= (uint16_t)~GUEST_DESC_NEXT;
		d->gpa = 0x9000 + 16 * kit_random_below(8);
		if (kit_random_below(6) == 0)
			d->gpa = SEAM - 64 + kit_random_below(64);
		d->len_bytes = 16 * kit_random_below(9) + (kit_random_below(12) == 0);
	}
}

/* A request as drivers make them: a small table in order, first what is to be read; or nearly. */
static void random_request(uint16_t head)
{
	uint32_t n = 1 + kit_random_below(20), turn = kit_random_below(n + 1);

	for (uint32_t i = 0; i < n; i++) {
		struct guest_desc d;

		random_desc(&d, n, CHAIN_BOTH, false);
		d.flags = (uint16_t)((i >= turn ? GUEST_DESC_WRITE : 0) |
				     (i + 1 < n ? GUEST_DESC_NEXT : 0));
		if (kit_random_below(100) == 0)
			d.flags ^= (uint16_t)(1u << kit_random_below(4));
		if (kit_random_below(50) != 0)
			d.next = (uint16_t)(i + 1);
		guest_write(&memory, 0x9100 + i * 16, &d, sizeof(d));
	}
	desc(head, 0x9100, n * 16 + (kit_random_below(50) == 0), GUEST_DESC_INDIRECT, 0);
}

static void random_tables_match_the_model(void **state)
{
	static struct model model;
	static const enum chain_dir dirs[] = { CHAIN_READABLE, CHAIN_WRITABLE, CHAIN_BOTH };
	unsigned int seen[RING_FAULT_COUNT] = { 0 }, requests = 0, usual = 0;

	(void)state;
	for (uint32_t i = 0; i < MIB; i += 8) {
		uint64_t noise = kit_random();

		guest_write(&memory, SEAM + i, &noise, 8);
		guest_write(&memory, 4 * MIB + i, &noise, 8);
		if (i >= 0x8000 && i < MIB - 0x1000)
			guest_write(&memory, i, &noise, 8);
	}
	/* That wrote over nothing: the ring lies below. */
	assert_true(guest.used_gpa + guest_split_used_bytes(RING_ENTRIES) <= 0x8000);
	for (unsigned int round = 0; round < 30000; round++) {
		enum chain_dir dir = dirs[kit_random_below(ARRAY_LEN(dirs))];
		uint16_t head = (uint16_t)kit_random_below(RING_ENTRIES + (round % 64 == 0));
		static uint8_t got[1 << 16];
		struct guest_desc d;

		for (unsigned int i = 0; i < RING_ENTRIES; i++) {
			random_desc(&d, RING_ENTRIES, dir, true);
			desc((uint16_t)i, d.gpa, d.len_bytes, d.flags, d.next);
			random_desc(&d, 8, dir, false);
			guest_write(&memory, 0x9000 + i * 16, &d, sizeof(d));
		}
		if (round % 2 == 0) {
			for (unsigned int i = 0; i < 8; i++) {
				random_desc(&d, 8, dir, false);
				guest_write(&memory, SEAM - 64 + i * 16, &d, sizeof(d));
			}
		}
		if (dir == CHAIN_BOTH && head < RING_ENTRIES && kit_random_below(3) == 0)
			random_request(head);
		ring.fault = RING_FAULT_NONE;
		vring_set_base(&ring, guest.avail_idx, guest.avail_idx);
		/* First: a buffer may lie in the ring. */
		offer(head);
		model_fetch(&model, head, dir);
		if (model.too_big)
			continue;
		pool.used = kit_random_below(2);
		assert_int_equal(fetch(dir), model.result);
		seen[model.fault]++;
		if (model.result == FETCH_BROKEN) {
			assert_int_equal(ring.fault, model.fault);
			continue;
		}
		assert_int_equal(chain.fault, model.fault);
		assert_int_equal(used_id(chain.used), head);
		if (model.result != FETCH_OK)
			continue;
		assert_int_equal(chain.bytes, model.bytes);
		assert_int_equal(spans_bytes(chain.spans, chain.nr_spans), model.bytes);
		if (dir == CHAIN_BOTH) {
			assert_request(model.readable, model.bytes - model.readable);
			requests += model.readable != 0 && model.readable != model.bytes;
			usual += usual_request;
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
	assert_true(seen[RING_FAULT_INDEX] > 50);
	assert_true(seen[RING_FAULT_LOOP] > 10);
	assert_true(requests > 500 && usual > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_tables_match_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
