/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Turns the bytes of one fuzz input into numbers. Used by every target; when
 * the input is used up all numbers are 0.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libFuzzer and replay.c call. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes);

/* Broken promises of the code under test end the run, in every build type. */
#define MUST(condition)                                                               \
	do {                                                                          \
		if (!(condition)) {                                                   \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__,    \
				#condition);                                          \
			abort();                                                      \
		}                                                                     \
	} while (0)

/* What checks is not what is to be explored: no coverage of it. */
#if defined(__clang__)
#define ORACLE __attribute__((no_sanitize("coverage")))
#else
#define ORACLE
#endif

struct input {
	const uint8_t *at;
	size_t left_bytes;
};

/* The next `len` bytes, padded with zeros; returns how many were there. */
static inline size_t input_bytes(struct input *in, void *to, size_t len)
{
	size_t n = len < in->left_bytes ? len : in->left_bytes;

	memset(to, 0, len);
	if (n != 0)
		memcpy(to, in->at, n);
	in->at += n;
	in->left_bytes -= n;
	return n;
}

#define INPUT_DEFINE(bits)                                                 \
	static inline uint##bits##_t input_u##bits(struct input *in)       \
	{                                                                  \
		uint##bits##_t v;                                          \
									   \
		input_bytes(in, &v, sizeof(v));                            \
		return v;                                                  \
	}

INPUT_DEFINE(8)
INPUT_DEFINE(16)
INPUT_DEFINE(32)
INPUT_DEFINE(64)

static inline bool input_empty(const struct input *in)
{
	return in->left_bytes == 0;
}

#endif
