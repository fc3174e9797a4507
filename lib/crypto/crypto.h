/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The crypto backend: requests of guests become operations of a cryptodev, and come
 * back as results. api/crypto.c has the functions for applications.
 */
#ifndef VHOST_NG_CRYPTO_H
#define VHOST_NG_CRYPTO_H

#include "session.h"

extern const struct device_backend crypto_backend;

#endif
