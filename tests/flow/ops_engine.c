/* SPDX-License-Identifier: BSD-3-Clause */
/* An engine of the application copies, a few packets at a time; see ops.h. */
#include "ops.h"

#include "copier.h"
#include "engine.h"

#define DRIP 3

void
copier_init(void)
{
}

struct rte_vhost_async_channel_ops *
ops_of(uint16_t queue_id)
{
	if (queue_id == 0)
		engine_reset();
	engine_of(queue_id)->drip = DRIP;
	return &engine_ops;
}
