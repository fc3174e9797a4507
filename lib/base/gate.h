/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queue gate: what keeps a data thread and the control thread apart.
 *
 * Data threads enter for one burst and never wait for control: a closed gate
 * turns them away at once. Control closes (closing nests), which waits for at
 * most the one burst that is inside, changes what it likes, and opens.
 *
 * `held` is taken by compare-and-swap, then `closed` is read; control adds to
 * `closed`, then reads `held`. Both pairs are sequentially consistent, so at
 * least one side sees the other. A gate starts closed.
 */
#ifndef VHOST_NG_GATE_H
#define VHOST_NG_GATE_H

#include <sched.h>
#include <stdint.h>

#include "defs.h"

#if defined(__clang__)
#define CAPABILITY(x) __attribute__((capability(x)))
#define TRY_ACQUIRE(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define NO_THREAD_SAFETY __attribute__((no_thread_safety_analysis))
#else
#define CAPABILITY(x)
#define TRY_ACQUIRE(...)
#define RELEASE(...)
#define REQUIRES(...)
#define NO_THREAD_SAFETY
#endif

struct CAPABILITY("gate") gate {
	uint32_t held;
	uint32_t closed;
};

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

static inline void gate_init(struct gate *g)
{
	__atomic_store_n(&g->held, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&g->closed, 1, __ATOMIC_RELAXED);
}

/* One attempt: false when closed or when another thread is inside. */
static ALWAYS_INLINE bool gate_try_enter(struct gate *g) TRY_ACQUIRE(true, g) NO_THREAD_SAFETY
{
	uint32_t free_word = 0;

	if (!__atomic_compare_exchange_n(&g->held, &free_word, 1, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED))
		return false;
	if (likely(__atomic_load_n(&g->closed, __ATOMIC_SEQ_CST) == 0))
		return true;
	__atomic_store_n(&g->held, 0, __ATOMIC_RELEASE);
	return false;
}

static ALWAYS_INLINE void gate_exit(struct gate *g) RELEASE(g) NO_THREAD_SAFETY
{
	__atomic_store_n(&g->held, 0, __ATOMIC_RELEASE);
}

/* Waits out another data thread (a burst at the most); false when closed. */
static inline bool gate_enter(struct gate *g) TRY_ACQUIRE(true, g) NO_THREAD_SAFETY
{
	while (!gate_try_enter(g)) {
		if (__atomic_load_n(&g->closed, __ATOMIC_RELAXED) != 0)
			return false;
		cpu_relax();
	}
	return true;
}

/* Control side. Nests. Returns when no data thread is inside. */
static inline void gate_close(struct gate *g)
{
	unsigned int spins = 0;

	__atomic_fetch_add(&g->closed, 1, __ATOMIC_SEQ_CST);
	/* The load that ends the wait acquires what gate_exit() released. */
	while (__atomic_load_n(&g->held, __ATOMIC_SEQ_CST) != 0) {
		cpu_relax();
		/* The thread inside may be off its core: let it run. */
		if (++spins % 1024 == 0)
			sched_yield();
	}
}

static inline void gate_open(struct gate *g)
{
	__atomic_fetch_sub(&g->closed, 1, __ATOMIC_SEQ_CST);
}

static inline bool gate_is_closed(const struct gate *g)
{
	return __atomic_load_n(&g->closed, __ATOMIC_RELAXED) != 0;
}

/* Is a data thread inside, or trying to be? Turns nobody away. */
static inline bool gate_is_held(const struct gate *g)
{
	return __atomic_load_n(&g->held, __ATOMIC_RELAXED) != 0;
}

#endif
