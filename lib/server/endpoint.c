/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "connection.h"
#include "endpoint.h"

#define LISTEN_BACKLOG 128
/* One path must not take all device ids from the others. */
#define CONNECTIONS_MAX 64

struct endpoint {
	char path[DEVICE_NAME_BYTES];
	struct driver_config config;
	LIST_ENTRY(endpoint) link;
	/* Loop thread from start on. */
	bool started;
	bool bound;      /* the socket file is ours */
	bool listening;  /* `listener` is in the loop */
	bool connecting; /* client: no connection, to be retried */
	dev_t socket_dev;
	ino_t socket_ino;
	struct loop_source listener;
	LIST_HEAD(, connection) connections;
	unsigned int nr_connections;
	struct log_budget log_budget; /* what connecting and hanging up may provoke */
};

static struct {
	pthread_mutex_t lock; /* the list, and config of its members */
	LIST_HEAD(, endpoint) list;
	unsigned int count;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool is_client(const struct endpoint *ep)
{
	return (ep->config.flags & RTE_VHOST_USER_CLIENT) != 0;
}

static const struct vdpa *attached(const struct endpoint *ep)
{
	return __atomic_load_n(&ep->config.vdpa, __ATOMIC_RELAXED);
}

static struct endpoint *find(const char *path)
{
	struct endpoint *ep;

	LIST_FOREACH(ep, &registry.list, link)
		if (strcmp(ep->path, path) == 0)
			return ep;
	return NULL;
}

static int open_socket(const char *path, struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(addr->sun_path, path, strlen(path) + 1);
	return fd < 0 ? -errno : fd;
}

static int connect_socket(const char *path)
{
	struct sockaddr_un addr;
	int fd = open_socket(path, &addr);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

/* --- connections ------------------------------------------------------- */

static void tick_update(void);

/* Guests that come by postcopy may make us wait for pages. */
static bool has_to_check(const struct endpoint *ep)
{
	return (ep->config.flags & RTE_VHOST_USER_POSTCOPY_SUPPORT) != 0 &&
	       !LIST_EMPTY(&ep->connections);
}

static void check(struct endpoint *ep)
{
	struct connection *conn, *next;

	for (conn = LIST_FIRST(&ep->connections); conn != NULL; conn = next) {
		next = LIST_NEXT(conn, link);
		connection_check(conn);
	}
}

static void connection_gone(struct connection *conn, void *owner)
{
	struct endpoint *ep = owner;

	LIST_REMOVE(conn, link);
	ep->nr_connections--;
	if (device_postcopy_failed(conn->dev)) {
		/* Each time would cost the other ports as much. */
		LOG_ERR("%s: takes no guest by postcopy any more", ep->path);
		__atomic_fetch_and(&ep->config.protocol_features,
				   ~BIT(VHOST_USER_PROTOCOL_F_PAGEFAULT), __ATOMIC_RELAXED);
	}
	if (is_client(ep) && (ep->config.flags & RTE_VHOST_USER_NO_RECONNECT) == 0) {
		/* Not at once: a frontend that hangs up on us would keep us busy. */
		ep->connecting = ep->started;
		tick_update();
	}
}

/*
 * A vDPA device serves one frontend at a time. One that has gone, which we have not come to hear
 * of yet, does not keep the next one out.
 */
static bool seat_is_free(struct endpoint *ep)
{
	struct connection *conn = LIST_FIRST(&ep->connections);
	struct pollfd pfd = { .events = POLLRDHUP };

	if (attached(ep) == NULL || conn == NULL)
		return true;
	pfd.fd = conn->source.fd;
	if (poll(&pfd, 1, 0) != 1)
		return false;
	connection_close(conn);
	return true;
}

static void adopt(struct endpoint *ep, int fd)
{
	struct connection *conn;

	if (!seat_is_free(ep)) {
		LOG_ERR("%s: a second frontend is turned away: its vDPA device serves one at a time",
			ep->path);
		close(fd);
		return;
	}
	if (ep->nr_connections == CONNECTIONS_MAX) {
		LOG_ERR("%s: has %d connections, no more are taken", ep->path, CONNECTIONS_MAX);
		close(fd);
		return;
	}
	conn = connection_open(fd, &ep->config, ep->path, &ep->log_budget, connection_gone, ep);
	if (conn != NULL) {
		LIST_INSERT_HEAD(&ep->connections, conn, link);
		ep->nr_connections++;
		if (has_to_check(ep))
			tick_update();
	}
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct endpoint *ep = CONTAINER_OF(source, struct endpoint, listener);
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct log_budget *outer = log_scope_enter(&ep->log_budget);

	(void)events;
	if (fd >= 0) {
		adopt(ep, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		LOG_ERR("%s: cannot accept a connection (error %d); trying again", ep->path,
			errno);
		loop_remove(source);
		ep->listening = false;
		tick_update();
	}
	log_scope_leave(outer);
}

/* --- waiting for better times ------------------------------------------ */

/* Our end of a client's socket; refused by the application it is offered again later. */
static void adopt_client(struct endpoint *ep, int fd)
{
	adopt(ep, fd);
	ep->connecting = LIST_EMPTY(&ep->connections) &&
			 (ep->config.flags & RTE_VHOST_USER_NO_RECONNECT) == 0;
}

static void try_connect(struct endpoint *ep)
{
	/* With nothing to serve a frontend it is not bothered. */
	int fd = attached(ep) == &vdpa_gone ? -ENODEV : connect_socket(ep->path);

	if (fd < 0)
		return;
	adopt_client(ep, fd);
}

static bool paused(const struct endpoint *ep)
{
	return ep->bound && !ep->listening;
}

static bool waits(const struct endpoint *ep)
{
	return ep->connecting || paused(ep);
}

static void tick_update(void)
{
	struct endpoint *ep;
	bool need = false;

	pthread_mutex_lock(&registry.lock);
	LIST_FOREACH(ep, &registry.list, link)
		need |= waits(ep) || has_to_check(ep);
	pthread_mutex_unlock(&registry.lock);
	loop_tick_enable(need);
}

/* The next endpoint that is `wanted`, after the first `skip` of them. */
static struct endpoint *next_of(bool (*wanted)(const struct endpoint *ep), unsigned int skip)
{
	struct endpoint *ep;

	pthread_mutex_lock(&registry.lock);
	LIST_FOREACH(ep, &registry.list, link)
		if (wanted(ep) && skip-- == 0)
			break;
	pthread_mutex_unlock(&registry.lock);
	return ep;
}

/*
 * Callbacks run unlocked and may register endpoints, so the list is looked up
 * anew each time; only this thread frees a started one.
 */
static void tick(void)
{
	struct endpoint *ep;
	unsigned int still = 0;

	for (unsigned int i = 0; (ep = next_of(has_to_check, i)) != NULL; i++)
		check(ep);
	while ((ep = next_of(waits, still)) != NULL) {
		if (ep->connecting) {
			try_connect(ep);
			still += ep->connecting;
		} else if (loop_add(&ep->listener, EPOLLIN) == 0) {
			ep->listening = true;
		} else {
			still++;
		}
	}
	tick_update();
}

/* --- start ------------------------------------------------------------- */

/* A socket file that nobody listens on was left by a process that died. */
static int remove_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		LOG_ERR("%s: exists and is no socket; remove it or choose another path", path);
		return -EEXIST;
	}
	fd = connect_socket(path);
	if (fd >= 0 || fd == -EAGAIN) {
		if (fd >= 0)
			close(fd);
		LOG_ERR("%s: another process listens on it", path);
		return -EADDRINUSE;
	}
	if (fd != -ECONNREFUSED)
		return fd;
	LOG_INFO("%s: removing a stale socket", path);
	return unlink(path) < 0 ? -errno : 0;
}

static int start_server(struct endpoint *ep)
{
	struct sockaddr_un addr;
	struct stat st;
	int ret = remove_stale(ep->path);
	int fd;

	if (ret < 0)
		return ret;
	fd = open_socket(ep->path, &addr);
	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	ep->listener = (struct loop_source){ .fd = fd, .ready = listener_ready };
	/* Remembered, so that only our own file is removed later. */
	if (lstat(ep->path, &st) == 0) {
		ep->socket_dev = st.st_dev;
		ep->socket_ino = st.st_ino;
	}
	ret = listen(fd, LISTEN_BACKLOG) < 0 ? -errno : loop_add(&ep->listener, EPOLLIN);
	if (ret < 0) {
		close(fd);
		unlink(ep->path);
		return ret;
	}
	ep->bound = true;
	ep->listening = true;
	return 0;
}

static int start_client(struct endpoint *ep)
{
	int fd = connect_socket(ep->path);

	if (fd >= 0) {
		adopt_client(ep, fd);
		tick_update();
		return 0;
	}
	if ((ep->config.flags & RTE_VHOST_USER_NO_RECONNECT) != 0)
		return fd;
	LOG_INFO("%s: no frontend there yet; trying until there is", ep->path);
	ep->connecting = true;
	tick_update();
	return 0;
}

struct start_job {
	const char *path;
	int ret;
};

static void start_on_loop(void *arg)
{
	struct start_job *job = arg;
	struct endpoint *ep;

	/* Looked up here: endpoints are freed on this thread only. */
	pthread_mutex_lock(&registry.lock);
	ep = find(job->path);
	pthread_mutex_unlock(&registry.lock);
	if (ep == NULL)
		job->ret = -ENOENT;
	else if (ep->started)
		job->ret = -EALREADY;
	if (job->ret < 0)
		return;
	ep->started = true;
	job->ret = is_client(ep) ? start_client(ep) : start_server(ep);
	if (job->ret < 0)
		ep->started = false;
}

int endpoint_start(const char *path)
{
	struct start_job job = { .path = path };
	bool known;

	pthread_mutex_lock(&registry.lock);
	known = find(path) != NULL;
	pthread_mutex_unlock(&registry.lock);
	if (!known)
		return -ENOENT;
	job.ret = loop_start(tick);
	if (job.ret < 0)
		return job.ret;
	loop_call(start_on_loop, &job);
	return job.ret;
}

/* --- the registry ------------------------------------------------------ */

int endpoint_register(const char *path, const struct driver_config *config)
{
	struct endpoint *ep;
	int ret = 0;

	if (strlen(path) >= sizeof(ep->path))
		return -ENAMETOOLONG;
	ep = calloc(1, sizeof(*ep));
	if (ep == NULL)
		return -ENOMEM;
	strcpy(ep->path, path);
	ep->config = *config;
	ep->listener.fd = -1;
	LIST_INIT(&ep->connections);

	pthread_mutex_lock(&registry.lock);
	if (find(path) != NULL)
		ret = -EEXIST;
	else if (registry.count == ENDPOINTS_MAX)
		ret = -ENOSPC;
	if (ret == 0) {
		LIST_INSERT_HEAD(&registry.list, ep, link);
		registry.count++;
	}
	pthread_mutex_unlock(&registry.lock);
	if (ret < 0)
		free(ep);
	return ret;
}

static void unlink_own_socket(const struct endpoint *ep)
{
	struct stat st;

	if (lstat(ep->path, &st) == 0 && st.st_dev == ep->socket_dev &&
	    st.st_ino == ep->socket_ino)
		unlink(ep->path);
}

static void stop_on_loop(void *arg)
{
	struct endpoint *ep = arg;
	struct connection *conn;

	ep->started = false; /* connections that go now are not replaced */
	ep->connecting = false;
	if (ep->bound) {
		if (ep->listening)
			loop_remove(&ep->listener);
		close(ep->listener.fd);
		unlink_own_socket(ep);
	}
	while ((conn = LIST_FIRST(&ep->connections)) != NULL)
		connection_close(conn);
	free(ep);
}

static void detach(struct endpoint *ep, const struct vdpa *vdpa)
{
	if (vdpa != NULL && attached(ep) == vdpa)
		__atomic_store_n(&ep->config.vdpa, &vdpa_gone, __ATOMIC_RELEASE);
}

int endpoint_unregister(const char *path)
{
	struct endpoint *ep;

	if (loop_is_self()) {
		LOG_ERR("%s: cannot be unregistered from a callback", path);
		return -EDEADLK;
	}
	pthread_mutex_lock(&registry.lock);
	ep = find(path);
	if (ep != NULL) {
		LIST_REMOVE(ep, link);
		registry.count--;
		/* Nobody finds it there who could say that its vDPA device goes. */
		detach(ep, ep->config.vdpa);
	}
	pthread_mutex_unlock(&registry.lock);
	if (ep == NULL)
		return -ENOENT;
	/* Gone from the list, so no tick and no start finds it any more. */
	loop_call(stop_on_loop, ep);
	return 0;
}

static void drop_vdpa_on_loop(void *arg)
{
	const struct vdpa *vdpa = arg;
	struct connection *conn;
	struct endpoint *ep;

	pthread_mutex_lock(&registry.lock);
	LIST_FOREACH(ep, &registry.list, link)
		detach(ep, vdpa);
	pthread_mutex_unlock(&registry.lock);
	while ((conn = connection_of_vdpa(vdpa)) != NULL) {
		LOG_WARN("%s: device %d: its vDPA device is removed, the connection closed",
			 conn->dev->ifname, conn->dev->vid);
		connection_close(conn);
	}
}

int endpoint_drop_vdpa(const struct vdpa *vdpa)
{
	const struct connection *conn = loop_is_self() ? connection_of_vdpa(vdpa) : NULL;

	if (conn != NULL) {
		LOG_ERR("%s: device %d: its vDPA device cannot be removed from a callback",
			conn->dev->ifname, conn->dev->vid);
		return -EDEADLK;
	}
	loop_call(drop_vdpa_on_loop, (void *)(uintptr_t)vdpa);
	return 0;
}

int endpoint_with_config(const char *path, int (*use)(struct driver_config *config, void *arg),
			 void *arg)
{
	struct endpoint *ep;
	int ret = -ENOENT;

	pthread_mutex_lock(&registry.lock);
	ep = find(path);
	if (ep != NULL)
		ret = use(&ep->config, arg);
	pthread_mutex_unlock(&registry.lock);
	return ret;
}
