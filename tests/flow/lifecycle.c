/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drivers and sockets: register, start, unregister, what is on the path already, several frontends,
 * client mode with retry and reconnect.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow_main.h"

static const struct fe_config plain = {
	.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
	.ring_size = 64,
};

static bool
exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void
register_start_unregister(void)
{
	const char *path = flow_path();

	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK(!exists(path));
	CHECK_EQ(rte_vhost_driver_start(path), 0);
	CHECK(exists(path));
	CHECK_EQ(rte_vhost_driver_start(path), -1);
	CHECK(exists(path));
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	CHECK(!exists(path));
	CHECK_EQ(rte_vhost_driver_unregister(path), -1);
}

static void
same_path_again_and_again(void)
{
	const char *path = flow_path();

	for (int i = 0; i < 20; i++) {
		CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
		CHECK_EQ(rte_vhost_driver_start(path), 0);
		CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	}
}

/* Difference: the stock library accepts a second registration of a path. */
static void
register_twice_is_refused(void)
{
	const char *path = flow_path();

	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK_EQ(rte_vhost_driver_register(path, 0), is_stock ? 0 : -1);
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	CHECK_EQ(rte_vhost_driver_unregister(path), is_stock ? 0 : -1);
}

static void
unknown_paths_are_refused(void)
{
	static const char unknown[] = "/nonexistent/vhost.sock";
	uint64_t features;
	uint32_t queues;

	CHECK_EQ(rte_vhost_driver_register(NULL, 0), -1);
	CHECK_EQ(rte_vhost_driver_unregister(NULL), -1);
	CHECK_EQ(rte_vhost_driver_unregister(unknown), -1);
	CHECK_EQ(rte_vhost_driver_start(unknown), -1);
	CHECK_EQ(rte_vhost_driver_callback_register(unknown, &rec_ops), -1);
	CHECK_EQ(rte_vhost_driver_get_features(unknown, &features), -1);
	CHECK_EQ(rte_vhost_driver_set_features(unknown, 0), -1);
	CHECK_EQ(rte_vhost_driver_enable_features(unknown, 0), -1);
	CHECK_EQ(rte_vhost_driver_disable_features(unknown, 0), -1);
	CHECK_EQ(rte_vhost_driver_get_protocol_features(unknown, &features), -1);
	CHECK_EQ(rte_vhost_driver_set_protocol_features(unknown, 0), -1);
	CHECK_EQ(rte_vhost_driver_get_queue_num(unknown, &queues), -1);
}

static void
missing_directory_fails_start(void)
{
	static const char path[] = "/nonexistent/vhost.sock";

	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK_EQ(rte_vhost_driver_start(path), -1);
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
}

/* Difference: the stock library cuts the path off and starts somewhere else. */
static void
too_long_path_is_refused(void)
{
	char path[300];
	int registered;

	if (is_stock)
		tap_skip("the stock library truncates the path");
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	registered = rte_vhost_driver_register(path, 0);
	if (registered == 0) {
		CHECK_EQ(rte_vhost_driver_start(path), -1);
		CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	}
}

/* Difference: a socket file nobody listens on is replaced; the stock library refuses it. */
static void
dead_socket_file_is_replaced(void)
{
	const char *path = flow_path();
	struct frontend fe;

	close(fe_listen(path));
	CHECK(exists(path));
	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK_EQ(rte_vhost_driver_start(path), is_stock ? -1 : 0);
	if (!is_stock) {
		fe_init(&fe);
		CHECK_EQ(fe_connect(&fe, path), 0);
		CHECK_EQ(fe_sync(&fe), 0);
		fe_close(&fe);
	}
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	CHECK(!exists(path));
}

/* Difference: after the refused start the stock library's unregister removes the other's socket. */
static void
live_socket_is_left_alone(void)
{
	const char *path = flow_path();
	int listener = fe_listen(path);
	struct frontend fe, peer;

	CHECK(listener >= 0);
	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK_EQ(rte_vhost_driver_start(path), -1);
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	CHECK_EQ(exists(path), !is_stock);
	if (!is_stock) {
		/* The probe for life may have left a connection or not; ours must get through. */
		fe_init(&fe);
		fe_init(&peer);
		CHECK_EQ(fe_connect(&fe, path), 0);
		CHECK_EQ(fe_accept(&peer, listener), 0);
		fe_close(&fe);
		fe_close(&peer);
	}
	close(listener);
	unlink(path);
}

/* Difference: the stock library's unregister deletes whatever file is on the path. */
static void
regular_file_is_left_alone(void)
{
	const char *path = flow_path();
	FILE *file = fopen(path, "w");

	CHECK(file != NULL);
	fputs("precious\n", file);
	fclose(file);
	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK_EQ(rte_vhost_driver_start(path), -1);
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	CHECK_EQ(exists(path), !is_stock);
	unlink(path);
}

static void
socket_permissions_follow_umask(void)
{
	const char *path = flow_path();
	mode_t old = umask(0027);
	struct stat st;

	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK_EQ(rte_vhost_driver_start(path), 0);
	umask(old);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0750);
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
}

static void
two_frontends_on_one_path(void)
{
	const char *path;
	struct frontend a, b;
	int vid_a, vid_b;

	rec_reset();
	path = flow_serve(0);
	fe_init(&a);
	fe_init(&b);
	CHECK_EQ(fe_connect(&a, path), 0);
	CHECK_EQ(fe_setup(&a, &plain), 0);
	vid_a = rec_vid();
	CHECK_EQ(fe_connect(&b, path), 0);
	CHECK_EQ(fe_setup(&b, &plain), 0);
	vid_b = rec_vid();
	CHECK(vid_a != vid_b);
	CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev +conn q0=1 q1=1 +dev");
	rec_reset();
	fe_close(&a);
	CHECK(rec_wait("-dev -conn"));
	CHECK_EQ(rec_vid(), vid_a);
	CHECK_EQ(fe_sync(&b), 0);
	CHECK_EQ(rte_vhost_get_vring_num(vid_b), 2);
	CHECK_EQ(rte_vhost_get_vring_num(vid_a), 0);
	fe_close(&b);
	CHECK(rec_wait("-dev -conn -dev -conn"));
	flow_unserve(path);
}

/* Difference: the stock library calls destroy_device but not destroy_connection here. */
static void
unregister_with_live_connection(void)
{
	const char *path;
	struct frontend fe;

	rec_reset();
	path = flow_serve(0);
	fe_init(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, &plain), 0);
	rec_reset();
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	CHECK_STR(rec_text(), is_stock ? "-dev" : "-dev -conn");
	CHECK(fe_closed_by_backend(&fe, 20000));
	CHECK(!exists(path));
	fe_close(&fe);
}

static void
many_drivers_at_once(void)
{
	enum { NR = 32 };
	char paths[NR][128];
	static struct frontend fes[NR];

	for (int i = 0; i < NR; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s", flow_path());
		CHECK_EQ(rte_vhost_driver_register(paths[i], 0), 0);
		CHECK_EQ(rte_vhost_driver_callback_register(paths[i], &rec_ops), 0);
		CHECK_EQ(rte_vhost_driver_start(paths[i]), 0);
	}
	rec_reset();
	for (int i = 0; i < NR; i++) {
		char name[128];

		fe_init(&fes[i]);
		CHECK_EQ(fe_connect(&fes[i], paths[i]), 0);
		CHECK_EQ(fe_sync(&fes[i]), 0);
		CHECK_EQ(rte_vhost_get_ifname(rec_vid(), name, sizeof(name)), 0);
		CHECK_STR(name, paths[i]);
	}
	for (int i = 0; i < NR; i++)
		fe_close(&fes[i]);
	for (int i = 0; i < NR; i++)
		CHECK_EQ(rte_vhost_driver_unregister(paths[i]), 0);
}

static void
client_waits_for_frontend_and_reconnects(void)
{
	const char *path;
	struct frontend fe;
	int listener;

	rec_reset();
	path = flow_serve(RTE_VHOST_USER_CLIENT);
	CHECK(!exists(path));
	usleep(100000);
	CHECK_STR(rec_text(), "");
	for (int round = 0; round < 2; round++) {
		listener = fe_listen(path);
		CHECK(listener >= 0);
		fe_init(&fe);
		CHECK_EQ(fe_accept(&fe, listener), 0);
		CHECK_EQ(fe_setup(&fe, &plain), 0);
		CHECK_STR(rec_text(), "+conn q0=1 q1=1 +dev");
		close(listener);
		unlink(path);
		fe_close(&fe);
		CHECK(rec_wait("+conn q0=1 q1=1 +dev -dev -conn"));
		rec_reset();
	}
	/* Not while it keeps trying: see the next test. */
	listener = fe_listen(path);
	fe_init(&fe);
	CHECK_EQ(fe_accept(&fe, listener), 0);
	CHECK_EQ(fe_sync(&fe), 0);
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	fe_close(&fe);
	close(listener);
	CHECK(exists(path)); /* a client never removes the server's socket */
	unlink(path);
}

/* Nothing may connect later. The stock library may find a socket that is freed, and connect that. */
static void
client_unregistered_while_it_retries(void)
{
	const char *path;
	struct frontend fe;
	int listener;

	if (is_stock)
		tap_skip("the stock library may use what it has freed");
	path = flow_serve(RTE_VHOST_USER_CLIENT);
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	listener = fe_listen(path);
	fe_init(&fe);
	fe.timeout_ms = 1500;
	CHECK_EQ(fe_accept(&fe, listener), -ETIMEDOUT);
	close(listener);
	unlink(path);
}

static void
client_without_reconnect(void)
{
	const char *path = flow_path();
	const uint64_t flags = RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT;
	struct frontend fe;
	int listener;

	CHECK_EQ(rte_vhost_driver_register(path, flags), 0);
	CHECK_EQ(rte_vhost_driver_start(path), -1);
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);

	listener = fe_listen(path);
	CHECK(listener >= 0);
	CHECK_EQ(rte_vhost_driver_register(path, flags), 0);
	CHECK_EQ(rte_vhost_driver_callback_register(path, &rec_ops), 0);
	rec_reset();
	CHECK_EQ(rte_vhost_driver_start(path), 0);
	fe_init(&fe);
	CHECK_EQ(fe_accept(&fe, listener), 0);
	CHECK_EQ(fe_setup(&fe, &plain), 0);
	fe_close(&fe);
	CHECK(rec_wait("+conn q0=1 q1=1 +dev -dev -conn"));
	fe_init(&fe);
	fe.timeout_ms = 1500;
	CHECK_EQ(fe_accept(&fe, listener), -ETIMEDOUT);
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	CHECK(exists(path));
	close(listener);
	unlink(path);
}

static void
client_unregister_closes_connection(void)
{
	const char *path;
	struct frontend fe;
	int listener;

	path = flow_path();
	listener = fe_listen(path);
	CHECK_EQ(rte_vhost_driver_register(path, RTE_VHOST_USER_CLIENT), 0);
	CHECK_EQ(rte_vhost_driver_callback_register(path, &rec_ops), 0);
	rec_reset();
	CHECK_EQ(rte_vhost_driver_start(path), 0);
	fe_init(&fe);
	CHECK_EQ(fe_accept(&fe, listener), 0);
	CHECK_EQ(fe_setup(&fe, &plain), 0);
	rec_reset();
	CHECK_EQ(rte_vhost_driver_unregister(path), 0);
	CHECK_STR(rec_text(), is_stock ? "-dev" : "-dev -conn");
	CHECK(fe_closed_by_backend(&fe, 20000));
	fe_close(&fe);
	close(listener);
	unlink(path);
}

/* A frontend that connects, says half a word and leaves, a hundred times. */
static void
connections_that_say_little(void)
{
	const char *path;
	struct frontend fe;

	rec_reset();
	path = flow_serve(0);
	for (int i = 0; i < 100; i++) {
		fe_init(&fe);
		CHECK_EQ(fe_connect(&fe, path), 0);
		CHECK_EQ(fe_send_raw(&fe, "\1\0\0\0\1\0\0\0\0\0\0\0", (size_t)i % 12, NULL, 0), 0);
		fe_close(&fe);
	}
	fe_init(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_setup(&fe, &plain), 0);
	fe_close(&fe);
	CHECK(rec_wait_tail("-dev -conn"));
	flow_unserve(path);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(register_start_unregister),
		FLOW_TEST(same_path_again_and_again),
		FLOW_TEST(register_twice_is_refused),
		FLOW_TEST(unknown_paths_are_refused),
		FLOW_TEST(missing_directory_fails_start),
		FLOW_TEST(too_long_path_is_refused),
		FLOW_TEST(dead_socket_file_is_replaced),
		FLOW_TEST(live_socket_is_left_alone),
		FLOW_TEST(regular_file_is_left_alone),
		FLOW_TEST(socket_permissions_follow_umask),
		FLOW_TEST(two_frontends_on_one_path),
		FLOW_TEST(unregister_with_live_connection),
		FLOW_TEST(many_drivers_at_once),
		FLOW_TEST(client_waits_for_frontend_and_reconnects),
		FLOW_TEST(client_unregistered_while_it_retries),
		FLOW_TEST(client_without_reconnect),
		FLOW_TEST(client_unregister_closes_connection),
		FLOW_TEST(connections_that_say_little),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), NULL, flow_teardown);
}
