/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake_vdpa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_debug.h>
#include <rte_dev.h>

struct fake_vdpa fake;

/* All that a driver may ask while it is called. */
static void
ask(int vid)
{
	struct rte_vhost_memory *mem = NULL;
	struct rte_vhost_vring vring;
	uint64_t features, base, size;
	uint16_t avail, used, mtu;
	char name[64];

	RTE_VERIFY(rte_vhost_get_vdpa_device(vid) == fake.dev);
	RTE_VERIFY(rte_vhost_get_negotiated_features(vid, &features) == 0);
	RTE_VERIFY(rte_vhost_get_ifname(vid, name, sizeof(name)) == 0);
	for (uint16_t i = 0; i < rte_vhost_get_vring_num(vid); i++) {
		rte_vhost_get_vhost_vring(vid, i, &vring);
		rte_vhost_get_vring_base(vid, i, &avail, &used);
		rte_vhost_log_used_vring(vid, i, 0, 4);
	}
	rte_vhost_get_mtu(vid, &mtu);
	rte_vhost_get_log_base(vid, &base, &size);
	rte_vhost_log_write(vid, 0, 1);
	rte_vhost_get_numa_node(vid);
	/* The stock library crashes before there is a table. */
	if (!is_stock && rte_vhost_get_mem_table(vid, &mem) == 0)
		free(mem);
}

static void
did(int vid, const char *word)
{
	ask(vid);
	if (fake.hook != NULL)
		fake.hook(word, vid);
	rec_mark(word);
}

static int
get_queue_num(struct rte_vdpa_device *dev, uint32_t *queue_num)
{
	RTE_VERIFY(fake.dev == NULL || dev == fake.dev);
	*queue_num = fake.queue_num;
	return fake.limits_result;
}

static int
get_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	RTE_VERIFY(fake.dev == NULL || dev == fake.dev);
	*features = fake.features;
	return fake.limits_result;
}

static int
get_protocol_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	RTE_VERIFY(fake.dev == NULL || dev == fake.dev);
	*features = fake.protocol_features;
	return fake.limits_result;
}

static int
get_dev_type(struct rte_vdpa_device *dev, uint32_t *type)
{
	(void)dev;
	*type = fake.type;
	return 0;
}

static int
dev_conf(int vid)
{
	fake.nr_rings = RTE_MIN(rte_vhost_get_vring_num(vid), FAKE_VDPA_QUEUES);
	for (uint16_t i = 0; i < fake.nr_rings; i++) {
		uint16_t used;

		RTE_VERIFY(rte_vhost_get_vhost_vring(vid, i, &fake.rings[i]) == 0);
		RTE_VERIFY(rte_vhost_get_vring_base(vid, i, &fake.base[i], &used) == 0);
	}
	did(vid, "conf");
	return fake.conf_result;
}

/* The rings are where they were: what goes goes afterwards. */
static int
dev_close(int vid)
{
	for (uint16_t i = 0; i < fake.nr_rings; i++) {
		const struct vring_used *used = fake.rings[i].used;

		if (used != NULL)
			(void)*(const volatile uint16_t *)&used->flags;
		if (fake.moves)
			RTE_VERIFY(rte_vhost_set_vring_base(vid, i, fake.stands_at,
							    fake.stands_at) == 0);
	}
	did(vid, "close");
	return fake.close_result;
}

static int
dev_cleanup(int vid)
{
	did(vid, "cleanup");
	return fake.close_result;
}

static int
set_vring_state(int vid, int vring, int state)
{
	char word[32];

	snprintf(word, sizeof(word), "v%d=%d", vring, state);
	did(vid, word);
	return fake.state_result;
}

static int
set_features(int vid)
{
	uint64_t features = 0;

	rte_vhost_get_negotiated_features(vid, &features);
	did(vid, features & FE_F_LOG_ALL ? "feat+log" : "feat");
	return fake.features_result;
}

static int
migration_done(int vid)
{
	did(vid, "migrated");
	return fake.migration_result;
}

static int
get_config(int vid, uint8_t *config, uint32_t size_bytes)
{
	char word[32];

	snprintf(word, sizeof(word), "get%u", size_bytes);
	did(vid, word);
	memcpy(config, fake.config, RTE_MIN(size_bytes, sizeof(fake.config)));
	return fake.config_result;
}

static int
set_config(int vid, uint8_t *config, uint32_t offset_bytes, uint32_t size_bytes, uint32_t flags)
{
	char word[48];

	snprintf(word, sizeof(word), "set%u+%u/%u", offset_bytes, size_bytes, flags);
	did(vid, word);
	RTE_VERIFY(offset_bytes + size_bytes <= sizeof(fake.config));
	if (fake.config_result == 0)
		memcpy(fake.config + offset_bytes, config, size_bytes);
	return fake.config_result;
}

void
fake_vdpa_reset(void)
{
	fake = (struct fake_vdpa) {
		.type = RTE_VHOST_VDPA_DEVICE_TYPE_NET,
		.queue_num = FAKE_VDPA_QUEUES / 2,
		.features = UINT64_MAX,
		.protocol_features = UINT64_MAX,
		.ops = {
			.get_queue_num = get_queue_num,
			.get_features = get_features,
			.get_protocol_features = get_protocol_features,
			.dev_conf = dev_conf,
			.dev_close = dev_close,
			.dev_cleanup = dev_cleanup,
			.set_vring_state = set_vring_state,
			.set_features = set_features,
			.migration_done = migration_done,
			.get_config = get_config,
			.set_config = set_config,
			.get_dev_type = get_dev_type,
		},
	};
}

void
fake_vdpa_plug(void)
{
	struct rte_dev_iterator it;
	struct rte_device *below = NULL, *each;

	RTE_DEV_FOREACH(each, "bus=vdev", &it)
		below = each;
	RTE_VERIFY(below != NULL);
	fake.dev = rte_vdpa_register_device(below, &fake.ops);
	RTE_VERIFY(fake.dev != NULL);
}

void
fake_vdpa_unplug(void)
{
	RTE_VERIFY(rte_vdpa_unregister_device(fake.dev) == 0);
	fake.dev = NULL;
}

int
fake_vdpa_start(const char *path)
{
	return rte_vhost_driver_attach_vdpa_device(path, fake.dev) != 0 ? -1 :
		rte_vhost_driver_start(path);
}
