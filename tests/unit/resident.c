/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that engines copy to and from: all of it is there and locked from the start, somebody is
 * told of it in time, and what cannot be had costs a warning, not the device. The kernel itself
 * says what is resident (/proc/self/smaps).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session.h"

#define PAGE 4096u
#define FILE_PAGES 16u

/* The sanitizers' runtime makes mlock() do nothing, and say that it did. */
#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static const struct filemap_how resident = { .uffd = -1, .resident = true };

static int setup(void **state)
{
	(void)state;
	kit_capture_log();
	return 0;
}

/* KiB of a field of the mapping at `at`; all of them when it is NULL. UINT64_MAX: no mapping. */
static uint64_t smaps_kib(const void *at, const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	uint64_t start, end, kib, sum = UINT64_MAX;
	bool inside = at == NULL;
	char line[512], name[64];

	assert_non_null(f);
	if (inside)
		sum = 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			inside = at == NULL || start == (uintptr_t)at;
		else if (inside && sscanf(line, "%63[^:]: %" SCNu64 " kB", name, &kib) == 2 &&
			 strcmp(name, field) == 0)
			sum = (at == NULL ? sum : 0) + kib;
	}
	fclose(f);
	return sum;
}

/* May this process lock memory? What it may have stays permitted. */
static void may_lock(bool may)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	struct rlimit limit;
	const uint32_t bit = 1u << CAP_IPC_LOCK;

	assert_int_equal(syscall(SYS_capget, &header, caps), 0);
	caps[0].effective = may ? caps[0].effective | (caps[0].permitted & bit) :
				  caps[0].effective & ~bit;
	assert_int_equal(syscall(SYS_capset, &header, caps), 0);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	limit.rlim_cur = may ? limit.rlim_max : 0;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

static struct region *map(uint64_t offset_bytes, uint64_t size_bytes,
			  const struct filemap_how *how)
{
	struct region_desc d = { .gpa = gpa(0x1000),
				 .uva = uva(0x7000),
				 .size_bytes = size_bytes,
				 .mmap_offset_bytes = offset_bytes };
	struct region *r;

	assert_int_equal(region_map(&d, kit_memfd(FILE_PAGES * PAGE), 0, how, &r), 0);
	return r;
}

static void all_pages_are_there_and_locked(void **state)
{
	static const struct {
		uint64_t offset, size, pages;
	} rows[] = {
		{ 0, FILE_PAGES * PAGE, FILE_PAGES },
		{ PAGE, PAGE, 1 },
		{ 100, 3 * PAGE, 4 },
		{ 2 * PAGE - 1, 2, 2 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		struct region *r = map(rows[i].offset, rows[i].size, &resident);
		const uint64_t kib = rows[i].pages * PAGE / 1024;

		assert_int_equal(smaps_kib(r->map.mmap_addr, "Rss"), kib);
		assert_int_equal(smaps_kib(r->map.mmap_addr, "Locked"), SANITIZED ? 0 : kib);
		assert_int_equal(r->map.fill_error, 0);
		assert_int_equal(r->map.lock_error, 0);
		assert_int_equal(r->map.page_bytes, PAGE);
		region_put(r);
	}
	assert_int_equal(smaps_kib(NULL, "Locked"), 0);
	assert_int_equal(kit_lines, 0);
}

static void other_memory_stays_as_it_is(void **state)
{
	static const struct filemap_how plain = { .uffd = -1 };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct region *r = map(0, FILE_PAGES * PAGE, i == 0 ? NULL : &plain);

		assert_int_equal(smaps_kib(r->map.mmap_addr, "Rss"), 0);
		assert_int_equal(smaps_kib(r->map.mmap_addr, "Locked"), 0);
		region_put(r);
	}
}

/* Some limit that allows a part: nothing stays locked, or the rest of the process would pay. */
static void locking_is_not_permitted(void **state)
{
	struct rlimit limit;
	struct region *r;

	(void)state;
	may_lock(false);
	r = map(0, FILE_PAGES * PAGE, &resident);
	assert_int_equal(r->map.lock_error, SANITIZED ? 0 : -EPERM);
	assert_int_equal(r->map.fill_error, 0);
	assert_int_equal(smaps_kib(r->map.mmap_addr, "Rss"), FILE_PAGES * PAGE / 1024);
	kit_host(r->host)[FILE_PAGES * PAGE - 1] = 1;
	region_put(r);

	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	limit.rlim_cur = 4 * PAGE;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	r = map(0, FILE_PAGES * PAGE, &resident);
	assert_int_equal(r->map.lock_error, SANITIZED ? 0 : -ENOMEM);
	assert_int_equal(r->map.fill_error, 0);
	assert_int_equal(smaps_kib(NULL, "Locked"), 0);
	region_put(r);
	may_lock(true);
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return done;
}

/* May mount from here on; who is not root, in a user namespace. */
static bool own_mounts(void)
{
	char uid[32], gid[32];

	if (geteuid() == 0)
		return unshare(CLONE_NEWNS) == 0 &&
		       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	snprintf(uid, sizeof(uid), "0 %u 1", geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getegid());
	return unshare(CLONE_NEWNS | CLONE_NEWUSER) == 0 && put("/proc/self/setgroups", "deny") &&
	       put("/proc/self/uid_map", uid) && put("/proc/self/gid_map", gid);
}

/* The child of full_file_system(): its exit status is the number of the check that failed. */
static int on_full_tmpfs(const char *dir)
{
	struct region_desc d = { .size_bytes = 64 * PAGE };
	char path[64];
	struct region *r;
	int fd;

	if (!own_mounts() || mount("none", dir, "tmpfs", 0, "size=64k") < 0)
		return 1;
	snprintf(path, sizeof(path), "%s/memory", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 64 * PAGE) < 0)
		return 2;
	if (region_map(&d, fd, 0, &resident, &r) != 0)
		return 3;
	if (r->map.fill_error != -EFAULT && r->map.fill_error != -ENOMEM)
		return 4;
	if (smaps_kib(NULL, "Locked") != 0)
		return 5;
	/* Nobody touched what is not there. */
	if (filemap_is_cut(&r->map))
		return 6;
	region_put(r);
	return 0;
}

/* Touching the pages would be a SIGBUS, which replaces the whole mapping. */
static void full_file_system(void **state)
{
	char dir[] = "/tmp/vhost-unit-XXXXXX";
	int status;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(dir));
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(on_full_tmpfs(dir));
	assert_int_equal(waitpid(child, &status, 0), child);
	rmdir(dir);
	assert_int_equal(status, 0);
}

/* --- who is told ------------------------------------------------------- */

static unsigned int nr_mapped, nr_unmapping;
static const struct region *told;

static void on_mapped(const struct region *r)
{
	nr_mapped++;
	told = r;
	/* All that is asked for is there already. */
	assert_int_equal(smaps_kib(r->map.mmap_addr, "Rss"), r->map.mmap_size_bytes / 1024);
}

static void on_unmapping(const struct region *r)
{
	nr_unmapping++;
	told = r;
	assert_int_equal(smaps_kib(r->map.mmap_addr, "Rss"), r->map.mmap_size_bytes / 1024);
}

static int hooked(void **state)
{
	static const struct region_hooks hooks = { on_mapped, on_unmapping };

	nr_mapped = nr_unmapping = 0;
	region_set_hooks(&hooks);
	return setup(state);
}

static int unhooked(void **state)
{
	(void)state;
	region_set_hooks(NULL);
	return 0;
}

static void told_once_before_it_goes(void **state)
{
	struct region *plain = map(0, PAGE, NULL), *r;

	(void)state;
	assert_int_equal(nr_mapped, 0);
	r = map(100, 3 * PAGE, &resident);
	assert_int_equal(nr_mapped, 1);
	assert_ptr_equal(told, r);
	told = NULL;
	(void)region_get(r);
	region_put(r);
	assert_int_equal(nr_unmapping, 0);
	region_put(r);
	assert_int_equal(nr_unmapping, 1);
	region_put(plain);
	assert_int_equal(nr_mapped, 1);
	assert_int_equal(nr_unmapping, 1);
}

static void not_told_of_what_cannot_be_mapped(void **state)
{
	struct region_desc d = { .size_bytes = PAGE + 1 };
	int fd = kit_memfd(PAGE);
	struct region *r;

	(void)state;
	assert_int_equal(region_map(&d, fd, 0, &resident, &r), -ENXIO);
	close(fd);
	assert_int_equal(nr_mapped + nr_unmapping, 0);
}

/* --- a device's memory ------------------------------------------------- */

static struct session s;

static void open_async(uint64_t flags)
{
	session_init(&s);
	s.config.flags |= flags;
	session_open(&s);
	session_negotiate(&s);
}

/* Tables are exchanged, regions come and go: each is told of when it comes and when it goes. */
static void of_each_region_of_a_device(void **state)
{
	struct vhu_region region = { .gpa = 1ull << 40, .uva = 1ull << 41, .size_bytes = PAGE };
	unsigned int n;
	int fd = kit_memfd(PAGE);

	(void)state;
	open_async(RTE_VHOST_USER_ASYNC_COPY);
	session_memory(&s);
	n = s.mem.nregions;
	assert_int_equal(nr_mapped, n);
	assert_int_equal(session_mem_table(&s, &s.mem), 0);
	assert_int_equal(nr_mapped, 2 * n);
	assert_int_equal(nr_unmapping, n);
	assert_int_equal(session_mem_reg(&s, VHU_ADD_MEM_REG, &region, fd), 0);
	assert_int_equal(nr_mapped, 2 * n + 1);
	/* The others are in both tables, and are the same. */
	assert_int_equal(session_mem_reg(&s, VHU_REM_MEM_REG, &region, -1), 0);
	assert_int_equal(nr_mapped, 2 * n + 1);
	assert_int_equal(nr_unmapping, n + 1);
	/* A table that is refused half way. */
	region.gpa = s.mem.regions[0].gpa;
	assert_int_not_equal(session_mem_reg(&s, VHU_ADD_MEM_REG, &region, fd), 0);
	assert_int_equal(nr_mapped, 2 * n + 2);
	assert_int_equal(nr_unmapping, n + 2);
	session_close(&s);
	assert_int_equal(nr_unmapping, nr_mapped);
	close(fd);
}

static void of_none_without_the_flag(void **state)
{
	(void)state;
	open_async(0);
	session_memory(&s);
	assert_int_equal(nr_mapped, 0);
	assert_int_equal(smaps_kib(NULL, "Locked"), 0);
	session_close(&s);
	assert_int_equal(nr_unmapping, 0);
}

static bool warned_of_locking(void)
{
	return strstr(kit_last_line, "could not be locked") != NULL &&
	       strstr(kit_last_line, "ulimit -l") != NULL &&
	       strstr(kit_last_line, "CAP_IPC_LOCK") != NULL;
}

static void one_warning_a_connection(void **state)
{
	(void)state;
	may_lock(false);
	for (unsigned int connection = 0; connection < 2; connection++) {
		open_async(RTE_VHOST_USER_ASYNC_COPY);
		kit_capture_log();
		session_memory(&s);
		assert_int_equal(kit_lines, SANITIZED ? 0 : 1);
		assert_true(SANITIZED || warned_of_locking());
		assert_non_null(s.dev->mem);
		assert_int_equal(session_mem_table(&s, &s.mem), 0);
		assert_int_equal(kit_lines, SANITIZED ? 0 : 1);
		session_close(&s);
	}
	may_lock(true);
	open_async(RTE_VHOST_USER_ASYNC_COPY);
	kit_capture_log();
	session_memory(&s);
	assert_int_equal(kit_lines, 0);
	session_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_pages_are_there_and_locked, setup),
		cmocka_unit_test_setup(other_memory_stays_as_it_is, setup),
		cmocka_unit_test_setup(locking_is_not_permitted, setup),
		cmocka_unit_test_setup(full_file_system, setup),
		cmocka_unit_test_setup_teardown(told_once_before_it_goes, hooked, unhooked),
		cmocka_unit_test_setup_teardown(not_told_of_what_cannot_be_mapped, hooked,
						unhooked),
		cmocka_unit_test_setup_teardown(of_each_region_of_a_device, hooked, unhooked),
		cmocka_unit_test_setup_teardown(of_none_without_the_flag, hooked, unhooked),
		cmocka_unit_test_setup(one_warning_a_connection, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
