/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bus addresses where they are virtual ones. With physical ones nothing is known.
 */
#include <rte_eal.h>

#include "iova.h"

bool iova_is_va(void)
{
	return rte_eal_iova_mode() == RTE_IOVA_VA;
}

uint64_t iova_run(const void *at, uint32_t len, uint32_t *run_bytes)
{
	*run_bytes = len;
	return iova_is_va() ? (uintptr_t)at : UINT64_MAX;
}
