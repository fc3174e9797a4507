/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_arp.h>

#include "rarp.h"

#define RARP_BYTES (sizeof(struct rte_ether_hdr) + sizeof(struct rte_arp_hdr))

COLD uint16_t rarp_take(struct device *dev, struct rte_mempool *pool, struct rte_mbuf **out)
{
	union device_rarp rarp = { .word = __atomic_load_n(&dev->rarp.word, __ATOMIC_ACQUIRE) };
	struct rte_ether_addr address;

	if (rarp.word == 0)
		return 0;
	memcpy(&address, rarp.address, sizeof(address));
	*out = rte_net_make_rarp_packet(pool, &address);
	if (*out == NULL)
		return 0;
	/* DPDK leaves in the padding what the mbuf held before, maybe another guest's. */
	memset(rte_pktmbuf_mtod_offset(*out, uint8_t *, RARP_BYTES), 0,
	       (*out)->data_len - RARP_BYTES);
	/* Only what was made is done with: a later message brings another. */
	if (__atomic_compare_exchange_n(&dev->rarp.word, &rarp.word, 0, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		return 1;
	rte_pktmbuf_free(*out);
	return 0;
}
