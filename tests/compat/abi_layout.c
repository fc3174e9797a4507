/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints the size and offset of everything in the public headers, and what their inline
 * function computes. Built twice, against DPDK's headers and against ours; abi_compare.py
 * runs both and compares line by line. Reads nothing, trusts nothing.
 *
 * A line is "group key value"; lines of one group are one test.
 */
#define RTE_VHOST_ASYNC_DMADEV
#include <stdint.h>
#include <stdio.h>

#include <rte_vhost.h>
#include <rte_vhost_async.h>
#include <rte_vhost_crypto.h>
#include <rte_vdpa.h>

#define TYPE(type) \
	printf("%s sizeof %zu\n%s alignof %zu\n", #type, sizeof(struct type), \
		#type, _Alignof(struct type))
#define FIELD(type, field) \
	printf("%s %s %zu+%zu\n", #type, #field, offsetof(struct type, field), \
		sizeof(((struct type *)0)->field))
#define FLEXIBLE(type, field) \
	printf("%s %s %zu+[%zu]\n", #type, #field, offsetof(struct type, field), \
		sizeof(((struct type *)0)->field[0]))
#define VALUE(group, name) \
	printf("%s %s %lld\n", group, #name, (long long)(name))
#define WIDTH(group, name) \
	printf("%s sizeof(%s) %zu\n", group, #name, sizeof(name))

static void
print_memory(void)
{
	TYPE(rte_vhost_mem_region);
	FIELD(rte_vhost_mem_region, guest_phys_addr);
	FIELD(rte_vhost_mem_region, guest_user_addr);
	FIELD(rte_vhost_mem_region, host_user_addr);
	FIELD(rte_vhost_mem_region, size);
	FIELD(rte_vhost_mem_region, mmap_addr);
	FIELD(rte_vhost_mem_region, mmap_size);
	FIELD(rte_vhost_mem_region, fd);

	TYPE(rte_vhost_memory);
	FIELD(rte_vhost_memory, nregions);
	FLEXIBLE(rte_vhost_memory, regions);
}

static void
print_inflight_split(void)
{
	TYPE(rte_vhost_inflight_desc_split);
	FIELD(rte_vhost_inflight_desc_split, inflight);
	FIELD(rte_vhost_inflight_desc_split, padding);
	FIELD(rte_vhost_inflight_desc_split, next);
	FIELD(rte_vhost_inflight_desc_split, counter);

	TYPE(rte_vhost_inflight_info_split);
	FIELD(rte_vhost_inflight_info_split, features);
	FIELD(rte_vhost_inflight_info_split, version);
	FIELD(rte_vhost_inflight_info_split, desc_num);
	FIELD(rte_vhost_inflight_info_split, last_inflight_io);
	FIELD(rte_vhost_inflight_info_split, used_idx);
	FLEXIBLE(rte_vhost_inflight_info_split, desc);
}

static void
print_inflight_packed(void)
{
	TYPE(rte_vhost_inflight_desc_packed);
	FIELD(rte_vhost_inflight_desc_packed, inflight);
	FIELD(rte_vhost_inflight_desc_packed, padding);
	FIELD(rte_vhost_inflight_desc_packed, next);
	FIELD(rte_vhost_inflight_desc_packed, last);
	FIELD(rte_vhost_inflight_desc_packed, num);
	FIELD(rte_vhost_inflight_desc_packed, counter);
	FIELD(rte_vhost_inflight_desc_packed, id);
	FIELD(rte_vhost_inflight_desc_packed, flags);
	FIELD(rte_vhost_inflight_desc_packed, len);
	FIELD(rte_vhost_inflight_desc_packed, addr);

	TYPE(rte_vhost_inflight_info_packed);
	FIELD(rte_vhost_inflight_info_packed, features);
	FIELD(rte_vhost_inflight_info_packed, version);
	FIELD(rte_vhost_inflight_info_packed, desc_num);
	FIELD(rte_vhost_inflight_info_packed, free_head);
	FIELD(rte_vhost_inflight_info_packed, old_free_head);
	FIELD(rte_vhost_inflight_info_packed, used_idx);
	FIELD(rte_vhost_inflight_info_packed, old_used_idx);
	FIELD(rte_vhost_inflight_info_packed, used_wrap_counter);
	FIELD(rte_vhost_inflight_info_packed, old_used_wrap_counter);
	FIELD(rte_vhost_inflight_info_packed, padding);
	FLEXIBLE(rte_vhost_inflight_info_packed, desc);
}

static void
print_resubmit(void)
{
	TYPE(rte_vhost_resubmit_desc);
	FIELD(rte_vhost_resubmit_desc, index);
	FIELD(rte_vhost_resubmit_desc, counter);

	TYPE(rte_vhost_resubmit_info);
	FIELD(rte_vhost_resubmit_info, resubmit_list);
	FIELD(rte_vhost_resubmit_info, resubmit_num);

	TYPE(rte_vhost_ring_inflight);
	FIELD(rte_vhost_ring_inflight, inflight_split);
	FIELD(rte_vhost_ring_inflight, inflight_packed);
	FIELD(rte_vhost_ring_inflight, resubmit_inflight);
}

static void
print_vring(void)
{
	TYPE(rte_vhost_vring);
	FIELD(rte_vhost_vring, desc);
	FIELD(rte_vhost_vring, desc_packed);
	FIELD(rte_vhost_vring, avail);
	FIELD(rte_vhost_vring, driver_event);
	FIELD(rte_vhost_vring, used);
	FIELD(rte_vhost_vring, device_event);
	FIELD(rte_vhost_vring, log_guest_addr);
	FIELD(rte_vhost_vring, callfd);
	FIELD(rte_vhost_vring, kickfd);
	FIELD(rte_vhost_vring, size);
}

static void
print_callbacks(void)
{
	TYPE(rte_vhost_user_extern_ops);
	FIELD(rte_vhost_user_extern_ops, pre_msg_handle);
	FIELD(rte_vhost_user_extern_ops, post_msg_handle);

	TYPE(rte_vhost_device_ops);
	FIELD(rte_vhost_device_ops, new_device);
	FIELD(rte_vhost_device_ops, destroy_device);
	FIELD(rte_vhost_device_ops, vring_state_changed);
	FIELD(rte_vhost_device_ops, features_changed);
	FIELD(rte_vhost_device_ops, new_connection);
	FIELD(rte_vhost_device_ops, destroy_connection);
	FIELD(rte_vhost_device_ops, guest_notified);
	FIELD(rte_vhost_device_ops, reserved);
}

static void
print_small(void)
{
	TYPE(rte_vhost_power_monitor_cond);
	FIELD(rte_vhost_power_monitor_cond, addr);
	FIELD(rte_vhost_power_monitor_cond, val);
	FIELD(rte_vhost_power_monitor_cond, mask);
	FIELD(rte_vhost_power_monitor_cond, size);
	FIELD(rte_vhost_power_monitor_cond, match);

	TYPE(rte_vhost_stat);
	FIELD(rte_vhost_stat, id);
	FIELD(rte_vhost_stat, value);
	TYPE(rte_vhost_stat_name);
	FIELD(rte_vhost_stat_name, name);

	TYPE(rte_vdpa_stat);
	FIELD(rte_vdpa_stat, id);
	FIELD(rte_vdpa_stat, value);
	TYPE(rte_vdpa_stat_name);
	FIELD(rte_vdpa_stat_name, name);
}

static void
print_enums(void)
{
	WIDTH("msg_result", enum rte_vhost_msg_result);
	VALUE("msg_result", RTE_VHOST_MSG_RESULT_ERR);
	VALUE("msg_result", RTE_VHOST_MSG_RESULT_OK);
	VALUE("msg_result", RTE_VHOST_MSG_RESULT_REPLY);
	VALUE("msg_result", RTE_VHOST_MSG_RESULT_NOT_HANDLED);

	WIDTH("zero_copy", enum rte_vhost_crypto_zero_copy);
	VALUE("zero_copy", RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE);
	VALUE("zero_copy", RTE_VHOST_CRYPTO_ZERO_COPY_ENABLE);
	VALUE("zero_copy", RTE_VHOST_CRYPTO_MAX_ZERO_COPY_OPTIONS);
}

static void
print_flags(void)
{
	WIDTH("flags", RTE_VHOST_USER_CLIENT);
	VALUE("flags", RTE_VHOST_USER_CLIENT);
	VALUE("flags", RTE_VHOST_USER_NO_RECONNECT);
	VALUE("flags", RTE_VHOST_USER_RESERVED_1);
	VALUE("flags", RTE_VHOST_USER_IOMMU_SUPPORT);
	VALUE("flags", RTE_VHOST_USER_POSTCOPY_SUPPORT);
	VALUE("flags", RTE_VHOST_USER_EXTBUF_SUPPORT);
	VALUE("flags", RTE_VHOST_USER_LINEARBUF_SUPPORT);
	VALUE("flags", RTE_VHOST_USER_ASYNC_COPY);
	VALUE("flags", RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
	VALUE("flags", RTE_VHOST_USER_NET_STATS_ENABLE);

	VALUE("limits", RTE_MAX_VHOST_DEVICE);
	VALUE("limits", RTE_VHOST_STATS_NAME_SIZE);
	VALUE("limits", RTE_VDPA_STATS_NAME_SIZE);
	VALUE("limits", RTE_VHOST_VDPA_DEVICE_TYPE_NET);
	VALUE("limits", RTE_VHOST_VDPA_DEVICE_TYPE_BLK);
	VALUE("limits", RTE_VHOST_NEED_LOG(0));
	VALUE("limits", RTE_VHOST_NEED_LOG(UINT64_MAX));

	VALUE("crypto", VHOST_CRYPTO_MBUF_POOL_SIZE);
	VALUE("crypto", VHOST_CRYPTO_MAX_BURST_SIZE);
	VALUE("crypto", VHOST_CRYPTO_MAX_DATA_SIZE);
	VALUE("crypto", VHOST_CRYPTO_SESSION_MAP_ENTRIES);
	VALUE("crypto", VIRTIO_CRYPTO_MAX_NUM_BURST_VQS);
	VALUE("crypto", VHOST_CRYPTO_MAX_IV_LEN);
	VALUE("crypto", VHOST_CRYPTO_MAX_N_DESC);
}

static void
print_features(void)
{
	VALUE("virtio", VIRTIO_NET_F_MTU);
	VALUE("virtio", VIRTIO_NET_F_GUEST_ANNOUNCE);
	VALUE("virtio", VIRTIO_NET_F_MQ);
	VALUE("virtio", VIRTIO_F_ANY_LAYOUT);
	VALUE("virtio", VHOST_F_LOG_ALL);
	VALUE("virtio", VHOST_USER_F_PROTOCOL_FEATURES);

	VALUE("protocol", VHOST_USER_PROTOCOL_F_MQ);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_LOG_SHMFD);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_RARP);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_REPLY_ACK);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_NET_MTU);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_SLAVE_REQ);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_CRYPTO_SESSION);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_PAGEFAULT);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_CONFIG);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_SLAVE_SEND_FD);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_HOST_NOTIFIER);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);
	VALUE("protocol", VHOST_USER_PROTOCOL_F_STATUS);
}

static void
print_lookup(void)
{
	static const uint64_t addresses[] = {
		0, 0xfff, 0x1000, 0x1001, 0x1fff, 0x2000, 0x2fff, 0x3000, 0x7fffffff,
		0x80000000, 0x800fffff, 0x80100000, UINT64_MAX, UINT64_MAX - 0xfff,
	};
	static const uint64_t lengths[] = { 0, 1, 0xfff, 0x1000, 0x1001, UINT64_MAX };
	union {
		struct rte_vhost_memory table;
		char room[sizeof(struct rte_vhost_memory) +
			3 * sizeof(struct rte_vhost_mem_region)];
	} memory = { .table.nregions = 3 };
	struct rte_vhost_mem_region *region = memory.table.regions;
	size_t i, j;

	region[0] = (struct rte_vhost_mem_region) {
		.guest_phys_addr = 0x1000, .host_user_addr = 0x7000001000, .size = 0x1000 };
	region[1] = (struct rte_vhost_mem_region) {
		.guest_phys_addr = 0x80000000, .host_user_addr = 0x7100000000,
		.size = 0x100000 };
	region[2] = (struct rte_vhost_mem_region) {
		.guest_phys_addr = 0x2000, .host_user_addr = 0x7200000000, .size = 0x1000 };

	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		for (j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
			uint64_t len = lengths[j];
			uint64_t va = rte_vhost_va_from_guest_pa(&memory.table, addresses[i],
				&len);

			printf("va_from_guest_pa %#llx,%#llx %#llx,%#llx\n",
				(unsigned long long)addresses[i], (unsigned long long)lengths[j],
				(unsigned long long)va, (unsigned long long)len);
		}
	}
}

int
main(void)
{
	print_memory();
	print_inflight_split();
	print_inflight_packed();
	print_resubmit();
	print_vring();
	print_callbacks();
	print_small();
	print_enums();
	print_flags();
	print_features();
	print_lookup();
	return 0;
}
