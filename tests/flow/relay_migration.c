/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest behind a relay migrates: its backend maps the guest's own dirty log, and marks there what
 * it writes, all of it and nothing else.
 */
#include <errno.h>

#include "flow_main.h"
#include "guest_log.h"
#include "relay_rig.h"

static struct guest_log dirty;

static const struct fe_config movable = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_EVENT_IDX,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
			     1u << FE_PROTOCOL_F_LOG_SHMFD,
	.ring_size = RING_SIZE,
	.regions = rig_regions,
	.nregions = RTE_DIM(rig_regions),
};

static void
teardown(void)
{
	rig_teardown();
	guest_log_destroy(&dirty);
}

#define LOG_COVERS ((1u << 30) + (1u << 20))
#define PAGES ((9u << 20) / GUEST_LOG_PAGE_BYTES)

/* Of no use. */
static const struct backend_lacks halves[] = {
	{.features = FE_F_LOG_ALL},
	{.protocol_features = 1u << FE_PROTOCOL_F_LOG_SHMFD},
};

static uint64_t echoes_wanted;

static bool
has_echoed(void *arg)
{
	return backend_echoed(arg) >= echoes_wanted;
}

/* Packets that only the device is still to touch. */
static void
send_and_snapshot(struct pings *g, struct guest_log *log, unsigned n)
{
	pings_send(g, n);
	guest_log_snapshot(log, &fe);
}

/* What the device did since the snapshot is marked, and nothing else is. */
static void
check_log(struct pings *g, struct backend *b, struct guest_log *log, unsigned n)
{
	echoes_wanted = backend_echoed(b) + n;
	backend_work(b, BACKEND_ECHO);
	CHECK(flow_wait_until(has_echoed, b, PATIENCE_MS));
	backend_work(b, BACKEND_IDLE);
	CHECK_EQ(guest_log_lies(log, &fe.mem), 0);
	/* Of the buffers, and of both rings. */
	CHECK(guest_log_count(log) >= 5);
	pings_receive_all(g);
}

static void
up_to_move(struct pings *g, struct backend_lacks lacks)
{
	rig_up(lacks, &movable);
	CHECK(fe.offered & FE_F_LOG_ALL);
	CHECK(fe.protocol_features & 1u << FE_PROTOCOL_F_LOG_SHMFD);
	pings_init(g, 0);
	CHECK_EQ(guest_log_create(&dirty, LOG_COVERS, 4096), 0);
}

/* Nothing of it is left. */
static void
end_migration(struct pings *g, struct backend *b)
{
	CHECK_EQ(guest_log_stop(&fe), 0);
	send_and_snapshot(g, &dirty, 10);
	backend_work(b, BACKEND_ECHO);
	pings_receive_all(g);
	backend_work(b, BACKEND_IDLE);
	CHECK_EQ(guest_log_count(&dirty), 0);
}

static void
dirty_pages(void)
{
	struct guest_log other;
	struct pings guest;

	up_to_move(&guest, lacks_nothing);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(guest_log_start(&dirty, &fe), 0);
		send_and_snapshot(&guest, &dirty, 20);
		check_log(&guest, &one, &dirty, 20);
		end_migration(&guest, &one);
	}
	/* Another log in the midst of it: the old one is of no interest then. */
	CHECK_EQ(guest_log_start(&dirty, &fe), 0);
	CHECK_EQ(guest_log_create(&other, LOG_COVERS, 0), 0);
	CHECK_EQ(fe_set_log_base(&fe, other.fd, other.size_bytes, other.offset_bytes), 0);
	send_and_snapshot(&guest, &dirty, 20);
	guest_log_snapshot(&other, &fe);
	check_log(&guest, &one, &other, 20);
	CHECK_EQ(guest_log_count(&dirty), 0);
	guest_log_destroy(&other);
	pings_fini(&guest);
}

/* Of a backend that does not say when it has done something. */
static void
dirty_pages_without_acks(void)
{
	struct pings guest;

	up_to_move(&guest, (struct backend_lacks) {
		.protocol_features = 1u << FE_PROTOCOL_F_REPLY_ACK});
	CHECK_EQ(guest_log_start(&dirty, &fe), 0);
	send_and_snapshot(&guest, &dirty, 20);
	check_log(&guest, &one, &dirty, 20);
	end_migration(&guest, &one);
	pings_fini(&guest);
}

/* When the rings have stopped there is nothing that the log does not have. */
static void
dirty_pages_at_the_end(void)
{
	struct pings guest;

	for (unsigned i = 0; i < 3; i++) {
		up_to_move(&guest, lacks_nothing);
		CHECK_EQ(guest_log_start(&dirty, &fe), 0);
		send_and_snapshot(&guest, &dirty, 30);
		backend_work(&one, BACKEND_ECHO);
		CHECK_EQ(fe_stop(&fe, NULL), 0);
		CHECK_EQ(guest_log_lies(&dirty, &fe.mem), 0);
		pings_fini(&guest);
		teardown();
	}
}

/* The device starts in the midst of it, with the feature first and the log last, as QEMU does. */
static void
started_while_migrating(void)
{
	struct pings guest;

	up_to_move(&guest, lacks_nothing);
	CHECK_EQ(fe_stop(&fe, NULL), 0);
	fe.features |= FE_F_LOG_ALL;
	CHECK_EQ(fe_set_features(&fe, fe.features), 0);
	CHECK_EQ(fe_start(&fe, &movable), 0);
	CHECK_EQ(fe_set_log_base(&fe, dirty.fd, dirty.size_bytes, dirty.offset_bytes), 0);
	for (unsigned i = 0; i < fe.nr_vqs; i++)
		CHECK_EQ(fe_log_vring(&fe, i, true, fe.vqs[i].used_gpa), 0);
	send_and_snapshot(&guest, &dirty, 20);
	check_log(&guest, &one, &dirty, 20);
	/* And when it stops and starts with the log in place. */
	CHECK_EQ(fe_stop(&fe, NULL), 0);
	CHECK_EQ(fe_start(&fe, &movable), 0);
	send_and_snapshot(&guest, &dirty, 20);
	check_log(&guest, &one, &dirty, 20);
	end_migration(&guest, &one);
	pings_fini(&guest);
}

static void
moved_while_migrating(void)
{
	struct pings guest;

	up_to_move(&guest, lacks_nothing);
	backend_start(&two, flow_path(), lacks_nothing);
	CHECK_EQ(guest_log_start(&dirty, &fe), 0);
	for (unsigned i = 0; i < 4; i++) {
		struct backend *next = i % 2 == 0 ? &two : &one;

		send_and_snapshot(&guest, &dirty, 20);
		CHECK_EQ(vdpa_relay_move(RELAY, next->path), 0);
		check_log(&guest, next, &dirty, 20);
	}
	end_migration(&guest, &one);
	pings_fini(&guest);
}

static unsigned connections_wanted;

static bool
has_connections(void *arg)
{
	return backend_connections(arg) >= connections_wanted;
}

static bool
wait_connections(struct backend *b, unsigned more)
{
	connections_wanted = backend_connections(b) + more;
	return flow_wait_until(has_connections, b, PATIENCE_MS);
}

/* What one that was killed had not marked yet nobody knows: all of memory is to be sent again. */
static void
killed_while_migrating(void)
{
	struct pings guest;

	up_to_move(&guest, lacks_nothing);
	CHECK_EQ(guest_log_start(&dirty, &fe), 0);
	send_and_snapshot(&guest, &dirty, 20);
	backend_kill(&one);
	backend_start(&one, one.path, lacks_nothing);
	CHECK(rig_wait_device(&one, 2));
	CHECK_EQ(guest_log_count(&dirty), PAGES);
	/* The next one knows of the log. */
	guest_log_snapshot(&dirty, &fe);
	check_log(&guest, &one, &dirty, 20);
	/* Once: a guest whom no backend takes can still leave. */
	backend_kill(&one);
	backend_start(&one, one.path, halves[0]);
	CHECK(wait_connections(&one, 1));
	CHECK_EQ(guest_log_count(&dirty), PAGES);
	guest_log_snapshot(&dirty, &fe);
	CHECK(wait_connections(&one, 2));
	CHECK_EQ(guest_log_count(&dirty), 0);
	backend_kill(&one);
	backend_start(&one, one.path, lacks_nothing);
	CHECK(rig_wait_device(&one, 3));
	send_and_snapshot(&guest, &dirty, 20);
	check_log(&guest, &one, &dirty, 20);
	/* Also when the guest stops before there is a next one. */
	guest_log_snapshot(&dirty, &fe);
	backend_kill(&one);
	CHECK_EQ(fe_stop(&fe, NULL), 0);
	CHECK_EQ(guest_log_count(&dirty), PAGES);
	pings_fini(&guest);
}

/* Who may have to migrate stays with those that can do both. */
static void
no_migration(void)
{
	struct pings guest;

	for (unsigned i = 0; i < RTE_DIM(halves); i++) {
		rig_up(halves[i], &movable);
		CHECK_EQ(fe.offered & FE_F_LOG_ALL, 0);
		CHECK_EQ(fe.protocol_offered & 1u << FE_PROTOCOL_F_LOG_SHMFD, 0);
		teardown();
		up_to_move(&guest, lacks_nothing);
		backend_start(&two, flow_path(), halves[i]);
		flow_listen();
		CHECK_EQ(vdpa_relay_move(RELAY, two.path), -ENOTSUP);
		CHECK(strstr(flow_heard(), "lacks a feature") != NULL);
		flow_listen_no_more();
		pings_fini(&guest);
		teardown();
		/* Its frontend cannot. */
		rig_up(lacks_nothing, &rig_one_pair);
		backend_start(&two, flow_path(), halves[i]);
		CHECK_EQ(vdpa_relay_move(RELAY, two.path), 0);
		teardown();
	}
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(dirty_pages),
		FLOW_TEST(dirty_pages_without_acks),
		FLOW_TEST(dirty_pages_at_the_end),
		FLOW_TEST(started_while_migrating),
		FLOW_TEST(moved_while_migrating),
		FLOW_TEST(killed_while_migrating),
		FLOW_TEST(no_migration),
	};

	backend_process_main(argc, argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), rig_setup, teardown);
}
