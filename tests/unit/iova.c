/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * async/iova.c. Without arguments, EAL is not started and bus addresses are physical ones, which
 * rte_mem_virt2phy() knows, too; with "va" EAL runs without huge pages, and pointers are bus
 * addresses; with "pa" it runs on huge pages, with physical addresses.
 *
 * Of VFIO nothing is here: what it is told, in which order, is recorded in its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/memfd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_vfio.h>

#include "async/iova.h"
#include "base/log.h"
#include "tap.h"

#define PAGE 4096u

static char said[512];
static unsigned int lines;

static __attribute__((format(printf, 2, 0))) void sink(enum log_level level, const char *fmt,
							va_list ap)
{
	(void)level;
	vsnprintf(said, sizeof(said), fmt, ap);
	lines++;
}

/* --- what VFIO is told --------------------------------------------------- */

struct call {
	bool map;
	uint64_t at, bus, bytes;
	bool is_mapped; /* in this process, at that moment */
};

static struct {
	bool enabled;
	int error;          /* of all maps from `good` on */
	unsigned int good;
	unsigned int nr_calls;
	struct call calls[65536];
} vfio;

int rte_vfio_is_enabled(const char *module)
{
	return vfio.enabled && strcmp(module, "vfio") == 0;
}

static void record(bool map, uint64_t at, uint64_t bus, uint64_t bytes)
{
	unsigned char core;

	vfio.calls[vfio.nr_calls++] = (struct call){
		.map = map, .at = at, .bus = bus, .bytes = bytes,
		.is_mapped = mincore((void *)(uintptr_t)at, 1, &core) == 0,
	};
}

int rte_vfio_container_dma_map(int container, uint64_t at, uint64_t bus, uint64_t bytes)
{
	CHECK_EQ(container, RTE_VFIO_DEFAULT_CONTAINER_FD);
	record(true, at, bus, bytes);
	if (vfio.error == 0 || vfio.nr_calls <= vfio.good)
		return 0;
	rte_errno = vfio.error;
	return -1;
}

int rte_vfio_container_dma_unmap(int container, uint64_t at, uint64_t bus, uint64_t bytes)
{
	CHECK_EQ(container, RTE_VFIO_DEFAULT_CONTAINER_FD);
	record(false, at, bus, bytes);
	return 0;
}

/* --- regions ------------------------------------------------------------- */

static const struct filemap_how resident = { .uffd = -1, .resident = true };

static struct region *map_fd(int fd, uint64_t offset, uint64_t bytes, const struct filemap_how *how)
{
	struct region_desc d = { .gpa = gpa(0x1000), .uva = uva(0x7000), .size_bytes = bytes,
				 .mmap_offset_bytes = offset };
	struct region *r;

	CHECK(fd >= 0);
	CHECK_EQ(region_map(&d, fd, 0, how, &r), 0);
	return r;
}

static int memfd(uint64_t bytes)
{
	int fd = memfd_create("unit", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static struct region *map(uint64_t offset, uint64_t bytes)
{
	return map_fd(memfd(offset + bytes), offset, bytes, &resident);
}

static uint8_t *host(const struct region *r)
{
	return GUEST_FORCE(uint8_t *, r->host);
}

static void setup(void)
{
	static const struct region_hooks hooks = { iova_region_mapped, iova_region_unmapping };

	region_set_hooks(&hooks);
	log_set_sink(sink);
	memset(&vfio, 0, sizeof(vfio));
	lines = 0;
}

/* --- physical addresses -------------------------------------------------- */

static void needs_root(void)
{
	if (geteuid() != 0)
		tap_skip("needs root to see physical addresses");
}

/* The answer has to be right for each of its pages, and to end only where it has to. */
static unsigned int check_run(const uint8_t *at, uint32_t len, const uint8_t *end)
{
	uint32_t run = 0;
	uint64_t bus = iova_run(at, len, &run);
	unsigned int pages = 1;

	CHECK_EQ(bus, rte_mem_virt2phy(at));
	CHECK(bus != IOVA_UNKNOWN);
	CHECK(run > 0 && run <= len);
	for (const uint8_t *p = at + PAGE - (uintptr_t)at % PAGE; p < at + run; p += PAGE, pages++)
		CHECK_EQ(rte_mem_virt2phy(p), bus + (uint64_t)(p - at));
	if (run < len && at + run < end)
		CHECK(rte_mem_virt2phy(at + run) != bus + run);
	return pages;
}

static void each_byte_of_an_unaligned_region(void)
{
	static const uint64_t offsets[] = { 0, PAGE, 100, PAGE - 1, 3 * PAGE + 17 };

	needs_root();
	for (unsigned int i = 0; i < RTE_DIM(offsets); i++) {
		const uint32_t bytes = 5 * PAGE + 50;
		struct region *r = map(offsets[i], bytes);
		uint32_t run;

		CHECK(!iova_is_va());
		for (uint32_t off = 0; off < bytes; off += 7)
			CHECK_EQ(iova_run(host(r) + off, 1, &run), rte_mem_virt2phy(host(r) + off));
		CHECK_EQ(iova_run(host(r) + bytes - 1, 1, &run),
			 rte_mem_virt2phy(host(r) + bytes - 1));
		CHECK_EQ(run, 1);
		region_put(r);
	}
}

static int by_bus(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A mapping of a file's pages in the order that they have in memory: so some are neighbours. */
static void runs_are_as_long_as_they_can_be(void)
{
	enum { PAGES = 16384 };
	const uint32_t bytes = PAGES * PAGE;
	struct region r = { 0 };
	static uint64_t bus[PAGES][2];
	unsigned int seed = 1, longest = 0;
	uint8_t *any, *sorted;
	int fd;

	needs_root();
	fd = memfd(bytes);
	any = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	sorted = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(any != MAP_FAILED && sorted != MAP_FAILED);
	for (unsigned int i = 0; i < PAGES; i++) {
		bus[i][0] = rte_mem_virt2phy(any + i * PAGE);
		bus[i][1] = i;
	}
	qsort(bus, PAGES, sizeof(bus[0]), by_bus);
	for (unsigned int i = 0; i < PAGES; i++)
		CHECK(mmap(sorted + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
			   (off_t)(bus[i][1] * PAGE)) == sorted + i * PAGE);
	r.map = (struct filemap){ .mmap_addr = sorted,
				  .mmap_size_bytes = bytes,
				  .page_bytes = PAGE };
	iova_region_mapped(&r);
	for (unsigned int i = 0; i < 2000; i++) {
		uint32_t len = 1 + (uint32_t)rand_r(&seed) % 70000;
		uint32_t off = (uint32_t)rand_r(&seed) % (bytes - len);
		unsigned int pages = check_run(sorted + off, len, sorted + bytes);

		longest = RTE_MAX(longest, pages);
	}
	CHECK(longest > 1);
	iova_region_unmapping(&r);
	munmap(any, bytes);
	munmap(sorted, bytes);
	close(fd);
}

/* What was not to be had when it was mapped is unknown, page by page; the rest is not. */
static void missing_pages(void)
{
	static const struct filemap_how plain = { .uffd = -1 };
	struct region *r;
	uint32_t run;

	needs_root();
	r = map_fd(memfd(8 * PAGE), 0, 8 * PAGE, &plain);
	*(volatile uint8_t *)(host(r) + 2 * PAGE) = 1;
	iova_region_mapped(r);
	CHECK_EQ(lines, 1);
	CHECK(strstr(said, "7 of 8 pages") != NULL);
	CHECK_EQ(iova_run(host(r) + 100, 4 * PAGE, &run), IOVA_UNKNOWN);
	CHECK_EQ(run, PAGE - 100);
	CHECK_EQ(iova_run(host(r) + 2 * PAGE + 5, 4 * PAGE, &run),
		 rte_mem_virt2phy(host(r) + 2 * PAGE + 5));
	CHECK_EQ(run, PAGE - 5);
	CHECK_EQ(iova_run(host(r) + 7 * PAGE, 10, &run), IOVA_UNKNOWN);
	CHECK_EQ(run, 10);
	iova_region_unmapping(r);
	region_put(r);
}

/* Without CAP_SYS_ADMIN the kernel says that all of them are at 0. */
static void kernel_that_does_not_tell(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct before[2], caps[2];
	struct region *r;
	uint32_t run;

	needs_root();
	CHECK_EQ(syscall(SYS_capget, &header, before), 0);
	memcpy(caps, before, sizeof(caps));
	caps[0].effective &= ~(1u << CAP_SYS_ADMIN);
	CHECK_EQ(syscall(SYS_capset, &header, caps), 0);
	r = map(0, 4 * PAGE);
	CHECK_EQ(syscall(SYS_capset, &header, before), 0);
	CHECK_EQ(lines, 1);
	CHECK(strstr(said, "4 of 4 pages") != NULL && strstr(said, "CAP_SYS_ADMIN") != NULL);
	CHECK_EQ(iova_run(host(r), 1, &run), IOVA_UNKNOWN);
	region_put(r);
}

static void memory_of_nobody(void)
{
	static uint8_t own[5 * PAGE] = { 1 };
	uint32_t run;

	needs_root();
	memset(own, 1, sizeof(own));
	CHECK(mlock(own, sizeof(own)) == 0);
	for (unsigned int off = 0; off < PAGE; off += 100)
		check_run(own + off, 4 * PAGE, own + sizeof(own));
	CHECK_EQ(iova_run((void *)(uintptr_t)16, 4, &run), IOVA_UNKNOWN);
	CHECK_EQ(run, 4);
}

/*
 * Whoever looks for a region that stays must not notice others that come and go. A signal comes
 * in at any instruction, and its handler does what another thread would do: it looks while the
 * table is being changed (a lock would be the end here), or changes it while somebody looks.
 * Regions of a page each, of which there is nothing but the mapping; every other one stays.
 */
#define REGIONS 400
#define SIGNALS 5000

static struct {
	struct region regions[REGIONS];
	bool there[REGIONS];
	uint64_t expected[REGIONS];
	unsigned int seed;
	unsigned int signals, wrong;
} crowd;

static void look_for_all(void)
{
	uint32_t run;

	for (unsigned int i = 1; i < REGIONS; i += 2)
		crowd.wrong += iova_run(crowd.regions[i].map.mmap_addr, PAGE, &run) !=
			       crowd.expected[i];
}

static void change_one(void)
{
	unsigned int i = (unsigned int)rand_r(&crowd.seed) % (REGIONS / 2) * 2;

	if (crowd.there[i])
		iova_region_unmapping(&crowd.regions[i]);
	else
		iova_region_mapped(&crowd.regions[i]);
	crowd.there[i] = !crowd.there[i];
}

static void next_signal(void)
{
	struct itimerval soon = { .it_value.tv_usec = 5 + rand_r(&crowd.seed) % 40 };

	if (crowd.signals++ < SIGNALS)
		(void)setitimer(ITIMER_REAL, &soon, NULL);
}

static void look_on_signal(int number)
{
	(void)number;
	look_for_all();
	next_signal();
}

static void change_on_signal(int number)
{
	(void)number;
	change_one();
	next_signal();
}

static void with_signals(void (*handler)(int number), void (*work)(void))
{
	uint8_t *arena;
	uint32_t run;

	needs_root();
	memset(&crowd, 0, sizeof(crowd));
	crowd.seed = 2;
	/* Two pages for each: no region is the neighbour of another. */
	arena = mmap(NULL, 2 * REGIONS * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(arena != MAP_FAILED);
	for (unsigned int i = 0; i < REGIONS; i++) {
		crowd.regions[i].map = (struct filemap){ .mmap_addr = arena + 2 * i * PAGE,
							 .mmap_size_bytes = PAGE,
							 .page_bytes = PAGE };
		crowd.expected[i] = rte_mem_virt2phy(arena + 2 * i * PAGE);
		crowd.there[i] = i % 2 == 1;
		if (!crowd.there[i])
			continue;
		iova_region_mapped(&crowd.regions[i]);
		/* From here on it is in the table only, the kernel does not know. */
		CHECK_EQ(madvise(arena + 2 * i * PAGE, PAGE, MADV_DONTNEED), 0);
	}
	signal(SIGALRM, handler);
	next_signal();
	while (__atomic_load_n(&crowd.signals, __ATOMIC_RELAXED) <= SIGNALS)
		work();
	signal(SIGALRM, SIG_DFL);
	for (unsigned int i = 0; i < REGIONS; i++) {
		if (i % 2 == 0 && crowd.there[i])
			CHECK_EQ(iova_run(crowd.regions[i].map.mmap_addr, PAGE, &run),
				 crowd.expected[i]);
		if (crowd.there[i])
			iova_region_unmapping(&crowd.regions[i]);
	}
	CHECK_EQ(iova_run(crowd.regions[1].map.mmap_addr, PAGE, &run), IOVA_UNKNOWN);
	munmap(arena, 2 * REGIONS * PAGE);
	CHECK_EQ(crowd.wrong, 0);
}

static void looking_while_the_table_changes(void)
{
	with_signals(look_on_signal, change_one);
}

static void changes_while_somebody_looks(void)
{
	with_signals(change_on_signal, look_for_all);
}

/* Every run, with the addresses that iova_run() says; each goes while it is still mapped. */
static void vfio_is_told_physical_runs(void)
{
	struct region *r;
	uint64_t bytes = 0;
	unsigned int maps;

	needs_root();
	vfio.enabled = true;
	r = map(100, 64 * PAGE);
	maps = vfio.nr_calls;
	CHECK(maps > 0);
	for (unsigned int i = 0; i < maps; i++) {
		const struct call *c = &vfio.calls[i];

		CHECK(c->map);
		CHECK_EQ(c->at, (uintptr_t)r->map.mmap_addr + bytes);
		CHECK_EQ(c->bus, rte_mem_virt2phy((void *)(uintptr_t)c->at));
		bytes += c->bytes;
	}
	CHECK_EQ(bytes, r->map.mmap_size_bytes);
	region_put(r);
	CHECK_EQ(vfio.nr_calls, 2 * maps);
	for (unsigned int i = 0; i < maps; i++) {
		const struct call *c = &vfio.calls[maps + i];

		CHECK(!c->map && c->is_mapped);
		CHECK_EQ(c->at, vfio.calls[i].at);
		CHECK_EQ(c->bus, vfio.calls[i].bus);
		CHECK_EQ(c->bytes, vfio.calls[i].bytes);
	}
}

/* The pages of the next table are those of the one before: they stay known until both are gone. */
static void vfio_keeps_pages_that_another_table_has(void)
{
	struct region *first, *second;
	unsigned int maps;
	int fd;

	needs_root();
	vfio.enabled = true;
	fd = memfd(16 * PAGE);
	first = map_fd(dup(fd), 0, 16 * PAGE, &resident);
	maps = vfio.nr_calls;
	second = map_fd(fd, 0, 16 * PAGE, &resident);
	CHECK_EQ(vfio.nr_calls, 2 * maps);
	region_put(first);
	CHECK_EQ(vfio.nr_calls, 2 * maps);
	region_put(second);
	CHECK_EQ(vfio.nr_calls, 3 * maps);
}

/* --- either kind --------------------------------------------------------- */

static void vfio_without_a_device(void)
{
	static const int errors[] = { ENODEV, EINVAL };
	uint32_t run;

	for (unsigned int i = 0; i < RTE_DIM(errors); i++) {
		struct region *r;

		memset(&vfio, 0, sizeof(vfio));
		vfio.enabled = true;
		vfio.error = errors[i];
		if (!iova_is_va())
			needs_root();
		r = map(0, 4 * PAGE);
		CHECK_EQ(vfio.nr_calls, 1);
		CHECK_EQ(lines, 0);
		CHECK(iova_run(host(r), 1, &run) != IOVA_UNKNOWN);
		region_put(r);
		/* What was not mapped is not unmapped. */
		CHECK_EQ(vfio.nr_calls, 1);
	}
}

/* Devices cannot reach it: nobody is told an address, and the CPU has it. Others go on. */
static void vfio_that_refuses(void)
{
	struct region *good, *bad;
	uint32_t run;

	if (!iova_is_va())
		needs_root();
	vfio.enabled = true;
	good = map(0, PAGE);
	CHECK_EQ(vfio.nr_calls, 1);
	vfio.good = 1;
	vfio.error = ENOMEM;
	bad = map(0, PAGE);
	CHECK_EQ(vfio.nr_calls, 2);
	CHECK_EQ(lines, 1);
	CHECK(strstr(said, "VFIO") != NULL && strstr(said, "ulimit -l") != NULL);
	CHECK_EQ(iova_run(host(bad) + 10, 100, &run), IOVA_UNKNOWN);
	CHECK_EQ(run, 100);
	*host(bad) = 1;
	CHECK(iova_run(host(good) + 10, 100, &run) != IOVA_UNKNOWN);
	CHECK(iova_run(&vfio, 4, &run) != IOVA_UNKNOWN);
	region_put(bad);
	CHECK_EQ(vfio.nr_calls, 2);
	region_put(good);
	CHECK_EQ(vfio.nr_calls, 3);
}

/* --- virtual addresses --------------------------------------------------- */

static void pointers_are_addresses(void)
{
	struct region *r = map(100, 64 * PAGE);
	uint32_t run = 0;

	CHECK(iova_is_va());
	CHECK_EQ(iova_run(host(r) + 5, 50 * PAGE, &run), (uintptr_t)host(r) + 5);
	CHECK_EQ(run, 50 * PAGE);
	CHECK_EQ(iova_run(&run, 4, &run), (uintptr_t)&run);
	CHECK_EQ(run, 4);
	region_put(r);
	CHECK_EQ(vfio.nr_calls, 0);
	CHECK_EQ(lines, 0);
}

/* One range a region, that of the mapping, in whatever order they go. */
static void vfio_is_told_mappings(void)
{
	static const unsigned int order[] = { 1, 0, 2 };
	struct region *r[3];

	vfio.enabled = true;
	for (unsigned int i = 0; i < 3; i++) {
		r[i] = map(100, 4 * PAGE);
		CHECK_EQ(vfio.nr_calls, i + 1);
		CHECK(vfio.calls[i].map);
		CHECK_EQ(vfio.calls[i].at, (uintptr_t)r[i]->map.mmap_addr);
		CHECK_EQ(vfio.calls[i].bus, (uintptr_t)r[i]->map.mmap_addr);
		CHECK_EQ(vfio.calls[i].bytes, 5 * PAGE);
	}
	for (unsigned int i = 0; i < 3; i++) {
		const struct call *c = &vfio.calls[3 + i];

		region_put(r[order[i]]);
		CHECK_EQ(vfio.nr_calls, 4 + i);
		CHECK(!c->map && c->is_mapped);
		CHECK_EQ(c->at, vfio.calls[order[i]].at);
		CHECK_EQ(c->bus, c->at);
		CHECK_EQ(c->bytes, 5 * PAGE);
	}
}

/* --- EAL with physical addresses ------------------------------------------ */

static struct rte_mempool *pool;

static void mbufs_are_where_eal_says(void)
{
	struct rte_mbuf *m[100];
	uint32_t run;

	CHECK(!iova_is_va());
	CHECK_EQ(rte_pktmbuf_alloc_bulk(pool, m, RTE_DIM(m)), 0);
	for (unsigned int i = 0; i < RTE_DIM(m); i++) {
		CHECK_EQ(iova_run(rte_pktmbuf_mtod(m[i], void *), 2048, &run),
			 rte_pktmbuf_iova(m[i]));
		/* No element lies across pages that are not neighbours. */
		CHECK_EQ(run, 2048);
	}
	rte_pktmbuf_free_bulk(m, RTE_DIM(m));
}

static void huge_pages_of_a_guest(void)
{
	const uint64_t huge = UINT64_C(2) << 20;
	int fd = memfd_create("unit", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	struct region *r;
	unsigned int seed = 3;

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, (off_t)(3 * huge)), 0);
	r = map_fd(fd, PAGE + 100, 2 * huge, &resident);
	CHECK_EQ(r->map.page_bytes, huge);
	CHECK_EQ(lines, 0);
	for (unsigned int i = 0; i < 2000; i++) {
		uint32_t len = 1 + (uint32_t)rand_r(&seed) % 70000;
		uint32_t off = (uint32_t)rand_r(&seed) % (uint32_t)(2 * huge - len);

		(void)check_run(host(r) + off, len, host(r) + 2 * huge);
	}
	region_put(r);
}

static unsigned long free_huge_pages(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned long n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

#define ARG(text) ((char *)(uintptr_t)(text))

static bool start_eal(const char *kind)
{
	char prefix[32];
	char *argv[] = { ARG("iova"), ARG("--no-pci"), ARG("--no-shconf"), ARG("--no-telemetry"),
			 ARG("-l"), ARG("0"), ARG("-m"), ARG("16"), ARG("--file-prefix"), prefix,
			 ARG("--no-huge"), NULL };

	snprintf(prefix, sizeof(prefix), "iova%d", (int)getpid());
	if (strcmp(kind, "pa") == 0) {
		argv[10] = ARG("--iova-mode=pa");
		argv[2] = ARG("--in-memory"); /* which needs no mounted hugetlbfs */
	}
	return rte_eal_init(RTE_DIM(argv) - 1, argv) >= 0;
}

static void no_huge_pages(void)
{
	tap_skip("no free hugepages, or no root, for EAL with physical addresses");
}

int main(int argc, char **argv)
{
	static const struct tap_test physical[] = {
		TAP_TEST(each_byte_of_an_unaligned_region),
		TAP_TEST(runs_are_as_long_as_they_can_be),
		TAP_TEST(missing_pages),
		TAP_TEST(kernel_that_does_not_tell),
		TAP_TEST(memory_of_nobody),
		TAP_TEST(looking_while_the_table_changes),
		TAP_TEST(changes_while_somebody_looks),
		TAP_TEST(vfio_is_told_physical_runs),
		TAP_TEST(vfio_keeps_pages_that_another_table_has),
		TAP_TEST(vfio_without_a_device),
		TAP_TEST(vfio_that_refuses),
	};
	static const struct tap_test virtual[] = {
		TAP_TEST(pointers_are_addresses),
		TAP_TEST(vfio_is_told_mappings),
		TAP_TEST(vfio_without_a_device),
		TAP_TEST(vfio_that_refuses),
	};
	static const struct tap_test eal_physical[] = {
		TAP_TEST(mbufs_are_where_eal_says),
		TAP_TEST(huge_pages_of_a_guest),
	};
	static const struct tap_test none[] = { TAP_TEST(no_huge_pages) };
	const char *kind = argc > 1 ? argv[1] : "";
	const char *filter = argc > 2 ? argv[2] : NULL;

	tap_begin();
	if (strcmp(kind, "va") == 0) {
		if (!start_eal(kind))
			return 1;
		return tap_run(virtual, RTE_DIM(virtual), filter, setup, NULL);
	}
	if (strcmp(kind, "pa") == 0) {
		if (geteuid() != 0 || free_huge_pages() < 16)
			return tap_run(none, 1, NULL, setup, NULL);
		if (!start_eal(kind))
			return 1;
		pool = rte_pktmbuf_pool_create("iova", 512, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, 0);
		if (pool == NULL)
			return 1;
		return tap_run(eal_physical, RTE_DIM(eal_physical), filter, setup, NULL);
	}
	/* The warning about small pages comes once. */
	setup();
	region_put(map(0, PAGE));
	return tap_run(physical, RTE_DIM(physical), NULL, setup, NULL);
}
