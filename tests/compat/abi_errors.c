/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints what every public function answers when there is no such device, queue, path or
 * vDPA device. Run twice, on the stock library and on ours; abi_compare.py compares. A program
 * that was written against the stock library depends on these values.
 *
 * A line is "group key value"; lines of one group are one test. Functions print 99 where an
 * output parameter was left alone.
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_eal.h>
#define RTE_VHOST_ASYNC_DMADEV
#include <rte_vhost.h>
#include <rte_vhost_async.h>
#include <rte_vdpa.h>
#include <vdpa_driver.h>

#define UNTOUCHED 99
#define PRINT(function, key, value) printf("%s %s %lld\n", function, key, (long long)(value))

static void
print_device_facts(int vid, const char *key)
{
	uint64_t features = UNTOUCHED, log_base = UNTOUCHED, log_size = UNTOUCHED;
	struct rte_vhost_memory *memory = NULL;
	uint16_t mtu = UNTOUCHED;
	char name[8] = "x";

	PRINT("rte_vhost_get_negotiated_features", key,
		rte_vhost_get_negotiated_features(vid, &features));
	PRINT("rte_vhost_get_negotiated_protocol_features", key,
		rte_vhost_get_negotiated_protocol_features(vid, &features));
	PRINT("rte_vhost_get_mtu", key, rte_vhost_get_mtu(vid, &mtu));
	PRINT("rte_vhost_get_numa_node", key, rte_vhost_get_numa_node(vid));
	PRINT("rte_vhost_get_vring_num", key, rte_vhost_get_vring_num(vid));
	PRINT("rte_vhost_get_ifname", key, rte_vhost_get_ifname(vid, name, sizeof(name)));
	PRINT("rte_vhost_get_mem_table", key, rte_vhost_get_mem_table(vid, &memory));
	PRINT("rte_vhost_get_log_base", key, rte_vhost_get_log_base(vid, &log_base, &log_size));
	PRINT("rte_vhost_get_vdpa_device", key, rte_vhost_get_vdpa_device(vid) != NULL);
	PRINT("rte_vhost_slave_config_change", key, rte_vhost_slave_config_change(vid, false));
	PRINT("rte_vhost_host_notifier_ctrl", key, rte_vhost_host_notifier_ctrl(vid, 0, true));
	PRINT("untouched_output_of_a_device", key,
		features + log_base + log_size + mtu + (memory == NULL));
}

static void
print_queue_facts(int vid, uint16_t queue, const char *key)
{
	struct rte_vhost_power_monitor_cond condition;
	struct rte_vhost_stat_name names[64];
	struct rte_vhost_stat stats[64];
	struct rte_vhost_vring vring;
	uint16_t avail = UNTOUCHED, used = UNTOUCHED;

	PRINT("rte_vhost_enqueue_burst", key, rte_vhost_enqueue_burst(vid, queue, NULL, 0));
	PRINT("rte_vhost_dequeue_burst", key,
		rte_vhost_dequeue_burst(vid, queue, NULL, NULL, 0));
	PRINT("rte_vhost_avail_entries", key, rte_vhost_avail_entries(vid, queue));
	PRINT("rte_vhost_rx_queue_count", key, rte_vhost_rx_queue_count(vid, queue));
	PRINT("rte_vhost_enable_guest_notification", key,
		rte_vhost_enable_guest_notification(vid, queue, 1));
	PRINT("rte_vhost_get_monitor_addr", key,
		rte_vhost_get_monitor_addr(vid, queue, &condition));
	PRINT("rte_vhost_get_vhost_vring", key, rte_vhost_get_vhost_vring(vid, queue, &vring));
	PRINT("rte_vhost_vring_call", key, rte_vhost_vring_call(vid, queue));
	PRINT("rte_vhost_vring_call_nonblock", key, rte_vhost_vring_call_nonblock(vid, queue));
	PRINT("rte_vhost_get_vring_base", key,
		rte_vhost_get_vring_base(vid, queue, &avail, &used));
	PRINT("rte_vhost_set_vring_base", key, rte_vhost_set_vring_base(vid, queue, 0, 0));
	PRINT("rte_vhost_vring_stats_get_names", key,
		rte_vhost_vring_stats_get_names(vid, queue, names, 64));
	PRINT("rte_vhost_vring_stats_get", key,
		rte_vhost_vring_stats_get(vid, queue, stats, 64));
	PRINT("rte_vhost_vring_stats_reset", key, rte_vhost_vring_stats_reset(vid, queue));
	PRINT("rte_vdpa_relay_vring_used", key, rte_vdpa_relay_vring_used(vid, queue, NULL));
	rte_vhost_log_used_vring(vid, queue, 0, 8);
	PRINT("untouched_output_of_a_queue", key, avail + used);
}

static void
print_path_facts(const char *path, const char *key)
{
	static const struct rte_vhost_device_ops ops;
	uint64_t features = UNTOUCHED;
	uint32_t queues = UNTOUCHED;

	PRINT("rte_vhost_driver_set_features", key, rte_vhost_driver_set_features(path, 0));
	PRINT("rte_vhost_driver_enable_features", key, rte_vhost_driver_enable_features(path, 0));
	PRINT("rte_vhost_driver_disable_features", key,
		rte_vhost_driver_disable_features(path, 0));
	PRINT("rte_vhost_driver_get_features", key,
		rte_vhost_driver_get_features(path, &features));
	PRINT("rte_vhost_driver_set_protocol_features", key,
		rte_vhost_driver_set_protocol_features(path, 0));
	PRINT("rte_vhost_driver_get_protocol_features", key,
		rte_vhost_driver_get_protocol_features(path, &features));
	PRINT("rte_vhost_driver_get_queue_num", key,
		rte_vhost_driver_get_queue_num(path, &queues));
	PRINT("rte_vhost_driver_callback_register", key,
		rte_vhost_driver_callback_register(path, &ops));
	PRINT("rte_vhost_driver_start", key, rte_vhost_driver_start(path));
	PRINT("rte_vhost_driver_unregister", key, rte_vhost_driver_unregister(path));
	PRINT("untouched_output_of_a_path", key, features + queues);
}

static void
print_vdpa_facts(void)
{
	struct rte_vdpa_stat_name names[4];
	struct rte_vdpa_stat stats[4];
	uint64_t features = UNTOUCHED;
	uint32_t queues = UNTOUCHED;

	PRINT("rte_vdpa_find_device_by_name", "NULL", rte_vdpa_find_device_by_name(NULL) != NULL);
	PRINT("rte_vdpa_find_device_by_name", "unknown",
		rte_vdpa_find_device_by_name("no-such-device") != NULL);
	PRINT("rte_vdpa_get_rte_device", "NULL", rte_vdpa_get_rte_device(NULL) != NULL);
	PRINT("rte_vdpa_get_queue_num", "NULL", rte_vdpa_get_queue_num(NULL, &queues));
	PRINT("rte_vdpa_get_features", "NULL", rte_vdpa_get_features(NULL, &features));
	PRINT("rte_vdpa_get_protocol_features", "NULL",
		rte_vdpa_get_protocol_features(NULL, &features));
	PRINT("rte_vdpa_get_stats_names", "NULL", rte_vdpa_get_stats_names(NULL, names, 4));
	PRINT("rte_vdpa_get_stats", "NULL", rte_vdpa_get_stats(NULL, 0, stats, 4));
	PRINT("rte_vdpa_reset_stats", "NULL", rte_vdpa_reset_stats(NULL, 0));
	PRINT("untouched_output_of_vdpa", "NULL", features + queues);
}

/* No DMA device is there. */
static void
print_dma_facts(int16_t dma_id, uint16_t vchan, const char *key)
{
	PRINT("rte_vhost_async_dma_configure", key, rte_vhost_async_dma_configure(dma_id, vchan));
	PRINT("rte_vhost_async_dma_unconfigure", key,
		rte_vhost_async_dma_unconfigure(dma_id, vchan));
}

int
main(int argc, char **argv)
{
	static const struct {
		int vid;
		const char *key;
	} vids[] = {
		{ -1, "vid=-1" }, { 0, "vid=0" }, { 1, "vid=1" }, { 1023, "vid=1023" },
		{ 1024, "vid=1024" }, { INT_MAX, "vid=INT_MAX" }, { INT_MIN, "vid=INT_MIN" },
	};
	char key[32];
	size_t i;

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	for (i = 0; i < sizeof(vids) / sizeof(vids[0]); i++) {
		print_device_facts(vids[i].vid, vids[i].key);
		print_queue_facts(vids[i].vid, 0, vids[i].key);
		snprintf(key, sizeof(key), "%s,queue=65535", vids[i].key);
		print_queue_facts(vids[i].vid, UINT16_MAX, key);
	}
	print_path_facts("no-such-socket", "unknown");
	print_path_facts("", "empty");
	print_vdpa_facts();
	print_dma_facts(-1, 0, "dma=-1");
	print_dma_facts(0, 0, "dma=0");
	print_dma_facts(INT16_MAX, UINT16_MAX, "dma=INT16_MAX,vchan=65535");
	PRINT("rte_vhost_driver_register", "NULL", rte_vhost_driver_register(NULL, 0));
	PRINT("rte_vhost_driver_unregister", "NULL", rte_vhost_driver_unregister(NULL));
	return rte_eal_cleanup() == 0 ? 0 : 1;
}
