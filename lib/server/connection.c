/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "connection.h"
#include "vhost_user/dispatch.h"

/* Messages taken from one connection before the others get a turn. */
#define MESSAGES_PER_TURN 16

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
	if (ret == 1)
		ret = codec_send(&conn->codec, &reply);
	codec_next(&conn->codec);
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
	device_shutdown(conn->dev);
	if (config->ops.destroy_connection != NULL)
		config->ops.destroy_connection(conn->dev->vid);
	conn->closed(conn, conn->owner);
	connection_free(conn);
}
