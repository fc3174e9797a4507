/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The worker loop: take a burst from each queue it is responsible for, look up
 * where the frames go, hand them over. Every frame was written by a guest or
 * came off a wire: untrusted. Queues are spread over the workers by
 * (port + queue) modulo workers, so one queue has one reader.
 */
#include "worker.h"

#include <string.h>
#include <time.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_vhost.h>

#include "fdb.h"
#include "offload.h"
#include "port.h"
#include "wakeup.h"

enum {
	IDLE_SPINS = 512,        /* empty rounds before the worker naps */
	IDLE_SPINS_DEEP = 2048,  /* and before it naps longer */
	NAP_NS = 20 * 1000,
	NAP_DEEP_NS = 200 * 1000,
};

struct worker {
	unsigned int id;
	bool falls_asleep;                   /* leave the guests' kicks on */
	unsigned int n_up;                   /* ports that this round reads from */
	uint16_t up[VSW_MAX_PORTS];
	unsigned int n_touched;              /* ports with frames pending */
	uint16_t touched[VSW_MAX_PORTS];
	uint8_t pending[VSW_MAX_PORTS];
	struct rte_mbuf *pkts[VSW_MAX_PORTS][VSW_BURST];
};

static void drop(struct worker *w, struct port *from, struct rte_mbuf *m, enum drop_reason reason)
{
	COUNTER_ADD(from->counters[w->id].drops[reason], 1);
	rte_pktmbuf_free(m);
}

static void put(struct worker *w, uint16_t slot, struct rte_mbuf *m)
{
	if (w->pending[slot] == 0)
		w->touched[w->n_touched++] = slot;
	w->pkts[slot][w->pending[slot]++] = m;
}

/*
 * To all ports but the one it came from; each holds a reference until it is sent.
 * A port that came up in this round is one of them: its guest may be answered
 * already.
 */
static void flood(struct worker *w, struct port *from, struct rte_mbuf *m)
{
	unsigned int slots = port_slots(), receivers = 0;
	uint16_t to[VSW_MAX_PORTS];

	for (unsigned int s = 0; s < slots; s++)
		if (s != from->slot && atomic_load(&port_at(s)->up))
			to[receivers++] = (uint16_t)s;
	if (receivers == 0) {
		drop(w, from, m, DROP_NO_PORT);
		return;
	}
	for (struct rte_mbuf *seg = m; seg != NULL; seg = seg->next)
		rte_mbuf_refcnt_update(seg, (int16_t)(receivers - 1));
	for (unsigned int i = 0; i < receivers; i++)
		put(w, to[i], m);
}

/* Destinations 01:80:c2:00:00:00 to 0f belong to the link: a bridge stops them. */
static bool is_link_local(const struct rte_ether_addr *addr)
{
	static const uint8_t prefix[5] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };

	return memcmp(addr, prefix, sizeof(prefix)) == 0 && addr->addr_bytes[5] < 0x10;
}

static uint16_t vlan_of(const struct rte_mbuf *m, const struct rte_ether_hdr *eth)
{
	const struct rte_vlan_hdr *tag = (const void *)(eth + 1);

	if (eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
	    rte_pktmbuf_data_len(m) < sizeof(*eth) + sizeof(*tag))
		return 0;
	return rte_be_to_cpu_16(tag->vlan_tci) & 0xfff;
}

/* Drop what is no proper frame; note the keys of the rest. Returns how many are left. */
static unsigned int inspect(struct worker *w, struct port *from, struct rte_mbuf **pkts,
			    unsigned int n, fdb_key_t *src, fdb_key_t *dst)
{
	struct port_counters *counters = &from->counters[w->id];
	const struct rte_ether_hdr *eth;
	unsigned int kept = 0;
	uint64_t bytes = 0;
	uint16_t vlan;

	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		bytes += rte_pktmbuf_pkt_len(m);
		eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
		if (rte_pktmbuf_data_len(m) < sizeof(*eth) ||
		    rte_is_multicast_ether_addr(&eth->src_addr)) {
			drop(w, from, m, DROP_RUNT);
			continue;
		}
		if (is_link_local(&eth->dst_addr)) {
			drop(w, from, m, DROP_RESERVED);
			continue;
		}
		vlan = vlan_of(m, eth);
		src[kept] = fdb_key(&eth->src_addr, vlan);
		dst[kept] = fdb_key(&eth->dst_addr, vlan);
		pkts[kept++] = m;
	}
	COUNTER_ADD(counters->in_packets, n);
	COUNTER_ADD(counters->in_bytes, bytes);
	return kept;
}

static void forward(struct worker *w, struct port *from, uint16_t queue, struct rte_mbuf **pkts,
		    unsigned int n)
{
	fdb_key_t src[VSW_BURST], dst[VSW_BURST];
	uint16_t slot[VSW_BURST];

	n = inspect(w, from, pkts, n, src, dst);
	if (n == 0)
		return;
	/* Group addresses are never learned, so they come out as FDB_NO_PORT. */
	fdb_learn_and_lookup(from, src, dst, n, slot);
	for (unsigned int i = 0; i < n; i++) {
		if (slot[i] == from->slot)
			drop(w, from, pkts[i], DROP_SAME_PORT);
		else if (slot[i] != FDB_NO_PORT && atomic_load(&port_at(slot[i])->up))
			put(w, slot[i], pkts[i]);
		else
			flood(w, from, pkts[i]);
	}
	for (unsigned int i = 0; i < w->n_touched; i++) {
		uint16_t to = w->touched[i];

		output(w->id, port_at(to), queue, w->pkts[to], w->pending[to]);
		w->pending[to] = 0;
	}
	w->n_touched = 0;
}

static unsigned int poll_vhost(struct worker *w, struct port *port, uint16_t q)
{
	struct rte_mbuf *pkts[VSW_BURST];
	uint16_t ring = (uint16_t)(2 * q + 1);
	uint16_t n;

	if (!atomic_load_explicit(&port->from_port_enabled[q], memory_order_relaxed))
		return 0;
	/* We poll: the guest need not kick. Said once each time the queue starts, or we wake up. */
	if (!w->falls_asleep &&
	    !atomic_load_explicit(&port->kicks_off[q], memory_order_relaxed)) {
		atomic_store(&port->kicks_off[q], true);
		rte_vhost_enable_guest_notification(port->vid, ring, 0);
	}
	n = rte_vhost_dequeue_burst(port->vid, ring, vsw.pool, pkts, VSW_BURST);
	for (uint16_t i = 0; i < n; i++)
		offload_from_guest(pkts[i]);
	if (n != 0)
		forward(w, port, q, pkts, n);
	return n;
}

static unsigned int poll_eth(struct worker *w, struct port *port, uint16_t q)
{
	struct rte_mbuf *pkts[VSW_BURST];
	uint16_t n = rte_eth_rx_burst(port->eth_port_id, q, pkts, VSW_BURST);

	for (uint16_t i = 0; i < n; i++)
		offload_from_uplink(pkts[i]);
	if (n != 0)
		forward(w, port, q, pkts, n);
	return n;
}

/* One round over everything this worker reads from. Returns the frames moved. */
static unsigned int poll_all(struct worker *w)
{
	unsigned int slots = port_slots(), moved = 0;

	w->n_up = 0;
	for (unsigned int s = 0; s < slots; s++)
		if (atomic_load(&port_at(s)->up))
			w->up[w->n_up++] = (uint16_t)s;
	for (unsigned int i = 0; i < w->n_up; i++) {
		struct port *port = port_at(w->up[i]);

		for (uint16_t q = 0; q < port->n_queues; q++) {
			if (port_reader(port, q) != w->id)
				continue;
			moved += port->kind == PORT_VHOST ? poll_vhost(w, port, q) :
				 poll_eth(w, port, q);
		}
	}
	return moved;
}

/* Does every queue this worker reads (as of the last round) pass the test? */
static bool all_queues(const struct worker *w, bool (*test)(struct port *port, uint16_t q))
{
	for (unsigned int i = 0; i < w->n_up; i++) {
		struct port *port = port_at(w->up[i]);

		for (uint16_t q = 0; q < port->n_queues; q++) {
			if (port_reader(port, q) != w->id)
				continue;
			if (port->kind == PORT_VHOST && !atomic_load(&port->from_port_enabled[q]))
				continue;
			if (!test(port, q))
				return false;
		}
	}
	return true;
}

static bool can_wake_us(struct port *port, uint16_t q)
{
	return port->kind == PORT_VHOST && atomic_load(&port->kick_watch[q]) >= 0;
}

static bool ask_for_kicks(struct port *port, uint16_t q)
{
	atomic_store(&port->kicks_off[q], false);
	return rte_vhost_enable_guest_notification(port->vid, (uint16_t)(2 * q + 1), 1) == 0;
}

/* A burst finds nothing in a full queue when the pool is empty. */
static bool is_empty(struct port *port, uint16_t q)
{
	return rte_vhost_rx_queue_count(port->vid, (uint16_t)(2 * q + 1)) == 0;
}

/*
 * Sleep until there is something to do: ask all guests to kick, look once more,
 * and only then sleep. What a guest sent before it was asked is seen by that
 * look; what it sends after wakes us. A queue that appears meanwhile does, too.
 * False: something here cannot wake us, or has to wait for mbufs; nap instead.
 */
static bool sleep_until_kicked(struct worker *w)
{
	bool look_again = false;

	if (!all_queues(w, can_wake_us))
		return false;
	w->falls_asleep = true;
	if (all_queues(w, ask_for_kicks)) {
		look_again = poll_all(w) != 0;
		if (!look_again && all_queues(w, is_empty)) {
			rte_rcu_qsbr_thread_offline(vsw.qsbr, w->id);
			wakeup_wait(w->id);
			rte_rcu_qsbr_thread_online(vsw.qsbr, w->id);
			look_again = true;
		}
	}
	w->falls_asleep = false;
	return look_again;
}

/* Nothing to do: spin for a while, then give the CPU away, by sleep or in short naps. */
static void rest(struct worker *w, unsigned int *idle_rounds)
{
	struct timespec nap = { .tv_nsec = NAP_NS };

	rte_pause();
	if (vsw.config.poll == POLL_BUSY || ++*idle_rounds < IDLE_SPINS)
		return;
	if (vsw.config.poll == POLL_INTERRUPT && sleep_until_kicked(w)) {
		*idle_rounds = 0;
		return;
	}
	if (*idle_rounds > IDLE_SPINS_DEEP) {
		*idle_rounds = IDLE_SPINS_DEEP;
		nap.tv_nsec = NAP_DEEP_NS;
	}
	nanosleep(&nap, NULL);
}

int worker_main(void *arg)
{
	static struct worker workers[VSW_MAX_WORKERS];
	unsigned int id = (unsigned int)(uintptr_t)arg, idle_rounds = 0;
	struct worker *w = &workers[id];

	w->id = id;
	rte_rcu_qsbr_thread_register(vsw.qsbr, id);
	rte_rcu_qsbr_thread_online(vsw.qsbr, id);
	while (!atomic_load_explicit(&vsw.stop_workers, memory_order_relaxed)) {
		if (poll_all(w) == 0)
			rest(w, &idle_rounds);
		else
			idle_rounds = 0;
		rte_rcu_qsbr_quiescent(vsw.qsbr, id);
	}
	rte_rcu_qsbr_thread_offline(vsw.qsbr, id);
	rte_rcu_qsbr_thread_unregister(vsw.qsbr, id);
	return 0;
}
