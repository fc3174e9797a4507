/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory/region.c: what a frontend may say about a piece of memory, and what is refused. Every
 * refusal must leave the descriptor with the caller and nothing mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit.h"

#define PAGE 4096u
#define FILE_BYTES (16u * PAGE)

static int setup(void **state)
{
	(void)state;
	kit_capture_log();
	return 0;
}

/* Lines of /proc/self/maps that mention our memfd. */
static unsigned int mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned int count = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		count += strstr(line, "memfd:unit") != NULL;
	fclose(f);
	return count;
}

static void maps_at_the_offset(void **state)
{
	/* Page aligned, and not: both must land on the same byte of the file. */
	static const uint64_t offsets[] = { 0, PAGE, 3 * PAGE, 1, 100, PAGE - 1, 3 * PAGE + 17 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(offsets); i++) {
		struct region_desc d = { .gpa = gpa(0x1000),
					 .uva = uva(0x7000),
					 .size_bytes = 5000,
					 .mmap_offset_bytes = offsets[i] };
		struct region *r;
		char got[2];
		int fd = kit_memfd(FILE_BYTES);

		assert_int_equal(region_map(&d, fd, 0, NULL, &r), 0);
		assert_int_equal(r->map.mmap_size_bytes % PAGE, 0);
		assert_true((uintptr_t)kit_host(r->host) >= (uintptr_t)r->map.mmap_addr);
		assert_true((uintptr_t)kit_host(r->host) + 5000 <=
			    (uintptr_t)r->map.mmap_addr + r->map.mmap_size_bytes);
		kit_host(r->host)[0] = 'a';
		kit_host(r->host)[4999] = 'z';
		assert_int_equal(pread(fd, &got[0], 1, (off_t)offsets[i]), 1);
		assert_int_equal(pread(fd, &got[1], 1, (off_t)offsets[i] + 4999), 1);
		assert_int_equal(got[0], 'a');
		assert_int_equal(got[1], 'z');
		region_put(r);
	}
}

static void owns_descriptor_and_mapping_until_the_last_put(void **state)
{
	struct region_desc d = { .gpa = gpa(0), .uva = uva(0), .size_bytes = PAGE };
	unsigned int fds = kit_open_fds(), maps = mappings();
	struct region *r;

	(void)state;
	assert_int_equal(region_map(&d, kit_memfd(FILE_BYTES), 0, NULL, &r), 0);
	assert_int_equal(mappings(), maps + 1);
	assert_ptr_equal(region_get(r), r);
	region_put(r);
	assert_int_equal(kit_open_fds(), fds + 1);
	kit_host(r->host)[0] = 1; /* still mapped */
	region_put(r);
	assert_int_equal(kit_open_fds(), fds);
	assert_int_equal(mappings(), maps);
}

static void whole_file_to_the_byte(void **state)
{
	struct region_desc d = { .gpa = gpa(0), .uva = uva(0), .size_bytes = FILE_BYTES };
	struct region *r;

	(void)state;
	assert_int_equal(region_map(&d, kit_memfd(FILE_BYTES), 0, NULL, &r), 0);
	kit_host(r->host)[FILE_BYTES - 1] = 1;
	region_put(r);
	/* A file that is no multiple of pages still ends where it ends. */
	d.size_bytes = 100;
	d.mmap_offset_bytes = PAGE;
	assert_int_equal(region_map(&d, kit_memfd(PAGE + 100), 0, NULL, &r), 0);
	kit_host(r->host)[99] = 1;
	region_put(r);
}

static void senseless_numbers(void **state)
{
	static const struct {
		const char *what;
		uint64_t gpa, uva, size, offset;
		int error;
	} rows[] = {
		{ "size 0", 0, 0, 0, 0, -EINVAL },
		{ "size 0 in the middle", PAGE, PAGE, 0, PAGE, -EINVAL },
		{ "guest address wraps", UINT64_MAX, 0, 2, 0, -EINVAL },
		{ "guest range ends at 2^64", UINT64_MAX - PAGE + 1, 0, PAGE, 0, -EINVAL },
		{ "frontend address wraps", 0, UINT64_MAX - 10, PAGE, 0, -EINVAL },
		{ "frontend range ends at 2^64", 0, UINT64_MAX - PAGE + 1, PAGE, 0, -EINVAL },
		{ "offset wraps", 0, 0, PAGE, UINT64_MAX - 10, -EINVAL },
		{ "offset and size wrap to 0", 0, 0, PAGE, UINT64_MAX - PAGE + 1, -EINVAL },
		{ "size wraps alone", 1, 1, UINT64_MAX, 1, -EINVAL },
		{ "one byte too many", 0, 0, FILE_BYTES + 1, 0, -ENXIO },
		{ "one byte too late", 0, 0, FILE_BYTES, 1, -ENXIO },
		{ "offset at the end", 0, 0, 1, FILE_BYTES, -ENXIO },
		{ "offset far beyond", 0, 0, PAGE, UINT64_C(1) << 62, -ENXIO },
		{ "offset negative as off_t", 0, 0, PAGE, UINT64_C(1) << 63, -ENXIO },
		{ "size rounds up to 0", 0, 0, UINT64_MAX, 0, -ENXIO },
		{ "larger than anything", 0, 0, UINT64_C(1) << 60, 0, -ENXIO },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		struct region_desc d = { .gpa = gpa(rows[i].gpa),
					 .uva = uva(rows[i].uva),
					 .size_bytes = rows[i].size,
					 .mmap_offset_bytes = rows[i].offset };
		struct region *r = NULL;
		int fd = kit_memfd(FILE_BYTES);
		unsigned int maps = mappings();
		int ret = region_map(&d, fd, i, NULL, &r);

		if (ret != rows[i].error)
			print_error("%s: %d\n", rows[i].what, ret);
		assert_int_equal(ret, rows[i].error);
		assert_null(r);
		assert_int_equal(mappings(), maps);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC); /* still ours */
		close(fd);
	}
	/* Each said something. */
	assert_int_equal(kit_lines, ARRAY_LEN(rows));
}

static void files_that_are_no_memory(void **state)
{
	struct region_desc d = { .gpa = gpa(0), .uva = uva(0), .size_bytes = PAGE };
	const int closed = 100000; /* beyond any limit here */
	int pipe_fds[2];
	struct {
		int fd, error;
	} rows[6];

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	rows[0].fd = pipe_fds[0];
	rows[1].fd = pipe_fds[1];
	rows[2].fd = eventfd(0, 0);
	rows[3].fd = open("/dev/zero", O_RDWR); /* would map anonymous memory */
	rows[4].fd = open("/", O_RDONLY | O_DIRECTORY);
	rows[5].fd = closed;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		struct region *r = NULL;

		rows[i].error = rows[i].fd == closed ? -EBADF : -ENOTSUP;
		assert_int_equal(region_map(&d, rows[i].fd, i, NULL, &r), rows[i].error);
		assert_null(r);
		if (rows[i].fd != closed)
			assert_int_equal(close(rows[i].fd), 0);
	}
}

/* A file we may not write to cannot hold a ring. */
static void read_only_descriptor(void **state)
{
	struct region_desc d = { .gpa = gpa(0), .uva = uva(0), .size_bytes = PAGE };
	struct region *r = NULL;
	int fd = kit_memfd(PAGE), ro;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY);
	assert_true(ro >= 0);
	assert_int_equal(region_map(&d, ro, 0, NULL, &r), -EACCES);
	assert_null(r);
	close(ro);
	close(fd);
}

/*
 * hugetlbfs maps whole huge pages only. Without any reserved the mapping fails, but with ENOMEM
 * (no pages), not EINVAL (not a multiple of one).
 */
static void huge_pages_are_mapped_whole(void **state)
{
	const uint64_t huge = UINT64_C(2) << 20;
	struct region_desc d = {
		.gpa = gpa(0), .uva = uva(0), .size_bytes = PAGE, .mmap_offset_bytes = huge + PAGE
	};
	struct region *r = NULL;
	int fd = memfd_create("unit", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	int ret;

	(void)state;
	if (fd < 0) {
		print_message("# no hugetlbfs in this kernel\n");
		skip();
	}
	assert_int_equal(ftruncate(fd, (off_t)(2 * huge)), 0);
	ret = region_map(&d, fd, 0, NULL, &r);
	if (ret == -ENOMEM) {
		assert_null(r);
		close(fd);
		return;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(r->map.mmap_size_bytes, huge);
	assert_int_equal((uintptr_t)kit_host(r->host) - (uintptr_t)r->map.mmap_addr, PAGE);
	region_put(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(maps_at_the_offset, setup),
		cmocka_unit_test_setup(owns_descriptor_and_mapping_until_the_last_put, setup),
		cmocka_unit_test_setup(whole_file_to_the_byte, setup),
		cmocka_unit_test_setup(senseless_numbers, setup),
		cmocka_unit_test_setup(files_that_are_no_memory, setup),
		cmocka_unit_test_setup(read_only_descriptor, setup),
		cmocka_unit_test_setup(huge_pages_are_mapped_whole, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
