/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SET_LOG_BASE: where pages are marked that we write, from the answer on. It starts logging
 * together with SET_FEATURES (what descriptors point at) and SET_VRING_ADDR (the used ring).
 */
#include "dirty_log.h"

#define WITHOUT (SESSION_FEATURES & ~BIT(VHOST_F_LOG_ALL))

/* Answered whether asked to or not; the mapping is kept, and the descriptor for vDPA devices. */
static void mapped_and_answered(void **state)
{
	unsigned int fds;
	int fd = kit_memfd(2 * LOG_PAGE);

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	fds = kit_open_fds();
	assert_int_equal(log_base(fd, LOG_BYTES, 100), 0);
	assert_int_equal(s.reply.hdr.request, VHU_SET_LOG_BASE);
	assert_int_equal(s.reply.hdr.size_bytes, sizeof(uint64_t));
	assert_int_equal(s.reply.payload.u64, 0);
	assert_int_equal(kit_open_fds(), fds + 1);
	assert_int_equal(s.dev->log->size_bytes, LOG_BYTES);
	assert_string_equal(session_events(&s), "");
	/* Those of the last log. */
	assert_int_equal(log_base(fd, LOG_BYTES, 100), 0);
	assert_int_equal(kit_open_fds(), fds + 1);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, WITHOUT), 0);
	assert_int_equal(kit_open_fds(), fds);
	close(fd);
}

/* Each order of the three messages ends in the same. */
static void any_order(void **state)
{
	static const char *const orders[] = { "bfa", "baf", "fba", "fab", "abf", "afb" };
	int fd = kit_memfd(LOG_PAGE);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(orders); i++) {
		const struct ring *vr;

		session_setup(&s, 2);
		assert_int_equal(session_u64(&s, VHU_SET_FEATURES, WITHOUT), 0);
		vr = &session_vq(&s, 0)->ring;
		assert_null(vr->log);
		for (const char *what = orders[i]; *what != '\0'; what++) {
			if (*what == 'b')
				assert_int_equal(log_base(fd, LOG_BYTES, 0), 0);
			else if (*what == 'f')
				assert_int_equal(session_u64(&s, VHU_SET_FEATURES,
							     SESSION_FEATURES), 0);
			else
				assert_int_equal(log_ring(0, VHU_VRING_ADDR_F_LOG, 0x3000), 0);
		}
		assert_ptr_equal(vr->log, s.dev->log);
		assert_true(vr->log_all);
		assert_true(vr->log_used);
		assert_int_equal(vr->log_used_addr.v, 0x3000);
		/* The other one did not ask for its used ring. */
		assert_true(session_vq(&s, 1)->ring.log_all);
		assert_false(session_vq(&s, 1)->ring.log_used);
		/* The end of the migration ends it all. */
		assert_int_equal(session_u64(&s, VHU_SET_FEATURES, WITHOUT), 0);
		assert_null(s.dev->log);
		assert_null(vr->log);
		assert_false(vr->log_all || vr->log_used);
		session_close(&s);
		session_open(&s);
	}
	close(fd);
}

/* The used ring is logged for its flag alone, the rest for the feature alone. */
static void each_by_itself(void **state)
{
	int fd = kit_memfd(LOG_PAGE);
	const struct ring *vr;

	(void)state;
	session_setup(&s, 2);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, WITHOUT), 0);
	vr = &session_vq(&s, 0)->ring;
	assert_int_equal(log_base(fd, LOG_BYTES, 0), 0);
	assert_null(vr->log);
	assert_int_equal(log_ring(0, VHU_VRING_ADDR_F_LOG, 0), 0);
	assert_true(vr->log != NULL && vr->log_used && !vr->log_all);
	assert_int_equal(log_ring(0, 0, 0), 0);
	assert_null(vr->log);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, SESSION_FEATURES), 0);
	assert_true(vr->log != NULL && !vr->log_used && vr->log_all);
	close(fd);
}

/* Nobody touches the old log once the new one is answered. */
static void a_new_log_replaces_the_old_one(void **state)
{
	int fd = kit_memfd(LOG_PAGE), other = kit_memfd(LOG_PAGE);
	uint8_t byte;

	(void)state;
	session_setup(&s, 2);
	assert_int_equal(log_base(fd, LOG_BYTES, 0), 0);
	assert_int_equal(log_base(other, LOG_PAGE, 0), 0);
	assert_ptr_equal(session_vq(&s, 0)->ring.log, s.dev->log);
	assert_int_equal(s.dev->log->size_bytes, LOG_PAGE);
	dirty_log_mark(session_vq(&s, 0)->ring.log, gpa(0), 1);
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(pread(other, &byte, 1, 0), 1);
	assert_int_equal(byte, 1);
	close(fd);
	close(other);
}

/* Refused, and the one that was there stays. */
static void a_bad_log_changes_nothing(void **state)
{
	static const struct {
		uint64_t size, offset;
	} bad[] = {
		{ 0, 0 },
		{ LOG_PAGE + 1, 0 },
		{ LOG_PAGE, 1 },
		{ LOG_BYTES, UINT64_MAX - 1 },
		{ LOG_BYTES, UINT64_MAX - LOG_BYTES + 1 },
		{ UINT64_MAX, 0 },
		{ LOG_BYTES - 1, 0 }, /* for less memory than there is */
		{ 1, 0 },
	};
	int fd = kit_memfd(LOG_PAGE), event = eventfd(0, EFD_CLOEXEC);
	const struct dirty_log *before;

	(void)state;
	session_setup(&s, 2);
	assert_int_equal(log_base(fd, LOG_BYTES, 0), 0);
	before = s.dev->log;
	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(log_base(fd, bad[i].size, bad[i].offset) < 0);
		assert_ptr_equal(s.dev->log, before);
	}
	assert_true(log_base(event, LOG_BYTES, 0) < 0);
	assert_ptr_equal(session_vq(&s, 0)->ring.log, before);
	/* A line that says what to change. */
	assert_true(log_base(fd, LOG_BYTES - 1, 0) < 0);
	assert_non_null(strstr(kit_last_line, "at least 0x40"));
	close(event);
	close(fd);
}

/* Memory that the log has no bits for would change unseen: the log grows first. */
static void memory_grows_after_the_log(void **state)
{
	int fd = kit_memfd(LOG_PAGE);
	struct guest_memory more = { 0 };
	const struct guest_region_spec specs[] = {
		{ .gpa = 0, .size_bytes = 1 << 20 },
		{ .gpa = 1 << 20, .size_bytes = 1 << 20, .mmap_offset_bytes = 4096 },
		{ .gpa = 8 << 20, .size_bytes = 1 << 20 },
	};

	(void)state;
	session_setup(&s, 2);
	assert_int_equal(guest_memory_create(&more, specs, ARRAY_LEN(specs)), 0);
	assert_int_equal(log_base(fd, LOG_BYTES, 0), 0);
	assert_true(session_mem_table(&s, &more) < 0);
	assert_int_equal(s.dev->mem->nr_regions, 2);
	assert_int_equal(log_base(fd, (9 << 20) / LOG_PAGE / 8, 0), 0);
	assert_int_equal(session_mem_table(&s, &more), 0);
	assert_int_equal(s.dev->mem->nr_regions, 3);
	guest_memory_destroy(&more);
	close(fd);
}

/* "The bit offset of the last byte of the ring must fall within the size": either way round. */
static void used_ring_outside_the_log(void **state)
{
	const uint64_t covered = LOG_BYTES * 8 * LOG_PAGE;
	const uint64_t used_bytes = 4 + 8 * SESSION_RING_ENTRIES + 2;
	int fd = kit_memfd(LOG_PAGE);

	(void)state;
	session_setup(&s, 2);
	assert_int_equal(log_base(fd, LOG_BYTES, 0), 0);
	assert_true(log_ring(0, VHU_VRING_ADDR_F_LOG, covered) < 0);
	assert_true(log_ring(0, VHU_VRING_ADDR_F_LOG, covered - used_bytes + 1) < 0);
	assert_true(log_ring(0, VHU_VRING_ADDR_F_LOG, UINT64_MAX) < 0);
	assert_true(log_ring(0, VHU_VRING_ADDR_F_LOG, UINT64_MAX - used_bytes + 2) < 0);
	assert_false(session_vq(&s, 0)->ring.log_used);
	assert_int_equal(log_ring(0, VHU_VRING_ADDR_F_LOG, covered - used_bytes), 0);
	assert_true(session_vq(&s, 0)->ring.log_used);
	/* Without the flag the address means nothing. */
	assert_int_equal(log_ring(1, 0, UINT64_MAX), 0);
	/* It need not be in memory, but in the log. */
	assert_int_equal(log_base(fd, 2 * LOG_BYTES, 0), 0);
	assert_int_equal(log_ring(0, VHU_VRING_ADDR_F_LOG, 2 * covered - used_bytes), 0);
	assert_true(log_base(fd, LOG_BYTES, 0) < 0);
	close(fd);
}

static void gone_with_the_connection(void **state)
{
	int fd = kit_memfd(LOG_PAGE);

	(void)state;
	session_setup(&s, 2);
	assert_int_equal(log_base(fd, LOG_BYTES, 0), 0);
	session_close(&s);
	session_open(&s);
	assert_null(s.dev->log);
	session_setup(&s, 2);
	assert_null(session_vq(&s, 0)->ring.log);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mapped_and_answered),
		TEST(any_order),
		TEST(each_by_itself),
		TEST(a_new_log_replaces_the_old_one),
		TEST(a_bad_log_changes_nothing),
		TEST(memory_grows_after_the_log),
		TEST(used_ring_outside_the_log),
		TEST(gone_with_the_connection),
	};

	return RUN(tests);
}
