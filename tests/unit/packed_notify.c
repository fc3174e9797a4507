/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring/packed.h: the two notification decisions of a packed ring, ours to interrupt the guest and
 * the guest's to kick us, compared with the specification's words (virtio 1.2, 2.8.10, 2.8.14) and
 * with the formula that drivers use (vring_need_event()).
 */
#include "packed_fixture.h"

#define FLAGS_ENABLE 0
#define FLAGS_DISABLE 1
#define FLAGS_DESC 2

/* The ring after `passed` slots were given back, ending at `now`. */
static bool needed(uint16_t now, uint32_t passed_slots, uint16_t event, uint16_t flags)
{
	bool ret;

	ring.used_idx = ring.published = now;
	ring.unsignalled = passed_slots;
	driver_event[0] = event;
	driver_event[1] = flags;
	ret = ring_notify_needed(RING_PACKED, &ring);
	/* The next decision is about what comes after. */
	assert_int_equal(ring.unsignalled, 0);
	assert_true(ring.signalled_valid);
	return ret;
}

/* In the words of the specification: did we just use the descriptor that `event` names? */
static bool passed(uint16_t now, uint32_t passed_slots, uint16_t event)
{
	/* Back from `now`, slot by slot. */
	uint32_t at = now & 0x7fff, wrap = now & WRAP;

	for (; passed_slots != 0; passed_slots--) {
		if (at-- == 0) {
			at = ring.size - 1u;
			wrap ^= WRAP;
		}
		if ((at | wrap) == event)
			return true;
	}
	return false;
}

/* As drivers and other devices compute it, with 16-bit arithmetic. */
static bool formula(uint16_t now, uint32_t passed_slots, uint16_t event)
{
	uint16_t off = event & 0x7fff, at = now & 0x7fff;

	if (((now ^ event) & WRAP) != 0)
		off = (uint16_t)(off - ring.size);
	return vring_need_event(off, at, (uint16_t)(at - passed_slots)) != 0;
}

static void flags_without_event_index(void **state)
{
	static const uint16_t events[] = { 0, 3, WRAP, WRAP | 3, 0x7fff, 0xffff };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(events); i++) {
		for (unsigned int valid = 0; valid < 2; valid++) {
			ring.signalled_valid = valid != 0;
			assert_true(needed(WRAP | 5, 1, events[i], FLAGS_ENABLE));
			ring.signalled_valid = valid != 0;
			assert_false(needed(WRAP | 5, 1, events[i], FLAGS_DISABLE));
			/* DESC was not negotiated; 3 is reserved: rather once too often. */
			ring.signalled_valid = valid != 0;
			assert_true(needed(WRAP | 5, 1, events[i], FLAGS_DESC));
			ring.signalled_valid = valid != 0;
			assert_true(needed(WRAP | 5, 1, events[i], 3));
		}
	}
}

static void flags_with_event_index(void **state)
{
	(void)state;
	ring.event_idx = true;
	ring.signalled_valid = true;
	/* The position counts with DESC only. */
	for (unsigned int event = 0; event < 65536; event += 17) {
		assert_true(needed(WRAP | 5, 1, (uint16_t)event, FLAGS_ENABLE));
		assert_false(needed(WRAP | 5, 1, (uint16_t)event, FLAGS_DISABLE));
		assert_true(needed(WRAP | 5, 1, (uint16_t)event, 3));
	}
}

/* Every position, every distance, for sizes of all kinds. */
static void every_position_and_distance(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 3, 5, 8, 13 };

	(void)state;
	for (unsigned int s = 0; s < ARRAY_LEN(sizes); s++) {
		uint16_t size = sizes[s];

		attach_at(size, 0, true);
		ring.event_idx = true;
		ring.signalled_valid = true;
		for (unsigned int i = 0; i < 4u * size * size * (size + 1u); i++) {
			uint16_t now = (uint16_t)(i % size | (i / size % 2 != 0 ? WRAP : 0));
			unsigned int rest = i / size / 2;
			uint16_t event = (uint16_t)(rest % size | (rest / size % 2 != 0 ? WRAP : 0));
			uint32_t distance = rest / size / 2;
			bool expected = passed(now, distance, event);

			assert_int_equal(formula(now, distance, event), expected);
			assert_int_equal(needed(now, distance, event, FLAGS_DESC), expected);
		}
	}
}

static void every_event_value_once(void **state)
{
	static const uint16_t sizes[] = { 100, 32767, 32768 };

	(void)state;
	for (unsigned int s = 0; s < ARRAY_LEN(sizes); s++) {
		unsigned int wanted = 0;

		attach_at(sizes[s], 0, true);
		ring.event_idx = true;
		for (unsigned int at = 0; at < sizes[s]; at++) {
			for (unsigned int wrap = 0; wrap < 2; wrap++) {
				uint16_t event = (uint16_t)(at | (wrap != 0 ? WRAP : 0));

				ring.signalled_valid = true;
				wanted += needed(4, 6, event, FLAGS_DESC);
			}
		}
		assert_int_equal(wanted, 6);
	}
}

/* Positions that are none, beyond the ring: an answer as good as any, and the formula's. */
static void hostile_positions(void **state)
{
	static const uint16_t sizes[] = { 1, 3, 16, 100 };

	(void)state;
	for (unsigned int s = 0; s < ARRAY_LEN(sizes); s++) {
		attach_at(sizes[s], 0, true);
		ring.event_idx = true;
		for (uint32_t event = 0; event < 65536; event++) {
			uint16_t now = (uint16_t)(event % sizes[s] | (event % 3 == 0 ? WRAP : 0));
			uint32_t distance = event % (sizes[s] + 1u);

			ring.signalled_valid = true;
			assert_int_equal(needed(now, distance, (uint16_t)event, FLAGS_DESC),
					 formula(now, distance, (uint16_t)event));
		}
	}
	/* Flags of any value. */
	for (uint32_t flags = 0; flags < 65536; flags++) {
		ring.signalled_valid = true;
		assert_int_equal(needed(WRAP | 5, 1, WRAP | 9, (uint16_t)flags),
				 flags != FLAGS_DISABLE && flags != FLAGS_DESC);
	}
}

/* More slots than the ring has, given back without a word in between: no event can be after them. */
static void more_slots_than_the_ring(void **state)
{
	(void)state;
	ring.event_idx = true;
	for (unsigned int at = 0; at < RING_ENTRIES; at++) {
		for (unsigned int wrap = 0; wrap < 2; wrap++) {
			uint16_t event = (uint16_t)(at | (wrap != 0 ? WRAP : 0));

			ring.signalled_valid = true;
			/* Not yet used: what lies ahead under the counter of now, or at `now`. */
			if (event != (WRAP | 5) && passed(WRAP | 5, RING_ENTRIES, event))
				assert_true(needed(WRAP | 5, 3 * RING_ENTRIES, event, FLAGS_DESC));
		}
	}
}

static void first_decision_after_a_start_is_yes(void **state)
{
	(void)state;
	ring.event_idx = true;
	for (unsigned int at = 0; at < RING_ENTRIES; at++) {
		for (unsigned int wrap = 0; wrap < 2; wrap++) {
			uint16_t event = (uint16_t)(at | (wrap != 0 ? WRAP : 0));

			/* But for the position where we are, which cannot have been passed. */
			vring_set_base(&ring, WRAP | 5, WRAP | 5);
			assert_int_equal(needed(WRAP | 6, 1, event, FLAGS_DESC), event != (WRAP | 6));
			assert_int_equal(needed(WRAP | 7, 1, event, FLAGS_DESC), event == (WRAP | 6));
		}
	}
}

/* What was given back since the last decision counts, however often it was published. */
static void slots_add_up(void **state)
{
	const struct used u = used_make(1, 2);

	(void)state;
	ring.event_idx = true;
	ring.signalled_valid = true;
	driver_event[0] = WRAP | 1;
	driver_event[1] = FLAGS_DESC;
	for (unsigned int i = 0; i < 3; i++) {
		ring_used_push(RING_PACKED, &ring, CHAIN_READABLE, &u, 1);
		ring_publish(RING_PACKED, &ring);
	}
	assert_int_equal(ring.unsignalled, 6);
	assert_true(ring_notify_needed(RING_PACKED, &ring));
	assert_false(ring_notify_needed(RING_PACKED, &ring));
}

/* --- being kicked ------------------------------------------------------- */

static void kicks_by_flag(void **state)
{
	(void)state;
	device_event[0] = 0x1234;
	ring_kick_enable(RING_PACKED, &ring, false);
	assert_int_equal(device_event[1], FLAGS_DISABLE);
	ring_kick_enable(RING_PACKED, &ring, true);
	assert_int_equal(device_event[1], FLAGS_ENABLE);
	assert_int_equal(device_event[0], 0x1234);
}

/* The position is that of the next descriptor we fetch, with its wrap counter. */
static void kicks_by_event_index(void **state)
{
	static const uint16_t positions[] = { 0, WRAP, 15, WRAP | 15 };

	(void)state;
	ring.event_idx = true;
	for (unsigned int i = 0; i < ARRAY_LEN(positions); i++) {
		vring_set_base(&ring, positions[i], 3);
		ring_kick_enable(RING_PACKED, &ring, true);
		assert_int_equal(device_event[0], positions[i]);
		assert_int_equal(device_event[1], FLAGS_DESC);
		/* The driver's view: a chain put there is passed by, and so it kicks. */
		assert_true(formula(position_after(positions[i], 1), 1, device_event[0]));
		ring_kick_enable(RING_PACKED, &ring, false);
		assert_int_equal(device_event[1], FLAGS_DISABLE);
	}
	/* The guest's own word stays its own. */
	assert_int_equal(driver_event[0], 0);
	assert_int_equal(driver_event[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flags_without_event_index),
		TEST(flags_with_event_index),
		TEST(every_position_and_distance),
		TEST(every_event_value_once),
		TEST(hostile_positions),
		TEST(more_slots_than_the_ring),
		TEST(first_decision_after_a_start_is_yes),
		TEST(slots_add_up),
		TEST(kicks_by_flag),
		TEST(kicks_by_event_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
