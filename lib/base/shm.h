/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Access to memory that a peer can write at any time: rings, guest buffers.
 *
 * A pointer into such memory carries `__guest`. clang refuses to dereference
 * it (noderef), so reading a field twice by accident, the double fetch, does
 * not compile in CI; gcc ignores the qualifier at no cost. Scalars go through
 * shm_load*() and shm_store*(), each of which touches memory exactly once;
 * bytes go through shm_read() and shm_write(). Bulk data is copied in
 * copy/exec.c only.
 */
#ifndef VHOST_NG_SHM_H
#define VHOST_NG_SHM_H

#include <stdint.h>
#include <string.h>

#include "defs.h"

#if defined(__clang__)
#define __guest __attribute__((noderef))
#define GUEST_FORCE(type, p) ((type)(uintptr_t)(p))
#else
#define __guest
#define GUEST_FORCE(type, p) ((type)(uintptr_t)(p))
#endif

/* The address of a field behind a guest pointer, still a guest pointer. */
#define GUEST_FIELD(p, type, field) \
	((__typeof__(((type *)0)->field) __guest *)((uintptr_t)(p) + offsetof(type, field)))
#define GUEST_AT(p, type, i) ((type __guest *)((uintptr_t)(p) + (uintptr_t)(i) * sizeof(type)))

#ifdef VHOST_NG_SHM_HOOK
/* Fuzz builds: called before every scalar load, may rewrite the bytes. */
extern void (*shm_load_hook)(uintptr_t addr, size_t len_bytes);
#define SHM_HOOK(p, n)                                    \
	do {                                              \
		if (shm_load_hook != NULL)                \
			shm_load_hook((uintptr_t)(p), n); \
	} while (0)
#else
#define SHM_HOOK(p, n) ((void)0)
#endif

#define SHM_DEFINE(bits)                                                                        \
	static ALWAYS_INLINE uint##bits##_t shm_load##bits(const uint##bits##_t __guest *p)     \
	{                                                                                       \
		SHM_HOOK(p, sizeof(uint##bits##_t));                                            \
		return __atomic_load_n(GUEST_FORCE(const uint##bits##_t *, p),                  \
				       __ATOMIC_RELAXED);                                       \
	}                                                                                       \
	static ALWAYS_INLINE void shm_store##bits(uint##bits##_t __guest *p, uint##bits##_t v)  \
	{                                                                                       \
		__atomic_store_n(GUEST_FORCE(uint##bits##_t *, p), v, __ATOMIC_RELAXED);        \
	}

SHM_DEFINE(8)
SHM_DEFINE(16)
SHM_DEFINE(32)
SHM_DEFINE(64)

#define SHM_DEFINE_ORDERED(bits)                                                                 \
	static ALWAYS_INLINE uint##bits##_t shm_load##bits##_acquire(                            \
		const uint##bits##_t __guest *p)                                                 \
	{                                                                                        \
		SHM_HOOK(p, sizeof(uint##bits##_t));                                             \
		return __atomic_load_n(GUEST_FORCE(const uint##bits##_t *, p),                   \
				       __ATOMIC_ACQUIRE);                                        \
	}                                                                                        \
	static ALWAYS_INLINE void shm_store##bits##_release(uint##bits##_t __guest *p,           \
							    uint##bits##_t v)                    \
	{                                                                                        \
		__atomic_store_n(GUEST_FORCE(uint##bits##_t *, p), v, __ATOMIC_RELEASE);         \
	}

SHM_DEFINE_ORDERED(16)
SHM_DEFINE_ORDERED(64)

/* Orders our earlier stores before our later loads, as the peer sees them. */
static ALWAYS_INLINE void shm_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static ALWAYS_INLINE void shm_read(void *dst, const void __guest *src, size_t len_bytes)
{
	SHM_HOOK(src, len_bytes);
	memcpy(dst, GUEST_FORCE(const void *, src), len_bytes);
}

static ALWAYS_INLINE void shm_write(void __guest *dst, const void *src, size_t len_bytes)
{
	memcpy(GUEST_FORCE(void *, dst), src, len_bytes);
}

static ALWAYS_INLINE void shm_prefetch(const void __guest *p)
{
	__builtin_prefetch(GUEST_FORCE(const void *, p), 0, 3);
}

static ALWAYS_INLINE void shm_prefetch_write(const void __guest *p)
{
	__builtin_prefetch(GUEST_FORCE(const void *, p), 1, 3);
}

/*
 * The first lines of `len` bytes, or some more: two for small packets, four for
 * the rest. What is longer is a stream, which the machine sees coming by itself.
 */
static ALWAYS_INLINE void shm_prefetch_start(const uint8_t __guest *p, uint32_t len, bool write)
{
	const uint8_t *at = GUEST_FORCE(const uint8_t *, p);

	if (write) {
		__builtin_prefetch(at, 1, 3);
		__builtin_prefetch(at + CACHE_LINE_BYTES, 1, 3);
	} else {
		__builtin_prefetch(at, 0, 3);
		__builtin_prefetch(at + CACHE_LINE_BYTES, 0, 3);
	}
	if (len <= 2 * CACHE_LINE_BYTES)
		return;
	if (write) {
		__builtin_prefetch(at + 2 * CACHE_LINE_BYTES, 1, 3);
		__builtin_prefetch(at + 3 * CACHE_LINE_BYTES, 1, 3);
	} else {
		__builtin_prefetch(at + 2 * CACHE_LINE_BYTES, 0, 3);
		__builtin_prefetch(at + 3 * CACHE_LINE_BYTES, 0, 3);
	}
}

#endif
