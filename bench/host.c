/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL, a vhost-user driver and a frontend that connects to it, all in this process; see host.h. */
#include "host.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_vhost.h>

static char scratch[64];
static char socket_path[96];
static int ready_vid = -1;

int (*host_on_new_device)(int vid);

void
bench_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
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
bench_library(const char *function)
{
	static char path[4096];
	Dl_info info;

	/* The address in the library itself, not a PLT entry of this program. */
	if (dladdr(dlsym(RTLD_DEFAULT, function), &info) == 0 || info.dli_fname == NULL ||
	    realpath(info.dli_fname, path) == NULL)
		bench_die("cannot tell which vhost library is loaded");
	return path;
}

static int
on_new_device(int vid)
{
	int rc = host_on_new_device != NULL ? host_on_new_device(vid) : 0;

	if (rc == 0)
		__atomic_store_n(&ready_vid, vid, __ATOMIC_SEQ_CST);
	return rc;
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

void
host_start(const char *program, const char *lcores, const char *vdev)
{
	char prefix[64], core[32], name[64], device[64];
	char no_huge[] = "--no-huge", no_pci[] = "--no-pci", no_shconf[] = "--no-shconf";
	char memory[] = "-m", megabytes[] = "512", list[] = "-l", level[] = "--log-level";
	char errors[] = "error", quiet[] = "--no-telemetry", file_prefix[] = "--file-prefix";
	char *argv[] = {
		name, no_huge, no_pci, no_shconf, memory, megabytes, list, core, level, errors,
		quiet, file_prefix, prefix, NULL, NULL,
	};
	int argc = (int)(sizeof(argv) / sizeof(argv[0])) - 2;

	snprintf(name, sizeof(name), "%s", program);
	snprintf(core, sizeof(core), "%s", lcores);
	if (vdev != NULL) {
		snprintf(device, sizeof(device), "--vdev=%s", vdev);
		argv[argc++] = device;
	}
	snprintf(prefix, sizeof(prefix), "bench%d", (int)getpid());
	if (rte_eal_init(argc, argv) < 0)
		bench_die("EAL does not start: %s", rte_strerror(rte_errno));
	snprintf(scratch, sizeof(scratch), "/tmp/vhost-bench-XXXXXX");
	if (mkdtemp(scratch) == NULL)
		bench_die("no scratch directory");
	snprintf(socket_path, sizeof(socket_path), "%s/sock", scratch);
}

const char *
host_socket_path(void)
{
	return socket_path;
}

void
host_register(uint64_t flags)
{
	if (rte_vhost_driver_register(socket_path, flags) != 0 ||
	    rte_vhost_driver_callback_register(socket_path, &device_ops) != 0)
		bench_die("the driver does not register");
}

int
host_connect(struct frontend *fe, const struct fe_config *config)
{
	int rc;

	fe_init(fe);
	rc = fe_connect(fe, socket_path);
	if (rc == 0)
		rc = fe_setup(fe, config);
	if (rc != 0)
		bench_die("the frontend does not come up: %s", rc < 0 ? strerror(-rc) : "refused");
	if ((fe->features & config->features) != config->features)
		bench_die("features 0x%llx are not offered",
			  (unsigned long long)(config->features & ~fe->features));
	for (unsigned ms = 0; __atomic_load_n(&ready_vid, __ATOMIC_SEQ_CST) < 0; ms++) {
		if (ms == 5000)
			bench_die("no new_device");
		usleep(1000);
	}
	return ready_vid;
}

void
host_share_mapping(struct frontend *fe, int vid, uint8_t *own_view[GUEST_MAX_REGIONS])
{
	struct rte_vhost_memory *table = NULL;
	struct guest_memory *mem = &fe->mem;

	if (rte_vhost_get_mem_table(vid, &table) != 0)
		bench_die("no memory table");
	for (unsigned i = 0; i < mem->nregions; i++) {
		struct guest_region *r = &mem->regions[i];
		bool found = false;

		own_view[i] = r->local;
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
	for (unsigned i = 0; i < fe->nr_vqs; i++)
		guest_ring_rebind(&fe->vqs[i], mem);
}

void
host_poll_only(struct frontend *fe, int vid)
{
	for (unsigned i = 0; i < fe->nr_vqs; i++) {
		fe->vqs[i].no_kick = true;
		guest_ring_call_disable(&fe->vqs[i]);
		rte_vhost_enable_guest_notification(vid, (uint16_t)i, 0);
	}
}

void
host_disconnect(struct frontend *fe, uint8_t *own_view[GUEST_MAX_REGIONS])
{
	for (unsigned i = 0; i < fe->mem.nregions; i++)
		fe->mem.regions[i].local = own_view[i];
	fe_close(fe);
	for (unsigned ms = 0; __atomic_load_n(&ready_vid, __ATOMIC_SEQ_CST) >= 0 && ms < 3000; ms++)
		usleep(1000);
	rte_vhost_driver_unregister(socket_path);
}

void
host_stop(void)
{
	rte_eal_cleanup();
	unlink(socket_path);
	rmdir(scratch);
}
