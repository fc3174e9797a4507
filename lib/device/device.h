/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices and queues: the facts a frontend states, and the state we derive
 * from them.
 *
 * Message handlers record facts, on the loop thread, under `device.lock`.
 * reconcile.c alone derives state from them and calls the application back,
 * never with the lock held. Data threads see a queue only from inside its
 * gate, which is open exactly while the queue is ready.
 *
 * Device and queue heads are recycled but never freed: a burst on a vid that
 * has just gone finds a closed gate, not a hole.
 *
 * Lock order: loop thread, endpoint, device.lock, gates by index.
 */
#ifndef VHOST_NG_DEVICE_H
#define VHOST_NG_DEVICE_H

#include <pthread.h>
#include <rte_vhost.h>

#include "base/fdbag.h"
#include "base/gate.h"
#include "base/log.h"
#include "memory/region.h"
#include "ring/inflight.h"
#include "ring/redo.h"
#include "ring/ring.h"
#include "stats.h"

#define DEVICES_MAX 1024
#define DEVICE_VQS_MAX 256
#define DEVICE_NAME_BYTES 108 /* as a socket path */
#define DEVICE_MTU_MIN_BYTES 68
#define DEVICE_CONFIG_BYTES 256

/* An eventfd slot that the frontend has said nothing about, or "poll". */
#define EVENTFD_UNSET (-2)
#define EVENTFD_NONE (-1)

struct device;
struct vq;
struct net_bursts;
struct pending;
struct crypto;
struct crypto_queue;
struct vdpa;

/*
 * What CREATE_CRYPTO_SESSION asks for, in whichever form it came. The lengths of keys fit their
 * arrays; everything else is as the frontend has it.
 */
#define SESSION_CIPHER_KEY_BYTES 64
#define SESSION_AUTH_KEY_BYTES 512
struct session_desc {
	uint32_t opcode;      /* VIRTIO_CRYPTO_*_CREATE_SESSION: the service */
	uint32_t cipher_algo; /* of AEAD sessions, too */
	uint32_t cipher_key_bytes;
	uint32_t hash_algo; /* hash or MAC */
	uint32_t digest_bytes; /* of an AEAD's tag, too */
	uint32_t auth_key_bytes;
	uint32_t aad_bytes;
	uint8_t op_type;     /* VIRTIO_CRYPTO_SYM_OP_* */
	uint8_t direction;   /* VIRTIO_CRYPTO_OP_* */
	uint8_t hash_mode;   /* VIRTIO_CRYPTO_SYM_HASH_MODE_* */
	uint8_t chain_order; /* VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_* */
	uint8_t cipher_key[SESSION_CIPHER_KEY_BYTES];
	uint8_t auth_key[SESSION_AUTH_KEY_BYTES];
};

/* What stands above a device: calls upwards go through here only. */
struct device_backend {
	const char *name;
	/* A ring is about to be served: derive what the data path wants to know. */
	void (*ring_setup)(const struct device *dev, struct vq *vq);
	/* Rings that must be ready before the device is; 0 for all there are. */
	unsigned int rings_needed;
	/* Which way the buffers of a queue point. */
	enum chain_dir (*queue_dir)(const struct vq *vq);
	/*
	 * Of a queue with packets pending, its gate closed: waits for engines as far as that is
	 * ours to do, and gives back what is copied.
	 */
	void (*settle)(struct vq *vq);
	/*
	 * Nobody comes for the queue's packets any more: frees them. What an engine is still
	 * at, and ours to wait for no longer, stays in vq->left_behind.
	 */
	void (*forget)(struct vq *vq);

	/* The rest may be NULL. */

	/*
	 * The ring goes, or stands elsewhere: what was taken from it never goes back to it.
	 * Returns how many chains that is. Gate closed.
	 */
	unsigned int (*abandon)(struct vq *vq);
	/* Queues come in pairs; without VIRTIO_NET_F_MQ there is one. */
	bool in_pairs;
	/*
	 * A queue is served before it is enabled: QEMU enables none of a crypto device, although it
	 * agrees to VHOST_USER_F_PROTOCOL_FEATURES. One that is disabled then is not.
	 */
	bool starts_enabled;
	/* The device goes, and all that is ours with it. Its queues are forgotten already. */
	void (*release)(struct device *dev);
	/* Fills in the configuration space (DEVICE_CONFIG_BYTES); how many bytes it has. device.lock. */
	uint32_t (*config_read)(const struct device *dev, uint8_t *space);
	/*
	 * Sessions of the guest's control queue, which the frontend keeps. Gates closed,
	 * device.lock. An id, above 0, or a negative VIRTIO_CRYPTO_* status (said why).
	 */
	int64_t (*session_open)(struct device *dev, const struct session_desc *desc);
	/* 0 or -ENOENT. What is under way in the session still ends. */
	int (*session_close)(struct device *dev, uint64_t id);
};

/* What may be offered at most: whoever serves the rings can do no more. */
struct device_limits {
	uint64_t features;
	uint64_t protocol_features;
	uint32_t queue_num;  /* as GET_QUEUE_NUM says it: pairs, of a device that has pairs */
	uint32_t queues_max; /* that a frontend may name */
};

/*
 * A vDPA device (vdpa/vdpa.c): it serves the rings of a socket's devices itself, from when they run.
 * Called with none of our locks, on the loop thread unless noted, so that it may ask whatever its
 * driver wants to know. -errno: said why.
 */
struct vdpa_ops {
	/* What it can do; any thread. 0 or -errno. */
	int (*limits)(const struct vdpa *vdpa, struct device_limits *limits);
	/* The rings are ready, and the device's from here on. 0 or -errno: they are not. */
	int (*configure)(struct device *dev);
	/* When it returns, the device touches neither rings nor memory. */
	void (*close)(struct device *dev);
	/* The frontend is done with the device, for now or for good. */
	void (*cleanup)(struct device *dev);
	void (*queue_state)(struct device *dev, unsigned int index, bool on);
	void (*features_set)(struct device *dev);
	void (*migration_done)(struct device *dev);
	/* The first bytes of the configuration space; some of it. 0 or -errno. */
	int (*config_read)(struct device *dev, uint8_t *space, uint32_t size_bytes);
	int (*config_write)(struct device *dev, const uint8_t *bytes, uint32_t offset_bytes,
			    uint32_t size_bytes, uint32_t flags);
};

struct vdpa {
	const struct vdpa_ops *ops;
	const struct device_backend *backend; /* what it is to the rest of the control plane */
	/* It takes its queues as they are when it is configured: that waits for all of them. */
	bool waits_for_all;
};

/* Instead of one that its driver took away: serves nobody. */
extern const struct vdpa vdpa_gone;

/* What an application registered for a socket; shared by its connections. */
struct driver_config {
	uint64_t flags;             /* RTE_VHOST_USER_* */
	uint64_t supported_features; /* the most that may be offered */
	uint64_t features;          /* offered; atomic, may change any time */
	uint64_t protocol_features; /* offered; atomic, may change any time */
	uint32_t max_queue_pairs;
	struct rte_vhost_device_ops ops;
	/* Both for connections to come, and atomic. */
	const struct device_backend *backend; /* NULL: the application serves the rings */
	const struct vdpa *vdpa; /* attached: takes its place */
};

/* What the net backend derives when a ring is set up, so that bursts test bits. */
struct vq_net {
	const struct net_bursts *bursts; /* NULL: not a queue of the net backend */
	uint64_t features;  /* negotiated */
	uint8_t hdr_bytes;  /* of the virtio-net header before each packet */
	bool mergeable;     /* a packet may span several chains (host to guest) */
	bool parse_hdr;     /* the guest may ask for offloads (guest to host) */
	bool compliant;     /* RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS */
	bool linear;        /* RTE_VHOST_USER_LINEARBUF_SUPPORT */
	bool extbuf;        /* RTE_VHOST_USER_EXTBUF_SUPPORT */
};

struct vq {
	struct gate gate CACHE_ALIGNED;
	/* Guarded by the gate. */
	int callfd; /* call_number, or EVENTFD_* */
	int errfd;
	uint16_t index;
	bool stats_on;
	struct vq_net net;
	struct device *dev;
	struct log_budget log_budget; /* what its guest may provoke */
	struct ring ring;
	/* Its channel's packets (async.c); NULL: it has none. */
	struct pending *pending;
	/* Requests of the crypto backend; NULL: not its queue, or never served. */
	struct crypto_queue *crypto;
	struct vq_stats stats CACHE_ALIGNED;

	/*
	 * What the application has fetched and not given back. Its threads record it
	 * at any time, also while the gate is closed: who stops the queue for a moment
	 * must not make them lose a record. The lock also keeps `ring` attached to
	 * where they look.
	 */
	pthread_mutex_t inflight_lock CACHE_ALIGNED;
	struct inflight inflight;
	struct rte_vhost_resubmit_info resubmit; /* the list is the application's to free, too */

	/* Facts: device.lock, loop thread. */
	struct vring_addrs addrs CACHE_ALIGNED;
	uint64_t log_guest_addr; /* both under device.log_lock, too */
	bool log_used;           /* SET_VRING_ADDR asked to log the used ring, at that address */
	bool addrs_set;
	int64_t held_since_ms; /* at each visit since then somebody was in its gate (postcopy.c) */
	uint32_t kick_serial; /* another one: another kickfd */
	bool base_set;    /* somebody said where it starts, or it did */
	bool started;     /* SET_VRING_KICK seen, GET_VRING_BASE not yet */
	bool enabled;
	bool switched_off; /* SET_VRING_ENABLE said so: not only because nobody enabled it yet */
	bool resync;      /* just started: the used index comes from the ring */
	bool renotify;    /* an eventfd changed under a ready queue */
	bool parked;      /* ready, but its gate is closed until its ring is translated again */
	bool discard_waits; /* it was kicked while it is off, but packets are pending */
	bool owes_call;   /* a backend before us may have died before it told the guest */
	int kickfd;
	/*
	 * What applications were told that callfd is, and may write to at any time until they hear
	 * that the queue stopped: it stays one and the same number, and an eventfd, also while the
	 * guest polls. -1: none.
	 */
	int call_number;
	struct pending *left_behind; /* of a guest before this one */
	/* Derived: reconcile.c. */
	bool ready;
	bool attach_failed; /* said so already */
	/* What rte_vhost_enable_guest_notification() asked for; atomic. */
	int8_t kicks_wanted; /* -1: never asked; atomic */
};

/* What SEND_RARP asked for; 0 when it is sent. One atomic word: nobody sees half of it. */
union device_rarp {
	uint64_t word;
	struct {
		uint8_t address[6];
		uint16_t waits;
	};
};

/* SET_INFLIGHT_FD: the areas of all rings, one after the other. */
struct device_inflight {
	struct region *areas; /* NULL: none */
	uint16_t nr_queues;
	uint16_t queue_size;
	bool taken_up[DEVICE_VQS_MAX]; /* by the net data path: it knows no more than the frontend */
};

/* SET_DEVICE_STATE_FD: how far the state has come. */
struct device_transfer {
	int fd; /* where the frontend's bytes come out; -1: none to come */
	bool good; /* the last one succeeded; of one under way nobody knows */
};

/* A guest whose memory comes page by page (postcopy.c). Loop thread, but for what is said. */
struct device_postcopy {
	int uffd;              /* POSTCOPY_ADVISE; -1: none */
	bool listening;        /* POSTCOPY_LISTEN, not yet POSTCOPY_END */
	struct gmem *proposed; /* the next table; waits for the frontend to be ready for it */
	/* Between the loop thread and the watch: both tables, and when it ends. */
	pthread_mutex_t lock;
	pthread_cond_t ends;
	pthread_t watch;
	bool watched;
	bool failed;      /* a page did not come; atomic */
	int64_t since_ms; /* when the loop thread came to this device; 0: is not here; atomic */
	int64_t held_since_ms; /* the earliest of its queues'; atomic */
};

struct device {
	pthread_mutex_t lock;
	int vid;
	bool in_use;
	uint32_t nr_vqs; /* atomic; grows while in use, back to 0 at release */
	union device_rarp rarp; /* beside nr_vqs: every burst looks at both */
	struct vq *vqs[DEVICE_VQS_MAX];

	const struct driver_config *config;
	/* For all of this connection, whatever becomes of the socket. */
	const struct device_backend *backend; /* the kind of device; NULL: the application's own */
	const struct vdpa *vdpa;              /* serves the rings; NULL: none */
	struct device_limits limits;
	/* Queues whose doorbells the frontend was told of; atomic words, any thread. */
	uint64_t notifiers[DEVICE_VQS_MAX / 64];
	char ifname[DEVICE_NAME_BYTES];

	/* Facts. */
	uint64_t features;
	uint64_t protocol_features; /* atomic, who records chains looks */
	bool features_set;
	bool features_refused; /* the last SET_FEATURES was; FEATURES_OK must not stick */
	struct gmem *mem; /* changes under postcopy.lock, too */
	bool warned_not_resident; /* of this connection's memory (RTE_VHOST_USER_ASYNC_COPY) */
	struct device_postcopy postcopy;
	struct iotlb *iotlb; /* VIRTIO_F_ACCESS_PLATFORM was agreed to; NULL: there is no vIOMMU */
	struct device_inflight inflight;
	uint16_t mtu_bytes; /* 0: the frontend said nothing; atomic, bursts that count look */
	uint8_t status;
	int backend_fd; /* SET_BACKEND_REQ_FD */
	struct device_transfer transfer;
	struct rte_vhost_user_extern_ops extern_ops; /* the application's message handlers */
	struct log_budget log_budget; /* what its frontend may provoke */
	/*
	 * Serialise requests to the frontend on backend_fd: a send(), which does not
	 * wait, and (taken first) a request with its answer, which may take a second.
	 * backend_fd changes with both held. Data threads take the first one inside a
	 * gate; nothing is locked after it.
	 */
	pthread_mutex_t backend_lock;
	pthread_mutex_t answer_lock;
	/*
	 * The dirty log of a migration, and the eventfd that is told of news in it.
	 * They change with all gates closed and log_lock held: bursts are inside a
	 * gate (and have it in ring.log), applications that mark pages themselves
	 * hold the lock. Nothing is locked after it.
	 */
	pthread_mutex_t log_lock;
	struct dirty_log *log;
	int log_fd;
	/* rte_vhost_crypto_create(); changes with all gates closed. NULL: none. */
	struct crypto *crypto;

	/* Derived. */
	bool ready;
	bool running; /* new_device() succeeded, destroy_device() not yet called */
	bool configured; /* the vDPA device has the rings; it only has them while the device runs */
	bool vdpa_wanted; /* the guest uses it already, although it waits for all queues */
};

/* Who of ours serves its rings; NULL: the application does, or a vDPA device. */
static inline const struct device_backend *device_server(const struct device *dev)
{
	return dev->vdpa != NULL ? NULL : dev->backend;
}

/* Those of a vDPA device; NULL: of who has none. 0 or -errno (said why). Any thread. */
int device_limits_of(const struct vdpa *vdpa, const char *ifname, struct device_limits *limits);

static inline uint64_t offered_features(const struct driver_config *config,
					const struct device_limits *limits)
{
	return __atomic_load_n(&config->features, __ATOMIC_RELAXED) & limits->features;
}

static inline uint64_t offered_protocol_features(const struct driver_config *config,
						 const struct device_limits *limits)
{
	return __atomic_load_n(&config->protocol_features, __ATOMIC_RELAXED) &
	       limits->protocol_features;
}

static inline uint32_t offered_queue_num(const struct driver_config *config,
					 const struct device_limits *limits)
{
	return MIN2(config->max_queue_pairs, limits->queue_num);
}

/* --- slots ------------------------------------------------------------- */

/*
 * Takes a free vid; NULL when all DEVICES_MAX are taken or without memory, or the vDPA device
 * does not say what it can do.
 */
struct device *device_acquire(const struct driver_config *config, const char *ifname);
/* Drops all state and the vid. The device must be stopped. */
void device_release(struct device *dev);
/* Drops the queues and what was negotiated with the guest. All rings must be stopped. */
void device_forget_guest(struct device *dev);

extern struct device *device_slots[DEVICES_MAX];

/* Replaces backend_fd (-1: by nothing); takes over `fd`. Loop thread. */
void device_set_backend_fd(struct device *dev, int fd);

/* The slot of a vid, in use or not; NULL when no device ever had it. */
static ALWAYS_INLINE struct device *device_slot(int vid)
{
	if (unlikely((unsigned int)vid >= DEVICES_MAX))
		return NULL;
	return __atomic_load_n(&device_slots[vid], __ATOMIC_ACQUIRE);
}

/* A queue of a vid for the data path; NULL when there is none. */
static ALWAYS_INLINE struct vq *device_vq(int vid, uint16_t index)
{
	struct device *dev = device_slot(vid);

	if (unlikely(dev == NULL || index >= __atomic_load_n(&dev->nr_vqs, __ATOMIC_ACQUIRE)))
		return NULL;
	return dev->vqs[index];
}

/* Locks a device that is in use; NULL (and no lock) otherwise. */
struct device *device_lock(int vid);
static inline void device_unlock(struct device *dev)
{
	pthread_mutex_unlock(&dev->lock);
}

/* --- queues ------------------------------------------------------------ */

/* The queue of an index, made (with all below it) when new. Loop thread. */
struct vq *device_vq_make(struct device *dev, unsigned int index);
/* Forgets the queues from `first` on; their rings must be stopped. */
void device_vqs_drop(struct device *dev, unsigned int first);

/* Called with the gate closed. */
void vq_stop(struct vq *vq);
int vq_attach(struct device *dev, struct vq *vq);
/* An attached ring to where the IOTLB says that it is now. As vring_attach(). */
int vq_retranslate(struct device *dev, struct vq *vq);
void vq_set_base(struct vq *vq, uint16_t avail, uint16_t used);
/* A queue whose base nobody set: its format has a first one. */
void vq_default_base(const struct device *dev, struct vq *vq);
void vq_detach(struct vq *vq);
void vq_set_eventfd(int *slot, int fd);
/* Replaces callfd by `fd`, or EVENTFD_NONE; takes it over. 0 or -errno: as before, fd is closed. */
int vq_set_callfd(struct vq *vq, int fd);

/* Raises the guest's interrupt, on the eventfd that there is; counts it. False: it could not. */
bool vq_call(struct vq *vq);
/* And reports it, so not with device.lock held. Inside the gate. */
void vq_signal(struct vq *vq);
/* Same, but only if the guest wants to be notified of what was published. */
static ALWAYS_INLINE void vq_notify(enum ring_kind k, struct vq *vq)
{
	/* A guest that polls gave us nothing to call it with. */
	if (vq->callfd < 0)
		return;
	if (ring_notify_needed(k, &vq->ring))
		vq_signal(vq);
	else if (vq->stats_on)
		vq->stats.notifications_suppressed++;
}
/* The ring is broken (ring.fault says how): tell the log and the frontend. */
void vq_report_broken(struct vq *vq);
/*
 * Started, but switched off (so nobody is inside its gate), and not the host's to
 * fill: what comes is for vq_discard().
 */
bool vq_discards(const struct device *dev, const struct vq *vq);
/*
 * How many chains wait in such a queue, attached if need be; 0 while packets are pending, when
 * they are not, that is a kick. Loop thread, device.lock.
 */
unsigned int vq_discardable(struct device *dev, struct vq *vq);
/*
 * Gives back `n` of them, unread, and asks for a kick with the next. Returns how
 * many it were; less when the ring is broken. Loop thread, device.lock.
 */
unsigned int vq_discard(struct vq *vq, unsigned int n);
/* Tells the guest whether to kick; inside the gate or with it closed. */
void vq_apply_kicks_wanted(struct vq *vq);
/* Opens what control closed. device.lock. */
void vq_gate_open(struct vq *vq);

/* --- channels (async.c) -------------------------------------------------- */

/*
 * A queue has one while vq->pending is set. It is for who is inside the gate, or
 * holds device.lock while the gate is closed: applications collect packets of
 * queues that are off, too.
 */

/* The ring goes: what is pending never comes back to it, and is ahead of where it stands no more. */
void vq_abandon(struct vq *vq);
/* What was pending may have been given back while the gate is closed. device.lock. */
void vq_gave_back(struct vq *vq);
/* Gates closed: settles one queue, or all (NULL). */
void device_settle(struct device *dev, struct vq *vq);

/* --- vDPA (vdpa.c); loop thread, device.lock, which is dropped meanwhile --- */

/* They do nothing to a device that has none. */

/* Gives it the rings, if it is time. */
void device_vdpa_configure(struct device *dev);
/*
 * A guest may use fewer queues than its device has, as firmware does. Is that what the device waits
 * for? A kick says so: then vdpa_wanted is to be set.
 */
bool device_vdpa_waits(const struct device *dev);
/* Takes them back, if it has them. */
void device_vdpa_close(struct device *dev);
void device_vdpa_cleanup(struct device *dev);
void device_vdpa_queue_state(struct device *dev, unsigned int index, bool on);
/* What was negotiated is another, or where the dirty log is. */
void device_vdpa_features_set(struct device *dev);
void device_vdpa_migration_done(struct device *dev);
/* As vdpa_ops has them; of a device that has one. 0 or -errno. */
int device_vdpa_config_read(struct device *dev, uint8_t *space, uint32_t size_bytes);
int device_vdpa_config_write(struct device *dev, const uint8_t *bytes, uint32_t offset_bytes,
			     uint32_t size_bytes, uint32_t flags);

/* --- state ------------------------------------------------------------- */

/* Feature bits that were both offered and acknowledged. */
static inline bool device_has(const struct device *dev, unsigned int bit)
{
	return (dev->features & BIT(bit)) != 0;
}

static inline bool device_has_proto(const struct device *dev, unsigned int bit)
{
	return (dev->protocol_features & BIT(bit)) != 0;
}

/* Is there a queue that has been kicked off, or more? */
bool device_is_busy(const struct device *dev);

/* Exchanges the memory table for *mem, which becomes the old one; all gates closed. */
void device_swap_memory(struct device *dev, struct gmem **mem);

/* --- vIOMMU (iommu.c); all gates closed ---------------------------------- */

/* Has an IOTLB, empty, or none. All rings stopped. 0 or -ENOMEM. */
int device_set_iommu(struct device *dev, bool wanted);
/*
 * The next tables of the IOTLB count from now on, rings go where they say; it is
 * about `size_bytes` (0: all) at `at` that the frontend had something to say.
 */
void device_iotlb_exchange(struct device *dev, iova_t at, uint64_t size_bytes);
/*
 * What a queue has to ask for, into `out`, which has room for RING_MISSES_MAX;
 * returns how many. Loop thread, gates as usual.
 */
unsigned int vq_misses(struct vq *vq, struct ring_miss *out);
/*
 * If all rings are stopped: what was known need not hold when they start again,
 * the frontend watches a vIOMMU only while the device runs.
 */
void device_forget_translations(struct device *dev);

/* Has a file of the frontend's got shorter under us? Says so. */
bool device_memory_is_cut(const struct device *dev);

/* --- postcopy (postcopy.c); loop thread --------------------------------- */

void device_postcopy_init(struct device *dev);
/* Opens a userfaultfd and returns the frontend's copy of it, or -errno (said why). */
int device_postcopy_advise(struct device *dev);
/* New mappings wait for their pages from here on. 0 or -errno (said why). */
int device_postcopy_listen(struct device *dev);
/* Replaces the table that the frontend was told of, NULL for none; takes over the reference. */
void device_postcopy_propose(struct device *dev, struct gmem *mem);
/* All pages have come. Fine at any time. */
void device_postcopy_end(struct device *dev);
/* No page will come any more: what is missing is zeros, in our mapping only. */
void device_postcopy_give_up(struct device *dev);

/* How long no page may come while somebody waits for the thread that needs one. */
extern unsigned int device_postcopy_stall_ms;
/*
 * How the loop thread locks a device to look at its guest's memory: a page that
 * never comes is given up. Whatever it does to rings, in a message or between
 * them, is inside.
 */
void device_lock_watched(struct device *dev);
void device_unlock_watched(struct device *dev);
/* Now and then, and at once: false when a page did not come and the device has to go. */
bool device_postcopy_visit(struct device *dev);
static inline bool device_postcopy_failed(const struct device *dev)
{
	return __atomic_load_n(&dev->postcopy.failed, __ATOMIC_ACQUIRE);
}

/* --- dirty logging (log.c); all gates closed ----------------------------- */

/* Does the log have a bit for each page of `mem` (may be NULL)? Says so if not. */
bool device_log_covers_memory(const struct device *dev, const struct dirty_log *log,
			      const struct gmem *mem);
/* And for the used ring of a queue that asked for it? */
bool device_log_covers_used(const struct device *dev, const struct dirty_log *log,
			    const struct vq *vq);
/* Replaces the log, NULL for none; owns it from here on. */
void device_set_log(struct device *dev, struct dirty_log *log);
/* Replaces the eventfd (-1: by nothing); takes over `fd`. */
void device_set_log_fd(struct device *dev, int fd);
/* Records what SET_VRING_ADDR says about logging the used ring. */
void vq_set_log_addr(struct vq *vq, bool wanted, uint64_t addr);
/* Derives what a queue logs: the log, the features or the ring's addresses changed. */
void vq_log_setup(const struct device *dev, struct vq *vq);
void device_log_setup(struct device *dev);
/* Swaps the in-flight areas while all queues are stopped. Takes over the reference. */
void device_set_inflight(struct device *dev, struct device_inflight inflight);

/*
 * Called with device.lock held, on the loop thread; they drop the lock around
 * application callbacks.
 */
void device_reconcile_rings(struct device *dev); /* queue states, gates closed by caller */
void device_reconcile_start(struct device *dev); /* new_device(), gates open */
void device_stop(struct device *dev);            /* destroy_device(), gates open */
/* The memory will be another: queues with a channel are lowered, then settled. Gates closed. */
void device_pause_channels(struct device *dev);
/* The connection is gone: stop everything, forget everything. */
void device_shutdown(struct device *dev);

void device_gates_close(struct device *dev);
void device_gates_open(struct device *dev, unsigned int count);

#endif
