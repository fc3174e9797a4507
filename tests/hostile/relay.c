/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A relay (drivers/relay.c) at a backend that answers wrongly: each wrong answer in the place of each
 * right one, when the device is made, when a guest comes, when the backend has gone and come back, when
 * the guest stops, and when the device is moved. Whatever comes of it, frontends are answered, the
 * other port does not notice, nothing is left; and an honest backend serves the guest.
 */
#include <errno.h>
#include <stdlib.h>

#include <rte_dev.h>
#include <rte_vdpa.h>
#include <vdpa_relay.h>

#include "liar.h"
#include "rig.h"
#include "tap.h"

#define DEVICE "vdpa_relay0"
#define NR_RINGS 4
#define WAIT_MS 60000

static const struct guest_region_spec region = { .size_bytes = 2u << 20 };
static const struct fe_config config = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | FE_F_MQ,
	.protocol_features = 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK,
	.nr_pairs = NR_RINGS / 2,
	.ring_size = 64,
	.regions = &region,
	.nregions = 1,
};

static struct liar liars[2];
static const char *path, *liar_paths[2];
static bool plugged;
static struct frontend fe;
static struct liar_view view;

static int start(const char *socket)
{
	struct rte_vdpa_device *dev = rte_vdpa_find_device_by_name(DEVICE);

	return dev == NULL || rte_vhost_driver_attach_vdpa_device(socket, dev) != 0 ?
		       -1 : rte_vhost_driver_start(socket);
}

static int plug(void)
{
	char args[128];
	int ret;

	snprintf(args, sizeof(args), "socket=%s", liar_paths[0]);
	ret = rte_eal_hotplug_add("vdev", DEVICE, args);
	plugged = ret == 0;
	return ret;
}

static void unplug(void)
{
	if (plugged)
		RTE_VERIFY(rte_eal_hotplug_remove("vdev", DEVICE) == 0);
	plugged = false;
}

static void begin(void)
{
	rec_reset();
	fe_init(&fe);
	fe.timeout_ms = WAIT_MS;
	for (unsigned int i = 0; i < RTE_DIM(liars); i++) {
		liar_paths[i] = strdup(flow_path());
		liar_init(&liars[i], liar_paths[i]);
		CHECK_EQ(liar_start(&liars[i]), 0);
	}
}

static void serve(void)
{
	CHECK_EQ(plug(), 0);
	flow_start_driver = start;
	path = strdup(flow_serve(0));
	flow_start_driver = rte_vhost_driver_start;
}

/* After a failed test, too. */
static void take_down(void)
{
	fe_close(&fe);
	if (path != NULL) {
		flow_unserve(path);
		free((void *)(uintptr_t)path);
		path = NULL;
	}
	unplug();
	for (unsigned int i = 0; i < RTE_DIM(liars); i++) {
		if (liar_paths[i] == NULL)
			continue;
		liar_stop(&liars[i]);
		free((void *)(uintptr_t)liar_paths[i]);
		liar_paths[i] = NULL;
	}
}

static void end(void)
{
	CHECK(bystander_unharmed());
	take_down();
	CHECK(rig_nothing_left());
}

/* --- waiting ------------------------------------------------------------------- */

/* Has the liar all rings? */
static bool is_served(void *arg)
{
	liar_look(arg, &view);
	return view.connected && view.nr_running == NR_RINGS;
}

static void check_served(struct liar *l)
{
	CHECK(flow_wait_until(is_served, l, WAIT_MS));
}

static bool has_lied(void *arg)
{
	liar_look(arg, &view);
	return view.misdeeds != 0;
}

static bool is_left(void *arg)
{
	liar_look(arg, &view);
	return !view.connected;
}

static unsigned int connections;

static bool has_hung_up(void *arg)
{
	liar_look(arg, &view);
	return !view.connected || view.connections != connections;
}

/* Who comes back at once is a new one. */
static void hang_up(struct liar *l)
{
	liar_look(l, &view);
	connections = view.connections;
	liar_hang_up(l);
	CHECK(flow_wait_until(has_hung_up, l, WAIT_MS));
}

static void guest_comes(void)
{
	for (unsigned int i = 0; i < fe.nr_vqs; i++)
		guest_ring_reset(&fe.vqs[i], 0);
	fe.use_ack = false;
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, &config), 0);
	fe.use_ack = true;
	CHECK_EQ(fe_sync(&fe), 0);
}

static void guest_goes(void)
{
	fe_disconnect(&fe);
	for (unsigned int i = 0; i < RTE_DIM(liars); i++)
		CHECK(flow_wait_until(is_left, &liars[i], WAIT_MS));
}

/* --- what is asked ------------------------------------------------------------------ */

#define USUAL \
	(1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK | 1u << FE_PROTOCOL_F_INFLIGHT_SHMFD)

struct question {
	uint32_t request;
	bool of_each_ring;
	bool at_first; /* not when it goes on with a guest that it had */
	uint64_t more; /* offered for this one to be asked */
};

static const struct question about_itself[] = {
	{ .request = FE_GET_FEATURES },
	{ .request = FE_GET_PROTOCOL_FEATURES },
	{ .request = FE_GET_QUEUE_NUM },
};

static const struct question about_a_guest[] = {
	{ .request = FE_GET_FEATURES },
	{ .request = FE_GET_PROTOCOL_FEATURES },
	{ .request = FE_SET_FEATURES },
	{ .request = FE_SET_MEM_TABLE },
	{ .request = FE_GET_MAX_MEM_SLOTS, .more = 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS },
	{ .request = FE_ADD_MEM_REG, .more = 1u << FE_PROTOCOL_F_CONFIGURE_MEM_SLOTS },
	{ .request = FE_GET_INFLIGHT_FD, .at_first = true },
	{ .request = FE_SET_INFLIGHT_FD },
	{ .request = FE_SET_VRING_NUM, .of_each_ring = true },
	{ .request = FE_SET_VRING_BASE, .of_each_ring = true },
	{ .request = FE_SET_VRING_ADDR, .of_each_ring = true },
	{ .request = FE_SET_VRING_CALL, .of_each_ring = true },
	{ .request = FE_SET_VRING_KICK, .of_each_ring = true },
	{ .request = FE_SET_VRING_ENABLE, .of_each_ring = true },
};

static void lie(struct liar *l, enum liar_misdeed misdeed, const struct question *q)
{
	static unsigned int serial;

	fprintf(stderr, "# %s at request %u\n", liar_misdeeds[misdeed], q->request);
	liar_offers(l, USUAL | q->more);
	liar_does(l, misdeed, q->request, q->of_each_ring ? serial++ % NR_RINGS : 0);
}

/* These take their time: not at each question. */
static bool takes_long(enum liar_misdeed misdeed)
{
	return misdeed == LIAR_IS_SILENT || misdeed == LIAR_IS_SLOW;
}

/* Those that are long once, the others at each third question; at each in the soak. */
static bool is_due(enum liar_misdeed misdeed, unsigned int i)
{
	if (takes_long(misdeed))
		return i == 0;
	return (misdeed + i) % 3 == 1 || getenv("VHOST_NG_SOAK") != NULL;
}

#define FOR_EACH_LIE(misdeed, i, questions)                                                    \
	for (enum liar_misdeed misdeed = LIAR_IS_HONEST + 1; misdeed < LIAR_MISDEEDS; misdeed++) \
		for (unsigned int i = 0; i < RTE_DIM(questions); i++)                          \
			if (is_due(misdeed, i))

/* Whoever waits for it need not wait any longer. */
static void be_honest(struct liar *l, enum liar_misdeed was)
{
	liar_does(l, LIAR_IS_HONEST, 0, 0);
	if (takes_long(was))
		liar_hang_up(l);
}

static const struct question about_a_ring = { .request = FE_GET_VRING_BASE };

/* At the next of them, but for so many. */
static void lie_at_ring(struct liar *l, enum liar_misdeed misdeed, unsigned int skip)
{
	lie(l, misdeed, &about_a_ring);
	liar_does(l, misdeed, about_a_ring.request, skip);
}

/* The device is made, or it is not. */
static void at_the_beginning(void)
{
	unsigned int nr_made = 0, nr_not = 0;

	begin();
	FOR_EACH_LIE(misdeed, i, about_itself) {
		lie(&liars[0], misdeed, &about_itself[i]);
		if (plug() == 0)
			nr_made++;
		else
			nr_not++;
		CHECK(has_lied(&liars[0]));
		unplug();
		CHECK(flow_wait_until(is_left, &liars[0], WAIT_MS));
	}
	fprintf(tap.out, "# %u times there was a device, %u times there was none\n", nr_made, nr_not);
	CHECK(nr_made != 0 && nr_not != 0);
	liar_does(&liars[0], LIAR_IS_HONEST, 0, 0);
	serve();
	guest_comes();
	check_served(&liars[0]);
	end();
}

static void when_a_guest_comes(void)
{
	unsigned int nr_lies = 0;

	begin();
	serve();
	FOR_EACH_LIE(misdeed, i, about_a_guest) {
		lie(&liars[0], misdeed, &about_a_guest[i]);
		guest_comes();
		CHECK(flow_wait_until(has_lied, &liars[0], WAIT_MS));
		nr_lies += view.misdeeds;
		be_honest(&liars[0], misdeed);
		check_served(&liars[0]);
		guest_goes();
	}
	fprintf(tap.out, "# %u lies\n", nr_lies);
	end();
}

/* No message has to remind us that there is a guest. */
static void when_there_is_nobody(void)
{
	begin();
	serve();
	liar_stop(&liars[0]);
	guest_comes();
	CHECK_EQ(liar_start(&liars[0]), 0);
	check_served(&liars[0]);
	/* And nobody to take it from. */
	liar_stop(&liars[0]);
	CHECK_EQ(fe_get_vring_base(&fe, 0, NULL), 0);
	CHECK_EQ(liar_start(&liars[0]), 0);
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	check_served(&liars[0]);
	end();
}

/* --- rings that have been used ------------------------------------------------------------ */

/* What the backend has used so far. */
static void use_up_to(uint16_t n)
{
	for (unsigned int i = 0; i < NR_RINGS; i++)
		fe.vqs[i].used[1] = n;
}

/* All of it from where it stood. */
static void check_bases(uint32_t base)
{
	for (unsigned int i = 0; i < NR_RINGS; i++)
		CHECK_EQ(view.rings[i].base, base);
}

/* Whoever comes back need not be whom we knew. */
static void when_it_comes_back(void)
{
	unsigned int nr_lies = 0;
	uint16_t used = 0;

	begin();
	serve();
	guest_comes();
	check_served(&liars[0]);
	FOR_EACH_LIE(misdeed, i, about_a_guest) {
		if (about_a_guest[i].at_first)
			continue;
		use_up_to(used += 3);
		lie(&liars[0], misdeed, &about_a_guest[i]);
		liar_hang_up(&liars[0]);
		CHECK(flow_wait_until(has_lied, &liars[0], WAIT_MS));
		CHECK_EQ(fe_set_vring_enable(&fe, i % NR_RINGS, false), 0);
		CHECK_EQ(fe_set_vring_enable(&fe, i % NR_RINGS, true), 0);
		nr_lies += view.misdeeds;
		liar_does(&liars[0], LIAR_IS_HONEST, 0, 0);
		/* A lie may have been taken for the truth. */
		hang_up(&liars[0]);
		check_served(&liars[0]);
		check_bases(used);
	}
	fprintf(tap.out, "# %u lies\n", nr_lies);
	end();
}

/* Where it says that a ring stands is believed, or where the ring itself does. */
static void when_the_guest_stops(void)
{
	begin();
	serve();
	for (enum liar_misdeed misdeed = LIAR_IS_HONEST; misdeed < LIAR_MISDEEDS; misdeed++)
		for (unsigned int skip = 0; skip < NR_RINGS; skip++) {
			uint32_t base = 0;

			if (takes_long(misdeed) && skip != 1)
				continue;
			guest_comes();
			check_served(&liars[0]);
			use_up_to(5);
			lie_at_ring(&liars[0], misdeed, skip);
			for (unsigned int i = 0; i < NR_RINGS; i++) {
				CHECK_EQ(fe_get_vring_base(&fe, i, &base), 0);
				CHECK(base == 0 || base == 5);
				if (misdeed != LIAR_IS_HONEST && misdeed != LIAR_ADDS_FDS &&
				    misdeed != LIAR_OTHER_FD && misdeed != LIAR_FLOODS &&
				    misdeed != LIAR_ANSWERS_TWICE && i >= skip)
					CHECK_EQ(base, 5);
			}
			liar_does(&liars[0], LIAR_IS_HONEST, 0, 0);
			for (unsigned int i = 0; i < NR_RINGS; i++)
				CHECK_EQ(fe_start_vring(&fe, i), 0);
			check_served(&liars[0]);
			guest_goes();
		}
	end();
}

/* --- moves ------------------------------------------------------------------------------------ */

/* At one of them, whichever; the other one is left alone. */
static unsigned int check_served_by_one(int moved)
{
	unsigned int which = moved == 0;

	for (unsigned int i = 0; i < 2; i++)
		liar_does(&liars[i], LIAR_IS_HONEST, 0, 0);
	check_served(&liars[which]);
	CHECK(flow_wait_until(is_left, &liars[1 - which], WAIT_MS));
	return which;
}

static void move_back(unsigned int from)
{
	if (from == 1)
		CHECK_EQ(vdpa_relay_move(DEVICE, liar_paths[0]), 0);
	check_served(&liars[0]);
}

static void when_it_is_moved(void)
{
	unsigned int nr_moved = 0, nr_not = 0;

	begin();
	serve();
	guest_comes();
	check_served(&liars[0]);
	/* The new one lies. */
	FOR_EACH_LIE(misdeed, i, about_a_guest) {
		int ret;

		lie(&liars[1], misdeed, &about_a_guest[i]);
		ret = vdpa_relay_move(DEVICE, liar_paths[1]);
		CHECK(has_lied(&liars[1]));
		/* It would be read from when that one is gone. */
		if (misdeed == LIAR_OTHER_FD && about_a_guest[i].request == FE_GET_INFLIGHT_FD)
			CHECK(ret < 0);
		nr_moved += ret == 0;
		nr_not += ret != 0;
		if (ret == 0) {
			/* It took a lie for the truth. */
			liar_does(&liars[1], LIAR_IS_HONEST, 0, 0);
			hang_up(&liars[1]);
		}
		move_back(check_served_by_one(ret));
	}
	/* The old one does. */
	for (enum liar_misdeed misdeed = LIAR_IS_HONEST + 1; misdeed < LIAR_MISDEEDS; misdeed++)
		for (unsigned int skip = 0; skip < NR_RINGS; skip++) {
			int ret;

			if (takes_long(misdeed) && skip != 1)
				continue;
			lie_at_ring(&liars[0], misdeed, skip);
			ret = vdpa_relay_move(DEVICE, liar_paths[1]);
			CHECK(has_lied(&liars[0]));
			nr_moved += ret == 0;
			nr_not += ret != 0;
			move_back(check_served_by_one(ret));
		}
	fprintf(tap.out, "# %u times it was moved, %u times it was not\n", nr_moved, nr_not);
	CHECK(nr_moved != 0 && nr_not != 0);
	end();
}

/* --- what others feel of it ------------------------------------------------------------------ */

#define MESSAGES 500

/* Sends that many and waits for their answers. */
static void say_much(unsigned int n)
{
	struct fe_msg reply;

	for (unsigned int i = 0; i < n; i++)
		CHECK_EQ(fe_send(&fe, FE_GET_FEATURES, FE_FLAG_VERSION, NULL, 0, NULL, 0), 0);
	for (unsigned int i = 0; i < n; i++)
		CHECK_EQ(fe_recv(&fe, &reply), 0);
}

static unsigned int nr_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

/* A frontend that goes on talking does not make us fill the log. */
static void refused_all_the_time(void)
{
	const uint64_t since_us = flow_now_us();
	unsigned int lines;

	begin();
	serve();
	liar_does(&liars[0], LIAR_REFUSES, FE_SET_FEATURES, 0);
	flow_listen();
	guest_comes();
	say_much(MESSAGES);
	CHECK(flow_wait_until(has_lied, &liars[0], WAIT_MS));
	lines = nr_lines(flow_heard());
	flow_listen_no_more();
	fprintf(tap.out, "# %u lines\n", lines);
	/* Three that write at most ten a second: library, device, frontend's connection. */
	CHECK(lines <= 30 * ((flow_now_us() - since_us) / 1000000 + 2));
	liar_does(&liars[0], LIAR_IS_HONEST, 0, 0);
	check_served(&liars[0]);
	end();
}

/* Nor does it make others wait for a backend that does not answer. */
static void silent_all_the_time(void)
{
	begin();
	serve();
	liar_does(&liars[0], LIAR_IS_SILENT, 0, 0);
	guest_comes();
	say_much(MESSAGES);
	CHECK(bystander_unharmed());
	liar_does(&liars[0], LIAR_IS_HONEST, 0, 0);
	check_served(&liars[0]);
	/* One that takes its time, each time. */
	liar_does(&liars[0], LIAR_IS_SLOW, 0, 0);
	CHECK_EQ(fe_get_vring_base(&fe, 0, NULL), 0);
	CHECK(bystander_unharmed());
	liar_does(&liars[0], LIAR_IS_HONEST, 0, 0);
	CHECK_EQ(fe_start_vring(&fe, 0), 0);
	check_served(&liars[0]);
	end();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "lies at the beginning", at_the_beginning },
		{ "lies when a guest comes", when_a_guest_comes },
		{ "no backend when a guest comes", when_there_is_nobody },
		{ "lies when the backend comes back", when_it_comes_back },
		{ "lies when the guest stops", when_the_guest_stops },
		{ "lies when the device is moved", when_it_is_moved },
		{ "a backend that refuses all the time", refused_all_the_time },
		{ "a backend that is silent all the time", silent_all_the_time },
	};
	int rc;

	tap_begin();
	rig_init(argv[0], false);
	rc = tap_run(tests, RTE_DIM(tests), argc > 1 ? argv[1] : NULL, rig_before, take_down);
	rig_fini();
	return rc;
}
