/* SPDX-License-Identifier: BSD-3-Clause */
/* The DMA device of the flow tests; see dma.h. */
#include "dma.h"

#include <rte_debug.h>
#include <rte_dmadev.h>

#include "flow.h"

static int16_t started = -1;

/* DPDK crashes if the device runs to the end. */
static void
stop(void)
{
	rte_dma_stop(started);
}

int16_t
dma_device(void)
{
	struct rte_dma_conf config = {.nb_vchans = 1};
	struct rte_dma_vchan_conf channel = {.direction = RTE_DMA_DIR_MEM_TO_MEM};
	struct rte_dma_info info;
	int id;

	if (started >= 0)
		return started;
	id = rte_dma_get_dev_id_by_name(DMA_VDEV);
	if (id < 0 || rte_dma_info_get((int16_t)id, &info) != 0)
		rte_panic("EAL made no " DMA_VDEV "\n");
	channel.nb_desc = info.max_desc;
	if (rte_dma_configure((int16_t)id, &config) != 0 ||
	    rte_dma_vchan_setup((int16_t)id, 0, &channel) != 0 || rte_dma_start((int16_t)id) != 0)
		rte_panic(DMA_VDEV " does not start\n");
	started = (int16_t)id;
	flow_at_cleanup = stop;
	return started;
}
