/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One vhost-user connection and its device. Loop thread only.
 */
#ifndef VHOST_NG_CONNECTION_H
#define VHOST_NG_CONNECTION_H

#include <sys/queue.h>

#include "device/device.h"
#include "loop.h"
#include "vhost_user/codec.h"

/* The kicks of a queue that is switched off, or waits: a copy of its descriptor. */
struct kick_watch {
	struct loop_source source;
	struct connection *conn;
	uint32_t serial; /* vq.kick_serial of then */
	uint16_t index;
	bool unsure;  /* it was readable already: that may be no new kick */
	bool postponed; /* there was a kick, and a message that comes first */
	unsigned int waited; /* chains that did then */
};

struct connection {
	struct loop_source source;
	struct codec codec;
	struct device *dev;
	struct log_budget *log_budget; /* the owner's */
	void (*closed)(struct connection *conn, void *owner); /* told last; conn is freed after */
	void *owner;
	LIST_ENTRY(connection) link; /* the owner's */
	LIST_ENTRY(connection) of_all;
	struct kick_watch *watches[DEVICE_VQS_MAX];
	unsigned int nr_watches;
};

/*
 * Makes a device for a connected socket and tells the application. Owns `fd`,
 * also on failure. NULL when the application refused or something ran out.
 */
struct connection *connection_open(int fd, const struct driver_config *config, const char *name,
				   struct log_budget *log_budget,
				   void (*closed)(struct connection *conn, void *owner),
				   void *owner);
/*
 * Now and then, when the socket may have guests that come by postcopy. Closes the connection if its
 * frontend owes us a page for too long.
 */
void connection_check(struct connection *conn);
/* Stops the device, tells the application, closes everything, frees `conn`. */
void connection_close(struct connection *conn);

/* A connection that a vDPA device serves, also one that is only coming up; NULL: there is none. */
struct connection *connection_of_vdpa(const struct vdpa *vdpa);

#endif
