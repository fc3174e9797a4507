/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Uplinks; see port_eth.h. What an ethdev can checksum and segment itself is
 * left to it, the rest is done in software before (offload.c).
 */
#include "port_eth.h"

#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>

#include "events.h"
#include "offload.h"
#include "port.h"

enum { RX_DESCRIPTORS = 512, TX_DESCRIPTORS = 512 };

static const uint64_t CSUM_OFFLOADS = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |
				      RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;

/* What to switch on, and in *takes what that means for frames from guests. */
static uint64_t choose_tx_offloads(const struct rte_eth_dev_info *info, unsigned int *takes)
{
	uint64_t can = info->tx_offload_capa, on = can & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

	*takes = 0;
	if ((can & CSUM_OFFLOADS) != CSUM_OFFLOADS)
		return on;
	on |= CSUM_OFFLOADS;
	*takes = OFFLOAD_CSUM;
	/* net_tap says it can, in software and for IPv4 alone: ours does both. */
	if (can & RTE_ETH_TX_OFFLOAD_TCP_TSO && can & RTE_ETH_TX_OFFLOAD_MULTI_SEGS &&
	    strcmp(info->driver_name, "net_tap") != 0) {
		on |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
		*takes |= OFFLOAD_TSO4 | OFFLOAD_TSO6;
	}
	return on;
}

static int setup_queues(uint16_t id, const struct rte_eth_dev_info *info, uint16_t n_rx,
			uint16_t n_tx, uint64_t tx_offloads)
{
	struct rte_eth_txconf txconf = info->default_txconf;
	uint16_t rx_slots = RX_DESCRIPTORS, tx_slots = TX_DESCRIPTORS;
	int socket = rte_eth_dev_socket_id(id), rc;

	txconf.offloads = tx_offloads;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx_slots, &tx_slots);
	for (uint16_t q = 0; q < n_rx && rc == 0; q++)
		rc = rte_eth_rx_queue_setup(id, q, rx_slots, (unsigned int)socket,
					    &info->default_rxconf, vsw.pool);
	for (uint16_t q = 0; q < n_tx && rc == 0; q++)
		rc = rte_eth_tx_queue_setup(id, q, tx_slots, (unsigned int)socket, &txconf);
	return rc;
}

/* Several receive queues only where the device spreads flows over them. */
static uint16_t rx_queues(const struct rte_eth_dev_info *info)
{
	uint16_t most = RTE_MIN(info->max_rx_queues, (uint16_t)VSW_MAX_QUEUE_PAIRS);

	if (info->flow_type_rss_offloads == 0)
		return 1;
	return RTE_MAX(RTE_MIN((uint16_t)vsw.n_workers, most), (uint16_t)1);
}

static int configure(struct port *port, uint16_t id)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	unsigned int takes;
	uint16_t n_rx, n_tx, mtu;
	int rc = rte_eth_dev_info_get(id, &info);

	if (rc != 0)
		return rc;
	n_rx = rx_queues(&info);
	n_tx = RTE_MIN(info.max_tx_queues, (uint16_t)VSW_MAX_QUEUE_PAIRS);
	n_tx = RTE_MAX(RTE_MIN((uint16_t)vsw.n_workers, n_tx), (uint16_t)1);
	if (n_rx > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
	}
	conf.txmode.offloads = choose_tx_offloads(&info, &takes);
	rc = rte_eth_dev_configure(id, n_rx, n_tx, &conf);
	if (rc == 0)
		rc = setup_queues(id, &info, n_rx, n_tx, conf.txmode.offloads);
	if (rc == 0)
		rc = rte_eth_dev_start(id);
	if (rc != 0)
		return rc;
	/* Not every virtual device knows these; the frames come all the same. */
	rte_eth_promiscuous_enable(id);
	rte_eth_allmulticast_enable(id);
	port->eth_port_id = id;
	port->n_queues = n_rx;
	port->eth_tx_queues = n_tx;
	port->eth_multi_segs = conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	atomic_store(&port->takes, takes);
	if (rte_eth_dev_get_mtu(id, &mtu) == 0)
		port->max_frame_bytes = (uint32_t)mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
	for (unsigned int q = 0; q < VSW_MAX_QUEUE_PAIRS; q++) {
		atomic_store(&port->from_port_enabled[q], q < n_rx);
		atomic_store(&port->to_port_enabled[q], q < n_tx);
	}
	return 0;
}

int eth_ports_start(void)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	struct port *port;
	uint16_t id;
	int n = 0, rc;

	RTE_ETH_FOREACH_DEV(id) {
		if (rte_eth_dev_get_name_by_port(id, name) != 0)
			snprintf(name, sizeof(name), "eth%u", id);
		ports_lock();
		port = port_alloc(PORT_ETH, name);
		ports_unlock();
		if (port == NULL) {
			fprintf(stderr, "%s: more than %d ports\n", VSW_NAME, VSW_MAX_PORTS);
			return -1;
		}
		rc = configure(port, id);
		if (rc != 0) {
			fprintf(stderr, "%s: uplink %s: cannot start it: %s\n", VSW_NAME, name,
				rte_strerror(-rc));
			return -1;
		}
		port_up(port);
		event("port %s: up, uplink, %u queue%s in, %u out", port->name, port->n_queues,
		      port->n_queues == 1 ? "" : "s", port->eth_tx_queues);
		n++;
	}
	return n;
}

void eth_ports_stop(void)
{
	for (unsigned int s = 0; s < port_slots(); s++) {
		struct port *port = port_at(s);

		if (port->kind != PORT_ETH || !atomic_load(&port->up))
			continue;
		port_down(port);
		rte_eth_dev_stop(port->eth_port_id);
		rte_eth_dev_close(port->eth_port_id);
	}
}

void eth_ports_check_links(void)
{
	struct rte_eth_link link;
	enum port_state state;

	for (unsigned int s = 0; s < port_slots(); s++) {
		struct port *port = port_at(s);

		if (port->kind != PORT_ETH || rte_eth_link_get_nowait(port->eth_port_id, &link) != 0)
			continue;
		state = link.link_status == RTE_ETH_LINK_UP ? STATE_UP : STATE_DOWN;
		if (atomic_exchange(&port->state, state) != state)
			event("port %s: link %s", port->name, state == STATE_UP ? "up" : "down");
	}
}
