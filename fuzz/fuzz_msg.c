/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frontend that says anything in any order, with descriptors of any kind,
 * over a real socket pair into codec and dispatcher, while "data threads" burst
 * on the queues, and ask the frontend things, between the messages. Checked
 * after each message: gates agree with queue states, rings lie inside guest
 * memory, callbacks come in pairs and in order, what is answered is what the
 * specification says, once; no key of a crypto session goes back; the number of
 * a call eventfd stays while its queue runs; after each fetch: spans inside guest
 * memory, all of whose bytes are there; at the end: not a descriptor more than
 * before.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <linux/virtio_config.h>
#include <linux/virtio_crypto.h>
#include <linux/virtio_net.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "copy/plan.h"
#include "device/state.h"
#include "input.h"
#include "vhost_user/backend.h"
#include "vhost_user/codec.h"
#include "vhost_user/dispatch.h"

#define STEPS_MAX 200
#define MEMORY_BYTES 0x10000
#define UVA_BASE UINT64_C(0x100000)
#define FEATURES                                                                   \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_MRG_RXBUF) | \
	 BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VHOST_F_LOG_ALL) |                      \
	 BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER) |                       \
	 BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VHOST_USER_F_PROTOCOL_FEATURES))
#define PROTOCOL_FEATURES                                                              \
	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_RARP) |             \
	 BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | \
	 BIT(VHOST_USER_PROTOCOL_F_NET_MTU) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | \
	 BIT(VHOST_USER_PROTOCOL_F_PAGEFAULT) | BIT(VHOST_USER_PROTOCOL_F_CONFIG) |    \
	 BIT(VHOST_USER_PROTOCOL_F_CRYPTO_SESSION) |                                   \
	 BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) |                                   \
	 BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |                                     \
	 BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |                              \
	 BIT(VHOST_USER_PROTOCOL_F_STATUS) |                                           \
	 BIT(VHOST_USER_PROTOCOL_F_DEVICE_STATE) |                                     \
	 BIT(VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT) |                          \
	 BIT(VHOST_USER_PROTOCOL_F_GPA_ADDRESSES) |                                    \
	 BIT(VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN))
/* What comes in from there: requests that the table has, and some that it has not. */
#define REQUESTS 48
#define LOG_BYTES 64
#define AREAS_BYTES 0x2000
#define SPACE_BYTES 56 /* of the configuration */
#define SESSIONS 8

void (*shm_load_hook)(uintptr_t addr, size_t len_bytes);

/* One of each kind, made once; messages carry them, the backend gets copies. */
enum kind {
	KIND_MEMORY,
	KIND_EVENTFD,
	KIND_SHORT_FILE,
	KIND_READ_ONLY,
	KIND_SOCKET,
	KIND_PIPE,
	KIND_DIRECTORY,
	KIND_NULL,
	KIND_EPOLL,
	KIND_TIMER,
	KIND_PATH,
	KIND_LOG,
	KIND_AREAS,
	KIND_COUNT,
};

static struct {
	int prototypes[KIND_COUNT];
	uint8_t *memory, *areas;
	int came; /* with the last answer; -1: none */
	bool running;
	bool enabled[DEVICE_VQS_MAX];
	struct device *dev;
	int refuse; /* what new_device() answers */
	int backend[2]; /* the socket for our requests, and the frontend's end of it */
	unsigned int nr_signals;
	const struct vhu_spec *line; /* of the last message */
	int numbers[DEVICE_VQS_MAX]; /* of call eventfds of queues that run; -1: none */
	/* Crypto sessions that are open, by id; and of the last message: */
	bool sessions[SESSIONS + 1];
	int64_t opened; /* what the backend said; 0: it was not asked */
	bool close_asked, close_found;
} f;

static struct driver_config config;
static const struct device_backend backend;

static int on_new_device(int vid)
{
	MUST(vid == f.dev->vid && !f.running);
	MUST(f.dev->nr_vqs >= (config.backend != NULL ? backend.rings_needed : 1));
	for (unsigned int i = 0; i < f.dev->nr_vqs; i++)
		MUST((f.enabled[i] && !f.dev->vqs[i]->parked) ==
		     !gate_is_closed(&f.dev->vqs[i]->gate));
	MUST(f.enabled[0] && (config.backend == NULL || f.enabled[1]));
	f.running = f.refuse == 0;
	return f.refuse;
}

static void on_destroy_device(int vid)
{
	MUST(vid == f.dev->vid && f.running);
	f.running = false;
}

static int on_vring_state(int vid, uint16_t queue, int enable)
{
	MUST(vid == f.dev->vid && queue < DEVICE_VQS_MAX);
	MUST(f.enabled[queue] != (enable != 0));
	MUST(gate_is_closed(&f.dev->vqs[queue]->gate));
	f.enabled[queue] = enable != 0;
	return 0;
}

static int on_features(int vid, uint64_t features)
{
	MUST(vid == f.dev->vid && f.running);
	/* Of a running device nothing else may change. */
	MUST((features ^ f.dev->features) == BIT(VHOST_F_LOG_ALL));
	return 0;
}

static void on_guest_notified(int vid)
{
	MUST(vid == f.dev->vid);
	f.nr_signals++;
}

static void ring_setup(const struct device *dev, struct vq *vq)
{
	MUST(dev == f.dev && vring_attached(&vq->ring));
}

static enum chain_dir queue_dir(const struct vq *vq)
{
	return vq->index % 2 != 0 ? CHAIN_READABLE : CHAIN_WRITABLE;
}

static uint32_t config_read(const struct device *dev, uint8_t *space)
{
	MUST(dev == f.dev);
	for (unsigned int i = 0; i < SPACE_BYTES; i++)
		space[i] = (uint8_t)(i + 1);
	return SPACE_BYTES;
}

ORACLE static void must_be_quiet(const struct device *dev)
{
	MUST(dev == f.dev);
	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		MUST(gate_is_closed(&dev->vqs[i]->gate));
}

static int64_t session_open(struct device *dev, const struct session_desc *desc)
{
	int64_t id = 1;

	must_be_quiet(dev);
	MUST(desc->cipher_key_bytes <= sizeof(desc->cipher_key));
	MUST(desc->auth_key_bytes <= sizeof(desc->auth_key));
	MUST(desc->opcode >> 8 != VIRTIO_CRYPTO_SERVICE_AKCIPHER);
	MUST(f.opened == 0);
	while (id <= SESSIONS && f.sessions[id])
		id++;
	/* Something that it does not like. */
	if (id > SESSIONS || (desc->aad_bytes & 1) != 0)
		id = -VIRTIO_CRYPTO_NOTSUPP;
	else
		f.sessions[id] = true;
	f.opened = id;
	return id;
}

static int session_close(struct device *dev, uint64_t id)
{
	must_be_quiet(dev);
	f.close_asked = true;
	f.close_found = id <= SESSIONS && f.sessions[id];
	if (!f.close_found)
		return -ENOENT;
	f.sessions[id] = false;
	return 0;
}

static const struct device_backend backend = {
	.name = "fuzz", .ring_setup = ring_setup, .rings_needed = 2, .queue_dir = queue_dir,
	.in_pairs = true, .config_read = config_read, .session_open = session_open,
	.session_close = session_close
};

static struct driver_config config = {
	.flags = RTE_VHOST_USER_IOMMU_SUPPORT | RTE_VHOST_USER_POSTCOPY_SUPPORT,
	.supported_features = FEATURES,
	.features = FEATURES,
	.protocol_features = PROTOCOL_FEATURES,
	.max_queue_pairs = 4,
	.ops = { .new_device = on_new_device,
		 .destroy_device = on_destroy_device,
		 .vring_state_changed = on_vring_state,
		 .features_changed = on_features,
		 .guest_notified = on_guest_notified },
};

static __attribute__((format(printf, 2, 0))) void no_log(enum log_level level, const char *fmt,
							 va_list ap)
{
	char line[512];

	(void)level;
	vsnprintf(line, sizeof(line), fmt, ap);
}

/* A file of a kind; what it is like to the fuzzer. */
static uint8_t *make_file(enum kind kind, size_t bytes)
{
	uint8_t *at;

	f.prototypes[kind] = memfd_create("fuzz", MFD_CLOEXEC);
	MUST(ftruncate(f.prototypes[kind], (off_t)bytes) == 0);
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f.prototypes[kind], 0);
	MUST(at != MAP_FAILED);
	return at;
}

static void make_prototypes(void)
{
	char path[64];
	int pair[2];

	log_set_sink(no_log);
	/* Who loads a state may find nobody to read it. */
	signal(SIGPIPE, SIG_IGN);
	f.came = -1;
	f.memory = make_file(KIND_MEMORY, MEMORY_BYTES);
	f.areas = make_file(KIND_AREAS, AREAS_BYTES);
	(void)make_file(KIND_LOG, 4096);
	f.prototypes[KIND_EVENTFD] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f.prototypes[KIND_SHORT_FILE] = memfd_create("short", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f.prototypes[KIND_MEMORY]);
	f.prototypes[KIND_READ_ONLY] = open(path, O_RDONLY | O_CLOEXEC);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	f.prototypes[KIND_SOCKET] = pair[0];
	/* Nobody there: who asks it is not kept waiting for an answer. */
	close(pair[1]);
	MUST(pipe2(pair, O_CLOEXEC) == 0);
	f.prototypes[KIND_PIPE] = pair[1];
	f.prototypes[KIND_DIRECTORY] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f.prototypes[KIND_NULL] = open("/dev/null", O_RDWR | O_CLOEXEC);
	f.prototypes[KIND_EPOLL] = epoll_create1(EPOLL_CLOEXEC);
	f.prototypes[KIND_TIMER] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	f.prototypes[KIND_PATH] = open("/", O_PATH | O_CLOEXEC);
}

ORACLE static unsigned int open_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 160; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void put(int fd, const struct vhu_msg *msg, size_t sent_bytes, const int *fds,
		unsigned int nr_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)msg, VHU_HEADER_BYTES };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nr_fds != 0) {
		struct cmsghdr *cm;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, nr_fds * sizeof(int));
	}
	(void)!sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent_bytes != 0)
		(void)!send(fd, &msg->payload, sent_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The i-th quarter of the memory. */
static struct vhu_region region(uint32_t i)
{
	return (struct vhu_region){ .gpa = i * 0x4000,
				    .size_bytes = 0x4000,
				    .uva = UVA_BASE + i * 0x4000,
				    .mmap_offset_bytes = i * 0x4000 };
}

/* The configuration space of a device whose application has one. */
static enum rte_vhost_msg_result config_space(int vid, void *msg)
{
	const struct vhu_header *hdr = msg;

	MUST(vid == f.dev->vid);
	switch (hdr->request) {
	case VHU_GET_CONFIG:
		return RTE_VHOST_MSG_RESULT_REPLY;
	case VHU_SET_CONFIG:
		return RTE_VHOST_MSG_RESULT_OK;
	default:
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	}
}

/* Of this many queues and entries, or one byte less. */
static struct vhu_inflight inflight(uint32_t index, uint8_t twist)
{
	uint16_t queues = (uint16_t)(1 + index % 4), size = (uint16_t)(1u << (twist & 7));
	enum ring_kind kind = (twist & 0x10) != 0 ? RING_PACKED : RING_SPLIT;

	return (struct vhu_inflight){
		.mmap_size_bytes = queues * inflight_bytes(kind, size) - (twist >> 7),
		.mmap_offset_bytes = (twist & 0x60u) * 4,
		.nr_queues = queues,
		.queue_size = size,
	};
}

/* One of the three forms; returns its size. */
static uint32_t crypto_session(union vhu_crypto_session *s, uint8_t raw, uint8_t twist)
{
	static const uint16_t opcodes[] = { 0x002, 0x102, 0x202, 0x302, 0x404, 0x405, 0x777, 0 };
	const struct vhu_crypto_params params = {
		.cipher_algo = raw >> 4,
		.cipher_key_bytes = (twist & 0x40) != 0 ? sizeof(s->first.keys.cipher) + 1 : 16,
		.auth_key_bytes = (twist & 0x80) != 0 ? sizeof(s->first.keys.auth) + 1 : 20,
		.aad_bytes = twist >> 5 & 1,
		.op_type = twist >> 2 & 3,
		.direction = 1,
	};

	memset(s->first.keys.cipher, 0x5c, sizeof(s->first.keys.cipher));
	memset(s->first.keys.auth, 0x5c, sizeof(s->first.keys.auth));
	switch (twist & 3) {
	case 0:
		s->first.opcode = opcodes[raw % ARRAY_LEN(opcodes)];
		s->first.params = params;
		return sizeof(s->first);
	case 1:
		s->second.params = params;
		return sizeof(s->second);
	default:
		s->third.opcode = opcodes[raw % ARRAY_LEN(opcodes)];
		s->third.params = params;
		memset(s->third.room, 0x5c, sizeof(s->third.room));
		return sizeof(s->third);
	}
}

/* Whole and sensible, but for what one byte of the input changes. */
static unsigned int sensible(struct vhu_msg *msg, uint32_t request, struct input *in)
{
	uint8_t raw = input_u8(in), twist = input_u8(in);
	uint32_t index = raw < 240 ? raw % 5 : raw, size = sizeof(uint64_t);
	bool by_guest = device_has_proto(f.dev, VHOST_USER_PROTOCOL_F_GPA_ADDRESSES);
	uint64_t base = by_guest ? 0 : UVA_BASE;

	switch (request) {
	case VHU_SET_FEATURES:
		msg->payload.u64 = FEATURES & ~((uint64_t)(twist & 1) << VIRTIO_NET_F_MQ) &
				   ~((uint64_t)(twist >> 1 & 1) << VHOST_USER_F_PROTOCOL_FEATURES) &
				   ~((uint64_t)(twist >> 2 & 1) << VHOST_F_LOG_ALL) &
				   ~((uint64_t)(twist >> 3 & 1) << VIRTIO_RING_F_EVENT_IDX) &
				   ~((uint64_t)(~twist >> 4 & 1) << VIRTIO_F_RING_PACKED) &
				   ~((uint64_t)(~twist >> 5 & 1) << VIRTIO_F_IN_ORDER) &
				   ~((uint64_t)(~twist >> 6 & 1) << VIRTIO_F_ACCESS_PLATFORM);
		break;
	case VHU_SET_PROTOCOL_FEATURES:
		msg->payload.u64 = PROTOCOL_FEATURES & ~(uint64_t)twist;
		if ((raw & 1) == 0)
			msg->payload.u64 &= ~BIT(VHOST_USER_PROTOCOL_F_GPA_ADDRESSES);
		if ((raw & 2) != 0)
			msg->payload.u64 &= ~BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
		break;
	case VHU_SET_LOG_BASE:
		/* As much as four, three, two regions need, or one; and off the mark. */
		msg->payload.log = (struct vhu_log){ .size_bytes = (twist & 0x3fu),
						     .offset_bytes = (twist & 0xc0u) };
		size = sizeof(msg->payload.log);
		break;
	case VHU_IOTLB_MSG:
		/* Rings lie where the frontend has them, buffers where the guest does; or all. */
		msg->payload.iotlb = (struct vhu_iotlb){
			.iova = ((twist & 0x20) != 0 ? 0 : base) + index % 16 * 0x1000,
			.size_bytes = (twist & 0x40) != 0 ? 0x4000 : 0x1000,
			.uva = base + (index + (twist >> 7)) % 16 * 0x1000,
			.access = twist & 3,
			.type = (uint8_t)(VHU_IOTLB_UPDATE + (twist >> 2 & 1)),
		};
		size = sizeof(msg->payload.iotlb);
		break;
	case VHU_GET_CONFIG:
	case VHU_SET_CONFIG:
		msg->payload.config = (struct vhu_config){ .offset_bytes = raw,
							   .size_bytes = 1 + twist % 64u };
		size = (uint32_t)offsetof(struct vhu_config, space) +
		       msg->payload.config.size_bytes;
		break;
	case VHU_GET_INFLIGHT_FD:
	case VHU_SET_INFLIGHT_FD:
		msg->payload.inflight = inflight(index, twist);
		size = sizeof(msg->payload.inflight);
		break;
	case VHU_SET_DEVICE_STATE_FD:
		msg->payload.transfer = (struct vhu_state_transfer){ twist & 3, twist >> 7 };
		break;
	case VHU_SET_MEM_TABLE:
		msg->payload.mem.nr_regions = 1 + twist % 3;
		for (unsigned int i = 0; i < VHU_REGIONS_MAX; i++)
			msg->payload.mem.regions[i] = region(i);
		if ((twist & 0x80) != 0)
			((uint8_t *)msg->payload.mem.regions)[raw] ^= (uint8_t)(1u << (twist % 8));
		size = 8 + msg->payload.mem.nr_regions * (uint32_t)sizeof(struct vhu_region);
		break;
	case VHU_ADD_MEM_REG:
	case VHU_REM_MEM_REG:
		msg->payload.reg.region = region(index % 4);
		if ((twist & 0x80) != 0)
			((uint8_t *)&msg->payload.reg)[raw % sizeof(msg->payload.reg)] ^=
				(uint8_t)(1u << (twist % 8));
		size = sizeof(msg->payload.reg);
		break;
	case VHU_SET_VRING_ADDR:
		msg->payload.addr = (struct vhu_vring_addr){
			.index = index,
			.desc = base + index * 0x1000 + (twist & 0x10 ? 8 : 0),
			.avail = base + index * 0x1000 + 0x800,
			.used = base + index * 0x1000 + 0xa00 + (twist & 0x20 ? 0x3f00 : 0),
			.flags = twist & 1,
			/* Inside the log of all regions, or at the end of what it has. */
			.log = index * 0x1000 + (twist & 0x40 ? 0xeff0 : 0xa00),
		};
		size = sizeof(msg->payload.addr);
		break;
	case VHU_SET_VRING_NUM:
		msg->payload.state = (struct vhu_vring_state){
			index, (twist & 0x80) != 0 ? twist & 0x3fu : 1u << (twist & 7)
		};
		break;
	case VHU_SET_VRING_ENABLE:
		msg->payload.state = (struct vhu_vring_state){ index, twist & 1 };
		break;
	case VHU_SET_VRING_BASE:
	case VHU_GET_VRING_BASE:
	case VHU_GET_VRING_BASE_SKIP_DRAIN:
		/* With a wrap counter, and both halves, as packed rings have it. */
		msg->payload.state = (struct vhu_vring_state){
			index, ((twist & 0x3fu) | (twist & 0x80u) << 8) *
				       ((twist & 0x40) != 0 ? 0x10001u : 1u)
		};
		break;
	case VHU_SET_VRING_KICK:
	case VHU_SET_VRING_CALL:
	case VHU_SET_VRING_ERR:
		msg->payload.u64 = index | (twist % 8 == 0 ? VHU_VRING_NOFD : 0);
		break;
	case VHU_CREATE_CRYPTO_SESSION:
		size = crypto_session(&msg->payload.session, raw, twist);
		break;
	case VHU_CLOSE_CRYPTO_SESSION:
		msg->payload.u64 = (uint64_t)raw << (twist & 0x3f);
		break;
	case VHU_NET_SET_MTU:
		msg->payload.u64 = 1500u + twist;
		break;
	case VHU_SEND_RARP:
	case VHU_SET_STATUS:
		msg->payload.u64 = twist;
		break;
	default:
		size = 0;
		break;
	}
	return size;
}

static unsigned int sensible_fds(const struct vhu_msg *msg, int *fds)
{
	unsigned int n = 0;

	switch (msg->hdr.request) {
	case VHU_SET_MEM_TABLE:
		for (; n < msg->payload.mem.nr_regions && n < VHU_REGIONS_MAX; n++)
			fds[n] = f.prototypes[KIND_MEMORY];
		return n;
	case VHU_SET_VRING_KICK:
	case VHU_SET_VRING_CALL:
	case VHU_SET_VRING_ERR:
		fds[0] = f.prototypes[KIND_EVENTFD];
		return (msg->payload.u64 & VHU_VRING_NOFD) == 0;
	case VHU_ADD_MEM_REG:
		fds[0] = f.prototypes[KIND_MEMORY];
		return 1;
	case VHU_SET_LOG_BASE:
		fds[0] = f.prototypes[KIND_LOG];
		return 1;
	case VHU_SET_INFLIGHT_FD:
		fds[0] = f.prototypes[KIND_AREAS];
		return 1;
	case VHU_SET_LOG_FD:
	case VHU_SET_DEVICE_STATE_FD:
		fds[0] = f.prototypes[KIND_EVENTFD];
		return 1;
	case VHU_SET_BACKEND_REQ_FD:
		fds[0] = f.backend[0];
		return 1;
	default:
		return 0;
	}
}

static struct vhu_msg send_one(int fd, struct input *in)
{
	uint8_t how = input_u8(in);
	struct vhu_msg msg = { .hdr = { .request = input_u8(in) % REQUESTS,
					.flags = VHU_VERSION } };
	unsigned int nr_fds, sent;
	int fds[16];

	if ((how & 1) != 0)
		msg.hdr.flags |= VHU_FLAG_NEED_REPLY;
	msg.hdr.size_bytes = sensible(&msg, msg.hdr.request, in);
	nr_fds = sensible_fds(&msg, fds);
	sent = msg.hdr.size_bytes;
	if ((how & 0xe0) == 0xe0) {
		/* Not so sensible: other bytes, sizes, flags, descriptors. */
		input_bytes(in, &msg.payload, input_u16(in) % (sizeof(msg.payload) + 1));
		msg.hdr.flags ^= input_u8(in) & 0x13;
		msg.hdr.size_bytes += (uint32_t)(int32_t)(int8_t)input_u8(in);
		sent = MIN2(msg.hdr.size_bytes, (uint32_t)sizeof(msg.payload));
		nr_fds = input_u8(in) % 12;
		for (unsigned int i = 0; i < nr_fds; i++)
			fds[i] = f.prototypes[input_u8(in) % KIND_COUNT];
	} else if ((how & 0xe0) == 0xc0 && nr_fds != 0) {
		fds[0] = f.prototypes[input_u8(in) % KIND_COUNT];
	} else if ((how & 0xe0) == 0xa0 && f.dev->postcopy.proposed != NULL) {
		/* What memory waits for. */
		msg.payload.u64 = 0;
		msg.hdr.size_bytes = sent = sizeof(msg.payload.u64);
		nr_fds = 0;
	}
	put(fd, &msg, sent, fds, nr_fds);
	return msg;
}

ORACLE static bool in_guest_memory(const void *at, uint64_t len)
{
	const struct gmem *mem = f.dev->mem;

	for (unsigned int i = 0; mem != NULL && i < mem->nr_regions; i++) {
		uintptr_t host = (uintptr_t)mem->regions[i]->host, addr = (uintptr_t)at;

		if (addr >= host && range_within(addr - host, len, mem->regions[i]->size_bytes))
			return true;
	}
	return false;
}

/* Reads or fills all bytes of a chain: they must be there. */
static void use_chain(const struct chain *chain, enum chain_dir dir)
{
	static uint8_t bytes[MEMORY_BYTES];
	struct plan plan = { .nr_segs = 0 };

	for (unsigned int i = 0; i < chain->nr_spans; i++) {
		const struct span *s = &chain->spans[i];

		MUST(in_guest_memory((const void *)(uintptr_t)s->ptr, s->len_bytes));
		if (dir == CHAIN_READABLE)
			plan_add_read(&plan, bytes, s->ptr, s->len_bytes);
		else
			plan_add_write(&plan, s->ptr, bytes, s->len_bytes);
	}
	plan_execute(&plan);
}

/*
 * An application that serves its rings itself records what it fetches. What stands for the chain
 * from then on: its head, or an entry of the area; nothing without an area, or sense in it.
 */
static bool record(enum ring_kind k, struct vq *vq, uint16_t first, struct used used,
		   uint16_t *entry)
{
	uint32_t last = (first & 0x7fffu) + used_slots(used) - 1;

	*entry = used_id(used);
	if (config.backend != NULL)
		return false;
	if (k == RING_SPLIT)
		return inflight_split_fetched(&vq->inflight, *entry) == 0;
	return inflight_packed_fetched(&vq->inflight, &vq->ring, first & 0x7fff,
				       (uint16_t)(last % vq->ring.size), entry) == 0;
}

static void record_completing(enum ring_kind k, struct vq *vq, uint16_t entry)
{
	if (k == RING_SPLIT)
		(void)inflight_split_completing(&vq->inflight, entry);
	else
		(void)inflight_packed_completing(&vq->inflight, entry);
}

static void record_completed(enum ring_kind k, struct vq *vq, uint16_t entry)
{
	if (k == RING_SPLIT)
		(void)inflight_split_completed(&vq->inflight, entry, vq->ring.used_idx);
	else
		(void)inflight_packed_completed(&vq->inflight, entry);
}

/* A few chains, the one way or the other; with `give_up` the last one goes back. */
static void serve_ring(enum ring_kind k, struct vq *vq, enum chain_dir dir,
		       struct span_pool *pool, bool give_up)
{
	struct used used[4];
	uint16_t entries[ARRAY_LEN(used)];
	bool recorded[ARRAY_LEN(used)];
	unsigned int n;

	for (n = 0; n < ARRAY_LEN(used); n++) {
		struct ring_cursor c = ring_open(k, &vq->ring, dir);
		struct piece piece = { .bytes = 0 };
		uint16_t first = vq->ring.last_avail;
		struct chain chain;

		if (ring_next(k, &vq->ring, &c, dir, 12, &piece) == NEXT_PIECE) {
			const struct span spans[] = { { piece.lead, 12 },
						      { piece.body, piece.bytes - 12 } };

			ring_take(k, &c, piece.used);
			ring_close(k, &vq->ring, dir, &c);
			chain = (struct chain){ .spans = spans,
						.nr_spans = piece.bytes > 12 ? 2 : 0,
						.bytes = piece.bytes,
						.used = piece.used };
			use_chain(&chain, dir);
		} else {
			enum fetch_result ret = ring_fetch(k, &vq->ring, dir, pool, &chain);

			if (ret != FETCH_OK && ret != FETCH_BAD)
				break;
			use_chain(&chain, dir);
		}
		recorded[n] = record(k, vq, first, chain.used, &entries[n]);
		used[n] = used_written(chain.used, dir == CHAIN_WRITABLE ? chain.bytes : 0);
	}
	if (give_up && n != 0)
		ring_rewind(k, &vq->ring, &used[--n], 1);
	if (n == 0)
		return;
	for (unsigned int i = 0; i < n; i++)
		if (recorded[i])
			record_completing(k, vq, entries[i]);
	ring_used_push(k, &vq->ring, dir, used, n);
	ring_publish(k, &vq->ring);
	for (unsigned int i = 0; i < n; i++)
		if (recorded[i])
			record_completed(k, vq, entries[i]);
	vq_notify(k, vq);
}

/* Whatever is missing is asked for; the frontend may have hung up. */
static void ask(struct ring_misses *misses)
{
	struct vhu_asks asks;

	asks.count = ring_misses_take(misses, asks.list);
	for (unsigned int i = 0; i < asks.count; i++)
		MUST(asks.list[i].access != 0 && (asks.list[i].access & ~3) == 0);
	(void)vhu_backend_ask(f.dev, &asks);
}

/* What a data thread does to a queue; also when the device is not running. */
static void burst(struct vq *vq, bool give_up)
{
	/* As virtio-net has it: the guest receives on even queues. */
	enum chain_dir dir = vq == NULL || vq->index % 2 != 0 ? CHAIN_READABLE : CHAIN_WRITABLE;
	struct span_pool pool = { .used = 0 };

	if (vq == NULL || !gate_try_enter(&vq->gate))
		return;
	MUST(vq->ready && vring_attached(&vq->ring) && !vq->parked);
	if (vq->ring.fault == RING_FAULT_NONE && vq->ring.misses != NULL)
		ring_look_ahead(&vq->ring, dir);
	if (vq->ring.fault == RING_FAULT_NONE) {
		if (vq->ring.kind == RING_PACKED)
			serve_ring(RING_PACKED, vq, dir, &pool, give_up);
		else
			serve_ring(RING_SPLIT, vq, dir, &pool, give_up);
		if (vq->ring.fault != RING_FAULT_NONE)
			vq_report_broken(vq);
	}
	if (vq->ring.misses != NULL)
		ask(vq->ring.misses);
	gate_exit(&vq->gate);
}

/*
 * We ask the frontend, which has answered already, with anything. It hangs up
 * after that, or a short answer would be waited for.
 */
static void ask_frontend(struct input *in)
{
	uint8_t answer[24];
	size_t len = input_u8(in) % sizeof(answer);
	bool fits;
	int ret;

	len = input_bytes(in, answer, len);
	(void)!send(f.backend[1], answer, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(f.backend[1], SHUT_WR);
	fits = device_has_proto(f.dev, VHOST_USER_PROTOCOL_F_BACKEND_REQ);
	ret = vhu_backend_config_change(f.dev, (input_u8(in) & 1) != 0);
	MUST(fits ? ret != -ENOTSUP && ret != -ETIMEDOUT : ret == -ENOTSUP);
	MUST(f.dev->backend_fd >= 0 || ret != 0);
}

/* What is attached is whole and makes sense. */
ORACLE static void check_ring(const struct ring *vr)
{
	bool packed = device_has(f.dev, VIRTIO_F_RING_PACKED);

	MUST(vr->mem == f.dev->mem);
	MUST(vr->kind == (packed ? RING_PACKED : RING_SPLIT));
	MUST(packed ? vr->size != 0 && vr->size <= VRING_SIZE_MAX : is_pow2(vr->size));
	if (packed)
		MUST((vr->last_avail & 0x7fff) < vr->size && (vr->used_idx & 0x7fff) < vr->size);
	MUST(in_guest_memory(GUEST_FORCE(void *, vr->desc), vr->size * 16u) &&
	     in_guest_memory(GUEST_FORCE(void *, vr->avail), packed ? 4 : 6 + vr->size * 2u) &&
	     in_guest_memory(GUEST_FORCE(void *, vr->used), packed ? 4 : 6 + vr->size * 8u));
}

/* What an application was told stays an eventfd, and the same number, while the queue runs. */
ORACLE static void check_number(const struct vq *vq)
{
	int *known = &f.numbers[vq->index];

	MUST(vq->callfd < 0 || vq->callfd == vq->call_number);
	MUST(vq->call_number < 0 || fcntl(vq->call_number, F_GETFD) == FD_CLOEXEC);
	if (!vq->started)
		*known = -1;
	MUST(*known < 0 || vq->call_number == *known);
	if (vq->started)
		*known = vq->call_number;
}

ORACLE static void check_state(void)
{
	MUST(f.dev->running == f.running);
	MUST(f.dev->nr_vqs <= config.max_queue_pairs * 2);
	MUST((f.dev->features & ~FEATURES) == 0);
	MUST((f.dev->protocol_features & ~PROTOCOL_FEATURES) == 0);
	for (unsigned int i = f.dev->nr_vqs; i < DEVICE_VQS_MAX; i++)
		f.numbers[i] = -1;
	for (unsigned int i = 0; i < f.dev->nr_vqs; i++) {
		const struct vq *vq = f.dev->vqs[i];
		const struct ring *vr = &vq->ring;

		MUST(vq->gate.closed == (!vq->ready || vq->parked));
		MUST(!vq->parked || (vq->ready && f.dev->iotlb != NULL && !vring_attached(vr)));
		MUST(vq->ready == f.enabled[i]);
		MUST(!vq->ready || (vq->started && vq->enabled && vring_attached(vr) == !vq->parked &&
				    vq->callfd != EVENTFD_UNSET));
		MUST((vr->misses != NULL) == (f.dev->iotlb != NULL) || !vring_attached(vr));
		if (vring_attached(vr))
			check_ring(vr);
		check_number(vq);
	}
}

/* Keeps the descriptor that came with an answer, instead of the one before. */
ORACLE static void keep_fd(struct msghdr *mh)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(mh);

	if (cm == NULL)
		return;
	MUST(cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS);
	MUST(cm->cmsg_len == CMSG_LEN(sizeof(int)) && (mh->msg_flags & MSG_CTRUNC) == 0);
	fd_close(&f.came);
	memcpy(&f.came, CMSG_DATA(cm), sizeof(int));
}

/* The window of the backend's space, zeros behind its end; nothing where there is none. */
ORACLE static uint32_t check_config(const struct vhu_msg *msg, const struct vhu_msg *reply)
{
	const struct vhu_config *asked = &msg->payload.config, *got = &reply->payload.config;

	if (f.dev->extern_ops.pre_msg_handle != NULL)
		return msg->hdr.size_bytes;
	if (config.backend == NULL || asked->offset_bytes >= SPACE_BYTES)
		return 0;
	MUST(got->offset_bytes == asked->offset_bytes && got->size_bytes == asked->size_bytes);
	for (uint32_t i = 0, at = asked->offset_bytes; i < asked->size_bytes; i++, at++)
		MUST(got->space[i] == (at < SPACE_BYTES ? at + 1 : 0));
	return msg->hdr.size_bytes;
}

/* The backend's word, or no; and not a byte of a key. */
ORACLE static uint32_t check_crypto(const struct vhu_msg *msg, const struct vhu_msg *reply)
{
	const union vhu_crypto_session *s = &reply->payload.session;
	bool third = msg->hdr.size_bytes == sizeof(s->third);
	int64_t id = third ? s->third.session_id : s->first.session_id;
	const uint8_t *bytes = (const uint8_t *)s;

	MUST(f.opened != 0 ? id == f.opened : id < 0);
	for (size_t i = offsetof(struct vhu_crypto_first, keys.cipher);
	     i < (third ? offsetof(struct vhu_crypto_third, session_id) : sizeof(s->first)); i++)
		MUST(bytes[i] == 0);
	return msg->hdr.size_bytes;
}

/* What a body has to say, by its question. */
ORACLE static void check_body(const struct vhu_msg *msg, const struct vhu_msg *reply, bool has_fd)
{
	uint32_t size = sizeof(uint64_t);

	switch (msg->hdr.request) {
	case VHU_GET_FEATURES:
		MUST(reply->payload.u64 == FEATURES);
		break;
	case VHU_GET_MAX_MEM_SLOTS:
		MUST(reply->payload.u64 == GMEM_REGIONS_MAX);
		break;
	case VHU_GET_VRING_BASE:
	case VHU_GET_VRING_BASE_SKIP_DRAIN:
		MUST(reply->payload.state.index == msg->payload.state.index);
		MUST(reply->payload.state.num <= UINT16_MAX ||
		     device_has(f.dev, VIRTIO_F_RING_PACKED));
		break;
	case VHU_GET_CONFIG:
		size = check_config(msg, reply);
		break;
	case VHU_CREATE_CRYPTO_SESSION:
		size = check_crypto(msg, reply);
		break;
	case VHU_GET_INFLIGHT_FD:
		size = sizeof(struct vhu_inflight);
		MUST(has_fd && reply->payload.inflight.mmap_size_bytes != 0);
		break;
	case VHU_POSTCOPY_ADVISE:
		size = 0;
		break;
	case VHU_SET_MEM_TABLE:
	case VHU_ADD_MEM_REG:
		/* In postcopy: with our addresses. */
		size = msg->hdr.size_bytes;
		break;
	case VHU_SET_LOG_BASE:
		MUST(reply->payload.u64 == 0);
		break;
	case VHU_SET_DEVICE_STATE_FD:
		MUST(reply->payload.u64 == (has_fd ? 0 : 0x101));
		break;
	case VHU_IOTLB_MSG:
	case VHU_CHECK_DEVICE_STATE:
		MUST(reply->payload.u64 <= 1);
		break;
	default:
		break;
	}
	MUST(reply->hdr.size_bytes == size);
	MUST(!has_fd || msg->hdr.request == VHU_GET_INFLIGHT_FD ||
	     msg->hdr.request == VHU_POSTCOPY_ADVISE ||
	     msg->hdr.request == VHU_SET_DEVICE_STATE_FD);
}

/* One answer or none; what it must be follows from the question. */
ORACLE static void check_reply(int frontend, const struct vhu_msg *msg, bool acks, bool alive)
{
	static struct vhu_msg reply;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec pieces[] = { { &reply.hdr, VHU_HEADER_BYTES },
				  { &reply.payload, sizeof(reply.payload) } };
	struct msghdr mh = { .msg_iov = pieces,
			     .msg_iovlen = ARRAY_LEN(pieces),
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(frontend, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	bool has_body = f.line != NULL && f.line->reply == VHU_REPLY_BODY;
	bool wants_ack = acks && (msg->hdr.flags & VHU_FLAG_NEED_REPLY) != 0;

	MUST((n > 0) == (alive && (has_body || wants_ack)));
	/* Whatever a guest wants closed. */
	MUST(alive || !f.close_asked);
	if (n <= 0)
		return;
	keep_fd(&mh);
	MUST((size_t)n == VHU_HEADER_BYTES + reply.hdr.size_bytes);
	MUST(reply.hdr.request == msg->hdr.request);
	MUST(reply.hdr.flags == (VHU_VERSION | VHU_FLAG_REPLY));
	if (has_body) {
		check_body(msg, &reply, CMSG_FIRSTHDR(&mh) != NULL);
	} else {
		MUST(reply.hdr.size_bytes == sizeof(uint64_t));
		MUST(reply.payload.u64 <= 1);
		if (msg->hdr.request == VHU_CLOSE_CRYPTO_SESSION)
			MUST(reply.payload.u64 == !f.close_found);
	}
	/* Nothing after it. */
	MUST(recv(frontend, &reply, sizeof(reply), MSG_DONTWAIT) < 0);
}

/* What came with an answer: a state to read, or one to write. */
static void use_what_came(struct input *in)
{
	uint8_t bytes[STATE_BYTES_MAX], how = input_u8(in);

	if ((how & 1) != 0)
		(void)!read(f.came, bytes, sizeof(bytes));
	else
		(void)!write(f.came, bytes, input_bytes(in, bytes, input_u8(in)));
	if ((how & 2) == 0)
		fd_close(&f.came);
}

/* Takes in what was sent; false when the connection has to go. */
static bool serve(struct codec *c)
{
	struct vhu_msg reply;
	int ret;

	while ((ret = codec_recv(c)) == 1) {
		f.line = vhu_line(f.dev, c->in.hdr.request, c->fds.count);
		ret = vhu_dispatch(f.dev, &c->in, &c->fds, &reply);
		if (ret == 1)
			ret = codec_send(c, &reply);
		codec_next(c);
		check_state();
		if (ret < 0)
			return false;
	}
	return ret == 0;
}

static void run(struct input *in, int frontend, struct codec *c)
{
	for (unsigned int step = 0; step < STEPS_MAX && !input_empty(in); step++) {
		uint8_t what = input_u8(in);

		if (what < 40) {
			burst(device_vq(f.dev->vid, what % 5), what >= 35);
		} else if (what < 60) {
			uint16_t where = input_u16(in) % (MEMORY_BYTES - 8);
			uint64_t value = input_u64(in);

			memcpy(f.memory + where, &value, sizeof(value));
		} else if (what < 62) {
			f.refuse = -(what & 1);
		} else if (what < 64) {
			ask_frontend(in);
		} else if (what == 255) {
			use_what_came(in);
		} else if (what == 254) {
			/* The frontend's to write, too. */
			f.areas[input_u16(in) % AREAS_BYTES] = input_u8(in);
		} else {
			bool acks = device_has_proto(f.dev, VHOST_USER_PROTOCOL_F_REPLY_ACK);
			struct vhu_msg msg = send_one(frontend, in);
			bool alive;

			f.opened = 0;
			f.close_asked = f.close_found = false;
			alive = serve(c);
			check_reply(frontend, &msg, acks, alive);
			if (!alive)
				return;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	struct input in = { bytes, len_bytes };
	uint8_t mode = input_u8(&in);
	unsigned int before;
	struct codec c;
	int pair[2];

	if (f.memory == NULL)
		make_prototypes();
	before = open_fds();
	memset(f.memory, 0, MEMORY_BYTES);
	f.running = false;
	f.refuse = 0;
	memset(f.enabled, 0, sizeof(f.enabled));
	memset(f.sessions, 0, sizeof(f.sessions));
	memset(f.numbers, 0xff, sizeof(f.numbers));
	/* With a backend above, as for packets, or rings that nobody knows. */
	config.backend = (mode & 1) == 0 ? &backend : NULL;
	config.max_queue_pairs = (mode & 2) == 0 ? 4 : 1;
	memset(f.areas, 0, AREAS_BYTES);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f.backend) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	codec_init(&c, pair[1]);
	f.dev = device_acquire(&config, "fuzz");
	MUST(f.dev != NULL && f.dev->nr_vqs == 0);
	if ((mode & 4) != 0)
		f.dev->extern_ops.pre_msg_handle = config_space;

	run(&in, pair[0], &c);

	fd_close(&f.came);
	device_shutdown(f.dev);
	MUST(!f.running);
	for (unsigned int i = 0; i < f.dev->nr_vqs; i++)
		MUST(f.dev->vqs[i]->gate.closed == 1);
	device_release(f.dev);
	codec_fini(&c);
	close(pair[0]);
	close(pair[1]);
	close(f.backend[0]);
	close(f.backend[1]);
	MUST(open_fds() == before);
	return 0;
}
