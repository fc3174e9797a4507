/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <rte_vhost.h>

#include "backend.h"
#include "base/defs.h"
#include "vdpa_driver.h"

/* For all its answers together: while it takes a device over, it maps memory; otherwise. */
#define HANDOVER_MS 10000
#define BRIEF_MS 2000

#define WITH_PROTOCOL BIT(VHOST_USER_F_PROTOCOL_FEATURES)
/* What we have a use for. */
#define WANTED_PROTOCOL                                                                \
	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD) |         \
	 BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) | \
	 BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | BIT(VHOST_USER_PROTOCOL_F_RARP))

/* --- who it is ------------------------------------------------------------- */

/* That the two of us agree on protocol features is no business of the guest's. */
static uint64_t guest_features(int vid)
{
	uint64_t features = 0;

	(void)rte_vhost_get_negotiated_features(vid, &features);
	return features & ~WITH_PROTOCOL;
}

bool backend_packed(int vid)
{
	return (guest_features(vid) & BIT(VIRTIO_F_RING_PACKED)) != 0;
}

static bool has_protocol(const struct backend *b, unsigned int bit)
{
	return (b->protocol_features & BIT(bit)) != 0;
}

/* All that we want of what there is; what there is. */
static int agree_on_protocol(struct frontend *f, uint64_t *offered)
{
	int ret = frontend_get(f, VHU_GET_PROTOCOL_FEATURES, offered);

	if (ret == 0)
		ret = frontend_tell_u64(f, VHU_SET_PROTOCOL_FEATURES, *offered & WANTED_PROTOCOL);
	f->acks = ret == 0 && (*offered & BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK)) != 0;
	return ret;
}

int backend_ask(const char *path, struct backend_limits *limits)
{
	struct frontend f;
	uint64_t queues = 1;
	int ret = frontend_connect(&f, path, BRIEF_MS, NULL);

	limits->protocol_features = 0;
	if (ret == 0)
		ret = frontend_get(&f, VHU_GET_FEATURES, &limits->features);
	if (ret == 0 && (limits->features & WITH_PROTOCOL) != 0)
		ret = agree_on_protocol(&f, &limits->protocol_features);
	if (ret == 0 && (limits->protocol_features & BIT(VHOST_USER_PROTOCOL_F_MQ)) != 0)
		ret = frontend_get(&f, VHU_GET_QUEUE_NUM, &queues);
	frontend_close(&f);
	limits->nr_pairs = (uint32_t)MIN2(queues, (uint64_t)BACKEND_RINGS_MAX / 2);
	return ret;
}

void backend_why(const struct backend *b, int vid, int err, char *text, size_t text_bytes)
{
	struct rte_vhost_memory *mem = NULL;

	if (err == -E2BIG && rte_vhost_get_mem_table(vid, &mem) == 0)
		snprintf(text, text_bytes, "the guest has %u memory regions, it takes %u",
			 mem->nregions, (unsigned int)b->regions_max);
	else if (err == -ENOTSUP)
		snprintf(text, text_bytes, "it lacks a feature that the guest has");
	else if (err == -ESTALE)
		snprintf(text, text_bytes, "nobody knows where its packed rings stand; the guest has to "
			 "start it anew");
	else
		snprintf(text, text_bytes, "%s", strerror(-err));
	free(mem);
}

void backend_be_brief(struct backend *b)
{
	frontend_allow(&b->wire, BRIEF_MS);
}

void backend_leave(struct backend *b)
{
	frontend_close(&b->wire);
}

bool backend_is_gone(const struct backend *b)
{
	struct pollfd pfd = { .fd = b->wire.fd, .events = POLLRDHUP };

	return b->wire.fd < 0 || (poll(&pfd, 1, 0) == 1 && pfd.revents != 0);
}

/* --- what it is told ------------------------------------------------------- */

/* Where a place in our mapping of the guest's memory is for its frontend, and for the guest. */
static int resolve(const struct rte_vhost_memory *mem, const void *at, uint64_t *uva, uint64_t *gpa)
{
	for (uint32_t i = 0; i < mem->nregions; i++) {
		const struct rte_vhost_mem_region *region = &mem->regions[i];
		uint64_t off = (uint64_t)(uintptr_t)at - region->host_user_addr;

		if (off >= region->size)
			continue;
		*uva = region->guest_user_addr + off;
		*gpa = region->guest_phys_addr + off;
		return 0;
	}
	return -EFAULT;
}

static int describe_region(int vid, const struct rte_vhost_mem_region *from, struct vhu_region *to)
{
	*to = (struct vhu_region){ .gpa = from->guest_phys_addr,
				   .size_bytes = from->size,
				   .uva = from->guest_user_addr };
	return vhost_ng_vdpa_mem_offset(vid, to->gpa, &to->mmap_offset_bytes) < 0 ? -ENODEV : 0;
}

static int tell_slots(struct backend *b, int vid, const struct rte_vhost_memory *mem)
{
	int ret = frontend_get(&b->wire, VHU_GET_MAX_MEM_SLOTS, &b->regions_max);

	if (ret == 0 && mem->nregions > b->regions_max)
		ret = -E2BIG;
	for (uint32_t i = 0; ret == 0 && i < mem->nregions; i++) {
		struct vhu_mem_reg reg = { 0 };

		ret = describe_region(vid, &mem->regions[i], &reg.region);
		if (ret == 0)
			ret = frontend_tell(&b->wire, VHU_ADD_MEM_REG, &reg, sizeof(reg),
					    &mem->regions[i].fd, 1);
	}
	return ret;
}

static int tell_table(struct backend *b, int vid, const struct rte_vhost_memory *mem)
{
	struct vhu_mem_table table = { .nr_regions = mem->nregions };
	int fds[VHU_REGIONS_MAX];

	b->regions_max = VHU_REGIONS_MAX;
	if (mem->nregions > VHU_REGIONS_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < mem->nregions; i++) {
		int ret = describe_region(vid, &mem->regions[i], &table.regions[i]);

		if (ret < 0)
			return ret;
		fds[i] = mem->regions[i].fd;
	}
	return frontend_tell(&b->wire, VHU_SET_MEM_TABLE, &table,
			     offsetof(struct vhu_mem_table, regions) +
				     mem->nregions * sizeof(table.regions[0]),
			     fds, mem->nregions);
}

static int tell_memory(struct backend *b, int vid)
{
	bool in_slots = has_protocol(b, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	struct rte_vhost_memory *mem = NULL;
	int ret = rte_vhost_get_mem_table(vid, &mem) < 0 ? -ENODEV : 0;

	if (ret == 0)
		ret = in_slots ? tell_slots(b, vid, mem) : tell_table(b, vid, mem);
	free(mem);
	return ret;
}

/* Does the guest migrate, so that what is written to its memory is to be marked? */
static bool has_log(int vid)
{
	uint64_t ignored;

	return (guest_features(vid) & BIT(VHOST_F_LOG_ALL)) != 0 &&
	       vhost_ng_vdpa_log_fd(vid, &ignored) >= 0;
}

static int tell_log(struct backend *b, int vid)
{
	struct vhu_log log = { 0 };
	uint64_t ignored;

	if (!has_log(vid))
		return 0;
	if (rte_vhost_get_log_base(vid, &ignored, &log.size_bytes) < 0)
		return -ENODEV;
	return frontend_tell_log(&b->wire, &log, vhost_ng_vdpa_log_fd(vid, &log.offset_bytes));
}

/* A frontend that knows of logs may migrate its guest at any time. */
static bool may_migrate(int vid)
{
	uint64_t protocol = 0;

	(void)rte_vhost_get_negotiated_protocol_features(vid, &protocol);
	return (protocol & BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD)) != 0;
}

static int negotiate(struct backend *b, int vid)
{
	const uint64_t features = guest_features(vid);
	uint64_t offered, needed = features | (may_migrate(vid) ? BIT(VHOST_F_LOG_ALL) : 0);
	struct frontend *f = &b->wire;
	int ret = frontend_tell(f, VHU_SET_OWNER, NULL, 0, NULL, 0);

	if (ret == 0)
		ret = frontend_get(f, VHU_GET_FEATURES, &offered);
	if (ret < 0)
		return ret;
	if ((needed & ~offered) != 0)
		return -ENOTSUP;
	if ((offered & WITH_PROTOCOL) != 0)
		ret = agree_on_protocol(f, &b->protocol_features);
	b->protocol_features &= WANTED_PROTOCOL;
	if (ret == 0 && may_migrate(vid) && !has_protocol(b, VHOST_USER_PROTOCOL_F_LOG_SHMFD))
		ret = -ENOTSUP;
	b->features = features | (offered & WITH_PROTOCOL);
	return ret < 0 ? ret : frontend_tell_u64(f, VHU_SET_FEATURES, b->features);
}

int backend_find(struct backend *b, const char *path, int vid, const bool *hurry)
{
	int ret;

	*b = (struct backend){ 0 };
	ret = frontend_connect(&b->wire, path, HANDOVER_MS, hurry);
	if (ret == 0)
		ret = negotiate(b, vid);
	if (ret == 0)
		ret = tell_memory(b, vid);
	if (ret == 0)
		ret = tell_log(b, vid);
	if (ret == 0)
		ret = frontend_settle(&b->wire);
	if (ret < 0)
		backend_leave(b);
	return ret;
}

static int tell_eventfds(struct backend *b, int vid, const struct rte_vhost_vring *vring,
			 unsigned int index)
{
	int errfd = vhost_ng_vdpa_errfd(vid, (uint16_t)index);
	int ret = frontend_tell_fd(&b->wire, VHU_SET_VRING_CALL, index, vring->callfd);

	if (ret == 0)
		ret = frontend_tell_fd(&b->wire, VHU_SET_VRING_ERR, index, errfd);
	/* Last, as it starts the ring. */
	return ret < 0 ? ret : frontend_tell_fd(&b->wire, VHU_SET_VRING_KICK, index, vring->kickfd);
}

int backend_set_eventfds(struct backend *b, int vid, unsigned int index)
{
	struct rte_vhost_vring vring;

	if (rte_vhost_get_vhost_vring(vid, (uint16_t)index, &vring) < 0)
		return -ENODEV;
	return tell_eventfds(b, vid, &vring, index);
}

int backend_enable(struct backend *b, unsigned int index, bool enable)
{
	return frontend_tell_state(&b->wire, VHU_SET_VRING_ENABLE, index, enable);
}

int backend_announce(struct backend *b, int vid)
{
	uint64_t address = 0;

	if (!has_protocol(b, VHOST_USER_PROTOCOL_F_RARP) ||
	    vhost_ng_vdpa_rarp_mac(vid, (uint8_t *)&address) < 0)
		return 0;
	return frontend_tell_u64(&b->wire, VHU_SEND_RARP, address);
}

static int tell_address(struct backend *b, int vid, const struct rte_vhost_memory *mem,
			const struct rte_vhost_vring *vring, unsigned int index)
{
	struct vhu_vring_addr addr = { .index = index };
	uint64_t ignored;
	int ret = resolve(mem, vring->desc, &addr.desc, &ignored);

	if (ret == 0)
		ret = resolve(mem, vring->avail, &addr.avail, &ignored);
	if (ret == 0)
		ret = resolve(mem, vring->used, &addr.used, &addr.log);
	if (ret < 0)
		return ret;
	/* The guest's frontend asks for it ring by ring, which we do not hear: it asks for all. */
	if (has_log(vid))
		addr.flags = VHU_VRING_ADDR_F_LOG;
	return frontend_tell(&b->wire, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static int start_ring(struct backend *b, int vid, const struct rte_vhost_memory *mem,
		      unsigned int index, struct backend_ring *ring)
{
	const bool enabled = vhost_ng_vdpa_vring_state(vid, (uint16_t)index) > 0;
	struct rte_vhost_vring vring;
	int ret = rte_vhost_get_vhost_vring(vid, (uint16_t)index, &vring);

	if (ret < 0 || vring.size == 0 || vring.desc == NULL)
		return -ENODEV;
	ring->stands_still = false;
	ret = frontend_tell_state(&b->wire, VHU_SET_VRING_NUM, index, vring.size);
	if (ret == 0)
		ret = frontend_tell_state(&b->wire, VHU_SET_VRING_BASE, index, ring->base);
	if (ret == 0)
		ret = tell_address(b, vid, mem, &vring, index);
	if (ret == 0)
		ret = tell_eventfds(b, vid, &vring, index);
	if (ret == 0)
		ret = backend_enable(b, index, enabled);
	/* The kick for what waits may have gone to another one. Also, a kick starts a ring. */
	if (ret == 0 && enabled && vring.kickfd >= 0)
		(void)eventfd_write(vring.kickfd, 1);
	return ret;
}

/* --- what it takes over ---------------------------------------------------- */

int backend_left_at(int vid, const struct inflight *area, unsigned int index,
		    struct backend_ring *ring)
{
	struct rte_vhost_vring vring;

	if (ring->stands_still)
		return 0;
	if (rte_vhost_get_vhost_vring(vid, (uint16_t)index, &vring) < 0 || vring.used == NULL)
		return -ESTALE;
	if (backend_packed(vid))
		return inflight_packed_base(area, index, &vring, &ring->base);
	/* What was taken after that is to be taken again. */
	ring->base = __atomic_load_n(&vring.used->idx, __ATOMIC_ACQUIRE);
	return 0;
}

int backend_left_all(int vid, const struct inflight *area, struct backend_ring *rings)
{
	int ret = 0;

	for (unsigned int i = 0; i < BACKEND_RINGS_MAX; i++)
		if (rings[i].is_there && backend_left_at(vid, area, i, &rings[i]) != 0)
			ret = -ESTALE;
	return ret;
}

static bool all_stand_still(const struct backend_ring *rings)
{
	for (unsigned int i = 0; i < BACKEND_RINGS_MAX; i++)
		if (rings[i].is_there && !rings[i].stands_still)
			return false;
	return true;
}

/* For the rings that the guest's frontend has named, and as large as any of them. */
static int make_area(struct backend *b, int vid, struct inflight *area)
{
	uint16_t nr_rings = rte_vhost_get_vring_num(vid);
	struct rte_vhost_vring vring;
	uint16_t size = 1;

	for (uint16_t i = 0; i < nr_rings; i++)
		if (rte_vhost_get_vhost_vring(vid, i, &vring) == 0)
			size = MAX2(size, vring.size);
	return inflight_make(area, &b->wire, nr_rings, size);
}

bool backend_has_room(int vid, const struct inflight *area, unsigned int index)
{
	struct rte_vhost_vring vring;

	return rte_vhost_get_vhost_vring(vid, (uint16_t)index, &vring) == 0 &&
	       inflight_fits(area, index, vring.size);
}

static int take_over(struct backend *b, int vid, struct inflight *area, struct backend_ring *rings)
{
	bool tracks = has_protocol(b, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
	bool goes_on = tracks && area->fd >= 0 && !all_stand_still(rings);
	int ret = backend_left_all(vid, area, rings);

	if (goes_on)
		return inflight_pass(area, &b->wire);
	if (ret < 0)
		return ret;
	inflight_drop(area);
	return tracks ? make_area(b, vid, area) : 0;
}

void backend_call_guest(int vid, const struct backend_ring *rings)
{
	struct rte_vhost_vring vring;

	for (unsigned int i = 0; i < BACKEND_RINGS_MAX; i++)
		if (rings[i].is_there && vhost_ng_vdpa_vring_state(vid, (uint16_t)i) > 0 &&
		    rte_vhost_get_vhost_vring(vid, (uint16_t)i, &vring) == 0 && vring.callfd >= 0)
			(void)eventfd_write(vring.callfd, 1);
}

int backend_start(struct backend *b, int vid, struct inflight *area, struct backend_ring *rings)
{
	struct rte_vhost_memory *mem = NULL;
	int ret = take_over(b, vid, area, rings);

	if (ret == 0 && rte_vhost_get_mem_table(vid, &mem) < 0)
		ret = -ENODEV;
	for (unsigned int i = 0; ret == 0 && i < BACKEND_RINGS_MAX; i++)
		if (rings[i].is_there)
			ret = start_ring(b, vid, mem, i, &rings[i]);
	free(mem);
	return ret < 0 ? ret : frontend_settle(&b->wire);
}

int backend_log(struct backend *b, int vid, const struct backend_ring *rings)
{
	struct rte_vhost_memory *mem = NULL;
	struct rte_vhost_vring vring;
	int ret = rte_vhost_get_mem_table(vid, &mem) < 0 ? -ENODEV : 0;

	if (ret == 0)
		ret = tell_log(b, vid);
	b->features = guest_features(vid) | (b->features & WITH_PROTOCOL);
	if (ret == 0)
		ret = frontend_tell_u64(&b->wire, VHU_SET_FEATURES, b->features);
	for (unsigned int i = 0; ret == 0 && i < BACKEND_RINGS_MAX; i++)
		if (rings[i].is_there &&
		    rte_vhost_get_vhost_vring(vid, (uint16_t)i, &vring) == 0)
			ret = tell_address(b, vid, mem, &vring, i);
	free(mem);
	/* The guest's frontend will hear that it is done. */
	return ret < 0 ? ret : frontend_settle(&b->wire);
}

void backend_mark_all(int vid)
{
	struct rte_vhost_memory *mem = NULL;

	if (!has_log(vid) || rte_vhost_get_mem_table(vid, &mem) < 0)
		return;
	for (uint32_t i = 0; i < mem->nregions; i++)
		rte_vhost_log_write(vid, mem->regions[i].guest_phys_addr, mem->regions[i].size);
	free(mem);
}

int backend_start_ring(struct backend *b, int vid, unsigned int index, struct backend_ring *ring)
{
	struct rte_vhost_memory *mem = NULL;
	int ret = rte_vhost_get_mem_table(vid, &mem) < 0 ? -ENODEV : 0;

	if (ret == 0)
		ret = start_ring(b, vid, mem, index, ring);
	free(mem);
	return ret;
}

int backend_stop(struct backend *b, struct backend_ring *rings)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < BACKEND_RINGS_MAX; i++) {
		if (!rings[i].is_there || rings[i].stands_still)
			continue;
		ret = frontend_stop_ring(&b->wire, i, &rings[i].base);
		rings[i].stands_still = ret == 0;
	}
	return ret;
}
