/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For LD_PRELOAD: a port without VMDq passes for one with it, and is configured without what it
 * does not have. DPDK's example vhost refuses to start on a virtual port otherwise; it uses the
 * port for what leaves its guests only.
 */
#include <dlfcn.h>
#include <stddef.h>

#include <rte_ethdev.h>

#define POOLS 2

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

int rte_eth_dev_info_get(uint16_t port, struct rte_eth_dev_info *info)
{
	int ret = REAL(rte_eth_dev_info_get)(port, info);

	info->max_vmdq_pools = POOLS;
	info->vmdq_queue_num = POOLS;
	info->max_rx_queues = POOLS;
	return ret;
}

int rte_eth_dev_configure(uint16_t port, uint16_t rx_queues, uint16_t tx_queues,
			  const struct rte_eth_conf *conf)
{
	static const struct rte_eth_conf plain;

	(void)conf;
	return REAL(rte_eth_dev_configure)(port, rx_queues, tx_queues, &plain);
}

int rte_eth_rx_queue_setup(uint16_t port, uint16_t queue, uint16_t descs, unsigned int socket,
			   const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	(void)conf;
	return REAL(rte_eth_rx_queue_setup)(port, queue, descs, socket, NULL, pool);
}

int rte_eth_tx_queue_setup(uint16_t port, uint16_t queue, uint16_t descs, unsigned int socket,
			   const struct rte_eth_txconf *conf)
{
	(void)conf;
	return REAL(rte_eth_tx_queue_setup)(port, queue, descs, socket, NULL);
}
