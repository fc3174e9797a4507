/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For every line of the message table a message that is accepted, found by trying: so that the
 * tests of what is refused need no list of messages. Nothing is untrusted.
 */
#ifndef MESSAGE_FORMS_H
#define MESSAGE_FORMS_H

#include "session.h"

struct form {
	uint32_t request;
	const struct vhu_spec *spec;
	union vhu_payload payload;
	uint32_t size_bytes;
	/* What kind of descriptor it takes; as many as it takes. */
	enum form_fd { FORM_EVENTFD, FORM_MEMFD, FORM_SOCKET, FORM_FDS } fd_kind;
	unsigned int nr_fds;
};

/* How far a session has come when a message arrives. */
enum form_state { FORM_FRESH, FORM_NEGOTIATED, FORM_MEMORY, FORM_RUNNING, FORM_STATES };
/* A session in which the form is accepted at some time or other. */
void form_session_open(struct session *s, const struct form *form);
void form_session_to(struct session *s, enum form_state state);

/* As far as a message of this line is accepted. */
void form_session_for(struct session *s, const struct vhu_spec *spec);

/* Descriptors of each kind for one session; [kind][i]. */
struct form_fds {
	int fds[FORM_FDS][FDBAG_MAX];
};
void form_fds_open(struct form_fds *f);
void form_fds_close(struct form_fds *f);

/* Fills forms[0..VHU_REQUEST_COUNT); those without a line stay without a spec. */
void forms_find(struct form *forms);

/* Sends a form, or a bent one: what session_send() says. */
int form_send(struct session *s, const struct form *form, const struct form_fds *fds);

#endif
