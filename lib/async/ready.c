/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table's address is what counts: registration looks it up and takes the
 * engine itself, so the functions in it are never called by the library.
 */
#include <pthread.h>
#include <stdlib.h>

#include <rte_vhost_async.h>

#include "base/defs.h"
#include "ready.h"

struct ready {
	struct rte_vhost_async_channel_ops ops;
	struct copy_engine *engine;
	struct ready *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ready *tables;

/* For those who call what they were given, or a copy of it. */
static int32_t no_transfer(int vid, uint16_t queue_id, struct rte_vhost_async_desc *descs,
			   struct rte_vhost_async_status *opaque_data, uint16_t count)
{
	(void)vid;
	(void)queue_id;
	(void)descs;
	(void)opaque_data;
	(void)count;
	return -1;
}

static int32_t no_completions(int vid, uint16_t queue_id,
			      struct rte_vhost_async_status *opaque_data, uint16_t max_packets)
{
	(void)vid;
	(void)queue_id;
	(void)opaque_data;
	(void)max_packets;
	return -1;
}

static struct ready *ready_new(struct copy_engine *engine)
{
	struct ready *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->ops = (struct rte_vhost_async_channel_ops){
		.transfer_data = no_transfer,
		.check_completed_copies = no_completions,
	};
	table->engine = engine;
	table->next = tables;
	tables = table;
	return table;
}

struct rte_vhost_async_channel_ops *ready_ops_of(struct copy_engine *engine)
{
	struct ready *table;

	pthread_mutex_lock(&lock);
	for (table = tables; table != NULL && table->engine != engine; table = table->next)
		;
	if (table == NULL)
		table = ready_new(engine);
	pthread_mutex_unlock(&lock);
	return table != NULL ? &table->ops : NULL;
}

struct copy_engine *ready_engine_of(const struct rte_vhost_async_channel_ops *ops)
{
	struct ready *table;

	pthread_mutex_lock(&lock);
	for (table = tables; table != NULL && &table->ops != ops; table = table->next)
		;
	pthread_mutex_unlock(&lock);
	return table != NULL ? table->engine : NULL;
}
