/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio-net header and the offload fields of an mbuf, each way. The
 * header comes by value: a private copy, whatever the guest does to its own.
 */
#ifndef VHOST_NG_NET_HDR_H
#define VHOST_NG_NET_HDR_H

#include <linux/virtio_net.h>
#include <rte_mbuf.h>

#include "device/device.h"

/*
 * Checksums that go into the guest's copy of a packet after its bytes. The mbuf
 * itself is never written to: it may be shared with other ports.
 */
struct hdr_fixups {
	unsigned int count;
	struct {
		uint32_t offset_bytes; /* in the packet */
		uint16_t value;        /* as it stands in memory */
	} at[2]; /* L4, IPv4 */
};

#define HDR_MBUF_OFFLOADS                                                                 \
	(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_SEG | \
	 RTE_MBUF_F_TX_UDP_SEG)

/*
 * Guest to host: turns what the header asks for into mbuf fields. The packet
 * is already in `m`. In legacy mode the mbuf says what remains to be done (Tx
 * flags), in compliant mode what is known about the packet (Rx flags). What an
 * mbuf cannot express is done here, in software; what makes no sense is left
 * out and the packet delivered as it is.
 */
void hdr_to_mbuf(const struct virtio_net_hdr_v1 *hdr, struct rte_mbuf *m, bool compliant);

/*
 * Host to guest, for an mbuf with any of HDR_MBUF_OFFLOADS: fills the header
 * and the fixups. False when the guest did not agree to what the mbuf asks for
 * and it cannot be done in software, or the mbuf's lengths make no sense.
 */
bool hdr_from_mbuf(const struct rte_mbuf *m, uint64_t features, struct virtio_net_hdr_v1 *hdr,
		   struct hdr_fixups *fixups);

#endif
