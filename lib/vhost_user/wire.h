/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user wire format (vhost-user protocol specification, "Message
 * Specification"): native byte order, a 12-byte header, then the payload.
 */
#ifndef VHOST_NG_WIRE_H
#define VHOST_NG_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum vhu_request {
	VHU_GET_FEATURES = 1,
	VHU_SET_FEATURES = 2,
	VHU_SET_OWNER = 3,
	VHU_RESET_OWNER = 4,
	VHU_SET_MEM_TABLE = 5,
	VHU_SET_LOG_BASE = 6,
	VHU_SET_LOG_FD = 7,
	VHU_SET_VRING_NUM = 8,
	VHU_SET_VRING_ADDR = 9,
	VHU_SET_VRING_BASE = 10,
	VHU_GET_VRING_BASE = 11,
	VHU_SET_VRING_KICK = 12,
	VHU_SET_VRING_CALL = 13,
	VHU_SET_VRING_ERR = 14,
	VHU_GET_PROTOCOL_FEATURES = 15,
	VHU_SET_PROTOCOL_FEATURES = 16,
	VHU_GET_QUEUE_NUM = 17,
	VHU_SET_VRING_ENABLE = 18,
	VHU_SEND_RARP = 19,
	VHU_NET_SET_MTU = 20,
	VHU_SET_BACKEND_REQ_FD = 21,
	VHU_IOTLB_MSG = 22,
	VHU_GET_CONFIG = 24,
	VHU_SET_CONFIG = 25,
	VHU_CREATE_CRYPTO_SESSION = 26,
	VHU_CLOSE_CRYPTO_SESSION = 27,
	VHU_POSTCOPY_ADVISE = 28,
	VHU_POSTCOPY_LISTEN = 29,
	VHU_POSTCOPY_END = 30,
	VHU_GET_INFLIGHT_FD = 31,
	VHU_SET_INFLIGHT_FD = 32,
	VHU_RESET_DEVICE = 34,
	VHU_GET_MAX_MEM_SLOTS = 36,
	VHU_ADD_MEM_REG = 37,
	VHU_REM_MEM_REG = 38,
	VHU_SET_STATUS = 39,
	VHU_GET_STATUS = 40,
	VHU_SET_DEVICE_STATE_FD = 42,
	VHU_CHECK_DEVICE_STATE = 43,
	VHU_GET_VRING_BASE_SKIP_DRAIN = 45,
	VHU_REQUEST_COUNT,
};

/* What we ask the frontend over the SET_BACKEND_REQ_FD socket. */
enum vhu_backend_request {
	VHU_BACKEND_IOTLB_MSG = 1,
	VHU_BACKEND_CONFIG_CHANGE_MSG = 2,
	VHU_BACKEND_VRING_HOST_NOTIFIER_MSG = 3,
};

#define VHU_VERSION 1u
#define VHU_FLAG_VERSION_MASK 3u
#define VHU_FLAG_REPLY 4u
#define VHU_FLAG_NEED_REPLY 8u

#define VHU_HEADER_BYTES 12u
#define VHU_VRING_INDEX_MASK 0xffu
#define VHU_VRING_NOFD 0x100u
#define VHU_REGIONS_MAX 8 /* of one SET_MEM_TABLE */
#define VHU_VRING_ADDR_F_LOG 1u
#define VHU_CONFIG_BYTES 256u
/* The largest payload of DPDK 22.11, which handlers of applications may rely on. */
#define VHU_EXTERN_BYTES 632u

struct vhu_vring_state {
	uint32_t index;
	uint32_t num;
};

struct vhu_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct vhu_region {
	uint64_t gpa;
	uint64_t size_bytes;
	uint64_t uva;
	uint64_t mmap_offset_bytes;
};

struct vhu_mem_table {
	uint32_t nr_regions;
	uint32_t padding;
	struct vhu_region regions[VHU_REGIONS_MAX];
};

struct vhu_log {
	uint64_t size_bytes;
	uint64_t offset_bytes;
};

/* One region, for ADD_MEM_REG and REM_MEM_REG. */
struct vhu_mem_reg {
	uint64_t padding;
	struct vhu_region region;
};

/* A piece of the device's configuration space. */
struct vhu_config {
	uint32_t offset_bytes;
	uint32_t size_bytes;
	uint32_t flags;
	uint8_t space[VHU_CONFIG_BYTES];
};

enum vhu_iotlb_type {
	VHU_IOTLB_MISS = 1,
	VHU_IOTLB_UPDATE = 2,
	VHU_IOTLB_INVALIDATE = 3,
	VHU_IOTLB_ACCESS_FAIL = 4,
};

/* One translation of a vIOMMU. */
struct vhu_iotlb {
	uint64_t iova;
	uint64_t size_bytes;
	uint64_t uva;
	uint8_t access; /* IOTLB_READ, IOTLB_WRITE */
	uint8_t type;   /* enum vhu_iotlb_type */
	uint8_t padding[6];
};

/* Where the doorbell of a queue is in the file that comes with it. */
struct vhu_vring_area {
	uint64_t index; /* VHU_VRING_NOFD: nowhere */
	uint64_t size_bytes;
	uint64_t offset_bytes;
};

/* The in-flight areas of all queues, in one file. */
struct vhu_inflight {
	uint64_t mmap_size_bytes;
	uint64_t mmap_offset_bytes;
	uint16_t nr_queues;
	uint16_t queue_size;
	uint32_t padding;
};

/* SET_DEVICE_STATE_FD: which way, and what the device does meanwhile. */
enum { VHU_STATE_SAVE = 0, VHU_STATE_LOAD = 1 };
enum { VHU_PHASE_STOPPED = 0 };

struct vhu_state_transfer {
	uint32_t direction;
	uint32_t phase;
};

/* Its answer: an error in the low byte, and whether a descriptor comes along. */
#define VHU_STATE_ERROR 1u
#define VHU_STATE_NOFD 0x100u

/*
 * CREATE_CRYPTO_SESSION: what it looks like is QEMU's to say (pointers of its own are in there), and
 * QEMU has had three ways. The first two are of one length.
 */
struct vhu_crypto_params {
	uint32_t cipher_algo;
	uint32_t cipher_key_bytes;
	uint32_t hash_algo;
	uint32_t digest_bytes;
	uint32_t auth_key_bytes;
	uint32_t aad_bytes;
	uint8_t op_type;
	uint8_t direction;
	uint8_t hash_mode;
	uint8_t chain_order;
};

struct vhu_crypto_keys {
	uint64_t pointers[2];
	uint8_t cipher[64];
	uint8_t auth[512];
};

/* QEMU up to 7.0; what DPDK 22.11 reads. */
struct vhu_crypto_first {
	int64_t session_id;
	uint32_t opcode;
	struct vhu_crypto_params params;
	struct vhu_crypto_keys keys;
};

/* QEMU 7.2. The service is not in it: ciphers and chains are all there is. */
struct vhu_crypto_second {
	int64_t session_id;
	struct vhu_crypto_params params;
	uint32_t padding;
	struct vhu_crypto_keys keys;
};

/* QEMU after that, and DPDK. */
struct vhu_crypto_third {
	uint64_t opcode; /* of which four bytes may be padding */
	struct vhu_crypto_params params;
	uint32_t padding;
	struct vhu_crypto_keys keys;
	uint8_t room[432]; /* asymmetric sessions have fields of their own up to here */
	int64_t session_id;
};

union vhu_crypto_session {
	struct vhu_crypto_first first;
	struct vhu_crypto_second second;
	struct vhu_crypto_third third;
};

union vhu_payload {
	uint64_t u64;
	struct vhu_vring_state state;
	struct vhu_vring_addr addr;
	struct vhu_mem_table mem;
	struct vhu_log log;
	struct vhu_mem_reg reg;
	struct vhu_iotlb iotlb;
	struct vhu_config config;
	struct vhu_inflight inflight;
	struct vhu_state_transfer transfer;
	union vhu_crypto_session session;
	uint8_t bytes[VHU_EXTERN_BYTES]; /* of messages that only the application knows */
};

#define VHU_PAYLOAD_MAX_BYTES sizeof(union vhu_payload)

struct vhu_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size_bytes;
};

/* Header and payload are read and written as two pieces of one message. */
struct vhu_msg {
	struct vhu_header hdr;
	union vhu_payload payload;
};

_Static_assert(sizeof(struct vhu_vring_addr) == 40, "as on the wire");
_Static_assert(sizeof(struct vhu_region) == 32, "as on the wire");
_Static_assert(sizeof(struct vhu_mem_reg) == 40, "as on the wire");
_Static_assert(sizeof(struct vhu_iotlb) == 32, "as on the wire");
_Static_assert(sizeof(struct vhu_inflight) == 24, "as on the wire");
_Static_assert(sizeof(struct vhu_state_transfer) == 8, "as on the wire");
_Static_assert(sizeof(struct vhu_crypto_first) == 632, "as on the wire");
_Static_assert(sizeof(struct vhu_crypto_second) == 632, "as on the wire");
_Static_assert(sizeof(struct vhu_crypto_third) == 1072, "as on the wire");
_Static_assert(sizeof(struct vhu_header) == VHU_HEADER_BYTES, "as on the wire");

#endif
