/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server/endpoint.c: registering, listening, connecting and going on trying, and which files are
 * ours to remove. No EAL; frontends are bare sockets, which is all it takes to be a connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kit.h"
#include "server/endpoint.h"
#include "server/loop.h"

#define PATIENCE_MS 60000

static char dir[64], path[96];
static uint32_t opened, closed; /* atomic */
static int refuse;              /* new_connection() returns it; atomic */
static int from_callback;
static unsigned int fds_before;

static int on_new_connection(int vid)
{
	int answer = __atomic_load_n(&refuse, __ATOMIC_RELAXED);

	(void)vid;
	from_callback = endpoint_unregister(path);
	if (answer >= 0)
		__atomic_fetch_add(&opened, 1, __ATOMIC_RELEASE);
	return answer;
}

static void on_destroy_connection(int vid)
{
	(void)vid;
	__atomic_fetch_add(&closed, 1, __ATOMIC_RELEASE);
}

static struct driver_config config_of(uint64_t flags)
{
	return (struct driver_config){ .flags = flags,
				       .max_queue_pairs = 1,
				       .ops = { .new_connection = on_new_connection,
						.destroy_connection = on_destroy_connection } };
}

static void nothing(void *arg)
{
	(void)arg;
}

static int setup(void **state)
{
	(void)state;
	kit_capture_log();
	snprintf(dir, sizeof(dir), "%s/vhost-ng-endpoint-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/socket", dir);
	opened = closed = 0;
	refuse = 0;
	fds_before = kit_open_fds();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	endpoint_unregister(path);
	unlink(path);
	rmdir(dir);
	assert_int_equal(kit_open_fds(), fds_before);
	return 0;
}

/* The event thread's own descriptors stay: open them before anybody counts. */
static int group_setup(void **state)
{
	struct driver_config config = config_of(0);

	kit_capture_log();
	if (setup(state) != 0 || endpoint_register(path, &config) != 0 ||
	    endpoint_start(path) != 0 || endpoint_unregister(path) != 0)
		return -1;
	return rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static uint32_t now(const uint32_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

static bool becomes(const uint32_t *counter, uint32_t want, int patience_ms)
{
	for (int i = 0; i < patience_ms; i++) {
		if (now(counter) == want)
			return true;
		usleep(1000);
	}
	return false;
}

/* The same, but gives up only after the loop, however late it is, has looked at its events. */
static bool becomes_soon(const uint32_t *counter, uint32_t want)
{
	for (int i = 0; i < 3; i++) {
		if (becomes(counter, want, 70))
			return true;
		loop_call(nothing, NULL);
	}
	return now(counter) == want;
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memcpy(addr.sun_path, path, strlen(path) + 1);
	return addr;
}

static int dial(void)
{
	struct sockaddr_un addr = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int listen_here(void)
{
	struct sockaddr_un addr = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void start(uint64_t flags)
{
	struct driver_config config = config_of(flags);

	assert_int_equal(endpoint_register(path, &config), 0);
	assert_int_equal(endpoint_start(path), 0);
}

/* --- the registry ------------------------------------------------------ */

static void registering(void **state)
{
	struct driver_config config = config_of(0);
	char long_path[DEVICE_NAME_BYTES + 1];

	(void)state;
	assert_int_equal(endpoint_start(path), -ENOENT);
	assert_int_equal(endpoint_unregister(path), -ENOENT);
	assert_int_equal(endpoint_register(path, &config), 0);
	assert_int_equal(endpoint_register(path, &config), -EEXIST);
	assert_int_equal(access(path, F_OK), -1); /* no file yet */
	assert_int_equal(endpoint_unregister(path), 0);
	assert_int_equal(endpoint_unregister(path), -ENOENT);
	memset(long_path, 'x', sizeof(long_path));
	long_path[DEVICE_NAME_BYTES] = '\0';
	assert_int_equal(endpoint_register(long_path, &config), -ENAMETOOLONG);
	long_path[DEVICE_NAME_BYTES - 1] = '\0'; /* the longest there is */
	assert_int_equal(endpoint_register(long_path, &config), 0);
	assert_int_equal(endpoint_unregister(long_path), 0);
}

static void as_many_as_there_may_be(void **state)
{
	struct driver_config config = config_of(0);
	char name[32];

	(void)state;
	for (unsigned int i = 0; i <= ENDPOINTS_MAX; i++) {
		snprintf(name, sizeof(name), "many-%u", i);
		assert_int_equal(endpoint_register(name, &config), i < ENDPOINTS_MAX ? 0 : -ENOSPC);
	}
	for (unsigned int i = 0; i < ENDPOINTS_MAX; i++) {
		snprintf(name, sizeof(name), "many-%u", i);
		assert_int_equal(endpoint_unregister(name), 0);
	}
}

static int set_flags(struct driver_config *config, void *arg)
{
	config->flags = *(uint64_t *)arg;
	return 42;
}

static void config_is_a_copy(void **state)
{
	struct driver_config config = config_of(0);
	uint64_t flags = 7;

	(void)state;
	assert_int_equal(endpoint_with_config(path, set_flags, &flags), -ENOENT);
	assert_int_equal(endpoint_register(path, &config), 0);
	assert_int_equal(endpoint_with_config(path, set_flags, &flags), 42);
	assert_int_equal(config.flags, 0);
}

/* --- listening --------------------------------------------------------- */

static void several_frontends_on_one_path(void **state)
{
	unsigned int open;
	int fd[5];

	(void)state;
	start(0);
	assert_int_equal(endpoint_start(path), -EALREADY);
	open = kit_open_fds();
	for (unsigned int i = 0; i < 5; i++) {
		fd[i] = dial();
		assert_true(fd[i] >= 0);
	}
	assert_true(becomes(&opened, 5, PATIENCE_MS));
	assert_int_equal(from_callback, -EDEADLK);
	close(fd[2]);
	assert_true(becomes(&closed, 1, PATIENCE_MS));
	/* The rest goes with the path. */
	assert_int_equal(endpoint_unregister(path), 0);
	assert_int_equal(now(&closed), 5);
	assert_int_equal(access(path, F_OK), -1);
	for (unsigned int i = 0; i < 5; i++) {
		char byte;

		if (i == 2)
			continue;
		assert_int_equal(read(fd[i], &byte, 1), 0); /* hung up on */
		close(fd[i]);
	}
	assert_int_equal(kit_open_fds(), open - 1);
}

static void refused_by_the_application(void **state)
{
	char byte;
	int fd;

	(void)state;
	__atomic_store_n(&refuse, -1, __ATOMIC_RELAXED);
	start(0);
	fd = dial();
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	assert_int_equal(now(&opened), 0);
	assert_int_equal(now(&closed), 0);
}

static void a_stale_socket_is_replaced(void **state)
{
	int fd;

	(void)state;
	close(listen_here()); /* a process that died: the file stays */
	assert_int_equal(access(path, F_OK), 0);
	start(0);
	fd = dial();
	assert_true(fd >= 0);
	assert_true(becomes(&opened, 1, PATIENCE_MS));
	close(fd);
}

static void another_process_is_left_alone(void **state)
{
	struct driver_config config = config_of(0);
	int listener = listen_here(), fd;

	(void)state;
	assert_int_equal(endpoint_register(path, &config), 0);
	assert_int_equal(endpoint_start(path), -EADDRINUSE);
	assert_int_equal(endpoint_unregister(path), 0);
	fd = dial();
	assert_true(fd >= 0);
	close(fd);
	close(listener);
}

static void a_file_is_left_alone(void **state)
{
	struct driver_config config = config_of(0);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(endpoint_register(path, &config), 0);
	assert_int_equal(endpoint_start(path), -EEXIST);
	assert_int_equal(endpoint_unregister(path), 0);
	assert_int_equal(access(path, F_OK), 0);
}

/* Somebody replaced our socket's file by his own: not ours to remove. */
static void a_file_that_came_later_is_left_alone(void **state)
{
	int listener, fd;

	(void)state;
	start(0);
	assert_int_equal(unlink(path), 0);
	listener = listen_here();
	assert_int_equal(endpoint_unregister(path), 0);
	fd = dial();
	assert_true(fd >= 0);
	close(fd);
	close(listener);
}

static void nowhere_to_listen(void **state)
{
	struct driver_config config = config_of(0);

	(void)state;
	assert_int_equal(endpoint_register("/nonexistent/dir/socket", &config), 0);
	assert_int_equal(endpoint_start("/nonexistent/dir/socket"), -ENOENT);
	/* It can be tried again, and given up. */
	assert_int_equal(endpoint_start("/nonexistent/dir/socket"), -ENOENT);
	assert_int_equal(endpoint_unregister("/nonexistent/dir/socket"), 0);
}

/* Out of descriptors: nobody spins, and serving goes on when there are some again. */
static void out_of_descriptors(void **state)
{
	struct sockaddr_un addr = address();
	struct rlimit limit, low;
	int fd, other;

	(void)state;
	start(0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	low = limit;
	low.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	usleep(LOOP_TICK_MS * 1000 * 3 / 2);
	assert_int_equal(now(&opened), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(becomes(&opened, 1, PATIENCE_MS));
	other = dial();
	assert_true(becomes(&opened, 2, PATIENCE_MS));
	close(fd);
	close(other);
}

/* A frontend that connects without end gets some devices, not all there are. */
static void no_path_takes_all_devices(void **state)
{
	uint32_t taken = 0;
	int fd[DEVICES_MAX];

	(void)state;
	start(0);
	for (;;) {
		char byte;

		assert_true(taken < DEVICES_MAX / 2);
		fd[taken] = dial();
		assert_true(fd[taken] >= 0);
		if (!becomes_soon(&opened, taken + 1))
			break;
		assert_int_equal(recv(fd[taken], &byte, 1, MSG_DONTWAIT), -1); /* kept */
		taken++;
	}
	close(fd[taken]);
	/* Room again as soon as one goes. */
	close(fd[0]);
	assert_true(becomes(&closed, 1, PATIENCE_MS));
	fd[0] = dial();
	assert_true(becomes(&opened, taken + 1, PATIENCE_MS));
	for (uint32_t i = 0; i < taken; i++)
		close(fd[i]);
}

/* --- connecting -------------------------------------------------------- */

static void client_waits_for_its_frontend(void **state)
{
	int listener, fd;

	(void)state;
	start(RTE_VHOST_USER_CLIENT);
	assert_int_equal(now(&opened), 0);
	usleep(LOOP_TICK_MS * 1000);
	listener = listen_here();
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_true(becomes(&opened, 1, PATIENCE_MS));
	/* The frontend restarts. */
	close(fd);
	close(listener);
	assert_true(becomes(&closed, 1, PATIENCE_MS));
	unlink(path);
	listener = listen_here();
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_true(becomes(&opened, 2, PATIENCE_MS));
	/* Unregistered, it does not come back, and the file is the frontend's. */
	assert_int_equal(endpoint_unregister(path), 0);
	assert_int_equal(now(&closed), 2);
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
	assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	usleep(LOOP_TICK_MS * 1000 * 3 / 2);
	assert_int_equal(accept(listener, NULL, NULL), -1);
	close(listener);
}

static void client_connects_at_once(void **state)
{
	int listener = listen_here(), fd;

	(void)state;
	start(RTE_VHOST_USER_CLIENT);
	assert_int_equal(now(&opened), 1);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	close(fd);
	close(listener);
}

static void client_without_reconnect(void **state)
{
	struct driver_config config =
		config_of(RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT);
	int listener, fd;

	(void)state;
	assert_int_equal(endpoint_register(path, &config), 0);
	assert_true(endpoint_start(path) < 0);
	listener = listen_here();
	assert_int_equal(endpoint_start(path), 0);
	fd = accept(listener, NULL, NULL);
	assert_true(becomes(&opened, 1, PATIENCE_MS));
	close(fd);
	assert_true(becomes(&closed, 1, PATIENCE_MS));
	usleep(LOOP_TICK_MS * 1000 * 3 / 2);
	assert_int_equal(now(&opened), 1);
	close(listener);
}

static void client_refused_by_the_application_tries_again(void **state)
{
	int listener = listen_here(), fd;

	(void)state;
	__atomic_store_n(&refuse, -1, __ATOMIC_RELAXED);
	start(RTE_VHOST_USER_CLIENT);
	fd = accept(listener, NULL, NULL);
	close(fd);
	__atomic_store_n(&refuse, 0, __ATOMIC_RELAXED);
	assert_true(becomes(&opened, 1, PATIENCE_MS));
	close(listener);
}

/* --- all at once ------------------------------------------------------- */

static uint32_t stop;

static void *dial_and_hang_up(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&stop, __ATOMIC_RELAXED) == 0) {
		int fd = dial();

		if (fd >= 0)
			close(fd);
		sched_yield();
	}
	return NULL;
}

static void frontends_come_while_the_path_goes(void **state)
{
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, dial_and_hang_up, NULL), 0);
	for (unsigned int i = 0; i < 100; i++) {
		start(0);
		if (i % 4 != 0)
			usleep(kit_random_below(1000));
		assert_int_equal(endpoint_unregister(path), 0);
		/* Nothing of it is left when unregister returns. */
		assert_int_equal(now(&opened), now(&closed));
		assert_int_equal(access(path, F_OK), -1);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_true(now(&opened) > 0);
	loop_call(nothing, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registering),
		TEST(as_many_as_there_may_be),
		TEST(config_is_a_copy),
		TEST(several_frontends_on_one_path),
		TEST(refused_by_the_application),
		TEST(a_stale_socket_is_replaced),
		TEST(another_process_is_left_alone),
		TEST(a_file_is_left_alone),
		TEST(a_file_that_came_later_is_left_alone),
		TEST(nowhere_to_listen),
		TEST(out_of_descriptors),
		TEST(no_path_takes_all_devices),
		TEST(client_waits_for_its_frontend),
		TEST(client_connects_at_once),
		TEST(client_without_reconnect),
		TEST(client_refused_by_the_application_tries_again),
		TEST(frontends_come_while_the_path_goes),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
