/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef _RTE_VHOST_H_
#define _RTE_VHOST_H_

/**
 * @file
 * The vhost library: back-ends for virtio devices, spoken to over vhost-user sockets.
 *
 * Included by applications (switches, PMDs, storage targets). Everything a function hands
 * back that lives in guest memory (rings, packet bytes, headers) is written by a guest and
 * must be treated as hostile; everything else is the library's own.
 *
 * Order of use: rte_vhost_driver_register(), then features and callbacks,
 * rte_vhost_driver_start(), and from there on the callbacks say which devices exist.
 *
 * @par Identifiers
 * A @c vid names one connection of one socket, 0 to #RTE_MAX_VHOST_DEVICE - 1. It is valid from
 * new_connection() until destroy_connection() returns, and may be given out again after that.
 * A queue index counts virtqueues of the device from 0. For a network device an even index is
 * a queue the host fills (host to guest), an odd one a queue the guest fills. Every function
 * accepts any number for either and answers with the failure value it lists.
 *
 * @par Threads
 * Every function below names one of these classes:
 * - @b setup: any thread, but not from inside a callback. Calls on one path are made one after
 *   the other by the library itself.
 * - @b any: any thread at any time, callbacks included.
 * - @b queue: any thread, at most one at a time for one queue of one device; different queues
 *   in parallel. May be called at any moment, also while the device goes away.
 *   From inside vring_state_changed() such a call on that queue does nothing and returns its
 *   failure value, because the library holds the queue.
 *
 * @par Sources
 * "guide" is the chapter Vhost Library of the DPDK programmer's guide, "spec" the
 * vhost-user protocol specification of QEMU, "virtio" the VIRTIO standard, and
 * "22.11" the interface of DPDK 22.11 (ABI 23) where the former are silent.
 *
 * "Not in this release" marks a function that is declared here but absent from the library
 * file so far: using it gives an error from the linker, never a stub at run time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include <rte_compat.h>

/*
 * DPDK's own rte_vhost.h pulls these two in and programs came to rely on it. Nothing below
 * needs them: define RTE_VHOST_LEAN_INCLUDES to leave them out.
 */
#ifndef RTE_VHOST_LEAN_INCLUDES
#include <rte_memory.h>
#include <rte_mempool.h>
#endif

#ifndef __cplusplus
/* The kernel's headers are C only. A C++ program sees the ring types as incomplete. */
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_net.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @name Flags of rte_vhost_driver_register()
 * Source: guide. Bits without a name here are reserved and must be 0.
 * @{
 */
/** Connect to a socket the frontend listens on. Without it the library creates the socket. */
#define RTE_VHOST_USER_CLIENT		(1ULL << 0)
/** With #RTE_VHOST_USER_CLIENT: try once, and do not come back after a lost connection. */
#define RTE_VHOST_USER_NO_RECONNECT	(1ULL << 1)
/** Had a meaning long ago (zero copy); ignored. */
#define RTE_VHOST_USER_RESERVED_1	(1ULL << 2)
/** Offer VIRTIO_F_ACCESS_PLATFORM: guest addresses go through the guest's IOMMU, and the built-in
 *  net data path touches nothing but what that allows. */
#define RTE_VHOST_USER_IOMMU_SUPPORT	(1ULL << 3)
/** Offer post-copy migration; the application must not touch guest memory ahead of time.
 *  Frontends get a userfaultfd of this process, so they must be trusted (SECURITY.md).
 *  Refused by rte_vhost_driver_register() where the process may not have one. */
#define RTE_VHOST_USER_POSTCOPY_SUPPORT	(1ULL << 4)
/** A packet larger than one mbuf may come in an external buffer taken with rte_malloc(). */
#define RTE_VHOST_USER_EXTBUF_SUPPORT	(1ULL << 5)
/** Dequeue never chains mbufs; what does not fit is dropped unless
 *  #RTE_VHOST_USER_EXTBUF_SUPPORT makes it fit. */
#define RTE_VHOST_USER_LINEARBUF_SUPPORT	(1ULL << 6)
/** Allow the functions of rte_vhost_async.h.
 *  Refused by rte_vhost_driver_register() in this release. */
#define RTE_VHOST_USER_ASYNC_COPY	(1ULL << 7)
/** Describe checksum and segmentation of dequeued packets as a NIC driver does, in the Rx
 *  fields of the mbuf. Without it they appear as Tx requests, as they did since 16.04. */
#define RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS	(1ULL << 8)
/** Count per queue, see rte_vhost_vring_stats_get(). */
#define RTE_VHOST_USER_NET_STATS_ENABLE	(1ULL << 9)
/** @} */

/**
 * @name Virtio feature bits old kernel headers lack
 * Source: virtio.
 * @{
 */
#ifndef VIRTIO_NET_F_MTU
#define VIRTIO_NET_F_MTU		3
#endif
#ifndef VIRTIO_NET_F_GUEST_ANNOUNCE
#define VIRTIO_NET_F_GUEST_ANNOUNCE	21
#endif
#ifndef VIRTIO_NET_F_MQ
#define VIRTIO_NET_F_MQ			22
#endif
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4		54
#define VIRTIO_NET_F_GUEST_USO6		55
#define VIRTIO_NET_F_HOST_USO		56
#endif
#ifndef VIRTIO_NET_F_HASH_REPORT
#define VIRTIO_NET_F_HASH_REPORT	57
#endif
#ifndef VIRTIO_F_ANY_LAYOUT
#define VIRTIO_F_ANY_LAYOUT		27
#endif
#ifndef VHOST_F_LOG_ALL
#define VHOST_F_LOG_ALL			26
#endif
/** Virtio feature bit: the two sides also negotiate protocol features. Source: spec. */
#ifndef VHOST_USER_F_PROTOCOL_FEATURES
#define VHOST_USER_F_PROTOCOL_FEATURES	30
#endif
/** @} */

/**
 * Name of the mbuf flag (rte_mbuf_dynflag_lookup()) that is set beside RTE_MBUF_F_TX_UDP_SEG, or
 * RTE_MBUF_F_RX_LRO in compliant mode, when @c tso_segsz is the payload of a datagram (USO) and
 * not of an IP fragment (UFO). It exists from the first rte_vhost_driver_enable_features() with
 * one of VIRTIO_NET_F_HOST_USO, _GUEST_USO4 and _GUEST_USO6 on. Source: vhost-ng.
 */
#define RTE_VHOST_MBUF_DYNFLAG_USO "rte_vhost_dynflag_uso"

/**
 * @name vhost-user protocol feature bits
 * Source: spec, "Protocol features". The spec says BACKEND where older text says SLAVE;
 * both spellings are here.
 * @{
 */
#ifndef VHOST_USER_PROTOCOL_F_MQ
#define VHOST_USER_PROTOCOL_F_MQ		0
#endif
#ifndef VHOST_USER_PROTOCOL_F_LOG_SHMFD
#define VHOST_USER_PROTOCOL_F_LOG_SHMFD		1
#endif
#ifndef VHOST_USER_PROTOCOL_F_RARP
#define VHOST_USER_PROTOCOL_F_RARP		2
#endif
#ifndef VHOST_USER_PROTOCOL_F_REPLY_ACK
#define VHOST_USER_PROTOCOL_F_REPLY_ACK		3
#endif
#ifndef VHOST_USER_PROTOCOL_F_NET_MTU
#define VHOST_USER_PROTOCOL_F_NET_MTU		4
#endif
#ifndef VHOST_USER_PROTOCOL_F_SLAVE_REQ
#define VHOST_USER_PROTOCOL_F_SLAVE_REQ		5
#endif
#ifndef VHOST_USER_PROTOCOL_F_BACKEND_REQ
#define VHOST_USER_PROTOCOL_F_BACKEND_REQ	5
#endif
#ifndef VHOST_USER_PROTOCOL_F_CROSS_ENDIAN
#define VHOST_USER_PROTOCOL_F_CROSS_ENDIAN	6
#endif
#ifndef VHOST_USER_PROTOCOL_F_CRYPTO_SESSION
#define VHOST_USER_PROTOCOL_F_CRYPTO_SESSION	7
#endif
#ifndef VHOST_USER_PROTOCOL_F_PAGEFAULT
#define VHOST_USER_PROTOCOL_F_PAGEFAULT		8
#endif
#ifndef VHOST_USER_PROTOCOL_F_CONFIG
#define VHOST_USER_PROTOCOL_F_CONFIG		9
#endif
#ifndef VHOST_USER_PROTOCOL_F_SLAVE_SEND_FD
#define VHOST_USER_PROTOCOL_F_SLAVE_SEND_FD	10
#endif
#ifndef VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD
#define VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD	10
#endif
#ifndef VHOST_USER_PROTOCOL_F_HOST_NOTIFIER
#define VHOST_USER_PROTOCOL_F_HOST_NOTIFIER	11
#endif
#ifndef VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD
#define VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD	12
#endif
#ifndef VHOST_USER_PROTOCOL_F_RESET_DEVICE
#define VHOST_USER_PROTOCOL_F_RESET_DEVICE	13
#endif
#ifndef VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS
#define VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS	14
#endif
#ifndef VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS
#define VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS	15
#endif
#ifndef VHOST_USER_PROTOCOL_F_STATUS
#define VHOST_USER_PROTOCOL_F_STATUS		16
#endif
#ifndef VHOST_USER_PROTOCOL_F_XEN_MMAP
#define VHOST_USER_PROTOCOL_F_XEN_MMAP		17
#endif
#ifndef VHOST_USER_PROTOCOL_F_SHARED_OBJECT
#define VHOST_USER_PROTOCOL_F_SHARED_OBJECT	18
#endif
#ifndef VHOST_USER_PROTOCOL_F_DEVICE_STATE
#define VHOST_USER_PROTOCOL_F_DEVICE_STATE	19
#endif
#ifndef VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT
#define VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT	20
#endif
#ifndef VHOST_USER_PROTOCOL_F_GPA_ADDRESSES
#define VHOST_USER_PROTOCOL_F_GPA_ADDRESSES	21
#endif
#ifndef VHOST_USER_PROTOCOL_F_SHMEM
#define VHOST_USER_PROTOCOL_F_SHMEM		22
#endif
#ifndef VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN
#define VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN	23
#endif
/** @} */

/** Number of connections one process can have at a time; every @c vid is below it. */
#define RTE_MAX_VHOST_DEVICE	1024

/** Kind of a vDPA device: network. See rte_vhost_driver_get_vdpa_dev_type(). */
#define RTE_VHOST_VDPA_DEVICE_TYPE_NET	0
/** Kind of a vDPA device: block storage. */
#define RTE_VHOST_VDPA_DEVICE_TYPE_BLK	1

/** Bytes of a statistic's name, the terminating zero included. */
#define RTE_VHOST_STATS_NAME_SIZE	64

struct rte_mbuf;
struct rte_mempool;
struct rte_vdpa_device;

/** One piece of guest memory and where it is mapped in this process. */
struct rte_vhost_mem_region {
	uint64_t guest_phys_addr;	/**< Guest physical address of its first byte. */
	uint64_t guest_user_addr;	/**< The same byte in the frontend's address space. */
	uint64_t host_user_addr;	/**< The same byte in this process. */
	uint64_t size;			/**< Bytes. */
	void *mmap_addr;		/**< Start of the mapping that contains the region. */
	uint64_t mmap_size;		/**< Bytes of that mapping. */
	int fd;				/**< File behind it; owned by the library. */
};

/** A memory table, see rte_vhost_get_mem_table(). */
struct rte_vhost_memory {
	uint32_t nregions;			/**< Elements in @c regions. */
	struct rte_vhost_mem_region regions[];	/**< In no particular order. */
};

/**
 * @name Requests in flight
 * The layout of the area that outlives a backend, shared with the frontend and the next
 * backend process. Source: spec, "Inflight I/O tracking".
 * @{
 */
/** State of one descriptor chain of a split ring. */
struct rte_vhost_inflight_desc_split {
	uint8_t inflight;	/**< 1 from fetched until its completion is published. */
	uint8_t padding[5];	/**< 0. */
	uint16_t next;		/**< Next of the last batch of completions. */
	uint64_t counter;	/**< Order of fetching, for replay in order. */
};

/** The area of one split ring. */
struct rte_vhost_inflight_info_split {
	uint64_t features;		/**< 0; room for later. */
	uint16_t version;		/**< 1 once initialised. */
	uint16_t desc_num;		/**< Elements in @c desc: the ring size. */
	uint16_t last_inflight_io;	/**< Head of the last batch of completions. */
	uint16_t used_idx;		/**< Used index before that batch. */
	struct rte_vhost_inflight_desc_split desc[];	/**< By head descriptor index. */
};

/** State of one descriptor of a packed ring. */
struct rte_vhost_inflight_desc_packed {
	uint8_t inflight;	/**< 1 from fetched until its completion is published. */
	uint8_t padding;	/**< 0. */
	uint16_t next;		/**< Next entry of its chain or of the free list. */
	uint16_t last;		/**< Last entry of the chain, valid in its head. */
	uint16_t num;		/**< Descriptors of the chain, valid in its head. */
	uint64_t counter;	/**< Order of fetching, for replay in order. */
	uint16_t id;		/**< Buffer id, copied from the descriptor. */
	uint16_t flags;		/**< Flags, copied from the descriptor. */
	uint32_t len;		/**< Bytes, copied from the descriptor. */
	uint64_t addr;		/**< Address, copied from the descriptor. */
};

/** The area of one packed ring. */
struct rte_vhost_inflight_info_packed {
	uint64_t features;		/**< 0; room for later. */
	uint16_t version;		/**< 1 once initialised. */
	uint16_t desc_num;		/**< Elements in @c desc: the ring size. */
	uint16_t free_head;		/**< Head of the list of free entries. */
	uint16_t old_free_head;		/**< The same, before the batch under way. */
	uint16_t used_idx;		/**< Used index. */
	uint16_t old_used_idx;		/**< The same, before the batch under way. */
	uint8_t used_wrap_counter;	/**< Used wrap counter. */
	uint8_t old_used_wrap_counter;	/**< The same, before the batch under way. */
	uint8_t padding[7];		/**< 0. */
	struct rte_vhost_inflight_desc_packed desc[];	/**< Entries, not ring slots. */
};

/** A request left unfinished by the backend before this one. */
struct rte_vhost_resubmit_desc {
	uint16_t index;		/**< Split: head descriptor. Packed: entry of the area. */
	uint64_t counter;	/**< Order of fetching, oldest is smallest. */
};

/** The requests to be done again, oldest last. */
struct rte_vhost_resubmit_info {
	/** The library's, until the queue stops. Who is through with it may free() it, if the
	 *  element is then set to NULL. */
	struct rte_vhost_resubmit_desc *resubmit_list;
	uint16_t resubmit_num;	/**< Elements in it; the application may count it down. */
};

/** What rte_vhost_get_vhost_ring_inflight() fills in. */
struct rte_vhost_ring_inflight {
	union {
		struct rte_vhost_inflight_info_split *inflight_split;	/**< Split ring. */
		struct rte_vhost_inflight_info_packed *inflight_packed;	/**< Packed ring. */
	};
	/** The library's; NULL when nothing is to be done again. */
	struct rte_vhost_resubmit_info *resubmit_inflight;
};
/** @} */

/**
 * One virtqueue, as rte_vhost_get_vhost_vring() shows it. The pointers lead into memory the
 * guest writes. They and the file descriptors stay the library's.
 */
struct rte_vhost_vring {
	union {
		struct vring_desc *desc;		/**< Split: descriptor table. */
		struct vring_packed_desc *desc_packed;	/**< Packed: the ring. */
	};
	union {
		struct vring_avail *avail;			/**< Split: available ring. */
		struct vring_packed_desc_event *driver_event;	/**< Packed: guest's events. */
	};
	union {
		struct vring_used *used;			/**< Split: used ring. */
		struct vring_packed_desc_event *device_event;	/**< Packed: host's events. */
	};
	uint64_t log_guest_addr;	/**< Guest physical address of the used part. */
	int callfd;			/**< Interrupt eventfd, < 0 if none. Do not write to it:
					 *   use rte_vhost_vring_call(). */
	int kickfd;			/**< Kick eventfd, < 0 if none. */
	uint16_t size;			/**< Descriptors. */
};

/** What a handler of struct rte_vhost_user_extern_ops says about a message. */
enum rte_vhost_msg_result {
	RTE_VHOST_MSG_RESULT_ERR = -1,		/**< Handled, and it failed. */
	RTE_VHOST_MSG_RESULT_OK = 0,		/**< Handled. */
	RTE_VHOST_MSG_RESULT_REPLY = 1,		/**< Handled; the reply is in @c msg. */
	RTE_VHOST_MSG_RESULT_NOT_HANDLED = 2,	/**< Not one of ours. */
};

/**
 * Handler of one vhost-user message, called on the library's control thread.
 *
 * @param vid
 *   The device the message is for.
 * @param msg
 *   The message, valid during the call, without padding between its parts (offsets in bytes):
 *   uint32_t request at 0, uint32_t flags at 4, uint32_t payload size in bytes at 8, payload
 *   at 12 (632 bytes of room), int fds[8] at 644, int number of fds at 676; 680 bytes in all.
 *   For #RTE_VHOST_MSG_RESULT_REPLY the handler changes size and payload in place; for every
 *   other result what it changed is ignored. Descriptors do not go with a reply.
 *   A handler that keeps a file descriptor sets its element to -1. Content is the
 *   frontend's: check every length. A message with more payload than that is not shown.
 * @return
 *   One of enum rte_vhost_msg_result.
 *
 * Source: 22.11.
 */
typedef enum rte_vhost_msg_result (*rte_vhost_msg_handle)(int vid, void *msg);

/** Message handlers of an application, see rte_vhost_extern_callback_register(). */
struct rte_vhost_user_extern_ops {
	/** Sees a message first. Anything but NOT_HANDLED keeps it from the library. May be NULL. */
	rte_vhost_msg_handle pre_msg_handle;
	/** Sees a message last, as its reply if it has one already, before new_device() is
	 *  called because of it; not when it failed. May be NULL. */
	rte_vhost_msg_handle post_msg_handle;
};

/**
 * Events of a device. Every pointer may be NULL. All are called on the library's control
 * thread, one at a time, except guest_notified(). None may call a function of class "setup".
 * The order for one device is new_connection, new_device, features_changed any number of times,
 * destroy_device, destroy_connection; new_device/destroy_device may repeat in between.
 * vring_state_changed() comes at any time between the connection callbacks: queues are enabled
 * before new_device() and disabled after destroy_device(). When the connection breaks it is not
 * called. Source: guide.
 */
struct rte_vhost_device_ops {
	/** The device is ready for packets. Non-zero refuses it: asked again when the
	 *  frontend's next message finds it ready. */
	int (*new_device)(int vid);
	/** The device is paused or going away. Queues still work during the call, so that other
	 *  threads can finish; the application stops using them before it returns. */
	void (*destroy_device)(int vid);
	/** A queue was enabled (1) or disabled (0). The library holds that queue. The return
	 *  value is ignored. */
	int (*vring_state_changed)(int vid, uint16_t queue_id, int enable);
	/** Negotiated features are about to change on a running device: VHOST_F_LOG_ALL, when a
	 *  migration starts or ends. Queues work during the call. The return value is ignored. */
	int (*features_changed)(int vid, uint64_t features);
	/** A frontend is connected. A negative value closes the connection. */
	int (*new_connection)(int vid);
	/** The connection is gone; @c vid means nothing once this returns. */
	void (*destroy_connection)(int vid);
	/** The guest got an interrupt (one eventfd write). Called on the thread that caused
	 *  it, often a data thread: count and return. */
	void (*guest_notified)(int vid);
	void *reserved[1];	/**< NULL. */
};

/** What a core may wait for instead of polling, see rte_vhost_get_monitor_addr(). */
struct rte_vhost_power_monitor_cond {
	volatile void *addr;	/**< Address to watch; guest memory. */
	uint64_t val;		/**< Compared with the value at @c addr after masking. */
	uint64_t mask;		/**< Bits of the value that count. */
	uint8_t size;		/**< Bytes to read at @c addr: 1, 2, 4 or 8. */
	uint8_t match;		/**< 1: do not sleep if equal. 0: do not sleep if different. */
};

/** One counter, see rte_vhost_vring_stats_get(). */
struct rte_vhost_stat {
	uint64_t id;	/**< Index into the names. */
	uint64_t value;	/**< Count since start or reset; packets or bytes as the name says. */
};

/** The name of a counter, see rte_vhost_vring_stats_get_names(). */
struct rte_vhost_stat_name {
	char name[RTE_VHOST_STATS_NAME_SIZE];	/**< Zero-terminated. */
};

/**
 * Find where a guest physical address is mapped in this process.
 *
 * @param mem
 *   Table from rte_vhost_get_mem_table().
 * @param gpa
 *   Guest physical address.
 * @param[in,out] len
 *   In: bytes wanted from @p gpa on. Out: how many of them lie in the same region; 0 if
 *   @p gpa is in none. Use no more than that: the rest may be mapped elsewhere or not at all.
 * @return
 *   Address in this process, or 0 if @p gpa is not guest memory.
 *
 * Threads: any; the table must not be freed meanwhile. Source: 22.11.
 */
static inline __attribute__((always_inline)) uint64_t
rte_vhost_va_from_guest_pa(struct rte_vhost_memory *mem, uint64_t gpa, uint64_t *len)
{
	uint32_t i;

	for (i = 0; i < mem->nregions; i++) {
		const struct rte_vhost_mem_region *region = &mem->regions[i];
		uint64_t offset = gpa - region->guest_phys_addr;

		/* Below the region the difference wraps to a huge number. */
		if (offset >= region->size)
			continue;
		if (*len > region->size - offset)
			*len = region->size - offset;
		return region->host_user_addr + offset;
	}

	*len = 0;
	return 0;
}

/** Non-zero if negotiated @p features ask for the dirty log (a migration is under way). */
#define RTE_VHOST_NEED_LOG(features)	((features) & (1ULL << VHOST_F_LOG_ALL))

/**
 * @name Life of a socket
 * @{
 */
/**
 * Announce a socket. Nothing is created or connected before rte_vhost_driver_start().
 *
 * @param path
 *   Socket file, at most 107 bytes; the name of this driver in all further calls.
 * @param flags
 *   RTE_VHOST_USER_* flags.
 * @return
 *   - 0: registered.
 *   - -1: @p path is NULL, empty, too long or registered already, the limit of sockets is
 *     reached, memory ran out, or a flag is refused by this release. The log says which.
 *
 * Threads: setup. Source: guide.
 */
int rte_vhost_driver_register(const char *path, uint64_t flags);

/**
 * Forget a socket: stop listening or reconnecting, close its connections (destroy_device and
 * destroy_connection of each are called first), and in server mode remove the socket file.
 *
 * @param path
 *   As registered.
 * @return
 *   - 0: gone.
 *   - -1: @p path is NULL or not registered, or this is a callback.
 *
 * Threads: setup. Returns when no callback of this socket runs any more. Source: 22.11.
 */
int rte_vhost_driver_unregister(const char *path);

/**
 * Begin to serve a socket. In server mode it is created and listened on when this returns.
 * In client mode the library connects, and unless #RTE_VHOST_USER_NO_RECONNECT was given
 * goes on trying until a frontend is there, and again whenever one is lost.
 *
 * @param path
 *   As registered.
 * @return
 *   - 0: serving; in client mode with reconnect also if no frontend is there yet.
 *   - -1: not registered, started already, the socket cannot be created (somebody listens on it, no
 *     permission), or, with #RTE_VHOST_USER_NO_RECONNECT, nobody to connect to.
 *
 * Threads: setup. Source: guide.
 */
int rte_vhost_driver_start(const char *path);

/**
 * Say who is to be told about devices of a socket. Call it before rte_vhost_driver_start().
 *
 * @param path
 *   As registered.
 * @param ops
 *   Callbacks; copied. NULL: none. (DPDK's own library keeps the pointer: a program for both
 *   keeps the struct until it unregisters.)
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered.
 *
 * Threads: setup. Source: guide.
 */
int rte_vhost_driver_callback_register(const char *path,
	struct rte_vhost_device_ops const * const ops);
/** @} */

/**
 * @name What a socket offers
 * Virtio feature bits are 1 << VIRTIO_*_F_*, protocol feature bits 1 << VHOST_USER_PROTOCOL_F_*.
 * Changes count for connections made afterwards; make them before rte_vhost_driver_start().
 * @{
 */
/**
 * Set the virtio feature bits a socket offers. This also says that the application implements
 * the device type itself: the built-in network device steps aside, so the burst functions do
 * not serve this socket.
 *
 * @param path
 *   As registered.
 * @param features
 *   All bits to offer.
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered.
 *
 * Threads: setup. Source: guide.
 */
int rte_vhost_driver_set_features(const char *path, uint64_t features);

/**
 * Offer some virtio features again, after rte_vhost_driver_disable_features().
 *
 * @param path
 *   As registered.
 * @param features
 *   Bits to add to what is offered.
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered, or the socket does not support one of the bits, or no mbuf
 *     flag is free for #RTE_VHOST_MBUF_DYNFLAG_USO; then nothing changes. Supported is what
 *     rte_vhost_driver_set_features() set, else what rte_vhost_driver_register() offered and,
 *     for those who know them, VIRTIO_NET_F_HOST_USO, _GUEST_USO4, _GUEST_USO6 and _HASH_REPORT.
 *
 * Threads: setup. Source: guide.
 */
int rte_vhost_driver_enable_features(const char *path, uint64_t features);

/**
 * Stop offering some virtio features, e.g. mergeable buffers, which is on by default.
 *
 * @param path
 *   As registered.
 * @param features
 *   Bits to take away.
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered.
 *
 * Threads: setup. Source: guide.
 */
int rte_vhost_driver_disable_features(const char *path, uint64_t features);

/**
 * Ask which virtio features a socket offers. With a vDPA device attached, only those the
 * device has too.
 *
 * @param path
 *   As registered.
 * @param[out] features
 *   Bits.
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered, a pointer is NULL, or the vDPA device does not answer.
 *
 * Threads: setup. Source: 22.11.
 */
int rte_vhost_driver_get_features(const char *path, uint64_t *features);

/**
 * Set the protocol feature bits a socket offers.
 *
 * @param path
 *   As registered.
 * @param protocol_features
 *   All bits to offer. CROSS_ENDIAN, INBAND_NOTIFICATIONS and XEN_MMAP cannot be.
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered, or a bit cannot be offered: nothing changes.
 *
 * Threads: setup. Source: 22.11.
 */
int rte_vhost_driver_set_protocol_features(const char *path, uint64_t protocol_features);

/**
 * Ask which protocol features a socket offers. With a vDPA device attached, only those the
 * device has too.
 *
 * @param path
 *   As registered.
 * @param[out] protocol_features
 *   Bits.
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered, a pointer is NULL, or the vDPA device does not answer.
 *
 * Threads: setup. Source: 22.11.
 */
int rte_vhost_driver_get_protocol_features(const char *path, uint64_t *protocol_features);

/**
 * Ask how many queue pairs a socket offers.
 *
 * @param path
 *   As registered.
 * @param[out] queue_num
 *   Queue pairs; twice as many virtqueues may be set up. With a vDPA device attached, no more
 *   than the device has.
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered, a pointer is NULL, or the vDPA device does not answer.
 *
 * Threads: setup. Source: 22.11; spec, GET_QUEUE_NUM.
 */
int rte_vhost_driver_get_queue_num(const char *path, uint32_t *queue_num);
/** @} */

/**
 * @name vDPA: hardware that serves the rings
 * @{
 */
/**
 * Let a vDPA device serve a socket. The socket then takes one connection at a time, and offers
 * what both it and the device can do. Bursts find nothing on its queues. Connections that are
 * there already are not touched.
 *
 * @param path
 *   As registered, without RTE_VHOST_USER_IOMMU_SUPPORT and RTE_VHOST_USER_POSTCOPY_SUPPORT.
 * @param dev
 *   Device, from rte_vdpa_find_device_by_name(). When its driver goes, its connections are closed
 *   and @p path turns frontends away, until another one is attached or this one detached.
 * @return
 *   - 0: done.
 *   - -1: @p dev is not (or no longer) a vDPA device, @p path is not registered, it is with a flag
 *     that no vDPA device can do, or it is a crypto device's.
 *
 * Threads: setup. Source: guide.
 */
int rte_vhost_driver_attach_vdpa_device(const char *path, struct rte_vdpa_device *dev);

/**
 * Undo rte_vhost_driver_attach_vdpa_device() for connections made from now on.
 *
 * @param path
 *   As registered.
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered.
 *
 * Threads: setup. Source: 22.11.
 */
int rte_vhost_driver_detach_vdpa_device(const char *path);

/**
 * Ask which vDPA device serves a socket.
 *
 * @param path
 *   As registered.
 * @return
 *   The device; NULL if there is none or @p path is not registered.
 *
 * Threads: setup. Source: 22.11.
 */
struct rte_vdpa_device *rte_vhost_driver_get_vdpa_device(const char *path);

/**
 * Ask what kind of device serves a socket.
 *
 * @param path
 *   As registered.
 * @param[out] type
 *   #RTE_VHOST_VDPA_DEVICE_TYPE_NET or #RTE_VHOST_VDPA_DEVICE_TYPE_BLK.
 * @return
 *   - 0: done.
 *   - -1: @p path is not registered, it has no vDPA device, or @p type is NULL.
 *
 * Threads: setup. Source: 22.11.
 */
__rte_experimental
int rte_vhost_driver_get_vdpa_dev_type(const char *path, uint32_t *type);

/**
 * Ask which vDPA device serves a connection.
 *
 * @param vid
 *   Device.
 * @return
 *   The vDPA device; NULL if there is none or @p vid is not connected.
 *
 * Threads: any. Source: 22.11.
 */
struct rte_vdpa_device *rte_vhost_get_vdpa_device(int vid);
/** @} */

/**
 * @name Facts about a device
 * @{
 */
/**
 * Ask which virtio features guest and host agreed on.
 *
 * @param vid
 *   Device.
 * @param[out] features
 *   Bits.
 * @return
 *   - 0: done.
 *   - -1: @p vid is not connected, or @p features is NULL.
 *
 * Threads: any. Source: 22.11; spec, SET_FEATURES.
 */
int rte_vhost_get_negotiated_features(int vid, uint64_t *features);

/**
 * Ask which protocol features frontend and backend agreed on.
 *
 * @param vid
 *   Device.
 * @param[out] protocol_features
 *   Bits.
 * @return
 *   - 0: done.
 *   - -1: @p vid is not connected, or @p protocol_features is NULL.
 *
 * Threads: any. Source: 22.11; spec, SET_PROTOCOL_FEATURES.
 */
__rte_experimental
int rte_vhost_get_negotiated_protocol_features(int vid, uint64_t *protocol_features);

/**
 * Ask for the MTU the frontend gave the device.
 *
 * @param vid
 *   Device.
 * @param[out] mtu
 *   Bytes.
 * @return
 *   - 0: done.
 *   - -ENODEV: @p vid is not connected, or @p mtu is NULL.
 *   - -EAGAIN: the device is not ready yet.
 *   - -ENOTSUP: VIRTIO_NET_F_MTU was not negotiated.
 *
 * Threads: any. Source: 22.11; spec, NET_SET_MTU.
 */
int rte_vhost_get_mtu(int vid, uint16_t *mtu);

/**
 * Ask on which NUMA node the device's data lives.
 *
 * @param vid
 *   Device.
 * @return
 *   - Node number.
 *   - -1: @p vid is not connected or the kernel does not say.
 *
 * Threads: any. Source: 22.11.
 */
int rte_vhost_get_numa_node(int vid);

/**
 * Ask how many virtqueues the frontend has set up.
 *
 * @param vid
 *   Device.
 * @return
 *   Virtqueues (not pairs), enabled or not; 0 if @p vid is not connected.
 *
 * Threads: any. Source: 22.11.
 */
uint16_t rte_vhost_get_vring_num(int vid);

/**
 * Ask through which socket a device came.
 *
 * @param vid
 *   Device.
 * @param[out] buf
 *   The path as registered; cut if need be, always zero-terminated.
 * @param len
 *   Bytes in @p buf.
 * @return
 *   - 0: done.
 *   - -1: @p vid is not connected, @p buf is NULL or @p len is 0.
 *
 * Threads: any. Source: 22.11.
 */
int rte_vhost_get_ifname(int vid, char *buf, size_t len);

/**
 * Get a copy of the guest's memory table.
 *
 * @param vid
 *   Device.
 * @param[out] mem
 *   The copy; release it with free(). The addresses in it hold until the table changes: at the
 *   latest destroy_device() ends their use.
 * @return
 *   - 0: done.
 *   - -1: @p vid is not connected, it has no table, @p mem is NULL, or memory ran out.
 *
 * Threads: any. Source: 22.11; spec, SET_MEM_TABLE.
 */
int rte_vhost_get_mem_table(int vid, struct rte_vhost_memory **mem);

/**
 * Get the dirty log of a migration.
 *
 * @param vid
 *   Device.
 * @param[out] log_base
 *   Address of the bitmap in this process, one bit per 4096 bytes of guest memory; 0 if none. It is
 *   mapped until another log replaces it, features_changed() has returned for the end of logging, or
 *   destroy_connection() has.
 * @param[out] log_size
 *   Bytes of the bitmap; 0 if none.
 * @return
 *   - 0: done.
 *   - -1: @p vid is not connected, or a pointer is NULL.
 *
 * Threads: any. Source: 22.11; spec, SET_LOG_BASE.
 */
int rte_vhost_get_log_base(int vid, uint64_t *log_base, uint64_t *log_size);
/** @} */

/**
 * @name Packets
 * @{
 */
/**
 * Give packets to the guest. They are copied: the caller keeps all mbufs and frees them.
 * Requests in the mbufs (checksum, segmentation) are passed on as far as the guest agreed.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue to fill; even.
 * @param pkts
 *   Packets, chained ones included.
 * @param count
 *   Packets in @p pkts.
 * @return
 *   How many of the first packets are done with: the guest got them, or they were dropped and
 *   counted because they ask for what the guest did not agree to. Less than @p count when the
 *   guest has no more buffers; 0 also when the queue is disabled, broken, odd or held, or
 *   @p vid is not connected.
 *
 * Threads: queue. Source: guide.
 */
uint16_t rte_vhost_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count);

/**
 * Take packets from the guest into new mbufs.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue to empty; odd.
 * @param mbuf_pool
 *   Where mbufs come from. A packet larger than one of its data rooms is chained, or as the
 *   flags of rte_vhost_driver_register() say.
 * @param[out] pkts
 *   Packets; the caller's to free.
 * @param count
 *   Room in @p pkts.
 * @return
 *   Packets stored. 0 when there is none, the pool is empty, the queue is disabled, broken,
 *   even or held, another thread is in it, or @p vid is not connected. Less than @p count does
 *   not mean that the queue is empty.
 *
 * Threads: queue. Source: guide.
 */
uint16_t rte_vhost_dequeue_burst(int vid, uint16_t queue_id, struct rte_mempool *mbuf_pool,
	struct rte_mbuf **pkts, uint16_t count);

/**
 * Ask how many chains the guest made available and the host has not yet returned.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Any queue.
 * @return
 *   Chains (packed ring: descriptors); 0 if the queue is disabled or held, or there is none.
 *   The guest goes on meanwhile: a hint, not a promise.
 *
 * Threads: queue. Source: 22.11.
 */
uint16_t rte_vhost_avail_entries(int vid, uint16_t queue_id);

/**
 * Ask how many packets wait in a queue the guest fills.
 *
 * @param vid
 *   Device.
 * @param qid
 *   Queue; odd.
 * @return
 *   Chains (packed ring: descriptors) not yet fetched; 0 if the queue is disabled, even or
 *   held, or there is none.
 *
 * Threads: queue. Source: 22.11.
 */
uint32_t rte_vhost_rx_queue_count(int vid, uint16_t qid);

/**
 * Say whether the guest should kick when it adds buffers. A polling application needs no kick.
 * A disabled queue remembers it for the time it is enabled.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Any queue.
 * @param enable
 *   0: no kicks. Else: kicks.
 * @return
 *   - 0: done or remembered.
 *   - -1: no such device or queue.
 *
 * To sleep on the queue's kick eventfd: enable, look at the queue once more, sleep. While
 * notifications are enabled the library raises that eventfd itself when it let go of the queue,
 * because a look meanwhile saw nothing.
 *
 * Threads: any. Source: 22.11; virtio, "Available Buffer Notification Suppression".
 */
int rte_vhost_enable_guest_notification(int vid, uint16_t queue_id, int enable);

/**
 * Get what to watch to notice that the guest added buffers.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Any queue.
 * @param[out] pmc
 *   Address and condition, good until the queue is disabled.
 * @return
 *   - 0: done.
 *   - -1: no such device or queue, @p pmc is NULL, or the queue is disabled, broken or held.
 *
 * Threads: queue. Source: 22.11.
 */
__rte_experimental
int rte_vhost_get_monitor_addr(int vid, uint16_t queue_id,
	struct rte_vhost_power_monitor_cond *pmc);
/** @} */

/**
 * @name Rings, for applications that implement a device type themselves
 * @{
 */
/**
 * Get a ring's addresses, size and file descriptors.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @param[out] vring
 *   See struct rte_vhost_vring; good until the queue is disabled or the memory table changes.
 *   Of a queue whose ring is not set up yet, the pointers are NULL.
 * @return
 *   - 0: done.
 *   - -1: no such device or queue, or @p vring is NULL.
 *
 * Threads: any. Source: 22.11.
 */
int rte_vhost_get_vhost_vring(int vid, uint16_t vring_idx, struct rte_vhost_vring *vring);

/**
 * Interrupt the guest if it wants to hear about used buffers. All earlier writes to the ring
 * are visible to it before.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @return
 *   - 0: done, also if the guest did not want an interrupt.
 *   - -1: no such device or queue, or the queue is disabled, broken or held.
 *
 * Threads: any; waits for another thread that is in the queue. Source: 22.11; virtio,
 * "Used Buffer Notification Suppression".
 */
int rte_vhost_vring_call(int vid, uint16_t vring_idx);

/**
 * rte_vhost_vring_call() without waiting.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @return
 *   - 0: done.
 *   - -EAGAIN: another thread is in the queue.
 *   - -1: no such device or queue, or the queue is disabled, broken or held.
 *
 * Threads: any. Source: 22.11.
 */
__rte_experimental
int rte_vhost_vring_call_nonblock(int vid, uint16_t vring_idx);

/**
 * Ask where in its ring the library stands.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] last_avail_idx
 *   Split: available index. Packed: slot in bits 0 to 14, wrap counter in bit 15.
 * @param[out] last_used_idx
 *   The same for used.
 * @return
 *   - 0: done.
 *   - -1: no such device or queue, or a NULL pointer.
 *
 * Threads: any. Source: 22.11; spec, GET_VRING_BASE.
 */
int rte_vhost_get_vring_base(int vid, uint16_t queue_id, uint16_t *last_avail_idx,
	uint16_t *last_used_idx);

/**
 * Tell the library where in a ring it is to go on.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param last_avail_idx
 *   As rte_vhost_get_vring_base() gives it.
 * @param last_used_idx
 *   The same for used.
 * @return
 *   - 0: done.
 *   - -1: no such device or queue, or the (packed) ring has no such place.
 *
 * Threads: any, while no burst runs on the queue. Source: 22.11.
 */
int rte_vhost_set_vring_base(int vid, uint16_t queue_id, uint16_t last_avail_idx,
	uint16_t last_used_idx);

/**
 * Mark guest memory as written, for a migration. Ask RTE_VHOST_NEED_LOG() first: it is rarely
 * needed.
 *
 * @param vid
 *   Device.
 * @param addr
 *   Guest physical address of the first byte written. Mark after the write, not before.
 * @param len
 *   Bytes written.
 *
 * Returns nothing; does nothing without a log, if @p vid is not connected, or if the log does not
 * cover all of the bytes.
 * Threads: any. Source: 22.11; spec, "Migration".
 */
void rte_vhost_log_write(int vid, uint64_t addr, uint64_t len);

/**
 * Mark a part of a used ring as written, for a migration. Does nothing unless the frontend
 * asked for it with the ring's addresses.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @param offset
 *   Bytes from the start of the used ring.
 * @param len
 *   Bytes written.
 *
 * Returns nothing; does nothing without a log, if there is no such device or queue, or if the log
 * does not cover all of the bytes.
 * Threads: any. Source: 22.11; spec, "Migration".
 */
void rte_vhost_log_used_vring(int vid, uint16_t vring_idx, uint64_t offset, uint64_t len);

/**
 * Tell the frontend that the device's configuration space changed.
 *
 * @param vid
 *   Device.
 * @param need_reply
 *   Wait for the frontend's answer.
 * @return
 *   - 0: told, and with @p need_reply agreed to.
 *   - -ENODEV: no such device.
 *   - -ENOTSUP: VHOST_USER_PROTOCOL_F_BACKEND_REQ was not negotiated.
 *   - -ENOTCONN: the frontend gave no socket for it.
 *   - -ETIMEDOUT: no answer within a second.
 *   - -EPROTO: the frontend refused, or its answer makes no sense.
 *   - other < 0: the errno of the socket, e.g. -EAGAIN when the frontend does not read.
 *
 * Threads: any, but with @p need_reply not from a callback: it waits for the frontend.
 * Source: 22.11; spec, BACKEND_CONFIG_CHANGE_MSG.
 */
__rte_experimental
int rte_vhost_slave_config_change(int vid, bool need_reply);

/**
 * Put own message handlers around the library's. They replace those registered before.
 *
 * A message goes to pre_msg_handle(), then, unless that dealt with it, to the library, then to
 * post_msg_handle(), unless one of them failed. Known messages are checked for size, number of
 * descriptors and ranges before anybody sees them; GET_CONFIG and SET_CONFIG lie inside the 256
 * bytes of a configuration space. What nobody deals with is refused.
 *
 * @param vid
 *   Device; usually called in new_connection().
 * @param ops
 *   Handlers, copied. They last as long as the connection.
 * @param ctx
 *   For the handlers' owner; the library does not use it.
 * @return
 *   - 0: done.
 *   - -1: no such device, or @p ops is NULL.
 *
 * Threads: any, best in new_connection(). Source: 22.11.
 */
int rte_vhost_extern_callback_register(int vid,
	struct rte_vhost_user_extern_ops const * const ops, void *ctx);
/** @} */

/**
 * @name Requests in flight, for applications that implement a device type themselves
 * For each chain: rte_vhost_set_inflight_desc_*() when it is fetched,
 * rte_vhost_set_last_inflight_io_*() before it is published as used, rte_vhost_clr_inflight_desc_*()
 * after. These answer 0 also when nothing is to be done because
 * VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD was not negotiated. They may be called at any time while the
 * ring is set up, also while the library holds the queue. The area is memory of the frontend: an
 * application that reads it must check what it finds. Source: 22.11; spec, "Inflight I/O tracking".
 * @{
 */
/**
 * Get a ring's in-flight area and what is to be done again from before.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @param[out] vring
 *   See struct rte_vhost_ring_inflight; good until the queue is stopped. A position that the
 *   library gives for the queue (rte_vhost_get_vring_base()) is behind what is to be done again.
 * @return
 *   - 0: done.
 *   - -1: no such device or queue, @p vring is NULL, or the queue has no area.
 *
 * Threads: any. Source: 22.11; spec, "Inflight I/O tracking".
 */
int rte_vhost_get_vhost_ring_inflight(int vid, uint16_t vring_idx,
	struct rte_vhost_ring_inflight *vring);

/**
 * Record that a chain of a split ring was fetched.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @param idx
 *   Head descriptor.
 * @return
 *   - 0: recorded.
 *   - -1: no such device, queue or descriptor, no area, or a packed ring.
 *
 * Threads: queue. Source: 22.11; spec, "Inflight I/O tracking".
 */
int rte_vhost_set_inflight_desc_split(int vid, uint16_t vring_idx, uint16_t idx);

/**
 * Record that a chain of a packed ring was fetched.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @param head
 *   Ring slot of its first descriptor.
 * @param last
 *   Ring slot of its last descriptor.
 * @param[out] inflight_entry
 *   Entry of the area that now stands for it.
 * @return
 *   - 0: recorded.
 *   - -1: no such device, queue or slot, no area, or a split ring; @p inflight_entry is NULL;
 *     or chains were set complete and not yet cleared.
 *
 * Threads: queue. Source: 22.11; spec, "Inflight I/O tracking".
 */
int rte_vhost_set_inflight_desc_packed(int vid, uint16_t vring_idx, uint16_t head,
	uint16_t last, uint16_t *inflight_entry);

/**
 * Record the head of a batch of completions of a split ring, before publishing it.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @param idx
 *   Head descriptor.
 * @return
 *   - 0: recorded.
 *   - -1: no such device, queue or descriptor, no area, or a packed ring.
 *
 * Threads: queue. Source: 22.11; spec, "Inflight I/O tracking".
 */
int rte_vhost_set_last_inflight_io_split(int vid, uint16_t vring_idx, uint16_t idx);

/**
 * Record the head of a batch of completions of a packed ring, before publishing it.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @param head
 *   Entry of the area.
 * @return
 *   - 0: recorded.
 *   - -1: no such device, queue or entry, no area, or a split ring.
 *
 * Threads: queue. Source: 22.11; spec, "Inflight I/O tracking".
 */
int rte_vhost_set_last_inflight_io_packed(int vid, uint16_t vring_idx, uint16_t head);

/**
 * Record that a chain of a split ring is finished, after publishing it.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @param last_used_idx
 *   Used index up to and including this chain. Chains published as one batch are recorded in the
 *   order of rte_vhost_set_last_inflight_io_split(), each with an index of its own.
 * @param idx
 *   Head descriptor.
 * @return
 *   - 0: recorded.
 *   - -1: no such device, queue or descriptor, no area, or a packed ring.
 *
 * Threads: queue. Source: 22.11; spec, "Inflight I/O tracking".
 */
int rte_vhost_clr_inflight_desc_split(int vid, uint16_t vring_idx, uint16_t last_used_idx,
	uint16_t idx);

/**
 * Record that a chain of a packed ring is finished, after publishing it.
 *
 * @param vid
 *   Device.
 * @param vring_idx
 *   Queue.
 * @param head
 *   Entry of the area.
 * @return
 *   - 0: recorded.
 *   - -1: no such device, queue or entry, no area, or a split ring.
 *
 * Threads: queue. Source: 22.11; spec, "Inflight I/O tracking".
 */
int rte_vhost_clr_inflight_desc_packed(int vid, uint16_t vring_idx, uint16_t head);

/**
 * Ask where in a packed ring the backend before this one stood.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] last_avail_idx
 *   Slot in bits 0 to 14, wrap counter in bit 15.
 * @param[out] last_used_idx
 *   The same for used.
 * @return
 *   - 0: done.
 *   - -1: no such device or queue, a NULL pointer, a split ring, or no area.
 *
 * Threads: any. Source: 22.11; spec, "Inflight I/O tracking".
 */
int rte_vhost_get_vring_base_from_inflight(int vid, uint16_t queue_id,
	uint16_t *last_avail_idx, uint16_t *last_used_idx);
/** @} */

/**
 * @name Counters of a queue
 * They exist for sockets registered with #RTE_VHOST_USER_NET_STATS_ENABLE. Names and values
 * have the same order and number for all queues. Source: 22.11.
 * @{
 */
/**
 * Get the counters' names.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] name
 *   Names; may be NULL to ask for their number.
 * @param size
 *   Elements in @p name.
 * @return
 *   - 0 < n <= @p size: @p name has n names.
 *   - n > @p size, or @p name is NULL: nothing written, there are n.
 *   - -1: no such device or queue, or the socket does not count.
 *
 * Threads: any. Source: 22.11.
 */
int rte_vhost_vring_stats_get_names(int vid, uint16_t queue_id,
	struct rte_vhost_stat_name *name, unsigned int size);

/**
 * Get the counters' values.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @param[out] stats
 *   Values; may be NULL to ask for their number.
 * @param n
 *   Elements in @p stats.
 * @return
 *   - 0 < m <= @p n: @p stats has m values.
 *   - m > @p n, or @p stats is NULL: nothing written, there are m.
 *   - -1: no such device or queue, or the socket does not count.
 *
 * Threads: any. Source: 22.11.
 */
int rte_vhost_vring_stats_get(int vid, uint16_t queue_id, struct rte_vhost_stat *stats,
	unsigned int n);

/**
 * Set all counters of a queue to 0.
 *
 * @param vid
 *   Device.
 * @param queue_id
 *   Queue.
 * @return
 *   - 0: done.
 *   - -1: no such device or queue, or the socket does not count.
 *
 * Threads: any. Source: 22.11.
 */
int rte_vhost_vring_stats_reset(int vid, uint16_t queue_id);
/** @} */

#ifdef __cplusplus
}
#endif

#endif /* _RTE_VHOST_H_ */
