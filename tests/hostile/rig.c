/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared part of the hostile tests; see rig.h. */
#include "rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copier.h"
#include "packets.h"

#define STATS_MAX 128
#define GOOD_BYTES 700

struct rig rig;

/* Open once EAL was there, before the library did anything. */
#define FDS_MAX 1024
static bool older[FDS_MAX];

/* Of a queue: where a split used ring was read up to, and what a packed ring has to be told. */
static struct side {
	uint16_t seen_used;
	/* Descriptors to offer, by the index they would have in a split ring. */
	struct guest_packed_desc staged[RIG_RING_MAX];
	/* Slots of the chains on offer, oldest first. */
	uint16_t slots[RIG_RING_MAX];
	unsigned int first, outstanding;
} sides[2];

static struct side *side_of(const struct guest_ring *vq)
{
	return &sides[vq == rig.tx];
}

static void side_reset(struct side *side)
{
	memset(side, 0, sizeof(*side));
}

unsigned int rig_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n;
}

bool rig_fd_is_older(int fd)
{
	return fd >= 0 && fd < FDS_MAX && older[fd];
}

/* Mappings of guest memory: the rest comes and goes with malloc and threads. */
unsigned int rig_count_maps(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned int n = 0;
	char line[512];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		n += strstr(line, "guest-memory") != NULL;
	if (file != NULL)
		fclose(file);
	return n;
}

void rig_init(const char *program, bool packed)
{
	flow_init(program);
	if (packed)
		flow_use_packed();
	for (int fd = 0; fd < FDS_MAX; fd++)
		older[fd] = fcntl(fd, F_GETFD) >= 0;
	bystander_start();
	rig.pool = flow_pool(2048, 2048);
}

void rig_fini(void)
{
	bystander_stop();
	free(rig.picture);
	flow_cleanup();
}

void rig_before(void)
{
	if (!flow_pool_full(rig.pool)) /* a failed test keeps its mbufs */
		rig.pool = flow_pool(2048, 2048);
	(void)bystander_report();
	rig.fds = rig_count_fds();
	rig.maps = rig_count_maps();
}

void rig_up_as(const struct fe_config *config, uint64_t driver_flags)
{
	flow_up(&rig.flow,
		driver_flags | copier_driver_flags | RTE_VHOST_USER_NET_STATS_ENABLE, config);
	rig.up = true;
	rig.rx = &rig.flow.fe.vqs[0];
	rig.tx = rig.flow.fe.nr_vqs > 1 ? &rig.flow.fe.vqs[1] : NULL;
	rig.buffers_gpa = guest_alloc(&rig.flow.fe.mem, BUFFERS_BYTES, 4096);
	side_reset(&sides[0]);
	side_reset(&sides[1]);
}

void rig_up(uint64_t features, uint64_t driver_flags, const struct guest_region_spec *regions,
	    unsigned int nr_regions, uint16_t ring_size)
{
	const struct fe_config config = {
		.features = features != 0 ? features : FE_F_VERSION_1 | FE_F_INDIRECT_DESC,
		.regions = regions,
		.nregions = nr_regions,
		.ring_size = ring_size,
	};

	rig_up_as(&config, driver_flags);
	copier_attach(rig.flow.vid);
}

void rig_down(void)
{
	if (rig.up) {
		rig.up = false;
		flow_down(&rig.flow);
	}
}

bool rig_nothing_left(void)
{
	unsigned int fds = rig_count_fds(), maps = rig_count_maps();

	if (fds != rig.fds)
		fprintf(stderr, "%u descriptors, before %u\n", fds, rig.fds);
	if (maps != rig.maps)
		fprintf(stderr, "%u mappings, before %u\n", maps, rig.maps);
	if (!flow_pool_full(rig.pool))
		fprintf(stderr, "%u mbufs are missing\n", rte_mempool_in_use_count(rig.pool));
	return fds == rig.fds && maps == rig.maps && flow_pool_full(rig.pool);
}

/* --- guest --------------------------------------------------------------- */

void rig_desc(struct guest_ring *vq, uint16_t index, uint64_t gpa, uint32_t len, uint16_t flags,
	      uint16_t next)
{
	if (flow_packed)
		side_of(vq)->staged[index] = (struct guest_packed_desc){
			.gpa = gpa, .len_bytes = len, .id = index, .flags = flags,
		};
	else
		guest_split_raw_desc(vq, index, gpa, len, flags, next);
}

void rig_place(struct guest_ring *vq, const struct guest_packed_desc *descs, unsigned int n,
	       unsigned int slots)
{
	struct side *side = side_of(vq);
	const uint16_t first = vq->avail_idx;
	const bool first_wrap = vq->avail_wrap;

	/* The first one last: the device sees the chain as a whole. */
	for (unsigned int i = 0; i < n; i++) {
		uint16_t avail = guest_packed_avail_flags(vq->avail_wrap);

		if (i != 0)
			guest_packed_raw_desc(vq, vq->avail_idx, descs[i].gpa, descs[i].len_bytes,
					      descs[i].id, descs[i].flags | avail);
		if (++vq->avail_idx == vq->size) {
			vq->avail_idx = 0;
			vq->avail_wrap = !vq->avail_wrap;
		}
	}
	guest_packed_raw_desc(vq, first, descs[0].gpa, descs[0].len_bytes, descs[0].id,
			      descs[0].flags | guest_packed_avail_flags(first_wrap));
	side->slots[(side->first + side->outstanding++) % RIG_RING_MAX] = (uint16_t)slots;
}

void rig_offer(struct guest_ring *vq, uint16_t head)
{
	struct guest_packed_desc *staged = side_of(vq)->staged;
	unsigned int n = 1;

	if (!flow_packed) {
		guest_split_raw_avail(vq, vq->avail_idx & (vq->size - 1), head);
		vq->avail_idx++;
		guest_split_raw_avail_idx(vq, vq->avail_idx);
		return;
	}
	while ((staged[head + n - 1].flags & GUEST_DESC_NEXT) != 0 && head + n < vq->size)
		n++;
	/* A chain is known by what its last descriptor says. */
	staged[head + n - 1].id = head;
	rig_place(vq, staged + head, n, n);
}

static unsigned int used_split(struct guest_ring *vq, struct guest_used *list, unsigned int max)
{
	struct side *side = side_of(vq);
	uint16_t now = guest_split_used_idx(vq);
	unsigned int n = (uint16_t)(now - side->seen_used);

	for (unsigned int i = 0; i < n && i < max; i++)
		list[i] = guest_split_used_elem(vq, (uint16_t)(side->seen_used + i) &
							    (vq->size - 1));
	side->seen_used = now;
	vq->last_used = now;
	return n;
}

static unsigned int used_packed(struct guest_ring *vq, struct guest_used *list, unsigned int max)
{
	struct side *side = side_of(vq);
	struct guest_used used;
	unsigned int n = 0;

	for (; side->outstanding != 0 &&
	       vq->format->used_at(vq, vq->last_used, vq->used_wrap, &used); n++) {
		uint32_t at = vq->last_used + (uint32_t)side->slots[side->first];

		if (n < max)
			list[n] = used;
		side->first = (side->first + 1) % RIG_RING_MAX;
		side->outstanding--;
		if (at >= vq->size) {
			at -= vq->size;
			vq->used_wrap = !vq->used_wrap;
		}
		vq->last_used = (uint16_t)at;
	}
	return n;
}

unsigned int rig_used_list(struct guest_ring *vq, struct guest_used *list, unsigned int max)
{
	return flow_packed ? used_packed(vq, list, max) : used_split(vq, list, max);
}

unsigned int rig_used(struct guest_ring *vq, struct guest_used *last)
{
	static struct guest_used list[UINT16_MAX + 1];
	unsigned int n = rig_used_list(vq, list, UINT16_MAX + 1);

	if (n != 0 && last != NULL)
		*last = list[n - 1];
	return n;
}

unsigned int rig_outstanding(const struct guest_ring *vq)
{
	return flow_packed ? side_of(vq)->outstanding :
			     (uint16_t)(vq->avail_idx - side_of(vq)->seen_used);
}

void rig_repair(struct guest_ring *vq)
{
	if (flow_packed)
		for (uint16_t i = 0; i < vq->size; i++)
			guest_packed_raw_desc(vq, i, rig.buffers_gpa, 64, i, 0);
	else
		guest_split_raw_avail_idx(vq, guest_split_used_idx(vq));
}

/* --- host ---------------------------------------------------------------- */

unsigned int rig_dequeue(struct rte_mbuf **pkts, unsigned int max)
{
	return copier_dequeue(rig.flow.vid, 1, rig.pool, pkts, (uint16_t)max);
}

unsigned int rig_drop_all(void)
{
	struct rte_mbuf *pkts[BURST];
	unsigned int n = rig_dequeue(pkts, BURST);

	if (n != 0)
		rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

unsigned int rig_enqueue(uint32_t seed, uint32_t len)
{
	struct rte_mbuf *m = packet_pattern(rig.pool, seed, len, 0);
	unsigned int n = copier_enqueue(rig.flow.vid, 0, &m, 1);

	rte_pktmbuf_free(m);
	return n;
}

static uint64_t sum_counters(uint16_t queue, const char *name, bool prefix)
{
	struct rte_vhost_stat_name names[STATS_MAX];
	struct rte_vhost_stat stats[STATS_MAX];
	int n = rte_vhost_vring_stats_get_names(rig.flow.vid, queue, names, STATS_MAX);
	uint64_t sum = 0;
	bool found = false;

	if (n <= 0 || rte_vhost_vring_stats_get(rig.flow.vid, queue, stats, STATS_MAX) != n)
		abort();
	for (int i = 0; i < n; i++) {
		/* "rx_q0_name" */
		const char *bare = strchr(names[i].name, 'q');
		bool match;

		bare = bare != NULL ? strchr(bare, '_') : NULL;
		if (bare == NULL)
			abort();
		match = prefix ? strncmp(bare + 1, name, strlen(name)) == 0 :
				 strcmp(bare + 1, name) == 0;
		sum += match ? stats[i].value : 0;
		found |= match;
	}
	if (!found)
		abort();
	return sum;
}

uint64_t rig_counter(uint16_t queue, const char *name)
{
	return sum_counters(queue, name, false);
}

uint64_t rig_dropped(uint16_t queue)
{
	return sum_counters(queue, "dropped_", true);
}

/* --- memory -------------------------------------------------------------- */

void rig_picture(void)
{
	const struct guest_memory *mem = &rig.flow.fe.mem;
	uint64_t total = 0;
	uint8_t *at;

	for (unsigned int i = 0; i < mem->nregions; i++)
		total += mem->regions[i].size_bytes;
	if (total > rig.picture_bytes) {
		free(rig.picture);
		rig.picture = malloc(total);
		rig.picture_bytes = total;
	}
	at = rig.picture;
	if (at == NULL)
		abort();
	for (unsigned int i = 0; i < mem->nregions; i++) {
		memcpy(at, mem->regions[i].local, mem->regions[i].size_bytes);
		at += mem->regions[i].size_bytes;
	}
}

static bool allowed(uint64_t gpa, const struct rig_range *ranges, unsigned int nr_ranges)
{
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (gpa - ranges[i].gpa < ranges[i].len_bytes)
			return true;
	return false;
}

bool rig_only_changed(const struct rig_range *ranges, unsigned int nr_ranges)
{
	const struct guest_memory *mem = &rig.flow.fe.mem;
	const uint8_t *at = rig.picture;

	for (unsigned int i = 0; i < mem->nregions; i++) {
		const struct guest_region *r = &mem->regions[i];

		for (uint64_t page = 0; page < r->size_bytes; page += 4096) {
			uint64_t len = r->size_bytes - page < 4096 ? r->size_bytes - page : 4096;

			if (memcmp(at + page, r->local + page, len) == 0)
				continue;
			for (uint64_t off = page; off < page + len; off++) {
				if (at[off] == r->local[off] ||
				    allowed(r->gpa + off, ranges, nr_ranges))
					continue;
				fprintf(stderr, "byte at guest address 0x%llx changed\n",
					(unsigned long long)(r->gpa + off));
				return false;
			}
		}
		at += r->size_bytes;
	}
	return true;
}

struct rig_range rig_used_range(const struct guest_ring *vq)
{
	/* What is used is said in the descriptors of a packed ring. */
	if (flow_packed)
		return (struct rig_range){ vq->desc_gpa, guest_packed_desc_bytes(vq->size) };
	return (struct rig_range){ vq->used_gpa, guest_split_used_bytes(vq->size) };
}

/* --- is it well? --------------------------------------------------------- */

int rig_restart(unsigned int queue)
{
	struct frontend *fe = &rig.flow.fe;
	int ret = fe_get_vring_base(fe, queue, NULL);

	guest_ring_reset(&fe->vqs[queue], 0);
	side_reset(side_of(&fe->vqs[queue]));
	if (ret == 0)
		ret = fe_start_vring(fe, queue);
	return ret != 0 ? ret : fe_sync(fe);
}

bool rig_serves_tx(void)
{
	uint64_t gpa = rig.buffers_gpa + BUFFERS_BYTES - 4096;
	unsigned int hdr = guest_net_hdr_bytes(rig.flow.fe.features);
	struct rte_mbuf *pkts[BURST];
	struct guest_used used = { 0 };
	uint8_t data[GOOD_BYTES];
	bool right = false;
	uint16_t head = (uint16_t)(rig.tx->size - 1);
	unsigned int n;

	(void)rig_used(rig.tx, NULL);
	guest_pattern(77, data, sizeof(data));
	guest_fill(&rig.flow.fe.mem, gpa, 0, hdr);
	guest_write(&rig.flow.fe.mem, gpa + hdr, data, sizeof(data));
	rig_desc(rig.tx, head, gpa, hdr + (uint32_t)sizeof(data), 0, 0);
	rig_offer(rig.tx, head);
	n = rig_dequeue(pkts, BURST);
	for (unsigned int i = 0; i < n; i++) {
		right = packet_equals(pkts[i], data, sizeof(data));
		rte_pktmbuf_free(pkts[i]);
	}
	if (n != 1 || !right || rig_used(rig.tx, &used) != 1 || used.id != head ||
	    used.len_bytes != 0) {
		fprintf(stderr, "the good packet from the guest: %u came\n", n);
		return false;
	}
	return true;
}

bool rig_serves_rx(void)
{
	uint64_t gpa = rig.buffers_gpa + BUFFERS_BYTES - 8192;
	unsigned int hdr = guest_net_hdr_bytes(rig.flow.fe.features);
	uint8_t want[GOOD_BYTES], got[GOOD_BYTES];
	struct guest_used used = { 0 };
	uint16_t head = (uint16_t)(rig.rx->size - 1);

	(void)rig_used(rig.rx, NULL);
	rig_desc(rig.rx, head, gpa, 2048, GUEST_DESC_WRITE, 0);
	rig_offer(rig.rx, head);
	if (rig_enqueue(78, sizeof(want)) != 1 || rig_used(rig.rx, &used) != 1 ||
	    used.id != head || used.len_bytes != hdr + sizeof(want)) {
		fprintf(stderr, "the good packet to the guest was not delivered\n");
		return false;
	}
	guest_pattern(78, want, sizeof(want));
	guest_read(&rig.flow.fe.mem, gpa + hdr, got, sizeof(got));
	return memcmp(want, got, sizeof(want)) == 0;
}
