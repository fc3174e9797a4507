/* SPDX-License-Identifier: BSD-3-Clause */
/* A second lcore copies; see ops.h. The CPU still copies what is too small for that. */
#include "ops.h"

#include <stdbool.h>

#include <rte_debug.h>
#include <rte_lcore.h>

#include "copier.h"
#include "flow.h"

#define HELPER 1

static bool runs;

void
copier_init(void)
{
	flow_nr_lcores = 2;
}

static void
stop(void)
{
	if (rte_vhost_async_helper_stop(HELPER) != 0 ||
	    rte_eal_get_lcore_state(HELPER) != WAIT)
		rte_panic("the helper core does not stop\n");
	if (ops_packets > 1000 && ops_in_flight == 0)
		rte_panic("no packet was ever in flight: the CPU copied them\n");
}

struct rte_vhost_async_channel_ops *
ops_of(uint16_t queue_id)
{
	struct rte_vhost_async_channel_ops *ops;

	(void)queue_id;
	if (!runs && rte_vhost_async_helper_start(HELPER) != 0)
		rte_panic("no helper core\n");
	runs = true;
	flow_at_cleanup = stop;
	ops = rte_vhost_async_helper_ops(HELPER);
	RTE_VERIFY(ops != NULL);
	return ops;
}
