/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "vhost_user/dispatch.h"

/* Messages taken from one connection before the others get a turn. */
#define MESSAGES_PER_TURN 16

static LIST_HEAD(, connection) all = LIST_HEAD_INITIALIZER(all);

/* --- queues that are switched off, or wait for others --------------------- */

/* Chains given back before others get a turn. */
#define DISCARDED_PER_TURN 256

static unsigned int waiting(const struct vq *vq)
{
	const struct ring *vr = &vq->ring;

	return vring_attached(vr) ? ring_waiting(vr->kind, vr, vr->last_avail) : 0;
}

/*
 * Has the frontend said nothing that we have not heard? A guest sends as soon as
 * its queue is on, which is once the message that says so is in the socket. So
 * if none is there now, what was in the ring before was sent while it was off.
 */
static bool has_heard_all(const struct connection *conn)
{
	uint8_t byte;

	return conn->codec.in_bytes == 0 &&
	       recv(conn->source.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* First the chains are counted, then the socket is asked; no more than those go. */
static void discard(struct kick_watch *watch)
{
	struct device *dev = watch->conn->dev;
	struct vq *vq = dev->vqs[watch->index];
	unsigned int n, left = DISCARDED_PER_TURN;

	watch->postponed = false;
	/* What comes between the last look and asking for a kick is seen by one more look. */
	while ((n = MIN2(vq_discardable(dev, vq), left)) != 0) {
		watch->postponed = !has_heard_all(watch->conn);
		if (watch->postponed || vq_discard(vq, n) == 0)
			return;
		left -= n;
	}
	/* Its translation comes with a message. */
	watch->postponed = !vring_attached(&vq->ring);
	if (watch->postponed && dev->iotlb != NULL)
		vhu_ask_for_queues(dev);
	if (left == 0)
		(void)eventfd_write(watch->source.fd, 1);
}

/* Between messages: what had to wait for one. */
static void discard_postponed(struct connection *conn)
{
	device_lock_watched(conn->dev);
	for (unsigned int i = 0; conn->nr_watches != 0 && i < DEVICE_VQS_MAX; i++)
		if (conn->watches[i] != NULL && conn->watches[i]->postponed)
			discard(conn->watches[i]);
	device_unlock_watched(conn->dev);
}

static void kicked(struct loop_source *source, uint32_t events)
{
	struct kick_watch *watch = CONTAINER_OF(source, struct kick_watch, source);
	struct device *dev = watch->conn->dev;
	struct vq *vq = dev->vqs[watch->index];

	(void)events;
	/* Edge-triggered: nobody else's wake-up is read away, and reading cannot block. */
	device_lock_watched(dev);
	if (device_vdpa_waits(dev)) {
		dev->vdpa_wanted = waiting(vq) != 0;
		device_reconcile_start(dev);
	} else if (vq_discards(dev, vq) && (!watch->unsure || waiting(vq) != watch->waited)) {
		discard(watch);
	}
	watch->unsure = false;
	device_unlock_watched(dev);
}

static void unwatch(struct connection *conn, unsigned int index)
{
	struct kick_watch *watch = conn->watches[index];

	loop_remove(&watch->source);
	close(watch->source.fd);
	free(watch);
	conn->watches[index] = NULL;
	conn->nr_watches--;
}

/*
 * Without one, the ring waits until it is switched on, or stopped; a vDPA device, until all queues
 * are ready.
 */
static void watch_kicks(struct connection *conn, struct vq *vq)
{
	struct kick_watch *watch = calloc(1, sizeof(*watch));
	struct pollfd pfd = { .events = POLLIN };

	if (watch == NULL)
		return;
	watch->source.fd = pfd.fd = fcntl(vq->kickfd, F_DUPFD_CLOEXEC, 0);
	watch->source.ready = kicked;
	watch->conn = conn;
	watch->serial = vq->kick_serial;
	watch->index = vq->index;
	/* First the count, then the look: what comes in between is seen by one of them. */
	watch->waited = waiting(vq);
	watch->unsure = vring_attached(&vq->ring) && pfd.fd >= 0 && poll(&pfd, 1, 0) == 1;
	if (pfd.fd < 0 || loop_add(&watch->source, EPOLLIN | EPOLLET) < 0) {
		if (pfd.fd >= 0)
			close(pfd.fd);
		free(watch);
		return;
	}
	conn->watches[vq->index] = watch;
	conn->nr_watches++;
}

/*
 * After a message: the queues whose packets are thrown away are those that are
 * watched, and those that may tell a vDPA device not to wait for others. What
 * stands in a ring when it is switched off waits for a kick, too: frontends that
 * switch a queue off and on to pause it lose nothing.
 */
static void watch_queues(struct connection *conn)
{
	struct device *dev = conn->dev;

	device_lock_watched(dev);
	for (unsigned int i = 0; i < DEVICE_VQS_MAX; i++) {
		struct vq *vq = i < dev->nr_vqs ? dev->vqs[i] : NULL;
		bool discards = vq != NULL && vq_discards(dev, vq);
		bool wanted = discards || (vq != NULL && vq->ready && vq->kickfd >= 0 &&
					   device_vdpa_waits(dev));
		bool postponed = conn->watches[i] != NULL && conn->watches[i]->postponed;

		if (conn->watches[i] != NULL &&
		    (!wanted || conn->watches[i]->serial != vq->kick_serial))
			unwatch(conn, i);
		if (wanted && conn->watches[i] == NULL)
			watch_kicks(conn, vq);
		/*
		 * Also after a message that attached the ring anew. A new ring asks by
		 * itself. Who comes while we ask, and does not kick, waits like those before.
		 */
		if (conn->watches[i] != NULL && discards && vring_attached(&vq->ring))
			ring_kick_behind(vq->ring.kind, &vq->ring);
		if (conn->watches[i] != NULL)
			conn->watches[i]->postponed = postponed;
		if (vq == NULL && conn->nr_watches == 0)
			break;
	}
	device_unlock_watched(dev);
}

/* One message, if it is whole: 1 handled, 0 wait, -errno give up. */
static int pump(struct connection *conn)
{
	struct vhu_msg reply;
	int ret = codec_recv(&conn->codec);

	if (ret <= 0)
		return ret;
	if (device_postcopy_failed(conn->dev))
		return -ETIMEDOUT;
	/* What is left of its memory is not the guest's any more. */
	if (device_memory_is_cut(conn->dev))
		return -EFAULT;
	ret = vhu_dispatch(conn->dev, &conn->codec.in, &conn->codec.fds, &reply);
	watch_queues(conn);
	if (ret == 1)
		ret = codec_send(&conn->codec, &reply);
	codec_next(&conn->codec);
	if (conn->nr_watches != 0)
		discard_postponed(conn);
	return ret < 0 ? ret : 1;
}

static void drop(struct connection *conn, int reason)
{
	struct log_budget *outer = log_scope_enter(conn->log_budget);

	if (reason == -ECONNRESET || reason == -EPIPE)
		LOG_INFO("%s: device %d: the frontend closed the connection", conn->dev->ifname,
			 conn->dev->vid);
	else
		LOG_ERR("%s: device %d: connection dropped (error %d)", conn->dev->ifname,
			conn->dev->vid, -reason);
	log_scope_leave(outer);
	connection_close(conn);
}

static void connection_ready(struct loop_source *source, uint32_t events)
{
	struct connection *conn = CONTAINER_OF(source, struct connection, source);
	bool was_sending = codec_sending(&conn->codec);
	int ret = 1;

	(void)events;
	if (was_sending)
		ret = codec_flush(&conn->codec) < 0 ? -EPIPE : 1;
	/* A peer that does not read its replies is not listened to. */
	for (int i = 0; i < MESSAGES_PER_TURN && ret > 0 && !codec_sending(&conn->codec); i++)
		ret = pump(conn);
	if (ret >= 0 && codec_sending(&conn->codec) != was_sending)
		ret = loop_change(source, codec_sending(&conn->codec) ? EPOLLOUT : EPOLLIN);
	if (ret < 0)
		drop(conn, ret);
}

void connection_check(struct connection *conn)
{
	if (!device_postcopy_visit(conn->dev))
		drop(conn, -ETIMEDOUT);
}

static void connection_free(struct connection *conn)
{
	LIST_REMOVE(conn, of_all);
	device_release(conn->dev);
	codec_fini(&conn->codec);
	close(conn->source.fd);
	free(conn);
}

struct connection *connection_open(int fd, const struct driver_config *config, const char *name,
				   struct log_budget *log_budget,
				   void (*closed)(struct connection *conn, void *owner),
				   void *owner)
{
	struct connection *conn = calloc(1, sizeof(*conn));
	struct device *dev = conn != NULL ? device_acquire(config, name) : NULL;

	if (dev == NULL) {
		free(conn);
		close(fd);
		return NULL;
	}
	conn->source = (struct loop_source){ .fd = fd, .ready = connection_ready };
	codec_init(&conn->codec, fd);
	conn->dev = dev;
	conn->log_budget = log_budget;
	conn->closed = closed;
	conn->owner = owner;
	LIST_INSERT_HEAD(&all, conn, of_all);
	LOG_INFO("%s: device %d: new connection", name, dev->vid);
	if (config->ops.new_connection != NULL && config->ops.new_connection(dev->vid) < 0) {
		LOG_ERR("%s: device %d: the application refused the connection", name, dev->vid);
		connection_free(conn);
		return NULL;
	}
	if (loop_add(&conn->source, EPOLLIN) < 0) {
		if (config->ops.destroy_connection != NULL)
			config->ops.destroy_connection(dev->vid);
		connection_free(conn);
		return NULL;
	}
	return conn;
}

void connection_close(struct connection *conn)
{
	const struct driver_config *config = conn->dev->config;

	loop_remove(&conn->source);
	for (unsigned int i = 0; i < DEVICE_VQS_MAX; i++)
		if (conn->watches[i] != NULL)
			unwatch(conn, i);
	device_shutdown(conn->dev);
	if (config->ops.destroy_connection != NULL)
		config->ops.destroy_connection(conn->dev->vid);
	pthread_mutex_lock(&conn->dev->lock);
	device_vdpa_cleanup(conn->dev);
	device_unlock(conn->dev);
	conn->closed(conn, conn->owner);
	connection_free(conn);
}

struct connection *connection_of_vdpa(const struct vdpa *vdpa)
{
	struct connection *conn;

	LIST_FOREACH(conn, &all, of_all)
		if (conn->dev->vdpa == vdpa)
			break;
	return conn;
}
