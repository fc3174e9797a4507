/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The addresses that DMA devices see.
 */
#ifndef VHOST_NG_IOVA_H
#define VHOST_NG_IOVA_H

#include <stdbool.h>
#include <stdint.h>

/* Are they this process's own? */
bool iova_is_va(void);

/*
 * The bus address of memory at `at`, of which at most `len` bytes are wanted:
 * the first *run_bytes of them, 1 or more, are contiguous. UINT64_MAX: unknown.
 */
uint64_t iova_run(const void *at, uint32_t len, uint32_t *run_bytes);

#endif
