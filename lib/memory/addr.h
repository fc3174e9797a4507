/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The address spaces a frontend speaks in. One-field structs, so that the
 * compiler refuses to mix them.
 */
#ifndef VHOST_NG_ADDR_H
#define VHOST_NG_ADDR_H

#include <stdint.h>

/* Guest physical: what descriptors hold. */
typedef struct {
	uint64_t v;
} gpa_t;

/* The frontend's own virtual address: what SET_VRING_ADDR holds. */
typedef struct {
	uint64_t v;
} uva_t;

/*
 * I/O virtual: what descriptors, and SET_VRING_ADDR, hold under a vIOMMU. The data
 * path reads a descriptor's address as a gpa_t and looks it up in the table that
 * belongs to the ring, which knows what it is.
 */
typedef struct {
	uint64_t v;
} iova_t;

static inline gpa_t gpa(uint64_t v)
{
	return (gpa_t){ v };
}

static inline iova_t iova(uint64_t v)
{
	return (iova_t){ v };
}

static inline uva_t uva(uint64_t v)
{
	return (uva_t){ v };
}

#endif
