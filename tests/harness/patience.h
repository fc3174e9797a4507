/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The time that tests have patience by. It goes as CLOCK_MONOTONIC does, but stands still while
 * this process is not run: a virtual machine that was paused for a minute, or a CPU that others
 * have, says nothing about the library. A library that makes its callers wait still costs time.
 */
#ifndef VHOST_NG_TESTS_PATIENCE_H
#define VHOST_NG_TESTS_PATIENCE_H

#include <stdint.h>

/* Any thread. */
uint64_t patience_now_us(void);

#endif
