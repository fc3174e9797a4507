/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_burst's host: EAL, a driver of a network device, and a frontend that connects to it, all in
 * this process. Nothing is untrusted.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_errno.h>

#define POOL_MBUFS 8191
#define POOL_CACHE 512
#define SPARE_BYTES (8u << 20)

static void
start_eal(const struct bench_options *o, const char *program)
{
	char lcores[32];

	snprintf(lcores, sizeof(lcores), "%u", o->core);
	if (o->engine == ENGINE_HELPER)
		snprintf(lcores, sizeof(lcores), "%u,%u", o->core, o->guest_core);
	host_start(program, lcores, o->engine == ENGINE_DMA ? "dma_skeleton" : NULL);
}

static uint64_t
wanted_features(const struct bench_options *o)
{
	uint64_t f = FE_F_VERSION_1 | FE_F_ANY_LAYOUT | FE_F_INDIRECT_DESC;

	if (o->mergeable)
		f |= FE_F_MRG_RXBUF;
	if (o->event_idx)
		f |= FE_F_EVENT_IDX;
	if (o->packed)
		f |= FE_F_RING_PACKED;
	if (o->in_order)
		f |= FE_F_IN_ORDER;
	if (o->offload != OFFLOAD_NONE)
		f |= FE_F_CSUM | FE_F_GUEST_CSUM | FE_F_HOST_TSO4 | FE_F_GUEST_TSO4;
	return f;
}

/* Bytes of buffers that the largest cell needs. */
static uint64_t
buffers_bytes(const struct bench_options *o)
{
	uint64_t most = 0;

	if (o->buffers_mib != 0)
		return (uint64_t)o->buffers_mib << 20;
	for (unsigned i = 0; i < o->nr_sizes; i++)
		most = RTE_MAX(most, (uint64_t)o->sizes_bytes[i]);
	return RTE_MAX(o->ring_size, 256u) * (most + 4096);
}

/* Regions of equal size, with holes between them so that nobody can join two of them. */
static void
plan_regions(const struct bench_options *o, struct guest_region_spec *specs)
{
	uint64_t bytes = buffers_bytes(o) / o->regions + SPARE_BYTES;

	bytes = (bytes + 0x1fffff) & ~UINT64_C(0x1fffff);
	for (unsigned i = 0; i < o->regions; i++) {
		specs[i] = (struct guest_region_spec) {
			.gpa = i * (bytes + 0x200000),
			.size_bytes = bytes,
		};
	}
}

static void
connect_frontend(struct bench *b)
{
	struct guest_region_spec specs[GUEST_MAX_REGIONS];
	struct fe_config config = {
		.features = wanted_features(&b->opts),
		.ring_size = (uint16_t)b->opts.ring_size,
		.regions = specs,
		.nregions = b->opts.regions,
		.inflight = b->opts.inflight,
	};

	plan_regions(&b->opts, specs);
	b->vid = host_connect(&b->fe, &config);
	host_share_mapping(&b->fe, b->vid, b->own_view);
}

void
bench_start(struct bench *b, const char *program)
{
	uint64_t flags = b->opts.stats ? RTE_VHOST_USER_NET_STATS_ENABLE : 0;

	if (b->opts.engine != ENGINE_NONE)
		flags |= RTE_VHOST_USER_ASYNC_COPY;

	start_eal(&b->opts, program);
	b->pool = rte_pktmbuf_pool_create("bench", POOL_MBUFS, POOL_CACHE, 0,
					  (uint16_t)(b->opts.data_room_bytes +
						     RTE_PKTMBUF_HEADROOM),
					  SOCKET_ID_ANY);
	if (b->pool == NULL)
		bench_die("no mbuf pool: %s", rte_strerror(rte_errno));
	host_register(flags);
	if (rte_vhost_driver_start(host_socket_path()) != 0)
		bench_die("the driver does not start");
	connect_frontend(b);
	if (b->opts.floor)
		floor_init(b);
	if (b->opts.engine != ENGINE_NONE)
		async_start(b);
	for (unsigned i = 0; i < b->fe.mem.nregions; i++)
		b->mem_mark[i] = b->fe.mem.regions[i].used_bytes;
	host_poll_only(&b->fe, b->vid);
}

void
bench_stop(struct bench *b)
{
	if (b->opts.engine != ENGINE_NONE)
		async_stop(b);
	if (b->opts.floor)
		guest_ring_fini(&b->floor.vq);
	host_disconnect(&b->fe, b->own_view);
	rte_mempool_free(b->pool);
	host_stop();
}
