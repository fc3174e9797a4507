/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol as one table: a line per message. The dispatcher checks what a
 * line says before the handler runs; tests and the documentation are generated
 * from it.
 */
#ifndef VHOST_NG_TABLE_H
#define VHOST_NG_TABLE_H

#include "device/device.h"
#include "wire.h"

/* Where a payload names a queue. */
enum vhu_index {
	VHU_INDEX_NONE,
	VHU_INDEX_STATE, /* vhu_vring_state.index */
	VHU_INDEX_ADDR,  /* vhu_vring_addr.index */
	VHU_INDEX_U64,   /* low byte; bit 8: no descriptor follows */
};

/* What must be quiet while the handler runs. */
enum vhu_scope {
	VHU_SCOPE_NONE,
	VHU_SCOPE_RING, /* the queue it names */
	VHU_SCOPE_ALL,  /* every queue */
};

enum vhu_reply {
	VHU_REPLY_ACK,  /* u64 0 or 1, if negotiated and asked for */
	VHU_REPLY_BODY, /* the handler fills the reply; always sent */
};

/* When a message is legal; also what the device is told first. */
enum {
	VHU_NEEDS_MEMORY = 1 << 0,       /* SET_MEM_TABLE came before */
	VHU_NEEDS_RING_STOPPED = 1 << 1, /* the queue has not been kicked off */
	VHU_STOPS_DEVICE = 1 << 2,       /* destroy_device() is called first */
	VHU_NEEDS_ALL_STOPPED = 1 << 3,  /* no queue has been kicked off */
	VHU_NEEDS_IOMMU = 1 << 4,        /* VIRTIO_F_ACCESS_PLATFORM was agreed to */
	VHU_NEEDS_NO_MEMORY = 1 << 5,    /* no SET_MEM_TABLE or ADD_MEM_REG came before */
	VHU_NEEDS_ADVISE = 1 << 6,       /* POSTCOPY_ADVISE came before */
	VHU_NEEDS_NO_LISTEN = 1 << 7,    /* POSTCOPY_LISTEN did not, or POSTCOPY_END came after it */
	VHU_NEEDS_PROPOSAL = 1 << 8,     /* memory waits for the frontend's word */
	VHU_NEEDS_NO_PROPOSAL = 1 << 9,  /* none does */
	VHU_PAUSES_CHANNELS = 1 << 10,   /* memory that engines may be at goes */
	VHU_MOVES_MEMORY = 1 << 11,      /* what there is is another: a vDPA device is closed first */
};

/* A message being handled. Its fields have passed the checks of its line. */
struct vhu_call {
	struct device *dev;
	struct vq *vq; /* of messages that name a queue */
	const union vhu_payload *in;
	uint32_t in_bytes;
	struct fdbag *fds;
	union vhu_payload *out; /* of messages with VHU_REPLY_BODY */
	uint32_t out_bytes;
	struct gmem *mem; /* the next memory table; what is here at the end is dropped */
	int out_fd; /* goes with it; -1: none */
	bool declined; /* the ack says no, but the frontend did no wrong: without one it stays */
};

struct vhu_spec {
	const char *name;
	uint16_t size_min_bytes, size_max_bytes;
	bool size_either; /* one of the two, nothing between */
	uint8_t fds_min, fds_max;
	uint8_t index; /* enum vhu_index */
	uint8_t scope; /* enum vhu_scope */
	uint8_t reply; /* enum vhu_reply */
	uint16_t conditions; /* VHU_NEEDS_*, VHU_STOPS_DEVICE */
	uint64_t needs_protocol; /* protocol feature bits that must be negotiated */
	/* Ranges of the payload; no device access. 0 or -errno. */
	int (*validate)(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);
	/* What takes time, while the queues still run. 0 or -errno: as if nothing had come. */
	int (*prepare)(struct vhu_call *call);
	/* Records facts. 0 or -errno; takes the descriptors it keeps. */
	int (*handle)(struct vhu_call *call);
};

extern const struct vhu_spec vhu_table[VHU_REQUEST_COUNT];
/*
 * Between POSTCOPY_LISTEN and POSTCOPY_END memory is agreed on in steps: the frontend describes it,
 * we answer where it is mapped, and when the frontend knows whose page it is that we ask for, it
 * says so by the same message without descriptors. Few messages have such lines.
 */
extern const struct vhu_spec vhu_postcopy_table[VHU_REQUEST_COUNT];
extern const struct vhu_spec vhu_postcopy_acks[VHU_REQUEST_COUNT];

/* The line of a request; NULL when we do not know it. */
static inline const struct vhu_spec *vhu_spec_of(uint32_t request)
{
	if (request >= VHU_REQUEST_COUNT || vhu_table[request].name == NULL)
		return NULL;
	return &vhu_table[request];
}

/* The line that says what a message with so many descriptors must look like now, or NULL. */
const struct vhu_spec *vhu_line(const struct device *dev, uint32_t request, unsigned int nr_fds);

/* Handlers and validators, by theme. */
int vhu_get_features(struct vhu_call *call);
int vhu_set_features(struct vhu_call *call);
int vhu_get_protocol_features(struct vhu_call *call);
int vhu_set_protocol_features(struct vhu_call *call);
int vhu_set_owner(struct vhu_call *call);
int vhu_reset_owner(struct vhu_call *call);
int vhu_reset_device(struct vhu_call *call);
int vhu_get_queue_num(struct vhu_call *call);
int vhu_send_rarp(struct vhu_call *call);
int vhu_set_mtu(struct vhu_call *call);
int vhu_valid_mtu(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);
int vhu_set_status(struct vhu_call *call);
int vhu_get_status(struct vhu_call *call);
int vhu_valid_status(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);
int vhu_set_backend_req_fd(struct vhu_call *call);
int vhu_get_config(struct vhu_call *call);
int vhu_set_config(struct vhu_call *call);
int vhu_valid_config(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);

int vhu_iotlb(struct vhu_call *call);
int vhu_prepare_iotlb(struct vhu_call *call);
int vhu_valid_iotlb(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);

int vhu_create_crypto_session(struct vhu_call *call);
int vhu_close_crypto_session(struct vhu_call *call);

int vhu_set_device_state_fd(struct vhu_call *call);
int vhu_check_device_state(struct vhu_call *call);

int vhu_get_inflight_fd(struct vhu_call *call);
int vhu_set_inflight_fd(struct vhu_call *call);
int vhu_valid_inflight(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);

int vhu_map_mem_table(struct vhu_call *call);
int vhu_map_mem_reg(struct vhu_call *call);
int vhu_unmap_mem_reg(struct vhu_call *call);
int vhu_swap_memory(struct vhu_call *call);
int vhu_offer_mem_table(struct vhu_call *call);
int vhu_offer_mem_reg(struct vhu_call *call);
int vhu_take_proposal(struct vhu_call *call);
int vhu_valid_mem_ack(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);
int vhu_postcopy_advise(struct vhu_call *call);
int vhu_postcopy_listen(struct vhu_call *call);
int vhu_postcopy_end(struct vhu_call *call);
int vhu_get_max_mem_slots(struct vhu_call *call);
int vhu_valid_mem_table(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);
int vhu_set_log_base(struct vhu_call *call);
int vhu_set_log_fd(struct vhu_call *call);

int vhu_set_vring_num(struct vhu_call *call);
int vhu_valid_vring_num(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);
int vhu_set_vring_addr(struct vhu_call *call);
int vhu_set_vring_base(struct vhu_call *call);
int vhu_get_vring_base(struct vhu_call *call);
int vhu_set_vring_kick(struct vhu_call *call);
int vhu_set_vring_call(struct vhu_call *call);
int vhu_set_vring_err(struct vhu_call *call);
int vhu_valid_vring_fd(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);
int vhu_set_vring_enable(struct vhu_call *call);
int vhu_valid_vring_enable(const union vhu_payload *in, uint32_t in_bytes, unsigned int nr_fds);

/* Takes the eventfd of a message, or none, for the caller to keep: -errno when it is not one. */
int vhu_take_eventfd(struct vhu_call *call, int *fd);

#endif
