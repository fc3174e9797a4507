/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where pointers are bus addresses there is little to know. Where physical
 * addresses are, those of guest memory are looked up once, page by page, when it
 * is mapped, and found by a search in a table of the regions.
 *
 * Data threads search while control threads change the table. There are two
 * copies, and a version that says which of them is whole: a reader goes again if
 * the version has changed while it searched, and never waits for who changes it.
 * (A lock would have every data thread write to one cache line for each copy;
 * RCU would have the application's threads register and report.) Tables that have
 * become too small are kept, as somebody may still look at them; as each is twice
 * as large as the one before, that is no more than what is in use. What a region's
 * entry points to is looked at only by who holds a reference to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_vfio.h>

#include "base/log.h"
#include "iova.h"

_Static_assert(RTE_BAD_IOVA == IOVA_UNKNOWN, "one word for both");

/* A region that is more than its pointers. */
struct bus_map {
	uintptr_t start; /* of the mapping: its first page, not the region's first byte */
	uint64_t bytes;
	uint64_t page_bytes;
	uint64_t *pages;     /* the bus address of each, or IOVA_UNKNOWN; NULL: as `start` */
	uint64_t vfio_bytes; /* so much of it, from the start, VFIO knows */
	bool unreachable;    /* VFIO knows not all of it, and should */
};

struct entry {
	uintptr_t start, end;
	const struct bus_map *map;
};

struct table {
	const struct table *older;
	uint32_t room;
	uint32_t nr_entries;
	struct entry entries[]; /* sorted; words are atomic */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bus_map **maps; /* sorted; what the tables are made from */
static uint32_t nr_maps, maps_room;
uint32_t iova_nr_unreachable;
static struct table *tables[2]; /* atomic; NULL: empty */
static uint32_t version;        /* atomic; its lowest bit: which of them is whole */

bool iova_is_va(void)
{
	return rte_eal_iova_mode() == RTE_IOVA_VA;
}

/* --- the table --------------------------------------------------------- */

/* How many of the sorted maps start below `start`. */
static uint32_t place_of(uintptr_t start)
{
	uint32_t i = 0;

	while (i < nr_maps && maps[i]->start < start)
		i++;
	return i;
}

static void table_fill(struct table *t)
{
	for (uint32_t i = 0; i < nr_maps; i++) {
		struct entry *e = &t->entries[i];

		__atomic_store_n(&e->start, maps[i]->start, __ATOMIC_RELAXED);
		__atomic_store_n(&e->end, maps[i]->start + maps[i]->bytes, __ATOMIC_RELAXED);
		__atomic_store_n(&e->map, maps[i], __ATOMIC_RELAXED);
	}
	__atomic_store_n(&t->nr_entries, nr_maps, __ATOMIC_RELAXED);
}

/* Each copy is changed while readers are sent to the other one. */
static void publish(struct table *larger[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		__atomic_store_n(&version, version + 1, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_RELEASE);
		if (larger != NULL) {
			larger[i]->older = tables[i];
			__atomic_store_n(&tables[i], larger[i], __ATOMIC_RELEASE);
		}
		table_fill(tables[i]);
	}
}

static struct table *table_new(uint32_t room)
{
	struct table *t = calloc(1, sizeof(*t) + room * sizeof(t->entries[0]));

	if (t != NULL)
		t->room = room;
	return t;
}

static bool add(struct bus_map *map)
{
	struct table *larger[2] = { NULL, NULL };
	bool grow = nr_maps == maps_room;
	uint32_t at;

	if (grow) {
		uint32_t room = maps_room == 0 ? 16 : 2 * maps_room;
		struct bus_map **more = realloc(maps, room * sizeof(*more));

		if (more == NULL)
			return false;
		maps = more;
		larger[0] = table_new(room);
		larger[1] = table_new(room);
		if (larger[0] == NULL || larger[1] == NULL) {
			free(larger[0]);
			free(larger[1]);
			return false;
		}
		maps_room = room;
	}
	at = place_of(map->start);
	memmove(&maps[at + 1], &maps[at], (nr_maps - at) * sizeof(*maps));
	maps[at] = map;
	nr_maps++;
	publish(grow ? larger : NULL);
	return true;
}

static struct bus_map *take_out(uintptr_t start)
{
	uint32_t at = place_of(start);
	struct bus_map *map;

	if (at == nr_maps || maps[at]->start != start)
		return NULL;
	map = maps[at];
	nr_maps--;
	memmove(&maps[at], &maps[at + 1], (nr_maps - at) * sizeof(*maps));
	publish(NULL);
	return map;
}

static const struct bus_map *search(const struct table *t, uintptr_t at)
{
	uint32_t low = 0, high, count;

	if (t == NULL)
		return NULL;
	/* What is read may change meanwhile; where it is read stays inside the table. */
	high = count = __atomic_load_n(&t->nr_entries, __ATOMIC_RELAXED);
	/* The first that ends above. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (__atomic_load_n(&t->entries[middle].end, __ATOMIC_RELAXED) <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == count ||
	    __atomic_load_n(&t->entries[low].start, __ATOMIC_RELAXED) > at)
		return NULL;
	return __atomic_load_n(&t->entries[low].map, __ATOMIC_RELAXED);
}

static const struct bus_map *find(uintptr_t at)
{
	const struct bus_map *found;
	uint32_t seen;

	do {
		seen = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
		found = search(__atomic_load_n(&tables[seen & 1], __ATOMIC_ACQUIRE), at);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (seen != __atomic_load_n(&version, __ATOMIC_RELAXED));
	return found;
}

/* --- addresses --------------------------------------------------------- */

/* The bus address of an offset, and how much from there is in one piece, up to about `len`. */
static uint64_t map_run(const struct bus_map *m, uint64_t off, uint64_t len, uint64_t *run)
{
	uint64_t page, in_page, nr_pages;

	if (m->pages == NULL) {
		*run = m->bytes - off;
		return m->start + off;
	}
	page = off / m->page_bytes;
	in_page = off % m->page_bytes;
	nr_pages = m->bytes / m->page_bytes;
	*run = m->page_bytes - in_page;
	if (m->pages[page] == IOVA_UNKNOWN)
		return IOVA_UNKNOWN;
	for (uint64_t i = page + 1; *run < len && i < nr_pages; i++) {
		if (m->pages[i] != m->pages[i - 1] + m->page_bytes)
			break;
		*run += m->page_bytes;
	}
	return m->pages[page] + in_page;
}

/*
 * Memory that is no guest's. EAL knows where its own is; rte_mem_virt2iova() asks the
 * kernel each time.
 */
static uint64_t other_run(const uint8_t *at, uint64_t *run)
{
	const struct rte_memseg *seg = rte_mem_virt2memseg(at, NULL);
	uint64_t small;

	if (seg != NULL && seg->iova != RTE_BAD_IOVA) {
		uint64_t off = (uintptr_t)at - (uintptr_t)seg->addr;

		if (off < seg->len) {
			*run = seg->len - off;
			return seg->iova + off;
		}
	}
	small = (uint64_t)sysconf(_SC_PAGESIZE);
	*run = small - (uintptr_t)at % small;
	return rte_mem_virt2iova(at);
}

uint64_t iova_run(const void *at, uint32_t len, uint32_t *run_bytes)
{
	const bool is_va = iova_is_va();
	const struct bus_map *map;
	uint64_t bus, run, sum;

	if (is_va && likely(iova_reaches_all())) {
		*run_bytes = len;
		return (uintptr_t)at;
	}
	map = find((uintptr_t)at);
	if (map != NULL) {
		bus = map_run(map, (uintptr_t)at - map->start, len, &run);
		*run_bytes = (uint32_t)MIN2(run, len);
		return map->unreachable ? IOVA_UNKNOWN : bus;
	}
	if (is_va) {
		*run_bytes = len;
		return (uintptr_t)at;
	}
	bus = other_run(at, &sum);
	while (bus != IOVA_UNKNOWN && sum < len &&
	       other_run((const uint8_t *)at + sum, &run) == bus + sum)
		sum += run;
	*run_bytes = (uint32_t)MIN2(sum, len);
	return bus;
}

/* /proc/<pid>/pagemap: a word for each small page (Linux, admin-guide/mm/pagemap). */
#define PAGEMAP_PRESENT BIT(63)
#define PAGEMAP_PFN (BIT(55) - 1)

static bool warned_small; /* atomic */

/* The words of the first small page of each of ours, then the addresses in their place. */
static void read_pages(struct bus_map *m)
{
	const uint64_t small = (uint64_t)sysconf(_SC_PAGESIZE), nr = m->bytes / m->page_bytes;
	const uint64_t step = m->page_bytes / small;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t done = 0, unknown = 0;

	while (fd >= 0 && done < nr) {
		ssize_t got = pread(fd, &m->pages[done], (step == 1 ? nr - done : 1) * 8,
				    (off_t)((m->start / small + done * step) * 8));

		if (got < 8)
			break;
		done += (uint64_t)got / 8;
	}
	if (fd >= 0)
		close(fd);
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t word = i < done ? m->pages[i] : 0;
		uint64_t pfn = (word & PAGEMAP_PRESENT) != 0 ? word & PAGEMAP_PFN : 0;

		m->pages[i] = pfn == 0 ? IOVA_UNKNOWN : pfn * small;
		unknown += pfn == 0;
	}
	if (unknown != 0)
		LOG_WARN("the kernel does not tell the physical addresses of %" PRIu64
			 " of %" PRIu64 " pages of guest memory: no engine can copy there; give this process "
			 "CAP_SYS_ADMIN (/proc/self/pagemap), or run EAL with --iova-mode=va",
			 unknown, nr);
	else if (step == 1 && !__atomic_exchange_n(&warned_small, true, __ATOMIC_RELAXED))
		LOG_WARN("guest memory is in small pages, whose physical addresses the kernel may "
			 "change under an engine: use huge pages for it, set "
			 "vm.compact_unevictable_allowed=0, or run EAL with --iova-mode=va");
}

/* --- VFIO -------------------------------------------------------------- */

/*
 * A page may be in two regions for a while: a table is mapped before the one that it
 * replaces goes. Where addresses are virtual these are two addresses. A physical one
 * stays known to VFIO until the last of them goes, which takes it that both are cut
 * the same way, as the tables of one guest are. `m` is no longer in `maps`.
 */
static bool is_elsewhere(const struct bus_map *m, uint64_t bus)
{
	for (uint32_t i = 0; m->pages != NULL && i < nr_maps; i++)
		for (uint64_t j = 0; j < maps[i]->bytes / maps[i]->page_bytes; j++)
			if (maps[i]->pages[j] == bus)
				return true;
	return false;
}

static void vfio_map(struct bus_map *m)
{
	uint64_t bus, run;

	for (; m->vfio_bytes < m->bytes; m->vfio_bytes += run) {
		bus = map_run(m, m->vfio_bytes, m->bytes - m->vfio_bytes, &run);
		rte_errno = 0;
		if (bus == IOVA_UNKNOWN ||
		    rte_vfio_container_dma_map(RTE_VFIO_DEFAULT_CONTAINER_FD,
					       m->start + m->vfio_bytes, bus, run) == 0)
			continue;
		/* VFIO is there, but EAL has no device of it: whatever copies, it is none. */
		if (rte_errno == ENODEV || rte_errno == EINVAL)
			return;
		m->unreachable = true;
		LOG_ERR("VFIO does not map 0x%" PRIx64 " bytes of guest memory (error %d): the CPU "
			"copies what is there; raise RLIMIT_MEMLOCK (`ulimit -l`) above the memory "
			"of all guests, and use huge pages for it", run, rte_errno);
		return;
	}
}

static void vfio_unmap(const struct bus_map *m)
{
	uint64_t bus, run;

	for (uint64_t off = 0; off < m->vfio_bytes; off += run) {
		bus = map_run(m, off, m->vfio_bytes - off, &run);
		if (bus == IOVA_UNKNOWN || is_elsewhere(m, bus))
			continue;
		if (rte_vfio_container_dma_unmap(RTE_VFIO_DEFAULT_CONTAINER_FD, m->start + off, bus,
						 run) < 0)
			LOG_ERR("VFIO does not unmap 0x%" PRIx64 " bytes of guest memory (error "
				"%d): they stay in use until this process ends", run, rte_errno);
	}
}

/* --- regions ----------------------------------------------------------- */

static void map_free(struct bus_map *m)
{
	free(m->pages);
	free(m);
}

static struct bus_map *map_new(const struct filemap *file)
{
	struct bus_map *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	*m = (struct bus_map){ .start = (uintptr_t)file->mmap_addr,
			       .bytes = file->mmap_size_bytes,
			       .page_bytes = file->page_bytes };
	if (iova_is_va())
		return m;
	m->pages = calloc(m->bytes / m->page_bytes, sizeof(*m->pages));
	if (m->pages == NULL) {
		free(m);
		return NULL;
	}
	read_pages(m);
	return m;
}

void iova_region_mapped(const struct region *r)
{
	const bool vfio = rte_vfio_is_enabled("vfio") == 1;
	struct bus_map *m;

	if (iova_is_va() && !vfio)
		return;
	m = map_new(&r->map);
	pthread_mutex_lock(&lock);
	if (m == NULL || !add(m)) {
		LOG_ERR("no memory for the bus addresses of 0x%" PRIx64 " bytes of guest memory: "
			"engines cannot copy there", r->map.mmap_size_bytes);
		if (m != NULL)
			map_free(m);
	} else if (vfio) {
		/* Nobody else has the region yet. */
		vfio_map(m);
		if (m->unreachable)
			__atomic_fetch_add(&iova_nr_unreachable, 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&lock);
}

void iova_region_unmapping(const struct region *r)
{
	struct bus_map *m;

	pthread_mutex_lock(&lock);
	m = take_out((uintptr_t)r->map.mmap_addr);
	if (m != NULL) {
		vfio_unmap(m);
		if (m->unreachable)
			__atomic_fetch_sub(&iova_nr_unreachable, 1, __ATOMIC_RELEASE);
		map_free(m);
	}
	pthread_mutex_unlock(&lock);
}
