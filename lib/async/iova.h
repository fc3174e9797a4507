/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bus addresses: what an engine that is a device has to be told instead of a
 * pointer. EAL says which kind they are: virtual addresses, with an IOMMU behind
 * them or an engine that is none, or physical ones.
 */
#ifndef VHOST_NG_IOVA_H
#define VHOST_NG_IOVA_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/region.h"

#define IOVA_UNKNOWN UINT64_MAX

/* Are pointers bus addresses? EAL has started. */
bool iova_is_va(void);

/* Regions that engines do not reach, although pointers are bus addresses; atomic. */
extern uint32_t iova_nr_unreachable;
/* Is each pointer its own bus address, if pointers are? */
static inline bool iova_reaches_all(void)
{
	return __atomic_load_n(&iova_nr_unreachable, __ATOMIC_ACQUIRE) == 0;
}

/*
 * The bus address of the bytes at `at`, *run_bytes of which (at most `len`) follow
 * one another on the bus; IOVA_UNKNOWN: of as many no engine can be told. Guest
 * memory, mbufs, anything that stays where it is; whoever asks about guest memory
 * holds a reference to its region. Any thread; never waits.
 */
uint64_t iova_run(const void *at, uint32_t len, uint32_t *run_bytes);

/*
 * The hooks of resident regions (region.h): look their addresses up, and make
 * them known to the IOMMU that EAL's devices are behind (VFIO), as long as they
 * are mapped.
 */
void iova_region_mapped(const struct region *r);
void iova_region_unmapping(const struct region *r);

#endif
