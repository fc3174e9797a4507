/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest behind a relay does not lose or see twice a single chain, whatever becomes of its backends:
 * moved to another one under load, or SIGKILL and a new one in its place.
 */
#include <errno.h>

#include "chains.h"
#include "flow_main.h"
#include "relay_rig.h"

#define MOVES 40
#define KILLS 20

static const struct backend_lacks no_areas = {
	.protocol_features = 1u << FE_PROTOCOL_F_INFLIGHT_SHMFD,
};

static struct chains queues[2];

static void
chains_up(struct backend_lacks lacks)
{
	struct fe_config config = rig_one_pair;

	/* Both ways over the end of the ring. */
	config.base = RING_SIZE - 9;
	rig_up(lacks, &config);
	for (unsigned i = 0; i < RTE_DIM(queues); i++)
		chains_init(&queues[i], &fe, i);
	backend_work(&one, BACKEND_LOAD);
}

static void
all_come_back(void)
{
	CHECK(flow_wait_until(chains_all_done, queues, PATIENCE_MS));
	fprintf(tap.out, "# %lu chains came back\n", (unsigned long)chains_nr_done(queues));
}

static void
moved_under_load(void)
{
	chains_up(lacks_nothing);
	backend_start(&two, flow_path(), lacks_nothing);
	backend_work(&two, BACKEND_LOAD);
	for (unsigned i = 0; i < MOVES; i++) {
		chains_work_until_done(queues, 500);
		CHECK_EQ(vdpa_relay_move(RELAY, i % 2 == 0 ? two.path : one.path), 0);
	}
	chains_work_until_done(queues, 500);
	all_come_back();
}

static void
kill_under_load(struct backend_lacks lacks)
{
	srandom(1);
	for (unsigned i = 0; i < KILLS; i++) {
		chains_work_until_done(queues, 1 + (uintptr_t)random() % 1000);
		/* And a little longer, so that it is not always caught at the same place. */
		for (long turns = random() % 50; turns > 0; turns--)
			chains_work(queues, true);
		backend_kill(&one);
		backend_start(&one, one.path, lacks);
	}
	chains_work_until_done(queues, 500);
	all_come_back();
}

static void
killed_under_load(void)
{
	chains_up(lacks_nothing);
	kill_under_load(lacks_nothing);
}

/* To another one instead of the next one at its place, whether its death was noticed or not. */
static void
moved_from_the_dead(void)
{
	struct backend *from = &one, *to = &two;

	chains_up(lacks_nothing);
	for (unsigned i = 0; i < 10; i++) {
		struct backend *dead = from;

		backend_start(to, i == 0 ? flow_path() : to->path, lacks_nothing);
		backend_work(to, BACKEND_LOAD);
		chains_work_until_done(queues, 500);
		backend_kill(dead);
		CHECK_EQ(vdpa_relay_move(RELAY, to->path), 0);
		from = to;
		to = dead;
	}
	chains_work_until_done(queues, 500);
	all_come_back();
}

/* A split ring says itself where it stands. */
static void
killed_without_areas(void)
{
	chains_up(no_areas);
	kill_under_load(no_areas);
}

/* The next one does not know what the last one wrote down, or the other way round. */
static void
killed_with_and_without_areas(void)
{
	chains_up(lacks_nothing);
	for (unsigned i = 0; i < 4; i++) {
		chains_work_until_done(queues, 500);
		backend_kill(&one);
		backend_start(&one, one.path, i % 2 == 0 ? no_areas : lacks_nothing);
	}
	chains_work_until_done(queues, 500);
	all_come_back();
}

static bool
says_where_rings_stand(void *arg)
{
	(void)arg;
	return strstr(flow_heard(), "nobody knows where its packed rings stand") != NULL;
}

/* A packed one does not: it waits for its guest, which starts it anew. */
static void
packed_without_areas(void)
{
	uintptr_t done;

	chains_up(no_areas);
	chains_work_until_done(queues, 500);
	backend_kill(&one);
	flow_listen();
	backend_start(&one, one.path, no_areas);
	CHECK(flow_wait_until(says_where_rings_stand, NULL, PATIENCE_MS));
	flow_listen_no_more();
	CHECK_EQ(backend_devices(&one), 1);
	chains_work(queues, true);
	done = chains_nr_done(queues);
	CHECK_EQ(fe_stop(&fe, NULL), 0);
	chains_work(queues, false);
	CHECK_EQ(chains_nr_done(queues), done);
	for (unsigned i = 0; i < RTE_DIM(queues); i++) {
		guest_ring_reset(&fe.vqs[i], 0);
		memset(queues[i].done, 0, sizeof(queues[i].done));
		queues[i].nr_posted = 0;
		queues[i].nr_done = 0;
		queues[i].missing = 0;
	}
	CHECK_EQ(fe_start(&fe, &rig_one_pair), 0);
	chains_work_until_done(queues, 500);
	all_come_back();
}

/* Nobody came after it: where the rings stand the frontend hears all the same. */
static void
killed_and_stopped(void)
{
	chains_up(lacks_nothing);
	for (unsigned i = 0; i < 10; i++) {
		uint32_t base;

		chains_work_until_done(queues, 200 + 17 * i);
		/* In the midst of a batch a packed ring stands nowhere. */
		if (flow_packed)
			backend_work(&one, BACKEND_IDLE);
		backend_kill(&one);
		/* What was given back before is the guest's. */
		chains_work(queues, false);
		for (unsigned q = 0; q < RTE_DIM(queues); q++) {
			CHECK_EQ(fe_get_vring_base(&fe, q, &base), 0);
			CHECK(flow_base_is(base, &fe.vqs[q]));
		}
		backend_start(&one, one.path, lacks_nothing);
		backend_work(&one, BACKEND_LOAD);
		for (unsigned q = 0; q < RTE_DIM(queues); q++) {
			CHECK_EQ(fe_start_vring(&fe, q), 0);
			CHECK_EQ(fe_set_vring_enable(&fe, q, true), 0);
		}
	}
	chains_work_until_done(queues, 500);
	all_come_back();
}

static bool
is_called(void *arg)
{
	return guest_ring_calls(arg) != 0;
}

/* The one that died may have given chains back and not said so. */
static void
guest_is_called(void)
{
	const struct backend_lacks lacks[] = {lacks_nothing, no_areas};

	for (unsigned i = 0; i < (flow_packed ? 1 : RTE_DIM(lacks)); i++) {
		chains_up(lacks[i]);
		chains_work_until_done(queues, 100);
		backend_work(&one, BACKEND_IDLE);
		backend_kill(&one);
		for (unsigned q = 0; q < RTE_DIM(queues); q++)
			(void)guest_ring_calls(&fe.vqs[q]);
		backend_start(&one, one.path, lacks[i]);
		for (unsigned q = 0; q < RTE_DIM(queues); q++)
			CHECK(flow_wait_until(is_called, &fe.vqs[q], PATIENCE_MS));
		rig_teardown();
	}
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(moved_under_load),
		FLOW_TEST(killed_under_load),
		FLOW_TEST(moved_from_the_dead),
		SPLIT_TEST(killed_without_areas),
		SPLIT_TEST(killed_with_and_without_areas),
		PACKED_TEST(packed_without_areas),
		FLOW_TEST(killed_and_stopped),
		FLOW_TEST(guest_is_called),
	};

	backend_process_main(argc, argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), rig_setup, rig_teardown);
}
