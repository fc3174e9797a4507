/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vDPA device's driver, as applications bring them: it does nothing with the rings, but records
 * what is asked of it as words between those of the application's callbacks (flow.h):
 *
 *   conf, close, cleanup, v<index>=<0|1> (set_vring_state), feat or feat+log (set_features),
 *   migrated, get<bytes> and set<offset>+<bytes>/<flags> (configuration space).
 *
 * In every operation it asks the library whatever a driver may ask; a lock held too long is a test
 * that hangs. One device at a time.
 */
#ifndef FAKE_VDPA_H
#define FAKE_VDPA_H

#include <rte_vdpa.h>
#include <vdpa_driver.h>

#include "flow.h"

#define FAKE_VDPA_QUEUES 8

struct fake_vdpa {
	/* What it says it can do. */
	uint32_t type, queue_num;
	uint64_t features, protocol_features;
	/* Operations to come fail with this; 0: they do not. */
	int limits_result, conf_result, close_result, state_result, features_result,
		migration_result, config_result;
	/* Called in every operation with a vid, before it is recorded. */
	void (*hook)(const char *word, int vid);
	uint8_t config[256]; /* its configuration space */
	/* Where the "hardware" stands when it is closed; set with rte_vhost_set_vring_base(). */
	bool moves;
	uint16_t stands_at;
	/* By dev_conf(). */
	struct rte_vhost_vring rings[FAKE_VDPA_QUEUES];
	unsigned nr_rings;
	uint16_t base[FAKE_VDPA_QUEUES];

	struct rte_vdpa_dev_ops ops; /* may be changed before fake_vdpa_plug() */
	struct rte_vdpa_device *dev;
};
extern struct fake_vdpa fake;

/* A net device of 4 pairs that can do everything; nothing fails. */
void fake_vdpa_reset(void);
/* Registers it on EAL's device; flow_vdev has to make one. */
void fake_vdpa_plug(void);
void fake_vdpa_unplug(void);
/* For flow_start_driver: attaches it first. */
int fake_vdpa_start(const char *path);

#endif
