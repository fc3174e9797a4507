/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device with one queue over the memory of ring_memory.h, in a process with EAL: what the targets
 * have in common that go from the ring to buffers of DPDK and back.
 */
#ifndef FUZZ_RING_DEVICE_H
#define FUZZ_RING_DEVICE_H

#include <rte_eal.h>
#include <sys/eventfd.h>

#include "device/device.h"
#include "ring_packed.h"
#include "ring_split.h"

/* The second telling of a format's verb. */
#define MODEL(kind, verb, ...)                                                        \
	((kind) == RING_PACKED ? packed_##verb(__VA_ARGS__) : split_##verb(__VA_ARGS__))

/* A bit for each page that there is. */
#define LOG_BYTES 16

static struct {
	struct device *dev;
	struct vq *vq;
	struct dirty_log log;
	/* All that a run did, in one number. */
	uint64_t digest;
} g;

/* FNV-1a, eight bytes at a time. */
ORACLE static inline void digest(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		g.digest = (g.digest ^ word) * UINT64_C(0x100000001b3);
		g.digest ^= g.digest >> 29;
	}
	for (; len != 0; at++, len--)
		g.digest = (g.digest ^ *at) * UINT64_C(0x100000001b3);
}

ORACLE static inline void digest_u64(uint64_t value)
{
	digest(&value, sizeof(value));
}

/* After a burst: the ring, its guest and the counters. */
ORACLE static inline void digest_state(unsigned int n)
{
	const struct ring *vr = &g.vq->ring;

	digest_u64(n);
	digest_u64((uint64_t)vr->last_avail << 48 | (uint64_t)vr->used_idx << 32 |
		   (uint64_t)vr->published << 16 | vr->fault);
	digest_u64((uint64_t)vr->unsignalled << 1 | vr->signalled_valid);
	digest(&g.vq->stats, sizeof(g.vq->stats));
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		digest(f.regions[i].map.mmap_addr, layout[i].size_bytes);
}

static inline void digest_begin(void)
{
	g.digest = UINT64_C(0xcbf29ce484222325);
}

/* --- start --------------------------------------------------------------- */

static __attribute__((format(printf, 2, 0))) void no_log(enum log_level level, const char *fmt,
							 va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
}

static inline void start_eal(const char *megabytes)
{
	char *argv[] = { (char[]){ "fuzz" }, (char[]){ "--no-huge" }, (char[]){ "--no-pci" },
			 (char[]){ "--no-shconf" }, (char[]){ "--no-telemetry" },
			 (char[]){ "--log-level=1" }, (char[]){ "-m" }, (char *)(uintptr_t)megabytes };

	MUST(rte_eal_init(ARRAY_LEN(argv), argv) >= 0);
	log_set_sink(no_log);
}

static inline void start_device(const struct driver_config *config)
{
	make_memory();
	g.dev = device_acquire(config, "fuzz");
	MUST(g.dev != NULL);
	g.vq = device_vq_make(g.dev, 0);
	MUST(g.vq != NULL);
	/* A real one, for the decision to notify to be taken. */
	g.vq->callfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	MUST(g.vq->callfd >= 0);
	g.log.map.start = calloc(1, LOG_BYTES);
	g.log.size_bytes = LOG_BYTES;
	g.log.event_fd = -1;
	MUST(g.log.map.start != NULL);
	gate_open(&g.vq->gate);
}

/* A ring as the input has it, where it fits. */
static inline void attach_ring(uint8_t shape, struct input *in)
{
	struct ring *vr = &g.vq->ring;
	struct vring_addrs addrs = { .desc = UVA_BASE, .used = UVA_BASE + 0x1000 };

	*vr = (struct ring){ .size = (uint16_t)(1u << (shape & 7)) };
	vr->event_idx = (shape & 8) != 0;
	if ((shape & 128) != 0) {
		uint8_t size = input_u8(in);

		vr->kind = RING_PACKED;
		vr->size = 1 + size % 128;
		vr->in_order = (shape & 1) != 0;
		vring_set_base(vr, MODEL_WRAP, MODEL_WRAP);
	}
	addrs.avail = UVA_BASE + vr->size * 16u;
	MUST(vring_attach(vr, f.mem, NULL, &addrs) == 0);
}

static inline void attach_log(void)
{
	g.vq->ring.log = &g.log;
	g.vq->ring.log_all = true;
	g.vq->ring.log_used = true;
	g.vq->ring.log_used_addr = gpa(0x1000);
}

/* --- what may change ------------------------------------------------------ */

/* The used ring is where it has to be; take over what stands there. */
ORACLE static inline void accept_used(const struct ring *vr)
{
	bool packed = vr->kind == RING_PACKED;
	const void *used = packed ? GUEST_FORCE(const void *, vr->packed) :
				    GUEST_FORCE(const void *, vr->used);
	size_t len = packed ? vr->size * sizeof(struct vring_packed_desc) : 6 + vr->size * 8u;

	memcpy(model_of(used, len), used, len);
}

/* What changed, and was not accepted yet, is in the log; which pages are. Empties it. */
ORACLE static inline uint32_t check_log(void)
{
	uint32_t logged;

	memcpy(&logged, GUEST_FORCE(const void *, g.log.map.start), sizeof(logged));
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		for (uint32_t off = 0; off < layout[i].size_bytes; off += DIRTY_LOG_PAGE_BYTES)
			MUST((logged >> (layout[i].gpa + off) / DIRTY_LOG_PAGE_BYTES & 1) != 0 ||
			     memcmp((uint8_t *)f.regions[i].map.mmap_addr + off, f.model[i] + off,
				    DIRTY_LOG_PAGE_BYTES) == 0);
	memset(GUEST_FORCE(void *, g.log.map.start), 0, LOG_BYTES);
	return logged;
}

#endif
