/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For LD_PRELOAD: DPDK's example vdpa has a device, on the first of EAL's virtual devices, before its
 * prompt appears. It does nothing with rings, and says what it is asked to do.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <cmdline_parse.h>
#include <cmdline_socket.h>

#include <vdpa_driver.h>

#define SAY(...) (printf("device: " __VA_ARGS__), printf("\n"), fflush(stdout), 0)

static int get_queue_num(struct rte_vdpa_device *dev, uint32_t *queue_num)
{
	(void)dev;
	*queue_num = 2;
	return 0;
}

static int get_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	(void)dev;
	/* VERSION_1, PROTOCOL_FEATURES, MRG_RXBUF. */
	*features = 1ull << 32 | 1ull << 30 | 1ull << 15;
	return 0;
}

static int get_protocol_features(struct rte_vdpa_device *dev, uint64_t *features)
{
	(void)dev;
	*features = 1 << VHOST_USER_PROTOCOL_F_REPLY_ACK | 1 << VHOST_USER_PROTOCOL_F_MQ;
	return 0;
}

static int dev_conf(int vid)
{
	return SAY("conf %d with %u queues", vid, rte_vhost_get_vring_num(vid));
}

static int dev_close(int vid)
{
	return SAY("close %d", vid);
}

static int set_vring_state(int vid, int vring, int state)
{
	return SAY("queue %d of %d is %d", vring, vid, state);
}

static int set_features(int vid)
{
	return SAY("features of %d", vid);
}

static int get_stats_names(struct rte_vdpa_device *dev, struct rte_vdpa_stat_name *names,
			   unsigned int size)
{
	(void)dev;
	if (names != NULL && size >= 1)
		strcpy(names[0].name, "doorbells");
	return 1;
}

static int get_stats(struct rte_vdpa_device *dev, int qid, struct rte_vdpa_stat *stats,
		     unsigned int n)
{
	(void)dev;
	if (n >= 1)
		stats[0] = (struct rte_vdpa_stat){ .id = 0, .value = 4711 + qid };
	return 1;
}

static struct rte_vdpa_dev_ops ops = {
	.get_queue_num = get_queue_num,
	.get_features = get_features,
	.get_protocol_features = get_protocol_features,
	.dev_conf = dev_conf,
	.dev_close = dev_close,
	.set_vring_state = set_vring_state,
	.set_features = set_features,
	.get_stats_names = get_stats_names,
	.get_stats = get_stats,
};

struct cmdline *cmdline_stdin_new(cmdline_parse_ctx_t *ctx, const char *prompt)
{
	struct rte_dev_iterator it;
	struct rte_device *dev;

	RTE_DEV_FOREACH(dev, "bus=vdev", &it)
		if (rte_vdpa_register_device(dev, &ops) == NULL)
			return NULL;
	return ((__typeof__(&cmdline_stdin_new))dlsym(RTLD_NEXT, "cmdline_stdin_new"))(ctx, prompt);
}
