/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An application that serves virtio-crypto devices with a cryptodev, as DPDK's guide has it, for
 * the flow tests of crypto: one cryptodev, named on the command line, and steps that a test may do
 * one by one. Nothing here is untrusted.
 */
#ifndef CRYPTO_APP_H
#define CRYPTO_APP_H

#include <rte_cryptodev.h>
#include <rte_vhost_crypto.h>

#include "flow.h"
#include "guest_crypto.h"

#define CRYPTO_APP_QUEUE_PAIR 0

extern struct crypto_app {
	uint8_t cryptodev_id;
	struct rte_cryptodev_info info;
	struct rte_mempool *session_pool, *op_pool;
	/* What every new device gets. */
	enum rte_vhost_crypto_zero_copy zero_copy;
	/* Results of the latest new_device(). */
	int create_result, zero_copy_result;
	/* destroy_device() leaves the device to the test. */
	bool keeps_devices;
} crypto_app;

/*
 * Takes a name such as crypto_openssl off the command line, for flow_main(); without one the
 * cryptodev is crypto_openssl.
 */
void crypto_app_args(int *argc, char ***argv);
/* Before each test: starts the cryptodev, once; drivers serve crypto from now on. */
void crypto_app_setup(void);
/* After each: all operations and mbufs are where they belong. */
bool crypto_app_idle(void);
/* Of the library's pools of buffers, without taking them: none of another library's. */
unsigned crypto_app_buffers_in_use(void);

/* One step each. Operations come from op_pool and go back there by crypto_app_finalize(). */
unsigned crypto_app_fetch(int vid, uint16_t queue, struct rte_crypto_op **ops, unsigned max);
/*
 * Through the cryptodev; they come back in the order in which they are done, or are refused. How many
 * were refused: they are to be finalized like the others.
 */
unsigned crypto_app_run(struct rte_crypto_op **ops, unsigned nr_ops);
/* And the guest is called. How many calls. */
unsigned crypto_app_finalize(struct rte_crypto_op **ops, unsigned nr_ops);
/* All three for what there is, a burst at most. Returns how many. */
unsigned crypto_app_pump(int vid, uint16_t queue);

/* Does the cryptodev say that it has the algorithm, with these lengths? */
bool crypto_app_device_can(const struct guest_crypto_session *session, uint32_t iv_bytes);
/* Does it make a session of such a chain, which verifies the digest if it deciphers? */
bool crypto_app_device_chains(const struct guest_crypto_session *session, uint32_t iv_bytes);
/*
 * Has the cryptodev answer a request for a cipher, hash or MAC without the library. 0, or -EIO: it
 * does not do it.
 */
int crypto_app_compute(const struct guest_crypto_session *session,
		       const struct guest_crypto_req *req, uint8_t *dst, uint8_t *hash);

#endif
