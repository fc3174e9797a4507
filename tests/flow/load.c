/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_vhost.h>

#include "load.h"

#define PACKETS 12
#define SMALL_BYTES 20
#define LARGE_BYTES 700

unsigned
load_make(struct rte_mbuf *m[LOAD_BURST], struct rte_mempool *mbufs)
{
	unsigned n;

	for (n = 0; n < PACKETS; n++) {
		uint16_t bytes = n % 5 == 4 ? LARGE_BYTES : SMALL_BYTES;

		m[n] = rte_pktmbuf_alloc(mbufs);
		if (m[n] == NULL)
			break;
		memset(rte_pktmbuf_append(m[n], bytes), 7, bytes);
	}
	return n;
}

unsigned
load_send(int vid, struct rte_mempool *mbufs)
{
	struct rte_mbuf *m[LOAD_BURST];
	unsigned n = load_make(m, mbufs), sent;

	sent = rte_vhost_enqueue_burst(vid, 0, m, (uint16_t)n);
	rte_pktmbuf_free_bulk(m, n);
	return sent;
}

unsigned
load_take(int vid, struct rte_mempool *mbufs)
{
	struct rte_mbuf *m[LOAD_BURST];
	unsigned n = rte_vhost_dequeue_burst(vid, 1, mbufs, m, LOAD_BURST);

	rte_pktmbuf_free_bulk(m, n);
	return n;
}
