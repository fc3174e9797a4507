/* SPDX-License-Identifier: BSD-3-Clause */
/* SET_PROTOCOL_FEATURES: only what was offered; takes effect with the next message. */
#include "meaning.h"

#define REPLY_ACK BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK)

static void one_bit_too_many(void **state)
{
	(void)state;
	s.config.protocol_features = BIT(VHOST_USER_PROTOCOL_F_MQ) | REPLY_ACK;
	for (unsigned int bit = 0; bit < 64; bit++) {
		bool offered = (s.config.protocol_features & BIT(bit)) != 0;
		uint64_t before = s.dev->protocol_features;
		int ret = session_u64(&s, VHU_SET_PROTOCOL_FEATURES, BIT(bit));

		assert_int_equal(ret == 0, offered);
		assert_int_equal(s.dev->protocol_features, offered ? BIT(bit) : before);
	}
}

/* session_send() checks that an answer comes only if REPLY_ACK was there before the message. */
static void reply_ack_counts_from_the_next_message(void **state)
{
	(void)state;
	s.need_reply = true;
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, REPLY_ACK), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 0); /* zeroed: there was none */
	assert_int_equal(session_empty(&s, VHU_SET_OWNER), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	/* Taken back: answered a last time. */
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, 0), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8);
	assert_int_equal(session_empty(&s, VHU_SET_OWNER), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 0);
}

#define GPA BIT(VHOST_USER_PROTOCOL_F_GPA_ADDRESSES)

/* A frontend that says anything where the usual ones say their own addresses. */
static void by_guest_addresses(uint64_t protocol_features)
{
	s.config.protocol_features = UINT64_MAX;
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, protocol_features), 0);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, SESSION_FEATURES), 0);
	for (unsigned int i = 0; i < s.mem.nregions; i++) {
		const struct guest_region *g = &s.mem.regions[i];
		const struct vhu_region r = { .gpa = g->gpa,
					      .size_bytes = g->size_bytes,
					      .uva = UINT64_C(1) << 40 | i << 30,
					      .mmap_offset_bytes = g->mmap_offset_bytes };

		assert_int_equal(session_mem_reg(&s, VHU_ADD_MEM_REG, &r, g->fd), 0);
	}
	for (unsigned int i = 0; i < 2; i++) {
		const struct guest_ring *vq = &s.vqs[i];
		struct vhu_vring_addr a = { .index = i, .desc = vq->desc_gpa,
					    .avail = vq->avail_gpa, .used = vq->used_gpa };

		assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, i, vq->size), 0);
		assert_int_equal(session_send(&s, VHU_SET_VRING_ADDR, &a, sizeof(a), NULL, 0), 0);
		assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, i, vq->callfd), 0);
		assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, i, vq->kickfd), 0);
		session_enable(&s, i, true);
	}
}

#define SLOTS BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)

static void guest_addresses_name_rings_and_regions(void **state)
{
	struct vhu_region gone;

	(void)state;
	by_guest_addresses(SLOTS | GPA);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	/* The ring is where the guest has it: its word is seen. */
	guest_write(&s.mem, s.vqs[1].avail_gpa, "\1\0\5\0", 4);
	assert_int_equal(shm_load16(GUEST_FIELD(session_vq(&s, 1)->ring.avail,
						struct vring_avail, idx)),
			 5);
	/* A region goes by its guest address, whatever else is said. */
	gone = (struct vhu_region){ .gpa = s.mem.regions[1].gpa,
				    .size_bytes = s.mem.regions[1].size_bytes, .uva = 1 };
	assert_int_equal(session_mem_reg(&s, VHU_REM_MEM_REG, &gone, -1), 0);
	assert_int_equal(s.dev->mem->nr_regions, 1);
}

/* The bit has had other meanings: it has this one only if it was offered and taken. */
static void guest_addresses_are_agreed_on(void **state)
{
	(void)state;
	by_guest_addresses(SLOTS);
	assert_string_equal(session_events(&s), "");
	assert_false(vring_attached(&session_vq(&s, 0)->ring));
}

/* Addresses that are recorded already would mean something else. */
static void guest_addresses_come_first(void **state)
{
	(void)state;
	s.config.protocol_features = UINT64_MAX;
	session_memory(&s);
	assert_true(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, GPA) < 0);
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, REPLY_ACK), 0);
	session_close(&s);
	session_init(&s);
	s.config.protocol_features = UINT64_MAX;
	session_open(&s);
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, GPA), 0);
	session_memory(&s);
	assert_true(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, 0) < 0);
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, GPA | REPLY_ACK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_bit_too_many),
		TEST(reply_ack_counts_from_the_next_message),
		TEST(guest_addresses_name_rings_and_regions),
		TEST(guest_addresses_are_agreed_on),
		TEST(guest_addresses_come_first),
	};

	return RUN(tests);
}
