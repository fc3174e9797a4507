/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A backend, and what it is told of a guest's device: all that the device's own frontend has told
 * the library, which knows it under a vid.
 */
#ifndef VHOST_NG_BACKEND_H
#define VHOST_NG_BACKEND_H

#include "inflight.h"

#define BACKEND_RINGS_MAX 256

struct backend {
	struct frontend wire; /* fd -1: there is none */
	uint64_t features, protocol_features; /* agreed on */
	uint64_t regions_max; /* of memory */
};

/* One ring of the device. */
struct backend_ring {
	bool is_there;    /* it is the backend's, or waits for the next */
	bool stands_still; /* nobody has had it since it stood at `base` */
	uint32_t base;
};

/* What one can do. */
struct backend_limits {
	uint64_t features;
	uint64_t protocol_features;
	uint32_t nr_pairs;
};

/* All return 0 or -errno. Asks who listens at `path`. */
int backend_ask(const char *path, struct backend_limits *limits);
/*
 * A backend that can do what the guest has agreed on, or may want yet, and maps its memory, and the
 * log if it migrates. This and its start are over when *hurry (atomic) is set: -ECANCELED.
 */
int backend_find(struct backend *b, const char *path, int vid, const bool *hurry);
/* The thread that asks it something serves other ports, too: it is not asked for long. */
void backend_be_brief(struct backend *b);
/* Why it failed, in words. */
void backend_why(const struct backend *b, int vid, int err, char *text, size_t text_bytes);
void backend_leave(struct backend *b);
/* Has it hung up, or is there none? */
bool backend_is_gone(const struct backend *b);

/* After an error it is to be left. */

/*
 * Gives it the device, with all rings that are there: each at its base, if that is where it stands,
 * or where the one before it has left it. `area` is what that one wrote down, and what this one will.
 * -ESTALE: nobody knows where.
 */
int backend_start(struct backend *b, int vid, struct inflight *area, struct backend_ring *rings);
/* Can it have one more ring, as it is now, or does that take a new start? */
bool backend_has_room(int vid, const struct inflight *area, unsigned int index);
/* The same for one more, when it is there; for one that it has, which got other eventfds. */
int backend_start_ring(struct backend *b, int vid, unsigned int index, struct backend_ring *ring);
int backend_set_eventfds(struct backend *b, int vid, unsigned int index);
/* A migration begins, gets another log, or ends. */
int backend_log(struct backend *b, int vid, const struct backend_ring *rings);
/* Takes all rings back, so that they stand still. */
int backend_stop(struct backend *b, struct backend_ring *rings);
int backend_enable(struct backend *b, unsigned int index, bool enable);
/* It tells the network where the guest is, if the guest's frontend has asked for that. */
int backend_announce(struct backend *b, int vid);

/* Finds out where a ring stands, as inflight_packed_base() has it. */
int backend_left_at(int vid, const struct inflight *area, unsigned int index,
		    struct backend_ring *ring);
/* And all of them: 0 or -ESTALE. */
int backend_left_all(int vid, const struct inflight *area, struct backend_ring *rings);
/* The last one may have died before it told the guest of what it gave back. */
void backend_call_guest(int vid, const struct backend_ring *rings);
/* If the guest migrates: its memory is all to be sent again. */
void backend_mark_all(int vid);
/* Are the guest's rings packed? */
bool backend_packed(int vid);

#endif
