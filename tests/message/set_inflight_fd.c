/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SET_INFLIGHT_FD: the areas that rings use when they start next. Checked against its file; what is
 * in it is checked when a ring starts (tests/unit/inflight.c).
 */
#include "meaning.h"

#define AREA_BYTES (16 + 64 * 16 + 48) /* split, of SESSION_RING_ENTRIES entries, aligned */

static struct vhu_inflight inflight(uint16_t nr_queues)
{
	return (struct vhu_inflight){ .mmap_size_bytes = (uint64_t)nr_queues * AREA_BYTES,
				      .nr_queues = nr_queues,
				      .queue_size = SESSION_RING_ENTRIES };
}

static int set(struct vhu_inflight in, int fd)
{
	return session_send(&s, VHU_SET_INFLIGHT_FD, &in, sizeof(in), &fd, 1);
}

static void serve_rings_ourselves(void)
{
	s.dev->backend = NULL;
	session_negotiate(&s);
	session_memory(&s);
}

/* F9 */
static void f9_sizes_that_do_not_fit(void **state)
{
	int fd = kit_memfd(4 * AREA_BYTES);
	struct vhu_inflight in;

	(void)state;
	session_negotiate(&s);
	in = inflight(2);
	in.mmap_size_bytes--; /* less than the queues need */
	assert_true(set(in, fd) < 0);
	in.mmap_size_bytes = 0;
	assert_true(set(in, fd) < 0);
	in = inflight(5); /* more than the file has */
	assert_true(set(in, fd) < 0);
	in = inflight(2);
	in.mmap_offset_bytes = 3 * AREA_BYTES;
	assert_true(set(in, fd) < 0);
	in.mmap_offset_bytes = UINT64_MAX - 7; /* wraps */
	assert_true(set(in, fd) < 0);
	in.mmap_offset_bytes = 0;
	in.mmap_size_bytes = UINT64_MAX;
	assert_true(set(in, fd) < 0);
	in = inflight(1);
	in.mmap_offset_bytes = 4; /* its 8 byte fields would not be aligned */
	assert_true(set(in, fd) < 0);
	assert_null(s.dev->inflight.areas);
	in.mmap_offset_bytes = 8;
	assert_int_equal(set(in, fd), 0);
	assert_int_equal(set(inflight(4), fd), 0);
	close(fd);
}

/* F7: no more queues than there can be, and none are made. */
static void f7_queues_that_do_not_exist(void **state)
{
	int fd = kit_memfd(1 << 20);

	(void)state;
	session_negotiate(&s);
	assert_int_equal(set(inflight(256), fd), 0);
	assert_int_equal(s.dev->nr_vqs, 0);
	assert_true(set(inflight(257), fd) < 0);
	assert_true(set(inflight(65535), fd) < 0);
	assert_true(set(inflight(0), fd) < 0);
	close(fd);
}

static void other_descriptors(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	session_negotiate(&s);
	assert_true(set(inflight(1), fd) < 0);
	close(fd);
}

static void a_ring_uses_its_part(void **state)
{
	int fd = kit_memfd(2 * AREA_BYTES);
	struct rte_vhost_inflight_info_split header;

	(void)state;
	serve_rings_ourselves();
	assert_int_equal(set(inflight(2), fd), 0);
	session_ring(&s, 1);
	assert_non_null(session_vq(&s, 1)->inflight.area);
	assert_int_equal(pread(fd, &header, sizeof(header), AREA_BYTES), sizeof(header));
	assert_int_equal(header.version, 1);
	assert_int_equal(header.desc_num, SESSION_RING_ENTRIES);
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(header.version, 0);
	/* Only while it runs. */
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 1, 0), 0);
	assert_null(session_vq(&s, 1)->inflight.area);
	close(fd);
}

/* Who died before it told the guest left the guest waiting: it is told, once. */
static void the_guest_is_told_at_the_start(void **state)
{
	int fd = kit_memfd(AREA_BYTES);

	(void)state;
	serve_rings_ourselves();
	session_ring(&s, 0);
	session_enable(&s, 0, true);
	assert_int_equal(guest_ring_calls(&s.vqs[0]), 0);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(set(inflight(1), fd), 0);
	session_ring(&s, 0);
	assert_string_equal(session_events(&s), "q0=1 +dev -dev q0=0 q0=1 +dev");
	assert_int_equal(guest_ring_calls(&s.vqs[0]), 1);
	session_enable(&s, 0, false);
	session_enable(&s, 0, true);
	assert_int_equal(guest_ring_calls(&s.vqs[0]), 0);
	close(fd);
}

/* S18: a queue beyond those that the areas are for works, without. */
static void s18_more_queues_than_areas(void **state)
{
	int fd = kit_memfd(AREA_BYTES);

	(void)state;
	serve_rings_ourselves();
	assert_int_equal(set(inflight(1), fd), 0);
	session_ring(&s, 3);
	session_enable(&s, 3, true);
	assert_string_equal(session_events(&s), "q3=1");
	assert_null(session_vq(&s, 3)->inflight.area);
	close(fd);
}

/* The library's own rings are not recorded: they go on from what the ring says. */
static void not_for_rings_of_the_library(void **state)
{
	int fd = kit_memfd(2 * AREA_BYTES);

	(void)state;
	session_negotiate(&s);
	session_memory(&s);
	assert_int_equal(set(inflight(2), fd), 0);
	session_ring(&s, 0);
	session_enable(&s, 0, true);
	assert_string_equal(session_events(&s), "q0=1");
	assert_null(session_vq(&s, 0)->inflight.area);
	close(fd);
}

static int start_ring(void)
{
	assert_int_equal(session_addr(&s, 0), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd), 0);
	return session_fd(&s, VHU_SET_VRING_KICK, 0, s.vqs[0].kickfd);
}

/* Areas that do not belong to the ring: it does not start, and says why; a fresh one mends it. */
static void damaged_areas(void **state)
{
	static const uint16_t bad[][2] = { { 2, 64 }, { 65535, 64 }, { 1, 63 }, { 1, 65 }, { 1, 0 } };
	struct rte_vhost_inflight_info_split header = { 0 };
	int fd = kit_memfd(AREA_BYTES);

	(void)state;
	serve_rings_ourselves();
	session_ring(&s, 0);
	session_enable(&s, 0, true);
	assert_string_equal(session_events(&s), "q0=1 +dev");
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
		assert_int_equal(set(inflight(1), fd), 0);
		header.version = bad[i][0];
		header.desc_num = bad[i][1];
		assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
		session_events(&s);
		s.dev->log_budget = (struct log_budget){ 0 };
		kit_lines = 0;
		assert_int_equal(start_ring(), 0);
		assert_string_equal(session_events(&s), "");
		assert_int_equal(kit_lines, 1);
		assert_non_null(strstr(kit_last_line, "in-flight area"));
	}
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	header.version = 0;
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(start_ring(), 0);
	assert_string_equal(session_events(&s), "q0=1 +dev");
	close(fd);
}

/* The ring may be smaller than its area, not larger. */
static void a_ring_larger_than_its_area(void **state)
{
	int fd = kit_memfd(AREA_BYTES);
	struct vhu_inflight in = inflight(1);

	(void)state;
	serve_rings_ourselves();
	in.queue_size = 32;
	assert_int_equal(set(in, fd), 0);
	session_ring(&s, 0);
	assert_null(session_vq(&s, 0)->inflight.area);
	assert_false(vring_attached(&session_vq(&s, 0)->ring));
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 0, 16), 0);
	assert_int_equal(start_ring(), 0);
	assert_non_null(session_vq(&s, 0)->inflight.area);
	assert_int_equal(session_vq(&s, 0)->inflight.size, 32);
	close(fd);
}

/* Sized for split rings, then the guest wants packed ones: no room, so no record, but no harm. */
static void areas_of_the_other_format(void **state)
{
	int fd = kit_memfd(AREA_BYTES);

	(void)state;
	s.dev->backend = NULL;
	assert_int_equal(session_u64(&s, VHU_SET_PROTOCOL_FEATURES, SESSION_PROTOCOL_FEATURES), 0);
	assert_int_equal(set(inflight(1), fd), 0);
	s.more_features = BIT(VIRTIO_F_RING_PACKED);
	serve_rings_ourselves();
	session_ring(&s, 0);
	assert_true(vring_attached(&session_vq(&s, 0)->ring));
	assert_null(session_vq(&s, 0)->inflight.area);
	close(fd);
}

/* K4: given and started again and again. */
static void k4_nothing_piles_up(void **state)
{
	int fd = kit_memfd(AREA_BYTES);
	unsigned int open = 0;

	(void)state;
	serve_rings_ourselves();
	session_ring(&s, 0);
	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
		assert_int_equal(set(inflight(1), fd), 0);
		assert_int_equal(start_ring(), 0);
		/* One more that is never given back; the sanitizer counts the lists. */
		assert_int_equal(inflight_split_fetched(&session_vq(&s, 0)->inflight, (uint16_t)i), 0);
		assert_int_equal(session_vq(&s, 0)->resubmit.resubmit_num, i);
		if (i == 0)
			open = kit_open_fds();
		assert_int_equal(kit_open_fds(), open);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(f9_sizes_that_do_not_fit),
		TEST(f7_queues_that_do_not_exist),
		TEST(other_descriptors),
		TEST(a_ring_uses_its_part),
		TEST(the_guest_is_told_at_the_start),
		TEST(s18_more_queues_than_areas),
		TEST(not_for_rings_of_the_library),
		TEST(damaged_areas),
		TEST(a_ring_larger_than_its_area),
		TEST(areas_of_the_other_format),
		TEST(k4_nothing_piles_up),
	};

	return RUN(tests);
}
