/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frontend without a socket: messages go straight into vhu_dispatch(), callbacks come back as a
 * line of text. Used by the tests of reconcile and by all message tests. Descriptors are duplicated
 * before they are handed over, so the test's own stay open and a leak shows in the count.
 */
#ifndef UNIT_SESSION_H
#define UNIT_SESSION_H

#include "guest_split.h"
#include "kit.h"
#include "vhost_user/dispatch.h"

#define SESSION_QUEUES 4
#define SESSION_RING_ENTRIES 64

/*
 * More than the table knows, so that new protocol bits are negotiated by themselves; but addresses
 * mean what they usually do.
 */
#define SESSION_PROTOCOL_FEATURES                                   \
	(UINT64_MAX & ~BIT(VHOST_USER_PROTOCOL_F_GPA_ADDRESSES) & \
	 ~BIT(VHOST_USER_PROTOCOL_F_HOST_NOTIFIER))
#define SESSION_FEATURES                                                                      \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VIRTIO_NET_F_MQ) | \
	 BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VHOST_F_LOG_ALL))

/* What may be agreed on besides. */
#define SESSION_OFFERED                                                        \
	(SESSION_FEATURES | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_F_RING_PACKED) | \
	 BIT(VIRTIO_F_IN_ORDER))

struct session {
	struct driver_config config; /* change before session_open() */
	struct device *dev;
	struct guest_memory mem;
	struct guest_ring vqs[SESSION_QUEUES];
	bool need_reply; /* ask for an answer to every message */
	uint64_t without_protocol; /* bits that session_negotiate() leaves out */
	uint64_t more_features;    /* and those that it adds */
	bool iommu; /* the guest has one; I/O virtual addresses are the physical ones */
	struct vhu_msg reply;
	int reply_fd; /* the last that came with one; -1: none */
	int new_device_returns;
	struct rte_vhost_user_extern_ops extern_ops; /* from session_open() on */
	/* Crypto sessions: what the backend was asked for last, and what it says. */
	struct session_desc crypto_asked;
	unsigned int crypto_opens;
	int64_t crypto_id;
	uint64_t crypto_closed;
	int crypto_close_returns;
	bool crypto_loud; /* it was called while data threads might have been at work */
	/* Looked at in every callback; may be NULL. */
	void (*on_callback)(struct session *s);
	/* Of the callbacks. */
	char events[1024];
	uint64_t features_in_callback;
	unsigned int ring_setups;
};

/* Defaults for config; then session_open() takes a device and makes guest memory. */
void session_init(struct session *s);
void session_open(struct session *s);
/* What a closed connection does: stops and releases the device. */
void session_close(struct session *s);

/*
 * 0: accepted, and answered if asked. 1: refused with an answer. < 0: refused, the connection has
 * to go. Checks that no descriptor is left in the bag and that a reply has the right header.
 */
int session_send(struct session *s, uint32_t request, const void *payload, uint32_t size_bytes,
		 const int *fds, unsigned int nr_fds);

int session_empty(struct session *s, uint32_t request);
int session_u64(struct session *s, uint32_t request, uint64_t value);
int session_state(struct session *s, uint32_t request, uint32_t index, uint32_t num);
/* fd < 0: none, and bit 8 says so. */
int session_fd(struct session *s, uint32_t request, uint32_t index, int fd);
int session_addr(struct session *s, uint32_t index);
struct vhu_vring_addr session_addr_of(const struct session *s, uint32_t index);
int session_mem_table(struct session *s, const struct guest_memory *mem);
int session_iotlb(struct session *s, uint8_t type, uint64_t at, uint64_t size_bytes, uint64_t to,
		  uint8_t access);
/* ADD_MEM_REG or REM_MEM_REG; fd < 0: none. */
int session_mem_reg(struct session *s, uint32_t request, const struct vhu_region *region, int fd);

/* The usual way up, step by step; each asserts that it is accepted. */
void session_negotiate(struct session *s);
void session_memory(struct session *s); /* with `iommu` all of it is mapped, to read and write */
void session_ring(struct session *s, uint32_t index); /* num, base, addr, err, kick, call */
void session_enable(struct session *s, uint32_t index, bool enable);
/* All of it for `nr_queues`; the device runs afterwards when that is two or more. */
void session_setup(struct session *s, unsigned int nr_queues);

/* A message handler whose configuration space may be written and reads as it was asked for. */
enum rte_vhost_msg_result session_config_space(int vid, void *msg);

/* The callbacks since the last look, as in "q0=1 q1=1 +dev". */
const char *session_events(struct session *s);
struct vq *session_vq(const struct session *s, unsigned int index);

#endif
