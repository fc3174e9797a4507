/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scripted vhost-user frontend, written from the vhost-user specification. Used by flow, message
 * and hostile tests, fuzzers and the bench against any backend (ours or the stock one). libc only.
 *
 * Three levels: raw bytes and fds (fe_send_raw), whole messages (fe_send, fe_recv, fe_request) and
 * one typed helper a message. On top, fe_setup() brings N queue pairs up the way QEMU does.
 *
 * Results: 0 success, > 0 the backend answered a need_reply with that value (refused), < 0 -errno
 * (-ETIMEDOUT no answer in time, -ECONNRESET the backend closed the connection). One thread at a
 * time per frontend.
 */
#ifndef HARNESS_FRONTEND_H
#define HARNESS_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest_memory.h"
#include "guest_packed.h"
#include "guest_split.h"

enum fe_request {
	FE_GET_FEATURES = 1,
	FE_SET_FEATURES = 2,
	FE_SET_OWNER = 3,
	FE_RESET_OWNER = 4,
	FE_SET_MEM_TABLE = 5,
	FE_SET_LOG_BASE = 6,
	FE_SET_LOG_FD = 7,
	FE_SET_VRING_NUM = 8,
	FE_SET_VRING_ADDR = 9,
	FE_SET_VRING_BASE = 10,
	FE_GET_VRING_BASE = 11,
	FE_SET_VRING_KICK = 12,
	FE_SET_VRING_CALL = 13,
	FE_SET_VRING_ERR = 14,
	FE_GET_PROTOCOL_FEATURES = 15,
	FE_SET_PROTOCOL_FEATURES = 16,
	FE_GET_QUEUE_NUM = 17,
	FE_SET_VRING_ENABLE = 18,
	FE_SEND_RARP = 19,
	FE_NET_SET_MTU = 20,
	FE_SET_BACKEND_REQ_FD = 21,
	FE_IOTLB_MSG = 22,
	FE_GET_CONFIG = 24,
	FE_SET_CONFIG = 25,
	FE_CREATE_CRYPTO_SESSION = 26,
	FE_CLOSE_CRYPTO_SESSION = 27,
	FE_POSTCOPY_ADVISE = 28,
	FE_POSTCOPY_LISTEN = 29,
	FE_POSTCOPY_END = 30,
	FE_GET_INFLIGHT_FD = 31,
	FE_SET_INFLIGHT_FD = 32,
	FE_RESET_DEVICE = 34,
	FE_GET_MAX_MEM_SLOTS = 36,
	FE_ADD_MEM_REG = 37,
	FE_REM_MEM_REG = 38,
	FE_SET_STATUS = 39,
	FE_GET_STATUS = 40,
	FE_SET_DEVICE_STATE_FD = 42,
	FE_CHECK_DEVICE_STATE = 43,
	FE_GET_VRING_BASE_SKIP_DRAIN = 45,
};

/* Header flags. */
enum {
	FE_FLAG_VERSION = 1,
	FE_FLAG_REPLY = 4,
	FE_FLAG_NEED_REPLY = 8,
};

/* Protocol feature bits. */
enum {
	FE_PROTOCOL_F_MQ = 0,
	FE_PROTOCOL_F_LOG_SHMFD = 1,
	FE_PROTOCOL_F_RARP = 2,
	FE_PROTOCOL_F_REPLY_ACK = 3,
	FE_PROTOCOL_F_NET_MTU = 4,
	FE_PROTOCOL_F_BACKEND_REQ = 5,
	FE_PROTOCOL_F_CRYPTO_SESSION = 7,
	FE_PROTOCOL_F_PAGEFAULT = 8,
	FE_PROTOCOL_F_CONFIG = 9,
	FE_PROTOCOL_F_BACKEND_SEND_FD = 10,
	FE_PROTOCOL_F_INFLIGHT_SHMFD = 12,
	FE_PROTOCOL_F_RESET_DEVICE = 13,
	FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
	FE_PROTOCOL_F_STATUS = 16,
	FE_PROTOCOL_F_DEVICE_STATE = 19,
	FE_PROTOCOL_F_GPA_ADDRESSES = 21,
};

/* Virtio feature bits, as masks. */
#define FE_F_CSUM (1ULL << 0)
#define FE_F_GUEST_CSUM (1ULL << 1)
#define FE_F_MTU (1ULL << 3)
#define FE_F_GUEST_TSO4 (1ULL << 7)
#define FE_F_GUEST_TSO6 (1ULL << 8)
#define FE_F_GUEST_ECN (1ULL << 9)
#define FE_F_GUEST_UFO (1ULL << 10)
#define FE_F_HOST_TSO4 (1ULL << 11)
#define FE_F_HOST_TSO6 (1ULL << 12)
#define FE_F_HOST_ECN (1ULL << 13)
#define FE_F_HOST_UFO (1ULL << 14)
#define FE_F_MRG_RXBUF (1ULL << 15)
#define FE_F_CTRL_VQ (1ULL << 17)
#define FE_F_MQ (1ULL << 22)
#define FE_F_LOG_ALL (1ULL << 26)
#define FE_F_ANY_LAYOUT (1ULL << 27)
#define FE_F_INDIRECT_DESC (1ULL << 28)
#define FE_F_EVENT_IDX (1ULL << 29)
#define FE_F_PROTOCOL_FEATURES (1ULL << 30)
#define FE_F_VERSION_1 (1ULL << 32)
#define FE_F_ACCESS_PLATFORM (1ULL << 33)
#define FE_F_RING_PACKED (1ULL << 34)
#define FE_F_IN_ORDER (1ULL << 35)
#define FE_F_RING_RESET (1ULL << 40)
#define FE_F_GUEST_USO4 (1ULL << 54)
#define FE_F_GUEST_USO6 (1ULL << 55)
#define FE_F_HOST_USO (1ULL << 56)
#define FE_F_HASH_REPORT (1ULL << 57)

/* Device status bits. */
enum {
	FE_STATUS_ACKNOWLEDGE = 1,
	FE_STATUS_DRIVER = 2,
	FE_STATUS_DRIVER_OK = 4,
	FE_STATUS_FEATURES_OK = 8,
	FE_STATUS_FAILED = 128,
};

#define FE_NOFD 0x100u /* in the u64 of KICK, CALL, ERR: no descriptor attached */
#define FE_MAX_FDS 64  /* more than the protocol allows, on purpose */
#define FE_MAX_QUEUES 256
#define FE_MAX_PAYLOAD_BYTES 4096

struct fe_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size_bytes;
};

struct fe_vring_state {
	uint32_t index;
	uint32_t num;
};

struct fe_vring_addr {
	uint32_t index;
	uint32_t flags; /* bit 0: log used writes */
	uint64_t desc_uva;
	uint64_t used_uva;
	uint64_t avail_uva;
	uint64_t log_gpa;
};

struct fe_mem_region {
	uint64_t gpa;
	uint64_t size_bytes;
	uint64_t uva;
	uint64_t mmap_offset_bytes;
};

struct fe_mem_table {
	uint32_t nregions;
	uint32_t padding;
	struct fe_mem_region regions[GUEST_MAX_REGIONS];
};

struct fe_mem_reg {
	uint64_t padding;
	struct fe_mem_region region;
};

struct fe_inflight {
	uint64_t size_bytes;
	uint64_t offset_bytes;
	uint16_t nr_queues;
	uint16_t queue_size;
	uint32_t padding;
};

/* What an IOTLB_MSG is about, in either direction. */
enum { FE_IOTLB_MISS = 1, FE_IOTLB_UPDATE, FE_IOTLB_INVALIDATE, FE_IOTLB_ACCESS_FAIL };
enum { FE_IOTLB_READ = 1, FE_IOTLB_WRITE = 2 };

struct fe_iotlb {
	uint64_t iova;
	uint64_t size_bytes;
	uint64_t uva;
	uint8_t access;
	uint8_t type;
	uint8_t padding[6];
};

/* A message received from the backend; the receiver closes fds. */
struct fe_msg {
	struct fe_header header;
	union {
		uint64_t u64;
		struct fe_vring_state state;
		uint8_t bytes[FE_MAX_PAYLOAD_BYTES];
	};
	int fds[FE_MAX_FDS];
	unsigned nfds;
};

struct frontend {
	int fd;		/* connection, -1 if none */
	int backend_fd; /* our end of the backend request channel, -1 if none */
	int timeout_ms;
	bool use_ack; /* once REPLY_ACK is negotiated, helpers set need_reply and return the answer */

	uint64_t offered, features;		       /* after fe_negotiate() */
	uint64_t protocol_offered, protocol_features;  /* same */

	bool postcopy; /* after fe_postcopy_listen(): memory is added in steps */
	uint64_t backend_at[GUEST_MAX_REGIONS]; /* then: where the backend has each region */
	struct fe_inflight inflight; /* the areas, kept over a reconnection; 0 bytes: none */
	int inflight_fd;

	struct guest_memory mem; /* by fe_setup(), or by the test before it */
	struct guest_ring *vqs; /* nr_vqs queues, by fe_setup() */
	unsigned nr_vqs;
};

/* Connections. fe_init() first; connect retries until the socket answers or timeout_ms pass. */
void fe_init(struct frontend *fe);
int fe_connect(struct frontend *fe, const char *path);
int fe_listen(const char *path); /* a listening socket for a client-mode backend, or -errno */
int fe_accept(struct frontend *fe, int listen_fd);
void fe_disconnect(struct frontend *fe); /* closes the sockets, keeps memory and queues */
void fe_close(struct frontend *fe);	 /* fe_disconnect() and frees everything */

/* Raw level. Short and oversized writes are the caller's business. */
int fe_send_raw(struct frontend *fe, const void *bytes, size_t len_bytes, const int *fds,
		unsigned nfds);
int fe_recv_raw(struct frontend *fe, void *bytes, size_t len_bytes, int *fds, unsigned *nfds);

/* Whole messages. `declared_size_bytes` may differ from what is sent. */
int fe_send_declared(struct frontend *fe, uint32_t request, uint32_t flags,
		     uint32_t declared_size_bytes, const void *payload, size_t payload_bytes,
		     const int *fds, unsigned nfds);
int fe_send(struct frontend *fe, uint32_t request, uint32_t flags, const void *payload,
	    size_t payload_bytes, const int *fds, unsigned nfds);
int fe_recv(struct frontend *fe, struct fe_msg *msg);
/* Same from the backend request channel. */
int fe_recv_backend(struct frontend *fe, struct fe_msg *msg);
void fe_msg_close_fds(struct fe_msg *msg);
/* Sends and waits for the message's own reply (same request id, checked: -EBADMSG). */
int fe_request(struct frontend *fe, uint32_t request, const void *payload, size_t payload_bytes,
	       struct fe_msg *reply);
/* Sends with need_reply: the u64 answer as int, or -errno. */
int fe_request_ack(struct frontend *fe, uint32_t request, const void *payload,
		   size_t payload_bytes, const int *fds, unsigned nfds);
/* With ack if use_ack and negotiated, else without waiting. */
int fe_command(struct frontend *fe, uint32_t request, const void *payload, size_t payload_bytes,
	       const int *fds, unsigned nfds);
/* Returns when the backend has handled everything sent before (GET_FEATURES round trip). */
int fe_sync(struct frontend *fe);
/* True when the backend has closed the connection within timeout_ms. */
bool fe_closed_by_backend(struct frontend *fe, int timeout_ms);

/* One helper a message. */
int fe_get_features(struct frontend *fe, uint64_t *features);
int fe_set_features(struct frontend *fe, uint64_t features);
int fe_get_protocol_features(struct frontend *fe, uint64_t *features);
int fe_set_protocol_features(struct frontend *fe, uint64_t features);
int fe_get_queue_num(struct frontend *fe, uint64_t *nr_pairs);
int fe_set_owner(struct frontend *fe);
int fe_reset_owner(struct frontend *fe);
int fe_reset_device(struct frontend *fe);
int fe_set_mem_table(struct frontend *fe, const struct guest_memory *mem);
int fe_get_max_mem_slots(struct frontend *fe, uint64_t *slots);
int fe_add_mem_reg(struct frontend *fe, const struct guest_region *region);
int fe_rem_mem_reg(struct frontend *fe, const struct guest_region *region);
/* All of `mem`: in slots if they were negotiated, else as a table. */
int fe_add_memory(struct frontend *fe, const struct guest_memory *mem);
/* The backend's userfaultfd, for the caller to close; 0, -EPROTO (none came) or -errno. */
int fe_postcopy_advise(struct frontend *fe, int *uffd);
int fe_postcopy_listen(struct frontend *fe);
int fe_postcopy_end(struct frontend *fe); /* the backend's answer */
/* In postcopy: describes memory and fills backend_at; then the word that it may be used. */
int fe_offer_memory(struct frontend *fe, const struct guest_memory *mem);
int fe_ack_memory(struct frontend *fe);
int fe_set_vring_num(struct frontend *fe, uint32_t index, uint32_t num);
int fe_set_vring_base(struct frontend *fe, uint32_t index, uint32_t base);
int fe_get_vring_base(struct frontend *fe, uint32_t index, uint32_t *base);
int fe_set_vring_addr(struct frontend *fe, const struct fe_vring_addr *addr);
/* fd < 0 sends NOFD. */
int fe_set_vring_kick(struct frontend *fe, uint32_t index, int fd);
int fe_set_vring_call(struct frontend *fe, uint32_t index, int fd);
int fe_set_vring_err(struct frontend *fe, uint32_t index, int fd);
int fe_set_vring_enable(struct frontend *fe, uint32_t index, bool enable);
int fe_net_set_mtu(struct frontend *fe, uint64_t mtu_bytes);
/* Has the backend make areas for all queues, and keeps them. */
int fe_get_inflight_fd(struct frontend *fe, uint16_t nr_queues, uint16_t queue_size);
int fe_set_inflight_fd(struct frontend *fe);
/* Always answered. */
int fe_iotlb(struct frontend *fe, uint8_t type, uint64_t iova, uint64_t size_bytes, uint64_t uva,
	     uint8_t access);
int fe_send_rarp(struct frontend *fe, const uint8_t mac[6]);
int fe_set_status(struct frontend *fe, uint64_t status);
int fe_get_status(struct frontend *fe, uint64_t *status);
/* Creates a socket pair and hands one end over; messages arrive by fe_recv_backend(). */
int fe_set_backend_req_fd(struct frontend *fe);

/* Features that every frontend of the program wants besides those of its configuration. */
extern uint64_t fe_extra_features;

/* What fe_setup() shall build. Zero fields take the defaults in brackets. */
struct fe_config {
	uint64_t features;	    /* wanted, cut to what is offered; bit 30 is added */
	uint64_t protocol_features; /* wanted, cut likewise [MQ, REPLY_ACK] */
	bool no_protocol_features;  /* leave bit 30 out: a frontend of the first days */
	unsigned nr_pairs;	    /* [1] */
	unsigned nr_queues;	    /* [two a pair]; of devices that have no pairs */
	uint16_t ring_size;	    /* [256] */
	uint16_t base;		    /* chains that have gone through every ring before */
	const struct guest_region_spec *regions; /* [one of 64 MiB at 0] */
	unsigned nregions;
	bool inflight;	/* negotiate in-flight areas, have them made, give them with every start */
	bool no_enable; /* leave the rings disabled */
};

/* The steps of fe_setup(), for tests that stop in between. */
int fe_negotiate(struct frontend *fe, const struct fe_config *config);
int fe_build(struct frontend *fe, const struct fe_config *config); /* memory and rings, local */
int fe_start_vring(struct frontend *fe, unsigned index); /* num, base, addr, kick, call, err */
int fe_start(struct frontend *fe, const struct fe_config *config); /* table, rings, enable */
/* negotiate, build, start. */
int fe_setup(struct frontend *fe, const struct fe_config *config);
/* GET_VRING_BASE on every ring; bases may be NULL. */
int fe_stop(struct frontend *fe, uint32_t *bases);

#endif
