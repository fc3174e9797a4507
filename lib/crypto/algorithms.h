/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-crypto's algorithms in cryptodev's terms, and what a cryptodev can do in
 * virtio-crypto's.
 */
#ifndef VHOST_NG_CRYPTO_ALGORITHMS_H
#define VHOST_NG_CRYPTO_ALGORITHMS_H

#include <linux/virtio_crypto.h>
#include <rte_cryptodev.h>

#include "session.h"

/*
 * Fills in services, algorithms and lengths of keys with what *every* cryptodev of the list
 * can do, 64 bytes as virtio has them, little endian. No device: nothing is offered.
 */
void crypto_config_of(const uint8_t *cryptodev_ids, unsigned int count,
		      struct virtio_crypto_config *config);

/* The most data that one request may have with such a device (RTE_CRYPTODEV_FF_*). */
uint32_t crypto_data_max_bytes(uint64_t feature_flags);

#endif
