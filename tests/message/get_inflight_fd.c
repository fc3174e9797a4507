/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET_INFLIGHT_FD: fresh memory for the in-flight areas, for the frontend to keep.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "meaning.h"

static int get(uint16_t nr_queues, uint16_t queue_size)
{
	struct vhu_inflight inflight = { .mmap_size_bytes = 77,
					 .mmap_offset_bytes = 77,
					 .nr_queues = nr_queues,
					 .queue_size = queue_size };

	return session_send(&s, VHU_GET_INFLIGHT_FD, &inflight, sizeof(inflight), NULL, 0);
}

/* As the stock library counts it, so that one may take over from the other. */
static void check_size(uint64_t header_bytes, uint64_t entry_bytes)
{
	static const uint16_t sizes[] = { 1, 2, 8, 63, 128, 1024, 32768 };

	for (unsigned int i = 0; i < ARRAY_LEN(sizes); i++) {
		for (uint16_t queues = 1; queues <= 256; queues = (uint16_t)(queues * 4)) {
			uint64_t bytes = (header_bytes + sizes[i] * entry_bytes + 63) / 64 * 64;
			struct stat st;

			assert_int_equal(get(queues, sizes[i]), 0);
			assert_int_equal(s.reply.hdr.size_bytes, sizeof(struct vhu_inflight));
			assert_int_equal(s.reply.payload.inflight.mmap_size_bytes, queues * bytes);
			assert_int_equal(s.reply.payload.inflight.mmap_offset_bytes, 0);
			assert_int_equal(s.reply.payload.inflight.nr_queues, queues);
			assert_int_equal(s.reply.payload.inflight.queue_size, sizes[i]);
			assert_int_equal(fstat(s.reply_fd, &st), 0);
			assert_int_equal(st.st_size, queues * bytes);
		}
	}
}

static void sizes_of_split_areas(void **state)
{
	(void)state;
	session_negotiate(&s);
	check_size(16, 16);
}

static void sizes_of_packed_areas(void **state)
{
	(void)state;
	s.more_features = BIT(VIRTIO_F_RING_PACKED);
	session_negotiate(&s);
	check_size(32, 32);
}

static void fresh_and_not_to_be_cut(void **state)
{
	uint8_t bytes[192];

	(void)state;
	session_negotiate(&s);
	assert_int_equal(get(1, 8), 0);
	assert_int_equal(pread(s.reply_fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
	assert_int_equal(pwrite(s.reply_fd, "x", 1, 0), 1);
	assert_int_equal(ftruncate(s.reply_fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_true((fcntl(s.reply_fd, F_GETFD) & FD_CLOEXEC) != 0);
	/* Another one each time. */
	assert_int_equal(get(1, 8), 0);
	assert_int_equal(pread(s.reply_fd, bytes, 1, 0), 1);
	assert_int_equal(bytes[0], 0);
	/* Nothing is used before it is given back. */
	assert_null(s.dev->inflight.areas);
}

static void impossible_numbers(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_true(get(0, 64) < 0);
	assert_true(get(257, 64) < 0);
	assert_true(get(65535, 64) < 0);
	assert_true(get(1, 0) < 0);
	assert_true(get(1, 32769) < 0);
	assert_true(get(1, 65535) < 0);
	assert_int_equal(s.reply_fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sizes_of_split_areas),
		TEST(sizes_of_packed_areas),
		TEST(fresh_and_not_to_be_cut),
		TEST(impossible_numbers),
	};

	return RUN(tests);
}
