/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scripted vhost-user frontend, upper half: one helper a message, and bringing queue pairs up and
 * down. See frontend.h.
 */
#include "frontend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

uint64_t fe_extra_features;

static int
get_u64(struct frontend *fe, uint32_t request, uint64_t *value)
{
	struct fe_msg reply;
	int rc = fe_request(fe, request, NULL, 0, &reply);

	if (rc != 0)
		return rc;
	fe_msg_close_fds(&reply);
	if (reply.header.size_bytes != sizeof(reply.u64))
		return -EBADMSG;
	*value = reply.u64;
	return 0;
}

static int
set_u64(struct frontend *fe, uint32_t request, uint64_t value)
{
	return fe_command(fe, request, &value, sizeof(value), NULL, 0);
}

static int
set_state(struct frontend *fe, uint32_t request, uint32_t index, uint32_t num)
{
	struct fe_vring_state state = {.index = index, .num = num};

	return fe_command(fe, request, &state, sizeof(state), NULL, 0);
}

static int
set_vring_fd(struct frontend *fe, uint32_t request, uint32_t index, int fd)
{
	uint64_t value = fd < 0 ? index | FE_NOFD : index;

	return fe_command(fe, request, &value, sizeof(value), &fd, fd < 0 ? 0 : 1);
}

int
fe_sync(struct frontend *fe)
{
	uint64_t ignored;

	return get_u64(fe, FE_GET_FEATURES, &ignored);
}

int
fe_get_features(struct frontend *fe, uint64_t *features)
{
	return get_u64(fe, FE_GET_FEATURES, features);
}

int
fe_set_features(struct frontend *fe, uint64_t features)
{
	return set_u64(fe, FE_SET_FEATURES, features);
}

int
fe_get_protocol_features(struct frontend *fe, uint64_t *features)
{
	return get_u64(fe, FE_GET_PROTOCOL_FEATURES, features);
}

int
fe_set_protocol_features(struct frontend *fe, uint64_t features)
{
	int rc = set_u64(fe, FE_SET_PROTOCOL_FEATURES, features);

	if (rc == 0)
		fe->protocol_features = features;
	return rc;
}

int
fe_get_queue_num(struct frontend *fe, uint64_t *nr_pairs)
{
	return get_u64(fe, FE_GET_QUEUE_NUM, nr_pairs);
}

int
fe_set_owner(struct frontend *fe)
{
	return fe_command(fe, FE_SET_OWNER, NULL, 0, NULL, 0);
}

int
fe_reset_owner(struct frontend *fe)
{
	return fe_command(fe, FE_RESET_OWNER, NULL, 0, NULL, 0);
}

int
fe_reset_device(struct frontend *fe)
{
	return fe_command(fe, FE_RESET_DEVICE, NULL, 0, NULL, 0);
}

/* What the frontend calls a place in guest memory, given both of its addresses. */
static uint64_t
frontend_address(const struct frontend *fe, uint64_t uva, uint64_t gpa)
{
	return (fe->protocol_features & 1u << FE_PROTOCOL_F_GPA_ADDRESSES) != 0 ? gpa : uva;
}

/* Returns how many bytes of the table count. */
static size_t
fill_table(const struct frontend *fe, struct fe_mem_table *table, int *fds,
	   const struct guest_memory *mem)
{
	*table = (struct fe_mem_table) {.nregions = mem->nregions};
	for (unsigned i = 0; i < mem->nregions; i++) {
		const struct guest_region *r = &mem->regions[i];

		table->regions[i] = (struct fe_mem_region) {
			.gpa = r->gpa,
			.size_bytes = r->size_bytes,
			.uva = frontend_address(fe, r->uva, r->gpa),
			.mmap_offset_bytes = r->mmap_offset_bytes,
		};
		fds[i] = r->fd;
	}
	return offsetof(struct fe_mem_table, regions) + mem->nregions * sizeof(table->regions[0]);
}

int
fe_set_mem_table(struct frontend *fe, const struct guest_memory *mem)
{
	struct fe_mem_table table;
	int fds[GUEST_MAX_REGIONS];
	size_t bytes = fill_table(fe, &table, fds, mem);

	return fe_command(fe, FE_SET_MEM_TABLE, &table, bytes, fds, mem->nregions);
}

int
fe_get_max_mem_slots(struct frontend *fe, uint64_t *slots)
{
	return get_u64(fe, FE_GET_MAX_MEM_SLOTS, slots);
}

static struct fe_mem_reg
mem_reg(const struct frontend *fe, const struct guest_region *r)
{
	return (struct fe_mem_reg) {.region = {
		.gpa = r->gpa,
		.size_bytes = r->size_bytes,
		.uva = frontend_address(fe, r->uva, r->gpa),
		.mmap_offset_bytes = r->mmap_offset_bytes,
	}};
}

int
fe_add_mem_reg(struct frontend *fe, const struct guest_region *region)
{
	struct fe_mem_reg reg = mem_reg(fe, region);

	return fe_command(fe, FE_ADD_MEM_REG, &reg, sizeof(reg), &region->fd, 1);
}

int
fe_rem_mem_reg(struct frontend *fe, const struct guest_region *region)
{
	struct fe_mem_reg reg = mem_reg(fe, region);

	return fe_command(fe, FE_REM_MEM_REG, &reg, sizeof(reg), NULL, 0);
}

static bool
has_slots(const struct frontend *fe)
{
	return (fe->protocol_features & (1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) != 0;
}

int
fe_postcopy_advise(struct frontend *fe, int *uffd)
{
	struct fe_msg reply;
	int rc = fe_request(fe, FE_POSTCOPY_ADVISE, NULL, 0, &reply);

	if (rc != 0)
		return rc;
	if (reply.nfds != 1) {
		fe_msg_close_fds(&reply);
		return -EPROTO;
	}
	*uffd = reply.fds[0];
	return 0;
}

int
fe_postcopy_listen(struct frontend *fe)
{
	int rc = fe_command(fe, FE_POSTCOPY_LISTEN, NULL, 0, NULL, 0);

	fe->postcopy = rc == 0;
	return rc;
}

int
fe_postcopy_end(struct frontend *fe)
{
	uint64_t answer = 0;
	int rc = get_u64(fe, FE_POSTCOPY_END, &answer);

	fe->postcopy = false;
	return rc != 0 ? rc : (int)answer;
}

/* Sends something with descriptors; the answer is as long as what was sent. */
static int
offer(struct frontend *fe, uint32_t request, const void *payload, size_t bytes, const int *fds,
      unsigned nfds, struct fe_msg *reply)
{
	int rc = fe_send(fe, request, FE_FLAG_VERSION, payload, bytes, fds, nfds);

	if (rc == 0)
		rc = fe_recv(fe, reply);
	if (rc != 0)
		return rc;
	fe_msg_close_fds(reply);
	return reply->header.request == request && reply->header.size_bytes == bytes ? 0 : -EBADMSG;
}

int
fe_offer_memory(struct frontend *fe, const struct guest_memory *mem)
{
	struct fe_mem_table table, got;
	int fds[GUEST_MAX_REGIONS];
	size_t bytes = fill_table(fe, &table, fds, mem);
	struct fe_msg reply;
	int rc = 0;

	if (has_slots(fe)) {
		for (unsigned i = 0; rc == 0 && i < mem->nregions; i++) {
			struct fe_mem_reg reg = mem_reg(fe, &mem->regions[i]);

			rc = offer(fe, FE_ADD_MEM_REG, &reg, sizeof(reg), &fds[i], 1, &reply);
			memcpy(&reg, reply.bytes, sizeof(reg));
			fe->backend_at[i] = reg.region.uva;
		}
		return rc;
	}
	rc = offer(fe, FE_SET_MEM_TABLE, &table, bytes, fds, mem->nregions, &reply);
	memcpy(&got, reply.bytes, sizeof(got));
	for (unsigned i = 0; rc == 0 && i < mem->nregions; i++)
		fe->backend_at[i] = got.regions[i].uva;
	return rc;
}

int
fe_ack_memory(struct frontend *fe)
{
	const uint64_t good = 0;

	return fe_send(fe, has_slots(fe) ? FE_ADD_MEM_REG : FE_SET_MEM_TABLE, FE_FLAG_VERSION, &good,
		       sizeof(good), NULL, 0);
}

int
fe_add_memory(struct frontend *fe, const struct guest_memory *mem)
{
	int rc = 0;

	if (fe->postcopy) {
		rc = fe_offer_memory(fe, mem);
		return rc != 0 ? rc : fe_ack_memory(fe);
	}
	if (!has_slots(fe))
		return fe_set_mem_table(fe, mem);
	for (unsigned i = 0; rc == 0 && i < mem->nregions; i++)
		rc = fe_add_mem_reg(fe, &mem->regions[i]);
	return rc;
}

int
fe_set_vring_num(struct frontend *fe, uint32_t index, uint32_t num)
{
	return set_state(fe, FE_SET_VRING_NUM, index, num);
}

int
fe_set_vring_base(struct frontend *fe, uint32_t index, uint32_t base)
{
	return set_state(fe, FE_SET_VRING_BASE, index, base);
}

int
fe_get_vring_base(struct frontend *fe, uint32_t index, uint32_t *base)
{
	struct fe_vring_state state = {.index = index};
	struct fe_msg reply;
	int rc = fe_request(fe, FE_GET_VRING_BASE, &state, sizeof(state), &reply);

	if (rc != 0)
		return rc;
	fe_msg_close_fds(&reply);
	if (reply.header.size_bytes != sizeof(reply.state) || reply.state.index != index)
		return -EBADMSG;
	if (base != NULL)
		*base = reply.state.num;
	return 0;
}

int
fe_set_vring_addr(struct frontend *fe, const struct fe_vring_addr *addr)
{
	return fe_command(fe, FE_SET_VRING_ADDR, addr, sizeof(*addr), NULL, 0);
}

int
fe_set_vring_kick(struct frontend *fe, uint32_t index, int fd)
{
	return set_vring_fd(fe, FE_SET_VRING_KICK, index, fd);
}

int
fe_set_vring_call(struct frontend *fe, uint32_t index, int fd)
{
	return set_vring_fd(fe, FE_SET_VRING_CALL, index, fd);
}

int
fe_set_vring_err(struct frontend *fe, uint32_t index, int fd)
{
	return set_vring_fd(fe, FE_SET_VRING_ERR, index, fd);
}

int
fe_set_vring_enable(struct frontend *fe, uint32_t index, bool enable)
{
	return set_state(fe, FE_SET_VRING_ENABLE, index, enable);
}

int
fe_net_set_mtu(struct frontend *fe, uint64_t mtu_bytes)
{
	return set_u64(fe, FE_NET_SET_MTU, mtu_bytes);
}

int
fe_get_inflight_fd(struct frontend *fe, uint16_t nr_queues, uint16_t queue_size)
{
	struct fe_inflight wanted = {.nr_queues = nr_queues, .queue_size = queue_size};
	struct fe_msg reply;
	int rc = fe_request(fe, FE_GET_INFLIGHT_FD, &wanted, sizeof(wanted), &reply);

	if (rc != 0)
		return rc;
	if (reply.header.size_bytes != sizeof(fe->inflight) || reply.nfds != 1) {
		fe_msg_close_fds(&reply);
		return -EBADMSG;
	}
	if (fe->inflight.size_bytes != 0)
		close(fe->inflight_fd);
	memcpy(&fe->inflight, reply.bytes, sizeof(fe->inflight));
	fe->inflight_fd = reply.fds[0];
	return 0;
}

int
fe_set_inflight_fd(struct frontend *fe)
{
	return fe_command(fe, FE_SET_INFLIGHT_FD, &fe->inflight, sizeof(fe->inflight),
			  &fe->inflight_fd, 1);
}

int
fe_iotlb(struct frontend *fe, uint8_t type, uint64_t iova, uint64_t size_bytes, uint64_t uva,
	 uint8_t access)
{
	const struct fe_iotlb msg = {
		.iova = iova, .size_bytes = size_bytes, .uva = uva, .access = access, .type = type,
	};

	return fe_request_ack(fe, FE_IOTLB_MSG, &msg, sizeof(msg), NULL, 0);
}

int
fe_send_rarp(struct frontend *fe, const uint8_t mac[6])
{
	uint64_t value = 0;

	memcpy(&value, mac, 6);
	return set_u64(fe, FE_SEND_RARP, value);
}

int
fe_set_status(struct frontend *fe, uint64_t status)
{
	return set_u64(fe, FE_SET_STATUS, status);
}

int
fe_get_status(struct frontend *fe, uint64_t *status)
{
	return get_u64(fe, FE_GET_STATUS, status);
}

int
fe_set_backend_req_fd(struct frontend *fe)
{
	int pair[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	rc = fe_command(fe, FE_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1);
	close(pair[1]);
	if (rc != 0) {
		close(pair[0]);
		return rc;
	}
	if (fe->backend_fd >= 0)
		close(fe->backend_fd);
	fe->backend_fd = pair[0];
	return 0;
}

int
fe_negotiate(struct frontend *fe, const struct fe_config *config)
{
	uint64_t wanted = config->features | fe_extra_features;
	uint64_t wanted_protocol = config->protocol_features;
	uint64_t nr_pairs;
	int rc = fe_get_features(fe, &fe->offered);

	if (rc != 0)
		return rc;
	if (wanted_protocol == 0)
		wanted_protocol = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK;
	if (config->inflight)
		wanted_protocol |= 1u << FE_PROTOCOL_F_INFLIGHT_SHMFD;
	if (!config->no_protocol_features)
		wanted |= FE_F_PROTOCOL_FEATURES;
	fe->features = wanted & fe->offered;
	if (fe->features & FE_F_PROTOCOL_FEATURES) {
		rc = fe_get_protocol_features(fe, &fe->protocol_offered);
		if (rc == 0)
			rc = fe_set_protocol_features(fe, wanted_protocol & fe->protocol_offered);
		if (rc == 0 && fe->protocol_features & (1u << FE_PROTOCOL_F_MQ))
			rc = fe_get_queue_num(fe, &nr_pairs);
	}
	if (rc == 0)
		rc = fe_set_owner(fe);
	return rc != 0 ? rc : fe_set_features(fe, fe->features);
}

int
fe_build(struct frontend *fe, const struct fe_config *config)
{
	static const struct guest_region_spec default_region = {.size_bytes = 64u << 20};
	uint16_t ring_size = config->ring_size != 0 ? config->ring_size : 256;
	int rc;

	if (fe->mem.nregions == 0) {
		rc = guest_memory_create(&fe->mem,
					 config->nregions ? config->regions : &default_region,
					 config->nregions ? config->nregions : 1);
		if (rc != 0)
			return rc;
	}
	if (fe->vqs != NULL)
		return 0;
	fe->nr_vqs = config->nr_queues;
	if (fe->nr_vqs == 0)
		fe->nr_vqs = 2 * (config->nr_pairs != 0 ? config->nr_pairs : 1);
	fe->vqs = calloc(fe->nr_vqs, sizeof(*fe->vqs));
	if (fe->vqs == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < fe->nr_vqs; i++) {
		rc = guest_ring_init(&fe->vqs[i],
				     fe->features & FE_F_RING_PACKED ? &guest_packed : &guest_split,
				     &fe->mem, ring_size);
		if (rc != 0) {
			fe->nr_vqs = i;
			return rc;
		}
		fe->vqs[i].event_idx = (fe->features & FE_F_EVENT_IDX) != 0;
		fe->vqs[i].in_order = (fe->features & FE_F_IN_ORDER) != 0;
		if (config->base != 0)
			guest_ring_reset(&fe->vqs[i], config->base);
	}
	return 0;
}

static uint64_t
ring_address(const struct frontend *fe, uint64_t gpa)
{
	return frontend_address(fe, guest_uva(&fe->mem, gpa), gpa);
}

int
fe_start_vring(struct frontend *fe, unsigned index)
{
	struct guest_ring *vq = &fe->vqs[index];
	struct fe_vring_addr addr = {
		.index = index,
		.desc_uva = ring_address(fe, vq->desc_gpa),
		.used_uva = ring_address(fe, vq->used_gpa),
		.avail_uva = ring_address(fe, vq->avail_gpa),
		.log_gpa = vq->used_gpa,
	};
	int rc = fe_set_vring_num(fe, index, vq->size);

	if (rc == 0)
		rc = fe_set_vring_base(fe, index, guest_ring_base(vq));
	if (rc == 0)
		rc = fe_set_vring_addr(fe, &addr);
	if (rc == 0)
		rc = fe_set_vring_err(fe, index, vq->errfd);
	if (rc == 0)
		rc = fe_set_vring_kick(fe, index, vq->kickfd);
	if (rc == 0)
		rc = fe_set_vring_call(fe, index, vq->callfd);
	return rc;
}

int
fe_start(struct frontend *fe, const struct fe_config *config)
{
	int rc = 0;

	if (config->inflight && fe->inflight.size_bytes == 0)
		rc = fe_get_inflight_fd(fe, (uint16_t)fe->nr_vqs, fe->vqs[0].size);
	if (rc == 0 && config->inflight)
		rc = fe_set_inflight_fd(fe);
	if (rc == 0)
		rc = fe_add_memory(fe, &fe->mem);
	for (unsigned i = 0; rc == 0 && i < fe->nr_vqs; i++)
		rc = fe_start_vring(fe, i);
	for (unsigned i = 0; rc == 0 && !config->no_enable &&
			     fe->features & FE_F_PROTOCOL_FEATURES && i < fe->nr_vqs; i++)
		rc = fe_set_vring_enable(fe, i, true);
	return rc != 0 ? rc : fe_sync(fe);
}

int
fe_setup(struct frontend *fe, const struct fe_config *config)
{
	int rc = fe_negotiate(fe, config);

	if (rc == 0)
		rc = fe_build(fe, config);
	return rc != 0 ? rc : fe_start(fe, config);
}

int
fe_stop(struct frontend *fe, uint32_t *bases)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < fe->nr_vqs; i++)
		rc = fe_get_vring_base(fe, i, bases != NULL ? &bases[i] : NULL);
	return rc;
}

void
fe_close(struct frontend *fe)
{
	fe_disconnect(fe);
	for (unsigned i = 0; i < fe->nr_vqs; i++)
		guest_ring_fini(&fe->vqs[i]);
	free(fe->vqs);
	if (fe->mem.nregions > 0)
		guest_memory_destroy(&fe->mem);
	if (fe->inflight.size_bytes != 0)
		close(fe->inflight_fd);
	fe_init(fe);
}
