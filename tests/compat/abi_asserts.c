/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the public headers must say and no installed header of DPDK 22.11 can be asked about
 * with all qualifiers: prototypes, the vDPA driver interface, and the structs of DPDK 21.08's
 * asynchronous interface. Only compiled, in C and C++, by headers.py: a declaration that
 * differs from the one repeated here, or a wrong number, is an error of the compiler.
 *
 * Built with WRONG_SIZE, WRONG_OFFSET or WRONG_PROTOTYPE it must not compile: that is how
 * headers.py knows that the checks bite. RTE_VHOST_ASYNC_DMADEV selects the other half of
 * rte_vhost_async.h.
 */
#define ALLOW_EXPERIMENTAL_API
#define ALLOW_INTERNAL_API
#include <stddef.h>

#include <rte_vhost.h>
#include <rte_vhost_async.h>
#include <rte_vhost_crypto.h>
#include <rte_vdpa.h>
#include <vdpa_driver.h>

#ifdef __cplusplus
extern "C" {
#define ASSERT(condition) static_assert(condition, #condition)
#else
#define ASSERT(condition) _Static_assert(condition, #condition)
#endif

#define SIZE(type, bytes) ASSERT(sizeof(struct type) == (bytes))
#define AT(type, field, bytes) ASSERT(offsetof(struct type, field) == (bytes))

SIZE(rte_vdpa_dev_ops, 144);
AT(rte_vdpa_dev_ops, get_queue_num, 0);
AT(rte_vdpa_dev_ops, get_features, 8);
AT(rte_vdpa_dev_ops, get_protocol_features, 16);
AT(rte_vdpa_dev_ops, dev_conf, 24);
AT(rte_vdpa_dev_ops, dev_close, 32);
AT(rte_vdpa_dev_ops, dev_cleanup, 40);
AT(rte_vdpa_dev_ops, set_vring_state, 48);
AT(rte_vdpa_dev_ops, set_features, 56);
AT(rte_vdpa_dev_ops, migration_done, 64);
AT(rte_vdpa_dev_ops, get_vfio_group_fd, 72);
AT(rte_vdpa_dev_ops, get_vfio_device_fd, 80);
AT(rte_vdpa_dev_ops, get_notify_area, 88);
AT(rte_vdpa_dev_ops, get_stats_names, 96);
AT(rte_vdpa_dev_ops, get_stats, 104);
AT(rte_vdpa_dev_ops, reset_stats, 112);
AT(rte_vdpa_dev_ops, get_config, 120);
AT(rte_vdpa_dev_ops, set_config, 128);
AT(rte_vdpa_dev_ops, get_dev_type, 136);

SIZE(rte_vdpa_device, 40);
AT(rte_vdpa_device, next, 0);
AT(rte_vdpa_device, device, 16);
AT(rte_vdpa_device, ops, 24);
AT(rte_vdpa_device, type, 32);
ASSERT(RTE_VHOST_QUEUE_ALL == 0xffff);

/* What an operation is given, by assignment. */
static inline void
assign_operations(struct rte_vdpa_dev_ops *ops)
{
	int (*device_u32)(struct rte_vdpa_device *, uint32_t *) = ops->get_queue_num;
	int (*device_u64)(struct rte_vdpa_device *, uint64_t *) = ops->get_features;
	int (*vid_only)(int) = ops->dev_conf;
	int (*state)(int, int, int) = ops->set_vring_state;
	int (*area)(int, int, uint64_t *, uint64_t *) = ops->get_notify_area;
	int (*names)(struct rte_vdpa_device *, struct rte_vdpa_stat_name *, unsigned int) =
		ops->get_stats_names;
	int (*stats)(struct rte_vdpa_device *, int, struct rte_vdpa_stat *, unsigned int) =
		ops->get_stats;
	int (*reset)(struct rte_vdpa_device *, int) = ops->reset_stats;
	int (*get)(int, uint8_t *, uint32_t) = ops->get_config;
	int (*set)(int, uint8_t *, uint32_t, uint32_t, uint32_t) = ops->set_config;

	ops->get_queue_num = device_u32;
	device_u64 = ops->get_protocol_features;
	ops->get_features = device_u64;
	vid_only = ops->dev_close;
	vid_only = ops->dev_cleanup;
	vid_only = ops->set_features;
	vid_only = ops->migration_done;
	vid_only = ops->get_vfio_group_fd;
	vid_only = ops->get_vfio_device_fd;
	ops->dev_conf = vid_only;
	ops->set_vring_state = state;
	ops->get_notify_area = area;
	ops->get_stats_names = names;
	ops->get_stats = stats;
	ops->reset_stats = reset;
	ops->get_config = get;
	ops->set_config = set;
	ops->get_dev_type = device_u32;
}

/* Bits of newer protocol text, and its other spelling of older ones. */
ASSERT(VHOST_USER_PROTOCOL_F_BACKEND_REQ == 5);
ASSERT(VHOST_USER_PROTOCOL_F_CROSS_ENDIAN == 6);
ASSERT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD == 10);
ASSERT(VHOST_USER_PROTOCOL_F_RESET_DEVICE == 13);
ASSERT(VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS == 14);
ASSERT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS == 15);
ASSERT(VHOST_USER_PROTOCOL_F_XEN_MMAP == 17);
ASSERT(VHOST_USER_PROTOCOL_F_SHARED_OBJECT == 18);
ASSERT(VHOST_USER_PROTOCOL_F_DEVICE_STATE == 19);
ASSERT(VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT == 20);
ASSERT(VHOST_USER_PROTOCOL_F_GPA_ADDRESSES == 21);
ASSERT(VHOST_USER_PROTOCOL_F_SHMEM == 22);
ASSERT(VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN == 23);

/* Every function of librte_vhost.so.23, as DPDK 22.11 declares it. */
struct rte_vdpa_device *rte_vdpa_find_device_by_name(const char *name);
int rte_vdpa_get_features(struct rte_vdpa_device *dev, uint64_t *features);
int rte_vdpa_get_protocol_features(struct rte_vdpa_device *dev, uint64_t *features);
int rte_vdpa_get_queue_num(struct rte_vdpa_device *dev, uint32_t *queue_num);
struct rte_device *rte_vdpa_get_rte_device(struct rte_vdpa_device *vdpa_dev);
int rte_vdpa_get_stats(struct rte_vdpa_device *dev, uint16_t qid, struct rte_vdpa_stat *stats,
	unsigned int n);
int rte_vdpa_get_stats_names(struct rte_vdpa_device *dev, struct rte_vdpa_stat_name *stats_names,
	unsigned int size);
struct rte_vdpa_device *rte_vdpa_register_device(struct rte_device *rte_dev,
	struct rte_vdpa_dev_ops *ops);
int rte_vdpa_relay_vring_used(int vid, uint16_t qid, void *vring_m);
int rte_vdpa_reset_stats(struct rte_vdpa_device *dev, uint16_t qid);
int rte_vdpa_unregister_device(struct rte_vdpa_device *dev);
int rte_vhost_async_channel_unregister(int vid, uint16_t queue_id);
int rte_vhost_async_channel_unregister_thread_unsafe(int vid, uint16_t queue_id);
int rte_vhost_async_get_inflight(int vid, uint16_t queue_id);
int rte_vhost_async_get_inflight_thread_unsafe(int vid, uint16_t queue_id);
uint16_t rte_vhost_avail_entries(int vid, uint16_t queue_id);
int rte_vhost_clr_inflight_desc_packed(int vid, uint16_t vring_idx, uint16_t head);
int rte_vhost_clr_inflight_desc_split(int vid, uint16_t vring_idx, uint16_t last_used_idx,
	uint16_t idx);
int rte_vhost_crypto_create(int vid, uint8_t cryptodev_id, struct rte_mempool *sess_pool,
	int socket_id);
int rte_vhost_crypto_driver_start(const char *path);
uint16_t rte_vhost_crypto_fetch_requests(int vid, uint32_t qid, struct rte_crypto_op **ops,
	uint16_t nb_ops);
uint16_t rte_vhost_crypto_finalize_requests(struct rte_crypto_op **ops, uint16_t nb_ops,
	int *callfds, uint16_t *nb_callfds);
int rte_vhost_crypto_free(int vid);
int rte_vhost_crypto_set_zero_copy(int vid, enum rte_vhost_crypto_zero_copy option);
uint16_t rte_vhost_dequeue_burst(int vid, uint16_t queue_id, struct rte_mempool *mbuf_pool,
	struct rte_mbuf **pkts, uint16_t count);
int rte_vhost_driver_attach_vdpa_device(const char *path, struct rte_vdpa_device *dev);
int rte_vhost_driver_callback_register(const char *path,
	struct rte_vhost_device_ops const * const ops);
int rte_vhost_driver_detach_vdpa_device(const char *path);
int rte_vhost_driver_disable_features(const char *path, uint64_t features);
int rte_vhost_driver_enable_features(const char *path, uint64_t features);
int rte_vhost_driver_get_features(const char *path, uint64_t *features);
int rte_vhost_driver_get_protocol_features(const char *path, uint64_t *protocol_features);
int rte_vhost_driver_get_queue_num(const char *path, uint32_t *queue_num);
int rte_vhost_driver_get_vdpa_dev_type(const char *path, uint32_t *type);
struct rte_vdpa_device *rte_vhost_driver_get_vdpa_device(const char *path);
int rte_vhost_driver_register(const char *path, uint64_t flags);
int rte_vhost_driver_set_features(const char *path, uint64_t features);
int rte_vhost_driver_set_protocol_features(const char *path, uint64_t protocol_features);
int rte_vhost_driver_start(const char *path);
int rte_vhost_driver_unregister(const char *path);
int rte_vhost_enable_guest_notification(int vid, uint16_t queue_id, int enable);
uint16_t rte_vhost_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count);
int rte_vhost_extern_callback_register(int vid,
	struct rte_vhost_user_extern_ops const * const ops, void *ctx);
int rte_vhost_get_ifname(int vid, char *buf, size_t len);
int rte_vhost_get_log_base(int vid, uint64_t *log_base, uint64_t *log_size);
int rte_vhost_get_mem_table(int vid, struct rte_vhost_memory **mem);
int rte_vhost_get_monitor_addr(int vid, uint16_t queue_id,
	struct rte_vhost_power_monitor_cond *pmc);
int rte_vhost_get_mtu(int vid, uint16_t *mtu);
int rte_vhost_get_negotiated_features(int vid, uint64_t *features);
int rte_vhost_get_negotiated_protocol_features(int vid, uint64_t *protocol_features);
int rte_vhost_get_numa_node(int vid);
struct rte_vdpa_device *rte_vhost_get_vdpa_device(int vid);
int rte_vhost_get_vhost_ring_inflight(int vid, uint16_t vring_idx,
	struct rte_vhost_ring_inflight *vring);
int rte_vhost_get_vhost_vring(int vid, uint16_t vring_idx, struct rte_vhost_vring *vring);
int rte_vhost_get_vring_base(int vid, uint16_t queue_id, uint16_t *last_avail_idx,
	uint16_t *last_used_idx);
int rte_vhost_get_vring_base_from_inflight(int vid, uint16_t queue_id, uint16_t *last_avail_idx,
	uint16_t *last_used_idx);
uint16_t rte_vhost_get_vring_num(int vid);
int rte_vhost_host_notifier_ctrl(int vid, uint16_t qid, bool enable);
void rte_vhost_log_used_vring(int vid, uint16_t vring_idx, uint64_t offset, uint64_t len);
void rte_vhost_log_write(int vid, uint64_t addr, uint64_t len);
uint32_t rte_vhost_rx_queue_count(int vid, uint16_t qid);
int rte_vhost_set_inflight_desc_packed(int vid, uint16_t vring_idx, uint16_t head, uint16_t last,
	uint16_t *inflight_entry);
int rte_vhost_set_inflight_desc_split(int vid, uint16_t vring_idx, uint16_t idx);
int rte_vhost_set_last_inflight_io_packed(int vid, uint16_t vring_idx, uint16_t head);
int rte_vhost_set_last_inflight_io_split(int vid, uint16_t vring_idx, uint16_t idx);
int rte_vhost_set_vring_base(int vid, uint16_t queue_id, uint16_t last_avail_idx,
	uint16_t last_used_idx);
int rte_vhost_slave_config_change(int vid, bool need_reply);
int rte_vhost_vring_call(int vid, uint16_t vring_idx);
int rte_vhost_vring_call_nonblock(int vid, uint16_t vring_idx);
int rte_vhost_vring_stats_get(int vid, uint16_t queue_id, struct rte_vhost_stat *stats,
	unsigned int n);
int rte_vhost_vring_stats_get_names(int vid, uint16_t queue_id, struct rte_vhost_stat_name *name,
	unsigned int size);
int rte_vhost_vring_stats_reset(int vid, uint16_t queue_id);

#ifdef RTE_VHOST_ASYNC_DMADEV
int rte_vhost_async_channel_register(int vid, uint16_t queue_id);
int rte_vhost_async_channel_register_thread_unsafe(int vid, uint16_t queue_id);
int rte_vhost_async_dma_configure(int16_t dma_id, uint16_t vchan_id);
int rte_vhost_async_dma_unconfigure(int16_t dma_id, uint16_t vchan_id);
uint16_t rte_vhost_async_try_dequeue_burst(int vid, uint16_t queue_id,
	struct rte_mempool *mbuf_pool, struct rte_mbuf **pkts, uint16_t count, int *nr_inflight,
	int16_t dma_id, uint16_t vchan_id);
uint16_t rte_vhost_clear_queue(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count,
	int16_t dma_id, uint16_t vchan_id);
uint16_t rte_vhost_clear_queue_thread_unsafe(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count, int16_t dma_id, uint16_t vchan_id);
uint16_t rte_vhost_poll_enqueue_completed(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count, int16_t dma_id, uint16_t vchan_id);
uint16_t rte_vhost_submit_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count, int16_t dma_id, uint16_t vchan_id);
#else
/* The guide's, with the structs of DPDK 21.08. */
int rte_vhost_async_channel_register(int vid, uint16_t queue_id,
	struct rte_vhost_async_config config, struct rte_vhost_async_channel_ops *ops);
int rte_vhost_async_channel_register_thread_unsafe(int vid, uint16_t queue_id,
	struct rte_vhost_async_config config, struct rte_vhost_async_channel_ops *ops);
uint16_t rte_vhost_submit_enqueue_burst(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count, struct rte_mbuf **comp_pkts, uint32_t *comp_count);
uint16_t rte_vhost_poll_enqueue_completed(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count);
uint16_t rte_vhost_clear_queue_thread_unsafe(int vid, uint16_t queue_id, struct rte_mbuf **pkts,
	uint16_t count);
uint16_t rte_vhost_clear_queue(int vid, uint16_t queue_id, struct rte_mbuf **pkts, uint16_t count);

/* Our own. */
struct rte_vhost_async_channel_ops *rte_vhost_async_dmadev_ops(int16_t dma_id, uint16_t vchan_id);
struct rte_vhost_async_channel_ops *rte_vhost_async_helper_ops(unsigned int lcore_id);
int rte_vhost_async_helper_start(unsigned int lcore_id);
int rte_vhost_async_helper_stop(unsigned int lcore_id);

SIZE(rte_vhost_iov_iter, 32);
AT(rte_vhost_iov_iter, offset, 0);
AT(rte_vhost_iov_iter, count, 8);
AT(rte_vhost_iov_iter, iov, 16);
AT(rte_vhost_iov_iter, nr_segs, 24);
SIZE(rte_vhost_async_desc, 16);
AT(rte_vhost_async_desc, src, 0);
AT(rte_vhost_async_desc, dst, 8);
SIZE(rte_vhost_async_status, 16);
AT(rte_vhost_async_status, src_opaque_data, 0);
AT(rte_vhost_async_status, dst_opaque_data, 8);
SIZE(rte_vhost_async_channel_ops, 16);
AT(rte_vhost_async_channel_ops, transfer_data, 0);
AT(rte_vhost_async_channel_ops, check_completed_copies, 8);
SIZE(rte_vhost_async_config, 16);
AT(rte_vhost_async_config, async_threshold, 0);
AT(rte_vhost_async_config, features, 4);
ASSERT(RTE_VHOST_ASYNC_INORDER == 1);

static inline void
assign_engine(struct rte_vhost_async_channel_ops *ops)
{
	int32_t (*start)(int, uint16_t, struct rte_vhost_async_desc *,
		struct rte_vhost_async_status *, uint16_t) = ops->transfer_data;
	int32_t (*done)(int, uint16_t, struct rte_vhost_async_status *, uint16_t) =
		ops->check_completed_copies;

	ops->transfer_data = start;
	ops->check_completed_copies = done;
}
#endif

#ifdef WRONG_SIZE
SIZE(rte_vdpa_device, 48);
#endif
#ifdef WRONG_OFFSET
AT(rte_vdpa_dev_ops, dev_close, 40);
#endif
#ifdef WRONG_PROTOTYPE
int rte_vhost_get_mtu(int vid, uint32_t *mtu);
#endif

#ifdef __cplusplus
}
#endif
