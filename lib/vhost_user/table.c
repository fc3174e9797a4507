/* SPDX-License-Identifier: BSD-3-Clause */
#include "table.h"

#define NO_PAYLOAD .size_min_bytes = 0, .size_max_bytes = 0
#define PAYLOAD(member)                                           \
	.size_min_bytes = sizeof(((union vhu_payload *)0)->member), \
	.size_max_bytes = sizeof(((union vhu_payload *)0)->member)
#define PROTO(f) BIT(VHOST_USER_PROTOCOL_F_##f)

/* clang-format off */
const struct vhu_spec vhu_table[VHU_REQUEST_COUNT] = {
	[VHU_GET_FEATURES] = {
		"GET_FEATURES", NO_PAYLOAD, .reply = VHU_REPLY_BODY, .handle = vhu_get_features },
	[VHU_SET_FEATURES] = {
		"SET_FEATURES", PAYLOAD(u64), .scope = VHU_SCOPE_ALL, .handle = vhu_set_features },
	[VHU_SET_OWNER] = {
		"SET_OWNER", NO_PAYLOAD, .handle = vhu_set_owner },
	[VHU_RESET_OWNER] = {
		"RESET_OWNER", NO_PAYLOAD, .scope = VHU_SCOPE_ALL,
		.conditions = VHU_STOPS_DEVICE, .handle = vhu_reset_owner },
	[VHU_SET_MEM_TABLE] = {
		"SET_MEM_TABLE",
		.size_min_bytes = offsetof(struct vhu_mem_table, regions[1]),
		.size_max_bytes = sizeof(struct vhu_mem_table),
		.fds_min = 1, .fds_max = VHU_REGIONS_MAX, .scope = VHU_SCOPE_ALL,
		.conditions = VHU_PAUSES_CHANNELS | VHU_MOVES_MEMORY,
		.validate = vhu_valid_mem_table,
		.prepare = vhu_map_mem_table, .handle = vhu_swap_memory },
	[VHU_SET_LOG_BASE] = {
		"SET_LOG_BASE", PAYLOAD(log), .fds_min = 1, .fds_max = 1, .scope = VHU_SCOPE_ALL,
		.reply = VHU_REPLY_BODY, .needs_protocol = PROTO(LOG_SHMFD),
		.handle = vhu_set_log_base },
	[VHU_SET_LOG_FD] = {
		"SET_LOG_FD", NO_PAYLOAD, .fds_min = 1, .fds_max = 1, .scope = VHU_SCOPE_ALL,
		.handle = vhu_set_log_fd },
	[VHU_SET_VRING_NUM] = {
		"SET_VRING_NUM", PAYLOAD(state), .index = VHU_INDEX_STATE, .scope = VHU_SCOPE_RING,
		.conditions = VHU_NEEDS_RING_STOPPED,
		.validate = vhu_valid_vring_num, .handle = vhu_set_vring_num },
	[VHU_SET_VRING_ADDR] = {
		"SET_VRING_ADDR", PAYLOAD(addr), .index = VHU_INDEX_ADDR, .scope = VHU_SCOPE_RING,
		.conditions = VHU_NEEDS_MEMORY, .handle = vhu_set_vring_addr },
	[VHU_SET_VRING_BASE] = {
		"SET_VRING_BASE", PAYLOAD(state), .index = VHU_INDEX_STATE, .scope = VHU_SCOPE_RING,
		.conditions = VHU_NEEDS_RING_STOPPED, .handle = vhu_set_vring_base },
	[VHU_GET_VRING_BASE] = {
		"GET_VRING_BASE", PAYLOAD(state), .index = VHU_INDEX_STATE, .scope = VHU_SCOPE_RING,
		.reply = VHU_REPLY_BODY, .conditions = VHU_STOPS_DEVICE,
		.handle = vhu_get_vring_base },
	[VHU_SET_VRING_KICK] = {
		"SET_VRING_KICK", PAYLOAD(u64), .fds_max = 1, .index = VHU_INDEX_U64,
		.scope = VHU_SCOPE_RING,
		.validate = vhu_valid_vring_fd, .handle = vhu_set_vring_kick },
	[VHU_SET_VRING_CALL] = {
		"SET_VRING_CALL", PAYLOAD(u64), .fds_max = 1, .index = VHU_INDEX_U64,
		.scope = VHU_SCOPE_RING,
		.validate = vhu_valid_vring_fd, .handle = vhu_set_vring_call },
	[VHU_SET_VRING_ERR] = {
		"SET_VRING_ERR", PAYLOAD(u64), .fds_max = 1, .index = VHU_INDEX_U64,
		.scope = VHU_SCOPE_RING,
		.validate = vhu_valid_vring_fd, .handle = vhu_set_vring_err },
	[VHU_GET_PROTOCOL_FEATURES] = {
		"GET_PROTOCOL_FEATURES", NO_PAYLOAD, .reply = VHU_REPLY_BODY,
		.handle = vhu_get_protocol_features },
	[VHU_SET_PROTOCOL_FEATURES] = {
		"SET_PROTOCOL_FEATURES", PAYLOAD(u64), .handle = vhu_set_protocol_features },
	[VHU_GET_QUEUE_NUM] = {
		"GET_QUEUE_NUM", NO_PAYLOAD, .reply = VHU_REPLY_BODY,
		.needs_protocol = PROTO(MQ), .handle = vhu_get_queue_num },
	[VHU_SET_VRING_ENABLE] = {
		"SET_VRING_ENABLE", PAYLOAD(state), .index = VHU_INDEX_STATE,
		.scope = VHU_SCOPE_RING,
		.validate = vhu_valid_vring_enable, .handle = vhu_set_vring_enable },
	[VHU_SEND_RARP] = {
		"SEND_RARP", PAYLOAD(u64), .needs_protocol = PROTO(RARP), .handle = vhu_send_rarp },
	[VHU_NET_SET_MTU] = {
		"NET_SET_MTU", PAYLOAD(u64), .needs_protocol = PROTO(NET_MTU),
		.validate = vhu_valid_mtu, .handle = vhu_set_mtu },
	[VHU_SET_BACKEND_REQ_FD] = {
		"SET_BACKEND_REQ_FD", NO_PAYLOAD, .fds_min = 1, .fds_max = 1,
		.needs_protocol = PROTO(BACKEND_REQ), .handle = vhu_set_backend_req_fd },
	[VHU_IOTLB_MSG] = {
		"IOTLB_MSG", PAYLOAD(iotlb), .scope = VHU_SCOPE_ALL, .reply = VHU_REPLY_BODY,
		.conditions = VHU_NEEDS_MEMORY | VHU_NEEDS_IOMMU,
		.validate = vhu_valid_iotlb, .prepare = vhu_prepare_iotlb, .handle = vhu_iotlb },
	[VHU_GET_CONFIG] = {
		"GET_CONFIG",
		.size_min_bytes = offsetof(struct vhu_config, space[1]),
		.size_max_bytes = sizeof(struct vhu_config),
		.reply = VHU_REPLY_BODY, .needs_protocol = PROTO(CONFIG),
		.validate = vhu_valid_config, .handle = vhu_get_config },
	[VHU_SET_CONFIG] = {
		"SET_CONFIG",
		.size_min_bytes = offsetof(struct vhu_config, space[1]),
		.size_max_bytes = sizeof(struct vhu_config),
		.needs_protocol = PROTO(CONFIG),
		.validate = vhu_valid_config, .handle = vhu_set_config },
	[VHU_CREATE_CRYPTO_SESSION] = {
		"CREATE_CRYPTO_SESSION",
		.size_min_bytes = sizeof(struct vhu_crypto_first),
		.size_max_bytes = sizeof(struct vhu_crypto_third), .size_either = true,
		.scope = VHU_SCOPE_ALL, .reply = VHU_REPLY_BODY,
		.needs_protocol = PROTO(CRYPTO_SESSION), .handle = vhu_create_crypto_session },
	[VHU_CLOSE_CRYPTO_SESSION] = {
		"CLOSE_CRYPTO_SESSION", PAYLOAD(u64), .scope = VHU_SCOPE_ALL,
		.needs_protocol = PROTO(CRYPTO_SESSION), .handle = vhu_close_crypto_session },
	[VHU_POSTCOPY_ADVISE] = {
		"POSTCOPY_ADVISE", NO_PAYLOAD, .reply = VHU_REPLY_BODY,
		.conditions = VHU_NEEDS_NO_LISTEN, .needs_protocol = PROTO(PAGEFAULT),
		.handle = vhu_postcopy_advise },
	[VHU_POSTCOPY_LISTEN] = {
		"POSTCOPY_LISTEN", NO_PAYLOAD,
		.conditions = VHU_NEEDS_ADVISE | VHU_NEEDS_NO_LISTEN | VHU_NEEDS_NO_MEMORY,
		.needs_protocol = PROTO(PAGEFAULT), .handle = vhu_postcopy_listen },
	[VHU_POSTCOPY_END] = {
		"POSTCOPY_END", NO_PAYLOAD, .reply = VHU_REPLY_BODY,
		.needs_protocol = PROTO(PAGEFAULT), .handle = vhu_postcopy_end },
	[VHU_GET_INFLIGHT_FD] = {
		"GET_INFLIGHT_FD", PAYLOAD(inflight), .reply = VHU_REPLY_BODY,
		.needs_protocol = PROTO(INFLIGHT_SHMFD),
		.validate = vhu_valid_inflight, .handle = vhu_get_inflight_fd },
	[VHU_SET_INFLIGHT_FD] = {
		"SET_INFLIGHT_FD", PAYLOAD(inflight), .fds_min = 1, .fds_max = 1,
		.needs_protocol = PROTO(INFLIGHT_SHMFD), .conditions = VHU_NEEDS_ALL_STOPPED,
		.validate = vhu_valid_inflight, .handle = vhu_set_inflight_fd },
	[VHU_RESET_DEVICE] = {
		"RESET_DEVICE", NO_PAYLOAD, .scope = VHU_SCOPE_ALL,
		.conditions = VHU_STOPS_DEVICE, .needs_protocol = PROTO(RESET_DEVICE),
		.handle = vhu_reset_device },
	[VHU_GET_MAX_MEM_SLOTS] = {
		"GET_MAX_MEM_SLOTS", NO_PAYLOAD, .reply = VHU_REPLY_BODY,
		.needs_protocol = PROTO(CONFIGURE_MEM_SLOTS), .handle = vhu_get_max_mem_slots },
	[VHU_ADD_MEM_REG] = {
		"ADD_MEM_REG", PAYLOAD(reg), .fds_min = 1, .fds_max = 1, .scope = VHU_SCOPE_ALL,
		.conditions = VHU_MOVES_MEMORY,
		.needs_protocol = PROTO(CONFIGURE_MEM_SLOTS),
		.prepare = vhu_map_mem_reg, .handle = vhu_swap_memory },
	[VHU_REM_MEM_REG] = { /* a descriptor is none of its business, but some frontends send one */
		"REM_MEM_REG", PAYLOAD(reg), .fds_max = 1, .scope = VHU_SCOPE_ALL,
		.conditions = VHU_NEEDS_NO_PROPOSAL | VHU_PAUSES_CHANNELS | VHU_MOVES_MEMORY,
		.needs_protocol = PROTO(CONFIGURE_MEM_SLOTS),
		.prepare = vhu_unmap_mem_reg, .handle = vhu_swap_memory },
	[VHU_SET_STATUS] = {
		"SET_STATUS", PAYLOAD(u64), .needs_protocol = PROTO(STATUS),
		.validate = vhu_valid_status, .handle = vhu_set_status },
	[VHU_GET_STATUS] = {
		"GET_STATUS", NO_PAYLOAD, .reply = VHU_REPLY_BODY, .needs_protocol = PROTO(STATUS),
		.handle = vhu_get_status },
	[VHU_SET_DEVICE_STATE_FD] = {
		"SET_DEVICE_STATE_FD", PAYLOAD(transfer), .fds_min = 1, .fds_max = 1,
		.reply = VHU_REPLY_BODY, .needs_protocol = PROTO(DEVICE_STATE),
		.handle = vhu_set_device_state_fd },
	[VHU_CHECK_DEVICE_STATE] = {
		"CHECK_DEVICE_STATE", NO_PAYLOAD, .scope = VHU_SCOPE_ALL,
		.reply = VHU_REPLY_BODY, .needs_protocol = PROTO(DEVICE_STATE),
		.handle = vhu_check_device_state },
	[VHU_GET_VRING_BASE_SKIP_DRAIN] = { /* whether it drains is the application's */
		"GET_VRING_BASE_SKIP_DRAIN", PAYLOAD(state), .index = VHU_INDEX_STATE,
		.scope = VHU_SCOPE_RING,
		.reply = VHU_REPLY_BODY, .conditions = VHU_STOPS_DEVICE,
		.needs_protocol = PROTO(INFLIGHT_SHMFD) | PROTO(GET_VRING_BASE_INFLIGHT) |
				  PROTO(GET_VRING_BASE_SKIP_DRAIN),
		.handle = vhu_get_vring_base },
};

#define MEM_ACK(message)                                                                   \
	{ message, .size_min_bytes = 0, .size_max_bytes = sizeof(uint64_t),                \
	  .scope = VHU_SCOPE_ALL, .conditions = VHU_NEEDS_PROPOSAL,                        \
	  .validate = vhu_valid_mem_ack, .handle = vhu_take_proposal }

const struct vhu_spec vhu_postcopy_table[VHU_REQUEST_COUNT] = {
	[VHU_SET_MEM_TABLE] = {
		"SET_MEM_TABLE",
		.size_min_bytes = offsetof(struct vhu_mem_table, regions[1]),
		.size_max_bytes = sizeof(struct vhu_mem_table),
		.fds_min = 1, .fds_max = VHU_REGIONS_MAX, .reply = VHU_REPLY_BODY,
		.validate = vhu_valid_mem_table,
		.prepare = vhu_map_mem_table, .handle = vhu_offer_mem_table },
	[VHU_ADD_MEM_REG] = {
		"ADD_MEM_REG", PAYLOAD(reg), .fds_min = 1, .fds_max = 1, .reply = VHU_REPLY_BODY,
		.needs_protocol = PROTO(CONFIGURE_MEM_SLOTS),
		.prepare = vhu_map_mem_reg, .handle = vhu_offer_mem_reg },
};

const struct vhu_spec vhu_postcopy_acks[VHU_REQUEST_COUNT] = {
	[VHU_SET_MEM_TABLE] = MEM_ACK("SET_MEM_TABLE"),
	[VHU_ADD_MEM_REG] = MEM_ACK("ADD_MEM_REG"),
};
/* clang-format on */

const struct vhu_spec *vhu_line(const struct device *dev, uint32_t request, unsigned int nr_fds)
{
	const struct vhu_spec *spec = vhu_spec_of(request);

	if (spec == NULL || !dev->postcopy.listening || vhu_postcopy_table[request].name == NULL)
		return spec;
	return nr_fds == 0 ? &vhu_postcopy_acks[request] : &vhu_postcopy_table[request];
}
