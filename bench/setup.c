/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starts EAL, a vhost-user driver and a frontend that connects to it, all in this process. Public
 * API only, so the library under test is whichever the dynamic linker finds. Nothing is untrusted.
 */
#include "bench.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#define POOL_MBUFS 8191
#define POOL_CACHE 512
#define SPARE_BYTES (8u << 20)

static char scratch[64];
static char socket_path[96];
static int ready_vid = -1;

void
bench_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "bench_burst: ");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	if (socket_path[0] != '\0')
		unlink(socket_path);
	if (scratch[0] != '\0')
		rmdir(scratch);
	exit(2);
}

const char *
bench_library(void)
{
	static char path[4096];
	Dl_info info;

	/* The address in the library itself, not a PLT entry of this program. */
	if (dladdr(dlsym(RTLD_DEFAULT, "rte_vhost_enqueue_burst"), &info) == 0 ||
	    info.dli_fname == NULL || realpath(info.dli_fname, path) == NULL)
		bench_die("cannot tell which vhost library is loaded");
	return path;
}

static int
on_new_device(int vid)
{
	__atomic_store_n(&ready_vid, vid, __ATOMIC_SEQ_CST);
	return 0;
}

static void
on_destroy_device(int vid)
{
	(void)vid;
	__atomic_store_n(&ready_vid, -1, __ATOMIC_SEQ_CST);
}

static const struct rte_vhost_device_ops device_ops = {
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
};

static void
start_eal(struct bench *b, const char *program)
{
	char prefix[64], core[32], name[64];
	char no_huge[] = "--no-huge", no_pci[] = "--no-pci", no_shconf[] = "--no-shconf";
	char memory[] = "-m", megabytes[] = "512", lcores[] = "-l", level[] = "--log-level";
	char errors[] = "error", quiet[] = "--no-telemetry", file_prefix[] = "--file-prefix";
	char *argv[] = {
		name, no_huge, no_pci, no_shconf, memory, megabytes, lcores, core, level, errors,
		quiet, file_prefix, prefix, NULL, NULL,
	};
	char dma[] = "--vdev=dma_skeleton";
	int argc = (int)RTE_DIM(argv) - 2;

	snprintf(name, sizeof(name), "%s", program);
	snprintf(core, sizeof(core), "%u", b->opts.core);
	if (b->opts.engine == ENGINE_HELPER)
		snprintf(core, sizeof(core), "%u,%u", b->opts.core, b->opts.guest_core);
	if (b->opts.engine == ENGINE_DMA)
		argv[argc++] = dma;
	snprintf(prefix, sizeof(prefix), "bench%d", (int)getpid());
	if (rte_eal_init(argc, argv) < 0)
		bench_die("EAL does not start: %s", rte_strerror(rte_errno));
	snprintf(scratch, sizeof(scratch), "/tmp/vhost-bench-XXXXXX");
	if (mkdtemp(scratch) == NULL)
		bench_die("no scratch directory");
	snprintf(socket_path, sizeof(socket_path), "%s/sock", scratch);
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

/*
 * From now on the guest works through the library's own mapping: two mappings of a page cost TLB
 * entries, and mislead the way predictor of some first-level caches, which no real guest would see.
 */
static void
share_mapping(struct bench *b)
{
	struct rte_vhost_memory *table = NULL;
	struct guest_memory *mem = &b->fe.mem;

	if (rte_vhost_get_mem_table(b->vid, &table) != 0)
		bench_die("no memory table");
	for (unsigned i = 0; i < mem->nregions; i++) {
		struct guest_region *r = &mem->regions[i];
		bool found = false;

		b->own_view[i] = r->local;
		for (unsigned j = 0; j < table->nregions && !found; j++) {
			const struct rte_vhost_mem_region *theirs = &table->regions[j];

			if (theirs->guest_phys_addr != r->gpa || theirs->size != r->size_bytes)
				continue;
			r->local = (uint8_t *)(uintptr_t)theirs->host_user_addr;
			found = true;
		}
		if (!found)
			bench_die("region %u is not in the memory table", i);
	}
	free(table);
	for (unsigned i = 0; i < b->fe.nr_vqs; i++)
		guest_ring_rebind(&b->fe.vqs[i], mem);
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
	int rc;

	plan_regions(&b->opts, specs);
	fe_init(&b->fe);
	rc = fe_connect(&b->fe, socket_path);
	if (rc == 0)
		rc = fe_setup(&b->fe, &config);
	if (rc != 0)
		bench_die("the frontend does not come up: %s", rc < 0 ? strerror(-rc) : "refused");
	if ((b->fe.features & config.features) != config.features)
		bench_die("features 0x%llx are not offered",
			  (unsigned long long)(config.features & ~b->fe.features));
	for (unsigned ms = 0; __atomic_load_n(&ready_vid, __ATOMIC_SEQ_CST) < 0; ms++) {
		if (ms == 5000)
			bench_die("no new_device");
		usleep(1000);
	}
	b->vid = ready_vid;
}

void
bench_start(struct bench *b, const char *program)
{
	uint64_t flags = b->opts.stats ? RTE_VHOST_USER_NET_STATS_ENABLE : 0;

	if (b->opts.engine != ENGINE_NONE)
		flags |= RTE_VHOST_USER_ASYNC_COPY;

	start_eal(b, program);
	b->pool = rte_pktmbuf_pool_create("bench", POOL_MBUFS, POOL_CACHE, 0,
					  (uint16_t)(b->opts.data_room_bytes +
						     RTE_PKTMBUF_HEADROOM),
					  SOCKET_ID_ANY);
	if (b->pool == NULL)
		bench_die("no mbuf pool: %s", rte_strerror(rte_errno));
	if (rte_vhost_driver_register(socket_path, flags) != 0 ||
	    rte_vhost_driver_callback_register(socket_path, &device_ops) != 0 ||
	    rte_vhost_driver_start(socket_path) != 0)
		bench_die("the driver does not start");
	connect_frontend(b);
	share_mapping(b);
	if (b->opts.floor)
		floor_init(b);
	if (b->opts.engine != ENGINE_NONE)
		async_start(b);
	for (unsigned i = 0; i < b->fe.mem.nregions; i++)
		b->mem_mark[i] = b->fe.mem.regions[i].used_bytes;
	/* Polling on both sides: no eventfd in the picture. */
	for (unsigned i = 0; i < b->fe.nr_vqs; i++) {
		b->fe.vqs[i].no_kick = true;
		b->fe.vqs[i].event_idx = b->opts.event_idx;
		guest_ring_call_disable(&b->fe.vqs[i]);
		rte_vhost_enable_guest_notification(b->vid, (uint16_t)i, 0);
	}
}

void
bench_stop(struct bench *b)
{
	if (b->opts.engine != ENGINE_NONE)
		async_stop(b);
	for (unsigned i = 0; i < b->fe.mem.nregions; i++)
		b->fe.mem.regions[i].local = b->own_view[i];
	if (b->opts.floor)
		guest_ring_fini(&b->floor.vq);
	fe_close(&b->fe);
	for (unsigned ms = 0; __atomic_load_n(&ready_vid, __ATOMIC_SEQ_CST) >= 0 && ms < 3000; ms++)
		usleep(1000);
	rte_vhost_driver_unregister(socket_path);
	rte_mempool_free(b->pool);
	rte_eal_cleanup();
	unlink(socket_path);
	rmdir(scratch);
}
