/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What unit and message tests share: cmocka's long include list, a log that can be asked, random
 * numbers that can be repeated, and guest memory as the library sees it. Nothing is untrusted.
 */
#ifndef UNIT_KIT_H
#define UNIT_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guest_memory.h"
#include "memory/gmem.h"

/* Log lines go into memory from now on; kit_lines counts them, kit_last_line keeps one. */
void kit_capture_log(void);
extern unsigned int kit_lines;
extern char kit_last_line[256];

/* Descriptors this process has open, without the one that looks. */
unsigned int kit_open_fds(void);

/* xorshift64: the same seed gives the same numbers. */
void kit_seed(uint64_t seed);
uint64_t kit_random(void);
/* 0 to below - 1. */
uint32_t kit_random_below(uint32_t below);

/* A memfd of so many bytes. */
int kit_memfd(uint64_t size_bytes);

/* Maps the regions of `mem` the way SET_MEM_TABLE does. */
struct gmem *kit_gmem(const struct guest_memory *mem);

/* The test's own pointer to what the library calls guest memory. */
static inline uint8_t *kit_host(const uint8_t __guest *p)
{
	return GUEST_FORCE(uint8_t *, p);
}

#endif
